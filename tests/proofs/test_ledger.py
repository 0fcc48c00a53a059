"""The ledger keeps its rules, derives its verdicts, and is seen to fail: every guard has a planted error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs import paper, status
from proofs.balls import Real, ball
from proofs.checks import controlled, instance, refutes, search, tried
from proofs.gaussian_tokens import counterexample
from proofs.ledger import Form, Ledger, LedgerError, load, own_verdict, settle, weakest
from proofs.verify import Result, gather, verify

GOOD = (Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED)
evidences = st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=6)


def says(verdict: Verdict, what: str = "a fact") -> Evidence:
    radius = 1e-30 if verdict is Verdict.CERTIFIED else None
    control = "2.0" if verdict in (Verdict.CERTIFIED, Verdict.SUPPORTED) else ""
    return Evidence(what, verdict, computed=1.0, predicted=1.0, radius=radius, control=control)


def check(*found: Verdict) -> Callable[[], Iterator[Evidence]]:
    def run() -> Iterator[Evidence]:
        for verdict in found:
            yield says(verdict)

    return run


def add(
    ledger: Ledger, label: str, *found: Verdict, uses: tuple[str, ...] = (), where: str = "App. C"
) -> None:
    ledger.claim(label, where=where, kind="step", says=f"{label} holds", uses=uses)(
        check(*found or (Verdict.PROVED,))
    )


def mend(ledger: Ledger, label: str, *found: Verdict, uses: tuple[str, ...] = (), **argument: str) -> None:
    ledger.repair(label, says=f"{label} holds, mended", uses=uses, **argument)(
        check(*found or (Verdict.PROVED,))
    )


def run(ledger: Ledger, labels: list[str] | None = None) -> dict[str, Result]:
    return {result.label: result for result in verify(labels, workers=0, loader=lambda: attacked(ledger))}


def attacked(ledger: Ledger) -> Ledger:
    """The same, with an attack that finds nothing on every claim that has none."""
    for label in ledger.claims:
        if not {label, f"{label}*"} & ledger.attacks.keys():
            ledger.attack(label, domain="one sample")(check(Verdict.SUPPORTED))
    return ledger


def small_ledger() -> Ledger:
    return attacked(bare_ledger())


def bare_ledger() -> Ledger:
    """A definition, a refuted lemma with its repair, and steps that rest on either; made anew in every process."""
    ledger = Ledger()
    add(ledger, "def-1", where="Sec. 2")
    add(ledger, "lem-C.1", Verdict.CERTIFIED, Verdict.REFUTED, uses=("def-1",), where="App. E")
    mend(ledger, "lem-C.1", Verdict.CERTIFIED, uses=("def-1",))
    add(ledger, "eq-28", uses=("lem-C.1",))
    mend(
        ledger,
        "eq-28",
        uses=("lem-C.1*",),
        outline="2*x <y, a_i",
        proof="""
        $1 = 1$.

        So it is.
    """,
    )
    add(ledger, "eq-29", Verdict.SUPPORTED)
    add(ledger, "eq-30", uses=("eq-29",))
    ledger.attack("eq-28", domain="edges | first")(check(Verdict.SUPPORTED))
    ledger.attack("eq-28*", domain="all of it")(check(Verdict.CERTIFIED))
    ledger.practice("eq-28")(lambda: iter([{"base": 10_000, "near range empty": True}]))
    return ledger


def failing_ledger() -> Ledger:
    ledger = small_ledger()

    def broken() -> Iterator[Evidence]:
        yield says(Verdict.PROVED)
        raise ZeroDivisionError("planted")

    ledger.claim("eq-66", where="App. E", kind="equation", says="planted")(broken)
    return attacked(ledger)


# Controls: a search that finds nothing must be seen finding something ---------------------------------


NEAR_9 = ball("9.05")


def searching(margin: Callable[[int], int], control: Real | None) -> Ledger:
    """A proved claim, n < 20 for n < 12, and an attack that looks for a counterexample by this margin."""
    ledger = Ledger()
    add(ledger, "eq-1", Verdict.PROVED)

    @ledger.attack("eq-1", domain="n = 1..11")
    def attack() -> Iterator[Evidence]:
        yield search("20 - n", ((f"n = {n}", margin(n)) for n in range(1, 12)), control=control)

    return ledger


def test_a_search_that_finds_nothing_without_a_control_is_refused() -> None:
    assert run(searching(lambda n: 20 - n, NEAR_9))["eq-1"].stated is Verdict.PROVED
    with pytest.raises(LedgerError, match=r"^eq-1, attack: '20 - n, 11 cases.* has no control"):
        run(searching(lambda n: 20 - n, None))


@pytest.mark.parametrize(
    "broken",
    [lambda n: 20, lambda n: 20 + n, lambda n: 21 - n, lambda n: max(20 - n, 15), lambda n: 200 - 10 * n],
)
def test_a_broken_search_does_not_refute_its_control(broken: Callable[[int], int]) -> None:
    """9 is the least margin; one that is constant, of the wrong sign, one off or cut off is never below 9.05."""
    with pytest.raises(LedgerError, match=r"its control is not refuted: every margin less by .?9.05"):
        run(searching(broken, NEAR_9))


@pytest.mark.parametrize("broken", [lambda n: 19 - n, lambda n: 18 - n, lambda n: 12 - n])
def test_a_search_whose_margins_are_too_small_has_no_narrow_control(broken: Callable[[int], int]) -> None:
    with pytest.raises(LedgerError, match=r"is no narrow control of the least margin"):
        run(searching(broken, NEAR_9))


def test_what_stands_beside_a_counterexample_refutes_too_or_is_its_hypothesis() -> None:
    false, other, true = (
        says(Verdict.REFUTED),
        says(Verdict.REFUTED),
        replace(says(Verdict.PROVED), control=""),
    )
    assert len(gather("eq-1", lambda: iter([false, other]))) == 2
    assert len(gather("eq-1", lambda: counterexample([true], false, other))) == 3
    for beside in (true, instance(true), replace(says(Verdict.UNKNOWN), control="")):
        with pytest.raises(LedgerError, match=r"^eq-1: .* refutes nothing, .*; mend it, or give it to"):
            gather("eq-1", lambda beside=beside: iter([false, beside]))
    with pytest.raises(LedgerError, match="refutes nothing"):  # of two counterexamples one that is none
        gather("eq-1", lambda: counterexample([true], false, true))


def test_the_same_search_of_what_is_false_must_be_refuted() -> None:
    true, false = (tried(f"all even, up to {n}", n < 3, n, 2) for n in (2, 3))
    assert controlled(true, false).control == "all even, up to 3"
    for found in (
        lambda: controlled(true, true),
        lambda: controlled(true, false, true),
        lambda: refutes(true),
    ):
        with pytest.raises(InputError, match="its control is not refuted: all even, up to 2"):
            found()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (says(Verdict.PROVED), "finds no counterexample, and has no control"),
        (says(Verdict.UNKNOWN), "decides nothing"),
        (replace(says(Verdict.SUPPORTED), control=""), "has no control"),
        (replace(says(Verdict.CERTIFIED), control=""), "has no control"),
    ],
)
def test_an_attack_that_searches_nothing_is_refused(found: Evidence, message: str) -> None:
    ledger = Ledger()
    add(ledger, "eq-1", Verdict.PROVED)
    ledger.attack("eq-1", domain="one sample")(lambda: iter([found]))
    with pytest.raises(LedgerError, match=f"^eq-1, attack: .*{message}"):
        run(ledger)


def test_an_attack_that_finds_a_counterexample_needs_no_control_and_one_that_loses_it_does() -> None:
    """What a counterexample rests on is shown with it; a hypothesis that fails leaves no counterexample."""
    step, against = says(Verdict.CERTIFIED, "a hypothesis"), says(Verdict.REFUTED, "the conclusion")
    for hypothesis, lost in ((step, False), (replace(step, verdict=Verdict.REFUTED), True)):
        ledger = Ledger()
        add(ledger, "eq-1", Verdict.REFUTED)
        given_ = replace(hypothesis, control="")
        ledger.attack("eq-1", domain="one case")(lambda given_=given_: counterexample([given_], against))
        if lost:
            with pytest.raises(LedgerError, match="decides nothing"):
                run(ledger)
        else:
            assert run(ledger)["eq-1"].stated is Verdict.REFUTED


# The rules of registration ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["claim", "repair", "attack", "practice"])
def test_a_label_is_used_once(what: str) -> None:
    ledger = small_ledger()
    register = {
        "claim": lambda: add(ledger, "eq-28"),
        "repair": lambda: mend(ledger, "eq-28"),
        "attack": lambda: ledger.attack("eq-28", domain="again")(check(Verdict.PROVED)),
        "practice": lambda: ledger.practice("eq-28")(lambda: iter([{}])),
    }
    with pytest.raises(LedgerError, match=f"^eq-28: {what} registered twice"):
        register[what]()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "eq 28"}, "'eq 28': a label looks like"),
        ({"label": "eq-28*"}, "'eq-28*': a label looks like"),
        ({"kind": "guess"}, "eq-1: kind='guess'; one of definition,"),
        ({"where": "somewhere"}, "eq-1: where='somewhere' names no part"),
        ({"says": "  "}, "eq-1: says is empty"),
        ({"uses": "eq-2"}, "eq-1: uses='eq-2' is a string; write a tuple, ('eq-2',)"),
        ({"assumes": "D even"}, "eq-1: assumes='D even' is a string"),
    ],
)
def test_a_bad_entry_is_refused_with_its_label(change: dict, message: str) -> None:
    entry: dict[str, Any] = {"label": "eq-1", "where": "Sec. 2", "kind": "equation", "says": "1 = 1"} | change
    ledger = Ledger()
    with pytest.raises(LedgerError, match=re.escape(message)):
        ledger.claim(entry.pop("label"), **entry)(check(Verdict.PROVED))
    assert not ledger.claims


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("Sec. 2.2, eq 7", "Section 2"),
        ("Section 3", "Section 3"),
        ("App. C, eq 28", "Appendix C"),
        ("Remark in Appendix A", "Appendix A"),
        ("Introduction", "Introduction"),
    ],
)
def test_the_part_of_the_paper_is_read_from_where(where: str, part: str) -> None:
    ledger = Ledger()
    add(ledger, "eq-1", where=where)
    assert ledger.claims["eq-1"].part == part


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda x: add(x, "eq-99", uses=("eq-98",)), "eq-99: uses 'eq-98', which is not in the ledger"),
        (lambda x: add(x, "eq-99", uses=("eq-29*",)), "eq-99: uses 'eq-29*', which has no repaired form"),
        (lambda x: mend(x, "eq-98"), "eq-98: repair for an unknown label"),
        (
            lambda x: x.attack("eq-98", domain="d")(check(Verdict.PROVED)),
            "eq-98: attack for an unknown label",
        ),
        (lambda x: x.attack("eq-29*", domain="d")(check(Verdict.PROVED)), "eq-29*: attack for an unknown"),
        (lambda x: x.practice("eq-98")(lambda: iter([{"a": 1}])), "eq-98: practice for an unknown label"),
        (lambda x: add(x, "eq-99", uses=("eq-99",)), "eq-99: cycle eq-99 -> eq-99"),
    ],
)
def test_an_unknown_label_is_an_error_that_names_it(plant: Callable[[Ledger], object], message: str) -> None:
    ledger = small_ledger()
    ledger.check()
    plant(ledger)
    with pytest.raises(LedgerError, match="^" + re.escape(message)):
        verify(workers=0, loader=lambda: ledger)


def test_a_cycle_is_shown_whole_and_a_claim_may_use_its_own_other_form() -> None:
    ledger = Ledger()
    add(ledger, "eq-1", uses=("eq-1*",))
    mend(ledger, "eq-1")
    attacked(ledger).check()
    for i, j in ((2, 3), (3, 4), (4, 2)):
        add(ledger, f"eq-{i}", uses=(f"eq-{j}",))
    with pytest.raises(LedgerError, match=re.escape("eq-2: cycle eq-2 -> eq-3 -> eq-4 -> eq-2")):
        ledger.check()


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=10), st.randoms())
@settings(max_examples=50)
def test_order_puts_what_is_used_before_what_uses_it(parents: list[list[int]], random) -> None:
    ledger, numbers = Ledger(), list(range(len(parents)))
    random.shuffle(numbers)
    for i in numbers:
        add(ledger, f"eq-{i}", uses=tuple(f"eq-{j % i}" for j in parents[i] if i))
    order = ledger.order()
    assert sorted(order) == sorted(ledger.nodes())
    for node, form in ledger.nodes().items():
        assert all(order.index(used) < order.index(node) for used in form.uses)


def test_a_claim_that_nobody_attacked_is_an_error_unless_it_asserts_nothing() -> None:
    ledger = Ledger()
    for kind in ("definition", "assumption"):
        ledger.claim(f"x-{kind}", where="Sec. 2", kind=kind, says="a word")(check(Verdict.PROVED))
    ledger.check()
    add(ledger, "eq-1")
    with pytest.raises(LedgerError, match=r"^eq-1: no attack; search for a counterexample"):
        verify(workers=0, loader=lambda: ledger)
    mend(ledger, "eq-1")
    ledger.attack("eq-1*", domain="the repaired form")(check(Verdict.SUPPORTED))
    ledger.check()


# What a check may yield ------------------------------------------------------------------------------


def infinite() -> Iterator[Evidence]:
    yield Evidence(
        "everything", Verdict.CERTIFIED, computed=0.0, radius=float("inf"), precision="128 bit ball"
    )


@pytest.mark.parametrize(
    ("yields", "message"),
    [
        (lambda: iter(()), "eq-1: no evidence; a check yields at least one"),
        (lambda: iter([True]), "eq-1: yielded bool True where Evidence is due"),
        (infinite, "radius=inf is not finite"),
        (
            lambda: iter([Evidence("a bound", Verdict.CERTIFIED, computed=1.0)]),
            "eq-1: 'a bound' is certified by balls but states no radius",
        ),
        (
            lambda: iter([Evidence("a gap", Verdict.REFUTED, computed=1.0, precision="128 bit ball")]),
            "eq-1: 'a gap' is certified by balls but states no radius",
        ),
        (
            lambda: iter([Evidence("a sum", Verdict.PROVED, computed="[1.5 +/- 2e-9]")]),
            "eq-1: 'a sum' shows a ball, so its precision is that of a ball and its radius is due",
        ),
        (
            lambda: iter([Evidence("a sum", Verdict.REFUTED, 0.0, "> [1.5 +/- 2e-9]", radius=2e-9)]),
            "eq-1: 'a sum' shows a ball, so its precision",
        ),
        (
            lambda: iter([Evidence("a", Verdict.UNKNOWN, "[1 +/- 2]", radius=2.0, precision="balls")]),
            "eq-1: 'a' shows a ball, so its precision",
        ),
        (lambda: 1 // 0, "eq-1: ZeroDivisionError in tests/proofs/test_ledger.py:"),
    ],
)
def test_bad_evidence_is_an_error_with_the_label(yields: Callable, message: str) -> None:
    ledger = Ledger()
    ledger.claim("eq-1", where="Sec. 2", kind="equation", says="1 = 1")(yields)
    with pytest.raises(LedgerError, match=re.escape(message)) as caught:
        run(ledger)
    assert str(caught.value).startswith("eq-1: ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda: iter(()), "eq-1, practice: no row"),
        (lambda: iter([{"base": flint.arb(1)}]), "eq-1, practice: base=1.0"),
        (lambda: iter([{"range": (1, 2)}]), "eq-1, practice: range=(1, 2) is a tuple, not a plain value"),
        (lambda: iter([{}[0]]), "eq-1, practice: KeyError"),
    ],
)
def test_practice_rows_hold_plain_values(rows: Callable, message: str) -> None:
    ledger = Ledger()
    add(ledger, "eq-1")
    ledger.practice("eq-1")(rows)
    with pytest.raises(LedgerError, match=re.escape(message)):
        run(ledger)


def test_every_check_starts_at_the_ledgers_precision_and_leaves_none_behind() -> None:
    ledger, seen = Ledger(), []

    def leaks() -> Iterator[Evidence]:
        seen.append(flint.ctx.prec)
        flint.ctx.prec = 999
        yield says(Verdict.PROVED)

    ledger.claim("eq-1", where="Sec. 2", kind="step", says="one")(leaks)
    ledger.claim("eq-2", where="Sec. 2", kind="step", says="two")(leaks)
    before = flint.ctx.prec
    run(ledger)
    assert seen == [128, 128]
    assert flint.ctx.prec == before


# How verdicts are derived ----------------------------------------------------------------------------


@given(evidences, st.randoms())
def test_the_verdict_of_several_facts_is_the_rule_in_words(found: list[Verdict], random) -> None:
    verdict = weakest(found)
    if Verdict.REFUTED in found:
        assert verdict is Verdict.REFUTED
    elif Verdict.UNKNOWN in found:
        assert verdict is Verdict.UNKNOWN
    else:
        assert verdict is next(v for v in reversed(GOOD) if v in found)
    shuffled = list(found)
    random.shuffle(shuffled)
    assert weakest(shuffled) is verdict
    assert weakest([*found, verdict]) is verdict


@given(evidences, evidences)
def test_an_attack_changes_no_verdict_and_refutes_nothing_that_the_check_does_not(
    found: list[Verdict], hits: list[Verdict]
) -> None:
    evidence, attack = [says(v) for v in found], [says(v, "a counterexample") for v in hits]
    plain = own_verdict("eq-1", evidence)
    if Verdict.REFUTED not in hits or plain is Verdict.REFUTED:
        assert own_verdict("eq-1", evidence, attack) is plain
    else:
        with pytest.raises(
            LedgerError,
            match=f"eq-1: {plain} by its check, yet its attack found a counterexample: a count",
        ):
            own_verdict("eq-1", evidence, attack)


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Verdict)), st.lists(st.integers(0, 30), max_size=3)),
        min_size=1,
        max_size=9,
    )
)
@settings(max_examples=100)
def test_ancestors_limit_a_verdict_and_never_raise_it(graph: list) -> None:
    ledger, strength = Ledger(), (*GOOD, Verdict.UNKNOWN)
    for i, (own, parents) in enumerate(graph):
        add(ledger, f"eq-{i}", own, uses=tuple(f"eq-{j % i}" for j in parents if i))
    own = {f"eq-{i}": verdict for i, (verdict, _) in enumerate(graph)}
    final = settle(ledger, own)
    for node, (verdict, reason) in final.items():
        uses = ledger.nodes()[node].uses
        if own[node] is Verdict.REFUTED:
            assert verdict is Verdict.REFUTED
            continue
        assert verdict is not Verdict.REFUTED
        assert strength.index(verdict) >= strength.index(own[node])
        above = [final[used][0] for used in uses]
        if own[node] is not Verdict.UNKNOWN and Verdict.REFUTED in above:
            assert verdict is Verdict.UNKNOWN
            assert reason.startswith("broken proof: uses ")
            assert any(used in reason for used in uses if final[used][0] is Verdict.REFUTED)
        elif own[node] is not Verdict.UNKNOWN:
            assert verdict is max((own[node], *above), key=strength.index)
        # proved means proved all the way up
        lineage = ledger.order([node])
        assert (verdict is Verdict.PROVED) == all(own[a] is Verdict.PROVED for a in lineage)
        assert bool(reason) == (verdict is not own[node])


def test_a_proof_that_uses_a_refuted_claim_is_broken_and_its_repair_mends_it() -> None:
    found = run(small_ledger())
    assert found["lem-C.1"].stated is Verdict.REFUTED
    assert found["lem-C.1"].repaired is Verdict.CERTIFIED
    broken = found["eq-28"].as_stated
    assert (broken.own, broken.verdict) == (Verdict.PROVED, Verdict.UNKNOWN)
    assert broken.reason == "broken proof: uses lem-C.1, refuted"
    assert found["eq-28"].repaired is Verdict.CERTIFIED
    assert found["eq-30"].stated is Verdict.SUPPORTED
    assert found["eq-30"].as_stated.reason == "no stronger than eq-29, supported"


def test_an_independent_proof_survives_the_refuted_step_of_the_printed_one() -> None:
    ledger = small_ledger()
    add(ledger, "thm-2.2", uses=("def-1", "lem-C.1*"))
    assert run(ledger)["thm-2.2"].stated is Verdict.CERTIFIED


@pytest.mark.parametrize(("label", "verdict"), [("eq-29", "supported"), ("def-1", "proved")])
def test_an_attack_that_finds_a_counterexample_which_the_check_does_not_is_an_error(
    label: str, verdict: str
) -> None:
    ledger = bare_ledger()
    ledger.attack(label, domain="everywhere")(check(Verdict.SUPPORTED, Verdict.REFUTED))
    with pytest.raises(LedgerError, match=rf"^{label}: {verdict} by its check, yet its attack found"):
        run(ledger)


# Running ---------------------------------------------------------------------------------------------


def without_seconds(results: list[Result]) -> list[tuple]:
    return [(r.label, r.stated, r.repaired, r.evidence, r.practice, r.as_stated.attack) for r in results]


def test_processes_and_this_one_give_the_same_results_in_the_ledgers_order() -> None:
    calls: list[tuple[int, int, str]] = []
    there = verify(workers=2, loader=small_ledger, progress=lambda *call: calls.append(call))
    here = verify(workers=0, loader=small_ledger)
    assert without_seconds(there) == without_seconds(here)
    assert [result.label for result in there] == ["def-1", "lem-C.1", "eq-28", "eq-29", "eq-30"]
    # 5 claims, 2 repairs, 6 attacks, 1 practice
    assert [done for done, _, _ in calls] == list(range(1, 15))
    assert {total for _, total, _ in calls} == {14}
    first = there[2]
    assert first.practice == ({"base": 10_000, "near range empty": True},)
    assert first.place.startswith("tests/proofs/test_ledger.py:")
    assert all(result.seconds > 0 for result in there)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_check_reaches_the_caller_with_its_label(workers: int) -> None:
    with pytest.raises(
        LedgerError, match=r"^eq-66: ZeroDivisionError in tests/proofs/test_ledger.py:\d+: planted"
    ):
        verify(workers=workers, loader=failing_ledger)


def test_some_labels_run_with_what_they_use_and_nothing_else() -> None:
    ran: list[str] = []
    results = verify(["eq-28"], workers=0, loader=failing_ledger, progress=lambda *call: ran.append(call[2]))
    assert [result.label for result in results] == ["eq-28"]
    assert set(ran) == {"def-1", "lem-C.1", "lem-C.1*", "eq-28", "eq-28*"}
    assert results[0].as_stated.reason == "broken proof: uses lem-C.1, refuted"


def test_verify_refuses_what_it_cannot_run() -> None:
    with pytest.raises(
        InputError, match=re.escape("no claim is called eq-98; did you mean eq-29, eq-28 or eq-30?")
    ):
        verify(["eq-98"], workers=0, loader=small_ledger)
    with pytest.raises(InputError, match=re.escape("labels='eq-28' is a string; give a list, ['eq-28']")):
        verify("eq-28", workers=0, loader=small_ledger)
    with pytest.raises(InputError, match=r"workers=-1; give a number of processes"):
        verify(workers=-1, loader=small_ledger)


# Status ----------------------------------------------------------------------------------------------


@pytest.fixture
def results() -> list[Result]:
    return verify(workers=0, loader=small_ledger)


def test_the_table_has_one_row_a_claim_and_numbers_alone_are_unknown(results: list[Result]) -> None:
    rows = status.claim_rows(results)
    assert [set(row) for row in rows] == [{"label", "where", "stated", "repaired", "evidence", "seconds"}] * 5
    by = {row["label"]: row for row in rows}
    assert by["eq-29"]["stated"] == "unknown: supported by numbers only"
    assert by["eq-28"]["stated"] == "unknown: broken proof: uses lem-C.1, refuted"
    assert by["eq-28"]["repaired"] == "certified"
    assert by["def-1"]["repaired"] is None
    assert by["lem-C.1"]["evidence"] == "exact / repaired: exact, radius 1.1e-30"
    assert json.loads(json.dumps(rows)) == rows


def test_a_radius_is_printed_rounded_up() -> None:
    item = Evidence("x", Verdict.CERTIFIED, computed=1.25, radius=1.01e-7, precision="128 bit ball")
    assert status.evidence_text(item) == "x: 1.25 (128 bit ball, radius 1.1e-7)"


def test_status_md_is_the_same_whatever_the_time_and_reads_back_without_a_difference(
    results: list[Result], tmp_path: Path
) -> None:
    path = tmp_path / "STATUS.md"
    text = status.status_markdown(results)
    path.write_text(text, encoding="utf-8")
    assert status.status_markdown([replace(result, seconds=99.0) for result in results]) == text
    assert status.compare(results, path) == []
    parts = re.findall("^## (.*)$", text, re.MULTILINE)
    assert parts == ["Verdicts", "Notation", "Section 2", "Appendix C", "Appendix E", "Classical theorems"]
    assert "| refuted | 1 | 0 |" in text
    assert "attacked over `edges | first`: 1 supported" in text
    assert "As stated, **unknown: supported by numbers only**: eq-29 holds" in text
    assert "\n- uses: [`lem-C.1*`](#lem-c1)\n- argument: 2\\*x \\<y, a_i\n" in text
    assert "\n**Proof.** $1 = 1$.\n\nSo it is.\n" in text
    assert "- [Appendix C](#appendix-c): [`eq-28`](#eq-28), [`eq-29`](#eq-29), [`eq-30`](#eq-30)\n" in text


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("(#lem-c1) | step | refuted |", "(#lem-c1) | step | proved |", "lem-C.1: as stated 'refuted'"),
        ("refuted | certified |", "refuted | - |", "lem-C.1: as repaired 'certified', STATUS.md says '-'"),
        ("| [`eq-29`]", "| [`eq-92`]", "eq-29: not in STATUS.md"),
        ("| [`eq-29`]", "| [`eq-92`]", "eq-92: in STATUS.md, not in the ledger"),
        ("uses lem-C.1, refuted", "uses lem-C.2, refuted", "eq-28: as stated"),
    ],
)
def test_a_stale_status_md_is_seen(
    results: list[Result], tmp_path: Path, old: str, new: str, difference: str
) -> None:
    path = tmp_path / "STATUS.md"
    text = status.status_markdown(results)
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    found = status.compare(results, path)
    assert any(line.startswith(difference) for line in found)
    # a part of the ledger says nothing of the rest
    part = [result for result in results if result.label == "def-1"]
    assert status.compare(part, path, whole=False) == []
    assert len(status.compare(part, path)) == 4


def test_a_missing_status_md_is_a_difference(results: list[Result], tmp_path: Path) -> None:
    assert status.compare(results, tmp_path / "none.md") == [
        f"{tmp_path / 'none.md'} does not exist; write it from the whole ledger"
    ]


def test_the_graph_is_coloured_by_rule(results: list[Result]) -> None:
    found = json.loads(json.dumps(status.graph(results)))
    node = {item["id"]: item for item in found["nodes"]}
    colour = status.COLOURS
    assert (node["lem-C.1"]["border"], node["lem-C.1"]["fill"]) == (colour[Verdict.REFUTED],) * 2
    # a sound step on broken ground: its own evidence is a proof, the whole is not
    assert node["eq-28"]["border"] == colour[Verdict.PROVED]
    assert node["eq-28"]["fill"] == colour[Verdict.UNKNOWN]
    assert node["eq-29"]["fill"] == colour[Verdict.SUPPORTED] == "#8C8C8C"
    assert node["eq-30"]["fill"] == "#8C8C8C"
    assert len(set(colour.values())) == len(Verdict)
    edges = {(edge["source"], edge["target"]): edge for edge in found["edges"]}
    assert set(edges) == {
        ("def-1", "lem-C.1"),
        ("def-1", "lem-C.1*"),
        ("lem-C.1", "eq-28"),
        ("lem-C.1*", "eq-28*"),
        ("eq-29", "eq-30"),
        ("lem-C.1", "lem-C.1*"),
        ("eq-28", "eq-28*"),
    }
    assert [pair for pair, edge in edges.items() if edge["broken"]] == [("lem-C.1", "eq-28")]
    assert edges["eq-28", "eq-28*"]["kind"] == "repairs"
    part = status.graph([result for result in results if result.label == "eq-30"])
    assert part["edges"] == []


def test_explain_tells_everything_there_is(results: list[Result]) -> None:
    text = status.explain(next(result for result in results if result.label == "eq-28"))
    for piece in (
        "eq-28 (step, App. C)",
        "As stated: unknown: broken proof: uses lem-C.1, refuted",
        "says: eq-28 holds, mended",
        "uses: lem-C.1*",
        "argument: 2*x <y, a_i",
        "proof: $1 = 1$.",
        "proof: So it is.",
        "proved: a fact: 1 against 1 (exact)",
        "attack: edges | first",
        "code: tests/proofs/test_ledger.py:",
        "in practice: base = 10000, near range empty = True",
    ):
        assert piece in text


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("thm-9", "did you mean thm-3.3, thm-3.2 or thm-2.3?"),
        ("thm2.1", "did you mean thm-2.1, thm-2.3 or thm-2.2?"),
        ("lem-c1", "did you mean lem-C.1, lem-ci or lem-cin?"),
        ("fig-2", "did you mean fig-1 or fig-1.zero?"),
        ("nonsense", "proofs/STATUS.md lists them all"),
    ],
)
def test_an_unknown_label_is_answered_with_the_nearest(unknown: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"^no claim is called {unknown}; {re.escape(meant)}$"):
        verify([unknown], workers=0)


def test_the_order_names_every_claim_once_and_no_other() -> None:
    ledger = small_ledger()
    ledger.arrange(["eq-28", "def-1", "eq-30", "eq-29", "lem-C.1"])
    assert list(ledger.claims) == ["eq-28", "def-1", "eq-30", "eq-29", "lem-C.1"]
    for labels in (["def-1"], [*ledger.claims, "eq-99"], [*ledger.claims, "def-1"]):
        with pytest.raises(LedgerError, match=r"see proofs/paper/__init__\.py$"):
            ledger.arrange(labels)


def test_the_projects_own_ledger_keeps_the_rules() -> None:
    ledger = load()
    ledger.check()
    assert load() is ledger
    assert tuple(ledger.claims) == paper.LABELS
    for part, labels in paper.READING_ORDER.items():
        assert {ledger.claims[label].part for label in labels} == {part}


def test_tex_stands_between_dollars_and_headings_have_an_anchor_each() -> None:
    """What is no TeX has no backslash; a dollar without its partner would swallow the rest of a page."""
    ledger = load()
    for node, form in ledger.nodes().items():
        for text in (form.says, *form.assumes, *form.proof.split("\n\n")):
            pieces = text.split("$")
            assert len(pieces) % 2 == 1, (node, text)
            assert "\\" not in "".join(pieces[::2]), (node, text)
            assert all(piece.strip() == piece != "" for piece in pieces[1::2]), (node, text)
    anchors = [status.anchor(heading) for heading in (*paper.LABELS, *paper.READING_ORDER, "Notation")]
    assert len(set(anchors)) == len(anchors)


def test_a_written_proof_rests_on_no_claim_that_the_form_does_not_use() -> None:
    """Else a refutation of what it cites would leave it standing; "the proof of" a claim is cited for its method."""
    ledger = load()
    nodes = ledger.nodes()
    proofs = {node: " ".join(form.proof.split()) for node, form in nodes.items() if form.proof}
    assert len(proofs) >= 29
    for node, proof in proofs.items():
        assert set(re.findall(r"`([^`]+)`", proof)) <= nodes.keys(), node
        rests = set(re.findall(r"`([^`]+)`", re.sub(r"proof of `[^`]+`", "", proof)))
        assert rests <= above(node, nodes), node


def above(node: str, nodes: dict[str, Form]) -> set[str]:
    """All that a form uses, and what these use in turn."""
    found: set[str] = set()
    for used in nodes[node].uses:
        found |= {used} | above(used, nodes)
    return found
