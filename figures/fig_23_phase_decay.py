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
    """One line a head, long windows; the trained length is dotted, what the theorems say dashed and black."""
    data = records["phase"]
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 4.9))
    ends: list[list[tuple[float, str, str]]] = [[], [], [], []]
    for i, (layer, head) in enumerate(ranked(records["phase_short"])):
        x = data.sel(layer=layer, head=head)
        look = _look(i)
        inner = x.isel(distance=slice(1, x.sizes["distance"] // 2))
        at = np.sqrt(2.0) * data.octave.values
        axes[0, 0].plot(inner.distance, inner.score, **look)
        axes[0, 1].plot(2 * at[: x.sizes["step"]], x.exponent_seen, marker=".", ms=4, **look)
        axes[1, 0].plot(inner.distance, inner.variance_kept, **look)
        axes[1, 1].plot(data.seen, x.entropy_by_seen, **look)
        if i < len(NAMED):
            of = (inner.score, x.exponent_seen, inner.variance_kept, x.entropy_by_seen)
            for mine, values in zip(ends, of, strict=True):
                mine.append((float(values[-1]), head_label((layer, head)), look["color"]))
    _finish(axes, data)
    for ax, letter, mine in zip(axes.flat, "abcd", ends, strict=True):
        panel(ax, letter)
        end_labels(ax, mine)
    note(figure, "named: the heads (layer.head) that lose most without their cosine, grey: the others; dotted: the "
         "trained length")  # fmt: skip
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """In how many heads the variance is above the bound at every distance."""
    inner = data.variance_kept.isel(distance=slice(1, data.sizes["distance"] // 2))
    above = int((inner >= 1).all("distance").sum())
    heads = data.sizes["layer"] * data.sizes["head"]
    return (
        f"{run_label(data)}: the variance stays above theorem 3.3's bound in {above} of {heads} trained heads"
    )


def _look(rank: int) -> dict[str, Any]:
    if rank >= len(NAMED):
        return {"color": COLOURS["grey"], "lw": 0.7, "zorder": 1.5}
    colour, style = NAMED[rank]
    return {"color": COLOURS[colour], "ls": style, "lw": 1.2}


def _finish(axes: np.ndarray, data: xr.Dataset) -> None:
    (scores, exponents), (variance, entropy) = axes
    paper = float(data.exponent_paper.isel(layer=0, head=0))
    scores.axhline(0, color="black", lw=0.5)
    scores.set_ylabel("mean score")
    exponents.axhline(paper, color="black", lw=1.4, ls="--")
    exponents.axhline(0, color="black", lw=0.5)
    exponents.set_title(f"dashed: bound of eq 14, {paper:g}", loc="right", fontsize=7)
    exponents.set_ylabel("slope of log |mean score|")
    variance.axhline(1, color="black", lw=1.4, ls="--")
    variance.set_title("dashed: bound of eq 15", loc="right", fontsize=7)
    variance.set(ylabel="variance of the score /\n(E amplitude$^2$ / 2)", ylim=(0, None))
    alike = [np.log(np.arange(seen, 2 * seen)).mean() for seen in data.seen.values]  # all weights equal
    entropy.plot(data.seen, alike, color="black", lw=1.4, ls="--")
    entropy.set_title("dashed: all weights equal", loc="right", fontsize=7)
    entropy.set_ylabel("entropy of attention (nats)")
    for ax in axes.flat:
        _length(ax, data.attrs["trained_length"])
    entropy.set_xlabel("tokens seen")


def _length(ax: Axes, trained: int) -> None:
    distance_axis(ax)
    ax.axvline(trained, color=COLOURS["grey"], lw=0.8, ls=":")
