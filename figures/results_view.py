"""The trained models for the notebooks: one method at one length among all, with pickers and as a plain function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.errors import InputError
from figures.explore import shown, styled
from figures.style import COLOURS, PAGE, powers_of_two

TABLE = "table2"


def reading_plot(results: Mapping[str, Any], method: str = "TAPA", length: int = 1024) -> Figure:
    """One method by length beside RoPE, and every method at one length; both intervals.

    Args:
        results: of `analysis.experiments.results`.
        method: a label of table 2.
        length: that was read, in bytes.

    Raises:
        InputError: a method or a length of which there is no reading.
    """
    rows = results[TABLE]
    for what, value, known in (("method", method, methods(results)), ("length", length, lengths(results))):
        if value not in known:
            raise InputError(f"{what}={value} was not read; known: {', '.join(map(str, known))}")
    with styled():
        figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.8), width_ratios=(1, 1.2))
        for name, colour in (("RoPE", COLOURS["grey"]), (method, COLOURS["blue"])):
            _by_length(left, [row for row in rows if row["label"] == name], name, colour)
        left.axvline(length, color="black", lw=0.6, ls=(0, (1, 3)))
        left.set(xlabel="context length (bytes)", ylabel="bits per byte")
        powers_of_two(left)
        left.legend()
        _at_length(right, [row for row in rows if row["length"] == length], method)
        right.set_xlabel(f"bits per byte at {length}")
    return figure


def methods(results: Mapping[str, Any]) -> list[str]:
    """Labels of table 2."""
    return list(dict.fromkeys(row["label"] for row in results[TABLE]))


def lengths(results: Mapping[str, Any]) -> list[int]:
    """That were read."""
    return sorted({row["length"] for row in results[TABLE]})


def reading_explorer(results: Mapping[str, Any]) -> widgets.Widget:
    """Pickers for method and length over `reading_plot`."""
    return widgets.interactive(
        shown(lambda method, length: reading_plot(results, method, length)),
        method=widgets.Dropdown(options=methods(results), description="method"),
        length=widgets.SelectionSlider(options=lengths(results), description="length"),
    )


def _by_length(ax: Axes, rows: Sequence[Mapping[str, Any]], name: str, colour: str) -> None:
    """Band: over seeds; bars: over documents."""
    x = [row["length"] for row in rows]
    ax.plot(x, [row["bits"] for row in rows], marker=".", color=colour, label=name)
    _bars(ax, rows, x, colour)
    if all(row["bits_seeds_low"] is not None for row in rows):
        low, high = ([row[f"bits_seeds_{end}"] for row in rows] for end in ("low", "high"))
        ax.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)


def _bars(ax: Axes, rows: Sequence[Mapping[str, Any]], x: Sequence[float], colour: str) -> None:
    for row, at in zip(rows, x, strict=True):
        if row["bits_documents_low"] is not None:
            ax.vlines(at, row["bits_documents_low"], row["bits_documents_high"], color=colour, lw=0.7)


def _at_length(ax: Axes, rows: Sequence[Mapping[str, Any]], method: str) -> None:
    """Every method, the best at the top; thick: over seeds, thin: over documents."""
    ordered = sorted(rows, key=lambda row: -row["bits"])
    for y, row in enumerate(ordered):
        colour = COLOURS["blue"] if row["label"] == method else COLOURS["grey"]
        ax.plot([row["bits"]], [y], "o", ms=4, color=colour)
        for kind, width in (("seeds", 2.2), ("documents", 0.7)):
            if row[f"bits_{kind}_low"] is not None:
                ax.hlines(y, row[f"bits_{kind}_low"], row[f"bits_{kind}_high"], color=colour, lw=width)
    ax.set_yticks(range(len(ordered)), [row["label"] for row in ordered])
