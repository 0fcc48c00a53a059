r"""The letters that statements on TAPA share: products and forms in vectors of any length, the split, the distance.

An inner product is one real number to the score, so it is one letter, printed as a product; checks put sums, matrices
or laws of coordinates in its place. D is the head dimension, theta the share of it that the amplitude has.
Beside the letters: what is asked of a bound in them, that it falls with the distance as the kernel step gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from analysis.evidence import Evidence
from proofs.checks import exact
from proofs.exact import identity
from proofs.gaussian_tokens import HEAD_DIMS, N, admitted_splits
from proofs.statements import Conclusion, Statement, Variable, relation

Expr = Any
ATTN = sp.Symbol(r"\mathrm{Attn}", real=True)
MEAN = sp.Symbol(r"|\mathrm{E} \mathrm{Attn}|", nonnegative=True)
INNER, INNER_A, INNER_P = (sp.Symbol(rf"q{part}^{{T}} k{part}", real=True) for part in ("", "_A", "_P"))
FORM_M, FORM_N = (sp.Symbol(rf"q^{{T}} {name} k", real=True) for name in "MN")
PHASE = sp.Symbol(r"\phi(q,k)", real=True)
HEAD, SHARE = sp.symbols("D theta", positive=True)
POWER = sp.Symbol("alpha", positive=True)
LAG = sp.Symbol("|m-n|", nonnegative=True)
APART = sp.Symbol("|m-n|", positive=True)  # where m = n is left out

AMPLITUDE_SIZE, PHASE_SIZE = SHARE * HEAD, (1 - SHARE) * HEAD
SPLIT = (Variable(HEAD, low=sp.Integer(0)), Variable(SHARE, low=sp.Integer(0), high=sp.Integer(1)))
ANY_POWER = Variable(POWER, low=sp.Integer(0))
ANY_LAG = Variable(LAG, low=sp.Integer(0), closed=True)
ANY_APART = Variable(APART, low=sp.Integer(0))


def quantity(name: str, **of: bool) -> sp.Symbol:
    """A letter for an integral, a supremum or a sum, printed in brackets so that a factor beside it is beside all."""
    return sp.Symbol("({}" + name + ")", **(of or {"positive": True}))


def every_size(statement: Statement, *symbols: sp.Symbol) -> Evidence:
    """Are the ranges of these all numbers of dimensions, 1, 2, 3 and so on?"""
    ranges = [statement.range_of(symbol) for symbol in symbols]
    cut = [
        one.words()
        for one in ranges
        if (one.low, one.high, one.integer, one.closed) != (1, sp.oo, True, True)
    ]
    return exact(
        f"of every number {', '.join(map(str, symbols))} of dimensions", not cut, cut, "no range is cut"
    )


def split_of(amplitude: Expr, phase: Expr) -> dict[sp.Symbol, Expr]:
    """D and theta of a head with so many dimensions in its amplitude and in its phase."""
    head = sp.sympify(amplitude) + phase
    return {HEAD: head, SHARE: amplitude / head}


def put(expression: Expr, values: Mapping[Any, Any]) -> Expr:
    """The expression with all letters replaced at once."""
    return sp.sympify(expression).subs(values, simultaneous=True)


def equals(left: Expr, right: Expr, *when: Any) -> Conclusion:
    """left = right, where the conditions hold."""
    return Conclusion(relation(left, "==", right), when=when)


SIZE_A = sp.Symbol("a", positive=True)  # theta D
WHOLE_SPLIT = (
    Variable(HEAD, low=sp.Integer(2), integer=True, closed=True, cut=True),
    Variable(SIZE_A, low=sp.Integer(1), high=HEAD - 1, integer=True, closed=True),
)
SHARE_OF = {SHARE: SIZE_A / HEAD}
ANY_DISTANCE = Variable(APART, low=sp.Integer(1), integer=True, closed=True)  # m and n are different
CONSTANT = sp.Symbol(r"C(\rho,D)", positive=True)


def decays(mean: Expr, constant: Expr, words: str, sign: str = "<") -> Statement:
    """|E Attn|, or what stands for it, is below a constant times |m-n|^(-alpha (1-theta) D) at every split."""
    bound = constant * APART ** (-POWER * PHASE_SIZE)
    said = (Conclusion(relation(mean, sign, bound)),)
    return Statement((*WHOLE_SPLIT, ANY_POWER, ANY_DISTANCE), said, meaning=SHARE_OF, words=words)


def in_dimensions(bound: Expr) -> Expr:
    """A bound in D and theta at a + n dimensions."""
    return sp.simplify(put(bound, split_of(SIZE_A, N)))


def falls_with_kernel(bound: Expr, s: Expr) -> Iterator[Evidence]:
    """The bound is s^-n of `thm-3.2.kernel` times what depends on neither distance nor alpha."""
    rest = sp.expand_log(sp.log(in_dimensions(bound)), force=True) + N * sp.expand_log(sp.log(s), force=True)
    for letter in (APART, POWER):
        yield identity(
            sp.diff(rest, letter), sp.Integer(0), f"the bound over s^-n does not depend on {letter}"
        )


def every_split(statement: Statement) -> Evidence:
    """Are the sizes a of the statement those of all heads that are split, both parts whole and not empty?"""
    sizes = statement.range_of(SIZE_A)
    for head in HEAD_DIMS:
        said = range(int(sizes.low), int(sizes.high.subs(HEAD, head)) + 1)
        found = [split.amplitude for split in admitted_splits(head)]
        if list(said) != found:
            return exact(f"D = {head}: every split", False, said, found)
    least = (statement.range_of(HEAD).low, statement.range_of(APART).low)
    return exact(
        "every split of every head, every distance but 0", least == (2, 1), least, "D from 2, |m-n| from 1"
    )


TURN_SQUARE = (2 * sp.pi * APART**POWER) ** 2 / PHASE_SIZE
NORMAL = {  # E Attn and its best constant of independent standard normal q_P, k_P, at E q_A.k_A = sqrt(theta D)
    MEAN: (1 + TURN_SQUARE) ** (-PHASE_SIZE / 2),
    CONSTANT: (sp.sqrt(PHASE_SIZE) / (2 * sp.pi)) ** PHASE_SIZE,
}
DECIDED = (relation(APART**POWER, "<", 50), relation(HEAD, "<", 70))


def at_normal(statement: Statement, law: dict[sp.Symbol, Expr]) -> Statement:
    """The statement of one law, where balls decide: its letters are numbers, so it can be attacked."""
    own = dict(statement.meaning)  # what comes later may name what comes before
    share = {SHARE: own.pop(SHARE)}
    return replace(statement, meaning={**share, **law, **own}).within(*DECIDED)


def falls_like(bound: Expr) -> Expr:
    """p of a bound that is a constant times |m-n|^-p."""
    return sp.simplify(-APART * sp.diff(sp.expand_log(sp.log(bound), force=True), APART))


def of_equal_tokens(bound: Expr, constant: Expr, doubled: Expr = 1) -> Evidence:
    """Is a bound for every density one for q_P = k_P standard normal, n = 4, too? E cos = Re (1 + iu)^-2, u = 4 pi s.

    REFUTED where the mean over the bound's power grows without end (`thm-3.2.equal`); `doubled`: of the doubled angle.
    """
    u = sp.Symbol("u", positive=True)
    power = put(in_dimensions(bound) / constant, {N: 4, APART: sp.root(u, POWER)})
    mean = ((doubled * u) ** 2 - 1) / (1 + (doubled * u) ** 2) ** 2
    found = sp.limit(mean / power, u, sp.oo)
    what = "q_P = k_P standard normal, n = 4: |E cos| over the power of the distance, as it grows"
    return exact(what, found.is_finite, found, "at most a constant")
