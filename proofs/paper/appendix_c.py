"""Appendix C: the printed proof of Theorem 2.2, eq 24, eqs 28 to 34, and (7) with the printed threshold.

Every bound is checked against the limits of C_D and S_D (`proofs.paper.theorem_2_2`), not against Lemmas C.1 and C.2,
so these entries stand whatever becomes of the lemmas; e(lambda) is the lemmas' a + 4 pi lambda theta_0^a / D, a >= 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, at_most, ball, below, less, radius, text, verdict
from proofs.checks import BASES, equality, exact, near_integers, search, short, tried
from proofs.integrals import RopeSums, ci, cos_limit, sin_limit
from proofs.ledger import attack, claim, practice, repair
from proofs.paper.theorem_2_2 import EDGE, RADIANS, TURNS, limit_gap
from proofs.subdivision import certify_positive, covers

LEAST_BASE = 10  # of the lemmas: theta_0 < 1/10


@claim(
    "eq-24",
    where="App. C, eq 24",
    kind="definition",
    says=r"$C_D(\lambda) = (1/D)\sum_d\cos 2\pi\lambda\theta_0^{2d/D}$, $S_D$ with $\sin$",
    outline="D/2 terms over D: both lie in [-1/2, 1/2], and Gamma = mu_0 C_D + nu_0 S_D in [-r/2, r/2].",
)
def eq_24() -> Iterator[Evidence]:
    dim = sp.Symbol("D", positive=True)
    yield equality("D/2 terms of size 1 over D", (dim / 2) / dim, sp.Rational(1, 2))


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
        r"$C_D(\lambda) > \frac12\cdot\frac34\cdot\frac{\sqrt2}{2} - 2/L - e(\lambda) > 1/4 - 2/L - "
        r"e(\lambda)$, for $\lambda > 1$, $\lambda\theta_0^{1/4} < 1/8$"
    ),
    assumes=(r"$\theta_0 < 1/10$", "$D > 4L$", r"$\lambda > 1$", r"$\lambda \theta_0^{1/4} < 1/8$"),
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


def cosine_beyond_one_turn(bound: Real = "1/8") -> Iterator[Evidence]:
    """|Ci(x)| < 1/8 for x >= 2 pi: by boxes up to 9, by |Ci(x)| < 1/x beyond; Ci > -0.0896 is thm-2.2.ci."""
    found = certify_positive(lambda x: ball(bound) - ci(x), lambda x: -x.cos() / x, 2 * arb.pi(), 9)
    yield found.evidence(f"Ci < {bound} on [2 pi, 9]")
    beyond = (1 / ball(bound), arb("inf"))  # where 1/x is at most the bound
    yield covers(f"Ci < {bound}", [*found.covered, beyond], 2 * arb.pi(), arb("inf"))


@claim(
    "eq-29",
    where="App. C, eq 29",
    kind="step",
    says=r"$C_D(\Lambda) < 2/L + e(\Lambda)$ for $\Lambda > \theta_0^{-1}$",
    assumes=(r"$\theta_0 < 1/10$", "$D > 4L$", r"$\Lambda > 1/\theta_0$"),
    uses=("thm-2.2.ci", "lem-ci", "thm-2.2.riemann"),
    outline=(
        "2 could be 0.071: 2L|lim C_D(Lambda)| <= |Ci(c Lambda)| + |Ci(c Lambda theta_0)| < 1/(10 c) + "
        "1/8. Both signs, as (31) needs."
    ),
)
def eq_29() -> Iterator[Evidence]:
    yield from cosine_beyond_one_turn()
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
    says=r"$S_D(\lambda) < 2/L + e(\lambda)$, $S_D(\Lambda) < 2/L + e(\Lambda)$",
    assumes=(r"$\theta_0 < 1/10$", "$D > 4L$", r"$\lambda > 1$", r"$\Lambda > 1/\theta_0$"),
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


MU, NU, LOG, NEAR_ERROR, FAR_ERROR = sp.symbols(
    "mu nu L e_near e_far", positive=True
)  # |mu_0|, |nu_0|, errors


def combined(cosine: int = 4, sine: int = 4, error: int = 2) -> Evidence:
    """(31): |mu|/4 less the four bounds, minus the printed right side; it must have no negative coefficient."""
    bound = MU * (sp.Rational(1, 4) - 2 / LOG - NEAR_ERROR) - MU * (2 / LOG + FAR_ERROR)
    bound -= NU * (2 / LOG + NEAR_ERROR) + NU * (2 / LOG + FAR_ERROR)
    printed = MU / 4 - (cosine * MU + sine * NU) / LOG - error * (MU + NU) * (NEAR_ERROR + FAR_ERROR)
    slack = sp.Poly(sp.expand((bound - printed) * LOG), MU, NU, LOG, NEAR_ERROR, FAR_ERROR)
    holds = all(c >= 0 for c in slack.coeffs())
    return exact(
        f"slack of (31) times L, printed {cosine}, {sine}, {error}",
        holds,
        slack.as_expr(),
        "no negative coefficient",
    )


@claim(
    "eq-31",
    where="App. C, eq 31",
    kind="step",
    says=(
        r"$\mathrm{sgn}(\mu_0)\Delta \ge C_D(\lambda)|\mu_0| - |C_D(\Lambda)\mu_0| - |S_D(\lambda)\nu_0| - "
        r"|S_D(\Lambda)\nu_0| > |\mu_0|/4 - 4(|\mu_0|+|\nu_0|)/L - "
        r"2(|\mu_0|+|\nu_0|)(e(\lambda)+e(\Lambda))$"
    ),
    uses=("eq-28", "eq-29", "eq-30"),
    outline=(
        "The constants are right: 2/L twice for mu_0, twice for nu_0; the e-terms are doubled without "
        "need. The strict sign fails at mu_0 = nu_0 = 0."
    ),
)
def eq_31() -> Iterator[Evidence]:
    yield combined()
    zero = sp.Integer(0)
    yield exact("mu_0 = nu_0 = 0: sgn(mu_0) Delta > right side", bool(zero > 0), "0", "> 0")


@repair(
    "eq-31",
    says=r"the same for $(\mu_0, \nu_0) \ne (0, 0)$; and with factor 1 in place of 2 before the e-terms",
    uses=("eq-28", "eq-29", "eq-30"),
    outline=(
        "sgn(mu_0)Delta = |mu_0|(C_D(lambda) - C_D(Lambda)) + sgn(mu_0) nu_0 (S_D(lambda) - S_D(Lambda)), "
        "then |.| term by term; (28), (29) two-sided, (30) two-sided."
    ),
)
def eq_31_repaired() -> Iterator[Evidence]:
    yield combined(error=1)
    c1, c2, s1, s2, nu = sp.symbols("C1 C2 S1 S2 nu_0", real=True)
    for sign_mu in (1, -1):
        delta = sign_mu * (sign_mu * MU * (c1 - c2) + nu * (s1 - s2))
        yield equality(
            f"sgn(mu_0) Delta, sgn = {sign_mu}", delta, MU * c1 - MU * c2 + sign_mu * nu * (s1 - s2)
        )


@attack(
    "eq-31",
    domain="constants one smaller: 3 in place of 4 for mu_0, for nu_0, and 0 in place of 1 before the errors",
)
def eq_31_attack() -> Iterator[Evidence]:
    for cosine, sine, error in ((3, 4, 2), (4, 3, 2), (4, 4, 0)):
        found = combined(cosine, sine, error)
        yield tried(
            f"{found.what}: must not follow",
            found.verdict.value == "refuted",
            found.computed,
            "a negative coefficient",
        )


def threshold(exponent: int, target: int = 16) -> Evidence:
    """L > exponent (|mu|+|nu|)/|mu| implies 4(|mu|+|nu|)/L < |mu|/target, i.e. 4/exponent <= 1/target."""
    share = sp.Rational(4, exponent)
    return exact(
        f"4(|mu|+|nu|)/L at L = {exponent}(|mu|+|nu|)/|mu|, over |mu|",
        share <= sp.Rational(1, target),
        share,
        f"<= 1/{target}",
    )


@claim(
    "eq-32",
    where="App. C, eq 32",
    kind="step",
    says=r"$\theta_0 < \exp(-64(|\mu_0|+|\nu_0|)/|\mu_0|)$ gives $4(|\mu_0|+|\nu_0|)/L < |\mu_0|/16$",
    assumes=(r"$\mu_0 \ne 0$",),
    outline=(
        "Decreasing in L, equality at the threshold. The base this asks for is above e^64 = 6.2e27 "
        "whatever nu_0."
    ),
)
def eq_32() -> Iterator[Evidence]:
    yield threshold(64)


@attack("eq-32", domain="the threshold itself, one less: 63")
def eq_32_attack() -> Iterator[Evidence]:
    found = threshold(63)
    yield tried("63 in place of 64 must fail", found.verdict.value == "refuted", found.computed, "> 1/16")


@claim(
    "eq-33",
    where="App. C, eq 33",
    kind="step",
    says=(
        r"for given $\lambda$, $\Lambda$ some $D$ makes $2(|\mu_0|+|\nu_0|)(e(\lambda)+e(\Lambda)) < "
        r"|\mu_0|/16$, e.g. with $\alpha = 0$, for all larger $D$"
    ),
    assumes=(r"$\mu_0 \ne 0$", r"$\lambda$, $\Lambda$ fixed"),
    uses=("thm-2.2.riemann",),
    outline=(
        "alpha = 0: e = 4 pi lambda/D, so D > 128 pi (1+|rho|)(lambda + Lambda); Lemmas C.1, C.2 are "
        "stated for alpha > 0, thm-2.2.riemann admits 0. D must exceed Lambda, hence the base, and no D "
        "serves all Lambda: eq-33.uniform."
    ),
)
def eq_33() -> Iterator[Evidence]:
    lam, far, dim = sp.symbols("lambda Lambda D", positive=True)
    left = 2 * (MU + NU) * 4 * sp.pi * (lam + far) / dim
    least = sp.solve(sp.Eq(left, MU / 16), dim)[0]
    yield equality("least D at alpha = 0", least, 128 * sp.pi * (1 + NU / MU) * (lam + far))
    slope = sp.diff(left, dim)
    yield exact("the left side falls with D", bool(slope.is_negative), slope, "< 0")


@attack("eq-33", domain="alpha > 1/32: the sum of the two e-terms alone exceeds 1/32 however large D")
def eq_33_attack() -> Iterator[Evidence]:
    least = 2 * 2 * sp.Rational(1, 16)
    yield tried(
        "alpha = 1/16 for any D fails, so alpha must be small: 2 (2 alpha) > 1/16",
        bool(least > sp.Rational(1, 16)),
        least,
        "> 1/16",
    )


@claim(
    "eq-33.uniform",
    where="App. C, eq 33",
    kind="step",
    says=(
        r"one $D$ makes (33) hold for all $|\Lambda| > \theta_0^{-1}$ (which Theorem 2.2 needs if its $D$ "
        r"is to be free of $\Lambda$)"
    ),
    outline=(
        "At Lambda = D/(4 pi theta_0): e = a + theta_0^{a-1} >= 1 for a in [0, 1], and e > 1 for a > 1; "
        "(33) asks for less than 1/32."
    ),
)
def eq_33_uniform() -> Iterator[Evidence]:
    theta, a, dim = sp.symbols("theta0 a D", positive=True)
    error = a + 4 * sp.pi * (dim / (4 * sp.pi * theta)) * theta**a / dim
    yield equality("e at Lambda = D/(4 pi theta_0)", error, a + theta ** (a - 1))
    s = sp.Symbol("s", positive=True)
    least = sp.limit(sp.exp(s), s, 0)  # theta_0^{a-1} = exp((1-a)L) >= 1 for a <= 1; a itself beyond
    yield exact(
        "lower bound of e over a >= 0 against the 1/32 that (33) allows",
        bool(least < sp.Rational(1, 32)),
        least,
        "< 1/32",
    )


@repair(
    "eq-33.uniform",
    says=(
        r"one $D$ serves all $|\Lambda| \le \Lambda_{\max}$: $D > "
        r"128\pi(1+|\nu_0/\mu_0|)(\lambda+\Lambda_{\max})$"
    ),
    assumes=(r"$\mu_0 \ne 0$",),
    uses=("eq-33",),
    outline="At alpha = 0 the e-terms grow with Lambda, so the largest Lambda decides.",
)
def eq_33_bounded() -> Iterator[Evidence]:
    far, dim = sp.symbols("Lambda D", positive=True)
    slope = sp.diff(4 * sp.pi * far / dim, far)
    yield exact("e(Lambda) at alpha = 0 rises with Lambda", bool(slope.is_positive), slope, "> 0")


@attack(
    "eq-33.uniform",
    domain="theta_0 = 1/4097, D = 10^6: e minimised over a on a grid at Lambda = D/(4 pi theta_0)",
)
def eq_33_uniform_attack() -> Iterator[Evidence]:
    theta = ball("1/4097")
    least = min((ball(i) / 100 + theta ** (ball(i) / 100 - 1) for i in range(201)), key=float)
    yield below("least e on the grid", least, "1/32")


@claim(
    "eq-34",
    where="App. C, eq 34",
    kind="step",
    says=r"$\mathrm{sgn}(\mu_0)\Delta > |\mu_0|/4 - |\mu_0|/16 - |\mu_0|/16 = |\mu_0|/8$",
    assumes=(r"$\mu_0 \ne 0$", "(32)", "(33)"),
    uses=("eq-31*", "eq-32", "eq-33"),
    outline="(31) with (32) and (33).",
)
def eq_34() -> Iterator[Evidence]:
    yield equality("1/4 - 1/16 - 1/16", MU / 4 - MU / 16 - MU / 16, MU / 8)


@attack("eq-34", domain="the printed remainder: is 1/8 all that is left, or more?")
def eq_34_attack() -> Iterator[Evidence]:
    left = sp.Rational(1, 4) - 2 * sp.Rational(1, 16) - sp.Rational(1, 8)
    yield tried("nothing is left over", left == 0, left, 0)


@claim(
    "eq-7",
    where="Sec. 2.2, eq 7",
    kind="equation",
    says=(
        r"(7) for $\mu_0 \ne 0$, $\theta_0 < \exp(-64(|\mu_0|+|\nu_0|)/|\mu_0|)$ and $D$ beyond a bound "
        "that depends on $m$, $n$, $m'$, $n'$: what the printed proof gives"
    ),
    assumes=("Assumption 2.1", r"$\mu_0 \ne 0$", r"base $> \exp(64(1+|\nu_0/\mu_0|))$"),
    uses=("eq-18*", "eq-34"),
    outline=(
        "(34) for both signs of the distances: C_D is even, S_D odd, and (30) is two-sided. The threshold "
        "can be exp(1.03 + 3.66|rho|): thm-2.2*."
    ),
)
def eq_7() -> Iterator[Evidence]:
    x, y = sp.symbols("x y", real=True)
    yield equality("cos is even", sp.cos(-x), sp.cos(x))
    yield equality("sin is odd", sp.sin(-y), -sp.sin(y))


@attack(
    "eq-7",
    domain=(
        "base e^64 and e^128, near end and lambda = -3/2, far 1+ and 7/4 times b, nu_0/mu_0 = 0, 1, -1; D "
        "-> infinity"
    ),
)
def eq_7_attack() -> Iterator[Evidence]:
    cases = []
    for ratio in (0, 1, -1):
        base = (ball(64) * (1 + abs(ratio))).exp().mid()
        for near in (ball("-3/2"), (base ** (ball(1) / 4) / 8).mid() * ball("999/1000")):
            for far in ("1.0001", "-7/4"):
                gap = limit_gap(base, near, base * ball(far), ratio)
                cases.append((f"nu/mu {ratio}, near {text(near, 5)}, far {far} b", gap - ball("1/8")))
    yield search("limit gap less 1/8", cases)


@practice("eq-7")
def eq_7_practice() -> Iterator[dict[str, object]]:
    """Rows: the printed threshold against real bases, and the D that (33) then asks for."""
    for base in BASES:
        yield {
            "base": base,
            "printed threshold on the base, nu_0 = 0": short(ball(64).exp()),
            "met": less(ball(64).exp(), base),
            "largest near distance b^(1/4)/8": short(ball(base) ** (ball(1) / 4) / 8),
            "integers in the near range": len(near_integers(base)),
            "D that (33) asks for at Lambda = b, alpha = 0": short(128 * arb.pi() * base),
        }


def _integers(base: int) -> int:
    """Greatest integer strictly below b^(1/4)/8, exactly: (8 n)^4 < b."""
    n = 0
    while (8 * (n + 1)) ** 4 < base:
        n += 1
    return n
