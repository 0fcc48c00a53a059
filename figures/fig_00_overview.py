"""Figure 0: the README's: what distance alone decides in every head of a real model, and two heads as curves."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.style import PAGE, distance_axis, head_curves, head_map, headline, means_explain

SHOWN = ("median head", "largest near-far gap")


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Share of the variance of all scores that lies between distances; mean score of the median and one other head."""
    data = records["smollm2"].sel(first_token="dropped")
    why = data.telling_why.values.tolist()
    picked = [why.index(name) for name in SHOWN]
    places = [(int(data.telling_layer[i]), int(data.telling_head[i])) for i in picked]
    figure, axes = plt.subplots(1, 3, figsize=(PAGE, 3.5), width_ratios=(1, 1.1, 1.1))
    marks = {(head, layer): letter for letter, (layer, head) in zip("AB", places, strict=True)}
    head_map(
        axes[0],
        data.distance_share.transpose("head", "layer"),
        marks,
        "share of score variance\ndue to distance",
    )
    axes[0].set(xlabel="layer", ylabel="head")
    for letter, name, (layer, head), ax in zip("AB", SHOWN, places, axes[1:], strict=True):
        head_curves(ax, data, layer, head)
        ax.set_title(f"{letter}: layer {layer}, head {head},\n{name}", loc="left", fontsize=7)
        distance_axis(ax)
    axes[1].set_ylabel("mean score")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    headline(figure, means_explain(data))
    return figure
