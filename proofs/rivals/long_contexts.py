r"""Du et al. 2026, arXiv 2605.15514: content is fixed, and the distance is drawn at random.

For fixed q, k: $S(m)=\sum_{n<h}C_n\cos(m\theta_n+\varphi_n)$, h = D/2, theta_n = B^(-n/h) in rad, B the base, M the
context.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import equality, exact, search
from proofs.integrals import RopeSums
from proofs.ledger import Known
from proofs.rivals import BESIDE, unjudged
from proofs.statements import tex

PAPER = "du-2026"
TEXT = Known.NOTES


def inversion_share(base: int, length: int, head_dim: int) -> arb:
    """P(S(m2) > S(m1)), m1 uniform in [0, M/2), m2 in [M/2, M), for C_n = 1, phi_n = 0: a ball, by counting pairs.

    Pairs whose balls overlap are counted for neither order, and widen the ball.
    """
    sums, half = RopeSums.of(head_dim, base=base, turns=False), length // 2
    near, far = ([_floats(sums.cos(m)) for m in part] for part in (range(half), range(half, length)))
    if (2 * len(near), 2 * len(far)) != (length, length):
        raise InputError(f"M = {length}: windows of {len(near)} and {len(far)} distances are not its halves")
    least, greatest = (sorted(ends) for ends in zip(*near, strict=True))
    sure = sum(bisect_left(greatest, low) for low, _ in far)
    possible = sum(bisect_right(least, high) for _, high in far)
    return (ball(sure) / half**2).union(ball(possible) / half**2)


def _floats(value: arb) -> tuple[float, float]:
    """Floats between which a ball lies."""
    low, high = float(value.lower()), float(value.upper())
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)


@BESIDE.claim(
    "du-normal",
    where="derivation",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=r"for $m$ uniform in $[0,M)$, $S$ is close to $N(\mu_M,s_M^2)$, $\mu_M=\sum_{n\ge\Lambda}C_n\cos\varphi_n$, "
    r"$s_M^2=\frac12\sum_{n<\Lambda}C_n^2$, $\Lambda=\Theta(h\log_BM)$, with an error of $O(1/\sqrt\Lambda)$",
    outline="The two notes disagree on the mean. Constants and conditions were not seen; not judged.",
    in_words="constants and conditions were not seen",
)
def du_normal() -> Iterator[Evidence]:
    yield unjudged("constants and conditions were not seen")


@BESIDE.claim(
    "du-1",
    where="Theorem 1",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=r"position inversion: $m_1$ uniform in $[0,M/2)$, $m_2$ in $[M/2,M)$: $P(S(m_2)>S(m_1))\to\frac12$ as "
    r"$(\ln M)(\ln B)\to\infty$, and it grows with $M$ and with $B$",
    outline="In these words it fails: C_n = 1, phi_n = 0, D = 128, M = 4096, where a larger base makes "
    "far wins rarer. "
    "The sign condition on the slow pairs was not seen, and may exclude this. What holds for one base is du-1.weyl.",
    in_words="of random positions, known from notes",
)
def du_1() -> Iterator[Evidence]:
    small, large = (inversion_share(base, 4096, 128) for base in (1000, 10_000))
    what = "C_n = 1, phi_n = 0, D = 128, M = 4096: share of inversions at base 10^3, said to be below that at 10^4"
    yield below(what, small, large)


LESS, TIE = sp.symbols("less tie", positive=True)
HALF = sp.Rational(1, 2)  # the limit of the share of inversions
SOME_WAVE = r"some $C_n\ne0$"


def of_each_order(ties: sp.Expr) -> sp.Expr:
    """P(X < Y) of two that are independent and alike: by exchange, the two orders are as likely."""
    return sp.solve(sp.Eq(LESS + LESS + TIE, 1), LESS)[0].subs(TIE, ties)


@BESIDE.necessary("du-1.weyl", hypothesis=SOME_WAVE)
def du_1_of_no_wave() -> Iterator[Evidence]:
    found = of_each_order(sp.Integer(1))
    yield exact("all C_n = 0: S = 0, so that two always tie: P(S(m2) > S(m1))", found == HALF, found, HALF)


@BESIDE.claim(
    "du-1.weyl",
    where="beside Theorem 1",
    paper=PAPER,
    known=Known.OURS,
    kind="theorem",
    says=rf"for fixed $h$ and $B$: $P(S(m_2)>S(m_1))\to{tex(HALF)}$ as $M\to\infty$, without a normal law",
    assumes=(r"$1,\theta_0/2\pi,\dots,\theta_{h-1}/2\pi$ independent over $\mathbb{Q}$", SOME_WAVE),
    uses=("thm-2.1.weyl*",),
    outline="m1 and m2 are independent and each uniform on a window of consecutive integers; by Weyl's criterion their "
    "angles become uniform on the torus, so the pair tends to two independent values of one law without atoms.",
    proof=r"""
        Put $F(y)=\sum_nC_n\cos(2\pi y_n+\varphi_n)$ on $\mathbb T^h$, so that $S(m)=F(m\theta/2\pi)$. Over windows of
        $M/2$ consecutive integers the means of $e^{2\pi ik\cdot m\theta/2\pi}$, $k\ne0$, tend to 0, wherever the window
        begins; by Weyl's criterion $m_1\theta/2\pi$ and $m_2\theta/2\pi$ tend in law to uniform points $Y_1$, $Y_2$ of
        $\mathbb T^h$, which are independent as $m_1$, $m_2$ are. $F$ is analytic and not constant, so a level set of
        it, and with it $\{F(y_1)=F(y_2)\}$, has measure 0. Hence $P(S(m_2)>S(m_1))\to P(F(Y_2)>F(Y_1))$, which is
        $\frac12(1-P(F(Y_1)=F(Y_2)))=\frac12$ by exchange of $Y_1$ and $Y_2$. $\square$
    """,
    in_words="of the distribution of an infinite orbit",
)
def du_1_weyl() -> Iterator[Evidence]:
    without = of_each_order(sp.Integer(0))
    yield equality("P(X < Y) of two that are independent and alike, without ties", without, HALF)
    k = sp.Symbol("k", integer=True, nonzero=True)
    y = sp.Symbol("y", real=True)
    mean = sp.integrate(sp.exp(2 * sp.pi * sp.I * k * y), (y, 0, 1))
    yield equality("a nontrivial character has mean 0 on the circle", sp.simplify(mean), sp.Integer(0))


@BESIDE.attack(
    "du-1.weyl", domain="D = 4, base 2 (1 and 2^(-1/2) are independent), M = 4096: within 1/50 of 1/2"
)
def du_1_weyl_attack() -> Iterator[Evidence]:
    share = inversion_share(2, 4096, 4)
    yield search(
        "1/50 less |P - 1/2|", [("M = 4096", ball("1/50") - abs(share - ball("1/2")))], control="0.0198"
    )


@BESIDE.claim(
    "du-2",
    where="Theorem 2",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=r"position aliasing: the probability that two distances have bit-equal products tends to 1 "
    r"exponentially in $M$",
    outline="Float format, rate and law were not seen; not judged.",
    in_words="float format and rate were not seen",
)
def du_2() -> Iterator[Evidence]:
    yield unjudged("float format and rate were not seen")


@BESIDE.claim(
    "du-3",
    where="Theorem 3",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=r"token inversion: if $S_1(0)>S_2(0)$, $P(S_1(m)<S_2(m))$ has a lower bound that tends to $\frac12$ as "
    r"$m\to\Theta(B)$ and falls as $B$ grows",
    outline="The bound was not seen; not judged.",
    in_words="the bound was not seen",
)
def du_3() -> Iterator[Evidence]:
    yield unjudged("the bound was not seen")


@BESIDE.claim(
    "du-4",
    where="Theorem 4",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=r"token aliasing: for $k_1\ne k_2$ the number of distances in $[0,M)$ with equal score is "
    r"$\Theta(2^{-f}\sqrt hM)$, $f$ fraction bits, and falls as $B$ grows",
    outline="Constants were not seen, and the two counts that the notes quote do not agree; not judged.",
    in_words="constants were not seen",
)
def du_4() -> Iterator[Evidence]:
    yield unjudged("constants were not seen")


@BESIDE.claim(
    "du-tradeoff",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="remark",
    says="raising the base helps against token inversion and aliasing and harms against position inversion and "
    "aliasing: "
    "no base keeps all",
    outline="Directional, without a number to judge.",
    in_words="no number to judge",
)
def du_tradeoff() -> Iterator[Evidence]:
    yield unjudged("no number to judge")
