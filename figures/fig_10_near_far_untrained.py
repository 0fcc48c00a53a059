"""Figure 10: the protocol of the paper's figure 1 on untrained heads, by both of its readings, beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, panel

HUES = {"distances": COLOURS["blue"], "positions": COLOURS["orange"]}
TITLES = {"normal": "0.02", "xavier": "Xavier", "depth": "by depth"}
LINEAR = 0.01  # half width of the linear part of the axis of means


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["near_far"]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 3.4), sharey=True)
    rows = [(rival, name) for rival in data.rival.values for name in data.initialisation.values]
    for ax, what in zip(axes, ("mean", "sd"), strict=True):
        for place, (rival, name) in enumerate(rows):
            _row(ax, data.sel(rival=rival, initialisation=name), what, -place)
        for number, rival in enumerate(data.rival.values):
            half = len(data.initialisation)
            ax.plot(
                [float(data[f"paper_{what}"].sel(rival=rival))] * 2,
                [0.45 - number * half, 0.55 - (number + 1) * half],
                color="black", lw=1.6, label="paper, trained 7B" if not number else None,
            )  # fmt: skip
        ax.grid(axis="y", visible=False)
    axes[0].set_xscale("symlog", linthresh=LINEAR)
    axes[0].axvline(0, color="black", lw=0.5)
    axes[0].set_xlabel("mean of near less far score")
    axes[1].set(xscale="log", xlabel="standard deviation of near less far score")
    axes[0].set_yticks([-i for i in range(len(rows))], [f"{r}, {TITLES[str(i)]}" for r, i in rows])
    panel(axes[0], "a")
    panel(axes[1], "b")
    handles, labels = axes[0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(shown))
    return figure


def _row(ax: Axes, data: xr.Dataset, what: str, place: float) -> None:
    """One point a head with its 95 % interval, heads one above the other; distances above positions."""
    for reading, offset in (("distances", 0.22), ("positions", -0.22)):
        x = data.sel(reading=reading)
        low, high = (x[f"{what}_interval"].sel(bound=side) for side in ("low", "high"))
        height = place + offset + np.linspace(0.16, -0.16, x.sizes["head"])
        error = [x[what] - low, high - x[what]]
        ax.errorbar(
            x[what], height, xerr=error, fmt=".", color=HUES[reading], ms=2.5, elinewidth=0.7,
            label=f"untrained, {reading} in the interval",
        )  # fmt: skip
