"""Figure 17: what TAPA's exponent and its share of amplitude dimensions do to the loss at every length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import PAGE, SEQUENTIAL, nothing_yet, panel

MARKS = "osD^v"
SEPARATE = "tapa_separate"  # phase projections of its own instead of a share: at the right edge
EDGE = 1.0


def draw(records: Mapping[str, Any]) -> Figure:
    data = records["results"]
    settings = {row["variant"]: row for row in data["settings"]}
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.8), sharey=True)
    for ax, name, key, letter in zip(
        axes, ("alpha", "share"), ("alpha", "amplitude_share"), "ab", strict=True
    ):
        _panel(ax, data[name], settings, key)
        panel(ax, letter)
    axes[0].set(xscale="log", xlabel=r"exponent $\alpha$ of the distance", ylabel="bits per byte")
    axes[1].set_xlabel("amplitude dimensions / all dimensions")
    if any(row["variant"] == SEPARATE for row in data["share"]):
        axes[1].set_xticks([0.25, 0.5, 0.75, EDGE], ["0.25", "0.5", "0.75", "separate\nprojections"])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, title="read at a length of")
    return figure


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], key: str) -> None:
    """Points: means over seeds, with Student's t intervals over them; a line for each length."""
    lengths = sorted({row["length"] for row in rows})
    shades = mpl.colormaps[SEQUENTIAL](np.linspace(0, 0.85, max(len(lengths), 1)))
    for length, shade, mark in zip(lengths, shades, MARKS, strict=False):
        mine = [row for row in rows if row["length"] == length]
        points = sorted(
            (settings[row["variant"]][key], row["bits"]) for row in mine if row["variant"] != SEPARATE
        )
        ax.plot(*np.array(points).T, color=shade, marker=mark, ms=3.5, label=f"{length}")
        for row in mine:
            x = EDGE if row["variant"] == SEPARATE else settings[row["variant"]][key]
            if row["variant"] == SEPARATE:
                ax.plot([x], [row["bits"]], mark, color=shade, ms=3.5)
            if row["bits_seeds_low"] is not None:
                ax.vlines(x, row["bits_seeds_low"], row["bits_seeds_high"], color=shade, lw=0.8)
    if not rows:
        nothing_yet(ax)
