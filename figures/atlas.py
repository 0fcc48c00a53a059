"""What the heads of a TAPA model do with their phase, drawn from `tapa phase` records: atlas, ablations, dynamics."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, COLUMN, CYCLE, PAGE, distance_axis

SCORES = (
    ("score", "measured", COLOURS["black"], "-"),
    ("product", "E amplitude E cosine", COLOURS["blue"], "-"),
    ("covariance", "covariance", COLOURS["orange"], "-"),
    ("gaussian", "Gaussian", COLOURS["green"], "--"),
)
OVER_STEPS = (
    ("phase_sd", r"sd of $\phi$ (turns)"),
    ("nope_index", "NoPE index"),
    ("gaussian_share", "explained by a Gaussian"),
    ("entropy", "entropy (nats)"),
)


def atlas(data: xr.Dataset, *, heads: int = 8) -> Figure:
    """Heads as rows: histogram of phi, cosine by distance, mean score measured, split and in closed form.

    Args:
        data: of `tapa phase`.
        heads: most rows; those that lose most without their cosine come first, in order of place if none was ablated.
    """
    rows = ranked(data)[:heads]
    figure, axes = plt.subplots(len(rows), 3, figsize=(PAGE, 0.4 + 1.15 * len(rows)), squeeze=False)
    for (layer, head), (left, middle, right) in zip(rows, axes, strict=True):
        x = data.sel(layer=layer, head=head)
        _histogram(left, x)
        _cosine(middle, x)
        _scores(right, x)
        left.set_ylabel(f"{layer}.{head}", rotation=0, ha="right", va="center")
    for ax, title in zip(axes[0], (r"density of $\phi$", "cosine, mean and sd", "mean score"), strict=True):
        ax.set_title(title)
    axes[-1, 0].set_xlabel(r"$\phi$ (turns at distance 1)")
    for ax in axes[-1, 1:]:
        ax.set_xlabel("distance (tokens)")
    figure.legend(*axes[0, 2].get_legend_handles_labels(), loc="outside lower center", ncols=len(SCORES))
    return figure


def ablations(data: xr.Dataset) -> Figure:
    """What the loss rises by when a part of the score is taken away: in all heads, and in each alone."""
    figure, (whole, single) = plt.subplots(1, 2, figsize=(PAGE, 2.6), width_ratios=(1, 1.3))
    at = np.arange(data.sizes["ablation"])[::-1]
    whole.barh(at, data.change, color=COLOURS["sky"])
    whole.errorbar(data.change, at, xerr=_reach(data, "change"), fmt="none", color="black", lw=0.8, capsize=2)
    whole.set_yticks(at, [str(name) for name in data.ablation.values])
    whole.axvline(0, color="black", lw=0.5)
    whole.set_xlabel("rise of the loss (nats a token)")
    places = [f"{layer}.{head}" for layer, head in ranked(data)]
    for i, kind in enumerate(data.head_ablation.values):
        x = data.sel(head_ablation=kind)
        picked = [x.sel(layer=layer, head=head) for layer, head in ranked(data)]
        values = np.array([float(p.head_change) for p in picked])
        reach = np.concatenate([_reach(p, "head_change") for p in picked], axis=1)
        shifted = np.arange(len(places)) + 0.15 * (i - 1.5)
        single.errorbar(shifted, values, yerr=reach, fmt=".", color=CYCLE[i], lw=0.8, label=str(kind))
    single.axhline(0, color="black", lw=0.5)
    single.set_xticks(np.arange(len(places)), places, rotation=90 if len(places) > 12 else 0)
    single.set(xlabel="head", ylabel="rise of the loss (nats a token)")
    single.legend()
    return figure


def dynamics(data: xr.Dataset) -> Figure:
    """The same heads at several training steps, of `phase_job.dynamics`: thin lines heads, thick their median."""
    figure, axes = plt.subplots(2, 2, figsize=(1.6 * COLUMN, 3.6), sharex=True)
    for ax, (name, label) in zip(axes.flat, OVER_STEPS, strict=True):
        values = (
            data[name]
            .transpose("training_step", "layer", "head")
            .values.reshape(data.sizes["training_step"], -1)
        )
        ax.plot(data.training_step, values, color=COLOURS["grey"], lw=0.5)
        ax.plot(
            data.training_step, np.median(values, axis=1), color=COLOURS["blue"], lw=1.6, label="median head"
        )
        ax.set_ylabel(label)
    for ax in axes[1]:
        ax.set_xlabel("training step")
    axes[0, 0].legend()
    return figure


def ranked(data: xr.Dataset) -> list[tuple[int, int]]:
    """Layer and head of each head: that which loses most without its cosine first, if that is known."""
    places = [(int(layer), int(head)) for layer in data["layer"].values for head in data["head"].values]
    if "head_change" not in data:
        return places
    loses = data.head_change.sel(head_ablation="no cosine")
    return sorted(places, key=lambda place: -float(loses.sel(layer=place[0], head=place[1])))


def _reach(data: xr.Dataset, name: str) -> np.ndarray:
    """Distances from a mean to the two ends of its interval, 0 where it has none."""
    ends = np.stack([data[name] - data[f"{name}_low"], data[f"{name}_high"] - data[name]])
    return np.where(np.isfinite(ends), ends, 0.0).reshape(2, -1)


def _histogram(ax: Axes, x: xr.Dataset) -> None:
    edges = x.phase_edge.values
    ax.stairs(x.phase_share / np.diff(edges), edges, fill=True, color=COLOURS["sky"])
    ax.set_ylim(bottom=0)
    ax.axvline(0, color="black", lw=0.5)


def _cosine(ax: Axes, x: xr.Dataset) -> None:
    x = x.isel(distance=slice(1, x.sizes["distance"] // 2))
    low, high = x.cosine - x.cosine_sd, x.cosine + x.cosine_sd
    ax.fill_between(x.distance, low, high, color=COLOURS["blue"], alpha=0.2, lw=0)
    ax.plot(x.distance, x.cosine, color=COLOURS["blue"])
    ax.set_ylim(-1.05, 1.05)
    distance_axis(ax, "")


def _scores(ax: Axes, x: xr.Dataset) -> None:
    x = x.isel(distance=slice(1, x.sizes["distance"] // 2))
    for name, label, colour, style in SCORES:
        ax.plot(x.distance, x[name], color=colour, ls=style, lw=1.4 if name == "score" else 0.9, label=label)
    ax.axhline(0, color="black", lw=0.5)
    distance_axis(ax, "")
