"""How figures look: column widths, fonts, colours that survive colour-blindness and grey print, and saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.rcsetup import cycler

COLUMN, PAGE = 3.4, 7.0  # inches: one column, full width

# Okabe and Ito (2008), in an order that also differs in lightness
COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#8C8C8C",
}
CYCLE = [COLOURS[name] for name in ("blue", "orange", "green", "purple", "vermilion", "sky", "black")]
SEQUENTIAL, DIVERGING = "cividis", "PuOr_r"

RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.1,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.linewidth": 0.3,
    "grid.alpha": 0.5,
    "axes.prop_cycle": cycler(color=CYCLE),
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}

Draw = Callable[[Mapping[str, Any]], Figure]  # from records: arrays or words


def save(draw: Draw, records: Mapping[str, Any], stem: Path) -> list[Path]:
    """Draw a figure from its records and write `stem`.pdf and `stem`.png; the PDF is the same for the same data."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(".pdf"), stem.with_suffix(".png")]
    with mpl.rc_context(RC):
        figure = draw(records)
        figure.savefig(paths[0], metadata={"CreationDate": None})
        figure.savefig(paths[1])
    return paths


def distance_axis(ax: Axes, label: str = "distance (tokens)") -> None:
    """A logarithmic axis of distances in powers of ten."""
    ax.set_xscale("log")
    ax.set_xlabel(label)


def side_by_side(figure: Figure, widths: tuple[float, float]) -> tuple[SubFigure, SubFigure]:
    """Two subfigures in a row, for groups of panels that do not share a grid."""
    left, right = cast("list[SubFigure]", figure.subfigures(1, 2, width_ratios=widths))
    return left, right


def panel(ax: Axes, letter: str) -> None:
    """The letter of a panel, above the labels of its vertical axis."""
    ax.annotate(
        letter, (0, 1), (-24, 4), xycoords="axes fraction", textcoords="offset points", fontweight="bold"
    )
