"""One trained model: how its mean scores behave beyond the trained length L, and what its loss owes to that."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex128, Float, Float64, Int
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings import Encoding, Rope, SlidingWindow
from analysis.encodings.interventions import Clamped, Shifted
from analysis.encodings.rotary import complex_pairs, rotation, rotation_table
from analysis.errors import InputError
from analysis.heads.bias_interventions import Curves, level_at, shift
from analysis.heads.mean_score import by_distance, pair_counts
from analysis.intervals import Interval, over_documents
from analysis.models.attention import Attend, Streaming, explicit
from analysis.models.llama import Llama
from analysis.models.methods import ROTATING
from analysis.settings import nearest
from analysis.studies.settings import ExtrapolationBiasSettings
from analysis.text.corpus import Corpus
from analysis.text.windows import Spans, spans, windows

# What the heads of a small model do beyond the trained length L, under any encoding, and with a bias taken
# away.
#
# Attention in the model's place (`Llama.attend`), a block of queries at a time, measures as it reads. Scores are
# altered by distance alone, by interventions in the encoding of each layer. With c(D) a head's mean score at
# distance D, and c(L) its
# level just within L, an alteration is, at the distances where it acts,
#
# subtract beyond    score - c(D)           from L on; hold beyond        score - c(D) + c(L)    from L on:
# the mean stays where it was at L; hold on average    score less the mean over those distances of c(D) -
# c(L): their level is kept down, their shape not; hold, shuffled     as "hold beyond", with those distances
# in another order: as much is taken away, in wrong places; hold within        score - c(D) + c(L)    below L
# only: the mean within L is taken away, beyond it all stays; hold, predicted    as "hold beyond", with the
# curve that RoPE's closed form gives from windows of L (`predicted`); clamp              the score of the
# same two tokens L - 1 apart, from L on: no position is left beyond L; mask               minus infinity,
# from L on: nothing beyond L is read.
#
# All but the last two change a score by a number that depends on head and distance and on nothing else.


BLOCK = 256  # queries at a time
WITHIN = "hold within"
SHIFTS = ("subtract beyond", "hold beyond", "hold on average", "hold, shuffled", WITHIN)
"""Alterations by a number for each head and distance, from a measured curve."""
PREDICTED, CLAMP, MASK = "hold, predicted", "clamp", "mask"
KINDS = (*SHIFTS, PREDICTED, CLAMP, MASK)
NAME_OF = {
    "subtract beyond": "subtract",
    "hold beyond": "hold",
    "hold on average": "hold-average",
    "hold, shuffled": "shuffled",
    WITHIN: "hold-within",
    PREDICTED: "hold-predicted",
}
"""Names of alterations by a shift in `heads.bias_interventions`, by their names in this study's record."""

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


def shift_of(
    kind: str,
    mean: Float64[np.ndarray, "layers heads reach"],
    trained_length: int,
    length: int,
    *,
    seed: int = 0,
) -> Float[Tensor, "layers heads length"]:
    """What is added to scores at each distance below `length`, for one of `SHIFTS` or for `PREDICTED`.

    Args:
        mean: score of every head at each distance, measured or predicted.
        trained_length: L.
        seed: of the order of distances in "hold, shuffled"; every head has the same order.

    Raises:
        InputError: an unknown kind, or a curve that is shorter, or not finite because no key is seen that far away.
    """
    if kind not in NAME_OF:
        raise InputError(f"alteration {kind!r} is unknown; {nearest(kind, NAME_OF)}")
    heads = np.ones(mean.shape[:2])  # none of these shifts goes by a head's spread
    curves = Curves(mean, heads, trained_length, mean, mean)
    return shift(NAME_OF[kind], curves, length, seed=seed)


def altered_model(
    model: Llama, kind: str, trained_length: int, shift: Float[Tensor, "layers heads length"] | None = None
) -> Llama:
    """A second model over the same weights whose scores are altered; `shift` is `shift_of` for what needs one."""

    def change(layer: int, encoding: Encoding) -> Encoding:
        if kind == MASK:
            return SlidingWindow(encoding, trained_length)
        if kind == CLAMP:
            return Clamped(encoding, trained_length)
        assert shift is not None
        return Shifted(encoding, shift[layer])

    return model.with_interventions(change)


# The mean score that RoPE must have beyond the trained length L, if queries and keys stay as they are within
# it.
#
# A head's bias at distance D is sum_d Re[E z^q_d conj(E z^k_d) exp(i D omega_d)] times its scale (eq 3 and 5
# of the paper, with one mean for each pair): a few numbers, measured in windows of at most L tokens, say it
# for all distances.


@torch.inference_mode()
def predicted_mean(
    model: Llama, tokens: Int[Tensor, "windows length"], reach: int
) -> Float64[Tensor, "layers heads reach"]:
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
    curves: list[Float64[Tensor, "heads reach"]] = []

    def attend(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor, layer: int) -> Tensor:
        rope, _ = rotation(encoding)
        mean_q, mean_k = _mean_pairs(rope, q), _mean_pairs(rope, k)
        product = mean_q * mean_k.conj().repeat_interleave(len(mean_q) // len(mean_k), dim=0)
        table = rotation_table(rope.frequencies, reach, product.shape[1], product.dtype)
        curves.append(rope.factor * (product @ table).real)
        return explicit(encoding, q, k, v, positions)

    with attending(model, attend):
        model(tokens)
    return torch.stack(curves)


def _mean_pairs(rope: Rope, x: Tensor) -> Complex128[Tensor, "heads pairs"]:
    return complex_pairs(x[:, :, 1:].double(), rope.frequencies).mean(dim=(0, -1))


OBSERVED = (
    "near_far_gap", "rebound", "departure", "spread_drift", "entropy_rise", "far_mass", "prediction",
)  # fmt: skip
REACH = 8  # longest reading over the trained length
TARGET = 64  # scored tokens of a span, at most; half the trained length if that is less
POINTS = 32  # distances at which a curve is kept
_BATCH = 2
_LONGEST = 2048 * 8  # tokens that are read at the longest length, all spans together

Numbers = dict[str, Any]


def row(model: Llama, data: Corpus, settings: ExtrapolationBiasSettings, *, reach: int = REACH) -> Numbers:
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
    settings: ExtrapolationBiasSettings,
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
    at_trained = _nats(model, chosen, trained)
    by_distance = all(a.encoding.relative and not a.encoding.path_dim for a in model.attentions)
    found: list[Numbers] = []
    for length in (trained << i for i in range(1, reach.bit_length())):
        plain = _nats(model, chosen, length)
        for kind in KINDS:
            curve = predicted if kind == PREDICTED else seen.mean
            if curve is None or (kind == WITHIN and length > 2 * trained):
                continue
            if kind == CLAMP and not by_distance:
                continue  # nothing stands for "the same two tokens L - 1 apart"
            shift = None
            if kind not in (CLAMP, MASK):
                shift = shift_of(kind, curve, trained, length, seed=settings.seed)
            nats = _nats(altered_model(model, kind, trained, shift), chosen, length)
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
def _nats(model: Llama, chosen: Spans, length: int) -> Float64[np.ndarray, " spans"]:
    """Loss of each span's targets, summed, read in windows of one length."""
    found = []
    with attending(model, Streaming(BLOCK, compiled=False)):
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
