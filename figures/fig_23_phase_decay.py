"""Figure 23: how a trained TAPA head's mean score falls and its variance stays, beside theorems 3.2 and 3.3."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, CYCLE, PAGE, distance_axis, head_label, panel, ranked, run_title

STYLES = ("-", "--")  # so that more heads than colours are told apart


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """One line a head, long windows; the trained length is dotted."""
    data = records["phase"]
    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 5.0))
    for i, (layer, head) in enumerate(ranked(records["phase_short"])):
        x = data.sel(layer=layer, head=head)
        look = {"color": CYCLE[i % len(CYCLE)], "ls": STYLES[i // len(CYCLE) % 2], "lw": 0.9}
        inner = x.isel(distance=slice(1, x.sizes["distance"] // 2))
        at = np.sqrt(2.0) * data.octave.values
        axes[0, 0].plot(inner.distance, inner.score, **look, label=head_label((layer, head)))
        axes[0, 1].plot(2 * at[: x.sizes["step"]], x.exponent_seen, ".", ms=4, **look)
        axes[1, 0].plot(inner.distance, inner.variance_kept, **look)
        axes[1, 1].plot(data.seen, x.entropy_by_seen, **look)
    _finish(axes, data)
    for ax, letter in zip(axes.flat, "abcd", strict=True):
        panel(ax, letter)
    figure.suptitle(f"{run_title(data)} (dotted: L)", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    words = "head (layer.head), those that lose most without their cosine first"
    figure.legend(handles, labels, loc="outside lower center", ncols=8, title=words)
    return figure


def _finish(axes: np.ndarray, data: xr.Dataset) -> None:
    (scores, exponents), (variance, entropy) = axes
    paper = float(data.exponent_paper.isel(layer=0, head=0))
    scores.axhline(0, color="black", lw=0.5)
    scores.set_ylabel("mean score")
    exponents.axhline(paper, color="black", lw=1.4, ls="--")
    exponents.axhline(0, color="black", lw=0.5)
    exponents.annotate(
        f"bound of eq 14: {paper:g}", (0.98, paper), (0, -4), exponents.get_yaxis_transform(),
        textcoords="offset points", ha="right", va="top", fontsize=7,
    )  # fmt: skip
    exponents.set_ylabel("slope of log |mean score|")
    variance.axhline(1, color="black", lw=1.4, ls="--")
    variance.annotate(
        "theorem 3.3's limit", (0.02, 1), (0, 3), variance.get_yaxis_transform(), textcoords="offset points",
        fontsize=7,
    )  # fmt: skip
    variance.set(ylabel=r"Var score / ($\frac{1}{2}$ E amplitude$^2$)", ylim=(0, None))
    alike = [np.log(np.arange(seen, 2 * seen)).mean() for seen in data.seen.values]  # all weights equal
    entropy.plot(data.seen, alike, color="black", lw=1.4, ls="--")
    entropy.set_ylabel("entropy of attention (nats)")
    entropy.annotate(
        "equal weights", (float(data.seen[-1]), alike[-1]), (-6, -2), textcoords="offset points", ha="right",
        va="bottom", fontsize=7,
    )  # fmt: skip
    for ax in axes.flat:
        _length(ax, data.attrs["trained_length"])
    entropy.set_xlabel("tokens seen")


def _length(ax: Axes, trained: int) -> None:
    distance_axis(ax)
    ax.axvline(trained, color=COLOURS["grey"], lw=0.8, ls=":")
