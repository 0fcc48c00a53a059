"""Running the long-range experiment: its ladder in order, resumable, within the hours given, past the gate alone.

A run's state is its files alone, as in `sweep`: any number of sweeps divide the work. Hours are of one core, from a
step and from evaluations that are timed here (`Timing`), in CPU time, so that a busy machine does not change the plan.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis import workers as workers_
from analysis.assets import cache_folder
from analysis.errors import InputError
from analysis.experiments import run_record
from analysis.experiments.long_plan import Ladder, LongRun
from analysis.experiments.long_use import Gate, evaluate_long
from analysis.experiments.plan import Places, outdated
from analysis.experiments.run_record import Content, RunSpec
from analysis.experiments.sweep import (
    Outcome,
    alone,
    check_compiler,
    deadline_after,
    how_it_stands,
    in_rounds,
    tidy,
)
from analysis.experiments.training_run import perform
from analysis.files import write_whole
from analysis.models.config import MethodConfig, ModelConfig
from analysis.models.llama import Llama
from analysis.models.token_losses import SCORES, llama_reader, rows_at_once
from analysis.progress import NotedProgress, silent
from analysis.text.corpus import Corpus, corpus
from analysis.training import train
from analysis.training.recipe import Recipe
from analysis.training.train import Diverged
from analysis.workers import HERE, Workers

STEPS = 3
"""Optimiser steps that are timed, after one that compiles: they differ by a tenth, and some take seconds."""


@dataclass(frozen=True, slots=True)
class LongJob:
    """One run, for whoever performs it.

    Attributes:
        run, ladder, places: what, how and where.
        parent: the run that a "fine" one goes on from.
        arguments: the command line, for the record.
        deadline: seconds since the epoch after which nothing is begun and training stops; None for no limit.
    """

    run: LongRun
    ladder: Ladder
    places: Places
    parent: LongRun | None
    arguments: tuple[str, ...]
    deadline: float | None = None


# What is there, and what can be done now.


def finished_long(
    run: LongRun, ladder: Ladder, places: Places, parent: LongRun | None = None
) -> Content | None:
    """The record's content of a run that is finished; None if it is not, or was of another configuration."""
    if not (path := places.record(run)).exists():
        return None
    content = run_record.read_run(path)
    wanted = ladder.configuration(run, parent.name if parent else content["parent"])
    return None if outdated(wanted, content["configuration"]) else content


def parent_of(run: LongRun, ladder: Ladder, places: Places) -> LongRun | None:
    """The run that a "fine" one goes on from: of `Ladder.parents` that of the least validation loss.

    Returns:
        None while one of these runs is missing, or if all diverged.
    """
    found = [(one, finished_long(one, ladder, places)) for one in ladder.parents(run)]
    if not found or any(content is None for _, content in found):
        return None
    losses = {
        one: content["validation_loss"] for one, content in found if content and content["diverged"] is None
    }
    return min(losses, key=lambda one: (losses[one], one.lr)) if losses else None


def gate_of(name: str, ladder: Ladder, places: Places) -> Gate | None:
    """What the reference of a corpus says; None while there is none.

    Raises:
        InputError: the reference diverged.
    """
    run = ladder.reference(name)
    content = finished_long(run, ladder, places)
    if content is None:
        return None
    if content["diverged"] is not None:
        raise InputError(f"{run.name}: the reference of corpus {name} diverged; give it a smaller rate")
    return Gate.of(content)


def jobs(
    names: Sequence[str], ladder: Ladder, places: Places, arguments: Sequence[str], deadline: float | None
) -> list[LongJob]:
    """What can be done now of the first of the named tiers that has anything left to do.

    A run on a corpus waits for its reference; a "fine" run for those that its parent is chosen from.

    Raises:
        InputError: a corpus does not pass the gate, so its runs would measure nothing; or it has no reference yet, and
            none is among the named tiers.
    """
    tiers = ladder.of(names)
    gates = {
        name: gate_of(name, ladder, places)
        for name in dict.fromkeys(run.corpus for run in ladder.runs(names))
    }
    for name, gate in gates.items():
        if gate is None and (reference := ladder.reference(name)) not in ladder.runs(names):
            first = next(tier.name for tier in ladder.tiers if reference in tier.runs)
            raise InputError(
                f"corpus {name} has no reference yet; sweep tier {first} first, or with the others"
            )
    for tier in tiers:
        found = []
        for run in tier.runs:
            if run.kind != "reference":
                if (gate := gates[run.corpus]) is None:
                    continue
                gate.worth.require(run.corpus)
            parent = parent_of(run, ladder, places) if run.kind == "fine" else None
            if run.kind == "fine" and (parent is None or not places.weights(parent).exists()):
                continue
            if finished_long(run, ladder, places, parent) is None:
                found.append(LongJob(run, ladder, places, parent, tuple(arguments), deadline))
        if found:
            return found
    return []


def perform_long(job: LongJob) -> Outcome:
    """Train, evaluate and record one run, from wherever it stopped; in whatever process."""
    folder = job.places.folder(job.run)
    return alone(folder, job.deadline, partial(_perform_alone, job, folder))


def _perform_alone(job: LongJob, folder: Path) -> Outcome:
    run, ladder, places = job.run, job.ladder, job.places
    if finished_long(run, ladder, places, job.parent) is not None:
        return "done"  # by somebody else, since this job was listed
    start = None if job.parent is None else str(places.weights(job.parent))
    recipe = ladder.recipe_of(run, start)
    gate = None if run.kind == "reference" else gate_of(run.corpus, ladder, places)
    parent = job.parent.name if job.parent else None
    spec = RunSpec(run.name, run.variant, recipe, ladder.evaluation(run), parent)
    evaluate = partial(evaluate_long, ladder=ladder, run=run, gate=gate)
    try:
        last, _ = perform(
            spec, folder, _corpus(recipe), places.record(run),
            arguments=job.arguments, deadline=job.deadline, evaluate=evaluate,
        )  # fmt: skip
    except Diverged:
        return "diverged"
    tidy(folder, last)
    return "done"


def _corpus(recipe: Recipe) -> Corpus:
    return _corpora(recipe.corpus, recipe.corpus_seed, recipe.vocabulary)


@cache
def _corpora(name: str, seed: int, vocabulary: int | None) -> Corpus:
    return corpus(name, seed=seed, vocabulary=vocabulary)


def sweep_long(
    names: Sequence[str],
    ladder: Ladder,
    places: Places,
    *,
    workers: Workers = HERE,
    minutes: float | None = None,
    arguments: Sequence[str],
    progress: NotedProgress = silent,
) -> dict[str, int]:
    """Run what is not finished of the named tiers, in order, until nothing is left, time is up or others do the rest.

    Args:
        names: of tiers; all if none is named.
        ladder: of the experiment.
        places: where everything is kept.
        workers: who runs; one run occupies one process and one thread.
        minutes: after which nothing is begun and what is under way stops at its last checkpoint.
        arguments: the command line, for the records.
        progress: told of runs done, of those of the tiers.

    Returns:
        How many runs ended in which way, and how many are left, "left".

    Raises:
        InputError: there is no compiler, or a corpus does not pass the gate.
    """
    deadline = deadline_after(minutes)
    check_compiler(ladder.recipe)
    places = places.absolute()

    def todo(others: set[str]) -> list[LongJob]:
        return [job for job in jobs(names, ladder, places, arguments, deadline) if job.run.name not in others]

    def left() -> tuple[int, int]:
        rows = standing(names, ladder, places)
        return sum(row["stands"] not in ("done", "diverged") for row in rows), len(rows)

    return in_rounds(todo, perform_long, left, workers=workers, progress=progress)


# How long it takes: a step and the evaluations, timed.


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU seconds on one core.

    Attributes:
        step: of an optimiser step.
        windows: of one window that is read, by its length in tokens.
    """

    step: float
    windows: Mapping[int, float]

    def hours(self, run: LongRun, ladder: Ladder) -> float:
        """Of a run: its steps, its validation and its evaluation."""
        recipe = ladder.recipe_of(run)
        steps = recipe.steps + recipe.validation_batches * (recipe.steps // recipe.validate_every + 1)
        read = windows_read(run, ladder)
        return (steps * self.step + sum(count * self.windows[n] for n, count in read.items())) / 3600


def windows_read(run: LongRun, ladder: Ladder) -> dict[int, int]:
    """Windows that the evaluation of a run reads, by length: spans under every extension, needles, copying."""
    evaluation = ladder.evaluation(run)
    needles = ladder.needles if run.needles else 0
    counts = {n: evaluation.spans * len(evaluation.extensions) + needles for n in evaluation.lengths}
    counts[ladder.length] = evaluation.spans * (1 + max(evaluation.checkpoints, 1)) + needles
    return counts


def timed_recipe(run: LongRun, ladder: Ladder) -> Recipe:
    """A run's recipe less all that its time does not depend on: runs whose recipes are then alike are timed once.

    That is what is drawn, how long it is trained and on what, and numbers that weights start with or are multiplied by.

    >>> from analysis.experiments.long_plan import ladder
    >>> plain, *others = (
    ...     timed_recipe(LongRun(name, 3, 1e-3, share=0.5), ladder()) for name in ("tapa", "tapa_radians", "fox")
    ... )
    >>> [other == plain for other in others]
    [True, False]
    """
    recipe, usual = ladder.recipe_of(run), MethodConfig()
    method = recipe.model.method
    same = ("base", "turns", "phase_init_std", "extension", "factor", "trained_length")
    plain = replace(method, **{name: getattr(usual, name) for name in same})
    if plain.phase_lr_scale:  # at 0 the phase takes no gradient, which is less work
        plain = replace(plain, phase_lr_scale=usual.phase_lr_scale)
    first = ladder.recipe
    return replace(
        recipe, model=replace(recipe.model, method=plain), parent=None, corpus=first.corpus, seed=0, lr=1e-3,
        steps=1000, warmup=10, validate_every=first.validate_every, validation_batches=first.validation_batches,
        save_every=first.save_every,
    )  # fmt: skip


def measured_timing(run: LongRun, ladder: Ladder) -> Timing:
    """A step of a run's recipe and a batch of windows at each length, timed here; both are kept in the cache.

    Weights and tokens are random: neither changes what is computed. The entries are found by all that decides the time
    on one machine: sizes, method, batch, version of torch and processor. Of the reading that is no batch and no trained
    length, so that runs which differ in these alone have one entry of it.
    """
    recipe = timed_recipe(run, ladder)
    step, windows = _entries(run, ladder)
    with workers_.threads(recipe.threads):
        seconds = _kept(step, lambda: _step_seconds(recipe))
        found = _kept(windows, lambda: _window_seconds(_read_model(recipe, ladder), ladder.lengths))
    return Timing(seconds, {int(length): each for length, each in found.items()})


def _read_model(recipe: Recipe, ladder: Ladder) -> ModelConfig:
    return replace(recipe.model, context=ladder.length)


def _entries(run: LongRun, ladder: Ladder) -> tuple[Path, Path]:
    """Where the cache has a step's time, and that of the windows."""
    recipe = timed_recipe(run, ladder)
    keys = (
        ["step", STEPS, recipe.to_dict()],
        ["windows", _read_model(recipe, ladder).to_dict(), ladder.lengths, recipe.threads],
    )
    folder = cache_folder() / "timings"
    where = [torch.__version__, _processor()]
    wholes = (json.dumps([2, *key, *where], sort_keys=True).encode() for key in keys)
    step, windows = (folder / f"{hashlib.sha256(whole).hexdigest()[:32]}.json" for whole in wholes)
    return step, windows


def _kept(path: Path, measure: Callable[[], Any]) -> Any:
    """What the cache has at `path`; measured and kept there if it has nothing."""
    if not path.is_file():
        write_whole(path, json.dumps(measure()))
    return json.loads(path.read_text(encoding="utf-8"))


def _processor() -> str:
    """The model of this machine's processor; its architecture where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _step_seconds(recipe: Recipe) -> float:
    model = Llama(recipe.model, seed=0)
    model.attend = train.attention_for(recipe)
    optimiser = train.optimiser_of(model, recipe)
    torch.compiler.reset()
    loss = torch.compile(model.loss, dynamic=False) if recipe.compile else model.loss
    tokens = _random_tokens(recipe.model, recipe.batch, recipe.length + 1)
    seconds = []
    for _ in range(1 + STEPS):
        begun = time.process_time()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            value = loss(tokens)
        value.backward()
        train.update(model, optimiser, recipe.lr)
        seconds.append(time.process_time() - begun)
    return sorted(seconds[1:])[STEPS // 2]


def _window_seconds(config: ModelConfig, lengths: Sequence[int]) -> dict[int, float]:
    model = Llama(config, seed=0).eval()
    found = {}
    for length in lengths:
        rows = rows_at_once(model, length, SCORES)
        read, _ = llama_reader(model, length)
        tokens = _random_tokens(config, rows, length)
        read(tokens)  # what is prepared once is not counted
        begun = time.process_time()
        read(tokens)
        found[length] = (time.process_time() - begun) / rows
    return found


def _random_tokens(config: ModelConfig, rows: int, length: int) -> Tensor:
    drawn = torch.Generator().manual_seed(0)
    return torch.randint(config.vocab_size, (rows, length), generator=drawn)


def standing(names: Sequence[str], ladder: Ladder, places: Places) -> list[dict[str, Any]]:
    """Every run of the named tiers and how it stands: "done", "diverged", "begun" or "to do"."""
    rows = []
    seen: set[LongRun] = set()
    for tier in ladder.of(names):
        for run in (run for run in tier.runs if run not in seen):
            seen.add(run)
            stands = how_it_stands(finished_long(run, ladder, places), places.folder(run))
            rows.append({"tier": tier.name, "run": run.name, "stands": stands, "plan": run})
    return rows


def planned_hours(
    names: Sequence[str],
    ladder: Ladder,
    places: Places,
    *,
    progress: NotedProgress = silent,
    say: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """A row for each of the named tiers: its question, its runs, those left, and the core-hours that these take.

    Only runs that are left are timed, each kind of them once (`timed_recipe`), and said before.
    """
    rows = standing(names, ladder, places)
    left = [row["plan"] for row in rows if row["stands"] not in ("done", "diverged")]
    hours = _hours_each(left, ladder, progress, say)
    found = []
    for tier in ladder.of(names):
        mine = [row["plan"] for row in rows if row["tier"] == tier.name]
        todo = [run for run in mine if run in hours]
        found.append(
            {
                "tier": tier.name,
                "question": tier.question,
                "runs": len(mine),
                "left": len(todo),
                "hours": sum((hours[run] for run in todo), 0.0),
            }
        )
    return found


def _hours_each(
    runs: Sequence[LongRun], ladder: Ladder, progress: NotedProgress, say: Callable[[str], None]
) -> dict[LongRun, float]:
    """Core-hours of each run; what the cache has no time of is timed, and a line says so before."""
    entry_of = {run: _entries(run, ladder) for run in runs}
    first = {entry: run for run, entry in reversed(entry_of.items())}
    todo = [each for each in dict.fromkeys(entry_of.values()) if not all(path.is_file() for path in each)]
    if len(todo) > 1:
        say(
            f"{len(todo)} kinds of run are timed on this machine, each once: minutes, of which compiling is the most; "
            f"--tier names fewer"
        )
    for done, entry in enumerate(todo):
        name = first[entry].name
        say(f"time {STEPS} steps and the reading of {name} ({done + 1} of {len(todo)})")
        progress("time kinds of run", done, len(todo), name)
        measured_timing(first[entry], ladder)
    return {run: measured_timing(first[entry], ladder).hours(run, ladder) for run, entry in entry_of.items()}


def require_hours(rows: Iterable[Mapping[str, Any]], given: float | None) -> None:
    """`InputError` with the numbers if the tiers take longer than the hours given."""
    if given is None:
        return
    if not 0 < given < math.inf:
        raise InputError(f"--hours {given} is not above 0; give core-hours, or leave it out")
    rows = list(rows)
    total = sum(row["hours"] for row in rows)
    if total > given:
        each = ", ".join(f"{row['tier']} {row['hours']:.1f}" for row in rows if row["left"])
        raise InputError(
            f"the plan takes {total:.1f} core-hours, {given:g} are given ({each}); name fewer tiers with --tier, or "
            f"give --hours {math.ceil(total)}"
        )


def hours_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The result of `planned_hours` for a reader."""
    lines = [f"{'tier':8s}{'runs':>6s}{'left':>6s}{'core-hours':>12s}  question"]
    lines += [
        f"{row['tier']:8s}{row['runs']:6d}{row['left']:6d}{row['hours']:12.2f}  {row['question']}"
        for row in rows
    ]
    return "\n".join([*lines, f"{sum(row['hours'] for row in rows):.1f} core-hours are left"])
