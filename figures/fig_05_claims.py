"""Figure 5: what became of the paper's statements: verdicts by its parts, and its theorems and lemmas one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from figures.style import COLOURS, PAGE, headline, panel

SHOWN = ("thm-2.1", "thm-2.2", "thm-2.3", "thm-3.2", "thm-3.3", "lem-C.1", "lem-C.2")

# fill, its letter, whether the letter is white; told apart in grey by lightness, hatching and letter
LOOKS = {
    "proved": (COLOURS["blue"], "P", True),
    "certified": (COLOURS["sky"], "C", False),
    "supported": (COLOURS["grey"], "S", False),
    "unknown": ("white", "?", False),
    "refuted, repaired": (COLOURS["orange"], "R*", False),
    "refuted": (COLOURS["vermilion"], "R", True),
}
HATCH = {"refuted, repaired": "//", "refuted": "xx"}
SIDE = 0.62  # of a square, in rows


def draw(records: Mapping[str, Any]) -> Figure:
    """Left: how many statements of each part have which verdict as stated; right: as stated and as repaired."""
    claims = records["claims"]["claims"]
    figure, (bars, grid) = plt.subplots(1, 2, figsize=(PAGE, 4.2), width_ratios=(1.6, 1))
    parts = list(dict.fromkeys(claim["part"] for claim in claims))
    for row, part in enumerate(parts):
        left = 0
        for verdict, count in counts([claim for claim in claims if claim["part"] == part]).items():
            fill = LOOKS[verdict][0]
            bars.barh(
                row, count, left=left, color=fill, edgecolor="black", lw=0.4, height=0.75,
                hatch=HATCH.get(verdict),
            )  # fmt: skip
            left += count
    total = counts(claims)
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=LOOKS[v][0], edgecolor="black", lw=0.4, hatch=HATCH.get(v))
        for v in total
    ]
    bars.legend(handles, [f"{verdict}: {count}" for verdict, count in total.items()], loc="lower right")
    bars.set_yticks(range(len(parts)), parts)
    bars.invert_yaxis()
    bars.set_xlabel("statements (as stated in v1)")
    bars.grid(axis="y", visible=False)
    _theorems(grid, [claim for label in SHOWN for claim in claims if claim["label"] == label])
    headline(figure, verdict_title(total))
    panel(bars, "a")
    panel(grid, "b")
    return figure


def verdict_title(total: Mapping[str, int]) -> str:
    """How many statements hold as stated, and how many of the refuted ones hold as repaired."""
    held = total.get("proved", 0) + total.get("certified", 0)
    mended, lost = total.get("refuted, repaired", 0), total.get("refuted", 0)
    return (
        f"Of {sum(total.values())} statements of v1 {held} hold as stated and {mended + lost} are refuted; {mended} "
        "of these hold as repaired"
    )


def verdict_of(claim: Mapping[str, Any]) -> str:
    """The verdict as stated, with "refuted, repaired" where a repaired form is proved or certified."""
    stated, repaired = _word(claim["stated"]), claim["repaired"]
    mended = repaired is not None and _word(repaired) in ("proved", "certified")
    return "refuted, repaired" if stated == "refuted" and mended else stated


def _word(form: Mapping[str, Any]) -> str:
    """The verdict without its reason: "unknown: what it uses is refuted" is unknown."""
    return form["verdict"].partition(":")[0]


def counts(claims: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims have each verdict, those that occur, in the order of `LOOKS`."""
    found = Counter(map(verdict_of, claims))
    return {verdict: found[verdict] for verdict in sorted(found, key=list(LOOKS).index)}


def _theorems(ax: Axes, claims: Sequence[Mapping[str, Any]]) -> None:
    """A square for each form: letter and fill say the verdict."""
    for row, claim in enumerate(claims):
        for column, form in enumerate((claim["stated"], claim["repaired"])):
            if form is None:
                ax.text(column, row, "not needed", ha="center", va="center", fontsize=6.5)
                continue
            fill, letter, white = LOOKS[_word(form)]
            ax.add_patch(
                Rectangle(
                    (column - SIDE / 2, row - SIDE / 2), SIDE, SIDE, facecolor=fill, edgecolor="black", lw=0.5
                )
            )
            ax.text(
                column, row, letter, color="white" if white else "black", ha="center", va="center_baseline"
            )
    ax.set_xlim(-0.6, 1.8)
    ax.set_ylim(len(claims) - 0.4, -0.6)
    ax.set_xticks([0, 1], ["as stated", "repaired"])
    ax.set_yticks(range(len(claims)), [claim["label"] for claim in claims])
    ax.set_xlabel("P proved, C certified,\nR refuted, ? unknown")
    ax.grid(visible=False)
