"""Variance components of scores: exact, the same by both ways, free of bias on dependent pairs, honest about errors."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.encodings import Alibi, Encoding, LinearTapa, Nope, Rope, SlidingWindow, Tapa
from analysis.errors import InputError
from analysis.heads.anova import (
    PARTS,
    Metric,
    PairMeans,
    Space,
    by_document,
    components,
    curves_by_text,
    design,
    draw_token_pairs,
    octave_steps,
    pair_means,
)
from analysis.theory import frequencies

DIM, TEXTS, PAIRS = 8, 5, 7
OVER = design({"within": (1, 15), "beyond": (16, 60)})


def vectors(seed: int, heads: int = 2, length: int = 20) -> torch.Tensor:
    return (
        0.7 + torch.randn(TEXTS, heads, length, DIM, generator=torch.Generator().manual_seed(seed)).double()
    )


def means(encoding: Encoding, *, fast: bool = True, over=OVER) -> PairMeans:
    pairs = draw_token_pairs(TEXTS, PAIRS, 20, seed=3)
    return pair_means(encoding, vectors(0), vectors(1), pairs, over, fast=fast)


ROTATIONS = {
    "RoPE": Rope(frequencies.plain(50.0, DIM)),
    "half-rotated": Rope(frequencies.plain(50.0, DIM, 4)),
    "YaRN, neighbours": Rope(frequencies.yarn(1e4, DIM, factor=8, trained_length=512), scale=0.3),
    "interleaved": Rope(frequencies.plain(50.0, DIM, pairing="interleaved")),
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_coefficients_of_a_rotation_give_what_its_scores_give(name: str):
    """By features and by all scores; float64 sums of a few dozen terms, none much larger than the sum."""
    fast, slow = (means(ROTATIONS[name], fast=fast) for fast in (True, False))
    np.testing.assert_allclose(curves_by_text(fast), curves_by_text(slow), rtol=0, atol=1e-12)
    for weights in OVER.weights:
        a, b = components(fast, weights), components(slow, weights)
        np.testing.assert_allclose(a.variance, b.variance, rtol=1e-11)
        for part in PARTS:
            np.testing.assert_allclose(a.share[part], b.share[part], rtol=0, atol=1e-11)
            np.testing.assert_allclose(a.share_se[part], b.share_se[part], rtol=0, atol=1e-10)


def by_hand(encoding: Encoding, weights: str) -> dict[str, np.ndarray]:
    """The definition, pair of texts by pair of texts, out of every single score."""
    pairs, weight = draw_token_pairs(TEXTS, PAIRS, 20, seed=3), OVER.weights[weights]
    q, k, at = vectors(0), vectors(1), torch.from_numpy(OVER.distances)
    found = {part: np.zeros(2) for part in (*PARTS, "variance")}
    for head in range(2):
        scores = np.array(
            [
                [
                    [
                        encoding.pairwise(q[t, head, m][None], k[t, head, n][None], d[None])[0, 0].item()
                        for d in at
                    ]
                    for m, n in zip(pairs.query[t], pairs.key[t], strict=True)
                ]
                for t in range(TEXTS)
            ]
        )
        curves = scores.mean(axis=1)
        different = list(itertools.permutations(range(TEXTS), 2))
        square = np.mean([(curves[t] @ weight) * (curves[u] @ weight) for t, u in different])
        found["distance"][head] = np.mean([(curves[t] * curves[u]) @ weight for t, u in different]) - square
        found["pair"][head] = np.mean((scores @ weight) ** 2) - square
        found["variance"][head] = np.mean(scores**2 @ weight) - square
    found["interaction"] = found["variance"] - found["distance"] - found["pair"]
    return found


@pytest.mark.parametrize("encoding", [Tapa(DIM), LinearTapa(DIM), ROTATIONS["half-rotated"]], ids=str)
def test_components_are_their_definition(encoding: Encoding):
    for weights in ("within log", "beyond uniform"):
        expected, found = by_hand(encoding, weights), components(means(encoding), weights)
        np.testing.assert_allclose(found.variance, expected["variance"], rtol=1e-10)
        for part in PARTS:
            np.testing.assert_allclose(
                found.share[part] * found.variance,
                expected[part],
                rtol=0,
                atol=1e-10 * expected["variance"].max(),
            )
        np.testing.assert_allclose(sum(found.share.values()), 1.0, rtol=0, atol=1e-12)


def test_nope_is_all_pair_and_alibi_has_no_interaction():
    found = components(means(Nope(DIM)), "within log")
    np.testing.assert_allclose([found.share[part] for part in PARTS], [[0, 0], [1, 1], [0, 0]], atol=1e-12)
    slopes = np.array([0.3, 0.02])
    found = components(means(Alibi(DIM, slopes.tolist())), "within log")
    weight = OVER.weights["within log"]
    spread = weight @ OVER.distances**2 - (weight @ OVER.distances) ** 2
    np.testing.assert_allclose(found.share["distance"] * found.variance, slopes**2 * spread, rtol=1e-10)
    np.testing.assert_allclose(found.share["interaction"], 0.0, atol=1e-12)


def test_the_mean_rotation_is_the_kernel_of_dirichlet():
    """Mean over distances 1 .. n of exp(i d omega), in closed form; weights alike."""
    rope = ROTATIONS["RoPE"]
    found = means(rope).space.metrics["within uniform"].mean
    half, n = rope.frequencies.omega / 2, 15
    size = np.sin(n * half) / (n * np.sin(half))
    expected = np.concatenate([size * np.cos((n + 1) * half), size * np.sin((n + 1) * half), [1.0]])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def drawn(
    rng: np.random.Generator, texts: int, pairs: int, sizes: SimpleNamespace
) -> tuple[PairMeans, np.ndarray]:
    """Scores with known components; pairs of one text share a content and a course over distance."""
    count = len(sizes.effect)
    content = rng.normal(size=(texts, 1, 1)) * sizes.text + rng.normal(size=(texts, pairs, 1)) * sizes.pair
    course = (
        rng.normal(size=(texts, 1, count)) * sizes.course + rng.normal(size=(texts, pairs, count)) * sizes.own
    )
    scores = 5.0 + sizes.effect + content + course - course @ sizes.weight[:, None]
    metric = Metric(sizes.weight, sizes.weight)
    means_, square = scores.mean(axis=1), (scores**2 @ sizes.weight).mean(axis=1)
    pair_square = np.square(scores @ sizes.weight).mean(axis=1)
    space = Space(None, {"w": metric})
    return PairMeans(means_[:, None], {"w": square[:, None]}, {"w": pair_square[:, None]}, space), scores


def test_known_components_come_back_without_bias_though_pairs_are_few_and_dependent():
    weight = 1 / np.arange(1.0, 13)
    weight /= weight.sum()
    effect = 0.3 * np.cos(np.arange(12.0))
    effect -= effect @ weight
    sizes = SimpleNamespace(effect=effect, weight=weight, text=0.5, pair=0.8, course=0.4, own=1.0)
    truth = {
        "distance": weight @ effect**2,
        "pair": sizes.text**2 + sizes.pair**2,
        # white noise less its weighted mean over distances
        "interaction": (sizes.course**2 + sizes.own**2) * (1 - weight @ weight),
    }
    rng, found, naive = np.random.default_rng(5), [], []
    for _ in range(3000):
        sums, scores = drawn(rng, 6, 4, sizes)
        one = components(sums, "w")
        found.append([one.share[part][0] * one.variance[0] for part in PARTS])
        curve = scores.mean(axis=(0, 1))
        naive.append(weight @ curve**2 - (weight @ curve) ** 2)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - list(truth.values())) < 4 * error).all()
    assert (error < 0.03 * np.array(list(truth.values()))).all()
    assert np.mean(naive) > 1.5 * truth["distance"]  # what is not corrected takes noise for distance


def test_the_standard_error_is_that_of_the_estimate():
    """Over draws; a jackknife of ratios errs on the large side, by a quarter at most with eight texts."""
    weight = np.full(12, 1 / 12)
    effect = np.linspace(-1, 1, 12)
    sizes = SimpleNamespace(effect=effect, weight=weight, text=0.5, pair=1.0, course=0.3, own=1.0)
    rng = np.random.default_rng(6)
    one = [components(drawn(rng, 8, 20, sizes)[0], "w") for _ in range(500)]
    for part in PARTS:
        spread = np.std([c.share[part][0] for c in one])
        claimed = np.sqrt(np.mean([c.share_se[part][0] ** 2 for c in one]))
        assert 0.9 < claimed / spread < 1.25


@given(st.integers(0, 2**20), st.sampled_from(["within log", "within uniform", "beyond log"]))
@settings(max_examples=15, deadline=None)
def test_a_common_shift_of_all_scores_moves_no_part(seed: int, weights: str):
    rng = np.random.default_rng(seed)
    weight = OVER.weights[weights]
    scores = rng.normal(size=(4, 3, len(weight)))
    found = []
    for shift in (0.0, 100.0):
        x = scores + shift
        sums = PairMeans(
            x.mean(axis=1)[:, None],
            {"w": (x**2 @ weight).mean(axis=1)[:, None]},
            {"w": np.square(x @ weight).mean(axis=1)[:, None]},
            Space(None, {"w": Metric(weight, weight)}),
        )
        one = components(sums, "w")
        found.append([one.share[part][0] * one.variance[0] for part in PARTS])
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-9)


def test_windows_of_one_document_are_one_text():
    found = by_document(means(Tapa(DIM)), ["b", "a", "b", "c", "a"])
    whole = means(Tapa(DIM))
    assert len(found.mean) == 3
    np.testing.assert_allclose(found.mean[0], (whole.mean[1] + whole.mean[4]) / 2)
    np.testing.assert_allclose(found.square["within log"][2], whole.square["within log"][3])


def test_keys_serve_groups_of_query_heads():
    pairs, q, k = draw_token_pairs(TEXTS, PAIRS, 20, seed=3), vectors(0, heads=4), vectors(1)
    found = pair_means(Tapa(DIM), q, k, pairs, OVER).mean
    each = [pair_means(Tapa(DIM), q[:, [h]], k[:, [h // 2]], pairs, OVER).mean for h in range(4)]
    np.testing.assert_allclose(found, np.concatenate(each, axis=1), atol=1e-14)


def test_every_pair_of_different_tokens_but_the_first_is_equally_likely():
    drawn_pairs = draw_token_pairs(30, 1000, 6, seed=1)
    cells, counts = np.unique(
        np.stack([drawn_pairs.query.ravel(), drawn_pairs.key.ravel()]), axis=1, return_counts=True
    )
    assert {tuple(cell) for cell in cells.T.tolist()} == {(m, n) for m in range(1, 6) for n in range(1, m)}
    assert stats.chisquare(counts).pvalue > 1e-4


def test_octave_steps_are_differences_of_the_mean_score():
    alibi = Alibi(DIM, [0.5, 0.1])
    steps, error = octave_steps(means(alibi), 5, np.array([2.0, 0.5]))
    expected = -np.array([[0.25], [0.2]]) * 2.0 ** np.arange(5)
    np.testing.assert_allclose(steps, expected, rtol=1e-10)
    np.testing.assert_allclose(error, 0.0, atol=1e-12)
    fast, slow = (octave_steps(means(ROTATIONS["RoPE"], fast=f), 5, np.ones(2)) for f in (True, False))
    np.testing.assert_allclose(fast[0], slow[0], atol=1e-12)
    np.testing.assert_allclose(fast[1], slow[1], atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: draw_token_pairs(1, 0, 9, seed=0), "pairs=0 is below 1"),
        (lambda: draw_token_pairs(1, 1, 2, seed=0), "length=2 is below 3"),
        (lambda: design({"within": (0, 5)}), "within: distances 0 .. 5"),
        (lambda: means(SlidingWindow(Nope(DIM), 30)), "a score is not finite; give distances that"),
        (
            lambda: octave_steps(means(Tapa(DIM)), 6, np.ones(2)),
            "6 octaves end at 64 tokens, distances at 60",
        ),
        (lambda: components(by_document(means(Tapa(DIM)), ["a"] * TEXTS), "within log"), "1 window gives no"),
    ],
)
def test_refusals(wrong, message: str):
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace("+", r"\+")):
        wrong()
