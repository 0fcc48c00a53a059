"""Theorem 2.1 without its hypothesis: the exact limit points where the frequencies are related (base 10^4)."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import exact, search, short
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, practice
from proofs.rope_degrees import Power


@claim(
    "thm-2.1.reach",
    where="Sec. 2.2, Theorem 2.1",
    kind="theorem",
    says=(
        r"base 10^4, D a multiple of 8, radians, \nu_0 = 0 < \mu_0: the limit points are exactly "
        r"[-0.96779..., 1]\mu_0 for every such D; so without its hypothesis the conclusion of Theorem 2.1 "
        r"is false: \gamma = -\mu_0 stays 0.032\mu_0 away however large D is"
    ),
    uses=("thm-2.1.orbit", "thm-2.1.degree"),
    outline=(
        "theta_{d+D/8} = theta_d/10: the pairs fall into D/8 chains y, 10y, 100y, 1000y and the chains' "
        "angles are free, so the mean over pairs takes exactly the values of (1/4) sum_{k<4} cos(2 pi 10^k "
        "y). Its least value is certified over the whole circle."
    ),
)
def reach() -> Iterator[Evidence]:
    for head_dim in (64, 128, 256):
        power = Power(10_000, head_dim)
        yield exact(
            f"(c, K) at D = {head_dim}",
            (power.ratio, power.chain) == (10, 4),
            (power.ratio, power.chain),
            (10, 4),
        )
    low, high = Power(10_000, 128).reach(mu=1, nu=0, turns=False)
    yield below("least limit point lies above -0.9678", "-0.9678", low)
    yield below("and below -0.9677", low, "-0.9677")
    yield below("greatest limit point is 1, to", abs(high - 1), "1e-6")


@attack("thm-2.1.reach", domain="D = 64, 128: 4000 distances up to 10^12, spread without structure, radians")
def reach_attack() -> Iterator[Evidence]:
    for head_dim in (64, 128):
        sums = RopeSums.of(head_dim, base=10_000, turns=False)
        distances = ((i * 2654435761 + 12345) % 10**12 + 1 for i in range(2000))
        yield search(
            f"D = {head_dim}: 2 C_D above -0.9678",
            ((f"lambda = {lam}", 2 * sums.cos(lam) + ball("0.9678")) for lam in distances),
        )


@practice("thm-2.1.reach")
def reach_practice() -> Iterator[dict[str, object]]:
    """Rows: least and greatest limit point for (mu_0, nu_0) = (1, 0) and (0, 1), where a chain is longer than 1."""
    for base, head_dim in ((10_000, 64), (10_000, 128), (100_000, 80), (1_000_000, 128), (1_000_000, 96)):
        power = Power(base, head_dim)
        for mu, nu in ((1, 0), (0, 1)):
            ends = power.reach(mu, nu, turns=False)
            yield {
                "base": base,
                "head_dim": head_dim,
                "c": power.ratio,
                "K": power.chain,
                "mu_0": mu,
                "nu_0": nu,
                "least, radians": short(ends[0], 6),
                "greatest, radians": short(ends[1], 6),
            }
