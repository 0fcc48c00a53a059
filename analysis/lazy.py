"""A package's public names, imported when they are first used: PEP 562, for the `__init__` of every folder.

An `__init__` lists its names once, as a type checker reads them, and hands over its own name:

    if TYPE_CHECKING:
        from analysis.theory.frequencies import Frequencies as Frequencies
        from analysis.theory.frequencies import plain as plain

    __getattr__, __dir__, __all__ = lazy.exports(__name__)

Importing the package, or a single module of it, so costs none of the others: a refusal imports no torch, and a figure's
step depends on the modules that it names. Therefore our own modules import from modules, users from folders.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any


def exports(
    package: str, moved: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, whose `__init__` is being run.

    Args:
        package: its `__name__`; `from M import A as A` under its `if TYPE_CHECKING:` makes A public, which is a folder
            of the package where M is the package itself.
        moved: names that were public here, and the package that offers them now: still found, with a warning.

    >>> import analysis.theory
    >>> get, names, everything = exports("analysis.theory")
    >>> get("plain").__module__, "yarn" in everything
    ('analysis.theory.frequencies', True)
    """
    homes = dict(_listed(Path(str(sys.modules[package].__file__))))
    everything = sorted(homes)
    gone = moved or {}

    def get(name: str) -> Any:
        if name in gone:
            said = f"{package}.{name} will go with the next minor version; import it from {gone[name]}"
            warnings.warn(said, DeprecationWarning, stacklevel=2)
            return getattr(import_module(gone[name]), name)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        value = import_module(f"{home}.{name}") if home == package else getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: everything, everything


def _listed(file: Path) -> Iterator[tuple[str, str]]:
    """Public names of an `__init__`, each with the module that it comes from."""
    for block in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for line in block.body:
                assert isinstance(line, ast.ImportFrom)
                assert line.module
                yield from ((alias.name, line.module) for alias in line.names)
