"""The prediction beyond the context against loops over distances, and the extensions against their own formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.heads.beyond_context import LayerMeans, mean_turns, octave_bins, plain_base, under_extensions
from analysis.theory.frequencies import ntk, plain, yarn
from tests.refusals import plainly_raises

CONTEXT = 64


@given(st.floats(-6, 6), st.integers(0, 3000), st.integers(1, 500))
def test_mean_turns_are_means_over_whole_distances(omega: float, first: int, count: int) -> None:
    """The closed form divides by sin(omega / 2); its error there is a few roundings of the angle over that sine."""
    distance = np.arange(first, first + count)
    direct = np.exp(1j * omega * distance).mean()
    found = mean_turns(np.array([omega]), np.array([first]), np.array([first + count]))[0, 0]
    sine = abs(np.sin(omega / 2))
    angle = abs(omega) * (first + count)
    budget = 8 * np.finfo(float).eps * (1 + angle) * (1 + (1 / (count * sine) if count * sine > 1 else 1))
    assert abs(found - direct) <= budget


def test_a_pair_that_rests_does_not_turn() -> None:
    assert mean_turns(np.array([0.0]), np.array([5]), np.array([900]))[0, 0] == 1


@given(st.integers(1, 5000), st.integers(1, 12), st.integers(1, 40))
def test_octave_bins_cover_every_distance_once(last: int, per_octave: int, start: int) -> None:
    start = min(start, last)
    first, stop = octave_bins(last, per_octave, start)
    assert np.concatenate([np.arange(a, b) for a, b in zip(first, stop, strict=True)]).tolist() == list(
        range(start, last + 1)
    )
    wide = stop[:-1] / first[:-1] if len(first) > 1 else np.array([1.0])
    assert (wide <= 2 ** (1 / per_octave) + 1 / first[: len(wide)]).all() or start > 1


def layer(seed: int = 0, factor: float = 1.0) -> LayerMeans:
    generator = np.random.default_rng(seed)
    frequencies = (
        plain(300.0, 16)
        if factor == 1
        else yarn(300.0, 16, factor=2, trained_length=32, attention_factor=factor)
    )
    mu, nu = generator.normal(size=(2, 3, 8))
    return LayerMeans(frequencies, mu, nu, 0.25, generator.normal(size=3), 1 + generator.random(3))


def direct(one: LayerMeans, distance: float, omega: np.ndarray, gain: float = 1.0) -> np.ndarray:
    """The score of the means at one distance, pair by pair."""
    total = np.zeros(3)
    for d, rate in enumerate(omega):
        total += one.mu[:, d] * np.cos(rate * distance) + one.nu[:, d] * np.sin(rate * distance)
    return one.scale * gain * total + one.rest


@pytest.mark.parametrize("factor", [1.0, 1.3])
def test_scores_are_those_of_the_means_at_each_distance(factor: float) -> None:
    one = layer(factor=factor)
    first = np.array([0, 1, 77])
    found = one.scores(first, first + 1)
    other = ntk(300.0, 16, factor=4)
    under = one.scores(first, first + 1, other)
    for j, distance in enumerate(first):
        assert np.allclose(found[:, j], direct(one, distance, one.frequencies.omega), atol=1e-12)
        assert np.allclose(under[:, j], direct(one, distance, other.omega, factor**-2), atol=1e-12)


def test_the_rebound_counts_octaves_alike_from_the_level_within() -> None:
    one = layer()
    level = np.mean([direct(one, d, one.frequencies.omega) for d in range(48, 64)], axis=0)
    for frequencies in (None, ntk(300.0, 16, factor=4)):
        omega = one.frequencies.omega if frequencies is None else frequencies.omega
        octaves = [np.mean([direct(one, d, omega) for d in range(a, 2 * a)], axis=0) for a in (64, 128)]
        expected = (np.mean(octaves, axis=0) - level) / one.spread
        assert np.allclose(one.rebound(CONTEXT, 4, frequencies), expected, atol=1e-12)


@pytest.mark.parametrize("times", [0, 1, 3, 6])
def test_refuses_a_reach_that_is_no_power_of_two(times: int) -> None:
    plainly_raises(lambda: layer().rebound(CONTEXT, times), f"times={times} is no power of two above 1")


@given(st.floats(2, 1e7), st.sampled_from([6, 16, 64, 128]))
def test_the_base_is_read_off_the_frequencies(base: float, head_dim: int) -> None:
    assert plain_base(plain(base, head_dim)) == pytest.approx(base, rel=1e-9)


def test_other_frequencies_have_no_base_and_no_second_extension() -> None:
    extended = yarn(300.0, 16, factor=4, trained_length=64)
    assert plain_base(extended) is None
    assert list(under_extensions(extended, CONTEXT, 4)) == ["YaRN"]
    assert plain_base(plain(300.0, 2)) is None


def test_extensions_are_those_of_the_registry() -> None:
    found = under_extensions(plain(300.0, 16), CONTEXT, 4)
    assert np.array_equal(found["RoPE"].omega, plain(300.0, 16).omega)
    wanted = yarn(300.0, 16, factor=4, trained_length=CONTEXT)
    assert np.allclose(found["YaRN"].omega, wanted.omega, rtol=1e-9)
    assert found["YaRN"].attention_factor == wanted.attention_factor
    assert np.allclose(found["position interpolation"].omega * 4, found["RoPE"].omega, rtol=1e-9)
