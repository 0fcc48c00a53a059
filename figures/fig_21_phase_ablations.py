"""Figure 21: what a TAPA model loses when a part of its score is taken away, in all heads and in each alone."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures.style import COLOURS, CYCLE, PAGE, error_lengths, head_label, panel, ranked, run_title


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Rise of the validation loss with 95 % intervals over documents; heads that lose most come first."""
    data = records["phase_short"]
    figure, (whole, single) = plt.subplots(1, 2, figsize=(PAGE, 2.7), width_ratios=(1, 1.3))
    at = np.arange(data.sizes["ablation"])[::-1]
    whole.barh(at, data.change, color=COLOURS["sky"])
    whole.errorbar(
        data.change, at, xerr=error_lengths(data, "change"), fmt="none", color="black", lw=0.8, capsize=2
    )
    whole.set_yticks(at, [str(name) for name in data.ablation.values])
    whole.axvline(0, color="black", lw=0.5)
    whole.set_xlabel("rise of the loss (nats a token)")
    whole.set_title(f"all heads; loss {float(data.loss):.3f} nats a token")
    places = ranked(data)
    for i, kind in enumerate(data.head_ablation.values):
        x = data.sel(head_ablation=kind)
        picked = [x.sel(layer=layer, head=head) for layer, head in places]
        values = np.array([float(p.head_change) for p in picked])
        ends = np.concatenate([error_lengths(p, "head_change") for p in picked], axis=1)
        shifted = np.arange(len(places)) + 0.15 * (i - 1.5)
        single.errorbar(shifted, values, yerr=ends, fmt=".", color=CYCLE[i], lw=0.8, label=str(kind))
    single.axhline(0, color="black", lw=0.5)
    turned = 90 if len(places) > 12 else 0
    single.set_xticks(np.arange(len(places)), [head_label(place) for place in places], rotation=turned)
    single.set(xlabel="head (layer.head)", ylabel="rise of the loss (nats a token)")
    single.set_title("one head alone")
    single.legend()
    figure.suptitle(f"{run_title(data)}; 95 % over documents", fontsize=8)
    panel(whole, "a")
    panel(single, "b")
    return figure
