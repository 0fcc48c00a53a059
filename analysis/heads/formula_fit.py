"""Shapes of a head's mean score over distance: the formula of v1, a logarithm, and controls that could fail.

A shape is a few functions of distance whose coefficients are fitted by least squares, or two of them that are
computed from the means of queries and keys and have nothing to fit. Everything is a sum of known functions, so one
table of inner products over distance, measured curves by functions, gives every fit and every residual exactly.

R^2 is 1 - <r, r> / <m, m>, r and m of *different* windows, so that the windows' own noise counts neither as
something to explain nor as something that was left (`decomposition`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float

PLUG_IN, FITTED, LOGARITHM = "plug-in means", "formula, mu_0", "logarithm"
BOTH, QUADRATIC, LINE = "formula, mu_0 and nu_0", "logarithm and its square", "straight line"
SQUARED, ROOT, EVERY_PAIR = "formula, base squared", "formula, root of the base", "every pair's means"
_FUNCTIONS = (
    "1",
    "cos",
    "sin",
    "log",
    "log squared",
    "distance",
    "cos, base squared",
    "cos, root of the base",
)
_FITS: dict[str, tuple[str, ...]] = {
    PLUG_IN: (),
    FITTED: ("cos",),
    BOTH: ("cos", "sin"),
    LOGARITHM: ("log",),
    QUADRATIC: ("log", "log squared"),
    LINE: ("distance",),
    SQUARED: ("cos, base squared",),
    ROOT: ("cos, root of the base",),
    EVERY_PAIR: (),
}
SHAPES = tuple(_FITS)
"""Every shape by its name.

The formula of v1 is mu_0 sum_d cos(omega_d distance) + nu_0 sum_d sin(omega_d distance), eq 17: with the means over
pairs of the measured mu_d and nu_d, with one fitted mu_0, with both fitted. Controls: a logarithm and a straight
line, which have as many coefficients as the fitted mu_0; a logarithm and its square, as many as both; the formula
with a base that the model does not have. Every pair's means are the mu_d and nu_d one by one: no Assumption 2.1.
"""
FREE = {name: len(functions) for name, functions in _FITS.items()}
"""Coefficients that a shape has to fit, the intercept not counted."""
INTERCEPTS = ("level free", "intercept fitted", "no intercept")
"""How a shape's level over distance is treated: fitted, and R^2 of what varies over distance alone, since no softmax
sees the level; fitted, and R^2 with the level; not fitted, and R^2 with the level."""

Coefficients = Float[np.ndarray, "heads functions"]


def distance_functions(
    omega: Float[np.ndarray, " pairs"], distance: Float[np.ndarray, " distances"]
) -> Float[np.ndarray, "functions distances"]:
    """Every function that a shape is made of, cosines and sines of single pairs last.

    Args:
        omega: angular frequencies, rad/token.
        distance: tokens, >= 1.
    """

    def cosines(frequencies: np.ndarray) -> np.ndarray:
        return np.cos(np.outer(frequencies, distance))

    log = np.log(distance)
    sines = np.sin(np.outer(omega, distance))
    other = [cosines(omega**power).sum(axis=0) for power in (2.0, 0.5)]
    rows = [
        np.ones_like(distance),
        cosines(omega).sum(axis=0),
        sines.sum(axis=0),
        log,
        log**2,
        distance,
        *other,
    ]
    return np.concatenate([np.stack(rows), cosines(omega), sines])


@dataclass(frozen=True, eq=False)
class ShapeProducts:
    """Inner products over distance, with weights that sum to 1.

    Attributes:
        windows: of the measured curves of two windows.
        mixed: of a measured curve and a function.
        functions: of two functions.
    """

    windows: Float[np.ndarray, "heads windows windows"]
    mixed: Float[np.ndarray, "heads windows functions"]
    functions: Float[np.ndarray, "functions functions"]

    @cached_property
    def centred(self) -> ShapeProducts:
        """Of what is left of curves and functions when their mean over distance is taken away."""
        level, of_functions = self.mixed[..., 0], self.functions[0]
        return ShapeProducts(
            self.windows - level[..., :, None] * level[..., None, :],
            self.mixed - level[..., None] * of_functions,
            self.functions - np.outer(of_functions, of_functions),
        )


def shape_products(
    measured: Float[np.ndarray, "windows heads distances"],
    of: Float[np.ndarray, "functions distances"],
    weight: Float[np.ndarray, " distances"],
) -> ShapeProducts:
    """Inner products of measured curves and `distance_functions`.

    Args:
        measured: mean score of every window and head, finite.
        of: functions of the same distances.
        weight: of the distances, sums to 1 (`decomposition.weights`).
    """
    curves = np.asarray(measured, dtype=np.float64).swapaxes(0, 1)
    weighted = weight * curves
    return ShapeProducts(weighted @ curves.swapaxes(1, 2), weighted @ of.T, (weight * of) @ of.T)


def shape_coefficients(
    shape: str,
    intercept: str,
    table: ShapeProducts,
    means: Complex[np.ndarray, "windows heads products"],
    windows: Sequence[int],
) -> Coefficients:
    """A shape's coefficients from some windows.

    Args:
        shape: of `SHAPES`.
        intercept: of `INTERCEPTS`.
        table: of `shape_products`, not centred.
        means: mean query times conjugate mean key of every window, in the layer's scale: one a pair, then what no
            rotation touches.
        windows: those to fit on, or to take means from.
    """
    pairs = (table.functions.shape[0] - len(_FUNCTIONS)) // 2
    mean = means[list(windows)].mean(axis=0)
    mu, nu = mean[:, :pairs].real, -mean[:, :pairs].imag
    found = np.zeros((len(mean), table.functions.shape[0]))
    if shape in (PLUG_IN, EVERY_PAIR):
        if shape == PLUG_IN:
            mu, nu = (np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape) for x in (mu, nu))
        found[:, len(_FUNCTIONS) :] = np.concatenate([mu, nu], axis=1)
    if intercept == INTERCEPTS[2]:  # what no rotation touches has no distance: its own mean is its prediction
        found[:, 0] = mean[:, pairs:].real.sum(axis=1)
    chosen = [_FUNCTIONS.index(name) for name in _FITS[shape]]
    chosen += [0] if intercept != INTERCEPTS[2] else []
    if not chosen:
        return found
    target = table.mixed[:, list(windows)].mean(axis=1)[:, chosen] - (found @ table.functions)[:, chosen]
    gram = table.functions[np.ix_(chosen, chosen)]
    size = np.sqrt(np.diagonal(gram))  # functions of very different sizes, brought to one
    inverse = np.linalg.pinv(gram / np.outer(size, size), hermitian=True, rcond=1e-12) / np.outer(size, size)
    found[:, chosen] += target @ inverse
    return found


def left_over(
    table: ShapeProducts, of: Coefficients, windows: Sequence[int]
) -> Float[np.ndarray, "heads windows windows"]:
    """Inner products of what a prediction leaves of the curves of some windows.

    Args:
        table: of `shape_products`; centred if the prediction's level is not to count.
        of: coefficients of the prediction.
        windows: those to score.
    """
    chosen = list(windows)
    whole = table.windows[:, chosen][:, :, chosen]
    mixed = np.einsum("hwf,hf->hw", table.mixed[:, chosen], of)
    predicted = np.einsum("hf,fg,hg->h", of, table.functions, of)
    return whole - mixed[:, :, None] - mixed[:, None, :] + predicted[:, None, None]


def log_slopes(table: ShapeProducts) -> Float[np.ndarray, "heads windows"]:
    """Slope of every window's mean score against ln(distance), an intercept fitted."""
    centred, log = table.centred, _FUNCTIONS.index("log")
    return centred.mixed[..., log] / centred.functions[log, log]


def fitted_mean(of: Coefficients) -> Float[np.ndarray, " heads"]:
    """The mu_0 that was fitted, in the scale of the scores: coefficient of the sum of cosines."""
    return of[:, _FUNCTIONS.index("cos")]
