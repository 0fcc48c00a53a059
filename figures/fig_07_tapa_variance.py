"""Figure 7: the variance of TAPA's score by distance, over the paper's lower bound, for laws that keep it or not."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import CYCLE, PAGE, distance_axis, panel

STYLES = ("-", "-", "-", "-", "--", ":")  # laws that keep the bound, that break it, that have no density


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["tapa_variance"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.9), sharey=True)
    _laws(left, data)
    _phases(right, data)
    for ax, letter in zip((left, right), "ab", strict=True):
        ax.axhline(1, color="black", lw=0.8, ls="--")
        ax.set_xlim(0.9, 1.1 * float(data.distance.max()))
        ax.set_ylim(0, 2.25)
        distance_axis(ax)
        panel(ax, letter)
    left.set_ylabel(r"variance of the score / ($\sigma_0^2/2$)")
    figure.legend(loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure


def _laws(ax: Axes, data: xr.Dataset) -> None:
    """A line where there is a closed form, Monte Carlo with bars of two standard errors everywhere."""
    for i, (law, style) in enumerate(zip(data.law.values, STYLES, strict=True)):
        x = data.sel(law=law)
        if np.isfinite(x.exact).all():
            ax.plot(data.distance, x.exact, color=CYCLE[i], ls=style, lw=0.9)
        ax.errorbar(
            x.sampled, x.estimate, 2 * x.estimate_se,
            fmt="o", color=CYCLE[i], ms=2.5, elinewidth=0.8, label=str(law),
        )  # fmt: skip
    ax.text(1.2, 1.03, "bound", fontsize=7)
    ax.set_title(f"laws, phase sd {float(data.phase_sd_of_laws):g} turns", loc="left")


def _phases(ax: Axes, data: xr.Dataset) -> None:
    for phase_sd, style in zip(data.phase_sd.values, ("-", "--", "-.", ":"), strict=True):
        ax.plot(
            data.distance, data.by_phase.sel(phase_sd=phase_sd), color="black", ls=style,
            label=f"phase sd {phase_sd:g} turns",
        )  # fmt: skip
    ax.set_title("normal law, sizes of the phase", loc="left")
