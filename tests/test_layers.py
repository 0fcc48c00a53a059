"""Who may import whom: one table, held against every module's syntax tree, and seen to fail.

The tree is read, never run, so an import inside a function, behind `TYPE_CHECKING` or spelled
`importlib.import_module("name")` counts like any other. The last test, a second witness, runs the imports.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "proofs", "figures")
PROJECT = (*PACKAGES, "notebooks", "tests")


@dataclass(frozen=True)
class Layer:
    """One row of the table. Names are dotted; a trailing `.*` stands for everything below."""

    name: str
    modules: tuple[str, ...]
    project: tuple[str, ...]
    third: tuple[str, ...]
    never: tuple[str, ...] = ()

    def permits(self, target: str) -> bool:
        """Is a project module, or a third-party top level, on this row's lists?"""
        if target.split(".")[0] in PROJECT:
            hidden = target.endswith("*") and matches_any(self.never, target)
            return matches(target, self.project) and not matches(target, self.never) and not hidden
        return target in self.third


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def matches_any(names: tuple[str, ...], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


L0 = ("analysis", "analysis.errors", "analysis.evidence", "analysis.notation")
L1 = (*L0, "analysis.theory", "analysis.theory.*")
L2 = ("analysis", "analysis.*")
L3 = ("analysis.cli", "analysis.cli.*", "analysis.cli_lm")
NUMBERS = ("numpy", "scipy", "torch", "xarray", "jaxtyping", "filelock", "platformdirs", "safetensors")

# The first row whose `modules` matches a module is its row. The standard library is open to all.
TABLE = (
    Layer("L0", L0, L0, ("numpy",)),
    Layer("L1", ("analysis.theory", "analysis.theory.*"), L1, ("numpy", "scipy", "jaxtyping")),
    Layer(
        "L3",
        L3,
        (*L2, "proofs.status", "proofs.verify", "figures.build"),  # each behind one command
        ("numpy", "typer", "rich"),
        never=("analysis.pip_stream",),
    ),
    Layer(
        "L2, checkpoints",
        tuple(f"analysis.heads.{name}" for name in ("capture", "checkpoint", "convert", "files", "model")),
        L2,
        (*NUMBERS, "transformers", "huggingface_hub", "gguf"),
        never=(*L3, "analysis.pip_stream"),
    ),
    Layer(
        "L2, tokenizer",
        ("analysis.lm.tokenizer",),
        L2,
        (*NUMBERS, "tokenizers"),
        never=(*L3, "analysis.pip_stream"),
    ),
    Layer("L2, bench", ("analysis.bench",), L2, (*NUMBERS, "flint"), never=(*L3, "analysis.pip_stream")),
    Layer("L2, progress", ("analysis.progress",), L0, ("rich",)),
    Layer("L2, workers", ("analysis.workers",), L0, ("torch", "joblib", "distributed")),
    Layer("pip", ("analysis.pip_stream",), (), ("pip",)),  # a program of its own, run by the user's pip
    Layer("L2", ("analysis.*",), L2, NUMBERS, never=(*L3, "analysis.pip_stream")),
    Layer("proofs", ("proofs", "proofs.*"), (*L0, "proofs", "proofs.*"), ("sympy", "mpmath", "flint")),
    Layer(
        "figures/fig_*",
        ("figures.fig_*",),
        (
            "figures",
            "figures.style",
            "figures.ranking",
            "analysis.lm.labels",
            "analysis.records",
            "proofs.status",
        ),
        ("matplotlib", "numpy", "xarray"),
    ),
    Layer(
        "figures/task_*",
        ("figures.task_*", "figures.build", "figures.places", "figures.schemas"),
        ("figures", "figures.*", *L2, "proofs.status", "proofs.verify"),
        ("pytask", "xarray"),
        never=("analysis.pip_stream",),
    ),
    Layer(
        "figures/explore",  # the notebooks' sliders and tables: a notebook holds no logic of its own
        (
            "figures.explore",
            "figures.claims_view",
            "figures.phase_view",
            "figures.results_view",
            "figures.tapa_view",
        ),
        ("figures", "figures.*", *L2),
        ("ipywidgets", "matplotlib", "numpy", "xarray"),
        never=(*L3, "figures.task_*", "analysis.pip_stream"),
    ),
    Layer(
        "figures", ("figures", "figures.*"), ("figures", "figures.style"), ("matplotlib", "numpy", "xarray")
    ),
)


def layer_of(module: str) -> Layer:
    for layer in TABLE:
        if matches(module, layer.modules):
            return layer
    raise LookupError(f"{module} belongs to no layer")


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _resolve(level: int, name: str, package: str) -> str:
    """Absolute name of a relative import written in `package`, e.g. level 1, "lags" in "analysis.heads"."""
    if not level:
        return name
    base = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*base, name] if name else base)


def _from_targets(node: ast.ImportFrom, package: str, root: Path) -> Iterator[str]:
    """`from a import b` means module a.b where there is one, else a; `from a import *` means a."""
    source = _resolve(node.level, node.module or "", package)
    for alias in node.names:
        below = root.joinpath(*source.split("."), alias.name)
        is_module = below.with_suffix(".py").is_file() or below.is_dir()
        yield f"{source}.{alias.name}" if is_module else source


def _dynamic_target(node: ast.Call, package: str) -> str | None:
    """Target of `import_module(...)` or `__import__(...)`, "" where it is not written out; else None.

    An f-string that begins with a package's name, f"proofs.paper.{name}", counts as every module it can name.
    """
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in ("import_module", "__import__"):
        return None
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        dots = len(first.value) - len(first.value.lstrip("."))
        return _resolve(dots, first.value.lstrip("."), package)
    if isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
        head = str(first.values[0].value)
        return f"{head}*" if head.startswith(tuple(f"{name}." for name in PROJECT)) else ""
    return ""


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted target of every import in a file; the target is "" where it cannot be told."""
    module = module_name(path, root)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, target) for target in _from_targets(node, package, root))
        elif isinstance(node, ast.Call) and (target := _dynamic_target(node, package)) is not None:
            yield node.lineno, target


def violations(root: Path) -> list[str]:
    """Every import in the packages under `root` that the table does not allow, as "file:line: ..."."""
    found = []
    for path in sorted(p for name in PACKAGES for p in (root / name).rglob("*.py")):
        layer = layer_of(module_name(path, root))
        for line, target in imports(path, root):
            top = target.split(".")[0]
            shown = target if top in PROJECT else top
            if top and (top in sys.stdlib_module_names or layer.permits(shown)):
                continue
            what = f"imports {shown}" if target else "imports a module whose name is not a literal"
            found.append(f"{path.relative_to(root)}:{line}: {layer.name} {what}")
    return found


def test_the_tree_keeps_to_the_table():
    assert (ROOT / "analysis" / "evidence.py").is_file()  # the tree was found
    assert violations(ROOT) == []


PLANTED = [
    # file, source, what the report must say
    ("analysis/notation.py", "import torch", "L0 imports torch"),
    ("analysis/__init__.py", "from analysis import records", "L0 imports analysis.records"),
    ("analysis/errors.py", "from .theory.bias import x", "L0 imports analysis.theory.bias"),
    ("analysis/bench.py", "import sympy", "L2, bench imports sympy"),
    ("analysis/theory/bias.py", "import torch", "L1 imports torch"),
    ("analysis/theory/bias.py", "from analysis.encodings import Rope", "L1 imports analysis.encodings"),
    ("analysis/theory/bias.py", "from ..heads import lags", "L1 imports analysis.heads.lags"),
    ("analysis/theory/bias.py", "def f():\n    import analysis.cli", "L1 imports analysis.cli"),
    ("analysis/heads/lags.py", "from transformers import AutoModel", "L2 imports transformers"),
    ("analysis/heads/lags.py", "import gguf", "L2 imports gguf"),
    ("analysis/heads/lags.py", "import matplotlib.pyplot as plt", "L2 imports matplotlib"),
    ("analysis/records.py", "from . import cli", "L2 imports analysis.cli"),
    ("analysis/records.py", "from analysis.cli.app import main", "L2 imports analysis.cli.app"),
    ("analysis/heads/capture.py", "from .. import cli", "L2, checkpoints imports analysis.cli"),
    ("analysis/lm/text.py", "from tokenizers import Tokenizer", "L2 imports tokenizers"),
    ("analysis/lm/tokenizer.py", "from transformers import AutoTokenizer", "tokenizer imports transformers"),
    ("analysis/cli.py", "import torch", "L3 imports torch"),
    ("analysis/cli.py", "from figures import fig_bias", "L3 imports figures.fig_bias"),
    ("analysis/cli/measure.py", "import transformers", "L3 imports transformers"),
    ("proofs/ledger.py", "import numpy as np", "proofs imports numpy"),
    ("proofs/ledger.py", "from analysis import theory", "proofs imports analysis.theory"),
    ("proofs/ledger.py", "from analysis.theory.bias import x", "proofs imports analysis.theory.bias"),
    ("proofs/paper/a.py", "import importlib as i\ni.import_module('scipy.special')", "proofs imports scipy"),
    (
        "proofs/paper/a.py",
        "from importlib import import_module\nimport_module('torch')",
        "proofs imports torch",
    ),
    ("proofs/paper/a.py", "__import__('analysis.records')", "proofs imports analysis.records"),
    ("proofs/paper/a.py", "import importlib\nimportlib.import_module(f'analysis.{x}')", "imports analysis.*"),
    (
        "analysis/curves.py",
        "import importlib\nimportlib.import_module(f'analysis.c{x}')",
        "imports analysis.c*",
    ),
    ("proofs/paper/a.py", "import importlib\nimportlib.import_module(f'{x}')", "whose name is not a literal"),
    ("proofs/paper/a.py", "import importlib\nimportlib.import_module(x)", "whose name is not a literal"),
    ("figures/fig_bias.py", "import torch", "figures/fig_* imports torch"),
    ("figures/fig_bias.py", "from analysis.theory import bias", "figures/fig_* imports analysis.theory.bias"),
    ("figures/fig_bias.py", "from analysis.heads.lags import x", "imports analysis.heads.lags"),
    ("figures/fig_bias.py", "from proofs.paper import a", "figures/fig_* imports proofs.paper.a"),
    ("figures/fig_bias.py", "from . import task_bias", "figures/fig_* imports figures.task_bias"),
    ("figures/style.py", "from analysis.records import read", "figures imports analysis.records"),
    ("figures/explore.py", "import torch", "figures/explore imports torch"),
    ("figures/explore.py", "from figures import task_bias", "figures/explore imports figures.task_bias"),
    ("figures/explore.py", "from analysis import cli", "figures/explore imports analysis.cli"),
    ("figures/build.py", "import matplotlib", "figures/task_* imports matplotlib"),
    ("figures/task_bias.py", "import torch", "figures/task_* imports torch"),
    ("figures/task_bias.py", "import proofs.paper.a", "figures/task_* imports proofs.paper.a"),
    ("figures/task_bias.py", "from proofs import ledger", "figures/task_* imports proofs.ledger"),
    ("figures/claims_view.py", "from proofs import status", "figures/explore imports proofs.status"),
    ("figures/fig_bias.py", "from proofs.verify import verify", "figures/fig_* imports proofs.verify"),
    ("analysis/progress.py", "import torch", "L2, progress imports torch"),
    ("analysis/workers.py", "import numpy", "L2, workers imports numpy"),
    ("analysis/records.py", "import joblib", "L2 imports joblib"),
    ("analysis/pip_stream.py", "from analysis import errors", "pip imports analysis.errors"),
    ("analysis/records.py", "from analysis.pip_stream import main", "L2 imports analysis.pip_stream"),
    ("analysis/records.py", "import notebooks", "L2 imports notebooks"),
    ("figures/task_bias.py", "from tests.test_layers import TABLE", "figures/task_* imports tests"),
    ("analysis/cli.py", "if TYPE_CHECKING:\n    import notebooks", "L3 imports notebooks"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A skeleton in which every import below resolves, and which breaks no rule itself."""
    allowed = {
        "analysis/theory/bias.py": "import __future__\nimport scipy.fft\nfrom .. import errors",
        "analysis/heads/lags.py": "import torch\nfrom analysis.theory.bias import x\nfrom . import capture",
        "analysis/heads/capture.py": "def f():\n    import transformers, gguf",
        "analysis/heads/checkpoint.py": "from safetensors.torch import load_file",
        "analysis/lm/tokenizer.py": "from tokenizers import Tokenizer",
        "analysis/lm/text.py": "from analysis.lm.tokenizer import fit",
        "analysis/curves.py": "from analysis.clip import x",
        "analysis/clip.py": "import numpy",
        "analysis/sampling.py": "from analysis.workers import x",
        "analysis/workers.py": "import joblib, torch\nfrom analysis.errors import x\ndef f():\n    import distributed",
        "analysis/progress.py": "from rich.progress import Progress",
        "analysis/pip_stream.py": "from pip._internal.commands import create_command",
        "analysis/records.py": "import xarray as xr\nfrom . import errors, evidence",
        "analysis/errors.py": "import numpy as np",
        "analysis/evidence.py": "import enum",
        "analysis/notation.py": "",
        "analysis/cli.py": "import typer\nfrom rich.progress import Progress\nfrom figures.build import build",
        "proofs/ledger.py": "import importlib\nimportlib.import_module(f'proofs.{x}')\nfrom flint import arb",
        "proofs/paper/a.py": "from analysis.evidence import Evidence\nfrom analysis import notation",
        "proofs/status.py": "import sympy, mpmath\nfrom .ledger import x",
        "proofs/verify.py": "from proofs.ledger import x",
        "figures/fig_bias.py": "import matplotlib\nfrom figures import style\nfrom analysis import records",
        "figures/task_bias.py": "import pytask\nfrom proofs import status, verify\nfrom .fig_bias import draw",
        "figures/explore.py": "import ipywidgets\nfrom analysis.theory import bias\nfrom . import fig_bias",
        "figures/build.py": "import pytask\nimport importlib\nimportlib.import_module(f'figures.fig_{x}')",
        "figures/style.py": "import matplotlib",
    }
    for folder in (
        "analysis",
        "analysis/theory",
        "analysis/heads",
        "analysis/lm",
        "proofs",
        "proofs/paper",
        "figures",
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "__init__.py").touch()
    for name, source in allowed.items():
        (tmp_path / name).write_text(source + "\n", encoding="utf-8")
    return tmp_path


def test_what_the_table_allows_passes(tree: Path):
    assert violations(tree) == []


@pytest.mark.parametrize(("name", "source", "report"), PLANTED)
def test_a_planted_violation_is_reported(tree: Path, name: str, source: str, report: str):
    path = tree / name
    if name.startswith("analysis/cli/"):  # the command line as a package
        (tree / "analysis" / "cli.py").unlink()
        path.parent.mkdir()
        (path.parent / "__init__.py").touch()
    if "analysis.cli.app" in source:
        (tree / "analysis" / "cli.py").unlink()
        (tree / "analysis" / "cli").mkdir()
        (tree / "analysis" / "cli" / "app.py").touch()
    path.write_text(source + "\n", encoding="utf-8")
    found = violations(tree)
    assert len(found) == 1, found
    assert found[0].startswith(f"{name}:{len(source.splitlines())}: ")
    assert report in found[0]


def test_every_row_has_a_planted_violation():
    rows = {layer_of(module_name(Path(name), Path())).name for name, _, _ in PLANTED}
    assert rows == {layer.name for layer in TABLE}


def test_a_module_outside_the_table_is_refused():
    with pytest.raises(LookupError, match=r"^scripts\.release belongs to no layer$"):
        layer_of("scripts.release")


def test_contributing_shows_this_table():
    """The table for readers has every row, with exactly the third-party packages that are checked here."""
    lines = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    shown = {row[0]: {word.strip(" `") for word in row[-1].split(",")} for row in rows}
    for layer in TABLE:
        assert shown.get(layer.name) == set(layer.third), layer.name


LOADED = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(("package", "row"), [("analysis.theory", "L1"), ("proofs", "proofs")])
def test_what_really_gets_loaded(package: str, row: str):
    """The independent witnesses stay independent at run time too, through whatever they import."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, package], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    layer = next(layer for layer in TABLE if layer.name == row)
    ours = [name for name in loaded if name.split(".")[0] in PROJECT]
    assert package in ours
    assert [name for name in ours if not layer.permits(name)] == []
    assert not {"torch", "transformers", "xarray", "matplotlib"} & set(loaded)
