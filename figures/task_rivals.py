"""The record of all encodings under one law: mean and standard deviation of the score by distance."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from pytask import Product

from analysis.studies import encodings_compared
from analysis.theory import rope
from figures.places import record, sources
from figures.schemas import write_computed

SETTINGS: dict[str, Any] = {
    "head_dim": 128, "base": 5e5, "trained_length": 8192, "length": 65_536, "samples": 2**12,
}  # fmt: skip
MUS = (0.0, 0.2)
POINTS, SAMPLED_POINTS, SEED = 300, 6, 0


def task_rivals(
    library: dict[str, Path] = sources(),
    path: Annotated[Path, Product] = record("rivals"),
) -> None:
    """Without a mean and with one, to twice the length that the family is made ready for."""
    begun = time.perf_counter()
    distance, sampled = (
        rope.spread_distances(2 * SETTINGS["length"], count) for count in (POINTS, SAMPLED_POINTS)
    )
    dataset = encodings_compared.rival_curves(MUS, distance, sampled, seed=SEED, **SETTINGS)
    configuration = SETTINGS | {"mus": MUS, "points": POINTS}
    write_computed(
        "rivals",
        dataset,
        path,
        figure="encodings_compared",
        configuration=configuration,
        seed=SEED,
        begun=begun,
    )
