"""Where a record comes from: enough to make it again, and nothing about whose machine it was."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

_PACKAGES = ("numpy", "torch", "transformers", "tapa-toolkit")
_MAPPINGS = ("configuration", "seeds", "versions")  # stored as one JSON text each


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a record. Equal inputs on two machines differ in nothing but versions, times and threads.

    Attributes:
        command: as typed, each path cut to its file name.
        configuration: every option in force, defaults included; paths cut likewise.
        configuration_sha256: of the configuration as JSON with sorted keys and no blanks.
        seeds: of every generator, by what it draws; empty if nothing was drawn.
        versions: of Python, numpy, torch, transformers and this project.
        device: "cpu", or the accelerator's own name.
        precision: of the computation, e.g. "float32" or "float32 forward, float64 statistics".
        threads: that computed, >= 1.
        seconds: that the computation took, >= 0.
        time: when it ended, UTC, ISO 8601 to the second.
        model_sha256: of the weights; None if there were none.
        text_sha256: of the tokens; None if there were none.
        commit: of the checkout that computed, with "-dirty" if files differed from it; None outside one.
    """

    command: str
    configuration: Mapping[str, Any]
    configuration_sha256: str
    seeds: Mapping[str, int]
    versions: Mapping[str, str]
    device: str
    precision: str
    threads: int
    seconds: float
    time: str
    model_sha256: str | None = None
    text_sha256: str | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        if self.configuration_sha256 != (found := _sha256_of(self.configuration)):
            raise ValueError(
                f"configuration_sha256={self.configuration_sha256} is not the configuration's {found}"
            )
        if self.threads < 1 or not 0 <= self.seconds < math.inf:
            raise ValueError(f"threads={self.threads} must be >= 1, seconds={self.seconds} finite and >= 0")
        if datetime.fromisoformat(self.time).utcoffset() != UTC.utcoffset(None):
            raise ValueError(f"time={self.time} is not in UTC")
        for name in ("model_sha256", "text_sha256"):
            value = getattr(self, name)
            if value is not None and (len(value) != 64 or set(value) - set("0123456789abcdef")):
                raise ValueError(f"{name}={value!r} is not 64 lower-case hex digits")

    @classmethod
    def collect(
        cls,
        arguments: Sequence[str],
        configuration: Mapping[str, Any],
        *,
        seeds: Mapping[str, int],
        device: str,
        precision: str,
        threads: int,
        seconds: float,
        model_sha256: str | None = None,
        text_sha256: str | None = None,
    ) -> Provenance:
        """The provenance of what has just been computed: adds versions, the time now and the commit.

        Args:
            arguments: the command line, program first (`sys.argv`).
            configuration: values are JSON's own, NumPy scalars, paths, and lists and mappings of them.
            seeds, device, precision, threads, seconds, model_sha256, text_sha256: see the attributes.

        Raises:
            TypeError, ValueError: a value is of another type or not finite.
        """
        plain = plain_value(configuration)
        return cls(
            command=" ".join(_without_folders(argument) for argument in arguments),
            configuration=plain,
            configuration_sha256=_sha256_of(plain),
            seeds=dict(seeds),
            versions={"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
            device=device,
            precision=precision,
            threads=threads,
            seconds=round(seconds, 3),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            model_sha256=model_sha256,
            text_sha256=text_sha256,
            commit=_commit(Path(__file__).resolve().parents[1]),
        )

    def to_attributes(self) -> dict[str, str | int | float]:
        """Flat names and plain values, as netCDF attributes can be; what is None is left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _MAPPINGS:
            values[name] = _canonical(values[name])
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Provenance:
        """Inverse of `to_attributes`; other attributes are passed over.

        Raises:
            KeyError, TypeError, ValueError: one is missing or is not what `to_attributes` writes.
        """
        names = {field.name for field in fields(cls)}
        values = {name: plain_value(value) for name, value in attributes.items() if name in names}
        return cls(**values | {name: json.loads(values[name]) for name in _MAPPINGS})


def plain_value(value: Any) -> Any:
    """`value` as JSON's own types, every path in it cut to its file name; NaN and infinity are refused."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, PurePath):
        return printable(value.name)
    if isinstance(value, str):
        return printable(_file_name(value) if _is_place(value) else value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in JSON; write None or a text")
        return float(value)
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy scalar
        return plain_value(value.item())
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be recorded")


def _is_place(text: str) -> bool:
    """Is it a path that says where on a machine something lies?"""
    anchored = PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    return anchored or text.startswith(("~", "./", "../", ".\\", "..\\"))


def _file_name(text: str) -> str:
    return PureWindowsPath(text).name  # splits at both kinds of slash


def _without_folders(argument: str) -> str:
    """An argument of a command line; of `--option=path/file` only the path is cut."""
    option, equals, value = argument.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_without_folders(value)}"
    return printable(_file_name(argument) or argument)


def printable(text: str) -> str:
    """A name as text that can be written: bytes of a file name that are no UTF-8 become question marks."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _sha256_of(configuration: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(configuration).encode()).hexdigest()


def _commit(root: Path) -> str | None:
    """Commit of the checkout at `root`; None if this is an installed package or git cannot tell."""
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git, no commit yet, or somebody else's folder
        return None
    return f"{commit}-dirty" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
