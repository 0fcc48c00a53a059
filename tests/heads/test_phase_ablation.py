"""Ablations against models whose weights do the same, intervals against SciPy's, and no look into the future."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from analysis.encodings import Tapa
from analysis.errors import InputError
from analysis.heads import phase_ablation
from analysis.models.attention import explicit
from analysis.models.config import MethodConfig
from analysis.models.llama import Llama
from tests.heads import tiny_phase as phase_tiny

ALL = torch.ones(2, 2, dtype=torch.bool)


@pytest.fixture(scope="module")
def model() -> Llama:
    return phase_tiny.model()


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(256, (3, 24), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def means(model: Llama, tokens: torch.Tensor) -> phase_ablation.Means:
    return phase_ablation.head_means(model, tokens)


def one(layer: int, head: int) -> torch.Tensor:
    chosen = torch.zeros(2, 2, dtype=torch.bool)
    chosen[layer, head] = True
    return chosen


def without_phase(heads: torch.Tensor, factor: torch.Tensor | None = None) -> Llama:
    """The model with the phase rows of chosen heads' queries at 0, their amplitude rows times a factor."""
    twin = phase_tiny.model()
    with torch.no_grad():
        for layer, attention in enumerate(twin.attentions):
            assert attention.query.phase_weight is not None
            phases = attention.query.phase_weight.view(2, -1, 24)
            phases[heads[layer]] = 0
            if factor is not None:
                attention.query.weight.view(2, -1, 24).mul_(factor[layer, :, None, None])
    return twin


def losses(model: Llama, tokens: torch.Tensor) -> np.ndarray:
    return phase_ablation.window_losses(model, tokens)


# float32 forwards, the same to rounding: a loss of 6 nats is a sum of terms of that size
CLOSE = {"rtol": 0, "atol": 2e-5}


@pytest.mark.parametrize("chosen", [ALL, one(0, 1), one(1, 0)], ids=["all", "0.1", "1.0"])
def test_without_a_cosine_it_is_the_model_without_phase_weights(chosen, model, tokens, means):
    found = phase_ablation.ablated_losses(model, tokens, "no cosine", means, chosen)
    np.testing.assert_allclose(found, losses(without_phase(chosen), tokens), **CLOSE)
    assert np.abs(found - losses(model, tokens)).max() > 1e-3


def test_a_mean_cosine_is_a_factor_of_the_amplitude(model, tokens, means):
    found = phase_ablation.ablated_losses(model, tokens, "mean cosine", means, ALL)
    np.testing.assert_allclose(found, losses(without_phase(ALL, means.cosine), tokens), **CLOSE)


@dataclass(frozen=True, eq=False)
class Fixed(Tapa):
    """Every pair as far apart."""

    apart: float = 1.0

    def turn(self, distance, dtype):
        return super().turn(torch.full_like(distance, self.apart), dtype)


@pytest.mark.parametrize(("kind", "apart"), [("distance 1", 1.0), ("distance L", 32.0)])
def test_a_fixed_distance_is_an_encoding_that_knows_no_other(kind: str, apart: float, model, tokens, means):
    twin = model.with_encoding(Fixed(8, apart=apart))
    found = phase_ablation.ablated_losses(model, tokens, kind, means, ALL)
    np.testing.assert_allclose(found, losses(twin, tokens), **CLOSE)


def attend_with(change: Callable[[int, int, int, float, float], float]) -> Callable[..., torch.Tensor]:
    """Attention pair by pair in plain Python: `change(layer, head, distance, amplitude, cosine)` is the score."""

    def attend(encoding, q, k, v, positions, layer):
        out = torch.zeros_like(q[..., : v.shape[-1]])
        for b in range(len(q)):
            for h in range(2):
                a, other, x, y = (part.double() for part in encoding.factors(q[b, h], k[b, 0]))
                for m in range(q.shape[2]):
                    scores = []
                    for n in range(m + 1):
                        amplitude = encoding.scale * float(a[m] @ other[n])
                        turn = (m - n) ** encoding.alpha if m > n else 0.0
                        cosine = math.cos(2 * math.pi * turn * float(x[m] @ y[n]))
                        scores.append(change(layer, h, m - n, amplitude, cosine))
                    weights = torch.tensor(scores).softmax(0).to(v.dtype)
                    out[b, h, m] = weights @ v[b, 0, : m + 1]
        return out

    return attend


@pytest.mark.parametrize("kind", ["cosine by distance", "mean amplitude", "plain"])
def test_means_stand_in_pair_by_pair(kind: str, model, tokens, means):
    changes = {
        "cosine by distance": lambda i, h, d, a, c: a * float(means.by_distance[i, h, d]),
        "mean amplitude": lambda i, h, d, a, c: float(means.amplitude[i, h]) * c,
        "plain": lambda i, h, d, a, c: a * c,
    }
    tokens = tokens[:2, :12]
    slow = phase_tiny.model()
    slow.attend = attend_with(changes[kind])
    if kind == "plain":
        found = phase_ablation.ablated_losses(model, tokens, "no cosine", means, ~ALL)
    else:
        found = phase_ablation.ablated_losses(model, tokens, kind, means, ALL)
    np.testing.assert_allclose(found, losses(slow, tokens), **CLOSE)


def test_means_are_those_of_all_pairs(model, tokens, means):
    """Taken pair by pair: the attention above writes down what it is told."""
    seen: dict[tuple[int, int], list[tuple[int, float, float]]] = {}

    def note(layer, head, distance, amplitude, cosine):
        seen.setdefault((layer, head), []).append((distance, amplitude, cosine))
        return amplitude * cosine

    slow = phase_tiny.model()
    slow.attend = attend_with(note)
    with torch.no_grad():
        slow(tokens)
    for (layer, head), found in seen.items():
        distance, amplitude, cosine = np.array(found).T
        assert abs(float(means.amplitude[layer, head]) - amplitude.mean()) < 1e-4
        assert abs(float(means.cosine[layer, head]) - cosine.mean()) < 1e-4
        by = [cosine[distance == d].mean() for d in range(24)]
        np.testing.assert_allclose(means.by_distance[layer, head].numpy(), by, rtol=0, atol=1e-4)


def test_shuffled_phases_are_drawn_with_the_seed_and_matter(model, tokens, means):
    found = [
        phase_ablation.ablated_losses(model, tokens, "shuffled phases", means, ALL, seed=seed)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()
    assert np.abs(found[0] - losses(model, tokens)).max() > 1e-3


def test_shuffled_phases_are_other_windows_phases_and_keep_their_law():
    """The phase vectors that a window gets are all from other windows, one token for queries and keys alike."""
    part = torch.arange(3 * 24.0).view(3, 1, 24, 1).expand(3, 2, 24, 2)
    moved = phase_ablation.elsewhere(part, 3)
    assert torch.equal(moved, phase_ablation.elsewhere(part, 3))
    assert moved.shape == (3, 2, 23, 2)
    assert (moved[:, 0] == moved[:, 1]).all()
    came_from = (moved[:, 0, :, 0] // 24).long()
    assert (came_from != torch.arange(3)[:, None]).all()
    assert len(came_from.unique()) == 3


@pytest.mark.parametrize("kind", phase_ablation.KINDS)
def test_no_ablation_lets_a_token_see_its_future(kind: str, model, tokens, means):
    """The first 10 tokens' logits do not move with what comes after, in their own window."""
    changed = tokens.clone()
    changed[0, 10:] = (changed[0, 10:] + 1) % 256
    found = []
    for batch in (tokens, changed):
        twin = phase_tiny.model()
        donors = phase_ablation.phase_vectors(twin, batch)
        twin = phase_ablation.ablated(twin, kind, means, ALL, donors=donors)
        with torch.no_grad():
            found.append(twin(batch[:, :-1])[0, :10])
    assert torch.equal(*found)


@pytest.mark.parametrize("method", ["tapa_linear", "tapa_separate", "tapa_general"])
def test_every_method_with_a_phase_can_be_ablated(method: str, tokens):
    other = phase_tiny.model(MethodConfig(method))
    own = phase_ablation.head_means(other, tokens)
    found = {
        kind: phase_ablation.ablated_losses(other, tokens, kind, own, ALL).mean()
        for kind in phase_ablation.KINDS
    }
    assert len({round(value, 9) for value in found.values()}) == len(phase_ablation.KINDS)


def test_the_model_is_as_before_even_after_an_error(model, tokens, means):
    with pytest.raises(InputError, match="ablation 'nothing' is unknown; known: no cosine, mean cosine"):
        phase_ablation.ablated_losses(model, tokens, "nothing", means, ALL)
    phase_ablation.ablated_losses(model, tokens, "no cosine", means, ALL)
    assert model.attend is explicit
    with pytest.raises(InputError, match="1 window leaves no other"):
        phase_ablation.ablated_losses(model, tokens[:1], "shuffled phases", means, ALL)


@pytest.mark.parametrize("count", [2, 8, 9, 17, 25])
def test_no_batch_is_a_single_window(count: int):
    sizes = [len(batch) for batch in phase_ablation._batches(torch.zeros(count, 4, dtype=torch.long))]
    assert sum(sizes) == count
    assert min(sizes) >= 2
    assert max(sizes) <= 8


def test_losses_are_the_models_own(model, tokens):
    with torch.no_grad():
        expected = float(model.loss(tokens))
    assert abs(losses(model, tokens).mean() - expected) < 1e-5
