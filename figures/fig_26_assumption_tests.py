"""Figure 26: Assumption 2.1 on trained heads: the share of E A_d and E B_d that is not constant, and the tests."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, model_label, note, panel

SIGNIFICANT = 0.05  # p-value after Holm's adjustment
QUESTIONS = {
    "pairs": "over pairs",
    "positions": "over quarters\nof the window",
    "heads": "over the heads\nof a layer",
}
KINDS = {"A": ("blue", "o", -0.16), "B": ("orange", "s", 0.16)}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Median and range over heads of the share of the mean square that is not constant; 0 is the assumption."""
    data = records["verdicts"]
    labels = dict(zip(data.model.values.tolist(), data.label.values.tolist(), strict=True))
    models = list(labels)
    figure, axes = plt.subplots(1, len(QUESTIONS), figsize=(PAGE, 1.7 + 0.42 * len(models)), sharey=True)
    for ax, (question, title), letter in zip(axes, QUESTIONS.items(), "abc", strict=True):
        _question(ax, data.isel(test=np.flatnonzero(data.question == question)), models)
        ax.set_title(title)
        ax.set_xlim(-0.06, 1.06)
        ax.set_xticks([0, 0.5, 1])
        panel(ax, letter)
    axes[0].set_yticks(
        range(len(models)), [model_label(labels[model]).replace(" (", "\n(") for model in models]
    )
    axes[0].set_ylim(len(models) - 0.5, -0.5)
    axes[1].set_xlabel("share of the mean square that is not constant (0: Assumption 2.1)")
    note(figure, "blue circle: E A, orange square: E B; mark: median, line: least to most over heads (c: layers); "
         f"numbers: tests that reject constancy at {SIGNIFICANT:g} (Holm), of all")  # fmt: skip
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """How many tests reject constancy over pairs, and over positions."""
    said = {}
    for question in ("pairs", "positions"):
        p = data.p_holm.isel(test=np.flatnonzero(data.question == question))
        said[question] = f"{int((p <= SIGNIFICANT).sum())} of {p.size}"
    return (
        f"Trained heads: constancy of E A and E B over pairs is rejected in {said['pairs']} tests, over positions in "
        f"{said['positions']}"
    )


def _question(ax: Axes, data: xr.Dataset, models: list[str]) -> None:
    """A mark at the median, a line from the least to the greatest share, and how many tests reject constancy."""
    for kind, (colour, marker, offset) in KINDS.items():
        for row, model in enumerate(models):
            x = data.isel(test=np.flatnonzero((data.model == model) & (data.kind == kind)))
            if not x.sizes["test"]:
                continue
            shares = x.share.values
            middle = float(np.median(shares))
            ax.errorbar(
                [middle], [row + offset], xerr=[[middle - shares.min()], [shares.max() - middle]],
                marker=marker, ms=4, ls="", color=COLOURS[colour],
            )  # fmt: skip
            rejected = f"{int((x.p_holm <= SIGNIFICANT).sum())}/{x.sizes['test']}"
            ax.annotate(
                rejected, (1, row + offset), (2, 0), ax.get_yaxis_transform(), textcoords="offset points",
                va="center", color=COLOURS[colour], fontsize=6.5, annotation_clip=False,
            )  # fmt: skip
