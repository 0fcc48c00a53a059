"""Attention of a `DistanceForm` on a GPU: forward and backward in Triton, in the order of FlashAttention-2 (Dao 2023).

Forward, a program has a block of queries and goes through its keys; backward, a program has a block of keys and goes
through the queries that see them, so that their gradients stay in registers and those of queries are added atomically.
Of a row its result and one logarithm of summed exponentials are kept; amplitude, phase, cosine and sine are computed
again. Products are of the vectors' own type with float32 sums; the phase is never narrower than float32, and whole
turns are taken off it, which is exact, before a polynomial gives cosine or sine. Tiles above the diagonal, or out of
reach, are never touched. Widths that are no power of two are padded with zeros.

This module imports Triton; `fused` imports it where Triton is there. With the environment variable TRITON_INTERPRET=1
the kernels run on the CPU, as slowly as a test can bear.
"""

# pyright: reportMissingImports=false, reportIndexIssue=false
# Triton is an extra, and a kernel with a grid behind it is no Python.

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from analysis.encodings import DistanceForm
from analysis.models.blockwise import Gradients

OutOfResources = triton.runtime.errors.OutOfResources

WIDEST = 256
"""Of a and x together, and of v, padded: beyond, the blocks of a program do not fit into a multiprocessor."""
LEAST = 16  # width of a product
TYPES = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Sizes of a program.

    Attributes:
        rows: queries of a block, a multiple of `columns` in the forward pass.
        columns: keys of a block; both are powers of two, at least 16.
        warps: of a program.
        stages: of loads ahead of their use.
    """

    rows: int
    columns: int
    warps: int
    stages: int


BLOCKS = {  # by pass, whether vectors are half-width, and whether one is wider than 128
    ("forward", True, False): Blocks(128, 64, 8, 2),
    ("forward", True, True): Blocks(64, 32, 4, 2),
    ("forward", False, False): Blocks(64, 32, 8, 2),
    ("forward", False, True): Blocks(32, 16, 4, 1),
    ("backward", True, False): Blocks(32, 64, 8, 2),
    ("backward", True, True): Blocks(32, 32, 4, 2),
    ("backward", False, False): Blocks(16, 32, 8, 1),
    ("backward", False, True): Blocks(16, 16, 4, 1),
}
"""Chosen by what the compiler says for sm_90: the fewest spilled registers, and at most 131 KB of shared memory."""


def refusal(form: DistanceForm, v: Tensor) -> str | None:
    """Why the kernels cannot compute this; None if they can."""
    vectors = [t for t in (form.a, form.b, form.x, form.y, v) if t is not None]
    tables = [t for t in (form.turn, form.factor, form.bias) if t is not None]
    if any(t.dtype not in TYPES for t in vectors) or any(t.dtype != torch.float32 for t in tables):
        return f"its kernels take {', '.join(str(t) for t in TYPES)}, not {form.a.dtype} and {v.dtype}"
    widths = [_padded(t.shape[-1]) for t in vectors]
    together = _padded(form.a.shape[-1]) + (0 if form.x is None else _padded(form.x.shape[-1]))
    if max(*widths, together) > WIDEST:
        return (
            f"its kernels take heads of up to {WIDEST} dimensions, padded to powers of two, not {max(widths)}"
        )
    return None


@triton.jit
def _times(left, right):
    """A product in the vectors' own type; of float32 in float32, not in the 19 bits of tensor cores."""
    return tl.dot(left, right, input_precision="ieee")


@triton.jit
def _table(at, distance, seen):
    return tl.load(at + distance, mask=seen, other=0.0)


@triton.jit
def _sine_of(u):
    """sin(2 pi u) for |u| <= 1/4, within 3.4e-9."""
    square = u * u
    p = square * 39.536706762 - 76.5497823876
    p = square * p + 81.6010040774
    p = square * p - 41.3416550315
    return u * (square * p + 6.28318516009)


@triton.jit
def _less_whole(turns):
    return turns - tl.floor(turns + 0.5)


@triton.jit
def _cosine(turns):
    """cos(2 pi turns) for |turns| <= 1/2."""
    return _sine_of(0.25 - tl.abs(turns))


@triton.jit
def _sine(turns):
    """sin(2 pi turns) for |turns| <= 1/2."""
    size = _sine_of(0.25 - tl.abs(tl.abs(turns) - 0.25))
    return tl.where(turns < 0, -size, size)


@triton.jit
def _block(at, rows, width, length, PADDED: tl.constexpr):
    """A block of contiguous vectors, zeros beyond the last row and beyond the width."""
    columns = tl.arange(0, PADDED)
    inside = (rows[:, None] < length) & (columns[None, :] < width)
    return tl.load(at + rows[:, None] * width + columns[None, :], mask=inside, other=0.0)


@triton.jit
def _store(at, rows, width, length, value, PADDED: tl.constexpr):
    columns = tl.arange(0, PADDED)
    inside = (rows[:, None] < length) & (columns[None, :] < width)
    tl.store(at + rows[:, None] * width + columns[None, :], value, mask=inside)


@triton.jit
def _add(at, rows, width, length, value, PADDED: tl.constexpr):
    columns = tl.arange(0, PADDED)
    inside = (rows[:, None] < length) & (columns[None, :] < width)
    tl.atomic_add(at + rows[:, None] * width + columns[None, :], value, mask=inside)


@triton.jit
def _forward_kernel(
    a_all, b_all, x_all, y_all, v_all, turn, factor, bias, out, log_sum,
    length, heads, group, da, dp, dv, factor_row, bias_row, reach, scale, phase_scale,
    DA: tl.constexpr, DP: tl.constexpr, DV: tl.constexpr, PHASE: tl.constexpr, FACTOR: tl.constexpr,
    BIAS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    one = tl.program_id(1).to(tl.int64)  # batch and head
    head = (one % heads).to(tl.int32)
    kv = one // group
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * ROWS  # the longest rows first
    rows = first + tl.arange(0, ROWS)
    a = _block(a_all + one * length * da, rows, da, length, DA)
    if PHASE:
        x = _block(x_all + one * length * dp, rows, dp, length, DP)
    best = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    mixed = tl.zeros((ROWS, DV), tl.float32)
    begin = tl.maximum(first - reach + 1, 0) // COLUMNS * COLUMNS
    for start in range(begin, tl.minimum(first + ROWS, length), COLUMNS):
        columns = start + tl.arange(0, COLUMNS)
        b = _block(b_all + kv * length * da, columns, da, length, DA)
        v = _block(v_all + kv * length * dv, columns, dv, length, DV)
        distance = rows[:, None] - columns[None, :]
        seen = (distance >= 0) & (rows[:, None] < length)
        scores = _times(a, tl.trans(b)) * scale
        if PHASE:
            y = _block(y_all + kv * length * dp, columns, dp, length, DP)
            turns = _times(x, tl.trans(y)) * phase_scale
            turns = turns * _table(turn, distance, seen)
            scores = scores * _cosine(_less_whole(turns))
        if FACTOR:
            scores = scores * _table(factor + head * factor_row, distance, seen)
        if BIAS:
            scores = scores + _table(bias + head * bias_row, distance, seen)
        scores = tl.where(seen, scores, float("-inf"))
        largest = tl.maximum(best, tl.max(scores, 1))
        shift = tl.where(largest == float("-inf"), 0.0, largest)
        weights = tl.exp(scores - shift[:, None])
        kept = tl.exp(best - shift)
        total = total * kept + tl.sum(weights, 1)
        mixed = mixed * kept[:, None] + _times(weights.to(v.dtype), v)
        best = largest
    total = tl.where(rows < length, total, 1.0)
    _store(out + one * length * dv, rows, dv, length, mixed / total[:, None], DV)
    tl.store(log_sum + one * length + rows, best + tl.log(total), mask=rows < length)


@triton.jit
def _backward_kernel(
    a_all, b_all, x_all, y_all, v_all, turn, factor, bias, grad, log_sum, delta,
    grad_a, grad_b, grad_x, grad_y, grad_v,
    length, heads, group, da, dp, dv, factor_row, bias_row, reach, scale, phase_scale,
    DA: tl.constexpr, DP: tl.constexpr, DV: tl.constexpr, PHASE: tl.constexpr, FACTOR: tl.constexpr,
    BIAS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    kv = tl.program_id(1).to(tl.int64)  # batch and key head
    start = tl.program_id(0) * COLUMNS
    columns = start + tl.arange(0, COLUMNS)
    b = _block(b_all + kv * length * da, columns, da, length, DA)
    v = _block(v_all + kv * length * dv, columns, dv, length, DV)
    of_b = tl.zeros((COLUMNS, DA), tl.float32)
    of_v = tl.zeros((COLUMNS, DV), tl.float32)
    if PHASE:
        y = _block(y_all + kv * length * dp, columns, dp, length, DP)
        of_y = tl.zeros((COLUMNS, DP), tl.float32)
    end = tl.minimum(start + COLUMNS - 1 + reach, length)
    for one in range(kv * group, (kv + 1) * group):
        head = (one % heads).to(tl.int32)
        for first in range(start // ROWS * ROWS, end, ROWS):
            rows = first + tl.arange(0, ROWS)
            a = _block(a_all + one * length * da, rows, da, length, DA)
            d_out = _block(grad + one * length * dv, rows, dv, length, DV)
            logs = tl.load(log_sum + one * length + rows, mask=rows < length, other=0.0)
            own = tl.load(delta + one * length + rows, mask=rows < length, other=0.0)
            distance = rows[:, None] - columns[None, :]
            seen = (distance >= 0) & (rows[:, None] < length)
            amplitude = _times(a, tl.trans(b)) * scale
            scores = amplitude
            if PHASE:
                x = _block(x_all + one * length * dp, rows, dp, length, DP)
                rate = _table(turn, distance, seen)
                turns = _less_whole(_times(x, tl.trans(y)) * phase_scale * rate)
                cosine = _cosine(turns)
                scores = scores * cosine
            if FACTOR:
                by = _table(factor + head * factor_row, distance, seen)
                scores = scores * by
            if BIAS:
                scores = scores + _table(bias + head * bias_row, distance, seen)
            weights = tl.exp(tl.where(seen, scores - logs[:, None], float("-inf")))
            of_v += _times(tl.trans(weights).to(v.dtype), d_out)
            d_scores = weights * (_times(d_out, tl.trans(v)) - own[:, None])
            if FACTOR:
                d_scores = d_scores * by
            d_amplitude = d_scores * scale
            if PHASE:
                d_amplitude = d_amplitude * cosine
                d_phase = -d_scores * amplitude * _sine(turns) * (6.283185307179586 * phase_scale) * rate
                d_phase = d_phase.to(y.dtype)
                of_y += _times(tl.trans(d_phase), x)
                _add(grad_x + one * length * dp, rows, dp, length, _times(d_phase, y), DP)
            d_amplitude = d_amplitude.to(b.dtype)
            of_b += _times(tl.trans(d_amplitude), a)
            _add(grad_a + one * length * da, rows, da, length, _times(d_amplitude, b), DA)
    _store(grad_b + kv * length * da, columns, da, length, of_b, DA)
    _store(grad_v + kv * length * dv, columns, dv, length, of_v, DV)
    if PHASE:
        _store(grad_y + kv * length * dp, columns, dp, length, of_y, DP)


def triton_forward(
    form: DistanceForm,
    v: Float[Tensor, "batch kv_heads length value_dim"],
    reach: int | None = None,
    blocks: Blocks | None = None,
) -> tuple[Float[Tensor, "batch heads length value_dim"], Float[Tensor, "batch heads length"]]:
    """As `blockwise.forward`; what `refusal` names is not to be handed over."""
    call = _Call(form, v, reach)
    blocks = call.blocks("forward") if blocks is None else blocks
    out = v.new_empty(*form.a.shape[:3], v.shape[-1])
    log_sum = v.new_empty(form.a.shape[:3], dtype=torch.float32)
    grid = (triton.cdiv(call.length, blocks.rows), call.batch * call.heads)
    if out.numel():
        _forward_kernel[grid](
            *call.tensors, out, log_sum, *call.numbers, **call.constants,
            ROWS=blocks.rows, COLUMNS=blocks.columns, num_warps=blocks.warps, num_stages=blocks.stages,
        )  # fmt: skip
    return out, log_sum


def triton_backward(
    form: DistanceForm,
    v: Float[Tensor, "batch kv_heads length value_dim"],
    out: Float[Tensor, "batch heads length value_dim"],
    log_sum: Float[Tensor, "batch heads length"],
    grad_out: Float[Tensor, "batch heads length value_dim"],
    grad_log_sum: Float[Tensor, "batch heads length"],
    reach: int | None = None,
    blocks: Blocks | None = None,
) -> Gradients:
    """As `blockwise.backward`; gradients of queries are sums whose order differs from run to run."""
    call = _Call(form, v, reach)
    blocks = call.blocks("backward") if blocks is None else blocks
    delta = (grad_out.float() * out.float()).sum(dim=-1) - grad_log_sum.float()
    of_queries = [
        None if t is None else torch.zeros(t.shape, dtype=torch.float32, device=t.device)
        for t in (form.a, form.x)
    ]
    of_keys = [
        None if t is None else torch.zeros(t.shape, dtype=t.dtype, device=t.device)
        for t in (form.b, form.y, v)
    ]
    (da, dx), (db, dy, dv) = of_queries, of_keys
    assert da is not None
    assert db is not None
    assert dv is not None
    grid = (triton.cdiv(call.length, blocks.columns), call.batch * v.shape[1])
    if out.numel():
        _backward_kernel[grid](
            *call.tensors, grad_out.to(v.dtype).contiguous(), log_sum.contiguous(), delta.contiguous(),
            da, db, dx, dy, dv, *call.numbers, **call.constants,
            ROWS=blocks.rows, COLUMNS=blocks.columns, num_warps=blocks.warps, num_stages=blocks.stages,
        )  # fmt: skip
    x = None if dx is None or form.x is None else dx.to(form.x.dtype)
    return Gradients(da.to(form.a.dtype), db, x, dy, dv)


class _Call:
    """What both kernels are handed of a form."""

    def __init__(self, form: DistanceForm, v: Tensor, reach: int | None) -> None:
        self.batch, self.heads, self.length, amplitude = form.a.shape
        phase, value = 0 if form.x is None else form.x.shape[-1], v.shape[-1]
        self.tensors = [
            None if t is None else t.contiguous()
            for t in (form.a, form.b, form.x, form.y, v, form.turn, form.factor, form.bias)
        ]
        rows = [0 if t is None or len(t) == 1 else self.length for t in (form.factor, form.bias)]
        self.numbers = (
            self.length, self.heads, self.heads // v.shape[1], amplitude, phase, value, *rows,
            self.length if reach is None else reach, form.scale, form.phase_scale,
        )  # fmt: skip
        self.constants = {
            "DA": _padded(amplitude), "DP": _padded(phase), "DV": _padded(value), "PHASE": form.x is not None,
            "FACTOR": form.factor is not None, "BIAS": form.bias is not None,
        }  # fmt: skip
        self.wide = max(_padded(amplitude) + (_padded(phase) if phase else 0), _padded(value)) > 128
        self.half = v.dtype != torch.float32

    def blocks(self, which: str) -> Blocks:
        """Of a pass, for vectors of this type and width."""
        return BLOCKS[which, self.half, self.wide]


def _padded(width: int) -> int:
    return max(LEAST, triton.next_power_of_2(width))
