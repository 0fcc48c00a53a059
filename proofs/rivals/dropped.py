"""Gelberg et al. 2025, arXiv 2512.12167 (DroPE): what a model without positions starts from, and what RoPE gives it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, less
from proofs.checks import controlled, equality, exact, instance, rises, search, tried
from proofs.integrals import RopeSums
from proofs.ledger import Known
from proofs.rivals import BESIDE
from proofs.statements import Conclusion, Statement, Variable, constant_ball, relation, tex

PAPER = "drope-2025"
TEXT = Known.FULL


SCORE = sp.Symbol("s", real=True)
ROW, KEY = sp.Symbol("i", positive=True, integer=True), sp.Symbol("j", integer=True)
EACH = 1 / ROW
WEIGHTS = tex(relation(sp.Symbol(r"\alpha_{ij}", positive=True), "==", EACH))
VALUE = sp.Symbol("v", real=True)  # of every key alike, in each coordinate
SOFTMAX = sp.exp(SCORE) / sp.Sum(sp.exp(SCORE), (KEY, 1, ROW))
UNIFORM = Statement(
    (Variable(SCORE), Variable(ROW, low=sp.Integer(0), integer=True), Variable(VALUE)),
    (
        Conclusion(relation(SOFTMAX, "==", EACH)),
        Conclusion(relation(sp.diff(SOFTMAX, SCORE), "==", 0)),
        Conclusion(relation(sp.Sum(SOFTMAX * VALUE, (KEY, 1, ROW)), "==", VALUE)),
    ),
    words=rf"NoPE on a constant sequence: all scores of a row $i$ are one number $s$, so ${WEIGHTS}$, and "
    r"$A^c=\frac1T\sum_i\sum_{j\le i}c_{ij}\alpha_{ij}=0$ for every $c$ with $\sum_{j\le i}c_{ij}=0$; that is so for "
    r"all $W_Q$, $W_K$, on which $\alpha$ does not depend, so the gradients of $A^c$ and of any loss vanish there; and "
    r"the output at every row is the value $v$ that all keys have: the weights, their derivative, the output, ",
)


@BESIDE.claim(
    "drope-0",
    where="Prop. 3.2",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=UNIFORM,
    outline="All scores of a row are equal, so softmax is uniform, and each row's sum is (1/i) sum_j c_ij = 0. A "
    "change of W_Q or W_K changes all scores of a row alike, and nothing else.",
    proof=r"""
        Equal scores $s$ give $\alpha_{ij}=e^s/(ie^s)=1/i$, and $\sum_{j\le i}c_{ij}/i=0$. Whatever $W_Q$ and $W_K$ are,
        the scores of a row are equal, so $\alpha$ and with it $A^c$, the outputs and every loss are constant in them,
        and their derivatives 0. The output $\sum_j\alpha_{ij}v=v$ is the same at every row: a constant sequence again,
        so that the next layer has one before it too. $\square$
    """,
)
def drope_0(statement: Statement) -> Iterator[Evidence]:
    names = ("softmax of i scores s", "its derivative along all of them", "the mean of one value")
    for index, (name, conclusion) in enumerate(zip(names, statement.conclusions, strict=True), 1):
        yield equality(name, conclusion.says.lhs.doit(), statement.target(index))
    total = sp.simplify(statement.target() * sp.Integer(0))
    yield exact("a row of A^c: 1/i times the sum of its c, which is 0", total == 0, total, 0)


@BESIDE.attack("drope-0", domain="rows 1 to 6, c = (1, -1, 0, ...) and (1, 1, -2, ...), exactly")
def drope_0_attack() -> Iterator[Evidence]:
    def rows(*weights: tuple[int, ...]) -> Evidence:
        found = {sum(c * sp.Rational(1, i) for c in cs) for i in range(3, 7) for cs in weights}
        return tried(f"rows of A^c, c in {weights}", found == {0}, found, {0})

    yield controlled(rows((1, -1, 0), (1, 1, -2)), rows((1, -1, 0), (1, 1, -1)))
    yield from UNIFORM.attack()


OF_PAIR = sp.Symbol("|q_{m}||k_{m}|", nonnegative=True)
TURNS = relation(OF_PAIR, ">", 0)
TURNING = f"some pair has ${tex(TURNS)}$"
ROWS = "$T>d_k$"
DIFFERENT = r"different frequencies, as $b^{-2m/d_k}$, $b>1$, are"
SLOW = r"frequencies $0<\omega_m<\pi$"


SCORES, ALPHAS = sp.symbols("f_1:4", real=True), sp.symbols("alpha_1:4", positive=True)
MEAN_SCORE = sp.Symbol(r"\bar{f}", real=True)


def last_row(power: int) -> sp.Expr:
    """T A^c of the proof's c over a last row of three keys, and at power 2 its derivative along W_Q."""
    return sum((w**2 * (f - MEAN_SCORE) ** power for w, f in zip(ALPHAS, SCORES, strict=True)), sp.Integer(0))


def softmax_of_row() -> dict[sp.Symbol, sp.Expr]:
    """The weights of three keys by their scores, and the mean score."""
    whole = sum(map(sp.exp, SCORES), sp.Integer(0))
    weights = {alpha: sp.exp(f) / whole for alpha, f in zip(ALPHAS, SCORES, strict=True)}
    return weights | {MEAN_SCORE: sum((w * f for w, f in zip(ALPHAS, SCORES, strict=True)), sp.Integer(0))}


NOTHING = sp.Integer(0)  # above which both sides lie
UNLIKE = relation(SCORES[0], "!=", SCORES[1])
LAST_ROW = Statement(
    tuple(Variable(f) for f in SCORES),
    tuple(Conclusion(relation(last_row(power), ">", NOTHING)) for power in (1, 2)),
    given=(UNLIKE,),
    meaning=softmax_of_row(),
    words=rf"a RoPE head in which {TURNING}, on a constant sequence of more than $d_k$ tokens, "
    rf"has some $c$ with $A^c>{NOTHING}$ and a gradient that does not vanish (printed for frequencies in $(0,2\pi)$ "
    r"and without a length; but $\omega$ and $2\pi-\omega$ are one frequency at whole distances, and the printed proof "
    "too takes rows beyond $d_k$); with the proof's $c$ and three keys, $TA^c$ and its derivative: ",
)


@BESIDE.claim(
    "drope-rope",
    where="Prop. 3.3",
    paper=PAPER,
    known=TEXT,
    kind="lemma",
    says=LAST_ROW,
    assumes=(TURNING, ROWS, DIFFERENT, SLOW),
    outline="Scores of one distance are f = a sum of waves. Were f constant on the last row, all amplitudes were 0. "
    "Else c_j = alpha_j (f_j - mean f) on that row makes A^c a covariance of alpha and f, and its derivative along "
    "W_Q a sum of squares.",
    proof=r"""
        All tokens are alike, so the score at distance $x$ is
        $f(x)=\sum_m|q_m||k_m|\cos(\omega_mx+\varphi_m)$, over $\sqrt{d_k}$. If $f$ were a constant $f_0$ on
        $x=0,\dots,d_k$, then $-f_0+\sum_n a_nz_n^x=0$ for these $d_k+1$ numbers $x$, where the $z_n$ are the $d_k$
        numbers $e^{\pm i\omega_m}$. As $0<\omega_m<\pi$ are different, the $z_n$ and 1 are $d_k+1$ different numbers.
        The polynomial of degree $d_k$ that is 1 at one of them and 0 at the others, its coefficients taken as weights
        of the $d_k+1$ equations, leaves that number's own factor: all $a_n$ are 0, and with them all $|q_m||k_m|$.

        So $f$ is not constant on the last row. Let $\alpha$ be its softmax, $\bar f=\sum_j\alpha_jf_j$ and
        $c_j=\alpha_j(f_j-\bar f)$ there, $c=0$ elsewhere; then $\sum_jc_j=0$. $TA^c=\sum_j\alpha_j^2(f_j-\bar f)$ is
        $\frac12\sum_{jl}\alpha_j\alpha_l(\alpha_j-\alpha_l)(f_j-f_l)$, which is positive, since $\alpha$ rises
        with $f$. If $W_Q$ becomes $tW_Q$, $f$ becomes $tf$, and at $t=1$ the derivative of $\alpha_j$ is
        $\alpha_j(f_j-\bar f)$, so that of $TA^c$ is $\sum_j\alpha_j^2(f_j-\bar f)^2>0$. $\square$
    """,
)
def drope_rope(statement: Statement) -> Iterator[Evidence]:
    t, u = sp.Symbol("t", positive=True), sp.Symbol("u", nonnegative=True)
    whole = sum((sp.exp(t * f) for f in SCORES), sp.Integer(0))
    softmax = sp.exp(t * SCORES[0]) / whole
    mean = sum((f * sp.exp(t * f) for f in SCORES), sp.Integer(0)) / whole
    yield equality(
        "derivative of a softmax along its scores", sp.diff(softmax, t), softmax * (SCORES[0] - mean)
    )
    known = {ALPHAS[2]: 1 - ALPHAS[0] - ALPHAS[1]}
    average = statement.meaning[MEAN_SCORE]
    shares = [alpha.subs(known) for alpha in ALPHAS]
    covariance = sum(
        (
            shares[i] * shares[j] * (shares[i] - shares[j]) * (SCORES[i] - SCORES[j])
            for i in range(3)
            for j in range(3)
        ),
        sp.Integer(0),
    )
    row, slope = (one.says.lhs.subs(MEAN_SCORE, average).subs(known) for one in statement.conclusions)
    yield instance(equality("three keys: A^c as a covariance", sp.expand(row), sp.expand(covariance / 2)))
    yield rises("(e^x - e^y)(x - y) over e^y, u = x - y", u * (sp.exp(u) - 1), u, 2)
    squares = sum(
        (a**2 * (f - average.subs(known)) ** 2 for a, f in zip(shares, SCORES, strict=True)), sp.S.Zero
    )
    yield instance(
        equality("three keys: its derivative, a sum of squares", sp.expand(slope), sp.expand(squares))
    )
    targets = {statement.target(1), statement.target(2)}
    yield exact("both are compared with 0", targets == {sp.S.Zero}, targets, {0})
    yield exact(
        "two scores differ, so that neither is 0", statement.given == (UNLIKE,), statement.given, UNLIKE
    )
    total = sum((a * (f - average) for a, f in zip(ALPHAS, SCORES, strict=True)), sp.Integer(0)).subs(known)
    yield instance(equality("three keys: the sum of c", sp.expand(total), sp.Integer(0)))
    what = "frequencies of a base are in (0, 1], less than half a turn"
    yield exact(what, bool(sp.pi > 1), "1", "< pi")
    yield exact("of a pair of any size", TURNS.subs(OF_PAIR, t) == sp.true, TURNS, f"at {t} > 0")


@BESIDE.necessary("drope-rope", hypothesis=f"${tex(UNLIKE)}$")
def drope_rope_of_equal_scores() -> Iterator[Evidence]:
    yield LAST_ROW.without(UNLIKE).fails_at(dict.fromkeys(SCORES, sp.Integer(0)), 1, also=(2,))


@BESIDE.necessary("drope-rope", hypothesis=ROWS)
def drope_rope_of_few_rows() -> Iterator[Evidence]:
    """d_k = 2, T = 2, f(x) = cos(x - 1/2), of which f(0) = f(1): both keys weigh 1/2, and A^c = (c_1 + c_2)/4 = 0."""
    apart = sp.cos(1 - sp.Rational(1, 2)) - sp.cos(-sp.Rational(1, 2))
    yield exact("d_k = 2, T = 2, f(x) = cos(x - 1/2): f(1) - f(0), and so A^c", bool(apart > 0), apart, "> 0")


@BESIDE.necessary("drope-rope", hypothesis=TURNING)
def drope_rope_of_nothing() -> Iterator[Evidence]:
    size = int(TURNS.rhs)
    row, _ = _last_row(10, (size,), ("1/3",))
    yield exact(f"d_k = 2, T = 3, base 10, |q_0||k_0| = {size}: T A^c", bool(row > 0), float(row), "> 0")


@BESIDE.necessary("drope-rope", hypothesis=DIFFERENT)
def drope_rope_of_one_frequency() -> Iterator[Evidence]:
    """b = 1: two pairs of one frequency, half a turn apart, cancel; so all scores are alike, and A^c = 0."""
    x = sp.Symbol("x", real=True)
    whole = sp.cos(x) + sp.cos(x + sp.pi)
    row = LAST_ROW.spelt(last_row(1)).subs({f: whole.subs(x, j) for j, f in enumerate(SCORES)})
    yield exact("b = 1, d_k = 4, f(x) = cos x + cos(x + pi): f", bool(whole != 0), whole, "!= 0")
    yield exact("so of three keys T A^c", bool(sp.simplify(row) > 0), sp.simplify(row), "> 0")


@BESIDE.necessary("drope-rope", hypothesis=SLOW)
def drope_rope_of_aliased_frequencies() -> Iterator[Evidence]:
    """Frequencies w and 2 pi - w are different, in (0, 2 pi), and cancel at every whole distance."""
    place, w = sp.Symbol("j", integer=True), sp.Symbol("w", positive=True)
    whole = sp.cos(w * place) + sp.cos(sp.expand((2 * sp.pi - w) * place) + sp.pi)
    found = sp.simplify(sp.expand_trig(whole))
    yield exact("f(x) = cos w x + cos((2 pi - w) x + pi) at whole x", bool(found != 0), found, "!= 0")


def _last_row(base: Real, amplitudes: Sequence[int], phases: Sequence[str]) -> tuple[arb, arb]:
    """T A^c and its derivative, with the proof's c, at T = d_k + 1."""
    head_dim = 2 * len(amplitudes)
    omega = RopeSums.of(head_dim, base=base, turns=False).omega
    scores = [
        sum((a * (w * x + ball(p)).cos() for a, w, p in zip(amplitudes, omega, phases, strict=True)), arb(0))
        / ball(head_dim).sqrt()
        for x in range(head_dim + 1)
    ]
    total = sum((f.exp() for f in scores), arb(0))
    alpha = [f.exp() / total for f in scores]
    mean = sum((a * f for a, f in zip(alpha, scores, strict=True)), arb(0))
    steps = [a * (f - mean) for a, f in zip(alpha, scores, strict=True)]
    return sum((a * c for a, c in zip(alpha, steps, strict=True)), arb(0)), sum(
        (c * c for c in steps), arb(0)
    )


@BESIDE.attack(
    "drope-rope",
    domain="T = d_k + 1, d_k = 2 to 8, bases 11/10 to 1e10; one pair alone, f(0) = f(1), amplitudes that cancel at 0",
)
def drope_rope_attack() -> Iterator[Evidence]:
    heads = (
        ((1,), ("-1/2",)),
        ((1, -1), ("0", "0")),
        ((0, 0, 1), ("0", "0", "0")),
        ((1, -3, 3, -1), ("0",) * 4),
    )
    found = [
        (f"base {base}, amplitudes {amplitudes}", _last_row(base, amplitudes, phases))
        for base in ("11/10", "10000", "1e10")
        for amplitudes, phases in heads
    ]
    yield search("T A^c", ((where, one) for where, (one, _) in found), control="2.01e-27")
    yield search(
        "its derivative along W_Q", ((where, slope) for where, (_, slope) in found), control="2.01e-27"
    )


BOUNDED = (
    r"states $|h|\le R$; $|W_QW_K^T|\le B\sqrt{d_k}$, $|W_Q|,|W_K|\le B$, $|W_OW_V|\le w$ summed over the heads; "
    "between the attentions maps of each position alone, of Lipschitz constant $K$"
)


SIZE, BOUND, WIDTH, SPREAD = sp.symbols("R B w Delta", positive=True)
UNEVEN, THROUGH = sp.symbols("U S", positive=True)
SCORES_OFF = BOUND * SIZE * SPREAD  # of a row, from the score of the mean
LAYER = Statement(
    (
        *(Variable(symbol, low=sp.Integer(0)) for symbol in (SIZE, BOUND, WIDTH)),
        Variable(SPREAD, low=sp.Integer(0), high=2 * SIZE),
    ),
    (
        Conclusion(relation(UNEVEN, "<=", 2 * BOUND * SIZE * SPREAD * sp.exp(4 * BOUND * SIZE**2))),
        Conclusion(relation(THROUGH, "<=", (1 + 2 * WIDTH * sp.exp(4 * BOUND * SIZE**2)) * SPREAD)),
    ),
    meaning={
        UNEVEN: sp.exp(2 * SCORES_OFF) - 1,
        THROUGH: SPREAD + 2 * WIDTH * SPREAD + 2 * WIDTH * UNEVEN * SPREAD,
    },
    words=r"at initialisation, NoPE: a prefix spread of at most $\epsilon$ stays at most a constant times $\epsilon$ "
    r"through the layers, and so do $|A^c|$ and the gradients of $A^c$ for its own $W_Q$, $W_K$, with constants free "
    r"of $T$, with high probability; in one layer a spread $\Delta$ becomes $S$ at most, and $|A^c|\le\max|c|\,U$: ",
)


@BESIDE.necessary("drope-1", hypothesis=BOUNDED)
def drope_1_of_large_scores() -> Iterator[Evidence]:
    size = Fraction(1, 10)
    spread, found = _bias((-size, size), 1000)
    bound = constant_ball(LAYER.target(1).subs({SIZE: size, BOUND: sp.Integer(1), SPREAD: spread}))
    what = "states -1/10, 1/10 and |W_Q W_K^T| a thousand times its bound: |A^c|/max|c| against U's bound"
    yield below(what, found, bound)


@BESIDE.claim(
    "drope-1",
    where="Theorem 3.4",
    paper=PAPER,
    known=TEXT,
    kind="theorem",
    says=LAYER,
    assumes=(BOUNDED,),
    uses=("drope-0",),
    outline="By our own means: the scores of a row differ by B R Delta at most from that of the mean, so softmax is "
    "within e^(2 B R Delta) - 1 of uniform in sum, and every sum over a row has weights of sum 1. Bounds on the norms "
    "hold with high probability, since finitely many matrices are drawn, whatever T is.",
    proof=r"""
        Put $\bar h_i$ for the mean of the first $i$ states, so that $|h_j-\bar h_i|\le\Delta$ for $j\le i$;
        $\Delta\le2R$. In row $i$ each score is within $\delta=BR\Delta$ of $s$, that of $\bar h_i$, so
        $i\alpha_{ij}$ lies between $e^{-2\delta}$ and $e^{2\delta}$ and
        $\sum_j|\alpha_{ij}-\frac1i|\le e^{2\delta}-1\le2\delta e^{2\delta}\le2BRe^{4BR^2}\Delta$. As
        $\sum_jc_{ij}/i=0$ (`drope-0`), $|A^c|\le\max|c|\cdot2BRe^{4BR^2}\Delta$. A change $dW_Q$ moves
        $\alpha_{ij}$ by $\alpha_{ij}(ds_{ij}-\sum_l\alpha_{il}ds_{il})$, and as $h_j-\sum_l\alpha_{il}h_l$ has at
        most the length $2\Delta$, the bracket is at most $2RB\Delta|dW_Q|$; the weights $\alpha_{ij}$ sum to 1, so the
        gradient is at most $2\max|c|RB\Delta$, and that for $W_K$ likewise.

        Through a layer: $\sum_j\alpha_{ij}h_j$ is within $(e^{2\delta}-1)\Delta$ of $\bar h_i$, and $\bar h_r$,
        $r\le i$, within $\Delta$ of $\bar h_i$, so states $h_j+W_OW_V\sum_l\alpha_{jl}h_l$ of $j\le i$ are within
        $\Delta+2w\Delta+2w(e^{2\delta}-1)\Delta=(1+2we^{2\delta})\Delta$ of their mean; after a map of Lipschitz
        constant $K$ within $2K$ times that. $R$ becomes at most $K(1+w)R$ and a constant. None of this names $T$.

        With probability as near 1 as is asked, the norms of the finitely many weights are below a bound that depends on
        their law alone. $\square$
    """,
)
def drope_1(statement: Statement) -> Iterator[Evidence]:
    delta = sp.Symbol("delta", positive=True)
    u = sp.Symbol("u", nonnegative=True)
    most: Any = sp.exp(delta) / sp.exp(-delta)
    yield equality("i alpha at most: e^delta over a mean of at least e^-delta", most, sp.exp(2 * delta))
    uneven = most.subs(delta, SCORES_OFF) - 1
    yield equality("so off 1/i in sum at most by", statement.meaning[UNEVEN], uneven)
    yield rises("e^u - 1 less 1 - e^-u: the upper end is the farther one", sp.exp(u) - 2 + sp.exp(-u), u, 2)
    yield rises("u e^u less e^u - 1", u * sp.exp(u) - sp.exp(u) + 1, u, 1)
    angle, greatest = 2 * SCORES_OFF, statement.range_of(SPREAD).high
    steepest = sp.exp(angle.subs(SPREAD, greatest))
    yield equality("u e^u, the exponent at the greatest spread", angle * steepest, statement.target(1))
    through = SPREAD + 2 * WIDTH * SPREAD + 2 * WIDTH * uneven * SPREAD
    yield equality("what is said of the spread after attention", statement.spelt(THROUGH), through)
    known = sp.expand((1 + 2 * WIDTH * sp.exp(angle)) * SPREAD)
    yield equality("spread after attention", sp.expand(through), known)
    yield equality(
        "at the greatest spread", known.subs(sp.exp(angle), steepest), sp.expand(statement.target(2))
    )


@BESIDE.attack(
    "drope-1",
    domain="one layer, states in a line that alternate, or the last alone is another; T = 2, 9, 40; c = alpha - 1/i",
)
def drope_1_attack() -> Iterator[Evidence]:
    yield search("1 - |A^c|/its bound", _bias_margins(), control="0.996")
    small = relation(BOUND * SIZE**2, "<", 50)  # balls hold no larger exponentials
    yield from LAYER.within(small).attack()


def _bias_margins() -> Iterator[tuple[str, arb]]:
    for length, step in ((2, "1/100"), (9, "1/100"), (40, "1/100"), (9, "1"), (40, "3")):
        alternating = [1 + Fraction(step) * (-1) ** j / 2 for j in range(length)]
        for name, states in (
            ("alternating", alternating),
            ("last", [Fraction(1)] * (length - 1) + [1 + Fraction(step)]),
        ):
            size = max(map(abs, states))
            spread, unevenness = _bias(states)
            point = {SIZE: size, BOUND: sp.Integer(1), WIDTH: sp.Integer(1), SPREAD: spread}
            LAYER.values_at(point)  # refused outside the ranges, as where a state is larger than R
            bound = constant_ball(LAYER.target(1).subs(point))
            yield f"{name}, T = {length}, step {step}", 1 - unevenness / bound


def _bias(states: Sequence[Fraction], scores: int = 1) -> tuple[Fraction, arb]:
    """Prefix spread of states in a line, and |A^c|/max|c| of c = alpha - 1/i at scores so many times h_i h_j."""
    spread, largest, total = Fraction(0), arb(0), arb(0)
    for i in range(1, len(states) + 1):
        mean = sum(states[:i], Fraction(0)) / i
        spread = max(spread, *(abs(h - mean) for h in states[:i]))
        weights = [ball(scores * states[i - 1] * h).exp() for h in states[:i]]
        whole = sum(weights, arb(0))
        c = [weight / whole - ball(Fraction(1, i)) for weight in weights]
        largest = functools.reduce(arb.max, map(abs, c), largest)
        total += sum((x * (x + ball(Fraction(1, i))) for x in c), arb(0))
    return spread, abs(total) / (len(states) * largest)


def slow_frequencies(base: int, head_dim: int, length: int) -> int:
    """How many pairs turn less than once within the length: omega < 2 pi/length, each decided in balls."""
    turn = 2 * arb.pi() / ball(length)
    decided = [less(omega, turn) for omega in RopeSums.of(head_dim, base=base, turns=False).omega]
    if None in decided:
        raise ArithmeticError("a frequency cannot be told from one turn in the length: raise the precision")
    return sum(map(bool, decided))


PAIR = sp.Symbol("m", integer=True, nonnegative=True)
DEPLOYED, TRAINED = sp.Integer(10_000), sp.Integer(32_000)  # the base, C_train


def slowness(head_dim: int) -> sp.Expr:
    """omega_m C_train at the deployed base."""
    return DEPLOYED ** (-2 * PAIR / sp.Integer(head_dim)) * TRAINED


SLOW_FIVE = Statement(
    (Variable(PAIR, low=sp.Integer(27), high=sp.Integer(31), integer=True, closed=True, cut=True),),
    (Conclusion(relation(slowness(64), "<", 2 * sp.pi)),),
    words=r"base $10^4$, $d_k=64$, $C_{train}=32{,}000$: at least five frequencies have "
    r"$\omega_mC_{train}<2\pi$, so the "
    "slowest five of the 32 do: ",
)
LESS_THAN_ONCE = Statement(
    (Variable(PAIR, low=sp.Integer(0), high=sp.Integer(63), integer=True, closed=True),),
    (
        Conclusion(
            relation(slowness(64), "<", 2 * sp.pi), when=(relation(PAIR, ">=", 30), relation(PAIR, "<=", 31))
        ),
        Conclusion(relation(slowness(64), ">", 2 * sp.pi), when=(relation(PAIR, "<", 30),)),
        Conclusion(relation(slowness(128), "<", 2 * sp.pi), when=(relation(PAIR, ">=", 60),)),
        Conclusion(relation(slowness(128), ">", 2 * sp.pi), when=(relation(PAIR, "<", 60),)),
    ),
    words=r"two of the 32 pairs turn less than once within $C_{train}$, and at $d_k=128$ four of the 64: ",
)


@BESIDE.claim(
    "drope-freq",
    where="the example of the printed sizes",
    paper=PAPER,
    known=TEXT,
    kind="remark",
    says=SLOW_FIVE,
    outline="There are two.",
)
def drope_freq(statement: Statement) -> Iterator[Evidence]:
    found = slow_frequencies(int(DEPLOYED), 64, int(TRAINED))
    yield statement.fails_at({PAIR: 27})
    yield instance(exact("frequencies that turn less than once", found == 5, found, "five"))


@BESIDE.repair("drope-freq", says=LESS_THAN_ONCE, outline="Each frequency is decided in balls.")
def drope_freq_repaired(statement: Statement) -> Iterator[Evidence]:
    pair, decided = statement.range_of(PAIR), []
    for head_dim, conclusion in zip((64, 64, 128, 128), statement.conclusions, strict=True):
        slow, fewer = slow_frequencies(int(DEPLOYED), head_dim, int(TRAINED)), conclusion.says.rel_op == "<"
        pairs = [
            m
            for m in range(int(pair.low), int(pair.high) + 1)
            if all(one.subs(PAIR, m) for one in conclusion.when)
        ]
        count = slow if fewer else head_dim // 2 - slow
        what = (
            f"d_k = {head_dim}, pairs that turn {'less' if fewer else 'more'} than once, and those spoken of"
        )
        yield exact(what, len(pairs) == count and pairs[-1] < head_dim // 2, len(pairs), count)
        for m in pairs:
            greater, lesser = (constant_ball(side.subs(PAIR, m)) for side in conclusion.sides)
            decided.append(less(lesser, greater))
    yield exact(
        "every conclusion at every pair", set(decided) == {True}, f"{len(decided)} comparisons", "true"
    )


@BESIDE.attack("drope-freq*", domain="the slowest two and the third slowest, by their exponents in mpmath")
def drope_freq_attack() -> Iterator[Evidence]:
    def slow(length: int) -> Evidence:
        angles = (mpmath.mpf(10) ** (-4 * mpmath.mpf(2 * m) / 64) * length for m in range(32))
        found = [m for m, angle in enumerate(angles) if angle < 2 * mpmath.pi]
        return tried(f"pairs that turn less than once in {length}", found == [30, 31], found, [30, 31])

    yield controlled(slow(32_000), slow(64_000), slow(16_000))
    yield from LESS_THAN_ONCE.attack(number=150)
