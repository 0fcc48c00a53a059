"""Errors are planted where they are said to be, are the same for a seed, and the ledger's survivors are counted."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import pytest
import sympy as sp

from analysis.errors import InputError
from analysis.evidence import Verdict
from proofs import exact, statements
from proofs.balls import ball
from proofs.ledger import Ledger, load, own_verdict
from proofs.mutants import (
    _functions,
    _listening,
    _part,
    _row_mutant,
    affected,
    asked,
    imports,
    judge,
    judge_all,
    judge_whole,
    outcome,
    used_with,
    warm_up,
)
from proofs.planting import Mutant, attack_functions, drawn, mutants_of, names_read, planted, proof_sources
from proofs.statements import Variable
from proofs.verify import gather
from tests.proofs.test_ledger import small_ledger


def ledger_verdict(ledger: Ledger, node: str) -> Verdict:
    return own_verdict(node, gather(node, ledger.nodes()[node].check))


SOURCE = '''"""1 + 1 in a docstring is left alone."""
X = a + b * 3
Y = "0.0896"
Z = min(range(1, 5)) if x < 2 else all(y)
claim("eq-1", says=r"$x < 7$", assumes=("one", "two"))
S = Statement(V, (Conclusion(relation(x, "<=", y)),), words="for 3 of them, ")
T = Statement(V, C, words=rf"below ${tex(K)}$ for 5 of them, ")
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
        "operator: \"<=\" -> '>='",
        "says: \"for 3 of them, \" -> 'for 4 of them, '",
        "says: rf\"below ${tex(K)}$ for 5 of them, \" -> f'below ${tex(K)}$ for 6 of them, '",
    }
    assert not any("docstring" in line for line in found)
    for mutant in mutants_of(SOURCE, "x.py"):
        changed = planted(SOURCE, mutant)
        ast.parse(changed)
        assert changed != SOURCE


SEARCH = """
@attack("eq-1", domain=f"{3} numbers")
def searched():
    yield search(f"{4 + 1} cases", ((f"n = {n}", 11 - shared(n) - own(n)) for n in range(1, 12)))
    for size in (21, *sizes(22)):
        yield tried("sizes", size < 23, size + 24, 25)


def own(n):
    return sum(n + 31 for _ in range(32))


def shared(n):
    return sum(n + 41 for _ in range(42))


@claim("eq-1", says=f"{51} numbers")
def checked():
    found = shared(52)
    yield exact(f"{53}", found == 54, found + 55, 56)
    yield below("a bound", ball(f"1/{57}"), maximum(found, 0, 58, tol=ball("0.059")))
    for n in range(61):
        yield tried("n", n < 62, 63, predicted=64)
"""


def test_only_where_an_attack_looks_and_what_evidence_shows_is_left_out() -> None:
    """Of all numbers: ranges of an attack and of its own helper, and texts; nothing looked for, no check's range."""
    attacks = attack_functions({"x.py": SEARCH})
    assert attacks == {"x.py": {"searched", "own"}}
    found = {
        mutant.before for mutant in mutants_of(SEARCH, "x.py", attacks["x.py"]) if mutant.kind == "constant"
    }
    hidden = {"3", "4", "1", "12", "32", "24", "25", "53", "55", "56", '"0.059"', "63", "64"}
    everything = {mutant.before for mutant in mutants_of(SEARCH, "x.py") if mutant.kind == "constant"}
    assert found == {"11", "21", "22", "23", "31", "41", "42", "51", "52", "54", "57", "0", "58", "61", "62"}
    assert everything - found == {"1", "12", "32"}  # known only where attacks are
    assert not hidden & found
    read_elsewhere = {"x.py": SEARCH, "y.py": "from x import own\n\n\ndef other():\n    return own(1)\n"}
    assert attack_functions(read_elsewhere)["x.py"] == {"searched"}


HANDED = """
@attack("eq-1", domain="numbers")
def searched():
    def tries(lags, least):
        values = [f(lag) for lag in lags]
        return tried(f"{lags}", len(values) > least, values, 1)

    def counts(lags):
        return exact("", sum(lags) == 2, 3, 4)

    yield controlled(tries(range(11, 20), 21), tries(range(12), 22))
    yield tries((24, 25), 26)
    yield tries(*(range(31), 32))
    yield counts(range(41))
    yield outside(range(51))
    yield own(range(61), 62)
    yield exact("", list(range(71)) == 72, 5, 6)
    yield search("", (g(i, j) for i, j in product(range(81), (82, 83))))


def own(lags, found):
    return tried("", found == 91, [h(n) for n in lags], 92)


def outside(lags):
    return [n for n in lags]


@claim("eq-1", says="")
def checked():
    yield exact("", outside(range(101)) == list(range(102)), 7, 8)
"""


def test_a_range_that_an_attack_hands_to_a_loop_is_left_out() -> None:
    """And no other: what the function does more with it, or a check, may decide."""
    attacks = attack_functions({"x.py": HANDED})["x.py"]
    assert attacks == {"searched", "own"}
    found = mutants_of(HANDED, "x.py", attacks)
    assert {one.before for one in found if one.kind == "range"} == {
        f"range({n})" for n in (31, 41, 51, 71, 101, 102)
    }
    numbers = {one.before for one in found if one.kind == "constant"}
    assert numbers == {
        "2",
        "21",
        "24",
        "25",
        "26",
        "31",
        "32",
        "41",
        "51",
        "62",
        "71",
        "72",
        "91",
        "101",
        "102",
    }


def test_what_leaves_a_range_as_it_is_is_no_error() -> None:
    source = "x = range(2, 20, 2), range(1, 40, 2), range(3), range(6, n, 2), range(9, 0, -2)\n"
    found = {(one.before, one.after) for one in mutants_of(source, "x.py") if one.kind == "range"}
    lowered = {("range(1, 40, 2)", "range(1, 40 - 1, 2)"), ("range(3)", "range(3 - 1)")}
    assert found == {*lowered, ("range(6, n, 2)", "range(6, n - 1, 2)")}
    raised = {one.before for one in mutants_of(source, "x.py") if one.kind == "constant"}
    assert raised == {"0", "1", "2", "3", "6", "9", "20"}  # not 40: the next number is even


WITNESS = """
S = Statement((Variable(x, low=1),), (Conclusion(relation(x, "<", 2), sharp=(3, {x: 4})),))


def refuted():
    point = {x: 11 + 12}
    yield S.fails_at(point, 13)
    other = {x: 14}
    yield S.fails_at(other, 15)
    yield exact("", other[x] < 16, other, 17)
    yield S.fails_at({x: 18, y: f(19)}, index=20)
"""


def test_a_point_that_refutes_is_left_out_and_what_it_refutes_is_not() -> None:
    """A point that a check reads elsewhere too (14) stays in, and so do the conclusion's number and a share."""
    found = {mutant.before for mutant in mutants_of(WITNESS, "x.py") if mutant.kind == "constant"}
    assert found == {"1", "2", "3", "13", "14", "15", "16", "20"}


CONTROLLED = """
@attack("eq-1", domain="numbers")
def searched():
    yield controlled(tried("n", f(11) < 12, 13, 14), tried("n", f(15) < 16, 17, 18))
    yield search("m", cases(19), control=ball("0.2") + 20)
    yield refutes(tried("k", g(21), 22, 23))
"""


def test_a_control_is_left_out_and_the_search_beside_it_is_not() -> None:
    found = {one.before for one in mutants_of(CONTROLLED, "x.py", {"searched"}) if one.kind == "constant"}
    assert found == {"11", "12", "19"}


CHOSEN = """
_DRAWS = 11
_BOTH = 12
_TRY_WHOLE = (13, 14)
FEW = relation(x, "<", 15)
OTHER = relation(x, "<", 16)


def drawn(low, number=_DRAWS, *, tol="0.017", size=18):
    return [low + 19] * _BOTH + [*_TRY_WHOLE]


def more(number=_BOTH):
    return S.within(FEW, relation(x, ">", 20)).attack(), OTHER, S.within(OTHER).attack(number=21)


def _temptations():
    return cos(x) - 22, x - y


def tempted():
    return cos(x) - 23
"""


def test_how_long_and_where_is_searched_is_left_out_and_what_is_read_for_more_is_not() -> None:
    found = {one.before for one in mutants_of(CHOSEN, "x.py") if one.kind == "constant"}
    assert found == {"12", "16", "18", "19", "23"}
    assert "x - y" not in {one.before for one in mutants_of(CHOSEN, "x.py")}


def test_parts_of_domains_are_read_by_attacks_alone_and_candidates_by_what_drops_those_that_miss() -> None:
    """What the rules rest on: no check narrows its statement; and of other candidates as few are wrong."""
    modules = proof_sources()
    attacks = attack_functions(modules)
    for file, source in modules.items():
        for function in (one for one in ast.parse(source).body if isinstance(one, ast.FunctionDef)):
            narrows = "within" in names_read_in_body(function)
            assert not narrows or function.name in attacks[file] or function.name == "at_normal", (
                function.name
            )
    whole = Variable(sp.Symbol("n", integer=True), low=sp.Integer(3), high=sp.Integer(12), even=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "_TRY_WHOLE", (2, 5, 500))
        patch.setattr(statements, "_TRY_FROM_THE_FIRST", (1000,))
        assert {float(ball(x)) for x in whole.values({})} <= {4, 6, 8, 10}
        patch.setattr(exact, "_TRY_RATIONALS", (range(-3, 9), (1, 3)))
        exact._fitting.cache_clear()
        odd = sp.Symbol("k", integer=True, positive=True)
        assert {x.denominator for x in exact._fitting(odd)} == {1}
        assert min(exact._fitting(odd)) == 1
    exact._fitting.cache_clear()


def names_read_in_body(function: ast.FunctionDef) -> set[str]:
    return {name for node in function.body for name in names_read(node)}


def test_a_temptation_that_is_true_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    x = sp.Symbol("x")
    assert exact.unsound(sp.trigsimp) is None
    monkeypatch.setattr(exact, "_temptations", lambda: (sp.cos(x) ** 2 + sp.sin(x) ** 2 - 1,))
    assert exact.unsound.__wrapped__(sp.trigsimp) is not None


def test_a_point_that_does_not_refute_is_seen() -> None:
    """What the rule rests on: a point outside the hypotheses is refused, and one where the conclusion holds is none."""
    ledger = load()
    statement = ledger.claims["eq-67"].stated.statement
    assert statement is not None
    point = dict.fromkeys(statement.symbols, 2)
    with pytest.raises(InputError, match="not certainly in the range"):
        statement.fails_at(point)
    lam, theta, dim, y = (
        next(s for s in point if str(s) == name) for name in ("lambda", "theta_0", "D", "y")
    )
    inside = {theta: sp.Rational(1, 100), dim: 20, lam: 2}
    for at, refutes in ((sp.Rational(1, 4), True), (sp.Rational(9, 20), False)):  # the second fails at any y
        found = statement.fails_at(inside | {y: at}, 1, also=(2,))
        assert (found.verdict is Verdict.REFUTED) is refutes


def test_no_helper_of_a_check_counts_as_one_of_attacks() -> None:
    """What the rule takes for attacks alone is called by no check, as the profiler sees it."""
    ledger = load()
    attacks = {(file, name) for file, names in attack_functions(proof_sources()).items() for name in names}
    assert ("paper/appendix_a.py", "eq_19_attack") in attacks
    at_line: dict[tuple[str, int], set[str]] = {}
    for file, source in proof_sources().items():
        for span in _functions(source):
            at_line.setdefault((file, span.first), set()).add(span.name)
    nodes = (
        "eq-53",
        "eq-54",
        "eq-59*",
        "eq-65*",
        "eq-70",
        "lem-riemann",
        "thm-2.2.limit",
        "eq-20*",
        "fig-1.zero",
    )
    for node in nodes:
        called: set[tuple[str, int]] = set()
        with _listening(called):
            gather(node, ledger.nodes()[node].check)
        names = {(file, name) for file, first in called for name in at_line.get((file, first), ())}
        assert names
        assert not names & attacks, node


def test_a_rule_of_the_whole_ledger_sees_an_error_too() -> None:
    ledger = load()
    assert judge_whole({}, [], ledger) == ""
    claim = ledger.claims["eq-55"]
    changed = replace(claim.stated, cites=())
    ledger.claims["eq-55"] = replace(claim, stated=changed)
    try:
        assert "eq-55: (54) is cited" in judge_whole({}, [], ledger)
    finally:
        ledger.claims["eq-55"] = claim


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
    expected = {"def-1": str(ledger_verdict(ledger, "def-1"))}
    assert judge(expected, ["def-1"], ledger) == ""
    assert judge({"def-1": "refuted"}, ["def-1"], ledger) == "def-1: proved, not refuted"
    assert judge(expected, ["def-2"], ledger) == "def-2: gone from the ledger"


def test_only_claims_that_meet_a_line_are_asked() -> None:
    """A line of a function: those that call it; a constant: those in which it is read; a statement: its own."""
    ledger = load()
    warm = warm_up(
        ledger, ["eq-7", "eq-31*", "thm-2.2.ci", "thm-2.2.limit", "fig-1.zero", "lem-riemann.kappa"]
    )
    file = "paper/theorem_2_2.py"
    source = warm.modules[file]

    def met(found: Callable[[Mutant], bool], file: str = file) -> set[str]:
        (mutant, *_) = [one for one in mutants_of(warm.modules[file], file) if found(one)]
        return set(asked(mutant, warm, ledger))

    line = 1 + source[: source.index("def far_sine_holds")].count("\n") + 3
    assert met(lambda one: line <= one.line < line + 30 and one.kind == "operator") == {"thm-2.2.limit"}
    assert met(lambda one: one.before == '"0.0896"') >= {"thm-2.2.ci", "thm-2.2.limit"}
    assert "fig-1.zero" not in met(lambda one: one.before == '"0.0896"')
    assert met(lambda one: one.before == "4096") >= {"thm-2.2.limit"}
    printed = (
        "paper/appendix_c_bounds.py"  # `remainder` runs when the statement is made, and in no check of eq-31*
    )
    begin = warm.modules[printed][: warm.modules[printed].index("def remainder(")].count("\n") + 2
    assert "eq-31*" in met(lambda one: begin < one.line < begin + 5 and one.kind == "operator", printed)
    lemmas = "paper/classical_lemmas.py"
    at = warm.modules[lemmas][: warm.modules[lemmas].index("KAPPA_BOUNDS = ")].count("\n")
    assert met(lambda one: one.line > at and one.kind == "constant", lemmas) == {"lem-riemann.kappa"}


def test_rows_are_kept_until_a_module_that_they_were_judged_with_changes(tmp_path: Path) -> None:
    record, graph, modules = tmp_path / "mutants.json", imports(proof_sources()), proof_sources()
    mutants = drawn(modules, 12, seed=3)
    rows = [
        asdict(one)
        | {
            "ended": "survived",
            "by": "",
            "asked": 1,
            "of": sha256("".join(modules[file] for file in used_with(one.file, graph)).encode()).hexdigest()[
                :16
            ],
            "why": "equivalent",
        }
        for one in mutants
    ]
    record.write_text(json.dumps({"schema": "mutants/2", "content": {"seed": 3, "rows": rows}}))
    kept = judge_all(12, 3, record, limit=1)
    parts = [row.pop("part") for row in kept["rows"]]
    assert kept["rows"] == rows  # nothing was judged again, and no reason is lost
    assert set(parts) <= {"attack", "check", "statement"}
    assert {part: parts.count(part) for part in set(parts)} == {
        part: sum(ends.values()) for part, ends in kept["parts"].items()
    }
    assert sum(sum(ends.values()) for ends in kept["counts"].values()) == 12
    record.write_text(json.dumps({"schema": "kills/1"}))
    with pytest.raises(InputError, match="is no record of mutants"):
        judge_all(12, 3, record, limit=1)


def test_the_part_of_an_error_is_that_of_its_line() -> None:
    attacks = attack_functions({"x.py": SEARCH})
    found = {
        mutant.before: _part(mutant, {"x.py": SEARCH}, attacks)
        for mutant in mutants_of(SEARCH, "x.py", attacks["x.py"])
        if mutant.kind == "constant"
    }
    assert {found[number] for number in ("11", "21", "31")} == {"attack"}
    assert {found[number] for number in ("41", "52", "61")} == {"check"}
    witness = next(mutant for mutant in mutants_of(WITNESS, "y.py") if mutant.line == 2)
    assert _part(witness, {"y.py": WITNESS}, {"y.py": set()}) == "statement"


def test_an_error_that_matters_is_killed_in_its_fork_and_one_that_changes_nothing_survives() -> None:
    """`fig-1.zero` counts the near distances; `eq-83` is refuted at tokens that meet the hypothesis that is lost."""
    ledger, before = load(), proof_sources()
    warm = warm_up(ledger, ["fig-1.zero", "eq-83"])

    def planted_in(file: str, kind: str, text: str) -> Mutant:
        found = mutants_of(warm.modules[file], file)
        return next(
            one for one in found if (one.kind, one.before) == (kind, text) and asked(one, warm, ledger)
        )

    near = planted_in("paper/appendix_i.py", "range", "range(101)")
    assert outcome(near, warm, ledger, limit=600)["ended"] == "killed"
    assert outcome(near, warm, ledger, limit=0.01)["ended"] == "over time"
    lost = planted_in("paper/appendix_h.py", "hypothesis", r'("Assumption 2.1", r"$\rho$ Schwartz")')
    survivor = outcome(lost, warm, ledger, limit=600)
    assert survivor["ended"] == "survived"
    assert survivor["asked"] > 0
    assert proof_sources() == before
    assert load() is ledger


RECORD = Path(__file__).parents[2] / "figures" / "summaries" / "mutants.json"


def test_every_survivor_of_the_record_has_a_reason_of_a_known_kind() -> None:
    rows = json.loads(RECORD.read_text())["content"]["rows"]
    survived = [row for row in rows if row["ended"] == "survived"]
    assert survived
    for row in survived:
        reason, _, words = row.get("why", "").partition(": ")
        assert reason in {"attack", "equivalent", "hole", "words"}, row
        assert words, row
    assert not [row for row in rows if row["ended"] == "killed" and "why" in row]


@pytest.mark.slow
def test_three_hundred_errors_anew_and_none_that_was_seen_is_seen_no_longer(tmp_path: Path) -> None:
    """Ten minutes of a core. The draw changes with the modules: errors are compared that both records have once."""
    out = tmp_path / "mutants.json"
    seed = str(json.loads(RECORD.read_text())["content"]["seed"])
    subprocess.run([sys.executable, "-m", "proofs.mutants", "300", "--seed", seed, "--out", out], check=True)
    then, now = (
        [(_row_mutant(row).change, row["ended"]) for row in json.loads(path.read_text())["content"]["rows"]]
        for path in (RECORD, out)
    )
    assert sum(ended != "unmet" for _, ended in now) >= 300
    assert {ended for _, ended in now} <= {"killed", "survived", "unmet"}  # none ran over its time
    met = [Counter(change for change, _ in rows) for rows in (then, now)]
    shared = {change for change in met[0] if met[0][change] == met[1][change] == 1}
    before, after = ({change: ended for change, ended in rows if change in shared} for rows in (then, now))
    assert shared
    assert not [change for change in shared if (before[change], after[change]) == ("killed", "survived")]
