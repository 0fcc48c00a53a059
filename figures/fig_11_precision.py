"""Figure 11: what low precision does to a TAPA score, by distance, size of the phase, and where phases are computed."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, CYCLE, PAGE, distance_axis, panel

STYLES = {"float32": "-", "own type": "--"}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["precision"]
    figure, axes = plt.subplots(1, data.sizes["dtype"], figsize=(PAGE, 2.8), sharex=True, sharey=True)
    for ax, name, letter in zip(axes, data["dtype"].values, "abc", strict=True):
        _panel(ax, data.sel({"dtype": name}))
        ax.set_title(f"vectors in {name}")
        distance_axis(ax)
        panel(ax, letter)
    axes[0].set(
        yscale="log", ylabel="rms error / rms score", ylim=(5e-8, 5), xlim=(1, float(data.distance.max()))
    )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), columnspacing=1.2)
    return figure


def _panel(ax: Axes, data: xr.Dataset) -> None:
    """Solid: phases in float32; dashed: in the vectors' own type."""
    for i, phase_sd in enumerate(data.phase_sd.values):
        for where, style in STYLES.items():
            x = data.sel(phase_sd=phase_sd, phases_in=where)
            label = f"phase sd {phase_sd:g} turns" if style == "-" else None
            ax.plot(x.distance, x.error, color=CYCLE[i], ls=style, label=label)
    ax.axhline(1, color="black", lw=0.5)
    ax.plot([], [], color="black", ls="--", label="phases in the vectors' type")
    gone = data.distance.where(data.lost.sel(phases_in="own type").max("phase_sd") == 1, drop=True)
    if gone.size:
        ax.axvspan(float(gone[0]), float(gone[-1]), color=COLOURS["grey"], alpha=0.25, lw=0)
        ax.text(float(gone[0]), 1.5, "too far for the type", ha="right", fontsize=7)
