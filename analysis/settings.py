"""Checked settings: ranges of arguments, and checked objects out of plain mappings."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from numbers import Integral
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from analysis.errors import InputError


def check_head_dim(head_dim: int) -> None:
    """`InputError` unless head_dim is a positive whole number."""
    if isinstance(head_dim, bool) or not isinstance(head_dim, int) or head_dim < 1:
        raise InputError(f"head_dim={head_dim} is not a positive whole number; give an even one")


DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16", "float16")
"""Where and in which precision a model that is not ours can be run."""


def check_device_name(name: str) -> None:
    """`InputError` unless torch may have a device of this name."""
    if name not in DEVICES:
        raise InputError(f"device={name}: unknown; give one of {', '.join(DEVICES)}")


def check_precision(name: str) -> None:
    """`InputError` unless a model's weights can be kept so."""
    if name not in PRECISIONS:
        raise InputError(f"precision={name}: unknown; give one of {', '.join(PRECISIONS)}")


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
    if not isinstance(values, Mapping):
        raise InputError(f"{prefix}{values!r:.80} is no table of {cls.__name__}")
    hints = get_type_hints(cls)
    known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    arguments = {}
    for key, value in values.items():
        if key not in known:
            raise InputError(f"{prefix}{key} is unknown; {nearest(key, known, prefix)}")
        arguments[key] = _checked(f"{prefix}{key}", value, hints[key])
    return cls(**arguments)


_KINDS: Mapping[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


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
        wanted = " or ".join(_KINDS.get(kind, str(kind)) for kind in allowed if kind is not NoneType)
        raise InputError(f"{name}={value!r} is not {wanted}; give one")
    return value


def names_of(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> names_of(["RoPE", "PI", "YaRN"])
    'RoPE, PI and YaRN'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


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


MOST = 2**63 - 1
"""The largest whole number that is passed on: seeds and sizes are kept in 64 bits."""


def check_whole(name: str, value: int, least: int = 1, most: int = MOST) -> None:
    """`InputError` unless it is a whole number of `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name}={value} is not a whole number of at least {least}; give one")
    if value > most:
        raise InputError(f"{name}={value} is above {most}; give less")


MOST_PROCESSES = 1024  # on one machine
FEWEST = 3  # seeds or documents whose interval is given or drawn: that of two says nothing
LEAST_GAIN = 0.04  # bits a byte that the context from L to 4L must be worth to a reference model, at the gate
LEAST_ERRORS = 5.0  # standard errors over documents by which that gain must be above zero


def check_processes(count: int | None) -> None:
    """`InputError` unless it is a number of processes, or None for one on each processor."""
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"processes={count} is not a positive whole number; give one, or leave it out")
    check_whole("processes", count, most=MOST_PROCESSES)


def check_even(name: str, value: int) -> None:
    """`InputError` unless value is an even positive whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"{name}={value} is not a positive whole number; give an even one")
    if value % 2:
        raise InputError(f"{name}={value} is odd; RoPE rotates pairs, so give an even number")


def check_above(name: str, value: float, bound: float) -> None:
    """`InputError` unless value is finite and above bound."""
    if not bound < value <= sys.float_info.max:  # which a whole number may exceed
        raise InputError(f"{name}={value} must be finite and above {bound}")


def check_at_least(name: str, value: float, bound: float) -> None:
    """`InputError` unless value is finite and not below bound."""
    if not bound <= value <= sys.float_info.max:
        raise InputError(f"{name}={value} must be finite and at least {bound}")


def check_least(name: str, value: float, least: float, most: float = MOST) -> None:
    """`InputError` unless value is in `least` to `most`, for what a command line has read: seeds, counts, lengths.

    >>> check_least("seed", -1, 0)
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: seed=-1 is below 0; give 0 or more
    """
    if value < least:
        raise InputError(f"{name}={value} is below {least}; give {least} or more")
    if value > most:
        raise InputError(f"{name}={value} is above {most}; give less")


def check_proper_share(name: str, value: float) -> None:
    """`InputError` unless value is in (0, 1): neither nothing nor all."""
    if not 0 < value < 1:
        raise InputError(f"{name}={value} is outside (0, 1); give a share between these")


def check_share(name: str, value: float) -> None:
    """`InputError` unless value is in (0, 1]."""
    if not 0 < value <= 1:
        raise InputError(f"{name}={value} is outside (0, 1]; give a share above 0, at most 1")


# What a record holds behind its schema: descriptions of nested content, each a check of one value.

Shape = Callable[[str, Any], None]
"""Checks a value that messages call by a name; `InputError` unless it is as described."""


def text_shape(name: str, value: Any) -> None:
    """A text."""
    if not isinstance(value, str):
        raise InputError(f"{name}={shortened(value)} is not a text")


def whole_shape(least: int = 0) -> Shape:
    """A whole number from `least` on that fits 64 bits; true and false are none."""
    return lambda name, value: check_whole(name, value, least)


def number_shape(least: float) -> Shape:
    """A finite number from `least` on; true and false are none."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{name}={shortened(value)} is not a number")
        check_at_least(name, value, least)

    return check


def optional_shape(shape: Shape) -> Shape:
    """None, or a value of this shape."""
    return lambda name, value: None if value is None else shape(name, value)


def list_shape(shape: Shape) -> Shape:
    """A list of values of one shape."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, list):
            raise InputError(f"{name}={shortened(value)} is not a list")
        for index, item in enumerate(value):
            shape(f"{name}[{index}]", item)

    return check


def table_shape(keys: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """A table that has these keys; those that are optional are as described where they are there, others are let be.

    >>> table_shape({'loss': list_shape(number_shape(0))})('run', {'loss': [1.5, -0.5]})
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: run.loss[1]=-0.5 must be finite and at least 0
    """

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise InputError(f"{name}={shortened(value)} is not a table")
        if missing := [key for key in keys if key not in value]:
            raise InputError(f"{name} lacks {', '.join(missing)}")
        for key, shape in {**keys, **(optional or {})}.items():
            if key in value:
                shape(f"{name}.{key}", value[key])

    return check


def shortened(value: Any) -> str:
    """A value as it is written, cut to 60 letters."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
