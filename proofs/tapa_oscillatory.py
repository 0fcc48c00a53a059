"""The oscillatory integral of Theorem 3.2, bounded without stationary phase: three steps and the Gaussian case.

For fixed x_A write f(q, k) = rho(x_A, q, k) on R^n x R^n and F(q, zeta) = int f(q, k) e^{-2 pi i k.zeta} dk. The
whole proof is Fubini and the substitution zeta = s q; no density is approximated, no phase expanded.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import acb, arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, equal
from proofs.checks import search
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import ZETA, K, S, T, cosine_mean, gaussian_integral, log_normal, one_pair
from proofs.integrals import integrate
from proofs.ledger import attack, claim
from proofs.rope_tools import termwise

MEAN_Q, MEAN_K = sp.symbols("b c", real=True)


def substituted(power: Expr, mean_q: Expr = MEAN_Q, mean_k: Expr = MEAN_K) -> Expr:
    """s^(-power) times the integral of F(zeta/s, zeta), for normal q, k of variance 1 and given means, n = 1."""
    factor, exponent = gaussian_integral(log_normal(K, mean_k) - 2 * sp.pi * sp.I * K * ZETA, K)
    exponent += log_normal(ZETA / S, mean_q)
    outer, exponent = gaussian_integral(exponent, ZETA)
    return S**-power * factor * outer * sp.exp(exponent)


def jacobian(size: int, power: int) -> Evidence:
    """Determinant of q = zeta/s in R^size against s^(-power)."""
    zeta = sp.Matrix(sp.symbols(f"zeta0:{size}", real=True))
    return identity((zeta / S).jacobian(zeta).det(), S**-power, f"det dq/dzeta in dimension {size}")


@claim(
    "thm-3.2.kernel",
    where="App. G, in place of eq 77",
    kind="step",
    says=(
        r"f \in L^1(R^{2n}), s > 0: \int e^{-2\pi i s q.k} f dq dk = s^{-n} \int F(\zeta/s, \zeta) d\zeta, hence "
        r"|\int e^{-2\pi i s q.k} f| \le s^{-n} \int \sup_q|F(q,\zeta)| d\zeta; likewise with q, k exchanged"
    ),
    outline=(
        "Fubini: the integral over k is F(q, s q). Substitute zeta = s q, dq = s^-n dzeta. The identity is "
        "computed on both sides for normal f with any means, n = 1, as a witness of exponent and signs."
    ),
)
def kernel() -> Iterator[Evidence]:
    yield from (jacobian(size, size) for size in range(1, 6))
    yield identity(
        sp.simplify(one_pair(S, MEAN_Q, MEAN_K) / substituted(sp.Integer(1))), 1, "both sides, normal f"
    )


def exponential_case(s: Real) -> tuple[arb, arb]:
    """Both sides for q uniform on [0, 1], k of density e^-|k|/2: the k-integral of sinc, and its q-integral.

    Left: int_0^oo e^-k sin(2 pi s k)/(2 pi s k) dk, cut at 60 with the tail as a ball; right: atan(2 pi s)/(2 pi s).
    """
    angle = 2 * arb.pi() * ball(s)
    body = integrate(lambda k, _analytic: (-k).exp() * (acb(angle) * k).sinc(), 0, 60)
    tail = arb(-60).exp()
    return body + (-tail).union(tail), angle.atan() / angle


@attack(
    "thm-3.2.kernel",
    domain="a law that is neither normal nor smooth, s from 1/100 to 5, by quadrature in balls",
)
def kernel_attack() -> Iterator[Evidence]:
    for s in ("1/100", "1/2", 5):
        yield equal(f"uniform q, exponential k, s = {s}", *exponential_case(s), "1e-20")


def operator(factor: Expr) -> Evidence:
    """(1 - d^2/dk^2) e^{-2 pi i k zeta} against (1 + factor zeta^2) e^{-2 pi i k zeta}."""
    wave = sp.exp(-2 * sp.pi * sp.I * K * ZETA)
    return identity(wave - sp.diff(wave, K, 2), (1 + factor * ZETA**2) * wave, "(1 - d^2/dk^2) on a wave")


def green() -> Evidence:
    """f g'' - f'' g is a derivative, so 1 - d^2/dk^2 may be moved from the wave to f, which vanishes at infinity."""
    f, g = (sp.Function(name)(K) for name in "fg")
    left = f * sp.diff(g, K, 2) - sp.diff(f, K, 2) * g
    return identity(left, sp.diff(f * sp.diff(g, K) - sp.diff(f, K) * g, K), "Green's identity")


def lorentz(coefficient: Expr, total: Expr) -> Iterator[Evidence]:
    """int over R of dx/(1 + c^2 x^2) against `total`, by its primitive atan(c x)/c."""
    x = sp.Symbol("x", real=True)
    primitive = sp.atan(coefficient * x) / coefficient
    yield identity(sp.diff(primitive, x), 1 / (1 + coefficient**2 * x**2), "primitive of 1/(1 + c^2 x^2)")
    rise = sp.limit(primitive, x, sp.oo) - sp.limit(primitive, x, -sp.oo)
    yield identity(rise, total, f"integral over the line, c = {coefficient}")


@claim(
    "thm-3.2.majorant",
    where="App. G, in place of eq 77",
    kind="step",
    says=(
        r"f Schwartz: \int \sup_q|F(q,\zeta)| d\zeta \le 2^{-n} \int \sup_q |L f(q,k)| dk \le (\pi/2)^n \sup_{q,k} "
        r"\prod_j(1+k_j^2)|L f(q,k)|, L = \prod_{j\le n}(1-\partial_{k_j}^2)"
    ),
    outline=(
        "L acts on the wave as prod(1 + 4 pi^2 zeta_j^2); by Green it may act on f. So |F| <= prod (1 + 4 pi^2 "
        "zeta_j^2)^-1 int |L f| dk, and the integrals over zeta_j are 1/2 each, those of 1/(1+k_j^2) pi each."
    ),
)
def majorant() -> Iterator[Evidence]:
    yield operator(4 * sp.pi**2)
    yield green()
    yield from lorentz(2 * sp.pi, sp.Rational(1, 2))
    yield from lorentz(sp.Integer(1), sp.pi)


def normal_majorant() -> tuple[arb, arb]:
    """Standard normal q, k, n = 1: int sup_q |F| dzeta = 1/(2 pi), and (1/2) sup_q int |L f| dk, L f = (2 - k^2) f.

    |2 - k^2| integrates to -1 + 4 int_0^sqrt2 (2 - k^2) g(k) dk under the normal density g.
    """
    density = (2 * arb.pi()).rsqrt()
    inside = integrate(lambda k, _a: (2 - k * k) * (-k * k / 2).exp(), 0, ball(2).sqrt()) * density
    return 1 / (2 * arb.pi()), density * (4 * inside - 1) / 2


@attack("thm-3.2.majorant", domain="standard normal q, k, n = 1, 2, 32: the bound's both sides exactly")
def majorant_attack() -> Iterator[Evidence]:
    left, right = normal_majorant()
    yield search("majorant less the integral", ((f"n = {n}", right**n - left**n) for n in (1, 2, 32)))


@claim(
    "thm-3.2.weights",
    where="App. G, eqs 78 to 80",
    kind="step",
    says=(
        r"|q_A.k_A| \le (1/2)\prod_{i\le 2a}(1+x_i^2), x_A = (q_A,k_A); so \int |q_A.k_A| g(x_A) dx_A \le "
        r"(\pi^{2a}/2) \sup_{x_A} \prod_i(1+x_i^2)^2 g(x_A) for every g \ge 0"
    ),
    outline=(
        "|q k| <= (q^2 + k^2)/2; 1 + sum y_i <= prod(1 + y_i) for y_i >= 0 by induction; the integral of "
        "prod 1/(1+x_i^2) over R^{2a} is pi^{2a}."
    ),
)
def weights() -> Iterator[Evidence]:
    q, k = sp.symbols("q k", real=True)
    yield identity((q**2 + k**2) / 2 - q * k, (q - k) ** 2 / 2, "(q^2 + k^2)/2 - q k is a square; so with -k")
    yield induction(sp.Integer(1))
    yield from lorentz(sp.Integer(1), sp.pi)


def induction(factor: Expr) -> Evidence:
    """(1 + Y)(1 + y) - (1 + factor (Y + y)) >= 0 for Y, y > 0: the induction step of 1 + sum <= product."""
    total, y = sp.symbols("Y y", positive=True)
    return termwise("(1 + Y)(1 + y) - (1 + Y + y)", (1 + total) * (1 + y) - (1 + factor * (total + y)))


@attack("thm-3.2.weights", domain="a = 1, 2 on the grid -3..3 with halves, 0 and the unit points first")
def weights_attack() -> Iterator[Evidence]:
    grid = [sp.Rational(i, 2) for i in range(-6, 7)]
    ones = ((f"a = 1, q = {q}, k = {k}", _room([q], [k])) for q in grid for k in grid)
    yield search("half the product less |q.k|", ones)
    twos = ((f"a = 2, q = ({q}, 1), k = ({k}, 1)", _room([q, 1], [k, 1])) for q in grid for k in grid)
    yield search("half the product less |q.k|", twos)


def _room(q: list[Expr], k: list[Expr]) -> arb:
    product = sp.prod([1 + sp.sympify(x) ** 2 for x in (*q, *k)]) / 2
    return ball(str(product - sp.Abs(sum(x * y for x, y in zip(q, k, strict=True)))))


def per_dimension(power: Expr) -> Evidence:
    """E cos(2 pi s q k) for standard normal q, k against (1 + 4 pi^2 s^2)^(-power)."""
    return identity(one_pair(S), (1 + 4 * sp.pi**2 * S**2) ** -power, "one dimension: E e^{-2 pi i s q k}")


@claim(
    "thm-3.2.gaussian",
    where="Sec. 3, Theorem 3.2",
    kind="step",
    says=(
        r"q_P, k_P independent normal of mean 0 and variances \sigma_q^2, \sigma_k^2, independent of x_A: E "
        r"Attn = (E q_A.k_A/\sqrt a)(1+t^2)^{-n/2}, t = 2\pi\sigma_q\sigma_k|m-n|^\alpha/\sqrt n; so "
        r"|m-n|^{\alpha n} E Attn \to (E q_A.k_A/\sqrt a)(\sqrt n/2\pi\sigma_q\sigma_k)^n and the exponent of "
        r"(14) cannot be raised"
    ),
    outline=(
        "One dimension by two Gaussian integrals; dimensions multiply; sigma_q sigma_k only rescales s; the mean "
        "is real, so it is that of the cosine."
    ),
)
def gaussian() -> Iterator[Evidence]:
    yield per_dimension(sp.Rational(1, 2))
    yield decay_rate(sp.Rational(1, 2))


def decay_rate(power: Expr) -> Evidence:
    """ln of t (1 + t^2)^(-power) -> 0 as t grows; n times it is ln of t^n (1 + t^2)^(-n power), for every n."""
    return limit(sp.log(T) - power * sp.log(1 + T**2), T, sp.oo, 0, "ln t - ln(1 + t^2)/2")


def by_quadrature(s: Real) -> arb:
    """E cos(2 pi s q k), q, k standard normal: int g(q) exp(-2 pi^2 s^2 q^2) dq over [-40, 40] and the tail."""
    square = 2 * arb.pi() ** 2 * ball(s) ** 2
    body = integrate(lambda q, _a: (-q * q * (acb(square) + acb(1) / 2)).exp(), -40, 40)
    tail = arb(-800).exp()  # the normal tail beyond 40 is below e^{-40^2/2}
    return body * (2 * arb.pi()).rsqrt() + (-tail).union(tail)


@attack("thm-3.2.gaussian", domain="s from 1/100 to 10 against quadrature, n = 1; n = 1, 128 against t^-n")
def gaussian_attack() -> Iterator[Evidence]:
    for s in ("1/100", "1/5", 1, 10):
        yield equal(
            f"s = {s}: quadrature against the formula", by_quadrature(s), cosine_mean(1, s, 1), "1e-25"
        )
    for n in (1, 128):
        angle = 2 * arb.pi() / ball(n).sqrt()
        yield below(f"n = {n}, distance 1: the mean against t^-n", cosine_mean(n, 1), angle**-n)
