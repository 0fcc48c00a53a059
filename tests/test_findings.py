"""Findings: the committed page is what the records give, and prose repeats no other number."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis import schemas
from analysis.cli.main import app
from analysis.errors import InputError
from analysis.records import Schema
from analysis.studies import equal_dose as study
from figures import findings
from figures.findings import checkpoint, equal_dose, interventions, phase_seeds
from figures.findings.finding import (
    FINE_TUNED_LENGTH,
    FINE_TUNED_LONGEST,
    FOLDER,
    LONGEST,
    TRAINED_LENGTH,
    content,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def every() -> dict[str, findings.Finding]:
    """Read here and not while tests are collected, which every process does."""
    return findings.findings()


def test_the_committed_page_is_what_the_records_give():
    assert findings.PAGE.read_text(encoding="utf-8") == findings.findings_page()


def test_a_finding_follows_its_record(monkeypatch: pytest.MonkeyPatch, every: dict[str, findings.Finding]):
    planted = copy.deepcopy(content(checkpoint.SMOLLM2))
    planted["dropped"]["distance_share"][3] = 0.5
    monkeypatch.setattr(checkpoint, "content", lambda name: planted)
    changed = {one.label: one for one in checkpoint.bias_findings()}
    assert "50 % of the variance" in changed["bias-share"].sentence
    assert changed["bias-near-first"].sentence == every["bias-near-first"].sentence


def test_differences_to_tapa_have_their_sign_and_their_seeds(monkeypatch: pytest.MonkeyPatch):
    """The record holds TAPA less its control; the sentence says the control less TAPA."""
    planted = copy.deepcopy(content(phase_seeds.RECORD))
    less = planted["summary"]["less"]["nope"]
    less["bits/8"] = {"of": [-1.0, -1.25, -0.75], "values": [-1.0] * 4}
    less["bits/1"] = {"of": [0.5, 0.25, 0.75], "values": [0.5] * 4}
    monkeypatch.setattr(phase_seeds, "content", lambda name: planted)
    found = {one.label: one for one in phase_seeds.position_findings()}["position-nope"]
    assert "less TAPA's -0.50 [-0.75, -0.25] and +1.00 [+0.75, +1.25]" in found.sentence
    assert "difference over 4 seeds, 95 % by Student's t over them" in found.sentence
    del planted["summary"]["less"]["tapa_frozen"]
    assert "position-tapa-frozen" not in {one.label for one in phase_seeds.position_findings()}


def test_a_finding_names_a_record_and_a_figure_that_are_there(every: dict[str, findings.Finding]):
    for label, one in every.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", label)  # its own anchor
        assert (FOLDER / one.record).is_file(), label
        assert one.figure is None or (FOLDER / f"{one.figure}.py").is_file(), label
        assert re.search(r"\d.*\.$", one.sentence), label
        assert not {"nan", "None"} & set(re.findall(r"[A-Za-z]+", one.sentence)), label


def test_a_record_says_which_command_makes_it_and_where_it_is_measured(every: dict[str, findings.Finding]):
    known = {each.name or each.callback.__name__.replace("_", "-") for each in app.registered_commands}
    for record, one in {one.record: one for one in every.values()}.items():
        command, module = one.origin
        program, name, *rest = command.split()
        file = ROOT / f"{rest[0].replace('.', '/')}.py" if rest else None
        assert name in known if program == "tapa" else file and file.is_file(), record
        assert (ROOT / module).is_file(), record
        assert command in one.as_text(), record
        assert one.as_json()["code"] == module, record
        if record.startswith("summaries/"):  # the record's own kind names the same command
            kind = json.loads((FOLDER / record).read_text(encoding="utf-8"))["schema"]
            own = [each for each in vars(schemas).values() if isinstance(each, Schema) and each.label == kind]
            assert all(each.made_by.split()[:2] == command.split()[:2] for each in own), record


def test_an_unknown_label_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="no finding 'bias-shear'; did you mean bias-share"):
        findings.finding("bias-shear")


@pytest.mark.full  # a process
def test_findings_are_read_without_torch():
    code = (
        "import sys; from figures import findings; findings.findings_page(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_one_finding_is_printed_and_raw_values_for_machines():
    runner = CliRunner()
    shown = runner.invoke(app, ["findings", "bias-share"])
    assert shown.stdout.startswith("bias-share: In the median head")
    assert "figures/summaries/smollm2.json" in shown.stdout
    [found] = json.loads(runner.invoke(app, ["findings", "loss-rope", "--json"]).stdout)
    value, low, high = found["values"]["beyond"]
    assert low < value < high
    assert found["record"] == "figures/tables/table2.csv"


def test_scored_bytes_are_those_of_the_study():
    assert interventions.SPAN == equal_dose.span() == study.SCORED


def test_lengths_are_those_of_every_run_of_the_small_models():
    for path in sorted((FOLDER / "trained").glob("*-s*-lr*.json")):
        configuration = content(f"trained/{path.name}")["configuration"]
        lengths = (FINE_TUNED_LENGTH, FINE_TUNED_LONGEST) if "_4x" in path.name else (TRAINED_LENGTH, LONGEST)
        assert (configuration["recipe"]["length"], configuration["lengths"][-1]) == lengths, path.name
