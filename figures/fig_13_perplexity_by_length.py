"""Figure 13: perplexity by context length of our small models, beside the paper's 7B numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    PAGE,
    end_labels,
    headline,
    method,
    names_of,
    note,
    nothing_yet,
    of_group,
    plain_log,
    powers_of_two,
)

PANELS = {  # group: tables of ours and of the paper
    "encodings": ("table2", "table2"),
    "RoPE extended at inference": ("table2", "table2"),
    "fine-tuned at 4 L": ("table1", "table1"),
    "variants of RoPE and TAPA": ("table2", "table3"),
}
PAPER_TRAINED = 8192  # tokens
STRETCH = 4


def draw(records: Mapping[str, Any]) -> Figure:
    """Rows are groups of methods; every method at the learning rate that validation chose."""
    data = records["results"]
    figure, axes = plt.subplots(len(PANELS), 2, figsize=(PAGE, 7.6), sharex="col")
    for row, (group, (ours, paper)) in zip(axes, PANELS.items(), strict=True):
        _panel(row[0], of_group(data[ours], group), data["trained_length"], data[ours])
        _panel(row[1], of_group(data["paper"][paper], group), PAPER_TRAINED, data["paper"][paper])
        row[0].set_title(f"{group}: ours", loc="left")
        row[1].set_title("the same in the paper (v1), 7B", loc="left")
        row[0].set_ylabel("perplexity per byte")
        row[1].set_ylabel("per token")
        for ax in row:
            for at in (1, STRETCH) if group.startswith("fine-tuned") else (1,):
                ax.axvline(at, color="black", lw=0.6, ls=(0, (1, 3)))
    for ax in axes[-1]:
        ax.set_xlabel("context length / trained length L")
        ax.set_xticks([1 / 8, 1 / 2, 1, 2, 4, 8] if ax is axes[-1, 1] else [1, 2, 4, 8, 16])
    note(figure, "means over seeds, each method at the learning rate that validation chose; bands: 95 % over seeds; "
         "dotted: L, and 4 L")  # fmt: skip
    headline(figure, _finding(of_group(data["table2"], "encodings")))
    return figure


def _finding(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Perplexity at the longest context, methods with the largest first."""
    last = sorted(((mine[-1]["perplexity"], name) for name, mine in rows.items()), reverse=True)
    said = names_of([f"{value:.0f} for {name}" for value, name in last])
    return (
        f"At the longest context our perplexity per byte is {said}"
        if last
        else "Perplexity by context length"
    )


def _panel(
    ax: Axes,
    group: Mapping[str, Sequence[Mapping[str, Any]]],
    trained: int,
    table: Sequence[Mapping[str, Any]],
) -> None:
    """Lines: means over seeds; bands: Student's t over seeds."""
    ends = []
    for name, rows in group.items():
        _, style = method(name) or ("", {})
        points = _with_start(rows, table)
        x = [point["length"] / trained for point in points]
        ax.plot(x, [point["perplexity"] for point in points], marker=".", ms=3, label=name, **style)
        ends.append((points[-1]["perplexity"], name, style["color"]))
        if all(point.get("perplexity_seeds_low") is not None for point in points):
            low, high = ([point[f"perplexity_seeds_{end}"] for point in points] for end in ("low", "high"))
            ax.fill_between(x, low, high, color=style["color"], alpha=0.12, lw=0)
    powers_of_two(ax)
    if not group:
        nothing_yet(ax)
        return
    values = [point["perplexity"] for rows in group.values() for point in rows]
    ax.set_ylim(0.8 * min(values), 1.3 * max(values))
    if max(values) > 3 * min(values):  # else a logarithmic axis has hardly a number on it
        plain_log(ax)
    end_labels(ax, ends)


def _with_start(
    points: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """An extension at inference begins at the trained length, where it is the model itself."""
    first = points[0]
    if first.get("extension", "none") == "none":
        return points
    plain = [row for row in rows if row["variant"] == first["variant"] and row["extension"] == "none"]
    return [*plain[:1], *points]
