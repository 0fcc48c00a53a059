"""What the rows of `bench` on attention compute: both sides of each comparison, as calls without arguments."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxtyping import Float

from analysis.errors import InputError

Heads = Float[Any, "batch heads length dim"]
Job = Callable[[], Any]


def encoding_named(method: str, heads: int, head_dim: int) -> Any:
    """An encoding by the name that the rows use."""
    from analysis.encodings import Alibi, Nope, Rope, SlidingWindow, Tapa, alibi_slopes
    from analysis.theory.frequencies import plain

    makers: dict[str, Callable[[], Any]] = {
        "RoPE": lambda: Rope(plain(1e4, head_dim)),
        "TAPA": lambda: Tapa(head_dim),
        "ALiBi": lambda: Alibi(head_dim, alibi_slopes(heads)),
        "NoPE": lambda: Nope(head_dim),
        "window": lambda: SlidingWindow(Rope(plain(1e4, head_dim)), 1024),
    }
    return makers[method]()


def two_products(
    q: Heads, k: Heads, v: Float[Any, "batch heads length value_dim"], tile: int
) -> Float[Any, "batch heads length value_dim"]:
    """Q K^T and (Q K^T) V over the same tiles at and below the diagonal, and nothing else."""
    out = q.new_empty(*q.shape[:3], v.shape[-1])
    for start in range(0, q.shape[2], tile):
        queries = q[:, :, start : start + tile]
        out[:, :, start : start + tile] = sum(
            (queries @ k[:, :, at : at + tile].mT) @ v[:, :, at : at + tile]
            for at in range(0, start + 1, tile)
        )
    return out


def cpu_jobs(
    method: str, length: int, heads: int, head_dim: int, seed: int
) -> tuple[Job, Job, Callable[[], float]]:
    """Causal flash attention of torch, ours of a method without gradients, and ours' error; float32."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    from analysis.models.fused import Fused

    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, length, head_dim, generator=generator) for _ in range(3))
    encoding, attend, positions = encoding_named(method, heads, head_dim), Fused(), torch.arange(length)

    def ours() -> Heads:
        with torch.no_grad():
            return attend(encoding, q, k, v, positions)

    return (
        lambda: scaled_dot_product_attention(q, k, v, is_causal=True),
        ours,
        lambda: error_at_some(encoding, q, k, v, ours()),
    )


def gpu_jobs(length: int, heads: int, head_dim: int, *, backward: bool, seed: int) -> tuple[Job, Job]:
    """Causal flash attention of torch and TAPA, each finished on the GPU when the call returns; bfloat16.

    Raises `InputError` where there is no GPU.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    from analysis.models.fused import Fused

    if not torch.cuda.is_available():
        raise InputError("gpu_attention_speed needs a GPU, and torch finds none; leave it out")
    generator, shape = torch.Generator("cuda").manual_seed(seed), (1, heads, length, head_dim)
    q, k, v, grad = (
        torch.randn(shape, generator=generator, device="cuda", dtype=torch.bfloat16) for _ in range(4)
    )
    inputs = q, k, v = (q.requires_grad_(backward), k.requires_grad_(backward), v.requires_grad_(backward))
    encoding, attend = encoding_named("TAPA", heads, head_dim), Fused()
    positions = torch.arange(length, device="cuda")

    def finished(call: Callable[[], Any]) -> None:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            out = call()
        if backward:
            torch.autograd.grad(out, inputs, grad)
        torch.cuda.synchronize()

    return (
        lambda: finished(lambda: scaled_dot_product_attention(q, k, v, is_causal=True)),
        lambda: finished(lambda: attend(encoding, q, k, v, positions)),
    )


def training_step(recipe: Any, seed: int, attend: Any = None) -> Job:
    """One step of the trainer on random tokens: forward, backward, clipped update.

    Args:
        recipe: as `tapa train` takes it.
        seed: of weights and tokens.
        attend: how attention is computed; None for what a model has to begin with.
    """
    import torch

    from analysis.models.llama import Llama
    from analysis.training.train import optimiser_of, update

    generator = torch.Generator().manual_seed(seed)
    shape = recipe.batch, recipe.length + 1
    tokens = torch.randint(recipe.model.vocab_size, shape, generator=generator)
    model = Llama(recipe.model, seed=seed)
    if attend is not None:
        model.attend = attend
    optimiser = optimiser_of(model, recipe)
    loss = torch.compile(model.loss, dynamic=False) if recipe.compile else model.loss

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            value = loss(tokens)
        value.backward()
        update(model, optimiser, recipe.lr)

    return step


def error_at_some(encoding: Any, q: Heads, k: Heads, v: Heads, found: Heads, count: int = 32) -> float:
    """Largest difference from float64 at some queries, the first and the last among them."""
    import torch

    length = q.shape[2]
    at, keys = torch.linspace(0, length - 1, min(count, length)).long(), torch.arange(length)
    scores = encoding.scores(q[:, :, at].double(), k.double(), at, keys)
    exact = scores.masked_fill(keys > at[:, None], -math.inf).softmax(dim=-1) @ v.double()
    return float((found[:, :, at].double() - exact).abs().max())


def machine_name() -> str:
    """The processor, and the instructions that torch uses of it; the GPU where there is one."""
    import torch

    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if sys.platform == "linux" else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}{gpu}"
