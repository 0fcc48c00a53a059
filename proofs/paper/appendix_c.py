"""Appendix C: the printed proof of Theorem 2.2, eq 24, eqs 28 to 34, and (7) with the printed threshold.

Every bound is checked against the limits of C_D and S_D (`proofs.paper.theorem_2_2`), not against Lemmas C.1 and C.2,
so these entries stand whatever becomes of the lemmas; e(lambda) is the lemmas' a + 4 pi lambda theta_0^a / D, a >= 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball, below, less, radius, text, verdict
from proofs.checks import BASES, controlled, equality, exact, near_integers, refutes, search, short, termwise
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums, ci, cos_limit, sin_limit
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.letters import (
    ALPHA,
    ANY_BASE,
    ANY_HEAD,
    ANY_MEANS,
    BASE,
    DIM,
    E_FAR,
    E_NEAR,
    FAR,
    FAR_POSITIVE,
    FAR_RANGE,
    HERE,
    LEMMA_BASE,
    LEMMA_HEAD,
    LOG,
    MU,
    NEAR,
    NEAR_END,
    NEAR_POSITIVE,
    NEAR_RANGE,
    NU,
    THERE,
    lemma_error,
    limit_bias,
    rope_bias,
)
from proofs.paper.theorem_2_2 import EDGE, RADIANS, RIEMANN_ERROR, TURNS, limit_gap
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

LEAST_BASE = 10  # of the lemmas: theta_0 < 1/10
HALF, PAIR = sp.Rational(1, 2), sp.Symbol("d", integer=True, nonnegative=True)


def mean_wave(wave: type) -> sp.Expr:
    """(1/D) sum_d of cos or sin of 2 pi lambda theta_0^(2d/D)."""
    angle = 2 * sp.pi * NEAR * BASE ** (-2 * PAIR / DIM)
    return sp.Sum(wave(angle), (PAIR, 0, DIM / 2 - 1)) / DIM


EQ_24 = Statement(
    (ANY_HEAD, ANY_BASE, Variable(NEAR)),
    (
        Conclusion(relation(Cosines(DIM, BASE, NEAR, TURN), "==", mean_wave(sp.cos))),
        Conclusion(relation(Sines(DIM, BASE, NEAR, TURN), "==", mean_wave(sp.sin))),
        Conclusion(relation(sp.Abs(Cosines(DIM, BASE, NEAR, TURN)), "<=", HALF)),
        Conclusion(relation(sp.Abs(Sines(DIM, BASE, NEAR, TURN)), "<=", HALF)),
    ),
    words=r"with $b = 1/\theta_0$, ",
)


@claim(
    "eq-24",
    where="App. C, eq 24",
    kind="definition",
    says=EQ_24,
    outline="D/2 terms over D: both lie in [-1/2, 1/2], and Gamma = mu_0 C_D + nu_0 S_D in [-r/2, r/2].",
)
def eq_24(statement: Statement) -> Iterator[Evidence]:
    for index, wave in ((1, sp.cos), (2, sp.sin)):
        mean = statement.target(index)
        (terms,) = mean.atoms(sp.Sum)
        count = sp.simplify(sp.Sum(sp.Integer(1), *terms.limits).doit())
        yield equality(
            "as many terms of size 1, over D", count * mean.coeff(terms), statement.target(index + 2)
        )
        yield exact("each of them a cosine or a sine", terms.function.func == wave, terms.function.func, wave)


@attack(
    "eq-24", domain="D = 2, 4, 256, distances of both signs: |C_D|, |S_D| <= 1/2 and the slower Gamma bound"
)
def eq_24_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (2, 4, 256):
        sums = RopeSums.of(head_dim, base=10_000)
        for lam in (0, 1, -1, "1/8", "1/2", 12345):
            x, y = sums.cos(lam), sums.sin(lam)
            room = ball("1/4") - x * x - y * y
            for way in (1, -1) if head_dim == 2 else (1,):  # one pair is as long at every distance: no room
                cases.append((f"D={head_dim}, {lam}", way * room + ball("1e-30")))
    yield search("1/4 - C_D^2 - S_D^2", cases, control="1.1e-30")
    yield from EQ_24.attack()


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


def near_cosine(constant: Real, slope: Real) -> Evidence:
    """lim C_D(lambda) > constant - slope/L over the near range, from 3/8 - s/L, s = (dip + gamma - ln(8/2pi))/2."""
    own = (ball(TURNS.dip) + arb.const_euler() - (4 / arb.pi()).log()) / 2
    found = line("lim C_D(lambda) - (constant - slope/L)", ball("3/8") - ball(constant), ball(slope) - own)
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


def over_log(statement: Statement) -> Evidence:
    """Evidence that the statement asks for D > 4L, as the bound of e does."""
    (condition,) = RIEMANN_ERROR.conclusions[1].when
    what = "e bounds what C_D and S_D are off their limits where D > 4L (thm-2.2.riemann)"
    return exact(what, condition in statement.given, statement.given, condition)


def without_error(bound: sp.Expr, error: sp.Symbol, sign: int) -> tuple[arb, arb, Evidence]:
    """(a, b) of a bound a + b/L + sign e, and the evidence that e stands in it as thm-2.2.riemann has it."""
    constant, slope = line_in(bound - sign * error, LOG)
    found = sp.expand(bound).coeff(error)
    what = "e is what C_D or S_D may be off its limit (thm-2.2.riemann)"
    return constant_ball(constant), constant_ball(slope), exact(what, found == sign, found, sign)


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
    yield over_log(statement)
    constant, slope, once = without_error(statement.target(1), E_NEAR, -1)
    yield once
    yield near_cosine(constant, -slope)
    second, last, once = without_error(statement.target(2), E_NEAR, -1)
    yield once
    yield below("second inequality: 1/4 < (3/8)(sqrt(2)/2)", second, constant)
    yield below("and its term in 1/L is no smaller", last, slope, strict=False)


@attack(
    "eq-28",
    domain="theta_0 -> 1/4096 from below, lambda at both ends and at 7/4 (least Ci); bases to 1e60, D -> infinity",
)
def eq_28_attack() -> Iterator[Evidence]:
    yield search("lim C_D - (0.2651 - 2/L)", _near_cases(ball("0.2652"), 2), control="0.1231")
    yield from EQ_28.attack(number=200)


def _near_cases(constant: arb, slope: int) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65_537, 10**6, 4 * 10**9, 10**30, 10**60):
        end = ball(base) ** (ball(1) / 4) / 8
        for lam in (ball("1.0001"), ball("7/4"), end * ball("99999/100000")):
            if lam > 1 and lam < end:
                gap = cos_limit(lam, base=base) - constant + slope / ball(base).log()
                yield f"base {base}, lambda {text(lam, 6)}", gap


def far_cosine(slope: Real) -> Iterator[Evidence]:
    """|lim C_D(Lambda)| < slope/L for Lambda > b > 10: (1/8 + 1/(20 pi))/2 is enough, refuted where 7b/4 exceeds it."""
    peak = abs(cos_limit(ball(EDGE) * 1000 * 7 / 4, base=EDGE * 1000)) * ball(EDGE * 1000).log()
    enough = (ball("1/8") + 1 / (2 * arb.pi() * LEAST_BASE)) / 2  # |Ci(x)| < 1/8 beyond 2 pi: see `eq_29`
    if less(slope, peak):
        yield below("attained at Lambda = (7/4) b, base 4096000", peak, slope)
    else:
        yield below("bound of L |lim C_D(Lambda)|", enough, slope)


def cosine_beyond_one_turn(bound: Real = "1/8") -> Iterator[Evidence]:
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
    outline="2 could be 0.071: 2L|lim C_D(Lambda)| <= |Ci(c Lambda)| + |Ci(c Lambda theta_0)| < 1/(10 c) + "
    "1/8. Both signs, as (31) needs.",
)
def eq_29(statement: Statement) -> Iterator[Evidence]:
    yield over_log(statement)
    yield from cosine_beyond_one_turn()
    constant, slope, once = without_error(statement.target(), E_FAR, 1)
    yield once
    yield below("nothing stands beside the term in 1/L", 0, constant, strict=False)
    yield from far_cosine(slope)


@attack(
    "eq-29",
    domain="Lambda theta_0 = 1+, 5/4, 7/4, 1000; bases 10.001 to 1e30; D -> infinity, both signs of C_D",
)
def eq_29_attack() -> Iterator[Evidence]:
    cases = (
        (
            f"base {base}, Lambda = {factor} b",
            1 - abs(cos_limit(ball(base) * ball(factor), base=base)) * ball(base).log() / 2,
        )
        for base in ("10.001", 4097, 10**6, 10**30)
        for factor in ("1.0001", "5/4", "7/4", "1000")
    )
    yield search("1 - |lim C_D(Lambda)| L/2", cases, control="0.97")
    yield from EQ_29.attack()


def sine_bound(slope: Real) -> Iterator[Evidence]:
    """|lim S_D| < slope/L for lambda > 1, b > 10; refuted where lambda = 3/2 exceeds it.

    Near: Si(c lambda) in (low, high) less Si(c lambda/b) in (0, Si(pi)], below 1.852. Far: two values in (low, high).
    """
    base = 10**12
    attained = sin_limit("3/2", base=base) * ball(base).log()
    if less(slope, attained):
        yield below("attained at lambda = 3/2, base 1e12: L lim S_D", attained, slope)
    else:
        low, high = ball(TURNS.low), ball(TURNS.high)
        yield below("near: L lim S_D < high/2", high / 2, slope)
        yield below("near: -L lim S_D < (Si(pi) - low)/2", (ball(RADIANS.high) - low) / 2, slope)
        yield below("far: L |lim S_D| < (high - low)/2", (high - low) / 2, slope)


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
    outline="2 could be 0.84 near and 0.13 far: Si(c lambda) is in (1.4181, 1.6748) and Si(c lambda theta_0) in "
    "(0, 1.852), beyond the base in (1.4181, 1.6748) as well. Two-sided, as (31) needs.",
)
def eq_30(statement: Statement) -> Iterator[Evidence]:
    yield over_log(statement)
    for index, error in ((1, E_NEAR), (2, E_FAR)):
        constant, slope, once = without_error(statement.target(index), error, 1)
        yield once
        yield below("nothing stands beside the term in 1/L", 0, constant, strict=False)
        yield from sine_bound(slope)


@attack(
    "eq-30",
    domain="lambda = 3/2 (greatest Si), 1+, 5 (least at base 10), 1000; Lambda theta_0 = 1+, 3/2; bases 10.001 to 1e30",
)
def eq_30_attack() -> Iterator[Evidence]:
    cases = (
        (
            f"base {base}, distance {text(ball(lam), 6)}",
            1 - abs(sin_limit(lam, base=base)) * ball(base).log() / 2,
        )
        for base in (Fraction(10001, 1000), Fraction(4097), Fraction(10**6), Fraction(10**30))
        for lam in ("3/2", "1.0001", "5", "1000", base * Fraction(10001, 10000), base * Fraction(3, 2))
    )
    yield search("1 - |lim S_D| L/2", cases, control="0.582")
    yield from EQ_30.attack()


P, Q = sp.symbols("p q", positive=True)  # |mu_0|, |nu_0|
SIZES: Any = {sp.Abs(MU): P, sp.Abs(NU): Q}


def follows(what: str, printed: sp.Expr) -> Evidence:
    """(31): the bounds of (28), (29) and (30) put together, less what is printed, must have no negative coefficient."""
    bound = P * (EQ_28.target(2) - EQ_29.target()) - Q * (EQ_30.target(1) + EQ_30.target(2))
    slack = sp.Poly(sp.expand((bound - printed.subs(SIZES)) * LOG), P, Q, LOG, E_NEAR, E_FAR)
    holds = all(c >= 0 for c in slack.coeffs())
    return exact(f"slack of (31) times L, {what}", holds, slack.as_expr(), "no negative coefficient")


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
    uses=("eq-28", "eq-29", "eq-30"),
    outline="The constants are right: 2/L twice for mu_0, twice for nu_0; the e-terms are doubled without "
    "need. The strict sign fails at mu_0 = nu_0 = 0.",
)
def eq_31(statement: Statement) -> Iterator[Evidence]:
    yield follows("as printed", statement.target(2))
    sizes = {BASE: 10**4, DIM: 64, NEAR_POSITIVE: sp.Rational(11, 10), FAR_POSITIVE: 20_000, ALPHA: 1}
    yield statement.fails_at(sizes | {MU: 0, NU: 0}, index=2)


@repair(
    "eq-31",
    says=EQ_31_REPAIRED,
    uses=("eq-28", "eq-29", "eq-30"),
    outline="sgn(mu_0)Delta = |mu_0|(C_D(lambda) - C_D(Lambda)) + sgn(mu_0) nu_0 (S_D(lambda) - S_D(Lambda)), "
    "then |.| term by term; (28), (29) two-sided, (30) two-sided.",
)
def eq_31_repaired(statement: Statement) -> Iterator[Evidence]:
    yield follows("as printed", statement.target(2))
    yield follows("with each e once", statement.target(3))
    used = {*EQ_28.given, *EQ_29.given, *EQ_30.given}
    yield exact(
        "it assumes what (28), (29) and (30) do", used <= {*statement.given} or None, statement.given, used
    )
    c1, c2, s1, s2, nu = sp.symbols("C1 C2 S1 S2 nu_0", real=True)
    for sign_mu in (1, -1):
        delta = sign_mu * (sign_mu * P * (c1 - c2) + nu * (s1 - s2))
        found = P * c1 - P * c2 + sign_mu * nu * (s1 - s2)
        yield equality(f"sgn(mu_0) Delta, sgn = {sign_mu}", delta, found)


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


def threshold(exponent: int, target: int = 16) -> Evidence:
    """L > exponent (|mu|+|nu|)/|mu| implies 4(|mu|+|nu|)/L < |mu|/target, i.e. 4/exponent <= 1/target."""
    share = sp.Rational(4, exponent)
    return exact(
        f"4(|mu|+|nu|)/L at L = {exponent}(|mu|+|nu|)/|mu|, over |mu|",
        share <= sp.Rational(1, target),
        share,
        f"<= 1/{target}",
    )


BOTH_SIZES = sp.Abs(MU) + sp.Abs(NU)
ANY_NONZERO = Variable(MU, low=sp.Integer(0), signed=True)
EQ_32 = Statement(
    (ANY_NONZERO, Variable(NU), Variable(BASE, low=sp.exp(64 * BOTH_SIZES / sp.Abs(MU)))),
    (Conclusion(relation(4 * BOTH_SIZES / LOG, "<", sp.Abs(MU) / 16)),),
    meaning={LOG: sp.log(BASE)},
    words=r"where $b = 1/\theta_0$, ",
)


@claim(
    "eq-32",
    where="App. C, eq 32",
    kind="step",
    says=EQ_32,
    outline="Decreasing in L, equality at the threshold. The base this asks for is above e^64 = 6.2e27 "
    "whatever nu_0.",
)
def eq_32(statement: Statement) -> Iterator[Evidence]:
    left = statement.conclusions[0].says.lhs
    edge = sp.log(statement.range_of(BASE).low)
    yield equality(
        "the left side at the threshold", left.subs(LOG, edge).subs(SIZES), statement.target().subs(SIZES)
    )
    slope = sp.diff(left.subs(SIZES), LOG)
    yield exact("and it falls with L", bool(slope.is_negative), slope, "< 0")
    yield threshold(64)


@attack("eq-32", domain="the threshold itself, one less: 63")
def eq_32_attack() -> Iterator[Evidence]:
    yield refutes(threshold(63))
    yield from EQ_32.attack()


LEAST = 128 * sp.pi * (1 + sp.Abs(NU) / sp.Abs(MU)) * (NEAR_POSITIVE + FAR_POSITIVE)
ERROR_SUM = 2 * BOTH_SIZES * (E_NEAR + E_FAR)
NO_POWER = sp.Integer(0)
AT_NO_POWER = rf"at ${tex(relation(ALPHA, '==', NO_POWER))}$"
AT_ZERO = {E_NEAR: lemma_error(NEAR_POSITIVE, NO_POWER), E_FAR: lemma_error(FAR_POSITIVE, NO_POWER)}
EQ_33 = Statement(
    (
        ANY_NONZERO,
        Variable(NU),
        ANY_BASE,
        Variable(NEAR_POSITIVE, low=sp.Integer(1), cut=True),
        FAR_ONLY,
        Variable(DIM, low=LEAST, even=True),
    ),
    (Conclusion(relation(ERROR_SUM, "<", sp.Abs(MU) / 16)),),
    meaning=AT_ZERO,
    words=rf"for given $\lambda$, $\Lambda$ some $D$, and all larger ones, e.g. {AT_NO_POWER}; explicitly, ",
)


@claim(
    "eq-33",
    where="App. C, eq 33",
    kind="step",
    says=EQ_33,
    uses=("thm-2.2.riemann",),
    outline="alpha = 0: e = 4 pi lambda/D, so D > 128 pi (1+|rho|)(lambda + Lambda); Lemmas C.1, C.2 are "
    "stated for alpha > 0, thm-2.2.riemann admits 0. D must exceed Lambda, hence the base, and no D "
    "serves all Lambda: eq-33.uniform.",
)
def eq_33(statement: Statement) -> Iterator[Evidence]:
    left = statement.spelt(statement.conclusions[0].says.lhs).subs(SIZES)
    least = statement.range_of(DIM).low.subs(SIZES)
    yield equality("the left side at the least D", left.subs(DIM, least), statement.target().subs(SIZES))
    slope = sp.diff(left, DIM)
    yield exact("the left side falls with D", bool(slope.is_negative), slope, "< 0")


@attack("eq-33", domain="alpha = 1/65 and 1/64, where two e-terms alone are 1/16 however large D")
def eq_33_attack() -> Iterator[Evidence]:
    left = [(n, sp.Rational(1, 16) - 2 * sp.Rational(2, n)) for n in (65, 64)]
    found, wrong = (exact(f"1/16 - 2 (2 alpha), alpha = 1/{n}", x > 0, x, "> 0") for n, x in left)
    yield controlled(found, wrong)
    yield from EQ_33.attack()


LEAST_ERROR = sp.Symbol(r"\inf_{D,\alpha,\theta_{0}}e", positive=True)
EQ_33_UNIFORM = Statement(
    (ANY_NONZERO,),
    (Conclusion(relation(2 * sp.Abs(MU) * LEAST_ERROR, "<", EQ_33.target())),),
    meaning={LEAST_ERROR: sp.Integer(1)},
    words=r"one $D$ makes (33) hold for all $|\Lambda| > \theta_0^{-1}$ (which Theorem 2.2 needs if its $D$ is to be "
    r"free of $\Lambda$); so at $\Lambda$ in proportion to $D/\theta_0$, with the least $e(\Lambda)$ there: ",
)


@claim(
    "eq-33.uniform",
    where="App. C, eq 33",
    kind="step",
    says=EQ_33_UNIFORM,
    cites=("thm-2.2", "eq-33"),
    outline="At Lambda = D/(4 pi theta_0): e = a + theta_0^{a-1} >= 1 for a in [0, 1], and e > 1 for a > 1; "
    "(33) asks for less than 1/32.",
)
def eq_33_uniform(statement: Statement) -> Iterator[Evidence]:
    theta, a, dim = sp.symbols("theta0 a D", positive=True)
    error = a + 4 * sp.pi * (dim / (4 * sp.pi * theta)) * theta**a / dim
    yield equality("e at Lambda = D/(4 pi theta_0)", error, a + theta ** (a - 1))
    least = sp.limit(sp.exp(a), a, 0)  # theta_0^{a-1} = exp((1-a)L) >= 1 for a <= 1; a itself beyond
    yield equality("its lower bound over a >= 0", least, statement.meaning[LEAST_ERROR])
    yield statement.fails_at({MU: 1})


LONGEST = sp.Symbol("Lambda_max", positive=True)
UP_TO = relation(FAR_POSITIVE, "<=", LONGEST)
EQ_33_BOUNDED = Statement(
    (
        ANY_NONZERO,
        Variable(NU),
        Variable(NEAR_POSITIVE, low=sp.Integer(1), cut=True),
        Variable(LONGEST, low=sp.Integer(1), cut=True),
        Variable(FAR_POSITIVE, low=sp.Integer(0)),
        Variable(DIM, low=LEAST.subs(FAR_POSITIVE, LONGEST), even=True),
    ),
    EQ_33.conclusions,
    given=(UP_TO,),
    meaning=AT_ZERO,
    words=rf"one $D$ serves all $\Lambda$ up to ${tex(LONGEST)}$, {AT_NO_POWER}: ",
)


@repair(
    "eq-33.uniform",
    says=EQ_33_BOUNDED,
    uses=("eq-33",),
    outline="At alpha = 0 the e-terms grow with Lambda, so the largest Lambda decides.",
)
def eq_33_bounded(statement: Statement) -> Iterator[Evidence]:
    error = statement.spelt(E_FAR)
    slope = sp.diff(error, FAR_POSITIVE)
    yield exact("e(Lambda) at alpha = 0 rises with Lambda", bool(slope.is_positive), slope, "> 0")
    (bound,) = statement.given
    left = statement.spelt(statement.conclusions[0].says.lhs).subs(SIZES).subs(bound.lhs, bound.rhs)
    least = statement.range_of(DIM).low.subs(SIZES)
    yield equality("the left side at the least D", left.subs(DIM, least), statement.target().subs(SIZES))
    slope = sp.diff(left, DIM)
    yield exact("the left side falls with D", bool(slope.is_negative), slope, "< 0")


@necessary("eq-33.uniform*", hypothesis=f"${tex(UP_TO)}$")
def eq_33_beyond() -> Iterator[Evidence]:
    sizes = {MU: 1, NU: 0, NEAR_POSITIVE: 2, LONGEST: 10, FAR_POSITIVE: 100, DIM: 4900}
    yield EQ_33_BOUNDED.without(UP_TO).fails_at(sizes)


attack("eq-33.uniform*", domain=EQ_33_BOUNDED.domain())(EQ_33_BOUNDED.attack)


@attack(
    "eq-33.uniform",
    domain="theta_0 = 1/4097, D = 10^6: e minimised over a on a grid at Lambda = D/(4 pi theta_0)",
)
def eq_33_uniform_attack() -> Iterator[Evidence]:
    theta = ball("1/4097")

    def least(times: int) -> Evidence:
        grid = (ball(i) / 100 + theta ** (ball(i) / 100 + times) for i in range(201))
        return below(f"least e on the grid, Lambda = D theta_0^{times}/(4 pi)", min(grid, key=float), "1/32")

    yield from counterexample([controlled(least(1), least(-1))], least(-1))


SCORE = sp.Symbol(r"\mathrm{sgn}(\mu_0)\Delta", real=True)
FIRST_LOSS, SECOND_LOSS = sp.symbols("A B", real=True)  # left sides of (32) and of (33)
EQ_34 = Statement(
    (ANY_NONZERO, Variable(SCORE), Variable(FIRST_LOSS), Variable(SECOND_LOSS)),
    (
        Conclusion(relation(SCORE, ">", sp.Abs(MU) / 8)),
        Conclusion(
            relation(
                sp.Add(sp.Abs(MU) / 4, -sp.Abs(MU) / 16, -sp.Abs(MU) / 16, evaluate=False),
                "==",
                sp.Abs(MU) / 8,
            )
        ),
    ),
    given=(
        relation(SCORE, ">", sp.Abs(MU) / 4 - FIRST_LOSS - SECOND_LOSS),
        relation(FIRST_LOSS, "<", sp.Abs(MU) / 16),
        relation(SECOND_LOSS, "<", sp.Abs(MU) / 16),
    ),
    words="(31) with the left sides $A$ of (32) and $B$ of (33): ",
)


@claim(
    "eq-34",
    where="App. C, eq 34",
    kind="step",
    says=EQ_34,
    uses=("eq-31*", "eq-32", "eq-33"),
    cites=("eq-31", "eq-32", "eq-33"),
    outline="(31) with (32) and (33).",
)
def eq_34(statement: Statement) -> Iterator[Evidence]:
    first, one, other = statement.given
    least = first.rhs.subs({one.lhs: one.rhs, other.lhs: other.rhs})
    yield equality("the bound of (31) where (32) and (33) are equations", least, statement.target(1))
    less, also = sp.symbols("s t", positive=True)
    within = {one.lhs: one.rhs - less, other.lhs: other.rhs - also}
    yield termwise("where A and B are less by s and t", first.rhs.subs(within) - statement.target(1))
    yield from statement.identities()


@attack("eq-34", domain="the printed remainder: is 1/8 all that is left, or more?")
def eq_34_attack() -> Iterator[Evidence]:
    left = sp.Rational(1, 4) - 2 * sp.Rational(1, 16)
    found, *others = (exact(f"1/4 - 2/16 is 1/{n}", left == sp.Rational(1, n), left, n) for n in (8, 7, 9))
    yield controlled(found, *others)
    yield from EQ_34.attack(number=200)


EQ_7 = Statement(
    (
        ANY_NONZERO,
        Variable(NU),
        Variable(BASE, low=sp.exp(64 * (1 + sp.Abs(NU) / sp.Abs(MU)))),
        NEAR_RANGE,
        FAR_RANGE,
    ),
    (
        Conclusion(
            relation(sp.sign(MU) * (limit_bias(NEAR, TURN) - limit_bias(FAR, TURN)), ">", sp.Abs(MU) / 8)
        ),
    ),
    words=r"what the printed proof gives of (7), in the limit $D \to \infty$ and so for $D$ beyond a bound that "
    r"depends on $m$, $n$, $m'$, $n'$ (where $b = 1/\theta_0$): ",
)


@necessary("eq-7", hypothesis="Assumption 2.1")
def eq_7_of_one_pair() -> Iterator[Evidence]:
    near, far = sp.symbols("lambda Lambda", integer=True)
    gap, said = (sp.cos(TURN * near) - sp.cos(TURN * far)) / 2, EQ_7.target().subs(MU, 1)
    what = "E A_0 = D/2, E A_d = 0 for d > 0, all E B_d = 0, so of mean 1 and 0; integers lambda, Lambda: gap"
    yield exact(what, bool(gap > said), gap, f"> {said}")


@claim(
    "eq-7",
    where="Sec. 2.2, eq 7",
    kind="equation",
    says=EQ_7,
    assumes=("Assumption 2.1",),
    uses=("eq-18*", "eq-34"),
    outline="(34) for both signs of the distances: C_D is even, S_D odd, and (30) is two-sided. The threshold "
    "can be exp(1.03 + 3.66|rho|): thm-2.2*.",
)
def eq_7(statement: Statement) -> Iterator[Evidence]:
    x, y = sp.symbols("x y", real=True)
    yield equality("cos is even", sp.cos(-x), sp.cos(x))
    yield equality("sin is odd", sp.sin(-y), -sp.sin(y))
    low, other = (sp.log(one.range_of(BASE).low) for one in (EQ_32, statement))
    yield equality("its threshold is that of (32)", sp.expand(other.subs(SIZES)), sp.expand(low.subs(SIZES)))
    yield equality("its right side is that of (34)", statement.target(), EQ_34.target(1))
    ranges = statement.variables[3:]
    yield exact("its ranges are those of theorem 2.2", ranges == (NEAR_RANGE, FAR_RANGE), "", "")


@attack(
    "eq-7",
    domain="base e^64, e^128, near end and lambda = -3/2, far 1+ and 7/4 times b, nu_0/mu_0 = 0, 1, -1; D -> infinity",
)
def eq_7_attack() -> Iterator[Evidence]:
    cases = []
    for ratio in (0, 1, -1):
        base = (ball(64) * (1 + abs(ratio))).exp().mid()
        for near in (ball("-3/2"), (base ** (ball(1) / 4) / 8).mid() * ball("999/1000")):
            for far in ("1.0001", "-7/4"):
                gap = limit_gap(base, near, base * ball(far), ratio)
                cases.append((f"nu/mu {ratio}, near {text(near, 5)}, far {far} b", gap - ball("1/8")))
    yield search("limit gap less 1/8", cases, control="0.2423")
    yield from EQ_7.attack()


@practice("eq-7")
def eq_7_practice() -> Iterator[dict[str, object]]:
    """Rows: the printed threshold against real bases, and the D that (33) then asks for."""
    for base in BASES:
        yield {
            "base": base,
            "printed threshold on the base, nu_0 = 0": short(ball(64).exp()),
            "met": less(ball(64).exp(), base),
            "largest near distance b^(1/4)/8": short(ball(base) ** (ball(1) / 4) / 8),
            "integers in the near range": len(near_integers(base)),
            "D that (33) asks for at Lambda = b, alpha = 0": short(128 * arb.pi() * base),
        }
