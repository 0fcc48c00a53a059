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

PAPER = "drope-2025"
TEXT = Known.FULL


@BESIDE.claim(
    "drope-0",
    where="Prop. 3.2",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=r"NoPE on a constant sequence: $\alpha_{ij}=1/i$, and $A^c=\frac1T\sum_i\sum_{j\le "
    r"i}c_{ij}\alpha_{ij}=0$ for every "
    r"$c$ with $\sum_{j\le i}c_{ij}=0$",
    outline="All scores of a row are equal, so softmax is uniform, and each row's sum is (1/i) sum_j c_ij = 0.",
    proof=r"""
        Equal scores $s$ give $\alpha_{ij}=e^s/(ie^s)=1/i$, and $\sum_{j\le i}c_{ij}/i=0$. $\square$
    """,
)
def drope_0() -> Iterator[Evidence]:
    score = sp.Symbol("s", real=True)
    row = sp.Symbol("i", positive=True, integer=True)
    weight = sp.simplify(sp.exp(score) / (row * sp.exp(score)))
    yield exact("a weight of row i, all scores equal", weight == 1 / row, weight, "1/i")
    total = sp.simplify(weight * sp.Integer(0))
    yield exact("a row of A^c: 1/i times the sum of its c, which is 0", total == 0, total, 0)


@BESIDE.attack("drope-0", domain="rows 1 to 6, c = (1, -1, 0, ...) and (1, 1, -2, ...), exactly")
def drope_0_attack() -> Iterator[Evidence]:
    found = {sum(c * sp.Rational(1, i) for c in cs) for i in range(3, 7) for cs in ((1, -1, 0), (1, 1, -2))}
    yield tried("rows of A^c", found == {0}, found, {0})


@BESIDE.claim(
    "drope-rope",
    where="Prop. 3.3",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=r"a non-degenerate RoPE head on a constant sequence has some $c$ with $A^c>0$ and a gradient other than 0",
    outline="Read, and not judged here.",
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


@BESIDE.claim(
    "drope-freq",
    where="the example of the printed sizes",
    paper=PAPER,
    known=TEXT,
    kind="remark",
    says=r"base $10^4$, $d_k=64$, $C_{train}=32{,}000$: at least five frequencies with $\omega_mC_{train}<2\pi$",
    outline="There are two.",
)
def drope_freq() -> Iterator[Evidence]:
    found = slow_frequencies(10_000, 64, 32_000)
    yield exact("frequencies that turn less than once", found >= 5, found, ">= 5")


@BESIDE.repair(
    "drope-freq", says="there are two, and at $d_k=128$ four", outline="Each frequency is decided in balls."
)
def drope_freq_repaired() -> Iterator[Evidence]:
    for head_dim, count in ((64, 2), (128, 4)):
        found = slow_frequencies(10_000, head_dim, 32_000)
        yield exact(f"d_k = {head_dim}", found == count, found, count)


@BESIDE.attack("drope-freq*", domain="the slowest two and the third slowest, by their exponents in mpmath")
def drope_freq_attack() -> Iterator[Evidence]:
    slow = [m for m in range(32) if mpmath.mpf(10) ** (-4 * mpmath.mpf(2 * m) / 64) * 32_000 < 2 * mpmath.pi]
    answer = Verdict.SUPPORTED if slow == [30, 31] else Verdict.REFUTED
    yield Evidence("pairs that turn less than once", answer, computed=str(slow), predicted="[30, 31]")
