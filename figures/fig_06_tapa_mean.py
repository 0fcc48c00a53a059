"""Figure 6: how TAPA's mean score falls with distance, in closed form, by Monte Carlo, and under the paper's bound."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, CYCLE, PAGE, distance_axis, end_labels, headline, panel

MARKS = {"plain": ("o", "Monte Carlo, plain"), "conditional-sobol": ("x", "Monte Carlo given $q_P$, Sobol")}
STYLES = ("-", "--", "-.", ":")
LOG10 = np.log(10.0)
LOWEST = 1e-9  # of the means that are shown


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Lines are closed forms, marks Monte Carlo with two standard errors."""
    data = records["tapa_mean"]
    figure, mosaic = plt.subplot_mosaic("aa;bc", figsize=(PAGE, 4.6))
    axes = [mosaic[letter] for letter in "abc"]
    _means(axes[0], data)
    _gaps(axes[1], data)
    _exponents(axes[2], data)
    for ax, letter in zip(axes, "abc", strict=True):
        ax.set_xlim(1, float(data.distance.max()))
        distance_axis(ax)
        panel(ax, letter)
    ends = np.exp(data.log_mean.isel(distance=-1)).values
    end_labels(axes[0], [one for one in _named(data, ends) if one[0] > LOWEST])
    end_labels(axes[2], _named(data, data.exponent.isel(distance=-1).values))
    axes[0].legend(loc="lower center")
    digits = (data.log_bound - data.log_mean) / LOG10
    headline(figure, f"Theorem 3.2's bound lies {float(digits.min()):.0f} to {float(digits.max()):.0f} decimal "
             "digits above TAPA's mean score")  # fmt: skip
    return figure


def _named(data: xr.Dataset, ends: np.ndarray) -> list[tuple[float, str, str]]:
    return [
        (float(y), f"phase sd {sd:g}", CYCLE[i])
        for i, (sd, y) in enumerate(zip(data.phase_sd.values, ends, strict=True))
    ]


def _means(ax: Axes, data: xr.Dataset) -> None:
    for i, phase_sd in enumerate(data.phase_sd.values):
        x = data.sel(phase_sd=phase_sd)
        ax.plot(data.distance, np.exp(x.log_mean), color=CYCLE[i], ls=STYLES[i % len(STYLES)])
        for name, (marker, _) in MARKS.items():
            _points(ax, x.sel(estimator=name), CYCLE[i], marker)
    for marker, label in MARKS.values():
        ax.plot([], [], marker, color=COLOURS["grey"], ms=3, mfc="none", label=label)
    ax.set(yscale="log", ylim=(LOWEST, 2), ylabel="mean score /\nmean at distance 0")
    ax.set_title("phase sd in turns", loc="right", fontsize=7)


def _points(ax: Axes, x: xr.Dataset, colour: str, marker: str) -> None:
    """With bars of two errors, where these are below the closed form; what rare draws decide is left out."""
    exact = np.exp(x.log_mean.sel(distance=x.sampled.values).values)
    kept = x.trusted.values & (2 * x.estimate_se.values < exact)
    ax.errorbar(
        x.sampled[kept], x.estimate[kept], 2 * x.estimate_se[kept],
        fmt=marker, color=colour, ms=3, mfc="none", mew=0.7, elinewidth=0.7,
    )  # fmt: skip


def _gaps(ax: Axes, data: xr.Dataset) -> None:
    for i, phase_sd in enumerate(data.phase_sd.values):
        x = data.sel(phase_sd=phase_sd)
        ax.plot(data.distance, (x.log_bound - x.log_mean) / LOG10, color=CYCLE[i], ls=STYLES[i % len(STYLES)])
    ax.set(ylim=(0, None), ylabel="bound above the mean\n(decimal digits)")


def _exponents(ax: Axes, data: xr.Dataset) -> None:
    for i, phase_sd in enumerate(data.phase_sd.values):
        ax.plot(
            data.distance, data.exponent.sel(phase_sd=phase_sd), color=CYCLE[i], ls=STYLES[i % len(STYLES)]
        )
    bound = -float(data.alpha) * int(data.phase_dims)
    ax.axhline(bound, color="black", ls="--", lw=0.8)
    ax.text(1.3, bound + 0.15, rf"bound: $-\alpha n = {bound:g}$", fontsize=7)
    ax.set(ylabel="local exponent\nof the mean")
