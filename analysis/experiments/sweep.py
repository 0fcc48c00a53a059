"""Running the experiments: every finished run is a record at once, and what has a record is not run again.

A run's state is its files alone: checkpoints while it trains, then its weights and its record. So a sweep goes on
wherever it was killed, and any number of them, in processes or on machines that share the folders, divide the
work between them: a run's lock says that somebody is at it.
"""

from __future__ import annotations

import contextlib
import math
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from analysis import locks
from analysis import workers as workers_
from analysis.errors import InputError
from analysis.experiments import run_record
from analysis.experiments.plan import (
    EXPERIMENTS,
    Grid,
    Job,
    Named,
    Places,
    Run,
    Scale,
    check_limit,
    cpu,
    outdated,
    plan,
    stage,
    tuning_runs,
    variants,
)
from analysis.experiments.run_record import RunSpec
from analysis.experiments.training_run import Late, perform
from analysis.files import remove_folder, replacing_file
from analysis.models import checkpoint
from analysis.models.checkpoint import write_half
from analysis.progress import NotedProgress, silent
from analysis.text.corpus import corpus
from analysis.training.recipe import Recipe
from analysis.training.train import Diverged, missing_compiler
from analysis.training.variants import VARIANTS, Variant
from analysis.workers import HERE, Workers

Outcome = Literal["done", "diverged", "busy", "late"]


@runtime_checkable
class _Doable(Protocol):
    @property
    def run(self) -> Named: ...


AnyJob = TypeVar("AnyJob", bound=_Doable)


def finished(run: Run, scale: Scale, places: Places) -> dict[str, Any] | None:
    """The record's content of a run that is finished; None if it is not, or was of another configuration."""
    if not places.record(run).exists():
        return None
    content = run_record.read_run(places.record(run))
    return None if outdated(run.configuration(scale), content["configuration"]) else content


def grids(wanted: Sequence[Variant], scale: Scale, places: Places) -> dict[str, Grid]:
    """Learning rates of every variant by name, and the chosen one where the records decide it.

    A variant that goes on from another has a grid as soon as the other's rate is chosen; if the other has none in
    the end, nor has it.
    """
    known: dict[str, Grid] = {}
    for variant in sorted(wanted, key=lambda variant: variant.parent is not None):
        parent = known.get(variant.parent) if variant.parent else None
        if variant.parent and (parent is None or parent.lr is None):
            known[variant.name] = Grid((), complete=parent is not None and parent.complete)
        else:
            known[variant.name] = _grid(variant, scale, places, known)
    return known


def _grid(variant: Variant, scale: Scale, places: Places, known: Mapping[str, Grid]) -> Grid:
    """Grows with the records; a run that it asks for may be there already, so again until nothing is added."""
    losses: dict[float, float] = {}
    while True:
        grid = scale.grid(variant, losses)
        new = [
            run for run in tuning_runs(variant, scale, {**known, variant.name: grid}) if run.lr not in losses
        ]
        found = {run.lr: content for run in new if (content := finished(run, scale, places))}
        if not found:
            return grid
        losses |= {lr: math.inf if c["diverged"] else c["validation_loss"] for lr, c in found.items()}


def pending(wanted: Sequence[Variant], scale: Scale, places: Places) -> list[Run]:
    """Runs that can be done now, most telling first: without a record, or without weights that others go on from.

    A run whose parent has no weights yet comes after the parent.
    """
    return _pending_of(plan(wanted, scale, grids(wanted, scale, places)), scale, places)


def _pending_of(runs: Sequence[Run], scale: Scale, places: Places) -> list[Run]:
    left = {run.name: run for run in runs if finished(run, scale, places) is None}
    for run in list(left.values()):
        if run.parent is not None and not places.weights(run.parent).exists():
            left[run.parent.name] = run.parent
    return [run for run in runs if run.name in left]


def ready(runs: Sequence[Run], scale: Scale, places: Places) -> list[Run]:
    """Of the runs that are left those of the earliest stage, without those that wait for their parent."""
    able = [run for run in runs if run.parent is None or places.weights(run.parent).exists()]
    first = min((stage(run, scale) for run in able), default=0)
    return [run for run in able if stage(run, scale) == first]


def sweep(
    wanted: Sequence[Variant],
    scale: Scale,
    places: Places,
    *,
    workers: Workers = HERE,
    minutes: float | None = None,
    arguments: Sequence[str],
    progress: NotedProgress = silent,
) -> dict[str, int]:
    """Run what is not finished, stage by stage, until nothing is left, time is up or others do the rest.

    Args:
        wanted: as `plan.variants`.
        scale: of the experiments.
        places: where everything is kept.
        workers: who runs; one run occupies one process and one thread.
        minutes: after which nothing is begun and what is under way stops at its last checkpoint.
        arguments: the command line, for the records.
        progress: told of runs done, of those that can be named by now.

    Returns:
        How many runs ended in which way, and how many are left, "left".

    Raises:
        InputError: there is no compiler; whatever a run refuses, e.g. a full disk: the other runs' records are there.
    """
    deadline = deadline_after(minutes)
    check_compiler(scale.scratch)
    places = places.absolute()

    def todo(others: set[str]) -> list[Job]:
        left = [run for run in pending(wanted, scale, places) if run.name not in others]
        return [Job(run, scale, places, tuple(arguments), deadline) for run in ready(left, scale, places)]

    def standing() -> tuple[int, int]:
        runs = plan(wanted, scale, grids(wanted, scale, places))
        return len(_pending_of(runs, scale, places)), len(runs)

    return in_rounds(todo, perform_run, standing, workers=workers, progress=progress)


# What every plan's sweep has.


def deadline_after(minutes: float | None) -> float | None:
    """Seconds since the epoch at which so many minutes are up, None for no limit; `InputError` if not above 0."""
    if minutes is None:
        return None
    check_limit(minutes)
    return time.time() + 60 * minutes


def check_compiler(recipe: Recipe) -> None:
    """`InputError` if runs of a recipe are compiled and nothing here can compile them."""
    if recipe.compile and (name := missing_compiler(recipe.device)):
        raise InputError(
            f"runs of the experiments are compiled, and there is no compiler {name}; install one"
        )


def in_rounds(
    todo: Callable[[set[str]], Sequence[AnyJob]],
    perform: Callable[[AnyJob], Outcome],
    standing: Callable[[], tuple[int, int]],
    *,
    workers: Workers,
    progress: NotedProgress,
) -> dict[str, int]:
    """Do what can be done, see what can be done then, until nothing is left, time is up or others do the rest.

    Args:
        todo: jobs that can be done now, but those of runs of these names, which somebody else is at.
        perform: does one.
        standing: how many runs are left, and of how many.
        workers: who performs.
        progress: told of runs done.

    Returns:
        How many runs ended in which way, and how many are left, "left".
    """
    ended: dict[str, int] = {"done": 0, "diverged": 0, "busy": 0, "late": 0}
    others: set[str] = set()
    while not ended["late"] and (now := todo(others)):
        with contextlib.closing(workers_.run(perform, now, workers)) as outcomes:
            for job, outcome in zip(now, outcomes, strict=True):
                ended[outcome] += 1
                others |= {job.run.name} if outcome == "busy" else set()
                left, total = standing()
                progress("runs", total - left, total, f"{job.run.name}: {outcome}")
    return ended | {"left": standing()[0]}


def how_it_stands(content: Mapping[str, Any] | None, folder: Path) -> str:
    """Of a run, by the content of its record and its folder: "done", "diverged", "begun" or "to do"."""
    if content is None:
        return "begun" if folder.exists() else "to do"
    return "diverged" if content["diverged"] else "done"


def perform_run(job: Job) -> Outcome:
    """Train, read and record one run, from wherever it stopped; in whatever process.

    Raises:
        InputError: as `train.train`, other than a divergence: that is a result.
    """
    folder = job.places.folder(job.run)
    return alone(folder, job.deadline, lambda: _perform(job, folder))


def alone(folder: Path, deadline: float | None, work: Callable[[], Outcome]) -> Outcome:
    """Work on a run unless its time is up or somebody else is at it.

    Args:
        folder: of the run.
        deadline: seconds since the epoch; None for no limit.
        work: trains and records it; raises `Late` when its time is up.
    """
    if deadline is not None and time.time() > deadline:
        return "late"
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locks.exclusive(folder / ".sweep.lock", folder.name))
        except locks.Busy:
            return "busy"
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{folder} cannot be written: {reason}; give another --runs") from error
        try:
            return work()
        except Late:
            return "late"


def _perform(job: Job, folder: Path) -> Outcome:
    run, scale, places = job.run, job.scale, job.places
    known = finished(run, scale, places)
    if known is not None and (known["diverged"] is not None or places.weights(run).exists()):
        return "done"  # by somebody else, since this job was listed
    recipe = run.recipe(scale, None if run.parent is None else str(places.weights(run.parent)))
    data = corpus(recipe.corpus, seed=recipe.corpus_seed)
    parent = run.parent.name if run.parent else None
    spec = RunSpec(run.name, run.variant.name, recipe, run.evaluation(scale), parent)
    record = places.record(run) if known is None else None  # else it is here for its weights alone
    try:
        last, _ = perform(spec, folder, data, record, arguments=job.arguments, deadline=job.deadline)
    except Diverged:
        return "diverged"
    tidy(folder, last)
    return "done"


def tidy(folder: Path, last: Path) -> None:
    """Keep the weights of a finished run, drop what it took to get there."""
    with replacing_file(folder / checkpoint.MODEL, alone=True) as part:
        shutil.copyfile(last / checkpoint.MODEL, part)
    for path in [*folder.glob("step-*"), *folder.glob("milestone-*")]:
        remove_folder(path) if path.is_dir() else path.unlink()


# The weights that are kept with the project: one model of each method, in half precision.


KEPT = tuple(dict.fromkeys((*EXPERIMENTS["table2"], *EXPERIMENTS["table3"])))
"""Variants: about 1.7 megabytes each at the scale of recipe "cpu"."""
CHECKPOINTS = "checkpoints"


def export(grids: Mapping[str, Grid], scale: Scale, places: Places) -> list[Path]:
    """Write the weights of the first seed at the chosen rate, of every variant in `KEPT` that has both.

    Written again they are the same bytes.

    Args:
        grids: as `sweep.grids` gives them.
        scale: of the experiments.
        places: the files lie in the folder "checkpoints" beside the records.

    Raises:
        InputError: weights that are damaged or do not fit into half precision.
    """
    found = []
    for name in KEPT:
        lr = grids[name].lr if name in grids else None
        if lr is not None:
            run = Run(VARIANTS[name], scale.seeds[0], lr)
            if places.weights(run).exists():
                found.append(write_half(places.folder(run), kept(places.records, name)))
    return found


def kept(records: Path, variant: str) -> Path:
    """Where a variant's weights are kept."""
    return records / CHECKPOINTS / f"{variant}.safetensors"


# What `tapa sweep` does: shows the plan, hands it to SLURM, or runs it.


def listed(experiments: Sequence[str], records: Path, runs: Path) -> list[dict[str, Any]]:
    """Every run that can be named by now, and how it stands: a diverged run is done, too.

    Raises:
        InputError: an experiment that is unknown, or a record that is damaged.
    """
    wanted, scale, places = variants(experiments), cpu(), Places(records, runs)
    rows = []
    for run in plan(wanted, scale, grids(wanted, scale, places)):
        content = finished(run, scale, places)
        stands = how_it_stands(content, places.folder(run))
        loss = None if content is None else content["validation_loss"]
        rows.append({"run": run.name, "stands": stands, "validation_loss": loss})
    return rows


def perform_sweep(
    experiments: Sequence[str],
    records: Path,
    runs: Path,
    *,
    workers: Workers,
    minutes: float | None,
    arguments: Sequence[str],
    progress: NotedProgress,
) -> dict[str, int]:
    """As `sweep.sweep`, on the scale of recipe "cpu"; then weights are exported, "kept" is their number."""
    wanted, scale, places = variants(experiments), cpu(), Places(records, runs)
    ended = sweep(
        wanted, scale, places, workers=workers, minutes=minutes, arguments=arguments, progress=progress
    )
    return ended | {"kept": len(export(grids(wanted, scale, places), scale, places))}


def submit(
    experiments: Sequence[str], records: Path, runs: Path, *, tasks: int, minutes: float | None
) -> str:
    """Hand the sweep to SLURM as an array of one-thread tasks that divide the runs between them.

    Each task is this very command on one core; the folders must be shared by the nodes.

    Returns:
        What sbatch says: the number of the job.

    Raises:
        InputError: there is no sbatch here, or it refuses.
    """
    variants(experiments)
    if (sbatch := shutil.which("sbatch")) is None:
        raise InputError("--slurm needs sbatch, which is not here; log in to a node of the cluster")
    limit = [] if minutes is None else ["--limit-minutes", f"{minutes:g}"]
    command = [
        sys.executable, "-m", "analysis.cli", "sweep", *experiments, "--workers", "1",
        "--records", str(records), "--runs", str(runs), *limit,
    ]  # fmt: skip
    said = runs.absolute() / "slurm-%A_%a.out"
    said.parent.mkdir(parents=True, exist_ok=True)
    options = [
        f"--array=1-{tasks}", "--cpus-per-task=1", "--job-name=tapa-sweep", f"--chdir={Path.cwd()}",
        f"--output={said}",
    ]  # fmt: skip
    script = "#!/bin/sh\nexec " + shlex.join(command) + "\n"
    done = subprocess.run([sbatch, *options], input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"sbatch refuses: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def plan_text(rows: Sequence[dict[str, Any]]) -> str:
    """The result of `listed` for a reader."""
    lines = [
        f"{row['run']:32s}{row['stands']:10s}"
        + ("" if row["validation_loss"] is None else f"{row['validation_loss']:.4f} nats")
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), f"{len(rows)} runs can be named by now"])


def outcome_text(ended: dict[str, int]) -> str:
    """The result of `perform` for a reader."""
    runs = {what: count for what, count in ended.items() if what != "kept"}
    said = ", ".join(f"{count} {what}" for what, count in runs.items() if count or what in ("done", "left"))
    return f"runs: {said}; models kept in half precision: {ended['kept']}"
