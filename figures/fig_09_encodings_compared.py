"""Figure 9: mean and standard deviation of the score by distance, for TAPA and other encodings under one law."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis, headline, names_of

HUES = (COLOURS["orange"], COLOURS["blue"])
COLUMNS = 4
SEEN = 1e-6  # of the score's standard deviation: a mean that moves by more has a distance bias


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """A panel an encoding; the last one says what the lines are."""
    data = records["rivals"]
    names = [str(name) for name in data.rival.values]
    rows = -(-(len(names) + 1) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(PAGE, 1.3 * rows + 0.6), sharex=True, sharey=True)
    for ax, name in zip(axes.flat, names, strict=False):
        _panel(ax, data.sel(rival=name))
        ax.set_title(textwrap.fill(name, 18), fontsize=7)
        distance_axis(ax)
        ax.set_xticks([1, 1e2, 1e4])
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    for ax in axes[:, 0]:
        ax.set_ylabel("score")
    axes[0, 0].set(xlim=(1, float(data.distance.max())), ylim=(-0.6, 1.8))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    for ax in axes.flat[len(names) :]:
        ax.axis("off")
    axes.flat[-1].legend(handles, labels, loc="center", handlelength=2.2)
    still = data["mean"].sel(mu=0.0)
    moves = (still.max("distance") - still.min("distance")) > SEEN
    biased = [name for name in names if bool(moves.sel(rival=name))]
    headline(figure, f"Without a mean product of q and k ($\\mu_0$ = 0) only {names_of(biased)} has a distance bias"
             if len(biased) == 1 else "Distance bias of encodings with and without correlated q and k")  # fmt: skip
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
