"""The split of the score into its mean and its random part: eqs 17 and 18 (Appendix A)."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from analysis.evidence import Evidence
from proofs.checks import exact, identity, tried
from proofs.ledger import attack, claim, practice, repair

MU, NU = sp.symbols("mu nu", real=True)
THETA = sp.Symbol("theta0", positive=True)
LAM = sp.Symbol("lambda", real=True)


def terms(head_dim: int, last: int) -> tuple[sp.Expr, sp.Expr]:
    """Both sides of (17) times D for one D, the random sums running over d = 0..last; A_d, B_d symbols for every d."""
    a, b = (sp.symbols(f"{name}0:{head_dim}", real=True) for name in "AB")

    def wave(d: int) -> tuple[sp.Expr, sp.Expr]:
        angle = 2 * sp.pi * LAM * THETA ** sp.Rational(2 * d, head_dim)
        return sp.cos(angle), sp.sin(angle)

    pairs = range(head_dim // 2)
    left = sp.Add(*(a[d] * wave(d)[0] + b[d] * wave(d)[1] for d in pairs))
    mean = sp.Add(*(MU * wave(d)[0] + NU * wave(d)[1] for d in pairs))
    random = sp.Add(*((a[d] - MU) * wave(d)[0] + (b[d] - NU) * wave(d)[1] for d in range(last + 1)))
    return left, mean + random


def decomposition(head_dim: int, last: int) -> Evidence:
    """(17) for one D with the random sums up to `last`: every cosine and sine must cancel."""
    left, right = terms(head_dim, last)
    gap = sp.expand(left - right)
    return exact(
        f"(17) times D, D = {head_dim}, random sums over d = 0..{last}", gap == 0, f"difference {gap}", "0"
    )


def single_pair() -> Evidence:
    """One d of (17), for every A, B, mu, nu and angle: the sum over d = 0..D/2-1 is D/2 copies of this."""
    a, b, x = sp.symbols("A B x", real=True)
    mean = MU * sp.cos(x) + NU * sp.sin(x)
    random = (a - MU) * sp.cos(x) + (b - NU) * sp.sin(x)
    return identity("A cos + B sin = mean + random, one pair", a * sp.cos(x) + b * sp.sin(x), mean + random)


@claim(
    "eq-17",
    where="App. A, eq 17",
    kind="equation",
    says=r"Attn/\sqrt D = \Gamma_\lambda + Z_\lambda, the sums of Z_\lambda over d = 0..D/2; E Z_\lambda = 0",
    outline=(
        "The sums of Z run one term too far: q and k have no coordinates D, D+1, and whatever value "
        "A_{D/2} is given, the sides differ by (A_{D/2} - mu_0) cos(2 pi lambda theta_0) + (B_{D/2} - "
        "nu_0) sin(...), over D."
    ),
)
def eq_17() -> Iterator[Evidence]:
    yield decomposition(2, 1)


@repair(
    "eq-17",
    says=r"the same with both sums of Z_\lambda over d = 0..D/2-1; then E Z_\lambda = 0 under Assumption 2.1",
    outline="Pair by pair; expectation is linear and E A_d - mu_0 = E B_d - nu_0 = 0.",
)
def eq_17_repaired() -> Iterator[Evidence]:
    yield single_pair()
    for head_dim in (2, 4, 8):
        yield decomposition(head_dim, head_dim // 2 - 1)


@attack("eq-17", domain="D = 2, 4, 8, the printed range of d and one term fewer")
def eq_17_attack() -> Iterator[Evidence]:
    for head_dim in (4, 8):
        yield decomposition(head_dim, head_dim // 2)


@attack("eq-17*", domain="D = 2, 4, 8: a range one term too short must fail")
def eq_17_repaired_attack() -> Iterator[Evidence]:
    for head_dim in (2, 4, 8):
        left, right = terms(head_dim, head_dim // 2 - 2)
        yield tried(
            f"D = {head_dim}: d = 0..D/2-2 leaves a term over", sp.expand(left - right) != 0, "differs", "0"
        )


def gap_against_delta(sign_mu: int, prefactor: bool) -> Evidence:
    """LHS of (7) against Delta for mu_0 of one sign; `prefactor` keeps the sgn(mu_0) that (7) has."""
    near, far = sp.symbols("Gamma_lambda Gamma_Lambda", real=True)
    left = sign_mu * (near - far)
    right = (sign_mu if prefactor else 1) * (near - far)
    return identity(f"LHS of (7) with sgn(mu_0) = {sign_mu}", left, right)


@claim(
    "eq-18",
    where="App. A, eq 18",
    kind="equation",
    says=r"LHS of (7) is precisely \Gamma_\lambda - \Gamma_\Lambda =: \Delta_{\lambda,\Lambda}",
    outline="The left side of (7) carries sgn(mu_0): for mu_0 = -1 it is -Delta, for mu_0 = 0 it is 0.",
)
def eq_18() -> Iterator[Evidence]:
    yield gap_against_delta(1, prefactor=False)
    yield gap_against_delta(-1, prefactor=False)


@repair(
    "eq-18",
    says=r"LHS of (7) is sgn(\mu_0)\Delta_{\lambda,\Lambda}",
    uses=("eq-17*",),
    outline="E Z = 0 leaves E Attn/sqrt(D) = Gamma.",
)
def eq_18_repaired() -> Iterator[Evidence]:
    for sign_mu in (1, 0, -1):
        yield gap_against_delta(sign_mu, prefactor=True)


@attack("eq-18", domain="mu_0 = 0")
def eq_18_attack() -> Iterator[Evidence]:
    yield gap_against_delta(0, prefactor=False)


@attack(
    "eq-18*", domain="the printed scale: does 1/sqrt(D) in (7) times 1/sqrt(D) in (3) give the 1/D of Gamma?"
)
def eq_18_repaired_attack() -> Iterator[Evidence]:
    dim = sp.Symbol("D", positive=True)
    product = sp.simplify(1 / sp.sqrt(dim) / sp.sqrt(dim))
    yield tried("1/sqrt(D) * 1/sqrt(D)", sp.simplify(product - 1 / dim) == 0, product, "1/D")


@practice("eq-17")
def eq_17_practice() -> Iterator[dict[str, object]]:
    for head_dim in (64, 128, 256):
        yield {
            "head_dim": head_dim,
            "pairs": head_dim // 2,
            "terms in the printed sums of Z": head_dim // 2 + 1,
        }
