"""Doses and losses of interventions of equal far mass."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from analysis.heads.bias_interventions import NAMES, Curves, intervention
from analysis.studies import equal_dose
from analysis.studies.equal_dose import IntervenedModel
from analysis.studies.extrapolation_bias import observe, predicted_mean, spread_within
from analysis.text.windows import Document, spans
from tests.heads import tiny_phase


@given(st.floats(1, 8), st.floats(1e-6, 1))
def test_a_run_that_learned_beats_the_bigram_by_a_quarter_of_a_bit(bigram: float, more: float):
    edge = (bigram - 0.25) * math.log(2)
    assert equal_dose.has_learned(edge * (1 - more), bigram)
    assert not equal_dose.has_learned(edge * (1 + more), bigram)
    assert not equal_dose.has_learned(math.nan, bigram)


TRAINED, LENGTH, SCORED = 16, 64, 8


def subject(method: str = "rope", seed: int = 0) -> IntervenedModel:
    """A small model with curves of its own, and texts of drawn bytes."""
    model = tiny_phase.model(method, context=TRAINED, gain=6.0, seed=seed)
    rng = np.random.default_rng(1)
    texts = [Document(name, rng.integers(0, 256, 400).astype(np.uint8)) for name in "abcd"]
    tokens = torch.from_numpy(rng.integers(0, 256, (2, LENGTH + TRAINED)))
    seen = observe(model, tokens, TRAINED)
    predicted = predicted_mean(model, tokens[:, :TRAINED], LENGTH + TRAINED) if method == "rope" else ()
    curves = Curves(seen.mean, spread_within(seen), TRAINED, *predicted)
    chosen = (spans(texts[i : i + 2], LENGTH - SCORED, SCORED, 4, seed=0) for i in (0, 2))
    return IntervenedModel(model, curves, *chosen, 0)


@pytest.mark.parametrize("kind", ["plain", "hold", "mask", "hold-but-sink"])
@pytest.mark.parametrize("method", ["rope", "tapa", "alibi"])
def test_a_reading_is_what_the_whole_model_says_and_where_its_weights_lie(
    method: str, kind: str, monkeypatch
):
    """The witness computes every logit and every weight, length x length."""
    monkeypatch.setattr(equal_dose, "BLOCK", 20)
    made = subject(method)
    twin = made.model.with_interventions(intervention(kind, made.curves, LENGTH))
    tokens = made.chosen.cut(LENGTH - SCORED)
    weights: list[torch.Tensor] = []

    def attend(encoding, q, k, v, positions, layer):
        scores = encoding.scores(q, k.repeat_interleave(2, dim=1), positions, positions)
        found = scores.masked_fill(positions[:, None] < positions, -math.inf).softmax(dim=-1)
        weights.append(found[:, :, -SCORED:].double())
        return found @ v.repeat_interleave(2, dim=1)

    twin.attend = attend
    with torch.inference_mode():
        every = F.cross_entropy(twin(tokens[:, :-1]).mT, tokens[:, 1:], reduction="none").double()
    found = made.read(kind, LENGTH, made.chosen)
    np.testing.assert_allclose(found.nats, every[:, -SCORED:].sum(dim=1), rtol=1e-5)
    seen = torch.stack(weights)  # layers, windows, heads, queries, keys
    distance = torch.arange(LENGTH - 1)[-SCORED:, None] - torch.arange(LENGTH - 1)
    far = (seen * (distance >= TRAINED)).sum(dim=-1)
    np.testing.assert_allclose(found.far, far.mean(dim=(0, 2, 3)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.far_by_head, far.mean(dim=(1, 3)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        found.opening, seen[..., :4].sum(dim=-1).mean(dim=(0, 2, 3)), rtol=0, atol=1e-6
    )
    entropy = -torch.where(seen > 0, seen * seen.log(), 0.0).sum(dim=-1)
    np.testing.assert_allclose(found.entropy, entropy.mean(dim=(0, 2, 3)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["matched-constant", "matched-heads", "clamp-constant"])
@pytest.mark.parametrize("method", ["rope", "tapa"])
def test_a_matched_constant_has_the_far_mass_of_what_it_is_matched_to(method: str, kind: str):
    made = subject(method)
    target = made.read(equal_dose.TARGETS[kind], LENGTH, made.matching)
    found = made.read(kind, LENGTH, made.matching, made.matched(kind, LENGTH, target))
    off = np.abs(found.far_by_head - target.far_by_head)
    if kind == "matched-heads":
        assert off.max() <= equal_dose.TOLERANCE
    assert abs(found.far.mean() - target.far.mean()) <= equal_dose.TOLERANCE


def test_kinds_are_interventions_and_contrasts_are_of_kinds():
    assert {kind.partition(" ")[0] for kind in equal_dose.KINDS} <= set(NAMES)
    assert len(set(equal_dose.KINDS)) == len(equal_dose.KINDS)
    assert set(equal_dose.BRIEF) <= set(equal_dose.TESTED)
    assert {kind for pair in equal_dose.CONTRASTS.values() for kind in pair} <= set(equal_dose.KINDS)
    assert equal_dose.CONTRASTS["shape"] == ("hold", "matched-constant")  # the endpoint of the plan


def test_recovered_losses_are_of_the_same_tokens_and_nothing_is_recovered_plain():
    made = subject()
    cells = equal_dose.compare_interventions(made, (32, LENGTH), described=False)
    assert cells[0]["length"] == TRAINED
    by = {(a["kind"], a["length"]): a for a in cells}
    assert len(by) == len(cells)
    for length in (32, LENGTH):
        plain = by["plain", length]
        assert plain["back"][0] == 0
        for kind in equal_dose.BRIEF:
            bits = by[kind, length]["bits_per_byte"]
            assert bits["plain"] == plain["bits_per_byte"]["altered"]
            assert bits["trained"] == cells[0]["bits_per_byte"]["altered"]
            nats = np.sum(by[kind, length]["nats"])
            assert bits["altered"] == pytest.approx(nats / (4 * SCORED * math.log(2)))
    # of a vocabulary of byte pairs: per byte of text, and not per token
    made = subject()
    found = replace(made, token_bytes=np.arange(256) % 3 + 1)
    size = int((made.chosen.cut(0) % 3 + 1).sum())
    assert size > 1.5 * 4 * SCORED
    for cell in equal_dose.compare_interventions(found, (LENGTH,), described=False):
        own = by[cell["kind"], cell["length"]]
        for key, value in own["bits_per_byte"].items():
            assert cell["bits_per_byte"][key] == pytest.approx(value * 4 * SCORED / size)
        assert cell["back"][0] == pytest.approx(own["back"][0] * 4 * SCORED / size)
    assert by["mask", LENGTH]["far_mass"] == 0
    assert by["constant -2", LENGTH]["far_mass"] < by["constant -1", LENGTH]["far_mass"]
    assert by["constant -1", LENGTH]["constant"] == -1.0
