"""Laws of one query and one key to draw from, and laws built to meet or to break the paper's hypotheses.

A sampler turns uniform numbers into queries and keys, so that pseudorandom and quasi-random points serve alike.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.special import gammaincinv, ndtri
from torch import Tensor

from analysis.errors import InputError
from analysis.settings import check_above, check_even, check_head_dim
from analysis.theory.frequencies import Pairing
from analysis.theory.gaussian_law import GaussianLaw

Uniforms: TypeAlias = Float64[np.ndarray, "samples dimensions"]
Vectors: TypeAlias = Float[Tensor, "samples head_dim"]


class Sampler(ABC):
    """A law of (q, k).

    Attributes:
        head_dim: of q and k.
        dimensions: uniform numbers that one draw takes; the first matter most where one can tell.
    """

    head_dim: int
    dimensions: int

    @abstractmethod
    def draw(self, uniforms: Uniforms) -> tuple[Vectors, Vectors]:
        """Queries and keys, float64, from independent uniform numbers strictly between 0 and 1."""


def normals(uniforms: Uniforms) -> Float[Tensor, "samples dimensions"]:
    """Standard normal numbers by the inverse of their distribution function."""
    return torch.tensor(ndtri(uniforms))


@dataclass(frozen=True, eq=False)
class Gaussian(Sampler):
    """(q, k) jointly Gaussian.

    >>> from analysis.theory.gaussian_law import independent
    >>> q, k = Gaussian(independent(2)).draw(np.full((3, 4), 0.5))
    >>> q.shape, float(q.abs().max())  # the median of every coordinate
    (torch.Size([3, 2]), 0.0)
    """

    law: GaussianLaw
    head_dim: int = field(init=False)
    dimensions: int = field(init=False)
    factor: Float[Tensor, "size dimensions"] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "head_dim", self.law.head_dim)
        # the law's directions come with their variance rising; quasi-random points like the largest first
        object.__setattr__(self, "factor", torch.tensor(self.law.factor[:, ::-1].copy()))
        object.__setattr__(self, "dimensions", self.factor.shape[1])
        if not self.dimensions:
            raise InputError("the law has no variance in any direction; there is nothing to sample")

    def draw(self, uniforms: Uniforms) -> tuple[Vectors, Vectors]:
        """mean + factor z with standard normal z."""
        x = torch.tensor(self.law.mean) + normals(uniforms) @ self.factor.T
        return x[:, : self.head_dim], x[:, self.head_dim :]


@dataclass(frozen=True, eq=False)
class Student(Sampler):
    """Heavy tails: q and k are those of a Gaussian law, their deviations from the mean divided by
    sqrt(chi^2/degrees), each by its own.

    A multivariate t for q and one for k. Under `degrees` up to 4 the error of a variance would have no bound.

    Attributes:
        law: of the Gaussian; its covariance is that of (q, k) within the factor degrees/(degrees - 2), where q
            and k do not mix.
        degrees: of freedom, > 4.

    >>> Student(assumption_2_1(4, mu=0.2), degrees=5).head_dim
    4
    """

    law: GaussianLaw
    degrees: float
    head_dim: int = field(init=False)
    dimensions: int = field(init=False)
    gaussian: Gaussian = field(init=False)

    def __post_init__(self) -> None:
        if not 4 < self.degrees < math.inf:
            raise InputError(
                f"degrees={self.degrees} must be finite and above 4, or a variance has no error bar"
            )
        object.__setattr__(self, "gaussian", Gaussian(self.law))
        object.__setattr__(self, "head_dim", self.law.head_dim)
        object.__setattr__(self, "dimensions", 2 + self.gaussian.dimensions)

    def draw(self, uniforms: Uniforms) -> tuple[Vectors, Vectors]:
        """The first two numbers give the tails of q and k."""
        half = self.degrees / 2
        stretch = torch.tensor(np.sqrt(half / gammaincinv(half, uniforms[:, :2])))
        means = torch.tensor(self.law.mean_q), torch.tensor(self.law.mean_k)
        pair = self.gaussian.draw(uniforms[:, 2:])
        q, k = (m + stretch[:, [i]] * (x - m) for i, (x, m) in enumerate(zip(pair, means, strict=True)))
        return q, k


@dataclass(frozen=True, eq=False)
class Sphere(Sampler):
    """q and k independent and uniform on spheres: query-key normalisation of directionless vectors.

    Attributes:
        head_dim: of q and k.
        amplitude_dim: first dimensions, normalised apart from the rest; None for one sphere. 1 to head_dim - 1.
        gain: root mean square of the entries, > 0.

    >>> q, k = Sphere(4).draw(np.random.default_rng(0).uniform(size=(100, 8)))
    >>> round(float(q.square().mean(-1).min()), 3), round(float(q.square().mean(-1).max()), 3)
    (1.0, 1.0)
    """

    head_dim: int
    amplitude_dim: int | None = None
    gain: float = 1.0
    dimensions: int = field(init=False)

    def __post_init__(self) -> None:
        check_head_dim(self.head_dim)
        check_above("gain", self.gain, 0)
        if self.amplitude_dim is not None and not 0 < self.amplitude_dim < self.head_dim:
            raise InputError(f"amplitude_dim={self.amplitude_dim} is outside 1 .. {self.head_dim - 1}")
        object.__setattr__(self, "dimensions", 2 * self.head_dim)

    def draw(self, uniforms: Uniforms) -> tuple[Vectors, Vectors]:
        """Gaussian vectors, each part divided by its root mean square."""
        z = normals(uniforms).unflatten(1, (2, self.head_dim))
        cut = self.amplitude_dim or self.head_dim
        parts = [part for part in (z[..., :cut], z[..., cut:]) if part.shape[-1]]
        sizes = [part.square().mean(dim=-1, keepdim=True).sqrt() for part in parts]
        q, k = torch.cat([self.gain * p / s for p, s in zip(parts, sizes, strict=True)], dim=-1).unbind(1)
        return q, k


@dataclass(frozen=True, eq=False)
class Empirical(Sampler):
    """Rows of captured queries and keys, drawn with replacement.

    Attributes:
        q, k: one a row, before any position is applied; finite.
        matched: whether row i of q is drawn with row i of k. If not, they are drawn independently.
    """

    q: Float[Tensor, "queries head_dim"]
    k: Float[Tensor, "keys head_dim"]
    matched: bool = False
    head_dim: int = field(init=False)
    dimensions: int = field(init=False)

    def __post_init__(self) -> None:
        shapes = f"q of shape {tuple(self.q.shape)}, k of shape {tuple(self.k.shape)}"
        if self.q.ndim != 2 or self.k.ndim != 2 or self.q.shape[1] != self.k.shape[1] or not self.q.shape[1]:
            raise InputError(f"{shapes}: both must be (rows, head_dim) with one head_dim")
        if not len(self.q) or not len(self.k) or (self.matched and len(self.q) != len(self.k)):
            raise InputError(
                f"{shapes}: give at least one row of each, and as many of both if they are matched"
            )
        for name, x in (("q", self.q), ("k", self.k)):
            if not torch.isfinite(x).all():
                raise InputError(f"{name} holds a value that is not finite")
            object.__setattr__(self, name, x.detach().double())
        object.__setattr__(self, "head_dim", self.q.shape[1])
        object.__setattr__(self, "dimensions", 1 if self.matched else 2)

    def draw(self, uniforms: Uniforms) -> tuple[Vectors, Vectors]:
        """Row number floor(u rows)."""
        rows = np.array([len(self.q), len(self.k)])[: self.dimensions]
        chosen = torch.tensor((uniforms * rows).astype(np.int64))
        return self.q[chosen[:, 0]], self.k[chosen[:, -1]]


def assumption_2_1(
    head_dim: int, *, mu: float = 0.0, nu: float = 0.0, sd: float = 1.0, pairing: Pairing = "interleaved"
) -> GaussianLaw:
    """A centred law that meets Assumption 2.1 with these mu_0 and nu_0 (Wang et al. 2025, eq 5).

    Every coordinate has standard deviation sd; pairs are independent of each other. Within a pair q and k have
    covariance mu/2 in the same coordinate and +-nu/2 across, so E A_d = mu, E B_d = nu, and E (q_d k_d)^2 =
    sd^4 + mu^2/2 for every d.

    Args:
        pairing: which dimensions form a pair: "interleaved" as in the paper, "halves" as in deployed models.

    Raises:
        InputError: head_dim odd or below 2, sd not above 0, or mu, nu beyond what this sd can correlate.

    >>> assumption_2_1(2, mu=0.5, nu=0.2).covariance
    array([[ 1.  ,  0.  ,  0.25,  0.1 ],
           [ 0.  ,  1.  , -0.1 ,  0.25],
           [ 0.25, -0.1 ,  1.  ,  0.  ],
           [ 0.1 ,  0.25,  0.  ,  1.  ]])
    """
    check_even("head_dim", head_dim)
    check_above("sd", sd, 0)
    if not math.hypot(mu, nu) <= 2 * sd**2:
        raise InputError(f"mu={mu}, nu={nu} with sd={sd}: sqrt(mu^2 + nu^2) must not exceed 2 sd^2")
    half = np.eye(head_dim // 2)
    turn = np.array([[mu, nu], [-nu, mu]]) / 2  # Cov(q_i, k_j) within a pair
    across = np.kron(half, turn) if pairing == "interleaved" else np.kron(turn, half)
    own = sd**2 * np.eye(head_dim)
    return GaussianLaw(np.zeros(2 * head_dim), np.block([[own, across], [across.T, own]]))


def negative_cross_terms(head_dim: int, amplitude_dim: int, strength: float) -> GaussianLaw:
    """A law with a smooth density that meets Assumption 2.1 (mu_0 = nu_0 = 0, sigma_0 = 1), not theorem 3.3.

    All coordinates have variance 1 and q is independent of k, but within the amplitude the coordinates of q
    lean together and those of k apart, so that the terms E[q_i k_i q_j k_j], i != j, that the proof drops in
    eq 83 are negative and sum up to -strength amplitude_dim. Then E (q_A.k_A)^2 / amplitude_dim = 1 - strength.

    Args:
        amplitude_dim: first dimensions of q and k, the rest is the phase; 2 to head_dim.
        strength: in [0, 1); 0 is the standard normal law.

    Raises:
        InputError: if a value is out of its range.

    >>> negative_cross_terms(4, 2, 0.5).covariance[:2, :2].round(3)
    array([[1.   , 0.707],
           [0.707, 1.   ]])
    """
    check_head_dim(head_dim)
    if not 2 <= amplitude_dim <= head_dim:
        raise InputError(f"amplitude_dim={amplitude_dim} is outside 2 .. head_dim={head_dim}")
    if not 0 <= strength < 1:
        raise InputError(f"strength={strength} is outside [0, 1)")
    covariance = np.eye(2 * head_dim)
    together, apart = math.sqrt(strength), -math.sqrt(strength) / (amplitude_dim - 1)
    for start, correlation in ((0, together), (head_dim, apart)):
        block = slice(start, start + amplitude_dim)
        covariance[block, block] = correlation + (1 - correlation) * np.eye(amplitude_dim)
    return GaussianLaw(np.zeros(2 * head_dim), covariance)


def rescaled(
    law: GaussianLaw, amplitude_dim: int, *, amplitude: float = 1.0, phase: float = 1.0
) -> GaussianLaw:
    """A law whose q_A.k_A is multiplied by `amplitude` and whose q_P.k_P by `phase`.

    Each of q and k takes the square root of it, so a law with unit variances gets a phase of standard deviation
    `phase` turns at distance 1.

    Raises:
        InputError: amplitude_dim outside 1 .. head_dim - 1, or a factor not above 0.

    >>> law = GaussianLaw(np.zeros(8), np.eye(8))  # standard normal q and k of four dimensions
    >>> rescaled(law, 2, phase=0.25).covariance.diagonal()  # q, then k; the amplitude is untouched
    array([1.  , 1.  , 0.25, 0.25, 1.  , 1.  , 0.25, 0.25])
    """
    if not 0 < amplitude_dim < law.head_dim:
        raise InputError(f"amplitude_dim={amplitude_dim} is outside 1 .. {law.head_dim - 1}")
    check_above("amplitude", amplitude, 0)
    check_above("phase", phase, 0)
    by_dim = np.full(law.head_dim, math.sqrt(phase))
    by_dim[:amplitude_dim] = math.sqrt(amplitude)
    factors = np.tile(by_dim, 2)
    return GaussianLaw(factors * law.mean, factors * law.covariance * factors[:, None])
