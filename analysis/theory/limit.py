"""RoPE's distance bias in the limit of many pairs: cosine and sine integrals, and how far C_D, S_D are off.

C_D is half a left Riemann sum of f(x) = cos(z base^-x) over [0, 1] with D/2 panels, where z is the angle of
the fastest pair in radians. With t = z base^-x its limit becomes (Ci(z) - Ci(z/base)) / (2 ln base), and that
of S_D the same with Si (Wang et al. 2025, arXiv 2509.12635, eqs 42, 52 and 62).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64
from scipy.special import sici

from analysis.theory.bias import FAR, Distance, angle_unit, blocks, checked_distance
from analysis.theory.rotation import check_above, check_even

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
    """Limit of S_D for D -> infinity, (Si(z) - Si(z/base)) / (2 ln base), odd in distance: `cos_limit`."""
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
