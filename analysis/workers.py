"""Where work is done: in this process, in local processes, or on a Dask cluster; the same numbers from each.

Numbers stay the same because a task is cut without regard to who works, carries its own seed, and runs on one
thread: sums over several threads depend on their number. Processors of another kind may differ in last bits.
"""

from __future__ import annotations

import collections
import contextlib
import math
import os
import resource
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

import joblib
import torch
from joblib.externals.loky import get_reusable_executor

from analysis.errors import InputError
from analysis.processes import at_work, begin_work, ending_workers
from analysis.settings import check_processes


def peak_memory_mb() -> float:
    """The most memory this process has held so far, in MB of 2^20 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, elsewhere KB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does the work; checks itself on construction.

    Attributes:
        processes: local processes, 1 for this one alone; None for one on each processor.
        scheduler: address of a Dask scheduler, e.g. "tcp://10.0.0.1:8786"; its workers then do everything, and
            must have this project installed. None for local work.
        timeout: seconds to wait for the scheduler, and for a first worker of it, > 0.

    Raises:
        InputError: if a value is out of its range.
    """

    processes: int | None = None
    scheduler: str | None = None
    timeout: float = 10.0

    def __post_init__(self) -> None:
        check_processes(self.processes)
        if not 0 < self.timeout < math.inf:
            raise InputError(f"timeout={self.timeout} must be finite and above 0 seconds")
        if self.scheduler is not None and not self.scheduler:
            raise InputError(
                "scheduler='' is no address; give one like tcp://host:8786, or None to work here"
            )


HERE = Workers(processes=1)
"""This process alone."""


def run(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: Workers = HERE
) -> Generator[Result, None, None]:
    """function(task) for each task, in the tasks' order, as soon as each is there.

    Tasks and results travel between processes: both must pickle. Nothing is started before the first result is
    asked for. A task that raises ends the work, and its exception comes out here. Closing the generator ends it too:
    `contextlib.closing` does so at once, whatever happens between two results.

    Raises:
        InputError: at the first result, if the scheduler cannot be reached or has no worker within the
            timeout, or Dask is not installed; at any, if a local process was killed from outside.
    """
    if workers.scheduler is not None:
        return _on_cluster(function, tasks, workers.scheduler, workers.timeout)
    processes = workers.processes or joblib.cpu_count()
    return _here(function, tasks) if processes == 1 else _in_processes(function, tasks, processes)


def _here(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result, None, None]:
    """One by one; whoever reads the results in between has all threads."""
    for task in tasks:
        threads = torch.get_num_threads()
        try:
            result = _on_one_thread(function, task)
        finally:
            torch.set_num_threads(threads)
        yield result


def _in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], processes: int
) -> Generator[Result, None, None]:
    ahead: collections.deque[Future[Result]] = collections.deque()
    with pool(processes) as executor:
        for task in tasks:
            ahead.append(executor.submit(at_work, _on_one_thread, function, task))
            if len(ahead) == 2 * processes:  # enough that nobody waits, and few enough to hold in memory
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


IDLE = 60
"""Seconds without work after which a local process ends."""
_THREADS = ("OMP", "MKL", "OPENBLAS", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR")


@contextlib.contextmanager
def pool(processes: int) -> Iterator[Executor]:
    """Local processes of one thread each, for tasks that go through `at_work`.

    They end with this process, at once if the block fails, or after `IDLE` seconds without work: the next pool may
    have them, and the libraries that they have imported, until then.

    Raises:
        InputError: from the block, if one of the processes was killed from outside.
    """
    environment = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    executor = get_reusable_executor(
        processes, timeout=IDLE, initializer=begin_work, initargs=(os.getpid(),), env=environment
    )
    # a worker whose memory has grown is replaced by a new one, which is nobody's concern
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    try:
        with ending_workers(executor):
            yield executor
    except BaseException:
        executor.shutdown(kill_workers=True)
        raise


def _on_cluster(
    function: Callable[[Task], Result], tasks: Iterable[Task], scheduler: str, timeout: float
) -> Generator[Result, None, None]:
    with (
        _client(scheduler, timeout) as client,
        joblib.parallel_config(backend="dask", client=client, wait_for_workers_timeout=timeout),
    ):
        jobs = (joblib.delayed(_on_one_thread)(function, task) for task in tasks)
        results: Any = joblib.Parallel(return_as="generator")(jobs)
        yield from results


def _on_one_thread(function: Callable[[Task], Result], task: Task) -> Result:
    torch.set_num_threads(1)
    return function(task)


def _client(scheduler: str, timeout: float) -> Any:
    """A client of a scheduler that answers and has a worker."""
    try:
        from distributed import Client
        from distributed.comm.addressing import resolve_address
    except ModuleNotFoundError as error:
        raise InputError(
            "a Dask scheduler was named, but Dask is missing; install tapa-toolkit[cluster]"
        ) from error
    try:
        resolve_address(scheduler)  # what cannot be an address must not leave a half-made client behind
        client = Client(scheduler, timeout=timeout, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"Dask scheduler {scheduler} cannot be reached within {timeout:g} s ({reason}); start it, "
            f"correct the address, or leave it out to work here"
        ) from error
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        client.close()
        raise InputError(
            f"Dask scheduler {scheduler} has no worker after {timeout:g} s; start one"
        ) from error
    return client


# How many threads torch computes with, for the length of a `with`.


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """`count` threads, then as many as before, whatever happens."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
