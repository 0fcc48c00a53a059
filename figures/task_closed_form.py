"""Closed-form records: RoPE's bias at four bases, and the RoPE family at one target length."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from pytask import Product

from analysis.records import Provenance, write
from analysis.studies import closed_form
from analysis.theory import frequencies, rope
from figures.places import record, sources

BASES = (1e4, 5e5, 1e6, 2e8)
HEAD_DIM = 128
FAMILY = {"base": 5e5, "head_dim": 128, "trained_length": 8192, "length": 65_536}
POINTS = 1500
LIBRARY = sources()


def _provenance(figure: str, configuration: dict[str, Any], begun: float) -> Provenance:
    return Provenance.collect(
        ["tapa", "figures", figure],
        configuration,
        seeds={},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=time.perf_counter() - begun,
    )


def task_closed_form(
    library: dict[str, Path] = LIBRARY,
    path: Annotated[Path, Product] = record("closed_form"),
) -> None:
    """C_D and S_D at four bases to 2^20 tokens, with their limits."""
    begun = time.perf_counter()
    dataset = closed_form.base_curves(BASES, HEAD_DIM, rope.spread_distances(2**20, POINTS))
    provenance = _provenance("bias_by_base", {"bases": BASES, "head_dim": HEAD_DIM, "points": POINTS}, begun)
    write(dataset, path, provenance, schema=closed_form.CLOSED_FORM)


def task_family(
    library: dict[str, Path] = LIBRARY,
    path: Annotated[Path, Product] = record("family"),
) -> None:
    """Expected score of every member of the RoPE family to twice the target length."""
    begun = time.perf_counter()
    distance = rope.spread_distances(2 * FAMILY["length"], POINTS)
    dataset = closed_form.family_curves(frequencies.family(**FAMILY), distance)
    provenance = _provenance("family", FAMILY | {"points": POINTS}, begun)
    write(dataset.assign_attrs(FAMILY), path, provenance, schema=closed_form.FAMILY)
