r"""What the claims share: evidence from symbols, searches and forms, and the points and distances where it is sought.

- Evidence: `exact` and `tried` decide by symbols, `search` by balls at chosen points, `equality` by rewriting.
- Inequalities proved by their form: one in one variable by Taylor's theorem (`rises`), a rational one in positive
  symbols by the signs of its coefficients (`termwise`; `at_least` of two sides).
- `Point` refuses whatever does not meet the hypotheses of Lemmas C.1 and C.2; `Distances` bounds the expected score at
  whole ranges of integer distances by balls.

Angle conventions: `turns=True` is v1's angle 2 pi lambda theta_d, `turns=False` the deployed lambda theta_d.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import acb, arb, ctx
from sympy.core.function import AppliedUndef

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from proofs import exact as symbolic
from proofs.balls import Real, at_most, ball, below, less, radius, sign, text
from proofs.integrals import ci, cos_limit, cos_sum, si, sin_limit, sin_sum

BASES = (10_000, 100_000, 500_000, 1_000_000, 200_000_000, 4_000_000_000)
HEAD_DIMS = (64, 128, 256)
LONGEST = 2**20  # the longest context that the practice rows look at


def exact(what: str, holds: bool | None, computed: object, predicted: object) -> Evidence:
    """Evidence decided by symbols or integers: PROVED, REFUTED, or UNKNOWN where `holds` is None."""
    answer = Verdict.UNKNOWN if holds is None else Verdict.PROVED if holds else Verdict.REFUTED
    return Evidence(what, answer, computed=_written(computed), predicted=_written(predicted))


def instance(found: Evidence) -> Evidence:
    """The same fact as one case of a general step: beside a written proof it is a witness, without one support."""
    return replace(found, role=Role.INSTANCE)


def tried(what: str, survives: bool, computed: object, predicted: object) -> Evidence:
    """Evidence of an exact attempt to refute on samples: SUPPORTED if the claim survives, else REFUTED."""
    answer = Verdict.SUPPORTED if survives else Verdict.REFUTED
    return Evidence(what, answer, computed=_written(computed), predicted=_written(predicted))


def _written(value: object, plain: Callable[[object], str] = str) -> str:
    """As text that is the same at every run: a set, also in a row, has no order of its own; its members are sorted."""
    if isinstance(value, set | frozenset):
        members = sorted((_written(item) for item in value), key=lambda text: (len(text), text))
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_written(item, repr) for item in value)}]"
    if type(value) is tuple:  # a named one writes its names
        members = [_written(item, repr) for item in value]
        return f"({', '.join(members)}{',' if len(members) == 1 else ''})"
    return plain(value)


def equality(what: str, left: symbolic.Expr, right: symbolic.Expr) -> Evidence:
    """Evidence that two expressions are equal: `proofs.exact.identity`, with complex expansion tried first.

    A failure to simplify refutes nothing: REFUTED takes a point where balls show the two sides apart.
    """
    proved = exact(what, True, sp.sstr(left), sp.sstr(right))
    if (gap := sp.expand(left - right, complex=True)) == 0:
        return proved
    with suppress(InputError):  # as in `proofs.exact.identity`
        if (found := symbolic.refutation(left, right, what)) is not None:
            return found
    if symbolic.is_zero(gap) or sp.simplify(sp.expand_trig(sp.simplify(gap))) == 0:
        return proved
    return symbolic.identity(left, right, what)


def arrives(what: str, derived: symbolic.Expr, said: symbolic.Expr) -> Evidence:
    """Evidence that a derivation gives exactly what is said: PROVED, else UNKNOWN, as another one might give it."""
    found = equality(what, derived, said)
    return found if found.verdict is Verdict.PROVED else replace(found, verdict=Verdict.UNKNOWN)


def controlled(found: Evidence, *controls: Evidence) -> Evidence:
    """Evidence of a search beside the same search of what is known to be false; `InputError` unless it is refuted."""
    for control in controls:
        if control.verdict is not Verdict.REFUTED:
            raise InputError(f"{found.what}: its control is not refuted: {control.what}")
    return replace(found, control="; ".join(control.what for control in controls))


def refutes(wrong: Evidence) -> Evidence:
    """Evidence of an attack that states something false on purpose, nothing but a control; `InputError` as there."""
    return controlled(
        replace(wrong, what=f"false on purpose: {wrong.what}", verdict=Verdict.SUPPORTED), wrong
    )


# of a control that has three digits, rounded up: no less than 100/101 of it is meant
NARROW = Fraction(99, 100)


def search(
    what: str, cases: Iterable[tuple[str, Real]], *, strict: bool = True, control: Real | None = None
) -> Evidence:
    """Evidence from a search for a counterexample: each case is (where, margin), and the claim says margin > 0.

    SUPPORTED with the least margin if every ball is positive (or, not strict, nonnegative); REFUTED with the case if
    one is certainly not; UNKNOWN if the balls decide neither. `InputError` if there is no case: an empty search
    would support anything; and if the claim made stronger by `control`, which is false, is not refuted by a case, or
    made stronger by `NARROW` of it is refuted as well: so an error that makes margins larger is seen, and one that
    makes them smaller. Where the least margin is 0 itself, any control will do.
    """
    least: tuple[str, arb] | None = None
    count, undecided = 0, ""
    for where, margin in cases:
        count, value = count + 1, ball(margin)
        fails = value < 0 if strict is False else value <= 0
        if fails:
            return _found(what, Verdict.REFUTED, where, value)
        if not (value > 0 or (not strict and value >= 0)):
            undecided = where
        if least is None or less(value.mid(), least[1].mid()):
            least = (where, value)
    if least is None:
        raise InputError(f"{what}: the search has no case; a search of nothing supports nothing")
    if undecided:
        return exact(f"{what}, undecided at {undecided}", None, "a ball that contains 0", "> 0")
    found = _found(f"{what}, {count} cases", Verdict.SUPPORTED, f"least margin at {least[0]}", least[1])
    if control is None:
        return found
    lowered = least[1] - ball(control)
    answer = Verdict.REFUTED if lowered < 0 else Verdict.UNKNOWN
    if answer is Verdict.REFUTED and not (
        least[1].is_zero() or at_most(ball(NARROW) * ball(control), least[1])
    ):
        raise InputError(
            f"{what}: {text(ball(control), 4)} is no narrow control of the least margin {text(least[1], 4)}"
        )
    return controlled(found, _found(f"every margin less by {control}", answer, least[0], lowered))


def _found(what: str, verdict: Verdict, where: str, value: arb) -> Evidence:
    return Evidence(
        f"{what}: {where}",
        verdict,
        computed=text(value),
        predicted="> 0",
        radius=radius(value),
        precision=f"{ctx.prec} bit ball",
    )


def short(x: Real, digits: int = 5) -> float:
    """The midpoint of a ball to a few digits, for the rows of a practice table; never evidence."""
    return float(f"{float(ball(x)):.{digits}g}")


def scale(turns: bool) -> arb:
    """Radians of one unit of angle: 2 pi for turns, 1 for radians."""
    return 2 * arb.pi() if turns else arb(1)


def near_integers(base: int) -> range:
    """The integers of theorem 2.2's near range 1 < lambda < b^(1/4)/8, exactly: (8 lambda)^4 < b."""
    stop = 2
    while (8 * stop) ** 4 < base:
        stop += 1
    return range(2, stop)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan of integers found, and which it looked at, counted while it went.

    Attributes:
        first: the first that certainly fails; None if there is none.
        doubtful: the first that is left undecided before it.
        looked: all that were bounded, in order, none left out.
    """

    first: int | None
    doubtful: int | None
    looked: range


_FEW = 64  # so many candidates for an extreme are evaluated in balls
_ROUNDING = arb(2) ** -51  # relative error of a product of complex floats: sqrt(8) 2^-53 at most


@dataclass(frozen=True)
class Distances:
    """mu C_D + nu S_D at all integers of a long range: rounded to integers with a bounded error, then in balls.

    lambda = start + a * side + b: cos and sin of start + a * side against those of b, each rounded to a multiple of a
    power of two, and one product of matrices sums over the pairs. In these units the entries are integers, and so small
    that every partial sum is below 2^53: the product's floats are exact in whatever order it is summed. Where the error
    of the rounding leaves a comparison open, balls decide. A block of 10^6 distances takes a twentieth of a second.
    """

    omega: tuple[arb, ...]
    mu: Real
    nu: Real
    side: int = 1024  # rows and columns of a block at most; a shorter range has a smaller one

    def __post_init__(self) -> None:
        if not self.omega or self.side < 1:
            raise InputError(f"{len(self.omega)} frequencies, blocks of side {self.side}: both must be > 0")

    def at(self, distance: int) -> arb:
        """The bias at one distance."""
        mu, nu = ball(self.mu), ball(self.nu)
        angles = ((w * distance).sin_cos() for w in self.omega)
        return sum((mu * c + nu * s for s, c in angles), arb(0)) / (2 * len(self.omega))

    def first(self, start: int, stop: int, bound: Real) -> Scan:
        """Look for the first distance in [start, stop) where the bias is certainly >= `bound`; see `Scan`.

        Undecided distances beyond the failing one do not count.
        """
        limit, doubtful, looked = ball(bound), None, 0
        for block in self._blocks(start, stop):
            beneath = -_float_above(block.error - limit * block.scale)
            for offset in np.flatnonzero(block.values >= beneath).tolist():
                value = self.at(block.start + offset)
                if value >= limit:
                    return Scan(block.start + offset, doubtful, range(start, block.start + offset + 1))
                if not value < limit and doubtful is None:
                    doubtful = block.start + offset
            looked += len(block.values)
            if doubtful is not None:
                break
        return Scan(None, doubtful, range(start, start + looked))

    def extremes(self, start: int, stop: int) -> tuple[arb, arb]:
        """Balls of the least and of the greatest bias over all integers of [start, stop), none left out."""
        if stop <= start:
            raise InputError(f"[{start}, {stop}) has no integer; a scan of nothing has no extremes")
        least, greatest = arb("inf"), arb("-inf")
        for block in self._blocks(start, stop):
            room = _float_above(2 * block.error)
            low, high = float(block.values.min()), float(block.values.max())
            # the least is at a value that is at most twice the error above the least integer
            lowest = np.flatnonzero(block.values <= low + room)
            highest = np.flatnonzero(block.values >= high - room)
            least = arb.min(least, self._best(block, lowest, low, arb.min))
            greatest = arb.max(greatest, self._best(block, highest, high, arb.max))
        return least, greatest

    def _best(self, block: _Block, offsets: Any, value: float, of: Callable[[arb, arb], arb]) -> arb:
        """The extreme bias among some distances, in balls; of too many the ball around the extreme integer."""
        if len(offsets) <= _FEW:
            return functools.reduce(of, (self.at(block.start + offset) for offset in offsets.tolist()))
        return (arb(value) + (-block.error).union(block.error)) / block.scale

    def _blocks(self, start: int, stop: int) -> Iterator[_Block]:
        """The range in blocks, from its start; the last one ends where the range does."""
        side = min(self.side, math.isqrt(max(stop - start - 1, 0)) + 1)
        number = 2 * len(self.omega)
        mu, nu = ball(self.mu), ball(self.nu)
        reach, bits = (abs(mu) + abs(nu)).upper(), (52 - number.bit_length()) // 2
        unit, fine_unit = (
            2.0**bits,
            2.0 ** (bits - math.frexp(float(reach))[1]),
        )  # so both tables are within 2^bits,
        scale = number * arb(unit) * arb(fine_unit)  # and a sum of `number` products within 2^52
        fine, fine_error = _rounded(_waves(self.omega, 0, 1, side, acb(mu, -nu)), fine_unit, unit)
        signs = np.repeat((1.0, -1.0), len(self.omega))  # the real part of a product of complex numbers
        for block in range(start, stop, side * side):
            coarse, coarse_error = _rounded(_waves(self.omega, block, side, side), unit, unit)
            # |xy - x'y'| <= |x'| |y - y'| + |x - x'| |y|, for each of the two products of a pair
            error = number * ((unit + coarse_error) * fine_error + coarse_error * reach * arb(fine_unit))
            values = ((coarse * signs) @ fine.T).ravel()[: stop - block]
            yield _Block(block, values, scale, error.upper())


@dataclass(frozen=True, slots=True)
class _Block:
    """The bias from `start` on, times `scale`, as floats that are integers, each off by `error` at most."""

    start: int
    values: Any
    scale: arb
    error: arb


def _waves(
    omega: Sequence[arb], start: int, step: int, number: int, factor: acb | None = None
) -> tuple[Any, arb]:
    """factor e^(i omega (start + step j)), a row for each j < number, a column for each omega; and their error.

    Each is a product of three: in balls there are as many as its cube root three times. Factors |w| that are off by d,
    multiplied in floats, are off by prod (|w| + d) (1 + rounding)^(products) - prod |w|.
    """
    side = next(n for n in range(1, number + 1) if n**3 >= number)
    ends, middles, shorts = (
        _floats([[(w * (begin + gap * j)).sin_cos() for w in omega] for j in range(side)])
        for begin, gap in ((start, step * side * side), (0, step * side), (0, step))
    )
    found = ends[0][:, None, None, :] * middles[0][None, :, None, :] * shorts[0][None, None, :, :]
    grown = (1 + ends[1]) * (1 + middles[1]) * (1 + shorts[1]) * (1 + _ROUNDING) ** 2
    waves = found.reshape(-1, len(omega))[:number]
    if factor is None:
        return waves, grown - 1
    (((turned,),), off) = _floats([[(factor.imag, factor.real)]])
    size = abs(factor.real) + abs(factor.imag)
    return waves * turned, (size + off) * grown * (1 + _ROUNDING) - size


def _floats(balls: Sequence[Sequence[tuple[arb, arb]]]) -> tuple[Any, arb]:
    """Complex floats of rows of balls (imaginary, real part), and by how much the modulus of one can be off."""
    floats: Any = np.array([[complex(float(real), float(imag)) for imag, real in row] for row in balls])
    parts = [sum((part[i] for row in balls for part in row), arb(0)) for i in (0, 1)]
    radius_ = sum((part.rad() for part in parts), arb(0))  # of the sums, so no less than of any of them
    largest = arb(float(np.abs(floats.real).max() + np.abs(floats.imag).max())) * 2
    return floats, radius_ + largest * arb(2) ** -52  # a float is off by 2^-52 of the midpoint


def _float_above(x: arb) -> float:
    """A float above all of a ball."""
    return math.nextafter(float(x.upper()), math.inf)


def _rounded(waves: tuple[Any, arb], unit: float, most: float) -> tuple[Any, arb]:
    """Real parts and then imaginary ones, in units, rounded to integers; and by how much one can be off.

    What they stand for is within `most`, an integer, and so are they, to which they come nearer by it.
    """
    floats, error = waves
    whole = np.rint(np.hstack((floats.real, floats.imag)) * unit)
    return np.clip(whole, -most, most), (error * arb(unit) + arb("0.5")).upper()


WAVES: dict[str, tuple[Callable[[arb], arb], Callable[[Real], arb]]] = {
    "cos": (arb.cos, ci),
    "sin": (arb.sin, si),
}


def same(what: str, left: sp.Expr, right: sp.Expr) -> Evidence:
    """Evidence that two expressions are identical (`proofs.exact.identity`); no samples where f is any function."""
    undefined = (sp.sympify(left) - right).atoms(AppliedUndef)
    return symbolic.identity(left, right, what, points=() if undefined else None)


def rises(what: str, g: sp.Expr, u: sp.Symbol, order: int, *, strict: bool = False) -> Evidence:
    """Evidence that g(u) >= 0 for every u >= 0, by Taylor's theorem with the remainder of the given order.

    PROVED where g is 0 at 0, its derivatives below `order` are nonnegative there and derivative number `order` is
    nonnegative by its form, positive for `strict` (g > 0 for u > 0); REFUTED by a sample where g < 0; else UNKNOWN,
    also where g begins above 0: a sign that was taken for another is then seen.
    """
    found = [g]
    for _ in range(order):
        found.append(sp.diff(found[-1], u))
    start = [sp.simplify(d.subs(u, 0)) for d in found[:-1]]
    last = sp.factor(sp.simplify(found[-1]))
    if not last.is_nonnegative:
        last = sp.factor(last.subs(sp.cos(u), 1 - 2 * sp.sin(u / 2) ** 2))  # 1 - cos u is a square
    positive = last.is_positive if strict else last.is_nonnegative
    holds = start[0] == 0 and all(value.is_nonnegative for value in start) and positive
    return _inequality(what, g, bool(holds), f"at 0: {start}; derivative {order}: {last}")


def termwise(what: str, expression: sp.Expr) -> Evidence:
    """Evidence that a rational expression in positive symbols is >= 0: every coefficient above and below is.

    Constants such as pi count as numbers. REFUTED by a sample where it is negative; else UNKNOWN.
    """
    above, below = sp.fraction(sp.together(sp.expand(expression)))
    names = sorted(expression.free_symbols, key=str)
    polys = [sp.Poly(part, *names) if names else None for part in (above, below)]
    coefficients = [c for poly in polys if poly is not None for c in poly.coeffs()] or [above / below]
    holds = all(c.is_nonnegative for c in coefficients) and all(s.is_positive for s in names)
    return _inequality(what, expression, bool(holds), f"({sp.expand(above)}) / ({sp.factor(below)})")


def at_least(what: str, greater: symbolic.Expr, lesser: symbolic.Expr) -> Evidence:
    """`termwise` of greater >= lesser, with its converse for a control, which is to be false somewhere."""
    found, converse = (
        termwise(name, one - other)
        for name, one, other in ((what, greater, lesser), ("the converse", lesser, greater))
    )
    return controlled(found, converse) if found.verdict is Verdict.PROVED else found


def _inequality(what: str, g: sp.Expr, holds: bool, form: str) -> Evidence:
    negative = None if holds else next((p for p in _samples(g) if sp.N(g.subs(p), 30) < -(10**-15)), None)
    answer = Verdict.PROVED if holds else Verdict.UNKNOWN if negative is None else Verdict.REFUTED
    where = "" if negative is None else f", at {negative}"
    return Evidence(f"{what}{where}", answer, computed=form, predicted=">= 0")


def _samples(expression: sp.Expr) -> list[Any]:
    """Positive points with no two symbols alike: small, middling and large."""
    names = sorted(expression.free_symbols, key=str)
    sizes = (sp.Rational(1, 50), sp.Rational(1, 3), sp.Integer(1), sp.Integer(9))
    return [{name: size * (1 + sp.Rational(i, 7)) for i, name in enumerate(names)} for size in sizes]


def vanishes(what: str, value: arb) -> Evidence:
    """Evidence that an identity fails: REFUTED where the ball of the difference excludes 0, else UNKNOWN."""
    answer = Verdict.UNKNOWN if sign(value) is None else Verdict.REFUTED
    precision = f"{ctx.prec} bit ball"
    return Evidence(
        what, answer, computed=text(value), predicted="0", radius=radius(value), precision=precision
    )


@dataclass(frozen=True, slots=True)
class Point:
    """theta_0, D and lambda that meet every hypothesis of Lemmas C.1 and C.2: exact, and checked on construction.

    `inverse_base` is theta_0 in (0, 1/10); `head_dim` is D, even and > 4 L; `distance` is lambda > 1, in the
    paper's turns. `InputError` names the hypothesis that fails.
    """

    inverse_base: Fraction
    head_dim: int
    distance: Fraction

    def __post_init__(self) -> None:
        if not 0 < self.inverse_base < Fraction(1, 10):
            raise InputError(f"inverse_base={self.inverse_base} is not in (0, 1/10)")
        if self.head_dim % 2 or less(4 * self.log, self.head_dim) is not True:
            raise InputError(f"head_dim={self.head_dim} is not even and > 4 L = {text(4 * self.log, 6)}")
        if not self.distance > 1:
            raise InputError(f"distance={self.distance} is not > 1")

    def __str__(self) -> str:
        names = (f"{x.numerator}/{x.denominator}" for x in (self.inverse_base, self.distance))
        theta, distance = (name.removesuffix("/1") for name in names)
        return f"theta_0={theta}, D={self.head_dim}, lambda={distance}"

    @property
    def log(self) -> arb:
        """L = |log theta_0|."""
        return _log_of(self.inverse_base, ctx.prec)

    @property
    def far(self) -> Fraction:
        """lambda theta_0, exactly."""
        return self.distance * self.inverse_base

    def phase(self, exponent: Real = 0) -> arb:
        """2 pi lambda theta_0^exponent, in radians."""
        return 2 * arb.pi() * ball(self.distance) * (-self.log * ball(exponent)).exp()

    def sum(self, wave: str = "cos") -> arb:
        """C_D or S_D (eq 24)."""
        make = cos_sum if wave == "cos" else sin_sum
        return make(self.distance, self.head_dim, inverse_base=self.inverse_base)

    def half_integral(self, wave: str = "cos") -> arb:
        """I/2 of eqs 42, 52 and 62."""
        make = cos_limit if wave == "cos" else sin_limit
        return make(self.distance, inverse_base=self.inverse_base)

    def term(self, d: int, wave: str = "cos") -> arb:
        """Delta_d of eq 42: (2/D) f(2d/D) less the integral of f from 2d/D to 2(d+1)/D."""
        return next(self.terms(wave, d, d + 1))

    def terms(self, wave: str = "cos", first: int = 0, end: int | None = None) -> Iterator[arb]:
        """Delta_d of eq 42 for d = first .. end - 1, to D/2 - 1 by default, in this order."""
        value, integral = WAVES[wave]
        last = self.head_dim // 2 if end is None else end
        whole, step = self.phase(), -2 * self.log / self.head_dim
        angles = [whole * (step * d).exp() for d in range(first, last + 1)]
        integrals = [integral(angle) for angle in angles]
        for angle, before, after in zip(angles, integrals, integrals[1:], strict=False):
            yield value(angle) * 2 / self.head_dim - (before - after) / self.log

    def epsilon(self, alpha: Real) -> arb:
        """e(D; lambda, theta_0, alpha) of eq 26."""
        return ball(alpha) + 2 * self.phase(alpha) / self.head_dim

    def least_epsilon(self) -> arb:
        """Infimum of e over alpha > 0 (see "eq-26"): 4 pi lambda / D, or (1 + log(4 pi lambda L / D)) / L."""
        steep = 2 * self.phase() * self.log / self.head_dim
        return self.epsilon(0) if at_most(steep, 1) else (1 + steep.log()) / self.log


@functools.cache
def _log_of(inverse_base: Fraction, _bits: int) -> arb:
    """L at the precision of so many bits: every term asks for it."""
    return -ball(inverse_base).log()


def least_head_dim(inverse_base: Fraction) -> int:
    """The smallest even D > 4 L."""
    bound = -4 * math.log(inverse_base)  # far from an even integer for every base used, or `Point` raises
    return 2 * (math.floor(bound / 2) + 1)


INVERSE_BASES = (Fraction(999, 10**4), *(Fraction(1, n) for n in (11, 20, 100, 10**4, 500_000, 10**12)))
EDGES = (
    "theta_0 just below 1/10 down to 1e-12; D the smallest even number above 4 L, two more, and 64, 256; lambda just "
    "above 1, at 1/(1 - theta_0), integer and not, at lambda theta_0 = 1/4, 1/2, 1, 11/5, 10"
)


def points(*, heads: Iterable[int] = (0, 2, 64, 256)) -> Iterator[Point]:
    """The edges of the lemmas' domain first. A head in `heads` below 10 is added to the smallest allowed."""
    for theta in INVERSE_BASES:
        least = least_head_dim(theta)
        dims = sorted({least + h if h < 10 else h for h in heads if h < 10 or h >= least})
        crossings = [Fraction(n, 4) / theta for n in (1, 2, 4, 40)] + [Fraction(11, 5) / theta]
        near = [1 + Fraction(1, 10**9), Fraction(101, 100), Fraction(5, 4), Fraction(3, 2), Fraction(7, 4)]
        for distance in [*near, 1 / (1 - theta), Fraction(2), Fraction(44), *crossings]:
            if distance > 1:
                yield from (Point(theta, dim, distance) for dim in dims)


def margins(
    pairs: Callable[[Point], Iterable[tuple[Real, Real]]],
    heads: Iterable[int] = (0,),
    *,
    relative: bool = False,
) -> Iterator[tuple[str, arb]]:
    """Cases for a search: right less left at every admissible edge, where the claim says left <= right.

    `relative`: as a share of the right side, which is positive, so that a control tightens the bound by as much.
    """
    for point in points(heads=heads):
        for left, right in pairs(point):
            gap = ball(right) - ball(left)
            yield str(point), gap / ball(right) if relative else gap


def rounded_up(what: str, own: Real, said: Real, step: Real) -> Iterator[Evidence]:
    """Evidence that a stated constant is what is derived, rounded up: own < said, and said - step is not enough."""
    yield below(what, own, said)
    yield below(f"{what}: {text(ball(step), 3)} less is not enough", ball(said) - ball(step), own)
