"""Whole commands that are killed: a few times here, and each of `tests.kills` 20 times and more in the slow suite."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests import kills


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> kills.Place:
    kills._import_all()
    return kills.Place(tmp_path_factory.mktemp("kills") / "place")


def killed(place: kills.Place, name: str, count: int) -> kills.Counts:
    (scenario,) = [one for one in kills.SCENARIOS if one.name == name]
    return kills.Harness(place, scenario, random.Random(0)).kill(count)


def test_a_killed_training_breaks_no_promise(place: kills.Place):
    counts = killed(place, "train", 1)
    assert counts.wrong == []
    assert counts.resumed == counts.ends >= 2
    assert counts.by_moment["file operation"] == 1
    assert counts.by_moment["a full disk"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [one.name for one in kills.SCENARIOS])
def test_no_kill_breaks_a_promise(place: kills.Place, name: str):
    counts = killed(place, name, 20)
    assert counts.wrong == []
    assert counts.by_moment[kills.MOMENT] == counts.by_moment[kills.OPERATION] == 20
    assert counts.resumed == counts.ends
    assert counts.in_order == counts.heedable


def test_half_a_file_is_seen(tmp_path: Path):
    """Each kind that the harness looks at."""
    for name, data in {
        "a.pdf": b"%PDF-1.4 cut", "a.png": b"\x89PNG", "a.nc": b"\x89HDF\r\n\x1a\n", "a.json": b"[]",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
        assert not kills._is_whole(tmp_path / name), name
    (tmp_path / "b.json").write_text(json.dumps({"content": 1}))
    assert kills._is_whole(tmp_path / "b.json")
