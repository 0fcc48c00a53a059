"""Pictures of heads and curves for whoever has no figure to draw: `plot`, and the look that every figure shares.

Nothing here knows of pyplot: a picture belongs to its caller, shows itself in a notebook with its description, and is
saved with `savefig`.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patheffects import withStroke
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator

from analysis.errors import InputError
from analysis.schemas import DISTANCE_BIAS
from analysis.settings import nearest

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
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)))  # told apart in grey
SEQUENTIAL = "cividis"

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


class Picture(Figure):
    """A figure in the house's look that a notebook shows with its description, and that no pyplot holds.

    Attributes:
        description: what it shows, in words, for whoever does not see it.
    """

    description: str = ""

    def savefig(self, *arguments: Any, **options: Any) -> None:
        """As matplotlib's, in the look that it was drawn in."""
        with mpl.rc_context(RC):
            super().savefig(*arguments, **options)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, bytes], dict[str, dict[str, str]]]:
        """What IPython shows, by media type, and the text for whoever does not see it."""
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=150)
        return {"image/png": out.getvalue()}, {"image/png": {"alt": self.description}}


def plot(
    data: xr.Dataset | Mapping[str, xr.Dataset],
    head: str | Sequence[str] | None = None,
    *,
    quantity: str = "r2_bias",
) -> Picture:
    """Draw heads of a record of `measure`, the map of all its heads, or curves of `curve`.

    >>> from analysis.encodings import Alibi
    >>> from analysis.sampling.curves import curve
    >>> from analysis.theory.frequencies import plain
    >>> picture = plot({"RoPE": curve(plain(1e4, 64)), "ALiBi": curve(Alibi(64, [0.01]), to=1024)})
    >>> [text.get_text() for text in picture.axes[0].get_legend().get_texts()]
    ['RoPE', 'ALiBi']

    Args:
        data: a record of heads, a curve, or curves by their names.
        head: of a record, such as "3.4" (layer and head, from 0), or several of them; None for the map.
        quantity: of the map: a variable of the record with a number for each head, such as "distance_share" or
            "score_sd". The first token is left out and octaves of distance count alike.

    Returns:
        A matplotlib figure 5.5 inches wide; `savefig` writes it, a notebook shows it.

    Raises:
        InputError: neither a record of heads nor curves, no such head or quantity.
    """
    with mpl.rc_context(RC):
        if isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
            return _curves_picture(data)
        if "measured" not in data:
            return _curves_picture({str(data.attrs.get("name", "curve")): data})
        if head is None:
            return _map_picture(data, quantity)
        return heads_picture(data, [head] if isinstance(head, str) else head)


def _curves_picture(curves: Mapping[str, xr.Dataset]) -> Picture:
    """Mean scores over distance in one panel, a line each; a band of two standard errors where they are sampled."""
    if not curves:
        raise InputError("there is no curve to draw; give one or more of `curve`")
    if len(curves) > len(LINES):
        raise InputError(f"{len(curves)} curves are more than can be told apart; give {len(LINES)} or fewer")
    picture = Picture(figsize=(PAGE, 3.0))
    ax = picture.subplots()
    for (name, found), line, colour in zip(curves.items(), LINES, CYCLE, strict=False):
        if "mean" not in found or found["mean"].dims != ("distance",):
            raise InputError(
                f"{name!r} is neither a record of heads nor a curve; give what `curve` or `measure` gives"
            )
        mean, error = found["mean"].values, found["mean_se"].values
        ax.plot(found.distance.values, mean, label=name, color=colour, ls=line)
        if (error > 0).any():
            ax.fill_between(
                found.distance.values, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, lw=0
            )
    ax.set_ylabel("mean score")
    distance_axis(ax)
    ax.legend()
    picture.description = f"Mean score over distance in tokens, on a logarithmic axis: {', '.join(curves)}."
    return picture


def _map_picture(record: xr.Dataset, quantity: str) -> Picture:
    """A number of every head, layers upwards."""
    data = record.sel(first_token="dropped")
    chosen = {"weighting": "log", "part": "all"}
    known = [
        name
        for name, found in data.data_vars.items()
        if name in DISTANCE_BIAS.variables
        and {"layer", "head"} <= set(found.dims) <= {"layer", "head", *chosen}
        and np.issubdtype(found.dtype, np.floating)
    ]
    if quantity not in known:
        raise InputError(f"quantity={quantity!r} is no number of each head; {nearest(quantity, known)}")
    values = data[quantity].sel({dim: at for dim, at in chosen.items() if dim in data[quantity].dims})
    picture = Picture(figsize=(COLUMN, 4.2))
    ax = picture.subplots()
    unit, words = DISTANCE_BIAS.variables[quantity]
    words += "" if unit == "1" else f" ({unit})"
    share = float(values.min()) >= -1 and float(values.max()) <= 1
    head_map(ax, values, {}, textwrap.fill(words, 40), (0, 1) if share else None)
    for axis, name in ((ax.xaxis, "head"), (ax.yaxis, "layer")):
        axis.set_major_locator(MaxNLocator(integer=True))
        axis.set_label_text(name)
    picture.suptitle(textwrap.fill(_name(record), 40), x=0.01, ha="left", fontsize=9, fontweight="bold")
    picture.description = (
        f"Map of {words} in {record.sizes['layer']} layers of {record.sizes['head']} heads of {_name(record)}: "
        f"median {float(values.median()):.2f}, from {float(values.min()):.2f} to {float(values.max()):.2f}."
    )
    return picture


def heads_picture(record: xr.Dataset, heads: Sequence[str]) -> Picture:
    """The mean score by distance of each of these heads, a panel each.

    Args:
        record: of `measure`.
        heads: such as "3.4".

    Raises:
        InputError: there is no such head, or none was named.
    """
    places = [chosen_head(record, name) for name in heads]
    if not places:
        raise InputError("no head was named; give one or more, such as 3.4")
    data = record.sel(first_token="dropped")
    columns = min(2, len(places))
    rows = math.ceil(len(places) / columns)
    with mpl.rc_context(RC):
        picture = Picture(figsize=(PAGE, 1.3 + 1.9 * rows))
        (body,) = picture.subfigures(1, 1, squeeze=False).flat  # whose legend lies above the picture's note
        axes = body.subplots(rows, columns, squeeze=False)
        for ax, (layer, head) in zip(axes.flat, places, strict=False):
            head_curves(ax, data, layer, head)
            ax.set_title(f"layer {layer}, head {head}", loc="left", fontsize=7)
            distance_axis(ax)
        for ax in axes.flat[len(places) :]:
            ax.set_visible(False)
        for ax in axes[:, 0]:
            ax.set_ylabel("mean score")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        body.legend(handles, labels, loc="outside lower center", ncols=2, columnspacing=1.0)
        note(picture, curves_note(record))
        headline(picture, means_explain(data))
    picture.description = (
        f"Mean score over distance of {_name(record)}, head {', '.join(heads)}: measured with two standard errors, "
        "what the means of queries and keys make of it, the formula of the paper, v1, and the control with shuffled "
        "tokens."
    )
    return picture


def chosen_head(record: xr.Dataset, name: str) -> tuple[int, int]:
    """Layer and head of a name such as "3.4".

    Raises:
        InputError: it is no such name, or the record has no such head.
    """
    if not re.fullmatch(r"\d+\.\d+", name):
        raise InputError(f"head {name!r} is not LAYER.HEAD, such as 3.4")
    layer, head = (int(part) for part in name.split("."))
    if layer >= record.sizes["layer"] or head >= record.sizes["head"]:
        raise InputError(
            f"head {name} is not in the record; it has layers 0 to {record.sizes['layer'] - 1} and heads 0 to "
            f"{record.sizes['head'] - 1}"
        )
    return layer, head


def distance_axis(ax: Axes, label: str = "distance (tokens)") -> None:
    """A logarithmic axis of distances in powers of ten."""
    ax.set_xscale("log")
    ax.set_xlabel(label)


def _lines(words: str, width: int) -> str:
    """Words in lines of at most `width` letters; a number stays beside its per cent sign."""
    tied = words.replace(" %", "\N{NO-BREAK SPACE}%")
    return textwrap.fill(tied, width).replace("\N{NO-BREAK SPACE}", " ")


def headline(figure: Figure, finding: str, *, width: int = 70) -> None:
    """The finding that a figure shows, as its title, broken into lines of at most `width` letters."""
    figure.suptitle(_lines(finding, width), x=0.01, ha="left", fontsize=9, fontweight="bold")


def note(figure: Figure, words: str, *, width: int = 96) -> None:
    """What marks and intervals are, in small letters below the panels, lines of at most `width` letters."""
    figure.supxlabel(_lines(words, width), x=0.01, ha="left", fontsize=7)


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
    margin = 0.08 * np.ptp(every) or 1.0  # of a head whose scores are all equal
    ax.set_ylim(every.min() - margin, every.max() + margin)


def head_map(
    ax: Axes,
    values: xr.DataArray,
    marks: Mapping[tuple[int, int], str],
    label: str,
    ends: tuple[float, float] | None = (0, 1),
) -> None:
    """A number for each head of `values` (vertical, horizontal), with `label` at its scale of colours.

    `marks` are the names of heads that are drawn as curves, by their place (vertical, horizontal); `ends` those of the
    scale, None for those of the values.
    """
    low, high = (None, None) if ends is None else ends
    image = ax.imshow(values, origin="lower", aspect="auto", cmap=SEQUENTIAL, vmin=low, vmax=high)
    for (y, x), name in marks.items():
        ax.text(
            x, y, name, color="white", fontsize=7, fontweight="bold", ha="center", va="center",
            path_effects=[withStroke(linewidth=1.6, foreground="black")],
        )  # fmt: skip
    ax.grid(visible=False)
    below = "min" if low is not None and float(values.min()) < low else "neither"
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
    if np.isnan(median):
        return f"{_name(data)}: no head's scores vary"
    return (
        f"{_name(data)}: the means of q and k give the mean score by distance (median $R^2$ = {median:.2f})"
    )


def model_label(name: str) -> str:
    """A checkpoint as readers know it.

    >>> model_label("SmolLM2-135M-Instruct")
    'SmolLM2-135M-Instruct (Q4_1)'
    """
    # its file has 4-bit weights
    return f"{name} (Q4_1)" if name == "SmolLM2-135M-Instruct" else in_glyphs(name)


def in_glyphs(name: str) -> str:
    """A name as it can be drawn: what the font has no glyph for stands as its escape, and a dollar is a dollar.

    >>> print(in_glyphs("Llama-\\u4e2d-7B"))
    Llama-\\u4e2d-7B
    """
    font = get_font(findfont(FontProperties()))
    drawn = "".join(c if font.get_char_index(ord(c)) else ascii(c)[1:-1] for c in name)
    return drawn.replace("$", r"\$")


def _name(record: xr.Dataset) -> str:
    return model_label(str(record.attrs.get("model", "this model")))
