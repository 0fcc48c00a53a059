"""Progress on stderr for whatever takes time: one bar per step, with the time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

errors = Console(stderr=True, highlight=False)


class Show(Protocol):
    """Told of the progress of `what`: `done` of `total`, and a note on how it goes."""

    def __call__(self, what: str, done: int, total: int, note: str = "", /) -> None: ...


@contextmanager
def progress_bar() -> Iterator[Show]:
    """A callback that draws one bar per `what`, with the time gone, the time left and the note.

    Nothing is drawn before the first call: input that is refused at once leaves its one line alone.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[note]}"),
    )
    bars = Progress(*columns, console=errors)
    known: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int, note: str = "", /) -> None:
        bars.start()
        if what not in known:  # what is done already was not done in the time that has gone
            known[what] = bars.add_task(what, total=total, completed=done, note=note)
        bars.update(known[what], completed=done, total=total, note=note)

    try:
        yield show
    finally:
        if bars.live.is_started:
            bars.stop()
