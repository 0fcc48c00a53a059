"""The public API, and the running examples in docstrings: they are there, they are many, and they hold."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis

ROOT = Path(__file__).resolve().parents[1]
LEAST = 120  # docstrings with an example
FOLDERS = [
    "analysis",
    *sorted(f"analysis/{p.parent.name}" for p in (ROOT / "analysis").glob("*/__init__.py")),
]
FOLDERS.remove("analysis/cli")  # commands


def modules() -> Iterator[str]:
    """Modules of analysis and proofs that have an example."""
    for path in sorted(path for top in ("analysis", "proofs") for path in (ROOT / top).rglob("*.py")):
        if ">>>" in path.read_text(encoding="utf-8"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def examples(module: str) -> list[doctest.DocTest]:
    """Of one module, its functions and classes."""
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(module)) if test.examples]


@pytest.mark.parametrize("module", list(modules()))
def test_examples_hold(module: str):
    found = examples(module)
    assert found
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in found:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_many_examples():
    assert sum(len(examples(module)) for module in modules()) >= LEAST


def test_an_example_that_does_not_hold_is_seen():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "planted", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1


def public(folder: str) -> list[str]:
    """What the `__init__` of a folder of analysis offers, as a type checker reads it: `from M import A as A`."""
    tree = ast.parse((ROOT / folder / "__init__.py").read_text(encoding="utf-8"))
    lines = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [alias.name for line in lines for alias in line.names if alias.asname == alias.name]


API = [(folder, name) for folder in FOLDERS for name in public(folder)]


@pytest.mark.parametrize(("folder", "name"), API, ids=lambda x: x.replace("/", "."))
def test_every_public_name_is_there_with_an_example(folder: str, name: str):
    """Constants have no docstring of their own."""
    found = getattr(importlib.import_module(folder.replace("/", ".")), name)
    if isinstance(found, type) or callable(found):
        assert ">>>" in (found.__doc__ or ""), f"{found.__module__}.{name} has no example"


def test_every_folder_has_an_api():
    assert {folder for folder, _ in API} == set(FOLDERS)
    for folder in FOLDERS:
        assert len(public(folder)) >= 4, folder


@pytest.mark.parametrize(
    ("folder", "absent"),
    [
        ("theory", "torch"),
        ("models", "transformers"),
        ("models", "torch"),
        ("studies", "torch"),
        ("heads", "numpy"),
    ],
)
def test_importing_a_folder_imports_none_of_its_modules(folder: str, absent: str):
    code = (
        f"import sys; import analysis.{folder}\n"
        "new = {name for name in sys.modules if name.startswith('analysis.')}\n"
        f"print(sorted(new - {{'analysis.lazy', 'analysis.{folder}'}}), {absent!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[] False"


def test_our_own_modules_import_from_modules_and_not_from_folders():
    """A figure's step depends on the modules that are named, and a folder's lazy names would hide them."""
    lazy = {folder.replace("/", "."): set(public(folder)) for folder in FOLDERS}
    lazy = {
        name: names for name, names in lazy.items() if hasattr(importlib.import_module(name), "__getattr__")
    }
    for path in sorted(
        path for top in ("analysis", "figures", "proofs") for path in (ROOT / top).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module not in lazy:
                continue
            folder = ROOT.joinpath(*node.module.split("."))
            if path != folder / "__init__.py":  # a folder names its own folders
                hidden = lazy[node.module] & {alias.name for alias in node.names}
                assert not hidden, f"{path.relative_to(ROOT)}:{node.lineno}: import {hidden} from its module"


def test_the_api_is_two_dozen_names_and_lists_itself():
    assert dir(analysis) == sorted(analysis.__all__)
    assert 20 <= len(analysis.__all__) <= 32
    with pytest.raises(AttributeError, match="module 'analysis' has no attribute 'expected_scor'"):
        analysis.__getattr__("expected_scor")


def test_names_that_moved_are_found_with_a_warning():
    """The policy of CONTRIBUTING: kept for one minor version, with what replaces them."""
    for name, home in (("cos_limit", "analysis.theory"), ("read", "analysis.records")):
        assert name not in analysis.__all__
        with pytest.warns(DeprecationWarning, match=f"analysis.{name} will go .*; import it from {home}"):
            found = getattr(analysis, name)
        assert found is getattr(importlib.import_module(home), name)


def test_a_folder_is_a_name_like_others():
    assert analysis.encodings.Tapa is analysis.Tapa


def test_importing_analysis_imports_no_numbers():
    code = (
        "import sys; before = set(sys.modules); import analysis; new = set(sys.modules) - before\n"
        "print(len(new), {'numpy', 'torch', 'jaxtyping'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    count, heavy = done.stdout.split(maxsplit=1)
    assert heavy.strip() == "set()"
    assert int(count) < 30
