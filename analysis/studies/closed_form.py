"""Closed-form curves as labelled records: expected score against distance, before any weight is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from analysis import schemas
from analysis.theory import frequencies, rope
from analysis.theory.rope import Distances, gamma_of

CLOSED_FORM = schemas.CLOSED_FORM
FAMILY = schemas.FAMILY


def base_curves(bases: Sequence[float], head_dim: int, distance: Distances) -> xr.Dataset:
    """C_D and S_D of plain RoPE (eq 24, radians) at several bases, and their limits for D -> infinity.

    >>> found = base_curves([1e4, 5e5], 64, np.array([1.0, 100.0]))
    >>> sorted(found.data_vars)
    ['cos_limit', 'cos_sum', 'sin_limit', 'sin_sum']
    """
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


def bases_record(*, bases: Sequence[float], head_dim: int, longest: int, points: int) -> xr.Dataset:
    """`base_curves` at `points` distances, evenly spread in the logarithm, to `longest` tokens."""
    return base_curves(bases, head_dim, rope.spread_distances(longest, points))


def family_record(*, base: float, head_dim: int, trained_length: int, length: int, points: int) -> xr.Dataset:
    """`family_curves` of every RoPE extension from `trained_length` to `length`, to twice that length."""
    about = {"base": base, "head_dim": head_dim, "trained_length": trained_length, "length": length}
    members = frequencies.family(base, head_dim, trained_length, length)
    return family_curves(members, rope.spread_distances(2 * length, points)).assign_attrs(about)
