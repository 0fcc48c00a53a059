"""From a model's name and texts to the record of its perplexity by context length: what `tapa evaluate` runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int

from analysis import schemas
from analysis.evaluation.loss_by_length import Losses, Protocol, Target, losses_by_document, position_edges
from analysis.intervals import RESAMPLES, Interval, over_documents
from analysis.models.load import Model, open_model
from analysis.progress import Progress
from analysis.records import Provenance
from analysis.studies.settings import PerplexitySettings
from analysis.tables import Table
from analysis.text.windows import Spans, opening_spans, read_text, spans
from analysis.theory.frequencies import Extension
from analysis.workers import peak_memory_mb

# The record of an evaluation: sums by document, and the perplexities with intervals that follow from them.


EVALUATION = schemas.EVALUATION
Cell = tuple[str, int, str]
"""Extension, length, document."""

_ESTIMATES = ("perplexity", "bits_per_byte", "difference")  # each with its interval over documents


def evaluation_dataset(
    cells: Mapping[Cell, Losses],
    extensions: Sequence[str],
    lengths: Sequence[int],
    documents: Sequence[str],
    edges: Int[np.ndarray, " edges"],
    *,
    seed: int,
) -> xr.Dataset:
    """Everything that has been read so far, described; what is missing is nan.

    Intervals hold 95 of 100 cases by aim, over documents (`intervals.over_documents`); a cell has one once all
    its documents are read, and there are two or more.

    Args:
        cells: losses by extension, length and document.
        extensions, lengths, documents: in the record's order.
        edges: of the bins by position.
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
    return xr.Dataset(
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


def _intervals(
    nats: np.ndarray, counts: Int[np.ndarray, "2 documents"], seed: int
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    found = {name: np.full((3, *nats.shape[:2]), np.nan) for name in _ESTIMATES}
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


def rows(data: xr.Dataset) -> list[dict[str, Any]]:
    """One mapping for each extension and length that is read to its end, fit for JSON: None where nan."""
    names = [f"{name}{suffix}" for name in _ESTIMATES for suffix in ("", "_low", "_high")]
    found = []
    for extension in data.extension.values:
        for length in data.length.values:
            cell = data.sel(extension=extension, length=length)
            values = {name: float(cell[name]) for name in names}
            if math.isfinite(values["perplexity"]):
                plain = {name: value if math.isfinite(value) else None for name, value in values.items()}
                found.append({"extension": str(extension), "length": int(length), **plain})
    return found


def perplexity_table(data: xr.Dataset) -> str:
    """Perplexities for a reader: a line for each length, a column for each extension, intervals below."""
    count = int((data.tokens > 0).sum())
    by_cell = {(row["extension"], row["length"]): row for row in rows(data)}
    extensions = [str(name) for name in data.extension.values]
    lines = [
        [str(length), *(_shown(by_cell.get((name, length)), count) for name in extensions)]
        for length in map(int, data.length.values)
    ]
    table = Table(["length", *extensions], lines).text()
    return "\n".join(["perplexity [95 % over documents], bits per byte", table, *_remarks(data)])


def _remarks(data: xr.Dataset) -> list[str]:
    """What the numbers alone would leave unsaid: no interval, and extensions that change nothing."""
    remarks = []
    if data.sizes["document"] == 1:
        remarks.append("1 document: no interval; give two or more")
    factor, trained = float(data.attrs.get("factor", np.nan)), int(data.attrs.get("trained_length", 0))
    for name in map(str, data.extension.values):
        if name == "none":
            continue
        within = [int(length) for length in data.length.values if length <= trained]
        if factor == 1:
            remarks.append(
                f"{name}: no length is beyond the trained one, {trained}, so that its factor is 1 and nothing is "
                f"extended; give longer --lengths or a --factor"
            )
        elif name == "dynamic" and within:
            shown = ", ".join(map(str, within))
            remarks.append(f"dynamic: nothing is extended within the trained length, {trained}: at {shown}")
    return remarks


def _shown(row: Mapping[str, Any] | None, documents: int) -> str:
    if row is None:
        return "-"
    low, high = row["perplexity_low"], row["perplexity_high"]
    interval = f" [n={documents}: no interval]" if low is None else f" [{low:.5g}, {high:.5g}]"
    return f"{row['perplexity']:.5g}{interval}  {row['bits_per_byte']:.3f}"


Save = Callable[[xr.Dataset, Provenance], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """PerplexitySettings with everything filled in for one model."""

    lengths: tuple[int, ...]
    protocol: Protocol
    extensions: tuple[Extension, ...]

    @classmethod
    def of(cls, settings: PerplexitySettings, model: Model) -> Plan:
        """What was left open follows from the model; `InputError` if it does not fit."""
        lengths = settings.lengths or model.default_lengths
        filled = replace(settings, lengths=lengths)
        trained = model.trained_length if settings.trained_length is None else settings.trained_length
        factor = max(1.0, lengths[-1] / trained) if settings.factor is None else settings.factor
        extensions = tuple(Extension(name, float(factor), trained) for name in settings.extensions)
        for extension in extensions:
            model.reader(lengths[0], extension)  # refused before any text is read
        return cls(lengths, filled.protocol_for(model.trained_length), extensions)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the extensions."""
        return tuple(extension.name for extension in self.extensions)


def evaluate_model(
    model: str,
    texts: Sequence[Path],
    settings: PerplexitySettings,
    *,
    arguments: Sequence[str],
    progress: Progress,
    save: Save | None = None,
) -> tuple[xr.Dataset, Provenance]:
    """Losses of a model at every length, under every extension, on the same targets.

    Args:
        model: "smollm2" (fetched), a folder or file of `tapa train`, a Hugging Face folder of safetensors, or a
            .gguf file.
        texts: UTF-8 files; with none, a model of `tapa train` reads its corpus's test split, any
            other the pinned texts.
        settings: see there.
        arguments: the command line, for the record.
        progress: called with (what, done, total).
        save: called with the record as it stands after each reading.

    Returns:
        The dataset of `evaluation_dataset` and its provenance.

    Raises:
        InputError: whatever cannot be used of the model, the texts or the settings.
    """
    for path in texts:
        read_text(path)  # a mistyped name must not cost a download and a model's loading
    loaded = open_model(model, precision=settings.precision, progress=progress)
    plan = Plan.of(settings, loaded)
    documents, sizes = loaded.evaluation_texts(texts, progress)
    if settings.from_start:
        chosen = opening_spans(documents, settings.target, settings.spans, seed=settings.seed)
    else:
        chosen = spans(documents, plan.lengths[-1], settings.target, settings.spans, seed=settings.seed)
    run = _Run(loaded, settings, plan, chosen, arguments)
    targets = [Target(d.name, d.tokens, sizes[d.name], s, s + settings.target) for d, s in run.places]
    by_document = [(name, list(found)) for name, found in groupby(targets, key=lambda t: t.document)]
    jobs = [
        (extension, length, name, found)
        for name, found in by_document
        for length in plan.lengths
        for extension in plan.extensions
    ]
    for done, (extension, length, name, found) in enumerate(jobs):
        progress("windows", done, len(jobs))
        read, rows = loaded.reader(length, extension)
        losses = losses_by_document(
            read, found, length, plan.protocol, edges=run.edges, rows=rows, first_token=loaded.first_token
        )
        run.cells[extension.name, length, name] = losses[name]
        if save is not None:
            save(*run.record())
    progress("windows", len(jobs), len(jobs))
    return run.record()


class _Run:
    """What has been read, and the record it makes at any time."""

    def __init__(
        self, model: Model, settings: PerplexitySettings, plan: Plan, chosen: Spans, arguments: Sequence[str]
    ) -> None:
        self.model, self.settings, self.plan = model, settings, plan
        self.chosen, self.arguments = chosen, arguments
        self.places = list(zip(chosen.documents, chosen.starts, strict=True))
        self.edges = position_edges(plan.lengths[-1])
        self.cells: dict[Cell, Losses] = {}
        self.begun = time.perf_counter()

    def record(self) -> tuple[xr.Dataset, Provenance]:
        """Of the documents that are read at every length; of the first one, as far as it goes, if none is."""
        begun = list(dict.fromkeys(document for _, _, document in self.cells))
        whole = len(self.plan.lengths) * len(self.plan.extensions)
        read = [name for name in begun if sum(name == document for _, _, document in self.cells) == whole]
        documents = read or begun[:1]
        cells = {cell: found for cell, found in self.cells.items() if cell[2] in documents}
        seed = self.settings.seed
        data = evaluation_dataset(cells, self.plan.names, self.plan.lengths, documents, self.edges, seed=seed)
        planned = whole * len({document.name for document in self.chosen.documents})
        attributes = {
            "model": self.model.name,
            "protocol": self.plan.protocol.name,
            "stride": self.plan.protocol.stride or 0,
            "factor": self.plan.extensions[0].factor,
            "trained_length": self.plan.extensions[0].trained_length,
            "complete": int(len(self.cells) == planned),
            "peak_memory_mb": peak_memory_mb(),
        }
        return data.assign(self._targets(documents)).assign_attrs(attributes), self._provenance(documents)

    def _targets(self, documents: Sequence[str]) -> dict[str, xr.Variable]:
        """Where the scored tokens lie."""
        places = [(document.name, start) for document, start in self.places if document.name in documents]
        names, starts = zip(*places, strict=True)
        return {
            "target_document": xr.Variable("target", list(names)),
            "target_start": xr.Variable("target", np.array(starts)),
            "target_stop": xr.Variable("target", np.array(starts) + self.settings.target),
        }

    def _provenance(self, documents: Sequence[str]) -> Provenance:
        found = {"documents": documents, "resamples": RESAMPLES}
        return Provenance.collect(
            self.arguments,
            asdict(self.settings) | asdict(self.plan) | found | self.model.recorded,
            seeds={"spans and bootstrap": self.settings.seed},
            device="cpu",
            precision=f"{self.model.precision} forward, float32 losses, float64 sums",
            threads=torch.get_num_threads(),
            seconds=time.perf_counter() - self.begun,
            model_sha256=self.model.sha256,
            text_sha256=self.chosen.sha256,
        )
