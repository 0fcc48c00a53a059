r"""Appendix E, third quarter: the integral I/2 of C_D and its decomposition, eqs 52 to 55.

The cuts are right, with n_0 = 0 wherever lambda theta_0 <= 1/4; the bound of the two ends is right, its derivation not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy as sp
from flint import acb, arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import exact, search, tried
from proofs.integrals import cos_integral, integrate
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_riemann import HYPOTHESES
from proofs.paper.classical_lemmas import L, P, n, r, s, theta, v, x, y
from proofs.rope_tools import EDGES, Point, points, rises, same, termwise

lam = sp.Symbol("lambda", positive=True)
TURN = 2 * sp.pi
QUARTER = sp.Rational(1, 4)


@claim(
    "eq-52",
    where="App. E, eq 52",
    kind="step",
    says=r"I/2 = (1/2L) \int_{\theta_0}^1 \cos(2\pi\lambda y)/y dy = (1/2L) \int_{\lambda\theta_0}^\lambda "
    r"\cos(2\pi y)/y dy",
    outline="All three are (Ci(2 pi lambda) - Ci(2 pi lambda theta_0))/(2L): the integrands are the slopes of Ci "
    "of the phase.",
)
def eq_52() -> Iterator[Evidence]:
    yield from substitution(sp.Ci, sp.cos)


def substitution(integral: Callable[..., Any], wave: Callable[..., Any]) -> Iterator[Evidence]:
    """-integral(P theta_0^x)/L, integral(P y) and integral(2 pi y) have the slopes that the substitution needs."""
    phase = P * sp.exp(-L * x)
    yield same("slope in x", sp.diff(-integral(phase) / L, x), wave(phase))
    yield same("slope in y", sp.diff(integral(P * y), y), wave(P * y) / y)
    yield same("slope in y, lambda absorbed", sp.diff(integral(TURN * y), y), wave(TURN * y) / y)
    yield same("theta_0^x at x = 1", sp.exp(sp.log(theta)), theta)


@attack("eq-52", domain=f"{EDGES}; int_0^1 by Petras's algorithm, where lambda <= 50")
def eq_52_attack() -> Iterator[Evidence]:
    near = (q for q in points(heads=(0,)) if q.distance <= 50)
    yield search(
        "1e-25 - |difference|", ((str(q), ball("1e-25") - abs(direct(q) - q.half_integral())) for q in near)
    )


def direct(point: Point, wave: Callable[[acb], acb] = acb.cos) -> arb:
    """I/2 by integrating cos (or another wave) of 2 pi lambda theta_0^x over [0, 1]."""
    turn, log = 2 * arb.pi() * ball(point.distance), point.log
    return integrate(lambda z, _: wave(acb(turn) * (-log * z).exp()), 0, 1) / 2


def first_cut(point: Point) -> int:
    """n_0 of eq 53: 0 wherever lambda theta_0 <= 1/4."""
    return math.ceil(point.far - Fraction(1, 4))


def last_cut(point: Point) -> int:
    """N_0 of eq 53: -1 where lambda < 5/4."""
    return math.floor(point.distance - Fraction(5, 4))


@claim(
    "eq-53",
    where="App. E, eq 53",
    kind="definition",
    says=r"n_0 = \min\{n \in Z : \lambda\theta_0 \le (4n+1)/4\}, N_0 = \max\{n \in Z : \lambda \ge (4n+5)/4\}",
    assumes=HYPOTHESES,
    outline="n_0 = ceil(lambda theta_0 - 1/4) >= 0 and N_0 = floor(lambda - 5/4) >= -1: both exist, n_0 = 0 where "
    "lambda theta_0 <= 1/4 and N_0 = -1 where lambda < 5/4.",
)
def eq_53() -> Iterator[Evidence]:
    yield same("(4n+1)/4 - z = n - (z - 1/4)", (4 * n + 1) / sp.Integer(4) - x, n - (x - QUARTER))
    yield same("(4n+5)/4 - z = n - (z - 5/4)", (4 * n + 5) / sp.Integer(4) - x, n - (x - 5 * QUARTER))
    yield exact("n_0 > -1/4 - 0 is an integer", sp.ceiling(-QUARTER) == 0, sp.ceiling(-QUARTER), 0)
    yield exact("N_0 at lambda = 1", sp.floor(1 - 5 * QUARTER) == -1, sp.floor(1 - 5 * QUARTER), -1)


@attack("eq-53", domain=f"{EDGES}: the definition against the closed forms, n from -3 up")
def eq_53_attack() -> Iterator[Evidence]:
    for q in points(heads=(0,)):
        found = next(i for i in range(-3, first_cut(q) + 9) if q.far <= Fraction(4 * i + 1, 4)), last_cut(q)
        holds = found[0] == first_cut(q) and Fraction(4 * found[1] + 5, 4) <= q.distance < Fraction(
            4 * found[1] + 9, 4
        )
        yield tried(f"n_0, N_0 at {q}", holds, found, (first_cut(q), last_cut(q)))


@claim(
    "eq-54",
    where="App. E, eq 54",
    kind="step",
    says=r"\int_{\lambda\theta_0}^\lambda = I_* + \sum_{n=n_0}^{N_0} (I_n^- + I_n^+) + I^*, cut at (4n+1)/4, "
    "(4n+3)/4, (4n+5)/4; the sum is empty where N_0 = n_0 - 1",
    assumes=HYPOTHESES,
    uses=("eq-53",),
    outline="Adjacent cuts meet, and n_0 <= N_0 + 1: an integer lies in [lambda theta_0 - 1/4, lambda - 1/4], "
    "which holds 0 or is longer than 1.",
)
def eq_54() -> Iterator[Evidence]:
    yield periods_meet(QUARTER)
    yield longer_than_one()


def periods_meet(offset: sp.Expr, turns: int = 1) -> Evidence:
    """The two halves of the period from n + offset to n + turns + offset are one difference, and periods adjoin."""
    primitive, begin = sp.Function("F"), n + offset
    middle, end = begin + sp.Rational(1, 2), begin + turns
    halves = (primitive(middle) - primitive(begin)) + (primitive(end) - primitive(middle))
    return same("one period", halves, primitive(begin.subs(n, n + 1)) - primitive(begin))


def longer_than_one() -> Evidence:
    """lambda (1 - theta_0) >= 1 where lambda theta_0 = 1/4 + v and theta_0 = 1/(10 + r)."""
    return termwise("lambda (1 - theta_0) - 1", (QUARTER + v) * (10 + r) * (1 - 1 / (10 + r)) - 1)


@attack("eq-54", domain=f"{EDGES}, where lambda <= 500")
def eq_54_attack() -> Iterator[Evidence]:
    near = [q for q in points(heads=(0,)) if q.distance <= 500]
    yield search("N_0 + 2 - n_0", ((str(q), ball(last_cut(q) + 2 - first_cut(q))) for q in near))
    gaps = (
        (str(q), ball("1e-25") - abs(sum(pieces(q), arb(0)) - cos_integral(q.far, q.distance))) for q in near
    )
    yield search("1e-25 - |defect|", gaps)


def pieces(point: Point) -> list[arb]:
    """I_*, the periods n_0 to N_0, and I^* of eq 54."""
    ends = [Fraction(4 * i + 1, 4) for i in range(first_cut(point), last_cut(point) + 2)]
    edges = [point.far, *ends, point.distance]
    return [cos_integral(lo, hi) for lo, hi in pairwise(edges)]


@claim(
    "eq-55",
    where="App. E, eq 55",
    kind="step",
    says=r"|I^*| + |I_*| \le 1/(\lambda\theta_0) + 1/(\lambda-1) \le 2/(\lambda\theta_0)",
    assumes=HYPOTHESES,
    outline="The second inequality says lambda - 1 >= lambda theta_0, that is lambda >= 1/(1 - theta_0): false for "
    "lambda near 1.",
)
def eq_55() -> Iterator[Evidence]:
    yield chain_55(Point(Fraction(1, 20), 12, Fraction(101, 100)))


def chain_55(point: Point) -> Evidence:
    """The second inequality of eq 55 at a point, in exact fractions."""
    middle, last = 1 / point.far + 1 / (point.distance - 1), 2 / point.far
    return exact(
        f"1/(lambda theta_0) + 1/(lambda - 1) <= 2/(lambda theta_0), {point}",
        middle <= last,
        middle,
        f"<= {last}",
    )


@repair(
    "eq-55",
    says=r"|I^*| + |I_*| \le 2/(\lambda\theta_0); the printed middle member lies between if and only if \lambda \ge "
    r"1/(1-\theta_0)",
    assumes=HYPOTHESES,
    uses=("eq-53",),
    outline="If lambda theta_0 > 1/4 then lambda > 5/2 > 1/(1 - theta_0), and each part is at most its length, 1, "
    "over its lower end. If not, |I_*| <= log(1/(4 lambda theta_0)), |I^*| <= log 5, and with s = 1/(lambda "
    "theta_0) >= 4: log s + log(5/4) <= (s - 1) + 1/4 <= 2 s.",
)
def eq_55_repaired() -> Iterator[Evidence]:
    yield same("lambda - 1 - lambda theta_0", (lam - 1) - lam * theta, lam * (1 - theta) - 1)
    yield longer_than_one()
    yield rises("(s - 1) - log s from s = 1 on", s - sp.log(1 + s), s, 2)
    yield termwise("2s - (s - 1) - 1/4 from s = 4 on", 2 * (4 + v) - (3 + v) - QUARTER)


@attack("eq-55*", domain=f"{EDGES}, where lambda <= 500")
def eq_55_attack() -> Iterator[Evidence]:
    near = [q for q in points(heads=(0,)) if q.distance <= 500]
    outer = ((q, pieces(q)) for q in near)
    yield search(
        "2/(lambda theta_0) - |I_*| - |I^*|",
        ((str(q), ball(2 / q.far) - abs(p[0]) - abs(p[-1])) for q, p in outer),
    )
