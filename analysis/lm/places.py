"""Where a sweep keeps its files, and one run of it as a job for whatever process performs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.lm import state
from analysis.lm.experiments import Run, Scale


@dataclass(frozen=True, slots=True)
class Places:
    """Where a sweep keeps things; workers elsewhere must see the same folders.

    Attributes:
        records: a JSON file for each finished run, small, to be committed.
        runs: a folder for each run: checkpoints, then weights.
    """

    records: Path
    runs: Path

    def record(self, run: Run) -> Path:
        """The record of a run."""
        return self.records / f"{run.name}.json"

    def folder(self, run: Run) -> Path:
        """What a run keeps."""
        return self.runs / run.name

    def weights(self, run: Run) -> Path:
        """Weights of a finished run."""
        return self.folder(run) / state.MODEL


@dataclass(frozen=True, slots=True)
class Job:
    """One run, for whoever performs it.

    Attributes:
        run, scale, places: what, how large and where.
        arguments: the command line, for the record.
        deadline: seconds since the epoch after which nothing is begun and training stops; None for no limit.
    """

    run: Run
    scale: Scale
    places: Places
    arguments: tuple[str, ...]
    deadline: float | None = None
