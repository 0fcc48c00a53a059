"""Closed-form curves as labelled records: expected score against distance, before any weight is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.errors import InputError
from analysis.records import Schema
from analysis.theory import bias, limit
from analysis.theory import frequencies as fr

CLOSED_FORM = Schema("closed-form", 1, made_by="tapa figures bias_by_base")
FAMILY = Schema("rope-family", 1, made_by="tapa figures family")
MOST_POINTS = 2**20
MOST_LOG_BASE = 709.0  # exp(709.8) overflows
Distances = Float[np.ndarray, " distances"]


def spread_distances(longest: float, count: int) -> Distances:
    """About `count` different whole distances 1 .. longest, evenly spread on a logarithmic axis.

    Raises:
        InputError: unless longest is whole and in 1 .. 2^53 (beyond it float64 skips integers), and count is
            in 2 .. 2^20.
    """
    if not 1 <= longest <= bias.MAX_DISTANCE or longest != math.floor(longest):
        most = f"{bias.MAX_DISTANCE:.16g}"
        raise InputError(f"longest distance {longest:.17g} is not a whole number of tokens in 1 .. {most}")
    if not 2 <= count <= MOST_POINTS:
        raise InputError(f"points={count} is outside 2 .. {MOST_POINTS}")
    return np.unique(np.round(np.geomspace(1, longest, count)))


def gamma(
    frequencies: fr.Frequencies, distance: Distances, *, mu: float = 1.0, nu: float = 0.0
) -> Float[np.ndarray, " distances"]:
    """Expected score over sqrt(D) of any rotary encoding (eq 17): the paper's Gamma with one mu_0 and nu_0.

    The attention factor enters squared; dimensions that are not rotated keep their mu_0 at every distance.
    """
    D = frequencies.head_dim
    still = (D - frequencies.rotary_dim) / 2 * mu / D
    scale = frequencies.attention_factor**2 / D
    return still + bias.expected_score(
        distance, frequencies.omega, mu, nu, scale=scale, log_decay=frequencies.log_decay
    )


def base_curves(bases: Sequence[float], head_dim: int, distance: Distances) -> xr.Dataset:
    """C_D and S_D of plain RoPE (eq 24, radians) at several bases, and their limits for D -> infinity."""
    coords = {"base": list(map(float, bases)), "distance": distance}
    of = {
        "cos_sum": lambda b: bias.cos_sum(distance, b, head_dim),
        "sin_sum": lambda b: bias.sin_sum(distance, b, head_dim),
        "cos_limit": lambda b: limit.cos_limit(distance, b),
        "sin_limit": lambda b: limit.sin_limit(distance, b),
    }
    variables = {name: (("base", "distance"), np.stack([f(b) for b in bases])) for name, f in of.items()}
    return xr.Dataset(variables, coords).assign_attrs(head_dim=head_dim)


def family(base: float, head_dim: int, trained_length: int, length: int) -> dict[str, fr.Frequencies]:
    """The RoPE family prepared to read `length` tokens after training at `trained_length`, by display name.

    LongRoPE is left out: its factors are searched for one model at a time and have no formula.
    """
    factor = length / trained_length
    trained = {"factor": factor, "trained_length": trained_length}
    return {
        "RoPE": fr.plain(base, head_dim),
        "position interpolation": fr.linear(base, head_dim, factor=factor),
        "NTK-aware": fr.ntk(base, head_dim, factor=factor),
        "dynamic NTK": fr.dynamic_ntk(base, head_dim, **trained, length=length),
        "YaRN": fr.yarn(base, head_dim, **trained),
        "Llama 3": fr.llama3(base, head_dim, **trained),
        "partial (1/2)": fr.plain(base, head_dim, head_dim // 2),
        "p-RoPE (1/2)": fr.proportional(base, head_dim, partial_rotary_factor=0.5),
        "xPos": fr.xpos(base, head_dim),
    }


def family_curves(members: dict[str, fr.Frequencies], distance: Distances) -> xr.Dataset:
    """Gamma with mu_0 = 1, nu_0 = 0 of every member, one curve each."""
    values = np.stack([gamma(f, distance) for f in members.values()])
    return xr.Dataset(
        {
            "gamma": (("scheme", "distance"), values),
            "attention_factor": ("scheme", [f.attention_factor for f in members.values()]),
        },
        {"scheme": list(members), "distance": distance},
    )


def gamma_limit(
    frequencies: fr.Frequencies, distance: Distances, *, mu: float = 1.0, nu: float = 0.0
) -> Float[np.ndarray, " distances"] | None:
    """`gamma` for infinitely many pairs, by cosine and sine integrals; None where there is no such form.

    It exists where the moving pairs are a geometric sequence c r^d: plain RoPE, position interpolation, both
    NTK forms, partial rotation and p-RoPE. YaRN, Llama 3 and LongRoPE bend the sequence, xPos decays.
    """
    moving = frequencies.omega[frequencies.omega > 0]
    ratio = moving[:-1] / moving[1:]
    if frequencies.log_decay is not None or len(moving) < 2 or not np.allclose(ratio, ratio[0], rtol=1e-9):
        return None
    log_base = len(moving) * math.log(ratio[0])
    if log_base > MOST_LOG_BASE:
        raise InputError(f"base exp({log_base:.4g}) of the sequence is beyond float64; lower base or factor")
    base, angle = float(ratio[0] ** len(moving)), moving[0] * distance
    share = 2 * len(moving) / frequencies.head_dim
    resting = (frequencies.rotary_dim - 2 * len(moving)) / 2 * frequencies.attention_factor**2
    still = (resting + (frequencies.head_dim - frequencies.rotary_dim) / 2) * mu / frequencies.head_dim
    wave = mu * limit.cos_limit(angle, base) + nu * limit.sin_limit(angle, base)
    return still + share * frequencies.attention_factor**2 * wave
