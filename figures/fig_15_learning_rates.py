"""Figure 15: what the learning rate does to the validation loss, which decides it, and beyond the trained length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import MAIN, PAGE, legend_below, method, nothing_yet, panel


def draw(records: Mapping[str, Any]) -> Figure:
    data = records["results"]
    settings = {row["variant"]: row for row in data["settings"]}
    rows = [row for row in data["tuning"] if not settings[row["variant"]]["task"]]
    scratch = [row for row in rows if settings[row["variant"]]["parent"] is None]
    fine = [row for row in rows if settings[row["variant"]]["parent"] is not None]
    figure, axes = plt.subplots(1, 3, figsize=(PAGE, 2.9))
    for ax, letter, (chosen, key) in zip(
        axes,
        "abc",
        ((scratch, "validation_bits"), (scratch, "bits_longest"), (fine, "validation_bits")),
        strict=True,
    ):
        _panel(ax, chosen, key)
        panel(ax, letter)
    axes[0].set(title="from scratch, validation", ylabel="bits per byte")
    axes[1].set_title("from scratch, at 8 times the length")
    axes[2].set_title("fine-tuning, validation")
    legend_below(figure, 5)
    return figure


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], key: str) -> None:
    """Seed 0; ring: chosen by the validation loss; cross at the top: diverged."""
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        if (found := method(mine[0]["label"])) is None or found[0] not in (*MAIN, "YaRN"):
            continue
        name, style = found
        well = [row for row in mine if row[key] is not None]
        ax.plot(
            [row["lr"] for row in well], [row[key] for row in well], marker=".", ms=3, label=name, **style
        )
        for row in mine:
            if row["chosen"]:
                ax.plot([row["lr"]], [row[key]], "o", ms=6, mfc="none", color=style["color"])
            if row[key] is None:
                ax.plot(
                    [row["lr"]], [0.97], "x", ms=5, color=style["color"], transform=ax.get_xaxis_transform()
                )
    ax.set_xscale("log")
    names = {row["lr"]: row["rate"] for row in rows}
    # turned, so that seven rates fit into a panel
    ax.set_xticks(list(names), list(names.values()), rotation=45, ha="right", rotation_mode="anchor")
    ax.set_xticks([], minor=True)
    ax.set_xlabel("learning rate")
    if not rows:
        nothing_yet(ax)
