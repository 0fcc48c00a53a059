"""What `tapa sweep` does: shows the plan, hands it to SLURM, or runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.lm.experiments import cpu, plan, variants
from analysis.lm.export import export
from analysis.lm.places import Places
from analysis.lm.sweep import finished, grids, sweep
from analysis.lm.train import Progress
from analysis.workers import Workers


def listed(experiments: Sequence[str], records: Path, runs: Path) -> list[dict[str, Any]]:
    """Every run that can be named by now, and how it stands: a diverged run is done, too.

    Raises:
        InputError: an experiment that is unknown, or a record that is damaged.
    """
    wanted, scale, places = variants(experiments), cpu(), Places(records, runs)
    rows = []
    for run in plan(wanted, scale, grids(wanted, scale, places)):
        content = finished(run, scale, places)
        is_open = "begun" if places.folder(run).exists() else "to do"
        stands = is_open if content is None else "diverged" if content["diverged"] else "done"
        loss = None if content is None else content["validation_loss"]
        rows.append({"run": run.name, "stands": stands, "validation_loss": loss})
    return rows


def perform(
    experiments: Sequence[str],
    records: Path,
    runs: Path,
    *,
    workers: Workers,
    minutes: float | None,
    arguments: Sequence[str],
    progress: Progress,
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
    if tasks < 1:
        raise InputError(f"--slurm {tasks} is below 1; give the number of tasks")
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
    script = "#!/bin/sh\nexec " + subprocess.list2cmdline(command) + "\n"
    done = subprocess.run([sbatch, *options], input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"sbatch refuses: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The result of `listed` for a reader."""
    lines = [
        f"{row['run']:32s}{row['stands']:10s}"
        + ("" if row["validation_loss"] is None else f"{row['validation_loss']:.4f} nats")
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), f"{len(rows)} runs can be named by now"])


def as_text(ended: dict[str, int]) -> str:
    """The result of `perform` for a reader."""
    runs = {what: count for what, count in ended.items() if what != "kept"}
    said = ", ".join(f"{count} {what}" for what, count in runs.items() if count or what in ("done", "left"))
    return f"runs: {said}; models kept in half precision: {ended['kept']}"
