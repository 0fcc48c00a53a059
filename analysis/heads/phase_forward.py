"""A small Llama read by tiles: queries and keys of every layer handed on, entropy of every head's attention."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from analysis.encodings import Encoding
from analysis.lm.attention import Keys, Mixed, Positions, Queries, Values
from analysis.lm.model import Llama

TILE = 256  # queries, and keys, scored at a time

Consumer = Callable[[int, Encoding, Tensor, Tensor, Tensor], None]
"""Told of each layer: index, encoding, q and k before any position, entropy of each query's attention."""
Seen = tuple[Tensor, Tensor, Tensor, Tensor]
"""Running maximum, sum of weights, sum of weight times score, sum of weight times value."""


@torch.no_grad()
def read(model: Llama, tokens: Int[Tensor, "batch length"], consumer: Consumer) -> None:
    """Run windows through a model with attention by tiles; memory grows with the length alone, not its square.

    Args:
        consumer: called once a layer, the first layer first, with q (batch, heads, length, dim), k (batch, kv_heads,
            length, dim) and entropy (batch, heads, length), nats.
    """
    positions = torch.arange(tokens.shape[-1])
    layers = iter(range(len(model.attentions)))

    def attend(encoding: Encoding, q: Queries, k: Keys, v: Values, at: Positions) -> Mixed:
        mixed, entropy = streamed(encoding, q, k, v, at)
        consumer(next(layers), encoding, q, k, entropy)
        return mixed

    x = model.embedding(tokens)
    for block in model.blocks:
        x = block(x, positions, attend)


def streamed(
    encoding: Encoding, q: Queries, k: Keys, v: Values, positions: Positions, *, tile: int = TILE
) -> tuple[Mixed, Float[Tensor, "batch heads length"]]:
    """Causal attention, and the entropy of each query's weights in nats, one tile of scores at a time.

    Weights are summed about a running maximum (Milakov and Gimelshein 2018, arXiv 1805.02867).

    Args: as `analysis.lm.attention.oracle`.
    """
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    mixed, entropy = torch.empty(*q.shape[:3], v.shape[-1], dtype=v.dtype), q.new_empty(q.shape[:3])
    for queries in torch.arange(q.shape[2]).split(tile):
        rows = slice(int(queries[0]), int(queries[-1]) + 1)
        seen = None
        for left in range(0, rows.stop, tile):
            keys = slice(left, min(left + tile, rows.stop))
            scores = encoding.scores(q[:, :, rows], k[:, :, keys], positions[rows], positions[keys])
            hidden = positions[rows, None] < positions[keys]
            seen = _add(seen, scores.masked_fill(hidden, -math.inf), v[:, :, keys])
        assert seen is not None  # a query sees at least itself
        top, total, first, values = seen
        mixed[:, :, rows] = (values / total[..., None]).to(v.dtype)
        entropy[:, :, rows] = top + total.log() - first / total
    return mixed, entropy


def _add(seen: Seen | None, scores: Float[Tensor, "batch heads rows keys"], v: Values) -> Seen:
    """What has been summed, with the keys of one more tile; the first tile holds a key for every query."""
    top = scores.amax(dim=-1)
    if seen is not None:
        top = torch.maximum(top, seen[0])
    weight = torch.exp(scores - top[..., None])
    sums = (
        weight.sum(dim=-1),
        (weight * scores.masked_fill(weight == 0, 0.0)).sum(dim=-1),
        weight @ v.to(weight.dtype),
    )
    if seen is None:
        return top, *sums
    shrink = torch.exp(seen[0] - top)
    total, first, values = sums
    return top, total + shrink * seen[1], first + shrink * seen[2], values + shrink[..., None] * seen[3]
