"""Theorem 2.2: how good its constants are, and where keys precede their query.

There lambda, Lambda > 0, and the sign of nu_0 mu_0 decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Role, Verdict
from proofs.balls import Real, ball, below
from proofs.checks import BASES, arrives, equality, exact, rounded_up, scale, search, short
from proofs.ledger import attack, claim, practice
from proofs.letters import (
    BASE,
    FAR,
    FAR_POSITIVE,
    LOG,
    MU,
    NEAR,
    NEAR_END,
    NEAR_POSITIVE,
    NU,
    RHO,
    limit_bias,
)
from proofs.paper.classical_lemmas import CI_BOUND, CIN_BOUNDS
from proofs.paper.theorem_2_2 import (
    COSTS,
    EDGE,
    FALL,
    FAR_ENOUGH,
    LIMIT,
    NONZERO,
    RADIANS,
    RATIO,
    THRESHOLDS,
    TOO_FAR,
    TOO_NEAR,
    TURNS,
    Convention,
    below_eighth,
    costs,
    limit_gap,
    near_share,
    signed_gap,
    threshold_gap,
)
from proofs.statements import (
    TURN,
    Conclusion,
    CosineLimit,
    Statement,
    Variable,
    constant_ball,
    line_in,
    relation,
)

STEEP, LARGE = sp.symbols("rho b_rho", positive=True)
AT_FALL = {symbol: end.subs(BASE, LARGE) for symbol, end in ((NEAR, TOO_NEAR), (FAR, TOO_FAR))}
TOO_SMALL_GAP = signed_gap(limit_bias, TURN).subs({MU: 1, NU: STEEP}).subs(BASE, LARGE).subs(AT_FALL)
SHARP = Statement(
    (
        Variable(BASE, low=sp.Integer(10) ** 6, closed=True, cut=True),
        Variable(STEEP, among=(sp.Integer(3), sp.Integer(10), sp.Integer(30))),
    ),
    (
        Conclusion(relation(CosineLimit(BASE, NEAR_END, TURN), "<", sp.Rational(3, 8))),
        Conclusion(
            relation(
                TOO_SMALL_GAP,
                "<",
                sp.Rational(1, 8),
            )
        ),
    ),
    meaning={LARGE: sp.exp(sp.Rational(FALL[0]) + sp.Rational(FALL[1]) * STEEP)},
    words=r"$3/8$ is the best constant in (7) over all small $\theta_0$: it is approached as $b \to \infty$, and at "
    r"$\nu_0 = 0$, in turns, the gap of the near end for $\Lambda \to \infty$, where its far term is 0, "
    r"stays below it; and a threshold on $L$ below $\ln b_\rho$ is too "
    r"small for $\rho = 3$, 10, 30; ",
)


@claim(
    "thm-2.2.sharp",
    where="Sec. 2.2, Theorem 2.2",
    kind="step",
    says=SHARP,
    uses=("thm-2.2.limit", "lem-ci", "lem-cin"),
    cites=("eq-7",),
    outline=(
        "Near end lambda = b^{1/4}/8, Lambda -> infinity (far terms 0): 2L gap = 3L/4 + ln(8/c) - gamma + "
        "Ci(c b^{1/4}/8) + Cin(c b^{-3/4}/8), and the last four terms sum to less than 0. Thresholds: "
        "explicit distances at which the limit gap is below 1/8."
    ),
)
def thm_2_2_sharp(statement: Statement) -> Iterator[Evidence]:
    least = statement.range_of(BASE).low
    rest, angle = beyond_share(statement.target(1)), TURN * NEAR_END
    printed = sp.log(8 / TURN) - sp.EulerGamma + 1 / angle + (angle / BASE) ** 2 / 4
    what = "2L times the bound less 3L/4 is ln(8/c) - gamma + 1/(c lambda) + (c lambda theta_0)^2/4 at the near end"
    yield arrives(what, rest, sp.expand(sp.expand_log(printed.subs(BASE, sp.exp(LOG)), force=True)))
    slope = sp.factor(sp.diff(rest, LOG))
    yield exact("which falls as the base rises", slope.is_negative, slope, "< 0")
    yield below(f"and is negative at {least}", 0, -constant_ball(rest.subs(LOG, sp.log(least))))
    yield equality("2L times the gap is 3L/4 and that", near_share(NEAR_END) / 2, statement.target(1))
    for ratio in statement.range_of(STEEP).among:
        yield fails_inside(statement, ratio)
        yield below_eighth(int(ratio), *FALL, constant_ball(statement.target(2)))


def beyond_share(share: sp.Expr) -> sp.Expr:
    """An upper bound of 2L (gap - share) at the near end for Lambda -> oo, in L: lem-ci, and Ci = gamma + ln - Cin."""
    (x,) = CI_BOUND.symbols
    angle = TURN * NEAR_END
    near = sp.sqrt(CI_BOUND.target().subs(x, angle))
    (most,) = (one.says.rhs for one in CIN_BOUNDS.conclusions if one.says.rel_op == "<=")
    far = sp.EulerGamma + sp.log(angle / BASE) - most.subs(x, angle / BASE)
    found = (near - far - 2 * LOG * share).subs(BASE, sp.exp(LOG))
    return sp.expand(sp.expand_log(sp.expand(found), force=True))


def fails_inside(statement: Statement, ratio: sp.Expr) -> Evidence:
    """Does (7) fail at the two distances, in theorem 2.2's ranges? `InputError` names the range that one misses."""
    (gap, _), bound = LIMIT.conclusions, statement.target(2) * sp.Abs(MU)
    large = statement.meaning[LARGE].subs(STEEP, ratio)
    at = {symbol: end.subs(LARGE, large) for symbol, end in AT_FALL.items()}
    said = replace(LIMIT, conclusions=(Conclusion(relation(gap.says.lhs, ">", bound)),))
    found = said.fails_at({BASE: large, MU: 1, NU: ratio, **at})
    answer = Verdict.CERTIFIED if found.verdict is Verdict.REFUTED else Verdict.UNKNOWN
    return replace(found, what=f"(7) fails in its ranges: {found.what}", verdict=answer, role=Role.STEP)


@attack(
    "thm-2.2.sharp",
    domain="the same distances at the proved threshold, L = 1.03 + 3.66|rho|: (7) must hold there",
)
def thm_2_2_sharp_attack() -> Iterator[Evidence]:
    cases = (
        (f"nu_0/mu_0 = {ratio}", threshold_gap(ratio, *THRESHOLDS[0]) - constant_ball(SHARP.target(2)))
        for ratio in (3, 10, 30, 100)
    )
    yield search("limit gap less 1/8", cases, control="0.012")
    yield from SHARP.attack()


def far_edge(convention: Convention) -> arb:
    """Bound of |Si(c Lambda) - pi/2| for Lambda > b > 4096 (lem-ci)."""
    return 1 / (scale(convention.turns) * EDGE)


def near_edge(convention: Convention) -> arb:
    """Bound of Si(c lambda/b) <= c lambda/b on the near range: lambda/b < b^(-3/4)/8 < 1/4096."""
    return scale(convention.turns) / EDGE


def least_sine(convention: Convention) -> arb:
    """Lower bound of 2L lim (S(lambda) - S(Lambda)): low - near_edge near, at most pi/2 - low + far_edge far."""
    low = ball(convention.low)
    return 2 * low - near_edge(convention) - arb.pi() / 2 - far_edge(convention)


def greatest_sine(convention: Convention) -> arb:
    """Upper bound of the same: high near, at least pi/2 - high - far_edge far."""
    return 2 * ball(convention.high) - arb.pi() / 2 + far_edge(convention)


def sharp_cost(convention: Convention, ratio: Real) -> arb:
    """x of the bound 3/8 - x/L for nu_0/mu_0 = ratio: the sines help where it is positive."""
    rho = ball(ratio)
    sines = greatest_sine(convention) * -rho if rho < 0 else -least_sine(convention) * rho
    return convention.cosine_cost() + sines / 2


HELP, HARM = (("0.63", "0.16"), ("0.8895", "1.0668"))  # what rho > 0 adds, and rho < 0 costs: turns, radians
CAUSAL_THRESHOLDS = (("1.03", "3.56"), ("-2.2", "4.27"))  # on L where rho < 0
SAME_SIGN, OTHER_SIGN = relation(RHO, ">=", 0), relation(RHO, "<", 0)


def causal_gap(unit: sp.Expr) -> sp.Expr:
    """sgn(mu_0) times the limit gap of positive distances."""
    return sp.sign(MU) * (limit_bias(NEAR_POSITIVE, unit) - limit_bias(FAR_POSITIVE, unit))


def causal_bound(cosine: str, helped: sp.Expr) -> sp.Expr:
    """|mu_0| (3/8 + (helped - a)/L)."""
    return sp.Abs(MU) * (sp.Rational(3, 8) + (helped - sp.Rational(cosine)) / LOG)


def causal_conclusions(index: int) -> Iterator[Conclusion]:
    """For one unit: both bounds, and (7) in the limit, without a threshold and with one."""
    unit, cosine, _ = COSTS[index]
    offset, slope = map(sp.Rational, CAUSAL_THRESHOLDS[index])
    gap, eighth = causal_gap(unit), sp.Abs(MU) / 8
    helped, harmed = sp.Rational(HELP[index]) * RHO, -sp.Rational(HARM[index]) * sp.Abs(RHO)
    yield Conclusion(relation(gap, ">=", causal_bound(cosine, helped)), when=(SAME_SIGN,))
    yield Conclusion(relation(gap, ">=", causal_bound(cosine, harmed)), when=(OTHER_SIGN,))
    yield Conclusion(relation(gap, ">", eighth), when=(SAME_SIGN,))
    beyond = relation(LOG, ">", offset + slope * sp.Abs(RHO))
    yield Conclusion(relation(gap, ">", eighth), when=(OTHER_SIGN, beyond))


CAUSAL = Statement(
    (
        FAR_ENOUGH,
        Variable(NEAR_POSITIVE, low=sp.Integer(1), high=NEAR_END, cut=True),
        Variable(FAR_POSITIVE, low=FAR_ENOUGH.symbol),
        NONZERO,
        Variable(NU),
    ),
    (*causal_conclusions(0), *causal_conclusions(1)),
    meaning=RATIO,
    words="keys before the query: ",
)


@claim(
    "thm-2.2.causal",
    where="Sec. 2.2, Theorem 2.2",
    kind="lemma",
    says=CAUSAL,
    uses=("thm-2.2.limit", "thm-2.2.ci", "lem-ci"),
    outline=(
        "The cosines as in thm-2.2.limit. Near, low - c/4096 < Si(c lambda) - Si(c lambda/b) < high, since 0 < "
        "Si(c lambda/b) <= c lambda/b < c/4096; far, Si(c Lambda) - Si(c Lambda/b) is within 1/(4096c) of pi/2 - "
        "Si(c Lambda/b), between pi/2 - high and pi/2 - low. Their difference is positive: it helps where rho > 0."
    ),
    proof=r"""
        Cosines as in the proof of `thm-2.2.limit`. Near, $0<\mathrm{Si}(c\lambda/b)\le c\lambda/b<c/4096$,
        so by `thm-2.2.ci` the sine difference lies between $1.4181-c/4096$ and $1.6748$. Far, it is within
        $\frac1{4096c}$ of $\frac\pi2-\mathrm{Si}(c\Lambda/b)$, so between $\frac\pi2-1.6748-\frac1{4096c}$
        and $\frac\pi2-1.4181+\frac1{4096c}$. Near less far is therefore between $1.2638$ and $1.7789$: it
        is positive, so it helps where $\rho>0$ and costs at most $1.7789|\rho|$ where $\rho<0$. $\square$
    """,
)
def causal(statement: Statement) -> Iterator[Evidence]:
    either = sp.Union(*(one.as_set() for one in (SAME_SIGN, OTHER_SIGN)))
    yield exact("a bound for every rho", either == sp.S.Reals, either, sp.S.Reals)
    for start, index, convention in ((0, 0, TURNS), (4, 1, RADIANS)):
        unit = "turns" if convention.turns else "radians"
        said = statement.conclusions[start : start + 4]
        (_, rise), (_, fall) = (line_in(sp.expand(one.says.rhs / sp.Abs(MU)), LOG) for one in said[:2])
        helped, harmed = rise.coeff(RHO), -fall.coeff(sp.Abs(RHO))
        signs = [one.when[0] for one in said]
        due = [SAME_SIGN, OTHER_SIGN, SAME_SIGN, OTHER_SIGN]
        yield exact(f"{unit}: which sign of rho each bound is for", signs == due, signs, due)
        constant, cosine, _ = costs(LIMIT.target(index + 1))
        for one, slope, ratio in ((said[0], helped, RHO), (said[1], -harmed, sp.Abs(RHO))):
            own = sp.expand(LIMIT.target(index + 1).subs(sp.Abs(RHO), 0) + sp.Abs(MU) * slope * ratio / LOG)
            yield equality(f"{unit}: the cosines are thm-2.2.limit's", sp.expand(one.says.rhs), own)
        yield from sine_costs(convention, constant_ball(helped), constant_ball(harmed), last_digit=True)
        room, over = (constant_ball(constant - one.says.rhs / sp.Abs(MU)) for one in said[2:])
        yield exact(
            f"{unit}: one bound for both signs of rho", said[2].says == said[3].says, said[3].says, "the same"
        )
        beyond = said[3].when[1].rhs
        steep = beyond.coeff(sp.Abs(RHO))
        offset = constant_ball(beyond - steep * sp.Abs(RHO))
        yield from rounded_up(
            f"{unit}: offset of the threshold", convention.cosine_cost() / over, offset, "1/100"
        )
        slope = greatest_sine(convention) / 2 / over
        yield from rounded_up(f"{unit}: its slope", slope, constant_ball(steep), "1/100")
        edge = ball(EDGE).log()
        yield below(f"{unit}, rho >= 0: so no threshold", sharp_cost(convention, 0) / room, edge)
        yield below(f"{unit}: the stated offset too lies below ln 4096", cosine / room, edge)


def sine_costs(
    convention: Convention, rise: Real, fall: Real, *, last_digit: bool = False
) -> Iterator[Evidence]:
    """Half the least and half the greatest difference of the sines against `rise` and `fall`."""
    unit = "turns" if convention.turns else "radians"
    least, greatest = least_sine(convention) / 2, greatest_sine(convention) / 2
    yield below(f"{unit}: half the least difference of the sines", rise, least)
    yield below(f"{unit}: half the greatest difference of the sines", greatest, fall)
    if last_digit:
        yield below(f"{unit}: the first, a digit more is too much", least, ball(rise) + ball("1/100"))
        yield below(f"{unit}: the second, a digit less is not enough", ball(fall) - ball("1/10000"), greatest)


@attack(
    "thm-2.2.causal",
    domain=(
        "bases 4097 to 1e60, lambda = 1+, 3/2, 7/4 and the near end, Lambda = 1+, 3/2, 7/4, 5/2, 1000 times b, "
        "nu_0/mu_0 = -20, -1, 0, 1, 20, both conventions"
    ),
)
def causal_attack() -> Iterator[Evidence]:
    for convention, control in ((TURNS, "0.000325"), (RADIANS, "0.00145")):
        yield search("limit gap less its bound", _cases(convention), control=control)
    yield from CAUSAL.attack()


def _cases(convention: Convention) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65_537, 500_000, 4 * 10**9, 10**28, 10**60):
        log_base, end = ball(base).log(), ball(base) ** (ball(1) / 4) / 8
        nears = [ball(x) for x in ("1.0001", "3/2", "7/4") if ball(x) < end] + [end * ball("9999/10000")]
        for near in (x for x in nears if x > 1):
            for far in ("10001/10000", "3/2", "7/4", "5/2", "1000"):
                for ratio in (-20, -1, 0, 1, 20):
                    gap = limit_gap(base, near, base * ball(far), ratio, convention.turns)
                    floor = ball("3/8") - sharp_cost(convention, ratio) / log_base
                    yield f"base {base}, near {float(near):.5g}, far {far} b, nu/mu {ratio}", gap - floor


@practice("thm-2.2.causal")
def causal_practice() -> Iterator[dict[str, object]]:
    """Rows: how negative nu_0/mu_0 may be at real bases for (7) to hold in the limit, causal and over both signs."""
    for base in BASES:
        for convention in (TURNS, RADIANS):
            room = ball(base).log() / 4 - convention.cosine_cost()
            yield {
                "base": base,
                "angle": "turns" if convention.turns else "radians",
                "rho >= 0: gap as D -> oo at least, rho = 0": short(
                    ball("3/8") - sharp_cost(convention, 0) / ball(base).log()
                ),
                "rho < 0: (7) proved in the limit down to rho =": short(
                    -2 * room / greatest_sine(convention)
                ),
                "both signs of the distances: proved for |rho| up to": short(room / convention.sine_cost()),
            }
