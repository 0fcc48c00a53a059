"""The limit of many pairs against ball arithmetic and quadrature, and its error bound."""

from __future__ import annotations

import math

import flint
import numpy as np
import pytest
from flint import acb, arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from analysis.errors import InputError
from analysis.theory.rope import cos_limit, cos_sum, limit_error, sin_limit, sin_sum

BASES = st.one_of(st.floats(1.001, 20), st.floats(0, 12).map(lambda digits: 1.001 * 10.0**digits))
SIGNS = st.sampled_from([-1.0, 1.0])
DISTANCES = st.builds(lambda digits, sign: sign * 10.0**digits, st.floats(-12, 15), SIGNS) | st.just(0.0)
MODERATE = st.builds(lambda digits, sign: sign * 10.0**digits, st.floats(-6, 6), SIGNS) | st.just(0.0)
EVEN = st.integers(1, 80).map(lambda pairs: 2 * pairs)


@pytest.fixture(autouse=True)
def precision():
    before, flint.ctx.prec = flint.ctx.prec, 256
    yield
    flint.ctx.prec = before


def ball_angle(distance: float, turns: bool) -> arb:
    return arb(distance) * (2 * arb.pi() if turns else 1)


def ball_limit(distance: float, base: float, turns: bool) -> acb:
    """C + i S of the limit, for real distances of both signs."""
    if distance == 0:
        return acb(arb(1) / 2, 0)
    fast = abs(ball_angle(distance, turns))
    slow, unit = fast / arb(base), 2 * arb(base).log()
    sine = (fast.si() - slow.si()) / unit
    return acb((fast.ci() - slow.ci()) / unit, sine if distance > 0 else -sine)


def ball_sums(distance: float, base: float, head_dim: int, turns: bool) -> acb:
    """C_D + i S_D (eq 24)."""
    ratio, rate, total = arb(base) ** (arb(-2) / head_dim), arb(1), acb(0)
    for _ in range(head_dim // 2):
        angle = ball_angle(distance, turns) * rate
        total += acb(angle.cos(), angle.sin())
        rate *= ratio
    return total / head_dim


def ball_endpoints(distance: float, base: float, head_dim: int, turns: bool) -> acb:
    """What turns the left Riemann sum into the trapezoidal one."""
    fast = ball_angle(distance, turns)
    slow = fast / arb(base)
    return acb(fast.cos() - slow.cos(), fast.sin() - slow.sin()) / (2 * head_dim)


@given(DISTANCES, BASES, st.booleans())
def test_limits_lie_within_their_rounding_of_the_balls(distance, base, turns):
    exact = ball_limit(distance, base, turns)
    rounding = 1e-15 * (1 + 1 / math.log(base))
    assert abs(exact.real - float(cos_limit(distance, base, turns=turns))) <= rounding
    assert abs(exact.imag - float(sin_limit(distance, base, turns=turns))) <= rounding


@given(MODERATE, BASES, EVEN, st.booleans())
def test_limits_with_endpoint_term_lie_within_their_rounding_of_the_balls(distance, base, head_dim, turns):
    exact = ball_limit(distance, base, turns) + ball_endpoints(distance, base, head_dim, turns)
    angle = abs(distance) * (2 * math.pi if turns else 1)
    rounding = 1e-15 * (1 + 1 / math.log(base)) + 2.0**-52 * angle / head_dim
    assert abs(exact.real - float(cos_limit(distance, base, head_dim=head_dim, turns=turns))) <= rounding
    assert abs(exact.imag - float(sin_limit(distance, base, head_dim=head_dim, turns=turns))) <= rounding


@given(st.floats(-40, 40), BASES, st.sampled_from([(cos_limit, math.cos), (sin_limit, math.sin)]))
def test_limits_are_the_integrals(distance, base, limit_and_wave):
    limit, wave = limit_and_wave
    integral, error = quad(
        lambda x: wave(distance * base**-x) / 2, 0, 1, epsabs=1e-11, epsrel=1e-11, limit=200
    )
    assert error < 1e-9
    assert abs(limit(distance, base) - integral) <= error + 1e-15 * (1 + 1 / math.log(base))


@given(DISTANCES, BASES)
def test_cosine_limit_is_even_and_sine_limit_odd(distance, base):
    assert cos_limit(-distance, base) == cos_limit(distance, base)
    assert sin_limit(-distance, base) == -sin_limit(distance, base)


def test_distance_zero_and_the_farthest_distances():
    assert cos_limit(0, 1e4) == 0.5
    assert sin_limit(0, 1e4) == 0.0
    far = np.array([1e-300, 1e300])
    assert cos_limit(far, 1e4) == pytest.approx([0.5, 0.0], abs=1e-16)
    assert sin_limit(far, 1e4) == pytest.approx([0.0, 0.0], abs=1e-16)
    assert limit_error(far, 1e4, 128)[0] < 1e-300
    assert limit_error(far, 1e4, 128)[1] == pytest.approx(0.5)


@given(MODERATE, BASES, EVEN, st.booleans(), st.booleans(), st.floats(0, 7))
def test_limit_error_bounds_the_difference_in_every_phase(distance, base, head_dim, turns, corrected, phase):
    difference = ball_sums(distance, base, head_dim, turns) - ball_limit(distance, base, turns)
    if corrected:
        difference -= ball_endpoints(distance, base, head_dim, turns)
    bound = float(limit_error(distance, base, head_dim, corrected=corrected, turns=turns))
    # 1e-12: the bound's own rounding, relative
    allowed = arb(bound) * (1 + 1e-12)
    turned = difference * acb(arb(phase).cos(), arb(phase).sin())
    for part in (difference.real, difference.imag, turned.real):
        assert abs(part) <= allowed


@given(DISTANCES, BASES, EVEN)
def test_limit_error_is_at_most_the_variation_over_the_head_dimension(distance, base, head_dim):
    bound = limit_error(distance, base, head_dim)
    total = abs(distance) * -math.expm1(-math.log(base))
    assert bound <= total / head_dim * (1 + 1e-12)
    # half an arc per panel for the trapezoidal rule, a whole one for the left rule
    assert limit_error(distance, base, head_dim, corrected=True) <= total / (2 * head_dim) * (1 + 1e-12)


@given(st.floats(1e-3, 0.1), st.floats(2, 1e6), st.integers(60, 200))
def test_limit_error_is_sharp_where_the_panels_resolve_the_angle(distance, base, pairs):
    # Euler-Maclaurin: a left sum is off by h/4 of the arc, the bound says h/2; the trapezoid by s h/24 of it,
    # the bound says s h/16: ratios 2 and 3/2, the rest is of relative order s and distance
    assume(math.log(base) / pairs <= 0.2)
    head_dim = 2 * pairs
    left = ball_sums(distance, base, head_dim, False) - ball_limit(distance, base, False)
    trapezoid = left - ball_endpoints(distance, base, head_dim, False)
    assert limit_error(distance, base, head_dim) <= 2.2 * float(abs(left))
    assert limit_error(distance, base, head_dim, corrected=True) <= 1.6 * float(abs(trapezoid))


def test_the_limit_says_something_at_deployed_sizes():
    """Base 5e5, D = 128: a panel spans 0.2 of its angle, so 4 tokens are resolved; C_D is about 0.4 there."""
    distances = np.arange(5.0)
    assert limit_error(distances, 5e5, 128).max() < 0.04
    assert limit_error(distances, 5e5, 128, corrected=True).max() < 0.003
    assert limit_error(1000.0, 5e5, 128, corrected=True) < cos_limit(1000.0, 5e5)
    for sums, limit in ((cos_sum, cos_limit), (sin_sum, sin_limit)):
        plain_miss = np.abs(sums(distances, 5e5, 128) - limit(distances, 5e5))
        corrected_miss = np.abs(sums(distances, 5e5, 128) - limit(distances, 5e5, head_dim=128))
        assert corrected_miss.max() < plain_miss.max() / 4


@settings(max_examples=30)
@given(st.floats(-1000, 1000), st.floats(2, 1e6))
def test_sums_converge_to_the_limits(distance, base):
    head_dim = 2**14
    bound = limit_error(distance, base, head_dim) + 1e-13
    assert bound <= 1000 / head_dim + 1e-13
    assert abs(cos_sum(distance, base, head_dim) - cos_limit(distance, base)) <= bound
    assert abs(sin_sum(distance, base, head_dim) - sin_limit(distance, base)) <= bound


@pytest.mark.parametrize("function", [cos_limit, sin_limit, lambda *a, **k: limit_error(*a, 8)])
def test_unusable_input_is_refused_by_name(function):
    with pytest.raises(InputError, match=r"base=1\.0 must be finite and above 1"):
        function(1.0, 1.0)
    with pytest.raises(InputError, match="distance=nan"):
        function(math.nan, 1e4)
    with pytest.raises(InputError, match="distance=inf"):
        function(np.array([1.0, math.inf]), 1e4)


def test_odd_head_dimensions_are_refused():
    for call in (
        lambda: limit_error(1.0, 1e4, 9),
        lambda: cos_limit(1.0, 1e4, head_dim=9),
        lambda: sin_limit(1.0, 1e4, head_dim=9),
    ):
        with pytest.raises(InputError, match="head_dim=9 is odd"):
            call()
