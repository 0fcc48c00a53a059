"""Figure 2: the RoPE family's expected score against distance, at up to eight times the trained length and beyond."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis, headline, names_of


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """A panel a scheme, beside plain RoPE; the trained length is shaded."""
    data = records["family"]
    names = [str(name) for name in data.scheme.values if name != "RoPE"]
    plain = data.gamma.sel(scheme="RoPE")
    figure, axes = plt.subplots(2, 4, figsize=(PAGE, 3.3), sharex=True, sharey=True)
    for ax, name in zip(axes.flat, names, strict=True):
        ax.axvspan(1, data.trained_length, color=COLOURS["grey"], alpha=0.15, lw=0, label="trained length")
        ax.plot(data.distance, plain, color=COLOURS["grey"], lw=0.8, label="plain RoPE")
        ax.plot(
            data.distance, data.gamma.sel(scheme=name), color=COLOURS["blue"], lw=0.9, label="this scheme"
        )
        ax.set_title(name)
        factor = float(data.attention_factor.sel(scheme=name))
        if factor != 1:
            ax.text(1.5, -0.2, rf"scores $\times$ {factor:.2f}$^2$", fontsize=7)
        ax.axhline(0, color="black", lw=0.5)
        ax.set_xlim(1, float(data.distance.max()))
    for ax in axes[1]:
        distance_axis(ax, "distance\n(tokens)")
        ax.set_xticks([1, 1e2, 1e4])
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\Gamma_\lambda$, $\mu_0=1$, $\nu_0=0$")
    axes[0, 0].set_ylim(-0.24, 0.76)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
    headline(figure, _finding(data, names))
    return figure


def _finding(data: xr.Dataset, names: list[str]) -> str:
    """Which schemes have the lower mean score beyond the trained length."""
    beyond = data.gamma.where(data.distance > data.trained_length).mean("distance")
    lower = [name for name in names if beyond.sel(scheme=name) < beyond.sel(scheme="RoPE")]
    every = f"every scheme but {names_of(lower)}" if lower else "every scheme"
    return f"Beyond the trained length {every} keeps the expected score above plain RoPE's"
