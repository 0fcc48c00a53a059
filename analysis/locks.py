"""Locks: one process at a time. A lock's file names who holds it; what a dead process held is free.

The lock is the kernel's (`flock`), which goes with its holder however that ends. A process that was started by the
holder may have inherited it, though: a lock whose holder is known to be dead is taken over.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from analysis.errors import InputError
from analysis.processes import machine, started

POLL = 0.05
"""Seconds between two tries at a lock that is waited for."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock.

    Attributes:
        pid: of the process.
        host: name of its machine, for a reader.
        machine: as `processes.machine`, by which processes are told apart.
        started: as `processes.started`.
        since: when the lock was taken, UTC, ISO 8601 to the second.
    """

    pid: int
    host: str
    machine: str
    started: str
    since: str

    @classmethod
    def here(cls) -> Holder:
        """This process, now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), platform.node(), machine(), str(started(os.getpid())), now)

    @property
    def is_dead(self) -> bool:
        """Whether it is known to have ended: of a process of another machine nothing is known."""
        return self.machine == machine() and started(self.pid) != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


class Busy(InputError):
    """Another process holds a lock.

    Attributes:
        holder: that process; None if the lock's file does not say.
    """

    def __init__(self, what: str, holder: Holder | None) -> None:
        self.holder = holder
        super().__init__(f"{what} is in use by {holder or 'another process'}")


@contextlib.contextmanager
def exclusive(path: Path, what: str, *, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock `path` for the length of a `with`.

    Args:
        path: of the lock's file, in a folder that is there; the file stays.
        what: is locked, for the message.
        wait: told who holds the lock, once, if it is not free; then it is waited for. None for not waiting.

    Raises:
        Busy: another process holds it, and `wait` is None.
        OSError: the file system refuses.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, exclusive(Path(folder, 'lock'), 'the run'):
    ...     holder_of(Path(folder, 'lock')).pid == os.getpid()
    True
    """
    lock = FileLock(path, timeout=0)
    if not _acquired(path, lock):
        if wait is None:
            raise Busy(what, holder_of(path))
        wait(str(Busy(what, holder_of(path))))
        while not _acquired(path, lock):
            time.sleep(POLL)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone, and a name that stays does no harm
            path.write_text("", encoding="utf-8")
        lock.release()


def holder_of(path: Path) -> Holder | None:
    """Who holds a lock, or died with it; None if its file does not say."""
    try:
        found = Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    plain = (found.host, found.machine, found.started, found.since)
    return found if isinstance(found.pid, int) and all(isinstance(text, str) for text in plain) else None


def _acquired(path: Path, lock: FileLock) -> bool:
    """One try at a lock: is it ours now, with our name in its file?

    A dead process's lock may be held by a child of it; a new file then takes the place of the one that is locked. So a
    name that stands in the file is exchanged for ours under a lock of its own, or somebody who tries meanwhile would
    take us for the dead. A name that came after we looked, from a holder who was about to write it, is such a name too.
    """
    named = holder_of(path) is not None
    with FileLock(path.with_name(f"{path.name}.takeover")) if named else contextlib.nullcontext():
        try:
            lock.acquire()
        except Timeout:
            holder = holder_of(path)
            if not named or holder is None or not holder.is_dead:
                return False
            path.unlink()
            try:
                lock.acquire()
            except Timeout:
                return False
        if not named and holder_of(path) is not None:
            lock.release()
            return _acquired(path, lock)
        try:
            path.write_text(json.dumps(asdict(Holder.here())) + "\n", encoding="utf-8")
        except BaseException:
            lock.release()
            raise
    return True
