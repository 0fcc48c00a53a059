"""Monte Carlo against closed forms: right, honest about its error, the same from any workers, small in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats

from analysis.bench import sampling_efficiency
from analysis.encodings import Alibi, Encoding, GeneralTapa, LinearTapa, Nope, Rope, SlidingWindow, Tapa
from analysis.errors import InputError
from analysis.sampling import monte_carlo
from analysis.sampling.laws import (
    Empirical,
    Gaussian,
    Sampler,
    Sphere,
    Student,
    assumption_2_1,
    negative_cross_terms,
    rescaled,
)
from analysis.sampling.monte_carlo import CHUNK, estimate
from analysis.theory import frequencies
from analysis.theory.frequencies import plain
from analysis.theory.gaussian_law import (
    GaussianLaw,
    Moments,
    alibi_moments,
    correlated,
    equal,
    independent,
    nope_moments,
    rotary_moments,
)
from analysis.theory.rope import expected_score
from analysis.theory.tapa import sphere_moments, tapa_moments

METHODS = ("plain", "sobol", "conditional", "conditional-sobol")
LAGS = np.array([0.0, 1.0, -3.0, 40.0, 5000.0])
SIGMAS = 4.0


def mixed_law(head_dim: int, seed: int = 0, *, phase: float = 0.2) -> GaussianLaw:
    """Any means and any covariance, and a phase that does not wash out at once."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((2 * head_dim, 2 * head_dim)) / math.sqrt(2 * head_dim)
    return rescaled(GaussianLaw(0.5 * rng.standard_normal(2 * head_dim), root @ root.T), 2, phase=phase)


def within(found: xr.Dataset, name: str, theory: np.ndarray, sigmas: float = SIGMAS) -> np.ndarray:
    return np.abs(found[name].values - theory) <= sigmas * found[f"{name}_se"].values


def check(found: xr.Dataset, theory: Moments, small: float) -> None:
    assert within(found, "mean", theory.mean).all()
    assert within(found, "variance", theory.variance).all()
    assert (found["mean_se"] < small).all()
    assert (found["variance_se"] < 10 * small).all()


def tapa_theory(encoding: Tapa, law: GaussianLaw) -> Moments:
    phase = "linear" if isinstance(encoding, LinearTapa) else "quadratic"
    return tapa_moments(
        law, LAGS, alpha=encoding.alpha, amplitude_share=encoding.amplitude_share, phase=phase
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "encoding", [Tapa(6, amplitude_share=1 / 3), LinearTapa(6, 0.3, amplitude_share=1 / 3)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_tapa_under_any_gaussian_law(method, encoding, seed):
    law = mixed_law(6, seed)
    found = estimate(encoding, Gaussian(law), LAGS, 2**16, method=method, seed=seed)
    check(found, tapa_theory(encoding, law), small=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_tapa_under_the_standard_law_with_a_mean(method):
    """(1 + t^2)^(-n/2) times the mean amplitude, and the variance from the same factor at twice the phase."""
    encoding, mu, n = Tapa(8), 0.3, 4
    t = 2 * math.pi * np.abs(LAGS) ** 0.1 / math.sqrt(n)
    damped, twice = (1 + t**2) ** (-n / 2), (1 + 4 * t**2) ** (-n / 2)
    # q and k have means sqrt(mu/2): the phase's are taken away again
    law = independent(8, mu=mu)
    mean = np.tile([math.sqrt(mu / 2)] * 4 + [0.0] * 4, 2)
    found = estimate(
        encoding, Gaussian(GaussianLaw(mean, law.covariance)), LAGS, 2**16, method=method, seed=3
    )
    amplitude, square = mu / 2 * math.sqrt(n), 1 + mu + n * (mu / 2) ** 2
    variance = square * (1 + twice) / 2 - (amplitude * damped) ** 2
    check(found, Moments(amplitude * damped, square * (1 + twice) / 2, variance), small=0.01)


SINGULAR = {
    "equal q and k": equal(6, sd=0.6),
    "q_P at rest": GaussianLaw(0.3 * np.ones(12), np.diag([1.0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])),
    "k follows from q": GaussianLaw(np.zeros(12), 0.3 * np.kron([[1.0, 1], [1, 1]], np.eye(6))),
}


@pytest.mark.parametrize("law", SINGULAR.values(), ids=SINGULAR.keys())
@pytest.mark.parametrize("encoding", [Tapa(6, amplitude_share=1 / 3), LinearTapa(6, amplitude_share=1 / 3)])
def test_conditional_takes_singular_laws(law, encoding):
    found = estimate(encoding, Gaussian(law), LAGS, 2**15, method="conditional", seed=0)
    check(found, tapa_theory(encoding, law), small=0.02)


OTHERS: dict[str, tuple[Encoding, Callable[[GaussianLaw], Moments]]] = {
    "RoPE": (
        Rope(frequencies.plain(100.0, 6)),
        lambda law: rotary_moments(law, LAGS, frequencies.plain(100.0, 6)),
    ),
    "partial": (
        Rope(frequencies.plain(100.0, 6, 2)),
        lambda law: rotary_moments(law, LAGS, frequencies.plain(100.0, 6, 2)),
    ),
    "xPos": (
        Rope(frequencies.xpos(100.0, 6)),
        lambda law: rotary_moments(law, LAGS, frequencies.xpos(100.0, 6)),
    ),
    "NoPE": (Nope(6), lambda law: nope_moments(law, LAGS)),
    "ALiBi": (Alibi(6, [0.3]), lambda law: alibi_moments(law, LAGS, slope=0.3)),
}


@pytest.mark.parametrize("method", ["plain", "sobol"])
@pytest.mark.parametrize(("encoding", "theory"), OTHERS.values(), ids=OTHERS.keys())
def test_every_other_encoding(method, encoding, theory):
    law = mixed_law(6)
    check(estimate(encoding, Gaussian(law), LAGS, 2**15, method=method, seed=5), theory(law), small=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_rope_mean_is_the_papers_sum(seed):
    """Eq 3 with E A_d = mu_0, E B_d = nu_0 for every pair, at distances where it swings."""
    frequencies = plain(1e4, 16, pairing="interleaved")
    law = assumption_2_1(16, mu=0.8, nu=-0.5)
    found = estimate(Rope(frequencies), Gaussian(law), LAGS, 2**16, method="sobol", seed=seed)
    theory = expected_score(LAGS, frequencies.omega, 0.8, -0.5, scale=0.25)
    assert within(found, "mean", theory).all()
    assert (found["mean_se"] < 0.005).all()


def test_normalised_queries_and_keys():
    encoding = Tapa(8, alpha=0.2)
    found = estimate(encoding, Sphere(8, 4, gain=0.5), LAGS, 2**16, method="plain", seed=1)
    theory = sphere_moments(LAGS, 8, alpha=0.2, amplitude_share=0.5, gain=0.5)
    check(found, theory, small=0.01)


def test_heavy_tails():
    """q.k of independent Student vectors: mean 0, variance (nu/(nu - 2))^2, in units of the scale."""
    found = estimate(Nope(6), Student(independent(6), 10.0), LAGS, 2**16, seed=0)
    check(found, Moments(np.zeros(5), np.full(5, 1.25**2), np.full(5, 1.25**2)), small=0.01)


def test_captured_rows():
    """Every pair of rows is as likely as any other, so moments are those of the full table."""
    q, k = (torch.randn(50, 6, generator=torch.Generator().manual_seed(i)).double() for i in (0, 1))
    encoding = Tapa(6)
    table = encoding.pairwise(q.repeat_interleave(50, 0), k.repeat(50, 1), torch.tensor(LAGS)).numpy()
    theory = Moments(table.mean(axis=0), (table**2).mean(axis=0), table.var(axis=0))
    for method in ("plain", "sobol"):
        check(estimate(encoding, Empirical(q, k), LAGS, 2**15, method=method, seed=0), theory, small=0.02)


def test_theorem_3_3_and_a_law_that_breaks_it():
    """Assumption 2.1 with sigma_0 = 1 both times; the variance far away is half E A^2, not sigma_0^2/2."""
    encoding, far = Tapa(16), np.array([1e12])
    for law, limit in ((independent(16), 0.5), (negative_cross_terms(16, 8, 0.9), 0.05)):
        found = estimate(encoding, Gaussian(law), far, 2**14, method="conditional", seed=0)
        assert found["variance"].item() == pytest.approx(limit, abs=4 * found["variance_se"].item() + 1e-3)


# honest errors


@pytest.mark.parametrize("method", METHODS)
def test_error_bars_cover_as_often_as_they_say(method):
    """90 % intervals over many seeds: coverage within what a binomial of probability 0.9 gives."""
    encoding, law, scrambles = Tapa(6), mixed_law(6, 7), 8
    theory = tapa_moments(law, LAGS[1:2], alpha=0.1, amplitude_share=0.5)
    seeds, limit = 160, stats.norm.ppf(0.95)
    if method.endswith("sobol"):
        seeds, limit = 60, stats.t.ppf(0.95, scrambles - 1)
    settings = {"method": method, "scrambles": scrambles}
    runs = [
        estimate(encoding, Gaussian(law), LAGS[1:2], 2**11, seed=seed, **settings) for seed in range(seeds)
    ]
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], seeds, 0.9)
    for name, value in (("mean", theory.mean), ("variance", theory.variance)):
        inside = sum(bool(within(found, name, value, limit).all()) for found in runs)
        assert low <= inside <= high, (name, inside)


def test_a_mean_made_by_rare_draws_says_so():
    """Plain initialisation, 64 dimensions: at distance 16 the mean is 5e-10, all of it from small |q_P|."""
    encoding, law = Tapa(64), correlated(64, 0.1)
    found = estimate(encoding, Gaussian(law), np.array([0.0, 16.0]), 2**13, method="conditional", seed=0)
    assert found["mean_top"].values[0] < 0.01 < 0.3 < found["mean_top"].values[1]
    law = rescaled(law, 32, phase=0.1)
    found = estimate(encoding, Gaussian(law), np.array([0.0, 16.0]), 2**13, method="conditional", seed=0)
    assert (found["mean_top"] < 0.01).all()


def test_errors_fall_as_they_should():
    """Four times the draws: half the error of plain sampling."""
    law = mixed_law(6)
    few, many = (estimate(Tapa(6), Gaussian(law), LAGS, n, seed=0) for n in (2**13, 2**15))
    ratio = (few["mean_se"] / many["mean_se"]).values
    assert ratio == pytest.approx(2.0, rel=0.1)  # the errors themselves are known to 1/sqrt(2 n) = 0.8 %


def test_a_mean_far_from_zero_keeps_its_digits():
    """ALiBi at a million tokens: mean -500,000, variance 1; squares alone would lose it."""
    law = independent(6)
    found = estimate(Alibi(6, [0.5]), Gaussian(law), np.array([1e6]), 2**14, seed=0)
    plain = estimate(Nope(6), Gaussian(law), np.array([1e6]), 2**14, seed=0)
    assert found["mean"].item() == pytest.approx(plain["mean"].item() - 5e5, abs=1e-8)
    assert found["variance"].item() == pytest.approx(plain["variance"].item(), rel=1e-8)
    assert found["variance_se"].item() == pytest.approx(plain["variance_se"].item(), rel=1e-8)


def test_sums_of_chunks_are_sums_of_all():
    """Two chunks and a bit, against numpy on all draws at once."""
    count, law = 2 * CHUNK + 100, mixed_law(6)
    sampler, encoding = Gaussian(law), Tapa(6)
    drawn = []

    @dataclass(frozen=True, eq=False)
    class Recording(Tapa):
        def pairwise(self, q, k, distance):
            drawn.append(super().pairwise(q, k, distance))
            return drawn[-1]

    found = estimate(Recording(6), sampler, LAGS, count, seed=0)
    assert [len(part) for part in drawn] == [256, CHUNK, CHUNK, 100]  # the pilot comes first
    scores = torch.cat(drawn[1:]).numpy()
    assert found["mean"].values == pytest.approx(scores.mean(axis=0), abs=1e-14)
    assert found["variance"].values == pytest.approx(scores.var(axis=0, ddof=1), rel=1e-12)
    assert found["mean_se"].values == pytest.approx(scores.std(axis=0, ddof=1) / math.sqrt(count), rel=1e-12)
    centred = scores - scores.mean(axis=0)
    fourth = np.sqrt((centred**4).mean(axis=0) - scores.var(axis=0) ** 2) / math.sqrt(count)
    assert found["variance_se"].values == pytest.approx(fourth, rel=1e-4)
    assert found["mean"].values == pytest.approx(
        estimate(encoding, sampler, LAGS, count, seed=0)["mean"].values
    )


# seeds and memory


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides_and_only_the_seed(method):
    law = Gaussian(mixed_law(6))
    a, b, c = (estimate(Tapa(6), law, LAGS, 2**12, method=method, seed=s) for s in (5, 5, 6))
    xr.testing.assert_identical(a, b)
    assert not np.array_equal(a["mean"], c["mean"])


@dataclass(frozen=True, eq=False)
class Counting(Gaussian):
    """Remembers the largest number of values it was asked for at once."""

    def draw(self, uniforms):
        largest.append(uniforms.size)
        return super().draw(uniforms)


@dataclass(frozen=True, eq=False)
class CountingTapa(Tapa):
    """Likewise for scores."""

    def pairwise(self, q, k, distance):
        largest.append(len(q) * len(distance))
        return super().pairwise(q, k, distance)


largest: list[int] = []


@pytest.mark.parametrize("method", ["plain", "sobol"])
def test_memory_is_that_of_a_chunk(method):
    """Four chunks and many distances: nothing larger than a chunk's draws or a block of scores is ever made."""
    sampler, lags = Counting(independent(4)), np.arange(300.0)
    largest.clear()
    estimate(CountingTapa(4), sampler, lags, 4 * CHUNK, method=method, seed=0, scrambles=2)
    assert max(largest) <= max(CHUNK * sampler.dimensions, monte_carlo._BLOCK)
    assert max(largest) > monte_carlo._BLOCK / 2


def test_the_best_estimator_saves_twenty_times_the_draws():
    rows = sampling_efficiency(2**13)
    assert len(rows) == 9
    best = [row for row in rows if "plain over conditional-sobol" in row["what"]]
    assert len(best) == 3
    assert all(row["ratio"] >= 20 for row in best)
    assert all(row["ratio"] == min(row["by_distance"].values()) for row in rows)


# bad input

RIGHT = {
    "encoding": Tapa(4),
    "sampler": Gaussian(independent(4)),
    "distances": LAGS,
    "samples": 64,
    "seed": 0,
}
BAD = [
    ({"samples": 0}, "samples=0 is not a whole number of at least 2"),
    ({"samples": -5}, "samples=-5 is not a whole number"),
    ({"samples": 1}, "samples=1 is not a whole number of at least 2"),
    ({"samples": 2.5}, "samples=2.5 is not a whole number"),
    ({"seed": -1}, "seed=-1 is not a whole number of at least 0"),
    ({"method": "quasi"}, "method='quasi' is unknown; known: plain, sobol, conditional, conditional-sobol"),
    ({"method": "sobol", "samples": 100}, "samples=100: 32 scrambles of Sobol points.*; give 64 or 128"),
    ({"method": "sobol", "samples": 96}, "32 times a power of two below 2.30; give 64 or 128"),
    ({"method": "sobol", "samples": 10}, "give 32 or 64"),
    ({"method": "sobol", "scrambles": 1}, "scrambles=1 is not a whole number of at least 2"),
    ({"distances": np.array([1.0, math.nan])}, "distance=nan is not a number"),
    ({"distances": np.array([])}, r"distances of shape \(0,\) are not a list"),
    ({"sampler": Gaussian(independent(6))}, "the encoding is for head_dim=4, the sampler draws 6 dimensions"),
    (
        {"method": "conditional", "sampler": Sphere(4)},
        "not Tapa's under Sphere; take plain or sobol",
    ),
    ({"method": "conditional-sobol", "encoding": Nope(4)}, "not Nope's under Gaussian; take plain or sobol"),
    (
        {"method": "conditional", "encoding": GeneralTapa(torch.eye(4), torch.eye(4))},
        "not GeneralTapa's under Gaussian",
    ),
    ({"encoding": SlidingWindow(Nope(4), 30)}, "the score at distance=40 is not finite"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_named(change, message):
    with pytest.raises(InputError, match=message):
        estimate(**(RIGHT | change))


def test_conditional_says_which_dimensions_differ():
    with pytest.raises(InputError, match="the encoding is for head_dim=4, the law for 6"):
        monte_carlo.ConditionalTapa(Tapa(4), independent(6))


def test_a_sampler_says_how_many_numbers_it_takes():
    samplers: list[Sampler] = [Gaussian(independent(4)), Sphere(4), Student(independent(4), 5.0)]
    assert [sampler.dimensions for sampler in samplers] == [8, 8, 10]
