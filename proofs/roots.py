"""All roots of a function on an interval, each in a ball of its own: sign change, and monotone in between."""

from __future__ import annotations

from dataclasses import dataclass

from flint import arb

from proofs.balls import Real, ball, less, sign
from proofs.subdivision import Box, Function, box_sides


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
