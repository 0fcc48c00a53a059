"""A statement is one object: what is printed, attacked and proved changes with it; ranks are derived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from proofs.balls import PRECISION, ball, less, precision
from proofs.checks import exact, instance
from proofs.classical import CLASSICAL, unknown_names
from proofs.ledger import Form, Ledger, LedgerError, Rank, load, own_verdict, rests_on, settle, settle_ranks
from proofs.paper.theorem_2_2_uniform import scans, uncovered
from proofs.paper.theorem_2_3 import DIM, R
from proofs.statements import (
    TURN,
    Conclusion,
    Cosines,
    Listed,
    Statement,
    Variable,
    chain,
    line_in,
    relation,
    tex,
    tightened,
)
from proofs.verify import gather, verify

GOOD = (Verdict.PROVED, Verdict.CERTIFIED)
OBJECTS = {node: form for node, form in load().nodes().items() if form.statement is not None}
REFUTED = {
    *("not-2.1", "eq-3", "eq-18", "eq-21", "eq-21.beta", "eq-31", "eq-35", "eq-37", "eq-40", "eq-41.a"),
    *("rem-base.monotone", "rem-PI.monotone", "rem-extensions"),
    *("eq-42", "eq-47", "eq-55", "eq-56", "eq-58.a", "eq-59", "eq-60.a", "eq-65", "eq-66", "eq-67", "eq-68"),
    *(
        "eq-72",
        "eq-73",
        "eq-15",
        "eq-75.lambda",
        "eq-83",
        "rem-3.eliminates",
        "rem-3.reduces.scaled",
        "rem-4.5",
    ),
    *("tab-1", "rem-4.tokens"),
    *("rem-4.bases", "fig-1.protocol", "fig-1.symmetric", "rem-base.range", "rem-PI"),
    *("eq-17", "eq-20", "rem-A", "eq-22", "eq-33.uniform"),
    *("rem-3.flops", "thm-3.3", "eq-16", "eq-75", "eq-77", "thm-3.2.printed"),
}


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
    assert form.in_words == ""
    assert (judged(node, form, form.statement) in GOOD) == (node not in REFUTED)


BY_VALUE = {
    *("eq-56", "eq-59", "eq-60.a", "eq-65", "eq-66", "eq-72", "eq-15", "eq-83"),
    *("rem-3.flops", "thm-3.3", "eq-16", "eq-75", "eq-77", "thm-3.2.printed"),
}


# bounds of the paper with so much room that tightened by half they still hold, and are still proved
ROOMY = {"eq-28", "eq-29", "eq-30", "eq-31*", "eq-69", "lem-C.1", "eq-25"}
UNNAMED = {"thm-3.2", "eq-84"}  # with a constant that is said to exist, of which half is one as well


@pytest.mark.parametrize("node", [node for node in OBJECTS if node not in REFUTED])
def test_a_bound_that_is_changed_is_printed_otherwise_and_not_proved(node: str) -> None:
    """At least one tightening of each statement, and of each conclusion of those without room."""
    form = OBJECTS[node]
    assert form.statement is not None
    kept: dict[str, list[bool]] = {}
    for what, changed in tightened(form.statement):
        if what.endswith("by 1/4") and len(form.statement.conclusions) > 1:
            continue
        assert changed.says() != form.says, what
        kept.setdefault(what.partition(",")[0], []).append(refused(node, form, changed))
    assert kept or all(isinstance(one.says, sp.Ne) for one in form.statement.conclusions)
    if node not in ROOMY | UNNAMED:
        assert all(any(found) for found in kept.values()), kept


def refused(node: str, form: Form, changed: Statement) -> bool:
    """Is the changed statement not proved: by its check, by its attack, or because the check cannot be run?"""
    try:
        if judged(node, form, changed) not in GOOD:
            return True
    except (LedgerError, AssertionError):
        return True
    with suppress(InputError):  # of letters that have no value: its own attack gives them one
        return any(item.verdict is Verdict.REFUTED for item in changed.attack())
    return False


@pytest.mark.parametrize(
    "node", [node for node, form in OBJECTS.items() if form.statement and node in REFUTED]
)
def test_what_is_false_is_refuted_at_a_point_of_its_own_hypotheses(node: str) -> None:
    """With a hypothesis that the point does not meet, the same check refutes nothing."""
    form = OBJECTS[node]
    assert form.statement is not None
    evidence = gather(node, form.check)
    against = [item for item in evidence if item.verdict is Verdict.REFUTED]
    assert against
    if node in BY_VALUE:  # a side has no value there, or the law is shown beside the point
        assert not all(item.role is Role.STATEMENT for item in against)
    else:
        own = [
            item for item in against if item.role is not Role.INSTANCE
        ]  # an instance refutes beside the point
        assert own
        assert all(item.role is Role.STATEMENT for item in own)
    if not form.statement.symbols:  # of numbers alone
        return
    first = form.statement.symbols[0]
    impossible = replace(form.statement, given=(*form.statement.given, relation(first, "<", first - 1)))
    with pytest.raises(LedgerError, match="does not certainly meet"):
        judged(node, form, impossible)


def test_two_over_the_dimension_lost_in_the_gaps_bound_is_not_proved() -> None:
    form = OBJECTS["eq-8"]
    assert form.statement is not None
    changed = form.statement.reworded(1, lambda bound: bound.func(bound.lhs, bound.rhs - 2 * R / DIM))
    assert changed.says() != form.says
    assert refused("eq-8", form, changed)


@pytest.mark.parametrize("node", ["eq-8", "thm-2.3", "eq-41.a*", "lem-C.1.empty", "thm-2.2.causal"])
def test_a_condition_that_is_dropped_is_printed_otherwise_and_not_proved(node: str) -> None:
    form = OBJECTS[node]
    assert form.statement is not None
    for index, conclusion in enumerate(form.statement.conclusions):
        if conclusion.when:
            conclusions = list(form.statement.conclusions)
            conclusions[index] = replace(conclusion, when=conclusion.when[:-1])
            changed = replace(form.statement, conclusions=tuple(conclusions))
            assert changed.says() != form.says
            assert refused(node, form, changed)


@pytest.mark.parametrize("node", OBJECTS)
def test_attacked_points_meet_ranges_and_hypotheses(node: str) -> None:
    statement = OBJECTS[node].statement
    assert statement is not None
    points = list(statement.points(60, seed=1))
    assert str(points) == str(list(statement.points(60, seed=1)))
    assert points or node in REFUTED or len(statement.given) > 2
    for point in points:
        assert statement.admits(point)
        for variable in statement.variables:
            if isinstance(variable, Listed):
                assert variable.holds(point)
            else:
                assert variable.holds(point[variable.symbol], point, statement.meaning)


X, Y = sp.symbols("x y", real=True)


def test_decimals_bases_and_units_are_printed_as_they_are_read() -> None:
    base, raised = sp.symbols("b B", positive=True)
    said = relation(Cosines(64, raised, X, 1) - Cosines(64, base, X, TURN), "<=", sp.Rational("0.2575") * X)
    assert tex(said) == r"C_{64}^{B}(x; 1) - C_{64}(x) \le 0.2575 x"
    assert tex(sp.Rational(-103, 400)) == "- 0.2575"
    assert tex(sp.Rational(3, 8) + sp.Rational(1, 3)) == r"\frac{17}{24}"


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


def test_a_point_outside_a_range_or_a_hypothesis_refutes_nothing() -> None:
    half = sp.Rational(1, 2)
    false = Statement(
        (Variable(X, low=sp.Integer(0), high=sp.Integer(1), closed=True), Variable(Y, integer=True)),
        (Conclusion(relation(X + Y, "<", 1)),),
        given=(relation(Y, ">=", 0),),
    )
    assert false.fails_at({X: 1, Y: 0}).verdict is Verdict.REFUTED
    assert false.fails_at({X: half, Y: 0}).verdict is Verdict.SUPPORTED
    for point, message in (
        ({X: 2, Y: 0}, "not certainly in the range"),
        ({X: half, Y: half}, "not certainly in the range"),
        ({X: half, Y: -1}, "does not certainly meet"),
        ({X: half}, "a point of x, y, not of x"),
    ):
        with pytest.raises(InputError, match=message):
            false.fails_at(point)


def test_a_counterexample_says_of_every_link_of_a_chain_whether_it_fails() -> None:
    """X <= X^2 <= 2 <= 4: at 1/2 the first link fails alone, at 3 the second and never the third."""
    links = chain(X, ("<=", X**2), ("<=", sp.Integer(2)), ("<=", sp.Integer(4)))
    assert [link.says.rhs for link in links[:-1]] == [link.says.lhs for link in links[1:]]
    false = Statement((Variable(X),), links)
    half = sp.Rational(1, 2)
    assert false.fails_at({X: half}).verdict is Verdict.REFUTED
    assert false.fails_at({X: 3}, 2).verdict is Verdict.REFUTED
    for index, also, message in (
        (1, (), "2 fails"),
        (2, (3,), "3 does not certainly fail"),
        (3, (), "2 fails"),
    ):
        with pytest.raises(InputError, match=f"x = 3: conclusion {message} there as well"):
            false.fails_at({X: 3}, index, also=also)
    assert false.fails_at({X: 3}, 3, also=(2,)).verdict is Verdict.SUPPORTED
    elsewhere = replace(false, conclusions=(links[0], replace(links[1], when=(relation(X, "<", 0),))))
    assert elsewhere.fails_at({X: 3}).verdict is Verdict.SUPPORTED  # the other says nothing there


def test_a_point_that_refutes_nothing_is_an_error_beside_one_that_refutes() -> None:
    false = Statement((Variable(X),), (Conclusion(relation(X, "<", 1)),))
    both = [false.fails_at({X: x}) for x in (2, 3)]
    assert [item.verdict for item in gather("eq-1", lambda: iter(both))] == [Verdict.REFUTED] * 2
    with pytest.raises(LedgerError, match=r"^eq-1: 'conclusion 1 at x = 0, .*' refutes nothing, supported"):
        gather("eq-1", lambda: iter([*both, false.fails_at({X: 0})]))


def test_a_false_step_is_an_error_beside_a_point_that_refutes() -> None:
    """It changes no verdict there, and would go unseen; another counterexample is an instance, and refutes too."""
    false = Statement((Variable(X),), (Conclusion(relation(X, "<", 1)),))
    wrong = exact("a sum", False, 2 + 2, 5)
    with pytest.raises(LedgerError, match=r"^eq-1: 'a sum' is false; mend the step"):
        gather("eq-1", lambda: iter([false.fails_at({X: 2}), wrong]))
    assert len(gather("eq-1", lambda: iter([false.fails_at({X: 2}), instance(wrong)]))) == 2
    right = exact("a sum", True, 2 + 2, 4)
    for beside in (right, instance(right)):
        with pytest.raises(LedgerError, match=r"^eq-1: 'a sum' refutes nothing, proved"):
            gather("eq-1", lambda beside=beside: iter([false.fails_at({X: 2}), beside]))
    assert gather("eq-1", lambda: iter([wrong])) == (wrong,)


def test_ranges_of_all_positive_numbers_are_told_from_others() -> None:
    positive = sp.Symbol("p", positive=True)
    wide = Statement((Variable(positive, low=sp.Integer(0)),), (Conclusion(relation(positive, ">", 0)),))
    assert wide.every_positive(positive).verdict is Verdict.PROVED
    for low, high in ((1, sp.oo), (0, 9)):
        narrow = Variable(positive, low=sp.Integer(low), high=sp.sympify(high), cut=low > 0)
        cut = replace(wide, variables=(narrow,))
        assert cut.every_positive(positive).verdict is Verdict.REFUTED


def test_what_runs_over_a_range_is_told_from_what_does_not() -> None:
    positive = sp.Symbol("p", positive=True)
    ten = Variable(positive, low=sp.Integer(0), high=sp.Rational(1, 10))
    assert ten.filled_by(1 / (10 + positive), positive).verdict is Verdict.PROVED
    for wrong in (1 / (11 + positive), 1 / (10 - positive), 1 / (10 + positive**2 - positive)):
        assert ten.filled_by(wrong, positive).verdict is not Verdict.PROVED


def test_an_equation_is_proved_attacked_and_refuted() -> None:
    one = Conclusion(relation(sp.sin(X) ** 2 + sp.cos(X) ** 2, "==", 1))
    true = Statement((Variable(X),), (one,))
    assert [item.verdict for item in (*true.identities(), *true.attack())] == [
        Verdict.PROVED,
        Verdict.SUPPORTED,
    ]
    assert all(item.role is Role.STATEMENT for item in true.identities())
    (_, false), *_ = tightened(true)
    assert [item.verdict for item in false.attack()] == [Verdict.REFUTED]
    assert [item.verdict for item in false.identities()] == [Verdict.REFUTED]
    assert false.fails_at({X: 0}).verdict is Verdict.REFUTED


def test_a_symbol_that_assumes_more_than_its_range_is_refused() -> None:
    positive, whole = sp.Symbol("p", positive=True), sp.Symbol("n", integer=True)
    cases: tuple[tuple[sp.Symbol, dict[str, Any]], ...] = (
        (positive, {"low": sp.Integer(-1)}),
        (positive, {}),
        (whole, {"low": sp.Integer(0)}),
    )
    for symbol, ranges in cases:
        with pytest.raises(InputError, match="as a symbol, and its range is"):
            Variable(symbol, **ranges)
    assert Variable(positive, low=sp.Integer(0)).words() == "0 < p"
    for low, said in ((1, False), (0, True)):
        with pytest.raises(InputError, match=r"against that of the symbol: .*cut"):
            Variable(positive, low=sp.Integer(low), cut=said)
    assert Variable(positive, low=sp.Integer(1), cut=True).words() == "1 < p"
    assert Variable(whole, low=sp.Integer(0), integer=True, closed=True).values({})[0] == 0


def test_rows_are_quantified_together() -> None:
    table = Listed((X, Y), ((sp.Integer(1), sp.Integer(2)), (sp.Integer(3), sp.pi)))
    statement = Statement((table,), (Conclusion(relation(X, "<", Y)),))
    assert statement.says().startswith(r"for all $(x, y) \in \{(1, 2), (3, \pi)\}$")
    assert statement.fails_at({X: 3, Y: sp.pi}).verdict is Verdict.SUPPORTED
    with pytest.raises(InputError, match="not certainly in the range"):
        statement.fails_at({X: 1, Y: sp.pi})


def test_a_bound_that_is_said_to_be_sharp_is_seen_to_be_loose() -> None:
    sharp = Conclusion(relation(X, "<=", 1), sharp=(sp.Rational(1, 10), {X: 1}))
    statement = Statement((Variable(X, low=sp.Integer(0), high=sp.Integer(1), closed=True),), (sharp,))
    assert [item.verdict for item in statement.sharpness()] == [Verdict.CERTIFIED]
    loose = statement.reworded(1, lambda said: relation(said.lhs, "<=", 2))
    assert [item.verdict for item in loose.sharpness()] == [Verdict.REFUTED]
    assert "tightened" in statement.says()


def test_a_line_in_an_inverse_is_taken_apart() -> None:
    p = sp.Symbol("p", positive=True)
    assert line_in(2 - 3 / p, p) == (2, -3)
    with pytest.raises(InputError, match="is not a"):
        line_in(p + 1 / p, p)


# Coverage of a scan -------------------------------------------------------------------------------------


def test_a_scan_that_begins_late_or_leaves_a_sign_out_does_not_cover_the_far_range() -> None:
    found = scans(17**4, 8, True, 1, 17**4 + 40)
    assert uncovered(found, 17**4, 17**4 + 39) == []
    late = found | {1: replace(found[1], looked=found[1].looked[1:])}
    assert uncovered(late, 17**4, 17**4 + 39) != []
    assert uncovered({1: found[1]}, 17**4, 17**4 + 39) == ["no Lambda of sign -1"]
    for sign in (1, -1):
        open_ = found | {sign: replace(found[sign], doubtful=17**4 + 39)}
        assert uncovered(open_, 17**4, 17**4 + 39) == [f"sign {sign}: undecided at {17**4 + 39}"]
        assert uncovered(open_, 17**4, 17**4 + 38) == []


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


def test_a_statement_is_printed_once_and_before_its_checks_run() -> None:
    """Printed after the whole ledger had run, a cosine of 0 that one statement shows had become 1."""
    seen = []

    class Told(Statement):
        def says(self) -> str:
            seen.append("printed")
            return "x"

    ledger = Ledger()
    told = Told((), (Conclusion(relation(sp.Integer(0), "<", 1)),))

    @ledger.claim("eq-1", where="App. A", kind="definition", says=told)
    def check(statement: Statement) -> Iterator[Evidence]:
        seen.append("checked")
        yield Evidence("0 < 1", Verdict.PROVED, "0")

    verify(["eq-1"], 0, loader=lambda: ledger)
    assert seen[:2] == ["printed", "checked"]
    x = sp.Symbol("x", real=True)
    once = Statement((Variable(x),), (Conclusion(relation(x, "<=", x)),))
    assert once.says() is once.says()
