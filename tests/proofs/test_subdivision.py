"""Subdivision certifies what is true on a whole box, excludes what is false, and isolates roots."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import pytest
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Verdict
from proofs import balls, subdivision


@pytest.fixture(autouse=True)
def _128_bits():
    with balls.precision(128):
        yield


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


# Coverage: what was bounded is measured on the boxes, and compared with what was asked --------------------


@given(
    low=st.fractions(min_value=-3, max_value=0, max_denominator=50),
    width=st.fractions(min_value="1/7", max_value=3, max_denominator=50),
)
def test_a_certificate_covers_what_it_was_asked_for(low: Fraction, width: Fraction) -> None:
    found = subdivision.certify_positive(lambda x, y: x * x + y * y + 1, None, (low, 0), (low + width, 1))
    ((a, b), (c, d)) = found.covered
    assert a <= balls.ball(low)
    assert balls.ball(low + width) <= b
    assert (c, d) == (0, 1)
    assert found.coverage("all", (low, 0), (low + width, 1)).verdict is Verdict.CERTIFIED
    more = found.coverage("more", (low, 0), (low + width, Fraction(101, 100)))
    assert more.verdict is Verdict.REFUTED


def test_a_subdivision_that_loses_a_half_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(self: Any) -> None:
        _, _, box = heapq.heappop(self._heap)
        (lo, _), cut = box.sides[0], box.centre[0]
        self.push([(lo, cut)])
        (hi,) = (box.sides[0][1],)
        self.push([((cut + hi) / 2, hi)])

    # 1/100 + (x - 1/2)^2 on [0, 1] is positive, and needs more than one box without a derivative
    def f(x: arb) -> arb:
        return balls.ball("1/100") + x * x - x + balls.ball("1/4")

    assert subdivision.certify_positive(f, None, 0, 1).boxes > 1
    monkeypatch.setattr(subdivision.BestFirst, "split", lossy)
    with pytest.raises(ArithmeticError, match=r"boxes fill .* of their hull"):
        subdivision.certify_positive(f, None, 0, 1)


def test_ranges_cover_a_line_with_no_gap_and_to_both_ends() -> None:
    infinity = arb("inf")
    whole = [(arb(1), infinity), (-infinity, arb(-1)), (-1, 1)]
    assert subdivision.covers("line", whole, -infinity, infinity).verdict is Verdict.CERTIFIED
    for missing in range(3):
        parts = whole[:missing] + whole[missing + 1 :]
        assert subdivision.covers("line", parts, -infinity, infinity).verdict is Verdict.REFUTED
    assert subdivision.covers("line", [], 0, 1).verdict is Verdict.REFUTED
    third = balls.ball(1) / 3  # overlaps itself: whether two such ends meet is not decided
    assert subdivision.covers("[0, 1]", [(0, third), (third, 1)], 0, 1).verdict is Verdict.UNKNOWN
