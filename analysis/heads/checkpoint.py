"""Opening a checkpoint: a Hugging Face folder of safetensors, or a .gguf. Offline, and never a pickle."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from analysis.errors import InputError
from analysis.heads import files
from analysis.heads.capture import verify
from analysis.heads.families import family_of
from analysis.heads.model import Checkpoint
from analysis.heads.row_order import check_row_order
from analysis.provenance import printable
from analysis.theory.frequencies import from_config

__all__ = ["Checkpoint", "load"]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
# what transformers, safetensors and tokenizers raise for files that are not what they should be
BROKEN = (
    StrictDataclassError,
    ImportError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    ArithmeticError,
    AssertionError,
)


def load(model_path: Path, *, dtype: torch.dtype = torch.float32) -> Checkpoint:
    """A model with its tokenizer and facts, its rotation verified and, for .gguf, its row order.

    Nothing is looked up on the network and no code that comes with a checkpoint is run.

    Args:
        model_path: a folder with config.json and safetensors, or a .gguf file.
        dtype: of the weights in memory.

    Raises:
        InputError: for a path that is missing, a pickle (never opened), a truncated or incomplete checkpoint,
            an architecture without RoPE or not in the table, an unknown rope type, quantised safetensors, or
            a model whose own rotation is not what its configuration says.
    """
    source = files.inspect(Path(model_path))
    with _quiet():
        _check_config(source)
        tokenizer = _tokenizer(source)
        model = _model(source, dtype)
    name = printable(source.path.resolve().name.removesuffix(".gguf"))
    checkpoint = Checkpoint.of(model, name=name, tokenizer=tokenizer, sha256=files.sha256(source.weights))
    verify(checkpoint)
    if source.gguf_file and checkpoint.family.permuted_in_gguf:
        check_row_order(checkpoint)
    return checkpoint


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """transformers without progress bars and advice on the terminal, for the length of a `with`."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the bar of the .gguf reader obeys no switch
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def _blaming(source: files.Source, what: str) -> Iterator[None]:
    """Turns what the libraries raise for a broken file into one line that names it."""
    try:
        yield
    except InputError:
        raise
    except BROKEN as error:
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 240)
        raise InputError(f"{source.path}: the {what} cannot be used: {reason}") from error


def _offline(source: files.Source) -> dict[str, Any]:
    """What every call of transformers gets: local files, no code from the checkpoint."""
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    return options | ({"gguf_file": source.gguf_file} if source.gguf_file else {})


def _check_config(source: files.Source) -> None:
    """Refuses by its configuration alone, before any weight is read, what could not be captured."""
    if source.gguf_file is None:  # transformers' own message for an unknown model_type is about its version
        family_of(str(files.read_json(source.folder / files.CONFIG).get("model_type")))
    with _blaming(source, "configuration"):
        config = AutoConfig.from_pretrained(source.folder, **_offline(source))
    family_of(config.model_type)
    if quantised := getattr(config, "quantization_config", None):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        raise InputError(
            f"{source.path} is quantised ({method}); use the full-precision checkpoint or a .gguf"
        )
    try:
        for kind in sorted(set(getattr(config, "layer_types", None) or ())) or [None]:
            from_config(config, layer_type=kind, length=1)
    except InputError as error:
        raise InputError(f"{source.path}: {error}") from error


def _tokenizer(source: files.Source) -> PreTrainedTokenizerBase | None:
    present = [name for name in TOKENIZER_FILES if (source.folder / name).exists()]
    if not source.gguf_file and not present:
        return None
    with _blaming(source, "tokenizer"):
        return AutoTokenizer.from_pretrained(source.folder, **_offline(source))


def _model(source: files.Source, dtype: torch.dtype) -> PreTrainedModel:
    # use_safetensors: a folder that also holds pickles must not have them read;
    # ignore_mismatched_sizes: they come back in the report, and `_check_complete` says which
    options = _offline(source) | ({} if source.gguf_file else {"use_safetensors": True})
    with _blaming(source, "weights"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.folder, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    model, report = loaded
    _check_complete(source, report)
    return model


def _check_complete(source: files.Source, report: dict[str, Any]) -> None:
    """Every tensor of the model is in the file and the other way round: transformers only warns of either."""
    for name, found, expected in sorted(report["mismatched_keys"]):
        raise InputError(
            f"{source.path}: {name} is {tuple(found)} in the weights, {tuple(expected)} by the configuration"
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError(
            f"{source.path}: the weights lack {len(missing)} tensors of the model: {missing[0]} ..."
        )
    # older files store the frequencies, which the configuration gives
    extra = sorted(name for name in report["unexpected_keys"] if not name.endswith("rotary_emb.inv_freq"))
    if extra:
        raise InputError(
            f"{source.path}: {len(extra)} tensors of the weights have no place in the configuration's model: "
            f"{extra[0]} ..."
        )
