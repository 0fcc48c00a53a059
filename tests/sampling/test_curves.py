"""`curve` against the theory's sums, against draws, and against what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.encodings import Alibi, Nope, Rope, Tapa
from analysis.encodings.base import Encoding
from analysis.sampling.curves import curve
from analysis.theory import frequencies
from analysis.theory.gaussian_law import correlated
from analysis.theory.rope import gamma_of
from tests.refusals import plainly_raises


@given(
    kind=st.sampled_from(["plain", "linear", "yarn"]),
    base=st.floats(100, 1e6),
    mu=st.floats(-1, 1),
    nu=st.floats(-0.5, 0.5),
    pairing=st.sampled_from(["halves", "interleaved"]),
)
def test_a_curve_of_rope_is_gamma_times_sqrt_d(kind: str, base: float, mu: float, nu: float, pairing):
    """By the moments of a law, and by the paper's sums: eq 17."""
    made = {
        "plain": lambda: frequencies.plain(base, 64, pairing=pairing),
        "linear": lambda: frequencies.linear(base, 64, factor=4.0, pairing=pairing),
        "yarn": lambda: frequencies.yarn(base, 64, factor=4.0, trained_length=2048, pairing=pairing),
    }[kind]()
    found = curve(made, mu=mu, nu=nu, to=4096, points=33)
    expected = 8 * gamma_of(made, found.distance.values, mu=mu, nu=nu)
    assert np.allclose(
        found["mean"], expected, rtol=0, atol=1e-11
    )  # 128 terms of size below 2 at angles below 4,096
    assert (found.mean_se == 0).all()


@pytest.mark.parametrize("encoding", [Rope(frequencies.plain(1e4, 8)), Alibi(8, [0.1]), Nope(8), Tapa(8)])
def test_draws_and_closed_form_agree(encoding: Encoding):
    law = correlated(8, 0.4, mu=0.5)
    exact = curve(encoding, law, to=100, points=9)
    drawn = curve(encoding, law, to=100, points=9, samples=1 << 15, seed=3)
    assert (abs(drawn["mean"] - exact["mean"]) < 5 * drawn.mean_se).all()
    assert np.allclose(drawn.sd, exact.sd, rtol=0.1)
    assert drawn.attrs["method"] == f"{1 << 15} draws"
    again = curve(encoding, law, to=100, points=9, samples=1 << 15, seed=3)
    assert drawn.identical(again)


def test_every_variable_has_a_name_and_a_unit():
    for variable in curve(Nope(4), to=8).variables.values():
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]


class Unknown(Nope):
    """Without moments in closed form."""

    def moments(self, law, distance, steps=None):
        return None


def test_refusals_are_one_line():
    plainly_raises(lambda: curve(Unknown(4)), "Unknown has no moments in closed form; give samples")
    assert curve(Unknown(4), to=8, samples=64)["mean"].size == 8
    plainly_raises(
        lambda: curve(Nope(4), correlated(4, 0.1), mu=0.5), "mu=0.5 and nu=0 are those of the law where none"
    )
    plainly_raises(lambda: curve(Nope(4), to=0), "longest distance 0 is not")
    plainly_raises(
        lambda: curve(Nope(4), correlated(6, 0.1)), "the law is of head_dim=6, the encoding is for head_dim=4"
    )
