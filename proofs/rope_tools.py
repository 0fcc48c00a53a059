"""Tools of the lemma modules: inequalities proved by their form, and the admissible points where claims are tried.

An inequality in one variable is proved by Taylor's theorem (`rises`), a rational one in positive symbols by the
signs of its coefficients (`termwise`). `Point` refuses anything that does not meet the lemmas' hypotheses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb, ctx
from sympy.core.function import AppliedUndef

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs import exact as symbolic
from proofs.balls import Real, at_most, ball, less, radius, sign, text
from proofs.integrals import ci, cos_limit, cos_sum, si, sin_limit, sin_sum

WAVES: dict[str, tuple[Callable[[arb], arb], Callable[[Real], arb]]] = {
    "cos": (arb.cos, ci),
    "sin": (arb.sin, si),
}


def same(what: str, left: sp.Expr, right: sp.Expr) -> Evidence:
    """Evidence that two expressions are identical (`proofs.symbolic.identity`); no samples where f is any function."""
    undefined = (sp.sympify(left) - right).atoms(AppliedUndef)
    return symbolic.identity(left, right, what, points=() if undefined else None)


def rises(what: str, g: sp.Expr, u: sp.Symbol, order: int) -> Evidence:
    """Evidence that g(u) >= 0 for every u >= 0, by Taylor's theorem with the remainder of the given order.

    PROVED where g and its derivatives below `order` are nonnegative at 0 and derivative number `order` is
    nonnegative by its form; REFUTED by a sample where g < 0; else UNKNOWN.
    """
    found = [g]
    for _ in range(order):
        found.append(sp.diff(found[-1], u))
    start = [sp.simplify(d.subs(u, 0)) for d in found[:-1]]
    last = sp.factor(sp.simplify(found[-1]))
    if not last.is_nonnegative:
        last = sp.factor(last.subs(sp.cos(u), 1 - 2 * sp.sin(u / 2) ** 2))  # 1 - cos u is a square
    holds = all(value.is_nonnegative for value in start) and last.is_nonnegative
    return _inequality(what, g, bool(holds), f"at 0: {start}; derivative {order}: {last}")


def termwise(what: str, expression: sp.Expr) -> Evidence:
    """Evidence that a rational expression in positive symbols is >= 0: every coefficient above and below is.

    Constants such as pi count as numbers. REFUTED by a sample where it is negative; else UNKNOWN.
    """
    above, below = sp.fraction(sp.together(sp.expand(expression)))
    names = sorted(expression.free_symbols, key=str)
    polys = [sp.Poly(part, *names) if names else None for part in (above, below)]
    coefficients = [c for poly in polys if poly is not None for c in poly.coeffs()] or [above / below]
    holds = all(c.is_nonnegative for c in coefficients) and all(s.is_positive for s in names)
    return _inequality(what, expression, bool(holds), f"({sp.expand(above)}) / ({sp.factor(below)})")


def _inequality(what: str, g: sp.Expr, holds: bool, form: str) -> Evidence:
    negative = None if holds else next((p for p in _samples(g) if sp.N(g.subs(p), 30) < -(10**-15)), None)
    answer = Verdict.PROVED if holds else Verdict.UNKNOWN if negative is None else Verdict.REFUTED
    where = "" if negative is None else f", at {negative}"
    return Evidence(f"{what}{where}", answer, computed=form, predicted=">= 0")


def _samples(expression: sp.Expr) -> list[Any]:
    """Positive points with no two symbols alike: small, middling and large."""
    names = sorted(expression.free_symbols, key=str)
    sizes = (sp.Rational(1, 50), sp.Rational(1, 3), sp.Integer(1), sp.Integer(9))
    return [{name: size * (1 + sp.Rational(i, 7)) for i, name in enumerate(names)} for size in sizes]


def vanishes(what: str, value: arb) -> Evidence:
    """Evidence that an identity fails: REFUTED where the ball of the difference excludes 0, else UNKNOWN."""
    answer = Verdict.UNKNOWN if sign(value) is None else Verdict.REFUTED
    precision = f"{ctx.prec} bit ball"
    return Evidence(
        what, answer, computed=text(value), predicted="0", radius=radius(value), precision=precision
    )


@dataclass(frozen=True, slots=True)
class Point:
    """theta_0, D and lambda that meet every hypothesis of Lemmas C.1 and C.2: exact, and checked on construction.

    `inverse_base` is theta_0 in (0, 1/10); `head_dim` is D, even and > 4 L; `distance` is lambda > 1, in the
    paper's turns. `InputError` names the hypothesis that fails.
    """

    inverse_base: Fraction
    head_dim: int
    distance: Fraction

    def __post_init__(self) -> None:
        if not 0 < self.inverse_base < Fraction(1, 10):
            raise InputError(f"inverse_base={self.inverse_base} is not in (0, 1/10)")
        if self.head_dim % 2 or less(4 * self.log, self.head_dim) is not True:
            raise InputError(f"head_dim={self.head_dim} is not even and > 4 L = {text(4 * self.log, 6)}")
        if not self.distance > 1:
            raise InputError(f"distance={self.distance} is not > 1")

    def __str__(self) -> str:
        names = (f"{x.numerator}/{x.denominator}" for x in (self.inverse_base, self.distance))
        theta, distance = (name.removesuffix("/1") for name in names)
        return f"theta_0={theta}, D={self.head_dim}, lambda={distance}"

    @property
    def log(self) -> arb:
        """L = |log theta_0|."""
        return -ball(self.inverse_base).log()

    @property
    def far(self) -> Fraction:
        """lambda theta_0, exactly."""
        return self.distance * self.inverse_base

    def phase(self, exponent: Real = 0) -> arb:
        """2 pi lambda theta_0^exponent, in radians."""
        return 2 * arb.pi() * ball(self.distance) * (-self.log * ball(exponent)).exp()

    def sum(self, wave: str = "cos") -> arb:
        """C_D or S_D (eq 24)."""
        make = cos_sum if wave == "cos" else sin_sum
        return make(self.distance, self.head_dim, inverse_base=self.inverse_base)

    def half_integral(self, wave: str = "cos") -> arb:
        """I/2 of eqs 42, 52 and 62."""
        make = cos_limit if wave == "cos" else sin_limit
        return make(self.distance, inverse_base=self.inverse_base)

    def term(self, d: int, wave: str = "cos") -> arb:
        """Delta_d of eq 42: (2/D) f(2d/D) less the integral of f from 2d/D to 2(d+1)/D."""
        value, integral = WAVES[wave]
        lo, hi = (self.phase(Fraction(2 * i, self.head_dim)) for i in (d, d + 1))
        return value(lo) * 2 / self.head_dim - (integral(lo) - integral(hi)) / self.log

    def epsilon(self, alpha: Real) -> arb:
        """e(D; lambda, theta_0, alpha) of eq 26."""
        return ball(alpha) + 2 * self.phase(alpha) / self.head_dim

    def least_epsilon(self) -> arb:
        """Infimum of e over alpha > 0 (see "eq-26"): 4 pi lambda / D, or (1 + log(4 pi lambda L / D)) / L."""
        steep = 2 * self.phase() * self.log / self.head_dim
        return self.epsilon(0) if at_most(steep, 1) else (1 + steep.log()) / self.log


def least_head_dim(inverse_base: Fraction) -> int:
    """The smallest even D > 4 L."""
    bound = -4 * math.log(inverse_base)  # far from an even integer for every base used, or `Point` raises
    return 2 * (math.floor(bound / 2) + 1)


INVERSE_BASES = (Fraction(999, 10**4), *(Fraction(1, n) for n in (11, 20, 100, 10**4, 500_000, 10**12)))
EDGES = (
    "theta_0 just below 1/10 down to 1e-12; D the smallest even number above 4 L, two more, and 64, 256; lambda just "
    "above 1, at 1/(1 - theta_0), integer and not, at lambda theta_0 = 1/4, 1/2, 1, 11/5, 10"
)


def points(*, heads: Iterable[int] = (0, 2, 64, 256)) -> Iterator[Point]:
    """The edges of the lemmas' domain first. A head in `heads` below 10 is added to the smallest allowed."""
    for theta in INVERSE_BASES:
        least = least_head_dim(theta)
        dims = sorted({least + h if h < 10 else h for h in heads if h < 10 or h >= least})
        crossings = [Fraction(n, 4) / theta for n in (1, 2, 4, 40)] + [Fraction(11, 5) / theta]
        near = [1 + Fraction(1, 10**9), Fraction(101, 100), Fraction(5, 4), Fraction(3, 2), Fraction(7, 4)]
        for distance in [*near, 1 / (1 - theta), Fraction(2), Fraction(44), *crossings]:
            if distance > 1:
                yield from (Point(theta, dim, distance) for dim in dims)


def margins(
    pairs: Callable[[Point], Iterable[tuple[Real, Real]]], heads: Iterable[int] = (0,)
) -> Iterator[tuple[str, arb]]:
    """Cases for a search: right less left at every admissible edge, where the claim says left <= right."""
    for point in points(heads=heads):
        for left, right in pairs(point):
            yield str(point), ball(right) - ball(left)
