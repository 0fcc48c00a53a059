"""Figure 2: the RoPE family's expected score against distance, read at eight times the trained length."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    data = records["family"]
    names = [str(name) for name in data.scheme.values if name != "RoPE"]
    plain = data.gamma.sel(scheme="RoPE")
    figure, axes = plt.subplots(2, 4, figsize=(PAGE, 3.4), sharex=True, sharey=True)
    for ax, name in zip(axes.flat, names, strict=True):
        ax.axvspan(1, data.trained_length, color=COLOURS["grey"], alpha=0.12, lw=0, label="trained length")
        ax.plot(data.distance, plain, color=COLOURS["grey"], lw=0.8, label="plain RoPE")
        ax.plot(
            data.distance, data.gamma.sel(scheme=name), color=COLOURS["blue"], lw=0.9, label="this scheme"
        )
        factor = float(data.attention_factor.sel(scheme=name))
        ax.set_title(name + (f" (scores $\\times$ {factor:.2f}$^2$)" if factor != 1 else ""))
        ax.axhline(0, color="black", lw=0.5)
        ax.set_xlim(1, float(data.distance.max()))
    for ax in axes[1]:
        distance_axis(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\Gamma_\lambda$ for $\mu_0=1$, $\nu_0=0$")
    axes[0, 0].set_ylim(-0.24, 0.76)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
    return figure
