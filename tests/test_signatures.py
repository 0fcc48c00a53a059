"""The checks of signatures: the first calls of each test, and every call at night."""

from __future__ import annotations

import dataclasses
import math

import beartype
import jaxtyping
import numpy as np
import pytest
from jaxtyping import Float

from analysis.evidence import Evidence, Verdict
from tests.signatures import CHECKS, FIRST, Checks, checked, signatures_unchecked


def refused(call) -> bool:
    """Was it refused by the check, and by nothing else?"""
    try:
        call()
    except jaxtyping.TypeCheckError:
        return True
    return False


def pair(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> int:
    return len(x) + len(y)


def test_the_first_calls_of_each_test_are_checked_and_later_ones_of_it_are_not():
    checks = Checks(most=3)
    first, second = (checked(pair, typechecker=beartype.beartype, checks=checks) for _ in range(2))
    bad = np.ones(2), np.ones(3)
    assert [refused(lambda: first(*bad)) for _ in range(5)] == [True] * 3 + [False] * 2
    assert refused(lambda: second(*bad))  # each function has its own first calls
    checks.test += 1
    assert refused(lambda: first(*bad))
    with signatures_unchecked():
        assert first(*bad) == 5
    assert not refused(lambda: first(np.ones(2), np.ones(2)))


def test_at_night_every_call_is_checked():
    every = checked(pair, typechecker=beartype.beartype, checks=Checks(most=math.inf))
    assert all(refused(lambda: every(np.ones(2), np.ones(3))) for _ in range(2 * FIRST))


def test_a_dataclass_is_checked_once_where_it_is_made():
    @dataclasses.dataclass(frozen=True, slots=True)
    class Bare:
        value: int

    made = checked(Bare, typechecker=beartype.beartype, checks=Checks())
    assert made is Bare
    assert refused(lambda: made("three"))  # pyright: ignore
    assert made(3) == Bare(3)
    once = made.__init__
    assert checked(made, typechecker=beartype.beartype).__init__ is once


@pytest.fixture(scope="module")
def numbers() -> list[int]:
    return []


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_a_number_of_its_own_and_checks_begin_anew(_: int, numbers: list[int]):
    assert CHECKS.test not in numbers
    numbers.append(CHECKS.test)
    assert refused(lambda: Evidence(what=3, verdict=Verdict.PROVED, computed=1.0))  # pyright: ignore
    for _ in range(FIRST):
        Evidence(what="three", verdict=Verdict.PROVED, computed=1.0)
