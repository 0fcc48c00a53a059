"""The record of what low precision does to a TAPA score."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.encodings import Tapa
from analysis.studies import precision
from analysis.theory import rope
from figures.places import record, sources
from figures.schemas import write_computed

HEAD_DIM, PHASES, SAMPLES = 128, (0.01, 0.1, 1.0, 10.0), 4096
LONGEST, POINTS, SEED = 2**20, 60, 0


def task_precision(
    library: dict[str, Path] = sources(),
    path: Annotated[Path, Product] = record("precision"),
) -> None:
    """Three types, phases in float32 and in the type."""
    begun = time.perf_counter()
    distance = rope.spread_distances(LONGEST, POINTS)
    dataset = precision.score_errors(Tapa(HEAD_DIM), distance, PHASES, samples=SAMPLES, seed=SEED)
    configuration = {"head_dim": HEAD_DIM, "phase_sds": PHASES, "samples": SAMPLES, "longest": LONGEST}
    write_computed(
        "precision", dataset, path, figure="precision", configuration=configuration, seed=SEED, begun=begun
    )
