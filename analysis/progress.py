"""Progress on stderr for whatever takes time: one bar per step, with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

NUMBERS = 16 + 4 + 7 + 5 + 7 + 4 + 8  # letters of a line beside its words: bar, share, times, blanks
errors = Console(stderr=True, highlight=False)


Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is (0 if unknown), in bytes or steps."""


NotedProgress = Callable[[str, int, int, str], None]
"""As `Progress`, with a note on how it goes: the loss, the speed."""


def silent(what: str, done: int, total: int, note: str = "") -> None:
    """The `Progress` that shows nothing."""


class Show(Protocol):
    """Told of the progress of `what`: `done` of `total`, and a note on how it goes."""

    def __call__(self, what: str, done: int, total: int, note: str = "", /) -> None: ...


class _Words(ProgressColumn):
    """Names of the steps (`note` False) or their notes: what of them fits into the terminal beside the numbers."""

    def __init__(self, bars: Callable[[], Bars], note: bool) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self.bars, self.note = bars, note

    def render(self, task: Task) -> Text:
        names = max(len(other.description) for other in self.bars().tasks)
        notes = max(len(other.fields["note"]) for other in self.bars().tasks)
        free = errors.width - NUMBERS
        room = min(names, max(free - notes, free // 2))  # of the names
        text, room = (task.fields["note"], free - room) if self.note else (task.description, room)
        return Text(text if len(text) <= room else text[: max(0, room - 1)] + "…")


@contextmanager
def progress_bar() -> Iterator[Show]:
    """A callback that draws one bar per `what`, with the time gone, the time left and the note.

    A total of 0 means that nobody knows it: the bar swings until another step begins, then it is full. Nothing is
    drawn before the first call: input that is refused at once leaves its one line alone.
    """
    bars = Bars(
        _Words(lambda: bars, note=False),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        _Words(lambda: bars, note=True),
        console=errors,
    )
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
            known[what] = bars.add_task(what, total=total or None, completed=done, note=note)
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
