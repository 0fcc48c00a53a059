r"""Appendix F: Lemma C.2, the lower bound of C_D at near distances (eqs 27 and 70 to 73), and its repair.

The lemma is true for every e_0 > 0, and 0.2808/L would do for 1/L; its proof needs e_0 < 1 (72) and loses a factor 1/2
in (73). The repair is by the entire cosine integral Cin(x) = int_0^x (1 - cos s)/s ds, with no e_0 and no hypothesis
but D even: I/2 = 1/2 - (Cin(c lambda) - Cin(c lambda theta_0))/(2L) is exact, and bounds C_D on both sides up to the
error of the Riemann sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import BASES, EDGES, HEAD_DIMS, Point, exact, margins, points, same, search
from proofs.integrals import ci, cos_integral, cos_sum
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.appendix_e_cos import TURN
from proofs.paper.appendix_e_riemann import HYPOTHESES, riemann_decomposition
from proofs.paper.classical_lemmas import D, L, P, a, b, k, x, y

share = sp.Symbol("e0", positive=True)
NEAR = (*HYPOTHESES, r"$\epsilon_0 > 0$", r"$\lambda\theta_0^{\epsilon_0} < 1/4$")


@claim(
    "eq-70",
    where="App. F, eq 70",
    kind="step",
    says=r"$I/2 = (1/2L) (\int_{\lambda\theta_0}^{1/4} + \int_{1/4}^\lambda) \cos(2\pi y)/y \,dy$",
    assumes=HYPOTHESES,
    uses=("eq-52",),
    outline="The integral of eq 52, cut at 1/4; the first part runs backwards where lambda theta_0 > 1/4.",
)
def eq_70() -> Iterator[Evidence]:
    near, cut, far = sp.Ci(TURN * x), sp.Ci(TURN / 4), sp.Ci(TURN * y)
    yield same("(cut - far end) + (near end - cut)", (cut - far) + (near - cut), near - far)


@attack("eq-70", domain=EDGES)
def eq_70_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        parts = cos_integral(q.far, Fraction(1, 4)) + cos_integral(Fraction(1, 4), q.distance)
        yield abs(parts / (2 * q.log) - q.half_integral()), ball("1e-25")

    yield search("1e-25 - |difference|", margins(pairs))


@claim(
    "eq-71",
    where="App. F, eq 71",
    kind="step",
    says=r"$|(1/2L) \int_{1/4}^\lambda \cos(2\pi y)/y \,dy| < (1/2L) 2 = 1/L$",
    assumes=HYPOTHESES,
    uses=("lem-hump",),
    outline="pi/2 is a zero of cos, so the integral lies between -4/pi and 0 by lem-hump, for every lambda >= 1/4; "
    "it is not 'the same argument as (66)', whose middle term is a sum of other periods.",
)
def eq_71() -> Iterator[Evidence]:
    yield first_hump(sp.Integer(2))


def first_hump(bound: sp.Expr) -> Evidence:
    """2/z < bound at the zero z = pi/2."""
    gap = bound - 2 / (sp.pi / 2)
    return exact("bound - 4/pi > 0", gap.is_positive, gap, "> 0")


@repair(
    "eq-71",
    says=(
        r"$-(\mathrm{Ci}(\pi/2) - \mathrm{Ci}(7\pi/2))/(2L) = -0.2808/L \le (1/2L) \int_{1/4}^\lambda "
        r"\cos(2\pi y)/y \,dy < 0$ for $\lambda > 1$, attained at $\lambda = 7/4$; and $-0.33521/L$ for "
        r"every $\lambda \ge 1/4$, attained at $3/4$"
    ),
    assumes=(r"$\lambda > 1$",),
    uses=("lem-ci", "lem-hump"),
    outline="The integral is Ci(2 pi lambda) - Ci(pi/2). From 2 pi on Ci rises to 5 pi/2, falls to 7 pi/2, rises "
    "to 9 pi/2 and stays within 2/(9 pi) of 0 beyond.",
)
def eq_71_repaired() -> Iterator[Evidence]:
    yield from hump_constants("0.2808", "0.33521")


def hump_constants(beyond: str, everywhere: str) -> Iterator[Evidence]:
    """(Ci(pi/2) - Ci(7 pi/2))/2 and (Ci(pi/2) - Ci(3 pi/2))/2 against their decimals, and the extremes of Ci."""
    quarter = arb.pi() / 2
    yield below("(Ci(pi/2) - Ci(7 pi/2))/2", (ci(quarter) - ci(7 * quarter)) / 2, beyond)
    yield below("(Ci(pi/2) - Ci(3 pi/2))/2", (ci(quarter) - ci(3 * quarter)) / 2, everywhere)
    yield below("Ci(7 pi/2) < Ci(2 pi)", ci(7 * quarter), ci(4 * quarter))
    yield below("from 9 pi/2 on Ci > Ci(7 pi/2)", ci(7 * quarter), -1 / (9 * quarter))
    yield below(
        "the greatest value from 2 pi on, Ci(5 pi/2), is below Ci(pi/2)", ci(5 * quarter), ci(quarter)
    )


@attack("eq-71*", domain="lambda = 1 + i/64, i = 1..5000; at lambda = 7/4 the constant is attained")
def eq_71_attack() -> Iterator[Evidence]:
    cases = (1 + Fraction(i, 64) for i in range(1, 5001))
    values = ((q, -cos_integral(Fraction(1, 4), q)) for q in cases)
    yield search(
        "0.5616 - |integral|, |integral|",
        ((f"lambda={q}", w) for q, v in values for w in (ball("0.5616") - v, v)),
    )
    yield below("0.28075 is exceeded at 7/4", "0.28075", -cos_integral(Fraction(1, 4), Fraction(7, 4)) / 2)


@claim(
    "eq-72",
    where="App. F, eq 72",
    kind="step",
    says=(
        r"$(1/2L) \int_{\lambda\theta_0}^{1/4} \cos(2\pi y)/y \,dy > (1/2L) "
        r"\int_{\lambda\theta_0}^{\lambda\theta_0^{\epsilon_0}} > (\cos "
        r"2\pi\lambda\theta_0^{\epsilon_0}/(2L)) \int_{\lambda\theta_0}^{\lambda\theta_0^{\epsilon_0}} "
        r"\,dy/y = (1/2)(1-\epsilon_0) \cos 2\pi\lambda\theta_0^{\epsilon_0}$"
    ),
    assumes=NEAR,
    outline="At e_0 = 1 the second and third member are both 0, and 0 > 0 is false; for e_0 > 1 the integrand need "
    "not be positive on [lambda theta_0, 1/4], which can run backwards.",
)
def eq_72() -> Iterator[Evidence]:
    yield strict_middle(Point(Fraction(1, 20), 12, Fraction(2)), Fraction(1))


def strict_middle(point: Point, e0: Fraction) -> Evidence:
    """The second inequality of eq 72: false where its interval is one point, undecided here elsewhere."""
    what = f"integral > cos(...) integral of dy/y, e_0={e0}, lambda theta_0={point.far}, {point}"
    admissible = point.phase(e0) < arb.pi() / 2
    return exact(what, False if e0 == 1 and admissible else None, "0 on both sides", "left > right")


@repair(
    "eq-72",
    says=(
        r"(72) holds for $0 < \epsilon_0 < 1$, for every angular factor $c$ with "
        r"$c\lambda\theta_0^{\epsilon_0} < \pi/2$"
    ),
    assumes=(r"$0 < \epsilon_0 < 1$",),
    outline="lambda theta_0 < lambda theta_0^{e_0} < 1/4, and cos falls and is positive there.",
)
def eq_72_repaired() -> Iterator[Evidence]:
    yield same("cos falls on [0, pi/2]", sp.cos(a - b) - sp.cos(a + b), 2 * sp.sin(a) * sp.sin(b))
    yield same("slope of log", sp.diff(sp.log(y), y), 1 / y)
    yield logarithm(1 - share)


def logarithm(factor: sp.Expr) -> Evidence:
    """(1/2L) log(lambda theta_0^e0 / (lambda theta_0)) is half of `factor`."""
    ends = sp.log(P) - share * L - (sp.log(P) - L)
    return same("(1/2L) int dy/y", ends / (2 * L), factor / 2)


@attack(
    "eq-72*",
    domain=f"{EDGES}; e_0 just above log(4 lambda)/L, where it is below 1, 1/4 and 3/4 of the way to 1",
)
def eq_72_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for e0 in shares(q, (Fraction(1, 1000), Fraction(1, 4), Fraction(3, 4))):
            yield main_term(q, e0), cos_integral(q.far, Fraction(1, 4)) / (2 * q.log)

    yield search("left - right", margins(pairs))


def shares(point: Point, steps: tuple[Fraction, ...]) -> Iterator[arb]:
    """e_0 at the given parts of the way from log(4 lambda)/L to 1, where that interval is not empty."""
    least = (4 * ball(point.distance)).log() / point.log
    if least < 1:
        yield from (least + (1 - least) * ball(step) for step in steps)


def main_term(point: Point, e0: arb) -> arb:
    """(1/2)(1 - e_0) cos 2 pi lambda theta_0^e_0."""
    return (1 - e0) * point.phase(e0).cos() / 2


@claim(
    "eq-73",
    where="App. F, eq 73",
    kind="step",
    says=(
        r"$|C_D| \ge I/2 - |\Delta|/2 \ge (1-\epsilon_0) \cos 2\pi\lambda\theta_0^{\epsilon_0} - 1/L - "
        r"\epsilon$, 'exactly (27)'"
    ),
    assumes=NEAR,
    outline="The factor 1/2 of (72) and (27) is missing: the right side comes near 1 while |C_D| <= 1/2. Besides, "
    "(27) bounds C_D, not |C_D|; C_D = I/2 + Delta/2 gives that as well.",
)
def eq_73() -> Iterator[Evidence]:
    tiny = Point(Fraction(1, 10**400), 10**6, Fraction(2))
    yield above_half(tiny, Fraction(1, 100), Fraction(1, 100), 1)


def above_half(point: Point, e0: Fraction, alpha: Fraction, factor: Fraction | int) -> Evidence:
    """factor (1 - e_0) cos(...) - 1/L - e <= 1/2, as |C_D| <= 1/2 demands."""
    right = main_term(point, ball(e0)) * 2 * ball(factor) - 1 / point.log - point.epsilon(alpha)
    where = f"theta_0=1e-400, D={point.head_dim}, lambda={point.distance}, e_0={e0}, alpha={alpha}"
    return below(f"right side <= 1/2, {where}", right, Fraction(1, 2), strict=False)


@repair(
    "eq-73",
    says=(
        r"$C_D \ge I/2 - |\Delta|/2 \ge (1/2)(1-\epsilon_0) \cos 2\pi\lambda\theta_0^{\epsilon_0} - 1/L - "
        r"\epsilon$ for $0 < \epsilon_0 < 1$"
    ),
    assumes=(*NEAR, r"$\epsilon_0 < 1$"),
    uses=("eq-42*", "eq-51", "eq-70", "eq-71", "eq-72*"),
    outline="C_D = I/2 + Delta/2; (70) to (72) and (51).",
)
def eq_73_repaired() -> Iterator[Evidence]:
    yield riemann_decomposition()
    yield logarithm(1 - share)


@attack(
    "eq-73*", domain=f"{EDGES}; alpha minimising; e_0 just above log(4 lambda)/L, 1/4 and 3/4 of the way to 1"
)
def eq_73_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for e0 in shares(q, (Fraction(1, 1000), Fraction(1, 4), Fraction(3, 4))):
            yield main_term(q, e0) - 1 / q.log - q.least_epsilon(), q.sum()

    yield search("C_D - right side", margins(pairs))


@claim(
    "eq-27",
    where="App. C, eq 27",
    kind="equation",
    says=(
        r"$C_D(\lambda) > (1/2)(1-\epsilon_0) \cos 2\pi\lambda\theta_0^{\epsilon_0} - 1/L - \epsilon$ for "
        r"all $\alpha > 0$"
    ),
    assumes=NEAR,
    uses=("eq-42*", "eq-44", "eq-51", "eq-70", "eq-71", "eq-72*", "lem-hump"),
    outline="For e_0 < 1, eq-73*. For e_0 >= 1 the first term is <= 0, and I/2 >= -(4/pi)/(2L) > -1/L by lem-hump: "
    "the integral from pi/2 stays in [-4/pi, 0], and the part below pi/2, if any, is positive. For alpha >= 1, "
    "|Delta/2| <= 1 <= alpha.",
)
def eq_27() -> Iterator[Evidence]:
    yield first_hump(sp.Integer(2))
    yield same("D/2 terms of 4/D, halved", D / 2 * (4 / D) / 2, sp.Integer(1))
    yield logarithm(1 - share)


@claim(
    "lem-C.2",
    where="App. C, Lemma C.2",
    kind="lemma",
    says=(
        r"Given $\theta_0 < 1/10$, $D > 4L$, $\lambda > 1$ and $\lambda\theta_0^{\epsilon_0} < 1/4$ for "
        r"some $\epsilon_0 > 0$: $C_D(\lambda) > (1/2)(1-\epsilon_0) \cos 2\pi\lambda\theta_0^{\epsilon_0} "
        r"- 1/L - \epsilon$ for all $\alpha > 0$"
    ),
    assumes=NEAR,
    uses=("eq-27",),
    outline="It is eq 27. For e_0 >= 1 the bound is negative and says little.",
    proof=r"""
        *For $0<\epsilon_0<1$.* Cut $\frac12\int_0^1\cos$, in $y=\lambda\theta_0^x$, at $y=\frac14$: above,
        $\frac1{2L}\int_{1/4}^\lambda\frac{\cos2\pi y}ydy\ge-\frac1{2L}\cdot\frac4\pi$ by `lem-hump`, as
        $\frac\pi2$ is a zero of the cosine; below, the cosine is positive, and on
        $[\lambda\theta_0,\lambda\theta_0^{\epsilon_0}]$ at least $\cos2\pi\lambda\theta_0^{\epsilon_0}$,
        whose weight is $\frac1{2L}\ln\theta_0^{\epsilon_0-1}=\frac{1-\epsilon_0}2$. The Riemann sum costs
        $\epsilon$, as in the proof of `lem-C.1*`.

        *For $\epsilon_0\ge1$* the first term is not positive, and $\frac I2\ge-\frac2{\pi L}$: where
        $\lambda\theta_0\ge\frac14$ it is a difference of two values of $\frac1{2L}\int_{\pi/2}^X\frac{\cos
        y}ydy$, which lie in $[-\frac2{\pi L},0]$, and where $\lambda\theta_0<\frac14$ it is one such value
        and a positive rest. So (27) holds with $\frac2{\pi L}$ for $\frac1L$. $\square$
    """,
)
def lem_c2() -> Iterator[Evidence]:
    point = Point(Fraction(1, 11), 10, Fraction(2))
    yield exact(
        "the hypotheses can be met, e_0 = 1", point.far < Fraction(1, 4), point, "lambda theta_0 < 1/4"
    )


@attack(
    "eq-27", domain=f"{EDGES}, D = 4096; alpha minimising; e_0 from its least value to 1, then 1, 3/2 and 4"
)
@attack(
    "lem-C.2", domain=f"{EDGES}, D = 4096; alpha minimising; e_0 from its least value to 1, then 1, 3/2 and 4"
)
def lem_c2_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        inside = list(shares(q, (Fraction(1, 1000), Fraction(1, 4), Fraction(3, 4))))
        beyond = [ball(e) for e in (Fraction(1), Fraction(3, 2), Fraction(4)) if q.phase(e) < arb.pi() / 2]
        found, error = q.sum(), 1 / q.log + q.least_epsilon()
        for e0 in inside + beyond:
            yield main_term(q, e0) - error, found

    yield search("C_D - bound", margins(pairs, (0, 2, 64, 256, 4096)))


@repair(
    "lem-C.2",
    says=(
        r"For all $c$, $\lambda > 0$ ($c = 2\pi$ in turns, 1 in radians), $0 < \theta_0 < 1$, even $D$ and "
        r"$0 \le k \le D/2$, with $P = c\lambda\theta_0^{2k/D}$, $F = c\lambda\theta_0$, $u = 2L/D$, "
        r"$\kappa = 1/(1-e^{-u}) - 1/u$ and $M = 1/2 - (\mathrm{Cin}(P) - \mathrm{Cin}(F))/(2L)$: $M - "
        r"2k/D - \kappa (P-F)/D \le C_D \le M + \kappa (P-F)/D$, where $0 \le \mathrm{Cin}(F) \le F^2/4$ "
        r"and $\mathrm{Cin}(P) < \gamma + \log P + 1/P$. The last terms may be replaced by "
        r"$(L/(4D^2))(P-F+(P^2-F^2)/2)$ if $(\cos P - \cos F)/(2D)$ is added to $M$. In the printed shape: "
        r"(27) holds with $2/(\pi L)$ for $1/L$."
    ),
    uses=("eq-27", "eq-42*", "lem-ci", "lem-cin", "lem-hump", "lem-riemann", "lem-riemann.b"),
    outline="Cut the sum at k. The first k terms are between -k/D and k/D; the integral over [2k/D, 1] is (Ci(P) - "
    "Ci(F))/(2L) = (1/2)(1 - 2k/D) - (Cin(P) - Cin(F))/(2L). With eq-71* the last constant becomes 0.2808/L.",
    proof=r"""
        The first $k$ terms lie between $-\frac kD$ and $\frac kD$. Since $\ln\frac PF=L(1-\frac{2k}D)$,
        `lem-cin` turns the integral over $[\frac{2k}D,1]$ into
        $\frac{\mathrm{Ci}(P)-\mathrm{Ci}(F)}{2L}=\frac12-\frac
        kD-\frac{\mathrm{Cin}(P)-\mathrm{Cin}(F)}{2L}=M-\frac kD$; `lem-riemann` bounds what is left. The
        bounds of $\mathrm{Cin}$ are those of `lem-cin` and `lem-ci`. $\square$
    """,
)
def lem_c2_repaired() -> Iterator[Evidence]:
    yield riemann_decomposition()
    yield from main_terms()
    yield same("the hump 2/z at z = pi/2, over 2L", 2 / (sp.pi / 2) / (2 * L), 2 / (sp.pi * L))


def main_terms(share: sp.Expr = 2 * k / D) -> Iterator[Evidence]:
    """(Ci(P) - Ci(F))/(2L) by Cin, where P = e^{L (1 - 2k/D)} F, and the two constants with the k first terms."""

    def cin(z: sp.Expr) -> sp.Expr:
        return sp.EulerGamma + sp.log(z) - sp.Ci(z)

    near, last = P * sp.exp(L * (1 - 2 * k / D)), P
    gap = (1 - share) / 2 - (sp.Ci(near) - sp.Ci(last) + cin(near) - cin(last)) / (2 * L)
    yield same("(Ci(P) - Ci(F))/(2L)", sp.expand(sp.expand_log(gap, force=True)), sp.Integer(0))
    yield same("k terms below, 1/2 - 2k/D", -k / D + (1 - share) / 2, sp.Rational(1, 2) - 2 * k / D)
    yield same("k terms above, 1/2", k / D + (1 - share) / 2, sp.Rational(1, 2))
    yield same("Cin at 0", sp.limit(cin(x), x, 0), sp.Integer(0))


def cin_bounds(phase: arb, log: arb, head_dim: int, cut: int) -> tuple[arb, arb]:
    """Lower and upper bound of C_D by lem-C.2* at k = cut, the better of its two forms; `phase` is c lambda."""
    steep, share = 2 * log / head_dim, ball(2 * cut) / head_dim
    near, last = phase * (-steep * cut).exp(), phase * (-log).exp()
    middle = (ci(near) - ci(last)) / (2 * log) + share / 2
    first = (near - last) * (1 / (1 - (-steep).exp()) - 1 / steep) / head_dim
    edge = (near.cos() - last.cos()) / (2 * head_dim)
    second = log / (4 * head_dim**2) * (near - last + (near**2 - last**2) / 2)
    lower = (middle - share - first).max(middle + edge - share - second)
    return lower, (middle + first).min(middle + edge + second)


@attack("lem-C.2*", domain=f"{EDGES}; turns and radians; k = 0, D/8, D/4, D/2")
def lem_c2_repaired_attack() -> Iterator[Evidence]:
    yield search("C_D - lower bound, upper bound - C_D", _margins())


def _margins() -> Iterator[tuple[str, arb]]:
    for q in points(heads=(0, 64)):
        for turns in (True, False):
            phase = ball(q.distance) * (2 * arb.pi() if turns else 1)
            found = cos_sum(q.distance, q.head_dim, inverse_base=q.inverse_base, turns=turns)
            for cut in (0, q.head_dim // 8, q.head_dim // 4, q.head_dim // 2):
                lower, upper = cin_bounds(phase, q.log, q.head_dim, cut)
                where = f"{q}, turns={turns}, k={cut}"
                yield from ((where, found - lower), (where, upper - found))


@practice("lem-C.2")
def lem_c2_practice() -> Iterator[dict[str, object]]:
    for base in BASES:
        for dim in HEAD_DIMS:
            for distance in (7, 2**7, 2**13, 2**20):
                for turns in (True, False):
                    yield _row(base, dim, distance, turns)


def _row(base: int, dim: int, distance: int, turns: bool) -> dict[str, object]:
    """Bounds and the certified value at one size; in radians the lemma is read at lambda/(2 pi) turns."""
    log = ball(base).log()
    phase = ball(distance) * (2 * arb.pi() if turns else 1)
    bounds = [cin_bounds(phase, log, dim, cut) for cut in range(dim // 2 + 1)]
    e0, stated = _best_stated(phase, log, dim)
    return {
        "base": base,
        "head_dim": dim,
        "distance": distance,
        "turns": turns,
        "D > 4L": bool(4 * log < dim),
        "e_0 below 1 exists": e0 is not None,
        "best e_0": e0,
        "lower bound": stated,
        "lower bound, repaired": max(float(lower) for lower, _ in bounds),
        "C_D": float(cos_sum(distance, dim, base=base, turns=turns)),
        "upper bound, repaired": min(float(upper) for _, upper in bounds),
        "trivial bound": -0.5,
    }


def _best_stated(phase: arb, log: arb, dim: int, steps: int = 200) -> tuple[float | None, float | None]:
    """The best e_0 < 1 on a grid and the right side of (27) there, alpha minimising; None if there is no e_0 < 1."""
    least = (2 * phase / arb.pi()).log() / log
    if not least < 1:
        return None, None
    steep = 2 * phase * log / dim
    error = 2 * phase / dim if steep <= 1 else (1 + steep.log()) / log

    def value(e0: Real) -> float:
        return float((1 - ball(e0)) * (phase * (-log * ball(e0)).exp()).cos() / 2 - 1 / log - error)

    shares = [least + (1 - least) * i / steps for i in range(1, steps)]
    best = max((share for share in shares if share > 0), key=value)
    return float(best), value(best)
