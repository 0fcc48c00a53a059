"""Theorem 2.2 as the paper argues it, first half: eqs 24 and 28 to 30.

Every bound is checked against the limits of C_D and S_D (`rope_bias_limit`), not against Lemmas C.1 and C.2, so these
entries stand whatever becomes of the lemmas; e(lambda) is the lemmas' a + 4 pi lambda theta_0^a / D, a >= 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball, below, less, radius, text, verdict
from proofs.checks import identity, search
from proofs.integrals import RopeSums, ci, cos_limit, sin_limit
from proofs.ledger import attack, claim
from proofs.rope_bias_limit import EDGE, RADIANS, TURNS
from proofs.subdivision import certify_positive

LEAST_BASE = 10  # of the lemmas: theta_0 < 1/10


@claim(
    "eq-24",
    where="App. C, eq 24",
    kind="definition",
    says=r"C_D(\lambda) = (1/D)\sum_d\cos 2\pi\lambda\theta_0^{2d/D}, S_D with sin",
    outline="D/2 terms over D: both lie in [-1/2, 1/2], and Gamma = mu_0 C_D + nu_0 S_D in [-r/2, r/2].",
)
def eq_24() -> Iterator[Evidence]:
    dim = sp.Symbol("D", positive=True)
    yield identity("D/2 terms of size 1 over D", (dim / 2) / dim, sp.Rational(1, 2))


@attack(
    "eq-24", domain="D = 2, 4, 256, distances of both signs: |C_D|, |S_D| <= 1/2 and the slower Gamma bound"
)
def eq_24_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (2, 4, 256):
        sums = RopeSums.of(head_dim, base=10_000)
        for lam in (0, 1, -1, "1/2", 12345):
            x, y = sums.cos(lam), sums.sin(lam)
            cases.append((f"D={head_dim}, {lam}", ball("1/4") - x * x - y * y + ball("1e-30")))
    yield search("1/4 - C_D^2 - S_D^2", cases)


def line(what: str, constant: Real, slope: Real) -> Evidence:
    """Evidence that constant + slope/L > 0 for every L >= ln 4096, >= 0 allowed in the limit L -> infinity only."""
    at_edge = ball(constant) + ball(slope) / ball(EDGE).log()
    answer = True if at_most(0, constant) and less(0, at_edge) else None
    return Evidence(
        f"{what}: {text(ball(constant), 6)} + {text(ball(slope), 6)}/L > 0 for L > ln 4096",
        verdict(answer),
        computed=text(at_edge),
        predicted="> 0 at ln 4096, >= 0 in the limit",
        radius=radius(at_edge),
        precision="128 bit ball",
    )


def near_cosine(constant: Real, slope: Real) -> Evidence:
    """lim C_D(lambda) > constant - slope/L over the near range, from 3/8 - s/L, s = (dip + gamma - ln(8/2pi))/2."""
    own = (ball(TURNS.dip) + arb.const_euler() - (4 / arb.pi()).log()) / 2
    found = line("lim C_D(lambda) - (constant - slope/L)", ball("3/8") - ball(constant), ball(slope) - own)
    if less(ball("3/8"), constant) is not True:
        return found
    # a constant above 3/8 fails at the near end of a large enough base
    base = ball(10) ** 80
    end = (base ** (ball(1) / 4) / 8 * ball("999999/1000000")).mid()
    return below(
        "near end at base 1e80", ball(constant) - ball(slope) / base.log(), cos_limit(end, base=base.mid())
    )


@claim(
    "eq-28",
    where="App. C, eq 28",
    kind="step",
    says=(
        r"C_D(\lambda) > \frac12\cdot\frac34\cdot\frac{\sqrt2}{2} - 2/L - e(\lambda) > 1/4 - 2/L - "
        r"e(\lambda), for \lambda > 1, \lambda\theta_0^{1/4} < 1/8"
    ),
    assumes=("theta_0 < 1/10", "D > 4L", "lambda > 1", "lambda theta_0^{1/4} < 1/8"),
    uses=("thm-2.2.ci", "lem-cin", "thm-2.2.riemann"),
    outline=(
        "True with room: cos(pi/4) = sqrt(2)/2 halves a constant that is 3/8 (cos 0), and Lemma C.2 has "
        "1/L where (28) writes 2/L. Directly: lim C_D >= 3/8 - 0.213/L on the near range, and |C_D - lim "
        "C_D| < e for every a >= 0."
    ),
)
def eq_28() -> Iterator[Evidence]:
    first = ball("3/16") * ball(2).sqrt()
    yield near_cosine(first, 2)
    yield below("second inequality: 1/4 < (3/8)(sqrt(2)/2)", "1/4", first)


@attack(
    "eq-28",
    domain=(
        "theta_0 -> 1/4096 from below, lambda at both ends and at 7/4 (least Ci); bases to 1e60, D -> "
        "infinity"
    ),
)
def eq_28_attack() -> Iterator[Evidence]:
    yield search("lim C_D - (0.2651 - 2/L)", _near_cases(ball("0.2652"), 2))


def _near_cases(constant: arb, slope: int) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65_537, 10**6, 4 * 10**9, 10**30, 10**60):
        end = ball(base) ** (ball(1) / 4) / 8
        for lam in (ball("1.0001"), ball("7/4"), end * ball("99999/100000")):
            if lam > 1 and lam < end:
                yield (
                    f"base {base}, lambda {text(lam, 6)}",
                    cos_limit(lam, base=base) - constant + slope / ball(base).log(),
                )


def far_cosine(slope: Real) -> Iterator[Evidence]:
    """|lim C_D(Lambda)| < slope/L for Lambda > b > 10: (1/8 + 1/(20 pi))/2 is enough, refuted where 7b/4 exceeds it."""
    peak = abs(cos_limit(ball(EDGE) * 1000 * 7 / 4, base=EDGE * 1000)) * ball(EDGE * 1000).log()
    enough = (ball("1/8") + 1 / (2 * arb.pi() * LEAST_BASE)) / 2  # |Ci(x)| < 1/8 beyond 2 pi: see `eq_29`
    if less(slope, peak):
        yield below("attained at Lambda = (7/4) b, base 4096000", peak, slope)
    else:
        yield below("bound of L |lim C_D(Lambda)|", enough, slope)


def cosine_beyond_one_turn(bound: Real = "1/8") -> Evidence:
    """|Ci(x)| < 1/8 for x >= 2 pi: by boxes up to 9, by |Ci(x)| < 1/x beyond; Ci > -0.0896 is thm-2.2.ci."""
    found = certify_positive(lambda x: ball(bound) - ci(x), lambda x: -x.cos() / x, 2 * arb.pi(), 9)
    return found.evidence(f"Ci < {bound} on [2 pi, 9]")


@claim(
    "eq-29",
    where="App. C, eq 29",
    kind="step",
    says=r"C_D(\Lambda) < 2/L + e(\Lambda) for \Lambda > \theta_0^{-1}",
    assumes=("theta_0 < 1/10", "D > 4L", "Lambda > 1/theta_0"),
    uses=("thm-2.2.ci", "lem-ci", "thm-2.2.riemann"),
    outline=(
        "2 could be 0.071: 2L|lim C_D(Lambda)| <= |Ci(c Lambda)| + |Ci(c Lambda theta_0)| < 1/(10 c) + "
        "1/8. Both signs, as (31) needs."
    ),
)
def eq_29() -> Iterator[Evidence]:
    yield cosine_beyond_one_turn()
    yield from far_cosine(2)


@attack(
    "eq-29",
    domain="Lambda theta_0 = 1+, 5/4, 7/4, 1000; bases 10.001 to 1e30; D -> infinity, both signs of C_D",
)
def eq_29_attack() -> Iterator[Evidence]:
    cases = (
        (
            f"base {base}, Lambda = {factor} b",
            2 / ball(base).log() - abs(cos_limit(ball(base) * ball(factor), base=base)),
        )
        for base in ("10.001", 4097, 10**6, 10**30)
        for factor in ("1.0001", "5/4", "7/4", "1000")
    )
    yield search("2/L - |lim C_D(Lambda)|", cases)


def sine_bound(slope: Real) -> Iterator[Evidence]:
    """|lim S_D| < slope/L for lambda > 1, b > 10; refuted where lambda = 3/2 exceeds it.

    Near: Si(c lambda) in (low, high) less Si(c lambda/b) in (0, Si(pi)], below 1.852. Far: two values in (low, high).
    """
    base = 10**12
    attained = sin_limit("3/2", base=base) * ball(base).log()
    if less(slope, attained):
        yield below("attained at lambda = 3/2, base 1e12: L lim S_D", attained, slope)
    else:
        low, high = ball(TURNS.low), ball(TURNS.high)
        yield below("near: L lim S_D < high/2", high / 2, slope)
        yield below("near: -L lim S_D < (Si(pi) - low)/2", (ball(RADIANS.high) - low) / 2, slope)
        yield below("far: L |lim S_D| < (high - low)/2", (high - low) / 2, slope)


@claim(
    "eq-30",
    where="App. C, eq 30",
    kind="step",
    says=r"S_D(\lambda) < 2/L + e(\lambda), S_D(\Lambda) < 2/L + e(\Lambda)",
    assumes=("theta_0 < 1/10", "D > 4L", "lambda > 1", "Lambda > 1/theta_0"),
    uses=("thm-2.2.ci", "eq-67*", "thm-2.2.riemann"),
    outline=(
        "2 could be 0.84 near and 0.13 far: Si(c lambda) is in (1.4181, 1.6748) and Si(c lambda theta_0) in "
        "(0, 1.852), beyond the base in (1.4181, 1.6748) as well. Two-sided, as (31) needs."
    ),
)
def eq_30() -> Iterator[Evidence]:
    yield from sine_bound(2)


@attack(
    "eq-30",
    domain="lambda = 3/2 (greatest Si), 1+, 5 (least at base 10), 1000; Lambda theta_0 = 1+, 3/2; bases 10.001 to 1e30",
)
def eq_30_attack() -> Iterator[Evidence]:
    cases = (
        (f"base {base}, distance {text(ball(lam), 6)}", 2 / ball(base).log() - abs(sin_limit(lam, base=base)))
        for base in (Fraction(10001, 1000), Fraction(4097), Fraction(10**6), Fraction(10**30))
        for lam in ("3/2", "1.0001", "5", "1000", base * Fraction(10001, 10000), base * Fraction(3, 2))
    )
    yield search("2/L - |lim S_D|", cases)
