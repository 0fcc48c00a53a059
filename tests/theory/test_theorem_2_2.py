"""Theorem 2.2 and its lemmas as functions: their arithmetic, and their promises against the exact sums."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.theory.rope import cos_limit, cos_sum, near_far_gap, sin_limit, sin_sum
from analysis.theory.theorem_2_2 import DistanceBiasTheorem, lemma_c1, lemma_c2, lemma_remainder

BASES = st.floats(1.01, 9).map(lambda digits: 10.0**digits)
DISTANCES = st.floats(0.001, 9).map(lambda digits: 10.0**digits)
ALPHAS = st.one_of(st.none(), st.floats(0, 3))


def large_enough(base: float, extra: int) -> int:
    """An even head dimension above 4 ln base."""
    return 2 * (math.floor(2 * math.log(base)) + 1 + extra)


@settings(max_examples=50)
@given(DISTANCES, st.floats(1.5, 1e9), st.integers(1, 5000), st.floats(0, 4))
def test_remainder_without_alpha_is_the_least_over_alpha(distance, base, pairs, alpha):
    least = lemma_remainder(distance, base, 2 * pairs)
    assert least <= lemma_remainder(distance, base, 2 * pairs, alpha) * (1 + 1e-12)
    # the minimum lies at ln(x) / ln base with ln x < 26, and beyond it the slope is below 1
    grid = np.linspace(0, 40 / math.log(base), 60)
    assert least >= min(lemma_remainder(distance, base, 2 * pairs, step) for step in grid) - grid[1]


def test_remainder_and_lemmas_by_hand():
    # base 16, D = 16, alpha = 1/2: 1/2 + 4 pi 8 / (16 * 4)
    assert lemma_remainder(8.0, 16.0, 16, 0.5) == pytest.approx(0.5 + math.pi / 2, rel=1e-15)
    cos, sin = lemma_c1(8.0, 16.0, 16, 0.5)
    assert cos == pytest.approx(4 / (math.pi * math.log(16)) + 0.5 + math.pi / 2, rel=1e-15)
    assert sin == pytest.approx(2 / math.log(16) + 0.5 + math.pi / 2, rel=1e-15)
    # base 4096, exponent 1/2: 2 pi 8 / 64 = pi/4; alpha = 1/4: 1/4 + 4 pi 8 / (64 * 8)
    below = lemma_c2(8.0, 4096.0, 64, 0.5, 0.25)
    assert below == pytest.approx(math.sqrt(2) / 8 - 1 / math.log(4096) - 0.25 - math.pi / 16, rel=1e-14)


@given(DISTANCES, BASES, st.integers(0, 2000), ALPHAS)
def test_sums_stay_below_lemma_c1(distance, base, extra, alpha):
    head_dim = large_enough(base, extra)
    cos, sin = lemma_c1(distance, base, head_dim, alpha)
    assert abs(cos_sum(distance, base, head_dim, turns=True)) <= cos
    assert abs(sin_sum(distance, base, head_dim, turns=True)) <= sin


@given(DISTANCES, BASES, st.integers(0, 2000), st.floats(0, 0.5), ALPHAS)
def test_cosine_sum_stays_above_lemma_c2(distance, base, extra, more, alpha):
    exponent = math.log(4 * distance) / math.log(base) * 1.001 + more
    assume(exponent > 0 and distance * base**-exponent < 0.25)
    head_dim = large_enough(base, extra)
    below = lemma_c2(distance, base, head_dim, exponent, alpha)
    assert cos_sum(distance, base, head_dim, turns=True) > below


def test_lemma_c2_promises_something_at_a_large_base_and_dimension():
    base, head_dim = 1e15, 2**16
    below = lemma_c2(2.0, base, head_dim, 0.1)
    assert 0.25 < below < cos_sum(2.0, base, head_dim, turns=True)


@pytest.mark.parametrize(
    ("base", "integers"),
    [
        (1e4, []),
        (16.0**4, []),
        (16.0**4 * 1.0001, [2]),
        (24.0**4, [2]),
        (5e5, [2, 3]),
        (1e6, [2, 3]),
        (2e8, list(range(2, 15))),
    ],
)
def test_near_range_holds_these_whole_distances(base, integers):
    theorem = DistanceBiasTheorem(base, 128, mu=-2.0, nu=1.0)
    assert list(theorem.near_integers) == integers
    assert all(1 < near < theorem.near_limit for near in integers)
    assert not 1 < max([1, *integers]) + 1 < theorem.near_limit
    assert theorem.far_limit == base
    assert theorem.promised_gap == 0.25


def test_base_needed_by_the_proof():
    assert DistanceBiasTheorem(1e4, 128, mu=3.0).log_base_needed == 64
    assert DistanceBiasTheorem(1e4, 128, mu=-2.0, nu=2.0).log_base_needed == 128
    assert DistanceBiasTheorem(1e4, 128, mu=-1.0, nu=0.5).log_base_needed == 96


def test_failed_hypotheses_are_named():
    failed = DistanceBiasTheorem(1e4, 36, mu=1.0, nu=0.5).failed_hypotheses()
    assert failed[0] == "lemmas C.1, C.2: head_dim=36 is not above 4 ln base = 36.84"
    assert failed[1] == "eq 32: base=1e+04 is not above exp(96)"
    assert failed[2] == "no whole distance lies in the near range (1, 1.25)"
    assert failed[3].startswith("eq 33: head_dim=36 leaves ")
    assert len(failed) == 4
    small = DistanceBiasTheorem(8.0, 36, mu=1.0).failed_hypotheses(near=7.0, far=5.0)
    assert small[0] == "lemmas C.1, C.2: base=8 is not above 10"
    assert small[2] == "near=7.0 is outside the near range (1, 0.2102)"
    assert small[3] == "far=5.0 is not beyond base=8"


@settings(max_examples=20)
@given(st.floats(0.01, 20), st.sampled_from([-3.0, 0.5]), st.floats(-2, 2), st.floats(1, 1e6))
def test_at_the_dimension_needed_nothing_fails_and_the_limit_keeps_the_promise(excess, mu, ratio, beyond):
    nu = mu * ratio
    needed = 64 * (1 + abs(ratio))
    base = math.exp(needed + excess)
    near, far = 2.0, base * (1 + beyond)
    theorem = DistanceBiasTheorem(base, 2, mu, nu)
    theorem = replace(theorem, head_dim=theorem.head_dim_needed(near, far))
    assert theorem.failed_hypotheses(near, far) == ()
    # no such D fits a machine, so the sums are their limits give or take the remainder (eq 51)
    promised = [
        mu * cos_limit(x, base, turns=True) + nu * sin_limit(x, base, turns=True) for x in (near, far)
    ]
    slack = theorem.remainder(near, far) / 2
    assert math.copysign(1, mu) * (promised[0] - promised[1]) - slack > theorem.promised_gap


@settings(max_examples=40)
@given(st.floats(20, 1e8), st.integers(1, 200), st.sampled_from([-3.0, 0.5]), st.floats(-4, 4))
def test_dimension_needed_is_the_least(base, near, mu, nu):
    theorem = DistanceBiasTheorem(base, 2, mu, nu)
    needed = theorem.head_dim_needed(near, 2 * base)
    assume(needed < 2**50)  # head dimensions that float64 tells apart
    limit = abs(mu) / 16

    def enough(head_dim: int) -> bool:
        large = replace(theorem, head_dim=head_dim)
        return large.remainder(near, 2 * base) < limit and head_dim > 4 * math.log(base)

    assert needed % 2 == 0
    assert enough(needed)
    assert not enough(needed - 2)


def test_proof_needs_a_head_dimension_of_thirty_digits():
    base = math.exp(65)
    assert DistanceBiasTheorem(base, 2, mu=1.0).head_dim_needed(2, 1.001 * base) > 1e30


def test_conclusion_is_that_of_the_exact_gap():
    theorem = DistanceBiasTheorem(5e5, 128, mu=-1.0, nu=0.3)
    near, far = np.array([[2.0], [3.0], [2e5]]), np.array([500_001.0, 1e7])
    for turns in (False, True):
        gap = near_far_gap(near, far, 5e5, 128, -1.0, 0.3, turns=turns)
        assert (theorem.holds(near, far, turns=turns) == (-gap > 1 / 8)).all()
    assert theorem.holds(near[:2], far).all()
    assert not theorem.holds(near[2], far).any()


REFUSED = [
    (lambda: DistanceBiasTheorem(1.0, 128, 1.0), r"base=1\.0"),
    (lambda: DistanceBiasTheorem(1e4, 127, 1.0), "head_dim=127 is odd"),
    (lambda: DistanceBiasTheorem(1e4, 128, 0.0), "mu=0 has no sign"),
    (lambda: DistanceBiasTheorem(1e4, 128, math.nan), "mu=nan"),
    (lambda: DistanceBiasTheorem(1e4, 128, 1.0, math.inf), "nu=inf"),
    (lambda: DistanceBiasTheorem(1e4, 128, 1.0).remainder(math.nan, 1.0), "distance=nan"),
    (lambda: lemma_remainder(1.0, 1e4, 128, -0.5), r"alpha=-0\.5"),
    (lambda: lemma_remainder(math.inf, 1e4, 128), "distance=inf"),
    (lambda: lemma_c1(2.0, 10.0, 128), r"base=10\.0 is too small"),
    (lambda: lemma_c1(2.0, 1e4, 36), r"head_dim=36 is too small: the lemma assumes D > 4 ln base = 36\.84"),
    (lambda: lemma_c1(np.array([2.0, 1.0]), 1e4, 128), r"distance=1\.0 is too small"),
    (lambda: lemma_c2(-2.0, 1e4, 128, 0.5), r"distance=-2\.0 is too small"),
    (lambda: lemma_c2(25.0, 1e4, 128, 0.5), r"distance=25\.0 is too large: lemma C\.2 needs"),
    (lambda: lemma_c2(2.0, 1e4, 128, 0.0), r"exponent=0\.0"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_unusable_input_is_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
