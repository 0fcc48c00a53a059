"""Recovery curves as figure and findings: what the record holds, at equal tokens, and how far each arm has come."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from analysis.studies import recovery as study
from analysis.studies.recovery import CONTROL, RAW, STILL
from figures import fig_39_recovery as figure
from figures.findings import recovery as findings
from tests.figures.test_pictures import few_pixels
from tests.studies.test_recovery import made

__all__ = ["few_pixels"]

ARMS = [*findings.ARMS]  # those that the picture compares
STARTS = {CONTROL: 3.5, "tapa": 6.5, "nope": 5.5, "yarn": 3.75, RAW: 7.5}
LATER = {CONTROL: 3.25, "tapa": 4.75, "nope": 4.5, "yarn": 3.5}
PARTIAL = {(arm, 0): loss for arm, loss in STARTS.items()} | {
    (arm, 4096): loss for arm, loss in LATER.items()
}
AHEAD = {(CONTROL, 8192): 3.0, ("tapa", 8192): 4.0}  # the other arms are not there yet
WHOLE = PARTIAL | AHEAD | {("nope", 8192): 4.25, ("yarn", 8192): 3.25}


def record(losses: dict[tuple[str, int], float]) -> xr.Dataset:
    return made(losses).assign_attrs(configuration=json.dumps({"model": "SmolLM2-135M-Instruct", "seed": 0}))


def said(data: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(findings, "_data", lambda: data)
    return {one.label: one.sentence for one in findings.recovery_curve_findings()}


@pytest.mark.parametrize("still", [{}, {(STILL, 0): 6.25, (STILL, 4096): 5.0}], ids=["planned", "measured"])
def test_every_measured_cell_is_drawn_where_it_belongs(still: dict[tuple[str, int], float]):
    data = record(PARTIAL | AHEAD | still)
    looks = {arm: look for arm, look in figure.LOOKS.items() if arm != STILL or still}
    drawn = figure.draw({"recovery": data})
    for ax, length in zip(drawn.axes, (256, 1024), strict=True):
        cells = data.sel(length=length)
        for arm, look in looks.items():
            known = cells.loss.sel(arm=arm).values
            known = known[np.isfinite(known)]
            x, y = next(
                line.get_data() for line in ax.lines
                if line.get_marker() == look[2] and line.get_color() == figure.COLOURS[look[1]]
            )  # fmt: skip
            np.testing.assert_array_equal(y, known)
            np.testing.assert_allclose(np.asarray(x), look[4] * np.array([2048, 4096, 8192])[: len(known)])
        heights = [np.asarray(line.get_ydata()).tolist() for line in ax.lines]
        assert [3.5, 3.5] in heights  # RoPE untouched
        assert [7.5] in heights  # TAPA, raw weights
        assert {text.get_text() for text in ax.texts} == {"a", "b"} & {ax.texts[0].get_text()} | {
            look[0] for look in looks.values()
        }


def test_arms_are_compared_where_all_have_come_and_the_note_says_who_is_ahead():
    drawn = figure.draw({"recovery": record(PARTIAL | AHEAD)})
    title, note = (text.replace("\n", " ") for text in (drawn.get_suptitle(), drawn.get_supxlabel()))
    assert title.startswith("Trained on 4,096 tokens, TAPA's loss is 1.50 [1.50, 1.50] nats above")
    assert "after 3.00 at the start" in title
    assert "Of 8,192 planned tokens so far: TAPA and RoPE at 8,192; no rotation and YaRN at 4,096." in note
    late = {(STILL, tokens): 5.0 for tokens in (0, 4096)}  # planned last, and no part of what is compared
    both = figure.draw({"recovery": record(PARTIAL | AHEAD | late)})
    assert both.get_suptitle() == drawn.get_suptitle()
    assert "no rotation, YaRN and TAPA at phase 0 at 4,096" in both.get_supxlabel().replace("\n", " ")
    whole = figure.draw({"recovery": record(WHOLE)})
    assert "Trained on 8,192 tokens, TAPA's loss is 1.00" in whole.get_suptitle().replace("\n", " ")
    assert "All 8,192 tokens of the plan" in whole.get_supxlabel().replace("\n", " ")


def test_before_the_first_training_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch):
    start = record({(arm, 0): loss for arm, loss in STARTS.items()})
    assert "not every arm has been trained yet" in figure.draw({"recovery": start}).get_suptitle().replace(
        "\n", " "
    )
    assert set(said(start, monkeypatch)) == {"recovery-start", "recovery-undecided"}


def test_findings_are_of_equal_tokens(monkeypatch: pytest.MonkeyPatch):
    found = said(record(PARTIAL | AHEAD), monkeypatch)
    assert (
        "3.50 nats per token with its RoPE, 3.75 with YaRN, 5.50 with the rotation" in found["recovery-start"]
    )
    assert "4,096 tokens of training with its own RoPE take" in found["recovery-rope"]
    assert "from 3.50 to 3.25 nats" in found["recovery-rope"]
    assert "is 1.50 [1.50, 1.50] nats per token above" in found["recovery-tapa"]
    assert "and 50 % [50, 50] of that excess is closed" in found["recovery-tapa"]  # 3.0 at first
    assert "38 % [38, 38] of that excess is closed" in found["recovery-nope"]  # 1.25 of 2.0 is left
    assert "0 % [0, 0] of that excess is closed" in found["recovery-yarn"]
    assert "is +0.25 [+0.25, +0.25] nats per token in windows of 256" in found["recovery-tapa-less-nope"]
    assert (
        "had 4,096 of 8,192 planned tokens (RoPE 8,192, TAPA 8,192, no rotation 4,096, YaRN 4,096)"
        in (found["recovery-undecided"])
    )
    assert "8,192 of 8,192 planned" in said(record(WHOLE), monkeypatch)["recovery-undecided"]


def test_no_share_is_said_of_an_arm_that_lost_nothing(monkeypatch: pytest.MonkeyPatch):
    found = said(record(PARTIAL | {("yarn", 0): 3.5}), monkeypatch)
    assert "closed" not in found["recovery-yarn"]
    assert "0.25 [0.25, 0.25] nats per token above" in found["recovery-yarn"]


def test_study_figure_and_findings_agree_on_how_far_arms_have_come(monkeypatch: pytest.MonkeyPatch):
    for losses, tokens in ((PARTIAL, 4096), (PARTIAL | AHEAD, 4096), (WHOLE, 8192)):
        data = record(losses)
        monkeypatch.setattr(findings, "_data", lambda data=data: data)
        assert study.reached(data, ARMS) == figure._reached(data, ARMS) == findings._reached(ARMS) == tokens
    assert study.reached(record(PARTIAL | AHEAD), ["rope", "tapa"]) == 8192


def test_a_partial_record_tells_what_is_missing():
    still = {(STILL, tokens): 5.0 for tokens in (0, 4096, 8192)}
    missing = study.unmeasured(record(PARTIAL | AHEAD))
    assert missing == [(STILL, 0), (STILL, 4096), ("nope", 8192), ("yarn", 8192), (STILL, 8192)]
    assert study.unmeasured(record(PARTIAL | AHEAD | still)) == [("nope", 8192), ("yarn", 8192)]
    assert (
        "not measured yet: 5 arms and tokens of the plan, from tapa-still at 0 tokens on"
        in study.recovery_table(record(PARTIAL | AHEAD))
    )
    assert study.unmeasured(record(WHOLE | still)) == []
    assert "not measured yet" not in study.recovery_table(record(WHOLE | still))
    lost = record(WHOLE | still)
    lost["loss"].loc[{"arm": "tapa", "trained": 4096, "length": 1024}] = np.nan
    assert study.unmeasured(lost) == [("tapa", 4096)]
