"""How figures look: widths, fonts, colours that survive colour-blindness and grey print, titles, labels and saving.

A figure is drawn at the width at which it is read, has its finding as its title, and names its lines where they end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator
from scipy.optimize import isotonic_regression

from analysis.files import replacing_file
from analysis.plotting import COLOURS as COLOURS
from analysis.plotting import COLUMN as COLUMN
from analysis.plotting import CYCLE as CYCLE
from analysis.plotting import PAGE as PAGE
from analysis.plotting import RC as RC
from analysis.plotting import SEQUENTIAL as SEQUENTIAL
from analysis.plotting import binned as binned
from analysis.plotting import curves_note as curves_note
from analysis.plotting import distance_axis as distance_axis
from analysis.plotting import head_curves as head_curves
from analysis.plotting import head_map as head_map
from analysis.plotting import headline as headline
from analysis.plotting import heads_picture as heads_picture
from analysis.plotting import log_bins as log_bins
from analysis.plotting import means_explain as means_explain
from analysis.plotting import model_label as model_label
from analysis.plotting import note as note
from analysis.settings import FEWEST as FEWEST
from analysis.settings import names_of as names_of

DIVERGING = "PuOr_r"
SUFFIXES = (".png", ".pdf", ".svg")  # of the pictures of a user's own

Draw = Callable[[Mapping[str, Any]], Figure]  # from records: arrays or words


def save_figure(
    draw: Draw, records: Mapping[str, Any], stem: Path, committed: Path | None = None
) -> list[Path]:
    """Draw a figure from its records and write `stem`.pdf and `stem`.png; the PDF is the same for the same data.

    Args:
        committed: a PNG that carries what it shows, written only where that has changed: pixels differ between
            machines, and would change a committed file for nothing.
    """
    paths = [stem.with_suffix(".pdf"), stem.with_suffix(".png")]
    with mpl.rc_context(RC):
        figure = draw(records)
        with replacing_file(paths[0]) as part:
            figure.savefig(part, format="pdf", metadata={"CreationDate": None})
        figure.set_layout_engine("none")  # the PNG has the PDF's layout, found once
        with replacing_file(paths[1]) as part:
            figure.savefig(part, format="png")
        if committed is not None and not shows(committed, shown := plotted(figure)):
            with replacing_file(committed) as part:
                figure.savefig(part, format="png", metadata={"Data": json.dumps(shown)})
    plt.close(figure)
    return paths


def save_picture(figure: Figure, path: Path) -> None:
    """Write a user's own picture whole, replacing one of that name; `InputError` if nothing can be written there."""
    try:
        with mpl.rc_context(RC), replacing_file(path) as part:
            figure.savefig(part, format=path.suffix.removeprefix("."))
    finally:
        plt.close(figure)


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
    """The data that `save_figure` wrote into a committed picture, from its text chunk "Data"; None if it has none."""
    raw = png.read_bytes() if png.is_file() else b""
    at = 8  # behind the signature: chunks of length, kind, content and checksum
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        kind, content = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
        if kind == b"tEXt" and content.startswith(b"Data\0"):
            return json.loads(content.removeprefix(b"Data\0"))
        at += size + 12
    return None


def side_by_side(figure: Figure, widths: tuple[float, float]) -> tuple[SubFigure, SubFigure]:
    """Two subfigures in a row, for groups of panels that do not share a grid."""
    left, right = cast("list[SubFigure]", figure.subfigures(1, 2, width_ratios=widths))
    return left, right


def panel(ax: Axes, letter: str) -> None:
    """The letter of a panel, above the labels of its vertical axis."""
    ax.annotate(
        letter, (0, 1), (-24, 4), xycoords="axes fraction", textcoords="offset points", fontweight="bold"
    )


def end_labels(ax: Axes, ends: Iterable[tuple[float, str, str]], *, size: float = 7.0) -> None:
    """Name lines at the right edge of a panel, moved apart where they would touch.

    Args:
        ax: with its final limits and scales.
        ends: for each line the height in data units at which it ends, its name and its colour.
        size: of the letters, points.
    """
    height = ax.get_position().height * ax.figure.get_figure(root=True).get_size_inches()[1] * 72
    gap = 1.4 * size / height  # a line of text and more: the layout will make the panel lower than it is now
    bottom, top = ax.get_ylim()
    at = []
    for y, name, colour in ends:
        if np.isfinite(y):
            place = ax.transAxes.inverted().transform(ax.transData.transform((1.0, np.clip(y, bottom, top))))
            at.append((float(place[1]), name, colour))
    at.sort(key=lambda one: one[0])
    spread = gap * np.arange(len(at))
    places = isotonic_regression([y for y, *_ in at] - spread).x + spread if at else spread
    places = np.maximum(np.minimum(places, 1 - spread[::-1]), spread)
    for place, (_, name, colour) in zip(places, at, strict=True):
        ax.annotate(
            name, (1, place), (3, 0), xycoords="axes fraction", textcoords="offset points", va="center",
            color=colour, fontsize=size, annotation_clip=False,
        )  # fmt: skip


# What models and methods are called, and how the lines of methods look in every figure.


def run_label(data: xr.Dataset) -> str:
    """The small TAPA model that a record of phases was measured on: its phase, its recipe if it is plain, its seed."""
    kind = {"tapa": "TAPA", "tapa_linear": "TAPA, linear phase"}.get(
        data.attrs["method"], data.attrs["method"]
    )
    trained = json.loads(data.attrs.get("configuration", "{}")).get("model", {}).get("method", {})
    plain = trained.get("phase_init_std", 0) is None  # phases are initialised and trained as all else
    recipe = ", plain recipe" if plain else ""
    return f"{kind}{recipe} (seed {int(data.attrs['training_seed'])})"


# hue says which method, the line which kind of it
METHODS: dict[str, tuple[str, str]] = {
    "RoPE": (COLOURS["blue"], "-"),
    "RoPE, base 5e5": (COLOURS["sky"], "--"),
    "RoPE, raised base": (COLOURS["vermilion"], "-."),
    "PI": (COLOURS["sky"], ":"),
    "NTK": (COLOURS["vermilion"], "-."),
    "YaRN": (COLOURS["purple"], "--"),
    "partial RoPE": (COLOURS["vermilion"], "-."),
    "TAPA": (COLOURS["orange"], "-"),
    "TAPA, plain recipe": (COLOURS["vermilion"], "--"),
    "TAPA, linear phase": (COLOURS["purple"], ":"),
    "NoPE": (COLOURS["black"], ":"),
    "ALiBi": (COLOURS["green"], "--"),
    "sliding window": (COLOURS["green"], "-"),
}
GROUPS: dict[str, tuple[str, ...]] = {  # what is drawn together in a panel; tables have all
    "encodings": ("RoPE", "partial RoPE", "TAPA", "ALiBi", "NoPE"),
    "RoPE extended at inference": ("RoPE", "PI", "NTK", "YaRN", "sliding window"),
    "fine-tuned at 4 L": ("RoPE", "RoPE, raised base", "YaRN", "TAPA", "ALiBi"),
    "variants of RoPE and TAPA": (
        "RoPE", "RoPE, base 5e5", "TAPA", "TAPA, plain recipe", "TAPA, linear phase",
    ),
}  # fmt: skip
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
    """A method's name at its line and how the line looks; None if it is not drawn."""
    name = _ALIASES.get(label, label)
    if name not in METHODS:
        return None
    colour, line = METHODS[name]
    return name, {"color": colour, "ls": line}


def colour_of(label: str) -> str:
    """The colour of a method's lines; black for one that has none."""
    named = method(label)
    return named[1]["color"] if named else COLOURS["black"]


def method_order(label: str) -> int:
    """Where a method comes among those that are drawn; behind them for one that is not."""
    return list(METHODS).index(label) if label in METHODS else len(METHODS)


def of_group(rows: Iterable[Mapping[str, Any]], group: str) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of a group's methods by name, in the group's order; those without rows are left out."""
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in GROUPS[group]}
    for row in rows:
        if (named := method(row["label"])) is not None and named[0] in found:
            found[named[0]].append(row)
    return {name: mine for name, mine in found.items() if mine}


def seeds_label(seeds: Sequence[int]) -> str:
    """Of whichever seeds a number is: the one, or how many.

    >>> seeds_label([1]), seeds_label([0, 1, 2])
    ('seed 1', '3 seeds')
    """
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds"


def over_most_seeds(rows: Iterable[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Of rows of each seed and of all together, for each value of `key`: those of all where there are, else of each.

    >>> rows = [{"of": "a", "seeds": [0]}, {"of": "a", "seeds": [0, 1, 2]}, {"of": "b", "seeds": [0]}]
    >>> [row["seeds"] for row in over_most_seeds(rows, "of")]
    [[0, 1, 2], [0]]
    """
    rows = list(rows)
    most: dict[Any, int] = {}
    for row in rows:
        most[row[key]] = max(len(row["seeds"]), most.get(row[key], 0))
    return [row for row in rows if most[row[key]] < 2 or len(row["seeds"]) == most[row[key]]]


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


def head_label(place: tuple[int, int]) -> str:
    """Layer and head, "2.1"."""
    return f"{place[0]}.{place[1]}"


def error_lengths(data: xr.Dataset, name: str) -> np.ndarray:
    """Distances from a mean to the two ends of its interval, NAME_low and NAME_high; 0 where it has none."""
    ends = np.stack([data[name] - data[f"{name}_low"], data[f"{name}_high"] - data[name]])
    return np.where(np.isfinite(ends), ends, 0.0).reshape(2, -1)
