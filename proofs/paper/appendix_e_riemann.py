r"""Appendix E, first quarter: C_D as a Riemann sum and the bounds of one term, eqs 26 and 42 to 46.

Eq 42 as printed has one term too many; the bounds of one term are right, eq 45 twice too large. In the checks P is
c lambda theta_0^alpha, u = 2 L / D (so D > 4 L says u < 1/2) and h = 2/D.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import BASES, HEAD_DIMS, exact, search
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.classical_lemmas import D, L, P, a, b, d, h, n, r, u, x
from proofs.rope_tools import EDGES, WAVES, Point, margins, points, rises, same, termwise, vanishes

HYPOTHESES = (r"0 < \theta_0 < 1/10", "D even", r"D > 4 L", r"\lambda > 1")
ALPHAS = (Fraction(1, 10**6), Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(999, 1000))
alpha = sp.Symbol("alpha", positive=True)


@claim(
    "eq-26",
    where="App. C, eq 26",
    kind="definition",
    says=r"\epsilon(D; \lambda, \theta_0, \alpha) = \alpha + 4\pi\lambda\theta_0^\alpha/D",
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


def decomposition(last: sp.Expr = n - 1) -> Evidence:
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
    says=r"C_D = ((1/D) \sum_{d=0}^{D/2} \cos 2\pi\lambda\theta_0^{2d/D} - I/2) + I/2 = (1/2) \sum_{d=0}^{D/2} "
    r"\Delta_d + I/2, \Delta_d = \int_{2d/D}^{2(d+1)/D} (\cos 2\pi\lambda\theta_0^{2d/D} - \cos "
    r"2\pi\lambda\theta_0^x) dx, I = \int_0^1 \cos 2\pi\lambda\theta_0^x dx",
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
    says=r"C_D = \Delta/2 + I/2 with \Delta = \sum_{d=0}^{D/2-1} \Delta_d, for every angular factor; and, for 0 \le "
    r"k \le D/2, C_D = (1/D) \sum_{d<k} \cos c\lambda\theta_0^{2d/D} + (1/2) \sum_{d=k}^{D/2-1} \Delta_d + (1/2) "
    r"\int_{2k/D}^1",
    outline="Induction on the number of terms; the second form is the first on [2k/D, 1].",
)
def eq_42_repaired() -> Iterator[Evidence]:
    yield decomposition()


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
    says=r"\Delta = \sum_{d \le \alpha D/2} \Delta_d + \sum_{d > \alpha D/2} \Delta_d =: \Delta' + \Delta''",
    assumes=(r"\alpha \in (0, 1)",),
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
        (dim, share, first(dim, share) + len(range(first(dim, share), dim // 2))) for dim, share in sizes
    )
    yield search(
        "1 - |terms - D/2|", ((f"D={i}, alpha={j}", ball(1 - abs(m - i // 2))) for i, j, m in counted)
    )


def first(head_dim: int, share: Fraction) -> int:
    """The least d > alpha D/2, which is also how many d >= 0 are <= alpha D/2."""
    return math.floor(share * head_dim / 2) + 1


@claim(
    "eq-44",
    where="App. E, eq 44",
    kind="step",
    says=r"|\Delta_d| \le (2/D) \cdot 2 = 4/D",
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
    says=r"|\Delta_d| \le Lip_d \cdot 4/D^2",
    assumes=HYPOTHESES,
    outline="|f(2d/D) - f(x)| <= Lip_d (x - 2d/D), integrated: half of what is printed.",
)
def eq_45() -> Iterator[Evidence]:
    yield from lipschitz()


@repair(
    "eq-45",
    says=r"|\Delta_d| \le Lip_d \cdot 2/D^2, and no smaller multiple of 1/D^2 serves every f",
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
    says=r"Lip_d = \sup_{[2d/D, 2(d+1)/D]} |(d/dx) \cos 2\pi\lambda\theta_0^x| = \sup 2\pi\lambda |L \theta_0^x "
    r"\sin 2\pi\lambda\theta_0^x| \le 2\pi\lambda L \theta_0^{2d/D} (the second sup is missing in print)",
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
