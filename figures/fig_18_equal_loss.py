"""Figure 18: loss at eight times the trained length against loss at the trained length, as training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from figures.style import PAGE, headline, method, names_of, nothing_yet

SHOWN = ("RoPE", "TAPA", "NoPE", "ALiBi", "sliding window")


def draw(records: Mapping[str, Any]) -> Figure:
    """A line a seed, from the first checkpoint that is evaluated to the end of training, which has the dot."""
    data = records["results"]
    settings = {row["variant"]: row for row in data["settings"]}
    figure, ax = plt.subplots(figsize=(PAGE, 3.6))
    rows = [row for row in data["paths"] if not settings[row["variant"]]["task"] and row["label"] in SHOWN]
    ends: dict[str, tuple[float, float, str]] = {}
    for row in rows:
        name, style = method(row["label"]) or ("", {})
        ax.plot(row["trained"], row["longest"], lw=1.0, label=name, **style)
        ax.plot(row["trained"][-1:], row["longest"][-1:], "o", ms=3.5, color=style["color"])
        end = (row["longest"][-1], row["trained"][-1], style["color"])
        ends[name] = max(ends.get(name, end), end)
    for name, (y, x, colour) in ends.items():
        ax.annotate(name, (x, y), (4, 4), textcoords="offset points", color=colour, fontsize=7)
    low, high = ax.get_xlim()
    ax.axline((low, low), slope=1, color="black", lw=0.5, ls=":")
    ax.set(
        xlim=(high, low - 0.2 * (high - low)),
        xlabel="bits per byte at the trained length (falls to the right; dotted: the same at both)",
        ylabel="bits per byte\nat 8 times the length",
    )
    ax.margins(y=0.08)
    if not rows:
        nothing_yet(ax)
    headline(figure, _finding(rows))
    return figure


def _finding(rows: Sequence[Mapping[str, Any]]) -> str:
    """Methods all of whose seeds end worse at the longest length than at their first checkpoint."""
    up = [
        name
        for name in SHOWN
        if (mine := [row for row in rows if row["label"] == name])
        and all(row["longest"][-1] > row["longest"][0] for row in mine)
    ]
    said = "Training lowers the loss at the trained length"
    return f"{said} and raises it at 8 times the length under {names_of(up)}" if up else said
