"""How figures look: widths, fonts, colours that survive colour-blindness and grey print, titles, labels and saving.

A figure is drawn at the width at which it is read, has its finding as its title, and names its lines where they end.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke
from matplotlib.rcsetup import cycler
from matplotlib.ticker import LogLocator
from scipy.optimize import isotonic_regression

from analysis.files import replacing_file

COLUMN, PAGE = 3.4, 5.5  # inches: one column, the width of a page of text

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


def headline(figure: Figure, finding: str, *, width: int = 70) -> None:
    """The finding that a figure shows, as its title, broken into lines of at most `width` letters."""
    figure.suptitle(textwrap.fill(finding, width), x=0.01, ha="left", fontsize=9, fontweight="bold")


def note(figure: Figure, words: str, *, width: int = 96) -> None:
    """What marks and intervals are, in small letters below the panels, lines of at most `width` letters."""
    figure.supxlabel(textwrap.fill(words, width), x=0.01, ha="left", fontsize=7)


def end_labels(ax: Axes, ends: Iterable[tuple[float, str, str]], *, size: float = 7.0) -> None:
    """Name lines at the right edge of a panel, moved apart where they would touch.

    Args:
        ax: with its final limits and scales.
        ends: for each line the height in data units at which it ends, its name and its colour.
        size: of the letters, points.
    """
    height = ax.get_position().height * ax.figure.get_figure(root=True).get_size_inches()[1] * 72
    gap = 1.15 * size / height
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


# Heads of a real model.


def log_bins(distance: np.ndarray, per_octave: int = 8) -> np.ndarray:
    """First index of each bin of whole distances 1, 2, ..., about `per_octave` to the octave, singles at first."""
    edges = np.unique(np.round(2 ** (np.arange(per_octave * int(np.log2(distance[-1]) + 1)) / per_octave)))
    return np.searchsorted(distance, edges[edges <= distance[-1]])


def binned(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Means of `values` (..., distance) over the bins that begin at `starts`."""
    return np.add.reduceat(values, starts, axis=-1) / np.diff(np.append(starts, values.shape[-1]))


# the widest line first: a narrow one on top of it shows that both are there
HEAD_LINES = (
    ("measured", "measured", "#A6A6A6", "-", 3.6),
    ("bias", "from the means of q and k", COLOURS["vermilion"], "-", 1.1),
    ("shuffled", "control: tokens shuffled", COLOURS["black"], ":", 1.0),
    ("paper", r"formula of v1, $\mu_0$, $\nu_0$ measured", COLOURS["blue"], "--", 1.0),
)


def head_curves(ax: Axes, data: xr.Dataset, layer: int, head: int) -> None:
    """Mean score of one head by distance, in bins of an eighth of an octave: measured with 2 standard errors.

    Beside it what the means of q and k make of it, the control and the formula of v1. The error of a bin is the mean
    error of its distances, which is what it would be if they erred alike: too wide, not too narrow.
    """
    x = data.sel(layer=layer, head=head).isel(distance=slice(1, data.sizes["distance"] // 2))
    x = x.isel(distance=np.isfinite(x.measured.values))  # a sliding window ends earlier
    starts = log_bins(x.distance.values)
    at = np.exp(binned(np.log(x.distance.values), starts))
    curves = {name: binned(x[name].values.astype(float), starts) for name, *_ in HEAD_LINES}
    for name, label, colour, style, width in HEAD_LINES:
        ax.plot(at, curves[name], color=colour, ls=style, lw=width, label=label)
    error = 2 * binned(x.measured_se.values.astype(float), starts)
    ax.fill_between(
        at, curves["measured"] - error, curves["measured"] + error, color=COLOURS["grey"], alpha=0.3, lw=0
    )
    every = np.array(list(curves.values()))
    margin = 0.08 * np.ptp(every)
    ax.set_ylim(every.min() - margin, every.max() + margin)


def head_map(ax: Axes, values: xr.DataArray, marks: Mapping[tuple[int, int], str], label: str) -> None:
    """A number from 0 to 1 for each head of `values` (vertical, horizontal), with `label` at its scale of colours.

    `marks` are the names of heads that are drawn as curves, by their place (vertical, horizontal).
    """
    image = ax.imshow(values, origin="lower", aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=1)
    for (y, x), name in marks.items():
        ax.text(
            x, y, name, color="white", fontsize=7, fontweight="bold", ha="center", va="center",
            path_effects=[withStroke(linewidth=1.6, foreground="black")],
        )  # fmt: skip
    ax.grid(visible=False)
    below = "min" if float(values.min()) < 0 else "neither"
    bar = ax.figure.colorbar(image, ax=ax, location="bottom", pad=0.02, extend=below)
    bar.set_label(label, fontsize=7)


def curves_note(data: xr.Dataset) -> str:
    """What `head_curves` draws, for the small letters below it."""
    return (
        "scores are plain numbers, before mask and softmax, the first token left out; band: two standard errors over "
        f"{int(data.attrs['windows'])} windows of text"
    )


def means_explain(data: xr.Dataset) -> str:
    """How much of the mean score the means of q and k explain, as a sentence with the model's name."""
    median = float(data.r2_bias.sel(weighting="log").median())
    name = model_label(str(data.attrs["model"]))
    return f"{name}: the means of q and k give the mean score by distance (median $R^2$ = {median:.2f})"


# What models and methods are called, and how the lines of methods look in every figure.


def model_label(name: str) -> str:
    """A checkpoint as readers know it.

    >>> model_label("SmolLM2-135M-Instruct")
    'SmolLM2-135M-Instruct (Q4_1)'
    """
    return f"{name} (Q4_1)" if name == "SmolLM2-135M-Instruct" else name  # its file has 4-bit weights


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


def of_group(rows: Iterable[Mapping[str, Any]], group: str) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of a group's methods by name, in the group's order; those without rows are left out."""
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in GROUPS[group]}
    for row in rows:
        if (named := method(row["label"])) is not None and named[0] in found:
            found[named[0]].append(row)
    return {name: mine for name, mine in found.items() if mine}


def names_of(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> names_of(["RoPE", "PI", "YaRN"])
    'RoPE, PI and YaRN'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


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
