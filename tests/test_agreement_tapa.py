"""Where `analysis` and `proofs` meet on TAPA: float64 closed forms of Gaussian tokens against the ledger's, in balls.

`analysis` diagonalises the phase of any law, `proofs` integrates one pair at a time or sums over pairings: no formula
is shared. Laws are drawn by seed; their parameters are dyadic, so both sides see the same numbers. For laws whose phase
is made of independent pairs the tolerance is the rounding that `analysis.theory.tapa` derives, dims 2^-53 sum_j
min(u L, L/|lambda_j|) with L/|lambda_j| = 2 for each of the 2n directions, and that of u itself, in which log|E| has
slope at most n; elsewhere it is the error that module promises, 1e-10 of its scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import acb, arb

from analysis.theory import frequencies
from analysis.theory.gaussian_law import GaussianLaw, rotary_moments
from analysis.theory.tapa import leading_term, tapa_log_mean, tapa_moments
from proofs import balls, integrals
from proofs.exact import to_ball
from proofs.gaussian_tokens import GaussianTokens, S, cosine_mean, one_pair
from proofs.paper.appendix_g import correlated_mean
from proofs.paper.section_3_score import linear_cosine
from proofs.paper.theorem_3_2 import MEANS, best_constant
from proofs.paper.theorem_3_3 import exact_variance

ULP = 2.0**-53
TINY = 2.0**-1074  # the spacing of the smallest floats
PROMISED = 1e-10  # of the scale that `analysis.theory.tapa` names


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with balls.precision(192):
        yield


def generator(salt: int) -> np.random.Generator:
    return np.random.default_rng([2509, 12635, salt])


def dyadic(x: float, bits: int = 10) -> float:
    """x rounded to a multiple of 2^-bits, not 0: products of a few of them are exact in float64."""
    return max(1, round(abs(x) * 2**bits)) / 2**bits * math.copysign(1, x)


def off(value: float, exact: arb) -> float:
    """How far a float lies from a ball."""
    return float(abs(balls.dyadic(float(value)) - exact).upper())


def rounding(n: int, a: int, alpha: float, lag: float) -> float:
    """Relative error of a mean over independent pairs: of eigenvalues, of u, of a amplitude terms and of exp."""
    of_u = 8 + alpha * abs(
        math.log(lag)
    )  # ulps: 2 pi, sqrt, power, products; the power of a rounded exponent
    return ULP * (2 * n * 4 * n + n * of_u + 16 * (a + 2))


def split_law(
    n: int, amplitude: tuple[np.ndarray, np.ndarray], deviations: tuple[float, float]
) -> GaussianLaw:
    """Phase of n independent centred pairs with these deviations; amplitude of the given means, variance 1."""
    a = len(amplitude[0])
    mean = np.concatenate([amplitude[0], np.zeros(n), amplitude[1], np.zeros(n)])
    variances = [np.r_[np.ones(a), np.full(n, sd**2)] for sd in deviations]
    return GaussianLaw(mean, np.diag(np.concatenate(variances)))


Wave = Callable[[int, arb, arb, arb], arb]


def mean_disagreements(wave_of: Wave = cosine_mean, cases: int = 100) -> list[str]:
    """Where means, or signs and logarithms of them, differ by more than their rounding."""
    rng, found = generator(1), []
    for _ in range(cases):
        n, a = int(rng.choice([1, 2, 3, 8, 32, 64])), int(rng.integers(1, 4))
        sd_q, sd_k = (dyadic(10.0 ** rng.uniform(-1.5, 1)) for _ in range(2))
        q, k = (np.array([dyadic(x) for x in rng.uniform(-3, 3, a)]) for _ in range(2))
        law, alpha = split_law(n, (q, k), (sd_q, sd_k)), dyadic(rng.uniform(0.05, 2))
        lags = np.ceil(10.0 ** rng.uniform(0, 6.3, 20)) * rng.choice([-1.0, 1.0], 20)
        share = a / (a + n)
        means = tapa_moments(law, lags, alpha=alpha, amplitude_share=share).mean
        signs, logs = tapa_log_mean(law, lags, alpha=alpha, amplitude_share=share)
        top = balls.dyadic(float(q @ k)) / arb(a).sqrt()  # a few products of 11-bit numbers: exact
        terms = float(np.abs(q * k).sum()) / math.sqrt(a)  # what the rounding of their sum is relative to
        for lag, mean, sign, log in zip(np.abs(lags).tolist(), means, signs, logs, strict=True):
            wave = wave_of(n, balls.dyadic(lag), balls.dyadic(alpha), balls.dyadic(sd_q) * balls.dyadic(sd_k))
            budget, modulus = rounding(n, a, alpha, lag), abs(top * wave).log()
            relative = budget * terms / abs(float(top)) + 4 * ULP * (1 + abs(float(modulus)))
            agrees = off(mean, top * wave) <= budget * terms * float(wave) + TINY
            if not (agrees and sign == np.sign(q @ k) and off(log, modulus) <= relative):
                found.append(
                    f"n = {n}, a = {a}, alpha = {alpha}, distance {lag}: {mean} against {top * wave}"
                )
    return found


def test_means_of_independent_phases_agree_at_2000_points() -> None:
    assert mean_disagreements() == []


PLANTED: dict[str, Wave] = {
    "one dimension too many": lambda n, lag, alpha, spread: cosine_mean(n + 1, lag, alpha, spread),
    "pi for 2 pi": lambda n, lag, alpha, spread: cosine_mean(n, lag, alpha, spread / 2),
    "exponent n for n/2": lambda n, lag, alpha, spread: cosine_mean(n, lag, alpha, spread) ** 2,
    "sin for cos": lambda n, lag, alpha, spread: arb(0),
    "alpha in single precision": lambda n, lag, alpha, spread: cosine_mean(
        n, lag, alpha * (1 + arb(2) ** -24), spread
    ),
    "spread as a sum": lambda n, lag, alpha, spread: cosine_mean(n, lag, alpha, spread + 1),
}


@pytest.mark.parametrize("error", PLANTED)
def test_an_error_in_the_mean_is_seen_by_the_other_witness(error: str) -> None:
    assert mean_disagreements(cases=4) == []
    assert mean_disagreements(PLANTED[error], cases=4) != []


def pair_law(mean_q: float, mean_k: float, correlation: float) -> GaussianLaw:
    """Amplitude q = k = 1 for certain, phase one pair of unit variance."""
    covariance = np.zeros((4, 4))
    covariance[1, 1] = covariance[3, 3] = 1
    covariance[1, 3] = covariance[3, 1] = correlation
    return GaussianLaw(np.array([1.0, mean_q, 1.0, mean_k]), covariance)


def exact(value: float) -> sp.Rational:
    return sp.Rational(*float(value).as_integer_ratio())


def test_one_pair_with_means_or_correlation_agrees_at_600_points() -> None:
    rng = generator(2)
    b, c = MEANS
    with_means = one_pair(S, b, c)
    correlated = {r: correlated_mean(exact(r)) for r in (-0.9375, -0.25, 0.5, 0.984375)}
    for _ in range(300):
        s = dyadic(10.0 ** rng.uniform(-2, 3))
        mean_q, mean_k = (dyadic(x) for x in rng.uniform(-2, 2, 2))
        r = float(rng.choice(list(correlated)))
        values = {S: Fraction(s), b: Fraction(mean_q), c: Fraction(mean_k)}
        cases = (
            (pair_law(mean_q, mean_k, 0.0), to_ball(with_means, values)),
            (pair_law(0.0, 0.0, r), to_ball(correlated[r], {S: Fraction(s)})),
        )
        for law, factor in cases:  # a = n = 1: the score is cos(2 pi s q k), its scale |E exp|
            found = tapa_moments(law, s, alpha=1.0, amplitude_share=0.5)
            assert off(float(found.mean), acb(factor).real) <= PROMISED * float(abs(factor))


def test_linear_phases_agree() -> None:
    """Variance 2 for n unit pairs; the logarithm's error is that of u^2, a few ulps of it."""
    rng, cosine = generator(3), linear_cosine(sp.Integer(2))
    for _ in range(40):
        n, lag = int(rng.integers(1, 40)), float(np.ceil(10.0 ** rng.uniform(0, 6)))
        law = split_law(n, (np.ones(1), np.ones(1)), (1.0, 1.0))
        _, log = tapa_log_mean(law, lag, alpha=0.5, amplitude_share=1 / (n + 1), phase="linear")
        exponent = to_ball(cosine, {S: balls.dyadic(lag).sqrt()}).real.log()
        assert off(float(log), exponent) <= (16 + 4 * n) * ULP * (1 + abs(float(exponent)))


def test_the_leading_term_is_the_sharp_constant_of_theorem_3_2() -> None:
    rng = generator(4)
    for _ in range(60):
        n, spread = int(rng.choice([1, 2, 8, 64, 128])), dyadic(10.0 ** rng.uniform(-1, 1))
        law = split_law(n, (np.ones(1), np.ones(1)), (spread, 1.0))
        found = leading_term(law, alpha=0.125, amplitude_share=1 / (n + 1))
        constant = best_constant(n, balls.dyadic(spread)).log()
        assert found.exponent == n / 8
        assert (found.angle % (2 * math.pi), found.turns) == pytest.approx((0, 0), abs=n * 2.0**-48)
        assert off(found.log_constant, constant) <= (4 * n * n + 16 * n) * ULP + 8 * ULP * abs(
            float(constant)
        )


def twisted_law(correlation: float, n: int) -> GaussianLaw:
    """The counterexample of eq-15 with n phase dimensions: corr(q_0, q_1) = -r, corr(k_0, k_1) = r."""
    size = n + 2
    covariance = np.eye(2 * size)
    for start, r in ((0, -correlation), (size, correlation)):
        covariance[start, start + 1] = covariance[start + 1, start] = r
    return GaussianLaw(np.zeros(2 * size), covariance)


def test_variances_of_the_counterexample_to_theorem_3_3_agree() -> None:
    rng = generator(5)
    for _ in range(60):
        n, r = int(rng.choice([1, 2, 6, 62])), dyadic(rng.uniform(-0.98, 0.98))
        lags = np.ceil(10.0 ** rng.uniform(0, 6, 10))
        found = tapa_moments(twisted_law(r, n), lags, alpha=0.1, amplitude_share=2 / (n + 2))
        for lag, variance in zip(lags.tolist(), found.variance, strict=True):
            # alpha = 1/10 is no float: relative 2^-53 of alpha ln(lag) in u, with slope at most n
            budget = PROMISED * (1 - r * r) + n * ULP * math.log(2 * lag)
            assert off(variance, exact_variance(balls.dyadic(r), n, balls.dyadic(lag))) <= budget


def test_fourth_moments_agree_with_the_sum_over_pairings() -> None:
    """At distance 0 the second moment is E (q_A.k_A)^2/a, by Wick's formula for any covariance, exactly."""
    rng = generator(6)
    for _ in range(40):
        factor = rng.integers(-3, 4, (8, 12))
        covariance = factor @ factor.T
        tokens, a = GaussianTokens(sp.Matrix(covariance.tolist())), int(rng.integers(1, 4))
        law = GaussianLaw(np.zeros(8), covariance.astype(float))
        found = tapa_moments(law, 0.0, alpha=1.0, amplitude_share=a / 4)
        second = tokens.amplitude_square(a) / a
        mean = sum(tokens.moment([i], [i]) for i in range(a)) / sp.sqrt(a)
        assert off(float(found.second), to_ball(second).real) <= PROMISED * float(second)
        assert off(float(found.mean), to_ball(mean).real) <= PROMISED * math.sqrt(float(second))


def test_rotary_means_are_the_ledger_s_sums() -> None:
    """Fixed tokens q = (1, 0, ...), k = (mu, nu, ...): every A_d is mu, every B_d is nu, and the mean sqrt(D) Gamma."""
    rng = generator(7)
    for _ in range(20):
        head_dim = int(rng.choice([2, 4, 64, 128]))
        mu, nu, base = (dyadic(x) for x in (*rng.uniform(-2, 2, 2), 10.0 ** rng.uniform(0.5, 8)))
        rope = frequencies.plain(base, head_dim)
        pairs = rope.pairs
        q, k = np.zeros(head_dim), np.zeros(head_dim)
        q[pairs[:, 0]], k[pairs[:, 0]], k[pairs[:, 1]] = 1, mu, nu
        law = GaussianLaw(np.concatenate([q, k]), np.zeros((2 * head_dim, 2 * head_dim)))
        lags = np.ceil(10.0 ** rng.uniform(0, 6, 10)) * rng.choice([-1.0, 1.0], 10)
        sums = integrals.RopeSums.of(head_dim, base=balls.dyadic(base), turns=False)
        for lag, mean in zip(lags.tolist(), rotary_moments(law, lags, rope).mean, strict=True):
            value = sums.gamma(balls.dyadic(lag), balls.dyadic(mu), balls.dyadic(nu)) * arb(head_dim).sqrt()
            # the sum's rounding and that of omega (2e-16 of it, times the distance), as `bias` states them
            weight = (abs(mu) + abs(nu)) * math.sqrt(head_dim)
            assert off(mean, value) <= weight * ((2 * head_dim + 32) * ULP + 2e-16 * abs(lag))
