"""Figure 31: TAPA, TAPA without distance, TAPA with a frozen phase and NoPE: loss by context length over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from figures.style import COLOURS, FEWEST, PAGE, end_labels, headline, note, powers_of_two

LINES = {
    "tapa": ("TAPA", COLOURS["orange"], "-", "o"),
    "tapa_alpha0": ("alpha 0: no distance", COLOURS["blue"], "--", "s"),
    "tapa_frozen": ("frozen phase", COLOURS["green"], "-.", "^"),
    "nope": ("NoPE: no phase", COLOURS["black"], ":", "D"),
}


def draw(records: Mapping[str, Any]) -> Figure:
    """Points: means over seeds, with Student's t intervals from `FEWEST` on; the same test tokens at every length."""
    summary = records["phase_seeds"]["summary"]
    figure, ax = plt.subplots(figsize=(PAGE, 3.2))
    ends = []
    for shift, (variant, (name, colour, line, mark)) in enumerate(LINES.items()):
        found = summary["over_seeds"].get(variant, {})
        cells = {
            int(key.removeprefix("bits/")): x["of"] for key, x in found.items() if key.startswith("bits/")
        }
        if not cells:
            continue
        lengths = sorted(cells)
        at = [length * 2 ** (0.03 * (shift - 1.5)) for length in lengths]
        values = [cells[length][0] for length in lengths]
        ax.plot(at, values, color=colour, ls=line, marker=mark, ms=3.5, label=variant)
        for x, length in zip(at, lengths, strict=True):
            _, low, high = cells[length]
            if low is not None and len(summary["seeds"][variant]) >= FEWEST:
                ax.vlines(x, low, high, color=colour, lw=0.9)
        ends.append((values[-1], f"{name} ({len(summary['seeds'][variant])})", colour))
    powers_of_two(ax)
    ax.set(xlabel="context length / trained length", ylabel="bits per byte of held-out text")
    end_labels(ax, ends, size=6.5)
    note(figure, "means over seeds (their number in brackets), from three on with 95 % intervals, Student's t; the "
         "same test bytes at every length and for every model, trained for as long; both controls at TAPA's rate, "
         "which was tuned for neither, NoPE at its own")  # fmt: skip
    headline(figure, _finding(summary))
    return figure


def _finding(summary: Mapping[str, Any]) -> str:
    """What each control loses against TAPA at the longest length."""
    words = {
        "tapa_alpha0": "without distance",
        "tapa_frozen": "with a phase that is not learned",
        "nope": "without a phase",
    }
    lost = {name: {int(key.removeprefix("bits/")): x for key, x in summary["less"][name].items()
                   if key.startswith("bits/")} for name in words if name in summary["less"]}  # fmt: skip
    if not lost:
        return "TAPA and what is left of it without distance"
    longest = max(next(iter(lost.values())))
    said = []
    for name, by_length in lost.items():
        of, seeds = by_length[longest]["of"], len(by_length[longest]["values"])
        known = seeds >= FEWEST and of[1] is not None
        interval = (
            f" [{-of[2]:+.2f}, {-of[1]:+.2f}]" if known else f" ({seeds} seed{'s' if seeds > 1 else ''})"
        )
        said.append(f"{words[name]} {-of[0]:+.2f}{interval}")
    return f"Loss at {longest} times the trained length, less TAPA's (bits a byte):\n{', '.join(said)}"
