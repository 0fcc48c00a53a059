"""Appendix C, the bounds that the printed proof of Theorem 2.2 puts together: eqs 28 to 31.

Every bound is checked against the limits of C_D and S_D (`proofs.paper.theorem_2_2`), not against Lemmas C.1 and C.2,
so these entries stand whatever becomes of the lemmas; e(lambda) is the lemmas' a + 4 pi lambda theta_0^a / D, a >= 0.
As repaired, each constant is the least that these limits give, rounded up, and (29) and (30) bound both sides.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball, below, equal_within, less, radius, text, verdict
from proofs.checks import controlled, equality, exact, refutes, rounded_up, search
from proofs.gaussian_tokens import counterexample
from proofs.integrals import ci, cos_limit, sin_limit
from proofs.ledger import attack, claim, necessary, repair
from proofs.letters import (
    ALPHA,
    ANY_HEAD,
    ANY_MEANS,
    BASE,
    DIM,
    E_FAR,
    E_NEAR,
    FAR_POSITIVE,
    HERE,
    LEMMA_BASE,
    LEMMA_HEAD,
    LOG,
    MU,
    NEAR_END,
    NEAR_POSITIVE,
    NU,
    THERE,
    lemma_error,
    rope_bias,
)
from proofs.paper.theorem_2_2 import EDGE, RADIANS, RIEMANN_ERROR, TURNS
from proofs.statements import (
    TURN,
    Conclusion,
    Cosines,
    Sines,
    Statement,
    Variable,
    constant_ball,
    line_in,
    relation,
    tex,
)
from proofs.subdivision import certify_positive, covers


def line(what: str, constant: Real, slope: Real) -> Evidence:
    """Evidence that constant + slope/L > 0 for every L >= ln 4096, >= 0 allowed in the limit L -> infinity only."""
    at_edge = ball(constant) + ball(slope) / ball(EDGE).log()
    answer = True if at_most(0, constant) and less(0, at_edge) else None
    return Evidence(
        f"{what}: {text(ball(constant), 6)} + {text(ball(slope), 6)}/L > 0 for L > ln 4096",
        verdict(answer),
        computed=text(at_edge),
        predicted="> 0 at ln 4096, >= 0 in the limit",
        radius=radius(at_edge),
        precision="128 bit ball",
    )


def near_cost() -> arb:
    """s of lim C_D(lambda) > 3/8 - s/L over the near range: (dip + gamma - ln(8/2pi))/2."""
    return (ball(TURNS.dip) + arb.const_euler() - (4 / arb.pi()).log()) / 2


def near_cosine(constant: Real, slope: Real) -> Evidence:
    """lim C_D(lambda) > constant - slope/L over the near range, from 3/8 - s/L."""
    gaps = ball("3/8") - ball(constant), ball(slope) - near_cost()
    found = line("lim C_D(lambda) - (constant - slope/L)", *gaps)
    if less(ball("3/8"), constant) is not True:
        return found
    # a constant above 3/8 fails at the near end of a large enough base
    base = ball(10) ** 80
    end = (base ** (ball(1) / 4) / 8 * ball("999999/1000000")).mid()
    return below(
        "near end at base 1e80", ball(constant) - ball(slope) / base.log(), cos_limit(end, base=base.mid())
    )


NEAR_ONLY = Variable(NEAR_POSITIVE, low=sp.Integer(1), high=NEAR_END, cut=True)  # lambda theta_0^{1/4} < 1/8
FAR_ONLY = Variable(FAR_POSITIVE, low=BASE)
EXPONENT = Variable(ALPHA, low=sp.Integer(0))
ERRORS = {E_NEAR: lemma_error(NEAR_POSITIVE), LOG: sp.log(BASE)}
FAR_ERRORS = {E_FAR: lemma_error(FAR_POSITIVE), LOG: sp.log(BASE)}
FIRST = sp.Rational(1, 2) * sp.Rational(3, 4) * sp.sqrt(2) / 2 - 2 / LOG - E_NEAR
EQ_28 = Statement(
    (LEMMA_BASE, ANY_HEAD, NEAR_ONLY, EXPONENT),
    (
        Conclusion(relation(Cosines(DIM, BASE, NEAR_POSITIVE, TURN), ">", FIRST)),
        Conclusion(relation(FIRST, ">", sp.Rational(1, 4) - 2 / LOG - E_NEAR)),
    ),
    given=(LEMMA_HEAD,),
    meaning=ERRORS,
)


def asks_for_heads(statement: Statement) -> Evidence:
    """Evidence that the statement asks for D > 4L, as the bound of e does."""
    (condition,) = RIEMANN_ERROR.conclusions[1].when
    what = "e bounds what C_D and S_D are off their limits where D > 4L (thm-2.2.riemann)"
    return exact(what, condition in statement.given, statement.given, condition)


def over_log(
    statement: Statement, index: int, error: sp.Symbol, sign: int = 1
) -> Generator[Evidence, None, tuple[arb, arb]]:
    """(a, b) of a conclusion's bound a + b/L + sign e, with evidence that e stands in it as thm-2.2.riemann has it."""
    bound = statement.target(index)
    found = sp.expand(bound).coeff(error)
    yield exact("e is what C_D or S_D may be off its limit (thm-2.2.riemann)", found == sign, found, sign)
    return without_error(bound, error, sign)


def without_error(bound: sp.Expr, error: sp.Symbol, sign: int = 1) -> tuple[arb, arb]:
    """(a, b) of a bound a + b/L + sign e."""
    constant, slope = line_in(bound - sign * error, LOG)
    return constant_ball(constant), constant_ball(slope)


@claim(
    "eq-28",
    where="App. C, eq 28",
    kind="step",
    says=EQ_28,
    uses=("thm-2.2.ci", "lem-cin", "thm-2.2.riemann"),
    outline="True with room: cos(pi/4) = sqrt(2)/2 halves a constant that is 3/8 (cos 0), and Lemma C.2 has "
    "1/L where (28) writes 2/L. Directly: lim C_D >= 3/8 - 0.213/L on the near range, and |C_D - lim "
    "C_D| < e for every a >= 0.",
)
def eq_28(statement: Statement) -> Iterator[Evidence]:
    yield asks_for_heads(statement)
    constant, slope = yield from over_log(statement, 1, E_NEAR, -1)
    yield near_cosine(constant, -slope)
    second, last = yield from over_log(statement, 2, E_NEAR, -1)
    yield below("second inequality: 1/4 < (3/8)(sqrt(2)/2)", second, constant)
    yield below("and its term in 1/L is no smaller", last, slope, strict=False)


EQ_28_REPAIRED = Statement(
    EQ_28.variables,
    (
        Conclusion(
            relation(
                Cosines(DIM, BASE, NEAR_POSITIVE, TURN),
                ">",
                sp.Rational(3, 8) - sp.Rational("0.213") / LOG - E_NEAR,
            )
        ),
    ),
    given=EQ_28.given,
    meaning=ERRORS,
)


@repair(
    "eq-28",
    says=EQ_28_REPAIRED,
    uses=("thm-2.2.ci", "lem-cin", "thm-2.2.riemann"),
    outline="The same: cos 0 = 1 gives 3/8, and 0.213 is (dip + gamma - ln(4/pi))/2, rounded up.",
)
def eq_28_repaired(statement: Statement) -> Iterator[Evidence]:
    yield asks_for_heads(statement)
    constant, slope = yield from over_log(statement, 1, E_NEAR, -1)
    yield controlled(near_cosine(constant, -slope), near_cosine(constant + ball("1/200"), -slope))
    yield from rounded_up("what 3/8 is short of, times L", near_cost(), -slope, "1/1000")


@attack(
    "eq-28",
    domain="theta_0 -> 1/4096 from below, lambda at both ends and at 7/4 (least Ci); bases to 1e60, D -> infinity",
)
@attack("eq-28*", domain="the same")
def eq_28_attack() -> Iterator[Evidence]:
    constant, slope = without_error(EQ_28_REPAIRED.target(), E_NEAR, -1)
    yield search("lim C_D less its bound in the limit", _near_cases(constant, -slope), control="0.000328")
    yield from EQ_28_REPAIRED.attack(number=200)


def _near_cases(constant: arb, slope: arb) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65_537, 10**6, 4 * 10**9, 10**30, 10**60):
        end = ball(base) ** (ball(1) / 4) / 8
        for lam in (ball("1.0001"), ball("7/4"), end * ball("99999/100000")):
            if lam > 1 and lam < end:
                gap = cos_limit(lam, base=base) - constant + slope / ball(base).log()
                yield f"base {base}, lambda {text(lam, 6)}", gap


BEYOND_A_TURN = "1/8"  # of |Ci|


def far_cost() -> arb:
    """L |lim C_D(Lambda)| for Lambda > b > 10 is below this: 1/8 and 1/(20 pi), halved."""
    least = 2 * arb.pi() * constant_ball(LEMMA_BASE.low)  # of the near end's angle
    return (ball(BEYOND_A_TURN) + 1 / least) / 2


def far_cosine(slope: Real) -> Iterator[Evidence]:
    """|lim C_D(Lambda)| < slope/L for Lambda > b > 10, refuted where 7b/4 exceeds it."""
    peak = abs(cos_limit(ball(EDGE) * 1000 * 7 / 4, base=EDGE * 1000)) * ball(EDGE * 1000).log()
    if less(slope, peak):
        yield below("attained at Lambda = (7/4) b, base 4096000", peak, slope)
    else:
        yield below("bound of L |lim C_D(Lambda)|", far_cost(), slope)
        least = -ci(7 * arb.pi() / 2) / 2  # Ci(2 pi Lambda) is below 1e-7
        yield equal_within("attained at Lambda = (7/4) b: half of |Ci(7 pi/2)|", peak, least, "1e-6")


def cosine_beyond_one_turn(bound: Real = BEYOND_A_TURN) -> Iterator[Evidence]:
    """|Ci(x)| < 1/8 for x >= 2 pi: by boxes up to 9, by |Ci(x)| < 1/x beyond; Ci > -0.0896 is thm-2.2.ci."""
    found = certify_positive(lambda x: ball(bound) - ci(x), lambda x: -x.cos() / x, 2 * arb.pi(), 9)
    yield found.evidence(f"Ci < {bound} on [2 pi, 9]")
    beyond = (1 / ball(bound), arb("inf"))  # where 1/x is at most the bound
    yield covers(f"Ci < {bound}", [*found.covered, beyond], 2 * arb.pi(), arb("inf"))


EQ_29 = Statement(
    (LEMMA_BASE, ANY_HEAD, FAR_ONLY, EXPONENT),
    (Conclusion(relation(Cosines(DIM, BASE, FAR_POSITIVE, TURN), "<", 2 / LOG + E_FAR)),),
    given=(LEMMA_HEAD,),
    meaning=FAR_ERRORS,
)


@claim(
    "eq-29",
    where="App. C, eq 29",
    kind="step",
    says=EQ_29,
    uses=("thm-2.2.ci", "lem-ci", "thm-2.2.riemann"),
    outline="2L|lim C_D(Lambda)| <= |Ci(c Lambda)| + |Ci(c Lambda theta_0)| < 1/(10 c) + 1/8. (31) needs the other "
    "side too: eq-29*, with 0.071 for 2.",
)
def eq_29(statement: Statement) -> Iterator[Evidence]:
    yield asks_for_heads(statement)
    yield from cosine_beyond_one_turn()
    constant, slope = yield from over_log(statement, 1, E_FAR)
    yield below("nothing stands beside the term in 1/L", 0, constant, strict=False)
    yield from far_cosine(slope)


NEAR_COSINE, FAR_COSINE = (Cosines(DIM, BASE, one, TURN) for one in (NEAR_POSITIVE, FAR_POSITIVE))
EQ_29_REPAIRED = Statement(
    EQ_29.variables,
    (Conclusion(relation(sp.Abs(FAR_COSINE), "<", sp.Rational("0.071") / LOG + E_FAR)),),
    given=EQ_29.given,
    meaning=FAR_ERRORS,
)


@repair(
    "eq-29",
    says=EQ_29_REPAIRED,
    uses=("thm-2.2.ci", "lem-ci", "thm-2.2.riemann"),
    outline="The same, both signs: 0.071 is (1/(10 c) + 1/8)/2, rounded up.",
)
def eq_29_repaired(statement: Statement) -> Iterator[Evidence]:
    yield asks_for_heads(statement)
    yield from cosine_beyond_one_turn()
    yield from least_over_log(statement, 1, E_FAR, far_cost())


def least_over_log(
    statement: Statement, index: int, error: sp.Symbol, own: arb, sign: int = 1
) -> Iterator[Evidence]:
    """A conclusion's bound (below where `sign` is -1) is `own`/L, rounded up in its last digit, and e."""
    constant, slope = yield from over_log(statement, index, error, sign)
    yield exact("nothing stands beside the term in 1/L", constant.is_zero(), constant, 0)
    yield from rounded_up("L times the bound in the limit", own, sign * slope, "1/1000")


@attack(
    "eq-29",
    domain="Lambda theta_0 = 1+, 5/4, 7/4, 1000; bases 10.001 to 1e30; D -> infinity, both signs of C_D",
)
@attack("eq-29*", domain="the same")
def eq_29_attack() -> Iterator[Evidence]:
    _, slope = without_error(EQ_29_REPAIRED.target(), E_FAR)
    cases = (
        (
            f"base {base}, Lambda = {factor} b",
            1 - abs(cos_limit(ball(base) * ball(factor), base=base)) * ball(base).log() / slope,
        )
        for base in ("10.001", 4097, 10**6, 10**30)
        for factor in ("1.0001", "5/4", "7/4", "1000")
    )
    yield search("1 - |lim C_D(Lambda)| L over its bound", cases, control="0.1284")
    yield from EQ_29_REPAIRED.attack()


def sine_limits_over_log() -> tuple[arb, arb, arb]:
    """L lim S_D(lambda) and its negative, and L |lim S_D(Lambda)|, for lambda > 1, Lambda > b > 10, are below these.

    Near: Si(c lambda) in (low, high) less Si(c lambda/b) in (0, Si(pi)], below 1.852. Far: two values in (low, high).
    """
    low, high = ball(TURNS.low), ball(TURNS.high)
    return high / 2, (ball(RADIANS.high) - low) / 2, (high - low) / 2


def sine_bound(slope: Real) -> Iterator[Evidence]:
    """|lim S_D| < slope/L for lambda > 1, b > 10; refuted where lambda = 3/2 exceeds it."""
    base = 10**12
    attained = sin_limit("3/2", base=base) * ball(base).log()
    if less(slope, attained):
        yield below("attained at lambda = 3/2, base 1e12: L lim S_D", attained, slope)
    else:
        whats = ("near: L lim S_D", "near: -L lim S_D", "far: L |lim S_D|")
        for what, own in zip(whats, sine_limits_over_log(), strict=True):
            yield below(what, own, slope)


EQ_30 = Statement(
    (LEMMA_BASE, ANY_HEAD, Variable(NEAR_POSITIVE, low=sp.Integer(1), cut=True), FAR_ONLY, EXPONENT),
    (
        Conclusion(relation(Sines(DIM, BASE, NEAR_POSITIVE, TURN), "<", 2 / LOG + E_NEAR)),
        Conclusion(relation(Sines(DIM, BASE, FAR_POSITIVE, TURN), "<", 2 / LOG + E_FAR)),
    ),
    given=(LEMMA_HEAD,),
    meaning=ERRORS | FAR_ERRORS,
)


@claim(
    "eq-30",
    where="App. C, eq 30",
    kind="step",
    says=EQ_30,
    uses=("thm-2.2.ci", "eq-67*", "thm-2.2.riemann"),
    outline="Si(c lambda) is in (1.4181, 1.6748) and Si(c lambda theta_0) in (0, 1.852), beyond the base in (1.4181, "
    "1.6748) as well. (31) needs the other side too: eq-30*, with smaller constants.",
)
def eq_30(statement: Statement) -> Iterator[Evidence]:
    yield asks_for_heads(statement)
    for index, error in ((1, E_NEAR), (2, E_FAR)):
        constant, slope = yield from over_log(statement, index, error)
        yield below("nothing stands beside the term in 1/L", 0, constant, strict=False)
        yield from sine_bound(slope)


NEAR_SINE, FAR_SINE = (Sines(DIM, BASE, one, TURN) for one in (NEAR_POSITIVE, FAR_POSITIVE))
EQ_30_REPAIRED = Statement(
    EQ_30.variables,
    (
        Conclusion(relation(NEAR_SINE, "<", sp.Rational("0.838") / LOG + E_NEAR)),
        Conclusion(relation(NEAR_SINE, ">", -sp.Rational("0.217") / LOG - E_NEAR)),
        Conclusion(relation(sp.Abs(FAR_SINE), "<", sp.Rational("0.129") / LOG + E_FAR)),
    ),
    given=EQ_30.given,
    meaning=EQ_30.meaning,
)


@repair(
    "eq-30",
    says=EQ_30_REPAIRED,
    uses=("thm-2.2.ci", "eq-67*", "thm-2.2.riemann"),
    outline="The same, both signs, the constants rounded up: 1.6748/2, (1.852 - 1.4181)/2, (1.6748 - 1.4181)/2.",
)
def eq_30_repaired(statement: Statement) -> Iterator[Evidence]:
    yield asks_for_heads(statement)
    rows = ((1, E_NEAR, 1), (2, E_NEAR, -1), (3, E_FAR, 1))
    for (index, error, sign), own in zip(rows, sine_limits_over_log(), strict=True):
        yield from least_over_log(statement, index, error, own, sign)


@attack(
    "eq-30",
    domain="lambda = 3/2 (greatest Si), 1+, 5 (least at base 10), 1000; Lambda theta_0 = 1+, 3/2; bases 10.001 to 1e30",
)
@attack("eq-30*", domain="the same")
def eq_30_attack() -> Iterator[Evidence]:
    _, slope = without_error(EQ_30_REPAIRED.target(), E_NEAR)
    cases = (
        (
            f"base {base}, distance {text(ball(lam), 6)}",
            1 - abs(sin_limit(lam, base=base)) * ball(base).log() / slope,
        )
        for base in (Fraction(10001, 1000), Fraction(4097), Fraction(10**6), Fraction(10**30))
        for lam in ("3/2", "1.0001", "5", "1000", base * Fraction(10001, 10000), base * Fraction(3, 2))
    )
    yield search("1 - |lim S_D| L over the greatest bound", cases, control="0.00074")
    yield from EQ_30_REPAIRED.attack()


P, Q = sp.symbols("p q", positive=True)  # |mu_0|, |nu_0|
SIZES: Any = {sp.Abs(MU): P, sp.Abs(NU): Q}


def follows(what: str, printed: sp.Expr) -> Evidence:
    """(31): the bounds of (28), (29) and (30) put together, less what is printed, must have no negative coefficient."""
    bound = P * (EQ_28.target(2) - EQ_29.target()) - Q * (EQ_30.target(1) + EQ_30.target(2))
    slack = sp.Poly(sp.expand((bound - printed.subs(SIZES)) * LOG), P, Q, LOG, E_NEAR, E_FAR)
    holds = all(c >= 0 for c in slack.coeffs())
    return exact(f"slack of (31) times L, {what}", holds, slack.as_expr(), "no negative coefficient")


def both_signs() -> Iterator[Evidence]:
    """What bounds the sizes of C_D and S_D is less than what (29) and (30) print, so that (31) may have these."""
    near, less_near, far = (EQ_30_REPAIRED.target(index) for index in (1, 2, 3))
    for own, printed in (
        (EQ_29_REPAIRED.target(), EQ_29.target()),
        *((near, EQ_30.target(1)), (-less_near, EQ_30.target(1)), (far, EQ_30.target(2))),
    ):
        gap = sp.expand((printed - own) * LOG)
        yield exact("L times what is printed, less what is bounded", bool(gap.is_positive), gap, "> 0")


def remainder(cosine: int = 4, sine: int = 4, error: int = 2) -> sp.Expr:
    """Right side of (31)."""
    size, other = sp.Abs(MU), sp.Abs(NU)
    return size / 4 - (cosine * size + sine * other) / LOG - error * (size + other) * (E_NEAR + E_FAR)


def combined(cosine: int = 4, sine: int = 4, error: int = 2) -> Evidence:
    """Does (31) follow with these constants?"""
    return follows(f"printed {cosine}, {sine}, {error}", remainder(cosine, sine, error))


SPLIT = (
    sp.Abs(MU) * Cosines(DIM, BASE, NEAR_POSITIVE, TURN)
    - sp.Abs(Cosines(DIM, BASE, FAR_POSITIVE, TURN) * MU)
    - sp.Abs(Sines(DIM, BASE, NEAR_POSITIVE, TURN) * NU)
    - sp.Abs(Sines(DIM, BASE, FAR_POSITIVE, TURN) * NU)
)
EQ_31 = Statement(
    (LEMMA_BASE, ANY_HEAD, NEAR_ONLY, FAR_ONLY, EXPONENT, *ANY_MEANS),
    (
        Conclusion(relation(sp.sign(MU) * (HERE - THERE), ">=", SPLIT)),
        Conclusion(relation(SPLIT, ">", remainder())),
    ),
    given=(LEMMA_HEAD,),
    meaning=ERRORS
    | FAR_ERRORS
    | {HERE: rope_bias(NEAR_POSITIVE, TURN), THERE: rope_bias(FAR_POSITIVE, TURN)},
)
SOME_MEAN = relation(sp.Abs(MU) + sp.Abs(NU), ">", 0)
EQ_31_REPAIRED = Statement(
    EQ_31.variables,
    (*EQ_31.conclusions, Conclusion(relation(SPLIT, ">", remainder(error=1)))),
    given=(*EQ_31.given, SOME_MEAN),
    meaning=EQ_31.meaning,
)


@necessary("eq-31*", hypothesis=f"${tex(SOME_MEAN)}$")
def eq_31_without_means() -> Iterator[Evidence]:
    sizes = {BASE: 10**6, DIM: 64, NEAR_POSITIVE: 2, FAR_POSITIVE: 2 * 10**6, ALPHA: 1, MU: 0, NU: 0}
    yield EQ_31_REPAIRED.without(SOME_MEAN).fails_at(sizes, 2, also=(3,))


@claim(
    "eq-31",
    where="App. C, eq 31",
    kind="step",
    says=EQ_31,
    uses=("eq-28", "eq-29*", "eq-30*"),
    outline="The constants are right: 2/L twice for mu_0, twice for nu_0; the e-terms are doubled without "
    "need. The strict sign fails at mu_0 = nu_0 = 0.",
)
def eq_31(statement: Statement) -> Iterator[Evidence]:
    sizes = {BASE: 10**4, DIM: 64, NEAR_POSITIVE: sp.Rational(11, 10), FAR_POSITIVE: 20_000, ALPHA: 1}
    failing = statement.fails_at(sizes | {MU: 0, NU: 0}, index=2)
    yield from counterexample([follows("as printed", statement.target(2))], failing)


@repair(
    "eq-31",
    says=EQ_31_REPAIRED,
    uses=("eq-28", "eq-29*", "eq-30*"),
    outline="sgn(mu_0)Delta = |mu_0|(C_D(lambda) - C_D(Lambda)) + sgn(mu_0) nu_0 (S_D(lambda) - S_D(Lambda)), "
    "then |.| term by term; (28), and the sizes in (29) and (30). At mu_0 = 0 the left side is 0.",
)
def eq_31_repaired(statement: Statement) -> Iterator[Evidence]:
    yield follows("as printed", statement.target(2))
    yield follows("with each e once", statement.target(3))
    yield from both_signs()
    used = {*EQ_28.given, *EQ_29_REPAIRED.given, *EQ_30_REPAIRED.given}
    yield exact(
        "it assumes what (28), (29) and (30) do", used <= {*statement.given} or None, statement.given, used
    )
    c1, c2, s1, s2, nu = sp.symbols("C1 C2 S1 S2 nu_0", real=True)
    waves = zip((NEAR_COSINE, FAR_COSINE, NEAR_SINE, FAR_SINE, NU), (c1, c2, s1, s2, nu), strict=True)
    said, none = statement.target(1).subs(dict(waves)), sp.Integer(0)
    cases = {P: sp.Interval.open(0, sp.oo), -P: sp.Interval.open(-sp.oo, 0), none: sp.FiniteSet(none)}
    yield exact("every mu_0", sp.Union(*cases.values()) == sp.S.Reals, cases, "the real numbers")
    for mu in cases:
        delta = sp.sign(mu) * (mu * (c1 - c2) + nu * (s1 - s2))
        terms = (-sp.Abs(mu) * c2, sp.sign(mu) * nu * s1, -sp.sign(mu) * nu * s2)
        yield equality(f"sgn(mu_0) Delta, mu_0 = {mu}", delta, sp.Abs(mu) * c1 + sum(terms))
        gap = sp.expand(delta - said.subs(MU, mu) - sum(sp.Abs(one) + one for one in terms))
        yield exact(
            "beyond (31) by what each |x| + x, and what has no place in it", gap.is_nonnegative, gap, ">= 0"
        )


@attack("eq-31*", domain=EQ_31_REPAIRED.domain(number=200))
def eq_31_repaired_attack() -> Iterator[Evidence]:
    yield from EQ_31_REPAIRED.attack(number=200)


@attack(
    "eq-31",
    domain="constants one smaller: 3 in place of 4 for mu_0, for nu_0, and 0 in place of 1 before the errors",
)
def eq_31_attack() -> Iterator[Evidence]:
    for cosine, sine, error in ((3, 4, 2), (4, 3, 2), (4, 4, 0)):
        yield refutes(combined(cosine, sine, error))
