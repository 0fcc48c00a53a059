"""Theorem 2.3: the gap of a fixed pair of distances closes, how fast at most and how slowly at least."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import BASES, HEAD_DIMS, LONGEST, controlled, equality, exact, rises, scale, search, short
from proofs.integrals import RopeSums, ci, si
from proofs.ledger import attack, claim, practice
from proofs.letters import (
    ANY_BASE,
    ANY_HEAD,
    ANY_MEANS,
    ANY_UNIT,
    BASE,
    DELTA,
    DIM,
    EPS,
    FAR,
    FAR_POSITIVE,
    HERE,
    LOG,
    MU,
    NEAR,
    NEAR_POSITIVE,
    NU,
    THERE,
    R,
    cin_expression,
    cosine_limit_gap,
    in_closed_form,
    limit_bias,
    rope_bias,
)
from proofs.letters import UNIT as C
from proofs.paper.theorem_2_2 import limit_gap
from proofs.statements import TURN, Conclusion, Statement, Variable, constant_ball, relation

X = sp.Symbol("x", positive=True)
BOUND = R * (2 / DIM + (1 + sp.log(C * DELTA / 2)) / LOG)  # for c delta >= 2


def chord() -> Evidence:
    """|e^{ix} - e^{iy}|^2 = 4 sin^2((x-y)/2), hence at most min(2, |x-y|)^2."""
    x, y = sp.symbols("x y", real=True)
    square = (sp.cos(x) - sp.cos(y)) ** 2 + (sp.sin(x) - sp.sin(y)) ** 2
    return equality("squared chord", square, 2 - 2 * sp.cos(x - y))


def integral_of_minimum(extra: int = 1) -> Iterator[Evidence]:
    """(1/2) int_0^oo min(2, c delta e^{-Lx}) dx, split at x* = ln(c delta/2)/L, against (extra + ln(c delta/2))/L."""
    cut = sp.log(C * DELTA / 2) / LOG
    tail = sp.integrate(C * DELTA * sp.exp(-LOG * X), (X, 0, sp.oo)) * sp.exp(-LOG * cut)
    yield equality(
        "half the integral", sp.simplify((2 * cut + tail) / 2), (extra + sp.log(C * DELTA / 2)) / LOG
    )
    whole = sp.integrate(C * DELTA * sp.exp(-LOG * X), (X, 0, sp.oo)) / 2
    yield equality("half the integral of c delta e^{-Lx} alone", whole, C * DELTA / (2 * LOG))


def gap_bound(distance: Real, head_dim: int, log_base: arb, turns: bool) -> arb:
    """Bound of |Delta|/r: c delta (1/D + 1/(2L)), or 2/D + (1 + ln(c delta/2))/L where c delta >= 2."""
    angle = scale(turns) * ball(distance)
    linear = angle * (1 / ball(head_dim) + 1 / (2 * log_base))
    if not angle >= 2:
        return linear
    return arb.min(linear, 2 / ball(head_dim) + (1 + (angle / 2).log()) / log_base)


GAP = sp.Abs(HERE - THERE)
PAIR = (ANY_UNIT, ANY_HEAD, ANY_BASE, Variable(NEAR), Variable(FAR), *ANY_MEANS)
SHORT = {
    HERE: rope_bias(NEAR),
    THERE: rope_bias(FAR),
    LOG: sp.log(BASE),
    DELTA: sp.Abs(NEAR - FAR),
    R: sp.sqrt(MU**2 + NU**2),
}
EQ_8 = Statement(
    PAIR,
    (
        Conclusion(sp.Le(GAP, R * C * DELTA * (1 / DIM + 1 / (2 * LOG)))),
        Conclusion(
            sp.Le(GAP, R * (2 / DIM + (1 + sp.log(C * DELTA / 2)) / LOG)), when=(sp.Ge(C * DELTA, 2),)
        ),
    ),
    meaning=SHORT,
    words=r"(8) is printed as a bound by any $\epsilon > 0$, of small $\theta_0$ and large $D$ that it does not name "
    r"(`thm-2.3`); read as these two bounds, which make it explicit: ",
)


@claim(
    "eq-8",
    where="Sec. 2.2, eq 8",
    kind="equation",
    says=EQ_8,
    cites=("thm-2.3",),
    outline=(
        "Per pair |mu cos + nu sin| of two angles differs by at most r|e^{ix} - e^{iy}| <= r h(2d/D), h(x) "
        "= min(2, c delta theta_0^x), which falls; (1/D) sum h(2d/D) <= h(0)/D + (1/2) int_0^1 h. No lemma "
        "is needed, and neither D > 4L nor lambda > 1; at delta = 0 both sides are 0. The second bound holds for every "
        "delta >= 1 in turns."
    ),
    proof=r"""
        In pair $d$ two angles differ by $c\delta\theta_d$, so the pair's share of $\Delta$ is at most
        $\frac rD|e^{ix}-e^{iy}|\le\frac rDg(2d/D)$, $g(x)=\min(2,c\delta\theta_0^x)$. As $g$ falls,
        $\frac1D\sum_dg(2d/D)\le\frac{g(0)}D+\frac12\int_0^1g$. With $g\le c\delta\theta_0^x$ the integral
        is at most $c\delta/L$: the bound without a condition. With $x_*=\ln(c\delta/2)/L$, where the two
        branches meet, $\int_0^1g\le2x_*+\int_{x_*}^\infty c\delta e^{-Lx}dx=\frac2L(1+\ln\frac{c\delta}2)$:
        the other. $\square$
    """,
)
def eq_8(statement: Statement) -> Iterator[Evidence]:
    yield chord()
    yield from integral_of_minimum()
    cut = sp.log(C * DELTA / 2) / LOG
    falling = C * DELTA * sp.exp(-LOG * X)
    whole = C * DELTA / DIM + sp.integrate(falling, (X, 0, sp.oo)) / 2
    yield equality("r (h(0)/D + half the integral of c delta e^{-Lx})", R * whole, statement.target(1))
    tail = sp.integrate(falling, (X, 0, sp.oo)) * sp.exp(-LOG * cut)
    split = 2 / DIM + sp.simplify((2 * cut + tail) / 2)
    yield equality(
        "r (h(0)/D + half the integral of h, split where c delta e^{-Lx} = 2)", R * split, statement.target(2)
    )
    yield exact(
        "the split needs c delta >= 2, so that it lies at x >= 0, and the statement says so",
        statement.conclusions[1].when == (sp.Ge(C * DELTA, 2),),
        statement.conclusions[1].when,
        "c delta >= 2",
    )


@attack("eq-8", domain=EQ_8.domain())
def eq_8_attack() -> Iterator[Evidence]:
    yield search("1 - (Delta/r)^2/bound^2 in the worst direction", _bound_cases(), control="0.0214")
    yield from EQ_8.attack()


def _bound_cases() -> Iterator[tuple[str, arb]]:
    pairs = (("0", "1"), ("1", "2"), ("-1/2", "3/2"), ("2", "65536"), ("-1000", "1000000"), ("1/100", "1/50"))
    for head_dim in (2, 4, 64, 256):
        for base in ("11/10", "10", "10000", "1e40"):
            for turns in (True, False):
                sums = RopeSums.of(head_dim, base=base, turns=turns)
                for near, far in pairs:
                    x, y = sums.cos(near) - sums.cos(far), sums.sin(near) - sums.sin(far)
                    bound = gap_bound(ball(far) - ball(near), head_dim, ball(base).log(), turns)
                    yield (
                        f"D={head_dim}, base {base}, {near} to {far}, turns={turns}",
                        1 - (x * x + y * y) / bound**2,
                    )


THEOREM_2_3 = (
    Statement(  # D_0 = 4r/epsilon and ln b_0 = (2r/epsilon) (1 + ln max(1, c delta/2)), which stand apart
        (Variable(EPS, low=0), *PAIR),
        (
            Conclusion(
                sp.Lt(GAP, EPS),
                when=(
                    sp.Ge(C * DELTA, 2),
                    sp.Gt(DIM, 4 * R / EPS),
                    sp.Gt(LOG, 2 * R / EPS * (1 + sp.log(C * DELTA / 2))),
                ),
            ),
            Conclusion(
                sp.Lt(GAP, EPS), when=(sp.Le(C * DELTA, 2), sp.Gt(DIM, 4 * R / EPS), sp.Gt(LOG, 2 * R / EPS))
            ),
        ),
        meaning=SHORT,
        words=(
            r"Assumption 2.1: for any $\epsilon > 0$, $m$, $n$, $m'$, $n' > 0$: $(1/\sqrt D)|\mathrm{E} "
            r"\mathrm{Attn}_\lambda - \mathrm{E} \mathrm{Attn}_\Lambda| < \epsilon$ for sufficiently small "
            r"$\theta_0$ and large $D$; explicitly, "
        ),
    )
)


@claim(
    "thm-2.3",
    where="Sec. 2.2, Theorem 2.3",
    kind="theorem",
    says=THEOREM_2_3,
    assumes=("Assumption 2.1",),
    uses=("eq-8", "eq-18*"),
    outline=(
        "In the strongest reading, D_0 and the threshold on theta_0 chosen independently of each other: "
        "(8) as made explicit. The printed proof does not give it: eq-37, eq-40. The pair stays fixed "
        "while the base grows; theorem 2.2's own ranges move with the base: rem-base.range."
    ),
    proof=r"""
        By `eq-8` the gap is below $\epsilon$ for $D>4r/\epsilon$ and $b>(e\max(1,c\delta/2))^{2r/\epsilon}$, two
        bounds that do not depend on each other: where $c\delta\le2$ its first bound is at most
        $r(\frac2D+\frac1L)$. $\square$
    """,
)
def thm_2_3(statement: Statement) -> Iterator[Evidence]:
    linear = (
        R * C * DELTA * (1 / DIM + 1 / (2 * LOG))
    )  # eq 8's bound without a condition, which rises with c delta
    bounds = {sp.Ge(C * DELTA, 2): BOUND, sp.Le(C * DELTA, 2): linear.subs(C, 2 / DELTA)}
    for conclusion, (condition, bound) in zip(statement.conclusions, bounds.items(), strict=True):
        asked, *thresholds = conclusion.when
        yield exact("which of eq 8's bounds serves here", asked == condition, asked, condition)
        head, log_base = (threshold.gts - threshold.lts for threshold in thresholds)
        at = bound.subs({DIM: DIM - head, LOG: LOG - log_base})
        found = sp.simplify(sp.expand_log(at, force=True))
        yield equality(f"eq 8's bound at both thresholds, {condition}", found, conclusion.says.gts)
        apart = not (DIM - head).has(LOG) and not (LOG - log_base).has(DIM)
        yield exact(
            "neither threshold names the other's variable", apart, (DIM - head, LOG - log_base), "apart"
        )
        slope = sp.simplify(sp.diff(bound, DIM))
        yield exact("the bound falls in D, and so does its other term in L", slope.is_negative, slope, "< 0")
    slope = sp.diff(linear, C)
    yield exact("the bound without a condition rises with c delta", slope.is_positive, slope, "> 0")
    limits = sp.limit(2 * R / DIM, DIM, sp.oo), sp.limit((1 + sp.log(C * DELTA / 2)) / LOG, LOG, sp.oo)
    what = "joint limit of the bound: a function of D alone plus one of L alone"
    yield exact(what, limits == (0, 0), limits, "(0, 0)")


@attack(
    "thm-2.3",
    domain=(
        "theta_0 -> 0 and D -> infinity along D = L, D = sqrt(L), D = e^L: the gap of (2, 65536) at mu_0 = "
        "nu_0 = 1"
    ),
)
def thm_2_3_attack() -> Iterator[Evidence]:
    cases, near, far = [], 2, 65536
    for exponent in (20, 80, 320):
        for head_dim in (8, exponent, 512):
            sums = RopeSums.of(head_dim, base=ball(10) ** exponent)
            gap = abs(sums.gamma(near, 1, 1) - sums.gamma(far, 1, 1))
            bound = ball(2).sqrt() * gap_bound(far - near, head_dim, ball(10).log() * exponent, True)
            sizes = {C: TURN, DIM: head_dim, BASE: sp.Integer(10) ** exponent, MU: 1, NU: 1}
            yield from EQ_8.bounds_by(sizes | {NEAR: near, FAR: far}, {2: bound})
            cases.append((f"base 1e{exponent}, D = {head_dim}", 1 - gap / bound))
    yield search("1 - |Delta|/bound", cases, control="0.608")
    yield from THEOREM_2_3.attack()


def cin(x: arb) -> arb:
    """Cin(x) = gamma + ln x - Ci(x)."""
    return arb.const_euler() + x.log() - ci(x)


def final_gap(near: Real, far: Real, mu: Real, nu: Real, turns: bool = True) -> arb:
    """K, to which 2L times the limit gap tends: mu (Cin(c far) - Cin(c near)) + nu (Si(c near) - Si(c far))."""
    x, y = scale(turns) * ball(near), scale(turns) * ball(far)
    return ball(mu) * (cin(y) - cin(x)) + ball(nu) * (si(x) - si(y))


def vanishing_ratio(near: Real, far: Real) -> arb:
    """nu_0/mu_0 at which K = 0, in turns."""
    return -final_gap(near, far, 1, 0) / final_gap(near, far, 0, 1)


K = sp.Symbol("K", real=True)
FAR_ANGLE = C * FAR_POSITIVE / BASE  # c Lambda/b
RATE = Statement(
    (
        ANY_UNIT,
        ANY_BASE,
        Variable(NEAR_POSITIVE, low=sp.Integer(0)),
        Variable(FAR_POSITIVE, low=NEAR_POSITIVE),
        *ANY_MEANS,
    ),
    (
        Conclusion(
            relation(
                sp.Abs(2 * LOG * (limit_bias(NEAR_POSITIVE) - limit_bias(FAR_POSITIVE)) - K),
                "<=",
                sp.Abs(MU) * FAR_ANGLE**2 / 4 + sp.Abs(NU) * FAR_ANGLE,
            )
        ),
    ),
    meaning={
        LOG: sp.log(BASE),
        K: MU * (cin_expression(C * FAR_POSITIVE) - cin_expression(C * NEAR_POSITIVE))
        + NU * (sp.Si(C * NEAR_POSITIVE) - sp.Si(C * FAR_POSITIVE)),
    },
    words=(
        r"the gap of a fixed pair closes like $K/(2 \ln b)$, and no faster where $K \ne 0$, as at $\nu_0 = 0 \ne "
        r"\mu_0$; from $g$ to $\epsilon$ then takes a base $b^{g/\epsilon}$: "
    ),
)


@claim(
    "thm-2.3.rate",
    where="Sec. 2.2, Theorem 2.3",
    kind="theorem",
    says=RATE,
    uses=("lem-cin",),
    outline=(
        "Ci(cl) - Ci(cl theta_0) = L - Cin(cl) + Cin(cl theta_0). At nu_0 = 0 the constant is mu_0 times "
        "int_{c lambda}^{c Lambda} (1-cos t)/t dt > 0. K = 0 at nu_0/mu_0 = (Cin(c Lambda) - Cin(c lambda))/(Si(c "
        "Lambda) - Si(c lambda)), where the gap is R/(2 ln b) and closes as fast as 1/b."
    ),
    proof=r"""
        As in the proof of `thm-2.2.limit`, $2L\lim\Delta$ is made of $\mathrm{Ci}(cx)-\mathrm{Ci}(cx/b)$
        and of the same with $\mathrm{Si}$, at $x=\lambda$ and $x=\Lambda$. Here
        $\mathrm{Ci}(cx)-\mathrm{Ci}(cx/b)=L-\mathrm{Cin}(cx)+\mathrm{Cin}(cx/b)$ (`lem-cin`), and the terms
        in $cx/b$ are $R$: $0\le\mathrm{Cin}(y)\le y^2/4$ and $0\le\mathrm{Si}(y)\le y$. $\square$
    """,
)
def thm_2_3_rate(statement: Statement) -> Iterator[Evidence]:
    near, far, s = NEAR_POSITIVE, FAR_POSITIVE, sp.Symbol("s", positive=True)
    (conclusion,) = statement.conclusions
    rest = in_closed_form(statement.spelt(conclusion.says.lhs.args[0]))
    small = [sp.Si(C * x / BASE) for x in (far, near)]
    entire = [cin_expression(C * x / BASE) for x in (far, near)]
    found = sp.expand(sp.expand_log(rest, force=True))
    due = sp.expand(sp.expand_log(MU * (entire[0] - entire[1]) + NU * (small[1] - small[0]), force=True))
    signed = due if sp.expand(found - due) == 0 else -due  # SymPy chooses the sign inside a modulus
    yield equality("2L lim Delta - K, in Cin and Si of c lambda/b and c Lambda/b alone", found, signed)
    yield rises("x - sin x, so that |Si'| <= 1", X - sp.sin(X), X, 1)
    cosines, sines = sp.integrate(s / 2, (s, 0, FAR_ANGLE)), sp.integrate(1, (s, 0, FAR_ANGLE))
    yield equality(
        "the greater Cin is at most int s/2, the greater Si at most int 1, and both rise",
        sp.Abs(MU) * cosines + sp.Abs(NU) * sines,
        statement.target(),
    )
    yield equality(
        "slope of Si(cl) - Si(cl/b) in l is (sin cl - sin cl/b)/l",
        sp.diff(sp.Si(C * near) - sp.Si(C * near / BASE), near),
        (sp.sin(C * near) - sp.sin(C * near / BASE)) / near,
    )


@attack(
    "thm-2.3.rate",
    domain="bases 1e3 to 1e60, pairs (1, 2), (2, 8192), (2, 2^20), nu_0/mu_0 = -1, 0, 1, K = 0; both conventions",
)
def rate_attack() -> Iterator[Evidence]:
    cases = []
    for base in (10**3, 10**9, 10**60):
        for near, far in ((1, 2), (2, 8192), (2, LONGEST)):
            for nu in (-1, 0, 1, vanishing_ratio(near, far)):
                for turns in (True, False):
                    angle = scale(turns) * far / base
                    gap = 2 * ball(base).log() * limit_gap(base, near, far, nu, turns)
                    rest = abs(gap - final_gap(near, far, 1, nu, turns))
                    bound = angle**2 / 4 + abs(nu) * angle + ball("1e-30")
                    where = f"base {base}, ({near}, {far}), nu {float(ball(nu)):.4g}, turns={turns}"
                    cases.append((where, 1 - rest / bound))
    yield search("1 - |R|/(its bound + 1e-30)", cases, control="4.59e-8")
    gap = abs(limit_gap(10**9, 1, 2, vanishing_ratio(1, 2)))
    what = "K = 0 at nu_0/mu_0 of (1, 2): |gap| at base 1e9"
    yield controlled(below(f"{what}, against 1e-8", gap, "1e-8"), below(f"{what}, against 1e-9", gap, "1e-9"))
    yield from RATE.attack()


@practice("thm-2.3.rate")
def rate_practice() -> Iterator[dict[str, object]]:
    """Rows: K of some pairs at mu_0 = 1; the gap is about K/(2 ln b) once b is well beyond Lambda."""
    for near, far in ((1, 2), (2, 8192), (2, 65536), (2, LONGEST)):
        for nu in (0, 1):
            yield {
                "pair": f"{near}, {far}",
                "nu_0": nu,
                "K, turns": short(final_gap(near, far, 1, nu)),
                "K, radians": short(final_gap(near, far, 1, nu, turns=False)),
                "relative remainder at base 10 Lambda, turns": short(
                    (scale(True) / 10) ** 2 / 4 / final_gap(near, far, 1, 0)
                ),
            }


SLOW = Statement(
    (Variable(BASE, low=sp.Integer(10) ** 6, high=sp.Integer(10) ** 17, closed=True, cut=True),),
    (Conclusion(relation(cosine_limit_gap(sp.Integer(2), sp.Integer(65536), TURN), ">", sp.Rational(1, 8))),),
    words=r"$\nu_0 = 0$, $\mu_0 = 1$, turns, pair $(2, 65536)$, $D \to \infty$: ",
)


@claim(
    "thm-2.3.slow",
    where="Sec. 2.2, Theorem 2.3",
    kind="step",
    says=SLOW,
    uses=("thm-2.3.rate",),
    outline=(
        "2L Delta/mu_0 >= K - (c Lambda theta_0)^2/4 with K = Cin(c 65536) - Cin(2c) > 10.39, above L/4 up "
        "to L = 41.3."
    ),
)
def slow(statement: Statement) -> Iterator[Evidence]:
    base, near, far = statement.range_of(BASE), 2, 65536
    pair = {C: TURN, NEAR_POSITIVE: near, FAR_POSITIVE: far, MU: 1, NU: 0}
    constant = constant_ball(RATE.meaning[K].subs(pair))
    rest = constant_ball(RATE.target().subs(pair).subs(BASE, base.low))
    said = cosine_limit_gap(sp.Integer(near), sp.Integer(far), TURN)

    def asked(largest: sp.Expr) -> arb:
        """2L times the bound at a base."""
        return 2 * constant_ball(sp.log(largest)) * constant_ball(statement.target())

    yield exact("the pair is that of K", statement.conclusions[0].says.lhs == said, said, "(2, 65536), turns")
    yield below(
        "2L times the bound at the largest base against K less the remainder at the smallest",
        asked(base.high),
        constant - rest,
    )
    yield below(
        "at a hundred times the largest base K is below 2L times it", constant, asked(100 * base.high)
    )


@attack("thm-2.3.slow", domain="bases 10^k, k = 6..17, D -> infinity")
def slow_attack() -> Iterator[Evidence]:
    cases = ((f"base 1e{k}", limit_gap(10**k, 2, 65536, 0) - ball("1/8")) for k in range(6, 18))
    yield search("limit gap less 1/8", cases, control="0.00773")
    yield from SLOW.attack()


@practice("thm-2.3")
def thm_2_3_practice() -> Iterator[dict[str, object]]:
    """Rows: the gap of a fixed pair at real bases, nu_0 = 0, mu_0 = 1, and the base that a smaller gap takes."""
    for far in (8192, 65536, LONGEST):
        constant = final_gap(2, far, 1, 0)
        for base in BASES:
            gaps = {}
            for head_dim in HEAD_DIMS:
                sums = RopeSums.of(head_dim, base=base)
                gaps[f"gap at D = {head_dim}"] = short(sums.cos(2) - sums.cos(far))
            yield {
                "pair": f"2, {far}",
                "base": base,
                **gaps,
                "gap as D -> oo": short(limit_gap(base, 2, far, 0)),
                "bound 2/D + (1+ln(c delta/2))/L at D = 128": short(
                    gap_bound(far - 2, 128, ball(base).log(), True)
                ),
                "log10 of the base for a gap of 1/8": short(4 * constant / ball(10).log()),
                "log10 of the base for a gap of 1/100": short(50 * constant / ball(10).log()),
            }
