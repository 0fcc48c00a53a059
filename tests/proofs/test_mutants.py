"""Errors are planted where they are said to be, are the same for a seed, and the ledger's survivors are counted."""

from __future__ import annotations

import ast

import pytest

from proofs.ledger import Ledger, load
from proofs.mutants import (
    Mutant,
    affected,
    drawn,
    imports,
    judge,
    mutants_of,
    outcome,
    own_verdicts,
    planted,
    proof_sources,
)
from tests.proofs.test_ledger import small_ledger

SOURCE = '''"""1 + 1 in a docstring is left alone."""
X = a + b * 3
Y = "0.0896"
Z = min(range(1, 5)) if x < 2 else all(y)
claim("eq-1", says=r"$x < 7$", assumes=("one", "two"))
'''


def test_every_kind_is_planted_where_it_stands() -> None:
    found = {f"{mutant.kind}: {mutant.before} -> {mutant.after}" for mutant in mutants_of(SOURCE, "x.py")}
    assert found >= {
        "operator: a + b * 3 -> (a - b * 3)",
        "operator: b * 3 -> (b / 3)",
        "operator: x < 2 -> x > 2",
        "constant: 3 -> 4",
        "constant: \"0.0896\" -> '0.0897'",
        "range: range(1, 5) -> range(1, 5 - 1)",
        "quantifier: min(range(1, 5)) -> max(range(1, 5))",
        "quantifier: all(y) -> any(y)",
        'hypothesis: ("one", "two") -> (\'one\',)',
        "says: r\"$x < 7$\" -> '$x < 8$'",
    }
    assert not any("docstring" in line for line in found)
    for mutant in mutants_of(SOURCE, "x.py"):
        changed = planted(SOURCE, mutant)
        ast.parse(changed)
        assert changed != SOURCE


def test_an_error_for_another_source_is_refused() -> None:
    with pytest.raises(ValueError, match="the source has something else there"):
        planted(SOURCE, Mutant("x.py", 2, 4, "operator", "a - b", "a + b"))


def test_a_draw_is_that_of_its_seed_and_a_larger_one_goes_on() -> None:
    modules = {
        file: source
        for file, source in proof_sources().items()
        if file in ("checks.py", "paper/section_4.py")
    }
    few, more = drawn(modules, 30, seed=1), drawn(modules, 60, seed=1)
    assert more[:30] == few
    assert drawn(modules, 30, seed=2) != few
    assert {mutant.kind for mutant in few} == {
        "constant",
        "hypothesis",
        "operator",
        "quantifier",
        "range",
        "says",
    }


def test_claims_that_cannot_see_an_error_are_not_asked() -> None:
    graph = imports(proof_sources())
    assert affected("paper/appendix_i.py", graph) == ["paper/appendix_i.py"]
    assert affected("paper/theorem_2_2.py", graph)[0] == "paper/theorem_2_2.py"
    assert "paper/theorem_2_3.py" in affected("paper/theorem_2_2.py", graph)
    assert "paper/appendix_i.py" not in affected("paper/theorem_2_2.py", graph)


def test_a_verdict_that_changes_kills_and_one_that_stays_does_not() -> None:
    ledger: Ledger = small_ledger()
    expected = own_verdicts(ledger)
    place = ledger.nodes()["def-1"].place.partition(":")[0]
    assert judge(expected, [place], ledger) == ""
    assert judge(expected | {"def-1": "refuted"}, [place], ledger) == "def-1: proved, not refuted"


@pytest.mark.slow
def test_an_error_that_matters_is_killed_in_its_copy_and_a_lost_hypothesis_survives() -> None:
    """`fig-1.zero` counts the near distances; what it assumes is prose, and no check sees it go."""
    file, modules = "paper/appendix_i.py", proof_sources()
    expected = own_verdicts(load(), [file])
    found = {(mutant.kind, mutant.before): mutant for mutant in mutants_of(modules[file], file)}
    (lost,) = (mutant for (kind, _), mutant in found.items() if kind == "hypothesis")
    near = found["range", "range(101)"]
    assert outcome(near, modules, expected, limit=600)["ended"] == "killed"
    assert outcome(lost, modules, expected, limit=600)["ended"] == "survived"
    assert proof_sources() == modules
