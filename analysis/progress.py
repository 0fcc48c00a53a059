"""Progress on stderr for whatever takes time: one bar per step, with the time left."""

from __future__ import annotations

import time
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
EVERY = 30.0  # seconds between two lines where there is no terminal
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


def say(line: str) -> None:
    """One line on stderr after the program's name, above the bars."""
    remark(f"tapa: {line}")


def remark(line: str) -> None:
    """One line on stderr, above the bars: what takes longer than it need, or is not what was likely meant."""
    errors.print(line, soft_wrap=True, markup=False)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class _Lines:
    """Where there is no terminal: a line on what is being done, at most every `EVERY` seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.last = clock, clock()
        self.begun: dict[str, tuple[float, int]] = {}  # when a step began, and what of it was done then

    def tell(self, what: str, done: int, total: int, note: str) -> None:
        now = self.clock()
        begun, before = self.begun.setdefault(what, (now, done))
        if now - self.last < EVERY:
            return
        self.last, gone = now, now - begun
        parts = [f"{done} of {total}" if total else "", f"{_clock(gone)} gone"]
        if total and done > before:
            parts.append(f"{_clock(gone * (total - done) / (done - before))} left")
        say(f"{what}: {', '.join(part for part in (*parts, note) if part)}")


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
def progress_bar(clock: Callable[[], float] = time.monotonic) -> Iterator[Show]:
    """A callback that draws one bar per `what`, with the time gone, the time left and the note.

    Where stderr is no terminal, it prints a line every 30 s of `clock`, and the bars at the end; no bars if the block
    fails, so that a refusal stands alone.

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
    lines = None if errors.is_terminal else _Lines(clock)

    def finish(names: set[str]) -> None:
        for name in names:
            bars.update(known[name], completed=1, total=1)
        open_ended.difference_update(names)

    def show(what: str, done: int, total: int, note: str = "", /) -> None:
        if lines is None:
            bars.start()
        else:
            lines.tell(what, done, total, note)
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
        if lines is not None and known:
            errors.print(bars.get_renderable())
    finally:
        if bars.live.is_started:
            bars.stop()
