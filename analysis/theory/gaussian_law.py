"""The law of one query and one key: jointly Gaussian, any means, any covariance, singular ones included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int, Real

from analysis.errors import InputError
from analysis.settings import check_above, check_at_least
from analysis.theory.frequencies import Frequencies, plain
from analysis.theory.rope import Distance, checked_distance, expected_score

_ASYMMETRY = 2.0**-40  # relative to the largest entry; up to it the two halves are averaged
_NEGATIVE = 2.0**-44  # negative eigenvalue over the size that rounding of a covariance may leave
_RANK = 2.0**-51  # eigenvalue over size and largest one, below which a direction has no variance


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean, second moment and variance of a score at every distance.

    Attributes:
        mean: E[score].
        second: E[score^2], >= 0.
        variance: >= 0; rounding moves it by a few 2^-53 of `second`, which matters where the mean is much
            larger than the spread.
    """

    mean: Float64[np.ndarray, "*n"]
    second: Float64[np.ndarray, "*n"]
    variance: Float64[np.ndarray, "*n"]


@dataclass(frozen=True, eq=False)
class Steps:
    """What each token between key and query adds: independent of the others, of q and of k, and like the others.

    Attributes:
        mean: of one token's numbers, one or one for each pair.
        variance: likewise, >= 0.
    """

    mean: Float[np.ndarray, "*pairs"]
    variance: Float[np.ndarray, "*pairs"]

    def __post_init__(self) -> None:
        for name in ("mean", "variance"):
            object.__setattr__(self, name, as_floats(name, getattr(self, name)))
        if self.mean.shape != self.variance.shape:
            raise InputError(f"mean has shape {self.mean.shape}, variance has shape {self.variance.shape}")
        check_at_least("variance", float(self.variance.min(initial=0.0)), 0)


@dataclass(frozen=True, eq=False)
class GaussianLaw:
    """N(mean, covariance) of the stacked vector (q, k) before any position is applied.

    The covariance may be singular: a variance of zero, equal q and k, projections of a smaller hidden vector.
    A direction whose share of variance is below size * 2^-51 (of the correlation matrix) counts as having
    none, because a float64 covariance cannot tell it from none.

    Attributes:
        mean: of q, then of k.
        covariance: symmetric positive semidefinite. Asymmetry of the size of rounding is averaged away.

    Raises:
        InputError: shapes that do not fit (both are named), a value that is not finite, a covariance that is
            not symmetric or not positive semidefinite (its smallest eigenvalue is named).

    >>> law = GaussianLaw(np.zeros(4), np.eye(4))  # standard normal q and k of two dimensions
    >>> law.head_dim
    2
    >>> nope_moments(law, np.array([0.0, 5.0])).variance.round(3)
    array([1., 1.])
    """

    mean: Float64[np.ndarray, " size"]
    covariance: Float64[np.ndarray, "size size"]

    def __post_init__(self) -> None:
        mean, covariance = as_floats("mean", self.mean), as_floats("covariance", self.covariance)
        if mean.ndim != 1 or mean.size < 2 or mean.size % 2:
            raise InputError(f"mean has shape {mean.shape}; it holds q and k, so 2 head_dim numbers")
        if covariance.shape != (mean.size, mean.size):
            raise InputError(
                f"covariance has shape {covariance.shape}, mean has shape {mean.shape}; "
                f"they fit if the covariance is ({mean.size}, {mean.size})"
            )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "covariance", _symmetric("covariance", covariance))
        self._spectrum  # noqa: B018 - checks that the covariance is one
        for array in (self.mean, self.covariance):
            array.flags.writeable = False

    @property
    def head_dim(self) -> int:
        """Dimension of q and of k."""
        return self.mean.size // 2

    @property
    def mean_q(self) -> Float64[np.ndarray, " head_dim"]:
        """E q."""
        return self.mean[: self.head_dim]

    @property
    def mean_k(self) -> Float64[np.ndarray, " head_dim"]:
        """E k."""
        return self.mean[self.head_dim :]

    @cached_property
    def factor(self) -> Float64[np.ndarray, "size rank"]:
        """L with L L^T = covariance and as many columns as there are directions with variance.

        Each coordinate is measured in its own standard deviation, so scaling q or k scales L exactly.
        """
        values, vectors = self._spectrum
        kept = values > values.size * _RANK * max(values.max(), 0.0)
        return self.spread[:, None] * vectors[:, kept] * np.sqrt(values[kept])

    @cached_property
    def spread(self) -> Float64[np.ndarray, " size"]:
        """Standard deviation of every coordinate."""
        return np.sqrt(self.covariance.diagonal())

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        return _correlation_spectrum(self.covariance, "covariance")


def independent(head_dim: int, *, sd: float = 1.0, mu: float = 0.0) -> GaussianLaw:
    """All coordinates independent with one standard deviation, and E A_d = mu, E B_d = 0 in every pair.

    The means are sqrt(|mu|/2) in q and the same with the sign of mu in k (Wang et al. 2025, Assumption 2.1).
    Raises `InputError` for head_dim < 1, sd < 0, or a value that is not finite.

    >>> law = independent(4, mu=2.0)
    >>> law.head_dim, law.mean.round(3)  # of q, then of k
    (4, array([1., 1., 1., 1., 1., 1., 1., 1.]))
    """
    return _pairwise(head_dim, sd, 0.0, mu)


def correlated(head_dim: int, rho: float, *, sd: float = 1.0, mu: float = 0.0) -> GaussianLaw:
    """As `independent`, but q_j and k_j have correlation rho, which adds 2 rho sd^2 to every E A_d.

    Raises `InputError` also for rho outside [-1, 1].

    >>> correlated(2, 0.5).covariance
    array([[1. , 0. , 0.5, 0. ],
           [0. , 1. , 0. , 0.5],
           [0.5, 0. , 1. , 0. ],
           [0. , 0.5, 0. , 1. ]])
    """
    if not -1 <= rho <= 1:
        raise InputError(f"rho={rho} is not a correlation; give a number in [-1, 1]")
    return _pairwise(head_dim, sd, rho, mu)


def equal(head_dim: int, *, sd: float = 1.0) -> GaussianLaw:
    """q = k, centred, with independent coordinates: a singular law. Raises `InputError` as `independent`."""
    return _pairwise(head_dim, sd, 1.0, 0.0)


def projected(
    w_q: Real[np.ndarray, "head_dim hidden"],
    w_k: Real[np.ndarray, "head_dim hidden"],
    hidden_covariance: Real[np.ndarray, "hidden hidden"],
    hidden_mean: Real[np.ndarray, " hidden"] | None = None,
) -> GaussianLaw:
    """q = w_q h and k = w_k h of one Gaussian hidden vector h; singular if h is shorter than 2 head_dim.

    Raises `InputError` for shapes that do not fit, or a hidden covariance that is none.
    """
    rows_q, rows_k = as_floats("w_q", w_q), as_floats("w_k", w_k)
    if rows_q.ndim != 2 or rows_q.shape != rows_k.shape:
        raise InputError(
            f"w_q has shape {rows_q.shape}, w_k has shape {rows_k.shape}; both are (head_dim, hidden)"
        )
    rows = np.concatenate([rows_q, rows_k])
    hidden = rows.shape[1]
    inner = as_floats("hidden_covariance", hidden_covariance)
    centre = np.zeros(hidden) if hidden_mean is None else as_floats("hidden_mean", hidden_mean)
    for name, array, shape in (
        ("hidden_covariance", inner, (hidden, hidden)),
        ("hidden_mean", centre, (hidden,)),
    ):
        if array.shape != shape:
            raise InputError(f"{name} has shape {array.shape}, w_q has shape {rows_q.shape}; give {shape}")
    inner = _symmetric("hidden_covariance", inner)
    _correlation_spectrum(inner, "hidden_covariance")
    return GaussianLaw(rows @ centre, rows @ inner @ rows.T)


def fit(
    q: Real[np.ndarray, "queries head_dim"], k: Real[np.ndarray, "keys head_dim"], *, paired: bool = True
) -> GaussianLaw:
    """The law with the mean and the (unbiased) covariance of a sample of queries and keys, one a row.

    Args:
        q, k: before any position is applied. Fewer rows than 2 head_dim give a singular law.
        paired: whether row i of q goes with row i of k. If not, q and k are taken to be independent, and
            their numbers may differ.

    Raises:
        InputError: fewer than two rows, shapes that do not fit (both are named), or a value not finite.
    """
    queries, keys = as_floats("q", q), as_floats("k", k)
    shapes = f"q has shape {queries.shape}, k has shape {keys.shape}"
    if queries.ndim != 2 or keys.ndim != 2 or queries.shape[1] != keys.shape[1]:
        raise InputError(f"{shapes}; both are (samples, head_dim)")
    if min(len(queries), len(keys)) < 2:
        raise InputError(f"{shapes}; a covariance takes 2 samples or more")
    if paired and len(queries) != len(keys):
        raise InputError(f"{shapes}; pairs need as many queries as keys, or say paired=False")
    mean = np.concatenate([queries.mean(axis=0), keys.mean(axis=0)])
    if paired:
        return GaussianLaw(mean, _sample_covariance(np.concatenate([queries, keys], axis=1)))
    size = queries.shape[1]
    covariance = np.zeros((2 * size, 2 * size))
    covariance[:size, :size] = _sample_covariance(queries)
    covariance[size:, size:] = _sample_covariance(keys)
    return GaussianLaw(mean, covariance)


def as_floats(name: str, values: Any) -> Float[np.ndarray, "*shape"]:
    """An own float64 copy of finite real numbers; `InputError` names the first that is none."""
    try:
        copy = np.array(values).astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not an array of real numbers") from error
    bad = copy[~np.isfinite(copy)]
    if bad.size:
        raise InputError(f"{name} holds {bad.flat[0]}, which is not finite")
    return copy


def _pairwise(head_dim: int, sd: float, rho: float, mu: float) -> GaussianLaw:
    if isinstance(head_dim, bool) or not isinstance(head_dim, int | np.integer) or head_dim < 1:
        raise InputError(f"head_dim={head_dim} is not a whole number of at least 1")
    if not 0 <= sd < math.inf:
        raise InputError(f"sd={sd} must be finite and at least 0")
    if not math.isfinite(mu):
        raise InputError(f"mu={mu} is not finite")
    centre = np.full(head_dim, math.sqrt(abs(mu) / 2))
    covariance = sd**2 * np.kron([[1.0, rho], [rho, 1.0]], np.eye(head_dim))
    return GaussianLaw(np.concatenate([centre, math.copysign(1.0, mu) * centre]), covariance)


def _symmetric(name: str, matrix: np.ndarray) -> np.ndarray:
    gap = np.abs(matrix - matrix.T)
    if gap.max(initial=0.0) > _ASYMMETRY * np.abs(matrix).max(initial=0.0):
        i, j = (int(index) for index in np.unravel_index(gap.argmax(), gap.shape))
        raise InputError(
            f"{name} is not symmetric: entry ({i}, {j}) is {matrix[i, j]:.6g}, "
            f"({j}, {i}) is {matrix[j, i]:.6g}"
        )
    return (matrix + matrix.T) / 2


def _correlation_spectrum(covariance: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the correlation matrix, with 0 on its diagonal where nothing varies.

    A covariance is positive semidefinite if and only if its correlation matrix is (Sylvester's law of
    inertia), and in the latter a small coordinate cannot hide behind a large one.
    """
    variance = covariance.diagonal()
    if (variance < 0).any() or covariance[variance == 0].any():
        raise _not_semidefinite(name, np.linalg.eigvalsh(covariance)[0])
    unit = np.sqrt(np.where(variance > 0, variance, 1.0))
    values, vectors = np.linalg.eigh(covariance / unit / unit[:, None])
    if values[0] < -len(unit) * _NEGATIVE:
        raise _not_semidefinite(name, min(np.linalg.eigvalsh(covariance)[0], 0.0), values[0])
    return values, vectors


def _not_semidefinite(name: str, least: float, correlation: float | None = None) -> InputError:
    also = "" if correlation is None else f" ({correlation:.6g} of its correlation matrix)"
    return InputError(
        f"{name} is not positive semidefinite, its smallest eigenvalue is {least:.6g}{also}; "
        "estimate it in float64, or take a product W W^T"
    )


def _sample_covariance(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=0)
    return centred.T @ centred / (len(rows) - 1)


# Mean and variance of every other encoding's score under jointly Gaussian q and k: RoPE and all its family
# (extended, in part, xPos), ALiBi and NoPE, at any signed distance.
#
# At any distance the score is sum_d s_d [A_d cos + B_d sin] + sum_j q_j k_j over pairs d and unrotated
# dimensions j (Wang et al. 2025, arXiv 2509.12635, eq 3). So its mean is a combination of E A_d, E B_d and
# its variance a quadratic form in the covariance of all A_d, B_d, both computed once for all distances. They
# consist of products of two normal variables, whose covariances are sums over pairings (Isserlis 1918).
#
# Accuracy. Rotations are right to a few 2^-53 at any distance (`bias`). Means and variances are sums of
# products, off by at most (2 head_dim + 32) 2^-53 of the same sums with every term positive; nothing is
# subtracted from a second moment, not where angles are drawn either (`_wandering`).


_ROWS = 4096  # distances at a time
_MAX_LOG_GROWTH = 300.0  # of a score; exp of twice as much is finite

Products = tuple[Int[np.ndarray, " products"], Int[np.ndarray, " products"]]
"""Indices into q and into k of the two factors of each product."""


def rotary_moments(
    law: GaussianLaw, distance: Distance, frequencies: Frequencies, *, scale: float | None = None
) -> Moments:
    """Moments of the rotary score at signed distances: RoPE, its extensions, partial rotation, xPos.

    Args:
        law: of (q, k), before rotation.
        distance: query position minus key position, tokens, |distance| <= 2^53.
        frequencies: of the layer; its attention factor multiplies the rotated part twice, its decay, if there
            is one, shrinks pairs towards positive distances.
        scale: factor of the score, > 0; None for 1/sqrt(head_dim).

    Raises:
        InputError: a law and frequencies of different head_dim, a value out of its range, or a distance so
            negative that xPos grows beyond exp(300).

    >>> from analysis.theory.frequencies import plain
    >>> rotary_moments(correlated(64, 0.5), np.array([0, 100]), plain(1e4, 64)).mean.round(3)  # falls with distance
    array([4.   , 2.234])
    """
    if law.head_dim != frequencies.head_dim:
        raise InputError(f"the law has head_dim={law.head_dim}, frequencies have {frequencies.head_dim}")
    factor, lags = _checked_scale(scale, law.head_dim), checked_distance(distance)
    _check_growth(frequencies, float(lags.min(initial=0.0)))
    centre, covariance = _features(law, frequencies)
    flat, mean, variance = lags.ravel(), np.empty(lags.size), np.empty(lags.size)
    for first in range(0, flat.size, _ROWS):
        block = slice(first, first + _ROWS)
        waves = _waves(flat[block], frequencies)
        mean[block] = waves @ centre
        variance[block] = np.einsum("nf,nf->n", waves @ covariance, waves)
    mean, variance = factor * mean, factor**2 * variance
    return _moments(mean.reshape(lags.shape), variance.reshape(lags.shape))


def nope_moments(law: GaussianLaw, distance: Distance, *, scale: float | None = None) -> Moments:
    """Moments of scale q.k, the same at every distance (Kazemnejad et al. 2023, arXiv 2305.19466).

    Raises `InputError` as `rotary_moments`.

    >>> m = nope_moments(independent(64), np.array([0, 100]))
    >>> m.mean, m.variance.round(6)
    (array([0., 0.]), array([1., 1.]))
    """
    factor, lags = _checked_scale(scale, law.head_dim), checked_distance(distance)
    every = np.arange(law.head_dim)
    mean = factor * _product_means(law, (every, every)).sum()
    variance = factor**2 * _product_covariance(law, (every, every)).sum()
    return _moments(np.full(lags.shape, mean), np.full(lags.shape, variance))


def alibi_moments(
    law: GaussianLaw, distance: Distance, slope: float, *, scale: float | None = None
) -> Moments:
    """Moments of scale q.k - slope |distance| (Press et al. 2021, arXiv 2108.12409); slope >= 0 per token.

    Raises `InputError` as `rotary_moments`, and for a slope out of its range.

    >>> alibi_moments(independent(64), np.array([0, 8]), slope=0.5).mean
    array([ 0., -4.])
    """
    check_at_least("slope", slope, 0)
    still = nope_moments(law, distance, scale=scale)
    bias = slope * np.abs(checked_distance(distance))
    return _moments(np.asarray(still.mean - bias), still.variance)


def forgetting_moments(
    law: GaussianLaw, distance: Distance, steps: Steps, *, scale: float | None = None
) -> Moments:
    """Moments of scale q.k + the sum over |distance| tokens of the logarithm of a forget gate (arXiv 2503.02130).

    Exact for gates of any law, given mean and variance of their logarithms. Raises `InputError` as `rotary_moments`.

    >>> m = forgetting_moments(independent(64), np.array([0, 8]), Steps(np.array(-0.5), np.array(0.25)))
    >>> m.mean, m.variance.round(6)
    (array([ 0., -4.]), array([1., 3.]))
    """
    still, lags = nope_moments(law, distance, scale=scale), np.abs(checked_distance(distance))
    return _moments(
        np.asarray(still.mean + lags * steps.mean), np.asarray(still.variance + lags * steps.variance)
    )


def accumulated_moments(
    law: GaussianLaw, distance: Distance, steps: Steps, *, scale: float | None = None
) -> Moments:
    """Moments of the rotary score when pair d turns by the sum of the tokens' Gaussian angles between key and query.

    With |distance| angles of mean m_d and variance s_d, of pairs apart independent, the cosine has mean
    exp(-|distance| s_d / 2) cos(distance m_d), as xPos with a decay. The variance is that at these means, and what the
    angles' own spread adds, pair by pair (`_wandering`): no square of the mean is subtracted.

    Args:
        law: of (q, k), before rotation; a pair is made of dimensions d and d + head_dim/2.
        distance: query less key, tokens; before the key the angles count backwards.
        steps: mean, rad, and variance of one token's angle in each pair.
        scale: factor of the score, > 0; None for 1/sqrt(head_dim).

    Raises:
        InputError: as `rotary_moments`; steps for another number of pairs.
    """
    half, lags = law.head_dim // 2, checked_distance(distance)
    if law.head_dim % 2 or steps.mean.shape != (half,):
        raise InputError(
            f"steps of shape {steps.mean.shape} do not fit head_dim={law.head_dim}; give one a pair"
        )
    factor, turning = _checked_scale(scale, law.head_dim), plain(10.0, law.head_dim)
    centre, covariance = (part[..., : 2 * half] for part in _features(law, turning))
    covariance = covariance[: 2 * half]
    flat, mean, variance = lags.ravel(), np.empty(lags.size), np.empty(lags.size)
    for first in range(0, flat.size, _ROWS):
        block = slice(first, first + _ROWS)
        cos, sin = (_tables(flat[block], steps.mean, mu, 1.0 - mu) for mu in (1.0, 0.0))
        spread = np.abs(flat[block])[:, None] * steps.variance
        waves = np.concatenate([cos, sin], axis=1) * np.tile(np.exp(-spread / 2), 2)
        mean[block] = waves @ centre
        variance[block] = np.einsum("nf,nf->n", waves @ covariance, waves)
        variance[block] += _wandering(cos, sin, spread, centre, covariance)
    return _moments(factor * mean.reshape(lags.shape), factor**2 * variance.reshape(lags.shape))


def _wandering(
    cos: Float64[np.ndarray, "n pairs"],
    sin: Float64[np.ndarray, "n pairs"],
    spread: Float64[np.ndarray, "n pairs"],
    centre: Float64[np.ndarray, " features"],
    covariance: Float64[np.ndarray, "features features"],
) -> Float64[np.ndarray, " n"]:
    """What Gaussian angles of means phi and variances `spread` add to the variance of sum_d A_d cos + B_d sin.

    The covariance of (cos, sin) of one angle is that of (cos, sin) of its departure from phi, turned by phi: along it
    (1 - exp(-spread))^2 / 2, across it (1 - exp(-2 spread)) / 2, both without a subtraction of near numbers. Each
    multiplies the second moment of the pair's (A_d, B_d) in that direction.

    Args:
        cos, sin: of phi.
        spread: variance of the angle, rad^2.
        centre, covariance: of (A_d for every pair, B_d for every pair), as `_features`.
    """
    half = len(centre) // 2
    (a, b), (aa, bb) = np.split(centre, 2), np.split(covariance.diagonal(), 2)
    both = 2 * covariance[:half, half:].diagonal() * cos * sin
    along = cos**2 * aa + both + sin**2 * bb + (cos * a + sin * b) ** 2
    across = sin**2 * aa - both + cos**2 * bb + (cos * b - sin * a) ** 2
    return (np.expm1(-spread) ** 2 / 2 * along - np.expm1(-2 * spread) / 2 * across).sum(axis=1)


def _moments(mean: np.ndarray, variance: np.ndarray) -> Moments:
    variance = np.asarray(np.maximum(variance, 0.0))
    return Moments(mean, np.asarray(variance + mean**2), variance)


def _checked_scale(scale: float | None, head_dim: int) -> float:
    factor = 1 / math.sqrt(head_dim) if scale is None else scale
    check_above("scale", factor, 0)
    return factor


def _check_growth(frequencies: Frequencies, least: float) -> None:
    if frequencies.log_decay is None:
        return
    growth = float(frequencies.log_decay.min()) * least
    if growth > _MAX_LOG_GROWTH:
        raise InputError(
            f"distance={least} lets xPos grow by exp({growth:.0f}), at most exp({_MAX_LOG_GROWTH:.0f}) can be "
            "handled; give keys nearer to or before their query"
        )


def _waves(
    distance: Float64[np.ndarray, " n"], frequencies: Frequencies
) -> Float64[np.ndarray, "n features"]:
    """What multiplies A_d, B_d and the unrotated rest at each distance."""
    omega, decay = frequencies.omega, frequencies.log_decay
    tables = [_tables(distance, omega, mu, 1.0 - mu, decay) for mu in (1.0, 0.0)]
    rest = np.ones((len(distance), 1))
    return np.concatenate([*(frequencies.attention_factor**2 * table for table in tables), rest], axis=1)


def _tables(
    distance: Float64[np.ndarray, " n"],
    omega: Float64[np.ndarray, " pairs"],
    mu: float,
    nu: float,
    log_decay: Float64[np.ndarray, " pairs"] | None = None,
) -> Float64[np.ndarray, "n pairs"]:
    """mu cos(distance omega_d) + nu sin(distance omega_d) of each pair, right to a few 2^-53 at any distance."""
    table = np.empty((len(distance), len(omega)))
    for pair in range(len(omega)):
        one = slice(pair, pair + 1)
        decay = None if log_decay is None else log_decay[one]
        table[:, pair] = expected_score(distance, omega[one], mu, nu, log_decay=decay)
    return table


def _features(
    law: GaussianLaw, frequencies: Frequencies
) -> tuple[Float64[np.ndarray, " features"], Float64[np.ndarray, "features features"]]:
    """Mean and covariance of (A_d for every pair, B_d for every pair, sum of q_j k_j over the rest)."""
    first, second = frequencies.pairs.T
    rest, pairs = np.arange(frequencies.rotary_dim, law.head_dim), np.arange(len(frequencies.omega))
    query = np.concatenate([first, second, first, second, rest])
    key = np.concatenate([first, second, second, first, rest])
    feature = np.concatenate(
        [pairs, pairs, len(pairs) + pairs, len(pairs) + pairs, 0 * rest + 2 * len(pairs)]
    )
    sign = np.ones(len(query))
    sign[3 * len(pairs) : 4 * len(pairs)] = -1.0
    gather = np.zeros((2 * len(pairs) + 1, len(query)))
    gather[feature, np.arange(len(query))] = sign
    products = query, key
    return gather @ _product_means(law, products), gather @ _product_covariance(law, products) @ gather.T


def _product_means(law: GaussianLaw, products: Products) -> Float64[np.ndarray, " products"]:
    """E q_a k_b of every product."""
    query, key = products
    return law.mean_q[query] * law.mean_k[key] + law.covariance[query, law.head_dim + key]


def _product_covariance(law: GaussianLaw, products: Products) -> Float64[np.ndarray, "products products"]:
    """Cov(q_a k_b, q_c k_d) of every two products."""
    query, key = products[0], law.head_dim + products[1]
    of_q, of_k, cross = (law.covariance[np.ix_(*rows)] for rows in ((query,) * 2, (key,) * 2, (query, key)))
    mean_q, mean_k = law.mean[query], law.mean[key]
    swapped = mean_k[:, None] * cross * mean_q
    centred = of_q * of_k + cross * cross.T
    return centred + mean_q[:, None] * of_k * mean_q + mean_k[:, None] * of_q * mean_k + swapped + swapped.T
