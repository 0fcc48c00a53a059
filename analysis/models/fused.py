"""Attention that never writes its scores to memory, with gradients: one operator, and the `Attend` that uses it.

`torch.ops.tapa.attention` computes any `DistanceForm`: in one C++ loop on the CPU (`one_loop`), in Triton on a GPU
(`triton_kernels`), and where neither is to be had block by block in plain torch (`blockwise`). torch knows the
operator's shapes and its gradients, so that `torch.compile` takes it as it stands.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from analysis.encodings import DistanceForm, Encoding
from analysis.encodings.base import wide
from analysis.errors import InputError
from analysis.models import blockwise, one_loop
from analysis.models.attention import Streaming, check_text, explicit
from analysis.progress import remark

_FORM = (
    "Tensor a, Tensor b, Tensor? x, Tensor? y, Tensor v, Tensor? turn, Tensor? factor, Tensor? bias, "
    "float scale, float phase_scale, int? reach"
)
Optional = Tensor | None


class Fused:
    """Attention through the operator where the encoding's scores have a `DistanceForm`: `model.attend = Fused()`.

    Without gradients: in one loop where this machine has it, otherwise by tiles, as for all other encodings and types.
    With gradients: through the operator, in memory that grows as the length does; `explicit` for other encodings, and
    for those that learn a table.

    Attributes:
        tiles: computes what the operator cannot.

    >>> from analysis.encodings import Nope
    >>> q, k, v = torch.zeros(1, 1, 3, 4), torch.zeros(1, 1, 3, 4), torch.arange(3.0)[None, None, :, None]
    >>> attend = Fused(Streaming(2, compiled=False))  # tiles, if there is no compiler
    >>> attend(Nope(4), q, k, v, torch.arange(3)).flatten()  # equal weights: running means of v
    tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(self, tiles: Streaming | None = None) -> None:
        self.tiles = Streaming() if tiles is None else tiles

    def __call__(
        self,
        encoding: Encoding,
        q: Float[Tensor, "batch heads length key_dim"],
        k: Float[Tensor, "batch kv_heads length key_dim"],
        v: Float[Tensor, "batch kv_heads length value_dim"],
        positions: Int[Tensor, " length"],
        layer: int = 0,
    ) -> Float[Tensor, "batch heads length value_dim"]:
        """softmax(scores) v of every query over the keys up to its own place.

        Compiled code takes positions to be consecutive, as a model's own are, and does not look.

        Args: as `Streaming`.

        Raises:
            InputError: positions that do not ascend, or heads that cannot be shared evenly.
        """
        compiling = torch.compiler.is_compiling()
        if not compiling:
            check_text(q, k, positions)
        wanted = torch.is_grad_enabled() and _any_learned(q, k, v, *encoding.learned().values())
        other = explicit if wanted else self.tiles
        if not compiling and not bool((positions.diff() == 1).all()):
            return other(encoding, q, k, v, positions, layer)
        with torch.autocast(q.device.type, enabled=False):
            placed, q_placed, k_placed = encoding.placed(q, k, positions)
            distance = torch.arange(q.shape[2], device=q.device)
            form = placed.by_distance(q_placed, k_placed, distance)
        learned = form is not None and wanted and _any_learned(form.turn, form.factor, form.bias)
        if form is None or learned or not (compiling or wanted or fast(form, v)):
            return other(encoding, q, k, v, positions, layer)
        return attention(form, v, encoding.reach)[0]


def _any_learned(*tensors: Tensor | None) -> bool:
    return any(t is not None and t.requires_grad for t in tensors)


def fast(form: DistanceForm, v: Tensor) -> bool:
    """Whether the operator has a kernel for this on this machine; the first call on a CPU may compile it."""
    return _loop(form, v) is not None or _on_gpu(form, v) is not None


def _loop(form: DistanceForm, v: Tensor) -> one_loop.OneLoop | None:
    """The compiled loop if it is here and can compute this."""
    return one_loop.available() if one_loop.takes(form, v) else None


def _on_gpu(form: DistanceForm, v: Tensor) -> Any:
    """The module `triton_kernels` if it can compute this; else None, and one line says why, once."""
    if v.device.type != "cuda":
        return None
    if importlib.util.find_spec("triton") is None:
        why = "triton is not there; install the extra gpu of tapa-toolkit"
    else:
        from analysis.models import triton_kernels

        why = triton_kernels.refusal(form, v)
        if why is None:
            return triton_kernels
    _say_once(f"attention on the GPU runs by tiles, more slowly: {why}")
    return None


def _computed(
    form: DistanceForm, v: Tensor, on_gpu: Callable[[Any], Any], in_blocks: Callable[[], Any]
) -> Any:
    """What `on_gpu` makes of the GPU's kernels; `in_blocks` where they cannot compute this."""
    if (kernels := _on_gpu(form, v)) is not None:
        try:
            return on_gpu(kernels)
        except kernels.OutOfResources as error:
            _say_once(f"attention on the GPU runs by tiles, more slowly: {error}")
    return in_blocks()


_say_once = functools.cache(remark)


def attention(
    form: DistanceForm, v: Float[Tensor, "batch kv_heads length value_dim"], reach: int | None = None
) -> tuple[Float[Tensor, "batch heads length value_dim"], Float[Tensor, "batch heads length"]]:
    """The operator: as `blockwise.forward`, with gradients to a, b, x, y and v, and none to tables.

    Raises:
        InputError: a table of which a gradient is wanted, or tensors on different devices.
    """
    parts = (form.a, form.b, form.x, form.y, v, form.turn, form.factor, form.bias)
    devices = sorted({str(part.device) for part in parts if part is not None})
    if len(devices) > 1:
        raise InputError(
            f"attention's vectors and tables are on {' and '.join(devices)}; move all to one device"
        )
    return torch.ops.tapa.attention(*parts, form.scale, form.phase_scale, reach)


def _form(
    a: Tensor, b: Tensor, x: Optional, y: Optional, v: Tensor, turn: Optional, factor: Optional, bias: Optional,
    scale: float, phase_scale: float, reach: int | None,
) -> DistanceForm:  # fmt: skip
    return DistanceForm(a, b, scale, x, y, phase_scale, turn, factor, bias)


def _forward(*flat: Any) -> tuple[Tensor, Tensor]:
    form, v, reach = _form(*flat), flat[4], flat[10]
    if (loop := _loop(form, v)) is not None:
        return loop(form, v, reach)
    out, log_sum = _computed(
        form,
        v,
        lambda kernels: kernels.triton_forward(form, v, reach),
        lambda: blockwise.forward(form, v, reach),
    )
    return out.contiguous(), log_sum.contiguous()


def _shapes(*flat: Any) -> tuple[Tensor, Tensor]:
    """What `_forward` returns, without values."""
    a, v = flat[0], flat[4]
    out = v.new_empty(*a.shape[:3], v.shape[-1])
    return out, a.new_empty(a.shape[:3], dtype=wide(torch.promote_types(a.dtype, v.dtype)))


def _backward(out: Tensor, log_sum: Tensor, grad: Tensor, grad_log_sum: Tensor, *flat: Any) -> list[Tensor]:
    form, v = _form(*flat), flat[4]
    rest = out, log_sum, grad, grad_log_sum, flat[10]
    found = _computed(
        form,
        v,
        lambda kernels: kernels.triton_backward(form, v, *rest),
        lambda: blockwise.backward(form, v, *rest),
    )
    return [flat[0].new_empty(0) if part is None else part.contiguous() for part in found]


def _backward_shapes(
    out: Tensor, log_sum: Tensor, grad: Tensor, grad_log_sum: Tensor, *flat: Any
) -> list[Tensor]:
    return [
        flat[0].new_empty(0)
        if part is None
        else torch.empty_like(part, memory_format=torch.contiguous_format)
        for part in flat[:5]
    ]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    if any(ctx.needs_input_grad[5:8]):
        raise InputError(
            "attention in one operator has no gradients of tables by distance; use `explicit` attention"
        )
    ctx.save_for_backward(*output, *inputs[:8])
    ctx.numbers = inputs[8:]


def _gradients(ctx: Any, grad: Tensor, grad_log_sum: Tensor) -> tuple[Tensor | None, ...]:
    out, log_sum, *tensors = ctx.saved_tensors
    found = torch.ops.tapa.attention_backward(out, log_sum, grad, grad_log_sum, *tensors, *ctx.numbers)
    given = [None if tensors[i] is None else part for i, part in enumerate(found)]
    return (*given, *[None] * 6)


_OPERATOR = torch.library.custom_op(
    "tapa::attention", _forward, mutates_args=(), schema=f"({_FORM}) -> (Tensor, Tensor)"
)
_OPERATOR.register_fake(_shapes)
_OPERATOR.register_autograd(_gradients, setup_context=_keep)
_BACKWARD = torch.library.custom_op(
    "tapa::attention_backward", _backward, mutates_args=(),
    schema=f"(Tensor out, Tensor log_sum, Tensor grad, Tensor grad_log_sum, {_FORM}) -> Tensor[]",
)  # fmt: skip
_BACKWARD.register_fake(_backward_shapes)
