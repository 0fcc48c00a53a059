"""Retrieval: instances read back by regular expression, exact distances, chance, and a reader that knows."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.text.windows import Batches, Document
from analysis.training import recipe, retrieval_data
from analysis.training.retrieval_data import (
    NEEDLE,
    PASSKEY,
    RECALL,
    Mixture,
    Queries,
    RepeatedFacts,
    RetrievalTask,
    retrieval_batch,
    score_queries,
)

RNG = np.random.default_rng(7)
TEXT = Document("text", RNG.integers(32, 127, size=3000, dtype=np.uint8))  # with many a "[" of its own
SHORT = RetrievalTask(b"[", (b"abc",), b"", (b"xy", b"01"), pairs=2)
TASKS = st.sampled_from(
    [RECALL, replace(RECALL, pairs=5, queries=3), PASSKEY, SHORT, replace(SHORT, queries=2)]
)
PATTERNS = {
    "recall": rb"\[([a-z][0-9])=([a-z][0-9])\]",
    "passkey": rb"\[pass key ()([0-9]{5})\]",
    "short": rb"\[([abc])([xy][01])\]",
}


def pattern(task: RetrievalTask) -> bytes:
    """What a fact looks like, written a second time."""
    return PATTERNS["passkey" if task.lead == b"[pass key " else "recall" if task.middle else "short"]


def room(task: RetrievalTask, length: int) -> int:
    """Facts that always fit before the questions, wherever the grid lies."""
    return (length - task.queries * task.size - (task.size - 1)) // task.size


@given(task=TASKS, length=st.integers(30, 300), seed=st.integers(0, 2**32), step=st.integers(0, 99))
@settings(max_examples=80)
def test_instances(task, length, seed, step):
    """Different keys, each question a fact told before, the mask on its value, the distance from there."""
    assume(room(task, length) >= task.pairs)
    asked = retrieval_batch([TEXT], length, 4, task=task, seed=seed, step=step)
    assert asked.tokens.shape == asked.mask.shape == (4, length)
    for tokens, mask, distances in zip(asked.tokens, asked.mask, asked.distances, strict=True):
        data = bytes(tokens.tolist())
        found = list(re.finditer(pattern(task), data))
        assert data.count(b"[") == len(found) == task.pairs + task.queries
        told, questions = found[: task.pairs], found[task.pairs :]
        assert questions[0].start() == length - task.queries * task.size
        assert len({fact[1] for fact in told}) == task.pairs
        assert len({question[1] for question in questions}) == task.queries
        facts = {fact[1]: fact for fact in told}
        wanted = set()
        for question, distance in zip(questions, distances.tolist(), strict=True):
            assert question[2] == facts[question[1]][2]
            assert distance == question.start(2) - facts[question[1]].start(2)
            wanted |= set(range(question.start(2), question.end(2)))
        assert set(mask.nonzero()[:, 0].tolist()) == wanted


@given(
    task=st.sampled_from([RECALL, PASSKEY, SHORT]),
    length=st.integers(80, 300),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
@settings(max_examples=80)
def test_the_distance_is_exact(task, length, seed, data):
    assume(room(task, length) >= task.pairs)
    distance = data.draw(st.integers(task.size, length - task.size))
    asked = retrieval_batch([TEXT], length, 3, task=task, distance=distance, seed=seed)
    assert (asked.distances == distance).all()
    rows, places = asked.mask.nonzero(as_tuple=True)
    assert torch.equal(asked.tokens[rows, places], asked.tokens[rows, places - distance])


def test_text_around_the_facts_is_the_corpus():
    """But for facts, questions and brackets, every byte is that of the window."""
    asked = retrieval_batch([TEXT], 200, 5, seed=3, step=2)
    windows = Batches([TEXT], 200, 5, seed=3).at(2)
    for tokens, window in zip(asked.tokens.tolist(), windows.tolist(), strict=True):
        covered = {i for fact in re.finditer(pattern(RECALL), bytes(tokens)) for i in range(*fact.span())}
        plain = bytes(window).replace(b"[", b"(")
        assert all(tokens[i] == plain[i] for i in range(200) if i not in covered)
        assert len(covered) == 9 * RECALL.size


def test_values_and_places_are_uniform():
    """Every value of four is as likely, so is every distance of a single fact; seeds are fixed."""
    task = RetrievalTask(b"[", (), b"", (b"xy", b"01"))
    asked = retrieval_batch([TEXT], 20, 4000, task=task, seed=0)
    values = Counter(bytes(row.tolist()) for row in asked.tokens[asked.mask].reshape(-1, 2))
    assert len(values) == 4
    # chi-squared with 3 degrees of freedom exceeds 16.3 once in a thousand
    assert sum((n - 1000) ** 2 / 1000 for n in values.values()) < 16.3
    distances = asked.distances[:, 0].tolist()
    assert set(distances) == set(range(4, 17))  # facts of 4 bytes begin at 0 to 12, the question at 16


def test_same_numbers_same_instances():
    def drawn(seed: int, step: int) -> tuple[int, ...]:
        return tuple(retrieval_batch([TEXT], 128, 3, seed=seed, step=step).tokens.flatten().tolist())

    assert drawn(4, 9) == drawn(4, 9)
    assert len({drawn(seed, step) for seed, step in itertools.product(range(4), range(4))}) == 16


def certain(questions: Queries, right: torch.Tensor) -> torch.Tensor:
    """Logits of a reader that is sure of the next byte, and wrong by one where `right` is False."""
    following = torch.roll(questions.tokens, -1, dims=1)
    given_ = torch.where(torch.roll(right, -1, dims=1), following, (following + 1) % 256)
    return 50.0 * torch.nn.functional.one_hot(given_, 256).float()


def test_scores_of_readers_that_know_what_they_do():
    task = replace(RECALL, queries=3)
    asked = retrieval_batch([TEXT], 200, 6, task=task, seed=0)
    everything = torch.ones_like(asked.mask)
    known = score_queries(certain(asked, everything), asked)
    assert known.exact.all()
    assert known.exact.shape == known.bits.shape == asked.distances.shape == (6, 3)
    assert (known.bits < 1e-9).all()

    unread = score_queries(torch.zeros(6, 200, 256), asked)
    assert torch.allclose(
        unread.bits, torch.full((6, 3), 16.0, dtype=torch.float64), rtol=1e-12
    )  # log2 256 each

    # one byte wrong, the second of the middle question in row 4, spoils that question alone
    place = 200 - 2 * task.size + task.before + 1
    assert asked.mask[4, place]
    right = everything.clone()
    right[4, place] = False
    spoiled = score_queries(certain(asked, right), asked)
    assert (~spoiled.exact).nonzero().tolist() == [[4, 1]]
    assert spoiled.bits[4, 1] > 50

    outside = torch.ones_like(asked.mask)
    outside[:, ~asked.mask.any(dim=0)] = False  # wrong everywhere else is no matter
    assert score_queries(certain(asked, outside), asked).exact.all()


def test_chance_is_what_readers_without_a_key_reach():
    """A reader that guesses a value, and one that names the value of a fact, whichever: 4 standard errors."""
    task, rng = replace(SHORT, pairs=3), np.random.default_rng(0)
    asked = retrieval_batch([TEXT], 60, 4000, task=task, seed=0)
    rows = [re.findall(pattern(task), bytes(row)) for row in asked.tokens.tolist()]
    answers = [row[-1][1] for row in rows]
    values = [bytes(pair) for pair in itertools.product(b"xy", b"01")]
    guessed = np.mean([rng.choice(values) == answer for answer in answers])
    named = np.mean([row[rng.integers(3)][1] == answer for row, answer in zip(rows, answers, strict=True)])
    for mean, expected in ((guessed, task.chance), (named, task.chance_of_any)):
        error = math.sqrt(expected * (1 - expected) / 4000)
        assert abs(mean - expected) < 4 * error
        assert error < 0.01
    assert (RECALL.chance, PASSKEY.chance) == (1 / 260, 1e-5)
    assert RECALL.chance_bits == pytest.approx(math.log2(260), rel=1e-15)


@given(
    share=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10**6),
    ranks=st.integers(1, 5),
)
@settings(max_examples=40)
def test_mixtures(share, seed, step, ranks):
    """Rows that ask hold their questions, the others are the corpus's own; ranks interleave to the whole."""
    task = replace(RECALL, pairs=4, queries=4)
    batches = Batches([TEXT], 129, 12, seed=seed)
    mixture = Mixture(batches, task, share)
    whole, plain = mixture.queries_at(step), batches.at(step)
    for row in range(12):
        asks = bool(whole.mask[row].any())
        assert asks == bool((whole.distances[row] > 0).all())
        assert len(re.findall(pattern(task), bytes(whole.tokens[row].tolist()))) == 8 * asks or not asks
        assert asks or torch.equal(whole.tokens[row], plain[row])
    if share in (0, 1):
        assert (whole.mask.any(dim=1) == bool(share)).all()
    assert torch.equal(mixture.at(step), whole.tokens)
    assert all(map(torch.equal, mixture.queried_at(step), (whole.tokens, whole.mask)))
    assert not batches.queried_at(step)[1].any()
    for rank in range(ranks):
        mine = mixture.queries_at(step, rank, ranks)
        for part, all_ in zip(
            (mine.tokens, mine.mask, mine.distances), (whole.tokens, whole.mask, whole.distances), strict=True
        ):
            assert torch.equal(part, all_[rank::ranks])


def test_the_share_of_a_mixture():
    mixture = Mixture(Batches([TEXT], 129, 100, seed=0), RECALL, 0.3)
    asking = [mixture.queries_at(step).mask.any(dim=1).sum().item() for step in range(20)]
    error = math.sqrt(0.3 * 0.7 / 2000)
    assert abs(sum(asking) / 2000 - 0.3) < 4 * error
    assert error < 0.02


@given(
    task=st.sampled_from([NEEDLE, SHORT, RECALL]),
    repeats=st.integers(2, 12),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10**6),
    ranks=st.integers(1, 4),
)
@settings(max_examples=60)
def test_lessons(task, repeats, share, seed, step, ranks):
    """What is asked is what the row has told before under the same key; the rest is the corpus; ranks interleave."""
    batches = Batches([TEXT], 129, 8, seed=seed)
    lessons = RepeatedFacts(batches, task, share, repeats)
    tokens, asked = lessons.queried_at(step)
    for row, mask, window in zip(tokens, asked, batches.at(step), strict=True):
        data = bytes(row.tolist())
        if torch.equal(row, window) and not mask.any():
            assert share < 1
            continue
        assert share > 0
        found = list(re.finditer(rb"\[()([a-z])\]" if task is NEEDLE else pattern(task), data))
        assert data.count(b"[") == len(found)
        assert 2 <= len(found) <= repeats
        told, wanted, covered = {}, set(), set()
        for fact in found:
            covered |= set(range(*fact.span()))
            if fact[1] in told:
                assert told[fact[1]] == fact[2]
                wanted |= set(range(*fact.span(2)))
            told[fact[1]] = fact[2]
        assert set(mask.nonzero()[:, 0].tolist()) == wanted
        plain = bytes(window.tolist()).replace(b"[", b"(")
        assert all(data[i] == plain[i] for i in range(129) if i not in covered)
    assert torch.equal(lessons.at(step), tokens)
    for rank in range(ranks):
        mine, theirs = lessons.queried_at(step, rank, ranks)
        assert torch.equal(mine, tokens[rank::ranks])
        assert torch.equal(theirs, asked[rank::ranks])


def test_lessons_tell_at_every_distance():
    """Of a single fact every number of repeats is as likely; a later telling may be as far as the window allows."""
    lessons = RepeatedFacts(Batches([TEXT], 129, 2000, seed=0), NEEDLE, 1.0, 5)
    tokens, asked = lessons.queried_at(0)
    repeats = Counter(bytes(row.tolist()).count(b"[") for row in tokens)
    assert set(repeats) == {2, 3, 4, 5}
    # chi-squared with 3 degrees of freedom exceeds 16.3 once in a thousand
    assert sum((n - 500) ** 2 / 500 for n in repeats.values()) < 16.3
    reach = [(row == ord("[")).nonzero()[:, 0] for row in tokens]
    distances = {int(places[1] - places[0]) for places in reach}
    assert min(distances) == NEEDLE.size
    assert max(distances) > 100
    values = Counter(chr(t) for t in tokens[asked].tolist())
    assert len(values) == 26


def test_tasks_have_one_list_of_names():
    assert tuple(retrieval_data.TASKS) == recipe.TASKS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"documents": [Document("a", np.zeros(500, np.uint16))]},
            "a has tokens of uint16; retrieval tasks are made of bytes: give a corpus of bytes",
        ),
        (
            {"length": 60},
            "8 facts of 7 bytes do not fit before 1 queries in 60 bytes, 6 do; give a longer length or fewer pairs",
        ),
        (
            {"length": 5, "task": PASSKEY},
            "1 facts of 16 bytes do not fit before 1 queries in 5 bytes, 0 do; "
            "give a longer length or fewer pairs",
        ),
        ({"distance": 6}, "distance=6 is not in 7..121, the range for length 128"),
        ({"distance": 122}, "distance=122 is not in 7..121, the range for length 128"),
        (
            {"distance": 50, "task": replace(RECALL, queries=2)},
            "distance=50 is for one query, the task has 2; give queries=1",
        ),
        ({"seed": -1}, "seed=-1 is below 0; give 0 or more"),
        ({"step": -1}, "step=-1 is below 0; give 0 or more"),
        (
            {"length": 3001},
            "a window of 3001 tokens is longer than each of 1 documents: the longest, text, has 3000; "
            "give a longer text or a shorter window",
        ),
    ],
)
def test_what_cannot_be_asked(change: dict, message: str):
    plain = {"documents": [TEXT], "length": 128, "batch": 2, "seed": 0}
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        retrieval_batch(**plain | change)


def test_what_is_no_task_or_mixture():
    with pytest.raises(InputError, match=r"^pairs=261 is not in 1\.\.260; there are 260 different keys$"):
        replace(RECALL, pairs=261)
    with pytest.raises(InputError, match=r"^pairs=2 is not in 1\.\.1; there are 1 different keys$"):
        replace(PASSKEY, pairs=2)
    with pytest.raises(InputError, match=r"^queries=9 is not in 1\.\.8; query each fact once at most$"):
        replace(RECALL, queries=9)
    with pytest.raises(ValueError, match=r"^lead=b'k' and value="):
        RetrievalTask(b"k", (), b"", (b"x",))
    batches = Batches([TEXT], 129, 2, seed=0)
    with pytest.raises(InputError, match=r"^repeats=1 is not in 2\.\.42, what fits into 129 bytes$"):
        RepeatedFacts(batches, NEEDLE, 0.5, 1)
    with pytest.raises(InputError, match=r"^repeats=43 is not in 2\.\.42"):
        RepeatedFacts(batches, NEEDLE, 0.5, 43)
    with pytest.raises(InputError, match=r"^share=-1 is not in 0\.\.1"):
        RepeatedFacts(batches, NEEDLE, -1, 4)
    with pytest.raises(
        InputError, match=r"^share=1\.5 is not in 0\.\.1; give the part of the rows that shall hold queries$"
    ):
        Mixture(batches, RECALL, 1.5)
    with pytest.raises(InputError, match=r"^rank=2 of 2 ranks; ranks count from 0 to 1$"):
        Mixture(batches, RECALL, 0.5).at(0, 2, 2)
