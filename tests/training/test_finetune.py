"""Fine-tuning of models of transformers: the same windows and rates for all, and the same end however often stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.models import checkpoint
from analysis.models.convert import converted
from analysis.text.windows import Document
from analysis.training.finetune import Finetuning
from analysis.training.recipe import FinetuneSettings
from analysis.training.train import one_run_in
from tests import tiny_models
from tests.refusals import plainly_raises

SETTINGS = FinetuneSettings("tapa", length=16, batch=2, lr=1e-2, warmup=2, precision="float32")


def text(seed: int = 0) -> list[Document]:
    """Tokens that repeat, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    return [Document("a", np.tile(rng.integers(1, 96, 12), 40).astype(np.int32))]


def run(out: Path, settings: FinetuneSettings = SETTINGS, *, start: str = "here") -> Finetuning:
    model = converted(tiny_models.build("llama"), settings.to)
    return Finetuning.begun(model, text(), settings, out, start={"model_sha256": start})


def weights(found: Finetuning) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in found.model.named_parameters()}


@pytest.mark.parametrize("to", ["tapa", "nope", "rope", "yarn"])
def test_every_encoding_learns(to: str, tmp_path: Path):
    found = run(tmp_path, FinetuneSettings(to, length=16, batch=2, lr=1e-2, warmup=2, precision="float32"))
    assert found.train_to(30, save_every=100)
    assert np.mean(found.log.loss[-5:]) < np.mean(found.log.loss[:5]) - 0.5


def test_stopped_and_started_again_it_ends_with_the_same_weights(tmp_path: Path):
    whole = run(tmp_path / "whole")
    whole.train_to(6, save_every=100)
    for step in (2, 3, 6):  # each time by another process
        parts = run(tmp_path / "parts")
        parts.train_to(step, save_every=100)
    assert parts.step == 6
    assert parts.log.loss == whole.log.loss
    for name, weight in weights(whole).items():
        assert torch.equal(weights(parts)[name], weight), name


def test_a_short_run_is_the_beginning_of_a_long_one(tmp_path: Path):
    short, long = run(tmp_path / "a"), run(tmp_path / "b")
    short.train_to(3, save_every=100)
    long.train_to(8, save_every=100)
    assert long.log.loss[:3] == short.log.loss
    assert [SETTINGS.rate(step) for step in (0, 1, 2, 100)] == pytest.approx([1e-2 / 3, 2e-2 / 3, 1e-2, 1e-2])


def test_all_encodings_see_the_same_windows(tmp_path: Path):
    seen = {}
    for to in ("tapa", "rope"):
        found = run(tmp_path / to, FinetuneSettings(to, length=16, batch=2))
        seen[to] = [found.batches.at(step) for step in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(*seen.values(), strict=True))


def test_what_fails_inside_a_run_is_not_the_folders_fault(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError), one_run_in(tmp_path / "run"):
        (tmp_path / "no" / "corpus.txt").read_text()
    plainly_raises(
        lambda: one_run_in(tmp_path / "file").__enter__(), "file is not a folder; give another --out"
    )
    with one_run_in(tmp_path / "run"):
        plainly_raises(lambda: one_run_in(tmp_path / "run").__enter__(), "give another --out")


def test_a_deadline_saves_and_stops(tmp_path: Path):
    found = run(tmp_path)
    found.train_to(1, save_every=100)
    assert not found.train_to(5, save_every=100, deadline=0.0)
    assert found.step == 1
    assert checkpoint.latest(tmp_path) == tmp_path / "step-000001"


def test_another_run_is_not_gone_on_with(tmp_path: Path):
    run(tmp_path).train_to(1, save_every=1)
    other = FinetuneSettings("tapa", length=16, batch=2, lr=0.1, warmup=2, precision="float32")
    plainly_raises(lambda: run(tmp_path, other), "holds another run (settings.lr: 0.1, not 0.01)")
    plainly_raises(lambda: run(tmp_path, start="there"), "start.model_sha256: there, not here")


def test_a_damaged_state_is_refused(tmp_path: Path):
    run(tmp_path).train_to(1, save_every=1)
    file = tmp_path / "step-000001" / checkpoint.STATE
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    plainly_raises(lambda: run(tmp_path), "damaged")


def test_a_gradient_that_is_not_finite_keeps_the_last_checkpoint(tmp_path: Path):
    found = run(tmp_path)
    found.train_to(1, save_every=1)
    with torch.no_grad():
        next(found.model.parameters()).fill_(torch.inf)
    plainly_raises(found.advance, "step-000001 is kept")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"to": "tappa"}, "did you mean tapa"),
        ({"lr": 0.0}, "lr=0"),
        ({"length": 1}, "length=1"),
        ({"factor": 0.5}, "factor=0.5"),
        ({"precision": "float16"}, "did you mean bfloat16"),
    ],
)
def test_settings_are_checked(values: dict[str, Any], message: str):
    plainly_raises(lambda: FinetuneSettings(**values), message)


def test_tokens_are_whole_steps():
    plainly_raises(lambda: SETTINGS.steps(100), "tokens=100")
