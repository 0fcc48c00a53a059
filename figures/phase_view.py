"""Two tokens and their phase for the notebooks: a plot with a choice of model, head and tokens, and its function."""

from __future__ import annotations

from functools import cache

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.errors import InputError
from analysis.studies.token_pair import Reading, Row, read_text
from figures.explore import shown, styled
from figures.places import tapa_checkpoints
from figures.style import COLOURS, PAGE, distance_axis, panel

BEFORE = 60  # keys shown before the query


@cache
def reading(checkpoint: str, text: str) -> Reading:
    """A text as a committed TAPA model reads it; `InputError` names the models there are."""
    files = tapa_checkpoints()
    if checkpoint not in files:
        raise InputError(f"checkpoint {checkpoint!r} is not there; those with a phase: {', '.join(files)}")
    return read_text(files[checkpoint], text)


def pair_plot(
    text: str, query: int, key: int, layer: int = 0, head: int = 0, checkpoint: str = "tapa"
) -> Figure:
    """What one head makes of two tokens of a text, and of every token before the query.

    Args:
        text: of which a byte is a token.
        query, key: places in it; the key's at most the query's.
        layer, head, checkpoint: which head of which committed model.

    Raises:
        InputError: a model, head or token that is not there, or a key after its query.
    """
    found = reading(checkpoint, text)
    found.check("key", key)
    row = found.row(layer, head, query)
    if key > query:
        raise InputError(f"key={key} comes after query={query}; a query sees no later token")
    with styled():
        figure, axes = plt.subplot_mosaic("ab;ac", figsize=(PAGE, 3.0), width_ratios=(1, 2.2))
        alpha, reach = found.head(layer, head).alpha, max(2 * found.trained_length, query + 1)
        _wave(axes["a"], row, key, alpha, reach)
        _keys(axes["b"], found, query, key, row.phase, r"$\varphi$ (turns)")
        _keys(axes["c"], found, query, key, row.attention, "attention")
        axes["b"].axhline(0, color="black", lw=0.5)
        said = f"{checkpoint} {layer}.{head}: query {_letter(found, query)!r}, key {_letter(found, key)!r}"
        axes["b"].set_title(f"{said}, {query - key} apart", loc="left")
        axes["c"].set_xlabel("tokens before the query, up to itself")
        for letter, ax in axes.items():
            panel(ax, letter)
    return figure


def _wave(ax: Axes, row: Row, key: int, alpha: float, reach: int) -> None:
    """The cosine that the pair's phase gives at every distance, and where the pair stands."""
    distance = np.geomspace(1, reach, 400)
    ax.plot(distance, np.cos(2 * np.pi * distance**alpha * row.phase[key]), color=COLOURS["blue"])
    if row.distance[key] > 0:
        ax.plot(row.distance[key], row.cosine[key], "o", color=COLOURS["vermilion"])
    ax.axhline(0, color="black", lw=0.5)
    ax.set(ylim=(-1.05, 1.05), ylabel="cosine of the pair")
    ax.set_title(
        rf"$\varphi$ = {row.phase[key]:+.3f}, score {row.amplitude[key]:+.2f} $\times$ {row.cosine[key]:+.2f}",
        loc="left",
    )
    distance_axis(ax)


def _keys(ax: Axes, found: Reading, query: int, key: int, values: np.ndarray, label: str) -> None:
    """A value of every key, with its letter."""
    first = max(0, query + 1 - BEFORE)
    at = np.arange(first, query + 1)
    colours = [COLOURS["vermilion" if place == key else "sky"] for place in at.tolist()]
    ax.bar(at, values[first:], color=colours, width=0.8)
    ax.set_xticks(at, [_letter(found, place) for place in at.tolist()], fontsize=5, family="monospace")
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(first - 0.7, query + 0.7)
    ax.set_ylabel(label)
    ax.grid(axis="x", visible=False)


def _letter(found: Reading, place: int) -> str:
    """A byte as a letter that can be seen."""
    byte = found.text[place : place + 1]
    return {b"\n": "\u00b6", b" ": "\u2423"}.get(byte, byte.decode("ascii", errors="replace"))


def pair_explorer(text: str) -> widgets.Widget:
    """A choice of model and head, and sliders for the two tokens, over `pair_plot`; a later key counts as the query."""
    files = list(tapa_checkpoints())
    sizes = reading(files[0], text)
    last = len(sizes.text) - 1
    return widgets.interactive(
        shown(
            lambda checkpoint, layer, head, query, key: pair_plot(
                text, max(query, key), min(query, key), layer, head, checkpoint
            )
        ),
        checkpoint=widgets.Dropdown(options=files, description="model"),
        layer=widgets.IntSlider(value=0, min=0, max=len(sizes.heads) - 1, description="layer"),
        head=widgets.IntSlider(value=0, min=0, max=len(sizes.heads[0]) - 1, description="head"),
        query=widgets.IntSlider(value=last, min=1, max=last, description="query"),
        key=widgets.IntSlider(value=last // 2, min=0, max=last, description="key"),
    )
