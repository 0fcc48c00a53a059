"""Figure 28: how much of the loss beyond the trained length each change of the scores there recovers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE

SHOWN = {
    "rope": ("blue", "o"),
    "rope_large": ("sky", "s"),
    "partial": ("purple", "^"),
    "tapa": ("orange", "D"),
    "nope": ("black", "v"),
}
INTERVENTIONS = {
    "mask": "attend to nothing beyond L",
    "clamp": "clamp the distance at L",
    "hold beyond": "hold the mean at its value at L",
    "hold, predicted": "the same, predicted from windows of L",
    "subtract beyond": "subtract the mean",
    "hold on average": "control: one level for all distances",
    "hold, shuffled": "control: distances shuffled",
}
SPAN = (-120.0, 140.0)  # per cent; intervals of the control reach further


def draw(records: Mapping[str, Any]) -> Figure:
    """Per cent of the rise of the loss at the longest length, mean over seeds with 95 % intervals (Student's t)."""
    altered, labels = (records["bias"]["summary"][key] for key in ("altered", "labels"))
    shown = [name for name in SHOWN if name in altered] or list(altered)[: len(SHOWN)]
    looks = list(SHOWN.values())
    figure, ax = plt.subplots(figsize=(PAGE, 0.9 + 0.52 * len(INTERVENTIONS)))
    for i, name in enumerate(shown):
        colour, marker = SHOWN.get(name, looks[i])
        cells = {cell["kind"]: cell for cell in longest(altered[name])}
        rows = [row for row, kind in enumerate(INTERVENTIONS) if share(cells.get(kind)) is not None]
        values = 100 * np.array([share(cells[list(INTERVENTIONS)[row]]) for row in rows], dtype=float)
        values = values.reshape(-1, 3)
        ax.errorbar(
            values[:, 0], np.array(rows) + 0.14 * (i - (len(shown) - 1) / 2),
            xerr=[values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]], ls="", marker=marker, ms=4.5,
            color=COLOURS[colour], elinewidth=1.0, label=f"{labels[name]}, {altered[name][0]['seeds']} seeds",
        )  # fmt: skip
    for at, words in ((0, "nothing"), (100, "all")):
        ax.axvline(at, color="black", lw=0.7)
        ax.annotate(words, (at, 1), (0, 2), ax.get_xaxis_transform(), textcoords="offset points", ha="center")
    ax.set_yticks(range(len(INTERVENTIONS)), list(INTERVENTIONS.values()))
    ax.set_ylim(len(INTERVENTIONS) - 0.5, -0.5)
    ax.set_xlim(*SPAN)
    length = max(cell["length"] for name in shown for cell in altered[name])
    ax.set_xlabel(f"recovered share of the rise of the loss from L to {length} tokens (%)")
    ax.set_title("Recovered loss by intervention; attention mass beyond L is not matched", pad=14)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def longest(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells of the longest length."""
    length = max(cell["length"] for cell in cells)
    return [cell for cell in cells if cell["length"] == length]


def share(cell: dict[str, Any] | None) -> list[float] | None:
    """Recovered share of the rise and the ends of its interval; the value alone where one seed has none."""
    if cell is None or cell["share"] is None or cell["share"][0] is None:
        return None
    value, low, high = cell["share"]
    return [value, value if low is None else low, value if high is None else high]
