"""A histogram with fixed bins for numbers of any size: quantiles to 2 %, from one pass, at little cost.

A bin is what bfloat16 rounds to two neighbouring values: 64 bins from one power of two to the next, of either sign.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from analysis.errors import InputError

BINS = 2**15
RELATIVE_WIDTH = 2.0**-6  # of a bin, of the power of two below it


class Histogram:
    """Counts of numbers; adds what it is given, and adds up with others.

    Attributes:
        counts: in order of the bins' values.
    """

    def __init__(self, counts: Int64[np.ndarray, " bins"] | None = None) -> None:
        self.counts = np.zeros(BINS, dtype=np.int64) if counts is None else counts

    def add(self, values: Float[Tensor, "rows columns"]) -> None:
        """Count finite values."""
        codes = values.to(torch.bfloat16).view(torch.int16)  # sign, 8 bits of exponent, 7 of the fraction
        codes.bitwise_right_shift_(1).bitwise_and_(BINS - 1)
        self.counts += _ordered(torch.bincount(codes.reshape(-1), minlength=BINS).numpy())

    def take_zeros(self, count: int) -> None:
        """Leave out that many of the zeros that were counted."""
        self.counts[BINS // 2] -= count

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.counts + other.counts)

    @property
    def total(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())

    def quantile(self, probability: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Values below which the given shares lie, to one bin, by interpolation in it.

        Raises:
            InputError: nothing was counted, or a probability outside [0, 1].
        """
        if not self.total:
            raise InputError("an empty histogram has no quantile; add values first")
        if ((probability < 0) | (probability > 1)).any():
            raise InputError(f"probability={probability} is not in [0, 1]")
        low, high = edges()
        full = np.flatnonzero(self.counts)
        below = np.concatenate([[0], np.cumsum(self.counts[full])])
        wanted = probability * self.total
        at = np.clip(np.searchsorted(below, wanted, side="right") - 1, 0, len(full) - 1)
        part = (wanted - below[at]) / self.counts[full][at]
        return low[full[at]] + part * (high[full[at]] - low[full[at]])

    def share_below(self, value: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Share of the numbers below each value, by interpolation in its bin: the inverse of `quantile`."""
        low, high = edges()
        below = np.concatenate([[0], np.cumsum(self.counts)])
        at = np.clip(np.searchsorted(low, value, side="right") - 1, 0, BINS - 1)
        with np.errstate(invalid="ignore", over="ignore"):  # the outermost bins have no end
            part = np.clip((value - low[at]) / (high[at] - low[at]), 0.0, 1.0)
        return (below[at] + np.nan_to_num(part) * self.counts[at]) / max(self.total, 1)

    def binned(
        self, bins: int, tail: float = 5e-4
    ) -> tuple[Float64[np.ndarray, " edges"], Float64[np.ndarray, " bins"]]:
        """Edges of equal bins between the quantiles `tail` and 1 - `tail`, and the share in each, for drawing."""
        ends = self.quantile(np.array([tail, 1 - tail]))
        size = np.abs(ends).max()
        if ends[1] - ends[0] < max(size * RELATIVE_WIDTH / 2**10, 2.0**-120):  # all of one value, or all 0
            ends = ends.mean() + np.array([-0.5, 0.5]) * (size if size > 2.0**-120 else 1.0)
        at = np.linspace(float(ends[0]), float(ends[1]), bins + 1)
        return at, np.diff(self.share_below(at))


@cache
def edges() -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"]]:
    """Lower and upper end of each bin, in order of value: half way between neighbouring bfloat16 values."""
    code = np.arange(2**16 // 2, dtype=np.uint32)  # of values >= 0
    code[0x7F80:] = 0x7F80  # infinity, for what is no number too
    value = (code << 16).view(np.float32).astype(np.float64)
    with np.errstate(invalid="ignore"):
        between = np.append((value[:-1] + value[1:]) / 2, np.inf)
    low = np.append(0.0, between[1:-1:2])
    high = between[1::2]
    return np.concatenate([-high[::-1], low]), np.concatenate([-low[::-1], high])


def _ordered(counts: Int64[np.ndarray, " bins"]) -> Int64[np.ndarray, " bins"]:
    """From the order of bit patterns to the order of values: negative ones come last and backwards."""
    half = BINS // 2
    return np.concatenate([counts[half:][::-1], counts[:half]])
