"""Eq 15 with a Schwartz density: Gaussian tokens that break it, by any factor, and the hypothesis that mends it.

The Gaussian laws are exact: rational covariances, moments by Wick's formula, the variance in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import exact, short, tried
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import LONGEST, GaussianTokens, T, cosine_mean, counterexample
from proofs.ledger import attack, claim, practice, repair

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


def breaks(tokens: GaussianTokens, amplitude: int, sigma_sq: Expr = 1) -> Iterator[Evidence]:
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


@claim(
    "eq-15",
    where="Sec. 3, eq 15",
    kind="equation",
    says=(
        r"(15) under Assumption 2.1 and the hypothesis of Theorem 3.2, that the joint density is Schwartz (as "
        r"App. H uses)"
    ),
    assumes=("Assumption 2.1", "rho Schwartz"),
    uses=("thm-3.3*",),
    outline=(
        "D = 4, theta = 1/2, everything centred normal of variance 1, q and k independent, corr(q_0,q_1) = -r, "
        "corr(k_0,k_1) = r, the rest uncorrelated: mu_0 = nu_0 = 0, sigma_0 = 1, E(q_A.k_A)^2 = 2 - 2r^2, "
        "limit (1-r^2)/2 < 1/2."
    ),
)
def eq_15() -> Iterator[Evidence]:
    yield from breaks(twisted(CORRELATION), 2)


@repair(
    "eq-15",
    says=(
        r"(15) under Assumption 2.1, a joint density, and \sum_{i \ne j} E q_ik_iq_jk_j \ge 0 over the "
        r"amplitude; sharp"
    ),
    assumes=("Assumption 2.1", "a joint density", "sum of cross terms >= 0"),
    uses=("thm-3.3*",),
    outline="The limit less sigma_0^2/2 is the sum over 2 theta D: no weaker hypothesis on it will do.",
)
def eq_15_repaired() -> Iterator[Evidence]:
    for sign, r in ((1, CORRELATION), (1, 0), (-1, sp.Rational(1, 100))):
        tokens = twisted(r, sign)
        gap = limit_variance(tokens, 2) - sp.Rational(1, 2)
        yield identity(
            gap, tokens.cross_terms(2) / 4, f"r = {sign * r}: limit less 1/2 against cross terms over 2a"
        )


@attack(
    "eq-15",
    domain="how small can the limit be, and from which distance on: r = 1/100, 1/2, 9/10, 999/1000, D = 4",
)
def eq_15_attack() -> Iterator[Evidence]:
    for r in ("1/100", "1/2", "9/10", "999/1000"):
        yield list(breaks(twisted(sp.Rational(r)), 2))[-1]
    yield below("r = 9/10: variance at distance 1, exactly", exact_variance("9/10", 2, 1), "1/2")


@claim(
    "thm-3.3.infimum",
    where="Sec. 3, Theorem 3.3",
    kind="step",
    says=(
        r"\theta D = a \ge 2, sigma_0 = 1, mu_0 = nu_0 = 0: over Schwartz laws of independent q, k that meet "
        r"Assumption 2.1 the limits of the variance have infimum 0, not attained"
    ),
    uses=("thm-3.3*",),
    outline=(
        "Unit normal coordinates with equal correlations c < 1 in q_A and -d, d < 1/(a-1), in k_A: "
        "E(q_A.k_A)^2 = tr = a(1 - (a-1)cd) -> 0. Covariances are nonsingular: eigenvalues 1-c, 1+(a-1)c and "
        "1+d, 1-(a-1)d are positive."
    ),
)
def infimum() -> Iterator[Evidence]:
    c, d = sp.symbols("c d", positive=True)
    # (u I + v E)(w I + z E), E all ones, has trace a(uw + uz + vw) + a^2 vz
    trace = SIZE * ((1 - c) * (1 + d) - (1 - c) * d + c * (1 + d)) - SIZE**2 * c * d
    yield identity(trace, SIZE * (1 - (SIZE - 1) * c * d), "trace of the product, any a")
    for size in (2, 3, 4):
        yield identity(_trace(size, c, d), size * (1 - (size - 1) * c * d), f"trace by matrices, a = {size}")
    yield limit(
        (1 - (SIZE - 1) * c * d).subs(d, c / (SIZE - 1)), c, 1, 0, "E(q_A.k_A)^2/a as c -> 1", side="-"
    )


def _trace(size: int, c: Expr, d: Expr) -> Expr:
    one, ones = sp.eye(size), sp.ones(size, size)
    return sp.expand((((1 - c) * one + c * ones) * ((1 + d) * one - d * ones)).trace())


@attack("thm-3.3.infimum", domain="a = 1, the one size without cross terms: the limit cannot move")
def infimum_attack() -> Iterator[Evidence]:
    c, d = sp.symbols("c d", positive=True)
    yield tried("a = 1: trace", _trace(1, c, d) == 1, _trace(1, c, d), "1 for every c, d")


@practice("eq-15")
def small_phase_practice() -> Iterator[dict[str, object]]:
    """Rows: the same with the small phases of trained heads: how far the variance is from its limit 1/2."""
    for spread in ("0.18", "0.04"):
        for lag in (1, 8192, LONGEST):
            double = cosine_mean(32, lag, spread=2 * ball(spread))
            yield {"sd of phi, turns": spread, "distance": lag, "variance, D = 64": short((1 + double) / 2)}


def rate(angle: Expr = 2) -> Evidence:
    """E cos of the doubled angle for normal laws, per dimension: (1 + (angle t)^2)^(-1/2), times t: tends to 1/2."""
    return limit(
        T / sp.sqrt(1 + (angle * T) ** 2), T, sp.oo, sp.Rational(1, 2), "t E cos(2x) in one dimension"
    )
