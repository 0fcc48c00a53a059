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

WIDEST = 29  # letters of a step's name: with it a line without a note is 79 wide
errors = Console(stderr=True, highlight=False)


class Show(Protocol):
    """Told of the progress of `what`: `done` of `total`, and a note on how it goes."""

    def __call__(self, what: str, done: int, total: int, note: str = "", /) -> None: ...


@contextmanager
def progress_bar() -> Iterator[Show]:
    """A callback that draws one bar per `what`, with the time gone, the time left and the note.

    A total of 0 means that nobody knows it: the bar swings until another step begins, then it is full. Nothing is
    drawn before the first call: input that is refused at once leaves its one line alone.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[note]}"),
    )
    bars = Progress(*columns, console=errors)
    known: dict[str, TaskID] = {}
    open_ended: set[str] = set()

    def finish(names: set[str]) -> None:
        for name in names:
            bars.update(known[name], completed=1, total=1)
        open_ended.difference_update(names)

    def show(what: str, done: int, total: int, note: str = "", /) -> None:
        bars.start()
        finish(open_ended - {what})
        if what not in known:  # what is done already was not done in the time that has gone
            name = what if len(what) <= WIDEST else what[: WIDEST - 1] + "…"
            known[what] = bars.add_task(name, total=total or None, completed=done, note=note)
        if total:
            bars.update(known[what], completed=done, total=total, note=note)
        else:
            open_ended.add(what)
            bars.update(known[what], note=note)

    try:
        yield show
        finish(set(open_ended))
    finally:
        if bars.live.is_started:
            bars.stop()
