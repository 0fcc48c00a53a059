"""One trained model: how its mean scores behave beyond the trained length L, and what its loss owes to that."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Complex128, Float, Float64, Int
from torch import Tensor

from analysis.encodings import Encoding, Rope
from analysis.encodings.rotary import complex_pairs, rotation
from analysis.errors import InputError
from analysis.heads.bias_interventions import Curves, HeadCurves, level_at, predicted_curves
from analysis.heads.mean_score import by_distance, pair_counts
from analysis.models.attention import Attend, explicit
from analysis.models.llama import Llama
from analysis.models.methods import ROTATING
from analysis.studies.equal_dose import (
    MATCHING,
    SCORED,
    TOTAL,
    IntervenedModel,
    Numbers,
    compare_interventions,
)
from analysis.studies.settings import ExtrapolationBiasSettings
from analysis.text.corpus import Corpus, bigram_bits
from analysis.text.windows import spans, windows

# What the heads of a small model do beyond the trained length L, under any encoding: attention in the model's place
# (`Llama.attend`), a block of queries at a time, measures as it reads. What the loss owes to that is measured by
# interventions in the encoding of each layer (`heads.bias_interventions`), each with its dose (`studies.equal_dose`).


BLOCK = 256  # queries at a time
Scores = Float[Tensor, "batch heads rows columns"]


@dataclass(slots=True)
class HeadSums:
    """Sums over windows and queries of one layer.

    Attributes:
        score, square: of scores, at each distance.
        entropy: of each query's weights, nats, at each place.
        far: of each query's weights on keys L or more away, at each place.
    """

    score: Float64[Tensor, "heads length"]
    square: Float64[Tensor, "heads length"]
    entropy: Float64[Tensor, "heads length"]
    far: Float64[Tensor, "heads length"]

    @classmethod
    def zeros(cls, heads: int, length: int) -> HeadSums:
        """Nothing added yet."""
        return cls(*(torch.zeros(heads, length, dtype=torch.float64) for _ in range(4)))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was measured of all heads.

    Attributes:
        mean: mean score at each distance; nan where no key is seen.
        square: mean squared score likewise.
        entropy: mean over windows of the entropy of the weights of the query at each place, nats.
        far: mean share of its weight on keys L or more away.
        trained_length: L.
    """

    mean: Float64[np.ndarray, "layers heads length"]
    square: Float64[np.ndarray, "layers heads length"]
    entropy: Float64[np.ndarray, "layers heads length"]
    far: Float64[np.ndarray, "layers heads length"]
    trained_length: int


@dataclass(eq=False)
class WatchedAttention:
    """Attention of a model, in place of its own, that adds up what its heads do; see `attention.Attend`.

    Attributes:
        trained_length: L.
        sums: one for each layer; all windows must be of one length.
    """

    trained_length: int
    sums: dict[int, HeadSums] = field(default_factory=dict)

    def __call__(
        self, encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor, layer: int
    ) -> Tensor:
        group = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        sums = self.sums.setdefault(layer, HeadSums.zeros(q.shape[1], q.shape[2]))
        mixed = []
        for start in range(0, q.shape[2], BLOCK):
            rows = slice(start, min(start + BLOCK, q.shape[2]))
            at, before = positions[rows], positions[: rows.stop]
            distance = at[:, None] - before
            scores = encoding.scores(q[:, :, rows], k[:, :, : rows.stop], at, before)
            scores = scores.masked_fill(distance < 0, -math.inf)
            weights = scores.softmax(dim=-1)
            self._add(sums, scores, weights, distance, rows)
            mixed.append(weights.to(v.dtype) @ v[:, :, : rows.stop])
        return torch.cat(mixed, dim=2)

    def _add(
        self,
        sums: HeadSums,
        scores: Scores,
        weights: Scores,
        distance: Int[Tensor, "rows columns"],
        rows: slice,
    ) -> None:
        seen = torch.where(torch.isneginf(scores), torch.nan, scores)
        sums.score[:, : rows.stop] += by_distance(seen.sum(dim=0))
        sums.square[:, : rows.stop] += by_distance(seen.square().sum(dim=0))
        sums.entropy[:, rows] -= torch.xlogy(weights, weights).sum(dim=(0, 3))
        sums.far[:, rows] += weights.masked_fill(distance < self.trained_length, 0.0).sum(dim=(0, 3))


@contextlib.contextmanager
def attending(model: Llama, attention: Attend) -> Iterator[None]:
    """The model with another attention for the length of a `with`; then as it was."""
    before, model.attend = model.attend, attention
    try:
        yield
    finally:
        model.attend = before


@torch.inference_mode()
def observe(
    model: Llama, tokens: Int[Tensor, "windows length"], trained_length: int, *, batch: int = 4
) -> Seen:
    """Measure all heads in windows longer than the trained length.

    Raises:
        InputError: windows no longer than the trained length.
    """
    count, length = tokens.shape
    if length <= trained_length:
        raise InputError(
            f"windows of {length} tokens do not reach beyond the trained length of {trained_length}; give longer ones"
        )
    watched = WatchedAttention(trained_length)
    with attending(model, watched):
        for part in tokens.split(batch):
            model(part)
    pairs, sums = pair_counts(length), [watched.sums[layer] for layer in sorted(watched.sums)]
    mean, square, entropy, far = (
        (torch.stack([getattr(layer, name) for layer in sums]) / count).numpy()
        for name in ("score", "square", "entropy", "far")
    )
    return Seen(mean / pairs.numpy(), square / pairs.numpy(), entropy, far, trained_length)


# The mean score that RoPE must have beyond the trained length L, if queries and keys stay as they are within it: a few
# numbers, measured in windows of at most L tokens, say it for all distances (`predicted_curves`).


class Prediction(NamedTuple):
    """Mean scores in closed form.

    Attributes:
        whole: of every head at each distance.
        fast: the part of it of pairs that turn once or more within L.
    """

    whole: HeadCurves
    fast: HeadCurves


@torch.inference_mode()
def predicted_mean(model: Llama, tokens: Int[Tensor, "windows length"], reach: int) -> Prediction:
    """Mean score of every head at distances 0 .. reach - 1, from the mean query and key in shorter windows.

    Args:
        model: whose heads rotate.
        tokens: windows no longer than what the model was trained on; their first tokens are left out, as query
            and as key: trained heads park attention there.

    Raises:
        InputError: the model's heads do not rotate, or the windows are longer than its context.
    """
    if tokens.shape[1] > model.config.context:
        raise InputError(
            f"windows of {tokens.shape[1]} tokens are longer than the trained length of {model.config.context}; "
            f"give shorter ones"
        )
    whole: list[Float64[Tensor, "heads reach"]] = []
    fast: list[Float64[Tensor, "heads reach"]] = []

    def attend(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor, layer: int) -> Tensor:
        rope, _ = rotation(encoding)
        means = _mean_pairs(rope, q), _mean_pairs(rope, k)
        curves = predicted_curves(*means, rope.frequencies, rope.factor, model.config.context, reach)
        whole.append(curves[0])
        fast.append(curves[1])
        return explicit(encoding, q, k, v, positions)

    with attending(model, attend):
        model(tokens)
    return Prediction(*(torch.stack(curves).numpy() for curves in (whole, fast)))


def _mean_pairs(rope: Rope, x: Tensor) -> Complex128[Tensor, "heads pairs"]:
    return complex_pairs(x[:, :, 1:].double(), rope.frequencies).mean(dim=(0, -1))


OBSERVED = (
    "near_far_gap", "rebound", "departure", "spread_drift", "entropy_rise", "far_mass", "prediction",
)  # fmt: skip
REACH = 8  # longest reading over the trained length
POINTS = 32  # distances at which a curve is kept


def row(
    model: Llama,
    data: Corpus,
    settings: ExtrapolationBiasSettings,
    *,
    reach: int = REACH,
    described: bool = True,
) -> Numbers:
    """All that is measured of one model, fit for JSON; None stands for what a method does not have.

    Mean scores are measured on the validation split, losses on the test split: no curve is taken away where it was
    measured.

    Args:
        model: trained at `model.config.context` tokens, L.
        data: its corpus.
        reach: longest length that is read, over L; a power of two, >= 2.
        described: whether interventions that are described and not tested are read too.

    Returns:
        observed: the means over heads of what `observed` says; heads: each head's; curve: mean over heads of the
        mean score by distance; bigram_bits: of the corpus; documents: that are scored; altered: what
        `equal_dose.compare_interventions` says, for each intervention at 2 L and at the longest length.
    """
    trained = model.config.context
    length = reach * trained + trained // 2  # so that even the farthest distance has many pairs
    documents = [(d.name, d.tokens.tolist()) for d in data.validation]
    tokens = torch.from_numpy(windows(documents, length, settings.windows, seed=settings.seed).tokens)
    seen = observe(model, tokens, trained)
    predicted = None
    if model.config.method.name in ROTATING:
        short = windows(documents, trained, 4 * settings.windows, seed=settings.seed)
        predicted = predicted_mean(model, torch.from_numpy(short.tokens), seen.mean.shape[-1])
    heads = observed(seen, None if predicted is None else predicted.whole, reach)
    subject = prepared_model(model, data, settings, seen, predicted, reach)
    found = {
        "trained_length": trained,
        "reach": reach,
        "observed": {name: _mean(values) for name, values in heads.items()},
        "heads": {name: _listed(values) for name, values in heads.items()},
        "curve": _curve(seen, reach),
        "bigram_bits": bigram_bits(data),
    }
    if subject is None:
        return found | {"documents": [], "altered": []}
    lengths = sorted({2 * trained, length - trained // 2})
    return found | {
        "documents": subject.chosen.names,
        "altered": compare_interventions(subject, lengths, described=described),
    }


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
    unit = spread_within(seen)
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


def spread_within(seen: Seen) -> Float64[np.ndarray, "layers heads"]:
    """Standard deviation of a head's scores over all pairs less than L apart."""
    within, counts = slice(0, seen.trained_length), np.arange(seen.trained_length, 0, -1.0)
    first = (seen.mean[..., within] @ counts) / counts.sum()
    return np.sqrt((seen.square[..., within] @ counts) / counts.sum() - first**2)


def prepared_model(
    model: Llama,
    data: Corpus,
    settings: ExtrapolationBiasSettings,
    seen: Seen,
    predicted: Prediction | None,
    reach: int,
) -> IntervenedModel | None:
    """The model with its curves and spans; None where a window hides what lies beyond: there is nothing to change."""
    trained, longest = model.config.context, reach * model.config.context
    if not np.isfinite(seen.mean[..., :longest]).all():
        return None
    curves = Curves(seen.mean, spread_within(seen), trained, *(predicted or ()))
    target = min(SCORED, trained // 2)
    count = max(2, min(settings.spans, TOTAL // longest))
    matching = max(2, min(MATCHING, count))
    return IntervenedModel(
        model,
        curves,
        spans(data.validation, longest - target, target, matching, seed=settings.seed),
        spans(data.test, longest - target, target, count, seed=settings.seed),
        settings.seed,
        data.token_bytes,
    )


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
