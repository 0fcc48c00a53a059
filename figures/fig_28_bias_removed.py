"""Figure 28: how much of the loss beyond the trained length each change of the bias there recovers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, names_of, note

SHOWN = ("rope", "rope_large", "partial", "tapa", "nope")
LOOKS = (("blue", "o"), ("sky", "s"), ("vermilion", "D"), ("orange", "^"), ("black", "v"))
COMPARED = ("rope", "tapa")  # in the title
INTERVENTIONS = {
    "mask": "nothing attended beyond L",
    "hold beyond": "bias held at its value at L",
    "hold, predicted": "the same, predicted\nfrom windows of L",
    "clamp": "distance clamped at L",
    "subtract beyond": "bias subtracted beyond L",
    "hold on average": "control: level alone",
    "hold, shuffled": "control: distances shuffled",
}
MAIN = "hold beyond"


def draw(records: Mapping[str, Any]) -> Figure:
    """Recovered share of the loss that the longest length adds, mean over seeds with 95 % intervals over them."""
    altered, labels = (records["bias"]["summary"][key] for key in ("altered", "labels"))
    shown = ([name for name in SHOWN if name in altered] or list(altered))[: len(LOOKS)]
    length = max(cell["length"] for name in shown for cell in altered[name])
    figure, ax = plt.subplots(figsize=(PAGE, 4.0))
    for i, name in enumerate(shown):
        own = {cell["kind"]: cell for cell in altered[name] if cell["length"] == length}
        _variant(ax, own, labels[name], LOOKS[i], 0.3 - 0.15 * i)
    ax.axvline(0, color="black", lw=0.6)
    ax.axvline(100, color="black", lw=0.6, ls=":")
    ax.set_yticks([-row for row in range(len(INTERVENTIONS))], list(INTERVENTIONS.values()))
    ax.set_ylim(0.6 - len(INTERVENTIONS), 0.6)
    ax.set_xlim(-140, 130)
    ax.set_xlabel(f"share of the loss added at {length} bytes that is recovered (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.3, 0.99), ncols=len(shown))
    seeds = sorted({cell["seeds"] for name in shown for cell in altered[name]})
    count = names_of([str(number) for number in seeds])
    note(figure, f"mean over {count} seeds at the chosen learning rate, 95 % intervals over seeds, some reach out of "
         "the frame; 100 %: as good as at L, below 0: worse than before. How much attention lies beyond L differs "
         "between interventions")  # fmt: skip
    headline(figure, _finding(altered, labels, length))
    return figure


def _finding(altered: Mapping[str, Any], labels: Mapping[str, str], length: int) -> str:
    """What holding the bias recovers."""
    shares = {}
    for name in COMPARED:
        for cell in altered.get(name, ()):
            if (cell["kind"], cell["length"]) == (MAIN, length) and cell["share"] is not None:
                shares[labels[name]] = 100 * cell["share"][0]
    said = names_of([f"{name} recovers {share:.0f} %" for name, share in shares.items()])
    if not said:
        return "Loss with the bias changed beyond L"
    return f"With the bias held at its value at L {said} of the loss added at {length} bytes"


def _variant(
    ax: Axes, cells: Mapping[str, Mapping[str, Any]], name: str, look: tuple[str, str], offset: float
) -> None:
    colour, marker = look
    known = [(row, cells[kind]["share"]) for row, kind in enumerate(INTERVENTIONS) if kind in cells]
    known = [(row, share) for row, share in known if share is not None]
    values = np.array([share for _, share in known], dtype=float).reshape(-1, 3) * 100
    middle, low, high = values.T
    bars = np.nan_to_num(np.array([middle - low, high - middle]))  # one seed has no interval
    ax.errorbar(
        middle, [offset - row for row, _ in known], xerr=bars, fmt=marker, ms=4, elinewidth=0.9,
        color=COLOURS[colour], label=name,
    )  # fmt: skip
