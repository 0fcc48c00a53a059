"""Balls contain the truth, comparisons have three answers, and subdivision excludes what is false."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

import flint
import mpmath
import pytest
from flint import acb, arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Verdict
from proofs import balls, integrals, subdivision

rationals = st.fractions(min_value=-1000, max_value=1000, max_denominator=10**6)
positive = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=10**6)
DPS = 60  # decimal digits of the mpmath witnesses: far below any ball's radius here


@pytest.fixture(autouse=True)
def _128_bits():
    with balls.precision(128):
        yield


def holds_mp(ball: arb, value: object) -> bool:
    """Does a ball contain an mpmath number known to DPS digits?"""
    return ball.overlaps(arb(mpmath.nstr(value, DPS - 5)))


@given(rationals)
def test_ball_of_a_fraction_contains_it_and_is_as_small_as_the_precision(x: Fraction) -> None:
    found = balls.ball(x)
    assert found.contains(flint.fmpq(x.numerator, x.denominator))
    assert balls.ball(str(x)).contains(flint.fmpq(x.numerator, x.denominator))
    assert balls.radius(found) <= abs(x) * 2.0**-126


@pytest.mark.parametrize(
    ("given_", "message"),
    [(0.1, "0.1 is a float"), (True, "True is a bool"), ("x", "'x' is no exact number")],
)
def test_ball_refuses_what_is_not_exact(given_: object, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        balls.ball(given_)  # type: ignore[arg-type]


def test_dyadic_is_the_floats_own_value_and_not_the_decimal() -> None:
    assert balls.dyadic(0.1).rad() == 0
    assert balls.less(balls.ball("0.1"), balls.dyadic(0.1)) is True
    with pytest.raises(InputError, match="inf is not finite"):
        balls.dyadic(math.inf)


def test_precision_comes_back_even_after_an_error() -> None:
    def fail() -> None:
        with balls.precision(300):
            assert flint.ctx.prec == 300
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert flint.ctx.prec == 128
    with pytest.raises(InputError, match="precision=1 bits"), balls.precision(1):
        pass


@given(rationals, rationals, rationals, rationals)
def test_comparisons_of_intervals_have_three_answers(
    a: Fraction, b: Fraction, c: Fraction, d: Fraction
) -> None:
    lo, hi = sorted((a, b))
    low, high = sorted((c, d))
    # a ball is wider than its interval by rounding, so ends that touch may go undecided
    assume(hi != low and lo != high)
    expected = True if hi < low else False if lo > high else None
    x, y = balls.hull(a, b), balls.hull(c, d)
    assume(abs(hi - low) > Fraction(1, 10**5) and abs(lo - high) > Fraction(1, 10**5))
    assert balls.less(x, y) is expected
    assert balls.at_most(x, y) is expected


def test_a_negated_comparison_of_overlapping_balls_would_certify_both_sides() -> None:
    x, y = balls.hull(0, 2), balls.hull(1, 3)
    assert not (x < y)  # the trap: both negations hold, and neither statement is known
    assert not (x >= y)
    assert balls.less(x, y) is None
    assert balls.at_most(x, y) is None
    assert balls.below("x < y", x, y).verdict is Verdict.UNKNOWN
    assert balls.less(arb("nan"), 0) is None
    assert balls.sign(balls.hull(-1, 1)) is None
    assert [balls.sign(value) for value in (-2, 0, 2)] == [-1, 0, 1]


def test_below_and_equal_state_the_verdict_and_the_wider_radius() -> None:
    third = balls.below("1/3 < 0.4", "1/3", "0.4")
    assert third.verdict is Verdict.CERTIFIED
    assert third.radius is not None
    assert third.radius >= float(balls.ball("1/3").rad())
    assert third.precision == "128 bit ball"
    assert balls.below("2 < 1", 2, 1).verdict is Verdict.REFUTED
    assert balls.below("1 < 1", 1, 1).verdict is Verdict.REFUTED
    assert balls.below("1 <= 1", 1, 1, strict=False).verdict is Verdict.CERTIFIED
    assert balls.equal("pi", arb.pi(), "22/7", "0.01").verdict is Verdict.CERTIFIED
    assert balls.equal("pi", arb.pi(), "22/7", "0.001").verdict is Verdict.REFUTED
    with pytest.raises(ValueError, match="radius=inf"):
        balls.below("everything", arb("0 +/- inf"), 1)


@given(st.fractions(min_value=-3, max_value=3, max_denominator=1000))
def test_a_quadratic_is_certified_exactly_below_its_minimum(shift: Fraction) -> None:
    # x^2 - x + shift on [-1, 2] has minimum shift - 1/4
    assume(abs(shift - Fraction(1, 4)) > Fraction(1, 500))
    found = subdivision.certify_positive(lambda x: x * x - x + balls.ball(shift), lambda x: 2 * x - 1, -1, 2)
    assert found.holds is (shift > Fraction(1, 4))
    if found.holds:
        least, reach = Fraction(found.lower), 2 * Fraction(found.radius)  # float sums would round
        assert 0 < least <= shift - Fraction(1, 4) <= least + reach
        assert not found.failing
    else:
        ((lo, hi),) = found.failing
        middle = (Fraction(lo) + Fraction(hi)) / 2
        assert middle * middle - middle + shift <= 0


def test_the_mean_value_form_excludes_a_false_bound_and_certifies_a_true_one_with_fewer_boxes() -> None:
    # max of x - x^2 on [0, 1] is 1/4: the bound 1/4 - 1e-6 is false, 1/4 + 1e-6 true
    def above(bound: str) -> Callable[[arb], arb]:
        return lambda x: balls.ball(bound) - (x - x * x)

    def slope(x: arb) -> arb:
        return 2 * x - 1

    assert subdivision.certify_positive(above("0.249999"), slope, 0, 1).holds is False
    with_slope = subdivision.certify_positive(above("0.250001"), slope, 0, 1)
    without = subdivision.certify_positive(above("0.250001"), None, 0, 1)
    assert with_slope.holds is True
    assert without.holds is True
    assert 10 * with_slope.boxes < without.boxes


@pytest.mark.parametrize(
    "wrong", [lambda x: -x.cos(), lambda x: x.sin(), lambda x: x.cos() / 2, lambda x: arb(0)]
)
def test_a_wrong_derivative_is_seen_when_a_value_leaves_its_enclosure(wrong) -> None:
    with pytest.raises(ArithmeticError, match=r"where df leads to .* wrong df"):
        subdivision.minimum(arb.sin, wrong, 0, 1, tol="1e-9")
    with pytest.raises(ArithmeticError, match=r"where df leads to .* wrong df"):
        subdivision.isolate_roots(arb.sin, wrong, 2, 4)
    assert subdivision.minimum(arb.sin, arb.cos, 0, 1, tol="1e-9").contains(0)


def test_a_touching_bound_is_undecided_and_names_its_box() -> None:
    found = subdivision.certify_positive(
        lambda x: (x - balls.ball("1/3")) ** 2, lambda x: 2 * (x - balls.ball("1/3")), 0, 1
    )
    assert found.holds is None
    ((lo, hi),) = found.failing
    assert lo <= 1 / 3 <= hi
    assert hi - lo < 1e-9
    assert found.evidence("(x - 1/3)^2 > 0").verdict is Verdict.UNKNOWN


def test_ends_known_as_balls_are_certified_outwards_and_refuted_inwards() -> None:
    low = balls.hull(-1, 0)  # the lower end is some number in here
    # x + 3/4 fails at -1, which the end may be; it does not fail on [0, 1], where nothing is in doubt
    undecided = subdivision.certify_positive(lambda x: x + balls.ball("0.75"), lambda x: arb(1), low, 1)
    assert undecided.holds is None
    assert (
        subdivision.certify_positive(lambda x: x + balls.ball("1.01"), lambda x: arb(1), low, 1).holds is True
    )
    dips = subdivision.certify_positive(
        lambda x: (2 * x - 1) ** 2 - balls.ball("0.5"), lambda x: 8 * x - 4, low, 1
    )
    assert dips.holds is False


def test_boxes_run_out_with_unknown_and_never_with_an_answer() -> None:
    def f(x: arb) -> arb:
        return balls.ball("0.2501") - (x - x * x)

    found = subdivision.certify_positive(f, None, 0, 1, max_boxes=50)
    assert found.holds is None
    assert found.boxes <= 51
    assert subdivision.certify_positive(f, None, 0, 1).holds is True


def test_two_variables_and_a_pole() -> None:
    # x^2 + y^2 - x y is positive but for the origin; shifted by 1/1000 it is positive everywhere
    def form(shift: str) -> Callable[[arb, arb], arb]:
        return lambda x, y: x * x + y * y - x * y + balls.ball(shift)

    def slope(x: arb, y: arb) -> tuple[arb, arb]:
        return 2 * x - y, 2 * y - x

    assert subdivision.certify_positive(form("0.001"), slope, (-1, -1), (1, 1)).holds is True
    refuted = subdivision.certify_positive(form("-0.001"), slope, (-1, -1), (1, 1))
    assert refuted.holds is False
    (x, y) = [(lo + hi) / 2 for lo, hi in refuted.failing]
    assert x * x + y * y - x * y < 0.001
    pole = subdivision.certify_positive(lambda x: 1 / x, None, -1, 1, max_boxes=200)
    assert pole.holds is not True
    unbounded = subdivision.certify_positive(
        lambda x: 1 / x + 10, lambda x: -1 / x**2, "-0.01", 1, max_boxes=200
    )
    assert unbounded.evidence("1/x + 10 > 0").verdict is not Verdict.CERTIFIED


@pytest.mark.parametrize(("lo", "hi"), [(1, 0), (0, arb("inf")), ((0, 0), (1,))])
def test_a_box_must_be_finite_and_in_order(lo: object, hi: object) -> None:
    with pytest.raises(InputError, match=r"no finite interval|as many lower ends"):
        subdivision.certify_positive(lambda *xs: xs[0], None, lo, hi)  # type: ignore[arg-type]


@given(st.fractions(min_value=1, max_value=12, max_denominator=50))
@settings(max_examples=25)
def test_minimum_maximum_and_enclosure_of_the_sine(top: Fraction) -> None:
    highest = 1 if top > math.pi / 2 else math.sin(top)
    lowest = -1 if top > 3 * math.pi / 2 else min(0, math.sin(top))
    least, greatest = (
        g(arb.sin, arb.cos, 0, top, tol="1e-8") for g in (subdivision.minimum, subdivision.maximum)
    )
    # 2e-8: the tolerance at each end, doubled; float64's own error is 1e-16
    assert abs(float(least) - lowest) < 2e-8
    assert abs(float(greatest) - highest) < 2e-8
    both = subdivision.enclosure(arb.sin, arb.cos, 0, top, tol="1e-8")
    assert both.contains(least.mid())
    assert both.contains(greatest.mid())


def test_minimum_of_a_pole_is_no_number() -> None:
    with pytest.raises(ArithmeticError, match="no finite bound"):
        subdivision.minimum(lambda x: 1 / x, None, -1, 1, max_boxes=100)


def test_roots_of_a_polynomial_and_of_a_bessel_function() -> None:
    roots = [Fraction(-3, 2), Fraction(1, 3), Fraction(5, 4)]
    poly = flint.fmpq_poly([1])
    for root in roots:
        poly *= flint.fmpq_poly([-flint.fmpq(root.numerator, root.denominator), 1])
    slope = poly.derivative()

    def at(p: flint.fmpq_poly) -> Callable[[arb], arb]:
        return lambda x: sum((arb(c) * x**k for k, c in enumerate(p.coeffs())), arb(0))

    found = subdivision.isolate_roots(at(poly), at(slope), -2, 2)
    assert not found.unresolved
    assert len(found.roots) == 3
    for ball, root in zip(found.roots, roots, strict=True):
        assert ball.overlaps(balls.ball(root))
        assert balls.radius(ball) < 1e-12
    zeros = subdivision.isolate_roots(lambda x: x.bessel_j(0), lambda x: -x.bessel_j(1), 1, 30)
    assert len(zeros.roots) == 9
    for k, ball in enumerate(zeros.roots, 1):
        assert abs(float(ball) - float(mpmath.besseljzero(0, k))) < 1e-12


def test_a_double_root_and_a_root_at_an_end_are_unresolved_not_lost() -> None:
    double = subdivision.isolate_roots(
        lambda x: (x - balls.ball("1/3")) ** 2, lambda x: 2 * (x - balls.ball("1/3")), 0, 1
    )
    assert not double.roots
    assert any(x.contains(flint.fmpq(1, 3)) for x in double.unresolved)
    end = subdivision.isolate_roots(lambda x: x, lambda x: arb(1), 0, 1)
    assert any(x.contains(0) for x in (*end.roots, *end.unresolved))


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
