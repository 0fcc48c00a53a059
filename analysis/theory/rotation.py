"""One attention layer's rotation (`Frequencies`), plain RoPE, and the checks every rope type shares."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import InputError

LARGEST_HEAD = 2**24  # its frequencies take 64 MB
LARGEST_FACTOR = 1e100  # of attention: its square, and that times any score, is a float64
Pairing = Literal["halves", "interleaved"]


@dataclass(frozen=True, eq=False)
class Frequencies:
    """The rotation of one attention layer; checks itself on construction.

    Attributes:
        omega: angular frequency of every rotated pair, rad/token, finite and >= 0; 0 for a pair that rests.
        head_dim: dimension of the head, even; dimensions from `rotary_dim` on are not rotated.
        kind: the rope type, under transformers' name where it has one.
        attention_factor: multiplies cos and sin of queries and of keys, so the rotated part of a score is
            multiplied by its square; > 0.
        pairing: "halves" joins dimension d with d + rotary_dim/2 (Llama, GPT-NeoX); "interleaved" joins 2d
            with 2d+1 (eq 1 of the paper, GPT-J).
        log_decay: natural logarithm of the factor by which one token of distance multiplies a pair's score,
            <= 0 (xPos); None if there is none.

    Raises:
        InputError: if a value is out of its range; the message names it.
    """

    omega: Float[np.ndarray, " pairs"]
    head_dim: int
    kind: str = "default"
    attention_factor: float = 1.0
    pairing: Pairing = "halves"
    log_decay: Float[np.ndarray, " pairs"] | None = None

    def __post_init__(self) -> None:
        check_even("head_dim", self.head_dim)
        object.__setattr__(self, "omega", as_vector("omega", self.omega))
        if (self.omega < 0).any():
            raise InputError(f"omega holds {self.omega.min()}; a frequency must not be negative")
        if self.rotary_dim > self.head_dim:
            raise InputError(f"{len(self.omega)} pairs do not fit into head_dim={self.head_dim}")
        if self.pairing not in get_args(Pairing):
            raise InputError(f"pairing={self.pairing!r} is unknown; known: {', '.join(get_args(Pairing))}")
        check_above("attention_factor", self.attention_factor, 0)
        if self.attention_factor > LARGEST_FACTOR:
            raise InputError(f"attention_factor={self.attention_factor} is above {LARGEST_FACTOR}")
        if self.log_decay is not None:
            object.__setattr__(self, "log_decay", as_vector("log_decay", self.log_decay))
            if len(self.log_decay) != len(self.omega):
                raise InputError(f"log_decay has {len(self.log_decay)} values for {len(self.omega)} pairs")
            if (self.log_decay > 0).any():
                raise InputError(f"log_decay holds {self.log_decay.max()}; a score must not grow")

    @property
    def rotary_dim(self) -> int:
        """Number of rotated dimensions, the first ones of the head."""
        return 2 * len(self.omega)

    @property
    def pairs(self) -> Int[np.ndarray, "pairs 2"]:
        """Indices into the head of the two dimensions of each rotated pair, in the order of `omega`.

        A positive angle turns the first towards the second: x_first + i x_second times exp(i angle).
        """
        indices = np.arange(self.rotary_dim)
        return indices.reshape(2, -1).T if self.pairing == "halves" else indices.reshape(-1, 2)


def plain(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Plain RoPE (Su et al. 2021): omega_d = base^(-2d/rotary_dim), times 2 pi in turns (paper, eqs 2 and 3).

    Args:
        base: RoPE base, > 1.
        head_dim: dimension of the head, even and positive.
        rotary_dim: rotated leading dimensions, even and at most head_dim; the whole head if None. See
            `partial_rotary_dim`.
        turns: whether base^(-2d/rotary_dim) counts turns, as in the paper, instead of radians.
        pairing: see `Frequencies`.

    Raises:
        InputError: if a value is out of its range, or head_dim is above 2^24.
    """
    check_above("base", base, 1)
    check_even("head_dim", head_dim)
    if head_dim > LARGEST_HEAD:
        raise InputError(f"head_dim={head_dim} is above {LARGEST_HEAD}; use the limit of many pairs instead")
    rotary_dim = head_dim if rotary_dim is None else rotary_dim
    check_even("rotary_dim", rotary_dim)
    if rotary_dim > head_dim:
        raise InputError(f"rotary_dim={rotary_dim} exceeds head_dim={head_dim}")
    omega = float(base) ** -(np.arange(0, rotary_dim, 2) / rotary_dim)
    return Frequencies(2 * math.pi * omega if turns else omega, head_dim, pairing=pairing)


def partial_rotary_dim(head_dim: int, partial_rotary_factor: float) -> int:
    """Rotated dimensions of a head that is rotated in part: factor times head_dim, rounded down.

    Raises:
        InputError: if the factor is outside (0, 1], or the result is odd or zero.
    """
    check_even("head_dim", head_dim)
    check_share("partial_rotary_factor", partial_rotary_factor)
    rotary_dim = int(head_dim * partial_rotary_factor)
    if rotary_dim < 2 or rotary_dim % 2:
        raise InputError(
            f"partial_rotary_factor={partial_rotary_factor} of head_dim={head_dim} "
            f"gives rotary_dim={rotary_dim}; it must be even and positive"
        )
    return rotary_dim


def as_vector(name: str, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """An own float64 copy of a non-empty vector of finite numbers; `InputError` if it is none."""
    copy = np.array(values, dtype=np.float64)
    if copy.ndim != 1 or not copy.size:
        raise InputError(f"{name} has shape {copy.shape}; it must be a vector with one value per pair")
    if not np.isfinite(copy).all():
        raise InputError(f"{name} holds a value that is not finite")
    return copy


def check_even(name: str, value: int) -> None:
    """`InputError` unless value is an even positive whole number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name}={value} is not a positive whole number")
    if value % 2:
        raise InputError(f"{name}={value} is odd; RoPE rotates pairs")


def check_above(name: str, value: float, bound: float) -> None:
    """`InputError` unless value is finite and above bound."""
    if not bound < value <= sys.float_info.max:  # which a whole number may exceed
        raise InputError(f"{name}={value} must be finite and above {bound}")


def check_at_least(name: str, value: float, bound: float) -> None:
    """`InputError` unless value is finite and not below bound."""
    if not bound <= value <= sys.float_info.max:
        raise InputError(f"{name}={value} must be finite and at least {bound}")


def check_share(name: str, value: float) -> None:
    """`InputError` unless value is in (0, 1]."""
    if not 0 < value <= 1:
        raise InputError(f"{name}={value} is outside (0, 1]")
