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
from proofs.checks import BASES, EDGES, HEAD_DIMS, WAVES, Point, exact, margins, points, rises, same, search
from proofs.integrals import cos_sum, si, sin_sum
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.appendix_e_cos import HALF, TURN, c, integral_bound, lam
from proofs.paper.appendix_e_riemann import HYPOTHESES, alpha, riemann_decomposition
from proofs.paper.classical_lemmas import D, L, P, theta, u, v
from proofs.subdivision import certify_positive

COSINE_DIM = 8
COSINE_LIMIT, SINE_LIMIT = COSINE_DIM * sp.exp(2), 4 * sp.pi * sp.exp(3)  # of lem-C.1.empty


@claim(
    "eq-69",
    where="App. E, eq 69",
    kind="step",
    says="$I/2 < 2/L$, and $I/2 > -2/L$ likewise",
    assumes=HYPOTHESES,
    uses=("eq-62", "eq-67*"),
    outline="2 L (I/2) = Si(2 pi lambda) - Si(2 pi lambda theta_0), a difference of two numbers of (0, Si(pi)], "
    "with Si(pi) < pi.",
)
def eq_69() -> Iterator[Evidence]:
    yield sine_constant(sp.Integer(2))


def sine_constant(bound: sp.Expr) -> Evidence:
    """Si(pi)/2 < pi/2 <= bound."""
    gap = bound - sp.pi / 2
    return exact("bound - pi/2 >= 0", gap.is_nonnegative, gap, ">= 0")


@repair(
    "eq-69",
    says=(
        r"$|I/2| < \mathrm{Si}(\pi)/(2L) = 0.926/L$ for every angular factor and every $\lambda > 0$; "
        r"$|I/2| < \mathrm{Si}(3\pi)/(2L) = 0.8374/L$ in turns with $\lambda > 1$. Both are the least "
        r"constants, approached as $\theta_0 \to 0$ at $2\pi\lambda = \pi$ and $3\pi$."
    ),
    uses=("eq-62", "eq-67*", "lem-ci", "lem-hump"),
    outline="Si > 0 and Si <= Si(pi) give the first. From 2 pi on, Si lies in [Si(2 pi), Si(3 pi)]: it rises to 3 "
    "pi, falls to 4 pi, and stays within 1/(4 pi) of pi/2 beyond; and Si(pi) - Si(2 pi) is smaller than Si(3 pi).",
)
def eq_69_repaired() -> Iterator[Evidence]:
    pi = arb.pi()
    tail = 1 / (4 * pi)
    yield below("Si(3 pi)/2 < 0.83739", si(3 * pi) / 2, "0.83739")
    yield below("Si(pi)/2 < 0.92597", si(pi) / 2, "0.92597")
    yield below("from 4 pi on Si < Si(3 pi)", pi / 2 + tail, si(3 * pi))
    yield below("from 4 pi on Si > Si(2 pi)", si(2 * pi), pi / 2 - tail)
    yield below("Si(2 pi) < Si(4 pi)", si(2 * pi), si(4 * pi))
    yield below("Si(pi) - Si(2 pi) < Si(3 pi)", si(pi) - si(2 * pi), si(3 * pi))


@attack(
    "eq-69*",
    domain="every lambda in [1, 400] with every theta_0 in [e^-12, 1/10], in boxes; then lambda = 3/2, theta_0 = 1e-12",
)
def eq_69_attack() -> Iterator[Evidence]:
    turn = 2 * arb.pi()
    for sign in (1, -1):

        def margin(log_distance: arb, log: arb, sign: int = sign) -> arb:
            far = si(turn * (log_distance - log).exp())
            return si(3 * arb.pi()) + ball("1e-6") - sign * (si(turn * log_distance.exp()) - far)

        found = certify_positive(margin, None, (0, "2.3025"), (6, 12))
        yield found.evidence(f"Si(3 pi) + 1e-6 {'-' if sign > 0 else '+'} 2 L (I/2) > 0")
        asked = (0, arb(10).log()), (arb(400).log(), 12)
        yield found.coverage("every lambda in [1, 400], theta_0 in [e^-12, 1/10]", *asked)
    point = Point(Fraction(1, 10**12), 112, Fraction(3, 2))
    yield below("0.8373/L is exceeded", "0.8373", point.log * point.half_integral("sin"))


@claim(
    "eq-25",
    where="App. C, eq 25",
    kind="equation",
    says=(
        r"$|C_D| \le 2/(\theta_0 L \lambda\pi) + \epsilon$ and $|S_D| \le 2/L + \epsilon$ for all $\alpha "
        "> 0$"
    ),
    assumes=HYPOTHESES,
    uses=("eq-42*", "eq-44", "eq-51", "eq-60*", "eq-61", "eq-69"),
    outline="C_D = I/2 + Delta/2; the bounds of the parts are eq-60* and eq-69, eq-51 and eq-61. For alpha >= 1, "
    "beyond what App. E treats, |Delta/2| <= 1 <= alpha by (44).",
)
def eq_25() -> Iterator[Evidence]:
    yield from integral_bound(TURN, 2 / (theta * L * lam * sp.pi))
    yield sine_constant(sp.Integer(2))
    yield same("D/2 terms of 4/D, halved", D / 2 * (4 / D) / 2, sp.Integer(1))


@claim(
    "lem-C.1",
    where="App. C, Lemma C.1",
    kind="lemma",
    says=(
        r"Given $\theta_0 < 1/10$, $D > 4L$ and $\lambda > 1$: $|C_D(\lambda)| \le 2/(\theta_0 L "
        r"\lambda\pi) + \epsilon$ and $|S_D(\lambda)| \le 2/L + \epsilon$ for all $\alpha > 0$"
    ),
    assumes=HYPOTHESES,
    uses=("eq-25",),
    outline="It is eq 25. The printed proof is broken in ten steps; eqs 51, 60, 61 and 69 are proved here in other "
    "ways. The hypotheses theta_0 < 1/10 and lambda > 1 are not needed: see the repair.",
    proof=r"""
        As in the proof of `lem-C.1*`, in turns and in the printed shape:
        $\frac{1+\theta_0}{2FL}<\frac2{\pi\lambda\theta_0L}$ and $\frac{\mathrm{Si}(\pi)}{2L}<\frac2L$. Ten
        steps of the printed proof do not hold. $\square$
    """,
)
def lem_c1() -> Iterator[Evidence]:
    met = Point(Fraction(1, 11), 10, Fraction(2))
    bound = 4 * sp.log(sp.Rational(met.inverse_base.denominator, met.inverse_base.numerator))
    yield exact(
        f"the hypotheses can be met: 4 L < D at {met}", bool(bound < met.head_dim), bound, f"< {met.head_dim}"
    )


@attack("eq-25", domain=f"{EDGES}, and D = 4096; alpha minimising")
@attack("lem-C.1", domain=f"{EDGES}, and D = 4096; alpha minimising")
def lem_c1_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        yield abs(q.sum()), 2 / (ball(q.far) * q.log * arb.pi()) + q.least_epsilon()
        yield abs(q.sum("sin")), 2 / q.log + q.least_epsilon()

    yield search("bound - |C_D|, bound - |S_D|", margins(pairs, (0, 2, 64, 256, 4096)))


@repair(
    "lem-C.1",
    says=(
        r"For all $c$, $\lambda > 0$ ($c = 2\pi$ in turns, 1 in radians), $0 < \theta_0 < 1$, even $D$ and "
        r"$0 \le k \le D/2$, with $P = c\lambda\theta_0^{2k/D}$, $F = c\lambda\theta_0$, $u = 2L/D$ and "
        r"$\kappa = 1/(1-e^{-u}) - 1/u$: $|C_D| \le k/D + |\mathrm{Ci}(P) - \mathrm{Ci}(F)|/(2L) + \kappa "
        r"(P-F)/D$ and $|S_D| \le k/D + |\mathrm{Si}(P) - \mathrm{Si}(F)|/(2L) + \kappa (P-F)/D$, where "
        r"$|\mathrm{Ci}(P) - \mathrm{Ci}(F)| < 1/P + 1/F$ and $|\mathrm{Si}(P) - \mathrm{Si}(F)| < "
        r"\mathrm{Si}(\pi)$. The last terms may be replaced by $(L/(4D^2))(P-F+(P^2-F^2)/2)$ if $(\cos P - "
        r"\cos F)/(2D)$, resp. $\sin$, is added inside the bars. In the printed shape, if $D > 4L$: $|C_D| "
        r"\le (1+\theta_0)/(2FL) + \epsilon_c$ and $|S_D| \le \mathrm{Si}(\pi)/(2L) + \epsilon_c$, "
        r"$\epsilon_c = \alpha + 2c\lambda\theta_0^\alpha/D$, for all $\alpha \ge 0$."
    ),
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
        value $\frac{2c\lambda}D$ at 0, which exceeds the bound of `lem-riemann` at $k=0$. $\square$
    """,
)
def lem_c1_repaired() -> Iterator[Evidence]:
    yield riemann_decomposition()
    phase = P * sp.exp(-L * u)
    yield same("the integral from x = u on", sp.diff(-sp.Ci(phase) / L, u), sp.cos(phase))
    yield from integral_bound(c, (1 + theta) / (2 * c * lam * theta * L))


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


@attack("lem-C.1*", domain=f"{EDGES}; turns and radians; k = 0, D/8, D/4, D/2; cos and sin")
def lem_c1_repaired_attack() -> Iterator[Evidence]:
    yield search("bound - |C_D|, bound - |S_D|", _cut_margins())


def _cut_margins() -> Iterator[tuple[str, arb]]:
    for q in points(heads=(0, 64)):
        for turns in (True, False):
            phase = ball(q.distance) * (2 * arb.pi() if turns else 1)
            for wave, make in (("cos", cos_sum), ("sin", sin_sum)):
                found = abs(make(q.distance, q.head_dim, inverse_base=q.inverse_base, turns=turns))
                for cut in (0, q.head_dim // 8, q.head_dim // 4, q.head_dim // 2):
                    for bound in cut_bounds(phase, q.log, q.head_dim, cut, wave):
                        yield f"{q}, turns={turns}, {wave}, k={cut}", bound - found


@claim(
    "lem-C.1.empty",
    where="App. C, Lemma C.1",
    kind="remark",
    says=(
        r"Where $D \le 8e^2 L / \sqrt{\theta_0}$ the right side for $C_D$ is at least $1/2$ for every "
        r"$\lambda > 0$ and $\alpha > 0$, so Lemma C.1 says less there than $|C_D| \le 1/2$; the right "
        r"side for $S_D$ is at least $1/2$ where $\lambda \ge D/(4\pi e^3 L \sqrt{\theta_0})$."
    ),
    uses=("eq-26",),
    outline="The two terms with lambda are at least 2 sqrt(8 theta_0^{alpha-1}/(L D)), whatever lambda is; with B "
    "= 2 sqrt(8/(theta_0 L D)) the least of alpha + B theta_0^{alpha/2} is (2/L)(1 + log(BL/2)), which is 1/2 at D "
    "= 8 e^2 L/sqrt(theta_0).",
)
def empty() -> Iterator[Evidence]:
    yield from emptiness()


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
    yield search("right side for C_D - 1/2", _right_sides())
    base, log = BASES[0], ball(BASES[0]).log()
    dim = 2 * int(float(ball("1.001") * COSINE_DIM * arb(2).exp() * log * ball(base).sqrt() / 2))
    steep = (
        8 * base * log / dim
    ).sqrt()  # B L / 2: the least right side is at this alpha, its terms in lambda equal
    share, distance = 2 * steep.log() / log, (ball(base) * dim / (2 * log)).sqrt() / arb.pi() * steep
    right = _right_side(base, dim, distance, share)
    yield below(f"base {base}, D = {dim}: some right side < 1/2", right, Fraction(1, 2))


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
