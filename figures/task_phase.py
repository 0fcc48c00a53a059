"""What the heads of each committed TAPA checkpoint do with their phase: beyond the trained length, and within it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pytask import Product, task

from analysis.progress import progress_bar
from analysis.records import write
from analysis.studies.phase import PHASE, Job, Settings, documents_of, perform, tapa_checkpoint
from analysis.workers import Workers, run
from figures.places import record, sources, tapa_checkpoints

LONG = Settings(windows=2, length=4096, loss_windows=0, tokens=False)  # of the record "phase"
SHORT = Settings(windows=32, length=128, loss_windows=32)  # of "phase_short"

for _name, _path in tapa_checkpoints().items():

    @task(id=_name)
    def task_phase(
        library: dict[str, Path] = sources(),
        file: Path = _path,
        products: Annotated[tuple[Path, Path], Product] = (
            record(f"phase-{_name}"),
            record(f"phase_short-{_name}"),
        ),
    ) -> None:
        """Every pair of long windows; and of many short ones, with ablations and what tokens have to do with it."""
        checkpoint = tapa_checkpoint(file)
        with progress_bar() as show:
            documents = documents_of(checkpoint, (), show)
            jobs = [Job(checkpoint, documents, settings, ("tapa", "figures")) for settings in (LONG, SHORT)]
            for i, (path, (data, provenance)) in enumerate(
                zip(products, run(perform, jobs, Workers()), strict=True)
            ):
                show(f"phase, {file.stem}", i + 1, len(jobs))
                write(data, path, provenance, schema=PHASE)
