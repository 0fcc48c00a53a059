"""Appendix D: the printed proof of Theorem 2.3, eqs 35 to 40, and the remark after it, eq 41.

The theorem itself is in `proofs.paper.theorem_2_3`.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import equality, exact, search, tried
from proofs.integrals import RopeSums, cos_limit
from proofs.ledger import attack, claim, repair
from proofs.paper.theorem_2_2 import TURNS

MU, NU, EPS, E0 = sp.symbols("mu nu epsilon e0", positive=True)
LAM, THETA, DIM, ALPHA = sp.symbols("Lambda theta0 D alpha", positive=True)


def half_bound(head_dim: int, inverse_base: str, lam: int) -> Evidence:
    """C_D(lambda) < 1/2 where every lambda theta_d is an integer, exactly."""
    theta = sp.Rational(inverse_base)
    angles = [lam * theta ** sp.Rational(2 * d, head_dim) for d in range(head_dim // 2)]
    value = sp.Add(*(sp.cos(2 * sp.pi * x) for x in angles)) / head_dim
    return exact(
        f"C_D({lam}) at D = {head_dim}, theta_0 = {inverse_base}",
        bool(value < sp.Rational(1, 2)),
        value,
        "< 1/2",
    )


@claim(
    "eq-35",
    where="App. D, eq 35",
    kind="equation",
    says=r"$C_D(\lambda) < 1/2$ for all $\lambda$",
    outline=(
        "Equality at lambda = 0 (m = n is admitted), at every integer for D = 2, at lambda = 2 for D = 4, "
        "theta_0 = 1/4."
    ),
)
def eq_35() -> Iterator[Evidence]:
    for head_dim, inverse_base, lam in ((64, "1/10000", 0), (2, "1/10000", 1), (4, "1/4", 2)):
        yield half_bound(head_dim, inverse_base, lam)


@repair(
    "eq-35",
    says=(
        r"$C_D(\lambda) \le 1/2$, equality iff every $\lambda\theta_d$ is an integer; $|\Gamma_\lambda| "
        r"\le r/2$"
    ),
    outline="1/2 - C_D = (2/D) sum_d sin^2(pi lambda theta_d).",
)
def eq_35_repaired() -> Iterator[Evidence]:
    x = sp.Symbol("x", real=True)
    yield equality("1 - cos 2 pi x is a square", 1 - sp.cos(2 * sp.pi * x), 2 * sp.sin(sp.pi * x) ** 2)


@attack(
    "eq-35",
    domain=(
        "distances that are no integers, D = 4..64, theta_0 = 1/4..1/10^4: is it ever violated, not only met?"
    ),
)
def eq_35_attack() -> Iterator[Evidence]:
    yield half_bound(8, "1/16", 8)


@attack("eq-35*", domain="D = 2..128, distances 1/1000 to 10^6 + 1/2")
def eq_35_repaired_attack() -> Iterator[Evidence]:
    cases = (
        (f"D={D}, {lam}", ball("1/2") - RopeSums.of(D, base=10_000).cos(lam))
        for D in (2, 4, 128)
        for lam in ("1/1000", "7/2", "2000001/2")
    )
    yield search("1/2 - C_D", cases)


@claim(
    "eq-36",
    where="App. D, eq 36",
    kind="step",
    says=(
        r"$\max(\lambda\theta_0^{\epsilon_0}, \Lambda\theta_0^{\epsilon_0}) < 1/4$ for all sufficiently "
        r"small $\theta_0$, given $\epsilon_0 > 0$"
    ),
    outline="Any theta_0 below (4 max(lambda, Lambda))^{-1/e0}.",
)
def eq_36() -> Iterator[Evidence]:
    yield equality(
        "Lambda theta_0^{e0} at theta_0 = (4 Lambda)^{-1/e0}",
        sp.powsimp(LAM * ((4 * LAM) ** (-1 / E0)) ** E0, force=True),
        sp.Rational(1, 4),
    )


@attack("eq-36", domain="e0 = 1/100, Lambda = 2^20: how small is sufficiently small?")
def eq_36_attack() -> Iterator[Evidence]:
    log10 = 100 * sp.log(4 * 2**20, 10)
    yield tried(
        "log10 of the base that Lambda = 2^20, e0 = 0.01 asks for: finite",
        bool(log10 < sp.oo),
        sp.N(log10, 5),
        "finite",
    )


def eq_37_bound(mu: Real, base: int, head_dim: int, far: int, e0: str, alpha: str) -> arb:
    """Right side of the first line of (37)."""
    theta = 1 / ball(base)
    wave = (2 * arb.pi() * far * theta ** ball(e0)).cos()
    error = ball(alpha) + 4 * arb.pi() * far * theta ** ball(alpha) / head_dim
    size = abs(ball(mu))
    return size / 2 - size / 2 * (1 - ball(e0)) * wave - error * size


def exceeds(mu: int, nu: int, alpha: str) -> Evidence:
    """Delta at lambda = 2, Lambda = 3, D = 64, base 10^6, e0 = 1/4 against the first line of (37)."""
    sums = RopeSums.of(64, base=10**6)
    delta = sums.gamma(2, mu, nu) - sums.gamma(3, mu, nu)
    what = f"Delta at mu_0 = {mu}, nu_0 = {nu}, lambda = 2, Lambda = 3, D = 64, base 1e6, e0 = 1/4, alpha = {alpha}"
    return below(what, delta, eq_37_bound(mu, 10**6, 64, 3, "1/4", alpha))


@claim(
    "eq-37",
    where="App. D, eq 37",
    kind="step",
    says=(
        r"$\Delta < |\mu_0|/2 - (|\mu_0|/2)(1-\epsilon_0)\cos 2\pi\Lambda\theta_0^{\epsilon_0} - "
        r"e(\Lambda)|\mu_0|$, and $-\Delta <$ the same with $\lambda$"
    ),
    assumes=(r"$\theta_0 < 1/10$", "$D > 4L$", r"$\lambda$, $\Lambda > 1$", "(36)", r"any $\alpha > 0$"),
    uses=("asm-2.1",),
    outline=(
        "Four slips: the nu_0 terms are missing (mu_0 = 0, nu_0 = 1: both lines give Delta < 0 and -Delta < 0), e "
        "is subtracted where it must be added (large alpha makes the right side as negative as one likes), 1/L of "
        "Lemma C.2 is lost, and for mu_0 < 0 the lines are exchanged."
    ),
)
def eq_37() -> Iterator[Evidence]:
    yield below("hypothesis (36): Lambda theta_0^{1/4}", 3 * ball(10) ** (ball(-6) / 4), "1/4")
    yield below("hypothesis D > 4L: 4 ln 1e6", 4 * ball(10**6).log(), 64)
    yield exceeds(1, 0, "2")
    yield exceeds(0, 1, "1/100")


def lower_cosine(slope: Real) -> Evidence:
    """lim C_D(l) >= (1-e0)/2 - slope/L for 1 < l < b^{e0}/4: 2 slope >= ln(2 pi/4) + gamma + dip."""
    own = ((2 * arb.pi() / 4).log() + arb.const_euler() + ball(TURNS.dip)) / 2
    return below("(ln(2pi/4) + gamma + dip)/2", own, slope)


@repair(
    "eq-37",
    says=(
        r"for all $(\mu_0, \nu_0)$, $1 < |\lambda|$, $|\Lambda| < b^{\epsilon_0}/4$, $0 < \epsilon_0 \le "
        r"1$, $D > 4L$: $|\Delta| \le |\mu_0|(\epsilon_0/2 + 0.56/L + e) + |\nu_0|(1.675/L + 2e)$, $e = "
        r"\max$ of $e(\lambda)$, $e(\Lambda)$"
    ),
    uses=("thm-2.2.ci", "lem-cin", "thm-2.2.riemann", "eq-35*"),
    outline=(
        "lim C_D lies in [(1-e0)/2 - 0.56/L, 1/2]: -Ci(cl/b) >= -gamma - ln(cl/b) > (1-e0)L + ln(4/c) - gamma. lim "
        "|S_D| <= Si(3pi)/(2L) < 0.8374/L."
    ),
)
def eq_37_repaired() -> Iterator[Evidence]:
    yield lower_cosine("0.56")
    yield below("2 * high/2 of the sines", ball(TURNS.high), "1.675")
    log_base, c = sp.symbols("L c", positive=True)
    near = sp.expand_log(-sp.log(c * sp.exp(E0 * log_base) / 4 / sp.exp(log_base)), force=True)
    yield equality("-ln(c l theta_0) at l = b^{e0}/4", near, (1 - E0) * log_base + sp.log(4) - sp.log(c))


@attack(
    "eq-37",
    domain="nu_0 = 0 and the best alpha on a grid, D = 64: is the sign of e alone enough to break it?",
)
def eq_37_attack() -> Iterator[Evidence]:
    for alpha in ("1/1000", "1/2", "1"):
        found = exceeds(1, 0, alpha)
        if found.verdict.value == "refuted":
            yield found


@attack(
    "eq-37*", domain="bases 1e4, 1e9, 1e30, e0 = 1/4, 1/2, 1, lambda = 1+ and the end b^{e0}/4, D -> infinity"
)
def eq_37_repaired_attack() -> Iterator[Evidence]:
    cases = []
    for base in (10**4, 10**9, 10**30):
        for e0 in ("1/4", "1/2", "1"):
            end = ball(base) ** ball(e0) / 4 * ball("9999/10000")
            floor = (1 - ball(e0)) / 2 - ball("0.56") / ball(base).log()
            cases += [
                (f"base {base}, e0 {e0}, lambda {i}", cos_limit(lam, base=base) - floor)
                for i, lam in enumerate((ball("1.0001"), ball("7/4"), end))
            ]
    yield search("lim C_D less its floor", cases)


@claim(
    "eq-38",
    where="App. D, eq 38",
    kind="step",
    says=(
        r"for given $\epsilon_0 > 0$, $\epsilon > 0$, all sufficiently small $\theta_0$ have $|\mu_0|\cos "
        r"2\pi\Lambda\theta_0^{\epsilon_0} > |\mu_0| - \epsilon/4$, same for $\lambda$"
    ),
    outline="The cosine tends to 1. (The choice e0 < epsilon/4 made with it is not enough: eq-40.)",
)
def eq_38() -> Iterator[Evidence]:
    angle = sp.limit(2 * sp.pi * LAM * THETA**E0, THETA, 0)
    value = MU * sp.cos(angle) - MU
    yield exact("limit of |mu_0| cos - |mu_0| as theta_0 -> 0", value == 0, value, "0 > -epsilon/4")


@attack(
    "eq-38",
    domain="how small: theta_0 from 1 - x^2/2 <= cos x, |mu_0| = 100, epsilon = 1/100, Lambda = 1000, e0 = 1/400",
)
def eq_38_attack() -> Iterator[Evidence]:
    angle = ball("1/40000").sqrt()
    yield search(
        "cos(x) - 1 + epsilon/(4|mu_0|) at x^2 = epsilon/(4|mu_0|)", [("x", angle.cos() - 1 + angle**2)]
    )


@claim(
    "eq-39",
    where="App. D, eq 39",
    kind="step",
    says=(
        r"for given $\theta_0$, $\lambda$, $\Lambda$ some $\alpha > 0$ and all large $D$ have "
        r"$e(\lambda)|\mu_0| < \epsilon/4$ and $e(\Lambda)|\mu_0| < \epsilon/4$"
    ),
    outline="alpha = epsilon/(8|mu_0|), then D > 32 pi |mu_0| Lambda theta_0^alpha/epsilon. D grows with Lambda.",
)
def eq_39() -> Iterator[Evidence]:
    alpha = EPS / (8 * MU)
    least = 32 * sp.pi * MU * LAM * THETA**alpha / EPS
    error = MU * (alpha + 4 * sp.pi * LAM * THETA**alpha / least)
    yield equality("e |mu_0| at that D", error, EPS / 4)


@attack("eq-39", domain="alpha too large: alpha = epsilon/(4|mu_0|) leaves no room for any D")
def eq_39_attack() -> Iterator[Evidence]:
    yield tried(
        "alpha |mu_0| alone", sp.simplify(EPS / (4 * MU) * MU - EPS / 4) == 0, "epsilon/4", "epsilon/4"
    )


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
    says=r"$\epsilon_0 < \epsilon/4$ with (36), (38), (39) gives $|\Delta| < \epsilon$",
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
        r"$|\Delta| < \epsilon$ once $\epsilon_0 \le \epsilon/(2|\mu_0|)$, $L > (2.24|\mu_0| + "
        r"6.7|\nu_0|)/\epsilon$, (36), and $D$ so large that $(|\mu_0|+2|\nu_0|)e < \epsilon/4$"
    ),
    uses=("eq-37*",),
    outline="(37) as repaired: |mu_0| e0/2 <= epsilon/4, the 1/L terms < epsilon/4, the e terms < epsilon/4.",
)
def eq_40_repaired() -> Iterator[Evidence]:
    log_base = (sp.Rational("2.24") * MU + sp.Rational("6.7") * NU) / EPS
    total = (
        MU * EPS / (2 * MU) / 2 + (sp.Rational("0.56") * MU + sp.Rational("1.675") * NU) / log_base + EPS / 4
    )
    yield equality("sum of the three parts at the edge", total, 3 * EPS / 4)


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
        r"at fixed $D$ and $\lambda$: $\lim_{\theta_0\to 0} C_D = (\cos 2\pi\lambda + D/2 - 1)/D$, $\lim "
        r"S_D = \sin(2\pi\lambda)/D$"
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
    says=r"$D$ with $4/D < \epsilon/2$, then $\theta_0$ small, gives $|\Delta| < \epsilon$",
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
        r"$\lim_{\theta_0\to 0}|\Delta| = |\mu_0(\cos 2\pi\lambda-\cos 2\pi\Lambda)+\nu_0(\sin "
        r"2\pi\lambda-\sin 2\pi\Lambda)|/D \le 2r/D$: $D > 2r/\epsilon$ will do, any $D$ at integers"
    ),
    uses=("eq-41",),
    outline="The distance of two points of a circle of radius r is at most 2r.",
)
def eq_41_choice_repaired() -> Iterator[Evidence]:
    x, y = sp.symbols("x y", real=True)
    square = (sp.cos(x) - sp.cos(y)) ** 2 + (sp.sin(x) - sp.sin(y)) ** 2
    yield equality("squared chord", square, 4 - 4 * sp.cos((x - y) / 2) ** 2)


@attack("eq-41.a", domain="as deployed (radians) with integer distances: cos 1 - cos 4, mu_0 = 100, D = 10")
def eq_41_choice_attack() -> Iterator[Evidence]:
    yield below("limit of |Delta|, radians, lambda = 1, Lambda = 4", 10 * abs(arb(1).cos() - arb(4).cos()), 1)
