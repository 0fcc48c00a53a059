"""Parts of a score as encodings: means over distances against their definition, parts that add up to the score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from analysis.encodings import Alibi, Encoding, LinearTapa, Nope, Rope, Tapa
from analysis.encodings.interventions import Shifted
from analysis.encodings.score_parts import DistanceMean, ForeignParts, KeptParts
from analysis.errors import InputError
from analysis.models.attention import Streaming, oracle
from analysis.theory import frequencies

HEADS, LENGTH, DIM = 2, 14, 8
DISTANCES = torch.arange(1, 10)
WEIGHTS = (1 / DISTANCES.double()) / (1 / DISTANCES.double()).sum()
POSITIONS = torch.arange(LENGTH)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


Q, K, V = (normal(seed, 3, HEADS, LENGTH, DIM) for seed in range(3))
EFFECT, LEVEL = normal(4, HEADS, LENGTH), normal(5, HEADS)
ENCODINGS: dict[str, Encoding] = {
    "RoPE": Rope(frequencies.plain(50.0, DIM)),
    "half-rotated, neighbours": Rope(frequencies.plain(50.0, DIM, 4, pairing="interleaved")),
    "YaRN": Rope(frequencies.yarn(1e4, DIM, factor=8, trained_length=512)),
    "xPos": Rope(frequencies.xpos(1e4, DIM)),
    "TAPA": Tapa(DIM),
    "TAPA, linear phase": LinearTapa(DIM, alpha=0.4),
    "NoPE": Nope(DIM, scale=0.3),
    "ALiBi": Alibi(DIM, [0.25, 0.5]),
    "shifted": Shifted(Nope(DIM), normal(6, HEADS, LENGTH)),
}


def mean_of(encoding: Encoding) -> DistanceMean:
    return DistanceMean(encoding, DISTANCES, WEIGHTS)


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_mean_over_distances_is_the_weighted_sum_of_scores_at_each(name: str):
    encoding = ENCODINGS[name]
    found = mean_of(encoding).scores(Q, K, POSITIONS, POSITIONS)
    for m, n in ((13, 0), (5, 5), (2, 9)):
        each = [
            encoding.pairwise(Q[:, :, [m]], K[:, :, [n]], distance[None])[..., 0, 0] * weight
            for distance, weight in zip(DISTANCES, WEIGHTS, strict=True)
        ]
        torch.testing.assert_close(found[:, :, m, n], torch.stack(each).sum(dim=0), rtol=0, atol=1e-12)
    narrow = mean_of(encoding).scores(Q.float(), K.float(), POSITIONS, POSITIONS)
    assert narrow.dtype == torch.float32
    # rounded vectors: sums of a few dozen products, and under xPos of decays up to a factor of ten
    torch.testing.assert_close(narrow.double(), found, rtol=0, atol=2e-5 * float(found.abs().max()))
    matched = mean_of(encoding).pairwise(Q, K, torch.tensor([3, 8]))
    torch.testing.assert_close(matched[..., 1], found.diagonal(dim1=-2, dim2=-1), rtol=0, atol=1e-12)


def test_many_phases_are_interpolated_within_rounding():
    """Enough phases for the table; the bound is three units of float32 on a cosine, plus those of its sums."""
    tapa = Tapa(DIM, alpha=0.1)
    q, k = (normal(seed, 1, 400, DIM).float() for seed in (7, 8))
    at = torch.arange(400)
    found = mean_of(tapa).scores(q, k, at, at)
    exact = mean_of(tapa).scores(q.double(), k.double(), at, at)
    amplitude = (q[..., :4] @ k[..., :4].mT).abs() / 2
    phase = (q[..., 4:].double() @ k[..., 4:].double().mT).abs() / 2
    turn = float(tapa.turn(DISTANCES, torch.float64).max())
    unit = torch.finfo(torch.float32).eps
    # the phase itself is a float32 sum of four products of numbers up to a dozen
    budget = amplitude * unit * (4 + turn * (4 * phase + 200)) + 8 * unit * 40
    assert ((found - exact).abs() <= budget).all()
    assert float((found - exact).abs().max()) < 1e-3 * float(exact.abs().max())
    assert phase.numel() > 2 + float(phase.max()) * turn / np.sqrt(8 * unit)  # so that there is a table


@pytest.mark.parametrize("name", ["RoPE", "TAPA", "ALiBi"])
def test_parts_add_up_to_the_score(name: str):
    encoding, mean = ENCODINGS[name], mean_of(ENCODINGS[name])
    scores, average = (e.scores(Q, K, POSITIONS, POSITIONS) for e in (encoding, mean))
    level = LEVEL[:, None, None]
    one = {
        part: KeptParts(mean, EFFECT, LEVEL, **{part: True}).scores(Q, K, POSITIONS, POSITIONS) - level
        for part in ("distance", "pair", "interaction")
    }
    torch.testing.assert_close(sum(one.values()) + level, scores, rtol=0, atol=1e-12)
    torch.testing.assert_close(one["pair"], average - level, rtol=0, atol=1e-12)
    torch.testing.assert_close(one["distance"][0, :, 9, 3], EFFECT[:, 6], rtol=0, atol=1e-12)
    assert (one["distance"][0, :, 3, 9] == 0).all()
    for kept in itertools.product([False, True], repeat=3):
        chosen = dict(zip(one, kept, strict=True))
        both = KeptParts(mean, EFFECT, LEVEL, **chosen)
        expected = sum((one[part] for part in one if chosen[part]), level.expand_as(scores))
        torch.testing.assert_close(both.scores(Q, K, POSITIONS, POSITIONS), expected, rtol=0, atol=1e-12)
        apart = torch.tensor([0, 4])
        matched = both.pairwise(Q[:, :, 4:], K[:, :, :-4], apart)[..., 1]
        torch.testing.assert_close(matched, expected.diagonal(-4, -2, -1), rtol=0, atol=1e-12)


def test_foreign_parts_are_those_of_the_next_window():
    encoding, mean = ENCODINGS["RoPE"], mean_of(ENCODINGS["RoPE"])
    found = ForeignParts(mean, EFFECT, LEVEL, interaction=True).scores(Q, K, POSITIONS, POSITIONS)
    q, other = Q[1, 0, [11]], K[0, 0, [4]]  # keys of window 0 stand in for those of window 1
    apart = torch.tensor([7])
    taken = encoding.pairwise(q, other, apart) - mean.pairwise(q, other, apart) - EFFECT[0, 7]
    own = encoding.pairwise(q, K[1, 0, [4]], apart)
    torch.testing.assert_close(found[1, 0, 11, 4], (own - taken)[0, 0], rtol=0, atol=1e-12)
    found = ForeignParts(mean, EFFECT, LEVEL, pair=True).scores(Q, K, POSITIONS, POSITIONS)
    taken = mean.pairwise(q, other, apart) - LEVEL[0]
    torch.testing.assert_close(found[1, 0, 11, 4], (own - taken)[0, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["RoPE", "TAPA", "ALiBi"])
def test_attention_by_tiles_takes_parts_as_any_encoding(name: str):
    kept = KeptParts(mean_of(ENCODINGS[name]), EFFECT, LEVEL, distance=True, pair=True)
    found = Streaming(5, compiled=False)(kept, Q, K, V, POSITIONS)
    torch.testing.assert_close(found, oracle(kept, Q, K, V, POSITIONS), rtol=0, atol=1e-10)


def test_refusals():
    with pytest.raises(InputError, match="weights of 9 distances sum to 9; give ones that sum to 1"):
        DistanceMean(Nope(DIM), DISTANCES, torch.ones(9).double())
    foreign = ForeignParts(mean_of(Nope(DIM)), EFFECT, LEVEL, pair=True)
    with pytest.raises(InputError, match=r"keys of shape \(1, 2, 14, 8\) hold no second window"):
        foreign.scores(Q[:1], K[:1], POSITIONS, POSITIONS)
    with pytest.raises(InputError, match="matched pairs have none; use scores"):
        foreign.pairwise(Q, K, DISTANCES)
