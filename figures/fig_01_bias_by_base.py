"""Figure 1: RoPE's closed-form distance bias at four bases, and its limit for many pairs."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.style import CYCLE, PAGE, distance_axis, end_labels, headline, panel


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Thin: the sum over the pairs of one head; thick: its limit for many pairs; dotted: distance equal to the base."""
    data = records["closed_form"]
    figure, axes = plt.subplots(2, 1, figsize=(PAGE, 4.4), sharex=True)
    for ax, kind, name, mean in zip(axes, ("cos", "sin"), ("C", "S"), (r"\mu_0", r"\nu_0"), strict=True):
        for i, base in enumerate(data.base.values):
            curve = data.sel(base=base)
            ax.plot(data.distance, curve[f"{kind}_sum"], color=CYCLE[i], lw=0.4, alpha=0.45, zorder=1)
            ax.plot(data.distance, curve[f"{kind}_limit"], color=CYCLE[i], lw=1.6, zorder=3)
            ax.axvline(base, color=CYCLE[i], lw=0.7, ls=":")
        ax.axhline(0, color="black", lw=0.5)
        ax.set_xlim(1, float(data.distance.max()))
        ax.set_ylabel(rf"${name}_D$: score$\,/\,({mean}\sqrt{{D}})$")
    end_labels(axes[0], [
        (float(data["cos_limit"].sel(base=base)[-1]), "base " + f"{base:.0e}".replace("+0", ""), CYCLE[i])
        for i, base in enumerate(data.base.values)
    ])  # fmt: skip
    axes[1].set_title(f"thin: {int(data.head_dim)} dimensions, thick: limit of many, dotted: distance = base",
                      loc="right", fontsize=7)  # fmt: skip
    distance_axis(axes[1])
    for ax, letter in zip(axes, "ab", strict=True):
        panel(ax, letter)
    headline(
        figure,
        "RoPE's expected score from a positive mean of A falls until about the base (a), from B later (b)",
    )
    return figure
