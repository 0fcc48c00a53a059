"""Figure 17: what TAPA's exponent and its share of amplitude dimensions do to the loss at every length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import PAGE, SEQUENTIAL, end_labels, headline, note, nothing_yet, panel

MARKS = "osD^v"
SEPARATE = "tapa_separate"  # phase projections of its own instead of a share: at the right edge
EDGE = 1.0


def draw(records: Mapping[str, Any]) -> Figure:
    """Points: means over seeds, with Student's t intervals over them; a line for each context length."""
    data = records["results"]
    settings = {row["variant"]: row for row in data["settings"]}
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 3.2), sharey=True)
    for ax, name, key, letter in zip(
        axes, ("alpha", "share"), ("alpha", "amplitude_share"), "ab", strict=True
    ):
        _panel(ax, data[name], settings, key)
        panel(ax, letter)
    axes[0].set(xscale="log", xlabel=r"exponent $\alpha$ of the distance", ylabel="bits per byte")
    axes[1].set_xlabel("amplitude dimensions / all dimensions")
    axes[1].set_title("lines: context length in bytes", loc="right", fontsize=7)
    if any(row["variant"] == SEPARATE for row in data["share"]):
        axes[1].set_xticks([0.25, 0.5, 0.75, EDGE], ["0.25", "0.5", "0.75", "separate\nprojections"])
    axes[1].set_ylim(bottom=2.0)
    for ax in axes:
        end_labels(ax, [(line.get_ydata()[-1], str(line.get_label()), line.get_color()) for line in ax.lines
                        if not str(line.get_label()).startswith("_")])  # fmt: skip
    note(figure, "means over seeds with 95 % intervals over seeds")
    headline(figure, _finding(data["alpha"], settings))
    return figure


def _finding(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """At which exponent the loss at the longest length is least, and at the trained one."""
    if not rows:
        return "TAPA's exponent and its share of amplitude dimensions"
    best = {}
    for length in (min(row["length"] for row in rows), max(row["length"] for row in rows)):
        least = min((row for row in rows if row["length"] == length), key=lambda row: row["bits"])
        best[length] = settings[least["variant"]]["alpha"]
    (short, at_short), (long, at_long) = best.items()
    return (
        f"In the mean over seeds TAPA's loss at {long} bytes is least with an exponent of {at_long:g},\n"
        f"at {short} bytes with {at_short:g}"
    )


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], key: str) -> None:
    lengths = sorted({row["length"] for row in rows})
    shades = mpl.colormaps[SEQUENTIAL](np.linspace(0, 0.75, max(len(lengths), 1)))
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
