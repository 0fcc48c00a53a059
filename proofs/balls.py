"""Balls: exact input, one precision, comparisons with three answers, and evidence that states its radius.

Arithmetic is that of python-flint: an `arb` is a ball that contains the exact value, whatever was rounded on
the way. Two traps are closed here. `not (x <= b)` is true for balls that overlap, so nothing in the ledger
negates a comparison: `less` answers True, False or None. And `arb(0.1)` is the float nearest to 0.1, so
`ball` takes integers, fractions and decimal text, and refuses floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import flint
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict

PRECISION = 128  # bits every check starts from
Real = int | str | Fraction | arb


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at `bits` bits inside the `with` block; the old precision comes back however it ends.

    The precision belongs to the whole process: do not change it from two threads. A generator that yields
    inside the block lends its precision to its consumer, so compute first, leave the block, then yield.
    """
    if bits < 2:
        raise InputError(f"precision={bits} bits; at least 2 are needed, {PRECISION} is usual")
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def ball(x: Real) -> arb:
    """The ball of an exact real: int, Fraction, text ("0.1", "1/3", "5e5") or ball. Floats: `InputError`.

    >>> radius(ball(1) / 3) < 1e-15, radius(ball(1))
    (True, 0.0)
    """
    if isinstance(x, arb):
        return x
    if isinstance(x, str):
        try:
            x = Fraction(x)
        except ValueError:
            raise InputError(f"{x!r} is no exact number; write '0.1', '1/3' or '5e5'") from None
    if isinstance(x, Fraction):
        return arb(flint.fmpq(x.numerator, x.denominator))
    if isinstance(x, int) and not isinstance(x, bool):
        return arb(flint.fmpz(x))
    raise InputError(
        f"{x!r} is a {type(x).__name__}; give an int, Fraction or text, or dyadic(x) for a float's own value"
    )


def dyadic(x: float) -> arb:
    """The exact binary value of a finite float, as a ball of radius 0; `InputError` otherwise."""
    if not math.isfinite(x):
        raise InputError(f"{x} is not finite; a ball around it would certify nothing")
    return arb(x)


def hull(lo: Real, hi: Real) -> arb:
    """The smallest ball found that contains every real from `lo` to `hi` (either order)."""
    return ball(lo).union(ball(hi))


def radius(x: arb) -> float:
    """Radius of a ball as a float, rounded up; infinite or NaN for a ball that says nothing."""
    value = float(x.rad())
    return math.nextafter(value, math.inf) if value > 0 else value


def text(x: arb, digits: int = 12) -> str:
    """A ball as "[midpoint +/- radius]" with at most `digits` digits; the text encloses the ball.

    >>> text(ball(2).sqrt(), 6)
    '[1.41421 +/- 3.57e-6]'
    """
    return x.str(digits)


def less(a: Real, b: Real) -> bool | None:
    """Is a < b? True if so for all reals in the two balls, False if for none, None if they overlap.

    >>> less(ball(1), ball(2)), less(ball(1), ball(1))
    (True, False)
    """
    a, b = ball(a), ball(b)
    if a < b:
        return True
    return False if a >= b else None


def at_most(a: Real, b: Real) -> bool | None:
    """Is a <= b? True, False or None, as `less`."""
    a, b = ball(a), ball(b)
    if a <= b:
        return True
    return False if a > b else None


def sign(x: Real) -> int | None:
    """1, -1 or 0 where the ball decides it (0 for the exact zero only), else None."""
    value = ball(x)
    if value > 0:
        return 1
    if value < 0:
        return -1
    return 0 if value.is_zero() else None


def verdict(answer: bool | None) -> Verdict:
    """CERTIFIED, REFUTED or UNKNOWN for the True, False or None of a comparison."""
    if answer is None:
        return Verdict.UNKNOWN
    return Verdict.CERTIFIED if answer else Verdict.REFUTED


def below(what: str, left: Real, right: Real, *, strict: bool = True) -> Evidence:
    """Evidence for `left < right` (`<=` if not strict): three answers, and the wider ball's radius."""
    left, right = ball(left), ball(right)
    answer = less(left, right) if strict else at_most(left, right)
    sign_ = "<" if strict else "<="
    return Evidence(
        what,
        verdict(answer),
        computed=text(left),
        predicted=f"{sign_} {text(right)}",
        radius=max(radius(left), radius(right)),
        precision=f"{flint.ctx.prec} bit ball",
    )


def equal_within(what: str, left: Real, right: Real, tolerance: Real) -> Evidence:
    """Evidence that |left - right| < tolerance; balls never prove equality, and `what` says how near."""
    one, other = ball(left), ball(right)
    found = below(what, abs(one - other), tolerance)
    return Evidence(
        f"{what}, to {text(ball(tolerance), 3)}",
        found.verdict,
        computed=text(one),
        predicted=text(other),
        radius=max(radius(one), radius(other)),
        precision=found.precision,
    )
