"""Appendix A: the score as its mean and a random part (eqs 17 and 18), and the remark with eqs 19 and 20.

Sub-Gaussian A_d and B_d alone do not concentrate: their pairs may all move together. Independent blocks of pairs do,
with constants that degrade exactly as the blocks grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import HEAD_DIMS, controlled, equality, exact, refutes, search, short, tried
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums, cos_limit
from proofs.ledger import attack, claim, practice, repair
from proofs.letters import ANY_HEAD, DIM
from proofs.statements import Conclusion, Statement, Variable, relation
from proofs.subdivision import certify_positive, covers

MU, NU = sp.symbols("mu_0 nu_0", real=True)
THETA = sp.Symbol("theta0", positive=True)
LAM = sp.Symbol("lambda", real=True)


def terms(head_dim: int, last: int) -> tuple[sp.Expr, sp.Expr]:
    """Both sides of (17) times D for one D, the random sums running over d = 0..last; A_d, B_d symbols for every d."""
    a, b = (sp.symbols(f"{name}0:{head_dim}", real=True) for name in "AB")

    def wave(d: int) -> tuple[sp.Expr, sp.Expr]:
        angle = 2 * sp.pi * LAM * THETA ** sp.Rational(2 * d, head_dim)
        return sp.cos(angle), sp.sin(angle)

    pairs = range(head_dim // 2)
    left = sp.Add(*(a[d] * wave(d)[0] + b[d] * wave(d)[1] for d in pairs))
    mean = sp.Add(*(MU * wave(d)[0] + NU * wave(d)[1] for d in pairs))
    random = sp.Add(*((a[d] - MU) * wave(d)[0] + (b[d] - NU) * wave(d)[1] for d in range(last + 1)))
    return left, mean + random


def random_decomposition(head_dim: int, last: int) -> Evidence:
    """(17) for one D with the random sums up to `last`: every cosine and sine must cancel."""
    left, right = terms(head_dim, last)
    gap = sp.expand(left - right)
    return exact(
        f"(17) times D, D = {head_dim}, random sums over d = 0..{last}", gap == 0, f"difference {gap}", "0"
    )


def single_pair() -> Evidence:
    """One d of (17), for every A, B, mu, nu and angle: the sum over d = 0..D/2-1 is D/2 copies of this."""
    a, b, x = sp.symbols("A B x", real=True)
    mean = MU * sp.cos(x) + NU * sp.sin(x)
    random = (a - MU) * sp.cos(x) + (b - NU) * sp.sin(x)
    return equality("A cos + B sin = mean + random, one pair", a * sp.cos(x) + b * sp.sin(x), mean + random)


@claim(
    "eq-17",
    where="App. A, eq 17",
    kind="equation",
    says=(
        r"$\mathrm{Attn}/\sqrt D = \Gamma_\lambda + Z_\lambda$, the sums of $Z_\lambda$ over $d = "
        r"0,\dots,D/2$; $\mathrm{E} Z_\lambda = 0$"
    ),
    outline=(
        "The sums of Z run one term too far: q and k have no coordinates D, D+1, and whatever value "
        "A_{D/2} is given, the sides differ by (A_{D/2} - mu_0) cos(2 pi lambda theta_0) + (B_{D/2} - "
        "nu_0) sin(...), over D."
    ),
    in_words="of sums whose terms no letter names: the printed range is one term too long",
)
def eq_17() -> Iterator[Evidence]:
    yield random_decomposition(2, 1)


A_D, B_D, ANGLE = sp.symbols("A_d B_d x", real=True)
EQ_17_REPAIRED = Statement(
    tuple(Variable(symbol) for symbol in (A_D, B_D, MU, NU, ANGLE)),
    (
        Conclusion(
            relation(
                A_D * sp.cos(ANGLE) + B_D * sp.sin(ANGLE),
                "==",
                sp.Add(
                    MU * sp.cos(ANGLE) + NU * sp.sin(ANGLE),
                    (A_D - MU) * sp.cos(ANGLE) + (B_D - NU) * sp.sin(ANGLE),
                    evaluate=False,
                ),
            )
        ),
    ),
    words=r"the same with both sums of $Z_\lambda$ over $d = 0,\dots,D/2-1$, and then $\mathrm{E} Z_\lambda = 0$ under "
    r"Assumption 2.1; pair by pair, with $x = 2\pi\lambda\theta_d$: ",
)


@repair(
    "eq-17",
    says=EQ_17_REPAIRED,
    cites=("asm-2.1",),
    outline="Pair by pair; expectation is linear and E A_d - mu_0 = E B_d - nu_0 = 0.",
)
def eq_17_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    yield single_pair()
    for head_dim in (2, 4, 8):
        yield random_decomposition(head_dim, head_dim // 2 - 1)


@attack("eq-17", domain="D = 2, 4, 8, the printed range of d and one term fewer")
def eq_17_attack() -> Iterator[Evidence]:
    for head_dim in (4, 8):
        yield random_decomposition(head_dim, head_dim // 2)


@attack("eq-17*", domain="D = 2, 4, 8: a range one term too short must fail")
def eq_17_repaired_attack() -> Iterator[Evidence]:
    for head_dim in (2, 4, 8):
        yield refutes(random_decomposition(head_dim, head_dim // 2 - 2))
    yield from EQ_17_REPAIRED.attack()


def gap_against_delta(sign_mu: int, prefactor: bool) -> Evidence:
    """LHS of (7) against Delta for mu_0 of one sign; `prefactor` keeps the sgn(mu_0) that (7) has."""
    near, far = sp.symbols("Gamma_lambda Gamma_Lambda", real=True)
    left = sign_mu * (near - far)
    right = (sign_mu if prefactor else 1) * (near - far)
    return equality(f"LHS of (7) with sgn(mu_0) = {sign_mu}", left, right)


HERE, THERE, GAP = sp.symbols("Gamma_lambda Gamma_Lambda Delta", real=True)
EXPECTED = tuple(Variable(symbol) for symbol in (MU, HERE, THERE))
LEFT_OF_7 = sp.sign(MU) / sp.sqrt(DIM) * (sp.sqrt(DIM) * HERE - sp.sqrt(DIM) * THERE)
EQ_18 = Statement(
    (ANY_HEAD, *EXPECTED),
    (Conclusion(relation(LEFT_OF_7, "==", HERE - THERE)),),
    words=r"with $\mathrm{E} \mathrm{Attn}_\lambda = \sqrt D\Gamma_\lambda$ the left side of (7) is precisely "
    r"$\Gamma_\lambda - \Gamma_\Lambda =: \Delta_{\lambda,\Lambda}$: ",
)
EQ_18_REPAIRED = Statement(
    (ANY_HEAD, *EXPECTED),
    (Conclusion(relation(LEFT_OF_7, "==", sp.sign(MU) * GAP)),),
    meaning={GAP: HERE - THERE},
    words=r"with $\mathrm{E} \mathrm{Attn}_\lambda = \sqrt D\Gamma_\lambda$ the left side of (7) is: ",
)


@claim(
    "eq-18",
    where="App. A, eq 18",
    kind="equation",
    says=EQ_18,
    cites=("eq-7",),
    outline="The left side of (7) carries sgn(mu_0): for mu_0 = -1 it is -Delta, for mu_0 = 0 it is 0.",
)
def eq_18(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({DIM: 2, MU: -1, HERE: 1, THERE: 0})


@repair(
    "eq-18",
    says=EQ_18_REPAIRED,
    uses=("eq-17*",),
    cites=("eq-7",),
    outline="E Z = 0 leaves E Attn/sqrt(D) = Gamma.",
)
def eq_18_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    for sign_mu in (1, 0, -1):
        yield gap_against_delta(sign_mu, prefactor=True)


@attack("eq-18", domain="mu_0 = 0")
def eq_18_attack() -> Iterator[Evidence]:
    yield EQ_18.fails_at({DIM: 2, MU: 0, HERE: 1, THERE: 0})


@attack(
    "eq-18*", domain="the printed scale: does 1/sqrt(D) in (7) times 1/sqrt(D) in (3) give the 1/D of Gamma?"
)
def eq_18_repaired_attack() -> Iterator[Evidence]:
    dim = sp.Symbol("D", positive=True)

    def scaled(by: sp.Expr) -> Evidence:
        product = sp.simplify(by / sp.sqrt(dim))
        return tried(f"1/sqrt(D) * {by}", sp.simplify(product - 1 / dim) == 0, product, "1/D")

    yield controlled(scaled(1 / sp.sqrt(dim)), scaled(1 / dim), scaled(sp.Integer(1)))
    yield from EQ_18_REPAIRED.attack()


@practice("eq-17")
def eq_17_practice() -> Iterator[dict[str, object]]:
    for head_dim in (64, 128, 256):
        yield {
            "head_dim": head_dim,
            "pairs": head_dim // 2,
            "terms in the printed sums of Z": head_dim // 2 + 1,
        }


C1, C2, S, T = sp.symbols("C1 C2 s t", positive=True)
NEAR, FAR, BASE = 1, 20_001, 10_000  # the pair of distances of the counterexample


@claim(
    "eq-19",
    where="App. A, eq 19",
    kind="assumption",
    says=(
        r"$P(|A_i-\mu_0| > \eta) < C_1 e^{-C_2\eta^2}$, the same for $B_j$ and $\nu_0$, for all $\eta > 0$"
    ),
    outline=(
        "Met when |A_d - mu_0| and |B_d - nu_0| stay below R (normalised q and k): C_1 = e, C_2 = 1/R^2, "
        "for the right side exceeds 1 while eta < R. Not met by Gaussian q, k: for standard ones A_d has "
        "the Laplace law, P(|A_d| > eta) = e^{-eta}, which no C_1 e^{-C_2 eta^2} dominates."
    ),
    in_words="an assumption on the laws of the A_d and B_d",
)
def eq_19() -> Iterator[Evidence]:
    eta, bound, u = sp.symbols("eta R u", positive=True)
    exponent = (1 - eta**2 / bound**2).subs(eta, bound * u)
    yield equality("C_1 e^{-C_2 eta^2} > 1 for u = eta/R < 1: its exponent", exponent, (1 - u) * (1 + u))
    yield from laplace_law()


def laplace_law(scale: int = 1) -> Iterator[Evidence]:
    """Standard Gaussian q, k in two dimensions: given |q|, A is Gaussian of variance |q|^2; is it Laplace(scale)?"""
    w = sp.Symbol("w", positive=True)  # w = |q|^2 is exponential with mean 2
    mixed = sp.integrate(sp.exp(-w / 2) / 2 * sp.exp(-(S**2) * w / 2), (w, 0, sp.oo))
    laplace = 2 * sp.integrate(sp.cos(S * T) * sp.exp(-T / scale) / (2 * scale), (T, 0, sp.oo))
    yield equality("characteristic function of A_d for Gaussian q, k is that of Laplace(1)", mixed, laplace)
    yield exact("C_1 e^{-C_2 eta^2} / e^{-eta} at eta -> oo", *_gaussian_limit())


def _gaussian_limit() -> tuple[bool, sp.Expr, int]:
    value = sp.limit(sp.exp(-(T**2) + T), T, sp.oo)
    return bool(value == 0), value, 0


@attack("eq-19", domain="A_d = mu_0 +- R: the edge eta -> R from below, where the left side is 1")
def eq_19_attack() -> Iterator[Evidence]:
    cases = ((f"eta/R = 1 - 2^-{k}", (1 - (1 - ball(f"1/{2**k}")) ** 2).exp() - 1) for k in range(1, 60))
    yield search("e * exp(-eta^2/R^2) - 1", cases, control="3.5e-18")


def coin_tokens(spread: int = 1) -> Iterator[Evidence]:
    """q = (1, ..., 1), k = ((mu_0 + X)/2)(1, ..., 1), X = +-spread: Assumption 2.1, and (19) with C_1 = e, C_2 = 1."""
    mu, u = sp.Symbol("mu_0", real=True), sp.Symbol("u", positive=True)
    coins = [(mu + x) / 2 for x in (spread, -spread)]  # k_d, with q_d = 1, by a fair coin
    yield equality("E A_d = mu_0", sum(k + k for k in coins) / 2, mu)
    yield equality("B_d = q_2d k_2d+1 - q_2d+1 k_2d, either coin", coins[0] - coins[0], sp.Integer(0))
    yield equality("E (q_d k_d)^2, the same for all d", sum(k**2 for k in coins) / 2, (mu**2 + spread**2) / 4)
    beyond = sum(1 for k in coins if sp.simplify(2 * k - mu) ** 2 > 1)
    yield exact("P(|A_d - mu_0| > eta) = 0 for eta >= 1", beyond == 0, beyond, 0)
    exponent = (1 - (1 / (1 + u)) ** 2).together()  # eta = 1/(1 + u) < 1, where the left side of (19) is 1
    yield exact(
        "e e^{-eta^2} > 1 for 0 < eta < 1: its exponent", sp.factor(exponent).is_positive, exponent, "> 0"
    )


def equal_pairs(head_dim: int, margin: Real = "1/5") -> Evidence:
    """A_d = mu_0 + X with one sign X = +-1 for all d, B_d = 0: |Z_near - Z_far| = |C_D(near) - C_D(far)| > margin."""
    sums = RopeSums.of(head_dim, base=BASE)
    gap = abs(sums.cos(NEAR) - sums.cos(FAR))
    return below(f"D = {head_dim}: |Z_{NEAR} - Z_{FAR}| > {margin} with probability 1", margin, gap)


def equal_pairs_forever(margin: Real = "1/5") -> Evidence:
    """The same for every D beyond 2 pi (near + far)/0.1, from the limit of C_D and the error of its Riemann sum."""
    limit = abs(cos_limit(NEAR, base=BASE) - cos_limit(FAR, base=BASE))
    return below(
        "every D > 1.3e6: |Z - Z| > margin, limit less its error", ball(margin) + _riemann_error(), limit
    )


def _riemann_error() -> arb:
    return 2 * arb.pi() * (NEAR + FAR) / 1_300_000


@claim(
    "eq-20",
    where="App. A, eq 20",
    kind="equation",
    says=(
        r"(19) for all $i$, $j$ implies $P(|Z_\lambda-Z_\Lambda| > \eta) < C_3 e^{-C_4 D\eta^2}$, $C_3$, "
        r"$C_4$ free of $D$ and $\eta$"
    ),
    uses=("thm-2.2.riemann",),
    cites=("eq-19",),
    outline=(
        "q = (1, ..., 1), k = ((mu_0 + X)/2)(1, ..., 1), X = +-1 a fair sign: Assumption 2.1 with nu_0 = "
        "0, and (19) with C_1 = e, C_2 = 1. Every A_d is mu_0 + X, so |Z - Z| = |C_D(1) - C_D(20001)| > "
        "1/5 for certain at base 10^4 and every D > 1.3e6, while the right side at eta = 1/5 tends to 0. "
        "If C_3, C_4 may depend on D the claim is true and says nothing about large D."
    ),
    in_words="of every law of the tokens that has such tails",
)
def eq_20() -> Iterator[Evidence]:
    yield from coin_tokens()
    yield equal_pairs_forever()
    yield from (equal_pairs(head_dim) for head_dim in HEAD_DIMS)
    dim = sp.Symbol("D", positive=True)
    tail = sp.limit(C1 * sp.exp(-C2 * dim / 25), dim, sp.oo)
    yield exact(
        "probability 1 below the limit of C_3 exp(-C_4 D/25) as D -> oo", bool(tail > 1), 1, f"< {tail}"
    )


def moment_bound(quadratic: sp.Expr | None = None) -> Iterator[Evidence]:
    """E exp(s U) <= exp(K s^2), K = 2 C_1/C_2, from P(|U| > t) < C_1 exp(-C_2 t^2), E U = 0, C_1 >= 1.

    `quadratic` replaces s^2 in e^x <= x + e^{x^2} (as a function of x) to plant an error.
    """
    x = sp.Symbol("x", real=True)
    exponent = sp.lambdify(x, quadratic if quadratic is not None else x**2, "math")

    def slack(u: arb) -> arb:
        return u + exponent(u).exp() - u.exp()

    near, far, infinity = ball("1/16"), ball(4), arb("inf")
    ranges = [(-infinity, -far), (-near, near), (far, infinity)]  # by analysis; the rest in boxes
    for lo, hi in (("-4", "-1/16"), ("1/16", "4")):
        found = certify_positive(slack, None, lo, hi)
        yield found.evidence(f"x + e^(x^2) - e^x > 0 on [{lo}, {hi}]")
        ranges += found.covered
    yield covers("e^x <= x + e^(x^2) for every real x", ranges, -infinity, infinity)
    yield from far_exponent(exponent, far)
    yield below("|x| <= 1/16: e^x - 1 - x <= x^2 sum_(k>=2) 1/k! = (e-2) x^2 < x^2", arb(1).exp() - 2, 1)
    yield below("as |x|^k <= x^2 takes |x| <= 1", near, 1, strict=False)
    rho = sp.Symbol("rho", positive=True)
    layer = sp.integrate(2 * rho * T * C1 * sp.exp(-(C2 - rho) * T**2).subs(C2 - rho, S), (T, 0, sp.oo))
    yield equality("E e^{rho U^2} - 1 <= C_1 rho/(C_2 - rho)", layer, C1 * rho / S)
    small = sp.factor(2 * C1 * S**2 / C2 - C1 * S**2 / (C2 - S**2))
    yield equality(
        "s^2 <= C_2/2: slack of C_1 s^2/(C_2-s^2) <= K s^2",
        small,
        C1 * S**2 * (C2 - 2 * S**2) / (C2 * (C2 - S**2)),
    )
    yield below(
        "s^2 > C_2/2, C_1 = 1: 1/2 + 2 ln(1 + C_1) < 2 C_1 (its slope 2/(1+C_1) is at most 1 < 2)",
        ball("1/2") + 2 * arb(2).log(),
        2,
    )


def far_exponent(exponent: Callable[[arb], arb], far: arb) -> Iterator[Evidence]:
    """e^x <= x + e^{q(x)} for |x| >= far, where q = `exponent` is a multiple of x^2: there q(x) >= |x| q(far)/far."""
    what = "x >= 4: q(x) >= x q(4)/4 >= x, so e^q(x) >= e^x"
    yield below(what, 1, exponent(far) / far, strict=False)
    what = "x <= -4: q(x) >= |x|, so e^q(x) > 1 + |x| > e^x - x"
    yield below(what, 1, exponent(-far) / far, strict=False)


def chernoff(blocks: sp.Expr, rate: sp.Expr) -> Evidence:
    """min_t exp(4 K M t^2/D - t eta) against exp(-rate), K = 2 C_1/C_2; M pairs a block."""
    size, dim, eta = sp.symbols("M D eta", positive=True)
    exponent = 4 * (2 * C1 / C2) * blocks.subs(sp.Symbol("M"), size) * T**2 / dim - T * eta
    best = sp.solve(sp.diff(exponent, T), T)[0]
    return equality(
        "Chernoff exponent",
        exponent.subs(T, best),
        -rate.subs({sp.Symbol("M"): size, sp.Symbol("D"): dim, sp.Symbol("eta"): eta}),
    )


RATE = C2 * sp.Symbol("D") * sp.Symbol("eta") ** 2 / (32 * C1 * sp.Symbol("M"))


@repair(
    "eq-20",
    says=(
        "if the pairs fall into blocks of at most $M$ that are independent of each other (dependence "
        r"inside a block is free), and $C_1 \ge 1$, then $P(|Z_\lambda-Z_\Lambda| > \eta) < 3\exp(-C_2 "
        r"D\eta^2/(32 C_1 M))$ for all $\lambda$, $\Lambda$, $\eta > 0$"
    ),
    assumes=(
        "(19)",
        "blocks of at most $M$ pairs, independent between blocks",
        r"$C_1 \ge 1$ (may always be raised)",
    ),
    outline=(
        "e^x <= x + e^{x^2} and the layer-cake formula give E e^{sU} <= e^{K s^2}, K = 2C_1/C_2, for U = "
        "A_d - mu_0 and B_d - nu_0. X_d = a_d U + b_d V with a_d^2 + b_d^2 = |e^{ix} - e^{iy}|^2 <= 4; "
        "Cauchy-Schwarz inside the pair, Hoelder with exponent M inside the block, independence between "
        "blocks: E exp(t(Z - Z)) <= exp(4 K M t^2/D). Chernoff, twice. M = 1: independent pairs. M = D/2: "
        "no D is left, as the counterexample says, so the order in M is right."
    ),
    proof=r"""
        Let $U$ be an $A_d-\mu_0$ or $B_d-\nu_0$ and $K=2C_1/C_2$. *$\mathrm Ee^{sU}\le e^{Ks^2}$:* from
        $e^x\le x+e^{x^2}$ and $\mathrm EU=0$, $\mathrm Ee^{sU}\le\mathrm
        Ee^{s^2U^2}=1+\int_0^\infty2s^2te^{s^2t^2}P(|U|>t)\,dt\le1+\frac{C_1s^2}{C_2-s^2}\le1+Ks^2$ for
        $s^2\le C_2/2$. For $s^2>C_2/2$ use $sU\le\frac{s^2}{2C_2}+\frac{C_2U^2}2$: $\mathrm Ee^{sU}\le
        e^{s^2/2C_2}(1+C_1)$, and $\ln(1+C_1)\le C_1-\frac14\le(2C_1-\frac12)\frac{s^2}{C_2}$.

        *One pair.* $D(Z_\lambda-Z_\Lambda)=\sum_dX_d$, $X_d=a_dU_d+b_dV_d$ with
        $a_d^2+b_d^2=|e^{ix}-e^{iy}|^2\le4$. By Cauchy and Schwarz $\mathrm
        Ee^{tX_d}\le(e^{4Kt^2a_d^2}e^{4Kt^2b_d^2})^{1/2}\le e^{8Kt^2}$. *A block* of $M'\le M$ pairs, by
        Hölder: $\prod(\mathrm Ee^{M'tX_d})^{1/M'}\le e^{8KM'^2t^2}$. *All blocks* are independent and hold
        $D/2$ pairs: $\mathrm Ee^{s(Z_\lambda-Z_\Lambda)}\le e^{4KMs^2/D}$ at $t=s/D$. *Chernoff* at
        $s=D\eta/(8KM)$: each tail is at most $e^{-D\eta^2/(16KM)}$, and there are two. $\square$
    """,
    in_words="of every law of the tokens that has such tails",
)
def eq_20_repaired() -> Iterator[Evidence]:
    yield from moment_bound()
    x, y = sp.symbols("x y", real=True)
    length = (sp.cos(x) - sp.cos(y)) ** 2 + (sp.sin(x) - sp.sin(y)) ** 2
    yield equality("a_d^2 + b_d^2 = 4 sin^2((x-y)/2) <= 4", length, 2 - 2 * sp.cos(x - y))
    yield chernoff(sp.Symbol("M"), RATE)


def walsh_signs(generators: int) -> Iterator[Evidence]:
    """2^n signs, the products of the subsets of n fair signs: independent in pairs, yet all +1 with chance 2^-n."""
    subsets = range(2**generators)
    outcomes = [
        [sp.prod([x for i, x in enumerate(signs) if subset >> i & 1]) for subset in subsets]
        for signs in product((1, -1), repeat=generators)
    ]

    def uncorrelated(pairs: list[tuple[int, int]]) -> Evidence:
        mixed = [sum(row[a] * row[b] for row in outcomes) for a, b in pairs]
        return exact(f"{len(subsets)} Walsh signs are uncorrelated in pairs", not any(mixed), set(mixed), {0})

    pairs = [(a, b) for a in subsets for b in subsets if 0 < a < b]
    yield controlled(uncorrelated(pairs), uncorrelated([*pairs, (1, 1)]))
    share = sp.Rational(sum(all(x == 1 for x in row) for row in outcomes), len(outcomes))
    yield exact(
        "all are +1 with probability 2^-n", share == sp.Rational(1, len(subsets)), share, f"1/{len(subsets)}"
    )


@attack("eq-20", domain="pairs that are only pairwise independent: A_d = mu_0 + Walsh sign d, D/2 = 2^n")
def eq_20_attack() -> Iterator[Evidence]:
    dim = sp.Symbol("D", positive=True)
    ratio = sp.limit(C1 * sp.exp(-C2 * dim / 25) * dim / 2, dim, sp.oo)
    what = "P(|Z_1 - Z_20001| > 1/5) >= P(all signs equal) >= 2/D; the bound over 2/D as D -> oo"
    yield from counterexample(walsh_signs(3), exact(what, bool(ratio >= 1), ratio, ">= 1"))


@attack("eq-20*", domain="independent signs, D = 4..20, every outcome counted, eta from 0.05 to 2")
def eq_20_repaired_attack() -> Iterator[Evidence]:
    yield search("1 - P(|Z - Z| > eta)/(3 exp(-D eta^2/(32 e)))", _sign_cases(), control="0.67")


def _sign_cases() -> Iterator[tuple[str, arb]]:
    for head_dim in (4, 10, 20):
        sums = RopeSums.of(head_dim, base=BASE)
        steps = [float((w * NEAR).cos() - (w * FAR).cos()) / head_dim for w in sums.omega]
        totals = [
            abs(sum(s * x for s, x in zip(signs, steps, strict=True)))
            for signs in product((1, -1), repeat=len(steps))
        ]
        for eta in ("0.05", "0.3", "1", "2"):
            share = ball(sum(t > float(eta) for t in totals)) / len(totals)
            bound = 3 * (-head_dim * ball(eta) ** 2 / (32 * arb(1).exp())).exp()
            yield f"D = {head_dim}, eta = {eta}", 1 - share / bound


@claim(
    "rem-A",
    where="App. A, Remark",
    kind="remark",
    says=(
        r"under (19), $|Z_\lambda-Z_\Lambda|$ is negligible (with high probability) compared to "
        r"$|\Delta_{\lambda,\Lambda}|$ when $D$ is large"
    ),
    cites=("eq-19",),
    outline=(
        "Same tokens as for (20): Z - Z = X (C_D(lambda) - C_D(Lambda)) and Delta = mu_0 (C_D(lambda) - "
        "C_D(Lambda)), so |Z - Z| = |Delta|/|mu_0| for every D, lambda, Lambda: equal to |Delta| at mu_0 = "
        "1."
    ),
    in_words="of every law of the tokens that has such tails",
)
def rem_a() -> Iterator[Evidence]:
    yield from coin_tokens()
    x, mu, near, far = sp.symbols("X mu C_near C_far", real=True)
    ratio = sp.simplify(x * (near - far) / (mu * (near - far)))
    value = ratio.subs({x: 1, mu: 1})
    yield exact("(Z - Z)/Delta at mu_0 = 1, X = 1, for every D, lambda and Lambda", value == 0, value, "-> 0")


@repair(
    "rem-A",
    says=(
        r"with independent blocks of at most $M$ pairs: $P(|Z_\lambda-Z_\Lambda| > \delta|\Delta|) < "
        r"3\exp(-C_2 D\delta^2\Delta^2/(32 C_1 M))$, which tends to 0 as $D$ grows wherever $|\Delta|$ "
        "stays above a positive bound"
    ),
    assumes=("(19)", "independent blocks", r"$C_1 \ge 1$"),
    uses=("eq-20*",),
    outline="(20) as repaired at eta = delta |Delta|.",
    proof=r"""
        `eq-20*` at $\eta=\delta|\Delta|$. $\square$
    """,
    in_words="of every law of the tokens that has such tails",
)
def remark_repaired() -> Iterator[Evidence]:
    dim, delta = sp.symbols("D delta", positive=True)
    bound = 3 * sp.exp(-C2 * dim * delta**2 / (32 * C1))
    yield exact(
        "limit of the bound as D -> oo, |Delta| = 1, M = 1",
        sp.limit(bound, dim, sp.oo) == 0,
        sp.limit(bound, dim, sp.oo),
        0,
    )


@attack("rem-A", domain="mu_0 = 100: there the ratio is 1/100; is it ever above 1? mu_0 = 1/100")
def rem_a_attack() -> Iterator[Evidence]:
    ratio = 1 / sp.Rational(1, 100)
    yield exact("(Z - Z)/Delta at mu_0 = 1/100, any D", bool(ratio < 1), ratio, "-> 0")


@attack("rem-A*", domain="where does the repaired bound tend to 0? delta |Delta| = D^(-1/2) is the edge")
def remark_repaired_attack() -> Iterator[Evidence]:
    dim = sp.Symbol("D", positive=True)

    def stays(order: sp.Expr) -> Evidence:
        limit = sp.limit(sp.exp(-dim * (dim**-order) ** 2), dim, sp.oo)
        what = f"at |Delta| ~ D^(-{order}) the bound stays put, so the hypothesis |Delta| >= const is needed"
        return tried(what, limit == sp.exp(-1), limit, "e^-1")

    yield controlled(stays(sp.Rational(1, 2)), stays(sp.Rational(1, 3)), stays(sp.Rational(1)))


@practice("rem-A")
def remark_practice() -> Iterator[dict[str, object]]:
    """Rows: independent pairs, |A_d - mu_0| <= R and |B_d - nu_0| <= R: from which eta/R the bound is below 1."""
    for head_dim in HEAD_DIMS:
        eta = (32 * arb(1).exp() * arb(3).log() / head_dim).sqrt()
        yield {
            "head_dim": head_dim,
            "bound below 1 from eta/R": short(eta),
            "standard deviation of Z - Z is at most, over R": short(2 / ball(2 * head_dim).sqrt()),
            "near-far gap of theorem 2.2 at R = mu_0": 0.125,
            "Gaussian q, k": "(19) fails: tail e^-eta",
        }
