"""Figure 43: the place that a linear reader finds in hidden states against the place where the token stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from figures.style import (
    COLOURS,
    PAGE,
    colour_of,
    end_labels,
    headline,
    method_order,
    names_of,
    note,
    nothing_yet,
)

MARKS = "os^Dv"
READS = 0.5  # of the variance within L: a reader that explains less has not found the place
Row = Mapping[str, Any]


def draw(records: Mapping[str, Any]) -> Figure:
    """A line a run whose states say the place, and one grey line for each whose states do not."""
    rows = ordered(records["position_code"]["rows"].values())
    figure, ax = plt.subplots(figsize=(PAGE, 3.6))
    if not rows:
        nothing_yet(ax)
        headline(figure, "Do hidden states say at which place a token stands?")
        return figure
    trained, last = rows[0]["trained_length"], rows[0]["read"][-1]["to"]
    ax.plot([1, last], [1, last], "--", color=COLOURS["grey"], lw=0.8, zorder=1)
    ax.axvline(trained, color=COLOURS["grey"], ls=":", lw=1.0)
    ends = []
    for at, row in enumerate(rows):
        x, y = [one["place"] for one in row["read"]], [one["said"][0] for one in row["read"]]
        bars = [[one["said"][0] - one["said"][1] for one in row["read"]],
                [one["said"][2] - one["said"][0] for one in row["read"]]]  # fmt: skip
        colour = colour_of(row["label"])
        ax.errorbar(
            x, y, yerr=bars, fmt=MARKS[at % len(MARKS)] + ("-" if reads(row) else ":"), ms=4, lw=1.1, color=colour,
            elinewidth=0.8, mfc=colour if reads(row) else "white",
        )  # fmt: skip
        ends.append((y[-1], name_of(row), colour))
    ax.set(
        xscale="log", yscale="log", xlabel="place in the window (tokens)", ylabel="place as the states say it"
    )
    ax.set_xlim(rows[0]["read"][0]["from"], last)
    ax.set_ylim(bottom=rows[0]["read"][0]["from"] / 2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    figure.canvas.draw()
    end_labels(ax, ends)
    share = "; ".join(f"{name_of(row)} {row['explained'][row['layer']][0]:.2f}" for row in rows)
    fresh = max(row["untrained"][row["layer"]][0] for row in rows)
    note(
        figure,
        f"Reader: linear, fitted within L = {trained} (dotted) on validation text, read on {rows[0]['files']} test "
        "files after the block that validation chose; 95 % intervals over files; grey: where the token stands. "
        f"Explained variance of the log place within L: {share}; fresh weights at most {fresh:.2f}.",
    )
    headline(figure, _finding(rows))
    return figure


def ordered(rows: Any) -> list[Row]:
    """By method, then seed."""
    return sorted(rows, key=lambda row: (method_order(row["label"]), row["seed"], row["lr"]))


def name_of(row: Row) -> str:
    """Method and seed."""
    return f"{row['label']}, seed {row['seed']}"


def reads(row: Row) -> bool:
    """Does the reader explain at least `READS` of the log place, within the trained length?"""
    return row["explained"][row["layer"]][0] >= READS


def _finding(rows: list[Row]) -> str:
    """Whose states say the place."""
    found = list(dict.fromkeys(row["label"] for row in rows if reads(row)))
    silent = [name for name in dict.fromkeys(row["label"] for row in rows) if name not in found]
    if not found:
        return "No hidden states say at which place a token stands"
    others = f", those of {names_of(silent)} do not" if silent else ""
    return f"The states of {names_of(found)} say a token's place{others}"
