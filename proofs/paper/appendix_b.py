"""Appendix B: the printed proof of Theorem 2.1, eqs 21 to 23.

The expected score is one shifted sine per pair, and the angles are steered to one value; where they go at all is
Kronecker's theorem. What the theorem itself is
worth, and for which bases its hypothesis holds, is in `proofs.paper.theorem_2_1`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import lcm

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below, text
from proofs.checks import controlled, equality, exact, instance, refutes, search, tried
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, repair
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation, tex

MU, NU, GAMMA, ANGLE = sp.symbols("mu_0 nu_0 gamma x", real=True)
RADIUS = sp.sqrt(MU**2 + NU**2)
CIRCLE = sp.Integer(1)  # length of the circle of angles in turns: they are taken mod it
GOLDEN = (sp.sqrt(5) - 1) / 2  # theta_1 at D = 6, theta_0 = sqrt(5) - 2
Phase = Callable[[sp.Expr, sp.Expr], sp.Expr]


def printed_phase(mu: sp.Expr, nu: sp.Expr) -> sp.Expr:
    return sp.atan(mu / nu)


def phase_identity(phase: Phase, mu: sp.Expr, nu: sp.Expr) -> Evidence:
    """mu cos x + nu sin x = r sin(x + phase) for all x, which is r sin(phase) = mu and r cos(phase) = nu."""
    radius, phi = sp.sqrt(mu**2 + nu**2), phase(mu, nu)
    if phi.is_real is not True:  # arctan(mu/0)
        return exact(f"phi at (mu, nu) = ({mu}, {nu})", phi.is_real is True, phi, "a real number")
    found = sp.simplify(radius * sp.sin(phi)), sp.simplify(radius * sp.cos(phi))
    holds = all(sp.simplify(got - want) == 0 for got, want in zip(found, (mu, nu), strict=True))
    return exact(f"(r sin phi, r cos phi) at (mu, nu) = ({mu}, {nu})", holds, found, (mu, nu))


PHI, BETA = sp.symbols("phi beta", real=True)
LENGTH = sp.Symbol("r", positive=True)
ONE_PAIR = MU * sp.cos(ANGLE) + NU * sp.sin(ANGLE)
SHIFTED = LENGTH * sp.sin(ANGLE + PHI)
WHOLE_SUM = (
    r"$(2/\sqrt D) \mathrm{E} \mathrm{Attn} = (2/D)\sum_d(\mu_0\cos + \nu_0\sin)(2\pi\lambda\theta_d) = "
    r"(2r/D)\sum_d\sin(2\pi\lambda\theta_d+\phi)$, pair by pair with $x = 2\pi\lambda\theta_d$: "
)
MEANS_AND_ANGLE = tuple(Variable(symbol) for symbol in (MU, NU, ANGLE))
EQ_21 = Statement(
    MEANS_AND_ANGLE,
    (Conclusion(relation(ONE_PAIR, "==", SHIFTED)),),
    meaning={PHI: sp.atan(MU / NU), LENGTH: RADIUS},
    words=WHOLE_SUM,
)
EQ_21_REPAIRED = Statement(
    MEANS_AND_ANGLE,
    EQ_21.conclusions,
    given=(relation(MU**2 + NU**2, ">", 0),),
    meaning={PHI: sp.atan2(MU, NU), LENGTH: RADIUS},
    words=r"with $\phi$ the angle of $\nu_0 + i\mu_0$: " + WHOLE_SUM,
)


@claim(
    "eq-21",
    where="App. B, eq 21",
    kind="equation",
    says=EQ_21,
    outline="arctan has a positive cosine, so the sign is wrong for nu_0 < 0 and phi is undefined at nu_0 = 0.",
)
def eq_21(statement: Statement) -> Iterator[Evidence]:
    right = phase_identity(printed_phase, sp.Integer(1), sp.Integer(1))  # for nu_0 > 0
    yield from counterexample([right], statement.fails_at({MU: 1, NU: -1, ANGLE: 0}))
    for nu in (-1, 0):
        yield instance(phase_identity(printed_phase, sp.Integer(1), sp.Integer(nu)))


@repair(
    "eq-21",
    says=EQ_21_REPAIRED,
    uses=("eq-3*",),
    outline=(
        "r sin(x + phi) = sin x (r cos phi) + cos x (r sin phi), pair by pair; the printed phi is right for nu_0 > "
        "0."
    ),
)
def eq_21_repaired(statement: Statement) -> Iterator[Evidence]:
    phi = statement.meaning[PHI]
    yield equality("r sin(atan2(mu, nu))", RADIUS * sp.sin(phi), MU)
    yield equality("r cos(atan2(mu, nu))", RADIUS * sp.cos(phi), NU)
    addition = sp.expand_trig(sp.sin(ANGLE + sp.Symbol("p"))) - sp.sin(ANGLE) * sp.cos(sp.Symbol("p"))
    yield equality("sin(x + p) - sin x cos p", addition, sp.cos(ANGLE) * sp.sin(sp.Symbol("p")))
    left, right = (statement.spelt(side) for side in statement.conclusions[0].sides)
    yield equality("both together", sp.expand(sp.expand_trig(right)), left)
    origin = {MU: Fraction(0), NU: Fraction(0)}
    angle = phi.subs(dict.fromkeys(origin, 0))
    left_out = angle is sp.nan and not statement.admits(origin)
    yield exact("the point without an angle is left out", left_out, angle, statement.given)


@attack("eq-21", domain="both signs of mu_0, and 0, at nu_0 < 0")
def eq_21_attack() -> Iterator[Evidence]:
    for mu, nu in ((-1, -1), (-2, -3), (0, -1)):
        yield EQ_21.fails_at({MU: mu, NU: nu, ANGLE: 1})


@attack("eq-21*", domain="both signs and zeros of mu_0 and nu_0, exactly")
def eq_21_repaired_attack() -> Iterator[Evidence]:
    for mu, nu in ((0, 1), (0, -1), (1, 0), (-1, 0), (-2, -3), (5, -1)):
        at = sp.Integer(mu), sp.Integer(nu)
        exchanged = phase_identity(lambda m, n: sp.atan2(n, m), *at)
        yield controlled(phase_identity(sp.atan2, *at), exchanged)
    yield refutes(phase_identity(printed_phase, sp.Integer(0), sp.Integer(-1)))  # right in one coordinate
    yield from EQ_21_REPAIRED.attack()


STEERED = LENGTH * sp.sin(2 * sp.pi * BETA + PHI)
TARGETS = (
    Variable(LENGTH, low=sp.Integer(0)),
    Variable(GAMMA, low=-LENGTH, high=LENGTH, closed=True),
    Variable(PHI),
)
EQ_21_BETA = Statement(
    TARGETS,
    (Conclusion(relation(STEERED, "==", GAMMA)),),
    meaning={BETA: sp.asin(GAMMA / LENGTH) / (2 * sp.pi) - PHI},
    words=rf"$\beta$ mod {CIRCLE} is the angle in turns that all pairs are steered to: ",
)
EQ_21_BETA_REPAIRED = Statement(
    TARGETS,
    EQ_21_BETA.conclusions,
    meaning={BETA: (sp.asin(GAMMA / LENGTH) - PHI) / (2 * sp.pi)},
    words=rf"the same, mod {CIRCLE}, where ${tex(relation(LENGTH, '>', TARGETS[0].low))}$; else every angle will do: ",
)


@claim(
    "eq-21.beta",
    where="App. B, after eq 21",
    kind="step",
    says=EQ_21_BETA,
    outline="phi is in radians and is not divided by 2 pi: mu_0 = nu_0 = 1, gamma = 0 gives sin(pi/4 - pi^2/2), not 0.",
)
def eq_21_beta(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({LENGTH: sp.sqrt(2), GAMMA: 0, PHI: sp.pi / 4})


@repair(
    "eq-21.beta",
    says=EQ_21_BETA_REPAIRED,
    outline="2 pi beta + phi = arcsin(gamma/r).",
)
def eq_21_beta_repaired(statement: Statement) -> Iterator[Evidence]:
    left, right = (statement.spelt(side) for side in statement.conclusions[0].sides)
    yield equality("r sin(2 pi beta + phi)", sp.expand(left, trig=False, deep=True), right)
    period = sp.periodicity(statement.conclusions[0].says.lhs, BETA)
    yield exact("and the least period in beta, which it is taken mod", period == CIRCLE, period, CIRCLE)


@attack("eq-21.beta", domain="gamma = 1 and 1/2 at r = sqrt(2)")
def eq_21_beta_attack() -> Iterator[Evidence]:
    for phi, gamma in ((sp.pi / 4, 1), (sp.pi / 2, sp.Rational(1, 2))):
        yield EQ_21_BETA.fails_at({LENGTH: sp.sqrt(2), GAMMA: gamma, PHI: phi})


attack("eq-21.beta*", domain=EQ_21_BETA_REPAIRED.domain())(EQ_21_BETA_REPAIRED.attack)


def orbit(theta: sp.Expr, count: int) -> set[sp.Expr]:
    """The fractional parts of lambda theta, lambda = 1..count, for a rational theta."""
    return {(lam * theta) % 1 for lam in range(1, count + 1)}


def golden_relation() -> Evidence:
    """D = 6, theta_0 = sqrt(5) - 2: theta_1 = g and theta_2 = g^2 are independent over Q, and g + g^2 = 1."""
    golden = (sp.sqrt(5) - 1) / 2
    inverse_base = sp.simplify(sp.expand(golden**3) - (sp.sqrt(5) - 2))
    total = sp.simplify(sp.expand(golden + golden**2))
    what = (
        "D = 6, theta_0 = sqrt(5) - 2: theta_1 + theta_2, an integer although theta_1/theta_2 is irrational"
    )
    return exact(
        what, not (inverse_base == 0 and total == 1), total, "no integer combination of theta_1, theta_2"
    )


@claim(
    "thm-2.1.weyl",
    where="App. B, between eqs 21 and 22",
    kind="step",
    says=(
        r"$\theta_1,\dots,\theta_{D/2-1}$ independent over $\mathbb{Q}$: "
        r"$((\lambda\theta_1),\dots,(\lambda\theta_{D/2-1}))$, $\lambda = 1$, 2, ..., is uniformly "
        "distributed in $[0, 1]^{D/2-1}$"
    ),
    outline=(
        "1 must be among the independent numbers (so it stands in the theorem that is cited). D = 4, theta_0 = "
        "1/4: one nonzero theta_1 = 1/2 is independent, its multiples mod 1 are 0 and 1/2. D = 6, theta_0 = "
        "sqrt(5)-2: theta_1 + theta_2 = 1."
    ),
    in_words="of the distribution of an infinite orbit",
)
def weyl() -> Iterator[Evidence]:
    theta = sp.Rational(1, 4) ** sp.Rational(2, 4)
    points = orbit(theta, 1000)
    yield exact(
        "D = 4, theta_0 = 1/4: fractional parts of lambda theta_1", len(points) > 2, points, "dense in [0, 1]"
    )
    yield golden_relation()


def character_sum(power: int = 1) -> Iterator[Evidence]:
    """(z - 1)(1 + z + ... + z^{T-1}) = z^T - 1 by induction on T, so the mean of z^lambda is below 2/(T|z-1|)."""
    z, count = sp.symbols("z T")
    step = (z ** (count + power) - 1) - (z**count - 1)
    yield equality("induction step", sp.powsimp(sp.expand(step)), sp.powsimp(sp.expand((z - 1) * z**count)))
    yield equality("induction base T = 1", (z - 1) * 1, z**1 - 1)


COUNT, STEP = sp.Symbol("T", integer=True, positive=True), sp.Symbol("lambda", integer=True)
TURNED = sp.Symbol("x", real=True)  # k.theta of an integer vector k
CHARACTER = sp.exp(2 * sp.pi * sp.I * TURNED)
AWAY = sp.Abs(CHARACTER - 1, evaluate=False)
MEAN_OF_ORBIT = (
    sp.Abs(sp.Sum(sp.exp(2 * sp.pi * sp.I * STEP * TURNED), (STEP, 0, COUNT - 1)), evaluate=False) / COUNT
)
NO_INTEGER = relation(AWAY, ">", 0)
CUBE_SIDE = sp.Interval(0, 1)
WEYL = Statement(
    (Variable(COUNT, low=sp.Integer(0), integer=True), Variable(TURNED)),
    (
        Conclusion(relation(MEAN_OF_ORBIT, "<=", 2 / (COUNT * AWAY)), when=(NO_INTEGER,)),
        Conclusion(relation(MEAN_OF_ORBIT, "==", 1), when=(relation(TURNED, "==", 0),)),
    ),
    words=rf"uniformly distributed in ${tex(CUBE_SIDE)}^{{D/2-1}}$ if and only if 1, $\theta_1$, ..., "
    r"$\theta_{D/2-1}$ are independent over $\mathbb{Q}$; the means of characters, "
    r"$x$ being $k\cdot\theta$ mod 1, are at most: ",
)


@repair(
    "thm-2.1.weyl",
    says=WEYL,
    outline=(
        "Weyl's criterion: uniform iff for every integer vector k != 0 the mean of z^lambda, z = exp(2 pi i "
        "k.theta), tends to 0. If k.theta is no integer, z != 1 and the mean over T terms is below 2/(T|z-1|); if "
        "it is, z = 1 and the mean is 1."
    ),
)
def weyl_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from character_sum()
    z, first = sp.Symbol("z"), statement.target(1)
    for end in (z**COUNT, sp.Integer(1)):
        size = sp.Abs(end.subs(z, CHARACTER))
        yield equality(f"|{end}| on the circle", size, sp.Integer(1))
    yield equality("at most two ends of modulus 1 over T |z - 1|", 2 / (COUNT * AWAY), first)
    alike = statement.conclusions[1].says.lhs.subs(TURNED, 0).doit()
    yield equality("the mean where k.theta is an integer", alike, statement.target(2))
    k, x = sp.Symbol("k", integer=True, nonzero=True), sp.Symbol("x", real=True)
    for times, said in ((sp.Integer(0), sp.Integer(1)), (k, sp.Integer(0))):
        mean = sp.integrate(CHARACTER.subs(TURNED, times * x), (x, CUBE_SIDE.start, CUBE_SIDE.end))
        yield equality(
            f"mean of a uniform law's character, of the frequency {times}", sp.simplify(mean), said
        )
    yield exact(
        "no integer", statement.conclusions[0].when == (NO_INTEGER,), statement.conclusions[0].when, ""
    )


@attack(
    "thm-2.1.weyl", domain="D = 4 with every theta_0 = 1/c^2, c = 2..50, and D = 2 (nothing to distribute)"
)
def weyl_attack() -> Iterator[Evidence]:
    counts = [[len(orbit(sp.Rational(1, c), multiples)) for multiples in (c, 200)] for c in range(2, 51)]
    finite = counts == [[c, c] for c in range(2, 51)]
    yield exact(
        "D = 4, theta_0 = 1/c^2: points in the orbit of theta_1", not finite, counts[:6], "infinitely many"
    )


def from_integer(x: arb) -> arb:
    """Distance of a narrow ball to the integer nearest to its midpoint."""
    return abs(x - (x.mid() + arb("0.5")).floor())


@attack(
    "thm-2.1.weyl*",
    domain="D = 4, theta_0 = 1/2 (1 and theta_1 independent): the first 400 multiples against ten targets",
)
def weyl_repaired_attack() -> Iterator[Evidence]:
    theta, cases = (ball(1) / 2).sqrt(), []
    for target in range(10):
        best = min((from_integer(theta * lam - arb(target) / 10) for lam in range(1, 400)), key=float)
        cases.append((f"target {target}/10", ball("1/50") - best))
    yield search("1/50 less the distance to the orbit", cases, control="0.0186")
    yield from WEYL.attack()


TARGET, CLOSE = sp.Symbol("beta", nonnegative=True), sp.Symbol("epsilon", positive=True)
FROM_ORBIT = sp.Symbol(r"\inf_{\lambda}|(\lambda\theta_{1})-\beta|", nonnegative=True)
ALONE = sp.Rational(1, 4) ** sp.Rational(1, 2)  # theta_1 at D = 4, theta_0 = 1/4
ORBIT_ALONE = (*sorted(orbit(ALONE, int(ALONE.q))), CIRCLE)  # of its multiples mod 1; 1 is 0
EQ_22 = Statement(
    (
        Variable(TARGET, low=sp.Integer(0), high=sp.Integer(1), closed=True),
        Variable(CLOSE, low=sp.Integer(0)),
    ),
    (Conclusion(relation(FROM_ORBIT, "<=", CLOSE)),),
    meaning={FROM_ORBIT: sp.Min(*(sp.Abs(TARGET - end) for end in ORBIT_ALONE))},
    words=r"for every $\epsilon$ some $\lambda_\epsilon$ brings "
    r"$((\lambda\theta_1),\dots,(\lambda\theta_{D/2-1}))$ within $\epsilon$ of $(\beta,\dots,\beta)$; so where "
    rf"$\theta_1 = {tex(ALONE)}$ is alone: ",
)


@claim(
    "eq-22",
    where="App. B, eq 22",
    kind="step",
    says=EQ_22,
    outline=(
        "D = 4, theta_0 = 1/4: the orbit is {0, 1/2}. As gamma runs over [-r, r], beta runs over half a circle, "
        "which contains 1/4 or 3/4, at distance 1/4 from the orbit. Distances must be taken mod 1."
    ),
)
def eq_22(statement: Statement) -> Iterator[Evidence]:
    for quarter in (sp.Rational(1, 4), sp.Rational(3, 4)):  # half a circle holds one of them
        yield statement.fails_at({TARGET: quarter, CLOSE: sp.Rational(1, 5)})


@repair(
    "eq-22",
    says=(
        rf"true, distances mod {CIRCLE}, when {CIRCLE}, $\theta_1$, ..., $\theta_{{D/2-1}}$ are independent over "
        r"$\mathbb{Q}$"
    ),
    uses=("thm-2.1.weyl*",),
    outline="A uniformly distributed sequence is dense.",
    in_words="of the closure of an infinite orbit",
)
def eq_22_repaired() -> Iterator[Evidence]:
    share = sp.Symbol("eps", positive=True)
    volume = (2 * share) ** sp.Symbol("n", positive=True)
    yield exact(
        "the box of side 2 eps about (beta, ..., beta) has positive volume, hence a positive share of the orbit",
        bool(volume.is_positive),
        volume,
        "> 0",
    )
    period = sp.periodicity(sp.re(CHARACTER), TURNED)
    yield exact("least period of the characters by which it is dense", period == CIRCLE, period, CIRCLE)


@attack("eq-22", domain="D = 6, theta_0 = sqrt(5)-2: every beta with 2 beta no integer")
def eq_22_attack() -> Iterator[Evidence]:
    golden = sp.sqrt(5) - 2  # theta_0, and theta_d = theta_0^(d/3)
    on_orbit, quarter = sp.expand(GOLDEN + GOLDEN**2), 2 * sp.Rational(1, 4)
    what = "so it is an integer at every limit point; at beta = 1/4 it is"
    met = (
        equality("theta_1 = (sqrt(5) - 1)/2 is theta_0^(1/3)", sp.expand(GOLDEN**3), golden),
        exact("x + y per step of the orbit", on_orbit == 1, on_orbit, 1),
    )
    yield from counterexample(met, exact(what, quarter.is_integer, quarter, "an integer"))


def printed_sum(lam: int, head_dim: int, inverse_base: str, turns: bool) -> arb:
    """(2/D) sum_d sin(lambda theta_d), with or without the factor 2 pi that (23) lost; phi = 0."""
    unit = 2 * arb.pi() if turns else arb(1)
    theta = ball(inverse_base)
    total = sum(
        ((unit * lam * theta ** (ball(2 * d) / head_dim)).sin() for d in range(head_dim // 2)), arb(0)
    )
    return 2 * total / head_dim


def of_all_pairs(lam: int, turns: bool) -> Evidence:
    """The sum of (23) at D = 8, theta_0 = 1/2, against S_D."""
    whole = 2 * RopeSums.of(8, inverse_base="1/2", turns=turns).sin(lam)
    gap = abs(printed_sum(lam, 8, "1/2", turns) - whole)
    return below("the sum itself, of all four pairs, against S_D", gap, "1e-25")


def eq_23_example(turns: bool) -> Iterator[Evidence]:
    """D = 8, theta_0 = 1/2, mu = 0, nu = gamma = 1 (phi = 0, beta = 1/4) at lambda = 19822."""
    lam, tolerance, shown = 19822, ball("21/1000"), [of_all_pairs(19822, turns)]
    for d in (1, 2, 3):
        x = lam * (ball(1) / 2) ** (ball(2 * d) / 8)
        what = f"distance of lambda theta_{d} = {text(x, 9)} to 1/4 mod 1"
        shown.append(below(what, from_integer(x - ball("1/4")), tolerance))
    # correct form: pairs within 0.021 of the target lose at most 1 - cos(2 pi 0.021); pair 0, at a whole turn, loses 1
    budget = 1 - (2 * arb.pi() * tolerance).cos() + ball(2) / 8
    error = abs(printed_sum(lam, 8, "1/2", turns) - 1)
    what = f"|(2/D) sum_d sin({'2 pi ' if turns else ''}lambda theta_d + phi) - gamma/r|"
    yield from counterexample(shown, below(what, error, budget))


@claim(
    "eq-23",
    where="App. B, eq 23",
    kind="step",
    says=(
        r"near (22), $|(2/D)\sum_d\sin(\lambda_\epsilon\theta^{2d/D}+\phi) - \gamma/r| < \epsilon + "
        r"O(1/D)$ ($\theta$ read as $\theta_0$)"
    ),
    uses=("thm-2.1.weyl*",),
    cites=("eq-22",),
    outline=(
        "2 pi is missing. D = 8, theta_0 = 1/2, mu_0 = 0, nu_0 = gamma = 1: lambda = 19822 has all three lambda "
        "theta_d within 0.021 of beta = 1/4 mod 1, and the printed sum is -0.93. Nor does any constant in O(1/D) "
        "help: for theta_0 = 1/p, p prime, the numbers 1, theta_d and theta_d/(2 pi), d >= 1, are independent (pi is "
        "transcendental: Lindemann 1882), so some lambda meets (22) with all lambda theta_d + phi near -pi/2 mod "
        "2 pi, error 2."
    ),
    in_words="of every sequence of distances that meets (22)",
)
def eq_23() -> Iterator[Evidence]:
    yield from eq_23_example(turns=False)
    yield opposite()


def opposite(value: int = -1) -> Evidence:
    """gamma = r: the printed sum where all pairs d >= 1 are at `value`, pair 0 at its best; error as D grows."""
    dim = sp.Symbol("D", positive=True)
    error = 1 - 2 / dim * (1 + (dim / 2 - 1) * value)
    found, alone = sp.limit(error, dim, sp.oo), error.subs(dim, 2)  # D = 2 has pair 0 alone, at its best
    if alone != 0:
        raise ArithmeticError(f"the error of one pair at its best is {alone}, not 0")
    what = "theta_0 = 1/p, p prime, gamma = r: error as D -> oo where lambda meets (22)"
    return exact(what, bool(found <= 0), found, "0, as epsilon + O(1/D) demands")


DIM, FACTOR = sp.symbols("D {\\epsilon'}", positive=True)
WORST = sp.Symbol(
    r"\sup_{\lambda_\epsilon}|\frac{2}{D}\sum_d\sin(2\pi\lambda_\epsilon\theta_d+\phi)-\frac{\gamma}{r}|",
    real=True,
)
EQ_23_REPAIRED = Statement(
    (Variable(DIM, low=sp.Integer(0), even=True), Variable(CLOSE, low=sp.Integer(0))),
    (Conclusion(relation(WORST, "<=", FACTOR + 4 / DIM)),),
    meaning={FACTOR: 2 * sp.pi * CLOSE, WORST: 2 / DIM * ((DIM / 2 - 1) * FACTOR + 2)},
    words=r"near (22), each pair but 0 within $\epsilon$ of its target, with an $\epsilon'$ that tends to 0 with that "
    "distance: ",
)


@repair(
    "eq-23",
    says=EQ_23_REPAIRED,
    cites=("eq-22",),
    outline=(
        "sin is 1-Lipschitz: D/2-1 pairs lose at most 2 pi eps each; pair 0 is left at sin(phi) and loses at most "
        "2."
    ),
)
def eq_23_repaired(statement: Statement) -> Iterator[Evidence]:
    lost = sp.Rational(2) / DIM * ((DIM / 2 - 1) * 2 * sp.pi * CLOSE + 2)
    yield equality("what the pairs lose at most", statement.spelt(WORST), lost)
    bound = statement.spelt(statement.target())
    yield equality("limit of the total loss as eps -> 0", sp.limit(lost, CLOSE, 0), sp.limit(bound, CLOSE, 0))
    yield equality("at D = 2, where pair 0 is alone", lost.subs(DIM, 2), sp.Integer(2))
    yield equality("and as D -> oo", sp.limit(lost, DIM, sp.oo), sp.limit(bound, DIM, sp.oo))
    room = sp.expand(bound - lost)
    yield exact("bound less the loss", room.is_nonnegative, room, ">= 0")


@attack("eq-23", domain="gamma = r at the same lambda; the printed 'theta' read literally, theta_0 = 1/2")
def eq_23_attack() -> Iterator[Evidence]:
    found = printed_sum(19822, 8, "1/2", False)
    wrong = below("printed sum at lambda = 19822 against 1 - 0.51", ball("49/100"), found)
    yield from counterexample([of_all_pairs(19822, False)], wrong)


@attack("eq-23*", domain="D = 8, theta_0 = 1/2, lambda = 19822")
def eq_23_repaired_attack() -> Iterator[Evidence]:
    bound = EQ_23_REPAIRED.spelt(EQ_23_REPAIRED.target()).subs({DIM: 8, CLOSE: sp.Rational(21, 1000)})
    margin = constant_ball(bound) - abs(printed_sum(19822, 8, "1/2", True) - 1)
    yield search("4/D + 2 pi eps less the error", [("lambda = 19822", margin)], control="0.3782")
    yield from EQ_23_REPAIRED.attack()


@claim(
    "thm-2.1.orbit",
    where="App. B",
    kind="lemma",
    says=(
        r"the points $(\lambda x_1,\dots,\lambda x_N)$ mod 1, $\lambda \in \mathbb{Z}$, are dense in the "
        r"set of all $y$ with $k\cdot y \in \mathbb{Z}$ for every integer $k$ with $k\cdot x \in "
        r"\mathbb{Z}$, and nowhere else (Kronecker)"
    ),
    outline=(
        "That set is a closed group H which contains the orbit. The characters of H are the integer "
        "vectors k modulo those that are trivial on it; for a nontrivial one k.x is no integer, so its "
        "mean over the orbit is 0 (the sum of thm-2.1.weyl*): the orbit is uniformly distributed in H."
    ),
    in_words="of the closure of an infinite orbit",
)
def orbit_closure() -> Iterator[Evidence]:
    yield from character_sum()


@attack("thm-2.1.orbit", domain="rational points, where the orbit is finite: x = (1/4, 1/6), (1/2, 1/3, 1/6)")
def orbit_closure_attack() -> Iterator[Evidence]:
    for x in (
        (Fraction(1, 4), Fraction(1, 6)),
        (Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)),
    ):
        order = lcm(*(value.denominator for value in x))
        closure = _annihilator(x, order)

        def orbit_of(count: int, x: tuple = x, closure: set = closure) -> Evidence:
            points = {tuple((lam * value) % 1 for value in x) for lam in range(count)}
            what = f"{count} points of the orbit of {x} against the group of its relations"
            return tried(what, points == closure, len(points), len(closure))

        yield controlled(orbit_of(order), orbit_of(order - 1))


def _annihilator(x: tuple[Fraction, ...], order: int) -> set[tuple[Fraction, ...]]:
    """All y in (Z/order)^N / order with k.y an integer for every k in [0, order)^N with k.x an integer."""
    grid = list(product(range(order), repeat=len(x)))
    relations = [k for k in grid if sum(a * b for a, b in zip(k, x, strict=True)) % 1 == 0]
    fits = (
        y for y in grid if all(sum(a * b for a, b in zip(k, y, strict=True)) % order == 0 for k in relations)
    )
    return {tuple(Fraction(a, order) for a in y) for y in fits}


VECTORS = (sp.symbols("k_1:4", real=True), sp.symbols("l_1:4", real=True), sp.symbols("theta_1:4", real=True))
VALUES = sp.symbols("a b", real=True)


def eliminated(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """(first k - second l).theta, of three numbers."""
    return sum(((first * x - second * y) * z for x, y, z in zip(*VECTORS, strict=True)), sp.Integer(0))


def _dot(left: Sequence[sp.Expr], right: Sequence[sp.Expr]) -> sp.Expr:
    return sum((x * y for x, y in zip(left, right, strict=True)), sp.Integer(0))


RANK = Statement(
    tuple(Variable(symbol) for vector in VECTORS for symbol in vector),
    (Conclusion(relation(eliminated(VALUES[1], VALUES[0]), "==", 0)),),
    meaning={name: _dot(vector, VECTORS[2]) for name, vector in zip(VALUES, VECTORS[:2], strict=True)},
    words=r"$\theta_1,\dots,\theta_N$ independent over $\mathbb{Q}$: the integer $k$ with $k\cdot\theta \in "
    r"\mathbb{Z}$ are the multiples of one vector, so the closure of the orbit projects onto all "
    "coordinates but one; of two, $k$ and $l$, and three numbers: ",
)


@claim(
    "thm-2.1.rank",
    where="App. B",
    kind="lemma",
    says=RANK,
    uses=("thm-2.1.orbit",),
    outline=(
        "k -> k.theta is injective into Z, so these k form a group of rank at most 1. If its generator has "
        "k_j != 0, any values of the other coordinates are completed by solving k_j y_j = -(the rest) mod "
        "1."
    ),
)
def rank(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    (k, other, theta), (a, b) = VECTORS, (statement.meaning[name] for name in VALUES)
    relation_ = tuple(b * x - a * y for x, y in zip(k, other, strict=True))
    what = "k.theta = a, l.theta = b: (b k - a l).theta, so b k = a l by independence"
    yield equality(what, sp.expand(_dot(relation_, theta)), statement.target())
    yield equality("a is k.theta", a, _dot(k, theta))
    yield equality("b is l.theta", b, _dot(other, theta))


@attack(
    "thm-2.1.rank",
    domain="D = 6, theta_0 = sqrt(5)-2, theta_1 = g: all k with |k_i| <= 50 and k.theta an integer",
)
def thm_2_1_rank_attack() -> Iterator[Evidence]:
    golden = (ball(5).sqrt() - 1) / 2

    def relations(size: int, sign: int) -> Evidence:
        grid = [(i, j) for i in range(-size, size + 1) for j in range(-size, size + 1)]
        found = [(i, j) for i, j in grid if from_integer(i * golden + sign * j * golden**2) < ball("1e-20")]
        multiples = all(i == j for i, j in found)
        what = f"relations of theta_1 and {sign} theta_2 up to {size}, all multiples of (1, 1)"
        return tried(what, len(found) == 2 * size + 1 and multiples, len(found), 2 * size + 1)

    yield controlled(relations(50, 1), relations(5, -1))
    yield from RANK.attack()
