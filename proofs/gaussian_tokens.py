"""What the claims on TAPA share: the split of a head, Gaussian integrals, and moments of Gaussian tokens.

Throughout, n = (1-theta)D is the number of phase dimensions, a = theta D that of the amplitude, and
s = |m-n|^alpha / sqrt(n), so the cosine of eq 12 is cos(2 pi s q_P.k_P).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy as sp
from flint import arb

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from proofs.balls import Real, ball
from proofs.checks import exact
from proofs.exact import Expr, identity

S, T, Q, K, ZETA = sp.symbols("s t q k zeta", positive=True)
N = sp.Symbol("n", positive=True, integer=True)
HEAD_DIMS = (64, 128, 256)
LONGEST = 2**20  # the longest distance that the practice rows look at, in tokens
ALPHA = Fraction(1, 10)  # the exponent and the share that v1 trains with
SHARE = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Split:
    """A head of `head_dim` dimensions with `amplitude` = theta D of them in the amplitude, the rest in the phase.

    `InputError` unless both parts are whole and hold at least one dimension.
    """

    head_dim: int
    share: Fraction

    def __post_init__(self) -> None:
        size = self.head_dim * self.share
        if size.denominator != 1 or not 1 <= size < self.head_dim:
            raise InputError(
                f"amplitude_share={self.share} of head_dim={self.head_dim} gives {size} dimensions; "
                "both parts must be whole and >= 1"
            )

    @property
    def amplitude(self) -> int:
        """a = theta D."""
        return int(self.head_dim * self.share)

    @property
    def phase(self) -> int:
        """n = (1 - theta) D."""
        return self.head_dim - self.amplitude


def admitted_splits(head_dim: int) -> list[Split]:
    """Every split of a head, the smallest amplitude first: what `Split` admits, as both parts are whole and >= 1."""
    return [Split(head_dim, Fraction(size, head_dim)) for size in range(1, head_dim)]


def counterexample(hypotheses: Iterable[Evidence], *conclusions: Evidence) -> Iterator[Evidence]:
    """A conclusion that fails refutes only where every hypothesis is shown to hold; otherwise it is UNKNOWN.

    Yields the hypotheses and the conclusions, or, where a hypothesis fails, the conclusions with its name. A step that
    fails is an instance then: it is false for these tokens, and no step of what is true.
    """
    shown = list(hypotheses)
    failing = [item.what for item in shown if item.verdict not in (Verdict.PROVED, Verdict.CERTIFIED)]
    against = [item.what for item in conclusions if item.verdict is Verdict.REFUTED]
    if not failing:
        yield from (replace(item, control=against[0]) for item in shown) if against else shown
    for item in conclusions:
        what = (
            f"no counterexample, as a hypothesis fails ({failing[0]}): {item.what}" if failing else item.what
        )
        verdict = Verdict.UNKNOWN if failing else item.verdict
        step = item.role is Role.STEP and verdict is Verdict.REFUTED
        yield replace(item, what=what, verdict=verdict, role=Role.INSTANCE if step else item.role)


def gaussian_integral(exponent: Expr, x: sp.Symbol) -> tuple[Expr, Expr]:
    """Factor and exponent of the integral of exp(exponent) over all real x, for exponent = u x^2 + v x + w.

    It is sqrt(pi/-u) exp(w - v^2/(4u)). `InputError` unless the exponent is a quadratic with Re u < 0: then -u
    lies in the right half plane and the principal root is the right one.
    """
    poly = sp.Poly(sp.expand(exponent), x)
    if poly.degree() != 2 or not sp.re(poly.coeff_monomial(x**2)).is_negative:
        raise InputError(f"exp({exponent}) over {x}: give a quadratic with negative real part in front")
    u, v, w = (poly.coeff_monomial(x**power) for power in (2, 1, 0))
    return sp.sqrt(sp.pi / -u), sp.expand(w - v**2 / (4 * u))


def log_normal(x: Expr, mean: Expr = 0) -> Expr:
    """Logarithm of the normal density with the given mean and variance 1."""
    return -((x - mean) ** 2) / 2 - sp.log(2 * sp.pi) / 2


def one_pair(s: Expr, mean_q: Expr = 0, mean_k: Expr = 0, frequency: Expr = 2 * sp.pi) -> Expr:
    """E exp(-i frequency s q k) for independent q, k of variance 1 and the given means, by two integrals."""
    exponent = -sp.I * frequency * s * Q * K + log_normal(K, mean_k) + log_normal(Q, mean_q)
    inner, exponent = gaussian_integral(exponent, K)
    outer, exponent = gaussian_integral(exponent, Q)
    return inner * outer * sp.exp(exponent)


def cosine_mean(dims: int, distance: Real, alpha: Real = ALPHA, spread: Real = 1) -> arb:
    """E cos of eq 12 for independent normal q_P, k_P: (1 + t^2)^(-n/2), t = 2 pi spread distance^alpha / sqrt(n).

    `spread` is sigma_q sigma_k, the standard deviation of the phase phi in turns at distance 1; distance > 0.
    """
    if dims < 1:
        raise InputError(f"dims={dims}; the phase needs at least one dimension")
    square = (2 * arb.pi() * ball(spread) * ball(distance) ** ball(alpha)) ** 2 / dims
    return (1 + square) ** (-ball(dims) / 2)


def column(name: str, size: Expr = N) -> Expr:
    """A column of symbolic length."""
    return sp.MatrixSymbol(name, size, 1)


def stacked(upper: Expr, lower: Expr) -> tuple[Expr, Expr]:
    """(upper, lower) as one row and as one column."""
    return sp.BlockMatrix([[upper.T, lower.T]]), sp.BlockMatrix([[upper], [lower]])


def off_diagonal(block: Expr) -> Expr:
    """[[0, block], [block^T, 0]]."""
    zero = sp.ZeroMatrix(*block.shape)
    return sp.BlockMatrix([[zero, block], [block.T, zero]])


def for_every_size(left: Expr, right: Expr, what: str) -> Evidence:
    """Evidence that two sums of products of blocks, of one row and one column, are equal whatever the sizes.

    Such a product is its own transpose; each term is written in one of its two ways. PROVED, or REFUTED where the
    normal forms differ: they are sums of different bilinear monomials.
    """
    one, other = _bilinear(left), _bilinear(right)
    return exact(f"{what}, every size", one == other, one, other)


def _bilinear(expression: Expr) -> Expr:
    terms = sp.MatAdd.make_args(sp.block_collapse(expression).doit())
    return sp.MatAdd(*(min(term, sp.Transpose(term).doit(), key=str) for term in terms)).doit()


def quadratic(head: int) -> tuple[Expr, Expr, Expr]:
    """q, k in R^head with symbolic entries, and the matrix J of eq 75 on (q, k)."""
    q, k = (sp.Matrix(sp.symbols(f"{name}0:{head}", real=True)) for name in "qk")
    zero, one = sp.zeros(head), sp.eye(head)
    return q, k, sp.Matrix(sp.BlockMatrix([[zero, one], [one, zero]]))


def wick(covariance: Expr, indices: Sequence[int]) -> Expr:
    """E of a product of centred, jointly Gaussian coordinates: the sum over all pairings (Isserlis 1918)."""
    if not indices:
        return sp.Integer(1)
    first, rest = indices[0], indices[1:]
    return sp.Add(
        *(
            covariance[first, other] * wick(covariance, [*rest[:i], *rest[i + 1 :]])
            for i, other in enumerate(rest)
        )
    )


@dataclass(frozen=True)
class GaussianTokens:
    """Centred jointly Gaussian q and k of even head dimension; `covariance` is that of (q, k), an exact matrix."""

    covariance: Expr

    def __post_init__(self) -> None:
        rows, columns = self.covariance.shape
        if rows != columns or rows % 4 or not self.covariance.is_symmetric():
            raise InputError(f"a covariance of shape {rows} x {columns} is not symmetric of size 2 D, D even")

    @property
    def head_dim(self) -> int:
        """D."""
        return self.covariance.shape[0] // 2

    def correlated(self) -> dict[str, Expr]:
        """The covariances off the diagonal that are not 0, by name."""
        names = [f"{side}{i}" for side in "qk" for i in range(self.head_dim)]
        pairs = ((i, j) for i in range(len(names)) for j in range(i))
        return {
            f"{names[j]},{names[i]}": self.covariance[i, j] for i, j in pairs if self.covariance[i, j] != 0
        }

    def moment(self, query: Sequence[int], key: Sequence[int]) -> Expr:
        """E of the product of the given coordinates of q and of k."""
        return wick(self.covariance, [*query, *(self.head_dim + j for j in key)])

    def schwartz(self) -> Evidence:
        """Evidence that the law has a Schwartz density: all leading minors of the covariance are positive."""
        minors = [self.covariance[:size, :size].det() for size in range(1, self.covariance.shape[0] + 1)]
        positive = all(sp.simplify(m).is_positive for m in minors)
        return exact("leading minors of the covariance: Gaussian with a density", positive, minors, "> 0")

    def assumption(self, mu: Expr = 0, nu: Expr = 0, sigma_sq: Expr = 1) -> Iterator[Evidence]:
        """Evidence that Assumption 2.1 holds with the given constants, pair by pair and coordinate by coordinate."""
        for pair in range(self.head_dim // 2):
            d, e = 2 * pair, 2 * pair + 1
            yield identity(self.moment([d], [d]) + self.moment([e], [e]), mu, f"E A_{pair} = mu_0")
            yield identity(self.moment([d], [e]) - self.moment([e], [d]), nu, f"E B_{pair} = nu_0")
        for d in range(self.head_dim):
            yield identity(self.moment([d, d], [d, d]), sigma_sq, f"E (q_{d} k_{d})^2 = sigma_0^2")

    def amplitude_square(self, dims: int) -> Expr:
        """E (q_A.k_A)^2 with the first `dims` coordinates in the amplitude."""
        pairs = ((i, j) for i in range(dims) for j in range(dims))
        return sp.Add(*(self.moment([i, j], [i, j]) for i, j in pairs))

    def cross_terms(self, dims: int) -> Expr:
        """Sum over i != j of E q_i k_i q_j k_j: what eq 83 leaves out."""
        pairs = ((i, j) for i in range(dims) for j in range(dims) if i != j)
        return sp.Add(*(self.moment([i, j], [i, j]) for i, j in pairs))
