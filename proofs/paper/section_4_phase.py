"""Section 4.5: what is said of the linear phase (eq 16) beside the quadratic one, its gradient and its mean cosine."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import arrives, controlled, exact, search, tried
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import N, S, cosine_mean, counterexample, quadratic
from proofs.ledger import attack, claim, necessary, repair
from proofs.paper.section_3_score import linear_cosine
from proofs.statements import Conclusion, Statement, Variable, relation, tex

DISTANCE, POWER = sp.symbols("d alpha", positive=True)


def slopes(size: int) -> tuple[Expr, Expr]:
    """Squared gradients in (q_P, k_P) of the linear and of the quadratic phase, `size` dimensions each."""
    q, k, _ = quadratic(size)
    variables = [*q, *k]
    root = sp.sqrt(size)
    linear, product = (sum((*q, *k))) / root, (q.T * k)[0] / root
    first, second = (sp.expand(sum(sp.diff(f, x) ** 2 for x in variables)) for f in (linear, product))
    return first, second


NORMS = sp.Symbol("G", nonnegative=True)
PHASE_RANGE = Variable(N, low=sp.Integer(1), integer=True, closed=True)
SENSITIVITY = Statement(
    (PHASE_RANGE, Variable(NORMS, low=sp.Integer(0), closed=True)),
    (Conclusion(relation(NORMS / N, "<", 2)),),
    words="non-stationary (linear) phases oscillate faster in representation space, stationary ones are less "
    "sensitive to "
    r"small changes; read: $|\nabla\phi|^2$ is smaller for $q_P^T k_P$ than for (16), where it is 2; with "
    "$G = |q_P|^2+|k_P|^2$, ",
)


@claim(
    "rem-4.5",
    where="Sec. 4.5",
    kind="remark",
    says=SENSITIVITY,
    cites=("eq-16",),
    outline="n = 1, q_P = k_P = 2: squared gradients 8 (quadratic) and 2 (linear).",
)
def sensitivity(statement: Statement) -> Iterator[Evidence]:
    linear, product = slopes(1)
    at = product.subs(dict.fromkeys(product.free_symbols, 2))  # at q_P = k_P = 2
    own = identity(linear, statement.target(), "squared gradient of the linear phase, n = 1")
    yield from counterexample([own], statement.fails_at({N: 1, NORMS: at}))


SENSITIVITY_REPAIRED = Statement(
    (PHASE_RANGE, Variable(NORMS, low=sp.Integer(0), closed=True)),
    (
        Conclusion(relation(NORMS / N, "<", 2), when=(relation(NORMS, "<", 2 * N),)),
        Conclusion(relation(NORMS / N, ">=", 2), when=(relation(NORMS, ">=", 2 * N),)),
    ),
    words=r"$|\nabla\phi|^2 = 2$ everywhere for (16) repaired, $G/n$ with $G = |q_P|^2+|k_P|^2$ for the "
    r"quadratic phase: less "
    "exactly when $G < 2n$, equal in the mean for coordinates of unit second moment, where $G$ is $2n$; ",
)


CALM, STEEP = (conclusion.when[0] for conclusion in SENSITIVITY_REPAIRED.conclusions)


@necessary("rem-4.5*", hypothesis=f"${tex(CALM)}$")
def sensitivity_of_any_size() -> Iterator[Evidence]:
    yield SENSITIVITY_REPAIRED.without(CALM).fails_at({N: 1, NORMS: 3})


@necessary("rem-4.5*", hypothesis=f"${tex(STEEP)}$")
def slowness_of_any_size() -> Iterator[Evidence]:
    yield SENSITIVITY_REPAIRED.without(STEEP, 2).fails_at({N: 1, NORMS: 1}, 2)


@repair(
    "rem-4.5",
    says=SENSITIVITY_REPAIRED,
    cites=("eq-16",),
    outline="Scale decides, not stationarity: what trains more stably here is a phase that starts small.",
)
def sensitivity_repaired(statement: Statement) -> Iterator[Evidence]:
    one, term = sp.symbols("one term", real=True)  # coordinate by coordinate: d(q k)/dq = k, d(q + k)/dq = 1
    yield identity(sp.diff(one * term, one) ** 2, term**2, "one coordinate of the quadratic phase's gradient")
    for size in (1, 2, 5):
        q, k, _ = quadratic(size)
        linear, product = slopes(size)
        norms = sum(x**2 for x in (*q, *k))
        for index, conclusion in enumerate(statement.conclusions, 1):
            yield arrives(f"linear phase, n = {size}", linear, statement.target(index))
            said = conclusion.says.lhs.subs({N: size, NORMS: norms})
            yield arrives(f"quadratic phase, n = {size}", sp.expand(product), sp.expand(said))
    for conclusion in statement.conclusions:
        (when,) = conclusion.when
        level = sp.solve(conclusion.says.lhs - conclusion.says.rhs, NORMS)
        yield exact("G at which they are equal", level == [when.rhs], level, when.rhs)
        said = conclusion.says.rel_op
        yield exact("on the side that is said", said == when.rel_op, said, when.rel_op)
    yield identity(2 * N / N, sp.Integer(2), "mean of (|q_P|^2 + |k_P|^2)/n at unit second moments")


@attack("rem-4.5*", domain=SENSITIVITY_REPAIRED.domain())
def rem_4_5_repaired_statement_attack() -> Iterator[Evidence]:
    yield from SENSITIVITY_REPAIRED.attack()


@attack("rem-4.5", domain="where the printed reading does hold: q_P = k_P on a grid from 0 to 3, n = 1")
def sensitivity_attack() -> Iterator[Evidence]:
    linear, product = slopes(1)
    grid = [sp.Rational(i, 4) for i in range(13)]
    calm = [x for x in grid if product.subs(dict.fromkeys(product.free_symbols, x)) < linear]

    def below_alone(end: Expr) -> Evidence:
        said = [x for x in grid if x < end]
        return tried("q_P = k_P with a smaller gradient", calm == said, calm, f"below {end} alone")

    yield controlled(below_alone(sp.Integer(1)), *(below_alone(sp.Rational(i, 4)) for i in (3, 5)))


LINEAR = Statement(
    (PHASE_RANGE, Variable(POWER, low=sp.Integer(0)), Variable(DISTANCE, low=sp.Integer(0))),
    (
        Conclusion(
            relation(
                sp.exp(-4 * sp.pi**2 * DISTANCE ** (2 * POWER)),
                "<",
                (1 + 4 * sp.pi**2 * DISTANCE ** (2 * POWER) / N) ** (-N / 2),
            )
        ),
    ),
    words="$q_P$, $k_P$ independent, standard normal, $d = |m-n|$: the mean cosine of the linear phase is below "
    "that of the "
    "quadratic phase at every distance; ",
)


@claim(
    "rem-4.5.linear",
    where="Sec. 4.5",
    kind="step",
    says=LINEAR,
    outline=(
        "The linear phase is normal with variance 2. n ln(1+x/n)/2 <= x/2 < x for x = 4 pi^2 |m-n|^(2 alpha) > 0. "
        "By the measure of Theorem 3.2 the linear phase is the better one, so the theorem does not explain the "
        "ablation of section 4.5."
    ),
)
def linear_bias(statement: Statement) -> Iterator[Evidence]:
    (said,) = statement.conclusions
    apart = DISTANCE**POWER
    yield identity(linear_cosine(sp.Integer(2)).subs(S, apart), said.says.lhs, "mean cosine, variance 2")
    turned = (2 * sp.pi * apart / sp.sqrt(N)) ** 2  # t^2 of thm-3.2.gaussian at sigma = 1
    yield arrives("that of the quadratic phase", (1 + turned) ** (-N / 2), statement.target())
    x = sp.Symbol("x", positive=True)
    gap = x - sp.log(1 + x)
    yield identity(gap.subs(x, 0), sp.Integer(0), "x - ln(1+x) at 0")
    yield identity(sp.diff(gap, x), x / (1 + x), "its slope is positive for x > 0, so ln(1+x) < x")


MODERATE = (relation(DISTANCE**POWER, "<", 50), relation(DISTANCE**POWER, ">", sp.Rational(1, 1000)))


@attack(
    "rem-4.5.linear",
    domain=f"{LINEAR.within(*MODERATE).domain()}; "
    + "n = 1, 2, 32, 128; distances 1 to 2^20; spread from 1/100 to 1, alpha = 1/10",
)
def linear_bias_attack() -> Iterator[Evidence]:
    yield search("1 - linear/quadratic mean cosine at the same weights", _linear_cases(), control="0.325")
    yield from LINEAR.within(*MODERATE).attack()


def _linear_cases() -> Iterator[tuple[str, arb]]:
    for n in (1, 2, 32, 128):
        for distance in (1, 100, 2**20):
            for spread in ("1/100", "1/10", "1"):  # sigma^2 of every coordinate
                power = ball(distance) ** ball("1/5") * ball(spread)
                linear = (-4 * arb.pi() ** 2 * power).exp()
                quadratic_mean = cosine_mean(n, distance, spread=spread)
                yield f"n = {n}, distance {distance}, sigma^2 = {spread}", 1 - linear / quadratic_mean
