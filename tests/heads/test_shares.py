"""Shares of variance over distance: unbiased under noise, additive, and honest about what cannot be known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.heads import decomposition

DISTANCE = np.arange(1.0, 101)


def noisy(curve, noise, windows, rng):
    return curve + noise * rng.standard_normal((windows, 1, curve.shape[-1]))


def explained(prediction, whole, weight):
    """R^2 of a prediction with its standard error, as a record has it of every head."""
    found = decomposition.products({"rest": whole - prediction, "whole": whole}, weight)
    rest, whole = found["rest", "rest"], found["whole", "whole"]
    return decomposition.jackknife(decomposition.unexplained_from_one, rest, whole)


@pytest.mark.parametrize("kind", ["uniform", "log"])
def test_noise_free_shares_are_the_textbook_ones(kind):
    weight = decomposition.weights(DISTANCE, kind)
    whole = np.cos(DISTANCE / 9) + 0.3 * np.sin(DISTANCE / 4)
    part = np.cos(DISTANCE / 9)
    stack = [np.repeat(x[None, None], 4, axis=0) for x in (part, whole)]

    def cov(x, y):
        return np.cov(x, y, aweights=weight, ddof=0)[0, 1]

    assert decomposition.share(*stack, weight)[0] == pytest.approx(cov(part, whole) / cov(whole, whole))
    expected = 1 - cov(whole - part, whole - part) / cov(whole, whole)
    assert explained(*stack, weight)[0] == pytest.approx(expected)


def test_noise_does_not_move_the_share_and_the_error_bar_is_honest():
    """The noise has 9 times the signal's variance; a naive R^2 would be below 0.2."""
    rng = np.random.default_rng(1)
    weight = decomposition.weights(DISTANCE, "uniform")
    signal = np.cos(DISTANCE / 9)[None, None]
    part = np.repeat(0.8 * signal, 8, axis=0)
    noise = 3 * signal.std()
    draws = [explained(part, noisy(signal, noise, 8, rng), weight) for _ in range(400)]
    values, errors = np.array([(v[0], e[0]) for v, e in draws]).T
    truth = 1 - 0.2**2
    standard_error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - truth) < 4 * standard_error + 0.01  # ratio bias is of order 1/windows squared
    # the jackknife error is known to err on the large side; it must not be small
    assert 0.8 < errors.mean() / values.std() < 1.6
    naive = 1 - np.var(noisy(signal, noise, 1, rng) - part[:1]) / np.var(signal + noise)
    assert naive < 0.2


@given(st.integers(0, 2**20), st.integers(3, 6))
@settings(max_examples=25, deadline=None)
def test_shares_of_parts_add_to_one(seed, windows):
    rng = np.random.default_rng(seed)
    weight = decomposition.weights(DISTANCE, "log")
    whole = np.cos(DISTANCE / 5) + 0.1 * rng.standard_normal((windows, 2, 100))
    part = rng.standard_normal((windows, 2, 100))
    total = decomposition.share(part, whole, weight)[0] + decomposition.share(whole - part, whole, weight)[0]
    assert total == pytest.approx(np.ones(2), abs=1e-9)


def test_share_of_scores_is_a_variance_ratio():
    """Scores = curve(distance) + unit noise: the ratio is Var(curve)/(Var(curve) + 1), pairs weighted."""
    rng = np.random.default_rng(0)
    length, windows = 60, 40
    counts = length - np.arange(length, dtype=float)
    curve = 1.5 * np.cos(np.arange(length) / 10)
    measured = curve + rng.standard_normal((windows, 1, length)) / np.sqrt(counts)
    squares = (counts * (curve**2 + 1)).sum() + 0 * measured[..., 0]
    variance = np.cov(curve, aweights=counts, ddof=0)
    value, error = decomposition.share_of_scores(measured, squares, counts)
    assert abs(value[0] - variance / (variance + 1)) < 4 * error[0]
    assert 0 < error[0] < 0.05


def test_too_few_windows():
    one = np.ones((1, 1, 100))
    with pytest.raises(InputError, match="1 window gives no standard error; measure at least 2"):
        decomposition.share(one, one, decomposition.weights(DISTANCE, "log"))
    two = np.cos(DISTANCE)[None, None] + np.zeros((2, 1, 100))
    assert np.isnan(decomposition.share(two, two, decomposition.weights(DISTANCE, "log"))[1]).all()


def test_unknown_weighting():
    with pytest.raises(InputError, match="weighting 'sqrt' is unknown; known: uniform, log"):
        decomposition.weights(DISTANCE, "sqrt")
