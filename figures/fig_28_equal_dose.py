"""Figure 28: recovered loss against the attention that is left beyond the trained length, under every intervention."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.style import COLOURS, FEWEST, PAGE, headline, model_label, names_of, note

SHOWN = ("rope", "partial", "rope_large", "tapa", "nope")
PANELS = 5
DOSE = ("plain", "constant", "matched-constant", "mask")  # what changes nothing but the dose
SERIES = {  # kind: words, colour, mark, filled
    "hold": ("mean score held at its value at L", "blue", "o", True),
    "matched-constant": ("one constant with the same dose", "blue", "o", False),
    "clamp": ("distance clamped at L", "green", "s", True),
    "clamp-departure": ("clamped, and the mean's departure added", "vermilion", "^", True),
    "clamp-constant": ("clamped, and a constant of the same dose", "vermilion", "^", False),
}
PAIRS = (("hold", "matched-constant"), ("clamp-departure", "clamp-constant"))
LOWEST, EDGE = -80, -70  # per cent: of the frame, and of marks for what lies below
Cell = Mapping[str, Any]


def draw(records: Mapping[str, Any]) -> Figure:
    """A panel a model; a line through constants: what dose alone recovers; above it the shape helps, below it harms."""
    summary, rows = (records["bias"][key] for key in ("summary", "rows"))
    panels: dict[str, tuple[Mapping[str, Cell], dict[str, list[tuple[float, float]]]]] = {
        summary["labels"][variant]: (cells, _seeds(rows.values(), variant, summary))
        for variant, cells in _models(summary).items()
    }
    real = records.get("smollm2_bias")
    if real is not None:
        panels[real.attrs["model"]] = (_real_cells(real), {})
    figure = plt.figure(figsize=(PAGE, 5.0))
    above, grid = figure.add_gridspec(2, 1, height_ratios=(0.22, 1))
    axes = np.asarray(grid.subgridspec(2, 3).subplots(sharex=True, sharey=True))
    for ax, (name, (cells, seeds)) in zip(axes.flat, panels.items(), strict=False):
        _model(ax, name, cells, seeds)
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    _legend(figure.add_subplot(above), {kind for cells, _ in panels.values() for kind in cells})
    for ax in axes[:, 0]:
        ax.set_ylabel("recovered loss (%)")
    lowest = [axes[row, column] for column in range(3) for row in (1, 0) if 3 * row + column < len(panels)]
    for ax in {ax.get_subplotspec().colspan.start: ax for ax in reversed(lowest)}.values():
        ax.set_xlabel("attention beyond L (share)")
        ax.tick_params(labelbottom=True)
    trained = next(iter(rows.values()))["trained_length"]
    words = (
        "Across: attention of the scored queries on keys L or more away, mean over heads. Up: share of the loss added "
        f"at {_length(summary)} bytes (L = {trained}) that is recovered. Large marks: mean over seeds, with 95 % "
        f"intervals over them from {FEWEST} seeds on; small marks: each seed. Grey line: as it is, constants taken off "
        f"every far score, all far keys masked. {_below(panels)}{_real_words(real)}"
    )
    note(figure, words)
    headline(figure, _finding(summary))
    return figure


def _real_cells(data: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Cells of the real model at its shortest length beyond the trained one; documents stand where seeds do.

    Of at least `FEWEST` documents: what was read of fewer is no point of the same picture.
    """
    at = data.isel(length=0)
    known = [
        name
        for name in map(str, at.intervention.values)
        if math.isfinite(float(at.share.sel(intervention=name)))
        and int(at.documents.sel(intervention=name)) >= FEWEST
    ]
    return {
        name: {
            "far_mass": [float(cell.mean_far)],
            "share": [float(cell[key]) for key in ("share", "share_low", "share_high")],
            "seeds": int(cell.documents),
        }
        for name in known
        for cell in [at.sel(intervention=name)]
    }


def _real_words(data: xr.Dataset | None) -> str:
    """What differs in the panel of the real model."""
    if data is None:
        return ""
    counts = [cell["seeds"] for cell in _real_cells(data).values()]
    least, most = min(counts, default=0), max(counts, default=0)
    return (
        f"{model_label(data.attrs['model'])}: {int(data.length[0]):,} tokens, L = "
        f"{int(data.attrs['trained_length']):,}, "
        f"{most if least == most else f'{least} to {most}'} documents in place of seeds"
    )


def _below(panels: Mapping[str, tuple[Mapping[str, Cell], Any]]) -> str:
    """Which marks stand at the lower edge for a value that lies below it."""
    low = [
        f"{name} {SERIES[kind][0]} {100 * cell['share'][0]:.0f} %"
        for name, (cells, _) in panels.items()
        for kind, cell in cells.items()
        if kind in SERIES and 100 * cell["share"][0] < EDGE
    ]
    return f"At the lower edge: {'; '.join(low)}. " if low else ""


def _length(summary: Mapping[str, Any]) -> int:
    return max(cell["length"] for cells in summary["altered"].values() for cell in cells)


def _models(summary: Mapping[str, Any]) -> dict[str, dict[str, Cell]]:
    """Cells of the longest length by kind, of the first variants that lost something."""
    longest, found = _length(summary), {}
    for variant in (*SHOWN, *summary["altered"]):
        whole = [c for c in summary["altered"].get(variant, ()) if c["length"] == longest]
        most = max((cell["seeds"] for cell in whole), default=0)  # points of fewer seeds are of other models
        cells = {cell["kind"]: cell for cell in whole if cell["seeds"] == most}
        if cells and all(cell["share"] is not None for cell in cells.values()):
            found[variant] = cells
    return dict(list(found.items())[:PANELS])


def _seeds(
    rows: Iterable[Mapping[str, Any]], variant: str, summary: Mapping[str, Any]
) -> dict[str, list[tuple[float, float]]]:
    """By kind, far mass and recovered share (%) of every run at the variant's chosen rate."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if (row["variant"], row["lr"]) != (variant, summary["chosen"][variant]):
            continue
        for cell in row["altered"]:
            if cell["length"] == _length(summary):
                bits = cell["bits_per_byte"]
                share = 100 * (bits["plain"] - bits["altered"]) / (bits["plain"] - bits["trained"])
                found.setdefault(cell["kind"], []).append((cell["far_mass"], max(EDGE, share)))
    return found


def _finding(summary: Mapping[str, Any]) -> str:
    """What a constant of the same dose recovers of what holding does."""
    said = []
    for variant in SHOWN[:2]:
        cells = {c["kind"]: c for c in summary["altered"].get(variant, ()) if c["length"] == _length(summary)}
        if set(PAIRS[0]) <= cells.keys() and cells["hold"]["share"] is not None:
            held, same = (100 * cells[kind]["share"][0] for kind in PAIRS[0])
            said.append(f"{same:.0f} of {held:.0f} % in {summary['labels'][variant]}")
    if not said:
        return "Recovered loss and the attention that is left beyond the trained length"
    return f"Of what holding the bias recovers, a constant of the same dose recovers {names_of(said)}"


def _model(
    ax: Axes, name: str, cells: Mapping[str, Cell], seeds: Mapping[str, list[tuple[float, float]]]
) -> None:
    dose = [cell for kind, cell in cells.items() if kind.split(" ")[0] in DOSE]
    dose.sort(key=lambda cell: cell["far_mass"][0])
    ax.plot(*_points(dose), "-", color=COLOURS["grey"], lw=1.4, zorder=1)
    others = [cell for kind, cell in cells.items() if kind not in SERIES and kind.split(" ")[0] not in DOSE]
    ax.plot(*_points(others), ".", color=COLOURS["grey"], ms=4, zorder=2)
    for pair in PAIRS:
        if set(pair) <= cells.keys():
            ax.plot(*_points([cells[kind] for kind in pair]), ":", color=COLOURS[SERIES[pair[0]][1]], lw=0.9)
    for kind, (_, colour, marker, filled) in SERIES.items():
        if kind in cells:
            if len(seeds.get(kind, ())) > 1:
                face = COLOURS[colour] if filled else "white"
                ax.plot(
                    *zip(*seeds[kind], strict=True),
                    marker,
                    ms=2.5,
                    mew=0.6,
                    mec=COLOURS[colour],
                    mfc=face,
                    zorder=5,
                )
            _mark(ax, cells[kind], COLOURS[colour], marker, filled=filled)
    ax.annotate(
        "as it is", _at(cells["plain"]), (-2, -9), textcoords="offset points", fontsize=6.5, ha="right"
    )
    ax.set_title(name, loc="left")
    ax.set(xlim=(-0.04, 1.04), ylim=(LOWEST, 112))
    ax.axhline(0, color="black", lw=0.5)


def _points(cells: Iterable[Cell]) -> tuple[list[float], list[float]]:
    places = [_at(cell) for cell in cells]
    return [x for x, _ in places], [y for _, y in places]


def _at(cell: Cell) -> tuple[float, float]:
    """Far mass and recovered share in per cent, within the frame."""
    return cell["far_mass"][0], max(EDGE, 100 * cell["share"][0])


def _mark(ax: Axes, cell: Cell, colour: str, marker: str, *, filled: bool) -> None:
    x, y = _at(cell)
    ends = cell["share"][1:] if cell["seeds"] >= FEWEST else (None, None)
    low, high = (y if end is None else 100 * end for end in ends)
    bars = np.clip([[y - low], [high - y]], 0, None)
    ax.errorbar(
        [x], [y], yerr=bars, fmt=marker, ms=5, mec=colour, mfc=colour if filled else "white", ecolor=colour,
        elinewidth=0.8, zorder=4,
    )  # fmt: skip


def _legend(ax: Axes, drawn: set[str]) -> None:
    looks = [
        (words, marker, colour, filled)
        for kind, (words, colour, marker, filled) in SERIES.items()
        if kind in drawn
    ]
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[c],
            ls="none",
            marker=marker,
            ms=5,
            mfc=COLOURS[c] if filled else "white",
            label=words,
        )
        for words, marker, c, filled in looks
    ]
    grey = [("-", "dose alone: a constant subtracted")]
    if any(kind not in SERIES and kind.split(" ")[0] not in DOSE for kind in drawn):
        grey.append((".", "other interventions"))
    for look, words in grey:
        kind = {"ls": "-", "lw": 1.4} if look == "-" else {"ls": "none", "marker": look, "ms": 4}
        handles.append(Line2D([], [], color=COLOURS["grey"], label=words, **kind))
    ax.axis("off")
    ax.legend(handles=handles, loc="upper left", ncols=2, fontsize=7, handlelength=1.4).set_in_layout(False)
