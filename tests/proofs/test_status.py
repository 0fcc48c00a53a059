"""STATUS.md and the dependency graph's figure say what the ledger says now."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from matplotlib.colors import to_rgba

from figures import build, fig_05_claims
from figures.catalogue import ROOT, read_any
from figures.claims_tables import Claims
from proofs import status
from proofs.ledger import load
from proofs.verify import Result

RUN = "run `tapa verify --write`"
NUMBERED = range(2, 85)


def test_status_md_holds_every_verdict_of_today(whole_ledger: list[Result]) -> None:
    assert status.compare(whole_ledger, status.PATH) == [], RUN


def test_status_md_is_what_would_be_written_today(whole_ledger: list[Result]) -> None:
    assert status.PATH.read_text(encoding="utf-8") == status.status_markdown(whole_ledger), RUN


def test_every_failing_claim_says_what_is_missing_or_how_it_is_mended(whole_ledger: list[Result]) -> None:
    """What is not established has a repair that stands, or an outline that says why there is none."""
    for result in whole_ledger:
        if str(result.stated) not in ("proved", "certified") and result.repaired is None:
            assert result.kind not in ("theorem", "lemma"), result.label
            assert result.as_stated.form.outline, result.label
        if result.repaired is not None:
            assert str(result.repaired) in ("proved", "certified"), result.label


# what the paper claims, by the part of it, and every numbered equation beside
STATEMENTS = {
    "Section 2": "not-2.1 asm-2.1 thm-2.1 rem-B thm-2.2 thm-2.3 rem-base rem-base.range",
    "Section 3": "def-3.1 rem-3.reduces rem-3.stationary rem-3.parameters rem-3.flops rem-3.limits thm-3.2 "
    "rem-3.pointwise rem-3.nondegenerate thm-3.3",
    "Section 4": "rem-4.tokens rem-4.bases tab-1 tab-2 tab-3 rem-4.5",
    "Section 5": "rem-PI",
    "Introduction": "rem-extensions rem-PI.monotone rem-3.eliminates",
    "Appendix A": "rem-A",
    "Appendix B": "thm-2.1.weyl",
    "Appendix C": "lem-C.1 lem-C.2 eq-33.uniform",
    "Appendix G": "thm-3.2.printed",
    "Appendix H": "thm-3.3.printed",
    "Appendix I": "fig-1 fig-1.protocol fig-1.symmetric",
}
BASES, DIMS, LONGEST = {10**4, 10**5, 5 * 10**5, 10**6, 2 * 10**8, 4 * 10**9}, {64, 128, 256}, 2**20


def missing(labels: set[str]) -> list[str]:
    """Statements and numbered equations of the paper without a claim."""
    wanted = [label for line in STATEMENTS.values() for label in line.split()]
    return [label for label in (*wanted, *(f"eq-{n}" for n in NUMBERED)) if label not in labels]


def test_the_ledger_is_complete() -> None:
    """Every row of the paper's list of claims, and every numbered equation from 2 to 84."""
    ledger = load()
    assert missing(set(ledger.claims)) == []
    for part, line in STATEMENTS.items():
        assert {ledger.claims[label].part for label in line.split()} == {part}
    for number in NUMBERED:
        assert f"eq {number}" in ledger.claims[f"eq-{number}"].where, number


@pytest.mark.parametrize("gone", ["eq-73", "thm-3.3", "tab-2"])
def test_a_statement_without_a_claim_is_missed(gone: str) -> None:
    assert missing(load().claims.keys() - {gone}) == [gone]


def test_definitions_and_steps_are_told_apart() -> None:
    """What asserts something has an attack; a definition or assumption says what its evidence is of."""
    ledger = load()
    for number in NUMBERED:
        claim = ledger.claims[f"eq-{number}"]
        assert (
            claim.kind in ("definition", "assumption")
            or {claim.label, f"{claim.label}*"} & ledger.attacks.keys()
        )


def test_theorems_and_lemmas_are_looked_at_at_real_sizes(whole_ledger: list[Result]) -> None:
    """Bases from 1e4 to 4e9, head dimensions 64 to 256, distances to 2^20."""
    practice = {result.label: result.practice for result in whole_ledger}
    for label in ("thm-2.1", "thm-2.2", "thm-2.3", "lem-C.1", "lem-C.2"):
        rows = practice[label]
        words = " ".join(f"{key} {value}" for row in rows for key, value in row.items())
        assert {row["base"] for row in rows} >= BASES, label
        assert all(str(dim) in words for dim in DIMS), label
        assert "2^20" in words or str(LONGEST) in words, label
    for label in ("thm-3.2", "thm-3.3"):
        assert {row["head_dim"] for row in practice[label]} >= DIMS, label
        assert all(any("2^20" in key for key in row) for row in practice[label]), label


DIGITS = 6  # to which a record rounds its floats


def rounded(value: object) -> object:
    """Plain data as a record keeps it."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def differences(entries: list[dict], results: list[Result]) -> list[str]:
    """Claims of a record that do not say what the ledger says now."""
    now = {entry["label"]: rounded(entry) for entry in status.entries(results)}
    then = {entry["label"]: rounded(entry) for entry in entries}
    return sorted(label for label in now.keys() | then.keys() if now.get(label) != then.get(label))


@pytest.mark.records("claims")
def test_the_figure_s_record_is_that_of_today(made_records: None, whole_ledger: list[Result]) -> None:
    """Its step has just made it of these results, or found it up to date: no source may be missing in its closure."""
    found = read_any("claims")
    assert differences(found["claims"], whole_ledger) == []


def test_a_stale_record_is_seen(whole_ledger: list[Result]) -> None:
    entries = json.loads(json.dumps(status.entries(whole_ledger)))
    assert differences(entries, whole_ledger) == []
    entries[3]["stated"]["verdict"] = "proved" if entries[3]["stated"]["verdict"] != "proved" else "refuted"
    gone = entries.pop()
    assert differences(entries, whole_ledger) == sorted([entries[3]["label"], gone["label"]])


def test_a_stale_status_md_is_seen(whole_ledger: list[Result], tmp_path: Path) -> None:
    stale = tmp_path / "STATUS.md"
    text = status.status_markdown(whole_ledger)
    row = next(line for line in text.splitlines() if line.startswith("| [`lem-C.1`](#lem-c1) |"))
    stale.write_text(text.replace(row, row.replace("proved", "unknown", 1)), encoding="utf-8")
    assert status.compare(whole_ledger, stale) == ["lem-C.1: as stated 'proved', STATUS.md says 'unknown'"]
    assert stale.read_text(encoding="utf-8") != text


def test_a_notebook_shows_statement_assumptions_and_proof(whole_ledger: list[Result]) -> None:
    found = status.ledger_content(whole_ledger)
    claims = Claims({entry["label"]: entry for entry in found["claims"]}, found["notation"])
    text = claims.show("lem-C.2", "thm-2.2", facts=1).text
    for piece in (
        r"- as stated, **proved**: for all $0 < \theta_{0} < 0.1$, ",
        "    - assumes: ",
        "    - uses: `eq-27`\n",
        r"**Proof** as stated. *For $0<\epsilon_0<1$.* Cut ",
        r"**Proof** as repaired. The first $k$ terms lie between ",
        "- as stated, **refuted**: Assumption 2.1: there is ",
        "**Proof** as repaired. `thm-2.2.riemann`, used at ",
    ):
        assert piece in text, piece
    assert claims.notation().text.startswith(r"$b=1/\theta_0>1$ is the base")


def test_the_record_is_made_again_when_any_proof_changes() -> None:
    depends = build.sources("record", "proofs.status:record", {})
    names = ("cache.py", "mutants.py", "planting.py")  # no verdict comes from them
    tools = {ROOT / "proofs" / name for name in names}
    neighbours = set((ROOT / "proofs" / "rivals").rglob("*.py"))  # other papers: theirs is RIVALS.md
    assert set(depends.values()) >= set((ROOT / "proofs").rglob("*.py")) - tools - neighbours


def test_the_figure_counts_every_verdict_and_shows_the_theorems(whole_ledger: list[Result]) -> None:
    claims = status.entries(whole_ledger)
    bars, grid = fig_05_claims.draw({"claims": {"claims": claims}}).axes
    widths: dict[tuple[float, ...], float] = {}
    for patch in bars.patches:
        widths[patch.get_facecolor()] = widths.get(patch.get_facecolor(), 0) + patch.get_width()
    repaired = {
        r.label
        for r in whole_ledger
        if r.as_repaired and str(r.as_repaired.verdict) in ("proved", "certified")
    }
    for verdict, (fill, *_) in fig_05_claims.LOOKS.items():
        own = {r.label for r in whole_ledger if str(r.as_stated.verdict) == verdict.partition(",")[0]}
        if verdict.startswith("refuted"):
            own = own & repaired if "repaired" in verdict else own - repaired
        assert widths.get(to_rgba(fill), 0) == len(own), verdict
    assert [text.get_text() for text in grid.get_yticklabels()] == list(fig_05_claims.SHOWN)
    *letters, panel = [text.get_text() for text in grid.texts]
    assert panel == "b"
    expected = []
    for label in fig_05_claims.SHOWN:
        result = next(r for r in whole_ledger if r.label == label)
        expected.append(str(result.as_stated.verdict)[0].upper())
        expected.append(str(result.as_repaired.verdict)[0].upper() if result.as_repaired else "not needed")
    assert letters == expected


def test_verdicts_are_told_apart_in_grey() -> None:
    looks = [
        (to_rgba(fill), fig_05_claims.HATCH.get(name)) for name, (fill, *_) in fig_05_claims.LOOKS.items()
    ]
    grey = [round(0.2126 * r + 0.7152 * g + 0.0722 * b, 2) for (r, g, b, _), _ in looks]
    for (one, hatch), (other, other_hatch) in itertools.combinations(
        zip(grey, (h for _, h in looks), strict=True), 2
    ):
        assert abs(one - other) > 0.03 or hatch != other_hatch


def test_entries_are_in_reading_order_and_carry_everything(whole_ledger: list[Result]) -> None:
    entries = status.entries(whole_ledger)
    assert sorted(entry["label"] for entry in entries) == sorted(result.label for result in whole_ledger)
    parts = [entry["part"] for entry in entries]
    assert list(dict.fromkeys(parts)) == sorted(
        set(parts), key=lambda part: (("I", "S", "A").index(part[0]), part)
    )
    entry = next(entry for entry in entries if entry["label"] == "thm-2.2")
    assert entry["stated"]["verdict"] == "refuted"
    assert entry["repaired"]["verdict"] == "certified"
    assert all(re.match("[a-z]+: ", line) for line in entry["repaired"]["evidence"])
    assert len(entry["practice"]["rows"]) == 36
    assert {len(row) for row in entry["practice"]["rows"]} == {len(entry["practice"]["columns"])}
