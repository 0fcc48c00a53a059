r"""Appendix E, second half of the cosine bound: the integral I/2, its cuts and its oscillatory sum, eqs 52 to 60.

The cuts are right, with n_0 = 0 wherever lambda theta_0 <= 1/4; the bound of the two ends is right, its derivation not.
At n_0 = 0 (56) and (59) divide by zero. (60) does not follow from (55) and (59), but is true on other grounds, on both
sides and with a constant about eight times smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import count, pairwise
from typing import Any

import sympy as sp
from flint import acb, arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball
from proofs.checks import (
    EDGES,
    Point,
    arrives,
    at_least,
    controlled,
    exact,
    instance,
    margins,
    points,
    rises,
    same,
    search,
    termwise,
    tried,
)
from proofs.exact import Expr
from proofs.gaussian_tokens import counterexample
from proofs.integrals import cos_integral, integrate
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_riemann import HALF
from proofs.paper.classical_lemmas import P, k, n, r, s, v
from proofs.statements import TURN, Conclusion, Statement, Variable, chain, relation
from proofs.waves import (
    ANY_BASE,
    ANY_DISTANCE,
    LOG,
    SIZES,
    CosinePiece,
    D,
    L,
    by_primitives,
    half_integral,
    lam,
    piece,
    theta,
    x,
    y,
)

QUARTER = sp.Rational(1, 4)
Wave = Callable[[acb], acb]


BOUNDLESS = (ANY_BASE, ANY_DISTANCE)
EQ_52 = Statement(
    BOUNDLESS,
    (
        Conclusion(relation(half_integral(), "==", piece(theta, 1, unit=TURN * lam) / (2 * L))),
        Conclusion(relation(half_integral(), "==", piece(lam * theta, lam) / (2 * L))),
    ),
    meaning=LOG,
    words="$I/2$ is on the left; ",
)


@claim(
    "eq-52",
    where="App. E, eq 52",
    kind="step",
    says=EQ_52,
    outline="All three are (Ci(2 pi lambda) - Ci(2 pi lambda theta_0))/(2L): the integrands are the slopes of Ci "
    "of the phase.",
)
def eq_52(statement: Statement) -> Iterator[Evidence]:
    yield from substitution(sp.Ci, sp.cos)
    yield from by_primitive(statement)


def by_primitive(statement: Statement) -> Iterator[Evidence]:
    """The two sides of each conclusion by their primitive, which `substitution` differentiates."""
    for index, conclusion in enumerate(statement.conclusions, 1):
        left, right = map(by_primitives, (conclusion.says.lhs, conclusion.says.rhs))
        yield same(f"conclusion {index} by Ci or Si at the ends", left, right)


def substitution(integral: Callable[..., Any], wave: Callable[..., Any]) -> Iterator[Evidence]:
    """-integral(P theta_0^x)/L, integral(P y) and integral(2 pi y) have the slopes that the substitution needs."""
    phase = P * sp.exp(-L * x)
    yield same("slope in x", sp.diff(-integral(phase) / L, x), wave(phase))
    yield same("slope in y", sp.diff(integral(P * y), y), wave(P * y) / y)
    yield same("slope in y, lambda absorbed", sp.diff(integral(TURN * y), y), wave(TURN * y) / y)
    yield same("theta_0^x at x = 1", sp.exp(sp.log(theta)), theta)


@attack("eq-52", domain=f"{EQ_52.domain()}; " + f"{EDGES}; int_0^1 by Petras's algorithm, where lambda <= 50")
def eq_52_attack() -> Iterator[Evidence]:
    yield against_direct("cos", acb.cos, wrong=acb.sin)
    yield from EQ_52.attack()


def against_direct(wave: str, right: Wave, *, wrong: Wave) -> Evidence:
    """I/2 of a wave from its primitive against Petras's algorithm, which with the other wave finds another number."""

    def searched(other: Wave) -> Evidence:
        gaps = (
            (str(q), ball("1e-25") - abs(direct(q, other) - q.half_integral(wave))) for q in points_to(50)
        )
        return search(f"1e-25 - |difference|, {other.__name__}", gaps)

    return controlled(searched(right), searched(wrong))


def points_to(distance: int) -> Iterator[Point]:
    """Those of the scan without their heads that lie no farther."""
    return (q for q in points(heads=(0,)) if q.distance <= distance)


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


CUT_LOW, CUT_HIGH = sp.Symbol("n_0", integer=True, nonnegative=True), sp.Symbol("N_0", integer=True)
COSINE_CUTS = {**LOG, CUT_LOW: sp.ceiling(lam * theta - QUARTER), CUT_HIGH: sp.floor(lam - 5 * QUARTER)}
EQ_53 = Statement(
    SIZES,
    (
        Conclusion(relation(lam * theta, "<=", (4 * CUT_LOW + 1) / sp.Integer(4))),
        Conclusion(relation(lam * theta, ">", (4 * CUT_LOW - 3) / sp.Integer(4))),
        Conclusion(relation(lam, ">=", (4 * CUT_HIGH + 5) / sp.Integer(4))),
        Conclusion(relation(lam, "<", (4 * CUT_HIGH + 9) / sp.Integer(4))),
        Conclusion(relation(-1, "<", CUT_LOW)),
        Conclusion(relation(-2, "<", CUT_HIGH)),
    ),
    meaning=COSINE_CUTS,
    words=r"$n_0 = \min\{n \in \mathbb{Z} : \lambda\theta_0 \le (4n+1)/4\}$, $N_0 = \max\{n \in \mathbb{Z} : \lambda "
    r"\ge (4n+5)/4\}$: ",
)


@claim(
    "eq-53",
    where="App. E, eq 53",
    kind="definition",
    says=EQ_53,
    outline="n_0 = ceil(lambda theta_0 - 1/4) >= 0 and N_0 = floor(lambda - 5/4) >= -1: both exist, n_0 = 0 where "
    "lambda theta_0 <= 1/4 and N_0 = -1 where lambda < 5/4.",
)
def eq_53(statement: Statement) -> Iterator[Evidence]:
    yield from least_and_greatest(statement, ((CUT_LOW, lam * theta), (CUT_HIGH, lam)))
    for index, cut in ((5, CUT_LOW), (6, CUT_HIGH)):
        yield from least_integer(statement, index, cut)


def least_integer(statement: Statement, index: int, cut: sp.Symbol) -> Iterator[Evidence]:
    """Conclusion "m < cut", where m + 1 is the cut for the least lambda and theta_0: it rises with both."""
    meant = statement.meaning[cut]
    (value,) = meant.args
    ends = {name: statement.range_of(name).low for name in (lam, theta)}
    slopes = [sp.diff(value, name) for name in ends]
    yield exact(f"{cut} rises", all(slope.is_nonnegative for slope in slopes), slopes, ">= 0")
    least = value.subs(ends)
    yield exact(f"{cut} is the same a little beyond the ends", least.is_integer is False, least, "no integer")
    yield arrives(
        f"the integer below {cut}", meant.func(least) - 1, statement.conclusions[index - 1].says.lhs
    )
    yield arrives("an integer", cut, statement.target(index))


def least_and_greatest(statement: Statement, cuts: Sequence[tuple[sp.Symbol, Expr]]) -> Iterator[Evidence]:
    """Two conclusions for each cut: the end of its interval less the value, as cut less z, which is in [0, 1)."""
    for index, (cut, value) in enumerate(cuts):
        meant = statement.meaning[cut]
        upward, z = isinstance(meant, sp.ceiling), meant.args[0]
        near, beyond = (statement.target(2 * index + i) for i in (1, 2))
        yield same(f"{cut}: the end at it less z", near - value, cut - z)
        yield same(f"{cut}: the next end", beyond - value, cut - z + (-1 if upward else 1))


@attack(
    "eq-53", domain=f"{EQ_53.domain()}; " + f"{EDGES}: the definition against the closed forms, n from -3 up"
)
def eq_53_attack() -> Iterator[Evidence]:

    def first(off: Fraction) -> Evidence:
        by_definition = (
            (q, next(i for i in count(-3) if q.far + off <= Fraction(4 * i + 1, 4)))
            for q in points(heads=(0,))
        )
        wrong = [str(q) for q, least in by_definition if least != first_cut(q)]
        return tried(f"where n_0 is not the least n, lambda theta_0 {off} farther", not wrong, wrong, [])

    def last(off: Fraction) -> Evidence:
        ends = ((q, Fraction(4 * cosine_cut(q) + 5, 4)) for q in points(heads=(0,)))
        wrong = [str(q) for q, end in ends if not end <= q.distance - off < end + 1]
        return tried(f"where N_0 is not the greatest n, lambda {off} nearer", not wrong, wrong, [])

    for counted in (first, last):
        yield controlled(counted(Fraction(0)), counted(Fraction(1, 10**12)))
    yield from EQ_53.attack()


SUMMAND = sp.Symbol("k", integer=True)


def period(wave: str, index: Expr = SUMMAND) -> Expr:
    """I_n^- + I_n^+: of the cosine from (4n+1)/4, of the sine from (2n+1)/2, both a half turn long."""
    start = BEGIN_AT[wave](index)
    return piece(start, start + HALF, wave) + piece(start + HALF, start + 1, wave)


BEGIN_AT: dict[str, Callable[[Expr], Expr]] = {
    "cos": lambda index: (4 * index + 1) / sp.Integer(4),
    "sin": lambda index: (2 * index + 1) / sp.Integer(2),
}
FIRST_PIECE = piece(lam * theta, BEGIN_AT["cos"](CUT_LOW))
LAST_PIECE = piece(BEGIN_AT["cos"](CUT_HIGH + 1), lam)
PERIODS: Expr = sp.Sum(period("cos"), (SUMMAND, CUT_LOW, CUT_HIGH))
EQ_54 = Statement(
    SIZES,
    (
        Conclusion(relation(piece(lam * theta, lam), "==", FIRST_PIECE + PERIODS + LAST_PIECE)),
        Conclusion(relation(CUT_LOW, "<=", CUT_HIGH + 1)),
    ),
    meaning=COSINE_CUTS,
    words=r"$I_{\ast}$ is the first integral on the right, $I_n^-$ and $I_n^+$ those of the sum, $I^{\ast}$ the last; ",
)


AFFORDABLE = relation(lam, "<", 500)  # sums with one term a turn


@claim(
    "eq-54",
    where="App. E, eq 54",
    kind="step",
    says=EQ_54,
    uses=("eq-53",),
    outline="Adjacent cuts meet, and n_0 <= N_0 + 1: an integer lies in [lambda theta_0 - 1/4, lambda - 1/4], "
    "which holds 0 or is longer than 1.",
)
def eq_54(statement: Statement) -> Iterator[Evidence]:
    yield periods_meet(QUARTER)
    yield from longer_than_one()
    yield from adjoining(statement)
    yield arrives("no gap between the last period and n_0", CUT_HIGH + 1, statement.target(2))


def adjoining(statement: Statement) -> Iterator[Evidence]:
    """The pieces on the right of the first conclusion fill the interval on its left, each beginning where one ends."""
    whole, parts = statement.conclusions[0].sides
    (total,) = parts.atoms(sp.Sum)
    _, first, last = total.limits[0]
    start, middle = sorted(total.function.args, key=lambda one: sp.sympify(one.args[0]).subs(SUMMAND, 0))
    ends = (parts - total).args
    begin = next(one for one in ends if one.args[0] == whole.args[0])
    end = next(one for one in ends if one.args[1] == whole.args[1])
    meets = (
        ("the first period", begin.args[1], start.args[0].subs(SUMMAND, first)),
        ("the half turn", start.args[1], middle.args[0]),
        ("the next period", middle.args[1], start.args[0].subs(SUMMAND, SUMMAND + 1)),
        ("the last piece", middle.args[1].subs(SUMMAND, last), end.args[0]),
    )
    for what, left, right in meets:
        yield same(f"{what} begins where the piece before ends", left, right)
    units = {one.args[2] for one in (whole, begin, end, start, middle)}
    yield exact("all with one wave", len(units) == 1, units, "one unit")


def periods_meet(offset: sp.Expr, turns: int = 1) -> Evidence:
    """The two halves of the period from n + offset to n + turns + offset are one difference, and periods adjoin."""
    primitive, begin = sp.Function("F"), n + offset
    middle, end = begin + sp.Rational(1, 2), begin + turns
    halves = (primitive(middle) - primitive(begin)) + (primitive(end) - primitive(middle))
    return same("one period", halves, primitive(begin.subs(n, n + 1)) - primitive(begin))


FAR_END, NEAR_END = QUARTER + v, 1 / (4 + v)  # lambda theta_0 beyond 1/4, and before


def longer_than_one() -> Iterator[Evidence]:
    """lambda (1 - theta_0) >= 1 where lambda theta_0 = 1/4 + v and theta_0 = 1/(10 + r)."""
    base = 10 + r
    yield SIZES[0].filled_by(1 / base, r)
    yield termwise("lambda (1 - theta_0) - 1", FAR_END * base * (1 - 1 / base) - 1)


@attack("eq-54", domain=f"{EQ_54.within(AFFORDABLE).domain(number=20)}; " + f"{EDGES}, where lambda <= 500")
def eq_54_attack() -> Iterator[Evidence]:
    near = list(points_to(500))
    yield search(
        "N_0 + 2 - n_0", ((str(q), ball(cosine_cut(q) + 2 - first_cut(q))) for q in near), control="1.01"
    )
    yield from over_pieces(cosine_edges, cos_integral, control="0.0501")
    yield from EQ_54.within(AFFORDABLE).attack(number=20)


def over_pieces(
    edges: Callable[[Point], list[Fraction]], integral: Callable[[Fraction, Fraction], arb], *, control: str
) -> Iterator[Evidence]:
    """The last piece is shorter than a period, and the pieces between the cuts sum to the whole."""
    near = list(points_to(500))
    rests = ((q, edges(q)[-2:]) for q in near)
    yield search(
        "a period less I^*'s length",
        ((str(q), ball(1 - (end - cut))) for q, (cut, end) in rests),
        control=control,
    )

    def searched(dropped: int) -> Evidence:
        def defect(q: Point) -> arb:
            return sum(cut_whole(edges(q), integral)[dropped:], arb(0)) - integral(q.far, q.distance)

        return search(
            f"1e-25 - |defect|, without {dropped}", ((str(q), ball("1e-25") - abs(defect(q))) for q in near)
        )

    yield controlled(searched(0), searched(1))


def cut_whole(edges: Sequence[Fraction], integral: Callable[[Fraction, Fraction], arb]) -> list[arb]:
    """The integral from each cut to the next."""
    return [integral(low, high) for low, high in pairwise(edges)]


def cosine_edges(point: Point) -> list[Fraction]:
    """The cuts of eq 54: lambda theta_0, the ends of the periods n_0 to N_0, lambda."""
    ends = (Fraction(4 * i + 1, 4) for i in range(first_cut(point), cosine_cut(point) + 2))
    return [point.far, *ends, point.distance]


def cosine_pieces(point: Point) -> list[arb]:
    """I_*, the periods n_0 to N_0, and I^* of eq 54."""
    return cut_whole(cosine_edges(point), cos_integral)


OUTER = sp.Abs(LAST_PIECE) + sp.Abs(FIRST_PIECE)
MIDDLE_55, LAST_55 = 1 / (lam * theta) + 1 / (lam - 1), 2 / (lam * theta)
EQ_55 = Statement(
    SIZES,
    (Conclusion(relation(OUTER, "<=", MIDDLE_55)), Conclusion(relation(MIDDLE_55, "<=", LAST_55))),
    meaning=COSINE_CUTS,
    words=r"$I^{\ast}$ and $I_{\ast}$ of (54): ",
)


@claim(
    "eq-55",
    where="App. E, eq 55",
    kind="step",
    says=EQ_55,
    cites=("eq-54",),
    outline="The second inequality says lambda - 1 >= lambda theta_0, that is lambda >= 1/(1 - theta_0): false for "
    "lambda near 1.",
)
def eq_55(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({theta: sp.Rational(1, 20), D: 12, lam: sp.Rational(101, 100)}, 2)


MET, FEWER = 1 / (1 - theta), sp.Rational(15, 16)
EQ_55_REPAIRED = Statement(
    SIZES,
    (
        Conclusion(relation(OUTER, "<=", 2 / (lam * theta))),
        Conclusion(relation(MIDDLE_55, "<=", LAST_55), when=(relation(lam, ">=", MET),)),
        Conclusion(relation(MIDDLE_55, ">", LAST_55), when=(relation(lam, "<", MET),)),
    ),
    meaning=COSINE_CUTS,
    words=r"$I^{\ast}$ and $I_{\ast}$ of (54), without the printed middle member: ",
)


@repair(
    "eq-55",
    says=EQ_55_REPAIRED,
    uses=("eq-53",),
    cites=("eq-54",),
    outline="If lambda theta_0 > 1/4 then lambda > 5/2 > 1/(1 - theta_0), and each part is at most its length, 1, "
    "over its lower end. If not, |I_*| <= log(1/(4 lambda theta_0)), |I^*| <= log 5, and with s = 1/(lambda "
    "theta_0) >= 4: log(s/4) + log 5 <= (s/4 - 1) + (5 - 1) <= 2 s.",
)
def eq_55_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from longer_than_one()
    yield same("the two cases adjoin", NEAR_END.subs(v, 0), FAR_END.subs(v, 0))
    yield rises("z - 1 - log z from z = 1 on", above_log(1 + s) - sp.log(1 + s), s, 2)
    factor, first = statement.target(1) * lam * theta, BEGIN_AT["cos"](sp.Integer(0))
    logs = above_log(first / NEAR_END) + above_log((first + 1) / first)
    enough, fewer = (
        at_least(f"{times} s >= (s/4 - 1) + 4, s >= 4", times / NEAR_END, logs) for times in (factor, FEWER)
    )
    yield controlled(enough, fewer)
    yield arrives("the last member of (55)", EQ_55.target(2), statement.target(1))
    for index in (2, 3):
        conclusion = statement.conclusions[index - 1]
        gap = (conclusion.says.rhs - conclusion.says.lhs) * lam * theta * (lam - 1)
        (when,) = conclusion.when
        yield same("last less middle member", sp.expand(gap), sp.expand((lam - 1) - lam * theta))
        yield same("it changes its sign at", sp.solve(gap, lam)[0], when.rhs)
        above = isinstance(when, sp.GreaterThan) == isinstance(conclusion.says, sp.LessThan)
        yield exact(
            "on the side that is said", above, (when.rel_op, conclusion.says.rel_op), ">= and <=, < and >"
        )


def above_log(z: Expr) -> Expr:
    """No less than log z."""
    return z - 1


@attack("eq-55*", domain=f"{EQ_55_REPAIRED.domain()}; " + f"{EDGES}, where lambda <= 500")
def eq_55_attack() -> Iterator[Evidence]:
    near = list(points_to(500))
    outer = ((q, cosine_pieces(q)) for q in near)
    yield search(
        "1 - (|I_*| + |I^*|) lambda theta_0/2",
        ((str(q), 1 - (abs(p[0]) + abs(p[-1])) * ball(q.far) / 2) for q, p in outer),
        control="0.914",
    )
    yield from EQ_55_REPAIRED.attack()


BEGIN = {"cos": 4 * n + 1, "sin": 2 * n + 1}  # first end of period n, in quarters and in halves
UNIT = {"cos": QUARTER, "sin": HALF}


IN_SUM = Variable(n, low=CUT_LOW, high=CUT_HIGH, integer=True, closed=True)
FALLING = piece(BEGIN_AT["cos"](n), BEGIN_AT["cos"](n) + HALF)
RISING = piece(BEGIN_AT["cos"](n) + HALF, BEGIN_AT["cos"](n) + 1)
BOTH_ENDS = 4 / (sp.pi * (4 * n + 1)) - 4 / (sp.pi * (4 * n + 5))
EQ_56 = Statement(
    (*SIZES, IN_SUM),
    (
        Conclusion(relation(sp.Abs(period("cos", n)), "==", sp.Abs(FALLING) - sp.Abs(RISING))),
        Conclusion(relation(sp.Abs(period("cos", n)), "<=", BOTH_ENDS)),
        Conclusion(relation(BOTH_ENDS, "<=", 1 / (sp.pi * n**2))),
    ),
    meaning=COSINE_CUTS,
    words=r"$I_n^-$ and $I_n^+$ of (54): ",
)
TWO_TURNS = {theta: sp.Rational(1, 20), D: sp.Integer(12), lam: sp.Integer(2)}


@claim(
    "eq-56",
    where="App. E, eq 56",
    kind="step",
    says=EQ_56,
    cites=("eq-54",),
    outline="True for n >= 1. At n = 0, which is there wherever lambda theta_0 <= 1/4 and lambda >= 5/4, the last "
    "member does not exist.",
)
def eq_56(statement: Statement) -> Iterator[Evidence]:
    yield no_value(statement, {**TWO_TURNS, n: sp.Integer(0)}, 3)


def no_value(statement: Statement, point: Mapping[sp.Symbol, Expr], index: int) -> Evidence:
    """A right side that is no number at a point of the statement's own ranges and hypotheses."""
    statement.values_at(point, index)
    found = statement.target(index).subs(point)
    at = ", ".join(f"{name} = {value}" for name, value in point.items())
    what = f"conclusion {index}: its right side at {at}, where every range and hypothesis is met"
    return exact(what, found.is_finite, found, "a number")


EVERY_PERIOD = Variable(n, low=sp.Integer(0), integer=True, closed=True)
EQ_56_REPAIRED = Statement(
    (EVERY_PERIOD,),
    (
        Conclusion(relation(sp.Abs(period("cos", n)), "<=", 16 / (sp.pi * (4 * n + 1) * (4 * n + 5)))),
        Conclusion(
            relation(16 / (sp.pi * (4 * n + 1) * (4 * n + 5)), "<=", 1 / (sp.pi * n**2)),
            when=(relation(n, ">=", 1),),
        ),
    ),
    words=r"$I_n^-$ and $I_n^+$ of (54): ",
)


@repair(
    "eq-56",
    says=EQ_56_REPAIRED,
    uses=("eq-57", "eq-58"),
    cites=("eq-54",),
    outline="|I_n^-| >= |I_n^+| as 1/y falls; then (57), (58), a common denominator, and n = 1 + r.",
)
def eq_56_repaired(statement: Statement) -> Iterator[Evidence]:
    yield same("as printed, over a common denominator", EQ_56.target(2), statement.target(1))
    yield from period_bound("cos", statement.target(1) * sp.pi, statement.target(2) * sp.pi)
    yield from from_one_on(statement.conclusions[1])


def from_one_on(conclusion: Conclusion) -> Iterator[Evidence]:
    """The comparison with 1/n^2 is made for n >= 1, and there alone."""
    yield exact("n >= 1", conclusion.when == (relation(n, ">=", 1),), conclusion.when, "n >= 1")


def period_bound(wave: str, printed: Expr, square: Expr = 1 / n**2) -> Iterator[Evidence]:
    """The difference of the two reciprocals is `printed`, positive, and at most `square` from n = 1 on."""
    begin, unit = BEGIN[wave], 1 / UNIT[wave]
    yield same("common denominator", unit / begin - unit / (begin + unit), printed)
    yield termwise("1/n^2 less it, at n = 1 + r", (square - printed).subs(n, 1 + r))
    yield termwise("1/y - 1/(y + r): |I_n^-| >= |I_n^+|", 1 / y - 1 / (y + r))


@attack("eq-56*", domain=f"{EQ_56_REPAIRED.domain()}; " + "n = 0 to 300")
def eq_56_attack() -> Iterator[Evidence]:
    yield search("1 - |I_n^- + I_n^+| pi (4n+1)(4n+5)/16", _periods(), control="0.501")
    yield from EQ_56_REPAIRED.attack()


def _periods() -> Iterator[tuple[str, arb]]:
    for i in range(301):
        found = cos_integral(Fraction(4 * i + 1, 4), Fraction(4 * i + 5, 4))
        yield f"n={i}", 1 - abs(found) * arb.pi() * (4 * i + 1) * (4 * i + 5) / 16


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


EQ_57 = Statement(
    (EVERY_PERIOD,),
    (
        Conclusion(relation(sp.Abs(FALLING), "==", -FALLING)),
        Conclusion(
            relation(-FALLING, "<=", 4 / (sp.pi * (4 * n + 1))), sharp=(sp.Rational(1, 100), {n: 1000})
        ),
    ),
    words=r"$I_n^-$ is the integral; ",
)


@claim(
    "eq-57",
    where="App. E, eq 57",
    kind="step",
    says=EQ_57,
    outline="cos 2 pi y <= 0 there, 1/y is at most 4/(4n+1), and the area is 1/pi.",
)
def eq_57(statement: Statement) -> Iterator[Evidence]:
    yield from half_period("cos", later=False)
    yield from weighted(statement, 2, at=0)
    yield arrives("the integral is negative", -FALLING, statement.target(1))


def weighted(statement: Statement, index: int, at: int) -> Iterator[Evidence]:
    """The area of the half turn on the left of a conclusion, times 1/y at one of its ends."""
    (left,) = statement.conclusions[index - 1].says.lhs.atoms(CosinePiece)
    area = sp.integrate(left.wave(left.args[2] * y), (y, *left.args[:2]))
    yield arrives("1/y at an end, times minus the area", -area / left.args[at], statement.target(index))


@attack("eq-57", domain=f"{EQ_57.domain()}; " + "n = 0 to 300")
def eq_57_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        return 1 + cos_integral(Fraction(4 * i + 1, 4), Fraction(4 * i + 3, 4)) * arb.pi() * (4 * i + 1) / 4

    yield search("1 - |I_n^-| pi (4n+1)/4", ((f"n={i}", margin(i)) for i in range(301)), control="0.000832")
    yield from EQ_57.attack()


EQ_58 = Statement(
    (EVERY_PERIOD,),
    (
        Conclusion(relation(sp.Abs(RISING), "==", RISING)),
        Conclusion(
            relation(-RISING, "<=", -4 / (sp.pi * (4 * n + 5))), sharp=(sp.Rational(1, 100), {n: 1000})
        ),
    ),
    words=r"$I_n^+$ is the integral; ",
)


@claim(
    "eq-58",
    where="App. E, eq 58",
    kind="step",
    says=EQ_58,
    outline="cos 2 pi y >= 0 there, 1/y is at least 4/(4n+5), and the area is 1/pi. One text of v1 ends "
    "with +(4/(4n+5))(1/pi): then the last equality is false, see eq-58.a; (56) needs the minus.",
)
def eq_58(statement: Statement) -> Iterator[Evidence]:
    yield from half_period("cos", later=True)
    yield from weighted(statement, 2, at=1)
    yield arrives("the integral is positive", RISING, statement.target(1))


@attack("eq-58", domain=f"{EQ_58.domain()}; " + "n = 0 to 300")
def eq_58_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        return cos_integral(Fraction(4 * i + 3, 4), Fraction(4 * i + 5, 4)) * arb.pi() * (4 * i + 5) / 4 - 1

    yield search("|I_n^+| pi (4n+5)/4 - 1", ((f"n={i}", margin(i)) for i in range(301)), control="0.000831")
    yield from EQ_58.attack()


EQ_58_A = Statement(
    (EVERY_PERIOD,),
    (
        Conclusion(
            relation(
                -4
                / (4 * n + 5)
                * sp.Integral(sp.cos(TURN * y), (y, BEGIN_AT["cos"](n) + HALF, BEGIN_AT["cos"](n) + 1)),
                "==",
                4 / (sp.pi * (4 * n + 5)),
            )
        ),
    ),
    words="the sign as the text of v1 that we hold has it: ",
)


@claim(
    "eq-58.a",
    where="App. E, eq 58",
    kind="step",
    says=EQ_58_A,
    outline="The integral is +1/pi, so the two sides have opposite signs; read as eq-58.",
)
def eq_58_a(statement: Statement) -> Iterator[Evidence]:
    left, right = statement.conclusions[0].sides
    opposite = (
        same("the left side is less the right one", left.doit(), -right),
        same("which is that of eq-58", -right, EQ_58.target(2)),
    )
    yield from counterexample(opposite, statement.fails_at({n: 0}))


@attack("eq-58.a", domain="n = 0 to 300: is the left side, negative, ever at least the right side?")
def eq_58_a_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        quarters = [arb.pi() * (4 * i + k) / 2 for k in (3, 5)]
        area = (quarters[1].sin() - quarters[0].sin()) / (2 * arb.pi())
        return (area + 1 / arb.pi()) * -4 / (4 * i + 5)

    yield search("left less right side", ((f"n={i}", margin(i)) for i in range(301)), strict=False)


EQ_59 = Statement(
    SIZES,
    chain(
        PERIODS,
        ("<=", sp.Sum(1 / SUMMAND**2, (SUMMAND, CUT_LOW, CUT_HIGH)) / sp.pi),
        ("<=", 1 / (sp.pi * (CUT_LOW - 1))),
        ("<=", 2 / (sp.pi * lam * theta)),
    ),
    meaning=COSINE_CUTS,
    words=r"the sum of (54): ",
)


@claim(
    "eq-59",
    where="App. E, eq 59",
    kind="step",
    says=EQ_59,
    cites=("eq-54",),
    outline="n_0 = 2 and 2 < lambda theta_0 <= 9/4 break the last inequality; n_0 = 1 (1/4 < lambda theta_0 <= "
    "5/4) divides by zero, and n_0 = 0 makes the third member negative and the second undefined.",
)
def eq_59(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({**TWO_TURNS, lam: sp.Integer(44)}, 3)
    first = statement.meaning[CUT_LOW].subs(TWO_TURNS)
    statement.values_at(TWO_TURNS, 1)
    term_ = statement.target(1).atoms(sp.Sum).pop().function.subs(SUMMAND, first)
    what = f"the first term, n = {first}, at lambda = 2, theta_0 = 1/20"
    yield instance(exact(what, term_.is_finite, term_, "a number"))


TELESCOPED = (4 / (4 * CUT_LOW + 1) - 4 / (4 * CUT_HIGH + 5)) / sp.pi
EQ_59_REPAIRED = Statement(
    SIZES,
    (
        Conclusion(relation(sp.Abs(PERIODS), "<=", TELESCOPED)),
        Conclusion(relation(TELESCOPED, "<", 1 / (sp.pi * lam * theta))),
    ),
    meaning=COSINE_CUTS,
    words=r"the sum of (54): ",
)


@repair(
    "eq-59",
    says=EQ_59_REPAIRED,
    uses=("eq-53", "eq-54", "eq-56*"),
    outline="The bounds of eq-56* telescope, and lambda theta_0 <= (4 n_0 + 1)/4: half the printed bound, for "
    "every n_0 >= 0. Where the sum is empty, n_0 = N_0 + 1 by (54), and the bound is 0.",
)
def eq_59_repaired(statement: Statement) -> Iterator[Evidence]:
    partial = (statement.target(1) * sp.pi).subs({CUT_LOW: k, CUT_HIGH: n})  # the sum from k to n
    yield same("one more term", partial - partial.subs(n, n - 1), EQ_56_REPAIRED.target(1) * sp.pi)
    yield same("the first term", partial.subs(n, k), EQ_56_REPAIRED.target(1).subs(n, k) * sp.pi)
    (empty,) = sp.solve(sp.Eq(*EQ_54.conclusions[1].sides), CUT_HIGH)  # the least N_0
    yield same("of no term", statement.target(1).subs(CUT_HIGH, empty), sp.Integer(0))
    _, first, last = PERIODS.limits[0]
    yield same("the sum is empty there", last.subs(CUT_HIGH, empty), first - 1)
    yield termwise("1/z - 1/(z + v), z = lambda theta_0, z + v = (4 n_0 + 1)/4", 1 / y - 1 / (y + v))
    end = EQ_53.target(1)  # lambda theta_0 is at most this
    yield same("its first part", 1 / end, 4 / (4 * CUT_LOW + 1))
    yield arrives("which is at most", 1 / (sp.pi * EQ_53.conclusions[0].says.lhs), statement.target(2))


@attack(
    "eq-59*",
    domain=f"{EQ_59_REPAIRED.within(AFFORDABLE).domain(number=20)}; "
    + f"{EDGES}; the sum is one integral from (4 n_0 + 1)/4 to (4 N_0 + 5)/4",
)
def eq_59_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[Real, Real]]:
        lo, hi = Fraction(4 * first_cut(q) + 1, 4), Fraction(4 * cosine_cut(q) + 5, 4)
        yield abs(cos_integral(lo, hi)), 1 / (arb.pi() * ball(q.far))

    yield search("1 - |sum| pi lambda theta_0", margins(pairs, relative=True), control="0.513")
    yield from EQ_59_REPAIRED.within(AFFORDABLE).attack(number=20)
