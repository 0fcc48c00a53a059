"""STATUS.md and the dependency graph's figure say what the ledger says now."""

from __future__ import annotations

import itertools
import re

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyArrowPatch, Rectangle

from figures import fig_claims, task_claims
from figures.places import ROOT
from proofs import claims, status
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


def test_the_ledger_is_complete() -> None:
    """Every row of the paper's list of claims, and every numbered equation from 2 to 84."""
    labels = claims.load().claims.keys()
    rows = {"asm-2.1", "def-3.1", "thm-2.1", "thm-2.2", "thm-2.3", "thm-3.2", "thm-3.3", "lem-C.1", "lem-C.2"}
    assert rows | {"rem-A", "fig-1"} <= labels
    assert [n for n in NUMBERED if f"eq-{n}" not in labels] == []


def test_the_record_is_made_again_when_any_proof_changes() -> None:
    depends = task_claims.task_claims.__defaults__[0]
    assert set(depends.values()) >= set((ROOT / "proofs").glob("*.py"))


@pytest.fixture
def drawn(whole_ledger: list[Result]) -> tuple[dict, plt.Axes]:
    record = {"claims": status.entries(whole_ledger), "graph": status.graph(whole_ledger)}
    figure = fig_claims.draw({"claims": record})
    yield record["graph"], figure.axes[0]
    plt.close(figure)


def test_the_figure_shows_every_form_in_its_colours(drawn: tuple[dict, plt.Axes]) -> None:
    graph, ax = drawn
    boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    colours = [(patch.get_facecolor(), patch.get_edgecolor()) for patch in boxes]
    for colour in {(node["fill"], node["border"]) for node in graph["nodes"]}:
        wanted = sum((node["fill"], node["border"]) == colour for node in graph["nodes"])
        found = sum(pair == (to_rgba(colour[0]), to_rgba(colour[1])) for pair in colours)
        assert found == wanted, colour
    words = [text.get_text() for text in ax.texts]
    assert {node["label"] for node in graph["nodes"]} <= set(words)


def test_the_figure_shows_every_dependency_and_reddens_the_broken(drawn: tuple[dict, plt.Axes]) -> None:
    graph, ax = drawn
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    uses = [edge for edge in graph["edges"] if edge["kind"] == "uses"]
    assert len(arrows) == len(uses)
    red = to_rgba(fig_claims.BROKEN)[:3]
    assert sum(patch.get_edgecolor()[:3] == red for patch in arrows) == sum(edge["broken"] for edge in uses)


def test_no_two_claims_overlap_in_the_figure(whole_ledger: list[Result]) -> None:
    places, bands, height = fig_claims.arrange(status.entries(whole_ledger))
    assert len(places) == len(whole_ledger)
    spots = sorted((place.y, place.x) for place in places.values())
    for (y0, x0), (y1, x1) in itertools.pairwise(spots):
        assert y1 - y0 > fig_claims.BAR + 0.3 or (y0 == y1 and x1 - x0 > fig_claims.BOX)
    assert all(bottom >= -height for _, _, bottom in bands)


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
