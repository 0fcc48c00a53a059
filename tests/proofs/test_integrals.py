"""RoPE's sums, their slopes and limits, and the cosine and sine integrals contain what mpmath finds."""

from __future__ import annotations

import re
from fractions import Fraction

import flint
import mpmath
import pytest
from flint import acb, arb
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from proofs import balls, integrals

positive = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=10**6)
DPS = 60  # decimal digits of the mpmath witnesses: far below any ball's radius here


@pytest.fixture(autouse=True)
def _128_bits():
    with balls.precision(128):
        yield


def holds_mp(ball: arb, value: object) -> bool:
    """Does a ball contain an mpmath number known to DPS digits?"""
    return ball.overlaps(arb(mpmath.nstr(value, DPS - 5)))


@given(
    positive,
    st.integers(1, 16),
    st.integers(2, 10**6),
    st.booleans(),
)
@settings(max_examples=30)
def test_sums_and_slopes_contain_mpmaths(distance: Fraction, pairs: int, base: int, turns: bool) -> None:
    sums = integrals.RopeSums.of(2 * pairs, base=base, turns=turns)
    with mpmath.workdps(DPS):
        scale = 2 * mpmath.pi if turns else mpmath.mpf(1)
        lam = mpmath.mpf(distance.numerator) / distance.denominator
        omega = [scale * mpmath.mpf(base) ** (-mpmath.mpf(d) / pairs) for d in range(pairs)]
        by = [
            mpmath.fsum(g(w) for w in omega) / (2 * pairs)
            for g in (
                lambda w: mpmath.cos(lam * w),
                lambda w: mpmath.sin(lam * w),
                lambda w: -w * mpmath.sin(lam * w),
                lambda w: w * mpmath.cos(lam * w),
            )
        ]
    found = [sums.cos(distance), sums.sin(distance), sums.cos_slope(distance), sums.sin_slope(distance)]
    for ball, value in zip(found, by, strict=True):
        with mpmath.workdps(DPS):
            assert holds_mp(ball, value)
        assert balls.radius(ball) < 1e-25
    single = integrals.cos_sum(distance, 2 * pairs, inverse_base=Fraction(1, base), turns=turns)
    assert single.overlaps(found[0])
    assert integrals.sin_slope(distance, 2 * pairs, base=base, turns=turns).overlaps(found[3])
    assert sums.gamma(distance, 2, -3).overlaps(2 * found[0] - 3 * found[1])


@given(st.integers(1, 40), st.integers(2, 50))
@settings(max_examples=25)
def test_slopes_are_the_derivatives_in_distance_and_in_theta_0(lam: int, n: int) -> None:
    # mean value theorem: a difference quotient lies in the slope over the whole step
    step, lo = Fraction(1, 1000), Fraction(1, n)
    hi = lo + step
    wide = integrals.RopeSums.of(8, inverse_base=balls.hull(lo, hi))
    low, high = integrals.RopeSums.of(8, inverse_base=lo), integrals.RopeSums.of(8, inverse_base=hi)
    assert ((high.cos(lam) - low.cos(lam)) / balls.ball(step)).overlaps(wide.cos_slope_inverse_base(lam))
    assert ((high.sin(lam) - low.sin(lam)) / balls.ball(step)).overlaps(wide.sin_slope_inverse_base(lam))
    reach = balls.hull(lam, lam + step)
    assert ((low.cos(lam + step) - low.cos(lam)) / balls.ball(step)).overlaps(low.cos_slope(reach))
    assert ((low.sin(lam + step) - low.sin(lam)) / balls.ball(step)).overlaps(low.sin_slope(reach))


def test_slope_in_theta_0_agrees_with_mpmaths_numerical_derivative() -> None:
    with mpmath.workdps(DPS):

        def cos_sum(theta: object) -> object:
            return (
                mpmath.fsum(mpmath.cos(2 * mpmath.pi * 5 * theta ** (mpmath.mpf(d) / 4)) for d in range(4))
                / 8
            )

        value = mpmath.diff(cos_sum, mpmath.mpf(1) / 50)
    sums = integrals.RopeSums.of(8, base=50)
    # mpmath.diff at 60 digits is good to about 30: far below 1e-20
    assert abs(float(sums.cos_slope_inverse_base(5) - arb(mpmath.nstr(value, 40)))) < 1e-20


@pytest.mark.parametrize(
    ("head_dim", "kwargs", "message"),
    [
        (3, {"base": 10}, "head_dim=3 is odd"),
        (4, {}, "give exactly one"),
        (4, {"base": 10, "inverse_base": "0.1"}, "give exactly one"),
        (4, {"base": 1}, "is not certainly in (0, 1)"),
        (4, {"inverse_base": balls.hull(0, "0.1")}, "is not certainly in (0, 1)"),
    ],
)
def test_sums_refuse_bad_arguments(head_dim: int, kwargs: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        integrals.RopeSums.of(head_dim, **kwargs)


@given(positive, positive)
@settings(max_examples=50)
def test_ci_and_si_contain_mpmaths_on_points_and_intervals(a: Fraction, b: Fraction) -> None:
    with mpmath.workdps(DPS):
        for x in (a, b, (a + b) / 2):
            exact = mpmath.mpf(x.numerator) / x.denominator
            cosine, sine = mpmath.ci(exact), mpmath.si(exact)
            assert holds_mp(integrals.ci(x), cosine)
            assert holds_mp(integrals.si(x), sine)
            assert holds_mp(integrals.ci(balls.hull(a, b)), cosine)
            assert holds_mp(integrals.si(balls.hull(a, b)), sine)
            assert holds_mp(integrals.ci_tail(min(a, b)), cosine)
            assert holds_mp(integrals.si_tail(min(a, b)), sine)


def test_the_tail_bound_is_not_slack_and_not_violated_at_large_arguments() -> None:
    """sqrt(Ci^2 + (Si - pi/2)^2) is below 1/x, and x times it tends to 1: no smaller constant serves."""
    for exponent in (0, 1, 2, 4, 6):
        x = arb(10) ** exponent
        modulus = (integrals.ci(x) ** 2 + (integrals.si(x) - arb.pi() / 2) ** 2).sqrt()
        assert balls.less(modulus, 1 / x) is True
    assert balls.less(1 - x * modulus, "1e-10") is True
    with pytest.raises(InputError, match="not certainly positive"):
        integrals.ci_tail(balls.hull(0, 1))


@given(st.fractions(min_value=Fraction(1, 100), max_value=20, max_denominator=100), st.integers(2, 1000))
@settings(max_examples=20)
def test_the_limit_of_the_sums_is_the_integral_it_comes_from(distance: Fraction, base: int) -> None:
    lam, log = acb(balls.ball(distance)), acb(arb(base).log())
    angle = 2 * acb.pi() * lam
    cosine = integrals.integrate(lambda x, _: (angle * (-x * log).exp()).cos() / 2, 0, 1)
    sine = integrals.integrate(lambda x, _: (angle * (-x * log).exp()).sin() / 2, 0, 1)
    assert cosine.overlaps(integrals.cos_limit(distance, base=base))
    assert sine.overlaps(integrals.sin_limit(distance, base=base))
    assert balls.radius(cosine) < 1e-15
    assert (-sine).overlaps(integrals.sin_limit(-distance, base=base))
    # the sums are left Riemann sums of a function of variation <= 2 pi lambda: error <= (1/D) * variation
    big = integrals.RopeSums.of(2048, base=base)
    slack = 2 * arb.pi() * balls.ball(distance) / 2048
    assert balls.less(abs(big.cos(distance) - cosine), slack) is True
    assert balls.less(abs(big.sin(distance) - sine), slack) is True


def test_integrate_follows_the_analytic_flag_and_refuses_a_pole() -> None:
    root = integrals.integrate(lambda z, analytic: z.sqrt(analytic=analytic), 1, 4)
    assert root.contains(flint.fmpq(14, 3))
    assert balls.radius(root) < 1e-25
    with pytest.raises(ArithmeticError, match="the integral over"):
        integrals.integrate(lambda z, _: 1 / z, -1, 1)
