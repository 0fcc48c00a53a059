"""Token-aware phase attention: an amplitude times the cosine of a phase that grows with distance."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Num
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
    Scores,
    computed_once,
    distances,
    matched_inner,
    wide,
)
from analysis.errors import InputError
from analysis.settings import check_at_least
from analysis.theory.gaussian_law import GaussianLaw, Moments, Steps
from analysis.theory.rope import Distance
from analysis.theory.tapa import Phase, amplitude_dims, tapa_moments


class PhaseEncoding(Encoding):
    """scale a.b cos(2 pi |m - n|^alpha x.y), with a, x made of q and b, y made of k (eq 9).

    Attributes:
        alpha: exponent of the distance, >= 0; with 0 the cosine is of the tokens alone, at every distance.
        scale: factor of the amplitude.

    >>> a, b, x, y = Tapa(8).factors(torch.ones(1, 3, 8), torch.ones(1, 3, 8))
    >>> (a @ b.mT)[0, 0, 0], (x @ y.mT)[0, 0, 0]  # q_A.k_A, and the phase q_P.k_P / sqrt(n_P)
    (tensor(4.), tensor(2.))
    """

    symmetric: ClassVar[bool] = True
    inner_product: ClassVar[bool] = False
    alpha: float

    @property
    @abstractmethod
    def scale(self) -> float:
        """Factor of the amplitude."""

    @abstractmethod
    def factors(self, q: Queries, k: FewerKeys) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """a, b, x, y: a.b scale is the amplitude, x.y the phase in turns at distance 1.

        x and y are float32 at least. Raises `InputError` if the last axis of q or k is not `head_dim` long.
        """

    def turn(self, distance: Num[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
        """2 pi |distance|^alpha: rad at that distance for each turn at distance 1."""
        return 2 * math.pi * distance.to(dtype).abs() ** self.alpha

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """The amplitude's inner products in the vectors' own type, all else in float32 at least."""
        dtype = wide(q.dtype)
        turn = self.table(distances(query_positions, key_positions, dtype), dtype)
        return self.scores_given(q, k, computed_once(turn))  # powers cost as much as cosines

    def table(
        self, distance: Float[Tensor, "rows columns"], dtype: torch.dtype
    ) -> Float[Tensor, "rows columns"]:
        """`turn`."""
        return self.turn(distance, dtype)

    def scores_given(self, q: Queries, k: Keys, table: Float[Tensor, "*each rows columns"]) -> Scores:
        """`scores`, given `turn` of each pair's distance."""
        a, b, x, y = self.factors(q, k)
        return self.scale * (a @ b.mT).to(x.dtype) * torch.cos(table * (x @ y.mT))

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm:
        """The amplitude times the cosine. Raises as `factors`."""
        a, b, x, y = self.factors(q, k)
        return DistanceForm(a, b, self.scale, x, y, turn=self._powers(distance, x.dtype))

    def _powers(self, distance: Num[Tensor, " length"], dtype: torch.dtype) -> Float[Tensor, " length"]:
        """|distance|^alpha, powers taken in float64."""
        return (distance.double().abs() ** self.alpha).to(dtype)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """All in float32 at least."""
        a, b, x, y = self.factors(q, k)
        phase = matched_inner(x, y)[..., None]
        amplitude = self.scale * matched_inner(a, b)[..., None]
        return amplitude * torch.cos(self.turn(distance, x.dtype) * phase)


@dataclass(frozen=True, eq=False)
class Tapa(PhaseEncoding):
    """TAPA as it is trained (Wang et al. 2025, arXiv 2509.12635, eq 12): hard split, quadratic phase.

    q_A.k_A / sqrt(n_A) cos(2 pi |m - n|^alpha q_P.k_P / sqrt(n_P)). With projections of their own for amplitude
    and phase, concatenate both, and head_dim is n_A + n_P.

    Attributes:
        head_dim: of q and k, n_A + n_P.
        alpha: exponent of the distance, > 0 in the paper and 0.1 in its experiments; 0 is the control without
            distance.
        amplitude_share: n_A / head_dim, in (0, 1), n_A to the nearest whole number; 0.5 in the paper.
        turns: whether the phase is in turns, as the paper has it; False leaves its 2 pi out, as the authors' released
            kernel does, and the phase is in radians.

    >>> q, k = torch.ones(2, 3, 4)
    >>> Tapa(4).scores(q, k, torch.arange(3), torch.arange(3))[2]  # one query, keys at 0, 1, 2
    tensor([-1.4073, -1.2137,  1.4142])
    """

    kind: ClassVar[Phase] = "quadratic"
    head_dim: int
    alpha: float = 0.1
    amplitude_share: float = 0.5
    turns: bool = True

    def __post_init__(self) -> None:
        check_at_least("alpha", self.alpha, 0)
        amplitude_dims(self.head_dim, self.amplitude_share)

    @property
    def amplitude_dim(self) -> int:
        """n_A, the first dimensions of q and k."""
        return amplitude_dims(self.head_dim, self.amplitude_share)

    @property
    def phase_dim(self) -> int:
        """n_P, the last dimensions of q and k."""
        return self.head_dim - self.amplitude_dim

    @property
    def scale(self) -> float:
        """1/sqrt(n_A)."""
        return self.amplitude_dim**-0.5

    @property
    def phase_scale(self) -> float:
        """Turns at distance 1 for q_P.k_P = 1: 1/sqrt(n_P), over 2 pi where the phase is in radians."""
        return self.phase_dim**-0.5 / (1 if self.turns else 2 * math.pi)

    def factors(self, q: Queries, k: FewerKeys) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """q_A, k_A, q_P `phase_scale`, k_P."""
        self.check_vectors(q, k)
        n = self.amplitude_dim
        x, y = q[..., n:].to(wide(q.dtype)), k[..., n:].to(wide(k.dtype))
        return q[..., :n], k[..., :n], x * self.phase_scale, y

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm:
        """The parts of q and k as they are, in their own type: products of half-width vectors stay half-width."""
        if self.kind != "quadratic":
            return super().by_distance(q, k, distance)
        self.check_vectors(q, k)
        n, turn = self.amplitude_dim, self._powers(distance, wide(q.dtype))
        parts = q[..., :n], k[..., :n], self.scale, q[..., n:], k[..., n:]
        return DistanceForm(*parts, phase_scale=self.phase_scale, turn=turn)

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments:
        """See `theory.tapa.tapa_moments`; with alpha 0 those at distance 1, whatever the distance."""
        lags, alpha = (
            (distance, self.alpha) if self.alpha else (np.ones_like(distance, dtype=np.float64), 1.0)
        )
        own = 1.0 if self.turns else 1 / (2 * math.pi)
        return tapa_moments(
            law, lags, alpha=alpha, amplitude_share=self.amplitude_share, phase=self.kind, scale_phase=own
        )


@dataclass(frozen=True, eq=False)
class LinearTapa(Tapa):
    """TAPA with linear phase (eq 16): phi is the sum of all entries of q_P and k_P over sqrt(n_P).

    >>> at, one = torch.arange(2), torch.ones(1, 2, 8)
    >>> LinearTapa(8).scores(one, one, at, at).round(decimals=3)
    tensor([[[2., 2.],
             [2., 2.]]])
    """

    kind: ClassVar[Phase] = "linear"

    def factors(self, q: Queries, k: FewerKeys) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """q_A, k_A, (phi_q, 1), (1, phi_k)."""
        a, b, x, y = super().factors(q, k)
        of_q, of_k = x.sum(dim=-1), y.sum(dim=-1) * self.phase_scale
        left = torch.stack([of_q, torch.ones_like(of_q)], dim=-1)
        return a, b, left, torch.stack([torch.ones_like(of_k), of_k], dim=-1)


@dataclass(frozen=True, eq=False)
class GeneralTapa(PhaseEncoding):
    """TAPA with any matrices (eqs 9 and 10): q^T M k cos(2 pi |m - n|^alpha q^T N k); they may be learned.

    Attributes:
        amplitude_form: M, for all heads or one for each, finite.
        phase_form: N, likewise.
        alpha: exponent of the distance, >= 0.
        turns: as of `Tapa`.

    >>> at, one = torch.arange(2), torch.ones(1, 2, 2)
    >>> GeneralTapa(torch.eye(2), torch.zeros(2, 2)).scores(one, one, at, at)  # no phase: plain inner products
    tensor([[[2., 2.],
             [2., 2.]]])
    """

    trainable: ClassVar[bool] = True
    amplitude_form: Float[Tensor, "*heads head_dim head_dim"]
    phase_form: Float[Tensor, "*heads head_dim head_dim"]
    alpha: float = 0.1
    turns: bool = True

    def __post_init__(self) -> None:
        check_at_least("alpha", self.alpha, 0)
        for name, form in (("amplitude_form", self.amplitude_form), ("phase_form", self.phase_form)):
            if form.ndim < 2 or form.shape[-1] != form.shape[-2]:
                raise InputError(f"{name} of shape {tuple(form.shape)} is not square")
            if not (form.is_meta or torch.isfinite(form).all()):
                raise InputError(f"{name} holds a value that is not finite")
        if self.amplitude_form.shape[-1] != self.phase_form.shape[-1]:
            sizes = f"{self.amplitude_form.shape[-1]} and {self.phase_form.shape[-1]}"
            raise InputError(f"amplitude_form and phase_form are for {sizes} dimensions; give one head_dim")

    @property
    def head_dim(self) -> int:
        """The size of both matrices."""
        return self.phase_form.shape[-1]

    @property
    def scale(self) -> float:
        """1: M holds it."""
        return 1.0

    def factors(self, q: Queries, k: FewerKeys) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """M^T q, k, N^T q, k."""
        self.check_vectors(q, k)
        x = q.to(wide(q.dtype)) @ self.phase_form.to(wide(q.dtype))
        if not self.turns:
            x = x / (2 * math.pi)
        return q @ self.amplitude_form.to(q.dtype), k, x, k.to(wide(k.dtype))
