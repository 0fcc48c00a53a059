"""Positional encodings: what each class declares about itself is proved here for all of them by the same code."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import MptConfig
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

from analysis.encodings import (
    AccumulatedRotation,
    Alibi,
    Encoding,
    Forgetting,
    GeneralTapa,
    LinearTapa,
    LogNope,
    Nope,
    PathEncoding,
    PhaseEncoding,
    Polar,
    Rope,
    SlidingWindow,
    Tapa,
    alibi_slopes,
)
from analysis.errors import InputError
from analysis.heads.mean_score import mean_score, mean_score_by_tiles
from analysis.models.config import METHODS, MethodConfig, ModelConfig
from analysis.models.methods import encoding_of
from analysis.theory import frequencies
from analysis.theory.frequencies import Frequencies, plain

DIM = 12


def vectors(seed: int, *shape: int, dtype=torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def form(seed: int) -> Tensor:
    return vectors(seed, DIM, DIM) / DIM


ENCODINGS: dict[str, Encoding] = {
    "RoPE": Rope(frequencies.plain(1e4, DIM)),
    "RoPE, neighbours, in turns": Rope(
        frequencies.plain(1e3, DIM, pairing="interleaved", turns=True), scale=0.7
    ),
    "YaRN": Rope(frequencies.yarn(1e4, DIM, factor=8, trained_length=512)),
    "partial": Rope(frequencies.plain(1e4, DIM, 4)),
    "partial, neighbours": Rope(frequencies.plain(1e4, DIM, 8, pairing="interleaved")),
    "p-RoPE": Rope(frequencies.proportional(1e4, DIM, partial_rotary_factor=0.5)),
    "xPos": Rope(frequencies.xpos(1e4, DIM)),
    "NoPE": Nope(DIM),
    "ALiBi": Alibi(DIM, [0.25]),
    "TAPA": Tapa(DIM),
    "TAPA, alpha 1, a third": Tapa(DIM, alpha=1.0, amplitude_share=1 / 3),
    "TAPA, alpha 0": Tapa(DIM, alpha=0.0),
    "TAPA, linear phase": LinearTapa(DIM),
    "TAPA, any M and N": GeneralTapa(form(1), form(2), alpha=0.4),
    "window over RoPE": SlidingWindow(Rope(frequencies.plain(1e4, DIM)), 9),
    "window over ALiBi": SlidingWindow(Alibi(DIM, [0.1]), 1),
    "TAPA in radians": Tapa(DIM, alpha=0.3, turns=False),
    "TAPA, any M and N, in radians": GeneralTapa(form(1), form(2), alpha=0.4, turns=False),
    "PoPE with offsets": Polar(vectors(3, DIM)),
}


def of_method(name: str, layer: int) -> Encoding:
    """What a method gives a layer of a model of one head, at the size that makes DIM coordinates of it."""
    for size in range(DIM, 0, -1):
        config = ModelConfig(head_dim=size, heads=1, kv_heads=1, context=40, method=MethodConfig(name))
        try:
            made = encoding_of(config, layer)
        except InputError:  # an odd size, for most
            continue
        if made.head_dim == DIM:
            moved = {key: x[0].double() + 0.1 * vectors(8, *x[0].shape) for key, x in made.learned().items()}
            return made.with_learned(moved)  # of one head, and not where it starts
    raise AssertionError(f"no size of {name} makes {DIM} coordinates")


# every method that can be trained, a new one too, in its first and in its last layer
ENCODINGS |= {f"method {name}, layer {layer}": of_method(name, layer) for name in METHODS for layer in (0, 3)}
every = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS.keys())


def tile(encoding: Encoding, rows: Tensor, columns: Tensor, *, seed: int = 0, dtype=torch.float64) -> Tensor:
    """Scores of vectors that belong to their index, not to their position."""
    q, k = vectors(seed, len(rows), DIM, dtype=dtype), vectors(seed + 1, len(columns), DIM, dtype=dtype)
    return encoding.scores(q, k, rows, columns)


def close(a: Tensor, b: Tensor, *, positions: float = 0.0) -> bool:
    """Equal but for rounding of float64: of sums of DIM terms, and of angles up to the largest position.

    No frequency above exceeds 2 pi rad/token, and no score of normal vectors 200.
    """
    hidden = torch.isinf(a)
    budget = 2.0**-53 * (4 * DIM + 8 * math.pi * positions) * 200
    return torch.equal(hidden, torch.isinf(b)) and bool(((a - b)[~hidden].abs() <= budget).all())


def is_relative(encoding: Encoding, shift: int) -> bool:
    rows, columns = torch.tensor([3, 0, 17, 40, 40]), torch.tensor([0, 3, 5, 41])
    here, there = tile(encoding, rows, columns), tile(encoding, rows + shift, columns + shift)
    return close(here, there, positions=abs(shift) + 41)


def is_symmetric(encoding: Encoding) -> bool:
    rows, columns = torch.tensor([3, 0, 7, 4]), torch.tensor([0, 3, 5])
    return close(tile(encoding, rows, columns), tile(encoding, -rows, -columns), positions=10)


def is_bilinear(encoding: Encoding) -> bool:
    rows, columns = torch.tensor([3, 0, 27]), torch.tensor([0, 4, 5, 2])
    q, p, k = vectors(1, 3, DIM), vectors(2, 3, DIM), vectors(3, 4, DIM)
    in_q = encoding.scores(2 * q - 3 * p, k, rows, columns)
    in_k = encoding.scores(k, 2 * q - 3 * p, columns, rows)
    apart = 2 * encoding.scores(q, k, rows, columns) - 3 * encoding.scores(p, k, rows, columns)
    other = 2 * encoding.scores(k, q, columns, rows) - 3 * encoding.scores(k, p, columns, rows)
    return close(in_q, apart, positions=30) and close(in_k, other, positions=30)


@every
@given(shift=st.integers(-(10**6), 10**6))
@settings(max_examples=10)
def test_relative_means_that_a_common_shift_changes_nothing(encoding, shift):
    assert is_relative(encoding, shift) == (encoding.relative or shift == 0)


@every
def test_symmetric_means_that_the_sign_of_the_distance_changes_nothing(encoding):
    assert is_symmetric(encoding) == encoding.symmetric


@every
def test_inner_product_means_bilinear_and_then_fft_gives_the_mean_at_every_distance(encoding):
    assert is_bilinear(encoding) == encoding.inner_product
    if not encoding.inner_product:
        return
    q, k, at = vectors(5, 60, DIM), vectors(6, 60, DIM), torch.arange(60)
    by_tiles = mean_score_by_tiles(lambda r, c: encoding.scores(q[r], k[c], at[r], at[c]), 60, tile=17)
    still = Frequencies(np.zeros(DIM // 2), DIM)
    frequencies = encoding.frequencies if isinstance(encoding, Rope) else still
    a, b = (q, k) if isinstance(encoding, Rope) else encoding.placed(q, k, at)[1:]
    fast = mean_score(a, b, frequencies, scale=encoding.factor)
    assert torch.allclose(fast, by_tiles, rtol=0, atol=1e-12)  # FFT: 2^-52 |q| |k| log2(128) = 1e-12


@every
def test_trainable_means_that_learned_tensors_get_a_gradient(encoding):
    inner = encoding.encoding if isinstance(encoding, SlidingWindow) else encoding
    held = [f.name for f in fields(inner) if isinstance(getattr(inner, f.name), Tensor)]
    assert list(encoding.learned()) == (held if encoding.trainable else [])
    assert bool(held) == encoding.trainable
    leaves = {name: x.clone().requires_grad_() for name, x in encoding.learned().items()}
    if leaves:
        tile(encoding.with_learned(leaves), torch.arange(4), torch.arange(4)).square().sum().backward()
        assert all(
            bool(x.grad.abs().sum() > 0) and bool(torch.isfinite(x.grad).all()) for x in leaves.values()
        )


def test_a_window_passes_on_what_the_encoding_inside_learns():
    window = SlidingWindow(Polar(torch.zeros(DIM).double()), 9)
    assert list(window.learned()) == ["offsets"]
    other = window.with_learned({"offsets": vectors(3, DIM)})
    assert torch.equal(other.learned()["offsets"], vectors(3, DIM))
    assert not bool(window.learned()["offsets"].any())


@every
def test_placed_vectors_have_the_same_scores(encoding):
    q, k, at = vectors(0, 30, DIM), vectors(1, 30, DIM), torch.arange(100, 130)
    inner, a, b = encoding.placed(q, k, at)
    assert close(inner.scores(a, b, at, at), encoding.scores(q, k, at, at), positions=130)


@dataclass(frozen=True, eq=False)
class Absolute(Nope):
    """Claims what NoPE is, and looks at the query's position, and squares."""

    def scores(self, q, k, query_positions, key_positions):
        return super().scores(q, k, query_positions, key_positions) ** 2 + query_positions[:, None]


def test_a_false_declaration_is_seen():
    liar = Absolute(DIM)
    assert (liar.relative, liar.symmetric, liar.inner_product) == (True, True, True)
    assert (is_relative(liar, 5), is_symmetric(liar), is_bilinear(liar)) == (False, False, False)


@every
@given(seed=st.integers(0, 2**20), distance=st.lists(st.integers(-300, 5000), min_size=1, max_size=5))
@settings(max_examples=15)
def test_pairwise_is_scores_at_these_distances(encoding, seed, distance):
    q, k = vectors(seed, 3, DIM), vectors(seed + 1, 3, DIM)
    found = encoding.pairwise(q, k, torch.tensor(distance, dtype=torch.float64))
    for j, d in enumerate(distance):
        one_by_one = torch.stack(
            [encoding.scores(q[[i]], k[[i]], torch.tensor([d]), torch.tensor([0]))[0, 0] for i in range(3)]
        )
        assert close(found[:, j], one_by_one, positions=abs(d))


@every
def test_a_tile_is_a_tile_of_the_whole(encoding):
    q, k, at = vectors(0, 50, DIM), vectors(1, 50, DIM), torch.arange(1000, 1050)
    whole = encoding.scores(q, k, at, at)
    for rows, columns in ((slice(0, 50), slice(31, 50)), (slice(7, 8), slice(0, 3))):
        part = encoding.scores(q[rows], k[columns], at[rows], at[columns])
        assert close(part, whole[rows, columns], positions=1050)


@every
def test_leading_axes_broadcast(encoding):
    q, k, at = vectors(0, 2, 3, 5, DIM), vectors(1, 2, 1, 6, DIM), torch.arange(6)
    found = encoding.scores(q, k, at[:5], at)
    assert found.shape == (2, 3, 5, 6)
    assert close(found[1, 2], encoding.scores(q[1, 2], k[1, 0], at[:5], at), positions=6)
    matched = encoding.pairwise(q, vectors(2, 2, 3, 5, DIM), at.double())
    assert matched.shape == (2, 3, 5, 6)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_scores_are_wide_and_gradients_finite(encoding, dtype):
    """Distance 0 included, where the derivative of a power of the distance would be infinite."""
    q = vectors(0, 4, DIM, dtype=dtype).requires_grad_()
    k = vectors(1, 4, DIM, dtype=dtype).requires_grad_()
    at = torch.tensor([0, 1, 7, 3000])
    scores = encoding.scores(q, k, at, at)
    pairwise = encoding.pairwise(q, k, at)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert scores.dtype == pairwise.dtype == wide
    for found in (scores, pairwise):
        grads = torch.autograd.grad(found[torch.isfinite(found)].sum(), (q, k))
        assert all(bool(torch.isfinite(grad).all()) and bool(grad.abs().sum() > 0) for grad in grads)


@every
def test_gradients_are_those_of_finite_differences(encoding):
    q, k = vectors(0, 3, DIM).requires_grad_(), vectors(1, 2, DIM).requires_grad_()
    rows, columns = torch.tensor([0, 3, 8]), torch.tensor([0, 3])

    def seen(q: Tensor, k: Tensor) -> Tensor:
        scores = encoding.scores(q, k, rows, columns)
        return scores[torch.isfinite(scores)]

    assert torch.autograd.gradcheck(seen, (q, k))


# low precision


def far_tile(encoding: Encoding, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vectors that `dtype` holds exactly, at distances up to 65,536 (xPos: as far as float32 carries it)."""
    q, k = vectors(0, 64, DIM, dtype=dtype), vectors(1, 64, DIM, dtype=dtype)
    rows = torch.round(torch.logspace(0, math.log10(65_536), 64)).long()
    return q, k, rows, torch.arange(64) % 8


def multiplied(encoding: Encoding, q: Tensor, k: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, float]:
    """The vectors whose inner product is taken in their own type, and its factor."""
    scale = getattr(encoding, "factor", 1.0)
    if isinstance(encoding, PhaseEncoding):
        return *encoding.factors(q, k)[:2], encoding.scale
    if isinstance(encoding, Forgetting):
        return q[:, : encoding.content_dim], k[:, : encoding.content_dim], scale
    return *encoding.placed(q, k, rows)[1:], scale


def inner_budget(encoding: Encoding, q: Tensor, k: Tensor, rows: Tensor) -> float:
    """Twice the error of the vectors' own matrix product, what plain attention has, and of float32 angles."""
    a, b, scale = multiplied(encoding, q, k, rows)
    exact = a.double() @ b.double().mT
    return 2 * scale * float(((a @ b.mT).double() - exact).abs().max())


NOT_WINDOWS = {name: e for name, e in ENCODINGS.items() if not isinstance(e, SlidingWindow)}


@pytest.mark.parametrize("encoding", NOT_WINDOWS.values(), ids=NOT_WINDOWS.keys())
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_positions_cost_low_precision_nothing_beyond_its_inner_product(encoding, dtype):
    """Against float64 on the same vectors. RoPE's and PoPE's are rounded once more after they are rotated."""
    q, k, rows, columns = far_tile(encoding, dtype)
    exact = encoding.scores(q.double(), k.double(), rows, columns)
    error = (encoding.scores(q, k, rows, columns).double() - exact).abs()
    budget = inner_budget(encoding, q, k, rows)
    if isinstance(encoding, Rope | Polar):
        unit = torch.finfo(dtype).eps / 2
        a, b, scale = multiplied(encoding, q.double(), k.double(), rows)
        budget += 2 * unit * float(a.norm(dim=-1).max() * b.norm(dim=-1).max()) * scale
    assert float(error.max()) <= budget + float32_budget(encoding, q, k, rows, columns)


def float32_budget(encoding: Encoding, q: Tensor, k: Tensor, rows: Tensor, columns: Tensor) -> float:
    """Error of float32, a relative 2^-24 for each of its roundings: of angles for phases, of sums, of biases."""
    size = float(encoding.scores(q.double(), k.double(), rows, columns).abs().max())
    budget = 2.0**-24 * 8 * size
    if isinstance(encoding, PhaseEncoding):
        a, b, x, y = encoding.factors(q.double(), k.double())
        turn = encoding.turn((rows[:, None] - columns).double(), torch.float64)
        # DIM roundings of the inner product (M and N: twice), four of power, pi, product and cosine
        angle = (x.abs() @ y.abs().mT) * turn * 2.0**-24 * (2 * DIM + 4)
        budget += encoding.scale * float(((a @ b.mT).abs() * angle).max())
    return budget


@pytest.mark.parametrize("encoding", NOT_WINDOWS.values(), ids=NOT_WINDOWS.keys())
def test_float32_scores_are_right_to_float32(encoding):
    q, k, rows, columns = far_tile(encoding, torch.float32)
    exact = encoding.scores(q.double(), k.double(), rows, columns)
    error = (encoding.scores(q, k, rows, columns).double() - exact).abs().max()
    a, b, _ = multiplied(encoding, q, k, rows)
    sums = 2.0**-24 * 2 * DIM * float(a.norm(dim=-1).max() * b.norm(dim=-1).max())
    assert float(error) <= sums + float32_budget(encoding, q, k, rows, columns)


def test_phases_in_bfloat16_would_break_that_budget():
    """The guard can fail: the same formula with its phase in bfloat16 is off by more than the whole amplitude."""
    encoding = Tapa(DIM)
    q, k, rows, columns = far_tile(encoding, torch.bfloat16)
    n = encoding.amplitude_dim
    distance = (rows[:, None] - columns).to(torch.bfloat16).abs()
    phase = (q[:, n:] @ k[:, n:].mT) / math.sqrt(encoding.phase_dim)
    naive = (q[:, :n] @ k[:, :n].mT) / math.sqrt(n) * torch.cos(2 * math.pi * distance**0.1 * phase)
    error = (naive.double() - encoding.scores(q.double(), k.double(), rows, columns)).abs().max()
    budget = inner_budget(encoding, q, k, rows) + float32_budget(encoding, q, k, rows, columns)
    assert float(error) > 10 * budget


def test_distance_powers_stay_apart_under_bfloat16_vectors():
    """In bfloat16 65,535 distances to the power 0.1 collapse to 169 numbers."""
    distance = torch.arange(1, 65_536)
    q, k = torch.ones(2, 1, DIM, dtype=torch.bfloat16)
    assert len((distance.to(torch.bfloat16) ** 0.1).unique()) < 200
    assert len(Tapa(DIM).pairwise(0.1 * q, k, distance).unique()) > 20_000


# each against its definition


def test_rope_is_equation_2():
    """Complex numbers, as the paper prints it, with the project's sign and rad/token."""
    frequencies = plain(100.0, DIM, pairing="interleaved")
    q, k = (vectors(seed, DIM).numpy().view(complex) for seed in (0, 1))
    theta = 100.0 ** (-2 * np.arange(DIM // 2) / DIM)
    expected = [np.real(np.sum(q * k.conj() * np.exp(1j * d * theta))) / math.sqrt(DIM) for d in (-4, 0, 7.5)]
    vector = [torch.from_numpy(x.view(float))[None] for x in (q, k)]
    found = Rope(frequencies).pairwise(*vector, torch.tensor([-4, 0, 7.5], dtype=torch.float64))
    assert found[0].tolist() == pytest.approx(expected, rel=1e-13)


def test_rope_is_what_transformers_applies():
    q, k, at = vectors(0, 1, 1, 20, DIM), vectors(1, 1, 1, 20, DIM), torch.arange(20)
    angle = at[:, None] * (1e4 ** -(torch.arange(0, DIM, 2).double() / DIM)).repeat(2)
    rotated_q, rotated_k = apply_rotary_pos_emb(q, k, angle.cos()[None], angle.sin()[None])
    found = Rope(frequencies.plain(1e4, DIM)).scores(q, k, at, at)
    assert close(found, rotated_q @ rotated_k.mT / math.sqrt(DIM), positions=20)


@pytest.mark.parametrize("heads", [1, 2, 3, 8, 12, 20])
def test_alibi_slopes_are_those_of_transformers(heads):
    bias = build_mpt_alibi_tensor(heads, 5, alibi_bias_max=MptConfig().attn_config.alibi_bias_max)
    theirs = -bias[:, 0, -2]  # one token before the last
    # theirs orders the slopes of a number that is no power of two in its own way
    assert sorted(alibi_slopes(heads)) == pytest.approx(sorted(theirs.tolist()), rel=1e-6)


def test_alibi_slopes_of_the_authors():
    """Press et al. print 1/2 .. 1/256 for 8 heads; their code appends every other slope of 16 for 12 heads."""
    eight = tuple(2.0**-i for i in range(1, 9))
    assert alibi_slopes(8) == eight
    assert alibi_slopes(12) == (*eight, 2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5)


def test_alibi_gives_each_head_its_slope():
    encoding = Alibi(DIM, alibi_slopes(3))
    q, k, at = vectors(0, 2, 3, 5, DIM), vectors(1, 2, 3, 5, DIM), torch.arange(5)
    found = encoding.scores(q, k, at, at)
    for head, slope in enumerate(alibi_slopes(3)):
        alone = Alibi(DIM, [slope]).scores(q[:, head], k[:, head], at, at)
        assert torch.equal(found[:, head], alone)
    assert encoding.pairwise(q, k, at).shape == (2, 3, 5, 5)
    assert found[0, 0, 4, 1] - Nope(DIM).scores(q, k, at, at)[0, 0, 4, 1] == pytest.approx(-3 * 0.0625)


def test_tapa_is_equation_12_by_hand():
    """q_A.k_A = 4 over sqrt 2; q_P.k_P = 1/2 over sqrt 2; distance 81 to the power 1/4 is 3."""
    q = torch.tensor([[1.0, 2.0, 0.5, 0.0]], dtype=torch.float64)
    k = torch.tensor([[2.0, 1.0, 1.0, 7.0]], dtype=torch.float64)
    expected = 4 / math.sqrt(2) * math.cos(2 * math.pi * 3 * 0.5 / math.sqrt(2))
    found = Tapa(4, alpha=0.25).pairwise(q, k, torch.tensor([81.0, -81.0, 0.0]))
    assert found[0].tolist() == pytest.approx([expected, expected, 4 / math.sqrt(2)], rel=1e-14)
    linear = 4 / math.sqrt(2) * math.cos(2 * math.pi * 3 * 8.5 / math.sqrt(2))
    found = LinearTapa(4, alpha=0.25).scores(q, k, torch.tensor([0]), torch.tensor([81]))
    assert float(found) == pytest.approx(linear, rel=1e-12)


def test_without_an_exponent_tapa_sees_tokens_and_no_distance():
    """q_A.k_A / sqrt 2 times the cosine of a half turn over sqrt 2, at every distance, 0 included."""
    q = torch.tensor([[1.0, 2.0, 0.5, 0.0]], dtype=torch.float64)
    k = torch.tensor([[2.0, 1.0, 1.0, 7.0]], dtype=torch.float64)
    expected = 4 / math.sqrt(2) * math.cos(math.pi / math.sqrt(2))
    found = Tapa(4, alpha=0.0).pairwise(q, k, torch.tensor([0.0, 1.0, -7.0, 1e6]))
    assert found[0].tolist() == pytest.approx([expected] * 4, rel=1e-14)


def test_tapa_in_radians_is_the_formula_without_2_pi():
    """As the authors' released kernel has it: the same numbers by hand, no turn."""
    q = torch.tensor([[1.0, 2.0, 0.5, 0.0]], dtype=torch.float64)
    k = torch.tensor([[2.0, 1.0, 1.0, 7.0]], dtype=torch.float64)
    expected = [4 / math.sqrt(2) * math.cos(3 * phase / math.sqrt(2)) for phase in (0.5, 8.5)]
    kinds = (Tapa(4, alpha=0.25, turns=False), LinearTapa(4, alpha=0.25, turns=False))
    found = [float(kind.scores(q, k, torch.tensor([81]), torch.tensor([0]))) for kind in kinds]
    assert found == pytest.approx(expected, rel=1e-12)


def test_log_temperature_counts_the_keys_that_a_query_sees():
    q, k, at = vectors(0, 9, DIM), vectors(1, 9, DIM), torch.arange(9)
    found = LogNope(DIM, 4).scores(q, k, at, at)
    for m in range(9):
        row = k @ q[m] / math.sqrt(DIM) * math.log(m + 1) / math.log(4)
        assert found[m].tolist() == pytest.approx(row.tolist(), rel=1e-13, abs=1e-15)
    assert close(found[3], Nope(DIM).scores(q, k, at, at)[3])


def test_pope_is_its_definition_by_loops():
    """Magnitudes by log(1 + exp), the angle of the key's place less the query's, an offset for each head."""
    offsets = vectors(2, 2, 4)
    q, k, at = vectors(0, 2, 5, 4), vectors(1, 2, 5, 4), torch.arange(5)
    found = Polar(offsets, base=100.0).scores(q, k, at, at)
    for head in range(2):
        for m in range(5):
            for n in range(5):
                terms = [
                    math.log1p(math.exp(q[head, m, c])) * math.log1p(math.exp(k[head, n, c]))
                    * math.cos((n - m) * 100.0 ** (-c / 4) + offsets[head, c])
                    for c in range(4)
                ]  # fmt: skip
                assert float(found[head, m, n]) == pytest.approx(sum(terms) / 2, rel=1e-12)


# what is added up along a text


PATHS: dict[str, PathEncoding] = {"FoX": Forgetting(DIM), "accumulated": AccumulatedRotation(DIM, base=100.0)}
every_path = pytest.mark.parametrize("encoding", PATHS.values(), ids=PATHS.keys())


def text_of(encoding: PathEncoding, length: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    sizes = (4, DIM), (2, DIM), (2, encoding.path_dim)  # two query heads read a key head
    return tuple(vectors(seed + i, 3, heads, length, d) for i, (heads, d) in enumerate(sizes))


def path_scores(encoding: PathEncoding, q: Tensor, k: Tensor, path: Tensor) -> Tensor:
    at = torch.arange(q.shape[2])
    q, k = encoding.accumulated(q, k, path)
    assert q.shape[-1] == k.shape[-1] == encoding.head_dim
    return encoding.scores(q, k.repeat_interleave(2, dim=1), at, at)


def test_fox_is_its_definition_by_loops():
    """Score plus the logarithms of the gates after the key, up to the query."""
    encoding = PATHS["FoX"]
    q, k, path = text_of(encoding, 7)
    found = path_scores(encoding, q, k, path)
    for b, h, m in ((0, 0, 6), (2, 3, 4), (1, 2, 0)):
        for n in range(m + 1):
            gates = [1 / (1 + math.exp(-path[b, h // 2, token, 0])) for token in range(n + 1, m + 1)]
            inner = float(q[b, h, m] @ k[b, h // 2, n]) / math.sqrt(DIM)
            assert float(found[b, h, m, n]) == pytest.approx(inner + sum(map(math.log, gates)), rel=1e-12)


def test_accumulated_rotations_are_products_of_the_rotations_in_between():
    """Each pair by matrices, one after the other."""
    encoding, half = PATHS["accumulated"], DIM // 2
    q, k, path = text_of(encoding, 6)
    found = path_scores(encoding, q, k, path)
    for b, h, m in ((0, 0, 5), (2, 3, 3)):
        for n in range(m + 1):
            score = 0.0
            for d in range(half):
                turned = k[b, h // 2, n, [d, half + d]]
                for angle in path[b, h // 2, n + 1 : m + 1, d].tolist():
                    c, s = math.cos(angle), math.sin(angle)
                    turned = (
                        torch.tensor([[c, s], [-s, c]], dtype=torch.float64) @ turned
                    )  # by -angle, to the query
                score += float(q[b, h, m, [d, half + d]] @ turned)
            assert float(found[b, h, m, n]) == pytest.approx(score / math.sqrt(DIM), rel=1e-11, abs=1e-13)


def test_accumulated_rotations_of_equal_angles_are_rope():
    encoding = PATHS["accumulated"]
    q, k, _ = text_of(encoding, 40)
    path = torch.from_numpy(encoding.path_start).expand(3, 2, 40, -1)
    at = torch.arange(40)
    rope = Rope(frequencies.plain(100.0, DIM)).scores(q, k.repeat_interleave(2, dim=1), at, at)
    assert close(path_scores(encoding, q, k, path), rope, positions=40)


@every_path
def test_nothing_but_the_tokens_in_between_matters(encoding):
    """A text cut at its head has the same scores, and what comes later changes none."""
    q, k, path = text_of(encoding, 20)
    whole = path_scores(encoding, q, k, path)
    cut = path_scores(encoding, *(x[:, :, 7:] for x in (q, k, path)))
    assert close(cut, whole[:, :, 7:, 7:], positions=200)
    changed = path.clone()
    changed[:, :, 12:] += 1
    later = path_scores(encoding, q, k, changed)
    assert close(later[:, :, :12, :12], whole[:, :, :12, :12])
    assert not close(later[:, :, 13:, :11], whole[:, :, 13:, :11])
    changed = path.clone()
    changed[:, :, :8] += 1  # the key's own number is not between
    assert close(path_scores(encoding, q, k, changed)[:, :, 8:, 7:], whole[:, :, 8:, 7:], positions=200)


@every_path
def test_sums_along_the_text_have_gradients_of_finite_differences(encoding):
    q, k, path = (x[:1, :, :3].requires_grad_() for x in text_of(encoding, 3))
    assert torch.autograd.gradcheck(lambda *x: path_scores(encoding, *x), (q, k, path))


@every_path
def test_sums_along_the_text_stay_wide_under_narrow_vectors(encoding):
    """Long sums in bfloat16 would lose whole units: 5000 tokens, against float64 on the same numbers."""
    q, k, path = (x.bfloat16() for x in text_of(encoding, 5000))
    q, k, path = q[:1], k[:1], path[:1]
    wide_q, wide_k = encoding.accumulated(q.double(), k.double(), path.double())
    narrow_q, narrow_k = encoding.accumulated(q, k, path)
    unit = torch.finfo(torch.bfloat16).eps / 2 if isinstance(encoding, AccumulatedRotation) else 2.0**-24
    for narrow, exact in ((narrow_q, wide_q), (narrow_k, wide_k)):
        assert float((narrow.double() - exact).abs().max()) <= 2 * unit * float(exact.abs().max())


@pytest.mark.parametrize("share", [0.25, 0.5, 2 / 3])
def test_equation_13_makes_12_a_case_of_9(share):
    encoding = Tapa(DIM, alpha=0.3, amplitude_share=share)
    n = encoding.amplitude_dim
    first = torch.arange(DIM) < n
    m = torch.diag(first.double()) / math.sqrt(n)
    other = torch.diag((~first).double()) / math.sqrt(DIM - n)
    rows, columns = torch.arange(30), torch.arange(20)
    general = tile(GeneralTapa(m, other, alpha=0.3), rows, columns)
    assert close(general, tile(encoding, rows, columns), positions=30)


def test_without_phase_tapa_is_plain_attention():
    """Section 3: M = I (over sqrt D), phi = 0."""
    general = GeneralTapa(torch.eye(DIM).double() / math.sqrt(DIM), torch.zeros(DIM, DIM).double())
    rows, columns = torch.arange(5), torch.arange(9)
    assert close(tile(general, rows, columns), tile(Nope(DIM), rows, columns))


def test_general_tapa_takes_a_matrix_for_each_head():
    m, n = vectors(1, 3, DIM, DIM) / DIM, vectors(2, 3, DIM, DIM) / DIM
    q, k, at = vectors(3, 2, 3, 5, DIM), vectors(4, 2, 3, 5, DIM), torch.arange(5)
    found = GeneralTapa(m, n).scores(q, k, at, at)
    for head in range(3):
        alone = GeneralTapa(m[head], n[head]).scores(q[:, head], k[:, head], at, at)
        assert close(found[:, head], alone)


def test_a_window_hides_what_is_not_nearer_than_its_width():
    found = SlidingWindow(Nope(DIM), 3).pairwise(vectors(0, 1, DIM), vectors(1, 1, DIM), torch.arange(-4, 5))
    assert torch.isfinite(found)[0].tolist() == [False, False, True, True, True, True, True, False, False]


def test_xpos_far_from_the_origin_neither_overflows_nor_vanishes():
    """Naively the factors alone are exp(+-2400) at position 10^6; the score 100 tokens apart is ordinary."""
    encoding = ENCODINGS["xPos"]
    q, k = vectors(0, 5, DIM, dtype=torch.float32), vectors(1, 5, DIM, dtype=torch.float32)
    far = encoding.scores(q, k, torch.full((5,), 1_000_100), torch.full((5,), 1_000_000))
    near = encoding.pairwise(q.double(), k.double(), torch.tensor([100.0]))
    assert far.diagonal().tolist() == pytest.approx(near[:, 0].tolist(), rel=1e-4, abs=1e-5)


# bad input

BAD = [
    (lambda: GeneralTapa(form(1), form(2), alpha=-1.0), "alpha=-1.0 must be finite and at least 0"),
    (lambda: Tapa(8, alpha=-0.1), "alpha=-0.1 must be finite and at least 0"),
    (lambda: LinearTapa(8, alpha=math.nan), "alpha=nan must be finite and at least 0"),
    (lambda: Tapa(8, amplitude_share=0.0), r"amplitude_share=0.0 is outside \(0, 1\)"),
    (lambda: Tapa(8, amplitude_share=1.0), r"amplitude_share=1.0 is outside \(0, 1\)"),
    (lambda: Tapa(8, amplitude_share=0.01), "amplitude_share=0.01 of head_dim=8 leaves the amplitude empty"),
    (lambda: Tapa(8, amplitude_share=0.99), "amplitude_share=0.99 of head_dim=8 leaves the phase empty"),
    (lambda: Tapa(0), "head_dim=0 is not a whole number"),
    (lambda: Nope(0), "head_dim=0 is not a positive whole number"),
    (lambda: Nope(8, scale=0.0), "scale=0.0 must be finite and above 0"),
    (lambda: Rope(frequencies.plain(1e4, 8), scale=math.inf), "scale=inf must be finite and above 0"),
    (lambda: Alibi(8, []), r"slopes=\(\) must be one or more finite numbers, none below 0"),
    (lambda: Alibi(8, [0.5, -1.0]), r"slopes=\(0.5, -1.0\) must be one or more finite numbers, none below 0"),
    (lambda: Alibi(8, [math.nan]), "must be one or more finite numbers"),
    (lambda: alibi_slopes(0), "heads=0 is not a positive whole number"),
    (lambda: LogNope(8, 1), "length=1 is not a whole number of at least 2"),
    (lambda: Forgetting(0), "head_dim=0 is not a positive whole number"),
    (lambda: AccumulatedRotation(7), "head_dim=7 is odd; RoPE rotates pairs"),
    (lambda: AccumulatedRotation(8, base=1.0), "base=1.0 must be finite and above 1"),
    (lambda: Polar(torch.zeros(2, 3, 4)), r"offsets of shape \(2, 3, 4\) are not \(heads, head_dim\)"),
    (lambda: Polar(torch.zeros(4), base=0.5), "base=0.5 must be finite and above 1"),
    (lambda: SlidingWindow(Nope(8), 0), "window=0 is not a positive whole number of tokens"),
    (
        lambda: GeneralTapa(torch.ones(3, 2), torch.ones(3, 3)),
        r"amplitude_form of shape \(3, 2\) is not square",
    ),
    (
        lambda: GeneralTapa(torch.ones(2, 2), torch.ones(3, 3)),
        "are for 2 and 3 dimensions; give one head_dim",
    ),
    (lambda: GeneralTapa(torch.ones(2, 2), torch.full((2, 2), math.nan)), "phase_form holds a value that is"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


@every
def test_vectors_of_another_head_are_refused(encoding):
    q, at = vectors(0, 3, 10), torch.arange(3)
    with pytest.raises(InputError, match="vectors have 10 dimensions, the encoding is for head_dim=12"):
        encoding.scores(q, q, at, at)
    with pytest.raises(InputError, match="vectors have 10 dimensions, the encoding is for head_dim=12"):
        encoding.pairwise(q, q, at)


def test_slopes_that_fit_no_head_are_refused():
    q, at = vectors(0, 2, 3, DIM), torch.arange(3)
    with pytest.raises(InputError, match="4 slopes do not fit vectors with 2 heads"):
        Alibi(DIM, alibi_slopes(4)).scores(q, q, at, at)


def test_xpos_beyond_float32_is_refused_with_the_reach_that_is_left():
    encoding, q = ENCODINGS["xPos"], vectors(0, 2, DIM)
    with pytest.raises(
        InputError, match=r"a key lies 100000 tokens after a query.*at most 32696 tokens beyond"
    ):
        encoding.scores(q, q, torch.tensor([0, 5]), torch.tensor([0, 100_000]))
    with pytest.raises(InputError, match=r"distance=-1e\+06 lets xPos outgrow torch.float64"):
        encoding.pairwise(q, q, torch.tensor([5.0, -1e6]))
