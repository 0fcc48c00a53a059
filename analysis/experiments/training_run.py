"""One training run, from a recipe to its record: what `tapa train` performs, and every run of `tapa sweep`.

A run's folder holds its checkpoints and, of `tapa train`, its record `run.json`; a run that diverges leaves a record
too: that it did is a result.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from analysis.errors import InputError
from analysis.experiments import run_record
from analysis.experiments.plan import RATES, outdated, rate_name
from analysis.experiments.run_record import RECORD, Content, Evaluate, RunSpec
from analysis.inputs import check_output_name
from analysis.models.checkpoint import Milestones, check_run_folder, in_own_tokens, read_checkpoint
from analysis.models.config import ModelConfig
from analysis.progress import NotedProgress, remark, silent
from analysis.records import check_replaceable
from analysis.text.corpus import Corpus, corpus
from analysis.training.recipe import Recipe, load_recipe, untuned, variant_of
from analysis.training.train import Diverged, as_it_can_run, train


class Late(Exception):
    """The deadline has passed in the middle of a run; its last checkpoint is kept."""


def perform(
    run: RunSpec,
    folder: Path,
    data: Corpus,
    record: Path | None,
    *,
    arguments: Sequence[str],
    deadline: float | None = None,
    progress: NotedProgress = silent,
    evaluate: Evaluate | None = None,
) -> tuple[Path, Content]:
    """Train a run, from wherever it stopped, evaluate its models and write its record.

    Args:
        run: what is trained.
        folder: of this run alone.
        data: the corpus that its recipe names.
        record: file of the record; None for a run that is wanted for its weights alone.
        arguments: the command line, for the record.
        deadline: seconds since the epoch after which the training stops; None for no limit.
        progress: called with (what, done, total, note).
        evaluate: as `run_record.write_run`.

    Returns:
        The last checkpoint's folder, and the content of the record; in processes of a group that do not lead, or
        without a record, an empty one.

    Raises:
        Diverged: after its record is written.
        Late: the deadline passed first.
        InputError: as `train.train`.
    """
    torch.compiler.reset()  # else the eighth model of a process is no longer compiled
    leads = os.environ.get("RANK", "0") == "0"
    begun = time.perf_counter()
    keep = _Until(folder, run.evaluation.checkpoints, run.recipe, deadline, progress)
    keep.collect()
    try:
        last, log = train(run.recipe, folder, data, progress=keep)
    except Diverged as error:
        if leads and record is not None:
            run_record.write_diverged(run, data, error, folder, record, arguments=arguments)
        raise
    if not leads or record is None:
        return last, {}
    progress("evaluate", 0, 0, "")
    content = run_record.write_run(
        run, data, log, last, keep.files(), record,
        arguments=arguments, seconds=time.perf_counter() - begun, evaluate=evaluate,
    )  # fmt: skip
    return last, content


class _Until(Milestones):
    """Copies of the weights along a training that stops at its deadline.

    The steps are `count` equal parts of the training, each moved to the nearest checkpoint; the last is the end itself.
    """

    def __init__(
        self, folder: Path, count: int, recipe: Recipe, deadline: float | None, progress: NotedProgress
    ) -> None:
        saved = [round(recipe.steps * i / (count * recipe.save_every)) for i in range(1, count)]
        every = {i * recipe.save_every for i in saved}
        super().__init__(folder, [step for step in every if 0 < step < recipe.steps])
        self.deadline, self.progress = deadline, progress

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        super().__call__(what, done, total, note)
        self.progress(what, done, total, note)
        if self.deadline is not None and time.time() > self.deadline and done < total:
            raise Late


# What `tapa train` does.


def train_recipe(
    name: str, settings: Sequence[str], out: Path | None, *, arguments: Sequence[str], progress: NotedProgress
) -> dict[str, Any] | None:
    """Train by a recipe's name and settings, and write the record of the run; a finished run is left as it is.

    Args:
        name, settings: as `load_recipe`.
        out: folder of the run; None for runs/RECIPE-VARIANT-SEED.
        arguments: the command line, for the record.
        progress: called with (what, done, total, note).

    Returns:
        `summary` of the run, and where its "checkpoint" and "record" lie; None in processes of a group that do not
        lead.

    Raises:
        InputError: as `load_recipe`, `text.corpus` and `train.train`.
    """
    recipe = as_it_can_run(load_recipe(name, settings))
    if (method := untuned(name, settings)) and os.environ.get("RANK", "0") == "0":
        grid = ", ".join(map(rate_name, sorted(RATES)))
        remark(
            f"no learning rate is tuned for {method}: {rate_name(recipe.lr)} is the recipe's own; "
            f"compare methods at their best of several, such as {grid}"
        )
    start = None if recipe.parent is None else read_checkpoint(Path(recipe.parent)).config
    if out is None:
        variant = variant_of(recipe, start).partition("[")[0].rpartition(":")[2]  # of a user's class its name
        out = Path("runs") / f"{Path(name).stem}-{variant}-{recipe.seed}"
    check_output_name(out.absolute())  # which the record holds as the run's name
    check_run_folder(out)  # before its corpus is made
    data = _corpus(recipe, lambda what, done, total: progress(what, done, total, ""))
    return run_recipe(recipe, start, out, data, arguments=arguments, progress=progress)


def run_recipe(
    recipe: Recipe,
    start: ModelConfig | None,
    out: Path,
    data: Corpus,
    *,
    arguments: Sequence[str],
    progress: NotedProgress = silent,
) -> dict[str, Any] | None:
    """Train a recipe and write the record; see `train_recipe`.

    Args:
        recipe: of the run.
        start: configuration of the model that it goes on from; None from scratch.
        out: folder of the run.
        data: the corpus that the recipe names.
        arguments: the command line, for the record.
        progress: called with (what, done, total, note).

    Raises:
        InputError: as `train_recipe`; the folder holds a `run.json` that is no record of a run.
    """
    evaluation = run_record.evaluation_of(recipe, start, data.test)
    parent = None if recipe.parent is None else Path(recipe.parent).name
    run = RunSpec(out.absolute().name, variant_of(recipe, start), recipe, evaluation, parent)
    check_replaceable(out / RECORD, run_record.TRAINED)  # before hours of training, not after
    known = _known(out / RECORD, run)
    last, content = perform(
        run, out, data, None if known else out / RECORD, arguments=arguments, progress=progress
    )
    content = known or content
    if not content:
        return None
    return summary(content) | {"checkpoint": str(last), "record": str(out / RECORD)}


def _known(record: Path, run: RunSpec) -> Content | None:
    """The record of a run that is finished already; None if there is none of this configuration."""
    if not record.exists():
        return None
    try:
        content = run_record.read_run(record)
    except InputError:  # of an older kind: it is made again
        return None
    return None if content["diverged"] or outdated(run.configuration, content["configuration"]) else content


def summary(content: Content) -> dict[str, Any]:
    """A run that ended well in a few numbers, out of its record.

    Returns:
        Among others the loss on the validation split in nats and in bits per token, and "bits_per_byte" on held-out
        spans by context length.
    """
    recipe, loss = content["configuration"]["recipe"], content["validation_loss"]
    plain = (item for item in content["evaluations"] if item["extension"] == "none")
    return {
        "run": content["run"],
        "variant": content["variant"],
        "method": recipe["method"]["name"],
        "seed": content["seed"],
        "lr": content["lr"],
        "steps": recipe["steps"],
        "tokens": recipe["batch"] * recipe["length"] * recipe["steps"],
        "parameters": content["parameters"],
        "validation_loss": loss,
        "validation_bits_per_token": loss / math.log(2),
        "bits_per_byte": {str(item["length"]): item["bits_per_byte"] for item in plain},
        "tokens_per_second": content["tokens_per_second"],
    }


def training_text(result: dict[str, Any]) -> str:
    """The result of `train_recipe` for a reader."""
    lines = [
        f"{result['variant']}, seed {result['seed']}, lr {result['lr']:g}: "
        f"validation {result['validation_loss']:.4f} nats, "
        f"{result['validation_bits_per_token']:.4f} bits per token after {result['steps']} steps "
        f"({result['tokens_per_second']:,.0f} tokens/s)",
        "bits per byte of held-out text by context length: "
        + (
            ", ".join(f"{bits:.3f} at {length}" for length, bits in result["bits_per_byte"].items())
            or "no test document is as long as the trained length"
        ),
        f"model: {result['checkpoint']}; record: {result['record']}",
    ]
    return "\n".join(lines)


def _corpus(recipe: Recipe, progress: Callable[[str, int, int], None]) -> Corpus:
    """In byte pairs of its own, or of the model that the run goes on from: its weights know no others."""
    if recipe.parent is None:
        return corpus(recipe.corpus, seed=recipe.corpus_seed, vocabulary=recipe.vocabulary, progress=progress)
    parent = read_checkpoint(Path(recipe.parent))
    return in_own_tokens(parent, corpus(recipe.corpus, seed=recipe.corpus_seed, progress=progress))
