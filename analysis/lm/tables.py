"""Checked objects out of plain mappings: what recipes, checkpoints and the command line have in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from analysis.errors import InputError

T = TypeVar("T")


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested mappings, as "a.b: 1, not 2"."""
    found = []
    for name in {**mine, **theirs}:
        a, b = mine.get(name), theirs.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name}: {a}, not {b}")
    return found


def build(cls: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """A frozen dataclass from a nested mapping, types checked: a whole number may stand for a real one.

    Raises `InputError` for a key that is unknown (naming the nearest) or a value of another type.
    """
    hints = get_type_hints(cls)
    known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    arguments = {}
    for key, value in values.items():
        if key not in known:
            raise InputError(f"{prefix}{key} is unknown; {nearest(key, known, prefix)}")
        arguments[key] = _checked(f"{prefix}{key}", value, hints[key])
    return cls(**arguments)


def _checked(name: str, value: Any, hint: Any) -> Any:
    if is_dataclass(hint) and isinstance(value, Mapping):
        return build(hint, value, f"{name}.")  # type: ignore[arg-type]
    allowed = get_args(hint) or (hint,)
    if value in (None, "none") and NoneType in allowed:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and float in allowed:
        return float(value)
    if type(value) not in allowed:
        wanted = " or ".join(kind.__name__ for kind in allowed if kind is not NoneType)  # type: ignore[union-attr]
        raise InputError(f"{name}={value!r} is not of type {wanted}")
    return value


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """ "did you mean x?", or the whole list where nothing is near."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(known)}"


def check_whole(name: str, value: int, least: int = 1) -> None:
    """`InputError` unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name}={value} is not a whole number of at least {least}")
