"""Exact algebra: identities, limits and series by SymPy, expressions evaluated in balls, degrees of algebraic numbers.

SymPy answers "zero" or nothing: an expression that it cannot rewrite to 0 is not thereby nonzero. Before
giving up, `identity` evaluates the difference in balls at exact points: one ball away from 0 is a
counterexample, otherwise the answer is UNKNOWN.

The degree of x = a^(1/n) over Q, for a positive rational a, decides whether RoPE's frequencies are linearly
independent. It has two witnesses, kept apart on purpose:

- Criterion (Vahlen 1895, Capelli 1901): y^n - a is irreducible over Q exactly if a is no p-th power for any
  prime p dividing n and, where 4 divides n, a is not -4 times a fourth power; the last cannot occur for a >
  0. With g the greatest integer such that a is a g-th power and e = gcd(n, g), x = (a^(1/e))^(1/(n/e)), and
  gcd(n/e, g/e) = 1 leaves no prime: the degree is n/e.
- Factoring y^n - a over Q and taking the one factor that vanishes at x (a ball decides which).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cache, reduce
from math import gcd, prod
from typing import Any

import flint
import sympy as sp
from flint import acb, arb, fmpq, fmpq_poly, fmpz

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs.balls import ball, radius
from proofs.integrals import integrate

_ENTIRE = (sp.cos, sp.sin, sp.exp)  # what an integrand may be made of, beside sums, products and powers
Expr = Any  # a SymPy expression or a number; SymPy's own annotations are too narrow to be of use
Point = Mapping[Expr, Fraction | int]
Values = Mapping[Expr, Fraction | int | arb | acb]
Rule = Callable[[Expr], Expr]


def in_exponentials(expr: Expr) -> Expr:
    """Cosines, sines and their like as exponentials."""
    return expr.rewrite(sp.exp)


REWRITES: tuple[tuple[Rule, ...], ...] = (
    (sp.expand,),  # the cheapest first
    (sp.cancel,),
    (in_exponentials, sp.expand),
    (sp.expand_trig, sp.expand),
    (sp.trigsimp,),
    (sp.simplify,),
    (in_exponentials, sp.expand, sp.simplify),
    (sp.combsimp, sp.gammasimp),
    (sp.expand_log, sp.logcombine, sp.simplify),
    (sp.radsimp,),
)
"""What `is_zero` rests on: chains of rules, each of which is tried on false identities before its first use."""


def is_zero(expr: Expr) -> bool | None:
    """True where one of a list of exact rewritings gives 0, else None: a failure to simplify says nothing.

    `InputError` if the expression contains a float, which is no exact number.
    """
    expr = sp.sympify(expr)
    if expr.has(sp.Float):
        raise InputError(f"{expr} contains a float; write Rational(1, 10) for 0.1")
    for rules in REWRITES:
        if reduce(lambda found, rule: rule(found), rules, expr) == 0:
            if false := next(filter(None, map(unsound, rules)), None):
                raise ArithmeticError(f"a rewriting gives 0 for {false}, which is not 0: it proves nothing")
            return True
    return None


@cache
def _temptations() -> tuple[Expr, ...]:
    """Expressions that are not 0 for all values of their symbols, and that unsound rules take for 0."""
    x, y, n = sp.symbols("x y n")
    p, q = sp.symbols("p q", positive=True)
    t = sp.Symbol("t", real=True)
    return (
        sp.Integer(1), p, p - q, t**2 - p * q,
        sp.sqrt(t**2) - t, sp.sqrt(x * y) - sp.sqrt(x) * sp.sqrt(y), sp.sqrt(x**2) - x, (x**y) ** n - x ** (y * n),
        sp.log(x * y) - sp.log(x) - sp.log(y), sp.log(x**2) - 2 * sp.log(x), sp.log(sp.exp(x)) - x,
        sp.log(p + q) - sp.log(p) - sp.log(q),
        sp.cos(t) - 1, sp.sin(t) - t, sp.cos(t) - sp.sin(t), sp.cos(2 * t) - 2 * sp.cos(t),
        sp.cos(n * sp.pi) - (-1) ** n,
        sp.cos(t) ** 2 + sp.sin(t) ** 2 - 2, sp.sin(p + q) - sp.sin(p) - sp.sin(q), sp.acos(sp.cos(t)) - t,
        sp.exp(p) - 1 - p, sp.exp(p * q) - sp.exp(p) * sp.exp(q), sp.gamma(p + 1) - sp.gamma(p), sp.Abs(t) - t,
        sp.sqrt(p + q) - sp.sqrt(p) - sp.sqrt(q), 1 / (1 + sp.sqrt(p)) - (1 - sp.sqrt(p)),
        sp.Function("f")(t), sp.Function("f")(p) - sp.Function("f")(q),
    )  # fmt: skip


@cache
def unsound(rule: Rule) -> Expr | None:
    """The first expression that is not 0 and that the rule rewrites to 0; None where it takes none of them for 0.

    A rule is tried before the first identity that rests on it: a guard, and no proof of the rule.
    """
    return next((false for false in _temptations() if rule(false) == 0), None)


def identity(lhs: Expr, rhs: Expr, what: str, points: Sequence[Point] | None = None) -> Evidence:
    """Evidence for lhs = rhs for all values of the symbols (within their assumptions).

    PROVED if the difference rewrites to 0 exactly. Otherwise it is evaluated in balls at `points`, by default
    eight that meet the symbols' assumptions: REFUTED at the first where it is certainly not 0, else UNKNOWN.
    """
    left, right = sp.sympify(lhs), sp.sympify(rhs)
    proved = Evidence(what, Verdict.PROVED, computed=str(left), predicted=str(right))
    if not (left - right).has(sp.Float) and sp.expand(left - right) == 0:
        return proved
    # rewriting is slow where it cannot succeed, so balls speak first, if they can evaluate both sides
    with suppress(InputError):
        if (found := refutation(left, right, what, points)) is not None:
            return found
    if is_zero(left - right):
        return proved
    refutation(left, right, what, points)
    return Evidence(what, Verdict.UNKNOWN, computed=f"not simplified: {left - right}", predicted="0")


def refutation(lhs: Expr, rhs: Expr, what: str, points: Sequence[Point] | None = None) -> Evidence | None:
    """Evidence against lhs = rhs: the first of the points at which balls show the difference to be not 0, or None.

    `InputError` if balls cannot evaluate a side.
    """
    left, right = sp.sympify(lhs), sp.sympify(rhs)
    for point in sample_points(left, right) if points is None else points:
        value = to_ball(left, point) - to_ball(right, point)
        if value.is_finite() and not value.contains(0):
            return _counterexample(what, left, right, point)
    return None


def limit(expr: Expr, symbol: Expr, point: Expr, predicted: Expr, what: str, side: str = "+") -> Evidence:
    """Evidence that expr -> predicted as symbol -> point from `side` ("+", "-" or "+-"), by Gruntz's method.

    PROVED if the limit found equals the predicted one exactly, REFUTED if it certainly does not, else
    UNKNOWN.
    """
    found, aim = sp.limit(sp.sympify(expr), symbol, point, side), sp.sympify(predicted)
    if found.has(sp.Limit, sp.AccumBounds):
        return Evidence(what, Verdict.UNKNOWN, computed=str(found), predicted=str(aim))
    if not (found.is_infinite or aim.is_infinite):
        return identity(found, aim, what)
    verdict = Verdict.PROVED if found == aim else Verdict.REFUTED
    return Evidence(what, verdict, computed=str(found), predicted=str(aim))


def series(expr: Expr, symbol: Expr, point: Expr, predicted: Expr, order: int, what: str) -> Evidence:
    """Evidence that `predicted` is the Taylor polynomial of expr at `point`, all powers below `order`."""
    return identity(sp.series(sp.sympify(expr), symbol, point, order).removeO(), predicted, what)


def sample_points(*exprs: Expr, number: int = 8) -> list[Point]:
    """Exact points that meet the symbols' assumptions (integer, odd, ...); one, empty, if there are none."""
    symbols = sorted(set().union(*(expr.free_symbols for expr in exprs)), key=str)
    if not symbols:
        return [{}]
    return [{s: _value(s, 7 * k + 3 * i + 1) for i, s in enumerate(symbols)} for k in range(number)]


def _value(symbol: Expr, k: int) -> Fraction:
    """The k-th candidate, in a circle, that meets the symbol's assumptions; `InputError` if none does."""
    fits = _fitting(symbol)
    if not fits:
        raise InputError(f"no rational meets the assumptions of {symbol}; give points")
    return fits[(11 * k) % len(fits)]


_TRY_RATIONALS = range(1, 40), (1, 2, 7)  # numerators and denominators


@cache
def _fitting(symbol: Expr) -> tuple[Fraction, ...]:
    above, below = _TRY_RATIONALS
    candidates = (Fraction(sign * n, q) for n in above for q in below for sign in (1, -1))
    return tuple(x for x in candidates if _meets(symbol, x))


def _meets(symbol: Expr, x: Fraction) -> bool:
    value = sp.Rational(x.numerator, x.denominator)
    facts = ((getattr(value, f"is_{name}"), wanted) for name, wanted in symbol.assumptions0.items())
    return all(fact is wanted for fact, wanted in facts)


def _counterexample(what: str, lhs: Expr, rhs: Expr, point: Point) -> Evidence:
    left, right = to_ball(lhs, point), to_ball(rhs, point)
    at = ", ".join(f"{symbol} = {value}" for symbol, value in point.items())
    return Evidence(
        f"{what}; at {at}" if at else what,
        Verdict.REFUTED,
        computed=left.str(15),
        predicted=right.str(15),
        radius=max(radius(part) for z in (left, right) for part in (z.real, z.imag)),
        precision=f"{flint.ctx.prec} bit ball",
    )


_FUNCTIONS: dict[type, Callable[[acb], acb]] = {
    sp.cos: acb.cos,
    sp.sin: acb.sin,
    sp.tan: acb.tan,
    sp.exp: acb.exp,
    sp.log: acb.log,
    sp.cosh: acb.cosh,
    sp.sinh: acb.sinh,
    sp.atan: acb.atan,
    sp.asin: acb.asin,
    sp.acos: acb.acos,
    sp.Ci: acb.ci,
    sp.Si: acb.si,
    sp.gamma: acb.gamma,
    sp.erf: acb.erf,
    sp.re: lambda z: acb(z.real),
    sp.im: lambda z: acb(z.imag),
    sp.conjugate: acb.conjugate,
    sp.Abs: lambda z: acb(abs(z)),
    sp.sign: lambda z: acb(z.real.sgn()),
    sp.floor: lambda z: acb(z.real.floor()),
    sp.ceiling: lambda z: acb(z.real.ceil()),
}
_OF_SEVERAL: dict[type, Callable[..., acb]] = {
    sp.Max: lambda *zs: acb(reduce(arb.max, [z.real for z in zs])),
    sp.Min: lambda *zs: acb(reduce(arb.min, [z.real for z in zs])),
    sp.atan2: lambda y, x: acb(acb(x.real, y.real).arg()),
}
_CONSTANTS: dict[Expr, Callable[[], acb]] = {
    sp.pi: acb.pi,
    sp.E: lambda: acb(1).exp(),
    sp.I: lambda: acb(0, 1),
    sp.EulerGamma: lambda: acb(arb.const_euler()),
}


class Enclosed(sp.Function):
    """A real function that SymPy knows by name alone: `enclosed` gives a ball of it from balls of its arguments."""

    @staticmethod
    def enclosed(*arguments: arb) -> arb:
        """The ball of the value."""
        raise NotImplementedError


def to_ball(expr: Expr, values: Values | None = None) -> acb:
    """Enclosure of an expression, with an exact value or a ball for each symbol; else `InputError`."""
    return _evaluator(sp.sympify(expr))(values or {})


@cache
def _evaluator(expr: Expr) -> Callable[[Values], acb]:
    """What evaluates an expression at values: its tree is walked once, and a ledger evaluates it at many points."""
    if expr in _CONSTANTS:
        constant = _CONSTANTS[expr]
        return lambda _: constant()
    if isinstance(expr, sp.Rational):
        number = fmpq(int(expr.p), int(expr.q))
        return lambda _: acb(arb(number))
    if isinstance(expr, sp.Symbol):
        return lambda values: _value_of(expr, values)
    if isinstance(expr, sp.Integral):
        return lambda values: acb(_integral(expr, values))
    if isinstance(expr, sp.Derivative):
        return lambda values: to_ball(expr.doit(), values)
    if isinstance(expr, sp.Sum | sp.Product):
        return lambda values: _over_index(expr, values)
    combine, parts = _combination(expr), [_evaluator(arg) for arg in expr.args]
    return lambda values: combine([part(values) for part in parts])


def _value_of(symbol: sp.Symbol, values: Values) -> acb:
    value = values.get(symbol)
    if value is None:
        raise InputError(f"{symbol}: a Symbol without a value cannot be evaluated in balls")
    return _complex(value)


def _complex(value: Fraction | int | arb | acb) -> acb:
    return value if isinstance(value, acb) else acb(ball(value))


def _over_index(expr: Expr, values: Values) -> acb:
    """A sum or a product: over its terms where there are finitely many, else as SymPy has it."""
    terms = _finite_terms(expr, values)
    if terms is None:
        return to_ball(expr.subs(_rationals(values)).doit())
    return sum(terms, acb(0)) if isinstance(expr, sp.Sum) else prod(terms, start=acb(1))


def _combination(expr: Expr) -> Callable[[list[acb]], acb]:
    """What makes the ball of an expression from those of its parts; `InputError` for a function that is not known."""
    if isinstance(expr, Enclosed):
        return lambda parts: acb(expr.enclosed(*(part.real for part in parts)))
    if isinstance(expr, sp.Add):
        return lambda parts: sum(parts, acb(0))
    if isinstance(expr, sp.Mul):
        return lambda parts: prod(parts, start=acb(1))
    if isinstance(expr, sp.Pow):
        if expr.exp == sp.S.Half:
            return lambda parts: parts[0].sqrt()
        if expr.exp.is_Integer:
            whole = int(expr.exp)
            return lambda parts: parts[0] ** whole
        return lambda parts: parts[0].pow(parts[1])
    known = _FUNCTIONS.get(expr.func) or _OF_SEVERAL.get(expr.func)
    if known is None:
        raise InputError(f"{expr}: a {expr.func.__name__} without a value cannot be evaluated in balls")
    return lambda parts: known(*parts)


def _finite_terms(expr: Expr, values: Values) -> list[acb] | None:
    """The terms of a sum or product over one index whose ends are certainly integers; else None."""
    if len(expr.limits) != 1 or any(end.is_infinite for end in expr.limits[0][1:]):
        return None
    index, low, high = expr.limits[0]
    first, last = (to_ball(end, values).real.unique_fmpz() for end in (low, high))
    if first is None or last is None:
        return None
    evaluate = _evaluator(expr.function)
    known = {symbol: _complex(value) for symbol, value in values.items()}
    return [evaluate({**known, index: acb(k)}) for k in range(int(first), int(last) + 1)]


def _integral(expr: Expr, values: Values) -> arb:
    """An integral over one finite range of what is analytic wherever it is finite."""
    if len(expr.limits) != 1 or len(expr.limits[0]) != 3:
        raise InputError(f"{expr}: only an integral over one range is evaluated in balls")
    x, low, high = expr.limits[0]
    powers = [power for power in expr.function.atoms(sp.Pow) if power.base.has(x)]
    if any(not isinstance(f, _ENTIRE) for f in expr.function.atoms(sp.Function)) or any(
        not power.exp.is_Integer for power in powers
    ):
        raise InputError(f"{expr}: its integrand is not known to be analytic")

    def integrand(z: acb, _analytic: bool) -> acb:
        return to_ball(expr.function, {**values, x: z})

    return integrate(integrand, to_ball(low, values).real, to_ball(high, values).real)


def _rationals(values: Values) -> dict[Expr, Expr]:
    exact = {}
    for symbol, value in values.items():
        if isinstance(value, arb | acb):
            raise InputError(f"{symbol} is a ball; a sum or product over it needs an exact value")
        exact[symbol] = sp.Rational(value.numerator, value.denominator)
    return exact


def degree_by_criterion(a: Fraction | int, n: int) -> int:
    """Degree over Q of the positive n-th root of a > 0, by the criterion of Vahlen and Capelli."""
    a = _checked(a, n)
    return 1 if a == 1 else n // gcd(n, power_of(a))


def power_of(a: Fraction | int) -> int:
    """The greatest g such that the rational a > 0, a != 1, is a g-th power: gcd of its primes' exponents."""
    a = _checked(a, 1)
    if a == 1:
        raise InputError("a=1 is a g-th power for every g")
    exponents = [e for part in (a.numerator, a.denominator) if part > 1 for _, e in fmpz(part).factor()]
    return gcd(*map(int, exponents))


def minimal_polynomial(a: Fraction | int, n: int) -> fmpq_poly:
    """Monic minimal polynomial over Q of the positive n-th root of a > 0, by factoring y^n - a."""
    a = _checked(a, n)
    coefficients = [-fmpq(a.numerator, a.denominator)] + [fmpq(0)] * (n - 1) + [fmpq(1)]
    _, factors = fmpq_poly(coefficients).factor()
    root = ball(a).root(n)
    vanishing = [factor for factor, _ in factors if _at(factor, root).contains(0)]
    if len(vanishing) != 1:
        raise ArithmeticError(
            f"{len(vanishing)} factors of y^{n} - {a} may vanish at its root: raise the precision"
        )
    return vanishing[0] / vanishing[0].leading_coefficient()


def degree(a: Fraction | int, n: int) -> int:
    """Degree over Q of the positive n-th root of a > 0; `ArithmeticError` if the two witnesses disagree."""
    one, other = degree_by_criterion(a, n), minimal_polynomial(a, n).degree()
    if one != other:
        raise ArithmeticError(f"degree of {a}^(1/{n}): {one} by criterion, {other} by factoring")
    return one


def degree_is(a: Fraction | int, n: int, predicted: int, what: str) -> Evidence:
    """Evidence that the positive n-th root of a has degree `predicted` over Q: PROVED or REFUTED."""
    found = degree(a, n)
    verdict = Verdict.PROVED if found == predicted else Verdict.REFUTED
    return Evidence(what, verdict, computed=found, predicted=predicted)


def _checked(a: Fraction | int, n: int) -> Fraction:
    if a <= 0 or n < 1:
        raise InputError(f"a={a}, n={n}: the positive n-th root needs a > 0 and n >= 1")
    return Fraction(a)


def _at(poly: fmpq_poly, x: arb) -> arb:
    """Value of a polynomial at a ball, by Horner."""
    value = arb(0)
    for coefficient in reversed(poly.coeffs()):
        value = value * x + arb(coefficient)
    return value
