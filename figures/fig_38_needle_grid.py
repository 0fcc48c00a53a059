"""Figure 38: how often each method finds a fresh word or sequence, by its depth and the length of the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from figures.style import PAGE, SEQUENTIAL, headline, note, nothing_yet

SHOWN = ("RoPE", "TAPA", "ALiBi", "NoPE")
WORDS = "private-words"  # the corpus whose needles are words


def draw(records: Mapping[str, Any]) -> Figure:
    """A panel a method; a cell is the share of needles whose last token gets more than half of the probability."""
    data = records["long"]
    rows = [row for row in data["needles"] if row["corpus"] == data["corpus"] and row["label"] in SHOWN]
    figure, axes = plt.subplots(1, len(SHOWN), figsize=(PAGE, 2.3), sharey=True)
    lengths = sorted({row["length"] for row in rows})
    depths = sorted({row["depth"] for row in rows})
    image = None
    for ax, name in zip(axes, SHOWN, strict=True):
        ax.set_title(name)
        ax.grid(visible=False)
        cells = {(row["depth"], row["length"]): row for row in rows if row["label"] == name}
        if not cells:
            nothing_yet(ax)
            ax.set_xticks([])
            continue
        shares = np.full((len(depths), len(lengths)), np.nan)
        for (depth, length), row in cells.items():
            shares[depths.index(depth), lengths.index(length)] = 100 * row["hits"] / row["trials"]
        image = ax.imshow(shares, vmin=0, vmax=100, cmap=SEQUENTIAL, aspect="auto")
        for (y, x), share in np.ndenumerate(shares):
            if np.isfinite(share):
                ax.text(x, y, f"{share:.0f}", ha="center", va="center", fontsize=6,
                        color="black" if share > 60 else "white")  # fmt: skip
        ax.set_xticks(range(len(lengths)), [f"{n // data['length']}" for n in lengths])
        ax.set_yticks(range(len(depths)), [f"{d:g}" for d in depths])
    axes[0].set_ylabel("depth in the window\n(below: near the query)")
    axes[0].set_xlabel("context length / trained length", loc="left")
    if image is not None:
        figure.colorbar(image, ax=axes, label="found (%)", fraction=0.05)
        trials = " or ".join(str(n) for n in sorted({row["trials"] for row in rows}))
        note(
            figure,
            f"cells: per cent of fresh {_what(data)} found, {trials} trials a cell; a guess finds none; each seed's "
            "run of the least validation loss",
        )
    headline(figure, _finding(rows, data["length"], _what(data)))
    return figure


def _what(data: Mapping[str, Any]) -> str:
    return "private words" if data["corpus"] == WORDS else "sequences of four tokens"


def _finding(rows: Sequence[Mapping[str, Any]], length: int, what: str) -> str:
    """What is found within the trained length and at the longest, over all depths."""
    if not rows:
        return "Which words from far back are found?"
    longest = max(row["length"] for row in rows)
    said = []
    for name in dict.fromkeys(row["label"] for row in rows):
        found = []
        for n in (length, longest):
            mine = [row for row in rows if (row["label"], row["length"]) == (name, n)]
            found.append(100 * sum(row["hits"] for row in mine) / sum(row["trials"] for row in mine))
        said.append(f"{name} {found[0]:.0f} and {found[1]:.0f}\u00a0%")
    return f"Fresh {what} found at {length} and at {longest} tokens: {', '.join(said)}"
