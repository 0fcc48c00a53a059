"""The end of the printed proof of Theorem 2.3 (eq 40), and the remark after it (eq 41)."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import exact, identity, search
from proofs.integrals import RopeSums, cos_limit
from proofs.ledger import attack, claim, repair
from proofs.paper.appendix_d import EPS, LAM, MU, NU, THETA


def conclusion_fails_sine() -> Iterator[Evidence]:
    """mu_0 = 0, nu_0 = 10^5, epsilon = 1, e0 = 1/5, base 10^10, D = 128, lambda = 2, Lambda = 3."""
    yield below("(36): 3 theta_0^{1/5}", ball("3/100"), "1/4")
    yield exact(
        "(38): 0 cos(.) > 0 - 1/4, (39): 0 < 1/4 at mu_0 = 0", bool(sp.Rational(-1, 4) < 0), "0", "> -1/4"
    )
    sums = RopeSums.of(128, base=10**10)
    yield below("|Delta| against epsilon = 1", abs(sums.gamma(2, 0, 10**5) - sums.gamma(3, 0, 10**5)), 1)


def conclusion_fails_cosine() -> Iterator[Evidence]:
    """mu_0 = 100, nu_0 = 0, epsilon = 1, e0 = 0.24, base 1e100, lambda = 2, Lambda = 1e22, D = 1e30, alpha = 1/1000."""
    base, far, dim = ball(10) ** 100, 10**22, 10**30
    angle = 2 * arb.pi() * far * base ** (-ball("6/25"))
    yield below("(36): Lambda theta_0^0.24", far * base ** (-ball("6/25")), "1/4")
    error = ball("1/1000") + 4 * arb.pi() * far * base ** (-ball("1/1000")) / dim
    yield below("(38): |mu_0| - epsilon/4 below |mu_0| cos", ball("99.75"), 100 * angle.cos())
    yield below("(39): e(Lambda) |mu_0|", 100 * error, "1/4")
    gap = 100 * (cos_limit(2, base=base) - cos_limit(far, base=base))
    slack = 100 * 2 * arb.pi() * (2 + far) / dim
    yield below(
        "|Delta| at D = 1e30, from the limit less the Riemann error, against epsilon = 1", gap - slack, 1
    )


@claim(
    "eq-40",
    where="App. D, eq 40",
    kind="step",
    says=r"\epsilon_0 < \epsilon/4 with (36), (38), (39) gives |\Delta| < \epsilon",
    uses=("asm-2.1", "thm-2.2.riemann"),
    outline=(
        "(37) would leave |mu_0| e0/2, so e0 must be below epsilon/|mu_0|; and nothing in (36), (38), (39) "
        "restrains nu_0."
    ),
)
def eq_40() -> Iterator[Evidence]:
    yield from conclusion_fails_sine()
    yield from conclusion_fails_cosine()


@repair(
    "eq-40",
    says=(
        r"|\Delta| < \epsilon once \epsilon_0 \le \epsilon/(2|\mu_0|), L > (2.24|\mu_0| + 6.7|\nu_0|)/\epsilon, "
        r"(36), and D so large that (|\mu_0|+2|\nu_0|)e < \epsilon/4"
    ),
    uses=("eq-37*",),
    outline="(37) as repaired: |mu_0| e0/2 <= epsilon/4, the 1/L terms < epsilon/4, the e terms < epsilon/4.",
)
def eq_40_repaired() -> Iterator[Evidence]:
    log_base = (sp.Rational("2.24") * MU + sp.Rational("6.7") * NU) / EPS
    total = (
        MU * EPS / (2 * MU) / 2 + (sp.Rational("0.56") * MU + sp.Rational("1.675") * NU) / log_base + EPS / 4
    )
    yield identity("sum of the three parts at the edge", total, 3 * EPS / 4)


@attack("eq-40", domain="mu_0 and nu_0 scaled up at fixed epsilon: the sine example at nu_0 = 10^4 and 10^6")
def eq_40_attack() -> Iterator[Evidence]:
    sums = RopeSums.of(128, base=10**10)
    for nu in (10**4, 10**6):
        yield below(f"|Delta| at nu_0 = {nu}", abs(sums.gamma(2, 0, nu) - sums.gamma(3, 0, nu)), 1)


def one_limit(power: sp.Expr) -> Iterator[Evidence]:
    """lim cos and sin of 2 pi lambda theta_0^power as theta_0 -> 0."""
    angle = sp.limit(2 * sp.pi * LAM * THETA**power, THETA, 0)
    cosine, sine = sp.cos(angle), sp.sin(angle)
    yield exact("lim cos(2 pi lambda theta_0^{2d/D}), d >= 1", cosine == 1, cosine, 1)
    yield exact("lim sin(2 pi lambda theta_0^{2d/D}), d >= 1", sine == 0, sine, 0)


@claim(
    "eq-41",
    where="App. D, Remark, eq 41",
    kind="remark",
    says=(
        r"at fixed D and \lambda: \lim_{\theta_0\to 0} C_D = (\cos 2\pi\lambda + D/2 - 1)/D, \lim S_D = "
        r"\sin(2\pi\lambda)/D"
    ),
    outline=(
        "Pair 0 does not move; the D/2 - 1 others tend to 1 and 0, as 2d/D > 0. At integer distances the limits "
        "are 1/2 and 0."
    ),
)
def eq_41() -> Iterator[Evidence]:
    yield from one_limit(sp.Symbol("p", positive=True))


@attack("eq-41", domain="D = 2, 4, 128 at theta_0 = 10^-400 .. 10^-4000, lambda = 1/3, 5, 1000.5")
def eq_41_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (2, 4, 128):
        sums = RopeSums.of(head_dim, base=ball(10) ** (40 * head_dim))
        for lam in ("1/3", "5", "2001/2"):
            limit = ((2 * arb.pi() * ball(lam)).cos() + head_dim // 2 - 1) / head_dim
            cases.append((f"D={head_dim}, {lam}", ball("1e-30") - abs(sums.cos(lam) - limit)))
    yield search("1e-30 less the distance to the limit", cases)


@claim(
    "eq-41.a",
    where="App. D, Remark",
    kind="step",
    says=r"D with 4/D < \epsilon/2, then \theta_0 small, gives |\Delta| < \epsilon",
    outline=(
        "Factor r is missing, and it matters where a distance is no integer (positions after interpolation): mu_0 "
        "= 100, epsilon = 1, D = 10, lambda = 1/2, Lambda = 1: the limit of |Delta| is 20. At integer distances "
        "the limit is 0 for every D, and no choice of D is needed."
    ),
)
def eq_41_choice() -> Iterator[Evidence]:
    gap = 100 * (sp.cos(sp.pi) - sp.cos(2 * sp.pi)) / 10
    yield exact("4/D < epsilon/2", bool(sp.Rational(4, 10) < sp.Rational(1, 2)), "2/5", "< 1/2")
    yield exact("limit of |Delta|", bool(abs(gap) < 1), abs(gap), "< 1")


@repair(
    "eq-41.a",
    says=(
        r"\lim_{\theta_0\to 0}|\Delta| = |\mu_0(\cos 2\pi\lambda-\cos 2\pi\Lambda)+\nu_0(\sin 2\pi\lambda-\sin "
        r"2\pi\Lambda)|/D \le 2r/D: D > 2r/\epsilon will do, any D at integers"
    ),
    uses=("eq-41",),
    outline="The distance of two points of a circle of radius r is at most 2r.",
)
def eq_41_choice_repaired() -> Iterator[Evidence]:
    x, y = sp.symbols("x y", real=True)
    square = (sp.cos(x) - sp.cos(y)) ** 2 + (sp.sin(x) - sp.sin(y)) ** 2
    yield identity("squared chord", square, 4 - 4 * sp.cos((x - y) / 2) ** 2)


@attack("eq-41.a", domain="as deployed (radians) with integer distances: cos 1 - cos 4, mu_0 = 100, D = 10")
def eq_41_choice_attack() -> Iterator[Evidence]:
    yield below("limit of |Delta|, radians, lambda = 1, Lambda = 4", 10 * abs(arb(1).cos() - arb(4).cos()), 1)
