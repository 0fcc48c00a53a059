"""The gate and the share collected, on readers whose answers are known: the best one, one that cuts, one harmed."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.errors import InputError
from analysis.evaluation.long_range import (
    DEPTHS,
    collected,
    copying,
    key_tokens,
    needle_grid,
    span_losses,
    token_needles,
    word_losses,
    worth,
)
from analysis.text.corpus import Corpus, Raw, from_texts, with_private_words
from analysis.text.recurrence import PitmanYor
from analysis.text.windows import Document, Spans, spans

PROCESS = PitmanYor(concentration=8.0, discount=0.2, letters=3)
SHORT, LONG, TARGET = 256, 1024, 64


def made() -> Corpus:
    rng = np.random.default_rng(0)
    raw = [(f"{i}.txt", " ".join(f"w{n}" for n in rng.integers(0, 99, 900)).encode()) for i in range(12)]
    return with_private_words(from_texts(Raw(raw, {})), PROCESS, size=4096)


def chosen_spans() -> Spans:
    found = made()
    return spans((*found.train, *found.test), LONG - TARGET, TARGET, 24, seed=0)


def best_reader(reach: int):
    """A reader who knows the process and sees the last `reach` bytes: letter by letter, by the words that fit."""

    def read(tokens: Tensor) -> Tensor:
        losses = np.zeros((len(tokens), tokens.shape[1] - 1))
        for row, window in zip(losses, tokens.numpy(), strict=True):
            data, begin = window.astype(np.uint8).tobytes(), max(0, tokens.shape[1] - reach)
            counts: Counter[bytes] = Counter()
            for at in range(begin, len(data) - PROCESS.letters):
                word = data[at + 1 : at + 1 + PROCESS.letters]
                if data[at : at + 1] != b"#" or len(word) < PROCESS.letters or min(word) < 128:
                    continue
                n, k = counts.total(), len(counts)
                chances = {w: PROCESS.probability(m, n, k) for w, m in counts.items()}
                new = PROCESS.probability(0, n, k)
                before = 1.0
                for j in range(1, PROCESS.letters + 1):
                    fitting = [p for w, p in chances.items() if w[:j] == word[:j]]
                    fresh = 128 ** (PROCESS.letters - j) - len(fitting)
                    now = sum(fitting) + fresh * new
                    row[at + j - 1] = -math.log(now / before)
                    before = now
                counts[word] += 1
        return torch.from_numpy(losses)

    return read


def losses_of(reach: int, chosen: Spans, length: int):
    return word_losses(span_losses(best_reader(reach), chosen, length), chosen, PROCESS, length)


def test_the_best_reader_collects_all_of_it() -> None:
    """The letters' losses of an independent reader add up to the words' known ones."""
    chosen = chosen_spans()
    short, long = (losses_of(LONG, chosen, length) for length in (SHORT, LONG))
    np.testing.assert_allclose(short.model, short.bayes, rtol=1e-9)
    np.testing.assert_allclose(long.model, long.bayes, rtol=1e-9)
    found = collected(short, long)
    assert math.isclose(found.value, 1, rel_tol=1e-9)
    assert math.isclose(found.low, found.high, rel_tol=1e-6)


def test_a_reader_that_cuts_collects_nothing() -> None:
    chosen = chosen_spans()
    found = collected(losses_of(SHORT, chosen, SHORT), losses_of(SHORT, chosen, LONG))
    assert found.value == 0


def test_a_reader_that_reads_halfway_collects_a_part() -> None:
    chosen = chosen_spans()
    found = collected(losses_of(2 * SHORT, chosen, SHORT), losses_of(2 * SHORT, chosen, LONG))
    assert found.low < found.value < found.high
    assert 0 < found.value < 1


def test_harm_is_below_zero() -> None:
    chosen = chosen_spans()
    short, long = (losses_of(LONG, chosen, length) for length in (SHORT, LONG))
    harmed = type(long)(short.model + 1.0, long.bayes, long.documents)
    assert collected(short, harmed).value < 0


def test_the_gate_passes_for_private_words_and_not_without_far_context() -> None:
    chosen = chosen_spans()
    short, long = (span_losses(best_reader(LONG), chosen, length) for length in (SHORT, LONG))
    found = worth(short, long, chosen)
    assert found.passes
    found.require("private-words")
    cut = worth(short, short, chosen)
    assert not cut.passes
    with pytest.raises(InputError, match=r"worth 0\.000 bits a byte"):
        cut.require("texts")


def test_a_large_gain_of_one_document_is_not_enough() -> None:
    chosen = chosen_spans()
    short = np.zeros((len(chosen.starts), TARGET))
    short[chosen.documents.index(chosen.documents[0])] = 10.0
    found = worth(short, np.zeros_like(short), chosen)
    assert found.gain.value > 0.04
    assert not found.passes


def test_bytes_of_byte_pairs_count() -> None:
    texts = [Document(name, np.array([0, 1] * 20)) for name in "abcd"]
    chosen = spans(texts, longest=8, target=4, count=4, seed=0)
    sizes = np.array([1, 5])
    found = worth(np.full((4, 4), math.log(2)), np.zeros((4, 4)), chosen, sizes)
    assert math.isclose(found.gain.value, 4 / 12)


def test_key_tokens_are_those_that_the_long_context_tells() -> None:
    """Letters of a private word whose only sight lies between the two lengths, among them."""
    chosen = chosen_spans()
    short, long = (span_losses(best_reader(LONG), chosen, length) for length in (SHORT, LONG))
    keys = key_tokens(short, long)
    assert 0 < keys.mean() < 0.2
    assert (short - long)[keys].min() > 1


@pytest.mark.parametrize("length", [TARGET, LONG + 1])
def test_lengths_out_of_range_are_refused(length: int) -> None:
    with pytest.raises(InputError, match=f"length={length}"):
        span_losses(best_reader(LONG), chosen_spans(), length)


def test_a_loss_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match=r"not finite .*; give another model, or shorter windows"):
        span_losses(
            lambda tokens: torch.full((len(tokens), tokens.shape[1] - 1), math.nan), chosen_spans(), SHORT
        )


def test_other_words_are_refused() -> None:
    chosen = chosen_spans()
    short = losses_of(SHORT, chosen, SHORT)
    fewer = type(short)(short.model[1:], short.bayes[1:], short.documents[1:])
    with pytest.raises(InputError, match="other words"):
        collected(short, fewer)


# Needles and copying.


def test_the_best_reader_finds_needles_and_one_that_cuts_finds_the_near_ones() -> None:
    """A needle's distance is known, so which of them a reader of the last bytes can find is known too."""
    chosen = chosen_spans()
    whole = needle_grid(best_reader(LONG), chosen, PROCESS, LONG, count=12, seed=0)
    assert whole.hits.all()
    assert whole.hits.shape == (12, len(DEPTHS))
    cut = needle_grid(best_reader(SHORT), chosen, PROCESS, LONG, count=12, seed=0)
    inside = cut.distances < SHORT - 60  # a query stands among the last 60 bytes
    outside = cut.distances > SHORT
    assert inside.any()
    assert outside.any()
    assert cut.hits[inside].all()
    assert not cut.hits[outside].any()
    np.testing.assert_array_equal(cut.distances, whole.distances)  # the same needles for every model
    assert (np.diff(whole.distances.mean(axis=0)) < 0).all()


def test_a_guess_among_the_letters_hits_no_needle() -> None:
    def guess(tokens: Tensor) -> Tensor:
        return torch.full((len(tokens), tokens.shape[1] - 1), math.log(128))

    found = needle_grid(guess, chosen_spans(), PROCESS, LONG, count=4, seed=0)
    assert not found.hits.any()
    np.testing.assert_allclose(found.nats, math.log(128), rtol=1e-6)


VOCABULARY = 200


def token_spans() -> Spans:
    rng = np.random.default_rng(1)
    texts = [Document(f"{i}", rng.integers(0, 120, 1200)) for i in range(6)]
    return spans(texts, LONG - TARGET, TARGET, 8, seed=0)


def copier(reach: int):
    """Says of each token the one that followed the last pair before it, if that is within reach; else it guesses."""

    def read(tokens: Tensor) -> Tensor:
        losses = np.full((len(tokens), tokens.shape[1] - 1), math.log(VOCABULARY))
        for row, window in zip(losses, tokens.tolist(), strict=True):
            after: dict[tuple[int, int], int] = {}
            for at in range(2, len(window)):
                pair = window[at - 2], window[at - 1]
                found = after.get(pair)
                if found is not None and at - found <= reach:
                    row[at - 1] = 0.0 if window[found] == window[at] else 20.0
                after[pair] = at
        return torch.from_numpy(losses)

    return read


def test_a_reader_that_copies_finds_sequences_and_one_that_cuts_the_near_ones() -> None:
    chosen = token_spans()
    whole = token_needles(copier(LONG), chosen, VOCABULARY, LONG, count=8, seed=0)
    assert whole.hits.all()
    cut = token_needles(copier(SHORT), chosen, VOCABULARY, LONG, count=8, seed=0)
    np.testing.assert_array_equal(cut.distances, whole.distances)  # the same needles for every model
    np.testing.assert_array_equal(cut.hits, cut.distances <= SHORT)
    assert cut.hits.any()
    assert not cut.hits.all()
    assert (np.diff(cut.distances.mean(axis=0)) < 0).all()  # deeper is nearer

    def guess(tokens: Tensor) -> Tensor:
        return torch.full((len(tokens), tokens.shape[1] - 1), math.log(VOCABULARY))

    found = token_needles(guess, chosen, VOCABULARY, LONG, count=8, seed=0)
    assert not found.hits.any()
    np.testing.assert_allclose(found.nats, math.log(VOCABULARY))


def test_sequences_need_room_and_tokens_of_their_own() -> None:
    chosen = token_spans()
    with pytest.raises(InputError, match="9 windows of needles, 8 spans; ask for fewer"):
        token_needles(copier(LONG), chosen, VOCABULARY, LONG, count=9, seed=0)
    with pytest.raises(InputError, match=r"0 of 120 tokens are not in a window of 1024; 5 needles take 20"):
        token_needles(copier(LONG), chosen, 120, LONG, count=8, seed=0)
    deep = tuple(np.linspace(0.05, 0.95, 15))
    with pytest.raises(InputError, match="a window of 70 tokens has no room for 15 needles"):
        token_needles(copier(LONG), chosen, VOCABULARY, 70, count=8, seed=0, depths=deep)


def test_needles_need_windows_and_words() -> None:
    chosen = chosen_spans()
    with pytest.raises(InputError, match="25 windows of needles, 24 spans; ask for fewer"):
        needle_grid(best_reader(LONG), chosen, PROCESS, LONG, count=25, seed=0)
    with pytest.raises(InputError, match=r"\d private words in a window of 80 bytes; 5 needles take 15"):
        needle_grid(best_reader(LONG), chosen, PROCESS, 80, count=4, seed=0)


def test_copying_is_what_a_text_loses_the_second_time() -> None:
    half = SHORT // 2

    def reader(again: float):
        def read(tokens: Tensor) -> Tensor:
            np.testing.assert_array_equal(tokens[:, :half], tokens[:, half:])
            place = torch.arange(1, tokens.shape[1])
            # the first token of the second text has another one before it and is not compared
            losses = torch.where(place < half, 2.0, torch.where(place > half, again, 9.0))
            return losses.expand(len(tokens), -1)

        return read

    chosen = chosen_spans()
    assert copying(reader(2.0), chosen, SHORT, rows=5).share == 0
    assert copying(reader(0.5), chosen, SHORT, rows=5).share == 0.75
    assert copying(reader(4.0), chosen, SHORT).share == -1
