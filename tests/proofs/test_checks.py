"""Evidence answers three ways, inequalities are proved by their form, and points meet every hypothesis."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Verdict
from proofs import checks
from proofs.balls import PRECISION, ball, precision
from proofs.checks import (
    INVERSE_BASES,
    Distances,
    Point,
    Scan,
    at_least,
    equality,
    exact,
    instance,
    least_head_dim,
    near_integers,
    points,
    rises,
    search,
    termwise,
)
from proofs.integrals import RopeSums
from proofs.ledger import own_verdict
from proofs.paper import classical_lemmas as sums

HALF = sp.Rational(1, 2)


@pytest.fixture(autouse=True)
def ledger_precision() -> Iterator[None]:
    """Every check here runs at the ledger's precision, as under `verify`."""
    with precision(PRECISION):
        yield


@settings(max_examples=25)
@given(
    base=st.sampled_from((17, 10_000, 500_000)),
    start=st.integers(1, 10**7),
    offset=st.integers(0, 40),
    nu=st.sampled_from((0, 1, -1)),
    turns=st.booleans(),
)
def test_angle_addition_agrees_with_the_sum(base: int, start: int, offset: int, nu: int, turns: bool) -> None:
    # the first distance at or above a bound just below the value at `offset` can lie no later than `offset`
    sums = RopeSums.of(16, base=base, turns=turns)
    bound = (sums.gamma(start + offset, 1, nu) - ball("1e-12")).lower()
    scan = Distances(sums.omega, 1, nu, side=5).first(start, start + 41, bound)
    found = scan.first
    assert found is not None
    assert scan.doubtful is None
    assert scan.looked == range(start, found + 1)
    assert start <= found <= start + offset
    assert sums.gamma(found, 1, nu) >= bound
    assert all(sums.gamma(lam, 1, nu) < bound for lam in range(start, found))


def test_a_range_below_its_bound_is_certified_and_an_undecidable_one_is_not() -> None:
    sums = RopeSums.of(8, base=100)
    assert Distances(sums.omega, 1, 0).first(1, 300, 1) == Scan(None, None, range(1, 300))
    wide = tuple(w.union(w + ball("1/100")) for w in sums.omega)
    scan = Distances(wide, 1, 0).first(1, 300, ball("0.49"))
    assert scan.first is None
    assert scan.doubtful is not None


@given(base=st.integers(2, 10**10))
def test_near_integers_are_those_of_the_near_range(base: int) -> None:
    edge = Fraction(base)
    near = near_integers(base)
    assert all((8 * lam) ** 4 < edge for lam in near)
    assert (8 * near.stop) ** 4 >= edge


def test_a_search_answers_three_ways() -> None:
    assert search("x", [("a", 1), ("b", 2)]).verdict is Verdict.SUPPORTED
    assert search("x", [("a", 1), ("b", 0)]).verdict is Verdict.REFUTED
    assert search("x", [("a", 0)], strict=False).verdict is Verdict.SUPPORTED
    assert search("x", [("a", arb(0, 1))]).verdict is Verdict.UNKNOWN
    assert search("x", [("a", arb("nan"))]).verdict is Verdict.UNKNOWN
    with pytest.raises(InputError, match="the search has no case"):
        search("x", [])


def test_identity_and_exact_answer_three_ways() -> None:
    x = sp.Symbol("x")
    assert equality("i", sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.Integer(1)).verdict is Verdict.PROVED
    assert equality("i", sp.sin(x), sp.cos(x)).verdict is Verdict.REFUTED
    assert [exact("e", answer, 1, 1).verdict.value for answer in (True, False, None)] == [
        "proved",
        "refuted",
        "unknown",
    ]


def test_a_set_is_written_the_same_at_every_run():
    """Its own order follows the hashes of its members, and these may differ from run to run."""
    members = [sp.Rational(1, 2), sp.Integer(0), sp.sqrt(2), sp.Integer(10)]
    for ordered in itertools.permutations(members):
        found = checks.exact("a set", True, set(ordered), frozenset(ordered))
        assert found.computed == found.predicted == "{0, 10, 1/2, sqrt(2)}"
        within = checks.exact("a set in a row", True, ("a", set(ordered)), [(set(ordered),)])
        assert within.computed == "('a', {0, 10, 1/2, sqrt(2)})"
        assert within.predicted == "[({0, 10, 1/2, sqrt(2)},)]"


def test_the_proofs_by_form_say_no() -> None:
    u = sums.u
    assert rises("sin u <= u", u - sp.sin(u), u, 1).verdict is Verdict.PROVED
    assert rises("u <= sin u", sp.sin(u) - u, u, 1).verdict is Verdict.REFUTED
    assert rises("true, but not by form", sp.cosh(u) - 1, u, 1).verdict is not Verdict.REFUTED
    assert termwise("x/(1 + x)", u / (1 + u)).verdict is Verdict.PROVED
    assert termwise("x/(1 + x) - 1/2", u / (1 + u) - HALF).verdict is Verdict.REFUTED
    assert at_least("1 >= x/(1 + x)", sp.Integer(1), u / (1 + u)).verdict is Verdict.PROVED
    assert at_least("1/2 >= x/(1 + x)", HALF, u / (1 + u)).verdict is Verdict.REFUTED
    with pytest.raises(InputError, match="its control is not refuted"):
        at_least("x >= x", u, u)
    assert termwise("a square is not termwise", (u - 1) ** 2).verdict is Verdict.UNKNOWN
    real = sp.Symbol("w", real=True)
    assert termwise("w of any sign", real).verdict is not Verdict.PROVED


def test_the_search_begins_at_the_edges() -> None:
    tried = list(points())
    assert {p.inverse_base for p in tried} == set(INVERSE_BASES)
    assert {p.inverse_base for p in tried if p.head_dim == least_head_dim(p.inverse_base)} == set(
        INVERSE_BASES
    )
    assert min(p.distance for p in tried) - 1 <= Fraction(1, 10**9)
    assert any(p.far == Fraction(1, 4) for p in tried)
    assert any(p.distance.denominator == 1 for p in tried)
    for theta in INVERSE_BASES:
        with pytest.raises(InputError, match="4 L"):
            Point(theta, least_head_dim(theta) - 2, Fraction(2))


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ((Fraction(1, 10), 64, Fraction(2)), "inverse_base=1/10 is not in (0, 1/10)"),
        ((Fraction(0), 64, Fraction(2)), "inverse_base=0 is not in (0, 1/10)"),
        ((Fraction(1, 20), 65, Fraction(2)), "head_dim=65 is not even and > 4 L"),
        ((Fraction(1, 20), 10, Fraction(2)), "head_dim=10 is not even and > 4 L"),
        ((Fraction(1, 10**4), 36, Fraction(2)), "head_dim=36 is not even and > 4 L"),
        ((Fraction(1, 20), 12, Fraction(1)), "distance=1 is not > 1"),
    ],
    ids=["theta_0 < 1/10", "theta_0 > 0", "D even", "D > 4 L", "D > 4 L just missed", "lambda > 1"],
)
def test_a_counterexample_must_meet_every_hypothesis(
    point: tuple[Fraction, int, Fraction], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        Point(*point)


def test_distances_need_a_table() -> None:
    with pytest.raises(InputError, match=r"1 frequencies, blocks of side 0: both must be > 0"):
        Distances((arb(1),), 1, 0, side=0)


@given(start=st.integers(1, 5000), length=st.integers(1, 90), nu=st.sampled_from([-1, 0, 2]))
def test_extremes_are_those_of_every_integer_of_the_range(start: int, length: int, nu: int) -> None:
    sums = RopeSums.of(8, base=10_000)
    low, high = Distances(sums.omega, 1, nu, side=5).extremes(start, start + length)
    values = [sums.gamma(lam, 1, nu) for lam in range(start, start + length)]
    assert low.overlaps(min(values, key=float))
    assert high.overlaps(max(values, key=float))
    assert not any(value < low or value > high for value in values)


@given(
    pairs=st.sampled_from([1, 3, 32]),
    start=st.integers(-(10**6), 10**9),
    length=st.integers(1, 700),
    mu=st.fractions(-1000, 1000, max_denominator=10**6),
    nu=st.fractions(-1000, 1000, max_denominator=10**6),
)
def test_what_a_block_of_distances_says_is_within_its_error(
    pairs: int, start: int, length: int, mu: Fraction, nu: Fraction
) -> None:
    scan = Distances(RopeSums.of(2 * pairs, base=10_000).omega, mu, nu)
    (block,) = scan._blocks(start, start + length)
    assert len(block.values) == length
    assert np.array_equal(block.values, np.rint(block.values))
    assert np.abs(block.values).max() <= 2**52  # so every sum of the floats is exact
    reach = float(abs(mu) + abs(nu))
    for offset in {0, length // 2, length - 1}:
        off = abs(scan.at(start + offset) * block.scale - arb(float(block.values[offset])))
        assert off < block.error
    # half a unit of either table for each of the two products of a pair
    assert float(block.error / block.scale) <= 1.6 * (reach or 1) / 2**21


def test_a_scan_whose_rounding_decides_nothing_leaves_it_to_balls() -> None:
    """Of 300 distances whose bias is one number there are too many candidates: the extreme is as wide as the error."""
    low, high = Distances((arb(0),), 3, 5).extremes(0, 300)
    assert low.contains(arb("1.5"))
    assert high.contains(arb("1.5"))
    assert 0 < float(low.rad()) < 1e-5
    (few, _) = Distances((arb(0),), 3, 5).extremes(0, 60)
    assert few == arb("1.5")


def test_extremes_of_no_integer_are_refused() -> None:
    with pytest.raises(InputError, match=r"^\[5, 5\) has no integer"):
        Distances((arb(1),), 1, 0).extremes(5, 5)


def test_an_instance_is_support_until_a_proof_is_written() -> None:
    """One case of a general step, however exact, proves nothing of the rest."""
    case = [instance(exact("one case", True, 1, 1))]
    assert own_verdict("eq-1", case, written=False) is Verdict.SUPPORTED
    assert own_verdict("eq-1", case, written=True) is Verdict.PROVED
    wrong = [instance(exact("one case", False, 1, 2))]
    assert own_verdict("eq-1", wrong, written=True) is Verdict.REFUTED
