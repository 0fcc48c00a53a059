"""Eq 77, the step on which the printed proof of Theorem 3.2 rests: no universal constant exists.

The counterexample is a normal density with fringes, h(x) = g(x)(1 + cos(2 pi lambda q.k))/Z on R^{2n}: its mass sits
where the wave e^{-i pi lambda x^T J x} is near 1, so the integral stays near 1/2, while sup h and lambda^-2 sup |D^2 h|
stay bounded. Only the density's own constant, not a universal one, can stand in (77).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import search
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import K, Q, S, counterexample, gaussian_integral, one_pair, quadratic
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_g import form_everywhere
from proofs.rope_tools import rises, termwise

WAVE = sp.Symbol("lambda", positive=True)


def fringe_integral(n: int, wave: Real) -> arb:
    """Z times the integral of e^{-i pi lambda x^T J x} h, exactly: c(2 pi lambda) + 1/2 + c(4 pi lambda)/2.

    c(u) = (1 + u^2)^(-n/2) is the mean of e^{-i u q.k} under g (thm-3.2.gaussian); x^T J x = 2 q.k.
    """
    u = 2 * arb.pi() * ball(wave)
    return _normal(n, u) + (1 + _normal(n, 2 * u)) / 2


def _normal(n: int, u: arb) -> arb:
    return (1 + u * u) ** (-ball(n) / 2)


def printed_bound(n: int, wave: Real, power: int = 2) -> arb:
    """An upper bound of Z times the right side of (77) at C = 1, for the density with fringes.

    Z sup h <= 2 (2 pi)^-n and Z sup |d_i d_j h| <= 4 (1 + pi lambda)^2 (2 pi)^-n (fringe_derivatives), for each of the
    n(2n+1) derivatives; `power` is that of 1/lambda before their sum.
    """
    lam, pi = ball(wave), arb.pi()
    derivatives = comb(2 * n + 1, 2) * 4 * (1 + pi * lam) ** 2
    return lam**-n * (2 * pi) ** -n * (2 + lam**-power * derivatives)


def fringe_derivatives() -> Iterator[Evidence]:
    """d_i d_j of g (1 + cos(2 pi lambda q.k)), n = 2, every kind of pair (i, j), and the bound of its size.

    With y = J x, each is g times (x_i x_j - delta_ij)(1 + cos) + 2 pi lambda ((x_i y_j + x_j y_i) sin - J_ij sin)
    - 4 pi^2 lambda^2 y_i y_j cos. As |x_i x_j| g <= r^2 e^{-r^2/2} (2 pi)^-n <= (2 pi)^-n for any two coordinates,
    the size is at most (2 pi)^-n (4 + 2 pi lambda (2 + 1) + 4 pi^2 lambda^2).
    """
    q, k, j = quadratic(2)
    x = q.col_join(k)
    y, u = j * x, 2 * sp.pi * WAVE * (q.T * k)[0]
    g = sp.exp(-(x.T * x)[0] / 2)
    step = 2 * sp.pi * WAVE
    for a, b in ((0, 0), (0, 1), (0, 2), (0, 3)):
        same = 1 if a == b else 0
        slope = step * ((x[a] * y[b] + x[b] * y[a]) - j[a, b]) * sp.sin(u)
        form = (x[a] * x[b] - same) * (1 + sp.cos(u)) + slope - step**2 * y[a] * y[b] * sp.cos(u)
        found = sp.diff(g * (1 + sp.cos(u)), x[a], x[b]) / g
        yield identity(
            sp.expand(found), sp.expand(form), f"derivative in coordinates {a}, {b} of (q0, q1, k0, k1)"
        )
    yield from small_product()
    size = 4 + 3 * step + step**2
    yield termwise("4 (1 + pi lambda)^2 less the sum of the sizes", 4 * (1 + sp.pi * WAVE) ** 2 - size)


def small_product() -> Iterator[Evidence]:
    """r^2 e^{-r^2/2} <= 1, with u = r^2/2: e^u >= 1 + u + u^2/2, which is 2u plus a square plus 1/2."""
    u = sp.Symbol("u", positive=True)
    taylor = 1 + u + u**2 / 2
    yield rises("e^u - (1 + u + u^2/2)", sp.exp(u) - taylor, u, 3)
    yield identity(taylor - 2 * u, ((1 - u) ** 2 + 1) / 2, "1 + u + u^2/2 - 2u is positive")


def constant_needed(n: int) -> Expr:
    """A lower bound of the C that (77) needs for the density with fringes: (1/2) over `printed_bound`."""
    derivatives = comb(2 * n + 1, 2) * 4 * (1 + sp.pi * WAVE) ** 2
    return WAVE**n * (2 * sp.pi) ** n / (2 * (2 + derivatives / WAVE**2))


def breaks(n: int, wave: Real, constant: Real) -> Evidence:
    """Does (77) hold for the density with fringes, with this C?"""
    return below(
        f"h = g(x)(1 + cos(2 pi lambda q.k))/Z, n = {n}, lambda = {wave}, C = {constant}: Z |int e^(-i pi "
        f"lambda xJx) h| "
        "against Z times the right side",
        fringe_integral(n, wave),
        ball(constant) * printed_bound(n, wave),
        strict=False,
    )


@claim(
    "eq-77",
    where="App. G, eq 77",
    kind="step",
    says=(
        r"|\int e^{-i\pi\lambda x_P^T J x_P} \rho dx_P| \le C\lambda^{-(1-\theta)D}(\sup|\rho| + \lambda^{-2}"
        r"\sum_{|a|=2}\sup|D^a\rho|), suprema over x_P, C universal, \rho Schwartz"
    ),
    uses=("thm-3.2.gaussian",),
    outline=(
        "rho = rho_A(x_A) h(x_P), h(x) = g(x)(1 + cos(2 pi lambda q.k))/Z, g standard normal on R^{2n}, 1 <= Z "
        "<= 2: a Schwartz density. The left side is rho_A (c(2 pi lambda) + 1/2 + c(4 pi lambda)/2)/Z >= "
        "rho_A/(2Z), the right side C rho_A lambda^-n K_n/Z, K_n = (2 pi)^-n (2 + 4n(2n+1)(1+pi)^2) for lambda "
        ">= 1: false once lambda^n > 2 C K_n. Also with a C that depends on D."
    ),
)
def eq_77() -> Iterator[Evidence]:
    sizes = [*fringe_derivatives(), *(grows(n) for n in (1, 2, 32))]
    waves = ((1, 10**9), (2, 10**5), (32, 100))
    yield from counterexample(sizes, *(breaks(n, wave, 10**6) for n, wave in waves))


def grows(n: int) -> Evidence:
    """The C that (77) needs is unbounded in lambda."""
    return limit(constant_needed(n), WAVE, sp.oo, sp.oo, f"n = {n}: the C that is needed, as lambda grows")


@attack("eq-77", domain="the smallest lambda, among powers of 2, at which C = 1 fails; n = 1, 2, 32")
def eq_77_attack() -> Iterator[Evidence]:
    for n in (1, 2, 32):
        first = next(i for i in range(40) if fringe_integral(n, 2**i) > printed_bound(n, 2**i))
        yield breaks(n, 2**first, 1)


CORRELATION = sp.Rational(1, 2)


def correlated_mean(r: Expr = CORRELATION) -> Expr:
    """E e^{-2 pi i s q k} for unit normal q, k with correlation r, a number in (-1, 1), by two integrals."""
    spread = 1 - r**2
    exponent = -(Q**2 - 2 * r * Q * K + K**2) / (2 * spread) - 2 * sp.pi * sp.I * S * Q * K
    inner, exponent = gaussian_integral(exponent, K)
    outer, exponent = gaussian_integral(exponent, Q)
    return inner * outer * sp.exp(exponent) / (2 * sp.pi * sp.sqrt(spread))


def next_order(power: int) -> Evidence:
    """s^power (s E/rho(0) - 1) as s grows, for the correlated law, against -(i/2 pi) d_q d_k rho(0)/rho(0)."""
    r = CORRELATION
    at_origin = 1 / (2 * sp.pi * sp.sqrt(1 - r**2))
    density = at_origin * sp.exp(-(Q**2 - 2 * r * Q * K + K**2) / (2 * (1 - r**2)))
    mixed = sp.diff(density, Q, K).subs({Q: 0, K: 0}) / at_origin
    return limit(
        S**power * (S * correlated_mean() / at_origin - 1),
        S,
        sp.oo,
        -sp.I * mixed / (2 * sp.pi),
        "next order",
    )


@repair(
    "eq-77",
    says=(
        r"n = (1-\theta)D: |\int e^{-i\pi\lambda x_P^T J x_P} \rho dx_P| \le \lambda^{-n} \int \sup_{q_P}|F_{x_A}"
        r"(q_P,\zeta)| d\zeta \le (\pi/2)^n \lambda^{-n} \sup_{x_P} \prod_j(1+k_j^2)|\prod_j(1-\partial_{k_j}^2)"
        r"\rho|; the constant 1 is best; for fixed \rho the next term is -(i/2\pi\lambda)\sum_j\partial_{q_j}"
        r"\partial_{k_j}\rho(x_A,0), so second derivatives come with \lambda^{-1}"
    ),
    uses=("thm-3.2.kernel", "thm-3.2.majorant"),
    outline=(
        "x_P^T J x_P = 2 q_P.k_P, so s = lambda in the kernel step. Best: for standard normal q_P, k_P "
        "lambda^n times the integral tends to (2 pi)^-n, which is the right side. Next term: normal law of "
        "correlation 1/2, exactly."
    ),
)
def eq_77_repaired() -> Iterator[Evidence]:
    yield form_everywhere(sp.Rational(1, 2))
    yield limit(S * one_pair(S), S, sp.oo, 1 / (2 * sp.pi), "lambda times the integral, one dimension")
    yield next_order(1)


@attack(
    "eq-77*", domain="correlated unit normal q, k, n = 1, r from -0.99 to 0.999, lambda from 1/1000 to 1000"
)
def eq_77_repaired_attack() -> Iterator[Evidence]:
    yield search("1/(2 pi lambda sqrt(1-r^2)) less |E|", _correlated_cases())


def _correlated_cases() -> Iterator[tuple[str, arb]]:
    """|E| = |(1 + 2 pi i lambda (r+1))(1 + 2 pi i lambda (r-1))|^(-1/2), and |F| = g(q) exp(-2 pi^2 (1-r^2) zeta^2)."""
    for r in ("-99/100", "0", "1/2", "999/1000"):
        for wave in ("1/1000", "1", "1000"):
            turn = 2 * arb.pi() * ball(wave)
            size = (1 + (turn * (ball(r) + 1)) ** 2) * (1 + (turn * (ball(r) - 1)) ** 2)
            bound = 1 / (turn * (1 - ball(r) ** 2).sqrt())
            yield f"r = {r}, lambda = {wave}", bound - 1 / size.sqrt().sqrt()
