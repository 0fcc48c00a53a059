"""A user's own class as a method: `method=mypackage.module:Class`.

Its module is imported when the user names it, and only then. A checkpoint that names one is opened if the class was
imported before, by that name: reading a checkpoint imports no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import math
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from analysis.encodings import Encoding
from analysis.encodings.base import PathEncoding
from analysis.errors import InputError
from analysis.models.config import MethodConfig, ModelConfig, check_import_path
from analysis.processes import Terminated
from analysis.settings import nearest

SIZES = ("head_dim", "heads", "kv_heads", "layers", "context")
"""What a model tells the constructor of a class, beside `layer`, where it has a parameter of that name."""


def imported(name: str) -> type[Encoding]:
    """A user's class by its import path; its module is imported, also from the current directory.

    Raises:
        InputError: the module cannot be imported, has no such class, or the class is no encoding.
    """
    check_import_path(name)
    module = name.partition(":")[0]
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        with _mended_by_its_author(f"method {name}: module {module}", None):
            importlib.import_module(module)
    except (ImportError, SyntaxError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"method {name}: module {module} cannot be imported ({reason}); "
            "start in the folder that holds it, or install it"
        ) from error
    finally:
        if added:
            sys.path.remove(here)
    return loaded(name)


def loaded(name: str) -> type[Encoding]:
    """A user's class whose module is imported already; nothing is imported, nor any code run.

    Raises:
        InputError: it is not imported, there is no such class, or it is no encoding.
    """
    module, _, wanted = name.partition(":")
    if module not in sys.modules:
        raise InputError(
            f"method {name} is a class of somebody's own, and a checkpoint may not have code imported; if you trust "
            f"it, name it: --method {name} for `tapa evaluate` and `tapa bias`, method={name} for `tapa train`; no "
            f"other command opens it"
        )
    held = vars(sys.modules[module])  # not getattr, which a module may answer with code
    found = held.get(wanted)
    if not inspect.isclass(found):
        classes = [
            key for key, value in held.items() if inspect.isclass(value) and issubclass(value, Encoding)
        ]
        known = f"; {nearest(wanted, classes)}" if classes else ""
        raise InputError(f"method {name}: module {module} has no class {wanted}{known}")
    if not issubclass(found, Encoding):
        raise InputError(f"method {name} is no encoding; derive it from analysis.encodings.Encoding")
    if lacking := sorted(found.__abstractmethods__):
        raise InputError(f"method {name} is no whole encoding; it lacks {', '.join(lacking)}")
    return found


def source_sha256(cls: type) -> str:
    """Of the file that defines a class; `InputError` if it has none, as where it was typed into a prompt."""
    file = inspect.getsourcefile(cls) if cls.__module__ != "__main__" else None
    if file is None or not Path(file).is_file():
        raise InputError(f"{cls.__name__} is defined in no file; put it into a module")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def with_source(method: MethodConfig) -> MethodConfig:
    """A user's method with the hash of its class, imported because the user named it."""
    return replace(method, source_sha256=source_sha256(imported(method.name)))


def built(config: ModelConfig, layer: int) -> Encoding:
    """The encoding of one layer of a model whose method is a user's class.

    Raises:
        InputError: as `loaded`; another source than the one that was trained with; an option that the class does not
            take, or one that it needs; a class that raises, ends the process, or whose scores are none.
    """
    method = config.method
    cls = loaded(method.name)
    if method.source_sha256 is not None and (found := source_sha256(cls)) != method.source_sha256:
        raise InputError(
            f"method {method.name} has changed since it was trained: its source has sha256 {found[:12]}..., not "
            f"{method.source_sha256[:12]}...; give the class as it was"
        )
    arguments = _arguments(cls, method.name, method.options, config, layer)
    given = ", ".join(f"{key}={value!r}" for key, value in method.options.items())
    what, file = f"method {method.name}{f' with {given}' if given else ''}", inspect.getsourcefile(cls)
    with _mended_by_its_author(what, file):
        encoding = cls(**arguments)
        _try(encoding, f"{what} ({file})", config)
    return encoding


@contextlib.contextmanager
def _mended_by_its_author(what: str, file: str | None) -> Iterator[None]:
    """What a user's code raises, or that it ends the process, is an `InputError` with the line.

    Args:
        what: of the user's is run.
        file: that defines the class; None while its module is imported: whether it can be found is said elsewhere.
    """
    remedy = "mend that" if file is None else "mend that, or give other options of the class"
    passed = (InputError, Terminated, *((ImportError, SyntaxError) if file is None else ()))
    try:
        yield
    except passed:
        raise
    except SystemExit as end:
        raise InputError(f"{what} ends the process (exit {end.code}){_line(end, file)}; {remedy}") from end
    except Exception as error:  # somebody else's code may raise any; what ours raises has passed
        said = " ".join(str(error).split())
        raise InputError(
            f"{what} raises {type(error).__name__}{f' ({said})' if said else ''}{_line(error, file)}; {remedy}"
        ) from error


def _line(error: BaseException, file: str | None) -> str:
    """Where an exception came out of a user's file; of another, if that is not known."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or frames[-1:]
    return f" at {own[-1].filename}, line {own[-1].lineno}" if own else ""


ROWS, COLUMNS = 3, 4
"""Queries and keys on which a user's class is tried, beside each other and as far apart as the context goes."""


@torch.no_grad()
def _try(encoding: Encoding, what: str, config: ModelConfig) -> None:
    """`InputError` unless the scores of a few vectors are numbers, one for each query and key."""
    device = torch.empty(0).device
    if device.type == "meta" or isinstance(
        encoding, PathEncoding
    ):  # no numbers; or those of a whole text alone
        return
    end = config.context - 1
    rows, columns = torch.tensor([0, end // 2, end]), torch.tensor([0, 1, end // 2, end])
    generator = torch.Generator("cpu").manual_seed(0)
    q, k = (
        torch.randn(1, config.heads, count, encoding.head_dim, generator=generator, device="cpu").to(device)
        for count in (ROWS, COLUMNS)
    )
    scores = encoding.scores(q, k, rows, columns)
    if not isinstance(scores, torch.Tensor):
        raise InputError(
            f"{what}: scores is a {type(scores).__name__}; return a tensor of a score for each pair"
        )
    wanted = (1, config.heads, ROWS, COLUMNS)
    if tuple(scores.shape) != wanted:
        raise InputError(
            f"{what}: scores of {ROWS} queries and {COLUMNS} keys in {config.heads} heads have shape "
            f"{tuple(scores.shape)}, not {wanted}; return one for each query and key"
        )
    seen = scores.double().masked_fill(columns > rows[:, None], -math.inf)
    for value, wrong in (("NaN", seen.isnan()), ("infinity", seen == math.inf)):
        if wrong.any():
            row, column = wrong.nonzero()[0, -2:].tolist()
            raise InputError(
                f"{what}: the score at distance {int(rows[row] - columns[column])} is {value}; mend scores, or give "
                f"other options of the class"
            )


def _arguments(
    cls: type[Encoding], name: str, options: Mapping[str, Any], config: ModelConfig, layer: int
) -> dict[str, Any]:
    taken = inspect.signature(cls).parameters
    sizes = {size: getattr(config, size) for size in SIZES} | {"layer": layer}
    named = [key for key, one in taken.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    open_ = [key for key in named if key not in sizes]
    any_ = len(named) < len(taken)
    for key in options:
        if key in sizes:
            raise InputError(f"method.{key} of {name} is the model's; change it as model.{key}")
        if key not in open_ and not any_:
            known = nearest(key, open_, "method.") if open_ else "it takes none"
            raise InputError(f"method {name} takes no option {key}; {known}")
    for key in open_:
        if taken[key].default is inspect.Parameter.empty and key not in options:
            raise InputError(f"method {name} needs {key}; give method.{key}=VALUE")
    return {size: value for size, value in sizes.items() if size in taken} | dict(options)
