"""Scores that depend on what the tokens between key and query add up to: forget gates, and rotation angles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
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
    PathEncoding,
    Queries,
    QueryPositions,
    ScaledEncoding,
    Scores,
    matched_inner,
    per_query_head,
    wide,
)
from analysis.settings import check_above, check_even, check_head_dim
from analysis.theory import frequencies
from analysis.theory.gaussian_law import (
    GaussianLaw,
    Moments,
    Steps,
    accumulated_moments,
    forgetting_moments,
)
from analysis.theory.rope import Distance


@dataclass(frozen=True, eq=False)
class Forgetting(PathEncoding):
    """Forgetting attention, FoX (Lin et al. 2025, arXiv 2503.02130): scale q.k + the log forget gates in between.

    The score of the query at m and the key at n is q.k / sqrt(d) + sum of log f_l over l = n + 1 .. m, with a gate
    f_l = sigmoid(w.x_l + b) of each head, made from the layer's input; the bias b starts at 0. With c_l the sum of the
    gates' logarithms up to token l this is q.k / sqrt(d) + c_m - c_n: c is the last coordinate of q and of k. Without
    QK normalisation, output gate or shifted keys (the paper's "Pro" block); one gate for each key head, of which the
    paper has as many as query heads.

    Attributes:
        content_dim: of q and k as projected, d.

    >>> q, k = torch.zeros(2, 1, 1, 3, 4)  # one text, one head, three tokens
    >>> fox, at = Forgetting(4), torch.arange(3)
    >>> q, k = fox.accumulated(q, k, torch.zeros(1, 1, 3, 1))  # all gates one half
    >>> fox.scores(q, k, at, at)[0, 0, 2]  # less ln 2 for each token in between
    tensor([-1.3863, -0.6931,  0.0000])
    """

    symmetric: ClassVar[bool] = True
    inner_product: ClassVar[bool] = False
    path_dim: ClassVar[int] = 1
    content_dim: int

    def __post_init__(self) -> None:
        check_head_dim(self.content_dim)

    @property
    def head_dim(self) -> int:
        """content_dim + 1."""
        return self.content_dim + 1

    @property
    def projected(self) -> int:
        """content_dim."""
        return self.content_dim

    @property
    def factor(self) -> float:
        """1/sqrt(content_dim)."""
        return self.content_dim**-0.5

    def accumulated(
        self,
        q: Float[Tensor, "batch heads length projected"],
        k: Float[Tensor, "batch kv_heads length projected"],
        path: Float[Tensor, "batch kv_heads length path_dim"],
    ) -> tuple[Tensor, Tensor]:
        """q and k, in float32 at least, with the sum of the logarithms of the gates sigmoid(path) behind them."""
        dtype = wide(q.dtype)
        total = F.logsigmoid(path.to(dtype)).double().cumsum(dim=-2).to(dtype)
        return torch.cat([q.to(dtype), per_query_head(total, q)], dim=-1), torch.cat(
            [k.to(dtype), total], dim=-1
        )

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of what was accumulated; positions say nothing more."""
        self.check_vectors(q, k)
        n, dtype = self.content_dim, wide(q.dtype)
        kept = q[..., n:].to(dtype) - k[..., n:].to(dtype).mT
        return self.factor * (q[..., :n] @ k[..., :n].mT).to(dtype) + kept

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """The same at every distance: what lies between is in q and k."""
        self.check_vectors(q, k)
        n, dtype = self.content_dim, wide(q.dtype)
        kept = q[..., n].to(dtype) - k[..., n].to(dtype)
        inner = self.factor * matched_inner(q[..., :n], k[..., :n]) + kept
        return inner[..., None].expand(*inner.shape, len(distance))

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments:
        """See `theory.gaussian_law.forgetting_moments`; `steps` are of the logarithm of a gate."""
        return forgetting_moments(law, distance, self.needed(steps), scale=self.factor)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    u, v = x.to(cos.dtype).chunk(2, dim=-1)
    return torch.cat([u * cos - v * sin, u * sin + v * cos], dim=-1).to(x.dtype)


@dataclass(frozen=True, eq=False)
class AccumulatedRotation(PathEncoding, ScaledEncoding):
    """Rotations by accumulated angles: pair d turns by the sum of the angles of the tokens between key and query.

    RoPE whose angles by position are replaced by token-dependent ones, a_d(x_l) = w_d.x_l + b_d (Godavarti 2026,
    arXiv 2606.24975, after PaTH's accumulated reflections, Yang et al. 2025, arXiv 2505.16381). Rotations of a plane
    commute, so q and k are each rotated by the sum up to their own place, once. The biases start at RoPE's
    frequencies: with w = 0 this is RoPE. Of the source only the abstract and notes on it were seen, so that start is
    ours; values are not rotated.

    Attributes:
        head_dim: of q and k, even.
        base: of the frequencies at which the biases start, > 1.
        scale: factor of the score; None for 1/sqrt(head_dim).

    >>> q, k = torch.ones(2, 1, 1, 3, 2)  # one text, one head, three tokens, one pair
    >>> turning, at = AccumulatedRotation(2), torch.arange(3)
    >>> q, k = turning.accumulated(q, k, torch.full((1, 1, 3, 1), math.pi / 2))  # each token turns by a right angle
    >>> turning.scores(q, k, at, at)[0, 0, 2].round(decimals=3) + 0.0
    tensor([-1.4140,  0.0000,  1.4140])
    """

    symmetric: ClassVar[bool] = True
    inner_product: ClassVar[bool] = True
    head_dim: int
    base: float = 1e4
    scale: float | None = None

    def __post_init__(self) -> None:
        check_even("head_dim", self.head_dim)
        check_above("base", self.base, 1)
        check_above("scale", self.factor, 0)

    @property
    def path_dim(self) -> int:
        """An angle for each pair, rad: head_dim / 2."""
        return self.head_dim // 2

    @property
    def path_start(self) -> Float[np.ndarray, " path_dim"]:
        """RoPE's frequencies, rad/token."""
        return frequencies.plain(self.base, self.head_dim).omega

    def accumulated(
        self,
        q: Float[Tensor, "batch heads length projected"],
        k: Float[Tensor, "batch kv_heads length projected"],
        path: Float[Tensor, "batch kv_heads length path_dim"],
    ) -> tuple[Tensor, Tensor]:
        """q and k rotated by their cumulative angles, in their own type."""
        turns = path.double().div(2 * math.pi).cumsum(dim=-2)
        angle = ((turns - turns.round()) * (2 * math.pi)).to(wide(q.dtype))
        cos, sin = angle.cos(), angle.sin()
        rotated_q = _rotated(q, per_query_head(cos, q), per_query_head(sin, q))
        return rotated_q, _rotated(k, cos, sin)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """scale q.k of what was rotated; positions say nothing more."""
        self.check_vectors(q, k)
        return self.factor * (q @ k.mT).to(wide(q.dtype))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """The same at every distance: what lies between is in q and k."""
        self.check_vectors(q, k)
        inner = self.factor * matched_inner(q, k)
        return inner[..., None].expand(*inner.shape, len(distance))

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """An inner product is left."""
        return Nope(self.head_dim, self.factor), q, k

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments:
        """See `theory.gaussian_law.accumulated_moments`; `steps` are of a Gaussian angle in each pair."""
        return accumulated_moments(law, distance, self.needed(steps), scale=self.factor)
