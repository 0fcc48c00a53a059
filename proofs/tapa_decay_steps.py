"""Appendix G as printed, eqs 78 to 81: from the suprema to the bound, and the proof that is put together from them."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import exact, search
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import LONGEST, N, cosine_mean, counterexample
from proofs.integrals import integrate
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_g import LAG, POWER, form_everywhere
from proofs.rope_tools import termwise
from proofs.subdivision import maximum


def monomials(size: int, power: int) -> Evidence:
    """prod_i (1 + x_i^2)^power is a finite sum of (power+1)^size monomials with positive coefficients."""
    x = sp.symbols(f"x0:{size}", real=True)
    poly = sp.Poly(sp.prod([(1 + v**2) ** power for v in x]), *x)
    terms, positive = len(poly.terms()), all(c > 0 for c in poly.coeffs())
    return exact(
        f"terms of the weight in {size} variables",
        positive and terms == (power + 1) ** size,
        terms,
        "(p+1)^size",
    )


@claim(
    "eq-78",
    where="App. G, eq 78",
    kind="step",
    says=(
        r"\rho Schwartz on R^{2D}: \sup_{x_P}|\rho(x_A,x_P)| and \sup_{x_P}|D^a\rho(x_A,x_P)| decay faster than any "
        r"power of |x_A|"
    ),
    assumes=("rho Schwartz",),
    outline=(
        "|x_A^b| sup_{x_P}|D^a rho| <= sup_x |x_A^b D^a rho(x)|, a seminorm, for every b: a supremum over a slice is "
        "no more than over all. So prod(1+x_i^2)^p sup_{x_P}|D^a rho| is bounded by a finite sum of seminorms."
    ),
)
def eq_78() -> Iterator[Evidence]:
    for size in (1, 2, 3):
        yield monomials(size, 2)


@attack(
    "eq-78", domain="a normal law whose x_P narrows like (1+x_A^2)^-5 as x_A grows: sup over x_P times x_A^20"
)
def eq_78_attack() -> Iterator[Evidence]:
    top = maximum(lambda x: x**20 * (1 + x * x) ** 5 * (-x * x / 2).exp(), None, 0, 40, tol="1e15")
    yield below("x_A^20 sup_{x_P} rho, up to (2 pi)^-1, on 0 <= x_A <= 40", top, "1e30")


@claim(
    "eq-79",
    where="App. G, eq 79",
    kind="step",
    says=(
        r"\Phi_\lambda(x_A) = (x_A^T J x_A/\sqrt{\theta D})(\sup|\rho| + \lambda^{-2}\sum\sup|D^a\rho|) is integrable"
    ),
    assumes=("rho Schwartz", "lambda > 0"),
    uses=("eq-78", "thm-3.2.weights"),
    outline=(
        "|x_A^T J x_A| = 2|q_A.k_A| <= prod(1+x_i^2); with weights of power 2 the rest is integrable, sum pi^{2a}."
    ),
)
def eq_79() -> Iterator[Evidence]:
    yield form_everywhere(sp.Rational(1, 2))
    yield monomials(2, 2)


@attack(
    "eq-79",
    domain="x_P narrowing like (1+x_A^2)^-5, a = 1: x_A^2 sup_{x_P} |D^2 rho| ~ x_A^2 (1+x_A^2)^15 g(x_A)",
)
def eq_79_attack() -> Iterator[Evidence]:
    total = integrate(lambda x, _a: x * x * (1 + x * x) ** 15 * (-x * x / 2).exp(), -40, 40)
    yield below("integral over |x_A| <= 40, up to a constant", total, "1e30")


def least_wave(factor: Expr) -> Evidence:
    """(2 d^alpha/sqrt(n))^2 - factor/D at d = 1, D = n + a: positive by its form. For d > 1 the power only grows."""
    n, a = sp.symbols("n a", positive=True)
    return termwise("lambda^2 - 4/D at |m-n| = 1, D = n + a", 4 / n - factor / (n + a))


@claim(
    "eq-80",
    where="App. G, eq 80 and before",
    kind="step",
    says=r"for m \ne n, \lambda \ge C(D) > 0, so |\int \Phi_\lambda dx_A| \le C(\rho,D) for all such \lambda",
    assumes=("rho Schwartz", "alpha >= 0"),
    uses=("eq-79",),
    outline=(
        "lambda = 2|m-n|^alpha/sqrt((1-theta)D) >= 2/sqrt(D), as |m-n| >= 1; so |Phi_lambda| <= the integrable "
        "function with D/4 in place of lambda^-2. True, but the integral of Phi may be 0 while E Attn is "
        "not: thm-3.2.printed."
    ),
)
def eq_80() -> Iterator[Evidence]:
    yield least_wave(sp.Integer(4))
    v = sp.Symbol("v", positive=True)
    slope = sp.diff((1 + v) ** POWER, v)
    yield exact("|m-n|^alpha grows with |m-n| = 1 + v", slope.is_positive, slope, "> 0")


@repair(
    "eq-80",
    says=r"\int |\Phi_\lambda| dx_A \le C(\rho,D) for all m \ne n: uniformly bounded in L^1, as the text says",
    assumes=("rho Schwartz", "alpha >= 0"),
    uses=("eq-79",),
    outline="The absolute value belongs inside; the same majorant.",
)
def eq_80_repaired() -> Iterator[Evidence]:
    yield least_wave(sp.Integer(4))


@attack("eq-80", domain="every split of D = 2..64 at |m-n| = 1 and alpha = 0: lambda^2 against 4/D")
def eq_80_attack() -> Iterator[Evidence]:
    cases = (
        (f"D = {head}, n = {n}", ball(4) / n - ball(4) / head)
        for head in range(2, 65)
        for n in range(1, head)
    )
    yield search("lambda^2 - 4/D", cases)


SHIFT = sp.Symbol("c", positive=True)


def two_bumps(shift: Expr = SHIFT) -> Iterator[Evidence]:
    """A Schwartz density, D = 2, even under (q_A, k_A, q_P, k_P) -> (-q_A, k_A, c - q_P, k_P), with E Attn != 0.

    Half the mass is normal around (1, 1, 0, 0), half around (-1, 1, c, 0). By the symmetry all suprema over x_P
    are even in q_A, so Phi is odd in q_A and its integral is 0.
    """
    qa, ka, qp, _ = variables = sp.symbols("q_A k_A q_P k_P", real=True)

    def bump(*centre: Expr) -> Expr:
        return sp.exp(-sum((x - c) ** 2 for x, c in zip(variables, centre, strict=True)) / 2)

    density = bump(1, 1, 0, 0) + bump(-1, 1, shift, 0)
    mirrored = density.subs({qa: -qa, qp: shift - qp}, simultaneous=True)
    yield identity(mirrored, density, "the density is its own mirror image")
    yield identity(
        (2 * qa * ka).subs(qa, -qa), -2 * qa * ka, "x_A^T J x_A is odd in q_A: the integral of Phi is 0"
    )


def two_bumps_mean(lag: int, shift: int) -> arb:
    """E Attn of the two bumps, alpha = 1: (1 - exp(-t^2 c^2/(2(1+t^2))))/(2 sqrt(1+t^2)), t = 2 pi |m-n|."""
    square = (2 * arb.pi() * lag) ** 2
    return cosine_mean(1, lag, 1) * (1 - (-square * shift**2 / (2 * (1 + square))).exp()) / 2


@claim(
    "thm-3.2.printed",
    where="App. G, before eq 81",
    kind="step",
    says=r"combining (75), (77) and (80): |E Attn| \le C\lambda^{-(1-\theta)D}|\int \Phi_\lambda dx_A|",
    uses=("eq-75", "eq-76", "eq-77", "eq-80"),
    outline="(80) has the absolute value outside: two mirrored bumps have int Phi = 0 and E Attn > 0.",
)
def printed_proof() -> Iterator[Evidence]:
    what = "normal around (1,1,0,0) and (-1,1,1,0), half each, D = 2, alpha = |m-n| = 1: E Attn, where the bound is 0"
    yield from counterexample(two_bumps(), below(what, two_bumps_mean(1, 1), 0, strict=False))


@repair(
    "thm-3.2.printed",
    says=(
        r"combining (75) and (77) as repaired: |E Attn| \le (\lambda^{-n}/\sqrt{\theta D}) \int |q_A.k_A| \int "
        r"\sup_{q_P}|F| d\zeta dx_A < \infty, \lambda = |m-n|^\alpha/\sqrt n"
    ),
    assumes=("rho Schwartz",),
    uses=("eq-75*", "eq-75.lambda*", "eq-76", "eq-77*", "thm-3.2.weights"),
    outline="The same three steps with their repairs.",
)
def printed_proof_repaired() -> Iterator[Evidence]:
    yield identity((LAG**POWER / sp.sqrt(N)) ** -N, N ** (N / 2) * LAG ** (-POWER * N), "lambda^-n in tokens")


@attack(
    "thm-3.2.printed*", domain="two bumps, c = 1 and 10, distances 1 to 2^20, alpha = 1: |E Attn| against K/s"
)
def printed_proof_attack() -> Iterator[Evidence]:
    yield search("K/s less |E Attn|", _bump_cases())


def _bump_cases() -> Iterator[tuple[str, arb]]:
    """The bumps' own bounds add up to E|q_A k_A|/(2 pi s) with E|q_A k_A| >= 1; here 1 stands for it."""
    for shift in (1, 10):
        for lag in (1, 100, LONGEST):
            yield f"c = {shift}, |m-n| = {lag}", 1 / (2 * arb.pi() * lag) - abs(two_bumps_mean(lag, shift))


@claim(
    "eq-81",
    where="App. G, eq 81",
    kind="equation",
    says=r"|E Attn| \le C(\rho,D)\lambda^{-(1-\theta)D} = C'(\rho,D)|m-n|^{-\alpha(1-\theta)D}",
    assumes=("the hypotheses of Theorem 3.2",),
    uses=("thm-3.2",),
    outline="True by thm-3.2, not by the printed combination; C' = C (sqrt(n)/2)^n with lambda as printed.",
)
def eq_81() -> Iterator[Evidence]:
    yield constants(sp.Integer(2))


def constants(factor: Expr) -> Evidence:
    """lambda^-n against (sqrt(n)/2)^n d^(-alpha n), lambda = factor d^alpha/sqrt(n)."""
    left = (factor * LAG**POWER / sp.sqrt(N)) ** -N
    return identity(left, (sp.sqrt(N) / 2) ** N * LAG ** (-POWER * N), "C lambda^-n = C' |m-n|^(-alpha n)")


@attack(
    "eq-81", domain="normal laws, n = 1, 2, 128, distances 1 to 2^20: E cos lambda^n bounded, printed lambda"
)
def eq_81_attack() -> Iterator[Evidence]:
    cases = (
        (f"n = {n}, distance {lag}", 1 - cosine_mean(n, lag) * (arb.pi() * _wave(n, lag)) ** n)
        for n in (1, 2, 128)
        for lag in (1, 100, LONGEST)
    )
    yield search("1 - (pi lambda)^n E cos", cases)


def _wave(n: int, lag: int) -> arb:
    """lambda as printed: pi lambda = t of the normal law."""
    return 2 * ball(lag) ** ball("1/10") / ball(n).sqrt()
