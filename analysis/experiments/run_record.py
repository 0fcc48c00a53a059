"""The record of a run of the experiments: curves, readings and where they came from, a few tens of kilobytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analysis import records
from analysis.errors import InputError
from analysis.evaluation import loss_by_length, retrieval
from analysis.experiments.plan import READ_FINE, SEEDS, VARIANTS, Job, rate_name
from analysis.experiments.tables import NO_RUN
from analysis.models import checkpoint
from analysis.models.llama import Llama
from analysis.settings import nearest
from analysis.text.corpus import Corpus
from analysis.text.windows import Spans, spans
from analysis.training import train
from analysis.training.recipe import Recipe
from analysis.training.train import Diverged, Log

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
    model = checkpoint.load_model(last)
    readings = [
        loss_by_length.read(model, chosen, length, extension=extension)
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
        "documents": loss_by_length.document_names(chosen),
        "document_tokens": _tokens(chosen),
        "place": {str(length): loss_by_length.place_edges(length).tolist() for length in lengths},
        "seconds": {"training": sum(log.seconds), "whole": seconds},
    }
    sha256 = hashlib.sha256((last / checkpoint.MODEL).read_bytes()).hexdigest()
    _put(content, job, recipe, data, log, sha256)


def write_diverged(job: Job, recipe: Recipe, data: Corpus, error: Diverged, path: Path) -> None:
    """The record of a run that diverged: that it did, when, and its curves up to its last checkpoint."""
    newest = checkpoint.latest(job.places.folder(job.run))
    log = Log.from_tensors(checkpoint.read_tensors(newest / checkpoint.STATE)) if newest else Log()
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
        "parameters": train.parameters(recipe),
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
    return retrieval.ask(model, data.test, recipe, lengths) if asks else []


def _coarse(file: Path, chosen: Spans, lengths: tuple[int, ...]) -> list[dict[str, Any]]:
    model = checkpoint.load_model(file)
    found = [loss_by_length.read(model, chosen, length) for length in lengths]
    return [{name: item[name] for name in ("length", "nats", "bits_per_byte")} for item in found]


def _tokens(chosen: Spans) -> list[int]:
    """Scored tokens of each document."""
    names = [document.name for document in chosen.documents]
    return [names.count(name) * chosen.target for name in loss_by_length.document_names(chosen)]


def _means(values: list[float]) -> list[float]:
    whole = len(values) // EVERY * EVERY
    return np.reshape(values[:whole], (-1, EVERY)).mean(axis=1).tolist()


def _largest(values: list[float]) -> list[float]:
    whole = len(values) // EVERY * EVERY
    return np.reshape(values[:whole], (-1, EVERY)).max(axis=1).tolist()


def _put(
    content: dict[str, Any], job: Job, recipe: Recipe, data: Corpus, log: Log, sha256: str | None
) -> None:
    origin = train.provenance(recipe, data, log, job.arguments, sha256)
    records.write_summary(content, job.places.record(job.run), origin, schema=TRAINED, digits=7)


# Records of the experiments' runs, put in order: at which learning rate each variant is read, and what is
# missing.


Content = Mapping[str, Any]  # of a run's record
NAMES = "*-s*-lr*.json"  # of records of runs; other records may lie beside them
SHARED = ("documents", "document_tokens")  # alike in all records, so that losses can be paired


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variant's runs.

    Attributes:
        variant: its name.
        rate: the learning rate at which its results are read: of the least validation loss among the first
            seed's; None if it diverged at every rate.
        tried: the first seed's records, by rate in ascending order.
        seeds: records at the chosen rate that did not diverge, by seed.
        diverged: seeds that diverged at the chosen rate.
        unused: names of runs that are none of these, from a rate or a parent that is no longer the chosen one.
    """

    variant: str
    rate: float | None
    tried: tuple[Content, ...]
    seeds: Mapping[int, Content] = field(default_factory=dict)
    diverged: tuple[int, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def at_edge(self) -> bool:
        """Is the chosen rate the smallest or the largest that was tried?"""
        return self.rate in (self.tried[0]["lr"], self.tried[-1]["lr"])

    @property
    def first(self) -> Content:
        """Any record that was read, for what all have in common."""
        return next(iter(self.seeds.values()))


def read_folder(folder: Path) -> dict[str, Chosen]:
    """Every variant of which a folder holds runs; as `choose`.

    Raises:
        InputError: a record is damaged, or there is none.
    """
    paths = sorted(folder.glob(NAMES))
    if not paths:
        raise InputError(f"{folder} holds no record of a run; make some with `tapa sweep`")
    return choose(read(path) for path in paths)


def choose(contents: Iterable[Content]) -> dict[str, Chosen]:
    """Records by variant, in the order of `experiments.VARIANTS`.

    A run that goes on from another counts only where that one is the run that is read.

    Args:
        contents: of records, as `run_record.read` gives them.

    Raises:
        InputError: a variant that is unknown, or two records that were not read on the same documents.
    """
    by_variant: dict[str, list[Content]] = {}
    for content in contents:
        name = content["variant"]
        if name not in VARIANTS:
            raise InputError(f"{content['run']}: variant {name!r} is unknown; {nearest(name, VARIANTS)}")
        by_variant.setdefault(name, []).append(content)
    chosen: dict[str, Chosen] = {}
    for name in VARIANTS:  # parents stand before what goes on from them
        if name in by_variant and (found := _of_variant(name, by_variant[name], chosen)) is not None:
            chosen[name] = found
    _check_alike(chosen)
    return chosen


def _of_variant(name: str, contents: list[Content], known: Mapping[str, Chosen]) -> Chosen | None:
    """One variant; None if the first seed's runs are missing."""
    valid = [content for content in contents if _parent_is_read(content, known)]
    tried = sorted((c for c in valid if c["seed"] == SEEDS[0]), key=lambda c: c["lr"])
    if not tried:
        return None
    losses = {c["lr"]: c["validation_loss"] for c in tried if c["diverged"] is None}
    rate = min(losses, key=lambda lr: losses[lr]) if losses else None
    mine = sorted((c for c in valid if c["lr"] == rate), key=lambda c: c["seed"])
    used = {c["run"] for c in [*tried, *mine]}
    return Chosen(
        name,
        rate,
        tuple(tried),
        {c["seed"]: c for c in mine if c["diverged"] is None},
        tuple(c["seed"] for c in mine if c["diverged"] is not None),
        tuple(sorted(c["run"] for c in contents if c["run"] not in used)),
    )


def _parent_is_read(content: Content, known: Mapping[str, Chosen]) -> bool:
    parent = VARIANTS[content["variant"]].parent
    if parent is None:
        return True
    rate = known[parent].rate if parent in known else None
    return rate is not None and content["parent"] == f"{parent}-s{content['seed']}-lr{rate_name(rate)}"


def _check_alike(chosen: Mapping[str, Chosen]) -> None:
    records = [content for one in chosen.values() for content in one.seeds.values()]
    for content in records:
        for name in SHARED:
            if content[name] != records[0][name]:
                raise InputError(
                    f"{content['run']} and {records[0]['run']} were read on different {name.replace('_', ' ')}, "
                    f"so they cannot be compared; make one again with `tapa sweep`"
                )
        if content["configuration"]["lengths"][0] != records[0]["configuration"]["lengths"][0]:
            raise InputError(
                f"{content['run']} and {records[0]['run']} are from experiments of different trained lengths; "
                f"keep them in different folders"
            )


def missing(chosen: Mapping[str, Chosen]) -> list[str]:
    """What a reader of the results must know is not there, a line each."""
    found = []
    for name in VARIANTS:
        if name not in chosen:
            found.append(f"{name}: {NO_RUN}")
            continue
        found += [f"{name}: {line}" for line in _lacks(chosen[name])]
    return found


def _lacks(one: Chosen) -> list[str]:
    if one.rate is None:
        return ["diverged at every learning rate that was tried"]
    lines = []
    if one.at_edge:
        lines.append(f"its best learning rate so far, {rate_name(one.rate)}, is at the edge of those tried")
    if left := [seed for seed in SEEDS if seed not in (*one.seeds, *one.diverged)]:
        lines.append(f"seeds {', '.join(map(str, left))} not run yet at its learning rate")
    if one.diverged:
        lines.append(f"seeds {', '.join(map(str, one.diverged))} diverged at its learning rate")
    return lines
