"""Figure 25: v1's figure 1 on trained heads: near less far scores, and what distance adds to the tokens' drift."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, names_of, note, panel

HISTOGRAMS = ("rope", "tapa")  # as in v1
PARTS = {
    "mean": "as v1 reads it",
    "due": "what distance adds",
}
WIDE = 25.0  # of the histograms, score


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Above, all heads' differences; below, a point a head, over standard deviation with its 95 % interval."""
    data = records["trained_gaps"]
    data = data.sel(reach=data.reach.min())  # within the trained length
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
    for ax, (part, title) in zip((axes["c"], axes["d"]), PARTS.items(), strict=True):
        for row, name in enumerate(names):
            draw_heads(ax, data.sel(checkpoint=name, reading="distances"), row, part)
            if part == "mean":
                _paper(ax, data.sel(checkpoint=name), row)
        ax.axvline(0, color="black", lw=0.7)
        ax.set_title(title, loc="left")
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(-15, 70)
        ax.set_xticks([-10, -1, 0, 1, 10], ["-10", "-1", "0", "1", "10"])
        ax.set_xlabel("near less far / its sd")
        ax.grid(axis="y", visible=False)
        ax.set_ylim(len(names) - 0.5, -0.5)
    axes["c"].set_yticks(range(len(names)), data.label.values)
    axes["d"].set_yticks(range(len(names)), [])
    for letter, ax in axes.items():
        panel(ax, letter)
    near, far, last = (int(v) for v in (data.near_last, data.far_first, data.reach))
    note(figure, f"near: 1 to {near}, far: {far} to {last} tokens apart; c, d: a point a head with its 95 % interval "
         "over documents, one model each; orange bar: v1's trained 7B; d: the gap less that of the same pairs, all put "
         "1 token apart; dashed in a, b: normal with v1's mean and sd")  # fmt: skip
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """What share of the mean gap is due to distance, in each model that v1 has too, and in NoPE where it is drawn."""
    said = []
    for name in (*HISTOGRAMS, "nope"):
        if name in data.checkpoint.values:
            x = data.sel(checkpoint=name, reading="distances")
            said.append(f"{100 * float(x.due.mean() / x['mean'].mean()):.0f} % of it in {x.label.item()}")
    return f"Near scores exceed far ones, in part because tokens drift: distance makes {names_of(said)}"


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


def draw_heads(ax: Axes, data: xr.Dataset, row: int, part: str) -> None:
    """The heads of one model, one above the other in its row."""
    x = data.stack(place=("layer", "head"))
    names = ("mean", "low", "high") if part == "mean" else (part, f"{part}_low", f"{part}_high")
    values, low, high = (x[name].values / x.sd.values for name in names)
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
