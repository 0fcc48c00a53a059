r"""Wertheimer et al. 2026, arXiv 2603.18017 (Frayed RoPE): what rotation does to the singular values of a head's keys.

X (n x d) are the keys or queries of a head, R(X) the same with row i rotated by RoPE, s_1 the largest singular value.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from analysis.evidence import Evidence
from proofs.checks import controlled, equality, exact, tried
from proofs.ledger import Known
from proofs.rivals import BESIDE, unjudged
from proofs.statements import Conclusion, Statement, Variable, relation

PAPER = "frayed-2026"
X0, X1, A = sp.symbols("x_0 x_1 phi", real=True)


@BESIDE.claim(
    "frayed-1",
    where="Lemma 1",
    paper=PAPER,
    known=Known.NOTES,
    kind="lemma",
    says=r"for $X=uv^T$ of rank one, as $n\to\infty$ RoPE divides $s_1$ by a factor between $\sqrt2$ and $\sqrt d$",
    outline="Conditions on u and on the frequencies were not seen; not judged. What holds for a constant u: "
    "frayed-1.ends.",
    in_words="conditions on u and on the frequencies were not seen",
)
def frayed_1() -> Iterator[Evidence]:
    yield unjudged("conditions on u and on the frequencies were not seen")


LENGTH_KEPT = Statement(
    (Variable(X0), Variable(X1), Variable(A)),
    (
        Conclusion(
            relation(
                (X0 * sp.cos(A) - X1 * sp.sin(A)) ** 2 + (X0 * sp.sin(A) + X1 * sp.cos(A)) ** 2,
                "==",
                X0**2 + X1**2,
            )
        ),
    ),
    words=r"$|R(X)|_F=|X|_F$, as each pair of each row keeps its length: ",
)


@BESIDE.claim(
    "frayed-2",
    where="Lemma 2",
    paper=PAPER,
    known=Known.NOTES,
    kind="lemma",
    says=LENGTH_KEPT,
    outline="Each pair of each row keeps its length.",
    proof=r"""
        $|X|_F^2$ is the sum over rows and pairs of $x_0^2+x_1^2$, which a rotation keeps. $\square$
    """,
)
def frayed_2(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()


BESIDE.attack("frayed-2", domain=LENGTH_KEPT.domain())(LENGTH_KEPT.attack)


@BESIDE.claim(
    "frayed-3",
    where="Theorem 1",
    paper=PAPER,
    known=Known.NOTES,
    kind="theorem",
    says=r"the stable rank $|X|_F^2/s_1^2$ grows by a factor between 2 and $d$",
    uses=("frayed-2",),
    outline="It is Lemma 1 squared over Lemma 2; not judged, as Lemma 1 is not.",
    in_words="rests on Lemma 1",
)
def frayed_3() -> Iterator[Evidence]:
    yield unjudged("rests on Lemma 1")


HEAD, GREATEST, SHRINKS = sp.symbols("d g f", positive=True)
REST = sp.Symbol("h", nonnegative=True)
ENDS = Statement(
    (
        Variable(HEAD, low=sp.Integer(0), even=True),
        Variable(GREATEST, low=sp.Integer(0)),
        Variable(REST, low=sp.Integer(0), high=(HEAD / 2 - 1) * GREATEST, closed=True),
    ),
    (Conclusion(relation(SHRINKS, ">=", 2)), Conclusion(relation(SHRINKS, "<=", HEAD))),
    meaning={SHRINKS: (GREATEST + REST) / (GREATEST / 2)},
    words=r"for constant $u$, frequencies of which no two differ by or add up to a multiple of $2\pi$ and none is a "
    r"multiple of $\pi$: as $n\to\infty$, $s_1^2$ falls by the factor $f$, of $g=\max_m|v_m|^2$ and of the sum $h$ "
    r"of the other $|v_m|^2$: ",
)


@BESIDE.claim(
    "frayed-1.ends",
    where="beside Lemma 1",
    paper=PAPER,
    known=Known.OURS,
    kind="lemma",
    says=ENDS,
    outline="Means of cos^2, sin^2 are 1/2, those of all other products 0, so R(X)^T R(X)/n tends to blocks "
    "|v_m|^2/2 I. "
    "With d/2 pairs, max <= sum <= (d/2) max.",
    proof=r"""
        The mean over positions of $\cos(i\omega)\cos(i\omega')$ and its kin is a mean of $e^{i(\omega\pm\omega')}$,
        which tends to 0 unless $\omega\pm\omega'\in2\pi\mathbb Z$: only $\cos^2$ and $\sin^2$ of one frequency keep
        $\frac12$. So $R(X)^TR(X)/n\to\mathrm{diag}(\frac12|v_m|^2I_2)$, whose largest eigenvalue is
        $\frac12\max_m|v_m|^2$, against $|v|^2$. As $\max\le\sum\le\frac d2\max$, the quotient lies between 2 and
        $d$. $\square$
    """,
)
def frayed_ends(statement: Statement) -> Iterator[Evidence]:
    turned = sp.Matrix([X0 * sp.cos(A) - X1 * sp.sin(A), X0 * sp.sin(A) + X1 * sp.cos(A)])
    block = turned * turned.T
    mean = block.applyfunc(
        lambda entry: sp.simplify(sp.integrate(sp.expand(entry), (A, 0, 2 * sp.pi)) / (2 * sp.pi))
    )
    half = (X0**2 + X1**2) / 2 * sp.eye(2)
    gap = sp.simplify(mean - half)
    yield exact("mean of a block, less half of its length's square", gap == sp.zeros(2), gap, "0")
    factor, others = statement.meaning[SHRINKS], statement.range_of(REST)
    yield equality(
        "|v|^2 over half of its greatest pair",
        factor,
        (GREATEST + REST) / half[0, 0].subs({X0**2: GREATEST, X1**2: 0}),
    )
    yield equality("one pair alone: the factor", factor.subs(REST, others.low), statement.target(1))
    yield equality(
        "all pairs alike: the factor", sp.expand(factor.subs(REST, others.high)), statement.target(2)
    )
    slope = sp.diff(factor, REST)
    yield exact("it rises with the others", slope.is_positive, slope, "> 0")


@BESIDE.attack("frayed-1.ends", domain="one pair alone, d = 2: the two ends are one")
def frayed_ends_attack() -> Iterator[Evidence]:
    def factor_of(pairs: int) -> Evidence:
        factor = sp.simplify((X0**2 + X1**2) / ((X0**2 + X1**2) / (2 * pairs)))
        return tried(f"factor of {pairs} pairs", factor == 2, factor, 2)

    yield controlled(factor_of(1), factor_of(2))
    yield from ENDS.attack()
