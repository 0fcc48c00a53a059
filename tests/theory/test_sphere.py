"""The mean cosine on spheres against 50 digits, quadrature, elementary cases, the normal law it mixes to, samples."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import j0, roots_genlaguerre, roots_jacobi

from analysis.errors import InputError
from analysis.theory.tapa import log_mean_cosine, mean_cosine, sphere_moments

PROMISED = 1e-10


def fifty_digits(phase: float, dims: int) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The mean cosine and its envelope: the hypergeometric series near by, a Bessel function far away."""
    with mpmath.workdps(60):
        t, half = mpmath.mpf(phase), mpmath.mpf(dims) / 2
        gain = mpmath.gamma(half) * (2 / t) ** (half - 1)
        value = mpmath.hyp0f1(half, -t * t / 4) if t < 3000 else gain * mpmath.besselj(half - 1, t)
        return value, min(mpmath.mpf(1), gain * mpmath.sqrt(2 / (mpmath.pi * t)))


def check(phase: float, dims: int) -> None:
    value, envelope = fifty_digits(phase, dims)
    sign, log = log_mean_cosine(phase, dims)
    with mpmath.workdps(60):
        assert abs(float(sign) * mpmath.exp(mpmath.mpf(float(log))) - value) < PROMISED * envelope
        plain = mpmath.mpf(float(mean_cosine(phase, dims)))
        assert abs(plain - value) < PROMISED * envelope + mpmath.mpf("1e-323")
    assert (plain == 0) == (abs(value) < 3e-324 or sign == 0)


@pytest.mark.parametrize("dims", [1, 2, 3, 8, 64, 255, 256, 512])
def test_fifty_digits_agree_over_eighteen_decades(dims):
    for decade in range(-9, 10):
        check(10.0**decade, dims)
    for share in (0.999999, 1, 1.000001, 1.5, 3):  # where the series hands over
        check(2 * math.sqrt(dims) * share, dims)


@given(st.floats(-2, 4.5), st.integers(1, 300))
@settings(max_examples=60)
def test_fifty_digits_agree_anywhere(log_phase, dims):
    check(10.0**log_phase, dims)


@pytest.mark.parametrize("dims", [2, 3, 4, 17, 128])
def test_quadrature_over_the_angle(dims):
    """The density of c is proportional to (1 - c^2)^((dims-3)/2)."""
    nodes, weights = roots_jacobi(80, (dims - 3) / 2, (dims - 3) / 2)
    for t in (0.0, 0.5, 3.0, 40.0):
        predicted = (weights * np.cos(t * nodes)).sum() / weights.sum()
        assert mean_cosine(t, dims) == pytest.approx(predicted, abs=1e-13)


def test_one_two_and_three_dimensions_are_elementary():
    t = np.linspace(0.01, 300, 1001)
    np.testing.assert_allclose(mean_cosine(t, 1), np.cos(t), atol=1e-13)
    np.testing.assert_allclose(mean_cosine(t, 2), j0(t), atol=1e-13)
    np.testing.assert_allclose(mean_cosine(-t, 3), np.sin(t) / t, atol=1e-13)
    np.testing.assert_array_equal(mean_cosine(0.0, 64), 1.0)


@pytest.mark.parametrize("dims", [1, 2, 5, 32])
@pytest.mark.parametrize("t", [0.02, 0.1, 0.3])
def test_spheres_of_normal_radii_mix_to_the_normal_law(dims, t):
    """r^2 / 2 of a standard normal vector has a gamma law; the mean over both radii is (1 + t^2)^(-dims/2)."""
    half_squares, weights = roots_genlaguerre(60, dims / 2 - 1)
    weights = weights / weights.sum()
    radii = np.sqrt(2 * half_squares)
    mixed = weights @ mean_cosine(t * np.outer(radii, radii), dims) @ weights
    assert mixed == pytest.approx((1 + t * t) ** (-dims / 2), abs=1e-12)


def test_samples_of_normalised_vectors_agree_within_four_standard_errors():
    rng, count = np.random.default_rng(0), 100_000

    def rms_normalised(dims: int) -> np.ndarray:
        x = rng.standard_normal((count, dims))
        return 1.3 * x / np.sqrt((x**2).mean(axis=1, keepdims=True))

    amplitude = (rms_normalised(4) * rms_normalised(4)).sum(axis=1) / 2
    phi = (rms_normalised(8) * rms_normalised(8)).sum(axis=1) / math.sqrt(8)
    distance = np.array([0.0, 1.0, -50.0])
    setting = {"alpha": 0.2, "amplitude_share": 1 / 3, "gain": 1.3, "scale_phase": 0.1}
    found = sphere_moments(distance, 12, **setting)
    wide = sphere_moments(
        distance, 12, **setting, amplitude_mean=2.0, amplitude_second=float((amplitude**2).mean() + 4)
    )
    assert (found.mean == 0).all()
    for i, lag in enumerate(np.abs(distance)):
        cosine = np.cos(0.2 * math.pi * lag**0.2 * phi)
        for value, sample in (
            (found.mean[i], amplitude * cosine),
            (found.second[i], (amplitude * cosine) ** 2),
            (found.variance[i], (amplitude * cosine) ** 2),
            (wide.mean[i], (amplitude + 2) * cosine),
            (wide.second[i], ((amplitude + 2) * cosine) ** 2),
        ):
            se = sample.std() / math.sqrt(count)
            assert abs(value - sample.mean()) < 4 * se + 1e-12
            assert se < 0.05
    np.testing.assert_allclose(wide.variance, wide.second - wide.mean**2, rtol=1e-12)


def test_the_sphere_decays_slower_than_the_normal_law_and_changes_sign():
    """Exponent (n - 1)/2 against n: radii that do not spread leave rings of equal phase."""
    n, t = 16, np.geomspace(50, 5000, 4001)
    size = np.abs(mean_cosine(t, n))
    assert (mean_cosine(t, n) < 0).any()
    peaks = np.flatnonzero((size[1:-1] > size[:-2]) & (size[1:-1] > size[2:])) + 1
    slope = np.polyfit(np.log(t[peaks[:20]]), np.log(size[peaks[:20]]), 1)[0]
    assert slope == pytest.approx(-(n - 1) / 2, rel=0.05)


def test_values_out_of_range_are_named():
    for dims in (0, 513, 1.5):
        with pytest.raises(InputError, match=f"dims={dims} is not a whole number from 1 to 512"):
            mean_cosine(1.0, dims)
    with pytest.raises(InputError, match=r"a phase of 1e\+16 rad has no meaning in float64"):
        mean_cosine(1e16, 4)
    with pytest.raises(InputError, match="phase holds nan, which is not finite"):
        mean_cosine(math.nan, 4)
    setting = {"alpha": 0.1, "amplitude_share": 0.5}
    with pytest.raises(InputError, match=r"alpha=0\.0 must be above 0"):
        sphere_moments(1.0, 8, alpha=0.0, amplitude_share=0.5)
    with pytest.raises(InputError, match=r"amplitude_share=1.0 is outside \(0, 1\)"):
        sphere_moments(1.0, 8, alpha=0.1, amplitude_share=1.0)
    with pytest.raises(InputError, match="gain=0 must be finite and above 0"):
        sphere_moments(1.0, 8, **setting, gain=0)
    with pytest.raises(
        InputError, match=r"amplitude_mean=2.0 and amplitude_second=3.0 belong to no random variable"
    ):
        sphere_moments(1.0, 8, **setting, amplitude_mean=2.0, amplitude_second=3.0)
