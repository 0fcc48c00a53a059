"""Figure 23: how a trained TAPA head's mean score falls and its variance stays, beside theorems 3.2 and 3.3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    COLOURS,
    PAGE,
    distance_axis,
    end_labels,
    head_label,
    headline,
    note,
    panel,
    ranked,
    run_label,
)

NAMED = (
    ("blue", "-"),
    ("orange", "--"),
    ("vermilion", "-."),
)  # the heads that lose most; the others are grey


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """One line a head, windows as long as trained, the long ones paler; what the theorems say is dashed and black."""
    long, data = records["phase"], records["phase_short"]
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 4.9))
    ends: list[list[tuple[float, str, str]]] = [[], [], [], []]
    for i, (layer, head) in enumerate(ranked(data)):
        look = _look(i)
        _lines(axes, data.sel(layer=layer, head=head), look)
        far = _lines(axes, long.sel(layer=layer, head=head), look | {"alpha": 0.4, "lw": 0.7})
        if i < len(NAMED):
            for mine, values in zip(ends, far, strict=True):
                mine.append((float(values[-1]), head_label((layer, head)), look["color"]))
    _finish(axes, data, long)
    for ax, letter, mine in zip(axes.flat, "abcd", ends, strict=True):
        panel(ax, letter)
        end_labels(ax, mine)
    note(figure, "named: the heads (layer.head) that lose most without their cosine, grey: the others; full colour: "
         f"{data.attrs['windows']} windows of the trained length (dotted); pale: {long.attrs['windows']} windows of "
         f"{long.attrs['length']} tokens")  # fmt: skip
    headline(figure, _finding(data))
    return figure


def _lines(axes: np.ndarray, x: xr.Dataset, look: dict[str, Any]) -> list[xr.DataArray]:
    """One head in windows of one length, panel by panel; returns what was drawn."""
    inner = x.isel(distance=slice(1, x.sizes["distance"] // 2))
    at = 2 * np.sqrt(2.0) * x.octave.values[: x.sizes["step"]]
    drawn = [inner.score, x.exponent_seen, inner.variance_kept, x.entropy_by_seen]
    for ax, where, values in zip(axes.flat, (inner.distance, at, inner.distance, x.seen), drawn, strict=True):
        marks = {"marker": ".", "ms": 4} if values is drawn[1] else {}
        ax.plot(where, values, **marks, **look)
    return drawn


def _finding(data: xr.Dataset) -> str:
    """In how many heads the variance is above the bound at every distance within the trained length."""
    inner = data.variance_kept.isel(distance=slice(1, data.sizes["distance"] // 2))
    above = int((inner >= 1).all("distance").sum())
    heads = data.sizes["layer"] * data.sizes["head"]
    return (
        f"{run_label(data)}: within the trained length the variance stays above the bound of theorem 3.3,\n"
        f"which is of the limit of distance, in {above} of {heads} heads"
    )


def _look(rank: int) -> dict[str, Any]:
    if rank >= len(NAMED):
        return {"color": COLOURS["grey"], "lw": 0.7, "zorder": 1.5}
    colour, style = NAMED[rank]
    return {"color": COLOURS[colour], "ls": style, "lw": 1.2}


def _finish(axes: np.ndarray, data: xr.Dataset, long: xr.Dataset) -> None:
    (scores, exponents), (variance, entropy) = axes
    paper = float(data.exponent_paper.isel(layer=0, head=0))
    scores.axhline(0, color="black", lw=0.5)
    scores.set_ylabel("mean score")
    exponents.axhline(0, color="black", lw=0.5)
    if np.isfinite(paper):  # eq 14 says nothing of a linear phase
        exponents.axhline(paper, color="black", lw=1.4, ls="--")
        exponents.set_title(f"dashed: bound of eq 14, {paper:g}", loc="right", fontsize=7)
    exponents.set_ylabel("slope of log |mean score|")
    variance.axhline(1, color="black", lw=1.4, ls="--")
    variance.set_title("dashed: bound of eq 15", loc="right", fontsize=7)
    variance.set(ylabel="variance of the score /\n(E amplitude$^2$ / 2)", ylim=(0, None))
    alike = [np.log(np.arange(seen, 2 * seen)).mean() for seen in long.seen.values]  # all weights equal
    entropy.plot(long.seen, alike, color="black", lw=1.4, ls="--")
    entropy.set_title("dashed: all weights equal", loc="right", fontsize=7)
    entropy.set_ylabel("entropy of attention (nats)")
    for ax in axes.flat:
        _length(ax, data.attrs["trained_length"])
    entropy.set_xlabel("tokens seen")


def _length(ax: Axes, trained: int) -> None:
    distance_axis(ax)
    ax.axvline(trained, color=COLOURS["grey"], lw=0.8, ls=":")
