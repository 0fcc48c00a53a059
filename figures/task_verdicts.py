"""Assumption 2.1, tested on every head of the real model and of the committed small ones that rotate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import xarray as xr
from pytask import Product

from analysis.progress import progress_bar
from analysis.studies import assumption_2_1, distance_bias
from figures.places import checkpoints, record, sources
from figures.schemas import read, write_computed

ROTATING = ("rope", "rope_large", "partial", "window", "rope_4x", "yarn_4x", "pi_4x", "raised_4x")
WINDOWS, SEED = 32, 0


def task_verdicts(
    library: dict[str, Path] = sources(),
    smollm2: Path = record("smollm2"),
    small: dict[str, Path] = checkpoints(*ROTATING),
    path: Annotated[Path, Product] = record("verdicts"),
) -> None:
    """The small models on windows of the validation documents of their own corpus, each of the trained length."""
    begun = time.perf_counter()
    found = [assumption_2_1.verdicts(read("smollm2", smollm2))]
    settings = distance_bias.Settings(windows=WINDOWS, seed=SEED)
    with progress_bar() as show:
        for name, file in small.items():
            data, _ = distance_bias.measure_model(
                str(file), (), settings, arguments=["tapa", "figures", "assumption_tests"], progress=show
            )
            found.append(assumption_2_1.verdicts(data.assign_attrs(model=name)))
    configuration = {"windows": WINDOWS, "checkpoints": list(small), "level": assumption_2_1.LEVEL}
    write_computed(
        "verdicts", xr.concat(found, "test"), path,
        figure="assumption_tests", configuration=configuration, seed=SEED, begun=begun,
    )  # fmt: skip
