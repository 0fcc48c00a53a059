"""What the authors' released forward kernel computes, beside v1's eq 12; known from notes on its source.

Its score is written here by hand: q_A.k_A/sqrt(n_A) cos(|m-n|^alpha q_P.k_P/sqrt(D - n_A)) with
n_A = max(1, min(int(theta D), D - 1)). No line of its source is in this project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from analysis.evidence import Evidence
from proofs.checks import controlled, exact, tried
from proofs.exact import Expr
from proofs.gaussian_tokens import admitted_splits
from proofs.ledger import Known
from proofs.rivals import BESIDE
from proofs.statements import Conclusion, Statement, Variable, relation

PAPER = "tapa-code"
DISTANCE, POWER = sp.symbols("d alpha", positive=True)


def released_split(head: int, share: Fraction) -> int:
    """n_A of the released kernel, for D >= 2."""
    return max(1, min(int(share * head), head - 1))


def released_score(inner: Expr, phase: Expr, amplitude: Expr, rest: Expr) -> Expr:
    """The released kernel's score from q_A.k_A, q_P.k_P and the numbers of their dimensions."""
    return inner / sp.sqrt(amplitude) * sp.cos(DISTANCE**POWER * phase / sp.sqrt(rest))


def printed_score(inner: Expr, phase: Expr, amplitude: Expr, rest: Expr) -> Expr:
    """Eq 12 of the same."""
    return inner / sp.sqrt(amplitude) * sp.cos(2 * sp.pi * DISTANCE**POWER * phase / sp.sqrt(rest))


INNER, PHASE = sp.symbols("s_A s_P", real=True)
AMPLITUDE, REST = sp.symbols("n_A n_P", positive=True, integer=True)
ONE = sp.Integer(1)
ONES = {INNER: ONE, PHASE: ONE, AMPLITUDE: ONE, REST: ONE, DISTANCE: ONE}
RELEASED = Statement(
    (
        Variable(INNER),
        Variable(PHASE),
        Variable(AMPLITUDE, low=sp.Integer(0), integer=True),
        Variable(REST, low=sp.Integer(0), integer=True),
        Variable(DISTANCE, low=sp.Integer(0)),
        Variable(POWER, low=sp.Integer(0)),
    ),
    (
        Conclusion(
            relation(
                released_score(INNER, PHASE, AMPLITUDE, REST),
                "==",
                printed_score(INNER, PHASE / (2 * sp.pi), AMPLITUDE, REST),
            )
        ),
        Conclusion(
            relation(
                released_score(INNER, PHASE, AMPLITUDE, REST).subs(ONES),
                "!=",
                printed_score(INNER, PHASE, AMPLITUDE, REST).subs(ONES),
            )
        ),
    ),
    words=r"the kernel computes (12) of v1 with $q_P/(2\pi)$ for $q_P$ and $n_A/D$ for $\theta$, $n_A = \max(1, "
    r"\min(\lfloor \theta D \rfloor, D-1))$, $n_P = D - n_A$, and not (12) itself, from which it differs at $D = "
    r"2$, $q = k "
    r"= (1, 1)$, $|m-n| = 1$; with $s_A = q_A\cdot k_A$, $s_P = q_P\cdot k_P$, $d = |m-n|$: ",
)


@BESIDE.claim(
    "tapa-code.score",
    where="forward kernel",
    paper=PAPER,
    known=Known.NOTES,
    kind="remark",
    says=RELEASED,
    uses=("eq-12",),
    outline=(
        "Equal inner products and factors, but for the 2 pi. The power |m-n|^alpha is rounded to the type of q and k: "
        "in bfloat16 it is off by up to 2^-9 of itself, and so is the phase. Its benchmarks were read to use "
        "alpha = 1/2; that could not be confirmed, and nothing here depends on it. `tapa convert "
        "--phase-scale radians --rounding down` computes this score."
    ),
)
def tapa_code_score(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    ours, printed = statement.conclusions[1].sides
    yield exact(
        "D = 2, q = k = (1, 1), distance 1: not (12)", (ours - printed).is_zero is False, ours, printed
    )


@BESIDE.attack(
    "tapa-code.score",
    domain="D = 2..256, theta = 1/100..99/100: is n_A a split of the head? D = 2, 3, 64: is it theta D where whole?",
)
def tapa_code_score_attack() -> Iterator[Evidence]:
    shares = [Fraction(i, 100) for i in range(1, 100)]

    def outside(split: Callable[[int, Fraction], int], largest: int) -> Evidence:
        bad = sum(not 1 <= split(d, share) < d for d in range(2, largest + 1) for share in shares)
        return tried(f"n_A outside 1..D-1, D up to {largest}", bad == 0, bad, 0)

    def moved(split: Callable[[int, Fraction], int]) -> Evidence:
        admitted = [one for d in (2, 3, 64) for one in admitted_splits(d)]
        other = [one for one in admitted if split(one.head_dim, one.share) != one.amplitude]
        return tried("splits with whole parts where n_A is not theta D", not other, len(other), "none")

    yield controlled(outside(released_split, 256), outside(lambda d, share: int(share * d), 4))
    yield controlled(moved(released_split), moved(lambda d, share: d - 1))
    *others, power = RELEASED.variables  # at larger powers balls of the phase decide nothing
    few = Variable(POWER, among=(sp.Rational(1, 10), sp.Rational(1, 2), ONE, sp.Integer(2)))
    assert power == Variable(POWER, low=sp.Integer(0))
    yield from replace(RELEASED, variables=(*others, few)).attack()
