"""Are the rows of q and k in the order that the model was trained in? Its own perplexity tells.

llama.cpp's converter reorders the rows of each head's q and k (interleaved pairs instead of halves), and
whoever reads a .gguf must undo that. A model whose rows are out of order still runs, its rotation agrees
with its configuration, and all its statistics by distance are wrong: only its predictions give it away.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor, nn

from analysis.errors import InputError
from analysis.heads.model import Checkpoint

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
