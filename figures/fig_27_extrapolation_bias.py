"""Figure 27: mean scores beyond the trained length of trained models, and what goes with the rise of their loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    COLOURS,
    PAGE,
    distance_axis,
    end_labels,
    headline,
    method,
    note,
    panel,
)

SHOWN = ("rope", "partial", "tapa", "alibi", "nope")  # variants whose mean scores are drawn
OBSERVED = {
    "near_far_gap": "near-far gap (sd)",
    "rebound": "rebound beyond L (sd)",
    "departure": "departure beyond L (sd)",
    "spread_drift": "drift of the spread (log)",
    "entropy_rise": "rise of entropy (nats)",
    "far_mass": "attention beyond L (share)",
}
OVER = {
    "over_runs": ("all runs", "blue", "o", 0.14),
    "within_methods": ("within methods", "orange", "^", -0.14),
}
FAMILIES = {  # colour, mark and methods
    "RoPE, whole or partial": ("blue", "o", ("rope", "partial")),
    "TAPA, all variants": ("orange", "^", ("tapa", "tapa_linear", "tapa_separate")),
    "ALiBi": ("green", "D", ("alibi",)),
    "NoPE": ("black", "s", ("nope",)),
    "sliding window": ("purple", "v", ("window",)),
}


def draw(records: Mapping[str, Any]) -> Figure:
    """Mean scores, rank correlations with the rise of loss, and the runs behind the strongest of them."""
    content = records["bias_sweep"]
    summary = content["summary"]
    learned = {name: row for name, row in content["rows"].items() if name not in summary["excluded"]}
    rows = [row for row in learned.values() if row["parent"] is None]
    figure, axes = plt.subplot_mosaic("ab;cc", figsize=(PAGE, 5.4), height_ratios=(1, 1))
    _curves(
        axes["a"],
        [row for row in rows if row["lr"] == summary["chosen"].get(row["variant"])],
        summary["labels"],
    )
    _correlations(axes["b"], summary["correlations_learned"])
    best = strongest(summary["correlations_learned"])
    _scatter(axes["c"], rows, summary["chosen"], best)
    for letter, ax in axes.items():
        panel(ax, letter)
    known = sum(row["observed"][best] is not None for row in rows)
    note(figure, "a: seeds at the chosen rate, dotted: L. b: Spearman's rank correlation over runs, 95 % intervals. "
         f"c: {known} runs; filled: at the learning rate that validation chose, hollow: at another. "
         f"Left out of all: {len(content['rows']) - len(learned)} runs that had not learned")  # fmt: skip
    headline(figure, _finding(summary["correlations_learned"], best))
    return figure


def strongest(correlations: Mapping[str, Any]) -> str:
    """What goes with the rise of loss most, within methods."""
    known = {name: correlations[name]["within_methods"] for name in OBSERVED}
    return max(OBSERVED, key=lambda name: abs(known[name]["value"]) if known[name] else -1.0)


def _finding(correlations: Mapping[str, Any], best: str) -> str:
    found = correlations[best]["within_methods"]
    if found is None:
        return "Mean scores beyond the trained length, and the rise of the loss there"
    words = OBSERVED[best].rsplit(" (", 1)[0]
    interval = "" if found["low"] is None else f" [{found['low']:.2f}, {found['high']:.2f}]"
    return (
        f"Of {len(OBSERVED)} measures the {words} goes most with the rise of the loss within a method:\n"
        f"rank correlation {found['value']:.2f}{interval}"
    )


def _curves(ax: Axes, rows: list[dict[str, Any]], labels: Mapping[str, str]) -> None:
    """Mean over heads of the mean score less its level at L, a line a seed."""
    ends: dict[str, tuple[float, str, str]] = {}
    for row in rows:
        if row["variant"] not in SHOWN:
            continue
        name, style = method(labels[row["variant"]]) or ("", {})
        score = np.array([np.nan if v is None else v for v in row["curve"]["score"]])
        ax.plot(row["curve"]["distance"], score, lw=0.9, **style)
        ends[name] = (score[np.isfinite(score)][-1], name, style["color"])
    if rows:
        ax.axvline(rows[0]["trained_length"], color="black", lw=0.6, ls=":")
        ax.set_xlim(1, rows[0]["curve"]["distance"][-1])
    ax.axhline(0, color="black", lw=0.5)
    ax.set_ylabel("mean score\nless that at L")
    distance_axis(ax)
    end_labels(ax, ends.values())


def _correlations(ax: Axes, correlations: Mapping[str, Any]) -> None:
    for row, name in enumerate(OBSERVED):
        for key, (words, colour, marker, offset) in OVER.items():
            found = correlations[name][key]
            if found is None:
                continue
            error = None
            if found["low"] is not None:
                error = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
            ax.errorbar(
                [found["value"]], [offset - row], xerr=error, fmt=marker, ms=3.5, elinewidth=0.9,
                color=COLOURS[colour], label=words if not row else None,
            )  # fmt: skip
    ax.axvline(0, color="black", lw=0.5)
    ax.set_yticks([-i for i in range(len(OBSERVED))], [w.rsplit(" (", 1)[0] for w in OBSERVED.values()])
    ax.set_ylim(0.6 - len(OBSERVED), 0.6)
    ax.set(xlim=(-1, 1), xlabel="correlation with the rise of loss")
    ax.legend(loc="lower right", bbox_to_anchor=(1.05, 0.98), ncols=2, handletextpad=0.2, columnspacing=0.8)


def _scatter(ax: Axes, rows: list[dict[str, Any]], chosen: dict[str, float], name: str) -> None:
    """A point a run; filled where it is at its variant's chosen learning rate."""
    for words, (colour, marker, methods) in FAMILIES.items():
        mine = [row for row in rows if row["method"] in methods and row["observed"][name] is not None]
        for best in (True, False):
            own = [row for row in mine if (row["lr"] == chosen.get(row["variant"])) == best]
            ax.plot(
                [row["observed"][name] for row in own], [row["rise"] for row in own], marker, ms=3.6, mew=0.8,
                mec=COLOURS[colour], mfc=COLOURS[colour] if best else "none", label=words if best and mine else None,
            )  # fmt: skip
    ax.set(xlabel=OBSERVED[name], ylabel="rise of loss at the longest\nlength (bits per byte)")
    ax.legend(loc="upper left")
