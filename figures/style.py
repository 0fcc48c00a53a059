"""How figures look: column widths, fonts, colours that survive colour-blindness and grey print, and saving."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import LogLocator

from analysis.records import replacing

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


def save(draw: Draw, records: Mapping[str, Any], stem: Path, committed: Path | None = None) -> list[Path]:
    """Draw a figure from its records and write `stem`.pdf and `stem`.png; the PDF is the same for the same data.

    Args:
        committed: a PNG that carries what it shows, written only where that has changed: pixels differ between
            machines, and would change a committed file for nothing.
    """
    paths = [stem.with_suffix(".pdf"), stem.with_suffix(".png")]
    with mpl.rc_context(RC):
        figure = draw(records)
        with replacing(paths[0]) as part:
            figure.savefig(part, format="pdf", metadata={"CreationDate": None})
        figure.set_layout_engine("none")  # the PNG has the PDF's layout, found once
        with replacing(paths[1]) as part:
            figure.savefig(part, format="png")
        if committed is not None and not shows(committed, shown := plotted(figure)):
            with replacing(committed) as part:
                figure.savefig(part, format="png", metadata={"Data": json.dumps(shown)})
    plt.close(figure)
    return paths


def plotted(figure: Figure) -> list[list[float]]:
    """Ordinates of every line and values of every image, in the order of the axes."""
    found = []
    for ax in figure.axes:
        arrays = [line.get_ydata() for line in ax.lines] + [image.get_array() for image in ax.images]
        found += [[float(f"{value:.6g}") for value in np.ravel(np.asarray(x, dtype=float))] for x in arrays]
    return found


def shows(png: Path, data: list[list[float]]) -> bool:
    """Whether a picture carries these data, each to a thousandth of its own range: less than a line's width."""
    kept = data_in(png)
    return (
        kept is not None
        and [len(one) for one in kept] == [len(one) for one in data]
        and all(
            np.allclose(one, other, rtol=0, atol=1e-3 * (np.ptp(other) or 1.0), equal_nan=True)
            for one, other in zip(kept, data, strict=True)
        )
    )


def data_in(png: Path) -> list[list[float]] | None:
    """The data that `save` wrote into a committed picture, from its text chunk "Data"; None if it has none."""
    raw = png.read_bytes() if png.is_file() else b""
    at = 8  # behind the signature: chunks of length, kind, content and checksum
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        kind, content = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
        if kind == b"tEXt" and content.startswith(b"Data\0"):
            return json.loads(content.removeprefix(b"Data\0"))
        at += size + 12
    return None


def distance_axis(ax: Axes, label: str = "distance (tokens)") -> None:
    """A logarithmic axis of distances in powers of ten."""
    ax.set_xscale("log")
    ax.set_xlabel(label)


def log_bins(distance: np.ndarray, per_octave: int = 8) -> np.ndarray:
    """First index of each bin of whole distances 1, 2, ..., about `per_octave` to the octave, singles at first."""
    edges = np.unique(np.round(2 ** (np.arange(per_octave * int(np.log2(distance[-1]) + 1)) / per_octave)))
    return np.searchsorted(distance, edges[edges <= distance[-1]])


def binned(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Means of `values` (..., distance) over the bins that begin at `starts`."""
    return np.add.reduceat(values, starts, axis=-1) / np.diff(np.append(starts, values.shape[-1]))


def side_by_side(figure: Figure, widths: tuple[float, float]) -> tuple[SubFigure, SubFigure]:
    """Two subfigures in a row, for groups of panels that do not share a grid."""
    left, right = cast("list[SubFigure]", figure.subfigures(1, 2, width_ratios=widths))
    return left, right


def panel(ax: Axes, letter: str) -> None:
    """The letter of a panel, above the labels of its vertical axis."""
    ax.annotate(
        letter, (0, 1), (-24, 4), xycoords="axes fraction", textcoords="offset points", fontweight="bold"
    )


# trained methods, alike in every figure: hue says which method, the line which kind of it
METHODS: dict[str, tuple[str, str]] = {
    "RoPE": (COLOURS["blue"], "-"),
    "RoPE, base 5e5": (COLOURS["grey"], "-"),
    "RoPE, raised base": (COLOURS["grey"], "-."),
    "PI": (COLOURS["vermilion"], ":"),
    "NTK": (COLOURS["purple"], "-."),
    "YaRN": (COLOURS["sky"], "--"),
    "partial RoPE": (COLOURS["vermilion"], "-."),
    "TAPA": (COLOURS["orange"], "-"),
    "TAPA, plain recipe": (COLOURS["orange"], "--"),
    "TAPA, linear phase": (COLOURS["orange"], ":"),
    "NoPE": (COLOURS["black"], "-"),
    "ALiBi": (COLOURS["green"], "-"),
    "sliding window": (COLOURS["purple"], "--"),
}
MAIN = ("RoPE", "TAPA", "ALiBi", "NoPE", "sliding window")  # whom the text compares; figures/tables has all
_ALIASES = {
    "RoPE + PI": "PI",
    "RoPE + NTK": "NTK",
    "RoPE + YaRN": "YaRN",
    "RoPE, base raised to 5e5": "RoPE, raised base",
    "RoPE b=5e5": "RoPE",
    "RoPE b=2e8": "RoPE, raised base",
    "TAPA, quadratic": "TAPA",
    "TAPA, linear": "TAPA, linear phase",
}


def method(label: str) -> tuple[str, dict[str, Any]] | None:
    """A method's name in legends and how its line looks; None if it is not drawn."""
    name = _ALIASES.get(label, label)
    if name not in METHODS:
        return None
    colour, line = METHODS[name]
    return name, {"color": colour, "ls": line}


def legend_below(figure: Figure, columns: int) -> None:
    """One legend for all panels below them, each name once, in the order of `METHODS`."""
    handles: dict[str, Any] = {}
    for ax in figure.axes:
        handles |= {name: line for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    names = [name for name in METHODS if name in handles] + [name for name in handles if name not in METHODS]
    figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=columns)


def label_lines(ax: Axes, *, apart: float = 0.075) -> None:
    """Each labelled line's name at its right end, outside the axes, in its colour; names never overlap.

    Call it when scales and limits are final. `apart` is the least distance of two names as a share of the height.
    """
    ax.get_xlim(), ax.get_ylim()  # limits are found when they are asked for
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = []
    for line in ax.lines:
        if not str(line.get_label()).startswith("_") and len(line.get_xdata()):
            last = np.asarray(line.get_xydata(), dtype=float)[-1]
            ends.append(
                (float(np.clip(to_axes.transform(last)[1], 0, 1)), str(line.get_label()), line.get_color())
            )
    ends.sort()
    heights = np.array([height for height, *_ in ends])
    for _ in range(len(ends) ** 2):  # neighbours push each other apart until all have room
        gaps = np.diff(heights)
        close = np.flatnonzero(gaps < apart - 1e-9)
        if not len(close):
            break
        push = (apart - gaps[close[0]]) / 2
        heights[: close[0] + 1] -= push
        heights[close[0] + 1 :] += push
    for height, (_, name, colour) in zip(heights, ends, strict=True):
        ax.annotate(
            name, (1, height), (3, 0), "axes fraction", textcoords="offset points", va="center",
            color=colour, fontsize=6.5, annotation_clip=False,
        )  # fmt: skip


def powers_of_two(ax: Axes) -> None:
    """A logarithmic horizontal axis with plain numbers at powers of two, fractions below 1."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}" if x >= 1 else f"1/{1 / x:g}")


def plain_log(ax: Axes) -> None:
    """A logarithmic vertical axis with plain numbers, as many as its range asks for."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else (1, 2, 3, 4, 5, 6, 8)))
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    ax.yaxis.set_minor_formatter(lambda y, _: "")


def nothing_yet(ax: Axes) -> None:
    """A panel for which there is no run yet says so."""
    ax.text(0.5, 0.5, "no run yet", transform=ax.transAxes, ha="center", va="center", color=COLOURS["grey"])


# In which order the heads of a small model are drawn, and how they are called.


def ranked(data: xr.Dataset) -> list[tuple[int, int]]:
    """Layer and head of each head: that which loses most without its cosine first, if that is known."""
    places = [(int(layer), int(head)) for layer in data["layer"].values for head in data["head"].values]
    if "head_change" not in data:
        return places
    loses = data.head_change.sel(head_ablation="no cosine")
    return sorted(places, key=lambda place: -float(loses.sel(layer=place[0], head=place[1])))


def run_title(data: xr.Dataset) -> str:
    """The checkpoint that a record of phases was measured on, for a figure's title."""
    kind = {"tapa": "TAPA", "tapa_linear": "TAPA, linear phase"}.get(
        data.attrs["method"], data.attrs["method"]
    )
    return (
        f"{kind}, alpha {float(data.attrs['alpha']):g}, trained at L = {int(data.attrs['trained_length'])} tokens, "
        f"step {int(data.attrs['training_step'])}, seed {int(data.attrs['training_seed'])}"
    )


def head_label(place: tuple[int, int]) -> str:
    """Layer and head, "2.1"."""
    return f"{place[0]}.{place[1]}"


def error_lengths(data: xr.Dataset, name: str) -> np.ndarray:
    """Distances from a mean to the two ends of its interval, NAME_low and NAME_high; 0 where it has none."""
    ends = np.stack([data[name] - data[f"{name}_low"], data[f"{name}_high"] - data[name]])
    return np.where(np.isfinite(ends), ends, 0.0).reshape(2, -1)
