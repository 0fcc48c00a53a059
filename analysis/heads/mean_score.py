"""Mean attention score at every distance, over all pairs, in O(length log length * head_dim): no square matrix.

The score of query m and key n is an inner product of position-transformed vectors, so the sum of scores at one
distance is a cross-correlation, and all distances together are one inverse FFT of the summed cross-spectra.
Pairs are complex numbers z_d = x_{2d} + i x_{2d+1}: rotation by position is a multiplication by
exp(i m omega_d), the score is Re sum_d zq_d(m) conj(zk_d(n)), and one complex transform does the work of two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
from jaxtyping import Complex, Float, Float64
from scipy.fft import next_fast_len
from torch import Tensor

from analysis.encodings.rotary import complex_pairs, rotation_table
from analysis.errors import InputError
from analysis.theory.frequencies import Frequencies

_IN_CACHE = 2**19  # complex numbers transformed at a time
_ON_DEVICE = 2**24  # the same on a GPU, where a call costs more than what it computes
LAST = 64  # distances, from the longest down, that are summed pair by pair


def lag_sums(
    q: Complex[Tensor, "*#heads pairs length"], k: Complex[Tensor, "*#heads pairs length"]
) -> Float[Tensor, "*heads length"]:
    """Sum of Re sum_d q_d(n + distance) conj(k_d(n)) over n, for every distance 0..length-1.

    Leading axes broadcast, so the key of a group is transformed once for all its queries. The last `LAST` distances
    are summed pair by pair: a transform errs alike at all, and these have few pairs. Works through the
    pairs a few at a time, so that what is being transformed stays in the processor's cache.
    """
    pairs, length = q.shape[-2:]
    heads = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    # zero padding keeps distance -1 from wrapping onto length-1
    size = cast("int", next_fast_len(2 * length - 1))
    at_once = _IN_CACHE if q.device.type == "cpu" else _ON_DEVICE
    block = min(pairs, max(1, at_once // (size * math.prod(heads))))
    # padded inputs and their transforms: filled anew for each block, allocated once
    padded = [z.new_zeros(*z.shape[:-2], block, size) for z in (q, k)]
    ahead, behind = (torch.empty_like(z) for z in padded)
    spectrum = q.new_zeros(*heads, size)
    for start in range(0, pairs, block):
        some = min(block, pairs - start)
        for room, z, transform in zip(padded, (q, k), (ahead, behind), strict=True):
            room[..., :some, :length] = z[..., start : start + some, :]
            torch.fft.fft(room[..., :some, :], out=transform[..., :some, :])
        a, b = ahead[..., :some, :], behind[..., :some, :].conj_physical_()
        spectrum += (a.mul_(b) if a.shape[:-2] == heads else a * b).sum(dim=-2)
    sums = torch.fft.ifft(spectrum).real[..., :length]
    last = _last_sums(q, k)
    sums[..., length - last.shape[-1] :] = last
    return sums


def _last_sums(
    q: Complex[Tensor, "*#heads pairs length"], k: Complex[Tensor, "*#heads pairs length"]
) -> Float64[Tensor, "*heads last"]:
    """`lag_sums` at the `LAST` longest distances, from the last queries and first keys themselves, in float64.

    A transform's error is the same at every distance, and here there are few pairs to divide it by.
    """
    rows = q[..., -LAST:].to(torch.complex128)
    columns = k[..., :LAST].to(torch.complex128)
    scores = (rows.mT @ columns.conj()).real
    return by_distance(scores.reshape(-1, *scores.shape[-2:])).reshape(*scores.shape[:-2], -1)


def pair_counts(
    length: int, *, dropped: int = 0, device: torch.device | str = "cpu"
) -> Float[Tensor, " length"]:
    """Number of (query, key) pairs at each distance 0..length-1 when the first `dropped` keys are left out.

    >>> pair_counts(4)  # pairs at distances 0 .. 3
    tensor([4., 3., 2., 1.], dtype=torch.float64)
    """
    return (length - dropped - torch.arange(length, dtype=torch.float64, device=device)).clamp(min=0)


def mean_score(
    q: Float[Tensor, "*#heads length head_dim"],
    k: Float[Tensor, "*#heads length head_dim"],
    frequencies: Frequencies,
    *,
    scale: float = 1.0,
) -> Float[Tensor, "*heads length"]:
    """Mean attention score (before soft-cap and softmax) at every distance 0..length-1, exact but for rounding.

    Rounding, with eps of the vectors' type and |x| the root of the sum of squares over all tokens: at most
    eps |q| |k| over the number of pairs at that distance; at the `LAST` distances at most 4 eps times the largest
    product of the norms of one query and one key.

    Args:
        q, k: one window's queries and keys before any position is applied; leading axes broadcast.
        frequencies: rotation of this layer (eq 2 of the paper, with the project's sign).
        scale: factor of the score, 1/sqrt(head_dim) in the paper.

    Raises:
        InputError: if shapes do not fit or a value is not finite.

    >>> from analysis.theory.frequencies import plain
    >>> x = torch.ones(4, 2)  # one pair that rotates by 1 rad a token
    >>> mean_score(x, x, plain(1e4, 2))  # 2 cos(distance), distances 0 .. 3
    tensor([ 2.0000,  1.0806, -0.8323, -1.9800])
    """
    if q.shape[-2] != k.shape[-2]:
        raise InputError(f"q holds {q.shape[-2]} positions, k holds {k.shape[-2]}")
    zq, zk = complex_pairs(q, frequencies), complex_pairs(k, frequencies)
    table = rotation_table(frequencies, zq.shape[-1], zq.shape[-2], zq.dtype, zq.device)
    zq.mul_(table)
    zk.mul_(table)
    if frequencies.log_decay is None:
        sums = lag_sums(zq, zk)
    else:
        by_pair = lag_sums(zq.unsqueeze(-2), zk.unsqueeze(-2))
        sums = (by_pair * _decay(frequencies, by_pair)).sum(dim=-2)
    if not torch.isfinite(sums).all():  # a transform spreads what is not finite over every distance
        name = (
            "q"
            if not torch.isfinite(q).all()
            else "k"
            if not torch.isfinite(k).all()
            else "the product of q and k"
        )
        raise InputError(f"{name} holds a value that is not finite; give another model, or shorter windows")
    return scale * sums / pair_counts(sums.shape[-1], device=sums.device).to(sums.dtype)


def _decay(
    frequencies: Frequencies, like: Float[Tensor, "*heads pairs length"]
) -> Float[Tensor, "pairs length"]:
    """xPos: the factor of each pair at each distance, 1 for pairs that are not rotated."""
    factor = torch.ones(like.shape[-2:], dtype=torch.float64, device=like.device)
    rate = torch.from_numpy(frequencies.log_decay).to(like.device)
    distance = torch.arange(like.shape[-1], dtype=torch.float64, device=like.device)
    factor[: len(rate)] = torch.exp(rate[:, None] * distance)
    return factor.to(like.dtype)


def first_key_scores(
    q: Complex[Tensor, "*#heads pairs length"], k: Complex[Tensor, "*#heads pairs length"]
) -> Float[Tensor, "*heads length"]:
    """Score of every query with the key at position 0, indexed by distance: what a sink adds to `lag_sums`."""
    return (k[..., :1].conj().mT @ q).squeeze(-2).real


def causal_square_sum(
    q: Complex[Tensor, "key_heads group pairs length"],
    k: Complex[Tensor, "key_heads pairs length"],
    *,
    window: int | None = None,
    block: int = 64,
) -> Float[Tensor, "key_heads group"]:
    """Sum of squared scores over all pairs with key position <= query position, in O(length * pairs^2).

    Keys of earlier blocks enter through their Gram matrix, only the diagonal block through its scores:
    sum_n (q.k_n)^2 = q^T (sum_n k_n k_n^T) q. With a sliding window the scores within it are computed instead, in
    O(length * window * pairs).

    Args:
        window: only pairs at distances below it; None for all.
        block: queries at a time.
    """
    rows_q, rows_k = (torch.view_as_real(z.mT.contiguous()).flatten(-2) for z in (q, k))
    heads, group, length, dim = rows_q.shape
    if window is not None and window < length:
        return _square_sum_within(rows_q, rows_k, window, block)
    gram = rows_k.new_zeros(heads, dim, dim)
    total = rows_q.new_zeros(heads, group, dtype=torch.float64)
    for start in range(0, length, block):
        a = rows_q[:, :, start : start + block].flatten(1, 2)
        b = rows_k[:, start : start + block]
        earlier = ((a @ gram) * a).unflatten(1, (group, -1)).sum(dim=(-2, -1))
        within = (a @ b.mT).unflatten(1, (group, -1)).tril_().square_().sum(dim=(-2, -1))
        total += earlier + within
        gram += b.mT @ b
    return total


def _square_sum_within(
    q: Float[Tensor, "key_heads group length dim"],
    k: Float[Tensor, "key_heads length dim"],
    window: int,
    block: int,
) -> Float64[Tensor, "key_heads group"]:
    """Sum of squared scores over the pairs at distances 0 .. window - 1."""
    heads, group, length, _ = q.shape
    total = q.new_zeros(heads, group, dtype=torch.float64)
    for start in range(0, length, block):
        first = max(0, start - window + 1)
        queries, keys = q[:, :, start : start + block], k[:, first : start + block]
        scores = (queries.flatten(1, 2) @ keys.mT).unflatten(1, (group, -1))
        # the row of position start + r keeps the columns first .. of distances 0 .. window - 1
        kept = scores.tril(start - first).triu(start - first - window + 1)
        total += kept.square().sum(dim=(-2, -1))
    return total


def mean_score_by_tiles(
    score: Callable[[slice, slice], Float[Tensor, "rows columns"]], length: int, *, tile: int = 512
) -> Float[Tensor, " length"]:
    """Mean over all pairs of any score at every distance 0..length-1, one tile of the lower triangle at a time.

    For encodings whose score is not an inner product of transformed vectors; memory is one tile.

    Args:
        score: gives the scores of a range of query positions against a range of key positions.
        length: tokens in the window.
        tile: edge of a tile in tokens.
    """
    sums = torch.zeros(2 * length, dtype=torch.float64)
    for top in range(0, length, tile):
        rows = slice(top, min(top + tile, length))
        for left in range(0, rows.stop, tile):
            columns = slice(left, min(left + tile, rows.stop))
            values = score(rows, columns).to(torch.float64)
            distance = torch.arange(rows.start, rows.stop)[:, None] - torch.arange(
                columns.start, columns.stop
            )
            # negative distances land in the upper half, which is thrown away
            sums.index_add_(0, (distance % (2 * length)).flatten(), values.flatten())
    return sums[:length] / pair_counts(length)


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
