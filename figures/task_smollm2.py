"""The real model's record: fetched by pinned hash, measured here; rebuilt, never committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.models import load
from analysis.progress import progress_bar
from analysis.records import write
from analysis.studies import distance_bias
from figures.places import record, sources


def task_smollm2(
    library: dict[str, Path] = sources(),
    path: Annotated[Path, Product] = record("smollm2"),
) -> None:
    """Every head of SmolLM2-135M on 8 windows of 2048 tokens of Elizabethan English."""
    with progress_bar() as show:
        data, provenance = distance_bias.measure_model(
            load.SMOLLM2,
            (),
            distance_bias.Settings(),
            arguments=["tapa", "figures", "distance_bias"],
            progress=show,
        )
    write(data, path, provenance, schema=distance_bias.HEADS)
