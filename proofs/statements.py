r"""A statement as an object: its quantifiers, hypotheses and sides; printed, attacked and targeted from there.

`says()` prints the Markdown of the ledger; `points` draws values that meet every hypothesis, the ends of the ranges
first; `attack` evaluates both sides there in balls; and a check takes the very sides as the targets of what it derives.
So a constant that is changed changes what is printed, what is attacked and what must be proved, all at once.

```python
x = Variable(X, low=0)
STATEMENT = Statement((x,), (Conclusion(sp.Si(X) <= X),))
```

C_D, S_D and their limits for D -> infinity are the functions `Cosines`, `Sines`, `CosineLimit` and `SineLimit` of
(D,) the base, the distance and the unit c of the angle, 2 pi (turns) or 1 (radians).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any, cast

import sympy as sp
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import at_most, ball, less, sign
from proofs.checks import search
from proofs.exact import Expr, to_ball
from proofs.integrals import RopeSums, cos_limit, sin_limit

Value = Fraction | arb
Point = dict[sp.Symbol, Value]
TURN = 2 * sp.pi
UNITS = (TURN, sp.Integer(1))  # an angle's unit c: turns as v1 has them, radians as deployed
_TINY = Fraction(1, 10**6)


class _OfDistance(sp.Function):
    """Printed as the paper has it: by its letter, its head dimension if it has one, and the distance."""

    letter = ""

    def _latex(self, printer: Any, **_: Any) -> str:
        *head_dim, _base, distance, _unit = map(printer.doprint, self.args)
        name = f"{self.letter}_{{{head_dim[0]}}}" if head_dim else rf"\lim_D {self.letter}_D"
        return f"{name}({distance})"


class Cosines(_OfDistance):
    """C_D(lambda): arguments D, base, distance, unit."""

    nargs, letter = 4, "C"


class Sines(_OfDistance):
    """S_D(lambda): arguments D, base, distance, unit."""

    nargs, letter = 4, "S"


class CosineLimit(_OfDistance):
    """lim_D C_D(lambda): arguments base, distance, unit."""

    nargs, letter = 3, "C"


class SineLimit(_OfDistance):
    """lim_D S_D(lambda): arguments base, distance, unit."""

    nargs, letter = 3, "S"


def _sums(head_dim: arb, base: arb, unit: arb) -> RopeSums:
    whole = head_dim.unique_fmpz()
    if whole is None:
        raise InputError(f"D = {head_dim} is no integer")
    return RopeSums.of(int(whole), base=base, turns=bool(unit > 2))


_ROPE: dict[type, Callable[..., arb]] = {
    Cosines: lambda head_dim, base, distance, unit: _sums(head_dim, base, unit).cos(distance),
    Sines: lambda head_dim, base, distance, unit: _sums(head_dim, base, unit).sin(distance),
    CosineLimit: lambda base, distance, unit: cos_limit(distance, base=base, turns=bool(unit > 2)),
    SineLimit: lambda base, distance, unit: sin_limit(distance, base=base, turns=bool(unit > 2)),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One quantified number: "for all `low` < x < `high`", and how it is drawn.

    Attributes:
        symbol: its symbol.
        low, high: the open range's ends, in the variables before it; -oo and oo are none.
        even: integers only, even ones.
        signed: the range is that of |x|, and both signs are drawn.
        among: the finitely many values it may have, instead of a range.
    """

    symbol: sp.Symbol
    low: Expr = -sp.oo
    high: Expr = sp.oo
    even: bool = False
    signed: bool = False
    among: tuple[Expr, ...] = ()

    def words(self) -> str:
        """The range in TeX, as the printed statement has it."""
        name = sp.latex(self.symbol)
        if self.among:
            return rf"{name} \in \{{{', '.join(map(tex, self.among))}\}}"
        inner = f"|{name}|" if self.signed else name
        below = "" if self.low == -sp.oo else f"{tex(self.low)} < "
        above = "" if self.high == sp.oo else f" < {tex(self.high)}"
        kind = r" \text{ even}" if self.even else "" if below or above else r" \in \mathbb{R}"
        return f"{below}{inner}{above}{kind}"

    def values(self, known: Mapping[sp.Symbol, Value]) -> list[Value]:
        """Values inside the range, its ends first: just inside of either, and in between on a logarithmic scale."""
        if self.among:
            return [to_ball(value).real for value in self.among]
        if self.even:
            first = 2 * (int(float(_real(self.low, known))) // 2 + 1)
            return [Fraction(first), Fraction(first + 2), Fraction(64), Fraction(256)]
        if self.low == -sp.oo:
            return [Fraction(0), *(Fraction(s * n, 7) for n in (1, 9, 7 * 10**4) for s in (1, -1))]
        low = _real(self.low, known).mid()
        gap = arb.max(abs(low), arb(1)) * ball(_TINY)
        high = None if self.high == sp.oo else _real(self.high, known).mid()
        if high is None:
            inside = [low + gap, low + gap * 10**6, (low + 1) * 100, (low + 1) * 10**5]
        else:
            inside = [
                low + gap,
                (arb.max(low, gap) * high).sqrt(),
                (low + high) / 2,
                high - high * ball(_TINY),
            ]
        kept = [x.mid() for x in inside if less(low, x) and (high is None or less(x, high))]
        return [s * x for x in kept for s in ((1, -1) if self.signed else (1,))]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One assertion, left against right, and the conditions under which it is made."""

    says: Any  # a SymPy relation
    when: tuple[Any, ...] = ()

    def margin(self, values: Mapping[sp.Symbol, Value], meaning: Mapping[sp.Symbol, Expr]) -> arb:
        """Right less left (for > left less right), which the conclusion says is positive, or not negative."""
        gap = self.says.gts - self.says.lts
        return _real(gap, values, meaning)

    @property
    def strict(self) -> bool:
        """< or >, not <= or >=."""
        return isinstance(self.says, sp.StrictLessThan | sp.StrictGreaterThan)


@dataclass(frozen=True)
class Statement:
    """For all variables that meet the hypotheses, the conclusions.

    Attributes:
        variables: in the order of the quantifiers; an end of a range may name those before.
        conclusions: what is said; with `given`, a hypothesis on all of it.
        given: relations between the variables.
        meaning: abbreviations, such as L for ln b: printed as they are, replaced when evaluated.
        words: Markdown that stands before the printed quantifiers.
    """

    variables: tuple[Variable, ...]
    conclusions: tuple[Conclusion, ...]
    given: tuple[Any, ...] = ()
    meaning: Mapping[sp.Symbol, Expr] = field(default_factory=dict)
    words: str = ""

    def says(self) -> str:
        """The statement as the ledger prints it: Markdown with TeX, made from the parts."""
        ranges = ", ".join(f"${variable.words()}$" for variable in self.variables)
        where = "; ".join(f"${sp.latex(name)} = {tex(value)}$" for name, value in self.meaning.items())
        given = " and ".join(f"${tex(relation)}$" for relation in self.given)
        parts = [f"for all {ranges}"]
        parts += [f"with {where}"] if where else []
        parts += [f"and {given}"] if given else []
        return f"{self.words}{', '.join(parts)}: " + "; ".join(map(_printed, self.conclusions))

    def points(self, number: int, seed: int) -> Iterator[Point]:
        """Up to `number` points, drawn from the ranges' values, that certainly meet every range and hypothesis."""
        rng = random.Random(seed)
        for _ in range(number):
            point: Point = {}
            for variable in self.variables:
                choices = variable.values(point)
                if not choices:
                    break
                point[variable.symbol] = rng.choice(choices)
            if len(point) == len(self.variables) and self.admits(point):
                yield point

    def admits(self, point: Mapping[sp.Symbol, Value]) -> bool:
        """Does the point certainly meet the hypotheses?"""
        return all(_holds(relation, point, self.meaning) for relation in self.given)

    def attack(self, *, number: int = 80, seed: int = 0) -> Iterator[Evidence]:
        """A search for a counterexample to each conclusion at `points`, in balls."""
        points = list(self.points(number, seed))
        for index, conclusion in enumerate(self.conclusions, 1):
            cases = (
                (_named(point), conclusion.margin(point, self.meaning))
                for point in points
                if all(_holds(relation, point, self.meaning) for relation in conclusion.when)
            )
            found = search(
                f"conclusion {index}, points of its own hypotheses", cases, strict=conclusion.strict
            )
            yield replace(found, seed=seed)

    def domain(self, *, number: int = 80) -> str:
        """In words, what `attack` searches."""
        names = ", ".join(str(variable.symbol) for variable in self.variables)
        return f"the statement's own ranges of {names}, ends first, {number} draws; what misses a hypothesis is dropped"

    def target(self, index: int = 1) -> Expr:
        """Right side of a conclusion, counted from 1: what a check must arrive at."""
        return self.conclusions[index - 1].says.rhs

    def reworded(self, index: int, change: Callable[[Any], Any]) -> Statement:
        """The same with one conclusion's relation changed: what a test plants."""
        conclusions = list(self.conclusions)
        conclusions[index - 1] = replace(conclusions[index - 1], says=change(conclusions[index - 1].says))
        return replace(self, conclusions=tuple(conclusions))


def tex(expression: Any) -> str:
    """TeX of an expression or a relation, in the ledger's notation."""
    return sp.latex(expression, ln_notation=True)


def _printed(conclusion: Conclusion) -> str:
    when = f" where ${', '.join(map(tex, conclusion.when))}$" if conclusion.when else ""
    return f"${tex(conclusion.says)}${when}"


def _named(point: Mapping[sp.Symbol, Value]) -> str:
    return ", ".join(f"{symbol} = {float(value):.6g}" for symbol, value in point.items())


def _real(
    expression: Expr, values: Mapping[sp.Symbol, Value], meaning: Mapping[sp.Symbol, Expr] | None = None
) -> arb:
    """A ball of a real expression; sums over pairs are evaluated by `RopeSums`, their limits by Ci and Si."""
    expr, calls = _prepared(sp.sympify(expression), tuple((meaning or {}).items()))
    known: dict[Expr, Any] = dict(values)
    for stand_in, call in calls:
        known[stand_in] = _ROPE[call.func](*(to_ball(argument, known).real for argument in call.args))
    return to_ball(expr, known).real


@cache
def _prepared(
    expr: Expr, meaning: tuple[tuple[sp.Symbol, Expr], ...]
) -> tuple[Expr, tuple[tuple[Any, Any], ...]]:
    """The expression with its abbreviations replaced, and a symbol for each sum over pairs that it then has."""
    for name, value in reversed(meaning):
        expr = expr.subs(name, value)
    calls = tuple((sp.Dummy(real=True), call) for call in sorted(expr.atoms(*_ROPE), key=str))
    return expr.subs([(call, stand_in) for stand_in, call in calls]), calls


def _holds(relation: Any, values: Mapping[sp.Symbol, Value], meaning: Mapping[sp.Symbol, Expr]) -> bool:
    """Is the relation certainly true at the point?"""
    if isinstance(relation, sp.Unequality):
        left, right = cast("tuple[Any, Any]", relation.args)
        return sign(_real(left - right, values, meaning)) in (1, -1)
    low, high = (_real(side, values, meaning) for side in (relation.lts, relation.gts))
    strict = isinstance(relation, sp.StrictLessThan | sp.StrictGreaterThan)
    return (less if strict else at_most)(low, high) is True


def tightened(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """The statement made stronger than it is, one conclusion at a time: its bound by a quarter, and by half."""
    for index in range(1, len(statement.conclusions) + 1):
        for share in (sp.Rational(1, 4), sp.Rational(1, 2)):

            def change(relation: Any, share: Any = share) -> Any:
                downward = isinstance(relation, sp.StrictLessThan | sp.LessThan)
                room = share * sp.Abs(relation.rhs)
                return relation.func(relation.lhs, relation.rhs - room if downward else relation.rhs + room)

            yield f"conclusion {index}, its bound tightened by {share}", statement.reworded(index, change)
