"""Arrays that take long and follow from their key: out of a file if it is there and whole, else made and kept there.

A file begins with the sha256 of the `.npz` that follows; one without it, of an earlier version, is read too. What is
damaged is made again. A cache that cannot be written costs time alone: one line on stderr says so for each folder.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from analysis.errors import InputError
from analysis.files import write_whole
from analysis.progress import remark

Arrays = dict[str, np.ndarray]
_DIGEST = hashlib.sha256().digest_size
_ZIP = b"PK\x03\x04"


def cached(path: Path, make: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
    """The arrays kept at `path`; made and kept there if there are none.

    Args:
        path: names all that decides the arrays, by a hash for the most part.
        make: the arrays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, 'squares.npz')
    ...     _ = cached(path, lambda: {'x': np.arange(4) ** 2})
    ...     cached(path, lambda: {})['x']
    array([0, 1, 4, 9])
    """
    if (found := kept_arrays(path)) is not None:
        return found
    arrays = dict(make())
    keep_arrays(path, arrays)
    return arrays


def kept_arrays(path: Path) -> Arrays | None:
    """The arrays of a file; None if it is not there, or damaged."""
    try:
        data = path.read_bytes()
        if not data.startswith(_ZIP):
            digest, data = data[:_DIGEST], data[_DIGEST:]
            if hashlib.sha256(data).digest() != digest:
                return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
    ):  # not there, or damaged in whatever way
        return None


def keep_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, whole or not at all; where nothing can be written, a line says so and they are made again later."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    try:
        write_whole(path, hashlib.sha256(data).digest() + data)
    except InputError as error:
        _say(
            path.parent,
            getattr(error.__cause__, "strerror", None) or "a folder or a device is in the place of a file",
        )


@functools.cache
def _say(folder: Path, why: str) -> None:
    remark(f"nothing is kept in {folder}, so that it is made again the next time: {why}")
