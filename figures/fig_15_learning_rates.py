"""Figure 15: what the learning rate does to the validation loss, which decides it, and beyond the trained length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import PAGE, end_labels, headline, method, nothing_yet, of_group, panel


def draw(records: Mapping[str, Any]) -> Figure:
    """Seed 0; ring: chosen by the validation loss; cross at the top: diverged."""
    data = records["results"]
    settings = {row["variant"]: row for row in data["settings"]}
    rows = [row for row in data["tuning"] if not settings[row["variant"]]["task"]]
    scratch = [row for row in rows if settings[row["variant"]]["parent"] is None]
    fine = [row for row in rows if settings[row["variant"]]["parent"] is not None]
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 5.2))
    panels = (
        ("encodings, validation", scratch, "encodings", "validation_bits"),
        ("encodings, at 8 times the length", scratch, "encodings", "bits_longest"),
        ("fine-tuned at 4 L, validation", fine, "fine-tuned at 4 L", "validation_bits"),
        ("variants, validation", scratch, "variants of RoPE and TAPA", "validation_bits"),
    )
    for ax, letter, (title, chosen, group, key) in zip(axes.flat, "abcd", panels, strict=True):
        _panel(ax, of_group(chosen, group), key)
        panel(ax, letter)
        ax.set_title(title, loc="left")
    for ax in axes[:, 0]:
        ax.set_ylabel("bits per byte")
    for ax in axes[-1]:
        ax.set_xlabel("learning rate (ring: chosen)")
    headline(figure, _finding(of_group(scratch, "encodings")))
    return figure


def _finding(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """For how many encodings the chosen rate is also the best beyond the trained length."""
    both = [mine for mine in rows.values() if any(row["chosen"] for row in mine)]
    same = 0
    for mine in both:
        read = [row for row in mine if row["bits_longest"] is not None]
        same += min(read, key=lambda row: row["bits_longest"])["chosen"]
    said = f"is also the best at 8 times the length for {same} of {len(both)} encodings"
    return f"The learning rate that validation chooses {said}"


def _panel(ax: Axes, group: Mapping[str, Sequence[Mapping[str, Any]]], key: str) -> None:
    ends = []
    for name, every in group.items():
        mine = [row for row in every if row["variant"] == every[0]["variant"]]
        _, style = method(name) or ("", {})
        well = [row for row in mine if row[key] is not None]
        ax.plot(
            [row["lr"] for row in well], [row[key] for row in well], marker=".", ms=3, label=name, **style
        )
        if well:
            ends.append((well[-1][key], name, style["color"]))
        for row in mine:
            if row["chosen"]:
                ax.plot([row["lr"]], [row[key]], "o", ms=6, mfc="none", color=style["color"])
            if row[key] is None:
                ax.plot(
                    [row["lr"]], [0.97], "x", ms=5, color=style["color"], transform=ax.get_xaxis_transform()
                )
    ax.set_xscale("log")
    names = {row["lr"]: row["rate"] for mine in group.values() for row in mine}
    # turned, so that seven rates fit into a panel
    ax.set_xticks(list(names), list(names.values()), rotation=45, ha="right", rotation_mode="anchor")
    ax.set_xticks([], minor=True)
    if not group:
        nothing_yet(ax)
    end_labels(ax, ends)
