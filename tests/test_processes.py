"""Real processes, really killed: workers end with whoever they work for, and signals unwind in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from analysis import processes
from analysis.processes import Terminated, at_work, begin_work, ending_workers, orderly_end, uninterrupted

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0  # seconds, on a machine under load
SOON = 5.0  # seconds, within which a worker has to notice that its parent is gone

WORKED = """
import os, sys, time
from pathlib import Path
def task(folder):
    try:
        Path(folder, str(os.getpid())).touch()
        {work}
    finally:
        Path(folder, f"cleaned {{os.getpid()}}").touch()
"""
PARENT = """
import os, signal, sys
{imports}
from analysis.processes import at_work, begin_work, ending_workers, orderly_end
from worked import task

def work():
    count, folder = int(sys.argv[1]), sys.argv[2]
    with (
        orderly_end(),
        {pool} as pool,
        ending_workers(pool),
    ):
        # more than workers: Python 3.11 watches a worker only from the first event after it was started
        for future in [pool.submit(at_work, task, folder) for _ in range(count + 2)]:
            future.result()

if __name__ == "__main__":
    work()
"""
STANDARD = {
    "imports": "from concurrent.futures import ProcessPoolExecutor\nfrom multiprocessing import get_context",
    "pool": "ProcessPoolExecutor(count, get_context('spawn'), begin_work, (os.getpid(),))",
}
LOKY = {
    "imports": "from joblib.externals.loky import ProcessPoolExecutor",
    "pool": "ProcessPoolExecutor(count, initializer=begin_work, initargs=(os.getpid(),))",
}
SLEEPS = "time.sleep(60)"
HOLDS_THE_INTERPRETER = "sum(range(10**11))"  # C code, in which no handler of Python runs


def wait_for(condition, seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    return processes.started(pid) is not None


@contextlib.contextmanager
def at_it(
    folder: Path, work: str, pool: dict[str, str] = STANDARD
) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A process whose two workers are in the middle of their tasks, and the workers' numbers."""
    (folder / "code").mkdir()
    (folder / "code" / "worked.py").write_text(WORKED.format(work=work))
    (folder / "code" / "parent.py").write_text(PARENT.format(**pool))
    (folder / "seen").mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "code")])}
    command = [sys.executable, str(folder / "code" / "parent.py"), "2", str(folder / "seen")]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as parent:
        workers: list[int] = []
        try:
            wait_for(lambda: len(list((folder / "seen").glob("[0-9]*"))) == 2 or parent.poll() is not None)
            workers = [int(path.name) for path in (folder / "seen").glob("[0-9]*")]
            assert len(workers) == 2, parent.communicate()
            yield parent, workers
        finally:
            for pid in (parent.pid, *workers):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("work", [SLEEPS, HOLDS_THE_INTERPRETER], ids=["sleeping", "in C code"])
def test_workers_of_a_killed_process_end(tmp_path: Path, work: str):
    """SIGKILL leaves the parent no time for a word to them."""
    with at_it(tmp_path, work) as (parent, workers):
        parent.kill()
        parent.wait()
        wait_for(lambda: not any(map(runs, workers)), SOON)


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)]
)
def test_workers_of_a_process_that_is_asked_to_end_clean_up(tmp_path: Path, how: signal.Signals, code: int):
    with at_it(tmp_path, SLEEPS) as (parent, workers):
        parent.send_signal(how)
        assert parent.wait(timeout=PATIENCE) == code
        assert not any(map(runs, workers))
        cleaned = {path.name for path in (tmp_path / "seen").glob("cleaned *")}
        assert cleaned == {f"cleaned {pid}" for pid in workers}


@pytest.mark.parametrize("pool", [STANDARD, LOKY], ids=["standard", "loky"])
def test_a_worker_that_does_not_heed_is_killed(tmp_path: Path, pool: dict[str, str]):
    """After `GRACE` seconds: in C code no handler of Python runs. `kill` of loky's processes raises."""
    with at_it(tmp_path, HOLDS_THE_INTERPRETER, pool) as (parent, workers):
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(timeout=PATIENCE) == 143
        assert not any(map(runs, workers))


def test_an_interrupt_of_the_terminal_is_left_to_the_parent(tmp_path: Path):
    """Ctrl-C goes to all: the workers clean up because the parent ends them, and print no traceback."""
    with at_it(tmp_path, SLEEPS) as (parent, workers):
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=PATIENCE)
        assert parent.returncode == -signal.SIGINT
        assert said.count(b"Traceback") == 1  # Python's own, of the parent
        assert not any(map(runs, workers))
        assert len(list((tmp_path / "seen").glob("cleaned *"))) == 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_killed_is_named_as_the_reason(tmp_path: Path, how: signal.Signals):
    with at_it(tmp_path, SLEEPS) as (parent, workers):
        os.kill(workers[0], how)
        _, said = parent.communicate(timeout=PATIENCE)
        assert parent.returncode == 1
        assert b"InputError: a worker process was killed from outside, or the machine has no memory" in said
        assert not any(map(runs, workers))


def failing(text: str) -> str:
    raise ArithmeticError(text)


def test_a_task_that_fails_ends_the_pool():
    """It raises( the task's own error."""
    workers: list[int] = []

    def work() -> None:
        with (
            ProcessPoolExecutor(1, get_context("spawn"), begin_work, (os.getpid(),)) as pool,
            ending_workers(pool),
        ):
            future = pool.submit(at_work, failing, "two")
            workers.extend(pool._processes)
            future.result()

    with pytest.raises(ArithmeticError, match="two"):
        work()
    assert workers
    assert not any(map(runs, workers))


# where the kernel does not tell


def test_the_watch_ends_a_worker_too(tmp_path: Path):
    """As on systems without prctl: the same, by a thread that looks every second."""
    child = (
        "import os, sys, time\nfrom analysis import processes\n"
        "processes._told_by_kernel = lambda: False\n"
        "processes.end_with_parent(os.getppid())\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    )
    between = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n"
    with subprocess.Popen([sys.executable, "-c", between], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert runs(pid)
        parent.kill()
        wait_for(lambda: not runs(pid), SOON)


# signals in this process


def test_a_signal_raises_in_the_block_and_handlers_are_as_before():
    before = [signal.getsignal(number) for number in processes.ASKED_TO_END]
    for number in processes.ASKED_TO_END:
        with pytest.raises(Terminated) as end, orderly_end():
            signal.raise_signal(number)
        assert end.value.code == 128 + number
    assert [signal.getsignal(number) for number in processes.ASKED_TO_END] == before


IN_A_DESTRUCTOR = """
import os, signal, sys, time
from analysis.cli.main import app, main

class HalfMade:
    def __init__(self, number): self.number = number
    def __del__(self):
        os.kill(os.getpid(), self.number)
        for _ in range(1000): pass  # the handler runs here

class Late:
    def __del__(self): self.there_is_none

def busy(number: int):
    global late
    late = Late()
    HalfMade(number)
    time.sleep(60)

app.command("busy")(busy)
sys.argv = ["tapa", "busy", sys.argv[1]]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_destructor_is_heeded_and_half_made_objects_are_silent(number: signal.Signals):
    """Python ignores what a destructor raises, and prints it: the command would go on, and end in many lines."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_DESTRUCTOR, str(int(number))],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 128 + number, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


AT_THE_END = """
import atexit, os, sys
from analysis.cli.main import app, main

atexit.register(lambda: os.kill(os.getpid(), int(sys.argv[2])))
app.command("done")(lambda number: print("done"))
sys.argv = ["tapa", "done", sys.argv[1]]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_when_all_is_done_changes_nothing(number: signal.Signals):
    script = AT_THE_END.replace("sys.argv[2]", str(int(number)))
    done = subprocess.run(
        [sys.executable, "-c", script, "1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")


def test_a_signal_that_is_ignored_stays_so():
    """As SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_an_interrupt_waits_for_the_end_of_the_block(number: signal.Signals, error: type[BaseException]):
    done = []

    def work() -> None:
        with orderly_end(), uninterrupted():
            signal.raise_signal(number)
            done.append("to the end")

    with pytest.raises(error):
        work()
    assert done == ["to the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_not_interrupted_anyway():
    found = []

    def work() -> None:
        with uninterrupted():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_which_process():
    assert processes.started(os.getpid()) == processes.started(os.getpid())
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert processes.started(child.pid) is None
    assert len(processes.machine()) == 12


def test_an_early_reader_ends_the_workers_of_a_generator(tmp_path: Path):
    """`analysis.workers.run`, closed after its first result: nobody goes on working."""
    from analysis.workers import Workers, run

    results = run(os_of, range(8), Workers(processes=2))
    pid, _ = next(results)
    assert runs(pid)
    results.close()
    wait_for(lambda: not runs(pid), SOON)


def os_of(task: int) -> tuple[int, int]:
    return os.getpid(), task
