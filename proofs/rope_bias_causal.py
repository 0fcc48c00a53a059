"""Theorem 2.2 where keys come before their query, lambda, Lambda > 0: there the sign of nu_0 mu_0 decides.

Over distances of both signs it does not matter: (lambda, nu_0) and (-lambda, -nu_0) have the same score.
"""

from __future__ import annotations

from collections.abc import Iterator

from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import BASES, scale, search, short
from proofs.ledger import attack, claim, practice
from proofs.rope_bias_limit import EDGE, RADIANS, TURNS, Convention, limit_gap


def far_edge(convention: Convention) -> arb:
    """Bound of |Si(c Lambda) - pi/2| for Lambda > b > 4096 (lem-ci)."""
    return 1 / (scale(convention.turns) * EDGE)


def near_edge(convention: Convention) -> arb:
    """Bound of Si(c lambda/b) <= c lambda/b on the near range: lambda/b < b^(-3/4)/8 < 1/4096."""
    return scale(convention.turns) / EDGE


def least_sine(convention: Convention) -> arb:
    """Lower bound of 2L lim (S(lambda) - S(Lambda)): low - near_edge near, at most pi/2 - low + far_edge far."""
    low = ball(convention.low)
    return 2 * low - near_edge(convention) - arb.pi() / 2 - far_edge(convention)


def greatest_sine(convention: Convention) -> arb:
    """Upper bound of the same: high near, at least pi/2 - high - far_edge far."""
    return 2 * ball(convention.high) - arb.pi() / 2 + far_edge(convention)


def cost(convention: Convention, ratio: Real) -> arb:
    """x of the bound 3/8 - x/L for nu_0/mu_0 = ratio: the sines help where it is positive."""
    rho = ball(ratio)
    sines = greatest_sine(convention) * -rho if rho < 0 else -least_sine(convention) * rho
    return convention.cosine_cost() + sines / 2


@claim(
    "thm-2.2.causal",
    where="Sec. 2.2, Theorem 2.2",
    kind="lemma",
    says=(
        r"base > 4096, \mu_0 \ne 0, \rho = \nu_0/\mu_0, 1 < \lambda < b^{1/4}/8, \Lambda > b (keys before the "
        r"query): if \rho \ge 0, \lim_D sgn(\mu_0)\Delta \ge |\mu_0|(3/8 + (0.63\rho - 0.2575)/L) in turns, "
        r"|\mu_0|(3/8 + (0.16\rho + 0.552)/L) in radians, above |\mu_0|/8 at every such base, without a threshold; "
        r"if \rho < 0, \ge |\mu_0|(3/8 - (0.2575 + 0.8895|\rho|)/L) in turns, |\mu_0|(3/8 + (0.552 - "
        r"1.0668|\rho|)/L) in radians, so (7) holds in the limit for L > 1.03 + 3.56|\rho|, L > 4.27|\rho| - 2.2"
    ),
    uses=("thm-2.2.limit", "thm-2.2.ci", "lem-ci"),
    outline=(
        "The cosines as in thm-2.2.limit. Near, low - c/4096 < Si(c lambda) - Si(c lambda/b) < high, since 0 < "
        "Si(c lambda/b) <= c lambda/b < c/4096; far, Si(c Lambda) - Si(c Lambda/b) is within 1/(4096c) of pi/2 - "
        "Si(c Lambda/b), between pi/2 - high and pi/2 - low. Their difference is positive: it helps where rho > 0."
    ),
)
def causal() -> Iterator[Evidence]:
    for convention, rise, fall in ((TURNS, "0.63", "0.8895"), (RADIANS, "0.16", "1.0668")):
        yield from sine_costs(convention, rise, fall)
    for convention, offset, slope in ((TURNS, "1.03", "3.56"), (RADIANS, "-2.2", "4.27")):
        unit = "turns" if convention.turns else "radians"
        yield below(f"{unit}: 4 a, the offset of the threshold", 4 * convention.cosine_cost(), offset)
        yield below(f"{unit}: 2 greatest sine, its slope", 2 * greatest_sine(convention), slope)
        yield below(
            f"{unit}, rho >= 0: 4 a < ln 4096, so no threshold", 4 * cost(convention, 0), ball(EDGE).log()
        )


def sine_costs(convention: Convention, rise: str, fall: str) -> Iterator[Evidence]:
    """Half the least and half the greatest difference of the sines against `rise` and `fall`."""
    unit = "turns" if convention.turns else "radians"
    yield below(f"{unit}: half the least difference of the sines", rise, least_sine(convention) / 2)
    yield below(f"{unit}: half the greatest difference of the sines", greatest_sine(convention) / 2, fall)


@attack(
    "thm-2.2.causal",
    domain=(
        "bases 4097 to 1e60, lambda = 1+, 3/2, 7/4 and the near end, Lambda = 1+, 3/2, 7/4, 5/2, 1000 times b, "
        "nu_0/mu_0 = -20, -1, 0, 1, 20, both conventions"
    ),
)
def causal_attack() -> Iterator[Evidence]:
    for convention in (TURNS, RADIANS):
        yield search("limit gap less its bound", _cases(convention))


def _cases(convention: Convention) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65_537, 500_000, 4 * 10**9, 10**28, 10**60):
        log_base, end = ball(base).log(), ball(base) ** (ball(1) / 4) / 8
        nears = [ball(x) for x in ("1.0001", "3/2", "7/4") if ball(x) < end] + [end * ball("9999/10000")]
        for near in (x for x in nears if x > 1):
            for far in ("10001/10000", "3/2", "7/4", "5/2", "1000"):
                for ratio in (-20, -1, 0, 1, 20):
                    gap = limit_gap(base, near, base * ball(far), ratio, convention.turns)
                    floor = ball("3/8") - cost(convention, ratio) / log_base
                    yield f"base {base}, near {float(near):.5g}, far {far} b, nu/mu {ratio}", gap - floor


@practice("thm-2.2.causal")
def causal_practice() -> Iterator[dict[str, object]]:
    """Rows: how negative nu_0/mu_0 may be at real bases for (7) to hold in the limit, causal and over both signs."""
    for base in BASES:
        for convention in (TURNS, RADIANS):
            room = ball(base).log() / 4 - convention.cosine_cost()
            yield {
                "base": base,
                "angle": "turns" if convention.turns else "radians",
                "rho >= 0: gap as D -> oo at least, rho = 0": short(
                    ball("3/8") - cost(convention, 0) / ball(base).log()
                ),
                "rho < 0: (7) proved in the limit down to rho =": short(
                    -2 * room / greatest_sine(convention)
                ),
                "both signs of the distances: proved for |rho| up to": short(room / convention.sine_cost()),
            }
