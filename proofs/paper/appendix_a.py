"""Appendix A: the score as its mean and a random part (eqs 17 and 18), and the remark with eqs 19 and 20.

Sub-Gaussian A_d and B_d alone do not concentrate: their pairs may all move together. Independent blocks of pairs do,
with constants that degrade exactly as the blocks grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below
from proofs.checks import HEAD_DIMS, controlled, equality, exact, refutes, search, short, tried
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums, cos_limit
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.letters import ANY_HEAD, DIM
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation, tex
from proofs.subdivision import certify_positive, covers

MU, NU = sp.symbols("mu_0 nu_0", real=True)
THETA = sp.Symbol("theta0", positive=True)
LAM = sp.Symbol("lambda", real=True)


FIRST_PAIR = 0  # from which on every sum over d runs


def terms(head_dim: int, last: int) -> tuple[sp.Expr, sp.Expr]:
    """Both sides of (17) times D for one D, the random sums up to d = last; A_d, B_d symbols for every d."""
    a, b = (sp.symbols(f"{name}0:{head_dim}", real=True) for name in "AB")

    def wave(d: int) -> tuple[sp.Expr, sp.Expr]:
        angle = 2 * sp.pi * LAM * THETA ** sp.Rational(2 * d, head_dim)
        return sp.cos(angle), sp.sin(angle)

    pairs = range(head_dim // 2)
    left = sp.Add(*(a[d] * wave(d)[0] + b[d] * wave(d)[1] for d in pairs))
    mean = sp.Add(*(MU * wave(d)[0] + NU * wave(d)[1] for d in pairs))
    random = sp.Add(
        *((a[d] - MU) * wave(d)[0] + (b[d] - NU) * wave(d)[1] for d in range(FIRST_PAIR, last + 1))
    )
    return left, mean + random


def _both(sides: tuple[sp.Expr, sp.Expr]) -> tuple[sp.Expr, str, sp.Expr]:
    """Two sides as an equation's arguments."""
    left, right = sides
    return left, "==", right


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


PRINTED_LAST, LAST = DIM / 2, DIM / 2 - 1  # of the sums of Z
SMALL = sp.Integer(2)  # the head dimension at which (17) is false
EQ_17 = Statement(
    (
        *(Variable(symbol) for name in "AB" for symbol in sp.symbols(f"{name}0:{SMALL}", real=True)),
        *(Variable(MU), Variable(NU), Variable(LAM), Variable(THETA, low=sp.Integer(0), high=sp.Integer(1))),
    ),
    (Conclusion(relation(*_both(terms(int(SMALL), int(PRINTED_LAST.subs(DIM, SMALL)))))),),
    words=r"$\mathrm{Attn}/\sqrt D = \Gamma_\lambda + Z_\lambda$, the sums of $Z_\lambda$ over "
    rf"$d = {FIRST_PAIR},\dots,{tex(PRINTED_LAST)}$; $\mathrm{{E}} Z_\lambda$ vanishes; at $D = {SMALL}$, times $D$: ",
)


@claim(
    "eq-17",
    where="App. A, eq 17",
    kind="equation",
    says=EQ_17,
    outline=(
        "The sums of Z run one term too far: q and k have no coordinates D, D+1, and whatever value "
        "A_{D/2} is given, the sides differ by (A_{D/2} - mu_0) cos(2 pi lambda theta_0) + (B_{D/2} - "
        "nu_0) sin(...), over D."
    ),
)
def eq_17(statement: Statement) -> Iterator[Evidence]:
    at_zero = dict.fromkeys(statement.symbols, sp.Integer(0))
    beyond = sp.Symbol("A1", real=True)
    yield statement.fails_at(at_zero | {beyond: sp.Integer(1), LAM: sp.Integer(1), THETA: sp.Rational(1, 2)})


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
    words=rf"the same with both sums of $Z_\lambda$ over $d = {FIRST_PAIR},\dots,{tex(LAST)}$, and then "
    r"$Z_\lambda$ has mean zero under Assumption 2.1; pair by pair, with $x = 2\pi\lambda\theta_d$: ",
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
        yield random_decomposition(head_dim, int(LAST.subs(DIM, head_dim)))


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
ETA, REACH = sp.symbols("eta R", positive=True)
TAILS = sp.symbols(r"P(|A_{i}-\mu_{0}|>\eta) P(|B_{j}-\nu_{0}|>\eta)", nonnegative=True)
SUB_GAUSSIAN = tuple(Conclusion(relation(tail, "<", C1 * sp.exp(-C2 * ETA**2))) for tail in TAILS)
EQ_19 = Statement(
    (Variable(REACH, low=sp.Integer(0)), Variable(ETA, low=sp.Integer(0), high=REACH)),
    SUB_GAUSSIAN,
    meaning={C1: sp.E, C2: REACH**-2, **dict.fromkeys(TAILS, sp.Integer(1))},
    words=f"{', '.join(f'${tex(one.says)}$' for one in SUB_GAUSSIAN)} for all $i$, $j$ and positive $\\eta$; it is "
    rf"met, with ${tex(C1)}$ and ${tex(C2)}$ as below, where no $|A_i-\mu_0|$ and no $|B_j-\nu_0|$ exceeds $R$, so "
    r"that the left sides are 0 but for $\eta < R$, and at most what they are here: ",
)


@claim(
    "eq-19",
    where="App. A, eq 19",
    kind="assumption",
    says=EQ_19,
    outline=(
        "Met when |A_d - mu_0| and |B_d - nu_0| stay below R (normalised q and k): C_1 = e, C_2 = 1/R^2, "
        "for the right side exceeds 1 while eta < R. Not met by Gaussian q, k: for standard ones A_d has "
        "the Laplace law, P(|A_d| > eta) = e^{-eta}, which no C_1 e^{-C_2 eta^2} dominates."
    ),
)
def eq_19(statement: Statement) -> Iterator[Evidence]:
    u = sp.Symbol("u", positive=True)
    for index, tail in enumerate(TAILS, 1):
        ratio = statement.spelt(statement.target(index)).subs(ETA, REACH * u) / statement.meaning[tail]
        exponent = sp.log(ratio).expand()
        yield equality("exponent of right over left, u = eta/R < 1", sp.simplify(exponent), (1 - u) * (1 + u))
    reach = statement.range_of(ETA)
    yield exact(
        "u runs over (0, 1)", (reach.low, reach.high) == (0, REACH), (reach.low, reach.high), (0, REACH)
    )
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
    yield from EQ_19.within(relation(ETA, "<", REACH * sp.Rational(99, 100))).attack()


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


C3, C4, ANY_D = sp.symbols("C_3 C_4 D", positive=True)
CLAIMED_TAIL = C3 * sp.exp(-C4 * ANY_D * ETA**2)
LIMIT_TAIL = sp.Symbol(r"\lim_{D}P(|Z_{\lambda}-Z_{\Lambda}|>\eta)", nonnegative=True)
LIMIT_BOUND = sp.Symbol(rf"\lim_{{D}}{tex(CLAIMED_TAIL)}", nonnegative=True)
EQ_20 = Statement(
    (
        *(Variable(C3, low=sp.Integer(0)), Variable(C4, low=sp.Integer(0))),
        Variable(ETA, low=sp.Integer(0), high=sp.Rational(1, 5)),
    ),
    (Conclusion(relation(LIMIT_TAIL, "<=", LIMIT_BOUND)),),
    meaning={LIMIT_TAIL: sp.Integer(1), LIMIT_BOUND: sp.Integer(0)},
    words=rf"(19) for all $i$, $j$ implies $P(|Z_\lambda-Z_\Lambda| > \eta) < {tex(CLAIMED_TAIL)}$, $C_3$, $C_4$ free "
    r"of $D$ and $\eta$; so in the limit too, for tokens whose pairs are all alike: ",
)


@claim(
    "eq-20",
    where="App. A, eq 20",
    kind="equation",
    says=EQ_20,
    uses=("thm-2.2.riemann",),
    cites=("eq-19",),
    outline=(
        "q = (1, ..., 1), k = ((mu_0 + X)/2)(1, ..., 1), X = +-1 a fair sign: Assumption 2.1 with nu_0 = "
        "0, and (19) with C_1 = e, C_2 = 1. Every A_d is mu_0 + X, so |Z - Z| = |C_D(1) - C_D(20001)| > "
        "1/5 for certain at base 10^4 and every D > 1.3e6, while the right side at eta = 1/5 tends to 0. "
        "If C_3, C_4 may depend on D the claim is true and says nothing about large D."
    ),
)
def eq_20(statement: Statement) -> Iterator[Evidence]:
    greatest, said = statement.range_of(ETA).high, statement.meaning
    tail = equality("the bound as D -> oo", sp.limit(CLAIMED_TAIL, ANY_D, sp.oo), said[LIMIT_BOUND])
    certain = [equal_pairs_forever(str(greatest)), *(equal_pairs(dim, str(greatest)) for dim in HEAD_DIMS)]
    failing = statement.fails_at({C3: 1, C4: 1, ETA: sp.Rational(1, 10)})
    yield from counterexample([*coin_tokens(), *certain, tail], failing)


def moment_bound(quadratic: sp.Expr | None = None, least: sp.Expr = sp.S.One) -> Iterator[Evidence]:
    """E exp(s U) <= exp(K s^2), K = 2 C_1/C_2, from P(|U| > t) < C_1 exp(-C_2 t^2), E U = 0, C_1 >= least.

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
        "s^2 > C_2/2, the least C_1: 1/2 + 2 ln(1 + C_1) < 2 C_1 (its slope 2/(1+C_1) is at most 2)",
        ball("1/2") + 2 * (1 + constant_ball(least)).log(),
        2 * constant_ball(least),
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
BLOCK, PARAMETER = sp.symbols("M t", positive=True)
BOTH_TAILS, LEAST_C1 = sp.Symbol("p", positive=True), relation(C1, ">=", 1)
CENTRED, TAILS_MET = "Assumption 2.1", "(19)"
BLOCKS = "blocks of at most $M$ pairs, independent between blocks"
CHERNOFF = {
    PARAMETER: DIM * C2 * ETA / (16 * C1 * BLOCK),
    BOTH_TAILS: 2 * sp.exp(8 * C1 / C2 * BLOCK * PARAMETER**2 / DIM - PARAMETER * ETA),
}
EQ_20_REPAIRED = Statement(
    (
        *(Variable(C1, low=sp.Integer(0)), Variable(C2, low=sp.Integer(0)), ANY_HEAD),
        *(Variable(BLOCK, low=sp.Integer(0)), Variable(ETA, low=sp.Integer(0))),
    ),
    (Conclusion(relation(BOTH_TAILS, "<", 3 * sp.exp(-C2 * DIM * ETA**2 / (32 * C1 * BLOCK)))),),
    given=(LEAST_C1,),
    meaning=CHERNOFF,
    words="if the pairs fall into blocks of at most $M$ that are independent of each other (dependence "
    r"inside a block is free), then for all $\lambda$, $\Lambda$ $P(|Z_\lambda-Z_\Lambda| > \eta)$ is at most $p$: ",
)


@repair(
    "eq-20",
    says=EQ_20_REPAIRED,
    assumes=(CENTRED, TAILS_MET, BLOCKS),
    outline=(
        "e^x <= x + e^{x^2} and the layer-cake formula give E e^{sU} <= e^{K s^2}, K = 2C_1/C_2, for U = "
        "A_d - mu_0 and B_d - nu_0. X_d = a_d U + b_d V with a_d^2 + b_d^2 = |e^{ix} - e^{iy}|^2 <= 4; "
        "Cauchy-Schwarz inside the pair, Hoelder with exponent M inside the block, independence between "
        "blocks: E exp(t(Z - Z)) <= exp(4 K M t^2/D). Chernoff, twice. M = 1: independent pairs. M = D/2: "
        "no D is left, as the counterexample says, so the order in M is right."
    ),
    proof=r"""
        Let $U$ be an $A_d-\mu_0$ or $B_d-\nu_0$ and $K=2C_1/C_2$. *$\mathrm Ee^{sU}\le e^{Ks^2}$:* from
        $e^x\le x+e^{x^2}$ and $\mathrm EU=0$ (Assumption 2.1), $\mathrm Ee^{sU}\le\mathrm
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
)
def eq_20_repaired(statement: Statement) -> Iterator[Evidence]:
    ((given,), (conclusion,)) = statement.given, statement.conclusions
    yield from moment_bound(least=given.rhs)
    x, y = sp.symbols("x y", real=True)
    length = (sp.cos(x) - sp.cos(y)) ** 2 + (sp.sin(x) - sp.sin(y)) ** 2
    yield equality("a_d^2 + b_d^2 = 4 sin^2((x-y)/2) <= 4", length, 2 - 2 * sp.cos(x - y))
    named = {DIM: sp.Symbol("D"), ETA: sp.Symbol("eta"), BLOCK: sp.Symbol("M")}
    for what, tail, factor in (("p", statement.spelt(BOTH_TAILS), 2), ("its bound", conclusion.says.rhs, 3)):
        rate = -sp.simplify(sp.expand_log(sp.log(tail / factor), force=True)).subs(named)
        yield chernoff(sp.Symbol("M"), rate)
        yield equality(f"the rate of {what}", rate, RATE)


def bound_at(c1: sp.Expr, head_dim: int, square: sp.Expr) -> arb:
    """The bound of `eq-20*` for blocks of one pair at C_2 = 1, eta^2 = square."""
    point = {C1: c1, C2: sp.Integer(1), DIM: sp.Integer(head_dim), BLOCK: sp.Integer(1), ETA: sp.sqrt(square)}
    return constant_ball(EQ_20_REPAIRED.target().subs(point))


@necessary("eq-20*", hypothesis=f"${tex(LEAST_C1)}$")
def eq_20_small_constant() -> Iterator[Evidence]:
    """One pair, |A_0 - mu_0| = R with the probability C_1 exp(-R^2), else 0: Z - Z = A_0 - mu_0 half a turn on."""
    small, square = sp.Rational(1, 32), sp.Integer(5)
    share = constant_ball(small * sp.exp(-square))
    what = "D = 2, C_1 = 1/32, R^2 = 5: P(|Z - Z| > eta) at eta^2 = 4.9"
    yield below(what, share, bound_at(small, 2, sp.Rational(49, 10)))


@necessary("eq-20*", hypothesis=BLOCKS)
def eq_20_of_equal_pairs() -> Iterator[Evidence]:
    """The tokens of the counterexample to (20), their pairs taken for independent: blocks of 1."""
    what = "D = 8192: P(|Z - Z| > 1/5) = 1 against the bound of independent pairs"
    failing = below(what, 1, bound_at(sp.E, 8192, sp.Rational(1, 25)))
    yield from counterexample([*coin_tokens(), equal_pairs(8192)], failing)


@necessary("eq-20*", hypothesis=TAILS_MET)
def eq_20_of_wide_coins() -> Iterator[Evidence]:
    """One pair, A_0 = mu_0 +- 11, for which (19) is false at C_1 = e, C_2 = 1."""
    yield below("D = 2: P(|Z - Z| > 10) = 1, half a turn on", 1, bound_at(sp.E, 2, sp.Integer(100)))


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


@necessary("eq-20*", hypothesis=CENTRED)
def shifted_tokens() -> Iterator[Evidence]:
    """A_d = mu_0 + 1 and B_d = nu_0 for certain: independent; (19) holds with C_1 = e, C_2 = 1, as in `coin_tokens`."""
    head_dim, margin = 8192, sp.Rational(1, 5)
    sums = RopeSums.of(head_dim, base=BASE)
    gap, bound = abs(sums.cos(NEAR) - sums.cos(FAR)), bound_at(sp.E, head_dim, margin**2)
    certain = below(f"D = {head_dim}: |Z - Z| > {margin} for certain", constant_ball(margin), gap)
    yield from counterexample([certain], below("the chance 1 is at most the bound", arb(1), bound))


RARE = tuple(sp.Rational(n, 2) for n in (1, 4, 10, 26, 80, 160))  # R^2


@attack(
    "eq-20*",
    domain=f"{EQ_20_REPAIRED.domain()}, where its bound is no 0 to every digit; one pair at C_2 = 1, A_0 - mu_0 = R "
    "and -R, either as often, together as often as (19) allows, half a turn on, where independent signs never come "
    "near the bound",
)
def eq_20_repaired_attack() -> Iterator[Evidence]:
    def rare(constants: Sequence[sp.Expr]) -> Evidence:
        """Is P(|Z - Z| > eta) for eta up to R at most the bound?"""
        cases = (
            (
                f"C_1 = {c1}, R^2 = {square}",
                1 - constant_ball(c1 * sp.exp(-square)).min(arb(1)) / bound_at(c1, 2, square),
            )
            for c1, square in product(constants, RARE)
        )
        return search(f"C_1 in {constants}: 1 less P(|Z - Z| > R) over its bound", cases)

    yield controlled(rare((LEAST_C1.rhs, sp.E, sp.Integer(10))), rare((sp.Rational(1, 32),)))
    few = relation(C2 * DIM * ETA**2, "<", 10**4 * C1 * BLOCK)  # both sides are 0 to every digit beyond
    yield from EQ_20_REPAIRED.within(few).attack()


SHARE, SCORE_GAP, FLOOR = sp.symbols("delta Delta g", positive=True)
RATIO = sp.Symbol(r"\lim_{D}|Z_{\lambda}-Z_{\Lambda}|/|\Delta_{\lambda,\Lambda}|", positive=True)
NEGLIGIBLE = Statement(
    (Variable(MU, low=sp.Integer(0), signed=True), Variable(SHARE, low=sp.Integer(0))),
    (Conclusion(relation(RATIO, "<=", SHARE)),),
    meaning={RATIO: 1 / sp.Abs(MU)},
    words=r"under (19), $|Z_\lambda-Z_\Lambda|$ is negligible (with high probability) compared to "
    r"$|\Delta_{\lambda,\Lambda}|$ when $D$ is large; so in the limit at most every share $\delta$ of it, for tokens "
    "whose pairs are all alike too: ",
)


@claim(
    "rem-A",
    where="App. A, Remark",
    kind="remark",
    says=NEGLIGIBLE,
    cites=("eq-19",),
    outline=(
        "Same tokens as for (20): Z - Z = X (C_D(lambda) - C_D(Lambda)) and Delta = mu_0 (C_D(lambda) - "
        "C_D(Lambda)), so |Z - Z| = |Delta|/|mu_0| for every D, lambda, Lambda: equal to |Delta| at mu_0 = "
        "1."
    ),
)
def rem_a(statement: Statement) -> Iterator[Evidence]:
    x, near, far = sp.symbols("X C_near C_far", real=True)
    ratio, said = sp.simplify(x * (near - far) / (MU * (near - far))), statement.meaning[RATIO]
    ratios = (  # of either sign of X, for every D, lambda and Lambda
        equality(f"|Z - Z|/|Delta| at X = {sign}", sp.Abs(ratio.subs(x, sign)), said) for sign in (1, -1)
    )
    failing = statement.fails_at({MU: 1, SHARE: sp.Rational(1, 2)})
    yield from counterexample([*coin_tokens(), *ratios], failing)


AT_SHARE = {ETA: SHARE * SCORE_GAP}
IN_THE_LIMIT = sp.Integer(0)
REMARK_REPAIRED = Statement(
    (
        *(Variable(C1, low=sp.Integer(0)), Variable(C2, low=sp.Integer(0)), ANY_HEAD),
        *(Variable(BLOCK, low=sp.Integer(0)), Variable(SHARE, low=sp.Integer(0))),
        *(Variable(FLOOR, low=sp.Integer(0)), Variable(SCORE_GAP, low=FLOOR)),
    ),
    (
        Conclusion(
            relation(BOTH_TAILS, "<", 3 * sp.exp(-C2 * DIM * SHARE**2 * SCORE_GAP**2 / (32 * C1 * BLOCK)))
        ),
        Conclusion(
            relation(BOTH_TAILS, "<", 3 * sp.exp(-C2 * DIM * SHARE**2 * FLOOR**2 / (32 * C1 * BLOCK)))
        ),
    ),
    given=(LEAST_C1,),
    meaning={name: value.subs(AT_SHARE) for name, value in CHERNOFF.items()},
    words=r"with independent blocks of at most $M$ pairs, $P(|Z_\lambda-Z_\Lambda| > \delta\Delta)$, $\Delta$ for "
    rf"$|\Delta_{{\lambda,\Lambda}}|$, is at most $p$, which tends to {IN_THE_LIMIT} as $D$ grows wherever $\Delta$ "
    "stays above $g$: ",
)


@repair(
    "rem-A",
    says=REMARK_REPAIRED,
    assumes=(CENTRED, TAILS_MET, BLOCKS),
    uses=("eq-20*",),
    outline="(20) as repaired at eta = delta |Delta|.",
    proof=r"""
        `eq-20*` at $\eta=\delta|\Delta|$. $\square$
    """,
)
def remark_repaired(statement: Statement) -> Iterator[Evidence]:
    yield equality(
        "eq-20* at eta = delta |Delta|", EQ_20_REPAIRED.target().subs(AT_SHARE), statement.target(1)
    )
    for name, value in EQ_20_REPAIRED.meaning.items():
        yield equality(f"{name} of eq-20*", value.subs(AT_SHARE), statement.meaning[name])
    yield exact("and its C_1", statement.given == EQ_20_REPAIRED.given, statement.given, EQ_20_REPAIRED.given)
    yield equality("at the least |Delta|", statement.target(1).subs(SCORE_GAP, FLOOR), statement.target(2))
    slope = sp.diff(statement.target(1), SCORE_GAP)
    yield exact("it falls with |Delta|", slope.is_negative, slope, "< 0")
    limit = sp.limit(statement.target(2), DIM, sp.oo)
    yield exact("limit of the bound as D -> oo", limit == IN_THE_LIMIT, limit, IN_THE_LIMIT)


def share_bound(index: int, point: Mapping[sp.Symbol, sp.Expr]) -> arb:
    """A bound of `rem-A*` for blocks of one pair at C_1 = e, C_2 = 1."""
    known = {C1: sp.E, C2: sp.Integer(1), BLOCK: sp.Integer(1)}
    return constant_ball(REMARK_REPAIRED.target(index).subs({**known, **point}))


@necessary("rem-A*", hypothesis=BLOCKS)
def remark_of_equal_pairs() -> Iterator[Evidence]:
    """The tokens of the counterexample to (20) at mu_0 = 1, where |Z - Z| = |Delta|, as in `eq-20*` without blocks."""
    what = (
        "D = 8192, mu_0 = 1: P(|Z - Z| > 0.99 |Delta|) = 1 against the bound of independent pairs at g = 1/5"
    )
    share = {DIM: sp.Integer(8192), SHARE: sp.Rational(99, 100), FLOOR: sp.Rational(1, 5)}
    yield from counterexample([*coin_tokens(), equal_pairs(8192)], below(what, 1, share_bound(2, share)))


@necessary("rem-A*", hypothesis=TAILS_MET)
def remark_of_wide_coins() -> Iterator[Evidence]:
    """One pair, A_0 = 1 +- 11, for which (19) is false at C_1 = e, C_2 = 1; half a turn on Delta is 1."""
    share = {DIM: sp.Integer(2), SHARE: sp.Integer(10), SCORE_GAP: sp.Integer(1)}
    yield below("D = 2: P(|Z - Z| > 10 |Delta|) = 1, half a turn on", 1, share_bound(1, share))


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
    few = relation(C2 * DIM * (SHARE * SCORE_GAP) ** 2, "<", 10**4 * C1 * BLOCK)
    yield from REMARK_REPAIRED.within(few).attack()


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
