"""Heads beyond the trained length: sums against loops, alterations against what they promise, layer by layer.

A shift of scores changes what deeper layers read. The first layer reads the tokens alone: there every alteration must
give exactly the mean score that it names.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.encodings import SlidingWindow
from analysis.heads.bias_interventions import Curves, intervention, level_at
from analysis.heads.mean_score import by_distance
from analysis.models.attention import explicit
from analysis.models.config import METHODS, MethodConfig
from analysis.models.llama import Llama
from analysis.studies import extrapolation_bias
from analysis.studies.extrapolation_bias import (
    Seen,
    WatchedAttention,
    attending,
    observe,
    spread_within,
)
from tests.heads import tiny_phase as phase_tiny
from tests.refusals import plainly_raises

TRAINED, LENGTH = 16, 52  # not a multiple of a block
METHOD_NAMES = tuple(METHODS)


def tokens(windows: int = 3, length: int = LENGTH) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (windows, length)))


def model(method: str = "rope") -> Llama:
    return phase_tiny.model(method, context=TRAINED, gain=6.0).double()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks, the last of them shorter."""
    monkeypatch.setattr(extrapolation_bias, "BLOCK", 20)


def scores_of(llama: Llama, windows: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All scores and weights of one layer, from the encoding itself: length x length for every window and head."""
    found: list[torch.Tensor] = []

    def attend(encoding, q, k, v, positions, layer):
        group = q.shape[1] // k.shape[1]
        found.append(encoding.scores(q, k.repeat_interleave(group, dim=1), positions, positions))
        return explicit(encoding, q, k, v, positions)

    before, llama.attend = llama.attend, attend
    with torch.inference_mode():
        llama(windows)
    llama.attend = before
    scores = found[layer]
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores, scores.masked_fill(hidden, -math.inf).softmax(dim=-1)


def intervened(llama: Llama, kind: str, seen: Seen | None = None) -> Llama:
    """The model under an intervention with the curves that were measured; with any for one that needs none."""
    if seen is None:
        curves = Curves(np.zeros((2, 2, LENGTH)), np.ones((2, 2)), TRAINED)
    else:
        curves = Curves(seen.mean, spread_within(seen), TRAINED)
    return llama.with_interventions(intervention(kind, curves, LENGTH))


def mean_by_distance(scores: torch.Tensor) -> np.ndarray:
    """heads x distances, by walking along the diagonals."""
    length = scores.shape[-1]
    return np.stack([scores.diagonal(-d, -2, -1).mean(dim=(0, -1)).numpy() for d in range(length)], axis=-1)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 9), st.integers(0, 2**31))
def test_sums_by_distance_are_those_of_the_diagonals(heads: int, rows: int, more: int, seed: int):
    columns = rows + more
    square = torch.randn(heads, columns, columns, generator=torch.Generator().manual_seed(seed))
    part = square[:, columns - rows :].clone()
    part[square.new_ones(columns, columns).triu(1).bool()[columns - rows :].expand_as(part)] = math.nan
    found = by_distance(part)
    for d in range(columns):
        expected = [square[:, p, p - d] for p in range(max(d, columns - rows), columns)]
        total = torch.stack(expected).double().sum(dim=0) if expected else torch.zeros(heads).double()
        torch.testing.assert_close(found[:, d], total, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_unaltered_the_model_says_what_it_always_says(method: str):
    llama = model(method)
    with torch.inference_mode():
        expected = llama(tokens())
        with attending(llama, WatchedAttention(TRAINED)):
            found = llama(tokens())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert llama.attend is explicit


@pytest.mark.parametrize("method", ["rope", "tapa", "alibi", "window"])
def test_what_is_observed_is_what_loops_find(method: str):
    llama = model(method)
    seen = observe(llama, tokens(), TRAINED, batch=2)
    for layer in range(2):
        scores, weights = scores_of(llama, tokens(), layer)
        finite = np.array([d < 8 or method != "window" for d in range(LENGTH)])
        for found, power in ((seen.mean, 1), (seen.square, 2)):
            expected = mean_by_distance(scores**power)
            np.testing.assert_allclose(found[layer][:, finite], expected[:, finite], rtol=1e-9, atol=1e-10)
            assert np.isnan(found[layer][:, ~finite]).all()
        entropy = -torch.where(weights > 0, weights * weights.log(), 0.0).sum(dim=-1).mean(dim=0)
        np.testing.assert_allclose(seen.entropy[layer], entropy, rtol=0, atol=1e-9)
        far = torch.stack(
            [weights[:, :, i, : max(0, i + 1 - TRAINED)].sum(dim=-1) for i in range(LENGTH)], dim=-1
        )
        np.testing.assert_allclose(seen.far[layer], far.mean(dim=0), rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", ["rope", "tapa", "nope"])
@pytest.mark.parametrize("kind", ["subtract", "hold", "hold-average", "shuffled", "hold-within"])
def test_in_the_first_layer_an_alteration_gives_the_mean_it_names(kind: str, method: str):
    llama = model(method)
    seen = observe(llama, tokens(), TRAINED)
    attention = WatchedAttention(TRAINED)
    twin = intervened(llama, kind, seen)
    with torch.inference_mode(), attending(twin, attention):
        twin(tokens())
    pairs = 3 * (LENGTH - np.arange(LENGTH))
    found = attention.sums[0].score.numpy() / pairs
    mean, level = seen.mean[0], level_at(seen.mean, TRAINED)[0][:, None]
    is_far = np.arange(LENGTH) >= TRAINED
    expected = {
        "subtract": np.where(is_far, 0.0, mean),
        "hold": np.where(is_far, level, mean),
        "hold-within": np.where(is_far, mean, level),
    }
    budget = 4 * np.finfo(np.float32).eps * np.abs(mean).max()  # the shift is kept in float32
    if kind in expected:
        np.testing.assert_allclose(found, np.broadcast_to(expected[kind], found.shape), rtol=0, atol=budget)
        return
    # as much is taken away in all, and none of it within L
    np.testing.assert_allclose(found[:, ~is_far], mean[:, ~is_far], rtol=0, atol=budget)
    if kind == "hold-average":
        np.testing.assert_allclose(found[:, is_far].mean(axis=-1), level[:, 0], rtol=0, atol=budget)
        np.testing.assert_allclose(
            np.diff(found[:, is_far]), np.diff(mean[:, is_far]), rtol=0, atol=2 * budget
        )
        return
    taken = np.sort((mean - found)[:, is_far], axis=-1)
    np.testing.assert_allclose(taken, np.sort((mean - level)[:, is_far], axis=-1), rtol=0, atol=budget)
    if method != "nope":
        assert np.abs(found[:, is_far] - level).max() > 100 * budget


@pytest.mark.parametrize("method", ["rope", "tapa", "alibi", "nope"])
def test_clamped_pairs_score_as_if_the_trained_length_apart(method: str):
    llama = model(method)
    attention, twin = WatchedAttention(TRAINED), intervened(llama, "clamp")
    with torch.inference_mode(), attending(twin, attention):
        altered = twin(tokens())
    vectors: list[tuple] = []

    def attend(encoding, q, k, v, positions, layer):
        vectors.append((encoding, q, k.repeat_interleave(2, dim=1)))
        return explicit(encoding, q, k, v, positions)

    llama.attend = attend
    with torch.inference_mode():
        plain = llama(tokens())
    encoding, q, k = vectors[0]
    at_the_edge = torch.tensor([float(TRAINED - 1)])
    for distance in (TRAINED - 1, TRAINED, 2 * TRAINED + 3, LENGTH - 1):
        pairs = LENGTH - distance
        expected = encoding.pairwise(q[:, :, distance:], k[:, :, :pairs], at_the_edge).mean(dim=(0, 2, 3))
        found = attention.sums[0].score[:, distance] / (3 * pairs)
        torch.testing.assert_close(found, expected.double(), rtol=0, atol=1e-9)
    assert torch.equal(altered[:, :TRAINED], plain[:, :TRAINED]) or torch.allclose(
        altered[:, :TRAINED], plain[:, :TRAINED], rtol=0, atol=1e-10
    )
    changed = float((altered - plain)[:, TRAINED:].abs().max())
    assert changed < 1e-9 if method == "nope" else changed > 1e-6


def test_masked_the_model_is_one_with_a_window():
    llama = model("rope")
    window = llama.with_encoding(SlidingWindow(llama.attentions[0].encoding, TRAINED))
    with torch.inference_mode():
        found = intervened(llama, "mask")(tokens())
        torch.testing.assert_close(found, window(tokens()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", ["rope", "partial"])
def test_the_predicted_curve_is_the_sum_over_pairs_of_mean_vectors(method: str):
    llama, reach = model(method), 40
    short = tokens(4, TRAINED)
    found = extrapolation_bias.predicted_mean(llama, short, reach).whole
    seen: list[tuple] = []

    def attend(encoding, q, k, v, positions, layer):
        seen.append((encoding, q, k))
        return explicit(encoding, q, k, v, positions)

    llama.attend = attend
    with torch.inference_mode():
        llama(short)
    distance = torch.arange(reach)
    for layer, (encoding, q, k) in enumerate(seen):
        mean_q, mean_k = (x[:, :, 1:].mean(dim=(0, 2)) for x in (q, k))
        expected = encoding.pairwise(mean_q[:, None], mean_k.repeat_interleave(2, dim=0)[:, None], distance)[
            :, 0
        ]
        np.testing.assert_allclose(found[layer], expected, rtol=0, atol=1e-6 * np.abs(found).max())


def test_fast_pairs_turn_within_the_trained_length_and_the_rest_is_slow():
    """Rotated by slow pairs alone, a model's prediction is what is left of the whole without its fast pairs."""
    llama = model()
    omega = llama.attentions[0].encoding.frequencies.omega
    assert 0 < (omega * TRAINED >= 2 * math.pi).sum() < len(omega)
    found = extrapolation_bias.predicted_mean(llama, tokens(4, TRAINED), LENGTH)
    slow = found.whole - found.fast
    turned = LENGTH * omega[omega * TRAINED < 2 * math.pi].max()
    spectrum = np.abs(np.fft.rfft(slow - slow.mean(axis=-1, keepdims=True), axis=-1)) ** 2
    high = int(turned / (2 * math.pi)) + 8  # bins above which only the leakage of slow waves is left
    assert spectrum[..., high:].sum() < 0.1 * spectrum.sum()
    assert np.abs(found.fast).max() > 1e-3 * np.abs(found.whole).max()


def test_the_spread_is_over_all_pairs_within_the_trained_length():
    llama = model()
    scores, _ = scores_of(llama, tokens(), 0)
    distance = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    found = spread_within(observe(llama, tokens(), TRAINED))[0]
    # pairs at each distance weigh as in a window of the trained length
    weight = (TRAINED - distance).double() / (LENGTH - distance)
    weight = weight.masked_fill((distance < 0) | (distance >= TRAINED), 0.0)
    for head in range(2):
        x = scores[:, head].double()
        mean = (weight * x).sum() / (weight.sum() * len(x))
        square = (weight * x.square()).sum() / (weight.sum() * len(x))
        assert found[head] == pytest.approx(float((square - mean**2).sqrt()), rel=1e-9)


def test_queries_and_keys_that_are_their_means_have_the_predicted_curve():
    """With one token all through, every query is the mean query: measured and predicted are one curve."""
    llama = model()
    same = torch.full((2, LENGTH), 65)
    seen = observe(llama, same, TRAINED).mean
    found = extrapolation_bias.predicted_mean(llama, same[:, :TRAINED], LENGTH).whole
    np.testing.assert_allclose(found, seen, rtol=0, atol=1e-5 * np.abs(seen).max())


REFUSED = [
    (lambda: observe(model(), tokens(2, TRAINED), TRAINED), "windows of 16 tokens do not reach beyond"),
    (
        lambda: extrapolation_bias.predicted_mean(model("tapa"), tokens(2, TRAINED), 40),
        "Tapa rotates no queries and keys",
    ),
    (
        lambda: extrapolation_bias.predicted_mean(model("xpos"), tokens(2, TRAINED), 40),
        "Rope rotates no queries and keys",
    ),
    (
        lambda: extrapolation_bias.predicted_mean(model(), tokens(), 40),
        "longer than the trained length of 16; give shorter",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_cannot_be_measured_or_altered_is_refused(call, message: str):
    plainly_raises(call, message)


def test_the_trained_length_is_that_of_the_method():
    """A fine-tuned model's L is what it was fine-tuned at, whatever its rotation was stretched from."""
    stretched = MethodConfig("rope", extension="pi", factor=4.0, trained_length=8)
    assert phase_tiny.model(stretched, context=32).config.context == 32
