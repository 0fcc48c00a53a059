"""Certified numbers of the ledger: RoPE's sums, the cosine and sine integrals, integrals and tails.

Every argument may be a ball, so a whole interval is bounded at once. `turns=True` is v1's angle
2 pi lambda theta_d; `turns=False` the deployed lambda theta_d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from flint import acb, arb, ctx, fmpz

from analysis.errors import InputError
from proofs.balls import Real, ball, less, sign, text


@dataclass(frozen=True)
class RopeSums:
    """C_D and S_D (eq 24) for one head dimension and one base, with their slopes; frequencies are made once.

    Build it with `RopeSums.of`. `omega` holds one ball per pair in rad/token, `inverse_base` is theta_0.
    """

    head_dim: int
    omega: tuple[arb, ...]
    inverse_base: arb

    @classmethod
    def of(
        cls, head_dim: int, *, base: Real | None = None, inverse_base: Real | None = None, turns: bool = True
    ) -> RopeSums:
        """Sums for `base` or for `inverse_base` (exactly one; an interval of them if it is a wide ball).

        Raises `InputError` for an odd head_dim and unless theta_0 = 1/base is certainly in (0, 1).
        """
        if head_dim < 2 or head_dim % 2:
            raise InputError(f"head_dim={head_dim} is odd or below 2; RoPE rotates pairs")
        theta = _inverse(base, inverse_base)
        middle, spread = theta.mid().man_exp(), theta.rad().man_exp()
        return cls(head_dim, _frequencies(head_dim, middle, spread, turns, ctx.prec), theta)

    def cos(self, distance: Real) -> arb:
        """C_D = (1/D) sum_d cos(distance omega_d)."""
        lam = ball(distance)
        return _sum((lam * w).cos() for w in self.omega) / self.head_dim

    def sin(self, distance: Real) -> arb:
        """S_D = (1/D) sum_d sin(distance omega_d)."""
        lam = ball(distance)
        return _sum((lam * w).sin() for w in self.omega) / self.head_dim

    def cos_slope(self, distance: Real) -> arb:
        """Derivative of C_D in the distance: -(1/D) sum_d omega_d sin(distance omega_d)."""
        lam = ball(distance)
        return -_sum(w * (lam * w).sin() for w in self.omega) / self.head_dim

    def sin_slope(self, distance: Real) -> arb:
        """Derivative of S_D in the distance: (1/D) sum_d omega_d cos(distance omega_d)."""
        lam = ball(distance)
        return _sum(w * (lam * w).cos() for w in self.omega) / self.head_dim

    def cos_slope_inverse_base(self, distance: Real) -> arb:
        """Derivative of C_D in theta_0, from d omega_d / d theta_0 = (2d/D) omega_d / theta_0."""
        lam = ball(distance)
        return -lam * _sum(w * k * (lam * w).sin() for k, w in self._weighted()) / self.head_dim

    def sin_slope_inverse_base(self, distance: Real) -> arb:
        """Derivative of S_D in theta_0."""
        lam = ball(distance)
        return lam * _sum(w * k * (lam * w).cos() for k, w in self._weighted()) / self.head_dim

    def _weighted(self) -> list[tuple[arb, arb]]:
        """Pairs ((2d/D) / theta_0, omega_d)."""
        return [(arb(2 * d) / self.head_dim / self.inverse_base, w) for d, w in enumerate(self.omega)]

    def gamma(self, distance: Real, mu: Real, nu: Real) -> arb:
        """Gamma = mu C_D + nu S_D (eq 17), the expected score over sqrt(D)."""
        mu, nu = ball(mu), ball(nu)
        if nu.is_zero():
            return mu * self.cos(distance)
        lam, sines, cosines = ball(distance), arb(0), arb(0)
        for w in self.omega:
            sine, cosine = (lam * w).sin_cos()
            sines, cosines = sines + sine, cosines + cosine
        return mu * (cosines / self.head_dim) + nu * (sines / self.head_dim)


def cos_sum(
    distance: Real,
    head_dim: int,
    *,
    base: Real | None = None,
    inverse_base: Real | None = None,
    turns: bool = True,
) -> arb:
    """C_D(distance); for many distances at one base build `RopeSums.of` once."""
    return RopeSums.of(head_dim, base=base, inverse_base=inverse_base, turns=turns).cos(distance)


def sin_sum(
    distance: Real,
    head_dim: int,
    *,
    base: Real | None = None,
    inverse_base: Real | None = None,
    turns: bool = True,
) -> arb:
    """S_D(distance)."""
    return RopeSums.of(head_dim, base=base, inverse_base=inverse_base, turns=turns).sin(distance)


def cos_slope(
    distance: Real,
    head_dim: int,
    *,
    base: Real | None = None,
    inverse_base: Real | None = None,
    turns: bool = True,
) -> arb:
    """Derivative of C_D in the distance, per token."""
    return RopeSums.of(head_dim, base=base, inverse_base=inverse_base, turns=turns).cos_slope(distance)


def sin_slope(
    distance: Real,
    head_dim: int,
    *,
    base: Real | None = None,
    inverse_base: Real | None = None,
    turns: bool = True,
) -> arb:
    """Derivative of S_D in the distance, per token."""
    return RopeSums.of(head_dim, base=base, inverse_base=inverse_base, turns=turns).sin_slope(distance)


def ci(x: Real) -> arb:
    """Cosine integral Ci on a positive ball: `arb.ci` intersected with the mean-value form, Ci' = cos x/x."""
    x = ball(x)
    return _mean_value(x, arb.ci, lambda y: y.cos() / y)


def si(x: Real) -> arb:
    """Sine integral Si on a ball, Si' = sin(x)/x."""
    x = ball(x)
    return _mean_value(x, arb.si, arb.sinc)


def ci_tail(x: Real) -> arb:
    """A ball that contains Ci(y) for every y >= x > 0, namely 0 +/- 1/x.

    Proof. -Ci(y) + i (Si(y) - pi/2) = int_y^inf e^{-it}/t dt = E_1(iy). Turning the path to iy + s, s >= 0
    (the arc at infinity adds nothing: the integrand decays there), E_1(iy) = int_0^inf e^{-iy-s}/(iy+s) ds,
    and |iy+s| >= y, so |E_1(iy)| <= (1/y) int_0^inf e^{-s} ds = 1/y. Real and imaginary part are no larger,
    and 1/y <= 1/x.
    """
    bound = 1 / _positive(x)
    return (-bound).union(bound)


def si_tail(x: Real) -> arb:
    """A ball that contains Si(y) for every y >= x > 0: pi/2 +/- 1/x, by the proof of `ci_tail`."""
    return arb.pi() / 2 + ci_tail(x)


def cos_integral(lo: Real, hi: Real, *, turns: bool = True) -> arb:
    """The integral of cos(w y)/y over [lo, hi], 0 < lo, hi, with w = 2 pi (turns) or 1 (eqs 52, 70)."""
    w = 2 * arb.pi() if turns else arb(1)
    return ci(w * _positive(hi)) - ci(w * _positive(lo))


def sin_integral(lo: Real, hi: Real, *, turns: bool = True) -> arb:
    """The integral of sin(w y)/y over [lo, hi], with w = 2 pi (turns) or 1 (eq 62)."""
    w = 2 * arb.pi() if turns else arb(1)
    return si(w * ball(hi)) - si(w * ball(lo))


def cos_limit(
    distance: Real, *, base: Real | None = None, inverse_base: Real | None = None, turns: bool = True
) -> arb:
    """Limit of C_D as D -> infinity at a fixed base: (1/2) int_0^1 cos(w lambda theta_0^x) dx (eqs 42, 52).

    The substitution y = lambda theta_0^x makes it (1/2L) int cos(w y)/y dy over [lambda theta_0, lambda],
    lambda > 0; at 0 it is 1/2.
    """
    theta, lam = _inverse(base, inverse_base), abs(ball(distance))
    if lam.is_zero():
        return arb(1) / 2
    return cos_integral(lam * theta, lam, turns=turns) / (-2 * theta.log())


def sin_limit(
    distance: Real, *, base: Real | None = None, inverse_base: Real | None = None, turns: bool = True
) -> arb:
    """Limit of S_D as D -> infinity at a fixed base (eq 62); odd in the distance."""
    theta, lam = _inverse(base, inverse_base), ball(distance)
    return sin_integral(lam * theta, lam, turns=turns) / (-2 * theta.log())


def integrate(f: Callable[[acb, bool], acb], lo: Real, hi: Real) -> arb:
    """A ball that contains the integral of f over [lo, hi] (Petras's algorithm in Arb).

    `f(z, analytic)` must answer a non-finite ball when `analytic` is true and f is not analytic on z:
    forward the flag to `z.sqrt(analytic=analytic)`, `z.log(analytic=analytic)`, ...; a meromorphic f may
    ignore it. `ArithmeticError` if the result is not finite or not real.
    """
    found = acb.integral(f, acb(ball(lo)), acb(ball(hi)))
    if not found.is_finite() or not found.imag.contains(0):
        raise ArithmeticError(f"the integral over [{text(ball(lo))}, {text(ball(hi))}] came out as {found}")
    return found.real


def _inverse(base: Real | None, inverse_base: Real | None) -> arb:
    """theta_0 from exactly one of base and inverse_base; `InputError` unless it is certainly in (0, 1)."""
    if (base is None) == (inverse_base is None):
        raise InputError(f"base={base}, inverse_base={inverse_base}: give exactly one of them")
    theta = ball(inverse_base) if inverse_base is not None else 1 / ball(base if base is not None else 1)
    if less(0, theta) is not True or less(theta, 1) is not True:
        raise InputError(f"inverse_base={text(theta)} is not certainly in (0, 1)")
    return theta


def _positive(x: Real) -> arb:
    value = ball(x)
    if sign(value) != 1:
        raise InputError(f"{text(value)} is not certainly positive; Ci and its tail are used on x > 0")
    return value


@lru_cache(maxsize=1024)
def _frequencies(
    head_dim: int, middle: tuple[fmpz, fmpz], spread: tuple[fmpz, fmpz], turns: bool, _bits: int
) -> tuple[arb, ...]:
    """The angle of each pair a token, theta_0 being the ball of this middle and radius, at a precision of `_bits`."""
    log = arb(middle, spread).log()
    scale = 2 * arb.pi() if turns else arb(1)
    return tuple(scale * (log * 2 * d / head_dim).exp() if d else scale for d in range(head_dim // 2))


def _sum(terms: object) -> arb:
    return sum(terms, arb(0))  # type: ignore[call-overload]


def _mean_value(x: arb, f: Callable[[arb], arb], slope: Callable[[arb], arb]) -> arb:
    plain, middle = f(x), x.mid()
    if 2 * x.rel_accuracy_bits() >= ctx.prec:  # narrow: the other form gains a bit at most
        return plain
    mean = f(middle) + slope(x) * (x - middle)
    if not plain.is_finite() or not mean.is_finite():
        return plain if plain.is_finite() else mean
    return plain.intersection(mean)
