"""Plots with sliders for the notebooks; each has a plain function that draws the same without a widget."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import ipywidgets as widgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from analysis.theory import rope
from analysis.theory.frequencies import plain
from figures import fig_heads
from figures.style import COLOURS, COLUMN, RC, distance_axis


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
    return widgets.interactive(
        shown(bias_plot),
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
        fig_heads.head_curves(ax, data, layer, head)
        ax.set_ylabel("mean score")
        distance_axis(ax)
        figure.legend(
            loc="outside lower center", ncols=4, columnspacing=1.0
        )  # on the curves it would hide some
    return figure


def head_explorer(record: xr.Dataset) -> widgets.Widget:
    """Sliders for layer and head over `head_plot`."""
    return widgets.interactive(
        shown(lambda layer, head, first_token: head_plot(record, layer, head, first_token)),
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


def shown(draw):
    """A callback that shows the figure it draws and lets go of it."""

    def show(**values) -> None:
        figure = draw(**values)
        plt.show()
        plt.close(figure)

    return show
