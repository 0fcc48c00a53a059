"""Figure 14: loss by token position in the longest window: where beyond the trained length each method loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    GROUPS,
    PAGE,
    end_labels,
    headline,
    method,
    names_of,
    note,
    nothing_yet,
    of_group,
    panel,
    powers_of_two,
)

STRETCH = 4
LEAST = 4  # bins before this position are a few tokens each
RISE = 0.3  # bits a byte that count as worse


def draw(records: Mapping[str, Any]) -> Figure:
    """A panel a group of methods; dotted: the trained length, and four times it where fine-tuned."""
    data = records["results"]
    trained, parents = data["trained_length"], {row["variant"]: row["parent"] for row in data["settings"]}
    asked = {row["variant"] for row in data["settings"] if row["task"]}
    rows = [row for row in data["places"] if row["variant"] not in asked]
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 4.8), sharey=True)
    for ax, group, letter in zip(axes.flat, GROUPS, "abcd", strict=True):
        fine = group.startswith("fine-tuned")
        _panel(ax, of_group([row for row in rows if (parents[row["variant"]] is not None) == fine], group))
        for at in (trained, STRETCH * trained) if fine else (trained,):
            ax.axvline(at, color="black", lw=0.6, ls=(0, (1, 3)))
        panel(ax, letter)
        ax.set_title(group, loc="left")
    for ax in axes[:, 0]:
        ax.set_ylabel("bits per byte")
    for ax in axes[-1]:
        ax.set_xlabel("token position (bytes)")
    axes[0, 0].set_ylim(1.8, 6.2)
    for ax in axes.flat:
        end_labels(ax, [(line.get_ydata()[-1], str(line.get_label()), str(line.get_color())) for line in ax.lines
                        if not str(line.get_label()).startswith("_")])  # fmt: skip
    note(figure, "means over seeds; bands: 95 % over seeds; dotted: the trained length L, and 4 L")
    headline(figure, _finding(of_group(rows, "encodings"), trained))
    return figure


def _finding(rows: Mapping[str, Sequence[Mapping[str, Any]]], trained: int) -> str:
    """Of which encodings the last tokens are predicted worse than those at the end of the trained length."""
    worse, kept = [], []
    for name, (row, *_) in rows.items():
        before = np.array(row["last"]) < trained
        rise = row["bits"][-1] - np.array(row["bits"])[before][-1]
        (worse if rise > RISE else kept).append(name)
    said = f"Far beyond the trained length tokens cost more under {names_of(worse)}" if worse else "No rise"
    return f"{said}; not under {names_of(kept)}" if kept else said


def _panel(ax: Axes, group: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Lines: means over seeds, at the middle of each bin of positions; bands: Student's t over seeds."""
    for name, (row, *_) in group.items():
        _, style = method(name) or ("", {})
        first, last = np.array(row["first"]), np.array(row["last"])
        kept = first >= LEAST
        x = np.sqrt(first * last)[kept]
        ax.plot(x, np.array(row["bits"])[kept], label=name, **style)
        if None not in row["low"]:
            low, high = (np.array(row[end])[kept] for end in ("low", "high"))
            ax.fill_between(x, low, high, color=style["color"], alpha=0.12, lw=0)
    powers_of_two(ax)
    if not group:
        nothing_yet(ax)
    ax.set_xticks([4, 16, 64, 256, 1024])
