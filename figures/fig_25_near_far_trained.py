"""Figure 25: v1's figure 1 on trained heads: histograms of near less far scores, and every head of every model."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, names_of, note, panel

HISTOGRAMS = ("rope", "tapa")  # as in v1
READINGS = {
    "distances": "near and far are distances",
    "positions": "near and far are positions",
}
WIDE = 25.0  # of the histograms, score


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Above, all heads' differences; below, a point a head, mean over standard deviation with its 95 % interval."""
    data = records["trained_gaps"]
    data = data.sel(reach=data.reach.max())
    names = data.checkpoint.values.tolist()
    figure, axes = plt.subplot_mosaic(
        "ab;cd", figsize=(PAGE, 3.6 + 0.32 * len(names)), height_ratios=(1, 0.4 + 0.18 * len(names))
    )
    for ax, name in zip((axes["a"], axes["b"]), HISTOGRAMS, strict=True):
        _histogram(ax, data.sel(checkpoint=name))
    top = max(axes["a"].get_ylim()[1], axes["b"].get_ylim()[1])
    for ax in (axes["a"], axes["b"]):
        ax.set_ylim(0, top)
    axes["a"].set_ylabel("density")
    axes["a"].legend(*axes["a"].get_legend_handles_labels(), loc="upper left")
    for ax, (reading, title) in zip((axes["c"], axes["d"]), READINGS.items(), strict=True):
        for row, name in enumerate(names):
            draw_heads(ax, data.sel(checkpoint=name, reading=reading), row)
            if reading == "distances":
                _paper(ax, data.sel(checkpoint=name), row)
        ax.axvline(0, color="black", lw=0.7)
        ax.set_title(title, loc="left")
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(-15, 70)
        ax.set_xticks([-10, -1, 0, 1, 10], ["-10", "-1", "0", "1", "10"])
        ax.set_xlabel("mean of near less far / its sd")
        ax.grid(axis="y", visible=False)
        ax.set_ylim(len(names) - 0.5, -0.5)
    axes["c"].set_yticks(range(len(names)), data.label.values)
    axes["d"].set_yticks(range(len(names)), [])
    for letter, ax in axes.items():
        panel(ax, letter)
    near, far, last = (int(v) for v in (data.near_last, data.far_first, data.reach))
    note(figure, f"near: 1 to {near}, far: {far} to {last} tokens; c, d: a point a head with its 95 % interval over "
         "documents, orange bar: v1's trained 7B; dashed in a, b: normal with v1's mean and sd")  # fmt: skip
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """Mean gap of the models that v1 has too, beside v1's, by the reading that can have a gap."""
    said = []
    for name in HISTOGRAMS:
        x = data.sel(checkpoint=name, reading="distances")
        said.append(f"{float(x['mean'].mean()):.1f} for {x.label.item()} (v1: {float(x.paper_mean):g})")
    return f"In our trained heads near scores exceed far ones on average by {names_of(said)}"


def _histogram(ax: Axes, data: xr.Dataset) -> None:
    edges = data.gap_edge.values
    for reading, colour in (("distances", COLOURS["sky"]), ("positions", COLOURS["black"])):
        density = data.share.sel(reading=reading).values / np.diff(edges)
        filled = reading == "distances"
        ax.stairs(density, edges, fill=filled, color=colour, lw=0.9, label=f"ours, {reading}")
    x = np.linspace(-WIDE, WIDE, 1001)
    mean, sd = float(data.paper_mean), float(data.paper_sd)
    curve = np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
    ax.plot(x, curve, color=COLOURS["vermilion"], ls="--", label="v1, trained 7B")
    ax.axvline(0, color="black", lw=0.5)
    ax.set_xlim(-WIDE, WIDE)
    ax.set_title(f"{data.label.item()}, all heads", loc="left")
    ax.set_xlabel("near less far score")


def draw_heads(ax: Axes, data: xr.Dataset, row: int) -> None:
    """The heads of one model, one above the other in its row."""
    x = data.stack(place=("layer", "head"))
    values, low, high = (x[name].values / x.sd.values for name in ("mean", "low", "high"))
    heights = row + np.linspace(-0.28, 0.28, len(values))
    ax.errorbar(
        values,
        heights,
        xerr=[values - low, high - values],
        fmt="o",
        color=COLOURS["blue"],
        ms=2.5,
        elinewidth=0.8,
    )


def _paper(ax: Axes, data: xr.Dataset, row: int) -> None:
    mean, sd = float(data.paper_mean), float(data.paper_sd)
    if np.isfinite(mean):
        ax.plot([mean / sd] * 2, [row - 0.42, row + 0.42], color=COLOURS["vermilion"], lw=2.0)
