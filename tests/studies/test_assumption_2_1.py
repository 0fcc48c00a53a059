"""The tests of Assumption 2.1: level under every covariance, power, Holm against its definition, shares."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import InputError
from analysis.intervals import holm
from analysis.studies.assumption_2_1 import constancy, verdicts

TRIES = 4000
NAMES = ("mu_window", "nu_window")


def draws(
    spectrum: np.ndarray, windows: int, seed: int, *, law: str = "normal", tries: int = TRIES
) -> np.ndarray:
    """Windows x tries x cells with the same mean in every cell, and a covariance of any spectrum."""
    rng = np.random.default_rng(seed)
    size = (windows, tries, len(spectrum))
    z = {"normal": rng.standard_normal, "t3": lambda n: rng.standard_t(3, n)}[law](size)
    turn = np.linalg.qr(rng.standard_normal((len(spectrum), len(spectrum))))[0]
    return 0.7 + (z * np.sqrt(spectrum)) @ turn


SPECTRA = {
    "one direction": np.r_[1.0, np.zeros(11)],
    "two directions": np.r_[1.0, 1.0, np.zeros(10)],
    "like 1/n": 1 / np.arange(1.0, 13.0),
    "all alike": np.ones(12),
}


@pytest.mark.parametrize("law", ["normal", "t3"])
@pytest.mark.parametrize("windows", [3, 8])
@pytest.mark.parametrize("name", SPECTRA)
def test_the_level_holds_whatever_the_covariance(name: str, windows: int, law: str):
    """Also with far fewer windows than cells, where the test of Hotelling is not defined."""
    p = constancy(draws(SPECTRA[name], windows, 3, law=law), (0,)).p
    for level in (0.05, 0.01):
        error = math.sqrt(level * (1 - level) / TRIES)
        assert (p <= level).mean() <= level + 4 * error


def test_where_the_noise_has_one_direction_the_level_is_exact():
    """Two cells have one contrast: the test is Student's t for a mean of 0."""
    x = draws(np.ones(2), 8, 5)
    found = constancy(x, (0,))
    expected = stats.ttest_1samp(x[..., 0] - x[..., 1], 0.0).pvalue
    np.testing.assert_allclose(found.p, expected, rtol=1e-9)
    assert stats.kstest(found.p, "uniform").pvalue > 1e-4


def test_a_test_that_counts_cells_as_replicates_would_be_wrong():
    """The guard seen failing: with as many degrees of freedom as cells give, one test in five errs."""
    x = draws(SPECTRA["like 1/n"] ** 2, 8, 7)
    found = constancy(x, (0,))
    naive = stats.f.sf(found.statistic, 11, 11 * 7)
    assert (naive <= 0.01).mean() > 0.05
    assert (found.p <= 0.01).mean() <= 0.01


def test_a_planted_departure_is_found_and_its_share_measured():
    spread = np.linspace(-1, 1, 12)
    x = draws(0.04 * SPECTRA["like 1/n"], 8, 11, tries=400) - 0.7 + 0.5 + spread
    found = constancy(x, (0,))
    assert (found.p < 1e-3).mean() > 0.9
    truth = np.mean(spread**2) / (np.mean(spread**2) + 0.25)
    error = found.share.std() / math.sqrt(400)
    assert abs(found.share.mean() - truth) < 4 * error
    assert error < 0.005
    # the jackknife's standard error is that of the windows' noise: of variances, within 15 %
    assert np.sqrt((found.share_se**2).mean()) == pytest.approx(found.share.std(), rel=0.15)


def test_noise_alone_has_no_share():
    found = constancy(draws(0.01 * np.ones(12), 8, 13), (0,))
    error = found.share.std() / math.sqrt(TRIES)
    assert abs(found.share.mean()) < 4 * error
    assert error < 0.001


def test_what_is_constant_along_one_axis_may_vary_along_the_other():
    rng = np.random.default_rng(17)
    x = np.linspace(1, 3, 6) + 0.01 * rng.standard_normal((8, 50, 4, 6))
    assert (constancy(x, (0,)).p < 0.05).mean() < 0.2
    assert (constancy(x, (1,)).p < 1e-6).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]):
    """A hypothesis is rejected if every intersection that it belongs to is: over all subsets, by hand."""
    found = holm(np.array(p))
    indices = range(len(p))
    subsets = [s for n in range(1, len(p) + 1) for s in itertools.combinations(indices, n)]
    for i in indices:
        worst = max(min(1.0, len(s) * min(p[j] for j in s)) for s in subsets if i in s)
        assert found[i] == pytest.approx(worst, abs=1e-12)


def record(windows: int = 6) -> xr.Dataset:
    """Two layers of three heads: A is constant over pairs in head 0 alone, B everywhere; positions do not matter."""
    rng = np.random.default_rng(19)
    parts = ["all", *(f"quarter {i + 1}" for i in range(4))]
    shape = (2, len(parts), 2, 3, 5, windows)
    means = np.ones(shape)
    means[:, :, :, 1:] *= np.linspace(0.2, 2.0, 5)[:, None]
    dims = ("first_token", "part", "layer", "head", "pair", "window")
    values = {
        name: (dims, mean + 0.01 * rng.standard_normal(shape))
        for name, mean in zip(NAMES, (means, np.ones(shape)), strict=True)
    }
    return xr.Dataset(values, {"first_token": ["kept", "dropped"], "part": parts}, {"model": "planted"})


def test_verdicts_name_the_heads_that_depart_and_no_others():
    table = verdicts(record())
    assert set(table.model.values) == {"planted"}
    rejected = table.p_holm <= 0.05
    for question, kind, heads in (
        ("pairs", "A", {1, 2}),
        ("pairs", "B", set()),
        ("positions", "A", set()),
        ("positions", "B", set()),
    ):
        own = (table.question == question) & (table.kind == kind)
        assert int(own.sum()) == 6
        assert set(table["head"].values[(own & rejected).values]) == heads
    by_layer = table.isel(test=np.flatnonzero(table.question == "heads"))
    assert by_layer["head"].values.tolist() == [-1] * 4
    whole = table.isel(test=np.flatnonzero((table.question == "pairs") & (table.kind == "A")))
    np.testing.assert_allclose(whole.p_holm.values, np.minimum(holm_of(table, "pairs")[:6], 1), rtol=1e-12)
    sd = np.linspace(0.2, 2.0, 5).std() / np.linspace(0.2, 2.0, 5).mean()
    departing = whole.isel(test=np.flatnonzero(whole["head"] > 0))
    np.testing.assert_allclose(departing.sd_ratio, sd, rtol=0.05)


def holm_of(table: xr.Dataset, question: str) -> np.ndarray:
    """Adjusted over both kinds together, by sorting: the i-th smallest times what is left."""
    p = table.p.values[(table.question == question).values]
    out = np.empty_like(p)
    largest = 0.0
    for rank, i in enumerate(np.argsort(p)):
        largest = max(largest, (len(p) - rank) * p[i])
        out[i] = largest
    return out


def test_the_first_token_is_left_out():
    data = record()
    data[NAMES[0]].loc[{"first_token": "kept"}] *= 100
    xr.testing.assert_equal(verdicts(data), verdicts(record()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda data: data.isel(window=slice(2)),
            "windows=2 cannot tell a mean from noise; measure at least 3",
        ),
        (lambda data: data.drop_vars("mu_window"), "has no values of single windows; make it again"),
        (lambda data: data.where(data["pair"] > 0), "not finite in some window; measure a model"),
    ],
)
def test_what_cannot_be_tested_is_refused(change, message: str):
    with pytest.raises(InputError) as caught:
        verdicts(change(record()))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
