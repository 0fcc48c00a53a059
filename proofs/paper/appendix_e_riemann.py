r"""Appendix E, first half of the cosine bound: C_D as a Riemann sum and its error, eqs 26 and 42 to 51.

Eq 42 as printed has one term too many; the bounds of one term are right, eq 45 twice too large. Eq 47 counts alpha D/2
terms where there can be one more, and its geometric sum begins too late, so it fails; eq 51, its purpose, is true all
the same, for every angular factor c.

In the checks P is c lambda theta_0^alpha, h = 2/D, u = 2 L / D (so D > 4 L says u < 1/2), and D = 4 L + v with v > 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import (
    BASES,
    EDGES,
    HEAD_DIMS,
    WAVES,
    Point,
    arrives,
    controlled,
    exact,
    margins,
    points,
    rises,
    same,
    search,
    termwise,
    tried,
)
from proofs.exact import Expr
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.classical_lemmas import P, a, b, h, k, n, r, u
from proofs.statements import TURN, UNITS, Conclusion, Statement, Variable, relation, tex
from proofs.waves import (
    ANY_BASE,
    ANY_DISTANCE,
    ANY_FACTOR,
    INDEX,
    LOG,
    SIZES,
    TENTH,
    D,
    L,
    alpha,
    as_integrals,
    c,
    d,
    delta_sum,
    half_integral,
    lam,
    term,
    theta,
    wave_sum,
    x,
)

ALPHAS = (Fraction(1, 10**6), Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(999, 1000))
HALF, THOUSANDTH = sp.Rational(1, 2), sp.Rational(1, 1000)
ANY_HEAD_DIM = Variable(D, low=sp.Integer(0), even=True)


EPSILON, STEEP_PHASE = sp.symbols(r"\epsilon q", positive=True)
EQ_26 = Statement(
    (ANY_BASE, ANY_HEAD_DIM, ANY_DISTANCE, Variable(alpha, low=sp.Integer(0))),
    (
        Conclusion(
            relation(EPSILON, ">=", 4 * sp.pi * lam / D),
            when=(relation(STEEP_PHASE, "<=", 1),),
            sharp=(THOUSANDTH, {theta: sp.Rational(1, 100), D: 64, lam: TENTH, alpha: sp.Rational(1, 10**6)}),
        ),
        Conclusion(
            relation(EPSILON, ">=", (1 + sp.log(STEEP_PHASE)) / L),
            sharp=(
                THOUSANDTH,
                {
                    theta: sp.Rational(1, 100),
                    D: 64,
                    lam: 10,
                    alpha: sp.log(4 * sp.pi * 10 * sp.log(100) / 64) / sp.log(100),
                },
            ),
        ),
    ),
    meaning={
        **LOG,
        STEEP_PHASE: 4 * sp.pi * lam * L / D,
        EPSILON: alpha + 4 * sp.pi * lam * theta**alpha / D,
    },
    words=r"$\epsilon(D; \lambda, \theta_0, \alpha)$ is $\epsilon$ below, and its infimum over $\alpha$ is all that a "
    r"bound for all $\alpha$ says; ",
)


@claim(
    "eq-26",
    where="App. C, eq 26",
    kind="definition",
    says=EQ_26,
    outline="Its infimum over alpha > 0, which is all that a bound 'for all alpha' says, is 4 pi lambda/D where "
    "q = 4 pi lambda L/D <= 1 and (1 + log q)/L beyond, at alpha = log(q)/L: since e^w >= 1 + w.",
)
def eq_26(statement: Statement) -> Iterator[Evidence]:
    error = statement.meaning[EPSILON].subs(theta, sp.exp(-L))
    steep = STEEP_PHASE
    epsilon = sp.simplify(error.subs(lam, steep * lam / statement.meaning[steep]))  # lambda by q
    w = sp.log(steep) - alpha * L  # so that theta_0^alpha = e^w / q
    yield same("L e = 1 + log q + (e^w - 1 - w)", L * epsilon, L * statement.target(2) + sp.exp(w) - 1 - w)
    yield same("slope of e, so e rises if q <= 1", sp.diff(epsilon, alpha), 1 - steep * sp.exp(-alpha * L))
    yield same("e at alpha = 0", error.subs(alpha, 0), statement.target(1))
    yield rises("e^w - 1 - w for w >= 0", sp.exp(u) - 1 - u, u, 2)
    yield rises("e^-w - 1 + w for w >= 0", sp.exp(-u) - 1 + u, u, 2)


@attack(
    "eq-26",
    domain=f"{EQ_26.domain()}; "
    + f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999: is any e below its infimum?",
)
def eq_26_attack() -> Iterator[Evidence]:
    edges = margins(lambda q: ((q.least_epsilon(), q.epsilon(share)) for share in ALPHAS), relative=True)
    yield search("1 - (inf e)/e", edges, control="8.38e-8")
    yield from EQ_26.attack()
    yield from EQ_26.sharpness()


@practice("eq-26")
def eq_26_rows() -> Iterator[dict[str, object]]:
    for base in BASES:
        for dim in HEAD_DIMS:
            log = math.log(base)
            for distance in (2, 2**10, 2**20):
                steep = 4 * math.pi * distance * log / dim
                least = 4 * math.pi * distance / dim if steep <= 1 else (1 + math.log(steep)) / log
                yield {
                    "base": base,
                    "head_dim": dim,
                    "distance": distance,
                    "D > 4L": dim > 4 * log,
                    "best alpha": max(0.0, math.log(steep) / log),
                    "least epsilon": least,
                    "below the trivial 1/2": least < 0.5,
                }


def riemann_decomposition(last: sp.Expr = n - 1) -> Evidence:
    """h sum_{d<n} f(dh) - int_0^{nh} f = sum_{d=0}^{last} Delta_d, by induction on n: the step is term `last` + 1.

    Both sides are 0 at n = 0 if `last` is then -1; F is an antiderivative of f.
    """
    f, primitive = sp.Function("f"), sp.Function("F")
    term = h * f(d * h) - primitive((d + 1) * h) + primitive(d * h)
    step = h * f(n * h) - (primitive((n + 1) * h) - primitive(n * h))
    return same("Delta of the step from n to n + 1, h f(nh) less an integral", term.subs(d, last + 1), step)


# printed to d = D/2 the sum of (42) has one term too many (eq-42): what follows from it is read without that term
READ_TO_LAST = r"read with the sum of (42) to $d = D/2-1$, as repaired, where it is printed to $D/2$: "
PRINTED_TERMS = rf"with ${tex(term())} = {tex(term().integral())}$ "
EQ_42 = Statement(
    SIZES,
    (
        Conclusion(
            relation(wave_sum(), "==", sp.Sum(sp.cos(TURN * lam * theta ** (2 * d / D)), (d, 0, D / 2)) / D)
        ),
        Conclusion(relation(wave_sum(), "==", delta_sum(sp.Integer(0), D / 2) / 2 + half_integral())),
    ),
    meaning=LOG,
    words=PRINTED_TERMS,
)


@claim(
    "eq-42",
    where="App. E, eq 42",
    kind="equation",
    says=EQ_42,
)
def eq_42(statement: Statement) -> Iterator[Evidence]:
    for member, other in ((1, 2), (2, 1)):  # the sum has one term too many in both
        yield statement.fails_at({theta: sp.Rational(1, 11), D: 10, lam: 2}, member, also=(other,))


def excess(point: Point, last: int, wave: str = "cos") -> arb:
    """(1/2) sum_{d=0}^{last} Delta_d + I/2 less the sum C_D (or S_D)."""
    terms = sum(point.terms(wave, end=last + 1), arb(0))
    return terms / 2 + point.half_integral(wave) - point.sum(wave)


EQ_42_REPAIRED = Statement(
    (
        ANY_BASE,
        ANY_HEAD_DIM,
        ANY_DISTANCE,
        Variable(c, among=UNITS),
        Variable(k, low=sp.Integer(0), high=D / 2, integer=True, closed=True),
    ),
    (
        Conclusion(
            relation(
                wave_sum(unit=c),
                "==",
                delta_sum(sp.Integer(0), D / 2 - 1, unit=c) / 2 + half_integral(unit=c),
            )
        ),
        Conclusion(
            relation(
                wave_sum(unit=c),
                "==",
                sp.Sum(sp.cos(c * lam * theta ** (2 * d / D)), (d, 0, k - 1)) / D
                + delta_sum(k, D / 2 - 1, unit=c) / 2
                + half_integral(unit=c, low=2 * k / D),
            )
        ),
    ),
    words=rf"with ${tex(term())} = {tex(term(unit=c).integral())}$ and, by another $\lambda$, for "
    "any positive $c$ too, ",
)


@repair(
    "eq-42",
    says=EQ_42_REPAIRED,
    outline="Induction on the number of terms; the second form is the first on [2k/D, 1].",
)
def eq_42_repaired(statement: Statement) -> Iterator[Evidence]:
    whole, cut = statement.target(1), statement.target(2)
    (total,) = whole.atoms(sp.Sum)
    first, last = total.limits[0][1:]
    yield exact("the sum of Delta_d begins at d = 0", first == 0, first, 0)
    yield riemann_decomposition(last.subs(D, 2 * n))
    yield arrives("half of it, and I/2", total / 2 + half_integral(unit=c), whole)
    later = total.func(total.function, (d, k, last))
    sums = sp.Sum(sp.cos(c * lam * theta ** (2 * d / D)), (d, 0, k - 1))
    rest = half_integral(unit=c, low=2 * k / D)
    yield arrives("the same on [2k/D, 1], and the k terms before", sums / D + later / 2 + rest, cut)


@attack("eq-42*", domain=f"{EQ_42_REPAIRED.domain(number=12)}; " + f"{EDGES}; cos and sin")
def eq_42_attack() -> Iterator[Evidence]:
    def searched(dropped: int) -> Evidence:
        sums = ((f"{q}, {w}", excess(q, q.head_dim // 2 - 1 - dropped, w)) for q in points() for w in WAVES)
        return search(
            f"1e-20 less the defect, without {dropped} terms", ((q, ball("1e-20") - abs(x)) for q, x in sums)
        )

    yield controlled(searched(0), searched(1))
    yield from as_integrals(term(unit=c), half_integral(unit=c), half_integral(unit=c, low=TENTH))
    yield from EQ_42_REPAIRED.attack(number=12)


CUT = sp.floor(alpha * D / 2)
EQ_43 = Statement(
    (*SIZES, Variable(alpha, low=sp.Integer(0), high=sp.Integer(1))),
    (
        Conclusion(
            relation(
                delta_sum(sp.Integer(0), D / 2 - 1),
                "==",
                delta_sum(sp.Integer(0), CUT) + delta_sum(CUT + 1, D / 2 - 1),
            )
        ),
    ),
    meaning=LOG,
    words=READ_TO_LAST
    + r"$\Delta = \sum_{d \le \alpha D/2} \Delta_d + \sum_{d > \alpha D/2} \Delta_d =: \Delta' + \Delta''$, "
    + PRINTED_TERMS,
)


@claim(
    "eq-43",
    where="App. E, eq 43",
    kind="equation",
    says=EQ_43,
    cites=("eq-42",),
    outline="Each d is in exactly one of the two sums.",
)
def eq_43(statement: Statement) -> Iterator[Evidence]:
    index, cut = sp.symbols("d x", real=True)
    yield exact("d <= x or d > x", sp.Or(index <= cut, index > cut) == sp.true, "true", "always")
    yield exact("d <= x and d > x", sp.And(index <= cut, index > cut) == sp.false, "false", "never")
    (conclusion,) = statement.conclusions
    whole = conclusion.says.lhs
    near, far = sorted(conclusion.says.rhs.args, key=lambda part: part.limits[0][1] != 0)
    (name, first, last), (_, begin, end), (_, after, final) = (part.limits[0] for part in (whole, near, far))
    yield exact(
        "one term in all three", {part.function for part in (whole, near, far)} == {whole.function}, "", ""
    )
    yield exact("the same first and last d", (begin, final) == (first, last), (begin, final), (first, last))
    yield exact("Delta'' begins after Delta'", after == end + 1, after, end + 1)
    ends = statement.range_of(alpha)
    yield exact("the last integer d <= alpha D/2", end == sp.floor(alpha * D / 2), end, "floor(alpha D/2)")
    inside = (ends.low, ends.high) == (0, 1) and (first, last) == (0, D / 2 - 1)
    yield exact(
        f"alpha D/2 < D/2, so neither sum is cut short in {name}", inside, (ends.low, ends.high), (0, 1)
    )


@attack("eq-43", domain="D = 10 to 256, alpha D/2 an integer or not: are Delta' and Delta'' a partition?")
def eq_43_attack() -> Iterator[Evidence]:
    sizes = [(dim, share) for dim in range(10, 257, 2) for share in ALPHAS]

    def partition(off: int) -> Evidence:
        """Is d in Delta' exactly where 2 d/D <= alpha, with Delta'' from `off` terms later on?"""
        wrong = [
            (dim, share)
            for dim, share in sizes
            for end, bound in [(first_past(dim, share) + off, share * dim)]
            if any((d < end) is not (2 * d <= bound) for d in range(dim // 2))
        ]
        return tried(f"where they are none, Delta'' from {off} terms later on", not wrong, wrong, [])

    yield controlled(partition(0), partition(1), partition(-1))
    yield from EQ_43.attack(number=12)


def first_past(head_dim: int, share: Fraction) -> int:
    """The least d > alpha D/2, which is also how many d >= 0 are <= alpha D/2."""
    return math.floor(share * head_dim / 2) + 1


EQ_44 = Statement(
    (*SIZES, INDEX),
    (Conclusion(relation(sp.Abs(term()), "<=", 4 / D)),),
    meaning=LOG,
    words=READ_TO_LAST + PRINTED_TERMS,
)


@claim(
    "eq-44",
    where="App. E, eq 44",
    kind="step",
    says=EQ_44,
    cites=("eq-42",),
    outline="cos A - cos B is twice a product of sines, so at most 2; the interval is 2/D long.",
)
def eq_44(statement: Statement) -> Iterator[Evidence]:
    yield from trivial_bound(statement.target())
    yield arrives("2 over an interval of length 2/D", 2 * (2 / D), statement.target())


EQ_44_REPAIRED = Statement(
    (ANY_BASE, ANY_HEAD_DIM, ANY_DISTANCE, ANY_FACTOR, INDEX),
    tuple(Conclusion(relation(sp.Abs(term(wave, c)), "<=", 4 / D)) for wave in WAVES),
    meaning=LOG,
    words=rf"with ${tex(term())} = {tex(term(unit=c).integral())}$ and, in the second, the same of $\sin$, ",
)


@repair(
    "eq-44",
    says=EQ_44_REPAIRED,
    outline="The same, and sin A - sin B is twice such a product; nothing else is asked of A and B.",
)
def eq_44_repaired(statement: Statement) -> Iterator[Evidence]:
    for index, conclusion in enumerate(statement.conclusions, 1):
        yield from trivial_bound(statement.target(index))
        ((_, start, end),) = conclusion.says.lhs.args[0].integral().limits
        yield arrives("2 over the whole interval", 2 * (end - start), statement.target(index))


attack("eq-44*", domain=EQ_44_REPAIRED.domain())(EQ_44_REPAIRED.attack)


def trivial_bound(bound: sp.Expr = 4 / D) -> Iterator[Evidence]:
    """|cos A - cos B| <= 2 and |sin A - sin B| <= 2 over an interval of length 2/D stay below `bound`."""
    half_sum, half_gap = (a + b) / 2, (a - b) / 2
    yield same("cos a - cos b", sp.cos(a) - sp.cos(b), -2 * sp.sin(half_sum) * sp.sin(half_gap))
    yield same("sin a - sin b", sp.sin(a) - sp.sin(b), 2 * sp.cos(half_sum) * sp.sin(half_gap))
    yield termwise("bound - 2 (2/D)", bound - 2 * (2 / D))


@attack("eq-44", domain=f"{EQ_44.domain()}; " + f"{EDGES}; every d")
def eq_44_attack() -> Iterator[Evidence]:
    edges = margins(lambda q: ((abs(found), ball(4) / q.head_dim) for found in q.terms()), relative=True)
    yield search("1 - |Delta_d| D/4", edges, control="0.354")
    yield from EQ_44.attack()


STEEPEST = sp.Symbol(r"\mathrm{Lip}_d", positive=True)
WORST = sp.Symbol(r"\sup_{f}|\Delta_d|", nonnegative=True)


def of_lipschitz(says: Any) -> Statement:
    """What is said of the greatest |Delta_d| of all f with one Lipschitz constant, which a linear f has."""
    return Statement(
        (ANY_HEAD_DIM, Variable(STEEPEST, low=sp.Integer(0))),
        (Conclusion(says),),
        meaning={WORST: STEEPEST * sp.Integral(r, (r, 0, 2 / D))},
        words=rf"$|\Delta_d| \le {tex(says.rhs)}$, $\Delta_d$ as in (42) with any $f$ of the Lipschitz constant "
        r"$\mathrm{Lip}_d$; the greatest is that of $\mathrm{Lip}_dr$, $r$ the distance from $2d/D$; ",
    )


EQ_45 = of_lipschitz(relation(WORST, "<=", STEEPEST * 4 / D**2))
EQ_45_REPAIRED = of_lipschitz(relation(WORST, "==", STEEPEST * 2 / D**2))


@claim(
    "eq-45",
    where="App. E, eq 45",
    kind="step",
    says=EQ_45,
    cites=("eq-42",),
    outline="|f(2d/D) - f(x)| <= Lip_d (x - 2d/D), integrated: half of what is printed.",
)
def eq_45(statement: Statement) -> Iterator[Evidence]:
    bound, worst = statement.target() / STEEPEST, statement.meaning[WORST].doit() / STEEPEST
    yield from lipschitz(bound)
    yield arrives("a linear f", sp.integrate(r, (r, 0, 2 / D)), worst)
    yield arrives("half of what is printed", 2 * worst, bound)


@repair(
    "eq-45",
    says=EQ_45_REPAIRED,
    cites=("eq-42",),
    outline="The same, and a linear f attains it: no smaller multiple of 1/D^2 serves every f.",
)
def eq_45_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    bound = statement.target() / STEEPEST
    yield from lipschitz(bound)
    yield same("a linear f attains it", sp.integrate(r, (r, 0, 2 / D)), bound)


def lipschitz(bound: sp.Expr) -> Iterator[Evidence]:
    """int_0^{2/D} r dr, which Lip_d multiplies, stays below `bound`."""
    yield termwise("bound - int_0^{2/D} r dr", bound - sp.integrate(r, (r, 0, 2 / D)))


@attack("eq-45*", domain=f"{EDGES}; every d, Lip_d by its bound in eq 46")
def eq_45_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for i, found in enumerate(q.terms()):
            yield abs(found), q.phase(Fraction(2 * i, q.head_dim)) * q.log * 2 / q.head_dim**2

    yield search("1 - |Delta_d| D^2/(2 Lip_d)", margins(pairs, relative=True), control="0.149")
    yield from EQ_45_REPAIRED.attack()


PLACE = sp.Symbol("x", nonnegative=True)
SLOPE: Expr = sp.Derivative(sp.cos(TURN * lam * theta**PLACE), PLACE)
EQ_46 = Statement(
    (*SIZES, INDEX, Variable(PLACE, low=2 * d / D, high=(2 * d + 2) / D, closed=True)),
    (
        Conclusion(
            relation(
                sp.Abs(SLOPE),
                "==",
                TURN * lam * sp.Abs(L * theta**PLACE * sp.sin(TURN * lam * theta**PLACE), evaluate=False),
            )
        ),
        Conclusion(relation(sp.Abs(SLOPE), "<=", TURN * lam * L * theta ** (2 * d / D))),
    ),
    meaning=LOG,
    words=r"$\mathrm{Lip}_d$ is the supremum over $x$ (the second $\sup$ is missing in print); ",
)


@claim(
    "eq-46",
    where="App. E, eq 46",
    kind="step",
    says=EQ_46,
    outline="The chain rule; |sin| <= 1, and theta_0^x falls.",
)
def eq_46(statement: Statement) -> Iterator[Evidence]:
    slope: Expr = SLOPE.doit().subs(theta, sp.exp(-L))
    said = statement.target(1).subs(theta, sp.exp(-L))
    yield same("square of the slope", slope**2, sp.expand(said**2))
    yield from slope_bound()
    greatest = TURN * lam * L * theta**PLACE  # |sin| is at most 1
    yield arrives("at the left end", greatest.subs(PLACE, 2 * d / D), statement.target(2))


def slope_bound(wave: type[sp.Function] = sp.sin) -> Iterator[Evidence]:
    """The slope of cos(c lambda theta_0^x), with `wave` of the phase in it, and its bound at the left end."""
    phase = P * sp.exp(-L * x)
    yield same("slope of cos(c lambda theta_0^x)", sp.diff(sp.cos(phase), x), L * phase * wave(phase))
    yield rises("1 - theta_0^r", 1 - sp.exp(-u), u, 1)
    yield same("1 - sin^2 = cos^2 >= 0", 1 - sp.sin(a) ** 2, sp.cos(a) ** 2)


@attack("eq-46", domain=f"{EQ_46.domain()}; " + f"{EDGES}; 8 points of the first, middle and last interval")
def eq_46_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for i in (0, q.head_dim // 4, q.head_dim // 2 - 1):
            for j in range(1, 9):
                phase = q.phase(Fraction(8 * i + j, 4 * q.head_dim))
                yield abs(phase * q.log * phase.sin()), q.phase(Fraction(2 * i, q.head_dim)) * q.log

    yield search("1 - |slope|/bound", margins(pairs, relative=True), control="0.056")
    yield from EQ_46.attack()
