"""The record of a run of the experiments: curves, readings and where they came from, a few tens of kilobytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from analysis import records
from analysis.lm import asking, reading, state
from analysis.lm import job as training
from analysis.lm.experiments import READ_FINE
from analysis.lm.model import Llama
from analysis.lm.optimise import Diverged
from analysis.lm.places import Job
from analysis.lm.recipe import Recipe
from analysis.lm.text import Corpus, Spans, spans
from analysis.lm.train import Log

TRAINED = records.Schema("trained-run", 1, made_by="tapa sweep")
SPANS_SEED = 0
EVERY = 10  # steps of a point of the training curve


def read(path: Path) -> dict[str, Any]:
    """Content of a run's record; `InputError` if it is damaged or of another kind."""
    return records.read_summary(path, expect_schema=TRAINED)


def write(
    job: Job,
    recipe: Recipe,
    data: Corpus,
    log: Log,
    last: Path,
    milestones: dict[int, Path],
    seconds: float,
) -> None:
    """Read the trained model at every length and write the record of its run."""
    run, scale = job.run, job.scale
    lengths = run.lengths(scale)
    chosen = held_out(data, job)
    model = state.load_model(last)
    readings = [
        reading.read(model, chosen, length, extension=extension)
        for extension in run.variant.read_as
        for length in lengths
        if extension == "none" or length > recipe.length
    ]
    passed = [
        {"step": step, "readings": _coarse(file, chosen, (recipe.length, lengths[-1]))}
        for step, file in milestones.items()
    ]
    content = _head(job, recipe, log) | {
        "diverged": None,
        "validation_loss": log.validation_loss[-1],
        "readings": readings,
        "retrieval": _retrieval(model, data, job, recipe, lengths),
        "milestones": passed,
        "documents": reading.document_names(chosen),
        "document_tokens": _tokens(chosen),
        "place": {str(length): reading.place_edges(length).tolist() for length in lengths},
        "seconds": {"training": sum(log.seconds), "whole": seconds},
    }
    sha256 = hashlib.sha256((last / state.MODEL).read_bytes()).hexdigest()
    _put(content, job, recipe, data, log, sha256)


def write_diverged(job: Job, recipe: Recipe, data: Corpus, error: Diverged, path: Path) -> None:
    """The record of a run that diverged: that it did, when, and its curves up to its last checkpoint."""
    newest = state.latest(job.places.folder(job.run))
    log = Log.from_tensors(state.read_tensors(newest / state.STATE)) if newest else Log()
    content = _head(job, recipe, log) | {
        "diverged": {"after_steps": error.step, "in": error.what},
        "validation_loss": None,
    }
    _put(content, job, recipe, data, log, None)


def held_out(data: Corpus, job: Job) -> Spans:
    """The test spans on which every model of the experiments is read."""
    scale = job.scale
    longest = READ_FINE * scale.length - scale.target
    return spans(data.test, longest, scale.target, scale.spans, seed=SPANS_SEED)


def _head(job: Job, recipe: Recipe, log: Log) -> dict[str, Any]:
    run = job.run
    tokens = recipe.batch * recipe.length
    return {
        "run": run.name,
        "variant": run.variant.name,
        "seed": run.seed,
        "lr": run.lr,
        "parent": run.parent.name if run.parent else None,
        "configuration": run.configuration(job.scale),
        "parameters": training.parameters(recipe),
        "tokens_per_second": log.tokens_per_second(tokens, last=len(log.seconds)) if log.seconds else None,
        "training": {
            "step": [float(s) for s in range(EVERY, len(log.loss) + 1, EVERY)],
            "loss": _means(log.loss),
            "largest_gradient_norm": _largest(log.norm),
            "validation_step": log.validation_step,
            "validation_loss": log.validation_loss,
        },
    }


def _retrieval(
    model: Llama, data: Corpus, job: Job, recipe: Recipe, lengths: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Of runs that learn a task, and of the first ones without: they show whether it must be learned."""
    asks = recipe.vocabulary is None and (recipe.task is not None or job.run.variant.stage == 0)
    return asking.ask(model, data.test, recipe, lengths) if asks else []


def _coarse(file: Path, chosen: Spans, lengths: tuple[int, ...]) -> list[dict[str, Any]]:
    model = state.load_model(file)
    found = [reading.read(model, chosen, length) for length in lengths]
    return [{name: item[name] for name in ("length", "nats", "bits_per_byte")} for item in found]


def _tokens(chosen: Spans) -> list[int]:
    """Scored tokens of each document."""
    names = [document.name for document in chosen.documents]
    return [names.count(name) * chosen.target for name in reading.document_names(chosen)]


def _means(values: list[float]) -> list[float]:
    whole = len(values) // EVERY * EVERY
    return np.reshape(values[:whole], (-1, EVERY)).mean(axis=1).tolist()


def _largest(values: list[float]) -> list[float]:
    whole = len(values) // EVERY * EVERY
    return np.reshape(values[:whole], (-1, EVERY)).max(axis=1).tolist()


def _put(
    content: dict[str, Any], job: Job, recipe: Recipe, data: Corpus, log: Log, sha256: str | None
) -> None:
    origin = training.provenance(recipe, data, log, job.arguments, sha256)
    records.write_summary(content, job.places.record(job.run), origin, schema=TRAINED, digits=7)
