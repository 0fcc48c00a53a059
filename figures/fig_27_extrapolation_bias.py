"""Figure 27: mean scores beyond the trained length of every trained model, and what goes with the rise of its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis, panel

FAMILIES = {
    "RoPE, whole or partial": ("blue", ("rope", "partial")),
    "TAPA, all variants": ("orange", ("tapa", "tapa_linear", "tapa_separate")),
    "ALiBi": ("green", ("alibi",)),
    "NoPE": ("black", ("nope",)),
    "sliding window": ("purple", ("window",)),
}
OBSERVED = {
    "near_far_gap": "near-far gap (sd)",
    "rebound": "rebound beyond L (sd)",
    "departure": "departure beyond L (sd)",
    "spread_drift": "drift of the spread (log)",
    "entropy_rise": "rise of entropy (nats)",
    "far_mass": "weight beyond L",
}


def draw(records: Mapping[str, Any]) -> Figure:
    """A point a run; filled where it is at its variant's chosen learning rate."""
    content = records["bias"]
    rows = [row for row in content["rows"].values() if row["parent"] is None]
    chosen = content["summary"]["chosen"]
    figure, axes = plt.subplots(2, 4, figsize=(PAGE, 3.9))
    flat = list(axes.flat)
    _curves(flat[0], [row for row in rows if row["lr"] == chosen.get(row["variant"])])
    panel(flat[0], "a")
    for ax, (name, words), letter in zip(flat[1:7], OBSERVED.items(), "bcdefg", strict=True):
        _scatter(ax, rows, chosen, name)
        ax.set_title(_said(content["summary"]["correlations"][name]), loc="left", fontsize=6)
        ax.set_xlabel(words, fontsize=7)
        panel(ax, letter)
    for ax in (flat[1], flat[4]):
        ax.set_ylabel("rise of loss (bits/byte)", fontsize=7)
    flat[7].axis("off")
    present = {row["method"] for row in rows}
    for name, (colour, methods) in FAMILIES.items():
        if present & set(methods):
            flat[7].plot([], [], "o", ms=4, color=COLOURS[colour], label=name)
    flat[7].plot([], [], "o", ms=4, color=COLOURS["grey"], label="filled: the chosen rate")
    flat[7].plot([], [], "o", ms=4, mec=COLOURS["grey"], mfc="none", label="hollow: another rate")
    words = "Above each panel: Spearman's rank correlation over runs and within methods, with 95 % intervals"
    figure.suptitle(words, fontsize=7.5)
    flat[7].legend(loc="center left", title=f"{len(rows)} runs")
    return figure


def _curves(ax: Axes, rows: list[dict[str, Any]]) -> None:
    """Mean over heads of the mean score less its level at L, at the chosen rates."""
    for row in rows:
        score = np.array([np.nan if v is None else v for v in row["curve"]["score"]])
        ax.plot(row["curve"]["distance"], score, color=_colour(row["method"]), lw=0.8)
    if rows:
        ax.axvline(rows[0]["trained_length"], color="black", lw=0.6, ls=":")
    ax.axhline(0, color="black", lw=0.5)
    ax.set_ylabel("mean score\nless that at L")
    distance_axis(ax)


def _scatter(ax: Axes, rows: list[dict[str, Any]], chosen: dict[str, float], name: str) -> None:
    for method in dict.fromkeys(row["method"] for row in rows):
        for best in (False, True):
            own = [
                row
                for row in rows
                if row["method"] == method
                and (row["lr"] == chosen.get(row["variant"])) == best
                and row["observed"][name] is not None
            ]
            face = _colour(method) if best else "none"
            ax.plot(
                [row["observed"][name] for row in own], [row["rise"] for row in own],
                "o", ms=3.2, mew=0.7, mec=_colour(method), mfc=face,
            )  # fmt: skip


def _said(found: dict[str, Any]) -> str:
    return f"runs {_estimate(found['over_runs'])}\nwithin {_estimate(found['within_methods'])}"


def _estimate(found: dict[str, Any] | None) -> str:
    if found is None:
        return "too few runs"
    if found["low"] is None:
        return f"{found['value']:.2f}"
    return f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def _colour(method: str) -> str:
    return COLOURS[next(colour for colour, methods in FAMILIES.values() if method in methods)]
