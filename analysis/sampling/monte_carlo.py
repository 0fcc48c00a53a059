"""Monte Carlo of any encoding's score under any law of q and k: mean and variance by distance, with errors.

Four ways, all unbiased for the mean:

plain                independent draws of (q, k);
sobol                scrambled Sobol points, in independent scrambles whose spread gives the error (Owen 1997);
conditional          TAPA under a Gaussian law: draws of q_P alone, the rest averaged exactly (`conditional`);
conditional-sobol    the same with Sobol points.

Memory is that of a chunk of draws, whatever their number. Chunks are cut and seeded without regard to who works
on them and added up in their order, so a seed gives the same numbers, to the last bit, from any workers.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Float64
from scipy.stats import qmc
from torch import Tensor

from analysis.encodings import Encoding, LinearTapa, Tapa
from analysis.errors import InputError
from analysis.sampling.laws import Gaussian, Sampler, Uniforms, normals
from analysis.settings import nearest
from analysis.theory.gaussian_law import GaussianLaw
from analysis.theory.rope import checked_distance
from analysis.workers import HERE, Workers, run

# TAPA's score with everything but q_P averaged in closed form: Rao and Blackwell for Gaussian q and k.
#
# Given q_P = x, the phase times sqrt(n_P) is Y = w.k_P + b with w = x, b = 0 (quadratic) or w = 1, b = sum x
# (linear), and (q_A, k_A, k_P) is Gaussian with a mean linear in x and one covariance Sigma. Under exp(z Y)
# every mean shifts by z Cov(., Y), so with X = q_A.k_A and z imaginary
#
#     E[X exp(zY) | x] = exp(zy + z^2 s/2) m(z),              m(z) = c_0 + c_1 z + c_2 z^2
#     E[X^2 exp(zY) | x] = exp(zy + z^2 s/2) [m(z)^2 + v(z)],   v(z) = v_0 + v_1 z + v_2 z^2
#
# with y and s the mean and the variance of Y given x. Eight numbers a draw, and every distance follows.


_RESTS = 1e-12  # standard deviation over the largest, below which a direction of q_P does not move


@dataclass(frozen=True, eq=False)
class Given:
    """What the score's moments given q_P depend on, draw by draw; the names are the module's."""

    y: Float[Tensor, " samples"]
    s: Float[Tensor, " samples"]
    c: Float[Tensor, "3 samples"]
    v: Float[Tensor, "3 samples"]


class ConditionalTapa:
    """First and second moment of a TAPA score given q_P, for one Gaussian law of (q, k).

    Attributes:
        dimensions: uniform numbers that one draw of q_P takes.

    Raises:
        InputError: the law is for another head_dim.
    """

    def __init__(self, encoding: Tapa, law: GaussianLaw) -> None:
        if encoding.head_dim != law.head_dim:
            raise InputError(f"the encoding is for head_dim={encoding.head_dim}, the law for {law.head_dim}")
        self.encoding = encoding
        n, size = encoding.amplitude_dim, encoding.head_dim
        given, rest = np.r_[n:size], np.r_[0:n, size : 2 * size]  # q_P; q_A, k_A, k_P
        # (q, k) = mean + L z. The directions of z that q_P sees are drawn, the others averaged
        _, sizes, right = np.linalg.svd(law.factor[given], full_matrices=False)
        seen = right[sizes > _RESTS * sizes.max(initial=0.0)]
        hidden = law.factor[rest] - law.factor[rest] @ seen.T @ seen
        self.dimensions = len(seen)
        self._mean = torch.tensor(np.concatenate([law.mean[given], law.mean[rest]]))
        self._factor = torch.tensor(np.concatenate([law.factor[given], law.factor[rest]]) @ seen.T)
        cov = torch.tensor(hidden @ hidden.T)
        a, b, p = slice(0, n), slice(n, 2 * n), slice(2 * n, size + n)
        self._qq, self._kk, self._pp = cov[a, a].clone(), cov[b, b].clone(), cov[p, p].clone()
        self._qk, self._qp, self._kp = cov[a, b].clone(), cov[a, p].clone(), cov[b, p].clone()

    def given(self, uniforms: Uniforms) -> Given:
        """Draw q_P, and average the rest."""
        n, m = self.encoding.amplitude_dim, self.encoding.phase_dim
        means = self._mean + normals(uniforms) @ self._factor.T
        x, q, k, p = means.split([m, n, n, m], dim=-1)
        linear = isinstance(self.encoding, LinearTapa)
        w = torch.ones_like(x) if linear else x
        dot = torch.linalg.vecdot
        y = dot(w, p) + (x.sum(dim=-1) if linear else 0.0)
        tilt_q, tilt_k = w @ self._qp.T, w @ self._kp.T
        c = [dot(q, k) + self._qk.trace(), dot(q, tilt_k) + dot(tilt_q, k), dot(tilt_q, tilt_k)]
        still = (self._qq * self._kk).sum() + (self._qk * self._qk.T).sum()
        v = [
            still + self._form(q, k, q, k),
            2 * self._form(q, k, tilt_q, tilt_k),
            self._form(tilt_q, tilt_k, tilt_q, tilt_k),
        ]
        return Given(y, dot(w @ self._pp, w), torch.stack(c), torch.stack(v))

    def moments(
        self, given: Given, distance: Float[Tensor, " distances"]
    ) -> tuple[Float[Tensor, "samples distances"], Float[Tensor, "samples distances"]]:
        """E[score | q_P] and E[score^2 | q_P] at each distance."""
        scale = self.encoding.scale
        u = self.encoding.turn(distance, torch.float64) * self.encoding.phase_scale
        mean, _ = self._tilted(given, u)
        doubled = self._tilted(given, 2 * u)  # cos^2 = (1 + cos of twice the angle) / 2
        square = given.c[0] ** 2 + given.v[0]
        return scale * mean, scale**2 / 2 * (square[:, None] + doubled[1])

    def _tilted(self, given: Given, u: Tensor) -> tuple[Tensor, Tensor]:
        """Re E[X exp(iuY)] and Re E[X^2 exp(iuY)] given q_P."""
        columns = [part[..., None] for part in (given.y, given.s, *given.c, *given.v)]
        y, s, c0, c1, c2, v0, v1, v2 = columns
        damp, angle = torch.exp(-(u**2) * s / 2), u * y
        cos, sin = damp * torch.cos(angle), damp * torch.sin(angle)
        real, imag = c0 - c2 * u**2, c1 * u
        square_real, square_imag = real**2 - imag**2 + v0 - v2 * u**2, 2 * real * imag + v1 * u
        return real * cos - imag * sin, square_real * cos - square_imag * sin

    def _form(self, q: Tensor, k: Tensor, other_q: Tensor, other_k: Tensor) -> Tensor:
        """Bilinear form whose square is the variance that means q and k lend to q_A.k_A."""
        dot = torch.linalg.vecdot
        crossed = dot(q @ self._qk.T, other_k) + dot(other_q @ self._qk.T, k)
        return dot(q @ self._kk, other_q) + dot(k @ self._qq, other_k) + crossed


# Sums over draws that add up: from them the mean and variance of a score, and how far each is to be trusted.


_ROUNDING = 2.0**-50  # of a sum, relative to what was summed; part of every standard error
_SMALLEST = 1e-150  # standard error: the squares of anything smaller underflow


@dataclass(frozen=True, eq=False)
class Sums:
    """Count, means and centred second moments of (u, w) at every distance.

    u is a draw's first moment less an origin c, w its second moment about c less an origin of its own.
    """

    count: int
    mean: Float64[np.ndarray, "2 distances"]
    spread: Float64[np.ndarray, "3 distances"]  # sums of uu, uw, ww about the means
    top: Float64[np.ndarray, "2 distances"]  # largest uu and ww about the origins

    def __add__(self, other: Sums) -> Sums:
        """Of both samples together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        step = other.mean - self.mean
        weight = self.count * (other.count / count)
        products = step[[0, 0, 1]] * step[[0, 1, 1]]
        mean = self.mean + step * (other.count / count)
        spread = self.spread + other.spread + weight * products
        return Sums(count, mean, spread, np.maximum(self.top, other.top))


def with_errors(
    total: Sums,
    origin: Float64[np.ndarray, "2 distances"],
    distances: Float64[np.ndarray, " distances"],
) -> xr.Dataset:
    """Mean and variance, their standard errors, and the share of the scatter that the largest draw makes up."""
    (u, w), (uu, uw, ww) = total.mean, total.spread
    per_mean = total.count * (total.count - 1)  # turns a sum of squares into the variance of a mean
    noise = uu / per_mean
    variance = origin[1] + w - u**2 + noise  # u^2 exceeds the square it estimates by its own variance
    influence = np.maximum(ww - 4 * u * uw + 4 * u**2 * uu, 0.0)
    scatter = np.stack([uu, ww]) + total.count * total.mean**2
    mean_top, variance_top = np.divide(total.top, scatter, out=np.zeros_like(scatter), where=scatter > 0)
    mean = origin[0] + u
    size = np.sqrt(mean**2 + uu / total.count), np.abs(variance) + np.sqrt(ww / total.count)
    values = {
        "mean": mean,
        "mean_se": _bar(noise, size[0]),
        "mean_top": mean_top,
        "variance": np.maximum(variance, 0.0),
        "variance_se": _bar(influence / per_mean, size[1]),
        "variance_top": variance_top,
    }
    return xr.Dataset({k: ("distance", v) for k, v in values.items()}, {"distance": distances})


def _bar(noise: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Standard error from the variance of a mean, and from rounding of what was summed."""
    return np.maximum(np.hypot(np.sqrt(noise), _ROUNDING * size), _SMALLEST)


Method = Literal["plain", "sobol", "conditional", "conditional-sobol"]

CHUNK = 2**13  # draws at a time
SCRAMBLES = 32
_BLOCK = 2**20  # scores at a time: 8 MB
_PILOT = 256  # draws that place the origin of the sums
_BITS = 30  # of a Sobol coordinate
_TRUSTED = {"draws": 0.1, "scrambles": 0.5}  # largest share of the scatter that one of them may make up

At = Callable[[Float[Tensor, " distances"], Float[Tensor, " distances"]], tuple[Tensor, Tensor]]
"""From distances and an origin at each to first and second moment about it, (samples, distances)."""


@dataclass(frozen=True)
class Scores:
    """The score itself and its square, about an origin, of draws of (q, k)."""

    encoding: Encoding
    sampler: Sampler

    @property
    def dimensions(self) -> int:
        """Uniform numbers that a draw takes."""
        return self.sampler.dimensions

    def at(self, uniforms: Uniforms) -> At:
        """Draw."""
        q, k = self.sampler.draw(uniforms)

        def moments(distance: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
            away = self.encoding.pairwise(q, k, distance) - origin
            return away, away.square()

        return moments


@dataclass(frozen=True)
class Conditional:
    """Its moments given q_P, about an origin, of draws of q_P."""

    tapa: ConditionalTapa

    @property
    def dimensions(self) -> int:
        """Uniform numbers that a draw takes."""
        return self.tapa.dimensions

    def at(self, uniforms: Uniforms) -> At:
        """Draw."""
        given = self.tapa.given(uniforms)

        def moments(distance: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
            first, second = self.tapa.moments(given, distance)
            return first - origin, second - origin * (2 * first - origin)

        return moments


Integrand = Scores | Conditional


def estimate(
    encoding: Encoding,
    sampler: Sampler,
    distances: Float64[np.ndarray, " distances"],
    samples: int,
    *,
    method: Method = "plain",
    seed: int,
    workers: Workers = HERE,
    scrambles: int = SCRAMBLES,
) -> xr.Dataset:
    """Mean and variance of the score at every distance, with their standard errors.

    Args:
        encoding, sampler: of one head_dim.
        distances: query position minus key position, tokens, signed.
        samples: draws altogether; for Sobol points `scrambles` times a power of two.
        method: see the module.
        seed: >= 0.
        workers: who does the work; plays no part in the numbers.
        scrambles: independent scrambles of Sobol points, >= 2; the error has one degree of freedom less.

    Returns:
        Over distance: mean, mean_se, variance, variance_se; mean_top and variance_top, the share of the scatter
        that the largest draw (or scramble) makes up. Where that is not small, above 1/10 or among scrambles
        1/2, rare draws decide, and the error bar is too short. `samples`, `method`, `seed` as attributes.

    Raises:
        InputError: a value out of its range, a method that is unknown or has no closed form here, a score that is
            not finite, workers that cannot be reached.

    >>> from analysis.encodings import Nope
    >>> from analysis.sampling.laws import Gaussian, assumption_2_1
    >>> found = estimate(Nope(4), Gaussian(assumption_2_1(4, mu=0.5)), np.array([1.0]), 4096, seed=0)
    >>> abs(float(found['mean'][0]) - 0.5) < 5 * float(found['mean_se'][0])  # (D/2) mu / sqrt(D)
    True
    """
    lags = _checked(encoding, sampler, distances, samples, method, seed, scrambles)
    integrand = _integrand(encoding, sampler, method)
    children = np.random.SeedSequence(seed).spawn(2)
    origin = _pilot(integrand, lags, children[0])
    job = _Job(integrand, lags, origin)
    if method.endswith("sobol"):
        each = _points_each(samples, scrambles)
        tasks = ((child, each) for child in children[1].spawn(scrambles))
        found = run(job.scramble, tasks, workers)
    else:
        found = run(job.chunk, _chunks(children[1], samples), workers)
    return with_errors(_added(found), origin, lags).assign_attrs(method=method, samples=samples, seed=seed)


@dataclass(frozen=True, eq=False)
class _Job:
    """What every task has in common; travels to the workers."""

    integrand: Integrand
    distances: Float64[np.ndarray, " distances"]
    origin: Float64[np.ndarray, "2 distances"]

    def chunk(self, task: tuple[np.random.SeedSequence, int]) -> Sums:
        """Sums over independent draws."""
        seed, count = task
        return self._sums(open_uniforms(np.random.default_rng(seed), count, self.integrand.dimensions))

    def scramble(self, task: tuple[np.random.SeedSequence, int]) -> Sums:
        """Means over one scramble's points, as a single observation: its points are not independent."""
        seed, count = task
        rng = np.random.default_rng(seed)
        points = qmc.Sobol(self.integrand.dimensions, scramble=True, bits=_BITS, rng=rng)
        parts = (points.random(min(CHUNK, count - start)) for start in range(0, count, CHUNK))
        # cells' midpoints: a scrambled coordinate may be 0
        total = _added(self._sums(part + 2.0 ** -(_BITS + 1)) for part in parts)
        return Sums(1, total.mean, np.zeros_like(total.spread), total.mean**2)

    def _sums(self, uniforms: Uniforms) -> Sums:
        moments, count = self.integrand.at(uniforms), len(uniforms)
        columns = [self._block(moments, block) for block in _blocks(len(self.distances), count)]
        mean, spread, top = (np.concatenate(parts, axis=1) for parts in zip(*columns, strict=True))
        return Sums(count, mean, spread, top)

    def _block(self, moments: At, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means, spreads and largest squares at some distances."""
        c, c_square = torch.tensor(self.origin[:, block])
        first, second = moments(torch.tensor(self.distances[block]), c)
        x = torch.stack([first, second - c_square])
        means, top = x.mean(dim=1), x.square().amax(dim=1)
        u, w = x - means[:, None]
        spread = torch.stack([(u * u).sum(dim=0), (u * w).sum(dim=0), (w * w).sum(dim=0)])
        return means.numpy(), spread.numpy(), top.numpy()


def trusted(found: xr.Dataset) -> xr.DataArray:
    """Whether no rare draw decides the mean that `estimate` gives, at each distance: else its error is too short."""
    return found["mean_top"] < _TRUSTED["scrambles" if found.attrs["method"].endswith("sobol") else "draws"]


def open_uniforms(rng: np.random.Generator, samples: int, dimensions: int) -> Uniforms:
    """Uniform numbers that are neither 0 nor 1."""
    return np.maximum(rng.random((samples, dimensions)), 2.0**-54)


def _added(parts: Iterator[Sums]) -> Sums:
    """Their sum, in their order."""
    return functools.reduce(operator.add, parts)


def _integrand(encoding: Encoding, sampler: Sampler, method: Method) -> Integrand:
    if not method.startswith("conditional"):
        return Scores(encoding, sampler)
    if not isinstance(encoding, Tapa) or not isinstance(sampler, Gaussian):
        raise InputError(
            f"method={method!r} averages TAPA's score under a Gaussian law in closed form, not "
            f"{type(encoding).__name__}'s under {type(sampler).__name__}; take plain or sobol"
        )
    return Conditional(ConditionalTapa(encoding, sampler.law))


def _pilot(
    integrand: Integrand, distances: Float64[np.ndarray, " distances"], seed: np.random.SeedSequence
) -> Float64[np.ndarray, "2 distances"]:
    """Rough means: sums about them lose no digits where a mean is far from zero."""
    job = _Job(integrand, distances, np.zeros((2, len(distances))))
    mean, square = next(run(job.chunk, [(seed, _PILOT)], HERE)).mean
    bad = np.flatnonzero(~np.isfinite(square))
    if bad.size:
        raise InputError(
            f"the score at distance={distances[bad[0]]:g} is not finite; leave that distance out, "
            "a window may hide it or a number overflow"
        )
    return np.stack([mean, square - mean**2])


def _chunks(seed: np.random.SeedSequence, samples: int) -> Iterator[tuple[np.random.SeedSequence, int]]:
    """Seed and draws of every chunk; all are full but the last."""
    starts = range(0, samples, CHUNK)
    return ((seed.spawn(1)[0], min(CHUNK, samples - start)) for start in starts)


def _points_each(samples: int, scrambles: int) -> int:
    each = samples // scrambles
    if each < 1 or samples % scrambles or each & (each - 1) or each >= 2**_BITS:
        lower = scrambles * 2 ** max(0, math.floor(math.log2(max(each, 1))))
        raise InputError(
            f"samples={samples}: {scrambles} scrambles of Sobol points take {scrambles} times a power of two "
            f"below 2^{_BITS}; give {lower} or {2 * lower}"
        )
    return each


def _blocks(distances: int, samples: int) -> list[slice]:
    """Slices of the distances with about 2^20 scores each."""
    step = max(1, _BLOCK // samples)
    return [slice(start, start + step) for start in range(0, distances, step)]


def _checked(
    encoding: Encoding,
    sampler: Sampler,
    distances: Float64[np.ndarray, " distances"],
    samples: int,
    method: str,
    seed: int,
    scrambles: int,
) -> Float64[np.ndarray, " distances"]:
    """The distances, all else refused unless it is in its range."""
    if method not in get_args(Method):
        raise InputError(f"method={method!r} is unknown; {nearest(method, get_args(Method))}")
    if encoding.head_dim != sampler.head_dim:
        raise InputError(
            f"the encoding is for head_dim={encoding.head_dim}, the sampler draws {sampler.head_dim} dimensions"
        )
    for name, value, least in (("samples", samples, 2), ("seed", seed, 0), ("scrambles", scrambles, 2)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name}={value} is not a whole number of at least {least}")
    lags = checked_distance(distances)
    if lags.ndim != 1 or not lags.size:
        raise InputError(f"distances of shape {lags.shape} are not a list of at least one distance")
    return lags
