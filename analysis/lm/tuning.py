"""Choice of a learning rate by one rule for every method: a grid that grows until its best rate is inside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FACTOR = 2.0
"""Between a rate at the edge of the grid and the one that is added beyond it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rates to try, and what they say so far.

    Attributes:
        rates: in the order in which they are tried.
        complete: is every one of them tried, and no further one asked for?
        lr: the chosen one; None while the grid is not complete, or if no run of it ended well.
    """

    rates: tuple[float, ...]
    complete: bool = False
    lr: float | None = None


def grow(first: Sequence[float], losses: Mapping[float, float], reach: int) -> Grid:
    """The grid after what is known of it.

    A rate whose run diverged counts as the worst; if all did, lower ones are tried.

    Args:
        first: rates that are tried in any case, at least one.
        losses: validation loss by rate, nats, inf if the run diverged; only of those that have been tried.
        reach: most rates that are added beyond either edge of `first`, each `FACTOR` from the last.
    """
    low, high = min(first), max(first)
    rates = list(first)
    for _ in range(2 * reach):
        if any(lr not in losses for lr in rates):
            break
        best = _best(rates, losses)
        if best == max(rates) and max(rates) < high * FACTOR**reach and math.isfinite(losses[best]):
            rates.append(max(rates) * FACTOR)
        elif best == min(rates) and min(rates) > low / FACTOR**reach:
            rates.append(min(rates) / FACTOR)
        else:
            break
    if any(lr not in losses for lr in rates):
        return Grid(tuple(rates))
    best = _best(rates, losses)
    return Grid(tuple(rates), True, best if math.isfinite(losses[best]) else None)


def _best(rates: Sequence[float], losses: Mapping[float, float]) -> float:
    """Of the least loss; of equal ones the lowest."""
    return min(rates, key=lambda lr: (losses[lr], lr))
