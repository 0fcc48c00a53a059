"""The ledger's tools give the known answers, and an error in any of them is seen before a claim is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flint import arb

from analysis.evidence import Verdict
from proofs import balls, checks, exact, gaussian_tokens, integrals, known_answers, statements, subdivision
from proofs.known_answers import GROUPS, wrong_answers
from proofs.ledger import LedgerError, load
from proofs.verify import check_rules


def test_every_tool_answers_what_is_known() -> None:
    assert wrong_answers() == []


def wrong_less(a: balls.Real, b: balls.Real) -> bool | None:
    return balls.ball(a).mid() < balls.ball(b).mid()


def proves_all(what: str, *_: Any, **__: Any) -> Any:
    return checks.exact(what, True, 1, 1)


def always(answer: Any) -> Callable[..., Any]:
    return lambda *_, **__: answer


SINE_SLOPE = integrals.RopeSums.sin_slope
ERRORS: list[tuple[Any, str, Any, str]] = [
    (balls, "less", wrong_less, "balls: less"),
    (balls, "verdict", always(Verdict.CERTIFIED), "balls: verdicts"),
    (checks, "equality", proves_all, "identities: identities"),
    (exact, "identity", lambda _, __, what, **___: proves_all(what), "identities: identities"),
    (checks, "rises", proves_all, "inequalities: rises"),
    (checks, "termwise", proves_all, "inequalities: termwise"),
    (checks, "at_least", lambda what, *_: proves_all(what), "converses: at least"),
    (checks, "near_integers", always(range(2, 4)), "inequalities: integers"),
    (checks.Distances, "at", always(arb(0)), "scans: one by one"),
    (checks.Point, "least_epsilon", always(arb(1)), "lemma_points: least epsilon"),
    (exact, "power_of", always(1), "numbers: no answer: degree of 8^(1/3)"),
    (exact, "_finite_terms", always([]), "numbers: the number Sum"),
    (integrals.RopeSums, "sin_slope", lambda sums, x: -SINE_SLOPE(sums, x), "rope_sums: sin_slope"),
    (statements.Variable, "holds", always(True), "ranges: open"),
    (statements.Conclusion, "holds", always(True), "relations: < 1"),
    (statements.Statement, "admits", always(True), "statements: attacks"),
    (subdivision, "covers", proves_all, "boxes: ranges that cover"),
    (gaussian_tokens.GaussianTokens, "cross_terms", always(0), "tokens: squares"),
]


@pytest.mark.parametrize(("owner", "name", "wrong", "seen"), ERRORS, ids=[f"{row[1]}" for row in ERRORS])
def test_an_error_in_a_tool_is_seen(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, wrong: Any, seen: str
) -> None:
    """Only the group of that tool is asked, which is quick; one that refuses to answer is wrong too."""
    monkeypatch.setattr(owner, name, wrong)
    group = next(one for one in GROUPS if one.__name__ == f"_{seen.partition(':')[0]}")
    monkeypatch.setattr(known_answers, "GROUPS", (group,))
    assert any(line.startswith(seen) for line in wrong_answers())


def test_the_ledger_is_refused_where_a_tool_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = load()
    monkeypatch.setattr(known_answers, "GROUPS", (known_answers._boxes,))
    check_rules(ledger)
    monkeypatch.setattr(subdivision, "covers", proves_all)
    with pytest.raises(LedgerError, match=r"^a tool is wrong, and proves nothing: boxes: ranges that cover"):
        check_rules(ledger)
    check_rules(ledger, tools=False)
    claim = ledger.claims["eq-55"]
    ledger.claims["eq-55"] = replace(claim, stated=replace(claim.stated, cites=()))
    try:
        with pytest.raises(LedgerError, match="eq-55: "):
            check_rules(ledger, tools=False)
    finally:
        ledger.claims["eq-55"] = claim
