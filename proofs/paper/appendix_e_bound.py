"""Appendix E, eq 60: the bound of the cosine integral, which does not follow from eqs 55 and 59, and is true."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Verdict
from proofs.balls import ball, below
from proofs.checks import EDGES, Point, arrives, controlled, exact, instance, margins, search, termwise
from proofs.integrals import ci
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_cos import BOUNDLESS, EQ_52, EQ_55, EQ_59, TWO_TURNS
from proofs.paper.classical_lemmas import v
from proofs.statements import TURN, Conclusion, Statement, relation
from proofs.subdivision import attacked_in_boxes
from proofs.waves import (
    ANY_BASE,
    ANY_FACTOR,
    LOG,
    SIZES,
    TENTH,
    L,
    c,
    half_integral,
    lam,
    piece,
    theta,
)

EQ_60 = Statement(
    SIZES,
    (Conclusion(relation(half_integral(), "<=", 2 / (sp.pi * lam * theta * L))),),
    meaning=LOG,
    words="$I/2$ is on the left; ",
)
EQ_60_A = Statement(
    SIZES,
    (
        Conclusion(
            relation(
                (EQ_55.target(2) + EQ_59.target(3)) / (2 * L),
                "<=",
                2 / (sp.pi * lam * theta * L),
            )
        ),
    ),
    meaning=LOG,
    words="(55) and (59) inserted into (52) give (60): ",
)


@claim(
    "eq-60",
    where="App. E, eq 60",
    kind="step",
    says=EQ_60,
    uses=("eq-52", "lem-ci"),
    outline="2 L I/2 = Ci(2 pi lambda) - Ci(2 pi lambda theta_0), so |I/2| < (1 + theta_0)/(4 pi lambda theta_0 L).",
)
def eq_60(statement: Statement) -> Iterator[Evidence]:
    yield from integral_bound(TURN, statement.target())
    yield arrives("as the text inserts it", EQ_60_A.target(), statement.target())


EQ_60_REPAIRED = Statement(
    (*BOUNDLESS, ANY_FACTOR),
    (
        Conclusion(relation(sp.Abs(half_integral(unit=c)), "<", (1 + theta) / (2 * c * lam * theta * L))),
        Conclusion(
            relation(sp.Rational(36, 5) * (1 + theta) / (4 * sp.pi), "<=", 2 / sp.pi),
            when=(relation(theta, "<=", TENTH),),
        ),
    ),
    meaning=LOG,
    words="the factor in turns is at least 7.2 times smaller than printed: ",
)


@repair(
    "eq-60",
    says=EQ_60_REPAIRED,
    uses=("eq-52", "lem-ci"),
    outline="As eq-60. The factor cannot fall below 1/(4 pi), its limit as theta_0 -> 0: see the attack.",
)
def eq_60_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from integral_bound(c, statement.target(1))
    ends = (1 / (c * lam) + 1 / (c * lam * theta)) / (2 * L)
    yield arrives("|Ci| < 1/x at both ends", ends, statement.target(1))
    said = statement.conclusions[1]
    in_turns = sp.simplify((statement.target(1) * lam * theta * L).subs(c, TURN))
    yield arrives("7.2 times the factor in turns", sp.Rational(36, 5) * in_turns, said.says.lhs)
    yield arrives("the factor of (60)", sp.simplify(EQ_60.target() * lam * theta * L), said.says.rhs)
    gap = (said.says.rhs - said.says.lhs).subs(theta, said.when[0].rhs)
    yield exact("at theta_0 = 1/10, beyond which it falls", bool(gap >= 0), gap, ">= 0")


@attack(
    "eq-60",
    domain=f"{EQ_60.domain()}; " + "every lambda in [1, 400] with every theta_0 in [e^-12, 1/10], in boxes",
)
def eq_60_attack() -> Iterator[Evidence]:
    turn = 2 * arb.pi()
    for sign, control in ((1, "7"), (-1, "7")):

        def margin(log_distance: arb, log: arb, sign: int = sign) -> arb:
            x = turn * (log_distance - log).exp()
            return 8 - sign * x * (ci(turn * log_distance.exp()) - ci(x))

        what = f"8 {'-' if sign > 0 else '+'} x (Ci(2 pi lambda) - Ci(x)) > 0, x = 2 pi lambda theta_0"
        asked = "every lambda in [1, 400], theta_0 in [e^-12, 1/10]", (0, arb(10).log()), (arb(400).log(), 12)
        yield from attacked_in_boxes(what, margin, None, ((0, "2.3025"), (6, 12)), asked, control=control)
    yield from EQ_60.attack()


@attack(
    "eq-60*",
    domain=f"{EQ_60_REPAIRED.domain()}; "
    + f"{EDGES}; then the least factor, at theta_0 = 1e-9 and lambda theta_0 = 1000 + 1/4",
)
def eq_60_repaired_attack() -> Iterator[Evidence]:
    def bound(q: Point) -> arb:
        return ball((1 + q.inverse_base) / q.far) / (4 * arb.pi() * q.log)

    cases = margins(lambda q: [(abs(q.half_integral()), bound(q))], relative=True)
    yield search("1 - |I/2|/bound", cases, control="0.0801")
    theta_0 = Fraction(1, 10**9)
    point = Point(theta_0, 84, Fraction(4001, 4) / theta_0)
    attained = ball(point.far) * point.log * abs(point.half_integral())
    exceeded = below("a factor 0.999/(4 pi) is exceeded", ball("0.999") / (4 * arb.pi()), attained)
    yield controlled(exceeded, below("1.001/(4 pi) is", ball("1.001") / (4 * arb.pi()), attained))
    yield from EQ_60_REPAIRED.attack()


@claim(
    "eq-60.a",
    where="App. E, eq 60",
    kind="step",
    says=EQ_60_A,
    cites=(
        "eq-52",
        "eq-55",
        "eq-59",
    ),
    outline="(1 + 1/pi) = 1.318 is not at most 2/pi = 0.637; with eq-55* and eq-59*, 1 + 1/(2 pi) is not either.",
)
def eq_60_a(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at(TWO_TURNS)
    yield instance(insertion(sp.Integer(2), 1 / sp.pi))


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


def integral_bound(factor: sp.Expr, bound: sp.Expr) -> Iterator[Evidence]:
    """(1/2L)(1/(c lambda) + 1/(c lambda theta_0)) stays below `bound`, and not below a ninth; theta_0 = 1/(1 + v)."""
    ends = EQ_52.target(2) / piece(lam * theta, lam)  # 1/(2L)
    found = ends * (1 / (factor * lam) + 1 / (factor * lam * theta))
    base = 1 + v
    yield ANY_BASE.filled_by(1 / base, v)
    enough, less = (
        termwise(
            f"{said}, less (1/2L)(1/(c lambda) + 1/(c lambda theta_0))", (said - found).subs(theta, 1 / base)
        )
        for said in (bound, bound / 9)
    )
    yield controlled(enough, less) if enough.verdict is Verdict.PROVED else enough
