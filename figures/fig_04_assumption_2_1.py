"""Figure 4: Assumption 2.1 on a real model: are E A_d and E B_d the same for every pair?"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, model_label, note, panel, side_by_side

KINDS = (("mu", r"$\mathrm{E}A_d$", COLOURS["blue"], "o"), ("nu", r"$\mathrm{E}B_d$", COLOURS["orange"], "^"))


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """All heads as points, and six as curves over pairs with two standard errors, dashed their means over pairs."""
    data = records["smollm2"].sel(first_token="dropped")
    figure = plt.figure(figsize=(PAGE, 4.6))
    left, right = side_by_side(figure, (1.15, 1.6))
    ax = left.subplots()
    _all_heads(ax, data)
    panel(ax, "a")
    axes = right.subplots(3, 2, sharex=True)
    for one, telling in zip(axes.flat, data.telling.values, strict=True):
        _head(one, data, telling)
    for one in axes[-1]:
        one.set_xlabel("pair d (fast to slow)")
    for one in axes[:, 0]:
        one.set_ylabel(r"$\mathrm{E}A_d$, $\mathrm{E}B_d$")
    panel(axes[0, 0], "b")
    note(
        figure,
        f"bars: two standard errors over {int(data.attrs['windows'])} windows of text; dashed: means over pairs, the "
        "one value that Assumption 2.1 gives to all pairs; plain numbers, before the score's factor",
    )
    headline(figure, _finding(data.sel(part="all")))
    return figure


def _finding(data: xr.Dataset) -> str:
    heads = data.sizes["layer"] * data.sizes["head"]
    wide = (data.mu_pair_sd > abs(data.mu_pair_mean)) & (data.nu_pair_sd > abs(data.nu_pair_mean))
    name = model_label(str(data.attrs["model"]))
    which = r"$\mathrm{E}A_d$ and $\mathrm{E}B_d$ vary over pairs by more than their means"
    return f"{name}: in {int(wide.sum())} of {heads} heads {which}"


def _head(ax: Axes, data: xr.Dataset, telling: int) -> None:
    layer, head = int(data.telling_layer[telling]), int(data.telling_head[telling])
    x = data.sel(layer=layer, head=head, part="all")
    for name, label, colour, marker in KINDS:
        ax.errorbar(
            x.pair, x[name], 2 * x[f"{name}_se"], color=colour, lw=0.7, marker=marker, ms=1.8, label=label
        )
        ax.axhline(float(x[name].mean()), color=colour, lw=0.7, ls="--")
    why = str(data.telling_why.values[telling])
    ax.set_title(f"layer {layer}, head {head}:\n{why}", loc="left", fontsize=7)


def _all_heads(ax: Axes, data: xr.Dataset) -> None:
    x = data.sel(part="all")
    for name, label, colour, marker in KINDS:
        ax.plot(abs(x[f"{name}_pair_mean"]).values.ravel(), x[f"{name}_pair_sd"].values.ravel(), marker, ms=2.2,
                mew=0, color=colour, label=label)  # fmt: skip
    limits = np.array([1e-3, 1e2])
    ax.plot(limits, limits, color="black", lw=0.7, ls="--")
    ax.text(0.003, 0.0075, "sd = |mean|", rotation=45, rotation_mode="anchor", transform_rotates_text=True,
            fontsize=7)  # fmt: skip
    ax.text(0.97, 0.03, "Assumption 2.1:\nsd = 0, far below", transform=ax.transAxes, ha="right", fontsize=7)
    ax.set(xscale="log", yscale="log", xlabel="|mean over pairs|", ylabel="standard deviation over pairs")
    ax.set_title("a point a head", loc="right", fontsize=7)
    ax.legend(loc="upper left", handlelength=0.8)
