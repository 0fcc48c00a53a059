"""Mean and variance of every other encoding's score under jointly Gaussian q and k: RoPE and all its family
(extended, in part, xPos), ALiBi and NoPE, at any signed distance.

At any distance the score is sum_d s_d [A_d cos + B_d sin] + sum_j q_j k_j over pairs d and unrotated
dimensions j (Wang et al. 2025, arXiv 2509.12635, eq 3). So its mean is a combination of E A_d, E B_d and its
variance a quadratic form in the covariance of all A_d, B_d, both computed once for all distances. They consist
of products of two normal variables, whose covariances are sums over pairings (Isserlis 1918).

Accuracy. Rotations are right to a few 2^-53 at any distance (`bias`). Means and variances are sums of products,
off by at most (2 head_dim + 32) 2^-53 of the same sums with every term positive; nothing is subtracted from a
second moment.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int

from analysis.errors import InputError
from analysis.theory.bias import Distance, checked_distance, expected_score
from analysis.theory.gaussian_law import GaussianLaw, Moments
from analysis.theory.rotation import Frequencies, check_above, check_at_least

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
    """
    check_at_least("slope", slope, 0)
    plain = nope_moments(law, distance, scale=scale)
    bias = slope * np.abs(checked_distance(distance))
    return _moments(np.asarray(plain.mean - bias), plain.variance)


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
    pairs = len(frequencies.omega)
    waves = np.ones((len(distance), 2 * pairs + 1))
    for pair in range(pairs):
        one = slice(pair, pair + 1)
        decay = None if frequencies.log_decay is None else frequencies.log_decay[one]
        for column, mu, nu in ((pair, 1.0, 0.0), (pairs + pair, 0.0, 1.0)):
            waves[:, column] = expected_score(distance, frequencies.omega[one], mu, nu, log_decay=decay)
    waves[:, :-1] *= frequencies.attention_factor**2
    return waves


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
