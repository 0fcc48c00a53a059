"""The adapter table: where each architecture keeps its query and key before rotation, and in which layout.

An architecture is added by one line here; `capture` then proves the line right on every forward, because the
rotated capture must equal what the model itself hands to its attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from analysis.errors import InputError
from analysis.theory.frequencies import Pairing


@dataclass(frozen=True, slots=True)
class Heads:
    """Sizes of one attention layer: number of query heads, of key heads, and dimensions of one head."""

    query: int
    key: int
    dim: int

    def __post_init__(self) -> None:
        if min(self.query, self.key, self.dim) < 1:
            raise InputError(
                f"query_heads={self.query}, key_heads={self.key}, head_dim={self.dim}: all must be >= 1"
            )
        if self.query % self.key:
            raise InputError(f"{self.query} query heads cannot share {self.key} key heads evenly")


def heads_of(config: Any) -> Heads:
    """Sizes of every attention layer, by a configuration of transformers; `InputError` where they do not fit."""
    query = config.num_attention_heads
    key = getattr(config, "num_key_value_heads", None) or query
    return Heads(query, key, getattr(config, "head_dim", None) or config.hidden_size // query)


# What the hooked modules gave -> (q, k), each (batch, heads, length, head_dim).
Arrange = Callable[[Sequence[Tensor], Heads], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Family:
    """How one architecture is read.

    Attributes:
        taps: names of submodules of an attention layer; of each tuple the first that the layer has is
            hooked, so an optional norm stands before its projection.
        arrange: turns the hooked outputs into q and k.
        pairing: which dimensions of a head are rotated together.
        permuted_in_gguf: whether llama.cpp's converter reorders the rows of q and k of this architecture.
    """

    taps: tuple[tuple[str, ...], ...]
    arrange: Arrange
    pairing: Pairing = "halves"
    permuted_in_gguf: bool = False

    def tapped(self, attention: nn.Module) -> list[nn.Module]:
        """The submodules to hook in one attention layer; `InputError` if one is missing."""
        children = dict(attention.named_children())
        found = [next((children[n] for n in names if n in children), None) for names in self.taps]
        missing = [names for names, module in zip(self.taps, found, strict=True) if module is None]
        if missing:
            raise InputError(f"{type(attention).__name__} has no submodule {' or '.join(missing[0])}")
        return [module for module in found if module is not None]

    def is_attention(self, module: nn.Module) -> bool:
        """Whether a module is an attention layer of this family: it has the last alternative of every tap."""
        children = dict(module.named_children())
        return all(names[-1] in children for names in self.taps)


def _heads_first(x: Tensor, dim: int) -> Float[Tensor, "batch heads length dim"]:
    """(batch, length, heads * dim) or (batch, length, heads, dim) -> (batch, heads, length, dim), a view."""
    return (x.unflatten(-1, (-1, dim)) if x.ndim == 3 else x).transpose(1, 2)


def _separate(outputs: Sequence[Tensor], heads: Heads) -> tuple[Tensor, Tensor]:
    q, k = outputs
    return _heads_first(q, heads.dim), _heads_first(k, heads.dim)


def _separate_norm_after_transpose(outputs: Sequence[Tensor], heads: Heads) -> tuple[Tensor, Tensor]:
    """Like `_separate`, for norms that already see (batch, heads, length, dim)."""
    q, k = (x if x.ndim == 4 else _heads_first(x, heads.dim) for x in outputs)
    return q, k


def _fused_by_head(outputs: Sequence[Tensor], heads: Heads) -> tuple[Tensor, Tensor]:
    """One projection whose rows are, head after head, that head's q, k and v."""
    q, k, _ = _heads_first(outputs[0], 3 * heads.dim).chunk(3, dim=-1)
    return q, k


def _fused_by_block(outputs: Sequence[Tensor], heads: Heads) -> tuple[Tensor, Tensor]:
    """One projection whose rows are all of q, then all of k, then all of v."""
    sizes = [heads.query * heads.dim, heads.key * heads.dim, heads.key * heads.dim]
    q, k, _ = outputs[0].split(sizes, dim=-1)
    return _heads_first(q, heads.dim), _heads_first(k, heads.dim)


_PLAIN = (("q_proj",), ("k_proj",))
_NORMED = (("q_norm", "q_proj"), ("k_norm", "k_proj"))

FAMILIES: dict[str, Family] = {
    "llama": Family(_PLAIN, _separate, permuted_in_gguf=True),
    "mistral": Family(_PLAIN, _separate, permuted_in_gguf=True),
    "qwen2": Family(_PLAIN, _separate),
    "qwen3": Family(_NORMED, _separate),
    "gemma": Family(_PLAIN, _separate),
    "gemma2": Family(_PLAIN, _separate),
    "gemma3_text": Family(_NORMED, _separate_norm_after_transpose),
    "gpt_neox": Family((("query_key_value",),), _fused_by_head),
    "phi": Family((("q_layernorm", "q_proj"), ("k_layernorm", "k_proj")), _separate_norm_after_transpose),
    "phi3": Family((("qkv_proj",),), _fused_by_block),
    "cohere": Family(_NORMED, _separate, pairing="interleaved"),
    "glm": Family(_PLAIN, _separate, pairing="interleaved"),
}

# What carries position instead, for architectures that somebody may well try.
WITHOUT_ROPE: dict[str, str] = {
    "albert": "learned absolute positions",
    "bart": "learned absolute positions",
    "bert": "learned absolute positions",
    "biogpt": "learned absolute positions",
    "bloom": "ALiBi",
    "deberta-v2": "relative position embeddings",
    "distilbert": "learned absolute positions",
    "electra": "learned absolute positions",
    "gpt2": "learned absolute positions",
    "gpt_bigcode": "learned absolute positions",
    "gpt_neo": "learned absolute positions",
    "mamba": "a state-space recurrence",
    "mamba2": "a state-space recurrence",
    "mpt": "ALiBi",
    "opt": "learned absolute positions",
    "roberta": "learned absolute positions",
    "rwkv": "a recurrence",
    "t5": "relative position biases",
    "xglm": "sinusoidal absolute positions",
}


TAPA = "tapa_"
"""Before a family's name: its models with TAPA in the place of their rotation (`tapa_llama`)."""


def family_of(architecture: str) -> Family:
    """The table's line for a `model_type`; `InputError` that names it, and what it has instead, if known."""
    if architecture.removeprefix(TAPA) in FAMILIES:
        return FAMILIES[architecture.removeprefix(TAPA)]
    if architecture in WITHOUT_ROPE:
        raise InputError(
            f"{architecture} has no rotary position embedding: it uses {WITHOUT_ROPE[architecture]}"
        )
    known = ", ".join(sorted(FAMILIES))
    raise InputError(f"architecture {architecture!r} is not supported; supported: {known}")
