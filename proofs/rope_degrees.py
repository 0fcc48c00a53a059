"""The remark under Theorem 2.1: independence from degrees, for real bases exactly, and what is reached where it fails.

Everything is about t = theta_0^(2/D), because theta_d = t^d. For a base b = m^g (g as large as possible) 1/t has the
minimal polynomial x^n - m^(g/K), K = gcd(g, D/2), n = (D/2)/K: theta_{d+n} = theta_d / m^(g/K), no other relation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from math import gcd

import sympy as sp
from flint import arb, arb_poly, fmpq, fmpq_mat, fmpz, fmpz_poly

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import Real, ball
from proofs.checks import BASES, exact, tried
from proofs.ledger import attack, claim
from proofs.subdivision import maximum, minimum


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
        points = [
            self.wave(ball(i) / self.ratio ** (self.chain - 1), ball(mu), ball(nu)) for i in self._grid()
        ]
        least, greatest = reduce(arb.min, points), reduce(arb.max, points)
        others = self.degree - 1
        return 2 * (least + others * low) / self.head_dim, 2 * (greatest + others * high) / self.head_dim

    def _grid(self) -> range:
        return range(self.ratio ** (self.chain - 1))


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


def independence(degree: int, exponents: range) -> Evidence:
    """Powers of a root of x^degree - 2, irreducible by Eisenstein: independent iff they span as many dimensions."""
    rank = rank_of_powers([-2] + [0] * (degree - 1) + [1], exponents)
    return exact(
        f"degree {degree}: rank of t^{exponents[0]}..t^{exponents[-1]}",
        rank == len(exponents),
        rank,
        len(exponents),
    )


@claim(
    "rem-B",
    where="Sec. 2.2, Remark under Theorem 2.1",
    kind="remark",
    says=(
        r"\theta_1..\theta_{D/2-1} are independent over Q when \theta_0 is transcendental, or algebraic "
        r"with \theta_0^{2/D} of degree above D/2-1"
    ),
    outline=(
        "theta_d = t^d. A relation among t, ..., t^N, N = D/2-1, divided by t is a polynomial of degree at "
        "most N-1 in t: so degree >= N is enough, and degree > N, the printed bound, is exactly what makes "
        "1, t, ..., t^N independent, which the proof needs. If theta_0 = t^{D/2} is transcendental so is "
        "t. The bound is loose by one for what it says, right for what is used."
    ),
)
def remark() -> Iterator[Evidence]:
    for pairs in (2, 3, 8, 32):
        yield independence(pairs, range(1, pairs))
        yield independence(pairs, range(pairs))
        if pairs > 2:
            yield independence(pairs - 1, range(1, pairs))


@attack(
    "rem-B",
    domain=(
        "degree one below: D/2-2 must lose independence; degree D/2-1 keeps it for theta_1.. and loses it "
        "with 1"
    ),
)
def remark_attack() -> Iterator[Evidence]:
    for pairs in (4, 8, 32):
        short_rank = rank_of_powers([-2] + [0] * (pairs - 3) + [1], range(1, pairs))
        yield tried(
            f"D = {2 * pairs}, degree D/2-2: rank of theta_1..",
            short_rank < pairs - 1,
            short_rank,
            f"< {pairs - 1}",
        )
        edge = rank_of_powers([-2] + [0] * (pairs - 2) + [1], range(pairs))
        yield tried(f"D = {2 * pairs}, degree D/2-1: rank of 1, theta_1..", edge < pairs, edge, f"< {pairs}")


@claim(
    "thm-2.1.radians",
    where="Sec. 2.2, Theorem 2.1",
    kind="lemma",
    says=(
        r"as deployed (angle \lambda\theta_d in radians), \theta_0 algebraic: the D/2 angles fill the "
        r"torus iff 1, \theta_1..\theta_{D/2-1} are independent over Q, i.e. \theta_0^{2/D} has degree at "
        r"least D/2: the same condition as in turns, pair 0 included"
    ),
    uses=("thm-2.1.orbit",),
    outline=(
        "The numbers lambda theta_d/(2 pi) mod 1 need 2 pi, 1, theta_1, ... independent. A relation p 2 pi "
        "= sum k_d theta_d with p != 0 would make pi algebraic (Lindemann 1882); p = 0 leaves a relation "
        "among 1, t, ..., t^{D/2-1}, of which there is one iff the degree is below D/2."
    ),
)
def radians() -> Iterator[Evidence]:
    for pairs in (2, 8, 32):
        yield independence(pairs, range(pairs))


@attack("thm-2.1.radians", domain="degree D/2-1: a relation must appear, with pair 0 in it")
def radians_attack() -> Iterator[Evidence]:
    for pairs in (3, 8, 32):
        rank = rank_of_powers([-2] + [0] * (pairs - 2) + [1], range(pairs))
        yield tried(
            f"D = {2 * pairs}, degree {pairs - 1}: rank of 1, t, ..", rank == pairs - 1, rank, pairs - 1
        )


DIMS = (64, 80, 96, 128, 192, 256)


def degree_row(base: int, head_dim: int, degree: int) -> Evidence:
    """The degree by factoring against a predicted one."""
    found = factored_degree(base, head_dim)
    return exact(f"degree of {base}^(2/{head_dim}) over Q", found == degree, found, degree)


@claim(
    "thm-2.1.degree",
    where="Sec. 2.2, Theorem 2.1",
    kind="lemma",
    says=(
        r"for base b = m^g (g maximal) the degree of b^{2/D} is (D/2)/gcd(g, D/2): at bases 10^4, 10^5, "
        r"5\cdot10^5, 10^6, 2\cdot10^8, 4\cdot10^9 and head dimensions 64, 80, 96, 128, 192, 256; so a "
        r"base that is no perfect power meets the hypothesis at every D, and 10^4 at none of these"
    ),
    outline=(
        "x^{D/2} - b factored over Q for each of them. In general by Vahlen-Capelli: x^n - a with a > 0 is "
        "irreducible iff a is no p-th power for any prime p that divides n."
    ),
)
def degrees() -> Iterator[Evidence]:
    for base in BASES:
        for head_dim in DIMS:
            yield degree_row(base, head_dim, Power(base, head_dim).degree)


@attack("thm-2.1.degree", domain="every base from 2 to 40 at D = 4, 12, 24, 32: formula against factoring")
def degrees_attack() -> Iterator[Evidence]:
    for head_dim in (4, 12, 24, 32):
        wrong = [b for b in range(2, 41) if factored_degree(b, head_dim) != Power(b, head_dim).degree]
        yield tried(f"bases 2..40 at D = {head_dim} where the two disagree", not wrong, wrong, [])
