"""Figure 16: retrieval by distance, within the trained length and beyond it, against chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, legend_below, method, nothing_yet, panel, powers_of_two

TASK = "needle"
CROWDED = 4  # a near fact is asked for again in a window of so many times the trained length


def draw(records: Mapping[str, Any]) -> Figure:
    data = records["results"]
    trained = data["trained_length"]
    rows = [row for row in data["retrieval_rows"] if row["task"] == TASK]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 2.9), sharex=True)
    for ax, key, letter in zip(axes, ("share", "bits"), "ab", strict=True):
        _panel(ax, rows, key, trained)
        ax.axvline(trained, color="black", lw=0.6, ls=(0, (1, 3)))
        ax.set_xlabel("distance from the fact to the question (bytes)")
        panel(ax, letter)
    for ax, level, words in (
        (axes[0], "chance", "chance"),
        (axes[1], "chance_bits", "chance"),
    ):
        if rows:
            ax.axhline(rows[0][level], color=COLOURS["grey"], lw=0.8)
            ax.annotate(
                words, (0.99, rows[0][level]), (0, 2), xycoords=ax.get_yaxis_transform(),
                textcoords="offset points", ha="right", fontsize=7,
            )  # fmt: skip
    axes[0].set(ylabel="share of exact answers", ylim=(-0.03, 1.03))
    axes[1].set(ylabel="bits of an answer", ylim=(0, None))
    legend_below(figure, 6)
    return figure


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], key: str, trained: int) -> None:
    """Lines: means over seeds; points: each seed, shares with exact intervals; rings: a distance in a longer window."""
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        if (found := method(mine[0]["label"])) is None:
            continue
        name, style = found
        near = [row for row in mine if row["length"] != CROWDED * trained or row["distance"] > trained]
        again = [row for row in mine if row not in near]
        ax.plot([r["distance"] for r in near], [r[key] for r in near], label=name, **style)
        ax.plot(
            [r["distance"] for r in again],
            [r[key] for r in again],
            "o",
            ms=6,
            mfc="none",
            color=style["color"],
        )
        _seeds(ax, near, key, style["color"])
    ax.plot([], [], "o", color=COLOURS["grey"], ms=6, mfc="none", label="in a window of 4 times the length")
    powers_of_two(ax)
    if not rows:
        nothing_yet(ax)


def _seeds(ax: Axes, rows: Sequence[Mapping[str, Any]], key: str, colour: str) -> None:
    x = [row["distance"] for row in rows for _ in row["each"]]
    each = [one for row in rows for one in row["each"]]
    y = [one[key] for one in each]
    error = None
    if key == "share":
        error = [[one["share"] - one["low"] for one in each], [one["high"] - one["share"] for one in each]]
    ax.errorbar(x, y, error, fmt=".", ms=3, color=colour, elinewidth=0.5, alpha=0.7)
