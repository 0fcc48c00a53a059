"""Theorem 2.1 where 1 is among the independent numbers: the limit points are a whole interval, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import HEAD_DIMS, equality, exact, search
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, necessary, practice
from proofs.letters import ANY_HEAD
from proofs.letters import DIM as HEAD_DIM
from proofs.letters import MU as MU_0
from proofs.letters import NU as NU_0
from proofs.paper.theorem_2_1 import DIM, GAMMA, LEAST_DEGREE, MU, NU, OF_THEOREM, R, X
from proofs.statements import Conclusion, Statement, Variable, relation, tex


def end_of_reach(sign: int) -> sp.Expr:
    """The end of the limit points at which all pairs but 0 are extreme."""
    return 2 / DIM * (MU + sign * (DIM / 2 - 1) * R)


LEAST_POINT, GREATEST_POINT = sp.symbols(r"\gamma_{-} \gamma_{+}", real=True)
MEAN_SINE = sp.Symbol("z", real=True)
OTHERS, RADIUS = LEAST_DEGREE, OF_THEOREM[R]  # of the pairs but 0 there are as many
ON_TORUS = 2 / HEAD_DIM * (MU_0 + RADIUS * OTHERS * MEAN_SINE)
SHARP = Statement(
    (
        *(ANY_HEAD, Variable(MU_0), Variable(NU_0)),
        Variable(MEAN_SINE, low=sp.Integer(-1), high=sp.Integer(1), closed=True),
        Variable(GAMMA, low=-RADIUS, high=RADIUS, closed=True),
    ),
    (
        Conclusion(relation(ON_TORUS, ">=", LEAST_POINT)),
        Conclusion(relation(ON_TORUS, "<=", GREATEST_POINT)),
        Conclusion(relation(ON_TORUS, "==", LEAST_POINT), when=(relation(MEAN_SINE, "==", -1),)),
        Conclusion(relation(ON_TORUS, "==", GREATEST_POINT), when=(relation(MEAN_SINE, "==", 1),)),
        Conclusion(
            relation(
                sp.Max(LEAST_POINT - GAMMA, GAMMA - GREATEST_POINT),
                "<=",
                2 * (RADIUS + sp.Abs(MU_0)) / HEAD_DIM,
            )
        ),
    ),
    meaning={
        LEAST_POINT: 2 * MU_0 / HEAD_DIM - (1 - 2 / HEAD_DIM) * RADIUS,
        GREATEST_POINT: 2 * MU_0 / HEAD_DIM + (1 - 2 / HEAD_DIM) * RADIUS,
    },
    words=r"if 1, $\theta_1,\dots,\theta_{D/2-1}$ are independent over $\mathbb{Q}$, the limit points are exactly "
    rf"$[{tex(LEAST_POINT)}, {tex(GREATEST_POINT)}]$, the values at all means $z$ of the sines of the "
    r"pairs but 0; the best constant is $D$ times the last right side; in radians, with $2\pi$, 1, "
    r"$\theta_1,\dots,\theta_{D/2-1}$ independent, exactly $[-r, r]$, $r = \sqrt{\mu_0^2+\nu_0^2}$, with no "
    "error at all; ",
)


@claim(
    "thm-2.1.sharp",
    where="Sec. 2.2, Theorem 2.1",
    kind="theorem",
    says=SHARP,
    assumes=(
        "Assumption 2.1",
        r"1, $\theta_1$, ..., $\theta_{D/2-1}$ independent over $\mathbb{Q}$",
        "$m$, $n$ integers",
    ),
    uses=("eq-21*", "thm-2.1.weyl*"),
    outline=(
        "The pairs d >= 1 fill a torus, a connected set, on which their sum takes every value from "
        "-(D/2-1)r to (D/2-1)r; pair 0 adds mu_0 (turns) or another free angle (radians)."
    ),
    proof=r"""
        At an integer distance pair 0 turns by whole turns and contributes $\mu_0$. With
        $\varphi=\mathrm{atan2}(\mu_0,\nu_0)$, $\mu_0\cos x+\nu_0\sin x=r\sin(x+\varphi)$, so $\frac2{\sqrt
        D}\mathrm E\,\mathrm{Attn}=f(\lambda\theta_1,\dots,\lambda\theta_N)$ with $N=\frac D2-1$ and
        $f(y)=\frac2D\big(\mu_0+r\sum_{d=1}^N\sin(2\pi y_d+\varphi)\big)$, continuous on the torus $\mathbb
        T^N$. The limit points are the values of $f$ on the closure $H$ of the orbit, because an orbit in a
        compact group comes back to every neighbourhood of each of its points infinitely often.

        By Weyl's criterion the orbit is uniformly distributed if and only if for each integer vector
        $k\ne0$ the mean of $z^\lambda$, $z=e^{2\pi ik\cdot\theta}$, tends to 0. That is so if and only if
        $z\ne1$, since the mean over $T$ terms is then at most $2/(T|z-1|)$; and $z=1$ means
        $k\cdot\theta\in\mathbb Z$, a relation with 1. Hence $H=\mathbb T^N$, which is connected, and $f$
        takes all values between its extremes $\frac2D(\mu_0\pm Nr)$. In radians pair 0 is as free as the
        others, and the mean over pairs fills $[-r,r]$. $\square$
    """,
)
def thm_2_1_sharp(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    sines, said = statement.range_of(MEAN_SINE), statement.meaning
    ends = zip((sines.low, sines.high), (LEAST_POINT, GREATEST_POINT), (1, 2), strict=True)
    for value, end, index in ends:
        extreme = statement.conclusions[index - 1].says.lhs
        yield equality(f"an end, where every sine is {value}", extreme.subs(MEAN_SINE, value), said[end])
        yield equality("of f", extreme, ON_TORUS)
        steered = end_of_reach(int(value)).subs(OF_THEOREM)
        yield equality("as it is steered to", steered, statement.spelt(statement.target(index)))
    slope = sp.diff(ON_TORUS, MEAN_SINE).subs(HEAD_DIM, 2 + 2 * sp.Symbol("k", nonnegative=True))
    yield exact("its slope in z", slope.is_nonnegative, slope, ">= 0")
    gamma, best = statement.range_of(GAMMA), statement.target(5)
    for value, end, sign_ in ((gamma.high, GREATEST_POINT, -1), (gamma.low, LEAST_POINT, 1)):
        found = sp.simplify(sign_ * (said[end] - value))
        yield equality(f"from gamma = {value} to the end", found, 2 * (RADIUS + sign_ * MU_0) / HEAD_DIM)
        yield equality(
            "as the best constant has it, mu_0 of the worse sign",
            found.subs(MU_0, sign_ * R),
            best.subs(MU_0, R),
        )


@necessary("thm-2.1.sharp", hypothesis="$m$, $n$ integers")
def thm_2_1_sharp_between_integers() -> Iterator[Evidence]:
    """D = 2, pair 0 alone, at the distances j + 1/2: a limit point -mu_0, where the interval is [mu_0, mu_0]."""
    at_half = (MU * sp.cos(2 * sp.pi * X) + NU * sp.sin(2 * sp.pi * X)).subs(X, sp.Rational(1, 2))
    yield equality("D = 2: the score at lambda = 1/2", at_half, end_of_reach(-1).subs(DIM, 2))


@attack(
    "thm-2.1.sharp",
    domain="theta_0 = 1/2, D = 4 (degree D/2): distances to 2000, both ends, mu_0 of both signs",
)
def thm_2_1_sharp_attack() -> Iterator[Evidence]:
    sums = RopeSums.of(4, base=2)
    for mu in (1, -1):
        values = [2 * sums.gamma(lam, mu, 0) for lam in range(1, 2000)]
        low, high = ball(mu - 1) / 2, ball(mu + 1) / 2
        cases = [
            (f"mu_0 = {mu}, lambda = {lam}", (v - low).union(high - v).lower())
            for lam, v in enumerate(values, 1)
        ]
        yield search("distance to either end from inside", cases, control="3.17e-7")
        yield search(
            "both ends within 1e-6",
            [
                ("low", ball("1e-6") - (min(values, key=float) - low)),
                ("high", ball("1e-6") - (high - max(values, key=float))),
            ],
            control="3.65e-7",
        )


@practice("thm-2.1.sharp")
def sharp_practice() -> Iterator[dict[str, object]]:
    """Rows at mu_0 = 1, nu_0 = 0: the part of [-r, r] that is out of reach, in turns; and the trivial bound 2r."""
    for head_dim in (4, 8, *HEAD_DIMS):
        yield {
            "head_dim": head_dim,
            "best constant over D, 2(r+|mu_0|)/D": 4 / head_dim,
            "constant of thm-2.1, 8r/D": 8 / head_dim,
            "below the trivial 2r": head_dim > 4,
        }
