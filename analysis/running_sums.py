"""Sums over draws that add up: from them the mean and variance of a score, and how far each is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float64

_ROUNDING = 2.0**-50  # of a sum, relative to what was summed; part of every standard error
_SMALLEST = 1e-150  # standard error: the squares of anything smaller underflow


@dataclass(frozen=True, eq=False)
class Sums:
    """Count, means and centred second moments of (u, w) at every distance.

    u is a draw's first moment less an origin c, w its second moment about c less an origin of its own.
    """

    count: int
    mean: Float64[np.ndarray, "2 distances"]
    spread: Float64[np.ndarray, "3 distances"]  # sums of uu, uw, ww about the means
    top: Float64[np.ndarray, "2 distances"]  # largest uu and ww about the origins

    def __add__(self, other: Sums) -> Sums:
        """Of both samples together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        step = other.mean - self.mean
        weight = self.count * (other.count / count)
        products = step[[0, 0, 1]] * step[[0, 1, 1]]
        mean = self.mean + step * (other.count / count)
        spread = self.spread + other.spread + weight * products
        return Sums(count, mean, spread, np.maximum(self.top, other.top))


def with_errors(
    total: Sums,
    origin: Float64[np.ndarray, "2 distances"],
    distances: Float64[np.ndarray, " distances"],
) -> xr.Dataset:
    """Mean and variance, their standard errors, and the share of the scatter that the largest draw makes up."""
    (u, w), (uu, uw, ww) = total.mean, total.spread
    per_mean = total.count * (total.count - 1)  # turns a sum of squares into the variance of a mean
    noise = uu / per_mean
    variance = origin[1] + w - u**2 + noise  # u^2 exceeds the square it estimates by its own variance
    influence = np.maximum(ww - 4 * u * uw + 4 * u**2 * uu, 0.0)
    scatter = np.stack([uu, ww]) + total.count * total.mean**2
    mean_top, variance_top = np.divide(total.top, scatter, out=np.zeros_like(scatter), where=scatter > 0)
    mean = origin[0] + u
    size = np.sqrt(mean**2 + uu / total.count), np.abs(variance) + np.sqrt(ww / total.count)
    values = {
        "mean": mean,
        "mean_se": _bar(noise, size[0]),
        "mean_top": mean_top,
        "variance": np.maximum(variance, 0.0),
        "variance_se": _bar(influence / per_mean, size[1]),
        "variance_top": variance_top,
    }
    return xr.Dataset({k: ("distance", v) for k, v in values.items()}, {"distance": distances})


def _bar(noise: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Standard error from the variance of a mean, and from rounding of what was summed."""
    return np.maximum(np.hypot(np.sqrt(noise), _ROUNDING * size), _SMALLEST)
