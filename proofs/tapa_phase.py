"""TAPA's phases: the quadratic one (eq 10) and where it is stationary, the linear one (eq 16) and section 4.5."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import exact, search, tried
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import (
    N,
    Q,
    S,
    column,
    cosine_mean,
    for_every_size,
    gaussian_integral,
    off_diagonal,
    quadratic,
    refutes,
    stacked,
)
from proofs.ledger import attack, claim, repair


@claim(
    "eq-10",
    where="Sec. 3, eq 10",
    kind="definition",
    says=(
        r"\phi = q^T N k; it equals (1/2)(q,k)^T [[0,N],[N^T,0]] (q,k) (footnote 2), so it is a quadratic form "
        r"on the space of (q,k)"
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
    says=(
        r"for suitable N the phase q^T N k has a single critical point, and it is non-degenerate: exactly for "
        r"\det N \ne 0"
    ),
    outline=(
        "The gradient is (N k, N^T q), the Hessian [[0,N],[N^T,0]] has determinant (-1)^D det(N)^2. Note that N "
        "of eq 13 is not such a choice on the space of (q, k): its critical set is q_P = k_P = 0, of dimension "
        "2 theta D; it is one on the space of (q_P, k_P), with (q_A, k_A) held fixed."
    ),
)
def stationary() -> Iterator[Evidence]:
    for head in (1, 2, 3):
        n: Expr = sp.Matrix(head, head, sp.symbols(f"N0:{head * head}", real=True))
        yield hessian(n, (-1) ** head * n.det() ** 2)
    yield hessian(sp.diag(0, 1), sp.Integer(0))
    yield hessian(sp.diag(1), sp.Integer(-1))


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
    for rank in range(3):
        n = sp.diag(*([1] * rank + [0] * (3 - rank)))
        lines = len(n.nullspace()) + len(n.T.nullspace())
        yield tried(
            f"rank {rank}: dimension of the critical set", lines == 2 * (3 - rank), lines, "> 0: not single"
        )


@claim(
    "eq-16",
    where="Sec. 4.5, eq 16",
    kind="definition",
    says=r"\phi(q,k) = (q^T, k^T) \cdot 1_{(1-\theta)D}/\sqrt{(1-\theta)D}",
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
    says=(
        r"\phi = (\sum_i q_{P,i} + \sum_i k_{P,i})/\sqrt{(1-\theta)D} = (q_P^T, k_P^T) 1_{2(1-\theta)D}"
        r"/\sqrt{(1-\theta)D}"
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
    yield search("entries less ones, both at least", cases)


@attack("eq-16*", domain="n = 1, the smallest phase: one query and one key coordinate")
def eq_16_repaired_attack() -> Iterator[Evidence]:
    q, k, _ = quadratic(1)
    row = (q.col_join(k).T * sp.ones(2, 1))[0]
    yield tried("n = 1", row == q[0] + k[0], row, "q0 + k0")


def slopes(size: int) -> tuple[Expr, Expr]:
    """Squared gradients in (q_P, k_P) of the linear and of the quadratic phase, `size` dimensions each."""
    q, k, _ = quadratic(size)
    variables = [*q, *k]
    root = sp.sqrt(size)
    linear, product = (sum((*q, *k))) / root, (q.T * k)[0] / root
    first, second = (sp.expand(sum(sp.diff(f, x) ** 2 for x in variables)) for f in (linear, product))
    return first, second


@claim(
    "rem-4.5",
    where="Sec. 4.5",
    kind="remark",
    says=(
        r"non-stationary (linear) phases oscillate faster in representation space, stationary ones are less "
        r"sensitive to small changes; read: |\nabla\phi| is smaller for q_P^T k_P than for (16)"
    ),
    outline="n = 1, q_P = k_P = 2: squared gradients 8 (quadratic) and 2 (linear).",
)
def sensitivity() -> Iterator[Evidence]:
    linear, product = slopes(1)
    at = product.subs(dict.fromkeys(product.free_symbols, 2))
    yield exact(
        "squared gradient, quadratic against linear, at q_P = k_P = 2", bool(at <= linear), at, linear
    )


@repair(
    "rem-4.5",
    says=(
        r"|\nabla\phi|^2 = 2 everywhere for (16) repaired, (|q_P|^2+|k_P|^2)/n for the quadratic phase: less "
        r"exactly when |q_P|^2+|k_P|^2 < 2n, equal in the mean for coordinates of unit second moment"
    ),
    outline="Scale decides, not stationarity: what trains more stably here is a phase that starts small.",
)
def sensitivity_repaired() -> Iterator[Evidence]:
    one, term = sp.symbols("one term", real=True)  # coordinate by coordinate: d(q k)/dq = k, d(q + k)/dq = 1
    yield identity(sp.diff(one * term, one) ** 2, term**2, "one coordinate of the quadratic phase's gradient")
    for size in (1, 2, 5):
        q, k, _ = quadratic(size)
        linear, product = slopes(size)
        yield identity(linear, sp.Integer(2), f"linear phase, n = {size}")
        yield identity(product, sum(x**2 for x in (*q, *k)) / size, f"quadratic phase, n = {size}")
    yield identity(2 * N / N, sp.Integer(2), "mean of (|q_P|^2 + |k_P|^2)/n at unit second moments")


@attack("rem-4.5", domain="where the printed reading does hold: q_P = k_P on a grid from 0 to 3, n = 1")
def sensitivity_attack() -> Iterator[Evidence]:
    linear, product = slopes(1)
    grid = [sp.Rational(i, 4) for i in range(13)]
    calm = [x for x in grid if product.subs(dict.fromkeys(product.free_symbols, x)) < linear]
    yield tried("q_P = k_P with a smaller gradient", calm == grid[:4], calm, "below 1 alone")


def linear_cosine(variance: Expr) -> Expr:
    """E cos(2 pi s x) for a centred normal x, s = |m-n|^alpha; the sine part has mean 0."""
    exponent = -(Q**2) / (2 * variance) - sp.log(2 * sp.pi * variance) / 2 - 2 * sp.pi * sp.I * S * Q
    factor, rest = gaussian_integral(exponent, Q)
    return factor * sp.exp(rest)


@claim(
    "rem-4.5.linear",
    where="Sec. 4.5",
    kind="step",
    says=(
        r"q_P, k_P independent, standard normal: the mean cosine of the linear phase is "
        r"\exp(-4\pi^2|m-n|^{2\alpha}), below (1+4\pi^2|m-n|^{2\alpha}/n)^{-n/2} of the quadratic phase at "
        r"every distance"
    ),
    outline=(
        "The linear phase is normal with variance 2. n ln(1+x/n)/2 <= x/2 < x for x = 4 pi^2 |m-n|^(2 alpha) > 0. "
        "By the measure of Theorem 3.2 the linear phase is the better one, so the theorem does not explain the "
        "ablation of section 4.5."
    ),
)
def linear_bias() -> Iterator[Evidence]:
    yield identity(linear_cosine(sp.Integer(2)), sp.exp(-4 * sp.pi**2 * S**2), "mean cosine, variance 2")
    x = sp.Symbol("x", positive=True)
    gap = x - sp.log(1 + x)
    yield identity(gap.subs(x, 0), sp.Integer(0), "x - ln(1+x) at 0")
    yield identity(sp.diff(gap, x), x / (1 + x), "its slope is positive for x > 0, so ln(1+x) < x")


@attack(
    "rem-4.5.linear", domain="n = 1, 2, 32, 128; distances 1 to 2^20; spread from 1/100 to 1, alpha = 1/10"
)
def linear_bias_attack() -> Iterator[Evidence]:
    yield search("quadratic less linear mean cosine at the same weights", _linear_cases())


def _linear_cases() -> Iterator[tuple[str, arb]]:
    for n in (1, 2, 32, 128):
        for distance in (1, 100, 2**20):
            for spread in ("1/100", "1/10", "1"):  # sigma^2 of every coordinate
                power = ball(distance) ** ball("1/5") * ball(spread)
                linear = (-4 * arb.pi() ** 2 * power).exp()
                quadratic_mean = cosine_mean(n, distance, spread=spread)
                yield f"n = {n}, distance {distance}, sigma^2 = {spread}", quadratic_mean - linear
