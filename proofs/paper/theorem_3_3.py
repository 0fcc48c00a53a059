"""Theorem 3.3 (eq 15): false as stated and with a Schwartz density; what the variance tends to, and when it is enough.

Every counterexample is exact: fixed tokens, two coin flips, and Gaussian laws with a rational covariance, moments by
Wick's formula and the variance in closed form. The last break eq 15 by any factor and show which hypothesis mends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import exact, search, short, tried
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


@claim(
    "eq-15",
    where="Sec. 3, eq 15",
    kind="equation",
    says=(
        "(15) under Assumption 2.1 and the hypothesis of Theorem 3.2, that the joint density is Schwartz "
        "(as App. H uses)"
    ),
    assumes=("Assumption 2.1", r"$\rho$ Schwartz"),
    uses=("thm-3.3*",),
    outline=(
        "D = 4, theta = 1/2, everything centred normal of variance 1, q and k independent, corr(q_0,q_1) = -r, "
        "corr(k_0,k_1) = r, the rest uncorrelated: mu_0 = nu_0 = 0, sigma_0 = 1, E(q_A.k_A)^2 = 2 - 2r^2, "
        "limit (1-r^2)/2 < 1/2."
    ),
)
def eq_15() -> Iterator[Evidence]:
    yield from variance_counterexample(twisted(CORRELATION), 2)


@repair(
    "eq-15",
    says=(
        r"(15) under Assumption 2.1, a joint density, and $\sum_{i \ne j} \mathrm{E} q_ik_iq_jk_j \ge 0$ "
        "over the amplitude; sharp"
    ),
    assumes=("Assumption 2.1", "a joint density", r"sum of cross terms $\ge 0$"),
    uses=("thm-3.3*",),
    outline="The limit less sigma_0^2/2 is the sum over 2 theta D: no weaker hypothesis on it will do.",
    proof=r"""
        By `thm-3.3*` the limit is $\sigma_0^2/2$ plus the cross terms over $2\theta D$, so (15) holds if
        and only if their sum is $\ge0$: always for $\theta D=1$, and for coordinates of $q$ that are
        centred, uncorrelated and independent of $k$. $\square$
    """,
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
        yield list(variance_counterexample(twisted(sp.Rational(r)), 2))[-1]
    yield below("r = 9/10: variance at distance 1, exactly", exact_variance("9/10", 2, 1), "1/2")


@claim(
    "thm-3.3.infimum",
    where="Sec. 3, Theorem 3.3",
    kind="step",
    says=(
        r"$\theta D = a \ge 2$, $\sigma_0 = 1$, $\mu_0 = \nu_0 = 0$: over Schwartz laws of independent "
        "$q$, $k$ that meet Assumption 2.1 the limits of the variance have infimum 0, not attained"
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


def cosine_rate(angle: Expr = 2) -> Evidence:
    """E cos of the doubled angle for normal laws, per dimension: (1 + (angle t)^2)^(-1/2), times t: tends to 1/2."""
    return limit(
        T / sp.sqrt(1 + (angle * T) ** 2), T, sp.oo, sp.Rational(1, 2), "t E cos(2x) in one dimension"
    )


SIGMA_SQ, MU = sp.symbols("sigma_sq mu", positive=True)


def fixed_tokens(head: int, share: Fraction) -> Iterator[Evidence]:
    """q = k = (1, ..., 1), no randomness: Assumption 2.1 with mu_0 = 2, nu_0 = 0, sigma_0 = 1; variance 0."""
    split = Split(head, share)
    law = [([1] * head, [1] * head)]
    first = range(split.amplitude)
    square = mean(law, lambda q, k: sum(q[i] * k[i] for i in first) ** 2)
    spread = square - mean(law, lambda q, k: sum(q[i] * k[i] for i in first)) ** 2
    what = f"q = k = (1, ..., 1) for certain, D = {head}, theta D = {split.amplitude}: variance at every distance"
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
    pairs, every = range(0, head, 2), range(head)
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
    floor = mean(law, lambda q, k: (q[0] * k[0]) ** 2) / 2
    what = "q_0, k_0 = +-1/2 by fair coins, q_1 = k_1 = 1/2, D = 2, alpha = 1: variance at odd distances"
    yield from counterexample(hypotheses, exact(what, floor <= 0, 0, f">= {floor}"))


@claim(
    "thm-3.3",
    where="Sec. 3, Theorem 3.3",
    kind="theorem",
    says=(
        r"under Assumption 2.1: $\liminf_{|m-n| \to \infty} \mathrm{Var} "
        r"\mathrm{Attn}_{\theta,\alpha}(q^{(m)},k^{(n)}) \ge \sigma_0^2/2$"
    ),
    assumes=("Assumption 2.1",),
    outline=(
        "Fixed tokens q = k = (1, ..., 1) meet Assumption 2.1 with sigma_0 = 1 and have variance 0. It fails "
        "with random tokens and theta D = 1 too (two coins), where only a density is missing, and with a "
        "Schwartz density (eq-15)."
    ),
)
def thm_3_3() -> Iterator[Evidence]:
    yield from fixed_tokens(4, SHARE)
    yield from two_coins()


@attack("thm-3.3", domain="fixed tokens at D = 2, 4, 64, 128 and every share that splits D = 4")
def thm_3_3_attack() -> Iterator[Evidence]:
    for head, share in ((2, SHARE), (64, SHARE), (128, SHARE), (4, Fraction(1, 4)), (4, Fraction(3, 4))):
        yield list(fixed_tokens(head, share))[-1]


@claim(
    "thm-3.3.lebesgue",
    where="App. H",
    kind="step",
    says=(
        r"$(q,k)$ has a density and $\mathrm{E}|G| < \infty$, $G = G(q,k)$: $\mathrm{E}[G \cos(2\pi s "
        r"q_P\cdot k_P)] \to 0$ as $s \to \infty$"
    ),
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
def lebesgue() -> Iterator[Evidence]:
    for size in (1, 2, 5):
        q, k, _ = quadratic(size)
        new = sp.Matrix([(q.T * k)[0], *q[1:]])
        yield identity(new.jacobian(q).det(), k[0], f"du/dq_1 in dimension {size}")
    lo, hi, s, u = sp.symbols("lo hi s u", real=True, positive=True)
    step = (sp.sin(2 * sp.pi * s * hi) - sp.sin(2 * sp.pi * s * lo)) / (2 * sp.pi * s)
    yield identity(
        sp.diff(sp.sin(2 * sp.pi * s * u) / (2 * sp.pi * s), u), sp.cos(2 * sp.pi * s * u), "one step"
    )
    yield limit(step.subs({lo: 1, hi: 2}), s, sp.oo, 0, "one step as s grows")


@attack("thm-3.3.lebesgue", domain="laws without a density: q_P.k_P = 0, 1/4, 1 for certain; s whole")
def lebesgue_attack() -> Iterator[Evidence]:
    for phase in (Fraction(0), Fraction(1, 4), Fraction(1)):
        turn = 2 * sp.pi * sp.Rational(phase.numerator, phase.denominator)
        returns = [sp.cos(4 * j * turn) for j in range(1, 5)]
        yield tried(
            f"phase {phase} at s = 4, 8, 12, 16", returns == [1] * 4, returns, "1: a density is needed"
        )


@repair(
    "thm-3.3",
    says=(
        r"$(q,k)$ has any joint density and $\mathrm{E}(q_A\cdot k_A)^2 < \infty$: $\mathrm{Var} "
        r"\mathrm{Attn} \to \mathrm{E}(q_A\cdot k_A)^2/(2\theta D) = \sigma_0^2/2 + (1/2\theta D)\sum_{i "
        r"\ne j} \mathrm{E} q_ik_iq_jk_j > 0$; so (15) holds if and only if that sum of cross terms is "
        r"$\ge 0$, always for $\theta D = 1$, and whenever $\theta D$ is even and $\mu_0^2\theta D \ge "
        r"4\sigma_0^2$"
    ),
    assumes=(
        "a joint density (the same for all $m$, $n$)",
        r"$\mathrm{E} (q_d k_d)^2 = \sigma_0^2$ for all $d$",
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
def thm_3_3_repaired() -> Iterator[Evidence]:
    cross = sp.Symbol("cross", real=True)
    yield identity(
        (SIZE * SIGMA_SQ + cross) / (2 * SIZE) - SIGMA_SQ / 2, cross / (2 * SIZE), "limit less sigma_0^2/2"
    )
    jensen = (MU * SIZE / 2) ** 2 / (2 * SIZE)
    yield identity(
        jensen.subs(MU, 2 * sp.sqrt(SIGMA_SQ / SIZE)), SIGMA_SQ / 2, "Jensen at mu_0^2 theta D = 4 sigma_0^2"
    )
    yield exact("Jensen's bound rises with mu_0", sp.diff(jensen, MU).is_positive, sp.diff(jensen, MU), "> 0")


@attack(
    "thm-3.3*",
    domain="unit normal tokens, r = 0 (no cross terms): exact variance at 1 to 2^20 against 1/2; n = 1, 2, 32",
)
def thm_3_3_repaired_attack() -> Iterator[Evidence]:
    cases = (
        (f"n = {n}, distance {lag}", exact_variance(0, n, lag) - ball("1/2"))
        for n in (1, 2, 32)
        for lag in (1, 100, LONGEST)
    )
    yield search("variance less sigma_0^2/2", cases)
    for r in (0, CORRELATION):
        yield from breaks_never(twisted(r, sign=1))


def breaks_never(tokens: GaussianTokens) -> Iterator[Evidence]:
    """Cross terms >= 0: the limit must not be below sigma_0^2/2."""
    cross, found = tokens.cross_terms(2), limit_variance(tokens, 2)
    enough = bool(cross >= 0 and found >= sp.Rational(1, 2))
    yield tried(f"cross terms {cross}: limit of the variance", enough, found, ">= 1/2")


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
