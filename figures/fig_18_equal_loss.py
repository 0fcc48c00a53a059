"""Figure 18: loss at eight times the trained length against loss at the trained length, as training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from figures.style import COLUMN, MAIN, legend_below, method, nothing_yet


def draw(records: Mapping[str, Any]) -> Figure:
    """A line a seed, from the first checkpoint that is read to the end of training, which has the dot."""
    data = records["results"]
    settings = {row["variant"]: row for row in data["settings"]}
    figure, ax = plt.subplots(figsize=(COLUMN, 4.0))
    rows = [row for row in data["paths"] if not settings[row["variant"]]["task"] and row["label"] in MAIN]
    for row in rows:
        name, style = method(row["label"]) or ("", {})
        ax.plot(row["trained"], row["longest"], lw=0.8, label=name, **style)
        ax.plot(row["trained"][-1:], row["longest"][-1:], "o", ms=3, color=style["color"])
    low, high = ax.get_xlim()
    ax.axline((low, low), slope=1, color="black", lw=0.5, ls=":", label="no rise")
    ax.set(
        xlim=(high, low),
        xlabel="bits per byte at the trained length",
        ylabel="bits per byte at 8 times the length",
    )
    if not rows:
        nothing_yet(ax)
    legend_below(figure, 2)
    return figure
