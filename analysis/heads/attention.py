"""Causal attention with a soft cap on the scores, in tiles, because no fused kernel of torch has one."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

TILE = 256  # queries at a time: a score tile of 8 heads at 8192 keys is 67 MB


def capped_attention(
    q: Float[Tensor, "batch query_heads length head_dim"],
    k: Float[Tensor, "batch key_heads length head_dim"],
    v: Float[Tensor, "batch key_heads length value_dim"],
    mask: Bool[Tensor, "batch 1 length length"] | None,
    *,
    scale: float,
    softcap: float,
) -> Float[Tensor, "batch length query_heads value_dim"]:
    """softmax(softcap * tanh(scale * q k^T / softcap)) v, as Gemma 2 attends (Gemma Team 2024).

    Args:
        q, k, v: rotated already; a query head h reads key head h // (query_heads // key_heads).
        mask: True where a key may be read; None means every key up to the query's own position.
        scale, softcap: factor and bound of the scores.
    """
    batch, query_heads, length, _ = q.shape
    grouped = q.unflatten(1, (k.shape[1], -1))  # key head, then the query heads that read it
    out = q.new_empty(batch, length, query_heads, v.shape[-1])
    for start in range(0, length, TILE):
        stop = min(start + TILE, length)
        scores = grouped[:, :, :, start:stop] @ k[:, :, None, :stop].mT
        scores = scores.mul_(scale / softcap).tanh_().mul_(softcap)
        if mask is None:
            allowed = torch.ones(stop - start, stop, dtype=torch.bool, device=q.device).tril(start)
        else:
            allowed = mask[:, :, None, start:stop, :stop]
        scores = scores.masked_fill_(~allowed, -torch.inf).float().softmax(dim=-1).to(v.dtype)
        out[:, start:stop] = (scores @ v[:, :, None, :stop]).flatten(1, 2).transpose(1, 2)
    return out
