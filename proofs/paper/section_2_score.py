"""Section 2.1: RoPE's score and its expectation, eqs 2 to 5, the notation and Assumption 2.1.

The pair-by-pair identity is all there is to prove; what fails as printed is the notation at d = 0 and the angle.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import sympy as sp
from flint import acb, arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import BASES, HEAD_DIMS, controlled, equality, exact, search, short
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.letters import ANY_HEAD, BASE, DIM
from proofs.statements import Conclusion, Statement, Variable, relation, tex

Q0, Q1, K0, K1, X, Y = sp.symbols("q0 q1 k0 k1 x y", real=True)
MU, NU, SIGMA = sp.symbols("mu nu sigma", real=True)
QUERY_PAIR, KEY_PAIR = Q0 + sp.I * Q1, K0 + sp.I * K1  # one pair of each as a complex number
A = Q0 * K0 + Q1 * K1  # eq 4
B = Q0 * K1 - Q1 * K0


def pair_expansion(a: sp.Expr, b: sp.Expr, left: sp.Expr = X, right: sp.Expr = X) -> Evidence:
    """Re[q conj(k) e^{i left}] against a cos(right) + b sin(right), for one pair and every q, k, angle."""
    score = sp.re(sp.expand(QUERY_PAIR * sp.conjugate(KEY_PAIR) * (sp.cos(left) + sp.I * sp.sin(left))))
    return equality("Re[q k* e^{ix}] = A cos x + B sin x", score, a * sp.cos(right) + b * sp.sin(right))


def relative(rotate_key: int = 1) -> Evidence:
    """q turned by x, k by y (by -y at `rotate_key=-1`): Re[(q e^{ix}) conj(k e^{iy})] depends on x - y alone."""

    def turn(real: sp.Expr, imaginary: sp.Expr, angle: sp.Expr) -> sp.Expr:
        return (real + sp.I * imaginary) * (sp.cos(angle) + sp.I * sp.sin(angle))

    rotated = sp.re(sp.expand(turn(Q0, Q1, X) * sp.conjugate(turn(K0, K1, rotate_key * Y))))
    return equality(
        "Re[(q e^{ix})(k e^{iy})*] = A cos(x-y) + B sin(x-y)", rotated, A * sp.cos(X - Y) + B * sp.sin(X - Y)
    )


THETA = sp.Symbol("theta_0", positive=True)
PAIR = sp.Symbol("d", integer=True, nonnegative=True)
LAST_PAIR = DIM / 2 - 1
PRINTED_BASE = 1 / THETA
NOTATION_2_1 = Statement(
    (
        ANY_HEAD,
        Variable(THETA, low=sp.Integer(0), high=sp.Integer(1)),
        Variable(PAIR, among=(sp.Integer(0),)),
    ),
    (Conclusion(relation(THETA ** (2 * PAIR / DIM), "==", THETA)),),
    words=rf"${sp.latex(PRINTED_BASE, fold_short_frac=True)}$ is the base and $\theta_d = \theta_0^{{2d/D}}$, so that "
    r"the two uses of $\theta_0$ agree: ",
)


@claim(
    "not-2.1",
    where="Sec. 2.1",
    kind="definition",
    says=NOTATION_2_1,
)
def notation(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({DIM: 2, THETA: sp.Rational(1, 4), PAIR: 0})


FREQUENCY = BASE ** (-2 * PAIR / DIM)
NOTATION_REPAIRED = Statement(
    (
        ANY_HEAD,
        Variable(BASE, low=sp.Integer(1), cut=True),
        Variable(PAIR, low=sp.Integer(0), high=LAST_PAIR, integer=True, closed=True),
    ),
    (
        Conclusion(relation(FREQUENCY, "==", 1), when=(relation(PAIR, "==", 0),)),
        Conclusion(
            relation(FREQUENCY, "==", BASE ** (2 / DIM) / BASE), when=(relation(PAIR, "==", LAST_PAIR),)
        ),
        Conclusion(relation(FREQUENCY, ">", 1 / BASE)),
    ),
    words=r"$\theta_d = b^{-2d/D}$: ",
)


@repair(
    "not-2.1",
    says=NOTATION_REPAIRED,
    outline="With the name theta_0 kept for 1/b alone, theta_d runs from 1 down to b^{-(1-2/D)}, never to 1/b.",
)
def notation_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    least = sp.simplify(sp.log(FREQUENCY.subs(PAIR, LAST_PAIR) / statement.target(3)) / sp.log(BASE))
    yield exact("the exponent of the last frequency over 1/b", least.is_positive, least, "> 0")
    kept, own = NOTATION_2_1.conclusions[0].says.lhs, FREQUENCY.subs(BASE, PRINTED_BASE)
    yield equality("theta_d of the base that is printed, theta_0 kept for 1/b", own, kept)


attack("not-2.1*", domain=NOTATION_REPAIRED.domain())(NOTATION_REPAIRED.attack)


@attack("not-2.1", domain="D = 2 to 256: is there a base at which the two uses of theta_0 agree?")
def notation_attack() -> Iterator[Evidence]:
    (conclusion,) = NOTATION_2_1.conclusions
    left, right = (side.subs(PAIR, 0).subs(THETA, sp.Symbol("t", real=True)) for side in conclusion.sides)
    both = sp.solveset(sp.Eq(left, right), sp.Symbol("t", real=True), sp.Interval.open(0, 1))
    yield exact("theta_0 in (0, 1) at which they agree, at pair 0", not both.is_empty, both, "some")


QUERY_AT, KEY_AT, SPEED = sp.symbols("m n theta_d", real=True)
PHASE = sp.exp(sp.I * (QUERY_AT - KEY_AT) * SPEED)
EQ_2 = Statement(
    tuple(Variable(symbol) for symbol in (Q0, Q1, K0, K1, QUERY_AT, KEY_AT, SPEED)),
    (
        Conclusion(
            relation(
                sp.re(
                    sp.Mul(
                        QUERY_PAIR * sp.exp(sp.I * QUERY_AT * SPEED),
                        sp.conjugate(KEY_PAIR) * sp.exp(-sp.I * KEY_AT * SPEED),
                        evaluate=False,
                    ),
                    evaluate=False,
                ),
                "==",
                sp.re(QUERY_PAIR * sp.conjugate(KEY_PAIR) * PHASE, evaluate=False),
            )
        ),
    ),
    words=rf"$\mathrm{{Attn}} = \mathrm{{Re}}[\sum_d q^C_d (k^C_d)^{{\ast}} {tex(PHASE)}]/\sqrt D$; "
    rf"of one pair, $q = {tex(QUERY_PAIR)}$, $k = {tex(KEY_PAIR)}$, that is $q$ turned by $m\theta_d$ with $k$ turned "
    r"by $n\theta_d$: ",
)


@claim(
    "eq-2",
    where="Sec. 2.1, eq 2",
    kind="definition",
    says=EQ_2,
    outline="Consistent with turning q by m theta_d and k by n theta_d: their product sees m - n alone.",
)
def eq_2(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    yield relative()


@attack("eq-2", domain="random q, k and positions at D = 2..16: is the score a function of m - n?")
def eq_2_attack() -> Iterator[Evidence]:
    apart = search("shifts one apart", _shift_cases(1001))
    yield controlled(search("score unchanged by a common shift", _shift_cases(1000)), apart)
    yield from EQ_2.attack()


def _vectors(head_dim: int, salt: int) -> list[tuple[Fraction, Fraction]]:
    """Deterministic rational pairs without structure, both signs."""
    values = [Fraction(((7 * i * i + 13 * i + salt * 29) % 41) - 20, 7) for i in range(head_dim)]
    return list(zip(values[::2], values[1::2], strict=True))


def _rotated_score(head_dim: int, m: int, n: int) -> arb:
    """The score from q and k each turned by its own position (radians), summed over the pairs, times sqrt(D)."""
    total = acb(0)
    for d, (q, k) in enumerate(zip(_vectors(head_dim, 1), _vectors(head_dim, 2), strict=True)):
        angle = ball("1e4") ** (ball(-2 * d) / head_dim)
        query = acb(ball(q[0]), ball(q[1])) * acb(0, m * angle).exp()
        key = acb(ball(k[0]), ball(k[1])) * acb(0, n * angle).exp()
        total += query * key.conjugate()
    return total.real


def _shift_cases(by: int) -> Iterator[tuple[str, arb]]:
    """Keys are shifted by 1000."""
    for head_dim in (2, 4, 16):
        for m, n in ((1, 0), (5, 900), (123456, 7)):
            gap = _rotated_score(head_dim, m, n) - _rotated_score(head_dim, m + by, n + 1000)
            yield f"D={head_dim}, m={m}, n={n}", ball("1e-20") - abs(gap)


TURNED = sp.exp(sp.I * X)


def pair_score(phase: sp.Expr) -> sp.Expr:
    """Re[q k* phase] of one pair, in real numbers."""
    spelt = phase.rewrite(sp.cos) if isinstance(phase, sp.exp) else phase
    return sp.re(sp.expand(QUERY_PAIR * sp.conjugate(KEY_PAIR) * spelt))


PAIRS_REAL = tuple(Variable(symbol) for symbol in (Q0, Q1, K0, K1, X))
A_D, B_D = sp.symbols("A_d B_d", real=True)
PRODUCTS = {A_D: A, B_D: B}


def expanded(unit: sp.Expr) -> sp.Expr:
    """A_d cos + B_d sin, the angle in the given unit."""
    return A_D * sp.cos(unit * X) + B_D * sp.sin(unit * X)


EQ_3 = Statement(
    PAIRS_REAL,
    (Conclusion(relation(pair_score(TURNED), "==", expanded(2 * sp.pi))),),
    meaning=PRODUCTS,
    words=r"expanding (2): $\mathrm{Attn} = (1/\sqrt D) \sum_d (A_d \cos 2\pi(m-n)\theta_d + B_d \sin "
    rf"2\pi(m-n)\theta_d)$, of which one pair, $q = {tex(QUERY_PAIR)}$, $k = {tex(KEY_PAIR)}$, $x = (m-n)\theta_d$, is "
    r"$\mathrm{Re}[qk^{\ast}e^{ix}]$: ",
)


@claim(
    "eq-3",
    where="Sec. 2.1, eq 3",
    kind="equation",
    says=EQ_3,
    cites=("eq-2",),
    outline="(2) turns by (m-n) theta_d radians, (3) by (m-n) theta_d turns. D = 2, q = k = (1, 0), m - n = 1.",
)
def eq_3(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({Q0: 1, Q1: 0, K0: 1, K1: 0, X: 1})


EQ_3_REPAIRED = Statement(
    PAIRS_REAL,
    (
        Conclusion(relation(pair_score(sp.exp(2 * sp.pi * sp.I * X)), "==", expanded(2 * sp.pi))),
        Conclusion(relation(pair_score(TURNED), "==", expanded(sp.Integer(1)))),
    ),
    meaning=PRODUCTS,
    words=r"with $e^{2\pi i(m-n)\theta_d}$ in (2), or without $2\pi$ in (3), equal pair by pair and so for all $D$, "
    r"with $x = (m-n)\theta_d$: ",
)


@repair(
    "eq-3",
    says=EQ_3_REPAIRED,
    cites=("eq-2",),
    outline="One identity per pair; the sum over d is linear.",
)
def eq_3_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    yield pair_expansion(A, B)


@attack("eq-3", domain="for which distances do (2) and (3) agree? d = 0 alone, integer m - n from 1 to 1000")
def eq_3_attack() -> Iterator[Evidence]:
    (said,), tokens = EQ_3.conclusions, {Q0: Fraction(1), Q1: Fraction(0), K0: Fraction(1), K1: Fraction(0)}
    apart = (
        (f"m - n = {lam}", -said.margin({**tokens, X: Fraction(lam)}, EQ_3.meaning)) for lam in range(1, 1001)
    )
    yield search("(2) and (3) differ, q = k = (1, 0)", apart, control="1.82e-9")
    yield EQ_3.fails_at({**tokens, X: 710})  # the nearest of them


@attack("eq-3*", domain="D = 2, 4, 16, unstructured rational q and k, distances of both signs")
def eq_3_repaired_attack() -> Iterator[Evidence]:
    wrong = search("against A cos - B sin", _expanded_cases(-1))
    yield controlled(search("complex product against A cos + B sin", _expanded_cases(1)), wrong)
    yield from EQ_3_REPAIRED.attack()


def _expanded_cases(sign: int) -> Iterator[tuple[str, arb]]:
    """`sign`: that of the sines."""
    for head_dim in (2, 4, 16):
        for lam in (0, 1, -1, 1000, -54321):
            total = arb(0)
            for d, (q, k) in enumerate(zip(_vectors(head_dim, 1), _vectors(head_dim, 2), strict=True)):
                angle = lam * ball("1e4") ** (ball(-2 * d) / head_dim)
                total += (
                    ball(q[0] * k[0] + q[1] * k[1]) * angle.cos()
                    + sign * ball(q[0] * k[1] - q[1] * k[0]) * angle.sin()
                )
            yield (
                f"D={head_dim}, distance {lam}",
                ball("1e-20") - abs(total - _rotated_score(head_dim, lam, 0)),
            )


D_PAIR = sp.Symbol("d")
PLACES = 2 * D_PAIR, 2 * D_PAIR + 1  # of a pair's two coordinates
COORDINATES = ", ".join(
    f"${tex(one)} = q_{{{tex(place).replace(' ', '')}}}$" for one, place in zip((Q0, Q1), PLACES, strict=True)
)
EQ_4 = Statement(
    PAIRS_REAL[:4],
    (
        Conclusion(relation(sp.re(QUERY_PAIR * sp.conjugate(KEY_PAIR)), "==", A_D)),
        Conclusion(relation(sp.im(QUERY_PAIR * sp.conjugate(KEY_PAIR)), "==", -B_D)),
    ),
    meaning=PRODUCTS,
    words=rf"the real and the imaginary part of $q^C_d (k^C_d)^*$ are $A_d$ and $-B_d$, $q^C_d = {tex(QUERY_PAIR)}$, "
    rf"$k^C_d = {tex(KEY_PAIR)}$, where {COORDINATES} and the same of $k$: ",
)


@claim(
    "eq-4",
    where="Sec. 2.1, eq 4",
    kind="definition",
    says=EQ_4,
    outline="These are the real part and minus the imaginary part of q^C (k^C)^*, the coefficients that (3) needs.",
)
def eq_4(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    yield pair_expansion(statement.meaning[A_D], statement.meaning[B_D])
    yield equality(
        "(2) and (3) name the same A_d and B_d", statement.meaning[A_D] - statement.meaning[B_D], A - B
    )
    in_order = *PLACES, PLACES[0].subs(D_PAIR, D_PAIR + 1)
    steps = [sp.expand(after - before) for before, after in pairwise(in_order)]
    yield exact(
        "pairs adjoin, from coordinate 0 on",
        steps == [1, 1] and PLACES[0].subs(D_PAIR, 0) == 0,
        steps,
        [1, 1],
    )


@attack("eq-4", domain="both signs of B_d in the expansion: only one may fit")
def eq_4_attack() -> Iterator[Evidence]:
    yield controlled(pair_expansion(A, B), pair_expansion(A, -B), pair_expansion(-A, B))
    yield from EQ_4.attack()


def deterministic_tokens(mu: sp.Expr, nu: sp.Expr) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
    """One pair (q, k) of fixed tokens with A = mu != 0, B = nu and both products q_d k_d equal to mu/2."""
    half = mu / 2
    t = (nu / half + sp.sqrt((nu / half) ** 2 + 4)) / 2  # t - 1/t = nu/half
    return (t, sp.Integer(1)), (half / t, half)


def realises(q: tuple[sp.Expr, ...], k: tuple[sp.Expr, ...], mu: sp.Expr, nu: sp.Expr) -> Iterator[Evidence]:
    """Evidence that fixed tokens meet (5): A = mu, B = nu, and equal squares of the two products."""
    yield equality("E A_d = mu_0", q[0] * k[0] + q[1] * k[1], mu)
    yield equality("E B_d = nu_0", sp.radsimp(sp.simplify(q[0] * k[1] - q[1] * k[0])), nu)
    yield equality("E (q_{2d} k_{2d})^2 = E (q_{2d+1} k_{2d+1})^2", (q[0] * k[0]) ** 2, (q[1] * k[1]) ** 2)


MU_0, NU_0 = sp.Symbol("mu_0", real=True, nonzero=True), sp.Symbol("nu_0", real=True)
SIGMA_0, ROOT = sp.symbols("sigma_0 t", positive=True)
MEAN_A, MEAN_B = sp.symbols(r"\mathrm{E}A_{d} \mathrm{E}B_{d}", real=True)
TOKENS = sp.symbols("q_{2d} q_{2d+1} k_{2d} k_{2d+1}", real=True)
FIRST_SQUARE, SECOND_SQUARE = sp.symbols(
    r"\mathrm{E}|q_{2d}k_{2d}|^2 \mathrm{E}|q_{2d+1}k_{2d+1}|^2", nonnegative=True
)


def fixed_means() -> dict[sp.Symbol, sp.Expr]:
    """The tokens of `deterministic_tokens`, and what the assumption speaks of at these."""
    q, k = deterministic_tokens(MU_0, NU_0)
    first, second, key, other = TOKENS
    (root, one), (_, half) = q, k
    return {
        SIGMA_0: sp.Abs(MU_0) / 2,
        ROOT: root,
        **dict(zip(TOKENS, (ROOT, one, half / ROOT, half), strict=True)),
        MEAN_A: first * key + second * other,
        MEAN_B: first * other - second * key,
        FIRST_SQUARE: (first * key) ** 2,
        SECOND_SQUARE: (second * other) ** 2,
    }


ASSUMED = (
    Conclusion(relation(MEAN_A, "==", MU_0)),
    Conclusion(relation(MEAN_B, "==", NU_0)),
    Conclusion(relation(FIRST_SQUARE, "==", SIGMA_0**2)),
    Conclusion(relation(SECOND_SQUARE, "==", SIGMA_0**2)),
)
ASSUMPTION = Statement(
    (Variable(MU_0, low=sp.Integer(0), signed=True), Variable(NU_0)),
    ASSUMED,
    meaning=fixed_means(),
    words=f"{', '.join(f'${tex(one.says)}$' for one in ASSUMED)} for all $m$, $n$, $d$; it can be met, "
    "without randomness too: ",
)


@claim(
    "asm-2.1",
    where="Sec. 2.2, Assumption 2.1",
    kind="assumption",
    says=ASSUMPTION,
    outline="Satisfiable for every (mu_0, nu_0), even by tokens without randomness: mu_0 != 0 by (t, 1), (s/t, s) with "
    "s = mu_0/2 and t - 1/t = nu_0/s; mu_0 = 0 by (1, 0), (0, nu_0). So every (mu_0, nu_0) may be used in a "
    "counterexample, and theorems 2.1 to 2.3 speak of mu_0 C_D + nu_0 S_D and of nothing else.",
)
def asm_2_1(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    yield from realises(*deterministic_tokens(MU_0, NU_0), MU_0, NU_0)
    yield from realises((sp.Integer(1), sp.Integer(0)), (sp.Integer(0), NU), sp.Integer(0), NU)


@attack("asm-2.1", domain="which (mu_0, nu_0) cannot occur? exact tokens at both signs and at zeros")
def assumption_attack() -> Iterator[Evidence]:
    for mu, nu in ((1, 0), (-1, 5), (3, -100)):
        means = sp.Integer(mu), sp.Integer(nu)
        q, k = deterministic_tokens(*means)
        doubled = realises((2 * q[0], q[1]), k, *means)
        yield from map(controlled, realises(q, k, *means), doubled)


@practice("asm-2.1")
def assumption_practice() -> Iterator[dict[str, object]]:
    yield {
        "tokens": "q, k independent with zero mean (random initial weights)",
        "mu_0": 0,
        "nu_0": 0,
        "consequence": "theorems 2.1 to 2.3 speak of the constant 0",
    }
    yield {
        "tokens": "trained heads",
        "mu_0": "differs between the pairs of a head",
        "nu_0": "differs between the pairs of a head",
        "consequence": "the assumption is not met; see the measured heads",
    }


MIXED = sp.Symbol("p", real=True)
ANY_MU = sp.Symbol("mu_0", real=True)
WITHIN = relation(sp.Abs(ANY_MU), "<=", 2 * SIGMA_0)
EQ_5 = Statement(
    (Variable(SIGMA_0, low=sp.Integer(0)), Variable(ANY_MU), Variable(X), Variable(Y)),
    (
        Conclusion(relation(MIXED, ">=", 0)),
        Conclusion(relation(MIXED, "<=", 1)),
        Conclusion(relation(MIXED * 2 * SIGMA_0 - (1 - MIXED) * 2 * SIGMA_0, "==", ANY_MU)),
        Conclusion(relation(MIXED * SIGMA_0**2 + (1 - MIXED) * (-SIGMA_0) ** 2, "==", SIGMA_0**2)),
        Conclusion(relation((X + Y) ** 2, "<=", 2 * X**2 + 2 * Y**2)),
    ),
    given=(WITHIN,),
    meaning={MIXED: (1 + ANY_MU / (2 * SIGMA_0)) / 2},
    words=rf"some $\mu_0$, $\nu_0$, $\sigma_0$ meet (5): exactly those with ${tex(WITHIN)}$, $\sigma_0 \ge 0$, "
    r"$\nu_0$ free; tokens with $A_d = 2\sigma_0$ of the share $p$, and with $-2\sigma_0$ else, have these means; no "
    r"others can, as the products $x$, $y$ with $A_d = x + y$ have $\mathrm{E}x^2 = \mathrm{E}y^2 = \sigma_0^2$: ",
)


@claim(
    "eq-5",
    where="Sec. 2.2, eq 5",
    kind="equation",
    says=EQ_5,
    uses=("asm-2.1",),
    outline="Jensen: (E A_d)^2 <= E A_d^2 <= 2 E (q_{2d}k_{2d})^2 + 2 E (q_{2d+1}k_{2d+1})^2 = 4 sigma_0^2. Conversely "
    "mix the fixed tokens of (2 sigma_0, nu_0) and (-2 sigma_0, nu_0) with weights p, 1-p; sigma_0 = 0 by (1, 0), "
    "(0, nu_0). sigma_0 does not bound nu_0: B_d multiplies coordinates that (5) does not.",
)
def eq_5(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    (given,), share = statement.given, statement.meaning[MIXED]
    least, greatest = (share.subs(ANY_MU, end) for end in (-given.rhs, given.rhs))
    yield equality("p at the least mu_0", least, statement.target(1))
    yield equality("p at the greatest", greatest, statement.target(2))
    yield equality("p is linear in mu_0", sp.diff(share, ANY_MU, 2), sp.Integer(0))
    bound = statement.target(5)
    yield equality("2x^2 + 2y^2 less (x + y)^2", bound - (X + Y) ** 2, (X - Y) ** 2)
    yield equality(
        "its mean is the square of the greatest mu_0", bound.subs({X: SIGMA_0, Y: SIGMA_0}), given.rhs**2
    )


@necessary("eq-5", hypothesis=f"${tex(WITHIN)}$")
def eq_5_beyond() -> Iterator[Evidence]:
    yield EQ_5.without(WITHIN).fails_at({SIGMA_0: 1, ANY_MU: 3, X: 0, Y: 0}, 2)


@attack(
    "eq-5",
    domain="products (x, y) or (y, x) with weight 1/2 each, x and y on a grid in [-2, 2]: |mu_0| <= 2 sigma_0?",
)
def eq_5_attack() -> Iterator[Evidence]:
    grid = [Fraction(i, 4) for i in range(-8, 9)]
    cases = (
        (f"x = {x}, y = {y}", ball((2 * (x * x + y * y) - (x + y) ** 2) / (x * x + y * y)))
        for x in grid
        for y in grid
        if x or y
    )
    yield search("(4 sigma_0^2 - mu_0^2)/(2 sigma_0^2)", cases, strict=False, control="1e-9")
    yield from EQ_5.attack()


@practice("eq-2")
def angle_practice() -> Iterator[dict[str, object]]:
    """Rows: the slowest pair's period in tokens, in turns and as deployed."""
    for base in BASES:
        for head_dim in HEAD_DIMS:
            slowest = ball(base) ** (1 - ball(2) / head_dim)
            yield {
                "base": base,
                "head_dim": head_dim,
                "longest period, turns": short(slowest),
                "longest period, radians": short(2 * arb.pi() * slowest),
            }
