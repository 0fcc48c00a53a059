"""What many trained models say together: does what the mean score does beyond L go with the rise of the loss?

Correlations are Spearman's, over runs. Runs of one variant share almost everything, so three numbers are given:

over runs         every run counts alike; its interval draws whole variants, the least that can be called independent;
within methods    of ranks less their method's mean rank: what is left when the choice of method is taken out;
of each method    that has enough runs.

A correlation is no cause. What scores with the bias taken away do to the loss is: `altered`, pooled over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from analysis.heads.beyond import KINDS
from analysis.heads.bias_run import OBSERVED
from analysis.lm.bootstrap import LEVEL, over_seeds

RESAMPLES = 2000
FEWEST, DRAWN = 5, 8  # runs for a correlation; runs or variants that are drawn, for its interval

Numbers = dict[str, Any]
Values = Float[np.ndarray, " runs"]
Codes = Int[np.ndarray, " runs"]


def summarise(rows: Mapping[str, Numbers], chosen: Mapping[str, float], *, seed: int) -> Numbers:
    """Correlations of what was observed with the rise of the loss, and what comes back when scores are altered.

    Only runs from scratch, all read at the same multiple of one trained length, are correlated.

    Args:
        rows: by run.
        chosen: learning rate at which each variant is read.
        seed: of the bootstraps.

    Returns:
        chosen: of the variants that have rows; runs: how many are correlated; correlations: for each observed
        number; altered: for each variant, way and length.
    """
    named = sorted({found["variant"] for found in rows.values()})
    chosen = {variant: chosen[variant] for variant in named if variant in chosen}
    scratch = [found for found in rows.values() if found["parent"] is None]
    return {
        "chosen": chosen,
        "runs": len(scratch),
        "correlations": {name: correlations(scratch, name, seed=seed) for name in OBSERVED},
        "altered": pooled(rows, chosen),
    }


def correlations(runs: Sequence[Numbers], name: str, *, seed: int) -> Numbers:
    """Spearman correlations of one observed number with the rise of the loss; None where too little is known."""
    known = [found for found in runs if found["observed"][name] is not None]
    x, y = (
        np.array([value(found) for found in known], dtype=np.float64)
        for value in (lambda found: found["observed"][name], lambda found: found["rise"])
    )
    methods, variants = ([found[key] for found in known] for key in ("method", "variant"))
    each = {}
    for method in sorted(set(methods)):
        own = np.array([m == method for m in methods])
        if own.sum() >= FEWEST:
            each[method] = _estimate(x[own], y[own], np.arange(int(own.sum())), None, seed)
    return {
        "over_runs": _estimate(x, y, _codes(variants), None, seed),
        "within_methods": _estimate(x, y, np.arange(len(x)), _codes(methods), seed),
        "each_method": each,
    }


def spearman(x: Values, y: Values, groups: Codes | None = None) -> float:
    """Correlation of ranks, nan where one does not vary; with groups, of ranks less their group's mean."""
    return float(_spearman(np.ones((1, len(x))), x, y, groups)[0])


def _spearman(
    counts: Float[np.ndarray, "draws runs"], x: Values, y: Values, groups: Codes | None
) -> Float[np.ndarray, " draws"]:
    """The same of many draws at once, in each of which a run occurs so many times.

    The rank of a value is the number of those below it, and half of those equal to it and one: a product of counts with
    a matrix of comparisons.
    """
    ranks = []
    for values in (x, y):
        below = (values[:, None] < values) + (values[:, None] == values) / 2.0  # [other, own]
        ranks.append(counts @ below + 0.5)
    member = np.ones((len(x), 1)) if groups is None else np.eye(int(groups.max()) + 1)[groups]
    sizes = np.maximum(counts @ member, 1)
    a, b = (r - ((counts * r) @ member / sizes) @ member.T for r in ranks)
    product, square_a, square_b = ((counts * u * v).sum(axis=1) for u, v in ((a, b), (a, a), (b, b)))
    size = np.sqrt(square_a * square_b)
    varies = size > 1e-9 * counts.sum(axis=1)
    return np.divide(product, size, out=np.full(len(counts), np.nan), where=varies)


def _estimate(x: Values, y: Values, clusters: Codes, groups: Codes | None, seed: int) -> Numbers | None:
    """Value, percentile interval over clusters drawn with replacement, and how many runs and clusters there are."""
    count = len(np.unique(clusters))
    if len(x) < FEWEST or not np.isfinite(value := spearman(x, y, groups)):
        return None
    found: Numbers = {"value": value, "runs": len(x), "clusters": count, "low": None, "high": None}
    if count < DRAWN:
        return found
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    drawn = _spearman(times[:, clusters].astype(np.float64), x, y, groups)
    known = drawn[np.isfinite(drawn)]
    if len(known) >= RESAMPLES // 2:  # else the draws hardly ever vary
        found["low"], found["high"] = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return found


def pooled(rows: Mapping[str, Numbers], chosen: Mapping[str, float]) -> dict[str, list[Numbers]]:
    """For each variant at its chosen rate, way and length: means over seeds, with Student's t intervals.

    bits come back (`back`) of those lost beyond L (`lost`), what is left lost (`left`), and the share that comes back
    (`share`, None where a model lost nothing), each with its ends. `seeds` says how many.
    """
    found: dict[str, list[Numbers]] = {}
    for variant, lr in chosen.items():
        runs = [r for r in rows.values() if (r["variant"], r["lr"]) == (variant, lr) and r["altered"]]
        cells = {(a["kind"], a["length"]) for r in runs for a in r["altered"]}
        for kind, length in sorted(cells, key=lambda cell: (cell[1], KINDS.index(cell[0]))):
            same = [a for r in runs for a in r["altered"] if (a["kind"], a["length"]) == (kind, length)]
            bits = [a["bits_per_byte"] for a in same]
            backs = np.array([b["plain"] - b["altered"] for b in bits])
            losses = np.array([b["plain"] - b["trained"] for b in bits])
            found.setdefault(variant, []).append(
                {
                    "kind": kind,
                    "length": length,
                    "seeds": len(same),
                    "back": _pooled(backs),
                    "lost": _pooled(losses),
                    "left": _pooled(losses - backs),
                    "share": _pooled(backs / losses) if (losses > 0).all() else None,
                }
            )
    return found


def _codes(names: Sequence[str]) -> Codes:
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1]


def _pooled(values: Float[np.ndarray, " seeds"]) -> list[float | None]:
    """Mean over seeds and the ends of its interval; None for the ends with a single seed."""
    found = over_seeds(values)
    return [value if np.isfinite(value) else None for value in (found.value, found.low, found.high)]
