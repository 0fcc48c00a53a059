"""Figure 3: what distance alone decides in every head of a real model, and six heads as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.style import (
    PAGE,
    RC,
    curves_note,
    distance_axis,
    head_curves,
    head_map,
    headline,
    heads_picture,
    means_explain,
    note,
    panel,
    side_by_side,
)


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Maps over heads with six of them numbered, and the mean score of those by distance."""
    data = records["smollm2"].sel(first_token="dropped")
    figure = plt.figure(figsize=(PAGE, 5.8))
    left, right = side_by_side(figure, (1, 2.1))
    maps = left.subplots(1, 2, sharey=True)
    places = list(zip(data.telling_layer.values.tolist(), data.telling_head.values.tolist(), strict=True))
    marks = {place: str(number + 1) for number, place in enumerate(places)}
    head_map(maps[0], data.distance_share, marks, "share of score\nvariance due\nto distance")
    r2 = data.r2_bias.sel(weighting="log")
    head_map(maps[1], r2, marks, "$R^2$ of mean\nscore from\nmeans of q, k")
    maps[0].set_ylabel("layer")
    for ax in maps:
        ax.set_xlabel("head")
    panel(maps[0], "a")
    axes = right.subplots(3, 2, sharex=True)
    for number, (ax, (layer, head)) in enumerate(zip(axes.flat, places, strict=True)):
        head_curves(ax, data, layer, head)
        why = data.telling_why.values[number]
        ax.set_title(f"{number + 1}: layer {layer}, head {head},\n{why}", loc="left", fontsize=7)
    for ax in axes[-1]:
        distance_axis(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel("mean score")
    panel(axes[0, 0], "b")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    right.legend(handles, labels, loc="outside lower center", ncols=2, columnspacing=1.0)
    note(figure, curves_note(data))
    headline(figure, means_explain(data))
    return figure


def draw_own(record: xr.Dataset, heads: Sequence[str] = ()) -> Figure:
    """The heads of a user's record that were asked for, a panel each; the maps and examples above if none was.

    Args:
        record: of `tapa measure`.
        heads: such as "3.4"; layer and head from 0.

    Raises:
        InputError: there is no such head.
    """
    if heads:
        return heads_picture(record, heads)
    with mpl.rc_context(RC):
        return draw({"smollm2": record})
