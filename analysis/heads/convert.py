"""A .gguf checkpoint, rewritten once as a folder of safetensors: it loads many times faster from there."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path

from analysis.errors import InputError


def gguf_to_folder(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer of a .gguf as a Hugging Face folder, verified as `checkpoint.load` verifies.

    Quantised weights are expanded to the float32 values that they stand for; nothing is quantised again.

    Args:
        gguf: of an architecture that `checkpoint.load` takes.
        folder: made with its parents; `config.json`, `model.safetensors` and the tokenizer's files go there.
            A conversion that fails removes it, one that is killed leaves it half-written: convert into a
            temporary name and rename.

    Raises:
        InputError: as `checkpoint.load` (missing, truncated, no rotation, rows of q and k out of order);
            `folder` exists or cannot be written.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} exists; remove it or give the name of a folder to be made") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}; give another folder") from error
    try:
        _convert(gguf, folder)
    except BaseException:  # Ctrl-C as well: half a checkpoint must not look like a whole one
        shutil.rmtree(folder)
        raise


def _convert(gguf: Path, folder: Path) -> None:
    # seconds of import: only whoever converts pays for it
    from safetensors import SafetensorError

    from analysis.heads.checkpoint import load

    checkpoint = load(gguf)
    # the weights are plain float32 now; left in place these two would ask for a quantised loader
    vars(checkpoint.model)["hf_quantizer"] = None
    vars(checkpoint.model.config).pop("quantization_config", None)
    try:
        with contextlib.redirect_stderr(
            io.StringIO()
        ):  # transformers' own bar, in the middle of the caller's
            checkpoint.model.save_pretrained(folder)
        if checkpoint.tokenizer is not None:
            checkpoint.tokenizer.save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder} cannot be written: {error}; give one with more room") from error
