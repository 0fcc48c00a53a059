"""Exact mean attention score at every distance, in O(length log length * head_dim), never a square matrix.

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
from jaxtyping import Complex, Float
from scipy.fft import next_fast_len
from torch import Tensor

from analysis.errors import InputError
from analysis.theory.frequencies import Frequencies

_IN_CACHE = 2**19  # complex numbers transformed at a time


def complex_pairs(
    x: Float[Tensor, "*heads length head_dim"], frequencies: Frequencies
) -> Complex[Tensor, "*heads pairs length"]:
    """Vectors as complex pairs, positions last: the rotated pairs first, then those that are not rotated.

    Rotated pairs are multiplied by the attention factor (YaRN, LongRoPE), so that the score is
    Re sum_d zq_d(m) conj(zk_d(n)) exp(i (m-n) omega_d) and nothing more.

    Args:
        x: queries or keys before any position is applied.
        frequencies: says which dimensions form a pair, how many are rotated, and the attention factor.

    Raises:
        InputError: if the last axis is not `frequencies.head_dim` long.
    """
    if x.shape[-1] != frequencies.head_dim:
        raise InputError(
            f"vectors have {x.shape[-1]} dimensions, the frequencies are for {frequencies.head_dim}"
        )
    rotary = frequencies.rotary_dim
    turned, rest = x[..., :rotary], x[..., rotary:]
    if frequencies.pairing == "halves":
        real, imag = turned[..., : rotary // 2], turned[..., rotary // 2 :]
    else:
        real, imag = turned[..., 0::2], turned[..., 1::2]
    z = torch.complex(real, imag)
    if frequencies.attention_factor != 1:
        z = frequencies.attention_factor * z
    if rest.shape[-1]:
        # any pairing of the unrotated dimensions gives the same inner product; a lone last one gets a zero
        rest = torch.nn.functional.pad(rest, (0, rest.shape[-1] % 2))
        z = torch.cat([z, torch.complex(rest[..., 0::2], rest[..., 1::2])], dim=-1)
    return z.mT.contiguous()  # once, as complex numbers: transposing the parts apart takes five times as long


def rotation_table(
    frequencies: Frequencies, length: int, pairs: int, dtype: torch.dtype = torch.complex64
) -> Complex[Tensor, "pairs length"]:
    """exp(i m omega_d) for positions m = 0..length-1; 1 for the pairs that are not rotated.

    Angles are formed in float64: at position 1e5 a float32 angle is off by 0.004 rad. By angle addition,
    m = a w + b, so there are only about 2 sqrt(length) sines and cosines a pair.
    """
    omega = torch.from_numpy(frequencies.omega).to(torch.float64)
    width = math.isqrt(max(length - 1, 0)) + 1
    steps = torch.arange(width, dtype=torch.float64)
    fine, coarse = (
        torch.polar(torch.ones(()).double(), omega[:, None] * steps * step) for step in (1, width)
    )
    table = torch.ones(pairs, length, dtype=dtype)
    table[: len(omega)] = (coarse[:, :, None] * fine[:, None, :]).flatten(1)[:, :length].to(dtype)
    return table


def lag_sums(
    q: Complex[Tensor, "*#heads pairs length"], k: Complex[Tensor, "*#heads pairs length"]
) -> Float[Tensor, "*heads length"]:
    """Sum of Re sum_d q_d(n + distance) conj(k_d(n)) over n, for every distance 0..length-1.

    Leading axes broadcast, so the key of a group is transformed once for all its queries. Works through the
    pairs a few at a time, so that what is being transformed stays in the processor's cache.
    """
    pairs, length = q.shape[-2:]
    heads = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    # zero padding keeps distance -1 from wrapping onto length-1
    size = cast("int", next_fast_len(2 * length - 1))
    block = min(pairs, max(1, _IN_CACHE // (size * math.prod(heads))))
    # padded inputs and their transforms: filled anew for each block, allocated once
    padded = [torch.zeros(*z.shape[:-2], block, size, dtype=z.dtype) for z in (q, k)]
    ahead, behind = (torch.empty_like(z) for z in padded)
    spectrum = torch.zeros(*heads, size, dtype=q.dtype)
    for start in range(0, pairs, block):
        some = min(block, pairs - start)
        for room, z, transform in zip(padded, (q, k), (ahead, behind), strict=True):
            room[..., :some, :length] = z[..., start : start + some, :]
            torch.fft.fft(room[..., :some, :], out=transform[..., :some, :])
        a, b = ahead[..., :some, :], behind[..., :some, :].conj_physical_()
        spectrum += (a.mul_(b) if a.shape[:-2] == heads else a * b).sum(dim=-2)
    return torch.fft.ifft(spectrum).real[..., :length]


def pair_counts(length: int, *, dropped: int = 0) -> Float[Tensor, " length"]:
    """Number of (query, key) pairs at each distance 0..length-1 when the first `dropped` keys are left out."""
    return (length - dropped - torch.arange(length, dtype=torch.float64)).clamp(min=0)


def mean_score(
    q: Float[Tensor, "*#heads length head_dim"],
    k: Float[Tensor, "*#heads length head_dim"],
    frequencies: Frequencies,
    *,
    scale: float = 1.0,
) -> Float[Tensor, "*heads length"]:
    """Exact mean attention score (before soft-cap and softmax) at every distance 0..length-1.

    Args:
        q, k: one window's queries and keys before any position is applied; leading axes broadcast.
        frequencies: rotation of this layer (eq 2 of the paper, with the project's sign).
        scale: factor of the score, 1/sqrt(head_dim) in the paper.

    Raises:
        InputError: if shapes do not fit or a value is not finite.
    """
    if q.shape[-2] != k.shape[-2]:
        raise InputError(f"q holds {q.shape[-2]} positions, k holds {k.shape[-2]}")
    zq, zk = complex_pairs(q, frequencies), complex_pairs(k, frequencies)
    table = rotation_table(frequencies, zq.shape[-1], zq.shape[-2], zq.dtype)
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
        raise InputError(f"{name} holds a value that is not finite")
    return scale * sums / pair_counts(sums.shape[-1]).to(sums.dtype)


def _decay(
    frequencies: Frequencies, like: Float[Tensor, "*heads pairs length"]
) -> Float[Tensor, "pairs length"]:
    """xPos: the factor of each pair at each distance, 1 for pairs that are not rotated."""
    factor = torch.ones(like.shape[-2:], dtype=torch.float64)
    rate = torch.from_numpy(frequencies.log_decay)
    factor[: len(rate)] = torch.exp(rate[:, None] * torch.arange(like.shape[-1], dtype=torch.float64))
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
    block: int = 64,
) -> Float[Tensor, "key_heads group"]:
    """Sum of squared scores over all pairs with key position <= query position, in O(length * pairs^2).

    Keys of earlier blocks enter through their Gram matrix, only the diagonal block through its scores:
    sum_n (q.k_n)^2 = q^T (sum_n k_n k_n^T) q.
    """
    rows_q, rows_k = (torch.view_as_real(z.mT.contiguous()).flatten(-2) for z in (q, k))
    heads, group, length, dim = rows_q.shape
    gram = rows_k.new_zeros(heads, dim, dim)
    total = torch.zeros(heads, group, dtype=torch.float64)
    for start in range(0, length, block):
        a = rows_q[:, :, start : start + block].flatten(1, 2)
        b = rows_k[:, start : start + block]
        earlier = ((a @ gram) * a).unflatten(1, (group, -1)).sum(dim=(-2, -1))
        within = (a @ b.mT).unflatten(1, (group, -1)).tril_().square_().sum(dim=(-2, -1))
        total += earlier + within
        gram += b.mT @ b
    return total


def mean_score_by_tiles(
    score: Callable[[slice, slice], Float[Tensor, "rows columns"]], length: int, *, tile: int = 512
) -> Float[Tensor, " length"]:
    """Exact mean of any score at every distance 0..length-1, one tile of the lower triangle at a time.

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
