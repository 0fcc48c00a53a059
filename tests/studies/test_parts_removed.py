"""Losses without a part of the score: against attention by hand, from scores of every pair at every distance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from analysis.models.attention import explicit
from analysis.models.checkpoint import load_model
from analysis.models.llama import Llama
from analysis.models.load import TrainedModel
from analysis.studies import parts_removed
from analysis.studies.parts_removed import INTERVENTIONS, LayerParts, changed_encoding, losses, removed
from analysis.studies.score_variance import Settings, parts_of_layers
from analysis.text.corpus import Corpus, Raw, from_texts
from analysis.text.tokenizer import BytePairs, learn_byte_pairs
from analysis.text.windows import Spans, spans
from tests.heads import tiny_phase as phase_tiny

TRAINED, TARGET = 16, 8
SETTINGS = Settings(windows=8, pairs=160, spans=4)
KINDS = ("no distance part", "no pair part", "no interaction", "pair part alone", "distance part alone")


@pytest.fixture(scope="module")
def data() -> Corpus:
    return from_texts(Raw([(f"{i}.py", phase_tiny.source(14, i).encode()) for i in range(30)], {}))


def parts(method: str, data: Corpus, tmp_path) -> tuple[Llama, dict[int, LayerParts]]:
    model = TrainedModel(phase_tiny.save(phase_tiny.model(method, context=TRAINED, gain=6.0), tmp_path))
    return model.llama, parts_of_layers(
        model, [(d.name, d.tokens.tolist()) for d in data.validation], SETTINGS
    )


def chosen(data: Corpus) -> Spans:
    return spans(data.test, 8 * TRAINED - TARGET, TARGET, 4, seed=0)


def by_hand(model: Llama, kind: str, layers: dict[int, LayerParts], tokens: Tensor) -> Tensor:
    """Logits with every score put together from that of the same two vectors at all distances within L."""

    def attend(encoding, q, k, v, positions, layer):
        k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
        own = encoding.scores(q, k, positions, positions)
        apart = torch.arange(1.0, TRAINED)
        weight = (1 / apart) / (1 / apart).sum()
        pair = torch.empty_like(own)
        for n in range(k.shape[2]):
            key = k[:, :, n, None].expand_as(q)
            pair[..., n] = encoding.pairwise(q, key, apart) @ weight
        distance = (positions[:, None] - positions).clamp(min=0)
        effect, level = layers[layer].effect[:, distance], layers[layer].level[:, None, None]
        rest = own - pair - effect
        kept = {
            "no distance part": pair + rest, "no pair part": level + effect + rest, "no interaction": pair + effect,
            "pair part alone": pair, "distance part alone": (level + effect).expand_as(pair),
        }[kind]  # fmt: skip
        hidden = positions[:, None] < positions
        return kept.masked_fill(hidden, -math.inf).softmax(dim=-1) @ v

    before, model.attend = model.attend, attend
    with torch.inference_mode():
        logits = model(tokens)
    model.attend = before
    return logits


@pytest.mark.parametrize("method", ["rope", "partial", "tapa", "alibi"])
def test_losses_are_those_of_scores_put_together_by_hand(method: str, data: Corpus, tmp_path):
    model, layers = parts(method, data, tmp_path)
    found = removed(model, layers, data, count=4, seed=0)
    whole = chosen(data).cut(2 * TRAINED - TARGET)
    for kind in KINDS:
        logits = by_hand(model, kind, layers, whole[:, :-1])[:, -TARGET:]
        nats = F.cross_entropy(logits.mT, whole[:, -TARGET:], reduction="none").double().sum()
        (row,) = [r for r in found if (r["intervention"], r["multiple"]) == (kind, 2)]
        expected = float(nats) / (4 * TARGET * math.log(2))
        # float32 scores of some tens and their softmax, added up in another order
        assert row["bits_per_byte"] == pytest.approx(expected, abs=1e-3)
    plain = {r["multiple"]: r["bits_per_byte"] for r in found if r["intervention"] == "as it is"}
    for row in found:
        assert row["change"] == pytest.approx(row["bits_per_byte"] - plain[row["multiple"]], abs=1e-9)
        if row["intervention"] != "as it is":
            assert row["change_low"] <= row["change"] <= row["change_high"]
    kinds = {m: [r["intervention"] for r in found if r["multiple"] == m] for m in (1, 2, 4, 8)}
    assert all(kind == list(INTERVENTIONS) for kind in kinds.values())


def test_losses_of_byte_pairs_are_per_byte(data: Corpus, tmp_path, monkeypatch: pytest.MonkeyPatch):
    model, layers = parts("rope", data, tmp_path)
    sizes, pairs = np.arange(256) % 3 + 1, learn_byte_pairs([b"of the bytes of the text"], 257)
    monkeypatch.setattr(BytePairs, "token_bytes", sizes)
    own, found = (
        removed(model, layers, one, count=4, seed=0) for one in (data, replace(data, tokenizer=pairs))
    )
    share = 4 * TARGET / sizes[chosen(data).cut(0).numpy()].sum()
    assert share < 0.7
    for per_token, per_byte in zip(own, found, strict=True):
        for name in ("bits_per_byte", "change"):
            assert per_byte[name] == pytest.approx(share * per_token[name])


def test_the_model_as_it_is_and_its_far_mass(data: Corpus, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts_removed, "ROWS", 20)  # several blocks, the last of them shorter
    model, _ = parts("tapa", data, tmp_path)
    nats, far = losses(model, chosen(data), 4 * TRAINED)
    whole = chosen(data).cut(4 * TRAINED - TARGET)
    shares = []

    def attend(encoding, q, k, v, positions, layer):
        scores = encoding.scores(q, k.repeat_interleave(2, dim=1), positions, positions)
        distance = positions[:, None] - positions
        weights = scores.masked_fill(distance < 0, -math.inf).softmax(dim=-1)
        shares.append(weights.masked_fill(distance < TRAINED, 0.0).sum(dim=-1)[:, :, -TARGET:].mean())
        return explicit(encoding, q, k, v, positions)

    model.attend = attend
    with torch.inference_mode():
        logits = model(whole[:, :-1])[:, -TARGET:]
    each = F.cross_entropy(logits.mT, whole[:, -TARGET:], reduction="none").double().sum(dim=1)
    np.testing.assert_allclose(nats, each.numpy(), rtol=1e-5)
    assert far == pytest.approx(float(torch.stack(shares).mean()), rel=1e-5)


def test_nope_has_only_its_pair_part(data: Corpus, tmp_path):
    model, layers = parts("nope", data, tmp_path)
    found = {
        r["intervention"]: r for r in removed(model, layers, data, count=4, seed=0) if r["multiple"] == 1
    }
    for kind in ("no distance part", "no interaction", "pair part alone", "control: distance part shuffled"):
        assert found[kind]["change"] == pytest.approx(0.0, abs=1e-5)
    assert found["no pair part"]["bits_per_byte"] == pytest.approx(
        found["distance part alone"]["bits_per_byte"], abs=1e-4
    )
    # above the rounding of what must not change
    assert abs(found["no pair part"]["change"]) > 1e-4
    assert abs(found["control: foreign pair part"]["change"]) > 1e-4


@pytest.mark.parametrize("method", ["rope", "tapa"])
def test_the_shuffled_distance_part_is_as_large_and_in_other_places(method: str, data: Corpus, tmp_path):
    _, layers = parts(method, data, tmp_path)
    apart = np.arange(1, TRAINED)
    weight = (1 / apart) / (1 / apart).sum()
    for layer in layers.values():
        own, other = (x[:, 1:TRAINED].double().numpy() for x in (layer.effect, layer.shuffled))
        sizes = [np.sqrt((x - (x @ weight)[:, None]) ** 2 @ weight) for x in (own, other)]
        np.testing.assert_allclose(sizes[0], sizes[1], rtol=1e-4)
        assert (np.abs(own - other).max(axis=1) > 0.1 * np.abs(own).max(axis=1)).all()
        # beyond L nothing is mixed with what is within
        assert set(np.round((layer.shuffled[0, TRAINED:] / layer.shuffled[0, -1]).numpy(), 2).tolist())


def test_sliding_windows_stay(data: Corpus, tmp_path):
    """Half the trained length; nothing beyond it gets weight under any intervention."""
    path = phase_tiny.save(phase_tiny.model("window", context=TRAINED, gain=6.0), tmp_path)
    model = TrainedModel(path)
    layers = parts_of_layers(model, [(d.name, d.tokens.tolist()) for d in data.validation], SETTINGS)
    found = removed(load_model(path), layers, data, count=4, seed=0)
    assert {row["far_mass"] for row in found} == {0.0}
    assert changed_encoding("no interaction", layers[0]).reach is None  # the window is put around it
