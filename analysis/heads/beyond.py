"""What the heads of a small model do beyond the trained length L, under any encoding, and with a bias taken away.

Attention in the model's place (`Llama.attend`), a block of queries at a time, that measures as it reads, and that
can alter scores by distance alone. With c(D) a head's mean score at distance D, and c(L) its level just within L,
an alteration is, at the distances where it acts,

subtract beyond    score - c(D)           from L on;
hold beyond        score - c(D) + c(L)    from L on: the mean stays where it was at L;
hold on average    score less the mean over those distances of c(D) - c(L): their level is kept down, their shape not;
hold, shuffled     as "hold beyond", with those distances in another order: as much is taken away, in wrong places;
hold within        score - c(D) + c(L)    below L only: the mean within L is taken away, beyond it all stays;
hold, predicted    as "hold beyond", with the curve that RoPE's closed form gives from windows of L (`predicted`);
clamp              the score of the same two tokens L - 1 apart, from L on: no position is left beyond L;
mask               minus infinity, from L on: nothing beyond L is read.

All but the last two change a score by a number that depends on head and distance and on nothing else.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from analysis.encodings import Encoding
from analysis.errors import InputError
from analysis.heads.lags import pair_counts
from analysis.lm.model import Llama

BLOCK = 256  # queries at a time
WITHIN = "hold within"
SHIFTS = ("subtract beyond", "hold beyond", "hold on average", "hold, shuffled", WITHIN)
"""Alterations by a number for each head and distance, from a measured curve."""
PREDICTED, CLAMP, MASK = "hold, predicted", "clamp", "mask"
KINDS = (*SHIFTS, PREDICTED, CLAMP, MASK)
LEVEL = 0.75  # c(L) is the mean of c(D) from this share of L on, below L

Scores = Float[Tensor, "batch heads rows columns"]


@dataclass(slots=True)
class Sums:
    """Sums over windows and queries of one layer.

    Attributes:
        score, square: of scores, at each distance.
        entropy: of each query's weights, nats, at each place.
        far: of each query's weights on keys L or more away, at each place.
    """

    score: Float64[Tensor, "heads length"]
    square: Float64[Tensor, "heads length"]
    entropy: Float64[Tensor, "heads length"]
    far: Float64[Tensor, "heads length"]

    @classmethod
    def zeros(cls, heads: int, length: int) -> Sums:
        """Nothing added yet."""
        return cls(*(torch.zeros(heads, length, dtype=torch.float64) for _ in range(4)))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was measured of all heads.

    Attributes:
        mean: mean score at each distance; nan where no key is seen.
        square: mean squared score likewise.
        entropy: mean over windows of the entropy of the weights of the query at each place, nats.
        far: mean share of its weight on keys L or more away.
        trained_length: L.
    """

    mean: Float64[np.ndarray, "layers heads length"]
    square: Float64[np.ndarray, "layers heads length"]
    entropy: Float64[np.ndarray, "layers heads length"]
    far: Float64[np.ndarray, "layers heads length"]
    trained_length: int


@dataclass(eq=False)
class Attention:
    """Attention of all layers, measured and altered; a model calls it layer after layer (`attention.Attend`).

    Attributes:
        trained_length: L.
        layers: of the model.
        shift: of each layer a number for each head and distance that is added to scores; None for none.
        far: `CLAMP` or `MASK`, what is done to keys L or more away; None for nothing.
        measured: whether to add up `sums`, one for each layer; windows must then be of one length.
    """

    trained_length: int
    layers: int
    shift: Float[Tensor, "layers heads length"] | None = None
    far: str | None = None
    measured: bool = False
    sums: list[Sums] = field(default_factory=list)
    _layer: int = 0

    def __call__(self, encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor) -> Tensor:
        group = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        if self.measured and self._layer == len(self.sums):
            self.sums.append(Sums.zeros(q.shape[1], q.shape[2]))
        mixed = []
        for start in range(0, q.shape[2], BLOCK):
            rows = slice(start, min(start + BLOCK, q.shape[2]))
            near_q, near_k, values = q[:, :, rows], k[:, :, : rows.stop], v[:, :, : rows.stop]
            at, before = positions[rows], positions[: rows.stop]
            distance = at[:, None] - before
            scores = encoding.scores(near_q, near_k, at, before)
            scores = self._altered(scores, encoding, near_q, near_k, distance)
            diagonal = slice(rows.start, rows.stop)  # of the keys, only these can lie after a query
            scores[..., diagonal].masked_fill_(distance[:, diagonal] < 0, -math.inf)
            weights = scores.softmax(dim=-1)
            if self.measured:
                self._add(scores, weights, distance, rows)
            mixed.append(weights.to(v.dtype) @ values)
        self._layer = (self._layer + 1) % self.layers
        return torch.cat(mixed, dim=2)

    def _altered(
        self, scores: Scores, encoding: Encoding, q: Tensor, k: Tensor, distance: Int[Tensor, "rows columns"]
    ) -> Scores:
        if self.shift is not None:
            scores = scores + toeplitz(self.shift[self._layer], *distance.shape)
        beyond = distance >= self.trained_length
        if self.far == MASK:
            scores = scores.masked_fill(beyond, -math.inf)
        elif self.far == CLAMP and beyond.any():
            query_positions = torch.full((q.shape[2],), self.trained_length - 1)
            at_the_edge = encoding.scores(q, k, query_positions, torch.zeros(k.shape[2], dtype=torch.int64))
            scores = torch.where(beyond, at_the_edge, scores)
        return scores

    def _add(
        self, scores: Scores, weights: Scores, distance: Int[Tensor, "rows columns"], rows: slice
    ) -> None:
        sums = self.sums[self._layer]
        seen = torch.where(torch.isneginf(scores), torch.nan, scores)
        sums.score[:, : rows.stop] += by_distance(seen.sum(dim=0))
        sums.square[:, : rows.stop] += by_distance(seen.square().sum(dim=0))
        sums.entropy[:, rows] -= torch.xlogy(weights, weights).sum(dim=(0, 3))
        sums.far[:, rows] += weights.masked_fill(distance < self.trained_length, 0.0).sum(dim=(0, 3))


def by_distance(scores: Float[Tensor, "heads rows columns"]) -> Float64[Tensor, "heads columns"]:
    """Sums along the diagonals of the last `rows` rows of a square of `columns`; what lies above it is not read.

    Keys in reverse order and rows of `rows` more entries, read as if each had one entry fewer: every row then
    begins one place later, and one distance makes a column.
    """
    rows, columns = scores.shape[1:]
    wide = torch.nn.functional.pad(scores.flip(-1), (0, rows)).flatten(1)
    read = rows + columns - 1
    return (
        wide[:, rows - 1 : rows - 1 + rows * read]
        .unflatten(1, (rows, read))[..., :columns]
        .double()
        .sum(dim=1)
    )


def toeplitz(
    values: Float[Tensor, "heads length"], rows: int, columns: int
) -> Float[Tensor, "heads rows columns"]:
    """values[distance] for the last `rows` rows of a square of `columns`, 0 above its diagonal."""
    heads = len(values)
    line = values.new_zeros(heads, columns + rows - 1)  # distance columns - 1, ..., 0, -1, ...
    line[:, :columns] = values[:, :columns].flip(-1)
    return line.unfold(1, columns, 1).flip(1)  # row r begins at distance columns - rows + r


@contextlib.contextmanager
def attending(model: Llama, attention: Attention) -> Iterator[None]:
    """The model with another attention for the length of a `with`; then as it was."""
    before, model.attend = model.attend, attention
    try:
        yield
    finally:
        model.attend = before


@torch.inference_mode()
def observe(
    model: Llama, tokens: Int[Tensor, "windows length"], trained_length: int, *, batch: int = 4
) -> Seen:
    """Measure all heads in windows longer than the trained length.

    Raises:
        InputError: windows no longer than the trained length.
    """
    count, length = tokens.shape
    if length <= trained_length:
        raise InputError(
            f"windows of {length} tokens do not reach beyond the trained length of {trained_length}; give longer ones"
        )
    attention = Attention(trained_length, len(model.attentions), measured=True)
    with attending(model, attention):
        for part in tokens.split(batch):
            model(part)
    pairs, sums = pair_counts(length), attention.sums
    mean, square, entropy, far = (
        (torch.stack([getattr(layer, name) for layer in sums]) / count).numpy()
        for name in ("score", "square", "entropy", "far")
    )
    return Seen(mean / pairs.numpy(), square / pairs.numpy(), entropy, far, trained_length)


def shift_of(
    kind: str,
    mean: Float64[np.ndarray, "layers heads reach"],
    trained_length: int,
    length: int,
    *,
    seed: int = 0,
) -> Float[Tensor, "layers heads length"]:
    """What is added to scores at each distance below `length`, for one of `SHIFTS` or for `PREDICTED`.

    Args:
        mean: score of every head at each distance, measured or predicted.
        trained_length: L.
        seed: of the order of distances in "hold, shuffled"; every head has the same order.

    Raises:
        InputError: an unknown kind, or a curve that is shorter, or not finite because no key is seen that far away.
    """
    if kind not in (*SHIFTS, PREDICTED):
        raise InputError(f"alteration {kind!r} is unknown; known: {', '.join((*SHIFTS, PREDICTED))}")
    if length > mean.shape[-1] or not np.isfinite(mean[..., :length]).all():
        raise InputError(f"mean scores are not known up to distance {length - 1}; measure longer windows")
    beyond = np.arange(length) >= trained_length
    level = 0.0 if kind == "subtract beyond" else level_at(mean, trained_length)[..., None]
    taken = mean[..., :length] - level
    if kind == "hold, shuffled":
        order = np.arange(length)
        order[beyond] = np.random.default_rng(seed).permutation(order[beyond])
        taken = taken[..., order]
    if kind == "hold on average":
        taken = np.broadcast_to(taken[..., beyond].mean(axis=-1, keepdims=True), taken.shape)
    acts = ~beyond if kind == WITHIN else beyond
    return torch.from_numpy(np.where(acts, -taken, 0.0)).float()


def level_at(
    mean: Float64[np.ndarray, "layers heads reach"], trained_length: int
) -> Float64[np.ndarray, "layers heads"]:
    """c(L): mean of the curve just within L."""
    return mean[..., int(LEVEL * trained_length) : trained_length].mean(axis=-1)
