"""Theorem 2.2 where it truly holds: the limit D -> infinity, its exact constants, and the error at finite D.

At a fixed base b, L = ln b, C_D and S_D tend to (Ci(c lambda) - Ci(c lambda/b))/(2L) and the same with Si, c = 2 pi in
turns and 1 in radians. Three numbers about Ci and Si beyond c then decide the theorem for all distances at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, text
from proofs.checks import exact, identity, scale, search
from proofs.integrals import RopeSums, ci, cos_limit, si, sin_limit
from proofs.ledger import attack, claim
from proofs.subdivision import certify_positive

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
        yield certify_positive(f, df, start, 12).evidence(f"{unit}: {what} on [c, 12]")
    tail = ball(1) / 12
    yield below(f"{unit}: Ci beyond 12", tail, dip)
    yield below(f"{unit}: Si beyond 12, below", low, arb.pi() / 2 - tail)
    yield below(f"{unit}: Si beyond 12, above", arb.pi() / 2 + tail, high)


@claim(
    "thm-2.2.ci",
    where="App. C",
    kind="lemma",
    says=(
        r"for x \ge 2\pi: Ci(x) > -0.0896, 1.4181 < Si(x) < 1.6748; for x \ge 1: Ci(x) > -0.1985, 0.946 < "
        r"Si(x) < 1.852"
    ),
    uses=("lem-ci",),
    outline="Balls over [c, 12], |Ci(x)| and |Si(x) - pi/2| below 1/x beyond.",
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
        r"for every even D, base and \lambda: |\Gamma_\lambda - \lim_D \Gamma_\lambda| \le r c|\lambda|/D, "
        r"r = \sqrt{\mu_0^2+\nu_0^2}; with D > 4L also |C_D - \lim C_D|, |S_D - \lim S_D| \le a + "
        r"c\sqrt{e}|\lambda|\theta_0^a/D < a + 2c|\lambda|\theta_0^a/D for every a \ge 0, a = 0 included"
    ),
    outline=(
        "Gamma is half the left Riemann sum, step 2/D, of f(x) = mu cos + nu sin of c lambda theta_0^x, "
        "and |f'| <= r c lambda L theta_0^x. In a cell |f(x_k) - f(x)| <= r c lambda (theta_0^{x_k} - "
        "theta_0^{x_{k+1}}); the sum telescopes. For a > 0 bound |f(x_k) - f(x)| by 2 for x < a; the other "
        "cells begin after a - 2/D, and theta_0^{-2/D} = e^{2L/D} < sqrt(e)."
    ),
)
def riemann() -> Iterator[Evidence]:
    yield from riemann_steps()


def riemann_steps(factor: int = 1) -> Iterator[Evidence]:
    """Variation of one cell, its telescoping sum, and sqrt(e) < 2; `factor` scales the claimed variation."""
    theta, lam, c, x, lo, hi = sp.symbols("theta lambda c x x_k x_next", positive=True)
    slope = c * lam * (-sp.log(theta)) * theta**x
    cell = sp.integrate(slope, (x, lo, hi))
    yield identity("bound of the variation in one cell", cell, factor * c * lam * (theta**lo - theta**hi))
    steps = sum(
        (theta ** sp.Rational(k, 8) - theta ** sp.Rational(k + 1, 8) for k in range(8)), sp.Integer(0)
    )
    yield identity("telescoping over [0, 1], 8 cells", steps, 1 - theta)
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
def riemann_attack() -> Iterator[Evidence]:
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
        r"base > 4096, \mu_0 \ne 0, \rho = \nu_0/\mu_0, all 1 < |\lambda| < b^{1/4}/8 and |\Lambda| > b: "
        r"\lim_D sgn(\mu_0)\Delta \ge |\mu_0|(3/8 - (0.2575 + 0.9138|\rho|)/L) in turns, |\mu_0|(3/8 + "
        r"(0.552 - 1.2386|\rho|)/L) in radians"
    ),
    uses=("thm-2.2.ci", "lem-ci", "lem-cin"),
    outline=(
        "2L times the limit of Delta/mu is [Ci(cl) - Ci(cl/b)] - [Ci(cL') - Ci(cL'/b)] plus rho times the "
        "same with Si, l near, L' far. Near: Ci(cl) > -dip, and -Ci(cl/b) >= -gamma - ln(cl/b) > 3L/4 + "
        "ln(8/c) - gamma, as l < b^{1/4}/8. Far: Ci(cL'/b) > -dip, Ci(cL') < 1/(4096 c). Sines: 0 < Si(cl) "
        "- Si(cl/b) < high near, below max(high - pi/2, pi/2 - low) + 1/(4096c) far, either sign."
    ),
)
def limit_bound() -> Iterator[Evidence]:
    for convention, cosine, sine in ((TURNS, "0.2575", "0.9138"), (RADIANS, "-0.552", "1.2386")):
        unit = "turns" if convention.turns else "radians"
        yield below(f"{unit}: a = (2 dip + 1/(4096 c) + gamma - ln(8/c))/2", convention.cosine_cost(), cosine)
        yield below(f"{unit}: a' = (high + far)/2", convention.sine_cost(), sine)
    yield from near_algebra()


def near_algebra(root: int = 4, divisor: int = 8) -> Iterator[Evidence]:
    """-ln(c l/b) at l = b^(1/4)/8 is 3L/4 + ln(8/c), exactly."""
    c, log_base = sp.symbols("c L", positive=True)
    near = sp.exp(log_base / root) / divisor
    found = sp.expand_log(-sp.log(c * near / sp.exp(log_base)), force=True)
    yield identity("-ln(c lambda theta_0) at the near end", found, 3 * log_base / 4 + sp.log(8) - sp.log(c))


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
