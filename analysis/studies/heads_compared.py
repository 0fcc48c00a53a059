"""Two records of the heads of models beside each other: differences head by head, with intervals over windows.

Where both were measured in the same windows of text, differences are paired window by window. What a record keeps of
single windows is the mean query and the mean key, so that pairing is for what these predict; shares are compared by
their standard errors, as if the two had nothing in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from analysis.errors import InputError
from analysis.heads.beyond_context import mean_turns, octave_bins
from analysis.intervals import LEVEL, holm, mean_and_error
from analysis.studies.distance_bias import near_and_far

SHARES = {
    "distance_share": "share of the scores' variance between distances",
    "r2_bias": "R² of the means of queries and keys",
    "r2_paper": "R² of v1's formula, measured means",
}
OF_MEANS = {
    "near_far_of_means": "near less far score that the means predict",
    "log_slope_of_means": "slope against ln(distance) that the means predict",
}
Values = Float[np.ndarray, "windows layers heads"]


def compare_heads(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Differences of two records of `tapa measure`, the second less the first, of every head.

    Args:
        first, second: records of models with as many layers and heads: two checkpoints of one architecture, two context
            extensions, two lengths of windows, two texts.

    Returns:
        Dataset over quantity, layer and head: first, second, difference with its 95 % interval (low, high), and
        p_holm, two-sided and adjusted over all heads of a quantity (Holm 1979); nan where there is no error. Attribute
        `paired`: whether the windows are the same.

    Raises:
        InputError: the records are of different heads.
    """
    for name in ("layer", "head"):
        if first.sizes[name] != second.sizes[name]:
            raise InputError(
                f"the records have {first.sizes[name]} and {second.sizes[name]} {name}s"
                f"{' in a layer' if name == 'head' else ''}; compare models of the same heads"
            )
    paired = same_windows(first, second)
    one, other = (x.sel(first_token="dropped") for x in (first, second))
    rows = dict(_of_shares(one, other)) | dict(_of_windows(one, other, paired=paired))
    names = ("first", "second", "difference", "low", "high", "p_holm")
    data = xr.Dataset(
        {
            name: (("quantity", "layer", "head"), np.stack([row[i] for row in rows.values()]))
            for i, name in enumerate(names)
        },
        coords={"quantity": list(rows)},
    )
    return data.assign_attrs(paired=int(paired))


def comparison_numbers(found: xr.Dataset) -> dict[str, Any]:
    """Of each quantity the medians over heads, None if not finite, and how many heads differ after adjustment.

    That is None where no head could be tested, for want of standard errors.
    """
    numbers: dict[str, Any] = {
        "paired": bool(found.attrs["paired"]),
        "heads": found.sizes["layer"] * found.sizes["head"],
    }
    for name in found["quantity"].values.tolist():
        one = found.sel(quantity=name)
        medians = {key: float(one[key].median()) for key in ("first", "second", "difference")}
        tested = int(np.isfinite(one.p_holm).sum())
        numbers[name] = {key: value if math.isfinite(value) else None for key, value in medians.items()} | {
            "heads_tested": tested,
            "heads_that_differ": int((one.p_holm <= 1 - LEVEL).sum()) if tested else None,
        }
    return numbers


def same_windows(first: xr.Dataset, second: xr.Dataset) -> bool:
    """Whether two records are of the same windows of tokens."""
    text = first.attrs.get("text_sha256")
    return (
        text is not None
        and text == second.attrs.get("text_sha256")
        and first.sizes["distance"] == second.sizes["distance"]
        and first.sizes["window"] == second.sizes["window"]
        and bool((first.window_offset.values == second.window_offset.values).all())
    )


Row = tuple[np.ndarray, ...]


def _of_shares(one: xr.Dataset, other: xr.Dataset) -> Iterator[tuple[str, Row]]:
    for name in SHARES:
        (a, a_se), (b, b_se) = (
            (
                (x if "weighting" not in x.dims else x.sel(weighting="log")).values
                for x in (d[name], d[f"{name}_se"])
            )
            for d in (one, other)
        )
        # few windows: Student's t with the degrees of the record that has fewer
        degrees = min(one.sizes["window"], other.sizes["window"]) - 1
        yield name, _row(a, b, np.sqrt(a_se**2 + b_se**2), degrees)


def _of_windows(one: xr.Dataset, other: xr.Dataset, *, paired: bool) -> Iterator[tuple[str, Row]]:
    samples = [_window_values(d) for d in (one, other)]
    for name in OF_MEANS:
        a, b = (found[name] for found in samples)
        if paired:
            _, error = mean_and_error(b - a)
            degrees: float | np.ndarray = len(a) - 1
        else:  # Welch
            parts = [x.var(axis=0, ddof=1) / len(x) for x in (a, b)]
            error = np.sqrt(parts[0] + parts[1])
            with np.errstate(divide="ignore", invalid="ignore"):
                degrees = (parts[0] + parts[1]) ** 2 / (
                    parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
                )
        yield name, _row(a.mean(axis=0), b.mean(axis=0), error, degrees)


def _row(a: np.ndarray, b: np.ndarray, error: np.ndarray, degrees: float | np.ndarray) -> Row:
    difference = b - a
    half = stats.t.ppf((1 + LEVEL) / 2, degrees) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(difference) / error, degrees)
    return a, b, difference, difference - half, difference + half, _adjusted(p)


def _adjusted(p: np.ndarray) -> np.ndarray:
    """Holm's p-values over all heads that have one."""
    found = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        found[known] = holm(p[known])
    return found


def _window_values(data: xr.Dataset) -> dict[str, Values]:
    """What the means of every window predict: the near-far gap, and the slope against ln(distance)."""
    mu, nu = (
        data[f"{name}_window"]
        .sel(part="all")
        .transpose("window", "layer", "head", "pair")
        .values.astype(float)
        for name in ("mu", "nu")
    )
    near, far = (x.transpose("layer", "distance") for x in near_and_far(data))
    weight = (near - far).values
    distance = np.arange(data.sizes["distance"], dtype=float)
    gap, slope = [], []
    for layer, omega in enumerate(data.omega.values):
        scale = float(data.scale[layer])
        angle = np.outer(omega, distance)
        cos, sin = np.cos(angle) @ weight[layer], np.sin(angle) @ weight[layer]
        gap.append(scale * (mu[:, layer] @ cos + nu[:, layer] @ sin))
        last = int(np.flatnonzero(far.values[layer])[-1])
        first, stop = octave_bins(last)
        log = np.log((first + stop - 1) / 2)
        lever = (log - log.mean()) / ((log - log.mean()) ** 2).sum()  # octaves of distance alike
        turns = mean_turns(omega, first, stop)
        slope.append(
            scale * (mu[:, layer] @ (lever @ np.real(turns)) + nu[:, layer] @ (lever @ np.imag(turns)))
        )
    return {
        "near_far_of_means": np.stack(gap, axis=1),
        "log_slope_of_means": np.stack(slope, axis=1),
    }
