"""Angular frequency per pair for every RoPE variant, and the registry of rope types.

A rope type is a function of base, head dimension and options of its own; `ROPE_TYPES` is the one table that gives
it its names. `Extension` is a type applied at inference to RoPE that was trained without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import InputError
from analysis.settings import check_above, check_at_least, check_even, check_share, nearest

LARGEST_HEAD = 2**24  # its frequencies take 64 MB
LARGEST_FACTOR = 1e100  # of attention: its square, and that times any score, is a float64
Pairing = Literal["halves", "interleaved"]


def as_vector(name: str, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """An own float64 copy of a non-empty vector of finite numbers; `InputError` if it is none."""
    copy = np.array(values, dtype=np.float64)
    if copy.ndim != 1 or not copy.size:
        raise InputError(f"{name} has shape {copy.shape}; it must be a vector with one value per pair")
    if not np.isfinite(copy).all():
        raise InputError(f"{name} holds a value that is not finite")
    return copy


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

    >>> f = Frequencies(omega=np.array([1.0, 0.1]), head_dim=8)
    >>> f.rotary_dim, f.head_dim, f.attention_factor  # the other 4 dimensions do not rotate
    (4, 8, 1.0)
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
            raise InputError(
                f"pairing={self.pairing!r} is unknown; {nearest(self.pairing, get_args(Pairing))}"
            )
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

    >>> plain(1e4, 8).omega.round(4)  # rad/token, one for each pair
    array([1.   , 0.1  , 0.01 , 0.001])
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

    >>> partial_rotary_dim(80, 0.4)  # dimensions, Phi-2
    32
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


# Plain RoPE's descendants: the frequencies of context extension, p-RoPE and xPos, one function each.
#
# All take `plain`'s base, head_dim, rotary_dim, pairing and, where the published method does not depend on
# the unit of the angle, `turns`; these and their errors are described there and not repeated.


def linear(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    factor: float,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Linear position interpolation (kaiokendev 2023; Chen et al. 2023): plain divided by factor >= 1.

    >>> float(linear(1e4, 8, factor=4).omega[0])  # position interpolation: every frequency over the factor
    0.25
    """
    check_at_least("factor", factor, 1)
    rope = plain(base, head_dim, rotary_dim, turns=turns, pairing=pairing)
    return replace(rope, omega=rope.omega / factor, kind="linear")


def ntk(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    factor: float,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Static NTK-aware scaling (bloc97 2023; Peng et al. 2023): a larger base and nothing else.

    The base is multiplied by factor^(rotary_dim/(rotary_dim - 2)), factor >= 1, which leaves the highest
    frequency alone and divides the lowest by factor. A single pair is both, and is refused.

    >>> slower = ntk(1e4, 128, factor=4).omega / plain(1e4, 128).omega
    >>> slower[[0, -1]].round(3)
    array([1.  , 0.25])
    """
    check_at_least("factor", factor, 1)
    rope = plain(base, head_dim, rotary_dim, turns=turns, pairing=pairing)
    if rope.rotary_dim == 2:
        raise InputError("rotary_dim=2 is a single pair; NTK-aware scaling needs two or more")
    # the new base to the power -2d/rotary_dim, without forming the base, which may overflow
    slowing = float(factor) ** -(np.arange(0, rope.rotary_dim, 2) / (rope.rotary_dim - 2))
    return replace(rope, omega=rope.omega * slowing, kind="ntk")


def dynamic_ntk(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    factor: float,
    trained_length: int,
    length: int,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Dynamic NTK scaling (emozilla 2023): `ntk` with a factor that grows with the length of the text.

    Beyond the trained length it is factor * length / trained_length - (factor - 1), up to it 1.

    Args:
        factor: >= 1.
        trained_length: longest length of training, tokens.
        length: length of the text, tokens: all positions of one text share their frequencies.
    """
    check_at_least("factor", factor, 1)
    check_at_least("trained_length", trained_length, 1)
    check_at_least("length", length, 1)
    grown = 1 + factor * (max(length / trained_length, 1) - 1)
    rope = ntk(base, head_dim, rotary_dim, factor=grown, turns=turns, pairing=pairing)
    return replace(rope, kind="dynamic")


def yarn(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    factor: float,
    trained_length: int,
    beta_fast: float = 32.0,
    beta_slow: float = 1.0,
    truncate: bool = True,
    attention_factor: float | None = None,
    mscale: float | None = None,
    mscale_all_dim: float | None = None,
    pairing: Pairing = "halves",
) -> Frequencies:
    """YaRN (Peng et al. 2023): pairs that turn often in the trained length are kept, the others interpolated.

    Frequencies go from plain to plain/factor along a ramp between the pairs that make beta_fast and beta_slow
    turns in trained_length tokens. It is linear in the pair's index, as in released code; the YaRN paper
    writes it as linear in the number of turns.

    Args:
        factor: new length over trained length, >= 1.
        trained_length: length before the extension, tokens.
        beta_fast, beta_slow: turns in trained_length, beta_fast >= beta_slow > 0.
        truncate: whether the ramp's ends are rounded outwards to whole indices.
        attention_factor: given outright; otherwise 0.1 ln(factor) + 1, or with both mscale and mscale_all_dim
            the ratio of 0.1 m ln(factor) + 1 for the one and the other (DeepSeek). As in transformers, one of
            the two alone, or a zero, counts as not given.

    Raises:
        InputError: if a value is out of its range, or the ramp lies outside the pairs.

    >>> f = yarn(1e4, 64, factor=4, trained_length=2048)
    >>> float(f.omega[0]), round(f.attention_factor, 4)  # the fastest pair keeps its frequency
    (1.0, 1.1386)
    """
    check_at_least("factor", factor, 1)
    rope = plain(base, head_dim, rotary_dim, pairing=pairing)
    check_at_least("trained_length", trained_length, 1)
    check_above("beta_slow", beta_slow, 0)
    check_at_least("beta_fast", beta_fast, beta_slow)
    for name, value in (("mscale", mscale), ("mscale_all_dim", mscale_all_dim)):
        check_at_least(name, value or 0, 0)
    low, high = _yarn_ramp(base, rope.rotary_dim, trained_length, beta_fast, beta_slow, truncate)
    interpolated = np.clip((np.arange(len(rope.omega)) - low) / (high - low), 0, 1)
    if attention_factor is None:
        attention_factor = _yarn_attention_factor(factor, mscale, mscale_all_dim)
    omega = rope.omega * (1 - interpolated + interpolated / factor)
    return replace(rope, omega=omega, kind="yarn", attention_factor=attention_factor)


def _yarn_ramp(
    base: float, rotary_dim: int, trained_length: int, beta_fast: float, beta_slow: float, truncate: bool
) -> tuple[float, float]:
    """Index up to which pairs are kept, and index from which they are interpolated in full."""
    low, high = (
        # one logarithm each: their quotient may overflow
        rotary_dim * (math.log(trained_length / (2 * math.pi)) - math.log(turns)) / (2 * math.log(base))
        for turns in (beta_fast, beta_slow)
    )
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rotary_dim - 1)
    if high < low:
        raise InputError(
            f"trained_length={trained_length} puts YaRN's ramp outside "
            f"the {rotary_dim // 2} pairs of base={base}; check both"
        )
    # a ramp of width zero gets the width that released code gives it
    return (low, high) if high > low else (low, low + 0.001)


def _yarn_attention_factor(factor: float, mscale: float | None, mscale_all_dim: float | None) -> float:
    if not (mscale and mscale_all_dim):
        mscale, mscale_all_dim = 1.0, 0.0
    return (0.1 * mscale * math.log(factor) + 1) / (0.1 * mscale_all_dim * math.log(factor) + 1)


def llama3(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    factor: float,
    trained_length: int,
    low_freq_factor: float = 1.0,
    high_freq_factor: float = 4.0,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Llama 3.1's scaling (Llama Team 2024, released code): plain/factor, plain, and a ramp between them.

    Args:
        factor: >= 1.
        trained_length: length before the extension, tokens.
        low_freq_factor, high_freq_factor: turns in trained_length, high > low > 0. A pair with fewer than low
            is divided by factor, one with more than high is kept; between them the ramp is linear in turns.

    >>> f = llama3(5e5, 128, factor=8, trained_length=8192)
    >>> (f.omega / plain(5e5, 128).omega)[[0, -1]]  # slow pairs are stretched
    array([1.   , 0.125])
    """
    check_at_least("factor", factor, 1)
    check_at_least("trained_length", trained_length, 1)
    check_above("low_freq_factor", low_freq_factor, 0)
    check_above("high_freq_factor", high_freq_factor, low_freq_factor)
    rope = plain(base, head_dim, rotary_dim, pairing=pairing)
    turns = trained_length * rope.omega / (2 * math.pi)
    kept = np.clip((turns - low_freq_factor) / (high_freq_factor - low_freq_factor), 0, 1)
    return replace(rope, omega=rope.omega * (kept + (1 - kept) / factor), kind="llama3")


def longrope(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    short_factor: Sequence[float],
    long_factor: Sequence[float],
    trained_length: int,
    factor: float,
    length: int | None = None,
    attention_factor: float | None = None,
    pairing: Pairing = "halves",
) -> Frequencies:
    """LongRoPE (Ding et al. 2024): each pair's frequency is divided by a number found for it by search.

    Args:
        short_factor, long_factor: a divisor > 0 for each rotated pair, up to trained_length and beyond.
        trained_length: length before the extension, tokens; above 1.
        factor: new length over trained length, >= 1; it enters the attention factor only.
        length: length of the text, tokens; None takes short_factor.
        attention_factor: given outright; otherwise sqrt(1 + ln(factor)/ln(trained_length)).

    Raises:
        InputError: if a value is out of its range, or a list does not hold one value per pair.
    """
    check_at_least("factor", factor, 1)
    check_above("trained_length", trained_length, 1)
    if length is not None:
        check_at_least("length", length, 1)
    rope = plain(base, head_dim, rotary_dim, pairing=pairing)
    short = _divisors("short_factor", short_factor, rope)
    long = _divisors("long_factor", long_factor, rope)
    divisors = long if length is not None and length > trained_length else short
    if attention_factor is None:
        attention_factor = math.sqrt(1 + math.log(factor) / math.log(trained_length))
    return replace(rope, omega=rope.omega / divisors, kind="longrope", attention_factor=attention_factor)


def _divisors(name: str, values: Sequence[float], rope: Frequencies) -> Float[np.ndarray, " pairs"]:
    divisors = as_vector(name, np.array(values, dtype=np.float64))
    if len(divisors) != len(rope.omega):
        raise InputError(
            f"{name} has {len(divisors)} values; "
            f"rotary_dim={rope.rotary_dim} needs {len(rope.omega)}, one per pair"
        )
    check_above(f"the smallest value in {name}", divisors.min(), 0)
    return divisors


def proportional(
    base: float,
    head_dim: int,
    *,
    partial_rotary_factor: float,
    factor: float = 1.0,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Proportional RoPE, or p-RoPE (Barbero et al. 2024): the whole head's frequencies, the lowest set to 0.

    Unlike partial rotation it has exponents 2d/head_dim, and a resting pair keeps its place in the head.

    Args:
        partial_rotary_factor: share of the pairs that turn, in (0, 1]; their number is rounded down.
        factor: divides the frequencies, >= 1.

    Raises:
        InputError: if a value is out of its range, or no pair would turn.
    """
    check_at_least("factor", factor, 1)
    check_share("partial_rotary_factor", partial_rotary_factor)
    rope = plain(base, head_dim, turns=turns, pairing=pairing)
    turning = int(partial_rotary_factor * head_dim // 2)
    if not turning:
        raise InputError(
            f"partial_rotary_factor={partial_rotary_factor} of head_dim={head_dim} rotates no pair"
        )
    omega = np.where(np.arange(len(rope.omega)) < turning, rope.omega / factor, 0.0)
    return replace(rope, omega=omega, kind="proportional")


def xpos(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    scale_base: float = 512.0,
    gamma: float = 0.4,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """xPos (Sun et al. 2022): plain RoPE, the score of pair d multiplied by zeta_d^(distance/scale_base).

    zeta_d = (2d/rotary_dim + gamma)/(1 + gamma) < 1 multiplies the query as zeta_d^(m/scale_base), the key as
    zeta_d^(-n/scale_base). For a query after its key a score decays with m - n, fastest in the pair of the
    highest frequency; for a query before its key it grows.

    Args:
        scale_base: tokens, > 0; 512 in their paper.
        gamma: > 0, larger for a slower decay; 0.4 in their paper.
    """
    check_above("scale_base", scale_base, 0)
    check_above("gamma", gamma, 0)
    rope = plain(base, head_dim, rotary_dim, turns=turns, pairing=pairing)
    log_zeta = np.log((np.arange(len(rope.omega)) / len(rope.omega) + gamma) / (1 + gamma))
    return replace(rope, kind="xpos", log_decay=log_zeta / scale_base)


@dataclass(frozen=True, slots=True)
class RopeType:
    """One row of the registry: a rope type with everything that names it.

    Attributes:
        name: transformers' name where it has one; `Frequencies.kind`.
        title: for figures.
        make: builds it from base, head_dim and options of its own.
        aliases: other names that mean it.
        extension: name as an extension of trained RoPE at inference, in records; None for a type that needs more
            than a factor and lengths.
    """

    name: str
    title: str
    make: Callable[..., Frequencies]
    aliases: tuple[str, ...] = ()
    extension: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Names of what `make` takes beside base and head_dim."""
        return tuple(signature(self.make).parameters)[2:]

    def frequencies(self, base: float, head_dim: int, **options: Any) -> Frequencies:
        """Frequencies from those of the options that mean something to this type; errors as `make`."""
        known = {name: value for name, value in options.items() if name in self.options}
        return self.make(base, head_dim, **known)


_TYPES = (
    RopeType("default", "RoPE", plain, ("plain", "rope"), "none"),
    RopeType("linear", "position interpolation", linear, ("interpolation",), "pi"),
    RopeType("ntk", "NTK-aware", ntk, ("ntk-aware",), "ntk"),
    RopeType("dynamic", "dynamic NTK", dynamic_ntk, ("dynamic_ntk", "dynamic-ntk"), "dynamic"),
    RopeType("yarn", "YaRN", yarn, (), "yarn"),
    RopeType("llama3", "Llama 3", llama3, ("llama-3",), "llama3"),
    RopeType("longrope", "LongRoPE", longrope, ("su",)),
    RopeType("proportional", "p-RoPE", proportional, ("p-rope", "prope")),
    RopeType("xpos", "xPos", xpos),
)
ROPE_TYPES: Mapping[str, RopeType] = {row.name: row for row in _TYPES}
"""Every rope type by its name: one registry for curves, evaluation, training and configurations."""
NAMES = tuple(row.extension for row in _TYPES if row.extension)
"""Extensions of trained RoPE at inference."""
_BY_ANY_NAME = {
    name: row for row in _TYPES for name in (row.name, row.extension, *row.aliases) if name is not None
}


def rope_type(name: str) -> RopeType:
    """The rope type of that name or alias; an unknown one is answered with the nearest.

    >>> rope_type("pi").name, rope_type("linear").extension
    ('linear', 'pi')

    Raises:
        InputError: there is none.
    """
    if name not in _BY_ANY_NAME:
        raise InputError(f"rope type {name!r} is unknown; {nearest(name, ROPE_TYPES)}")
    return _BY_ANY_NAME[name]


def extension_name(name: str) -> str:
    """How records name an extension at inference, one of `NAMES`, from any of its names.

    Raises:
        InputError: there is none, or the type needs more than a factor and lengths.
    """
    row = _BY_ANY_NAME.get(name)
    if row is None:
        raise InputError(f"extension {name!r} is unknown; {nearest(name, NAMES)}")
    if row.extension is None:
        raise InputError(
            f"extension {name!r}: {row.title} does not follow from a factor and lengths; {nearest(name, NAMES)}"
        )
    return row.extension


def family(base: float, head_dim: int, trained_length: int, length: int) -> dict[str, Frequencies]:
    """The RoPE family prepared to read `length` tokens after training at `trained_length`, by display name.

    LongRoPE is left out: its factors are searched for one model at a time and have no formula.
    """
    given = {"factor": length / trained_length, "trained_length": trained_length, "length": length}
    extensions = {
        row.title: row.frequencies(base, head_dim, **given) for row in _TYPES if row.extension is not None
    }
    return extensions | {
        "partial (1/2)": plain(base, head_dim, head_dim // 2),
        "p-RoPE (1/2)": proportional(base, head_dim, partial_rotary_factor=0.5),
        "xPos": xpos(base, head_dim),
    }


@dataclass(frozen=True, slots=True)
class Extension:
    """A way to read beyond the trained length without training; checks itself on construction.

    >>> Extension("yarn", 4.0, 2048).frequencies(1e4, 64, 64, length=8192).attention_factor > 1
    True

    Attributes:
        name: one of `NAMES` ("none", "pi", "ntk", "dynamic", "yarn", "llama3"), or an alias of one, such as
            "linear", which becomes it.
        factor: length to read over trained length, >= 1; 1 leaves the rotation as it is.
        trained_length: tokens, >= 1.
    """

    name: str
    factor: float
    trained_length: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", extension_name(self.name))
        check_at_least("factor", self.factor, 1)
        check_at_least("trained_length", self.trained_length, 1)

    @property
    def changes_nothing(self) -> bool:
        """Whether the rotation stays the trained one at every length: no extension, or a factor of 1."""
        return self.name == "none" or self.factor == 1

    def frequencies(
        self, base: float, head_dim: int, rotary_dim: int, *, length: int, pairing: Pairing = "halves"
    ) -> Frequencies:
        """Frequencies for a text of `length` tokens; only "dynamic" looks at it.

        Raises:
            InputError: the sizes are out of their range, or fit no ramp of YaRN.
        """
        return rope_type(self.name).frequencies(
            base,
            head_dim,
            rotary_dim=rotary_dim,
            factor=self.factor,
            trained_length=self.trained_length,
            length=length,
            pairing=pairing,
        )
