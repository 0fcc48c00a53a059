r"""Appendix E, the sine bound: the integral of S_D, eqs 61 to 68.

The sum in eq 66 begins with 1/0, and the first piece is not at most 1/2: its integral is near Si(pi) = 1.85. What mends
both is that Si never leaves (0, Si(pi)].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import acb, arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
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
    tried,
)
from proofs.exact import Expr
from proofs.gaussian_tokens import counterexample
from proofs.integrals import si, sin_integral
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_cos import (
    AFFORDABLE,
    BEGIN_AT,
    BOUNDLESS,
    CUT_HIGH,
    EVERY_PERIOD,
    QUARTER,
    SUMMAND,
    TWO_TURNS,
    adjoining,
    against_direct,
    by_primitive,
    cut_whole,
    from_one_on,
    half_period,
    least_and_greatest,
    least_integer,
    no_value,
    over_pieces,
    period,
    period_bound,
    periods_meet,
    points_to,
    substitution,
)
from proofs.paper.appendix_e_error import error_in_turns
from proofs.paper.appendix_e_riemann import (
    EPSILON,
    EQ_26,
    HALF,
    READ_TO_LAST,
    THOUSANDTH,
    riemann_decomposition,
)
from proofs.paper.classical_lemmas import n, s, u, v
from proofs.statements import TURN, Conclusion, Statement, Variable, relation
from proofs.waves import (
    LOG,
    SHARE,
    SIZES,
    D,
    L,
    alpha,
    by_primitives,
    delta_sum,
    half_integral,
    lam,
    piece,
    theta,
    x,
    y,
)


def sine_cut(point: Point) -> int:
    """N_0 of eq 64: -1 where lambda < 3/2."""
    return math.floor(point.distance - Fraction(3, 2))


SINE_ERROR = delta_sum(sp.Integer(0), D / 2 - 1, "sin") / 2
EQ_61 = Statement(
    (*SIZES, SHARE),
    (
        Conclusion(relation(SINE_ERROR, "<=", alpha + 4 * sp.pi * lam * theta**alpha / D)),
        Conclusion(relation(SINE_ERROR, ">=", -alpha - 4 * sp.pi * lam * theta**alpha / D)),
    ),
    meaning=LOG,
    words=READ_TO_LAST + r"$\Delta/2$ for $S_D$ is on the left: ",
)


@claim(
    "eq-61",
    where="App. E, eq 61",
    kind="step",
    says=EQ_61,
    uses=("eq-44*", "eq-47*", "lem-riemann"),
    cites=("eq-42",),
    outline="As eq-51: |sin A - sin B| <= 2, and lem-riemann holds for both waves. The decomposition has D/2 terms.",
)
def eq_61(statement: Statement) -> Iterator[Evidence]:
    yield riemann_decomposition()
    for index, sign in ((1, 1), (2, -1)):
        yield from error_in_turns(statement, sign * statement.target(index))
        yield arrives("e of eq 26", sign * EQ_26.meaning[EPSILON], statement.target(index))


@attack("eq-61", domain=f"{EQ_61.domain(number=12)}; " + f"{EDGES}; alpha minimising")
def eq_61_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        yield abs(q.sum("sin") - q.half_integral("sin")), q.least_epsilon()

    yield search("1 - |Delta/2|/least e", margins(pairs, (0, 2, 64, 256), relative=True), control="0.824")
    yield from EQ_61.attack(number=12)


EQ_62 = Statement(
    BOUNDLESS,
    (Conclusion(relation(half_integral("sin"), "==", piece(lam * theta, lam, "sin") / (2 * L))),),
    meaning=LOG,
    words="$I/2$ for $S_D$ is on the left; ",
)


@claim(
    "eq-62",
    where="App. E, eq 62",
    kind="step",
    says=EQ_62,
    outline="It is (Si(2 pi lambda) - Si(2 pi lambda theta_0))/(2L), as in eq-52.",
)
def eq_62(statement: Statement) -> Iterator[Evidence]:
    yield from substitution(sp.Si, sp.sin)
    yield from by_primitive(statement)


@attack("eq-62", domain=f"{EQ_62.domain()}; " + f"{EDGES}; int_0^1 by Petras's algorithm, where lambda <= 50")
def eq_62_attack() -> Iterator[Evidence]:
    yield against_direct("sin", acb.sin, wrong=acb.cos)
    yield from EQ_62.attack()


SINE_CUTS = {**LOG, CUT_HIGH: sp.floor(lam - 3 * HALF)}
FIRST_SINE = piece(lam * theta, HALF, "sin")
LAST_SINE = piece(BEGIN_AT["sin"](CUT_HIGH + 1), lam, "sin")
SINE_PERIODS: Expr = sp.Sum(period("sin"), (SUMMAND, 0, CUT_HIGH))
EQ_63 = Statement(
    SIZES,
    (Conclusion(relation(piece(lam * theta, lam, "sin"), "==", FIRST_SINE + SINE_PERIODS + LAST_SINE)),),
    meaning=SINE_CUTS,
    words=r"$I_{\ast}$ is the first integral on the right (it runs backwards where $\lambda\theta_0 > 1/2$), $I_n^-$ "
    r"and $I_n^+$ those of the sum (empty where $N_0 = -1$), $I^{\ast}$ the last; ",
)


@claim(
    "eq-63",
    where="App. E, eq 63",
    kind="step",
    says=EQ_63,
    uses=("eq-64",),
    outline="Adjacent cuts meet: the sum ends at (2 N_0 + 3)/2, and at 1/2 if it is empty.",
)
def eq_63(statement: Statement) -> Iterator[Evidence]:
    yield periods_meet(HALF)
    yield from adjoining(statement)


@attack("eq-63", domain=f"{EQ_63.within(AFFORDABLE).domain(number=20)}; " + f"{EDGES}, where lambda <= 500")
def eq_63_attack() -> Iterator[Evidence]:
    yield from over_pieces(sine_edges, sin_integral, control="0.251")
    yield from EQ_63.within(AFFORDABLE).attack(number=20)


def sine_edges(point: Point) -> list[Fraction]:
    """The cuts of eq 63: lambda theta_0, the ends of the periods 0 to N_0, lambda."""
    return [point.far, *(Fraction(2 * i + 1, 2) for i in range(sine_cut(point) + 2)), point.distance]


def sine_pieces(point: Point) -> list[arb]:
    """I_*, the periods 0 to N_0, and I^* of eq 63."""
    return cut_whole(sine_edges(point), sin_integral)


EQ_64 = Statement(
    SIZES,
    (
        Conclusion(relation(lam, ">=", (2 * CUT_HIGH + 3) * HALF)),
        Conclusion(relation(lam, "<", (2 * CUT_HIGH + 5) * HALF)),
        Conclusion(relation(-2, "<", CUT_HIGH)),
    ),
    meaning=SINE_CUTS,
    words=r"$N_0 = \max\{n \in \mathbb{Z} : \lambda \ge (2n+3)/2\}$: ",
)


@claim(
    "eq-64",
    where="App. E, eq 64",
    kind="definition",
    says=EQ_64,
    outline="N_0 = floor(lambda - 3/2) >= -1, and -1 where lambda < 3/2.",
)
def eq_64(statement: Statement) -> Iterator[Evidence]:
    yield from least_and_greatest(statement, ((CUT_HIGH, lam),))
    yield from least_integer(statement, 3, CUT_HIGH)


@attack("eq-64", domain=f"{EQ_64.domain()}; " + f"{EDGES}: the definition against the closed form")
def eq_64_attack() -> Iterator[Evidence]:
    def counted(off: Fraction) -> Evidence:
        cuts = ((q, sine_cut(q), Fraction(2 * sine_cut(q) + 3, 2)) for q in points(heads=(0,)))
        wrong = [str(q) for q, last, end in cuts if last < -1 or not end <= q.distance - off < end + 1]
        return tried(f"where (2 N_0 + 3)/2 <= lambda - {off} < (2 N_0 + 5)/2 fails", not wrong, wrong, [])

    yield controlled(counted(Fraction(0)), counted(Fraction(1, 10**12)))
    yield from EQ_64.attack()


ENDS_65 = sp.Abs(2 / (2 * n + 3) - 2 / (2 * n + 1), evaluate=False) / sp.pi
CLOSED_65 = 4 / (sp.pi * (2 * n + 1) * (2 * n + 3))
EQ_65 = Statement(
    (*SIZES, Variable(n, low=sp.Integer(0), high=CUT_HIGH, integer=True, closed=True)),
    (
        Conclusion(relation(sp.Abs(period("sin", n)), "<=", ENDS_65)),
        Conclusion(relation(ENDS_65, "==", CLOSED_65)),
        Conclusion(relation(CLOSED_65, "<", 1 / (sp.pi * n**2))),
    ),
    meaning=SINE_CUTS,
    words=r"$I_n^-$ and $I_n^+$ of (63): ",
)


@claim(
    "eq-65",
    where="App. E, eq 65",
    kind="step",
    says=EQ_65,
    cites=("eq-63",),
    outline="True for n >= 1; at n = 0, always there for lambda >= 3/2, the last member does not exist.",
)
def eq_65(statement: Statement) -> Iterator[Evidence]:
    yield no_value(statement, {**TWO_TURNS, n: sp.Integer(0)}, 3)


EQ_65_REPAIRED = Statement(
    (EVERY_PERIOD,),
    (
        Conclusion(relation(sp.Abs(period("sin", n)), "<=", CLOSED_65)),
        Conclusion(relation(CLOSED_65, "<", 1 / (sp.pi * n**2)), when=(relation(n, ">=", 1),)),
    ),
    words=r"$I_n^-$ and $I_n^+$ of (63): ",
)


@repair(
    "eq-65",
    says=EQ_65_REPAIRED,
    cites=("eq-63",),
    outline="As (56) to (58), with sin 2 pi y <= 0 on [(2n+1)/2, (2n+2)/2] and >= 0 on [(2n+2)/2, (2n+3)/2].",
)
def eq_65_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from half_period("sin", later=False)
    yield from half_period("sin", later=True)
    yield from period_bound("sin", statement.target(1) * sp.pi, statement.target(2) * sp.pi)
    yield from from_one_on(statement.conclusions[1])


@attack("eq-65*", domain=f"{EQ_65_REPAIRED.domain()}; " + "n = 0 to 300")
def eq_65_attack() -> Iterator[Evidence]:
    def margin(i: int) -> arb:
        found = sin_integral(Fraction(2 * i + 1, 2), Fraction(2 * i + 3, 2))
        return 1 - abs(found) * arb.pi() * (2 * i + 1) * (2 * i + 3) / 4

    yield search(
        "1 - |I_n^- + I_n^+| pi (2n+1)(2n+3)/4", ((f"n={i}", margin(i)) for i in range(301)), control="0.501"
    )
    yield from EQ_65_REPAIRED.attack()


SQUARES_66 = sp.Sum(1 / SUMMAND**2, (SUMMAND, 0, CUT_HIGH)) / sp.pi
EQ_66 = Statement(
    SIZES,
    (
        Conclusion(relation(SINE_PERIODS, "<", SQUARES_66)),
        Conclusion(relation(SQUARES_66, "<", sp.pi / 6)),
        Conclusion(relation(sp.pi / 6, "<", 1)),
    ),
    meaning=SINE_CUTS,
    words="the sum of (63): ",
)


@claim(
    "eq-66",
    where="App. E, eq 66",
    kind="step",
    says=EQ_66,
    cites=("eq-63",),
    outline="For 1 < lambda < 3/2 both sums are empty and 0 < 0 is false; for lambda >= 3/2 the second begins with "
    "1/0.",
)
def eq_66(statement: Statement) -> Iterator[Evidence]:
    terms = statement.target(1).atoms(sp.Sum).pop().function / sp.pi
    of_65 = same("its terms are the bounds of (65)", terms, EQ_65.target(3).subs(n, SUMMAND))
    failing = statement.fails_at({**TWO_TURNS, lam: sp.Rational(5, 4)}, 1)  # both sums are empty
    yield from counterexample([of_65], failing)
    statement.values_at(TWO_TURNS, 1)
    term_ = statement.target(1).atoms(sp.Sum).pop().function.subs(SUMMAND, 0)
    what = "the first term, n = 0, at lambda = 2, theta_0 = 1/20"
    yield instance(exact(what, term_.is_finite, term_, "a number"))


EQ_66_REPAIRED = Statement(
    SIZES,
    (
        Conclusion(relation(0, "<=", -SINE_PERIODS)),
        Conclusion(relation(-SINE_PERIODS, "==", sp.Si(sp.pi) - sp.Si((2 * CUT_HIGH + 3) * sp.pi))),
        Conclusion(
            relation(-SINE_PERIODS, "<", sp.Si(sp.pi) - sp.pi / 2),
            sharp=(sp.Rational(1, 100), {**TWO_TURNS, lam: sp.Integer(400)}),
        ),
        Conclusion(relation(sp.Si(sp.pi) - sp.pi / 2, "<", 1 / sp.pi)),
    ),
    meaning=SINE_CUTS,
    words=r"the sum of (63), with the limit for $\lambda \to \infty$ as its least bound: ",
)


@repair(
    "eq-66",
    says=EQ_66_REPAIRED,
    uses=("eq-63", "lem-hump", "lem-ci"),
    outline="The sum is one integral from 1/2 to (2 N_0 + 3)/2. From the zero z = (2 N_0 + 3) pi on, sin is negative "
    "first: over a turn Si falls, by more than 0, and by lem-hump pi/2 - Si(z + 2 pi) <= 0. So pi/2 < Si(z). Si(pi) - "
    "pi/2 < 1/pi by lem-ci.",
)
def eq_66_repaired(statement: Statement) -> Iterator[Evidence]:
    yield same("slope of Si(2 pi y)", sp.diff(sp.Si(TURN * y), y), sp.sin(TURN * y) / y)
    yield same("limit of Si", sp.limit(sp.Si(x), x, sp.oo), sp.pi / 2)
    _, first, last = SINE_PERIODS.limits[0]
    start, end = BEGIN_AT["sin"](first), BEGIN_AT["sin"](last + 1)
    whole = by_primitives(piece(start, end, "sin"))  # the periods adjoin: eq-63
    yield arrives("minus the one integral", sp.expand(-whole), sp.expand(statement.target(2)))
    far = sp.Symbol("N", positive=True)
    least = sp.limit(statement.target(2).subs(CUT_HIGH, far), far, sp.oo)
    yield arrives("its limit", least, statement.target(3))
    yield from falls_over_a_turn(statement.target(2))
    yield arrives("lem-ci at X = pi", 1 / sp.pi, statement.target(4))
    yield arrives("from a zero on, sin is negative first", -SINE_PERIODS, statement.target(1))


def falls_over_a_turn(sum_: Expr) -> Iterator[Evidence]:
    """Si falls, strictly, over the turn after the zero z at which a sum Si(pi) - Si(z) ends, and z + 2 pi is the next.

    Its integrand at s and half a turn later, together, are -sin s, s in [0, pi], times what is positive.
    """
    (zero,) = (one.args[0] for one in sum_.atoms(sp.Si) if one.has(CUT_HIGH))
    place = zero + s
    halves = [sp.expand_trig(sp.expand(sp.sin(at))) / at for at in (place, place + sp.pi)]
    gap = sp.factor(1 / y - 1 / (y + sp.pi))
    yield same("at s and half a turn later", sp.Add(*halves), -sp.sin(s) * gap.subs(y, place))
    yield exact("1/y falls over half a turn", gap.is_positive, gap, "> 0")
    yield same("the next zero", zero.subs(CUT_HIGH, CUT_HIGH + 1), zero + 2 * sp.pi)


@attack(
    "eq-66*",
    domain=f"{EQ_66_REPAIRED.within(AFFORDABLE).domain(number=20)}; "
    + "N_0 = 0 to 2000; the limit is approached from below",
)
def eq_66_attack() -> Iterator[Evidence]:
    least = si(arb.pi()) - arb.pi() / 2
    sums = ((f"N_0={i}", least + sin_integral(Fraction(1, 2), Fraction(2 * i + 3, 2))) for i in range(2001))
    yield search("Si(pi) - pi/2 - |sum|", sums, control="7.96e-5")
    reached = -sin_integral(Fraction(1, 2), Fraction(4003, 2))
    exceeded = below("0.999 of the bound is exceeded at N_0 = 2000", least * ball("0.999"), reached)
    yield controlled(exceeded, below("all of it", least, reached))
    yield from EQ_66_REPAIRED.within(AFFORDABLE).attack(number=20)
    yield from EQ_66_REPAIRED.sharpness()


EQ_67 = Statement(
    (*SIZES, Variable(y, low=sp.Integer(0), high=HALF)),
    (
        Conclusion(relation(sp.sin(TURN * y) / y, "<=", 1)),
        Conclusion(relation(sp.Abs(FIRST_SINE), "<=", HALF)),
    ),
    meaning=LOG,
    words=r"$I_{\ast}$ of (63) is the integral: ",
)


@claim(
    "eq-67",
    where="App. E, eq 67",
    kind="step",
    says=EQ_67,
    cites=("eq-63",),
    outline="sin(2 pi y)/y is 4 at y = 1/4 and tends to 2 pi at 0; I_* is near Si(pi) = 1.85 for small lambda theta_0.",
)
def eq_67(statement: Statement) -> Iterator[Evidence]:
    point = {theta: sp.Rational(1, 100), D: sp.Integer(20), lam: sp.Integer(2), y: QUARTER}
    for index, other in ((1, 2), (2, 1)):
        yield statement.fails_at(point, index, also=(other,))


def weight_bound(bound: sp.Expr) -> Evidence:
    """sin(2 pi y)/y <= bound at y = 1/4; for bound = 2 pi on all of y > 0, since sin u <= u."""
    found = (sp.sin(TURN * y) / y).subs(y, sp.Rational(1, 4))
    if bound == TURN:
        return rises("u - sin u", u - sp.sin(u), u, 1)
    return exact(f"sin(2 pi y)/y <= {bound} at y = 1/4", bool(found <= bound) and None, found, f"<= {bound}")


LENGTH = sp.Symbol("X", positive=True)
EQ_67_REPAIRED = Statement(
    (*BOUNDLESS, Variable(y, low=sp.Integer(0)), Variable(LENGTH, low=sp.Integer(0))),
    (
        Conclusion(
            relation(sp.sin(TURN * y) / y, "<=", TURN),
            sharp=(THOUSANDTH, {theta: HALF, lam: HALF, y: THOUSANDTH, LENGTH: 1}),
        ),
        Conclusion(relation(0, "<=", FIRST_SINE)),
        Conclusion(
            relation(FIRST_SINE, "<", sp.Si(sp.pi)),
            sharp=(sp.Rational(1, 100), {theta: THOUSANDTH, lam: 1, y: 1, LENGTH: 1}),
        ),
        Conclusion(relation(sp.Si(sp.pi), "<", sp.pi)),
        Conclusion(relation(0, "<", sp.Si(LENGTH))),
        Conclusion(relation(sp.Si(LENGTH), "<=", sp.Si(sp.pi))),
    ),
    words=r"$I_{\ast}$ of (63) is the integral, and $\mathrm{Si}(\pi)$ its least bound as $\lambda\theta_0 \to 0$: ",
)


@repair(
    "eq-67",
    says=EQ_67_REPAIRED,
    uses=("lem-hump",),
    cites=("eq-63",),
    outline="I_* = Si(pi) - Si(2 pi lambda theta_0). Si rises to Si(pi); from pi on lem-hump keeps it in [Si(pi) - "
    "2/pi, Si(pi)], and Si(pi) > int_0^pi sin(y)/pi dy = 2/pi.",
)
def eq_67_repaired(statement: Statement) -> Iterator[Evidence]:
    yield weight_bound(statement.target(1))
    yield same("int_0^pi sin(y)/pi dy", sp.integrate(sp.sin(s), (s, 0, sp.pi)) / sp.pi, 2 / sp.pi)
    first = by_primitives(FIRST_SINE)
    yield arrives(
        "I_* as lambda theta_0 -> 0", sp.limit(first.subs(theta, x / lam), x, 0), statement.target(3)
    )
    yield arrives(
        "the integral of 1, which sin(s)/s is below", sp.integrate(1, (s, 0, sp.pi)), statement.target(4)
    )
    yield arrives("Si has its greatest value at the first zero of sin", sp.Si(sp.pi), statement.target(6))
    for index, positive in ((2, FIRST_SINE), (5, sp.Si(LENGTH))):
        yield arrives("what lem-hump keeps from falling below 0", positive, statement.target(index))


@attack(
    "eq-67*",
    domain=f"{EQ_67_REPAIRED.within(relation(lam * theta, '!=', HALF)).domain()}; "
    + f"{EDGES}; and X = 2^-20 to 2^20",
)
def eq_67_attack() -> Iterator[Evidence]:
    yield search(
        "Si(pi) - I_*",
        margins(lambda q: [(sin_integral(q.far, Fraction(1, 2)), si(arb.pi()))]),
        control="6.29e-12",
    )
    sizes = [ball(Fraction(2) ** i) for i in range(-20, 21)]
    yield search("Si(X)/X (1 + X)", ((f"X={q}", si(q) * (1 + q) / q) for q in sizes), control="1.01")
    yield search("Si(pi) - Si(X)", ((f"X={q}", si(arb.pi()) - si(q)) for q in sizes), control="0.0938")
    yield from EQ_67_REPAIRED.within(relation(sp.Abs(lam * theta - HALF), ">", THOUSANDTH)).attack()
    yield from EQ_67_REPAIRED.sharpness()


EQ_68 = Statement(
    SIZES,
    (
        Conclusion(relation(sp.Abs(LAST_SINE), "<", 1 / (lam - 1))),
        Conclusion(relation(1 / (lam - 1), "<=", 1)),
    ),
    meaning=SINE_CUTS,
    words=r"$I^{\ast}$ of (63) is the integral: ",
)


@claim(
    "eq-68",
    where="App. E, eq 68",
    kind="step",
    says=EQ_68,
    cites=("eq-63",),
    outline="1/(lambda - 1) <= 1 needs lambda >= 2.",
)
def eq_68(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({**TWO_TURNS, lam: sp.Rational(3, 2)}, 2)


EQ_68_REPAIRED = Statement(
    (Variable(lam, low=HALF, closed=True, cut=True),),
    (
        Conclusion(relation(sp.Abs(LAST_SINE), "<=", 2 / ((2 * CUT_HIGH + 3) * sp.pi))),
        Conclusion(relation(2 / ((2 * CUT_HIGH + 3) * sp.pi), "<=", 2 / sp.pi)),
    ),
    meaning={CUT_HIGH: SINE_CUTS[CUT_HIGH]},
    words=r"$I^{\ast}$ of (63) is the integral: ",
)


@repair(
    "eq-68",
    says=EQ_68_REPAIRED,
    uses=("eq-63", "eq-64", "lem-hump"),
    outline="lem-hump from the zero (2 N_0 + 3) pi of sin; N_0 >= -1.",
)
def eq_68_repaired(statement: Statement) -> Iterator[Evidence]:
    zero = LAST_SINE.args[0] * LAST_SINE.args[2]
    yield arrives("2/z of lem-hump at the zero where it begins", 2 / zero, statement.target(1))
    least = EQ_64.conclusions[2].says.lts + 1  # the integer above -2
    yield arrives("at N_0 = -1", statement.target(1).subs(CUT_HIGH, least), statement.target(2))
    yield at_least("beyond it", statement.target(2), statement.target(1).subs(CUT_HIGH, least + v))


@attack(
    "eq-68*",
    domain=f"{EQ_68_REPAIRED.within(relation(lam, '>=', 3 * HALF)).domain()}; "
    + f"{EDGES}, where lambda <= 500; the supremum is Si(pi) - Si(2 pi) = 0.434 as lambda -> 1",
)
def eq_68_attack() -> Iterator[Evidence]:
    near = list(points_to(500))
    rests = ((str(q), 1 - abs(sine_pieces(q)[-1]) / _hump(q)) for q in near)
    yield search("1 - |I^*| (2 N_0 + 3) pi/2", rests, control="0.00114")
    reached = abs(sin_integral(Fraction(1, 2), 1 + Fraction(1, 10**9)))
    exceeded = below("0.4337 is exceeded at lambda = 1 + 1e-9", "0.4337", reached)
    yield controlled(exceeded, below("0.4338 is", "0.4338", reached))
    yield from EQ_68_REPAIRED.within(relation(lam, ">=", 3 * HALF)).attack()


def _hump(point: Point) -> arb:
    return 2 / (arb.pi() * (2 * sine_cut(point) + 3))
