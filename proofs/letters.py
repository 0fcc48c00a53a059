r"""The letters that statements on RoPE share: symbols, the ranges they are quantified over, and the sums they name.

b is the base, L = ln b, theta_0 = 1/b; c is the unit of an angle, 2 pi in turns (v1) or 1 in radians (deployed);
lambda and Lambda are distances, near and far. Gamma is the expected score over sqrt(D), Delta near less far.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from proofs.statements import TURN, UNITS, CosineLimit, Cosines, SineLimit, Sines, Variable, relation

Expr = Any
MU, NU, NEAR, FAR = sp.symbols("mu_0 nu_0 lambda Lambda", real=True)
BASE, DIM, UNIT, LOG, DELTA, R, EPS = sp.symbols("b D c L delta r epsilon", positive=True)
ALPHA, E_ZERO = sp.symbols("alpha epsilon_0", positive=True)
RHO, GAP, HERE, THERE, E_NEAR, E_FAR = sp.symbols(
    r"rho Delta Gamma_lambda Gamma_Lambda e(\lambda) e(\Lambda)", real=True
)
NEAR_POSITIVE, FAR_POSITIVE = sp.symbols("lambda Lambda", positive=True)  # where keys come before their query

ANY_UNIT = Variable(UNIT, among=UNITS)
ANY_HEAD = Variable(DIM, low=sp.Integer(0), even=True)
ANY_BASE = Variable(BASE, low=sp.Integer(1), cut=True)
LEMMA_BASE = Variable(BASE, low=sp.Integer(10), cut=True)  # theta_0 < 1/10
LEMMA_HEAD = relation(DIM, ">", 4 * LOG)
ANY_MEANS = (Variable(MU), Variable(NU))
NEAR_END = BASE ** sp.Rational(1, 4) / 8  # of theorem 2.2's near range
NEAR_RANGE = Variable(NEAR, low=sp.Integer(1), high=NEAR_END, signed=True)
FAR_RANGE = Variable(FAR, low=BASE, signed=True)
NONZERO_MEAN = relation(MU, "!=", 0)


def rope_bias(distance: Expr, unit: Expr = UNIT) -> Expr:
    """Gamma at a distance: mu_0 C_D + nu_0 S_D."""
    return MU * Cosines(DIM, BASE, distance, unit) + NU * Sines(DIM, BASE, distance, unit)


def limit_bias(distance: Expr, unit: Expr = UNIT) -> Expr:
    """The limit of Gamma for D -> infinity."""
    return MU * CosineLimit(BASE, distance, unit) + NU * SineLimit(BASE, distance, unit)


def cosine_gap(near: Expr, far: Expr, unit: Expr = TURN, base: Expr = BASE) -> Expr:
    """C_D near less C_D far: the gap at mu_0 = 1, nu_0 = 0."""
    return Cosines(DIM, base, near, unit) - Cosines(DIM, base, far, unit)


def cosine_limit_gap(near: Expr, far: Expr, unit: Expr = UNIT, base: Expr = BASE) -> Expr:
    """The same in the limit D -> infinity."""
    return CosineLimit(base, near, unit) - CosineLimit(base, far, unit)


def lemma_error(distance: Expr, exponent: Expr = ALPHA) -> Expr:
    """e of eq 26: alpha + 4 pi lambda theta_0^alpha / D."""
    return exponent + 4 * sp.pi * distance * BASE**-exponent / DIM


def in_closed_form(expression: Expr) -> Expr:
    """Each limit by its closed form, (Ci(c|x|) - Ci(c|x|/b))/(2 ln b) and the same with Si(cx), Si(cx/b)."""

    def cosine(base: Expr, distance: Expr, unit: Expr) -> Expr:
        x = unit * sp.Abs(distance)
        return (sp.Ci(x) - sp.Ci(x / base)) / (2 * sp.log(base))

    def sine(base: Expr, distance: Expr, unit: Expr) -> Expr:
        return (sp.Si(unit * distance) - sp.Si(unit * distance / base)) / (2 * sp.log(base))

    return sp.sympify(expression).replace(CosineLimit, cosine).replace(SineLimit, sine)


def cin_expression(x: Expr) -> Expr:
    """Cin(x) = gamma + ln x - Ci(x)."""
    return sp.EulerGamma + sp.log(x) - sp.Ci(x)
