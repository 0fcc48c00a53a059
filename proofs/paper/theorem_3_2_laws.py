"""Theorem 3.2 beyond its hypothesis: laws without a smooth joint density have other exponents, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm

import sympy as sp
from flint import acb, arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, equal_within
from proofs.checks import arrives, controlled, exact, instance, search, tried
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import (
    Q,
    S,
    gaussian_integral,
    log_normal,
    one_pair,
)
from proofs.integrals import integrate, si
from proofs.ledger import attack, claim
from proofs.statements import Conclusion, Statement, Variable, relation

U = sp.Symbol("u", positive=True)
PLACE = "Sec. 3, Theorem 3.2"


def same_coordinate() -> Expr:
    """E e^{-2 pi i s x^2} for standard normal x: the phase of one coordinate where q_P = k_P."""
    factor, exponent = gaussian_integral(log_normal(Q) - 2 * sp.pi * sp.I * S * Q**2, Q)
    return factor * sp.exp(exponent)


EQUAL = Statement(
    (Variable(U, low=sp.Integer(0)),),
    (Conclusion(relation(sp.re((1 + sp.I * U) ** -2, evaluate=False), "==", (1 - U**2) / (1 + U**2) ** 2)),),
    words=r"a joint density is needed: for $q_P = k_P$ standard normal and $n = 4$, $\mathrm{E}\cos = \mathrm{Re} "
    r"(1+iu)^{-2}$, $u = 4\pi s$, which decays like $|m-n|^{-\alpha n/2}$, so (14) fails; ",
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
    yield identity(same_coordinate() ** -2, 1 + 4 * sp.pi * sp.I * S, "one coordinate, to the power -2")
    yield from half_exponent(4)
    real = sp.re(sp.expand((1 - sp.I * U) ** 2)) / (1 + U**2) ** 2
    yield arrives("Re (1+iu)^-2", real, statement.target())
    yield limit(-(U**2) * statement.target(), U, sp.oo, 1, "u^2 |E cos| as u grows")


def half_exponent(power: int) -> Iterator[Evidence]:
    """Real part of (1+iu)^-2, and u^power times it: unbounded, so no bound C s^-power holds."""
    value = (1 - U**2) / (1 + U**2) ** 2
    yield identity(sp.re(sp.expand((1 - sp.I * U) ** 2)) / (1 + U**2) ** 2, value, "Re (1+iu)^-2")
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
    """int_{-1}^1 density(u) cos(t u) du, in closed form, t = S."""
    u = sp.Symbol("x", real=True)
    return sp.integrate(sp.expand(density.subs(U, u)) * sp.cos(S * u), (u, -1, 1))


COORDINATE = sp.Symbol("x", real=True)


def over_interval(density: Expr) -> Expr:
    """The mean of cos(t x) for x in [-1, 1] of a density."""
    return sp.Integral(density * sp.cos(S * COORDINATE), (COORDINATE, -1, 1))


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
    words=r"$q_P$, $k_P$ independent, uniform on the sphere of radius $R$ in $\mathbb{R}^3$ (normalised queries, "
    r"keys): "
    r"$\mathrm{E}\cos$ is the first integral below, at $2\pi R^2$ times the $s$ of the notation; "
    r"with $\alpha = 1$, $R^2 = \sqrt3/4$ it is "
    r"$2/(\pi|m-n|)$ in size at odd distances; (14) says $|m-n|^{-3}$; in $\mathbb{R}^5$ it is the second; ",
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


@claim(
    "thm-3.2.ball",
    where=PLACE,
    kind="step",
    in_words="its mean is an integral that balls cannot begin at 0",
    says=(
        "a bounded density of compact support is not enough: $q_P$, $k_P$ independent, uniform in the "
        r"unit ball of $\mathbb{R}^5$: $\mathrm{E}\cos = 75 t^{-5}(3 \mathrm{Si}(t) + t\cos t - 4\sin t)$, "
        r"$t = 2\pi s$, which at integer $s$ exceeds $75 t^{-4}$ where (14) says $C t^{-5}$"
    ),
    cites=("eq-14",),
    outline=(
        "One coordinate of q has density 15(1-u^2)^2/16, with transform f; |q| has density 5r^4; the primitive of "
        "t^4 f is found by its derivative. At s = |m-n| (alpha = 1, radius^2 = sqrt 5): cos t = 1, sin t = 0, Si > 0."
    ),
)
def solid_ball() -> Iterator[Evidence]:
    wave = 15 * ((3 - S**2) * sp.sin(S) - 3 * S * sp.cos(S)) / S**5
    yield identity(moment_cosine(sp.Rational(15, 16) * (1 - U**2) ** 2), wave, "transform of one coordinate")
    yield ball_primitive(sp.Integer(4), wave)
    yield limit((3 * sp.Si(S) + S * sp.cos(S) - 4 * sp.sin(S)), S, 0, 0, "the primitive starts at 0")
    turns = sp.Symbol("j", positive=True, integer=True)
    at = (S * sp.cos(S) - 4 * sp.sin(S)).subs(S, 2 * sp.pi * turns)
    yield identity(at, 2 * sp.pi * turns, "t cos t - 4 sin t at t = 2 pi j")


def ball_primitive(sines: Expr, wave: Expr) -> Evidence:
    """d/dt 15(3 Si t + t cos t - sines sin t) against t^4 f(t)."""
    primitive = 15 * (3 * sp.Si(S) + S * sp.cos(S) - sines * sp.sin(S))
    return identity(sp.diff(primitive, S), S**4 * wave, "derivative of the primitive")


@attack(
    "thm-3.2.ball",
    domain="t = 1/2, 2 pi, 20 pi by quadrature in balls; 75 t^-4 against the value at t = 2 pi j",
)
def solid_ball_attack() -> Iterator[Evidence]:
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


@claim(
    "thm-3.2.rank",
    where=PLACE,
    kind="step",
    in_words="of matrices of any size and rank",
    says=(
        r"$q_P = U h$, $k_P = V h'$, $h$, $h'$ independent standard normal: $\mathrm{E}\cos = \det(1 + "
        r"4\pi^2s^2 W W^T)^{-1/2}$, $W = U^T V$; the exponent in $|m-n|$ is $\alpha \mathrm{rank}(W)$, "
        r"below that of (14) when $\mathrm{rank}(W) < n$"
    ),
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
def rank_decides() -> Iterator[Evidence]:
    sigma = sp.Symbol("sigma", positive=True)
    closed = (1 + 4 * sp.pi**2 * sigma**2 * S**2) ** sp.Rational(-1, 2)
    yield identity(one_pair(sigma * S), closed, "one singular value")
    for matrix in WIRING:
        found, rank = determinant_degree(matrix)
        what = f"degree of det(1 + c W W^T), W = {matrix.tolist()}"
        yield instance(exact(what, found == rank, found, rank))


@attack(
    "thm-3.2.rank",
    domain="full rank with a tiny second singular value: the exponent n is reached only far away",
)
def thm_3_2_rank_attack() -> Iterator[Evidence]:
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


@claim(
    "thm-3.2.tokens",
    where=PLACE,
    kind="step",
    in_words="of every finite law, and an upper limit",
    says=(
        "finitely many values of $(q,k)$, as in the first layer where both depend on the token alone: "
        r"$\limsup |\mathrm{E} \mathrm{Attn}| \ge |\mathrm{E} q_A\cdot k_A|/\sqrt{\theta D}$ for $0 < "
        r"\alpha \le 1$, the value at distance 0; no decay at all"
    ),
    outline=(
        "E Attn is a finite sum of cosines of |m-n|^alpha phi_j. By Dirichlet infinitely many integers t have all t "
        "phi_j within eps of integers; |m-n| = ceil(t^{1/alpha}) differs from t in |m-n|^alpha by at most alpha "
        "t^{1-1/alpha} -> 0 (by 0 for alpha = 1). Rational phases return exactly, at |m-n| = (jL)^10 for alpha = "
        "1/10; such distances lie far beyond any context."
    ),
)
def finite_law() -> Iterator[Evidence]:
    phases = [Fraction(1, 3), Fraction(2, 7), Fraction(-5, 11)]
    means = returns(phases, 4)
    yield exact("mean cosine at (231 j)^10, phases 1/3, 2/7, -5/11", means == [1] * 4, means, "1")
    x = sp.Symbol("x", positive=True)
    step = sp.diff(x ** sp.Rational(1, 10), x)
    yield limit(step, x, sp.oo, 0, "slope of |m-n|^0.1")


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
