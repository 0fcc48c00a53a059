"""One trained model: how its mean scores behave beyond the trained length L, and what its loss owes to that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch.nn import functional as F

from analysis.errors import InputError
from analysis.heads.beyond import (
    CLAMP,
    KINDS,
    MASK,
    PREDICTED,
    WITHIN,
    Attention,
    Seen,
    attending,
    level_at,
    observe,
    shift_of,
)
from analysis.heads.predicted import ROTATING, predicted_mean
from analysis.lm.bootstrap import Interval, over_documents
from analysis.lm.model import Llama
from analysis.lm.text import Corpus
from analysis.lm.windows import Spans, spans
from analysis.texts import windows

OBSERVED = (
    "near_far_gap", "rebound", "departure", "spread_drift", "entropy_rise", "far_mass", "prediction",
)  # fmt: skip
REACH = 8  # longest reading over the trained length
TARGET = 64  # scored tokens of a span, at most; half the trained length if that is less
POINTS = 32  # distances at which a curve is kept
_BATCH = 2
_LONGEST = 2048 * 8  # tokens that are read at the longest length, all spans together

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the numbers beside the model and its corpus.

    Attributes:
        windows: of the validation split, in which mean scores are measured, >= 2.
        spans: of the test split, which are scored, over as many documents as possible, >= 2.
        seed: of the places of both, of the shuffled distances and of the bootstrap, >= 0.
    """

    windows: int = 8
    spans: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("windows", 2), ("spans", 2), ("seed", 0)):
            if (value := getattr(self, name)) < least:
                raise InputError(f"{name}={value} is below {least}; give {least} or more")


def row(model: Llama, data: Corpus, settings: Settings, *, reach: int = REACH) -> Numbers:
    """All that is measured of one model, fit for JSON; None stands for what a method does not have.

    Mean scores are measured on the validation split, losses on the test split: no curve is taken away where it was
    measured.

    Args:
        model: trained at `model.config.context` tokens, L.
        data: its corpus.
        reach: longest length that is read, over L; a power of two, >= 2.

    Returns:
        observed: the means over heads of what `observed` says; heads: each head's; curve: mean over heads of the
        mean score by distance; altered: what `altered` says, for each way and length.
    """
    trained = model.config.context
    length = reach * trained + trained // 2  # so that even the farthest distance has many pairs
    documents = [(d.name, d.tokens.tolist()) for d in data.validation]
    tokens = torch.from_numpy(windows(documents, length, settings.windows, seed=settings.seed).tokens)
    seen = observe(model, tokens, trained)
    predicted = None
    if model.config.method.name in ROTATING:
        short = windows(documents, trained, 4 * settings.windows, seed=settings.seed)
        predicted = predicted_mean(model, torch.from_numpy(short.tokens), seen.mean.shape[-1]).numpy()
    heads = observed(seen, predicted, reach)
    found = {
        "trained_length": trained,
        "reach": reach,
        "observed": {name: _mean(values) for name, values in heads.items()},
        "heads": {name: _listed(values) for name, values in heads.items()},
        "curve": _curve(seen, reach),
    }
    return found | {"altered": altered(model, data, settings, seen, predicted, reach)}


def observed(
    seen: Seen, predicted: Float64[np.ndarray, "layers heads reach"] | None, reach: int
) -> dict[str, Float64[np.ndarray, "layers heads"]]:
    """What a head does, in standard deviations of its scores within L where it is a score; nan where it is nothing.

    near_far_gap: mean score at distances 1 .. L/8 less that from L/2 to L - 1.
    rebound: mean score beyond L less its level just within, octaves of distance alike.
    departure: root mean square of the same difference, octaves alike.
    spread_drift: log of the scores' standard deviation about their mean in the last octave over that in L/2 .. L - 1.
    entropy_rise: entropy of the weights of queries in the last L/2 places less that of those at L/2 .. L - 1, nats.
    far_mass: weight that queries in the last L/2 places give to keys L or more away.
    prediction: share of the variance beyond L of the mean score's departure that the closed form explains.
    """
    trained, last = seen.trained_length, reach * seen.trained_length
    spread = np.sqrt(np.maximum(seen.square - seen.mean**2, 0.0))
    within, counts = slice(0, trained), np.arange(trained, 0, -1.0)
    first = (seen.mean[..., within] @ counts) / counts.sum()
    unit = np.sqrt((seen.square[..., within] @ counts) / counts.sum() - first**2)
    departure = (seen.mean - level_at(seen.mean, trained)[..., None]) / unit[..., None]
    octaves = [slice(trained << i, trained << (i + 1)) for i in range(reach.bit_length() - 1)]
    half = slice(trained // 2, trained)
    places = slice(last - trained // 2, last)
    near = seen.mean[..., 1 : max(2, trained // 8 + 1)].mean(axis=-1)
    found = {
        "near_far_gap": (near - seen.mean[..., half].mean(axis=-1)) / unit,
        "rebound": np.mean([departure[..., o].mean(axis=-1) for o in octaves], axis=0),
        "departure": np.sqrt(np.mean([(departure[..., o] ** 2).mean(axis=-1) for o in octaves], axis=0)),
        "spread_drift": np.log(spread[..., last // 2 : last].mean(axis=-1) / spread[..., half].mean(axis=-1)),
        "entropy_rise": seen.entropy[..., places].mean(axis=-1) - seen.entropy[..., half].mean(axis=-1),
        "far_mass": seen.far[..., places].mean(axis=-1),
        "prediction": np.full(unit.shape, np.nan),
    }
    if predicted is not None:
        x, y = (c[..., trained:last] for c in (seen.mean, predicted))
        rest = (x - y) - (x - y).mean(axis=-1, keepdims=True)
        found["prediction"] = 1 - (rest**2).mean(axis=-1) / x.var(axis=-1)
    return found


def altered(
    model: Llama,
    data: Corpus,
    settings: Settings,
    seen: Seen,
    predicted: Float64[np.ndarray, "layers heads reach"] | None,
    reach: int,
) -> list[Numbers]:
    """Losses with scores altered, at 2L, 4L, ... reach L, on the same targets.

    Returns:
        For each length and way ("hold within" at 2L alone): bits_per_byte as the model is (`plain`), at L (`trained`)
        and altered; back: bits that come back, with the interval over documents; share: of what was lost from L on,
        with its interval where every document lost something.
    """
    trained = model.config.context
    if not np.isfinite(seen.mean[..., : reach * trained]).all():
        return []  # a window hides what lies beyond: there is nothing to alter
    count = max(2, min(settings.spans, _LONGEST // (reach * trained)))
    target = min(TARGET, trained // 2)
    chosen = spans(data.test, reach * trained - target, target, count, seed=settings.seed)
    layers = len(model.attentions)
    at_trained = _nats(model, Attention(trained, layers), chosen, trained)
    found: list[Numbers] = []
    for length in (trained << i for i in range(1, reach.bit_length())):
        plain = _nats(model, Attention(trained, layers), chosen, length)
        for kind in KINDS:
            curve = predicted if kind == PREDICTED else seen.mean
            if curve is None or (kind == WITHIN and length > 2 * trained):
                continue
            attention = Attention(trained, layers, far=kind if kind in (CLAMP, MASK) else None)
            if attention.far is None:
                attention.shift = shift_of(kind, curve, trained, length, seed=settings.seed)
            nats = _nats(model, attention, chosen, length)
            losses = {"trained": at_trained, "plain": plain, "altered": nats}
            found.append({"kind": kind, "length": length} | _compared(losses, chosen, settings.seed))
    return found


def _compared(losses: Mapping[str, Float64[np.ndarray, " spans"]], chosen: Spans, seed: int) -> Numbers:
    """Losses of spans as bits, and what comes back, over documents."""
    names = np.array([document.name for document in chosen.documents])
    documents = sorted(set(names))
    by = {key: np.array([x[names == d].sum() for d in documents]) for key, x in losses.items()}
    size = np.array([chosen.target * (names == d).sum() for d in documents], dtype=np.float64)
    bits = {key: float(x.sum() / size.sum() / math.log(2)) for key, x in by.items()}
    back, lost = by["plain"] - by["altered"], by["plain"] - by["trained"]
    share = over_documents(back, lost, seed=seed) if (lost > 0).all() else None
    return {
        "bits_per_byte": bits,
        "back": _ends(over_documents(back, size, seed=seed).times(1 / math.log(2))),
        "share": None if share is None else _ends(share),
    }


@torch.inference_mode()
def _nats(model: Llama, attention: Attention, chosen: Spans, length: int) -> Float64[np.ndarray, " spans"]:
    """Loss of each span's targets, summed, read in windows of one length."""
    found = []
    with attending(model, attention):
        for part in chosen.cut(length - chosen.target).split(_BATCH):
            logits = model(part[:, :-1])[:, -chosen.target :]
            losses = F.cross_entropy(logits.mT, part[:, -chosen.target :], reduction="none")
            found.append(losses.double().sum(dim=1))
    return torch.cat(found).numpy()


def _curve(seen: Seen, reach: int) -> Numbers:
    """Departure of the mean score from its level at L, mean over heads, at distances evenly spread over octaves."""
    trained = seen.trained_length
    departure = (seen.mean - level_at(seen.mean, trained)[..., None]).mean(axis=(0, 1))
    edges = np.unique(np.round(np.geomspace(1, reach * trained, POINTS + 1)).astype(int))
    values = [float(departure[a:b].mean()) for a, b in pairwise(edges)]
    middle = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
    return {"distance": middle.tolist(), "score": [v if math.isfinite(v) else None for v in values]}


def _mean(values: Float64[np.ndarray, "layers heads"]) -> float | None:
    mean = float(values.mean())
    return mean if math.isfinite(mean) else None


def _listed(values: Float64[np.ndarray, "layers heads"]) -> list[list[float | None]]:
    return [[float(v) if math.isfinite(v) else None for v in layer] for layer in values]


def _ends(interval: Interval) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in (interval.value, interval.low, interval.high)]
