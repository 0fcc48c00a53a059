"""RoPE and its family, ALiBi and NoPE under Gaussian q, k: against bilinear forms, balls, samples and special laws."""

from __future__ import annotations

import math

import flint
import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.theory.frequencies import Frequencies, plain, xpos, yarn
from analysis.theory.gaussian_law import (
    GaussianLaw,
    Steps,
    accumulated_moments,
    alibi_moments,
    correlated,
    equal,
    independent,
    nope_moments,
    projected,
    rotary_moments,
)
from analysis.theory.rope import expected_score

SEEDS = st.integers(0, 2**32 - 1)
UNIT = 2.0**-53
DISTANCES = np.array([0.0, 1.0, -3.0, 17.5, 400.0, -2048.0])

FAMILY = {
    "plain": plain(1e4, 8),
    "interleaved": plain(1e4, 8, pairing="interleaved"),
    "turns": plain(1e4, 8, turns=True),
    "partial": plain(1e4, 8, 4),
    "partial, interleaved": plain(1e4, 8, 2, pairing="interleaved"),
    "attention factor": yarn(1e4, 8, factor=16, trained_length=4096),
    "partial with attention factor": yarn(1e4, 8, 4, factor=16, trained_length=4096),
    "xPos": xpos(1e4, 8),
    "partial xPos": xpos(1e4, 8, 6, scale_base=2048),
}


def draw_law(seed: int, head_dim: int = 8) -> GaussianLaw:
    """Means, and correlations within and between q and k."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((2 * head_dim, 2 * head_dim + 3))
    return GaussianLaw(rng.standard_normal(2 * head_dim), factor @ factor.T / head_dim)


def rotated(x: np.ndarray, position: float, frequencies: Frequencies, inverse_decay: bool) -> np.ndarray:
    """What a model does to one query or key: pairs turn as complex numbers, the rest stays."""
    turned = x.astype(float)
    decay = 0 if frequencies.log_decay is None else frequencies.log_decay * (-1 if inverse_decay else 1)
    first, second = frequencies.pairs.T
    pair = (x[first] + 1j * x[second]) * np.exp((decay + 1j * frequencies.omega) * position)
    turned[first], turned[second] = pair.real, pair.imag
    turned[: frequencies.rotary_dim] *= frequencies.attention_factor
    return turned


def bilinear(distance: float, frequencies: Frequencies, scale: float) -> np.ndarray:
    """The score as a symmetric form in (q, k): the query at `distance`, the key at 0."""
    size = frequencies.head_dim
    query = np.stack([rotated(e, distance, frequencies, False) for e in np.eye(size)])
    key = np.stack([rotated(e, 0.0, frequencies, True) for e in np.eye(size)])
    form = np.zeros((2 * size, 2 * size))
    form[:size, size:] = scale / 2 * query @ key.T
    return form + form.T


def by_forms(law: GaussianLaw, form: np.ndarray) -> tuple[float, float]:
    """Mean and variance of x^T form x (Mathai and Provost 1992)."""
    m, s = law.mean, law.covariance
    return np.trace(form @ s) + m @ form @ m, 2 * np.trace(form @ s @ form @ s) + 4 * m @ form @ s @ form @ m


def sizes(law: GaussianLaw, form: np.ndarray) -> tuple[float, float]:
    """The same sums with every term positive: the scale of rounding."""
    outer = np.abs(law.mean)[:, None] * np.abs(law.mean)
    m, s = np.abs(law.mean), np.abs(law.covariance)
    form = np.abs(form)
    return float((form * (s + outer)).sum()), 2 * np.trace(form @ s @ form @ s) + 4 * m @ form @ s @ form @ m


@pytest.mark.parametrize("name", FAMILY)
@given(SEEDS, st.floats(0.01, 10))
@settings(max_examples=6)
def test_every_rotation_against_its_bilinear_form(name, seed, scale):
    law, frequencies = draw_law(seed), FAMILY[name]
    found = rotary_moments(law, DISTANCES, frequencies, scale=scale)
    for i, distance in enumerate(DISTANCES):
        form = bilinear(float(distance), frequencies, scale)
        mean, variance = by_forms(law, form)
        mean_size, variance_size = sizes(law, form)
        # sums of 16 and 16^2 terms on both sides; the witness rounds its angles, up to 2048 * 2 pi rad, too
        angle = 2 * 2048 * 7 * UNIT
        assert abs(found.mean[i] - mean) < (64 * UNIT + angle) * mean_size
        assert abs(found.variance[i] - variance) < (512 * UNIT + 2 * angle) * variance_size
    np.testing.assert_allclose(found.second, found.variance + found.mean**2, rtol=1e-14)


@given(SEEDS, st.floats(-(2.0**50), 2.0**50))
@settings(max_examples=20)
def test_far_rotations_are_right_in_balls(seed, distance):
    """One pair: the variance is (c, s) Cov(A, B) (c, s)^T, here from the law at distance 0 and a quarter turn."""
    law, omega = draw_law(seed, 2), float(np.random.default_rng(seed).uniform(0.1, 1))
    found = rotary_moments(law, distance, Frequencies(np.array([omega]), 2), scale=1.0)
    quarter = Frequencies(np.array([math.pi / 2]), 2)
    at = rotary_moments(law, np.array([0.0, 1.0, 0.5]), quarter, scale=1.0)
    before, flint.ctx.prec = flint.ctx.prec, 256
    try:
        angle = arb(distance) * arb(omega)
        cos, sin = float(angle.cos()), float(angle.sin())
    finally:
        flint.ctx.prec = before
    mean = at.mean[0] * cos + at.mean[1] * sin
    cross = at.variance[2] - (at.variance[0] + at.variance[1]) / 2  # at an eighth turn c = s
    variance = at.variance[0] * cos**2 + at.variance[1] * sin**2 + 2 * cross * cos * sin
    scale = at.second.max()
    assert found.mean == pytest.approx(mean, abs=64 * UNIT * math.sqrt(scale) * 10)
    assert found.variance == pytest.approx(variance, abs=64 * UNIT * scale * 10)


@pytest.mark.parametrize("name", ["plain", "partial with attention factor", "partial xPos"])
def test_samples_agree_within_four_standard_errors(name):
    rng, law, frequencies, count = np.random.default_rng(1), draw_law(1), FAMILY[name], 100_000
    x = law.mean + rng.standard_normal((count, law.factor.shape[1])) @ law.factor.T
    q, k = x[:, :8], x[:, 8:]
    for distance in (0.0, 5.0, -300.0):
        turned = np.stack([rotated(e, distance, frequencies, False) for e in np.eye(8)])
        still = np.stack([rotated(e, 0.0, frequencies, True) for e in np.eye(8)])
        score = ((q @ turned) * (k @ still)).sum(axis=1) / math.sqrt(8)
        found = rotary_moments(law, distance, frequencies)
        for value, sample in ((found.mean, score), (found.second, score**2)):
            se = sample.std() / math.sqrt(count)
            assert abs(value - sample.mean()) < 4 * se
            assert se < 0.02 * max(found.second, np.sqrt(found.second))


@given(SEEDS, st.sampled_from(sorted(FAMILY)))
@settings(max_examples=20)
def test_the_mean_is_the_expected_score_of_bias(seed, name):
    law, frequencies = draw_law(seed), FAMILY[name]
    first, second = frequencies.pairs.T
    product = law.mean_q[:, None] * law.mean_k + law.covariance[:8, 8:]
    mu = product[first, first] + product[second, second]
    nu = product[first, second] - product[second, first]
    rest = product.diagonal()[frequencies.rotary_dim :].sum()
    rotating = expected_score(DISTANCES, frequencies.omega, mu, nu, log_decay=frequencies.log_decay)
    found = rotary_moments(law, DISTANCES, frequencies, scale=1.0)
    np.testing.assert_allclose(found.mean, frequencies.attention_factor**2 * rotating + rest, atol=1e-11)


def test_a_law_that_no_rotation_changes_has_the_same_variance_at_every_distance():
    """Independent centred q and k: E A = E B = 0, so no bias either; the score's sd is that of NoPE."""
    law = independent(8, sd=1.5)
    found = rotary_moments(law, DISTANCES, plain(1e4, 8))
    assert not found.mean.any()
    np.testing.assert_allclose(found.variance, 1.5**4, rtol=1e-14)
    np.testing.assert_allclose(nope_moments(law, DISTANCES).variance, 1.5**4, rtol=1e-14)


@pytest.mark.parametrize("mu", [-1.0, 0.5])
def test_mu_is_the_mean_of_every_pair(mu):
    """Assumption 2.1: E score = mu / sqrt(D) sum_d cos(distance omega_d), even in the distance."""
    frequencies = plain(1e4, 8)
    found = rotary_moments(independent(8, mu=mu), DISTANCES, frequencies)
    predicted = mu / math.sqrt(8) * np.cos(DISTANCES[:, None] * frequencies.omega).sum(axis=1)
    np.testing.assert_allclose(found.mean, predicted, rtol=1e-11)


def test_equal_q_and_k_in_closed_form():
    """q = k standard normal: q.k is a chi square of 8; a pair at angle x gives 2 cos x, variance 4 cos^2 x."""
    frequencies = plain(1e4, 8)
    found = rotary_moments(equal(8), DISTANCES, frequencies, scale=1.0)
    cos = np.cos(DISTANCES[:, None] * frequencies.omega)
    np.testing.assert_allclose(found.mean, 2 * cos.sum(axis=1), rtol=1e-11)
    np.testing.assert_allclose(found.variance, 4 * (cos**2).sum(axis=1), rtol=1e-11)
    nope = nope_moments(equal(8), 0.0, scale=1.0)
    assert (nope.mean, nope.variance) == (8, 16)


@given(SEEDS, st.sampled_from([name for name in sorted(FAMILY) if "factor" not in name]))
@settings(max_examples=15)
def test_at_distance_zero_every_encoding_is_nope(seed, name):
    law = draw_law(seed)
    here = rotary_moments(law, 0.0, FAMILY[name])
    for other in (nope_moments(law, 7.0), alibi_moments(law, 0.0, 0.25)):
        assert here.mean == pytest.approx(other.mean, rel=1e-11, abs=1e-12)
        assert here.variance == pytest.approx(other.variance, rel=1e-12)


@given(SEEDS)
@settings(max_examples=10)
def test_an_exchange_of_q_and_k_reverses_the_distance(seed):
    law = draw_law(seed)
    swap = np.roll(np.eye(16), 8, axis=0)
    back = GaussianLaw(swap @ law.mean, swap @ law.covariance @ swap.T)
    here, there = (
        rotary_moments(law, DISTANCES, FAMILY["plain"]),
        rotary_moments(back, -DISTANCES, FAMILY["plain"]),
    )
    np.testing.assert_allclose(here.mean, there.mean, atol=1e-12 * np.sqrt(here.second.max()))
    np.testing.assert_allclose(here.variance, there.variance, rtol=1e-12)


@given(SEEDS, st.floats(0, 3))
@settings(max_examples=15)
def test_alibi_shifts_the_mean_and_nothing_else(seed, slope):
    law = draw_law(seed)
    biased, plain_ = alibi_moments(law, DISTANCES, slope, scale=0.3), nope_moments(law, DISTANCES, scale=0.3)
    np.testing.assert_allclose(biased.mean, plain_.mean - slope * np.abs(DISTANCES), rtol=1e-14)
    np.testing.assert_array_equal(biased.variance, plain_.variance)
    np.testing.assert_allclose(biased.second, biased.variance + biased.mean**2, rtol=1e-14)


def test_xpos_decays_towards_earlier_keys_and_grows_towards_later_ones():
    law, distance = independent(8, sd=1.0), np.arange(0.0, 4000.0, 100.0)
    assert (np.diff(rotary_moments(law, distance, xpos(1e4, 8)).variance) < 0).all()
    assert (np.diff(rotary_moments(law, -distance, xpos(1e4, 8)).variance) > 0).all()


def test_curves_keep_their_shape_across_blocks():
    law, frequencies = draw_law(2), FAMILY["plain"]
    distance = np.arange(10_000.0)
    whole = rotary_moments(law, distance.reshape(100, 100), frequencies)
    assert whole.mean.shape == whole.variance.shape == (100, 100)
    some = np.array([0, 4095, 4096, 8191, 8192, 9999])
    piece = rotary_moments(law, distance[some], frequencies)
    np.testing.assert_allclose(whole.mean.ravel()[some], piece.mean, rtol=1e-12)
    np.testing.assert_allclose(whole.variance.ravel()[some], piece.variance, rtol=1e-12)
    assert nope_moments(law, np.empty(0)).mean.shape == (0,)


def test_singular_laws_have_their_moments_too():
    rng = np.random.default_rng(3)
    law = projected(rng.standard_normal((8, 2)), rng.standard_normal((8, 2)), np.eye(2), np.ones(2))
    for i, distance in enumerate(DISTANCES):
        mean, variance = by_forms(law, bilinear(float(distance), FAMILY["plain"], 1.0))
        found = rotary_moments(law, DISTANCES, FAMILY["plain"], scale=1.0)
        assert found.mean[i] == pytest.approx(mean, rel=1e-9)
        assert found.variance[i] == pytest.approx(variance, rel=1e-9)
    still = GaussianLaw(np.arange(16.0), np.zeros((16, 16)))
    assert (rotary_moments(still, DISTANCES, FAMILY["plain"]).variance == 0).all()


def in_many_digits(law: GaussianLaw, lag: float, steps: Steps) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Mean and variance of q^T R k with R turned by Gaussian angles, as E[s] and E[s^2] - E[s]^2 at 120 digits.

    Given the angles the score is x^T M x of x = (q, k), of mean tr(M S) + m^T M m; the mean of its square adds to the
    square of that 2 tr(M S M S) + 4 m^T M S M m. M is linear in cosines and sines, whose moments are exact.
    """
    half = law.head_dim // 2
    with mpmath.workdps(120):
        m, covariance = mpmath.matrix(law.mean.tolist()), mpmath.matrix(law.covariance.tolist())
        forms = []
        for pair in range(half):
            first, second = pair, half + pair
            entries = [(first, first, 1), (second, second, 1)], [(first, second, 1), (second, first, -1)]
            for side in entries:  # A_d = q_1 k_1 + q_2 k_2, B_d = q_1 k_2 - q_2 k_1
                form = mpmath.zeros(2 * law.head_dim)
                for i, j, sign in side:
                    form[i, law.head_dim + j] = form[law.head_dim + j, i] = mpmath.mpf(sign) / 2
                forms.append(form)
        waves, squares = [], mpmath.zeros(len(forms))
        for pair in range(half):
            phi = mpmath.mpf(lag) * mpmath.mpf(float(steps.mean[pair]))
            spread = abs(mpmath.mpf(lag)) * mpmath.mpf(float(steps.variance[pair]))
            waves += [mpmath.exp(-spread / 2) * f(phi) for f in (mpmath.cos, mpmath.sin)]
            twice = mpmath.exp(-2 * spread)
            squares[2 * pair, 2 * pair] = (1 + twice * mpmath.cos(2 * phi)) / 2
            squares[2 * pair + 1, 2 * pair + 1] = (1 - twice * mpmath.cos(2 * phi)) / 2
            squares[2 * pair, 2 * pair + 1] = squares[2 * pair + 1, 2 * pair] = (
                twice * mpmath.sin(2 * phi) / 2
            )
        spreads = [form * covariance for form in forms]
        means = [
            sum(s[i, i] for i in range(s.rows)) + (m.T * f * m)[0]
            for s, f in zip(spreads, forms, strict=True)
        ]
        mean, second = sum(w * e for w, e in zip(waves, means, strict=True)), mpmath.mpf(0)
        for f, one in enumerate(forms):
            for g, other in enumerate(forms):
                product = spreads[f] * spreads[g]
                trace = sum(product[i, i] for i in range(product.rows))
                of_both = means[f] * means[g] + 2 * trace + 4 * (m.T * one * covariance * other * m)[0]
                together = squares[f, g] if f // 2 == g // 2 else waves[f] * waves[g]
                second += together * of_both
        return mean, second - mean**2


@given(
    seed=SEEDS,
    size=st.sampled_from([0.0, 1.0, 1e5, 1e10]),
    lag=st.sampled_from([0.0, 1.0, -3.0, 2.0**20 + 1, 2.0**40 + 1, -(2.0**40) - 1]),
    variance=st.sampled_from([0.0, 1e-30, 1e-13, 1e-3, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_accumulated_rotations_keep_their_digits_at_any_mean_and_distance(seed, size, lag, variance):
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((8, 16))
    law = GaussianLaw(size * rng.standard_normal(8), factor @ factor.T / 8)
    steps = Steps(rng.uniform(-3, 3, 2), variance * rng.uniform(0.5, 1, 2))
    found = accumulated_moments(law, np.array([lag]), steps, scale=1.0)
    mean, exact = in_many_digits(law, lag, steps)
    # the covariance is well conditioned, so that no sum of products is far below its terms
    assert abs(found.variance[0] - exact) <= 2.0**-42 * exact
    largest = np.abs(law.mean).max() ** 2 + np.abs(law.covariance).max()
    assert abs(found.mean[0] - mean) <= 2.0**-47 * largest


def test_accumulated_rotations_without_spread_are_rotary():
    law, rope = draw_law(5), plain(1e4, 8)
    steps = Steps(rope.omega, np.zeros(4))
    found, expected = accumulated_moments(law, DISTANCES, steps), rotary_moments(law, DISTANCES, rope)
    for name in ("mean", "second", "variance"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=2.0**-46)


def test_what_does_not_fit_is_named():
    law = correlated(8, 0.5)
    with pytest.raises(InputError, match="the law has head_dim=8, frequencies have 16"):
        rotary_moments(law, 1.0, plain(1e4, 16))
    for scale in (0, -1.0, math.inf):
        with pytest.raises(InputError, match=f"scale={scale} must be finite and above 0"):
            nope_moments(law, 1.0, scale=scale)
    with pytest.raises(InputError, match="slope=-1 must be finite and at least 0"):
        alibi_moments(law, 1.0, -1)
    with pytest.raises(InputError, match="distance=nan is not a number"):
        rotary_moments(law, math.nan, plain(1e4, 8))
    with pytest.raises(InputError, match=r"distance=-200000.0 lets xPos grow by exp\(\d+\)"):
        rotary_moments(law, -200_000.0, xpos(1e4, 8))
