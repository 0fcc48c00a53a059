"""Figure 32: what TAPA's phase is for: attention by distance with it and without, and which keys it moves weight to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, note, panel

CONDITIONS = {
    "phase": ("with its phase", COLOURS["blue"], "o", "-"),
    "mean cosine": ("mean cosine: no phase", COLOURS["orange"], "s", "--"),
    "distance 1": ("phase without distance", COLOURS["green"], "^", "-."),
}
WORDS = {
    "itself": "the token itself",
    "previous": "the previous token",
    "first": "the window's first\ntoken (sink)",
    "same byte": "earlier ones of\nthe same byte",
    "after same byte": "tokens after an earlier\none of the same byte",
    "newline": "newlines",
    "same place": "the same place in\na repeated segment",
    "after same place": "the token after it\n(induction)",
}


def draw(records: Mapping[str, Any]) -> Figure:
    """Left: mean over heads, intervals over seeds; right: a point a head of every seed, the rule's threshold dotted."""
    content = records["phase_seeds"]
    rows = [row for row in content["rows"].values() if row["variant"] == "tapa"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 3.7), width_ratios=(1, 1.15))
    _by_distance(left, content["summary"]["over_seeds"]["tapa"])
    _shifts(right, rows, content["rule"]["moves"])
    panel(left, "a")
    panel(right, "b")
    heads = sum(len(row["targets"]["heads"]) for row in rows)
    about = (
        f"a: mean over heads, 95 % intervals over {len(rows)} seeds (Student's t), queries of a window's second half; "
        f"b: each of {heads} heads of these seeds, weight with the phase less weight with the head's mean cosine; "
        "filled: moved by the rule (beyond the dotted threshold, its 95 % interval over documents on one side of 0)"
    )
    note(figure, about)
    headline(figure, _finding(rows))
    return figure


def _finding(rows: list[dict[str, Any]]) -> str:
    """Which kind of key the phase raises in most heads, and how often it lowers any."""
    heads = [head for row in rows for head in row["targets"]["heads"].values()]
    counts = {name: sum(name in head["raises"] for head in heads) for name in WORDS}
    lowered = {name: sum(name in head["lowers"] for head in heads) for name in WORDS}
    most = max(counts, key=lambda name: counts[name])
    least = max(lowered, key=lambda name: lowered[name])
    words = {name: " ".join(text.split()) for name, text in WORDS.items()}
    return (
        f"TAPA's phase raises attention to {words[most]} in {counts[most]} of {len(heads)} heads; what it lowers most "
        f"often is {words[least]}, in {lowered[least]}"
    )


def _by_distance(ax: Axes, found: Mapping[str, Any]) -> None:
    firsts = sorted(int(key.rpartition("/")[2]) for key in found if key.startswith("by_distance/phase/"))
    at = np.arange(len(firsts))
    for shift, (name, (words, colour, mark, line)) in enumerate(CONDITIONS.items()):
        cells = [found[f"by_distance/{name}/{first}"]["of"] for first in firsts]
        x = at + 0.12 * (shift - 1)
        ax.plot(x, [cell[0] for cell in cells], color=colour, marker=mark, ms=3.5, ls=line, label=words)
        for place, (_, low, high) in zip(x, cells, strict=True):
            if low is not None:
                ax.vlines(place, low, high, color=colour, lw=0.9)
    ends = [f"-{second - 1}" if second - first > 1 else "" for first, second in pairwise(firsts)]
    ax.set_xticks(at, [f"{first}{end}" for first, end in zip(firsts, [*ends, "+"], strict=True)], rotation=45)
    ax.set(xlabel="distance (tokens)", ylabel="attention weight on the range")
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    ax.legend(loc="upper left")


def _shifts(ax: Axes, rows: list[dict[str, Any]], threshold: float) -> None:
    for y, name in enumerate(WORDS):
        heads = [head for row in rows for head in row["targets"]["heads"].values()]
        shifts = np.array([head["shift"][name][0] for head in heads], dtype=float)
        moved = np.array([name in head["raises"] or name in head["lowers"] for head in heads])
        places = y + np.linspace(-0.3, 0.3, len(heads))
        for mask, face in ((~moved, "none"), (moved, COLOURS["blue"])):
            ax.plot(shifts[mask], places[mask], "o", ms=3, mec=COLOURS["blue"], mfc=face, mew=0.6)
    for x in (-threshold, threshold):
        ax.axvline(x, color=COLOURS["grey"], lw=0.8, ls=":")
    ax.axvline(0, color="black", lw=0.6)
    ax.set_yticks(range(len(WORDS)), list(WORDS.values()), fontsize=6.5)
    ax.set_ylim(len(WORDS) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("weight that the phase adds")
