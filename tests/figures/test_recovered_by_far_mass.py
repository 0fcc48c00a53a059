"""The figure of recovered shares against far attention draws what the record holds, and names what lies outside."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from analysis.heads.bias_interventions import NAMES
from analysis.studies.bias_interventions import PRIMARY, SECONDARY
from analysis.studies.recovered_shares import DOSES, with_shares
from figures import fig_34_recovered_by_far_mass as figure
from figures.findings import long_context
from tests.figures.test_pictures import few_pixels

__all__ = ["few_pixels"]


def record(seed: int = 0, documents: int = 5) -> xr.Dataset:
    """A record with random losses: plain 4 nats, reference 3."""
    rng, names = np.random.default_rng(seed), [name for name in NAMES if name in (*PRIMARY, *SECONDARY)]
    nats = 3 + rng.random((documents, 1, len(names)))
    nats[..., names.index("plain")] = 4.0
    nats[..., names.index("clamp-departure")] = 6.0
    axes = ("document", "length", "intervention")
    found = xr.Dataset(
        {
            "nats": (axes, nats),
            **{name: (axes, rng.random(nats.shape)) for name in DOSES},
            "reference": (("document", "length"), np.full((documents, 1), 3.0)),
            "role": ("document", ["test"] * documents),
            "again": (axes, np.full(nats.shape, np.nan)),
            "precision": (axes, np.full(nats.shape, "bfloat16")),
            "matched_to": ("matched", ["hold", "hold-but-sink"]),
        },
        coords={
            "document": [f"d{i}" for i in range(documents)], "length": [48], "intervention": names,
            "matched": ["matched-constant", "matched-constant-but-sink"],
        },
        attrs={"model": "SmolLM2-135M-Instruct", "trained_length": 32, "target": 8},
    )  # fmt: skip
    return with_shares(found)


def test_every_intervention_is_a_dot_at_its_dose_and_its_share():
    data = record()
    (ax,) = figure.draw({"smollm2_bias": data}).axes
    dots = {
        (round(float(x[0]), 9), round(float(y[0]), 6))
        for x, y in (line.get_data() for line in ax.lines)
        if len(x) == 1
    }
    at = data.isel(length=0)
    assert set(figure.SHOWN) | {"plain"} == set(map(str, data.intervention.values))
    for name in figure.SHOWN:
        cell = at.sel(intervention=name)
        height = max(100 * float(cell.share), figure.LOWEST)
        assert (round(float(cell.mean_far), 9), round(height, 6)) in dots
    said = {text.get_text() for text in ax.texts}
    assert "clamp + departure: -200 %" in said
    low, high = ax.get_ylim()
    assert all(low <= height <= high for _, height in dots)


def test_the_title_is_the_endpoint_and_a_partial_record_says_so():
    data = record()
    title = figure.draw({"smollm2_bias": data}).get_suptitle().replace("\n", " ")
    for names in figure.PAIRS:
        shares = [100 * float(data.share.sel(intervention=name)[0]) for name in names]
        assert "{:.0f} % and {:.0f} %".format(*shares) in title
    data["nats"][2:, 0, list(data.intervention.values).index("clamp")] = np.nan
    partial = figure.draw({"smollm2_bias": with_shares(data)})
    assert "in 2 to 5 documents" in partial.get_supxlabel().replace("\n", " ")
    data["nats"][:, 0, list(data.intervention.values).index("hold")] = np.nan
    assert "against far attention" in figure.draw({"smollm2_bias": with_shares(data)}).get_suptitle()


@pytest.mark.parametrize("group", figure.GROUPS)
def test_every_group_has_members(group: str):
    assert group in {of for of, _ in figure.SHOWN.values()}


def test_findings_say_what_the_record_holds_and_leave_out_what_it_lacks(monkeypatch: pytest.MonkeyPatch):
    data = record()
    monkeypatch.setattr(long_context, "_data", lambda: data)
    found = {one.label: one for one in long_context.long_context_findings()}
    assert len(found) == 1 + len(long_context.SAID) + 2
    share = f"{100 * float(data.share.sel(length=48, intervention='hold')):.0f} %"
    assert f"recovers {share} [" in found["long-hold-48"].sentence
    assert "a loss of 4.00 nats per token at 48 tokens and of 3.00" in found["long-lost-48"].sentence
    gain = f"{100 * float(data.gain.sel(length=48, matched='matched-constant')):.0f} points"
    assert gain in found["long-shape-hold-48"].sentence
    data["nats"][:, 0, list(data.intervention.values).index("hold")] = np.nan
    data = with_shares(data)
    fewer = {one.label for one in long_context.long_context_findings()}
    assert set(found) - fewer == {"long-hold-48", "long-shape-hold-48"}


def test_findings_name_the_precisions_and_what_they_change(monkeypatch: pytest.MonkeyPatch):
    data = record()
    names = list(map(str, data.intervention.values))
    monkeypatch.setattr(long_context, "_data", lambda: data)
    assert "(Q4_1 weights, bfloat16) with" in sentences()["long-hold-48"]
    data.precision[3:, 0, :] = "float32"
    assert (
        "(Q4_1 weights, bfloat16 for 3 documents and float32 for 2 documents) with"
        in sentences()["long-hold-48"]
    )
    assert "long-precision-48" not in sentences()
    data.precision[3:, 0, names.index("plain")] = "bfloat16"
    assert "float32 for 2 documents; plain: bfloat16) with" in sentences()["long-hold-48"]
    data.again[0, 0, names.index("hold")] = data.nats[0, 0, names.index("hold")] + 0.25
    data.again[0, 0, names.index("matched-constant")] = data.nats[0, 0, names.index("matched-constant")] + 0.5
    said = sentences()["long-precision-48"]
    assert "Of 2 readings of 1 test document at 48 tokens made in bfloat16" in said
    assert "between +0.250 and +0.500 nats per token more, +0.375 in the mean" in said
    assert "that moves +25.0 points" in said  # of one nat that it loses


def sentences() -> dict[str, str]:
    return {one.label: one.sentence for one in long_context.long_context_findings()}


def test_a_longer_length_has_a_panel_of_its_own_once_it_has_been_read():
    """Of the longer length only three interventions, in two documents, have been read."""
    near, far = record(0), record(1).assign_coords(length=[64])
    names = list(map(str, far.intervention.values))
    unread = [index for index, name in enumerate(names) if name not in ("plain", "hold", "matched-constant")]
    far.nats[:, :, unread] = np.nan
    far.nats[2:] = np.nan
    data = with_shares(
        xr.concat([near, far], "length", data_vars="minimal", coords="minimal", compat="override")
    )
    drawn = figure.draw({"smollm2_bias": data})
    one, two = drawn.axes
    assert ["at 48 tokens" in one.get_ylabel(), "at 64 tokens" in two.get_ylabel()] == [True, True]
    assert one.get_xlim() == two.get_xlim()
    dots = {tuple(map(float, np.ravel(line.get_data()))) for line in two.lines if len(line.get_xdata()) == 1}
    for name in ("hold", "matched-constant"):
        cell = data.sel(length=64, intervention=name)
        assert (float(cell.mean_far), max(100 * float(cell.share), figure.LOWEST)) in dots
    assert len(dots) == 3
    assert "At 64 tokens interventions have been read in 2 documents" in drawn.get_supxlabel().replace(
        "\n", " "
    )
    shares = [100 * float(data.share.sel(length=64, intervention=name)) for name in figure.PAIRS[0]]
    assert "at 64 tokens {:.0f} % and {:.0f} %".format(*shares) in drawn.get_suptitle().replace("\n", " ")
    data.nats[:, 1] = np.nan
    assert len(figure.draw({"smollm2_bias": with_shares(data)}).axes) == 1
