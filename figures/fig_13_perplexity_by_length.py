"""Figure 13: perplexity by context length of our small models, above the paper's 7B numbers in the same layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import PAGE, label_lines, method, nothing_yet, plain_log, powers_of_two

PANELS = {
    "table2": "no fine-tuning",
    "table1": "fine-tuned at 4 times",
    "table3": "linear and quadratic phase",
}
FINE_TUNED = {"ours": ("table1",), "paper": ("table1", "table3")}  # panels with a second trained length
PAPER_TRAINED = 8192  # tokens
STRETCH = 4
# the methods that the text is about; figures/tables has the others
SHOWN = {
    "table2": ("RoPE", "YaRN", "TAPA", "ALiBi", "sliding window"),
    "table1": ("RoPE", "YaRN", "PI", "TAPA", "ALiBi"),
    "table3": ("TAPA", "TAPA, linear phase"),
}


def draw(records: Mapping[str, Any]) -> Figure:
    data = records["results"]
    figure, axes = plt.subplots(2, 3, figsize=(PAGE, 3.9), sharex="col")
    for column, (name, title) in zip(axes.T, PANELS.items(), strict=True):
        _panel(column[0], data[name], SHOWN[name], data["trained_length"], bands=True)
        _panel(column[1], data["paper"][name], SHOWN[name], PAPER_TRAINED, bands=False)
        column[0].set_title(title)
        column[1].set_xlabel("length / trained length")
        for ax, whose in zip(column, ("ours", "paper"), strict=True):
            if name != "table3":  # whose range is small
                plain_log(ax)
            for at in (1, STRETCH) if name in FINE_TUNED[whose] else (1,):
                ax.axvline(at, color="black", lw=0.6, ls=(0, (1, 3)))
            label_lines(ax)
    axes[0, 0].set_ylabel("perplexity per byte\nours, 0.8 M parameters")
    axes[1, 0].set_ylabel("perplexity per token\npaper (v1), 7B")
    return figure


def _panel(
    ax: Axes, rows: Sequence[Mapping[str, Any]], shown: Sequence[str], trained: int, *, bands: bool
) -> None:
    """Lines: means over seeds; bands: Student's t over seeds."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(row["label"], []).append(row)
    for label, points in lines.items():
        if (found := method(label)) is None or found[0] not in shown:
            continue
        name, style = found
        points = _with_start(points, rows)
        x = [point["length"] / trained for point in points]
        ax.plot(x, [point["perplexity"] for point in points], marker=".", ms=3, label=name, **style)
        if bands and all(point["perplexity_seeds_low"] is not None for point in points):
            low, high = ([point[f"perplexity_seeds_{end}"] for point in points] for end in ("low", "high"))
            ax.fill_between(x, low, high, color=style["color"], alpha=0.12, lw=0)
    powers_of_two(ax)
    if not rows:
        nothing_yet(ax)


def _with_start(
    points: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """An extension at reading begins at the trained length, where it is the model itself."""
    first = points[0]
    if first.get("extension", "none") == "none":
        return points
    plain = [row for row in rows if row["variant"] == first["variant"] and row["extension"] == "none"]
    return [*plain[:1], *points]
