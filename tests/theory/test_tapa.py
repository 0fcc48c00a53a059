"""TAPA under Gaussian q, k: against variables integrated out one by one in balls, quadrature, samples, closed forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import flint
import numpy as np
import pytest
from flint import acb, acb_series, arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, ortho_group

from analysis.errors import InputError
from analysis.theory.gaussian_law import (
    GaussianLaw,
    correlated,
    equal,
    fit,
    independent,
    nope_moments,
    projected,
)
from analysis.theory.tapa import (
    LeadingTerm,
    amplitude_dims,
    decompose,
    leading_term,
    local_exponent,
    tapa_log_mean,
    tapa_moments,
)

SEEDS = st.integers(0, 2**32 - 1)
DECADES = st.integers(-9, 9)
PROMISED = 1e-10
EPS = 2.0**-53


@pytest.fixture(autouse=True)
def precision():
    """256 bits, 77 digits, and power series to the second order."""
    before, flint.ctx.prec, flint.ctx.cap = (flint.ctx.prec, flint.ctx.cap), 256, 3
    yield
    flint.ctx.prec, flint.ctx.cap = before


# The witness. x = m + F z with F, m dyadic, so F F^T and every form below are exact in float64. The generating
# function E exp(i u phi + h q_A.k_A) is a Gaussian integral over z; its variables are integrated out one at a
# time, in power series in h, whose coefficients are the moments. Every pivot has positive real part, so every
# square root is principal. No eigenvalues, no tilted moments.


@dataclass(frozen=True)
class Case:
    """One law x = mean + factor z with its split."""

    mean: np.ndarray
    factor: np.ndarray
    amplitude: int

    @property
    def head_dim(self) -> int:
        return len(self.mean) // 2

    @property
    def share(self) -> float:
        return self.amplitude / self.head_dim

    @property
    def phase_dims(self) -> int:
        return self.head_dim - self.amplitude

    @property
    def law(self) -> GaussianLaw:
        return GaussianLaw(self.mean, self.factor @ self.factor.T)

    def forms(self, phase: str) -> tuple[tuple, tuple]:
        """Matrix, gradient at 0 and value at 0 in z, of phi and of q_A.k_A."""
        size = self.head_dim
        rows = np.arange(size)
        of_phase = np.zeros((2 * size, 2 * size))
        of_amplitude, entries = of_phase.copy(), np.zeros(2 * size)
        for form, part in ((of_amplitude, rows[: self.amplitude]), (of_phase, rows[self.amplitude :])):
            form[part, size + part] = form[size + part, part] = 0.5
        if phase == "linear":
            entries = np.tile(rows >= self.amplitude, 2).astype(float)
            of_phase[:] = 0
        return self._in_z(of_phase, entries), self._in_z(of_amplitude, 0 * entries)

    def _in_z(self, form: np.ndarray, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        f, m = self.factor, self.mean
        return f.T @ form @ f, f.T @ (2 * form @ m + entries), m @ form @ m + entries @ m


def generating(case: Case, u: arb, phase: str = "quadratic") -> tuple[acb, acb, acb]:
    """E exp(i u phi), E[q_A.k_A exp(i u phi)], E[(q_A.k_A)^2 exp(i u phi)]."""
    (curve, slope, start), (bend, tilt, level) = case.forms(phase)
    iu = acb(0, u)

    def series(of_phase: float, of_amplitude: float) -> acb_series:
        return acb_series([iu * arb(float(of_phase)), arb(float(of_amplitude))])

    size = len(slope)
    matrix = [[(i == j) - 2 * series(curve[i, j], bend[i, j]) for j in range(size)] for i in range(size)]
    vector = [series(slope[i], tilt[i]) for i in range(size)]
    exponent, product = series(start, level), acb_series([1])
    for last in reversed(range(size)):
        pivot = matrix[last][last]
        assert pivot[0].real > 0
        product *= 1 / pivot.sqrt()
        exponent += vector[last] * vector[last] / (2 * pivot)
        for i in range(last):
            share = matrix[i][last] / pivot
            vector[i] -= share * vector[last]
            for j in range(last):
                matrix[i][j] -= share * matrix[last][j]
    total = product * exponent.exp()
    return total[0], total[1], 2 * total[2]


@dataclass(frozen=True)
class Expected:
    """What the witness says at distance 1, in balls, with the scales on which errors are promised."""

    mean: arb
    second: arb
    mean_scale: arb
    second_scale: arb


def witness(case: Case, scale_phase: float, phase: str) -> Expected:
    u = 2 * arb.pi() * arb(scale_phase) / arb(case.phase_dims).sqrt()
    factor, first, _ = generating(case, u, phase)
    square = generating(case, arb(0), phase)[2].real
    double = generating(case, 2 * u, phase)[2].real
    scale = (abs(factor) * square.sqrt()).max(abs(first))
    root = arb(case.amplitude).sqrt()
    return Expected(
        first.real / root,
        (square + double) / (2 * case.amplitude),
        scale / root,
        square / case.amplitude,
    )


def miss(value: np.ndarray | float | arb, ball: arb, scale: arb) -> float:
    """Upper bound of |value - ball| / scale; 0 if both are exactly 0."""
    gap = abs(arb(value if isinstance(value, arb) else float(value)) - ball)
    return 0.0 if gap == 0 else float((gap / scale).upper())


def draw_case(seed: int, columns: int, centre: str) -> Case:
    """head_dim 2 to 6; `columns` more than 2 head_dim, or fewer; the mean 0, in the range of the law, or any."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 7))
    rank = max(1, 2 * size + columns)
    factor = rng.integers(-16, 17, (2 * size, rank)) / 16
    means = {
        "zero": np.zeros(2 * size),
        "in range": factor @ (rng.integers(-8, 9, rank) / 8),
        "any": rng.integers(-16, 17, 2 * size) / 8,
    }
    return Case(means[centre], factor, int(rng.integers(1, size)))


def largest(case: Case) -> float:
    """The scale of rounding of every lambda: the largest standard deviations of q_P and of k_P, multiplied."""
    q = case.factor[case.amplitude : case.head_dim]
    k = case.factor[case.head_dim + case.amplitude :]
    return float(np.linalg.norm(q, 2) * np.linalg.norm(k, 2))


def well_posed(case: Case) -> bool:
    """The condition under which the error is promised, asked of the phase as well where the law is singular."""
    law = case.law
    unit = np.where(law.spread > 0, law.spread, 1)
    values = np.linalg.eigvalsh(law.covariance / unit / unit[:, None])[-law.factor.shape[1] :]
    curvature = np.abs(decompose(law, case.amplitude, "quadratic").eigenvalue)
    return values[-1] < 1e4 * values[0] and curvature.size > 0 and largest(case) < 1e4 * curvature.min()


def check(case: Case, scale_phase: float, phase: str, promised: float = PROMISED) -> None:
    expected = witness(case, scale_phase, phase)
    setting = {"alpha": 0.3, "amplitude_share": case.share, "phase": phase, "scale_phase": scale_phase}
    found, (sign, log) = tapa_moments(case.law, 1, **setting), tapa_log_mean(case.law, 1, **setting)
    if expected.second_scale == 0:  # q_A.k_A cancels for certain: only rounding is left, which has no scale
        assert abs(float(found.second)) < PROMISED**2
        return
    assert miss(found.second, expected.second, expected.second_scale) < promised
    variance = expected.second - expected.mean * expected.mean
    assert miss(found.variance, variance, expected.second_scale) < promised
    if expected.mean_scale > 1e-290:
        assert miss(found.mean, expected.mean, expected.mean_scale) < promised
    if expected.mean_scale.log() > -1e4:  # beyond, a logarithm right to 2^-50 of itself is not enough
        from_log = arb(float(sign)) * arb(float(log)).exp() if sign else arb(0)
        assert miss(from_log, expected.mean, expected.mean_scale) < promised


@settings(max_examples=120)
@given(SEEDS, st.integers(0, 4), st.sampled_from(["zero", "any"]), DECADES)
def test_moments_lie_within_the_promised_error_of_the_balls(seed, columns, centre, decade):
    case = draw_case(seed, columns, centre)
    assume(well_posed(case))
    check(case, 10.0**decade, "quadratic")


@settings(max_examples=60)
@given(SEEDS, st.integers(-11, -1), st.sampled_from(["zero", "in range"]), DECADES)
def test_so_do_those_of_singular_laws_that_reach_the_origin(seed, columns, centre, decade):
    case = draw_case(seed, columns, centre)
    assume(well_posed(case))
    check(case, 10.0**decade, "quadratic")


@settings(max_examples=60)
@given(SEEDS, st.integers(-11, 4), st.sampled_from(["zero", "in range", "any"]), st.integers(-9, 9))
def test_so_does_the_linear_phase_until_it_underflows(seed, columns, centre, decade):
    case = draw_case(seed, columns, centre)
    assume(well_posed(case))
    check(case, 10.0 ** (decade / 4 if decade > 0 else decade), "linear")


@settings(max_examples=40)
@given(SEEDS, st.integers(-9, 3))
def test_a_singular_law_that_misses_the_origin_loses_only_the_phase_that_it_gathers(seed, decade):
    case = draw_case(seed, -7, "any")
    assume(well_posed(case))
    form = decompose(case.law, case.amplitude, "quadratic")
    # the phase is u times the stationary value of phi: every part of it is as good as its eigenvalue is
    size = np.abs(form.eigenvalue)
    parts = form.rest_slope**2 / (4 * size) * largest(case) / size
    gathered = 2 * math.pi * 10.0**decade * (abs(form.rest_constant) + parts.sum())
    check(case, 10.0**decade, "quadratic", PROMISED + 2.0**-50 * gathered)


@pytest.mark.parametrize("ratio", [2.0**-30, 2.0**-20, 2.0**-10, 2.0**-4, 2.0**4])
@pytest.mark.parametrize("decade", [-9, -6, -3, -2, -1, 0, 1, 2, 3, 4])
def test_means_far_larger_and_far_smaller_than_the_spread(ratio, decade):
    case = draw_case(5, 4, "any")
    check(Case(case.mean, case.factor * ratio, case.amplitude), 10.0**decade, "quadratic")


def test_coordinates_of_very_different_size():
    case = draw_case(6, 4, "zero")
    sizes = 2.0 ** np.concatenate([np.full(case.head_dim, -40), np.full(case.head_dim, 40)])
    check(Case(case.mean, sizes[:, None] * case.factor, case.amplitude), 0.25, "quadratic")


def blocks_of_two(rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and means of `pairs` laws of one q and one k each."""
    return rng.integers(-16, 17, (pairs, 2, 4)) / 16, rng.integers(-4, 5, (pairs, 2)) / 16


@pytest.mark.parametrize("dims", [1, 2, 3, 64, 256])
@pytest.mark.parametrize("decade", [-9, -3, -1, 0, 1, 3, 9])
def test_many_dimensions_turned_by_a_rotation_are_the_product_of_their_pairs(dims, decade):
    """q.k sees no rotation, so a dense law of n pairs has the factor of its n independent pairs."""
    rng = np.random.default_rng(dims)
    factors, means = blocks_of_two(rng, dims)
    turn = ortho_group.rvs(dims, random_state=rng) if dims > 1 else np.eye(1)
    dense = np.zeros((2, dims + 1, 2, dims + 1))
    for i in range(2):
        for j in range(2):
            dense[i, 1:, j, 1:] = turn * (factors[:, i] * factors[:, j]).sum(axis=1) @ turn.T
    dense[0, 0, 0, 0] = dense[1, 0, 1, 0] = 1.0
    mean = np.ones((2, dims + 1))
    mean[:, 1:] = means.T @ turn.T
    law = GaussianLaw(mean.ravel(), dense.reshape(2 * dims + 2, -1))
    u = 2 * arb.pi() * arb(10.0**decade) / arb(dims).sqrt()
    product = acb(1)
    for factor, centre in zip(factors, means, strict=True):
        product *= generating(Case(centre, factor, 0), u)[0]
    share = 1 / (dims + 1)
    setting = {"alpha": 0.1, "amplitude_share": share, "scale_phase": 10.0**decade}
    sign, log = tapa_log_mean(law, 1.0, **setting)
    value = arb(float(sign)) * arb(float(log)).exp()
    assert miss(value, product.real, abs(product)) < PROMISED
    underflown = float(abs(product)) < 1e-310
    assert (tapa_moments(law, 1.0, **setting).mean == 0) == underflown


def test_quadrature_over_the_four_variables_of_the_smallest_head():
    """No formula at all: 44^4 Gauss-Hermite nodes."""
    case = Case(np.array([0.5, -0.25, 0.25, 0.75]), draw_case(8, 4, "zero").factor[:4, :4] / 2, 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(44)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), axis=-1) @ case.factor.T + case.mean
    weight = np.einsum("i,j,k,l->ijkl", *[weights / weights.sum()] * 4)
    amplitude, phi = grid[..., 0] * grid[..., 2], grid[..., 1] * grid[..., 3]
    for scale in (0.05, 0.15):
        score = amplitude * np.cos(2 * math.pi * scale * phi)
        found = tapa_moments(case.law, 1.0, alpha=1.0, amplitude_share=0.5, scale_phase=scale)
        assert found.mean == pytest.approx((weight * score).sum(), rel=1e-9)
        assert found.second == pytest.approx((weight * score**2).sum(), rel=1e-9)
        assert found.variance == pytest.approx(found.second - found.mean**2, rel=1e-12)


@pytest.mark.parametrize("phase", ["quadratic", "linear"])
def test_samples_agree_within_four_standard_errors(phase):
    rng = np.random.default_rng(9)
    case, count = Case(rng.standard_normal(12), rng.standard_normal((12, 14)) / 2, 2), 200_000
    x = case.mean + rng.standard_normal((count, 14)) @ case.factor.T
    q, k = x[:, :6], x[:, 6:]
    phi = (q[:, 2:] * k[:, 2:]).sum(axis=1) if phase == "quadratic" else (q[:, 2:] + k[:, 2:]).sum(axis=1)
    distance = np.array([0.0, 1.0, 7.0, 300.0])
    found = tapa_moments(case.law, -distance, alpha=0.3, amplitude_share=1 / 3, phase=phase, scale_phase=0.04)
    for i, lag in enumerate(distance):
        score = (q[:, :2] * k[:, :2]).sum(axis=1) / math.sqrt(2) * np.cos(0.08 * math.pi / 2 * lag**0.3 * phi)
        for value, sample in ((found.mean[i], score), (found.second[i], score**2)):
            se = sample.std() / math.sqrt(count)
            assert abs(value - sample.mean()) < 4 * se
            assert se < 0.02 * math.sqrt(found.second[0]) * max(1, math.sqrt(found.second[0]))


# Special cases, each from its own formula


def with_amplitude(law: GaussianLaw, mean: float = 1.0) -> GaussianLaw:
    """The law of the phase part joined by one amplitude dimension with E q_A = mean, E k_A = 1, unit variances."""
    n = law.head_dim
    place = np.concatenate([np.arange(1, n + 1), np.arange(n + 2, 2 * n + 2)])
    centre, covariance = np.zeros(2 * n + 2), np.eye(2 * n + 2)
    centre[[0, n + 1]] = mean, 1.0
    centre[place] = law.mean
    covariance[np.ix_(place, place)] = law.covariance
    return GaussianLaw(centre, covariance)


T = np.concatenate([[0.0], 10.0 ** np.arange(-9, 10), np.linspace(0.1, 4, 8)])


def mean_cosine(law: GaussianLaw) -> tuple[np.ndarray, np.ndarray]:
    """Sign and logarithm of E cos(T q_P.k_P)."""
    n = law.head_dim
    scale = T * math.sqrt(n) / (2 * math.pi)
    return tapa_log_mean(with_amplitude(law), 1.0, alpha=1.0, amplitude_share=1 / (n + 1), scale_phase=scale)


@pytest.mark.parametrize("n", [1, 2, 31, 64, 256])
def test_independent_standard_normal_coordinates(n):
    sign, log = mean_cosine(independent(n))
    predicted = -n / 2 * np.log1p(T**2)
    assert (sign == 1).all()
    # rounding of T in the scale moves n log T by n 2^-52; the sum of n logarithms is right to a few 2^-53 of it
    np.testing.assert_allclose(log, predicted, rtol=1e-13, atol=n * 2.0**-49)


@pytest.mark.parametrize("n", [1, 2, 31, 64, 256])
@pytest.mark.parametrize("rho", [-0.75, 0.5, 1.0, -1.0])
def test_correlated_and_equal_q_and_k_follow_the_root_continued_from_zero(n, rho):
    """Per pair E exp(i t q k) = ((1 - i t rho)^2 + t^2)^(-1/2); for q = k (1 - 2 i t)^(-1/2), exponent n/2.

    Of n pairs the angle reaches n pi/4: the principal root of the whole product would have the wrong sign.
    """
    sign, log = mean_cosine(correlated(n, rho))
    if abs(rho) == 1:
        modulus, angle = -n / 4 * np.log1p((2 * T) ** 2), n * rho / 2 * np.arctan(2 * T)
    else:  # the two roots of 1 - 2 i t rho + t^2 (1 - rho^2) in i t
        modulus = -n / 4 * (np.log1p((T * (1 + rho)) ** 2) + np.log1p((T * (1 - rho)) ** 2))
        angle = n / 2 * (np.arctan(T * (1 + rho)) - np.arctan(T * (1 - rho)))
    cosine = np.cos(angle)
    error = 2e-13 * n + 2.0**-50 * n * np.abs(modulus)  # of the angle and of the logarithm
    found = sign * np.exp(log - modulus)
    assert (np.abs(found - cosine) < error).all()
    assert n < 31 or (cosine < -0.1).any()


def test_equal_is_perfect_correlation_and_both_project_one_vector():
    w = np.eye(4)
    for law in (equal(4, sd=2.0), projected(w, w, 4 * w)):
        np.testing.assert_array_equal(law.covariance, correlated(4, 1.0, sd=2.0).covariance)
        assert law.factor.shape == (8, 4)


def test_a_projection_of_few_hidden_dimensions_is_the_quadratic_form_of_these():
    """h in R^3: q_P.k_P = h^T S h, factor det(I - 2 i u S)^(-1/2) with three eigenvalues, whatever n is."""
    rng = np.random.default_rng(10)
    w_q, w_k, mean = rng.standard_normal((40, 3)), rng.standard_normal((40, 3)), np.array([0.5, -1.0, 0.25])
    law = projected(w_q, w_k, np.eye(3), mean)
    assert law.factor.shape == (80, 3)
    rate = np.linalg.eigvalsh((w_q.T @ w_k + w_k.T @ w_q) / 2)
    axes = np.linalg.eigh((w_q.T @ w_k + w_k.T @ w_q) / 2)[1]
    for t in (1e-9, 1e-3, 0.1, 1.0, 1e3, 1e9):
        weight = 1 / (1 - 2j * t * rate)
        factor = np.prod(np.sqrt(weight)) * np.exp((1j * t * rate * weight * (axes.T @ mean) ** 2).sum())
        sign, log = tapa_log_mean(
            with_amplitude(law),
            1.0,
            alpha=1.0,
            amplitude_share=1 / 41,
            scale_phase=t * math.sqrt(40) / 2 / math.pi,
        )
        assert sign * np.exp(log) == pytest.approx(factor.real, abs=1e-10 * abs(factor))


def test_a_law_without_any_variance_is_one_score():
    mean = np.array([1.0, 2.0, 0.5, 3.0, -1.0, 0.25])
    law = GaussianLaw(mean, np.zeros((6, 6)))
    found = tapa_moments(law, 5.0, alpha=0.5, amplitude_share=1 / 3)
    score = 3.0 * math.cos(2 * math.pi * math.sqrt(5) * (2 * -1 + 0.5 * 0.25) / math.sqrt(2))
    assert found.mean == pytest.approx(score, rel=1e-12)
    assert found.second == pytest.approx(score**2, rel=1e-12)
    assert found.variance <= 1e-12 * score**2
    linear = tapa_moments(law, 5.0, alpha=0.5, amplitude_share=1 / 3, phase="linear")
    score = 3.0 * math.cos(2 * math.pi * math.sqrt(5) * (2 + 0.5 - 1 + 0.25) / math.sqrt(2))
    assert linear.mean == pytest.approx(score, rel=1e-12)


def test_linear_phase_of_independent_coordinates_decays_like_a_normal_law():
    found = tapa_log_mean(
        with_amplitude(independent(8, sd=0.5)),
        np.array([1.0, 1e3, 1e9]),
        alpha=0.5,
        amplitude_share=1 / 9,
        phase="linear",
    )
    # 16 entries of variance 1/4 over sqrt(8): variance 1/2 of phi
    np.testing.assert_allclose(found[1], -((2 * math.pi) ** 2) * np.array([1.0, 1e3, 1e9]) / 4, rtol=1e-14)


# Properties


def any_law(seed: int, head_dim: int = 6) -> GaussianLaw:
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((2 * head_dim, 2 * head_dim + 4)) / 4
    return GaussianLaw(rng.standard_normal(2 * head_dim) / 2, factor @ factor.T)


def assert_same(first, second, factor: float = 1.0) -> None:
    np.testing.assert_allclose(first.mean * factor, second.mean, atol=1e-11 * np.sqrt(second.second.max()))
    np.testing.assert_allclose(first.second * factor**2, second.second, rtol=1e-11)


DISTANCES = np.array([0.0, 1.0, 2.5, 100.0, 65_536.0])
SETTING = {"alpha": 0.2, "amplitude_share": 0.5, "scale_phase": 0.1}


@given(SEEDS, st.sampled_from(["quadratic", "linear"]))
@settings(max_examples=20)
def test_only_the_size_of_the_distance_counts(seed, phase):
    law = any_law(seed)
    here = tapa_moments(law, DISTANCES, **SETTING, phase=phase)
    there = tapa_moments(law, -DISTANCES, **SETTING, phase=phase)
    np.testing.assert_array_equal(here.mean, there.mean)
    np.testing.assert_array_equal(here.second, there.second)


@given(SEEDS, st.floats(-3, 3))
@settings(max_examples=20)
def test_what_q_k_sees_is_all_that_counts(seed, log_size):
    """q_P -> M q_P, k_P -> M^-T k_P leaves q_P.k_P alone, and so does an exchange of q and k."""
    rng, law = np.random.default_rng(seed), any_law(seed)
    here = tapa_moments(law, DISTANCES, **SETTING)
    block = np.eye(12)
    matrix = rng.standard_normal((3, 3)) / 4 + np.eye(3) * 10.0**log_size
    block[3:6, 3:6], block[9:, 9:] = matrix, np.linalg.inv(matrix).T
    assume(np.linalg.cond(matrix) < 100)
    assert_same(here, tapa_moments(moved(law, block), DISTANCES, **SETTING))
    swap = np.roll(np.eye(12), 6, axis=0)
    assert_same(here, tapa_moments(moved(law, swap), DISTANCES, **SETTING))
    block = np.eye(12)
    block[:3] *= -3
    assert_same(here, tapa_moments(moved(law, block), DISTANCES, **SETTING), -3.0)


def moved(law: GaussianLaw, matrix: np.ndarray) -> GaussianLaw:
    return GaussianLaw(matrix @ law.mean, matrix @ law.covariance @ matrix.T)


@given(SEEDS, st.sampled_from(["quadratic", "linear"]))
@settings(max_examples=20)
def test_distance_zero_is_the_amplitude_without_a_position(seed, phase):
    law = any_law(seed)
    part = np.r_[0:3, 6:9]
    amplitude = GaussianLaw(law.mean[part], law.covariance[np.ix_(part, part)])
    assert_same(tapa_moments(law, 0.0, **SETTING, phase=phase), nope_moments(amplitude, 0.0))


@given(SEEDS, st.sampled_from(["quadratic", "linear"]), st.booleans())
@settings(max_examples=30)
def test_moments_are_those_of_a_bounded_cosine(seed, phase, singular):
    law = any_law(seed)
    if singular:
        law = projected(np.eye(6)[:, :4], np.eye(6)[::-1, :4], law.covariance[:4, :4], law.mean[:4])
    found = tapa_moments(law, DISTANCES, **SETTING, phase=phase)
    whole = found.second[0]
    assert (found.second <= whole * (1 + 1e-12)).all()
    assert (found.mean**2 <= found.second + 1e-12 * whole).all()
    assert (found.variance >= 0).all()
    np.testing.assert_allclose(found.variance, found.second - found.mean**2, atol=1e-12 * whole)


@given(SEEDS)
@settings(max_examples=10)
def test_far_away_half_the_second_moment_is_left_and_no_mean(seed):
    """Theorem 3.3 with its constant: Var tends to E A^2 / 2."""
    found = tapa_moments(any_law(seed), np.array([0.0, 1e12]), alpha=1.0, amplitude_share=0.5)
    assert found.variance[1] == pytest.approx(found.second[0] / 2, rel=1e-9)


def test_the_mean_of_independent_coordinates_falls_with_distance():
    law = with_amplitude(independent(16))
    found = tapa_moments(law, np.arange(1000.0), alpha=0.5, amplitude_share=1 / 17, scale_phase=0.2)
    assert (np.diff(found.mean) < 0).all()


def test_settings_broadcast_into_a_map_that_equals_its_points():
    law, alpha, scale = any_law(3), np.array([0.01, 0.1, 1.0])[:, None], np.array([0.001, 0.1, 3.0, 30.0])
    whole = tapa_moments(law, 7.0, alpha=alpha, amplitude_share=0.5, scale_phase=scale)
    assert whole.mean.shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        point = tapa_moments(
            law, 1.0, alpha=1.0, amplitude_share=0.5, scale_phase=scale[j] * 7 ** alpha[i, 0]
        )
        assert whole.mean[i, j] == pytest.approx(point.mean, rel=1e-9, abs=1e-14)
        assert whole.variance[i, j] == pytest.approx(point.variance, rel=1e-12)


def test_a_long_curve_is_its_pieces():
    law = any_law(4, 40)
    distance = np.linspace(0, 65_536, 4001)
    whole = tapa_moments(law, distance, **SETTING)
    piece = tapa_moments(law, distance[3990:].reshape(1, -1), **SETTING)
    assert piece.mean.shape == (1, 11)
    np.testing.assert_allclose(piece.mean[0], whole.mean[3990:], rtol=1e-12)
    np.testing.assert_allclose(piece.second[0], whole.second[3990:], rtol=1e-12)
    assert tapa_moments(law, np.empty(0), **SETTING).mean.shape == (0,)


# How fast the mean falls


@given(SEEDS, st.sampled_from(["quadratic", "linear"]), st.floats(-2, 1), st.floats(0.05, 2))
@settings(max_examples=30)
def test_local_exponent_is_the_slope_of_the_logarithm(seed, phase, log_distance, alpha):
    setting = {"alpha": alpha, "amplitude_share": 0.5, "scale_phase": 0.05, "phase": phase}
    law, step = any_law(seed), 1e-4
    grid = 10.0**log_distance * np.exp(step * np.array([-2, -1, 0, 1, 2]))
    sign, log = tapa_log_mean(law, grid, **setting)
    assume(np.abs(sign.sum()) == 5)
    exponents = local_exponent(law, grid, **setting)
    assume(np.abs(exponents).max() < 50)  # not next to a zero of the mean
    slope = (8 * (log[3] - log[1]) - (log[4] - log[0])) / (12 * step)
    # five-point rule: step^4 / 30 of the fifth derivative, and rounding 2^-50 / step, times 50^5 near a zero
    assert exponents[2] == pytest.approx(slope, abs=1e-7)


@given(st.integers(1, 256), st.floats(0.01, 2), st.floats(-3, 3))
@settings(max_examples=30)
def test_local_exponent_of_independent_coordinates(n, alpha, log_distance):
    """-alpha n t^2 / (1 + t^2): 0 near by, eq 14's exponent far away."""
    distance = 10.0**log_distance
    found = local_exponent(with_amplitude(independent(n)), distance, alpha=alpha, amplitude_share=1 / (n + 1))
    square = (2 * math.pi * distance**alpha) ** 2 / n
    assert found == pytest.approx(-alpha * n * square / (1 + square), rel=1e-12)


@given(SEEDS)
@settings(max_examples=10)
def test_local_exponent_of_any_law_near_by_and_far_away(seed):
    """Near by it goes like distance^(2 alpha), for the mean is even in u; far away it is that of eq 14."""
    law = any_law(seed)
    small = moved(law, np.diag(np.tile([1.0, 1.0, 1.0, 1e-3, 1e-3, 1e-3], 2)))
    for one in (law, GaussianLaw(small.mean * np.tile([1.0, 1, 1, 1e3, 1e3, 1e3], 2), small.covariance)):
        near = local_exponent(one, np.array([1e-12, 1e-9]), alpha=0.5, amplitude_share=0.5)
        assert near[1] == pytest.approx(1e3 * near[0], rel=1e-4)  # the next order is u^2, 1e-8 times moments
        assert abs(near[0]) > 0
    assume(np.abs(decompose(law, 3, "quadratic").eigenvalue).min() > 1e-3)
    assume(leading_term(law, alpha=1.0, amplitude_share=0.5).log_constant > -20)
    far = local_exponent(law, np.array([1e7, 1e9]), alpha=1.0, amplitude_share=0.5)
    np.testing.assert_allclose(far, -3, rtol=1e-3)
    assert abs(far[1] + 3) < 0.1 * abs(far[0] + 3) + 1e-9


def test_local_exponent_where_there_is_no_slope():
    setting = {"alpha": 0.3, "amplitude_share": 0.5}
    assert local_exponent(any_law(1), 0.0, **setting) == 0
    assert np.isnan(local_exponent(independent(4), 3.0, **setting))
    assert tapa_log_mean(independent(4), 3.0, **setting) == (0, -np.inf)


@given(SEEDS)
@settings(max_examples=20)
def test_leading_term_is_the_density_at_zero_times_the_amplitude_there(seed):
    """|distance|^(alpha n) E[score] -> (sqrt(n)/scale)^n / sqrt(a) E[q_A.k_A | 0] rho_P(0), by regression."""
    law = any_law(seed)
    phase, amplitude = np.r_[3:6, 9:12], np.r_[0:3, 6:9]
    cov = law.covariance[np.ix_(phase, phase)]
    gain = law.covariance[np.ix_(amplitude, phase)] @ np.linalg.inv(cov)
    mean = law.mean[amplitude] - gain @ law.mean[phase]
    rest = (law.covariance[np.ix_(amplitude, amplitude)] - gain @ cov @ gain.T)[:3, 3:]
    there = mean[:3] @ mean[3:] + rest.trace()
    log_density = multivariate_normal(law.mean[phase], cov).logpdf(np.zeros(6))
    found = leading_term(law, alpha=0.2, amplitude_share=0.5, scale_phase=0.1)
    predicted = 3 * math.log(math.sqrt(3) / 0.1) + log_density + math.log(abs(there) / math.sqrt(3))
    assert found.exponent == pytest.approx(0.2 * 3)
    assert found.log_constant == pytest.approx(predicted, abs=1e-9 * (1 + 1 / abs(there)))
    assert math.cos(found.angle) == pytest.approx(np.sign(there))
    assert found.turns == 0


@given(SEEDS)
@settings(max_examples=20)
def test_far_away_the_mean_is_its_leading_term(seed):
    law, far = any_law(seed), np.array([1e7, 1e8])
    leading = leading_term(law, alpha=1.0, amplitude_share=0.5)
    found = tapa_moments(law, far, alpha=1.0, amplitude_share=0.5).mean
    # the next order is 1/u times a form in the inverse covariance
    smallest = np.abs(decompose(law, 3, "quadratic").eigenvalue).min()
    assume(leading.log_constant > -20)
    assume(smallest > 1e-3)
    assert found == pytest.approx(leading.mean(far), rel=1e-2)
    ratio = np.abs(found / leading.mean(far) - 1)
    assert ratio[1] < 0.2 * ratio[0] + 1e-7


def test_leading_term_of_q_equal_to_k_falls_half_as_fast_and_turns_by_an_eighth_per_dimension():
    law = with_amplitude(equal(6))
    leading = leading_term(law, alpha=0.5, amplitude_share=1 / 7)
    assert (leading.exponent, leading.turns) == (0.5 * 3, 0)
    assert leading.angle == pytest.approx(6 * math.pi / 4)
    far = np.array([1e16, 1e18])
    found = tapa_moments(with_amplitude(equal(4)), far, alpha=0.5, amplitude_share=1 / 5).mean
    four = leading_term(with_amplitude(equal(4)), alpha=0.5, amplitude_share=1 / 5)
    np.testing.assert_allclose(four.mean(far), found, rtol=1e-7)
    assert (found < 0).all()


def test_leading_term_of_a_law_beside_the_origin_keeps_turning():
    """q = k + 2 e_1: q.k = |k + e_1|^2 - 1, stationary at -1."""
    law = equal(3)
    law = with_amplitude(GaussianLaw(law.mean + np.array([2.0, 0, 0, 0, 0, 0]), law.covariance))
    leading = leading_term(law, alpha=1.0, amplitude_share=0.25, scale_phase=0.5)
    assert leading.turns == pytest.approx(-0.5 / math.sqrt(3), rel=1e-12)
    far = np.linspace(1e4, 1e4 + 5, 21)
    found = tapa_moments(law, far, alpha=1.0, amplitude_share=0.25, scale_phase=0.5).mean
    envelope = math.exp(leading.log_constant) * 1e4**-leading.exponent
    np.testing.assert_allclose(leading.mean(far), found, atol=1e-3 * envelope)
    assert found.min() < -0.5 * envelope < 0.5 * envelope < found.max()


@given(st.integers(1, 64), st.floats(0.05, 3), st.floats(-0.95, 0.95), st.floats(-2, 9))
@settings(max_examples=40)
def test_leading_term_bounds_the_mean_of_a_centred_independent_phase(n, sd, rho, log_distance):
    law = with_amplitude(correlated(n, rho, sd=sd))
    leading = leading_term(law, alpha=0.3, amplitude_share=1 / (n + 1))
    log = tapa_log_mean(law, 10.0**log_distance, alpha=0.3, amplitude_share=1 / (n + 1))[1]
    assert log <= leading.log_constant - leading.exponent * math.log(10) * log_distance + 1e-9


def test_a_phase_that_is_linear_somewhere_has_no_leading_power():
    covariance = np.diag([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    law = GaussianLaw(np.ones(6), covariance)
    with pytest.raises(InputError, match="faster than any power of the distance"):
        leading_term(law, alpha=0.1, amplitude_share=1 / 3)
    assert isinstance(leading_term(any_law(0), alpha=0.1, amplitude_share=0.5), LeadingTerm)
    with pytest.raises(InputError, match="distance=0 has no leading term"):
        leading_term(any_law(0), alpha=0.1, amplitude_share=0.5).mean(np.array([1.0, 0.0]))


# Laws and their fit


def test_a_fit_has_the_means_and_covariance_of_the_sample():
    rng = np.random.default_rng(11)
    q, k = rng.standard_normal((50, 3)) + 1, rng.standard_normal((50, 3)) * 2
    law = fit(q, k)
    np.testing.assert_allclose(law.covariance, np.cov(np.hstack([q, k]).T), rtol=1e-12)
    np.testing.assert_array_equal(law.mean_q, q.mean(axis=0))
    np.testing.assert_array_equal(law.mean_k, k.mean(axis=0))
    apart = fit(q, k[:20], paired=False)
    assert not apart.covariance[:3, 3:].any()
    np.testing.assert_allclose(apart.covariance[3:, 3:], np.cov(k[:20].T), rtol=1e-12)


def test_the_curve_of_a_fit_is_that_of_the_law_it_was_drawn_from():
    """The sample mean at every distance, of the same sample, has the same errors of the draw: compare both."""
    rng, law = np.random.default_rng(12), any_law(12)
    x = law.mean + rng.standard_normal((100_000, law.factor.shape[1])) @ law.factor.T
    fitted = tapa_moments(fit(x[:, :6], x[:, 6:]), DISTANCES, **SETTING)
    true = tapa_moments(law, DISTANCES, **SETTING)
    se = true.variance**0.5 / math.sqrt(100_000)
    assert (np.abs(fitted.mean - true.mean) < 8 * se).all()
    assert (se < 0.01 * true.variance**0.5).all()


def test_fewer_samples_than_dimensions_fit_a_singular_law():
    rng = np.random.default_rng(13)
    law = fit(rng.standard_normal((5, 8)), rng.standard_normal((5, 8)))
    assert law.factor.shape == (16, 4)
    np.testing.assert_allclose(law.factor @ law.factor.T, law.covariance, atol=1e-12)
    assert np.isfinite(tapa_moments(law, DISTANCES, **SETTING).mean).all()


@pytest.mark.parametrize("mu", [-0.5, 0.0, 2.0])
def test_constructors_meet_assumption_2_1(mu):
    for law, added in ((independent(6, sd=2, mu=mu), 0.0), (correlated(6, -0.5, sd=2, mu=mu), -4.0)):
        first = law.mean_q[:, None] * law.mean_k + law.covariance[:6, 6:]
        for d in range(0, 6, 2):
            assert first[d, d] + first[d + 1, d + 1] == pytest.approx(mu + added)
            assert first[d, d + 1] - first[d + 1, d] == pytest.approx(0)


def test_projected_has_the_moments_of_the_projections():
    rng = np.random.default_rng(14)
    w_q, w_k, hidden, mean = *rng.standard_normal((2, 3, 7)), np.cov(rng.standard_normal((7, 30))), np.ones(7)
    law = projected(w_q, w_k, hidden, mean)
    np.testing.assert_allclose(law.covariance[:3, 3:], w_q @ hidden @ w_k.T, rtol=1e-9)
    np.testing.assert_allclose(law.mean_k, w_k.sum(axis=1), rtol=1e-12)


# Bad input


def test_settings_out_of_range_are_named():
    law = independent(4)
    for alpha in (0, -0.5):
        with pytest.raises(InputError, match=f"alpha={alpha}.* must be above 0"):
            tapa_moments(law, 1.0, alpha=alpha, amplitude_share=0.5)
    with pytest.raises(InputError, match="alpha holds nan, which is not finite"):
        tapa_moments(law, 1.0, alpha=math.nan, amplitude_share=0.5)
    for share in (0, 1, -0.5, 1.5, math.nan):
        with pytest.raises(InputError, match=rf"amplitude_share={share} is outside \(0, 1\)"):
            tapa_moments(law, 1.0, alpha=0.1, amplitude_share=share)
    with pytest.raises(InputError, match=r"amplitude_share=0.1 of head_dim=4 leaves the amplitude empty"):
        tapa_moments(law, 1.0, alpha=0.1, amplitude_share=0.1)
    with pytest.raises(InputError, match=r"amplitude_share=0.9 of head_dim=4 leaves the phase empty"):
        tapa_moments(law, 1.0, alpha=0.1, amplitude_share=0.9)
    with pytest.raises(InputError, match="head_dim=0 is not a whole number of at least 1"):
        amplitude_dims(0, 0.5)
    with pytest.raises(InputError, match="phase='cubic' is unknown; known: quadratic, linear"):
        tapa_moments(law, 1.0, alpha=0.1, amplitude_share=0.5, phase="cubic")
    with pytest.raises(InputError, match="distance=nan is not a number"):
        tapa_moments(law, math.nan, alpha=0.1, amplitude_share=0.5)
    with pytest.raises(InputError, match="scale_phase holds inf, which is not finite"):
        tapa_moments(law, 1.0, alpha=0.1, amplitude_share=0.5, scale_phase=math.inf)
    with pytest.raises(InputError, match=r"a phase reaches (inf|\S+e\+\S+) rad, at most 1e\+150"):
        tapa_moments(law, 1e10, alpha=20, amplitude_share=0.5)
    with pytest.raises(InputError, match="a phase reaches inf rad"):
        tapa_moments(law, 1e300, alpha=20, amplitude_share=0.5)
    with pytest.raises(InputError, match=r"distance has shape \(2,\), alpha \(3,\), scale_phase \(\)"):
        tapa_moments(law, np.ones(2), alpha=np.ones(3), amplitude_share=0.5)


def test_laws_that_are_none_are_refused_with_the_reason():
    with pytest.raises(InputError, match=r"mean has shape \(3,\); it holds q and k"):
        GaussianLaw(np.zeros(3), np.eye(3))
    with pytest.raises(InputError, match=r"covariance has shape \(3, 3\), mean has shape \(4,\)"):
        GaussianLaw(np.zeros(4), np.eye(3))
    with pytest.raises(InputError, match="mean holds nan, which is not finite"):
        GaussianLaw(np.array([0.0, math.nan]), np.eye(2))
    with pytest.raises(InputError, match="covariance holds inf, which is not finite"):
        GaussianLaw(np.zeros(2), np.diag([1.0, math.inf]))
    with pytest.raises(InputError, match="mean is not an array of real numbers"):
        GaussianLaw(np.array([1j, 0]), np.eye(2))
    with pytest.raises(InputError, match=r"not symmetric: entry \(0, 1\) is 0.5, \(1, 0\) is 0.25"):
        GaussianLaw(np.zeros(2), np.array([[1.0, 0.5], [0.25, 1.0]]))
    with pytest.raises(InputError, match=r"not positive semidefinite, its smallest eigenvalue is -1 "):
        GaussianLaw(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(InputError, match=r"smallest eigenvalue is -2;"):
        GaussianLaw(np.zeros(2), np.diag([1.0, -2.0]))
    with pytest.raises(InputError, match="not positive semidefinite"):  # no variance, yet a covariance
        GaussianLaw(np.zeros(2), np.array([[0.0, 1e-12], [1e-12, 1.0]]))
    hidden = np.array([[1e-16, 1e-7], [1e-7, 1.0]])  # correlation 10, though no eigenvalue is below -1e-14
    with pytest.raises(InputError, match=r"smallest eigenvalue is .*\(-9 of its correlation matrix\)"):
        GaussianLaw(np.zeros(2), hidden)
    with pytest.raises(InputError, match="hidden_covariance is not positive semidefinite"):
        projected(np.ones((2, 2)), np.ones((2, 2)), np.diag([1.0, -1.0]))


def test_constructors_and_fit_refuse_what_they_cannot_use():
    with pytest.raises(InputError, match="head_dim=0 is not a whole number"):
        independent(0)
    with pytest.raises(InputError, match="sd=-1 must be finite and at least 0"):
        independent(2, sd=-1)
    with pytest.raises(InputError, match="mu=inf is not finite"):
        independent(2, mu=math.inf)
    with pytest.raises(InputError, match=r"rho=1.5 is not a correlation"):
        correlated(2, 1.5)
    with pytest.raises(InputError, match=r"w_q has shape \(2, 3\), w_k has shape \(3, 3\)"):
        projected(np.ones((2, 3)), np.ones((3, 3)), np.eye(3))
    with pytest.raises(InputError, match=r"hidden_covariance has shape \(2, 2\), w_q has shape \(2, 3\)"):
        projected(np.ones((2, 3)), np.ones((2, 3)), np.eye(2))
    with pytest.raises(InputError, match=r"hidden_mean has shape \(2,\).*give \(3,\)"):
        projected(np.ones((2, 3)), np.ones((2, 3)), np.eye(3), np.ones(2))
    for count in (0, 1):
        with pytest.raises(InputError, match=rf"q has shape \({count}, 4\).*takes 2 samples or more"):
            fit(np.ones((count, 4)), np.ones((count, 4)))
    with pytest.raises(InputError, match=r"q has shape \(5, 4\), k has shape \(5, 3\); both are"):
        fit(np.ones((5, 4)), np.ones((5, 3)))
    with pytest.raises(InputError, match=r"as many queries as keys, or say paired=False"):
        fit(np.ones((5, 4)), np.ones((6, 4)))
    with pytest.raises(InputError, match="k holds nan"):
        fit(np.ones((5, 4)), np.full((5, 4), math.nan))
