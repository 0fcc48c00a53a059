"""The record of the map over TAPA's exponent and the size of its phase; closed form alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.studies import tapa_moments
from figures.places import record, sources
from figures.schemas import write_computed

ALPHAS, PHASES = (0.01, 1.0, 81), (0.001, 3.0, 141)  # first, last, how many
HEAD_DIM, FAR = 128, 65_536.0


def task_tapa_map(
    library: dict[str, Path] = sources(),
    path: Annotated[Path, Product] = record("tapa_map"),
) -> None:
    """Every pair of an exponent and a phase."""
    begun = time.perf_counter()
    grids = (tapa_moments.log_grid(*axis) for axis in (ALPHAS, PHASES))
    dataset = tapa_moments.phase_map(*grids, head_dim=HEAD_DIM, far=FAR)
    configuration = {"alphas": ALPHAS, "phase_sds": PHASES, "head_dim": HEAD_DIM, "far": FAR}
    write_computed(
        "tapa_map", dataset, path, figure="tapa_map", configuration=configuration, seed=None, begun=begun
    )
