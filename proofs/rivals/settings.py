"""At which head dimension, base and context length each theorem says anything at all: rows for the page of neighbours.

Angles are radians, as deployed; mu_0 = 1 and nu_0 = 0 where a theorem has them.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.balls import ball, less
from proofs.checks import Distances
from proofs.integrals import RopeSums
from proofs.paper.theorem_2_1 import Power
from proofs.paper.theorem_2_2 import EDGE, RADIANS, gap_floor
from proofs.paper.theorem_2_3 import gap_bound


@dataclass(frozen=True, slots=True)
class Deployed:
    """A model's head dimension, base and context length, in tokens."""

    name: str
    head_dim: int
    base: int
    length: int


DEPLOYED = (
    Deployed("SmolLM2 135M", 64, 100_000, 8192),
    Deployed("Llama 2 7B", 128, 10_000, 4096),
    Deployed("Llama 3 8B", 128, 500_000, 8192),
    Deployed("Qwen2.5 7B", 128, 1_000_000, 32_768),
    Deployed("TAPA v1's longest base", 128, 500_000, 65_536),
)


def least_dimension(model: Deployed) -> int:
    """D from which thm-2.2* serves the distances 1 and b + 1, its nearest near and far ones (radians, rho = 0)."""
    room = gap_floor(RADIANS, ball(model.base).log(), 0) - ball("1/8")
    return int(((model.base + 2) / room).upper().ceil().unique_fmpz() or 0)


def first_negative(model: Deployed) -> int | None:
    """The first distance below the length at which C_D, and with it B_m, is negative; None if there is none."""
    omega = RopeSums.of(model.head_dim, base=model.base, turns=False).omega
    return Distances(omega, -1, 0).first(1, model.length, 0).first


def speaking(model: Deployed) -> dict[str, str]:
    """What each theorem says of one model, a phrase each; "no: ..." where it says nothing."""
    log_base, length = ball(model.base).log(), model.length
    degree, pairs = Power(model.base, model.head_dim).degree, model.head_dim // 2
    needed = least_dimension(model)
    bound = gap_bound(length, model.head_dim, log_base, turns=False)
    negative = first_negative(model)
    near = less(EDGE, model.base) is True
    mass = float((ball(length - 1).log() / 2).mid())
    return {
        "model": f"{model.name}: D = {model.head_dim}, b = {model.base:,}, {length:,}",
        "`thm-2.1`, as length grows": "yes" if degree >= pairs - 1 else f"no: degree {degree} < {pairs - 1}",
        "`thm-2.2` as stated": "no: no D serves all far distances",
        "v1's own threshold, (32)": _answer(less(64, log_base), f"ln b = {float(log_base.mid()):.3g} < 64"),
        "`thm-2.2*`": _answer(
            near and length > model.base and needed <= model.head_dim,
            f"far means beyond {model.base:,}, and D must be at least {needed:,}",
        ),
        "`eq-8` over the whole length": _answer(
            less(bound, 1), f"bound {float(bound.mid()):.3g} r, never above r by itself"
        ),
        "`men-1`: B_m >= 0": "at every distance" if negative is None else f"not from {negative:,} on",
        "`du-1.weyl`": f"in the limit alone; length/b = {length / model.base:.2g}",
        "`god-lower.0`: a near key's mass below 1/2": f"for scores within {mass:.3g}",
    }


def _answer(speaks: bool | None, why: str) -> str:
    return "yes" if speaks else f"no: {why}"
