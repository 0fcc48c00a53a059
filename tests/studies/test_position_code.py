"""Readers of places find what is planted, say nothing where nothing is, and are fitted on validation text alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.cli import main
from analysis.errors import InputError
from analysis.models import checkpoint
from analysis.models.checkpoint import load_model
from analysis.models.llama import Llama
from analysis.records import read_summary
from analysis.studies import position_code
from analysis.studies.settings import PositionCodeSettings
from analysis.text.corpus import Corpus, Raw, from_texts
from analysis.training.variants import VARIANTS
from tests.heads import tiny_phase as phase_tiny
from tests.refusals import plainly_raises, said_in_one_line

CONTEXT = 64
SETTINGS = PositionCodeSettings(windows=8, test_windows=3, seed=0)
PLACES = np.arange(16, 128)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.floats(-5.0, 5.0).filter(lambda x: abs(x) > 0.5))
def test_a_reader_finds_a_line_in_the_log_of_the_place_and_follows_it_beyond(
    seed: int, noise: float, slope: float
):
    rng = np.random.default_rng(seed)
    way = rng.standard_normal(8)
    way /= np.linalg.norm(way)

    def states(places: np.ndarray) -> np.ndarray:
        line = slope * np.log(places + 1.0)
        return 0.01 * noise * rng.standard_normal((40, len(places), 8)) + line[None, :, None] * way

    reader = position_code.fit_reader(states(PLACES), PLACES)
    far = np.arange(512, 640)
    assert position_code.explained(reader, states(PLACES), PLACES).min() > 0.9
    np.testing.assert_allclose(reader.read(states(far)).mean(axis=0), np.log(far + 1), atol=0.02)


def test_what_knows_no_place_is_read_as_none():
    rng = np.random.default_rng(1)
    states, others = rng.standard_normal((2, 40, len(PLACES), 8))
    reader = position_code.fit_reader(states, PLACES)
    share = position_code.explained(reader, others, PLACES)
    assert share.mean() < 0.01
    assert share.max() <= 1
    constant = position_code.fit_reader(
        np.zeros((2, 3, 4)), np.arange(3)
    )  # a number that never changes says nothing
    np.testing.assert_allclose(constant.read(np.ones((1, 3, 4))), np.log([1, 2, 3]).mean())
    with pytest.raises(InputError, match=r"1 places; a reader needs two"):
        position_code.fit_reader(states[:, :1], PLACES[:1])


def test_explained_variance_is_of_one_window_at_a_time():
    reader = position_code.PlaceReader(np.zeros(1), np.ones(1), np.ones(1), 0.0)
    y = np.log(PLACES + 1.0)
    states = np.stack([y, np.full_like(y, y.mean()), y + y.std()])[..., None]
    np.testing.assert_allclose(position_code.explained(reader, states, PLACES), [1, 0, 0], atol=1e-12)


@pytest.fixture(scope="module")
def data() -> Corpus:
    return from_texts(Raw([(f"{i}.py", phase_tiny.source(90, i).encode()) for i in range(10)], {}))


def make(root: Path, name: str, data: Corpus) -> Path:
    variant, _, seed = name.rpartition("-s")
    llama = phase_tiny.model(VARIANTS[variant].method, context=CONTEXT, seed=int(seed))
    about = {"corpus": "texts", "corpus_seed": 0, "seed": int(seed), "lr": 1e-3}
    return checkpoint.save(
        root / name, 3, llama.state_dict(), {}, config=llama.config, recipe=about, corpus_sha256=data.sha256
    )


@pytest.fixture
def made(tmp_path: Path, data: Corpus, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(position_code, "own_corpus", lambda checkpoint, progress: data)
    return [make(tmp_path, name, data) for name in ("nope-s0", "rope-s1")]


def test_states_are_those_that_the_blocks_see(data: Corpus, tmp_path: Path):
    """Before the first block a state is its token's alone; after the last one it is what the model's output is of."""
    model = load_model(make(tmp_path, "rope-s0", data)).eval()
    tokens, documents = position_code._windows(data, "test", 64, 3, 0)
    assert (tokens.shape, len(set(documents))) == ((3, 64), 3)
    states = position_code.states_by_block(model, tokens)
    assert len(states) == len(model.blocks) + 1
    assert states[0].shape[:2] == (3, 64 - position_code.FIRST)
    with torch.no_grad():
        logits = model(tokens)[:, position_code.FIRST :]
    last = torch.from_numpy(states[-1]).float()
    torch.testing.assert_close(torch.nn.functional.linear(model.norm(last), model.embedding.weight), logits)
    torch.testing.assert_close(
        torch.from_numpy(states[0]).float(), model.embedding(tokens[:, position_code.FIRST :])
    )
    assert not model.blocks[0]._forward_hooks  # nothing stays behind


def test_a_row_is_read_in_words_and_kept(made: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "position.json"
    content = position_code.measure_position(made, out, SETTINGS, arguments=["tapa"])
    assert list(content["rows"]) == ["nope-s0-lr0.001", "rope-s1-lr0.001"]
    for row in content["rows"].values():
        assert len(row["explained"]) == len(row["untrained"]) == 3
        assert row["explained"][0][0] < 0.2  # a token does not know its place before anything attends
        assert 1 <= row["layer"] <= 2
        assert [(one["from"], one["to"]) for one in row["read"]][-1] == (6 * CONTEXT, 8 * CONTEXT)
        assert row["read"][-1]["from"] < row["read"][-1]["place"] < row["read"][-1]["to"]
        low, high = row["read"][0]["said"][1:]
        assert low <= row["read"][0]["said"][0] <= high
    assert read_summary(out, expect_schema=position_code.RECORD)["rows"].keys() == content["rows"].keys()

    def refuse(task: Any) -> Any:
        raise AssertionError(f"{task.name} is measured again")

    monkeypatch.setattr(position_code, "measured_position", refuse)
    again = position_code.measure_position(made[:1], out, SETTINGS, arguments=["tapa"])
    assert (
        again["rows"].keys() == content["rows"].keys()
    )  # up to date, and of models that are not named here too


def test_a_short_model_is_refused(data: Corpus):
    model = phase_tiny.model("nope", context=32)
    plainly_raises(lambda: position_code.position_row(model, data, SETTINGS), "trained at 32 tokens")


def test_fitting_and_choosing_see_no_test_text(data: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make(tmp_path, "nope-s0", data)
    found: list[np.ndarray] = []
    monkeypatch.setattr(
        position_code, "fit_reader", lambda *a, own=position_code.fit_reader: found.append(a[0]) or own(*a)
    )
    model = load_model(path).eval()
    row = position_code.position_row(model, data, SETTINGS)
    of_validation = position_code._windows(data, "validation", 8 * CONTEXT, 8, 0)[0][:, :CONTEXT]
    kept = np.arange(8) % position_code.HELD != 0
    own = position_code.states_by_block(model, of_validation)
    for seen, states in zip(found[:3], own, strict=True):
        np.testing.assert_array_equal(seen, states[kept])
    assert row["files"] == 3
    fresh = Llama(model.config, seed=0).eval()
    np.testing.assert_array_equal(found[3], position_code.states_by_block(fresh, of_validation)[0][kept])


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["tapa", "position", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return int(ended.value.code or 0)


def test_the_command(made: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    out = str(tmp_path / "mine.json")
    asked = [*map(str, made), "--windows", "8", "--test-windows", "3", "--workers", "1", "--out", out]
    assert called(monkeypatch, *asked) == 0
    said = capsys.readouterr().out
    assert "nope-s0-lr0.001" in said
    assert "384-512" in said
    assert called(monkeypatch, *asked, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rope-s1-lr0.001"]["layer"] in (1, 2)
    for bad, message in (
        ([str(made[0]), "--out", out], "is of other settings; give another --out or remove it"),
        ([str(made[0])] * 2 + ["--out", str(tmp_path / "x")], "give each variant, seed and rate once"),
        ([str(made[0]), "--windows", "7"], "7"),
        ([str(tmp_path / "nothing"), "--out", str(tmp_path / "x")], "nothing"),
    ):
        assert called(monkeypatch, *bad) == 2
        said_in_one_line(capsys, message)
