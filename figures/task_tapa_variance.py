"""The record of TAPA's variance by distance over the paper's lower bound, for laws that keep it or not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from pytask import Product

from analysis.studies import tapa_moments
from analysis.theory import rope
from figures.places import record, sources
from figures.schemas import write_computed

SETTINGS: dict[str, Any] = {"head_dim": 128, "alpha": 0.1, "samples": 2**14}
PHASE, PHASES = 0.1, (0.03, 0.1, 0.3, 1.0)
LONGEST, POINTS, SAMPLED_POINTS, SEED = 2**20, 200, 11, 0


def task_tapa_variance(
    library: dict[str, Path] = sources(),
    path: Annotated[Path, Product] = record("tapa_variance"),
) -> None:
    """Six laws with one size of the phase, and one law with four."""
    begun = time.perf_counter()
    distance, sampled = (rope.spread_distances(LONGEST, count) for count in (POINTS, SAMPLED_POINTS))
    dataset = tapa_moments.variance_curves(PHASE, PHASES, distance, sampled, seed=SEED, **SETTINGS)
    configuration = SETTINGS | {"phase_sd": PHASE, "phase_sds": PHASES, "longest": LONGEST, "points": POINTS}
    write_computed(
        "tapa_variance", dataset, path,
        figure="tapa_variance", configuration=configuration, seed=SEED, begun=begun,
    )  # fmt: skip
