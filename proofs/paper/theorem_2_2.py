"""Theorem 2.2 as stated, as repaired, and how good its constants are."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import exact, scale, search
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, repair
from proofs.rope_bias_limit import RADIANS, TURNS, Convention, gap_floor, limit_gap


@claim(
    "thm-2.2",
    where="Sec. 2.2, Theorem 2.2",
    kind="theorem",
    says=(
        r"Assumption 2.1: there is \theta(\mu_0,\nu_0) > 0 such that for \theta_0 < \theta(\mu_0,\nu_0), "
        r"any 1 < |\lambda| < \theta_0^{-1/4}/8 and |\Lambda| > \theta_0^{-1}: (sgn(\mu_0)/\sqrt D)(E "
        r"Attn_\lambda - E Attn_\Lambda) > |\mu_0|/8 for sufficiently large D"
    ),
    assumes=("Assumption 2.1",),
    uses=("asm-2.1",),
    outline=(
        "mu_0 = 0 is admitted by Assumption 2.1 (and is the case of random initial weights): (7) then "
        "reads 0 > 0. With D_0 free of Lambda it fails for every mu_0: thm-2.2.uniform."
    ),
)
def theorem() -> Iterator[Evidence]:
    near, far = sp.symbols("Gamma_lambda Gamma_Lambda", real=True)
    left = sp.sign(sp.Integer(0)) * (near - far)
    yield exact(
        "mu_0 = 0, any nu_0, theta_0, D, lambda, Lambda: left side of (7)", bool(left > 0), left, "> 0"
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
        r"\mu_0 \ne 0, \rho = \nu_0/\mu_0, b > 4096, L = \ln b > 1.03 + 3.66|\rho| (turns; in radians L > "
        r"4.96|\rho| - 2.2): for all 1 < |\lambda| < b^{1/4}/8, |\Lambda| > b, sgn(\mu_0)\Delta \ge "
        r"|\mu_0|(3/8 - (0.2575+0.9138|\rho|)/L) - c r(|\lambda|+|\Lambda|)/D; so (7) holds once D > "
        r"c\sqrt{1+\rho^2}(|\lambda|+|\Lambda|)/(1/4 - (0.2575+0.9138|\rho|)/L), uniformly for |\Lambda| "
        r"up to any fixed bound"
    ),
    assumes=(
        "Assumption 2.1",
        "mu_0 != 0",
        "b > 4096",
        "L > 1.03 + 3.66|rho|",
        "D beyond a multiple of |Lambda|",
    ),
    uses=("thm-2.2.limit", "thm-2.2.riemann", "eq-18*"),
    outline=(
        "The limit bound less twice the Riemann error. The printed threshold is L > 64(1 + |rho|); for "
        "|rho| <= 1.99 every base whose near range is not empty will do. 3/8 is the best constant in place "
        "of 1/8: thm-2.2.sharp."
    ),
)
def theorem_repaired() -> Iterator[Evidence]:
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
        "mu_0 -> 0 with nu_0 = 1: is any fixed threshold enough? base 1e17, nu_0/mu_0 = 20, lambda = -3/2, "
        "Lambda just beyond b"
    ),
)
def theorem_attack() -> Iterator[Evidence]:
    base = 10**17
    gap = limit_gap(base, "-3/2", 10**17 + 1, 20)
    yield below(
        "base 1e17, nu_0/mu_0 = 20: (7) fails as D -> oo, so theta(mu_0, nu_0) must shrink as mu_0 -> 0: 1/8 < gap",
        "1/8",
        gap,
    )


@attack(
    "thm-2.2*",
    domain=(
        "the smallest base worth trying, 4200, at the smallest D its own bound allows, near end, nu_0/mu_0 "
        "= 0 and 1/2, the bad signs"
    ),
)
def theorem_repaired_attack() -> Iterator[Evidence]:
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
        r"3/8 is the best constant in (7) over all small \theta_0: it is approached as b \to \infty, and "
        r"at nu_0 = 0, in turns, the gap at the near end stays below 3/8 at every base b \ge 10^6; and a "
        r"threshold on L below 0.4 + 3.44|\rho| is too small for \rho = 3, 10, 30"
    ),
    uses=("thm-2.2.limit",),
    outline=(
        "Near end lambda = b^{1/4}/8, Lambda -> infinity (far terms 0): 2L gap = 3L/4 + ln(8/c) - gamma + "
        "Ci(c b^{1/4}/8) + Cin(c b^{-3/4}/8), and the last four terms sum to less than 0. Thresholds: "
        "explicit distances at which the limit gap is below 1/8."
    ),
)
def sharp() -> Iterator[Evidence]:
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
def sharp_attack() -> Iterator[Evidence]:
    cases = (
        (f"nu_0/mu_0 = {ratio}", threshold_gap(ratio, "1.03", "3.66") - ball("1/8"))
        for ratio in (3, 10, 30, 100)
    )
    yield search("limit gap less 1/8", cases)
