"""Rotary position embedding and all its family, from the frequencies of `theory.frequencies`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

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
    computed_once,
    wide,
)
from analysis.errors import InputError
from analysis.heads.lags import complex_pairs
from analysis.theory.frequencies import Frequencies
from analysis.theory.rotation import check_above

_LARGEST_GROWTH = 80.0  # exp(88.7) overflows float32


@dataclass(frozen=True, eq=False)
class Rope(ScaledEncoding):
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864): eq 2 of the paper, the project's sign.

    Attributes:
        frequencies: plain, extended, rotating in part, or decaying with distance (xPos).
        scale: factor of the score beside the frequencies' attention factor; None for 1/sqrt(head_dim).
        head_dim: of q and k; the frequencies say it.
    """

    symmetric: ClassVar[bool] = False
    inner_product: ClassVar[bool] = True
    frequencies: Frequencies
    scale: float | None = None
    head_dim: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "head_dim", self.frequencies.head_dim)
        check_above("scale", self.factor, 0)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """scale times the inner product of rotated q and rotated k; they are rotated in float32 at least.

        Raises:
            InputError: as every encoding; under xPos also where a key lies so far after its query that the
                score outgrows float32. Compiled code does not look, and gives infinity there.
        """
        self.check_vectors(q, k)
        decay = self.frequencies.log_decay
        if decay is None:
            a = self._turned(q, query_positions).to(q.dtype)
            b = self._turned(k, key_positions).to(k.dtype)
        else:  # a decay and its inverse may leave the range of float16: not narrowed again
            centre = self._centre(query_positions, key_positions, decay)
            a = self._turned(q, query_positions, centre)
            b = self._turned(k, key_positions, centre, inverse=True)
        return self.factor * (a @ b.mT).to(wide(q.dtype))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """scale sum_d [A_d cos(distance omega_d) + B_d sin(distance omega_d)] of each sample (eq 3).

        Raises `InputError` as `scores`, xPos outgrowing the vectors' type included.
        """
        self.check_vectors(q, k)
        q, k = q.to(wide(q.dtype)), k.to(wide(k.dtype))
        products = complex_pairs(q, self.frequencies) * complex_pairs(k, self.frequencies).conj()  # A - iB
        omega, decay = self._rates(q.device)
        angle = omega[:, None] * distance.double()
        size = torch.ones_like(angle) if decay is None else torch.exp(decay[:, None] * distance.double())
        waves = torch.ones(products.shape[-2], len(distance), dtype=products.dtype, device=q.device)
        waves[: len(omega)] = torch.polar(size, angle).to(products.dtype)
        if decay is not None and not torch.isfinite(torch.view_as_real(waves)).all():
            least = f"distance={float(distance.min()):g}"
            raise InputError(
                f"{least} lets xPos outgrow {q.dtype}; give keys nearer to or before their query"
            )
        by_wave = torch.cat([products.real, -products.imag], dim=-2).mT
        return self.factor * (by_wave @ torch.cat([waves.real, waves.imag]))

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """Vectors rotated once, of which an inner product is left; xPos, which scales by tile, as it stands."""
        if self.frequencies.log_decay is not None:
            return self, q, k
        a, b = (self.rotated(x, positions).to(x.dtype) for x in (q, k))
        return Nope(self.head_dim, self.factor), a, b

    def rotated(self, x: Tensor, positions: Tensor) -> Tensor:
        """x as `scores` rotates queries and keys, in float32 at least; first members of the pairs come first.

        Raises:
            InputError: under xPos, which scales queries and keys apart.
        """
        if self.frequencies.log_decay is not None:
            raise InputError("xPos scales queries and keys apart; take scores instead of rotated vectors")
        self.check_vectors(x)
        return self._turned(x, positions)

    def _rates(self, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """omega and decay of each rotated pair, float64."""
        decay = self.frequencies.log_decay
        omega = torch.from_numpy(self.frequencies.omega).to(device)
        return omega, None if decay is None else torch.from_numpy(decay).to(device)

    def _turned(
        self, x: Tensor, positions: Tensor, centre: Tensor | None = None, *, inverse: bool = False
    ) -> Tensor:
        """x rotated by its positions, then its unrotated rest.

        The first members of all pairs come first, whatever the pairing: an inner product sees no order. Under
        xPos a query decays with its position and a key, `inverse`, grows with it, both from `centre` on.
        """
        rotary, half = self.frequencies.rotary_dim, self.frequencies.rotary_dim // 2
        omega, decay = self._rates(x.device)
        angle = positions.double()[:, None] * omega  # at position 1e5 a float32 angle is off by 0.004 rad
        size = self.frequencies.attention_factor
        if decay is not None and centre is not None:
            steps = positions.double()[:, None] - centre
            size = size * torch.exp((-steps if inverse else steps) * decay)
        x = x.to(wide(x.dtype))
        cos, sin = (computed_once((size * wave).to(x.dtype)) for wave in (angle.cos(), angle.sin()))
        halves = self.frequencies.pairing == "halves"
        u, v = (x[..., :half], x[..., half:rotary]) if halves else (x[..., 0:rotary:2], x[..., 1:rotary:2])
        return torch.cat([u * cos - v * sin, u * sin + v * cos, x[..., rotary:]], dim=-1)

    def _centre(self, query_positions: Tensor, key_positions: Tensor, decay: np.ndarray) -> Tensor:
        """Position where xPos multiplies by 1: half way between the first query and the last key.

        So no factor overflows before a score does.
        """
        first, last = query_positions.double().min(), key_positions.double().max()
        if not torch.compiler.is_compiling():
            ahead, most = float(last - first), _LARGEST_GROWTH / -float(decay.min())
            if ahead > most:
                growth = f"a key lies {ahead:.0f} tokens after a query, where xPos outgrows float32"
                raise InputError(
                    f"{growth}; give tiles that reach at most {most:.0f} tokens beyond the diagonal"
                )
        return (first + last) / 2
