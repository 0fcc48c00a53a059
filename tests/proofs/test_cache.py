"""Kept evidence comes back whole and of today's sources, or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis import files
from analysis.errors import InputError
from figures.catalogue import ROOT
from proofs import cache
from proofs.cache import Cache, fingerprint

ENTRY = {"label": "eq-1", "stated": {"verdict": "refuted", "says": "1 = 2"}, "rows": [[1.5, None, True]]}


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    kept = Cache(tmp_path / "made" / "on the way")
    assert kept.find("eq-1") is None
    kept.keep([ENTRY, ENTRY | {"label": "eq-2"}])
    assert kept.find("eq-1") == ENTRY
    assert kept.find("eq-2") == ENTRY | {"label": "eq-2"}
    assert sorted(path.name for path in kept.folder.iterdir()) == ["eq-1.json", "eq-2.json"]


DAMAGE: dict[str, Callable[[str], str]] = {
    "cut short": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another kind of JSON": lambda text: "[]",
    "a verdict changed": lambda text: text.replace("refuted", "proved"),
    "of other sources": lambda text: text.replace('"sources": "', '"sources": "0'),
    "no entry": lambda text: json.dumps({"sources": json.loads(text)["sources"]}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_counts_as_absent_and_is_written_anew(tmp_path: Path, damage: str) -> None:
    kept = Cache(tmp_path)
    kept.keep([ENTRY])
    path = tmp_path / "eq-1.json"
    text = DAMAGE[damage](path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    assert kept.find("eq-1") is None
    kept.keep([ENTRY])
    assert kept.find("eq-1") == ENTRY


def test_bytes_that_are_no_text_count_as_absent(tmp_path: Path) -> None:
    (tmp_path / "eq-1.json").write_bytes(b"\xff\xfe\x00")
    assert Cache(tmp_path).find("eq-1") is None


@pytest.mark.parametrize("label", ["../eq-1", "eq-1/..", "", "/etc/passwd"])
def test_no_label_leads_out_of_the_folder(tmp_path: Path, label: str) -> None:
    inner = Cache(tmp_path / "inner")
    Cache(tmp_path).keep([ENTRY])
    inner.folder.mkdir()
    assert inner.find(label) is None
    with pytest.raises(ValueError, match="is no label"):
        inner.keep([ENTRY | {"label": label}])


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Cache(tmp_path)
    kept.keep([ENTRY])

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match="cannot be written: no space left; give another output path"):
        kept.keep([ENTRY | {"rows": []}])
    assert [path.name for path in tmp_path.iterdir()] == ["eq-1.json"]
    assert kept.find("eq-1") == ENTRY


@pytest.mark.parametrize(
    "file",
    ["proofs/balls.py", "proofs/paper/appendix_e_sin.py", "analysis/evidence.py", "analysis/errors.py"],
)
def test_an_edit_of_anything_that_evidence_rests_on_is_seen(tmp_path: Path, file: str) -> None:
    shutil.copytree(ROOT / "proofs", tmp_path / "proofs", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "analysis").mkdir()
    for name in ("errors.py", "evidence.py"):
        shutil.copy(ROOT / "analysis" / name, tmp_path / "analysis" / name)
    before = fingerprint(tmp_path)
    assert before == fingerprint()
    path = tmp_path / file
    path.write_text(path.read_text(encoding="utf-8").replace(" ", "  ", 1), encoding="utf-8")
    assert fingerprint(tmp_path) != before


def test_another_version_of_a_library_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    monkeypatch.setattr(cache, "version", lambda name: "0.0.0")
    assert fingerprint() != before
