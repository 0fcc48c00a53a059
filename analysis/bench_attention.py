"""Attention by tiles against the two matrix products that it cannot do without: rows for `tapa bench`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.bench import against, in_turns, peak_memory_mb
from analysis.encodings import Alibi, Encoding, Nope, Rope, SlidingWindow, Tapa, alibi_slopes
from analysis.lm.streaming import TILE, Streaming
from analysis.theory.frequencies import plain

METHODS = ("RoPE", "TAPA", "ALiBi", "NoPE")


def encoding_of(method: str, heads: int, head_dim: int) -> Encoding:
    """An encoding by the name that the rows use."""
    makers: dict[str, Callable[[], Encoding]] = {
        "RoPE": lambda: Rope(plain(1e4, head_dim)),
        "TAPA": lambda: Tapa(head_dim),
        "ALiBi": lambda: Alibi(head_dim, alibi_slopes(heads)),
        "NoPE": lambda: Nope(head_dim),
        "window": lambda: SlidingWindow(Rope(plain(1e4, head_dim)), 1024),
    }
    return makers[method]()


def two_products(q: Tensor, k: Tensor, v: Tensor, tile: int) -> Tensor:
    """Q K^T and (Q K^T) V over the same tiles at and below the diagonal, and nothing else."""
    out = q.new_empty(*q.shape[:3], v.shape[-1])
    for start in range(0, q.shape[2], tile):
        queries = q[:, :, start : start + tile]
        out[:, :, start : start + tile] = sum(
            (queries @ k[:, :, at : at + tile].mT) @ v[:, :, at : at + tile]
            for at in range(0, start + 1, tile)
        )
    return out


@torch.no_grad()
def streaming_speed(
    length: int = 16_384,
    tile: int = TILE,
    heads: int = 4,
    head_dim: int = 64,
    *,
    methods: Sequence[str] = METHODS,
    repeats: int = 7,
    compiled: bool = True,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Attention of each method by tiles, compiled, in units of the two matrix products; both in one run."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, length, head_dim, generator=generator) for _ in range(3))
    positions, rows = torch.arange(length), []
    for method in methods:
        attend, encoding = Streaming(tile, compiled=compiled), encoding_of(method, heads, head_dim)
        products, whole = in_turns(
            [lambda: two_products(q, k, v, tile), lambda a=attend, e=encoding: a(e, q, k, v, positions)],
            repeats,
        )
        what = (
            f"{method} by tiles against its two matrix products, length {length}, {heads} heads of {head_dim}"
        )
        sides, peak = against(products, whole), peak_memory_mb()
        rows.append(
            {
                "what": what,
                **sides,
                "peak_mb": peak,
                "target": "ratio <= 2 (fast: the products alone), below 4096 MB",
                "met": sides["ratio"] <= 2 and peak < 4096,
            }
        )
    return rows
