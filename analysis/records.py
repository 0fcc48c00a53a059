"""Labelled results on disk: netCDF for arrays, JSON for summaries, each with where it came from.

A file appears under its name complete or not at all: it is made in memory, written beside its place, flushed
to the disk and renamed. An exception or Ctrl-C leaves nothing; only a process that is killed outright may
leave a `.NAME.PID.part`, which nothing reads.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.errors import InputError
from analysis.provenance import Provenance, plain_value

__all__ = [
    "Provenance",
    "Schema",
    "ensure_writable",
    "provenance_of",
    "read",
    "read_summary",
    "write",
    "write_summary",
]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_STARTS = (_HDF5_SIGNATURE, b'{\n "content":')  # of a record, of a summary
_COMPRESSED = {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}


@dataclass(frozen=True, slots=True)
class Schema:
    """What a kind of record holds, for whoever writes and reads it.

    Attributes:
        name: of the kind, e.g. "heads".
        version: raised whenever a name, dimension, unit or meaning in it changes.
        made_by: the command that makes such a record, for error messages.
    """

    name: str
    version: int
    made_by: str

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"


def write(dataset: xr.Dataset, path: Path, provenance: Provenance, *, schema: Schema) -> None:
    """Write one record as netCDF-4, numbers compressed and check-summed; replaces what is at `path`.

    Args:
        dataset: its attributes are kept beside the provenance's.
        path: missing folders are made.
        provenance: written as flat attributes, `provenance_of` reads it back.
        schema: of this kind of record.

    Raises:
        InputError: `path` cannot be written.
        ValueError: an attribute of the dataset has a name that the provenance uses.
    """
    added = provenance.to_attributes() | {"schema": schema.label}
    if clash := sorted(added.keys() & dataset.attrs.keys()):
        raise ValueError(f"attributes {clash} of the dataset are written from its provenance and schema")
    stamped = dataset.drop_encoding().assign_attrs(added)
    encoding = {
        name: dict(_COMPRESSED)
        for name, variable in stamped.variables.items()
        if variable.ndim and variable.size and np.issubdtype(variable.dtype, np.number)
    }
    _put(path, stamped.to_netcdf(engine="h5netcdf", encoding=encoding))


def read(path: Path, *, expect_schema: Schema) -> xr.Dataset:
    """One record, wholly in memory.

    Raises:
        InputError: there is none, it is truncated or no netCDF-4, or it is of another kind or version; the
            message names the command that makes it.
    """
    _check_signature(path, expect_schema)
    try:
        # no decoding of times: "s" and "days" are units of plain numbers here
        dataset = xr.load_dataset(path, engine="h5netcdf", decode_times=False)
    except (OSError, RuntimeError, KeyError) as error:  # what HDF5 raises, by what is damaged
        reason = "truncated" if "truncated" in str(error) else " ".join(str(error).split())
        raise InputError(f"record {path} is damaged ({reason}); {_again(expect_schema)}") from error
    _check_schema(path, dataset.attrs.get("schema"), expect_schema)
    return dataset


def provenance_of(record: xr.Dataset) -> Provenance:
    """Where a record that was read came from.

    Raises:
        KeyError, TypeError, ValueError: its attributes are not those that `write` gives.
    """
    return Provenance.from_attributes(record.attrs)


def write_summary(
    content: Mapping[str, Any], path: Path, provenance: Provenance, *, schema: Schema, digits: int = 6
) -> None:
    """Write a few numbers as JSON text, keys sorted, so that two versions can be compared line by line.

    Args:
        content: JSON's own types, NumPy scalars, and lists and mappings of them.
        path: missing folders are made; what is there is replaced.
        provenance: written beside the content.
        schema: of this kind of summary.
        digits: significant decimal digits that every float is rounded to, 1 to 17.

    Raises:
        InputError: `path` cannot be written.
        TypeError, ValueError: a value is of another type or not finite, `digits` is out of its range.
    """
    if not 1 <= digits <= 17:
        raise ValueError(f"digits={digits} is not between 1 and 17")
    whole = {
        "schema": schema.label,
        "provenance": provenance.to_attributes(),
        "content": _rounded(plain_value(content), digits),
    }
    _put(path, (json.dumps(whole, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def read_summary(path: Path, *, expect_schema: Schema) -> dict[str, Any]:
    """The content of a summary.

    Raises:
        InputError: there is none, it is truncated or no JSON, or it is of another kind or version; the
            message names the command that makes it.
    """
    data = _bytes_of(path, expect_schema)
    try:
        whole = json.loads(data.decode("utf-8"))
        schema, content = whole["schema"], whole["content"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"summary {path} is truncated or damaged; {_again(expect_schema)}") from error
    _check_schema(path, schema, expect_schema)
    return content


def ensure_writable(path: Path) -> None:
    """Call before a long computation: makes missing folders, tries a file beside `path`, leaves it untouched.

    Raises:
        InputError: `path` is a folder, a device or a pipe, a file that no record has written, or nothing can be
            written beside it.
    """
    with _beside(path) as part:
        part.touch()
        if os.path.exists(path) and not _starts_as_ours(path):
            raise InputError(f"{path} exists and is no record; give another output path or remove it")


def _starts_as_ours(path: Path) -> bool:
    """Whether a file is empty or begins as what is written here: a text or a model's weights do not."""
    with path.open("rb") as stream:
        start = stream.read(max(map(len, _STARTS)))
    return not start or start.startswith(_STARTS)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` for a file that is gone afterwards, unless it was renamed."""
    # os.path, unlike Path, raises nothing for a name that is too long
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; give the name of a file to write")
    if os.path.exists(path) and not os.path.isfile(path):  # renaming over /dev/null would do away with it
        raise InputError(f"{path} is a device or a pipe; give the name of a file to write")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        # a file where a folder must be is reported as "File exists" by mkdir
        reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror or str(error)
        raise InputError(f"{path} cannot be written: {reason}; give another output path") from error


def _put(path: Path, data: bytes | memoryview) -> None:
    with _beside(path) as part:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
        if os.name == "posix":  # the new name is on the disk only once its folder is
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _bytes_of(path: Path, schema: Schema, size: int = -1) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except FileNotFoundError:
        raise InputError(f"there is no {path}; make it with `{schema.made_by}`") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {_again(schema)}") from error


def _check_signature(path: Path, schema: Schema) -> None:
    start = _bytes_of(path, schema, len(_HDF5_SIGNATURE))
    if start != _HDF5_SIGNATURE:
        what = "is empty or truncated" if _HDF5_SIGNATURE.startswith(start) else f"starts with {start!r}"
        raise InputError(f"record {path} is not netCDF-4 (it {what}); {_again(schema)}")


def _check_schema(path: Path, found: Any, expected: Schema) -> None:
    if found != expected.label:
        what = "names no schema" if found is None else f"has schema {found}"
        raise InputError(f"{path} {what}, {expected.label} is read here; {_again(expected)}")


def _again(schema: Schema) -> str:
    return f"make it again with `{schema.made_by}`"


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if not isinstance(value, float):
        return value
    rounded = float(f"{value:.{digits}g}")
    return rounded if math.isfinite(rounded) else value  # 1.7e308 to one digit is beyond the floats
