"""Any bytes end in a result or in one line with exit code 2: within ten seconds, four gigabytes, and no traceback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from tests import hostile
from tests.hostile import GOOD, Case, Ended, Samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    torch.set_num_threads(1)  # a forked process has no others
    return hostile.made(tmp_path_factory.mktemp("hostile"))


def bad_ends(samples: Samples, count: int) -> list[str]:
    bad: list[str] = []

    def look(case: Case, ended: Ended) -> None:
        if ended.how not in GOOD:
            bad.append(f"{case.door}: {ended.how} {case.words}\n{ended.said[-1500:]}")

    found = hostile.counted(samples, count, look)
    assert found.total() >= 0.9 * count  # hypothesis may draw a case twice and leave it out
    assert {how for _, how in found} >= set(GOOD), "nothing is refused, or nothing is let through"
    return bad


def test_hostile_inputs(samples: Samples):
    assert bad_ends(samples, 100) == []


@pytest.mark.slow
def test_many_hostile_inputs(samples: Samples):
    assert bad_ends(samples, 2000) == []


def test_valid_inputs_are_let_through(samples: Samples):
    """Else a door that refuses everything would pass."""

    doors = {
        "record": {"r.nc": samples.record},
        "run record": {"tapa-s0-lr2e-3.json": samples.run},
        "recipe": {"r.toml": samples.recipe},
        "text": {"t.md": samples.text},
        "own model": {"model.safetensors": samples.own},
    }
    for door, files in doors.items():
        assert hostile.run(Case(door, files, ()), samples.ours).how == "result", door
    model = {f"model/{name}": data for name, data in samples.model.items()} | {"t.txt": samples.text}
    words = ("measure", "model", "--text", "t.txt", *hostile.MODEL_OPTIONS)
    assert hostile.run(Case("config.json", model, words), samples.ours).how == "result"
    gguf = {"m.gguf": samples.gguf, "t.txt": samples.text}
    words = ("measure", "m.gguf", "--text", "t.txt", *hostile.MODEL_OPTIONS)
    assert hostile.run(Case("gguf", gguf, words), samples.ours).how == "result"


def planted(what: str):
    def enter(case: Case, ours: bytes) -> None:
        match what:
            case "traceback":
                raise KeyError("planted")
            case "too much memory":
                bytearray(4 * hostile.MEMORY)  # more than earlier cases can have left free
            case "signal SIGSEGV":
                import ctypes

                ctypes.string_at(0)
            case "too long":
                while True:
                    time.perf_counter()

    return enter


@pytest.mark.parametrize("what", ["traceback", "too much memory", "signal SIGSEGV", "too long"])
def test_a_planted_failure_is_seen(what: str, samples: Samples, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hostile, "enter", planted(what))
    monkeypatch.setattr(hostile, "SECONDS", 1)
    monkeypatch.setattr(hostile, "MEMORY", 1 << 28)
    assert hostile.run(Case("text", {"t.md": b"x"}, ()), Path(__file__).read_bytes()).how == what
