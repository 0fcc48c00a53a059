"""What every positional encoding is and can do."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor

from analysis.errors import InputError
from analysis.theory.gaussian_law import GaussianLaw, Moments, Steps
from analysis.theory.rope import Distance

Queries = Float[Tensor, "*#batch rows head_dim"]
Keys = Float[Tensor, "*#batch columns head_dim"]
FewerKeys = Float[Tensor, "*kv_batch columns head_dim"]  # one head of them may serve several of queries
QueryPositions = Num[Tensor, " rows"]
KeyPositions = Num[Tensor, " columns"]
Scores = Float[Tensor, "*batch rows columns"]
Matched = Float[Tensor, "*batch samples head_dim"]
Distances = Num[Tensor, " distances"]
MatchedScores = Float[Tensor, "*batch samples distances"]


class DistanceForm(NamedTuple):
    """Scores as inner products and tables by distance: f(d) scale a.b cos(2 pi t(d) phase_scale x.y) + s(d).

    What attention in one loop (`models.fused`) can compute, at consecutive positions and up to each query's own place.
    Tables have an entry for each distance 0 .. length - 1, and a row for each head, or one for all.

    >>> from analysis.encodings import Alibi
    >>> one = torch.ones(1, 3, 4)  # one head, three tokens
    >>> form = Alibi(4, [0.5]).by_distance(one, one, torch.arange(3))
    >>> form.scale, form.bias
    (0.5, tensor([[-0.0000, -0.5000, -1.0000]]))

    Attributes:
        a, b: of q and of k; a.b `scale` is the amplitude.
        scale: of the amplitude.
        x, y: of q and of k; x.y `phase_scale` is the phase in turns where t is 1. None: there is no cosine.
        phase_scale: of the phase.
        turn: t, by which the phase grows with distance; None without phase.
        factor: f; None for 1.
        bias: s, minus infinity where a key is hidden; None for 0.
    """

    a: Float[Tensor, "*batch length amplitude_dim"]
    b: Float[Tensor, "*kv_batch length amplitude_dim"]
    scale: float
    x: Float[Tensor, "*batch length phase_dim"] | None = None
    y: Float[Tensor, "*kv_batch length phase_dim"] | None = None
    phase_scale: float = 1.0
    turn: Float[Tensor, " length"] | None = None
    factor: Float[Tensor, "factor_rows length"] | None = None
    bias: Float[Tensor, "bias_rows length"] | None = None

    def biased(self, bias: Float[Tensor, "rows length"]) -> DistanceForm:
        """The same scores, and a bias more."""
        return self._replace(bias=bias if self.bias is None else self.bias + bias)


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

    def scores_given(self, q: Queries, k: Keys, table: Float[Tensor, "*each rows columns"]) -> Scores:
        """`scores`, given the `table` of the pairs' distances, also one for each text; for encodings that have one."""
        raise NotImplementedError(f"{type(self).__name__} has no table of distances")

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm | None:
        """The scores of one text as inner products and tables by distance; None for scores that are not of that form.

        Args:
            q, k: of all positions of a text, in order.
            distance: at which each table's entries 0, 1, ... are taken: 0, 1, ... themselves, unless an intervention
                puts others in their place; tokens, none below 0.
        """
        return None

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
