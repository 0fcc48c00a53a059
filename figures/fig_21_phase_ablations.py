"""Figure 21: what a TAPA model loses when a part of its score is taken away, in all heads and in each alone."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures.style import (
    COLOURS,
    CYCLE,
    PAGE,
    error_lengths,
    head_label,
    headline,
    note,
    panel,
    ranked,
    run_label,
)

WORDS = {
    "no cosine": "cosine = 1",
    "mean cosine": "head's mean cosine",
    "cosine by distance": "mean cosine\nat the distance",
    "distance 1": "all pairs 1 apart",
    "distance L": "all pairs L apart",
    "shuffled phases": "another token's\nphase vectors",
    "mean amplitude": "head's mean\namplitude",
}
MARKS = "os^D"


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Rise of the validation loss with 95 % intervals over documents; heads that lose most come first."""
    data = records["phase_short"]
    figure, (whole, single) = plt.subplots(1, 2, figsize=(PAGE, 3.3), width_ratios=(1, 1.2))
    at = np.arange(data.sizes["ablation"])[::-1]
    whole.barh(at, data.change, color=COLOURS["sky"])
    whole.errorbar(
        data.change, at, xerr=error_lengths(data, "change"), fmt="none", color="black", lw=0.8, capsize=2
    )
    whole.set_yticks(at, [WORDS.get(str(name), str(name)) for name in data.ablation.values])
    whole.axvline(0, color="black", lw=0.5)
    whole.set_xlabel("rise of the loss (nats a token)")
    whole.set_title("in all heads", loc="left")
    places = ranked(data)
    for i, kind in enumerate(data.head_ablation.values):
        x = data.sel(head_ablation=kind)
        picked = [x.sel(layer=layer, head=head) for layer, head in places]
        values = np.array([float(p.head_change) for p in picked])
        ends = np.concatenate([error_lengths(p, "head_change") for p in picked], axis=1)
        shifted = np.arange(len(places)) + 0.15 * (i - 1.5)
        words = WORDS.get(str(kind), str(kind))
        single.errorbar(
            shifted, values, yerr=ends, fmt=MARKS[i % len(MARKS)], ms=3, color=CYCLE[i], lw=0.8, label=words
        )
    single.axhline(0, color="black", lw=0.5)
    turned = 90 if len(places) > 12 else 0
    single.set_xticks(np.arange(len(places)), [head_label(place) for place in places], rotation=turned)
    single.set(xlabel="head (layer.head)", ylabel="rise of the loss (nats a token)")
    single.set_title("in one head alone", loc="left")
    single.legend(loc="upper right")
    panel(whole, "a")
    panel(single, "b")
    note(figure, f"bars and points: mean over {data.attrs['windows']} windows with 95 % intervals over documents; "
         f"unaltered loss {float(data.loss):.3f} nats a token")  # fmt: skip
    headline(figure, _finding(data))
    return figure


def _finding(data: xr.Dataset) -> str:
    """What the loss rises by without the cosine, and with the cosine that distance alone decides."""
    rise = {name: float(data.change.sel(ablation=name)) for name in ("no cosine", "cosine by distance")}
    return (
        f"{run_label(data)}: without its cosine the loss rises by "
        f"{rise['no cosine']:.2f} nats a token, with a cosine that only distance decides by "
        f"{rise['cosine by distance']:.2f}"
    )
