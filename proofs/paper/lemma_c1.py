r"""Lemma C.1: the end of its proof (eq 69), the lemma (eq 25), its repair, and where it says nothing.

The lemma is true as stated, although eqs 42, 47, 55, 56, 59, 60 (as derived), 65, 66, 67 and 68 of its proof are
not. At the sizes in use its cosine bound is empty: above the trivial 1/2 at every distance and for every alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import (
    BASES,
    EDGES,
    HEAD_DIMS,
    WAVES,
    Point,
    controlled,
    equality,
    exact,
    margins,
    points,
    rises,
    rounded_up,
    same,
    search,
    termwise,
)
from proofs.integrals import cos_sum, si, sin_sum
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.letters import (
    ALPHA,
    ANY_BASE,
    ANY_HEAD,
    ANY_UNIT,
    BASE,
    DIM,
    LEMMA_BASE,
    LEMMA_HEAD,
    LOG,
    NEAR_POSITIVE,
    UNIT,
    in_closed_form,
    lemma_error,
)
from proofs.paper.appendix_e_bound import integral_bound
from proofs.paper.appendix_e_riemann import HALF, riemann_decomposition
from proofs.paper.appendix_e_sin import EQ_62, EQ_67_REPAIRED
from proofs.paper.classical_lemmas import CI_BOUND, RIEMANN, SECOND_ORDER, D, L, P, theta, u, v
from proofs.statements import (
    TURN,
    Conclusion,
    Cosines,
    SineLimit,
    Sines,
    Statement,
    Variable,
    constant_ball,
    relation,
    tex,
)
from proofs.subdivision import attacked_in_boxes
from proofs.waves import alpha, c, lam, piece

COSINE_DIM = 8
COSINE_LIMIT, SINE_LIMIT = COSINE_DIM * sp.exp(2), 4 * sp.pi * sp.exp(3)  # of lem-C.1.empty


BEYOND_ONE = Variable(NEAR_POSITIVE, low=sp.Integer(1), cut=True)
HALF_INTEGRAL = SineLimit(BASE, NEAR_POSITIVE, TURN)  # I/2
EQ_69 = Statement(
    (LEMMA_BASE, BEYOND_ONE),
    (
        Conclusion(relation(HALF_INTEGRAL, "<", 2 / LOG)),
        Conclusion(relation(HALF_INTEGRAL, ">", -2 / LOG)),
    ),
    meaning={LOG: sp.log(BASE)},
    words=r"$I/2 = \lim_D S_D(\lambda)$, ",
)


@claim(
    "eq-69",
    where="App. E, eq 69",
    kind="step",
    says=EQ_69,
    uses=("eq-62", "eq-67*"),
    outline="2 L (I/2) = Si(2 pi lambda) - Si(2 pi lambda theta_0), a difference of two numbers of (0, Si(pi)], "
    "with Si(pi) < pi.",
)
def eq_69(statement: Statement) -> Iterator[Evidence]:
    for index, sign in ((1, 1), (2, -1)):
        yield sine_constant(sp.expand(sign * LOG * statement.target(index)))


def sine_constant(bound: sp.Expr) -> Evidence:
    """Si(pi)/2 < pi/2 <= bound, and 3/2 is none; 1/2 is that of eq 62, and Si(pi) < pi is eq-67*."""
    half = EQ_62.target() / piece(lam * theta, lam, "sin") * L
    gaps = [one - half * EQ_67_REPAIRED.target(4) for one in (bound, 3 * HALF)]
    found, less = (exact(f"bound - pi/2 = {gap} >= 0", gap.is_nonnegative, gap, ">= 0") for gap in gaps)
    return controlled(found, less)


@attack("eq-69", domain=EQ_69.domain())
def eq_69_own_attack() -> Iterator[Evidence]:
    yield from EQ_69.attack()


EXTREMES = (sp.Si(sp.pi), sp.Si(3 * sp.pi))
HUGE, THOUSANDTH = sp.Integer(10) ** 12, sp.Rational(1, 1000)
WHICH_PAIR = sp.Symbol("x", real=True)  # 2d/D
SINE_INTEGRAL = sp.Integral(sp.sin(UNIT * NEAR_POSITIVE * BASE**-WHICH_PAIR), (WHICH_PAIR, 0, 1))
SINE_PEAKS = "0.926", "0.8374"  # times 1/L: of every angular factor, and in turns beyond 1
FROM_ONE = relation(NEAR_POSITIVE, ">", BEYOND_ONE.low)
EQ_69_REPAIRED = Statement(
    (ANY_UNIT, ANY_BASE, Variable(NEAR_POSITIVE, low=sp.Integer(0))),
    (
        Conclusion(
            relation(sp.Abs(SineLimit(BASE, NEAR_POSITIVE, UNIT)), "<", sp.Si(sp.pi) / (2 * LOG)),
            sharp=(THOUSANDTH, {UNIT: TURN, BASE: HUGE, NEAR_POSITIVE: HALF}),
        ),
        Conclusion(
            relation(sp.Abs(HALF_INTEGRAL), "<", sp.Si(3 * sp.pi) / (2 * LOG)),
            when=(FROM_ONE,),
            sharp=(THOUSANDTH, {UNIT: TURN, BASE: HUGE, NEAR_POSITIVE: 3 * HALF}),
        ),
    ),
    meaning={LOG: sp.log(BASE)},
    words=rf"${tex(HALF * sp.Symbol('I'))}$, $I = {tex(SINE_INTEGRAL)}$, is below ${SINE_PEAKS[0]}/L$ in size for "
    rf"every angular factor, as another $\lambda$ makes one of the other, and below ${SINE_PEAKS[1]}/L$ in turns with "
    rf"${tex(FROM_ONE)}$; both are approached as $\theta_0$ tends to zero, at $2\pi\lambda = \pi$ and $3\pi$: ",
)


@repair(
    "eq-69",
    says=EQ_69_REPAIRED,
    uses=("eq-62", "eq-67*", "lem-ci", "lem-hump"),
    outline="Si > 0 and Si <= Si(pi) give the first. From 2 pi on, Si lies in [Si(2 pi), Si(3 pi)]: it rises to 3 "
    "pi, falls to 4 pi, and stays within 1/(4 pi) of pi/2 beyond; and Si(pi) - Si(2 pi) is smaller than Si(3 pi).",
)
def eq_69_repaired(statement: Statement) -> Iterator[Evidence]:
    pi = arb.pi()
    tail = 1 / (4 * pi)
    first, second = (sp.expand(2 * LOG * statement.target(index)) for index in (1, 2))
    yield exact(
        "the greatest Si, and the greatest from 2 pi on",
        (first, second) == EXTREMES,
        (first, second),
        EXTREMES,
    )
    yield from half_of_integral()
    for peak, said in zip((first, second), SINE_PEAKS, strict=True):
        yield from rounded_up(f"{peak}/2 < {said}", constant_ball(peak) / 2, said, f"1e-{len(said) - 2}")
    yield from statement.sharpness()
    yield below("from 4 pi on Si < Si(3 pi)", pi / 2 + tail, si(3 * pi))
    yield below("from 4 pi on Si > Si(2 pi)", si(2 * pi), pi / 2 - tail)
    yield below("Si(2 pi) < Si(4 pi)", si(2 * pi), si(4 * pi))
    yield below("Si(pi) - Si(2 pi) < Si(3 pi)", si(pi) - si(2 * pi), si(3 * pi))


def half_of_integral() -> Iterator[Evidence]:
    """I/2 is the limit of S_D: the closed form of both."""
    (angle,), ((x, low, high),) = SINE_INTEGRAL.function.args, SINE_INTEGRAL.limits
    primitive = -sp.Si(angle) / sp.log(BASE)
    yield equality("a primitive of the integrand", sp.diff(primitive, x), SINE_INTEGRAL.function)
    found = HALF * (primitive.subs(x, high) - primitive.subs(x, low))
    yield equality("I/2", found, in_closed_form(SineLimit(BASE, NEAR_POSITIVE, UNIT)))


BEYOND = relation(NEAR_POSITIVE, ">", 1)


@necessary("eq-69*", hypothesis=f"${tex(BEYOND)}$")
def eq_69_nearer_than_one() -> Iterator[Evidence]:
    yield EQ_69_REPAIRED.without(BEYOND, 2).fails_at({UNIT: TURN, BASE: HUGE, NEAR_POSITIVE: HALF}, 2)


@attack(
    "eq-69*",
    domain="every lambda in [1, 400] with every theta_0 in [e^-12, 1/10], in boxes; then lambda = 3/2, theta_0 = 1e-12",
)
def eq_69_attack() -> Iterator[Evidence]:
    turn = 2 * arb.pi()
    for sign, control in ((1, "5.9e-5"), (-1, "1.37")):

        def margin(log_distance: arb, log: arb, sign: int = sign) -> arb:
            far = si(turn * (log_distance - log).exp())
            return si(3 * arb.pi()) + ball("1e-6") - sign * (si(turn * log_distance.exp()) - far)

        def slopes(log_distance: arb, log: arb, sign: int = sign) -> list[arb]:
            near, far = (turn * log_distance.exp()).sin(), (turn * (log_distance - log).exp()).sin()
            return [sign * (far - near), -sign * far]

        what = f"Si(3 pi) + 1e-6 {'-' if sign > 0 else '+'} 2 L (I/2) > 0"
        asked = "every lambda in [1, 400], theta_0 in [e^-12, 1/10]", (0, arb(10).log()), (arb(400).log(), 12)
        yield from attacked_in_boxes(what, margin, slopes, ((0, "2.3025"), (6, 12)), asked, control=control)
    point = Point(Fraction(1, 10**12), 112, Fraction(3, 2))
    reached = point.log * point.half_integral("sin")
    exceeded = below("0.8373/L is exceeded", "0.8373", reached)
    yield controlled(exceeded, below("0.8374/L is", "0.8374", reached))
    yield from EQ_69_REPAIRED.attack()


ERROR = sp.Symbol("epsilon", positive=True)
LEMMA = Statement(
    (LEMMA_BASE, ANY_HEAD, BEYOND_ONE, Variable(ALPHA, low=sp.Integer(0))),
    (
        Conclusion(
            relation(
                sp.Abs(Cosines(DIM, BASE, NEAR_POSITIVE, TURN)),
                "<=",
                2 * BASE / (LOG * NEAR_POSITIVE * sp.pi) + ERROR,
            )
        ),
        Conclusion(relation(sp.Abs(Sines(DIM, BASE, NEAR_POSITIVE, TURN)), "<=", 2 / LOG + ERROR)),
    ),
    given=(LEMMA_HEAD,),
    meaning={ERROR: lemma_error(NEAR_POSITIVE), LOG: sp.log(BASE)},
    words=r"$\theta_0 = 1/b$, ",
)


def lemma_parts(statement: Statement) -> Iterator[Evidence]:
    """The bounds of I/2, for the cosine and the sine, and e once beside each."""
    cosine, sine = (sp.expand(statement.target(index) - ERROR) for index in (1, 2))
    yield from integral_bound(TURN, cosine.subs({BASE: 1 / theta, LOG: L, NEAR_POSITIVE: lam}))
    yield sine_constant(sp.expand(LOG * sine))
    free = (cosine + sine).free_symbols
    yield exact("e stands beside both, once", ERROR not in free, free, "no e left")


@claim(
    "eq-25",
    where="App. C, eq 25",
    kind="equation",
    says=LEMMA,
    uses=("eq-42*", "eq-44*", "eq-51", "eq-60*", "eq-61", "eq-69"),
    outline="C_D = I/2 + Delta/2; the bounds of the parts are eq-60* and eq-69, eq-51 and eq-61. For alpha >= 1, "
    "beyond what App. E treats, |Delta/2| <= 1 <= alpha by (44).",
)
def eq_25(statement: Statement) -> Iterator[Evidence]:
    yield from lemma_parts(statement)
    yield same("D/2 terms of 4/D, halved", D / 2 * (4 / D) / 2, sp.Integer(1))


@claim(
    "lem-C.1",
    where="App. C, Lemma C.1",
    kind="lemma",
    says=LEMMA,
    uses=("eq-25",),
    outline="It is eq 25. The printed proof is broken in ten steps; eqs 51, 60, 61 and 69 are proved here in other "
    "ways. The hypotheses theta_0 < 1/10 and lambda > 1 are not needed: see the repair.",
    proof=r"""
        As in the proof of `lem-C.1*`, in turns and in the printed shape:
        $\frac{1+\theta_0}{2FL}<\frac2{\pi\lambda\theta_0L}$ and $\frac{\mathrm{Si}(\pi)}{2L}<\frac2L$. Ten
        steps of the printed proof do not hold. $\square$
    """,
)
def lem_c1(statement: Statement) -> Iterator[Evidence]:
    yield from lemma_parts(statement)
    met = {BASE: 11, DIM: 10, NEAR_POSITIVE: 2, ALPHA: 1}
    yield exact("the hypotheses can be met", bool(statement.values_at(met)), met, "all of them")


@attack("eq-25", domain=f"{EDGES}, and D = 4096; alpha minimising")
@attack("lem-C.1", domain=f"{EDGES}, and D = 4096; alpha minimising")
def lem_c1_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        error = q.least_epsilon()
        yield abs(q.sum()), 2 / (ball(q.far) * q.log * arb.pi()) + error
        yield abs(q.sum("sin")), 2 / q.log + error

    cases = list(margins(pairs, (0, 2, 64, 256, 4096), relative=True))
    yield search("1 - |C_D|/bound", cases[::2], control="0.824")
    yield search("1 - |S_D|/bound", cases[1::2], control="0.591")
    yield from LEMMA.attack()


CUT = sp.Symbol("k", integer=True, nonnegative=True)
START, END, STEEP, MEAN = sp.symbols("P F u kappa", positive=True)
AT_LEAST_ZERO = sp.Symbol("alpha", nonnegative=True)
SIDES = (
    (Cosines(DIM, BASE, NEAR_POSITIVE, UNIT), sp.Ci, sp.cos),
    (Sines(DIM, BASE, NEAR_POSITIVE, UNIT), sp.Si, sp.sin),
)


def cut_forms() -> Iterator[Conclusion]:
    """The first and the second form of the bound, for C_D and for S_D."""
    second = LOG / (4 * DIM**2) * (START - END + (START**2 - END**2) / 2)
    for left, integral, wave in SIDES:
        smooth = (integral(START) - integral(END)) / (2 * LOG)
        yield Conclusion(
            relation(sp.Abs(left), "<=", CUT / DIM + sp.Abs(smooth) + MEAN * (START - END) / DIM)
        )
        edge = (wave(START) - wave(END)) / (2 * DIM)
        yield Conclusion(relation(sp.Abs(left), "<=", CUT / DIM + sp.Abs(smooth + edge) + second))


LEMMA_REPAIRED = Statement(
    (
        ANY_UNIT,
        Variable(NEAR_POSITIVE, low=sp.Integer(0)),
        ANY_BASE,
        ANY_HEAD,
        Variable(CUT, low=sp.Integer(0), high=DIM / 2, integer=True, closed=True),
        Variable(AT_LEAST_ZERO, low=sp.Integer(0), closed=True),
    ),
    (
        *cut_forms(),
        Conclusion(relation(sp.Abs(sp.Ci(START) - sp.Ci(END)), "<", 1 / START + 1 / END)),
        Conclusion(relation(sp.Abs(sp.Si(START) - sp.Si(END)), "<", sp.Si(sp.pi))),
        Conclusion(relation(sp.Abs(SIDES[0][0]), "<=", (1 + 1 / BASE) / (2 * END * LOG) + ERROR)),
        Conclusion(relation(sp.Abs(SIDES[1][0]), "<=", sp.Si(sp.pi) / (2 * LOG) + ERROR), when=(LEMMA_HEAD,)),
    ),
    meaning={
        LOG: sp.log(BASE),
        STEEP: 2 * sp.log(BASE) / DIM,
        MEAN: 1 / (1 - sp.exp(-STEEP)) - 1 / STEEP,
        START: UNIT * NEAR_POSITIVE * BASE ** (-2 * CUT / DIM),
        END: UNIT * NEAR_POSITIVE / BASE,
        ERROR: AT_LEAST_ZERO + 2 * UNIT * NEAR_POSITIVE * BASE**-AT_LEAST_ZERO / DIM,
    },
    words=r"$\theta_0 = 1/b$, ",
)


@repair(
    "lem-C.1",
    says=LEMMA_REPAIRED,
    uses=("eq-42*", "eq-51*", "eq-60*", "eq-67*", "lem-ci", "lem-riemann", "lem-riemann.b"),
    outline="Cut the sum at k: k terms of at most 1/D, the integral over [2k/D, 1], which is (Ci(P) - Ci(F))/(2L) "
    "or the same with Si, two numbers of (0, Si(pi)] by eq-67*; and lem-riemann or lem-riemann.b. The second form "
    "is eq-60*, or eq-67*, with eq-51*.",
    proof=r"""
        The first $k$ terms are at most $\frac kD$. For the rest $\frac1D\sum_{d\ge
        k}f(\tfrac{2d}D)=\frac12\int_{2k/D}^1f+\frac12\sum_{d\ge k}\Delta_d$. With $y=c\lambda\theta_0^x$,
        $dx=-\frac{dy}{Ly}$, the integral is $(\mathrm{Ci}(P)-\mathrm{Ci}(F))/2L$, or the same with
        $\mathrm{Si}$; `lem-riemann` bounds the sum, `lem-ci` the cosine integrals. $\mathrm{Si}$ rises to
        $\mathrm{Si}(\pi)$, and stays in $[\mathrm{Si}(\pi)-\frac2\pi,\mathrm{Si}(\pi)]$ from there by
        `lem-hump`, where $\mathrm{Si}(\pi)>\int_0^\pi\frac{\sin y}\pi dy=\frac2\pi$; so both values lie in
        $(0,\mathrm{Si}(\pi)]$.

        *The printed shape.* The integrals are those of $k=0$, $P=c\lambda$. It remains to see
        $|\frac12\sum_{d\ge0}\Delta_d|\le\epsilon_c$. For $\alpha\ge1$ it is at most 1, as
        $|\Delta_d|\le\frac4D$. For $\alpha<1$ let $k=\lfloor\frac{\alpha D}2\rfloor+1$,
        $p=c\lambda\theta_0^\alpha$: the first $k$ terms give at most $\alpha+\frac2D$, the others at most
        $\kappa\frac pD<\frac pD$ by `lem-riemann`. Where $p\ge2$,
        $\alpha+\frac{2+p}D\le\alpha+\frac{2p}D=\epsilon_c$. Where $p<2$,
        $\frac{d\epsilon_c}{d\alpha}=1-\frac{2Lp}D>1-\frac{4L}D>0$, so $\epsilon_c$ at $\alpha$ is above its
        value at the smaller $\alpha'$ with $p=2$, where the bound is known; and if there is none, above its
        value $\frac{2c\lambda}D$ at 0, which exceeds the bound of `lem-riemann` at $k=0$. For the cosine alone
        $D>4L$ is not needed: with $q=\frac{2c\lambda L}D$ and $w=\ln q-\alpha L$,
        $L\epsilon_c=1+\ln q+(e^w-1-w)\ge1+\ln q$, and for $D\le4L$ the term before it is above
        $\frac{e^L}{qD}\ge\frac{e^L}{4qL}$; with $w=L-\ln4q$ the sum is at least
        $\frac1L(e^w+1+\ln q)\ge1+\frac{2-\ln4}L$, and $|C_D|\le\frac12$. $\square$
    """,
)
def lem_c1_repaired(statement: Statement) -> Iterator[Evidence]:
    yield riemann_decomposition()
    phase = P * sp.exp(-L * u)
    yield same("the integral from x = u on", sp.diff(-sp.Ci(phase) / L, u), sp.cos(phase))
    rest = sp.expand(statement.target(7) - ERROR)
    yield exact("e stands beside the bound of the integral, once", not rest.has(ERROR), rest, "no e left")
    shape = rest.subs(END, UNIT * NEAR_POSITIVE / BASE)
    yield from integral_bound(c, shape.subs({UNIT: c, BASE: 1 / theta, LOG: L, NEAR_POSITIVE: lam}))
    parts = sp.Add(*(sp.sqrt(CI_BOUND.target().subs(CI_BOUND.symbols[0], end)) for end in (START, END)))
    yield same("|Ci| below 1/x at either end (lem-ci)", parts, statement.target(5))
    yield from above_one(shape.subs({UNIT: c, BASE: 1 / theta, LOG: L, NEAR_POSITIVE: lam}))
    widest = sp.expand(2 * LOG * (statement.target(8) - ERROR))
    yield exact("both Si lie in (0, Si(pi)]", widest == sp.Si(sp.pi), widest, "Si(pi)")
    said = statement.target(6)
    yield exact("and so does their difference, in modulus", said == widest, said, widest)
    for index, first in ((5, 1), (6, 3)):
        share = statement.target(first).coeff(statement.conclusions[index - 1].says.lhs)
        yield same("what is bounded is 2 L times the integral of the first form", share, 1 / (2 * LOG))
    for index, lemma in ((1, RIEMANN), (2, SECOND_ORDER)):
        for shift in (0, 2):
            found = statement.target(index + shift) - CUT / DIM
            part = sum((term for term in found.args if not term.has(sp.Abs)), sp.Integer(0))
            due = lemma.target(1 + shift // 2)
            yield same("the error's bound is that of lem-riemann or lem-riemann.b", part, due)


def above_one(first: sp.Expr) -> Iterator[Evidence]:
    """Where D <= 4 L the cosine bound, `first` and e, is above 1, while |C_D| <= 1/2: in q = 2 c lambda L/D."""
    q = sp.Symbol("q", positive=True)
    error = alpha + 2 * P * sp.exp(-L * alpha) / D
    w = sp.log(q) - alpha * L
    yield same(
        "L e = 1 + log q + (e^w - 1 - w)", L * error.subs(P, q * D / (2 * L)), sp.log(q) + sp.exp(w) - w
    )
    least = L * sp.exp(L) / (q * D)
    slack = sp.expand(L * first.subs(theta, sp.exp(-L)).subs(lam, q * D / (2 * L * c)) - least)
    yield termwise("L times the first term less L e^L/(q D)", sp.simplify(slack))
    slope = sp.diff(least, D)
    yield exact("which falls with D", slope.is_negative, slope, "< 0")
    w, rest = L - sp.log(4 * q), 2 - sp.log(4)
    at_edge = least.subs(D, LEMMA_HEAD.rhs.subs(LOG, L)) + 1 + sp.log(q)
    yield same("their sum at D = 4 L", at_edge, L + rest + sp.exp(w) - 1 - w)
    yield exact("2 - log 4", rest.is_positive, rest, "> 0")
    yield rises("e^w - 1 - w for w >= 0", sp.exp(u) - 1 - u, u, 2)
    yield rises("e^-w - 1 + w for w >= 0", sp.exp(-u) - 1 + u, u, 2)


def cut_bounds(phase: arb, log: arb, head_dim: int, cut: int, wave: str = "cos") -> tuple[arb, arb]:
    """The two bounds of lem-C.1* at k = cut, where `phase` is c lambda."""
    value, integral = WAVES[wave]
    steep = 2 * log / head_dim
    here, last = phase * (-steep * cut).exp(), phase * (-log).exp()
    smooth, first = (integral(here) - integral(last)) / (2 * log), arb(cut) / head_dim
    kappa = 1 / (1 - (-steep).exp()) - 1 / steep
    edge = (value(here) - value(last)) / (2 * head_dim)
    curved = log / (4 * head_dim**2) * (here - last + (here**2 - last**2) / 2)
    return first + abs(smooth) + kappa * (here - last) / head_dim, first + abs(smooth + edge) + curved


NO_HEAD = {BASE: sp.Integer(10) ** 100, DIM: 2}  # pair 0 alone, whose sine is 1/2 at a quarter of a turn


@necessary("lem-C.1*", hypothesis=f"${tex(LEMMA_HEAD)}$")
def lem_c1_repaired_of_one_pair() -> Iterator[Evidence]:
    quarter, tenth = sp.Rational(1, 4), sp.Rational(1, 10)
    point = {UNIT: TURN, NEAR_POSITIVE: quarter, CUT: 0, AT_LEAST_ZERO: tenth}
    yield LEMMA_REPAIRED.without(LEMMA_HEAD, 8).fails_at(NO_HEAD | point, 8)


@necessary("lem-C.1", hypothesis=f"${tex(LEMMA_HEAD)}$")
def lem_c1_of_one_pair() -> Iterator[Evidence]:
    point = {NEAR_POSITIVE: sp.Rational(5, 4), ALPHA: sp.Rational(1, 10)}
    yield LEMMA.without(LEMMA_HEAD, 2).fails_at(NO_HEAD | point, 2)


@attack("lem-C.1*", domain=f"{EDGES}; turns and radians; k = 0, D/8, D/4, D/2; cos and sin")
def lem_c1_repaired_attack() -> Iterator[Evidence]:
    point = {UNIT: TURN, NEAR_POSITIVE: 3, BASE: 100, DIM: 64, CUT: 8, AT_LEAST_ZERO: 0}
    phase, log = 6 * arb.pi(), ball(100).log()
    found = [bound for wave in WAVES for bound in cut_bounds(phase, log, 64, 8, wave)]
    yield from LEMMA_REPAIRED.bounds_by(point, dict(enumerate(found, 1)))
    cases = list(_cut_margins())
    yield search("1 - |C_D|/bound", cases[::4], control="0.0134")
    yield search("1 - |C_D|/second bound", cases[1::4], control="0.000616")
    yield search("1 - |S_D|/bound", cases[2::4], control="0.00672")
    yield search("1 - |S_D|/second bound", cases[3::4], control="0.000817")
    yield from LEMMA_REPAIRED.attack(number=60)


def _cut_margins() -> Iterator[tuple[str, arb]]:
    """The bounds of cos and of sin in turn, each as a share of the bound."""
    for q in points(heads=(0, 64)):
        for turns in (True, False):
            phase = ball(q.distance) * (2 * arb.pi() if turns else 1)
            sizes = {
                wave: abs(make(q.distance, q.head_dim, inverse_base=q.inverse_base, turns=turns))
                for wave, make in (("cos", cos_sum), ("sin", sin_sum))
            }
            for cut in (0, q.head_dim // 8, q.head_dim // 4, q.head_dim // 2):
                for wave, size in sizes.items():
                    for bound in cut_bounds(phase, q.log, q.head_dim, cut, wave):
                        yield f"{q}, turns={turns}, {wave}, k={cut}", 1 - size / bound


EMPTY = Statement(
    (ANY_BASE, ANY_HEAD, Variable(NEAR_POSITIVE, low=sp.Integer(0)), Variable(ALPHA, low=sp.Integer(0))),
    (
        Conclusion(
            relation(LEMMA.target(1), ">=", HALF),
            when=(relation(DIM, "<=", COSINE_LIMIT * LOG * sp.sqrt(BASE)),),
        ),
        Conclusion(
            relation(LEMMA.target(2), ">=", HALF),
            when=(relation(NEAR_POSITIVE, ">=", DIM * sp.sqrt(BASE) / (SINE_LIMIT * LOG)),),
        ),
    ),
    meaning=LEMMA.meaning,
    words=r"the right sides of Lemma C.1, so that it says less there than $|C_D|, |S_D| \le 1/2$: ",
)


@claim(
    "lem-C.1.empty",
    where="App. C, Lemma C.1",
    kind="remark",
    says=EMPTY,
    uses=("eq-26",),
    outline="The two terms with lambda are at least 2 sqrt(8 theta_0^{alpha-1}/(L D)), whatever lambda is; with B "
    "= 2 sqrt(8/(theta_0 L D)) the least of alpha + B theta_0^{alpha/2} is (2/L)(1 + log(BL/2)), which is 1/2 at D "
    "= 8 e^2 L/sqrt(theta_0).",
)
def empty(statement: Statement) -> Iterator[Evidence]:
    (head,), (distance,) = (one.when for one in statement.conclusions)
    constant = sp.simplify(head.rhs / (LOG * sp.sqrt(BASE)))
    sine = sp.simplify(DIM * sp.sqrt(BASE) / (LOG * distance.rhs))
    yield from emptiness(constant, sine)
    halves = (statement.target(1), statement.target(2))
    yield exact("against the trivial bound", halves == (HALF, HALF), halves, "1/2")


def emptiness(constant: sp.Expr = COSINE_LIMIT, sine: sp.Expr = SINE_LIMIT) -> Iterator[Evidence]:
    """The right sides at D = constant L/sqrt(theta_0)/(1 + v) and at lambda = (1 + v) D/(sine L sqrt(theta_0))."""
    first, second = 2 / (theta * L * lam * sp.pi), 4 * sp.pi * lam * theta**alpha / D
    yield same("product of the terms with lambda", first * second, 8 * theta ** (alpha - 1) / (L * D))
    half = sp.Symbol("q", positive=True)  # B L / 2
    w = sp.log(half) - alpha * L / 2
    total = alpha + 2 * half / L * sp.exp(-alpha * L / 2)
    yield same("alpha + B theta_0^{alpha/2}", total, (2 / L) * (1 + sp.log(half) + sp.exp(w) - 1 - w))
    least = (2 / L) * (1 + sp.log(8 * sp.exp(L) * L / D) / 2)
    margin = sp.expand_log(least.subs(D, constant * L * sp.exp(L / 2) / (1 + v)), force=True) - HALF
    yield rises("least right side - 1/2, for C_D", sp.simplify(margin), v, 1)
    steep = 4 * sp.pi * lam * L / D
    right = (3 + sp.log(steep.subs(lam, (1 + v) * D * sp.exp(L / 2) / (sine * L)))) / L - HALF
    yield rises("least right side - 1/2, for S_D", sp.simplify(sp.expand_log(right, force=True)), v, 1)


@attack(
    "lem-C.1.empty",
    domain="bases and D of the practice rows, lambda = 2^-4 to 2^40, alpha = 1/16 to 2; then D just above its bound",
)
def empty_attack() -> Iterator[Evidence]:
    point = {BASE: 100, DIM: 64, NEAR_POSITIVE: 3, ALPHA: sp.Rational(1, 2)}
    yield from LEMMA.bounds_by(point, {1: _right_side(100, 64, ball(3), ball("1/2"))})
    yield search("right side for C_D - 1/2", _right_sides(), control="0.58")
    base, log = BASES[0], ball(BASES[0]).log()

    def says_more(part: str) -> Evidence:
        dim = 2 * int(float(ball(part) * COSINE_DIM * arb(2).exp() * log * ball(base).sqrt() / 2))
        steep = (
            8 * base * log / dim
        ).sqrt()  # B L / 2: the least right side is at this alpha, its terms equal
        share, distance = 2 * steep.log() / log, (ball(base) * dim / (2 * log)).sqrt() / arb.pi() * steep
        right = _right_side(base, dim, distance, share)
        return below(f"base {base}, D = {dim}: some right side < 1/2", right, Fraction(1, 2))

    yield controlled(says_more("1.001"), says_more("0.999"))
    yield from EMPTY.attack(number=60)


def _right_side(base: int, dim: int, distance: arb, share: arb) -> arb:
    """2/(theta_0 L lambda pi) + e, in turns."""
    log = ball(base).log()
    return (
        2 * base / (arb.pi() * log * distance) + share + 4 * arb.pi() * distance * (-log * share).exp() / dim
    )


def _right_sides() -> Iterator[tuple[str, arb]]:
    for base, dim, power, share in product(BASES, HEAD_DIMS, range(-4, 41), range(1, 33)):
        right = _right_side(base, dim, ball(Fraction(2) ** power), ball(Fraction(share, 16)))
        yield f"base {base}, D={dim}, lambda=2^{power}, alpha={share}/16", right - ball(Fraction(1, 2))


@practice("lem-C.1")
def lem_c1_practice() -> Iterator[dict[str, object]]:
    for base in BASES:
        for dim in HEAD_DIMS:
            for distance in (2**7, 2**13, 2**20):
                for turns in (True, False):
                    yield _row(base, dim, distance, turns)


def _row(base: int, dim: int, distance: int, turns: bool) -> dict[str, object]:
    """Bounds and certified values at one size; in radians the lemma is read at lambda/(2 pi) turns."""
    log, turn = ball(base).log(), 2 * arb.pi()
    phase = ball(distance) * (turn if turns else 1)
    steep = 2 * phase * log / dim
    error = 2 * phase / dim if steep <= 1 else (1 + steep.log()) / log
    cuts = {wave: _least(phase, log, dim, wave) for wave in WAVES}
    return {
        "base": base,
        "head_dim": dim,
        "distance": distance,
        "turns": turns,
        "D > 4L": bool(4 * log < dim),
        "D for a cosine bound below 1/2": float(8 * arb(2).exp() * log * ball(base).sqrt()),
        "best alpha": max(0.0, float(steep.log() / log)),
        "epsilon": float(error),
        "cosine bound": float(4 * base / (log * phase) + error),
        "cosine bound, repaired": cuts["cos"],
        "|C_D|": float(abs(cos_sum(distance, dim, base=base, turns=turns))),
        "sine bound": float(2 / log + error),
        "sine bound, repaired": cuts["sin"],
        "|S_D|": float(abs(sin_sum(distance, dim, base=base, turns=turns))),
        "trivial bound": 0.5,
    }


def _least(phase: arb, log: arb, dim: int, wave: str) -> float:
    """The least bound of lem-C.1* over k."""
    return min(float(b) for k in range(dim // 2 + 1) for b in cut_bounds(phase, log, dim, k, wave))
