"""From a model's name and texts to the record of its perplexity by context length: what `tapa evaluate` runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

import torch
import xarray as xr

from analysis.bench import peak_memory_mb
from analysis.errors import InputError
from analysis.lm.bootstrap import RESAMPLES
from analysis.lm.evaluate import Losses, Target, position_edges, score
from analysis.lm.evaluation import EVALUATION, Cell, assemble
from analysis.lm.extensions import Extension
from analysis.lm.protocols import Protocol, scaled_stride
from analysis.lm.subject import Subject, opened, text_of
from analysis.lm.windows import Spans, spans
from analysis.records import Provenance
from analysis.texts import read_text

__all__ = ["EVALUATION", "Settings", "evaluate_model"]

Progress = Callable[[str, int, int], None]
Save = Callable[[xr.Dataset, Provenance], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the numbers of an evaluation beside the model and the texts.

    Attributes:
        lengths: tokens of a window, ascending; None for a model's trained length and 2, 4 and 8 times it if it is
            ours, for its context and a half, a quarter and an eighth of it if it is another's.
        protocol: a name of `protocols.NAMES`.
        stride: of the protocol; None for the paper's, scaled to the trained length.
        extensions: names of `extensions.NAMES`, each read on the same targets.
        factor: of the extensions; None for the longest length over the trained length.
        trained_length: that extensions go by; None for the model's own.
        target: scored tokens of a span.
        spans: of targets, over as many documents as possible.
        seed: of the spans' places and of the bootstrap.
        precision: of another's model, "float32" or "bfloat16"; ours is read in float32.
    """

    lengths: tuple[int, ...] | None = None
    protocol: str = "sliding"
    stride: int | None = None
    extensions: tuple[str, ...] = ("none",)
    factor: float | None = None
    trained_length: int | None = None
    target: int = 1024
    spans: int = 8
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.lengths is not None and list(self.lengths) != sorted({*self.lengths}):
            raise InputError(
                f"lengths={list(self.lengths)} do not ascend; give each length once, shortest first"
            )
        if not self.extensions or len({*self.extensions}) != len(self.extensions):
            raise InputError(f"extensions={list(self.extensions)}: give one or more, each once")
        for name in self.extensions:
            Extension(name, 1.0 if self.factor is None else self.factor, self.trained_length or 1)
        for name, value, least in (
            ("target", self.target, 1),
            ("spans", self.spans, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise InputError(f"{name}={value} is below {least}; give {least} or more")
        if self.precision not in ("float32", "bfloat16"):
            raise InputError(f"precision={self.precision!r} is unknown; known: float32, bfloat16")
        for length in self.lengths or ():
            self.protocol_at(max(self.lengths or ())).check(length)

    def protocol_at(self, trained_length: int) -> Protocol:
        """The protocol, its stride filled in for a model of this trained length."""
        if self.stride is not None or self.protocol == "non-overlapping":
            return Protocol(self.protocol, self.stride)
        return Protocol(self.protocol, min(scaled_stride(trained_length), (self.lengths or (2**62,))[0] - 1))

    def resolved(self, subject: Subject) -> Settings:
        """Everything that was left open, filled in for a model."""
        trained = self.trained_length or subject.trained_length
        lengths = self.lengths or subject.default_lengths
        return replace(
            self,
            lengths=lengths,
            stride=replace(self, lengths=lengths).protocol_at(subject.trained_length).stride,
            factor=max(1.0, lengths[-1] / trained) if self.factor is None else self.factor,
            trained_length=trained,
        )


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them; `InputError` naming the option if they are none."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{name} {text} is not a list of whole numbers such as 1024,2048") from None


def evaluate_model(
    model: str,
    texts: Sequence[Path],
    settings: Settings,
    *,
    arguments: Sequence[str],
    progress: Progress,
    save: Save | None = None,
) -> tuple[xr.Dataset, Provenance]:
    """Losses of a model at every length, under every extension, on the same targets.

    Args:
        model: "smollm2" (fetched), a folder or file of `tapa train`, a Hugging Face folder of safetensors, or a
            .gguf file.
        texts: UTF-8 files; with none, "smollm2" reads the pinned texts, a model of ours its corpus's test split.
        settings: see there.
        arguments: the command line, for the record.
        progress: called with (what, done, total).
        save: called with the record as it stands after each reading.

    Returns:
        The dataset of `evaluation.assemble` and its provenance.

    Raises:
        InputError: whatever cannot be used of the model, the texts or the settings.
    """
    for path in texts:
        read_text(path)  # a mistyped name must not cost a download and a model's loading
    subject = opened(model, precision=settings.precision, progress=progress)
    settings = settings.resolved(subject)
    extended = [Extension(name, settings.factor, settings.trained_length) for name in settings.extensions]
    for extension in extended:
        subject.reader(settings.lengths[0], extension)  # refused before any text is read
    documents, sizes = text_of(subject, texts, progress)
    chosen = spans(documents, settings.lengths[-1], settings.target, settings.spans, seed=settings.seed)
    run = _Run(subject, settings, chosen, arguments)
    targets = [Target(d.name, d.tokens, sizes[d.name], s, s + settings.target) for d, s in run.places]
    by_document = [(name, list(found)) for name, found in groupby(targets, key=lambda t: t.document)]
    jobs = [
        (extension, length, name, found)
        for name, found in by_document
        for length in settings.lengths
        for extension in extended
    ]
    for done, (extension, length, name, found) in enumerate(jobs):
        progress("windows", done, len(jobs))
        read, rows = subject.reader(length, extension)
        run.cells[extension.name, length, name] = score(
            read, found, length, run.protocol, edges=run.edges, rows=rows, first_token=subject.first_token
        )
        if save is not None:
            save(*run.record())
    progress("windows", len(jobs), len(jobs))
    return run.record()


class _Run:
    """What has been read, and the record it makes at any time."""

    def __init__(self, subject: Subject, settings: Settings, chosen: Spans, arguments: Sequence[str]) -> None:
        self.subject, self.settings, self.chosen, self.arguments = subject, settings, chosen, arguments
        self.places = list(zip(chosen.documents, chosen.starts, strict=True))
        self.protocol = Protocol(settings.protocol, settings.stride)
        self.edges = position_edges(settings.lengths[-1])
        self.cells: dict[Cell, Losses] = {}
        self.begun = time.perf_counter()

    def record(self) -> tuple[xr.Dataset, Provenance]:
        """Of the documents that are read at every length; of the first one, as far as it goes, if none is."""
        settings = self.settings
        begun = list(dict.fromkeys(document for _, _, document in self.cells))
        whole = len(settings.lengths or ()) * len(settings.extensions)
        read = [name for name in begun if sum(name == document for _, _, document in self.cells) == whole]
        documents = read or begun[:1]
        cells = {cell: found for cell, found in self.cells.items() if cell[2] in documents}
        data = assemble(
            cells, settings.extensions, settings.lengths, documents, self.edges, seed=settings.seed
        )
        provenance = Provenance.collect(
            self.arguments,
            asdict(settings) | {"model": self.subject.name, "documents": documents, "resamples": RESAMPLES},
            seeds={"spans and bootstrap": settings.seed},
            device="cpu",
            precision=f"{self.subject.precision} forward, float32 losses, float64 sums",
            threads=torch.get_num_threads(),
            seconds=time.perf_counter() - self.begun,
            model_sha256=self.subject.sha256,
            text_sha256=self.chosen.sha256,
        )
        planned = whole * len({document.name for document in self.chosen.documents})
        attributes = {
            "model": self.subject.name,
            "complete": int(len(self.cells) == planned),
            "protocol": settings.protocol,
            "stride": settings.stride or 0,
            "factor": settings.factor,
            "trained_length": settings.trained_length,
            "peak_memory_mb": peak_memory_mb(),
        }
        return data.assign_attrs(attributes), provenance
