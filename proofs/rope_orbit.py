"""Kronecker's theorem for the distances: where the angles lambda theta_d mod 1 go, and how many relations are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import lcm

import sympy as sp

from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import identity, tried
from proofs.ledger import attack, claim
from proofs.paper.appendix_b import character_sum, from_integer


@claim(
    "thm-2.1.orbit",
    where="App. B",
    kind="lemma",
    says=(
        r"the points (\lambda x_1,...,\lambda x_N) mod 1, \lambda \in \mathbb{Z}, are dense in \{y : "
        r"k\cdot y \in \mathbb{Z} for every integer k with k\cdot x \in \mathbb{Z}\} and nowhere else "
        r"(Kronecker)"
    ),
    outline=(
        "That set is a closed group H which contains the orbit. The characters of H are the integer "
        "vectors k modulo those that are trivial on it; for a nontrivial one k.x is no integer, so its "
        "mean over the orbit is 0 (the sum of thm-2.1.weyl*): the orbit is uniformly distributed in H."
    ),
)
def orbit_closure() -> Iterator[Evidence]:
    yield from character_sum()


@attack("thm-2.1.orbit", domain="rational points, where the orbit is finite: x = (1/4, 1/6), (1/2, 1/3, 1/6)")
def orbit_closure_attack() -> Iterator[Evidence]:
    for x in (
        (Fraction(1, 4), Fraction(1, 6)),
        (Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)),
    ):
        order = lcm(*(value.denominator for value in x))
        points = {tuple((lam * value) % 1 for value in x) for lam in range(order)}
        closure = _annihilator(x, order)
        yield tried(
            f"orbit of {x} against the group of its relations", points == closure, len(points), len(closure)
        )


def _annihilator(x: tuple[Fraction, ...], order: int) -> set[tuple[Fraction, ...]]:
    """All y in (Z/order)^N / order with k.y an integer for every k in [0, order)^N with k.x an integer."""
    grid = list(product(range(order), repeat=len(x)))
    relations = [k for k in grid if sum(a * b for a, b in zip(k, x, strict=True)) % 1 == 0]
    fits = (
        y for y in grid if all(sum(a * b for a, b in zip(k, y, strict=True)) % order == 0 for k in relations)
    )
    return {tuple(Fraction(a, order) for a in y) for y in fits}


@claim(
    "thm-2.1.rank",
    where="App. B",
    kind="lemma",
    says=(
        r"\theta_1..\theta_N independent over Q: the integer k with k\cdot\theta \in \mathbb{Z} are the "
        r"multiples of one vector, so the closure of the orbit projects onto all coordinates but one"
    ),
    uses=("thm-2.1.orbit",),
    outline=(
        "k -> k.theta is injective into Z, so these k form a group of rank at most 1. If its generator has "
        "k_j != 0, any values of the other coordinates are completed by solving k_j y_j = -(the rest) mod "
        "1."
    ),
)
def rank() -> Iterator[Evidence]:
    k, other, theta = sp.symbols("k1:4"), sp.symbols("l1:4"), sp.symbols("theta1:4")
    a, b = _dot(k, theta), _dot(other, theta)
    combined = tuple(b * x - a * y for x, y in zip(k, other, strict=True))
    what = "k.theta = a, l.theta = b: (b k - a l).theta, so b k = a l by independence"
    yield identity(what, sp.expand(_dot(combined, theta)), sp.Integer(0))


def _dot(left: Sequence[sp.Expr], right: Sequence[sp.Expr]) -> sp.Expr:
    return sum((x * y for x, y in zip(left, right, strict=True)), sp.Integer(0))


@attack(
    "thm-2.1.rank",
    domain="D = 6, theta_0 = sqrt(5)-2, theta_1 = g: all k with |k_i| <= 50 and k.theta an integer",
)
def rank_attack() -> Iterator[Evidence]:
    golden = (ball(5).sqrt() - 1) / 2
    grid = [(i, j) for i in range(-50, 51) for j in range(-50, 51)]
    found = [(i, j) for i, j in grid if from_integer(i * golden + j * golden**2) < ball("1e-20")]
    yield tried(
        "relations, all multiples of (1, 1)",
        len(found) == 101 and all(i == j for i, j in found),
        len(found),
        101,
    )
