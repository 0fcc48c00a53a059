"""Analysis of variance of a head's score over pairs of tokens and distances: how much is distance, how much content.

A pair is a query and a key of one text before any position; an encoding scores it at any distance d, S(p, d), also
where the two never stand so far apart. Pairs are drawn from text and distances have weights. Then, for any encoding,

    S(p, d) = g + a(d) + b(p) + c(p, d)        Var S = distance + pair + interaction    exactly,

distance       variance over distances of the mean over pairs, g + a(d): what position does to every pair alike;
pair           variance over pairs of the mean over distances, g + b(p): content wherever it stands;
interaction    the rest: what a distance does to one pair and not to another.

NoPE has a pair part alone and ALiBi no interaction; RoPE and TAPA may have all three. Estimates are free of bias:
pairs of one text depend on each other, so squares of means are replaced by products of means of different texts, as in
a random-effects analysis of variance whose groups are texts. Standard errors leave out one text at a time (jackknife).

The score of RoPE is linear in cosines and sines of d omega_j, with coefficients that the pair decides, so that first
and second moments of the coefficients over pairs give all parts at any number of distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from analysis.encodings import Encoding, Rope
from analysis.encodings.rotary import complex_pairs
from analysis.errors import InputError
from analysis.heads.decomposition import Gram, PerHead, cross, weights
from analysis.intervals import jackknife
from analysis.settings import check_least

PARTS = ("distance", "pair", "interaction")
WEIGHTINGS = ("log", "uniform")
"""Distances weigh 1/d, so that every octave weighs alike, or all alike."""

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class TokenPairs:
    """Pairs of positions in windows of text, the query after its key.

    Attributes:
        query, key: positions, tokens.
    """

    query: Int[Array, "windows pairs"]
    key: Int[Array, "windows pairs"]


def draw_token_pairs(windows: int, pairs: int, length: int, *, seed: int) -> TokenPairs:
    """Pairs of different tokens of each window, every such pair equally likely; the first token is left out.

    Trained heads park attention at a window's first token, whose key is like no other's.

    Args:
        windows: number of windows.
        pairs: of each window, >= 1.
        length: of a window in tokens, >= 3.
        seed: >= 0.

    Raises:
        InputError: a number is out of its range.

    >>> drawn = draw_token_pairs(2, 5, 16, seed=0)
    >>> drawn.query.shape, bool((drawn.query > drawn.key).all()), int(drawn.key.min()) > 0
    ((2, 5), True, True)
    """
    for name, value, least in (("pairs", pairs, 1), ("length", length, 3), ("seed", seed, 0)):
        check_least(name, value, least)
    rng = np.random.default_rng(seed)
    first = rng.integers(1, length, (windows, pairs))
    second = rng.integers(1, length - 1, (windows, pairs))
    second += second >= first  # different from the first
    return TokenPairs(np.maximum(first, second), np.minimum(first, second))


@dataclass(frozen=True, eq=False)
class Design:
    """Distances at which pairs are scored, and weights of them under which variances are taken.

    Attributes:
        distances: 0 .. longest, tokens.
        weights: by name; each sums to 1 and is 0 where it leaves a distance out.
    """

    distances: Float[Array, " distances"]
    weights: Mapping[str, Float[Array, " distances"]]


def design(ranges: Mapping[str, tuple[int, int]]) -> Design:
    """All distances up to the longest of some ranges, each range weighted in both of `WEIGHTINGS`.

    Args:
        ranges: first and last distance of each, tokens, 1 <= first < last.

    Returns:
        Weights named "RANGE WEIGHTING".

    >>> found = design({"within": (1, 3)})
    >>> [f"{w:.2f}" for w in found.weights["within log"]]  # of distances 0 .. 3
    ['0.00', '0.55', '0.27', '0.18']
    """
    for name, (first, last) in ranges.items():
        if not 1 <= first < last:
            raise InputError(
                f"{name}: distances {first} .. {last} do not ascend from 1 or more; give two or more"
            )
    distances = np.arange(1.0 + max(last for _, last in ranges.values()))
    found = {}
    for name, (first, last) in ranges.items():
        for kind in WEIGHTINGS:
            weight = np.zeros_like(distances)
            weight[first : last + 1] = weights(distances[first : last + 1], kind)
            found[f"{name} {kind}"] = weight
    return Design(distances, found)


@dataclass(frozen=True, eq=False)
class Metric:
    """Means and products over weighted distances of scores that are linear in features.

    Attributes:
        mean: the mean score of a feature.
        product: the mean product of two features' scores; the diagonal of a diagonal one.
    """

    mean: Float[Array, " features"]
    product: Float[Array, "features features"] | Float[Array, " features"]

    def means(self, x: Float[Array, "*shape features"]) -> Float[Array, "*shape"]:
        """Mean over distances."""
        return x @ self.mean

    def applied(self, x: Float[Array, "*shape features"]) -> Float[Array, "*shape features"]:
        """What an inner product with other features makes the mean product over distances."""
        return x * self.product if self.product.ndim == 1 else x @ self.product

    def squares(self, x: Float[Array, "*shape features"]) -> Float[Array, "*shape"]:
        """Mean square over distances."""
        return np.einsum("...f,...f->...", self.applied(x), x)


@dataclass(frozen=True, eq=False)
class Space:
    """What makes features of pairs into scores at distances.

    Attributes:
        basis: score at each distance of each feature; None: features are the scores at all distances themselves.
        metrics: by name of a design's weights.
    """

    basis: Float[Array, "distances features"] | None
    metrics: Mapping[str, Metric]

    def curve(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape distances"]:
        """Scores at all distances."""
        return features if self.basis is None else features @ self.basis.T


def features(
    encoding: Encoding,
    q: Float[Tensor, "heads pairs head_dim"],
    k: Float[Tensor, "heads pairs head_dim"],
    over: Design,
    *,
    fast: bool = True,
) -> tuple[Float[Array, "heads pairs features"], Space]:
    """Features of matched pairs, float64, and the space in which they are scores.

    Args:
        encoding: scores the pairs at all distances of the design.
        q, k: before any position.
        over: distances and weights.
        fast: whether a rotation's features are its coefficients; else they are scores, as those of all others.

    Raises:
        InputError: a score is not finite, as behind a sliding window.
    """
    q, k = q.double(), k.double()
    if fast and isinstance(encoding, Rope) and encoding.frequencies.log_decay is None:
        found = encoding.frequencies
        products = (
            complex_pairs(q, found) * complex_pairs(k, found).conj()
        )  # (heads, pairs of dimensions, samples)
        turned, rest = products[:, : len(found.omega)], products[:, len(found.omega) :]
        parts = [turned.real, -turned.imag, rest.real.sum(dim=1, keepdim=True)]
        return (encoding.factor * torch.cat(parts, dim=1).mT).numpy(), _rotations(found.omega.tobytes(), over)
    scores = encoding.pairwise(q, k, torch.from_numpy(over.distances)).numpy()
    if not np.isfinite(scores).all():
        raise InputError("a score is not finite; give distances that the encoding's queries see")
    return scores, _distances(over)


@lru_cache(maxsize=2)  # most models rotate alike in every layer
def _rotations(omega: bytes, over: Design) -> Space:
    """Cosines, sines and a constant as functions of distance; omega as float64 bytes."""
    angle = np.outer(over.distances, np.frombuffer(omega))
    basis = np.concatenate([np.cos(angle), np.sin(angle), np.ones((len(angle), 1))], axis=1)
    metrics = {
        name: Metric(weight @ basis, (basis * weight[:, None]).T @ basis)
        for name, weight in over.weights.items()
    }
    return Space(basis, metrics)


@lru_cache(maxsize=2)
def _distances(over: Design) -> Space:
    return Space(None, {name: Metric(weight, weight) for name, weight in over.weights.items()})


@dataclass(frozen=True, eq=False)
class PairMeans:
    """Means over the pairs of each text, of all heads of a layer.

    Attributes:
        mean: of features.
        square: by name of weights: of the mean square over distances.
        pair_square: likewise: of the square of the mean over distances.
        space: of the features.
    """

    mean: Float[Array, "texts heads features"]
    square: Mapping[str, Float[Array, "texts heads"]]
    pair_square: Mapping[str, Float[Array, "texts heads"]]
    space: Space


def pair_means(
    encoding: Encoding,
    q: Float[Tensor, "windows heads length head_dim"],
    k: Float[Tensor, "windows key_heads length head_dim"],
    pairs: TokenPairs,
    over: Design,
    *,
    fast: bool = True,
) -> PairMeans:
    """Means over the pairs of each window, for every query head of a layer; arguments as `features`.

    Query head h goes with key head h // (heads / key_heads).
    """
    group = q.shape[1] // k.shape[1]
    mean, square, pair_square, space = [], [], [], None
    for window, (at, before) in enumerate(zip(pairs.query, pairs.key, strict=True)):
        keys = k[window][:, torch.from_numpy(before)].repeat_interleave(group, dim=0)
        x, space = features(encoding, q[window][:, torch.from_numpy(at)], keys, over, fast=fast)
        mean.append(x.mean(axis=1))
        square.append({name: m.squares(x).mean(axis=1) for name, m in space.metrics.items()})
        pair_square.append({name: np.square(m.means(x)).mean(axis=1) for name, m in space.metrics.items()})
    assert space is not None
    squares, pair_squares = (
        {name: np.stack([one[name] for one in found]) for name in space.metrics}
        for found in (square, pair_square)
    )
    return PairMeans(np.stack(mean), squares, pair_squares, space)


def of_all_windows(found: Sequence[PairMeans]) -> PairMeans:
    """Means of windows that were read one after the other, of one layer; all have one space."""
    squares, pair_squares = (
        {name: np.concatenate([getattr(one, kind)[name] for one in found]) for name in found[0].space.metrics}
        for kind in ("square", "pair_square")
    )
    return PairMeans(np.concatenate([one.mean for one in found]), squares, pair_squares, found[0].space)


def by_document(found: PairMeans, documents: Sequence[str]) -> PairMeans:
    """Means over the windows of each document, documents by name: they alone are independent.

    Args:
        found: of windows.
        documents: the name of each window's document.
    """
    names = np.array(documents)
    groups = [names == name for name in sorted(set(documents))]

    def mean(x: Array) -> Array:
        return np.stack([x[group].mean(axis=0) for group in groups])

    squares, pair_squares = (
        {name: mean(x) for name, x in kind.items()} for kind in (found.square, found.pair_square)
    )
    return PairMeans(mean(found.mean), squares, pair_squares, found.space)


@dataclass(frozen=True, eq=False)
class Components:
    """Variance components of every head.

    Attributes:
        variance: of the score over pairs and distances; its root is the head's sd.
        share: each part's share of it, by name of the part; the three add up to 1. nan where nothing varies.
        share_se: jackknife standard error over texts; nan for less than three.
    """

    variance: Float[Array, " heads"]
    share: Mapping[str, Float[Array, " heads"]]
    share_se: Mapping[str, Float[Array, " heads"]]


def components(found: PairMeans, name: str) -> Components:
    """Variance components over texts that are independent and alike, without bias for any number of pairs.

    With m_t(d) the mean over the pairs of text t, of T texts, and <> the mean over distances: the square of the grand
    mean is estimated by the mean over t != t' of <m_t><m_t'>, the distance part by that of <m_t m_t'> less it; the pair
    part is the mean of <S>^2 less it, and the variance that of <S^2> less it.

    Args:
        found: of texts, such as documents.
        name: of the design's weights.

    Raises:
        InputError: a single text.
    """
    metric = found.space.metrics[name]
    x = found.mean.swapaxes(0, 1)  # heads first
    means = metric.means(x)
    level = means[:, :, None] * means[:, None, :]
    curves = metric.applied(x) @ x.swapaxes(1, 2) - level
    # sums of one text stand on the diagonal, so that leaving out a text leaves out its row and column
    total, pair = (
        np.eye(len(one))[None] * one.T[:, :, None] for one in (found.square[name], found.pair_square[name])
    )
    share, error = {}, {}
    for part in PARTS:
        share[part], error[part] = jackknife(
            lambda *grams, p=part: _share(p, *grams), curves, level, total, pair
        )
    return Components(_mean(total) - cross(level), share, error)


def _share(part: str, curves: Gram, level: Gram, total: Gram, pair: Gram) -> PerHead:
    grand = cross(level)
    variance = _mean(total) - grand
    found = {"distance": cross(curves), "pair": _mean(pair) - grand}
    found["interaction"] = variance - found["distance"] - found["pair"]
    return found[part] / np.where(variance > 0, variance, np.nan)


def _mean(diagonal: Gram) -> PerHead:
    return np.trace(diagonal, axis1=-2, axis2=-1) / diagonal.shape[-1]


def curves_by_text(found: PairMeans) -> Float[Array, "texts heads distances"]:
    """Mean over the pairs of each text at every distance of the design."""
    return found.space.curve(found.mean)


def octave_steps(
    found: PairMeans, octaves: int, sd: Float[Array, " heads"]
) -> tuple[Float[Array, "heads octaves"], Float[Array, "heads octaves"]]:
    """Change of the mean score from distance 2^i to 2^(i+1), i = 0 .. octaves - 1, in `sd`, and its standard error.

    It is the mean over the octave of the derivative by log2 of the distance. The error is over texts.

    Raises:
        InputError: the last octave ends behind the longest distance.
    """
    at = 2 ** np.arange(octaves + 1)
    longest = len(found.mean[0, 0]) - 1 if found.space.basis is None else len(found.space.basis) - 1
    if at[-1] > longest:
        raise InputError(f"{octaves} octaves end at {at[-1]} tokens, distances at {longest}; give fewer")
    basis = found.space.basis
    values = found.mean[..., at] if basis is None else found.mean @ basis[at].T
    steps = np.diff(values, axis=-1) / np.where(sd > 0, sd, np.nan)[:, None]
    count = len(steps)
    error = steps.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full(steps.shape[1:], np.nan)
    return steps.mean(axis=0), error
