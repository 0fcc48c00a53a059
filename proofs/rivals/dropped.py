"""Gelberg et al. 2025, arXiv 2512.12167 (DroPE): what a model without positions starts from, and what RoPE gives it."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Verdict
from proofs.balls import ball, less
from proofs.checks import exact, tried
from proofs.integrals import RopeSums
from proofs.ledger import Known
from proofs.rivals import BESIDE, unjudged
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation

PAPER = "drope-2025"
TEXT = Known.FULL


SCORE = sp.Symbol("s", real=True)
ROW = sp.Symbol("i", positive=True, integer=True)
UNIFORM = Statement(
    (Variable(SCORE), Variable(ROW, low=sp.Integer(0), integer=True)),
    (Conclusion(relation(sp.exp(SCORE) / sp.Mul(ROW, sp.exp(SCORE), evaluate=False), "==", 1 / ROW)),),
    words=r"NoPE on a constant sequence: all scores of a row $i$ are one number $s$, so $\alpha_{ij}=1/i$, and "
    r"$A^c=\frac1T\sum_i\sum_{j\le i}c_{ij}\alpha_{ij}=0$ for every $c$ with $\sum_{j\le i}c_{ij}=0$; ",
)


@BESIDE.claim(
    "drope-0",
    where="Prop. 3.2",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=UNIFORM,
    outline="All scores of a row are equal, so softmax is uniform, and each row's sum is (1/i) sum_j c_ij = 0.",
    proof=r"""
        Equal scores $s$ give $\alpha_{ij}=e^s/(ie^s)=1/i$, and $\sum_{j\le i}c_{ij}/i=0$. $\square$
    """,
)
def drope_0(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    total = sp.simplify(statement.target() * sp.Integer(0))
    yield exact("a row of A^c: 1/i times the sum of its c, which is 0", total == 0, total, 0)


@BESIDE.attack("drope-0", domain="rows 1 to 6, c = (1, -1, 0, ...) and (1, 1, -2, ...), exactly")
def drope_0_attack() -> Iterator[Evidence]:
    found = {sum(c * sp.Rational(1, i) for c in cs) for i in range(3, 7) for cs in ((1, -1, 0), (1, 1, -2))}
    yield tried("rows of A^c", found == {0}, found, {0})
    yield from UNIFORM.attack()


@BESIDE.claim(
    "drope-rope",
    where="Prop. 3.3",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=r"a non-degenerate RoPE head on a constant sequence has some $c$ with $A^c>0$ and a gradient other than 0",
    outline="Read, and not judged here.",
    in_words="read, and not judged",
)
def drope_rope() -> Iterator[Evidence]:
    yield unjudged("read; not judged here")


@BESIDE.attack("drope-rope", domain="none was made")
def drope_rope_attack() -> Iterator[Evidence]:
    yield unjudged("not attacked")


@BESIDE.claim(
    "drope-1",
    where="Theorem 3.4",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=r"at initialisation, NoPE: a prefix spread of at most $\epsilon$ stays at most $C_1\epsilon$ through "
    r"the layers, and "
    r"$|A^c|\le C_2\epsilon$, with constants free of $T$, with high probability",
    outline="Read, and not judged here.",
    in_words="read, and not judged",
)
def drope_1() -> Iterator[Evidence]:
    yield unjudged("read; not judged here")


@BESIDE.attack("drope-1", domain="none was made")
def drope_1_attack() -> Iterator[Evidence]:
    yield unjudged("not attacked")


def slow_frequencies(base: int, head_dim: int, length: int) -> int:
    """How many pairs turn less than once within the length: omega < 2 pi/length, each decided in balls."""
    turn = 2 * arb.pi() / ball(length)
    decided = [less(omega, turn) for omega in RopeSums.of(head_dim, base=base, turns=False).omega]
    if None in decided:
        raise ArithmeticError("a frequency cannot be told from one turn in the length: raise the precision")
    return sum(map(bool, decided))


PAIR = sp.Symbol("m", integer=True, nonnegative=True)
TRAINED = sp.Integer(32_000)


def slowness(head_dim: int) -> sp.Expr:
    """omega_m C_train at base 10^4."""
    return sp.Integer(10_000) ** (-2 * PAIR / sp.Integer(head_dim)) * TRAINED


SLOW_FIVE = Statement(
    (Variable(PAIR, low=sp.Integer(27), high=sp.Integer(31), integer=True, closed=True),),
    (Conclusion(relation(slowness(64), "<", 2 * sp.pi)),),
    words=r"base $10^4$, $d_k=64$, $C_{train}=32{,}000$: at least five frequencies have "
    r"$\omega_mC_{train}<2\pi$, so the "
    "slowest five of the 32 do: ",
)
LESS_THAN_ONCE = Statement(
    (Variable(PAIR, low=sp.Integer(0), high=sp.Integer(63), integer=True, closed=True),),
    (
        Conclusion(
            relation(slowness(64), "<", 2 * sp.pi), when=(relation(PAIR, ">=", 30), relation(PAIR, "<=", 31))
        ),
        Conclusion(relation(slowness(64), ">", 2 * sp.pi), when=(relation(PAIR, "<", 30),)),
        Conclusion(relation(slowness(128), "<", 2 * sp.pi), when=(relation(PAIR, ">=", 60),)),
        Conclusion(relation(slowness(128), ">", 2 * sp.pi), when=(relation(PAIR, "<", 60),)),
    ),
    words=r"two of the 32 pairs turn less than once within $C_{train}$, and at $d_k=128$ four of the 64: ",
)


@BESIDE.claim(
    "drope-freq",
    where="the example of the printed sizes",
    paper=PAPER,
    known=TEXT,
    kind="remark",
    says=SLOW_FIVE,
    outline="There are two.",
)
def drope_freq(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({PAIR: 27})
    found = slow_frequencies(10_000, 64, int(TRAINED))
    yield tried("frequencies that turn less than once: fewer than five", found < 5, found, "< 5")


@BESIDE.repair("drope-freq", says=LESS_THAN_ONCE, outline="Each frequency is decided in balls.")
def drope_freq_repaired(statement: Statement) -> Iterator[Evidence]:
    slow, _, slow_long, _ = statement.conclusions
    for head_dim, conclusion, last in ((64, slow, 31), (128, slow_long, 63)):
        count = last + 1 - int(conclusion.when[0].rhs)
        found = slow_frequencies(10_000, head_dim, int(TRAINED))
        yield exact(f"d_k = {head_dim}", found == count, found, count)
    pair, decided = statement.range_of(PAIR), []
    for m in range(int(pair.high) + 1):
        for conclusion in statement.conclusions:
            if all(one.subs(PAIR, m) for one in conclusion.when):
                greater, lesser = (constant_ball(side.subs(PAIR, m)) for side in conclusion.sides)
                decided.append(less(lesser, greater))
    yield exact(
        "every conclusion at every pair", set(decided) == {True}, f"{len(decided)} comparisons", "true"
    )


@BESIDE.attack("drope-freq*", domain="the slowest two and the third slowest, by their exponents in mpmath")
def drope_freq_attack() -> Iterator[Evidence]:
    slow = [m for m in range(32) if mpmath.mpf(10) ** (-4 * mpmath.mpf(2 * m) / 64) * 32_000 < 2 * mpmath.pi]
    answer = Verdict.SUPPORTED if slow == [30, 31] else Verdict.REFUTED
    yield Evidence("pairs that turn less than once", answer, computed=str(slow), predicted="[30, 31]")
    yield from LESS_THAN_ONCE.attack(number=150)
