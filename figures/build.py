"""Runs the graph of tasks: fetch, measure, draw; only what is missing or out of date."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytask

from analysis.errors import InputError
from figures.places import ROOT

HERE = Path(__file__).resolve().parent


def figure_modules() -> dict[str, str]:
    """The module of each figure by the figure's name, "distance_bias" of `fig_03_distance_bias`, in their order."""
    stems = sorted(path.stem for path in HERE.glob("fig_*.py"))
    return {stem.split("_", 2)[2]: stem for stem in stems}


def build(names: Sequence[str] = (), *, force: bool = False) -> int:
    """Make the named figures, or all, with the records that they need.

    Code that was edited after this process had imported it is not seen: `tapa figures` is a process of its own.

    Returns:
        The exit code: 0 if every step succeeded.

    Raises:
        InputError: for a name that is no figure.
    """
    known = list(figure_modules())
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"figure {unknown[0]!r} is unknown; known: {', '.join(known)}")
    # a task module that was imported before is not run again, and the tasks that it decorates would be missed
    for imported in [name for name in sys.modules if name.startswith("figures.task_")]:
        del sys.modules[imported]
    session = pytask.build(
        paths=HERE,
        config=ROOT / "pyproject.toml",
        expression=" or ".join(f"[{name}] or [{name}-" for name in names),  # one picture, or one a checkpoint
        force=force,
        capture="no",
        show_traceback=True,
        stop_after_first_failure=True,
    )
    return int(session.exit_code)
