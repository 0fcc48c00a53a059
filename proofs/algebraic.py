"""Degrees of roots of rationals over Q: what decides whether RoPE's frequencies are linearly independent.

x = a^(1/n) for a positive rational a. Two witnesses of its degree, kept apart on purpose:

- Criterion (Vahlen 1895, Capelli 1901): y^n - a is irreducible over Q exactly if a is no p-th power for any
  prime p dividing n and, where 4 divides n, a is not -4 times a fourth power; the last cannot occur for a >
  0. With g the greatest integer such that a is a g-th power and e = gcd(n, g), x = (a^(1/e))^(1/(n/e)), and
  gcd(n/e, g/e) = 1 leaves no prime: the degree is n/e.
- Factoring y^n - a over Q and taking the one factor that vanishes at x (a ball decides which).
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd

from flint import arb, fmpq, fmpq_poly, fmpz

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs.balls import ball


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
