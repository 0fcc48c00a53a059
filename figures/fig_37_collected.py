"""Figure 37: the share of the bits beyond the trained length that each method collects, by context length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, end_labels, headline, method, note, nothing_yet, powers_of_two

SHOWN = ("RoPE", "RoPE + YaRN", "TAPA", "ALiBi", "NoPE")
MARKS = dict(zip(SHOWN, ("o", "v", "s", "^", "D"), strict=True))
CORPUS = "private-words"
FLOOR = -1.0  # harm beyond this is an arrow at the edge


def draw(records: Mapping[str, Any]) -> Figure:
    """1: the best reader, who knows the process; 0: a reader who cuts at the trained length; below 0: harm."""
    data = records["long"]
    figure, ax = plt.subplots(figsize=(PAGE, 3.2))
    ends = []
    rows = [row for row in data["collected"] if row["corpus"] == CORPUS and row["label"] in SHOWN]
    for shift, name in enumerate(SHOWN):
        mine = sorted((row for row in rows if row["label"] == name), key=lambda row: row["length"])
        if not mine:
            continue
        shown, style = method(name) or ("", {})
        at = [row["length"] / data["length"] * 2 ** (0.03 * (shift - 2)) for row in mine]
        values = [max(row["share"], FLOOR) for row in mine]
        ax.plot(at, values, marker=MARKS[name], ms=3.5, label=name, **style)
        for x, row in zip(at, mine, strict=True):
            if row["share_low"] is not None and row["share"] > FLOOR:
                ax.vlines(x, max(row["share_low"], FLOOR), row["share_high"], color=style["color"], lw=0.9)
            if row["share"] <= FLOOR:
                ax.annotate(f"{row['share']:.1f}", (x, FLOOR), (0, 4), textcoords="offset points", ha="center",
                            fontsize=6, color=style["color"])  # fmt: skip
        ends.append((values[-1], f"{shown} ({len(mine[-1]['seeds'])})", style["color"]))
    for level, words in ((1, "best reader"), (0, "cuts at L")):
        ax.axhline(level, color=COLOURS["grey"], lw=0.7, ls=":")
        ax.annotate(words, (0.01, level), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                    color=COLOURS["grey"], fontsize=6.5)  # fmt: skip
    powers_of_two(ax)
    ax.set(xlabel="context length / trained length", ylabel="share of the bits beyond L\nthat are collected")
    ax.set_ylim(FLOOR - 0.1, 1.15)
    end_labels(ax, ends, size=6.5)
    if not rows:
        nothing_yet(ax)
    note(figure, "private words; each seed's run of the least validation loss (number of seeds in brackets); bars: "
         "95 % over seeds, of one seed over documents; numbers at the lower edge: shares below it")  # fmt: skip
    headline(figure, _finding(rows))
    return figure


def _finding(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who collects anything for certain at the longest length."""
    if not rows:
        return "How much of what far context is worth does a method collect?"
    longest = max(row["length"] for row in rows)
    last = [row for row in rows if row["length"] == longest]
    some = [row["label"] for row in last if row["share_low"] is not None and row["share_low"] > 0]
    if not some:
        return "No method certainly collects bits from beyond the trained length"
    said = ", ".join(
        f"{row['label']} {100 * row['share']:.0f}\u00a0%" for row in last if row["label"] in some
    )
    return f"Of the bits between L and {longest} bytes of context are collected: {said}"
