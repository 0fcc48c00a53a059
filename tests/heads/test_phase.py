"""Statistics of TAPA heads by streamed bands against the whole score matrix in float64, and what they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from analysis.encodings import LinearTapa, PhaseEncoding, Tapa
from analysis.errors import InputError
from analysis.heads import phase
from analysis.heads.phase import BINS, RELATIVE_WIDTH, Histogram, edges
from analysis.models import one_loop
from analysis.models.attention import oracle
from analysis.models.capture import read_layers, streamed
from analysis.models.config import MethodConfig
from tests.heads import tiny_phase as phase_tiny

EPS = 2.0**-52


def window(
    length: int, dim: int = 8, *, seed: int = 0, heads: int = 1, dtype=torch.float64, size: float = 1.0
):
    """Queries and keys with means that are not 0."""
    generator = torch.Generator().manual_seed(seed)
    shape = (heads, length, dim)
    q, k = (size * (torch.randn(shape, generator=generator, dtype=torch.float64) + 0.3) for _ in range(2))
    return q.to(dtype), k.to(dtype)


def whole(encoding: PhaseEncoding, q: torch.Tensor, k: torch.Tensor) -> dict[str, np.ndarray]:
    """Amplitude, phase, cosine and score of every pair of one head; the score by the encoding itself."""
    q, k = q.double(), k.double()
    at = torch.arange(len(q))
    a, b, x, y = encoding.factors(q, k)
    amplitude, phases = encoding.scale * torch.einsum("id,jd->ij", a, b), torch.einsum("id,jd->ij", x, y)
    turns = (at[:, None] - at).abs().double() ** encoding.alpha * phases
    found = {
        "amplitude": amplitude,
        "phase": phases,
        "turns": turns,
        "cosine": torch.cos(2 * math.pi * turns),
    }
    return {name: value.numpy() for name, value in (found | {"score": encoding.scores(q, k, at, at)}).items()}


def diagonals(values: np.ndarray) -> list[np.ndarray]:
    """Values of the pairs at each distance."""
    return [values.diagonal(-lag) for lag in range(len(values))]


# statistics against the whole matrix


@given(
    length=st.integers(3, 70),
    rows=st.integers(1, 80),
    span=st.integers(1, 80),
    alpha=st.floats(0.05, 1.5),
    linear=st.booleans(),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40)
def test_streamed_statistics_are_those_of_all_causal_pairs(length, rows, span, alpha, linear, seed):
    q, k = window(length, seed=seed)
    encoding = (LinearTapa if linear else Tapa)(8, alpha=alpha, amplitude_share=0.25)
    full = whole(encoding, q[0], k[0])
    head = phase.factors(encoding, q, k)[0]
    found = phase.curves(head, rows=rows, span=span)
    # sums of up to 70 numbers of size s, each from inner products of 8 entries and a cosine of up to 2 pi turns rad
    reach = 1 + 2 * math.pi * np.abs(full["turns"]).max()
    for name in ("amplitude", "cosine", "score"):
        size = max(1.0, np.abs(full["amplitude"]).max()) * reach
        expected = [d.mean() for d in diagonals(full[name])]
        np.testing.assert_allclose(getattr(found, name), expected, rtol=0, atol=100 * EPS * size)
    covariance = [
        np.cov(a, c, bias=True)[0, 1] if len(a) > 1 else 0.0
        for a, c in zip(diagonals(full["amplitude"]), diagonals(full["cosine"]), strict=True)
    ]
    np.testing.assert_allclose(found.covariance, covariance, rtol=0, atol=300 * EPS * size)
    sd = [d.std() for d in diagonals(full["cosine"])]  # a root takes an error e to sqrt(e)
    np.testing.assert_allclose(found.cosine_sd, sd, rtol=0, atol=math.sqrt(300 * EPS * reach))
    np.testing.assert_allclose(found.product + found.covariance, found.score, rtol=0, atol=4 * EPS * size)
    check_spread(phase.spread(head, rows=rows, span=span), full, reach)


def check_spread(found: phase.Spread, full: dict[str, np.ndarray], reach: float) -> None:
    low = np.tril_indices(len(full["phase"]), -1)
    phases, scores, amplitudes = (full[name][low] for name in ("phase", "score", "amplitude"))
    size = max(1.0, np.abs(phases).max() ** 2, np.abs(amplitudes).max() ** 2) * reach
    assert found.histogram.total == len(phases)
    for value, expected in (
        (found.phase_mean, phases.mean()),
        (found.phase_sd**2, phases.var()),
        (found.score_sd**2, scores.var()),
        (found.amplitude_sd**2, amplitudes.var()),
    ):
        assert abs(value - expected) < 1000 * EPS * size
    correlation = np.corrcoef(amplitudes, scores)[0, 1]
    # the error of a covariance over the two standard deviations
    assert abs(found.nope_index - correlation**2) < 1e4 * EPS * size / max(
        scores.std() * amplitudes.std(), EPS
    )
    means = np.array([[d.mean(), (d**2).mean()] for d in diagonals(full["phase"])[1:]]).T
    np.testing.assert_allclose(found.phase[1:], means[0], rtol=0, atol=100 * EPS * size)
    np.testing.assert_allclose(found.phase_square[1:], means[1], rtol=0, atol=100 * EPS * size)
    for name in ("score", "amplitude"):
        squares = [(d**2).mean() for d in diagonals(full[name])[1:]]
        np.testing.assert_allclose(
            getattr(found, f"{name}_square")[1:], squares, rtol=0, atol=300 * EPS * size
        )
    past = [(np.abs(d) >= 0.25).mean() for d in diagonals(full["turns"])[1:]]
    np.testing.assert_allclose(found.past_quarter[1:], past, rtol=0, atol=1e-12)
    assert np.isnan([found.phase_square[0], found.past_quarter[0], found.phase[0]]).all()


@pytest.mark.parametrize("compiled", [True, False], ids=["in one loop", "in torch"])
@pytest.mark.parametrize(("rows", "span"), [(phase.ROWS, phase.SPAN), (7, 45)])
def test_float32_loses_no_more_than_float32_must(
    rows: int, span: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
):
    """The error of the streamed sums against float64, held against that of the plain matrix in float32, times two."""
    if not compiled:
        monkeypatch.setattr(one_loop, "available", lambda: None)
    elif one_loop.available() is None:
        pytest.skip("no C++ compiler is there")
    q, k = window(300, 32, dtype=torch.float32)
    encoding = Tapa(32, alpha=0.3)
    exact = whole(encoding, q[0], k[0])
    at = torch.arange(300)
    naive = encoding.scores(q[0], k[0], at, at).double().numpy()
    a, b, x, y = encoding.factors(q[0], k[0])
    cosine = (
        torch.cos(2 * math.pi * ((at[:, None] - at).abs() ** encoding.alpha * (x @ y.T))).double().numpy()
    )
    found = phase.curves(phase.factors(encoding, q, k)[0], rows=rows, span=span)
    for ours, name, narrow in (
        (found.amplitude, "amplitude", encoding.scale * (a @ b.T).double().numpy()),
        (found.cosine, "cosine", cosine),
        (found.cosine_square, "square", cosine**2),
        (found.score, "score", naive),
    ):
        right = exact["cosine"] ** 2 if name == "square" else exact[name]
        expected = np.array([d.mean() for d in diagonals(right)])
        assert 0 < np.abs(ours - expected).max() < 2 * np.abs(narrow - right).max(), name


@pytest.mark.parametrize("method", ["tapa", "tapa_linear", "tapa_separate", "tapa_general"])
def test_the_factors_of_every_method_make_its_score(method: str):
    """Each query head with the key head that it reads, under grouped queries."""
    encoding = phase_tiny.model(method).attentions[0].encoding
    assert isinstance(encoding, PhaseEncoding)
    with torch.no_grad():
        q, _ = window(20, encoding.head_dim, heads=2)
        k = q[:1].flip(1)
        at = torch.arange(20)
        expected = encoding.scores(q, k, at, at)
        for head, score in zip(phase.factors(encoding, q, k), expected, strict=True):
            turns = (at[:, None] - at).abs() ** encoding.alpha * (head.x @ head.y.T)
            made = (head.a @ head.b.T) * torch.cos(2 * math.pi * turns)
            assert torch.allclose(made, score, rtol=0, atol=1e-5)  # M and N are float32 parameters


class Largest(TorchDispatchMode):
    """The most entries of any tensor that an operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.entries = max(self.entries, out.numel())
        return out


def largest(length: int, work) -> int:
    q, k = window(length, 4)
    head = phase.factors(Tapa(4), q, k)[0]
    with Largest() as seen:
        work(head)
    return seen.entries


@pytest.mark.parametrize("work", [phase.curves, phase.spread])
def test_memory_is_one_band_however_long_the_window(work):
    """No tensor grows with the window but lists of its tokens: what is added for each token is a constant."""
    sizes = [largest(length, lambda head: work(head, rows=64, span=512)) for length in (1200, 2400)]
    assert sizes[0] == sizes[1] < 4 * 64 * (64 + 512)


def test_a_matrix_would_be_seen():
    assert largest(1200, lambda head: head.a @ head.b.T) == 1200**2


@pytest.mark.parametrize("work", [phase.curves, phase.spread])
def test_bad_values_are_refused(work):
    q, k = window(10)
    q[0, 3, 1] = torch.nan
    with pytest.raises(InputError, match="q holds a value that is not finite; give another checkpoint"):
        phase.factors(Tapa(8), q, k)
    with pytest.raises(InputError, match="a window of 2 tokens has no spread"):
        phase.spread(phase.factors(Tapa(8), *window(2))[0])


def test_a_head_without_position_is_all_nope():
    q, k = window(40)
    q[..., 4:] = 0
    found = phase.spread(phase.factors(Tapa(8), q, k)[0])
    assert abs(found.nope_index - 1) < 1e-12
    assert found.phase_sd == 0
    assert found.past_quarter[1:].max() == 0


# the histogram


def test_bins_join_and_are_as_narrow_as_said():
    low, high = edges()
    assert len(low) == BINS
    np.testing.assert_array_equal(low[1:], high[:-1])
    positive = (low > 2.0**-126) & np.isfinite(high)  # below, floats are evenly spaced
    assert ((high[positive] - low[positive]) <= 1.02 * RELATIVE_WIDTH * low[positive]).all()


values = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    elements=st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=False),
)


@given(x=values, y=values)
def test_counts_are_those_of_the_bins(x, y):
    low, high = edges()
    histogram = Histogram()
    histogram.add(torch.from_numpy(x))
    other = Histogram()
    other.add(torch.from_numpy(y))
    both = np.concatenate([x.ravel(), y.ravel()]).astype(np.float64)
    counts = (histogram + other).counts
    assert counts.sum() == len(both)
    for value in both:  # a value at an end of a bin is rounded to even, so into either
        assert counts[(low <= value) & (value <= high)].sum() > 0
    full = np.flatnonzero(counts)
    for at in full:
        assert counts[at] <= ((low[at] <= both) & (both <= high[at])).sum()


@given(x=values, p=st.floats(0, 1))
def test_quantiles_are_right_to_a_bin(x, p):
    histogram = Histogram()
    histogram.add(torch.from_numpy(x))
    found = histogram.quantile(np.array([p]))[0]
    around = [np.quantile(x.astype(np.float64), p, method=m) for m in ("lower", "higher")]
    slack = [1.02 * RELATIVE_WIDTH * abs(v) + 2.0**-120 for v in around]
    assert around[0] - slack[0] <= found <= around[1] + slack[1]


def test_shares_and_quantiles_are_inverse_and_drawn_bins_hold_nearly_all():
    histogram = Histogram()
    histogram.add(torch.randn(200, 200, generator=torch.Generator().manual_seed(0)))
    p = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(histogram.share_below(histogram.quantile(p)), p, rtol=0, atol=1e-12)
    at, share = histogram.binned(20)
    assert abs(share.sum() - 0.999) < 1e-9
    expected = np.diff(special.ndtr(at))
    se = np.sqrt(expected / 40_000)
    assert (
        np.abs(share - expected) < 4 * se + RELATIVE_WIDTH * np.abs(at[1:]) * 0.4
    ).all()  # density below 0.4


def test_zeros_are_taken_back_and_nothing_has_no_quantile():
    histogram = Histogram()
    histogram.add(torch.zeros(3, 4))
    histogram.take_zeros(5)
    assert histogram.total == 7
    at, share = histogram.binned(4)
    assert at[0] < 0 < at[-1]
    assert abs(share.sum() - 1) < 1e-12
    histogram.take_zeros(7)
    with pytest.raises(InputError, match="empty histogram"):
        histogram.quantile(np.array([0.5]))
    histogram.add(torch.ones(1, 1))
    with pytest.raises(InputError, match=r"is not in \[0, 1\]"):
        histogram.quantile(np.array([1.5]))


# attention by tiles


@pytest.mark.parametrize("method", ["tapa", "rope", "alibi"])
@pytest.mark.parametrize("tile", [1, 7, 64])
def test_streamed_attention_and_its_entropy(method: str, tile: int):
    encoding = phase_tiny.model(method).attentions[0].encoding
    generator = torch.Generator().manual_seed(1)
    q = 6 * torch.randn(2, 2, 23, 8, generator=generator).double()  # weights from nearly 0 to nearly 1
    k, v = (torch.randn(2, 1, 23, 8, generator=generator).double() for _ in range(2))
    at = torch.arange(23)
    mixed, entropy = streamed(encoding, q, k, v, at, tile=tile)
    assert torch.allclose(mixed, oracle(encoding, q, k, v, at), rtol=0, atol=1e-12)
    scores = encoding.scores(q, k.repeat_interleave(2, 1), at, at)
    weights = scores.masked_fill(at[:, None] < at, -math.inf).softmax(-1).numpy()
    np.testing.assert_allclose(entropy.numpy(), special.entr(weights).sum(-1), rtol=0, atol=1e-11)


def test_reading_hands_on_what_the_model_itself_has():
    model = phase_tiny.model()
    tokens = torch.randint(256, (2, 30), generator=torch.Generator().manual_seed(0))
    taken: list[torch.Tensor] = []
    hooks = [
        projection.register_forward_hook(lambda module, inputs, output: taken.append(output))
        for attention in model.attentions
        for projection in (attention.query, attention.key)
    ]
    with torch.no_grad():
        model(tokens)
    for hook in hooks:
        hook.remove()
    seen: list[tuple] = []
    read_layers(model, tokens, lambda *what: seen.append(what))
    assert [layer for layer, *_ in seen] == [0, 1]
    for layer, encoding, q, k, entropy in seen:
        assert encoding is model.attentions[layer].encoding
        for ours, theirs in zip((q, k), taken[2 * layer :], strict=False):
            # two float32 forwards in another order of sums
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
        assert entropy.shape == (2, 2, 30)
        assert (entropy[..., 0] == 0).all()  # the first token sees itself alone
        assert (entropy[..., 1:] > 0).all()
        assert (entropy < math.log(30)).all()
    assert isinstance(model, nn.Module)


# the Gaussian


def test_the_closed_form_explains_a_gaussian_head():
    """Mean score of normal queries and keys with their own fitted moments, octave by octave, within 4 errors."""
    q, k = window(512, 8, heads=24, size=0.4)
    encoding = Tapa(8, alpha=0.4)
    windows = phase.factors(encoding, q, k)
    law = phase.gaussian_head(windows)
    scores = np.array([phase.octave_means(phase.curves(w).score, 512) for w in windows])
    predicted = phase.octave_means(law.mean(np.arange(512.0)), 512)
    error = scores.std(axis=0, ddof=1) / math.sqrt(len(windows))
    assert (np.abs(scores.mean(axis=0) - predicted) < 4 * error).all()
    assert (error < 0.1 * np.abs(predicted).max()).all()
    pooled = np.mean([phase.curves(w).score for w in windows], axis=0)[1:256]
    lags = np.arange(1.0, 256.0)
    assert phase.share_explained(pooled, law.mean(lags), lags) > 0.9
    assert phase.share_explained(pooled, -law.mean(lags), lags) < 0


@pytest.mark.parametrize("method", ["tapa", "tapa_linear", "tapa_separate", "tapa_general"])
def test_the_closed_form_at_distance_0_is_the_mean_amplitude(method: str):
    """There the cosine is 1, and of independent vectors the mean inner product is that of the means."""
    encoding = phase_tiny.model(MethodConfig(method)).attentions[0].encoding
    assert isinstance(encoding, PhaseEncoding)
    with torch.no_grad():
        windows = phase.factors(encoding, *window(50, encoding.head_dim))
    law = phase.gaussian_head(windows)
    expected = float(windows[0].a.mean(0) @ windows[0].b.mean(0))
    assert abs(law.mean(np.array([0.0]))[0] - expected) < 1e-10 * max(1.0, abs(expected))


def test_shares_and_exponents():
    distance = np.arange(1.0, 200.0)
    curve = np.log(distance)
    assert phase.share_explained(curve, curve, distance) == 1
    weight = 1 / distance / (1 / distance).sum()
    assert abs(phase.share_explained(curve, np.full(199, (weight * curve).sum()), distance)) < 1e-12
    assert math.isnan(phase.share_explained(np.ones(199), curve, distance))
    score = np.arange(256.0) ** 2  # grows fourfold from octave to octave, but for the ends
    assert (np.abs(phase.measured_exponent(score) - 2) < 0.3).all()
    assert phase.measured_exponent(np.ones(256)).tolist() == [0.0] * 6
    score[4:8] *= -1
    assert np.isnan(phase.measured_exponent(score)).tolist() == [False, True, True, False, False, False]
