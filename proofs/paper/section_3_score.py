"""Section 3, TAPA's score: Definition 3.1, eqs 9 to 13, and the linear phase of Section 4.5 (eq 16).

The algebra is exact; the scale 1/sqrt(D) needs a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import arrives, controlled, exact, instance, refutes, search, short, tried
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
    column,
    cosine_mean,
    for_every_size,
    gaussian_integral,
    off_diagonal,
    quadratic,
    stacked,
)
from proofs.ledger import attack, claim, practice, repair
from proofs.statements import Conclusion, Statement, Variable, relation

DISTANCE, POWER = sp.symbols("d alpha", positive=True)


def eq_9_score(matrix: Expr, phase: Expr, q: Expr, k: Expr, distance: Expr, alpha: Expr = POWER) -> Expr:
    """Eq 9: q^T M k cos(2 pi |m-n|^alpha phi), with phi already evaluated at (q, k)."""
    return (q.T * matrix * k)[0] * sp.cos(2 * sp.pi * sp.Abs(distance) ** alpha * phase)


@claim(
    "def-3.1",
    where="Sec. 3, Definition 3.1",
    kind="definition",
    in_words="a definition, of any smooth phase and any matrix",
    says=(
        r"TAPA of $(\phi, M, \alpha)$, $\phi$ smooth, $M$ any $D \times D$ matrix, $\alpha > 0$: $q^T M k "
        r"\cos(2\pi|m-n|^\alpha\phi(q,k))$"
    ),
    outline=(
        "Consistent: a real number for every q, k, m, n; at m = n it is q^T M k since 0^alpha = 0 for alpha > 0 "
        "(alpha = 0 would switch the distance off instead); the same for m-n and n-m, so it sees no direction."
    ),
)
def definition() -> Iterator[Evidence]:
    q, k, _ = quadratic(2)
    phase = sp.Symbol("phi", real=True)
    signed = sp.Symbol("lambda", real=True)
    one = sp.eye(2)
    yield identity(
        eq_9_score(one, phase, q, k, sp.Integer(0)), (q.T * k)[0], "m = n: the plain inner product"
    )
    yield identity(
        eq_9_score(one, phase, q, k, -signed),
        eq_9_score(one, phase, q, k, signed),
        "no direction: m-n against n-m",
    )


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


@claim(
    "eq-9",
    where="Sec. 3, eq 9",
    kind="definition",
    in_words="a definition, of any smooth phase and any matrix",
    says=r"$\mathrm{Attn}_{\phi,M,\alpha}(q,k) = q^T M k \cos(2\pi|m-n|^\alpha\phi(q,k))$",
    uses=("def-3.1",),
    outline="|Attn| <= |q^T M k|: the phase only damps, and turns the sign.",
)
def eq_9() -> Iterator[Evidence]:
    x = sp.Symbol("x", real=True)
    yield identity(1 - sp.cos(x) ** 2, sp.sin(x) ** 2, "1 - cos^2 is a square, so |cos| <= 1")


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


@claim(
    "rem-3.reduces",
    where="Sec. 3, after eq 9",
    kind="remark",
    in_words="an identity of forms in vectors of any length",
    says=r"$M = I_D$ and $\phi \equiv 0$ give the standard inner product attention, read as $q^T k$",
    outline="cos 0 = 1; the form q^T I k has coefficients delta_ij for every D.",
)
def reduces() -> Iterator[Evidence]:
    for head in (1, 2, 4):
        yield from reduction(sp.eye(head), sp.Integer(0), sp.Integer(1))


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
SCALED = Statement(
    ANY_PRODUCT,
    (Conclusion(relation(PRODUCT, "==", PRODUCT / sp.sqrt(WHOLE_HEAD))),),
    words=r"$M = I_D$ and $\phi \equiv 0$, where the score of (9) is $p = q^T k$, give the scaled product $q^T "
    r"k/\sqrt D$ "
    "that (2) and transformers use; ",
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
    yield from reduction(sp.eye(4), sp.Integer(0), sp.Integer(1))
    yield statement.fails_at({WHOLE_HEAD: 4, PRODUCT: 1})


SCORE_P = sp.Symbol(r"\mathrm{Attn}", real=True)
SCALED_REPAIRED = Statement(
    ANY_PRODUCT,
    (Conclusion(relation(SCORE_P, "==", PRODUCT / sp.sqrt(WHOLE_HEAD))),),
    meaning={
        SCORE_P: sp.Mul(
            1 / sp.sqrt(WHOLE_HEAD), PRODUCT, sp.cos(sp.Integer(0), evaluate=False), evaluate=False
        )
    },
    words=r"$M = I_D/\sqrt D$ and $\phi \equiv 0$ give (9) as the scaled product, $p = q^T k$; ",
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
            sp.Integer(0),
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


@claim(
    "eq-11",
    where="Sec. 3, eq 11",
    kind="definition",
    says=EQ_11,
    assumes=(r"$\theta D$ is an integer (implied: of all $\theta$ in $(0, 1)$ only $D-1$ are meant)",),
    outline="The two parts exhaust the head, and neither is empty.",
)
def eq_11(statement: Statement) -> Iterator[Evidence]:
    yield from statement.identities()
    sizes = [Split(64, Fraction(a, 64)).phase for a in range(1, 64)]
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
    """Eq 12 for the given split against eq 9 with phi = q^T N k, q and k symbolic."""
    q, k, _ = quadratic(head)
    top = sum(q[i] * k[i] for i in range(amplitude)) / sp.sqrt(amplitude)
    turn = sum(q[i] * k[i] for i in range(amplitude, head)) / sp.sqrt(head - amplitude)
    printed = top * sp.cos(2 * sp.pi * DISTANCE**POWER * turn)
    general = eq_9_score(m, (q.T * n * k)[0], q, k, DISTANCE)
    return identity(printed, general, f"eq 12 as eq 9, D = {head}, theta D = {amplitude}")


@claim(
    "eq-12",
    where="Sec. 3, eq 12",
    kind="definition",
    in_words="a definition, in vectors of any length",
    says=(
        r"$\mathrm{Attn}_{\theta,\alpha} = (q_A^T k_A/\sqrt{\theta D}) \cos(2\pi|m-n|^\alpha q_P^T "
        r"k_P/\sqrt{(1-\theta)D})$"
    ),
    uses=("eq-11",),
    outline=(
        "For independent q, k of mean 0 and variance 1: variance 1 of the score at distance 0, and standard "
        "deviation 1 turn of the phase at distance 1, so the cosine has gone round before the next token."
    ),
)
def eq_12() -> Iterator[Evidence]:
    size = sp.Symbol("a", positive=True, integer=True)
    yield identity(size * (1 / sp.sqrt(size)) ** 2, sp.Integer(1), "variance of q.k/sqrt(a) at unit scale")


@attack("eq-12", domain="the smallest head, D = 2, theta = 1/2; D = 1 cannot be split")
def eq_12_attack() -> Iterator[Evidence]:
    def splits(head: int) -> Evidence:
        whole = _whole(head, SHARE)
        return tried(f"D = {head}, theta = 1/2", whole, whole, "whole parts")

    yield controlled(splits(2), splits(1))


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


@claim(
    "eq-13",
    where="Sec. 3, eq 13",
    kind="equation",
    in_words="an identity of forms in vectors of any length",
    says=(
        r"(12) is (9) with (10), $M = \mathrm{diag}(I_{\theta D}, 0)/\sqrt{\theta D}$, $N = "
        r"\mathrm{diag}(0, I_{(1-\theta)D})/\sqrt{(1-\theta)D}$"
    ),
    uses=("eq-9", "eq-10", "eq-12"),
    outline=(
        "Bilinear forms agree when their coefficients do: delta_ij/sqrt(theta D) for i < theta D; likewise N."
    ),
)
def eq_13() -> Iterator[Evidence]:
    yield from special_everywhere()
    for head in range(2, 4):
        for amplitude in range(1, head):
            yield special_case(head, amplitude, *matrices(head, amplitude))


def special_everywhere(size: Expr | None = None) -> Iterator[Evidence]:
    """q^T M k and q^T N k of eq 13 for every split a + n: amplitude and phase of eq 12; `size` for a in M."""
    a = sp.Symbol("a", positive=True, integer=True)
    query, key = (column(f"{name}_A", a) for name in "qk"), (column(f"{name}_P") for name in "qk")
    (q_a, k_a), (q_p, k_p) = query, key
    scales = (1 / sp.sqrt(a if size is None else size), 1 / sp.sqrt(N))
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


@claim(
    "eq-10",
    where="Sec. 3, eq 10",
    kind="definition",
    in_words="an identity of forms in vectors and matrices of any size",
    says=(
        r"$\phi = q^T N k$; it equals $(1/2)(q,k)^T [[0,N],[N^T,0]] (q,k)$ (footnote 2), so it is a "
        "quadratic form on the space of $(q,k)$"
    ),
    outline="Note the factor 1/2 of the footnote: eq 75 drops it.",
)
def eq_10() -> Iterator[Evidence]:
    yield footnote_everywhere(sp.Rational(1, 2))
    yield footnote(2, sp.Rational(1, 2))


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


@claim(
    "rem-3.stationary",
    where="Sec. 3, after eq 10",
    kind="remark",
    in_words="of matrices of any size",
    says=(
        "for suitable $N$ the phase $q^T N k$ has a single critical point, and it is non-degenerate: "
        r"exactly for $\det N \ne 0$"
    ),
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
def stationary() -> Iterator[Evidence]:
    size = sp.Symbol("D", positive=True, integer=True)
    n, zero, one = sp.MatrixSymbol("N", size, size), sp.ZeroMatrix(size, size), sp.Identity(size)
    exchange, diagonal = sp.BlockMatrix([[zero, one], [one, zero]]), sp.BlockMatrix([[n.T, zero], [zero, n]])
    found, whole = sp.block_collapse(exchange * diagonal), sp.BlockMatrix([[zero, n], [n.T, zero]])
    yield exact(
        "every D: the exchange of blocks times diag(N^T, N) is the Hessian", found == whole, found, whole
    )
    for head in (1, 2, 3):
        entries: Expr = sp.Matrix(head, head, sp.symbols(f"N0:{head * head}", real=True))
        yield instance(hessian(entries, (-1) ** head * entries.det() ** 2))
    yield instance(hessian(sp.diag(0, 1), sp.Integer(0)))


def hessian(n: Expr, determinant: Expr) -> Evidence:
    """Determinant of the Hessian of q^T N k against a predicted one, and the gradient at the origin with it."""
    q, k, _ = quadratic(n.shape[0])
    variables = [*q, *k]
    phase = (q.T * n * k)[0]
    return identity(
        sp.hessian(phase, variables).det(), determinant, f"det Hessian of q^T N k, N = {n.tolist()}"
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


@claim(
    "eq-16",
    where="Sec. 4.5, eq 16",
    kind="definition",
    in_words="a definition that is ill-typed",
    says=r"$\phi(q,k) = (q^T, k^T) \cdot 1_{(1-\theta)D}/\sqrt{(1-\theta)D}$",
    outline=(
        "Ill-typed: (q^T, k^T) has 2D entries (2(1-theta)D if q_P, k_P are meant), the vector of ones (1-theta)D; "
        "they fit only for theta = -1 (never), outside (0, 1)."
    ),
)
def eq_16() -> Iterator[Evidence]:
    for what, entries in (("q, k", lambda share: 2), ("q_P, k_P", lambda share: 2 * (1 - share))):
        yield fits(what, entries)


def fits(what: str, entries: Callable[[Expr], Expr], ones: int = 1) -> Evidence:
    """Is there a theta in (0, 1) at which the row has as many entries as there are ones, both over D?"""
    share = sp.Symbol("theta", real=True)
    gap = sp.simplify(entries(share) - ones * (1 - share))
    roots = [root for root in sp.solve(gap, share) if 0 < root < 1] if gap != 0 else ["every theta"]
    return exact(f"theta in (0, 1) at which ({what}) fits the ones", bool(roots), roots or "none", "some")


@repair(
    "eq-16",
    in_words="a definition, in vectors of any length",
    says=(
        r"$\phi = (\sum_i q_{P,i} + \sum_i k_{P,i})/\sqrt{(1-\theta)D} = (q_P^T, k_P^T) "
        r"1_{2(1-\theta)D}/\sqrt{(1-\theta)D}$"
    ),
    outline="2(1-theta)D ones. Its variance is 2 for unit coordinates, that of the quadratic phase 1.",
)
def eq_16_repaired() -> Iterator[Evidence]:
    yield fits("q_P, k_P", lambda share: 2 * (1 - share), ones=2)
    q, k, _ = quadratic(3)
    row = q.col_join(k).T * sp.ones(6, 1)
    yield identity(row[0], sum((*q, *k)), "row of q_P, k_P times 6 ones, (1-theta)D = 3")


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


def slopes(size: int) -> tuple[Expr, Expr]:
    """Squared gradients in (q_P, k_P) of the linear and of the quadratic phase, `size` dimensions each."""
    q, k, _ = quadratic(size)
    variables = [*q, *k]
    root = sp.sqrt(size)
    linear, product = (sum((*q, *k))) / root, (q.T * k)[0] / root
    first, second = (sp.expand(sum(sp.diff(f, x) ** 2 for x in variables)) for f in (linear, product))
    return first, second


NORMS = sp.Symbol("G", nonnegative=True)
PHASE_SIZE = Variable(N, low=sp.Integer(1), integer=True, closed=True)
SENSITIVITY = Statement(
    (PHASE_SIZE, Variable(NORMS, low=sp.Integer(0), closed=True)),
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
    yield identity(linear, statement.target(), "squared gradient of the linear phase, n = 1")
    yield statement.fails_at({N: 1, NORMS: at})


SENSITIVITY_REPAIRED = Statement(
    (PHASE_SIZE, Variable(NORMS, low=sp.Integer(0), closed=True)),
    (
        Conclusion(relation(NORMS / N, "<", 2), when=(relation(NORMS, "<", 2 * N),)),
        Conclusion(relation(NORMS / N, ">=", 2), when=(relation(NORMS, ">=", 2 * N),)),
    ),
    words=r"$|\nabla\phi|^2 = 2$ everywhere for (16) repaired, $G/n$ with $G = |q_P|^2+|k_P|^2$ for the "
    r"quadratic phase: less "
    "exactly when $G < 2n$, equal in the mean for coordinates of unit second moment, where $G$ is $2n$; ",
)


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


def linear_cosine(variance: Expr) -> Expr:
    """E cos(2 pi s x) for a centred normal x, s = |m-n|^alpha; the sine part has mean 0."""
    exponent = -(Q**2) / (2 * variance) - sp.log(2 * sp.pi * variance) / 2 - 2 * sp.pi * sp.I * S * Q
    factor, rest = gaussian_integral(exponent, Q)
    return factor * sp.exp(rest)


LINEAR = Statement(
    (PHASE_SIZE, Variable(POWER, low=sp.Integer(0)), Variable(DISTANCE, low=sp.Integer(0))),
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
