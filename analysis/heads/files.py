"""What lies at a checkpoint's path, found out without loading it: refusals come before any weight is read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
from safetensors import SafetensorError, safe_open

from analysis.errors import InputError

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint on disk: its folder, its weight files, and the .gguf's name where it is one."""

    folder: Path
    weights: tuple[Path, ...]
    gguf_file: str | None = None

    @property
    def path(self) -> Path:
        """What the user named."""
        return self.folder / self.gguf_file if self.gguf_file else self.folder


def inspect(path: Path) -> Source:
    """The checkpoint at a path, with its weight files present and of full length.

    Raises:
        InputError: for a missing path, a pickle or a folder of pickles (neither is opened), a truncated or
            missing weight file, a missing config.json, or a .gguf whose rotation would be lost in reading.
    """
    if not os.path.exists(path):  # False, where Path.exists raises, for a name that is too long
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        return _folder(path)
    if path.suffix in PICKLES:
        raise InputError(
            f"{path} is a pickle, which can run code when opened, and was not; save it as safetensors"
        )
    if path.suffix == ".gguf":
        return _gguf(path)
    if path.suffix == ".safetensors":
        raise InputError(
            f"{path} is one weight file; give its folder, with config.json beside it: {path.parent}"
        )
    raise InputError(f"{path} is neither a folder with config.json and {WEIGHTS} nor a .gguf file")


def sha256(weights: Sequence[Path]) -> str:
    """SHA-256 of one weight file; of several, that of the lines "digest  name" in order of name."""
    digests = []
    for file in sorted(weights):
        with file.open("rb") as stream:
            digests.append((hashlib.file_digest(stream, "sha256").hexdigest(), file.name))
    if len(digests) == 1:
        return digests[0][0]
    lines = "".join(f"{digest}  {name}\n" for digest, name in digests)
    return hashlib.sha256(lines.encode()).hexdigest()


def read_json(path: Path) -> dict[str, object]:
    """A JSON object; `InputError` naming the file if it is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}, not a JSON object")
    return content


def _folder(path: Path) -> Source:
    weights = _safetensors(path)
    if not (path / CONFIG).exists():
        raise InputError(f"{path} has no {CONFIG}; a Hugging Face folder holds it beside the weights")
    for file in weights:
        if not file.exists():
            raise InputError(f"{file} is missing, though {path / INDEX} names it")
        _check_whole(file)
    return Source(path, weights)


def _safetensors(path: Path) -> tuple[Path, ...]:
    """The weight files of a folder, present or only promised by its index."""
    if (path / WEIGHTS).exists():
        return (path / WEIGHTS,)
    if (path / INDEX).exists():
        placed = read_json(path / INDEX).get("weight_map")
        if not isinstance(placed, dict) or not placed:
            raise InputError(f"{path / INDEX} has no weight_map")
        return tuple(sorted({path / str(name) for name in placed.values()}))
    pickles = sorted(file.name for file in path.iterdir() if file.suffix in PICKLES)
    if pickles:
        raise InputError(
            f"{path} has only pickled weights ({pickles[0]}), which can run code when opened, and were not; "
            f"save them as safetensors"
        )
    raise InputError(f"{path} has no {WEIGHTS}")


def _check_whole(file: Path) -> None:
    try:
        with safe_open(file, framework="pt"):
            pass  # opening compares the header's extents with the length of the file
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} is truncated or not safetensors: {error}") from error


def _gguf(path: Path) -> Source:
    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise InputError(f"{path} is truncated or not a GGUF file: {error}") from error
    lost = _lost_rotation(reader)
    if lost:
        raise InputError(
            f"{path} scales its rotation ({lost}), which is lost in reading; use the safetensors checkpoint"
        )
    return Source(path.parent, (path,), path.name)


def _lost_rotation(reader: gguf.GGUFReader) -> str | None:
    """Name of what changes the frequencies in this file, or None: transformers reads none of it."""
    for tensor in reader.tensors:
        if tensor.name.startswith(("rope_freqs", "rope_factors")):
            return tensor.name
    for name, field in reader.fields.items():
        if name.endswith(".rope.scaling.type") and field.contents() != "none":
            return f"{name} = {field.contents()}"
    return None
