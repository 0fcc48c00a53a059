"""Figure 22: which pairs of tokens have a large phase, and what phase vectors tell beside amplitude vectors."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, DIVERGING, PAGE, head_label, headline, note, panel, ranked, run_label

TOLD = (
    ("phase", COLOURS["blue"], "o", -0.15),
    ("amplitude", COLOURS["orange"], "s", 0.15),
    ("phase, control", COLOURS["grey"], "x", -0.3),
    ("amplitude, control", COLOURS["black"], "+", 0.3),
)
SURE = 4.0  # standard errors


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Heads by property: shift of phi and of its size at equal distance; below, a probe's accuracy head by head."""
    data = records["phase_short"]
    there = [str(p) for p in data.property.values if bool(np.isfinite(data.effect.sel(property=p)).any())]
    data = data.sel(property=there)
    figure, axes = plt.subplot_mosaic("ab;cc", figsize=(PAGE, 5.4), height_ratios=(1, 0.9))
    sure = _map(axes["a"], data, "effect", r"shift of $\phi$")
    _map(axes["b"], data, "effect_abs", r"shift of $|\phi|$")
    axes["a"].set_ylabel("head (layer.head)")
    axes["b"].set_yticklabels([])
    _told(axes["c"], data)
    for letter, ax in axes.items():
        panel(ax, letter)
    note(figure, "a, b: pairs that have the property less those that have not, at equal distance, in sd of phi; "
         f"dot: {SURE:g} standard errors or more; heads that lose most without their cosine first. c: a mark a head; "
         "controls have shuffled properties, chance is 0.5")  # fmt: skip
    heads = data.sizes["layer"] * data.sizes["head"]
    headline(figure, f"{run_label(data)}: the phase depends on the tokens, "
             f"in {sure} of {heads * len(there)} cases by more than {SURE:g} standard errors")  # fmt: skip
    return figure


def _map(ax: Axes, data: xr.Dataset, name: str, title: str) -> int:
    """A dot marks a shift of `SURE` standard errors over windows or more; returns how many there are."""
    places = ranked(data)
    rows = [data.sel(layer=layer, head=head) for layer, head in places]
    values, errors = (np.array([row[key].values for row in rows]) for key in (name, f"{name}_se"))
    most = float(np.nanmax(np.abs(values)))
    image = ax.imshow(values, aspect="auto", cmap=DIVERGING, vmin=-most, vmax=most)
    sure = np.argwhere(np.abs(values) >= SURE * np.where(np.isfinite(errors), errors, np.inf))
    ax.plot(sure[:, 1], sure[:, 0], ".", color="black", ms=3)
    ax.set_xticks(range(data.sizes["property"]), data.property.values, rotation=60, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(places)), [head_label(place) for place in places])
    ax.set_title(title)
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, pad=0.02)
    return len(sure)


def _told(ax: Axes, data: xr.Dataset) -> None:
    for name, colour, marker, offset in TOLD:
        told = data.told.sel(told_by=name).stack(place=("layer", "head")).transpose("property", "place")
        at = np.arange(len(told))[:, None] + offset + np.zeros(told.shape)
        words = f"from {name} vectors" if "control" not in name else name
        ax.plot(at.ravel(), told.values.ravel(), marker, color=colour, ms=3, mew=0.7, ls="", label=words)
    ax.axhline(0.5, color="black", lw=0.5)
    ax.set_xticks(
        range(data.sizes["property"]), [str(p).replace(" is ", " is\n") for p in data.property.values]
    )
    ax.set_ylabel("accuracy of a probe")
    ax.legend(ncols=2, loc="upper left", columnspacing=1.0, handletextpad=0.2)
    ax.set_ylim(top=1.3)
    ax.set_yticks([0.5, 0.75, 1.0])
