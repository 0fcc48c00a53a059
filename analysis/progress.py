"""Progress on stderr for whatever takes time: one bar per step, with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A callback (what, done, total) that draws one bar per `what`, with the time gone and the time left.

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
    )
    bars = Progress(*columns, console=errors)
    known: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        bars.start()
        if what not in known:
            known[what] = bars.add_task(what, total=total)
        bars.update(known[what], completed=done, total=total)

    try:
        yield show
    finally:
        if bars.live.is_started:
            bars.stop()
