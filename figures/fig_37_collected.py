"""Figure 37: what each method makes of context beyond L: its share of known bits, or its loss on key tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    COLOURS,
    PAGE,
    end_labels,
    headline,
    method,
    note,
    nothing_yet,
    over_most_seeds,
    powers_of_two,
    seeds_label,
)

SHOWN = ("RoPE", "RoPE + YaRN", "TAPA", "ALiBi", "NoPE")
MARKS: Mapping[str, str] = dict(zip(SHOWN, ("o", "v", "s", "^", "D"), strict=True))
FLOOR = -1.0  # harm beyond this is an arrow at the edge
Rows = Sequence[Mapping[str, Any]]


def draw(records: Mapping[str, Any]) -> Figure:
    """Shares where the best reader's loss is known; else the loss on tokens for which a reference needs far context."""
    data = records["long"]
    figure, ax = plt.subplots(figsize=(PAGE, 3.2))
    shares, use = (
        over_most_seeds(
            (row for row in data[key] if row["corpus"] == data["corpus"] and row["label"] in SHOWN), "label"
        )
        for key in ("collected", "use")
    )
    if not shares and not use:
        nothing_yet(ax)
    ax.set(xlabel="context length / trained length")
    if shares or not use:
        _shares(ax, data, shares)
        note(figure, "private words; each seed's run of the least validation loss; bars: 95 % over seeds, of one seed "
             "over documents; numbers at the lower edge: shares below it")  # fmt: skip
        headline(figure, _collected(shares))
    else:
        _key_tokens(ax, data, use)
        note(figure, f"corpus {data['corpus']}; key tokens: their loss under a RoPE model trained at 4L falls by more "
             "than a nat with windows of 4L in place of L; from 2L on every target has more than L tokens before it; "
             "each seed's run of the least validation loss, of several the mean")  # fmt: skip
        headline(figure, _used(use, data["length"]))
    powers_of_two(ax)
    return figure


def _shares(ax: Axes, data: Mapping[str, Any], rows: Rows) -> None:
    """1: the best reader, who knows the process; 0: a reader who cuts at the trained length; below 0: harm."""
    ends = []
    for shift, name, mine in _by_method(rows):
        shown, style = method(name) or ("", {})
        at = _places(mine, data["length"], shift)
        values = [max(row["share"], FLOOR) for row in mine]
        ax.plot(at, values, marker=MARKS[name], ms=3.5, label=name, **style)
        for x, row in zip(at, mine, strict=True):
            if row["share_low"] is not None and row["share"] > FLOOR:
                ax.vlines(x, max(row["share_low"], FLOOR), row["share_high"], color=style["color"], lw=0.9)
            if row["share"] <= FLOOR:
                ax.annotate(f"{row['share']:.1f}", (x, FLOOR), (0, 4), textcoords="offset points", ha="center",
                            fontsize=6, color=style["color"])  # fmt: skip
        ends.append((values[-1], f"{shown}, {seeds_label(mine[-1]['seeds'])}", style["color"]))
    for level, words in ((1, "best reader"), (0, "cuts at L")):
        ax.axhline(level, color=COLOURS["grey"], lw=0.7, ls=":")
        ax.annotate(words, (0.01, level), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                    color=COLOURS["grey"], fontsize=6.5)  # fmt: skip
    ax.set(ylabel="share of the bits beyond L\nthat are collected", ylim=(FLOOR - 0.1, 1.15))
    end_labels(ax, ends, size=6.5)


def _key_tokens(ax: Axes, data: Mapping[str, Any], rows: Rows) -> None:
    """Bits a key token by the length of the context, beside those of the reference."""
    ends = []
    for shift, name, mine in _by_method([row for row in rows if row["key_bits"] is not None]):
        shown, style = method(name) or ("", {})
        values = [row["key_bits"] for row in mine]
        ax.plot(_places(mine, data["length"], shift), values, marker=MARKS[name], ms=3.5, label=name, **style)
        ends.append((values[-1], f"{shown}, {seeds_label(mine[-1]['seeds'])}", style["color"]))
    for row in data["runs"]:
        if (row["corpus"], row["kind"], row["diverged"]) == (data["corpus"], "reference", False):
            lengths = [n for n in data["lengths"] if n <= 4 * data["length"]]
            bits = [row["key_bits"][str(n)] for n in lengths]
            at = [n / data["length"] for n in lengths]
            ax.plot(at, bits, color=COLOURS["grey"], lw=0.9, ls=":")
            ax.annotate("reference, trained at 4L", (at[0], bits[0]), (6, 2), textcoords="offset points",
                        color=COLOURS["grey"], fontsize=6.5)  # fmt: skip
    ax.set(ylabel="bits a key token\n(falls: far context is used)")
    end_labels(ax, ends, size=6.5)


def _by_method(rows: Rows) -> list[tuple[int, str, list[Mapping[str, Any]]]]:
    """Place, name and rows by length of each method that has any, and of each of its seeds where they are apart."""
    found = []
    for shift, name in enumerate(SHOWN):
        of_name = [row for row in rows if row["label"] == name]
        for seeds in sorted({tuple(row["seeds"]) for row in of_name}):
            mine = [row for row in of_name if tuple(row["seeds"]) == seeds]
            found.append((shift, name, sorted(mine, key=lambda row: row["length"])))
    return found


def _places(rows: Rows, length: int, shift: int) -> list[float]:
    return [row["length"] / length * 2 ** (0.03 * (shift - 2)) for row in rows]


def _collected(rows: Rows) -> str:
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


def _used(rows: Rows, length: int) -> str:
    """What context from 2L, where every target has more than L before it, to 4L changes on key tokens."""
    bits = {
        (row["variant"], row["extension"], tuple(row["seeds"]), row["length"]): row["key_bits"]
        for row in rows
    }
    said: dict[str, list[str]] = {}
    for _, name, (row, *_) in _by_method(rows):
        place = row["variant"], row["extension"], tuple(row["seeds"])
        two, four = (bits.get((*place, times * length)) for times in (2, 4))
        if two is not None and four is not None:
            said.setdefault(name, []).append(f"{four - two:+.2f}")
    changes = ", ".join(f"{name} {' and '.join(values)}" for name, values in said.items())
    return f"From windows of 2L to 4L, bits a key token change by: {changes}"
