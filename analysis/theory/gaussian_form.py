"""Amplitude and phase of TAPA as polynomials in independent normal variables, and their tilted moments.

With q and k jointly Gaussian, phi = c + b.z + sum_j lambda_j z_j^2 and A = a0 + g.z + z^T G z for independent
standard normal z. Under exp(i u phi) the z_j stay independent, with complex variance w_j = 1/(1 - 2 i u lambda_j)
and mean i u b_j w_j. Re w_j > 0, so the principal root of each w_j is the one continued from u = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Complex128, Float64

from analysis.errors import InputError
from analysis.theory.gaussian_law import GaussianLaw

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
        raise InputError(f"phase={phase!r} is unknown; known: {', '.join(get_args(Phase))}")
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
