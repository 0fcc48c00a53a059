"""What every positional encoding is and can do."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor

from analysis.errors import InputError
from analysis.theory.gaussian_law import GaussianLaw, Moments, Steps
from analysis.theory.rope import Distance

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
    phase_dim: int = 0  # of these, the last ones that make TAPA's phase; their rows are trained apart
    path_dim: int = 0  # numbers that every token adds along the text; see `PathEncoding`

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

    @property
    def projected(self) -> int:
        """Coordinates of q and of k that a layer's projections make; `head_dim`, unless some come otherwise."""
        return self.head_dim

    def learned(self) -> dict[str, Tensor]:
        """The tensors that training changes, by the names of their attributes; none unless `trainable`."""
        if not self.trainable:
            return {}
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def with_learned(self, tensors: Mapping[str, Tensor]) -> Encoding:
        """The same encoding, but for these of its `learned` tensors."""
        twin = copy.copy(self)
        for name, value in tensors.items():
            object.__setattr__(twin, name, value)
        return twin

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments | None:
        """Mean and variance of `pairwise` at signed distances for (q, k) of a Gaussian law; None without closed form.

        Args:
            law: of what the projections make, q and then k.
            distance: tokens.
            steps: of a `PathEncoding`: what each token between key and query adds.

        Raises:
            InputError: a law of another head_dim, or no steps where they are needed.
        """
        return None

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


class PathEncoding(Encoding):
    """An encoding whose score depends on what the tokens between key and query add up to.

    Every token adds `path_dim` numbers for each key head, which a layer makes from its input. `accumulated` sums them
    along the text, once, and puts the sums into q and k: their difference is what lies between, the query's own
    numbers included and the key's own not. From there on q and k carry all of it, and the other methods need no text.

    >>> from analysis.encodings import Forgetting
    >>> Forgetting(64).path_dim, Forgetting(64).projected, Forgetting(64).head_dim  # a gate for each head
    (1, 64, 65)
    """

    @property
    def path_start(self) -> Float[np.ndarray, " path_dim"]:
        """Of the numbers' biases at the start of training; zeros."""
        return np.zeros(self.path_dim)

    @abstractmethod
    def accumulated(
        self,
        q: Float[Tensor, "batch heads length projected"],
        k: Float[Tensor, "batch kv_heads length projected"],
        path: Float[Tensor, "batch kv_heads length path_dim"],
    ) -> tuple[Float[Tensor, "batch heads length head_dim"], Float[Tensor, "batch kv_heads length head_dim"]]:
        """q and k of a whole text with the sums of the tokens' numbers in them.

        Sums are taken in float64 and kept in float32 at least, whatever the type of q and k.

        Args:
            q, k: as projected; query head h reads key head h // (heads // kv_heads), and shares its path.
            path: the tokens' numbers, in the order of the text.
        """

    def needed(self, steps: Steps | None) -> Steps:
        """The steps of `moments`; `InputError` if there are none."""
        if steps is None:
            raise InputError(
                f"{type(self).__name__} adds up what lies between; give steps, its mean and variance"
            )
        return steps


def per_query_head(path: Tensor, q: Tensor) -> Tensor:
    """What was summed for each key head, once for every query head that reads it."""
    return path.repeat_interleave(q.shape[1] // path.shape[1], dim=1)


class ScaledEncoding(Encoding):
    """An encoding whose scale the user may choose."""

    scale: float | None

    @property
    def factor(self) -> float:
        """Of the inner product: `scale`, or 1/sqrt(head_dim) if that is None."""
        return self.head_dim**-0.5 if self.scale is None else self.scale
