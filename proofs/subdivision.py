"""Certified statements about whole intervals and boxes by adaptive subdivision: signs, minima, ranges, roots.

On a box X with midpoint c, the mean-value form says f(X) is inside f(c) + sum_i (df/dx_i)(X) (X_i - c_i).
Its excess over the true range is quadratic in the width of X, against linear for f(X) alone; both are
computed and intersected. Functions take one ball per variable; `df` returns one ball (one variable) or a
sequence of them, each an enclosure of the partial derivative on the whole box it is given. A `df` that is not
the derivative of f is an `ArithmeticError` where a value of f is not where df leads: a guard, not a proof.
`isolate_roots` finds each root in a ball of its own: the sign changes there, and f is monotone in between.

What was bounded is counted, not taken from the request: a `Certificate` holds the box that its parts fill, and
`covers` compares such boxes, with the ranges that analysis decides, with a statement's domain.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import flint
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball, less, radius, sign, text, verdict
from proofs.checks import controlled

Function = Callable[..., arb]
Gradient = Callable[..., "arb | Sequence[arb]"]
Corner = Real | Sequence[Real]  # one number, or one per variable
Side = tuple[arb, arb]  # exact ends
Interval = tuple[Real, Real]  # ends of a closed range; arb("-inf") and arb("inf") are none


@dataclass(frozen=True, slots=True)
class Certificate:
    """Answer of `certify_positive`.

    Attributes:
        holds: True if f > 0 on the whole box; False if f <= 0 at the midpoint of `failing`; else None.
        boxes: how many boxes were bounded.
        lower: certified lower bound of f on the whole box, rounded down.
        radius: half the distance between `lower` and the least value seen (the minimum is in between); where
            `holds` is False, the radius of f's ball at the midpoint.
        failing: the box (lower end, upper end per variable) that decided False or None; empty where `holds`.
        value: f at the midpoint of `failing`, where `holds` is False.
        covered: the box that was bounded, exact ends of each side: measured on its parts, which fill it.
    """

    holds: bool | None
    boxes: int
    lower: float
    radius: float
    failing: tuple[tuple[float, float], ...] = ()
    value: str = ""
    covered: tuple[Side, ...] = ()

    def evidence(self, what: str) -> Evidence:
        """CERTIFIED, REFUTED or UNKNOWN, with the bound, the number of boxes and, where it fails, the box."""
        where = f", fails on {self.failing}" if self.failing else ""
        bound = f">= {self.lower:.6g}" if math.isfinite(self.lower) else "no finite lower bound"
        finite = math.isfinite(self.radius)
        return Evidence(
            f"{what} ({self.boxes} boxes{where})",
            verdict(self.holds),
            computed=self.value or bound,
            predicted="> 0",
            radius=self.radius if finite else None,
            precision=f"{flint.ctx.prec} bit ball" if finite else "undecided",
        )

    def coverage(self, what: str, lo: Corner, hi: Corner) -> Evidence:
        """Evidence that the box that was bounded holds the one from `lo` to `hi`: that of a statement's domain."""
        asked = list(zip(_corner(lo), _corner(hi), strict=True))
        shown = " x ".join(f"[{_shown(a)}, {_shown(b)}]" for a, b in asked)
        found = " x ".join(f"[{_shown(a)}, {_shown(b)}]" for a, b in self.covered)
        inside = [
            at_most(a, start) and at_most(end, b)
            for (start, end), (a, b) in zip(asked, self.covered, strict=len(self.covered) > 0)
        ]
        answer = None if None in inside else len(inside) == len(asked) and all(inside)
        return _coverage(what, answer, found or "no box", shown)


@dataclass(frozen=True, slots=True)
class Box:
    """A box with f at its centre, the slopes over the whole box (none without df) and an enclosure of f."""

    sides: list[Side]
    centre: list[arb]
    middle: arb
    slopes: Sequence[arb]
    value: arb

    @classmethod
    def of(cls, f: Function, df: Gradient | None, sides: list[Side]) -> Box:
        """Bound f by f of the balls and by the mean-value form, and intersect."""
        box = [lo.union(hi) for lo, hi in sides]
        centre = [((lo + hi) / 2).mid() for lo, hi in sides]
        middle, value = f(*centre), f(*box)
        slopes = () if df is None else _gradient(df, box)
        if slopes:
            mean = _mean_value(middle, slopes, box, centre)
            value = (
                value.intersection(mean) if value.is_finite() and mean.is_finite() else _finite(value, mean)
            )
        return cls(sides, centre, middle, slopes, value)

    @property
    def lower(self) -> arb:
        """Lower bound of f on the box, an exact number or -inf."""
        return self.value.lower() if self.value.is_finite() else arb("-inf")

    def guard(self, value: arb, point: Sequence[arb]) -> None:
        """`ArithmeticError` if f at a point of the box is not where the slopes lead: df is wrong."""
        led = _mean_value(self.middle, self.slopes, point, self.centre) if self.slopes else self.value
        if value.is_finite() and led.is_finite() and not value.overlaps(led):
            at = ", ".join(f"{float(x):.6g}" for x in point)
            raise ArithmeticError(f"f({at}) is {text(value)} where df leads to {text(led)}: wrong df?")

    def widest(self) -> int:
        """Index of the side whose width, times the size of its slope where known, is greatest."""
        widths = [float(hi - lo) for lo, hi in self.sides]
        weights = (
            [float(s.abs_upper()) * w for s, w in zip(self.slopes, widths, strict=True)]
            if self.slopes
            else []
        )
        usable = weights and all(map(math.isfinite, weights))
        return max(range(len(widths)), key=(weights if usable else widths).__getitem__)

    def divisible(self) -> bool:
        """Is the box wide enough to be halved at this precision?"""
        lo, hi = self.sides[index := self.widest()]
        return bool(less(lo, self.centre[index]) and less(self.centre[index], hi))


class BestFirst:
    """Best-first subdivision: the box with the least lower bound is always on top of the heap."""

    def __init__(self, f: Function, df: Gradient | None, lo: Corner, hi: Corner) -> None:
        self.f, self.df = f, df
        self.ends = list(zip(_corner(lo), _corner(hi), strict=False))  # as asked for, not rounded outwards
        self.boxes = 0
        self.least = arb("inf")  # upper bound of the minimum: the least value seen at a midpoint
        # exact lower bounds are totally ordered; the counter breaks ties, so boxes are never compared
        self._heap: list[tuple[arb, int, Box]] = []
        self._order = count()
        whole = self.push(box_sides(lo, hi))
        for corner in zip(*whole.sides, strict=True):
            whole.guard(f(*corner), corner)

    def push(self, sides: list[Side]) -> Box:
        """Bound f on a box and keep it, with the value at its midpoint."""
        self.boxes += 1
        box = Box.of(self.f, self.df, sides)
        # the dearest test last: most boxes do not improve on the least value
        if box.middle.is_finite() and less(box.middle.upper(), self.least) and self.asked(box.centre):
            self.least = box.middle.upper()
        heapq.heappush(self._heap, (box.lower, next(self._order), box))
        return box

    def top(self) -> Box:
        """The least box: its lower bound holds for all boxes."""
        return self._heap[0][2]

    def asked(self, point: Sequence[arb]) -> bool:
        """Is the point certainly in the box asked for? Outward rounding adds points that refute nothing."""
        return all(at_most(lo, x) and at_most(x, hi) for x, (lo, hi) in zip(point, self.ends, strict=True))

    def split(self) -> None:
        """Halve the least box across the side that contributes most to its width."""
        _, _, box = heapq.heappop(self._heap)
        index = box.widest()
        (lo, hi), cut = box.sides[index], box.centre[index]
        for half in ((lo, cut), (cut, hi)):
            child = self.push([*box.sides[:index], half, *box.sides[index + 1 :]])
            box.guard(child.middle, child.centre)

    def covered(self) -> tuple[Side, ...]:
        """The smallest box around all parts; `ArithmeticError` unless they fill it, by their exact volumes."""
        parts = [[(_exact(lo), _exact(hi)) for lo, hi in box.sides] for _, _, box in self._heap]
        sides = [(min(lo for lo, _ in side), max(hi for _, hi in side)) for side in zip(*parts, strict=True)]
        filled = sum((_volume(part) for part in parts), Fraction(0))
        if filled != _volume(sides):
            raise ArithmeticError(
                f"{len(parts)} boxes fill {float(filled / _volume(sides)):.6g} of their hull"
            )
        return tuple((ball(lo), ball(hi)) for lo, hi in sides)


def certify_positive(
    f: Function,
    df: Gradient | None,
    lo: Corner,
    hi: Corner,
    *,
    max_boxes: int = 20_000,
) -> Certificate:
    """Is f > 0 on the whole box from `lo` to `hi`? A `Certificate`, from about `max_boxes` boxes at most.

    Ends that are no binary fractions are rounded outwards, so the box certified contains the box asked for.
    For a non-strict or shifted bound pass `lambda x: f(x) - bound`. `InputError` if an end is not finite or
    out of order.
    """
    search = BestFirst(f, df, lo, hi)
    while True:
        worst = search.top()
        if worst.lower > 0:
            return _certificate(True, search)
        if at_most(worst.middle, 0) and search.asked(worst.centre):
            return _certificate(False, search)
        if search.boxes >= max_boxes or not worst.divisible():
            return _certificate(None, search)
        search.split()


_HELD = Fraction(4, 5)  # of the control of a search in boxes: the nearer to 1, the more boxes


def attacked_in_boxes(
    what: str,
    f: Function,
    df: Gradient | None,
    box: tuple[Corner, Corner],
    asked: tuple[str, Corner, Corner],
    *,
    control: Real,
) -> Iterator[Evidence]:
    """Evidence of a search in boxes that f > 0 on a box, and that the box holds the one that is asked for, in words.

    Its controls: f less `control` fails on the box, and the same box with each end moved out by 1 is not held.
    `InputError` where f > 0 and f less `_HELD` of the control is not: so the least value is known from both sides.
    """
    low = ball(control)
    lowered, found = (
        certify_positive(lambda *x, by=by: f(*x) - by, df, *box) for by in (low, low * ball(_HELD))
    )
    held = f"{what}, and {text(low * ball(_HELD), 4)} less than it too"
    if not found.holds:
        found, held = certify_positive(f, df, *box), what
        if found.holds:
            raise InputError(f"{what}: {control} is no narrow control of the least value")
    yield controlled(found.evidence(held), lowered.evidence(f"the same less {control}"))
    where, lo, hi = asked
    wider = [ball(end) - 1 for end in _corner(lo)], [ball(end) + 1 for end in _corner(hi)]
    yield controlled(
        found.coverage(f"{where}, what was covered", lo, hi), found.coverage("one wider", *wider)
    )


def minimum(
    f: Function,
    df: Gradient | None,
    lo: Corner,
    hi: Corner,
    *,
    tol: Real = "1e-6",
    max_boxes: int = 20_000,
) -> arb:
    """A ball of width below about `tol` that contains the minimum of f over the box; wider if boxes run out.

    `ArithmeticError` if no finite ball was found.
    """
    search, tol = BestFirst(f, df, lo, hi), ball(tol)
    while True:
        lower = search.top().lower
        if less(search.least - lower, tol) or search.boxes >= max_boxes or not search.top().divisible():
            found = lower.union(search.least) if lower.is_finite() else lower
            if not found.is_finite():
                raise ArithmeticError(f"no finite bound of the minimum after {search.boxes} boxes")
            return found
        search.split()


def maximum(
    f: Function,
    df: Gradient | None,
    lo: Corner,
    hi: Corner,
    *,
    tol: Real = "1e-6",
    max_boxes: int = 20_000,
) -> arb:
    """A ball that contains the maximum of f over the box; as `minimum`."""
    negative = None if df is None else lambda *xs: [-slope for slope in _gradient(df, xs)]
    return -minimum(lambda *xs: -f(*xs), negative, lo, hi, tol=tol, max_boxes=max_boxes)


def enclosure(
    f: Function,
    df: Gradient | None,
    lo: Corner,
    hi: Corner,
    *,
    tol: Real = "1e-6",
    max_boxes: int = 20_000,
) -> arb:
    """A ball that contains the whole range of f over the box, within about `tol` at either end."""
    least = minimum(f, df, lo, hi, tol=tol, max_boxes=max_boxes)
    return least.union(maximum(f, df, lo, hi, tol=tol, max_boxes=max_boxes))


def _certificate(holds: bool | None, search: BestFirst) -> Certificate:
    worst = search.top()
    bound = math.nextafter(float(worst.lower), -math.inf) if worst.lower.is_finite() else -math.inf
    if holds is False:
        return Certificate(
            holds, search.boxes, bound, radius(worst.middle), _floats(worst), text(worst.middle)
        )
    gap = (search.least - arb(bound)) / 2
    reach = math.nextafter(float(gap.upper()), math.inf) if gap.is_finite() else math.inf
    covered = search.covered() if holds else ()
    return Certificate(holds, search.boxes, bound, reach, () if holds else _floats(worst), covered=covered)


def covers(what: str, parts: Iterable[Interval], lo: Real, hi: Real) -> Evidence:
    """Evidence that closed ranges cover [lo, hi]: CERTIFIED, or REFUTED with the first gap, or UNKNOWN.

    Parts are given in any order; each has to begin, certainly, at or before the end of those before it.
    """
    ordered = sorted(((ball(a), ball(b)) for a, b in parts), key=lambda part: float(part[0].mid()))
    end, asked = ball(lo), f"{_shown(ball(lo))} to {_shown(ball(hi))}"
    for a, b in ordered:
        if (joined := at_most(a, end)) is not True:
            return _coverage(what, joined, f"between {_shown(end)} and {_shown(a)} nothing", asked)
        end = arb.max(end, b)
    reached = at_most(hi, end) if ordered else False
    return _coverage(what, reached, f"{len(ordered)} ranges, up to {_shown(end)}", asked)


def _coverage(what: str, answer: bool | None, found: str, asked: str) -> Evidence:
    return Evidence(
        f"{what}, what was covered",
        verdict(answer),
        computed=found,
        predicted=asked,
        radius=0.0,  # the ends of boxes are exact, and a comparison of balls that overlap decides nothing
        precision=f"{flint.ctx.prec} bit ball",
    )


def _shown(end: arb) -> str:
    return f"{float(end.mid()):.6g}"


def _exact(end: arb) -> Fraction:
    """An exact end of a box as a fraction."""
    mantissa, exponent = map(int, end.mid().man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


def _volume(sides: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    return math.prod((hi - lo for lo, hi in sides), start=Fraction(1))


def _floats(box: Box) -> tuple[tuple[float, float], ...]:
    return tuple((float(lo), float(hi)) for lo, hi in box.sides)


def box_sides(lo: Corner, hi: Corner) -> list[Side]:
    """Pairs of exact ends, rounded outwards; `InputError` if an end is not finite or the order is wrong."""
    los, his = _corner(lo), _corner(hi)
    if len(los) != len(his):
        raise InputError(f"a box needs as many lower ends as upper ones, got {len(los)} and {len(his)}")
    for a, b in zip(los, his, strict=True):
        if not (a.is_finite() and b.is_finite() and at_most(a, b)):
            raise InputError(
                f"[{text(a)}, {text(b)}] is no finite interval; bound a tail by analysis instead"
            )
    return [(a.lower(), b.upper()) for a, b in zip(los, his, strict=True)]


def _corner(values: Corner) -> list[arb]:
    return [ball(values)] if isinstance(values, Real) else [ball(value) for value in values]


def _gradient(df: Gradient, xs: Sequence[arb]) -> Sequence[arb]:
    slopes = df(*xs)
    return [slopes] if isinstance(slopes, arb) else slopes


def _mean_value(middle: arb, slopes: Sequence[arb], xs: Sequence[arb], centre: Sequence[arb]) -> arb:
    """f(c) + sum_i slope_i (x_i - c_i)."""
    for slope, x, c in zip(slopes, xs, centre, strict=True):
        middle += slope * (x - c)
    return middle


def _finite(one: arb, other: arb) -> arb:
    return one if one.is_finite() else other


@dataclass(frozen=True, slots=True)
class Roots:
    """Answer of `isolate_roots`: balls with exactly one root each, and intervals left undecided."""

    roots: tuple[arb, ...]
    unresolved: tuple[arb, ...]


def isolate_roots(
    f: Function, df: Function, lo: Real, hi: Real, *, tol: Real = "1e-12", max_boxes: int = 20_000
) -> Roots:
    """All roots of f in [lo, hi], in order, each in a ball of width about `tol` or less.

    An interval is unresolved if its width fell below `tol`, or boxes ran out, before f or f' was bounded away
    from zero on it: a multiple root, or a root at an end. No root lies outside `roots` and `unresolved`.
    `ArithmeticError` if df is seen not to be the derivative of f.
    """
    width, boxes = ball(tol), 0
    stack, roots, unresolved = box_sides(lo, hi), [], []
    while stack:
        a, b = stack.pop()
        box, boxes = Box.of(f, df, [(a, b)]), boxes + 1
        left, right = _end(f, a, box), _end(f, b, box)
        if sign(box.value) is not None:
            continue
        if sign(box.slopes[0]) and left is not None and right is not None:
            if left != right:
                roots.append(_refine(f, df, a, b, left, width))
        elif boxes >= max_boxes or less(width, b - a) is not True:
            unresolved.append(a.union(b))
        else:
            # off the middle, so that a root at a simple fraction is not hit by a cut
            cut = (a + (b - a) * 61 / 128).mid()
            stack += [(cut, b), (a, cut)]
    return Roots(tuple(roots), tuple(unresolved))


def _end(f: Function, x: arb, box: Box) -> int | None:
    """Sign of f at an end of the box, None if undecided."""
    value = f(x)
    box.guard(value, [x])
    return sign(value)


def _refine(f: Function, df: Function, a: arb, b: arb, left: int, tol: arb) -> arb:
    """The one root of a monotone f in [a, b], where f(a) has sign `left`: halves, then one Newton step."""
    while less(tol, b - a):
        middle = ((a + b) / 2).mid()
        here = sign(f(middle))
        if here is None or here == 0:
            # f(middle) cannot be told from 0: the root is within f(middle) / f' of it
            newton = middle - f(middle) / df(a.union(b))
            return newton.intersection(a.union(b))
        a, b = (middle, b) if here == left else (a, middle)
    return a.union(b)
