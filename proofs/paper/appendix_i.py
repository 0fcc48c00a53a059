"""Appendix I: Figure 1, and what its protocol and its numbers can tell about distance bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Verdict
from proofs.balls import Real, ball, below, equal_within, less
from proofs.checks import BASES, controlled, equality, exact, short
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation, tex

PAIRS = 10_000
NEAR = range(101)  # the distances 0..100 of the near interval
FAR = range(10_000, 10_101)
CORPUS = "PG19"
MEAN, SPREAD = "0.03", "3.3"  # TAPA, as printed
ROPE_MEAN, ROPE_SPREAD = "4.1", "0.85"


def standard_errors(mean: Real, spread: Real, pairs: int = PAIRS) -> arb:
    """Mean over its standard error for independent pairs."""
    return ball(mean) * ball(pairs).sqrt() / ball(spread)


@claim(
    "fig-1",
    where="App. I, Figure 1",
    kind="remark",
    in_words="measured on models that v1 does not give",
    says=(
        f"score at a near less score at a far distance, {PAIRS} pairs on {CORPUS}: RoPE has mean {ROPE_MEAN} and "
        f"standard deviation {ROPE_SPREAD}, TAPA {MEAN} and {SPREAD}"
    ),
    outline=(
        "Numbers of two models of 7B parameters. v1 gives neither the models nor their scores, so the histograms "
        "cannot be measured again. What can be computed is the least ratio of standard deviation to mean that RoPE's "
        "deterministic part allows, over all nu_0/mu_0: with m the mean and V the covariance of (C_D, S_D) near less "
        "far, it is 1/sqrt(m V^-1 m), by Cauchy and Schwarz. The printed 0.85/4.1 = 0.207 lies below it at every base "
        "and head dimension tried in v1's turns, and above it in radians at D = 128 for bases up to 5e5 (rows below)."
    ),
)
def figure() -> Iterator[Evidence]:
    yield Evidence(
        "the histograms",
        Verdict.UNKNOWN,
        computed="missing: both trained 7B models, or their scores",
        predicted=ROPE_MEAN,
    )


@attack(
    "fig-1", domain="are the printed numbers consistent with what is said of them, for independent pairs?"
)
def figure_attack() -> Iterator[Evidence]:
    tapa, rope = standard_errors(MEAN, SPREAD), -standard_errors(ROPE_MEAN, ROPE_SPREAD)
    what = "TAPA: mean in standard errors"
    yield controlled(below(what, tapa, 1), below(f"{what}, below 0.909", tapa, "0.909"))
    what = "RoPE: mean in standard errors, negated"
    yield controlled(below(what, rope, -482), below(f"{what}, below -482.4", rope, "-482.4"))
    yield from least_spread_steps()
    least = Separation.of(500_000, 128, turns=False).least_spread()
    what = "base 5e5, D = 128, radians: least sd/mean of the deterministic part, below the printed 0.85/4.1"
    printed = below(what, least, ball(ROPE_SPREAD) / ball(ROPE_MEAN))
    yield controlled(printed, below(f"{what}, lowered to 0.1922", least, "0.1922"))


@dataclass(frozen=True)
class Separation:
    """(C_D, S_D) at a near distance less the same at a far one, drawn uniformly from 0..100 and from 10000..10100.

    `mean` and `covariance` are exact sums over all the distances, in balls. At (mu_0, nu_0) the deterministic part of
    Delta has mean `mean . (mu_0, nu_0)`; what the content adds to it under Assumption 2.1 has mean 0 given the
    distances, so it raises the standard deviation of Delta and leaves its mean.
    """

    mean: tuple[arb, arb]
    covariance: tuple[arb, arb, arb]  # of C with C, C with S, S with S

    @classmethod
    def of(cls, base: int, head_dim: int, turns: bool) -> Separation:
        """At one base, head dimension and angle."""
        sums = RopeSums.of(head_dim, base=base, turns=turns)
        near, far = (moments([(sums.cos(x), sums.sin(x)) for x in span]) for span in (NEAR, FAR))
        mean = (near[0][0] - far[0][0], near[0][1] - far[0][1])
        first, cross, second = (a + b for a, b in zip(near[1], far[1], strict=True))
        return cls(mean, (first, cross, second))

    def least_spread(self) -> arb:
        """Least sd/mean over all (mu_0, nu_0) with a positive mean: 1/sqrt(m V^-1 m)."""
        (x, y), (first, cross, second) = self.mean, self.covariance
        form = (x * x * second - 2 * x * y * cross + y * y * first) / (first * second - cross * cross)
        return form.rsqrt()

    def best_ratio(self) -> arb:
        """nu_0/mu_0 at which it is reached: the direction V^-1 m."""
        (x, y), (first, cross, second) = self.mean, self.covariance
        return (first * y - cross * x) / (second * x - cross * y)


def moments(points: Sequence[tuple[arb, arb]]) -> tuple[tuple[arb, arb], tuple[arb, arb, arb]]:
    """Mean and covariance (CC, CS, SS) of equally likely points in the plane."""
    number = len(points)
    x, y = (sum((point[i] for point in points), arb(0)) / number for i in (0, 1))
    products = ((p * p, p * q, q * q) for p, q in points)
    first, cross, second = (sum(column, arb(0)) / number for column in zip(*products, strict=True))
    return (x, y), (first - x * x, cross - x * y, second - y * y)


def least_spread_steps() -> Iterator[Evidence]:
    """v V v (m V^-1 m) - (m.v)^2 is a square over det V, so sd/mean >= 1/sqrt(m V^-1 m); it is 0 at v = V^-1 m."""
    x, y, u, v, cross = sp.symbols("x y u v c", real=True)
    first, second = sp.symbols("a b", positive=True)
    matrix, mean, way = sp.Matrix([[first, cross], [cross, second]]), sp.Matrix([x, y]), sp.Matrix([u, v])
    square, inverse = (way.T * matrix * way)[0], (mean.T * matrix.inv() * mean)[0]
    wedge = x * (matrix * way)[1] - y * (matrix * way)[0]
    yield identity(
        sp.simplify(square * inverse - (mean.T * way)[0] ** 2),
        wedge**2 / matrix.det(),
        "Cauchy and Schwarz, as a square",
    )
    best = {u: second * x - cross * y, v: first * y - cross * x}
    yield identity(
        sp.expand(wedge.subs(best, simultaneous=True)), sp.Integer(0), "the square at v = V^-1 m, times det V"
    )


@practice("fig-1")
def figure_practice() -> Iterator[dict[str, object]]:
    """Rows: the least sd/mean that the deterministic part of RoPE's Delta can have, beside the printed 0.85/4.1."""
    printed = ball(ROPE_SPREAD) / ball(ROPE_MEAN)
    for base in BASES[:4]:
        for head_dim in (64, 128):
            for turns in (True, False):
                found = Separation.of(base, head_dim, turns)
                yield {
                    "base": base,
                    "head_dim": head_dim,
                    "angle": "turns" if turns else "radians",
                    "least sd/mean over all nu_0/mu_0": short(found.least_spread(), 4),
                    "reached at nu_0/mu_0 =": short(found.best_ratio(), 3),
                    "printed, 0.85/4.1": short(printed, 4),
                    "printed is possible": less(found.least_spread(), printed),
                }


START, QUERY, KEY = sp.symbols("s m n", integer=True, nonnegative=True)
WIDTH = sp.Integer(len(NEAR) - 1)
SPAN = f"$[{tex(START)}, {tex(START + WIDTH)}]$"
ANY_START = Variable(START, among=(sp.Integer(NEAR[0]), sp.Integer(FAR[0])))


def said_distances() -> tuple[Conclusion, ...]:
    """The distance m - n lies in [s, s + 100]."""
    return (
        Conclusion(relation(QUERY - KEY, ">=", START)),
        Conclusion(relation(QUERY - KEY, "<=", START + WIDTH)),
    )


def in_interval(symbol: sp.Symbol, low: Expr) -> Variable:
    """An integer of [low, low + 100]."""
    return Variable(symbol, low=low, high=low + WIDTH, integer=True, closed=True)


PROTOCOL = Statement(
    (
        *(ANY_START, in_interval(KEY, START)),
        Variable(QUERY, low=KEY, high=START + WIDTH, integer=True, closed=True),
    ),
    said_distances(),
    words=f"pairs with positions from {SPAN} (caption; far is $s = {FAR[0]}$) are pairs at distances in {SPAN} "
    "(text): ",
)
ANY_KEY = Variable(KEY, low=sp.Integer(0), integer=True, closed=True)
PROTOCOL_REPAIRED = Statement(
    (ANY_START, ANY_KEY, in_interval(QUERY, KEY + START)),
    said_distances(),
    words=f"the text is meant: the distance is in {SPAN}, after a key $n$ at whatever position: ",
)


@claim(
    "fig-1.protocol",
    where="App. I, caption of Figure 1 and text",
    kind="step",
    says=PROTOCOL,
    outline="Two positions of [10000, 10100] are at most 100 apart: as near as those of [0, 100].",
)
def protocol(statement: Statement) -> Iterator[Evidence]:
    yield statement.fails_at({START: FAR[0], KEY: FAR[0], QUERY: FAR[-1]})


def interval_distances(low: int, high: int) -> set[int]:
    """Distances m - n >= 0 of two positions in [low, high]."""
    return {m - n for m in range(low, high + 1) for n in range(low, m + 1)}


@repair(
    "fig-1.protocol",
    says=PROTOCOL_REPAIRED,
    outline="A position and one 10000 to 10100 before it.",
)
def protocol_repaired(statement: Statement) -> Iterator[Evidence]:
    query = statement.range_of(QUERY)
    first = statement.values_at({START: NEAR[0], KEY: NEAR[0], QUERY: NEAR[-1]})  # refused outside the ranges
    key, last = first[KEY], first[QUERY]
    assert isinstance(key, Fraction)
    assert isinstance(last, Fraction)
    apart = last - key
    yield exact("the first position may be a key's, the last a query's", apart == WIDTH, apart, WIDTH)
    for index, end in enumerate((query.low, query.high), 1):
        yield equality("what the query's range leaves of m - n", end - KEY, statement.target(index))
    for start, said in zip(statement.range_of(START).among, (NEAR, FAR), strict=True):
        ends = [statement.target(index).subs(START, start) for index in (1, 2)]
        yield exact("distances of the text", ends == [said[0], said[-1]], ends, f"{said[0]}..{said[-1]}")


@attack("fig-1.protocol", domain="the near interval under both readings, and ten positions on")
def protocol_attack() -> Iterator[Evidence]:
    def agrees(low: int, high: int, said: range) -> Evidence:
        found = interval_distances(low, high)
        what = f"distances of two positions in [{low}, {high}]"
        return exact(what, found == set(said), f"{min(found)}..{max(found)}", f"{said[0]}..{said[-1]}")

    shorter = agrees(0, 99, NEAR)
    yield from counterexample([controlled(agrees(0, 100, NEAR), shorter)], agrees(10, 110, FAR))


attack("fig-1.protocol*", domain=PROTOCOL_REPAIRED.domain())(PROTOCOL_REPAIRED.attack)


Law = Mapping[Fraction, Fraction]  # value -> probability


def mean_of(law: Law) -> Fraction:
    """Mean of a finite law."""
    return sum((value * weight for value, weight in law.items()), Fraction(0))


def hidden_bias() -> tuple[dict[int, int], Law]:
    """Mean score by near distance, 0 at 0, +1 at 1..50, -1 at 51..100, far 0; and Delta's law with a coin of +-1."""
    bias = {lag: 0 if lag == 0 else 1 if lag <= 50 else -1 for lag in NEAR}
    counts = Counter(mean + coin for mean in bias.values() for coin in (-1, 1))
    return bias, {Fraction(value): Fraction(count, 2 * len(NEAR)) for value, count in counts.items()}


ABOUT = 0  # where a distribution without bias would have its centre


def symmetric(law: Law) -> bool:
    """Is the law that of its own mirror image?"""
    return law == {2 * ABOUT - value: weight for value, weight in law.items()}


NEARER, FIRST, SECOND = sp.symbols("x u v", real=True)
CHANCE, CENTRE = sp.Symbol("p", positive=True), sp.Symbol("m", real=True)
SYMMETRIC = Statement(
    (
        *(Variable(NEARER), Variable(SECOND), Variable(FIRST, low=SECOND)),
        Variable(CHANCE, low=sp.Integer(0), high=sp.Rational(1, 2)),
    ),
    (Conclusion(relation(NEARER, "==", -NEARER)), Conclusion(relation(CENTRE, "!=", 0))),
    meaning={CENTRE: CHANCE * FIRST + (1 - CHANCE) * SECOND},
    words=rf"a symmetric distribution of $\Delta$ about {ABOUT} indicates that no distance bias is present, a "
    r"skewed one that there is; so two halves of the near distances with the means $x$ and $-x$, which make "
    r"$\Delta$ symmetric, have the same mean, and the mean $m$ of a skewed law, $u$ with probability $p$, else $v$, "
    "is a bias: ",
)


@claim(
    "fig-1.symmetric",
    where="App. I, caption of Figure 1",
    kind="step",
    says=SYMMETRIC,
    outline=(
        "Symmetric with bias: means +1 at distances 1..50, -1 at 51..100, 0 at 0 and far, with a fair coin of "
        "+-1: Delta is exactly symmetric, the mean differs by 2 between distances 1 and 51. Skewed without: 3 "
        "with probability 1/4, -1 with 3/4 at every near distance, 0 far. And a mean of 4.1 is a shift; a "
        "normal law around it has no skew."
    ),
)
def symmetric_means_unbiased(statement: Statement) -> Iterator[Evidence]:
    bias, law = hidden_bias()
    spread = max(bias.values()) - min(bias.values())
    hidden = [
        exact("Delta is symmetric", symmetric(law), law, "its negative's"),
        exact("and its mean scores differ by 2", spread == 2, spread, 2),
    ]
    skewed = {Fraction(3): Fraction(1, 4), Fraction(-1): Fraction(3, 4)}
    third = sum(value**3 * weight for value, weight in skewed.items())
    shown = [
        exact("a law with third moment 6", third == 6, third, 6),
        exact("is not symmetric", not symmetric(skewed), skewed, "not its negative's"),
    ]
    moment = CHANCE * (FIRST - CENTRE) ** 3 + (1 - CHANCE) * (SECOND - CENTRE) ** 3
    skew = CHANCE * (1 - CHANCE) * (1 - 2 * CHANCE) * (FIRST - SECOND) ** 3
    shown.append(equality("third moment of u or v about m, not 0 for p < 1/2", statement.spelt(moment), skew))
    values = {FIRST: 3, SECOND: -1, CHANCE: sp.Rational(1, 4)}
    # apart, so that a point whose hypotheses fail stands undecided beside one that refutes, and is an error
    yield from counterexample(hidden, statement.fails_at(values | {NEARER: 1}, 1, also=(2,)))
    yield from counterexample(shown, statement.fails_at(values | {NEARER: 0}, 2))


NEAR_MEANS, FAR_MEANS = sp.symbols("x_1:4", real=True), sp.symbols("y_1:3", real=True)
DIFFERENCES = [x - y for x in NEAR_MEANS for y in FAR_MEANS]
MEAN_OF_PAIRS = Statement(
    tuple(Variable(symbol) for symbol in (*NEAR_MEANS, *FAR_MEANS)),
    (
        Conclusion(
            relation(
                sp.Mul(
                    sp.Rational(1, len(DIFFERENCES)), sp.Add(*DIFFERENCES, evaluate=False), evaluate=False
                ),
                "==",
                sum(NEAR_MEANS) / sp.Integer(len(NEAR_MEANS)) - sum(FAR_MEANS) / sp.Integer(len(FAR_MEANS)),
            )
        ),
    ),
    words=r"the mean of $\Delta$ is the average of $\mathrm{E} \mathrm{Attn}$ over the near distances less that over "
    "the far ones; symmetry about zero says that these two averages agree, and no more; of three near and two far "
    "distances with the means $x_i$ and $y_j$, all pairs alike: ",
)


@repair(
    "fig-1.symmetric",
    says=MEAN_OF_PAIRS,
    outline="The mean is linear, and a law that is symmetric about 0 with a mean has mean 0.",
)
def symmetric_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    near, far = (sum(means, sp.Integer(0)) / len(means) for means in (NEAR_MEANS, FAR_MEANS))
    yield equality("the two averages", near - far, statement.target())
    _, law = hidden_bias()
    yield exact("mean of the symmetric law", mean_of(law) == 0, mean_of(law), 0)


attack("fig-1.symmetric*", domain=MEAN_OF_PAIRS.domain())(MEAN_OF_PAIRS.attack)


@attack("fig-1.symmetric", domain="the near average of the hidden bias: does Delta see any of it?")
def symmetric_attack() -> Iterator[Evidence]:
    bias, law = hidden_bias()

    def invisible(means: Sequence[int]) -> Evidence:
        average = Fraction(sum(means), len(means))
        what = f"average mean score of {len(means)} near distances"
        return exact(what, average == 0, average, "0: invisible in the mean of Delta")

    means = list(bias.values())
    seen = controlled(invisible(means), invisible(means[:-1]))
    nearer, farther = (sp.Rational(sum(half), len(half)) for half in (means[1:51], means[51:]))
    opposite = exact("means of the two halves of 1..100", nearer == -farther, (nearer, farther), "x and -x")
    point = {NEARER: nearer, FIRST: 3, SECOND: -2, CHANCE: sp.Rational(1, 4)}
    yield from counterexample(
        [seen, opposite, exact("Delta is symmetric", symmetric(law), law, "its negative's")],
        SYMMETRIC.fails_at(point),
    )


def unseen(mean: Real, spread: Real) -> arb:
    """Upper end of the 95 % interval of the mean of Delta, times the 101 near distances: a bias of distance 0 alone."""
    return (ball(mean) + ball("1.96") * ball(spread) / ball(PAIRS).sqrt()) * len(NEAR)


ROOM = sp.Symbol("B", positive=True)
BIAS, DEVIATIONS = sp.Rational(95, 10), sp.Rational(28, 10)
WEIGHT = sp.Rational(1, len(NEAR))  # of each near distance in the mean
STANDARD_ERROR = sp.Rational(SPREAD) / sp.sqrt(PAIRS)
ZERO_DISTANCE = Statement(
    (),
    (
        Conclusion(relation(BIAS, "<", ROOM)),
        Conclusion(relation(DEVIATIONS * sp.Rational(SPREAD), "<", ROOM)),
    ),
    meaning={ROOM: (sp.Rational(MEAN) + sp.Rational("1.96") * STANDARD_ERROR) / WEIGHT},
    words=f"the near interval holds distance {NEAR[0]}, where TAPA has no phase: a bias of that distance alone enters "
    "the mean of "
    rf"$\Delta$ with weight ${WEIGHT!s}$, so the printed ${MEAN} \pm {tex(STANDARD_ERROR)}$ leaves room for one of "
    rf"{float(BIAS)} ({float(DEVIATIONS)} standard deviations of $\Delta$): of up to $B$, ",
)


INDEPENDENT_PAIRS = "independent pairs"


@necessary("fig-1.zero", hypothesis=INDEPENDENT_PAIRS)
def zero_distance_of_opposite_pairs() -> Iterator[Evidence]:
    what = "each second pair is off the mean by as much as the first, the other way: a bias of 9.5 and the room left"
    yield below(what, constant_ball(BIAS), unseen(MEAN, 0))


@claim(
    "fig-1.zero",
    where="App. I, Figure 1",
    kind="step",
    says=ZERO_DISTANCE,
    assumes=(f"distances uniform on the integers {NEAR[0]}..{NEAR[-1]}", INDEPENDENT_PAIRS),
    outline="(0.03 + 1.96 x 3.3/100) x 101. The figure cannot see what happens between neighbouring distances.",
)
def zero_distance(statement: Statement) -> Iterator[Evidence]:
    for conclusion, what in zip(statement.conclusions, ("9.5", "2.8 standard deviations"), strict=True):
        less_, more = (constant_ball(statement.spelt(side)) for side in reversed(conclusion.sides))
        yield below(f"{what} against the room left", less_, more)
    yield equal_within("the room left", constant_ball(statement.meaning[ROOM]), unseen(MEAN, SPREAD), "1e-25")


@attack("fig-1.zero", domain="the same at the printed mean, without the interval: 0.03 x 101")
def zero_distance_attack() -> Iterator[Evidence]:
    what, bias = "bias of distance 0 alone that would explain the mean itself", ball(MEAN) * len(NEAR)
    yield controlled(below(what, bias, "3.1"), below(what, bias, "3"))
