"""Errors of the Triton kernels under Triton's interpreter, as JSON: a process of its own, run by `test_triton_kernels`.

The interpreter is chosen when Triton is imported: `TRITON_INTERPRET=1 python -m tests.models.triton_interpreted`.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch import Tensor

from analysis.encodings import Alibi, DistanceForm, Encoding, LinearTapa, Nope, SlidingWindow, Tapa
from analysis.encodings.interventions import AmplitudeOnly
from analysis.models import blockwise, triton_kernels
from analysis.models.triton_kernels import Blocks

SMALL = Blocks(32, 16, 1, 1)
CASES: dict[str, tuple[Encoding, int, int, int]] = {  # query heads, key heads, tokens
    "TAPA, 64 dimensions, 100 tokens": (Tapa(64), 2, 1, 100),
    "TAPA, 40 dimensions, amplitude of 10": (Tapa(40, amplitude_share=0.25), 2, 2, 77),
    "TAPA, 128 dimensions, a window": (SlidingWindow(Tapa(128, alpha=0.5), 33), 1, 1, 97),
    "ALiBi, 24 dimensions": (Alibi(24, [0.5, 0.25]), 2, 1, 50),
    "NoPE": (Nope(16), 2, 2, 33),
    "linear phase": (LinearTapa(32), 1, 1, 40),
    "a cosine for each distance": (AmplitudeOnly(Tapa(32), torch.linspace(1, 0, 40)[None]), 1, 1, 40),
}


def errors(
    encoding: Encoding, heads: int, kv_heads: int, length: int, dtype: torch.dtype
) -> dict[str, float]:
    """Largest error of each result against float64, over the largest value of the exact one."""
    generator, at = torch.Generator().manual_seed(length), torch.arange(length)
    q, k, v = (
        torch.randn(1, h, length, d, generator=generator).to(dtype)
        for h, d in ((heads, encoding.head_dim), (kv_heads, encoding.head_dim), (kv_heads, 24))
    )
    grad = torch.randn(1, heads, length, 24, generator=generator).to(dtype)
    grad_log_sum = torch.randn(1, heads, length, generator=generator)
    form = encoding.by_distance(q, k, at)
    assert form is not None
    assert triton_kernels.refusal(form, v) is None
    exact = _widened(form)
    right = blockwise.forward(exact, v.double(), encoding.reach, 64)
    found = triton_kernels.triton_forward(form, v, encoding.reach, SMALL)
    given = grad.double(), grad_log_sum.double()
    right_gradients = blockwise.backward(exact, v.double(), *right, *given, encoding.reach, 64)
    gradients = triton_kernels.triton_backward(form, v, *found, grad, grad_log_sum, encoding.reach, SMALL)
    names = ("out", "log_sum", "a", "b", "x", "y", "v")
    pairs = zip(names, (*found, *gradients), (*right, *right_gradients), strict=True)
    return {name: _error(ours, own) for name, ours, own in pairs if ours is not None and own is not None}


def _error(found: Tensor, right: Tensor) -> float:
    return float((found.double() - right).abs().max() / right.abs().max())


def _widened(form: DistanceForm) -> DistanceForm:
    return DistanceForm(*(x.double() if isinstance(x, Tensor) else x for x in form))


def main() -> None:
    """Every case in float32, the first in float16 too: the interpreter has no bfloat16."""
    begun = time.process_time()
    found = {name: errors(*case, torch.float32) for name, case in CASES.items()}
    first = next(iter(CASES.values()))
    json.dump(
        {"float32": found, "float16": errors(*first, torch.float16), "cpu_s": time.process_time() - begun},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
