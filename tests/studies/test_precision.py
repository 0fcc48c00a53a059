"""Low precision: phases in float32 cost nothing beyond the inner product, phases in the type cost the score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.encodings import LinearTapa, Tapa
from analysis.errors import InputError
from analysis.studies.precision import score_errors

LAGS = np.array([0.0, 1.0, 1000.0, 60_000.0, 65_536.0])


@pytest.fixture(scope="module")
def found():
    return score_errors(Tapa(64), LAGS, [0.01, 1.0], samples=1000, seed=0)


def test_at_distance_zero_only_the_amplitude_is_rounded(found):
    """One rounding of a number of the type: a relative 2^-(bits + 1) at most, and no less than a tenth of it."""
    zero = found["error"].sel(distance=0)
    for name in ("bfloat16", "float16"):
        unit = torch.finfo(getattr(torch, name)).eps / 2
        wide = zero.sel(dtype=name, phases_in="float32")
        assert (wide <= unit).all()
        assert (wide >= unit / 10).all()


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_float32_phases_add_no_error_at_any_distance(found, name):
    wide = found["error"].sel(dtype=name, phases_in="float32")
    unit = torch.finfo(getattr(torch, name)).eps / 2
    rounding = 2 * found["error"].sel(dtype="float32", phases_in="float32")  # budget from data
    assert (wide <= unit + rounding).all()
    assert (found["lost"].sel(phases_in="float32") == 0).all()


def test_phases_in_bfloat16_lose_the_score_and_float16_the_distance(found):
    own = found["error"].sel(phases_in="own type")
    far = own.sel(dtype="bfloat16", distance=60_000)
    unit = torch.finfo(torch.bfloat16).eps / 2
    assert far.sel(phase_sd=1.0) > 10 * unit > 10 * far.sel(phase_sd=0.01)
    assert own.sel(dtype="bfloat16", phase_sd=1.0, distance=60_000) > own.sel(
        dtype="float16", phase_sd=1.0, distance=60_000
    )
    # 65,536 is no number of float16: an infinite angle has no cosine
    assert found["lost"].sel(dtype="float16", phases_in="own type").values.tolist() == [[0, 0, 0, 0, 1]] * 2
    assert np.isnan(own.sel(dtype="float16", distance=65_536)).all()


def test_in_float32_both_ways_are_one(found):
    both = found["error"].sel(dtype="float32")
    assert both.sel(phases_in="own type").values.tolist() == both.sel(phases_in="float32").values.tolist()
    assert (both < 1e-5).all()


def test_the_linear_phase_likewise():
    linear = score_errors(LinearTapa(16), LAGS[:4], [0.1], samples=200, seed=0)["error"]
    assert (linear.sel(dtype="bfloat16", phases_in="float32") < 2.0**-8).all()
    assert (linear.sel(dtype="bfloat16", phases_in="own type", distance=60_000) > 4 * 2.0**-8).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "samples=0 is below 1"),
        ({"seed": -1}, "seed=-1 is below 0"),
        ({"phase_sds": [0.0]}, "phase=0.0 must be finite and above 0"),
        ({"distances": np.array([np.inf])}, "distance=inf is not a number"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"encoding": Tapa(4), "distances": LAGS, "phase_sds": [1.0], "samples": 5, "seed": 0}
    with pytest.raises(InputError, match=message):
        score_errors(**(arguments | change))
