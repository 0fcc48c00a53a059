"""TAPA where `analysis` and `proofs` meet: closed form, Monte Carlo and the ledger's own formulas.

The floats' error is the one that `analysis.theory.tapa` promises: 1e-10 of E A^2, of the modulus of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import sympy as sp
from flint import acb, arb

from analysis.encodings import LinearTapa, Tapa
from analysis.sampling.laws import Gaussian, negative_cross_terms
from analysis.sampling.monte_carlo import estimate
from analysis.studies.tapa_moments import CANCELLED, mean_curves, mean_law, phase_map, variance_laws
from analysis.theory.gaussian_law import GaussianLaw, equal
from analysis.theory.tapa import leading_term, mean_cosine, tapa_log_mean, tapa_moments
from proofs import balls
from proofs.gaussian_tokens import GaussianTokens, S, cosine_mean
from proofs.paper.appendix_g import CORRELATION, correlated_mean
from proofs.paper.section_3_remarks import largest_gap
from proofs.paper.section_3_score import linear_cosine
from proofs.paper.theorem_3_2 import best_constant, shifted_mean
from proofs.paper.theorem_3_2_laws import moment_cosine, same_coordinate
from proofs.paper.theorem_3_3 import exact_variance, limit_variance, twisted

ERROR = 1e-10  # relative, of a modulus
LAGS = np.array([1.0, 7.0, 100.0, 8192.0, 65_536.0])
STANDARD = {"alpha": 0.1, "amplitude_share": 0.5}


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with balls.precision(160):
        yield


def close(value: float, exact: arb, size: arb | None = None) -> bool:
    """Within the promised share of a modulus, by default the value's own."""
    scale = abs(exact) if size is None else size
    return bool(abs(balls.dyadic(float(value)) - exact) <= balls.dyadic(ERROR) * scale)


def test_the_mean_of_independent_phases() -> None:
    """At 60 random heads; the mean falls to 1e-60 and less."""
    rng = np.random.default_rng(2509)
    for _ in range(60):
        dims, alpha = int(rng.integers(1, 65)), float(rng.uniform(0.01, 1))
        spread, lag = float(10 ** rng.uniform(-3, 0.5)), float(np.ceil(10 ** rng.uniform(0, 5)))
        law = mean_law(2 * dims, spread)
        settings = {"alpha": alpha, "amplitude_share": 0.5}
        sign, log = tapa_log_mean(law, lag, **settings)
        whole = float(tapa_moments(law, 0.0, **settings).mean)
        exact = cosine_mean(dims, balls.dyadic(lag), balls.dyadic(alpha), balls.dyadic(spread))
        assert sign == 1
        assert abs(balls.dyadic(float(log) - math.log(whole)) - exact.log()) <= 1e-10 * (1 + abs(float(log)))


@pytest.mark.parametrize("spread", [0.03, 0.3, 1.0])
def test_the_bound_has_the_ledgers_best_constant(spread: float) -> None:
    found = mean_curves((spread,), LAGS, LAGS[:1], samples=64, seed=0).isel(phase_sd=0)
    constant = best_constant(64, balls.dyadic(spread)).log()
    for lag, log in zip(found.distance.values, found.log_bound.values, strict=True):
        exact = constant - ball_exponent(64) * balls.dyadic(float(lag)).log()
        assert abs(balls.dyadic(float(log)) - exact) <= 1e-10 * abs(exact)
    term = leading_term(mean_law(128, spread), **STANDARD)
    assert term.exponent == pytest.approx(6.4)


def ball_exponent(dims: int) -> arb:
    """alpha n of eq 14 for the float 0.1."""
    return balls.dyadic(0.1) * dims


def test_the_largest_share_of_the_mean_that_is_lost() -> None:
    """The ledger encloses the maximum over all sizes of the phase; a grid of floats comes up to it from below."""
    grid = np.geomspace(0.05, 0.2, 401)
    found = phase_map([0.1], grid.tolist(), head_dim=64, far=2.0**20)
    lost = float((found.near - found.far).max())
    ceiling = float(largest_gap())
    assert lost <= ceiling + 1e-6
    # a maximum: a step of 0.35 % in the phase changes the share by some 1e-5 of it
    assert lost > ceiling - 1e-4
    assert 0.766 < lost < 0.7661


def one_coordinate(law: GaussianLaw, exact: sp.Expr) -> None:
    """A law of one phase dimension, its amplitude a constant 1: the mean is the real part of the expression."""
    for lag in LAGS:
        s = balls.dyadic(float(lag)) ** balls.dyadic(0.1)
        value = tapa_moments(law, float(lag), **STANDARD).mean
        expected = sp.N(exact.subs(S, sp.Float(str(s.mid().str(40, radius=False)), 40)), 40)
        assert abs(sp.Float(float(value), 40) - sp.re(expected)) <= ERROR * abs(expected)


def of_phase(covariance: np.ndarray, mean: tuple[float, float] = (0.0, 0.0)) -> GaussianLaw:
    """Head dimension 2: q_A = k_A = 1 for certain, (q_P, k_P) normal."""
    whole = np.zeros((4, 4))
    whole[np.ix_((1, 3), (1, 3))] = covariance
    return GaussianLaw(np.array([1.0, mean[0], 1.0, mean[1]]), whole)


def test_correlated_and_equal_phases() -> None:
    r = float(CORRELATION)
    one_coordinate(of_phase(np.array([[1, r], [r, 1]])), correlated_mean())
    one_coordinate(of_phase(np.ones((2, 2))), same_coordinate())


def test_equal_tokens_of_a_whole_head() -> None:
    """q = k: E cos of n = 4 dimensions is the real part of the fourth power of one coordinate's."""
    law, lag = equal(8), 100.0
    u = 4 * arb.pi() * balls.dyadic(lag) ** balls.dyadic(0.1) / 2
    found = tapa_moments(law, lag, **STANDARD)
    exact = (acb(1, u) ** -2).real * 2  # E q_A.k_A / sqrt(4) = 2, independent of the phase
    assert close(float(found.mean), exact, 2 * abs(acb(1, u) ** -2))


@pytest.mark.parametrize(("mean_q", "mean_k"), [(1.0, -2.0), (0.5, 0.25), (0.0, 3.0)])
def test_phases_with_means(mean_q: float, mean_k: float) -> None:
    """|E exp(i phase)|, both parts: the sine of a phase is the cosine of one a quarter of a turn behind."""
    for lag in (1.0, 100.0):
        s = float(lag) ** 0.1
        cosine = float(tapa_moments(of_phase(np.eye(2), (mean_q, mean_k)), lag, **STANDARD).mean)
        exact = shifted_mean(balls.dyadic(s), balls.dyadic(mean_q), balls.dyadic(mean_k))
        t = 2 * math.pi * s
        turn = t * mean_q * mean_k / (1 + t**2)  # the phase of E exp(i t q k), for the ledger's modulus
        assert abs(cosine - float(exact) * math.cos(turn)) <= 1e-10 * float(exact)


def test_the_linear_phase() -> None:
    law = of_phase(np.eye(2))
    for lag in (1.0, 7.0):
        value = float(tapa_moments(law, lag, **STANDARD, phase="linear").mean)
        exact = float(linear_cosine(sp.Integer(2)).subs(S, sp.Float(lag**0.1, 40)))
        assert value == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("dims", "density"), [(3, sp.Rational(1, 2)), (5, None)])
def test_spheres(dims: int, density: sp.Expr | None) -> None:
    if density is None:
        density = sp.Rational(3, 4) * (1 - sp.Symbol("u", positive=True) ** 2)
    exact = sp.lambdify(S, moment_cosine(density), "mpmath")
    t = np.array([0.5, 3.0, 40.0])
    assert mean_cosine(t, dims) == pytest.approx([float(exact(float(x))) for x in t], abs=1e-10)


def exact_law(tokens: GaussianTokens) -> GaussianLaw:
    covariance = np.array(tokens.covariance.tolist(), dtype=np.float64)
    return GaussianLaw(np.zeros(len(covariance)), covariance)


@pytest.mark.parametrize("lag", LAGS)
def test_the_variance_of_twisted_tokens(lag: float) -> None:
    """The ledger's counterexample to eq 15: correlations 9/10 of either sign within the amplitude."""
    law = exact_law(twisted(sp.Rational(9, 10)))
    found = float(tapa_moments(law, lag, **STANDARD).variance)
    # E A^2 is 2 of amplitude 0.19, the promised share of it
    assert abs(found - float(exact_variance("9/10", 2, balls.dyadic(float(lag))))) <= 1e-10


def test_the_limits_of_the_variance_of_negative_cross_terms() -> None:
    """The law of our figure, exact in the ledger at four dimensions: its limit is (1 - strength)/2."""
    half = sp.sqrt(sp.Rational(1, 2))
    covariance = sp.eye(8)
    covariance[0, 1] = covariance[1, 0] = half
    covariance[4, 5] = covariance[5, 4] = -half
    tokens = GaussianTokens(covariance)
    ours = negative_cross_terms(4, 2, CANCELLED).covariance
    assert ours == pytest.approx(np.array(covariance.tolist(), dtype=np.float64), abs=1e-15)
    assert sp.simplify(limit_variance(tokens, 2)) == sp.Rational(1, 4)
    assert sp.simplify(tokens.cross_terms(2)) == -1
    for head_dim in (4, 128):
        law = variance_laws(head_dim, 0.1, 1.0)["negative cross terms"]
        assert law.exact is not None
        dims, far = head_dim // 2, 1e30
        tail = (math.sqrt(dims) / (4 * math.pi * far**0.1)) ** dims  # bounds E cos of the doubled angle
        assert float(law.exact(np.array([far]))[0]) == pytest.approx(0.25, abs=tail + 1e-10)


# the third witness


@pytest.mark.parametrize("method", ["plain", "conditional"])
def test_draws_agree_with_the_ledger(method: str) -> None:
    """Monte Carlo of the mean against balls, without the closed form in between."""
    law, lags = mean_law(64, 0.1), LAGS[:3]
    found = estimate(Tapa(64), Gaussian(law), lags, 2**15, method=method, seed=3)  # pyright: ignore
    whole = 0.1 * 32 / math.sqrt(32)  # correlation 0.1 in 32 dimensions over sqrt(32)
    for i, lag in enumerate(lags):
        exact = whole * float(cosine_mean(32, balls.dyadic(lag), spread="1/10"))
        error = float(found["mean_se"][i])
        assert abs(float(found["mean"][i]) - exact) < 4 * error
        assert error < 0.02


def test_draws_of_twisted_tokens_agree_with_the_ledger() -> None:
    law = exact_law(twisted(sp.Rational(9, 10)))
    found = estimate(Tapa(4), Gaussian(law), LAGS[1:4], 2**15, seed=4)
    for i, lag in enumerate(LAGS[1:4]):
        error = float(found["variance_se"][i])
        assert (
            abs(float(found["variance"][i]) - float(exact_variance("9/10", 2, balls.dyadic(lag)))) < 4 * error
        )
        assert error < 0.01


def test_draws_of_the_linear_phase_agree_with_the_ledger() -> None:
    """A phase small enough to leave a mean: the ledger's formula at s times 0.03."""
    law = mean_law(16, 0.03**2)  # the sum of entries takes the root of it
    found = estimate(LinearTapa(16), Gaussian(law), LAGS[:2], 2**15, seed=5)
    whole = 0.1 * 8 / math.sqrt(8)
    for i, lag in enumerate(LAGS[:2]):
        cosine = float(linear_cosine(sp.Integer(2)).subs(S, sp.Float(0.03 * lag**0.1, 40)))
        error = float(found["mean_se"][i])
        assert abs(float(found["mean"][i]) - whole * cosine) < 4 * error
        assert error < 0.01
