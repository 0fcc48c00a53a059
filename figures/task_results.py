"""The results of the trained models, out of the committed records of their runs; nothing is trained or read here.

The tables are committed beside the records, so that they can be read without running anything: they follow from the
records alone, and a test makes them again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.experiments import results, run_record, tables
from analysis.records import Provenance, write_summary
from figures.places import TABLES, TRAINED, record, sources


def task_results(
    library: dict[str, Path] = sources(),
    runs: dict[str, Path] = {path.stem: path for path in sorted(TRAINED.glob(run_record.NAMES))},
    path: Annotated[Path, Product] = record("results"),
    written: Annotated[dict[str, Path], Product] = {
        f"{name}.{kind}": TABLES / f"{name}.{kind}" for name in tables.names() for kind in ("md", "csv")
    },
) -> None:
    """The record that figures draw, and the tables; one of which there is no run yet says so."""
    begun = time.perf_counter()
    content = results.summarise(TRAINED)
    provenance = Provenance.collect(
        ["tapa", "figures"],
        {"runs": list(runs)},
        seeds={"resampled documents": results.RESAMPLING_SEED},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=time.perf_counter() - begun,
    )
    write_summary(content, path, provenance, schema=results.RESULTS, digits=7)
    for name, text in tables.files(content).items():
        written[name].parent.mkdir(parents=True, exist_ok=True)
        written[name].write_text(text, encoding="utf-8")
