"""Evidence and verdicts: what may be written down, and that what may not says why."""

from __future__ import annotations

import dataclasses
import json
import math

import jaxtyping
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evidence import Evidence, Role, Verdict

SPREADS = ("radius", "standard_error")


def with_spread(what: str, field: str, spread: float) -> Evidence:
    other = {name: spread if name == field else None for name in SPREADS}
    return Evidence(
        what, Verdict.CERTIFIED, 0.25, radius=other["radius"], standard_error=other["standard_error"]
    )


@given(st.floats(min_value=0, allow_infinity=False), st.sampled_from(SPREADS))
def test_a_finite_spread_is_kept(spread: float, field: str):
    evidence = with_spread("a sum", field, spread)
    assert getattr(evidence, field) == spread


@given(
    st.floats(max_value=0, exclude_max=True) | st.sampled_from([math.inf, -math.inf, math.nan]),
    st.sampled_from(SPREADS),
)
def test_a_spread_that_certifies_nothing_is_refused(spread: float, field: str):
    """An infinite ball contains everything; NaN and negative radii are no balls at all."""
    with pytest.raises(ValueError, match="is not finite and >= 0") as error:
        with_spread("C_D(10) at base 1e4", field, spread)
    assert str(error.value) == f"evidence 'C_D(10) at base 1e4': {field}={spread} is not finite and >= 0"


def test_the_exact_ball_of_radius_zero_is_a_ball():
    assert Evidence("an identity", Verdict.PROVED, computed=1.0, radius=0).radius == 0


def test_a_written_fact_cannot_be_changed():
    evidence = Evidence("an identity", Verdict.SUPPORTED, computed="x + 1", predicted="1 + x")
    with pytest.raises(dataclasses.FrozenInstanceError, match="verdict"):
        evidence.verdict = Verdict.PROVED  # pyright: ignore[reportAttributeAccessIssue]


def test_there_are_five_verdicts():
    """Five answers that do not coincide: agreement on samples, a certificate and a proof stay apart."""
    assert [str(verdict) for verdict in Verdict] == ["proved", "certified", "supported", "unknown", "refuted"]
    with pytest.raises(ValueError, match="'true' is not a valid Verdict"):
        Verdict("true")


@given(st.builds(Evidence, st.text(), st.sampled_from(Verdict), st.floats(allow_nan=False) | st.text()))
def test_evidence_survives_json(evidence: Evidence):
    """Records and `--json` write evidence as plain JSON and read the same evidence back."""
    read = json.loads(json.dumps(dataclasses.asdict(evidence)))
    assert Evidence(**{**read, "verdict": Verdict(read["verdict"]), "role": Role(read["role"])}) == evidence


def test_signatures_are_checked_while_testing():
    """The guard of conftest.py at work: a value outside its annotation stops a test that expects no error."""
    message = ""
    try:
        Evidence(what=3, verdict=Verdict.PROVED, computed=1.0)  # pyright: ignore[reportArgumentType]
    except jaxtyping.TypeCheckError as error:
        message = str(error)
    assert "analysis.evidence.Evidence" in message
    assert "what" in message


def test_signatures_are_not_checked_where_an_error_is_expected():
    with pytest.raises(ValueError, match=r"radius=inf"):
        Evidence(what=3, verdict=Verdict.PROVED, computed=1.0, radius=math.inf)  # pyright: ignore
