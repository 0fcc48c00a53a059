r"""Appendix E, second half of the cosine bound: the integral I/2, its cuts and its oscillatory sum, eqs 52 to 60.

The cuts are right, with n_0 = 0 wherever lambda theta_0 <= 1/4; the bound of the two ends is right, its derivation not.
At n_0 = 0 (56) and (59) divide by zero. (60) does not follow from (55) and (59), but is true on other grounds, on both
sides and with a constant about eight times smaller.
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
from proofs.balls import Real, ball, below
from proofs.checks import EDGES, Point, exact, margins, points, rises, same, search, termwise, tried
from proofs.integrals import ci, cos_integral, integrate
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_riemann import HYPOTHESES
from proofs.paper.classical_lemmas import L, P, k, n, r, s, theta, v, x, y
from proofs.subdivision import certify_positive

lam = sp.Symbol("lambda", positive=True)
TURN = 2 * sp.pi
QUARTER = sp.Rational(1, 4)


@claim(
    "eq-52",
    where="App. E, eq 52",
    kind="step",
    says=(
        r"$I/2 = (1/2L) \int_{\theta_0}^1 \cos(2\pi\lambda y)/y \,dy = (1/2L) "
        r"\int_{\lambda\theta_0}^\lambda \cos(2\pi y)/y \,dy$"
    ),
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


def cosine_cut(point: Point) -> int:
    """N_0 of eq 53: -1 where lambda < 5/4."""
    return math.floor(point.distance - Fraction(5, 4))


@claim(
    "eq-53",
    where="App. E, eq 53",
    kind="definition",
    says=(
        r"$n_0 = \min\{n \in \mathbb{Z} : \lambda\theta_0 \le (4n+1)/4\}$, $N_0 = \max\{n \in \mathbb{Z} : "
        r"\lambda \ge (4n+5)/4\}$"
    ),
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
        found = next(i for i in range(-3, first_cut(q) + 9) if q.far <= Fraction(4 * i + 1, 4)), cosine_cut(q)
        holds = found[0] == first_cut(q) and Fraction(4 * found[1] + 5, 4) <= q.distance < Fraction(
            4 * found[1] + 9, 4
        )
        yield tried(f"n_0, N_0 at {q}", holds, found, (first_cut(q), cosine_cut(q)))


@claim(
    "eq-54",
    where="App. E, eq 54",
    kind="step",
    says=(
        r"$\int_{\lambda\theta_0}^\lambda = I_{\ast} + \sum_{n=n_0}^{N_0} (I_n^- + I_n^+) + I^{\ast}$, cut "
        "at $(4n+1)/4$, $(4n+3)/4$, $(4n+5)/4$; the sum is empty where $N_0 = n_0 - 1$"
    ),
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
    yield search("N_0 + 2 - n_0", ((str(q), ball(cosine_cut(q) + 2 - first_cut(q))) for q in near))
    gaps = (
        (str(q), ball("1e-25") - abs(sum(cosine_pieces(q), arb(0)) - cos_integral(q.far, q.distance)))
        for q in near
    )
    yield search("1e-25 - |defect|", gaps)


def cosine_pieces(point: Point) -> list[arb]:
    """I_*, the periods n_0 to N_0, and I^* of eq 54."""
    ends = [Fraction(4 * i + 1, 4) for i in range(first_cut(point), cosine_cut(point) + 2)]
    edges = [point.far, *ends, point.distance]
    return [cos_integral(lo, hi) for lo, hi in pairwise(edges)]


@claim(
    "eq-55",
    where="App. E, eq 55",
    kind="step",
    says=r"$|I^{\ast}| + |I_{\ast}| \le 1/(\lambda\theta_0) + 1/(\lambda-1) \le 2/(\lambda\theta_0)$",
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
    says=(
        r"$|I^{\ast}| + |I_{\ast}| \le 2/(\lambda\theta_0)$; the printed middle member lies between if and "
        r"only if $\lambda \ge 1/(1-\theta_0)$"
    ),
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
    outer = ((q, cosine_pieces(q)) for q in near)
    yield search(
        "2/(lambda theta_0) - |I_*| - |I^*|",
        ((str(q), ball(2 / q.far) - abs(p[0]) - abs(p[-1])) for q, p in outer),
    )


HALF = sp.Rational(1, 2)
c = sp.Symbol("c", positive=True)
BEGIN = {"cos": 4 * n + 1, "sin": 2 * n + 1}  # first end of period n, in quarters and in halves
UNIT = {"cos": QUARTER, "sin": HALF}


def undefined(label: str, point: Point, terms: tuple[int, int]) -> Evidence:
    """The sum over n = terms[0]..terms[1] holds n = 0, where 1/(pi n^2) has no value; an empty sum holds nothing."""
    holds = terms[0] <= 0 <= terms[1]
    return exact(
        f"{label}: 1/(pi n^2) at n = 0, which the sum holds at {point}", not holds and None, "1/0", "a number"
    )


@claim(
    "eq-56",
    where="App. E, eq 56",
    kind="step",
    says=(
        r"$|I_n^- + I_n^+| = |I_n^-| - |I_n^+| \le (4/(4n+1))(1/\pi) - (4/(4n+5))(1/\pi) \le 1/(\pi n^2)$ "
        r"for $n_0 \le n \le N_0$"
    ),
    assumes=HYPOTHESES,
    outline="True for n >= 1. At n = 0, which is there wherever lambda theta_0 <= 1/4 and lambda >= 5/4, the last "
    "member does not exist.",
)
def eq_56() -> Iterator[Evidence]:
    point = Point(Fraction(1, 20), 12, Fraction(2))
    yield undefined("eq 56", point, (first_cut(point), cosine_cut(point)))


@repair(
    "eq-56",
    says=(
        r"$|I_n^- + I_n^+| \le 16/(\pi(4n+1)(4n+5))$ for all $n \ge 0$, and this is at most $1/(\pi n^2)$ "
        r"for $n \ge 1$"
    ),
    uses=("eq-57", "eq-58"),
    outline="|I_n^-| >= |I_n^+| as 1/y falls; then (57), (58), a common denominator, and n = 1 + r.",
)
def eq_56_repaired() -> Iterator[Evidence]:
    yield from period_bound("cos", 16 / ((4 * n + 1) * (4 * n + 5)))


def period_bound(wave: str, printed: sp.Expr) -> Iterator[Evidence]:
    """The difference of the two reciprocals is `printed`, positive, and at most 1/n^2 from n = 1 on."""
    begin, unit = BEGIN[wave], 1 / UNIT[wave]
    yield same("common denominator", unit / begin - unit / (begin + unit), printed)
    yield termwise("1/n^2 less it, at n = 1 + r", (1 / n**2 - printed).subs(n, 1 + r))
    yield termwise("1/y - 1/(y + r): |I_n^-| >= |I_n^+|", 1 / y - 1 / (y + r))


@attack("eq-56*", domain="n = 0 to 300")
def eq_56_attack() -> Iterator[Evidence]:
    yield search("16/(pi (4n+1)(4n+5)) - |I_n^- + I_n^+|", _periods())


def _periods() -> Iterator[tuple[str, arb]]:
    for i in range(301):
        found = cos_integral(Fraction(4 * i + 1, 4), Fraction(4 * i + 5, 4))
        yield f"n={i}", 16 / (arb.pi() * (4 * i + 1) * (4 * i + 5)) - abs(found)


def half_period(wave: str, later: bool) -> Iterator[Evidence]:
    """The sign, area and ends of I_n^- (or, `later`, I_n^+): its weight 1/y lies between those at the two ends."""
    function = sp.cos if wave == "cos" else sp.sin
    start = UNIT[wave] * BEGIN[wave] + (HALF if later else 0)
    sign = 1 if later else -1
    inside = sp.expand_trig(sp.expand(function(sp.expand(TURN * (start + r)))))
    yield same(
        "the wave on the interval is that of one sign of sin(2 pi r), r in [0, 1/2]",
        inside,
        sign * sp.sin(TURN * r),
    )
    area = sp.integrate(function(TURN * y), (y, start, start + HALF))
    yield same("area", area, sign / sp.pi)
    yield termwise("1/y at an end less 1/y beyond it", 1 / y - 1 / (y + r))


@claim(
    "eq-57",
    where="App. E, eq 57",
    kind="step",
    says=(
        r"$|I_n^-| = -\int_{(4n+1)/4}^{(4n+3)/4} \cos(2\pi y)/y \,dy \le -(4/(4n+1)) \int \cos 2\pi y \,dy "
        r"= (4/(4n+1))(1/\pi)$"
    ),
    outline="cos 2 pi y <= 0 there, 1/y is at most 4/(4n+1), and the area is 1/pi.",
)
def eq_57() -> Iterator[Evidence]:
    yield from half_period("cos", later=False)


@attack("eq-57", domain="n = 0 to 300")
def eq_57_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        return 4 / (arb.pi() * (4 * i + 1)) + cos_integral(Fraction(4 * i + 1, 4), Fraction(4 * i + 3, 4))

    yield search("4/(pi (4n+1)) - |I_n^-|", ((f"n={i}", margin(i)) for i in range(301)))


@claim(
    "eq-58",
    where="App. E, eq 58",
    kind="step",
    says=(
        r"$-|I_n^+| = -\int_{(4n+3)/4}^{(4n+5)/4} \cos(2\pi y)/y \,dy \le -(4/(4n+5)) \int \cos 2\pi y "
        r"\,dy = -(4/(4n+5))(1/\pi)$"
    ),
    outline="cos 2 pi y >= 0 there, 1/y is at least 4/(4n+5), and the area is 1/pi. One text of v1 ends "
    "with +(4/(4n+5))(1/pi): then the last equality is false, see eq-58.a; (56) needs the minus.",
)
def eq_58() -> Iterator[Evidence]:
    yield from half_period("cos", later=True)


@attack("eq-58", domain="n = 0 to 300")
def eq_58_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        return cos_integral(Fraction(4 * i + 3, 4), Fraction(4 * i + 5, 4)) - 4 / (arb.pi() * (4 * i + 5))

    yield search("|I_n^+| - 4/(pi (4n+5))", ((f"n={i}", margin(i)) for i in range(301)))


@claim(
    "eq-58.a",
    where="App. E, eq 58",
    kind="step",
    says=(
        r"$-(4/(4n+5)) \int_{(4n+3)/4}^{(4n+5)/4} \cos 2\pi y \,dy = +(4/(4n+5))(1/\pi)$, the sign as the "
        "text of v1 that we hold has it"
    ),
    outline="The integral is +1/pi, so the two sides have opposite signs; read as eq-58.",
)
def eq_58_a() -> Iterator[Evidence]:
    area = sp.integrate(sp.cos(TURN * y), (y, n + 3 * QUARTER, n + 5 * QUARTER))
    yield same("left and right side", -4 / (4 * n + 5) * area, 4 / (4 * n + 5) / sp.pi)


@attack("eq-58.a", domain="n = 0 to 300: is the left side, negative, ever at least the right side?")
def eq_58_a_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        quarters = [arb.pi() * (4 * i + k) / 2 for k in (3, 5)]
        area = (quarters[1].sin() - quarters[0].sin()) / (2 * arb.pi())
        return (area + 1 / arb.pi()) * -4 / (4 * i + 5)

    yield search("left less right side", ((f"n={i}", margin(i)) for i in range(301)), strict=False)


@claim(
    "eq-59",
    where="App. E, eq 59",
    kind="step",
    says=(
        r"$\sum_{n=n_0}^{N_0} (I_n^- + I_n^+) \le (1/\pi) \sum 1/n^2 \le (1/\pi)(1/(n_0-1)) \le "
        r"(1/\pi)(2/(\lambda\theta_0))$"
    ),
    assumes=HYPOTHESES,
    outline="n_0 = 2 and 2 < lambda theta_0 <= 9/4 break the last inequality; n_0 = 1 (1/4 < lambda theta_0 <= "
    "5/4) divides by zero, and n_0 = 0 makes the third member negative and the second undefined.",
)
def eq_59() -> Iterator[Evidence]:
    yield last_step(Point(Fraction(1, 20), 12, Fraction(44)))
    point = Point(Fraction(1, 20), 12, Fraction(2))
    yield undefined("eq 59", point, (first_cut(point), cosine_cut(point)))


def last_step(point: Point) -> Evidence:
    """1/(n_0 - 1) <= 2/(lambda theta_0) at a point with n_0 >= 2, in exact fractions."""
    left, right = Fraction(1, first_cut(point) - 1), 2 / point.far
    return exact(
        f"1/(n_0 - 1) <= 2/(lambda theta_0), n_0 = {first_cut(point)}, {point}",
        left <= right,
        left,
        f"<= {right}",
    )


@repair(
    "eq-59",
    says=(
        r"$|\sum_{n=n_0}^{N_0} (I_n^- + I_n^+)| \le (1/\pi)(4/(4n_0+1) - 4/(4N_0+5)) < "
        r"1/(\pi\lambda\theta_0)$"
    ),
    assumes=HYPOTHESES,
    uses=("eq-53", "eq-56*"),
    outline="The bounds of eq-56* telescope, and lambda theta_0 <= (4 n_0 + 1)/4: half the printed bound, for "
    "every n_0 >= 0.",
)
def eq_59_repaired() -> Iterator[Evidence]:
    partial = 4 / (4 * k + 1) - 4 / (4 * n + 5)  # the sum from k to n
    yield same("one more term", partial - partial.subs(n, n - 1), 16 / ((4 * n + 1) * (4 * n + 5)))
    yield same("the first term", partial.subs(n, k), 16 / ((4 * k + 1) * (4 * k + 5)))
    yield termwise("1/z - 1/(z + v), z = lambda theta_0, z + v = (4 n_0 + 1)/4", 1 / y - 1 / (y + v))


@attack("eq-59*", domain=f"{EDGES}; the sum is one integral from (4 n_0 + 1)/4 to (4 N_0 + 5)/4")
def eq_59_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[Real, Real]]:
        lo, hi = Fraction(4 * first_cut(q) + 1, 4), Fraction(4 * cosine_cut(q) + 5, 4)
        yield abs(cos_integral(lo, hi)), 1 / (arb.pi() * ball(q.far))

    yield search("1/(pi lambda theta_0) - |sum|", margins(pairs))


@claim(
    "eq-60",
    where="App. E, eq 60",
    kind="step",
    says=r"$I/2 \le 2/(\theta_0 L \lambda \pi)$",
    assumes=HYPOTHESES,
    uses=("eq-52", "lem-ci"),
    outline="2 L I/2 = Ci(2 pi lambda) - Ci(2 pi lambda theta_0), so |I/2| < (1 + theta_0)/(4 pi lambda theta_0 L).",
)
def eq_60() -> Iterator[Evidence]:
    yield from integral_bound(TURN, 2 / (theta * L * lam * sp.pi))


def integral_bound(factor: sp.Expr, bound: sp.Expr) -> Iterator[Evidence]:
    """(1/2L)(1/(c lambda) + 1/(c lambda theta_0)) stays below `bound`, where theta_0 = 1/(1 + v)."""
    found = (1 / (factor * lam) + 1 / (factor * lam * theta)) / (2 * L)
    yield termwise(
        "bound - (1/2L)(1/(c lambda) + 1/(c lambda theta_0))", (bound - found).subs(theta, 1 / (1 + v))
    )


@repair(
    "eq-60",
    says=(
        r"$|I/2| < (1+\theta_0)/(2 c \lambda\theta_0 L)$, $c = 2\pi$ in turns and 1 in radians; any "
        r"$\lambda > 0$, $0 < \theta_0 < 1$. In turns the factor is $(1+\theta_0)/(4\pi)$ against the "
        r"printed $2/\pi$: at least 7.2 times smaller."
    ),
    uses=("eq-52", "lem-ci"),
    outline="As eq-60. The factor cannot fall below 1/(4 pi), its limit as theta_0 -> 0: see the attack.",
)
def eq_60_repaired() -> Iterator[Evidence]:
    yield from integral_bound(c, (1 + theta) / (2 * c * lam * theta * L))


@attack("eq-60", domain="every lambda in [1, 400] with every theta_0 in [e^-12, 1/10], in boxes")
def eq_60_attack() -> Iterator[Evidence]:
    turn = 2 * arb.pi()
    for sign in (1, -1):

        def margin(log_distance: arb, log: arb, sign: int = sign) -> arb:
            x = turn * (log_distance - log).exp()
            return 8 - sign * x * (ci(turn * log_distance.exp()) - ci(x))

        found = certify_positive(margin, None, (0, "2.3025"), (6, 12))
        yield found.evidence(
            f"8 {'-' if sign > 0 else '+'} x (Ci(2 pi lambda) - Ci(x)) > 0, x = 2 pi lambda theta_0"
        )
        asked = (0, arb(10).log()), (arb(400).log(), 12)
        yield found.coverage("every lambda in [1, 400], theta_0 in [e^-12, 1/10]", *asked)


@attack("eq-60*", domain=f"{EDGES}; then the least factor, at theta_0 = 1e-9 and lambda theta_0 = 1000 + 1/4")
def eq_60_repaired_attack() -> Iterator[Evidence]:
    def bound(q: Point) -> arb:
        return ball((1 + q.inverse_base) / q.far) / (4 * arb.pi() * q.log)

    yield search("bound - |I/2|", margins(lambda q: [(abs(q.half_integral()), bound(q))]))
    theta_0 = Fraction(1, 10**9)
    point = Point(theta_0, 84, Fraction(4001, 4) / theta_0)
    attained = ball(point.far) * point.log * abs(point.half_integral())
    yield below("a factor 0.999/(4 pi) is exceeded", ball("0.999") / (4 * arb.pi()), attained)


@claim(
    "eq-60.a",
    where="App. E, eq 60",
    kind="step",
    says=(
        r"(55) and (59) inserted into (52) give (60): $(1/2L)(2/(\lambda\theta_0) + "
        r"2/(\pi\lambda\theta_0)) \le 2/(\pi\lambda\theta_0 L)$"
    ),
    outline="(1 + 1/pi) = 1.318 is not at most 2/pi = 0.637; with eq-55* and eq-59*, 1 + 1/(2 pi) is not either.",
)
def eq_60_a() -> Iterator[Evidence]:
    yield insertion(sp.Integer(2), 2 / sp.pi)
    yield insertion(sp.Integer(2), 1 / sp.pi)


@attack("eq-60.a", domain=f"{EDGES}: is what (55) and (59) give ever at most (60)?")
def eq_60_a_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        unit = 1 / (ball(q.far) * q.log)
        yield unit * (1 + 1 / arb.pi()), unit * 2 / arb.pi()

    yield search("(60) less what the chain gives", margins(pairs))


def insertion(ends: sp.Expr, periods: sp.Expr) -> Evidence:
    """(ends + periods)/2 <= 2/pi: bounds of the ends and of the sum, times lambda theta_0, against eq 60."""
    gap = 2 / sp.pi - (ends + periods) / 2
    return exact("2/pi - (ends + periods)/2 >= 0", gap.is_nonnegative, gap, ">= 0")
