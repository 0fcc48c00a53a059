"""Figure 8: where TAPA is blind to distance, where its mean is gone at once, and where it decays across the context."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from figures.style import COLOURS, PAGE, SEQUENTIAL, headline

MARKS = "os^D"
OUTLINE = [withStroke(linewidth=2, foreground="black")]


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Left of the solid line most of the mean is left at the far end, right of the dashed one it is gone at 1."""
    data = records["tapa_map"]
    figure, ax = plt.subplots(figsize=(PAGE, 3.6))
    lost = data.near - data.far
    image = ax.pcolormesh(
        data.phase_sd, data.alpha, lost, cmap=SEQUENTIAL, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    far = f"{float(data.far_distance):,.0f}"
    figure.colorbar(image, ax=ax, label=f"share of the mean lost\nfrom distance 1 to {far}", pad=0.02)
    blind, gone = float(data.blind), float(data.gone)
    ax.contour(data.phase_sd, data.alpha, data.far, [blind], colors="white", linewidths=1.2)
    ax.contour(
        data.phase_sd, data.alpha, data.near, [gone], colors="white", linewidths=1.2, linestyles="dashed"
    )
    for x, y, words in (
        (0.0013, 0.03, f"blind, like NoPE:\nmore than {100 * blind:.0f} %\nof the mean left at the far end"),
        (0.38, 0.5, f"gone: less than\n{100 * gone:.0f} % left\nat distance 1"),
        (0.02, 0.6, "decays across\nthe context"),
    ):
        ax.text(x, y, words, color="white", fontsize=7, va="center", path_effects=OUTLINE)
    alpha = float(data.mark_alpha)
    for i, (marker, name) in enumerate(zip(MARKS, data.mark.values, strict=True)):
        x = float(data.mark_sd.sel(mark=name))
        ax.plot([x], [alpha], marker, color=COLOURS["orange"], mec="black", mew=0.7, ms=6)
        ax.annotate(
            str(name), (x, alpha), (0, 9 if i % 2 else -9), textcoords="offset points",
            ha="center" if x < 1.2 else "right", va="bottom" if i % 2 else "top", color="white", fontsize=7,
            path_effects=OUTLINE,
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="standard deviation of the phase (turns at distance 1)")
    ax.set_ylabel(r"exponent $\alpha$ of the distance")
    ax.set_title(rf"marks: initialisations of $W_q$, $W_k$ at $\alpha$ = {alpha:g}", loc="right", fontsize=7)
    ax.grid(False)
    headline(figure, "TAPA's mean score depends on distance only in a band of phase spreads")
    return figure
