"""Balls contain the truth, and their comparisons have three answers."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import flint
import pytest
from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Verdict
from proofs import balls

rationals = st.fractions(min_value=-1000, max_value=1000, max_denominator=10**6)


@pytest.fixture(autouse=True)
def _128_bits():
    with balls.precision(128):
        yield


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
    assert balls.equal_within("pi", arb.pi(), "22/7", "0.01").verdict is Verdict.CERTIFIED
    assert balls.equal_within("pi", arb.pi(), "22/7", "0.001").verdict is Verdict.REFUTED
    with pytest.raises(ValueError, match="radius=inf"):
        balls.below("everything", arb("0 +/- inf"), 1)
