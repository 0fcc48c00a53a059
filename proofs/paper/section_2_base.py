"""Raising the base and interpolating positions (Introduction, Sections 2.2 and 5.2): what is equivalent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import BASES, equality, exact, scale, search, short
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.theorem_2_2 import TURNS, gap_floor, limit_gap
from proofs.paper.theorem_2_3 import final_gap, gap_bound

NEAR, FAR = 2, 8192


def base_gap(base: Real, near: Real, far: Real, head_dim: int = 128, turns: bool = True) -> arb:
    """C_D(near) - C_D(far) at one head dimension: the gap at mu_0 = 1, nu_0 = 0."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    return sums.cos(near) - sums.cos(far)


@claim(
    "rem-base",
    where="Sec. 2.2, before Theorem 2.3",
    kind="remark",
    says=(
        r"one can reduce the gap between any given position pairs by further decreasing $\theta_0$ ($m$, "
        "$n$ integers, gap $> 0$, $D$ fixed)"
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
    yield equality("limit of C_D at integer lambda, free of lambda", limit, sp.Rational(1, 2))
    yield equality("limit of S_D at integer lambda", sp.sin(2 * sp.pi * lam) / dim, sp.Integer(0))


@attack(
    "rem-base",
    domain="D = 128, pairs (2, 8192), (2, 2^20), bases 1e50, 1e200, 1e800, 1e1200: does the gap really vanish?",
)
def base_reduces_attack() -> Iterator[Evidence]:
    cases = []
    for far in (FAR, 2**20):
        values = [base_gap(ball(10) ** k, NEAR, far) for k in (50, 200, 800, 1200)]
        cases += [(f"(2, {far}), step {i}", a - b) for i, (a, b) in enumerate(pairwise(values))]
        cases.append((f"(2, {far}), last", ball("1e-20") - abs(values[-1])))
    yield search("fall from one base to the next", cases)


def falls(pair: tuple[int, int], low: int, high: int, head_dim: int = 128) -> Iterator[Evidence]:
    """Evidence that the gap of a pair is smaller at the higher base: at a real D, and in the limit D -> infinity."""
    near, far = pair
    what = f"pair {pair}: gap at base {high} below that at base {low}"
    yield below(
        f"{what}, D = {head_dim}", base_gap(high, near, far, head_dim), base_gap(low, near, far, head_dim)
    )
    yield below(f"{what}, D -> oo", limit_gap(high, near, far, 0), limit_gap(low, near, far, 0))


@claim(
    "rem-base.monotone",
    where="Sec. 2.2, before Theorem 2.3",
    kind="remark",
    says="raising the base reduces the near-far gap of a given pair, from whatever base one starts",
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
    yield equality("F' = cos(y) - cos(Y)", sp.simplify(-parts[0] + parts[1]), sp.cos(small) - sp.cos(large))
    slope = sp.simplify(sp.diff((rate * log_base + 1) * sp.exp(-2 * log_base), log_base))
    yield exact(f"({rate}L+1)e^(-2L) falls", bool(slope.is_negative), slope, "< 0")


@repair(
    "rem-base.monotone",
    says=(
        r"$\nu_0 = 0$, $0 < \lambda < \Lambda$, $D \to \infty$: the gap falls at every base beyond any $b$ "
        r"with $(2L+1)(c\Lambda/b)^2/4 < \mathrm{Cin}(c\Lambda) - \mathrm{Cin}(c\lambda)$; in turns $b = "
        r"5.5\Lambda$ is such for $(2, 8192)$, $(2, 65536)$, $(2, 2^{20})$"
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
            found = below(
                f"(2, 2^{k}): {high} below {low}, D = 128", base_gap(high, 2, 2**k), base_gap(low, 2, 2**k)
            )
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
        r"raising the base reduces 'such gap', that of Theorem 2.2 (near $1 < |\lambda| < b^{1/4}/8$, far "
        r"$|\Lambda| > b$, $\nu_0 = 0$, $D \to \infty$)"
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
        r"over its own ranges the least limit gap is at least $|\mu_0|(3/8 - 0.2575/L)$, which rises with "
        r"the base; it is below $3/8$ at every base $\ge 10^6$"
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


@claim(
    "rem-PI",
    where="Sec. 5.2 (and Sec. 2.2: 'equivalently')",
    kind="remark",
    says=(
        "position interpolation by $s > 1$ is mathematically equivalent to increasing the base "
        "non-uniformly across dimensions"
    ),
    outline="Pair 0 turns by 1 per token whatever the base; interpolation makes it 1/s. So no base does it for d = 0.",
)
def interpolation() -> Iterator[Evidence]:
    b = sp.Symbol("b", positive=True)
    solutions = sp.solve(sp.Eq(b ** sp.Integer(0), 1 / sp.Integer(8)), b)
    yield exact("bases whose pair 0 turns by 1/8 a token (s = 8)", bool(solutions), solutions, "one base")


def dimension_base(sign: int = 1) -> Evidence:
    """b_d^{-2d/D} = b^{-2d/D}/s for b_d = b s^{sign D/(2d)}."""
    b, s, d, dim = sp.symbols("b s d D", positive=True)
    own = (b * s ** (sign * dim / (2 * d))) ** (-2 * d / dim)
    return equality(
        "theta_d of base b s^{D/(2d)}",
        sp.simplify(sp.expand_power_base(own, force=True)),
        sp.simplify(b ** (-2 * d / dim) / s),
    )


@repair(
    "rem-PI",
    says=(
        r"for $d \ge 1$ interpolation by $s$ is the base $b s^{D/(2d)}$ in pair $d$; pair 0 has no such "
        "base and must be slowed down by itself"
    ),
    outline=(
        "Every frequency is divided by s: Gamma^{PI}(lambda) = Gamma(lambda/s), as D -> infinity the integrals run "
        "over [lambda/(s b), lambda/s]; the base bs has [lambda/(s b), lambda]. Pair 1 at s = 8, D = 128 needs the "
        "base b 8^64."
    ),
)
def interpolation_repaired() -> Iterator[Evidence]:
    yield dimension_base()


@attack("rem-PI", domain="a base for pair 0 among 2, 10, 1e4, 1e100")
def interpolation_attack() -> Iterator[Evidence]:
    values = {sp.Integer(b) ** 0 for b in (2, 10, 10**4, 10**100)}
    yield exact("turns per token of pair 0", sp.Rational(1, 8) in values, values, "1/8")


@attack("rem-PI*", domain="D = 4, 128, s = 2, 8, d = 1 and D/2-1, base 1e4: the two frequencies in balls")
def interpolation_repaired_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (4, 128):
        for s in (2, 8):
            for d in (1, head_dim // 2 - 1):
                exponent = ball(2 * d) / head_dim
                own = (ball(10_000) * ball(s) ** (1 / exponent)) ** -exponent
                cases.append(
                    (f"D={head_dim}, s={s}, d={d}", ball("1e-25") - abs(own - ball(10_000) ** -exponent / s))
                )
    yield search("1e-25 less the difference", cases)


@claim(
    "rem-PI.gap",
    where="Sec. 2.2, before Theorem 2.3",
    kind="remark",
    says=(
        r"interpolation, too, closes the gap of any given pair: $|\Delta^{PI}| \le r c(\delta/s)(1/D + "
        "1/(2L))$ at every $D$ and base"
    ),
    uses=("eq-8",),
    outline=(
        "(8) as made explicit at the distances lambda/s, Lambda/s: linear in 1/s, where the base acts through 1/ln "
        "b. Neither D large nor theta_0 small is needed; v1's proof does not treat interpolation."
    ),
)
def interpolation_gap() -> Iterator[Evidence]:
    c, delta, s, dim, log_base = sp.symbols("c delta s D L", positive=True)
    bound = c * (delta / s) * (1 / dim + 1 / (2 * log_base))
    yield exact("limit of the bound as s -> oo", sp.limit(bound, s, sp.oo) == 0, sp.limit(bound, s, sp.oo), 0)


@attack(
    "rem-PI.gap", domain="D = 2, 128, bases 2, 1e4, s = 1..10^6, pairs (2, 8192), (1, 2^20), both conventions"
)
def interpolation_gap_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (2, 128):
        for base in (2, 10_000):
            for s in (1, 8, 1000, 10**6):
                for near, far in ((2, 8192), (1, 2**20)):
                    value = abs(base_gap(base, ball(near) / s, ball(far) / s, head_dim))
                    bound = gap_bound(ball(far - near) / s, head_dim, ball(base).log(), True)
                    cases.append((f"D={head_dim}, base {base}, s={s}, ({near}, {far})", bound - value))
    yield search("bound less gap", cases)


@claim(
    "rem-PI.monotone",
    where="Introduction; Sec. 6",
    kind="remark",
    says="interpolation reduces the near-far gap of a given pair, whatever $s > 1$",
    outline=(
        "The near score rises while the far one is still averaged out. v1's own setting, base 5e5, 64k, s = "
        "8, D = 128: from 0.4035 to 0.4546. Base 10^4: at D = 128 and as D -> infinity."
    ),
)
def interpolation_monotone() -> Iterator[Evidence]:
    base, far = 10_000, 65536
    own = "pair (2, 65536), base 5e5, D = 128: gap after s = 8 below that before"
    yield below(own, base_gap(500_000, "1/4", far // 8), base_gap(500_000, 2, far))
    what = "pair (2, 65536), base 1e4: gap after s = 8 below that before"
    yield below(f"{what}, D = 128", base_gap(base, "1/4", far // 8), base_gap(base, 2, far))
    yield below(f"{what}, D -> oo", limit_gap(base, "1/4", far // 8, 0), limit_gap(base, 2, far, 0))


def quarter_turn(order: int = 1) -> Iterator[Evidence]:
    """d/ds of cos(x/s) - cos(X/s) for 0 < x < X <= s pi/2, and the sign of t sin t's slope on (0, pi/2)."""
    small, large, s, t = sp.symbols("x X s t", positive=True)
    slope = sp.diff(sp.cos(small / s) - sp.cos(large / s), s)
    claimed = ((small / s) * sp.sin(small / s) - (large / s) * sp.sin(large / s)) / s**order
    yield equality("slope of one pair's term in s", slope, claimed)
    yield equality(
        "(t sin t)' = sin t + t cos t, positive up to pi/2",
        sp.diff(t * sp.sin(t), t),
        sp.sin(t) + t * sp.cos(t),
    )


@repair(
    "rem-PI.monotone",
    says=(
        r"$\nu_0 = 0$, every $D$ and base: the gap of $0 < \lambda < \Lambda$ falls in $s$ once "
        r"$c\Lambda/s \le \pi/2$, in turns once the interpolated far distance is at most $1/4$ token"
    ),
    outline="Pair by pair: t sin t rises on (0, pi/2). Below that, the statement fails at v1's own s = 8.",
)
def interpolation_monotone_repaired() -> Iterator[Evidence]:
    yield from quarter_turn()


@attack(
    "rem-PI.monotone*",
    domain="D = 2, 4, 128, base 1e4, pairs (1, 2), (2, 8192), s = 4 Lambda times 1.3^i, i = 0..20",
)
def interpolation_monotone_repaired_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (2, 4, 128):
        for near, far in ((1, 2), (2, 8192)):
            steps = [4 * far * ball("1.3") ** i for i in range(21)]
            values = [base_gap(10_000, near / s, far / s, head_dim) for s in steps]
            cases += [
                (f"D={head_dim}, ({near}, {far}), step {i}", a - b)
                for i, (a, b) in enumerate(pairwise(values))
            ]
    yield search("fall per step", cases)


@attack("rem-PI.monotone", domain="base 5e5 (v1's), (2, 2^20), s = 2, 4, 8; D = 128")
def interpolation_monotone_attack() -> Iterator[Evidence]:
    for s in (2, 4, 8):
        found = below(
            f"(2, 2^20), base 5e5, s = {s}",
            base_gap(500_000, ball(2) / s, ball(2**20) / s),
            base_gap(500_000, 2, 2**20),
        )
        if found.verdict.value == "refuted":
            yield found


@claim(
    "rem-extensions",
    where="Introduction",
    kind="remark",
    says=(
        r"the proof shows that reducing base-frequency ($1/\theta_0$, Notation 2.1) and PI mitigate the "
        "bias"
    ),
    outline=(
        "Word for word the wrong way round: theorem 2.3 raises 1/theta_0. Reducing it from 4e9 to 5e5 raises the "
        "gap of (2, 65536)."
    ),
)
def introduction() -> Iterator[Evidence]:
    yield below(
        "pair (2, 65536), D = 128: gap at base 5e5 below that at base 4e9",
        base_gap(500_000, 2, 65536),
        base_gap(4 * 10**9, 2, 65536),
    )


@repair(
    "rem-extensions",
    says=(
        r"raising $1/\theta_0$, once it exceeds 5.5 times the far distance, and interpolation in the limit "
        r"$s \to \infty$, reduce the gap of a given pair ($\nu_0 = 0$, $D \to \infty$)"
    ),
    uses=("rem-base.monotone*", "rem-PI.gap"),
    outline="rem-base.monotone as repaired, rem-PI.gap.",
)
def introduction_repaired() -> Iterator[Evidence]:
    yield below("(2, 65536): condition at base 5.5 * 65536", 0, falling_from(2, 65536, 11 * 65536 // 2))


@attack("rem-extensions", domain="v1's bases 5e5 and 2e8, pairs (2, 8192) and (2, 2^20)")
def introduction_attack() -> Iterator[Evidence]:
    for far in (8192, 2**20):
        yield below(
            f"(2, {far}), D = 128: gap at 5e5 below that at 2e8",
            base_gap(500_000, 2, far),
            base_gap(2 * 10**8, 2, far),
        )


@practice("rem-PI")
def interpolation_practice() -> Iterator[dict[str, object]]:
    """Rows: base raised by s against interpolation by s, gap of (2, 65536), D = 128, turns."""
    for base in BASES:
        for s in (2, 8):
            yield {
                "base": base,
                "s": s,
                "gap before": short(base_gap(base, 2, 65536)),
                "gap after interpolation": short(base_gap(base, ball(2) / s, ball(65536) / s)),
                "gap at base s b": short(base_gap(base * s, 2, 65536)),
                "log10 of the base that pair 1 would need": short(
                    (ball(base) * ball(s) ** 64).log() / ball(10).log()
                ),
            }
