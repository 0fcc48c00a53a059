"""Exact answers are exact, and what SymPy cannot simplify is refuted by balls or stays unknown."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import flint
import mpmath
import pytest
import sympy as sp
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy.core.facts import InconsistentAssumptions

from analysis.errors import InputError
from analysis.evidence import Verdict
from proofs import exact
from proofs.balls import precision

x, y = sp.symbols("x y", real=True)
p = sp.Symbol("p", positive=True)
n = sp.Symbol("n", integer=True)


@pytest.fixture(autouse=True)
def _128_bits():
    with precision(128):
        yield


IDENTITIES = [
    (sp.cos(x + y), sp.cos(x) * sp.cos(y) - sp.sin(x) * sp.sin(y)),
    (sp.Abs(sp.exp(sp.I * x)), sp.Integer(1)),
    (sp.re((x + sp.I * y) * sp.exp(sp.I * p)), x * sp.cos(p) - y * sp.sin(p)),
    (sp.cos(sp.pi * n), (-1) ** n),
    (sp.log(p**2), 2 * sp.log(p)),
    (sp.cosh(x) ** 2 - sp.sinh(x) ** 2, sp.Integer(1)),
    (sp.sqrt(5 + 2 * sp.sqrt(6)), sp.sqrt(2) + sp.sqrt(3)),
]


@pytest.mark.parametrize(("lhs", "rhs"), IDENTITIES)
def test_an_identity_is_proved_and_its_flipped_sign_is_refuted_at_a_point(lhs: sp.Expr, rhs: sp.Expr) -> None:
    assert exact.identity(lhs, rhs, "as it is").verdict is Verdict.PROVED
    wrong = exact.identity(lhs, -rhs, "sign flipped")
    assert wrong.verdict is Verdict.REFUTED
    assert wrong.radius is not None
    assert wrong.radius < 1e-20
    assert "ball" in wrong.precision
    assert exact.identity(lhs, rhs + sp.Rational(1, 10**12), "a trifle off").verdict is Verdict.REFUTED


def test_an_identity_that_needs_its_assumption_is_not_proved_without() -> None:
    z = sp.Symbol("z", real=True)
    assert exact.identity(sp.sqrt(p**2), p, "positive").verdict is Verdict.PROVED
    refuted = exact.identity(sp.sqrt(z**2), z, "any sign")
    assert refuted.verdict is Verdict.REFUTED
    (value,) = re.findall(r"z = (-?[\d/]+)", refuted.what)
    assert Fraction(value) < 0


def test_what_is_neither_simplified_nor_told_from_zero_is_unknown() -> None:
    # pi against a fraction within 1e-60 of it: 128 bits cannot tell, and no algebra makes them equal
    near = sp.Rational(mpmath.nstr(mpmath.mp.pi, 15))
    assert exact.identity(sp.pi, near, "15 digits").verdict is Verdict.REFUTED
    with mpmath.workdps(70):
        near = sp.Rational(mpmath.nstr(+mpmath.pi, 65))
    assert exact.identity(sp.pi, near, "65 digits").verdict is Verdict.UNKNOWN
    with precision(300):
        assert exact.identity(sp.pi, near, "65 digits").verdict is Verdict.REFUTED


def test_a_counterexample_is_looked_for_where_the_caller_says() -> None:
    only_at_two = (x - 1) * (x - 3)
    assert exact.identity(only_at_two, sp.Integer(0), "roots", [{x: 1}, {x: 3}]).verdict is Verdict.UNKNOWN
    assert exact.identity(only_at_two, sp.Integer(0), "roots", [{x: 2}]).verdict is Verdict.REFUTED


def test_floats_and_unreadable_expressions_are_refused() -> None:
    with pytest.raises(InputError, match="contains a float"):
        exact.identity(0.1 + x, x, "float")
    f = sp.Function("f")
    with pytest.raises(InputError, match=re.escape("f(x): a f without a value")):
        exact.to_ball(f(x), {x: 1})
    with pytest.raises(InputError, match="a Symbol without a value"):
        exact.to_ball(x + y, {x: 1})
    with pytest.raises(InputError, match="meets the assumptions of t"):
        exact.sample_points(sp.Symbol("t", irrational=True) + 1)


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_sample_points_meet_the_assumptions(seed: int) -> None:
    kinds = ["positive", "negative", "integer", "nonzero", "even", "odd", "nonnegative"]
    chosen = {kind: True for i, kind in enumerate(kinds) if seed >> i & 1}
    try:
        symbol = sp.Symbol("s", **chosen)
    except InconsistentAssumptions:
        assume(False)
    points = exact.sample_points(symbol**2)
    assert len(points) == 8
    for point in points:
        value = sp.Rational(point[symbol].numerator, point[symbol].denominator)
        assert all(getattr(value, f"is_{kind}") for kind in chosen)


EXPRESSIONS = [
    (sp.Ci(p) + sp.Si(x), lambda a, b: mpmath.ci(b) + mpmath.si(a)),
    (sp.atan(x) * sp.gamma(p) / sp.sqrt(p), lambda a, b: mpmath.atan(a) * mpmath.gamma(b) / mpmath.sqrt(b)),
    (
        p ** sp.Rational(2, 7) - sp.log(p) * sp.EulerGamma,
        lambda a, b: b ** (mpmath.mpf(2) / 7) - mpmath.log(b) * mpmath.euler,
    ),
    (
        sp.E ** (-p) + sp.Abs(x) + sp.cosh(p) ** -3,
        lambda a, b: mpmath.exp(-b) + abs(a) + mpmath.cosh(b) ** -3,
    ),
]


@pytest.mark.parametrize("k", range(len(EXPRESSIONS)))
@given(
    st.fractions(min_value=-5, max_value=5, max_denominator=100),
    st.fractions(min_value=Fraction(1, 10), max_value=10, max_denominator=100),
)
@settings(max_examples=10)
def test_expressions_in_balls_contain_mpmaths_value(k: int, a: Fraction, b: Fraction) -> None:
    expr, witness = EXPRESSIONS[k]
    found = exact.to_ball(expr, {x: a, p: b})
    with mpmath.workdps(60):
        value = witness(mpmath.mpf(a.numerator) / a.denominator, mpmath.mpf(b.numerator) / b.denominator)
        assert found.real.overlaps(arb(mpmath.nstr(value, 55)))
    assert float(found.real.rad()) < 1e-25
    assert found.imag.contains(0)


def test_sums_are_written_out_and_want_exact_values() -> None:
    k = sp.Symbol("k", integer=True)
    total = sp.Sum(sp.cos(x * k), (k, 0, 5))
    found = exact.to_ball(total, {x: Fraction(1, 2)})
    assert abs(float(found.real) - sum(math.cos(j / 2) for j in range(6))) < 1e-14
    at_ball = exact.to_ball(total, {x: arb(1)})  # a finite sum is taken term by term
    assert abs(float(at_ball.real) - sum(math.cos(j) for j in range(6))) < 1e-14
    ends = (
        exact.to_ball(sp.Sum(k, (k, 1, x)), {x: arb(4)}),
        exact.to_ball(sp.Product(k, (k, 1, x)), {x: arb(4)}),
    )
    assert [float(end.real) for end in ends] == [10, 24]
    with pytest.raises(InputError, match="x is a ball"):
        exact.to_ball(sp.Sum(x**k, (k, 0, sp.oo)), {x: arb(1) / 2})


def test_limits_and_series() -> None:
    t = sp.Symbol("t", positive=True)
    limit = exact.limit
    assert limit(sp.sin(x) / x, x, 0, 1, "sinc").verdict is Verdict.PROVED
    assert limit(sp.sin(x) / x, x, 0, 2, "sinc").verdict is Verdict.REFUTED
    assert limit(sp.sin(t), t, sp.oo, 0, "no limit").verdict is Verdict.UNKNOWN
    assert limit(1 / t, t, 0, sp.oo, "pole").verdict is Verdict.PROVED
    assert limit(1 / t, t, 0, 0, "pole").verdict is Verdict.REFUTED
    assert limit(1 / x, x, 0, sp.oo, "left of the pole", side="-").verdict is Verdict.REFUTED
    assert exact.series(sp.cos(x), x, 0, 1 - x**2 / 2, 4, "cosine").verdict is Verdict.PROVED
    assert exact.series(sp.cos(x), x, 0, 1 - x**2, 4, "half dropped").verdict is Verdict.REFUTED


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 6), st.integers(1, 24))
@settings(max_examples=60)
def test_the_two_witnesses_of_a_degree_agree(top: int, bottom: int, power: int, root: int) -> None:
    a = Fraction(top, bottom) ** power
    found = exact.degree(a, root)
    assert found == exact.minimal_polynomial(a, root).degree() == exact.degree_by_criterion(a, root)
    # a third witness: x has degree k, so x^k is rational for pure roots, and no smaller power is
    rational = [k for k in range(1, root + 1) if exact.degree_by_criterion(a**k, root) == 1]
    assert min(rational) == found


@pytest.mark.parametrize(
    ("base", "head_dim", "degree"),
    [(10_000, 64, 8), (10_000, 128, 16), (10_000, 256, 32), (500_000, 128, 64), (1_000_000, 128, 32)],
)
def test_degrees_of_real_configurations(base: int, head_dim: int, degree: int) -> None:
    """theta_0^(2/D) has degree (D/2)/gcd(D/2, g) for a base that is a g-th power: 10^4, 5^6 2^5, 10^6."""
    assert exact.degree(Fraction(1, base), head_dim // 2) == degree
    what = f"degree of {base}^(-2/{head_dim})"
    assert exact.degree_is(Fraction(1, base), head_dim // 2, degree, what).verdict is Verdict.PROVED
    assert exact.degree_is(Fraction(1, base), head_dim // 2, degree + 1, what).verdict is Verdict.REFUTED


def test_the_minimal_polynomial_is_monic_vanishes_at_the_root_and_is_irreducible() -> None:
    poly = exact.minimal_polynomial(Fraction(16, 81), 8)
    assert poly.leading_coefficient() == 1
    assert poly == flint.fmpq_poly([flint.fmpq(-2, 3), 0, 1])
    assert sp.minimal_polynomial(sp.Rational(16, 81) ** sp.Rational(1, 8), x) == 3 * x**2 - 2


@pytest.mark.parametrize(("a", "root"), [(0, 2), (-4, 4), (2, 0)])
def test_roots_are_of_positive_numbers(a: int, root: int) -> None:
    with pytest.raises(InputError, match=f"a={a}, n={root}: the positive n-th root"):
        exact.degree(a, root)
    with pytest.raises(InputError, match="a=1 is a g-th power for every g"):
        exact.power_of(1)


def test_disagreeing_witnesses_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "power_of", lambda a: 1)  # the criterion, blind to powers
    with pytest.raises(
        ArithmeticError, match=re.escape("degree of 10000^(1/64): 64 by criterion, 16 by factoring")
    ):
        exact.degree(10_000, 64)
