"""From records of the long-range experiment to its results: frontiers, contrasts at equal loss, shares, needles, power.

The primary endpoint was fixed before the runs (`at_equal_loss`): the difference in bits a byte at 8L between two
methods of one seed at equal loss at L. Every run that has ended is a point (loss at L, loss at 8L) of its method's
frontier, the lower convex hull of the points of one seed; the losses are compared where the worse of the two methods
is best. Over seeds: Student's t, and Holm's rule over the primary contrasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from scipy import stats

from analysis.errors import InputError
from analysis.evaluation.long_range import collected_share
from analysis.experiments.long_plan import CONTRASTS, FAR, FINE_BASELINE, Ladder, LongRun, ladder
from analysis.experiments.plan import rate_name
from analysis.experiments.results import NAT, scored_bytes
from analysis.experiments.run_record import Content, read_run
from analysis.intervals import LEVEL, Interval, detectable, holm, over_documents, over_seeds
from analysis.settings import LEAST_ERRORS, LEAST_GAIN
from analysis.text.corpus import PRIVATE_WORDS
from analysis.training.variants import VARIANTS, label

Row = dict[str, Any]
Points = Float64[np.ndarray, "_ 2"]
"""Of each run the loss at L and at 8L, bits a byte."""
COUNTS = (3, 5, 8, 16)
"""Seeds for which the power table says what they detect."""


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


# From records to rows.


def read_long(folder: Path, plan: Ladder | None = None) -> dict[LongRun, Content]:
    """Records of the ladder's runs that are there, in the ladder's order.

    Raises:
        InputError: a record is damaged, of another kind, or of another run than its name says.
    """
    return _of_paths({path.stem: path for path in folder.glob("*.json")}, plan or ladder())


def _of_paths(paths: Mapping[str, Path], plan: Ladder) -> dict[LongRun, Content]:
    found = {}
    for run in plan.runs():
        if run.name in paths:
            content = read_run(paths[run.name])
            if content["run"] != run.name:
                raise InputError(f"{paths[run.name]} is the record of {content['run']}; give it its own name")
            found[run] = content
    return found


def summarise_long(
    contents: Mapping[LongRun, Content], plan: Ladder, earlier: Mapping[str, Sequence[float]] | None = None
) -> dict[str, Any]:
    """Everything that tables and figures take from the records of the experiment, of whatever is there.

    Args:
        contents: records by run, as `read_long`.
        plan: of the experiment.
        earlier: differences at 8L between two methods, by seed, of earlier runs that power is computed from, by
            "one less other".

    Returns:
        "runs", a row for each; "gate", one for each reference; "contrasts", the primary endpoint; "frontiers", their
        corners by corpus, method and seed; "pace", TAPA's lag behind RoPE by corpus, size and horizon; "use", losses by
        method and length, on key tokens too; "collected", shares of the bits beyond L by method and length; "needles";
        "fine", losses by length after light fine-tuning and before it, and validation losses in bits a token after a
        tenth of it and at its end; "fine_curves", validation losses meanwhile;
        "power"; "missing", a line for each tier that is not finished; "length" and "lengths"; "corpus", the one that
        passes the gate, and "size", at which methods are compared on it.
    """
    ended = {run: c for run, c in contents.items() if c["diverged"] is None}
    rows = [_run_row(run, content, plan) for run, content in contents.items()]
    contrasts = _contrasts(ended, plan)
    gate = [_gate_row(run, c) for run, c in ended.items() if run.kind == "reference"]
    shown = next((row["corpus"] for row in gate if row["passes"]), PRIVATE_WORDS)
    return {
        "corpus": shown,
        "size": plan.size_of(shown),
        "length": plan.length,
        "lengths": list(plan.lengths),
        "runs": rows,
        "gate": gate,
        "contrasts": contrasts,
        "frontiers": _frontiers(ended, plan),
        "pace": list(_pace(ended, plan)),
        "use": list(_use(ended, plan)),
        "collected": list(_collected(ended, plan)),
        "needles": list(_needles(ended, plan)),
        "fine": list(_fine(ended)),
        "fine_curves": list(_fine_curves(ended, plan)),
        "power": [
            *_power_rows(earlier or {}, "earlier runs"),
            *_power_rows(_differences(contrasts), "this experiment"),
        ],
        "missing": list(_missing(contents, plan)),
    }


def bits_at(content: Content, length: int, extension: str = "none") -> float | None:
    """Bits a byte of a run at a length; None where it was not read."""
    for item in content["evaluations"]:
        if (item["length"], item["extension"]) == (length, extension):
            return item["bits_per_byte"]
    return None


def _run_row(run: LongRun, content: Content, plan: Ladder) -> Row:
    row: Row = {
        "label": label(run.variant), "variant": run.variant, "corpus": run.corpus, "kind": run.kind,
        "size": run.size, "share": run.share, "lr": run.lr, "seed": run.seed, "run": run.name,
        "parent": content["parent"], "diverged": content["diverged"] is not None,
    }  # fmt: skip
    nothing: dict[str, float | None] = {str(n): None for n in plan.lengths}
    if row["diverged"]:
        empty = dict.fromkeys(("tokens", "validation_bits", "harm", "copies_after"))
        return row | empty | {"bits": nothing, "key_bits": nothing}
    long, far = content["long_range"], FAR * plan.length
    near, beyond = bits_at(content, plan.length), bits_at(content, far)
    key = {i["length"]: i["key_nats"] for i in content["evaluations"] if i["extension"] == "none"}
    each = NAT / long["key_count"] if long["key_count"] else None
    return row | {
        "tokens": long["trained_tokens"],
        "validation_bits": content["validation_loss"] * NAT,
        "bits": {str(n): bits_at(content, n) for n in plan.lengths},
        "harm": None if near is None or beyond is None else beyond - near,
        "key_bits": nothing | ({str(n): nats * each for n, nats in key.items()} if each else {}),
        "copies_after": long["copies_after"],
    }


def _gate_row(run: LongRun, content: Content) -> Row:
    found = content["long_range"]["gate"]
    gain, low, high = found["gain"]
    return {
        "corpus": run.corpus, "run": run.name, "gain": gain, "gain_low": low, "gain_high": high,
        "error": found["error"], "documents": found["documents"], "positive": found["positive"],
        "least_gain": LEAST_GAIN, "least_errors": LEAST_ERRORS, "passes": found["passes"],
        "copies_after": content["long_range"]["copies_after"],
    }  # fmt: skip


# The primary endpoint.


def points_of(ended: Mapping[LongRun, Content], variant: str, corpus: str, plan: Ladder) -> dict[int, Points]:
    """Points of a method's frontier by seed: its runs from scratch at every rate and horizon, of the corpus's size."""
    return {seed: _points(runs, plan) for seed, runs in _of_frontier(ended, variant, corpus, plan).items()}


def _of_frontier(
    ended: Mapping[LongRun, Content], variant: str, corpus: str, plan: Ladder
) -> dict[int, list[Content]]:
    """By seed the runs that are points of a method's frontier."""
    found: dict[int, list[Content]] = {}
    wanted = (variant, corpus, "scratch", plan.size_of(corpus))
    for run, content in ended.items():
        if (run.variant, run.corpus, run.kind, run.size) != wanted:
            continue
        if None not in (bits_at(content, length) for length in (plan.length, FAR * plan.length)):
            found.setdefault(run.seed, []).append(content)
    return dict(sorted(found.items()))


def _points(runs: Iterable[Content], plan: Ladder) -> Points:
    lengths = (plan.length, FAR * plan.length)
    return np.array([[bits_at(content, length) for length in lengths] for content in runs], float)


def _frontiers(
    ended: Mapping[LongRun, Content], plan: Ladder
) -> dict[str, dict[str, dict[str, list[list[float]]]]]:
    """Corners of each seed's frontier, by corpus and the method's label."""
    found: dict[str, dict[str, dict[str, list[list[float]]]]] = {}
    for corpus, variant in dict.fromkeys((run.corpus, run.variant) for run in ended if run.kind == "scratch"):
        corners = points_of(ended, variant, corpus, plan)
        found.setdefault(corpus, {})[label(variant)] = {
            str(seed): frontier(points).tolist() for seed, points in corners.items()
        }
    return found


def _contrasts(ended: Mapping[LongRun, Content], plan: Ladder) -> list[Row]:
    rows = [
        _contrast(one, other, corpus, ended, plan)
        for corpus in dict.fromkeys(run.corpus for run in plan.runs())
        for one, other in CONTRASTS
    ]
    for corpus in {row["corpus"] for row in rows}:
        mine = [row for row in rows if row["corpus"] == corpus and row["p"] is not None]
        # those without a p-value yet belong to the family all the same
        p = np.array([row["p"] for row in mine] + [1.0] * (len(CONTRASTS) - len(mine)))
        for row, adjusted in zip(mine, holm(p).tolist(), strict=False):
            row["p_holm"] = adjusted
    return [row for row in rows if row["seeds"]]


def _contrast(one: str, other: str, corpus: str, ended: Mapping[LongRun, Content], plan: Ladder) -> Row:
    mine, theirs = (_of_frontier(ended, variant, corpus, plan) for variant in (one, other))
    shared = sorted(set(mine) & set(theirs))
    points = {seed: (_points(mine[seed], plan), _points(theirs[seed], plan)) for seed in shared}
    found = {seed: point for seed, pair in points.items() if (point := at_equal_loss(*pair))}
    values = np.array([first - second for _, first, second in found.values()])
    row: Row = {
        "corpus": corpus, "variant": one, "against": other, "label": label(one), "against_label": label(other),
        "seeds": list(found), "never_equal": [seed for seed in shared if seed not in found],
        "differences": values.tolist(), "p": None, "p_holm": None, "sd": None, "detectable": None,
        "bits": [x for x, *_ in found.values()], "far_bits": [far for _, *far in found.values()],
        "over": "documents" if len(values) == 1 else "seeds",
    }  # fmt: skip
    ends = over_seeds(values).ends() if len(values) else [None] * 3
    if len(values) == 1:
        (seed,) = found
        ends = equal_loss_over_documents(mine[seed], theirs[seed], plan).ends()
    row |= dict(zip(("difference", "difference_low", "difference_high"), ends, strict=True))
    if len(values) > 1:
        sd = float(values.std(ddof=1))
        row |= {
            "p": float(np.asarray(stats.ttest_1samp(values, 0.0))[1]) if sd > 0 else float(values[0] == 0),
            "sd": sd,
        }
        row["detectable"] = detectable(sd, len(values), level=strictest(len(CONTRASTS)))
    return row


def equal_loss_over_documents(one: Sequence[Content], other: Sequence[Content], plan: Ladder) -> Interval:
    """The difference of `at_equal_loss` between two methods' runs of one seed, with its interval over documents.

    The loss at L at which both are read depends on the documents as well: of each is taken off what it moves along the
    frontier that is interpolated there, which over all of them is 0.
    """
    pair = [(runs, _points(runs, plan)) for runs in (one, other)]
    ahead, behind = sorted(pair, key=lambda method: method[1][:, 0].min())
    at = float(behind[1][:, 0].min())
    hull = frontier(ahead[1])
    end = min(int(np.searchsorted(hull[:, 0], at, side="right")), len(hull) - 1)
    (x0, y0), (x1, y1) = hull[max(end - 1, 0)], hull[end]
    share, slope = ((at - x0) / (x1 - x0), (y1 - y0) / (x1 - x0)) if x1 > x0 else (0.0, 0.0)

    def by_document(method: tuple[Sequence[Content], Points], corner: tuple[float, float]) -> Points:
        runs, points = method
        content = runs[int(np.flatnonzero((points == corner).all(axis=1))[0])]
        return np.array([_item(content, "none", n)["nats"] for n in (plan.length, FAR * plan.length)]).T * NAT

    first, last = (by_document(ahead, corner) for corner in ((x0, y0), (x1, y1)))
    gap = by_document(behind, tuple(frontier(behind[1])[0])) - (1 - share) * first - share * last
    sums = (gap[:, 1] - slope * gap[:, 0]) * (1 if behind is pair[0] else -1)
    return over_documents(sums, scored_bytes(one[0]), seed=0)


def strictest(tests: int) -> float:
    """The level of the strictest step of Holm's rule over so many tests.

    >>> round(strictest(3), 4)
    0.9833
    """
    return 1 - (1 - LEVEL) / tests


def _differences(contrasts: Iterable[Row]) -> dict[str, list[float]]:
    return {
        f"{row['label']} less {row['against_label']}, {row['corpus']}": row["differences"]
        for row in contrasts
        if len(row["differences"]) > 1
    }


def _power_rows(differences: Mapping[str, Sequence[float]], where: str) -> Iterator[Row]:
    """What numbers of seeds detect with a chance of 80 %, at the strictest level of Holm's rule and at 5 %."""
    for name, values in differences.items():
        sd = float(np.std(values, ddof=1))
        for count in COUNTS:
            yield {
                "contrast": name, "from": where, "recorded": len(values), "sd": sd, "seeds": count,
                "detectable": detectable(sd, count),
                "detectable_holm": detectable(sd, count, level=strictest(len(CONTRASTS))),
            }  # fmt: skip


# How much slower a method learns: its lag at equal tokens, and the factor of tokens for equal loss.


def slower_by(tokens: float, bits: float, curve: Points) -> tuple[float, str]:
    """The factor of tokens that a loss after `tokens` took, over what another method's curve takes to the same loss.

    >>> factor, sign = slower_by(4e6, 2.0, np.array([[1e6, 2.2], [2e6, 2.0], [4e6, 1.9]]))
    >>> round(factor, 6), sign
    (2.0, '=')
    >>> factor, sign = slower_by(4e6, 2.5, np.array([[1e6, 2.2], [2e6, 2.0], [4e6, 1.9]]))  # worse than ever
    >>> round(factor, 6), sign
    (4.0, '>')

    Args:
        tokens: that the method was trained on, > 0.
        bits: its loss.
        curve: tokens and losses of the other method, one row or more, each horizon a run that ends there. Losses are
            made to fall (the least so far) and joined by lines over the logarithm of tokens.

    Returns:
        The factor, and "=" if the curve reaches the loss, ">" if it begins below (the factor is at least this), "<" if
        it ends above (at most this).
    """
    order = np.argsort(curve[:, 0])
    at, losses = np.log(curve[order, 0]), np.minimum.accumulate(curve[order, 1])
    if bits > losses[0]:
        return float(tokens / np.exp(at[0])), ">"
    if bits < losses[-1]:
        return float(tokens / np.exp(at[-1])), "<"
    keep = np.append(True, np.diff(losses) < 0)  # of equal losses the one after fewer tokens
    needed = np.interp(-bits, -losses[keep], at[keep])
    return float(tokens / np.exp(needed)), "="


def _pace(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """TAPA behind RoPE by corpus, size and horizon: bits at L at equal tokens, factor of tokens at equal bits.

    At each horizon a seed's loss is its best over the rates that both methods have at every horizon that both have.
    """
    for corpus, size in dict.fromkeys((run.corpus, run.size) for run in plan.runs()):
        curves = {
            seed: _learning_curves(ended, corpus, size, seed, plan)
            for seed in sorted({run.seed for run in ended})
        }
        for tokens in sorted({n for pair in curves.values() for n in pair[0]}):
            pairs = {seed: pair for seed, pair in curves.items() if tokens in pair[0]}
            lags = np.array([slow[tokens] - fast[tokens] for slow, fast in pairs.values()])
            found = [
                slower_by(tokens, slow[tokens], np.array(list(fast.items()))) for slow, fast in pairs.values()
            ]
            bounds = {sign for _, sign in found}
            row: Row = {
                "corpus": corpus, "size": size, "tokens": tokens, "seeds": list(pairs),
                "bound": "".join(sorted(bounds)), "factors": [factor for factor, _ in found],
            }  # fmt: skip
            row |= dict(zip(("lag", "lag_low", "lag_high"), over_seeds(lags).ends(), strict=True))
            ends = (
                over_seeds(np.log([factor for factor, _ in found])).ends() if bounds == {"="} else [None] * 3
            )
            names = ("factor", "factor_low", "factor_high")
            yield row | {
                name: None if end is None else math.exp(end) for name, end in zip(names, ends, strict=True)
            }


def _learning_curves(
    ended: Mapping[LongRun, Content], corpus: str, size: str, seed: int, plan: Ladder
) -> tuple[dict[float, float], dict[float, float]]:
    """Least loss at L by tokens, of TAPA and of RoPE, at the horizons and rates that both have all of."""
    cells: dict[str, dict[tuple[float, float], float]] = {"tapa": {}, "rope": {}}
    for run, content in ended.items():
        here = (run.corpus, run.kind, run.size, run.seed) == (corpus, "scratch", size, seed)
        if here and run.variant in cells and (bits := bits_at(content, plan.length)) is not None:
            cells[run.variant][content["long_range"]["trained_tokens"], run.lr] = bits
    both = set(cells["tapa"]) & set(cells["rope"])
    horizons = {tokens for tokens, _ in both}
    rates = {lr for _, lr in both if all((tokens, lr) in both for tokens in horizons)}
    slow, fast = (
        {tokens: min(cells[name][tokens, lr] for lr in rates) for tokens in sorted(horizons)} if rates else {}
        for name in ("tapa", "rope")
    )
    return slow, fast


# Losses by length, shares of the bits beyond L, and needles.


def best_runs(
    ended: Mapping[LongRun, Content], variant: str, corpus: str, plan: Ladder
) -> dict[int, Content]:
    """Of a method by seed: its run from scratch at the whole horizon with the least validation loss at L."""
    wanted = (variant, corpus, "scratch", plan.size_of(corpus))
    mine = {r: c for r, c in ended.items() if (r.variant, r.corpus, r.kind, r.size) == wanted}
    horizon = max((run.share for run in mine), default=0)
    found: dict[int, Content] = {}
    for run, content in mine.items():
        known = found.get(run.seed)
        better = known is None or content["validation_loss"] < known["validation_loss"]
        if run.share == horizon and better:
            found[run.seed] = content
    return dict(sorted(found.items()))


def _use(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Losses of each method's best runs by length, over all targets and over key tokens, and what the length changes.

    Means over seeds with Student's t; of one seed the interval of the change is over documents.
    """
    for variant, corpus in dict.fromkeys((run.variant, run.corpus) for run in ended if run.kind == "scratch"):
        seeds = best_runs(ended, variant, corpus, plan)
        for extension, length in _cells(seeds.values()):
            changes = [_change(content, extension, length, plan.length) for content in seeds.values()]
            ends, over = _pooled(changes)
            bits = [bits_at(content, length, extension) for content in seeds.values()]
            key = [_key_bits(content, length, extension) for content in seeds.values()]
            yield {
                "label": label(variant, extension), "variant": variant, "extension": extension, "corpus": corpus,
                "length": length, "seeds": list(seeds), "over": over,
                "rates": sorted({content["lr"] for content in seeds.values()}),
                "bits": _mean(one for one in bits if one is not None),
                "key_bits": _mean(key) if all(map(math.isfinite, key)) else None,
                **dict(zip(("change", "change_low", "change_high"), ends.ends(), strict=True)),
            }  # fmt: skip


def _change(content: Content, extension: str, length: int, short: int) -> Interval:
    """Bits a byte at a length less those of the plain model at the short one, with the interval over documents."""
    return _less(content, (extension, length), content, ("none", short))


def _less(one: Content, cell: tuple[str, int], other: Content, other_cell: tuple[str, int]) -> Interval:
    """Bits a byte of one reading less another of the same text, with the interval over documents."""
    far, near = (np.array(_item(c, *at)["nats"]) for c, at in ((one, cell), (other, other_cell)))
    return over_documents((far - near) * NAT, scored_bytes(one), seed=0)


def _key_bits(content: Content, length: int, extension: str) -> float:
    """Bits a key token; NaN where there is none."""
    count = content["long_range"]["key_count"]
    return _item(content, extension, length)["key_nats"] * NAT / count if count else math.nan


def _item(content: Content, extension: str, length: int) -> Mapping[str, Any]:
    wanted = (extension, length)
    return next(item for item in content["evaluations"] if (item["extension"], item["length"]) == wanted)


def _collected(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Share of the bits between L and each longer length: mean over seeds, or of one seed with documents' interval."""
    for variant in dict.fromkeys(run.variant for run in ended if run.kind == "scratch"):
        for corpus in dict.fromkeys(run.corpus for run in ended):
            seeds = best_runs(ended, variant, corpus, plan)
            for extension, length in _cells(seeds.values()):
                if length == plan.length:
                    continue
                shares = {}
                for seed, content in seeds.items():
                    near, far = _words(content, "none", plan.length), _words(content, extension, length)
                    if near is not None and far is not None:
                        shares[seed] = collected_share(near[0] - far[0], near[1] - far[1])
                if shares:
                    found = list(shares.values())
                    yield _share_row(variant, extension, corpus, length, list(shares), found)


def _share_row(
    variant: str, extension: str, corpus: str, length: int, seeds: list[int], shares: list[Interval]
) -> Row:
    ends, over = _pooled(shares)
    return {
        "label": label(variant, extension), "variant": variant, "extension": extension, "corpus": corpus,
        "length": length, "seeds": seeds, "over": over,
        **dict(zip(("share", "share_low", "share_high"), ends.ends(), strict=True)),
    }  # fmt: skip


def _cells(contents: Iterable[Content]) -> list[tuple[str, int]]:
    """Extensions and lengths at which all of these were read."""
    sets = [{(i["extension"], i["length"]) for i in c["evaluations"]} for c in contents]
    return sorted(set.intersection(*sets)) if sets else []


def _words(content: Content, extension: str, length: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Nats of the private words of each document, the model's and the least."""
    for item in content["evaluations"]:
        if (item["extension"], item["length"]) == (extension, length) and "words" in item:
            return np.array(item["words"]["nats"]), np.array(item["words"]["bayes_nats"])
    return None


def _needles(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Hits of each method by length and depth, over its seeds."""
    for variant in dict.fromkeys(run.variant for run in ended if run.kind == "scratch"):
        for corpus in dict.fromkeys(run.corpus for run in ended):
            seeds = best_runs(ended, variant, corpus, plan)
            cells: dict[tuple[int, float], list[Mapping[str, Any]]] = {}
            for content in seeds.values():
                for one in content["long_range"]["needles"]:
                    cells.setdefault((one["length"], one["depth"]), []).append(one)
            for (length, depth), found in sorted(cells.items()):
                yield {
                    "label": label(variant), "variant": variant, "corpus": corpus, "length": length, "depth": depth,
                    "distance": _mean(one["distance"] for one in found), "seeds": list(seeds),
                    "trials": sum(one["trials"] for one in found), "hits": sum(one["hits"] for one in found),
                    "nats": _mean(one["nats"] for one in found),
                }  # fmt: skip


# Light fine-tuning at four times the length.


def tuned_fine_runs(ended: Mapping[LongRun, Content]) -> dict[tuple[str, str, float], dict[int, LongRun]]:
    """By method, corpus and share of the tokens, of each seed: the run of the least validation loss at 4L."""
    found: dict[tuple[str, str, float], dict[int, LongRun]] = {}
    for run in sorted((run for run in ended if run.kind == "fine"), key=lambda run: (run.share, run.lr)):
        seeds = found.setdefault((run.variant, run.corpus, run.share), {})
        known = seeds.get(run.seed)
        if known is None or ended[run]["validation_loss"] < ended[known]["validation_loss"]:
            seeds[run.seed] = run
    return found


def _fine(ended: Mapping[LongRun, Content]) -> Iterator[Row]:
    """Losses by length of each method's tuned fine-tuned runs, and of their parents (share 0), each less RoPE's.

    RoPE's are of the same share, seed and corpus; a parent's are under the extension that its run was fine-tuned with.
    """
    by_name = {run.name: content for run, content in ended.items()}
    chosen = tuned_fine_runs(ended)
    for (variant, corpus, share), runs in chosen.items():
        mine = {seed: ended[run] for seed, run in runs.items()}
        rope = {seed: ended[run] for seed, run in chosen.get((FINE_BASELINE, corpus, share), {}).items()}
        tried = sorted(
            {run.lr for run in ended if (run.variant, run.corpus, run.share) == (variant, corpus, share)}
        )
        head = {"label": label(variant), "variant": variant, "corpus": corpus}
        method = VARIANTS[variant].method
        factor = None if method.extension == "none" else method.factor
        rates = sorted({run.lr for run in runs.values()})
        row = head | {"share": share, "factor": factor, "rates": rates, "tried": tried}
        yield from _fine_rows(row, mine, rope, "none")
    for variant, corpus in dict.fromkeys((variant, corpus) for variant, corpus, _ in chosen):
        before, rope = (
            {
                seed: by_name[parent]
                for (name, of, _), runs in chosen.items()
                for seed, run in runs.items()
                if (name, of) == (wanted, corpus) and (parent := ended[run]["parent"]) in by_name
            }
            for wanted in (variant, FINE_BASELINE)
        )
        extension = VARIANTS[variant].method.extension
        head = {"label": label(variant), "variant": variant, "corpus": corpus}
        rates = sorted({content["lr"] for content in before.values()})
        row = head | {"share": 0.0, "factor": None, "rates": rates, "tried": []}
        yield from _fine_rows(row, before, rope, extension)


def _fine_rows(
    head: Row, mine: Mapping[int, Content], rope: Mapping[int, Content], extension: str
) -> Iterator[Row]:
    if not mine:
        return
    for length in sorted(set.intersection(*({i["length"] for i in c["evaluations"]} for c in mine.values()))):
        cells = {seed: _cell(content, extension, length) for seed, content in mine.items()}
        bits = [bits_at(mine[seed], n, read_as) for seed, (read_as, n) in cells.items()]
        pairs = [(mine[seed], cells[seed], rope[seed]) for seed in mine if seed in rope]
        less = [_less(content, cell, other, ("none", length)) for content, cell, other in pairs]
        ends, over = _pooled(less) if less else (None, "seeds")
        tokens = _mean(content["long_range"]["trained_tokens"] for content in mine.values())
        along = [content["training"]["validation_loss"] for content in mine.values()] if head["share"] else []
        yield head | {
            "length": length, "seeds": list(mine), "tokens": tokens,
            "first_validation_bits": _mean(losses[0] * NAT for losses in along) if along else None,
            "validation_bits": _mean(losses[-1] * NAT for losses in along) if along else None,
            "bits": _mean(each for each in bits if each is not None), "over": over,
            **dict(zip(("less_rope", "less_rope_low", "less_rope_high"), ends.ends() if ends else [None] * 3,
                       strict=True)),
        }  # fmt: skip


def _cell(content: Content, extension: str, length: int) -> tuple[str, int]:
    """The extension and length at which a run was read, without the extension where that changes nothing."""
    read = {(item["extension"], item["length"]) for item in content["evaluations"]}
    return (extension, length) if (extension, length) in read else ("none", length)


def _fine_curves(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Validation loss at 4L along each fine-tuned run, bits a token by its own tokens; chosen: of the tuned runs."""
    chosen = {run for runs in tuned_fine_runs(ended).values() for run in runs.values()}
    for run in (run for run in ended if run.kind == "fine"):
        recipe, training = plan.recipe_of(run), ended[run]["training"]
        steps = zip(training["validation_step"], training["validation_loss"], strict=True)
        yield {
            "label": label(run.variant), "variant": run.variant, "corpus": run.corpus, "share": run.share,
            "seed": run.seed, "lr": run.lr, "rate": rate_name(run.lr), "chosen": run in chosen,
            "curve": [[step * recipe.batch * recipe.length, loss * NAT] for step, loss in steps],
        }  # fmt: skip


def _pooled(found: Sequence[Interval]) -> tuple[Interval, str]:
    """What several seeds say, each with its interval over documents, and what the interval is over.

    Of one seed its own interval, of more their mean with Student's t.
    """
    if len(found) == 1:
        return found[0], "documents"
    return over_seeds(np.array([one.value for one in found])), "seeds"


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _missing(contents: Mapping[LongRun, Content], plan: Ladder) -> Iterator[str]:
    for tier in plan.tiers:
        left = [run for run in tier.runs if run not in contents]
        diverged = [
            run.name for run in tier.runs if run in contents and contents[run]["diverged"] is not None
        ]
        if left:
            yield f"tier {tier.name}: {len(tier.runs) - len(left)} of {len(tier.runs)} runs are there"
        if diverged:
            yield f"tier {tier.name}: diverged: {', '.join(diverged)}"


# The record of the catalogue.


def long_record(*, runs: Mapping[str, Path], earlier: Mapping[str, Path]) -> dict[str, Any]:
    """`summarise_long` of the records of these runs.

    Args:
        runs: of the experiment, by name.
        earlier: records of earlier runs, by name, whose standard deviations over seeds the power is computed from.
    """
    plan = ladder()
    return summarise_long(_of_paths(runs, plan), plan, earlier_differences(earlier.values()))


def earlier_differences(paths: Iterable[Path]) -> dict[str, list[float]]:
    """Differences at the longest length of the paper's tables in miniature, at the chosen rates, by seed, bits a byte.

    Returns:
        For each primary contrast of which two seeds or more are there.
    """
    from analysis.experiments.results import nats
    from analysis.experiments.run_record import choose

    chosen = choose(read_run(path) for path in paths)
    found = {}
    for one, other in CONTRASTS:
        if one not in chosen or other not in chosen:
            continue
        shared = sorted(set(chosen[one].seeds) & set(chosen[other].seeds))
        if len(shared) < 2:
            continue
        longest = chosen[one].first["configuration"]["lengths"][-1]
        count = sum(chosen[one].first["document_tokens"])
        less: Float[np.ndarray, "seeds documents"] = nats(chosen[one], "none", longest, shared) - nats(
            chosen[other], "none", longest, shared
        )
        found[f"{label(one)} less {label(other)}"] = (less.sum(axis=1) / count * NAT).tolist()
    return found
