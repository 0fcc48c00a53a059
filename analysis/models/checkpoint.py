"""Checkpoints: a folder per step, complete under its name or not there at all.

`OUT/step-000200/` holds `model.safetensors` (weights; configuration, recipe, corpus and tokenizer in its metadata) and
`state.safetensors` (moments of the optimiser and the log so far). Batches are read by step number, so the step
is also the place in the data. A folder is written beside its place, flushed to the disk and renamed.

Each of the two files holds in its metadata a sha256 of all that it says, which every load compares: a flipped bit is
refused. So is a number that is not finite, also in files of before there were such sums (all that are committed); of
those, other damage that leaves the file readable is not noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor

from analysis.errors import InputError
from analysis.files import remove_folder, remove_parts, replacing, replacing_file, write_whole
from analysis.inputs import check_regular, parse_json, tensor_sizes
from analysis.models.config import BYTES, ModelConfig
from analysis.models.config import MODEL as MODEL
from analysis.models.llama import Llama
from analysis.progress import Progress
from analysis.settings import check_whole, from_mapping
from analysis.text.corpus import NAMED, Corpus, corpus, encoded_once
from analysis.text.tokenizer import BytePairs

FORMAT = "tapa-lm/2"
WITHOUT_SUM = "tapa-lm/1"  # otherwise the same
STATE = "state.safetensors"
KEY = "tapa"  # of the metadata
SUM = "sha256"  # of what is in it
KEPT = 2  # complete checkpoints of a run
_NAME = re.compile(r"step-(\d{6,})")


@dataclass(frozen=True, slots=True)
class _About:
    """What a model file's metadata must hold, beside its configuration."""

    step: int
    recipe: Mapping[str, Any]
    corpus_sha256: str
    tokenizer: str | None

    def __post_init__(self) -> None:
        check_whole("step", self.step, 0)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model file says about itself.

    Attributes:
        file: the weights.
        config: of the model.
        step: optimiser steps it has had.
        recipe: as `Recipe.to_dict`.
        corpus_sha256: of the corpus it was trained on.
        tokenizer: as the tokenizers library writes it; None for bytes.
    """

    file: Path
    config: ModelConfig
    step: int
    recipe: dict[str, Any]
    corpus_sha256: str
    tokenizer: str | None = None


def save(
    out: Path,
    step: int,
    weights: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    *,
    config: ModelConfig,
    recipe: Mapping[str, Any],
    corpus_sha256: str,
    tokenizer: str | None = None,
) -> Path:
    """Write the checkpoint of a step, then drop all but the newest `KEPT`.

    Without its tokenizer a model of byte pairs is worth nothing: it lies in the same file.

    Raises:
        InputError: it cannot be written, e.g. to a full disk; earlier checkpoints are untouched.
    """
    about = {
        "format": FORMAT,
        "config": config.to_dict(),
        "step": step,
        "recipe": dict(recipe),
        "corpus_sha256": corpus_sha256,
    }
    if tokenizer is not None:
        about["tokenizer"] = tokenizer
    return save_step(out, step, {MODEL: (weights, about), STATE: (state, {"format": FORMAT})})


def save_step(
    out: Path, step: int, files: Mapping[str, tuple[Mapping[str, Tensor], Mapping[str, Any]]]
) -> Path:
    """Write the folder of a step, whole or not at all, then drop all but the newest `KEPT`.

    Args:
        out: folder of the run alone.
        step: optimiser steps so far.
        files: by their names, tensors and what the file says of them, "format" among it.

    Raises:
        InputError: as `save`.
    """
    place = out / f"step-{step:06d}"
    try:
        remove_parts(
            out, "step-*", alone=True
        )  # of a process that was killed; a run has its folder to itself
        with replacing(place) as part:
            part.mkdir()
            for name, (tensors, about) in files.items():
                (part / name).write_bytes(_file_of(tensors, about))
    except OSError as error:
        last = latest(out)
        rest = f"the run goes on from {last.name} once there is room" if last else "no step is kept yet"
        raise InputError(f"{place} cannot be written: {error.strerror or error}; {rest}") from error
    for old in _complete(out)[:-KEPT]:
        remove_folder(old)
    return place


def _file_of(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """A file's bytes, with the sum of all in it; one key of metadata, as safetensors writes several in any order."""
    own, about = _own(tensors), json.loads(json.dumps(about))
    return serialise(own, {KEY: json.dumps({**about, SUM: _sum(own, about)})})


def _sum(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    """sha256 of names, types, shapes and bytes of tensors, and of what else the file says; 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def latest(out: Path) -> Path | None:
    """The newest complete checkpoint of a run; None if there is none."""
    found = _complete(out)
    return found[-1] if found else None


def read_checkpoint(path: Path) -> ModelFile:
    """What a checkpoint says about itself.

    Args:
        path: a checkpoint's folder, a run's folder (its newest checkpoint), or a model file.

    Raises:
        InputError: there is none, it is truncated, or it is no model of ours.
    """
    file = path
    if path.is_dir():
        file = path / MODEL if (path / MODEL).is_file() else (latest(path) or path) / MODEL
    if not file.is_file():
        raise InputError(f"there is no checkpoint {path}; make one with `tapa train RECIPE`")
    try:
        with safe_open(file, framework="pt") as opened:
            about = parse_json((opened.metadata() or {}).get(KEY, "{}"), file)
        if not isinstance(about, dict):
            raise InputError(f"{file} says {type(about).__name__} of itself; train the model again")
        if (format_ := about.get("format")) not in (FORMAT, WITHOUT_SUM):
            raise InputError(f"{file} is no model of `tapa train` (format {format_}, not {FORMAT})")
        config = ModelConfig.from_dict(about["config"])
        own = {name: about[name] for name in ("step", "recipe", "corpus_sha256")}
        found = from_mapping(_About, own | {"tokenizer": about.get("tokenizer")}, f"{file}: ")
        return ModelFile(file, config, found.step, dict(found.recipe), found.corpus_sha256, found.tokenizer)
    except InputError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise damaged(file, error) from error


def is_ours(path: Path) -> bool:
    """Is it a run, a checkpoint or a model file of `tapa train`? Whatever is damaged is for its loader to say."""
    if os.path.isdir(path):  # says no of a name that is too long, where `Path` raises
        if (path / "config.json").exists():
            return False
        return latest(path) is not None or _has_our_key(path / MODEL)
    return path.suffix == ".safetensors" and _has_our_key(path)


def check_run_folder(out: Path) -> None:
    """`InputError` for a place of a run that is no folder, or in which another program keeps a model.

    Nothing is written beside that.
    """
    there = next(place for place in (out, *out.parents) if os.path.exists(place) or place == place.parent)
    if not os.path.isdir(there):
        raise InputError(f"{there} is not a folder; give another --out")
    kept = [out / "config.json", *sorted(out.glob("*.safetensors")), *sorted(out.glob("pytorch_model*.bin"))]
    for file in kept:
        if file.is_file() and not (file.suffix == ".safetensors" and _has_our_key(file)):
            raise InputError(
                f"{out} holds a model of another program ({file.name}); give another --out, a folder of its own"
            )


def _has_our_key(file: Path) -> bool:
    if not os.path.isfile(file):
        return False
    try:
        with safe_open(file, framework="pt") as opened:
            return KEY in (opened.metadata() or {})
    except (SafetensorError, OSError):
        return True


def load_model(path: Path, expected: ModelConfig | None = None) -> Llama:
    """A trained model, float32, in evaluation mode.

    Args:
        path: as `read_checkpoint`.
        expected: the configuration it must have, if it matters.

    Raises:
        InputError: as `read_checkpoint`, or it has another configuration: the fields that differ are named.

    >>> import tempfile
    >>> from analysis.models.llama import Llama
    >>> config = ModelConfig(layers=1, width=16, heads=2, kv_heads=2, head_dim=8, hidden=32, context=16)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     path = save(Path(out), 0, Llama(config).state_dict(), {}, config=config, recipe={}, corpus_sha256='')
    ...     print(load_model(path).config == config)
    True
    """
    checkpoint = read_checkpoint(path)
    if expected is not None and (found := checkpoint.config.differences(expected)):
        raise InputError(f"{checkpoint.file} is of another configuration: {'; '.join(found)}")
    stored, least = sum(tensor_sizes(checkpoint.file)), checkpoint.config.least_weights
    if stored < least:
        raise InputError(
            f"{checkpoint.file} does not hold the weights of its configuration: {stored} numbers, {least} are needed"
        )
    model = Llama(checkpoint.config)
    load_weights(model, checkpoint)
    return model.eval()


def load_weights(model: Llama, checkpoint: ModelFile) -> None:
    """Copy a checkpoint's weights into a model; `InputError` if one is missing or of another shape."""
    weights = read_tensors(checkpoint.file)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{checkpoint.file} does not hold the weights of its configuration: {reason}"
        ) from error


def write_half(path: Path, file: Path) -> Path:
    """Write a checkpoint's weights in half precision as one file, for keeping; its metadata stays.

    Raises:
        InputError: as `read_checkpoint`; a weight beyond half precision's range.
    """
    checkpoint = read_checkpoint(path)
    half = {name: tensor.half() for name, tensor in read_tensors(checkpoint.file).items()}
    if wrong := [name for name, tensor in half.items() if not torch.isfinite(tensor).all()]:
        raise InputError(f"{checkpoint.file}: {wrong[0]} does not fit into half precision")
    if file.exists() and file.stat().st_size and not _has_our_key(file):
        raise InputError(f"{file} exists and is no model of `tapa train`; remove it or keep models elsewhere")
    write_whole(file, _file_of(half, file_metadata(checkpoint.file) | {"format": FORMAT}))
    return file


def file_metadata(file: Path) -> dict[str, Any]:
    """What a file of ours says in its metadata, without its sum."""
    with safe_open(file, framework="pt") as opened:
        about = json.loads((opened.metadata() or {}).get(KEY, "{}"))
    return {name: value for name, value in about.items() if name != SUM}


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a file.

    Raises:
        InputError: it is missing or truncated, its content is not the one that was written, or a number in it is not
            finite.
    """
    check_regular(file)
    try:
        tensors = load_file(file)
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata()
        about = {"format": WITHOUT_SUM} if metadata is None else parse_json(metadata[KEY], file)
        written = about.pop(SUM, None)
        summed = about["format"] != WITHOUT_SUM
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(file, error) from error
    if summed and written != _sum(tensors, about):
        raise damaged(file, ValueError("its content is not what was written: sha256 differs"))
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise damaged(file, ValueError(f"{name} holds a number that is not finite"))
    return tensors


def damaged(file: Path, error: Exception) -> InputError:
    """What to say of a file that cannot be read."""
    reason = " ".join(str(error).split())
    return InputError(
        f"checkpoint {file} is truncated or damaged ({reason}); delete its folder to go on without it"
    )


def _complete(out: Path) -> list[Path]:
    found = [(int(match[1]), path) for path in out.glob("step-*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, as safetensors wants them."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


# Copies of a model's weights as its training passes certain steps.


class Milestones:
    """Copies weights at given steps; the trainer's `progress`.

    A step is copied if the trainer saves a checkpoint at it, so its `save_every` must divide the steps.
    """

    def __init__(self, folder: Path, steps: Iterable[int]) -> None:
        """Watch a run.

        Args:
            folder: of the run; copies lie beside its checkpoints.
            steps: after which to copy.
        """
        self.folder, self.steps = folder, set(steps)

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        self.collect()

    def collect(self) -> None:
        """Copy what is there and due; done before training too, for a run that was killed in between."""
        for step in self.steps:
            weights, kept = self.folder / f"step-{step:06d}" / MODEL, self._file(step)
            if weights.exists() and not kept.exists():
                with replacing_file(kept) as part:
                    shutil.copyfile(weights, part)

    def files(self) -> dict[int, Path]:
        """Weights by step, first to last."""
        return {step: self._file(step) for step in sorted(self.steps) if self._file(step).exists()}

    def _file(self, step: int) -> Path:
        return self.folder / f"milestone-{step:06d}.safetensors"


# The corpus that a checkpoint was trained on, made again, and the tokenizer that goes with its weights.


OTHER_TEXT = "give --text FILE that it has not seen"
OTHER_MODEL = f"give a model that was trained on one of {', '.join(NAMED)}, unchanged since"
"""Remedies of `own_corpus`, for commands that read a text of the user's and for those that do not."""


def own_corpus(found: ModelFile, progress: Progress, remedy: str = OTHER_MODEL) -> Corpus:
    """What a checkpoint was trained on, with the parts that it has not seen; `remedy` ends its refusals.

    Raises:
        InputError: it was a folder, whose place is not recorded, or it has changed: then what is held out may be
            what the model was trained on.
    """
    source = found.recipe["corpus"]
    if source not in NAMED:
        raise InputError(f"the model was trained on the folder {source}; {remedy}")
    data = in_own_tokens(found, corpus(source, seed=found.recipe["corpus_seed"], progress=progress))
    if data.sha256 != found.corpus_sha256:
        raise InputError(
            f"the corpus {source} is not the one that the model was trained on (sha256 {data.sha256}, "
            f"not {found.corpus_sha256}); {remedy}"
        )
    return data


def in_own_tokens(found: ModelFile, of_bytes: Corpus) -> Corpus:
    """Any corpus in the tokens that a model knows; errors as `own_tokenizer`."""
    tokenizer = own_tokenizer(found)
    return of_bytes if tokenizer is None else encoded_once(of_bytes, tokenizer)


def own_tokenizer(found: ModelFile) -> BytePairs | None:
    """What makes a text the model's tokens; None if bytes are its tokens.

    Raises:
        InputError: a model of byte pairs whose file holds no tokenizer.
    """
    if found.config.vocab_size == BYTES:
        return None
    if found.tokenizer is None:
        raise InputError(f"{found.file} knows {found.config.vocab_size} tokens but not which; train it again")
    return BytePairs(found.tokenizer)
