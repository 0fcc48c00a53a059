"""What holds for every test: reproducible hypothesis, no window opens, shapes and types are checked.

Every function and dataclass of `analysis` that a test calls has its jaxtyping signature checked, arguments
and result. A test that hands over bad input on purpose, one that says `raises(`, calls the plain functions
instead: it is there to read our own message, and the signature check would speak first.
"""

from __future__ import annotations

import inspect
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jaxtyping
import matplotlib
import pytest
import xarray as xr
from filelock import FileLock
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# An int is a float here, as in every type checker (PEP 484). The hook evaluates this text as it stands.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
jaxtyping.install_import_hook("analysis", CHECKER)  # before any test module imports analysis

matplotlib.use("Agg")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # what a shell starts in the background ignores interrupts, and so would the processes that tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)

from figures import catalogue  # noqa: E402 - after the hook
from proofs.verify import Result, verify  # noqa: E402 - after the hook

ROOT = catalogue.ROOT
REAL_MODEL, NOTEBOOKS = (ROOT / "tests" / f"test_{name}.py" for name in ("real_model", "notebooks"))

# The machine's speed decides nothing; on CI the examples are the same at every run.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("project")


# What the fast suite leaves to the whole one, by file or folder of tests, and why.
FULL = {
    "test_assets.py": "a package index on the loopback and pip",
    "test_bench.py": "measures speed and memory",
    "test_notebooks.py": "a kernel for each notebook",
    "test_real_model.py": "the real model",
    "test_records.py": "processes that are stopped while they write",
    "test_wheel.py": "builds and installs the wheel",
    "test_workers.py": "processes and a Dask cluster",
    "figures/test_pictures.py": "pictures",
    "figures/test_tapa_pictures.py": "pictures",
    "figures/test_results_pictures.py": "pictures",
    "figures/test_phase_pictures.py": "pictures",
    "figures/test_bias_pictures.py": "pictures",
    "test_agreement_tapa.py": "hundreds of points by balls",
    "cli": "a process for each command",
    "models": "transformers and compilations",
    "evaluation": "transformers",
    "experiments": "sweeps that train, are killed and go on",
    "figures/test_tasks.py": "a copy of the project whose graph runs",
    "proofs": "the whole ledger",
    "training/test_train.py": "training runs that are killed and go on",
    "sampling": "coverage of error bars",
    "studies/test_tapa_moments.py": "moments by quadrature and balls",
    "studies/test_phase_study.py": "processes",
    "theory/test_model_config.py": "transformers",
}
FULL_FIXTURES = {"make_records", "real_record", "smollm2_record", "whole_ledger"}


def expects_an_error(test: Callable) -> bool:
    """Does the test's own source (below hypothesis' wrapper) say `raises(`?"""
    wrapped = getattr(test, "hypothesis", None)
    return "raises(" in inspect.getsource(wrapped.inner_test if wrapped else test)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In which order tests come, and which of them the fast suite leaves out.

    One file that needs the real model's record comes first, so that it is there when the others, the last, ask for it.
    """
    for item in items:
        name = item.path.relative_to(ROOT / "tests").as_posix()
        listed = any(name == file or name.startswith(f"{file}/") for file in FULL)
        if listed or FULL_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.full)
    needing = {item.path for item in items if "make_records" in getattr(item, "fixturenames", ())}
    needing.add(NOTEBOOKS)
    items.sort(key=lambda item: 0 if item.path == REAL_MODEL else 2 if item.path in needing else 1)


def group(nodeid: str) -> str:
    """Tests of one group share a process: a file's share what they make, a notebook's its outputs."""
    file, _, test = nodeid.partition("::")
    return test.partition("[")[2] or file if file.endswith(NOTEBOOKS.name) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Groups of our own: pytest 9.2 does not pass on the marks by which xdist 3.8 knows a group."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group  # what a subclass would override
    return scheduler


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Switch the signature checks off for the tests that read error messages, and back on after."""
    before = jaxtyping.config.jaxtyping_disable
    if isinstance(item, pytest.Function) and expects_an_error(item.function):
        jaxtyping.config.update("jaxtyping_disable", True)
    try:
        return (yield)
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture(scope="session")
def make_records(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """A function that makes the named records of the catalogue where they are missing or out of date.

    Their steps alone run, in a process of their own. Where several processes run the tests, one makes them and the
    others wait.
    """

    def make(*names: str) -> None:
        command = f"import sys; from figures.build import build; sys.exit(build(only_records={names!r}))"
        with FileLock(tmp_path_factory.getbasetemp().parent / "figures.lock"):
            done = subprocess.run(
                [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
            )
        assert done.returncode == 0, done.stdout + done.stderr

    return make


@pytest.fixture(scope="session")
def real_record(make_records: Callable[..., None]) -> xr.Dataset:
    """The real model's record, made by its own step: a minute or two on a fresh clone, seconds afterwards."""
    make_records("smollm2")
    return catalogue.read("smollm2")


@pytest.fixture(scope="session")
def whole_ledger(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> list[Result]:
    """Every claim, checked once for all tests and processes: about half a minute on two cores."""
    if not hasattr(request.config, "workerinput"):
        return verify()
    kept = tmp_path_factory.getbasetemp().parent / "ledger.pickle"  # of this test run alone
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(verify()))
    return pickle.loads(kept.read_bytes())
