"""Copies of a model's weights as its training passes certain steps."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from analysis.lm import state


class Milestones:
    """Copies weights at given steps; the trainer's `progress`.

    A step is copied if the trainer saves a checkpoint at it, so its `save_every` must divide the steps.
    """

    def __init__(self, folder: Path, steps: Iterable[int]) -> None:
        """Watch a run.

        Args:
            folder: of the run; copies lie beside its checkpoints.
            steps: after which to copy.
        """
        self.folder, self.steps = folder, set(steps)

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        self.collect()

    def collect(self) -> None:
        """Copy what is there and due; done before training too, for a run that was killed in between."""
        for step in self.steps:
            weights, kept = self.folder / f"step-{step:06d}" / state.MODEL, self._file(step)
            if weights.exists() and not kept.exists():
                part = kept.with_suffix(".part")
                shutil.copyfile(weights, part)
                part.replace(kept)

    def files(self) -> dict[int, Path]:
        """Weights by step, first to last."""
        return {step: self._file(step) for step in sorted(self.steps) if self._file(step).exists()}

    def _file(self, step: int) -> Path:
        return self.folder / f"milestone-{step:06d}.safetensors"
