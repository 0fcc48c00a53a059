"""Signals and worker processes: an orderly end on SIGTERM, and workers that end with the process they work for.

Ctrl-C, SIGTERM and the loss of the terminal unwind the main thread like any exception, so that whatever was being
written is removed. A worker ignores Ctrl-C, which a terminal sends to it too: the process it works for ends it. If
that process is killed outright, the kernel (on Linux) or a watching thread (elsewhere) ends the worker.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

from analysis.errors import InputError

GRACE = 2.0
"""Seconds that a worker has to clean up after SIGTERM, before it is killed."""
AGAIN = 0.05
"""Seconds until a signal comes again whose exception was raised where Python ignores it."""
PAUSE = 1.0
"""Seconds between two looks at whether the parent is alive, where the kernel does not tell."""
ASKED_TO_END = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl

Result = TypeVar("Result")


class Terminated(SystemExit):
    """The process was asked to end by SIGTERM or SIGHUP; its exit code is 128 more than the signal, as in a shell."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


def _raise(number: int) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """SIGTERM and SIGHUP raise `Terminated` in the block; a signal that is ignored stays so.

    What a signal raises in a destructor Python prints, and goes on: here the signal comes again an instant later.
    From the signal on, what destructors of half-made objects raise is not printed. In another thread than the main
    one nothing changes: handlers belong to that one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def heed(number: int, frame: FrameType | None) -> NoReturn:
        came.append(number)
        _raise(number)

    def report(unraisable: sys.UnraisableHookArgs) -> None:
        if not came:
            hook(unraisable)
        elif issubclass(unraisable.exc_type, KeyboardInterrupt | Terminated):
            threading.Timer(AGAIN, os.kill, (os.getpid(), came[-1])).start()

    hook = sys.unraisablehook
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ASKED_TO_END)}
    heeded = {
        number: handler for number, handler in before.items() if handler is not signal.SIG_IGN
    }  # as under nohup
    for number in heeded:
        signal.signal(number, heed)
    sys.unraisablehook = report
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in heeded.items():
            signal.signal(number, handler)


def heed_no_more() -> None:
    """For the interpreter's end (`atexit`): what is done is done, and a signal that comes late changes nothing.

    Python puts SIGINT back to what kills, with no word, while it takes itself apart, which takes seconds with torch.
    """
    for number in (signal.SIGINT, *ASKED_TO_END):
        signal.signal(number, signal.SIG_IGN)


def end_in_silence() -> None:
    """For a process that a signal ends and that has said so: what destructors raise on the way out is not printed."""
    sys.unraisablehook = lambda unraisable: None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP that come during the block raise after it. For what takes an instant."""
    if threading.current_thread() is not threading.main_thread():  # handlers run in the main thread alone
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, *ASKED_TO_END):
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, lambda number, frame: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


# Which process: enough to tell, on the same machine, whether it still runs.


@functools.cache
def machine() -> str:
    """Of this machine since it was started, and of this container's process numbers: 12 hexadecimal digits."""
    parts = [platform.node()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        lambda: os.readlink("/proc/self/ns/pid"),
    ):
        with contextlib.suppress(OSError):  # there are no such files but on Linux
            parts.append(read())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def started(pid: int) -> str | None:
    """When a process of this machine was started, in the system's own words; None if there is no such process."""
    if Path("/proc/self/stat").exists():
        try:
            fields = (
                Path(f"/proc/{pid}/stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()
            )
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else fields[19]  # a zombie runs no more
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return " ".join(done.stdout.split()) or None


# Workers.


def begin_work(parent: int) -> None:
    """Initializer of a worker: it ends when the process `parent` does, leaves Ctrl-C to it, and heeds its SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate_once)
    end_with_parent(parent)


def _terminate_once(number: int, frame: FrameType | None) -> NoReturn:
    """A pool and its user may both ask: the second signal must not interrupt the cleaning up."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(number)


def end_with_parent(parent: int) -> None:
    """Have this process killed once `parent`, which started it, is gone; at once if it is gone already.

    On Linux the signal comes when the *thread* that started this process ends: a pool must not outlive its thread.
    """
    if not (sys.platform == "linux" and _told_by_kernel()):
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(128 + signal.SIGTERM)


def _told_by_kernel() -> bool:
    return ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) == 0


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PAUSE)
    os._exit(128 + signal.SIGTERM)


def at_work(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a pool is to call in place of `function`: a worker that is asked to end cleans up and ends in silence."""
    try:
        return function(*arguments)
    except Terminated as end:
        os._exit(int(str(end.code)))


@contextlib.contextmanager
def ending_workers(pool: Executor) -> Iterator[None]:
    """Whatever ends the block early, an exception, Ctrl-C or SIGTERM, ends the pool's workers, too.

    Args:
        pool: of processes that `begin_work` has begun for this one; tasks go through `at_work`.

    Raises:
        InputError: a worker was killed from outside.
    """
    try:
        yield
    except BrokenExecutor as error:
        _end(pool)
        raise InputError(
            "a worker process was killed from outside, or the machine has no memory left; what is finished is kept: "
            "start the command again, with fewer workers if memory is short"
        ) from error
    except BaseException:
        _end(pool)
        raise


def _end(pool: Executor) -> None:
    processes = getattr(pool, "_processes", None) or {}  # both `concurrent.futures` and loky call it that
    end_processes(list(processes.values()))


def end_processes(processes: Iterable[BaseProcess]) -> None:
    """SIGTERM to all, and SIGKILL to those that are there after `GRACE` seconds; Ctrl-C is not heeded meanwhile."""
    with uninterrupted():
        for process in (alive := [process for process in processes if process.is_alive()]):
            process.terminate()
        until = time.monotonic() + GRACE
        while alive and (seconds := until - time.monotonic()) > 0:
            connection.wait([process.sentinel for process in alive], timeout=seconds)
            alive = [process for process in alive if process.is_alive()]
        for process in alive:
            assert process.pid is not None  # it was alive
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)  # `process.kill()` raises for loky's
