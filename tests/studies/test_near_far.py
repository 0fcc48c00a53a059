"""Figure 1's protocol: the gap of near and far scores in both readings, and whether its intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis.encodings import Nope, Rope, SlidingWindow, Tapa
from analysis.errors import InputError
from analysis.sampling.laws import Gaussian, Sphere, assumption_2_1, rescaled
from analysis.studies.near_far import near_far_differences
from analysis.theory import frequencies
from analysis.theory.gaussian_law import independent, rotary_moments
from analysis.theory.rope import mean_gap
from analysis.theory.tapa import tapa_moments

NEAR, FAR = np.arange(101.0), np.arange(10_000.0, 10_101.0)
LAW = assumption_2_1(16, mu=0.8, nu=0.4, pairing="halves")


def mixture(of, distances: np.ndarray) -> tuple[float, float]:
    """Mean and variance of a score at a distance drawn uniformly."""
    moments = of(distances)
    return float(moments.mean.mean()), float(moments.second.mean() - moments.mean.mean() ** 2)


def test_rope_gap_is_the_closed_form():
    """The mean is also the paper's own: sqrt(D) times the mean of Gamma near, less far."""
    rope = frequencies.plain(1e4, 16)
    found = near_far_differences(Rope(rope), Gaussian(LAW), reading="distances", seed=0)
    near, far = (mixture(lambda d: rotary_moments(LAW, d, rope), lags) for lags in (NEAR, FAR))
    assert near[0] - far[0] == pytest.approx(4 * mean_gap((0, 100), (10_000, 10_100), 1e4, 16, 0.8, 0.4))
    assert found["mean_interval"][0] <= near[0] - far[0] <= found["mean_interval"][1]
    assert found["sd_interval"][0] <= np.sqrt(near[1] + far[1]) <= found["sd_interval"][1]
    assert found["difference"].shape == (10_000,)
    assert float(found["difference"].mean()) == pytest.approx(found["mean"].item(), abs=1e-12)


def test_tapa_gap_is_the_closed_form():
    law = rescaled(LAW, 8, phase=0.1)
    found = near_far_differences(Tapa(16), Gaussian(law), reading="distances", seed=1)
    near, far = (
        mixture(lambda d: tapa_moments(law, d, alpha=0.1, amplitude_share=0.5), lags) for lags in (NEAR, FAR)
    )
    assert found["mean_interval"][0] <= near[0] - far[0] <= found["mean_interval"][1]
    assert found["sd_interval"][0] <= np.sqrt(near[1] + far[1]) <= found["sd_interval"][1]


@pytest.mark.parametrize("encoding", [Rope(frequencies.plain(1e4, 16)), Tapa(16)])
def test_drawing_positions_leaves_a_relative_encoding_no_gap(encoding):
    """Both intervals then hold the same distances, 0 to 100, however biased the encoding is."""
    found = near_far_differences(encoding, Gaussian(LAW), reading="positions", seed=2, confidence=0.999)
    assert found["mean_interval"][0] <= 0 <= found["mean_interval"][1]
    short = near_far_differences(
        encoding, Gaussian(LAW), reading="positions", near=(7, 7), far=(9, 9), seed=2
    )
    at_zero = near_far_differences(
        encoding, Gaussian(LAW), reading="distances", near=(0, 0), far=(0, 0), seed=2
    )
    np.testing.assert_array_equal(short["difference"], at_zero["difference"])


def test_intervals_cover_as_often_as_they_say():
    """Products of normal variables have heavy tails: the interval of the sd must not assume normal scores."""
    sampler, encoding = Gaussian(independent(4)), Nope(4)
    truth = np.sqrt(2.0)  # variance of q.k / sqrt(D) is 1, twice
    runs = [
        near_far_differences(
            encoding, sampler, reading="distances", pairs=1000, seed=s, confidence=0.8, resamples=200
        )
        for s in range(100)
    ]
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], 100, 0.8)
    for name, value in (("mean", 0.0), ("sd", truth)):
        bounds = np.array([found[f"{name}_interval"].values for found in runs])
        assert low <= ((bounds[:, 0] <= value) & (value <= bounds[:, 1])).sum() <= high


def test_a_seed_decides():
    arguments = {"encoding": Tapa(4), "sampler": Sphere(4), "reading": "distances", "pairs": 100}
    a, b, c = (near_far_differences(**arguments, seed=seed) for seed in (3, 3, 4))
    xr.testing.assert_identical(a, b)
    assert not np.array_equal(a["difference"], c["difference"])


RIGHT = {"encoding": Tapa(4), "sampler": Sphere(4), "reading": "distances", "seed": 0}
BAD = [
    ({"reading": "both"}, "reading='both' is unknown; known: distances, positions"),
    ({"sampler": Sphere(6)}, "the encoding is for head_dim=4, the sampler draws 6 dimensions"),
    ({"near": (5, 4)}, r"near=\(5, 4\) is no interval of tokens"),
    ({"far": (-1, 4)}, r"far=\(-1, 4\) is no interval of tokens"),
    ({"pairs": 0}, "pairs=0 is below 2"),
    ({"seed": -1}, "seed=-1 is below 0"),
    ({"resamples": 10}, "resamples=10 is below 100"),
    ({"confidence": 1.0}, r"confidence=1.0 is outside \(0, 1\)"),
    (
        {"encoding": SlidingWindow(Nope(4), 50)},
        "a score is not finite; leave out distances that a window hides",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_named(change, message):
    with pytest.raises(InputError, match=message):
        near_far_differences(**(RIGHT | change))
