"""Theorem 3.2 beyond its hypothesis: laws without a smooth joint density have other exponents, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import lcm

import sympy as sp
from flint import acb, arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, equal_within
from proofs.checks import arrives, controlled, exact, instance, same, search, tried
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import (
    N,
    Q,
    S,
    T,
    gaussian_integral,
    log_normal,
    one_pair,
)
from proofs.integrals import integrate, si
from proofs.ledger import attack, claim, necessary
from proofs.paper.section_3_score import EQ_12
from proofs.paper.theorem_3_2 import EQ_14
from proofs.statements import Conclusion, Statement, Variable, relation, tex
from proofs.tapa_letters import (
    AMPLITUDE_SIZE,
    ANY_POWER,
    APART,
    HEAD,
    INNER_A,
    LAG,
    POWER,
    SPLIT,
    equals,
    every_size,
    falls_like,
    in_dimensions,
    put,
)

U = sp.Symbol("u", positive=True)
PLACE = "Sec. 3, Theorem 3.2"


def same_coordinate() -> Expr:
    """E e^{-2 pi i s x^2} for standard normal x: the phase of one coordinate where q_P = k_P."""
    factor, exponent = gaussian_integral(log_normal(Q) - 2 * sp.pi * sp.I * S * Q**2, Q)
    return factor * sp.exp(exponent)


EQUAL_DIMS = 4
OF_PAIR = (1 + sp.I * U) ** -sp.Rational(EQUAL_DIMS, 2)
ROTATED = 4 * sp.pi * S
HALF_AS_FAST = APART ** (-POWER * N / 2)
EQUAL = Statement(
    (Variable(U, low=sp.Integer(0)),),
    (Conclusion(relation(sp.re(OF_PAIR, evaluate=False), "==", (1 - U**2) / (1 + U**2) ** 2)),),
    words=rf"a joint density is needed: for $q_P = k_P$ standard normal and $n = {EQUAL_DIMS}$, $\mathrm{{E}}\cos$ is "
    rf"the left side below, $u = {tex(ROTATED)}$, which decays like ${tex(HALF_AS_FAST)}$, so (14) fails; ",
)


@claim(
    "thm-3.2.equal",
    where=PLACE,
    kind="step",
    says=EQUAL,
    cites=("eq-14",),
    outline="E e^{-2 pi i s|x|^2} = (1+iu)^{-n/2}; its size (1+u^2)^{-n/4} has half the exponent for every n.",
)
def equal_tokens(statement: Statement) -> Iterator[Evidence]:
    yield identity(same_coordinate() ** -2, 1 + sp.I * ROTATED, "one coordinate, to the power -2")
    said = statement.conclusions[0].says.lhs.args[0]
    yield identity(same_coordinate() ** EQUAL_DIMS, said.subs(U, ROTATED), "all coordinates")
    least, ours = in_dimensions(EQ_14.target()), HALF_AS_FAST
    yield arrives("u^-2 in tokens", falls_like((APART**POWER) ** -2), falls_like(ours.subs(N, EQUAL_DIMS)))
    power = falls_like(least)
    yield arrives("half as fast as (14) says, for every n", 2 * falls_like(ours), power)
    yield exact("which is slower", power.is_positive, power, "> 0")
    yield from half_exponent(4)
    yield arrives("Re (1+iu)^-2", sp.re(inverse_square()), statement.target())
    yield arrives("(1+iu)^-2", inverse_square(), said)
    yield limit(-(U**2) * statement.target(), U, sp.oo, 1, "u^2 |E cos| as u grows")


def inverse_square() -> Expr:
    """(1+iu)^-2 with a real denominator."""
    return sp.expand((1 - sp.I * U) ** 2) / (1 + U**2) ** 2


def half_exponent(power: int) -> Iterator[Evidence]:
    """Real part of (1+iu)^-2, and u^power times it: unbounded, so no bound C s^-power holds."""
    value = (1 - U**2) / (1 + U**2) ** 2
    yield identity(sp.re(inverse_square()), value, "Re (1+iu)^-2")
    yield limit(-(U**power) * value, U, sp.oo, sp.oo, f"u^{power} |E cos| as u grows")
    yield limit(-(U**2) * value, U, sp.oo, 1, "u^2 |E cos| as u grows")


@attack(
    "thm-3.2.equal",
    domain=f"{EQUAL.domain()}; " + "s from 1/100 to 10 by quadrature in balls, one coordinate, real part",
)
def equal_tokens_attack() -> Iterator[Evidence]:
    for s in ("1/100", "1/3", 10):
        turn = 2 * arb.pi() * ball(s)
        body = integrate(lambda x, _a, t=turn: (acb(t) * x * x).cos() * (-x * x / 2).exp(), -30, 30)
        tail = arb(-450).exp()
        found = (body + (-tail).union(tail)) * (2 * arb.pi()).rsqrt()
        same, doubled = (
            equal_within(f"s = {s}: E cos({times} pi s x^2)", found, closed, "1e-20")
            for times, closed in ((i, (acb(1) / acb(1, i * turn).sqrt()).real) for i in (2, 4))
        )
        yield controlled(same, doubled)
    yield from EQUAL.attack()


def moment_cosine(density: Expr) -> Expr:
    """int_{-1}^1 density(u) cos(t u) du of a polynomial, t = S: by parts, until its derivatives vanish."""
    part, primitive, order = sp.expand(density), sp.Integer(0), 0
    while part != 0:
        primitive += part * sp.sin(S * U + order * sp.pi / 2) / S ** (order + 1)
        part, order = sp.diff(part, U), order + 1
    if sp.expand(sp.expand_trig(sp.diff(primitive, U)) - sp.expand(density) * sp.cos(S * U)) != 0:
        raise ArithmeticError(f"{primitive} is no primitive of ({density}) cos({S} {U})")
    return primitive.subs(U, 1) - primitive.subs(U, -1)


COORDINATE = sp.Symbol("x", real=True)


def over_interval(density: Expr) -> Expr:
    """The mean of cos(t x) for x in [-1, 1] of a density."""
    return sp.Integral(density * sp.cos(S * COORDINATE), (COORDINATE, -1, 1))


def one_over_sphere(space: int) -> Expr:
    """Density of one coordinate on the unit sphere of a space."""
    profile = (1 - COORDINATE**2) ** sp.Rational(space - 3, 2)
    return profile / sp.integrate(sp.expand(profile), (COORDINATE, -1, 1))


SPACE = 3
RADIUS = sp.Symbol("R", positive=True)
EXAMPLE = relation(RADIUS**2, "==", sp.sqrt(3) / 4)
SPREAD = 2 * sp.pi * RADIUS**2
LINEAR = sp.Integer(1)  # the exponent of the distance in the example
AT_ODD = 2 / (sp.pi * APART)
SPHERE = Statement(
    (Variable(S, low=sp.Integer(0)),),
    (
        Conclusion(relation(over_interval(sp.Rational(1, 2)), "==", sp.sin(S) / S)),
        Conclusion(
            relation(
                over_interval(sp.Rational(3, 4) * (1 - COORDINATE**2)),
                "==",
                3 * (sp.sin(S) - S * sp.cos(S)) / S**3,
            )
        ),
    ),
    words=rf"$q_P$, $k_P$ independent, uniform on the sphere of radius $R$ in $\mathbb{{R}}^{{{SPACE}}}$ (normalised "
    rf"queries, keys): $\mathrm{{E}}\cos$ is the first integral below, at ${tex(SPREAD)}$ times the $s$ of the "
    rf"notation; with $\alpha = {LINEAR}$, ${tex(EXAMPLE)}$ it is ${tex(AT_ODD)}$ in size at odd "
    rf"distances; (14) says ${tex(APART**-SPACE)}$; in $\mathbb{{R}}^5$ it is the second; ",
)


@claim(
    "thm-3.2.sphere",
    where=PLACE,
    kind="step",
    says=SPHERE,
    cites=("eq-14",),
    outline="q.k/R^2 is uniform on [-1, 1] (Archimedes). In R^5: 3(sin t - t cos t)/t^3, exponent 2 for 5.",
)
def sphere(statement: Statement) -> Iterator[Evidence]:
    for index, place in ((1, "R^3"), (2, "R^5")):
        said = statement.conclusions[index - 1].says.lhs
        density = said.function / sp.cos(S * COORDINATE)
        found = moment_cosine(density.subs(COORDINATE, U))
        yield identity(found, statement.target(index), f"{place}: mean of cos(t x)")
        mass = sp.integrate(density, (COORDINATE, -1, 1))
        yield identity(mass, sp.Integer(1), f"{place}: the density's integral")
    odd = sp.Symbol("j", integer=True)
    spread = SPREAD.subs(EXAMPLE.lhs, EXAMPLE.rhs)
    turn = spread * APART**LINEAR / sp.sqrt(SPACE)  # times s = |m-n|^alpha/sqrt(n)
    yield identity(turn, sp.pi * APART / 2, "a quarter of a turn for each token")
    yield identity(
        statement.target(1).subs(S, turn) / sp.sin(turn), AT_ODD, "its size where the sine is 1 or -1"
    )
    power = falls_like(in_dimensions(EQ_14.target()).subs({N: SPACE, POWER: LINEAR}))
    yield exact("(14) says |m-n|^-3", power == SPACE, power, SPACE)
    yield identity(
        one_over_sphere(SPACE), statement.conclusions[0].says.lhs.function / sp.cos(S * COORDINATE), "R^3"
    )
    yield identity(sp.sin(sp.pi * (2 * odd + 1) / 2) ** 2, sp.Integer(1), "sin^2(pi |m-n|/2) at odd |m-n|")
    yield limit(U**3 * 2 / (sp.pi * U), U, sp.oo, sp.oo, "|m-n|^3 |E cos| at odd distances")


@attack(
    "thm-3.2.sphere",
    domain="even distances, where the mean cosine is 0: the bound fails along the odd ones only",
)
def sphere_attack() -> Iterator[Evidence]:
    def vanishes(lags: range) -> Evidence:
        values = [sp.sin(sp.pi * lag / 2) for lag in lags]
        return tried(f"sin(pi |m-n|/2) at |m-n| in {lags}", not any(values), values, "0")

    yield controlled(vanishes(range(2, 20, 2)), vanishes(range(2, 20)))


def ball_mean(t: Real) -> arb:
    """E cos(t q.k) for independent q, k uniform in the unit ball of R^5: 75 t^-5 (3 Si t + t cos t - 4 sin t)."""
    x = ball(t)
    return 75 * x**-5 * (3 * si(x) + x * x.cos() - 4 * x.sin())


SOLID = 5  # dimensions of the ball
MEAN_COSINE = sp.Symbol(r"\mathrm{E}\cos", real=True)
TURNS = sp.Symbol("s", integer=True, positive=True)
WHOLE_TURNS = 2 * sp.pi * TURNS
CLOSED = 75 * T**-SOLID * (3 * sp.Si(T) + T * sp.cos(T) - 4 * sp.sin(T))
SLOWER = 75 * T ** (1 - SOLID)
BALL = Statement(
    (Variable(T, low=sp.Integer(0)), Variable(TURNS, low=sp.Integer(1), integer=True, closed=True)),
    (
        equals(MEAN_COSINE, CLOSED),
        Conclusion(relation(put(CLOSED, {T: WHOLE_TURNS}), ">", put(SLOWER, {T: WHOLE_TURNS}))),
    ),
    words="a bounded density of compact support is not enough: $q_P$, $k_P$ independent, uniform in the unit ball of "
    rf"$\mathbb{{R}}^{{{SOLID}}}$, $t = {tex(WHOLE_TURNS)}$: at integer $s$ the mean exceeds ${tex(SLOWER)}$ "
    rf"where (14) says $C {tex(T**-SOLID)}$; ",
)


@claim(
    "thm-3.2.ball",
    where=PLACE,
    kind="step",
    says=BALL,
    cites=("eq-14",),
    outline=(
        "One coordinate of q has density 15(1-u^2)^2/16, with transform f; |q| has density 5r^4; the primitive of "
        "t^4 f is found by its derivative. At s = |m-n| (alpha = 1, radius^2 = sqrt 5): cos t = 1, sin t = 0, Si > 0."
    ),
)
def solid_ball(statement: Statement) -> Iterator[Evidence]:
    wave = 15 * ((3 - S**2) * sp.sin(S) - 3 * S * sp.cos(S)) / S**5
    profile = (1 - COORDINATE**2) ** sp.Rational(SOLID - 1, 2)  # of one coordinate
    density = profile / sp.integrate(sp.expand(profile), (COORDINATE, -1, 1))
    yield identity(moment_cosine(density.subs(COORDINATE, U)), wave, "transform of one coordinate")
    yield ball_primitive(sp.Integer(4), wave)
    primitive = 15 * (3 * sp.Si(T) + T * sp.cos(T) - 4 * sp.sin(T))
    # |q| has density d r^(d-1), d the dimension
    yield arrives("the mean over |q|", SOLID * T**-SOLID * primitive, statement.target(1))
    power = falls_like(in_dimensions(EQ_14.target()).subs(N, SOLID)) / POWER
    yield exact("(14) says t^-5", power == SOLID, power, SOLID)
    said = statement.conclusions[1].says
    rest = 225 * sp.Si(2 * sp.pi * TURNS) / (2 * sp.pi * TURNS) ** SOLID
    yield identity(said.gts - said.lts, rest, "at t = 2 pi j the mean less 75 t^-4, positive as Si is")
    yield identity(said.rhs * (2 * sp.pi * TURNS) ** (SOLID - 1), 75, "one power less than (14) has")
    yield limit(primitive, T, 0, 0, "the primitive starts at 0")
    yield statement.every_positive(T)
    yield every_size(statement, TURNS)


def ball_primitive(sines: Expr, wave: Expr) -> Evidence:
    """d/dt 15(3 Si t + t cos t - sines sin t) against t^4 f(t)."""
    primitive = 15 * (3 * sp.Si(S) + S * sp.cos(S) - sines * sp.sin(S))
    return identity(sp.diff(primitive, S), S**4 * wave, "derivative of the primitive")


AT_TURNS = replace(BALL, conclusions=BALL.conclusions[1:])


@attack(
    "thm-3.2.ball",
    domain=f"{AT_TURNS.domain()}; "
    "t = 1/2, 2 pi, 20 pi by quadrature in balls; 75 t^-4 against the value at t = 2 pi j",
)
def solid_ball_attack() -> Iterator[Evidence]:
    yield from AT_TURNS.attack()
    for t in (ball("1/2"), 2 * arb.pi(), 20 * arb.pi()):
        found = integrate(lambda r, _a, t=t: 5 * r**4 * _transform(acb(t) * r), "1/50", 1)
        inner = ball("1/50") ** 5 * arb(-1).union(arb(1))  # every mean cosine lies in [-1, 1]
        same, elsewhere = (
            equal_within(f"t = {float(t):.4g}: quadrature, |q| < 1/50 as a ball", found + inner, mean, "1e-8")
            for mean in (ball_mean(t), ball_mean(1))
        )
        yield controlled(same, elsewhere)
    cases = ((f"j = {j}", ball_mean(2 * arb.pi() * j) * (2 * arb.pi() * j) ** 4 - 75) for j in (1, 10, 10**6))
    yield search("t^4 E cos - 75", cases, control="5.63e-5")


def _transform(z: acb) -> acb:
    return 15 * ((3 - z * z) * z.sin() - 3 * z * z.cos()) / z**5


def determinant_degree(matrix: Expr) -> tuple[Expr, Expr]:
    """Degree in c of det(1 + c W W^T), and the rank of W."""
    c = sp.Symbol("c")
    size = matrix.shape[0]
    poly = sp.Poly((sp.eye(size) + c * matrix * matrix.T).det(), c)
    return poly.degree(), matrix.rank()


WIRING = (
    sp.Matrix([[1, 2], [2, 4]]),
    sp.Matrix([[1, 2], [3, 4]]),
    sp.Matrix([[1, 0, 1], [0, 1, 1], [1, 1, 2]]),
    sp.zeros(2, 2),
)


SQUARED = 4 * sp.pi**2 * S**2
DETERMINANT = sp.Symbol(rf"\det(1 + {tex(SQUARED)} W W^{{T}})", positive=True)
RANK, EXPONENT = sp.Symbol("r", integer=True, nonnegative=True), sp.Symbol("p", nonnegative=True)
SINGULAR = relation(RANK, "<", N)
WIRED = Statement(
    (
        Variable(N, low=sp.Integer(1), integer=True, closed=True),
        Variable(RANK, low=sp.Integer(0), high=N, integer=True, closed=True),
        ANY_POWER,
    ),
    (
        equals(MEAN_COSINE, DETERMINANT ** sp.Rational(-1, 2)),
        equals(EXPONENT, POWER * RANK),
        Conclusion(relation(POWER * RANK, "<", POWER * N), when=(SINGULAR,)),
    ),
    words=r"$q_P = U h$, $k_P = V h'$, $h$, $h'$ independent standard normal, $W = U^T V$, $r = \mathrm{rank}(W)$, $p$ "
    "the exponent in $|m-n|$ with which the mean falls, which is below that of (14), the last right side, where $W$ is "
    "singular; ",
)


@necessary("thm-3.2.rank", hypothesis=f"${tex(SINGULAR)}$")
def full_rank() -> Iterator[Evidence]:
    yield (
        replace(WIRED, conclusions=WIRED.conclusions[2:])
        .without(SINGULAR)
        .fails_at({N: 2, RANK: 2, POWER: 1})
    )


@claim(
    "thm-3.2.rank",
    where=PLACE,
    kind="step",
    says=WIRED,
    cites=("eq-14",),
    outline=(
        "E over h' is exp(-2 pi^2 s^2 |W^T h|^2); in the singular basis of W the pairs are independent with t = 2 pi "
        "s sigma_i; the determinant is prod(1 + c sigma_i^2), of degree rank(W) in c."
    ),
    proof=r"""
        $q_P\cdot k_P=h^TWh'$, and with the singular values $\sigma_i$ of $W$ and the two orthogonal
        matrices taken into $h$, $h'$, which leaves their law as it is, $q_P\cdot k_P=\sum_i\sigma_ih_ih'_i$.
        The pairs are independent, and each contributes $(1+4\pi^2s^2\sigma_i^2)^{-1/2}$. The product is
        $\det(1+4\pi^2s^2WW^T)^{-1/2}$, a polynomial in $s^2$ of degree $\mathrm{rank}(W)$ under the root,
        so the mean falls like $s^{-\mathrm{rank}(W)}$. $\square$
    """,
)
def rank_decides(statement: Statement) -> Iterator[Evidence]:
    sigma = sp.Symbol("sigma", positive=True)
    closed = statement.target(1).subs(DETERMINANT, 1 + SQUARED * sigma**2)
    yield identity(one_pair(sigma * S), closed, "one singular value, W = sigma")
    leading = statement.target(1).subs(
        DETERMINANT, SQUARED**RANK
    )  # the determinant's degree in s^2 is the rank
    yield arrives("so the mean falls", falls_like(leading.subs(S, APART**POWER)), statement.target(2))
    (said,) = statement.conclusions[2:]
    yield arrives("as below", statement.target(2), said.says.lhs)
    yield arrives("(14) says", falls_like(in_dimensions(EQ_14.target())), said.says.rhs)
    yield statement.every_positive(POWER)
    yield every_size(statement, N)
    ranks = statement.range_of(RANK)
    yield exact("every rank", (ranks.low, ranks.high) == (0, N), ranks.words(), "0 to n")
    for matrix in WIRING:
        found, rank = determinant_degree(matrix)
        what = f"degree of det(1 + c W W^T), W = {matrix.tolist()}"
        yield instance(exact(what, found == rank, found, rank))


@attack(
    "thm-3.2.rank",
    domain="full rank with a tiny second singular value: the exponent n is reached only far away",
)
def thm_3_2_rank_attack() -> Iterator[Evidence]:
    yield from replace(WIRED, conclusions=WIRED.conclusions[2:]).attack()
    small = ball("1/1000")
    for s, power, control in ((10, 1, "2e-3"), (10**6, 2, "1e-8")):
        square = (2 * arb.pi() * ball(s)) ** 2
        mean = ((1 + square) * (1 + square * small**2)).rsqrt()
        leading = square.rsqrt() if power == 1 else 1 / (square * small)
        what = f"singular values 1 and 1/1000, s = {s}: relative distance from a power {power}"
        apart = abs(mean / leading - 1)
        yield controlled(below(what, apart, "1/100"), below(f"{what}, against {control}", apart, control))


def returns(phases: Sequence[Fraction], repeats: int) -> list[Expr]:
    """Mean cosine at the distances (j L)^10, L the common denominator, alpha = 1/10, equal weights: exact."""
    if not phases:
        raise InputError("no phase; a law needs at least one value")
    common = lcm(*(phase.denominator for phase in phases))
    means = []
    for j in range(1, repeats + 1):
        power = sp.root(sp.Integer((j * common) ** 10), 10)
        turns = [power * sp.Rational(phase.numerator, phase.denominator) for phase in phases]
        means.append(sp.Add(*(sp.cos(2 * sp.pi * turn) for turn in turns)) / len(phases))
    return means


LIMSUP = sp.Symbol(r"\limsup |\mathrm{E} \mathrm{Attn}|", nonnegative=True)
MEAN_FORM = sp.Symbol(r"\mathrm{E} q_A^{T} k_A", real=True)
ROOTS, NOWHERE = relation(POWER, "<=", 1), relation(LAG, "==", 0)
FINITE_LAW = Statement(
    (*SPLIT, ANY_POWER),
    (Conclusion(relation(LIMSUP, ">=", sp.Abs(MEAN_FORM) / sp.sqrt(AMPLITUDE_SIZE))),),
    given=(ROOTS,),
    words="finitely many values of $(q,k)$, as in the first layer where both depend on the token alone: no decay at "
    rf"all, as the right side below is the value at ${tex(NOWHERE)}$; ",
)


@claim(
    "thm-3.2.tokens",
    where=PLACE,
    kind="step",
    says=FINITE_LAW,
    outline=(
        "E Attn is a finite sum of cosines of |m-n|^alpha phi_j. By Dirichlet infinitely many integers t have all t "
        "phi_j within eps of integers; |m-n| = ceil(t^{1/alpha}) differs from t in |m-n|^alpha by at most alpha "
        "t^{1-1/alpha} -> 0 (by 0 for alpha = 1). Rational phases return exactly, at |m-n| = (jL)^10 for alpha = "
        "1/10; such distances lie far beyond any context."
    ),
)
def finite_law(statement: Statement) -> Iterator[Evidence]:
    (said,), (given,) = statement.conclusions, statement.given
    at_zero = sp.Abs(put(EQ_12.target(), {INNER_A: MEAN_FORM, NOWHERE.lhs: NOWHERE.rhs}))
    yield arrives("the value of eq 12 at distance 0", at_zero, said.says.lts)
    away = sp.solve(1 - 1 / POWER, POWER)  # t^(1 - 1/alpha) does not grow up to there
    yield exact(
        "returns to every power", (given.lts, [given.gts]) == (POWER, away), given, f"alpha <= {away}"
    )
    yield statement.every_positive(POWER, HEAD)
    phases = [Fraction(1, 3), Fraction(2, 7), Fraction(-5, 11)]
    means = returns(phases, 4)
    yield exact("mean cosine at (231 j)^10, phases 1/3, 2/7, -5/11", means == [1] * 4, means, "1")
    x, t, s = sp.symbols("x t s", positive=True)
    step, there = sp.diff(x**POWER, x).subs(x, t ** (1 / POWER)), POWER * t ** (1 - 1 / POWER)
    yield same("slope of |m-n|^alpha at t^(1/alpha)", step, there)
    yield limit(there.subs(POWER, 1 / (1 + s)), t, sp.oo, 0, "of it, alpha = 1/(1 + s) < 1")


@attack(
    "thm-3.2.tokens",
    domain="phases 1/3, 2/7, -5/11, alpha = 1/10, distances 1 to 1000: how near to 1?",
)
def finite_law_attack() -> Iterator[Evidence]:
    largest = max((_mean_at(lag) for lag in range(1, 1001)), key=float)
    what = "largest mean cosine at distances 1..1000"
    yield controlled(below(what, largest, 1), below(f"{what}, against -0.194", largest, "-0.194"))


def _mean_at(lag: int) -> arb:
    power = 2 * arb.pi() * ball(lag) ** ball("1/10")
    return sum(((power * ball(p)).cos() for p in ("1/3", "2/7", "-5/11")), arb(0)) / 3
