"""What every positional encoding is and can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Num
from torch import Tensor

from analysis.errors import InputError

Queries = Float[Tensor, "*#batch rows head_dim"]
Keys = Float[Tensor, "*#batch columns head_dim"]
QueryPositions = Num[Tensor, " rows"]
KeyPositions = Num[Tensor, " columns"]
Scores = Float[Tensor, "*batch rows columns"]
Matched = Float[Tensor, "*batch samples head_dim"]
Distances = Num[Tensor, " distances"]
MatchedScores = Float[Tensor, "*batch samples distances"]


class Encoding(ABC):
    """A way to let positions into the score of a query and a key of one head.

    >>> from analysis.encodings import Alibi, Tapa
    >>> [(kind.relative, kind.symmetric, kind.inner_product) for kind in (Alibi, Tapa)]
    [(True, True, False), (True, True, False)]
    """

    relative: ClassVar[bool] = True
    symmetric: ClassVar[bool]
    inner_product: ClassVar[bool]
    trainable: ClassVar[bool] = False
    reach: ClassVar[int | None] = None  # distance in tokens from which on nothing is seen
    head_dim: int

    @abstractmethod
    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Score of every query with every key; leading axes broadcast, so one key head may serve a group.

        Args:
            q, k: before any position is applied.
            query_positions, key_positions: tokens, any two sets: a tile of a long text is as good as all of it.

        Raises:
            InputError: if the last axis of q or k is not `head_dim` long.
        """

    @abstractmethod
    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Score of the i-th query with the i-th key, put at each distance m - n (tokens, real, signed).

        All of it in float32 at least. Raises `InputError` as `scores`.
        """

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """An encoding and vectors with the same scores at these positions, whatever can be done once done.

        For whoever takes the scores of one text tile by tile. As it stands: nothing can.
        """
        return self, q, k

    def table(
        self, distance: Float[Tensor, "rows columns"], dtype: torch.dtype
    ) -> Float[Tensor, "rows columns"] | None:
        """What the scores need of distances alone, for whoever meets the same distances again; None: too little."""
        return None

    def scores_given(self, q: Queries, k: Keys, table: Float[Tensor, "rows columns"]) -> Scores:
        """`scores`, given the `table` of the pairs' distances; for encodings that have one."""
        raise NotImplementedError(f"{type(self).__name__} has no table of distances")

    def check_vectors(self, *vectors: Tensor) -> None:
        """`InputError` unless the last axis of each is `head_dim` long."""
        for x in vectors:
            if x.shape[-1] != self.head_dim:
                raise InputError(
                    f"vectors have {x.shape[-1]} dimensions, the encoding is for head_dim={self.head_dim}"
                )


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type in which positions are applied: float64 for float64 vectors, float32 for all others."""
    return torch.promote_types(dtype, torch.float32)


def distances(
    query_positions: QueryPositions, key_positions: KeyPositions, dtype: torch.dtype
) -> Float[Tensor, "rows columns"]:
    """m - n for each query and key; subtracted before it is rounded."""
    return (query_positions[:, None] - key_positions).to(dtype)


def computed_once(x: Tensor) -> Tensor:
    """x itself. Compiled code computes it into memory here, once, instead of anew for every head and row."""
    return x.as_strided(x.shape, x.stride())


def matched_inner(x: Matched, y: Matched) -> Float[Tensor, "*batch samples"]:
    """Inner product of the i-th x with the i-th y, in float32 at least."""
    return torch.linalg.vecdot(x.to(wide(x.dtype)), y.to(wide(y.dtype)))


class ScaledEncoding(Encoding):
    """An encoding whose scale the user may choose."""

    scale: float | None

    @property
    def factor(self) -> float:
        """Of the inner product: `scale`, or 1/sqrt(head_dim) if that is None."""
        return self.head_dim**-0.5 if self.scale is None else self.scale
