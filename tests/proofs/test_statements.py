"""A statement is one object: what is printed, attacked and proved changes with it; ranks are derived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from proofs.balls import PRECISION, ball, less, precision
from proofs.classical import CLASSICAL, unknown_names
from proofs.ledger import Form, Ledger, LedgerError, Rank, load, own_verdict, rests_on, settle, settle_ranks
from proofs.paper.theorem_2_2_uniform import scans, uncovered
from proofs.paper.theorem_2_3 import DIM, R
from proofs.statements import Conclusion, Statement, Variable, tightened
from proofs.verify import gather

GOOD = (Verdict.PROVED, Verdict.CERTIFIED)
OBJECTS = {node: form for node, form in load().nodes().items() if form.statement is not None}


@pytest.fixture(autouse=True)
def ledger_precision() -> Iterator[None]:
    with precision(PRECISION):
        yield


def judged(node: str, form: Form, statement: Statement) -> Verdict:
    """The verdict of a form's own check, of another statement in place of its own."""
    judge = form.judge
    assert judge is not None
    evidence = gather(node, lambda: judge(statement))
    return own_verdict(node, evidence, written=bool(form.proof))


def test_the_theorem_on_a_fixed_pair_and_its_equation_are_objects() -> None:
    assert set(OBJECTS) >= {"eq-8", "thm-2.3"}


@pytest.mark.parametrize("node", OBJECTS)
def test_what_is_printed_is_made_from_the_statement(node: str) -> None:
    form = OBJECTS[node]
    assert form.statement is not None
    assert form.says == form.statement.says()
    assert judged(node, form, form.statement) in GOOD


@pytest.mark.parametrize(
    ("node", "what", "changed"),
    [
        (node, what, changed)
        for node, form in OBJECTS.items()
        if form.statement
        for what, changed in tightened(form.statement)
    ],
)
def test_a_bound_that_is_changed_is_printed_otherwise_and_not_proved(
    node: str, what: str, changed: Statement
) -> None:
    form = OBJECTS[node]
    assert changed.says() != form.says, what
    assert judged(node, form, changed) not in GOOD, what


def test_two_over_the_dimension_lost_in_the_gaps_bound_is_not_proved() -> None:
    form = OBJECTS["eq-8"]
    assert form.statement is not None
    changed = form.statement.reworded(1, lambda bound: bound.func(bound.lhs, bound.rhs - 2 * R / DIM))
    assert changed.says() != form.says
    assert judged("eq-8", form, changed) not in GOOD


@pytest.mark.parametrize("node", OBJECTS)
def test_a_condition_that_is_dropped_is_printed_otherwise_and_not_proved(node: str) -> None:
    form = OBJECTS[node]
    assert form.statement is not None
    for index, conclusion in enumerate(form.statement.conclusions):
        if conclusion.when:
            conclusions = list(form.statement.conclusions)
            conclusions[index] = replace(conclusion, when=conclusion.when[:-1])
            changed = replace(form.statement, conclusions=tuple(conclusions))
            assert changed.says() != form.says
            with pytest.raises(
                (AssertionError, ValueError)
            ):  # a check that cannot be run fails the ledger too
                assert judged(node, form, changed) in GOOD


@pytest.mark.parametrize("node", OBJECTS)
def test_attacked_points_meet_ranges_and_hypotheses(node: str) -> None:
    statement = OBJECTS[node].statement
    assert statement is not None
    points = list(statement.points(60, seed=1))
    assert str(points) == str(list(statement.points(60, seed=1)))
    assert len(points) > 10
    for point in points:
        assert statement.admits(point)
        for variable in statement.variables:
            if variable.low != -sp.oo and not sp.sympify(variable.low).free_symbols:
                assert less(ball(int(variable.low)), abs(point[variable.symbol])) is True


X, Y = sp.symbols("x y", real=True)


@given(low=st.integers(-5, 5), width=st.integers(1, 9), signed=st.booleans())
@settings(max_examples=30)
def test_values_lie_inside_an_open_range_with_both_signs(low: int, width: int, signed: bool) -> None:
    low = abs(low) if signed else low
    values = Variable(X, low=sp.Integer(low), high=sp.Integer(low + width), signed=signed).values({})
    assert values
    for value in values:
        size = abs(value) if signed else value
        assert less(ball(low), size) is True
        assert less(size, ball(low + width)) is True
    assert not signed or {bool(value > 0) for value in values} == {True, False}


def test_an_attack_refutes_what_is_false_at_an_end_and_refuses_to_search_nothing() -> None:
    false = Statement(
        (Variable(X, low=sp.Integer(0), high=sp.Integer(1)),), (Conclusion(sp.Lt(X, sp.Rational(99, 100))),)
    )
    assert [item.verdict for item in false.attack()] == [Verdict.REFUTED]
    empty = replace(false, given=(sp.Gt(X, 2),))
    with pytest.raises(InputError, match="a search of nothing supports nothing"):
        list(empty.attack())


# Coverage of a scan -------------------------------------------------------------------------------------


def test_a_scan_that_begins_late_or_leaves_a_sign_out_does_not_cover_the_far_range() -> None:
    found = scans(17**4, 8, True, 1, 17**4 + 40)
    assert uncovered(found, 17**4, 17**4 + 39) == []
    late = found | {1: replace(found[1], looked=found[1].looked[1:])}
    assert uncovered(late, 17**4, 17**4 + 39) != []
    assert uncovered({1: found[1]}, 17**4, 17**4 + 39) == ["no Lambda of sign -1"]


# Ranks --------------------------------------------------------------------------------------------------


def fact(verdict: Verdict, role: Role) -> Evidence:
    radius = 1e-30 if verdict is Verdict.CERTIFIED else None
    return Evidence("a fact", verdict, computed=1.0, radius=radius, role=role)


def ranked(
    *found: Evidence, below: Evidence | None = None, checked: frozenset[str] = frozenset()
) -> dict[str, Rank]:
    """Ranks of "eq-1", a statement object, and of "eq-2" below, on which it rests, by Weyl."""
    ledger = Ledger()
    statement = Statement((Variable(X),), (Conclusion(sp.Le(X, X + 1)),))
    ledger.claim("eq-2", where="App. A", kind="step", says=statement, outline="By Weyl.")(
        lambda _: iter([below or fact(Verdict.PROVED, Role.STATEMENT)])
    )
    ledger.claim("eq-1", where="App. A", kind="step", says=statement, uses=("eq-2",))(lambda _: iter(found))
    ledger.machine_checked = checked
    nodes = ledger.nodes()
    evidence = {node: tuple(form.check()) for node, form in nodes.items()}
    own = {node: own_verdict(node, items) for node, items in evidence.items()}
    ranks = settle_ranks(ledger, settle(ledger, own), evidence)
    classical, argued = rests_on(ledger, "eq-1", ranks)
    assert classical == (() if "eq-1" in checked or "eq-2" in checked else ("cla-weyl",))
    assert set(argued) == {
        node for node, rank in ranks.items() if rank is Rank.ARGUED and "eq-1" not in checked
    }
    return ranks


def test_ranks_are_derived_from_the_roles_of_the_evidence() -> None:
    statement, step = fact(Verdict.PROVED, Role.STATEMENT), fact(Verdict.PROVED, Role.STEP)
    balls = fact(Verdict.CERTIFIED, Role.STATEMENT)
    assert ranked(statement)["eq-1"] is Rank.COMPUTED
    assert ranked(statement, balls)["eq-1"] is Rank.CERTIFIED
    assert ranked(statement, step)["eq-1"] is Rank.ARGUED
    assert ranked(fact(Verdict.REFUTED, Role.STATEMENT))["eq-1"] is Rank.REFUTED
    assert ranked(fact(Verdict.UNKNOWN, Role.STATEMENT))["eq-1"] is Rank.UNKNOWN


def test_a_rank_is_no_higher_than_what_it_rests_on_unless_a_machine_has_checked_it() -> None:
    statement, step = fact(Verdict.PROVED, Role.STATEMENT), fact(Verdict.PROVED, Role.STEP)
    assert ranked(statement, below=step) == {"eq-2": Rank.ARGUED, "eq-1": Rank.ARGUED}
    checked = ranked(statement, below=step, checked=frozenset({"eq-1"}))
    assert checked == {"eq-2": Rank.ARGUED, "eq-1": Rank.MACHINE_CHECKED}
    assert ranked(statement, below=step, checked=frozenset({"eq-2"}))["eq-1"] is Rank.COMPUTED


# Classical theorems -------------------------------------------------------------------------------------

NAMES = (
    "Archimedes",
    "Capelli",
    "Cauchy",
    "Chernoff",
    "Dirichlet",
    "Fubini",
    "Hoelder",
    "Jensen",
    "Kronecker",
)
NAMES += ("Lebesgue", "Lindemann", "Minkowski", "Taylor", "Weyl", "Eisenstein", "Wick", "Gelfond", "Baker")


def test_every_theorem_that_is_called_by_name_has_an_entry_and_every_entry_is_called() -> None:
    forms = load().nodes().values()
    texts = [f"{form.outline} {form.proof}" for form in forms]
    assert unknown_names(texts, NAMES) == set()
    assert unknown_names([*texts, "By Minkowski."], NAMES) == {"Minkowski"}
    assert {label for form in forms for label in form.classical} == {entry.label for entry in CLASSICAL}


def test_a_check_of_a_statement_that_cannot_be_run_fails_in_the_ledgers_own_words() -> None:
    """Found by a planted error: the message about it could not be made, and an AttributeError came instead."""
    ledger = Ledger()
    statement = Statement((Variable(X, low=sp.Integer(0)),), (Conclusion(sp.Gt(X, 0)),))

    @ledger.claim("x-1", where="App. A", kind="definition", says=statement)
    def check(statement: Statement) -> Iterator[Evidence]:
        yield from {}[str(statement.words)]

    with pytest.raises(LedgerError, match=r"^x-1: KeyError in .*test_statements.py"):
        gather("x-1", ledger.nodes()["x-1"].check)
