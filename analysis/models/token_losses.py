"""Small Llamas as evaluation sees them: windows of tokens in, losses out, with memory that grows as the length does.

Those of Hugging Face: `pretrained_losses`, apart, as importing transformers takes seconds that our own do not need.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings import Rope
from analysis.errors import InputError
from analysis.models.attention import explicit
from analysis.models.fused import Fused
from analysis.models.llama import Llama
from analysis.theory.frequencies import Extension, partial_rotary_dim

Read = Callable[[Int[Tensor, "rows length"]], Float[Tensor, "rows predictions"]]
"""Loss in nats of every token of a window but its first, from those before it."""

EXPLICIT = 1024  # up to this many tokens all scores at once are cheaper than a compilation
MOST_SCORES = 2**25  # numbers in the largest array of scores: 134 MB
SCORES = 2**21  # the same where speed on one core counts: smaller arrays are faster there

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
        return cross_entropies(logits, tokens[:, 1:])

    return read, rows_at_once(model, length)


def rows_at_once(model: Llama, length: int, scores: int = MOST_SCORES) -> int:
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


def cross_entropies(
    logits: Float[Tensor, "rows length vocab"], wanted: Int[Tensor, "rows length"]
) -> Float[Tensor, "rows length"]:
    """Cross entropy of each place. Logits of a place stay side by side: across strides torch sums them one by one,

    which in float32 costs 1e-4 nats of a vocabulary of 49,152.
    """
    flat = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return flat.unflatten(0, wanted.shape)
