"""The public API, and the running examples in docstrings: they are there, they are many, and they hold."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis

ROOT = Path(__file__).resolve().parents[1]
LEAST = 40  # docstrings with an example


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


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_public_name_is_there_with_an_example(name: str):
    found = getattr(analysis, name)
    assert ">>>" in (found.__doc__ or ""), f"{found.__module__}.{name} has no example"


def test_the_api_is_two_dozen_names_and_lists_itself():
    assert dir(analysis) == sorted(analysis.__all__)
    assert 20 <= len(analysis.__all__) <= 32
    with pytest.raises(AttributeError, match="module 'analysis' has no attribute 'expected_scor'"):
        analysis.__getattr__("expected_scor")


def test_importing_analysis_imports_no_numbers():
    code = (
        "import sys; before = set(sys.modules); import analysis; new = set(sys.modules) - before\n"
        "print(len(new), {'numpy', 'torch', 'jaxtyping'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    count, heavy = done.stdout.split(maxsplit=1)
    assert heavy.strip() == "set()"
    assert int(count) < 30
