"""Checked settings: ranges of arguments, and checked objects out of plain mappings."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from analysis.errors import InputError


def check_head_dim(head_dim: int) -> None:
    """`InputError` unless head_dim is a positive whole number."""
    if isinstance(head_dim, bool) or not isinstance(head_dim, int) or head_dim < 1:
        raise InputError(f"head_dim={head_dim} is not a positive whole number")


T = TypeVar("T")


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested mappings, as "a.b: 1, not 2".

    >>> differences({'a': {'b': 1}}, {'a': {'b': 2}})
    ['a.b: 1, not 2']
    """
    found = []
    for name in {**mine, **theirs}:
        a, b = mine.get(name), theirs.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name}: {a}, not {b}")
    return found


def from_mapping(cls: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
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
        return from_mapping(hint, value, f"{name}.")  # type: ignore[arg-type]
    if get_origin(hint) is Mapping and isinstance(value, Mapping):
        return dict(value)
    allowed = get_args(hint) or (hint,)
    if value in (None, "none") and NoneType in allowed:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and float in allowed:
        return float(value)
    if type(value) not in allowed:
        wanted = " or ".join(kind.__name__ for kind in allowed if kind is not NoneType)  # type: ignore[union-attr]
        raise InputError(f"{name}={value!r} is not of type {wanted}")
    return value


def nearest(
    name: object, known: Iterable[object], prefix: str = "", *, cutoff: float = 0.6, otherwise: str = ""
) -> str:
    """ "did you mean x?", or the whole list where nothing is near.

    Args:
        name: what was given.
        known: what it could have been.
        prefix: put before the name that is meant.
        cutoff: similarity in [0, 1] from which on a name is near, as `difflib` counts it.
        otherwise: said instead of the list.

    >>> nearest('tabel2', ['table1', 'table2'])
    'did you mean table2?'
    >>> nearest('x', ['a', 'b']), nearest('x', []), nearest('x', ['a'], otherwise='see the list')
    ('known: a, b', 'known: none', 'see the list')
    """
    names = [str(one) for one in known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=cutoff)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return otherwise or f"known: {', '.join(names) or 'none'}"


def check_whole(name: str, value: int, least: int = 1) -> None:
    """`InputError` unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name}={value} is not a whole number of at least {least}")


def check_even(name: str, value: int) -> None:
    """`InputError` unless value is an even positive whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"{name}={value} is not a positive whole number")
    if value % 2:
        raise InputError(f"{name}={value} is odd; RoPE rotates pairs")


def check_above(name: str, value: float, bound: float) -> None:
    """`InputError` unless value is finite and above bound."""
    if not bound < value <= sys.float_info.max:  # which a whole number may exceed
        raise InputError(f"{name}={value} must be finite and above {bound}")


def check_at_least(name: str, value: float, bound: float) -> None:
    """`InputError` unless value is finite and not below bound."""
    if not bound <= value <= sys.float_info.max:
        raise InputError(f"{name}={value} must be finite and at least {bound}")


def check_least(name: str, value: float, least: float) -> None:
    """`InputError` if value is below `least`, for what a command line has read as a number: seeds, counts, lengths.

    >>> check_least("seed", -1, 0)
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: seed=-1 is below 0; give 0 or more
    """
    if value < least:
        raise InputError(f"{name}={value} is below {least}; give {least} or more")


def check_proper_share(name: str, value: float) -> None:
    """`InputError` unless value is in (0, 1): neither nothing nor all."""
    if not 0 < value < 1:
        raise InputError(f"{name}={value} is outside (0, 1)")


def check_share(name: str, value: float) -> None:
    """`InputError` unless value is in (0, 1]."""
    if not 0 < value <= 1:
        raise InputError(f"{name}={value} is outside (0, 1]")
