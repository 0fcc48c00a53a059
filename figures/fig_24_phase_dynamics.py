"""Figure 24: the phases of a TAPA model from initialisation on: spread, use and worth at ten training steps."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, CYCLE, PAGE, error_lengths, headline, note, panel

OVER_STEPS = (
    ("phase_sd", r"sd of $\phi$ (turns)"),
    ("past_quarter_all", "pairs past 1/4 turn\n(share)"),
    ("nope_index", "NoPE index"),
    ("entropy", "entropy (nats)"),
)
TAKEN = {
    "no cosine": ("cosine = 1", "o"),
    "cosine by distance": ("mean cosine\nat the distance", "s"),
    "shuffled phases": ("shuffled phases", "^"),
    "mean amplitude": ("mean amplitude", "x"),
}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Thin lines are heads, thick ones their median; step 0 is drawn where the axis ceases to be logarithmic."""
    data = records["phase_dynamics"]
    figure, axes = plt.subplots(3, 2, figsize=(PAGE, 5.4), sharex=True)
    *of_heads, worth, curve = axes.flat
    for ax, (name, text) in zip(of_heads, OVER_STEPS, strict=True):
        _heads(ax, data, data[name])
        ax.set_ylabel(text)
    for i, (kind, (words, marker)) in enumerate(TAKEN.items()):
        x = data.sel(ablation=kind)
        worth.errorbar(
            data.training_step, x.change, yerr=error_lengths(x, "change"), color=CYCLE[i], lw=0.9,
            marker=marker, ms=3, label=words,
        )  # fmt: skip
    worth.set_ylabel("rise of the loss\nunder ablation (nats)")
    worth.legend(loc="upper left")
    _heads(curve, data, _fall(data))
    curve.axhline(0, color="black", lw=0.5)
    curve.set_ylabel("fall of the mean score\nfrom distance 1 to L")
    for ax, letter in zip(axes.flat, "abcdef", strict=True):
        panel(ax, letter)
        ax.set_xscale("symlog", linthresh=10)
        ax.set_xlim(left=0)
    for ax in axes[-1]:
        ax.set_xlabel("training step")
    note(figure, "one model, one seed; thin: heads, thick: the median head; e: 95 % intervals over documents")
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """The step by which the phases have half of their final spread, and that at which the loss first needs them."""
    spread = data.phase_sd.median(("layer", "head"))
    steps = data.training_step.values
    grown = int(steps[np.argmax(spread.values >= 0.5 * spread.values[-1])])
    needed = data.change_low.sel(ablation="no cosine").values > 0
    if not needed.any():
        return "The phases of a TAPA model in training"
    first = int(steps[np.argmax(needed)])
    return f"TAPA's phases have half their final spread by step {grown}; the loss needs them from step {first} on"


def _fall(data: xr.Dataset) -> xr.DataArray:
    """Mean score at distance 1 less that of the octave that ends at the trained length, or as near as there is."""
    far = max(float(o) for o in data.octave.values if 2 * o <= data.attrs["trained_length"])
    return data.score_by_octave.sel(octave=1) - data.score_by_octave.sel(octave=far)


def _heads(ax: Axes, data: xr.Dataset, values: xr.DataArray) -> None:
    rows = values.transpose("training_step", "layer", "head").values.reshape(data.sizes["training_step"], -1)
    ax.plot(data.training_step, rows, color=COLOURS["grey"], lw=0.5)
    ax.plot(data.training_step, np.median(rows, axis=1), color=COLOURS["blue"], lw=1.6, label="median head")
