"""Theorem 2.2 as the paper argues it, second half: eqs 31 to 34, and (7) with the printed threshold."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below, less, text
from proofs.checks import BASES, exact, identity, near_integers, search, short, tried
from proofs.ledger import attack, claim, practice, repair
from proofs.rope_bias_limit import limit_gap

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
        r"sgn(\mu_0)\Delta \ge C_D(\lambda)|\mu_0| - |C_D(\Lambda)\mu_0| - |S_D(\lambda)\nu_0| - "
        r"|S_D(\Lambda)\nu_0| > |\mu_0|/4 - 4(|\mu_0|+|\nu_0|)/L - "
        r"2(|\mu_0|+|\nu_0|)(e(\lambda)+e(\Lambda))"
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
    says=r"the same for (\mu_0, \nu_0) \ne (0, 0); and with factor 1 in place of 2 before the e-terms",
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
        yield identity(
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
    says=r"\theta_0 < \exp(-64(|\mu_0|+|\nu_0|)/|\mu_0|) gives 4(|\mu_0|+|\nu_0|)/L < |\mu_0|/16",
    assumes=("mu_0 != 0",),
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
        r"for given \lambda, \Lambda some D makes 2(|\mu_0|+|\nu_0|)(e(\lambda)+e(\Lambda)) < |\mu_0|/16, "
        r"e.g. with \alpha = 0, for all larger D"
    ),
    assumes=("mu_0 != 0", "lambda, Lambda fixed"),
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
    yield identity("least D at alpha = 0", least, 128 * sp.pi * (1 + NU / MU) * (lam + far))
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
        r"one D makes (33) hold for all |\Lambda| > \theta_0^{-1} (which Theorem 2.2 needs if its D is to "
        r"be free of \Lambda)"
    ),
    outline=(
        "At Lambda = D/(4 pi theta_0): e = a + theta_0^{a-1} >= 1 for a in [0, 1], and e > 1 for a > 1; "
        "(33) asks for less than 1/32."
    ),
)
def eq_33_uniform() -> Iterator[Evidence]:
    theta, a, dim = sp.symbols("theta0 a D", positive=True)
    error = a + 4 * sp.pi * (dim / (4 * sp.pi * theta)) * theta**a / dim
    yield identity("e at Lambda = D/(4 pi theta_0)", error, a + theta ** (a - 1))
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
    says=r"one D serves all |\Lambda| \le \Lambda_{max}: D > 128\pi(1+|\nu_0/\mu_0|)(\lambda+\Lambda_{max})",
    assumes=("mu_0 != 0",),
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
    says=r"sgn(\mu_0)\Delta > |\mu_0|/4 - |\mu_0|/16 - |\mu_0|/16 = |\mu_0|/8",
    assumes=("mu_0 != 0", "(32)", "(33)"),
    uses=("eq-31*", "eq-32", "eq-33"),
    outline="(31) with (32) and (33).",
)
def eq_34() -> Iterator[Evidence]:
    yield identity("1/4 - 1/16 - 1/16", MU / 4 - MU / 16 - MU / 16, MU / 8)


@attack("eq-34", domain="the printed remainder: is 1/8 all that is left, or more?")
def eq_34_attack() -> Iterator[Evidence]:
    left = sp.Rational(1, 4) - 2 * sp.Rational(1, 16) - sp.Rational(1, 8)
    yield tried("nothing is left over", left == 0, left, 0)


@claim(
    "eq-7",
    where="Sec. 2.2, eq 7",
    kind="equation",
    says=(
        r"(7) for \mu_0 \ne 0, \theta_0 < \exp(-64(|\mu_0|+|\nu_0|)/|\mu_0|) and D beyond a bound that "
        r"depends on m, n, m', n': what the printed proof gives"
    ),
    assumes=("Assumption 2.1", "mu_0 != 0", "base > exp(64(1+|nu_0/mu_0|))"),
    uses=("eq-18*", "eq-34"),
    outline=(
        "(34) for both signs of the distances: C_D is even, S_D odd, and (30) is two-sided. The threshold "
        "can be exp(1.03 + 3.66|rho|): thm-2.2*."
    ),
)
def eq_7() -> Iterator[Evidence]:
    x, y = sp.symbols("x y", real=True)
    yield identity("cos is even", sp.cos(-x), sp.cos(x))
    yield identity("sin is odd", sp.sin(-y), -sp.sin(y))


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
