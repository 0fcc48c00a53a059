r"""Appendix E, the sine bound: the integral of S_D, eqs 61 to 68.

The sum in eq 66 begins with 1/0, and the first piece is not at most 1/2: its integral is near Si(pi) = 1.85. What mends
both is that Si never leaves (0, Si(pi)].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import sympy as sp
from flint import acb, arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import EDGES, Point, exact, margins, points, rises, same, search, termwise, tried
from proofs.integrals import si, sin_integral
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_cos import (
    HALF,
    TURN,
    direct,
    half_period,
    period_bound,
    periods_meet,
    substitution,
    undefined,
)
from proofs.paper.appendix_e_riemann import HYPOTHESES, riemann_decomposition, riemann_error
from proofs.paper.classical_lemmas import n, s, u, v, x, y


def sine_cut(point: Point) -> int:
    """N_0 of eq 64: -1 where lambda < 3/2."""
    return math.floor(point.distance - Fraction(3, 2))


@claim(
    "eq-61",
    where="App. E, eq 61",
    kind="step",
    says=(
        r"$\Delta/2 \le \epsilon(D; \lambda, \theta_0, \alpha)$ for $S_D$, and $\Delta/2 \ge -\epsilon$ "
        "likewise"
    ),
    assumes=(*HYPOTHESES, r"$\alpha \in (0, 1)$"),
    uses=("eq-44", "eq-47*", "lem-riemann"),
    outline="As eq-51: |sin A - sin B| <= 2, and lem-riemann holds for both waves. The decomposition has D/2 terms.",
)
def eq_61() -> Iterator[Evidence]:
    yield riemann_decomposition()
    yield from riemann_error()
    yield exact("2 pi > 2", bool(2 * sp.pi > 2), "2 pi", "> 2")


@attack("eq-61", domain=f"{EDGES}; alpha minimising")
def eq_61_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        yield abs(q.sum("sin") - q.half_integral("sin")), q.least_epsilon()

    yield search("least e - |Delta/2|", margins(pairs, (0, 2, 64, 256)))


@claim(
    "eq-62",
    where="App. E, eq 62",
    kind="step",
    says=r"$I/2 = (1/2L) \int_{\lambda\theta_0}^\lambda \sin(2\pi y)/y \,dy$ for $S_D$",
    outline="It is (Si(2 pi lambda) - Si(2 pi lambda theta_0))/(2L), as in eq-52.",
)
def eq_62() -> Iterator[Evidence]:
    yield from substitution(sp.Si, sp.sin)


@attack("eq-62", domain=f"{EDGES}; int_0^1 by Petras's algorithm, where lambda <= 50")
def eq_62_attack() -> Iterator[Evidence]:
    near = (q for q in points(heads=(0,)) if q.distance <= 50)
    gaps = ((str(q), ball("1e-25") - abs(direct(q, acb.sin) - q.half_integral("sin"))) for q in near)
    yield search("1e-25 - |difference|", gaps)


@claim(
    "eq-63",
    where="App. E, eq 63",
    kind="step",
    says=(
        r"$\int_{\lambda\theta_0}^\lambda = I_{\ast} + \sum_{n=0}^{N_0} (I_n^- + I_n^+) + I^{\ast}$, cut "
        r"at $1/2$, $(2n+1)/2$, $(2n+2)/2$, $(2n+3)/2$; $I_{\ast}$ runs backwards where $\lambda\theta_0 > "
        "1/2$, the sum is empty where $N_0 = -1$"
    ),
    assumes=HYPOTHESES,
    uses=("eq-64",),
    outline="Adjacent cuts meet: the sum ends at (2 N_0 + 3)/2, and at 1/2 if it is empty.",
)
def eq_63() -> Iterator[Evidence]:
    yield periods_meet(HALF)


@attack("eq-63", domain=f"{EDGES}, where lambda <= 500")
def eq_63_attack() -> Iterator[Evidence]:
    near = [q for q in points(heads=(0,)) if q.distance <= 500]
    defect = ((q, sum(sine_pieces(q), arb(0)) - sin_integral(q.far, q.distance)) for q in near)
    yield search("1e-25 - |defect|", ((str(q), ball("1e-25") - abs(gap)) for q, gap in defect))


def sine_pieces(point: Point) -> list[arb]:
    """I_*, the periods 0 to N_0, and I^* of eq 63."""
    edges = [point.far, *(Fraction(2 * i + 1, 2) for i in range(sine_cut(point) + 2)), point.distance]
    return [sin_integral(lo, hi) for lo, hi in pairwise(edges)]


@claim(
    "eq-64",
    where="App. E, eq 64",
    kind="definition",
    says=r"$N_0 = \max\{n \in \mathbb{Z} : \lambda \ge (2n+3)/2\}$",
    assumes=HYPOTHESES,
    outline="N_0 = floor(lambda - 3/2) >= -1, and -1 where lambda < 3/2.",
)
def eq_64() -> Iterator[Evidence]:
    yield same("(2n+3)/2 - z = n - (z - 3/2)", (2 * n + 3) * HALF - x, n - (x - 3 * HALF))
    yield exact("N_0 at lambda = 1", sp.floor(1 - 3 * HALF) == -1, sp.floor(1 - 3 * HALF), -1)


@attack("eq-64", domain=f"{EDGES}: the definition against the closed form")
def eq_64_attack() -> Iterator[Evidence]:
    for q in points(heads=(0,)):
        last = sine_cut(q)
        holds = last >= -1 and Fraction(2 * last + 3, 2) <= q.distance < Fraction(2 * last + 5, 2)
        yield tried(f"N_0 at {q}", holds, last, "(2 N_0 + 3)/2 <= lambda < (2 N_0 + 5)/2")


@claim(
    "eq-65",
    where="App. E, eq 65",
    kind="step",
    says=(
        r"$|I_n^- + I_n^+| \le (1/\pi)|-2/(2n+1) + 2/(2n+3)| = (1/\pi) 4/((2n+1)(2n+3)) < 1/(\pi n^2)$ for "
        r"$0 \le n \le N_0$"
    ),
    assumes=HYPOTHESES,
    outline="True for n >= 1; at n = 0, always there for lambda >= 3/2, the last member does not exist.",
)
def eq_65() -> Iterator[Evidence]:
    point = Point(Fraction(1, 20), 12, Fraction(2))
    yield undefined("eq 65", point, (0, sine_cut(point)))


@repair(
    "eq-65",
    says=(
        r"$|I_n^- + I_n^+| \le (1/\pi) 4/((2n+1)(2n+3))$ for all $n \ge 0$, and this is below $1/(\pi "
        r"n^2)$ for $n \ge 1$"
    ),
    outline="As (56) to (58), with sin 2 pi y <= 0 on [(2n+1)/2, (2n+2)/2] and >= 0 on [(2n+2)/2, (2n+3)/2].",
)
def eq_65_repaired() -> Iterator[Evidence]:
    yield from half_period("sin", later=False)
    yield from half_period("sin", later=True)
    yield from period_bound("sin", 4 / ((2 * n + 1) * (2 * n + 3)))


@attack("eq-65*", domain="n = 0 to 300")
def eq_65_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        found = sin_integral(Fraction(2 * i + 1, 2), Fraction(2 * i + 3, 2))
        return 4 / (arb.pi() * (2 * i + 1) * (2 * i + 3)) - abs(found)

    yield search("4/(pi (2n+1)(2n+3)) - |I_n^- + I_n^+|", ((f"n={i}", margin(i)) for i in range(301)))


@claim(
    "eq-66",
    where="App. E, eq 66",
    kind="step",
    says=r"$\sum_{n=0}^{N_0} (I_n^- + I_n^+) < (1/\pi) \sum_{n=0}^{N_0} 1/n^2 < \pi/6 < 1$",
    assumes=HYPOTHESES,
    outline="For 1 < lambda < 3/2 both sums are empty and 0 < 0 is false; for lambda >= 3/2 the second begins with "
    "1/0.",
)
def eq_66() -> Iterator[Evidence]:
    yield empty_sums(Point(Fraction(1, 20), 12, Fraction(5, 4)))
    point = Point(Fraction(1, 20), 12, Fraction(2))
    yield undefined("eq 66", point, (0, sine_cut(point)))


def empty_sums(point: Point) -> Evidence:
    """The first inequality of eq 66 at a point whose sums have no terms; undecided elsewhere."""
    terms = range(sine_cut(point) + 1)
    what = f"sum < (1/pi) sum, both over n = 0..{sine_cut(point)}, {point}"
    return exact(what, None if terms else sum(terms) < sum(terms), "0", "< 0")


@repair(
    "eq-66",
    says=(
        r"$0 \le -\sum_{n=0}^{N_0} (I_n^- + I_n^+) = \mathrm{Si}(\pi) - \mathrm{Si}((2N_0+3)\pi) < "
        r"\mathrm{Si}(\pi) - \pi/2 < 1/\pi$; the last but one is the least such bound, being the limit as "
        r"$\lambda$ grows"
    ),
    assumes=HYPOTHESES,
    uses=("eq-63", "lem-hump", "lem-ci"),
    outline="The sum is one integral from 1/2 to (2 N_0 + 3)/2. From the zero (2 N_0 + 3) pi on, sin is negative "
    "first, so pi/2 - Si((2 N_0 + 3) pi) < 0 by lem-hump; Si(pi) - pi/2 < 1/pi by lem-ci.",
)
def eq_66_repaired() -> Iterator[Evidence]:
    yield same("slope of Si(2 pi y)", sp.diff(sp.Si(TURN * y), y), sp.sin(TURN * y) / y)
    yield same("limit of Si", sp.limit(sp.Si(x), x, sp.oo), sp.pi / 2)


@attack("eq-66*", domain="N_0 = 0 to 2000; the limit is approached from below")
def eq_66_attack() -> Iterator[Evidence]:
    least = si(arb.pi()) - arb.pi() / 2
    sums = ((f"N_0={i}", least + sin_integral(Fraction(1, 2), Fraction(2 * i + 3, 2))) for i in range(2001))
    yield search("Si(pi) - pi/2 - |sum|", sums)
    reached = -sin_integral(Fraction(1, 2), Fraction(4003, 2))
    yield below("0.999 of the bound is exceeded at N_0 = 2000", least * ball("0.999"), reached)


@claim(
    "eq-67",
    where="App. E, eq 67",
    kind="step",
    says=r"$\sin(2\pi y)/y$ is bounded by 1 on $[0, 1/2]$, and $|I_{\ast}| \le 1/2$",
    assumes=HYPOTHESES,
    outline="sin(2 pi y)/y is 4 at y = 1/4 and tends to 2 pi at 0; I_* is near Si(pi) = 1.85 for small lambda theta_0.",
)
def eq_67() -> Iterator[Evidence]:
    yield weight_bound(sp.Integer(1))
    point = Point(Fraction(1, 100), 20, Fraction(2))
    yield below(f"|I_*| <= 1/2, {point}", abs(sine_pieces(point)[0]), Fraction(1, 2), strict=False)


def weight_bound(bound: sp.Expr) -> Evidence:
    """sin(2 pi y)/y <= bound at y = 1/4; for bound = 2 pi on all of y > 0, since sin u <= u."""
    found = (sp.sin(TURN * y) / y).subs(y, sp.Rational(1, 4))
    if bound == TURN:
        return rises("u - sin u", u - sp.sin(u), u, 1)
    return exact(f"sin(2 pi y)/y <= {bound} at y = 1/4", bool(found <= bound) and None, found, f"<= {bound}")


@repair(
    "eq-67",
    says=(
        r"$\sin(2\pi y)/y \le 2\pi$, and $0 \le I_{\ast} < \mathrm{Si}(\pi) < \pi$, the least bound as "
        r"$\lambda\theta_0 \to 0$; $0 < \mathrm{Si}(X) \le \mathrm{Si}(\pi)$ for all $X > 0$"
    ),
    uses=("lem-hump",),
    outline="I_* = Si(pi) - Si(2 pi lambda theta_0). Si rises to Si(pi); from pi on lem-hump keeps it in [Si(pi) - "
    "2/pi, Si(pi)], and Si(pi) > int_0^pi sin(y)/pi dy = 2/pi.",
)
def eq_67_repaired() -> Iterator[Evidence]:
    yield weight_bound(TURN)
    yield same("int_0^pi sin(y)/pi dy", sp.integrate(sp.sin(s), (s, 0, sp.pi)) / sp.pi, 2 / sp.pi)


@attack("eq-67*", domain=f"{EDGES}; and X = 2^-20 to 2^20")
def eq_67_attack() -> Iterator[Evidence]:
    yield search("Si(pi) - I_*", margins(lambda q: [(sin_integral(q.far, Fraction(1, 2)), si(arb.pi()))]))
    sizes = [ball(Fraction(2) ** i) for i in range(-20, 21)]
    yield search(
        "Si(X), Si(pi) - Si(X)", ((f"X={q}", w) for q in sizes for w in (si(q), si(arb.pi()) - si(q)))
    )


@claim(
    "eq-68",
    where="App. E, eq 68",
    kind="step",
    says=r"$|I^{\ast}| < 1/(\lambda-1) \le 1$",
    assumes=HYPOTHESES,
    outline="1/(lambda - 1) <= 1 needs lambda >= 2.",
)
def eq_68() -> Iterator[Evidence]:
    yield last_inequality(Point(Fraction(1, 20), 12, Fraction(3, 2)))


def last_inequality(point: Point) -> Evidence:
    """1/(lambda - 1) <= 1 at a point, in exact fractions."""
    left = 1 / (point.distance - 1)
    return exact(f"1/(lambda - 1) <= 1, {point}", left <= 1, left, "<= 1")


@repair(
    "eq-68",
    says=r"$|I^{\ast}| \le 2/((2N_0+3)\pi) \le 2/\pi$ for every $\lambda \ge 1/2$",
    uses=("eq-63", "lem-hump"),
    outline="lem-hump from the zero (2 N_0 + 3) pi of sin; N_0 >= -1.",
)
def eq_68_repaired() -> Iterator[Evidence]:
    yield termwise("2/pi - 2/((1 + v) pi)", 2 / sp.pi - 2 / ((1 + v) * sp.pi))


@attack(
    "eq-68*", domain=f"{EDGES}, where lambda <= 500; the supremum is Si(pi) - Si(2 pi) = 0.434 as lambda -> 1"
)
def eq_68_attack() -> Iterator[Evidence]:
    near = [q for q in points(heads=(0,)) if q.distance <= 500]
    yield search("2/((2 N_0 + 3) pi) - |I^*|", ((str(q), _hump(q) - abs(sine_pieces(q)[-1])) for q in near))
    reached = abs(sin_integral(Fraction(1, 2), 1 + Fraction(1, 10**9)))
    yield below("0.4337 is exceeded at lambda = 1 + 1e-9", ball("0.4337"), reached)


def _hump(point: Point) -> arb:
    return 2 / (arb.pi() * (2 * sine_cut(point) + 3))
