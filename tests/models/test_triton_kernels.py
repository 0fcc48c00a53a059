"""The Triton kernels: under Triton's interpreter, on a GPU where there is one, and what is done without either."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses import FakeTensorMode

from analysis.encodings import DistanceForm, Tapa
from analysis.models import blockwise, fused
from analysis.models.attention import explicit
from analysis.models.fused import Fused

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is an extra (gpu) that is not installed"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is there")


@pytest.mark.slow  # an interpreter
@needs_triton
def test_interpreted_they_are_as_near_to_float64_as_their_types_allow():
    """Forward and backward, ragged ends, several shapes, a minute at most; the interpreter has no bfloat16."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.models.triton_interpreted"],
        env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["float32"]) >= 3
    for case, errors in found["float32"].items():
        assert {"out", "log_sum", "a", "b", "v"} <= set(errors)
        assert ("x" in errors) == ("TAPA" in case or "linear" in case)
        assert max(errors.values()) <= 1e-5, case
    assert 0 < max(found["float16"].values()) <= 1e-2
    assert found["cpu_s"] < 60


def example(device: str, dtype: torch.dtype, dim: int = 128, length: int = 1000) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, h, length, dim, generator=generator).to(device, dtype).requires_grad_()
        for h in (4, 2, 2)
    ]


@pytest.mark.slow
@needs_triton
@needs_gpu
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.bfloat16, 1e-2), (torch.float32, 1e-5)])
def test_on_a_gpu_results_and_gradients_are_those_of_float64(dtype: torch.dtype, allowed: float):
    """The same vectors, in float64 block by block."""
    q, k, v = example("cuda", dtype)
    exact = [t.detach().double().requires_grad_() for t in (q, k, v)]
    at, attend = torch.arange(1000, device="cuda"), Fused()
    out, right = attend(Tapa(128), q, k, v, at), attend(Tapa(128), *exact, at)
    grad = torch.randn_like(right)
    pairs = zip(
        (out, *torch.autograd.grad(out, (q, k, v), grad.to(dtype))),
        (right, *torch.autograd.grad(right, exact, grad.to(dtype).double())),
        strict=True,
    )
    for found, wanted in pairs:
        assert float((found.double() - wanted).abs().max() / wanted.abs().max()) <= allowed


def test_without_triton_one_line_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fused._say_once.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    form = DistanceForm(torch.zeros(1), torch.zeros(1), 1.0)
    with FakeTensorMode(allow_non_fake_inputs=True):  # a tensor that says it is on a GPU
        v = torch.empty(1, device="cuda")
        assert [fused._on_gpu(form, v) for _ in range(2)] == [None, None]
    assert capsys.readouterr().err == (
        "attention on the GPU runs by tiles, more slowly: triton is not there; install the extra gpu of "
        "tapa-toolkit\n"
    )
    fused._say_once.cache_clear()


@needs_triton
@pytest.mark.parametrize(
    ("dim", "dtype", "said"),
    [
        (640, torch.bfloat16, "heads of up to 256 dimensions, padded to powers of two, not 1024"),
        (300, torch.bfloat16, "heads of up to 256 dimensions, padded to powers of two, not 512"),
        (64, torch.float64, "kernels take torch.float32, torch.bfloat16, torch.float16, not torch.float64"),
    ],
)
def test_what_the_kernels_cannot_take_is_named(dim: int, dtype: torch.dtype, said: str):
    from analysis.models import triton_kernels

    q, k, v = example("cpu", dtype, dim, 5)
    form = Tapa(dim).by_distance(q, k, torch.arange(5))
    assert form is not None
    assert said in str(triton_kernels.refusal(form, v))
    narrow = example("cpu", torch.bfloat16, 64, 5)
    taken = Tapa(64).by_distance(*narrow[:2], torch.arange(5))
    assert taken is not None
    assert triton_kernels.refusal(taken, narrow[2]) is None


def test_on_the_cpu_there_is_no_gpu_to_speak_of(capsys: pytest.CaptureFixture[str]):
    """bfloat16 vectors with gradients: block by block, without a line."""
    q, k, v = example("cpu", torch.bfloat16, 16, 20)
    form = Tapa(16).by_distance(q, k, torch.arange(20))
    assert form is not None
    out = fused.attention(form, v)[0]
    assert torch.equal(out, blockwise.forward(form, v)[0])
    assert capsys.readouterr().err == ""


def test_a_gpu_with_too_little_room_is_said_once_and_blocks_are_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Planted: kernels that need more than there is, forward and backward."""

    class Full(Exception):
        pass

    def refuse(*args: object) -> None:
        raise Full("out of resource: shared memory")

    fused._say_once.cache_clear()
    kernels = SimpleNamespace(triton_forward=refuse, triton_backward=refuse, OutOfResources=Full)
    monkeypatch.setattr(fused, "_on_gpu", lambda form, v: kernels)
    q, k, v = example("cpu", torch.float64, 16, 20)
    at, grad = torch.arange(20), torch.ones(1, 4, 20, 16, dtype=torch.float64)
    found, right = (f(Tapa(16), q, k, v, at) for f in (Fused(), explicit))
    for got, wanted in zip(*(torch.autograd.grad(x, (q, k, v), grad) for x in (found, right)), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-11)
    line = "attention on the GPU runs by tiles, more slowly: out of resource: shared memory\n"
    assert capsys.readouterr().err == line
    fused._say_once.cache_clear()
