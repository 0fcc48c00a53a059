"""The protocol of the paper's figure 1: scores of near pairs less scores of far pairs, for any law of q and k.

Appendix I of Wang et al. 2025 (arXiv 2509.12635) gives 10,000 differences from the intervals [0, 100] and
[10000, 10100], and says two things about them: the text draws *distances* from the intervals, the caption says
that *positions* are drawn from them. Both readings are here. In the second, both tokens of a pair lie in one
interval, so near and far pairs have the same distances, and a relative encoding can show no gap at all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float64, Int, Int64
from scipy import special
from torch import Tensor

from analysis import schemas
from analysis.assets import fetch_texts
from analysis.encodings import Encoding
from analysis.encodings.interventions import FixedDistance
from analysis.errors import InputError
from analysis.experiments.plan import label
from analysis.intervals import holm, of_mean, of_sd
from analysis.models.capture import read_layers
from analysis.models.checkpoint import load_model
from analysis.models.llama import Llama
from analysis.progress import Progress, silent
from analysis.sampling.laws import Sampler
from analysis.sampling.monte_carlo import CHUNK, open_uniforms
from analysis.sampling.random_transformer import Hidden, Shape, head_sampler
from analysis.settings import check_least, check_proper_share, nearest
from analysis.studies import random_heads
from analysis.studies.random_heads import BASE, head_weight_sd, rivals_of
from analysis.text.corpus import corpus
from analysis.text.windows import NamedTokens, Windows, windows
from analysis.theory.rope import mean_gap
from analysis.workers import HERE, Workers, run

Reading = Literal["distances", "positions"]
Interval = tuple[int, int]


def near_far_differences(
    encoding: Encoding,
    sampler: Sampler,
    *,
    reading: Reading,
    near: Interval = (0, 100),
    far: Interval = (10_000, 10_100),
    pairs: int = 10_000,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> xr.Dataset:
    """Differences of `pairs` near and far scores, all of independent (q, k); their mean and standard deviation.

    Args:
        reading: "distances": m - n uniform on the whole numbers of an interval; "positions": m and n both
            uniform on them, the later one the query's.
        near, far: first and last token or distance, both included, >= 0.
        pairs: differences, >= 2.
        seed: >= 0.
        confidence: of the intervals, in (0, 1).
        resamples: bootstrap samples behind the interval of the standard deviation, >= 100.

    Returns:
        difference over pair; mean and sd; mean_interval (Student's t) and sd_interval (percentile bootstrap,
        no law of the scores assumed) over bound.

    Raises:
        InputError: a value out of its range, an unknown reading, or a score that is not finite.

    >>> from analysis.encodings import Nope
    >>> from analysis.sampling.laws import Sphere
    >>> found = near_far_differences(Nope(4), Sphere(4), reading='distances', pairs=100, seed=0)
    >>> found.difference.sizes['pair'], bool(found.mean_interval[0] < 0 < found.mean_interval[1])
    (100, True)
    """
    _check(encoding, sampler, reading, near, far, pairs, seed, confidence, resamples)
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
    scores = [
        _scores(encoding, sampler, _distances(reading, interval, pairs, rng), rng)
        for interval, rng in zip((near, far), streams[:2], strict=True)
    ]
    if not np.isfinite(scores).all():
        raise InputError("a score is not finite; leave out distances that a window hides")
    difference = scores[0] - scores[1]
    mean = of_mean(difference, level=confidence)
    sd = of_sd(difference, streams[2], level=confidence, resamples=resamples)
    variables = {
        "difference": ("pair", difference),
        "mean": mean.value,
        "mean_interval": ("bound", np.array([mean.low, mean.high])),
        "sd": sd.value,
        "sd_interval": ("bound", np.array([sd.low, sd.high])),
    }
    return xr.Dataset(variables, {"bound": ["low", "high"]}).assign_attrs(
        reading=reading, near=list(near), far=list(far), seed=seed, confidence=confidence
    )


def _distances(
    reading: Reading, interval: Interval, pairs: int, rng: np.random.Generator
) -> Int[np.ndarray, " pairs"]:
    draws = rng.integers(interval[0], interval[1], size=(2, pairs), endpoint=True)
    return draws[0] if reading == "distances" else np.abs(draws[0] - draws[1])


def _scores(
    encoding: Encoding, sampler: Sampler, distance: Int[np.ndarray, " pairs"], rng: np.random.Generator
) -> Float64[np.ndarray, " pairs"]:
    """One score at each distance, each of its own (q, k)."""
    values, index = np.unique(distance, return_inverse=True)
    lags = torch.tensor(values.astype(np.float64))
    parts = []
    for start in range(0, len(distance), CHUNK):
        chosen = torch.tensor(index[start : start + CHUNK])
        q, k = sampler.draw(open_uniforms(rng, len(chosen), sampler.dimensions))
        parts.append(encoding.pairwise(q, k, lags).gather(1, chosen[:, None])[:, 0])
    return torch.cat(parts).numpy()


def _check(
    encoding: Encoding,
    sampler: Sampler,
    reading: str,
    near: Interval,
    far: Interval,
    pairs: int,
    seed: int,
    confidence: float,
    resamples: int,
) -> None:
    if reading not in get_args(Reading):
        raise InputError(f"reading={reading!r} is unknown; {nearest(reading, get_args(Reading))}")
    if encoding.head_dim != sampler.head_dim:
        raise InputError(
            f"the encoding is for head_dim={encoding.head_dim}, the sampler draws {sampler.head_dim} dimensions"
        )
    for name, (first, last) in (("near", near), ("far", far)):
        if not 0 <= first <= last:
            raise InputError(f"{name}=({first}, {last}) is no interval of tokens; give 0 <= first <= last")
    for name, value, least in (("pairs", pairs, 2), ("seed", seed, 0), ("resamples", resamples, 100)):
        check_least(name, value, least)
    check_proper_share("confidence", confidence)


GAPS = schemas.NEAR_FAR
PAPER = {"RoPE": (4.1, 0.85), "TAPA": (0.03, 3.3)}  # figure 1: mean and standard deviation of the difference
NEAR, FAR = (0, 100), (10_000, 10_100)


def untrained_gaps(
    hidden: Mapping[str, Hidden],
    shape: Shape,
    *,
    heads: int,
    pairs: int = 10_000,
    resamples: int = 400,
    seed: int,
) -> xr.Dataset:
    """Figure 1's protocol on random heads: difference of near and far scores, by both of its readings.

    Args:
        hidden: of `read_text`; heads: random W_q and W_k for each initialisation, the same for both encodings.
        pairs, resamples: see `near_far_differences`; seed: >= 0.

    Returns:
        mean, sd(initialisation, rival, reading, head) with mean_interval, sd_interval over bound, 95 %; over the heads,
        expected(initialisation, rival, reading) and expected_se; paper_mean, paper_sd(rival). Attribute gap_of_mu:
        RoPE's expected difference for mu_0 = 1 in every pair, nu_0 = 0.

    Raises:
        InputError: a value out of its range.
    """
    readings, encodings = get_args(Reading), rivals_of(shape)
    seeds = np.random.SeedSequence(seed).generate_state(heads).tolist()
    draw = functools.partial(_cell, shape, pairs=pairs, resamples=resamples)
    cells = [
        draw(encoding, states, name, reading, one)
        for name, states in hidden.items()
        for encoding in encodings.values()
        for reading in readings
        for one in seeds
    ]
    of = ("initialisation", "rival", "reading", "head")
    shape_of = (len(hidden), len(encodings), len(readings), heads)

    def gathered(name: str) -> np.ndarray:
        values = np.stack([cell[name].values for cell in cells])
        return values.reshape(*shape_of, *values.shape[1:])

    paper = np.array([PAPER[name] for name in encodings])
    mean = gathered("mean")
    variables = {name: (of, gathered(name)) for name in ("mean", "sd")}
    variables |= {name: ((*of, "bound"), gathered(name)) for name in ("mean_interval", "sd_interval")}
    variables |= {
        "expected": (of[:-1], mean.mean(axis=-1)),
        "expected_se": (of[:-1], mean.std(axis=-1, ddof=1) / math.sqrt(heads)),
        "paper_mean": ("rival", paper[:, 0]),
        "paper_sd": ("rival", paper[:, 1]),
    }
    coords = {"initialisation": list(hidden), "rival": list(encodings), "reading": list(readings)}
    per_mu = math.sqrt(shape.head_dim) * mean_gap(NEAR, FAR, BASE, shape.head_dim, 1.0, 0.0)
    return xr.Dataset(variables, coords | {"bound": ["low", "high"]}).assign_attrs(
        hidden=shape.hidden, head_dim=shape.head_dim, pairs=pairs, gap_of_mu=per_mu, base=BASE
    )


def _cell(
    shape: Shape,
    encoding: Encoding,
    states: Hidden,
    initialisation: str,
    reading: Reading,
    seed: int,
    *,
    pairs: int,
    resamples: int,
) -> xr.Dataset:
    """The protocol on one head, whose weights and tokens the seed decides."""
    sampler = head_sampler(states, shape.head_dim, sd=head_weight_sd(initialisation, shape), seed=seed)
    options: dict[str, Any] = {"near": NEAR, "far": FAR, "pairs": pairs, "resamples": resamples, "seed": seed}
    return near_far_differences(encoding, sampler, reading=reading, **options).drop_vars("difference")


# The protocol of the paper's figure 1 on trained heads: near less far scores of pairs of one held-out
# window.
#
# Appendix I of Wang et al. 2025 (arXiv 2509.12635) takes [0, 100] as near and [10000, 10100] as far. Here
# both are scaled to a reach R in place of 10100: near is [0, R/101], far the last of as many up to R. Both
# of its readings are drawn: "distances" lie in the intervals (`analysis.studies.near_far` says more), or "positions"
# do. A window has 2 R tokens, and in the first reading every query is in its second half, so that near and
# far pairs have the same queries. There distance 0 is left out: one pair in 101 of the paper's, it would be
# every second one of a short reach.
#
# Near and far keys are other tokens, too: a head without any position can prefer near ones, because hidden states
# drift along a text. So each pair's score is also taken at one distance for all, `COMMON`. What near and far differ by
# then is drift; what is left of the gap is due to distance, and in NoPE it is 0.


TRAINED_GAPS = schemas.TRAINED_GAPS
REACHES = (64, 158, 512)
"""In training range; as far past the trained length of 128 as 10100 is past the paper's 8192; four times it."""
PAPER_FAR = (10_000, 10_100)
PAPER_NAMES = {"rope": "RoPE", "tapa": "TAPA"}
READINGS: tuple[Reading, ...] = get_args(Reading)
COMMON = 1
"""Tokens that all pairs are apart where distance is to have no say."""
_NAMES = (
    *("mean", "low", "high", "sd", "above", "t_p"),
    *("drift", "drift_low", "drift_high", "due", "due_low", "due_high", "due_above", "due_t_p"),
)
_EDGES = np.arange(-40.0, 41.0)  # of the histogram of differences; few are beyond

Places = Int64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Query and key of each near and each far pair; the i-th of both lie in window i % windows.

    Attributes:
        query, key: positions, near ones first.
    """

    query: Int64[np.ndarray, "two pairs"]
    key: Int64[np.ndarray, "two pairs"]


def near_far_intervals(reach: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Near and far, first and last token both included; `InputError` for a reach below 4."""
    if reach < 4:
        raise InputError(f"reach={reach} leaves near and far no room; give 4 tokens or more")
    width = max(1, round(reach * (PAPER_FAR[1] - PAPER_FAR[0]) / PAPER_FAR[1]))
    return (0, width), (reach - width, reach)


def draw_pairs(reading: Reading, reach: int, pairs: int, seed: int) -> Pairs:
    """Pairs of one reading in windows of 2 `reach` tokens.

    Args:
        reading: "distances" or "positions", see `analysis.studies.near_far`.
        reach: far end of the far interval, tokens.
        pairs: near ones, and as many far ones.
        seed: >= 0.
    """
    rng = np.random.default_rng([seed, READINGS.index(reading), reach])
    query, key = np.empty((2, 2, pairs), dtype=np.int64)
    for side, interval in enumerate(near_far_intervals(reach)):
        if reading == "distances":
            query[side] = rng.integers(reach, 2 * reach, pairs)
            key[side] = query[side] - rng.integers(max(interval[0], 1), interval[1], pairs, endpoint=True)
        else:
            both = rng.integers(interval[0], interval[1], (2, pairs), endpoint=True)
            query[side], key[side] = both.max(axis=0), both.min(axis=0)
    return Pairs(query, key)


def trained_gaps(
    models: Mapping[str, Llama],
    documents: Sequence[NamedTokens],
    *,
    reaches: Sequence[int] = REACHES,
    count: int = 64,
    pairs: int = 10_000,
    seed: int,
    workers: Workers = HERE,
    progress: Progress = silent,
) -> xr.Dataset:
    """Differences of near and far scores of every head of some models, by both readings, at several reaches.

    Args:
        models: by name, of the same numbers of layers and heads.
        documents: bytes that no model was trained on.
        reaches: far ends of the far interval, tokens.
        count: windows at each reach, >= 2; fewer where the texts have no room.
        pairs: near ones, and as many far ones, of each head, spread evenly over the windows.
        seed: >= 0, of windows and pairs; the same for all models.
        workers: one model at a time for each.
        progress: called with (what, done, total).

    Returns:
        Over checkpoint, reading, reach, layer and head: mean and sd of the differences; low and high, 95 % interval
        of the mean over documents; above, share of the windows whose mean difference is above 0; t_p, two-sided
        p-value of the t-test over documents that this interval belongs to, as the windows of one document are not
        independent; t_p_holm, the same for all heads of a checkpoint at once (Holm 1979). drift, mean
        of the same differences with all pairs `COMMON` tokens apart, due, of what distance adds to that, each with its
        interval; due_above, due_t_p, due_t_p_holm likewise. share, of
        all heads' differences in each bin between neighbouring gap_edge; the rest lies outside.
        documents (reach): that the windows are from.
        paper_mean, paper_sd (checkpoint): of the paper's model of that method, nan where it has none; near_last,
        far_first (tokens) and windows (reach).

    Raises:
        InputError: no model, models of different shapes, no room for two windows, or a number out of its range.
    """
    _check_shapes(models)
    if pairs < count or count < 2:
        raise InputError(f"{pairs} pairs in {count} windows; give at least 2 windows and a pair for each")
    texts = [_windows(documents, 2 * reach, count, seed) for reach in reaches]
    drawn = [[draw_pairs(reading, reach, pairs, seed) for reach in reaches] for reading in READINGS]
    measured = []
    jobs = [(model, texts, drawn) for model in models.values()]
    for name, found in zip(models, run(_of_model, jobs, workers), strict=True):
        progress(f"near and far, {name}", 1, 1)
        measured.append(found)
    found = {key: np.stack([of_model[key] for of_model in measured]) for key in (*_NAMES, "share")}
    sizes = np.array([[len(text.documents), len(set(text.documents))] for text in texts])
    return _dataset(models, reaches, sizes, found).assign_attrs(pairs=pairs)


def _of_model(job: tuple[Llama, list[Windows], list[list[Pairs]]]) -> dict[str, np.ndarray]:
    """Statistics of one model's heads, over reading, reach, layer and head."""
    model, texts, drawn = job
    shape = (len(drawn), len(texts), model.config.layers, model.config.heads)
    found: dict[str, np.ndarray] = {name: np.empty(shape) for name in _NAMES}
    found["share"] = np.zeros((*shape[:2], len(_EDGES) - 1))
    for r, text in enumerate(texts):
        for layer, by_reading in enumerate(_differences(model, text, [pairs[r] for pairs in drawn])):
            for at in np.ndindex(shape[0], shape[3]):
                reading, head = at
                values = by_reading[reading][:, head]
                for name, value in _statistics(values[0], values[1], text.documents).items():
                    found[name][reading, r, layer, head] = value
                counts, _ = np.histogram(values[0], _EDGES)
                found["share"][reading, r] += counts / (values.shape[1] * shape[2] * shape[3])
    return found


def _check_shapes(models: Mapping[str, Llama]) -> None:
    shapes = {(model.config.layers, model.config.heads) for model in models.values()}
    if len(shapes) != 1:
        said = ", ".join(f"{n}: {m.config.layers} x {m.config.heads}" for n, m in models.items()) or "none"
        raise InputError(f"models of one number of layers and heads are compared; these are {said}")


def _windows(documents: Sequence[NamedTokens], length: int, count: int, seed: int) -> Windows:
    """`count` windows, or as many as there is room for, but two at least."""
    room = sum(len(tokens) // length for _, tokens in documents)
    return windows(documents, length, max(2, min(count, room)), seed=seed)


def _differences(
    model: Llama, text: Windows, drawn: Sequence[Pairs]
) -> list[list[Float64[np.ndarray, "two heads pairs"]]]:
    """Near less far scores, as they are and with all pairs `COMMON` apart, for each layer and each drawing."""
    found: list[list[np.ndarray]] = []

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        both = encoding, FixedDistance(encoding, COMMON)
        found.append([np.stack([_near_less_far(one, q, k, pairs) for one in both]) for pairs in drawn])

    read_layers(model, torch.from_numpy(text.tokens), take, entropies=False)
    return found


def _near_less_far(
    encoding: Encoding, q: Tensor, k: Tensor, pairs: Pairs
) -> Float64[np.ndarray, "heads pairs"]:
    """Of the heads of one layer; q, k: (window, head, place, dim)."""
    count = pairs.query.shape[1]
    window = np.arange(count) % len(q)
    scores = np.empty((2, q.shape[1], count))
    for side in range(2):
        query, key = pairs.query[side], pairs.key[side]
        for distance in np.unique(query - key):
            at = np.flatnonzero(query - key == distance)
            left = q[window[at], :, query[at]].transpose(0, 1).double()
            right = k[window[at], :, key[at]].transpose(0, 1).double()
            lag = torch.tensor([float(distance)], dtype=torch.float64)
            scores[side][:, at] = encoding.pairwise(left, right, lag)[..., 0].numpy()
    if not np.isfinite(scores).all():
        raise InputError("a score is not finite; an encoding that hides far keys has no gap to measure")
    return scores[0] - scores[1]


def _statistics(
    values: Float64[np.ndarray, " pairs"], drifting: Float64[np.ndarray, " pairs"], documents: Sequence[str]
) -> dict[str, float]:
    """Of the differences of one head, and of the same pairs' at one distance."""
    count, names = len(documents), np.array(documents)
    mean, drift = (np.array([x[w::count].mean() for w in range(count)]) for x in (values, drifting))
    found = {"sd": float(values.std(ddof=1))}
    for name, by_window in (("", mean), ("drift_", drift), ("due_", mean - drift)):
        by_document = np.array([by_window[names == one].mean() for one in sorted(set(documents))])
        over = of_mean(by_document)
        found |= {name.rstrip("_") or "mean": over.value, f"{name}low": over.low, f"{name}high": over.high}
        if name != "drift_":
            found[f"{name}above"] = int((by_window > 0).sum()) / count
            found[f"{name}t_p"] = t_test(by_document)
    return found


def t_test(values: Float64[np.ndarray, " independent"]) -> float:
    """Two-sided p-value of a mean of 0 of independent numbers, Student's t; nan for a single one, 1 for zeros alone.

    It is below 1 - level where the interval of that level (`intervals.of_mean`) leaves 0 out.

    >>> round(t_test(np.array([1.0, 2.0, 3.0])), 3)
    0.074
    """
    if len(values) < 2:
        return math.nan
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    if error == 0:  # all alike
        return float(mean == 0)
    return float(2 * special.stdtr(len(values) - 1, -abs(mean) / error))


def _dataset(
    models: Mapping[str, Llama],
    reaches: Sequence[int],
    sizes: Int64[np.ndarray, "reaches two"],
    found: Mapping[str, np.ndarray],
) -> xr.Dataset:
    of = ("checkpoint", "reading", "reach", "layer", "head")
    variables = {name: (of, found[name]) for name in _NAMES}
    variables |= {"share": ((*of[:3], "bin"), found["share"]), "gap_edge": ("edge", _EDGES)}
    for name in ("t_p", "due_t_p"):
        p = found[name]
        families = [holm(p[at]) for at in np.ndindex(p.shape[:3])]
        variables[f"{name}_holm"] = of, np.stack(families).reshape(p.shape)
    methods = [model.config.method.name for model in models.values()]
    paper = [PAPER.get(PAPER_NAMES.get(method, ""), (math.nan, math.nan)) for method in methods]
    at = np.array([[near[1], far[0]] for near, far in map(near_far_intervals, reaches)])
    variables |= {
        "paper_mean": ("checkpoint", np.array([mean for mean, _ in paper])),
        "paper_sd": ("checkpoint", np.array([sd for _, sd in paper])),
        "near_last": ("reach", at[:, 0]),
        "far_first": ("reach", at[:, 1]),
        "windows": ("reach", sizes[:, 0]),
        "documents": ("reach", sizes[:, 1]),
    }
    coords = {"checkpoint": list(models), "reading": list(READINGS), "reach": list(reaches)}
    layers, heads = (np.arange(size) for size in found["mean"].shape[3:])
    lengths = [model.config.context for model in models.values()]
    about = {"method": ("checkpoint", methods), "trained_length": ("checkpoint", lengths)}
    return xr.Dataset(variables, coords | {"layer": layers, "head": heads} | about)


def untrained_record(
    *, text: Mapping[str, int], heads: int, pairs: int, resamples: int, seed: int
) -> xr.Dataset:
    """`untrained_gaps` on the pinned texts; `text` has the windows, length and seed of `hidden_of_texts`."""
    hidden = random_heads.hidden_of_texts(fetch_texts(), random_heads.SHAPE, **text)
    return untrained_gaps(
        hidden, random_heads.SHAPE, heads=heads, pairs=pairs, resamples=resamples, seed=seed
    )


def trained_record(
    *, checkpoints: Mapping[str, Path], reaches: Sequence[int], count: int, pairs: int, seed: int
) -> xr.Dataset:
    """`trained_gaps` of checkpoints by name, on test documents: no model was trained on them or chosen by them."""
    models = {name: load_model(path) for name, path in checkpoints.items()}
    documents = [(d.name, d.tokens.tolist()) for d in corpus("texts").test]
    found = trained_gaps(models, documents, reaches=reaches, count=count, pairs=pairs, seed=seed)
    return found.assign_coords(label=("checkpoint", [label(name) for name in models]))
