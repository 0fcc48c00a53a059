"""Figure 7: the variance of TAPA's score by distance, over the paper's lower bound, for laws that keep it or not."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis, end_labels, headline, names_of, panel

LOOKS = (  # colour, line, mark: blue for laws that keep the bound
    (COLOURS["blue"], "-", "o"),
    (COLOURS["sky"], "-", "s"),
    (COLOURS["blue"], "--", "^"),
    (COLOURS["blue"], ":", "D"),
    (COLOURS["vermilion"], "-", "v"),
    (COLOURS["orange"], "--", "x"),
)


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Lines are closed forms, marks Monte Carlo with two standard errors; the bound is 1."""
    data = records["tapa_variance"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 3.0), sharey=True, width_ratios=(1.25, 1))
    _laws(left, data)
    _phases(right, data)
    for ax, letter in zip((left, right), "ab", strict=True):
        ax.axhline(1, color="black", lw=0.8, ls="--")
        ax.set_xlim(0.9, 1.1 * float(data.distance.max()))
        ax.set_ylim(0, 2.25)
        distance_axis(ax)
        ax.set_xticks([1, 1e2, 1e4, 1e6])
        panel(ax, letter)
    left.set_ylabel(r"variance of the score / ($\sigma_0^2/2$)")
    _name(left, right, data)
    below = data.estimate + 2 * data.estimate_se < 1
    broken = [str(law) for law in data.law.values if bool(below.sel(law=law).any())]
    said = f"falls below theorem 3.3's bound under {len(broken)} laws: {names_of(broken)}"
    headline(figure, f"TAPA's variance {said if broken else 'keeps the bound of theorem 3.3'}")
    return figure


def _name(left: Axes, right: Axes, data: xr.Dataset) -> None:
    ends = [float(data.estimate.sel(law=law)[-1]) for law in data.law.values]
    end_labels(left, [
        (y, str(law).replace(" ", "\n", 1) if len(str(law)) > 14 else str(law), colour)
        for y, law, (colour, *_) in zip(ends, data.law.values, LOOKS, strict=True)
    ])  # fmt: skip
    end_labels(right, [
        (float(data.by_phase.sel(phase_sd=sd)[-1]), f"phase sd {sd:g}", "black") for sd in data.phase_sd.values
    ])  # fmt: skip


def _laws(ax: Axes, data: xr.Dataset) -> None:
    """A line where there is a closed form, Monte Carlo with bars of two standard errors everywhere."""
    for law, (colour, style, marker) in zip(data.law.values, LOOKS, strict=True):
        x = data.sel(law=law)
        if np.isfinite(x.exact).all():
            ax.plot(data.distance, x.exact, color=colour, ls=style, lw=0.9)
        ax.errorbar(
            x.sampled, x.estimate, 2 * x.estimate_se, fmt=marker, color=colour, ms=2.5, elinewidth=0.8
        )
    ax.text(1.2, 0.93, "bound", fontsize=7, va="top")
    ax.set_title(f"laws of q and k, phase sd {float(data.phase_sd_of_laws):g} turns", loc="left", fontsize=7)


def _phases(ax: Axes, data: xr.Dataset) -> None:
    for phase_sd, style in zip(data.phase_sd.values, ("-", "--", "-.", ":"), strict=True):
        ax.plot(data.distance, data.by_phase.sel(phase_sd=phase_sd), color="black", ls=style)
    ax.set_title("normal law, sd of the phase in turns", loc="left", fontsize=7)
