"""Figure 20: every head of a TAPA model: its phase, its cosine and its mean score by distance, split and predicted."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, distance_axis, head_label, headline, ranked, run_label

HEADS = 8  # rows at most

SCORES = (
    ("score", "measured", COLOURS["black"], "-"),
    ("product", "E amplitude x E cosine", COLOURS["purple"], "-"),
    ("covariance", "their covariance", COLOURS["orange"], "-."),
    ("gaussian", "Gaussian law", COLOURS["green"], "--"),
)


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Heads as rows, those that lose most without their cosine first; windows as long as trained, long ones in grey."""
    data, short = records["phase"], records["phase_short"]
    rows = ranked(short)[:HEADS]
    figure, axes = plt.subplots(len(rows), 3, figsize=(PAGE, 1.5 + 0.85 * len(rows)), squeeze=False)
    for place, (left, middle, right) in zip(rows, axes, strict=True):
        x, near = (part.sel(layer=place[0], head=place[1]) for part in (data, short))
        _histogram(left, x, near)
        _cosine(middle, x, near)
        _scores(right, x, near)
        for ax in (middle, right):
            ax.axvline(data.attrs["trained_length"], color=COLOURS["grey"], lw=0.8, ls=":")
            if place != rows[-1]:
                ax.tick_params(labelbottom=False)
        left.set_ylabel(head_label(place), rotation=0, ha="right", va="center")
    titles = (r"density of $\phi$", "cosine, mean and sd", "mean score")
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    axes[-1, 0].set_xlabel(r"$\phi$ (turns at distance 1)")
    for ax in axes[-1, 1:]:
        ax.set_xlabel("distance (tokens)")
    handles, labels = axes[0, 2].get_legend_handles_labels()
    window = axes[0, 1].get_legend_handles_labels()
    figure.legend(
        handles + window[0], labels + window[1], loc="outside lower center", ncols=3, columnspacing=1.2,
        title=f"rows: heads (layer.head); {short.attrs['windows']} windows of the trained length (dotted), grey: "
        f"{data.attrs['windows']} of {data.attrs['length']} tokens", title_fontsize=7,
    )  # fmt: skip
    headline(figure, _finding(short))
    return figure


def _finding(data: xr.Dataset) -> str:
    """In how many heads the mean score is lower half a trained length away than at distance 1."""
    half = int(data.attrs["length"]) // 2
    falls = (data.score.sel(distance=half) < data.score.sel(distance=1)).sum()
    name = f"{run_label(data)}, trained for {data.attrs['training_step']} steps"
    heads = data.sizes["layer"] * data.sizes["head"]
    return f"{name}: in {int(falls)} of {heads} heads the mean score falls from distance 1 to {half}"


def _histogram(ax: Axes, x: xr.Dataset, near: xr.Dataset) -> None:
    edges = x.phase_edge.values
    ax.stairs(
        near.phase_share / np.diff(near.phase_edge), near.phase_edge.values, fill=True, color=COLOURS["sky"]
    )
    ax.stairs(x.phase_share / np.diff(edges), edges, color=COLOURS["grey"])
    ax.set_ylim(bottom=0)
    ax.axvline(0, color="black", lw=0.5)


def _cosine(ax: Axes, x: xr.Dataset, near: xr.Dataset) -> None:
    for part, colour, name in ((x, "grey", "long windows"), (near, "blue", "windows as trained")):
        inner = part.isel(distance=slice(1, part.sizes["distance"] // 2))
        ax.plot(inner.distance, inner.cosine, color=COLOURS[colour], label=name)
        if part is near:
            low, high = inner.cosine - inner.cosine_sd, inner.cosine + inner.cosine_sd
            ax.fill_between(inner.distance, low, high, color=COLOURS[colour], alpha=0.2, lw=0)
    ax.set_ylim(-1.05, 1.05)
    distance_axis(ax, "")


def _scores(ax: Axes, long: xr.Dataset, near: xr.Dataset) -> None:
    far, x = (part.isel(distance=slice(1, part.sizes["distance"] // 2)) for part in (long, near))
    ax.plot(far.distance, far.score, color=COLOURS["grey"], lw=1.4)
    for name, text, colour, style in SCORES:
        ax.plot(x.distance, x[name], color=colour, ls=style, lw=1.4 if name == "score" else 0.9, label=text)
    ax.axhline(0, color="black", lw=0.5)
    distance_axis(ax, "")
