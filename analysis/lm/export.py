"""The weights that are kept with the project: one model of each method, in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.lm.experiments import EXPERIMENTS, VARIANTS, Run, Scale
from analysis.lm.places import Places
from analysis.lm.state import write_half
from analysis.lm.tuning import Grid

KEPT = tuple(dict.fromkeys((*EXPERIMENTS["table2"], *EXPERIMENTS["table3"])))
"""Variants: about 1.7 megabytes each at the scale of recipe "cpu"."""
CHECKPOINTS = "checkpoints"


def export(grids: Mapping[str, Grid], scale: Scale, places: Places) -> list[Path]:
    """Write the weights of the first seed at the chosen rate, of every variant in `KEPT` that has both.

    Written again they are the same bytes.

    Args:
        grids: as `sweep.grids` gives them.
        scale: of the experiments.
        places: the files lie in the folder "checkpoints" beside the records.

    Raises:
        InputError: weights that are damaged or do not fit into half precision.
    """
    found = []
    for name in KEPT:
        lr = grids[name].lr if name in grids else None
        if lr is not None:
            run = Run(VARIANTS[name], scale.seeds[0], lr)
            if places.weights(run).exists():
                found.append(write_half(places.folder(run), kept(places.records, name)))
    return found


def kept(records: Path, variant: str) -> Path:
    """Where a variant's weights are kept."""
    return records / CHECKPOINTS / f"{variant}.safetensors"
