"""Rotary position embedding and all its family, from the frequencies of `theory.frequencies`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from analysis.encodings.additive import Nope, SlidingWindow
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
from analysis.settings import check_above
from analysis.theory.frequencies import Frequencies
from analysis.theory.gaussian_law import GaussianLaw, Moments, Steps, rotary_moments
from analysis.theory.rope import Distance


def complex_pairs(
    x: Float[Tensor, "*heads length head_dim"], frequencies: Frequencies
) -> Complex[Tensor, "*heads pairs length"]:
    """Vectors as complex pairs, positions last: the rotated pairs first, then those that are not rotated.

    Rotated pairs are multiplied by the attention factor (YaRN, LongRoPE), so that the score is
    Re sum_d zq_d(m) conj(zk_d(n)) exp(i (m-n) omega_d) and nothing more.

    Args:
        x: queries or keys before any position is applied.
        frequencies: says which dimensions form a pair, how many are rotated, and the attention factor.

    Raises:
        InputError: if the last axis is not `frequencies.head_dim` long.
    """
    if x.shape[-1] != frequencies.head_dim:
        raise InputError(
            f"vectors have {x.shape[-1]} dimensions, the frequencies are for {frequencies.head_dim}"
        )
    rotary = frequencies.rotary_dim
    turned, rest = x[..., :rotary], x[..., rotary:]
    if frequencies.pairing == "halves":
        real, imag = turned[..., : rotary // 2], turned[..., rotary // 2 :]
    else:
        real, imag = turned[..., 0::2], turned[..., 1::2]
    z = torch.complex(real, imag)
    if frequencies.attention_factor != 1:
        z = frequencies.attention_factor * z
    if rest.shape[-1]:
        # any pairing of the unrotated dimensions gives the same inner product; a lone last one gets a zero
        rest = torch.nn.functional.pad(rest, (0, rest.shape[-1] % 2))
        z = torch.cat([z, torch.complex(rest[..., 0::2], rest[..., 1::2])], dim=-1)
    return z.mT.contiguous()  # once, as complex numbers: transposing the parts apart takes five times as long


def rotation_table(
    frequencies: Frequencies,
    length: int,
    pairs: int,
    dtype: torch.dtype = torch.complex64,
    device: torch.device | str = "cpu",
) -> Complex[Tensor, "pairs length"]:
    """exp(i m omega_d) for positions m = 0..length-1; 1 for the pairs that are not rotated.

    Angles are formed in float64: at position 1e5 a float32 angle is off by 0.004 rad. By angle addition,
    m = a w + b, so there are only about 2 sqrt(length) sines and cosines a pair.
    """
    omega = torch.from_numpy(frequencies.omega).to(torch.float64)
    width = math.isqrt(max(length - 1, 0)) + 1
    steps = torch.arange(width, dtype=torch.float64, device="cpu")
    one = torch.ones((), dtype=torch.float64, device="cpu")
    fine, coarse = (torch.polar(one, omega[:, None] * steps * step) for step in (1, width))
    table = torch.ones(pairs, length, dtype=dtype, device="cpu")
    table[: len(omega)] = (coarse[:, :, None] * fine[:, None, :]).flatten(1)[:, :length].to(dtype)
    return table.to(device)


_LARGEST_GROWTH = 80.0  # exp(88.7) overflows float32


@dataclass(frozen=True, eq=False)
class Rope(ScaledEncoding):
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864): eq 2 of the paper, the project's sign.

    Attributes:
        frequencies: plain, extended, rotating in part, or decaying with distance (xPos).
        scale: factor of the score beside the frequencies' attention factor; None for 1/sqrt(head_dim).
        head_dim: of q and k; the frequencies say it.

    >>> from analysis.theory.frequencies import plain
    >>> q, k = torch.ones(2, 3, 4)
    >>> Rope(plain(1e4, 4)).scores(q, k, torch.arange(3), torch.arange(3))[2]  # one query, keys at 0, 1, 2
    tensor([0.5837, 1.5403, 2.0000])
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

    def moments(self, law: GaussianLaw, distance: Distance, steps: Steps | None = None) -> Moments:
        """See `theory.gaussian_law.rotary_moments`."""
        return rotary_moments(law, distance, self.frequencies, scale=self.factor)

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


def rotation(encoding: Encoding) -> tuple[Rope, int | None]:
    """The rotation inside an encoding, and the window that a query sees (None for all); `InputError` without one."""
    rope, window = encoding, None
    if isinstance(encoding, SlidingWindow):
        rope, window = encoding.encoding, encoding.window
    if not isinstance(rope, Rope) or rope.frequencies.log_decay is not None:
        raise InputError(f"{type(rope).__name__} rotates no queries and keys alike; give a model of RoPE")
    return rope, window


# Rotation of queries and keys by position, and how far two rotations may differ by rounding alone.


def rotate(
    x: Float[Tensor, "*heads length head_dim"],
    positions: Int[Tensor, " length"] | Float[Tensor, " length"],
    frequencies: Frequencies,
) -> Float[Tensor, "*heads length head_dim"]:
    """Pair d at position m turned by +m * omega_d (RoFormer, Su et al. 2021, eq 34).

    Rotated dimensions are multiplied by the attention factor too, those beyond `frequencies.rotary_dim` pass
    unchanged. Angles are formed in float64 whatever the dtype of `x`, which is the dtype of the result.

    Raises:
        InputError: if the last axis is not `frequencies.head_dim` long, or for frequencies with a decay
            (xPos), where queries and keys are scaled differently and one rotation cannot serve both.
    """
    if x.shape[-1] != frequencies.head_dim:
        raise InputError(
            f"vectors have {x.shape[-1]} dimensions, the frequencies are for {frequencies.head_dim}"
        )
    if frequencies.log_decay is not None:
        raise InputError(
            f"frequencies of kind {frequencies.kind!r} scale q and k differently; rotate serves neither"
        )
    omega = torch.from_numpy(np.asarray(frequencies.omega, dtype=np.float64)).to(x.device)
    angle = positions.to(device=x.device, dtype=torch.float64)[:, None] * omega
    cos = (frequencies.attention_factor * angle.cos()).to(x.dtype)
    sin = (frequencies.attention_factor * angle.sin()).to(x.dtype)
    first, second = torch.from_numpy(frequencies.pairs).T
    turned = x.clone()
    turned[..., first] = x[..., first] * cos - x[..., second] * sin
    turned[..., second] = x[..., second] * cos + x[..., first] * sin
    return turned


def relative_difference(
    expected: Float[Tensor, "batch heads length head_dim"],
    found: Float[Tensor, "batch heads length head_dim"],
    frequencies: Frequencies,
) -> float:
    """Largest difference over positions, relative to the largest size that its own pair reaches in its head.

    Pair by pair, so that an error in a small pair cannot hide behind a large one (keys with biases have
    pairs a hundred times the others). NaN if either side has one; infinite where only zeros were expected.
    """
    return relative_differences(expected, found, frequencies).max().item()


def relative_differences(
    expected: Float[Tensor, "batch heads length head_dim"],
    found: Float[Tensor, "batch heads length head_dim"],
    frequencies: Frequencies,
) -> Float[Tensor, "heads head_dim"]:
    """As `relative_difference`, for every head and dimension."""
    if expected.shape != found.shape:
        raise InputError(f"rotated shape {tuple(expected.shape)} is not the model's {tuple(found.shape)}")
    size = expected.abs()
    first, second = torch.from_numpy(frequencies.pairs).T
    size[..., first] = size[..., second] = torch.hypot(expected[..., first], expected[..., second])
    error = (expected - found).abs().amax(dim=(0, 2))
    return torch.where(error == 0, 0.0, error / size.amax(dim=(0, 2)))


def rounding_budget(frequencies: Frequencies, last_position: int, dtype: torch.dtype) -> float:
    """Bound on `relative_difference` if a model that computes in `dtype` rotates by these very frequencies.

    Models form omega and the angle in float32 whatever their dtype. With u the unit roundoff of float32,
    omega_d = base^-e carries a relative error of at most u (|ln omega_d| + 6): the rounded exponent e, the
    power, the reciprocal, and the few operations of a scaling rule; the product with the position adds u.
    Cosine, sine, two products and a sum in `dtype` add 6 of its unit roundoffs.
    """
    single, unit = (torch.finfo(kind).eps / 2 for kind in (torch.float32, dtype))
    omega = np.asarray(frequencies.omega, dtype=np.float64)
    turning = omega[omega > 0]
    worst = float(np.max(turning * (np.abs(np.log(turning)) + 7))) if turning.size else 0.0
    return 6 * (unit + single) + single * last_position * worst
