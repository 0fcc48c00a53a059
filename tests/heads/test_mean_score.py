"""Mean score by distance: the FFT against the full score matrix and against streamed tiles."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.encodings import rotary
from analysis.errors import InputError
from analysis.heads import mean_score
from analysis.theory import frequencies


def vectors(seed: int, *shape: int, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def scores_by_definition(q, k, freq):
    """Eq 3 term by term with A_d and B_d: no complex numbers, no FFT. Rows are queries."""
    length = len(q)
    rotary = freq.rotary_dim
    distance = np.arange(length)[:, None] - np.arange(length)
    total = (q[:, rotary:] @ k[:, rotary:].T).numpy().astype(float)
    for d, (i, j) in enumerate(freq.pairs):
        a = np.outer(q[:, i], k[:, i]) + np.outer(q[:, j], k[:, j])
        b = np.outer(q[:, i], k[:, j]) - np.outer(q[:, j], k[:, i])
        angle = distance * freq.omega[d]
        decay = 1.0 if freq.log_decay is None else np.exp(freq.log_decay[d] * distance)
        total += decay * freq.attention_factor**2 * (a * np.cos(angle) + b * np.sin(angle))
    return total


def diagonal_means(scores):
    return np.array([np.diagonal(scores, -lag).mean() for lag in range(len(scores))])


@pytest.mark.parametrize("pairing", ["halves", "interleaved"])
@given(
    seed=st.integers(0, 2**20),
    length=st.integers(1, 70),
    dim=st.sampled_from([2, 6, 16]),
    base=st.floats(2, 1e7),
    partial=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_mean_score_is_the_diagonal_mean_of_the_definition(pairing, seed, length, dim, base, partial):
    rotary = max(2, dim // 2 // 2 * 2) if partial else dim
    freq = frequencies.plain(base, dim, rotary, pairing=pairing)
    q, k = vectors(seed, length, dim), vectors(seed + 1, length, dim)
    expected = diagonal_means(scores_by_definition(q, k, freq))
    found = mean_score.mean_score(q, k, freq).numpy()
    # the sum at one lag is exact to eps |q| |k| log2(size); the mean divides by the pairs at that lag
    budget = 2**-52 * 30 * float(q.norm() * k.norm()) / (length - np.arange(length))
    assert np.all(np.abs(found - expected) <= budget)


@pytest.mark.parametrize("length", [40, 256, 2048])
@pytest.mark.parametrize("common", [0.0, 3.0])
def test_float32_errs_as_little_at_the_last_distances_as_it_says(length: int, common: float, monkeypatch):
    """Against float64, with a mean in common as trained vectors have; and without the last ones done apart."""
    freq, eps = frequencies.plain(1e4, 64), 2**-23
    q, k = (
        vectors(seed, 2, length, 64, dtype=torch.float32) + common * vectors(seed + 9, 64).float()
        for seed in (0, 1)
    )
    exact = mean_score.mean_score(q.double(), k.double(), freq)
    count = length - torch.arange(length)
    norms = [x.flatten(1).norm(dim=1, keepdim=True).double() for x in (q, k)]
    largest = [x.norm(dim=-1).amax(dim=-1, keepdim=True).double() for x in (q, k)]
    budget = torch.where(
        count > mean_score.LAST, eps * norms[0] * norms[1] / count, 4 * eps * largest[0] * largest[1]
    )
    error = (mean_score.mean_score(q, k, freq).double() - exact).abs()
    assert (error <= budget).all()
    last = slice(-mean_score.LAST, None)
    if length > 10 * mean_score.LAST:
        monkeypatch.setattr(mean_score, "LAST", 1)
        without = (mean_score.mean_score(q, k, freq).double() - exact).abs()
        assert without[:, last].max() > 10 * error[:, last].max()


def test_sign_and_angle_convention():
    """One pair, one rad per token: q on the first axis, k on the second, so A = 0, B = 1, score = sin(m - n)."""
    freq = frequencies.plain(10.0, 2)
    q = torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(4, 1)
    k = torch.tensor([[0.0, 1.0]], dtype=torch.float64).repeat(4, 1)
    assert mean_score.mean_score(q, k, freq).numpy() == pytest.approx(np.sin(np.arange(4)), abs=1e-14)


def test_attention_factor_enters_squared():
    freq = frequencies.yarn(1e4, 8, factor=4.0, trained_length=64)
    assert freq.attention_factor > 1
    q, k = vectors(3, 33, 8), vectors(4, 33, 8)
    expected = diagonal_means(scores_by_definition(q, k, freq))
    assert mean_score.mean_score(q, k, freq).numpy() == pytest.approx(expected, abs=1e-11)


def test_xpos_decays_pair_by_pair():
    freq = frequencies.xpos(1e4, 8, scale_base=8.0)
    q, k = vectors(3, 60, 8), vectors(4, 60, 8)
    expected = diagonal_means(scores_by_definition(q, k, freq))
    assert mean_score.mean_score(q, k, freq).numpy() == pytest.approx(expected, abs=1e-11)
    assert not np.allclose(expected, diagonal_means(scores_by_definition(q, k, frequencies.plain(1e4, 8))))


def test_one_key_serves_its_whole_group():
    freq = frequencies.plain(1e4, 8)
    q, k = vectors(0, 3, 20, 8), vectors(1, 1, 20, 8)
    together = mean_score.mean_score(q, k, freq)
    apart = torch.stack([mean_score.mean_score(q[h], k[0], freq) for h in range(3)])
    assert torch.allclose(together, apart, atol=1e-13)


def test_tiles_agree_with_fft_and_do_not_depend_on_the_tile():
    freq = frequencies.plain(1e4, 8)
    q, k = vectors(0, 150, 8), vectors(1, 150, 8)
    scores = torch.from_numpy(scores_by_definition(q, k, freq))
    by_tiles = [mean_score.mean_score_by_tiles(lambda r, c: scores[r, c], 150, tile=t) for t in (1000, 64, 7)]
    for found in by_tiles:
        assert torch.allclose(found, mean_score.mean_score(q, k, freq), atol=1e-11)


@given(seed=st.integers(0, 2**20), length=st.integers(1, 90), block=st.sampled_from([1, 16, 128]))
@settings(max_examples=30, deadline=None)
def test_causal_square_sum(seed, length, block):
    freq = frequencies.plain(1e3, 6)
    q, k = vectors(seed, length, 6), vectors(seed + 1, length, 6)
    expected = np.square(np.tril(scores_by_definition(q, k, freq))).sum()
    table = rotary.rotation_table(freq, length, 3, torch.complex128)
    rq, rk = (rotary.complex_pairs(x, freq) * table for x in (q, k))
    found = mean_score.causal_square_sum(torch.stack([rq, 2 * rq])[None], rk[None], block=block)
    assert found[0].tolist() == pytest.approx([expected, 4 * expected], rel=1e-12)


@given(
    seed=st.integers(0, 2**20), length=st.integers(1, 90), window=st.integers(1, 100),
    block=st.sampled_from([1, 16, 128]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_square_sum_within_a_window(seed, length, window, block):
    freq = frequencies.plain(1e3, 6)
    q, k = vectors(seed, length, 6), vectors(seed + 1, length, 6)
    query, key = np.indices((length, length))
    seen = (query >= key) & (query - key < window)
    expected = np.square(scores_by_definition(q, k, freq)[seen]).sum()
    table = rotary.rotation_table(freq, length, 3, torch.complex128)
    rq, rk = (rotary.complex_pairs(x, freq) * table for x in (q, k))
    q2 = torch.stack([rq, 2 * rq])[None]
    found = mean_score.causal_square_sum(q2, rk[None], window=window, block=block)
    assert found[0].tolist() == pytest.approx([expected, 4 * expected], rel=1e-12)


def test_first_key_scores_are_what_dropping_the_first_token_removes():
    freq = frequencies.plain(1e4, 8)
    q, k = vectors(0, 40, 8), vectors(1, 40, 8)
    table = rotary.rotation_table(freq, 40, 4, torch.complex128)
    zq, zk = (rotary.complex_pairs(x, freq) * table for x in (q, k))
    without = mean_score.lag_sums(zq[:, 1:], zk[:, 1:])
    rest = mean_score.lag_sums(zq, zk) - mean_score.first_key_scores(zq, zk)
    assert torch.allclose(rest[:-1], without, atol=1e-12)
    assert abs(float(rest[-1])) < 1e-12


def test_angles_are_formed_in_float64():
    """At position 1e5 with 1 rad/token, a float32 product of position and frequency is wrong by 0.004 rad."""
    table = rotary.rotation_table(frequencies.plain(1e4, 8), 100_001, 4)
    assert complex(table[0, -1]) == pytest.approx(np.exp(1e5j), abs=1e-7)


def test_float32_error_is_within_its_budget():
    """Budget from data: the naive float32 matrix product's own error, times two (plus the FFT's log2 factor)."""
    freq = frequencies.plain(1e4, 64)
    q, k = vectors(0, 512, 64, dtype=torch.float32), vectors(1, 512, 64, dtype=torch.float32)
    exact = mean_score.mean_score(q.double(), k.double(), freq)
    table = rotary.rotation_table(freq, 512, 32)
    rows = [
        torch.view_as_real((rotary.complex_pairs(x, freq) * table).mT.contiguous()).flatten(-2)
        for x in (q, k)
    ]
    naive = torch.from_numpy(diagonal_means((rows[0] @ rows[1].T).numpy()))
    budget = 2 * (naive.double() - exact).abs().max() * np.log2(1024)
    assert (mean_score.mean_score(q, k, freq).double() - exact).abs().max() <= budget


def test_bad_input_is_named():
    freq = frequencies.plain(1e4, 8)
    with pytest.raises(InputError, match="vectors have 6 dimensions, the frequencies are for 8"):
        mean_score.mean_score(vectors(0, 5, 6), vectors(0, 5, 6), freq)
    with pytest.raises(InputError, match="q holds a value that is not finite; give another model"):
        mean_score.mean_score(torch.full((5, 8), torch.nan), vectors(0, 5, 8, dtype=torch.float32), freq)
    with pytest.raises(InputError, match="q holds 5 positions, k holds 6"):
        mean_score.mean_score(vectors(0, 5, 8), vectors(0, 6, 8), freq)
