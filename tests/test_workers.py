"""Work in this process, in two local ones and on a real Dask cluster of two workers: the same numbers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import xarray as xr
from distributed import LocalCluster

from analysis.encodings import Rope, Tapa
from analysis.errors import InputError
from analysis.sampling.laws import Gaussian
from analysis.sampling.monte_carlo import CHUNK, estimate
from analysis.sampling.random_transformer import weight_draws
from analysis.theory import frequencies
from analysis.theory.gaussian_law import correlated
from analysis.workers import HERE, Workers, run

LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two processes with a thread each, talking over loopback."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0"
    ) as made:
        yield made


@pytest.fixture(params=["two processes", "Dask"])
def others(request) -> Workers:
    """Everybody but this process."""
    if request.param == "two processes":
        return Workers(processes=2)
    return Workers(scheduler=request.getfixturevalue("cluster").scheduler_address, timeout=30)


def who(task: int) -> tuple[int, int, int]:
    import os

    import torch

    return task, os.getpid(), torch.get_num_threads()


def test_results_come_in_order_from_others_on_one_thread(others):
    import os

    found = list(run(who, range(20), others))
    assert [task for task, _, _ in found] == list(range(20))
    assert os.getpid() not in {process for _, process, _ in found}
    assert {threads for _, _, threads in found} == {1}


def test_work_here_is_on_one_thread_and_gives_the_threads_back():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        results = run(who, range(3), HERE)
        assert next(results)[2] == 1
        assert torch.get_num_threads() == 2
        assert len(list(results)) == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("method", ["plain", "conditional-sobol"])
def test_estimates_do_not_depend_on_who_works(others, method):
    """To the last bit; three chunks, the last not full, or four scrambles."""
    samples = 2 * CHUNK + 77 if method == "plain" else 4 * 256
    arguments = {"method": method, "samples": samples, "seed": 3, "scrambles": 4}
    law = Gaussian(correlated(8, 0.3))
    here, there = (estimate(Tapa(8), law, np.arange(40.0), workers=w, **arguments) for w in (HERE, others))
    xr.testing.assert_identical(here, there)


def test_random_heads_do_not_depend_on_who_works(others):
    hidden = torch.randn(2, 30, 12, generator=torch.Generator().manual_seed(0)).double()
    arguments = {"sd": 0.3, "draws": 35, "seed": 1}
    here, there = (
        weight_draws(hidden, Rope(frequencies.plain(1e4, 8)), workers=w, **arguments) for w in (HERE, others)
    )
    xr.testing.assert_identical(here, there)


def refuse(task: int) -> int:
    if task == 3:
        raise ArithmeticError(f"task {task}")
    return task


def test_a_failing_task_is_not_swallowed(others):
    with pytest.raises(ArithmeticError, match="task 3"):
        list(run(refuse, range(6), others))


def test_nothing_is_started_before_a_result_is_asked_for():
    run(refuse, [3], HERE)
    run(refuse, [3], Workers(scheduler="tcp://127.0.0.1:1"))


def test_a_scheduler_that_does_not_answer_is_an_error_not_local_work():
    """A port that was free a moment ago: nobody listens there."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        address = f"tcp://{LOOPBACK}:{probe.getsockname()[1]}"
    with pytest.raises(InputError, match=rf"Dask scheduler {address} cannot be reached within 0.5 s \("):
        estimate(
            Tapa(4),
            Gaussian(correlated(4, 0.3)),
            np.array([1.0]),
            10,
            seed=0,
            workers=Workers(scheduler=address, timeout=0.5),
        )


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:port", "pigeon://127.0.0.1:8786"])
def test_what_is_no_address_is_an_error(address):
    with pytest.raises(InputError, match=f"Dask scheduler {address} cannot be reached within 10 s"):
        list(run(abs, [1], Workers(scheduler=address)))


def test_a_scheduler_without_workers_is_an_error():
    with LocalCluster(n_workers=0, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0") as empty:
        address = empty.scheduler_address
        with pytest.raises(InputError, match=f"Dask scheduler {address} has no worker after 0.5 s"):
            list(run(abs, [1], Workers(scheduler=address, timeout=0.5)))


BAD = [
    (lambda: Workers(processes=0), "processes=0 is not a positive whole number"),
    (lambda: Workers(processes=1.5), "processes=1.5 is not a positive whole number"),
    (lambda: Workers(timeout=0), "timeout=0 must be finite and above 0 seconds"),
    (lambda: Workers(scheduler=""), "scheduler='' is no address"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
