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
from typing import Literal, get_args

import numpy as np
from jaxtyping import Complex128, Float64, Real
from scipy.special import gammaln, jv

from analysis.errors import InputError
from analysis.settings import check_above, check_proper_share, nearest
from analysis.theory.gaussian_law import GaussianLaw, Moments, as_floats
from analysis.theory.rope import FAR, Distance, blocks, checked_distance

# Amplitude and phase of TAPA as polynomials in independent normal variables, and their tilted moments.
#
# With q and k jointly Gaussian, phi = c + b.z + sum_j lambda_j z_j^2 and A = a0 + g.z + z^T G z for
# independent standard normal z. Under exp(i u phi) the z_j stay independent, with complex variance w_j =
# 1/(1 - 2 i u lambda_j) and mean i u b_j w_j. Re w_j > 0, so the principal root of each w_j is the one
# continued from u = 0.


Phase = Literal["quadratic", "linear"]


_NULL = 2.0**-51  # eigenvalue over their number and the largest, below which it is rounding
_RESIDUE = 2.0**-50  # part of the mean outside the range of the covariance that is rounding, per dimension


@dataclass(frozen=True, eq=False)
class GaussianForm:
    """One law's phi and A, in the directions z_j that phi depends on; the other directions are averaged.

    With z~ = z + shift, also phi = rest_constant + rest_slope.z~ + sum_j lambda_j z~_j^2. Where the law of
    (q_P, k_P) reaches the origin, rest_constant and rest_slope are exactly 0.

    Attributes:
        amplitude_dims: a, the number of amplitude dimensions.
        eigenvalue: lambda.
        slope, constant: b and c.
        shift, rest_slope, rest_constant: see above.
        offset, gradient, matrix: of the mean of A given z: offset + gradient.z + z^T matrix z.
        variance_offset, variance_slope, variance_matrix: of the variance of A given z, quadratic in z.
    """

    amplitude_dims: int
    eigenvalue: Float64[np.ndarray, " size"]
    slope: Float64[np.ndarray, " size"]
    constant: float
    shift: Float64[np.ndarray, " size"]
    rest_slope: Float64[np.ndarray, " size"]
    rest_constant: float
    offset: float
    gradient: Float64[np.ndarray, " size"]
    matrix: Float64[np.ndarray, "size size"]
    variance_offset: float
    variance_slope: Float64[np.ndarray, " size"]
    variance_matrix: Float64[np.ndarray, "size size"]

    @property
    def size(self) -> int:
        """Number of directions, at least 1 for the sake of block sizes."""
        return max(1, len(self.eigenvalue))

    @property
    def largest(self) -> float:
        """The largest coefficient of phi in absolute value."""
        parts = (self.eigenvalue, self.slope, self.rest_slope, self.constant, self.rest_constant)
        return max(float(np.abs(part).max(initial=0.0)) for part in parts)

    def tilted(self, u: Float64[np.ndarray, " n"]) -> Tilted:
        """The law of z tilted by exp(i u phi), at every u >= 0."""
        return Tilted(self, u)


class Tilted:
    """Expectations under exp(i u phi), each over E exp(i u phi), whose logarithm is `log_factor`.

    Attributes:
        log_factor: log E exp(i u phi), continued from 0 at u = 0.
    """

    def __init__(self, form: GaussianForm, u: Float64[np.ndarray, " n"]) -> None:
        self._form, self._u = form, u
        x = 2 * u[:, None] * form.eigenvalue
        self._variance = np.empty(x.shape, dtype=np.complex128)
        self._variance.real = 1 / (1 + x * x)
        self._variance.imag = x * self._variance.real
        self._centred = not form.slope.any()
        self._mean = None if self._centred else 1j * u[:, None] * form.slope * self._variance
        exponent, self._use_shift = self._exponent()
        self.log_factor: Complex128[np.ndarray, " n"] = exponent
        self.log_factor -= np.log1p(x * x).sum(axis=1) / 4
        self.log_factor += 0.5j * np.arctan(x).sum(axis=1)

    def amplitude(self) -> Complex128[np.ndarray, " n"]:
        """E[A exp(i u phi)] / E exp(i u phi)."""
        form = self._form
        value = form.offset + self._variance @ form.matrix.diagonal()
        if self._mean is not None:
            value += self._mean @ form.gradient + _quadratic(self._mean, form.matrix)
        return value

    def amplitude_square(self) -> Complex128[np.ndarray, " n"]:
        """E[A^2 exp(i u phi)] / E exp(i u phi)."""
        form, weight = self._form, self._variance
        value = self.amplitude() ** 2 + form.variance_offset + weight @ form.variance_matrix.diagonal()
        value += 2 * _quadratic(weight, form.matrix**2)
        gradient = np.broadcast_to(form.gradient, weight.shape)
        if self._mean is not None:
            value += self._mean @ form.variance_slope + _quadratic(self._mean, form.variance_matrix)
            gradient = gradient + 2 * _times(self._mean, form.matrix)
        return value + (gradient**2 * weight).sum(axis=1)

    def amplitude_derivative(self) -> Complex128[np.ndarray, " n"]:
        """d/du of E[A exp(i u phi)], over E exp(i u phi)."""
        form, square = self._form, self._variance**2
        inner = 2j * square @ (form.eigenvalue * form.matrix.diagonal())
        if self._mean is not None:
            velocity = 1j * form.slope * square
            gradient = form.gradient + 2 * _times(self._mean, form.matrix)
            inner += (velocity * gradient).sum(axis=1)
        return inner + 1j * self._phase() * self.amplitude()

    def _phase(self) -> np.ndarray:
        """E[phi exp(i u phi)] / E exp(i u phi)."""
        form, weight = self._form, self._variance
        if self._mean is None:
            return form.constant + weight @ form.eigenvalue
        shifted = (form.shift + 1j * self._u[:, None] * form.rest_slope) * weight
        direct = form.constant + self._mean @ form.slope + (weight + self._mean**2) @ form.eigenvalue
        rest = form.rest_constant + shifted @ form.rest_slope + (weight + shifted**2) @ form.eigenvalue
        return np.where(self._use_shift, rest, direct)

    def _exponent(self) -> tuple[np.ndarray, np.ndarray]:
        """Logarithm of the factor apart from its determinant, from whichever form of phi rounds less.

        For phi = c + b.z + lambda z^2 it is i u c - u^2 b^2 w / 2. As u grows its two terms cancel, if the law
        reaches the origin; those of the other form, about z = -shift, do not, but cancel for small u.
        """
        form, u, weight = self._form, self._u, self._variance
        direct, size = 1j * u * form.constant, u * abs(form.constant)
        if self._centred:
            return direct, np.zeros(len(u), dtype=bool)
        modulus, square = np.abs(weight), u * u / 2
        direct -= square * (weight @ form.slope**2)
        size += square * (modulus @ form.slope**2)
        bend, tilt = form.eigenvalue * form.shift**2, form.rest_slope * form.shift
        rest = 1j * u * (form.rest_constant + weight @ (bend + tilt)) - square * (weight @ form.rest_slope**2)
        rest_size = u * (abs(form.rest_constant) + modulus @ (np.abs(bend) + np.abs(tilt)))
        rest_size += square * (modulus @ form.rest_slope**2)
        return np.where(rest_size < size, rest, direct), rest_size < size


def decompose(law: GaussianLaw, amplitude_dims: int, phase: Phase) -> GaussianForm:
    """The law's phi and A in independent directions: one eigendecomposition.

    Raises `InputError` for an unknown phase.
    """
    if phase not in get_args(Phase):
        raise InputError(f"phase={phase!r} is unknown; {nearest(phase, get_args(Phase))}")
    amplitude, angle = _parts(law, amplitude_dims)
    curvature, slope, constant, rest = _phase_form(angle, phase, law.factor.shape[1])
    eigenvalue, basis = np.linalg.eigh(curvature)
    live = np.abs(eigenvalue) > len(eigenvalue) * _NULL * np.abs(eigenvalue).max(initial=0.0)
    basis = np.concatenate([basis[:, live], basis[:, ~live]], axis=1)
    eigenvalue = eigenvalue[live]
    shift, rest_slope, rest_constant = rest
    flat = basis[:, len(eigenvalue) :]
    if (residual := flat.T @ rest_slope).any():  # phi is linear in one flat direction: put it first
        basis[:, len(eigenvalue) :] = flat @ np.linalg.qr(residual[:, None], mode="complete")[0]
        eigenvalue = np.append(eigenvalue, 0.0)
    size = len(eigenvalue)
    slope, rest_slope, shift = (basis[:, :size].T @ vector for vector in (slope, rest_slope, shift))
    return GaussianForm(
        amplitude_dims,
        eigenvalue,
        slope,
        constant,
        shift,
        rest_slope,
        rest_constant,
        *_amplitude_form(amplitude, basis, size),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Means and rows of the factor that belong to the amplitude, or to the phase, of q and of k."""

    mean_q: np.ndarray
    mean_k: np.ndarray
    factor_q: np.ndarray
    factor_k: np.ndarray
    spread: np.ndarray

    def curvature(self) -> np.ndarray:
        """Matrix of q.k as a quadratic form in z."""
        product = self.factor_q.T @ self.factor_k
        return (product + product.T) / 2

    def slope(self, mean_q: np.ndarray, mean_k: np.ndarray) -> np.ndarray:
        """Gradient of q.k in z at 0, for the given means."""
        return self.factor_q.T @ mean_k + self.factor_k.T @ mean_q


def _parts(law: GaussianLaw, amplitude_dims: int) -> tuple[_Part, _Part]:
    def part(rows: slice) -> _Part:
        factor, spread = law.factor, law.spread
        q, k = slice(None, law.head_dim), slice(law.head_dim, None)
        both = np.concatenate([spread[q][rows], spread[k][rows]])
        return _Part(law.mean_q[rows], law.mean_k[rows], factor[q][rows], factor[k][rows], both)

    return part(slice(None, amplitude_dims)), part(slice(amplitude_dims, None))


def _phase_form(part: _Part, phase: Phase, rank: int) -> tuple[np.ndarray, np.ndarray, float, tuple]:
    """Curvature, slope and constant of phi in z, and its shift, rest_slope and rest_constant."""
    if phase == "linear":
        slope = (part.factor_q + part.factor_k).sum(axis=0)
        constant = float((part.mean_q + part.mean_k).sum())
        return np.zeros((rank, rank)), slope, constant, (np.zeros(rank), slope, constant)
    shift, rest_q, rest_k = _reach_origin(part)
    rest = shift, part.slope(rest_q, rest_k), float(rest_q @ rest_k)
    return part.curvature(), part.slope(part.mean_q, part.mean_k), float(part.mean_q @ part.mean_k), rest


def _reach_origin(part: _Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """shift with factor @ shift as near to the mean as can be, in standard deviations, and what is left."""
    mean = np.concatenate([part.mean_q, part.mean_k])
    factor = np.concatenate([part.factor_q, part.factor_k])
    moving = part.spread > 0
    rows, goal = factor[moving] / part.spread[moving, None], mean[moving] / part.spread[moving]
    shift = np.linalg.lstsq(rows, goal, rcond=None)[0]
    left = goal - rows @ shift
    rounding = len(mean) * _RESIDUE * (np.linalg.norm(goal) + np.linalg.norm(rows) * np.linalg.norm(shift))
    rest = mean.copy()
    rest[moving] = 0.0 if np.linalg.norm(left) <= rounding else left * part.spread[moving]
    return shift, rest[: len(part.mean_q)], rest[len(part.mean_q) :]


def _amplitude_form(part: _Part, basis: np.ndarray, size: int) -> tuple:
    """Mean and variance of A given the first `size` directions, as polynomials; see `GaussianForm`."""
    matrix = basis.T @ part.curvature() @ basis
    gradient = basis.T @ part.slope(part.mean_q, part.mean_k)
    known, other = slice(None, size), slice(size, None)
    across, rest = matrix[known, other], matrix[other, other]
    return (
        float(part.mean_q @ part.mean_k + rest.trace()),
        gradient[known],
        matrix[known, known],
        float(gradient[other] @ gradient[other] + 2 * (rest**2).sum()),
        4 * across @ gradient[other],
        4 * across @ across.T,
    )


def _times(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Complex rows times a real matrix, as two real products."""
    product = np.empty((len(rows), matrix.shape[1]), dtype=np.complex128)
    product.real, product.imag = np.real(rows) @ matrix, np.imag(rows) @ matrix
    return product


def _quadratic(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """x^T matrix x of every complex row x, nothing conjugated."""
    return (_times(rows, matrix) * rows).sum(axis=1)


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

    >>> from analysis.theory.gaussian_law import correlated
    >>> m = tapa_moments(correlated(64, 0.1), np.array([1, 1000]), alpha=0.1, amplitude_share=0.5, scale_phase=0.1)
    >>> m.mean.round(4), m.variance.round(3)  # the mean falls, the variance hardly
    (array([0.4357, 0.2035]), array([0.713, 0.638]))
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

    >>> from analysis.theory.gaussian_law import correlated
    >>> x = local_exponent(correlated(8, 0.1), 1e12, alpha=0.5, amplitude_share=0.5)
    >>> float(x.round(3))  # -alpha n far away, n = 4 phase dimensions
    -2.0
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


ROUNDINGS = ("nearest", "down")
"""How a share of a head becomes whole dimensions: to the nearest, or as the authors' released kernel does."""


def amplitude_dims(head_dim: int, amplitude_share: float, rounding: str = "nearest") -> int:
    """Number of dimensions in the amplitude, the share of head_dim as a whole number.

    Args:
        head_dim: of a head.
        amplitude_share: in (0, 1).
        rounding: "nearest"; or "down", which leaves amplitude and phase a dimension at least: max(1, min(int(theta D),
            D - 1)), as the released kernel computes it (`tapa-code.score`).

    Raises `InputError` for a head_dim that is no whole number above 0, or a share that is outside (0, 1) or
    leaves amplitude or phase without a dimension.

    >>> amplitude_dims(64, 0.25), amplitude_dims(64, 0.9), amplitude_dims(64, 0.9, "down")
    (16, 58, 57)
    """
    if rounding not in ROUNDINGS:
        raise InputError(f"rounding={rounding!r} is unknown; {nearest(rounding, ROUNDINGS)}")
    if isinstance(head_dim, bool) or not isinstance(head_dim, int | np.integer) or head_dim < 1:
        raise InputError(f"head_dim={head_dim} is not a whole number of at least 1")
    check_proper_share("amplitude_share", amplitude_share)
    dims = round(head_dim * amplitude_share)
    if rounding == "down":
        dims = max(1, min(int(amplitude_share * head_dim), head_dim - 1))
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


# TAPA's score under query-key normalisation: q_P and k_P uniform on spheres, and a Bessel function.
#
# The cosine c of the angle between two independent uniform directions in R^n has density proportional to (1
# - c^2)^((n-3)/2), and E exp(i t c) = 0F1(; n/2; -t^2/4) = Gamma(n/2) (2/t)^(n/2-1) J_{n/2-1}(t) (Watson
# 1944).


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

    >>> mean_cosine(np.array([0.0, 10.0]), 64).round(4)
    array([1.    , 0.4535])
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
