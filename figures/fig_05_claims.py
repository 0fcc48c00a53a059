"""Figure 5: every claim of the paper with its verdict, as stated and as repaired, and what rests on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from figures.style import PAGE

RECORDS = ("claims",)
CLAIMS = ("thm-2.1", "thm-2.2", "thm-2.3", "thm-3.2", "thm-3.3")

COLUMNS = 8  # claims in a row
PITCH = 1.22  # between rows, where a box and its label are one high
BOX, BAR, NAME = 0.88, 0.36, 0.05  # width of a claim, height of its bar, gap between bar and label
BAND = 0.55  # extra space above each part of the paper
LETTERS = {"proved": "P", "certified": "C", "supported": "S", "unknown": "?", "refuted": "R"}
DARK = ("proved", "refuted")  # fills that want white letters
LINE, BROKEN, BACK = "0.55", "firebrick", "0.96"
INCHES = 0.255  # height of one unit


@dataclass(frozen=True)
class Place:
    """Lower left corner of a claim's bar."""

    x: float
    y: float


def draw(records: Mapping[str, Any]) -> Figure:
    graph = records["claims"]["graph"]
    nodes = {node["id"]: node for node in graph["nodes"]}
    places, bands, height = arrange(records["claims"]["claims"])
    figure, ax = plt.subplots(figsize=(PAGE, INCHES * (height + 2)))
    ax.set_axis_off()
    ax.set_xlim(-0.75, COLUMNS)
    ax.set_ylim(-height - 2, 0.2)
    for part, top, bottom in bands:
        ax.add_patch(Rectangle((-0.75, bottom), COLUMNS + 0.75, top - bottom, color=BACK, lw=0, zorder=0))
        ax.text(-0.4, (top + bottom) / 2, part, rotation=90, ha="center", va="center", fontsize=6)
    for edge in graph["edges"]:
        if edge["kind"] == "uses":
            _edge(ax, edge, nodes, places)
    for node in nodes.values():
        _bar(ax, node, nodes, places[node["label"]])
    for label, place in places.items():
        name = ax.text(place.x + BOX / 2, place.y + BAR + NAME, label, ha="center", va="bottom", fontsize=5.4)
        name.set(zorder=4, path_effects=[withStroke(linewidth=1.8, foreground=BACK)])
    _legend(ax, graph["legend"], -height - 0.9)
    return figure


def arrange(
    claims: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Place], list[tuple[str, float, float]], float]:
    """Where each claim goes, a band of rows for each part of the paper, and the height of all."""
    places: dict[str, Place] = {}
    bands: list[tuple[str, float, float]] = []
    top = 0.0
    parts = dict.fromkeys(_band(claim["part"]) for claim in claims)
    for part in parts:
        labels = [claim["label"] for claim in claims if _band(claim["part"]) == part]
        rows = -(-len(labels) // COLUMNS)
        bottom = top - rows * PITCH - BAND / 2
        bands.append((part, top, bottom))
        for index, label in enumerate(labels):
            row, column = divmod(index, COLUMNS)
            places[label] = Place(column + (1 - BOX) / 2, top - BAND / 2 - (row + 1) * PITCH + BAR)
        top = bottom - BAND / 3
    return places, bands, -top


def _band(part: str) -> str:
    """Parts with a handful of claims share a band."""
    few = {"Introduction": "Intro, 4, 5", "Section 4": "Intro, 4, 5", "Section 5": "Intro, 4, 5"}
    return few.get(part, part.replace("Appendix", "App.").replace("Section", "Sec."))


def _halves(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> tuple[float, float]:
    """Left end and width of a form's box within its claim: the whole, or the left or the right half."""
    if f"{node['label']}*" not in nodes:
        return 0.0, BOX
    return (BOX / 2 if node["form"] == "repaired" else 0.0), BOX / 2


def _bar(ax: Axes, node: Mapping[str, Any], nodes: Mapping[str, Any], place: Place) -> None:
    left, width = _halves(node, nodes)
    inset = 0.025
    corner = (place.x + left + inset, place.y + inset)
    size = (width - 2 * inset, BAR - 2 * inset)
    outline = Rectangle((place.x + left, place.y), width, BAR, fill=False, edgecolor="0.3", lw=0.25, zorder=5)
    ax.add_patch(outline)
    fill = Rectangle(corner, *size, facecolor=node["fill"], edgecolor=node["border"], lw=1.1, zorder=3)
    ax.add_patch(fill)
    ax.text(
        place.x + left + width / 2,
        place.y + BAR / 2,
        LETTERS[node["verdict"]] + ("*" if node["form"] == "repaired" else ""),
        color="white" if node["verdict"] in DARK else "black",
        ha="center",
        va="center_baseline",
        fontsize=5,
        zorder=4,
    )


def _edge(ax: Axes, edge: Mapping[str, Any], nodes: Mapping[str, Any], places: Mapping[str, Place]) -> None:
    """A curve from what is used to what uses it; it leaves and arrives upright, below or above the boxes."""
    ends = []
    for name in (edge["source"], edge["target"]):
        left, width = _halves(nodes[name], nodes)
        place = places[nodes[name]["label"]]
        ends.append((place.x + left + width / 2, place.y))
    (x0, y0), (x1, y1) = ends
    top = BAR + 0.34  # above the label
    if y0 > y1:  # downwards
        y1, bend = y1 + top, (-0.5, 0.5)
    elif y0 < y1:  # upwards
        y0, bend = y0 + top, (0.5, -0.5)
    else:  # beside each other: below
        bend = (-0.5, -0.5)
    path = Path(
        [(x0, y0), (x0, y0 + bend[0]), (x1, y1 + bend[1]), (x1, y1)],
        [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )
    colour = BROKEN if edge["broken"] else LINE
    ax.add_patch(
        FancyArrowPatch(
            path=path,
            arrowstyle="-|>",
            mutation_scale=3,
            lw=0.5 if edge["broken"] else 0.35,
            color=colour,
            alpha=0.8,
            zorder=1,
        )
    )


def _legend(ax: Axes, colours: Mapping[str, str], y: float) -> None:
    for index, (verdict, letter) in enumerate(LETTERS.items()):
        x = index * 1.6 - 0.6
        text = "numbers only" if verdict == "supported" else verdict
        ax.add_patch(Rectangle((x, y), 0.4, BAR, facecolor=colours[verdict], edgecolor="0.3", lw=0.3))
        white = "white" if verdict in DARK else "black"
        ax.text(x + 0.2, y + BAR / 2, letter, color=white, ha="center", va="center_baseline", fontsize=5)
        ax.text(x + 0.48, y + BAR / 2, text, va="center_baseline", fontsize=6)
    words = (
        "Left half or whole: as stated; right half (*): as repaired. Border: by its own evidence; fill: with all that "
        "it uses.\nArrows lead from what is used to what uses it, red from what is refuted."
    )
    ax.text(-0.6, y - 0.15, words, va="top", fontsize=6)
