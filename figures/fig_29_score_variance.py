"""Figure 29: every head on one coordinate: what of its score's variance is distance, pair and interaction."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, headline, model_label, note

SHOWN = {  # variant: colour, mark; the checkpoint of others in grey, beneath
    "rope": ("blue", "o"),
    "partial": ("vermilion", "D"),
    "tapa": ("orange", "^"),
    "alibi": ("green", "s"),
}
AT_THE_ORIGIN = "nope"
COMPARED = ("tapa", "rope")  # in the title


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Share of distance against share of interaction, a mark a head; what is left to the diagonal is the pair's."""
    data = records["score_variance"].sel(range="within", weighting="log")
    variants = dict(zip(data.model.values.tolist(), data.variant.values.tolist(), strict=True))
    of_place = np.array([variants[name] for name in data.place_model.values.tolist()])
    figure, ax = plt.subplots(figsize=(PAGE, 4.3))
    _grid(ax)
    for variant in sorted(set(of_place) - set(_small(data))):
        _heads(ax, data, of_place == variant, ("grey", "."), model_label(variant), size=3.5)
    for variant, look in SHOWN.items():
        if (chosen := of_place == variant).any():
            _heads(ax, data, chosen, look, _label(data, variant), size=4.2)
    if (of_place == AT_THE_ORIGIN).any():
        ax.plot(
            [0],
            [0],
            "x",
            color=COLOURS["black"],
            ms=6,
            mew=1.4,
            clip_on=False,
            label=_label(data, AT_THE_ORIGIN),
        )
    ax.set(xlabel="share of distance: what every pair gets alike (%)", xlim=(-3, 103), ylim=(-2, 72))
    ax.set_ylabel("share of interaction: what a distance\ndoes to one pair and not to another (%)")
    ax.legend(loc="upper right", handletextpad=0.2)
    seeds = {v: sorted(int(s) for s in data.training_seed.values[data.variant.values == v]) for v in SHOWN}
    said = ", ".join(f"{_label(data, v)} {len(s)}" for v, s in seeds.items() if s)
    error = float((100 * data.share_se).quantile(0.9))
    note(figure, f"a mark is a head; runs: {said}. Pairs of two tokens of one window, put at every distance within the "
         f"trained length, octaves alike; standard errors over documents: below {error:.1f} points in nine of ten"
         )  # fmt: skip
    headline(figure, _finding(data, of_place))
    return figure


def _small(data: xr.Dataset) -> list[str]:
    """Variants of small models: those with a training seed."""
    return data.variant.values[data.training_seed.values >= 0].tolist()


def _label(data: xr.Dataset, variant: str) -> str:
    return str(data.label.values[data.variant.values == variant][0])


def _heads(
    ax: Axes, data: xr.Dataset, chosen: np.ndarray, look: tuple[str, str], name: str, *, size: float
) -> None:
    share = 100 * data.share.isel(place=np.flatnonzero(chosen))
    ax.plot(
        share.sel(part="distance"), share.sel(part="interaction"), look[1], ms=size, color=COLOURS[look[0]], mew=0.3,
        mec="white", label=name, ls="",
    )  # fmt: skip


def _grid(ax: Axes) -> None:
    """Lines of equal shares of the pair."""
    ax.grid(visible=False)
    for pair in (0, 25, 50, 75):
        ax.plot(
            [0, 100 - pair],
            [100 - pair, 0],
            color=COLOURS["grey"],
            lw=0.6,
            ls="-" if not pair else ":",
            zorder=0,
        )
        x = 0.985 * (100 - pair)
        ax.annotate(f"pair {pair} %", (x, 100 - pair - x), (2, 5), textcoords="offset points", rotation=-48,
                    fontsize=6.5, color="0.35", ha="right", va="bottom")  # fmt: skip


def _finding(data: xr.Dataset, of_place: np.ndarray) -> str:
    """The largest part of the median head of the compared variants."""
    said = []
    for variant in COMPARED:
        if (of_place == variant).any():
            median = data.share.isel(place=np.flatnonzero(of_place == variant)).median("place")
            part, most = str(median.part.values[int(np.argmax(median.values))]), 100 * float(median.max())
            said.append(
                f"{most:.0f} % of the variance of the median {_label(data, variant)} head's score is {part}"
            )
    return f"Within L {' and '.join(said)}" if said else "Variance components of scores"
