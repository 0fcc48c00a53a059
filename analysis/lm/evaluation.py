"""The record of an evaluation: sums by document, and the perplexities with intervals that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Int

from analysis.lm.bootstrap import Interval, over_documents
from analysis.lm.evaluate import Losses
from analysis.records import Schema

EVALUATION = Schema("evaluation", 1, made_by="tapa evaluate MODEL")
Cell = tuple[str, int, str]
"""Extension, length, document."""

_UNITS = {"perplexity": "1", "bits_per_byte": "bit/byte", "difference": "nat/token"}
_DESCRIPTIONS = {
    "nats": ("nat", "loss of what the protocol scores, summed over a document; nan where not read yet"),
    "tokens": ("token", "scored tokens, the same at every length and for every extension"),
    "text_bytes": ("byte", "bytes of their text"),
    "position_nats": ("nat", "loss of all that was read, scored or not, by place in the window"),
    "position_tokens": ("token", "what was summed there"),
    "perplexity": (_UNITS["perplexity"], "exp of the loss per scored token"),
    "bits_per_byte": (_UNITS["bits_per_byte"], "loss of scored tokens per byte of their text"),
    "difference": (_UNITS["difference"], "loss per token less that of the first extension, same targets"),
    "place": ("token", "tokens read before the predicted one: the first place of a bin"),
}


def assemble(
    cells: Mapping[Cell, Losses],
    extensions: Sequence[str],
    lengths: Sequence[int],
    documents: Sequence[str],
    edges: Int[np.ndarray, " edges"],
    *,
    seed: int,
) -> xr.Dataset:
    """Everything that has been read so far, described; what is missing is nan.

    Intervals hold 95 of 100 cases by aim, over documents (`bootstrap.over_documents`); a cell has one once all
    its documents are read, and there are two or more.

    Args:
        cells: losses by extension, length and document.
        extensions, lengths, documents: in the record's order.
        edges: of the bins by place.
        seed: of the bootstrap.
    """
    shape = (len(extensions), len(lengths), len(documents))
    nats = np.full(shape, np.nan)
    by_place = np.zeros((2, *shape, len(edges) - 1))
    counts = np.zeros((2, len(documents)), np.int64)
    for (extension, length, document), found in cells.items():
        at = extensions.index(extension), lengths.index(length), documents.index(document)
        nats[at] = found.nats
        by_place[0][at], by_place[1][at] = found.position_nats, found.position_tokens
        counts[:, at[2]] = found.tokens, found.text_bytes
    axes = ("extension", "length", "document")
    data = xr.Dataset(
        {
            "nats": (axes, nats),
            "tokens": ("document", counts[0]),
            "text_bytes": ("document", counts[1]),
            "position_nats": ((*axes, "place"), by_place[0]),
            "position_tokens": ((*axes, "place"), by_place[1].astype(np.int64)),
            **_intervals(nats, counts, seed),
        },
        coords={
            "extension": list(extensions),
            "length": list(lengths),
            "document": list(documents),
            "place": edges[:-1],
            "place_end": ("place", edges[1:] - 1),
        },
    )
    return _described(data)


def _intervals(
    nats: np.ndarray, counts: Int[np.ndarray, "2 documents"], seed: int
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    found = {name: np.full((3, *nats.shape[:2]), np.nan) for name in _UNITS}
    for e, l in np.argwhere(np.isfinite(nats).all(axis=-1)):  # noqa: E741 - extension, length
        per_token = over_documents(nats[e, l], counts[0], seed=seed)
        found["perplexity"][:, e, l] = _ends(per_token.exp())
        per_byte = over_documents(nats[e, l], counts[1], seed=seed)
        found["bits_per_byte"][:, e, l] = _ends(per_byte.times(1 / math.log(2)))
        if np.isfinite(nats[0, l]).all():
            found["difference"][:, e, l] = _ends(
                over_documents(nats[e, l] - nats[0, l], counts[0], seed=seed)
            )
    return {
        f"{name}{suffix}": (("extension", "length"), values[i])
        for name, values in found.items()
        for i, suffix in enumerate(("", "_low", "_high"))
    }


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _described(data: xr.Dataset) -> xr.Dataset:
    for name, variable in data.variables.items():
        stem = str(name).removesuffix("_low").removesuffix("_high")
        if stem in _DESCRIPTIONS:
            units, text = _DESCRIPTIONS[stem]
            end = (
                "" if stem == name else f", {str(name).rpartition('_')[2]} end of the interval over documents"
            )
            variable.attrs |= {"units": units, "long_name": text + end}
    return data


def rows(data: xr.Dataset) -> list[dict[str, Any]]:
    """One mapping for each extension and length that is read to its end, fit for JSON: None where nan."""
    names = [f"{name}{suffix}" for name in _UNITS for suffix in ("", "_low", "_high")]
    found = []
    for extension in data.extension.values:
        for length in data.length.values:
            cell = data.sel(extension=extension, length=length)
            values = {name: float(cell[name]) for name in names}
            if math.isfinite(values["perplexity"]):
                plain = {name: value if math.isfinite(value) else None for name, value in values.items()}
                found.append({"extension": str(extension), "length": int(length), **plain})
    return found


def table(data: xr.Dataset) -> str:
    """Perplexities for a reader: a line for each length, a column for each extension, intervals below."""
    by_cell = {(row["extension"], row["length"]): row for row in rows(data)}
    extensions = [str(name) for name in data.extension.values]
    lines = ["perplexity [95 % over documents], bits per byte", "length".rjust(8) + "".join(
        name.rjust(34) for name in extensions
    )]  # fmt: skip
    for length in map(int, data.length.values):
        shown = [_shown(by_cell.get((name, length))) for name in extensions]
        lines.append(f"{length:8d}" + "".join(text.rjust(34) for text in shown))
    return "\n".join(lines)


def _shown(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    low, high = row["perplexity_low"], row["perplexity_high"]
    interval = "" if low is None else f" [{low:.5g}, {high:.5g}]"
    return f"{row['perplexity']:.5g}{interval}  {row['bits_per_byte']:.3f}"
