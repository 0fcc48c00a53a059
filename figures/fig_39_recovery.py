"""Figure 39: a trained model's loss after its rotation was exchanged, by the tokens that it was trained on since."""

from __future__ import annotations

import json
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import (
    COLOURS,
    PAGE,
    end_labels,
    error_lengths,
    headline,
    model_label,
    names_of,
    note,
    panel,
)

CONTROL, ENDPOINT, RAW = "rope", "tapa", "tapa-raw"
COMPARED = ["tapa", "nope", "yarn", "rope"]  # how far all of these have come decides what the headline says
FEW = 6  # ticks that all have room for their names
LOOKS = {  # name, colour, marker, line, and a factor of the abscissa by which intervals do not hide each other
    "tapa": ("TAPA", "orange", "^", "-", 0.95),
    "nope": ("no rotation", "black", "v", ":", 1.05),
    "yarn": ("YaRN", "purple", "s", "--", 0.95),
    "rope": ("RoPE, trained on", "blue", "o", "-", 1.05),
    "tapa-still": ("TAPA at phase 0", "vermilion", "D", "-.", 1.05),
}


def draw(records: Mapping[str, xr.Dataset]) -> Figure:
    """Nats per token of every arm at equal tokens, a panel for each window, 95 % intervals over documents."""
    data = records["recovery"]
    lengths = [int(length) for length in data.length.values]
    figure, axes = plt.subplots(1, len(lengths), figsize=(PAGE, 3.4), sharex=True, sharey=True, squeeze=False)
    for ax, length, letter in zip(axes[0], lengths, "abcdefgh", strict=False):
        _arms(ax, data.sel(length=length))
        as_trained = length == int(data.attrs["window"])
        ax.set_title(f"windows of {length:,}" + (", as in training" if as_trained else ""))
        ax.set_xlabel("tokens trained on (k: $2^{10}$)")
        panel(ax, letter)
    axes[0, 0].set_ylabel("loss (nats per token)")
    figure.canvas.draw()  # heights of the panels, for labels that do not touch
    for ax, length in zip(axes[0], lengths, strict=True):
        _name_lines(ax, data.sel(length=length))
    counts = data.tokens.values
    model = json.loads(data.attrs["configuration"])["model"]
    note(
        figure,
        f"{model_label(model)}; {int(counts.sum()):,} scored tokens of {len(counts)} test documents, 95 % intervals "
        "over documents; dotted: RoPE untouched; cross: TAPA over the raw weights. One rate, one seed. "
        f"{_progress(data)}",
    )
    headline(figure, _finding(data))
    return figure


def _drawn(data: xr.Dataset) -> list[str]:
    """The arms of which something is measured; a record may have been made before one was planned."""
    loss = data.loss.reindex(arm=list(LOOKS))
    return [arm for arm in LOOKS if bool(np.isfinite(loss.sel(arm=arm)).any())]


def _reached(data: xr.Dataset, arms: list[str]) -> int:
    """The largest number of tokens after which these arms are measured in every window; 0 also for none."""
    full = np.isfinite(data.loss.sel(arm=arms)).all(("arm", "length")).values
    return max((int(tokens) for tokens in data.trained.values[full]), default=0)


def _places(data: xr.Dataset) -> np.ndarray:
    """Where tokens stand on the logarithmic axis: no tokens half a step before the first ones."""
    tokens = data.trained.values.astype(float)
    return np.where(tokens > 0, tokens, tokens[tokens > 0].min() / 2)


def _arms(ax: Axes, cells: xr.Dataset) -> None:
    places = _places(cells)
    last = places[np.isfinite(cells.loss.sel(arm=_drawn(cells))).any("arm").values].max()
    for arm in _drawn(cells):
        _, colour, marker, line, aside = LOOKS[arm]
        own = cells.sel(arm=arm)
        known = np.isfinite(own.loss.values)
        ax.errorbar(
            aside * places[known], own.loss.values[known], yerr=error_lengths(own, "loss")[:, known], marker=marker,
            ls=line, ms=4, lw=1.2, elinewidth=0.8, color=COLOURS[colour],
        )  # fmt: skip
    ax.axhline(float(cells.loss.sel(arm=CONTROL, trained=0)), color=COLOURS["blue"], lw=0.8, ls=":")
    raw = float(cells.loss.sel(arm=RAW, trained=0))
    ax.plot([places[0]], [raw], marker="x", ms=5, color=COLOURS["orange"], ls="none")
    ax.set_xscale("log", base=2)
    ax.set_xlim(places[0] / 1.3, last * 1.15)
    shown = places <= last
    names = [_thousands(int(n)) for n in cells.trained.values[shown]]
    kept = {0, *range(len(names) - 1, 0, -2 if len(names) > FEW else -1)}
    ax.set_xticks(places[shown], [name if i in kept else "" for i, name in enumerate(names)])
    ax.xaxis.minorticks_off()


def _thousands(tokens: int) -> str:
    """Tokens at a tick, in units of 1024 where they are whole ones."""
    return f"{tokens // 1024}k" if tokens >= 1024 and tokens % 1024 == 0 else f"{tokens}"


def _name_lines(ax: Axes, cells: xr.Dataset) -> None:
    ends = []
    for arm in _drawn(cells):
        name, colour, *_ = LOOKS[arm]
        known = cells.loss.sel(arm=arm).values
        ends.append((float(known[np.isfinite(known)][-1]), name, COLOURS[colour]))
    end_labels(ax, ends)


def _progress(data: xr.Dataset) -> str:
    """How far each arm has come."""
    plan = int(data.trained.values.max())
    come = {arm: _reached(data, [arm]) for arm in _drawn(data)}
    if set(come.values()) == {plan}:
        return f"All {plan:,} tokens of the plan."
    by_tokens: dict[int, list[str]] = {}
    for arm, tokens in come.items():
        by_tokens.setdefault(tokens, []).append(LOOKS[arm][0].split(",")[0])
    said = "; ".join(
        f"{names_of(names)} at {tokens:,}" for tokens, names in sorted(by_tokens.items(), reverse=True)
    )
    return f"Of {plan:,} planned tokens so far: {said}."


def _finding(data: xr.Dataset) -> str:
    """What TAPA's loss is above that of RoPE after as many tokens as every arm has had, in windows as in training."""
    tokens = _reached(data, COMPARED)
    cell = data.sel(arm=ENDPOINT, length=int(data.attrs["window"]))
    if tokens == 0 or not np.isfinite(float(cell.excess.sel(trained=tokens))):
        return "Loss after the rotation was exchanged: not every arm has been trained yet"
    before, now = (cell.sel(trained=n) for n in (0, tokens))
    return (
        f"Trained on {tokens:,} tokens, TAPA's loss is {float(now.excess):.2f} "
        f"[{float(now.excess_low):.2f}, {float(now.excess_high):.2f}] nats above that of RoPE trained on as many, "
        f"after {float(before.excess):.2f} at the start"
    )
