"""Intervals against data whose truth is known: how often they hold it, and what they are in simple cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import InputError
from analysis.intervals import (
    Interval,
    count_needed,
    detectable,
    of_sd,
    over_document_means,
    over_documents,
    over_seeds,
    proportion,
)

TRIALS = 400


def documents(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses with a skew, 2.5 nats per token on average whatever the documents' lengths."""
    tokens = rng.integers(500, 2000, count)
    return (2 + rng.gamma(2, 0.25, count)) * tokens, tokens


def coverage(count: int, *, resamples: int = 800, **options) -> float:
    rng = np.random.default_rng(count)
    found = (
        over_documents(*documents(rng, count), seed=i, resamples=resamples, **options) for i in range(TRIALS)
    )
    return float(np.mean([interval.low <= 2.5 <= interval.high for interval in found]))


def close_to(level: float, found: float, slack: float) -> bool:
    """Within four standard errors of the level, and `slack` for what few skewed documents cost."""
    error = math.sqrt(level * (1 - level) / TRIALS)
    return level - 4 * error - slack < found < level + 4 * error


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize(("count", "slack"), [(8, 0.03), (40, 0.005)])
def test_the_interval_holds_the_truth_as_often_as_it_says(count: int, slack: float, method):
    """The slack is what Student's t itself loses on data of this skew, and is bounded in the next test."""
    assert close_to(0.95, coverage(count, method=method), slack)


def test_the_slack_is_no_more_than_what_students_t_loses():
    rng = np.random.default_rng(0)
    losses = 2 + rng.gamma(2, 0.25, (20_000, 8))
    half = stats.t.ppf(0.975, 7) * losses.std(axis=1, ddof=1) / math.sqrt(8)
    lost = 0.95 - np.mean(np.abs(losses.mean(axis=1) - 2.5) <= half)
    assert 0.01 < lost < 0.03


def test_a_narrower_level_covers_less():
    assert close_to(0.5, coverage(40, level=0.5), 0.005)


def test_an_interval_that_leaves_the_documents_out_would_be_seen():
    """Tokens drawn as if independent: the interval of one whole document's worth of noise misses the truth."""
    rng = np.random.default_rng(1)
    hits = 0
    for i in range(100):
        sums, tokens = documents(rng, 8)
        pieces = np.repeat(sums / tokens, 50)  # 50 tokens of each document, alike
        found = over_documents(pieces, np.ones(len(pieces)), seed=i, resamples=400)
        hits += found.low <= 2.5 <= found.high
    assert hits < 70


@given(
    losses=st.lists(st.floats(0.1, 9), min_size=2, max_size=12),
    unit=st.sampled_from([0.25, 0.5, 2.0, 8.0]),  # scaling without rounding: ties stay ties
    seed=st.integers(0, 99),
    method=st.sampled_from(["bca", "percentile"]),
)
def test_units_scale_and_order_does_not_matter(losses: list[float], unit: float, seed: int, method):
    sums, counts = np.array(losses), np.arange(1, len(losses) + 1)
    found = over_documents(sums, counts, seed=seed, method=method, resamples=200)
    scaled = over_documents(unit * sums, counts, seed=seed, method=method, resamples=200)
    assert found.value == pytest.approx(sums.sum() / counts.sum())
    for mine, theirs in zip((found.low, found.high), (scaled.low, scaled.high), strict=True):
        assert theirs == pytest.approx(unit * mine, rel=1e-9)
    slack = 1 - 4 * np.finfo(float).eps  # of one division's rounding
    assert slack * sums.min() / counts.max() <= found.low <= found.high
    assert found == over_documents(sums, counts, seed=seed, method=method, resamples=200)


def test_documents_that_are_alike_leave_no_doubt():
    found = over_documents(np.array([4.0, 8.0, 2.0]), np.array([2, 4, 1]), seed=0)
    assert (found.low, found.value, found.high) == (2.0, 2.0, 2.0)


def test_the_difference_of_two_methods_is_sharper_than_either():
    """Documents differ by far more than methods do: what they have in common cancels."""
    rng = np.random.default_rng(2)
    sums, tokens = documents(rng, 12)
    other = sums + tokens * (0.1 + 0.01 * rng.standard_normal(12))
    alone = over_documents(sums, tokens, seed=0)
    paired = over_documents(other - sums, tokens, seed=0)
    assert paired.low < 0.1 < paired.high
    assert paired.high - paired.low < (alone.high - alone.low) / 5


def test_one_document_gives_no_interval():
    found = over_documents(np.array([3.0]), np.array([2]), seed=0)
    assert found.value == 1.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_document_with_nothing_scored_counts_for_nothing():
    with_it = over_documents(np.array([3.0, 0.0, 5.0]), np.array([2, 0, 2]), seed=0)
    assert with_it == over_documents(np.array([3.0, 5.0]), np.array([2, 2]), seed=0)


def test_perplexity_is_the_exponential_of_all_three():
    found = Interval(1.0, 0.5, 2.0)
    assert found.exp() == Interval(math.e, math.exp(0.5), math.exp(2))
    assert found.times(2) == Interval(2.0, 1.0, 4.0)
    assert math.isfinite(Interval(1e6, 1e6, 1e6).exp().value)


# seeds


def test_three_seeds_by_students_t():
    """scipy's own interval is the second witness; its coverage at three normal values is exact."""
    values = np.array([2.0, 2.1, 2.4])
    found = over_seeds(values)
    low, high = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    rng = np.random.default_rng(0)
    intervals = [over_seeds(row) for row in rng.standard_normal((2000, 3))]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_no_bootstrap_of_three_seeds_could_do_that():
    """The range of three values holds the median in 3 of 4 cases, and no percentile of resamples leaves it."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2000, 3))
    inside = np.mean((values.min(axis=1) <= 0) & (values.max(axis=1) >= 0))
    assert abs(inside - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 2000)
    drawn = over_documents(values[0], np.ones(3), seed=0, method="percentile")
    assert values[0].min() <= drawn.low <= drawn.high <= values[0].max()


def test_means_of_documents_by_students_t():
    rng = np.random.default_rng(0)
    values = rng.normal(size=10)
    names = list("aabbbcdddd")
    found = over_document_means(values, names)
    by_document = [values[:2].mean(), values[2:5].mean(), values[5], values[6:].mean()]
    expected = stats.ttest_1samp(by_document, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high])
    assert found.value == pytest.approx(np.mean(by_document))
    alone = over_document_means(values, ["a"] * 10)
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_a_standard_deviation_by_resampling():
    """One stream of draws, so that it is the plain loop's to the last digits."""
    values = np.random.default_rng(1).standard_normal(500)
    found = of_sd(values, np.random.default_rng(2), level=0.9, resamples=300)
    rng = np.random.default_rng(2)
    drawn = [values[rng.integers(500, size=500)].std(ddof=1) for _ in range(300)]
    assert found.value == pytest.approx(values.std(ddof=1), rel=1e-14)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]).tolist(), rel=1e-12)


def test_one_seed_gives_no_interval():
    found = over_seeds(np.array([2.0]))
    assert found.value == 2.0
    assert math.isnan(found.low)


# yes or no


@given(trials=st.integers(1, 60), data=st.data())
def test_a_proportion_by_scipy(trials: int, data: st.DataObject):
    hits = data.draw(st.integers(0, trials))
    theirs = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    found = proportion(hits, trials)
    assert found.value == hits / trials
    assert (found.low, found.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: over_documents(np.ones(2), np.ones(2), seed=0, method="basic"), "method='basic' is unknown"),
        (lambda: over_documents(np.ones(2), np.zeros(2), seed=0), "2 sums and counts .* not all zero"),
        (lambda: over_documents(np.ones(2), np.ones(3), seed=0), "one count of each"),
        (lambda: over_documents(np.ones(2), np.ones(2), seed=-1), "seed=-1 is below 0"),
        (lambda: over_documents(np.ones(2), np.ones(2), seed=0, level=1.0), r"level=1.0 is outside \(0, 1\)"),
        (lambda: over_documents(np.ones(2), np.ones(2), seed=0, resamples=0), "resamples=0 is below 1"),
        (lambda: over_seeds(np.ones(0)), "no seed was given"),
        (lambda: proportion(3, 2), "3 hits in 2 trials"),
        (lambda: proportion(0, 0), "0 hits in 0 trials"),
    ],
)
def test_what_cannot_be_used_is_refused(call, message: str):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


# Power.


@pytest.mark.parametrize(("count", "level"), [(3, 0.95), (8, 0.95), (8, 1 - 0.05 / 3)])
def test_a_difference_that_is_detectable_is_found_as_often_as_it_says(count: int, level: float):
    """Simulated t-tests: within four standard errors of the chance."""
    shift = detectable(0.25, count, level=level)
    drawn = np.random.default_rng(count).normal(shift, 0.25, (20_000, count))
    found = float(np.mean(stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 1 - level))
    assert abs(found - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 20_000)


@given(sd=st.floats(0.01, 10), count=st.integers(2, 60))
def test_as_many_are_needed_as_detect_it(sd: float, count: int):
    shift = detectable(sd, count)
    assert count_needed(sd, shift * 1.0001) == count
    assert detectable(2 * sd, count) == pytest.approx(2 * shift)
    assert detectable(sd, count + 1) < shift


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: detectable(0.25, 1), "count=1"),
        (lambda: detectable(-1.0, 5), "sd=-1.0, power=0.8: give sd >= 0"),
        (lambda: detectable(1.0, 5, power=0.01), "a power between 0.05 and 1"),
        (lambda: count_needed(1.0, 0.0), "difference=0.0 is not above 0"),
        (lambda: count_needed(1.0, 1e-6), "more than 10,000 differences"),
    ],
)
def test_what_no_number_of_seeds_can_answer_is_refused(call, said: str):
    with pytest.raises(InputError, match=said):
        call()
