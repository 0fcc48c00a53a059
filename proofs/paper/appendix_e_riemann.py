r"""Appendix E, first half of the cosine bound: C_D as a Riemann sum and its error, eqs 26 and 42 to 51.

Eq 42 as printed has one term too many; the bounds of one term are right, eq 45 twice too large. Eq 47 counts alpha D/2
terms where there can be one more, and its geometric sum begins too late, so it fails; eq 51, its purpose, is true all
the same, for every angular factor c.

In the checks P is c lambda theta_0^alpha, h = 2/D, u = 2 L / D (so D > 4 L says u < 1/2), and u = 1/(2 + v) with v > 0
writes D > 4 L as a positive symbol.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball, below
from proofs.checks import (
    BASES,
    EDGES,
    HEAD_DIMS,
    WAVES,
    Point,
    exact,
    margins,
    points,
    rises,
    same,
    search,
    termwise,
    vanishes,
)
from proofs.integrals import ci
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.classical_lemmas import KAPPA, D, L, P, a, b, d, h, n, r, u, v, x
from proofs.subdivision import certify_positive

HYPOTHESES = (r"$0 < \theta_0 < 1/10$", "$D$ even", "$D > 4 L$", r"$\lambda > 1$")
ALPHAS = (Fraction(1, 10**6), Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(999, 1000))
alpha = sp.Symbol("alpha", positive=True)


@claim(
    "eq-26",
    where="App. C, eq 26",
    kind="definition",
    says=r"$\epsilon(D; \lambda, \theta_0, \alpha) = \alpha + 4\pi\lambda\theta_0^\alpha/D$",
    outline="Its infimum over alpha > 0, which is all that a bound 'for all alpha' says, is 4 pi lambda/D where "
    "q = 4 pi lambda L/D <= 1 and (1 + log q)/L beyond, at alpha = log(q)/L: since e^w >= 1 + w.",
)
def eq_26() -> Iterator[Evidence]:
    steep = sp.Symbol("q", positive=True)
    w = sp.log(steep) - alpha * L  # so that theta_0^alpha = e^w / q
    epsilon = alpha + steep / L * sp.exp(-alpha * L)
    yield same("L e = 1 + log q + (e^w - 1 - w)", L * epsilon, 1 + sp.log(steep) + sp.exp(w) - 1 - w)
    yield same("slope of e, so e rises if q <= 1", sp.diff(epsilon, alpha), 1 - steep * sp.exp(-alpha * L))
    yield rises("e^w - 1 - w for w >= 0", sp.exp(u) - 1 - u, u, 2)
    yield rises("e^-w - 1 + w for w >= 0", sp.exp(-u) - 1 + u, u, 2)


@attack("eq-26", domain=f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999: is any e below its infimum?")
def eq_26_attack() -> Iterator[Evidence]:
    yield search("e - inf e", margins(lambda q: ((q.least_epsilon(), q.epsilon(share)) for share in ALPHAS)))


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


@claim(
    "eq-42",
    where="App. E, eq 42",
    kind="equation",
    says=(
        r"$C_D = ((1/D) \sum_{d=0}^{D/2} \cos 2\pi\lambda\theta_0^{2d/D} - I/2) + I/2 = (1/2) "
        r"\sum_{d=0}^{D/2} \Delta_d + I/2$, $\Delta_d = \int_{2d/D}^{2(d+1)/D} (\cos "
        r"2\pi\lambda\theta_0^{2d/D} - \cos 2\pi\lambda\theta_0^x) \,dx$, $I = \int_0^1 \cos "
        r"2\pi\lambda\theta_0^x \,dx$"
    ),
    assumes=HYPOTHESES,
)
def eq_42() -> Iterator[Evidence]:
    point = Point(Fraction(1, 11), 10, Fraction(2))
    yield vanishes(f"the term d = D/2, which C_D lacks, at {point}", point.phase(1).cos() / point.head_dim)
    yield vanishes(f"the last member less C_D, at {point}", excess(point, point.head_dim // 2))


def excess(point: Point, last: int, wave: str = "cos") -> arb:
    """(1/2) sum_{d=0}^{last} Delta_d + I/2 less the sum C_D (or S_D)."""
    terms = sum((point.term(i, wave) for i in range(last + 1)), arb(0))
    return terms / 2 + point.half_integral(wave) - point.sum(wave)


@repair(
    "eq-42",
    says=(
        r"$C_D = \Delta/2 + I/2$ with $\Delta = \sum_{d=0}^{D/2-1} \Delta_d$, for every angular factor; "
        r"and, for $0 \le k \le D/2$, $C_D = (1/D) \sum_{d<k} \cos c\lambda\theta_0^{2d/D} + (1/2) "
        r"\sum_{d=k}^{D/2-1} \Delta_d + (1/2) \int_{2k/D}^1$"
    ),
    outline="Induction on the number of terms; the second form is the first on [2k/D, 1].",
)
def eq_42_repaired() -> Iterator[Evidence]:
    yield riemann_decomposition()


@attack("eq-42*", domain=f"{EDGES}; cos and sin")
def eq_42_attack() -> Iterator[Evidence]:
    gaps = (
        (f"{q}, {w}", ball("1e-20") - abs(excess(q, q.head_dim // 2 - 1, w))) for q in points() for w in WAVES
    )
    yield search("1e-20 less the defect", gaps)


@claim(
    "eq-43",
    where="App. E, eq 43",
    kind="equation",
    says=(
        r"$\Delta = \sum_{d \le \alpha D/2} \Delta_d + \sum_{d > \alpha D/2} \Delta_d =: \Delta' + "
        r"\Delta''$"
    ),
    assumes=(r"$\alpha \in (0, 1)$",),
    outline="Each d is in exactly one of the two sums.",
)
def eq_43() -> Iterator[Evidence]:
    index, cut = sp.symbols("d x", real=True)
    yield exact("d <= x or d > x", sp.Or(index <= cut, index > cut) == sp.true, "true", "always")
    yield exact("d <= x and d > x", sp.And(index <= cut, index > cut) == sp.false, "false", "never")


@attack("eq-43", domain="D = 10 to 256, alpha D/2 an integer or not: are Delta' and Delta'' a partition?")
def eq_43_attack() -> Iterator[Evidence]:
    sizes = ((dim, share) for dim in range(10, 257, 2) for share in ALPHAS)
    counted = (
        (dim, share, first_past(dim, share) + len(range(first_past(dim, share), dim // 2)))
        for dim, share in sizes
    )
    yield search(
        "1 - |terms - D/2|", ((f"D={i}, alpha={j}", ball(1 - abs(m - i // 2))) for i, j, m in counted)
    )


def first_past(head_dim: int, share: Fraction) -> int:
    """The least d > alpha D/2, which is also how many d >= 0 are <= alpha D/2."""
    return math.floor(share * head_dim / 2) + 1


@claim(
    "eq-44",
    where="App. E, eq 44",
    kind="step",
    says=r"$|\Delta_d| \le (2/D) \cdot 2 = 4/D$",
    assumes=HYPOTHESES,
    outline="cos A - cos B is twice a product of sines, so at most 2; the interval is 2/D long.",
)
def eq_44() -> Iterator[Evidence]:
    yield from trivial_bound()


def trivial_bound(bound: sp.Expr = 4 / D) -> Iterator[Evidence]:
    """|cos A - cos B| <= 2 and |sin A - sin B| <= 2 over an interval of length 2/D stay below `bound`."""
    half_sum, half_gap = (a + b) / 2, (a - b) / 2
    yield same("cos a - cos b", sp.cos(a) - sp.cos(b), -2 * sp.sin(half_sum) * sp.sin(half_gap))
    yield same("sin a - sin b", sp.sin(a) - sp.sin(b), 2 * sp.cos(half_sum) * sp.sin(half_gap))
    yield termwise("bound - 2 (2/D)", bound - 2 * (2 / D))


@attack("eq-44", domain=f"{EDGES}; every d")
def eq_44_attack() -> Iterator[Evidence]:
    yield search(
        "4/D - |Delta_d|", margins(lambda q: ((abs(q.term(i)), ball(4) / q.head_dim) for i in indices(q)))
    )


def indices(point: Point) -> range:
    """d = 0 .. D/2 - 1."""
    return range(point.head_dim // 2)


@claim(
    "eq-45",
    where="App. E, eq 45",
    kind="step",
    says=r"$|\Delta_d| \le \mathrm{Lip}_d \cdot 4/D^2$",
    assumes=HYPOTHESES,
    outline="|f(2d/D) - f(x)| <= Lip_d (x - 2d/D), integrated: half of what is printed.",
)
def eq_45() -> Iterator[Evidence]:
    yield from lipschitz()


@repair(
    "eq-45",
    says=(
        r"$|\Delta_d| \le \mathrm{Lip}_d \cdot 2/D^2$, and no smaller multiple of $1/D^2$ serves every $f$"
    ),
    assumes=HYPOTHESES,
)
def eq_45_repaired() -> Iterator[Evidence]:
    yield from lipschitz(2 / D**2)
    yield same("a linear f attains it", sp.integrate(r, (r, 0, 2 / D)), 2 / D**2)


def lipschitz(bound: sp.Expr = 4 / D**2) -> Iterator[Evidence]:
    """int_0^{2/D} r dr, which Lip_d multiplies, stays below `bound`."""
    yield termwise("bound - int_0^{2/D} r dr", bound - sp.integrate(r, (r, 0, 2 / D)))


@attack("eq-45*", domain=f"{EDGES}; every d, Lip_d by its bound in eq 46")
def eq_45_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for i in indices(q):
            yield abs(q.term(i)), q.phase(Fraction(2 * i, q.head_dim)) * q.log * 2 / q.head_dim**2

    yield search("2 Lip_d/D^2 - |Delta_d|", margins(pairs))


@claim(
    "eq-46",
    where="App. E, eq 46",
    kind="step",
    says=(
        r"$\mathrm{Lip}_d = \sup_{[2d/D, 2(d+1)/D]} |(d/dx) \cos 2\pi\lambda\theta_0^x| = \sup 2\pi\lambda "
        r"|L \theta_0^x \sin 2\pi\lambda\theta_0^x| \le 2\pi\lambda L \theta_0^{2d/D}$ (the second $\sup$ "
        "is missing in print)"
    ),
    assumes=HYPOTHESES,
    outline="The chain rule; |sin| <= 1, and theta_0^x falls.",
)
def eq_46() -> Iterator[Evidence]:
    yield from slope_bound()


def slope_bound(wave: type[sp.Function] = sp.sin) -> Iterator[Evidence]:
    """The slope of cos(c lambda theta_0^x), with `wave` of the phase in it, and its bound at the left end."""
    phase = P * sp.exp(-L * x)
    yield same("slope of cos(c lambda theta_0^x)", sp.diff(sp.cos(phase), x), L * phase * wave(phase))
    yield rises("1 - theta_0^r", 1 - sp.exp(-u), u, 1)
    yield same("1 - sin^2 = cos^2 >= 0", 1 - sp.sin(a) ** 2, sp.cos(a) ** 2)


@attack("eq-46", domain=f"{EDGES}; 8 points of the first, middle and last interval")
def eq_46_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for i in (0, q.head_dim // 4, q.head_dim // 2 - 1):
            for j in range(1, 9):
                phase = q.phase(Fraction(8 * i + j, 4 * q.head_dim))
                yield abs(phase * q.log * phase.sin()), q.phase(Fraction(2 * i, q.head_dim)) * q.log

    yield search("bound - |slope|", margins(pairs))


STEEP = 1 / (2 + v)  # every u = 2 L / D with D > 4 L
WORST_KAPPA = sp.Rational(13, 24)  # 1/2 + u/12 at u = 1/2


def near(point: Point, share: Fraction, wave: str = "cos") -> arb:
    """Delta' of eq 43."""
    return sum((point.term(d, wave) for d in range(first_past(point.head_dim, share))), arb(0))


def far(point: Point, share: Fraction, wave: str = "cos") -> arb:
    """Delta'' of eq 43."""
    later = range(first_past(point.head_dim, share), point.head_dim // 2)
    return sum((point.term(d, wave) for d in later), arb(0))


def geometric(point: Point, share: Fraction) -> tuple[arb, arb]:
    """The sum over d > alpha D/2 up to D/2 of theta_0^{2d/D}, and the bound that eq 47 prints for it."""
    ratio = (-2 * point.log / point.head_dim).exp()
    later = range(first_past(point.head_dim, share), point.head_dim // 2 + 1)
    bound = (-point.log * ball(share)).exp() * ratio / (1 - ratio)
    return sum((ratio**d for d in later), arb(0)), bound


@claim(
    "eq-47",
    where="App. E, eq 47",
    kind="step",
    says=(
        r"$|\Delta'| \le (D\alpha/2)(4/D) = 2\alpha$; $|\Delta''| \le (4/D^2) 2\pi\lambda L "
        r"\sum_{d=D\alpha/2+1}^{D/2} \theta_0^{2d/D} \le (8\pi\lambda L/D^2) "
        r"\theta_0^{(2/D)(D\alpha/2+1)}/(1-\theta_0^{2/D}) \le (8\pi\lambda L/D^2) \theta_0^\alpha "
        r"(1/(1-\theta_0^{2/D}) - 1)$"
    ),
    assumes=(*HYPOTHESES, r"$\alpha \in (0, 1)$"),
    outline="d <= alpha D/2 holds for floor(alpha D/2) + 1 values of d, which is more than alpha D/2; and where "
    "alpha D/2 is no integer the sum begins at floor(alpha D/2) + 1, so its first power is larger than the printed "
    "one.",
)
def eq_47() -> Iterator[Evidence]:
    point, small, odd = Point(Fraction(1, 11), 10, Fraction(3, 2)), Fraction(1, 1000), Fraction(99, 500)
    yield below(
        f"|Delta'| <= 2 alpha, alpha={small}, {point}", abs(near(point, small)), 2 * small, strict=False
    )
    yield below(f"the geometric sum, alpha={odd}, {point}", *geometric(point, odd), strict=False)


@repair(
    "eq-47",
    says=(
        r"$|\Delta'| \le 2\alpha + 4/D$; $|\Delta''| \le (2/D) \kappa(2L/D) c\lambda\theta_0^\alpha$, "
        r"$\kappa$ of `lem-riemann`; any $c$, $\lambda > 0$, $0 < \theta_0 < 1$, $0 \le \alpha < 1$"
    ),
    uses=("eq-44", "lem-riemann"),
    outline="Delta' has k = floor(alpha D/2) + 1 <= alpha D/2 + 1 terms; Delta'' begins at k > alpha D/2, so that "
    "theta_0^{2k/D} < theta_0^alpha.",
)
def eq_47_repaired() -> Iterator[Evidence]:
    yield counted(alpha * D / 2 + 1)
    yield same("theta_0 to (2/D)(alpha D/2)", 2 / D * (alpha * D / 2), alpha)


def counted(terms: sp.Expr) -> Evidence:
    """4/D for each of at most `terms` terms is at most 2 alpha + 4/D, and `terms` covers floor(alpha D/2) + 1."""
    whole = sp.Symbol("whole", positive=True)  # alpha D/2
    enough = (sp.floor(whole) <= sp.expand(terms.subs(alpha, 2 * whole / D)) - 1) == sp.true
    found = same("4/D times the number of terms", sp.expand(4 / D * terms), 2 * alpha + 4 / D)
    return found if enough else exact("number of terms", enough, terms, "floor(alpha D/2) + 1 <= terms")


@attack("eq-47*", domain=f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999; cos and sin")
def eq_47_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[Real, Real]]:
        steep = 2 * q.log / q.head_dim
        for share in ALPHAS:
            for wave in WAVES:
                yield abs(near(q, share, wave)), 2 * share + Fraction(4, q.head_dim)
                kappa = 1 / (1 - (-steep).exp()) - 1 / steep
                yield abs(far(q, share, wave)), kappa * q.phase(share) * 2 / q.head_dim

    yield search("bound - |Delta'|, bound - |Delta''|", margins(pairs))


@claim(
    "eq-47.a",
    where="App. E, eq 47",
    kind="step",
    says=(
        r"$|\Delta''| \le (8\pi\lambda L/D^2) \theta_0^\alpha (1/(1-\theta_0^{2/D}) - 1)$: the last member "
        r"of (47) bounds $\Delta''$ although the members between do not"
    ),
    assumes=(*HYPOTHESES, r"$\alpha \in (0, 1)$"),
    uses=("eq-47*", "lem-riemann.kappa"),
    outline="With u = 2L/D < 1/2 it is (2/D) c lambda theta_0^alpha u/(e^u - 1), and u/(e^u - 1) >= 1 - u/2 >= 1/2 "
    "+ u/12 >= kappa(u).",
)
def eq_47_a() -> Iterator[Evidence]:
    last = 4 * P * L / D**2 * (1 / (1 - sp.exp(-u)) - 1)
    yield same("the last member", last.subs(L, u * D / 2), 2 / D * P * u / (sp.exp(u) - 1))
    yield rises("u - (1 - u/2)(e^u - 1)", u - (1 - u / 2) * (sp.exp(u) - 1), u, 2)
    yield termwise("1 - u/2 - (1/2 + u/12) at u < 1/2", 1 - STEEP / 2 - sp.Rational(1, 2) - STEEP / 12)


@attack("eq-47.a", domain=f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999")
def eq_47_a_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        steep = 2 * q.log / q.head_dim
        for share in ALPHAS:
            yield abs(far(q, share)), 2 * q.phase(share) * steep / q.head_dim / (steep.exp() - 1)

    yield search("last member - |Delta''|", margins(pairs))


@claim(
    "eq-48",
    where="App. E, eq 48",
    kind="step",
    says=r"$1 - \theta_0^{2/D} \ge 2L/D - 4L^2/D^2$",
    outline="Taylor at u = 2L/D, with the second-order term twice what it need be.",
)
def eq_48() -> Iterator[Evidence]:
    yield taylor(sp.Integer(1))


@repair(
    "eq-48",
    says=(
        r"$1 - \theta_0^{2/D} \ge 2L/D - 2L^2/D^2$, for every $D > 0$ and $0 < \theta_0 \le 1$; $1/2$ is "
        "the least factor of $u^2$"
    ),
)
def eq_48_repaired() -> Iterator[Evidence]:
    yield taylor(sp.Rational(1, 2))
    yield same("(u - 1 + e^-u)/u^2 at 0", sp.limit((u - 1 + sp.exp(-u)) / u**2, u, 0), sp.Rational(1, 2))


def taylor(factor: sp.Expr) -> Evidence:
    """1 - e^-u >= u - factor u^2 for u >= 0."""
    return rises("1 - e^-u - u + factor u^2", 1 - sp.exp(-u) - u + factor * u**2, u, 3)


@attack("eq-48*", domain="u = 2L/D = 2^-20 to 2^10, exceeding every D > 4L")
def eq_48_attack() -> Iterator[Evidence]:
    sizes = [ball(Fraction(2) ** i) for i in range(-20, 11)]
    yield search("1 - e^-u - u + u^2/2", ((f"u={q}", 1 - (-q).exp() - q + q * q / 2) for q in sizes))


@claim(
    "eq-49",
    where="App. E, eq 49",
    kind="step",
    says=r"$\sup_{x \in [0, 2/D]} |(d^2/dx^2) \theta_0^x| \le L^2$",
    outline="It is L^2 theta_0^x, which falls; the supremum is attained at x = 0.",
)
def eq_49() -> Iterator[Evidence]:
    yield second_derivative()
    yield rises("L^2 less L^2 theta_0^x, over L^2", 1 - sp.exp(-u), u, 1)


def second_derivative(power: int = 2) -> Evidence:
    """The second derivative of theta_0^x is L^power theta_0^x."""
    return same("second derivative of theta_0^x", sp.diff(sp.exp(-L * x), x, 2), L**power * sp.exp(-L * x))


@attack("eq-49", domain=f"{EDGES}; x = 2/(16 D) to 2/D by sixteenths")
def eq_49_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for i in range(1, 17):
            yield (-q.log * i / (8 * q.head_dim)).exp() * q.log**2, q.log**2

    yield search("L^2 - |second derivative|", margins(pairs))


@claim(
    "eq-50",
    where="App. E, eq 50",
    kind="step",
    says=(
        r"$|\Delta''| \le (4\pi\lambda/D) \theta_0^\alpha / (1 - 2L/D) \le (4\pi\lambda/D) \theta_0^\alpha "
        r"/ (1 - 1/2) = 8\pi\lambda\theta_0^\alpha/D$"
    ),
    assumes=(*HYPOTHESES, r"$\alpha \in (0, 1)$"),
    uses=("eq-47.a",),
    outline="u/(e^u - 1) <= 1 <= 1/(1 - u) <= 2 for u = 2L/D < 1/2. It is (48) that is inserted, not (49).",
)
def eq_50() -> Iterator[Evidence]:
    yield rises("e^u - 1 - u", sp.exp(u) - 1 - u, u, 2)
    yield termwise("1/(1 - u) - 1", 1 / (1 - STEEP) - 1)
    yield termwise("2 - 1/(1 - u)", 2 - 1 / (1 - STEEP))


@repair(
    "eq-50",
    says=(
        r"$|\Delta''| \le (13/12) c\lambda\theta_0^\alpha/D$ for every $c$, $\lambda > 0$: 3.7 times "
        "smaller than printed"
    ),
    assumes=("$D > 4 L$", r"$0 \le \alpha < 1$"),
    uses=("eq-47*", "lem-riemann.kappa"),
    outline="2 kappa(u) <= 1 + u/6 at u < 1/2.",
)
def eq_50_repaired() -> Iterator[Evidence]:
    yield worst_kappa(WORST_KAPPA)


def worst_kappa(bound: sp.Expr) -> Evidence:
    """1/2 + u/12 <= bound for every u < 1/2."""
    return termwise("bound - 1/2 - u/12", bound - sp.Rational(1, 2) - STEEP / 12)


@attack("eq-50*", domain=f"{EDGES}; alpha = 1e-6, 1/10, 1/3, 1/2, 0.999; cos and sin")
def eq_50_attack() -> Iterator[Evidence]:
    def pairs(q: Point) -> Iterator[tuple[arb, arb]]:
        for share in ALPHAS:
            for wave in WAVES:
                yield abs(far(q, share, wave)), q.phase(share) * 13 / (12 * q.head_dim)

    yield search("bound - |Delta''|", margins(pairs))


@claim(
    "eq-51",
    where="App. E, eq 51",
    kind="step",
    says=(
        r"$|\Delta/2| \le \alpha + 4\pi\lambda\theta_0^\alpha/D =: \epsilon(D; \lambda, \theta_0, \alpha)$"
    ),
    assumes=(*HYPOTHESES, r"$\alpha \in (0, 1)$"),
    uses=("eq-44", "eq-47*", "lem-riemann"),
    outline="Not by (47). Let P = c lambda theta_0^alpha. From eq-47* and kappa < 1, |Delta/2| <= alpha + (2 + "
    "P)/D, which suffices where P >= 2. Where P < 2, some alpha' < alpha has P = 2, as 2 pi lambda > 2, and e "
    "rises from alpha' to alpha, since de/dalpha = 1 - 2LP/D > 0 there. For alpha >= 1, |Delta/2| <= 1 by (44).",
)
def eq_51() -> Iterator[Evidence]:
    yield from riemann_error()
    yield exact("2 pi > 2", bool(2 * sp.pi > 2), "2 pi", "> 2")


def riemann_error(cut: int = 2, printed: int = 2) -> Iterator[Evidence]:
    """The steps of eq-51: `cut` is the phase at which e is compared, `printed` the factor of P/D in e."""
    beyond = cut + v
    yield counted(alpha * D / 2 + 1)
    yield termwise("e - alpha - (2 + P)/D where P >= cut", (printed * beyond - 2 - beyond) / D)
    epsilon, phase = alpha + printed * P * sp.exp(-alpha * L) / D, P * sp.exp(-alpha * L)
    yield same("slope of e", sp.diff(epsilon, alpha), 1 - printed * L * phase / D)
    slope = 1 - printed * L * cut / D
    yield termwise("slope of e where P <= cut and D > 4L", slope.subs(D, 4 * L + v))
    yield same("(1/2)(D/2)(4/D)", D / 4 * (4 / D), sp.Integer(1))


@repair(
    "eq-51",
    says=(
        r"$|\Delta/2| \le \alpha + 2c\lambda\theta_0^\alpha/D$ for every angular factor $c > 0$, every "
        r"$\lambda > 0$ and $\alpha \ge 0$, for $\cos$ and $\sin$; and $|\Delta/2| \le \alpha + 2/D + "
        r"(13/24) c\lambda\theta_0^\alpha/D$"
    ),
    assumes=(r"$0 < \theta_0 < 1$", "$D$ even", "$D > 4 L$"),
    uses=("eq-44", "eq-47*", "eq-50*", "lem-riemann"),
    outline="As eq-51; where c lambda < 2 there is no alpha', but e rises on all of alpha >= 0 and e(0) = 2 c lambda/D "
    "exceeds kappa c lambda/D, which is lem-riemann at k = 0.",
)
def eq_51_repaired() -> Iterator[Evidence]:
    yield from riemann_error()
    yield termwise("2 - 1, as kappa < 1", sp.Integer(2) - 1)
    yield same("half of 2 alpha + 4/D", (2 * alpha + 4 / D) / 2, alpha + 2 / D)
    yield worst_kappa(WORST_KAPPA)
    yield same("kappa of lem-riemann at small u", sp.limit(KAPPA, u, 0), sp.Rational(1, 2))


@attack(
    "eq-51",
    domain=f"{EDGES}, alpha minimising; every lambda in [1, 4] with every L in [2.3025, 4] at D = 64, in boxes",
)
def eq_51_attack() -> Iterator[Evidence]:
    pairs = margins(
        lambda q: ((abs(q.sum(w) - q.half_integral(w)), q.least_epsilon()) for w in WAVES), (0, 2, 64, 256)
    )
    yield search("least e - |Delta/2|", pairs)
    for sign in (1, -1):
        found = certify_positive(
            lambda q, log, s=sign: _slack(q, log, s), None, (0, "2.3025"), (arb(4).log(), 4)
        )
        yield found.evidence(f"least e {'-' if sign > 0 else '+'} (C_D - I/2) > 0 at D = 64")
        asked = (0, ball("2.3025")), (arb(4).log(), 4)
        yield found.coverage("every lambda in [1, 4], L in [2.3025, 4]", *asked)


def _slack(log_distance: arb, log: arb, sign: int, head_dim: int = 64) -> arb:
    """Least e less sign (C_D - I/2), for balls of log lambda and L: a lower bound, as (1 + log q)/L <= q/L."""
    turn = 2 * arb.pi()
    steep = 2 * turn * log_distance.exp() * log / head_dim
    least = steep / log if at_most(steep, 1) else (1 + steep.log()) / log
    phases = (turn * (log_distance - log * d * 2 / head_dim).exp() for d in range(head_dim // 2))
    total = sum((phase.cos() for phase in phases), arb(0)) / head_dim
    integral = ci(turn * log_distance.exp()) - ci(turn * (log_distance - log).exp())
    return least - sign * (total - integral / (2 * log))
