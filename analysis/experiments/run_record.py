"""The record of a training run, the same from `tapa train` and `tapa sweep`; and which records make a variant's result.

A record holds the curves of the training, losses by context length on held-out spans, answers to retrieval queries
where they were asked for, and where all of it came from: a few tens of kilobytes. On disk some keys keep the names
that they had when the committed records were made (`ON_DISK`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis import records
from analysis.errors import InputError
from analysis.evaluation import loss_by_length, retrieval
from analysis.experiments.plan import (
    EXPERIMENTS,
    LONGEST,
    LONGEST_FINE,
    SEEDS,
    Evaluation,
    configuration,
    lengths_of,
    rate_name,
)
from analysis.experiments.tables import NO_RUN
from analysis.models import checkpoint
from analysis.models.config import ModelConfig
from analysis.models.llama import Llama
from analysis.settings import (
    list_shape,
    nearest,
    number_shape,
    optional_shape,
    table_shape,
    text_shape,
    whole_shape,
)
from analysis.text.corpus import Corpus
from analysis.text.windows import Document, Spans, spans
from analysis.training import train
from analysis.training.recipe import Recipe, variant_of
from analysis.training.train import Diverged, Log
from analysis.training.variants import VARIANTS

TRAINED = records.Schema("trained-run", 1, made_by="tapa sweep` or `tapa train RECIPE")
Content = Mapping[str, Any]
"""Of a run's record, as `read_run` gives it."""
Evaluate = Callable[["RunSpec", Corpus, Path, Mapping[int, Path]], dict[str, Any]]
"""What the models of a run say of held-out text, for its record; as `evaluated`."""
ON_DISK = {
    "evaluations": "readings",
    "loss_by_position": "loss_by_place",
    "position_edges": "place",
    "checkpoints": "milestones",
    "evaluated_as": "read_as",
    "task_repeats": "task_tellings",
}
"""Keys of a record, at any depth, and what they are called in the file."""
SPANS_SEED = 0
EVERY = 10  # steps of a point of the training curve


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A run as its record describes it.

    Attributes:
        name: of the run, e.g. "tapa-s0-lr2e-3".
        variant: as `recipe.variant_of`.
        recipe: that trains it.
        evaluation: of its models.
        parent: name of the run that it goes on from; None from scratch.
    """

    name: str
    variant: str
    recipe: Recipe
    evaluation: Evaluation
    parent: str | None = None

    @property
    def configuration(self) -> dict[str, Any]:
        """All that decides the run's numbers; the start by the name of its run, wherever its weights lie."""
        return configuration(self.name, replace(self.recipe, parent=self.parent), self.evaluation)


def evaluation_of(recipe: Recipe, start: ModelConfig | None, test: Sequence[Document]) -> Evaluation:
    """How a run of any recipe is evaluated: as those of the experiments, as far as its held-out documents reach.

    Args:
        recipe: of the run.
        start: configuration of the model that it goes on from; None from scratch.
        test: held-out documents.

    Returns:
        Lengths from the trained one (of the start, where there is one) to 8 times it, 16 times after fine-tuning, or as
        far as 64 spans fit; none if no document is as long as the trained length.
    """
    trained = recipe.length if start is None else start.context
    target = max(1, min(64, trained // 2))
    name = variant_of(recipe, start)
    extensions = VARIANTS[name].evaluated_as if name in VARIANTS else ("none",)
    most = LONGEST if start is None else LONGEST_FINE
    checkpoints = 5 if start is None else 0
    while most > 1 and _room(test, most * trained, target) < 64:
        most //= 2
    if not (count := min(64, _room(test, most * trained, target))):
        return Evaluation((), extensions, 0, target, 0)
    return Evaluation(lengths_of(trained, most), extensions, count, target, checkpoints)


def held_out(test: Sequence[Document], evaluation: Evaluation) -> Spans:
    """The spans of the test split on which models are evaluated, the same for every method.

    Each has room for 16 times the trained length before it, so that fine-tuned models are scored on the same tokens;
    where the documents are too short for that, for 8, 4, 2 times or once.

    Raises:
        InputError: the documents are too short for the evaluation's longest length.
    """
    trained, target, count = evaluation.lengths[0], evaluation.target, evaluation.spans
    longest = LONGEST_FINE * trained
    while longest > evaluation.lengths[-1] and _room(test, longest, target) < count:
        longest //= 2
    return spans(test, longest - target, target, count, seed=SPANS_SEED)


def _room(documents: Sequence[Document], length: int, target: int) -> int:
    """Spans of `target` tokens that fit, each at the end of a window of `length` tokens."""
    return sum(max(len(document.tokens) - (length - target), 0) // target for document in documents)


_LOSSES = table_shape(
    {"length": whole_shape(1), "nats": list_shape(number_shape(0)), "bits_per_byte": number_shape(0)},
    {"extension": text_shape, "loss_by_position": list_shape(number_shape(0))},
)
_ANSWERS = table_shape(
    {
        "task": text_shape,
        "length": whole_shape(1),
        "distance": whole_shape(1),
        "trials": whole_shape(1),
        "exact": whole_shape(),
        "nats": number_shape(0),
    }
    | dict.fromkeys(("chance", "chance_of_any", "chance_nats"), number_shape(0))
)
_CURVES = ("step", "loss", "largest_gradient_norm", "validation_step", "validation_loss")
_ALL_RUNS = table_shape(
    {
        "run": text_shape,
        "variant": text_shape,
        "seed": whole_shape(),
        "lr": number_shape(0),
        "parent": optional_shape(text_shape),
        "parameters": whole_shape(1),
        "configuration": table_shape(
            {
                "lengths": list_shape(whole_shape(1)),
                "recipe": table_shape(
                    {
                        "steps": whole_shape(1),
                        "model": table_shape({}),
                        "method": table_shape({"name": text_shape}),
                    }
                ),
            }
        ),
        "diverged": optional_shape(table_shape({"after_steps": whole_shape(), "in": text_shape})),
        "validation_loss": optional_shape(number_shape(0)),
    },
    {
        "training": table_shape(dict.fromkeys(_CURVES, list_shape(number_shape(0)))),
        "tokens_per_second": optional_shape(number_shape(0)),
        "seconds": table_shape(dict.fromkeys(("training", "whole"), number_shape(0))),
        "document_bytes": list_shape(whole_shape(1)),
        "retrieval": list_shape(_ANSWERS),
    },
)
_EVALUATED = table_shape(
    {
        "validation_loss": number_shape(0),
        "evaluations": list_shape(_LOSSES),
        "documents": list_shape(text_shape),
        "document_tokens": list_shape(whole_shape(1)),
        "position_edges": table_shape({}),
        "checkpoints": list_shape(table_shape({"step": whole_shape(), "evaluations": list_shape(_LOSSES)})),
    }
)


def read_run(path: Path) -> dict[str, Any]:
    """Content of a run's record; `InputError` if it is damaged, of another kind, or holds what no run can have."""
    content = _renamed(
        records.read_summary(path, expect_schema=TRAINED), {old: new for new, old in ON_DISK.items()}
    )
    try:
        _check_run(content)
    except InputError as error:
        raise InputError(f"record {path}: {error}; make it again with `{TRAINED.made_by}`") from error
    return content


def _check_run(content: dict[str, Any]) -> None:
    """Types and ranges of everything that tables and studies take from a record, and lists of equal length."""
    _ALL_RUNS("run", content)
    if content["diverged"] is not None:
        return
    _EVALUATED("run", content)
    at_steps = [item for point in content["checkpoints"] for item in point["evaluations"]]
    documents = len(content["documents"])
    for name, values in [
        ("document_tokens", content["document_tokens"]),
        *(("nats", item["nats"]) for item in (*content["evaluations"], *at_steps)),
    ]:
        if len(values) != documents:
            raise InputError(f"run has {len(values)} {name} of {documents} documents")
    for item in content["evaluations"]:
        if "extension" not in item:
            raise InputError(f"run has no extension at {item['length']}")
        if "long_range" in content:  # key tokens and words in place of losses by position
            continue
        edges = content["position_edges"].get(str(item["length"]))
        list_shape(whole_shape())("run.position_edges", edges)
        if len(item.get("loss_by_position", ())) != len(edges) - 1:
            raise InputError(f"run has not {len(edges) - 1} losses by position at {item['length']}")
    if content["evaluations"] and not content["configuration"]["lengths"]:
        raise InputError("run.configuration.lengths is empty, though it was evaluated")


def write_run(
    run: RunSpec,
    data: Corpus,
    log: Log,
    last: Path,
    passed: Mapping[int, Path],
    path: Path,
    *,
    arguments: Sequence[str],
    seconds: float,
    evaluate: Evaluate | None = None,
) -> dict[str, Any]:
    """Evaluate a trained model at every length and write the record of its run.

    Args:
        run: as it was trained.
        data: the corpus.
        log: of the training.
        last: the last checkpoint's folder.
        passed: weights along the training, by step.
        path: of the record.
        arguments: the command line.
        seconds: that the run took in all.
        evaluate: of another experiment than the paper's tables; `evaluated` if None.

    Returns:
        The content of the record.
    """
    lengths = run.evaluation.lengths
    content = _head(run, log) | {
        "diverged": None,
        "validation_loss": log.validation_loss[-1],
        "evaluations": [],
        "retrieval": [],
        "checkpoints": [],
        "documents": [],
        "document_tokens": [],
        "position_edges": {str(n): loss_by_length.position_edges(n).tolist() for n in lengths},
        "seconds": {"training": sum(log.seconds), "whole": seconds},
    }
    if lengths:
        content |= (evaluate or evaluated)(run, data, last, passed)
    sha256 = hashlib.sha256((last / checkpoint.MODEL).read_bytes()).hexdigest()
    _put(content, run, data, log, path, arguments, sha256)
    return read_run(path)


def write_diverged(
    run: RunSpec, data: Corpus, error: Diverged, folder: Path, path: Path, *, arguments: Sequence[str]
) -> None:
    """The record of a run that diverged: that it did, when, and its curves up to its last checkpoint."""
    newest = checkpoint.latest(folder)
    log = Log()
    if newest is not None:
        step = checkpoint.read_checkpoint(newest).step
        log = Log.from_tensors(checkpoint.read_tensors(newest / checkpoint.STATE), step)
    content = _head(run, log) | {
        "diverged": {"after_steps": error.step, "in": error.what},
        "validation_loss": None,
    }
    _put(content, run, data, log, path, arguments, None)


def _head(run: RunSpec, log: Log) -> dict[str, Any]:
    recipe = run.recipe
    tokens = recipe.batch * recipe.length
    return {
        "run": run.name,
        "variant": run.variant,
        "seed": recipe.seed,
        "lr": recipe.lr,
        "parent": run.parent,
        "configuration": run.configuration,
        "parameters": train.parameter_count(recipe),
        "tokens_per_second": log.tokens_per_second(tokens, last=len(log.seconds)) if log.seconds else None,
        "training": {
            "step": [float(s) for s in range(EVERY, len(log.loss) + 1, EVERY)],
            "loss": _by_ten(log.loss).mean(axis=1).tolist(),
            "largest_gradient_norm": _by_ten(log.norm).max(axis=1).tolist(),
            "validation_step": log.validation_step,
            "validation_loss": log.validation_loss,
        },
    }


def evaluated(run: RunSpec, data: Corpus, last: Path, passed: Mapping[int, Path]) -> dict[str, Any]:
    """What the models of a run say of held-out text.

    Args:
        run: as it was trained.
        data: the corpus.
        last: the last checkpoint's folder.
        passed: weights along the training, by step.

    Returns:
        "evaluations" at every length and extension, answers to "retrieval" queries, losses at "checkpoints", names of
        the "documents" and their scored tokens, "document_tokens"; of byte pairs also "document_bytes".
    """
    lengths = run.evaluation.lengths
    chosen = held_out(data.test, run.evaluation)
    model = checkpoint.load_model(last).to(run.recipe.device)  # where it was trained
    token_bytes = data.token_bytes
    evaluations = [
        loss_by_length.evaluate_spans(model, chosen, length, extension=extension, token_bytes=token_bytes)
        for extension in run.evaluation.extensions
        for length in lengths
        if extension == "none" or length > run.recipe.length
    ]
    on_the_way = [
        {
            "step": step,
            "evaluations": _coarse(
                file, run.recipe.device, chosen, (run.recipe.length, lengths[-1]), token_bytes
            ),
        }
        for step, file in passed.items()
    ]
    names = [document.name for document in chosen.documents]
    documents = chosen.names
    return {
        "evaluations": [_renamed(item, {old: new for new, old in ON_DISK.items()}) for item in evaluations],
        "retrieval": _answers(model, data, run),
        "checkpoints": on_the_way,
        "documents": documents,
        "document_tokens": [names.count(name) * chosen.target for name in documents],
        **({} if token_bytes is None else {"document_bytes": chosen.document_bytes(token_bytes).tolist()}),
    }


def _answers(model: Llama, data: Corpus, run: RunSpec) -> list[dict[str, Any]]:
    """Of runs that learn a task, and of the first ones without: they show whether it must be learned."""
    recipe, variant = run.recipe, VARIANTS.get(run.variant)
    asks = recipe.task is not None or (variant is not None and variant.stage == 0)
    return (
        retrieval.ask(model, data.test, recipe, run.evaluation.lengths)
        if asks and recipe.vocabulary is None
        else []
    )


def _coarse(
    file: Path, device: str, chosen: Spans, lengths: tuple[int, ...], token_bytes: np.ndarray | None
) -> list[dict[str, Any]]:
    model = checkpoint.load_model(file).to(device)
    found = [
        loss_by_length.evaluate_spans(model, chosen, length, token_bytes=token_bytes) for length in lengths
    ]
    return [{name: item[name] for name in ("length", "nats", "bits_per_byte")} for item in found]


def _by_ten(values: list[float]) -> np.ndarray:
    """Rows of `EVERY` steps; what is left at the end is dropped."""
    return np.reshape(values[: len(values) // EVERY * EVERY], (-1, EVERY))


def _put(
    content: dict[str, Any],
    run: RunSpec,
    data: Corpus,
    log: Log,
    path: Path,
    arguments: Sequence[str],
    sha256: str | None,
) -> None:
    origin = train.provenance(run.recipe, data, log, arguments, sha256)
    records.write_summary(_renamed(content, ON_DISK), path, origin, schema=TRAINED, digits=7)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A copy with other names for some keys, at any depth."""
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list | tuple) else value


# Records of the experiments' runs, put in order: at which learning rate each variant is evaluated, and what is missing.

NAMES = "*-s*-lr*.json"  # of records of a sweep; other records may lie beside them
RECORD = "run.json"  # of the record in the folder of a run of `tapa train`
SHARED = ("documents", "document_tokens")  # alike in all records, so that losses can be paired


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variant's runs.

    Attributes:
        variant: its name.
        rate: the learning rate of its results: of the least validation loss among the first
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
        """Any record with a result, for what all have in common."""
        return next(iter(self.seeds.values()))


def read_runs(folder: Path) -> dict[str, Chosen]:
    """Every variant of which a folder holds runs; as `choose`.

    Raises:
        InputError: a record is damaged, or there is none.
    """
    paths = sorted(folder.glob(NAMES))
    if not paths:
        raise InputError(f"{folder} holds no record of a run; make some with `tapa sweep`")
    return choose(read_run(path) for path in paths)


def files_of(path: Path) -> list[Path]:
    """Records of a user's runs: the file itself, a run's `run.json`, or those of a folder.

    Raises:
        InputError: there is none.
    """
    if path.is_file():
        return [path]
    found = (
        [path / RECORD]
        if (path / RECORD).is_file()
        else sorted((*path.glob(NAMES), *path.glob(f"*/{RECORD}")))
    )
    if not found:
        raise InputError(f"{path} holds no record of a run; make one with `tapa train RECIPE`")
    return found


def with_defaults(found: Mapping[str, Any]) -> dict[str, Any]:
    """A record's configuration with every key of a recipe: one that it lacks, being older, has its default."""
    recipe, default = found["recipe"], Recipe().to_dict()
    tables = {name: default[name] | recipe[name] for name in ("model", "method")}
    return {**found, "recipe": default | recipe | tables}


def choose(contents: Iterable[Content]) -> dict[str, Chosen]:
    """Records by variant, in the order of `VARIANTS`.

    A run that goes on from another counts only where that one is at the chosen rate.

    Args:
        contents: of records, as `run_record.read_run` gives them.

    Raises:
        InputError: a variant that is unknown, or two records that were not evaluated on the same documents.
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
    valid = [content for content in contents if _parent_is_chosen(content, known)]
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


def _parent_is_chosen(content: Content, known: Mapping[str, Chosen]) -> bool:
    parent = VARIANTS[content["variant"]].parent
    if parent is None:
        return True
    rate = known[parent].rate if parent in known else None
    return rate is not None and content["parent"] == f"{parent}-s{content['seed']}-lr{rate_name(rate)}"


def _check_alike(chosen: Mapping[str, Chosen]) -> None:
    records = [content for one in chosen.values() for content in one.seeds.values()]
    corpora = {content["configuration"]["recipe"]["corpus"]: content["run"] for content in records}
    if len(corpora) > 1:
        (one, run), (other, another), *_ = corpora.items()
        raise InputError(
            f"{run} and {another} are of different corpora, {one} and {other}; keep them in different folders"
        )
    for content in records:
        for name in SHARED:
            if content[name] != records[0][name]:
                raise InputError(
                    f"{content['run']} and {records[0]['run']} were evaluated on different {name.replace('_', ' ')}, "
                    f"so they cannot be compared; make one again with `tapa sweep`"
                )
        if content["configuration"]["lengths"][0] != records[0]["configuration"]["lengths"][0]:
            raise InputError(
                f"{content['run']} and {records[0]['run']} are from experiments of different trained lengths; "
                f"keep them in different folders"
            )


def missing(chosen: Mapping[str, Chosen]) -> list[str]:
    """What a reader of the results must know is not there, a line each, of the variants of the experiments."""
    found = []
    members = {name for names in EXPERIMENTS.values() for name in names}
    for name in (name for name in VARIANTS if name in members):
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
