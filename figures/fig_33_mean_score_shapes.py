"""Figure 33: which curve over distance a head's mean score is: the formula of v1, a logarithm, and controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, model_label, note, panel

SHAPES = {  # in rows, from the top: what it is, and the coefficients that are fitted
    "plug-in means": r"formula, measured means ($\mu_0$, $\nu_0$)",
    "formula, mu_0": r"formula, $\mu_0$ fitted",
    "logarithm": "logarithm of the distance",
    "straight line": "control: straight line",
    "formula, base squared": "control: base squared",
    "formula, root of the base": "control: root of the base",
    "formula, mu_0 and nu_0": r"formula, $\mu_0$ and $\nu_0$ fitted",
    "logarithm and its square": "logarithm and its square",
    "every pair's means": r"measured means of every pair",
}
WEIGHTINGS = (
    ("log", "octaves of distance alike", "blue", "o"),
    ("uniform", "distances alike", "orange", "s"),
)
SMALL = (("blue", "o"), ("sky", "s"), ("vermilion", "D"), ("green", "^"))
UNSEEN = {"intercept": "level free", "weighting": "log", "trained_on": "all other texts"}


def draw(records: Mapping[str, Any]) -> Figure:
    """R^2 on unseen text, median over heads with its 95 % interval over texts: a real model, and small ones."""
    real, small = records["formula_shapes"], records["formula_fit"]
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 4.2), sharey=True, width_ratios=(1.25, 1))
    measured = records["formula_fit_smollm2"]
    _real(axes[0], real["shapes"], measured)
    _small(axes[1], small)
    rows = range(len(SHAPES))
    free = {shape: row["free"] for shape, row in real["shapes"]["log"].items()}
    labels = [f"{words}  [{free[shape]}]" for shape, words in SHAPES.items()]
    axes[0].set_yticks([-row for row in rows], labels)
    for ax, letter, name in zip(axes, "ab", (model_label(real["model"]), "small models"), strict=True):
        ax.axvline(0, color="black", lw=0.6)
        ax.set_xlabel("$R^2$ on unseen text")
        ax.set_title(name, loc="right", fontsize=7)
        panel(ax, letter)
    axes[0].set_xlim(-0.6, 1.05)
    axes[1].set_xlim(-0.1, 1.05)
    note(
        figure,
        f"marks: median over heads, mean over texts, with 95 % intervals over {len(real['texts'])} texts in a (black: "
        f"{measured.sizes['document']}) and {small.sizes['document']} in b, often smaller than a mark; in square "
        "brackets the coefficients fitted on the other texts, the level not counted. a: the curve that the means of "
        f"queries and keys give, {real['means_explain']:.1%} of the mean score, and in black the mean score itself, as "
        "in b; grey bars: quartiles over heads of the mean score, fitted on the same texts, octaves alike",
    )
    headline(figure, _finding(real))
    return figure


def _finding(real: Mapping[str, Any]) -> str:
    at = {shape: row["other_texts"][0] for shape, row in real["shapes"]["log"].items()}
    return (
        f"With the level left free and octaves alike a logarithm explains {at['logarithm']:.2f} of a head's curve on "
        f"unseen\ntext, the formula of v1 with one fitted mean {at['formula, mu_0']:.2f}, with its measured means "
        f"{at['plug-in means']:.2f}"
    )


def _real(ax: Axes, shapes: Mapping[str, Mapping[str, Any]], measured: xr.Dataset) -> None:
    for row, shape in enumerate(SHAPES):
        low, _, high = shapes["log"][shape]["measured"]
        ax.plot([low, high], [-row, -row], color="#BDBDBD", lw=5, solid_capstyle="butt", zorder=1)
    for (weighting, label, colour, marker), offset in zip(WEIGHTINGS, (0.12, -0.12), strict=True):
        ends = np.array([shapes[weighting][shape]["other_texts"] for shape in SHAPES], dtype=float)
        _marks(ax, ends, offset, colour, marker, label)
    _marks(ax, _unseen(measured.isel(model=0)), 0.0, "black", "D", "octaves alike, mean score")
    ax.legend(loc="lower left", fontsize=6)


def _small(ax: Axes, data: xr.Dataset) -> None:
    names = data["model"].values.tolist()
    for index, (name, (colour, marker)) in enumerate(zip(names, SMALL, strict=False)):
        _marks(ax, _unseen(data.sel(model=name)), 0.24 - 0.16 * index, colour, marker, name)
    ax.legend(loc="lower left", fontsize=6)


def _unseen(data: xr.Dataset) -> np.ndarray:
    """Of every shape the median over heads and the ends of its interval over texts."""
    at = data.sel(UNSEEN).sel(shape=list(SHAPES))
    return np.stack([at[f"r2_median{end}"].values for end in ("", "_low", "_high")], axis=1)


def _marks(ax: Axes, ends: np.ndarray, offset: float, colour: str, marker: str, label: str) -> None:
    value, low, high = ends.T
    ax.errorbar(
        value, offset - np.arange(len(ends)), xerr=[value - low, high - value], fmt=marker, ms=3.4, elinewidth=0.9,
        color=COLOURS[colour], label=label, zorder=2,
    )  # fmt: skip
