"""Figure 11: what low precision does to a TAPA score, by distance, size of the phase, and where phases are computed."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, CYCLE, PAGE, distance_axis, end_labels, headline, panel

STYLES = {"float32": "-", "own type": "--"}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """A panel a type of the vectors."""
    data = records["precision"]
    figure, axes = plt.subplots(1, data.sizes["dtype"], figsize=(PAGE, 3.0), sharex=True, sharey=True)
    for ax, name, letter in zip(axes, data["dtype"].values, "abc", strict=True):
        _panel(ax, data.sel({"dtype": name}))
        ax.set_title(f"vectors in {name}")
        distance_axis(ax)
        ax.set_xticks([1, 1e3, 1e6])
        panel(ax, letter)
    axes[0].set(
        yscale="log", ylabel="rms error / rms score", ylim=(5e-8, 5), xlim=(1, float(data.distance.max()))
    )
    coarse = data.error.isel({"dtype": 1}).sel(phases_in="own type")
    end_labels(axes[1], [
        (float(coarse.sel(phase_sd=sd)[-1]), f"sd {sd:g} turns", CYCLE[i]) for i, sd in enumerate(data.phase_sd.values)
    ])  # fmt: skip
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    headline(figure, "For vectors in 16 bits, phases computed in float32 add no error to TAPA's score")
    return figure


def _panel(ax: Axes, data: xr.Dataset) -> None:
    """Solid: phases in float32; dashed: in the vectors' own type."""
    for i, phase_sd in enumerate(data.phase_sd.values):
        for where, style in STYLES.items():
            x = data.sel(phase_sd=phase_sd, phases_in=where)
            ax.plot(x.distance, x.error, color=CYCLE[i], ls=style)
    ax.axhline(1, color="black", lw=0.5)
    ax.plot([], [], color="black", ls="-", label="phases in float32")
    ax.plot([], [], color="black", ls="--", label="phases in the vectors' type")
    gone = data.distance.where(data.lost.sel(phases_in="own type").max("phase_sd") == 1, drop=True)
    if gone.size:
        ax.axvspan(float(gone[0]), float(gone[-1]), color=COLOURS["grey"], alpha=0.25, lw=0)
        ax.text(
            np.sqrt(float(gone[0]) * float(gone[-1])), 1e-7, "too far for the type", rotation=90,
            ha="center", va="bottom", fontsize=7,
        )  # fmt: skip
