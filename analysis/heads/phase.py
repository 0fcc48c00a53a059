"""What a TAPA head does over every causal pair of a window: amplitude, phase, cosine and score by distance.

A score is a.b cos(2 pi |distance|^alpha x.y), with a, x made of the query and b, y of the key. Pairs are streamed
in bands, a block of queries by a run of distances: no pair is left out, and memory is one band whatever the window.
With the keys in reverse order a band of distances is a view of the block's matrix product in which each column is one
distance, so that sums by distance are sums down columns.

Keys before the window's first are zeros: a pair with one adds phase 0, cosine 1 and amplitude 0, which is taken off
again exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from analysis.encodings import PhaseEncoding
from analysis.errors import InputError
from analysis.heads.mean_score import pair_counts
from analysis.models import one_loop
from analysis.theory.gaussian_law import GaussianLaw, fit
from analysis.theory.tapa import local_exponent, tapa_moments

# A histogram with fixed bins for numbers of any size: quantiles to 2 %, from one pass, at little cost.
#
# A bin is what bfloat16 rounds to two neighbouring values: 64 bins from one power of two to the next, of
# either sign.


BINS = 2**15
RELATIVE_WIDTH = 2.0**-6  # of a bin, of the power of two below it


class Histogram:
    """Counts of numbers; adds what it is given, and adds up with others.

    Attributes:
        counts: in order of the bins' values.
    """

    def __init__(self, counts: Int64[np.ndarray, " bins"] | None = None) -> None:
        self.counts = np.zeros(BINS, dtype=np.int64) if counts is None else counts

    def add(self, values: Float[Tensor, "rows columns"]) -> None:
        """Count finite values."""
        codes = values.to(torch.bfloat16).view(torch.int16)  # sign, 8 bits of exponent, 7 of the fraction
        codes.bitwise_right_shift_(1).bitwise_and_(BINS - 1)
        self.counts += _ordered(torch.bincount(codes.reshape(-1), minlength=BINS).numpy())

    def take_zeros(self, count: int) -> None:
        """Leave out that many of the zeros that were counted."""
        self.counts[BINS // 2] -= count

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.counts + other.counts)

    @property
    def total(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())

    def quantile(self, probability: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Values below which the given shares lie, to one bin, by interpolation in it.

        Raises:
            InputError: nothing was counted, or a probability outside [0, 1].
        """
        if not self.total:
            raise InputError("an empty histogram has no quantile; add values first")
        if ((probability < 0) | (probability > 1)).any():
            raise InputError(f"probability={probability} is not in [0, 1]")
        low, high = edges()
        full = np.flatnonzero(self.counts)
        below = np.concatenate([[0], np.cumsum(self.counts[full])])
        wanted = probability * self.total
        at = np.clip(np.searchsorted(below, wanted, side="right") - 1, 0, len(full) - 1)
        part = (wanted - below[at]) / self.counts[full][at]
        return low[full[at]] + part * (high[full[at]] - low[full[at]])

    def share_below(self, value: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Share of the numbers below each value, by interpolation in its bin: the inverse of `quantile`."""
        low, high = edges()
        below = np.concatenate([[0], np.cumsum(self.counts)])
        at = np.clip(np.searchsorted(low, value, side="right") - 1, 0, BINS - 1)
        with np.errstate(invalid="ignore", over="ignore"):  # the outermost bins have no end
            part = np.clip((value - low[at]) / (high[at] - low[at]), 0.0, 1.0)
        return (below[at] + np.nan_to_num(part) * self.counts[at]) / max(self.total, 1)

    def binned(
        self, bins: int, tail: float = 5e-4
    ) -> tuple[Float64[np.ndarray, " edges"], Float64[np.ndarray, " bins"]]:
        """Edges of equal bins between the quantiles `tail` and 1 - `tail`, and the share in each, for drawing."""
        ends = self.quantile(np.array([tail, 1 - tail]))
        size = np.abs(ends).max()
        if ends[1] - ends[0] < max(size * RELATIVE_WIDTH / 2**10, 2.0**-120):  # all of one value, or all 0
            ends = ends.mean() + np.array([-0.5, 0.5]) * (size if size > 2.0**-120 else 1.0)
        at = np.linspace(float(ends[0]), float(ends[1]), bins + 1)
        return at, np.diff(self.share_below(at))


@cache
def edges() -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"]]:
    """Lower and upper end of each bin, in order of value: half way between neighbouring bfloat16 values."""
    code = np.arange(2**16 // 2, dtype=np.uint32)  # of values >= 0
    code[0x7F80:] = 0x7F80  # infinity, for what is no number too
    value = (code << 16).view(np.float32).astype(np.float64)
    with np.errstate(invalid="ignore"):
        between = np.append((value[:-1] + value[1:]) / 2, np.inf)
    low = np.append(0.0, between[1:-1:2])
    high = between[1::2]
    return np.concatenate([-high[::-1], low]), np.concatenate([-low[::-1], high])


def _ordered(counts: Int64[np.ndarray, " bins"]) -> Int64[np.ndarray, " bins"]:
    """From the order of bit patterns to the order of values: negative ones come last and backwards."""
    half = BINS // 2
    return np.concatenate([counts[half:][::-1], counts[:half]])


ROWS, SPAN = 128, 1024  # queries by distances in a band: buffers of 0.6 MB stay in a core's cache
QUARTER = 0.25  # of a turn

By = Float64[np.ndarray, " length"]


@dataclass(frozen=True, slots=True)
class Factors:
    """One head of one window: score = a.b cos(2 pi |distance|^alpha x.y).

    Attributes:
        a, b: of queries and keys; the scale of the amplitude is in `a`.
        x, y: likewise; x.y is the phase phi, in turns at distance 1.
        alpha: exponent of the distance.
    """

    a: Float[Tensor, "length amplitude"]
    b: Float[Tensor, "length amplitude"]
    x: Float[Tensor, "length phase"]
    y: Float[Tensor, "length phase"]
    alpha: float

    @property
    def length(self) -> int:
        """Tokens in the window."""
        return len(self.a)


def factors(
    encoding: PhaseEncoding, q: Float[Tensor, "heads length dim"], k: Float[Tensor, "kv_heads length dim"]
) -> list[Factors]:
    """Each query head of a layer with the key head that it reads.

    Args:
        q, k: before any position is applied; query head h reads key head h // (heads // kv_heads).

    Raises:
        InputError: a value that is not finite.

    >>> from analysis.encodings import Tapa
    >>> q, k = torch.randn(2, 1, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> (head,) = factors(Tapa(8), q, k)
    >>> head.a.shape, head.x.shape, head.alpha
    (torch.Size([64, 4]), torch.Size([64, 4]), 0.1)
    """
    for name, values in (("q", q), ("k", k)):
        if not torch.isfinite(values).all():
            raise InputError(
                f"{name} holds a value that is not finite; give another checkpoint, or shorter windows"
            )
    served = k.repeat_interleave(len(q) // len(k), dim=0)
    a, b, x, y = encoding.factors(q, served)
    a, b = (encoding.scale * a).to(x.dtype), b.to(x.dtype)
    return [Factors(a[h], b[h], x[h], y[h], encoding.alpha) for h in range(len(q))]


@dataclass(frozen=True, slots=True, eq=False)
class PhaseCurves:
    """Means over all pairs at each distance 0..length-1, first index the query's own place.

    Attributes:
        amplitude: E a.b.
        cosine, cosine_square: of the phase's cosine and its square.
        score: E of amplitude times cosine.
    """

    amplitude: By
    cosine: By
    cosine_square: By
    score: By

    @property
    def cosine_sd(self) -> By:
        """Standard deviation of the cosine over the pairs at each distance."""
        return np.sqrt(np.maximum(self.cosine_square - self.cosine**2, 0.0))

    @property
    def product(self) -> By:
        """E amplitude times E cosine: what the two factors make apart."""
        return self.amplitude * self.cosine

    @property
    def covariance(self) -> By:
        """Covariance of amplitude and cosine over the pairs at each distance: `score` is `product` and this."""
        return self.score - self.product


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How phases and scores of all causal pairs, those of a token with itself left out, are spread.

    Attributes:
        phase, phase_square: E phi and E phi^2 at each distance, turns at distance 1; nan at distance 0.
        past_quarter: share of the pairs at each distance whose phase is a quarter turn or more there, either way;
            nan at distance 0.
        histogram: of phi.
        score_square, amplitude_square: E of their squares at each distance; nan at distance 0.
        phase_mean, phase_sd: of phi over all pairs.
        score_sd, amplitude_sd: over all pairs.
        nope_index: squared correlation of score and amplitude over all pairs: the share of the score's variance
            that remains when the cosine is held at the one value that serves best. 1 for a head without position.
    """

    phase: By
    phase_square: By
    past_quarter: By
    histogram: Histogram
    score_square: By
    amplitude_square: By
    phase_mean: float
    phase_sd: float
    score_sd: float
    amplitude_sd: float
    nope_index: float


def curves(head: Factors, *, rows: int = ROWS, span: int = SPAN) -> PhaseCurves:
    """Means by distance, every causal pair of the window.

    Args:
        rows, span: size of a band; sums are the same to rounding.

    >>> from analysis.encodings import Tapa
    >>> q, k = torch.randn(2, 1, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> (head,) = factors(Tapa(8), q, k)
    >>> curves(head).cosine[[0, 1, 8]].round(2)  # mean cosine of the phase, 1 at distance 0
    array([ 1.  ,  0.11, -0.04])
    """
    bands = Bands(head, rows, span)
    sums = np.zeros((4, head.length))
    compiled = head.x.dtype == torch.float32 and head.x.device.type == "cpu"
    loop = one_loop.available() if compiled else None
    for run in bands.runs():
        for band in bands.blocks(run):
            total = bands.totals(band, 4)
            if loop is None:
                _sum_parts(bands.cosine(band), band, total)
            else:
                loop.phase_sums(band.amplitude, band.phase, bands.turns[band.distances], total)
            sums[:, band.distances] += total[:, 0].numpy()
        sums[1:3, run] -= bands.missing(run)
    amplitude, cosine, square, score = sums / pair_counts(head.length).numpy()
    return PhaseCurves(amplitude, cosine, square, score)


def spread(head: Factors, *, rows: int = ROWS, span: int = SPAN) -> Spread:
    """The spread of phases and scores, every causal pair of the window but those at distance 0.

    Raises:
        InputError: a window of fewer than 3 tokens.

    >>> from analysis.encodings import Tapa
    >>> q, k = torch.randn(2, 1, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> (head,) = factors(Tapa(8), q, k)
    >>> round(spread(head).nope_index, 2)  # share of the score's variance that is the amplitude's alone
    0.0
    """
    if head.length < 3:
        raise InputError(f"a window of {head.length} tokens has no spread; give at least 3")
    bands = Bands(head, rows, span, first=1)
    sums, moments = np.zeros((3, head.length)), np.zeros((5, head.length))
    histogram = Histogram()
    for run in bands.runs():
        for band in bands.blocks(run):
            total = bands.totals(band, 8)
            band.sum_by_distance(band.phase, total[0])
            band.sum_by_distance(torch.mul(band.phase, band.phase, out=band.spare), total[1])
            band.sum_by_distance(_past_quarter(band), total[2])
            histogram.add(band.phase)
            _add_moments(bands.cosine(band), band, total[3:])
            sums[:, band.distances] += total[:3, 0].numpy()
            moments[:, band.distances] += total[3:, 0].numpy()
        histogram.take_zeros(int(bands.missing(run).sum()))
    count = pair_counts(head.length).numpy()
    pairs = count[1:].sum()
    mean = float(sums[0].sum() / pairs)
    amplitude_sd, score_sd, correlation = _correlation(moments.sum(axis=1) / pairs)
    count[0] = np.nan
    phase, square, past = sums / count
    _, amplitude_square, _, score_square, _ = moments / count
    return Spread(
        phase,
        square,
        past,
        histogram,
        score_square,
        amplitude_square,
        phase_mean=mean,
        phase_sd=math.sqrt(max(float(sums[1].sum() / pairs) - mean**2, 0.0)),
        score_sd=score_sd,
        amplitude_sd=amplitude_sd,
        nope_index=correlation**2,
    )


@dataclass(slots=True)
class Band:
    """A block of queries by a run of distances; column j of a view is distance near + j.

    Attributes:
        first, near: first query and least distance.
        amplitude, phase: of each pair; overwritten when the next band comes.
        turn: radians at each distance for a phase of 1.
        wave, spare: room for results of the band's shape.
        ones: one for each query.
    """

    first: int
    near: int
    amplitude: Float[Tensor, "rows span"]
    phase: Float[Tensor, "rows span"]
    turn: Float[Tensor, " span"]
    wave: Float[Tensor, "rows span"]
    spare: Float[Tensor, "rows span"]
    ones: Float[Tensor, "1 rows"]

    @property
    def rows(self) -> int:
        """Queries."""
        return self.phase.shape[0]

    @property
    def span(self) -> int:
        """Distances."""
        return self.phase.shape[1]

    @property
    def distances(self) -> slice:
        """Which: of whatever is ordered by distance."""
        return slice(self.near, self.near + self.span)

    def sum_by_distance(self, values: Float[Tensor, "rows span"], out: Float[Tensor, "1 span"]) -> None:
        """Sums down the columns, by the product with ones: faster than a sum, and far faster than a running one."""
        torch.mm(self.ones, values, out=out)


class Bands:
    """Every causal pair of a head, band by band; buffers are made once and used again."""

    def __init__(self, head: Factors, rows: int = ROWS, span: int = SPAN, *, first: int = 0) -> None:
        """Prepare a head.

        Args:
            rows, span: size of a band, >= 1.
            first: least distance.
        """
        self.head, self.first = head, first
        self.rows, self.span = min(rows, head.length), min(span, head.length - first)
        # keys in reverse order, and zeros for the keys before the first
        self._keys = [
            torch.cat([part.flip(0), part.new_zeros(self.rows - 1, part.shape[1])])
            for part in (head.b, head.y)
        ]
        self._products = head.a.new_empty(2, self.rows * (self.rows + self.span))
        self._room = head.a.new_empty(2, self.rows * self.span)
        self._totals, self._ones = head.a.new_empty(8, 1, self.span), head.a.new_ones(1, self.rows)
        distance = torch.arange(head.length, dtype=torch.float64)
        self.turns = (distance**head.alpha).to(head.a.dtype)  # at each distance, for a phase of 1
        self._turn = (2 * math.pi * distance**head.alpha).to(head.a.dtype)

    def runs(self) -> Iterator[slice]:
        """Runs of distances, the shortest first."""
        for near in range(self.first, self.head.length, self.span):
            yield slice(near, min(near + self.span, self.head.length))

    def blocks(self, run: slice) -> Iterator[Band]:
        """The queries that have keys at a run's distances, block by block; early blocks reach less far."""
        for first in range(run.start // self.rows * self.rows, self.head.length, self.rows):
            last = min(first + self.rows, self.head.length)
            yield self._band(first, last, run.start, min(run.stop, last))

    def missing(self, run: slice) -> Float64[np.ndarray, " span"]:
        """How many pairs with a key before the first the bands of a run hold at each distance."""
        return np.arange(run.start, run.stop, dtype=np.float64) % self.rows  # the block that distance ends in

    def cosine(self, band: Band) -> Float[Tensor, "rows span"]:
        """Of each pair's phase at its distance, in `band.wave`."""
        return torch.mul(band.phase, band.turn, out=band.wave).cos_()

    def totals(self, band: Band, count: int) -> Float[Tensor, "count 1 span"]:
        """Room for that many sums by distance; overwritten when the next band comes."""
        return self._totals[:count, :, : band.span]

    def _band(self, first: int, last: int, near: int, far: int) -> Band:
        rows, span, stride = last - first, far - near, last - first + far - near - 1
        start = self.head.length - last + near  # of the reversed keys: that of query last-1 at distance near
        views = []
        queries = (self.head.a, self.head.x)
        for product, query, keys in zip(self._products, queries, self._keys, strict=True):
            out = product[: rows * stride].view(rows, stride)
            torch.mm(query[first:last], keys[start : start + stride].T, out=out)
            views.append(
                product.as_strided((rows, span), (stride - 1, 1), product.storage_offset() + rows - 1)
            )
        wave, spare = (part[: rows * span].view(rows, span) for part in self._room)
        amplitude, phase = views
        return Band(first, near, amplitude, phase, self._turn[near:far], wave, spare, self._ones[:, :rows])


def _sum_parts(wave: Float[Tensor, "rows span"], band: Band, total: Float[Tensor, "four 1 span"]) -> None:
    """Sums at each distance of amplitude, cosine, its square, and cosine times amplitude."""
    band.sum_by_distance(band.amplitude, total[0])
    band.sum_by_distance(wave, total[1])
    band.sum_by_distance(torch.mul(wave, wave, out=band.spare), total[2])
    band.sum_by_distance(wave.mul_(band.amplitude), total[3])


def _past_quarter(band: Band) -> Float[Tensor, "rows span"]:
    """1 for each pair a quarter turn or more from 0, either way; else 0. Faster than a comparison."""
    turns = torch.mul(band.phase, band.turn / (2 * math.pi * QUARTER), out=band.spare)
    return turns.abs_().clamp_(max=1).floor_()


def _add_moments(wave: Float[Tensor, "rows span"], band: Band, total: Float[Tensor, "five 1 span"]) -> None:
    """Sums at each distance of amplitude, its square, score, its square, and score times amplitude."""
    score = wave.mul_(band.amplitude)
    band.sum_by_distance(band.amplitude, total[0])
    band.sum_by_distance(torch.mul(band.amplitude, band.amplitude, out=band.spare), total[1])
    band.sum_by_distance(score, total[2])
    band.sum_by_distance(torch.mul(score, score, out=band.spare), total[3])
    band.sum_by_distance(torch.mul(score, band.amplitude, out=band.spare), total[4])


def _correlation(means: Float64[np.ndarray, " five"]) -> tuple[float, float, float]:
    """Standard deviations of amplitude and score, and their correlation (0 where one does not vary)."""
    amplitude, amplitude_square, score, score_square, product = means.tolist()
    sd = [
        math.sqrt(max(square - mean**2, 0.0))
        for mean, square in ((amplitude, amplitude_square), (score, score_square))
    ]
    scale = sd[0] * sd[1]
    correlation = (product - amplitude * score) / scale if scale else 0.0
    return sd[0], sd[1], min(max(correlation, -1.0), 1.0)


# Does a Gaussian explain a trained TAPA head? Its closed form, with fitted moments, against what was
# measured.


Curve = Float64[np.ndarray, " distances"]


@dataclass(frozen=True, slots=True, eq=False)
class GaussianHead:
    """A head's law as if queries and keys were normal and independent of each other.

    Attributes:
        law: of (a, x) stacked over (b, y).
        amplitude_share: of a in (a, x).
        alpha: exponent of the distance.
    """

    law: GaussianLaw
    amplitude_share: float
    alpha: float

    def mean(self, distance: Curve) -> Curve:
        """E score at each distance."""
        return tapa_moments(self.law, distance, alpha=self.alpha, amplitude_share=self.amplitude_share).mean

    def exponent(self, distance: Curve) -> Curve:
        """d log|E score| / d log distance."""
        return local_exponent(self.law, distance, alpha=self.alpha, amplitude_share=self.amplitude_share)


def gaussian_head(windows: list[Factors]) -> GaussianHead:
    """The law with the means and covariances of all queries and of all keys of a head's windows.

    A query and a key at a distance are taken to be independent: what the tokens of one text have in common beyond
    their means is not in it.

    Raises:
        InputError: fewer than two tokens.
    """
    amplitude, phase = windows[0].a.shape[1], windows[0].x.shape[1]
    # eq 12 divides by the square roots of the dimensions, the factors hold these divisions already
    parts = [(w.a * amplitude**0.5, w.x * phase**0.5, w.b, w.y) for w in windows]
    a, x, b, y = (torch.cat(part).double().numpy() for part in zip(*parts, strict=True))
    law = fit(np.concatenate([a, x], axis=1), np.concatenate([b, y], axis=1), paired=False)
    return GaussianHead(law, amplitude / (amplitude + phase), windows[0].alpha)


def share_explained(measured: Curve, predicted: Curve, distance: Curve) -> float:
    """1 - |measured - predicted|^2 / |measured - its mean|^2, each octave of distance weighted alike.

    nan for a measured curve that is constant. Below 0 where the prediction is worse than a constant.

    >>> distance = np.arange(1.0, 65.0)
    >>> share_explained(np.log(distance), np.log(distance) + 0.0, distance)
    1.0
    """
    weight = 1 / distance
    weight = weight / weight.sum()
    centred = measured - (weight * measured).sum()
    total, rounding = (weight * centred**2).sum(), 2.0**-96 * (weight * measured**2).sum()
    if total <= rounding:
        return float("nan")
    return float(1 - (weight * (measured - predicted) ** 2).sum() / total)


def octaves(length: int) -> Int64[np.ndarray, " edges"]:
    """1, 2, 4, ... up to half the window: edges of octaves of distance that have many pairs.

    >>> octaves(64)
    array([ 1,  2,  4,  8, 16, 32])
    """
    return 2 ** np.arange(int(np.log2(length)), dtype=np.int64)


def octave_means(curve: Float64[np.ndarray, " length"], length: int) -> Float64[np.ndarray, " octaves"]:
    """Mean over all pairs at the distances of each octave, of a mean over the pairs at each distance 0..length-1."""
    edges, pairs = octaves(length), pair_counts(length).numpy()
    within = [slice(low, high) for low, high in pairwise(edges)]
    return np.array([(curve[at] * pairs[at]).sum() / pairs[at].sum() for at in within])


def measured_exponent(score: Float64[np.ndarray, " length"]) -> Float64[np.ndarray, " steps"]:
    """Slope of log|mean score| from each octave to the next, against their mean log distances; nan where the sign
    changes. An octave's mean over all its pairs bears noise that single distances do not."""
    means = octave_means(score, len(score))
    at = octave_means(np.log(np.maximum(np.arange(len(score)), 1)), len(score))
    same = np.sign(means[1:]) * np.sign(means[:-1]) > 0
    ratio = np.divide(means[1:], means[:-1], out=np.full(len(means) - 1, np.nan), where=same)
    return np.log(ratio) / np.diff(at)
