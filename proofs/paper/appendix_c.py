"""Appendix C: the printed proof of Theorem 2.2, eq 24, eqs 32 to 34, and (7) with the printed threshold.

The bounds that it puts together, eqs 28 to 31, are in `proofs.paper.appendix_c_bounds`.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below, less, text
from proofs.checks import BASES, controlled, equality, exact, near_integers, refutes, search, short, termwise
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.letters import (
    ALPHA,
    ANY_BASE,
    ANY_HEAD,
    BASE,
    DIM,
    E_FAR,
    E_NEAR,
    FAR,
    FAR_POSITIVE,
    FAR_RANGE,
    LOG,
    MU,
    NEAR,
    NEAR_POSITIVE,
    NEAR_RANGE,
    NU,
    lemma_error,
    limit_bias,
)
from proofs.paper.appendix_c_bounds import EQ_31_REPAIRED, FAR_ONLY, SIZES, SPLIT, Q
from proofs.paper.theorem_2_2 import PRINTED_LOG, limit_gap
from proofs.statements import (
    TURN,
    Conclusion,
    Cosines,
    Sines,
    Statement,
    Variable,
    relation,
    tex,
)

HALF, PAIR = sp.Rational(1, 2), sp.Symbol("d", integer=True, nonnegative=True)


def mean_wave(wave: type) -> sp.Expr:
    """(1/D) sum_d of cos or sin of 2 pi lambda theta_0^(2d/D)."""
    angle = 2 * sp.pi * NEAR * BASE ** (-2 * PAIR / DIM)
    return sp.Sum(wave(angle), (PAIR, 0, DIM / 2 - 1)) / DIM


EQ_24 = Statement(
    (ANY_HEAD, ANY_BASE, Variable(NEAR)),
    (
        Conclusion(relation(Cosines(DIM, BASE, NEAR, TURN), "==", mean_wave(sp.cos))),
        Conclusion(relation(Sines(DIM, BASE, NEAR, TURN), "==", mean_wave(sp.sin))),
        Conclusion(relation(sp.Abs(Cosines(DIM, BASE, NEAR, TURN)), "<=", HALF)),
        Conclusion(relation(sp.Abs(Sines(DIM, BASE, NEAR, TURN)), "<=", HALF)),
    ),
    words=r"with $b = 1/\theta_0$, ",
)


@claim(
    "eq-24",
    where="App. C, eq 24",
    kind="definition",
    says=EQ_24,
    outline="D/2 terms over D: both lie in [-1/2, 1/2], and Gamma = mu_0 C_D + nu_0 S_D in [-r/2, r/2].",
)
def eq_24(statement: Statement) -> Iterator[Evidence]:
    for index, wave in ((1, sp.cos), (2, sp.sin)):
        mean = statement.target(index)
        (terms,) = mean.atoms(sp.Sum)
        count = sp.simplify(sp.Sum(sp.Integer(1), *terms.limits).doit())
        yield equality(
            "as many terms of size 1, over D", count * mean.coeff(terms), statement.target(index + 2)
        )
        yield exact("each of them a cosine or a sine", terms.function.func == wave, terms.function.func, wave)


@attack(
    "eq-24", domain="D = 2, 4, 256, distances of both signs: |C_D|, |S_D| <= 1/2 and the slower Gamma bound"
)
def eq_24_attack() -> Iterator[Evidence]:
    cases = []
    for head_dim in (2, 4, 256):
        sums = RopeSums.of(head_dim, base=10_000)
        for lam in (0, 1, -1, "1/8", "1/2", 12345):
            x, y = sums.cos(lam), sums.sin(lam)
            room = ball("1/4") - x * x - y * y
            for way in (1, -1) if head_dim == 2 else (1,):  # one pair is as long at every distance: no room
                cases.append((f"D={head_dim}, {lam}", way * room + ball("1e-30")))
    yield search("1/4 - C_D^2 - S_D^2", cases, control="1.01e-30")
    yield from EQ_24.attack()


def threshold(exponent: int, target: int = 16) -> Evidence:
    """L > exponent (|mu|+|nu|)/|mu| implies 4(|mu|+|nu|)/L < |mu|/target, i.e. 4/exponent <= 1/target."""
    share = sp.Rational(4, exponent)
    return exact(
        f"4(|mu|+|nu|)/L at L = {exponent}(|mu|+|nu|)/|mu|, over |mu|",
        share <= sp.Rational(1, target),
        share,
        f"<= 1/{target}",
    )


BOTH_SIZES = sp.Abs(MU) + sp.Abs(NU)
ANY_NONZERO = Variable(MU, low=sp.Integer(0), signed=True)
EQ_32 = Statement(
    (ANY_NONZERO, Variable(NU), Variable(BASE, low=sp.exp(PRINTED_LOG))),
    (Conclusion(relation(4 * BOTH_SIZES / LOG, "<", sp.Abs(MU) / 16)),),
    meaning={LOG: sp.log(BASE)},
    words=r"where $b = 1/\theta_0$, ",
)


@claim(
    "eq-32",
    where="App. C, eq 32",
    kind="step",
    says=EQ_32,
    outline="Decreasing in L, equality at the threshold. The base this asks for is above e^64 = 6.2e27 "
    "whatever nu_0.",
)
def eq_32(statement: Statement) -> Iterator[Evidence]:
    left = statement.conclusions[0].says.lhs
    edge = sp.log(statement.range_of(BASE).low)
    yield equality(
        "the left side at the threshold", left.subs(LOG, edge).subs(SIZES), statement.target().subs(SIZES)
    )
    slope = sp.diff(left.subs(SIZES), LOG)
    yield exact("and it falls with L", bool(slope.is_negative), slope, "< 0")
    yield threshold(64)


@attack("eq-32", domain="the threshold itself, one less: 63")
def eq_32_attack() -> Iterator[Evidence]:
    yield refutes(threshold(63))
    yield from EQ_32.attack()


LEAST = 128 * sp.pi * (1 + sp.Abs(NU) / sp.Abs(MU)) * (NEAR_POSITIVE + FAR_POSITIVE)
ERROR_SUM = 2 * BOTH_SIZES * (E_NEAR + E_FAR)
NO_POWER = sp.Integer(0)
AT_NO_POWER = rf"at ${tex(relation(ALPHA, '==', NO_POWER))}$"
AT_ZERO = {E_NEAR: lemma_error(NEAR_POSITIVE, NO_POWER), E_FAR: lemma_error(FAR_POSITIVE, NO_POWER)}
EQ_33 = Statement(
    (
        ANY_NONZERO,
        Variable(NU),
        ANY_BASE,
        Variable(NEAR_POSITIVE, low=sp.Integer(1), cut=True),
        FAR_ONLY,
        Variable(DIM, low=LEAST, even=True),
    ),
    (Conclusion(relation(ERROR_SUM, "<", sp.Abs(MU) / 16)),),
    meaning=AT_ZERO,
    words=rf"for given $\lambda$, $\Lambda$ some $D$, and all larger ones, e.g. {AT_NO_POWER}; explicitly, ",
)


@claim(
    "eq-33",
    where="App. C, eq 33",
    kind="step",
    says=EQ_33,
    uses=("thm-2.2.riemann",),
    outline="alpha = 0: e = 4 pi lambda/D, so D > 128 pi (1+|rho|)(lambda + Lambda); Lemmas C.1, C.2 are "
    "stated for alpha > 0, thm-2.2.riemann admits 0. D must exceed Lambda, hence the base, and no D "
    "serves all Lambda: eq-33.uniform.",
)
def eq_33(statement: Statement) -> Iterator[Evidence]:
    left = statement.spelt(statement.conclusions[0].says.lhs).subs(SIZES)
    least = statement.range_of(DIM).low.subs(SIZES)
    yield equality("the left side at the least D", left.subs(DIM, least), statement.target().subs(SIZES))
    slope = sp.diff(left, DIM)
    yield exact("the left side falls with D", bool(slope.is_negative), slope, "< 0")


@attack("eq-33", domain="alpha = 1/65 and 1/64, where two e-terms alone are 1/16 however large D")
def eq_33_attack() -> Iterator[Evidence]:
    left = [(n, sp.Rational(1, 16) - 2 * sp.Rational(2, n)) for n in (65, 64)]
    found, wrong = (exact(f"1/16 - 2 (2 alpha), alpha = 1/{n}", x > 0, x, "> 0") for n, x in left)
    yield controlled(found, wrong)
    yield from EQ_33.attack()


LEAST_ERROR = sp.Symbol(r"\inf_{D,\alpha,\theta_{0}}e", positive=True)
EQ_33_UNIFORM = Statement(
    (ANY_NONZERO,),
    (Conclusion(relation(2 * sp.Abs(MU) * LEAST_ERROR, "<", EQ_33.target())),),
    meaning={LEAST_ERROR: sp.Integer(1)},
    words=r"one $D$ makes (33) hold for all $|\Lambda| > \theta_0^{-1}$ (which Theorem 2.2 needs if its $D$ is to be "
    r"free of $\Lambda$); so at $\Lambda$ in proportion to $D/\theta_0$, with the least $e(\Lambda)$ there: ",
)


@claim(
    "eq-33.uniform",
    where="App. C, eq 33",
    kind="step",
    says=EQ_33_UNIFORM,
    cites=("thm-2.2", "eq-33"),
    outline="At Lambda = D/(4 pi theta_0): e = a + theta_0^{a-1} >= 1 for a in [0, 1], and e > 1 for a > 1; "
    "(33) asks for less than 1/32.",
)
def eq_33_uniform(statement: Statement) -> Iterator[Evidence]:
    theta, a, dim = sp.symbols("theta0 a D", positive=True)
    error = a + 4 * sp.pi * (dim / (4 * sp.pi * theta)) * theta**a / dim
    least = sp.limit(sp.exp(a), a, 0)  # theta_0^{a-1} = exp((1-a)L) >= 1 for a <= 1; a itself beyond
    met = (
        equality("e at Lambda = D/(4 pi theta_0)", error, a + theta ** (a - 1)),
        equality("its lower bound over a >= 0", least, statement.meaning[LEAST_ERROR]),
    )
    yield from counterexample(met, statement.fails_at({MU: 1}))


LONGEST = sp.Symbol("Lambda_max", positive=True)
UP_TO = relation(FAR_POSITIVE, "<=", LONGEST)
EQ_33_BOUNDED = Statement(
    (
        ANY_NONZERO,
        Variable(NU),
        Variable(NEAR_POSITIVE, low=sp.Integer(1), cut=True),
        Variable(LONGEST, low=sp.Integer(1), cut=True),
        Variable(FAR_POSITIVE, low=sp.Integer(0)),
        Variable(DIM, low=LEAST.subs(FAR_POSITIVE, LONGEST), even=True),
    ),
    EQ_33.conclusions,
    given=(UP_TO,),
    meaning=AT_ZERO,
    words=rf"one $D$ serves all $\Lambda$ up to ${tex(LONGEST)}$, {AT_NO_POWER}: ",
)


@repair(
    "eq-33.uniform",
    says=EQ_33_BOUNDED,
    uses=("eq-33",),
    outline="At alpha = 0 the e-terms grow with Lambda, so the largest Lambda decides.",
)
def eq_33_bounded(statement: Statement) -> Iterator[Evidence]:
    error = statement.spelt(E_FAR)
    slope = sp.diff(error, FAR_POSITIVE)
    yield exact("e(Lambda) at alpha = 0 rises with Lambda", bool(slope.is_positive), slope, "> 0")
    (bound,) = statement.given
    left = statement.spelt(statement.conclusions[0].says.lhs).subs(SIZES).subs(bound.lhs, bound.rhs)
    least = statement.range_of(DIM).low.subs(SIZES)
    yield equality("the left side at the least D", left.subs(DIM, least), statement.target().subs(SIZES))
    slope = sp.diff(left, DIM)
    yield exact("the left side falls with D", bool(slope.is_negative), slope, "< 0")


@necessary("eq-33.uniform*", hypothesis=f"${tex(UP_TO)}$")
def eq_33_beyond() -> Iterator[Evidence]:
    sizes = {MU: 1, NU: 0, NEAR_POSITIVE: 2, LONGEST: 10, FAR_POSITIVE: 100, DIM: 4900}
    yield EQ_33_BOUNDED.without(UP_TO).fails_at(sizes)


attack("eq-33.uniform*", domain=EQ_33_BOUNDED.domain())(EQ_33_BOUNDED.attack)


@attack(
    "eq-33.uniform",
    domain="theta_0 = 1/4097, D = 10^6: e minimised over a on a grid at Lambda = D/(4 pi theta_0)",
)
def eq_33_uniform_attack() -> Iterator[Evidence]:
    theta = ball("1/4097")

    def least(times: int) -> Evidence:
        grid = (ball(i) / 100 + theta ** (ball(i) / 100 + times) for i in range(201))
        return below(f"least e on the grid, Lambda = D theta_0^{times}/(4 pi)", min(grid, key=float), "1/32")

    yield from counterexample([controlled(least(1), least(-1))], least(-1))


SCORE = sp.Symbol(r"\mathrm{sgn}(\mu_0)\Delta", real=True)
FIRST_LOSS, SECOND_LOSS = sp.symbols("A B", real=True)  # left sides of (32) and of (33)
EQ_34 = Statement(
    (ANY_NONZERO, Variable(SCORE), Variable(FIRST_LOSS), Variable(SECOND_LOSS)),
    (
        Conclusion(relation(SCORE, ">", sp.Abs(MU) / 8)),
        Conclusion(
            relation(
                sp.Add(sp.Abs(MU) / 4, -sp.Abs(MU) / 16, -sp.Abs(MU) / 16, evaluate=False),
                "==",
                sp.Abs(MU) / 8,
            )
        ),
    ),
    given=(
        relation(SCORE, ">", sp.Abs(MU) / 4 - FIRST_LOSS - SECOND_LOSS),
        relation(FIRST_LOSS, "<", sp.Abs(MU) / 16),
        relation(SECOND_LOSS, "<", sp.Abs(MU) / 16),
    ),
    words="(31) with the left sides $A$ of (32) and $B$ of (33): ",
)


@claim(
    "eq-34",
    where="App. C, eq 34",
    kind="step",
    says=EQ_34,
    uses=("eq-31*", "eq-32", "eq-33"),
    cites=("eq-31", "eq-32", "eq-33"),
    outline="(31) with (32) and (33).",
)
def eq_34(statement: Statement) -> Iterator[Evidence]:
    first, one, other = statement.given
    least = first.rhs.subs({one.lhs: one.rhs, other.lhs: other.rhs})
    yield equality("the bound of (31) where (32) and (33) are equations", least, statement.target(1))
    less, also = sp.symbols("s t", positive=True)
    smaller = {one.lhs: one.rhs - less, other.lhs: other.rhs - also}
    yield termwise("where A and B are less by s and t", first.rhs.subs(smaller) - statement.target(1))
    yield from statement.identities()


@attack("eq-34", domain="the printed remainder: is 1/8 all that is left, or more?")
def eq_34_attack() -> Iterator[Evidence]:
    left = sp.Rational(1, 4) - 2 * sp.Rational(1, 16)
    found, *others = (exact(f"1/4 - 2/16 is 1/{n}", left == sp.Rational(1, n), left, n) for n in (8, 7, 9))
    yield controlled(found, *others)
    yield from EQ_34.attack(number=200)


EQ_7 = Statement(
    (
        ANY_NONZERO,
        Variable(NU),
        Variable(BASE, low=sp.exp(64 * (1 + sp.Abs(NU) / sp.Abs(MU)))),
        NEAR_RANGE,
        FAR_RANGE,
    ),
    (
        Conclusion(
            relation(sp.sign(MU) * (limit_bias(NEAR, TURN) - limit_bias(FAR, TURN)), ">", sp.Abs(MU) / 8)
        ),
    ),
    words=r"(7), which names no threshold, read as what its printed proof gives, in the limit $D \to \infty$ and so "
    r"for $D$ beyond a bound that depends on $m$, $n$, $m'$, $n'$ (where $b = 1/\theta_0$): ",
)


@necessary("eq-7", hypothesis="Assumption 2.1")
def eq_7_of_one_pair() -> Iterator[Evidence]:
    near, far = sp.symbols("lambda Lambda", integer=True)
    gap, said = (sp.cos(TURN * near) - sp.cos(TURN * far)) / 2, EQ_7.target().subs(MU, 1)
    what = "E A_0 = D/2, E A_d = 0 for d > 0, all E B_d = 0, so of mean 1 and 0; integers lambda, Lambda: gap"
    yield exact(what, bool(gap > said), gap, f"> {said}")


@claim(
    "eq-7",
    where="Sec. 2.2, eq 7",
    kind="equation",
    says=EQ_7,
    assumes=("Assumption 2.1",),
    uses=("eq-18*", "eq-30*", "eq-31*", "eq-34"),
    outline="(34) for both signs of the distances: C_D is even, S_D odd, and (30) is two-sided, so that (31) is the "
    "same. The threshold can be exp(1.03 + 3.66|rho|): thm-2.2*.",
)
def eq_7(statement: Statement) -> Iterator[Evidence]:
    x, y = sp.symbols("x y", real=True)
    yield equality("cos is even", sp.cos(-x), sp.cos(x))
    yield equality("sin is odd", sp.sin(-y), -sp.sin(y))
    for wave in SPLIT.atoms(Sines):
        yield equality("the bound of (31) where a distance is negative", SPLIT.subs(wave, -wave), SPLIT)
    low, other = (sp.log(one.range_of(BASE).low) for one in (EQ_32, statement))
    yield equality("its threshold is that of (32)", sp.expand(other.subs(SIZES)), sp.expand(low.subs(SIZES)))
    least = sp.exp(other.subs(SIZES).subs(Q, 0))
    yield exact("its bases are those of (31)", bool(least > EQ_31_REPAIRED.range_of(BASE).low), least, "> 10")
    yield equality("its right side is that of (34)", statement.target(), EQ_34.target(1))
    ranges = statement.variables[3:]
    yield exact("its ranges are those of theorem 2.2", ranges == (NEAR_RANGE, FAR_RANGE), "", "")


@attack(
    "eq-7",
    domain="base e^64, e^128, near end and lambda = -3/2, far 1+ and 7/4 times b, nu_0/mu_0 = 0, 1, -1; D -> infinity",
)
def eq_7_attack() -> Iterator[Evidence]:
    cases = []
    for ratio in (0, 1, -1):
        base = (ball(64) * (1 + abs(ratio))).exp().mid()
        for near in (ball("-3/2"), (base ** (ball(1) / 4) / 8).mid() * ball("999/1000")):
            for far in ("1.0001", "-7/4"):
                gap = limit_gap(base, near, base * ball(far), ratio)
                cases.append((f"nu/mu {ratio}, near {text(near, 5)}, far {far} b", gap - ball("1/8")))
    yield search("limit gap less 1/8", cases, control="0.2423")
    yield from EQ_7.attack()


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
