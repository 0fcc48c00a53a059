"""Where a corpus comes from: public-domain texts, the Python sources of our dependencies, a user's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from analysis.assets import TEXTS, fetch_texts
from analysis.download import Progress, silent
from analysis.errors import InputError
from analysis.texts import read_text

NAMED = ("texts", "code", "texts+code")
PACKAGES = ("numpy", "scipy", "sympy", "torch")
"""Distributions whose Python sources are the corpus "code"; their licences are permissive."""
SUFFIXES = (".txt", ".md", ".py")
"""What is read of a user's folder."""
LEAST_CODE = 2048
"""Source files of fewer bytes, mostly lists of imports, are left out of "code"."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Documents as they were found.

    Attributes:
        texts: name and UTF-8 bytes of each, sorted by name; line ends are LF, byte order marks are gone.
        origin: what they are and in which version, as the manifest says it; names no folder of a machine.
        left_out: name and reason of each file that was seen and not taken.
    """

    texts: list[tuple[str, bytes]]
    origin: dict[str, str]
    left_out: list[tuple[str, str]] = field(default_factory=list)


def read_source(source: str | Path, *, progress: Progress = silent) -> Raw:
    """Documents of "texts", "code" or "texts+code", or else of a folder.

    Raises:
        InputError: a text cannot be fetched, a package or folder is not there, the folder holds no text, or
            a file is not UTF-8.
    """
    if not isinstance(source, str) or source not in NAMED:
        return read_folder(Path(source))
    parts = [{"texts": _texts, "code": _code}[name](progress) for name in source.split("+")]
    return Raw(
        sorted(text for part in parts for text in part.texts),
        {key: value for part in parts for key, value in part.origin.items()},
        [item for part in parts for item in part.left_out],
    )


def read_folder(folder: Path) -> Raw:
    """Every .txt, .md and .py file below a folder; what begins with a dot is passed over.

    Names are paths below the folder, with slashes. Files of white space alone are listed as left out.

    Raises:
        InputError: `folder` is none, holds no such file, or one of them is not UTF-8.
    """
    if not folder.is_dir():
        named = ", ".join(f'"{name}"' for name in NAMED)
        raise InputError(f"corpus {folder} is no folder; give {named} or a folder of UTF-8 text files")
    paths = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in SUFFIXES
    }
    paths = {
        name: path
        for name, path in sorted(paths.items())
        if path.is_file() and not any(part.startswith(".") for part in name.split("/"))
    }
    blank = [name for name, path in paths.items() if not path.read_bytes().strip()]
    texts = [(name, read_text(path).encode()) for name, path in paths.items() if name not in set(blank)]
    if not texts:
        raise InputError(
            f"corpus {folder} holds no text: {len(blank)} files of white space alone, none with words that ends "
            f"in {', '.join(SUFFIXES)}; give a folder of UTF-8 text files"
        )
    return Raw(texts, {"folder": "a user's"}, [(name, "white space alone") for name in blank])


def _texts(progress: Progress) -> Raw:
    files = fetch_texts(progress=progress)
    pinned = TEXTS.archive
    return Raw([(path.name, read_text(path).encode()) for path in files], {pinned.project: pinned.version})


def _code(progress: Progress) -> Raw:
    """The .py files of PACKAGES as pip installed them, found through their own lists of files."""
    texts, left_out, versions = [], [], {}
    for done, package in enumerate(PACKAGES):
        progress("read package sources", done, len(PACKAGES))
        try:
            distribution = metadata.distribution(package)
        except metadata.PackageNotFoundError:
            raise InputError(f'corpus "code" needs {package}, which is not installed; install it') from None
        versions[package] = distribution.version
        for file in distribution.files or ():
            if file.suffix != ".py" or file.parts[0] != package:
                continue
            path = Path(str(file.locate()))
            if (size := path.stat().st_size) < LEAST_CODE:
                left_out.append((file.as_posix(), f"{size} bytes, fewer than {LEAST_CODE}"))
            else:
                texts.append((file.as_posix(), read_text(path).encode()))
    progress("read package sources", len(PACKAGES), len(PACKAGES))
    return Raw(sorted(texts), versions, sorted(left_out))
