"""Theorem 2.1 itself: which values the expected score comes near at integer distances.

The printed proof needs more than the hypothesis gives; the statement holds all the same, because independence of the
theta_d leaves at most one integer relation with 1, and one relation costs at most one pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import BASES, HEAD_DIMS, LONGEST, exact, identity, search, short, tried
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, practice
from proofs.rope_degrees import Power

MU, NU, GAMMA, V = sp.symbols("mu nu gamma v", real=True)
DIM, R = sp.symbols("D r", positive=True)


def steering_error(lost: int) -> sp.Expr:
    """(2/D)(mu + v + (D/2 - lost) gamma) - gamma: pair 0 at mu, one more pair at v if `lost` = 2, the rest at gamma."""
    other = V if lost == 2 else sp.Integer(0)
    return 2 / DIM * (MU + other + (DIM / 2 - lost) * GAMMA) - GAMMA


def uniform_constant(constant: sp.Expr) -> Iterator[Evidence]:
    """Is |error| <= constant/D for all |mu|, |v|, |gamma| <= r? The error is linear, so its corners decide."""
    error = sp.expand(steering_error(2) * DIM)
    yield identity("D times the error", error, 2 * (MU + V - 2 * GAMMA))
    corners = [
        error.subs({MU: a * R, V: b * R, GAMMA: c * R}) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)
    ]
    worst = max(sp.simplify(abs(corner) / R) for corner in corners)
    yield exact("largest |D * error| / r over the corners", bool(worst <= constant), worst, f"<= {constant}")


@claim(
    "thm-2.1",
    where="Sec. 2.2, Theorem 2.1",
    kind="theorem",
    says=(
        r"Assumption 2.1, \theta_1..\theta_{D/2-1} independent over Q: every \gamma \in [-r, r], r = "
        r"\sqrt{\mu_0^2+\nu_0^2}, is within O(1/D) of a limit point of (2/\sqrt D) E Attn over (m_k, n_k); "
        r"read with one constant for all D, \theta_0, \gamma: limsup \le 8r/D"
    ),
    assumes=("Assumption 2.1", "theta_1..theta_{D/2-1} independent over Q", "m, n integers"),
    uses=("eq-21*", "thm-2.1.orbit", "thm-2.1.rank"),
    outline=(
        "Not the printed proof. At integer distance pair 0 contributes mu_0. Steer all pairs but 0 and the "
        "one that rank 1 may take away to gamma; the error is 2|mu_0 + v - 2 gamma|/D <= 8r/D, |v| <= r. "
        "For D <= 8 the bound exceeds 2r and says nothing."
    ),
)
def theorem() -> Iterator[Evidence]:
    yield from uniform_constant(sp.Integer(8))


@attack(
    "thm-2.1",
    domain=(
        "the smallest cases where the printed proof fails: D = 4, theta_0 = 1/c^2; D = 6, theta_0 = sqrt(5)-2"
    ),
)
def theorem_attack() -> Iterator[Evidence]:
    for c in (2, 3, 10):
        worst = _worst_target([(1 + sp.cos(2 * sp.pi * lam / c)) / 2 for lam in range(c)])
        yield tried(
            f"D = 4, theta_0 = 1/{c}^2, nu_0 = 0: largest distance of a gamma",
            bool(worst <= 2),
            sp.N(worst, 6),
            "<= 8/4",
        )
    yield search(
        "D = 6, theta_0 = sqrt(5)-2, gamma = -1: 8/6 less the error at 300 distances", _golden_cases()
    )


def _worst_target(values: list[sp.Expr]) -> sp.Expr:
    """Largest distance of a gamma in [-1, 1] to a finite set of values, from its gaps and ends."""
    ordered = sorted(values, key=float)
    gaps = [(high - low) / 2 for low, high in pairwise(ordered)]
    return max([ordered[0] + 1, 1 - ordered[-1], *gaps], key=float)


def _golden_cases() -> Iterator[tuple[str, arb]]:
    sums = RopeSums.of(6, inverse_base=ball(5).sqrt() - 2)
    best = min((2 * sums.cos(lam) for lam in range(1, 300)), key=float)
    yield "closest of 300", ball("8/6") - abs(best + 1)


@claim(
    "thm-2.1.sharp",
    where="Sec. 2.2, Theorem 2.1",
    kind="theorem",
    says=(
        r"if 1, \theta_1..\theta_{D/2-1} are independent over Q, the limit points are exactly [2\mu_0/D - "
        r"(1-2/D)r, 2\mu_0/D + (1-2/D)r]; the best constant is 2(r+|\mu_0|)/D; in radians, with 2\pi, 1, "
        r"\theta_1..\theta_{D/2-1} independent, exactly [-r, r] with no error at all"
    ),
    assumes=("Assumption 2.1", "1, theta_1, ..., theta_{D/2-1} independent over Q", "m, n integers"),
    uses=("eq-21*", "thm-2.1.weyl*"),
    outline=(
        "The pairs d >= 1 fill a torus, a connected set, on which their sum takes every value from "
        "-(D/2-1)r to (D/2-1)r; pair 0 adds mu_0 (turns) or another free angle (radians)."
    ),
)
def sharp() -> Iterator[Evidence]:
    top = sp.expand(2 / DIM * (MU + (DIM / 2 - 1) * R))
    yield identity("upper end of the limit points", top, 2 * MU / DIM + (1 - 2 / DIM) * R)
    yield identity("gamma = r: distance to the upper end", sp.expand(R - top), sp.expand(2 * (R - MU) / DIM))
    yield identity(
        "gamma = -r: distance to the lower end",
        sp.expand(2 / DIM * (MU - (DIM / 2 - 1) * R) + R),
        sp.expand(2 * (R + MU) / DIM),
    )


@attack(
    "thm-2.1.sharp",
    domain="theta_0 = 1/2, D = 4 (degree D/2): distances to 2000, both ends, mu_0 of both signs",
)
def sharp_attack() -> Iterator[Evidence]:
    sums = RopeSums.of(4, base=2)
    for mu in (1, -1):
        values = [2 * sums.gamma(lam, mu, 0) for lam in range(1, 2000)]
        low, high = ball(mu - 1) / 2, ball(mu + 1) / 2
        cases = [
            (f"mu_0 = {mu}, lambda = {lam}", (v - low).union(high - v).lower())
            for lam, v in enumerate(values, 1)
        ]
        yield search("distance to either end from inside", cases)
        yield search(
            "both ends within 1e-4",
            [
                ("low", ball("1e-4") - (min(values, key=float) - low)),
                ("high", ball("1e-4") - (high - max(values, key=float))),
            ],
        )


@practice("thm-2.1.sharp")
def sharp_practice() -> Iterator[dict[str, object]]:
    """Rows at mu_0 = 1, nu_0 = 0: the part of [-r, r] that is out of reach, in turns; and the trivial bound 2r."""
    for head_dim in (4, 8, *HEAD_DIMS):
        yield {
            "head_dim": head_dim,
            "best constant over D, 2(r+|mu_0|)/D": 4 / head_dim,
            "constant of thm-2.1, 8r/D": 8 / head_dim,
            "below the trivial 2r": head_dim > 4,
        }


@claim(
    "eq-6",
    where="Sec. 2.2, eq 6",
    kind="equation",
    says=r"limsup_k |(2/\sqrt D) E Attn - \gamma| = O(1/D) at one fixed D",
    outline=(
        "At one D every bounded number is O(1/D): |(2/D) sum_d (mu_0 cos + nu_0 sin)| <= r and |gamma| <= "
        "r, so 2r, or 2rD/D, is a constant for any sequence (m_k, n_k). Only a constant that is free of D "
        "says anything: thm-2.1."
    ),
)
def eq_6() -> Iterator[Evidence]:
    worst = 2 / DIM * (DIM / 2) * R + R
    yield identity("trivial bound times D, over D", worst, 2 * R)


@attack(
    "eq-6",
    domain=(
        "the constant that the printed proof would give, 2(r + |mu_0|), at D = 4, theta_0 = 1/4, nu_0 = 1, "
        "mu_0 = 0"
    ),
)
def eq_6_attack() -> Iterator[Evidence]:
    values = [sp.sin(sp.pi * lam) / 2 for lam in (0, 1)]
    worst = _worst_target(values)
    yield tried(
        "distance of gamma = 1 to the orbit {0}: above 2/4, not above 2r",
        bool(worst <= 2),
        worst,
        "<= 2r = 2",
    )


@practice("thm-2.1")
def theorem_practice() -> Iterator[dict[str, object]]:
    """Rows at mu_0 = 1, nu_0 = 0: is the hypothesis met, what can be reached at all, what is seen up to 2^20."""
    for base in BASES:
        for head_dim in HEAD_DIMS:
            power = Power(base, head_dim)
            seen = _seen(base, head_dim, turns=False)
            low, high = power.reach(mu=1, nu=0, turns=False)
            turns = power.reach(mu=1, nu=0, turns=True)
            yield {
                "base": base,
                "head_dim": head_dim,
                "degree of theta_0^(2/D)": power.degree,
                "hypothesis met (degree >= D/2-1)": power.degree >= head_dim // 2 - 1,
                "needed (degree >= D/2)": power.degree >= head_dim // 2,
                "limit points in turns, from": short(turns[0]),
                "to": short(turns[1]),
                "limit points in radians, from": short(low),
                "up to": short(high),
                "least seen to 2^20, radians, 600 distances": seen[0],
                "greatest seen": seen[1],
                "bound 8r/D": 8 / head_dim,
            }


def _seen(base: int, head_dim: int, turns: bool) -> tuple[float, float]:
    """Least and greatest 2 C_D at 600 integer distances, evenly spread in the logarithm up to 2^20."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    distances = sorted({round(LONGEST ** (i / 599)) for i in range(600)})
    values = [float(2 * sums.cos(lam)) for lam in distances]
    return round(min(values), 4), round(max(values), 4)
