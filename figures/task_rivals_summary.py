"""The numbers that the prose takes from the records of TAPA and its rivals; committed under figures/summaries."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.records import Provenance, write_summary
from analysis.studies import encodings_ranked
from figures.places import record, sources
from figures.schemas import read


def task_rivals_summary(
    library: dict[str, Path] = sources(),
    records: dict[str, Path] = {name: record(name) for name in encodings_ranked.RECORDS},
    path: Annotated[Path, Product] = record("rivals_summary"),
) -> None:
    """A few kilobytes."""
    begun = time.perf_counter()
    content = encodings_ranked.summarise({name: read(name, file) for name, file in records.items()})
    provenance = Provenance.collect(
        ["tapa", "figures"],
        {"records": list(records)},
        seeds={},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=time.perf_counter() - begun,
    )
    write_summary(content, path, provenance, schema=encodings_ranked.SUMMARY, digits=5)
