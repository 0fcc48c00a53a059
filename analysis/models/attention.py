"""Causal attention by tiles of one shape: never length x length, any encoding, compiled once for all lengths.

The softmax runs along (online softmax; Milakov and Gimelshein 2018, Dao et al. 2022): each query keeps the
largest score so far, its sum of exponentials and its weighted sum of values, and rescales both whenever a larger
score turns up. Tiles above the diagonal, or wholly outside a sliding window, are never computed. Beside q, k,
v and the result there is one tile of scores, whatever the length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings import Encoding
from analysis.encodings.base import distances, wide
from analysis.errors import InputError

TILE = (
    512  # a tile of 4 heads in float32 is 4 MB: near the cache, and its inner products outweigh the rotation
)
NOTHING = -80.0  # nats below the largest score: 2e-35, above float32's smallest normal number

State = tuple[Tensor, Tensor, Tensor]
Step = Callable[[Encoding, Tensor, Tensor, Tensor, "Tile", State], State]


class Tile(NamedTuple):
    """Which queries meet which keys.

    Attributes:
        rows, columns: positions of the queries and of the keys.
        query_order, key_order: their places in the text; a query sees the keys up to its own place. Floats: whole
            numbers compare slowly.
        table: of the distances, `Encoding.table`; None: the encoding has none, or tiles differ.
    """

    rows: Tensor
    columns: Tensor
    query_order: Tensor
    key_order: Tensor
    table: Tensor | None


class Streaming:
    """Attention by tiles, in place of a model's own: `model.attend = Streaming()`.

    One object compiles once for each encoding class and width of vectors, at the first text; the batch size,
    too, is part of the compiled shape, the length is not. For inference: no gradient is kept.

    Attributes:
        tile: queries and keys of a tile, >= 1.
        compiled: whether the step over one tile goes through `torch.compile`; slower by a few times if not.

    >>> from analysis.encodings import Nope
    >>> q, k, v = torch.zeros(1, 1, 3, 4), torch.zeros(1, 1, 3, 4), torch.arange(3.0)[None, None, :, None]
    >>> Streaming(2, compiled=False)(Nope(4), q, k, v, torch.arange(3)).flatten()  # equal weights: running means of v
    tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(self, tile: int = TILE, *, compiled: bool = True) -> None:
        """Nothing is compiled before the first call; `InputError` if tile is not a positive whole number."""
        if isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
            raise InputError(f"tile={tile} is not a positive whole number of tokens")
        self.tile, self.compiled = tile, compiled

    @cached_property
    def _step(self) -> Step:
        """`step` of this object's own: others' compilations neither count against its limit nor slow it."""
        if not self.compiled:
            return step
        options: dict[str, Any] = {"recompile_limit": 64, "isolate_recompiles": True}
        return torch.compile(step, dynamic=False, fullgraph=True, **options)

    @torch.no_grad()
    def __call__(
        self,
        encoding: Encoding,
        q: Float[Tensor, "batch heads length key_dim"],
        k: Float[Tensor, "batch kv_heads length key_dim"],
        v: Float[Tensor, "batch kv_heads length value_dim"],
        positions: Int[Tensor, " length"],
        layer: int = 0,
    ) -> Float[Tensor, "batch heads length value_dim"]:
        """softmax(scores) v of every query over the keys up to its own place.

        Args:
            encoding: scores any tile of queries and keys.
            q, k, v: before any position; query head h reads key head h // (heads // kv_heads).
            positions: of queries and keys, tokens, ascending.
            layer: makes no difference.

        Raises:
            InputError: positions that do not ascend, or heads that cannot be shared evenly.
        """
        check_text(q, k, positions)
        length, group = q.shape[2], q.shape[1] // k.shape[1]
        q, k, v = (_padded(x, self.tile) for x in (q, k, v))
        places = _padded_positions(positions, self.tile)
        encoding, q, k = encoding.placed(q, k, places)
        tiles = _Tiles(encoding, places, self.tile, wide(q.dtype))
        out = torch.empty(*q.shape[:3], v.shape[-1], dtype=v.dtype, device=v.device)
        with torch.autocast(q.device.type, enabled=False):
            for rows, seen in tiles:
                state = _nothing_read(q[:, :, rows], v)
                queries = q[:, :, rows].contiguous()
                for columns in seen:
                    keys, values = (x[:, :, columns].repeat_interleave(group, dim=1) for x in (k, v))
                    state = self._step(encoding, queries, keys, values, tiles.at(rows, columns), state)
                _, total, mixed = state
                out[:, :, rows] = (mixed / total[..., None]).to(out.dtype)
        return out[:, :, :length]


def step(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, tile: Tile, state: State) -> State:
    """The state of a tile's queries after its keys, one head of keys for each of q.

    A query that sees no key of a tile keeps its state: minus infinity never meets minus infinity.
    """
    best, total, mixed = state
    if tile.table is None:
        scores = encoding.scores(q, k, tile.rows, tile.columns)
    else:
        scores = encoding.scores_given(q, k, tile.table)
    scores = scores.masked_fill(tile.key_order > tile.query_order[:, None], -math.inf)
    largest = torch.maximum(best, scores.amax(dim=-1))
    shift = torch.where(largest == -math.inf, 0.0, largest)
    below = scores - shift[..., None]
    # subnormal weights would slow the product with v a hundredfold, and cannot be seen beside the largest, 1
    weights = torch.exp(below.clamp(min=NOTHING)).masked_fill(below < NOTHING, 0.0)
    kept = torch.exp(best - shift)
    mixed = mixed * kept[..., None] + (weights.to(v.dtype) @ v).to(mixed.dtype)
    return largest, total * kept + weights.sum(dim=-1), mixed


def _nothing_read(q: Tensor, v: Tensor) -> State:
    """The state of queries before the first key."""
    dtype = wide(q.dtype)
    best = torch.full(q.shape[:3], -math.inf, dtype=dtype, device=q.device)
    mixed = torch.zeros(*q.shape[:3], v.shape[-1], dtype=dtype, device=q.device)
    return best, torch.zeros_like(best), mixed


class _Tiles:
    """Each tile of queries with the tiles of keys that it may see."""

    def __init__(self, encoding: Encoding, places: Tensor, tile: int, dtype: torch.dtype) -> None:
        self.encoding, self.places, self.tile, self.dtype = encoding, places, tile, dtype
        self._order = torch.arange(len(places), dtype=torch.float32, device=places.device)
        self._even = bool((places.diff() == 1).all())
        self._tables: dict[int, Tensor | None] = {}  # by how many tokens lie between

    def __iter__(self) -> Iterator[tuple[slice, list[slice]]]:
        slices = [slice(start, start + self.tile) for start in range(0, len(self.places), self.tile)]
        for index, rows in enumerate(slices):
            seen = slices[: index + 1]
            if (reach := self.encoding.reach) is not None:
                first = int(self.places[rows.start])  # a tile's last key is its nearest to the first query
                seen = [columns for columns in seen if first - int(self.places[columns.stop - 1]) < reach]
            yield rows, seen

    def at(self, rows: slice, columns: slice) -> Tile:
        """One of them."""
        order, places = self._order, self.places
        return Tile(places[rows], places[columns], order[rows], order[columns], self._table(rows, columns))

    def _table(self, rows: slice, columns: slice) -> Tensor | None:
        """Made once for all tiles that lie as far apart, at even positions."""
        apart = rows.start - columns.start
        if self._even and apart not in self._tables:
            distance = distances(self.places[rows], self.places[columns], self.dtype)
            self._tables[apart] = self.encoding.table(distance, self.dtype)
        return self._tables.get(apart)


def _padded(x: Tensor, tile: int) -> Tensor:
    """Rows of zeros after the last one, up to a whole number of tiles."""
    return F.pad(x, (0, 0, 0, -x.shape[2] % tile))


def _padded_positions(positions: Tensor, tile: int) -> Tensor:
    """Positions that go on after the last one: what is padded lies ahead of every query and sees itself."""
    more = torch.arange(1, 1 + -len(positions) % tile, device=positions.device)
    return torch.cat([positions.long(), positions[-1:].long() + more])


def check_text(q: Tensor, k: Tensor, positions: Tensor) -> None:
    """`InputError` for positions that do not ascend, or heads that cannot be shared evenly."""
    if q.shape[1] % k.shape[1]:
        raise InputError(f"{q.shape[1]} query heads cannot share {k.shape[1]} key heads evenly")
    if not bool((positions[1:] > positions[:-1]).all()):
        raise InputError("positions do not ascend; attention by tiles needs texts in their order")


# Causal attention with a soft cap on the scores, in tiles, because no fused kernel of torch has one.


PROBABILITY_TILE = 256  # queries at a time: a score tile of 8 heads at 8192 keys is 67 MB


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
    for start in range(0, length, PROBABILITY_TILE):
        stop = min(start + PROBABILITY_TILE, length)
        scores = grouped[:, :, :, start:stop] @ k[:, :, None, :stop].mT
        scores = scores.mul_(scale / softcap).tanh_().mul_(softcap)
        if mask is None:
            allowed = torch.ones(stop - start, stop, dtype=torch.bool, device=q.device).tril(start)
        else:
            allowed = mask[:, :, None, start:stop, :stop]
        scores = scores.masked_fill_(~allowed, -torch.inf).float().softmax(dim=-1).to(v.dtype)
        out[:, start:stop] = (scores @ v[:, :, None, :stop]).flatten(1, 2).transpose(1, 2)
    return out


# Causal attention of one layer through any encoding: one readable oracle, and the one that trains.
#
# Whoever computes attention has the signature of `Attend`: the model takes any of them.


Queries = Float[Tensor, "batch heads length key_dim"]
Keys = Float[Tensor, "batch kv_heads length key_dim"]
Values = Float[Tensor, "batch kv_heads length value_dim"]
Mixed = Float[Tensor, "batch heads length value_dim"]
Positions = Int[Tensor, " length"]
Attend = Callable[[Encoding, Tensor, Tensor, Tensor, Tensor, int], Tensor]
"""Encoding, q, k, v, positions and the index of the layer -> what each query mixes of v."""


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


def explicit(
    encoding: Encoding, q: Queries, k: Keys, v: Values, positions: Positions, layer: int = 0
) -> Mixed:
    """All scores at once, length x length for each head, in plain operations that compile into few loops.

    Scores and softmax are float32 at least whatever autocast says: only the projections before and the mixing
    of values after them are narrow.

    Args: as `oracle`.

    >>> from analysis.encodings import Nope
    >>> q, k, v = torch.zeros(1, 1, 3, 4), torch.zeros(1, 1, 3, 4), torch.arange(3.0)[None, None, :, None]
    >>> explicit(Nope(4), q, k, v, torch.arange(3)).flatten()  # equal weights: running means of v
    tensor([0.0000, 0.5000, 1.0000])
    """
    return encoded_attention(encoding, q, k, v, query_positions=positions, key_positions=positions)


def encoded_attention(
    encoding: Encoding,
    q: Float[Tensor, "batch heads rows key_dim"],
    k: Float[Tensor, "batch kv_heads columns key_dim"],
    v: Float[Tensor, "batch kv_heads columns value_dim"],
    *,
    query_positions: Int[Tensor, " rows"] | None = None,
    key_positions: Int[Tensor, " columns"] | None = None,
    mask: Bool[Tensor, "*#broadcast rows_or_1 columns_or_1"] | None = None,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch heads rows value_dim"]:
    """softmax(scores) v in a module of one's own, in place of torch's `scaled_dot_product_attention`.

    A query sees the keys up to its own position. With a cache, q is of the new tokens and k, v are of all: without
    positions the queries are the last ones. Scores and softmax are float32 at least, and all scores are in memory at
    once; for long texts without mask and dropout there is `analysis.models.Fused`.

    Args:
        encoding: scores q and k, such as `encodings.Tapa`.
        q, k, v: before any position is applied; query head h reads key head h // (heads // kv_heads).
        query_positions, key_positions: tokens; 0 .. columns - 1 and the last of them if not given.
        mask: True where a key may be seen, beside the order of positions; broadcast to (batch, heads, rows, columns). A
            query that sees no key gets zeros.
        dropout: share of the weights that are set to 0, the others scaled up; give 0 outside of training.
        generator: of the weights that are dropped; torch's own if None, as in `torch.nn.Dropout`.

    Raises:
        InputError: heads that cannot be shared evenly, a mask that is not of booleans, more queries than keys without
            positions, or dropout outside [0, 1).

    >>> from analysis.encodings import Tapa
    >>> q, k, v = torch.randn(3, 1, 2, 5, 8, generator=torch.Generator().manual_seed(0))
    >>> whole = encoded_attention(Tapa(8), q, k, v)
    >>> last = encoded_attention(Tapa(8), q[:, :, -1:], k, v)  # the newest token, its past from a cache
    >>> torch.allclose(last, whole[:, :, -1:])
    True
    """
    _check_attention(q, k, mask, dropout, query_positions is None)
    columns = k.shape[2]
    if key_positions is None:
        key_positions = torch.arange(columns, device=k.device)
    if query_positions is None:
        query_positions = key_positions[columns - q.shape[2] :]
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    with torch.autocast(q.device.type, enabled=False):
        scores = encoding.scores(q, k, query_positions, key_positions)
        unseen = query_positions[:, None] < key_positions
        if mask is not None:
            unseen = unseen | ~mask
        weights = scores.masked_fill(unseen, -math.inf).softmax(dim=-1)
        if mask is not None:
            weights = weights.masked_fill(unseen, 0.0)  # a query that sees nothing has weights of 0 / 0
        if dropout:
            kept = torch.rand(weights.shape, generator=generator, device=weights.device) >= dropout
            weights = weights * kept / (1 - dropout)
        return weights.to(v.dtype) @ v


def _check_attention(q: Tensor, k: Tensor, mask: Tensor | None, dropout: float, placed_last: bool) -> None:
    if q.shape[1] % k.shape[1]:
        raise InputError(f"{q.shape[1]} query heads cannot share {k.shape[1]} key heads evenly")
    if placed_last and q.shape[2] > k.shape[2]:
        raise InputError(f"{q.shape[2]} queries are more than {k.shape[2]} keys; give query_positions")
    if mask is not None and mask.dtype != torch.bool:
        raise InputError(f"mask is of {mask.dtype}; give booleans, True where a key may be seen")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout} is outside [0, 1)")
