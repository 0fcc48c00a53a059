"""Files that appear under their name complete or not at all: every write of this project goes through here.

A file is made beside its place, flushed to the disk and renamed. An exception, Ctrl-C or SIGTERM leaves nothing. Only a
process that is killed outright may leave a `.NAME.PID.MACHINE.part`: nothing reads it, and the next write of NAME on
that machine removes it. A folder is renamed away before it is deleted, so that no half of it keeps its name.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from analysis.errors import InputError
from analysis.processes import machine, started, uninterrupted


def write_whole(path: Path, data: str | bytes | memoryview) -> None:
    """Write one file, whole or not at all; a text as UTF-8.

    Raises:
        InputError: `path` is a folder, a device or a pipe, or cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, 'new', 'a.txt'), 'whole')
    ...     Path(folder, 'new', 'a.txt').read_text()
    'whole'
    """
    with (
        replacing_file(path) as part,
        part.open("xb") as stream,
    ):  # never through a link that somebody laid there
        stream.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def replacing_file(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """As `replacing`, of a file; what the file system refuses, in the block too, is an `InputError`.

    Raises:
        InputError: `path` is a folder, a device or a pipe, or cannot be written.
    """
    with _refused_in_one_line(path), replacing(path, alone=alone) as part:
        yield part


@contextlib.contextmanager
def replacing(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """A name beside `path` for a file or a folder that takes its place, flushed to the disk, when the block ends well.

    Args:
        path: missing folders are made; a file there is replaced, a folder must be empty.
        alone: no other process writes it, so that whatever a killed one has left is removed.

    Raises:
        OSError: the file system refuses.
    """
    part = _part(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(path.parent, glob.escape(path.name), alone=alone)
    _remove(part)  # of a process that had this one's number
    try:
        yield part
        for written in [*part.iterdir(), part] if part.is_dir() else [part]:
            _flush(written)
        with uninterrupted():
            os.replace(part, path)
            _flush(path.parent)  # the new name is on the disk only once its folder is
    finally:
        with uninterrupted():
            _remove(part)


def remove_folder(path: Path) -> None:
    """Delete a folder, which loses its name first: whoever looks, or is killed, meets all of it or nothing.

    Raises:
        OSError: the file system refuses.
    """
    part = _part(path)
    with uninterrupted():
        _remove(part)
        os.replace(path, part)
        _remove(part)


_PART = re.compile(r"\.(?P<name>.+?)(\.(?P<pid>\d+))?(\.(?P<machine>[0-9a-f]{12}))?\.part", re.DOTALL)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{machine()}.part")


def remove_parts(folder: Path, name: str = "*", *, alone: bool) -> None:
    """Remove what killed processes have left beside files of this name.

    Args:
        folder: where.
        name: of the files, a pattern as of `fnmatch`.
        alone: whoever left it; otherwise only what was left by processes of this machine that run no more.
    """
    for path in folder.glob(".*.part"):
        found = _PART.fullmatch(path.name)
        if found is None or not fnmatch.fnmatchcase(found["name"], name):
            continue
        if alone or (found["machine"] == machine() and _has_ended(int(found["pid"] or 0))):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                _remove(path)


def _has_ended(pid: int) -> bool:
    return pid > 0 and started(pid) is None


def _flush(path: Path) -> None:
    folder = path.is_dir()
    if os.name == "posix" or not folder:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Call before a long computation: makes missing folders, tries a file beside `path`, leaves it untouched.

    Raises:
        InputError: `path` is a folder, a device or a pipe, or nothing can be written beside it.
    """
    with _refused_in_one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        try:
            part.touch()
        finally:
            with uninterrupted():
                _remove(part)


@contextlib.contextmanager
def _refused_in_one_line(path: Path) -> Iterator[None]:
    """`InputError` for what cannot become a file, and for what the file system refuses inside the block."""
    # os.path, unlike Path, raises nothing for a name that is too long
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; give the name of a file to write")
    if os.path.exists(path) and not os.path.isfile(path):  # renaming over /dev/null would do away with it
        raise InputError(f"{path} is a device or a pipe; give the name of a file to write")
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {write_refusal(error)}; give another output path"
        ) from error


def write_refusal(error: OSError) -> str:
    """Why the file system did not let something be written; a file where a folder must be is "File exists" to mkdir."""
    return "Not a directory" if isinstance(error, FileExistsError) else error.strerror or str(error)
