"""Rope types from arguments: what each one is, by properties, and the messages for bad input."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.theory.frequencies import (
    ROPE_TYPES,
    Extension,
    Frequencies,
    dynamic_ntk,
    extension_name,
    linear,
    llama3,
    longrope,
    ntk,
    partial_rotary_dim,
    plain,
    proportional,
    rope_type,
    xpos,
    yarn,
)

ULP = 2.0**-52

few = settings(max_examples=60)
head_dims = st.integers(2, 128).map(lambda pairs: 2 * pairs)
bases = st.floats(2.0, 1e9)
factors = st.floats(1.0, 64.0)
lengths = st.integers(512, 2**20)


# --- what each rope type is -----------------------------------------------------------------------------


@few
@given(head_dims, bases)
def test_plain_is_the_geometric_sequence(head_dim: int, base: float) -> None:
    omega = plain(base, head_dim).omega
    with mpmath.workdps(40):
        exact = [float(mpmath.power(base, -mpmath.mpf(2 * d) / head_dim)) for d in range(head_dim // 2)]
    # the exponent is rounded once, and its error is multiplied by ln(base)
    np.testing.assert_allclose(omega, exact, rtol=ULP * (2 + math.log(base)))
    assert omega[0] == 1
    assert (np.diff(omega) < 0).all()


def test_turns_are_two_pi_radians() -> None:
    for build in (plain, xpos):
        np.testing.assert_array_equal(build(1e4, 64, turns=True).omega, 2 * math.pi * build(1e4, 64).omega)
    assert ntk(1e4, 64, factor=8.0, turns=True).omega[0] == 2 * math.pi


def extended(kind: str, base: float, head_dim: int, factor: float, length: int) -> Frequencies:
    """One of the extensions, with the arguments that are its own set to ordinary values."""
    ones = [1.0] * (head_dim // 2)
    build: Mapping[str, Callable[[], Frequencies]] = {
        "linear": lambda: linear(base, head_dim, factor=factor),
        "ntk": lambda: ntk(base, head_dim, factor=factor),
        "dynamic": lambda: dynamic_ntk(base, head_dim, factor=factor, trained_length=512, length=length),
        "yarn": lambda: yarn(base, head_dim, factor=factor, trained_length=length),
        "llama3": lambda: llama3(base, head_dim, factor=factor, trained_length=length),
        "longrope": lambda: longrope(
            base, head_dim, short_factor=ones, long_factor=ones, trained_length=length, factor=factor
        ),
        "proportional": lambda: proportional(base, head_dim, partial_rotary_factor=1.0, factor=factor),
    }
    return build[kind]()


EXTENSIONS = ("linear", "ntk", "dynamic", "yarn", "llama3", "longrope", "proportional")


@pytest.mark.parametrize("kind", EXTENSIONS)
@few
@given(head_dims, st.floats(1e3, 1e9))
def test_factor_one_is_plain(kind: str, head_dim: int, base: float) -> None:
    rope = extended(kind, base, head_dim, 1.0, 512)
    np.testing.assert_allclose(rope.omega, plain(base, head_dim).omega, rtol=2 * ULP)
    assert rope.attention_factor == 1
    assert rope.kind == kind


@pytest.mark.parametrize("kind", EXTENSIONS)
@few
@given(head_dims, st.floats(1e3, 1e9), factors, lengths)
def test_extensions_are_positive_never_increase_and_slow_every_pair(
    kind: str, head_dim: int, base: float, factor: float, length: int
) -> None:
    omega = extended(kind, base, head_dim, factor, length).omega
    unextended = plain(base, head_dim).omega
    assert (omega > 0).all()
    assert (omega <= unextended * (1 + 2 * ULP)).all()
    assert (np.diff(omega) <= 0).all()
    if kind != "dynamic":  # whose factor grows without end
        assert (omega >= unextended / factor * (1 - 8 * ULP)).all()


@few
@given(head_dims, bases, factors)
def test_linear_divides_by_the_factor(head_dim: int, base: float, factor: float) -> None:
    rope = linear(base, head_dim, factor=factor)
    np.testing.assert_array_equal(rope.omega, plain(base, head_dim).omega / factor)


@few
@given(head_dims, bases, factors)
def test_ntk_keeps_the_highest_divides_the_lowest_and_is_plain_at_a_larger_base(
    head_dim: int, base: float, factor: float
) -> None:
    omega, unextended = ntk(base, head_dim, factor=factor).omega, plain(base, head_dim).omega
    assert omega[0] == unextended[0]
    assert omega[-1] == pytest.approx(unextended[-1] / factor, rel=4 * ULP)
    larger = base * factor ** (head_dim / (head_dim - 2))
    budget = ULP * (8 + 2 * math.log(larger))  # two roundings of an exponent of e up to ln(larger)
    np.testing.assert_allclose(omega, plain(larger, head_dim).omega, rtol=budget)


@few
@given(head_dims, bases, factors, lengths, st.floats(0.01, 1.0))
def test_dynamic_ntk_is_plain_up_to_the_trained_length(
    head_dim: int, base: float, factor: float, trained: int, part: float
) -> None:
    length = max(1, int(part * trained))
    rope = dynamic_ntk(base, head_dim, factor=factor, trained_length=trained, length=length)
    np.testing.assert_array_equal(rope.omega, plain(base, head_dim).omega)


@few
@given(head_dims, bases, factors, lengths)
def test_dynamic_ntk_at_twice_the_trained_length(
    head_dim: int, base: float, factor: float, trained: int
) -> None:
    rope = dynamic_ntk(base, head_dim, factor=factor, trained_length=trained, length=2 * trained)
    np.testing.assert_array_equal(rope.omega, ntk(base, head_dim, factor=factor + 1).omega)


@few
@given(
    head_dims.filter(lambda d: d >= 8),
    st.floats(1e3, 1e9),
    factors,
    lengths,
    st.floats(2.0, 64.0),
    st.booleans(),
)
def test_yarn_keeps_what_turns_often_and_interpolates_what_turns_seldom(
    head_dim: int, base: float, factor: float, trained: int, beta_fast: float, truncate: bool
) -> None:
    rope = yarn(
        base,
        head_dim,
        factor=factor,
        trained_length=trained,
        beta_fast=beta_fast,
        beta_slow=1.0,
        truncate=truncate,
    )
    unextended = plain(base, head_dim).omega
    turns = trained * unextended / (2 * math.pi)
    # a pair that sits on an end of the ramp may fall on either side of it by rounding
    often, seldom = turns > beta_fast * (1 + 1e-9), turns < 1 - 1e-9
    np.testing.assert_allclose(rope.omega[often], unextended[often], rtol=ULP)
    np.testing.assert_allclose(rope.omega[seldom], unextended[seldom] / factor, rtol=2 * ULP)


def test_yarn_at_the_edge_of_the_floats() -> None:
    """No pair turns as often as the one asks, every pair more often than the other: both ends of the ramp stay put."""
    shape: dict[str, Any] = {"base": 1e4, "head_dim": 64, "factor": 8.0, "trained_length": 8192}
    for end in ({"beta_fast": (1e308, 1e30)}, {"beta_slow": (1e-320, 1e-30)}):
        name, values = next(iter(end.items()))
        first, second = (yarn(**shape, **{name: value}).omega for value in values)
        np.testing.assert_array_equal(first, second)


def test_yarn_attention_factor() -> None:
    def factor_of(**more: float | None) -> float:
        return yarn(1e4, 64, factor=math.e**2, trained_length=4096, **more).attention_factor

    assert factor_of() == pytest.approx(1.2)  # 0.1 ln(e^2) + 1
    assert factor_of(mscale=0.7, mscale_all_dim=0.7) == 1
    assert factor_of(mscale=2.0, mscale_all_dim=0.5) == pytest.approx(1.4 / 1.1)
    assert factor_of(mscale=2.0) == factor_of(mscale=2.0, mscale_all_dim=0.0) == factor_of()
    assert factor_of(attention_factor=0.5, mscale=2.0, mscale_all_dim=1.0) == 0.5


@few
@given(head_dims, bases, factors, lengths, st.floats(0.1, 4.0), st.floats(1.01, 30.0))
def test_llama3_keeps_what_turns_often_and_divides_what_turns_seldom(
    head_dim: int, base: float, factor: float, trained: int, low: float, ratio: float
) -> None:
    high = low * ratio
    rope = llama3(
        base, head_dim, factor=factor, trained_length=trained, low_freq_factor=low, high_freq_factor=high
    )
    unextended = plain(base, head_dim).omega
    turns = trained * unextended / (2 * math.pi)
    np.testing.assert_array_equal(rope.omega[turns > high], unextended[turns > high])
    seldom = turns < low
    np.testing.assert_allclose(rope.omega[seldom], unextended[seldom] / factor, rtol=2 * ULP)
    assert (np.diff(rope.omega) <= 0).all()


@few
@given(head_dims, bases, st.integers(2, 10**6), st.data())
def test_longrope_divides_each_pair_by_its_own_number(
    head_dim: int, base: float, trained: int, data: Any
) -> None:
    lists = st.lists(st.floats(0.5, 80.0), min_size=head_dim // 2, max_size=head_dim // 2)
    short, long = data.draw(lists), data.draw(lists)

    def omega(length: int | None) -> np.ndarray:
        rope = longrope(
            base,
            head_dim,
            short_factor=short,
            long_factor=long,
            trained_length=trained,
            factor=float(trained),
            length=length,
        )
        assert rope.attention_factor == pytest.approx(math.sqrt(2))  # ln(factor) = ln(trained_length)
        return rope.omega

    unextended = plain(base, head_dim).omega
    for length in (None, 1, trained):
        np.testing.assert_array_equal(omega(length), unextended / np.array(short))
    np.testing.assert_array_equal(omega(trained + 1), unextended / np.array(long))


@few
@given(head_dims, bases, factors, st.data())
def test_proportional_rests_the_lowest_pairs(head_dim: int, base: float, factor: float, data: Any) -> None:
    turning = data.draw(st.integers(1, head_dim // 2))
    share = min(1.0, (2 * turning + 1.5) / head_dim)  # three quarters of a pair too many: rounded down
    rope = proportional(base, head_dim, partial_rotary_factor=share, factor=factor)
    whole = linear(base, head_dim, factor=factor).omega
    np.testing.assert_array_equal(rope.omega[:turning], whole[:turning])
    assert (rope.omega[turning:] == 0).all()
    assert rope.rotary_dim == head_dim


@few
@given(head_dims, bases, st.floats(0.05, 2.0), st.floats(16.0, 4096.0))
def test_xpos_decays_with_distance_fastest_where_it_turns_fastest(
    head_dim: int, base: float, gamma: float, scale_base: float
) -> None:
    rope = xpos(base, head_dim, gamma=gamma, scale_base=scale_base)
    np.testing.assert_array_equal(rope.omega, plain(base, head_dim).omega)
    assert rope.log_decay is not None
    assert (rope.log_decay < 0).all()
    assert (np.diff(rope.log_decay) > 0).all()


def test_xpos_is_the_product_of_a_growing_query_and_a_shrinking_key() -> None:
    """Positions scaled as the paper of Sun et al. does it; 2/7 and 9/14 are its two factors at head_dim 4."""
    rope = xpos(1e4, 4)
    q, k = np.array([0.3 + 0.1j, -0.7 + 0.2j]), np.array([1.1 - 0.4j, 0.5 + 0.6j])
    zeta = np.array([2 / 7, 9 / 14])
    for m, n in ((5, 5), (700, 100), (2048, 0)):
        turned_q = q * zeta ** (m / 512) * np.exp(1j * m * rope.omega)
        turned_k = k * zeta ** (-n / 512) * np.exp(1j * n * rope.omega)
        relative = q * k.conj() * np.exp((m - n) * (rope.log_decay + 1j * rope.omega))
        np.testing.assert_allclose(turned_q * turned_k.conj(), relative, rtol=1e-11)


# --- the object -----------------------------------------------------------------------------------------


@few
@given(head_dims, st.data(), st.sampled_from(["halves", "interleaved"]))
def test_pairs_cover_the_rotated_dimensions_once(head_dim: int, data: Any, pairing: Any) -> None:
    rotary_dim = 2 * data.draw(st.integers(1, head_dim // 2))
    rope = plain(1e4, head_dim, rotary_dim, pairing=pairing)
    assert rope.rotary_dim == rotary_dim
    assert sorted(rope.pairs.ravel()) == list(range(rotary_dim))
    step = rope.pairs[:, 1] - rope.pairs[:, 0]
    assert (step == (1 if pairing == "interleaved" else rotary_dim // 2)).all()
    np.testing.assert_array_equal(rope.omega, plain(1e4, rotary_dim).omega)  # exponents 2d/rotary_dim


def test_frequencies_keep_their_own_copy() -> None:
    omega = np.array([1.0, 0.1])
    rope = Frequencies(omega, 4)
    omega[0] = 7
    assert rope.omega[0] == 1


PAIR = np.array([1.0, 0.1])
BAD_OBJECTS: list[tuple[dict[str, Any], str]] = [
    ({"head_dim": 0}, "head_dim=0 is not a positive whole number"),
    ({"head_dim": 5}, "head_dim=5 is odd; RoPE rotates pairs"),
    ({"head_dim": 2}, "2 pairs do not fit into head_dim=2"),
    ({"omega": np.ones((2, 1))}, r"omega has shape \(2, 1\); it must be a vector"),
    ({"omega": np.ones(0)}, r"omega has shape \(0,\)"),
    ({"omega": np.array([1.0, np.nan])}, "omega holds a value that is not finite"),
    ({"omega": np.array([1.0, -0.5])}, "omega holds -0.5; a frequency must not be negative"),
    ({"attention_factor": 0.0}, "attention_factor=0.0 must be finite and above 0"),
    ({"pairing": "thirds"}, "pairing='thirds' is unknown; known: halves, interleaved"),
    ({"log_decay": np.zeros(3)}, "log_decay has 3 values for 2 pairs"),
    ({"log_decay": np.ones(2)}, "log_decay holds 1.0; a score must not grow"),
]


@pytest.mark.parametrize(("change", "message"), BAD_OBJECTS)
def test_frequencies_check_themselves(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"omega": PAIR, "head_dim": 4}
    with pytest.raises(InputError, match=message):
        Frequencies(**{**arguments, **change})


EXTENDED = {"factor": 2.0, "trained_length": 99}
SEARCHED = {**EXTENDED, "rotary_dim": 8, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
BAD_ARGUMENTS: list[tuple[Callable[..., object], dict[str, Any], str]] = [
    (plain, {"head_dim": 63}, "head_dim=63 is odd"),
    (plain, {"head_dim": -2}, "head_dim=-2 is not a positive"),
    (plain, {"head_dim": 2**24 + 2}, "head_dim=16777218 is above 16777216; use the limit of many pairs"),
    (plain, {"base": 1.0}, "base=1.0 must be finite and above 1"),
    (plain, {"base": math.nan}, "base=nan must be finite and above 1"),
    (plain, {"base": math.inf}, "base=inf must be finite"),
    (plain, {"rotary_dim": 31}, "rotary_dim=31 is odd"),
    (plain, {"rotary_dim": 66}, "rotary_dim=66 exceeds head_dim=64"),
    (linear, {"factor": 0.5}, "factor=0.5 must be finite and at least 1"),
    (ntk, {"factor": math.inf}, "factor=inf must be finite"),
    (ntk, {"factor": 2.0, "rotary_dim": 2}, "rotary_dim=2 is a single pair; NTK-aware scaling needs two"),
    (dynamic_ntk, {"factor": 2.0, "trained_length": 0, "length": 9}, "trained_length=0 must be finite"),
    (dynamic_ntk, {**EXTENDED, "length": 0}, "length=0 must be finite and at least 1"),
    (dynamic_ntk, {**EXTENDED, "length": 9, "factor": math.nan}, "factor=nan must be"),
    (yarn, {**EXTENDED, "factor": 0.9}, "factor=0.9 must be"),
    (yarn, {**EXTENDED, "trained_length": 0}, "trained_length=0 must be"),
    (yarn, {**EXTENDED, "trained_length": 10**400}, "trained_length=10+ must be finite"),
    (yarn, {**EXTENDED, "attention_factor": 1e308}, r"attention_factor=1e\+308 is above 1e\+100"),
    (
        yarn,
        {**EXTENDED, "trained_length": 1},
        "trained_length=1 puts YaRN's ramp outside the 32 pairs of base",
    ),
    (yarn, {**EXTENDED, "beta_slow": 0.0}, "beta_slow=0.0 must be finite and above 0"),
    (yarn, {**EXTENDED, "beta_fast": 0.5}, "beta_fast=0.5 must be finite and at least 1.0"),
    (yarn, {**EXTENDED, "mscale": -1.0}, "mscale=-1.0 must be finite and at least 0"),
    (yarn, {**EXTENDED, "attention_factor": -1.0}, "attention_factor=-1.0 must be finite and above 0"),
    (llama3, {**EXTENDED, "factor": 0.9}, "factor=0.9 must be"),
    (llama3, {**EXTENDED, "trained_length": 0}, "trained_length=0 must be"),
    (llama3, {**EXTENDED, "low_freq_factor": 0.0}, "low_freq_factor=0.0 must be finite and above 0"),
    (llama3, {**EXTENDED, "high_freq_factor": 1.0}, "high_freq_factor=1.0 must be finite and above 1.0"),
    (
        longrope,
        {**SEARCHED, "short_factor": [1.0]},
        "short_factor has 1 values; rotary_dim=8 needs 4, one per",
    ),
    (
        longrope,
        {**SEARCHED, "long_factor": [1, 2, 0, 4]},
        "smallest value in long_factor=0.0 must be .* above 0",
    ),
    (
        longrope,
        {**SEARCHED, "long_factor": [1, 2, math.nan, 4]},
        "long_factor holds a value that is not finite",
    ),
    (longrope, {**SEARCHED, "factor": 0.5}, "factor=0.5 must be"),
    (longrope, {**SEARCHED, "trained_length": 1}, "trained_length=1 must be finite and above 1"),
    (longrope, {**SEARCHED, "length": 0}, "length=0 must be"),
    (proportional, {"partial_rotary_factor": 0.0}, r"partial_rotary_factor=0.0 is outside \(0, 1\]"),
    (
        proportional,
        {"partial_rotary_factor": 0.01},
        "partial_rotary_factor=0.01 of head_dim=64 rotates no pair",
    ),
    (proportional, {"partial_rotary_factor": 0.5, "factor": 0.5}, "factor=0.5 must be"),
    (xpos, {"scale_base": 0.0}, "scale_base=0.0 must be finite and above 0"),
    (xpos, {"gamma": -0.4}, "gamma=-0.4 must be finite and above 0"),
]


@pytest.mark.parametrize(("build", "change", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_named(build: Callable[..., object], change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build(**{"base": 1e4, "head_dim": 64, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head_dim", "share", "message"),
    [
        (64, 0.0, r"partial_rotary_factor=0.0 is outside \(0, 1\]"),
        (64, 1.5, r"partial_rotary_factor=1.5 is outside \(0, 1\]"),
        (64, 0.4, "partial_rotary_factor=0.4 of head_dim=64 gives rotary_dim=25; it must be even"),
        (64, 0.01, "partial_rotary_factor=0.01 of head_dim=64 gives rotary_dim=0; it must be even"),
    ],
)
def test_bad_shares_are_named(head_dim: int, share: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        partial_rotary_dim(head_dim, share)


def test_part_of_a_head_is_rounded_down() -> None:
    assert [partial_rotary_dim(80, share) for share in (1.0, 0.4, 0.25)] == [80, 32, 20]
    assert partial_rotary_dim(100, 0.249) == 24


def test_every_name_of_a_rope_type_means_one_row_of_the_registry() -> None:
    names = [name for row in ROPE_TYPES.values() for name in {row.name, row.extension, *row.aliases} if name]
    assert len(names) == len(set(names))
    assert all(name in (*(row := rope_type(name)).aliases, row.name, row.extension) for name in names)
    for name, kind in (("pi", "linear"), ("none", "default"), ("su", "longrope"), ("yarn", "yarn")):
        assert rope_type(name).name == kind
    # the registry's functions say the same name of what they make
    for name in ("default", "linear", "ntk", "dynamic", "yarn", "llama3", "proportional", "xpos"):
        options = {"factor": 2.0, "trained_length": 512, "length": 1024, "partial_rotary_factor": 0.5}
        assert rope_type(name).frequencies(1e4, 64, **options).kind == name


def test_an_extension_goes_by_any_of_its_names() -> None:
    assert Extension("linear", 2.0, 512) == Extension("pi", 2.0, 512)
    shape = {"length": 1024}
    np.testing.assert_array_equal(
        Extension("interpolation", 2.0, 512).frequencies(1e4, 64, 32, **shape).omega,
        linear(1e4, 64, 32, factor=2.0).omega,
    )
    assert Extension("yarn", 1.0, 512).changes_nothing
    assert not Extension("yarn", 2.0, 512).changes_nothing
    with pytest.raises(InputError, match=r"rope type 'yarm' is unknown; did you mean yarn\?"):
        rope_type("yarm")
    with pytest.raises(InputError, match=r"'longrope': LongRoPE does not follow from a factor and lengths"):
        extension_name("longrope")
