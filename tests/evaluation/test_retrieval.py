"""Which questions a record asks, and what it says of readers that know, guess, or find a fact by its distance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evaluation import retrieval
from analysis.models.llama import Llama
from analysis.text.windows import Document
from analysis.training import retrieval_data
from analysis.training.retrieval_data import PASSKEY, RECALL, retrieval_batch
from tests.models.tiny_llama import tiny_recipe

TEXT = Document("text", np.random.default_rng(7).integers(97, 123, size=5000, dtype=np.uint8))
LENGTHS = (128, 256, 512, 1024)
TASKS = st.sampled_from([RECALL, PASSKEY])


@given(task=TASKS, trained=st.sampled_from([16, 32, 100, 128, 512]), doublings=st.integers(0, 3))
def test_questions_fit_and_reach_as_far_as_the_windows(task, trained, doublings):
    lengths = [trained * 2**i for i in range(doublings + 1)]
    pairs = retrieval.questions(task, lengths)
    assert len(set(pairs)) == len(pairs)
    for length, distance in pairs:
        assert length in lengths
        asked = retrieval_batch([TEXT], length, 1, task=task, distance=distance, seed=0)
        assert (asked.distances == distance).all()  # and it was not refused
    beyond = {length for length, distance in pairs if distance > trained}
    assert beyond == {n for n in lengths[1:] if task.fits(n, 3 * n // 4) and 3 * n // 4 > trained}
    if trained >= 100:
        assert {length for length, _ in pairs} == set(lengths)
        assert len([distance for length, distance in pairs if length == trained]) >= 3


@given(task=TASKS, length=st.integers(20, 300), distance=st.integers(1, 300))
def test_what_fits_is_what_is_not_refused(task, length, distance):
    try:
        retrieval_batch([TEXT], length, 1, task=task, distance=distance, seed=0)
        refused = False
    except InputError:
        refused = True
    assert task.fits(length, distance) == (not refused)


class Reader(Llama):
    """Sure of what stood `back` bytes before the byte to predict; of nothing for None."""

    def __init__(self, back: int | None, heads: int = 1) -> None:
        recipe = tiny_recipe()
        super().__init__(replace(recipe.model, vocab_size=256, heads=heads, kv_heads=1))
        self.back = back

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        if self.back is None:
            return torch.zeros(*tokens.shape, 256)
        return 60.0 * torch.nn.functional.one_hot(tokens.roll(self.back - 1, dims=1), 256).float()


RECALL_RECIPE = tiny_recipe(task="recall", task_share=0.5)


def test_a_reader_that_knows_one_distance_answers_at_that_distance_in_every_window():
    rows = retrieval.ask(Reader(64), [TEXT], RECALL_RECIPE, LENGTHS)
    assert [(row["length"], row["distance"]) for row in rows] == retrieval.questions(RECALL, LENGTHS)
    for row in rows:
        assert row["trials"] == (256 if row["length"] <= 256 else 128)
        if row["distance"] == 64:
            assert row["exact"] == row["trials"]
            assert row["nats"] < 1e-9
        else:  # a letter and a digit that happen to stand there: at most by chance of any fact
            assert row["exact"] < 0.1 * row["trials"]
            assert row["nats"] > 20
    assert {row["length"] for row in rows if row["distance"] == 64} == {128, 512}


def test_a_reader_that_knows_nothing_is_worse_than_chance():
    rows = retrieval.ask(Reader(None), [TEXT], tiny_recipe(), LENGTHS)
    assert {row["task"] for row in rows} == {"recall", "passkey"}
    assert {row["length"] for row in rows} == {128}  # a plain model is asked at its own length
    for row in rows:
        task = retrieval_data.TASKS[row["task"]]
        assert row["nats"] == pytest.approx(len(task.value) * math.log(256))
        assert (row["exact"], row["trials"]) == (0, 64)
        assert row["chance_nats"] == pytest.approx(-math.log(row["chance"]))
        assert row["chance_nats"] < row["nats"]


def test_every_model_is_asked_the_same(monkeypatch):
    """Whatever it knows, and however many heads it has, which decide how many instances it reads at once."""
    seen: list[list[tuple[int, ...]]] = []
    calls: list[int] = []
    forward = Reader.forward

    def spied(self, tokens):
        seen[-1] += [tuple(row) for row in tokens.tolist()]
        calls[-1] += 1
        return forward(self, tokens)

    monkeypatch.setattr(Reader, "forward", spied)
    for back, heads in ((8, 1), (None, 1), (8, 4)):
        seen.append([])
        calls.append(0)
        retrieval.ask(Reader(back, heads), [TEXT], RECALL_RECIPE, LENGTHS[:2])
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0])) == len(seen[0])
    assert calls[0] == calls[1] < calls[2]
