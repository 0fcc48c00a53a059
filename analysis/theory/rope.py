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
from jaxtyping import Complex128, Float, Float64, Real
from scipy.special import sici

from analysis.errors import InputError
from analysis.settings import check_above, check_even
from analysis.theory import frequencies
from analysis.theory.frequencies import plain

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

    >>> expected_score(np.array([0, 1, -1]), plain(1e4, 4).omega, 1.0, 0.5, scale=0.25).round(4)  # distances 0, 1, -1
    array([0.5   , 0.4915, 0.2786])
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

    >>> expected_score_curve(4, plain(1e4, 4).omega, 1.0, 0.0, scale=0.25).round(4)  # distances 0 .. 3
    array([0.5   , 0.3851, 0.1459, 0.0024])
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

    >>> cos_sum(np.array([0, 1000]), 1e4, 128).round(4)  # 1/2 at distance 0, less far away
    array([0.5   , 0.0795])
    """
    return gamma(distance, base, head_dim, 1.0, 0.0, turns=turns)


def sin_sum(
    distance: Distance, base: float, head_dim: int, *, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """S_D(distance) = (1/D) sum_d sin(distance omega_d): see `cos_sum`.

    >>> sin_sum(np.array([-10, 10]), 1e4, 128).round(4)  # odd in the distance
    array([-0.087,  0.087])
    """
    return gamma(distance, base, head_dim, 0.0, 1.0, turns=turns)


def gamma(
    distance: Distance, base: float, head_dim: int, mu: PerPair, nu: PerPair, *, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """Gamma = mu C_D + nu S_D, the expected score over sqrt(D) (Wang et al. 2025, eq 17); see `cos_sum`.

    With one mu and nu per pair, (1/D) sum_d [mu_d cos + nu_d sin]. Raises `InputError` as `expected_score`.

    >>> gamma(np.array([1, 1000]), 1e4, 128, mu=1.0, nu=0.0).round(4)  # score over sqrt(D)
    array([0.4851, 0.0795])
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

    >>> float(near_far_gap(1, 10_000, 1e4, 128, 1.0, 0.0).round(4))  # > 0: near keys are favoured
    0.4991
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

    >>> round(mean_gap((0, 100), (10_000, 10_100), 1e4, 128, 1.0, 0.0), 4)  # the paper's figure 1
    0.2801
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


# RoPE's distance bias in the limit of many pairs: cosine and sine integrals, and how far C_D, S_D are off.
#
# C_D is half a left Riemann sum of f(x) = cos(z base^-x) over [0, 1] with D/2 panels, where z is the angle
# of the fastest pair in radians. With t = z base^-x its limit becomes (Ci(z) - Ci(z/base)) / (2 ln base),
# and that of S_D the same with Si (Wang et al. 2025, arXiv 2509.12635, eqs 42, 52 and 62).


_CIN_SERIES = [0.0] + [(-1) ** (k + 1) / (2 * k * math.factorial(2 * k)) for k in range(1, 10)]


def cos_limit(
    distance: Distance, base: float, *, head_dim: int | None = None, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """Limit of C_D for D -> infinity: (1/2) int_0^1 cos(z base^-x) dx, even in distance, 1/2 at distance 0.

    z = distance, or 2 pi distance with `turns`. With `head_dim`, adds what separates the left Riemann sum
    from the trapezoidal one, (cos z - cos(z/base)) / (2 D), the first term of Euler-Maclaurin: closer to C_D
    where the panels resolve the oscillation. Rounding: below 1e-15 (1 + 1/ln base) at every distance, and
    another 2^-52 |z| / D with `head_dim`. `limit_error` bounds the difference from C_D.

    Raises:
        InputError: base <= 1, head_dim odd or < 2, or a distance that is not finite or beyond 1e300.

    >>> cos_limit(np.array([0, 1000]), 1e4).round(4), cos_sum(np.array([0, 1000]), 1e4, 2**14).round(4)
    (array([0.5   , 0.0938]), array([0.5   , 0.0938]))
    """
    fast = np.abs(_fastest_angle(distance, base, turns))
    slow, unit = fast / base, 2 * math.log(base)
    # up to 1 through Cin(z) = gamma + ln z - Ci(z), which has no logarithm to cancel
    near = 0.5 - (_cin_series(np.minimum(fast, 1.0)) - _cin_series(np.minimum(slow, 1.0))) / unit
    safe_fast, safe_slow = (np.where(fast > 1, angle, 1.0) for angle in (fast, slow))
    limit = np.where(fast > 1, (sici(safe_fast)[1] - sici(safe_slow)[1]) / unit, near)
    return np.asarray(limit + _endpoint_term(np.cos(fast) - np.cos(slow), head_dim))


def sin_limit(
    distance: Distance, base: float, *, head_dim: int | None = None, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """Limit of S_D for D -> infinity, (Si(z) - Si(z/base)) / (2 ln base), odd in distance: `cos_limit`.

    >>> sin_limit(np.array([-10, 10]), 1e4).round(4)
    array([-0.09,  0.09])
    """
    fast = _fastest_angle(distance, base, turns)
    slow = fast / base
    limit = (sici(fast)[0] - sici(slow)[0]) / (2 * math.log(base))
    return np.asarray(limit + _endpoint_term(np.sin(fast) - np.sin(slow), head_dim))


def limit_error(
    distance: Distance, base: float, head_dim: int, *, corrected: bool = False, turns: bool = False
) -> Float64[np.ndarray, "*n"]:
    """A bound of |C_D - cos_limit| and of |S_D - sin_limit|; of the limits with `head_dim` if `corrected`.

    It holds for every phase: |Gamma - its limit| <= sqrt(mu^2 + nu^2) times it. It bounds the exact
    difference and leaves out float64 rounding. Panel j, of width h = 2/D, runs from angle t_j = z base^(-jh)
    down to t_{j+1}; with s = h ln base and delta = t_j - t_{j+1} its share is at most h/2 times the least of
    - left rule: the chord 2 sin(delta/2) of the arc that the integrand covers, or 2 beyond half a circle;
    - trapezoidal rule: delta/2 (first derivative), s delta sqrt(1 + t_j^2) / 8 (second derivative, the kernel
      of the rule being at most h^2/8);
    - either rule: 1 + 2 / (s t_{j+1}), the value taken plus the integral by the second mean value theorem.

    Raises:
        InputError: as `cos_limit`.
    """
    check_even("head_dim", head_dim)
    angle = np.abs(_fastest_angle(distance, base, turns))
    flat, bound = angle.ravel(), np.empty(angle.size)
    log_width = 2 * math.log(base) / head_dim
    edges = np.exp(-log_width * np.arange(head_dim // 2 + 1))
    for block in blocks(flat.size, head_dim // 2):
        shares = _panel_errors(flat[block, None] * edges, log_width, corrected)
        bound[block] = shares.sum(axis=1) / head_dim
    return bound.reshape(angle.shape)


def _panel_errors(edges: np.ndarray, log_width: float, corrected: bool) -> np.ndarray:
    """Error of each panel over h/2, from its edges t_0 > t_1 > ... (rows: distances)."""
    upper, lower = edges[:, :-1], edges[:, 1:]
    arc = upper * -math.expm1(-log_width)
    if corrected:
        smooth = np.minimum(arc / 2, log_width * arc * np.sqrt(1 + upper**2) / 8)
    else:
        smooth = 2 * np.sin(np.minimum(arc, math.pi) / 2)
    with np.errstate(divide="ignore", over="ignore"):  # distance 0 or nearly: no bound from this side
        rough = 1 + 2 / (log_width * lower)
    return np.minimum(smooth, rough)


def _fastest_angle(distance: Distance, base: float, turns: bool) -> Float64[np.ndarray, "*n"]:
    check_above("base", base, 1)
    return np.asarray(checked_distance(distance, FAR) * angle_unit(turns))


def _endpoint_term(difference: np.ndarray | np.float64, head_dim: int | None) -> np.ndarray | float:
    """(f(0) - f(1)) / (2 D): half the left Riemann sum minus half the trapezoidal one."""
    if head_dim is None:
        return 0.0
    check_even("head_dim", head_dim)
    return difference / (2 * head_dim)


def _cin_series(z: np.ndarray | np.float64) -> np.ndarray | np.float64:
    """Cin(z) = int_0^z (1 - cos t) / t dt for 0 <= z <= 1: 1e-17 from the power series."""
    return np.polynomial.polynomial.polyval(z * z, _CIN_SERIES)


MOST_POINTS = 2**20
MOST_LOG_BASE = 709.0  # exp(709.8) overflows
Distances = Float[np.ndarray, " distances"]


def spread_distances(longest: float, count: int) -> Distances:
    """About `count` different whole distances 1 .. longest, evenly spread on a logarithmic axis.

    Raises:
        InputError: unless longest is whole and in 1 .. 2^53 (beyond it float64 skips integers), and count is
            in 2 .. 2^20.

    >>> spread_distances(1000, 4)  # tokens
    array([   1.,   10.,  100., 1000.])
    """
    if not 1 <= longest <= MAX_DISTANCE or longest != math.floor(longest):
        most = f"{MAX_DISTANCE:.16g}"
        raise InputError(f"longest distance {longest:.17g} is not a whole number of tokens in 1 .. {most}")
    if not 2 <= count <= MOST_POINTS:
        raise InputError(f"points={count} is outside 2 .. {MOST_POINTS}")
    return np.unique(np.round(np.geomspace(1, longest, count)))


def gamma_of(
    frequencies: frequencies.Frequencies, distance: Distances, *, mu: float = 1.0, nu: float = 0.0
) -> Float[np.ndarray, " distances"]:
    """Expected score over sqrt(D) of any rotary encoding (eq 17): the paper's Gamma with one mu_0 and nu_0.

    The attention factor enters squared; dimensions that are not rotated keep their mu_0 at every distance.
    """
    D = frequencies.head_dim
    still = (D - frequencies.rotary_dim) / 2 * mu / D
    scale = frequencies.attention_factor**2 / D
    return still + expected_score(
        distance, frequencies.omega, mu, nu, scale=scale, log_decay=frequencies.log_decay
    )


def gamma_limit(
    frequencies: frequencies.Frequencies, distance: Distances, *, mu: float = 1.0, nu: float = 0.0
) -> Float[np.ndarray, " distances"] | None:
    """`gamma` for infinitely many pairs, by cosine and sine integrals; None where there is no such form.

    It exists where the moving pairs are a falling geometric sequence c r^d, r < 1: plain RoPE, position interpolation,
    both NTK forms, partial rotation and p-RoPE. YaRN, Llama 3 and LongRoPE bend the sequence, xPos decays.

    Raises:
        InputError: r^-pairs, the base of the sequence, is beyond float64.

    >>> gamma_limit(plain(1e4, 128), np.array([1.0, 100.0])).round(4)
    array([0.487 , 0.2184])
    """
    moving = frequencies.omega[frequencies.omega > 0]
    if frequencies.log_decay is not None or len(moving) < 2:
        return None
    ratio = moving[:-1] / moving[1:]
    if not ratio[0] > 1 or not np.allclose(ratio, ratio[0], rtol=1e-9):
        return None
    log_base = len(moving) * math.log(ratio[0])
    if log_base > MOST_LOG_BASE:
        raise InputError(f"base exp({log_base:.4g}) of the sequence is beyond float64; lower base or factor")
    base, angle = float(ratio[0] ** len(moving)), moving[0] * distance
    share = 2 * len(moving) / frequencies.head_dim
    resting = (frequencies.rotary_dim - 2 * len(moving)) / 2 * frequencies.attention_factor**2
    still = (resting + (frequencies.head_dim - frequencies.rotary_dim) / 2) * mu / frequencies.head_dim
    wave = mu * cos_limit(angle, base) + nu * sin_limit(angle, base)
    return still + share * frequencies.attention_factor**2 * wave
