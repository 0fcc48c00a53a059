"""Theorem 2.1: which values the expected score comes near at integer distances, and for which bases.

The printed proof needs more than the hypothesis gives; the statement holds all the same, because independence of the
theta_d leaves at most one integer relation with 1, and one relation costs at most one pair. Where the angles
lambda theta_d mod 1 go is Kronecker's theorem.

The remark under the theorem concludes independence from degrees. Everything there is about t = theta_0^(2/D), because
theta_d = t^d. For a base b = m^g (g as large as possible) 1/t has the minimal polynomial x^n - m^(g/K),
K = gcd(g, D/2), n = (D/2)/K: theta_{d+n} = theta_d / m^(g/K), and there is no other relation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from itertools import pairwise
from math import gcd
from typing import Any

import sympy as sp
from flint import arb, arb_poly, fmpq, fmpq_mat, fmpz, fmpz_poly

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import Real, ball, below, precision
from proofs.checks import (
    BASES,
    HEAD_DIMS,
    LONGEST,
    Distances,
    controlled,
    equality,
    exact,
    instance,
    search,
    short,
    tried,
)
from proofs.exact import Enclosed
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, necessary, practice
from proofs.letters import ANY_BASE, ANY_HEAD, ANY_UNIT, NEAR, rope_bias
from proofs.letters import DIM as HEAD_DIM
from proofs.letters import MU as MU_0
from proofs.letters import NU as NU_0
from proofs.statements import Conclusion, Listed, Statement, Variable, constant_ball, relation, tex
from proofs.subdivision import maximum, minimum

LEAST_DEGREE = HEAD_DIM / 2 - 1  # of theorem 2.1's hypothesis; there are as many pairs but 0
WITH_ONE = HEAD_DIM / 2  # the least degree that makes 1 independent too


@cache
def perfect_power(base: int) -> tuple[int, int]:
    """(m, g) with base = m^g and g as large as possible, from the exponents of the prime factors."""
    exponents = [power for _, power in fmpz(base).factor()]
    g = gcd(*exponents)
    return int(sp.integer_nthroot(base, g)[0]), g


def factored_degree(base: int, head_dim: int) -> int:
    """Degree of base^(2/D) over Q: the irreducible factor of x^(D/2) - base that vanishes there (python-flint)."""
    pairs = head_dim // 2
    root = ball(base) ** (ball(1) / pairs)
    factors = fmpz_poly([-base] + [0] * (pairs - 1) + [1]).factor()[1]
    vanishing = [f.degree() for f, _ in factors if arb_poly(f)(root).contains(0)]
    if len(vanishing) != 1:
        raise ArithmeticError(
            f"base={base}, head_dim={head_dim}: {len(vanishing)} factors may vanish; raise the precision"
        )
    return vanishing[0]


@dataclass(frozen=True)
class Power:
    """The relations among the frequencies of one integer base and head dimension, and the values they leave."""

    base: int
    head_dim: int

    def __post_init__(self) -> None:
        if self.base < 2 or self.head_dim < 2 or self.head_dim % 2:
            raise InputError(
                f"base={self.base}, head_dim={self.head_dim}: need a base above 1 and an even head_dim"
            )

    @property
    def chain(self) -> int:
        """K: how many frequencies stand in one chain theta_j, theta_j/c, theta_j/c^2, ..."""
        return gcd(perfect_power(self.base)[1], self.head_dim // 2)

    @property
    def degree(self) -> int:
        """n, the degree of theta_0^(2/D): the number of chains."""
        return self.head_dim // 2 // self.chain

    @property
    def ratio(self) -> int:
        """c = b^(1/K), the integer between neighbours of a chain."""
        m, g = perfect_power(self.base)
        return m ** (g // self.chain)

    def wave(self, y: arb, mu: arb, nu: arb) -> arb:
        """P(y) = sum_{k<K} (mu cos + nu sin)(2 pi c^k y): one chain, y its slowest angle in turns."""
        angles = [2 * arb.pi() * self.ratio**k * y for k in range(self.chain)]
        return sum((mu * x.cos() + nu * x.sin() for x in angles), arb(0))

    def slope(self, y: arb, mu: arb, nu: arb) -> arb:
        """Derivative of `wave` in y."""
        rates = [2 * arb.pi() * self.ratio**k for k in range(self.chain)]
        return sum((w * (nu * (w * y).cos() - mu * (w * y).sin()) for w in rates), arb(0))

    def free(self, mu: Real, nu: Real) -> tuple[arb, arb]:
        """Least and greatest value of P over the circle."""
        m, n = ball(mu), ball(nu)
        f, df = (lambda y: self.wave(y, m, n)), (lambda y: self.slope(y, m, n))
        return minimum(f, df, 0, 1, tol="1e-7"), maximum(f, df, 0, 1, tol="1e-7")

    def reach(self, mu: Real, nu: Real, *, turns: bool) -> tuple[arb, arb]:
        """Least and greatest limit point of (2/sqrt D) E Attn over integer distances.

        Radians: every chain is free. Turns: the chain of pair 0 has the rational angles i/c^(K-1) only.
        """
        low, high = self.free(mu, nu)
        if not turns:
            return low / self.chain, high / self.chain
        count = self.ratio ** (self.chain - 1)
        points = [self.wave(ball(i) / count, ball(mu), ball(nu)) for i in range(count)]
        if not (sum(points, arb(0)) / len(points) - ball(mu)).contains(
            0
        ):  # over all of them the mean is mu_0
            raise InputError(f"{len(points)} rational angles: the mean of the wave is not mu_0 = {mu}")
        least, greatest = reduce(arb.min, points), reduce(arb.max, points)
        others = self.degree - 1
        return 2 * (least + others * low) / self.head_dim, 2 * (greatest + others * high) / self.head_dim


def rank_of_powers(polynomial: list[int], exponents: range) -> int:
    """Rank over Q of the powers of a root of an irreducible polynomial (coefficients from the constant up)."""
    modulus, degree = fmpz_poly(polynomial), len(polynomial) - 1
    rows = []
    for exponent in exponents:
        rest = _power_mod(modulus, exponent)
        rows.append([fmpq(rest[i]) for i in range(degree)])
    return fmpq_mat(rows).rank()


def _power_mod(modulus: fmpz_poly, exponent: int) -> fmpz_poly:
    """x^exponent modulo a monic integer polynomial."""
    rest = fmpz_poly([1])
    for _ in range(exponent):
        rest = divmod(rest * fmpz_poly([0, 1]), modulus)[1]
    return rest


def _whole(value: arb) -> int:
    """The integer that a ball is."""
    if (found := value.unique_fmpz()) is None:
        raise InputError(f"{value} is no integer")
    return int(found)


class RankOfPowers(Enclosed):
    """The rank over Q of the powers t^first, ..., t^last of t = 2^(1/n): arguments n, first and last."""

    nargs = 3

    def _latex(self, printer: Any, **_: Any) -> str:
        first, last = map(printer.doprint, self.args[1:])
        return rf"\mathrm{{rank}}_{{\mathbb{{Q}}}}(t^{{{first}}},\dots,t^{{{last}}})"

    @staticmethod
    def enclosed(*arguments: arb) -> arb:
        """By linear algebra."""
        degree, first, last = (_whole(value) for value in arguments)
        return arb(rank_of_powers([-2] + [0] * (degree - 1) + [1], range(first, last + 1)))


OF_T = sp.Symbol("n", positive=True, integer=True)
SOME_HEADS = Variable(HEAD_DIM, among=tuple(map(sp.Integer, (4, 6, 16, 64))))
ANY_DEGREE = Variable(OF_T, low=sp.Integer(0), integer=True)
ABOVE = relation(OF_T, ">", LEAST_DEGREE)
OF_DEGREE = Statement(
    (SOME_HEADS, ANY_DEGREE),
    (Conclusion(relation(RankOfPowers(OF_T, 1, HEAD_DIM / 2 - 1), "==", HEAD_DIM / 2 - 1)),),
    given=(ABOVE,),
    words=r"$\theta_1,\dots,\theta_{D/2-1}$ are independent over $\mathbb{Q}$ when $\theta_0$ is transcendental, or "
    rf"algebraic with $\theta_0^{{2/D}}$ of degree $n$ above ${tex(LEAST_DEGREE)}$; of $t = \theta_0^{{2/D}}$ with "
    r"$t^n = 2$, say: ",
)


ALL_POWERS = RankOfPowers(OF_T, 0, HEAD_DIM / 2 - 1)


def of_rank(rank: Any, sign: str, value: Any, head_dim: sp.Expr, degree: int) -> Evidence:
    """A rank of powers, as a statement writes it, against what it is said to be, at one head and degree of t."""
    at = {HEAD_DIM: head_dim, OF_T: sp.Integer(degree)}
    found, said = (_whole(constant_ball(one.subs(at))) for one in (rank, value))
    holds = {"==": found == said, "<": found < said}[sign]
    return instance(exact(f"D = {head_dim}, degree {degree}: {tex(rank)}", holds, found, f"{sign} {said}"))


@claim(
    "rem-B",
    where="Sec. 2.2, Remark under Theorem 2.1",
    kind="remark",
    says=OF_DEGREE,
    outline=(
        "theta_d = t^d. A relation among t, ..., t^N, N = D/2-1, divided by t is a polynomial of degree at "
        "most N-1 in t: so degree >= N is enough, and degree > N, the printed bound, is exactly what makes "
        "1, t, ..., t^N independent, which the proof needs. If theta_0 = t^{D/2} is transcendental so is "
        "t. The bound is loose by one for what it says, right for what is used."
    ),
    proof=r"""
        Put $t=\theta_0^{2/D}$, so that $\theta_d=t^d$, $N=D/2-1$. A relation $\sum_{d=1}^Nc_dt^d=0$ with
        rational $c_d$, not all 0, is $t\,p(t)=0$ with a polynomial $p\ne0$ of degree at most $N-1$; as
        $t\ne0$, $t$ is algebraic of degree at most $N-1$. So there is none where $t$ is transcendental,
        which it is with $\theta_0=t^{D/2}$, or of a degree above $N-1$. With a constant term $c_0$ the
        polynomial has degree at most $N$: degree above $N$ is what independence together with 1 takes.
        $\square$
    """,
)
def rem_b(statement: Statement) -> Iterator[Evidence]:
    (bound,) = statement.given
    yield exact(
        "as many as there are of them", statement.target() == HEAD_DIM / 2 - 1, statement.target(), ""
    )
    rank = statement.conclusions[0].says.lhs
    for head_dim in statement.range_of(HEAD_DIM).among:
        printed = int(bound.rhs.subs(HEAD_DIM, head_dim))
        yield of_rank(rank, "==", LEAST_DEGREE, head_dim, printed + 1)
        yield of_rank(ALL_POWERS, "==", WITH_ONE, head_dim, printed + 1)
        if printed > 1:
            yield of_rank(rank, "==", LEAST_DEGREE, head_dim, printed)


@necessary("rem-B", hypothesis=f"${tex(ABOVE)}$")
def rem_b_of_small_degree() -> Iterator[Evidence]:
    yield OF_DEGREE.without(ABOVE).fails_at({HEAD_DIM: 16, OF_T: 6})


@attack(
    "rem-B",
    domain=(
        "degree one below: D/2-2 must lose independence; degree D/2-1 keeps it for theta_1.. and loses it "
        "with 1"
    ),
)
def rem_b_attack() -> Iterator[Evidence]:
    for pairs in (4, 8, 32):
        for first, degree in ((1, pairs - 2), (0, pairs - 1)):
            yield controlled(_dependent(pairs, degree, first), _dependent(pairs, degree + 1, first))
    yield from OF_DEGREE.attack()


IN_RADIANS = Statement(
    (SOME_HEADS, ANY_DEGREE),
    (
        Conclusion(relation(ALL_POWERS, "==", HEAD_DIM / 2), when=(relation(OF_T, ">=", WITH_ONE),)),
        Conclusion(relation(ALL_POWERS, "<", HEAD_DIM / 2), when=(relation(OF_T, "<", WITH_ONE),)),
    ),
    words=r"as deployed (angle $\lambda\theta_d$ in radians), $\theta_0$ algebraic: the $D/2$ angles fill "
    r"the torus iff 1, $\theta_1,\dots,\theta_{D/2-1}$ are independent over $\mathbb{Q}$, i.e. "
    rf"$\theta_0^{{2/D}}$ has degree $n$ at least ${tex(WITH_ONE)}$: the same condition as in turns, pair 0 included; "
    r"of $t = \theta_0^{2/D}$ with $t^n = 2$, say: ",
)


@claim(
    "thm-2.1.radians",
    where="Sec. 2.2, Theorem 2.1",
    kind="lemma",
    says=IN_RADIANS,
    uses=("thm-2.1.orbit",),
    outline=(
        "The numbers lambda theta_d/(2 pi) mod 1 need 2 pi, 1, theta_1, ... independent. A relation p 2 pi "
        "= sum k_d theta_d with p != 0 would make pi algebraic (Lindemann 1882); p = 0 leaves a relation "
        "among 1, t, ..., t^{D/2-1}, of which there is one iff the degree is below D/2."
    ),
    proof=r"""
        Pair 0 is now as free as the others: the numbers in turns are $\theta_d/2\pi$, $d\ge0$. A relation
        $2\pi p=\sum_dk_d\theta_d$ with $p\ne0$ would make $\pi$ algebraic (Lindemann 1882), and $p=0$ is
        excluded by independence, so the orbit fills $\mathbb T^{D/2}$ and the mean over pairs fills
        $[-r,r]$. $\square$
    """,
)
def radians(statement: Statement) -> Iterator[Evidence]:
    said = [statement.target(index) for index in (1, 2)]
    yield exact("as many as there are of them", said == [HEAD_DIM / 2] * 2, said, "D/2")
    conditions = [one for conclusion in statement.conclusions for one in conclusion.when]
    meant = [relation(OF_T, ">=", WITH_ONE), relation(OF_T, "<", WITH_ONE)]
    yield exact("for degrees from it on, and below", conditions == meant, conditions, meant)
    for head_dim in statement.range_of(HEAD_DIM).among:
        least = int(conditions[0].rhs.subs(HEAD_DIM, head_dim))
        for conclusion, degree in zip(statement.conclusions, (least, least - 1), strict=True):
            says = conclusion.says
            yield of_rank(says.lhs, says.rel_op, says.rhs, head_dim, degree)


def _dependent(pairs: int, degree: int, first: int) -> Evidence:
    """Do theta_first, theta_(first+1), ... lose independence where theta_1 = 2^(-1/degree)?"""
    rank = rank_of_powers([-2] + [0] * (degree - 1) + [1], range(first, pairs))
    what = f"D = {2 * pairs}, degree {degree}: rank of theta_{first}, theta_{first + 1}, .."
    return tried(what, rank < pairs - first, rank, f"< {pairs - first}")


@attack("thm-2.1.radians", domain="degree D/2-1: a relation must appear, with pair 0 in it")
def radians_attack() -> Iterator[Evidence]:
    for pairs in (3, 8, 32):
        yield controlled(_dependent(pairs, pairs - 1, 0), _dependent(pairs, pairs, 0))
    yield from IN_RADIANS.attack()


DIMS = (64, 80, 96, 128, 192, 256)


def degree_row(base: int, head_dim: int, degree: int) -> Evidence:
    """The degree by factoring against a predicted one."""
    found = factored_degree(base, head_dim)
    return exact(f"degree of {base}^(2/{head_dim}) over Q", found == degree, found, degree)


class Degree(Enclosed):
    """The degree of b^(2/D) over the rationals: arguments b and D."""

    nargs = 2

    def _latex(self, printer: Any, **_: Any) -> str:
        base, dim = map(printer.doprint, self.args)
        return rf"[\mathbb{{Q}}({base}^{{2/{dim}}}):\mathbb{{Q}}]"

    @staticmethod
    def enclosed(*arguments: arb) -> arb:
        """By factoring."""
        return arb(factored_degree(*(_whole(value) for value in arguments)))


class Gcd(Enclosed):
    """The greatest common divisor of two integers."""

    nargs = 2

    def _latex(self, printer: Any, **_: Any) -> str:
        return rf"\gcd({', '.join(map(printer.doprint, self.args))})"

    @staticmethod
    def enclosed(*arguments: arb) -> arb:
        """Exactly."""
        return arb(gcd(*(_whole(value) for value in arguments)))


BASE, ROOT, POWER = sp.symbols("b m g", positive=True)
DEGREE: Any = Degree(BASE, HEAD_DIM)
DIVISOR: Any = Gcd(POWER, HEAD_DIM / 2)
DEGREES = Statement(
    (
        Listed(
            (BASE, ROOT, POWER), tuple(tuple(map(sp.Integer, (base, *perfect_power(base)))) for base in BASES)
        ),
        Variable(HEAD_DIM, among=tuple(map(sp.Integer, DIMS))),
    ),
    (
        Conclusion(relation(BASE, "==", ROOT**POWER)),
        Conclusion(relation(DEGREE * DIVISOR, "==", HEAD_DIM / 2)),
        Conclusion(relation(DEGREE, ">", LEAST_DEGREE), when=(relation(POWER, "==", 1),)),
        Conclusion(relation(DEGREE, "<", LEAST_DEGREE), when=(relation(BASE, "==", BASES[0]),)),
    ),
    words=rf"for base $b = m^g$ ($g$ maximal) the degree of $b^{{2/D}}$ is this; so a base that is no perfect power "
    rf"meets the hypothesis at every $D$, and ${BASES[0]}$ at none of these: ",
)


@claim(
    "thm-2.1.degree",
    where="Sec. 2.2, Theorem 2.1",
    kind="lemma",
    says=DEGREES,
    outline=(
        "x^{D/2} - b factored over Q for each of them. In general by Vahlen-Capelli: x^n - a with a > 0 is "
        "irreducible iff a is no p-th power for any prime p that divides n."
    ),
)
def degrees(statement: Statement) -> Iterator[Evidence]:
    hypothesis = {statement.target(3), statement.target(4)}
    yield exact(
        "the hypothesis asks for a degree of", hypothesis == {LEAST_DEGREE}, hypothesis, {LEAST_DEGREE}
    )
    rows, dims = statement.table.rows, statement.range_of(HEAD_DIM).among
    yield exact("bases and head dimensions", (len(rows), dims) == (len(BASES), DIMS), (len(rows), dims), DIMS)
    power_of, *others = statement.conclusions
    for base, root, power in rows:
        found = perfect_power(int(base))
        yield exact(f"{base} as a power", found == (root, power), found, (root, power))
        row = {BASE: base, ROOT: root, POWER: power}
        yield exact(f"{base} is that power", power_of.says.subs(row) == sp.true, power_of.says, base)
        for head_dim in dims:
            degree, point = Power(int(base), int(head_dim)).degree, row | {HEAD_DIM: head_dim}
            yield degree_row(int(base), int(head_dim), degree)
            meant = [c for c in others if all(one.subs(point) == sp.true for one in c.when)]
            holds = [c.holds(statement.values_at(point), {}) for c in meant]
            yield exact(f"base {base}, D = {head_dim}", set(holds) == {True}, holds, "true")


@attack("thm-2.1.degree", domain="every base from 2 to 40 at D = 4, 12, 24, 32: formula against factoring")
def degrees_attack() -> Iterator[Evidence]:
    for head_dim in (4, 12, 24, 32):
        yield controlled(_disagreeing(head_dim, 0), _disagreeing(head_dim, 1))
    yield from DEGREES.attack()


def _disagreeing(head_dim: int, off: int) -> Evidence:
    """Where factoring and the formula disagree, the formula taken `off` bases further on."""
    wrong = [b for b in range(2, 41) if factored_degree(b, head_dim) != Power(b + off, head_dim).degree]
    return tried(f"bases 2..40 at D = {head_dim} where the two disagree", not wrong, wrong, [])


MU, NU, GAMMA, V, X = sp.symbols("mu nu gamma v x", real=True)
DIM, R = sp.symbols("D r", positive=True)


def steering_error(lost: int) -> sp.Expr:
    """(2/D)(mu + v + (D/2 - lost) gamma) - gamma: pair 0 at mu, one more pair at v if `lost` = 2, the rest at gamma."""
    other = V if lost == 2 else sp.Integer(0)
    return 2 / DIM * (MU + other + (DIM / 2 - lost) * GAMMA) - GAMMA


def uniform_constant(constant: sp.Expr) -> Iterator[Evidence]:
    """Is |error| <= constant/D for all |mu|, |v|, |gamma| <= r? It is linear, so its coefficients decide."""
    error = sp.expand(steering_error(2) * DIM)
    yield equality("D times the error", error, 2 * (MU + V - 2 * GAMMA))
    sizes = [abs(error.coeff(symbol)) for symbol in (MU, V, GAMMA)]  # their sum is met at a corner
    yield exact("largest |D * error| / r", bool(sum(sizes) <= constant), sum(sizes), f"<= {constant}")


INDEPENDENT = r"$\theta_1,\dots,\theta_{D/2-1}$ independent over $\mathbb{Q}$"


STEERABLE = sp.Symbol("N", nonnegative=True)
LIMIT_ERROR = sp.Symbol(r"\limsup_{k}|\frac{2}{\sqrt{D}}\mathrm{E}\mathrm{Attn}-\gamma|", nonnegative=True)
OF_THEOREM = {MU: MU_0, R: sp.sqrt(MU_0**2 + NU_0**2), DIM: HEAD_DIM}
THEOREM = Statement(
    (
        *(ANY_HEAD, Variable(MU_0), Variable(NU_0)),
        *(Variable(symbol, low=-OF_THEOREM[R], high=OF_THEOREM[R], closed=True) for symbol in (GAMMA, V)),
    ),
    (Conclusion(relation(LIMIT_ERROR, "<=", 8 * OF_THEOREM[R] / HEAD_DIM)),),
    meaning={STEERABLE: LEAST_DEGREE, LIMIT_ERROR: sp.Abs(steering_error(2)).subs(OF_THEOREM)},
    words=r"Assumption 2.1, $\theta_1,\dots,\theta_N$ independent over $\mathbb{Q}$: every $\gamma \in "
    r"[-r, r]$, $r = \sqrt{\mu_0^2+\nu_0^2}$, is within $O(r/D)$ of a limit point of $(2/\sqrt D) "
    r"\mathrm{E} \mathrm{Attn}$ over $(m_k, n_k)$; read with one constant for all $D$, $\theta_0$, $\gamma$, where one "
    "pair may be left at whatever $v$: ",
)


@claim(
    "thm-2.1",
    where="Sec. 2.2, Theorem 2.1",
    kind="theorem",
    says=THEOREM,
    assumes=(
        "Assumption 2.1",
        "$m$, $n$ integers",
        INDEPENDENT,
    ),
    uses=("eq-21*", "thm-2.1.orbit", "thm-2.1.rank"),
    outline=(
        "Not the printed proof. At integer distance pair 0 contributes mu_0. Steer all pairs but 0 and the "
        "one that rank 1 may take away to gamma; the error is 2|mu_0 + v - 2 gamma|/D <= 8r/D, |v| <= r. "
        "For D <= 4 the bound is at least the trivial 2r and says nothing."
    ),
    proof=r"""
        Let $N$, $f$ and $H$ be as in the proof of `thm-2.1.sharp`. The map $k\mapsto k\cdot\theta$ is
        injective on the integer vectors with integer image, so these form a group of rank at most 1. In
        rank 0, $H=\mathbb T^N$, as there. In rank 1 let $k$ generate it and $k_j\ne0$. Choose $\beta$ with
        $r\sin(2\pi\beta+\varphi)=\gamma$, put $y_d=\beta$ for $d\ne j$ and solve $k_jy_j\equiv-\sum_{d\ne
        j}k_dy_d$ mod 1: then $y\in H$ and $f(y)=\frac2D(\mu_0+(N-1)\gamma+v)$ with $|v|\le r$. As
        $N-1=\frac D2-2$, the error is $\frac2D|\mu_0+v-2\gamma|\le\frac{8r}D$. $\square$
    """,
)
def thm_2_1(statement: Statement) -> Iterator[Evidence]:
    constant = sp.simplify(statement.target() * HEAD_DIM / OF_THEOREM[R])
    yield from uniform_constant(constant)
    steered = sp.Abs(steering_error(2)).subs(OF_THEOREM)
    yield equality("the error of the steered pairs", statement.meaning[LIMIT_ERROR], steered)
    for symbol in (GAMMA, V):
        ends = statement.range_of(symbol)
        inside = (ends.low, ends.high) == (-OF_THEOREM[R], OF_THEOREM[R])
        yield exact(f"{symbol} is at most r", inside, (ends.low, ends.high), "-r, r")


@necessary("thm-2.1", hypothesis=INDEPENDENT)
def thm_2_1_without_independence() -> Iterator[Evidence]:
    """Base 10^4, D = 512, mu_0 = 1, nu_0 = 0: no limit point within 8/D of gamma = -1."""
    power = Power(10_000, 512)
    low, _ = power.reach(mu=1, nu=0, turns=True)
    what = (
        f"theta_(d+{power.degree}) = theta_d/{power.ratio}: distance of gamma = -1 to the least limit point"
    )
    yield below(what, low + 1, ball(8) / power.head_dim, strict=False)


@attack(
    "thm-2.1",
    domain=(
        "the smallest cases where the printed proof fails: D = 4, theta_0 = 1/c^2; D = 6, theta_0 = sqrt(5)-2"
    ),
)
def thm_2_1_attack() -> Iterator[Evidence]:
    for c in (2, 3, 10):
        values = [(1 + sp.cos(2 * sp.pi * lam / c)) / 2 for lam in range(c)]
        what = f"D = 4, theta_0 = 1/{c}^2, nu_0 = 0: largest distance of a gamma"
        yield controlled(_reached(what, values, sp.Integer(2)), _reached(what, values, sp.Rational(99, 100)))
    ends = [sp.Integer(-1), sp.Rational(1, 2)]
    what = "the same for the values -1 and 1/2"
    yield controlled(_reached(what, ends, sp.Rational(3, 4)), _reached(what, ends, sp.Rational(74, 100)))
    yield search(
        "D = 6, theta_0 = sqrt(5)-2, gamma = -1: 8/6 less the error at 300 distances",
        _golden_cases(),
        control="0.667",
    )


def _reached(what: str, values: list[sp.Expr], bound: sp.Expr) -> Evidence:
    """Is every gamma in [-1, 1] as near to one of the values?"""
    worst = _worst_target(values)
    return tried(what, bool(worst <= bound), sp.N(worst, 6), f"<= {bound}")


def _worst_target(values: list[sp.Expr]) -> sp.Expr:
    """Largest distance of a gamma in [-1, 1] to a finite set of values, from its gaps and ends."""
    ordered = sorted(values, key=float)
    gaps = [(high - low) / 2 for low, high in pairwise(ordered)]
    return max([ordered[0] + 1, 1 - ordered[-1], *gaps], key=float)


def _golden_cases() -> Iterator[tuple[str, arb]]:
    head_dim = 6
    sums = RopeSums.of(head_dim, inverse_base=ball(5).sqrt() - 2)
    best = min((2 * sums.cos(lam) for lam in range(1, 300)), key=float)
    bound = constant_ball(THEOREM.target().subs({MU_0: 1, NU_0: 0, HEAD_DIM: head_dim}))
    yield "closest of 300", bound - abs(best + 1)


TWICE = 2 * R  # at one D, of whatever is at most r and of gamma
EQ_6 = Statement(
    (
        ANY_UNIT,
        ANY_HEAD,
        ANY_BASE,
        Variable(NEAR),
        Variable(MU_0),
        Variable(NU_0),
        Variable(GAMMA, low=-sp.sqrt(MU_0**2 + NU_0**2), high=sp.sqrt(MU_0**2 + NU_0**2), closed=True),
    ),
    (
        Conclusion(
            relation(sp.Abs(2 * rope_bias(NEAR) - GAMMA), "<=", TWICE.subs(OF_THEOREM)),
        ),
    ),
    words=r"$\limsup_k |(2/\sqrt D) \mathrm{E} \mathrm{Attn} - \gamma| = O(1/D)$, read literally, at the one $D$ of "
    rf"Theorem 2.1, whatever the distances: the constant ${tex(TWICE * HEAD_DIM)}$ over $D$ will do (with one constant "
    "for all $D$ it is `thm-2.1`); ",
)


@claim(
    "eq-6",
    where="Sec. 2.2, eq 6",
    kind="equation",
    says=EQ_6,
    cites=("thm-2.1",),
    outline=(
        "At one D every bounded number is O(1/D): |(2/D) sum_d (mu_0 cos + nu_0 sin)| <= r and |gamma| <= "
        "r, so 2r, or 2rD/D, is a constant for any sequence (m_k, n_k). Only a constant that is free of D "
        "says anything: thm-2.1."
    ),
)
def eq_6(statement: Statement) -> Iterator[Evidence]:
    worst = 2 / HEAD_DIM * (HEAD_DIM / 2) * R + R
    said = statement.target().subs(MU_0**2 + NU_0**2, R**2)
    yield equality("D/2 terms of at most r, twice over D, and |gamma| <= r", worst, said)


@attack(
    "eq-6",
    domain=(
        "the constant that the printed proof would give, 2(r + |mu_0|), at D = 4, theta_0 = 1/4, nu_0 = 1, "
        "mu_0 = 0"
    ),
)
def eq_6_attack() -> Iterator[Evidence]:
    values = [sp.sin(sp.pi * lam) / 2 for lam in (0, 1)]
    what = "distance of gamma = 1 to the orbit {0}: above 2/4, not above 2r"
    yield controlled(_reached(what, values, sp.Integer(2)), _reached(what, values, sp.Rational(1, 2)))
    yield from EQ_6.attack()


@practice("thm-2.1")
def thm_2_1_practice() -> Iterator[dict[str, object]]:
    """Rows at mu_0 = 1, nu_0 = 0: is the hypothesis met, what can be reached at all, what is seen up to 2^20."""
    for base in BASES:
        for head_dim in HEAD_DIMS:
            power = Power(base, head_dim)
            seen = _seen(base, head_dim, turns=False)
            (low, high), turns = (power.reach(1, 0, turns=turns) for turns in (False, True))
            yield {
                "base": base,
                "head_dim": head_dim,
                "degree of theta_0^(2/D)": power.degree,
                "hypothesis met (degree >= D/2-1)": power.degree >= head_dim // 2 - 1,
                "needed (degree >= D/2)": power.degree >= head_dim // 2,
                "limit points in turns, from": short(turns[0]),
                "to": short(turns[1]),
                "limit points in radians, from": short(low),
                "up to": short(high),
                "least over every distance 1..2^20, radians": seen[0],
                "greatest": seen[1],
                "bound 8r/D": 8 / head_dim,
            }


def _seen(base: int, head_dim: int, turns: bool) -> tuple[float, float]:
    """Least and greatest 2 C_D over every integer distance from 1 to 2^20, to four digits."""
    with precision(64):
        omega = RopeSums.of(head_dim, base=base, turns=turns).omega
        low, high = Distances(omega, 1, 0).extremes(1, LONGEST + 1)
    return short(2 * low, 4), short(2 * high, 4)


TURN_SHARE = sp.Symbol("y", real=True)
STEP, MEMBERS = sp.symbols("k K", integer=True, nonnegative=True)
CHAIN_OF = sp.Sum(sp.cos(2 * sp.pi * 10**STEP * TURN_SHARE), (STEP, 0, MEMBERS - 1)) / MEMBERS
CHAIN = CHAIN_OF.subs(MEMBERS, 4).doit()
LEAST = -sp.Rational("0.9678")
REACH = Statement(
    (Variable(TURN_SHARE, low=sp.Integer(0), high=sp.Integer(1), closed=True),),
    (
        Conclusion(
            relation(CHAIN, ">", LEAST), sharp=(sp.Rational(1, 10**4), {TURN_SHARE: sp.Rational("0.4545045")})
        ),
        Conclusion(relation(CHAIN, "<=", 1)),
    ),
    words=r"base $10^4$, $D$ a multiple of 8, radians, $\nu_0 = 0 < \mu_0$: the limit points over $\mu_0$ are "
    r"exactly the "
    rf"values of ${tex(CHAIN_OF)}$, $K = 4$, $[-0.96779\dots, 1]$ for every such $D$; so without its "
    r"hypothesis "
    r"the conclusion of Theorem 2.1 is false: $\gamma = -\mu_0$ stays $0.032\mu_0$ away however large $D$ is; ",
)


@claim(
    "thm-2.1.reach",
    where="Sec. 2.2, Theorem 2.1",
    kind="theorem",
    says=REACH,
    uses=("thm-2.1.orbit", "thm-2.1.degree"),
    outline=(
        "theta_{d+D/8} = theta_d/10: the pairs fall into D/8 chains y, 10y, 100y, 1000y and the chains' "
        "angles are free: a relation 2 pi p = sum k_d theta_d of integers with p != 0 would make pi algebraic "
        "(Lindemann 1882), and p = 0 leaves the relations within the chains. So the mean over pairs takes exactly the "
        "values of (1/4) sum_{k<4} cos(2 pi 10^k y). Its least value is certified over the whole circle."
    ),
)
def thm_2_1_reach(statement: Statement) -> Iterator[Evidence]:
    for head_dim in (64, 128, 256):
        power = Power(10_000, head_dim)
        found = (power.ratio, power.chain)
        yield exact(f"(c, K) at D = {head_dim}", found == (10, 4), found, (10, 4))
    least = constant_ball(statement.target(1))
    low, high = Power(10_000, 128).reach(mu=1, nu=0, turns=False)
    yield below("least limit point lies above the stated bound", least, low)
    yield below("and below it plus 1/10000", low, least + ball("1/10000"))
    yield below("so that -1 stays 0.032 away", "0.032", low + 1)
    yield below(
        "greatest limit point is the stated one, to", abs(high - constant_ball(statement.target(2))), "1e-6"
    )
    yield from statement.sharpness()
    alone = Power(10_007, 8)
    for found, said in zip(alone.free(3, 4), (-5, 5), strict=True):
        yield below(f"mu_0 = 3, nu_0 = 4: a chain of one pair reaches {said}, to", abs(found - said), "1e-6")
    yield exact("its length", alone.chain == 1, alone.chain, 1)
    two = Power(10_007, 4).reach(1, 0, turns=True)  # pair 0 stays at 1, the other is free
    for found, said in zip(two, (0, 1), strict=True):
        yield below(f"two chains of one pair, in turns, reach {said}, to", abs(found - said), "1e-6")


@attack("thm-2.1.reach", domain="D = 64, 128: 4000 distances up to 10^12, spread without structure, radians")
def reach_attack() -> Iterator[Evidence]:
    for head_dim, control in ((64, "0.548"), (128, "0.66")):
        sums = RopeSums.of(head_dim, base=10_000, turns=False)
        distances = ((i * 2654435761 + 12345) % 10**12 + 1 for i in range(2000))
        yield search(
            f"D = {head_dim}: 2 C_D above {REACH.target(1)}",
            ((f"lambda = {lam}", 2 * sums.cos(lam) - constant_ball(REACH.target(1))) for lam in distances),
            control=control,
        )
    yield from REACH.attack()


@practice("thm-2.1.reach")
def reach_practice() -> Iterator[dict[str, object]]:
    """Rows: least and greatest limit point for (mu_0, nu_0) = (1, 0) and (0, 1), where a chain is longer than 1."""
    for base, head_dim in ((10_000, 64), (10_000, 128), (100_000, 80), (1_000_000, 128), (1_000_000, 96)):
        power = Power(base, head_dim)
        for mu, nu in ((1, 0), (0, 1)):
            ends = power.reach(mu, nu, turns=False)
            yield {
                "base": base,
                "head_dim": head_dim,
                "c": power.ratio,
                "K": power.chain,
                "mu_0": mu,
                "nu_0": nu,
                "least, radians": short(ends[0], 6),
                "greatest, radians": short(ends[1], 6),
            }
