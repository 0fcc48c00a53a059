"""Figure 1: RoPE's closed-form distance bias at four bases, and its limit for many pairs."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.style import COLUMN, CYCLE, distance_axis, panel


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["closed_form"]
    figure, axes = plt.subplots(2, 1, figsize=(COLUMN, 4.2), sharex=True)
    for ax, kind, name in zip(axes, ("cos", "sin"), ("C", "S"), strict=True):
        for i, base in enumerate(data.base.values):
            colour = CYCLE[i]
            curve = data.sel(base=base)
            ax.plot(data.distance, curve[f"{kind}_sum"], color=colour, lw=0.4, alpha=0.5, zorder=1)
            ax.plot(
                data.distance,
                curve[f"{kind}_limit"],
                color=colour,
                lw=1.4,
                zorder=3,
                label=f"{base:.0e}".replace("+0", ""),
            )
            ax.axvline(base, color=colour, lw=0.5, ls=":")
        ax.set_xlim(1, 1.3 * float(data.distance.max()))
        ax.set_ylabel(
            rf"${name}_D$: score$\,/\,(\mu_0\sqrt{{D}})$"
            if kind == "cos"
            else rf"${name}_D$: score$\,/\,(\nu_0\sqrt{{D}})$"
        )
    axes[0].axhline(0, color="black", lw=0.5)
    axes[0].legend(title=f"base (dotted); thin: D = {data.head_dim}, thick: limit", ncols=4, loc="upper right",
                   columnspacing=0.8, handlelength=1.2)  # fmt: skip
    axes[0].set_ylim(-0.2, 0.58)
    distance_axis(axes[1])
    for ax, letter in zip(axes, "ab", strict=True):
        panel(ax, letter)
    return figure
