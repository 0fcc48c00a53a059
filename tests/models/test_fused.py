"""Attention in one operator: its form against the encodings' own scores, its kernels and gradients in float64."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from analysis.encodings import (
    Alibi,
    DistanceForm,
    Encoding,
    GeneralTapa,
    LinearTapa,
    Nope,
    PhaseEncoding,
    Polar,
    Rope,
    SlidingWindow,
    Tapa,
)
from analysis.encodings.interventions import (
    AmplitudeOnly,
    Clamped,
    FixedDistance,
    ForeignPhases,
    InHeads,
    MeanAmplitude,
    Shifted,
)
from analysis.errors import InputError
from analysis.models import blockwise, fused, one_loop
from analysis.models.attention import Streaming, explicit, oracle
from analysis.models.config import METHODS
from analysis.models.fused import Fused
from analysis.models.llama import Llama
from analysis.theory import frequencies
from tests.models.test_attention import DIM, HEADS, heads, vectors
from tests.models.test_attention import ENCODINGS as MODELS_OWN
from tests.models.test_methods import SMALL, lively, tokens

LENGTH = 60
TAPA = Tapa(DIM)
TABLE = vectors(11, HEADS, 40)  # ends before the text does
INTERVENED: dict[str, Encoding] = {
    # phases of a few turns: float32 itself is off by more than 1e-5 in hundreds of them
    "TAPA, M and N for each head": GeneralTapa(
        vectors(1, HEADS, DIM, DIM) / DIM, vectors(2, HEADS, DIM, DIM) / DIM
    ),
    "shifted ALiBi": Shifted(Alibi(DIM, [0.5, 0.25, 0.125, 0.0]), TABLE),
    "shifted window of TAPA": Shifted(SlidingWindow(TAPA, 17), TABLE),
    "clamped TAPA": Clamped(TAPA, 9),
    "clamped ALiBi": Clamped(Alibi(DIM, [0.25]), 9),
    "TAPA at one distance": FixedDistance(TAPA, 5),
    "amplitude alone": AmplitudeOnly(TAPA),
    "a cosine for each head": AmplitudeOnly(TAPA, TABLE[:, 0]),
    "a cosine for each distance": AmplitudeOnly(LinearTapa(DIM), TABLE),
    "cosine alone": MeanAmplitude(TAPA, TABLE[:, 1]),
    "cosine of M and N alone": MeanAmplitude(
        GeneralTapa(vectors(1, DIM, DIM) / DIM, vectors(2, DIM, DIM) / DIM), TABLE[:, 1]
    ),
    "TAPA without distance": Tapa(DIM, alpha=0.0),
    "TAPA in radians, a quarter amplitude": Tapa(DIM, 0.5, 0.25, turns=False),
}
WITHOUT: dict[str, Encoding] = {  # whose scores know more than inner products and distances
    "xPos": MODELS_OWN["xPos"],
    "FoX, after its sums": MODELS_OWN["FoX, after its sums"],
    "clamped RoPE": Clamped(Rope(frequencies.plain(1e4, DIM)), 9),
    "in some heads": InHeads(TAPA, Nope(DIM), torch.tensor([True, False, True, False])),
    "foreign phases": ForeignPhases(TAPA, *vectors(5, 2, 2, HEADS, LENGTH, DIM // 2)),
}
WITH = {name: e for name, e in (MODELS_OWN | INTERVENED).items() if name not in WITHOUT}
with_form = pytest.mark.parametrize("encoding", WITH.values(), ids=WITH.keys())


def form_of(encoding: Encoding, q: Tensor, k: Tensor) -> DistanceForm | None:
    at = torch.arange(q.shape[2])
    placed, q, k = encoding.placed(q, k, at)
    return placed.by_distance(q, k, at)


def learning(
    encoding: Encoding, length: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    """q, k, v, two query heads to a key head, whose gradients are wanted."""
    sizes = (HEADS, DIM), (2, DIM), (2, 3)
    return [
        vectors(seed + i, 2, h, length, d, dtype=dtype).requires_grad_() for i, (h, d) in enumerate(sizes)
    ]


# the form


@with_form
def test_the_form_has_the_encodings_scores(encoding: Encoding):
    q, k, _ = heads(LENGTH)
    form, at = form_of(encoding, q, k), torch.arange(LENGTH)
    assert form is not None
    group = HEADS // form.b.shape[1]
    distance = (at[:, None] - at).clamp(min=0)
    scores = form.scale * form.a @ form.b.repeat_interleave(group, dim=1).mT
    if form.x is not None and form.y is not None and form.turn is not None:
        phase = form.phase_scale * form.x @ form.y.repeat_interleave(group, dim=1).mT
        scores = scores * torch.cos(2 * math.pi * form.turn[distance] * phase)
    scores = scores if form.factor is None else scores * form.factor[:, distance]
    scores = scores if form.bias is None else scores + form.bias[:, distance]
    own = encoding.scores(q, k.repeat_interleave(group, dim=1), at, at)
    causal = (at[:, None] >= at).expand_as(own)
    torch.testing.assert_close(scores.expand_as(own)[causal], own[causal], rtol=0, atol=1e-11)


@pytest.mark.parametrize("encoding", WITHOUT.values(), ids=WITHOUT.keys())
def test_other_encodings_have_none_and_go_by_tiles(encoding: Encoding):
    q, k, v = heads(LENGTH, batch=2)
    assert form_of(encoding, q, k) is None
    by_tiles = Streaming(20, compiled=False)  # no padding, for which there are no foreign phases
    found = Fused(by_tiles)(encoding, q, k, v, torch.arange(LENGTH))
    assert torch.equal(found, by_tiles(encoding, q, k, v, torch.arange(LENGTH)))


def test_slopes_that_fit_no_heads_are_refused():
    q, k, v = heads(5, kv_heads=4)
    with pytest.raises(InputError, match=r"^3 slopes do not fit vectors with 4 heads$"):
        Fused()(Alibi(DIM, [0.5, 0.25, 0.1]), q, k, v, torch.arange(5))


# block by block against autograd of all scores at once


@with_form
@settings(max_examples=4)
@given(length=st.integers(1, LENGTH), block=st.integers(1, 70), seed=st.integers(0, 99))
def test_blocks_give_results_and_gradients_of_all_scores_at_once(
    encoding: Encoding, length: int, block: int, seed: int
):
    q, k, v = learning(encoding, length, seed)
    form = form_of(encoding, q, k)
    assert form is not None
    grad, at = vectors(seed + 9, 2, HEADS, length, 3), torch.arange(length)
    whole = explicit(encoding, q, k, v, at)
    wanted = torch.autograd.grad(whole, (q, k, v), grad)
    with torch.no_grad():
        out, log_sum = blockwise.forward(form, v, encoding.reach, block)
        found = blockwise.backward(
            form, v, out, log_sum, grad, torch.zeros_like(log_sum), encoding.reach, block
        )
    parts = [
        (t, g) for t, g in zip((form.a, form.b, form.x, form.y), found[:4], strict=True) if t is not None
    ]
    through = [(t, g) for t, g in parts if t.requires_grad]  # an amplitude of 1 is nobody's
    # a.b and x.y carry the gradients on to q and k, by autograd of the form itself
    reached, gradients = zip(*through, strict=True)
    of_q_and_k = torch.autograd.grad(reached, (q, k), gradients)
    torch.testing.assert_close(out, whole.detach(), rtol=0, atol=1e-10)
    for got, right in zip((*of_q_and_k, found.v), wanted, strict=True):
        torch.testing.assert_close(got, right, rtol=0, atol=1e-9 * (1 + float(right.abs().max())))


def test_the_logarithm_is_that_of_the_summed_exponentials_and_has_its_gradient():
    q, k, v = learning(TAPA, 37)
    form, at = form_of(TAPA, q, k), torch.arange(37)
    assert form is not None
    scores = TAPA.scores(q, k.repeat_interleave(2, dim=1), at, at)
    right = scores.masked_fill(at > at[:, None], -math.inf).logsumexp(dim=-1)
    found = fused.attention(form, v)[1]
    torch.testing.assert_close(found, right, rtol=0, atol=1e-12)
    grad = vectors(3, *right.shape)
    for got, exact in zip(*(torch.autograd.grad(x, (q, k), grad) for x in (found, right)), strict=True):
        torch.testing.assert_close(got, exact, rtol=0, atol=1e-11)


def test_a_wrong_gradient_of_the_phase_is_seen(monkeypatch: pytest.MonkeyPatch):
    """Planted: without the distance's power."""
    q, k, v = learning(TAPA, 30)
    at, grad = torch.arange(30), vectors(4, 2, HEADS, 30, 3)
    right = torch.autograd.grad(explicit(TAPA, q, k, v, at), q, grad)[0]
    original = blockwise.backward

    def planted(form, *args):
        return original(form._replace(turn=torch.ones_like(form.turn)), *args)

    monkeypatch.setattr(blockwise, "backward", planted)
    wrong = torch.autograd.grad(Fused()(TAPA, q, k, v, at), q, grad)[0]
    assert float((wrong - right).abs().max()) > 1e-3 * float(right.abs().max())


# the operator


@pytest.mark.parametrize("name", ["TAPA", "shifted window of TAPA", "RoPE", "a cosine for each distance"])
def test_torch_accepts_the_operator(name: str):
    """Its schema, shapes, autograd registration and traced use, by torch's own checks."""
    encoding = WITH[name]
    q, k, v = learning(encoding, 20)
    form = form_of(encoding, q, k)
    assert form is not None
    parts = [form.a, form.b, form.x, form.y, v]
    parts = [None if t is None else t.detach().contiguous().requires_grad_() for t in parts]
    flat = (*parts, form.turn, form.factor, form.bias, form.scale, form.phase_scale, encoding.reach)
    torch.library.opcheck(torch.ops.tapa.attention.default, flat)


@pytest.mark.parametrize("name", ["TAPA", "TAPA, M and N for each head", "ALiBi", "NoPE"])
def test_compiled_without_a_break_it_gives_the_same_gradients(name: str, unchecked: None):
    encoding, at, attend = WITH[name], torch.arange(33), Fused()

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(encoding, q, k, v, at).square().sum()

    q, k, v = learning(encoding, 33)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for got, right in zip(
        *(torch.autograd.grad(f(q, k, v), (q, k, v)) for f in (compiled, loss)), strict=True
    ):
        torch.testing.assert_close(got, right, rtol=0, atol=1e-12)


def test_a_table_whose_gradient_is_wanted_is_refused():
    q, k, v = learning(TAPA, 5)
    form = form_of(TAPA, q, k)
    assert form is not None
    learned = form._replace(bias=torch.zeros(1, 5, dtype=torch.float64, requires_grad=True))
    with pytest.raises(
        InputError, match=r"^attention in one operator has no gradients of tables by distance; use"
    ):
        fused.attention(learned, v)


def test_mixed_devices_are_refused():
    q, k, v = heads(5)
    form = form_of(TAPA, q, k)
    assert form is not None
    with pytest.raises(
        InputError, match=r"^attention's vectors and tables are on cpu and meta; move all to one"
    ):
        fused.attention(form, v.to("meta"))


@pytest.mark.parametrize("method", METHODS)
def test_a_model_trains_through_it_as_through_all_scores_at_once(method: str):
    """Loss and every parameter's gradient, what an encoding learns included: to four times float64's own rounding.

    That is what float32 costs the same model, in units of float64.
    """
    model, found = lively(method), []
    for attend in (explicit, explicit, Fused()):
        model.attend = attend
        model.zero_grad()
        loss = model.loss(tokens(2, 17))
        loss.backward()
        found.append([loss.detach().double(), *(p.grad.clone().double() for p in model.parameters())])
        model = model.double()
    for narrow, right, got in zip(*found, strict=True):
        naive = max(float((narrow - right).abs().max()), 2.0**-24 * float(right.abs().max()))
        assert float((got - right).abs().max()) <= 4 * naive * 2.0 ** (24 - 53)


# the loop on the CPU


@pytest.fixture(scope="module")
def loop() -> one_loop.OneLoop:
    found = one_loop.available()
    if found is None:
        pytest.skip("no C++ compiler is there")
    return found


@with_form
@pytest.mark.parametrize("length", [1, 15, 300])
def test_the_loop_is_within_1e_5_of_the_oracle(encoding: Encoding, length: int, loop: one_loop.OneLoop):
    q, k, v = heads(length, dtype=torch.float32)
    form = form_of(as_float32(encoding), q, k)
    assert form is not None
    assert one_loop.takes(form, v)
    exact = oracle(encoding, q, k, v, torch.arange(length))
    out, _ = loop(form, v, encoding.reach)
    assert float((out.double() - exact).abs().max()) <= 1e-5
    used = Fused(Streaming(16, compiled=False))(as_float32(encoding), q, k, v, torch.arange(length))
    assert torch.equal(used, out)


def as_float32(encoding: Encoding) -> Encoding:
    """What the encodings of these tests hold is in float64."""
    match encoding:
        case Shifted():
            return Shifted(encoding.encoding, encoding.shift.float())
        case AmplitudeOnly() if encoding.cosines is not None:
            return AmplitudeOnly(encoding.encoding, encoding.cosines.float())
        case MeanAmplitude():
            inner = encoding.encoding
            narrow = as_float32(inner)
            assert isinstance(narrow, PhaseEncoding)
            return MeanAmplitude(narrow, encoding.amplitudes.float())
        case GeneralTapa() | Polar():
            return encoding.with_learned({name: x.float() for name, x in encoding.learned().items()})
    return encoding


@pytest.mark.parametrize("length", [1500, 2100])
def test_long_texts_of_several_tiles_and_both_sizes_of_them(length: int, loop: one_loop.OneLoop):
    """1,500 tokens in tiles of 128 rows, 2,100 in tiles of 256; the oracle at the ends of tiles and of the text."""
    torch.manual_seed(0)
    q, k, v = (vectors(i, 1, h, length, 64, dtype=torch.float32) for i, h in enumerate((2, 1, 1)))
    out = Fused()(Tapa(64), q, k, v, torch.arange(length))
    at = torch.tensor([0, 127, 128, 511, 512, 1024, length - 1])
    scores = Tapa(64).scores(q[:, :, at].double(), k.double().expand(-1, 2, -1, -1), at, torch.arange(length))
    exact = scores.masked_fill(torch.arange(length) > at[:, None], -math.inf).softmax(-1) @ v.double()
    assert float((out[:, :, at].double() - exact).abs().max()) <= 1e-5


def test_several_threads_give_the_same(loop: one_loop.OneLoop):
    q, k, v = heads(700, dtype=torch.float32)
    form, before = form_of(TAPA, q, k), torch.get_num_threads()
    assert form is not None
    try:
        torch.set_num_threads(1)
        alone = loop(form, v)[0]
        torch.set_num_threads(2)
        assert torch.equal(loop(form, v)[0], alone)
    finally:
        torch.set_num_threads(before)


def test_other_types_and_gaps_go_by_tiles(monkeypatch: pytest.MonkeyPatch):
    """bfloat16 and float64 vectors, and positions that are not consecutive."""
    monkeypatch.setattr(one_loop.OneLoop, "__call__", lambda *args: pytest.fail("the loop was used"))
    by_tiles = Streaming(16, compiled=False)
    for dtype, gap in ((torch.bfloat16, 1), (torch.float64, 1), (torch.float32, 2)):
        q, k, v = heads(40, dtype=dtype)
        at = torch.arange(40) * gap
        assert torch.equal(Fused(by_tiles)(TAPA, q, k, v, at), by_tiles(TAPA, q, k, v, at))


def test_a_model_reads_through_it(loop: one_loop.OneLoop):
    model = Llama(replace(SMALL, method=lively("tapa").config.method))
    with torch.no_grad():
        right = model(tokens(2, 27))
        model.attend = Fused()
        assert torch.allclose(model(tokens(2, 27)), right, atol=1e-5)
