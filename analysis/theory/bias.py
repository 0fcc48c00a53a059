"""RoPE's distance bias in closed form: the expected score against distance, exactly, and near-far gaps.

A pair that rotates by omega rad/token contributes mu cos(distance omega) + nu sin(distance omega) to the
expected score, where mu = E A and nu = E B of that pair (Wang et al. 2025, arXiv 2509.12635, eqs 3 and 5).
Every function here is a weighted sum of the complex rotations exp(i distance omega).

Accuracy. With u = 2^-53, rounding distance * omega alone moves a phase by up to u |distance omega|, that is
1e-10 rad at 2^20 tokens. The rounding error of that product is a float64 itself; the rotations are corrected
by it and so are right to a few u at any distance, for the float64 omega given. Angle addition multiplies four
such rotations, which adds a few u: it is far more accurate than a plain float64 table of cos(distance omega).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex128, Float64, Real

from analysis.errors import InputError
from analysis.theory.rotation import plain

Distance = Real[np.ndarray, "..."] | float | int
PerPair = Real[np.ndarray, " _"] | float | int
"""One value for all pairs, or one per pair; the length is checked here, in words that name both lengths."""

MAX_DISTANCE = 2.0**53  # of a finite sum: beyond it float64 skips integers
FAR = 1e300  # of limits and bounds, which need no phase: no overflow below it
_MAX_LOG_GROWTH = 700.0  # exp(709.8) overflows
_SMALL_PHASE = 2.0**26  # below it the rounding error r of a phase has r^2 / 2 < 2^-55: first order is enough
_BLOCK = 2**17  # rotations held at a time: 2 MB


def expected_score(
    distance: Distance,
    omega: Float64[np.ndarray, " pairs"],
    mu: PerPair,
    nu: PerPair,
    *,
    scale: float = 1.0,
    log_decay: PerPair | None = None,
) -> Float64[np.ndarray, "*n"]:
    """scale * sum_d [mu_d cos(distance omega_d) + nu_d sin(distance omega_d)] at any real, signed distances.

    The expectation of Wang et al. 2025, eq 3 (there scale = 1/sqrt(D)); one mu and one nu for every pair is
    their Assumption 2.1. With `log_decay`, pair d carries the factor exp(log_decay_d distance) of xPos (Sun
    et al. 2022, arXiv 2212.10554): it decays towards earlier keys (positive distances), grows towards later
    ones. Works block by block: memory is that of the result and a few MB.

    Absolute error below (2 pairs + 16) 2^-53 scale sum_d(|mu_d| + |nu_d|) without decay.

    Args:
        distance: query position minus key position, tokens, any shape; |distance| <= 2^53.
        omega: angular frequency of each pair, rad/token.
        mu, nu: E A_d and E B_d, a number or one per pair.
        scale: factor of the score.
        log_decay: natural log of the decay per token of each pair, <= 0.

    Raises:
        InputError: a value is not finite or out of range; mu, nu or log_decay of another length than omega.
    """
    lags = checked_distance(distance)
    omega, weights = _checked_pairs(omega, mu, nu, scale)
    decay = _checked_decay(log_decay, len(omega), float(lags.min(initial=0.0)))
    flat, score = lags.ravel(), np.empty(lags.size)
    for block in blocks(flat.size, len(omega)):
        # [cos, sin] of each pair, interleaved, against [mu, nu], interleaved
        score[block] = _rotations(flat[block], omega, decay).view(np.float64) @ weights.view(np.float64)
    return score.reshape(lags.shape)


def expected_score_curve(
    length: int,
    omega: Float64[np.ndarray, " pairs"],
    mu: PerPair,
    nu: PerPair,
    *,
    start: int = 0,
    scale: float = 1.0,
    log_decay: PerPair | None = None,
) -> Float64[np.ndarray, " length"]:
    """`expected_score` at the distances start, start + 1, ..., start + length - 1, some hundred times faster.

    Angle addition: distance = start + a w + b with w about sqrt(length), so the curve is one real matrix
    product of a table over a with a table over b. Memory: the result, and 48 pairs sqrt(length) bytes or so.

    Absolute error below (2 pairs + 32) 2^-53 scale sum_d(|mu_d| + |nu_d|) without decay: 2e-14 of that sum at
    64 pairs, at every distance. Raises `InputError` as `expected_score`, and for length < 1.
    """
    for name, value in (("length", length), ("start", start)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool):
            raise InputError(f"{name}={value!r} is not an integer; the curve runs over integer distances")
    if length < 1:
        raise InputError(f"length={length} leaves no distance; give 1 or more")
    checked_distance(np.array([start, start + length - 1], dtype=np.float64))
    omega, weights = _checked_pairs(omega, mu, nu, scale)
    decay = _checked_decay(log_decay, len(omega), min(0.0, float(start)))
    width = math.isqrt(length - 1) + 1
    rows = -(-length // width)
    fine = _regular_rotations(0, 1, width, omega, decay)
    # Re[(mu - i nu) z_a z_b] = Re(u) cos_b - Im(u) sin_b with u = (mu - i nu) z_a
    coarse = _regular_rotations(start, width, rows, omega, decay).conj() * weights
    product = coarse.view(np.float64) @ fine.view(np.float64).T
    return product.ravel()[:length]


def cos_sum(
    distance: Distance, base: float, head_dim: int, *, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """C_D(distance) = (1/D) sum_d cos(distance omega_d), in [-1/2, 1/2] (Wang et al. 2025, eq 24).

    omega_d is base^(-2d/D) rad/token as in every deployed model, or 2 pi times that with `turns`, as in the
    paper. Rounding omega_d to float64 moves the sum by at most 2e-16 |distance| (2 pi times that in turns).
    Raises `InputError` for base <= 1, head_dim odd or < 2, a distance not finite or beyond 2^53.
    """
    return gamma(distance, base, head_dim, 1.0, 0.0, turns=turns)


def sin_sum(
    distance: Distance, base: float, head_dim: int, *, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """S_D(distance) = (1/D) sum_d sin(distance omega_d): see `cos_sum`."""
    return gamma(distance, base, head_dim, 0.0, 1.0, turns=turns)


def gamma(
    distance: Distance, base: float, head_dim: int, mu: PerPair, nu: PerPair, *, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """Gamma = mu C_D + nu S_D, the expected score over sqrt(D) (Wang et al. 2025, eq 17); see `cos_sum`.

    With one mu and nu per pair, (1/D) sum_d [mu_d cos + nu_d sin]. Raises `InputError` as `expected_score`.
    """
    omega = plain(base, head_dim, turns=turns).omega
    return expected_score(distance, omega, mu, nu, scale=1 / head_dim)


def near_far_gap(
    near: Distance,
    far: Distance,
    base: float,
    head_dim: int,
    mu: PerPair,
    nu: PerPair,
    *,
    turns: bool = False,
) -> Float64[np.ndarray, "*n"]:
    """Gamma(near) - Gamma(far) for two broadcastable arrays of signed distances (Wang et al. 2025, eq 18).

    Raises `InputError` as `gamma`, and for shapes that do not broadcast.
    """
    at_near = gamma(near, base, head_dim, mu, nu, turns=turns)
    at_far = gamma(far, base, head_dim, mu, nu, turns=turns)
    try:
        return np.asarray(at_near - at_far)
    except ValueError as error:
        shapes = f"near of shape {at_near.shape}, far of shape {at_far.shape}"
        raise InputError(f"{shapes}: they do not broadcast; give one shape, or a number") from error


def mean_gap(
    near: tuple[int, int],
    far: tuple[int, int],
    base: float,
    head_dim: int,
    mu: PerPair,
    nu: PerPair,
    *,
    turns: bool = False,
) -> float:
    """Mean of Gamma over the integers of `near` minus its mean over those of `far`, both ends included.

    The paper's figure 1 takes near (0, 100) and far (10000, 10100) (Wang et al. 2025, appendix I).
    Raises `InputError` as `gamma`, and for a range whose first distance is above its last.
    """
    omega = plain(base, head_dim, turns=turns).omega
    means = []
    for name, (first, last) in (("near", near), ("far", far)):
        if not first <= last:
            raise InputError(f"{name}=({first}, {last}) holds no distance; give (first, last), first <= last")
        curve = expected_score_curve(last - first + 1, omega, mu, nu, start=first, scale=1 / head_dim)
        means.append(float(curve.mean()))
    return means[0] - means[1]


def angle_unit(turns: bool) -> float:
    """Radians per unit of angle: 2 pi for the paper's turns, otherwise 1."""
    return 2 * math.pi if turns else 1.0


def checked_distance(distance: Distance, limit: float = MAX_DISTANCE) -> Float64[np.ndarray, "*n"]:
    """Distances as float64; `InputError` names the first that is not finite or lies beyond +-limit."""
    return _checked_array("distance", distance, limit)


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices that cut `rows` into runs of about 2^17 / columns."""
    step = max(1, _BLOCK // columns)
    return (slice(first, first + step) for first in range(0, rows, step))


def _regular_rotations(
    first: int, step: int, count: int, omega: Float64[np.ndarray, " pairs"], decay: np.ndarray | None
) -> Complex128[np.ndarray, "count pairs"]:
    """`_rotations` at first + step * (0 .. count - 1), as products of two tables of sqrt(count) rows."""
    inner = math.isqrt(count - 1) + 1
    outer = -(-count // inner)
    fine = _rotations(float(step) * np.arange(inner), omega, decay)
    coarse = _rotations(first + float(step * inner) * np.arange(outer), omega, decay)
    return (coarse[:, None, :] * fine).reshape(-1, len(omega))[:count]


def _rotations(
    distance: Float64[np.ndarray, " n"], omega: Float64[np.ndarray, " pairs"], decay: np.ndarray | None
) -> Complex128[np.ndarray, "n pairs"]:
    """exp((decay + i omega) distance), each phase corrected by the rounding error of its own product."""
    phase, residue = _exact_product(distance[:, None], omega)
    cos, sin = np.cos(phase), np.sin(phase)
    large = np.abs(phase).max(initial=0.0) >= _SMALL_PHASE
    turn_cos, turn_sin = (np.cos(residue), np.sin(residue)) if large else (1.0, residue)
    rotations = np.empty(phase.shape, dtype=np.complex128)
    rotations.real = cos * turn_cos - sin * turn_sin
    rotations.imag = sin * turn_cos + cos * turn_sin
    if decay is not None:
        rotations *= np.exp(distance[:, None] * decay)
    return rotations


def _exact_product(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x y as an unevaluated sum of two float64, exact but for underflow (Dekker 1971)."""
    product = x * y
    x_high, x_low = _halves(x)
    y_high, y_low = _halves(y)
    return product, ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x = high + low with at most 26 bits each, so that products of halves are exact (Veltkamp 1968)."""
    shifted = x * (2.0**27 + 1)
    high = shifted - (shifted - x)
    return high, x - high


def _checked_pairs(
    omega: Float64[np.ndarray, " pairs"], mu: PerPair, nu: PerPair, scale: float
) -> tuple[Float64[np.ndarray, " pairs"], Complex128[np.ndarray, " pairs"]]:
    """omega as float64, and scale * (mu + i nu) per pair."""
    omega = _checked_array("omega", omega, limit=MAX_DISTANCE)
    if omega.ndim != 1 or not omega.size:
        raise InputError(f"omega of shape {omega.shape} is not a list of frequencies, one per pair")
    if not math.isfinite(scale):
        raise InputError(f"scale={scale} is not finite")
    weights = np.empty(len(omega), dtype=np.complex128)
    weights.real = scale * _per_pair("mu", mu, len(omega))
    weights.imag = scale * _per_pair("nu", nu, len(omega))
    return omega, weights


def _checked_decay(
    log_decay: PerPair | None, pairs: int, least_distance: float
) -> Float64[np.ndarray, " pairs"] | None:
    """log_decay per pair, refused if it is positive or overflows at the most negative distance."""
    if log_decay is None:
        return None
    decay = _per_pair("log_decay", log_decay, pairs)
    if decay.max() > 0:
        raise InputError(f"log_decay={decay.max()} is positive; a decay per token has a logarithm <= 0")
    growth = float(decay.min()) * min(least_distance, 0.0)
    if growth > _MAX_LOG_GROWTH:
        raise InputError(
            f"log_decay={decay.min()} at distance={least_distance} grows by exp({growth:.0f}), too much"
        )
    return decay


def _per_pair(name: str, value: PerPair, pairs: int) -> Float64[np.ndarray, " pairs"]:
    values = _checked_array(name, value, limit=FAR)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != pairs):
        raise InputError(
            f"{name} has shape {values.shape} but omega has {pairs} pairs; give a number or one per pair"
        )
    return np.broadcast_to(values, (pairs,))


def _checked_array(name: str, value: Distance, limit: float) -> np.ndarray:
    try:
        values = np.asarray(value).astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}={value!r} is not an array of real numbers") from error
    bad = values[~(np.isfinite(values) & (np.abs(values) <= limit))]
    if bad.size:
        raise InputError(f"{name}={bad.flat[0]} is not a number within +-{limit:.16g}")
    return values
