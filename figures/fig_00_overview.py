"""Figure 0: the README's: what distance alone decides in every head of a real model, and two heads as curves."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.fig_03_distance_bias import head_curves
from figures.style import PAGE, SEQUENTIAL, distance_axis

SHOWN = ("median head", "largest near-far gap")


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Share of the variance of all scores that lies between distances; mean score of the median and one other head."""
    data = records["smollm2"].sel(first_token="dropped")
    why = data.telling_why.values.tolist()
    picked = [why.index(name) for name in SHOWN]
    figure, axes = plt.subplots(1, 3, figsize=(PAGE, 2.7), width_ratios=(1, 1.15, 1.15))
    shares = data.distance_share.transpose("head", "layer")
    image = axes[0].imshow(shares, origin="lower", aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=1)
    axes[0].set(xlabel="layer", ylabel="head")
    axes[0].set_title("share of score variance\nbetween distances", fontsize=7.5)
    axes[0].grid(visible=False)
    figure.colorbar(image, ax=axes[0], location="bottom", pad=0.02)
    for letter, number, ax in zip("AB", picked, axes[1:], strict=True):
        layer, head = int(data.telling_layer[number]), int(data.telling_head[number])
        dark = float(data.distance_share.sel(layer=layer, head=head)) < 0.5
        axes[0].text(
            layer, head, letter, color="white" if dark else "black", fontweight="bold", fontsize=7,
            ha="center", va="center",
        )  # fmt: skip
        head_curves(ax, data, layer, head)
        ax.set_title(f"{letter}: layer {layer}, head {head}\n{why[number]}", fontsize=7.5)
        distance_axis(ax)
    axes[1].set_ylabel("mean score")
    figure.legend(
        *axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4, columnspacing=1.2
    )
    return figure
