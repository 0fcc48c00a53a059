"""Models as evaluation sees them: windows of tokens in, losses out, with memory that grows as the length does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from analysis.encodings import Rope
from analysis.errors import InputError
from analysis.models.attention import explicit
from analysis.models.fused import Fused
from analysis.models.huggingface import Checkpoint
from analysis.models.llama import Llama
from analysis.theory.frequencies import Extension, Frequencies, partial_rotary_dim
from analysis.theory.model_config import LayerConfig

Read = Callable[[Int[Tensor, "rows length"]], Float[Tensor, "rows predictions"]]
"""Loss in nats of every token of a window but its first, from those before it."""

EXPLICIT = 2048  # up to this many tokens all scores at once are cheaper than a compilation
SCORES = 2**25  # numbers in the largest array of scores: 134 MB
PIECE = 1024  # positions whose logits are formed at a time

_fused = Fused()


def llama_reader(model: Llama, length: int, extension: Extension | None = None) -> tuple[Read, int]:
    """A small Llama for windows of one length, and how many of them it reads at once, wherever its weights are.

    Windows longer than `EXPLICIT` go through attention that keeps no scores (`fused`), one at a time.

    Raises:
        InputError: an extension of a method without RoPE, or of a model whose RoPE is extended already.
    """
    if extension is not None and extension.name != "none":
        model = _extended(model, extension, length)

    @torch.inference_mode()
    def read(tokens: Int[Tensor, "rows length"]) -> Float[Tensor, "rows predictions"]:
        tokens = tokens.to(model.embedding.weight.device)
        with attention_for_length(model, length):
            logits = model(tokens[:, :-1])
        return _losses(logits, tokens[:, 1:])

    return read, rows_at_once(model, length)


def rows_at_once(model: Llama, length: int, scores: int = SCORES) -> int:
    """Windows that are read together: one by tiles, else as many as keep arrays of scores below `scores` numbers."""
    return 1 if length > EXPLICIT else max(1, scores // (model.config.heads * length**2))


@contextlib.contextmanager
def attention_for_length(model: Llama, length: int) -> Iterator[None]:
    """The model with the attention for windows of one length, for the length of a `with`; then as it was."""
    before, model.attend = model.attend, _fused if length > EXPLICIT else explicit
    try:
        yield
    finally:
        model.attend = before


def _extended(model: Llama, extension: Extension, length: int) -> Llama:
    """The model with the extension in every layer that rotates."""
    config, method = model.config, model.config.method
    if method.name not in ("rope", "partial", "interleaved"):
        raise InputError(f"method {method.name} has no RoPE to extend; leave --extension out")
    if method.extension != "none":
        raise InputError(f"the model's RoPE is extended already ({method.extension}); leave --extension out")
    share = method.rotary_share if method.name == "partial" else 1.0
    rotary = partial_rotary_dim(config.head_dim, share)
    rope = Rope(extension.frequencies(method.base, config.head_dim, rotary, length=length))
    return model.with_interventions(lambda _, encoding: rope if isinstance(encoding, Rope) else encoding)


def pretrained_reader(
    checkpoint: Checkpoint, length: int, extension: Extension | None = None
) -> tuple[Read, int]:
    """A Hugging Face model for windows of one length, and how many of them it reads at once.

    Raises:
        InputError: a model whose rotation cannot be replaced.
    """
    frequencies = None if extension is None else extended_rotation(checkpoint, extension, length)
    own_grows = _grows(checkpoint)

    @torch.inference_mode()
    def read(tokens: Int[Tensor, "rows length"]) -> Float[Tensor, "rows predictions"]:
        with rotating(checkpoint, frequencies):
            if own_grows:  # such a model keeps the frequencies of the longest text until it reads a short one
                checkpoint.model.base_model(input_ids=tokens[:, :1], use_cache=False)
            hidden = checkpoint.model.base_model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
        losses = [
            _losses(head(checkpoint, piece).float(), wanted)
            for piece, wanted in zip(hidden.split(PIECE, 1), tokens[:, 1:].split(PIECE, 1), strict=True)
        ]
        return torch.cat(losses, dim=1)

    return read, max(1, PIECE // length)


def _losses(
    logits: Float[Tensor, "rows length vocab"], wanted: Int[Tensor, "rows length"]
) -> Float[Tensor, "rows length"]:
    """Cross entropy of each place. Logits of a place stay side by side: across strides torch sums them one by one,

    which in float32 costs 1e-4 nats of a vocabulary of 49,152.
    """
    flat = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return flat.unflatten(0, wanted.shape)


def _grows(checkpoint: Checkpoint) -> bool:
    """Do the model's own frequencies depend on the length of the text?"""
    config = checkpoint.model.config
    types = sorted(set(getattr(config, "layer_types", None) or ())) or [None]
    return any(LayerConfig.read(config, kind).kind in ("dynamic", "longrope") for kind in types)


def head(
    checkpoint: Checkpoint, hidden: Float[Tensor, "rows length width"]
) -> Float[Tensor, "rows length vocab"]:
    """Logits of some positions; `check_head` proves them the model's own."""
    model, config = checkpoint.model, checkpoint.model.config
    to_vocabulary: Any = model.get_output_embeddings()
    logits = to_vocabulary(hidden)
    if (scale := getattr(config, "logit_scale", None)) is not None:
        logits = logits * scale
    if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
        logits = cap * torch.tanh(logits / cap)
    return logits


@torch.inference_mode()
def check_head(checkpoint: Checkpoint) -> None:
    """`InputError` unless `head` gives what the model itself gives, within rounding, on a few tokens."""
    tokens = torch.arange(8)[None] % checkpoint.model.config.vocab_size
    whole = checkpoint.model(input_ids=tokens, use_cache=False).logits.float()
    ours = head(checkpoint, checkpoint.model.base_model(input_ids=tokens, use_cache=False).last_hidden_state)
    budget = 16 * torch.finfo(checkpoint.model.dtype).eps * float(whole.abs().max())
    if not float((ours.float() - whole).abs().max()) <= budget:
        raise InputError(
            f"{checkpoint.name}: its logits are more than its head on its last layer; not supported"
        )


def extended_rotation(checkpoint: Checkpoint, extension: Extension, length: int) -> Frequencies | None:
    """The frequencies of an extension of the model's plain RoPE; None where nothing is to be replaced.

    Raises:
        InputError: the model's RoPE is not plain, or its layers differ.
    """
    if extension.name == "none":
        return None
    rotary = rotary_module(checkpoint)
    layer = LayerConfig.read(checkpoint.model.config, None)
    if layer.kind != "default":
        raise InputError(
            f"{checkpoint.name} has an extended RoPE already ({layer.kind}); give --extension none, "
            f"or a model with plain RoPE"
        )
    base, head_dim, rotary_dim = layer.shape
    found = extension.frequencies(
        base, head_dim, rotary_dim, length=length, pairing=checkpoint.family.pairing
    )
    if tuple(rotary.inv_freq.shape) != found.omega.shape:
        raise InputError(f"{checkpoint.name} rotates {rotary.inv_freq.numel()} pairs, not {len(found.omega)}")
    return found


def rotary_module(checkpoint: Checkpoint) -> Any:
    """The one module that turns positions into angles for all layers; `InputError` if there is not one."""
    base: nn.Module = checkpoint.model.base_model
    found = getattr(base, "rotary_emb", None)
    if found is None or not hasattr(found, "inv_freq") or not hasattr(found, "attention_scaling"):
        raise InputError(
            f"{checkpoint.name}: its layers have no rotation in common that could be replaced; "
            f"give --extension none"
        )
    return found


@contextlib.contextmanager
def rotating(checkpoint: Checkpoint, frequencies: Frequencies | None) -> Iterator[None]:
    """The model with other frequencies for the length of a `with`, then as it was; with its own for None."""
    if frequencies is None:
        yield
        return
    rotary = rotary_module(checkpoint)
    before = rotary.inv_freq, rotary.attention_scaling
    omega = torch.from_numpy(frequencies.omega).to(before[0])
    try:
        rotary.inv_freq, rotary.attention_scaling = omega, frequencies.attention_factor
        yield
    finally:
        rotary.inv_freq, rotary.attention_scaling = before
