"""TAPA's score under jointly Gaussian q and k: mean, second moment and variance at any distance, exactly.

Eq 12 is A cos(u phi) with A = q_A.k_A / sqrt(a), u = 2 pi |distance|^alpha / sqrt(n) and phi = q_P.k_P, or the
sum of all entries of q_P and k_P for the linear phase, eq 16 (Wang et al. 2025, arXiv 2509.12635); a and n are
the dimensions of the two parts. `gaussian_form` writes A and phi as polynomials in independent normal z_j.
There E exp(i u phi) is a product over j whose every square root is a principal one, which continues the root
from u = 0; the root of the product alone, a determinant, would not say which of two it is. The moments of A are
those of a normal law of complex mean and variance, the one tilted by exp(i u phi), times that product.

Accuracy. One eigendecomposition serves all distances. Its rounding moves every lambda_j by some 2^-53 L, L being
the largest standard deviations of q_P and k_P in any direction, multiplied, and so E exp(i u phi) by dims 2^-53
sum_j min(u L, L/|lambda_j|) of its modulus. For n up to 256, u from 1e-9 to 1e9 and a correlation matrix of
condition below 1e4, with means of up to some standard deviations,
- the mean is off by less than 1e-10 |E exp(i u phi)| max(sqrt(E A^2), |tilted mean of A|), as is its logarithm;
- the second moment and the variance are off by less than 1e-10 E A^2.
Where the law is singular and (q_P, k_P) cannot reach the origin, phi has stationary values c_j other than 0 along
the z_j, whose phases u c_j are known to u 2^-50 sum_j |c_j| L/|lambda_j| rad only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Real

from analysis.errors import InputError
from analysis.theory.bias import FAR, Distance, blocks, checked_distance
from analysis.theory.gaussian_form import GaussianForm, Phase, decompose
from analysis.theory.gaussian_law import GaussianLaw, Moments, as_floats

Several = Real[np.ndarray, "..."] | float | int
"""One value, or an array that broadcasts with the distances."""

_LARGEST = 1e150  # of phases in radians: squares must not overflow


def tapa_moments(
    law: GaussianLaw,
    distance: Distance,
    *,
    alpha: Several,
    amplitude_share: float,
    phase: Phase = "quadratic",
    scale_phase: Several = 1.0,
) -> Moments:
    """E[score], E[score^2] and Var of TAPA's score (Wang et al. 2025, eq 12; eq 16 for the linear phase).

    Distance, alpha and scale_phase broadcast, so a whole map over them costs one decomposition.

    Args:
        law: of (q, k); the first amplitude_share of each is the amplitude part.
        distance: tokens; only its absolute value counts.
        alpha: exponent of the distance, > 0.
        amplitude_share: in (0, 1), see `amplitude_dims`.
        phase: "quadratic" or "linear".
        scale_phase: factor of the phase; 1 in the paper.

    Raises:
        InputError: a value out of its range, shapes that do not broadcast, or a phase beyond 1e150 rad.
    """
    form, u, _ = _prepared(law, distance, alpha, amplitude_share, phase, scale_phase)
    flat, mean, wave = u.ravel(), np.empty(u.size), np.empty(u.size)
    for block in blocks(flat.size, form.size):
        once, twice = form.tilted(flat[block]), form.tilted(2 * flat[block])
        mean[block] = np.real(np.exp(once.log_factor) * once.amplitude())
        wave[block] = np.real(np.exp(twice.log_factor) * twice.amplitude_square())
    whole = form.tilted(np.zeros(1)).amplitude_square()[0].real
    second = np.maximum((whole + wave) / 2, 0.0) / form.amplitude_dims
    mean /= math.sqrt(form.amplitude_dims)
    variance = np.maximum(second - mean**2, 0.0)
    return Moments(*(values.reshape(u.shape) for values in (mean, second, variance)))


def tapa_log_mean(
    law: GaussianLaw,
    distance: Distance,
    *,
    alpha: Several,
    amplitude_share: float,
    phase: Phase = "quadratic",
    scale_phase: Several = 1.0,
) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
    """Sign and natural logarithm of |E[score]|, where the mean itself underflows too; 0 and -inf for a mean of 0.

    Arguments and errors are those of `tapa_moments`.
    """
    form, u, _ = _prepared(law, distance, alpha, amplitude_share, phase, scale_phase)
    flat, sign, log = u.ravel(), np.empty(u.size), np.empty(u.size)
    for block in blocks(flat.size, form.size):
        tilted = form.tilted(flat[block])
        wave = np.real(np.exp(1j * np.imag(tilted.log_factor)) * tilted.amplitude())
        sign[block] = np.sign(wave)
        with np.errstate(divide="ignore"):  # a mean of 0
            log[block] = np.real(tilted.log_factor) + np.log(np.abs(wave))
    log -= math.log(form.amplitude_dims) / 2
    return sign.reshape(u.shape), log.reshape(u.shape)


def local_exponent(
    law: GaussianLaw,
    distance: Distance,
    *,
    alpha: Several,
    amplitude_share: float,
    phase: Phase = "quadratic",
    scale_phase: Several = 1.0,
) -> Float64[np.ndarray, "*n"]:
    """d log|E[score]| / d log|distance|, from the exact derivative: -1 where the mean falls like 1/distance.

    0 at distance 0, infinite where the mean crosses 0, nan where it is 0 throughout (an amplitude that is
    centred whatever the phase). Arguments and errors are those of `tapa_moments`.
    """
    form, u, power = _prepared(law, distance, alpha, amplitude_share, phase, scale_phase)
    flat, slope = u.ravel(), np.empty(u.size)
    for block in blocks(flat.size, form.size):
        tilted = form.tilted(flat[block])
        turn = np.exp(1j * np.imag(tilted.log_factor))
        value, derivative = tilted.amplitude(), tilted.amplitude_derivative()
        with np.errstate(divide="ignore", invalid="ignore"):  # a mean of 0
            slope[block] = flat[block] * np.real(turn * derivative) / np.real(turn * value)
    return np.asarray(power * slope.reshape(u.shape))


@dataclass(frozen=True, slots=True)
class LeadingTerm:
    """E[score] ~ exp(log_constant) |distance|^-exponent cos(angle + 2 pi turns |distance|^alpha) far away.

    Attributes:
        alpha: exponent of the distance in the phase.
        exponent: alpha r / 2, r the rank of the phase as a quadratic form: alpha n, as in eq 14, where q_P and
            k_P have a density; smaller for singular laws.
        log_constant: natural logarithm of the constant; -inf if the leading term is zero.
        angle: radians; 0 or pi (the sign) where q_P and k_P have a density.
        turns: 0 where the law of (q_P, k_P) reaches the origin, in particular where it has a density.
    """

    alpha: float
    exponent: float
    log_constant: float
    angle: float
    turns: float

    def mean(self, distance: Distance) -> Float64[np.ndarray, "*n"]:
        """The leading term at the given distances, which must not be 0; `InputError` for one that is."""
        lags = np.abs(checked_distance(distance, FAR))
        if not lags.all():
            raise InputError("distance=0 has no leading term; give distances other than 0")
        wave = np.cos(self.angle + 2 * math.pi * self.turns * lags**self.alpha)
        return np.asarray(np.exp(self.log_constant - self.exponent * np.log(lags)) * wave)


def leading_term(
    law: GaussianLaw, *, alpha: float, amplitude_share: float, scale_phase: float = 1.0
) -> LeadingTerm:
    """How E[score] decays far away for the quadratic phase: eq 14's power with its true constant.

    Where q_P and k_P have a density, |distance|^(alpha n) E[score] tends to (sqrt(n)/scale_phase)^n / sqrt(a)
    times the integral of q_A.k_A over the density at q_P = k_P = 0 (stationary phase, leading order). If also
    q_P and k_P are centred and independent of the amplitude, its modulus bounds |E[score]| at every distance.

    Raises:
        InputError: as `tapa_moments`; or a mean that decays faster than any power, because the phase is
            linear along some direction (a constant q_P or k_P, for example).
    """
    form, u, _ = _prepared(law, 1.0, float(alpha), amplitude_share, "quadratic", float(scale_phase))
    if (form.eigenvalue == 0).any():
        raise InputError(
            "the mean decays faster than any power of the distance: phi is linear along some direction of the law"
        )
    lam, ratio = form.eigenvalue, form.slope / (2 * form.eigenvalue)
    amplitude = form.offset - ratio @ form.gradient + ratio @ form.matrix @ ratio
    log_factor = -0.5 * float(np.log(2 * float(u) * np.abs(lam)).sum() + (ratio**2).sum())
    with np.errstate(divide="ignore"):  # a leading term of 0
        log_amplitude = float(np.log(abs(amplitude) / math.sqrt(form.amplitude_dims)))
    stationary = form.rest_constant - (form.rest_slope**2 / (4 * lam)).sum()
    return LeadingTerm(
        alpha=float(alpha),
        exponent=float(alpha) * len(lam) / 2,
        log_constant=log_factor + log_amplitude,
        angle=math.pi / 4 * float(np.sign(lam).sum()) + (math.pi if amplitude < 0 else 0.0),
        turns=float(u) * float(stationary) / (2 * math.pi),
    )


def amplitude_dims(head_dim: int, amplitude_share: float) -> int:
    """Number of dimensions in the amplitude, the share of head_dim to the nearest whole number.

    Raises `InputError` for a head_dim that is no whole number above 0, or a share that is outside (0, 1) or
    leaves amplitude or phase without a dimension.
    """
    if isinstance(head_dim, bool) or not isinstance(head_dim, int | np.integer) or head_dim < 1:
        raise InputError(f"head_dim={head_dim} is not a whole number of at least 1")
    if not 0 < amplitude_share < 1:
        raise InputError(f"amplitude_share={amplitude_share} is outside (0, 1)")
    dims = round(head_dim * amplitude_share)
    if not 0 < dims < head_dim:
        part = "phase" if dims else "amplitude"
        raise InputError(f"amplitude_share={amplitude_share} of head_dim={head_dim} leaves the {part} empty")
    return dims


def phase_rate(
    distance: Distance, alpha: Several, scale_phase: Several, dims: int
) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
    """u = 2 pi scale_phase |distance|^alpha / sqrt(dims), the radians a unit of phi makes, and alpha, broadcast.

    Raises:
        InputError: alpha <= 0, a value that is not finite, shapes that do not broadcast, u above 1e150.
    """
    lags = np.abs(checked_distance(distance, FAR))
    power, factor = as_floats("alpha", alpha), as_floats("scale_phase", scale_phase)
    if (power <= 0).any():
        raise InputError(f"alpha={power.min()} must be above 0")
    try:
        lags, power, factor = np.broadcast_arrays(lags, power, factor)
    except ValueError as error:
        raise InputError(
            f"distance has shape {lags.shape}, alpha {power.shape}, scale_phase {factor.shape}; "
            "they do not broadcast"
        ) from error
    with np.errstate(over="ignore"):
        rate = np.asarray(2 * math.pi / math.sqrt(dims) * np.abs(factor) * lags**power)
    check_phase(float(rate.max(initial=0.0)))
    return rate, power


def check_phase(largest: float) -> None:
    """`InputError` for a phase, in radians, whose square overflows or nearly so."""
    if not largest <= _LARGEST:
        raise InputError(
            f"a phase reaches {largest:.3g} rad, at most {_LARGEST:g} can be handled; "
            "give smaller distances, alpha, scale_phase or a smaller law"
        )


def _prepared(
    law: GaussianLaw,
    distance: Distance,
    alpha: Several,
    amplitude_share: float,
    phase: Phase,
    scale_phase: Several,
) -> tuple[GaussianForm, np.ndarray, np.ndarray]:
    """The law as a form, and u and alpha at every distance."""
    dims = amplitude_dims(law.head_dim, amplitude_share)
    u, power = phase_rate(distance, alpha, scale_phase, law.head_dim - dims)
    form = decompose(law, dims, phase)
    check_phase(2 * float(u.max(initial=0.0)) * form.largest)
    return form, u, power
