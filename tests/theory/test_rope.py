"""Expected score and its sums against ball arithmetic, rotated vectors and closed forms."""

from __future__ import annotations

import math
import tracemalloc

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.theory.frequencies import plain, xpos
from analysis.theory.rope import (
    cos_sum,
    expected_score,
    expected_score_curve,
    gamma,
    mean_gap,
    near_far_gap,
    sin_sum,
)

UNIT = 2.0**-53
SEEDS = st.integers(0, 2**32 - 1)
DISTANCES = st.one_of(
    st.integers(-(2**20), 2**20).map(float),
    st.floats(-(2.0**20), 2.0**20),
    st.floats(-(2.0**53), 2.0**53),
)
BASES = st.floats(1.01, 1e9)
WEIGHTS = st.integers(-500, 500).map(
    lambda hundredths: hundredths / 100
)  # no subnormals: bounds are relative
EVEN = st.integers(1, 96).map(lambda pairs: 2 * pairs)


@pytest.fixture(autouse=True)
def precision():
    """256 bits: 2^53 rad leaves more than 200 bits of phase."""
    before, flint.ctx.prec = flint.ctx.prec, 256
    yield
    flint.ctx.prec = before


def draw_head(seed: int, pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """omega, mu, nu of both signs and all sizes, frequencies not tied to any base."""
    rng = np.random.default_rng(seed)
    omega = 10.0 ** rng.uniform(-6, 0.8, pairs)
    return omega, rng.standard_normal(pairs), rng.standard_normal(pairs) * 10.0 ** rng.uniform(-3, 3)


def ball_score(distance, omega, mu, nu, log_decay=None) -> arb:
    """The sum in balls, for the float64 numbers as they are."""
    total = arb(0)
    for d, rate in enumerate(omega):
        angle = arb(float(distance)) * arb(float(rate))
        term = arb(float(mu[d])) * angle.cos() + arb(float(nu[d])) * angle.sin()
        if log_decay is not None:
            term *= (arb(float(distance)) * arb(float(log_decay[d]))).exp()
        total += term
    return total


def miss(value: float, ball: arb) -> float:
    return float(abs(arb(float(value)) - ball).upper())


@given(DISTANCES, SEEDS, st.integers(1, 80))
def test_score_lies_within_its_error_bound_of_the_ball(distance, seed, pairs):
    omega, mu, nu = draw_head(seed, pairs)
    bound = (2 * pairs + 16) * UNIT * (np.abs(mu).sum() + np.abs(nu).sum())
    assert miss(expected_score(distance, omega, mu, nu), ball_score(distance, omega, mu, nu)) <= bound


def test_curve_of_a_million_distances_lies_within_its_error_bound_of_the_balls():
    omega, mu, nu = plain(1e4, 128).omega, *draw_head(3, 64)[1:]
    curve = expected_score_curve(2**20, omega, mu, nu)
    total = np.abs(mu).sum() + np.abs(nu).sum()
    bound = (2 * 64 + 32) * UNIT * total
    assert curve.shape == (2**20,)
    assert bound < 1e-9 * total
    for distance in [0, 1, 2**20 - 1, *np.random.default_rng(4).integers(2**20, size=60)]:
        assert miss(curve[distance], ball_score(distance, omega, mu, nu)) <= bound


@given(
    st.one_of(st.integers(1, 40), st.integers(1, 3000)),
    st.one_of(st.integers(-3000, 3000), st.integers(-(2**53), 2**53 - 3000)),
    SEEDS,
    st.integers(1, 40),
    st.booleans(),
)
def test_curve_is_the_score_at_every_integer_distance(length, start, seed, pairs, decays):
    omega, mu, nu = draw_head(seed, pairs)
    # at most exp(3) of growth at the most negative distance
    rate = 3 / max(1, abs(start)) if start < 0 else 0.01
    log_decay = -rate * np.random.default_rng(seed).random(pairs) if decays else None
    curve = expected_score_curve(length, omega, mu, nu, start=start, scale=0.5, log_decay=log_decay)
    direct = expected_score(start + np.arange(length), omega, mu, nu, scale=0.5, log_decay=log_decay)
    bound = (4 * pairs + 48) * UNIT * 0.5 * (np.abs(mu).sum() + np.abs(nu).sum())
    if (
        decays
    ):  # exp(x) carries a relative error of a few |x| 2^-53; |x| exp(-|x|) < 1, and |x| <= 3 for growth
        bound *= 4 * math.exp(3)
    assert curve.shape == (length,)
    assert np.abs(curve - direct).max() <= bound


@given(st.floats(0, 2.0**20), SEEDS)
def test_decaying_score_lies_near_the_ball(distance, seed):
    omega, mu, nu = draw_head(seed, 16)
    log_decay = -(10.0 ** np.random.default_rng(seed).uniform(-8, 0, 16))
    ball = ball_score(distance, omega, mu, nu, log_decay)
    # as without decay, and 4 roundings of exp, whose argument's rounding x 2^-53 counts x exp(-x) < 1
    bound = (2 * 16 + 16 + 4) * UNIT * (np.abs(mu).sum() + np.abs(nu).sum())
    assert miss(expected_score(distance, omega, mu, nu, log_decay=log_decay), ball) <= bound


def rotate(vector: np.ndarray, position: float, omega: np.ndarray) -> np.ndarray:
    """Plain two-by-two rotations of neighbouring dimensions by position * omega."""
    pairs = vector.reshape(*vector.shape[:-1], -1, 2)
    cos, sin = np.cos(position * omega), np.sin(position * omega)
    turned = [cos * pairs[..., 0] - sin * pairs[..., 1], sin * pairs[..., 0] + cos * pairs[..., 1]]
    return np.stack(turned, axis=-1).reshape(vector.shape)


@given(SEEDS, st.integers(0, 500), st.integers(0, 500), st.booleans())
def test_score_of_one_query_and_key_is_that_of_the_rotated_vectors(seed, m, n, scaled):
    rng = np.random.default_rng(seed)
    q, k = rng.standard_normal((2, 32))
    rope = xpos(1e4, 32, pairing="interleaved") if scaled else plain(1e4, 32, pairing="interleaved")
    turned_q, turned_k = rotate(q, m, rope.omega), rotate(k, n, rope.omega)
    if scaled:  # as xPos has it: the query by zeta^(m/512), the key by zeta^(-n/512)
        zeta = np.repeat((np.arange(0, 32, 2) / 32 + 0.4) / 1.4, 2)
        turned_q, turned_k = turned_q * zeta ** (m / 512), turned_k * zeta ** (-n / 512)
    a = q[::2] * k[::2] + q[1::2] * k[1::2]
    b = q[::2] * k[1::2] - q[1::2] * k[::2]
    score = expected_score(m - n, rope.omega, a, b, log_decay=rope.log_decay)
    # rotations of 500 rad are off by 500 * 2^-53 and a little; xPos grows by at most (1.4/0.4)^(500/512) < 4
    assert abs(score - turned_q @ turned_k) <= 4 * 2000 * UNIT * (np.abs(q) @ np.abs(k) + np.abs(b).sum() + 1)


def test_mean_score_of_random_rotated_vectors_is_the_expected_score():
    rng = np.random.default_rng(11)
    dim, samples = 8, 100_000
    omega = plain(100.0, dim).omega
    mean, root = rng.standard_normal(2 * dim), rng.standard_normal((2 * dim, 2 * dim)) / 3
    moment = np.outer(mean, mean) + root @ root.T
    cross = moment[:dim, dim:]  # E q_i k_j
    even, odd = np.arange(0, dim, 2), np.arange(1, dim, 2)
    mu = cross[even, even] + cross[odd, odd]
    nu = cross[even, odd] - cross[odd, even]
    draws = mean + rng.standard_normal((samples, 2 * dim)) @ root.T
    for m, n in [(0, 0), (1, 0), (7, 2), (2, 7), (300, 11)]:
        scores = (rotate(draws[:, :dim], m, omega) * rotate(draws[:, dim:], n, omega)).sum(axis=1)
        error = scores.std(ddof=1) / math.sqrt(samples)
        assert error < 0.05
        assert abs(scores.mean() - expected_score(m - n, omega, mu, nu)) < 4 * error


@given(DISTANCES, SEEDS)
def test_cosine_part_is_even_and_sine_part_odd_to_the_bit(distance, seed):
    omega, mu, nu = draw_head(seed, 12)
    assert expected_score(-distance, omega, mu, 0.0) == expected_score(distance, omega, mu, 0.0)
    assert expected_score(-distance, omega, 0.0, nu) == -expected_score(distance, omega, 0.0, nu)


@given(DISTANCES, SEEDS, WEIGHTS)
def test_score_is_linear_in_mu_nu_and_scale(distance, seed, factor):
    omega, mu, nu = draw_head(seed, 12)
    apart = expected_score(distance, omega, mu, 0.0) + factor * expected_score(distance, omega, 0.0, nu)
    together = expected_score(distance, omega, 2 * mu, 2 * factor * nu, scale=0.5)
    bound = 3 * (2 * 12 + 16) * UNIT * (np.abs(mu).sum() + (1 + abs(factor)) * np.abs(nu).sum())
    assert abs(apart - together) <= bound


@given(SEEDS, st.integers(1, 90))
def test_distance_zero_gives_the_sum_of_mu(seed, pairs):
    omega, mu, nu = draw_head(seed, pairs)
    bound = 2 * pairs * UNIT * np.abs(mu).sum()
    assert abs(expected_score(0, omega, mu, nu, scale=0.25) - 0.25 * mu.sum()) <= bound


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (1, 0, 4)])
def test_score_keeps_the_shape_of_the_distances(shape):
    omega = plain(1e4, 8).omega
    distances = np.arange(math.prod(shape)).reshape(shape)
    scores = expected_score(distances, omega, 1.0, 0.5)
    assert scores.shape == shape
    for index in np.ndindex(shape):
        assert abs(scores[index] - expected_score(float(distances[index]), omega, 1.0, 0.5)) <= 40 * UNIT


def peak_bytes(call) -> int:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_stays_far_below_a_table_of_distances_by_pairs():
    omega = plain(1e4, 128).omega
    table = 2**20 * 64 * 8
    assert peak_bytes(lambda: expected_score_curve(2**20, omega, 1.0, 1.0)) < table / 32
    distances = np.linspace(0, 1e5, 2**17)
    assert peak_bytes(lambda: expected_score(distances, omega, 1.0, 1.0)) < 2**17 * 64 * 8 / 3


def ball_sum(distance: float, base: float, head_dim: int, turns: bool) -> tuple[arb, arb]:
    """C_D and S_D in balls from the base itself, eq 24."""
    cos, sin = arb(0), arb(0)
    for d in range(head_dim // 2):
        angle = arb(distance) * arb(base) ** (arb(-2 * d) / head_dim)
        angle *= 2 * arb.pi() if turns else 1
        cos, sin = cos + angle.cos(), sin + angle.sin()
    return cos / head_dim, sin / head_dim


@given(DISTANCES.filter(lambda x: abs(x) < 2**40), BASES, EVEN, st.booleans())
def test_sums_lie_within_their_error_bound_of_the_balls(distance, base, head_dim, turns):
    cos, sin = ball_sum(distance, base, head_dim, turns)
    rounding = 2e-16 * abs(distance) * (2 * math.pi if turns else 1) + (head_dim + 16) * UNIT / 2
    assert miss(cos_sum(distance, base, head_dim, turns=turns), cos) <= rounding
    assert miss(sin_sum(distance, base, head_dim, turns=turns), sin) <= rounding


@given(DISTANCES, BASES, EVEN, st.booleans(), WEIGHTS, WEIGHTS)
def test_gamma_combines_the_two_sums_which_stay_within_one_half(distance, base, head_dim, turns, mu, nu):
    cos = cos_sum(distance, base, head_dim, turns=turns)
    sin = sin_sum(distance, base, head_dim, turns=turns)
    bound = (head_dim + 16) * UNIT
    assert np.hypot(cos, sin) <= 0.5 + bound
    combined = gamma(distance, base, head_dim, mu, nu, turns=turns)
    assert abs(combined - (mu * cos + nu * sin)) <= bound * (abs(mu) + abs(nu))


def test_turns_are_radians_over_two_pi():
    # in turns the fastest of one pair completes a circle per token, in radians it does not
    assert cos_sum(3.0, 10.0, 2, turns=True) == pytest.approx(0.5, abs=1e-14)
    assert cos_sum(3.0, 10.0, 2) == pytest.approx(math.cos(3) / 2, abs=1e-15)
    assert sin_sum(0.25, 10.0, 2, turns=True) == pytest.approx(0.5, abs=1e-15)


def test_gap_broadcasts_near_against_far():
    near, far = np.array([[2.0], [-3.0]]), np.array([100.0, 200.0, 300.0])
    gaps = near_far_gap(near, far, 1e4, 64, 1.5, -0.5)
    assert gaps.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        apart = gamma(near[i, 0], 1e4, 64, 1.5, -0.5) - gamma(far[j], 1e4, 64, 1.5, -0.5)
        assert abs(gaps[i, j] - apart) <= 4 * (64 + 16) * UNIT * 2


@given(
    st.integers(-500, 500), st.integers(0, 200), st.integers(0, 10_000), st.integers(0, 200), st.booleans()
)
def test_mean_gap_is_that_of_dirichlet_kernels(near, near_more, far, far_more, turns):
    omega, mu, nu = plain(1e4, 16, turns=turns).omega, *draw_head(5, 8)[1:]

    def mean(first, last):  # sum of exp(i w x) = exp(i w (first + last)/2) sin(n w/2) / sin(w/2)
        total, count = arb(0), last - first + 1
        for d, rate in enumerate(omega):
            half = arb(float(rate)) / 2
            kernel = (count * half).sin() / half.sin() / count
            middle = (first + last) * half
            total += kernel * (arb(float(mu[d])) * middle.cos() + arb(float(nu[d])) * middle.sin())
        return total / 16

    ranges = (near, near + near_more), (far, far + far_more)
    gap = mean_gap(*ranges, 1e4, 16, mu, nu, turns=turns)
    bound = 2 * (16 + 32 + 10) * UNIT * (np.abs(mu).sum() + np.abs(nu).sum()) / 16  # 10: pairwise means
    assert miss(gap, mean(*ranges[0]) - mean(*ranges[1])) <= bound


OMEGA = plain(1e4, 8).omega
REFUSED = [
    (lambda: expected_score(math.nan, OMEGA, 1, 0), "distance=nan"),
    (lambda: expected_score(np.array([1.0, -math.inf]), OMEGA, 1, 0), "distance=-inf"),
    (lambda: expected_score(2.0**54, OMEGA, 1, 0), r"distance=1.8\d*e\+16 is not a number within"),
    (lambda: expected_score("far", OMEGA, 1, 0), "distance='far' is not an array of real numbers"),
    (lambda: expected_score(1 + 2j, OMEGA, 1, 0), r"distance=\(1\+2j\) is not an array of real numbers"),
    (lambda: expected_score(1, OMEGA, np.ones(3), 0), r"mu has shape \(3,\) but omega has 4 pairs"),
    (lambda: expected_score(1, OMEGA, 1, np.ones(5)), r"nu has shape \(5,\) but omega has 4 pairs"),
    (lambda: expected_score(1, OMEGA, np.ones((4, 1)), 1), r"mu has shape \(4, 1\)"),
    (lambda: expected_score(1, OMEGA, math.nan, 0), "mu=nan"),
    (lambda: expected_score(1, OMEGA, 1, np.array([0, math.inf, 0, 0])), "nu=inf"),
    (lambda: expected_score(1, np.array([1, math.nan]), 1, 0), "omega=nan"),
    (lambda: expected_score(1, np.zeros(0), 1, 0), r"omega of shape \(0,\)"),
    (lambda: expected_score(1, OMEGA, 1, 0, scale=math.inf), "scale=inf"),
    (lambda: expected_score(1, OMEGA, 1, 0, log_decay=0.1), "log_decay=0.1 is positive"),
    (lambda: expected_score(1, OMEGA, 1, 0, log_decay=np.zeros(3)), r"log_decay has shape \(3,\)"),
    (lambda: expected_score(-8000, OMEGA, 1, 0, log_decay=-0.1), r"log_decay=-0.1 at distance=-8000.0 grows"),
    (lambda: expected_score_curve(0, OMEGA, 1, 0), "length=0 leaves no distance"),
    (lambda: expected_score_curve(-7, OMEGA, 1, 0), "length=-7"),
    (lambda: expected_score_curve(2.5, OMEGA, 1, 0), "length=2.5 is not an integer"),
    (lambda: expected_score_curve(2, OMEGA, 1, 0, start=0.5), "start=0.5 is not an integer"),
    (lambda: expected_score_curve(2, OMEGA, 1, 0, start=2**54), r"distance=1.8\d*e\+16"),
    (lambda: expected_score_curve(2, OMEGA, 1, 0, start=-8000, log_decay=-0.1), "at distance=-8000.0"),
    (lambda: cos_sum(1, 1.0, 8), "base=1.0"),
    (lambda: cos_sum(1, math.nan, 8), "base=nan"),
    (lambda: sin_sum(1, 1e4, 7), "head_dim=7 is odd"),
    (lambda: sin_sum(1, 1e4, 0), "head_dim=0"),
    (lambda: gamma(math.inf, 1e4, 8, 1, 0), "distance=inf"),
    (
        lambda: near_far_gap(np.ones(2), np.ones(3), 1e4, 8, 1, 0),
        r"near of shape \(2,\), far of shape \(3,\)",
    ),
    (lambda: mean_gap((0, 100), (5, 4), 1e4, 8, 1, 0), r"far=\(5, 4\) holds no distance"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_unusable_input_is_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
