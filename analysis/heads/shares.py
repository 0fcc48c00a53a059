"""How much of a curve over distance a prediction explains, free of the windows' own noise.

A sum of squares of a noisy curve counts the noise as signal. Products of *different* windows do not: for
independent windows, the mean over w != w' of <x_w, y_w'> estimates <E x, E y> without bias. Every share here is
a ratio of such products, and its standard error comes from leaving out one window at a time (jackknife).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from analysis.errors import InputError

Curves = Float[np.ndarray, "windows heads distances"]
Gram = Float[np.ndarray, "heads *left_out windows windows"]
PerHead = Float[np.ndarray, "heads *left_out"]


def weights(distance: Float[np.ndarray, " distances"], kind: str) -> Float[np.ndarray, " distances"]:
    """Weights of the distances, summing to 1: every distance alike, or every octave alike.

    Args:
        distance: tokens, >= 1.
        kind: "uniform", or "log" for weights proportional to 1/distance.
    """
    known = {"uniform": np.ones_like(distance), "log": 1 / distance}
    if kind not in known:
        raise InputError(f"weighting {kind!r} is unknown; known: {', '.join(known)}")
    return known[kind] / known[kind].sum()


def centred(x: Curves, weight: Float[np.ndarray, " distances"]) -> Curves:
    """Curves less their weighted mean over distance."""
    return x - (x @ weight)[..., None]


def products(
    curves: Mapping[str, Curves], weight: Float[np.ndarray, " distances"]
) -> dict[tuple[str, str], Gram]:
    """<x_w, y_w'> over distances of the centred curves, for every head, pair of windows and pair of names."""
    count = len(next(iter(curves.values())))
    x = np.stack([centred(curve, weight) for curve in curves.values()]).transpose(2, 0, 1, 3)
    rows = x.reshape(len(x), -1, x.shape[-1])
    blocks = ((weight * rows) @ rows.swapaxes(1, 2)).reshape(len(x), len(curves), count, -1, count)
    return {(a, b): blocks[:, i, :, j] for i, a in enumerate(curves) for j, b in enumerate(curves)}


def cross(g: Gram) -> PerHead:
    """Mean over pairs of different windows: the estimate of <E x, E y>."""
    count = g.shape[-1]
    if count < 2:
        raise InputError(f"{count} window gives no standard error; measure at least 2")
    return (g.sum(axis=(-2, -1)) - np.trace(g, axis1=-2, axis2=-1)) / (count * (count - 1))


def ratio(part: Gram, whole: Gram) -> PerHead:
    """cross(part) / cross(whole); NaN where the whole does not vary over distance: no share of nothing."""
    below = cross(whole)
    return cross(part) / np.where(below == 0, np.nan, below)


def jackknife(
    statistic: Callable[..., PerHead], *grams: Gram
) -> tuple[Float[np.ndarray, " heads"], Float[np.ndarray, " heads"]]:
    """A statistic of Gram matrices over windows, and its jackknife standard error (needs 3 windows, else NaN)."""
    value = statistic(*grams)
    count = grams[0].shape[-1]
    if count < 3:
        return value, np.full_like(value, np.nan)
    rest = np.array([np.delete(np.arange(count), w) for w in range(count)])
    left_out = statistic(*(g[:, rest[:, :, None], rest[:, None, :]] for g in grams))
    spread = np.square(left_out - left_out.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return value, np.sqrt((count - 1) / count * spread)


def share(
    part: Curves, whole: Curves, weight: Float[np.ndarray, " distances"]
) -> tuple[np.ndarray, np.ndarray]:
    """Cov(part, whole) / Var(whole) over distance; the shares of parts that add up to the whole add up to 1."""
    found = products({"part": part, "whole": whole}, weight)
    return jackknife(ratio, found["part", "whole"], found["whole", "whole"])


def explained(
    prediction: Curves, whole: Curves, weight: Float[np.ndarray, " distances"]
) -> tuple[np.ndarray, np.ndarray]:
    """R^2 = 1 - |whole - prediction|^2 / |whole|^2 of the centred curves; below 0: worse than a constant."""
    found = products({"rest": whole - prediction, "whole": whole}, weight)
    return jackknife(unexplained_from_one, found["rest", "rest"], found["whole", "whole"])


def unexplained_from_one(rest: Gram, whole: Gram) -> PerHead:
    """1 - cross(rest) / cross(whole)."""
    return 1 - ratio(rest, whole)


def share_of_scores(
    measured: Curves, square_sum: Float[np.ndarray, "windows heads"], counts: Float[np.ndarray, " distances"]
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean score between distances, over the variance of all causal scores.

    Args:
        measured: mean score at every distance that has a pair.
        square_sum: sum of the squared scores of all causal pairs of a window.
        counts: pairs at each distance.
    """
    weight = counts / counts.sum()
    between = products({"measured": measured}, weight)["measured", "measured"]
    mean = measured @ weight
    # per window on the diagonal, so that leaving out a window leaves out its rows and columns
    second = np.einsum("wh,wv->hwv", square_sum / counts.sum(), np.eye(len(measured)))
    means = np.einsum("wh,vh->hwv", mean, mean)

    def between_over_all(between: Gram, second: Gram, means: Gram) -> PerHead:
        total = np.trace(second, axis1=-2, axis2=-1) / second.shape[-1] - cross(means)
        return cross(between) / np.where(total == 0, np.nan, total)

    return jackknife(between_over_all, between, second, means)
