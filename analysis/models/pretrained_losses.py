"""Models of Hugging Face as evaluation sees them: windows of tokens in, losses out, whatever rotation is put in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from analysis.errors import InputError
from analysis.models.huggingface import Checkpoint
from analysis.models.token_losses import Read, cross_entropies
from analysis.theory.frequencies import Extension, Frequencies
from analysis.theory.model_config import LayerConfig

PIECE = 1024  # positions whose logits are formed at a time


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
            cross_entropies(head(checkpoint, piece).float(), wanted)
            for piece, wanted in zip(hidden.split(PIECE, 1), tokens[:, 1:].split(PIECE, 1), strict=True)
        ]
        return torch.cat(losses, dim=1)

    return read, max(1, PIECE // length)


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
