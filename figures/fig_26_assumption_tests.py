"""Figure 26: Assumption 2.1 on trained heads: how much of E A_d and E B_d is not constant, and what the tests say."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.experiments.plan import LABELS
from figures.style import CYCLE, PAGE, panel

RECORDS = ("verdicts",)
CLAIMS = ("eq-5",)
LEVEL = 0.05
QUESTIONS = {
    "pairs": "over pairs",
    "positions": "over quarters",
    "heads": "over a layer's heads",
}
STYLES = {"A": "-", "B": "--"}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Heads in order of the share of the mean square that is not constant; 0 is what the assumption says."""
    data = records["verdicts"]
    models = len(set(data.model.values.tolist()))
    figure, axes = plt.subplots(1, len(QUESTIONS), figsize=(PAGE, 2.7 + 0.25 * models), sharey=True)
    for ax, (question, title), letter in zip(axes, QUESTIONS.items(), "abc", strict=True):
        said = _question(ax, data.isel(test=np.flatnonzero(data.question == question)))
        ax.set_title(f"constant {title}?", loc="left")
        lines = "\n".join(said)
        ax.set_xlabel(f"share that is not constant\n\nrejected of A, of B:\n{lines}", fontsize=7)
        ax.set_xlim(-0.02, 1.02)
        panel(ax, letter)
    axes[0].set_ylabel("share of heads, or of layers (c)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=6)
    return figure


def _question(ax: Axes, data: xr.Dataset) -> list[str]:
    """Draw one, and say of each model of how many tests constancy is rejected."""
    said = []
    for colour, model in zip(CYCLE * 2, dict.fromkeys(data.model.values.tolist()), strict=False):
        name = LABELS.get(model, model.removesuffix("-Instruct"))
        rejected = []
        for kind, style in STYLES.items():
            x = data.isel(test=np.flatnonzero((data.model == model) & (data.kind == kind)))
            if not x.sizes["test"]:
                continue
            shares = np.sort(x.share.values)
            ax.plot(
                shares, (np.arange(len(shares)) + 1) / len(shares), ls=style, color=colour, lw=1.0,
                drawstyle="steps-post", label=f"{name}, E{kind}",
            )  # fmt: skip
            rejected.append(f"{int((x.p_holm <= LEVEL).sum())} of {x.sizes['test']}")
        said.append(f"{name}: {', '.join(rejected)}")
    return said
