"""Files of others, read within bounds: regular files alone, and JSON and TOML that no reader of them can choke on.

Whatever a user names goes through here before anything else looks at it. A named pipe or a device would be waited for
without end, a name with a line break would break the one line in which it is refused, and a value that is nested a
thousand deep or a number of thousands of digits fails somewhere else, far from the file that it came from.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from analysis.errors import InputError

DEEPEST = 64
"""Levels of lists and mappings inside each other; configurations and records have fewer than ten."""
DIGITS = 64
"""Of a whole number; transformers writes 31 for a length without bound."""
LARGEST = 1 << 28
"""Bytes of a text or a JSON file; the largest tokenizers have a tenth of it."""


def check_regular(path: Path) -> None:
    """`InputError` for what exists and is neither a file nor a folder: a named pipe, a device, a socket.

    >>> check_regular(Path('/dev/null'))
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: /dev/null is a device or a pipe; give a file
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # missing, or no name at all: whoever opens it says so
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is a device or a pipe; give a file")


def check_folder_is_plain(folder: Path) -> None:
    """`check_regular` of everything in a folder that a library will look through; `InputError` if nobody may look."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"folder {folder} cannot be read: {error.strerror}; give one that can") from error
    for entry in entries:
        check_regular(entry)


def check_output_name(path: Path) -> None:
    """`InputError` for a name that a record cannot hold, as that of a run: no UTF-8, or with control characters."""
    name = path.name
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{path} is a name that is no UTF-8; give another output path") from None
    if not name.isprintable():
        raise InputError(f"{path} is a name with control characters; give another output path")


def check_readable(path: Path, what: str, remedy: str) -> None:
    """`InputError` for a file that `read_whole` could not read, without reading it: before what takes long."""
    check_regular(path)
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise _unreadable(path, what, remedy, error) from error


def _unreadable(path: Path, what: str, remedy: str, error: OSError | ValueError) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"{f'{what} {path}'.lstrip()} cannot be read: {reason}; {remedy}")


def read_whole(path: Path, what: str, remedy: str, *, largest: int = LARGEST) -> bytes:
    """All bytes of a file.

    Args:
        path: of the file.
        what: it is, for messages: "text", "recipe".
        remedy: the end of every message.
        largest: bytes that are read at most.

    Raises:
        InputError: it cannot be read, is a device, a pipe or a folder, or is larger.
    """
    check_regular(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(largest + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise _unreadable(path, what, remedy, error) from error
    if len(data) > largest:
        raise InputError(f"{f'{what} {path}'.lstrip()} is larger than {largest} bytes; {remedy}")
    return data


def parse_json(data: bytes | str, name: object) -> Any:
    """JSON within `DEEPEST` and `DIGITS`.

    Raises:
        InputError: it is no JSON, or out of these bounds; the message begins with `name`.

    >>> parse_json('{"a": [1]}', 'here')
    {'a': [1]}
    >>> parse_json('[' * 1000 + ']' * 1000, 'here')
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: here is nested more than 64 deep
    """
    return _parsed(json.loads, data, name, "JSON")


def parse_toml(text: str, name: object) -> dict[str, Any]:
    """TOML within the same bounds; errors as `parse_json`.

    >>> parse_toml('a = 1', 'here')
    {'a': 1}
    """
    return _parsed(tomllib.loads, text, name, "TOML")


def read_json(path: Path, what: str = "", remedy: str = "give a JSON file") -> dict[str, Any]:
    """The JSON object of a file; errors as `read_whole` and `parse_json`, or it holds something else."""
    name = f"{what} {path}".lstrip()
    try:
        content = parse_json(read_whole(path, what, remedy), name)
    except InputError as error:
        raise InputError(str(error) if remedy in str(error) else f"{error}; {remedy}") from None
    if not isinstance(content, dict):
        raise InputError(f"{name} holds {type(content).__name__}, not a JSON object; {remedy}")
    return content


def _parsed(parse: Callable[[Any], Any], data: bytes | str, name: object, kind: str) -> Any:
    try:
        value = parse(data)
    except RecursionError:  # both parsers call themselves for every level
        raise InputError(f"{name} is nested more than {DEEPEST} deep") from None
    except ValueError as error:  # no UTF-8, none of this kind, or Python's own bound on digits
        raise InputError(f"{name} is not {kind}: {error}") from error
    _check_bounds(value, name)
    return value


def _check_bounds(value: Any, name: object) -> None:
    """Level by level, so that depth is no recursion here."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            raise InputError(f"{name} is nested more than {DEEPEST} deep")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, int) and abs(item) >= 10**DIGITS:
                raise InputError(f"{name} has a number of more than {DIGITS} digits")
        level, depth = below, depth + 1


def tensor_sizes(file: Path) -> list[int]:
    """Numbers in each tensor of a safetensors file, out of its header alone.

    Raises:
        InputError: it cannot be read, or its length is not what the header says.
    """
    check_regular(file)
    try:
        with safe_open(file, framework="np") as opened:
            return [math.prod(opened.get_slice(name).get_shape()) for name in opened.keys()]  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} is truncated or not safetensors: {error}") from error


FLOATS = ("F64", "F32", "F16", "BF16")
"""Types of safetensors whose numbers are the weights themselves."""


def check_weights_are_floats(file: Path) -> None:
    """`InputError` for a weight that is stored as integers or in eight bits: what it stands for takes its scales."""
    with safe_open(file, framework="np") as opened:
        for name in opened.keys():  # noqa: SIM118
            kind = opened.get_slice(name).get_dtype()
            if name.endswith("weight") and kind not in FLOATS:
                raise InputError(
                    f"{file}: {name} is stored as {kind}, quantised; use the full-precision checkpoint or a .gguf"
                )
