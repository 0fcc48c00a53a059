"""Figure 3: what distance alone decides in every head of a real model, and six heads as curves."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, SEQUENTIAL, distance_axis, panel, side_by_side

RECORDS = ("smollm2",)
CLAIMS = ("eq-5", "eq-17")

LINES = (
    ("measured", "measured", COLOURS["black"], "-", 1.0),
    ("bias", "bias: means of q, k", COLOURS["orange"], "-", 1.0),
    ("paper", r"paper: one $\mu_0$, $\nu_0$", COLOURS["blue"], "--", 1.0),
    ("shuffled", "control: shuffled", COLOURS["green"], ":", 0.9),
)


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["smollm2"].sel(first_token="dropped")
    figure = plt.figure(figsize=(PAGE, 5.4))
    left, right = side_by_side(figure, (1, 2.3))
    maps = left.subplots(1, 2, sharey=True)
    _map(maps[0], data.distance_share, "share of score\nvariance")
    _map(maps[1], data.r2_bias.sel(weighting="log"), r"mean curve:" + "\n" + r"$R^2$ of bias")
    maps[0].set_ylabel("layer")
    panel(maps[0], "a")
    axes = right.subplots(3, 2, sharex=True)
    for ax, head in zip(axes.flat, data.telling.values, strict=True):
        _curves(ax, data, head)
    for ax in axes[-1]:
        distance_axis(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel("mean score")
    panel(axes[0, 0], "b")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    right.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.0)
    return figure


def _map(ax: Axes, values: xr.DataArray, title: str) -> None:
    image = ax.imshow(values, origin="lower", aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_xlabel("head")
    ax.grid(False)
    below = "min" if float(values.min()) < 0 else "neither"
    ax.figure.colorbar(image, ax=ax, location="bottom", pad=0.02, extend=below)


def _curves(ax: Axes, data: xr.Dataset, telling: int) -> None:
    layer, head = int(data.telling_layer[telling]), int(data.telling_head[telling])
    head_curves(ax, data, layer, head)
    ax.set_title(f"layer {layer}, head {head}: {data.telling_why.values[telling]!s}", loc="left", fontsize=7)


def head_curves(ax: Axes, data: xr.Dataset, layer: int, head: int) -> None:
    """Measured mean score of one head with 2 standard errors, beside its bias, prediction and control."""
    x = data.sel(layer=layer, head=head).isel(distance=slice(1, data.sizes["distance"] // 2))
    for name, label, colour, style, width in LINES:
        ax.plot(x.distance, x[name], color=colour, ls=style, lw=width, label=label)
        if name in ("measured", "shuffled"):
            low, high = x[name] - 2 * x[f"{name}_se"], x[name] + 2 * x[f"{name}_se"]
            ax.fill_between(x.distance, low, high, color=colour, alpha=0.2, lw=0)
    both = np.array([x[name] for name in ("measured", "bias", "paper")])
    margin = 0.08 * np.ptp(both)
    ax.set_ylim(both.min() - margin, both.max() + margin)
