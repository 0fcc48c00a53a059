"""Theorem 3.3 (eq 15): false as stated and with a Schwartz density; what the variance tends to, and when it is enough.

Every counterexample is exact: fixed tokens, two coin flips, and Gaussian laws with a rational covariance, moments by
Wick's formula and the variance in closed form. The last break eq 15 by any factor and show which hypothesis mends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import arrives, controlled, exact, refutes, search, short, tried
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import (
    HEAD_DIMS,
    LONGEST,
    SHARE,
    GaussianTokens,
    Split,
    T,
    cosine_mean,
    counterexample,
    quadratic,
)
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation, tex
from proofs.tapa_letters import equals

SIZE = sp.Symbol("a", positive=True)
CORRELATION = sp.Rational(9, 10)


def twisted(correlation: Expr, sign: int = -1, head: int = 4) -> GaussianTokens:
    """q, k independent unit normal; corr(q0, q1) = sign r, corr(k0, k1) = r; all other coordinates uncorrelated."""
    covariance = sp.eye(2 * head)
    for start, value in ((0, sign * correlation), (head, correlation)):
        covariance[start, start + 1] = covariance[start + 1, start] = value
    return GaussianTokens(covariance)


def limit_variance(tokens: GaussianTokens, amplitude: int) -> Expr:
    """E (q_A.k_A)^2/(2a): what the variance tends to for a law with a density (thm-3.3 repaired)."""
    return tokens.amplitude_square(amplitude) / (2 * amplitude)


def variance_counterexample(tokens: GaussianTokens, amplitude: int, sigma_sq: Expr = 1) -> Iterator[Evidence]:
    """All that a Gaussian counterexample must show: a density, Assumption 2.1, and the limit of the variance."""
    found, floor = sp.simplify(limit_variance(tokens, amplitude)), sp.sympify(sigma_sq) / 2
    what = (
        f"centred normal tokens, D = {tokens.head_dim}, theta D = {amplitude}, mu_0 = nu_0 = 0, sigma_0^2 = "
        f"{sigma_sq}, correlations {tokens.correlated()}: limit of the variance"
    )
    hypotheses = [tokens.schwartz(), *tokens.assumption(0, 0, sigma_sq)]
    yield from counterexample(hypotheses, exact(what, bool(found >= floor), found, f">= {floor}"))


def exact_variance(correlation: Real, dims: int, distance: Real) -> arb:
    """Var Attn of `twisted` tokens, alpha = 1/10: (1 - r^2)(1 + E cos of the doubled angle)/2; the mean is 0."""
    return (1 - ball(correlation) ** 2) * (1 + cosine_mean(dims, distance, spread=2)) / 2


# a = theta D, sigma_0^2 = E (q_d k_d)^2, X = the sum over i != j of E q_i k_i q_j k_j in the amplitude
AMPLITUDE = sp.Symbol("a", integer=True, positive=True)
SQUARE = sp.Symbol("S", positive=True)
CROSS, MEAN_A = sp.symbols("X mu_0", real=True)
VARIANCE = sp.Symbol("V", positive=True)
MOMENTS = (
    Variable(AMPLITUDE, low=sp.Integer(1), integer=True, closed=True),
    Variable(SQUARE, low=sp.Integer(0)),
    Variable(CROSS, low=-AMPLITUDE * SQUARE),  # E (q_A.k_A)^2 > 0, as there is a density
)
MOMENT_LIMIT = {VARIANCE: (AMPLITUDE * SQUARE + CROSS) / (2 * AMPLITUDE)}
MOMENT_WORDS = (
    r"$a = \theta D$, $S = \sigma_0^2$, $X = \sum_{i \ne j} \mathrm{E} q_ik_iq_jk_j$ over the amplitude, $V$ the "
    r"limit of "
    r"$\mathrm{Var} \mathrm{Attn}$ (`thm-3.3*`); "
)
EQ_15 = Statement(
    MOMENTS,
    (Conclusion(relation(VARIANCE, ">=", SQUARE / 2)),),
    meaning=MOMENT_LIMIT,
    words="under Assumption 2.1 and the hypothesis of Theorem 3.2, that the joint density is Schwartz (as App. H "
    "uses): " + MOMENT_WORDS,
)


def moments_of(tokens: GaussianTokens, amplitude: int) -> dict[sp.Symbol, Expr]:
    """The point of a law of one scale: its moments by Wick's formula."""
    square = tokens.moment([0, 0], [0, 0])
    return {AMPLITUDE: sp.Integer(amplitude), SQUARE: square, CROSS: tokens.cross_terms(amplitude)}


@claim(
    "eq-15",
    where="Sec. 3, eq 15",
    kind="equation",
    says=EQ_15,
    assumes=("Assumption 2.1", r"$\rho$ Schwartz"),
    uses=("thm-3.3*",),
    cites=("thm-3.2",),
    outline=(
        "D = 4, theta = 1/2, everything centred normal of variance 1, q and k independent, corr(q_0,q_1) = -r, "
        "corr(k_0,k_1) = r, the rest uncorrelated: mu_0 = nu_0 = 0, sigma_0 = 1, E(q_A.k_A)^2 = 2 - 2r^2, "
        "limit (1-r^2)/2 < 1/2."
    ),
)
def eq_15(statement: Statement) -> Iterator[Evidence]:
    tokens = twisted(CORRELATION)
    yield from variance_counterexample(tokens, 2)
    point = moments_of(tokens, 2)
    at_law = identity(
        statement.spelt(VARIANCE).subs(point), limit_variance(tokens, 2), "V at the moments of the law"
    )
    yield from counterexample([at_law], statement.fails_at(point))


EQ_15_REPAIRED = Statement(
    MOMENTS,
    (
        Conclusion(
            relation(VARIANCE, ">=", SQUARE / 2),
            when=(relation(CROSS, ">=", 0),),
            sharp=(sp.Rational(1, 1000), {AMPLITUDE: 2, SQUARE: 1, CROSS: 0}),
        ),
        Conclusion(relation(VARIANCE, "<", SQUARE / 2), when=(relation(CROSS, "<", 0),)),
    ),
    meaning=MOMENT_LIMIT,
    words="under Assumption 2.1 and with a joint density: " + MOMENT_WORDS,
)


def dropped(
    statement: Statement, index: int, hypothesis: Any, point: dict[sp.Symbol, Expr]
) -> Iterator[Evidence]:
    """A conclusion without one of its conditions, where it fails."""
    alone = replace(statement, conclusions=(statement.conclusions[index - 1],))
    yield alone.without(hypothesis).fails_at(point)


NOT_NEGATIVE, NEGATIVE = relation(CROSS, ">=", 0), relation(CROSS, "<", 0)
AT = {AMPLITUDE: 2, SQUARE: 1}
for condition, where, cross in ((NOT_NEGATIVE, 1, -1), (NEGATIVE, 2, 1)):
    needed = partial(dropped, EQ_15_REPAIRED, where, condition, {**AT, CROSS: cross})
    necessary("eq-15*", hypothesis=f"${tex(condition)}$")(needed)


@necessary("eq-15*", hypothesis="a joint density")
def eq_15_repaired_without_density() -> Iterator[Evidence]:
    yield from two_coins()


@repair(
    "eq-15",
    says=EQ_15_REPAIRED,
    assumes=("Assumption 2.1", "a joint density"),
    uses=("thm-3.3*",),
    outline="The limit less sigma_0^2/2 is the sum over 2 theta D: no weaker hypothesis on it will do.",
    proof=r"""
        By `thm-3.3*` the limit is $\sigma_0^2/2$ plus the cross terms over $2\theta D$, so (15) holds if
        and only if their sum is $\ge0$: always for $\theta D=1$, and for coordinates of $q$ that are
        centred, uncorrelated and independent of $k$. $\square$
    """,
)
def eq_15_repaired(statement: Statement) -> Iterator[Evidence]:
    for sign, r in ((1, CORRELATION), (1, 0), (-1, sp.Rational(1, 100))):
        tokens = twisted(r, sign)
        gap = limit_variance(tokens, 2) - sp.Rational(1, 2)
        yield identity(
            gap, tokens.cross_terms(2) / 4, f"r = {sign * r}: limit less 1/2 against cross terms over 2a"
        )
    for index, conclusion in enumerate(statement.conclusions, 1):
        room = statement.spelt(conclusion.says.lhs) - statement.target(index)
        yield arrives("V less the bound is the cross terms over 2a", CROSS / (2 * AMPLITUDE), room)
        (when,) = conclusion.when
        alike = (conclusion.says.rel_op, when.rel_op, when.lhs, when.rhs)
        yield exact(
            "so it has their sign", alike == (when.rel_op, when.rel_op, CROSS, 0), alike, "X against 0"
        )


@attack("eq-15*", domain=EQ_15_REPAIRED.domain())
def eq_15_repaired_attack() -> Iterator[Evidence]:
    yield from EQ_15_REPAIRED.attack()
    yield from EQ_15_REPAIRED.sharpness()


@attack(
    "eq-15",
    domain="how small can the limit be, and from which distance on: r = 1/100, 1/2, 9/10, 999/1000, D = 4",
)
def eq_15_attack() -> Iterator[Evidence]:
    for r in ("1/100", "1/2", "9/10", "999/1000"):
        yield list(variance_counterexample(twisted(sp.Rational(r)), 2))[-1]
    what, variance = "r = 9/10: variance at distance 1, exactly", exact_variance("9/10", 2, 1)
    bound = constant_ball(EQ_15.target().subs(moments_of(twisted(CORRELATION), 2)))
    yield controlled(below(what, variance, bound), below(what, variance, "0.096"))


IN_Q, IN_K = sp.symbols("c d", positive=True)
SQUARED = sp.Symbol("E", positive=True)
INFIMUM = Statement(
    (
        Variable(AMPLITUDE, low=sp.Integer(2), integer=True, closed=True, cut=True),
        Variable(IN_Q, low=sp.Integer(0), high=sp.Integer(1)),
        Variable(IN_K, low=sp.Integer(0), high=1 / (AMPLITUDE - 1)),
    ),
    (Conclusion(relation(0, "<", SQUARED)),),
    meaning={SQUARED: AMPLITUDE * (1 - (AMPLITUDE - 1) * IN_Q * IN_K)},
    words=r"$\theta D = a \ge 2$, $\sigma_0 = 1$, $\mu_0 = \nu_0 = 0$: over Schwartz laws of independent $q$, "
    r"$k$ that meet "
    r"Assumption 2.1 the limits of the variance have infimum 0, not attained; with $E = \mathrm{E}(q_A\cdot "
    r"k_A)^2$ for "
    r"unit normal coordinates, equal correlations $c$ in $q_A$ and $-d$ in $k_A$, which tends to 0 as $c$ and $(a-1)d$ "
    "tend to 1, ",
)


@claim(
    "thm-3.3.infimum",
    where="Sec. 3, Theorem 3.3",
    kind="step",
    says=INFIMUM,
    uses=("thm-3.3*",),
    cites=("asm-2.1",),
    outline=(
        "Unit normal coordinates with equal correlations c < 1 in q_A and -d, d < 1/(a-1), in k_A: "
        "E(q_A.k_A)^2 = tr = a(1 - (a-1)cd) -> 0. Covariances are nonsingular: eigenvalues 1-c, 1+(a-1)c and "
        "1+d, 1-(a-1)d are positive."
    ),
)
def infimum(statement: Statement) -> Iterator[Evidence]:
    c, d, size = IN_Q, IN_K, AMPLITUDE
    said = statement.meaning[SQUARED]
    # (u I + v E)(w I + z E), E all ones, has trace a(uw + uz + vw) + a^2 vz
    trace = size * ((1 - c) * (1 + d) - (1 - c) * d + c * (1 + d)) - size**2 * c * d
    yield identity(trace, said, "trace of the product, any a")
    for number in (2, 3, 4):
        yield identity(_trace(number, c, d), said.subs(size, number), f"trace by matrices, a = {number}")
    yield limit((said / size).subs(d, c / (size - 1)), c, 1, 0, "E(q_A.k_A)^2/a as c -> 1", side="-")
    yield arrives("what is positive", SQUARED, statement.target())
    ends = [(one.symbol, one.high) for one in statement.variables[1:] if isinstance(one, Variable)]
    least = said.subs(dict(reversed(ends)))
    yield identity(least, sp.Integer(0), "0 at the open ends of the ranges, towards which it falls")


def _trace(size: int, c: Expr, d: Expr) -> Expr:
    one, ones = sp.eye(size), sp.ones(size, size)
    return sp.expand((((1 - c) * one + c * ones) * ((1 + d) * one - d * ones)).trace())


@attack(
    "thm-3.3.infimum",
    domain=f"{INFIMUM.domain()}; " + "a = 1, the one size without cross terms: the limit cannot move",
)
def infimum_attack() -> Iterator[Evidence]:
    c, d = sp.symbols("c d", positive=True)
    still, moved = (
        tried(f"a = {a}: trace", _trace(a, c, d) == a, _trace(a, c, d), f"{a} for every c, d") for a in (1, 2)
    )
    yield controlled(still, moved)
    yield from INFIMUM.attack()


@practice("eq-15")
def small_phase_practice() -> Iterator[dict[str, object]]:
    """Rows: the same with the small phases of trained heads: how far the variance is from its limit 1/2."""
    for spread in ("0.18", "0.04"):
        for lag in (1, 8192, LONGEST):
            double = cosine_mean(32, lag, spread=2 * ball(spread))
            yield {"sd of phi, turns": spread, "distance": lag, "variance, D = 64": short((1 + double) / 2)}


def cosine_rate(angle: Expr = 2) -> Evidence:
    """E cos of the doubled angle for normal laws, per dimension: (1 + (angle t)^2)^(-1/2), times t: tends to 1/2."""
    return limit(
        T / sp.sqrt(1 + (angle * T) ** 2), T, sp.oo, sp.Rational(1, 2), "t E cos(2x) in one dimension"
    )


SIGMA_SQ, MU = sp.symbols("sigma_sq mu", positive=True)


def fixed_tokens(head: int, share: Fraction) -> Iterator[Evidence]:
    """q = k = (1, ..., 1), no randomness: Assumption 2.1 with mu_0 = 2, nu_0 = 0, sigma_0 = 1; variance 0."""
    yield from of_certain([1] * head, [1] * head, share, "q = k = (1, ..., 1)")


def of_certain(
    q: Sequence[int | Fraction], k: Sequence[int | Fraction], share: Fraction, named: str
) -> Iterator[Evidence]:
    """The variance at tokens without randomness, a counterexample where they meet Assumption 2.1 with sigma_0 = 1."""
    split, law = Split(len(q), share), [(q, k)]

    def inner(q: Sequence[int | Fraction], k: Sequence[int | Fraction]) -> int | Fraction:
        return sum(x * y for x, y in zip(q[: split.amplitude], k, strict=False))

    spread = mean(law, lambda q, k: inner(q, k) ** 2) - mean(law, inner) ** 2
    what = f"{named} for certain, D = {len(q)}, theta D = {split.amplitude}: variance at every distance"
    yield from counterexample(
        finite_law_assumption(law), exact(what, spread >= Fraction(1, 2), spread, ">= 1/2")
    )


Law = Sequence[tuple[Sequence[int | Fraction], Sequence[int | Fraction]]]  # equally likely pairs (q, k)


def mean(law: Law, value: Callable[..., Fraction | int]) -> Fraction:
    """Mean of value(q, k)."""
    return sum((Fraction(value(q, k)) for q, k in law), Fraction(0)) / len(law)


def finite_law_assumption(law: Law) -> Iterator[Evidence]:
    """Assumption 2.1 for a finite law: one E A_d, one E B_d over the pairs, one E (q_d k_d)^2 over the coordinates."""
    head = len(law[0][0])
    every = range(head)
    pairs = every[::2]
    a = {mean(law, lambda q, k, d=d: q[d] * k[d] + q[d + 1] * k[d + 1]) for d in pairs}
    b = {mean(law, lambda q, k, d=d: q[d] * k[d + 1] - q[d + 1] * k[d]) for d in pairs}
    squares = {mean(law, lambda q, k, d=d: (q[d] * k[d]) ** 2) for d in every}
    for name, values in (("E A_d = mu_0", a), ("E B_d = nu_0", b), ("E (q_d k_d)^2 = sigma_0^2", squares)):
        yield exact(name, len(values) == 1, ", ".join(map(str, values)), "one value for all d")


def two_coins() -> Iterator[Evidence]:
    """D = 2, theta = 1/2, alpha = 1: q_0, k_0 = +-1/2 by fair coins, q_1 = k_1 = 1/2, so phi = 1/4 always.

    The score is q_0 k_0 cos(pi |m-n|/2): 0 at every odd distance. No cross terms exist, as theta D = 1.
    """
    half = Fraction(1, 2)
    law = [((x, half), (y, half)) for x, y in product((half, -half), repeat=2)]
    odd = sp.Symbol("j", integer=True)
    phase = mean(law, lambda q, k: q[1] * k[1])
    hypotheses = [
        *finite_law_assumption(law),
        exact("phi for certain", {q[1] * k[1] for q, k in law} == {phase}, phase, "one value"),
        identity(sp.cos(sp.pi * (2 * odd + 1) / 2), sp.Integer(0), "cos(2 pi |m-n| phi) at odd distances"),
    ]
    square = mean(law, lambda q, k: (q[0] * k[0]) ** 2)
    hypotheses.append(exact("sigma_0^2, of q_0 k_0 = +-1/4", square == half**4, square, half**4))
    floor = THEOREM_3_3.target().subs(SQUARE, sp.Rational(square.numerator, square.denominator))
    said = THEOREM_3_3_REPAIRED.target(3)  # what is true where X >= 0, with the same bound
    hypotheses.append(identity(said, THEOREM_3_3.target(), "the bound, that of thm-3.3*"))
    what = "q_0, k_0 = +-1/2 by fair coins, q_1 = k_1 = 1/2, D = 2, alpha = 1: variance at odd distances"
    yield from counterexample(hypotheses, exact(what, bool(floor <= 0), 0, f">= {floor}"))


LOWER_LIMIT = sp.Symbol(
    r"\liminf_{|m-n| \to \infty} \mathrm{Var} \mathrm{Attn}_{\theta,\alpha}(q^{(m)},k^{(n)})",
    nonnegative=True,
)
THEOREM_3_3 = Statement(
    (Variable(LOWER_LIMIT, low=sp.Integer(0), closed=True), Variable(SQUARE, low=sp.Integer(0))),
    (Conclusion(relation(LOWER_LIMIT, ">=", SQUARE / 2)),),
    words=r"under Assumption 2.1, of every law, $S = \sigma_0^2$; ",
)


@claim(
    "thm-3.3",
    where="Sec. 3, Theorem 3.3",
    kind="theorem",
    says=THEOREM_3_3,
    assumes=("Assumption 2.1",),
    outline=(
        "Fixed tokens q = k = (1, ..., 1) meet Assumption 2.1 with sigma_0 = 1 and have variance 0. It fails "
        "with random tokens and theta D = 1 too (two coins), where only a density is missing, and with a "
        "Schwartz density (eq-15)."
    ),
)
def thm_3_3(statement: Statement) -> Iterator[Evidence]:
    yield from fixed_tokens(4, SHARE)
    yield from two_coins()
    ones = [([1] * 4, [1] * 4)]  # at every distance the same score, so no variance
    square = mean(ones, lambda q, k: (q[0] * k[0]) ** 2)
    yield statement.fails_at({LOWER_LIMIT: 0, SQUARE: sp.Rational(square.numerator, square.denominator)})


SCALED_TOKENS = (1, 2, 2, 4), (Fraction(1), Fraction(1, 2), Fraction(1, 2), Fraction(1, 4))


@attack("thm-3.3", domain="fixed tokens at D = 2, 4, 64, 128 and every share that splits D = 4")
def thm_3_3_attack() -> Iterator[Evidence]:
    for head, share in ((2, SHARE), (64, SHARE), (128, SHARE), (4, Fraction(1, 4)), (4, Fraction(3, 4))):
        yield list(fixed_tokens(head, share))[-1]
    yield from of_certain(*SCALED_TOKENS, SHARE, "q = (1, 2, 2, 4), q_d k_d = 1")
    last_apart = [
        ([1, 1, 1, 2], [1, 1, 1, 1])
    ]  # Assumption 2.1 fails in each of its parts, at the last pair alone
    yield from map(refutes, finite_law_assumption(last_apart))


SCALE, INNER_PHASE = sp.symbols(r"s q_P{}\cdot{}k_P", real=True)
WAVE = sp.cos(2 * sp.pi * SCALE * INNER_PHASE)
VANISHING = sp.Symbol(rf"\lim_{{s \to \infty}} \mathrm{{E}}[G {tex(WAVE)}]", real=True)
JOINT_DENSITY = "$(q,k)$ has a density"
INTEGRABLE = r"$\mathrm{E}|G| < \infty$"
LEBESGUE = Statement((), (equals(VANISHING, 0),), words=r"$G = G(q,k)$")


@necessary("thm-3.3.lebesgue", hypothesis=JOINT_DENSITY)
def lebesgue_without_density() -> Iterator[Evidence]:
    turn = sp.Symbol("t", integer=True, positive=True)
    wave = WAVE.subs({SCALE: 4 * turn, INNER_PHASE: sp.Rational(1, 4)})
    yield limit(wave, turn, sp.oo, LEBESGUE.target(), "q_P.k_P = 1/4 for certain, G = 1, along s = 4 t")


@necessary("thm-3.3.lebesgue", hypothesis=INTEGRABLE)
def lebesgue_of_infinite_mean() -> Iterator[Evidence]:
    u, s = sp.symbols("u s", positive=True)
    wave = WAVE.subs({SCALE: s, INNER_PHASE: u})
    primitive = -wave / u - 2 * sp.pi * s * sp.Si(2 * sp.pi * s * u)
    integrates = identity(sp.diff(primitive, u), wave / u**2, "a primitive in u")
    found = sp.limit(-primitive, u, 0, "+")
    what = "q uniform on (0, 1), k on (1, 2), u = q k, G = 1/u^2: mean of G cos(2 pi s u) at each s, the part near 0"
    yield from counterexample([integrates], exact(what, found.is_finite, found, "finite"))


@claim(
    "thm-3.3.lebesgue",
    where="App. H",
    kind="step",
    says=LEBESGUE,
    assumes=(JOINT_DENSITY, INTEGRABLE),
    outline=(
        "k_1 of k_P is not 0 almost surely. With k and the other coordinates fixed, u = q_P.k_P replaces q_1, "
        "du = |k_1| dq_1; so the finite signed measure G dP has a density in u, integrable over the line "
        "(Fubini), and the lemma of Riemann and Lebesgue applies: a step function in u gives (sin - sin)/(2 pi "
        "s) per step, and steps are dense in L^1."
    ),
    proof=r"""
        The coordinate $k_1$ of $k_P$ is almost surely not 0. With $k$ and the other coordinates of $q$
        fixed, $u=q_P\cdot k_P$ replaces $q_1$, $du=|k_1|\,dq_1$, so for integrable $G(q,k)$ the measure
        $G\,dP$ has an integrable density in $u$ (Fubini), and $\mathrm E[G\cos2\pi su]\to0$ by the lemma of
        Riemann and Lebesgue. $\square$
    """,
)
def lebesgue(statement: Statement) -> Iterator[Evidence]:
    for size in (1, 2, 5):
        q, k, _ = quadratic(size)
        new = sp.Matrix([(q.T * k)[0], *q[1:]])
        yield identity(new.jacobian(q).det(), k[0], f"du/dq_1 in dimension {size}")
    lo, hi, s, u = sp.symbols("lo hi s u", real=True, positive=True)
    primitive = sp.sin(2 * sp.pi * s * u) / (2 * sp.pi * s)
    yield identity(sp.diff(primitive, u), WAVE.subs({SCALE: s, INNER_PHASE: u}), "one step")
    step = primitive.subs(u, hi) - primitive.subs(u, lo)
    yield limit(step.subs({lo: 1, hi: 2}), s, sp.oo, statement.target(), "one step as s grows")


@attack("thm-3.3.lebesgue", domain="laws without a density: q_P.k_P = 0, 1/4, 1 for certain; s whole")
def lebesgue_attack() -> Iterator[Evidence]:
    def returns(off: int) -> Evidence:
        turns = [2 * sp.pi * phase for phase in (sp.Integer(0), sp.Rational(1, 4), sp.Integer(1))]
        values = [sp.cos((4 * j + off) * turn) for turn in turns for j in range(1, 5)]
        what = f"phases 0, 1/4 and 1 at s = 4, 8, 12, 16, each {off} farther"
        return tried(what, values == [1] * 12, values, "1: a density is needed")

    yield controlled(returns(0), returns(1))


THEOREM_3_3_REPAIRED = Statement(
    (*MOMENTS, Variable(MEAN_A)),
    (
        Conclusion(relation(VARIANCE, "==", SQUARE / 2 + CROSS / (2 * AMPLITUDE))),
        Conclusion(relation(0, "<", VARIANCE)),
        Conclusion(relation(VARIANCE, ">=", SQUARE / 2), when=(relation(CROSS, ">=", 0),)),
        Conclusion(relation(VARIANCE, "<", SQUARE / 2), when=(relation(CROSS, "<", 0),)),
        Conclusion(
            relation(VARIANCE, ">=", SQUARE / 2),
            when=(
                relation(AMPLITUDE * SQUARE + CROSS, ">=", (MEAN_A * AMPLITUDE / 2) ** 2),
                relation(MEAN_A**2 * AMPLITUDE, ">=", 4 * SQUARE),
            ),
        ),
    ),
    meaning=MOMENT_LIMIT,
    words=r"$(q,k)$ has any joint density and $\mathrm{E}(q_A\cdot k_A)^2 < \infty$: "
    + MOMENT_WORDS.replace(" (`thm-3.3*`)", "")
    + r"$\mathrm{Var} \mathrm{Attn} \to V = \mathrm{E}(q_A\cdot k_A)^2/(2a)$; for $a = 1$ there is no cross "
    r"term, and the "
    r"last condition but one holds whenever $a$ is even, as the $A_d$ have the same mean (Jensen); ",
)


ONE_DENSITY = "a joint density (the same for all $m$, $n$)"
ONE_MEAN = r"$\mathrm{E} A_d = \mu_0$ for all $d$ (for what is said of even $a$ alone)"


for condition, where, values in (
    (NOT_NEGATIVE, 3, (-1, 0)),
    (NEGATIVE, 4, (1, 0)),
    (
        THEOREM_3_3_REPAIRED.conclusions[4].when[0],
        5,
        (-1, 2),
    ),  # E (q_A.k_A)^2 = 1, below the square of the mean
    (THEOREM_3_3_REPAIRED.conclusions[4].when[1], 5, (-1, 0)),
):
    place = {**AT, **dict(zip((CROSS, MEAN_A), values, strict=True))}
    needed = partial(dropped, THEOREM_3_3_REPAIRED, where, condition, place)
    necessary("thm-3.3*", hypothesis=f"${tex(condition)}$")(needed)

ONE_SCALE = r"$\mathrm{E} (q_d k_d)^2 = \sigma_0^2$ for all $d$"


def of_two_scales(statement: Statement, index: int) -> Evidence:
    """q and k independent normal, q_1 of variance 4 and the rest of 1: the limit against sigma_0 = 1."""
    tokens = GaussianTokens(sp.diag(1, 4, *[1] * 6))
    said = statement.target(index).subs({AMPLITUDE: 2, SQUARE: 1, CROSS: tokens.cross_terms(2)})
    return identity(
        limit_variance(tokens, 2), said, "E (q_1 k_1)^2 = 4, the others 1, a = 2: E (q_A.k_A)^2/(2a)"
    )


@necessary("thm-3.3*", hypothesis=ONE_SCALE)
def thm_3_3_repaired_without_one_scale() -> Iterator[Evidence]:
    yield of_two_scales(THEOREM_3_3_REPAIRED, 1)


@necessary("thm-3.3*", hypothesis=ONE_MEAN)
def thm_3_3_repaired_without_one_mean() -> Iterator[Evidence]:
    """q_d and k_d of correlation r in every other pair, -r in the rest: E A_d = +-2r, and E q_A.k_A = 0 at a = 4."""
    head, amplitude, r, covariance = 8, 4, CORRELATION, sp.eye(16)
    for d in range(head):
        covariance[d, head + d] = covariance[head + d, d] = -r if d // 2 % 2 else r
    tokens = GaussianTokens(covariance)
    squares = [tokens.moment([d, d], [d, d]) for d in range(head)]
    at = {AMPLITUDE: amplitude, SQUARE: squares[0], MEAN_A: tokens.moment([0], [0]) + tokens.moment([1], [1])}
    conclusion = THEOREM_3_3_REPAIRED.conclusions[4]
    enough = conclusion.when[1].subs(at)
    hypotheses = [
        tokens.schwartz(),
        exact(
            "E (q_d k_d)^2, of every d", squares == [squares[0]] * head, squares, f"one value, {head} times"
        ),
        exact("mu_0^2 a, mu_0 = E A_0, against 4 S", enough == sp.true, at, "at least"),
    ]
    found, bound = limit_variance(tokens, amplitude), conclusion.says.rhs.subs(at)
    what = "E A_d = 9/5 and -9/5 in turn, a = 4: limit of the variance"
    yield from counterexample(hypotheses, exact(what, bool(found >= bound), found, f">= {bound}"))


@necessary("thm-3.3*", hypothesis=ONE_DENSITY)
def thm_3_3_repaired_without_density() -> Iterator[Evidence]:
    yield from two_coins()


@repair(
    "thm-3.3",
    says=THEOREM_3_3_REPAIRED,
    assumes=(
        ONE_DENSITY,
        ONE_SCALE,
        ONE_MEAN,
    ),
    uses=("eq-12", "eq-82*", "eq-83*", "thm-3.3.lebesgue"),
    outline=(
        "Var = E Attn^2 - (E Attn)^2; cos^2 x = (1 + cos 2x)/2; both oscillating means tend to 0 by the step "
        "above. For theta D even, q_A.k_A is the sum of theta D/2 of the A_d, so E(q_A.k_A)^2 >= (mu_0 theta "
        "D/2)^2 (Jensen). The limit is 0 only if q_A.k_A = 0 almost surely, which a density forbids. Cross "
        "terms vanish for coordinates of q uncorrelated, of mean 0 and independent of k. For a Schwartz "
        "density the rate is that of (84) and (81)."
    ),
    proof=r"""
        Let $A=q_A\cdot k_A/\sqrt{\theta D}$ and $x=2\pi s\,q_P\cdot k_P$. Then $\mathrm{Var}=\frac12\mathrm
        EA^2+\frac12\mathrm E[A^2\cos2x]-(\mathrm E[A\cos x])^2$, and both oscillating means tend to 0
        (`thm-3.3.lebesgue`). Expanding the square of $q_A\cdot k_A=\sum_iq_ik_i$ gives $\theta D$ squares
        and the cross terms. The limit is 0 only if $q_A\cdot k_A=0$ almost surely, which a density forbids.
        Last, for $\theta D$ even $q_A\cdot k_A$ is the sum of $\theta D/2$ of the $A_d$, with mean $\theta
        D\mu_0/2$, so by Jensen the limit is at least $\theta D\mu_0^2/8$, which is $\ge\sigma_0^2/2$ when
        $\mu_0^2\theta D\ge4\sigma_0^2$. $\square$
    """,
)
def thm_3_3_repaired(statement: Statement) -> Iterator[Evidence]:
    found, squares = statement.meaning[VARIANCE], SQUARE / 2
    (first,), third = THEOREM_3_3.conclusions, statement.conclusions[2].says
    alike = (first.says.rhs, first.says.rel_op) == (third.rhs, third.rel_op)
    yield exact("the bound is that of the theorem as stated", alike, third.rhs, first.says.rhs)
    yield arrives("the squares and the cross terms, over 2a", found, statement.target(1))
    yield arrives("positive, as E (q_A.k_A)^2 is", statement.target(2), VARIANCE)
    for index in (3, 4, 5):
        yield arrives("half of sigma_0^2", squares, statement.target(index))
    for index, sign in ((3, ">="), (4, "<")):
        (when,) = statement.conclusions[index - 1].when
        yield exact(
            f"where the cross terms are {sign} 0", when == relation(CROSS, sign, 0), when, f"X {sign} 0"
        )
        said = statement.conclusions[index - 1].says.rel_op
        yield exact("and the variance alike", said == sign, said, sign)
    mean, enough = statement.conclusions[4].when
    least = mean.rhs / (2 * AMPLITUDE)  # of V, by the mean of q_A.k_A
    q, k, _ = quadratic(4)
    of_pairs = sp.Add(*(q[d] * k[d] + q[d + 1] * k[d + 1] for d in (0, 2)))
    yield identity(of_pairs, (q.T * k)[0], "q_A.k_A is the sum of the A_d, a = 4")
    total: Any = sp.Sum(MEAN_A, (sp.Symbol("d", integer=True), 1, AMPLITUDE / 2)).doit()
    yield arrives("so the sum of a/2 of mean mu_0, whose square Jensen needs", total**2, mean.rhs)
    yield arrives("E (q_A.k_A)^2 is what exceeds its square", AMPLITUDE * SQUARE + CROSS, mean.lhs)
    rest = sp.Symbol("w", nonnegative=True)  # mu_0^2 a = 4 sigma_0^2 + w
    at = sp.expand(least).subs(MEAN_A, sp.sqrt((enough.rhs + rest) / AMPLITUDE))
    yield identity(
        at - squares, rest / 8, "Jensen's bound less sigma_0^2/2, mu_0^2 theta D = 4 sigma_0^2 + w"
    )


@attack(
    "thm-3.3*",
    domain=f"{THEOREM_3_3_REPAIRED.domain()}; "
    + "unit normal tokens, r = 0 (no cross terms): exact variance at 1 to 2^20 against 1/2; n = 1, 2, 32",
)
def thm_3_3_repaired_attack() -> Iterator[Evidence]:
    cases = (
        (f"n = {n}, distance {lag}", exact_variance(0, n, lag) - ball("1/2"))
        for n in (1, 2, 32)
        for lag in (1, 100, LONGEST)
    )
    yield search("variance less sigma_0^2/2", cases, control="1.8e-31")
    for r in (0, CORRELATION):
        yield controlled(breaks_never(twisted(r, sign=1)), breaks_never(twisted(CORRELATION, sign=-1)))
    yield from THEOREM_3_3_REPAIRED.attack()


def breaks_never(tokens: GaussianTokens) -> Evidence:
    """Cross terms >= 0: the limit must not be below sigma_0^2/2."""
    cross, found = tokens.cross_terms(2), limit_variance(tokens, 2)
    (condition,), bound = (
        THEOREM_3_3_REPAIRED.conclusions[2].when,
        THEOREM_3_3_REPAIRED.target(3).subs(SQUARE, 1),
    )
    enough = bool(condition.subs(CROSS, cross) and found >= bound)
    return tried(f"cross terms {cross}: limit of the variance", enough, found, f">= {bound}")


@practice("thm-3.3")
def thm_3_3_practice() -> Iterator[dict[str, object]]:
    """Rows: exact variance of unit normal tokens (theta = 1/2, alpha = 0.1), and with r = 0.9 inside every pair."""
    for head in HEAD_DIMS:
        n = Split(head, SHARE).phase
        yield {
            "head_dim": head,
            "variance at distance 0": 1,
            "at 1": short(exact_variance(0, n, 1)),
            "at 2^20": short(exact_variance(0, n, LONGEST)),
            "cross terms by r = 0.9 in every pair, at 2^20": short(exact_variance("9/10", n, LONGEST)),
            "|mu_0|/sigma_0 from which (15) is safe, theta D even": short(ball(4) / ball(n).sqrt() / 2, 3),
        }
