"""Every trained model of a folder: bias beyond the trained length against loss, as one record: what `tapa bias` runs.

The record is rewritten after each model. What is in it is not measured again, as long as weights, the run's own record
and settings are the same.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.heads.bias_run import REACH, Settings, row
from analysis.heads.bias_summary import summarise
from analysis.lm import gather, run_record, state
from analysis.lm.own_corpus import own_corpus
from analysis.provenance import Provenance
from analysis.records import Schema, read_summary, write_summary
from analysis.workers import HERE, Workers
from analysis.workers import run as work

BIAS = Schema("bias-runs", 1, made_by="tapa bias RUNS")
DIGITS = 5

Progress = Callable[[str, int, int], None]
Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One model to measure, for whatever process does."""

    weights: Path
    record: Path
    settings: Settings
    key: str


def measure_runs(
    runs: Path,
    records: Path,
    out: Path,
    settings: Settings,
    *,
    variants: Sequence[str] = (),
    workers: Workers = HERE,
    force: bool = False,
    arguments: Sequence[str],
    progress: Progress,
) -> Numbers:
    """Measure all runs that have weights and a record, and write the record of all.

    Args:
        runs: folder of the runs, as `tapa sweep` leaves it: RUN/model.safetensors.
        records: folder of their records: RUN.json.
        out: record to write, JSON; rows in it that are up to date are kept.
        settings: see there.
        variants: the only ones to measure; all if empty.
        workers: who measures.
        force: measure again what is up to date, too.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The content of the record: settings, rows by run, left_out (run and why), summary of `bias_summary.summarise`.

    Raises:
        InputError: no such folder, no run with weights and a record, a variant that no run is of; a file that is
            damaged.
    """
    tasks, left_out = _tasks(runs, records, settings, variants)
    known = {} if force else _known(out)
    rows = {task.weights.parent.name: known[task.key] for task in tasks if task.key in known}
    todo = [task for task in tasks if task.key not in known]
    read = gather.read_folder(records)  # the rate is chosen among all runs, measured here or not
    chosen = {name: one.rate for name, one in read.items() if one.rate is not None}
    begun = time.perf_counter()
    progress("models", len(rows), len(tasks))
    content = _content(settings, rows, left_out, chosen)
    for name, found in work(measured, todo, workers):
        rows[name] = found
        progress("models", len(rows), len(tasks))
        content = _content(settings, rows, left_out, chosen)
        _write(content, out, settings, arguments, time.perf_counter() - begun)
    if not todo:  # left out or summarised otherwise than before
        _write(content, out, settings, arguments, time.perf_counter() - begun)
    return content


def measured(task: Task) -> tuple[str, Numbers]:
    """Name and row of one run."""
    content = run_record.read(task.record)
    checkpoint = state.read_checkpoint(task.weights)
    data = own_corpus(checkpoint, lambda what, done, total: None)
    bits = {r["length"]: r["bits_per_byte"] for r in content["readings"] if r["extension"] == "none"}
    trained = checkpoint.config.context
    reach = min(REACH, max(bits) // trained)
    if reach < 2:
        raise InputError(f"{task.record} has no reading beyond the trained length of {trained} tokens")
    about = {name: content[name] for name in ("variant", "seed", "lr", "parent", "validation_loss")}
    found = row(state.load_model(task.weights), data, task.settings, reach=reach)
    losses = {str(length): value for length, value in bits.items()}
    rise = bits[reach * trained] - bits[trained]
    extra = {"method": checkpoint.config.method.name, "key": task.key, "bits_per_byte": losses, "rise": rise}
    return task.weights.parent.name, about | extra | found


def _tasks(
    runs: Path, records: Path, settings: Settings, variants: Sequence[str]
) -> tuple[list[Task], dict[str, str]]:
    """What can be measured, by name, and of every other run why not."""
    if not runs.is_dir():
        raise InputError(f"{runs}: no such folder; give the folder of the runs of `tapa sweep`")
    found: list[Task] = []
    left_out: dict[str, str] = {}
    seen: set[str] = set()
    folders = {path.name for path in runs.iterdir() if path.is_dir()}
    for name in sorted(folders | {path.stem for path in records.glob("*-lr*.json")}):
        weights, record = runs / name / state.MODEL, records / f"{name}.json"
        if not record.is_file():
            left_out[name] = "no record yet"
            continue
        content = run_record.read(record)
        seen.add(content["variant"])
        if content["diverged"] is not None:
            left_out[name] = "diverged"
        elif not weights.is_file():
            left_out[name] = "no weights here"
        elif not variants or content["variant"] in variants:
            found.append(Task(weights, record, settings, _key(weights, record, settings)))
    if unknown := [name for name in variants if name not in seen]:
        raise InputError(
            f"no run of variant {unknown[0]!r} in {records}; known: {', '.join(sorted(seen)) or 'none'}"
        )
    if not found:
        raise InputError(
            f"no run in {runs} has weights and a record in {records}; make some with `tapa sweep`, or give --records"
        )
    return found, left_out


def _key(weights: Path, record: Path, settings: Settings) -> str:
    """Of all that decides a row."""
    digest = hashlib.sha256(repr(sorted(asdict(settings).items())).encode())
    for path in (weights, record):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _known(out: Path) -> dict[str, Numbers]:
    if not out.exists():
        return {}
    return {found["key"]: found for found in read_summary(out, expect_schema=BIAS)["rows"].values()}


def _content(
    settings: Settings, rows: dict[str, Numbers], left_out: dict[str, str], chosen: dict[str, float]
) -> Numbers:
    ordered = {name: rows[name] for name in sorted(rows)}
    return {
        "settings": asdict(settings),
        "rows": ordered,
        "left_out": left_out,
        "summary": summarise(ordered, chosen, seed=settings.seed),
    }


def _write(content: Numbers, out: Path, settings: Settings, arguments: Sequence[str], seconds: float) -> None:
    provenance = Provenance.collect(
        arguments,
        asdict(settings) | {"runs": list(content["rows"])},
        seeds={"windows, spans, shuffled distances and bootstraps": settings.seed},
        device="cpu",
        precision="float32 forward and losses; float64 sums and closed forms",
        threads=1,
        seconds=seconds,
    )
    write_summary(content, out, provenance, schema=BIAS, digits=DIGITS)
