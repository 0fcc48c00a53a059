"""Properties of token pairs by hand and pair by pair; effects and probes that find what is planted and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.heads import phase_tokens
from analysis.heads.phase import Factors
from analysis.heads.phase_tokens import FEWEST, FREQUENT, PROPERTIES, RARE, couples, effects, facts, probe
from tests.heads import tiny_phase as phase_tiny

TEXT = 'f(a[1]) "b, c" d\n{x) "e\n'


def known(text: str):
    tokens = np.frombuffer(text.encode(), np.uint8)
    return facts(tokens, np.bincount(tokens, minlength=256))


def test_facts_of_a_line_of_code():
    found = known(TEXT)
    assert found.line.tolist() == [0] * 17 + [1] * 7
    # a bracket counts as inside: "f" 0, "(" to ")" 1, "[1]" 2
    assert found.depth[:8].tolist() == [0, 1, 1, 2, 2, 2, 1, 0]
    assert found.partner[5] == 3
    assert found.partner[6] == 1
    assert found.partner[TEXT.index("x") + 1] == -1  # ")" does not close "{"
    assert {i for i in range(len(TEXT)) if found.bracket[i]} == {1, 3, 5, 6, 17, 19}
    inside = [TEXT[i] for i in range(len(TEXT)) if found.quotation[i] == 1]
    assert "".join(inside) == '"b, c"'
    assert found.quotation.max() == 1  # the second is not closed on its line


@given(st.text(alphabet='ab()[]{}"\n ', min_size=1, max_size=60))
def test_brackets_close_their_own_kind_in_order(text: str):
    found = known(text)
    pairs = {(int(m), close) for close, m in enumerate(found.partner) if m >= 0}
    for first, last in pairs:
        assert text[first] + text[last] in ("()", "[]", "{}")
        assert first < last
        # two pairs are apart, or one is inside the other
        assert not any(first < a < last < b for a, b in pairs)
    balanced = text
    while (shorter := _reduced(balanced)) != balanced:
        balanced = shorter
    if not balanced:
        assert len(pairs) == sum(c in "([{" for c in text)
    assert (found.depth >= 0).all()


def _reduced(text: str) -> str:
    kept = "".join(c for c in text if c in "()[]{}")
    for pair in ("()", "[]", "{}"):
        kept = kept.replace(pair, "")
    return kept


@given(st.lists(st.integers(0, 30), min_size=1, max_size=400))
def test_the_commonest_make_up_half_and_the_rarest_a_twentieth(values: list[int]):
    tokens = np.array(values)
    counts = np.bincount(tokens, minlength=256)
    found = facts(tokens, counts)
    assert found.frequent.mean() >= FREQUENT - 1e-12
    assert found.rare.mean() <= RARE + 1e-12
    assert not (found.frequent & found.rare).any()
    if found.rare.any():
        assert counts[tokens[found.rare]].max() <= counts[tokens[~found.rare]].min()


PAIRWISE = {
    "same token": lambda f, m, n: f.token[m] == f.token[n],
    "same line": lambda f, m, n: f.line[m] == f.line[n],
    "same quotation": lambda f, m, n: f.quotation[m] == f.quotation[n] != 0,
    "same depth": lambda f, m, n: f.depth[m] == f.depth[n],
    "matching bracket": lambda f, m, n: f.partner[m] == n,
    "key is newline": lambda f, m, n: f.token[n] == 10,
    "key is bracket": lambda f, m, n: chr(f.token[n]) in "()[]{}",
    "key is quote": lambda f, m, n: chr(f.token[n]) in "\"'`",
    "key in brackets": lambda f, m, n: f.depth[n] > 0,
    "key is rare": lambda f, m, n: f.rare[n],
    "key is frequent": lambda f, m, n: f.frequent[n],
}


def test_every_property_is_named():
    assert set(PAIRWISE) == set(PROPERTIES)


def head(length: int, seed: int = 0) -> Factors:
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(4, length, 4, generator=generator, dtype=torch.float64)
    return Factors(*parts, alpha=0.1)


def by_hand(phases: np.ndarray, found, name: str) -> float:
    """With less without at equal distance, in plain Python."""
    length = len(phases)
    total = weights = 0.0
    for d in range(1, length):
        having, lacking = [], []
        for m in range(d, length):
            (having if PAIRWISE[name](found, m, m - d) else lacking).append(phases[m, m - d])
        if having and lacking:
            weight = len(having) * len(lacking) / (len(having) + len(lacking))
            total += weight * (np.mean(having) - np.mean(lacking))
            weights += weight
    return total / weights if weights else math.nan


@pytest.mark.parametrize(("rows", "span"), [(16, 16), (7, 100), (64, 1024)])
def test_effects_are_those_of_a_loop_over_all_pairs(rows: int, span: int):
    text = phase_tiny.source(4, 1)[:90]
    found, heads = known(text), [head(len(text)), head(len(text), 1)]
    got = effects(heads, found, rows=rows, span=span)
    for h, own in enumerate(heads):
        phases = (own.x @ own.y.T).numpy()
        for p, name in enumerate(PROPERTIES):
            for kind, values in enumerate((phases, np.abs(phases))):
                expected = by_hand(values, found, name)
                np.testing.assert_allclose(got[kind, h, p], expected, rtol=0, atol=1e-12)


@settings(max_examples=10)
@given(st.floats(0.01, 3.0), st.integers(0, 50))
def test_a_phase_of_distance_alone_has_no_effect(frequency: float, seed: int):
    """phi = cos(w (m - n)): near pairs share tokens and lines, but at equal distance nothing differs."""
    text = phase_tiny.source(6, seed)
    angle = frequency * torch.arange(len(text), dtype=torch.float64)
    wave = torch.stack([angle.cos(), angle.sin()], dim=1)
    own = Factors(wave, wave, wave, wave, alpha=0.1)
    found = effects([own], known(text))
    assert np.nanmax(np.abs(found)) < 1e-10


def test_a_property_that_no_pair_has_says_nothing():
    found = effects([head(30)], known("aabcb" * 6))
    assert np.isnan(found[:, 0, PROPERTIES.index("matching bracket")]).all()
    assert np.isfinite(found[:, 0, PROPERTIES.index("same token")]).all()


# couples and the probe


@pytest.mark.parametrize("name", PROPERTIES)
def test_couples_have_and_lack_the_property_at_one_distance(name: str):
    found = known(phase_tiny.source(60, 3))
    chosen = couples(found, name, seed=0, most=50)
    assert chosen is not None
    assert FEWEST <= len(chosen.having) == len(chosen.lacking) <= 50
    for (m, n), (other, its) in zip(chosen.having.tolist(), chosen.lacking.tolist(), strict=True):
        assert m - n == other - its > 0
        assert its >= 0
        assert PAIRWISE[name](found, m, n)
        assert not PAIRWISE[name](found, other, its)


def test_too_few_pairs_are_not_probed():
    assert couples(known("abc" * 30), "matching bracket", seed=0) is None
    assert couples(known("a" * 90), "same token", seed=0) is None  # every pair has it


def test_a_probe_finds_what_is_planted_in_the_phase_and_nothing_elsewhere():
    """Phase vectors say whether a token is a bracket; amplitude vectors are noise: accuracy 1, and one half."""
    windows, chosen, names = [], [], []
    for i in range(6):
        found = known(phase_tiny.source(40, i))
        own = head(len(found.token), seed=i)
        y = own.y.clone()
        y[:, 0] = torch.from_numpy(found.bracket) + 0.01 * y[:, 0]
        windows.append(Factors(own.a, own.b, own.x, y, alpha=0.1))
        chosen.append(couples(found, "key is bracket", seed=i, most=200))
        names.append(f"document {i // 2}")
    said = probe(windows, chosen, names, seed=0)
    assert said["phase"].value > 0.999
    pairs = sum(2 * len(c.having) for c in chosen if c is not None)
    for key in ("amplitude", "phase, control", "amplitude, control"):
        # of 1/2 by chance; the two of a couple answer alike at worst, and tokens recur in couples
        assert abs(said[key].value - 0.5) < 4 * math.sqrt(0.25 / (pairs / 8)), key
        assert said[key].low <= said[key].value <= said[key].high


def test_one_document_cannot_be_held_out():
    found = known(phase_tiny.source(40, 0))
    chosen = couples(found, "same line", seed=0)
    own = head(len(found.token))
    for documents, those in ((["a", "a"], [chosen, chosen]), (["a", "b"], [chosen, None])):
        said = probe([own, own], those, documents, seed=0)
        assert all(math.isnan(interval.value) for interval in said.values())


@pytest.mark.parametrize("constant", [False, True])
def test_the_probe_is_ridge_regression_on_standard_scores(constant: bool):
    """Once more with the scores themselves, by least squares of the stacked system, for every held-out fold."""
    rng = np.random.default_rng(0)
    held = np.array([0, 0, 1, 2])
    features = [rng.normal(3.0, 2.0, (2 * n, 5)) @ rng.normal(size=(5, 5)) for n in (20, 31, 12, 40)]
    if constant:  # as those of a linear phase
        features = [np.column_stack([x, np.full(len(x), 0.7)]) for x in features]
    signs = [rng.choice([-1.0, 1.0], len(x) // 2) for x in features]
    found = phase_tokens._accuracies(features, [x.T @ x for x in features], signs, held)
    labels = [np.concatenate([sign, -sign]) for sign in signs]
    for fold in range(3):
        inside, outside = np.flatnonzero(held != fold), np.flatnonzero(held == fold)
        train, y = (np.concatenate([part[i] for i in inside]) for part in (features, labels))
        centre, scale = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-6)
        ridge = np.sqrt(1e-2 * len(train)) * np.eye(train.shape[1])
        stacked = np.concatenate([(train - centre) / scale, ridge])
        weight = np.linalg.lstsq(stacked, np.concatenate([y, np.zeros(len(ridge))]))[0]
        for i in outside:
            says = (features[i] - centre) / scale @ weight > 0
            assert found[i] == (says == (labels[i] > 0)).mean()
