"""What holds for every test: reproducible hypothesis, no window opens, shapes and types are checked.

Every function and dataclass of `analysis` that a test calls has its jaxtyping signature checked, arguments
and result (`tests/signatures.py`). A test that hands over bad input on purpose, one that says `raises(`, calls the
plain functions instead: it is there to read our own message, and the signature check would speak first.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from filelock import FileLock
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests import signatures

# before any test module imports analysis
signatures.install("analysis")

matplotlib.use("Agg")

# what a shell starts in the background ignores interrupts, and below nohup hangups; so would processes that tests end
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

from figures import catalogue  # noqa: E402 - after the hook
from proofs.verify import Result, verify  # noqa: E402 - after the hook

ROOT = catalogue.ROOT
REAL_MODEL, NOTEBOOKS = "test_real_model.py", "test_notebooks.py"

# The machine's speed decides nothing; on CI the examples are the same at every run. The fast suite draws a few,
# `--hypothesis-profile quick`; at night there are many more, and others each time: `deep`. Both are for those tests
# that do not say their own number.
settings.register_profile("quick", deadline=None, derandomize=True, print_blob=True, max_examples=10)
settings.register_profile(
    "project", deadline=None, derandomize="CI" in os.environ, print_blob=True, max_examples=40
)
settings.register_profile("deep", deadline=None, derandomize=False, print_blob=True, max_examples=500)
settings.load_profile("project")


def pytest_configure(config: pytest.Config) -> None:
    """At night every call is checked, and not just the first ones of each test."""
    if config.getoption("--hypothesis-profile") == "deep":
        signatures.CHECKS.most = math.inf


def pytest_runtest_teardown() -> None:
    """A picture that a test leaves open is closed, so that no test sees those of another."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


# What the fast suite leaves to the whole one, by file or folder of tests, and why.
FULL = {
    "test_assets.py": "a package index on the loopback and pip",
    "test_bench.py": "measures speed and memory",
    "test_hostile.py": "a process for each of hundreds of inputs",
    "test_kills.py": "commands that are killed",
    "test_notebooks.py": "a kernel for each notebook",
    "test_processes.py": "processes",
    "test_readme.py": "a process",
    "test_real_model.py": "the real model",
    "test_records.py": "processes that are stopped while they write",
    "test_wheel.py": "builds and installs the wheel",
    "test_workers.py": "processes and a Dask cluster",
    "figures/test_pictures.py": "pictures",
    "figures/test_tapa_pictures.py": "pictures",
    "figures/test_results_pictures.py": "pictures",
    "figures/test_phase_pictures.py": "pictures",
    "figures/test_bias_pictures.py": "pictures",
    "figures/test_report_page.py": "transformers",
    "figures/test_report_browser.py": "a browser",
    "figures/test_comparison_page.py": "transformers",
    "figures/test_site.py": "pages of the whole ledger, and a browser",
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
    "studies/test_bias_interventions.py": "hundreds of readings, each kept",
    "studies/test_distance_bias.py": "transformers",
    "studies/test_heads_compared.py": "transformers",
    "studies/test_extrapolation_bias_runs.py": "runs that train",
    "studies/test_phase_dynamics.py": "a run that trains",
    "studies/test_phase_seeds.py": "runs that train",
    "studies/test_recovery.py": "models that train",
    "studies/test_score_variance.py": "models that are measured in parts",
    "heads/test_anova.py": "loops over every pair and distance",
    "text/test_corpus.py": "another process, and learning byte pairs",
    "theory/test_model_config.py": "transformers",
}
# What needs nothing of the kind, and is left out for its seconds alone: at night these have their many examples too.
LONG = {
    "figures/test_long_pictures.py": "pictures",
    "figures/test_formula_pictures.py": "pictures",
    "test_plotting.py": "pictures",
    "test_agreement.py": "thousands of points by two ways",
    "test_agreement_rivals.py": "hundreds of points by two ways",
    "test_house.py": "reads every file of the tree",
    "studies/test_parts_removed.py": "models that are read in parts",
    "studies/test_closed_form.py": "integrals by quadrature",
    "training/test_finetune.py": "models that train",
    "theory/test_tapa.py": "moments by quadrature and balls",
    "text/test_recurrence.py": "coverage of a rule's draws",
}
FULL_FIXTURES = {"made_records", "whole_ledger"}


def listed(path: Path, among: dict[str, str] = FULL) -> bool:
    """Does `among` name this file of tests, or the folder that it is in?"""
    name = path.relative_to(ROOT / "tests").as_posix()
    return any(name == one or name.startswith(f"{one}/") for one in among)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The fast suite does not even import the files that it leaves out."""
    left = str(config.getoption("markexpr"))
    names = (FULL if "not full" in left else {}) | (LONG if "not long" in left else {})
    return (collection_path.suffix == ".py" and listed(collection_path, names)) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Which tests the fast suite leaves out, and in which order files come.

    The real model's is first: it has the records made that tests need, while another process runs what needs none.
    Files that the fast suite holds are last: they are short, so that all processes end together.
    """
    needing = {item.path for item in items if item.get_closest_marker("records")}
    for item in items:
        if listed(item.path) or FULL_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.full)
        if listed(item.path, LONG):
            item.add_marker(pytest.mark.long)

    def rank(item: pytest.Item) -> int:
        if item.path.name == REAL_MODEL:
            return 0
        return 2 if item.path in needing else 1 if listed(item.path) else 3

    items.sort(key=rank)


def group(nodeid: str) -> str:
    """Tests of one group share a process: a file's share what they make, a notebook's its outputs."""
    file, _, test = nodeid.partition("::")
    return test.partition("[")[2] or file if file.endswith(NOTEBOOKS) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Groups of our own: pytest 9.2 does not pass on the marks by which xdist 3.8 knows a group."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group  # what a subclass would override
    return scheduler


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Signature checks are not what a test compiles."""
    with signatures.signatures_unchecked():
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A test begins, its fixtures with it: first calls are counted anew."""
    signatures.CHECKS.test += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Switch the signature checks off for the tests that read error messages, and back on after."""
    reads_errors = isinstance(item, pytest.Function) and signatures.expects_an_error(item.function)
    with signatures.signatures_unchecked() if reads_errors else nullcontext():
        return (yield)


MAKE = """
import pickle, sys
from pathlib import Path
from figures.build import build
from proofs import status

ledger, *names = sys.argv[1:]
if ledger:
    results = pickle.loads(Path(ledger).read_bytes())
    status.verify = lambda **_: results
    if code := build(only_records=["claims"], processes=1):  # in this process
        sys.exit(code)
sys.exit(build(only_records=names))
"""


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """One folder for all processes of this test run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def ledger_file(run_folder: Path) -> Path:
    """Results of every claim, checked once for all tests and processes: about half a minute on two cores."""
    kept = run_folder / "ledger.pickle"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(verify()))
    return kept


@pytest.fixture(scope="session")
def whole_ledger(ledger_file: Path) -> list[Result]:
    """The results of every claim."""
    return pickle.loads(ledger_file.read_bytes())


@pytest.fixture(scope="session")
def made_records(run_folder: Path, request: pytest.FixtureRequest) -> None:
    """Every record that a test of this run is marked to need is there and up to date.

    Their own steps make them, on all cores, once for all processes: one has them made and the others wait. The step of
    the ledger's record is handed the results of this run: they are not computed a second time.
    """
    marks = [mark for item in request.session.items for mark in item.iter_markers("records")]
    names = sorted({name for mark in marks for name in mark.args})
    done = run_folder / "records.made"
    ledger = str(request.getfixturevalue("ledger_file")) if "claims" in names else ""
    with FileLock(run_folder / "records.lock"):
        if names and not done.exists():
            command = [sys.executable, "-c", MAKE, ledger, *names]
            made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stdout + made.stderr
            done.touch()
