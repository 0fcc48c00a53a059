"""Figure 14: loss by token position in the longest window: where beyond the trained length each method loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import PAGE, label_lines, method, nothing_yet, panel, powers_of_two

STRETCH = 4
LEAST = 4  # bins before this position are a few tokens each
SHOWN = ("RoPE", "YaRN", "TAPA", "ALiBi", "sliding window")


def draw(records: Mapping[str, Any]) -> Figure:
    data = records["results"]
    trained, parents = data["trained_length"], {row["variant"]: row["parent"] for row in data["settings"]}
    asked = {row["variant"] for row in data["settings"] if row["task"]}
    rows = [row for row in data["places"] if row["variant"] not in asked]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 3.0), sharey=True)
    for ax, fine, letter in zip(axes, (False, True), "ab", strict=True):
        _panel(ax, [row for row in rows if (parents[row["variant"]] is not None) == fine])
        for at in (trained, STRETCH * trained) if fine else (trained,):
            ax.axvline(at, color="black", lw=0.6, ls=(0, (1, 3)))
        panel(ax, letter)
    axes[0].set(title=f"no fine-tuning; trained at {trained}", ylabel="bits per byte")
    axes[1].set_title(f"trained at {trained}, fine-tuned at {STRETCH * trained}")
    for ax in axes:
        label_lines(ax)
    return figure


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Lines: means over seeds, at the middle of each bin of positions; bands: Student's t over seeds."""
    for row in rows:
        if (found := method(row["label"])) is None or found[0] not in SHOWN:
            continue
        name, style = found
        first, last = np.array(row["first"]), np.array(row["last"])
        kept = first >= LEAST
        x = np.sqrt(first * last)[kept]
        ax.plot(x, np.array(row["bits"])[kept], label=name, **style)
        if None not in row["low"]:
            low, high = (np.array(row[end])[kept] for end in ("low", "high"))
            ax.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)
    powers_of_two(ax)
    ax.set_xlabel("token position in the window (bytes)")
    if not rows:
        nothing_yet(ax)
