"""Shapes over distance: each against NumPy's least squares on the curves themselves, and curves that have the shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.heads import decomposition, formula_fit
from analysis.heads.formula_fit import FITTED, INTERCEPTS, LOGARITHM, PLUG_IN, SHAPES
from analysis.theory import frequencies

LEVEL_FREE, LEVEL_FITTED, NO_INTERCEPT = INTERCEPTS
OMEGA = frequencies.plain(1e4, 12).omega
DISTANCE = np.arange(1.0, 61.0)
RESTS = 2  # products of what no rotation touches


def drawn(seed: int, windows: int = 6, heads: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Measured curves of any form, and means of queries and keys."""
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=(windows, heads, len(DISTANCE))) + 3 * rng.normal(size=(heads, 1))
    shape = (windows, heads, len(OMEGA) + RESTS)
    return measured, rng.normal(size=shape) + 1j * rng.normal(size=shape)


def columns(shape: str) -> list[np.ndarray]:
    """The functions of a shape, written out."""

    def wave(f, power):
        return sum(f(w**power * DISTANCE) for w in OMEGA)

    return {
        "plug-in means": [],
        "formula, mu_0": [wave(np.cos, 1)],
        "formula, mu_0 and nu_0": [wave(np.cos, 1), wave(np.sin, 1)],
        "logarithm": [np.log(DISTANCE)],
        "logarithm and its square": [np.log(DISTANCE), np.log(DISTANCE) ** 2],
        "straight line": [DISTANCE],
        "formula, base squared": [wave(np.cos, 2)],
        "formula, root of the base": [wave(np.cos, 0.5)],
        "every pair's means": [],
    }[shape]


def predicted(shape: str, intercept: str, measured, means, weight, to_fit: list[int]) -> np.ndarray:
    """By least squares on the curves of each head, no inner products."""
    found = []
    for head in range(measured.shape[1]):
        mean = means[to_fit, head].mean(0)
        mu, nu = mean[: len(OMEGA)].real, -mean[: len(OMEGA)].imag
        fixed = np.zeros(len(DISTANCE))
        if shape == PLUG_IN:
            mu, nu = (np.full(len(OMEGA), x.mean()) for x in (mu, nu))
        if shape in (PLUG_IN, "every pair's means"):
            fixed = sum(
                m * np.cos(w * DISTANCE) + n * np.sin(w * DISTANCE)
                for m, n, w in zip(mu, nu, OMEGA, strict=True)
            )
        if intercept == NO_INTERCEPT:
            fixed = fixed + mean[len(OMEGA) :].real.sum()
        design = columns(shape) + ([] if intercept == NO_INTERCEPT else [np.ones(len(DISTANCE))])
        target = measured[to_fit, head].mean(0) - fixed
        if design:
            root = np.sqrt(weight)
            solution = np.linalg.lstsq(root[:, None] * np.stack(design, 1), root * target, rcond=None)[0]
            fixed = fixed + np.stack(design, 1) @ solution
        found.append(fixed)
    return np.stack(found)


@pytest.mark.parametrize("weighting", ["log", "uniform"])
@pytest.mark.parametrize("intercept", INTERCEPTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fits_and_what_they_leave_are_those_of_the_curves(shape: str, intercept: str, weighting: str):
    measured, means = drawn(3)
    weight = decomposition.weights(DISTANCE, weighting)
    table = formula_fit.shape_products(measured, formula_fit.distance_functions(OMEGA, DISTANCE), weight)
    to_fit, to_score = [0, 2, 3], [1, 4, 5]
    curve = predicted(shape, intercept, measured, means, weight, to_fit)
    of = formula_fit.shape_coefficients(shape, intercept, table, means, to_fit)
    np.testing.assert_allclose(of @ formula_fit.distance_functions(OMEGA, DISTANCE), curve, atol=1e-8)
    rest = measured[to_score] - curve
    scored = table
    if intercept == LEVEL_FREE:
        rest = rest - (rest @ weight)[..., None]
        scored = table.centred
    expected = np.einsum("vhd,d,whd->hvw", rest, weight, rest)
    np.testing.assert_allclose(formula_fit.left_over(scored, of, to_score), expected, atol=1e-7)


def test_a_shape_has_as_many_coefficients_as_it_says():
    assert {shape: len(columns(shape)) for shape in SHAPES} == formula_fit.FREE


@pytest.mark.parametrize(
    ("shape", "curve"),
    [
        (FITTED, 0.7 * np.cos(np.outer(OMEGA, DISTANCE)).sum(0) - 4),
        (LOGARITHM, -0.3 * np.log(DISTANCE) + 2),
        ("straight line", 0.01 * DISTANCE),
    ],
)
def test_a_curve_of_a_shape_is_found_whole_and_not_by_another(shape: str, curve: np.ndarray):
    measured = np.repeat(curve[None, None], 3, axis=0)
    table = formula_fit.shape_products(
        measured, formula_fit.distance_functions(OMEGA, DISTANCE), decomposition.weights(DISTANCE, "log")
    )
    means = np.zeros((3, 1, len(OMEGA)), complex)
    whole = decomposition.cross(table.centred.windows)
    for other in (FITTED, LOGARITHM, "straight line"):
        of = formula_fit.shape_coefficients(other, LEVEL_FREE, table, means, [0])
        r2 = 1 - decomposition.cross(formula_fit.left_over(table.centred, of, [1, 2])) / whole
        assert (float(r2[0]) > 1 - 1e-9) == (other == shape)
    of = formula_fit.shape_coefficients(FITTED, LEVEL_FITTED, table, means, [0])
    if shape == FITTED:
        assert formula_fit.fitted_mean(of)[0] == pytest.approx(0.7)
    if shape == LOGARITHM:
        assert formula_fit.log_slopes(table)[0].tolist() == pytest.approx([-0.3] * 3)


def test_equal_means_of_all_pairs_are_assumption_2_1():
    """Where every pair has the same means, the plug-in formula is the curve; where not, only every pair's are."""
    rng = np.random.default_rng(0)
    for mu in (np.full(len(OMEGA), 0.4), rng.normal(size=len(OMEGA))):
        means = np.repeat((mu - 0.2j)[None, None], 3, axis=0)
        curve = np.real((mu - 0.2j) @ np.exp(1j * np.outer(OMEGA, DISTANCE)))
        table = formula_fit.shape_products(
            np.repeat(curve[None, None], 3, axis=0),
            formula_fit.distance_functions(OMEGA, DISTANCE),
            decomposition.weights(DISTANCE, "uniform"),
        )
        left = {
            shape: float(
                formula_fit.left_over(
                    table, formula_fit.shape_coefficients(shape, NO_INTERCEPT, table, means, [0, 1]), [2]
                )[0, 0, 0]
            )
            for shape in (PLUG_IN, "every pair's means")
        }
        assert abs(left["every pair's means"]) < 1e-9
        assert (abs(left[PLUG_IN]) < 1e-9) == (np.ptp(mu) == 0)


@given(seed=st.integers(0, 2**20), count=st.integers(3, 7))
@settings(max_examples=20, deadline=None)
def test_leaving_out_a_window_is_leaving_it_out(seed: int, count: int):
    x = np.random.default_rng(seed).normal(size=(2, count, 5))
    gram = x @ x.swapaxes(1, 2)
    expected = []
    for out in range(count):
        kept = np.delete(np.arange(count), out)
        expected.append(decomposition.cross(gram[:, kept[:, None], kept]))
    np.testing.assert_allclose(decomposition.cross_without(gram), np.stack(expected, 1), atol=1e-10)


def test_two_windows_cannot_lose_one():
    with pytest.raises(InputError, match="2 windows leave no two when one is left out; measure at least 3"):
        decomposition.cross_without(np.ones((1, 2, 2)))


def test_the_curve_alone_is_the_split_layers():
    """`window_curve` and `split_layer`, which has its own witnesses, say the same of one window."""
    rng = torch.Generator().manual_seed(4)
    q, k = (torch.randn(heads, 40, 16, generator=rng, dtype=torch.float64) + 0.3 for heads in (4, 2))
    freq = frequencies.plain(1e3, 16, 12)
    for window in (None, 11):
        found = decomposition.window_curve(q, k, freq, scale=0.5, window=window)
        split = decomposition.split_layer(q, k, freq, scale=0.5, generator=rng, window=window)
        torch.testing.assert_close(found.measured, split.measured[1], equal_nan=True)
        torch.testing.assert_close(found.square_sum, split.square_sum[1])
        one, other = (m[1].first.sum(0) / m[1].count.sum() for m in (split.moments_q, split.moments_k))
        product = one * other.repeat_interleave(2, 0).conj()
        torch.testing.assert_close(found.product, product)
        assert found.product.shape == (4, 8)  # 6 pairs, 4 dimensions that no rotation touches as 2 products
