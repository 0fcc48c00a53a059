"""Closed-form curves as labelled records: expected score against distance, before any weight is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from analysis.records import Schema
from analysis.theory import frequencies, rope
from analysis.theory.rope import Distances, gamma_of

CLOSED_FORM = Schema("closed-form", 1, made_by="tapa figures bias_by_base")
FAMILY = Schema("rope-family", 1, made_by="tapa figures rope_family")


def base_curves(bases: Sequence[float], head_dim: int, distance: Distances) -> xr.Dataset:
    """C_D and S_D of plain RoPE (eq 24, radians) at several bases, and their limits for D -> infinity."""
    coords = {"base": list(map(float, bases)), "distance": distance}
    of = {
        "cos_sum": lambda b: rope.cos_sum(distance, b, head_dim),
        "sin_sum": lambda b: rope.sin_sum(distance, b, head_dim),
        "cos_limit": lambda b: rope.cos_limit(distance, b),
        "sin_limit": lambda b: rope.sin_limit(distance, b),
    }
    variables = {name: (("base", "distance"), np.stack([f(b) for b in bases])) for name, f in of.items()}
    return xr.Dataset(variables, coords).assign_attrs(head_dim=head_dim)


def family_curves(members: dict[str, frequencies.Frequencies], distance: Distances) -> xr.Dataset:
    """Gamma with mu_0 = 1, nu_0 = 0 of every member, one curve each."""
    values = np.stack([gamma_of(f, distance) for f in members.values()])
    return xr.Dataset(
        {
            "gamma": (("scheme", "distance"), values),
            "attention_factor": ("scheme", [f.attention_factor for f in members.values()]),
        },
        {"scheme": list(members), "distance": distance},
    )
