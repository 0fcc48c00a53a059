"""In which order the heads of a small model are drawn, and how they are called."""

from __future__ import annotations

import numpy as np
import xarray as xr


def ranked(data: xr.Dataset) -> list[tuple[int, int]]:
    """Layer and head of each head: that which loses most without its cosine first, if that is known."""
    places = [(int(layer), int(head)) for layer in data["layer"].values for head in data["head"].values]
    if "head_change" not in data:
        return places
    loses = data.head_change.sel(head_ablation="no cosine")
    return sorted(places, key=lambda place: -float(loses.sel(layer=place[0], head=place[1])))


def label(place: tuple[int, int]) -> str:
    """Layer and head, "2.1"."""
    return f"{place[0]}.{place[1]}"


def reach(data: xr.Dataset, name: str) -> np.ndarray:
    """Distances from a mean to the two ends of its interval, NAME_low and NAME_high; 0 where it has none."""
    ends = np.stack([data[name] - data[f"{name}_low"], data[f"{name}_high"] - data[name]])
    return np.where(np.isfinite(ends), ends, 0.0).reshape(2, -1)
