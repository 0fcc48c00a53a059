"""Figure 34: what interventions beyond a real model's context recover, against the far attention that they leave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, PAGE, end_labels, headline, model_label, note

GROUPS = {  # what an intervention changes: its colour, its marker, and its name beside the mark
    "level": ("orange", "s", "all far scores lowered alike"),
    "shape": ("blue", "o", "the mean score held, or a part of it"),
    "position": ("green", "D", "positions clamped or stretched"),
    "placebo": ("grey", "v", "other departures of equal size"),
    "departure": ("vermilion", "X", "the departure alone"),
}
SHOWN = {
    "matched-constant": ("level", "constant, matched"),
    "matched-constant-but-sink": ("level", "constant, matched, but four keys"),
    "constant": ("level", "constant, fixed"),
    "length-corrected": ("level", "less ln n"),
    "mask": ("level", "mask"),
    "mask-sink": ("level", "mask but first four keys"),
    "hold": ("shape", "hold"),
    "hold-predicted": ("shape", "hold, predicted"),
    "hold-but-sink": ("shape", "hold, but first four keys"),
    "hold-sink-only": ("shape", "hold, first four keys only"),
    "hold-rebound-heads": ("shape", "hold, heads that rebound"),
    "hold-fast": ("shape", "hold, fast pairs"),
    "hold-slow": ("shape", "hold, slow pairs"),
    "subtract": ("shape", "subtract"),
    "clamp": ("position", "clamp"),
    "yarn": ("position", "YaRN"),
    "swapped": ("placebo", "of other heads"),
    "shuffled": ("placebo", "of other distances"),
    "hold-random-heads": ("placebo", "hold, other heads"),
    "clamp-departure": ("departure", "clamp + departure"),
}
PAIRS = (("hold", "matched-constant"), ("hold-but-sink", "matched-constant-but-sink"))  # and its control
LOWEST = -100  # per cent; what lies below is drawn at the edge with its value


def draw(records: Mapping[str, Any]) -> Figure:
    """One dot an intervention, 95 % intervals over documents; a panel for each length that has been read."""
    data = records["smollm2_bias"]
    read = np.isfinite(data.share.sel(intervention="plain").values)
    panels = [data.isel(length=index) for index in np.flatnonzero(read)]
    heights = [4.2, *(2.4 for _ in panels[1:])]
    figure, axes = plt.subplots(
        len(panels), figsize=(PAGE, sum(heights)), height_ratios=heights, squeeze=False
    )
    right = 1.05 * max(float(at.mean_far.max()) for at in panels)
    for ax, at in zip(axes[:, 0], panels, strict=True):
        _panel(ax, at, right)
    first, last, trained = axes[0, 0], axes[-1, 0], int(data.attrs["trained_length"])
    last.set_xlabel(f"attention on keys {trained:,} tokens or more away (share)")
    for colour, marker, words in GROUPS.values():
        first.plot([], [], marker=marker, color=COLOURS[colour], ls="none", ms=5, label=words)
    first.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)
    count = int(panels[0].documents.sel(intervention="plain"))
    note(figure, f"{model_label(data.attrs['model'])}, {int(data.attrs['target']):,} scored tokens of each of {count} "
         "documents, 95 % intervals over documents; dotted: a reader of the trained length, black: as it is. "
         f"{' '.join(filter(None, (_fewer(at, count) for at in panels)))}")  # fmt: skip
    headline(figure, _finding(panels))
    return figure


def _panel(ax: Axes, at: xr.Dataset, right: float) -> None:
    """All interventions at one length, far masses up to `right`."""
    ends = []
    for name, (group, label) in SHOWN.items():
        if name in at.intervention.values and math.isfinite(float(at.share.sel(intervention=name))):
            ends.append(_dot(ax, at.sel(intervention=name), GROUPS[group], label))
    ax.axhline(0, color="black", lw=0.6)
    ax.axhline(100, color="black", lw=0.6, ls=":")
    plain = at.sel(intervention="plain")
    ax.plot([float(plain.mean_far)], [0], marker="*", color="black", ls="none", ms=8)
    ax.annotate(
        "plain", (float(plain.mean_far), 0), (-4, -9), textcoords="offset points", ha="right", fontsize=7
    )
    ax.set_ylim(LOWEST - 12, 130)
    ax.set_xlim(-0.03, right)
    for height, _, colour, far in ends:
        ax.plot([far, right], [height, height], color=colour, lw=0.3, alpha=0.6)
    end_labels(ax, [(height, words, colour) for height, words, colour, _ in ends], size=6.0)
    ax.set_ylabel(f"recovered share of the loss\nadded at {int(at.length):,} tokens (%)")


def _dot(ax: Axes, cell: xr.Dataset, look: tuple[str, str, str], label: str) -> tuple[float, str, str, float]:
    """Draw one intervention; its height, its name, its colour and its far mass."""
    colour, marker, _ = look
    share, low, high = (100 * float(cell[name]) for name in ("share", "share_low", "share_high"))
    far, shown = float(cell.mean_far), max(share, LOWEST)
    if math.isfinite(low):
        ax.plot([far, far], [max(low, LOWEST), max(high, LOWEST)], color=COLOURS[colour], lw=0.9, alpha=0.7)
    ax.plot([far], [shown], marker=marker, color=COLOURS[colour], ls="none", ms=5)
    return shown, label if share >= LOWEST else f"{label}: {share:.0f} %", COLOURS[colour], far


def _fewer(at: xr.Dataset, count: int) -> str:
    """Whether some interventions have fewer documents than plain at the shortest length."""
    known = at.documents.values[at.documents.values > 0]
    few, many = int(known.min()), int(known.max())
    if few == count:
        return ""
    read = f"{few} documents" if few == many else f"{few} to {many} documents"
    read += " (in one where there is no interval)" if few == 1 else ""
    return f"At {int(at.length):,} tokens interventions have been read in {read}."


def _finding(panels: Sequence[xr.Dataset]) -> str:
    """What holding and a constant of equal far attention recover, with all far keys and with the first four exempt."""
    first, *longer = panels
    said = [_pair(first, *pair) for pair in PAIRS]
    if not all(said):
        return "Interventions beyond the context: recovered loss against far attention"
    more = [f"; at {int(at.length):,} tokens {found}" for at in longer if (found := _pair(at, *PAIRS[0]))]
    return (
        f"The mean score held, and a constant of equal far attention, recover {said[0]}{''.join(more)}; "
        f"with the first four keys exempt {said[1]}" + (f" at {int(first.length):,}" if more else "")
    )


def _pair(at: xr.Dataset, one: str, other: str) -> str | None:
    """The shares of two interventions; None where one has not been read."""
    shares = [100 * float(at.share.sel(intervention=name)) for name in (one, other)]
    return "{:.0f} % and {:.0f} %".format(*shares) if all(map(math.isfinite, shares)) else None
