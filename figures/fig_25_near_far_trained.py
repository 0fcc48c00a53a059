"""Figure 25: v1's figure 1 on trained heads: near less far scores in units of their spread, by both of its readings."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, panel

READINGS = {
    "distances": "near and far are distances",
    "positions": "near and far are positions",
}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """A point a head at the longest reach, mean over standard deviation with its 95 % interval over documents."""
    data = records["trained_gaps"]
    data = data.sel(reach=data.reach.max())
    names = data.checkpoint.values.tolist()
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 1.3 + 0.38 * len(names)), sharex=True, sharey=True)
    for ax, (reading, title), letter in zip(axes, READINGS.items(), "ab", strict=True):
        for row, name in enumerate(names):
            heads(ax, data.sel(checkpoint=name, reading=reading), row)
            if reading == "distances":
                _paper(ax, data.sel(checkpoint=name), row)
        ax.axvline(0, color="black", lw=0.7)
        ax.set_title(title, loc="left")
        ax.set_xlabel("mean of near less far score / its sd")
        ax.set_xscale("symlog", linthresh=1)
        ax.grid(axis="y", visible=False)
        panel(ax, letter)
    axes[0].set_yticks(range(len(names)), data.label.values)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    near, far, last = (int(v) for v in (data.near_last, data.far_first, data.reach))
    words = f"distances 1 to {near} against {far} to {last} tokens; {data.sizes['layer'] * data.sizes['head']} heads"
    figure.suptitle(f"Near less far scores of trained heads: {words}", fontsize=7.5)
    handles, labels = axes[0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=2)
    return figure


def heads(ax: Axes, data: xr.Dataset, row: int) -> None:
    """The heads of one model, one above the other in its row."""
    x = data.stack(place=("layer", "head"))
    values, low, high = (x[name].values / x.sd.values for name in ("mean", "low", "high"))
    heights = row + np.linspace(-0.28, 0.28, len(values))
    ax.errorbar(
        values, heights, xerr=[values - low, high - values], fmt="o", color=COLOURS["blue"], ms=2.5,
        elinewidth=0.8, label="a head of ours, 95 % over documents",
    )  # fmt: skip


def _paper(ax: Axes, data: xr.Dataset, row: int) -> None:
    mean, sd = float(data.paper_mean), float(data.paper_sd)
    if np.isfinite(mean):
        ax.plot(
            [mean / sd] * 2, [row - 0.42, row + 0.42], color=COLOURS["vermilion"], lw=2.0, label="v1, trained 7B"
        )  # fmt: skip
