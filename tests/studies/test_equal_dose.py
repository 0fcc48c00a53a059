"""Doses and losses of interventions of equal far mass."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from analysis.studies import equal_dose


@given(st.floats(1, 8), st.floats(1e-6, 1))
def test_a_run_that_learned_beats_the_bigram_by_a_quarter_of_a_bit(bigram: float, more: float):
    edge = (bigram - 0.25) * math.log(2)
    assert equal_dose.has_learned(edge * (1 - more), bigram)
    assert not equal_dose.has_learned(edge * (1 + more), bigram)
    assert not equal_dose.has_learned(math.nan, bigram)
