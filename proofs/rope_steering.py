"""Theorem 2.1, the end of the printed proof: steering the angles to one value (eqs 22 and 23)."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below, text
from proofs.checks import exact, identity, search
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_b import from_integer, orbit


@claim(
    "eq-22",
    where="App. B, eq 22",
    kind="step",
    says=(
        r"for every \epsilon some \lambda_\epsilon brings ((\lambda\theta_1),...,(\lambda\theta_{D/2-1})) within "
        r"\epsilon of (\beta,...,\beta)"
    ),
    outline=(
        "D = 4, theta_0 = 1/4: the orbit is {0, 1/2}. As gamma runs over [-r, r], beta runs over half a circle, "
        "which contains 1/4 or 3/4, at distance 1/4 from the orbit. Distances must be taken mod 1."
    ),
)
def eq_22() -> Iterator[Evidence]:
    points = orbit(sp.Rational(1, 4) ** sp.Rational(1, 2), 100)
    distance = min(abs(sp.Rational(1, 4) - x) for x in points)
    yield exact(
        "D = 4, theta_0 = 1/4, beta = 1/4: distance to the whole orbit",
        distance == 0,
        distance,
        "arbitrarily small",
    )


@repair(
    "eq-22",
    says=r"true, distances mod 1, when 1, \theta_1, ..., \theta_{D/2-1} are independent over Q",
    uses=("thm-2.1.weyl*",),
    outline="A uniformly distributed sequence is dense.",
)
def eq_22_repaired() -> Iterator[Evidence]:
    share = sp.Symbol("eps", positive=True)
    volume = (2 * share) ** sp.Symbol("n", positive=True)
    yield exact(
        "the box of side 2 eps about (beta, ..., beta) has positive volume, hence a positive share of the orbit",
        bool(volume.is_positive),
        volume,
        "> 0",
    )


@attack("eq-22", domain="D = 6, theta_0 = sqrt(5)-2: every beta with 2 beta no integer")
def eq_22_attack() -> Iterator[Evidence]:
    yield exact(
        "x + y is an integer on the whole orbit; at beta = 1/4 it would be",
        False,
        sp.Rational(1, 2),
        "an integer",
    )


def printed_sum(lam: int, head_dim: int, inverse_base: str, turns: bool) -> arb:
    """(2/D) sum_d sin(lambda theta_d), with or without the factor 2 pi that (23) lost; phi = 0."""
    unit = 2 * arb.pi() if turns else arb(1)
    theta = ball(inverse_base)
    total = sum(
        ((unit * lam * theta ** (ball(2 * d) / head_dim)).sin() for d in range(head_dim // 2)), arb(0)
    )
    return 2 * total / head_dim


def eq_23_example(turns: bool) -> Iterator[Evidence]:
    """D = 8, theta_0 = 1/2, mu = 0, nu = gamma = 1 (phi = 0, beta = 1/4) at lambda = 19822."""
    lam, tolerance = 19822, ball("21/1000")
    for d in (1, 2, 3):
        x = lam * (ball(1) / 2) ** (ball(2 * d) / 8)
        yield below(
            f"distance of lambda theta_{d} = {text(x, 9)} to 1/4 mod 1",
            from_integer(x - ball("1/4")),
            tolerance,
        )
    # correct form: pairs within 0.021 of the target lose at most 1 - cos(2 pi 0.021); pair 0 loses at most 2
    budget = 1 - (2 * arb.pi() * tolerance).cos() + ball(2) * 2 / 8
    error = abs(printed_sum(lam, 8, "1/2", turns) - 1)
    yield below(f"|(2/D) sum_d sin({'2 pi ' if turns else ''}lambda theta_d + phi) - gamma/r|", error, budget)


@claim(
    "eq-23",
    where="App. B, eq 23",
    kind="step",
    says=(
        r"near (22), |(2/D)\sum_d\sin(\lambda_\epsilon\theta^{2d/D}+\phi) - \gamma/r| < \epsilon + O(1/D) (theta "
        r"read as theta_0)"
    ),
    uses=("thm-2.1.weyl*",),
    outline=(
        "2 pi is missing. D = 8, theta_0 = 1/2, mu_0 = 0, nu_0 = gamma = 1: lambda = 19822 has all three lambda "
        "theta_d within 0.021 of beta = 1/4 mod 1, and the printed sum is -0.93. Nor does any constant in O(1/D) "
        "help: for theta_0 = 1/p, p prime, the numbers 1, theta_d and theta_d/(2 pi), d >= 1, are independent (pi is "
        "transcendental), so some lambda meets (22) with all lambda theta_d + phi near -pi/2 mod 2 pi, error 2."
    ),
)
def eq_23() -> Iterator[Evidence]:
    yield from eq_23_example(turns=False)
    yield opposite()


def opposite(value: int = -1) -> Evidence:
    """gamma = r: the printed sum where all pairs d >= 1 are at `value`, pair 0 at its best; error as D grows."""
    dim = sp.Symbol("D", positive=True)
    error = 1 - 2 / dim * (1 + (dim / 2 - 1) * value)
    found = sp.limit(error, dim, sp.oo)
    what = "theta_0 = 1/p, p prime, gamma = r: error as D -> oo where lambda meets (22)"
    return exact(what, bool(found <= 0), found, "0, as epsilon + O(1/D) demands")


@repair(
    "eq-23",
    says=(
        r"near (22), |(2/D)\sum_d\sin(2\pi\lambda_\epsilon\theta_d+\phi) - \gamma/r| \le \epsilon' + 4/D, "
        r"\epsilon' \to 0 with the distance in (22)"
    ),
    outline=(
        "sin is 1-Lipschitz: D/2-1 pairs lose at most 2 pi eps each; pair 0 is left at sin(phi) and loses at most "
        "2."
    ),
)
def eq_23_repaired() -> Iterator[Evidence]:
    dim, eps = sp.symbols("D epsilon", positive=True)
    lost = sp.Rational(2) / dim * ((dim / 2 - 1) * 2 * sp.pi * eps + 2)
    yield identity("limit of the total loss as eps -> 0", sp.limit(lost, eps, 0), 4 / dim)


@attack("eq-23", domain="gamma = r at the same lambda; the printed 'theta' read literally, theta_0 = 1/2")
def eq_23_attack() -> Iterator[Evidence]:
    yield below(
        "printed sum at lambda = 19822 against 1 - 0.51", ball("49/100"), printed_sum(19822, 8, "1/2", False)
    )


@attack("eq-23*", domain="D = 8, theta_0 = 1/2, lambda = 19822")
def eq_23_repaired_attack() -> Iterator[Evidence]:
    margin = ball("4/8") + 2 * arb.pi() * ball("21/1000") - abs(printed_sum(19822, 8, "1/2", True) - 1)
    yield search("4/D + 2 pi eps less the error", [("lambda = 19822", margin)])
