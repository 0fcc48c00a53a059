"""What the paper says of raising the base (Section 2.2); position interpolation is in `rope_interpolation`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import BASES, exact, identity, scale, search
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, repair
from proofs.paper.theorem_2_3 import final_gap
from proofs.rope_bias_limit import TURNS, gap_floor, limit_gap

NEAR, FAR = 2, 8192


def gap(base: Real, near: Real, far: Real, head_dim: int = 128, turns: bool = True) -> arb:
    """C_D(near) - C_D(far) at one head dimension: the gap at mu_0 = 1, nu_0 = 0."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    return sums.cos(near) - sums.cos(far)


@claim(
    "rem-base",
    where="Sec. 2.2, before Theorem 2.3",
    kind="remark",
    says=(
        r"one can reduce the gap between any given position pairs by further decreasing \theta_0 (m, n "
        r"integers, gap > 0, D fixed)"
    ),
    uses=("eq-41",),
    outline=(
        "At integer distances the gap tends to 0 as theta_0 -> 0 whatever D, so some smaller theta_0 has a "
        "smaller gap. Not every smaller one: rem-base.monotone. In radians the limit of the gap is at most "
        "2r/D, not 0."
    ),
)
def base_reduces() -> Iterator[Evidence]:
    lam = sp.Symbol("lambda", integer=True)
    dim = sp.Symbol("D", positive=True)
    limit = (sp.cos(2 * sp.pi * lam) + dim / 2 - 1) / dim
    yield identity("limit of C_D at integer lambda, free of lambda", limit, sp.Rational(1, 2))
    yield identity("limit of S_D at integer lambda", sp.sin(2 * sp.pi * lam) / dim, sp.Integer(0))


@attack(
    "rem-base",
    domain="D = 128, pairs (2, 8192), (2, 2^20), bases 1e50, 1e200, 1e800, 1e1200: does the gap really vanish?",
)
def base_reduces_attack() -> Iterator[Evidence]:
    cases = []
    for far in (FAR, 2**20):
        values = [gap(ball(10) ** k, NEAR, far) for k in (50, 200, 800, 1200)]
        cases += [(f"(2, {far}), step {i}", a - b) for i, (a, b) in enumerate(pairwise(values))]
        cases.append((f"(2, {far}), last", ball("1e-20") - abs(values[-1])))
    yield search("fall from one base to the next", cases)


def falls(pair: tuple[int, int], low: int, high: int, head_dim: int = 128) -> Iterator[Evidence]:
    """Evidence that the gap of a pair is smaller at the higher base: at a real D, and in the limit D -> infinity."""
    near, far = pair
    what = f"pair {pair}: gap at base {high} below that at base {low}"
    yield below(f"{what}, D = {head_dim}", gap(high, near, far, head_dim), gap(low, near, far, head_dim))
    yield below(f"{what}, D -> oo", limit_gap(high, near, far, 0), limit_gap(low, near, far, 0))


@claim(
    "rem-base.monotone",
    where="Sec. 2.2, before Theorem 2.3",
    kind="remark",
    says=r"raising the base reduces the near-far gap of a given pair, from whatever base one starts",
    outline=(
        "Not while the base is below the far distance: far cosines are already averaged out there, and the near "
        "sum still grows. Pair (2, 8192): base 1000 to 10^4; pair (2, 10^5): base 10^4 to 10^5, at D = 128 and as "
        "D -> infinity."
    ),
)
def base_monotone() -> Iterator[Evidence]:
    yield from falls((2, 8192), 1000, 10_000)
    yield from falls((2, 100_000), 10_000, 100_000)


def falling_from(near: int, far: int, base: Real, turns: bool = True) -> arb:
    """K less (2L+1)(c far/b)^2/4: positive means that the limit gap falls at `base` and at every larger one."""
    log_base, angle = ball(base).log(), scale(turns) * far / ball(base)
    return final_gap(near, far, 1, 0, turns) - (2 * log_base + 1) * angle**2 / 4


def slope_steps(rate: int = 2) -> Iterator[Evidence]:
    """d/dL of F = K - Cin(Y) + Cin(y), Y = c far e^{-L}, Cin'(z) = (1 - cos z)/z; and (rate L + 1)e^{-2L} falls."""
    log_base, far, near = sp.symbols("L Y0 y0", positive=True)
    large, small = far * sp.exp(-log_base), near * sp.exp(-log_base)
    parts = [(1 - sp.cos(z)) / z * sp.diff(z, log_base) for z in (large, small)]
    yield identity("F' = cos(y) - cos(Y)", sp.simplify(-parts[0] + parts[1]), sp.cos(small) - sp.cos(large))
    slope = sp.simplify(sp.diff((rate * log_base + 1) * sp.exp(-2 * log_base), log_base))
    yield exact(f"({rate}L+1)e^(-2L) falls", bool(slope.is_negative), slope, "< 0")


@repair(
    "rem-base.monotone",
    says=(
        r"\nu_0 = 0, 0 < \lambda < \Lambda, D \to \infty: the gap falls at every base beyond any b with "
        r"(2L+1)(c\Lambda/b)^2/4 < Cin(c\Lambda) - Cin(c\lambda); in turns b = 5.5\Lambda is such for (2, 8192), "
        r"(2, 65536), (2, 2^{20})"
    ),
    uses=("thm-2.3.rate",),
    outline=(
        "The gap is F/(2L) with F = K - Cin(Y) + Cin(y), Y = c Lambda/b: it falls iff L F' < F; F' = cos y - cos Y "
        "<= Y^2/2 and F >= K - Y^2/4. The left side of the condition falls with b."
    ),
)
def base_monotone_repaired() -> Iterator[Evidence]:
    yield from slope_steps()
    for far in (8192, 65536, 2**20):
        yield below(f"condition for (2, {far}) at base 5.5 Lambda", 0, falling_from(2, far, 11 * far // 2))


@attack(
    "rem-base.monotone",
    domain="the six usual bases and pairs (2, 2^k), k = 10..20, D = 128: steps where the gap rises",
)
def base_monotone_attack() -> Iterator[Evidence]:
    for k in (14, 17, 20):
        for low, high in pairwise(BASES):
            found = below(f"(2, 2^{k}): {high} below {low}, D = 128", gap(high, 2, 2**k), gap(low, 2, 2**k))
            if found.verdict.value == "refuted":
                yield found


@attack(
    "rem-base.monotone*",
    domain="pairs (2, 8192) and (2, 2^20), bases 5.5 Lambda times 1.1^i, i = 0..200, D -> infinity",
)
def base_monotone_repaired_attack() -> Iterator[Evidence]:
    cases = []
    for far in (8192, 2**20):
        values = [limit_gap(ball("5.5") * far * ball("1.1") ** i, 2, far, 0) for i in range(0, 200, 5)]
        cases += [(f"(2, {far}), step {i}", a - b) for i, (a, b) in enumerate(pairwise(values))]
    yield search("fall per step", cases)


@claim(
    "rem-base.range",
    where="Sec. 2.2, between Theorems 2.2 and 2.3",
    kind="remark",
    says=(
        r"raising the base reduces 'such gap', that of Theorem 2.2 (near 1 < |\lambda| < b^{1/4}/8, far |\Lambda| "
        r"> b, \nu_0 = 0, D \to \infty)"
    ),
    uses=("thm-2.2.limit",),
    outline=(
        "Its ranges move with the base, and over them the least gap rises to 3/8: at base 10^5 a pair of the "
        "ranges has a gap below 0.3601, at base 4e9 none has one below 0.363."
    ),
)
def base_range() -> Iterator[Evidence]:
    near = (ball(100_000) ** (ball(1) / 4) / 8 * ball("999/1000")).mid()
    low = limit_gap(100_000, near, 175_000, 0)
    high = gap_floor(TURNS, ball(4 * 10**9).log(), 0)
    yield below("least gap at base 4e9 (lower bound) below a gap at base 1e5", high, low)


@repair(
    "rem-base.range",
    says=(
        r"over its own ranges the least limit gap is at least |\mu_0|(3/8 - 0.2575/L), which rises with the base; "
        r"it is below 3/8 at every base \ge 10^6"
    ),
    uses=("thm-2.2.limit", "thm-2.2.sharp"),
    outline="thm-2.2.limit and thm-2.2.sharp.",
)
def base_range_repaired() -> Iterator[Evidence]:
    log_base = sp.Symbol("L", positive=True)
    slope = sp.diff(sp.Rational(3, 8) - sp.Rational("0.2575") / log_base, log_base)
    yield exact("slope of the bound in L", bool(slope.is_positive), slope, "> 0")


@attack("rem-base.range", domain="the same near and far ends at bases 5e5 and 4e9")
def base_range_attack() -> Iterator[Evidence]:
    near = (ball(500_000) ** (ball(1) / 4) / 8 * ball("999/1000")).mid()
    yield below(
        "least gap at 4e9 below one at 5e5",
        gap_floor(TURNS, ball(4 * 10**9).log(), 0),
        limit_gap(500_000, near, 875_000, 0),
    )
