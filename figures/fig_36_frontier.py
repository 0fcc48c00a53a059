"""Figure 36: loss at eight times the trained length against loss at the trained length, every run that has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, method, note, nothing_yet, over_most_seeds, seeds_label

SHOWN = ("RoPE", "TAPA", "ALiBi", "NoPE")
MARKS = dict(zip(SHOWN, ("o", "s", "^", "D"), strict=True))
FAR = 8
FILLS = {"full": "filled", "none": "hollow", "left": "half filled"}  # of the marks of up to three seeds
Rows = Sequence[Mapping[str, Any]]


def draw(records: Mapping[str, Any]) -> Figure:
    """A point a run, a line through the runs of one seed: their lower convex hull."""
    data = records["long"]
    near, far = str(data["length"]), str(FAR * data["length"])
    figure, ax = plt.subplots(figsize=(PAGE, 3.4))
    rows = [
        row
        for row in data["runs"]
        if (row["corpus"], row["kind"], row["size"]) == (data["corpus"], "scratch", data["size"])
        and row["label"] in SHOWN
        and not row["diverged"]
    ]
    seeds = sorted({row["seed"] for row in rows})
    fills = dict(zip(seeds, FILLS if 1 < len(seeds) <= len(FILLS) else ["full"] * len(seeds), strict=False))
    for name in SHOWN:
        mine = [row for row in rows if row["label"] == name]
        if not mine:
            continue
        _, style = method(name) or ("", {})
        for seed in sorted({row["seed"] for row in mine}):
            of_seed = [row for row in mine if row["seed"] == seed]
            at = [row["bits"][near] for row in of_seed], [row["bits"][far] for row in of_seed]
            ax.plot(*at, MARKS[name], ms=3.5, color=style["color"], fillstyle=fills[seed], label=name)
        for corners in data["frontiers"][data["corpus"]][name].values():
            ax.plot(*zip(*corners, strict=True), lw=0.9, **style)
        named = min(mine, key=lambda row: (row["seed"], row["validation_bits"]))  # of the data that chooses
        ax.annotate(
            name,
            (named["bits"][near], named["bits"][far]),
            (6, -8),
            textcoords="offset points",
            color=style["color"],
            fontsize=7,
        )
    contrasts = over_most_seeds(
        (row for row in data["contrasts"] if row["corpus"] == data["corpus"]), "against_label"
    )
    _endpoints(ax, contrasts)
    ax.margins(y=0.1)
    low, high = ax.get_xlim()
    ax.axline((low, low), slope=1, color=COLOURS["grey"], lw=0.7, ls=(0, (1, 3)))
    ax.set(
        xlim=(high, low - 0.12 * (high - low)),
        xlabel="bits per byte at the trained length (falls to the right; dotted: the same at both)",
        ylabel=f"bits per byte\nat {FAR} times the length",
    )
    if not rows:
        nothing_yet(ax)
    counts = (("seed", "seed"), ("lr", "rate"), ("share", "horizon"))
    counts = ", ".join(_counted(len({row[key] for row in rows}), word) for key, word in counts)
    marks = "".join(
        f"; {FILLS[fill]}: seed {seed}" for seed, fill in fills.items() if len({*fills.values()}) > 1
    )
    note(figure, f"corpus {data['corpus']}; every point a run whose schedule ends there ({counts}){marks}; lines: the "
         "frontier of each seed" + _read_at(contrasts))  # fmt: skip
    headline(figure, _finding(contrasts, rows, near))
    return figure


def _endpoints(ax: Axes, contrasts: Rows) -> None:
    """Of each contrast and seed a bar between the two frontiers, where they are compared."""
    for row in contrasts:
        for at, ends in zip(row["bits"], row["far_bits"], strict=True):
            ax.plot([at, at], ends, color=COLOURS["grey"], lw=2.2, alpha=0.5, solid_capstyle="butt")


def _read_at(contrasts: Rows) -> str:
    """What the bars are, with the intervals of the differences, and where there is none."""
    said = [
        f"{row['against_label']} [{row['difference_low']:+.2f}, {row['difference_high']:+.2f}] ({_of(row)})"
        if row["difference_low"] is not None
        else f"{row['against_label']} no common loss at L ({_of(row)})"
        for row in contrasts
    ]
    over = " or ".join(sorted({row["over"] for row in contrasts}))
    return f"; bars: where two are compared; 95 % over {over}: {', '.join(said)}" if said else ""


def _of(row: Mapping[str, Any]) -> str:
    """The seeds of a contrast's row, those that it has no value for if it has none."""
    return seeds_label(row["seeds"] or row["never_equal"])


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _finding(contrasts: Rows, runs: Rows, near: str) -> str:
    """The primary endpoint; what the runs lose beyond L while no two methods are of equal loss there."""
    if not runs:
        return "At equal loss at the trained length, what is lost beyond it?"
    compared = [row for row in contrasts if row["difference"] is not None]
    if not compared:
        said = []
        for name in (name for name in SHOWN if any(row["label"] == name for row in runs)):
            mine = [row for row in runs if row["label"] == name]
            best = min(mine, key=lambda row: (row["seed"], row["validation_bits"]))
            said.append(f"{name} {best['harm']:+.2f} at {best['bits'][near]:.2f}")
        return f"From L to {FAR}L, bits a byte, each at its least validation loss: {', '.join(said)}; none is equal yet"
    names = dict.fromkeys(row["against_label"] for row in compared)
    by_name = {name: [row for row in compared if row["against_label"] == name] for name in names}
    groups = []
    for seeds, mine in groupby(by_name.items(), key=lambda item: _all_of(item[1])):
        values = ((name, " and ".join(map(_value, rows))) for name, rows in mine)
        groups.append((seeds, ", ".join(map(" ".join, values))))
    start = f"At equal loss at L, TAPA's bits a byte at {FAR}L, less those of others"
    if len(groups) == 1:
        return f"{start} ({groups[0][0]}): {groups[0][1]}"
    return f"{start}: {'; '.join(f'{said} ({seeds})' for seeds, said in groups)}"


def _value(row: Mapping[str, Any]) -> str:
    """A difference; over seeds with its interval, which says whether its sign is known."""
    ends = f" [{row['difference_low']:+.2f}, {row['difference_high']:+.2f}]" if row["over"] == "seeds" else ""
    return f"{row['difference']:+.2f}{ends}"


def _all_of(rows: Rows) -> str:
    """The seeds of rows, pooled or of a seed each: "8 seeds", "seeds 0 and 1"."""
    if len(rows) == 1:
        return _of(rows[0])
    return f"seeds {' and '.join(str(row['seeds'][0]) for row in rows)}"
