"""Figure 9: mean and standard deviation of the score by distance, for TAPA and its rivals under one law."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis

HUES = (COLOURS["orange"], COLOURS["blue"])
COLUMNS = 5


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["rivals"]
    names = [str(name) for name in data.rival.values]
    rows = -(-len(names) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(PAGE, 1.45 * rows + 0.5), sharex=True, sharey=True)
    for ax, name in zip(axes.flat, names, strict=True):
        _panel(ax, data.sel(rival=name))
        ax.set_title(name, fontsize=7)
    for ax in axes[-1]:
        distance_axis(ax)
        ax.set_xticks([1, 1e2, 1e4])
    for ax in axes[:, 0]:
        ax.set_ylabel("score")
    axes[0, 0].set(xlim=(1, float(data.distance.max())), ylim=(-0.6, 1.8))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return figure


def _panel(ax: Axes, data: xr.Dataset) -> None:
    """Solid: mean; dashed: standard deviation; points: Monte Carlo with two standard errors."""
    ax.axhline(0, color="black", lw=0.4)
    for mu, colour, width in zip(data.mu.values, HUES, (2.2, 0.9), strict=True):
        x = data.sel(mu=mu)
        ax.plot(x.distance, x["mean"], color=colour, lw=width, label=rf"mean, $\mu_0$ = {mu:g}")
        ax.plot(x.distance, x.sd, color=colour, ls="--", lw=width, label=rf"sd, $\mu_0$ = {mu:g}")
        for value, error in ((x.estimate, x.estimate_se), (x.sd_estimate, x.sd_estimate_se)):
            ax.errorbar(x.sampled, value, 2 * error, fmt=".", color=colour, ms=2.5, elinewidth=0.6)
