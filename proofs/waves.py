r"""The waves of appendices E and F as functions of a statement: printed as v1 has them, evaluated in balls.

theta_0 is the base's inverse, lambda the distance, c the unit of an angle: 2 pi in turns, 1 in radians. L, which
is |ln theta_0|, is an abbreviation that a statement explains (`LOG`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, equal_within
from proofs.checks import controlled
from proofs.exact import Enclosed, Expr, to_ball
from proofs.integrals import ci, si
from proofs.statements import TURN, Cosines, Sines, Variable

lam, theta, D, L, c, alpha = sp.symbols("lambda theta_0 D L c alpha", positive=True)
d = sp.Symbol("d", integer=True, nonnegative=True)
x, y = sp.symbols("x y", positive=True)
LOG = {L: -sp.log(theta)}
TENTH = sp.Rational(1, 10)
# the hypotheses of lemmas C.1 and C.2
SIZES = (
    Variable(theta, low=sp.Integer(0), high=TENTH),
    Variable(D, low=4 * L, even=True),
    Variable(lam, low=sp.Integer(1), cut=True),
)
ANY_BASE = Variable(theta, low=sp.Integer(0), high=sp.Integer(1))
ANY_DISTANCE = Variable(lam, low=sp.Integer(0))
ANY_FACTOR = Variable(c, low=sp.Integer(0))
SHARE = Variable(alpha, low=sp.Integer(0), high=sp.Integer(1))
INDEX = Variable(d, low=sp.Integer(0), high=D / 2 - 1, integer=True, closed=True)


class _OfWave(Enclosed):
    """What is made of a cosine or of a sine."""

    wave: ClassVar[Any] = sp.cos
    symbol: ClassVar[Any] = sp.Ci
    primitive: ClassVar[Any] = staticmethod(ci)

    @property
    def given(self) -> tuple[Any, ...]:
        """The arguments, as expressions."""
        return cast("tuple[Any, ...]", self.args)


class _OfSine:
    """What makes of a function of the cosine the same of the sine."""

    wave: ClassVar[Any] = sp.sin
    symbol: ClassVar[Any] = sp.Si
    primitive: ClassVar[Any] = staticmethod(si)


class CosinePiece(_OfWave):
    """The integral of cos(c y)/y over y: arguments its two ends, and c."""

    nargs = 3

    def _latex(self, printer: Any, **_: Any) -> str:
        low, high, unit = self.given
        inner = printer.doprint(unit * y)
        ends = rf"\int_{{{printer.doprint(low)}}}^{{{printer.doprint(high)}}}"
        return rf"{ends} \frac{{\{self.wave.__name__}({inner})}}{{y}}\,dy"

    @classmethod
    def enclosed(cls, *arguments: arb) -> arb:
        """By Ci or Si at both ends."""
        low, high, unit = arguments
        if (high - low).is_zero():
            return arb(0)  # which the difference of two balls encloses, and does not decide
        return cls.primitive(unit * high) - cls.primitive(unit * low)

    def integral(self) -> Expr:
        """The integral itself."""
        low, high, unit = self.given
        return sp.Integral(self.wave(unit * y) / y, (y, low, high))

    def closed(self) -> Expr:
        """By Ci or Si, in symbols."""
        low, high, unit = self.given
        return self.symbol(unit * high) - self.symbol(unit * low)


class SinePiece(_OfSine, CosinePiece):
    """The same of the sine."""


class CosineHalf(_OfWave):
    """Half the integral of cos(c lambda theta_0^x) over x from the first argument to 1; then lambda, theta_0 and c."""

    nargs = 4

    def _latex(self, printer: Any, **_: Any) -> str:
        low, distance, inverse_base, unit = self.given
        inner = printer.doprint(unit * distance * inverse_base**x)
        return rf"\frac{{1}}{{2}}\int_{{{printer.doprint(low)}}}^1 \{self.wave.__name__}({inner})\,dx"

    @classmethod
    def enclosed(cls, *arguments: arb) -> arb:
        """By Ci or Si of the phase at both ends."""
        low, distance, inverse_base, unit = arguments
        log, phase = inverse_base.log(), unit * distance
        ends = cls.primitive(phase * (log * low).exp()), cls.primitive(phase * inverse_base)
        return (ends[0] - ends[1]) / (-2 * log)

    def integral(self) -> Expr:
        """The integral itself."""
        low, distance, inverse_base, unit = self.given
        return sp.Integral(self.wave(unit * distance * inverse_base**x), (x, low, 1)) / 2

    def closed(self) -> Expr:
        """By Ci or Si, in symbols, L for |ln theta_0|."""
        low, distance, inverse_base, unit = self.given
        ends = (self.symbol(unit * distance * inverse_base**end) for end in (low, sp.Integer(1)))
        return (next(ends) - next(ends)) / (2 * L)


class SineHalf(_OfSine, CosineHalf):
    """The same of the sine."""


class CosineTerm(_OfWave):
    """Delta_d of eq 42: arguments d, D, lambda, theta_0 and c."""

    nargs = 5

    def _latex(self, printer: Any, **_: Any) -> str:
        return rf"\Delta_{{{printer.doprint(self.given[0])}}}"

    @classmethod
    def enclosed(cls, *arguments: arb) -> arb:
        """(2/D) f(2d/D) less the integral of f from 2d/D to 2(d+1)/D."""
        index, head_dim, distance, inverse_base, unit = arguments
        log, phase = inverse_base.log(), unit * distance
        low, high = (phase * (log * 2 * i / head_dim).exp() for i in (index, index + 1))
        value = low.cos() if cls.wave is sp.cos else low.sin()
        return value * 2 / head_dim + (cls.primitive(low) - cls.primitive(high)) / log

    def integral(self) -> Expr:
        """The integral that eq 42 defines it by."""
        index, head_dim, distance, inverse_base, unit = self.given
        start, end = 2 * index / head_dim, 2 * (index + 1) / head_dim

        def at(place: Expr) -> Expr:
            return self.wave(unit * distance * inverse_base**place)

        return sp.Integral(at(start) - at(x), (x, start, end))


class SineTerm(_OfSine, CosineTerm):
    """The same of the sine."""

    def _latex(self, printer: Any, **_: Any) -> str:
        return rf"\Delta^{{\sin}}_{{{printer.doprint(self.given[0])}}}"


TERMS: dict[str, Callable[..., Any]] = {"cos": CosineTerm, "sin": SineTerm}
PIECES: dict[str, Callable[..., Any]] = {"cos": CosinePiece, "sin": SinePiece}
HALVES: dict[str, Callable[..., Any]] = {"cos": CosineHalf, "sin": SineHalf}
SUMS: dict[str, Callable[..., Any]] = {"cos": Cosines, "sin": Sines}


def term(wave: str = "cos", unit: Expr = TURN, index: Expr = d) -> Any:
    """Delta_d."""
    return TERMS[wave](index, D, lam, theta, unit)


def delta_sum(first: Expr, last: Expr, wave: str = "cos", unit: Expr = TURN) -> Expr:
    """The sum of Delta_d over d from `first` to `last`."""
    return sp.Sum(term(wave, unit), (d, first, last))


def half_integral(wave: str = "cos", unit: Expr = TURN, low: Expr = 0) -> Any:
    """I/2 of eq 42, or its part from `low` on."""
    return HALVES[wave](low, lam, theta, unit)


def piece(low: Expr, high: Expr, wave: str = "cos", unit: Expr = TURN) -> Any:
    """The integral of cos(c y)/y from `low` to `high`, or that of sin."""
    return PIECES[wave](sp.sympify(low), sp.sympify(high), unit)


def by_primitives(expression: Expr) -> Expr:
    """Every such integral by Ci and Si."""
    found = sp.sympify(expression)
    return found.xreplace({one: one.closed() for one in found.atoms(CosinePiece, CosineHalf)})


def wave_sum(wave: str = "cos", unit: Expr = TURN) -> Expr:
    """C_D or S_D at lambda."""
    return SUMS[wave](D, 1 / theta, lam, unit)


def as_integrals(*functions: Any) -> Iterator[Evidence]:
    """Each function's ball, by Ci and Si, against Petras's algorithm on the integral that it is printed as."""
    at = {theta: ball(1) / 20, D: 12, lam: ball("9/4"), c: ball("5/3"), d: 2, x: 0}
    for function in functions:
        closed = to_ball(function, at).real
        what = (
            f"{sp.sstr(function)} at theta_0 = 1/20, D = 12, lambda = 9/4: closed form against its integral"
        )
        found, elsewhere = (
            equal_within(
                where, closed, to_ball(function.integral(), at | {lam: ball(distance)}).real, "1e-25"
            )
            for where, distance in ((what, "9/4"), ("its integral at lambda = 5/2", "5/2"))
        )
        yield controlled(found, elsewhere)
