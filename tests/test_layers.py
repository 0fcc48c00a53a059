"""One order: a module imports only from its own folder and from the left. CONTRIBUTING.md has it on one line."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
(LINE,) = re.findall(r"^`(errors evidence < .*)`$", CONTRIBUTING, re.MULTILINE)
ORDER = {name: rank for rank, level in enumerate(LINE.split("<")) for name in level.replace("|", " ").split()}
BASE = (
    "errors",
    "evidence",
    "settings",
    "notation",
    "records",
    "intervals",
    "tables",
    "progress",
    "workers",
    "assets",
    "download",
    "pip_stream",
)
OURS = ("analysis", "proofs", "figures")
CHECKPOINTS = {"transformers", "huggingface_hub", "gguf"}  # what reads checkpoints, in analysis/models alone
EXACT = {"sympy", "mpmath", "flint"}  # all that proofs may import of others
CLOSED = {"numpy", "scipy", "jaxtyping"}  # and analysis/theory


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted target of every import of a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively"
            for alias in node.names:
                target = f"{node.module}.{alias.name}"
                found = root.joinpath(*target.split("."))
                yield (
                    node.lineno,
                    target if found.with_suffix(".py").is_file() or found.is_dir() else node.module,
                )


def allowed(path: str, target: str) -> bool:
    """May the file at `path`, relative to the root, import `target`?"""
    here, there, top = path.split("/"), target.split("."), target.split(".")[0]
    room = here[1].removesuffix(".py")
    if top not in OURS:
        if here[0] == "proofs" or path.startswith("analysis/theory/"):
            return top in sys.stdlib_module_names | (EXACT if here[0] == "proofs" else CLOSED)
        return top in sys.stdlib_module_names or top not in CHECKPOINTS or path.startswith("analysis/models/")
    if here[0] == "proofs":
        return top == "proofs" or target in ("analysis.errors", "analysis.evidence")
    if here[0] == "figures":
        return (
            target.startswith(("figures.style", "figures.fig_"))
            if room.startswith("fig_")
            else not target.startswith("analysis.cli")
        )
    if top != "analysis":
        return room == "cli" and there[0] in ("proofs", "figures")
    if room == "__init__":
        return there[1:2] != ["cli"]
    same_level_of_files = room in BASE and there[1] in BASE and ORDER[room] == ORDER[there[1]]
    return there[1] == room or ORDER[there[1]] < ORDER[room] or same_level_of_files


def violations(root: Path) -> list[str]:
    """Every import that the order forbids, and the first cycle between files."""
    found, graph = [], {}
    for path in sorted(p for top in OURS for p in (root / top).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        targets = list(imports(path, root))
        graph[module] = {target for _, target in targets if target.split(".")[0] in OURS}
        found += [f"{name}:{line} imports {target}" for line, target in targets if not allowed(name, target)]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"cycle: {' -> '.join(error.args[1])}")
    return found


def test_every_import_keeps_the_order():
    rooms = {
        path.relative_to(ROOT / "analysis").parts[0].removesuffix(".py")
        for path in (ROOT / "analysis").rglob("*.py")
    }
    assert rooms == {*ORDER, "__init__"}
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("analysis/theory/rope.py", "import torch", "imports torch"),
        ("analysis/theory/rope.py", "from analysis.encodings import base", "imports analysis.encodings.base"),
        (
            "analysis/heads/mean_score.py",
            "from analysis.training import train",
            "imports analysis.training.train",
        ),
        ("analysis/text/corpus.py", "def f():\n    import transformers", "imports transformers"),
        ("analysis/settings.py", "from analysis import records", "imports analysis.records"),
        ("analysis/records.py", "from proofs import status", "imports proofs.status"),
        ("analysis/bench.py", "from analysis.cli import options", "imports analysis.cli.options"),
        ("proofs/balls.py", "import numpy", "imports numpy"),
        ("proofs/balls.py", "from analysis.theory import rope", "imports analysis.theory.rope"),
        ("figures/fig_03_distance_bias.py", "from analysis import settings", "imports analysis.settings"),
        ("analysis/encodings/base.py", "from analysis.encodings import tapa", "cycle: "),
    ],
)
def test_a_planted_import_is_seen(tmp_path: Path, file: str, line: str, said: str):
    for top in OURS:
        shutil.copytree(
            ROOT / top, tmp_path / top, ignore=shutil.ignore_patterns("*.[!p]*", "records", "trained")
        )
    with (tmp_path / file).open("a", encoding="utf-8") as open_file:
        open_file.write(f"\n{line}\n")
    (report,) = violations(tmp_path)
    assert said in report
