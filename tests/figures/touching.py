"""Texts of a figure that lie on one another, where neither can be read."""

from __future__ import annotations

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text

LEAST = 0.25  # of the lower text's height: a box has room for letters that go deeper or higher than most


def touching_texts(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of titles, names of axes and panels, and annotations that share a place; ticks and legends are left out."""
    figure.canvas.draw()
    texts: list[Text] = list(figure.texts)
    texts += [one for name in ("_suptitle", "_supxlabel", "_supylabel") if (one := getattr(figure, name))]
    for ax in figure.axes:
        texts += [one for one in ax.get_children() if isinstance(one, Text)]  # titles and annotations
        texts += [ax.xaxis.label, ax.yaxis.label] if ax.axison else []
    shown = {id(one): one for one in texts if one.get_visible() and one.get_text().strip()}.values()
    boxes = [(one.get_text(), Text.get_window_extent(one)) for one in shown]
    return [
        (first, second)
        for (first, a), (second, b) in combinations(boxes, 2)
        if min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0))
        > LEAST * min(a.height, b.height)
    ]
