"""The glossary: the paper's symbol, our name, shape, unit and range. Code cites it, docs are made from it.

Sign and angle convention, for the whole project: position m rotates pair d by +m * omega_d, with omega_d in
rad/token, so a score depends on the distance m - n through cos and sin of +(m - n) * omega_d. The paper's own
"turns" (angle 2 pi lambda theta_d) are reached by `turns=True`, never by hand.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symbol:
    """One line of the glossary."""

    paper: str
    name: str
    shape: str
    unit: str
    range: str
    meaning: str


GLOSSARY: tuple[Symbol, ...] = (
    Symbol("D", "head_dim", "", "count", "even, >= 2", "dimension of one head"),
    Symbol("1/theta_0", "base", "", "1", "> 1", "RoPE base"),
    Symbol("theta_0", "inverse_base", "", "1", "(0, 1)", "inverse of the base"),
    Symbol("theta_d", "theta", "pairs", "turns or rad per token", "(0, 1]", "rotation argument of pair d"),
    Symbol("-", "omega", "pairs", "rad/token", "> 0", "angular frequency: theta_d, or 2 pi theta_d in turns"),
    Symbol("m, n", "query_position, key_position", "", "tokens", ">= 0", "positions"),
    Symbol("lambda", "distance", "n", "tokens", "finite", "query position minus key position"),
    Symbol("Lambda", "far_distance", "n", "tokens", "finite", "the larger distance of a near-far pair"),
    Symbol("q, k", "q, k", "length head_dim", "1", "", "query and key before any position is applied"),
    Symbol("A_d", "a", "pairs", "1", "", "q_{2d} k_{2d} + q_{2d+1} k_{2d+1}"),
    Symbol("B_d", "b", "pairs", "1", "", "q_{2d} k_{2d+1} - q_{2d+1} k_{2d}"),
    Symbol("mu_0, mu_d", "mu", "pairs", "1", "", "E A_d"),
    Symbol("nu_0, nu_d", "nu", "pairs", "1", "", "E B_d"),
    Symbol("sigma_0^2", "sigma_sq", "", "1", ">= 0", "E (q_d k_d)^2"),
    Symbol("C_D, S_D", "cos_sum, sin_sum", "n", "1", "[-1/2, 1/2]", "(1/D) sum_d cos, sin of the angle"),
    Symbol("Gamma_lambda", "gamma", "n", "1", "", "mu_0 C_D + nu_0 S_D: expected score over sqrt(D)"),
    Symbol("Delta", "gap", "n", "1", "", "Gamma at a near distance minus Gamma at a far one"),
    Symbol("alpha", "alpha", "", "1", "> 0", "exponent of the distance in TAPA's phase"),
    Symbol("theta (split)", "amplitude_share", "", "1", "(0, 1)", "share of the dimensions in the amplitude"),
    Symbol("phi", "phase", "length length", "turns at distance 1", "", "TAPA's phase function"),
    Symbol("-", "scale", "", "1", "> 0", "factor of the score; 1/sqrt(D) in the paper"),
)


def named(name: str) -> Symbol:
    """The glossary line of a code name; `KeyError` with the known names if there is none."""
    for symbol in GLOSSARY:
        if name in symbol.name.split(", "):
            return symbol
    known = ", ".join(symbol.name for symbol in GLOSSARY)
    raise KeyError(f"{name!r} is not in the glossary; known: {known}")
