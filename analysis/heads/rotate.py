"""Rotation of queries and keys by position, and how far two rotations may differ by rounding alone."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from analysis.errors import InputError
from analysis.theory.frequencies import Frequencies


def rotate(
    x: Float[Tensor, "*heads length head_dim"],
    positions: Int[Tensor, " length"] | Float[Tensor, " length"],
    frequencies: Frequencies,
) -> Float[Tensor, "*heads length head_dim"]:
    """Pair d at position m turned by +m * omega_d (RoFormer, Su et al. 2021, eq 34).

    Rotated dimensions are multiplied by the attention factor too, those beyond `frequencies.rotary_dim` pass
    unchanged. Angles are formed in float64 whatever the dtype of `x`, which is the dtype of the result.

    Raises:
        InputError: if the last axis is not `frequencies.head_dim` long, or for frequencies with a decay
            (xPos), where queries and keys are scaled differently and one rotation cannot serve both.
    """
    if x.shape[-1] != frequencies.head_dim:
        raise InputError(
            f"vectors have {x.shape[-1]} dimensions, the frequencies are for {frequencies.head_dim}"
        )
    if frequencies.log_decay is not None:
        raise InputError(
            f"frequencies of kind {frequencies.kind!r} scale q and k differently; rotate serves neither"
        )
    omega = torch.from_numpy(np.asarray(frequencies.omega, dtype=np.float64)).to(x.device)
    angle = positions.to(device=x.device, dtype=torch.float64)[:, None] * omega
    cos = (frequencies.attention_factor * angle.cos()).to(x.dtype)
    sin = (frequencies.attention_factor * angle.sin()).to(x.dtype)
    first, second = torch.from_numpy(frequencies.pairs).T
    turned = x.clone()
    turned[..., first] = x[..., first] * cos - x[..., second] * sin
    turned[..., second] = x[..., second] * cos + x[..., first] * sin
    return turned


def relative_difference(
    expected: Float[Tensor, "batch heads length head_dim"],
    found: Float[Tensor, "batch heads length head_dim"],
    frequencies: Frequencies,
) -> float:
    """Largest difference over positions, relative to the largest size that its own pair reaches in its head.

    Pair by pair, so that an error in a small pair cannot hide behind a large one (keys with biases have
    pairs a hundred times the others). NaN if either side has one; infinite where only zeros were expected.
    """
    if expected.shape != found.shape:
        raise InputError(f"rotated shape {tuple(expected.shape)} is not the model's {tuple(found.shape)}")
    size = expected.abs()
    first, second = torch.from_numpy(frequencies.pairs).T
    size[..., first] = size[..., second] = torch.hypot(expected[..., first], expected[..., second])
    error = (expected - found).abs().amax(dim=(0, 2))
    ratio = torch.where(error == 0, 0.0, error / size.amax(dim=(0, 2)))
    return ratio.max().item()


def rounding_budget(frequencies: Frequencies, last_position: int, dtype: torch.dtype) -> float:
    """Bound on `relative_difference` if a model that computes in `dtype` rotates by these very frequencies.

    Models form omega and the angle in float32 whatever their dtype. With u the unit roundoff of float32,
    omega_d = base^-e carries a relative error of at most u (|ln omega_d| + 6): the rounded exponent e, the
    power, the reciprocal, and the few operations of a scaling rule; the product with the position adds u.
    Cosine, sine, two products and a sum in `dtype` add 6 of its unit roundoffs.
    """
    single, unit = (torch.finfo(kind).eps / 2 for kind in (torch.float32, dtype))
    omega = np.asarray(frequencies.omega, dtype=np.float64)
    turning = omega[omega > 0]
    worst = float(np.max(turning * (np.abs(np.log(turning)) + 7))) if turning.size else 0.0
    return 6 * (unit + single) + single * last_position * worst
