"""Opening a checkpoint: a Hugging Face folder of safetensors, or a .gguf. Offline, and never a pickle."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import gguf
import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from jaxtyping import Int
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from analysis.assets import PICKLES
from analysis.errors import InputError
from analysis.inputs import (
    check_folder_is_plain,
    check_regular,
    check_weights_are_floats,
    read_json,
    tensor_sizes,
)
from analysis.models.config import MOST
from analysis.models.families import TAPA, Family, Heads, family_of, heads_of
from analysis.progress import Progress, silent
from analysis.text.tokenizer import tokenizers_errors
from analysis.theory.model_config import from_config

# What lies at a checkpoint's path, found out without loading it: refusals come before any weight is read.

WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
POSITIVE = (
    "rms_norm_eps",
    "layer_norm_eps",
    "query_pre_attn_scalar",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "logit_scale",
)
"""Constants of a configuration that divide, or whose root is taken."""


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint on disk.

    Attributes:
        folder: that it lies in.
        weights: its weight files.
        gguf_file: name of the .gguf, where it is one.
        tensors, numbers: that its weight files hold.
    """

    folder: Path
    weights: tuple[Path, ...]
    gguf_file: str | None = None
    tensors: int = 0
    numbers: int = 0

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
    if os.path.isdir(path):
        check_folder_is_plain(path)
        return _folder(path)
    check_regular(path)
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
    raise InputError(f"{path} is neither a folder with config.json and {WEIGHTS} nor a .gguf file; give one")


def sha256(weights: Sequence[Path], progress: Progress = silent) -> str:
    """SHA-256 of one weight file; of several, that of the lines "digest  name" in order of name."""
    digests = []
    for index, file in enumerate(sorted(weights)):
        progress("sum of the weights", index, len(weights))
        with file.open("rb") as stream:
            digests.append((hashlib.file_digest(stream, "sha256").hexdigest(), file.name))
    progress("sum of the weights", len(weights), len(weights))
    if len(digests) == 1:
        return digests[0][0]
    lines = "".join(f"{digest}  {name}\n" for digest, name in digests)
    return hashlib.sha256(lines.encode()).hexdigest()


def _folder(path: Path) -> Source:
    weights = _safetensors(path)
    if not (path / CONFIG).exists():
        raise InputError(f"{path} has no {CONFIG}; a Hugging Face folder holds it beside the weights")
    for file in weights:
        if not file.exists():
            raise InputError(f"{file} is missing, though {path / INDEX} names it")
    sizes = [size for file in weights for size in tensor_sizes(file)]
    for file in weights:
        check_weights_are_floats(file)
    return Source(path, weights, None, len(sizes), sum(sizes))


def _safetensors(path: Path) -> tuple[Path, ...]:
    """The weight files of a folder, present or only promised by its index."""
    if (path / WEIGHTS).exists():
        return (path / WEIGHTS,)
    if (path / INDEX).exists():
        placed = read_json(path / INDEX).get("weight_map")
        if not isinstance(placed, dict) or not placed:
            raise InputError(f"{path / INDEX} has no weight_map; fetch the checkpoint again")
        for name in placed.values():
            if not isinstance(name, str) or not _is_file_name(name):
                raise InputError(
                    f"{path / INDEX} names {str(name)[:80]!r}, which is no safetensors file of the folder itself"
                )
        return tuple(sorted({path / name for name in placed.values()}))
    pickles = sorted(file.name for file in path.iterdir() if file.suffix in PICKLES)
    if pickles:
        raise InputError(
            f"{path} has only pickled weights ({pickles[0]}), which can run code when opened, and were not; "
            f"save them as safetensors"
        )
    raise InputError(
        f"{path} has no {WEIGHTS}; give a folder with {CONFIG} and weights as safetensors, or a .gguf file"
    )


def _is_file_name(name: str) -> bool:
    """Does it name a file of weights in the folder, and nothing below or above it on any system?"""
    inside = PurePosixPath(name).name == name == PureWindowsPath(name).name
    return inside and name.endswith(".safetensors") and name.isprintable()


class _BoundedReader(gguf.GGUFReader):
    """Reads nothing beyond the end of the file: the library takes what is there, and counts on to any length."""

    def _get(self, offset: int, dtype: Any, count: Any = 1, *options: Any, **named: Any) -> np.ndarray:
        if offset + np.dtype(dtype).itemsize * int(count) > len(self.data):
            raise ValueError(f"it ends before {int(count)} values at offset {offset}")
        return super()._get(offset, dtype, count, *options, **named)


def _gguf(path: Path) -> Source:
    try:
        reader = _BoundedReader(path)
    except (ValueError, IndexError, KeyError, OSError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} is truncated or not a GGUF file: {error}") from error
    lost = _lost_rotation(reader)
    if lost:
        raise InputError(
            f"{path} scales its rotation ({lost}), which is lost in reading; use the safetensors checkpoint"
        )
    sizes = [int(tensor.n_elements) for tensor in reader.tensors]
    return Source(path.parent, (path,), path.name, len(sizes), sum(sizes))


def _lost_rotation(reader: gguf.GGUFReader) -> str | None:
    """Name of what changes the frequencies in this file, or None: transformers reads none of it."""
    for tensor in reader.tensors:
        if tensor.name.startswith(("rope_freqs", "rope_factors")):
            return tensor.name
    for name, field in reader.fields.items():
        if name.endswith(".rope.scaling.type") and field.contents() != "none":
            return f"{name} = {field.contents()}"
    return None


# A language model ready to be read, and the facts of its configuration that measurements need.


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A causal language model ready to be read, and the facts of its configuration.

    Attributes:
        model: in evaluation mode; its attention layers are in `model.base_model`.
        tokenizer: None if the checkpoint came without one.
        name: of the folder or file, for records and messages.
        architecture: `model_type` of the configuration.
        layers, query_heads, key_heads, head_dim: sizes.
        context_length: the longest window the configuration declares, in tokens.
        parameters: number of weights, shared ones counted once.
        sha256: of the weight files; empty for a model that was never a file.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None
    name: str
    architecture: str
    layers: int
    query_heads: int
    key_heads: int
    head_dim: int
    context_length: int
    parameters: int
    sha256: str

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        *,
        name: str,
        tokenizer: PreTrainedTokenizerBase | None = None,
        sha256: str = "",
    ) -> Checkpoint:
        """The facts read off a model's own configuration; puts the model in evaluation mode.

        Raises:
            InputError: for an architecture that is not in the table of families.
        """
        config = model.config
        family_of(config.model_type)
        heads = heads_of(config)
        return cls(
            model=model.eval(),
            tokenizer=tokenizer,
            name=name,
            architecture=config.model_type,
            layers=config.num_hidden_layers,
            query_heads=heads.query,
            key_heads=heads.key,
            head_dim=heads.dim,
            context_length=config.max_position_embeddings,
            parameters=sum(p.numel() for p in model.parameters()),
            sha256=sha256,
        )

    def __post_init__(self) -> None:
        family_of(self.architecture)
        if self.heads.dim % 2:
            raise InputError(f"{self.name}: head_dim={self.head_dim} is odd; RoPE rotates pairs")
        if self.context_length < 1 or self.layers < 1:
            raise InputError(f"{self.name}: context of {self.context_length} tokens, {self.layers} layers")

    @property
    def heads(self) -> Heads:
        """The sizes that every attention layer has."""
        return Heads(self.query_heads, self.key_heads, self.head_dim)

    @property
    def rotates(self) -> bool:
        """Whether its queries and keys are rotated; not with TAPA in the rotation's place."""
        return not self.architecture.startswith(TAPA)

    @property
    def family(self) -> Family:
        """The architecture's line in the adapter table."""
        return family_of(self.architecture)

    def encode(self, text: str, *, special_tokens: bool = True) -> Int[Tensor, " length"]:
        """Token ids of a text, with what the tokenizer adds to every text unless told not to.

        Raises:
            InputError: the checkpoint has no tokenizer.
        """
        # asked for a tensor, transformers walks over all tokens three times in Python
        found = self.tokenized(text, add_special_tokens=special_tokens)
        return torch.tensor(found["input_ids"], dtype=torch.int64)

    def tokenized(self, text: str, **options: Any) -> Mapping[str, Any]:
        """What the tokenizer makes of a text, its `input_ids` being tokens that the model knows.

        Raises:
            InputError: the checkpoint has no tokenizer, or one that fails or gives tokens of another model.
        """
        if self.tokenizer is None:
            raise InputError(f"{self.name} has no tokenizer; put its tokenizer.json beside the weights")
        with blaming(self.name, "tokenizer"), tokenizers_errors(self.name):
            found = self.tokenizer(text, verbose=False, **options)
        known: Any = self.model.get_input_embeddings()
        if (most := max(found["input_ids"], default=0)) >= known.num_embeddings:
            raise InputError(
                f"{self.name}: its tokenizer gives token {most}, its model knows {known.num_embeddings}; "
                f"put the tokenizer that belongs to the weights beside them"
            )
        return found


# Are the rows of q and k in the order that the model was trained in? Its own perplexity tells.
#
# llama.cpp's converter reorders the rows of each head's q and k (interleaved pairs instead of halves), and
# whoever reads a .gguf must undo that. A model whose rows are out of order still runs, its rotation agrees
# with its configuration, and all its statistics by distance are wrong: only its predictions give it away.


PARAGRAPH = """\
A river is a natural stream of fresh water that flows across the land towards a lake, a sea or another river.
Most rivers begin in mountains or hills, where rain, melting snow or springs feed small brooks that join one
another on their way down. Near its source a river is usually narrow and fast, and it cuts a steep valley into
the rock. Further down the slope becomes gentler, the valley widens, and the water drops some of the sand and
gravel that it has carried. Where it meets the sea a river may build a delta, a flat area of fertile soil
crossed by many channels. For thousands of years people have settled beside rivers, because they give drinking
water, fish, power and an easy way to move goods from one town to the next."""


def check_row_order(checkpoint: Checkpoint, text: str = PARAGRAPH) -> dict[str, float]:
    """Perplexity of a text with the rows of q and k as loaded, and reordered either way.

    Returns:
        Perplexity "as loaded", "permuted" as llama.cpp does, and with such a permutation "undone".

    Raises:
        InputError: unless the first is the lowest: the rows were left permuted, or undone twice.
    """
    tokens = checkpoint.encode(text)
    order = interleaved_order(checkpoint.head_dim)
    found = {"as loaded": perplexity(checkpoint, tokens)}
    for name, rows in (("permuted", order), ("undone", order.argsort())):
        with reordered(checkpoint, rows):
            found[name] = perplexity(checkpoint, tokens)
    if not found["as loaded"] < min(found["permuted"], found["undone"]):
        values = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
        raise InputError(
            f"{checkpoint.name}: the rows of q and k are in the wrong order (perplexity {values}); "
            f"convert the .gguf again or use the safetensors checkpoint"
        )
    return found


@torch.inference_mode()
def perplexity(checkpoint: Checkpoint, tokens: Int[Tensor, " length"]) -> float:
    """exp of the mean negative log-likelihood of each token given those before it, in one window."""
    window = tokens[None].to(checkpoint.model.device)
    logits = checkpoint.model(input_ids=window, use_cache=False).logits[0, :-1].float()
    return math.exp(nn.functional.cross_entropy(logits, window[0, 1:]).item())


def interleaved_order(head_dim: int) -> Int[Tensor, " head_dim"]:
    """Where each row of a head in llama.cpp's order comes from: 0, D/2, 1, D/2 + 1, ..."""
    return torch.arange(head_dim).reshape(2, -1).T.reshape(-1)


@contextlib.contextmanager
def reordered(checkpoint: Checkpoint, rows: Int[Tensor, " head_dim"]) -> Iterator[None]:
    """The rows of every head of q and k in another order, for the length of a `with`."""
    _reorder(checkpoint, rows)
    try:
        yield
    finally:
        _reorder(checkpoint, rows.argsort())


@torch.inference_mode()
def _reorder(checkpoint: Checkpoint, rows: Tensor) -> None:
    for module in checkpoint.model.base_model.modules():
        if checkpoint.family.is_attention(module):
            for tap in checkpoint.family.tapped(module):
                for weight in tap.parameters():
                    heads = weight.data.unflatten(0, (-1, len(rows)))
                    weight.data.copy_(heads[:, rows].flatten(0, 1))


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


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
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
def blaming(path: Path | str, what: str) -> Iterator[None]:
    """Turns what the libraries raise for a broken file into one line that names it."""
    try:
        yield
    except InputError:
        raise
    except BROKEN as error:
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 240)
        raise InputError(f"{path}: the {what} cannot be used: {reason}") from error


def _offline(source: Source) -> dict[str, Any]:
    """What every call of transformers gets: local files, no code from the checkpoint."""
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    return options | ({"gguf_file": source.gguf_file} if source.gguf_file else {})


def read_config(source: Source) -> PreTrainedConfig:
    """The configuration of a checkpoint, as transformers completes it; `InputError` for an unknown architecture."""
    if source.gguf_file is None:  # transformers' own message for an unknown model_type is about its version
        named = str(read_json(source.folder / CONFIG).get("model_type"))
        family_of(named)
        if named.startswith(TAPA):
            from analysis.models.tapa_llama import CLASSES  # importing it tells transformers of these models

            assert named.removeprefix(TAPA) in CLASSES
    with quiet_transformers(), blaming(source.path, "configuration"):
        config = AutoConfig.from_pretrained(source.folder, **_offline(source))
    family_of(config.model_type)
    return config


def check_config(source: Source) -> None:
    """Refuses by its configuration alone, before any weight is read, what could not be captured."""
    config = read_config(source)
    if quantised := getattr(config, "quantization_config", None):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        raise InputError(
            f"{source.path} is quantised ({method}); use the full-precision checkpoint or a .gguf"
        )
    _check_numbers(source, config)
    try:
        if config.model_type.startswith(TAPA):
            return _check_sizes(source, config)
        for kind in sorted(set(getattr(config, "layer_types", None) or ())) or [None]:
            from_config(config, layer_type=kind, length=1)
    except InputError as error:
        raise InputError(f"{source.path}: {error}") from error
    _check_sizes(source, config)


def _check_numbers(source: Source, config: Any) -> None:
    """Refuses a context that no model has, and constants with which no score is a number."""
    longest = MOST["context"]
    context = getattr(config, "max_position_embeddings", None)
    if isinstance(context, int) and context > longest:
        raise InputError(
            f"{source.path}: max_position_embeddings={context} is above {longest}; give the tokens that the model "
            f"was made to read"
        )
    for name in POSITIVE:
        value = getattr(config, name, None)
        if isinstance(value, int | float) and not 0 < value < math.inf:
            raise InputError(
                f"{source.path}: {name}={value} is no finite number above 0; give the configuration that belongs to "
                f"the weights"
            )


def _check_sizes(source: Source, config: Any) -> None:
    """Refuses sizes that the weights cannot have, before a model of these sizes is made."""
    size = {
        name: getattr(config, name, None)
        for name in (
            "hidden_size",
            "vocab_size",
            "intermediate_size",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
        )
    }
    known = {name: value for name, value in size.items() if isinstance(value, int)}
    for name, value in known.items():
        width = 1 if name == "hidden_size" else max(1, known.get("hidden_size", 1))
        if not 0 < value <= source.numbers // width:
            raise InputError(
                f"{source.path}: {name}={value} does not fit weights of {source.numbers} numbers in all; "
                f"give the configuration that belongs to them"
            )
    if isinstance(layers := getattr(config, "num_hidden_layers", None), int) and layers > source.tensors:
        raise InputError(
            f"{source.path}: num_hidden_layers={layers}, but its weights are {source.tensors} tensors; "
            f"give the configuration that belongs to them"
        )


def pretrained_tokenizer(source: Source) -> PreTrainedTokenizerBase | None:
    present = [name for name in TOKENIZER_FILES if (source.folder / name).exists()]
    if not source.gguf_file and not present:
        return None
    with blaming(source.path, "tokenizer"), tokenizers_errors(source.path):
        return AutoTokenizer.from_pretrained(source.folder, **_offline(source))


def pretrained_model(source: Source, dtype: torch.dtype) -> PreTrainedModel:
    # use_safetensors: a folder that also holds pickles must not have them read;
    # ignore_mismatched_sizes: they come back in the report, and `_check_complete` says which;
    # attn_implementation: a configuration may name a repository of native code; None is the architecture's own
    options = _offline(source) | ({} if source.gguf_file else {"use_safetensors": True})
    options["attn_implementation"] = None
    with blaming(source.path, "weights"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.folder, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    model, report = loaded
    _check_complete(source, report)
    for name, weight in model.named_parameters():
        if not bool(weight.isfinite().all()):
            raise InputError(
                f"{source.path}: {name} holds a value that is not finite; the weights are damaged"
            )
    return model


def _check_complete(source: Source, report: dict[str, Any]) -> None:
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
