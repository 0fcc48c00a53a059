"""Reading texts, and token windows: no overlap, fair shares, the same for the same seed."""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.text.windows import Windows, read_text, tokenized, tokens_sha256, windows

SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=7)


def documents(sizes: list[int]) -> list[tuple[str, list[int]]]:
    """Texts in which every token occurs once: a window tells where it is from."""
    return [(f"{i}.txt", [1000 * (i + 1) + j for j in range(size)]) for i, size in enumerate(sizes)]


@given(sizes=SIZES, length=st.integers(2, 12), bos=st.booleans(), seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=150)
def test_windows_are_what_they_say(sizes, length, bos, seed, data):
    texts = documents(sizes)
    taken = length - bos
    room = [size // taken for size in sizes]
    assume(sum(room))
    count = data.draw(st.integers(1, sum(room)))
    found = windows(texts, length, count, seed=seed, bos_id=7 if bos else None)

    assert found.tokens.shape == (count, length)
    assert found.tokens.dtype == np.int64
    body = found.tokens[:, 1:] if bos else found.tokens
    assert not bos or (found.tokens[:, 0] == 7).all()
    tokens_of = dict(texts)
    for row, name, offset in zip(body, found.documents, found.offsets, strict=True):
        assert row.tolist() == tokens_of[name][offset : offset + taken]
    assert len(np.unique(body)) == body.size  # no two windows share a token
    assert list(zip(found.documents, found.offsets, strict=True)) == sorted(
        zip(found.documents, found.offsets, strict=True)
    )
    # fair: whoever gives fewer windows than another by two or more has no room left
    given_by = Counter(found.documents)
    shares = [given_by[name] for name, _ in texts]
    assert all(share == most or share >= max(shares) - 1 for share, most in zip(shares, room, strict=True))


@given(sizes=SIZES, seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=60)
def test_the_same_seed_gives_the_same_windows_in_any_order_of_the_texts(sizes, seed, data):
    assume(max(sizes) >= 5)
    texts = documents(sizes)
    count = data.draw(st.integers(1, sum(size // 5 for size in sizes)))
    shuffled = data.draw(st.permutations(texts))
    one, other = (windows(t, 5, count, seed=seed) for t in (texts, shuffled))
    assert one.sha256 == other.sha256
    assert (one.documents, one.offsets) == (other.documents, other.offsets)
    np.testing.assert_array_equal(one.tokens, other.tokens)


def test_every_placement_is_equally_likely():
    """7 tokens, two windows of 2: free tokens 3, so C(5, 2) = 10 placements, each with probability 1/10."""
    seen = Counter(windows(documents([7]), 2, 2, seed=seed).offsets for seed in range(4000))
    assert set(seen) == {(a, b) for a in range(6) for b in range(a + 2, 6)}
    # chi-squared with 9 degrees of freedom exceeds 27.9 once in a thousand; the seeds are fixed
    assert sum((n - 400) ** 2 / 400 for n in seen.values()) < 27.9


def test_another_seed_gives_other_windows():
    texts = documents([60, 60, 60])
    assert len({windows(texts, 5, 3, seed=seed).sha256 for seed in range(10)}) == 10


def test_the_hash_is_of_little_endian_int64():
    tokens = np.array([[1, 2], [3, -1]])
    expected = hashlib.sha256(struct.pack("<4q", 1, 2, 3, -1)).hexdigest()
    assert tokens_sha256(tokens) == expected
    assert tokens_sha256(tokens.astype(">i8")) == tokens_sha256(np.asfortranarray(tokens)) == expected


@pytest.mark.parametrize(
    ("length", "count", "options", "message"),
    [
        (1, 1, {}, "length=1 is below 2; give 2 or more"),
        (5, 0, {}, "count=0 is below 1; give 1 or more"),
        (5, 1, {"seed": -1}, "seed=-1 is below 0; give 0 or more"),
        (
            31,
            1,
            {},
            "a window of 31 tokens is longer than every text: the longest, 1.txt, has 30; "
            "give a longer text or a shorter window",
        ),
        (
            32,
            1,
            {"bos_id": 0},
            "a window of 32 tokens (its BOS token included) is longer than every text: the longest, 1.txt, "
            "has 30; give a longer text or a shorter window",
        ),
        (
            10,
            6,
            {},
            "6 windows of 10 tokens do not fit without overlap, 5 do; "
            "ask for fewer or shorter windows, or give more text",
        ),
    ],
)
def test_what_cannot_be_cut(length: int, count: int, options: dict, message: str):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        windows(documents([29, 30]), length, count, **{"seed": 0} | options)


def test_a_window_may_take_a_whole_text():
    found = windows(documents([29, 30]), 31, 1, seed=0, bos_id=7)
    assert (found.documents, found.offsets) == (("1.txt",), (0,))


def test_texts_must_have_different_names():
    with pytest.raises(InputError, match=r"^2 texts have names that are not all different: a\.txt$"):
        windows([("a.txt", [1, 2]), ("a.txt", [3, 4])], 2, 1, seed=0)
    with pytest.raises(InputError, match=r"^no text was given; name at least one$"):
        windows([], 2, 1, seed=0)


def test_windows_check_themselves():
    tokens = np.array([[1, 2]])
    with pytest.raises(
        ValueError, match=r"^1 windows, 1 names, 2 offsets: there must be one of each per window$"
    ):
        Windows(tokens, ("a",), (0, 2), tokens_sha256(tokens))
    with pytest.raises(ValueError, match=r"^sha256=0000 is not that of the tokens, [0-9a-f]{64}$"):
        Windows(tokens, ("a",), (0,), "0000")


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
@settings(max_examples=50)
def test_a_text_is_read_as_it_is(tmp_path_factory, text):
    assume(text.strip() and not text.startswith("\ufeff"))
    path = put(tmp_path_factory.getbasetemp() / "a.txt", text.encode())
    assert read_text(path) == text.replace("\r\n", "\n").replace("\r", "\n")


def test_byte_order_mark_and_line_ends(tmp_path: Path):
    assert read_text(put(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\ntwo\rthree\n")) == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"caf\xe9 au lait",
            "text {} is not UTF-8: byte 0xe9 at offset 3 of 12 (invalid continuation byte); "
            "convert it to UTF-8",
        ),
        (
            b"\xef\xbb\xbfa\xff",
            "text {} is not UTF-8: byte 0xff at offset 4 of 5 (invalid start byte); convert it to UTF-8",
        ),
        (
            "caf\u00e9".encode()[:-1],
            "text {} is not UTF-8: byte 0xc3 at offset 3 of 4 (unexpected end of data); convert it to UTF-8",
        ),
        (b"", "text {} is empty (0 bytes, all white space); give a text with words"),
        (b" \n\t\r\n", "text {} is empty (5 bytes, all white space); give a text with words"),
    ],
)
def test_what_is_no_text(tmp_path: Path, data: bytes, message: str):
    path = put(tmp_path / "a.txt", data)
    with pytest.raises(InputError, match=f"^{re.escape(message.format(path))}$"):
        read_text(path)


def test_a_text_that_is_not_there(tmp_path: Path):
    for path, reason in ((tmp_path / "no.txt", "No such file or directory"), (tmp_path, "Is a directory")):
        message = f"text {path} cannot be read: {reason}; give an existing file"
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            read_text(path)


@pytest.mark.parametrize(("data", "at"), [(b"\0\0\0", 0), (b"\xc3\xa9a\0b", 3), (b"\xef\xbb\xbfab\0", 5)])
def test_null_bytes_are_no_text(data: bytes, at: int, tmp_path: Path):
    path = put(tmp_path / "null.txt", data)
    with pytest.raises(
        InputError, match=rf"null\.txt has a null byte at offset {at} of {len(data)}: it is no text"
    ):
        read_text(path)


def test_a_pipe_is_refused_unread(tmp_path: Path):
    """A text is read twice, and the second time a pipe has nothing left; opening it would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe is a device or a pipe; give a file$"):
        read_text(tmp_path / "pipe")


def test_a_name_that_is_no_text_can_still_be_recorded(tmp_path: Path):
    path = put(tmp_path / os.fsdecode(b"caf\xe9.txt"), b"a")
    assert tokenized([path], lambda text: [len(text)]) == [("caf?.txt", [1])]


def test_tokenized_names_files_not_folders(tmp_path: Path):
    paths = [put(tmp_path / f"{folder}/x.txt", folder.encode()) for folder in ("a", "b")]
    found = tokenized(paths, lambda text: list(text.encode()))
    assert found == [("x.txt", [97]), ("x.txt (2)", [98])]
    with pytest.raises(InputError, match=r"^no text was given; name at least one UTF-8 file$"):
        tokenized([], list)
