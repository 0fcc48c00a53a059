"""Laws of q and k: each sampler against what is known of its law, each constructed law against its promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import InputError
from analysis.sampling.laws import (
    Empirical,
    Gaussian,
    Sphere,
    Student,
    assumption_2_1,
    negative_cross_terms,
    rescaled,
)
from analysis.theory.gaussian_law import GaussianLaw, correlated, equal, independent

MANY = 40_000
SAFE = 1e-6  # probability that a right sampler fails a test of its law; the seed is fixed


def uniforms(sampler, count: int = MANY, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, sampler.dimensions)).clip(2.0**-54)


def mixed_law(head_dim: int = 4, seed: int = 0) -> GaussianLaw:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((2 * head_dim, 2 * head_dim)) / math.sqrt(2 * head_dim)
    return GaussianLaw(rng.standard_normal(2 * head_dim), root @ root.T)


def agrees(values: torch.Tensor, expected: np.ndarray) -> None:
    """Sample means within their own error of what is expected, jointly safe."""
    se = (values.std(dim=0) / math.sqrt(len(values))).numpy()
    limit = stats.norm.isf(SAFE / 2 / max(expected.size, 1))
    assert (np.abs(values.mean(dim=0).numpy() - expected) <= limit * se + 1e-12).all()


def test_gaussian_draws_have_the_mean_and_covariance_of_their_law():
    law = mixed_law()
    x = torch.cat(Gaussian(law).draw(uniforms(Gaussian(law))), dim=1)
    agrees(x, law.mean)
    centred = x - torch.tensor(law.mean)
    agrees(centred[:, :, None] * centred[:, None, :], law.covariance)


def test_a_singular_law_takes_as_many_numbers_as_it_has_directions():
    sampler = Gaussian(equal(5))
    assert sampler.dimensions == 5
    q, k = sampler.draw(uniforms(sampler, 100))
    assert torch.allclose(q, k, atol=1e-14)


def test_student_coordinates_are_students():
    """Each is a t variable, by Kolmogorov and Smirnov; and the tails of q are not those of k."""
    law, degrees = mixed_law(), 5.0
    sampler = Student(law, degrees)
    pair = sampler.draw(uniforms(sampler))
    for x, mean, spread in zip(pair, (law.mean_q, law.mean_k), np.split(law.spread, 2), strict=True):
        for j in range(law.head_dim):
            scaled = (x[:, j].numpy() - mean[j]) / spread[j]
            assert stats.kstest(scaled, stats.t(degrees).cdf).pvalue > SAFE
    white = Student(independent(8), degrees)
    q, k = white.draw(uniforms(white))
    log_q, log_k = (x.square().sum(dim=1).log().numpy() for x in (q, k))
    assert stats.pearsonr(log_q, log_k).pvalue > SAFE
    assert stats.kstest(q.square().sum(dim=1).numpy() / 8, stats.f(8, degrees).cdf).pvalue > SAFE


@pytest.mark.parametrize("amplitude_dim", [None, 3])
def test_sphere_is_uniform_and_its_parts_have_their_length(amplitude_dim):
    sampler = Sphere(8, amplitude_dim, gain=1.5)
    for x in sampler.draw(uniforms(sampler)):
        parts = x.tensor_split([amplitude_dim or 8], dim=1)
        for part in (part for part in parts if part.shape[1]):
            n = part.shape[1]
            assert torch.allclose(part.square().mean(dim=1), torch.tensor(1.5**2).double(), rtol=1e-13)
            share = part[:, 0].square().numpy() / (1.5**2 * n)
            assert stats.kstest(share, stats.beta(0.5, (n - 1) / 2).cdf).pvalue > SAFE


def test_empirical_draws_rows_matched_or_not():
    q, k = torch.arange(6.0)[:, None].expand(6, 2), 10 + torch.arange(6.0)[:, None].expand(6, 2)
    matched = Empirical(q, k, matched=True)
    a, b = matched.draw(uniforms(matched, 600))
    assert torch.equal(a + 10, b)
    assert a.dtype == torch.float64
    assert stats.chisquare(np.bincount(a[:, 0].long())).pvalue > SAFE
    free = Empirical(q, k)
    a, b = free.draw(uniforms(free, 3600))
    table = np.histogram2d(a[:, 0].numpy(), b[:, 0].numpy(), bins=6)[0]
    assert stats.chisquare(table.ravel()).pvalue > SAFE


def product_moments(law: GaussianLaw) -> tuple[np.ndarray, np.ndarray]:
    """E q_i k_j and E (q_i k_i q_j k_j) of a centred law, by pairings (Isserlis)."""
    d = law.head_dim
    qq, kk, qk = law.covariance[:d, :d], law.covariance[d:, d:], law.covariance[:d, d:]
    own = np.diag(qk)
    return qk, np.outer(own, own) + qq * kk + qk * qk.T


@given(
    mu=st.floats(-1, 1),
    nu=st.floats(-1, 1),
    sd=st.floats(0.9, 3),
    pairing=st.sampled_from(["interleaved", "halves"]),
)
def test_assumption_2_1_holds_as_promised(mu, nu, sd, pairing):
    law = assumption_2_1(6, mu=mu, nu=nu, sd=sd, pairing=pairing)
    mean, second = product_moments(law)
    first = np.array([0, 2, 4]) if pairing == "interleaved" else np.arange(3)
    other = first + (1 if pairing == "interleaved" else 3)
    assert np.diag(mean)[first] + np.diag(mean)[other] == pytest.approx(mu, abs=1e-14)
    assert mean[first, other] - mean[other, first] == pytest.approx(nu, abs=1e-14)
    assert np.diag(second) == pytest.approx(sd**4 + mu**2 / 2, rel=1e-12)


@given(strength=st.floats(0, 0.999), amplitude_dim=st.integers(2, 7))
def test_negative_cross_terms_meet_assumption_2_1_and_cancel_within_the_amplitude(strength, amplitude_dim):
    law = negative_cross_terms(7, amplitude_dim, strength)
    mean, second = product_moments(law)
    assert np.abs(mean).max() == 0
    assert np.diag(second) == pytest.approx(1.0, abs=1e-14)
    amplitude = second[:amplitude_dim, :amplitude_dim]
    assert amplitude.sum() / amplitude_dim == pytest.approx(1 - strength, abs=1e-12)
    assert second[amplitude_dim:, amplitude_dim:] == pytest.approx(np.eye(7 - amplitude_dim), abs=1e-14)
    if strength > 1e-9:
        assert (amplitude - np.diag(np.diag(amplitude)) <= 0).all()


def test_rescaled_multiplies_the_two_inner_products():
    """Each of q and k by the square root, so their products by the factor; correlations stay as they were."""
    law = mixed_law(6)
    scaled = rescaled(law, 2, amplitude=4.0, phase=0.25)
    factors = np.tile([2.0] * 2 + [0.5] * 4, 2)
    assert scaled.mean == pytest.approx(factors * law.mean)
    assert scaled.spread == pytest.approx(factors * law.spread)
    correlations = [x.covariance / np.outer(x.spread, x.spread) for x in (law, scaled)]
    assert correlations[0] == pytest.approx(correlations[1], abs=1e-14)


BAD = [
    (lambda: Student(independent(4), 4.0), "degrees=4.0 must be finite and above 4"),
    (lambda: Student(independent(4), math.inf), "degrees=inf must be finite and above 4"),
    (lambda: Gaussian(independent(4, sd=0.0)), "the law has no variance in any direction"),
    (lambda: Sphere(0), "head_dim=0 is not a positive whole number"),
    (lambda: Sphere(4, 4), r"amplitude_dim=4 is outside 1 .. 3"),
    (lambda: Sphere(4, gain=0.0), "gain=0.0 must be finite and above 0"),
    (lambda: Empirical(torch.ones(3, 2), torch.ones(3, 4)), r"q of shape \(3, 2\), k of shape \(3, 4\)"),
    (lambda: Empirical(torch.ones(0, 2), torch.ones(3, 2)), "give at least one row of each"),
    (
        lambda: Empirical(torch.ones(2, 2), torch.ones(3, 2), matched=True),
        "as many of both if they are matched",
    ),
    (lambda: Empirical(torch.full((2, 2), math.nan), torch.ones(2, 2)), "q holds a value that is not finite"),
    (lambda: assumption_2_1(5), "head_dim=5 is odd"),
    (
        lambda: assumption_2_1(4, mu=1.8, nu=1.0),
        r"mu=1.8, nu=1.0 with sd=1.0: sqrt.* must not exceed 2 sd\^2",
    ),
    (lambda: assumption_2_1(4, mu=math.nan), "mu=nan"),
    (lambda: assumption_2_1(4, sd=0.0), "sd=0.0 must be finite and above 0"),
    (lambda: negative_cross_terms(4, 1, 0.5), r"amplitude_dim=1 is outside 2 .. head_dim=4"),
    (lambda: negative_cross_terms(4, 2, 1.0), r"strength=1.0 is outside \[0, 1\)"),
    (lambda: rescaled(correlated(4, 0.1), 4), r"amplitude_dim=4 is outside 1 .. 3"),
    (lambda: rescaled(correlated(4, 0.1), 2, phase=0.0), "phase=0.0 must be finite and above 0"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
