"""Figure 41: validation loss at four times the trained length along light fine-tuning, by the tokens since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import PAGE, colour_of, end_labels, headline, note, nothing_yet, panel

SHOWN = ("RoPE", "YaRN", "TAPA", "ALiBi", "NoPE")
MARKS = dict(zip(SHOWN, "os^Dv", strict=True))
Rows = Sequence[Mapping[str, Any]]


def draw(records: Mapping[str, Any]) -> Figure:
    """A panel a share of the parent's tokens; strong: the rate of the least loss at the end; thin: other rates."""
    data = records["long"]
    rows = [row for row in data["fine_curves"] if row["corpus"] == data["corpus"] and row["label"] in SHOWN]
    shares = sorted({row["share"] for row in rows if alike(rows, row["share"])})
    figure, axes = plt.subplots(1, max(len(shares), 1), figsize=(PAGE, 3.2), sharey=True, squeeze=False)
    for ax, share, letter in zip(axes[0], shares, "abc", strict=False):
        _share(ax, [row for row in rows if row["share"] == share])
        ax.set_title(f"{100 * share:g} % of the tokens")
        ax.set_xlabel("tokens since (millions)")
        panel(ax, letter)
    axes[0, 0].set_ylabel("validation loss at 4L\n(bits per token)")
    if not shares:
        nothing_yet(axes[0, 0])
    figure.canvas.draw()  # heights of the panels, for labels that do not touch
    for ax, share in zip(axes[0], shares, strict=False):
        end_labels(ax, [_end(row) for row in chosen(rows, share)])
    seeds = sorted({row["seed"] for row in rows})
    note(
        figure,
        f"corpus {data['corpus']}, seeds {', '.join(map(str, seeds)) or 'none'}; strong lines and names: the rate of "
        "the least loss at the end, by which it is chosen; thin: the other rates, the same for all; each run's rate "
        "falls to its end",
    )
    headline(figure, _finding(rows, shares))
    return figure


def alike(rows: Rows, share: float) -> bool:
    """Have all methods the same rates and seeds at this share?"""
    mine = [row for row in rows if row["share"] == share]
    grids = {
        name: {(row["lr"], row["seed"]) for row in mine if row["label"] == name}
        for name in {row["label"] for row in mine}
    }
    return len({frozenset(grid) for grid in grids.values()}) == 1


def chosen(rows: Rows, share: float) -> list[Mapping[str, Any]]:
    """The runs whose rates validation chose, in the order of the methods."""
    found = [row for row in rows if row["share"] == share and row["chosen"]]
    return sorted(found, key=lambda row: (SHOWN.index(row["label"]), row["seed"]))


def _end(row: Mapping[str, Any]) -> tuple[float, str, str]:
    return row["curve"][-1][1], f"{row['label']} {row['rate']}", colour_of(row["label"])


def _share(ax: Axes, rows: Rows) -> None:
    for row in sorted(rows, key=lambda row: row["chosen"]):
        at, bits = zip(*row["curve"], strict=True)
        (line,) = ax.plot(
            [tokens / 1e6 for tokens in at], bits, color=colour_of(row["label"]), lw=0.6, alpha=0.6
        )
        if row["chosen"]:
            line.set(marker=MARKS[row["label"]], markersize=3.5, linewidth=1.4, alpha=1)


def _finding(rows: Rows, shares: Sequence[float]) -> str:
    """How far the losses of the chosen runs have come since a tenth of the largest share."""
    if not shares:
        return "How fast does light fine-tuning mend what lies beyond the length?"
    share = max(shares)
    change: dict[str, list[float]] = {}
    for row in chosen(rows, share):
        change.setdefault(row["label"], []).append(row["curve"][-1][1] - row["curve"][0][1])
    said = ", ".join(f"{name} {sum(each) / len(each):+.2f}" for name, each in change.items())
    return f"From a tenth of {100 * share:g} % of the tokens to its end, bits a token at 4L: {said}"
