"""The protocol of the paper's figure 1 on trained heads: near less far scores of pairs of one held-out window.

Appendix I of Wang et al. 2025 (arXiv 2509.12635) takes [0, 100] as near and [10000, 10100] as far. Here both are scaled
to a reach R in place of 10100: near is [0, R/101], far the last of as many up to R. Both of its readings are drawn:
"distances" lie in the intervals (`analysis.near_far` says more), or "positions" do. A window has 2 R tokens, and in the
first reading every query is in its second half, so that near and far pairs have the same queries. There distance 0 is
left out: one pair in 101 of the paper's, it would be every second one of a short reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float64, Int64
from scipy import stats
from torch import Tensor

from analysis.encodings import Encoding
from analysis.errors import InputError
from analysis.heads.phase_ablate import over_documents
from analysis.heads.phase_forward import read
from analysis.lm.model import Llama
from analysis.near_far import Reading
from analysis.records import Schema
from analysis.texts import Document, Windows, windows
from analysis.untrained import PAPER
from analysis.workers import HERE, Workers, run

GAPS = Schema("trained-gaps", 1, made_by="tapa figures trained_gaps")
REACHES = (64, 158, 512)
"""In training range; as far past the trained length of 128 as 10100 is past the paper's 8192; four times it."""
PAPER_FAR = (10_000, 10_100)
PAPER_NAMES = {"rope": "RoPE", "tapa": "TAPA"}
READINGS: tuple[Reading, ...] = get_args(Reading)
_NAMES = ("mean", "low", "high", "sd", "above", "sign_p")

Progress = Callable[[str, int, int], None]
Places = Int64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Query and key of each near and each far pair; the i-th of both lie in window i % windows.

    Attributes:
        query, key: positions, near ones first.
    """

    query: Int64[np.ndarray, "two pairs"]
    key: Int64[np.ndarray, "two pairs"]


def intervals(reach: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Near and far, first and last token both included; `InputError` for a reach below 4."""
    if reach < 4:
        raise InputError(f"reach={reach} leaves near and far no room; give 4 tokens or more")
    width = max(1, round(reach * (PAPER_FAR[1] - PAPER_FAR[0]) / PAPER_FAR[1]))
    return (0, width), (reach - width, reach)


def draw(reading: Reading, reach: int, pairs: int, seed: int) -> Pairs:
    """Pairs of one reading in windows of 2 `reach` tokens.

    Args:
        reading: "distances" or "positions", see `analysis.near_far`.
        reach: far end of the far interval, tokens.
        pairs: near ones, and as many far ones.
        seed: >= 0.
    """
    rng = np.random.default_rng([seed, READINGS.index(reading), reach])
    query, key = np.empty((2, 2, pairs), dtype=np.int64)
    for side, interval in enumerate(intervals(reach)):
        if reading == "distances":
            query[side] = rng.integers(reach, 2 * reach, pairs)
            key[side] = query[side] - rng.integers(max(interval[0], 1), interval[1], pairs, endpoint=True)
        else:
            both = rng.integers(interval[0], interval[1], (2, pairs), endpoint=True)
            query[side], key[side] = both.max(axis=0), both.min(axis=0)
    return Pairs(query, key)


def trained_gaps(
    models: Mapping[str, Llama],
    documents: Sequence[Document],
    *,
    reaches: Sequence[int] = REACHES,
    count: int = 64,
    pairs: int = 10_000,
    seed: int,
    workers: Workers = HERE,
    progress: Progress = lambda what, done, total: None,
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
        of the mean over documents; above, share of the windows whose mean difference is above 0; sign_p, two-sided
        sign test over windows; sign_p_holm, the same for all heads of a checkpoint at once (Holm 1979).
        paper_mean, paper_sd (checkpoint): of the paper's model of that method, nan where it has none; near_last,
        far_first (tokens) and windows (reach).

    Raises:
        InputError: no model, models of different shapes, no room for two windows, or a number out of its range.
    """
    _check_shapes(models)
    if pairs < count or count < 2:
        raise InputError(f"{pairs} pairs in {count} windows; give at least 2 windows and a pair for each")
    texts = [_windows(documents, 2 * reach, count, seed) for reach in reaches]
    drawn = [[draw(reading, reach, pairs, seed) for reach in reaches] for reading in READINGS]
    measured = []
    jobs = [(model, texts, drawn) for model in models.values()]
    for name, found in zip(models, run(_of_model, jobs, workers), strict=True):
        progress(f"near and far, {name}", 1, 1)
        measured.append(found)
    found = {key: np.stack([of_model[key] for of_model in measured]) for key in _NAMES}
    return _dataset(models, reaches, [len(text.documents) for text in texts], found).assign_attrs(pairs=pairs)


def _of_model(job: tuple[Llama, list[Windows], list[list[Pairs]]]) -> dict[str, np.ndarray]:
    """Statistics of one model's heads, over reading, reach, layer and head."""
    model, texts, drawn = job
    shape = (len(drawn), len(texts), model.config.layers, model.config.heads)
    found = {name: np.empty(shape) for name in _NAMES}
    for r, text in enumerate(texts):
        for layer, by_reading in enumerate(_differences(model, text, [pairs[r] for pairs in drawn])):
            for at in np.ndindex(shape[0], shape[3]):
                reading, head = at
                for name, value in _statistics(by_reading[reading][head], text.documents).items():
                    found[name][reading, r, layer, head] = value
    return found


def _check_shapes(models: Mapping[str, Llama]) -> None:
    shapes = {(model.config.layers, model.config.heads) for model in models.values()}
    if len(shapes) != 1:
        said = ", ".join(f"{n}: {m.config.layers} x {m.config.heads}" for n, m in models.items()) or "none"
        raise InputError(f"models of one number of layers and heads are compared; these are {said}")


def _windows(documents: Sequence[Document], length: int, count: int, seed: int) -> Windows:
    """`count` windows, or as many as there is room for, but two at least."""
    room = sum(len(tokens) // length for _, tokens in documents)
    return windows(documents, length, max(2, min(count, room)), seed=seed)


def _differences(
    model: Llama, text: Windows, drawn: Sequence[Pairs]
) -> list[list[Float64[np.ndarray, "heads pairs"]]]:
    """Near less far scores, for each layer and each drawing."""
    found: list[list[np.ndarray]] = []

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        found.append([_near_less_far(encoding, q, k, pairs) for pairs in drawn])

    read(model, torch.from_numpy(text.tokens), take)
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


def _statistics(values: Float64[np.ndarray, " pairs"], documents: Sequence[str]) -> dict[str, float]:
    """Of the differences of one head."""
    count = len(documents)
    by_window = np.array([values[w::count].mean() for w in range(count)])
    over = over_documents(by_window, documents)
    signs = by_window[by_window != 0]
    above = int((signs > 0).sum())
    p = stats.binomtest(above, len(signs)).pvalue if len(signs) else 1.0
    sd = float(values.std(ddof=1))
    return {
        "mean": over.mean, "low": over.low, "high": over.high, "sd": sd,
        "above": above / count, "sign_p": float(p),
    }  # fmt: skip


def holm(p: Float64[np.ndarray, ...]) -> Float64[np.ndarray, ...]:
    """Adjusted p-values of tests made at once, all axes one family (Holm 1979)."""
    order = np.argsort(p, axis=None)
    steps = p.ravel()[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.reshape(p.shape)


def _dataset(
    models: Mapping[str, Llama],
    reaches: Sequence[int],
    counts: Sequence[int],
    found: Mapping[str, np.ndarray],
) -> xr.Dataset:
    of = ("checkpoint", "reading", "reach", "layer", "head")
    variables = {name: (of, values) for name, values in found.items()}
    p = found["sign_p"]
    families = [holm(p[at]) for at in np.ndindex(p.shape[:3])]
    variables["sign_p_holm"] = of, np.stack(families).reshape(p.shape)
    methods = [model.config.method.name for model in models.values()]
    paper = [PAPER.get(PAPER_NAMES.get(method, ""), (math.nan, math.nan)) for method in methods]
    at = np.array([[near[1], far[0]] for near, far in map(intervals, reaches)])
    variables |= {
        "paper_mean": ("checkpoint", np.array([mean for mean, _ in paper])),
        "paper_sd": ("checkpoint", np.array([sd for _, sd in paper])),
        "near_last": ("reach", at[:, 0]),
        "far_first": ("reach", at[:, 1]),
        "windows": ("reach", np.array(counts)),
    }
    coords = {"checkpoint": list(models), "reading": list(READINGS), "reach": list(reaches)}
    layers, heads = (np.arange(size) for size in p.shape[3:])
    lengths = [model.config.context for model in models.values()]
    about = {"method": ("checkpoint", methods), "trained_length": ("checkpoint", lengths)}
    return xr.Dataset(variables, coords | {"layer": layers, "head": heads} | about)
