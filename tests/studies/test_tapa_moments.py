"""Records of TAPA and its rivals: what they hold against formulas, brute force and each other."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.encodings import Tapa
from analysis.errors import InputError
from analysis.records import read_summary
from analysis.sampling.monte_carlo import open_uniforms
from analysis.sampling.random_transformer import Shape, draw_head, weight_sd
from analysis.studies import encodings_compared, encodings_ranked, near_far, random_heads, tapa_moments
from figures.catalogue import SUMMARIES, read_arrays

LAGS = np.array([1.0, 5.0, 40.0])
FAR = np.array([1e20])
SMALL = Shape(hidden=16, layers=2, heads=2, feed_forward=24)


# TAPA alone


@settings(max_examples=6)  # each draws as well, a second or more
@given(
    dims=st.integers(1, 16),
    alpha=st.floats(0.01, 1),
    phase_sd=st.floats(0.001, 3),
    lag=st.floats(1, 1e6),
)
def test_the_mean_its_slope_and_its_bound_are_those_of_one_power(dims, alpha, phase_sd, lag):
    """(1 + t^2)^(-n/2): its logarithm, its slope in log distance, and t^-n, which it approaches from below."""
    found = tapa_moments.mean_curves(
        (phase_sd,), np.array([lag]), np.array([lag]), head_dim=2 * dims, alpha=alpha, samples=32, seed=0
    ).isel(phase_sd=0)
    square = (2 * math.pi * phase_sd * lag**alpha) ** 2 / dims
    assert float(found.log_mean[0]) == pytest.approx(-dims / 2 * math.log1p(square), rel=1e-9, abs=1e-9)
    assert float(found.log_bound[0]) == pytest.approx(-dims / 2 * math.log(square), rel=1e-9, abs=1e-9)
    assert float(found.exponent[0]) == pytest.approx(-alpha * dims * square / (1 + square), rel=1e-8)
    assert float(found.log_bound[0]) > float(found.log_mean[0])
    assert found.phase_dims == dims


def test_draws_find_the_mean_or_are_not_trusted():
    found = tapa_moments.mean_curves((0.1, 1.0), LAGS, LAGS, head_dim=32, samples=2**13, seed=1)
    exact = np.exp(found.log_mean.sel(distance=found.sampled.values).values)[:, None]
    z = np.abs((found.estimate - exact) / found.estimate_se).values
    assert (z[found.trusted.values] < 4.5).all()  # 12 and more correlated values
    small = found.sel(phase_sd=0.1)
    assert bool(small.trusted.all())
    assert (small.estimate_se < 0.05).all()


def by_name(name: str, phase_sd: float = 0.4) -> tapa_moments.VarianceLaw:
    return tapa_moments.variance_laws(8, 0.5, phase_sd)[name]


NAMES = tuple(tapa_moments.variance_laws(8, 0.5, 0.4))


@pytest.mark.parametrize("name", NAMES[:-1])
def test_laws_meet_assumption_2_1_and_have_the_phase_that_they_say(name: str):
    """By draws, each pair and coordinate: E A_d, E B_d and E (q_d k_d)^2 do not depend on d; four errors."""
    law = by_name(name)
    size = 2**17
    uniforms = open_uniforms(np.random.default_rng(5), size, law.sampler.dimensions)
    q, k = law.sampler.draw(uniforms)
    for values, expected in (
        (q[:, ::2] * k[:, ::2] + q[:, 1::2] * k[:, 1::2], 0.2 * 0.4 if "mean" in name else 0.0),
        (q[:, ::2] * k[:, 1::2] - q[:, 1::2] * k[:, ::2], 0.0),
        ((q * k).square(), law.sigma_sq),
    ):
        error = values.std(dim=0) / math.sqrt(size)
        assert ((values.mean(dim=0) - expected).abs() < 4.5 * error).all()
        assert (error < 0.02).all()
    phase = (q[:, 4:] * k[:, 4:]).sum(dim=1) / 2
    spread = float(phase.std())
    assert spread == pytest.approx(0.4, rel=0.08 if "mean" not in name else 0.1)


def test_the_law_without_a_density_is_that_of_two_coins():
    """Draw the coins: the same variance at every distance, and Assumption 2.1 in every coordinate."""
    law, rng = by_name("no density"), torch.Generator().manual_seed(0)
    size = 2**16
    root = math.sqrt(tapa_moments.FIXED / 2)  # n = 4 dimensions of the phase
    amplitude = math.sqrt(root**2) * torch.randn(2, size, 4, generator=rng, dtype=torch.float64)
    coins = root * (2.0 * torch.randint(0, 2, (2, size, 1), generator=rng) - 1).double().expand(2, size, 4)
    q, k = torch.cat([amplitude, coins], dim=-1)
    square = (q * k).square()
    error = square.std(dim=0) / math.sqrt(size)
    assert ((square.mean(dim=0) - law.sigma_sq).abs() <= 4.5 * error + 1e-15).all()
    scores = Tapa(8, 0.5).pairwise(q, k, torch.tensor(LAGS))
    assert law.exact is not None
    for values, exact in zip(scores.T, law.exact(LAGS), strict=True):
        spread = float((values - values.mean()).square().std()) / math.sqrt(size)
        assert abs(float(values.var()) - exact) <= 4 * spread + 1e-15


def test_which_laws_keep_theorem_3_3():
    """Far away: the bound itself, half of it by negative cross terms, or no limit without a density."""
    limits = {}
    for name in NAMES:
        law = by_name(name)
        if law.exact is not None:
            limits[name] = float(law.exact(FAR)[0]) / (law.sigma_sq / 2)
    assert limits["normal"] == pytest.approx(1)
    assert limits["spheres"] == pytest.approx(1)
    assert limits["normal with a mean"] > 1
    assert limits["negative cross terms"] == pytest.approx(0.5)
    turns = tapa_moments.FIXED * FAR[0] ** 0.5
    assert limits["no density"] == pytest.approx(2 * math.cos(2 * math.pi * (turns % 1)) ** 2, abs=1e-6)


def test_variances_by_draws_are_those_in_closed_form():
    found = tapa_moments.variance_curves(0.4, (0.1, 0.4), LAGS, LAGS, head_dim=8, samples=2**14, seed=2)
    exact = found.exact.sel(distance=found.sampled.values)
    known = exact.law.values != "heavy tails"
    away = np.abs(found.estimate.values - exact.values)[known]
    assert (away < 4.5 * found.estimate_se.values[known] + 1e-12).all()
    assert float(found.estimate_se.max()) < 0.1
    assert np.isnan(exact.values[~known]).all()
    np.testing.assert_array_equal(found.by_phase.sel(phase_sd=0.4), found.exact.sel(law="normal"))


def test_the_map_is_the_power_and_marks_are_drawn_weights():
    found = tapa_moments.phase_map([0.05, 0.5], [0.01, 0.2, 2.0], head_dim=16, far=1000.0)
    for name, lag in (("near", 1.0), ("far", 1000.0)):
        t = 2 * math.pi * found.phase_sd * lag**found.alpha / math.sqrt(8)
        expected = ((1 + t**2) ** -4).transpose("alpha", "phase_sd")
        assert found[name].values == pytest.approx(expected.values, rel=1e-9)
    assert found.mark_near.values == pytest.approx(
        (1 + (2 * math.pi * found.mark_sd.values) ** 2 / 8) ** -4.0, rel=1e-9
    )


def test_the_phase_at_initialisation_is_width_times_variance():
    """Draw W_q and W_k: the standard deviation of q_P.k_P / sqrt(n) of two fixed tokens of mean square 1."""
    hidden, draws, rng = 64, 2000, np.random.default_rng(0)
    tokens = torch.tensor(rng.standard_normal((1, 2, hidden)))
    tokens /= tokens.square().mean(dim=-1, keepdim=True).sqrt()
    for how in ("normal", "xavier", "depth"):
        sd = weight_sd(how, hidden, hidden, layers=3)
        phases = []
        for _ in range(draws):
            q, k = draw_head(tokens, 8, sd=sd, rng=rng)
            phases.append(float((q[0, 0, 4:] * k[0, 1, 4:]).sum()) / 2)
        expected = tapa_moments.initial_phase_sd(how, hidden, 3)
        error = np.std(np.square(phases)) / (2 * expected * math.sqrt(draws))
        assert abs(np.std(phases) - expected) < 4 * error
        assert error < 0.05 * expected


# rivals


def test_every_rival_is_drawn_as_its_closed_form_says():
    found = encodings_compared.rival_curves(
        (0.0, 0.5), LAGS, LAGS, head_dim=16, base=1e4, trained_length=64, length=512, samples=2**13, seed=3
    )
    exact = found.sel(distance=found.sampled.values)
    for name, error in (("estimate", "estimate_se"), ("sd_estimate", "sd_estimate_se")):
        curve = exact["mean" if name == "estimate" else "sd"].values
        # 90 values each, correlated within a rival: Gaussian tails beyond 4.5 have 7e-6
        assert (np.abs(found[name].values - curve) < 4.5 * found[error].values + 1e-12).all()
        assert float(found[error].max()) < 0.1
    assert len(found.rival) == 15
    ordered = found["mean"].sel(mu=0.5, distance=1.0)
    assert float(ordered.sel(rival="NoPE")) == pytest.approx(0.5 * 8 / 4)
    means = found["mean"].sel(mu=0.0).drop_sel(rival="ALiBi")
    assert float(np.abs(means).max()) < 1e-12


# untrained heads


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_text("It was the best of times, it was the worst of times. " * 20)
    return random_heads.hidden_of_texts([path], SMALL, 2, 48, seed=0)


def test_initialisations_read_the_same_text_with_other_weights(hidden):
    assert set(hidden) == {"normal", "xavier", "depth"}
    for states in hidden.values():
        assert states.shape == (2, 48, 16)
        # mean square 1, but for the epsilon of the norm: an embedding of sd 0.02 has mean square 4e-4
        assert torch.allclose(states.square().mean(dim=-1), torch.ones(2, 48).double(), atol=0.02)
    assert not torch.allclose(hidden["normal"], hidden["xavier"])


def test_the_phase_of_a_head_is_over_all_pairs_of_tokens(hidden):
    found = random_heads.phase_spread(hidden["normal"], SMALL, sd=0.3, draws=3, seed=4)
    rng, states = np.random.default_rng(4), hidden["normal"].flatten(0, 1)[None]
    for mean, sd in found.T:
        q, k = draw_head(states, 8, sd=0.3, rng=rng)
        phases = q[0, :, 4:] @ k[0, :, 4:].T / 2
        assert (mean, sd) == pytest.approx((float(phases.mean()), float(phases.std(correction=0))))


def test_heads_are_in_units_of_their_spread_over_weights(hidden):
    found = random_heads.untrained_heads(hidden, SMALL, draws=40, seed=1)
    assert found.unit.values == pytest.approx([16 * 0.02**2, 1.0, 16 * 0.02**2 / 4])
    assert found.band.dims == ("initialisation", "rival", "quantile", "distance")
    # a score's sd over weights is its unit times |h_m||h_n|/hidden, here 1; Student's tails of 40 draws
    sd = found.weights_se * math.sqrt(40)
    assert float(sd.sel(rival="RoPE").median()) == pytest.approx(1, rel=0.2)
    z = np.abs(found.weights_mean / found.weights_se)
    assert float(z.median()) < 2
    rms = ((found.phase_mean**2 + found.phase_sd**2).mean("draw") ** 0.5).values
    assert rms == pytest.approx(found.unit.values, rel=0.3)


def test_the_protocol_shows_no_gap_by_positions_and_one_of_its_own_by_distances(hidden):
    found = near_far.untrained_gaps(hidden, SMALL, heads=4, pairs=4000, resamples=100, seed=2)
    z = found["mean"] / (found.sd / math.sqrt(4000))
    assert float(np.abs(z.sel(reading="positions")).max()) < 4.5
    assert float(np.abs(z.sel(reading="distances", rival="RoPE")).max()) > 6
    low, high = (found.mean_interval.sel(bound=side) for side in ("low", "high"))
    assert ((low < found["mean"]) & (found["mean"] < high)).all()
    np.testing.assert_allclose(found.expected, found["mean"].mean("head"))
    assert found.paper_mean.values.tolist() == [4.1, 0.03]
    assert found.paper_sd.values.tolist() == [0.85, 3.3]


def test_the_gap_that_one_mu_makes_is_a_sum_of_cosines():
    shape = random_heads.SHAPE
    omega = random_heads.BASE ** -(np.arange(0, shape.head_dim, 2) / shape.head_dim)
    near, far = (
        np.cos(np.outer(np.arange(a, b + 1), omega)).sum(1).mean() for a, b in ((0, 100), (10_000, 10_100))
    )
    summary = read_summary(SUMMARIES / "rivals.json", expect_schema=encodings_ranked.SUMMARY)
    expected = (near - far) / math.sqrt(shape.head_dim)
    assert summary["near_far"]["gap_of_mu"] == pytest.approx(expected, rel=1e-4)


# bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tapa_moments.mean_law(8, 0.0), "phase=0.0 must be finite and above 0"),
        (lambda: tapa_moments.mean_law(8, 1.0, 8), r"amplitude_dim=8 is outside 1 .. 7"),
        (lambda: tapa_moments.phase_map([0.0], [1.0]), "alpha=0.0 must be above 0"),
        (lambda: tapa_moments.initial_phase_sd("other", 8, 1), "initialisation='other' is unknown"),
        (lambda: encodings_compared.rival_curves((9.0,), LAGS, LAGS, seed=0), "mu=9.0, nu=0.0 with sd=1.0"),
        (
            lambda: tapa_moments.mean_curves((0.1,), LAGS, LAGS, samples=33, seed=0),
            "samples=33: 32 scrambles of Sobol points",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


# the committed numbers


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in leaves(item, f"{path}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, item in enumerate(value) for k, v in leaves(item, f"{path}/{i}").items()}
    return {path: value}


def differences(committed: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """Numbers that differ by more than the five digits that are written, and by what another processor may round.

    Draws are the same everywhere; scores in a low precision round by the kernel that multiplies, so their error may
    differ by a factor.
    """
    old, new = leaves(committed), leaves(fresh)
    found = [f"{path} is in one alone" for path in sorted(old.keys() ^ new.keys())]
    for path in sorted(old.keys() & new.keys()):
        a, b = old[path], new[path]
        rounding = path.startswith("/precision") and "error" in path and None not in (a, b)
        alike = a / 3 < b < 3 * a if rounding else a == b or (
            None not in (a, b) and math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-9)
        )  # fmt: skip
        found += [] if alike else [f"{path}: {a}, now {b}"]
    return found


@pytest.mark.slow  # eight records, a minute together; each study has its own tests on smaller settings
@pytest.mark.records("rivals_summary")
def test_a_fresh_run_gives_the_committed_numbers(made_records: None):
    committed = read_summary(SUMMARIES / "rivals.json", expect_schema=encodings_ranked.SUMMARY)
    fresh = encodings_ranked.summarise_encodings(
        {name: read_arrays(name) for name in encodings_ranked.RECORDS}
    )
    assert differences(committed, json.loads(json.dumps(fresh, default=float))) == []


def test_a_changed_number_is_seen():
    committed = read_summary(SUMMARIES / "rivals.json", expect_schema=encodings_ranked.SUMMARY)
    assert differences(committed, committed) == []
    for path in (("tapa_map", "largest_loss"), ("near_far", "gap_of_mu")):
        changed = json.loads(json.dumps(committed))
        changed[path[0]][path[1]] *= 1.01
        assert differences(committed, changed)
    assert Path(SUMMARIES / "rivals.json").stat().st_size < 20_000
