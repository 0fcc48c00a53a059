"""Where `analysis` and `proofs` meet: float64 against balls, two witnesses that share no code.

|float - midpoint| <= radius of the ball + the rounding that `analysis` states, at thousands of random points: bases,
head dimensions and distances drawn afresh per case from a seeded generator, both signs of the distance, integers and
not, both angle conventions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from analysis.theory.frequencies import plain
from analysis.theory.rope import (
    cos_limit,
    cos_sum,
    expected_score,
    expected_score_curve,
    gamma,
    limit_error,
    near_far_gap,
    sin_limit,
    sin_sum,
)
from analysis.theory.theorem_2_2 import DistanceBiasTheorem, lemma_c1, lemma_c2, lemma_remainder
from proofs import balls, integrals
from proofs.checks import Point, near_integers
from proofs.paper.appendix_f import main_term

ULP = 2.0**-53  # largest relative error of one rounding
CONVENTIONS = pytest.mark.parametrize("turns", [True, False], ids=["turns", "radians"])
HEAD_DIMS = (2, 4, 6, 64, 80, 128, 256)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with balls.precision(160):
        yield


def generator(turns: bool) -> np.random.Generator:
    return np.random.default_rng([2509, 12635, turns])


def draw_base(rng: np.random.Generator) -> float:
    """From 1.01 to 1e10, even in the logarithm; every third a deployed one."""
    return float(rng.choice([1e4, 5e5, 2e8])) if rng.random() < 1 / 3 else 1.0 + 10.0 ** rng.uniform(-2, 10)


def draw_distances(rng: np.random.Generator, count: int, largest: float = 2.0**21) -> np.ndarray:
    """Of either sign, even in the logarithm from 1e-3; every other one an integer."""
    sizes = 10.0 ** rng.uniform(-3, math.log10(largest), count)
    sizes[::2] = np.ceil(sizes[::2])
    return sizes * rng.choice([-1.0, 1.0], count)


def off(value: float, exact: arb) -> float:
    """How far a float lies from the midpoint of a ball, beyond the ball's radius; 0 if inside."""
    away = abs(balls.dyadic(float(value)) - exact.mid()) - exact.rad()
    return max(0.0, float(away.upper()))


def sum_budget(distance: float, head_dim: int, weight: float, turns: bool, extra: int = 16) -> float:
    """What `expected_score` and `cos_sum` state: rounding of the sum, and of omega."""
    rounding = (head_dim + extra) * ULP * weight / 2
    return rounding + 2e-16 * abs(distance) * (2 * math.pi if turns else 1.0) * weight


Sums = Callable[[float, int, bool], integrals.RopeSums]


def ball_sums(base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
    return integrals.RopeSums.of(head_dim, base=balls.dyadic(base), turns=turns)


def disagreements(turns: bool, sums_of: Sums = ball_sums, cases: int = 60, count: int = 25) -> list[str]:
    """Where C_D, S_D and Gamma of the two witnesses differ by more than both allow."""
    rng, found = generator(turns), []
    for _ in range(cases):
        base, head_dim = draw_base(rng), int(rng.choice(HEAD_DIMS))
        mu, nu = (float(x) for x in rng.uniform(-2, 2, 2))
        distances = draw_distances(rng, count)
        sums = sums_of(base, head_dim, turns)
        floats = zip(
            distances.tolist(),
            cos_sum(distances, base, head_dim, turns=turns),
            sin_sum(distances, base, head_dim, turns=turns),
            gamma(distances, base, head_dim, mu, nu, turns=turns),
            strict=True,
        )
        for distance, cosine, sine, both in floats:
            lam = balls.dyadic(distance)
            exact = (sums.cos(lam), sums.sin(lam), sums.gamma(lam, balls.dyadic(mu), balls.dyadic(nu)))
            weights = (1.0, 1.0, abs(mu) + abs(nu))
            for name, value, ball, weight in zip("CSG", (cosine, sine, both), exact, weights, strict=True):
                if off(value, ball) > sum_budget(distance, head_dim, weight, turns):
                    found.append(
                        f"{name} at base {base}, D = {head_dim}, distance {distance}: {value}, {ball}"
                    )
    return found


@CONVENTIONS
def test_sums_agree_at_4500_points(turns: bool) -> None:
    assert disagreements(turns) == []


@CONVENTIONS
def test_scores_with_a_mean_per_pair_agree_for_the_floats_own_frequencies(turns: bool) -> None:
    """No error of omega here: the balls are given the float64 frequencies, exactly."""
    rng = generator(turns)
    for _ in range(30):
        base, head_dim = draw_base(rng), int(rng.choice(HEAD_DIMS))
        omega = plain(base, head_dim, turns=turns).omega
        mu, nu = rng.uniform(-2, 2, (2, len(omega)))
        scale = float(rng.uniform(0.01, 1))
        distances = draw_distances(rng, 20)
        budget = (head_dim + 16) * ULP * scale * float(np.abs(mu).sum() + np.abs(nu).sum())
        scores = expected_score(distances, omega, mu, nu, scale=scale)
        for distance, score in zip(distances.tolist(), scores, strict=True):
            assert off(score, ball_score(distance, omega, mu, nu) * balls.dyadic(scale)) <= budget


def ball_score(distance: float, omega: np.ndarray, mu: np.ndarray, nu: np.ndarray) -> arb:
    angles = [balls.dyadic(distance) * balls.dyadic(w) for w in omega.tolist()]
    pairs = zip(angles, mu.tolist(), nu.tolist(), strict=True)
    return sum((balls.dyadic(m) * x.cos() + balls.dyadic(n) * x.sin() for x, m, n in pairs), arb(0))


@CONVENTIONS
def test_curves_agree_wherever_they_start(turns: bool) -> None:
    rng = generator(turns)
    for start in (0, 1, 1000, 2**20, -(2**20)):
        base, head_dim = draw_base(rng), int(rng.choice(HEAD_DIMS))
        omega = plain(base, head_dim, turns=turns).omega
        mu, nu = rng.uniform(-2, 2, (2, len(omega)))
        length = int(rng.integers(1, 5000))
        curve = expected_score_curve(length, omega, mu, nu, start=start)
        budget = (head_dim + 32) * ULP * float(np.abs(mu).sum() + np.abs(nu).sum())
        for index in {0, length - 1, *rng.integers(0, length, 60).tolist()}:
            assert off(curve[index], ball_score(float(start + index), omega, mu, nu)) <= budget


@CONVENTIONS
def test_near_far_gaps_agree(turns: bool) -> None:
    rng = generator(turns)
    for _ in range(40):
        base, head_dim = draw_base(rng), int(rng.choice(HEAD_DIMS))
        mu, nu = (float(x) for x in rng.uniform(-2, 2, 2))
        near, far = draw_distances(rng, 20, 100.0), draw_distances(rng, 20)
        sums = ball_sums(base, head_dim, turns)
        weight = abs(mu) + abs(nu)
        gaps = near_far_gap(near, far, base, head_dim, mu, nu, turns=turns)
        for one, other, gap in zip(near.tolist(), far.tolist(), gaps, strict=True):
            exact = [sums.gamma(balls.dyadic(x), balls.dyadic(mu), balls.dyadic(nu)) for x in (one, other)]
            budget = sum(sum_budget(x, head_dim, weight, turns) for x in (one, other)) + ULP * weight
            assert off(gap, exact[0] - exact[1]) <= budget


@CONVENTIONS
def test_limits_agree_at_2000_points(turns: bool) -> None:
    rng = generator(turns)
    for _ in range(40):
        base = draw_base(rng)
        distances = draw_distances(rng, 50, 1e12)
        budget = 1e-15 * (1 + 1 / math.log(base))
        cosines, sines = cos_limit(distances, base, turns=turns), sin_limit(distances, base, turns=turns)
        for distance, cosine, sine in zip(distances.tolist(), cosines, sines, strict=True):
            lam, ball = balls.dyadic(distance), balls.dyadic(base)
            assert off(cosine, integrals.cos_limit(lam, base=ball, turns=turns)) <= budget
            assert off(sine, integrals.sin_limit(lam, base=ball, turns=turns)) <= budget


@CONVENTIONS
def test_limits_with_their_end_term_are_those_of_the_integrals_ci_and_si(turns: bool) -> None:
    rng = generator(turns)
    for _ in range(20):
        base, head_dim = draw_base(rng), int(rng.choice(HEAD_DIMS))
        distances = np.abs(draw_distances(rng, 25))
        cosines = cos_limit(distances, base, head_dim=head_dim, turns=turns)
        sines = sin_limit(distances, base, head_dim=head_dim, turns=turns)
        for distance, cosine, sine in zip(distances.tolist(), cosines, sines, strict=True):
            fast = balls.dyadic(distance) * (2 * arb.pi() if turns else 1)
            slow, unit = fast / balls.dyadic(base), 2 * balls.dyadic(base).log()
            budget = 1e-15 * (1 + 1 / math.log(base)) + 2.0**-52 * float(fast) / head_dim
            ends = (fast.cos() - slow.cos()) / (2 * head_dim), (fast.sin() - slow.sin()) / (2 * head_dim)
            assert off(cosine, (integrals.ci(fast) - integrals.ci(slow)) / unit + ends[0]) <= budget
            assert off(sine, (integrals.si(fast) - integrals.si(slow)) / unit + ends[1]) <= budget


@CONVENTIONS
def test_the_error_of_the_limit_bounds_what_the_balls_see(turns: bool) -> None:
    rng = generator(turns)
    for _ in range(20):
        base, head_dim = draw_base(rng), int(rng.choice(HEAD_DIMS))
        distances = draw_distances(rng, 20, 1e6)
        sums = ball_sums(base, head_dim, turns)
        # relative rounding of the bound: a sum of at most D/2 terms of one sign
        bounds = limit_error(distances, base, head_dim, turns=turns) * (1 + head_dim * 2.0**-50)
        for distance, bound in zip(distances.tolist(), bounds, strict=True):
            lam, ball = balls.dyadic(distance), balls.dyadic(base)
            for exact, limit in ((sums.cos, integrals.cos_limit), (sums.sin, integrals.sin_limit)):
                gap = abs(exact(lam) - limit(lam, base=ball, turns=turns))
                assert balls.at_most(gap, balls.dyadic(float(bound))) is True


def lemma_points() -> Iterator[tuple[float, int, float, Point]]:
    """Base, head dimension and distance that meet the lemmas' hypotheses, in both notations."""
    rng = generator(True)
    for _ in range(300):
        base = 10.0 + 10.0 ** rng.uniform(-1, 12)
        head_dim = 2 * (math.floor(2 * math.log(base)) + 1 + int(rng.integers(0, 2000)))
        distance = 1 + 10.0 ** rng.uniform(-6, 9)
        yield base, head_dim, distance, Point(1 / Fraction(base), head_dim, Fraction(distance))


def test_the_remainder_and_lemma_c1_agree() -> None:
    for base, head_dim, distance, point in lemma_points():
        log_base = math.log(base)
        for alpha in (None, 0.0, 0.37, 1.5):
            exact = point.least_epsilon() if alpha is None else point.epsilon(Fraction(alpha))
            value = float(lemma_remainder(distance, base, head_dim, alpha))
            # some 16 roundings; the logarithm turns relative ones into absolute ones, over ln b
            budget = 16 * ULP * (value + (2 + abs(math.log(distance))) / log_base)
            assert off(value, exact) <= budget
            cosine, sine = (float(x) for x in lemma_c1(distance, base, head_dim, alpha))
            main = 2 / (balls.ball(point.far) * point.log * arb.pi())
            assert off(cosine, main + exact) <= budget + 16 * ULP * cosine
            assert off(sine, 2 / point.log + exact) <= budget + 16 * ULP * sine


def test_lemma_c2_agrees() -> None:
    compared = 0
    for base, head_dim, distance, point in lemma_points():
        least = math.log(4 * distance) / math.log(base)
        for more in (1e-6, 0.1, 1.0):
            exponent = least + more
            if distance * base**-exponent >= 0.25:
                continue
            value = float(lemma_c2(distance, base, head_dim, exponent, 0.25))
            exact = main_term(point, balls.dyadic(exponent)) - 1 / point.log - point.epsilon("1/4")
            # the cosine's angle is below pi/2 and carries the error of base^-exponent, e ln b roundings of it
            terms = abs(1 - exponent) * (4 + 2 * exponent * math.log(base)) + 2 + abs(value)
            terms += float(lemma_remainder(distance, base, head_dim, 0.25))
            assert off(value, exact) <= 16 * ULP * terms
            compared += 1
    assert compared > 500


def test_the_near_range_holds_the_same_integers() -> None:
    rng = generator(True)
    bases = [*(int(10 ** rng.uniform(0.5, 13)) for _ in range(2000)), *((8 * k) ** 4 for k in range(2, 60))]
    for base in bases:
        theorem = DistanceBiasTheorem(float(base), 128, mu=1.0)
        assert theorem.near_integers == near_integers(base), base


@CONVENTIONS
def test_whether_theorem_2_2_holds_is_what_the_balls_say(turns: bool) -> None:
    """At real near and far distances; a gap that float64 cannot tell from |mu|/8 is left out, and rare."""
    rng, decided = generator(turns), []
    for _ in range(60):
        base, head_dim = float(10.0 ** rng.uniform(4, 9)), int(rng.choice(HEAD_DIMS))
        mu, nu = (float(x) for x in rng.uniform(-2, 2, 2))
        theorem = DistanceBiasTheorem(base, head_dim, mu, nu)
        near = rng.uniform(1, theorem.near_limit, 10) * rng.choice([-1.0, 1.0], 10)
        far = base * 10.0 ** rng.uniform(0, 3, 10) * rng.choice([-1.0, 1.0], 10)
        sums, weight = ball_sums(base, head_dim, turns), abs(mu) + abs(nu)
        for one, other, holds in zip(
            near.tolist(), far.tolist(), theorem.holds(near, far, turns=turns), strict=True
        ):
            values = [sums.gamma(balls.dyadic(x), balls.dyadic(mu), balls.dyadic(nu)) for x in (one, other)]
            excess = (values[0] - values[1]) * (1 if mu > 0 else -1) - abs(balls.dyadic(mu)) / 8
            budget = sum(sum_budget(x, head_dim, weight, turns) for x in (one, other)) + 4 * ULP * weight
            decided.append(abs(float(excess)) > budget)
            assert holds == (excess > 0) or not decided[-1]
    assert sum(decided) > 0.99 * len(decided)


def test_the_head_dimension_that_equation_33_asks_for_agrees() -> None:
    """(33) holds at the least D that `analysis` names and fails, or D <= 4L, two below, in balls.

    Up to what rounding of epsilon moves ln D: the far epsilon, half of the sum or more, falls with ln D at a rate of
    1/L or of itself.
    """
    rng = generator(True)
    for _ in range(40):
        base = 10.0 + 10.0 ** rng.uniform(-1, 12)
        mu, nu = (float(x) for x in rng.uniform(-2, 2, 2))
        near, far = 1 + 10.0 ** rng.uniform(-3, 2), base * 10.0 ** rng.uniform(0, 3)
        least = DistanceBiasTheorem(base, 128, mu, nu).head_dim_needed(near, far)

        def slack(head_dim: int, ends: tuple[float, float] = (near, far), base: float = base) -> arb:
            found = (Point(1 / Fraction(base), head_dim, Fraction(x)).least_epsilon() for x in ends)
            return sum(found, arb(0))

        bound = abs(balls.dyadic(mu)) / 32 / (abs(balls.dyadic(mu)) + abs(balls.dyadic(nu)))
        log_base, size = math.log(base), float(bound)
        error = 2 * 16 * ULP * (size + (2 + math.log(far)) / log_base) / min(1 / log_base, size / 2)
        room = 2 * math.ceil(least * error / 2) if least * error > 0.01 else 0  # whole pairs
        assert balls.less(slack(least + room), bound) is True
        below = least - room - 2
        assert below <= 4 * log_base or balls.less(slack(below), bound) is False
