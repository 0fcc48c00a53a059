"""Kinds of keys against their definitions, weights against a softmax by hand, and heads whose attention is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.encodings import Encoding
from analysis.errors import InputError
from analysis.heads import phase_targets
from analysis.heads.phase_ablation import head_means
from analysis.heads.phase_targets import (
    CONDITIONS,
    DISTANCES,
    IN_TEXT,
    TARGETS,
    attention_by_target,
    target_masks,
)
from analysis.intervals import Interval
from analysis.models.capture import read_layers
from tests.heads import tiny_phase as phase_tiny

LENGTH = 32
TOKENS = np.array([list(phase_tiny.source(30, i).encode())[:LENGTH] for i in range(5)])
REPEATED = phase_targets.repeated_segments(TOKENS, seed=3)


def kinds_of(window: list[int], query: int, key: int) -> set[str]:
    """By definition, one pair at a time."""
    found = {"itself"} if key == query else set()
    found |= {"previous"} if key == query - 1 else set()
    found |= {"first"} if key == 0 else set()
    earlier = [i for i in range(query - 1) if window[i] == window[query]]
    found |= {"same byte"} if key in earlier else set()
    found |= {"after same byte"} if key - 1 in earlier else set()
    return found | ({"newline"} if window[key] == 10 and key < query else set())


@given(tokens=hnp.arrays(np.int64, (2, 10), elements=st.integers(8, 11)))
@settings(max_examples=40)
def test_kinds_of_keys_are_those_of_the_definition(tokens: np.ndarray):
    found = target_masks(tokens)
    for (w, r, key), _ in np.ndenumerate(found[0]):
        query = 5 + r
        if key <= query:
            named = {IN_TEXT[t] for t in range(len(IN_TEXT)) if found[t, w, r, key]}
            assert named == kinds_of(tokens[w].tolist(), query, key)


def test_a_repeated_segment_is_one():
    assert REPEATED.shape == TOKENS.shape
    assert (REPEATED[:, : LENGTH // 2] == REPEATED[:, LENGTH // 2 :]).all()
    assert set(REPEATED.ravel()) <= set(TOKENS.ravel())
    assert (phase_targets.repeated_segments(TOKENS, seed=4) != REPEATED).any()
    with pytest.raises(InputError, match="a window of 31 tokens is no segment twice; give an even length"):
        phase_targets.repeated_segments(TOKENS[:, 1:], seed=0)


def test_weights_and_sums_are_those_of_each_query_by_hand():
    """Every query's softmax in float64, from the q and k that the whole model computes, under each condition."""
    model = phase_tiny.model()
    found = attention_by_target(model, TOKENS, REPEATED)
    assert found.conditions == CONDITIONS
    means = head_means(model, torch.from_numpy(TOKENS))
    read: list[tuple] = []
    read_layers(
        model, torch.from_numpy(TOKENS), lambda layer, encoding, q, k, entropy: read.append((encoding, q, k))
    )
    for layer, (encoding, q, k) in enumerate(read):
        a, b, x, y = (part.double().numpy() for part in encoding.factors(q, k.repeat_interleave(2, dim=1)))
        distance = np.arange(LENGTH)[:, None] - np.arange(LENGTH)
        amplitude = encoding.scale * a @ b.swapaxes(-1, -2)
        turns = x @ y.swapaxes(-1, -2)
        with np.errstate(invalid="ignore"):
            cosines = {
                "phase": np.cos(2 * np.pi * np.abs(distance) ** encoding.alpha * turns),
                "distance 1": np.cos(2 * np.pi * turns),
                "cosine by distance": means.by_distance[layer].double().numpy()[:, np.abs(distance)],
                "mean cosine": means.cosine[layer].double().numpy()[:, None, None],
                "no cosine": 1.0,
            }
        assert list(cosines) == list(CONDITIONS)
        plain = None
        for c, cosine in reversed(list(enumerate(cosines.values()))):
            score = np.where(distance >= 0, amplitude * cosine, -np.inf)
            weight = np.exp(score - score.max(axis=-1, keepdims=True))
            weight /= weight.sum(axis=-1, keepdims=True)
            rows = weight[:, :, LENGTH // 2 :]
            plain = rows if CONDITIONS[c] == "mean cosine" else plain
            assert found.target[c, layer, :, TARGETS.index("previous")] == pytest.approx(
                np.stack([np.diagonal(weight, -1, 2, 3)[:, :, LENGTH // 2 - 1 :].mean(axis=-1)])[0].T,
                abs=1e-5,
            )
            assert found.target[c, layer, :, TARGETS.index("first")] == pytest.approx(
                rows[..., 0].mean(axis=-1).T, abs=1e-5
            )
            near = np.where((distance >= 2) & (distance < 4), weight, 0)[:, :, LENGTH // 2 :].sum(axis=-1)
            assert found.by_distance[c, layer, :, DISTANCES.index(2)] == pytest.approx(
                near.mean(axis=-1).T, abs=1e-5
            )
        half = np.abs(rows - plain).sum(axis=-1).mean(axis=-1) / 2
        assert found.moved[layer] == pytest.approx(half.T, abs=1e-5)
        assert (found.moved[layer] > 0.01).all()


@dataclass(frozen=True, eq=False)
class Apart(Encoding):
    """Attends to the key that is `distance` tokens before the query, and to no other."""

    symmetric: ClassVar[bool] = False
    inner_product: ClassVar[bool] = False
    head_dim: int
    distance: int

    def scores(self, q, k, query_positions, key_positions):
        off = (query_positions[:, None] - key_positions - self.distance).abs().to(q.dtype)
        return (-1e4 * off).expand(*q.shape[:2], *off.shape)

    def pairwise(self, q, k, distance):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("distance", "kind"),
    [(0, "itself"), (1, "previous"), (LENGTH // 2, "same place"), (LENGTH // 2 - 1, "after same place")],
)
def test_a_head_that_attends_to_one_kind_is_seen_to(distance: int, kind: str):
    model = phase_tiny.model("nope", context=LENGTH).with_encoding(Apart(8, distance))
    found = attention_by_target(model, TOKENS, REPEATED)
    assert found.conditions == ("phase",)
    assert (found.target[0, :, :, TARGETS.index(kind)] == 1).all()
    others = {"itself", "previous", "same place", "after same place"} - {kind}
    assert all((found.target[0, :, :, TARGETS.index(other)] == 0).all() for other in others)
    of_range = max(i for i, first in enumerate(DISTANCES) if first <= distance)
    assert (found.by_distance[0, :, :, of_range] == 1).all()
    assert (found.moved == 0).all()


def test_attention_to_all_alike_is_the_uniform_one():
    model = phase_tiny.model("nope", context=LENGTH)
    with torch.no_grad():
        for attention in model.attentions:
            attention.query.weight.zero_()
    found = attention_by_target(model, TOKENS, REPEATED)
    for layer, head in np.ndindex(2, 2):
        both = found.target[0, layer, head], found.uniform
        assert both[0] == pytest.approx(both[1], abs=1e-6, nan_ok=True)
    assert np.isnan(found.uniform[TARGETS.index("newline")]).any()  # windows without a newline have no say
    assert found.by_distance.sum(axis=3) == pytest.approx(1.0, abs=1e-6)
    previous = np.mean([1 / (query + 1) for query in range(LENGTH // 2, LENGTH)])
    assert found.uniform[TARGETS.index("previous")] == pytest.approx(previous)


def test_without_phases_no_condition_differs():
    model = phase_tiny.model()
    with torch.no_grad():
        for name in model.phase_parameters():
            dict(model.named_parameters())[name].zero_()
    found = attention_by_target(model, TOKENS, REPEATED)
    for c in range(1, len(CONDITIONS)):
        assert found.target[c] == pytest.approx(found.target[0], abs=1e-6, nan_ok=True)
    assert found.moved == pytest.approx(0.0, abs=1e-6)
    shift = phase_targets.phase_shifts(found, list("aabbc"), 0, 1)
    assert list(shift) == list(TARGETS)
    assert shift["previous"].value == pytest.approx(0.0, abs=1e-6)
    assert phase_targets.phase_moves(shift["previous"]) == 0


def test_the_rule():
    assert phase_targets.attends_to(0.2, 0.06)
    assert not phase_targets.attends_to(0.19, 0.01)
    assert not phase_targets.attends_to(0.3, 0.11)  # uniform attention would give a third of it
    assert not phase_targets.attends_to(math.nan, 0.01)
    assert phase_targets.phase_moves(Interval(0.1, 0.01, 0.2)) == 1
    assert phase_targets.phase_moves(Interval(-0.3, -0.4, -0.2)) == -1
    for unsure in (
        Interval(0.09, 0.08, 0.1),
        Interval(0.3, -0.1, 0.7),
        Interval(-0.3, -0.7, 0.1),
        Interval(0.3, math.nan, math.nan),
    ):
        assert phase_targets.phase_moves(unsure) == 0


def test_only_documents_that_have_such_a_key_count():
    values = np.array([0.2, np.nan, 0.4, 0.6, np.nan])
    found = phase_targets.over_present_documents(values, list("aabbc"))
    assert found.value == pytest.approx((0.2 + 0.5) / 2)
    assert math.isnan(phase_targets.over_present_documents(np.full(2, np.nan), list("ab")).value)
