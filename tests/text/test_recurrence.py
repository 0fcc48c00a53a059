"""The synthetic corpus: its process is exchangeable, its Bayes loss the least, its documents as they are said to be."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.text.corpus import Raw, _kept_pieces, from_texts, with_private_words
from analysis.text.recurrence import MARK, PitmanYor, PrivateWords, bayes_nats

processes = st.builds(
    PitmanYor,
    concentration=st.floats(0.05, 200),
    discount=st.floats(0, 0.95),
    letters=st.integers(2, 4),
)


def chance(process: PitmanYor, words: tuple[int, ...]) -> float:
    """Of a sequence, by the chain rule."""
    total = 1.0
    for n, word in enumerate(words):
        before = words[:n]
        total *= process.probability(before.count(word), n, len(set(before)))
    return total


@given(processes, st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_words_are_exchangeable(process: PitmanYor, words: list[int]) -> None:
    chances = [chance(process, order) for order in permutations(words)]
    np.testing.assert_allclose(chances, chances[0], rtol=1e-10)


@given(processes, st.lists(st.integers(0, 5), max_size=6))
def test_the_next_word_is_one_of_all_words(process: PitmanYor, words: list[int]) -> None:
    different = len(set(words))
    old = sum(process.probability(words.count(w), len(words), different) for w in set(words))
    new = (process.vocabulary - different) * process.probability(0, len(words), different)
    assert math.isclose(old + new, 1, rel_tol=1e-9)


@given(processes, st.lists(st.integers(0, 2), min_size=2, max_size=4))
def test_a_reader_of_the_last_words_predicts_as_the_process_does(
    process: PitmanYor, words: list[int]
) -> None:
    """The prediction from a window is the one of all sequences that end so, summed over what stands before it."""
    window, last = tuple(words[:-1]), words[-1]
    kinds = range(4)  # words beyond these stand for all others: each is as likely as 3
    others = process.vocabulary - 3

    def weighed(sequence: tuple[int, ...]) -> float:
        return chance(process, sequence) * (others if sequence[0] == 3 else 1)

    with_last = sum(weighed((before, *window, last)) for before in kinds)
    given_window = sum(weighed((before, *window)) for before in kinds)
    expected = process.probability(window.count(last), len(window), len(set(window)))
    assert math.isclose(with_last / given_window, expected, rel_tol=1e-9)


@pytest.mark.parametrize("discount", [0.0, 0.5])
def test_draws_follow_the_rule(discount: float) -> None:
    """Partitions of three draws, against their probabilities; 4 standard errors."""
    process, count = PitmanYor(concentration=2.0, discount=discount, letters=2), 5_000
    rng = np.random.default_rng(0)
    kinds: dict[tuple[int, ...], int] = {}
    for _ in range(count):
        drawn = process.draw(3, rng).tolist()
        kind = tuple(drawn.index(word) for word in drawn)
        kinds[kind] = kinds.get(kind, 0) + 1
    for kind in product(range(1), range(2), range(3)):
        if kind not in {(0, 0, 0), (0, 0, 2), (0, 1, 0), (0, 1, 1), (0, 1, 2)}:
            continue
        expected = chance(process, kind)
        for different in range(len(set(kind))):
            expected *= process.vocabulary - different
        error = math.sqrt(expected * (1 - expected) / count)
        assert abs(kinds.get(kind, 0) / count - expected) <= 4 * error


def corpus_of(texts: int = 8, words: int = 400):
    rng = np.random.default_rng(1)
    raw = [
        (f"{i}.txt", " ".join(f"w{n}" for n in rng.integers(0, 999, words)).encode() + b" # end\n")
        for i in range(texts)
    ]
    return from_texts(Raw(raw, {}))


def test_a_document_is_its_text_with_private_words() -> None:
    plain, process = corpus_of(), PitmanYor(concentration=5, letters=2)
    made = with_private_words(plain, process, size=512)
    for document in (*made.train, *made.validation, *made.test):
        data = document.tokens
        assert len(data) <= 512
        words = PrivateWords.of(data, process)
        assert data.tobytes().count(MARK) == len(words.words)
        spelled = [data[s : s + 2].tobytes() for s in words.starts]
        assert spelled == list(words.words)
    whole = b"".join(d.tokens.tobytes() for d in made.test if d.name.startswith(plain.test[0].name + " "))
    rest = b" ".join(w for w in whole.split() if not w.startswith(MARK))
    assert rest.split() == plain.test[0].tokens.tobytes().replace(MARK, b" ").split()


def test_each_copy_of_a_training_text_has_words_of_its_own() -> None:
    plain, process = corpus_of(), PitmanYor()
    made = with_private_words(plain, process, copies=3)
    copies = [d.tokens for d in made.train if d.name == plain.train[0].name + " (1)"]
    words = [set(PrivateWords.of(data, process).words) for data in copies]
    assert len(words) == 3
    shared = [len(words[i] & words[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert max(shared) < min(map(len, words)) / 2  # by chance: of 128^2 words
    for part, number in ((made.validation, 1), (made.test, 1), (made.train, 3)):
        names = [d.name for d in part]
        assert {names.count(name) for name in names} == {number}


def test_the_text_has_none_of_the_letters() -> None:
    data = np.frombuffer("caf\u00e9 # na\u00efve ".encode(), np.uint8)
    made = with_private_words(
        from_texts(Raw([(f"{i}.txt", data.tobytes() + b"%d " % i * 40) for i in range(9)], {})), PitmanYor()
    )
    for document in (*made.train, *made.test):
        found = PrivateWords.of(document.tokens, PitmanYor())
        assert (document.tokens >= 128).sum() == 2 * len(found.words)
        assert (document.tokens == ord("#")).sum() == len(found.words)


def test_it_depends_on_seed_and_text_alone() -> None:
    plain, process = corpus_of(), PitmanYor()
    assert with_private_words(plain, process).sha256 == with_private_words(plain, process).sha256
    assert with_private_words(plain, process).sha256 != with_private_words(plain, process, seed=1).sha256


def test_more_context_is_worth_what_the_rule_says() -> None:
    """Each reader's own prediction is the best for what it sees: the longer the context, the lower the mean loss."""
    process = PitmanYor(concentration=10, discount=0.2, letters=3)
    made = with_private_words(corpus_of(words=3000), process, size=8192)
    document = max((*made.train, *made.test), key=lambda d: len(d.tokens)).tokens
    stop, first = len(document), len(document) // 2
    losses = [
        bayes_nats(document, process, begin=first - context, first=first, stop=stop)
        for context in (0, 400, first)
    ]
    assert len({len(x) for x in losses}) == 1
    means = [float(x.mean()) for x in losses]
    assert means[0] > means[1] > means[2]


def test_one_prediction_by_hand() -> None:
    process = PitmanYor(concentration=2.0, discount=0.5, letters=2)
    data = np.frombuffer(b"x #\x80\x81 y #\x80\x81 z #\x82\x83 u #\x80\x81 ", np.uint8)
    found = np.exp(-bayes_nats(data, process, begin=0, first=0, stop=len(data)))
    new = 2.0 / 2 / 128**2, (2 + 0.5) / (2 + 2) / (128**2 - 1)
    np.testing.assert_allclose(found, [new[0], 0.5 / 3, new[1], 1.5 / 5])
    cut = bayes_nats(data, process, begin=3, first=14, stop=len(data))  # the first word lies half before it
    np.testing.assert_allclose(np.exp(-cut), [(2 + 0.5) / 3 / (128**2 - 1), 0.5 / 4])


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_rule_beats_any_other(seed: int) -> None:
    """Over many documents the rule's loss is below that of the rule with other parameters; seen by its expectation."""
    true, other = PitmanYor(5.0, 0.0, 2), PitmanYor(40.0, 0.3, 2)
    rng = np.random.default_rng(seed)
    gaps = []
    for _ in range(30):
        words = tuple(true.draw(40, rng).tolist())
        gaps.append(math.log(chance(true, words)) - math.log(chance(other, words)))
    error = np.std(gaps, ddof=1) / math.sqrt(len(gaps))
    assert np.mean(gaps) > -4 * error


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: PitmanYor(concentration=0), "concentration=0"),
        (lambda: PitmanYor(discount=1.0), "discount=1.0"),
        (lambda: PitmanYor(letters=9), "letters=9"),
        (lambda: PitmanYor(letters=2).draw(9000, np.random.default_rng(0)), "9000 words"),
        (lambda: with_private_words(corpus_of(), PitmanYor(), seed=-1), "seed=-1"),
        (lambda: with_private_words(corpus_of(), PitmanYor(), copies=0), "copies=0"),
        (lambda: bayes_nats(np.zeros(4, np.uint8), PitmanYor(), begin=2, first=1, stop=4), "begin=2"),
    ],
)
def test_refusals(build, says: str) -> None:
    with pytest.raises(InputError, match=says):
        build()


def test_it_is_a_corpus_by_name_and_kept_in_the_cache(tmp_path, monkeypatch) -> None:
    """Pieces out of the cache are those that were put there; another process has entries of its own."""
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path))
    plain = corpus_of()
    first = with_private_words(plain, PitmanYor(), made=_kept_pieces)
    entries = sorted(tmp_path.rglob("private-words-*"))
    again = with_private_words(plain, PitmanYor(), made=_kept_pieces)
    assert entries
    assert sorted(tmp_path.rglob("private-words-*")) == entries
    assert first.sha256 == again.sha256 == with_private_words(plain, PitmanYor()).sha256
    with_private_words(plain, PitmanYor(letters=4), made=_kept_pieces)
    assert len(list(tmp_path.rglob("private-words-*"))) == 2 * len(entries)
