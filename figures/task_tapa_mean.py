"""The record of TAPA's mean by distance: closed form, Monte Carlo, and the paper's bound."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from pytask import Product

from analysis.studies import tapa_moments
from analysis.theory import rope
from figures.places import record, sources
from figures.schemas import write_computed

SETTINGS: dict[str, Any] = {"head_dim": 128, "alpha": 0.1, "samples": 2**15}
PHASES = (0.03, 0.1, 0.3, 1.0)
LONGEST, POINTS, SAMPLED_POINTS, SEED = 65_536, 200, 9, 0


def task_tapa_mean(
    library: dict[str, Path] = sources(),
    path: Annotated[Path, Product] = record("tapa_mean"),
) -> None:
    """Four sizes of the phase, n = 64."""
    begun = time.perf_counter()
    distance, sampled = (rope.spread_distances(LONGEST, count) for count in (POINTS, SAMPLED_POINTS))
    dataset = tapa_moments.mean_curves(PHASES, distance, sampled, seed=SEED, **SETTINGS)
    configuration = SETTINGS | {"phase_sds": PHASES, "longest": LONGEST, "points": POINTS}
    write_computed(
        "tapa_mean", dataset, path, figure="tapa_mean", configuration=configuration, seed=SEED, begun=begun
    )
