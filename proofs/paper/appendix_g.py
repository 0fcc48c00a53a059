"""Appendix G as printed, eqs 74 to 76: the integral. The theorem is true (thm-3.2); here the steps are judged."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from analysis.evidence import Evidence, Verdict
from proofs.checks import tried
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import N, column, for_every_size, off_diagonal, quadratic, stacked
from proofs.ledger import attack, claim, repair

LAG, POWER = sp.symbols("d alpha", positive=True)
TURN = sp.Symbol("t", positive=True)


@claim(
    "eq-74",
    where="App. G, eq 74",
    kind="definition",
    says=r"x_A = (q_A, k_A) \in R^{2\theta D}, x_P = (q_P, k_P) \in R^{2(1-\theta)D}",
    uses=("eq-11",),
    outline="Together the 2D coordinates of (q, k), in another order, so the density is the same function.",
)
def eq_74() -> Iterator[Evidence]:
    head, share = sp.symbols("D theta", positive=True)
    yield identity(2 * share * head + 2 * (1 - share) * head, 2 * head, "coordinates of x_A and x_P")


@attack("eq-74", domain="D = 2, 3, every split: is (q, k) -> (x_A, x_P) a permutation, of determinant +-1?")
def eq_74_attack() -> Iterator[Evidence]:
    for head in (2, 3):
        for a in range(1, head):
            order = [*range(a), *range(head, head + a), *range(a, head), *range(head + a, 2 * head)]
            whole = sorted(order) == list(range(2 * head))
            yield tried(f"D = {head}, theta D = {a}", whole, order, "a permutation")


def form(size: int, factor: Expr) -> Evidence:
    """q.k against factor x^T J x, x = (q, k), in dimension `size`."""
    q, k, j = quadratic(size)
    x = q.col_join(k)
    return identity(
        (q.T * k)[0], factor * (x.T * j * x)[0], f"q.k against {factor} x^T J x, dimension {size}"
    )


def form_everywhere(factor: Expr) -> Evidence:
    """The same in every dimension, in blocks."""
    q, k = column("q"), column("k")
    row, x = stacked(q, k)
    return for_every_size(
        q.T * k, factor * row * off_diagonal(sp.Identity(N)) * x, f"q.k against {factor} x^T J x"
    )


def law_mean(amplitude: Expr, angle: Expr, turn: Expr = TURN) -> Expr:
    """amplitude E[q_A k_A cos(angle 2 pi s q_P k_P)] at D = 2: unit normals, q_A, k_A of mean 1, t = 2 pi s."""
    return amplitude / sp.sqrt(1 + (angle * turn) ** 2)


def in_place(amplitude: Expr, angle: Expr) -> Evidence:
    """E Attn at D = 2, |m-n| = 1, against the integral with x^T J x times the given factors in both places."""
    what = "D = 2, |m-n| = 1, all normal of variance 1, E q_A = E k_A = 1: E Attn"
    return identity(law_mean(1, 1, 2 * sp.pi), law_mean(2 * amplitude, 2 * angle, 2 * sp.pi), what)


@claim(
    "eq-75",
    where="App. G, eq 75",
    kind="equation",
    says=(
        r"E Attn = \int (x_A^T J x_A/\sqrt{\theta D}) (\int \cos((2\pi|m-n|^\alpha/\sqrt{(1-\theta)D}) x_P^T J x_P) "
        r"\rho dx_P) dx_A, J = [[0,I],[I,0]]"
    ),
    outline=(
        "x^T J x = 2 q.k, so both the amplitude and the angle are doubled. D = 2, normal law: 2/sqrt(1+4t^2) against "
        "1/sqrt(1+t^2), t = 2 pi."
    ),
)
def eq_75() -> Iterator[Evidence]:
    yield form(1, sp.Integer(1))
    yield in_place(sp.Integer(1), sp.Integer(1))


@repair(
    "eq-75",
    says=r"the same with x_A^T J x_A/2 and x_P^T J x_P/2",
    outline="q^T k = k^T q, so x^T J x = q.k + k.q. Footnote 2 of the paper has the 1/2.",
)
def eq_75_repaired() -> Iterator[Evidence]:
    yield form_everywhere(sp.Rational(1, 2))
    yield form(2, sp.Rational(1, 2))
    yield in_place(sp.Rational(1, 2), sp.Rational(1, 2))


@attack("eq-75", domain="one factor 1/2 too few in either place alone")
def eq_75_attack() -> Iterator[Evidence]:
    half = sp.Rational(1, 2)
    for amplitude, angle in ((1, half), (half, 1)):
        yield in_place(sp.sympify(amplitude), sp.sympify(angle))


@claim(
    "eq-75.lambda",
    where="App. G, after eq 75",
    kind="step",
    says=(
        r"with \lambda = 2|m-n|^\alpha/\sqrt{(1-\theta)D} the angle of the score (12) is \pi\lambda x_P^T J x_P"
    ),
    outline="True of (75) as printed, whose angle is twice that of the score.",
)
def eq_75_lambda() -> Iterator[Evidence]:
    yield wave_number(sp.Integer(2))


def wave_number(factor: Expr) -> Evidence:
    """The angle of eq 12 against pi lambda x^T J x with lambda = factor d^alpha/sqrt(n), n = 2."""
    q, k, j = quadratic(2)
    x = q.col_join(k)
    score = 2 * sp.pi * LAG**POWER * (q.T * k)[0] / sp.sqrt(2)
    wave = factor * LAG**POWER / sp.sqrt(2)
    return identity(score, sp.pi * wave * (x.T * j * x)[0], f"angle with lambda = {factor} d^alpha/sqrt(n)")


@repair(
    "eq-75.lambda",
    says=(
        r"with \lambda = |m-n|^\alpha/\sqrt{(1-\theta)D} the angle of the score (12) is \pi\lambda x_P^T J x_P"
    ),
    uses=("eq-75*",),
    outline="The 2 of the definition and the 2 of x^T J x = 2 q.k are the same 2.",
)
def eq_75_lambda_repaired() -> Iterator[Evidence]:
    yield wave_number(sp.Integer(1))


@attack("eq-75.lambda", domain="factors 1/2, 1, 2, 4 in lambda")
def eq_75_lambda_attack() -> Iterator[Evidence]:
    fitting = [f for f in ("1/2", "1", "2", "4") if wave_number(sp.Rational(f)).verdict is Verdict.PROVED]
    yield tried("factors that fit", fitting == ["1"], fitting, "1 alone")


@claim(
    "eq-76",
    where="App. G, eq 76",
    kind="equation",
    says=(
        r"\int \cos(\pi\lambda x_P^T J x_P) \rho dx_P = Re \int e^{-i\pi\lambda x_P^T J x_P} \rho dx_P for "
        r"every real \lambda"
    ),
    outline="rho is real and integrable: the real part of e^{-iy} rho is rho cos y, pointwise.",
)
def eq_76() -> Iterator[Evidence]:
    y, density = sp.symbols("y rho", real=True)
    yield identity(sp.re(sp.exp(-sp.I * y) * density), density * sp.cos(y), "Re(e^{-iy} rho)")


@attack("eq-76", domain="both signs of lambda: the cosine is even; a complex density would break it")
def eq_76_attack() -> Iterator[Evidence]:
    for sign in (1, -1):
        value = sp.re(sp.exp(sign * sp.I))
        yield tried(f"Re e^({sign}i)", sp.simplify(value - sp.cos(1)) == 0, value, "cos 1")
