"""No position, with or without a temperature, a position that is added to the score, and a sliding window."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from analysis.encodings.base import (
    DistanceForm,
    Distances,
    Encoding,
    FewerKeys,
    KeyPositions,
    Keys,
    Matched,
    MatchedScores,
    Queries,
    QueryPositions,
    ScaledEncoding,
    Scores,
    computed_once,
    distances,
    matched_inner,
    wide,
)
from analysis.errors import InputError
from analysis.settings import check_above, check_head_dim, check_whole
from analysis.theory.gaussian_law import GaussianLaw, Moments, Steps, alibi_moments, nope_moments
from analysis.theory.rope import Distance


@dataclass(frozen=True, eq=False)
class Nope(ScaledEncoding):
    """No positional encoding (Kazemnejad et al. 2023, arXiv 2305.19466): scale q.k.

    Attributes:
        head_dim: of q and k.
        scale: factor of the score; None for 1/sqrt(head_dim).

    >>> q, k = torch.ones(2, 3, 4)
    >>> Nope(4).scores(q, k, torch.arange(3), torch.arange(3)).shape
    torch.Size([3, 3])
    """

    symmetric: ClassVar[bool] = True
    inner_product: ClassVar[bool] = True
    head_dim: int
    scale: float | None = None

    def __post_init__(self) -> None:
        check_head_dim(self.head_dim)
        check_above("scale", self.factor, 0)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """scale q.k, whatever the positions."""
        self.check_vectors(q, k)
        return self.factor * (q @ k.mT).to(wide(q.dtype))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """scale q.k, the same at every distance."""
        self.check_vectors(q, k)
        inner = self.factor * matched_inner(q, k)
        return inner[..., None].expand(*inner.shape, len(distance))

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm:
        """The amplitude alone."""
        self.check_vectors(q, k)
        return DistanceForm(q, k, self.factor)

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments:
        """The same at every distance."""
        return nope_moments(law, distance, scale=self.factor)


@dataclass(frozen=True, eq=False)
class LogNope(ScaledEncoding):
    """No position but a temperature that falls with the number of keys: scale q.k ln(m + 1) / ln(length).

    The query at position m sees m + 1 keys, so this is log-length scaled attention (Chiang and Cholak 2022,
    arXiv 2202.12172), which Scalable-Softmax learns a factor of (Nakanishi 2025, arXiv 2501.19399); here the factor is
    fixed so that at `length` the scale is that of plain attention. Not relative: a query far on scores more sharply.
    Of matched pairs the key stands at position 0.

    Attributes:
        head_dim: of q and k.
        length: keys, at least 2, at which the scale is `factor`; the trained length in a model.
        scale: of the score there; None for 1/sqrt(head_dim).

    >>> q, k = torch.ones(2, 3, 4)
    >>> LogNope(4, 2).scores(q, k, torch.arange(3), torch.arange(3))[:, 0]  # 2 ln(1, 2, 3) / ln 2
    tensor([0.0000, 2.0000, 3.1699])
    """

    relative: ClassVar[bool] = False
    symmetric: ClassVar[bool] = False
    inner_product: ClassVar[bool] = True
    head_dim: int
    length: int
    scale: float | None = None

    def __post_init__(self) -> None:
        check_head_dim(self.head_dim)
        check_whole("length", self.length, 2)
        check_above("scale", self.factor, 0)

    def sharpness(self, positions: QueryPositions, dtype: torch.dtype) -> Tensor:
        """ln(m + 1) / ln(length) of queries at positions m; 0 at and before position 0, where one key is seen."""
        return torch.log(positions.double().clamp(min=0) + 1).div(math.log(self.length)).to(dtype)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """scale q.k times `sharpness` of the query."""
        self.check_vectors(q, k)
        inner = self.factor * (q @ k.mT).to(wide(q.dtype))
        return inner * self.sharpness(query_positions, inner.dtype)[:, None]

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """scale q.k times `sharpness` of a query at that distance from position 0."""
        self.check_vectors(q, k)
        inner = self.factor * matched_inner(q, k)[..., None]
        return inner * self.sharpness(distance, inner.dtype)

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """Queries times their sharpness, of which an inner product is left."""
        sharp = q.to(wide(q.dtype)) * self.sharpness(positions, wide(q.dtype))[:, None]
        return Nope(self.head_dim, self.factor), sharp.to(q.dtype), k

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments:
        """NoPE's, times `sharpness` and its square."""
        plain = nope_moments(law, distance, scale=self.factor)
        sharp = self.sharpness(torch.as_tensor(distance), torch.float64).numpy()
        return Moments(sharp * plain.mean, sharp**2 * plain.second, sharp**2 * plain.variance)


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """ALiBi's slopes 2^(-8 i / heads), i = 1 .. heads, for a power of two (Press et al. 2021, released code).

    For another number: those of the power of two below it, then every other one of the power above it.
    Raises `InputError` unless heads is a positive whole number.

    >>> alibi_slopes(4)  # per token, the steepest head first
    (0.25, 0.0625, 0.015625, 0.00390625)
    """
    if isinstance(heads, bool) or not isinstance(heads, int) or heads < 1:
        raise InputError(f"heads={heads} is not a positive whole number")
    power = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * i / power) for i in range(1, power + 1)]
    between = [2.0 ** (-4 * i / power) for i in range(1, 2 * (heads - power), 2)]
    return tuple(slopes + between)


@dataclass(frozen=True, eq=False)
class Alibi(ScaledEncoding):
    """Attention with linear biases (Press et al. 2021, arXiv 2108.12409): scale q.k - slope |m - n|.

    Attributes:
        head_dim: of q and k.
        slopes: >= 0, per token: one for all heads, or one for each head, which are then the leading axis of q
            and k next to the positions (`alibi_slopes`).
        scale: factor of the inner product; None for 1/sqrt(head_dim).

    >>> q, k = torch.ones(2, 3, 4)
    >>> Alibi(4, [0.5]).scores(q, k, torch.arange(3), torch.arange(3))[2]  # 2 - distance / 2
    tensor([1.0000, 1.5000, 2.0000])
    """

    symmetric: ClassVar[bool] = True
    inner_product: ClassVar[bool] = False
    head_dim: int
    slopes: Sequence[float]
    scale: float | None = None

    def __post_init__(self) -> None:
        check_head_dim(self.head_dim)
        check_above("scale", self.factor, 0)
        object.__setattr__(self, "slopes", tuple(float(slope) for slope in self.slopes))
        if not self.slopes or not all(0 <= slope < math.inf for slope in self.slopes):
            raise InputError(f"slopes={self.slopes} must be one or more finite numbers, none below 0")

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """scale q.k - slope |m - n|; `InputError` also if there are several slopes, but not one for each head."""
        self.check_vectors(q, k)
        inner = self.factor * (q @ k.mT).to(wide(q.dtype))
        return self._biased(inner, distances(query_positions, key_positions, inner.dtype))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """scale q.k - slope |distance| of each sample. Raises as `scores`."""
        self.check_vectors(q, k)
        inner = self.factor * matched_inner(q, k)[..., None]
        return self._biased(inner, distance.to(inner.dtype))

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm:
        """NoPE's with a bias for each slope. Raises as `scores`."""
        self.check_vectors(q, k)
        slopes = self._slopes(q).to(wide(q.dtype))
        return DistanceForm(q, k, self.factor, bias=-slopes[:, None] * distance.to(slopes.dtype))

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments | None:
        """NoPE's with the bias; None for several slopes, one of each head."""
        if len(self.slopes) > 1:
            return None
        return alibi_moments(law, distance, self.slopes[0], scale=self.factor)

    def _biased(self, inner: Tensor, distance: Tensor) -> Tensor:
        if len(self.slopes) == 1:
            return inner - self.slopes[0] * computed_once(distance.abs())
        return inner - self._slopes(inner)[:, None, None] * computed_once(distance.abs())

    def _slopes(self, of: Tensor) -> Tensor:
        """One for each head of `of`, or one for all; `InputError` if there are several, but not one for each head."""
        heads = of.shape[-3] if of.ndim > 2 else 1
        if len(self.slopes) not in (1, heads):
            raise InputError(f"{len(self.slopes)} slopes do not fit vectors with {heads} heads")
        return torch.tensor(self.slopes, dtype=wide(of.dtype), device=of.device)


@dataclass(frozen=True, eq=False)
class SlidingWindow(Encoding):
    """Any encoding whose score is minus infinity from `window` tokens of distance on (Beltagy et al. 2020).

    A query sees `window` keys up to its own position, as in released models: distances 0 .. window - 1.

    Attributes:
        encoding: of the keys that are seen.
        window: tokens, at least 1.

    >>> at = torch.arange(3)
    >>> SlidingWindow(Nope(2), 2).scores(torch.ones(1, 3, 2), torch.ones(1, 3, 2), at, at)[0, 2]  # the last query
    tensor([  -inf, 1.4142, 1.4142])
    """

    inner_product: ClassVar[bool] = False
    encoding: Encoding
    window: int

    def __post_init__(self) -> None:
        if isinstance(self.window, bool) or not isinstance(self.window, int) or self.window < 1:
            raise InputError(f"window={self.window} is not a positive whole number of tokens")

    @property
    def head_dim(self) -> int:
        """Of the encoding inside."""
        return self.encoding.head_dim

    @property
    def reach(self) -> int:
        """`window`."""
        return self.window

    @property
    def symmetric(self) -> bool:
        """As the encoding inside: both sides of a window are cut alike."""
        return self.encoding.symmetric

    @property
    def trainable(self) -> bool:
        """As the encoding inside."""
        return self.encoding.trainable

    def learned(self) -> dict[str, Tensor]:
        """Those of the encoding inside."""
        return self.encoding.learned()

    def with_learned(self, tensors: Mapping[str, Tensor]) -> Encoding:
        """The same window over the encoding inside with these tensors."""
        return SlidingWindow(self.encoding.with_learned(tensors), self.window)

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """As the encoding inside, seen through the same window."""
        inner, q, k = self.encoding.placed(q, k, positions)
        return SlidingWindow(inner, self.window), q, k

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of the encoding inside, -inf where |m - n| >= window."""
        scores = self.encoding.scores(q, k, query_positions, key_positions)
        away = (query_positions[:, None] - key_positions).abs() >= self.window
        return scores.masked_fill(away, -math.inf)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Scores of the encoding inside, -inf where |distance| >= window."""
        return self.encoding.pairwise(q, k, distance).masked_fill(distance.abs() >= self.window, -math.inf)

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm | None:
        """As the encoding inside, with a bias of -inf from `window` on."""
        inner = self.encoding.by_distance(q, k, distance)
        if inner is None:
            return None
        hidden = torch.zeros(1, len(distance), dtype=wide(q.dtype), device=q.device)
        return inner.biased(hidden.masked_fill(distance >= self.window, -math.inf))
