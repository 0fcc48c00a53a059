"""Figure 30: what the loss owes to each part of the score, within the trained length and at eight times it."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from figures.style import COLOURS, FEWEST, PAGE, headline, names_of, note, panel

SHOWN = ("rope", "partial", "tapa", "alibi", "nope")
LOOKS = {
    "rope": ("blue", "o"), "partial": ("vermilion", "D"), "tapa": ("orange", "^"), "alibi": ("green", "s"),
    "nope": ("black", "v"),
}  # fmt: skip
ROWS = {
    "no distance part": "without distance part",
    "control: distance part shuffled": "control: its size, shuffled",
    "no pair part": "without pair part",
    "control: foreign pair part": "control: of other pairs",
    "no interaction": "without interaction",
    "control: foreign interaction": "control: of other pairs ",
}
COMPARED = ("tapa", "rope")  # in the title
PART, CONTROL = "no interaction", "control: foreign interaction"


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Change of the loss, mean over seeds, 95 % intervals over seeds or, of few seeds, over documents."""
    data = records["score_variance"]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 4.2), sharey=True)
    longest = int(data.multiple.values[-1])
    for ax, multiple, letter in zip(axes, (1, longest), "ab", strict=True):
        shown = [v for v in SHOWN if bool(data.change.isel(model=data.variant.values == v).notnull().any())]
        for i, variant in enumerate(shown):
            _variant(ax, data, variant, multiple, 0.3 - 0.15 * i)
        ax.axvline(0, color="black", lw=0.6)
        ax.set_title("at the trained length L" if multiple == 1 else f"at {multiple} L")
        panel(ax, letter)
    axes[0].set_yticks([-row for row in range(len(ROWS))], list(ROWS.values()))
    axes[0].set_ylim(0.6 - len(ROWS), 0.6)
    for ax in axes:
        ax.set_xlabel("change (bits per byte)")
    axes[0].legend(loc="lower left", bbox_to_anchor=(-0.75, 1.06), ncols=len(SHOWN), handletextpad=0.1)
    counts = {int((data.variant.values == v).sum()) for v in SHOWN if (data.variant.values == v).any()}
    count = names_of([str(number) for number in sorted(counts)])
    note(
        figure,
        f"seeds of a method: {count}; mean, 95 % intervals over seeds, of fewer than three over documents",
    )
    headline(figure, _finding(data))
    return figure


def _variant(ax: Axes, data: xr.Dataset, variant: str, multiple: int, offset: float) -> None:
    colour, marker = LOOKS[variant]
    runs = data.isel(model=np.flatnonzero(data.variant.values == variant)).sel(multiple=multiple)
    rows = [(row, _estimate(runs.sel(intervention=kind))) for row, kind in enumerate(ROWS)]
    known = [(row, found) for row, found in rows if np.isfinite(found[0])]
    middle, low, high = np.array([found for _, found in known]).reshape(-1, 3).T
    ax.errorbar(
        middle, [offset - row for row, _ in known], xerr=np.array([middle - low, high - middle]), fmt=marker, ms=4,
        elinewidth=0.9, color=COLOURS[colour], label=str(runs.label.values[0]),
    )  # fmt: skip


def _estimate(runs: xr.Dataset) -> tuple[float, float, float]:
    """Mean over seeds with Student's t interval; of one or two the mean ends of their intervals over documents."""
    values = runs.change.values[np.isfinite(runs.change.values)]
    if len(values) < FEWEST:
        return float(runs.change.mean()), float(runs.change_low.mean()), float(runs.change_high.mean())
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half


def _finding(data: xr.Dataset) -> str:
    """What the compared variants lose at L without one part, and under its control."""
    found: dict[str, list[str]] = {PART: [], CONTROL: []}
    for variant in COMPARED:
        runs = data.isel(model=np.flatnonzero(data.variant.values == variant)).sel(multiple=1)
        if runs.sizes["model"]:
            for kind, said in found.items():
                change = float(runs.change.sel(intervention=kind).mean())
                said.append(f"{change:+.2f} ({runs.label.values[0]})")
    if not found[PART]:
        return "Loss without a part of the score"
    return (
        f"Without the interaction the loss at L changes by {names_of(found[PART])} bits per byte; as much of other "
        f"pairs subtracted changes it by {names_of(found[CONTROL])}"
    )
