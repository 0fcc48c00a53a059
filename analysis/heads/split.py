"""One window of one layer: what its heads' scores do with distance, and which part the means of q and k decide.

Exact identity, head by head and at every distance:

    measured = bias + drift + covariance

bias        rotation applied to the window's mean query and mean key: the paper's Gamma with one mu_d, nu_d per
            pair, E A_d over all pairs of positions of the window (eq 5, 17);
drift       what the means of the positions that really meet at this distance add to it: queries late in the
            window, keys early;
covariance  the rest: query and key agreeing beyond their means at this distance.

"content" is drift + covariance. Everything is computed twice: with the window's first token kept, and with it
dropped as query and as key, because trained heads park attention there (Xiao et al. 2023, attention sinks).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from analysis.errors import InputError
from analysis.heads.lags import (
    add_pair_products,
    causal_square_sum,
    complex_pairs,
    first_key_scores,
    lag_sums,
    pair_counts,
    rotation_table,
)
from analysis.theory.frequencies import Frequencies

VARIANTS = ("kept", "dropped")  # the window's first token
QUARTERS = 4


@dataclass(frozen=True)
class Moments:
    """Sums over the tokens of each position quarter, from which E A_d, E B_d and their spread follow exactly.

    Attributes:
        count: tokens in each quarter.
        first: sum of z_d.
        power: sum of |z_d|^2.
        square: sum of z_d^2.
    """

    count: Float[Tensor, " quarters"]
    first: Complex[Tensor, "quarters heads pairs"]
    power: Float[Tensor, "quarters heads pairs"]
    square: Complex[Tensor, "quarters heads pairs"]


@dataclass(frozen=True)
class LayerWindow:
    """Statistics of one layer in one window; the leading axis is `VARIANTS`, scores carry the layer's scale."""

    measured: Float[Tensor, "variants heads length"]
    drift: Float[Tensor, "variants heads length"]
    shuffled: Float[Tensor, "variants heads length"]
    square_sum: Float[Tensor, "variants heads"]
    moments_q: tuple[Moments, ...]
    moments_k: tuple[Moments, ...]


def moments(z: Complex[Tensor, "heads pairs length"]) -> tuple[Moments, ...]:
    """Sums of z, |z|^2 and z^2 over each quarter of the window, for each of `VARIANTS`."""
    parts = torch.tensor_split(z, QUARTERS, dim=-1)
    kept = Moments(
        count=torch.tensor([p.shape[-1] for p in parts], dtype=torch.float64),
        first=torch.stack([p.sum(dim=-1) for p in parts]).to(torch.complex128),
        power=torch.stack([torch.view_as_real(p).square().sum(dim=(-2, -1)) for p in parts]).double(),
        square=torch.stack([(p * p).sum(dim=-1) for p in parts]).to(torch.complex128),
    )
    token = z[..., 0].to(torch.complex128)
    dropped = Moments(
        count=kept.count - torch.eye(QUARTERS, dtype=torch.float64)[0],
        first=_less(kept.first, token),
        power=_less(kept.power, token.abs().square()),
        square=_less(kept.square, token * token),
    )
    return kept, dropped


def _less(sums: Shaped[Tensor, "quarters heads pairs"], token: Shaped[Tensor, "heads pairs"]) -> Tensor:
    """The sums with one token taken out of the first quarter."""
    return torch.cat([(sums[0] - token)[None], sums[1:]])


def positional_means_curve(
    q: Complex[Tensor, "*#heads pairs length"],
    k: Complex[Tensor, "*#heads pairs length"],
    table: Complex[Tensor, "pairs length"],
) -> Float[Tensor, "*heads length"]:
    """Score of the mean query and mean key of the positions that meet at each distance.

    At distance l the queries are at l..length-1 and the keys at 0..length-1-l; q and k are not yet rotated.
    """
    tail = q.flip(-1).cumsum(-1).flip(-1)
    head = k.cumsum(-1).flip(-1) * table.conj()
    sums = torch.zeros(*torch.broadcast_shapes(q.shape[:-2], k.shape[:-2]), q.shape[-1], dtype=q.dtype)
    add_pair_products(sums, tail, head)
    return sums.real / pair_counts(q.shape[-1]).square().to(sums.real.dtype)


def means_curve(
    q: Complex[Tensor, "*#heads pairs length"],
    k: Complex[Tensor, "*#heads pairs length"],
    table: Complex[Tensor, "pairs length"],
) -> Float[Tensor, "*heads length"]:
    """Score of the window's mean query and mean key at every distance: the bias."""
    product = q.mean(dim=-1) * k.mean(dim=-1).conj()
    return (product[..., None, :] @ table).squeeze(-2).real


def _shuffled(z: Complex[Tensor, "*heads pairs length"], generator: torch.Generator) -> Tensor:
    return z[..., torch.randperm(z.shape[-1], generator=generator)]


def split_layer(
    q: Float[Tensor, "query_heads length head_dim"],
    k: Float[Tensor, "key_heads length head_dim"],
    frequencies: Frequencies,
    *,
    scale: float,
    generator: torch.Generator,
) -> LayerWindow:
    """Every statistic of one layer in one window.

    Args:
        q, k: before any position is applied; query head h reads key head h // (query_heads / key_heads).
        frequencies: this layer's rotation.
        scale: this layer's factor of the score.
        generator: draws the token order of the shuffled control. Queries and keys are shuffled apart, so its
            expectation over orders is the bias at every distance, exactly; shuffling the keys alone would
            leave the queries' drift with position in it.
    """
    if frequencies.log_decay is not None:
        raise InputError(
            f"{frequencies.kind} frequencies decay with distance; the split is for pure rotations"
        )
    zq, zk = complex_pairs(q, frequencies), complex_pairs(k, frequencies)
    table = rotation_table(frequencies, zq.shape[-1], zq.shape[-2], zq.dtype)
    a, b = zq.unflatten(0, (zk.shape[0], -1)), zk.unsqueeze(1)
    measured, square_sum = _measured(a * table, b * table)
    others = [_drift_and_control(a[..., v:], b[..., v:], table, generator) for v in range(len(VARIANTS))]
    drift, shuffled = (torch.stack([_padded(o[i], zq.shape[-1]) for o in others]) for i in range(2))
    return LayerWindow(
        measured=scale * measured.flatten(1, 2),
        drift=scale * drift.flatten(1, 2),
        shuffled=scale * shuffled.flatten(1, 2),
        square_sum=scale**2 * square_sum.flatten(1, 2),
        moments_q=moments(zq),
        moments_k=moments(zk),
    )


def _measured(
    q: Complex[Tensor, "key_heads group pairs length"], k: Complex[Tensor, "key_heads one pairs length"]
) -> tuple[Float[Tensor, "variants key_heads group length"], Float[Tensor, "variants key_heads group"]]:
    """Mean score by distance and sum of squared scores, for both variants; q and k are rotated.

    Only the tokens after the first go through the FFT; the first key's scores are added to them one by one,
    so a sink a hundred times longer than the other keys costs no digits of the curve without it.
    """
    first = first_key_scores(q, k)
    rest = _padded(lag_sums(q[..., 1:], k[..., 1:]), q.shape[-1], 0.0)
    sums = torch.stack([rest + first, rest])
    counts = torch.stack([pair_counts(q.shape[-1], dropped=v) for v in range(len(VARIANTS))])
    means = sums / counts[:, None, None].to(sums.dtype)
    square = causal_square_sum(q[..., 1:], k[:, 0, :, 1:])
    return means, torch.stack([square + first.double().square().sum(dim=-1), square])


def _drift_and_control(
    q: Complex[Tensor, "key_heads group pairs length"],
    k: Complex[Tensor, "key_heads one pairs length"],
    table: Complex[Tensor, "pairs longer"],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "key_heads group length"], Float[Tensor, "key_heads group length"]]:
    """What position-dependent means add to the bias, and the control with the token order shuffled."""
    turn = table[..., : q.shape[-1]]
    drift = positional_means_curve(q, k, turn) - means_curve(q, k, turn)
    shuffled = lag_sums(_shuffled(q, generator) * turn, _shuffled(k, generator) * turn)
    return drift, shuffled / pair_counts(q.shape[-1]).to(shuffled.dtype)


def _padded(
    curve: Float[Tensor, "*heads shorter"], length: int, value: float = torch.nan
) -> Float[Tensor, "*heads length"]:
    """A curve with `value` at distances that no pair of the variant has."""
    return torch.nn.functional.pad(curve, (0, length - curve.shape[-1]), value=value)
