"""Causal attention of a `DistanceForm` and its gradients, block by block in plain torch: what every kernel is held to.

The order is FlashAttention-2's (Dao 2023, arXiv 2307.08691). Of the forward pass the result and one logarithm of summed
exponentials for each query are kept; the backward pass computes each block of scores again. With A = scale a.b, the
phase P = phase_scale x.y in turns, and S = f A cos(2 pi t P) + s, the gradients are dA = dS f cos(2 pi t P) and
dP = -dS f A sin(2 pi t P) 2 pi t. It runs on any device in any floating type; nothing has length^2 elements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from analysis.encodings import DistanceForm
from analysis.encodings.base import wide

BLOCK = 256  # queries and keys of a block


class Gradients(NamedTuple):
    """Of what attention was computed from; x and y are None without phase."""

    a: Tensor
    b: Tensor
    x: Tensor | None
    y: Tensor | None
    v: Tensor


def forward(
    form: DistanceForm,
    v: Float[Tensor, "batch kv_heads length value_dim"],
    reach: int | None = None,
    block: int = BLOCK,
) -> tuple[Float[Tensor, "batch heads length value_dim"], Float[Tensor, "batch heads length"]]:
    """softmax(scores) v of every query over the keys up to its own place, and the logarithm of its summed exponentials.

    Args:
        form: of `batch heads length` queries and `batch kv_heads length` keys; query head h reads key head
            h // (heads // kv_heads).
        v: values, in whose type the result is; the logarithms are in float32 at least.
        reach: distance from which on the form hides every key; None for none.
        block: queries and keys of a block.
    """
    blocks = _Blocks(form, v, reach, block)
    out, log_sum = [], []
    for rows in blocks.all():
        best = torch.full(blocks.shape(rows), -math.inf, dtype=blocks.dtype, device=v.device)
        total, mixed = torch.zeros_like(best), best.new_zeros(*best.shape, v.shape[-1])
        for columns in blocks.seen(rows):
            scores = blocks.scores(rows, columns).scores
            largest = torch.maximum(best, scores.amax(dim=-1))
            shift = torch.where(largest == -math.inf, 0.0, largest)
            weights, kept = torch.exp(scores - shift[..., None]), torch.exp(best - shift)
            total = total * kept + weights.sum(dim=-1)
            mixed = mixed * kept[..., None] + weights @ blocks.v[..., columns, :]
            best = largest
        out.append((mixed / total[..., None]).to(v.dtype))
        log_sum.append(best + total.log())
    return torch.cat(out, dim=-2).flatten(1, 2), torch.cat(log_sum, dim=-1).flatten(1, 2)


def backward(
    form: DistanceForm,
    v: Float[Tensor, "batch kv_heads length value_dim"],
    out: Float[Tensor, "batch heads length value_dim"],
    log_sum: Float[Tensor, "batch heads length"],
    grad_out: Float[Tensor, "batch heads length value_dim"],
    grad_log_sum: Float[Tensor, "batch heads length"],
    reach: int | None = None,
    block: int = BLOCK,
) -> Gradients:
    """The gradients of what `forward` took, given its results and theirs; in the types of what it took."""
    blocks = _Blocks(form, v, reach, block)
    grouped = [blocks.grouped(t) for t in (out, grad_out, log_sum, grad_log_sum)]
    mixed, d_mixed, kept, d_kept = grouped
    delta = (d_mixed * mixed).sum(dim=-1) - d_kept
    da, db, dv = torch.zeros_like(blocks.a), torch.zeros_like(blocks.b), torch.zeros_like(blocks.v)
    dx, dy = (None if z is None else torch.zeros_like(z) for z in (blocks.x, blocks.y))
    for rows in blocks.all():
        a, d_rows = blocks.a[..., rows, :], d_mixed[..., rows, :]
        for columns in blocks.seen(rows):
            found = blocks.scores(rows, columns)
            weights = torch.exp(found.scores - kept[..., rows, None])
            dv[..., columns, :] += _of_group(weights.mT @ d_rows)
            d_scores = weights * (d_rows @ blocks.v[..., columns, :].mT - delta[..., rows, None])
            if found.factor is not None:
                d_scores = d_scores * found.factor
            cosine, sine = found.waves()
            d_amplitude = d_scores * form.scale if cosine is None else d_scores * cosine * form.scale
            da[..., rows, :] += d_amplitude @ blocks.b[..., columns, :]
            db[..., columns, :] += _of_group(d_amplitude.mT @ a)
            if dx is None or dy is None or blocks.x is None or blocks.y is None:
                continue
            assert found.turn is not None
            assert sine is not None
            rate = 2 * math.pi * form.phase_scale * found.turn
            d_phase = -d_scores * found.amplitude * sine * rate
            dx[..., rows, :] += d_phase @ blocks.y[..., columns, :]
            dy[..., columns, :] += _of_group(d_phase.mT @ blocks.x[..., rows, :])
    phases = (None, None)
    if dx is not None and dy is not None and form.x is not None and form.y is not None:
        phases = dx.flatten(1, 2).to(form.x.dtype), dy.flatten(1, 2).to(form.y.dtype)
    return Gradients(
        da.flatten(1, 2).to(form.a.dtype), db.flatten(1, 2).to(form.b.dtype), *phases, dv.flatten(1, 2).to(v.dtype)
    )  # fmt: skip


class _Scores(NamedTuple):
    """Scores of a block of queries with one of keys, minus infinity for keys after their query, and their parts."""

    scores: Tensor
    amplitude: Tensor
    turns: Tensor | None  # of the phase, less whole ones
    turn: Tensor | None
    factor: Tensor | None

    def waves(self) -> tuple[Tensor | None, Tensor | None]:
        """Cosine and sine of the phase; None without one."""
        if self.turns is None:
            return None, None
        angle = 2 * math.pi * self.turns
        return angle.cos(), angle.sin()


class _Blocks:
    """One call's vectors, widened, with the query heads of each key head on an axis of their own."""

    def __init__(self, form: DistanceForm, v: Tensor, reach: int | None, block: int) -> None:
        self.form, self.reach, self.block = form, reach, block
        self.length, self.kv_heads = v.shape[-2], v.shape[1]
        self.dtype = wide(torch.promote_types(form.a.dtype, v.dtype))
        self.a, self.b, self.v = self.grouped(form.a), self._shared(form.b), self._shared(v)
        self.x = None if form.x is None else self.grouped(form.x)
        self.y = None if form.y is None else self._shared(form.y)
        self.turn, self.factor, self.bias = (
            None if table is None else table.to(self.dtype) for table in (form.turn, form.factor, form.bias)
        )

    def grouped(self, of_queries: Tensor) -> Tensor:
        """(batch, kv_heads, group, ...) in the type of the sums."""
        return of_queries.to(self.dtype).unflatten(1, (self.kv_heads, -1))

    def _shared(self, of_keys: Tensor) -> Tensor:
        return of_keys.to(self.dtype)[:, :, None]

    def shape(self, rows: slice) -> tuple[int, ...]:
        """Of a number for each of these queries."""
        return (*self.a.shape[:3], min(rows.stop, self.length) - rows.start)

    def all(self) -> list[slice]:
        """Every block, the last one ragged."""
        return [
            slice(start, min(start + self.block, self.length)) for start in range(0, self.length, self.block)
        ]

    def seen(self, rows: slice) -> Iterator[slice]:
        """Blocks of keys in which one lies at or before a query of `rows`, and within reach."""
        for columns in self.all():
            near = self.reach is None or rows.start - (columns.stop - 1) < self.reach
            if columns.start < rows.stop and near:
                yield columns

    def scores(self, rows: slice, columns: slice) -> _Scores:
        """Of each of these pairs."""
        form, device = self.form, self.a.device
        places = (torch.arange(part.start, part.stop, device=device) for part in (rows, columns))
        distance = next(places)[:, None] - next(places)
        at = distance.clamp(min=0)
        amplitude = form.scale * (self.a[..., rows, :] @ self.b[..., columns, :].mT)
        scores, turns, turn = amplitude, None, None
        if self.x is not None and self.y is not None and self.turn is not None:
            turn = self.turn[at]
            turns = turn * (form.phase_scale * (self.x[..., rows, :] @ self.y[..., columns, :].mT))
            turns = turns - turns.round()  # exact, so that a large phase loses nothing more
            scores = amplitude * torch.cos(2 * math.pi * turns)
        factor = self._by_head(self.factor, at)
        scores = scores if factor is None else scores * factor
        bias = self._by_head(self.bias, at)
        scores = scores if bias is None else scores + bias
        return _Scores(scores.masked_fill(distance < 0, -math.inf), amplitude, turns, turn, factor)

    def _by_head(self, table: Tensor | None, at: Tensor) -> Tensor | None:
        """A table's values, of one row for all heads or of one each, beside scores."""
        if table is None:
            return None
        found = table[:, at]
        return found if len(table) == 1 else found.unflatten(0, (self.kv_heads, -1))


def _of_group(
    of_keys: Float[Tensor, "batch kv_heads group rows dim"],
) -> Float[Tensor, "batch kv_heads 1 rows dim"]:
    """Summed over the query heads that read a key head."""
    return of_keys.sum(dim=2, keepdim=True)
