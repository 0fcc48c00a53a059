"""The numbers that the prose takes from the records of TAPA and its rivals; committed under figures/summaries."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis import rival_summary
from analysis.records import Provenance, write_summary
from figures.places import record, sources
from figures.schemas import read


def task_rivals_summary(
    library: dict[str, Path] = sources("analysis", only=("rival_summary.py",)),
    records: dict[str, Path] = {name: record(name) for name in rival_summary.RECORDS},
    path: Annotated[Path, Product] = record("rivals_summary"),
) -> None:
    """A few kilobytes."""
    begun = time.perf_counter()
    content = rival_summary.summarise({name: read(name, file) for name, file in records.items()})
    provenance = Provenance.collect(
        ["tapa", "figures"],
        {"records": list(records)},
        seeds={},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=time.perf_counter() - begun,
    )
    write_summary(content, path, provenance, schema=rival_summary.SUMMARY, digits=5)
