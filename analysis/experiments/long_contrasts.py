"""The primary endpoint of the long-range experiment: two methods at 8L at equal loss at L.

It was fixed before the runs (`at_equal_loss`). Every run that has ended is a point (loss at L, loss at 8L) of its
method's frontier, the lower convex hull of the points of one seed; the losses are compared where the worse of the two
methods is best. Seeds have different runs until the ladder is finished, and a frontier of more runs is lower: several
are pooled over the rates and horizons that all of them have. Over seeds: Student's t, and Holm's rule over the primary
contrasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from scipy import stats

from analysis.experiments.long_plan import CONTRASTS, FAR, Ladder, LongRun
from analysis.experiments.long_readings import (
    Row,
    apart,
    best_runs,
    bits_at,
    ends_named,
    item_at,
    over_bytes,
    pooled,
)
from analysis.experiments.results import NAT
from analysis.experiments.run_record import Content
from analysis.intervals import LEVEL, Interval, detectable, holm, over_seeds
from analysis.settings import FEWEST
from analysis.training.variants import label

Points = Float64[np.ndarray, "_ 2"]
"""Of each run the loss at L and at 8L, bits a byte."""
Runs = Mapping[LongRun, Content]


# The frontier of a method, and two of them at equal loss.


def frontier(points: Points) -> Points:
    """The lower convex hull of a method's runs, from its best loss at L to its worst.

    A point between two corners is what a draw between these two runs has on average.

    >>> frontier(np.array([[1.0, 3.0], [2.0, 1.0], [1.5, 3.0], [3.0, 2.0]])).tolist()
    [[1.0, 3.0], [2.0, 1.0], [3.0, 2.0]]

    Args:
        points: at least one.
    """
    hull: list[tuple[float, float]] = []
    lowest: dict[float, float] = {}
    for x, y in points.tolist():
        lowest[x] = min(y, lowest.get(x, math.inf))
    for x, y in sorted(lowest.items()):
        while len(hull) > 1 and _turns_right(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return np.array(hull)


def _turns_right(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Does b lie on or above the line from a to c?"""
    return (b[0] - a[0]) * (c[1] - a[1]) <= (c[0] - a[0]) * (b[1] - a[1])


def at_equal_loss(one: Points, other: Points) -> tuple[float, float, float] | None:
    """Two methods' losses at 8L at equal loss at L: where the worse one of the two is best.

    >>> falling, flat = np.array([[1.0, 4.0], [2.0, 2.0]]), np.array([[1.5, 2.5], [2.5, 2.5]])
    >>> at_equal_loss(falling, flat)  # at 1.5 bits a byte the first has 3 at 8L
    (1.5, 3.0, 2.5)

    Returns:
        The loss at L, and both losses at 8L; None if no loss at L is reached by both frontiers.
    """
    hulls = frontier(one), frontier(other)
    x = max(hull[0, 0] for hull in hulls)
    if any(x > hull[-1, 0] for hull in hulls):
        return None
    first, second = (float(np.interp(x, hull[:, 0], hull[:, 1])) for hull in hulls)
    return float(x), first, second


def _corners(points: Points, at: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """The two runs between which a frontier is read at a loss at L; twice one where it is read at a run."""
    hull = frontier(points)
    end = min(int(np.searchsorted(hull[:, 0], at, side="right")), len(hull) - 1)
    first, last = hull[max(end - 1, 0)], hull[end]
    if first[0] == at:
        last = first
    return (float(first[0]), float(first[1])), (float(last[0]), float(last[1]))


def between(one: Points, other: Points) -> tuple[float, float]:
    """The least and the greatest difference at 8L if where it is interpolated a frontier lies between its two runs.

    >>> falling, flat = np.array([[1.0, 4.0], [2.0, 2.0]]), np.array([[1.5, 2.5], [2.5, 2.5]])
    >>> between(falling, flat)
    (-0.5, 1.5)

    Args:
        one, other: of which `at_equal_loss` is not None.
    """
    found = at_equal_loss(one, other)
    assert found is not None
    first, second = ([y for _, y in _corners(points, found[0])] for points in (one, other))
    return min(first) - max(second), max(first) - min(second)


def equal_loss_over_documents(one: Sequence[Content], other: Sequence[Content], plan: Ladder) -> Interval:
    """The difference of `at_equal_loss` between two methods' runs of one seed, with its interval over documents.

    The loss at L at which both are read depends on the documents as well: of each is taken off what it moves along the
    frontier that is interpolated there, which over all of them is 0.
    """
    pair = [(runs, _points(runs, plan)) for runs in (one, other)]
    ahead, behind = sorted(pair, key=lambda method: method[1][:, 0].min())
    at = float(behind[1][:, 0].min())
    (x0, y0), (x1, y1) = _corners(ahead[1], at)
    share, slope = ((at - x0) / (x1 - x0), (y1 - y0) / (x1 - x0)) if x1 > x0 else (0.0, 0.0)

    def by_document(method: tuple[Sequence[Content], Points], corner: tuple[float, float]) -> Points:
        runs, points = method
        content = runs[int(np.flatnonzero((points == corner).all(axis=1))[0])]
        return (
            np.array([item_at(content, "none", n)["nats"] for n in (plan.length, FAR * plan.length)]).T * NAT
        )

    first, last = (by_document(ahead, corner) for corner in ((x0, y0), (x1, y1)))
    gap = by_document(behind, tuple(frontier(behind[1])[0])) - (1 - share) * first - share * last
    sums = (gap[:, 1] - slope * gap[:, 0]) * (1 if behind is pair[0] else -1)
    return over_bytes(sums, one[0])


# From records to rows.


def points_of(ended: Runs, variant: str, corpus: str, plan: Ladder) -> dict[int, Points]:
    """Points of a method's frontier by seed: its runs from scratch at every rate and horizon, of the corpus's size."""
    return {
        seed: _points(runs.values(), plan)
        for seed, runs in _of_frontier(ended, variant, corpus, plan).items()
    }


def _of_frontier(ended: Runs, variant: str, corpus: str, plan: Ladder) -> dict[int, dict[LongRun, Content]]:
    """By seed the runs that are points of a method's frontier."""
    found: dict[int, dict[LongRun, Content]] = {}
    wanted = (variant, corpus, "scratch", plan.size_of(corpus))
    for run, content in ended.items():
        if (run.variant, run.corpus, run.kind, run.size) != wanted:
            continue
        if None not in (bits_at(content, length) for length in (plan.length, FAR * plan.length)):
            found.setdefault(run.seed, {})[run] = content
    return dict(sorted(found.items()))


def _points(runs: Iterable[Content], plan: Ladder) -> Points:
    lengths = (plan.length, FAR * plan.length)
    return np.array([[bits_at(content, length) for length in lengths] for content in runs], float)


def frontiers(ended: Runs, plan: Ladder) -> dict[str, dict[str, dict[str, list[list[float]]]]]:
    """Corners of each seed's frontier, by corpus and the method's label."""
    found: dict[str, dict[str, dict[str, list[list[float]]]]] = {}
    for corpus, variant in dict.fromkeys((run.corpus, run.variant) for run in ended if run.kind == "scratch"):
        corners = points_of(ended, variant, corpus, plan)
        found.setdefault(corpus, {})[label(variant)] = {
            str(seed): frontier(points).tolist() for seed, points in corners.items()
        }
    return found


def contrasts(ended: Runs, plan: Ladder) -> list[Row]:
    """Rows of the primary contrasts, of each seed and of all together, as `long_readings.seed_sets`."""
    rows = [
        row
        for corpus in dict.fromkeys(run.corpus for run in plan.runs())
        for one, other in CONTRASTS
        for row in _contrast(one, other, corpus, ended, plan)
    ]
    for corpus in {row["corpus"] for row in rows}:
        mine = [row for row in rows if row["corpus"] == corpus and row["p"] is not None]
        # those without a p-value yet belong to the family all the same
        p = np.array([row["p"] for row in mine] + [1.0] * (len(CONTRASTS) - len(mine)))
        for row, adjusted in zip(mine, holm(p).tolist(), strict=False):
            row["p_holm"] = adjusted
    return rows


def _contrast(one: str, other: str, corpus: str, ended: Runs, plan: Ladder) -> Iterator[Row]:
    mine, theirs = (_of_frontier(ended, variant, corpus, plan) for variant in (one, other))
    best = [best_runs(ended, variant, corpus, plan) for variant in (one, other)]
    here = ("none", plan.length)
    head: Row = {
        "corpus": corpus, "variant": one, "against": other, "label": label(one), "against_label": label(other),
    }  # fmt: skip
    shared = [seed for seed in mine if seed in theirs]
    near = {seed: apart(best[0][seed], here, best[1][seed], here) for seed in best[0] if seed in best[1]}
    for seed in shared:
        yield head | _of_seed(
            seed, list(mine[seed].values()), list(theirs[seed].values()), near.get(seed), plan
        )
    found = {
        seed: point
        for seed in shared
        if (point := at_equal_loss(*(_points(runs[seed].values(), plan) for runs in (mine, theirs))))
    }
    if len(found) < FEWEST:
        return
    alike = [_alike({seed: runs[seed] for seed in found}) for runs in (mine, theirs)]
    if all(runs[seed] for runs in alike for seed in found):
        yield head | _over_seeds(alike[0], alike[1], near, [s for s in shared if s not in found], plan)


def _alike(by_seed: Mapping[int, Runs]) -> dict[int, dict[LongRun, Content]]:
    """Of each seed the runs at the rates and horizons that all of them have."""
    common = set.intersection(*({(run.lr, run.share) for run in runs} for runs in by_seed.values()))
    return {
        seed: {run: content for run, content in runs.items() if (run.lr, run.share) in common}
        for seed, runs in by_seed.items()
    }


_NOTHING: Row = dict.fromkeys(
    ("difference", "difference_low", "difference_high", "between_low", "between_high", "near", "near_low",
     "near_high", "p", "p_holm", "sd", "detectable")
)  # fmt: skip


def _of_seed(
    seed: int, mine: Sequence[Content], theirs: Sequence[Content], near: Interval | None, plan: Ladder
) -> Row:
    """One seed, with all of its runs: over documents."""
    points = [_points(runs, plan) for runs in (mine, theirs)]
    found = at_equal_loss(points[0], points[1])
    row: Row = _NOTHING | ends_named("near", near) | {"seeds": [seed], "over": "documents", "never_equal": []}
    if found is None:
        return row | {"seeds": [], "never_equal": [seed], "differences": [], "bits": [], "far_bits": []}
    equal, first, second = found
    row |= ends_named("difference", equal_loss_over_documents(mine, theirs, plan))
    row |= dict(zip(("between_low", "between_high"), between(points[0], points[1]), strict=True))
    return row | {"differences": [first - second], "bits": [equal], "far_bits": [[first, second]]}


def _over_seeds(
    mine: Mapping[int, Runs],
    theirs: Mapping[int, Runs],
    near: Mapping[int, Interval],
    never: list[int],
    plan: Ladder,
) -> Row:
    """Several seeds, with the runs that all of them have."""
    found = {
        seed: point
        for seed in mine
        if (point := at_equal_loss(*(_points(runs[seed].values(), plan) for runs in (mine, theirs))))
    }
    values = np.array([first - second for _, first, second in found.values()])
    row: Row = _NOTHING | {
        "seeds": list(found), "over": "seeds", "never_equal": sorted({*never, *(s for s in mine if s not in found)}),
        "differences": values.tolist(), "bits": [x for x, *_ in found.values()],
        "far_bits": [far for _, *far in found.values()],
    }  # fmt: skip
    at_length = [near[seed] for seed in found if seed in near]
    row |= ends_named("near", pooled(at_length)[0] if len(at_length) >= FEWEST else None)
    if len(values) < FEWEST:
        return row
    sd = float(values.std(ddof=1))
    p = float(np.asarray(stats.ttest_1samp(values, 0.0))[1]) if sd > 0 else float(values[0] == 0)
    row |= ends_named("difference", over_seeds(values))
    return row | {
        "p": p,
        "sd": sd,
        "detectable": detectable(sd, len(values), level=strictest(len(CONTRASTS))),
    }


def strictest(tests: int) -> float:
    """The level of the strictest step of Holm's rule over so many tests.

    >>> round(strictest(3), 4)
    0.9833
    """
    return 1 - (1 - LEVEL) / tests


COUNTS = (3, 5, 8, 16)
"""Seeds for which the power table says what they detect."""


def differences_of(rows: Iterable[Row]) -> dict[str, list[float]]:
    """Differences by seed of each contrast that several seeds have, over runs that all of them have."""
    return {
        f"{row['label']} less {row['against_label']}, {row['corpus']}": row["differences"]
        for row in rows
        if len(row["differences"]) >= FEWEST
    }


def power_rows(differences: Mapping[str, Sequence[float]], where: str) -> Iterator[Row]:
    """What numbers of seeds detect with a chance of 80 %, at the strictest level of Holm's rule and at 5 %."""
    for name, values in differences.items():
        sd = float(np.std(values, ddof=1))
        for count in COUNTS:
            yield {
                "contrast": name, "from": where, "recorded": len(values), "sd": sd, "seeds": count,
                "detectable": detectable(sd, count),
                "detectable_holm": detectable(sd, count, level=strictest(len(CONTRASTS))),
            }  # fmt: skip
