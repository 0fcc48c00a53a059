"""Closed-form curves: the exact sum against balls, its limit against integrals, and what each scheme keeps."""

from __future__ import annotations

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.studies import closed_form
from analysis.theory import frequencies, rope
from analysis.theory.frequencies import plain

LONG = {"factor": 8.0, "trained_length": 4096}
SCHEMES: dict[str, frequencies.Frequencies] = frequencies.family(1e4, 64, 4096, 8 * 4096) | {
    "LongRoPE": frequencies.longrope(
        1e4, 64, short_factor=[1.0] * 32, long_factor=[1 + i / 8 for i in range(32)],
        trained_length=4096, factor=8.0, length=32_768,
    ),
    "YaRN, half rotated": frequencies.yarn(5e5, 64, 32, **LONG),
    "turns": frequencies.plain(500.0, 32, turns=True),
}  # fmt: skip
GEOMETRIC = (
    "RoPE", "position interpolation", "NTK-aware", "dynamic NTK", "partial (1/2)", "p-RoPE (1/2)", "turns",
)  # fmt: skip
BENT = ("YaRN", "Llama 3", "xPos", "LongRoPE", "YaRN, half rotated")


# the exact sum


def ball_gamma(frequencies: frequencies.Frequencies, distance: float, mu: float, nu: float) -> flint.arb:
    """Eq 17 in ball arithmetic, dimension by dimension, for the float64 frequencies given."""
    D, lag = frequencies.head_dim, flint.arb(distance)
    total = flint.arb(0)
    for d in range(D // 2):
        if d >= len(frequencies.omega):  # not rotated, no attention factor
            total += flint.arb(mu)
            continue
        angle = lag * flint.arb(float(frequencies.omega[d]))
        term = flint.arb(mu) * angle.cos() + flint.arb(nu) * angle.sin()
        if frequencies.log_decay is not None:
            term *= (flint.arb(float(frequencies.log_decay[d])) * lag).exp()
        total += term * flint.arb(frequencies.attention_factor) ** 2
    return total / D


@pytest.mark.parametrize("name", SCHEMES)
@given(
    distance=st.integers(0, 2**20),
    mu=st.floats(-3, 3, allow_subnormal=False),
    nu=st.floats(-3, 3, allow_subnormal=False),
)
@settings(max_examples=12)
def test_gamma_agrees_with_balls(name: str, distance: int, mu: float, nu: float):
    frequencies = SCHEMES[name]
    found = rope.gamma_of(frequencies, np.array([float(distance)]), mu=mu, nu=nu)[0]
    exact = ball_gamma(frequencies, distance, mu, nu)
    assert float(exact.rad()) < 1e-8
    # as `bias.expected_score` promises, times the sum of |mu| + |nu| over sqrt(D), plus one more sum
    budget = (2 * 32 + 20) * 2**-53 * frequencies.attention_factor**2 * (abs(mu) + abs(nu)) / 2
    if frequencies.log_decay is not None:  # exp() of a rounded product of up to 2000
        budget += 2**-52 * 20 * abs(mu + nu) * max(1.0, distance * float(-frequencies.log_decay.min()))
    assert abs(found - float(exact.mid())) <= budget + float(exact.rad())


def test_attention_factor_enters_squared_and_only_where_it_rotates():
    frequencies = SCHEMES["YaRN, half rotated"]
    assert frequencies.attention_factor > 1.2
    at_zero = rope.gamma_of(frequencies, np.array([0.0]))[0]
    assert at_zero == pytest.approx((frequencies.attention_factor**2 + 1) / 4)  # half of 1/2 is not rotated


# the limit


def mean_of_wave(top: float, base: float, mu: float, nu: float) -> mpmath.mpf:
    """(1/2) int_0^1 mu cos(top base^-x) + nu sin(top base^-x) dx by quadrature, half-waves in y = top base^-x."""
    with mpmath.workdps(20):
        low, high = mpmath.mpf(top) / base, mpmath.mpf(top)
        cuts = [low, *(k * mpmath.pi for k in range(1, 40) if low < k * mpmath.pi < high), high]
        wave = mpmath.quad(lambda y: (mu * mpmath.cos(y) + nu * mpmath.sin(y)) / y, cuts)
        return wave / (2 * mpmath.log(base))


@pytest.mark.parametrize(
    ("frequencies", "top", "base", "share", "still"),
    [
        # angle of the fastest pair at distance 1, ratio of fastest to slowest, shares of turning and still pairs
        (frequencies.plain(1e4, 64), 1.0, 1e4, 1.0, 0.0),
        (frequencies.plain(1e4, 64, turns=True), 2 * np.pi, 1e4, 1.0, 0.0),
        (frequencies.linear(1e4, 64, factor=8.0), 1 / 8, 1e4, 1.0, 0.0),
        (frequencies.ntk(1e4, 64, factor=8.0), 1.0, 1e4 * 8 ** (64 / 62), 1.0, 0.0),
        (frequencies.plain(1e4, 64, 16), 1.0, 1e4, 0.25, 0.75),
        (frequencies.proportional(1e4, 64, partial_rotary_factor=0.25), 1.0, 1e4**0.25, 0.25, 0.75),
        (
            frequencies.yarn(1e4, 64, factor=1.0, trained_length=4096),
            1.0,
            1e4,
            1.0,
            0.0,
        ),  # factor 1 changes nothing
    ],
)
@pytest.mark.parametrize("distance", [1.0, 17.0, 100.0])
def test_the_limit_is_the_integral(frequencies, top, base, share, still, distance):
    for mu, nu in ((1.0, 0.0), (0.3, -2.0)):
        found = rope.gamma_limit(frequencies, np.array([distance]), mu=mu, nu=nu)
        expected = share * mean_of_wave(top * distance, base, mu, nu) + still * mu / 2
        assert float(found[0]) == pytest.approx(float(expected), abs=1e-11)


@pytest.mark.parametrize(
    "scheme",
    [
        lambda D: frequencies.plain(1e4, D),
        lambda D: frequencies.linear(1e4, D, factor=4.0),
        lambda D: frequencies.ntk(1e4, D, factor=4.0),
        lambda D: frequencies.dynamic_ntk(1e4, D, factor=4.0, trained_length=1000, length=4000),
        lambda D: frequencies.plain(1e4, D, D // 2),
        lambda D: frequencies.proportional(1e4, D, partial_rotary_factor=0.5),
    ],
    ids=["plain", "linear", "ntk", "dynamic", "partial", "p-RoPE"],
)
def test_finite_sums_converge_to_the_limit_like_one_over_the_number_of_pairs(scheme):
    """The sum is a left Riemann sum: its error is (f(0) - f(1)) / (2 D) and a term in 1/D^2 (Euler-Maclaurin)."""
    distance = np.array([1.0, 3.0, 10.0])
    errors = {}
    for D in (512, 1024, 2048):
        frequencies = scheme(D)
        exact = rope.gamma_of(frequencies, distance, mu=1.0, nu=0.5)
        errors[D] = exact - rope.gamma_limit(frequencies, distance, mu=1.0, nu=0.5)
        moving = frequencies.omega[frequencies.omega > 0]
        ratio, pairs = moving[1] / moving[0], len(moving)
        ends = moving[0] * distance, moving[0] * distance * ratio**pairs
        first = np.subtract(*(np.cos(angle) + 0.5 * np.sin(angle) for angle in ends)) / (2 * D)
        # (f'(1) - f'(0)) / (12 pairs D), |f'(x)| <= sqrt(1 + 0.5^2) ln(base) angle(x)
        second = 1.12 * -np.log(ratio) * sum(ends) / (12 * D)
        assert np.all(np.abs(errors[D] - first) <= 1.5 * second)
        assert np.all(second < 5e-3)
    assert np.all(np.abs(errors[2048]) < np.abs(errors[512]) / 3.5)  # 4 in the limit
    assert np.abs(errors[2048]).max() > 1e-5  # there was something to converge


@pytest.mark.parametrize("name", BENT)
def test_no_limit_where_there_is_no_closed_form(name: str):
    assert rope.gamma_limit(SCHEMES[name], np.array([1.0, 100.0])) is None


def test_a_limit_beyond_float64_is_refused():
    with pytest.raises(
        InputError, match=r"base exp\(7\d\d.*\) of the sequence is beyond float64; lower base"
    ):
        rope.gamma_limit(frequencies.ntk(1e4, 64, factor=1e308), np.array([1.0]))


def test_one_pair_has_no_limit():
    assert rope.gamma_limit(frequencies.plain(1e4, 2), np.array([1.0])) is None


@pytest.mark.parametrize("omega", [[0.1, 0.1, 0.1], [0.01, 0.1, 1.0], [1.0, 0.0, 1.0]])
def test_frequencies_that_do_not_fall_have_no_limit(omega: list[float]):
    """Equal or rising, they are no sequence of a base: there is nothing to refuse, and no number to give."""
    own = frequencies.Frequencies(np.array(omega), head_dim=8)
    assert rope.gamma_limit(own, np.array([1.0, 100.0])) is None


@pytest.mark.parametrize("name", GEOMETRIC)
def test_the_limit_starts_where_the_sum_starts(name: str):
    """At distance 0 every pair gives mu: sum and limit are mu/2 exactly, whatever turns."""
    zero = np.array([0.0])
    assert rope.gamma_limit(SCHEMES[name], zero, mu=1.7)[0] == pytest.approx(0.85, abs=1e-15)
    assert rope.gamma_of(SCHEMES[name], zero, mu=1.7)[0] == pytest.approx(0.85, abs=1e-15)


def test_every_scheme_is_on_one_side():
    assert {*GEOMETRIC, *BENT} == set(SCHEMES)


# the family


@given(
    base=st.floats(100, 1e7),
    head_dim=st.sampled_from([32, 64, 128]),
    trained=st.sampled_from([2048, 8192]),
    factor=st.sampled_from([1, 2, 8, 32]),
)
@settings(max_examples=30)
def test_what_each_member_of_the_family_keeps(base: float, head_dim: int, trained: int, factor: int):
    members = frequencies.family(base, head_dim, trained, factor * trained)
    assert list(members) == [
        "RoPE", "position interpolation", "NTK-aware", "dynamic NTK", "YaRN", "Llama 3",
        "partial (1/2)", "p-RoPE (1/2)", "xPos",
    ]  # fmt: skip
    plain = members["RoPE"].omega
    assert {m.head_dim for m in members.values()} == {head_dim}
    assert members["position interpolation"].omega * factor == pytest.approx(plain)
    for name in ("NTK-aware", "dynamic NTK"):  # highest kept, lowest divided
        omega = members[name].omega
        assert omega[0] == plain[0]
        grown = factor if name == "NTK-aware" else 1 + factor * (factor - 1)
        assert omega[-1] * grown == pytest.approx(plain[-1])
    for name in ("YaRN", "Llama 3"):  # between plain and interpolated, ends on their sides
        omega = members[name].omega
        assert np.all(omega <= plain * (1 + 1e-12))
        assert np.all(omega >= plain / factor * (1 - 1e-12))
        turns = trained * plain / (2 * np.pi)
        assert omega[turns > 40] == pytest.approx(plain[turns > 40], rel=0.05 if name == "YaRN" else 1e-12)
    assert members["YaRN"].attention_factor == pytest.approx(0.1 * np.log(factor) + 1)
    assert {m.attention_factor for name, m in members.items() if name != "YaRN"} == {1.0}
    assert members["partial (1/2)"].rotary_dim == head_dim // 2
    resting = members["p-RoPE (1/2)"].omega
    assert resting[: head_dim // 4] == pytest.approx(plain[: head_dim // 4])
    assert not resting[head_dim // 4 :].any()
    assert members["xPos"].omega == pytest.approx(plain)
    assert [name for name, m in members.items() if m.log_decay is not None] == ["xPos"]


def test_within_the_trained_length_nothing_is_scaled():
    members = frequencies.family(5e5, 64, 8192, 8192)
    plain = members["RoPE"].omega
    for name in ("position interpolation", "NTK-aware", "dynamic NTK", "YaRN", "Llama 3"):
        assert members[name].omega == pytest.approx(plain, rel=1e-12)
        assert members[name].attention_factor == 1


def test_family_curves_are_gamma_of_each_member():
    members = frequencies.family(1e4, 32, 128, 1024)
    distance = rope.spread_distances(2048, 30)
    data = closed_form.family_curves(members, distance)
    assert data.gamma.dims == ("scheme", "distance")
    for name, member in members.items():
        at = data.sel(scheme=name)
        assert at.gamma.values == pytest.approx(rope.gamma_of(member, distance), abs=0)
        assert float(at.attention_factor) == member.attention_factor
    # interpolation reads at distance 8 n what plain RoPE reads at n
    every = np.arange(1.0, 129)
    squeezed = rope.gamma_of(members["position interpolation"], 8 * every)
    assert squeezed == pytest.approx(rope.gamma_of(members["RoPE"], every), abs=1e-14)
    # xPos is plain RoPE at distance 0, and all but gone where plain RoPE is not
    assert rope.gamma_of(members["xPos"], np.array([0.0]))[0] == 0.5
    far = np.arange(10_000.0, 20_000)
    assert (
        np.abs(rope.gamma_of(members["xPos"], far)).max()
        < 0.1 * np.abs(rope.gamma_of(members["RoPE"], far)).max()
    )


def test_base_curves_are_sums_in_radians_and_their_limits():
    distance = np.array([1.0, 30.0, 4096.0])
    data = closed_form.base_curves((1e4, 5e5), 32, distance)
    assert data.attrs["head_dim"] == 32
    for base in (1e4, 5e5):
        at = data.sel(base=base)
        frequencies = plain(base, 32)
        for kind, mu, nu in (("cos", 1.0, 0.0), ("sin", 0.0, 1.0)):
            for i, lag in enumerate(distance):
                exact = float(ball_gamma(frequencies, lag, mu, nu).mid())
                assert float(at[f"{kind}_sum"][i]) == pytest.approx(exact, abs=1e-14)
            expected = rope.gamma_limit(frequencies, distance, mu=mu, nu=nu)
            assert at[f"{kind}_limit"].values == pytest.approx(expected, abs=1e-12)
        assert float(at.cos_limit[1]) == pytest.approx(float(mean_of_wave(30.0, base, 1, 0)), abs=1e-11)


# distances


@given(longest=st.integers(1, 2**53), count=st.integers(2, 300))
def test_distances_are_whole_different_and_reach_the_end(longest: int, count: int):
    found = rope.spread_distances(longest, count)
    assert np.array_equal(found, np.round(found))
    assert found[0] == 1
    assert found[-1] == pytest.approx(longest, rel=1e-12)
    assert found[-1] <= longest
    assert np.all(np.diff(found) > 0)
    assert len(found) <= count
    if longest < 50 and count > 4 * longest * np.log(longest + 1):
        assert len(found) == longest  # room for all


@pytest.mark.parametrize(
    ("longest", "count", "message"),
    [
        (0, 5, "longest distance 0 is not a whole number of tokens in 1 .. 9007199254740992"),
        (-1, 5, "longest distance -1 is not"),
        (2.5, 5, "longest distance 2.5 is not"),
        (float("nan"), 5, "longest distance nan is not"),
        (2**54, 5, "longest distance 18014398509481984 is not"),
        (9, 1, "points=1 is outside 2 .. 1048576"),
    ],
)
def test_distances_that_cannot_be_spread(longest: float, count: int, message: str):
    with pytest.raises(InputError, match=message):
        rope.spread_distances(longest, count)
