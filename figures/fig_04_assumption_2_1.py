"""Figure 4: Assumption 2.1 on a real model: are E A_d and E B_d the same for every pair?"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, panel, side_by_side

KINDS = (("mu", r"$\mathrm{E}A_d$", COLOURS["blue"]), ("nu", r"$\mathrm{E}B_d$", COLOURS["orange"]))


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["smollm2"].sel(first_token="dropped")
    figure = plt.figure(figsize=(PAGE, 3.6))
    left, right = side_by_side(figure, (2.4, 1))
    axes = left.subplots(2, 3, sharex=True)
    for ax, telling in zip(axes.flat, data.telling.values, strict=True):
        _head(ax, data, telling)
    for ax in axes[1]:
        ax.set_xlabel("pair d (fast to slow)")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\mathrm{E}A_d$, $\mathrm{E}B_d$")
    axes[0, 0].legend(handlelength=1)
    panel(axes[0, 0], "a")
    ax = right.subplots()
    _all_heads(ax, data)
    panel(ax, "b")
    return figure


def _head(ax: Axes, data: xr.Dataset, telling: int) -> None:
    layer, head = int(data.telling_layer[telling]), int(data.telling_head[telling])
    x = data.sel(layer=layer, head=head, part="all")
    for name, label, colour in KINDS:
        ax.errorbar(
            x.pair, x[name], 2 * x[f"{name}_se"], color=colour, lw=0.7, marker=".", ms=2.5, label=label
        )
        ax.axhline(float(x[name].mean()), color=colour, lw=0.7, ls="--")
    why = str(data.telling_why.values[telling])
    ax.set_title(f"layer {layer}, head {head}:\n{why}", loc="left", fontsize=7)


def _all_heads(ax: Axes, data: xr.Dataset) -> None:
    x = data.sel(part="all")
    for name, label, colour in KINDS:
        ax.plot(abs(x[f"{name}_pair_mean"]).values.ravel(), x[f"{name}_pair_sd"].values.ravel(), ".", ms=2.5,
                color=colour, label=label)  # fmt: skip
    limits = np.array([1e-3, 1e2])
    ax.plot(limits, limits, color="black", lw=0.7, ls="--", label="sd = |mean|")
    ax.text(0.97, 0.03, "Assumption 2.1:\nsd = 0, far below", transform=ax.transAxes, ha="right", fontsize=7)
    ax.set(xscale="log", yscale="log", xlabel="|mean over pairs|", ylabel="sd over pairs")
    ax.legend(loc="upper left", handlelength=0.5)
