"""Figure 40: loss by context length before and after light fine-tuning at four times the trained length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    COLOURS,
    PAGE,
    colour_of,
    end_labels,
    headline,
    note,
    nothing_yet,
    panel,
    powers_of_two,
)

SHOWN = ("RoPE", "YaRN", "TAPA", "ALiBi", "NoPE")
LOOKS = ((":", "o", 0.45), ("--", "s", 0.7), ("-", "^", 1.0))  # line, marker and strength by share
AT = 4  # times the trained length, where fine-tuning was
Rows = Sequence[Mapping[str, Any]]


def draw(records: Mapping[str, Any]) -> Figure:
    """A panel a method, a line a share of the parent's tokens."""
    data = records["long"]
    rows = [row for row in data["fine"] if row["corpus"] == data["corpus"] and row["label"] in SHOWN]
    by_name = {name: _first([row for row in rows if row["label"] == name]) for name in SHOWN}
    by_name = {name: mine for name, mine in by_name.items() if any(row["share"] for row in mine)}
    figure, axes = plt.subplots(1, max(len(by_name), 1), figsize=(PAGE, 3.0), sharey=True, squeeze=False)
    for ax, (name, mine), letter in zip(axes[0], by_name.items(), "abcde", strict=False):
        _method(ax, mine, data["length"])
        ax.set_title(name)
        ax.set_xlabel("context / trained length")
        panel(ax, letter)
    axes[0, 0].set_ylabel("bits per byte")
    if not by_name:
        nothing_yet(axes[0, 0])
    figure.canvas.draw()  # heights of the panels, for labels that do not touch
    for ax, (name, mine) in zip(axes[0], by_name.items(), strict=False):
        lines = [_line(mine, share) for share in _shares(mine)]
        end_labels(
            ax,
            [(line[-1]["bits"], f"{100 * line[0]['share']:g} %", colour_of(name)) for line in lines],
            size=6.5,
        )
    note(
        figure,
        f"corpus {data['corpus']}; dotted: the parent before it (YaRN's under YaRN at inference); the others: after "
        "that share of its tokens at 4L (upright line), at the rate of the least validation loss there"
        + "".join(f"; {name} of factor {factor:g}" for name, factor in _factors(rows).items())
        + "; seeds: "
        + (
            ", ".join(
                map(str, sorted({n for mine in by_name.values() for row in mine for n in row["seeds"]}))
            )
            or "none"
        ),
    )
    headline(
        figure, _finding([row for mine in by_name.values() for row in mine], data["length"], list(by_name))
    )
    return figure


def _first(rows: Rows) -> list[Mapping[str, Any]]:
    """The rows of all seeds together, or of the first where not all of them have every share."""
    count = Counter(tuple(row["seeds"]) for row in rows)
    shown = max(count, key=lambda seeds: (count[seeds], len(seeds), [-seed for seed in seeds]), default=())
    return [row for row in rows if tuple(row["seeds"]) == shown]


def _factors(rows: Rows) -> dict[str, float]:
    return {row["label"]: row["factor"] for row in rows if row["factor"] is not None}


def _shares(rows: Rows) -> list[float]:
    return sorted({row["share"] for row in rows})


def _line(rows: Rows, share: float) -> list[Mapping[str, Any]]:
    return sorted((row for row in rows if row["share"] == share), key=lambda row: row["length"])


def _method(ax: Axes, rows: Rows, length: int) -> None:
    colour = colour_of(rows[0]["label"])
    for share, (line, mark, strength) in zip(_shares(rows), LOOKS, strict=False):
        mine = _line(rows, share)
        at = [row["length"] / length for row in mine]
        ax.plot(at, [row["bits"] for row in mine], ls=line, marker=mark, ms=3.5, lw=1.1, color=colour,
                alpha=strength)  # fmt: skip
    ax.axvline(AT, color=COLOURS["grey"], lw=0.7, ls=":")
    powers_of_two(ax)


def _finding(rows: Rows, length: int, names: Sequence[str]) -> str:
    """Losses at sixteen times the length after the largest share that every method has."""
    done = [{row["share"] for row in rows if row["label"] == name and row["share"]} for name in names]
    shared = set.intersection(*done) if done else set()
    if not shared:
        return "What does light fine-tuning at four times the length mend?"
    share, far = max(shared), max(row["length"] for row in rows)
    bits = {row["label"]: row["bits"] for row in rows if (row["share"], row["length"]) == (share, far)}
    said = ", ".join(f"{name} {bits[name]:.2f}" for name in names)
    return f"After {100 * share:g} % of its tokens at 4L each has at {far // length}L, bits a byte: {said}"
