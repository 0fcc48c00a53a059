"""Figure 42: what trained models lose beyond their length on source files, with and without attention to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.style import PAGE, colour_of, headline, method_order, names_of, note, nothing_yet

MASKED = "mask"
READINGS = {  # of one run: words, mark, filled
    "trained": ("in windows of L", "|", True),
    "plain": ("as it is", "o", True),
    "masked": ("all keys L or more away masked, 95 %", "s", False),
}
Run = Mapping[str, Any]


def draw(records: Mapping[str, Any]) -> Figure:
    """A row a run: its bits per byte within L, at the longest length, and there without attention beyond L."""
    content = records["bias_code"]
    runs = masked_runs(content)
    figure, ax = plt.subplots(figsize=(PAGE, 1.6 + 0.32 * max(len(runs), 1)))
    if not runs:
        nothing_yet(ax)
    for at, run in enumerate(runs):
        _run(ax, -at, run)
    ax.set_yticks([-at for at in range(len(runs))], [run["name"] for run in runs])
    ax.set(ylim=(0.6 - max(len(runs), 1), 0.6), xlabel="loss (bits per byte)")
    handles = [
        Line2D([], [], color="black", marker=mark, ls="none", mfc="black" if filled else "white", label=words)
        for words, mark, filled in READINGS.values()
    ]
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7, handletextpad=0.2,
        frameon=False,
    )  # fmt: skip
    if runs:
        row = next(iter(content["rows"].values()))
        note(
            figure,
            f"{len(row['documents'])} source files of the test split, {runs[0]['length']:,} tokens, L = "
            f"{row['trained_length']}; the same tokens are scored in all. Intervals over files. With the mask each "
            "layer reads the nearest L keys alone, which is the most that training shows; these keys have read further "
            "themselves, as no key in a window of L has.",
        )
    headline(figure, _finding(runs))
    return figure


def masked_runs(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Bits per byte of each run within L, as it is and masked (with its interval) at its longest length.

    By method and seed; a run that lost too little for a share of it has no interval.
    """
    found = []
    for row in content["rows"].values():
        cells = [cell for cell in row["altered"] if cell["kind"] == MASKED]
        if not cells:
            continue
        cell = max(cells, key=lambda cell: cell["length"])
        bits, label = cell["bits_per_byte"], content["summary"]["labels"][row["variant"]]
        lost = bits["plain"] - bits["trained"]
        ends = (bits["altered"],) * 2
        if cell["share"] is not None:
            ends = tuple(bits["plain"] - share * lost for share in (cell["share"][2], cell["share"][1]))
        found.append(
            {
                "label": label,
                "name": f"{label}, seed {row['seed']}",
                "length": cell["length"],
                "seed": row["seed"],
                "trained": bits["trained"],
                "plain": bits["plain"],
                "masked": bits["altered"],
                "ends": ends,
                "share": cell["share"],
            }
        )
    return sorted(found, key=lambda run: (method_order(run["label"]), run["seed"]))


def _run(ax: Axes, y: float, run: Run) -> None:
    colour = colour_of(run["label"])
    ax.plot([run["trained"], run["plain"]], [y, y], "-", color=colour, lw=0.8, alpha=0.5, zorder=1)
    low, high = run["ends"]
    for name, (_, mark, filled) in READINGS.items():
        bars = None
        if name == "masked":
            bars = [[max(0.0, run[name] - low)], [max(0.0, high - run[name])]]
        ax.errorbar(
            [run[name]], [y], xerr=bars, fmt=mark, ms=9 if mark == "|" else 5, mec=colour, ecolor=colour,
            mfc=colour if filled else "white", elinewidth=0.9, zorder=3,
        )  # fmt: skip


def _finding(runs: Sequence[Run]) -> str:
    """Which share of the loss the mask recovers, by method."""
    shares: dict[str, list[float]] = {}
    for run in runs:
        if run["share"] is not None:
            shares.setdefault(run["label"], []).append(100 * run["share"][0])
    if not shares:
        return "Loss beyond the trained length, with and without attention to it"
    said = [f"{names_of([f'{share:.0f} %' for share in each])} in {name}" for name, each in shares.items()]
    return f"Of what is lost beyond L, masking all attention beyond L recovers {names_of(said)}"
