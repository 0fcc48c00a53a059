"""What Sections 1 and 3 say of TAPA around its theorems: its bias, its parameters and its operations.

Operations are counted by running eq 12 on numbers that count, one at a time, what is done to them; the step that a
product of vectors repeats is run once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import sympy as sp
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import arrives, controlled, exact, instance, search, short, tried
from proofs.exact import Expr, identity, limit
from proofs.gaussian_tokens import HEAD_DIMS, LONGEST, SHARE, N, Split, T, cosine_mean
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.paper.section_3_score import EQ_12
from proofs.paper.theorem_2_1 import DIM, steering_error
from proofs.paper.theorem_3_2 import THEOREM
from proofs.paper.theorem_3_3 import AMPLITUDE, CROSS, SQUARE, THEOREM_3_3_REPAIRED, VARIANCE
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation, tex
from proofs.subdivision import maximum
from proofs.tapa_letters import (
    AMPLITUDE_SIZE,
    ANY_POWER,
    APART,
    HEAD,
    INNER_A,
    INNER_P,
    POWER,
    SIZE_A,
    SPLIT,
    equals,
    falls_like,
    in_dimensions,
    put,
    split_of,
)

X, RATE, SHARE_T = sp.symbols("x p theta", positive=True)
DIMS = 32  # (1-theta)D of D = 64, theta = 1/2
CUT = 1  # boxes decide the share that is lost up to this u, its first term beyond
REACH = 16  # (2^20)^(2 alpha) at alpha = 1/10: how much t^2 grows from distance 1 to 2^20


FADING = sp.Symbol(r"\lim_{|m-n| \to \infty} \mathrm{E} \mathrm{Attn}", real=True)
APART_BY = 1 / HEAD
BOTH_THEOREMS = "the hypotheses of Theorems 2.1 and 3.2"
LIMITS = Statement(
    THEOREM.variables[:3],
    (equals(FADING, 0),),
    meaning=THEOREM.meaning,
    words=rf"the limit points of RoPE's bias as $|m-n| \to \infty$ are $O({tex(APART_BY)})$-dense (Theorem 2.1), "
    "that of TAPA is unique; ",
)


_STEP = sp.Symbol("t", integer=True, positive=True)
_OF_QUARTER = sp.cos(sp.pi * APART / 2)  # the cosine of eq 12 where phi = 1/4 for certain, alpha = 1


@necessary("rem-3.limits", hypothesis=BOTH_THEOREMS)
def limits_without_density() -> Iterator[Evidence]:
    what = "phi = 1/4 for certain, alpha = 1, q_A.k_A = sqrt(theta D): the limit along distances 4 t"
    yield limit(_OF_QUARTER.subs(APART, 4 * _STEP), _STEP, sp.oo, LIMITS.target(), what)


@claim(
    "rem-3.limits",
    where="Sec. 3, before Theorem 3.2",
    kind="remark",
    says=LIMITS,
    assumes=(BOTH_THEOREMS,),
    uses=("thm-2.1", "thm-3.2"),
    cites=("thm-2.1",),
    outline=(
        "|E Attn| < C |m-n|^-p with p = alpha(1-theta)D > 0. RoPE's statement is of (2/sqrt D) E Attn, TAPA's of E "
        "Attn itself. Without a joint density TAPA's limit need not exist: thm-3.2.tokens, thm-3.3 (two coins)."
    ),
)
def limits(statement: Statement) -> Iterator[Evidence]:
    power = falls_like(in_dimensions(THEOREM.target()))
    free = set(THEOREM.symbols) - set(statement.symbols)
    yield exact(
        "of every split and alpha, as the distance grows", free == {APART}, free, "|m-n| alone is not fixed"
    )
    yield exact("the power of (14) is positive", power.is_positive, power, "p > 0")
    yield limit(X**-RATE, X, sp.oo, statement.target(), "|m-n|^-p as the distance grows, any p > 0")
    error = sp.expand(steering_error(2) / APART_BY.subs(HEAD, DIM))
    yield identity(sp.diff(error, DIM), sp.Integer(0), "thm-2.1's error over 1/D does not depend on D")


@attack("rem-3.limits", domain="a phase without a density: phi = 1/4 for certain, alpha = 1")
def limits_attack() -> Iterator[Evidence]:
    def limit_points(parts: int) -> Evidence:
        values = {sp.cos(2 * sp.pi * lag / parts) for lag in range(1, 41)}
        what = f"cos(2 pi |m-n|/{parts}): limit points, outside the hypotheses"
        return tried(what, values == {-1, 0, 1}, values, "three")

    yield controlled(limit_points(4), limit_points(3))


def lost_mean(u: arb, reach: int = REACH) -> arb:
    """Share of the mean at distance 0 that is lost between two distances, u = t^2 at the nearer, n = 32."""
    half = DIMS // 2
    return (1 + u) ** -half - (1 + reach * u) ** -half


def gap_slope(u: arb, reach: int = REACH) -> arb:
    """Derivative of `lost_mean` in u."""
    half = DIMS // 2
    return half * (reach * (1 + reach * u) ** (-half - 1) - (1 + u) ** (-half - 1))


def largest_gap() -> arb:
    """The largest `lost_mean` over all u >= 0: up to `CUT` by subdivision; beyond it is below (1 + u)^-16."""
    return maximum(lost_mean, gap_slope, 0, CUT, tol="1e-6")


PHASE_DIMS = sp.Symbol("n", integer=True, positive=True)
EXPONENT_A, SPREAD_S, HERE_D, THERE_D, SQUARE_U = sp.symbols("alpha sigma d d' u", positive=True)
PHASES = (
    Variable(PHASE_DIMS, low=sp.Integer(1), integer=True, closed=True),
    Variable(EXPONENT_A, low=sp.Integer(0)),
    Variable(SPREAD_S, low=sp.Integer(0)),
    Variable(HERE_D, low=sp.Integer(0)),
)


def mean_at(distance: Expr) -> Expr:
    """E cos of eq 12 for independent centred normal phases of standard deviation sigma turns: thm-3.2.gaussian."""
    turned = 4 * sp.pi**2 * SPREAD_S**2 * distance ** (2 * EXPONENT_A) / PHASE_DIMS
    return (1 + turned) ** (-PHASE_DIMS / 2)


MEAN_PRODUCT = sp.Symbol("M", real=True)
ELIMINATES = Statement(
    (*PHASES, Variable(THERE_D, low=sp.Integer(0)), Variable(MEAN_PRODUCT)),
    (Conclusion(relation(MEAN_PRODUCT * mean_at(HERE_D), "==", MEAN_PRODUCT * mean_at(THERE_D))),),
    words=r"TAPA eliminates undesired distance bias; read: $\mathrm{E} \mathrm{Attn}$ does not depend on "
    r"$|m-n|$; of normal tokens with $M = \mathrm{E} q_A\cdot k_A/\sqrt a$: ",
)


@claim(
    "rem-3.eliminates",
    where="Introduction and Sec. 3",
    kind="remark",
    says=ELIMINATES,
    outline=(
        "Normal tokens with E q_A.k_A != 0, D = 64, theta = 1/2, alpha = 0.1: the mean at distance 1 is not "
        "that at 2^20."
    ),
)
def eliminates(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at(
        {
            PHASE_DIMS: DIMS,
            EXPONENT_A: sp.Rational(1, 10),
            SPREAD_S: sp.Rational(1, 10),
            HERE_D: 1,
            THERE_D: LONGEST,
            MEAN_PRODUCT: 1,
        }
    )


LEFT = (1 + SQUARE_U) ** (-DIMS // 2)  # of the mean at distance 0
LOST = LEFT - LEFT.subs(SQUARE_U, REACH * SQUARE_U)
ELIMINATES_REPAIRED = Statement(
    (*PHASES, Variable(THERE_D, low=HERE_D), Variable(SQUARE_U, low=sp.Integer(0))),
    (
        Conclusion(relation(mean_at(HERE_D), ">", mean_at(THERE_D))),
        Conclusion(
            relation(LOST, "<", sp.Rational(7661, 10**4)),
            sharp=(
                sp.Rational(1, 7661),
                {
                    PHASE_DIMS: 1,
                    EXPONENT_A: 1,
                    SPREAD_S: 1,
                    HERE_D: 1,
                    THERE_D: 2,
                    SQUARE_U: sp.Rational(1, 84),
                },
            ),
        ),
    ),
    words=r"the bias vanishes in the limit (`thm-3.2`) but not at a distance: for independent centred normal "
    r"phases it is "
    r"$(\mathrm{E} q_A\cdot k_A/\sqrt a)$ times the first term below, strictly decreasing in $d = |m-n|$; at $\alpha = "
    r"1/10$, $n = 32$ the share of it that is lost between distances 1 and $2^{20}$ is the second, $u$ "
    r"what is added to 1 in the bracket at distance 1 (16 times as much at $2^{20}$), $\sigma$ the product of the two "
    r"standard deviations; ",
)


@repair(
    "rem-3.eliminates",
    says=ELIMINATES_REPAIRED,
    uses=("thm-3.2.gaussian",),
    cites=("thm-3.2",),
    outline=(
        "With u = t^2 at distance 1, t^2 = 16u at 2^20: the share is (1+u)^-16 - (1+16u)^-16, largest at a "
        "phase of sd about 0.1 turn. TAPA prefers near tokens as RoPE does in Theorem 2.2, within the range "
        "that matters."
    ),
)
def eliminates_repaired(statement: Statement) -> Iterator[Evidence]:
    slope = sp.diff(sp.log(1 + T**2), T)
    yield exact("ln(1+t^2) rises, so (1+t^2)^(-n/2) falls for every n", slope.is_positive, slope, "> 0")
    yield arrives("farther away it is", mean_at(THERE_D), statement.target(1))
    here = mean_at(HERE_D).subs({PHASE_DIMS: DIMS, EXPONENT_A: sp.Rational(1, 10)})
    yield arrives(
        "what is lost, u = t^2 at distance 1",
        (here.subs(HERE_D, 1) - here.subs(HERE_D, LONGEST)).subs(SPREAD_S, sp.sqrt(8 * SQUARE_U) / sp.pi),
        statement.conclusions[1].says.lhs,
    )
    bound = constant_ball(statement.target(2))
    largest = largest_gap()
    yield below("largest share lost", largest, bound)
    yield below("which is rounded up to 1/10000", bound - ball("1e-4"), largest)
    yield below("a share that is reached, at u = 1/84", bound - ball("1e-4"), lost_mean(ball("1/84")))
    falls = sp.diff(LEFT, SQUARE_U)
    yield exact(
        "what is left at the nearer distance, more than is lost, falls with u",
        falls.is_negative,
        falls,
        "< 0",
    )
    yield below(
        f"so beyond u = {CUT}: at most what is left there", constant_ball(LEFT.subs(SQUARE_U, CUT)), bound
    )


# balls of 128 bits do not tell (1 + d^(2 alpha))^(-n/2) from 1 below
DECIDABLE = relation(HERE_D**EXPONENT_A, ">", sp.Rational(1, 10**9))


@attack(
    "rem-3.eliminates*",
    domain=f"{ELIMINATES_REPAIRED.within(DECIDABLE).domain()}, d^alpha above 1e-9; "
    + "the slope of the share against differences, u = 1/1000, 1/84, 1; u up to 100",
)
def eliminates_attack() -> Iterator[Evidence]:
    bound = constant_ball(ELIMINATES_REPAIRED.target(2))
    cases = (
        (f"u = {u}", bound - lost_mean(ball(u))) for u in ("1/1000", "1/100", "1/84", "1/10", "1", "100")
    )
    yield search("0.7661 less the share", cases, control="4.68e-5")
    for u in ("1/1000", "1/84", "1"):
        step = ball("1e-12")
        quotient = (lost_mean(ball(u) + step) - lost_mean(ball(u))) / step
        own, doubled = (
            below(f"slope at {i} u, u = {u}, less the difference quotient", abs(quotient - slope), "1e-7")
            for i, slope in ((1, gap_slope(ball(u))), (2, gap_slope(2 * ball(u))))
        )
        yield controlled(own, doubled)
    yield from ELIMINATES_REPAIRED.within(DECIDABLE).attack()
    yield from ELIMINATES_REPAIRED.sharpness()


@practice("rem-3.eliminates")
def eliminates_practice() -> Iterator[dict[str, object]]:
    """Rows: the share of the mean at distance 0 that is left; alpha = 0.1, theta = 1/2; sd of phi as in small heads."""
    for head in HEAD_DIMS:
        for spread in ("0.04", "0.1", "0.18", "1"):
            n = Split(head, SHARE).phase
            left = {
                f"left at {lag}": short(cosine_mean(n, lag, spread=spread)) for lag in (1, 128, 8192, LONGEST)
            }
            yield {"head_dim": head, "sd of phi, turns": spread, **left}


HIGHEST = sp.Symbol(r"\limsup |\mathrm{Attn}|", nonnegative=True)
LARGEST = sp.Symbol("A", nonnegative=True)
SLOW, STILL, SEEN = relation(POWER, "<", 1), relation(INNER_P, "==", 0), relation(INNER_A, "!=", 0)
UNSEEN = relation(INNER_A, "==", 0)
POINTWISE = Statement(
    (*SPLIT, ANY_POWER, Variable(INNER_A), Variable(INNER_P)),
    (
        equals(HIGHEST, LARGEST, SLOW),
        equals(HIGHEST, LARGEST, STILL),
        Conclusion(relation(LARGEST, ">", 0), when=(SEEN,)),
        equals(LARGEST, 0, UNSEEN),
    ),
    meaning={LARGEST: sp.Abs(INNER_A) / sp.sqrt(AMPLITUDE_SIZE)},
    words="pointwise attention values need not converge to zero: for fixed $q$, $k$ they do not, unless "
    rf"${tex(UNSEEN)}$; with the upper limit as $|m-n| \to \infty$, ",
)
OF_LARGEST = replace(POINTWISE, conclusions=POINTWISE.conclusions[2:])


@necessary("rem-3.pointwise", hypothesis=f"${tex(SEEN)}$")
def pointwise_without_amplitude() -> Iterator[Evidence]:
    yield OF_LARGEST.without(SEEN).fails_at(
        {HEAD: 4, SHARE_T: sp.Rational(1, 2), POWER: 1, INNER_A: 0, INNER_P: 1}
    )


@claim(
    "rem-3.pointwise",
    where="Sec. 3, after Theorem 3.2",
    kind="remark",
    says=POINTWISE,
    outline=(
        "q_P.k_P = 0: constant. Else 2 pi |m-n|^alpha phi grows without bound in steps that tend to 0, so it comes "
        "arbitrarily near to every angle: the limit points are all of [-A, A], A = |q_A.k_A|/sqrt(theta D)."
    ),
)
def pointwise(statement: Statement) -> Iterator[Evidence]:
    slow, still = (one.when[0] for one in statement.conclusions[:2])
    score, said = sp.Abs(EQ_12.target()), statement.spelt(statement.target(1))
    yield identity(
        sp.simplify(score.subs(still.lhs, still.rhs)), said, "eq 12 at q_P.k_P = 0: A at every distance"
    )
    for conclusion in statement.conclusions[:2]:
        greatest = score.replace(sp.cos, lambda angle: sp.Integer(1))
        yield arrives("its greatest size", greatest, statement.spelt(conclusion.says.rhs))
    yield statement.every_positive(HEAD, POWER)
    rest = 1 - RATE  # alpha = RATE, and 1 - alpha > 0
    edge = sp.solve(rest, RATE)
    alike = (slow.rel_op, [slow.rhs], still.rel_op) == ("<", edge, "==")
    yield exact("1 - alpha > 0, or no phase", alike, (slow, still), f"alpha < {edge}, q_P.k_P = 0")
    for conclusion in statement.conclusions[2:]:
        (when,) = conclusion.when
        alike = (conclusion.says.rhs, when.rhs) == (0, 0) and when.lhs == INNER_A
        signs = {(">", "!="), ("==", "==")}
        yield exact(
            "A is 0 exactly where q_A.k_A is",
            alike and (conclusion.says.rel_op, when.rel_op) in signs,
            when,
            0,
        )
    yield limit(X**RATE, X, sp.oo, sp.oo, "|m-n|^alpha, every alpha > 0")
    yield identity(sp.diff(X**RATE, X), RATE * X**-rest, "slope of |m-n|^alpha is alpha |m-n|^-(1-alpha)")
    yield limit(X**-T, X, sp.oo, 0, "|m-n|^-(1-alpha), every 1 - alpha > 0")


@practice("rem-3.pointwise")
def pointwise_practice() -> Iterator[dict[str, object]]:
    """Rows: turns of the cosine between distance 1 and a context's end, alpha = 0.1, at the phases of small heads."""
    for phase in ("0.04", "0.18", "1"):
        for lag in (8192, LONGEST):
            turns = ball(phase) * (ball(lag) ** ball("1/10") - 1)
            yield {"phi, turns": phase, "to distance": lag, "turns from distance 1": short(turns)}


@attack(
    "rem-3.pointwise",
    domain=f"{OF_LARGEST.domain()}; "
    "phi = 1, alpha = 1/10: least and greatest cosine among the distances (j/8)^10 rounded up",
)
def pointwise_attack() -> Iterator[Evidence]:
    yield from OF_LARGEST.attack()
    lags = [-(-(j**10) // 8**10) for j in range(80, 97)]
    values = [(2 * arb.pi() * ball(lag) ** ball("1/10")).cos() for lag in lags]
    for what, extreme in (
        ("least cosine", min(values, key=float)),
        ("greatest cosine, negated", -max(values, key=float)),
    ):
        yield controlled(
            below(what, extreme, "-0.99"), below(f"{what}, below -1", extreme, -1 - ball("1e-9"))
        )


SECOND_MOMENT, AMPLITUDE_DIMS, LIMIT_V, AT_ZERO = sp.symbols("M a V V_0", positive=True)
NONDEGENERATE = Statement(
    (Variable(SECOND_MOMENT, low=sp.Integer(0)), Variable(AMPLITUDE_DIMS, low=sp.Integer(0))),
    (
        Conclusion(relation(LIMIT_V, "==", AT_ZERO / 2)),
        Conclusion(relation(0, "<", LIMIT_V)),
    ),
    meaning={AT_ZERO: SECOND_MOMENT / AMPLITUDE_DIMS, LIMIT_V: SECOND_MOMENT / (2 * AMPLITUDE_DIMS)},
    words=r"TAPA stays non-degenerate as distance grows: with $M = \mathrm{E}(q_A\cdot k_A)^2$ and $a = \theta D$ the "
    r"variance has the limit $V$, half of $V_0 = \mathrm{E} \mathrm{Attn}^2$ at distance 0; ",
)


ONE_DENSITY = "a joint density, one for all $m$, $n$"


@necessary("rem-3.nondegenerate", hypothesis=ONE_DENSITY)
def nondegenerate_without_density() -> Iterator[Evidence]:
    what = (
        "q_P.k_P = 1/4 for certain, alpha = 1: E Attn^2 over that at distance 0, along odd distances 2 t + 1"
    )
    said = NONDEGENERATE.target(1) / AT_ZERO
    yield limit(_OF_QUARTER.subs(APART, 2 * _STEP + 1) ** 2, _STEP, sp.oo, said, what)


FINITE_SECOND = r"$\mathrm{E}(q_A\cdot k_A)^2$ finite"


@necessary("rem-3.nondegenerate", hypothesis=FINITE_SECOND)
def nondegenerate_without_moment() -> Iterator[Evidence]:
    x = sp.Symbol("x", positive=True)
    found = sp.limit(x - sp.atan(x), x, sp.oo)  # the integral of t^2/(1 + t^2) up to x
    what = "a = 1, q_A of Cauchy's density, k_A apart from 0, at distance 0: V_0 up to a constant"
    yield exact(what, found.is_finite, found, "finite")


@claim(
    "rem-3.nondegenerate",
    where="Sec. 3, before Theorem 3.3",
    kind="remark",
    says=NONDEGENERATE,
    assumes=(ONE_DENSITY, FINITE_SECOND),
    uses=("thm-3.3*",),
    outline=(
        "What is left of Theorem 3.3 without any hypothesis on moments: the limit is exactly half of E Attn^2 at "
        "distance 0, and that is positive for a density."
    ),
)
def nondegenerate(statement: Statement) -> Iterator[Evidence]:
    found = statement.meaning[LIMIT_V]
    square, size = THEOREM_3_3_REPAIRED.meaning[VARIANCE], SECOND_MOMENT
    law = {CROSS: size - AMPLITUDE_DIMS * SQUARE, AMPLITUDE: AMPLITUDE_DIMS}
    yield arrives("V of thm-3.3*", sp.simplify(square.subs(law, simultaneous=True)), found)
    yield from statement.identities()
    yield arrives("E (q_A.k_A)^2/a at distance 0", (size / AMPLITUDE_DIMS), statement.meaning[AT_ZERO])
    yield exact("positive", found.is_positive, found, "> 0")
    yield arrives("which is V", LIMIT_V, statement.target(2))


@attack(
    "rem-3.nondegenerate",
    domain=f"{NONDEGENERATE.domain()}; "
    + "tokens without a density: q_P.k_P = 1/4 for certain, alpha = 1, odd distances",
)
def nondegenerate_attack() -> Iterator[Evidence]:
    def scores(lags: range) -> Evidence:
        values = {sp.cos(sp.pi * lag / 2) for lag in lags}
        return tried(
            f"score over q_A.k_A, distances {lags}", values == {0}, values, "0: the density is needed"
        )

    yield controlled(scores(range(1, 40, 2)), scores(range(1, 40)))
    yield from NONDEGENERATE.attack()


@dataclass(frozen=True, slots=True)
class Counted:
    """A number without a value that counts what is done to it in a tally shared by all its kind."""

    tally: Counter = field(default_factory=Counter)

    def _count(self, operation: str) -> Counted:
        self.tally[operation] += 1
        return self

    def __add__(self, _other: Counted) -> Counted:
        return self._count("add")

    def __mul__(self, _other: Counted) -> Counted:
        return self._count("multiply")

    def __pow__(self, _other: Counted) -> Counted:
        return self._count("power")

    def cos(self) -> Counted:
        """One cosine, counted as one operation whatever it costs."""
        return self._count("cosine")


def _dot(length: Expr, number: Counted) -> Counted:
    """A product of two vectors: after a first product one step, run once and counted `length` - 1 times."""
    if (sp.sympify(length) - 1).is_negative:
        raise InputError(f"a product of vectors of length {length} is empty")
    first, again = number * number, Counted()
    _ = again + again * again
    for name, count in again.tally.items():
        number.tally[name] += count * (length - 1)
    return first


def vanilla_operations(head: Expr, folded: bool = False) -> Counter:
    """Operations of q.k/sqrt(D) for one pair of tokens; `folded`: the scale is already in the weights."""
    number = Counted()
    _ = _dot(head, number) if folded else _dot(head, number) * number
    return number.tally


def tapa_operations(head: Expr, amplitude: Expr, folded: bool = False, *, table: bool = True) -> Counter:
    """Operations of eq 12 for one pair; 2 pi |m-n|^alpha/sqrt((1-theta)D) is read from a table of distances.

    `folded`: the amplitude's scale is already in the weights; the angle's factor, one a distance, cannot be. Without a
    `table` |m-n|^alpha is computed, and multiplied by the rest of the factor.
    """
    number = Counted()
    angle = _dot(head - amplitude, number) * (number if table else number**number * number)
    product = _dot(amplitude, number) if folded else _dot(amplitude, number) * number
    _ = product * angle.cos()
    return number.tally


def extra_operations(head: Expr, amplitude: Expr, folded: bool = False, *, table: bool = True) -> Counter:
    """What eq 12 does on top of q.k/sqrt(D), operation by operation; a saving is negative."""
    difference = tapa_operations(head, amplitude, folded, table=table)
    difference.subtract(vanilla_operations(head, folded))
    return Counter({name: count for name, count in difference.items() if count})


HEAD_D, WIDTH_W = sp.symbols("D w", positive=True)
PARAMETERS = Statement(
    (
        Variable(HEAD_D, low=sp.Integer(0)),
        Variable(WIDTH_W, low=sp.Integer(0)),
        Variable(SHARE_T, low=sp.Integer(0), high=sp.Integer(1)),
    ),
    (
        Conclusion(
            relation(2 * (SHARE_T * HEAD_D + (1 - SHARE_T) * HEAD_D) * WIDTH_W, "==", 2 * HEAD_D * WIDTH_W)
        ),
    ),
    words="(12) has no parameters in addition to those of a vanilla transformer: $W_q$ and $W_k$, with rows of "
    "width $w$ for "
    "amplitude and phase, keep their $D$ rows; ",
)


@claim(
    "rem-3.parameters",
    where="Sec. 3, after eq 13",
    kind="remark",
    says=PARAMETERS,
    uses=("eq-11",),
    cites=("eq-12",),
    outline=(
        "theta and alpha are fixed before training; the phase takes its rows from W_q and W_k, it adds none."
    ),
)
def rem_3_parameters(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()


@attack(
    "rem-3.parameters",
    domain=f"{PARAMETERS.domain()}; " + "every split of D = 2..9: rows of W_q used by amplitude and phase",
)
def parameters_attack() -> Iterator[Evidence]:
    def unused(off: int) -> Evidence:
        splits = ((head, a) for head in range(2, 10) for a in range(1, head))
        rows = {len({*range(a), *range(a + off, head)}) - head for head, a in splits}
        return tried(f"rows used less rows there, the phase's from {off} later", rows == {0}, rows, "{0}")

    yield controlled(unused(0), unused(1))
    yield from PARAMETERS.attack()


OPERATIONS = ("multiply", "cosine", "add")
MORE = sp.symbols(r"n_{\times} n_{\cos} n_{+}", integer=True)
FLOPS = Statement(
    tuple(Variable(one, integer=True) for one in MORE),
    (Conclusion(relation(sum(MORE), "<=", 0)),),
    words=r"(12) needs no flops in addition to those of a vanilla transformer, $q^T k/\sqrt D$ per pair of tokens; "
    r"with what it has more of multiplications, cosines and additions, ",
)


@claim(
    "rem-3.flops",
    where="Sec. 3, after eq 13",
    kind="remark",
    says=FLOPS,
    cites=("eq-12",),
    outline="Counted: one addition less, and one multiplication (the angle), one cosine and one product more.",
)
def flops(statement: Statement) -> Iterator[Evidence]:
    extra = extra_operations(64, 32)
    yield statement.fails_at({one: extra[name] for one, name in zip(MORE, OPERATIONS, strict=True)})
    yield instance(exact("operations per pair added by eq 12, D = 64", not +extra, dict(extra), "none"))


COST, MORE_OF_ALL, OF_SCORE, OF_PRODUCTS = sp.symbols(r"c T_{+} T_{0} P", positive=True)
FLOPS_REPAIRED = Statement(
    (*SPLIT, Variable(COST, low=sp.Integer(0))),
    (
        *(equals(one, number) for one, number in zip(MORE, (2, 1, -1), strict=True)),
        equals(MORE_OF_ALL, 1 + COST),
        equals(OF_SCORE, 2 * HEAD),
        equals(OF_PRODUCTS, HEAD),
    ),
    words=r"per pair of tokens (12) needs on top of $q^T k/\sqrt D$ as many multiplications, cosines and additions as "
    "follow (a negative number is a saving), with $c$ the cost of a cosine $T_{+}$ operations beside the $T_{0}$ of "
    "the score; both need $P$ multiplications for their products. It doubles nothing: products of $\\theta D$ and "
    r"$(1-\theta)D$ are one of $D$; ",
)


TABLE = r"$|m-n|^\alpha$ comes from a table with one entry a distance"


@necessary("rem-3.flops*", hypothesis=TABLE)
def flops_without_table() -> Iterator[Evidence]:
    found = extra_operations(64, 32, table=False)
    said = {name: FLOPS_REPAIRED.target(index) for index, name in enumerate(OPERATIONS, 1)}
    what = "|m-n|^alpha computed for every pair, D = 64: operations added by eq 12"
    yield exact(what, dict(found) == said, dict(found), said)


@repair(
    "rem-3.flops",
    says=FLOPS_REPAIRED,
    assumes=(TABLE,),
    cites=("eq-12",),
    outline=(
        "theta D + (1-theta)D = D. A product of vectors repeats one step, which is run once and counted as often as "
        "its length has it, so the count is that of every split. Both matrices of products must be held or fused; "
        "that is memory, not flops."
    ),
)
def flops_repaired(statement: Statement) -> Iterator[Evidence]:
    said = {name: statement.target(index) for index, name in enumerate(OPERATIONS, 1)}
    yield same_everywhere(Counter(said))
    yield statement.every_positive(HEAD, COST)
    whole = SIZE_A + N
    found = extra_operations(whole, SIZE_A)
    total = found["multiply"] + found["add"] + COST * found["cosine"]
    yield arrives("what is added, all together", total, statement.target(4))
    score, products = (put(statement.target(index), split_of(SIZE_A, N)) for index in (5, 6))
    own = vanilla_operations(whole)
    yield identity(sum(own.values()), score, "operations of the score")
    scale = own["multiply"] - vanilla_operations(whole, folded=True)["multiply"]
    yield identity(own["multiply"] - scale, products, "multiplications of its products")
    rest = tapa_operations(whole, SIZE_A)["multiply"] - scale - said["multiply"]
    yield identity(rest, products, "multiplications of the products of eq 12")


def same_everywhere(predicted: Counter) -> Evidence:
    """Is the difference of operations the predicted one for an amplitude of a dimensions and a phase of n, any both?"""
    found = extra_operations(SIZE_A + N, SIZE_A)
    return exact("operations added by eq 12, every split", found == predicted, dict(found), dict(predicted))


@attack(
    "rem-3.flops", domain="factors 1/sqrt folded into the weights on both sides: is anything still added?"
)
def flops_attack() -> Iterator[Evidence]:
    def still_some(added: Counter) -> Evidence:
        return tried("operations added with the scales folded away", bool(+added), dict(added), "still some")

    folded = extra_operations(64, 32, folded=True)
    yield controlled(still_some(folded), still_some(folded - folded))


@practice("rem-3.flops")
def flops_practice() -> Iterator[dict[str, object]]:
    """Rows: the share of operations added to the score, for a cosine of 1 and of 20 operations."""
    for head in HEAD_DIMS:
        extra = extra_operations(head, head // 2)
        base = sum(vanilla_operations(head).values())
        yield {
            "head_dim": head,
            "operations of q.k/sqrt(D)": base,
            "added, cosine = 1": short(ball(sum(extra.values())) / base, 3),
            "added, cosine = 20": short(ball(sum(extra.values()) + 19) / base, 3),
        }
