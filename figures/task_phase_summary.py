"""The numbers that prose takes from the records of TAPA's trained heads, and the tables that no figure shows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.records import Provenance, write_summary
from analysis.studies import phase_summary
from figures.places import OUT, record, sources, tapa_checkpoints
from figures.schemas import read

NAMES = tuple(tapa_checkpoints())


def task_phase_summary(
    library: dict[str, Path] = sources(),
    long: dict[str, Path] = {name: record(f"phase-{name}") for name in NAMES},
    short: dict[str, Path] = {name: record(f"phase_short-{name}") for name in NAMES},
    near_far: Path = record("trained_gaps"),
    products: Annotated[tuple[Path, Path], Product] = (record("phase_summary"), OUT / "phase_heads.md"),
) -> None:
    """A few kilobytes for every checkpoint, and Markdown."""
    begun = time.perf_counter()
    of_checkpoints = {
        name: phase_summary.summarise(read("phase", long[name]), read("phase_short", short[name]))
        for name in long
    }
    gaps = phase_summary.gaps(read("trained_gaps", near_far))
    provenance = Provenance.collect(
        ["tapa", "figures"],
        {"checkpoints": list(long)},
        seeds={},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=time.perf_counter() - begun,
    )
    content = {"checkpoints": of_checkpoints, "near_far": gaps}
    write_summary(content, products[0], provenance, schema=phase_summary.SUMMARY, digits=5)
    products[1].parent.mkdir(parents=True, exist_ok=True)
    products[1].write_text(phase_summary.markdown(of_checkpoints, gaps), encoding="utf-8")
