"""Plain RoPE's descendants: the frequencies of context extension, p-RoPE and xPos, one function each.

All take `plain`'s base, head_dim, rotary_dim, pairing and, where the published method does not depend on the
unit of the angle, `turns`; these and their errors are described there and not repeated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from analysis.errors import InputError
from analysis.theory.rotation import (
    Frequencies,
    Pairing,
    as_vector,
    check_above,
    check_at_least,
    check_share,
    plain,
)


def linear(
    base: float,
    head_dim: int,
    rotary_dim: int | None = None,
    *,
    factor: float,
    turns: bool = False,
    pairing: Pairing = "halves",
) -> Frequencies:
    """Linear position interpolation (kaiokendev 2023; Chen et al. 2023): plain divided by factor >= 1."""
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
