"""Figure 12: untrained heads on real text: no bias over weights, one of its own in every head over tokens."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis, headline

TITLES = {"normal": "sd 0.02", "xavier": "Xavier", "depth": "by depth"}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Encodings by initialisations; scores over their spread over weights."""
    data = records["random_heads"]
    size = data.sizes["rival"], data.sizes["initialisation"]
    figure, axes = plt.subplots(*size, figsize=(PAGE, 3.7), sharex=True, sharey=True)
    for row, rival in zip(axes, data.rival.values, strict=True):
        for ax, name in zip(row, data.initialisation.values, strict=True):
            _panel(ax, data.sel(rival=rival, initialisation=name))
            ax.set_title(f"{rival}, {TITLES[str(name)]}", loc="left")
    for ax in axes[-1]:
        distance_axis(ax)
    figure.supylabel("mean score over tokens / its spread over weights", fontsize=8)
    axes[0, 0].set_xlim(1, 0.75 * float(data.distance.max()))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, columnspacing=1.2)
    headline(
        figure, "Untrained: each head has a distance bias of its own, their mean over weights shows none"
    )
    return figure


def _panel(ax: Axes, data: xr.Dataset) -> None:
    x = data.sel(distance=slice(1, 0.75 * float(data.distance.max())))
    low, lower, _, upper, high = (x.band.isel(quantile=i) for i in range(5))
    inner = 100 * float(x["quantile"][-1] - x["quantile"][0])
    ax.fill_between(
        x.distance, low, high, color=COLOURS["sky"], alpha=0.35, lw=0, label=f"{inner:.0f} % of heads"
    )
    ax.fill_between(x.distance, lower, upper, color=COLOURS["sky"], alpha=0.6, lw=0, label="half of heads")
    for head in range(x.sizes["head"]):
        label = "single heads" if not head else None
        ax.plot(x.distance, x.score.isel(head=head), color=COLOURS["blue"], lw=0.6, label=label)
    ax.fill_between(
        x.distance, x.weights_mean - 2 * x.weights_se, x.weights_mean + 2 * x.weights_se,
        color=COLOURS["orange"], alpha=0.6, lw=0, label="mean over weights, 2 standard errors",
    )  # fmt: skip
    ax.plot(x.distance, x.weights_mean, color=COLOURS["vermilion"], lw=0.8)
    ax.axhline(0, color="black", lw=0.5)
