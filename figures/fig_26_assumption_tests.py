"""Figure 26: Assumption 2.1 on trained heads: the share of E A_d and E B_d that is not constant, and the tests."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, panel

LEVEL = 0.05
QUESTIONS = {
    "pairs": "over pairs",
    "positions": "over quarters of the window",
    "heads": "over a layer's heads",
}
KINDS = {"A": ("blue", "o", -0.16), "B": ("orange", "s", 0.16)}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Median and range over heads of the share of the mean square that is not constant; 0 is the assumption."""
    data = records["verdicts"]
    labels = dict(zip(data.model.values.tolist(), data.label.values.tolist(), strict=True))
    models = list(labels)
    figure, axes = plt.subplots(1, len(QUESTIONS), figsize=(PAGE, 1.2 + 0.42 * len(models)), sharey=True)
    for ax, (question, title), letter in zip(axes, QUESTIONS.items(), "abc", strict=True):
        _question(ax, data.isel(test=np.flatnonzero(data.question == question)), models)
        ax.set_title(title, loc="left")
        ax.set_xlabel("share that is not constant")
        ax.set_xlim(-0.05, 1.42)
        ax.set_xticks([0, 0.5, 1])
        ax.text(1.4, -0.62, "rejected", ha="right", va="center", fontsize=6.5)
        panel(ax, letter)
    axes[0].set_yticks(range(len(models)), [labels[model] for model in models])
    axes[0].set_ylim(len(models) - 0.5, -0.7)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _question(ax: Axes, data: xr.Dataset, models: list[str]) -> None:
    """A mark at the median, a line from the least to the greatest share, and how many tests reject constancy."""
    for kind, (colour, marker, offset) in KINDS.items():
        for row, model in enumerate(models):
            x = data.isel(test=np.flatnonzero((data.model == model) & (data.kind == kind)))
            if not x.sizes["test"]:
                continue
            shares = x.share.values
            middle = float(np.median(shares))
            label = f"E {kind}$_d$: median and range; tests by Holm at 5 %" if not row else None
            ax.errorbar(
                [middle], [row + offset], xerr=[[middle - shares.min()], [shares.max() - middle]],
                marker=marker, ms=4, ls="", color=COLOURS[colour], label=label,
            )  # fmt: skip
            rejected = f"{int((x.p_holm <= LEVEL).sum())}/{x.sizes['test']}"
            ax.text(1.4, row + offset, rejected, ha="right", va="center", fontsize=6.5)
