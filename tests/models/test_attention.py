"""Attention by tiles against all scores at once in float64, for every encoding; and how often it compiles."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._dynamo.testing import CompileCounter
from torch.nn.functional import scaled_dot_product_attention

from analysis import bench
from analysis.attention_jobs import two_products
from analysis.encodings import (
    AccumulatedRotation,
    Alibi,
    Encoding,
    Forgetting,
    GeneralTapa,
    LinearTapa,
    LogNope,
    Nope,
    Polar,
    Rope,
    SlidingWindow,
    Tapa,
)
from analysis.errors import InputError
from analysis.models import attention
from analysis.models.attention import Streaming
from analysis.theory import frequencies

DIM, HEADS = 8, 4
EPS = 2.0**-53


def vectors(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


ENCODINGS: dict[str, Encoding] = {
    "RoPE": Rope(frequencies.plain(1e4, DIM)),
    "partial RoPE": Rope(frequencies.plain(1e4, DIM, 4)),
    "YaRN": Rope(frequencies.yarn(1e4, DIM, factor=8, trained_length=512)),
    "xPos": Rope(frequencies.xpos(1e4, DIM)),
    "NoPE": Nope(DIM),
    "ALiBi": Alibi(DIM, [0.25]),
    "ALiBi, a slope for each head": Alibi(DIM, [0.5, 0.25, 0.125, 0.0]),
    "TAPA": Tapa(DIM),
    "TAPA, linear phase": LinearTapa(DIM),
    "TAPA, M and N for each head": GeneralTapa(vectors(1, HEADS, DIM, DIM), vectors(2, HEADS, DIM, DIM)),
    "window over RoPE": SlidingWindow(Rope(frequencies.plain(1e4, DIM)), 5),
    "window of one token": SlidingWindow(Nope(DIM), 1),
    "NoPE, log temperature": LogNope(DIM, 16),
    "FoX, after its sums": Forgetting(DIM - 1),
    "accumulated rotations, after their sums": AccumulatedRotation(DIM),
    "PoPE, offsets for each head": Polar(vectors(3, HEADS, DIM)),
}
every = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS.keys())


def at_once(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor) -> Tensor:
    """The definition: all scores, those of later keys struck out, softmax, weighted sum."""
    group = q.shape[1] // k.shape[1]
    k, v = (x.double().repeat_interleave(group, dim=1) for x in (k, v))
    scores = encoding.scores(q.double(), k, positions, positions)
    return scores.masked_fill(positions > positions[:, None], -math.inf).softmax(dim=-1) @ v


def heads(length: int, kv_heads: int = 2, batch: int = 2, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    sizes = (HEADS, DIM), (kv_heads, DIM), (kv_heads, 3)
    return [vectors(7 + i, batch, h, length, d, dtype=dtype) for i, (h, d) in enumerate(sizes)]


def budget(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor) -> float:
    """Twice what rounding of scores may do to the result, in float64 units: weights move as scores do."""
    group = q.shape[1] // k.shape[1]
    scores = encoding.scores(q, k.repeat_interleave(group, dim=1), positions, positions)
    largest = float(scores[torch.isfinite(scores)].abs().max())
    angle = 2 * math.pi * float(positions.max() - positions.min() + 1)
    # a score of DIM products, its angle's error times its slope, and one more rounding for each key read
    return 2 * EPS * float(v.abs().max()) * (2 * largest * (DIM + angle) + 4 * q.shape[2])


@every
@settings(max_examples=8)
@given(
    length=st.integers(1, 41),
    tile=st.integers(1, 45),
    kv_heads=st.sampled_from([1, 2, 4]),
    start=st.integers(0, 50),
    gap=st.integers(1, 3),
)
def test_tiles_give_what_all_scores_at_once_give(
    encoding: Encoding, length: int, tile: int, kv_heads: int, start: int, gap: int
):
    q, k, v = heads(length, kv_heads)
    positions = torch.arange(length) * gap + start
    found = Streaming(tile, compiled=False)(encoding, q, k, v, positions)
    error = (found - at_once(encoding, q, k, v, positions)).abs().max()
    assert error <= budget(encoding, q, k, v, positions)


def test_a_score_that_is_too_small_for_the_first_tile_does_not_spoil_the_rest():
    """Rows that see nothing of a tile: with a window of 2 and tiles of 4, most rows of a tile left of the diagonal."""
    encoding = SlidingWindow(Nope(DIM), 2)
    q, k, v = heads(19)
    found = Streaming(4, compiled=False)(encoding, q, k, v, torch.arange(19))
    assert torch.isfinite(found).all()


def test_large_scores_do_not_overflow():
    q, k, v = heads(33)
    found = Streaming(8, compiled=False)(Nope(DIM), 1e3 * q, 1e3 * k, v, torch.arange(33))
    assert torch.allclose(found, at_once(Nope(DIM), 1e3 * q, 1e3 * k, v, torch.arange(33)), atol=1e-8)


def test_no_weight_is_subnormal():
    """They slow a matrix product a hundredfold, and a steep slope makes many: seen to, in plain softmax."""
    encoding, found = Alibi(DIM, [1.0]), []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if (
                torch.is_tensor(out)
                and out.is_floating_point()
                and out.ndim == 4
                and out.shape[2] == out.shape[3]
            ):
                found.append(int(((out != 0) & (out.abs() < torch.finfo(out.dtype).tiny)).sum()))
            return out

    q, k, v = heads(150, batch=1, dtype=torch.float32)
    with Watch():
        Streaming(64, compiled=False)(encoding, q, k, v, torch.arange(150))
    assert sum(found) == 0
    with Watch():
        encoding.scores(q[:, :2], k, torch.arange(150), torch.arange(150)).tril().softmax(dim=-1)
        torch.exp(encoding.scores(q[:, :2], k, torch.arange(150), torch.arange(150)))
    assert sum(found) > 0


def test_torch_agrees():
    q, k, v = heads(37, kv_heads=4)
    found = Streaming(16, compiled=False)(Nope(DIM), q, k, v, torch.arange(37))
    assert torch.allclose(found, scaled_dot_product_attention(q, k, v, is_causal=True), atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_narrow_vectors_lose_no_more_than_their_own_rounding(dtype: torch.dtype):
    """The same vectors in float64: weights in the values' own type are off by half a unit each."""
    q, k, v = heads(45, dtype=dtype)
    positions = torch.arange(45)
    found = Streaming(16, compiled=False)(Tapa(DIM), q, k, v, positions)
    assert found.dtype == dtype
    exact = at_once(Tapa(DIM), q, k, v, positions)
    scores = Tapa(DIM).scores(q, k.repeat_interleave(2, dim=1), positions, positions).abs().max()
    moved = 2 * torch.finfo(dtype).eps * (1 + float(scores)) * float(v.abs().max())
    assert float((found.double() - exact).abs().max()) <= 2 * moved


@pytest.mark.parametrize("window", [1, 5, 8, 9, 40, 100])
def test_tiles_that_cannot_matter_are_not_computed(window: int, monkeypatch: pytest.MonkeyPatch):
    """Each computed tile holds a pair that is seen, and each pair that is seen lies in one computed tile."""
    computed: list[tuple[Tensor, Tensor]] = []
    original = attention.step

    def counted(encoding, q, k, v, tile, state):
        computed.append((tile.rows, tile.columns))
        return original(encoding, q, k, v, tile, state)

    monkeypatch.setattr(attention, "step", counted)
    q, k, v = heads(40)
    Streaming(8, compiled=False)(SlidingWindow(Nope(DIM), window), q, k, v, torch.arange(40))
    seen = 0
    for rows, columns in computed:
        distance = rows[:, None] - columns
        inside = int(((distance >= 0) & (distance < window)).sum())
        assert inside > 0
        seen += inside
    assert seen == sum(min(i + 1, window) for i in range(40))


# torch 2.13 says so of a class of its own, when its compiler is first loaded
compiles = pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")


@pytest.fixture
def counter(unchecked: None, monkeypatch: pytest.MonkeyPatch) -> CompileCounter:
    """Counts what torch.compile traces, and runs it as it is."""
    counted = CompileCounter()
    monkeypatch.setattr(attention.torch, "compile", partial(torch.compile, backend=counted))
    return counted


@every
def test_it_compiles_once_for_all_lengths(encoding: Encoding, counter: CompileCounter):
    """The shortest is below one tile."""
    attend = Streaming(32)
    for length in (90, 20, 131):
        q, k, v = heads(length)
        positions = torch.arange(length)
        found = attend(encoding, q, k, v, positions)
        error = (found - at_once(encoding, q, k, v, positions)).abs().max()
        assert error <= budget(encoding, q, k, v, positions)
    assert counter.frame_count == 1


def test_all_methods_in_one_object_compile_once_each(counter: CompileCounter):
    """More of them than torch compiles of one function before it gives up, if it is not told otherwise.

    What is rotated beforehand is one inner product, whatever the frequencies.
    """
    attend = Streaming(32)
    for _ in range(2):
        for encoding in ENCODINGS.values():
            attend(encoding, *heads(40), torch.arange(40))
    ropes = [encoding for encoding in ENCODINGS.values() if isinstance(encoding, Rope)]
    rotated = [rope for rope in ropes if rope.frequencies.log_decay is None]  # xPos is not
    others = [e for e in ENCODINGS.values() if isinstance(e, LogNope | AccumulatedRotation)]
    apart = len(ENCODINGS) - len(rotated) - len(others) + 1
    assert apart > torch._dynamo.config.recompile_limit
    assert counter.frame_count == apart


def test_a_batch_of_another_size_is_seen_by_that_counter(counter: CompileCounter):
    """The counter counts: otherwise the tests above would pass whatever happened."""
    attend = Streaming(16)
    for batch in (1, 3):
        attend(Nope(DIM), *heads(20, batch=batch), torch.arange(20))
    assert counter.frame_count == 2


@pytest.mark.slow  # a C++ compiler at work; which graphs are compiled is tested above
@compiles
def test_what_is_compiled_gives_the_same(unchecked: None):
    q, k, v = heads(90, dtype=torch.float32)
    positions = torch.arange(90)
    exact = at_once(Tapa(DIM), q, k, v, positions)
    error, own = (
        (Streaming(32, compiled=compiled)(Tapa(DIM), q, k, v, positions).double() - exact).abs().max()
        for compiled in (True, False)
    )
    assert error <= 4 * own  # the same float32 work in another order


def test_memory_is_that_of_one_tile():
    """No tensor that is made on the way has length^2 elements, nor even length x tile x 2."""
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            largest = max(
                [largest, *(x.numel() for x in torch.utils._pytree.tree_leaves(out) if torch.is_tensor(x))]
            )
            return out

    length, tile = 200, 8
    q, k, v = heads(length, batch=1)
    with Watch():
        Streaming(tile, compiled=False)(Tapa(DIM), q, k, v, torch.arange(length))
    assert largest <= max(HEADS * tile * tile, HEADS * (length + tile) * DIM)


@pytest.mark.parametrize("tile", [0, -1, 2.5, True])
def test_a_tile_of_no_size_is_refused(tile: int):
    with pytest.raises(InputError, match=r"^tile=.* is not a positive whole number of tokens$"):
        Streaming(tile)


def test_positions_out_of_order_are_refused():
    with pytest.raises(InputError, match=r"^positions do not ascend"):
        Streaming(8)(Nope(DIM), *heads(3), torch.tensor([0, 2, 1]))


def test_heads_that_cannot_be_shared_are_refused():
    q, k, v = heads(3, kv_heads=3)
    with pytest.raises(InputError, match=r"^4 query heads cannot share 3 key heads evenly$"):
        Streaming(8)(Nope(DIM), q, k, v, torch.arange(3))


def test_both_sides_of_the_benchmark_compute_the_same_products():
    """The bare products are the attention without softmax."""
    q, k, v = heads(24, kv_heads=4)
    found = two_products(q, k, v, 8)
    whole = q @ k.mT
    block = torch.arange(24) // 8
    assert torch.allclose(found, whole.masked_fill(block > block[:, None], 0.0) @ v, atol=1e-12)


def test_the_benchmark_times_both_sides():
    (row,) = bench.attention_speed(
        length=64, tile=32, heads=2, head_dim=8, methods=("NoPE",), repeats=1, compiled=False
    )
    assert row["what"] == "NoPE by tiles against its two matrix products, length 64, 2 heads of 8"
    assert row["ratio"] == row["slow_s"] / row["fast_s"]
    assert row["peak_mb"] > 0
    assert "ratio <= 2" in row["target"]
    assert row["met"] == (row["ratio"] <= 2 and row["peak_mb"] < 4096)
