"""Two methods at the same quality: how do they extrapolate when both have the same loss at the trained length?

A method that learns more slowly has less to lose beyond the trained length. So the better of two runs is taken at the
point of its training where its loss at the trained length was what the other's is in the end, by interpolation between
the checkpoints that its record reads. That is a model on its way, at a higher learning rate, not one whose training
was planned to end there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A run along its training.

    Attributes:
        steps: of the checkpoints that were read, the last one the run's end.
        short, long: nats of each document at the trained length and at the longest, (checkpoints, documents).
    """

    steps: Float[np.ndarray, " checkpoints"]
    short: Float[np.ndarray, "checkpoints documents"]
    long: Float[np.ndarray, "checkpoints documents"]

    @property
    def losses(self) -> Float[np.ndarray, " checkpoints"]:
        """Nats of all documents at the trained length."""
        return self.short.sum(axis=1)


def path_of(content: Mapping[str, Any]) -> Path:
    """The path of a run from scratch, out of its record."""
    lengths = content["configuration"]["lengths"]
    points = [(item["step"], item["readings"]) for item in content["milestones"]]
    points.append((content["configuration"]["recipe"]["steps"], content["readings"]))
    rows = [[_nats(readings, length) for _, readings in points] for length in (lengths[0], lengths[-1])]
    return Path(np.array([float(step) for step, _ in points]), np.array(rows[0]), np.array(rows[1]))


def _nats(readings: list[dict[str, Any]], length: int) -> list[float]:
    return next(
        item["nats"]
        for item in readings
        if item["length"] == length and item.get("extension", "none") == "none"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A place on a path: step, and nats of each document at the longest length."""

    step: float
    long: Float[np.ndarray, " documents"]


def matched(mine: Path, other: Path) -> tuple[float, Point, Point] | None:
    """Two paths where their loss at the trained length is that of the worse of their ends.

    Returns:
        That loss, in nats over all documents, and the place on each path; None where the better run's first
        checkpoint is better than the other's end already.
    """
    if mine.losses[-1] < other.losses[-1]:
        found = matched(other, mine)
        return None if found is None else (found[0], found[2], found[1])
    loss = float(mine.losses[-1])
    end, there = Point(float(mine.steps[-1]), mine.long[-1]), crossing(other, loss)
    return None if there is None else (loss, end, there)


def crossing(path: Path, loss: float) -> Point | None:
    """Where the loss at the trained length first falls to `loss`, linearly between checkpoints; None if nowhere."""
    losses = path.losses
    if losses[0] == loss:
        return Point(float(path.steps[0]), path.long[0])
    for i in range(len(losses) - 1):
        if losses[i] > loss >= losses[i + 1]:
            share = float((losses[i] - loss) / (losses[i] - losses[i + 1]))
            return Point(float(_between(path.steps, i, share)), _between(path.long, i, share))
    return None


def _between(values: np.ndarray, i: int, share: float) -> Any:
    return (1 - share) * values[i] + share * values[i + 1]
