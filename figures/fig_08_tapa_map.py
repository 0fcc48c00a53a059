"""Figure 8: where TAPA is blind to distance, where its mean is gone at once, and where it decays across the context."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from figures.style import COLOURS, COLUMN, SEQUENTIAL

MARKS = "os^D"
OUTLINE = [withStroke(linewidth=2, foreground="black")]


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["tapa_map"]
    figure, ax = plt.subplots(figsize=(COLUMN, 3.5))
    lost = data.near - data.far
    image = ax.pcolormesh(
        data.phase_sd, data.alpha, lost, cmap=SEQUENTIAL, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    figure.colorbar(image, ax=ax, location="top", label=_label(data), pad=0.02)
    blind, gone = float(data.blind), float(data.gone)
    ax.contour(data.phase_sd, data.alpha, data.far, [blind], colors="white", linewidths=1.2)
    ax.contour(
        data.phase_sd, data.alpha, data.near, [gone], colors="white", linewidths=1.2, linestyles="dashed"
    )
    for x, y, words in (
        (0.0013, 0.04, f"blind (NoPE):\n> {100 * blind:.0f} % left\nat the far end"),
        (0.36, 0.5, f"gone:\n< {100 * gone:.0f} %\nleft at 1"),
        (0.026, 0.6, "decays across\nthe context"),
    ):
        ax.text(x, y, words, color="white", fontsize=7, va="center", path_effects=OUTLINE)
    alpha = float(data.mark_alpha)
    for marker, name in zip(MARKS, data.mark.values, strict=True):
        x = float(data.mark_sd.sel(mark=name))
        ax.plot([x], [alpha], marker, color=COLOURS["orange"], mec="black", mew=0.7, ms=6, label=str(name))
    ax.set(xscale="log", yscale="log", xlabel="standard deviation of the phase (turns at distance 1)")
    ax.set_ylabel(r"exponent $\alpha$ of the distance")
    ax.grid(False)
    figure.legend(
        loc="outside lower center",
        ncols=2,
        title=rf"initialisations of $W_q$, $W_k$, at $\alpha$ = {alpha:g}",
    )
    return figure


def _label(data: xr.Dataset) -> str:
    return f"share of the mean lost from distance 1 to {float(data.far_distance):g}"
