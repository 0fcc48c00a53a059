"""Godavarti 2026, arXiv 2606.24975: near keys, far keys, and what rotations along the path cannot do about far mass."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from analysis.evidence import Evidence
from proofs.checks import equality, exact
from proofs.ledger import Known
from proofs.rivals import BESIDE, unjudged
from proofs.statements import Conclusion, Statement, Variable

PAPER = "godavarti-2026"
R, NEAR, FAR, P, MASS = sp.symbols("R N_near N_far p m", positive=True)


@BESIDE.claim(
    "god-incoherent",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="theorem",
    says="under a spectral condition the product of rotations along the path becomes incoherent after a mixing window "
    "whose length does not depend on the context",
    outline="The condition was not seen; not judged.",
    in_words="the condition was not seen",
)
def god_incoherent() -> Iterator[Evidence]:
    yield unjudged("the condition was not seen")


@BESIDE.claim(
    "god-gap",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="theorem",
    says="concentration in high dimension turns it into a score gap of near and far keys, the same at any length",
    outline="The rate in the dimension was not seen; not judged.",
    in_words="the rate was not seen",
)
def god_gap() -> Iterator[Evidence]:
    yield unjudged("the rate was not seen")


FAR_MASS = Statement(
    (
        Variable(R, low=sp.Integer(0)),
        Variable(NEAR, low=sp.Integer(0)),
        Variable(FAR, low=sp.Integer(0)),
        Variable(P, low=sp.Integer(0), high=sp.Integer(1)),
    ),
    (Conclusion(sp.Lt(MASS, P), when=(sp.Gt(FAR, NEAR * sp.exp(2 * R) * (1 / P - 1)),)),),
    meaning={MASS: 1 / (1 + FAR / NEAR * sp.exp(-2 * R))},
    words="if every score is in $[-R, R]$, softmax gives $N_{near}$ of $N_{near} + N_{far}$ keys at most the "
    "mass $m$; ",
)


@BESIDE.claim(
    "god-lower.0",
    where="beside the lower bound",
    paper=PAPER,
    known=Known.OURS,
    kind="theorem",
    says=FAR_MASS,
    outline="Near weights are at most e^R, far ones at least e^(-R), and a/(a + b) rises with a and falls with "
    "b. Rotations "
    "keep norms, so R = max |q||k|/sqrt(D) serves RoPE, NoPE and TAPA alike; ALiBi and a window have no bound.",
    proof=r"""
        Let $a$ be the sum of $e^{s}$ over the near keys and $b$ that over the far ones. Then $a\le N_{near}e^R$,
        $b\ge N_{far}e^{-R}$, and $a/(a+b)$ rises with $a$ and falls with $b$, so the near mass is at most $m$. $m$
        falls with $N_{far}$ and equals $p$ at $N_{far}=N_{near}e^{2R}(1/p-1)$. $\square$
    """,
)
def god_lower_0(statement: Statement) -> Iterator[Evidence]:
    a, b = sp.symbols("a b", positive=True)
    share, (conclusion,) = a / (a + b), statement.conclusions
    mass, (threshold,) = statement.meaning[MASS], conclusion.when
    yield equality(
        "the share at a = N_near e^R, b = N_far e^(-R)",
        share.subs({a: NEAR * sp.exp(R), b: FAR * sp.exp(-R)}),
        mass,
    )
    rising, falling = sp.factor(sp.diff(share, a)), sp.factor(sp.diff(share, b))
    yield exact("the share rises with a", rising.is_positive, rising, "> 0")
    yield exact("the share falls with b", falling.is_negative, falling, "< 0")
    at = mass.subs(FAR, threshold.lts)
    yield equality("m at the threshold", sp.simplify(at), conclusion.says.rhs)
    slope = sp.factor(sp.simplify(sp.diff(mass, FAR)))
    yield exact("m falls with N_far, so beyond the threshold it is below p", slope.is_negative, slope, "< 0")
    yield exact("the threshold bounds N_far from below", threshold.gts == FAR, threshold.gts, "N_far")
    yield statement.every_positive(R, NEAR, FAR)


@BESIDE.attack("god-lower.0", domain=FAR_MASS.domain())
def god_lower_0_attack() -> Iterator[Evidence]:
    yield from FAR_MASS.attack()


BOUNDED = "$|q||k|$ bounded, whatever the context"


@BESIDE.necessary("god-lower", hypothesis=BOUNDED)
def god_lower_of_growing_scores() -> Iterator[Evidence]:
    """Near scores ln N_far and far ones -ln N_far: the near mass is the greatest, and tends to 1."""
    found = sp.limit(FAR_MASS.meaning[MASS].subs(R, sp.log(FAR)), FAR, sp.oo)
    yield exact("the near mass as N_far -> oo, scores up to ln N_far", found == 0, found, 0)


@BESIDE.claim(
    "god-lower",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="theorem",
    says="as the far set grows with the context, no choice of rotations keeps the mass of the near keys above a "
    "positive "
    "bound, unless the far mass is controlled",
    assumes=(BOUNDED,),
    uses=("god-lower.0",),
    outline="god-lower.0 for N_far -> oo: the scores of rotated vectors stay within |q||k|/sqrt(D), whatever "
    "the rotations.",
    proof=r"""
        Orthogonal maps keep norms, so all scores lie in $[-R,R]$, $R=\max|q||k|/\sqrt D$, and `god-lower.0` applies:
        its bound tends to 0 as $N_{far}\to\infty$. $\square$
    """,
    in_words="a limit, made explicit in god-lower.0",
)
def god_lower() -> Iterator[Evidence]:
    found = sp.limit(FAR_MASS.meaning[MASS], FAR, sp.oo)
    yield exact("the greatest near mass as N_far -> oo", found == 0, found, 0)


@BESIDE.claim(
    "god-values",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="theorem",
    says="rotating values too makes residual far contributions add incoherently, which lengthens the useful range",
    outline="No number to judge.",
    in_words="no number to judge",
)
def god_values() -> Iterator[Evidence]:
    yield unjudged("no number to judge")
