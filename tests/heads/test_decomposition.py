"""The split of one layer's scores: exact identities, and controls that must see what they are made to see."""

import dataclasses
import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from analysis.encodings import rotary
from analysis.errors import InputError
from analysis.heads import decomposition
from analysis.heads.decomposition import VARIANTS, LayerWindow, quarter_sums, split_layer
from analysis.heads.mean_score import mean_score
from analysis.theory import frequencies
from tests.heads.test_mean_score import scores_by_definition, vectors

FREQ = frequencies.plain(1e3, 8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def split(q, k, scale=0.5):
    return split_layer(q, k, FREQ, scale=scale, generator=generator())


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_measured_and_drift_from_the_full_matrix(variant):
    q, k = vectors(0, 2, 40, 8) + 1, vectors(1, 1, 40, 8) - 0.5
    found = split(q, k)
    for head in range(2):
        a, b = q[head, variant:], k[0, variant:]
        size = len(a)
        scores = 0.5 * scores_by_definition(a, b, FREQ)
        for lag in (0, 1, 7, size - 1):
            assert float(found.measured[variant, head, lag]) == pytest.approx(
                np.diagonal(scores, -lag).mean()
            )
            # positions that meet at this lag, their means rotated: the definition of bias + drift
            met = scores_by_definition(
                a[lag:].mean(0).expand(size, 8), b[: size - lag].mean(0).expand(size, 8), FREQ
            )[lag, 0]
            mean = scores_by_definition(a.mean(0).expand(size, 8), b.mean(0).expand(size, 8), FREQ)[lag, 0]
            assert float(found.drift[variant, head, lag]) == pytest.approx(0.5 * (met - mean), abs=1e-12)
        causal = np.tril(scores)
        assert float(found.square_sum[variant, head]) == pytest.approx(np.square(causal).sum())


def test_dropping_the_first_token_removes_a_sink():
    q, k = vectors(0, 1, 64, 8), vectors(1, 1, 64, 8)
    k[0, 0] += 1000.0
    found = split(q, k)
    assert found.measured[0].abs().max() > 100
    assert found.measured[1].nan_to_num().abs().max() < 50
    assert torch.isnan(found.measured[1, :, -1]).all()  # no pair left at the longest distance


def test_shuffled_control_falls_on_the_bias_and_the_measurement_need_not():
    """Queries drift and copy their key at lag 3; over many token orders the control's mean is the bias."""
    length, orders = 48, 200
    k = vectors(1, 1, length, 8) + 0.7
    table = rotary.rotation_table(FREQ, length, 4, torch.complex128)
    q = torch.roll(k, 3, dims=1) + torch.linspace(0, 2, length, dtype=torch.float64)[None, :, None]
    samples = torch.stack(
        [split_layer(q, k, FREQ, scale=1.0, generator=generator(s)).shuffled[0, 0] for s in range(orders)]
    )
    first = split(q, k, scale=1.0)
    zq, zk = rotary.complex_pairs(q, FREQ)[0], rotary.complex_pairs(k, FREQ)[0]
    bias = ((zq.mean(-1) * zk.mean(-1).conj())[:, None] * table).sum(0).real
    error = samples.std(0) / orders**0.5
    chosen = slice(0, length // 2)
    z = ((samples.mean(0) - bias) / error)[chosen]
    assert z.abs().max() < 4.5  # 24 correlated z values
    assert error[chosen].max() < 0.1 * first.measured[0, 0, 3]
    assert abs(first.measured[0, 0, 3] - bias[3]) > 20 * error[3]


@pytest.mark.parametrize("length", [2, 3, 4])
def test_every_order_of_a_window_is_equally_likely(length):
    """With the first token and without it, from enough draws that a missing or double order would show."""
    draws, source = 400 * math.factorial(length), generator()
    kept, dropped = Counter(), Counter()
    for _ in range(draws):
        order = decomposition.draw_order(length, source)
        tokens = torch.arange(length, dtype=torch.float64)[None].to(torch.complex128)
        ones = torch.ones(1, length, dtype=torch.complex128)
        whole = decomposition._reordered(tokens, ones, order)
        kept[tuple(whole.real[0].int().tolist())] += 1
        few = decomposition._without_first(tokens, whole, ones, order)
        dropped[tuple(few.real[0].int().tolist())] += 1
    assert set(kept) == set(itertools.permutations(range(length)))
    assert set(dropped) == set(itertools.permutations(range(1, length)))
    for counts in (kept, dropped):
        p = 1 / len(counts)
        sd = math.sqrt(draws * p * (1 - p))
        assert max(abs(n - draws * p) for n in counts.values()) <= 5 * sd


@pytest.mark.parametrize("seed", range(4))
def test_the_control_is_the_mean_score_of_its_orders(seed):
    """Both variants against the scores of the reordered tokens one by one; a sink costs the other nothing."""
    q, k = vectors(seed, 2, 12, 8), vectors(seed + 9, 1, 12, 8)
    k[0, 0] += 1000.0
    orders = [decomposition.draw_order(12, generator(seed + i)) for i in range(2)]
    zq, zk = rotary.complex_pairs(q, FREQ), rotary.complex_pairs(k, FREQ)
    table = rotary.rotation_table(FREQ, 12, 4, torch.complex128)
    curves = decomposition.control_curves(zq, zk, table, *orders)
    ones = torch.ones_like(table)
    tokens = [(x, decomposition._reordered(x, ones, o)) for x, o in zip((zq, zk), orders, strict=True)]
    for variant, curve in enumerate(curves):
        a, b = (
            decomposition._without_first(x, whole, ones, o) if variant else whole
            for (x, whole), o in zip(tokens, orders, strict=True)
        )
        for head in range(2):
            turned = [x[h].mT * table[:, : x.shape[-1]].mT for x, h in ((a, head), (b, 0))]
            scores = (turned[0] @ turned[1].mH).real.numpy()
            for lag in range(len(scores)):
                assert float(curve[head, lag]) == pytest.approx(np.diagonal(scores, -lag).mean())


def test_a_decaying_encoding_is_refused():
    q = vectors(0, 1, 20, 8)
    with pytest.raises(InputError, match="xpos frequencies decay with distance"):
        split_layer(q, q, frequencies.xpos(1e3, 8), scale=1.0, generator=generator())


def test_moments_are_sums_over_quarters():
    z = torch.complex(vectors(0, 2, 3, 30), vectors(1, 2, 3, 30))
    for variant, found in enumerate(quarter_sums(z)):
        assert found.count.tolist() == [8 - variant, 8, 7, 7]
        assert torch.allclose(found.first.sum(0), z[..., variant:].sum(-1))
        assert torch.allclose(found.size.sum(0), z[..., variant:].abs().sum(-1).double())
        assert torch.allclose(found.power[0], z[..., variant:8].abs().square().sum(-1))
        assert torch.allclose(found.power[1], z[..., 8:16].abs().square().sum(-1))
        assert torch.allclose(found.square[0], (z[..., variant:8] ** 2).sum(-1))
        assert torch.allclose(found.square[3], (z[..., 23:] ** 2).sum(-1))


@pytest.mark.parametrize("window", [None, 20])
def test_numbers_are_made_where_the_vectors_are(window: int | None):
    """As on a GPU: what is made without a device lands on one that cannot meet the vectors, and ends in an error."""
    q, k = vectors(0, 4, 70, 8), vectors(1, 2, 70, 8)
    decaying = dataclasses.replace(FREQ, log_decay=-np.linspace(0.01, 0.1, 4))

    def found() -> LayerWindow:
        return split_layer(q, k, FREQ, scale=0.5, generator=generator(), window=window).on_cpu()

    expected, score = found(), mean_score(q, q, decaying)
    with torch.device("meta"):
        assert torch.ones(()).device.type == "meta"
        other, again = found(), mean_score(q, q, decaying)
    assert torch.equal(score, again)
    for name in ("measured", "drift", "shuffled", "square_sum"):
        torch.testing.assert_close(
            getattr(other, name), getattr(expected, name), rtol=0, atol=0, equal_nan=True
        )
    for name in ("moments_q", "moments_k"):
        for mine, theirs in zip(getattr(other, name), getattr(expected, name), strict=True):
            assert all(
                torch.equal(getattr(mine, x.name), getattr(theirs, x.name)) for x in dataclasses.fields(mine)
            )
