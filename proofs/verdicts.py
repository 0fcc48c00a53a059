"""Verdicts are derived, never typed: from a form's own evidence, from its attack, and from what it uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.evidence import Evidence, Verdict
from proofs.ledger import REPAIRED, Ledger, LedgerError

_STRENGTH = (Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.UNKNOWN, Verdict.REFUTED)


def weakest(verdicts: Iterable[Verdict]) -> Verdict:
    """Verdict of several facts: any REFUTED, else any UNKNOWN, else the weakest; of none at all, UNKNOWN."""
    return max(verdicts, key=_STRENGTH.index, default=Verdict.UNKNOWN)


def own_verdict(node: str, evidence: Sequence[Evidence], attack: Sequence[Evidence] = ()) -> Verdict:
    """Verdict of a form's own evidence; a counterexample found by the attack refutes it.

    `LedgerError` if the evidence says proved or certified and the attack refuted: a contradiction.
    """
    verdict = weakest(item.verdict for item in evidence)
    hits = [item.what for item in attack if item.verdict is Verdict.REFUTED]
    if hits and verdict in (Verdict.PROVED, Verdict.CERTIFIED):
        raise LedgerError(f"{node}: {verdict}, yet its attack found a counterexample: {hits[0]}")
    return Verdict.REFUTED if hits else verdict


def settle(ledger: Ledger, own: dict[str, Verdict]) -> dict[str, tuple[Verdict, str]]:
    """Verdict and reason of each node of `own`, ancestors taken into account.

    `own` maps a node to the verdict of its own evidence, and holds with each node all that it uses. The
    reason is empty where the node's own evidence decides, and names the ancestor otherwise.
    """
    nodes, final = ledger.nodes(), {}
    for node in ledger.order({node.removesuffix(REPAIRED) for node in own}):
        if node in own:
            final[node] = _limited(own[node], {used: final[used][0] for used in nodes[node].uses})
    return final


def _limited(own: Verdict, used: dict[str, Verdict]) -> tuple[Verdict, str]:
    """A verdict limited by those of what was used. A refutation needs no ancestor and stands."""
    if own in (Verdict.REFUTED, Verdict.UNKNOWN):
        return own, ""
    broken = [node for node, verdict in used.items() if verdict is Verdict.REFUTED]
    if broken:
        return Verdict.UNKNOWN, f"broken proof: uses {', '.join(broken)}, refuted"
    limit = weakest((own, *used.values()))
    if limit is own:
        return own, ""
    names = ", ".join(node for node, verdict in used.items() if verdict is limit)
    return limit, f"no stronger than {names}, {limit}"
