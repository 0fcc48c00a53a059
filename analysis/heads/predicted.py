"""The mean score that RoPE must have beyond the trained length L, if queries and keys stay as they are within it.

A head's bias at distance D is sum_d Re[E z^q_d conj(E z^k_d) exp(i D omega_d)] times its scale (eq 3 and 5 of the
paper, with one mean for each pair): a few numbers, measured in windows of at most L tokens, say it for all distances.
"""

from __future__ import annotations

import torch
from jaxtyping import Complex128, Float64, Int
from torch import Tensor

from analysis.encodings import Encoding, Rope, SlidingWindow
from analysis.errors import InputError
from analysis.heads.lags import complex_pairs, rotation_table
from analysis.lm.attention import explicit
from analysis.lm.model import Llama

ROTATING = ("rope", "partial", "window")
"""Methods whose heads rotate queries and keys and do nothing else to them."""


def rotation(encoding: Encoding) -> tuple[Rope, int | None]:
    """The rotation inside an encoding, and the window that a query sees (None for all); `InputError` without one."""
    rope, window = encoding, None
    if isinstance(encoding, SlidingWindow):
        rope, window = encoding.encoding, encoding.window
    if not isinstance(rope, Rope) or rope.frequencies.log_decay is not None:
        raise InputError(f"{type(rope).__name__} rotates no queries and keys alike; give a model of RoPE")
    return rope, window


@torch.inference_mode()
def predicted_mean(
    model: Llama, tokens: Int[Tensor, "windows length"], reach: int
) -> Float64[Tensor, "layers heads reach"]:
    """Mean score of every head at distances 0 .. reach - 1, from the mean query and key in shorter windows.

    Args:
        model: whose heads rotate.
        tokens: windows no longer than what the model was trained on; their first tokens are left out, as query
            and as key: trained heads park attention there.

    Raises:
        InputError: the model's heads do not rotate, or the windows are longer than its context.
    """
    if tokens.shape[1] > model.config.context:
        raise InputError(
            f"windows of {tokens.shape[1]} tokens are longer than the trained length of {model.config.context}; "
            f"give shorter ones"
        )
    curves: list[Float64[Tensor, "heads reach"]] = []

    def attend(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor) -> Tensor:
        rope, _ = rotation(encoding)
        mean_q, mean_k = _mean(rope, q), _mean(rope, k)
        product = mean_q * mean_k.conj().repeat_interleave(len(mean_q) // len(mean_k), dim=0)
        table = rotation_table(rope.frequencies, reach, product.shape[1], product.dtype)
        curves.append(rope.factor * (product @ table).real)
        return explicit(encoding, q, k, v, positions)

    before, model.attend = model.attend, attend
    try:
        model(tokens)
    finally:
        model.attend = before
    return torch.stack(curves)


def _mean(rope: Rope, x: Tensor) -> Complex128[Tensor, "heads pairs"]:
    return complex_pairs(x[:, :, 1:].double(), rope.frequencies).mean(dim=(0, -1))
