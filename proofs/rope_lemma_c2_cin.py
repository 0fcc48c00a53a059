r"""Lemma C.2 repaired, by the entire cosine integral Cin(x) = int_0^x (1 - cos s)/s ds, and its practice.

No e_0 and no hypothesis but D even: I/2 = 1/2 - (Cin(c lambda) - Cin(c lambda theta_0))/(2L) is exact, and bounds C_D
on both sides up to the error of the Riemann sum.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball
from proofs.checks import BASES, HEAD_DIMS, search
from proofs.integrals import ci, cos_sum
from proofs.ledger import attack, practice, repair
from proofs.paper.appendix_e_riemann import decomposition
from proofs.paper.classical_lemmas import D, L, P, k, x
from proofs.rope_tools import EDGES, points, same


@repair(
    "lem-C.2",
    says=r"For all c, \lambda > 0 (c = 2\pi in turns, 1 in radians), 0 < \theta_0 < 1, even D and 0 \le k \le D/2, "
    r"with P = c\lambda\theta_0^{2k/D}, F = c\lambda\theta_0, u = 2L/D, \kappa = 1/(1-e^{-u}) - 1/u and M = 1/2 - "
    r"(Cin(P) - Cin(F))/(2L): M - 2k/D - \kappa (P-F)/D \le C_D \le M + \kappa (P-F)/D, where 0 \le Cin(F) \le "
    r"F^2/4 and Cin(P) < \gamma + \log P + 1/P. The last terms may be replaced by (L/(4D^2))(P-F+(P^2-F^2)/2) if "
    r"(\cos P - \cos F)/(2D) is added to M. In the printed shape: (27) holds with 2/(\pi L) for 1/L.",
    uses=("eq-27", "eq-42*", "lem-ci", "lem-cin", "lem-hump", "lem-riemann", "lem-riemann.b"),
    outline="Cut the sum at k. The first k terms are between -k/D and k/D; the integral over [2k/D, 1] is (Ci(P) - "
    "Ci(F))/(2L) = (1/2)(1 - 2k/D) - (Cin(P) - Cin(F))/(2L). With eq-71* the last constant becomes 0.2808/L.",
)
def lemma_repaired() -> Iterator[Evidence]:
    yield decomposition()
    yield from main_terms()
    yield same("the hump 2/z at z = pi/2, over 2L", 2 / (sp.pi / 2) / (2 * L), 2 / (sp.pi * L))


def main_terms(share: sp.Expr = 2 * k / D) -> Iterator[Evidence]:
    """(Ci(P) - Ci(F))/(2L) by Cin, where P = e^{L (1 - 2k/D)} F, and the two constants with the k first terms."""

    def cin(z: sp.Expr) -> sp.Expr:
        return sp.EulerGamma + sp.log(z) - sp.Ci(z)

    near, last = P * sp.exp(L * (1 - 2 * k / D)), P
    gap = (1 - share) / 2 - (sp.Ci(near) - sp.Ci(last) + cin(near) - cin(last)) / (2 * L)
    yield same("(Ci(P) - Ci(F))/(2L)", sp.expand(sp.expand_log(gap, force=True)), sp.Integer(0))
    yield same("k terms below, 1/2 - 2k/D", -k / D + (1 - share) / 2, sp.Rational(1, 2) - 2 * k / D)
    yield same("k terms above, 1/2", k / D + (1 - share) / 2, sp.Rational(1, 2))
    yield same("Cin at 0", sp.limit(cin(x), x, 0), sp.Integer(0))


def cin_bounds(phase: arb, log: arb, head_dim: int, cut: int) -> tuple[arb, arb]:
    """Lower and upper bound of C_D by lem-C.2* at k = cut, the better of its two forms; `phase` is c lambda."""
    steep, share = 2 * log / head_dim, ball(2 * cut) / head_dim
    near, last = phase * (-steep * cut).exp(), phase * (-log).exp()
    middle = (ci(near) - ci(last)) / (2 * log) + share / 2
    first = (near - last) * (1 / (1 - (-steep).exp()) - 1 / steep) / head_dim
    edge = (near.cos() - last.cos()) / (2 * head_dim)
    second = log / (4 * head_dim**2) * (near - last + (near**2 - last**2) / 2)
    lower = (middle - share - first).max(middle + edge - share - second)
    return lower, (middle + first).min(middle + edge + second)


@attack("lem-C.2*", domain=f"{EDGES}; turns and radians; k = 0, D/8, D/4, D/2")
def lemma_repaired_attack() -> Iterator[Evidence]:
    yield search("C_D - lower bound, upper bound - C_D", _margins())


def _margins() -> Iterator[tuple[str, arb]]:
    for q in points(heads=(0, 64)):
        for turns in (True, False):
            phase = ball(q.distance) * (2 * arb.pi() if turns else 1)
            found = cos_sum(q.distance, q.head_dim, inverse_base=q.inverse_base, turns=turns)
            for cut in (0, q.head_dim // 8, q.head_dim // 4, q.head_dim // 2):
                lower, upper = cin_bounds(phase, q.log, q.head_dim, cut)
                where = f"{q}, turns={turns}, k={cut}"
                yield from ((where, found - lower), (where, upper - found))


@practice("lem-C.2")
def lemma_rows() -> Iterator[dict[str, object]]:
    for base in BASES:
        for dim in HEAD_DIMS:
            for distance in (7, 2**7, 2**13, 2**20):
                for turns in (True, False):
                    yield _row(base, dim, distance, turns)


def _row(base: int, dim: int, distance: int, turns: bool) -> dict[str, object]:
    """Bounds and the certified value at one size; in radians the lemma is read at lambda/(2 pi) turns."""
    log = ball(base).log()
    phase = ball(distance) * (2 * arb.pi() if turns else 1)
    bounds = [cin_bounds(phase, log, dim, cut) for cut in range(dim // 2 + 1)]
    e0, stated = _best_stated(phase, log, dim)
    return {
        "base": base,
        "head_dim": dim,
        "distance": distance,
        "turns": turns,
        "D > 4L": bool(4 * log < dim),
        "e_0 below 1 exists": e0 is not None,
        "best e_0": e0,
        "lower bound": stated,
        "lower bound, repaired": max(float(lower) for lower, _ in bounds),
        "C_D": float(cos_sum(distance, dim, base=base, turns=turns)),
        "upper bound, repaired": min(float(upper) for _, upper in bounds),
        "trivial bound": -0.5,
    }


def _best_stated(phase: arb, log: arb, dim: int, steps: int = 200) -> tuple[float | None, float | None]:
    """The best e_0 < 1 on a grid and the right side of (27) there, alpha minimising; None if there is no e_0 < 1."""
    least = (2 * phase / arb.pi()).log() / log
    if not least < 1:
        return None, None
    steep = 2 * phase * log / dim
    error = 2 * phase / dim if steep <= 1 else (1 + steep.log()) / log

    def value(e0: Real) -> float:
        return float((1 - ball(e0)) * (phase * (-log * ball(e0)).exp()).cos() / 2 - 1 / log - error)

    shares = [least + (1 - least) * i / steps for i in range(1, steps)]
    best = max((share for share in shares if share > 0), key=value)
    return float(best), value(best)
