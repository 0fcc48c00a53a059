"""TAPA's score with everything but q_P averaged in closed form: Rao and Blackwell for Gaussian q and k.

Given q_P = x, the phase times sqrt(n_P) is Y = w.k_P + b with w = x, b = 0 (quadratic) or w = 1, b = sum x
(linear), and (q_A, k_A, k_P) is Gaussian with a mean linear in x and one covariance Sigma. Under exp(z Y) every
mean shifts by z Cov(., Y), so with X = q_A.k_A and z imaginary

    E[X exp(zY) | x] = exp(zy + z^2 s/2) m(z),              m(z) = c_0 + c_1 z + c_2 z^2
    E[X^2 exp(zY) | x] = exp(zy + z^2 s/2) [m(z)^2 + v(z)],   v(z) = v_0 + v_1 z + v_2 z^2

with y and s the mean and the variance of Y given x. Eight numbers a draw, and every distance follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from analysis.encodings import LinearTapa, Tapa
from analysis.errors import InputError
from analysis.samplers import Uniforms, normals
from analysis.theory.gaussian_law import GaussianLaw

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
        u = self.encoding.turn(distance, torch.float64) * self.encoding.phase_dim**-0.5
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
