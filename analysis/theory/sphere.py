"""TAPA's score under query-key normalisation: q_P and k_P uniform on spheres, and a Bessel function.

The cosine c of the angle between two independent uniform directions in R^n has density proportional to
(1 - c^2)^((n-3)/2), and E exp(i t c) = 0F1(; n/2; -t^2/4) = Gamma(n/2) (2/t)^(n/2-1) J_{n/2-1}(t) (Watson 1944).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64
from scipy.special import gammaln, jv

from analysis.errors import InputError
from analysis.theory.bias import Distance
from analysis.theory.gaussian import Several, amplitude_dims, phase_rate
from analysis.theory.gaussian_law import Moments, as_floats
from analysis.theory.rotation import check_above

LARGEST_PHASE = 2.0**50  # rad: beyond it neighbouring float64 are a good part of a turn apart
LARGEST_DIMS = 512  # beyond it Bessel functions underflow before the series has stopped being accurate
_TERMS = 24  # of the series, whose k-th term is at most 2^k / k!


def sphere_moments(
    distance: Distance,
    head_dim: int,
    *,
    alpha: Several,
    amplitude_share: float,
    gain: float = 1.0,
    scale_phase: Several = 1.0,
    amplitude_mean: float = 0.0,
    amplitude_second: float | None = None,
) -> Moments:
    """Moments of eq 12's score with q_P and k_P independent and uniform on the sphere of radius gain sqrt(n).

    That is what RMS normalisation of the phase part leaves (Henry et al. 2020, arXiv 2010.04245; Wang et al.
    2025, arXiv 2509.12635, eq 12). The amplitude A = q_A.k_A / sqrt(a) is independent of the phase.

    Args:
        distance: tokens; only its absolute value counts.
        head_dim: of q and k; its first amplitude_share is the amplitude.
        alpha, scale_phase: exponent of the distance, > 0, and factor of the phase; they broadcast with the
            distances.
        gain: root mean square of the entries of q and of k, > 0.
        amplitude_mean, amplitude_second: E A and E A^2 >= (E A)^2; 0 and gain^4 if not given, those of q_A and
            k_A on spheres of radius gain sqrt(a).

    Raises:
        InputError: a value out of its range, shapes that do not broadcast, more than 512 phase dimensions, or
            a phase beyond 2^50 rad.
    """
    check_above("gain", gain, 0)
    dims = head_dim - amplitude_dims(head_dim, amplitude_share)
    second = gain**4 if amplitude_second is None else amplitude_second
    if not (math.isfinite(amplitude_mean) and amplitude_mean**2 <= second < math.inf):
        raise InputError(
            f"amplitude_mean={amplitude_mean} and amplitude_second={second} belong to no random variable; "
            "the second must be finite and at least the square of the first"
        )
    rate, _ = phase_rate(distance, alpha, scale_phase, dims)
    phase = rate * (gain**2 * dims)
    mean = amplitude_mean * mean_cosine(phase, dims)
    square = second * (1 + mean_cosine(2 * phase, dims)) / 2
    variance = np.maximum(square - mean**2, 0.0)
    return Moments(*(np.asarray(values) for values in (mean, square, variance)))


def mean_cosine(phase: Distance, dims: int) -> Float64[np.ndarray, "*n"]:
    """E cos(phase c), c the cosine between two independent uniform directions in R^dims; 1 at phase 0.

    Error below 1e-10 of the envelope, min(1, sqrt(2/pi) Gamma(dims/2) 2^(dims/2-1) phase^-((dims-1)/2)), for
    the phase as given; exactly 0 where that is below 1e-308. Raises `InputError` as `log_mean_cosine`.
    """
    sign, log = log_mean_cosine(phase, dims)
    return np.asarray(sign * np.exp(log))


def log_mean_cosine(
    phase: Distance, dims: int
) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
    """Sign and natural logarithm of the absolute value of `mean_cosine`, which may underflow.

    Args:
        phase: radians, |phase| <= 2^50: radius of q_P times radius of k_P times the rate of the phase.
        dims: of the sphere's space, 1 to 512; in R^1 a direction is a sign, and the mean is cos(phase).

    Raises:
        InputError: a value out of its range.
    """
    if isinstance(dims, bool) or not isinstance(dims, int | np.integer) or not 1 <= dims <= LARGEST_DIMS:
        raise InputError(f"dims={dims} is not a whole number from 1 to {LARGEST_DIMS}")
    t = np.asarray(np.abs(as_floats("phase", phase)))
    if t.size and t.max() > LARGEST_PHASE:
        raise InputError(
            f"a phase of {t.max():.3g} rad has no meaning in float64, at most 2^50 can be handled; "
            "give smaller distances, alpha, gain or scale_phase"
        )
    near = t * t <= 4 * dims
    far = np.where(near, 2 * math.sqrt(dims), t)
    bessel = jv(dims / 2 - 1, far)
    with np.errstate(divide="ignore"):  # a zero of the function
        log_far = gammaln(dims / 2) + (dims / 2 - 1) * np.log(2 / far) + np.log(np.abs(bessel))
        series = _series(np.where(near, t, 0.0), dims)
        log_near = np.log(np.abs(series))
    return np.where(near, np.sign(series), np.sign(bessel)), np.where(near, log_near, log_far)


def _series(t: np.ndarray, dims: int) -> np.ndarray:
    """0F1(; dims/2; -t^2/4) for t^2 <= 4 dims, by nested multiplication of its power series."""
    x, total = -t * t / 4, 1.0
    for k in range(_TERMS, 0, -1):
        total = 1 + total * x / (k * (dims / 2 + k - 1))
    return np.asarray(total)
