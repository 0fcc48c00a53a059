"""Pictures of a user's own record: the heads that were asked for, or maps of all heads with six examples."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from analysis.errors import InputError
from analysis.files import replacing_file
from figures import fig_03_distance_bias
from figures.style import PAGE, RC, curves_note, distance_axis, head_curves, headline, means_explain, note

SUFFIXES = (".png", ".pdf", ".svg")


def chosen_head(record: xr.Dataset, name: str) -> tuple[int, int]:
    """Layer and head of a name such as "3.4".

    Raises:
        InputError: it is no such name, or the record has no such head.
    """
    if not re.fullmatch(r"\d+\.\d+", name):
        raise InputError(f"head {name!r} is not LAYER.HEAD, such as 3.4")
    layer, head = (int(part) for part in name.split("."))
    if layer >= record.sizes["layer"] or head >= record.sizes["head"]:
        raise InputError(
            f"head {name} is not in the record; it has layers 0 to {record.sizes['layer'] - 1} and heads 0 to "
            f"{record.sizes['head'] - 1}"
        )
    return layer, head


def draw_own(record: xr.Dataset, heads: Sequence[str] = ()) -> Figure:
    """The heads of a record that were asked for, a panel each; figure 3's maps and examples if none was.

    Args:
        record: of `tapa measure`.
        heads: such as "3.4"; layer and head from 0.

    Raises:
        InputError: there is no such head.
    """
    places = [chosen_head(record, name) for name in heads]
    with mpl.rc_context(RC):
        if not places:
            return fig_03_distance_bias.draw({"smollm2": record})
        data = record.sel(first_token="dropped")
        columns = min(2, len(places))
        rows = math.ceil(len(places) / columns)
        figure = plt.figure(figsize=(PAGE, 1.3 + 1.9 * rows))
        (body,) = figure.subfigures(1, 1, squeeze=False).flat  # whose legend lies above the figure's note
        axes = body.subplots(rows, columns, squeeze=False)
        for ax, (layer, head) in zip(axes.flat, places, strict=False):
            head_curves(ax, data, layer, head)
            ax.set_title(f"layer {layer}, head {head}", loc="left", fontsize=7)
            distance_axis(ax)
        for ax in axes.flat[len(places) :]:
            ax.set_visible(False)
        for ax in axes[:, 0]:
            ax.set_ylabel("mean score")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        body.legend(handles, labels, loc="outside lower center", ncols=2, columnspacing=1.0)
        note(figure, curves_note(record))
        headline(figure, means_explain(data))
        return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write a picture whole, replacing one of that name; `InputError` if nothing can be written there."""
    try:
        with mpl.rc_context(RC), replacing_file(path) as part:
            figure.savefig(part, format=path.suffix.removeprefix("."))
    finally:
        plt.close(figure)
