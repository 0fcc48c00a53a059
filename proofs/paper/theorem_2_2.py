"""Theorem 2.2 as stated, as repaired with explicit constants, how good these are, and where keys precede their query.

The repair holds in the limit D -> infinity, with an error at finite D. At a fixed base b, L = ln b, C_D and S_D tend
to (Ci(c lambda) - Ci(c lambda/b))/(2L) and the same with Si, c = 2 pi in turns and 1 in radians. Three numbers about
Ci and Si beyond c then decide the theorem for all distances at once.

In a causal model lambda, Lambda > 0, and the sign of nu_0 mu_0 decides. Over distances of both signs it does not
matter: (lambda, nu_0) and (-lambda, -nu_0) have the same score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, text
from proofs.checks import BASES, equality, exact, scale, search, short
from proofs.integrals import RopeSums, ci, cos_limit, si, sin_limit
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.subdivision import certify_positive, covers

EDGE = 4096  # the near range 1 < lambda < b^(1/4)/8 is empty up to this base


@dataclass(frozen=True)
class Convention:
    """Bounds of Ci and Si beyond c = 2 pi (turns) or 1 (radians): Ci >= -dip, low <= Si <= high."""

    turns: bool
    dip: str
    low: str
    high: str

    def far_sine(self) -> arb:
        """Bound of |Si(x) - Si(y)| over x > y >= c with x >= c EDGE."""
        edge = 1 / (scale(self.turns) * EDGE)
        above, under = ball(self.high) - arb.pi() / 2, arb.pi() / 2 - ball(self.low)
        return (above if above > under else under) + edge

    def cosine_cost(self) -> arb:
        """a: sgn(mu) Delta 2L/|mu| >= 3L/4 - 2a - ..., from Ci near, Ci far and Ci <= gamma + ln."""
        constant = (8 / scale(self.turns)).log() - arb.const_euler()
        return (ball(self.dip) * 2 + 1 / (scale(self.turns) * EDGE) - constant) / 2

    def sine_cost(self) -> arb:
        """a': the same for |nu/mu|: the greatest near sine plus the greatest far one, halved."""
        return (ball(self.high) + self.far_sine()) / 2


TURNS = Convention(True, "0.0896", "1.4181", "1.6748")
RADIANS = Convention(False, "0.1985", "0.9460", "1.8520")


def integral_bounds(convention: Convention) -> Iterator[Evidence]:
    """The three numbers of a convention: boxes up to 12, |Ci| and |Si - pi/2| below 1/12 beyond."""
    start, dip, low, high = (
        scale(convention.turns),
        *map(ball, (convention.dip, convention.low, convention.high)),
    )
    unit = "turns" if convention.turns else "radians"
    for what, f, df in (
        (f"Ci > -{convention.dip}", lambda x: ci(x) + dip, lambda x: x.cos() / x),
        (f"Si > {convention.low}", lambda x: si(x) - low, lambda x: x.sin() / x),
        (f"Si < {convention.high}", lambda x: high - si(x), lambda x: -x.sin() / x),
    ):
        found = certify_positive(f, df, start, 12)
        yield found.evidence(f"{unit}: {what} on [c, 12]")
        yield covers(
            f"{unit}: {what}", [*found.covered, (12, arb("inf"))], scale(convention.turns), arb("inf")
        )
    tail = ball(1) / 12
    yield below(f"{unit}: Ci beyond 12", tail, dip)
    yield below(f"{unit}: Si beyond 12, below", low, arb.pi() / 2 - tail)
    yield below(f"{unit}: Si beyond 12, above", arb.pi() / 2 + tail, high)


@claim(
    "thm-2.2.ci",
    where="App. C",
    kind="lemma",
    says=(
        r"for $x \ge 2\pi$: $\mathrm{Ci}(x) > -0.0896$, $1.4181 < \mathrm{Si}(x) < 1.6748$; for $x \ge 1$: "
        r"$\mathrm{Ci}(x) > -0.1985$, $0.946 < \mathrm{Si}(x) < 1.852$"
    ),
    uses=("lem-ci",),
    outline="Balls over [c, 12], |Ci(x)| and |Si(x) - pi/2| below 1/x beyond.",
    proof=r"""
        For $x>0$, $\mathrm{Ci}(x)^2+(\mathrm{Si}(x)-\frac\pi2)^2<x^{-2}$ (`lem-ci`), which decides beyond
        12; balls over $[c,12]$ decide before. $\square$
    """,
)
def integrals() -> Iterator[Evidence]:
    yield from integral_bounds(TURNS)
    yield from integral_bounds(RADIANS)


@attack(
    "thm-2.2.ci",
    domain="the extrema: x = 7 pi/2, 2 pi, 3 pi in turns, 3 pi/2, 1, pi in radians; how much is given away",
)
def integrals_attack() -> Iterator[Evidence]:
    for convention, dip, low, high in ((TURNS, "7/2", "2", "3"), (RADIANS, "3/2", None, "1")):
        pi = arb.pi()
        lowest = si(ball(low) * pi) if low else si(1)
        cases = [
            ("Ci at its least", ci(ball(dip) * pi) + ball(convention.dip)),
            ("Si at its least", lowest - ball(convention.low)),
            ("Si at its greatest", ball(convention.high) - si(ball(high) * pi)),
        ]
        yield search("turns" if convention.turns else "radians", cases)


@claim(
    "thm-2.2.riemann",
    where="App. C",
    kind="lemma",
    says=(
        r"for every even $D$, base and $\lambda$: $|\Gamma_\lambda - \lim_D \Gamma_\lambda| \le r "
        r"c|\lambda|/D$, $r = \sqrt{\mu_0^2+\nu_0^2}$; with $D > 4L$ also $|C_D - \lim C_D|$, $|S_D - \lim "
        r"S_D| \le a + c\sqrt{e}|\lambda|\theta_0^a/D < a + 2c|\lambda|\theta_0^a/D$ for every $a \ge 0$, "
        "$a = 0$ included"
    ),
    outline=(
        "Gamma is half the left Riemann sum, step 2/D, of f(x) = mu cos + nu sin of c lambda theta_0^x, "
        "and |f'| <= r c lambda L theta_0^x. In a cell |f(x_k) - f(x)| <= r c lambda (theta_0^{x_k} - "
        "theta_0^{x_{k+1}}); the sum telescopes. For a > 0 bound |f(x_k) - f(x)| by 2 for x < a; the other "
        "cells begin after a - 2/D, and theta_0^{-2/D} = e^{2L/D} < sqrt(e)."
    ),
    proof=r"""
        Let $f(x)=\mu_0\cos(c\lambda\theta_0^x)+\nu_0\sin(c\lambda\theta_0^x)$, $h=2/D$, $x_k=kh$. Then
        $\Gamma_\lambda=\frac12\sum_khf(x_k)$, its limit is $\frac12\int_0^1f$, and on a cell
        $|f(x_k)-f(x)|\le rc|\lambda|(\theta_0^{x_k}-\theta_0^{x_{k+1}})$, since $\mu_0\cos+\nu_0\sin$ has
        Lipschitz constant $r$. The sum telescopes: $|\Gamma_\lambda-\lim\Gamma_\lambda|\le\frac
        h2rc|\lambda|(1-\theta_0)<rc|\lambda|/D$. $\square$
    """,
)
def thm_2_2_riemann() -> Iterator[Evidence]:
    yield from thm_2_2_riemann_steps()


def thm_2_2_riemann_steps(factor: int = 1) -> Iterator[Evidence]:
    """Variation of one cell, its telescoping sum, and sqrt(e) < 2; `factor` scales the claimed variation."""
    theta, lam, c, x, lo, hi = sp.symbols("theta lambda c x x_k x_next", positive=True)
    slope = c * lam * (-sp.log(theta)) * theta**x
    cell = sp.integrate(slope, (x, lo, hi))
    yield equality("bound of the variation in one cell", cell, factor * c * lam * (theta**lo - theta**hi))
    cells, step = sp.symbols("k h", positive=True)
    telescoped = 1 - theta ** (cells * step)
    yield equality("telescoping begins at 0", telescoped.subs(cells, 0), sp.Integer(0))
    yield equality(
        "telescoping, any number of cells: the step from k to k + 1",
        telescoped.subs(cells, cells + 1) - telescoped,
        theta ** (cells * step) - theta ** ((cells + 1) * step),
    )
    most = sp.sqrt(sp.E)
    yield exact("the most that theta_0^(-2/D) = e^(2L/D) can be for D > 4L", bool(most < 2), most, "< 2")


def riemann_margin(head_dim: int, base: Real, lam: Real, turns: bool, nu: int) -> arb:
    """c|lambda| r/D less |Gamma_D - Gamma_limit|, mu = 1."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    limit = cos_limit(lam, base=base, turns=turns) + nu * sin_limit(lam, base=base, turns=turns)
    r = (ball(1) + nu * nu).sqrt()
    return scale(turns) * abs(ball(lam)) * r / head_dim - abs(sums.gamma(lam, 1, nu) - limit)


@attack(
    "thm-2.2.riemann",
    domain=(
        "D = 2 to 256, bases 11/10 to 4e9, distances 1/1000 to 1e7 of both signs, nu_0/mu_0 = -1, 0, 1, "
        "both conventions"
    ),
)
def thm_2_2_riemann_attack() -> Iterator[Evidence]:
    cases = (
        (f"D={D}, base {b}, distance {lam}, nu={nu}, turns={turns}", riemann_margin(D, b, lam, turns, nu))
        for D in (2, 4, 64, 256)
        for b in ("11/10", "10", "500000", "4e9")
        for lam in ("1/1000", "1", "-5/2", "31", "1e7")
        for nu in (-1, 0, 1)
        for turns in (True, False)
    )
    yield search("bound less error", cases)


def limit_gap(base: Real, near: Real, far: Real, nu: Real, turns: bool = True) -> arb:
    """lim_D (Gamma_near - Gamma_far) at mu_0 = 1."""
    cosines = cos_limit(near, base=base, turns=turns) - cos_limit(far, base=base, turns=turns)
    return cosines + ball(nu) * (
        sin_limit(near, base=base, turns=turns) - sin_limit(far, base=base, turns=turns)
    )


def gap_floor(convention: Convention, log_base: arb, ratio: Real, constant: Real = "3/8") -> arb:
    """Lower bound of lim sgn(mu) Delta/|mu| over all near and far distances: constant - (a + a'|ratio|)/L."""
    return ball(constant) - (convention.cosine_cost() + convention.sine_cost() * abs(ball(ratio))) / log_base


@claim(
    "thm-2.2.limit",
    where="Sec. 2.2, Theorem 2.2",
    kind="lemma",
    says=(
        r"base $> 4096$, $\mu_0 \ne 0$, $\rho = \nu_0/\mu_0$, all $1 < |\lambda| < b^{1/4}/8$ and "
        r"$|\Lambda| > b$: $\lim_D \mathrm{sgn}(\mu_0)\Delta \ge |\mu_0|(3/8 - (0.2575 + 0.9138|\rho|)/L)$ "
        r"in turns, $|\mu_0|(3/8 + (0.552 - 1.2386|\rho|)/L)$ in radians"
    ),
    uses=("thm-2.2.ci", "lem-ci", "lem-cin"),
    outline=(
        "2L times the limit of Delta/mu is [Ci(cl) - Ci(cl/b)] - [Ci(cL') - Ci(cL'/b)] plus rho times the "
        "same with Si, l near, L' far. Near: Ci(cl) > -dip, and -Ci(cl/b) >= -gamma - ln(cl/b) > 3L/4 + "
        "ln(8/c) - gamma, as l < b^{1/4}/8. Far: Ci(cL'/b) > -dip, Ci(cL') < 1/(4096 c). Sines: 0 < Si(cl) "
        "- Si(cl/b) < high near, below max(high - pi/2, pi/2 - low) + 1/(4096c) far, either sign."
    ),
    proof=r"""
        With $y=c\lambda\theta_0^x$, $2L\lim C_D=\mathrm{Ci}(c|\lambda|)-\mathrm{Ci}(c|\lambda|/b)$ and
        $2L\lim S_D=\mathrm{Si}(c\lambda)-\mathrm{Si}(c\lambda/b)$. So
        $2L\lim\mathrm{sgn}(\mu_0)\Delta/|\mu_0|$ is
        $[\mathrm{Ci}(c|\lambda|)-\mathrm{Ci}(c|\lambda|/b)]-[\mathrm{Ci}(c|\Lambda|)-\mathrm{Ci}(c|\Lambda|/b)]$,
        plus $\rho$ times the same with $\mathrm{Si}$.

        *Cosines (turns).* $\mathrm{Ci}(c|\lambda|)>-0.0896$ by `thm-2.2.ci`. As $|\lambda|<b^{1/4}/8$ and
        $\mathrm{Ci}(x)\le\gamma+\ln x$ (`lem-cin`),
        $-\mathrm{Ci}(c|\lambda|/b)>\frac34L+\ln\frac8c-\gamma$. Far, $c|\Lambda|>4096c$ and
        $c|\Lambda|/b>c$: $-\mathrm{Ci}(c|\Lambda|)>-\frac1{4096c}$ and $\mathrm{Ci}(c|\Lambda|/b)>-0.0896$.
        The sum exceeds $\frac34L+\ln\frac8{2\pi}-\gamma-0.1793>\frac34L-0.515$; halved and divided by $L$
        it is $\frac38-0.2575/L$.

        *Sines.* Near, $0<\pm[\mathrm{Si}(c\lambda)-\mathrm{Si}(c\lambda/b)]<1.6748$. Far,
        $\mathrm{Si}(c|\Lambda|)$ is within $\frac1{4096c}$ of $\frac\pi2$ and
        $\mathrm{Si}(c|\Lambda|/b)\in(1.4181,1.6748)$, so the difference is below $0.1528$. Whatever the
        signs, their difference is below $1.8276=2\cdot0.9138$. In radians put $c=1$ and the second line of
        `thm-2.2.ci`. $\square$
    """,
)
def limit_bound() -> Iterator[Evidence]:
    for convention, cosine, sine in ((TURNS, "0.2575", "0.9138"), (RADIANS, "-0.552", "1.2386")):
        unit = "turns" if convention.turns else "radians"
        yield below(f"{unit}: a = (2 dip + 1/(4096 c) + gamma - ln(8/c))/2", convention.cosine_cost(), cosine)
        yield below(f"{unit}: a' = (high + far)/2", convention.sine_cost(), sine)
        yield from far_sine_holds(convention)
    yield from near_algebra()


def far_sine_holds(convention: Convention) -> Iterator[Evidence]:
    """Do the far sines keep to their bound where Si is extreme beyond c? At 2 pi and 3 pi, or at 1 and pi."""
    unit = "turns" if convention.turns else "radians"
    end, pi = si(scale(convention.turns) * EDGE), arb.pi()
    least, greatest = (2 * pi, 3 * pi) if convention.turns else (ball(1), pi)
    for name, extreme in (("least", least), ("greatest", greatest)):
        yield below(
            f"{unit}: |Si(4096c) - Si| where Si is {name}", abs(end - si(extreme)), convention.far_sine()
        )


def near_algebra(root: int = 4, divisor: int = 8) -> Iterator[Evidence]:
    """-ln(c l/b) at l = b^(1/4)/8 is 3L/4 + ln(8/c), exactly."""
    c, log_base = sp.symbols("c L", positive=True)
    near = sp.exp(log_base / root) / divisor
    found = sp.expand_log(-sp.log(c * near / sp.exp(log_base)), force=True)
    yield equality("-ln(c lambda theta_0) at the near end", found, 3 * log_base / 4 + sp.log(8) - sp.log(c))


@attack(
    "thm-2.2.limit",
    domain=(
        "bases 4097 to 1e60, near ends and lambda = 3/2, 7/4, far from b on, nu_0/mu_0 = -20..20, all "
        "signs, both conventions"
    ),
)
def limit_attack() -> Iterator[Evidence]:
    for convention in (TURNS, RADIANS):
        yield search("limit gap less its bound", _limit_cases(convention))


def _limit_cases(convention: Convention) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65537, 500_000, 4 * 10**9, 10**28, 10**60):
        log_base, end = ball(base).log(), ball(base) ** (ball(1) / 4) / 8
        nears = [
            x
            for x in (ball("1.0001"), ball("3/2"), ball("7/4"), end * ball("9999/10000"))
            if x > 1 and x < end
        ]
        for near in nears:
            for far in ("10001/10000", "7/4", "5/2", "1000"):
                for sign_near, sign_far, ratio in (
                    (1, 1, 0),
                    (1, 1, -20),
                    (-1, 1, 2),
                    (-1, -1, 20),
                    (1, -1, 1),
                ):
                    gap = limit_gap(
                        base, sign_near * near, sign_far * base * ball(far), ratio, convention.turns
                    )
                    yield (
                        f"base {base}, near {text(near, 5)}, far {far} b, nu/mu {ratio}",
                        gap - gap_floor(convention, log_base, ratio),
                    )


ROOT = Fraction(2, 3)  # theta_0^(2/D) of the exact example: D > 4L at every D


def periodic_example(pairs: int, offset: int) -> Iterator[Evidence]:
    """theta_d = (2/3)^d, d < pairs: Lambda = offset + 3^(pairs-1) repeats the distance `offset` exactly."""
    base = ROOT**-pairs
    far = offset + 3 ** (pairs - 1)
    whole = all((far - offset) * ROOT**d % 1 == 0 for d in range(pairs))
    near_range = offset > 1 and (8 * offset) ** 4 < base
    yield exact(
        "lambda = 2 lies in the near range and Lambda beyond the base",
        near_range and far > base,
        (offset, far > base),
        "yes",
    )
    yield below("the base exceeds e^64, the printed threshold at nu_0 = 0", 64, ball(base).log())
    yield below("and D exceeds 4L, as the lemmas ask", 4 * ball(base).log(), 2 * pairs)
    yield exact(
        "all (Lambda - lambda) theta_d are integers, so Delta = 0: (7) for mu_0 = 1", not whole, "0", "> 1/8"
    )


def pigeonhole() -> Evidence:
    """|Gamma(lambda + T) - Gamma(lambda)| <= (1/D)(D/2) 2 pi eps r: |mu_0|/8 at eps = 1/(8 pi sqrt(1+rho^2))."""
    dim, eps, r = sp.symbols("D epsilon r", positive=True)
    return equality(
        "change of Gamma when each pair turns by at most eps",
        (dim / 2) / dim * 2 * sp.pi * eps * r,
        sp.pi * eps * r,
    )


def returning_gap(share: sp.Expr) -> Evidence:
    """At eps = 1/(share pi sqrt(1+rho^2)) the gap of the returning distance is at most |mu_0|/share: is that > 1/8?"""
    mu, rho = sp.symbols("mu rho", positive=True)
    most = sp.simplify(sp.pi * (mu * sp.sqrt(1 + rho**2)) / (share * sp.pi * sp.sqrt(1 + rho**2)) / mu)
    what = "every even D, theta_0 and near lambda: the most that Delta/|mu_0| can be at Lambda = lambda + T"
    return exact(what, bool(most > sp.Rational(1, 8)), most, "> 1/8")


@claim(
    "thm-2.2",
    where="Sec. 2.2, Theorem 2.2",
    kind="theorem",
    says=(
        r"Assumption 2.1: there is $\theta(\mu_0,\nu_0) > 0$ such that for $\theta_0 < "
        r"\theta(\mu_0,\nu_0)$, any $1 < |\lambda| < \theta_0^{-1/4}/8$ and $|\Lambda| > \theta_0^{-1}$: "
        r"$(\mathrm{sgn}(\mu_0)/\sqrt D)(\mathrm{E} \mathrm{Attn}_\lambda - \mathrm{E} "
        r"\mathrm{Attn}_\Lambda) > |\mu_0|/8$ for sufficiently large $D$"
    ),
    assumes=("Assumption 2.1",),
    uses=("asm-2.1",),
    outline=(
        "As a statement about a model, with one D for all the distances, it fails for every mu_0, theta_0 and D: some "
        "far distance brings the near score back (thm-2.2.uniform); exactly, D = 512, theta_0 = (2/3)^256, mu_0 = 1, "
        "nu_0 = 0, lambda = 2, Lambda = 2 + 3^255 has a gap of 0. Where D may grow with Lambda it fails at mu_0 = 0 "
        "alone, which Assumption 2.1 admits: (7) then reads 0 > 0. For mu_0 != 0 that form is thm-2.2*."
    ),
)
def thm_2_2() -> Iterator[Evidence]:
    yield from periodic_example(256, 2)
    yield returning_gap(sp.Integer(8))
    near, far = sp.symbols("Gamma_lambda Gamma_Lambda", real=True)
    left = sp.sign(sp.Integer(0)) * (near - far)
    yield exact(
        "D after Lambda; mu_0 = 0, any nu_0, theta_0, D, lambda, Lambda: left side of (7)",
        bool(left > 0),
        left,
        "> 0",
    )


def holds_from(convention: Convention, ratio: Real) -> arb:
    """ln b beyond which the limit gap exceeds |mu_0|/8 for all near and far distances: 4 (a + a'|ratio|)."""
    return 4 * (convention.cosine_cost() + convention.sine_cost() * abs(ball(ratio)))


def enough(convention: Convention, constant: str, offset: str, slope: str) -> Iterator[Evidence]:
    """Is gap_floor > `constant` for every L > offset + slope |rho|? 3/8 - x/L > constant iff L > x/(3/8 - constant)."""
    room = ball("3/8") - ball(constant)
    yield below(f"offset, constant {constant}", convention.cosine_cost() / room, offset)
    yield below(f"slope, constant {constant}", convention.sine_cost() / room, slope)


@repair(
    "thm-2.2",
    says=(
        r"$\mu_0 \ne 0$, $\rho = \nu_0/\mu_0$, $b > 4096$, $L = \ln b > 1.03 + 3.66|\rho|$ (turns; in "
        r"radians $L > 4.96|\rho| - 2.2$): for all $1 < |\lambda| < b^{1/4}/8$, $|\Lambda| > b$, "
        r"$\mathrm{sgn}(\mu_0)\Delta \ge |\mu_0|(3/8 - (0.2575+0.9138|\rho|)/L) - c "
        r"r(|\lambda|+|\Lambda|)/D$; so (7) holds once $D > c\sqrt{1+\rho^2}(|\lambda|+|\Lambda|)/(1/4 - "
        r"(0.2575+0.9138|\rho|)/L)$, uniformly for $|\Lambda|$ up to any fixed bound"
    ),
    assumes=(
        "Assumption 2.1",
        r"$\mu_0 \ne 0$",
        "$b > 4096$",
        r"$L > 1.03 + 3.66|\rho|$",
        r"$D$ beyond a multiple of $|\Lambda|$",
    ),
    uses=("thm-2.2.limit", "thm-2.2.riemann", "eq-18*"),
    outline=(
        "The limit bound less twice the Riemann error. The printed threshold is L > 64(1 + |rho|); for "
        "|rho| <= 1.99 every base whose near range is not empty will do. 3/8 is the best constant in place "
        "of 1/8: thm-2.2.sharp."
    ),
    proof=r"""
        `thm-2.2.riemann`, used at $\lambda$ and at $\Lambda$, and `thm-2.2.limit` give the bound. It
        exceeds $|\mu_0|/8$ for large $D$ when $L>4(0.2575+0.9138|\rho|)=1.03+3.6552|\rho|$. $\square$
    """,
)
def thm_2_2_repaired() -> Iterator[Evidence]:
    yield from enough(TURNS, "1/8", "1.03", "3.66")
    yield from enough(RADIANS, "1/8", "-2.2", "4.96")
    yield below(
        "turns, |rho| = 1.99: the threshold lies below ln 4096",
        ball("1.03") + ball("3.66") * ball("1.99"),
        ball(4096).log(),
    )


@attack(
    "thm-2.2",
    domain=(
        "D after Lambda, mu_0 != 0: v1's own threshold, L = 64 (1 + |nu_0/mu_0|), at nu_0/mu_0 = -3..3, lambda of both "
        "signs just above 1, in the middle and at the near end, Lambda of both signs from just beyond b to 1000 b"
    ),
)
def thm_2_2_attack() -> Iterator[Evidence]:
    yield search("D -> oo at the printed threshold (32): gap less |mu_0|/8", _printed_threshold_cases())


def _printed_threshold_cases() -> Iterator[tuple[str, arb]]:
    for ratio in (-3, -1, 0, 1, 3):
        base = (ball(64) * (1 + abs(ratio))).exp().mid()
        end = (base ** (ball(1) / 4) / 8 * ball("9999/10000")).mid()
        for near in (ball("10001/10000"), end.sqrt().mid(), end):
            for stretch in ("10001/10000", "5/2", "1000"):
                for sign_near, sign_far in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                    gap = limit_gap(base, sign_near * near, sign_far * base * ball(stretch), ratio)
                    yield (
                        f"nu/mu {ratio}, near {sign_near * float(near):.5g}, far {sign_far} * {stretch} b",
                        gap - ball("1/8"),
                    )


@necessary("thm-2.2*", hypothesis=r"$\mu_0 \ne 0$")
def thm_2_2_at_zero() -> Iterator[Evidence]:
    left = sp.sign(sp.Integer(0)) * sp.Symbol("Delta", real=True)
    yield exact("mu_0 = 0: left side of (7)", bool(left > 0), left, "> 0")


@necessary("thm-2.2*", hypothesis=r"$L > 1.03 + 3.66|\rho|$")
def thm_2_2_below_its_threshold() -> Iterator[Evidence]:
    what = "D -> oo, rho = 10, L = 0.4 + 3.44|rho|: gap over |mu_0| against 1/8"
    yield below(what, "1/8", threshold_gap(10, "0.4", "3.44"))


@necessary("thm-2.2*", hypothesis=r"$D$ beyond a multiple of $|\Lambda|$")
def thm_2_2_at_small_head_dimension() -> Iterator[Evidence]:
    yield from periodic_example(256, 2)


@attack(
    "thm-2.2*",
    domain=(
        "the smallest base worth trying, 4200, at the smallest D its own bound allows, near end, nu_0/mu_0 "
        "= 0 and 1/2, the bad signs"
    ),
)
def thm_2_2_repaired_attack() -> Iterator[Evidence]:
    yield search("Delta - 1/8 at mu_0 = 1, D = smallest even value allowed", _finite_cases())


def _finite_cases() -> Iterator[tuple[str, arb]]:
    for near, ratio, far_sign in (("1001/1000", 0, 1), ("-1001/1000", "1/2", -1)):
        base = 4200
        far, r = base + 1, (1 + ball(ratio) ** 2).sqrt()
        room = gap_floor(TURNS, ball(base).log(), ratio) - ball("1/8")
        least = float((2 * arb.pi() * r * (abs(ball(near)) + far) / room).upper())
        dim = 2 * (int(least) // 2 + 1)
        sums = RopeSums.of(dim, base=base)
        gap = sums.gamma(near, 1, ratio) - sums.gamma(far_sign * far, 1, ratio)
        yield (
            f"base {base}, lambda {near}, Lambda {far_sign * far}, nu/mu {ratio}, D {dim}",
            gap - ball("1/8"),
        )


@claim(
    "thm-2.2.sharp",
    where="Sec. 2.2, Theorem 2.2",
    kind="step",
    says=(
        r"$3/8$ is the best constant in (7) over all small $\theta_0$: it is approached as $b \to \infty$, "
        r"and at $\nu_0 = 0$, in turns, the gap at the near end stays below $3/8$ at every base $b \ge "
        r"10^6$; and a threshold on $L$ below $0.4 + 3.44|\rho|$ is too small for $\rho = 3$, 10, 30"
    ),
    uses=("thm-2.2.limit",),
    outline=(
        "Near end lambda = b^{1/4}/8, Lambda -> infinity (far terms 0): 2L gap = 3L/4 + ln(8/c) - gamma + "
        "Ci(c b^{1/4}/8) + Cin(c b^{-3/4}/8), and the last four terms sum to less than 0. Thresholds: "
        "explicit distances at which the limit gap is below 1/8."
    ),
)
def thm_2_2_sharp() -> Iterator[Evidence]:
    end = ball(10**6) ** (ball(1) / 4) / 8
    small = 2 * arb.pi() * end / 10**6
    rest = (8 / scale(True)).log() - arb.const_euler() + 1 / (2 * arb.pi() * end) + small**2 / 4
    yield below(
        "b >= 1e6: ln(8/2pi) - gamma + 1/(c lambda) + (c lambda theta_0)^2/4 at the near end", rest, 0
    )
    for ratio in (3, 10, 30):
        yield below_eighth(ratio, "0.4", "3.44")


def threshold_gap(ratio: int, offset: str, slope: str) -> arb:
    """The limit gap at L = offset + slope |ratio|, lambda = -0.999 b^(1/4)/8, Lambda = 1.000001 b."""
    base = (ball(offset) + ball(slope) * ratio).exp().mid()
    near = (base ** (ball(1) / 4) / 8 * ball("999/1000")).mid()
    return limit_gap(base, -near, (base * ball("1000001/1000000")).mid(), ratio)


def below_eighth(ratio: int, offset: str, slope: str) -> Evidence:
    """Does (7) fail in the limit D -> infinity at L = offset + slope |ratio|?"""
    what = f"nu_0/mu_0 = {ratio}, L = {offset} + {slope} |rho|: limit gap less than 1/8"
    return below(what, threshold_gap(ratio, offset, slope), "1/8")


@attack(
    "thm-2.2.sharp",
    domain="the same distances at the proved threshold, L = 1.03 + 3.66|rho|: (7) must hold there",
)
def thm_2_2_sharp_attack() -> Iterator[Evidence]:
    cases = (
        (f"nu_0/mu_0 = {ratio}", threshold_gap(ratio, "1.03", "3.66") - ball("1/8"))
        for ratio in (3, 10, 30, 100)
    )
    yield search("limit gap less 1/8", cases)


def far_edge(convention: Convention) -> arb:
    """Bound of |Si(c Lambda) - pi/2| for Lambda > b > 4096 (lem-ci)."""
    return 1 / (scale(convention.turns) * EDGE)


def near_edge(convention: Convention) -> arb:
    """Bound of Si(c lambda/b) <= c lambda/b on the near range: lambda/b < b^(-3/4)/8 < 1/4096."""
    return scale(convention.turns) / EDGE


def least_sine(convention: Convention) -> arb:
    """Lower bound of 2L lim (S(lambda) - S(Lambda)): low - near_edge near, at most pi/2 - low + far_edge far."""
    low = ball(convention.low)
    return 2 * low - near_edge(convention) - arb.pi() / 2 - far_edge(convention)


def greatest_sine(convention: Convention) -> arb:
    """Upper bound of the same: high near, at least pi/2 - high - far_edge far."""
    return 2 * ball(convention.high) - arb.pi() / 2 + far_edge(convention)


def sharp_cost(convention: Convention, ratio: Real) -> arb:
    """x of the bound 3/8 - x/L for nu_0/mu_0 = ratio: the sines help where it is positive."""
    rho = ball(ratio)
    sines = greatest_sine(convention) * -rho if rho < 0 else -least_sine(convention) * rho
    return convention.cosine_cost() + sines / 2


@claim(
    "thm-2.2.causal",
    where="Sec. 2.2, Theorem 2.2",
    kind="lemma",
    says=(
        r"base $> 4096$, $\mu_0 \ne 0$, $\rho = \nu_0/\mu_0$, $1 < \lambda < b^{1/4}/8$, $\Lambda > b$ "
        r"(keys before the query): if $\rho \ge 0$, $\lim_D \mathrm{sgn}(\mu_0)\Delta \ge |\mu_0|(3/8 + "
        r"(0.63\rho - 0.2575)/L)$ in turns, $|\mu_0|(3/8 + (0.16\rho + 0.552)/L)$ in radians, above "
        r"$|\mu_0|/8$ at every such base, without a threshold; if $\rho < 0$, $\ge |\mu_0|(3/8 - (0.2575 + "
        r"0.8895|\rho|)/L)$ in turns, $|\mu_0|(3/8 + (0.552 - 1.0668|\rho|)/L)$ in radians, so (7) holds "
        r"in the limit for $L > 1.03 + 3.56|\rho|$, $L > 4.27|\rho| - 2.2$"
    ),
    uses=("thm-2.2.limit", "thm-2.2.ci", "lem-ci"),
    outline=(
        "The cosines as in thm-2.2.limit. Near, low - c/4096 < Si(c lambda) - Si(c lambda/b) < high, since 0 < "
        "Si(c lambda/b) <= c lambda/b < c/4096; far, Si(c Lambda) - Si(c Lambda/b) is within 1/(4096c) of pi/2 - "
        "Si(c Lambda/b), between pi/2 - high and pi/2 - low. Their difference is positive: it helps where rho > 0."
    ),
    proof=r"""
        Cosines as in the proof of `thm-2.2.limit`. Near, $0<\mathrm{Si}(c\lambda/b)\le c\lambda/b<c/4096$,
        so by `thm-2.2.ci` the sine difference lies between $1.4181-c/4096$ and $1.6748$. Far, it is within
        $\frac1{4096c}$ of $\frac\pi2-\mathrm{Si}(c\Lambda/b)$, so between $\frac\pi2-1.6748-\frac1{4096c}$
        and $\frac\pi2-1.4181+\frac1{4096c}$. Near less far is therefore between $1.2638$ and $1.7789$: it
        is positive, so it helps where $\rho>0$ and costs at most $1.7789|\rho|$ where $\rho<0$. $\square$
    """,
)
def causal() -> Iterator[Evidence]:
    for convention, rise, fall in ((TURNS, "0.63", "0.8895"), (RADIANS, "0.16", "1.0668")):
        yield from sine_costs(convention, rise, fall)
    for convention, offset, slope in ((TURNS, "1.03", "3.56"), (RADIANS, "-2.2", "4.27")):
        unit = "turns" if convention.turns else "radians"
        yield below(f"{unit}: 4 a, the offset of the threshold", 4 * convention.cosine_cost(), offset)
        yield below(f"{unit}: 2 greatest sine, its slope", 2 * greatest_sine(convention), slope)
        yield below(
            f"{unit}, rho >= 0: 4 a < ln 4096, so no threshold",
            4 * sharp_cost(convention, 0),
            ball(EDGE).log(),
        )


def sine_costs(convention: Convention, rise: str, fall: str) -> Iterator[Evidence]:
    """Half the least and half the greatest difference of the sines against `rise` and `fall`."""
    unit = "turns" if convention.turns else "radians"
    yield below(f"{unit}: half the least difference of the sines", rise, least_sine(convention) / 2)
    yield below(f"{unit}: half the greatest difference of the sines", greatest_sine(convention) / 2, fall)


@attack(
    "thm-2.2.causal",
    domain=(
        "bases 4097 to 1e60, lambda = 1+, 3/2, 7/4 and the near end, Lambda = 1+, 3/2, 7/4, 5/2, 1000 times b, "
        "nu_0/mu_0 = -20, -1, 0, 1, 20, both conventions"
    ),
)
def causal_attack() -> Iterator[Evidence]:
    for convention in (TURNS, RADIANS):
        yield search("limit gap less its bound", _cases(convention))


def _cases(convention: Convention) -> Iterator[tuple[str, arb]]:
    for base in (4097, 65_537, 500_000, 4 * 10**9, 10**28, 10**60):
        log_base, end = ball(base).log(), ball(base) ** (ball(1) / 4) / 8
        nears = [ball(x) for x in ("1.0001", "3/2", "7/4") if ball(x) < end] + [end * ball("9999/10000")]
        for near in (x for x in nears if x > 1):
            for far in ("10001/10000", "3/2", "7/4", "5/2", "1000"):
                for ratio in (-20, -1, 0, 1, 20):
                    gap = limit_gap(base, near, base * ball(far), ratio, convention.turns)
                    floor = ball("3/8") - sharp_cost(convention, ratio) / log_base
                    yield f"base {base}, near {float(near):.5g}, far {far} b, nu/mu {ratio}", gap - floor


@practice("thm-2.2.causal")
def causal_practice() -> Iterator[dict[str, object]]:
    """Rows: how negative nu_0/mu_0 may be at real bases for (7) to hold in the limit, causal and over both signs."""
    for base in BASES:
        for convention in (TURNS, RADIANS):
            room = ball(base).log() / 4 - convention.cosine_cost()
            yield {
                "base": base,
                "angle": "turns" if convention.turns else "radians",
                "rho >= 0: gap as D -> oo at least, rho = 0": short(
                    ball("3/8") - sharp_cost(convention, 0) / ball(base).log()
                ),
                "rho < 0: (7) proved in the limit down to rho =": short(
                    -2 * room / greatest_sine(convention)
                ),
                "both signs of the distances: proved for |rho| up to": short(room / convention.sine_cost()),
            }
