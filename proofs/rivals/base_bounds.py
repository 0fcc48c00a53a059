r"""Men, Xu et al. 2024, arXiv 2405.14591: $B_m=\sum_{i<d/2}\cos m\theta_i$ must stay nonnegative over the context.

B_m is D C_D of v1 at the same angles in rad.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import Distances, controlled, equality, exact, search, tried
from proofs.integrals import RopeSums
from proofs.ledger import Known
from proofs.rivals import BESIDE
from proofs.statements import Conclusion, Cosines, Listed, Statement, Variable, relation, tex

PAPER = "men-2024"
TEXT = Known.FULL
HEAD_DIM = 128  # at which the printed table can be reproduced; the table itself does not say


def rope_sum(base: int, distance: int) -> arb:
    """B_m at one distance."""
    return HEAD_DIM * RopeSums.of(HEAD_DIM, base=base, turns=False).cos(distance)


def serves(base: int, length: int) -> Evidence:
    """B_m >= 0 for every m in 0..length-1, each of them bounded in balls."""
    least, _ = Distances(RopeSums.of(HEAD_DIM, base=base, turns=False).omega, 1, 0).extremes(0, length)
    return below(f"base {base}: least B_m over every m < {length} is positive", 0, HEAD_DIM * least)


S, M, A, MQ, MK = sp.symbols("s mu phi mu_q mu_k", real=True)


def expected_difference(mean_q: sp.Expr, mean_k: sp.Expr) -> sp.Expr:
    """E q.R k* - E q.R k of one pair, R by the angle phi, k* = q + e; the pair's score by its definition."""
    q0, q1, k0, k1 = sp.symbols("q_0 q_1 k_0 k_1", real=True)
    score = sp.expand((q0 * k0 + q1 * k1) * sp.cos(A) + (q1 * k0 - q0 * k1) * sp.sin(A))
    similar = sp.expand(score.subs({k0: q0, k1: q1})).subs({q0**2: mean_q**2 + S**2, q1**2: mean_q**2 + S**2})
    return sp.expand(similar - score.subs({q0: mean_q, q1: mean_q, k0: mean_k, k1: mean_k}))


SAME = relation(MQ, "==", MK)
SAME_MEAN = f"${tex(SAME)}$"
DIFFERENCE = Statement(
    (Variable(S, low=sp.Integer(0)), Variable(MQ), Variable(MK), Variable(A)),
    (Conclusion(relation(expected_difference(MQ, MK), "==", 2 * S**2 * sp.cos(A))),),
    given=(SAME,),
    words=r"$\mathrm{E}q\cdot R_mk^*-\mathrm{E}q\cdot R_mk=2s^2B_m$ for every $m$, where $k^*=q+e$, $\mathrm Ee=0$ "
    r"(printed of any such $e$, while its proof uses that $e$ is independent of $q$, and that $\mu_q=\mu_k$); "
    r"of one pair with the angle $\phi$, the components of $q$ and $k$ with the means $\mu_q$, $\mu_k$: ",
)


def mean_over(*errors: int, similar: int | None = None) -> sp.Expr:
    """Mean of q.R k* - q.R k over all outcomes of one pair: components 1 or 3, e of these values, by fair coins.

    With `similar` both components of k* are that, for certain, so that e depends on q.
    """
    total, outcomes = sp.Integer(0), list(product(*[(1, 3)] * 4, *[errors] * 2))
    for q0, q1, k0, k1, e0, e1 in outcomes:
        s0, s1 = (q0 + e0, q1 + e1) if similar is None else (similar, similar)
        near = (q0 * s0 + q1 * s1, q1 * s0 - q0 * s1)
        other = (q0 * k0 + q1 * k1, q1 * k0 - q0 * k1)
        total += (near[0] - other[0]) * sp.cos(A) + (near[1] - other[1]) * sp.sin(A)
    return sp.expand(total / len(outcomes))


CENTRED_ERROR, INDEPENDENT_ERROR = r"$\mathrm{E}e=0$", "$e$ independent of $q$"


@BESIDE.necessary("men-1", hypothesis=CENTRED_ERROR)
def men_1_of_shifted_error() -> Iterator[Evidence]:
    found, said = mean_over(1), DIFFERENCE.target().subs(S, 1)
    yield exact("components 1 or 3 by fair coins, so s = 1, and e = 1", found == said, found, said)


@BESIDE.necessary("men-1", hypothesis=INDEPENDENT_ERROR)
def men_1_of_dependent_error() -> Iterator[Evidence]:
    found, said = mean_over(0, similar=2), DIFFERENCE.target().subs(S, 1)
    yield exact(
        "components 1 or 3 by fair coins, so s = 1, and e = 2 - q, of mean 0", found == said, found, said
    )


@BESIDE.claim(
    "men-1",
    where="Theorem 1",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=DIFFERENCE,
    assumes=(
        "components independent and identically distributed, standard deviation $s$",
        CENTRED_ERROR,
        INDEPENDENT_ERROR,
    ),
    outline="One pair: E q.R q = 2 (mean^2 + s^2) cos, E q.R k = 2 mean^2 cos, E q.R e = 0; sum over the pairs.",
    proof=r"""
        In a pair $q\cdot Rk=(q_0k_0+q_1k_1)\cos\varphi+(q_1k_0-q_0k_1)\sin\varphi$. For $k=q$ the second bracket is
        0 and the first has the mean $2(\mu^2+s^2)$; for an independent $k$ of the same mean they have $2\mu^2$ and
        0, and for $e$ both are 0. The difference is $2s^2\cos\varphi$; sum over the $d/2$ pairs. $\square$
    """,
)
def men_1(statement: Statement) -> Iterator[Evidence]:
    ((given,), (conclusion,)) = statement.given, statement.conclusions
    left = sp.expand(conclusion.says.lhs.subs(given.lhs, given.rhs))
    yield equality("one pair: the difference of the expected scores", left, statement.target())
    yield equality("as the pair's score has it", left, expected_difference(MK, MK))


@BESIDE.necessary("men-1", hypothesis=SAME_MEAN)
def men_1_other_mean() -> Iterator[Evidence]:
    yield DIFFERENCE.without(SAME).fails_at({S: 1, MQ: 1, MK: 0, A: 0})


@BESIDE.attack("men-1", domain="one pair, components 1 or 3 by fair coins, e = +-1: all 64 outcomes, exactly")
def men_1_attack() -> Iterator[Evidence]:
    def agrees(*errors: int) -> Evidence:
        mean, what = mean_over(*errors), f"mean over all outcomes, s = 1, e in {errors}"
        return tried(what, mean == 2 * sp.cos(A), mean, "2*cos(phi)")

    yield controlled(agrees(1, -1), agrees(1))
    yield from DIFFERENCE.attack(number=80)


FAILING = (  # length, printed base, a distance inside the length at which B_m < 0
    (4096, 27_000, 4080),
    (16_384, 310_000, 14_894),
    (32_768, 640_000, 30_929),
    (131_072, 7_800_000, 128_915),
    (1_048_576, 510_000_000, 874_868),
)
SERVING = ((1024, 4294), (2048, 11_590), (4096, 26_960), (8192, 83_775), (16_384, 231_700))


BASE, LENGTH = sp.symbols("b L", positive=True)
PLACE = sp.Symbol("m", integer=True, nonnegative=True)
ANY_PLACE = Variable(PLACE, low=sp.Integer(0), high=LENGTH - 1, integer=True, closed=True)


def summed(base: sp.Expr, place: sp.Expr = PLACE) -> sp.Expr:
    """B_m at d = 128, as C_D in radians."""
    return sp.Integer(HEAD_DIM) * Cosines(sp.Integer(HEAD_DIM), base, place, sp.Integer(1))


def served_rows(*rows: tuple[int, int]) -> Listed:
    """Listed (L, b)."""
    return Listed((LENGTH, BASE), tuple((sp.Integer(length), sp.Integer(base)) for length, base in rows))


LEAST = sp.Integer(0)  # what the sums may not fall below
PRINTED = Statement(
    (served_rows(*((length, base) for length, base, _ in FAILING)), replace(ANY_PLACE, high=LENGTH)),
    (Conclusion(relation(summed(BASE), ">=", LEAST)),),
    words=rf"the least bases $b$ with $B_m \ge {LEAST}$ for all $m$ within a length $L$, as Table 2 prints them, read "
    rf"as numbers ($d = {HEAD_DIM}$, which reproduces the table); at 2k it prints $1.6\cdot10^4$; ",
)
SERVED = Statement(
    (served_rows(*SERVING), ANY_PLACE),
    (Conclusion(relation(summed(BASE), ">", LEAST)),),
    words=rf"at $d = {HEAD_DIM}$ the bases $b$ serve the lengths $L$: ",
)


@BESIDE.claim(
    "men-table",
    where="Table 2",
    paper=PAPER,
    known=TEXT,
    kind="remark",
    says=PRINTED,
    outline="Allowed bases form many short intervals, so a rounded end may lie outside of them: at each of the "
    "five B_m < 0 "
    "for an m inside the length; and at 2k the smaller base 11,590 serves, so 1.6e4 is not the least.",
)
def men_table(statement: Statement) -> Iterator[Evidence]:
    for length, base, distance in FAILING:
        yield statement.fails_at({LENGTH: length, BASE: base, PLACE: distance})


@BESIDE.repair(
    "men-table",
    says=SERVED,
    outline="Every distance is bounded in balls. That no smaller base serves is not said: it was seen on a grid alone.",
)
def men_table_repaired(statement: Statement) -> Iterator[Evidence]:
    table, (conclusion,) = statement.table, statement.conclusions
    yield exact("the sums are bounded below by 0", conclusion.says.rhs == 0, conclusion.says.rhs, 0)
    for length, base in table.rows:
        yield serves(int(base), int(length))


@BESIDE.attack("men-table*", domain="the last 200 distances of each length, by the sums one by one")
def men_table_attack() -> Iterator[Evidence]:
    for place, control in ((0, "0.0204"), (1, "1.82"), (2, "0.11"), (3, "0.189"), (4, "0.0243")):
        length, base = SERVING[place]
        cases = ((f"m = {m}", rope_sum(base, m)) for m in range(length - 200, length))
        yield search(f"base {base}: B_m", cases, control=control)
    yield from SERVED.attack()


WHOLE = 4096
NOT_MONOTONE = Statement(
    (Variable(PLACE, low=sp.Integer(0), high=sp.Integer(WHOLE - 1), integer=True, closed=True),),
    (
        Conclusion(relation(summed(sp.Integer(26_960)), ">", LEAST)),
        Conclusion(relation(summed(sp.Integer(27_000), sp.Integer(4080)), "<", LEAST)),
    ),
    words=rf"whether $B_m\ge{LEAST}$ over a length is not monotone in the base, at $d={HEAD_DIM}$ and $L={WHOLE}$: ",
)


@BESIDE.claim(
    "men-monotone",
    where="beside Table 2",
    paper=PAPER,
    known=Known.OURS,
    kind="remark",
    says=NOT_MONOTONE,
    outline="Every distance below 4096 at the one, m = 4080 at the other.",
)
def men_monotone(statement: Statement) -> Iterator[Evidence]:
    last = statement.range_of(PLACE).high
    (smaller, larger) = (next(iter(one.says.lhs.atoms(Cosines))) for one in statement.conclusions)
    yield serves(int(smaller.args[1]), int(last) + 1)
    base, distance = (int(value) for value in larger.args[1:3])
    yield exact(
        "a larger base, inside the length", base > smaller.args[1] and distance <= last, (base, distance), ""
    )
    yield below(f"base {base}: B_{distance} is negative", rope_sum(base, distance), 0)


@BESIDE.attack("men-monotone", domain="the same two bases at twice the precision")
def men_monotone_attack() -> Iterator[Evidence]:
    yield search("B_4080 at 26,960", [("26960", rope_sum(26_960, 4080))], control="0.263")
    yield search("less B_4080 at 27,000", [("27000", -rope_sum(27_000, 4080))], control="0.485")
    yield from NOT_MONOTONE.attack()


ANGLE = sp.Symbol("x", real=True)
HALF = 1 + sp.cos(ANGLE)  # of a pair that turns beside one that does not
SUMMED = tex(HALF.subs(ANGLE, sp.Symbol(r"{m\theta_i}")))
HALVES = Statement(
    (Variable(ANGLE),),
    (
        Conclusion(relation(HALF, "==", 2 * sp.cos(ANGLE / 2) ** 2)),
        Conclusion(relation(HALF, ">=", LEAST)),
    ),
    words=rf"with half of the pairs unrotated the sum is $\sum({SUMMED})\ge{LEAST}$ for every $m$ and base: no "
    r"bound is "
    r"left; term by term, ",
)


@BESIDE.claim(
    "men-half",
    where="beside Table 2",
    paper=PAPER,
    known=Known.OURS,
    kind="remark",
    says=HALVES,
    outline="1 + cos x = 2 cos^2(x/2).",
    proof=r"""
        $1+\cos x=2\cos^2(x/2)\ge0$, term by term. $\square$
    """,
)
def men_half(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    square = statement.target(1)
    yield exact("a square is not negative", square.is_nonnegative, square, ">= 0")
    yield exact(
        "and 0 is its least", statement.target(2) == square.subs(ANGLE, sp.pi), statement.target(2), 0
    )


@BESIDE.attack("men-half", domain="x near pi, where 1 + cos is least")
def men_half_attack() -> Iterator[Evidence]:
    cases = (
        (f"x = pi + {k}/1000", 1 + (arb.pi() + ball(k) / 1000).cos()) for k in (*range(-9, 0), *range(1, 10))
    )
    yield search("1 + cos x", cases, control="5e-7")
    yield from HALVES.attack()
