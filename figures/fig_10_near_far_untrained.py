"""Figure 10: the protocol of the paper's figure 1 on untrained heads, by both of its readings, beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, panel

LOOKS = {"distances": (COLOURS["blue"], "o"), "positions": (COLOURS["orange"], "^")}
TITLES = {"normal": "sd 0.02", "xavier": "Xavier", "depth": "by depth"}
LINEAR = 0.01  # half width of the linear part of the axis of means


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """A point a head with its 95 % interval; rows are initialisations."""
    data = records["near_far"]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 3.8), sharey=True)
    rows = [(rival, name) for rival in data.rival.values for name in data.initialisation.values]
    for ax, what in zip(axes, ("mean", "sd"), strict=True):
        for place, (rival, name) in enumerate(rows):
            _row(ax, data.sel(rival=rival, initialisation=name), what, -place)
        for number, rival in enumerate(data.rival.values):
            half = len(data.initialisation)
            ax.plot(
                [float(data[f"paper_{what}"].sel(rival=rival))] * 2,
                [0.45 - number * half, 0.55 - (number + 1) * half],
                color="black", lw=1.6, label="paper (v1), trained 7B" if not number else None,
            )  # fmt: skip
        ax.grid(axis="y", visible=False)
    axes[0].set_xscale("symlog", linthresh=LINEAR)
    axes[0].set_xticks([-1, -0.1, -0.01, 0, 0.01, 0.1, 1], ["-1", "-.1", "", "0", "", ".1", "1"])
    axes[0].axvline(0, color="black", lw=0.5)
    axes[0].set_xlabel("near less far score: mean")
    axes[1].set(xscale="log", xlabel="near less far score:\nstandard deviation")
    axes[0].set_yticks([-i for i in range(len(rows))], [f"{r}, {TITLES[str(i)]}" for r, i in rows])
    panel(axes[0], "a")
    panel(axes[1], "b")
    handles, labels = axes[0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=2)
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """Heads whose mean gap is surely positive, and surely negative, by the reading that can have a gap."""
    interval = data.mean_interval.sel(reading="distances")
    near, far = int((interval.sel(bound="low") > 0).sum()), int((interval.sel(bound="high") < 0).sum())
    return f"Of {interval.isel(bound=0).size} untrained heads {near} favour near tokens and {far} favour far ones"


def _row(ax: Axes, data: xr.Dataset, what: str, place: float) -> None:
    """One point a head with its 95 % interval, heads one above the other; distances above positions."""
    for reading, offset in (("distances", 0.22), ("positions", -0.22)):
        x = data.sel(reading=reading)
        low, high = (x[f"{what}_interval"].sel(bound=side) for side in ("low", "high"))
        height = place + offset + np.linspace(0.16, -0.16, x.sizes["head"])
        error = [x[what] - low, high - x[what]]
        colour, marker = LOOKS[reading]
        ax.errorbar(
            x[what], height, xerr=error, fmt=marker, color=colour, ms=2, mew=0, elinewidth=0.7,
            label=f"untrained: intervals hold {reading}",
        )  # fmt: skip
