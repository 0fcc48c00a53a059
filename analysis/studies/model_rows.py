"""Records that have a row a trained model: which models, and each measured once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.models.checkpoint import ModelFile, read_checkpoint
from analysis.progress import Progress
from analysis.records import row_key
from analysis.workers import Workers, run

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelTask:
    """One model to measure, for whatever process does.

    Attributes:
        name: of its row.
        model: run, checkpoint or model file.
        settings: a dataclass.
        key: `row_key` of the settings and the weights.
    """

    name: str
    model: Path
    settings: Any
    key: str


def model_tasks(
    models: Sequence[Path], settings: Any, named: Callable[[Path, ModelFile], str], parts: str
) -> list[ModelTask]:
    """A task a model.

    Args:
        models: runs, checkpoints or model files of `tapa train` or `tapa sweep`.
        settings: of the record, a dataclass.
        named: the name of a model's row; may raise `InputError`.
        parts: what a name is made of, in words.

    Raises:
        InputError: no model, two models of one name, or as `read_checkpoint` and `named`.
    """
    found: dict[str, ModelTask] = {}
    for path in models:
        checkpoint = read_checkpoint(path)
        name = named(path, checkpoint)
        if name in found:
            raise InputError(f"{found[name].model} and {path} are both {name}; give each {parts} once")
        found[name] = ModelTask(name, path, settings, row_key(settings, checkpoint.file))
    if not found:
        raise InputError("no model was given; name at least one of `tapa train`")
    return list(found.values())


def measured_rows(
    tasks: Sequence[ModelTask],
    rows: Rows,
    measure: Callable[[ModelTask], tuple[str, dict[str, Any]]],
    *,
    workers: Workers,
    progress: Progress,
) -> Iterator[None]:
    """Measures what has no row of its key, and yields after each row that it puts into `rows`."""
    todo = [task for task in tasks if rows.get(task.name, {}).get("key") != task.key]
    progress("models", len(tasks) - len(todo), len(tasks))
    with closing(run(measure, todo, workers)) as results:
        for done, (name, found) in enumerate(results, len(tasks) - len(todo) + 1):
            rows[name] = found
            progress("models", done, len(tasks))
            yield
