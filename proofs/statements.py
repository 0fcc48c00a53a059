r"""A statement as an object: its quantifiers, hypotheses and sides; printed, attacked and targeted from there.

`says()` prints the Markdown of the ledger; `points` draws values that meet every hypothesis, the ends of the ranges
first; `attack` evaluates both sides there in balls; and a check takes the very sides as the targets of what it derives,
or, where each conclusion is an equation, `identities` is the check. So a constant that is changed changes what is
printed, what is attacked and what must be proved, all at once. What is false is an object too: `fails_at` refutes it at
a point, and refuses a point that misses a range or a hypothesis of the statement itself.

```python
x = Variable(X, low=0)
STATEMENT = Statement((x,), (Conclusion(relation(sp.Si(X), "<=", X)),))
```

C_D, S_D and their limits for D -> infinity are the functions `Cosines`, `Sines`, `CosineLimit` and `SineLimit` of
(D,) the base, the distance and the unit c of the angle, 2 pi (turns) or 1 (radians).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import count
from typing import Any, cast

import sympy as sp
from flint import arb, ctx
from sympy.core.relational import Relational

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from proofs.balls import Real, at_most, ball, equal_within, less, radius, sign, text
from proofs.checks import controlled, equality, exact, search
from proofs.exact import Expr, to_ball
from proofs.integrals import RopeSums, cos_limit, sin_limit

Value = Fraction | arb
Point = dict[sp.Symbol, Value]
Meaning = Mapping[sp.Symbol, Expr]
TURN = 2 * sp.pi
_NO_LOW, _NO_HIGH = sp.S.NegativeInfinity, sp.S.Infinity  # singletons: `is` decides, and == is slow
UNITS = (TURN, sp.Integer(1))  # an angle's unit c: turns as v1 has them, radians as deployed
_DRAWS = 40  # points of an attack
# candidates for points, beside the ends of a range; those that miss the range are dropped
_TRY_WHOLE, _TRY_FROM_THE_FIRST = (64, 256), (9,)
_TRY_ANY_WHOLE = (0, 1, -1, 7, -7, 10**4)
_BY_ANSWERS = "this tool, at false statements (proofs/known_answers.py)"
_TINY = Fraction(1, 10**5)
_NEAR = Fraction(1, 10**18)  # of sides that may be equal: what balls of the ledger's precision leave apart


def relation(left: Expr, sign_: str, right: Expr) -> Any:
    """left "<", "<=", ">", ">=", "==" or "!=" right, as it is written: SymPy decides and reorders nothing."""
    return sp.Rel(sp.sympify(left), sp.sympify(right), sign_, evaluate=False)


class _OfDistance(sp.Function):
    """Printed as the paper has it: by its letter, its head dimension if it has one, and the distance.

    A base other than b or 1/theta_0 is a superscript, an angle's unit other than a turn follows the distance.
    """

    letter = ""

    def _latex(self, printer: Any, **_: Any) -> str:
        *head_dim, base, distance, unit = map(printer.doprint, self.args)
        of_base = "" if base in ("b", r"\frac{1}{\theta_{0}}") else f"^{{{base}}}"
        in_unit = "" if self.args[-1] == TURN else f"; {unit}"
        limit, size = ("", head_dim[0]) if head_dim else (r"\lim_D ", "D")
        return f"{limit}{self.letter}_{{{size}}}{of_base}({distance}{in_unit})"

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        return super().__new__(cls, *arguments, **options)


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
        low, high: the range's ends, in the variables before it; -oo and oo are none.
        even, integer: integers only, even ones only.
        signed: the range is that of |x|, and both signs are drawn.
        closed: its ends belong to the range.
        among: the finitely many values it may have, instead of a range.
        cut: the range begins beyond where the symbol's own assumptions do, on purpose.
    """

    symbol: sp.Symbol
    low: Expr = _NO_LOW
    high: Expr = _NO_HIGH
    even: bool = False
    signed: bool = False
    among: tuple[Expr, ...] = ()
    integer: bool = False
    closed: bool = False
    cut: bool = False

    def __post_init__(self) -> None:
        """`InputError` where the symbol's own assumptions, on which proofs rest, are not those of the range.

        Nor may a range begin at a greater number than they do, unless it is a `cut`: what is proved of every positive
        number would be said of fewer.
        """
        wrong = [name for name, met in self._assumed() if met is not True]
        if wrong:
            raise InputError(f"{self.symbol} is {wrong[0]} as a symbol, and its range is {self.words()}")
        if self._begins_late() is not self.cut:
            remedy = "drop `cut`" if self.cut else "say `cut=True` if that is meant"
            raise InputError(f"{self.symbol}, the range {self.words()} against that of the symbol: {remedy}")

    def _begins_late(self) -> bool:
        """Is the low end a number above the one where the range that the symbol's assumptions leave begins?"""
        low = sp.sympify(self.low)
        if self.among or not self.symbol.is_nonnegative or not low.is_number:
            return False
        whole = self.integer and self.symbol.is_positive and self.closed
        return bool(low > (1 if whole else 0))

    def _assumed(self) -> Iterator[tuple[str, Any]]:
        ends = [_defined(value) for value in self.among or (self.low,)]
        inside = [end.is_positive if self.among or self.closed else end.is_nonnegative for end in ends]
        whole = self.even or self.integer or (self.among and all(end.is_integer for end in ends))
        if self.symbol.is_integer:
            yield "an integer", bool(whole)
        if self.symbol.is_positive:
            yield "positive", all(inside) and not self.signed
        elif self.symbol.is_nonnegative:
            yield "not negative", all(end.is_nonnegative for end in ends) and not self.signed
        elif self.symbol.is_nonzero:
            yield "not 0", all(inside)

    def words(self) -> str:
        """The range in TeX, as the printed statement has it."""
        name, less_ = sp.latex(self.symbol), r"\le" if self.closed else "<"
        if self.among:
            return rf"{name} \in \{{{', '.join(map(tex, self.among))}\}}"
        inner = f"|{name}|" if self.signed else name
        below = "" if self.low is _NO_LOW else f"{tex(self.low)} {less_} "
        above = "" if self.high is _NO_HIGH else f" {less_} {tex(self.high)}"
        whole = r" \text{ even}" if self.even else r" \in \mathbb{Z}" if self.integer else ""
        kind = whole or ("" if below or above else r" \in \mathbb{R}")
        # after an upper end the kind would be said of that end
        kind = rf",\ {name}{kind}" if above and kind else kind
        return f"{below}{inner}{above}{kind}"

    def filled_by(self, expression: Expr, parameter: sp.Symbol) -> Evidence:
        """Evidence that an expression in a positive parameter, which it moves one way, runs over just this range."""
        found = sp.sympify(expression)
        ends = {sp.limit(found, parameter, end) for end in (0, sp.oo)}
        slope = sp.factor(sp.diff(found, parameter))
        one_way = slope.is_positive or slope.is_negative or None
        holds = one_way if ends == {sp.sympify(self.low), sp.sympify(self.high)} else False
        return exact(f"{found} runs over {self.words()}", holds, (slope, ends), "one way, from end to end")

    def values(self, known: Mapping[sp.Symbol, Value], meaning: Meaning | None = None) -> list[Value]:
        """Values inside the range, its ends first: just inside of either, and in between on a logarithmic scale."""
        if self.among:
            return [_value(value) for value in self.among]
        drawn = self._whole(known, meaning) if self.even or self.integer else self._real(known, meaning)
        signs = (1, -1) if self.signed else (1,)
        both = [sign_ * x for x in drawn for sign_ in signs if sign_ > 0 or sign(x) != 0]
        return [x for x in both if self.holds(x, known, meaning)]

    def depends(self, meaning: Meaning) -> bool:
        """Does an end of the range name another variable?"""
        ends = (_prepared(sp.sympify(end), tuple(meaning.items())) for end in (self.low, self.high))
        return any(expr.free_symbols for expr, _ in ends)

    def _whole(self, known: Mapping[sp.Symbol, Value], meaning: Meaning | None) -> list[Value]:
        step = 2 if self.even else 1
        if self.low is _NO_LOW:
            return [Fraction(step * n) for n in _TRY_ANY_WHOLE]
        first = step * (_floor(self.low, known, meaning) // step)
        far = [first + step * n for n in (0, 1, 2, *_TRY_FROM_THE_FIRST)] + [*_TRY_WHOLE]
        if self.high is not _NO_HIGH:
            last = step * (_floor(self.high, known, meaning) // step)
            far = [*far[:3], last, last - step, step * ((first + last) // (2 * step))]
        return [Fraction(n) for n in dict.fromkeys(far)]

    def _real(self, known: Mapping[sp.Symbol, Value], meaning: Meaning | None) -> list[Value]:
        if self.low is _NO_LOW and self.high is _NO_HIGH:
            return [Fraction(0), *(Fraction(s * n, 7) for n in (1, 9, 7 * 10**4) for s in (1, -1))]
        if self.low is _NO_LOW:
            high = _real(self.high, known, meaning).mid()
            return [high - arb.max(abs(high), arb(1)) * ball(step) for step in (_TINY, 1, 1000)]
        at = _real(self.low, known, meaning)
        low = at.mid()
        gap = arb.max(abs(low), arb(1)) * ball(_TINY)
        ends = [at] if self.closed and at.is_exact() else []
        if self.high is _NO_HIGH:
            near = (
                low + gap * step for step in (1, 10**4, 5 * 10**4, 10**5)
            )  # the last is 1 or |low| beyond
            size = abs(low) + 1
            return [*ends, *(x.mid() for x in (*near, size * 10, size * 100, size * 10**5))]
        end = _real(self.high, known, meaning)
        high = end.mid()
        ends += [end] if self.closed and end.is_exact() else []
        middle = (low + high) / 2
        root = (arb.max(low, gap) * high).sqrt() if high > 0 and low >= 0 else middle
        return [*ends, *(x.mid() for x in (low + gap, root, middle, high - (high - low) * ball(_TINY)))]

    def holds(self, value: Value, known: Mapping[sp.Symbol, Value], meaning: Meaning | None = None) -> bool:
        """Is the value certainly in the range?"""
        if self.among:
            return any(_same(value, _value(choice)) for choice in self.among)
        x = ball(value)
        if self.even or self.integer:
            whole = x.unique_fmpz()
            if whole is None or not x.is_exact() or (self.even and int(whole) % 2):
                return False
        size, inside = abs(x) if self.signed else x, at_most if self.closed else less
        above = self.low is _NO_LOW or inside(_real(self.low, known, meaning), size) is True
        return above and (self.high is _NO_HIGH or inside(size, _real(self.high, known, meaning)) is True)


@dataclass(frozen=True, slots=True)
class Listed:
    """Several numbers quantified together: "for all (x, y) in {(1, 2), (3, 4)}"."""

    symbols: tuple[sp.Symbol, ...]
    rows: tuple[tuple[Expr, ...], ...]

    def words(self) -> str:
        """The rows in TeX."""
        rows = (f"({', '.join(map(tex, row))})" for row in self.rows)
        return rf"({', '.join(map(sp.latex, self.symbols))}) \in \{{{', '.join(rows)}\}}"

    def choices(self) -> list[Point]:
        """The rows as points."""
        return [dict(zip(self.symbols, map(_value, row), strict=True)) for row in self.rows]

    def holds(self, point: Mapping[sp.Symbol, Value]) -> bool:
        """Is the point certainly one of the rows?"""
        return any(all(_same(point[s], value) for s, value in row.items()) for row in self.choices())


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One assertion, left against right, and the conditions under which it is made.

    Attributes:
        says: a relation.
        when: the conditions.
        sharp: a share and a point: with the bound tightened by that share the conclusion fails there.
    """

    says: Any  # a SymPy relation
    when: tuple[Any, ...] = ()
    sharp: tuple[Expr, Mapping[sp.Symbol, Expr]] | None = None

    def margin(self, values: Mapping[sp.Symbol, Value], meaning: Meaning) -> arb:
        """Right less left (for > left less right), which the conclusion says is positive, or not negative.

        Of an equation what balls may leave apart, less the difference; of "not equal" the difference. Where equality is
        allowed, so is as much.
        """
        left, right = (_real(side, values, meaning) for side in self.sides)
        room = arb(0) if self.strict else ball(_NEAR) * (1 + abs(left) + abs(right))
        if isinstance(self.says, sp.Eq | sp.Ne):
            apart = abs(left - right)
            return room - apart if isinstance(self.says, sp.Eq) else apart
        return left - right + room

    def share(self, values: Mapping[sp.Symbol, Value], meaning: Meaning) -> arb:
        """By how much of itself the greater side exceeds the lesser."""
        left, right = (_real(side, values, meaning) for side in self.sides)
        return 1 - right / left

    @property
    def sides(self) -> tuple[Expr, Expr]:
        """The greater side and the lesser, as the relation says; of an equation left and right."""
        says = self.says
        return (says.lhs, says.rhs) if isinstance(says, sp.Eq | sp.Ne) else (says.gts, says.lts)

    @property
    def strict(self) -> bool:
        """< or >, not <= or >=."""
        return isinstance(self.says, sp.StrictLessThan | sp.StrictGreaterThan | sp.Ne)

    def holds(self, values: Mapping[sp.Symbol, Value], meaning: Meaning) -> bool | None:
        """Is the conclusion true at a point: True or False only where balls decide it."""
        return self.decided(lambda side: _real(side, values, meaning))

    def decided(self, ball_of: Callable[[Expr], arb]) -> bool | None:
        """`holds`, of the balls of its sides."""
        left, right = map(ball_of, self.sides)
        if isinstance(self.says, sp.Eq | sp.Ne):
            apart = sign(left - right)
            equal = None if apart is None else apart == 0
            return equal if isinstance(self.says, sp.Eq) or equal is None else not equal
        return (less if self.strict else at_most)(right, left)

    def tightened(self, share: Expr) -> Conclusion:
        """The same, its bound tightened by a share of itself, and of 1 where it is 0."""
        downward = isinstance(self.says, sp.StrictLessThan | sp.LessThan)
        room = share * sp.Abs(self.says.rhs) or share
        right = self.says.rhs - room if downward else self.says.rhs + room
        return replace(self, says=self.says.func(self.says.lhs, right, evaluate=False), sharp=None)


def chain(first: Expr, *links: tuple[str, Expr]) -> tuple[Conclusion, ...]:
    """first <= second <= third ... as conclusions, each link a sign and the next member: every member written once."""
    members = (first, *(member for _, member in links))
    return tuple(
        Conclusion(relation(left, sign_, right))
        for left, (sign_, right) in zip(members[:-1], links, strict=True)
    )


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

    variables: tuple[Variable | Listed, ...]
    conclusions: tuple[Conclusion, ...]
    given: tuple[Any, ...] = ()
    meaning: Mapping[sp.Symbol, Expr] = field(default_factory=dict)
    words: str = ""

    def says(self) -> str:
        """The statement as the ledger prints it: Markdown with TeX, made from the parts once."""
        return self._printed

    @cached_property
    def _printed(self) -> str:
        ranges = ", ".join(f"${variable.words()}$" for variable in self.variables)
        where = "; ".join(f"${sp.latex(name)} = {tex(value)}$" for name, value in self.meaning.items())
        given = " and ".join(f"${tex(relation)}$" for relation in self.given)
        parts = [f"for all {ranges}"] if ranges else []
        parts += [f"with {where}"] if where else []
        parts += [f"and {given}"] if given else []
        return f"{self.words}{', '.join(parts)}: " + "; ".join(map(_printed, self.conclusions))

    def points(self, number: int, seed: int) -> Iterator[Point]:
        """Up to `number` points, drawn from the ranges' values, that certainly meet every range and hypothesis."""
        rng = random.Random(seed)
        alone = {
            one.symbol: one.values({}, self.meaning)
            for one in self.variables
            if isinstance(one, Variable) and not one.depends(self.meaning)
        }
        for _ in range(number):
            point: Point = {}
            for variable in self.variables:
                if isinstance(variable, Listed):
                    point.update(rng.choice(variable.choices()))
                    continue
                choices = alone.get(variable.symbol) or variable.values(point, self.meaning)
                if not choices:
                    break
                point[variable.symbol] = rng.choice(choices)
            else:
                if self.admits(point):
                    yield point

    def admits(self, point: Mapping[sp.Symbol, Value]) -> bool:
        """Does the point certainly meet the hypotheses?"""
        return all(_holds(one, point, self.meaning) for one in self.given)

    def within(self, *relations: Any) -> Statement:
        """The same on part of its domain: where an attack can afford to look, and balls to decide."""
        return replace(self, given=(*self.given, *relations))

    def without(self, hypothesis: Any, index: int = 1) -> Statement:
        """The same without a hypothesis of its own or of conclusion `index`; `InputError` where it has no such."""
        changed, own = list(self.conclusions), self.conclusions[index - 1].when
        changed[index - 1] = replace(changed[index - 1], when=tuple(one for one in own if one != hypothesis))
        found = replace(
            self,
            given=tuple(one for one in self.given if one != hypothesis),
            conclusions=tuple(changed),
        )
        if found == self:
            raise InputError(f"{tex(hypothesis)} is no hypothesis of conclusion {index}")
        return found

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Every relation that is assumed, of the whole or of a conclusion, as the ledger lists it."""
        conditions = (one for conclusion in self.conclusions for one in conclusion.when)
        return tuple(f"${tex(one)}$" for one in (*self.given, *conditions))

    def attack(
        self, *, number: int = _DRAWS, seed: int = 0, controls: Sequence[Real | None] = ()
    ) -> Iterator[Evidence]:
        """A search for a counterexample to each conclusion at `points`, in balls.

        Of one law, whose numbers nothing else has, `controls` are those of `search`, one for each conclusion; margins
        are shares of the greater side then, which is positive.
        """
        points = [(_named(point), point) for point in self.points(number, seed)]
        tests = zip(self.conclusions, controls or [None] * len(self.conclusions), strict=True)
        for index, (conclusion, control) in enumerate(tests, 1):
            margin = conclusion.margin if control is None else conclusion.share
            cases = (
                (name, margin(point, self.meaning))
                for name, point in points
                if all(_holds(one, point, self.meaning) for one in conclusion.when)
            )
            what = f"conclusion {index}, points of its own hypotheses"
            found = search(what, cases, strict=conclusion.strict, control=control)
            yield replace(found, seed=seed, control=found.control or _BY_ANSWERS)

    def domain(self, *, number: int = _DRAWS) -> str:
        """In words, what `attack` searches."""
        names = ", ".join(map(str, self.symbols))
        return f"the statement's own ranges of {names}, ends first, {number} draws; what misses a hypothesis is dropped"

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """All quantified symbols, in order."""
        found = (one.symbols if isinstance(one, Listed) else (one.symbol,) for one in self.variables)
        return tuple(symbol for symbols in found for symbol in symbols)

    def range_of(self, symbol: sp.Symbol) -> Variable:
        """The range of one symbol; `InputError` where it stands in none of its own."""
        for one in self.variables:
            if isinstance(one, Variable) and one.symbol == symbol:
                return one
        raise InputError(f"{symbol} has no range of its own in this statement")

    @property
    def table(self) -> Listed:
        """The first table among its quantifiers; `InputError` where it has none."""
        for one in self.variables:
            if isinstance(one, Listed):
                return one
        raise InputError("this statement has no table")

    def fails_at(
        self, point: Mapping[sp.Symbol, Expr], index: int = 1, *, also: Collection[int] = ()
    ) -> Evidence:
        """Evidence against a conclusion at a point of the statement's own ranges and hypotheses.

        REFUTED where it certainly fails there, SUPPORTED where it holds, else UNKNOWN. `InputError` names the range or
        the hypothesis that the point does not certainly meet: it would refute nothing; and, so that what is beside the
        refuted conclusion is looked at too, any other that fails there and is not among `also`, or that is and holds.
        """
        values, conclusion = self.values_at(point, index), self.conclusions[index - 1]

        @cache  # conclusions share sides, some of them sums of thousands of terms
        def ball_of(side: Expr) -> arb:
            return _real(side, values, self.meaning)

        for other, beside in enumerate(self.conclusions, 1):
            if other == index or not all(_holds(one, values, self.meaning) for one in beside.when):
                continue
            if (beside.decided(ball_of) is False) is not (other in also):
                fails = "fails" if other not in also else "does not certainly fail"
                raise InputError(f"{_named(values)}: conclusion {other} {fails} there as well")
        holds = conclusion.decided(ball_of)
        left, right = ball_of(conclusion.says.lhs), ball_of(conclusion.says.rhs)
        return Evidence(
            f"conclusion {index} at {_named(values)}, where every range and hypothesis is met",
            Verdict.UNKNOWN if holds is None else Verdict.SUPPORTED if holds else Verdict.REFUTED,
            computed=text(left),
            predicted=f"{conclusion.says.rel_op} {text(right)}",
            radius=max(radius(left), radius(right)),
            precision=f"{ctx.prec} bit ball",
            role=Role.STATEMENT,
        )

    def values_at(self, point: Mapping[sp.Symbol, Expr], index: int = 1) -> Point:
        """The point's values; `InputError` unless they certainly meet each range, hypothesis and condition."""
        if set(point) != set(self.symbols):
            raise InputError(
                f"a point of {', '.join(map(str, self.symbols))}, not of {', '.join(map(str, point))}"
            )
        values: Point = {symbol: _value(value) for symbol, value in point.items()}
        for variable in self.variables:
            met = (
                variable.holds(values)
                if isinstance(variable, Listed)
                else variable.holds(values[variable.symbol], values, self.meaning)
            )
            if not met:
                raise InputError(f"{_named(values)}: not certainly in the range {variable.words()}")
        for one in (*self.given, *self.conclusions[index - 1].when):
            if not _holds(one, values, self.meaning):
                raise InputError(f"{_named(values)}: does not certainly meet {tex(one)}")
        return values

    def identities(self) -> Iterator[Evidence]:
        """Each equation among the conclusions, proved for all values that its symbols may have.

        A condition that names a value of a symbol is put in; other conditions are not made use of.
        """
        for index, conclusion in enumerate(self.conclusions, 1):
            if not isinstance(conclusion.says, sp.Eq):
                continue
            left, right = (self.spelt(side) for side in conclusion.sides)
            for one in conclusion.when:
                if isinstance(one, sp.Eq) and one.lhs in self.symbols:
                    left, right = (side.subs(one.lhs, self.spelt(one.rhs)) for side in (left, right))
            yield replace(equality(f"conclusion {index}", left, right), role=Role.STATEMENT)

    def sharpness(self) -> Iterator[Evidence]:
        """For each conclusion that is said to be sharp: tightened by its share, it fails at its point."""
        for index, conclusion in enumerate(self.conclusions, 1):
            if conclusion.sharp is None:
                continue
            share, point = conclusion.sharp
            changed = list(self.conclusions)
            changed[index - 1] = conclusion.tightened(share)
            found = replace(self, conclusions=tuple(changed)).fails_at(point, index)
            verdict = {Verdict.REFUTED: Verdict.CERTIFIED, Verdict.SUPPORTED: Verdict.REFUTED}
            yield replace(
                found,
                what=f"its bound tightened by {share} fails: {found.what}",
                control=found.what,
                verdict=verdict.get(found.verdict, Verdict.UNKNOWN),
            )

    def spelt(self, expression: Expr) -> Expr:
        """An expression with every abbreviation replaced by what it stands for."""
        found = sp.sympify(expression)
        for name, value in reversed(tuple(self.meaning.items())):
            found = found.subs(name, value)
        return found

    def every_positive(self, *symbols: sp.Symbol) -> Evidence:
        """Are the ranges of these all positive numbers? A proof that asks no more of them shows no less."""
        ranges = [self.range_of(symbol) for symbol in symbols]
        cut = [one.words() for one in ranges if (one.low, one.high) != (0, sp.oo)]
        return exact(f"of every positive {', '.join(map(str, symbols))}", not cut, cut, "no range is cut")

    def assumes(self, *, also: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The hypotheses as the ledger lists them: those in words, then each relation in TeX."""
        return (*also, *(f"${tex(one)}$" for one in self.given))

    def target(self, index: int = 1) -> Expr:
        """Right side of a conclusion, counted from 1: what a check must arrive at."""
        return self.conclusions[index - 1].says.rhs

    def bounds_by(self, point: Mapping[sp.Symbol, Expr], found: Mapping[int, Real]) -> Iterator[Evidence]:
        """Evidence that a search has the statement's bounds: the right sides of conclusions, by their numbers.

        `InputError` for another value, as what is searched with it says nothing of the statement; and, as in
        `values_at`, for a point that is not the statement's.
        """
        for index, value in found.items():
            said = _real(self.target(index), self.values_at(point, index), self.meaning)
            alike, doubled = (
                equal_within(f"{name} {index} of the search, the statement's", number, said, _NEAR)
                for name, number in (("bound", value), ("twice bound", 2 * ball(value)))
            )
            if alike.verdict is not Verdict.CERTIFIED:
                raise InputError(f"{alike.what}: {alike.computed}, not {alike.predicted}")
            yield controlled(alike, doubled)

    def reworded(self, index: int, change: Callable[[Any], Any]) -> Statement:
        """The same with one conclusion's relation changed: what a test plants."""
        conclusions = list(self.conclusions)
        conclusions[index - 1] = replace(conclusions[index - 1], says=change(conclusions[index - 1].says))
        return replace(self, conclusions=tuple(conclusions))


def line_in(expression: Expr, symbol: sp.Symbol) -> tuple[Expr, Expr]:
    """(a, b) of an expression a + b/symbol; `InputError` for one of another form."""
    inverse = sp.Dummy(positive=True)
    poly = sp.expand(sp.sympify(expression).subs(symbol, 1 / inverse))
    constant, slope = poly.subs(inverse, 0), poly.coeff(inverse, 1)
    if sp.expand(poly - constant - slope * inverse) != 0:
        raise InputError(f"{expression} is not a + b/{symbol}")
    return constant, slope


def constant_ball(expression: Expr) -> arb:
    """The ball of an expression without symbols."""
    return to_ball(expression).real


_SIGNS = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}


def tex(expression: Any) -> str:
    """TeX of an expression or a relation, in the ledger's notation: finite decimals as such."""
    if isinstance(expression, Relational):
        said = cast("Any", expression)
        return f"{tex(said.lhs)} {_SIGNS[said.rel_op]} {tex(said.rhs)}"
    expr = sp.sympify(expression)
    decimals = {one: _decimal(one) for one in expr.atoms(sp.Rational) if _is_decimal(int(one.q))}
    found = sp.latex(expr.xreplace(decimals), ln_notation=True)
    for sympy_s, ours in _NAMES.items():
        found = found.replace(sympy_s, ours)
    return found


# GitHub refuses \operatorname, and the pages' renderer knows no \limits
_NAMES = {r"\operatorname{sign}": r"\mathrm{sgn}", r"\operatorname": r"\mathrm", r"\int\limits": r"\int"}


def _is_decimal(denominator: int) -> bool:
    """Of a number that is read more easily as a finite decimal than as a fraction."""
    rest = denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 and (denominator % 5 == 0 or denominator > 16)


def _decimal(value: sp.Rational) -> Expr:
    """A symbol that is printed as the number's decimal expansion."""
    size = abs(Fraction(int(value.p), int(value.q)))
    digits = next(n for n in count(1) if (size * 10**n).denominator == 1)
    whole, part = divmod(int(size * 10**digits), 10**digits)
    name = sp.Symbol(f"{whole}.{part:0{digits}d}", positive=True)
    return -name if value < 0 else name


def _printed(conclusion: Conclusion) -> str:
    when = f" where ${', '.join(map(tex, conclusion.when))}$" if conclusion.when else ""
    sharp = (
        f" (and not with its bound tightened by ${tex(conclusion.sharp[0])}$ of it)"
        if conclusion.sharp
        else ""
    )
    return f"${tex(conclusion.says)}${when}{sharp}"


def _named(point: Mapping[sp.Symbol, Value]) -> str:
    return ", ".join(f"{symbol} = {float(ball(value).mid()):.6g}" for symbol, value in point.items())


def _value(expression: Expr) -> Value:
    """An exact rational, or the ball of another real number."""
    found = sp.sympify(expression)
    return Fraction(int(found.p), int(found.q)) if isinstance(found, sp.Rational) else to_ball(found).real


def _defined(end: Expr) -> Expr:
    """An end of a range where it is defined: numbers that it may divide by are not 0, or no point is drawn."""
    found = sp.sympify(end)
    kept = {
        one: sp.Dummy(real=True, nonzero=True)
        for one in found.free_symbols
        if one.is_zero is None and one.is_real and not one.is_nonnegative
    }
    return found.subs(kept)


def _same(one: Value, other: Value) -> bool:
    """Certainly the same number: equal exactly, or enclosed by one and the same ball, computed from one constant."""
    left, right = ball(one), ball(other)
    return sign(left - right) == 0 or ((left.mid() - right.mid()).is_zero() and left.rad() == right.rad())


def _floor(end: Expr, known: Mapping[sp.Symbol, Value], meaning: Meaning | None) -> int:
    """The greatest integer at or below the middle of an end's ball."""
    whole = _real(end, known, meaning).mid().floor().unique_fmpz()
    assert whole is not None
    return int(whole)


def _real(expression: Expr, values: Mapping[sp.Symbol, Value], meaning: Meaning | None = None) -> arb:
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
        if name in expr.free_symbols:  # `subs` is slow where there is nothing to replace
            expr = expr.subs(name, value)
    calls = tuple((sp.Dummy(real=True), call) for call in sorted(expr.atoms(*_ROPE), key=str))
    return expr.xreplace({call: stand_in for stand_in, call in calls}), calls


def _holds(one: Any, values: Mapping[sp.Symbol, Value], meaning: Meaning) -> bool:
    """Is the relation certainly true at the point?"""
    return Conclusion(one).holds(values, meaning) is True


def tightened(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """The statement made stronger than it is, one conclusion at a time: its bound by a quarter, and by half.

    Of an equation the right side is moved by as much.
    """
    for index, conclusion in enumerate(statement.conclusions, 1):
        for share in (sp.Rational(1, 4), sp.Rational(1, 2)):
            if isinstance(conclusion.says, sp.Ne):
                continue
            changed = list(statement.conclusions)
            changed[index - 1] = conclusion.tightened(share)
            if isinstance(conclusion.says, sp.Eq):
                left, right = conclusion.sides
                changed[index - 1] = replace(conclusion, says=relation(left, "==", right + share))
            yield (
                f"conclusion {index}, its bound tightened by {share}",
                replace(statement, conclusions=tuple(changed)),
            )
