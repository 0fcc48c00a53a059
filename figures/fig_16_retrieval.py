"""Figure 16: needle retrieval by distance, within the trained length and beyond it, against chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, end_labels, headline, method, note, nothing_yet, panel, powers_of_two

TASK = "needle"
CROWDED = 4  # a near fact is asked for again in a window of so many times the trained length


def draw(records: Mapping[str, Any]) -> Figure:
    """Lines: means over seeds; points: each seed, shares with exact intervals; rings: a distance in a longer window."""
    data = records["results"]
    trained = data["trained_length"]
    rows = [row for row in data["retrieval_rows"] if row["task"] == TASK]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 3.1), sharex=True)
    for ax, key, letter in zip(axes, ("share", "bits"), "ab", strict=True):
        _panel(ax, rows, key, trained)
        ax.axvline(trained, color="black", lw=0.6, ls=(0, (1, 3)))
        ax.set_xlabel("distance from fact to question (bytes)", fontsize=7)
        panel(ax, letter)
    axes[0].set(ylabel="share of exact answers", ylim=(-0.03, 1.03))
    axes[1].set(ylabel="bits of an answer", ylim=(0, None))
    for ax, level in zip(axes, ("chance", "chance_bits"), strict=True):
        ends = [(line.get_ydata()[-1], str(line.get_label()), str(line.get_color())) for line in ax.lines
                if not str(line.get_label()).startswith("_")]  # fmt: skip
        if rows:
            ax.axhline(rows[0][level], color=COLOURS["grey"], lw=0.8)
            ends.append((rows[0][level], "chance", COLOURS["grey"]))
        ax.set_xticks([8, 32, 128, 512])
        end_labels(ax, ends)
    note(figure, f"points: seeds with exact 95 % intervals; rings: the same distance in a window {CROWDED} times as "
         "long as trained; dotted: the trained length")  # fmt: skip
    headline(figure, _finding(rows, trained))
    return figure


def _finding(rows: Sequence[Mapping[str, Any]], trained: int) -> str:
    """The least share within the trained length, and the most at the longest distance."""
    if not rows:
        return "Needle retrieval by distance"
    within = [row["share"] for row in rows if row["length"] <= trained]
    longest = max(row["distance"] for row in rows)
    least, *_, most = sorted(100 * row["share"] for row in rows if row["distance"] == longest)
    return (
        f"Facts within the trained length are retrieved ({100 * min(within):.0f} % or more); at {longest} bytes the "
        f"best mean is {most:.0f} %, the worst {least:.0f} %"
    )


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], key: str, trained: int) -> None:
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
