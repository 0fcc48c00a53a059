"""Figure 3: what distance alone decides in every head of a real model, and six heads as curves."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, SEQUENTIAL, binned, distance_axis, log_bins, panel, side_by_side

# the widest line first: a narrow one on top of it shows that both are there
LINES = (
    ("measured", "measured", COLOURS["grey"], "-", 3.0),
    ("bias", "bias: means of q and k", COLOURS["orange"], "-", 1.1),
    ("shuffled", "control: shuffled tokens", COLOURS["black"], ":", 1.0),
    ("paper", r"v1's formula: one $\mu_0$, $\nu_0$", COLOURS["blue"], "--", 1.0),
)


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Maps over heads with six of them numbered, and the mean score of those by distance."""
    data = records["smollm2"].sel(first_token="dropped")
    figure = plt.figure(figsize=(PAGE, 5.2))
    left, right = side_by_side(figure, (1, 2.3))
    maps = left.subplots(1, 2, sharey=True)
    head_map(maps[0], data, data.distance_share, "share of score\nvariance")
    head_map(maps[1], data, data.r2_bias.sel(weighting="log"), r"mean curve:" + "\n" + r"$R^2$ of bias")
    maps[0].set_ylabel("layer")
    panel(maps[0], "a")
    axes = right.subplots(3, 2, sharex=True)
    for number, ax in enumerate(axes.flat):
        layer, head = int(data.telling_layer[number]), int(data.telling_head[number])
        head_curves(ax, data, layer, head)
        why = data.telling_why.values[number]
        ax.set_title(f"{number + 1}: layer {layer}, head {head}, {why}", loc="left", fontsize=7)
    for ax in axes[-1]:
        distance_axis(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel("mean score")
    panel(axes[0, 0], "b")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    right.legend(handles, labels, loc="outside lower center", ncols=2, columnspacing=1.0)
    right.suptitle("Under the orange line, means of q and k alone give the measured curve", fontsize=8)
    return figure


def head_map(ax: Axes, data: xr.Dataset, values: xr.DataArray, title: str) -> None:
    """A number a head, layers upwards, from 0 to 1; the heads that are drawn as curves carry their number."""
    image = ax.imshow(values, origin="lower", aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=1)
    for number, (layer, head) in enumerate(zip(data.telling_layer, data.telling_head, strict=True)):
        dark = float(values.sel(layer=layer, head=head)) < 0.5
        ax.text(
            int(head), int(layer), str(number + 1), color="white" if dark else "black", fontsize=6,
            fontweight="bold", ha="center", va="center",
        )  # fmt: skip
    ax.set_title(title)
    ax.set_xlabel("head")
    ax.grid(False)
    below = "min" if float(values.min()) < 0 else "neither"
    ax.figure.colorbar(image, ax=ax, location="bottom", pad=0.02, extend=below)


def head_curves(ax: Axes, data: xr.Dataset, layer: int, head: int) -> None:
    """Mean score of one head by distance, in bins of an eighth of an octave: measured with 2 standard errors.

    Beside it the bias, the control and the formula of v1. The error of a bin is the mean error of its distances,
    which is what it would be if they erred alike: too wide, not too narrow.
    """
    x = data.sel(layer=layer, head=head).isel(distance=slice(1, data.sizes["distance"] // 2))
    starts = log_bins(x.distance.values)
    at = np.exp(binned(np.log(x.distance.values), starts))
    curves = {name: binned(x[name].values.astype(float), starts) for name, *_ in LINES}
    for name, label, colour, style, width in LINES:
        ax.plot(at, curves[name], color=colour, ls=style, lw=width, label=label)
    error = 2 * binned(x.measured_se.values.astype(float), starts)
    ax.fill_between(
        at, curves["measured"] - error, curves["measured"] + error, color=COLOURS["grey"], alpha=0.3, lw=0
    )
    every = np.array(list(curves.values()))
    margin = 0.08 * np.ptp(every)
    ax.set_ylim(every.min() - margin, every.max() + margin)
