"""Locks: held by one, named, and free once their holder is dead, however it ended."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from filelock import FileLock

from analysis import locks
from analysis.locks import Busy, Holder, exclusive, holder_of

ROOT = Path(__file__).resolve().parents[1]
HOLDS = """
import sys, time
from pathlib import Path
from analysis.locks import exclusive
with exclusive(Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    time.sleep(60)
"""
LENDS = """
import subprocess, sys, time
from pathlib import Path
from analysis.locks import exclusive
import os
with exclusive(Path(sys.argv[1]), "the run"):
    for name in os.listdir("/proc/self/fd"):  # as a fork inherits them
        try:
            os.set_inheritable(int(name), True)
        except OSError:
            pass
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    print(child.pid, flush=True)
    time.sleep(60)
"""


def holding(path: Path, code: str = HOLDS) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_holder_is_named_and_its_death_frees_the_lock(tmp_path: Path):
    """It raises( with process, machine and time; SIGKILL leaves the name, and the lock is free."""
    path = tmp_path / "lock"
    with holding(path) as other:
        assert line(other) == "held"
        with pytest.raises(Busy) as busy, exclusive(path, "the run"):
            pass
        assert busy.value.holder is not None
        assert busy.value.holder.pid == other.pid
        said = rf"the run is in use by process {other.pid} on \S+ since \d{{4}}-\d\d-\d\dT[\d:]+\+00:00"
        assert re.fullmatch(said, str(busy.value))
        other.kill()
    assert holder_of(path) is not None  # it had no time to leave
    with exclusive(path, "the run"):
        found = holder_of(path)
        assert found is not None
        assert found.pid == os.getpid()
    assert holder_of(path) is None


def test_a_lock_that_a_dead_process_has_left_to_its_child_is_taken_over(tmp_path: Path):
    """The kernel's lock is still held, by a descriptor that was inherited: the name says that it is nobody's."""
    path = tmp_path / "lock"
    with holding(path, LENDS) as other:
        child = int(line(other))
        with pytest.raises(Busy), exclusive(path, "the run"):
            pass
        other.kill()
    try:
        with path.open() as stream, pytest.raises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held indeed
        with exclusive(path, "the run"), pytest.raises(Busy), exclusive(path, "the run"):  # and by one alone
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_who_has_just_come_is_not_taken_for_the_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file still names who was killed while its successor holds the lock and has not written its name yet."""
    path = tmp_path / "lock"
    with holding(path) as other:
        assert line(other) == "held"
        other.kill()
    here, begun, go_on = Holder.here, threading.Event(), threading.Event()

    def slowly() -> Holder:
        begun.set()
        assert go_on.wait(60)
        return here()

    monkeypatch.setattr(Holder, "here", slowly)
    held: list[Holder | None] = []

    def successor() -> None:
        with exclusive(path, "the run"):
            held.append(holder_of(path))
            with holding(path) as late:
                held.append(None if line(late) == "held" else held[0])
                late.kill()

    thread = threading.Thread(target=successor)
    thread.start()
    assert begun.wait(60)
    with holding(path) as third:
        time.sleep(2)  # it waits for the name
        go_on.set()
        assert line(third) != "held"
        third.kill()
    thread.join(60)
    assert held[0] is not None
    assert held == [held[0], held[0]]


def test_a_name_that_comes_after_the_first_look_is_exchanged_under_a_lock_too(tmp_path: Path, monkeypatch):
    """Who looked before a holder wrote its name, and came in when that was dead, waits for who takes over."""
    path = tmp_path / "lock"
    with holding(path) as other:
        assert line(other) == "held"
        other.kill()
    look, looked = locks.holder_of, threading.Event()

    def early(at: Path) -> Holder | None:  # the first look, before the name was there
        first = not looked.is_set()
        looked.set()
        return None if first else look(at)

    monkeypatch.setattr(locks, "holder_of", early)
    held = threading.Event()

    def newcomer() -> None:
        with exclusive(path, "the run"):
            held.set()

    thread = threading.Thread(target=newcomer)
    with FileLock(tmp_path / "lock.takeover"):
        thread.start()
        assert looked.wait(60)
        assert not held.wait(0.5)
    assert held.wait(60)
    thread.join(60)


def test_who_waits_is_told_once_for_whom(tmp_path: Path):
    path, told = tmp_path / "lock", []

    def wait(who: str) -> None:
        told.append(who)
        other.kill()

    with holding(path) as other:
        line(other)
        with exclusive(path, "the texts", wait=wait):
            pass
    assert len(told) == 1
    assert told[0].startswith(f"the texts is in use by process {other.pid} on ")


def test_a_lock_of_unknown_holder_is_respected(tmp_path: Path):
    """Of an older version, or written by no process of ours; raises( without a name."""
    path = tmp_path / "lock"
    for text in ("", "{}", "[1]", "[" * 100_000, json.dumps(asdict(Holder.here()) | {"pid": "7"})):
        path.write_text(text)
        with path.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            with pytest.raises(Busy, match=r"^it is in use by another process$"), exclusive(path, "it"):
                pass


def test_who_is_dead():
    here = Holder.here()
    assert not here.is_dead
    assert replace(here, started="at another time").is_dead  # the number has been given to another process
    assert not replace(here, machine="another", started="").is_dead  # of which nothing is known


def test_a_failure_inside_frees_the_lock(tmp_path: Path):
    with pytest.raises(ArithmeticError), exclusive(tmp_path / "lock", "it"):
        raise ArithmeticError
    with exclusive(tmp_path / "lock", "it"):
        pass
    assert locks.holder_of(tmp_path / "lock") is None
