"""Appendix E, the error of the Riemann sum: eqs 47 to 51.

Eq 47 counts alpha D/2 terms where there can be one more, and its geometric sum begins too late, so it fails; eq 51, its
purpose, is true all the same, for every angular factor c.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import sympy as sp
from flint import arb, ctx

from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball
from proofs.checks import (
    EDGES,
    WAVES,
    Point,
    arrives,
    at_least,
    exact,
    margins,
    rises,
    same,
    search,
    termwise,
)
from proofs.exact import Expr, to_ball
from proofs.integrals import ci
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_e_riemann import (
    ALPHAS,
    ANY_HEAD_DIM,
    EPSILON,
    EQ_26,
    EQ_44_REPAIRED,
    HALF,
    PLACE,
    READ_TO_LAST,
    THOUSANDTH,
    first_past,
)
from proofs.paper.classical_lemmas import KAPPA, KAPPA_BOUNDS, P, k, u, v
from proofs.statements import TURN, Conclusion, Statement, Variable, chain, relation
from proofs.subdivision import attacked_in_boxes
from proofs.waves import (
    ANY_BASE,
    ANY_DISTANCE,
    ANY_FACTOR,
    LOG,
    SHARE,
    SIZES,
    D,
    L,
    alpha,
    c,
    d,
    delta_sum,
    lam,
    theta,
    x,
)

LARGE_HEAD = SIZES[1]  # D > 4 L
STEEPEST, STEEP = ((2 * L / D).subs(D, LARGE_HEAD.low + more) for more in (0, v))  # u at its end, and every u
SLOW_KAPPA = KAPPA_BOUNDS.target(2)  # 1/2 + u/12
PHASE_CUT = 2


def near(point: Point, share: Fraction, wave: str = "cos") -> arb:
    """Delta' of eq 43."""
    return sum(_terms(point, wave, ctx.prec)[: first_past(point.head_dim, share)], arb(0))


def far(point: Point, share: Fraction, wave: str = "cos") -> arb:
    """Delta'' of eq 43."""
    return sum(_terms(point, wave, ctx.prec)[first_past(point.head_dim, share) :], arb(0))


@lru_cache(maxsize=2)  # both waves of one point, which is cut at several shares
def _terms(point: Point, wave: str, _bits: int) -> tuple[arb, ...]:
    return tuple(point.terms(wave))


def geometric(point: Point, share: Fraction) -> tuple[arb, arb]:
    """The sum over d > alpha D/2 up to D/2 of theta_0^{2d/D}, and the bound that eq 47 prints for it."""
    ratio = (-2 * point.log / point.head_dim).exp()
    later = range(first_past(point.head_dim, share), point.head_dim // 2 + 1)
    bound = (-point.log * ball(share)).exp() * ratio / (1 - ratio)
    return sum((ratio**d for d in later), arb(0)), bound


CUT: Expr = sp.floor(alpha * D / 2)
NEAR_TERMS, FAR_TERMS = delta_sum(sp.Integer(0), CUT), delta_sum(CUT + 1, D / 2 - 1)
POWERS = sp.Sum(theta ** (2 * d / D), (d, CUT + 1, D / 2))
RATIO: Expr = theta ** (2 / D)
EQ_47 = Statement(
    (*SIZES, SHARE),
    (
        Conclusion(relation(sp.Abs(NEAR_TERMS), "<=", 2 * alpha)),
        Conclusion(relation(sp.Abs(FAR_TERMS), "<=", 8 * sp.pi * lam * L / D**2 * POWERS)),
        Conclusion(relation(POWERS, "<=", theta**alpha * RATIO / (1 - RATIO))),
        Conclusion(relation(theta**alpha * RATIO / (1 - RATIO), "<=", theta**alpha * (1 / (1 - RATIO) - 1))),
    ),
    meaning=LOG,
    words=READ_TO_LAST
    + r"$\Delta'$ and $\Delta''$ are the sums of $\Delta_d$ of (42) up to $\lfloor\alpha D/2\rfloor$ "
    "and beyond it; ",
)


@claim(
    "eq-47",
    where="App. E, eq 47",
    kind="step",
    says=EQ_47,
    cites=("eq-42",),
    outline="d <= alpha D/2 holds for floor(alpha D/2) + 1 values of d, which is more than alpha D/2; and where "
    "alpha D/2 is no integer the sum begins at floor(alpha D/2) + 1, so its first power is larger than the printed "
    "one.",
)
def eq_47(statement: Statement) -> Iterator[Evidence]:
    point = {theta: sp.Rational(1, 11), D: 10, lam: sp.Rational(3, 2)}
    yield statement.fails_at({**point, alpha: sp.Rational(1, 1000)}, 1)
    yield statement.fails_at({**point, alpha: sp.Rational(99, 500)}, 3)


SHARE_0 = sp.Symbol("alpha", nonnegative=True)
KAPPA_SYMBOL = sp.Symbol("kappa", positive=True)
SMALL_SHARE = Variable(SHARE_0, low=sp.Integer(0), high=sp.Integer(1), closed=True)
CUT_0: Expr = CUT.subs(alpha, SHARE_0)
EQ_47_REPAIRED = Statement(
    (ANY_BASE, ANY_HEAD_DIM, ANY_DISTANCE, ANY_FACTOR, SMALL_SHARE),
    tuple(
        Conclusion(relation(sp.Abs(delta_sum(first, last, wave, c)), "<=", bound))
        for wave in WAVES
        for first, last, bound in (
            (sp.Integer(0), CUT_0, 2 * SHARE_0 + 4 / D),
            (CUT_0 + 1, D / 2 - 1, 2 / D * KAPPA_SYMBOL * c * lam * theta**SHARE_0),
        )
    ),
    meaning={**LOG, KAPPA_SYMBOL: KAPPA.subs(u, 2 * L / D)},
    words=r"with $\Delta_d$ of (42), for $\cos$ (first two) and $\sin$ (last two): ",
)


@repair(
    "eq-47",
    says=EQ_47_REPAIRED,
    uses=("eq-44*", "lem-riemann"),
    cites=("eq-42",),
    outline="Delta' has k = floor(alpha D/2) + 1 <= alpha D/2 + 1 terms; Delta'' begins at k > alpha D/2, so that "
    "theta_0^{2k/D} < theta_0^alpha.",
)
def eq_47_repaired(statement: Statement) -> Iterator[Evidence]:
    for near_, far_ in ((1, 2), (3, 4)):
        first, last = (statement.conclusions[i - 1].says.lhs.args[0].limits[0][1:] for i in (near_, far_))
        number = first[1].args[0] + 1  # floor(z) + 1 <= z + 1
        yield counted(number.subs(SHARE_0, alpha))
        each = EQ_44_REPAIRED.target(1 + near_ // 2)
        yield arrives("4/D for each term", each * number, statement.target(near_))
        yield exact("the rest begins where they end", last[0] == first[1] + 1, last[0], first[1] + 1)
        start = 2 / D * KAPPA_SYMBOL * c * lam * theta ** (2 * k / D)  # lem-riemann from term k on
        yield arrives("at 2k/D = alpha", start.subs(k, SHARE_0 * D / 2), statement.target(far_))
    yield arrives("kappa of lem-riemann", KAPPA.subs(u, 2 * L / D), statement.meaning[KAPPA_SYMBOL])


def counted(terms: sp.Expr) -> Evidence:
    """4/D for each of at most `terms` terms is at most 2 alpha + 4/D, and `terms` covers floor(alpha D/2) + 1."""
    whole = sp.Symbol("whole", positive=True)  # alpha D/2
    enough = (sp.floor(whole) <= sp.expand(terms.subs(alpha, 2 * whole / D)) - 1) == sp.true
    found = same("4/D times the number of terms", sp.expand(4 / D * terms), 2 * alpha + 4 / D)
    return found if enough else exact("number of terms", enough, terms, "floor(alpha D/2) + 1 <= terms")


@attack(
    "eq-47*",
    domain=f"{EQ_47_REPAIRED.domain(number=12)}; "
    + f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999; cos and sin",
)
def eq_47_attack() -> Iterator[Evidence]:
    def first(q: Point) -> Iterator[tuple[Real, Real]]:
        for share in ALPHAS:
            yield from ((abs(near(q, share, wave)), 2 * share + Fraction(4, q.head_dim)) for wave in WAVES)

    def second(q: Point) -> Iterator[tuple[Real, Real]]:
        steep = 2 * q.log / q.head_dim
        kappa = 1 / (1 - (-steep).exp()) - 1 / steep
        for share in ALPHAS:
            bound = kappa * q.phase(share) * 2 / q.head_dim
            yield from ((abs(far(q, share, wave)), bound) for wave in WAVES)

    yield search("1 - |Delta'|/bound", margins(first, relative=True), control="0.351")
    yield search("1 - |Delta''|/bound", margins(second, relative=True), control="0.152")
    yield from EQ_47_REPAIRED.attack(number=12)


EQ_47_A = Statement(
    (*SIZES, SHARE),
    (
        Conclusion(
            relation(
                sp.Abs(FAR_TERMS), "<=", 8 * sp.pi * lam * L / D**2 * theta**alpha * (1 / (1 - RATIO) - 1)
            )
        ),
    ),
    meaning=LOG,
    words=READ_TO_LAST + r"the last member of (47) bounds $\Delta''$ although the members between do not: ",
)


@claim(
    "eq-47.a",
    where="App. E, eq 47",
    kind="step",
    says=EQ_47_A,
    uses=("eq-47*", "lem-riemann.kappa"),
    cites=("eq-42",),
    outline="With u = 2L/D < 1/2 it is (2/D) c lambda theta_0^alpha u/(e^u - 1), and u/(e^u - 1) >= 1 - u/2 >= 1/2 "
    "+ u/12 >= kappa(u).",
)
def eq_47_a(statement: Statement) -> Iterator[Evidence]:
    last = statement.target().subs(theta, sp.exp(-L)).subs(lam, P * sp.exp(alpha * L) / TURN)
    yield same("the last member", sp.simplify(last).subs(L, u * D / 2), 2 / D * P * u / (sp.exp(u) - 1))
    lower = 1 - u / 2
    yield rises("u - (1 - u/2)(e^u - 1)", u - lower * (sp.exp(u) - 1), u, 2)
    sides = (one.subs(u, STEEP) for one in (lower, SLOW_KAPPA))
    yield at_least("1 - u/2 >= 1/2 + u/12 at u < 1/2", *sides)


@attack("eq-47.a", domain=f"{EQ_47_A.domain(number=12)}; " + f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999")
def eq_47_a_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        steep = 2 * q.log / q.head_dim
        for share in ALPHAS:
            yield abs(far(q, share)), 2 * q.phase(share) * steep / q.head_dim / (steep.exp() - 1)

    yield search("1 - |Delta''|/last member", margins(pairs, relative=True), control="0.521")
    yield from EQ_47_A.attack(number=12)


EQ_48 = Statement(
    (ANY_BASE, ANY_HEAD_DIM),
    (Conclusion(relation(1 - RATIO, ">=", 2 * L / D - 4 * L**2 / D**2)),),
    meaning=LOG,
)


@claim(
    "eq-48",
    where="App. E, eq 48",
    kind="step",
    says=EQ_48,
    outline="Taylor at u = 2L/D, with the second-order term twice what it need be.",
)
def eq_48(statement: Statement) -> Iterator[Evidence]:
    yield from in_u(statement)
    slope: Expr = sp.diff(1 - sp.exp(-L * x), x)  # of 1 - theta_0^x, at 0
    second = L**2  # by eq 49
    derived = slope.subs(x, 0) * 2 / D - second * (2 / D) ** 2
    yield arrives("the mean value theorem, twice", derived, statement.target())


def in_u(statement: Statement) -> Iterator[Evidence]:
    """1 - theta_0^(2/D) >= 2L/D less a multiple of its square, as a statement on u = 2L/D."""
    left, right = statement.conclusions[0].sides
    steep = {theta: sp.exp(-u * D / 2), L: u * D / 2}
    yield same("left side, u = 2L/D", sp.simplify(left.subs(steep)), 1 - sp.exp(-u))
    yield taylor(sp.simplify((u - right.subs(steep)) / u**2))


EQ_48_REPAIRED = Statement(
    (ANY_BASE, Variable(D, low=sp.Integer(0))),
    (
        Conclusion(
            relation(1 - RATIO, ">=", 2 * L / D - 2 * L**2 / D**2),
            sharp=(THOUSANDTH, {theta: sp.Rational(99, 100), D: 2}),
        ),
    ),
    meaning=LOG,
    words=r"with $1/2$ for the least factor of $u^2$, $u = 2L/D$ (and at $\theta_0 = 1$ both sides are 0), ",
)


@repair(
    "eq-48",
    says=EQ_48_REPAIRED,
)
def eq_48_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from in_u(statement)
    least = sp.limit((u - 1 + sp.exp(-u)) / u**2, u, 0)
    yield arrives(
        "2L/D less the least factor of u^2", 2 * L / D - least * (2 * L / D) ** 2, statement.target()
    )


def taylor(factor: sp.Expr) -> Evidence:
    """1 - e^-u >= u - factor u^2 for u >= 0."""
    return rises("1 - e^-u - u + factor u^2", 1 - sp.exp(-u) - u + factor * u**2, u, 3)


@attack("eq-48*", domain=f"{EQ_48_REPAIRED.domain()}; " + "u = 2L/D = 2^-20 to 2^10, exceeding every D > 4L")
def eq_48_attack() -> Iterator[Evidence]:
    sizes = [ball(Fraction(2) ** i) for i in range(-20, 11)]
    cases = ((f"u={q}", (1 - (-q).exp() - q + q * q / 2) * (1 + q) / q**3) for q in sizes)
    yield search("(1 - e^-u - u + u^2/2) (1 + u)/u^3", cases, control="0.167")
    yield from EQ_48_REPAIRED.attack()
    yield from EQ_48_REPAIRED.sharpness()


EQ_49 = Statement(
    (ANY_BASE, ANY_HEAD_DIM, Variable(PLACE, low=sp.Integer(0), high=2 / D, closed=True)),
    (Conclusion(relation(sp.Abs(sp.Derivative(theta**PLACE, (PLACE, 2))), "<=", L**2)),),
    meaning=LOG,
)


@claim(
    "eq-49",
    where="App. E, eq 49",
    kind="step",
    says=EQ_49,
    outline="It is L^2 theta_0^x, which falls; the supremum is attained at x = 0.",
)
def eq_49(statement: Statement) -> Iterator[Evidence]:
    yield second_derivative()
    yield rises("L^2 less L^2 theta_0^x, over L^2", 1 - sp.exp(-u), u, 1)
    found = statement.conclusions[0].says.lhs.args[0].doit().subs(theta, sp.exp(-L))
    yield arrives("attained at x = 0", sp.simplify(found.subs(PLACE, 0)), statement.target())


def second_derivative(power: int = 2) -> Evidence:
    """The second derivative of theta_0^x is L^power theta_0^x."""
    return same("second derivative of theta_0^x", sp.diff(sp.exp(-L * x), x, 2), L**power * sp.exp(-L * x))


@attack("eq-49", domain="" + f"{EDGES}; x = 2/(16 D) to 2/D by sixteenths")
def eq_49_attack() -> Iterator[Evidence]:

    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for i in range(1, 17):
            yield (-q.log * i / (8 * q.head_dim)).exp() * q.log**2, q.log**2

    yield search("1 - |second derivative|/L^2", margins(pairs, relative=True), control="0.0284")


EQ_50 = Statement(
    (*SIZES, SHARE),
    chain(
        sp.Abs(FAR_TERMS),
        ("<=", 4 * sp.pi * lam / D * theta**alpha / (1 - 2 * L / D)),
        ("<=", 8 * sp.pi * lam * theta**alpha / D),
    ),
    meaning=LOG,
    words=READ_TO_LAST,
)


@claim(
    "eq-50",
    where="App. E, eq 50",
    kind="step",
    says=EQ_50,
    uses=("eq-47.a",),
    cites=("eq-42",),
    outline="u/(e^u - 1) <= 1 <= 1/(1 - u) <= 2 for u = 2L/D < 1/2. It is (48) that is inserted, not (49).",
)
def eq_50(statement: Statement) -> Iterator[Evidence]:
    yield rises("e^u - 1 - u", sp.exp(u) - 1 - u, u, 2)
    series = 1 / (1 - STEEP)
    yield at_least("1/(1 - u) >= 1", series, sp.Integer(1))
    yield at_least("2 >= 1/(1 - u)", 1 / (1 - STEEPEST), series)
    inserted = 8 * sp.pi * lam * L / D**2 * theta**alpha / EQ_48.target()
    yield arrives("(48) in the last member of (47)", inserted, statement.target(1))
    yield arrives("at 2L/D = 1/2", inserted.subs(L, STEEPEST * D / 2), statement.target(2))


@attack("eq-50", domain=EQ_50.domain(number=12))
def eq_50_statement_attack() -> Iterator[Evidence]:
    yield from EQ_50.attack(number=12)


EQ_50_REPAIRED = Statement(
    (ANY_BASE, LARGE_HEAD, ANY_DISTANCE, ANY_FACTOR, SMALL_SHARE),
    tuple(
        Conclusion(
            relation(
                sp.Abs(delta_sum(CUT_0 + 1, D / 2 - 1, wave, c)),
                "<=",
                sp.Rational(13, 12) * c * lam * theta**SHARE_0 / D,
            )
        )
        for wave in WAVES
    ),
    meaning=LOG,
    words=r"3.7 times smaller than printed, for $\cos$ and $\sin$: ",
)


@repair(
    "eq-50",
    says=EQ_50_REPAIRED,
    uses=("eq-47*", "lem-riemann.kappa"),
    outline="2 kappa(u) <= 1 + u/6 at u < 1/2.",
)
def eq_50_repaired(statement: Statement) -> Iterator[Evidence]:
    for index in (1, 2):
        factor = sp.simplify(statement.target(index) * D / (2 * c * lam * theta**SHARE_0))
        yield worst_kappa(factor)
        yield arrives("1/2 + u/12 at u = 1/2", SLOW_KAPPA.subs(u, STEEPEST), factor)


def worst_kappa(bound: sp.Expr) -> Evidence:
    """1/2 + u/12 <= bound for every u < 1/2."""
    return at_least("bound >= 1/2 + u/12", bound, SLOW_KAPPA.subs(u, STEEP))


@attack(
    "eq-50*",
    domain=f"{EQ_50_REPAIRED.domain(number=12)}; "
    + f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999; cos and sin",
)
def eq_50_attack() -> Iterator[Evidence]:
    def bound(q: Point, share: Fraction) -> arb:
        values = {theta: q.inverse_base, D: q.head_dim, lam: q.distance, c: 2 * arb.pi(), SHARE_0: share}
        return to_ball(EQ_50_REPAIRED.target(1), values).real

    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for share in ALPHAS:
            for wave in WAVES:
                yield abs(far(q, share, wave)), bound(q, share)

    yield search("1 - |Delta''|/bound, 13/12", margins(pairs, relative=True), control="0.153")
    yield from EQ_50_REPAIRED.attack(number=12)


EQ_51 = Statement(
    (*SIZES, SHARE),
    (
        Conclusion(
            relation(
                sp.Abs(delta_sum(sp.Integer(0), D / 2 - 1) / 2),
                "<=",
                alpha + 4 * sp.pi * lam * theta**alpha / D,
            )
        ),
    ),
    meaning=LOG,
    words=READ_TO_LAST + r"$\epsilon(D; \lambda, \theta_0, \alpha)$ of (26) bounds $\Delta/2$: ",
)


@claim(
    "eq-51",
    where="App. E, eq 51",
    kind="step",
    says=EQ_51,
    uses=("eq-44*", "eq-47*", "lem-riemann"),
    cites=("eq-26", "eq-42"),
    outline="Not by (47). Let P = c lambda theta_0^alpha. From eq-47* and kappa < 1, |Delta/2| <= alpha + (2 + "
    "P)/D, which suffices where P >= 2. Where P < 2, some alpha' < alpha has P = 2, as 2 pi lambda > 2, and e "
    "rises from alpha' to alpha, since de/dalpha = 1 - 2LP/D > 0 there. For alpha >= 1, |Delta/2| <= 1 by (44).",
)
def eq_51(statement: Statement) -> Iterator[Evidence]:
    yield from error_in_turns(statement, statement.target())
    yield arrives("e of eq 26", EQ_26.meaning[EPSILON], statement.target())


def error_in_turns(statement: Statement, bound: Expr) -> Iterator[Evidence]:
    """The steps of eq-51 for a bound alpha + printed P/D, P in turns: some alpha has P at the cut."""
    phase = TURN * lam * theta**alpha
    yield from riemann_error(printed=sp.simplify((bound - alpha) * D / phase))
    least = phase.subs(alpha, 0).subs(lam, statement.range_of(lam).low)
    yield exact("P at alpha = 0 is beyond the cut", bool(least > PHASE_CUT), least, f"> {PHASE_CUT}")


def riemann_error(cut: int = PHASE_CUT, printed: Expr = 2) -> Iterator[Evidence]:
    """The steps of eq-51: `cut` is the phase at which e is compared, `printed` the factor of P/D in e."""
    beyond = cut + v
    yield counted(alpha * D / 2 + 1)
    yield termwise("e - alpha - (2 + P)/D where P >= cut", (printed * beyond - 2 - beyond) / D)
    epsilon, phase = alpha + printed * P * sp.exp(-alpha * L) / D, P * sp.exp(-alpha * L)
    yield same("slope of e", sp.diff(epsilon, alpha), 1 - printed * L * phase / D)
    slope = 1 - printed * L * cut / D
    yield termwise("slope of e where P <= cut and D > 4L", slope.subs(D, LARGE_HEAD.low + v))
    for each in (EQ_44_REPAIRED.target(1), EQ_44_REPAIRED.target(2)):
        yield same("(1/2)(D/2)(4/D)", D / 4 * each, sp.Integer(1))


EQ_51_REPAIRED = Statement(
    (ANY_BASE, LARGE_HEAD, ANY_DISTANCE, ANY_FACTOR, Variable(SHARE_0, low=sp.Integer(0), closed=True)),
    tuple(
        Conclusion(relation(sp.Abs(delta_sum(sp.Integer(0), D / 2 - 1, wave, c) / 2), "<=", SHARE_0 + bound))
        for wave in WAVES
        for bound in (
            2 * c * lam * theta**SHARE_0 / D,
            2 / D + sp.Rational(13, 24) * c * lam * theta**SHARE_0 / D,
        )
    ),
    meaning=LOG,
    words=r"for $\cos$ (first two) and $\sin$ (last two): ",
)


@repair(
    "eq-51",
    says=EQ_51_REPAIRED,
    uses=("eq-44*", "eq-47*", "eq-50*", "lem-riemann"),
    outline="As eq-51; where c lambda < 2 there is no alpha', but e rises on all of alpha >= 0 and e(0) = 2 c lambda/D "
    "exceeds kappa c lambda/D, which is lem-riemann at k = 0.",
)
def eq_51_repaired(statement: Statement) -> Iterator[Evidence]:
    yield same("half of 2 alpha + 4/D", (2 * alpha + 4 / D) / 2, alpha + 2 / D)
    yield same("kappa of lem-riemann at small u", sp.limit(KAPPA, u, 0), HALF)
    phase = c * lam * theta**SHARE_0
    for index in (1, 3):
        printed = sp.simplify((statement.target(index) - SHARE_0) * D / phase)
        yield from riemann_error(printed=printed)
        yield at_least("2 >= 1, as kappa < 1", printed, KAPPA_BOUNDS.target(1))
        yield arrives("e of eq 26, any unit", SHARE_0 + 2 * phase / D, statement.target(index))
        near_ = EQ_47_REPAIRED.target(1) / 2
        far_ = EQ_50_REPAIRED.target(1) / 2
        yield worst_kappa(sp.simplify(far_ * D / phase))
        yield arrives("half of eq-47* and eq-50*", near_ + far_, statement.target(index + 1))


@attack("eq-51*", domain=EQ_51_REPAIRED.domain(number=12))
def eq_51_repaired_statement_attack() -> Iterator[Evidence]:
    yield from EQ_51_REPAIRED.attack(number=12)


@attack(
    "eq-51",
    domain=f"{EQ_51.domain(number=12)}; "
    + f"{EDGES}, alpha minimising; every lambda in [1, 4] with every L in [2.3025, 4] at D = 64, in boxes",
)
def eq_51_attack() -> Iterator[Evidence]:
    for wave, control in (("cos", "0.806"), ("sin", "0.824")):
        pairs = margins(
            lambda q, w=wave: [(abs(q.sum(w) - q.half_integral(w)), q.least_epsilon())],
            (0, 2, 64, 256),
            relative=True,
        )
        yield search(f"1 - |Delta/2|/least e, {wave}", pairs, control=control)
    for sign, control in ((1, "0.21"), (-1, "0.21")):
        what = f"least e {'-' if sign > 0 else '+'} (C_D - I/2) > 0 at D = 64"
        box = (0, ball("2.3025")), (arb(4).log(), 4)
        asked = "every lambda in [1, 4], L in [2.3025, 4]", *box
        yield from attacked_in_boxes(
            what, lambda q, log, s=sign: _slack(q, log, s), None, box, asked, control=control
        )
    yield from EQ_51.attack(number=12)


def _slack(log_distance: arb, log: arb, sign: int, head_dim: int = 64) -> arb:
    """Least e less sign (C_D - I/2), for balls of log lambda and L: a lower bound, as (1 + log q)/L <= q/L."""
    turn = 2 * arb.pi()
    steep = 2 * turn * log_distance.exp() * log / head_dim
    least = steep / log if at_most(steep, 1) else (1 + steep.log()) / log
    phases = (turn * (log_distance - log * d * 2 / head_dim).exp() for d in range(head_dim // 2))
    total = sum((phase.cos() for phase in phases), arb(0)) / head_dim
    integral = ci(turn * log_distance.exp()) - ci(turn * (log_distance - log).exp())
    return least - sign * (total - integral / (2 * log))
