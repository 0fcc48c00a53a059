"""Polar coordinates: a magnitude for each dimension of q and k, and a phase that is position alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings.additive import Nope
from analysis.encodings.base import (
    Distances,
    Encoding,
    KeyPositions,
    Keys,
    Matched,
    MatchedScores,
    Queries,
    QueryPositions,
    ScaledEncoding,
    Scores,
    wide,
)
from analysis.errors import InputError
from analysis.settings import check_above, check_head_dim


@dataclass(frozen=True, eq=False)
class Polar(ScaledEncoding):
    """PoPE (Gopalakrishnan et al. 2025, arXiv 2509.10534): scale sum_c |q_c| |k_c| cos((n - m) theta_c + delta_c).

    The magnitudes are softplus(q_c) and softplus(k_c), the frequencies theta_c = base^(-c / head_dim) for
    c = 0 .. head_dim - 1: one for each dimension, twice as many as RoPE has. The offsets delta_c of each head are
    learned and start at 0. The paper bounds them to [-2 pi, 0]; that is one whole turn, so an offset outside stands
    for the one inside, and none is clamped here: a clamp would stop the gradient of every offset that first moves up.
    There is no closed form of the moments: a softplus of a normal variable has none.

    Attributes:
        offsets: delta_c, rad, for all heads or for each query head.
        base: of the frequencies, > 1.
        scale: factor of the sum; None for 1/sqrt(head_dim).

    >>> q, k = torch.zeros(2, 3, 4)  # magnitudes ln 2
    >>> Polar(torch.zeros(4)).scores(q, k, torch.arange(3), torch.arange(3))[2]  # keys at 0, 1, 2
    tensor([0.6159, 0.8493, 0.9609])
    """

    symmetric: ClassVar[bool] = False
    inner_product: ClassVar[bool] = False  # at given positions it is, of the magnitudes
    trainable: ClassVar[bool] = True
    offsets: Float[Tensor, "*heads head_dim"]
    base: float = 1e4
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.offsets.ndim not in (1, 2):
            raise InputError(f"offsets of shape {tuple(self.offsets.shape)} are not (heads, head_dim)")
        check_head_dim(self.head_dim)
        check_above("base", self.base, 1)
        check_above("scale", self.factor, 0)

    @property
    def head_dim(self) -> int:
        """Of q and k: an offset for each."""
        return self.offsets.shape[-1]

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """scale times the inner product of q and k in Cartesian coordinates, twice as many as `head_dim`."""
        a, b = self._cartesian(q, query_positions, ahead=True), self._cartesian(k, key_positions)
        return self.factor * (a @ b.mT).to(wide(q.dtype))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """scale sum_c |q_c| |k_c| cos(distance theta_c - delta_c) of each sample."""
        self.check_vectors(q, k)
        dtype = wide(q.dtype)
        magnitude = F.softplus(q.to(dtype)) * F.softplus(k.to(dtype))
        angle = self._frequencies(q.device)[:, None] * distance.double() - self.offsets.double()[..., None]
        return self.factor * (magnitude @ angle.cos().to(dtype))

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """Both in Cartesian coordinates, of which an inner product is left."""
        a, b = self._cartesian(q, positions, ahead=True), self._cartesian(k, positions)
        return Nope(2 * self.head_dim, self.factor), a, b

    def _frequencies(self, device: torch.device) -> Float[Tensor, " head_dim"]:
        steps = torch.arange(self.head_dim, dtype=torch.float64, device=device)
        return self.base ** (-steps / self.head_dim)

    def _cartesian(self, x: Tensor, positions: Tensor, *, ahead: bool = False) -> Tensor:
        """Magnitudes at the angles position theta_c; the queries', which are `ahead`, less the offsets."""
        self.check_vectors(x)
        dtype = wide(x.dtype)
        angle = positions.double()[:, None] * self._frequencies(x.device)
        if ahead:
            angle = angle - self.offsets.double()[..., None, :]
        magnitude = F.softplus(x.to(dtype))
        return torch.cat([magnitude * wave.to(dtype) for wave in (angle.cos(), angle.sin())], dim=-1).to(
            x.dtype
        )
