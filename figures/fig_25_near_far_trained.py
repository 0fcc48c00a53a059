"""Figure 25: the protocol of the paper's figure 1 on trained heads, by both of its readings, beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.experiments.plan import label
from figures.style import COLOURS, CYCLE, PAGE, panel

RECORDS = ("trained_gaps",)
CLAIMS = ("fig-1", "fig-1.protocol")
COLUMNS = (
    ("mean", "mean of near less far score"),
    ("sd", "standard deviation"),
    ("ratio", "mean over\nstandard deviation"),
)


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """One point a head with the 95 % interval of its mean over documents, heads one above the other."""
    data = records["trained_gaps"]
    rows = [(name, reading) for reading in data.reading.values for name in data.checkpoint.values]
    figure, axes = plt.subplots(1, 3, figsize=(PAGE, 0.9 + 0.55 * len(rows)), sharey=True)
    for ax, (what, title) in zip(axes, COLUMNS, strict=True):
        for place, (name, reading) in enumerate(rows):
            _row(ax, data.sel(checkpoint=name, reading=reading), what, -place)
            if reading == "distances":
                _paper(ax, data.sel(checkpoint=name), what, -place)
        ax.axhline(0.5 - len(rows) / 2, color="black", lw=0.5)
        ax.set_xlabel(title)
        ax.grid(axis="y", visible=False)
        if what == "sd":
            ax.set_xscale("log")
        else:
            ax.set_xscale("symlog", linthresh=1)
            ax.axvline(0, color="black", lw=0.5)
    axes[0].set_yticks(
        [-i for i in range(len(rows))], [f"{label(name)}\n{reading}" for name, reading in rows]
    )
    for ax, letter in zip(axes, "abc", strict=True):
        panel(ax, letter)
    handles, labels = axes[0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


def _row(ax: Axes, data: xr.Dataset, what: str, place: float) -> None:
    """Reaches one above the other, and in each the heads."""
    for i, reach in enumerate(data.reach.values):
        x = data.sel(reach=reach).stack(place=("layer", "head"))
        values, low, high = _values(x, what)
        height = place + 0.3 * (1 - i) + np.linspace(0.12, -0.12, len(values))
        text = f"near to {int(x.near_last)}, far {int(x.far_first)} to {int(reach)} tokens"
        ax.errorbar(
            values, height, xerr=[values - low, high - values], fmt=".", color=CYCLE[i], ms=2.5,
            elinewidth=0.7, label=text,
        )  # fmt: skip


def _values(x: xr.Dataset, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, low, high, sd = (x[name].values for name in ("mean", "low", "high", "sd"))
    if what == "sd":
        return sd, sd, sd
    unit = sd if what == "ratio" else np.ones_like(sd)
    return mean / unit, low / unit, high / unit


def _paper(ax: Axes, data: xr.Dataset, what: str, place: float) -> None:
    mean, sd = float(data.paper_mean), float(data.paper_sd)
    if np.isfinite(mean):
        value = {"mean": mean, "sd": sd, "ratio": mean / sd}[what]
        ax.plot(
            [value] * 2,
            [place - 0.45, place + 0.45],
            color=COLOURS["black"],
            lw=1.6,
            label="paper, trained 7B",
        )
