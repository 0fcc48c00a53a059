"""TAPA's mean and spread for the notebooks: a plot with sliders for alpha, share and phase, and its plain function."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from analysis.studies import tapa_moments
from analysis.theory import rope, tapa
from analysis.theory.tapa import amplitude_dims
from figures.explore import shown, styled
from figures.style import COLOURS, COLUMN, distance_axis


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
    return widgets.interactive(
        shown(lambda alpha, amplitude_share, phase_sd: tapa_plot(alpha, amplitude_share, phase_sd)),
        alpha=widgets.FloatLogSlider(value=0.1, base=10, min=-2, max=0, step=0.05, description="alpha"),
        amplitude_share=widgets.FloatSlider(value=0.5, min=0.125, max=0.875, step=0.125, description="share"),
        phase_sd=widgets.FloatLogSlider(
            value=0.1, base=10, min=-3, max=0.5, step=0.05, description="phase sd"
        ),
    )
