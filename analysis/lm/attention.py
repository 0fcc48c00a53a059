"""Causal attention of one layer through any encoding: one readable oracle, and the one that trains.

Whoever computes attention has the signature of `Attend`: the model takes any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from analysis.encodings import Encoding

Queries = Float[Tensor, "batch heads length key_dim"]
Keys = Float[Tensor, "batch kv_heads length key_dim"]
Values = Float[Tensor, "batch kv_heads length value_dim"]
Mixed = Float[Tensor, "batch heads length value_dim"]
Positions = Int[Tensor, " length"]
Attend = Callable[[Encoding, Tensor, Tensor, Tensor, Tensor], Tensor]


def oracle(encoding: Encoding, q: Queries, k: Keys, v: Values, positions: Positions) -> Mixed:
    """Each query in turn, in float64: what all others are tested against.

    Args:
        q: before any position is applied; query head h reads key head h // (heads // kv_heads).
        k, v: likewise.
        positions: of queries and keys, ascending; a query sees the keys up to its own place.
    """
    group = q.shape[1] // k.shape[1]
    served = torch.arange(q.shape[1]) // group
    out = torch.empty(*q.shape[:3], v.shape[-1], dtype=torch.float64)
    for b in range(len(q)):
        keys, values = k[b, served].double(), v[b, served].double()
        for i in range(q.shape[2]):
            here, seen = slice(i, i + 1), slice(0, i + 1)
            score = encoding.scores(q[b, :, here].double(), keys[:, seen], positions[here], positions[seen])
            weight = torch.exp(score - score.amax(dim=-1, keepdim=True))
            out[b, :, i] = ((weight / weight.sum(dim=-1, keepdim=True)) @ values[:, seen])[:, 0]
    return out


def explicit(encoding: Encoding, q: Queries, k: Keys, v: Values, positions: Positions) -> Mixed:
    """All scores at once, length x length for each head, in plain operations that compile into few loops.

    Scores and softmax are float32 at least whatever autocast says: only the projections before and the mixing
    of values after them are narrow.

    Args: as `oracle`.
    """
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    with torch.autocast(q.device.type, enabled=False):
        scores = encoding.scores(q, k, positions, positions)
        unseen = positions[:, None] < positions
        weights = scores.masked_fill(unseen, -math.inf).softmax(dim=-1)
        return weights.to(v.dtype) @ v
