"""Figure 28: loss beyond the trained length with the bias taken away there, and with the controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.experiments.plan import label
from figures.style import COLOURS, PAGE

RECORDS = ("bias",)
CLAIMS = ("thm-2.2",)
SHOWN = ("rope", "rope_large", "partial", "tapa", "alibi", "nope")
WAYS = {
    "plain": ("as it is", "black", "-", "o"),
    "hold beyond": ("bias held at its value at L", "blue", "-", "s"),
    "hold, predicted": ("the same, predicted from windows of L", "sky", "--", "D"),
    "subtract beyond": ("bias subtracted beyond L", "green", "-", "^"),
    "hold on average": ("control: level alone", "yellow", ":", "*"),
    "hold, shuffled": ("control: distances shuffled", "orange", ":", "x"),
    "clamp": ("distance clamped at L", "purple", "-.", "v"),
    "mask": ("nothing read beyond L", "grey", "-.", "+"),
}


def draw(records: Mapping[str, Any]) -> Figure:
    """Bits per byte above those at L, mean over seeds at the chosen rate, with 95 % intervals where there are seeds."""
    altered = records["bias"]["summary"]["altered"]
    shown = [name for name in SHOWN if name in altered] or list(altered)[:6]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(PAGE, 0.5 + 1.9 * rows), squeeze=False, sharex=True)
    for ax, name in zip(axes.flat, shown, strict=False):
        _panel(ax, altered[name])
        seeds = altered[name][0]["seeds"]
        ax.set_title(f"{label(name)} ({seeds} seed{'s' if seeds > 1 else ''})", loc="left")
    for ax in axes.flat[len(shown) :]:
        ax.axis("off")
    for ax in axes[:, 0]:
        ax.set_ylabel("bits/byte above\nthose at L")
    for ax in axes[-1]:
        ax.set_xlabel("length read (tokens)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _panel(ax: Axes, cells: list[dict[str, Any]]) -> None:
    lengths = sorted({cell["length"] for cell in cells})
    for kind, (words, colour, style, marker) in WAYS.items():
        own = [cell for cell in cells if cell["kind"] == (kind if kind != "plain" else "clamp")]
        if not own:
            continue
        ends = np.array([cell["lost" if kind == "plain" else "left"] for cell in own], dtype=float)
        left = ends[:, 0]
        bars = np.nan_to_num(np.array([left - ends[:, 1], ends[:, 2] - left]))  # one seed has no interval
        ax.errorbar(
            [cell["length"] for cell in own], left, bars, label=words, color=COLOURS[colour], ls=style,
            marker=marker, ms=3, capsize=2, elinewidth=0.6,
        )  # fmt: skip
    ax.axhline(0, color="black", lw=0.5)
    ax.set_xscale("log", base=2)
    ax.set_xticks(lengths, [str(length) for length in lengths])
