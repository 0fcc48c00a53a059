"""Section 3, TAPA's score: Definition 3.1, eqs 9 to 13, and the linear phase of Section 4.5 (eq 16).

The algebra is exact; the scale 1/sqrt(D) needs a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import sympy as sp

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import controlled, exact, instance, refutes, search, short, tried
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import (
    ALPHA,
    HEAD_DIMS,
    LONGEST,
    SHARE,
    N,
    Q,
    S,
    Split,
    admitted_splits,
    column,
    counterexample,
    for_every_size,
    gaussian_integral,
    off_diagonal,
    quadratic,
    stacked,
)
from proofs.ledger import attack, claim, necessary, practice, repair
from proofs.statements import Conclusion, Statement, Variable, relation, tex
from proofs.tapa_letters import (
    AMPLITUDE_SIZE,
    ANY_LAG,
    ANY_POWER,
    ATTN,
    FORM_M,
    FORM_N,
    INNER,
    INNER_A,
    INNER_P,
    LAG,
    PHASE,
    PHASE_SIZE,
    SPLIT,
    equals,
    every_size,
    put,
    split_of,
)

DISTANCE, POWER = sp.symbols("d alpha", positive=True)


def eq_9_score(matrix: Expr, phase: Expr, q: Expr, k: Expr, distance: Expr, alpha: Expr = POWER) -> Expr:
    """Eq 9: q^T M k cos(2 pi |m-n|^alpha phi), with phi already evaluated at (q, k)."""
    return (q.T * matrix * k)[0] * sp.cos(2 * sp.pi * sp.Abs(distance) ** alpha * phase)


HERE, THERE = sp.symbols("m n", integer=True)
TAPA = Statement(
    (
        Variable(HERE, integer=True),
        Variable(THERE, integer=True),
        ANY_POWER,
        Variable(FORM_M),
        Variable(PHASE),
    ),
    (equals(ATTN, FORM_M * sp.cos(2 * sp.pi * sp.Abs(HERE - THERE) ** POWER * PHASE)),),
    words=r"TAPA of $(\phi, M, \alpha)$, $\phi$ smooth, $M$ any $D \times D$ matrix; ",
)


@claim(
    "def-3.1",
    where="Sec. 3, Definition 3.1",
    kind="definition",
    says=TAPA,
    outline=(
        "Consistent: a real number for every q, k, m, n; at m = n it is q^T M k since 0^alpha = 0 for alpha > 0 "
        "(alpha = 0 would switch the distance off instead); the same for m-n and n-m, so it sees no direction."
    ),
)
def definition(statement: Statement) -> Iterator[Evidence]:
    q, k, said = *quadratic(2)[:2], statement.target()
    matrix = sp.Matrix(2, 2, sp.symbols("M0:4", real=True))
    given = {FORM_M: (q.T * matrix * k)[0], HERE: THERE + DISTANCE}
    yield identity(put(said, given), eq_9_score(matrix, PHASE, q, k, DISTANCE), "the score in coordinates")
    yield identity(said.subs(HERE, THERE), FORM_M, "m = n: the plain form")
    yield identity(put(said, {HERE: THERE, THERE: HERE}), said, "no direction: m-n against n-m")
    yield statement.every_positive(POWER)


@attack("def-3.1", domain="alpha = 0, the excluded end, and alpha in 1/100..2 at distances 0 and 1")
def definition_attack() -> Iterator[Evidence]:
    def no_phase(lags: tuple[int, ...]) -> Evidence:
        powers = [sp.Integer(d) ** sp.Rational(alpha) for d in lags for alpha in ("1/100", "1/10", "1", "2")]
        what = f"d^alpha for alpha > 0, d in {lags}"
        return tried(what, all(x == 0 for x in powers), powers, "0: no phase at m = n")

    def no_distance(alphas: tuple[int, ...]) -> Evidence:
        powers = [sp.Integer(d) ** alpha for d in (1, 2, LONGEST) for alpha in alphas]
        what = f"|m-n|^alpha at 1, 2, 2^20, alpha in {alphas}"
        return tried(what, all(x == 1 for x in powers), powers, "1: no distance left")

    yield controlled(no_phase((0,)), no_phase((0, 1)))
    yield controlled(no_distance((0,)), no_distance((0, 1)))


EQ_9 = Statement(
    (ANY_LAG, ANY_POWER, Variable(FORM_M), Variable(PHASE)),
    (equals(ATTN, FORM_M * sp.cos(2 * sp.pi * LAG**POWER * PHASE)),),
    words=r"$\mathrm{Attn}$ of $(\phi, M, \alpha)$ at $(q, k)$: ",
)


@claim(
    "eq-9",
    where="Sec. 3, eq 9",
    kind="definition",
    says=EQ_9,
    uses=("def-3.1",),
    outline="|Attn| <= |q^T M k|: the phase only damps, and turns the sign.",
)
def eq_9(statement: Statement) -> Iterator[Evidence]:
    q, k, said = *quadratic(2)[:2], statement.target()
    matrix = sp.Matrix(2, 2, sp.symbols("M0:4", real=True))
    here = put(said, {FORM_M: (q.T * matrix * k)[0], LAG: DISTANCE})
    yield identity(here, eq_9_score(matrix, PHASE, q, k, DISTANCE), "the score in coordinates")
    yield identity(said, put(TAPA.target(), {HERE: LAG, THERE: 0}), "as Definition 3.1 has it")
    left = FORM_M * sp.sin(2 * sp.pi * LAG**POWER * PHASE)
    yield identity(FORM_M**2 - said**2, left**2, "|q^T M k|^2 - |Attn|^2 is a square")
    yield statement.every_positive(POWER)


@attack("eq-9", domain="integer phases at integer distances and alpha = 1: the cosine then never moves")
def eq_9_attack() -> Iterator[Evidence]:
    def stays(*phases: Expr) -> Evidence:
        values = {sp.cos(2 * sp.pi * d * phase) for d in range(1, 20) for phase in phases}
        return tried(f"cos(2 pi d phi), phi in {phases}", values == {1}, values, "{1}, allowed by eq 9")

    whole = sp.Integer(1), sp.Integer(2), sp.Integer(-3)
    yield controlled(stays(*whole), stays(*whole, sp.Rational(1, 2)))


def reduction(matrix: Expr, phase: Expr, scale: Expr) -> Iterator[Evidence]:
    """Score with the given M and phi against scale q.k, for D = len(M)."""
    q, k, _ = quadratic(matrix.shape[0])
    yield identity(
        eq_9_score(matrix, phase, q, k, DISTANCE), scale * (q.T * k)[0], "score against the inner product"
    )


FACTOR, CONSTANT = sp.symbols("c phi", real=True)
PLAIN = tuple(relation(letter, "==", value) for letter, value in ((FACTOR, 1), (CONSTANT, 0)))
REDUCES = Statement(
    (ANY_LAG, ANY_POWER, Variable(FACTOR), Variable(CONSTANT), Variable(INNER)),
    (equals(put(EQ_9.target(), {FORM_M: FACTOR * INNER, PHASE: CONSTANT}), INNER, *PLAIN),),
    words=r"the score (9) of $M = c I_D$ and a constant $\phi$ is the standard inner product attention, read as "
    r"$q^T k$, for $c$ and $\phi$ as below; ",
)


@claim(
    "rem-3.reduces",
    where="Sec. 3, after eq 9",
    kind="remark",
    says=REDUCES,
    cites=("eq-9",),
    outline="cos 0 = 1; the form q^T I k has coefficients delta_ij for every D.",
)
def reduces(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    factor, constant = (one.rhs for one in statement.conclusions[0].when)
    yield for_every_size(
        column("q").T * (factor * sp.Identity(N)) * column("k"), column("q").T * column("k"), "q^T I k"
    )
    for head in (1, 2, 4):
        yield from reduction(factor * sp.eye(head), constant, statement.target() / INNER)


FAR_ONE = {LAG: 1, POWER: 1, INNER: 1}


@necessary("rem-3.reduces", hypothesis=f"${tex(PLAIN[0])}$")
def reduces_at_any_scale() -> Iterator[Evidence]:
    yield REDUCES.without(PLAIN[0]).fails_at({**FAR_ONE, FACTOR: sp.Rational(1, 2), CONSTANT: 0})


@necessary("rem-3.reduces", hypothesis=f"${tex(PLAIN[1])}$")
def reduces_at_any_phase() -> Iterator[Evidence]:
    yield REDUCES.without(PLAIN[1]).fails_at({**FAR_ONE, FACTOR: 1, CONSTANT: sp.Rational(1, 3)})


@attack("rem-3.reduces", domain="a constant phase that is not 0: half a turn at odd distances, alpha = 1")
def reduces_attack() -> Iterator[Evidence]:
    q, k, _ = quadratic(2)

    def flips(phase: sp.Expr) -> Evidence:
        score = eq_9_score(sp.eye(2), phase, q, k, sp.Integer(1), sp.Integer(1))
        opposite = sp.expand(score + (q.T * k)[0]) == 0
        return tried(f"phi = {phase}, m-n = 1", opposite, score, "-q.k: phi = 0 is needed")

    yield controlled(flips(sp.Rational(1, 2)), flips(sp.Rational(1, 3)))


PRODUCT = sp.Symbol("p", real=True)
WHOLE_HEAD = sp.Symbol("D", integer=True, positive=True)
ANY_PRODUCT = (Variable(WHOLE_HEAD, low=sp.Integer(1), integer=True, closed=True), Variable(PRODUCT))
NO_PHASE = sp.Integer(0)
SCALED = Statement(
    ANY_PRODUCT,
    (Conclusion(relation(PRODUCT, "==", PRODUCT / sp.sqrt(WHOLE_HEAD))),),
    words=rf"$M = I_D$ and $\phi \equiv {NO_PHASE}$, where the score of (9) is $p = q^T k$, give the scaled product "
    r"$q^T k/\sqrt D$ that (2) and transformers use; ",
)


@claim(
    "rem-3.reduces.scaled",
    where="Sec. 3, after eq 9",
    kind="remark",
    says=SCALED,
    cites=(
        "eq-2",
        "eq-9",
    ),
    outline="The factor 1/sqrt(D) is missing; D = 4, q = k = (1, 0, 0, 0): 1 against 1/2.",
)
def reduces_scaled(statement: Statement) -> Iterator[Evidence]:
    plain = reduction(sp.eye(4), NO_PHASE, sp.Integer(1))
    yield from counterexample(plain, statement.fails_at({WHOLE_HEAD: 4, PRODUCT: 1}))


SCORE_P = sp.Symbol(r"\mathrm{Attn}", real=True)
SCALED_REPAIRED = Statement(
    ANY_PRODUCT,
    (Conclusion(relation(SCORE_P, "==", PRODUCT / sp.sqrt(WHOLE_HEAD))),),
    meaning={
        SCORE_P: sp.Mul(1 / sp.sqrt(WHOLE_HEAD), PRODUCT, sp.cos(NO_PHASE, evaluate=False), evaluate=False)
    },
    words=rf"$M = I_D/\sqrt D$ and $\phi \equiv {NO_PHASE}$ give (9) as the scaled product, $p = q^T k$; ",
)


@repair(
    "rem-3.reduces.scaled",
    says=SCALED_REPAIRED,
    cites=("eq-9",),
    outline="The scale belongs into M, where eq 13 has it.",
)
def reduces_scaled_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    for head in (1, 2, 3, 4):
        yield from reduction(
            sp.eye(head) / sp.sqrt(head),
            NO_PHASE,
            statement.target().subs({WHOLE_HEAD: head, PRODUCT: 1}),
        )


@attack("rem-3.reduces.scaled*", domain=SCALED_REPAIRED.domain())
def rem_3_reduces_scaled_repaired_statement_attack() -> Iterator[Evidence]:
    yield from SCALED_REPAIRED.attack()


@attack("rem-3.reduces.scaled", domain="D = 1..4: only D = 1 agrees")
def reduces_scaled_attack() -> Iterator[Evidence]:
    def agree(*heads: int) -> Evidence:
        scales = [sp.sqrt(head) for head in heads]
        return tried(f"1 = 1/sqrt(D) at D in {heads}", all(s == 1 for s in scales), scales, "D = 1 alone")

    yield controlled(agree(1), *(agree(1, head) for head in (2, 3, 4)))


HEAD_DIM, PART = sp.symbols("D theta", positive=True)
EQ_11 = Statement(
    (Variable(HEAD_DIM, low=sp.Integer(0)), Variable(PART, low=sp.Integer(0), high=sp.Integer(1))),
    (Conclusion(relation(PART * HEAD_DIM + (1 - PART) * HEAD_DIM, "==", HEAD_DIM)),),
    words=r"$q = (q_A, q_P)$, $k = (k_A, k_P)$, $q_A$, $k_A \in \mathbb{R}^{\theta D}$, $q_P$, $k_P \in "
    r"\mathbb{R}^{(1-\theta)D}$; the two parts exhaust the head: ",
)


WHOLE_PARTS = r"$\theta D$ is an integer (implied: of all $\theta$ in $(0, 1)$ only $D-1$ are meant)"


@necessary("eq-11", hypothesis=WHOLE_PARTS)
def eq_11_in_tenths() -> Iterator[Evidence]:
    head, share = sp.Integer(64), sp.Rational(1, 10)
    sizes = [part.subs({HEAD_DIM: head, PART: share}) for part in EQ_11.conclusions[0].says.lhs.args]
    found = sum(map(sp.floor, sizes))
    yield exact(f"coordinates in whole parts of at most {sizes}", found == head, found, head)


@claim(
    "eq-11",
    where="Sec. 3, eq 11",
    kind="definition",
    says=EQ_11,
    assumes=(WHOLE_PARTS,),
    outline="The two parts exhaust the head, and neither is empty.",
)
def eq_11(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    sizes = [split.phase for split in admitted_splits(64)]
    yield exact(
        "D = 64: sizes of the phase for theta = 1/64..63/64", sizes == list(range(63, 0, -1)), len(sizes), 63
    )


@attack(
    "eq-11", domain=f"{EQ_11.domain()}; " + "theta = 1/10..9/10 at D = 64, 128, 256: which give whole parts?"
)
def eq_11_attack() -> Iterator[Evidence]:
    def halves_alone(head: int) -> Evidence:
        whole = [f"{i}/10" for i in range(1, 10) if _whole(head, Fraction(i, 10))]
        what = f"D = {head}: theta in tenths that split the head"
        return tried(what, whole == ["5/10"], whole, "5/10 alone")

    for head in HEAD_DIMS:
        yield controlled(halves_alone(head), halves_alone(head + 1), halves_alone(10))
    yield from EQ_11.attack()


def _whole(head: int, share: Fraction) -> bool:
    try:
        Split(head, share)
    except InputError:
        return False
    return True


def matrices(head: int, amplitude: int) -> tuple[Expr, Expr]:
    """M and N of eq 13."""
    phase = head - amplitude
    m = sp.diag(*([1 / sp.sqrt(amplitude)] * amplitude + [0] * phase))
    return m, sp.diag(*([0] * amplitude + [1 / sp.sqrt(phase)] * phase))


def special_case(head: int, amplitude: int, m: Expr, n: Expr) -> Evidence:
    """Eq 12, as its statement has it, for the given split against eq 9 with phi = q^T N k, q and k symbolic."""
    q, k, _ = quadratic(head)
    top = sum(q[i] * k[i] for i in range(amplitude))
    turn = sum(q[i] * k[i] for i in range(amplitude, head))
    given = split_of(amplitude, head - amplitude)
    printed = put(EQ_12.target(), {**given, INNER_A: top, INNER_P: turn, LAG: DISTANCE})
    general = eq_9_score(m, (q.T * n * k)[0], q, k, DISTANCE)
    return identity(printed, general, f"eq 12 as eq 9, D = {head}, theta D = {amplitude}")


EQ_12 = Statement(
    (*SPLIT, ANY_LAG, ANY_POWER, Variable(INNER_A), Variable(INNER_P)),
    (
        equals(
            ATTN,
            INNER_A
            / sp.sqrt(AMPLITUDE_SIZE)
            * sp.cos(2 * sp.pi * LAG**POWER * INNER_P / sp.sqrt(PHASE_SIZE)),
        ),
    ),
    words=r"$\mathrm{Attn}$ of $(\theta, \alpha)$ at $(q, k)$: ",
)


def scales(score: Expr) -> tuple[Expr, Expr]:
    """What stands before q_A^T k_A in the amplitude, and before q_P^T k_P in the phase, in turns at distance 1."""
    (wave,) = score.atoms(sp.cos)
    return score.subs(INNER_P, 0) / INNER_A, wave.args[0].subs(LAG, 1) / (2 * sp.pi * INNER_P)


@claim(
    "eq-12",
    where="Sec. 3, eq 12",
    kind="definition",
    says=EQ_12,
    uses=("eq-11",),
    outline=(
        "For independent q, k of mean 0 and variance 1: variance 1 of the score at distance 0, and standard "
        "deviation 1 turn of the phase at distance 1, so the cosine has gone round before the next token."
    ),
)
def eq_12(statement: Statement) -> Iterator[Evidence]:
    said, size = statement.target(), sp.Symbol("a", positive=True, integer=True)
    before = scales(said)
    for part, scale, summands in zip(("score at 0", "phase at 1"), before, (size, N), strict=True):
        square = put(scale, split_of(size, N)) ** 2  # of each of the summands, independent of variance 1
        yield identity(
            sp.simplify(square) * summands, sp.Integer(1), f"variance of the {part}, unit coordinates"
        )
    form, phase = (scale * inner for scale, inner in zip(before, (INNER_A, INNER_P), strict=True))
    yield identity(said, put(EQ_9.target(), {FORM_M: form, PHASE: phase}), "a score of the form of eq 9")
    yield statement.every_positive(HEAD_DIM, POWER)
    share = statement.range_of(PART)
    yield exact(
        "a share of the head", (share.low, share.high) == (0, 1), share.words(), "0 to 1, both left out"
    )


@attack("eq-12", domain="the smallest head, D = 2, theta = 1/2; D = 1 cannot be split")
def eq_12_attack() -> Iterator[Evidence]:
    def admitted_splits(head: int) -> Evidence:
        whole = _whole(head, SHARE)
        return tried(f"D = {head}, theta = 1/2", whole, whole, "whole parts")

    yield controlled(admitted_splits(2), admitted_splits(1))


@practice("eq-12")
def eq_12_practice() -> Iterator[dict[str, object]]:
    """Rows: how far |m-n|^alpha moves, and how many tokens the trained exponent needs for one more turn."""
    for distance in (1, 100, 8192, LONGEST):
        power = ball(distance) ** ball(ALPHA)
        yield {
            "distance": distance,
            "|m-n|^0.1": short(power),
            "turns per token at phi = 1": short(ball(ALPHA) * power / distance),
            "more tokens until the phase has doubled": 1023 * distance,
        }


SCALE_M, SCALE_N = sp.symbols("mu nu", positive=True)
EQ_13 = Statement(
    EQ_12.variables,
    (
        equals(
            put(EQ_9.target(), {FORM_M: SCALE_M * INNER_A, PHASE: SCALE_N * INNER_P}),
            EQ_12.target(),
        ),
    ),
    meaning={SCALE_M: 1 / sp.sqrt(AMPLITUDE_SIZE), SCALE_N: 1 / sp.sqrt(PHASE_SIZE)},
    words=r"(12) is (9) with (10), $M = \mu\,\mathrm{diag}(I_{\theta D}, 0)$, $N = "
    r"\nu\,\mathrm{diag}(0, I_{(1-\theta)D})$; ",
)


@claim(
    "eq-13",
    where="Sec. 3, eq 13",
    kind="equation",
    says=EQ_13,
    uses=("eq-9", "eq-10", "eq-12"),
    cites=("eq-9", "eq-10", "eq-12"),
    outline=(
        "Bilinear forms agree when their coefficients do: delta_ij/sqrt(theta D) for i < theta D; likewise N."
    ),
)
def eq_13(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    yield from special_everywhere()
    for split in admitted_splits(3):
        yield special_case(3, split.amplitude, *matrices(3, split.amplitude))


def special_everywhere(size: Expr | None = None) -> Iterator[Evidence]:
    """q^T M k and q^T N k of eq 13 for every split a + n: amplitude and phase of eq 12; `size` for a in mu and nu."""
    a = sp.Symbol("a", positive=True, integer=True)
    query, key = (column(f"{name}_A", a) for name in "qk"), (column(f"{name}_P") for name in "qk")
    (q_a, k_a), (q_p, k_p) = query, key
    given = split_of(a if size is None else size, N)
    scales = [sp.simplify(put(scale, given)) for scale in EQ_13.meaning.values()]
    off = sp.ZeroMatrix(a, N)
    m = sp.BlockMatrix([[scales[0] * sp.Identity(a), off], [off.T, sp.ZeroMatrix(N, N)]])
    n = sp.BlockMatrix([[sp.ZeroMatrix(a, a), off], [off.T, scales[1] * sp.Identity(N)]])
    row, column_ = stacked(q_a, q_p)[0], stacked(k_a, k_p)[1]
    yield for_every_size(row * m * column_, q_a.T * k_a / sp.sqrt(a), "q^T M k is the amplitude of eq 12")
    yield for_every_size(row * n * column_, q_p.T * k_p / sp.sqrt(N), "q^T N k is the phase of eq 12")


@attack("eq-13", domain="M and N exchanged at the smallest split, D = 2")
def eq_13_attack() -> Iterator[Evidence]:
    m, n = matrices(2, 1)
    yield refutes(special_case(2, 1, n, m))


ON_PAIRS = sp.Symbol("(q,k)^{T} [[0,N],[N^{T},0]] (q,k)", real=True)
EQ_10 = Statement(
    (),
    (equals(PHASE, FORM_N), equals(FORM_N, ON_PAIRS / 2)),
    words=r"of every $D \times D$ matrix $N$: the phase is bilinear, and a quadratic form on the space of $(q,k)$",
)


@claim(
    "eq-10",
    where="Sec. 3, eq 10 and footnote 2",
    kind="definition",
    says=EQ_10,
    outline="Note the factor 1/2 of the footnote: eq 75 drops it.",
)
def eq_10(statement: Statement) -> Iterator[Evidence]:
    factor = statement.target(2) / ON_PAIRS
    yield footnote_everywhere(factor)
    yield footnote(2, factor)
    q, k, _ = quadratic(2)
    form = (q.T * matrices(2, 1)[1] * k)[0]  # N of eq 13, with which the phase is that of eq 12
    phase = put(scales(EQ_12.target())[1], split_of(1, 1)) * q[1] * k[1]
    yield identity(phase, put(statement.target(1), {FORM_N: form}), "the phase of eq 12, D = 2")
    yield identity(statement.conclusions[1].says.lhs, FORM_N, "which is the form of the footnote")


def footnote_everywhere(factor: Expr) -> Evidence:
    """The footnote for every D, in blocks."""
    q, k, matrix = column("q"), column("k"), sp.MatrixSymbol("N", N, N)
    row, x = stacked(q, k)
    return for_every_size(q.T * matrix * k, factor * row * off_diagonal(matrix) * x, "footnote 2")


def footnote(head: int, factor: Expr) -> Evidence:
    """q^T N k against factor (q,k)^T [[0,N],[N^T,0]] (q,k), N with symbolic entries."""
    q, k, _ = quadratic(head)
    n = sp.Matrix(head, head, sp.symbols(f"N0:{head * head}", real=True))
    x, zero = q.col_join(k), sp.zeros(head)
    block = sp.Matrix(sp.BlockMatrix([[zero, n], [n.T, zero]]))
    return identity((q.T * n * k)[0], factor * (x.T * block * x)[0], f"footnote 2, D = {head}")


@attack("eq-10", domain="the footnote without its factor 1/2")
def eq_10_attack() -> Iterator[Evidence]:
    yield refutes(footnote(2, sp.Integer(1)))


DETERMINANT = sp.Symbol(r"\det{N}", real=True)
DEGENERATE = relation(DETERMINANT, "==", 0)
REGULAR = relation(DETERMINANT, "!=", 0)
OF_HESSIAN = (-1) ** WHOLE_HEAD * DETERMINANT**2
STATIONARY = Statement(
    (Variable(WHOLE_HEAD, low=sp.Integer(1), integer=True, closed=True), Variable(DETERMINANT)),
    (
        Conclusion(relation(OF_HESSIAN, "!=", 0), when=(REGULAR,)),
        Conclusion(relation(OF_HESSIAN, "==", 0), when=(DEGENERATE,)),
    ),
    words="for suitable $N$ the phase $q^T N k$ has a single critical point, and it is non-degenerate: "
    rf"exactly for ${tex(REGULAR)}$; the determinant of its Hessian on the space of $(q,k)$ is the left side below, ",
)


@necessary("rem-3.stationary", hypothesis=f"${tex(REGULAR)}$")
def stationary_of_any_matrix() -> Iterator[Evidence]:
    yield STATIONARY.without(REGULAR).fails_at({WHOLE_HEAD: 2, DETERMINANT: 0})


@claim(
    "rem-3.stationary",
    where="Sec. 3, after eq 10",
    kind="remark",
    says=STATIONARY,
    outline=(
        "The gradient is (N k, N^T q), the Hessian [[0,N],[N^T,0]] has determinant (-1)^D det(N)^2. Note that N "
        "of eq 13 is not such a choice on the space of (q, k): its critical set is q_P = k_P = 0, of dimension "
        "2 theta D; it is one on the space of (q_P, k_P), with (q_A, k_A) held fixed."
    ),
    proof=r"""
        The critical points are the $(q,k)$ with $Nk=0$ and $N^Tq=0$: the origin alone if and only if
        $\det N\ne0$. The Hessian has the blocks $0$ and $N$ above $N^T$ and $0$. It is the exchange of the
        two halves of the rows times the matrix with the blocks $N^T$ and $N$ on its diagonal. The
        first exchanges $D$ pairs of rows, so its determinant is $(-1)^D$, and that of the second is
        $\det(N)^2$: the Hessian at the only critical point is invertible. $\square$
    """,
)
def stationary(statement: Statement) -> Iterator[Evidence]:
    yield every_size(statement, WHOLE_HEAD)
    size = sp.Symbol("D", positive=True, integer=True)
    n, zero, one = sp.MatrixSymbol("N", size, size), sp.ZeroMatrix(size, size), sp.Identity(size)
    exchange, diagonal = sp.BlockMatrix([[zero, one], [one, zero]]), sp.BlockMatrix([[n.T, zero], [zero, n]])
    found, whole = sp.block_collapse(exchange * diagonal), sp.BlockMatrix([[zero, n], [n.T, zero]])
    yield exact(
        "every D: the exchange of blocks times diag(N^T, N) is the Hessian", found == whole, found, whole
    )
    for conclusion in statement.conclusions:
        said, (when,) = conclusion.says, conclusion.when
        for head in (1, 2, 3):
            entries: Expr = sp.Matrix(head, head, sp.symbols(f"N0:{head * head}", real=True))
            predicted = put(said.lhs, {WHOLE_HEAD: head, DETERMINANT: entries.det()})
            yield instance(hessian(entries, predicted))
        roots = sp.solve(said.lhs / (-1) ** WHOLE_HEAD - said.rhs, DETERMINANT)
        alike = (when.lhs, roots, said.rel_op) == (DETERMINANT, [when.rhs], when.rel_op)
        yield exact("it is 0 where the determinant of N is, and there alone", alike, roots, when.rhs)
    yield instance(hessian(sp.diag(0, 1), sp.Integer(0)))


def hessian(n: Expr, determinant: Expr) -> Evidence:
    """Determinant of the Hessian of q^T N k against a predicted one, and the gradient at the origin with it."""
    q, k, _ = quadratic(n.shape[0])
    variables = [*q, *k]
    phase = (q.T * n * k)[0]
    matrix = sp.hessian(phase, variables).to_DM()
    return identity(
        matrix.domain.to_sympy(matrix.det()), determinant, f"det Hessian of q^T N k, N = {n.tolist()}"
    )


@attack(
    "rem-3.stationary", domain="singular N, rank D-1 down to 0, D = 3: is the critical point still single?"
)
def stationary_attack() -> Iterator[Evidence]:
    def dimension(rank: int, said: int) -> Evidence:
        n = sp.diag(*([1] * rank + [0] * (3 - rank)))
        lines = len(n.nullspace()) + len(n.T.nullspace())
        return tried(f"rank {rank}: dimension of the critical set", lines == said, lines, said)

    for rank in range(3):
        said = 2 * (3 - rank)  # above 0: not single
        yield controlled(dimension(rank, said), dimension(3, said))


ENTRY = sp.Integer(1)  # of the vector of (16) before it is divided
EQ_16 = Statement(
    SPLIT,
    (equals(2 * HEAD_DIM, PHASE_SIZE), equals(2 * PHASE_SIZE, PHASE_SIZE)),
    words=rf"$\phi(q,k) = (q^T, k^T) \cdot \frac{{{ENTRY}_{{{tex(PHASE_SIZE)}}}}}"
    rf"{{{tex(sp.sqrt(PHASE_SIZE))}}}$; as an inner product it takes as many entries as there are "
    "ones, with $q$, $k$ as written, and with $q_P$, $k_P$ if they are meant: ",
)


@claim(
    "eq-16",
    where="Sec. 4.5, eq 16",
    kind="definition",
    says=EQ_16,
    outline=(
        "Ill-typed: (q^T, k^T) has 2D entries (2(1-theta)D if q_P, k_P are meant), the vector of ones (1-theta)D; "
        "they fit only for theta = -1 (never), outside (0, 1)."
    ),
)
def eq_16(statement: Statement) -> Iterator[Evidence]:
    squared = PHASE_SIZE * (ENTRY / sp.sqrt(PHASE_SIZE)) ** 2
    unit = identity(squared, sp.Integer(1), "the squared length of the vector")
    for what, conclusion in zip(("q, k", "q_P, k_P"), statement.conclusions, strict=True):
        said = conclusion.says
        yield instance(fits(what, lambda share, entries=said.lhs: put(entries / HEAD_DIM, {PART: share})))
    refuted = statement.fails_at({HEAD_DIM: 2, PART: sp.Rational(1, 2)}, also=(2,))
    yield from counterexample([unit], refuted)


def fits(what: str, entries: Callable[[Expr], Expr], ones: int = 1) -> Evidence:
    """Is there a theta in (0, 1) at which the row has as many entries as there are ones, both over D?"""
    share = sp.Symbol("theta", real=True)
    gap = sp.simplify(entries(share) - ones * (1 - share))
    roots = [root for root in sp.solve(gap, share) if 0 < root < 1] if gap != 0 else ["every theta"]
    return exact(f"theta in (0, 1) at which ({what}) fits the ones", bool(roots), roots or "none", "some")


SUMS = tuple(sp.Symbol(rf"\sum_{{i}} {name}_{{P,i}}", real=True) for name in "qk")
ROW, ONES = sp.Symbol(r"(q_P^{T},k_P^{T})1_{e}", real=True), sp.Symbol("e", positive=True)
EQ_16_REPAIRED = Statement(
    SPLIT,
    (
        equals(PHASE, sum(SUMS) / sp.sqrt(PHASE_SIZE)),
        equals(PHASE, ROW / sp.sqrt(PHASE_SIZE)),
        equals(ONES, 2 * PHASE_SIZE),
    ),
)


@repair(
    "eq-16",
    says=EQ_16_REPAIRED,
    outline="2(1-theta)D ones. Its variance is 2 for unit coordinates, that of the quadratic phase 1.",
)
def eq_16_repaired(statement: Statement) -> Iterator[Evidence]:
    sums, row, ones = (statement.target(index) for index in (1, 2, 3))
    for size, conclusion in zip((4, 3), EQ_16.conclusions, strict=True):  # of D = 4, theta = 1/4, as printed
        q, k, _ = quadratic(size)
        entries, printed = (put(side, split_of(1, 3)) for side in (conclusion.says.lhs, conclusion.says.rhs))
        yield identity(entries, len(q.col_join(k)), f"entries of the row of 2 x {size} coordinates")
        yield identity(2 * printed, put(ones, split_of(1, 3)), "half as many ones are printed")
    yield fits("q_P, k_P", lambda share: 2 * (1 - share), ones=2)
    for amplitude, size in ((1, 1), (2, 3)):
        q, k, _ = quadratic(size)
        given = split_of(amplitude, size)
        found = q.col_join(k).T * sp.ones(put(ones, given), 1)
        by_row, by_sums = (
            put(side, {**given, ROW: found[0], **dict(zip(SUMS, (sum(q), sum(k)), strict=True))})
            for side in (row, sums)
        )
        yield identity(by_row, by_sums, f"row of q_P, k_P times its ones, (1-theta)D = {size}")
    square = put(sp.diff(sums, SUMS[0]), split_of(LAG, N)) ** 2  # of each coordinate's factor
    yield identity(sp.simplify(square) * 2 * N, sp.Integer(2), "variance of the phase for unit coordinates")


@attack("eq-16", domain="D = 2..256 and every split: sizes 2D and 2(1-theta)D against (1-theta)D")
def eq_16_attack() -> Iterator[Evidence]:
    cases = (
        (f"D = {d}, phase {n}", ball(min(2 * d - n, 2 * n - n))) for d in (2, 3, 64, 256) for n in range(1, d)
    )
    yield search("entries less ones, both at least", cases, control="1.01")


@attack("eq-16*", domain="n = 1, the smallest phase: one query and one key coordinate")
def eq_16_repaired_attack() -> Iterator[Evidence]:
    q, k, _ = quadratic(1)

    def sums(*signs: int) -> Evidence:
        row = (q.col_join(k).T * sp.Matrix(signs))[0]
        return tried(f"n = 1, {signs} for ones", row == q[0] + k[0], row, "q0 + k0")

    yield controlled(sums(1, 1), sums(1, -1))


def linear_cosine(variance: Expr) -> Expr:
    """E cos(2 pi s x) for a centred normal x, s = |m-n|^alpha; the sine part has mean 0."""
    exponent = -(Q**2) / (2 * variance) - sp.log(2 * sp.pi * variance) / 2 - 2 * sp.pi * sp.I * S * Q
    factor, rest = gaussian_integral(exponent, Q)
    return factor * sp.exp(rest)
