"""A Hugging Face model whose attention is ours: any encoding in the place of its rotation, and cached keys.

Queries and keys before rotation come through the taps of `capture`; what the model would have rotated is scored by an
`Encoding`, which an intervention may have changed. `intervened` does that for any attention with the signature of
`attention.Attend`. `CachedAttention` is one that reads a text block by block over the keys and values of earlier
blocks: what comes before the trained length is the same under every intervention that acts beyond it, and is read once.

A change of the score by distance is an additive Toeplitz mask, which PyTorch's CPU attention takes as a strided view
of one vector: memory grows with the length alone. Keys that score by other rules (the first of a text, those that are
clamped) are attended to apart, and merged by the logarithm of their summed exponentials.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings import Encoding, Rope, SlidingWindow
from analysis.encodings.base import wide
from analysis.encodings.interventions import (
    Change,
    Clamped,
    LengthCorrected,
    OpeningKeys,
    Shifted,
    SoftCapped,
    unchanged,
)
from analysis.errors import InputError
from analysis.models.attention import Attend
from analysis.models.capture import LayerCapture, ModelPass
from analysis.models.huggingface import Checkpoint
from analysis.models.pretrained_losses import head

BLOCK = 512  # tokens read at a time
PIECE = 256  # positions whose logits are formed at a time

Watch = Callable[[int, Encoding, Tensor, Tensor, Tensor, Tensor], None]
"""Told of layer, encoding, q (heads, queries, dim), k (heads, keys, dim) and the positions of both."""


def base_encoding(found: LayerCapture) -> Encoding:
    """The encoding by which a layer of a checkpoint scores unrotated queries and keys."""
    encoding: Encoding = Rope(found.frequencies, found.scale)
    if found.softcap is not None:
        encoding = SoftCapped(encoding, found.softcap)
    return encoding if found.window is None else SlidingWindow(encoding, found.window)


class _Intervened(ModelPass):
    """A pass in which another attention scores what the taps took."""

    def __init__(
        self, checkpoint: Checkpoint, length: int, change: Change, attend: Attend, positions: Tensor
    ) -> None:
        super().__init__(checkpoint, length, lambda found: None)
        self.change, self.attention, self.at = change, attend, positions

    def attend(
        self,
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        scaling: float,
        softcap: float | None = None,
        sliding_window: int | None = None,
        **kwargs: object,
    ) -> tuple[Tensor, None]:
        """Stands in for the model's attention function; what the model rotated and masked is not looked at."""
        found = self._capture(module, scaling, softcap, sliding_window)
        encoding = self.change(found.layer, base_encoding(found))
        mixed = self.attention(encoding, found.q, found.k, value, self.at, found.layer)
        self.seen += 1
        return mixed.transpose(1, 2).contiguous().to(value.dtype), None


@contextlib.contextmanager
def intervened(
    checkpoint: Checkpoint,
    change: Change,
    attend: Attend,
    positions: Int[Tensor, " tokens"],
    *,
    length: int | None = None,
) -> Iterator[None]:
    """The model with changed encodings and another attention, for the length of a `with`; then as it was.

    Args:
        change: of every layer's encoding.
        attend: scores q and k before rotation; `attention.Streaming` does for any encoding.
        positions: of the tokens that the model is given.
        length: of the whole text, for frequencies that depend on it; one more than the last position if not given.

    Raises:
        InputError: a layer whose attention the taps do not reach.
    """
    whole = int(positions[-1]) + 1 if length is None else length
    reading = _Intervened(checkpoint, whole, change, attend, positions)
    with reading.installed():
        yield
    if reading.seen % checkpoint.layers:
        raise InputError(
            f"{checkpoint.name}: {reading.seen} calls of attention are no multiple of its {checkpoint.layers} layers"
        )


# Attention over the keys of earlier blocks.


@dataclass(frozen=True, slots=True)
class _Rule:
    """How some keys score: a rotation, and what is done to it by distance.

    Attributes:
        rope: of all.
        shift: added, by head and distance.
        clamp: distance from which on pairs score as if one token less than that apart.
        window: distance from which on nothing is seen.
        corrected: distances from which on the logarithm of the number of keys is taken off.
    """

    rope: Rope
    shift: Tensor | None = None
    clamp: int | None = None
    window: int | None = None
    corrected: LengthCorrected | None = None

    def spans(self) -> list[tuple[int, int | None]]:
        """Intervals of distance within which one call of attention does, the upper ends excluded."""
        lengths = [self.clamp, None if self.corrected is None else self.corrected.length]
        edges = sorted({0, *(edge for edge in lengths if edge is not None)})
        found = list(zip(edges, [*edges[1:], None], strict=True))
        if self.window is None:
            return found
        return [
            (low, self.window if high is None else min(high, self.window))
            for low, high in found
            if low < self.window
        ]


def _rule(encoding: Encoding) -> _Rule:
    """An encoding taken apart; `InputError` if it is made of anything that cached keys cannot serve."""
    match encoding:
        case Rope() if encoding.frequencies.log_decay is None:
            return _Rule(encoding)
        case Clamped(encoding=Rope()):
            return replace(_rule(encoding.encoding), clamp=encoding.length)
        case SlidingWindow():
            rule = _rule(encoding.encoding)
            return replace(rule, window=min(encoding.window, rule.window or encoding.window))
        case Shifted():
            rule = _rule(encoding.encoding)
            if rule.shift is None:
                return replace(rule, shift=encoding.shift)
        case LengthCorrected():
            rule = _rule(encoding.encoding)
            if rule.corrected is None:
                return replace(rule, corrected=encoding)
    raise InputError(
        f"{type(encoding).__name__} cannot be read over cached keys; use `intervened` with `Streaming`"
    )


def _rules(encoding: Encoding) -> list[tuple[int, int | None, _Rule]]:
    """First key, the key after the last one (None for all) and the rule of each set of keys."""
    if isinstance(encoding, OpeningKeys):
        opening, rest = _rule(encoding.opening), _rule(encoding.encoding)
        return [(0, encoding.count, opening), (encoding.count, None, rest)]
    return [(0, None, _rule(encoding))]


@dataclass(slots=True)
class _Kept:
    """Keys and values of one layer, as many as have been read; room for all."""

    raw: Float[Tensor, "kv_heads capacity dim"]
    placed: Float[Tensor, "kv_heads capacity dim"]
    values: Float[Tensor, "kv_heads capacity value_dim"]
    rope: Rope


@dataclass(eq=False, slots=True)
class CachedAttention:
    """Causal attention of blocks of one text over all its keys so far, as an `attention.Attend`.

    Of inference, one text at a time, the blocks in order. `rewind` goes back to where a text was the same.

    Attributes:
        capacity: tokens of the longest text.
        watched: positions of queries of which `watch` is told.
        watch: who is told, with all keys that they may read.
        length: tokens that have been read.
        layers: what is kept of each layer.
    """

    capacity: int
    watched: Int[Tensor, " positions"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    watch: Watch | None = None
    length: int = 0
    layers: dict[int, _Kept] = field(default_factory=dict)

    def rewind(self, length: int) -> None:
        """Forget what was read from position `length` on; `InputError` if so much has not been read."""
        if not 0 <= length <= self.length:
            raise InputError(f"length={length} is not in 0..{self.length}, which has been read")
        self.length = length

    def __call__(
        self,
        encoding: Encoding,
        q: Float[Tensor, "1 heads tokens dim"],
        k: Float[Tensor, "1 kv_heads tokens dim"],
        v: Float[Tensor, "1 kv_heads tokens value_dim"],
        positions: Int[Tensor, " tokens"],
        layer: int,
    ) -> Float[Tensor, "1 heads tokens value_dim"]:
        """softmax(scores) v of every query of a block; the caller moves `length` on when all layers have been read.

        Raises:
            InputError: more than one text, a block that does not follow the last, more tokens than the capacity, keys
                kept under other frequencies, or an encoding that cached keys cannot serve.
        """
        first, stop = self.length, self.length + q.shape[2]
        if len(q) != 1 or int(positions[0]) != first or int(positions[-1]) != stop - 1:
            raise InputError(
                f"a block of {len(q)} texts at positions {int(positions[0])}..{int(positions[-1])} does not "
                f"follow {first} tokens of one text"
            )
        if stop > self.capacity:
            raise InputError(f"{stop} tokens exceed the capacity of {self.capacity}")
        rules = _rules(encoding)
        kept = self._keep(layer, rules[0][2].rope, k[0], v[0], positions)
        if self.watch is not None and bool((chosen := torch.isin(positions, self.watched)).any()):
            keys = kept.raw[:, :stop].to(wide(q.dtype)).repeat_interleave(q.shape[1] // k.shape[1], dim=0)
            rows = q[0, :, chosen].to(wide(q.dtype))
            self.watch(layer, encoding, rows, keys, positions[chosen], torch.arange(stop))
        block = _Block(q[0].flip(1), kept, positions.flip(0), first, stop)
        pieces = [
            piece
            for low, high, rule in rules
            for span in rule.spans()
            if (piece := block.piece(rule, low, stop if high is None else min(high, stop), *span)) is not None
        ]
        return _merged(pieces).flip(1)[None].to(v.dtype)

    def _keep(self, layer: int, rope: Rope, k: Tensor, v: Tensor, positions: Tensor) -> _Kept:
        """This layer's keys and values with those of the block."""
        if self.length == 0:
            room = [(*x.shape[::2], self.capacity) for x in (k, k, v)]
            raw, placed, values = (
                torch.empty(heads, length, dim, dtype=v.dtype) for heads, dim, length in room
            )
            self.layers[layer] = _Kept(raw, placed, values, rope)
        kept = self.layers[layer]
        ours, theirs = rope.frequencies, kept.rope.frequencies
        if not np.array_equal(ours.omega, theirs.omega) or ours.attention_factor != theirs.attention_factor:
            raise InputError(
                f"layer {layer}: the keys so far were read with other frequencies; rewind to 0 first"
            )
        at = slice(self.length, self.length + k.shape[1])
        kept.raw[:, at], kept.values[:, at] = k, v
        kept.placed[:, at] = rope.rotated(k, positions)
        return kept


Piece = tuple[Tensor, Tensor]
"""What some keys give each query, and the logarithm of their summed exponentials; heads x queries."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The queries of one block, last first: so that the mask is a view of a vector with steps of +1.

    Attributes:
        q: before rotation.
        kept: keys and values of all tokens so far, those of the block included.
        positions: of the queries, falling.
        first, stop: first position of the block, and the one after its last.
    """

    q: Float[Tensor, "heads rows dim"]
    kept: _Kept
    positions: Int[Tensor, " rows"]
    first: int
    stop: int

    def piece(self, rule: _Rule, start: int, end: int, low: int, high: int | None) -> Piece | None:
        """Attention to keys start .. end - 1 at distances low .. high - 1 alone; None where no query has any.

        Args:
            high: None for no limit.
        """
        start = start if high is None else max(start, self.first - high + 1)
        end = min(end, self.stop - low)
        if start >= end:
            return None
        columns, kv = slice(start, end), len(self.kept.raw)
        if rule.clamp is not None and low >= rule.clamp:
            at = torch.full_like(self.positions, rule.clamp - 1)
            keys = rule.rope.rotated(self.kept.raw[:, columns], torch.zeros(end - start, dtype=torch.int64))
        else:
            at, keys = self.positions, self.kept.placed[:, columns]
        q = rule.rope.rotated(self.q, at).to(self.kept.values.dtype).unflatten(0, (kv, -1))
        group = q.shape[1]
        k, v = (
            x.to(q.dtype)[:, None].expand(-1, group, -1, -1) for x in (keys, self.kept.values[:, columns])
        )
        mask = self._mask(rule, columns, low, high, (kv, group))
        mixed, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, False, attn_mask=mask, scale=rule.rope.factor
        )
        mixed, total = mixed.flatten(0, 1).to(total.dtype), total.flatten(0, 1)
        if rule.corrected is not None and low >= rule.corrected.length:
            total = total - rule.corrected.logarithm(self.positions, total.dtype)
        nearest = (self.positions - low).clamp(max=end - 1)
        farthest = start if high is None else (self.positions - high + 1).clamp(min=start)
        sees = nearest >= farthest  # a query without a key gets 0 from the kernel, not minus infinity
        return mixed.masked_fill(~sees[:, None], 0.0), total.masked_fill(~sees, -math.inf)

    def _mask(
        self, rule: _Rule, columns: slice, low: int, high: int | None, heads: tuple[int, int]
    ) -> Float[Tensor, "kv_heads group rows columns"]:
        """What is added to the scores of the piece: a view of one vector for each head, or for all."""
        rows, count = len(self.positions), columns.stop - columns.start
        span = rows + count - 1
        distance = self.stop - 1 - columns.start - torch.arange(span)
        hidden = (distance < low) | (distance < 0)
        if high is not None:
            hidden |= distance >= high
        dtype = torch.float64 if self.kept.values.dtype == torch.float64 else torch.float32
        if rule.shift is None:
            line = torch.zeros(1, span, dtype=dtype)
        else:
            reach = rule.shift.shape[-1]
            line = rule.shift[:, distance.clamp(0, reach - 1)].to(dtype)
            line = line.masked_fill((distance < 0) | (distance >= reach), 0.0)
        line = line.masked_fill(hidden, -math.inf).contiguous()
        steps = (0, 0, 1, 1) if len(line) == 1 else (heads[1] * span, span, 1, 1)
        return line.as_strided((*heads, rows, count), steps)


def _merged(pieces: Sequence[Piece]) -> Float[Tensor, "heads rows dim"]:
    """One attention out of those to parts of the keys."""
    if len(pieces) == 1:
        return pieces[0][0]
    totals = torch.stack([total for _, total in pieces])
    weights = (totals - totals.logsumexp(dim=0)).exp()
    return torch.stack([mixed for mixed, _ in pieces]).mul_(weights[..., None]).sum(dim=0)


# Losses of one text under many interventions.


class TextReader:
    """Reads one text under interventions; what lies before the trained length is read once for all that spare it.

    Attributes:
        checkpoint: the model.
        tokens: of the text.
        shared: tokens from the first on that are read unchanged and kept.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        tokens: Int[Tensor, " tokens"],
        shared: int,
        *,
        block: int = BLOCK,
    ) -> None:
        """Nothing is read yet; `InputError` for a text that is no longer than what is shared."""
        if not 0 < shared < len(tokens):
            raise InputError(f"a text of {len(tokens)} tokens does not go beyond {shared}; give a longer one")
        self.checkpoint, self.tokens, self.shared, self.block = checkpoint, tokens, shared, block
        self.cache = CachedAttention(len(tokens))
        self._kept = 0

    def losses(
        self,
        change: Change,
        targets: Sequence[range],
        *,
        whole: bool = False,
        watched: Int[Tensor, " positions"] | None = None,
        watch: Watch | None = None,
    ) -> list[Float[Tensor, " targets"]]:
        """Loss in nats of each token that follows the positions of `targets`, from all tokens before it.

        Args:
            change: of every layer's encoding; it must leave distances below `shared` alone unless `whole`.
            targets: ranges of positions, ascending, from `shared` on; the tokens after them are predicted.
            whole: the change acts on the first tokens too: everything is read under it, and nothing is kept.
            watched, watch: see `CachedAttention`.

        Raises:
            InputError: targets that lie outside the text or below `shared`, or errors as `CachedAttention`.
        """
        stops = [stop for one in targets for stop in (one.start, one.stop)]
        if stops != sorted(stops) or stops[0] < self.shared or stops[-1] >= len(self.tokens):
            raise InputError(
                f"targets {list(targets)} are not ascending ranges of positions {self.shared} to {len(self.tokens) - 2}"
            )
        if whole:
            self.cache.rewind(0)
            self._kept = 0
        else:
            if self._kept < self.shared:
                self.cache.rewind(0)
                for _ in self._hidden(unchanged, self.shared):
                    pass
                self._kept = self.shared
            self.cache.rewind(self.shared)
        if watched is not None:
            self.cache.watched = watched
        self.cache.watch = watch
        found: list[list[Tensor]] = [[] for _ in targets]
        for first, hidden in self._hidden(change, stops[-1]):
            for losses, wanted in zip(found, targets, strict=True):
                start, stop = max(first, wanted.start), min(first + len(hidden), wanted.stop)
                if start < stop:
                    losses.append(self._losses(hidden[start - first : stop - first], start))
        self.cache.watch = None
        return [torch.cat(losses) for losses in found]

    def _hidden(self, change: Change, stop: int) -> Iterator[tuple[int, Float[Tensor, "rows width"]]]:
        """Last hidden states of the blocks from where the cache stands, each with its first position."""
        while (first := self.cache.length) < stop:
            found = self._read_block(change, torch.arange(first, min(first + self.block, stop)))
            self.cache.length = first + len(found)
            yield first, found

    @torch.inference_mode()
    def _read_block(self, change: Change, at: Int[Tensor, " rows"]) -> Float[Tensor, "rows width"]:
        """Last hidden states of the next block."""
        decoder = self.checkpoint.model.base_model
        with intervened(self.checkpoint, change, self.cache, at, length=len(self.tokens)):
            return decoder(
                input_ids=self.tokens[at][None], position_ids=at[None], use_cache=False
            ).last_hidden_state[0]

    @torch.inference_mode()
    def _losses(self, hidden: Float[Tensor, "rows width"], start: int) -> Float[Tensor, " rows"]:
        """Losses of the tokens after positions start, start + 1, ..."""
        wanted = self.tokens[start + 1 : start + 1 + len(hidden)]
        parts = [
            F.cross_entropy(head(self.checkpoint, piece[None])[0].to(wide(piece.dtype)), w, reduction="none")
            for piece, w in zip(hidden.split(PIECE), wanted.split(PIECE), strict=True)
        ]
        return torch.cat(parts).double()
