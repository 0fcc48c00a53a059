"""Plots with sliders for the notebooks; each has a plain function that draws the same without a widget."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import ipywidgets as widgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.errors import InputError
from analysis.plotting import Picture
from analysis.settings import nearest
from analysis.studies import tapa_moments
from analysis.studies.token_pair import ReadText, Row, heads_of_text
from analysis.theory import rope, tapa
from analysis.theory.frequencies import plain
from analysis.theory.tapa import amplitude_dims
from figures.catalogue import tapa_checkpoints
from figures.style import COLOURS, COLUMN, PAGE, RC, distance_axis, head_curves, panel, powers_of_two


class Sliders(widgets.interactive):
    """Sliders over a plot. Where no notebook runs, a reader sees the picture above them and is told so."""

    def __repr__(self) -> str:
        return "Sliders: run the notebook to move them. The picture above is drawn at their first setting."


def bias_plot(
    base: float = 1e4, head_dim: int = 128, length: int = 65_536, mu: float = 1.0, nu: float = 0.0
) -> Figure:
    """Expected score of plain RoPE over sqrt(D) against distance: the exact sum and its limit (eqs 17, 24, 52)."""
    frequencies = plain(base, head_dim)
    distance = rope.spread_distances(length, 1200)
    with styled():
        figure, ax = plt.subplots(figsize=(1.4 * COLUMN, 2.4))
        ax.plot(
            distance,
            rope.gamma_of(frequencies, distance, mu=mu, nu=nu),
            lw=0.8,
            label=f"exact, D = {head_dim}",
        )
        limit = rope.gamma_limit(frequencies, distance, mu=mu, nu=nu)
        if limit is not None:
            ax.plot(distance, limit, label="limit of many pairs")
        if base <= length:
            ax.axvline(base, color=COLOURS["grey"], ls=":", label="distance = base")
        ax.axhline(0, color="black", lw=0.5)
        ax.set_ylabel(r"expected score / $\sqrt{D}$")
        ax.set_xlim(1, length)
        distance_axis(ax)
        ax.legend()
    return figure


def bias_explorer() -> widgets.Widget:
    """Sliders for base, head dimension, length, mu_0 and nu_0 over `bias_plot`."""
    return Sliders(
        shows_figure(bias_plot),
        base=widgets.FloatLogSlider(value=1e4, base=10, min=2, max=10, step=0.1, description="base"),
        head_dim=widgets.SelectionSlider(
            options=[16, 32, 64, 96, 128, 256], value=128, description="head dim"
        ),
        length=widgets.SelectionSlider(
            options=[2**i for i in range(8, 21)], value=65_536, description="length"
        ),
        mu=widgets.FloatSlider(value=1, min=-1, max=1, step=0.1, description="mu_0"),
        nu=widgets.FloatSlider(value=0, min=-1, max=1, step=0.1, description="nu_0"),
    )


def head_plot(record: xr.Dataset, layer: int, head: int, first_token: str = "dropped") -> Figure:
    """One head of a measured record: mean score by distance, its bias part, the paper's prediction, the control."""
    data = record.sel(first_token=first_token)
    with styled():
        figure, ax = plt.subplots(figsize=(1.4 * COLUMN, 2.4))
        head_curves(ax, data, layer, head)
        ax.set_ylabel("mean score")
        distance_axis(ax)
        figure.legend(
            loc="outside lower center", ncols=4, columnspacing=1.0
        )  # on the curves it would hide some
    return figure


def head_explorer(record: xr.Dataset) -> widgets.Widget:
    """Sliders for layer and head over `head_plot`."""
    return Sliders(
        shows_figure(lambda layer, head, first_token: head_plot(record, layer, head, first_token)),
        layer=widgets.IntSlider(value=0, min=0, max=record.sizes["layer"] - 1, description="layer"),
        head=widgets.IntSlider(value=0, min=0, max=record.sizes["head"] - 1, description="head"),
        first_token=widgets.ToggleButtons(options=["dropped", "kept"], description="first token"),
    )


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """The figures' style for the length of a `with`.

    The backend is loaded first. A notebook's switches interaction on when it loads; inside the `with` that would
    be taken back at its end, and no figure after the first would be shown.
    """
    plt.switch_backend(mpl.get_backend())
    with mpl.rc_context(RC):
        yield


def describe_figures() -> None:
    """From now on pictures of this notebook carry words for whoever does not see them; elsewhere nothing happens."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    if shell is None:
        return
    plt.switch_backend(
        mpl.get_backend()
    )  # whose own way to show a figure would otherwise replace this one later

    def shown(figure: Figure) -> tuple[bytes, dict[str, str]]:
        out = io.BytesIO()
        figure.savefig(out, format="png", bbox_inches="tight", dpi=150)
        return out.getvalue(), {"alt": words_of_figure(figure)}

    shell.display_formatter.formatters["image/png"].for_type(Figure, shown)


def words_of_figure(figure: Figure) -> str:
    """What a figure shows, out of its own words: its title, and of each panel title, axes and the names of its lines.

    >>> words_of_figure(bias_plot(length=256))
    'expected score / $\\\\sqrt{D}$ over distance (tokens): exact, D = 128, limit of many pairs'
    """
    if isinstance(figure, Picture):
        return figure.description
    words = [figure.get_suptitle().replace("\n", " ")]
    for ax in figure.axes:
        names = [label for label in ax.get_legend_handles_labels()[1] if not label.startswith("_")]
        axes = " over ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel())))
        title = ax.get_title(loc="left") or ax.get_title()
        said = ": ".join(filter(None, (title.replace("\n", " "), axes, ", ".join(names))))
        words.append(said)
    return ". ".join(dict.fromkeys(filter(None, words)))


def shows_figure(draw):
    """A callback that shows the figure it draws and lets go of it."""

    def show(**values) -> None:
        figure = draw(**values)
        plt.show()
        plt.close(figure)

    return show


# Two tokens and their phase for the notebooks: a plot with a choice of model, head and tokens, and its
# function.


BEFORE = 60  # keys shown before the query


@cache
def reading(checkpoint: str, text: str) -> ReadText:
    """A text as a committed TAPA model reads it; `InputError` names the models there are."""
    files = tapa_checkpoints()
    if checkpoint not in files:
        raise InputError(
            f"checkpoint {checkpoint!r} has no phase or is not there; {nearest(checkpoint, files)}"
        )
    return heads_of_text(files[checkpoint], text)


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
        rf"$\varphi$ = {row.phase[key]:+.3f}," + "\n"  # in two lines: the panel beside it has a title too
        rf"score {row.amplitude[key]:+.2f} $\times$ {row.cosine[key]:+.2f}",
        loc="left",
    )
    distance_axis(ax)


def _keys(ax: Axes, found: ReadText, query: int, key: int, values: np.ndarray, label: str) -> None:
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


def _letter(found: ReadText, place: int) -> str:
    """A byte as a letter that can be seen."""
    byte = found.text[place : place + 1]
    return {b"\n": "\u00b6", b" ": "\u2423"}.get(byte, byte.decode("ascii", errors="replace"))


def pair_explorer(text: str) -> widgets.Widget:
    """A choice of model and head, and sliders for the two tokens, over `pair_plot`; a later key counts as the query."""
    files = list(tapa_checkpoints())
    sizes = reading(files[0], text)
    last = len(sizes.text) - 1
    return Sliders(
        shows_figure(
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


# The trained models for the notebooks: one method at one length among all, with pickers and as a plain
# function.


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
            raise InputError(f"{what}={value} was not read; {nearest(value, known)}")
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
    return Sliders(
        shows_figure(lambda method, length: reading_plot(results, method, length)),
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


# TAPA's mean and spread for the notebooks: a plot with sliders for alpha, share and phase, and its plain
# function.


def tapa_plot(
    alpha: float = 0.1,
    amplitude_share: float = 0.5,
    phase_sd: float = 0.1,
    head_dim: int = 128,
    longest: int = 65_536,
) -> Figure:
    """Mean and standard deviation of TAPA's score by distance, both over their sizes at distance 0.

    Queries and keys are normal; q_A and k_A are correlated by 0.1, so that there is a mean, q_P and k_P are
    independent. Raises `InputError` for a value out of its range.
    """
    amplitude = amplitude_dims(head_dim, amplitude_share)
    law = tapa_moments.mean_law(head_dim, 1.0, amplitude)
    settings: dict[str, Any] = {"alpha": alpha, "amplitude_share": amplitude_share, "scale_phase": phase_sd}
    distance = rope.spread_distances(longest, 300)
    found, whole = tapa.tapa_moments(law, distance, **settings), tapa.tapa_moments(law, 0.0, **settings)
    with styled():
        figure, ax = plt.subplots(figsize=(1.4 * COLUMN, 2.4))
        ax.plot(distance, found.mean / whole.mean, label="mean")
        ax.plot(distance, np.sqrt(found.variance / whole.variance), ls="--", label="standard deviation")
        ax.axhline(np.sqrt(0.5), color=COLOURS["grey"], lw=0.8, ls=":", label=r"$\sqrt{1/2}$")
        ax.set(ylim=(-0.05, 1.1), ylabel="over that at distance 0")
        ax.set_xlim(1, longest)
        ax.set_title(
            rf"$\alpha$ = {alpha:.3g}, {amplitude} + {head_dim - amplitude} dimensions, phase sd {phase_sd:.3g} turns",
            loc="left",
        )
        distance_axis(ax)
        ax.legend()
    return figure


def tapa_explorer() -> widgets.Widget:
    """Sliders for alpha, amplitude share and phase scale over `tapa_plot`."""
    return Sliders(
        shows_figure(lambda alpha, amplitude_share, phase_sd: tapa_plot(alpha, amplitude_share, phase_sd)),
        alpha=widgets.FloatLogSlider(value=0.1, base=10, min=-2, max=0, step=0.05, description="alpha"),
        amplitude_share=widgets.FloatSlider(value=0.5, min=0.125, max=0.875, step=0.125, description="share"),
        phase_sd=widgets.FloatLogSlider(
            value=0.1, base=10, min=-3, max=0.5, step=0.05, description="phase sd"
        ),
    )


def losses_plot(losses: Mapping[str, Sequence[float]], tokens_per_step: int, mean_of: int = 5) -> Figure:
    """Training loss by tokens of several runs on the same windows, each a running mean of a few steps.

    Args:
        losses: nats a token of each step, by the name of the run.
        tokens_per_step: that a step predicts.
        mean_of: steps of the running mean, at most as many as there are.

    Raises:
        InputError: no run, or fewer steps than `mean_of`.
    """
    if not losses or min(map(len, losses.values())) < mean_of:
        raise InputError(f"mean_of={mean_of}: give runs of that many steps, or a smaller mean_of")
    with styled():
        figure, ax = plt.subplots(figsize=(COLUMN, 2.4))
        for i, (name, values) in enumerate(losses.items()):
            smooth = np.convolve(values, np.ones(mean_of) / mean_of, mode="valid")
            tokens = tokens_per_step * (np.arange(len(smooth)) + mean_of)
            ax.plot(
                tokens,
                smooth,
                color=list(COLOURS.values())[i % len(COLOURS)],
                marker=".os^"[i % 4],
                ms=3,
                markevery=5,
                label=name,
            )
        ax.set_xlabel("tokens trained on")
        ax.set_ylabel("training loss (nats a token)")
        ax.legend(frameon=False)
    return figure
