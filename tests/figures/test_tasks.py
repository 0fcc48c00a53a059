"""The graph of steps: each depends on what its study can import, and what is out of date runs, alone."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from analysis.errors import InputError
from figures import build
from figures.catalogue import CATALOGUE, FIGURES, ROOT

STUDIES = {row.study for row in CATALOGUE.values() if row.study}
DRAWN_BY = {figure.drawn_by for figure in FIGURES.values()}
TRACE = """
import importlib, json, os, sys
# what takes long, once
import flint, h5netcdf, joblib, jaxtyping, matplotlib.pyplot, mpmath, pandas, scipy.fft, scipy.integrate, scipy.optimize
import scipy.special, scipy.stats, sympy, torch._dynamo, transformers.modeling_utils, xarray
for module in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:
        importlib.import_module(module)
        ours = [n for n in sys.modules if n.split(".")[0] in ("analysis", "figures", "proofs")]
        print(json.dumps([module, ours]), flush=True)
        os._exit(0)
    os.wait()
"""
KNOWN: build.Graph = {}  # what single modules import, as a look at all steps has it
FUNCTIONS = sorted(STUDIES | {"figures.fig_27_extrapolation_bias:draw"})


def test_an_unknown_figure_is_named():
    with pytest.raises(
        InputError, match="figure 'nosuch' is unknown; known: overview, bias_by_base, rope_family"
    ):
        build.build(["distance_bias", "nosuch"])


# The import closure, beside two other ways to find it.


@pytest.fixture(scope="module")
def traced() -> dict[str, set[str]]:
    """Our modules that are there after an import: a lower bound, as nothing inside functions has run."""
    modules = [function.partition(":")[0] for function in FUNCTIONS]
    done = subprocess.run(
        [sys.executable, "-c", TRACE, *modules], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {module: set(ours) for module, ours in map(json.loads, done.stdout.splitlines())}


@cache
def without_types(file: str) -> str:
    """A module's text without what only type checkers read; of a file once, as most are found from every step."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return ast.unparse(tree)


class RunningImports(ModuleFinder):
    """Python's own finder, which does not see what only type checkers read: a folder's list of lazy names."""

    def load_module(self, fqname, fp, pathname, file_info):
        if pathname and pathname.endswith(".py"):
            fp = io.StringIO(without_types(pathname))
        return super().load_module(fqname, fp, pathname, file_info)


@cache
def scanned(module: str) -> frozenset[str]:
    """Our modules that the byte code names, wherever in a file it stands: an upper bound."""
    finder = RunningImports(path=[str(ROOT)])
    finder.import_hook(module)
    return frozenset(name for name in finder.modules if name.split(".")[0] in build.OURS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_closure_is_what_is_imported(function: str, traced: dict[str, set[str]]):
    module = function.partition(":")[0]
    found = build.closure(module, KNOWN)
    assert traced[module] <= found
    expected = set(scanned(module))
    if "proofs.ledger" in found:  # it finds the modules of a package by their files
        papers = {f"proofs.paper.{path.stem}" for path in (ROOT / "proofs" / "paper").glob("*.py")}
        expected |= {name.removesuffix(".__init__") for name in papers}
        expected |= {name for paper in sorted(expected) for name in scanned(paper)}
    assert found == expected


def test_imports_in_functions_count_and_those_of_type_checkers_do_not(tmp_path: Path):
    package = tmp_path / "analysis"
    package.mkdir()
    for name in ("__init__", "a", "b", "c", "d"):
        (package / f"{name}.py").touch()
    (package / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from analysis import d\n"
        "def f():\n    from analysis.b import x\n"
    )
    (package / "b.py").write_text("import analysis.c as c\nimport numpy\n")
    assert build.closure("analysis.a", {}, tmp_path) == {"analysis", *(f"analysis.{x}" for x in "abc")}
    with pytest.raises(InputError, match=r"module analysis.nosuch does not exist; correct the catalogue"):
        build.closure("analysis.nosuch", {}, tmp_path)


# What runs after an edit: in a copy of the project, each study replaced by one that writes a line.

STEPS = """
import json, sys
from pathlib import Path
# the copy alone, not the checkout that is installed
sys.meta_path = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "_EditableFinder"]
from figures import build, catalogue

ROOT = Path(sys.argv[1])
assert catalogue.ROOT == ROOT, catalogue.ROOT

def written(step):
    kind, name = step
    row = catalogue.CATALOGUE.get(name)
    pictures = [catalogue.OUT / f"{name}.{kind}" for kind in ("pdf", "png")]
    for file in pictures if row is None or kind == "picture" else [row.path, *row.table_files]:
        file.write_text(f"{name} {len(ran)}")

def touch(name):
    path = ROOT / name
    path.write_text(path.read_text() + "\\n# edited\\n")

def imported(module, root, read=build._imported):
    # of each text once, as what it imports follows from it: else every file is parsed at every look
    key = module, build.file_of(module, root).read_bytes()
    if key not in known:
        known[key] = list(read(module, root))
    return known[key]

build.perform_step = written
build._imported = imported
ran, known = {}, {}

def looked(what, wanted=()):
    found = build.run_steps(wanted, processes=1)
    assert found.code == 0, found.outcomes
    ran[what] = sorted(step for step, how in found.outcomes.items() if how == "SUCCESS")

looked("named", ["picture[rope_family]"])
looked("rest")
looked("nothing")
for names in sys.argv[2:]:
    for name in names.split(","):
        touch(name)
    looked(names)
(ROOT / "figures/out/bias_by_base.png").unlink()
looked("missing")
(ROOT / "result.json").write_text(json.dumps(ran))
"""
APART = (
    "analysis/bench.py",
    "analysis/studies/phase_summary.py",
    "proofs/balls.py",
    "figures/fig_02_rope_family.py",
)
EDITED = (  # those whose steps have nothing in common at once: each look takes seconds
    "analysis/heads/mean_score.py",
    "analysis/theory/frequencies.py",
    "figures/style.py",
    ",".join(APART),
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Which steps ran: of a named figure, then of all, then after each edit."""
    root = tmp_path_factory.mktemp("project").resolve()
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in ("analysis", "figures", "proofs"):
        ignored = shutil.ignore_patterns("__pycache__", "out", "records")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-c", STEPS, root, *EDITED],
        cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {what: set(names) for what, names in json.loads((root / "result.json").read_text()).items()}


def downstream(stale: set[str]) -> set[str]:
    """Those steps and all that need what they make."""
    for name, row in CATALOGUE.items():  # a record stands after those that it needs
        if row.study and {f"record[{need}]" for need in row.needs} & stale:
            stale.add(f"record[{name}]")
    for figure in FIGURES.values():
        for stem, needs in figure.pictures.items():
            if {f"record[{need}]" for need in needs.values()} & stale:
                stale.add(f"picture[{stem}]")
    return stale


def expected(file: str) -> set[str]:
    """Steps whose study or drawing imports the file, found by scanning byte code, and what needs them."""
    module = file.removesuffix(".py").replace("/", ".")
    stale = {
        f"record[{name}]" for name, row in CATALOGUE.items() if row.study and module in scanned_of(row.study)
    }
    stale |= {
        f"picture[{stem}]"
        for figure in FIGURES.values()
        for stem in figure.pictures
        if module in scanned_of(figure.drawn_by)
    }
    return downstream(stale)


def scanned_of(function: str) -> set[str] | frozenset[str]:
    """`scanned`, and `proofs.paper` for the ledger."""
    found = scanned(function.partition(":")[0])
    return found | (traced_ledger() if "proofs.ledger" in found else set())


def traced_ledger() -> set[str]:
    return {
        "proofs." + ".".join(path.relative_to(ROOT / "proofs").with_suffix("").parts)
        for path in (ROOT / "proofs").rglob("*.py")
    }


EVERYTHING = {f"record[{name}]" for name, row in CATALOGUE.items() if row.study} | {
    f"picture[{stem}]" for figure in FIGURES.values() for stem in figure.pictures
}


def test_a_named_figure_runs_its_own_branch(ran: dict[str, set[str]]):
    assert ran["named"] == {"record[family]", "picture[rope_family]"}


def test_the_rest_is_made_next_and_then_nothing_runs(ran: dict[str, set[str]]):
    assert ran["rest"] == EVERYTHING - ran["named"]
    assert ran["nothing"] == set()


@pytest.mark.parametrize("files", EDITED)
def test_an_edit_makes_exactly_those_steps_stale_that_import_it(files: str, ran: dict[str, set[str]]):
    assert ran[files] == set().union(*map(expected, files.split(",")))


def test_the_edits_are_of_every_kind(ran: dict[str, set[str]]):
    """None, some, all pictures and no record."""
    none, summary, claims, picture = map(expected, APART)
    assert none == set()
    assert "record[phase_summary]" in summary
    assert claims == {"record[claims]", "picture[claims]"}
    assert picture == {"picture[rope_family]"}
    assert len(ran[EDITED[-1]]) == len(summary) + len(claims) + len(picture)
    assert 0 < len(ran["analysis/heads/mean_score.py"]) < len(ran["analysis/theory/frequencies.py"])
    assert {"record[smollm2]", "picture[distance_bias]"} <= ran["analysis/heads/mean_score.py"]
    assert "record[closed_form]" not in ran["analysis/heads/mean_score.py"]
    assert ran["figures/style.py"] == {step for step in EVERYTHING if step.startswith("picture")}


def test_a_missing_product_is_made_again_alone(ran: dict[str, set[str]]):
    assert ran["missing"] == {"picture[bias_by_base]"}
