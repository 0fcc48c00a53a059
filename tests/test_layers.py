"""One order: a module imports only from its own folder and from the left. CONTRIBUTING.md has it on one line."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
(LINE,) = re.findall(r"^`(errors evidence .*)`$", CONTRIBUTING, re.MULTILINE)
ORDER = {name: rank for rank, level in enumerate(LINE.split("<")) for name in level.replace("|", " ").split()}
FILES = {name for name in ORDER if (ROOT / "analysis" / f"{name}.py").is_file()}  # rooms of one file
OURS = ("analysis", "proofs", "figures")
CHECKPOINTS = {"transformers", "huggingface_hub", "gguf"}  # what reads checkpoints, in analysis/models alone
EXACT = {"sympy", "mpmath", "flint"}  # all that proofs may import of others
WHOLE = "proofs/checks.py"  # and NumPy here, whose products of integers are exact
NO_FORMULA = {"errors", "evidence", "files", "processes"}  # what proofs may import of analysis
CLOSED = {"numpy", "scipy", "jaxtyping"}  # and analysis/theory
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for top in OURS
    for path in sorted((ROOT / top).rglob("*.py"))
}


@cache
def imported(text: str) -> tuple[tuple[int, str, str], ...]:
    """Line, module and name ("" for a module) of every import, those inside functions too."""
    nodes = list(ast.walk(ast.parse(text)))
    plain = [(n.lineno, alias.name, "") for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    named = [n for n in nodes if isinstance(n, ast.ImportFrom)]
    assert not any(n.level for n in named), "relative import"
    return (*plain, *((n.lineno, str(n.module), alias.name) for n in named for alias in n.names))


def allowed(path: str, target: str) -> bool:
    """May the file at `path`, relative to the root, import `target`?"""
    here, there, top = path.split("/"), target.split("."), target.split(".")[0]
    room = here[1].removesuffix(".py")
    if top not in OURS:
        if here[0] == "proofs" or path.startswith("analysis/theory/"):
            others = EXACT | {"numpy"} if path == WHOLE else EXACT if here[0] == "proofs" else CLOSED
            return top in sys.stdlib_module_names | others
        return top in sys.stdlib_module_names or top not in CHECKPOINTS or path.startswith("analysis/models/")
    if here[0] == "proofs":
        return top == "proofs" or (top == "analysis" and there[-1] in NO_FORMULA and len(there) == 2)
    if here[0] == "figures":
        return target == "figures.style" if room.startswith("fig_") else not target.startswith("analysis.cli")
    if top != "analysis":
        return room == "cli" and top in ("proofs", "figures")
    if room == "__init__":
        return there[1:2] != ["cli"]
    if len(there) == 1:
        return room == "cli"
    files_of_one_level = room in FILES and there[1] in FILES and ORDER[room] == ORDER[there[1]]
    return there[1] == room or ORDER[there[1]] < ORDER[room] or files_of_one_level


def violations(sources: Mapping[str, str]) -> list[str]:
    """Every import that the order forbids, and the first cycle between files."""
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in sources}
    found, graph = [], {}
    for module, name in modules.items():
        targets = []
        for line, source, what in imported(sources[name]):
            target = f"{source}.{what}" if f"{source}.{what}" in modules else source
            targets.append(target)
            if not allowed(name, target):
                found.append(f"{name}:{line} imports {target}")
        graph[module] = {target for target in targets if target in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"cycle: {' -> '.join(error.args[1])}")
    return found


def test_every_import_keeps_the_order():
    rooms = {name.split("/")[1].removesuffix(".py") for name in SOURCES if name.startswith("analysis/")}
    assert rooms == {*ORDER, "__init__"}
    assert violations(SOURCES) == []


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("analysis/theory/rope.py", "import torch", "imports torch"),
        (
            "analysis/theory/theorem_2_2.py",
            "from analysis.encodings import base",
            "imports analysis.encodings.base",
        ),
        ("analysis/heads/mean_score.py", "from analysis.training import train", "analysis.training.train"),
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
def test_a_planted_import_is_seen(file: str, line: str, said: str):
    (report,) = violations(SOURCES | {file: f"{SOURCES[file]}\n{line}\n"})
    assert said in report
