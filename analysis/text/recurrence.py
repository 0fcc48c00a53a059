"""A corpus whose far context is worth a known number of bits: natural text with private words between its words.

Each document has a vocabulary of its own, made-up words of letters that the text has not. After every word of the text
stands one of them, marked by "#", as if "To #αβ be #γδ or #αβ". Which one is drawn by a Pitman-Yor process (Pitman and
Yor 1997), so that old words come back and new ones keep turning up, over the whole length of the document. Drawn words
are exchangeable: given any part of a document, the best prediction of the next private word is the process's own rule
with the counts of that part. So the least loss that a reader of the last n bytes can have is known, word by word
(`bayes_nats`), and with it what context beyond any length is worth.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from analysis.errors import InputError
from analysis.settings import check_at_least, check_whole
from analysis.text.windows import Document

MARK = b"#"
"""Begins a private word; the text itself has none left."""
FIRST_LETTER = 128
LETTERS = 128
"""Of private words: bytes from 128 on, which the text itself has not: one letter alone tells where it stood before."""


_TAKEN = bytes(b" "[0] if b == MARK[0] or b >= FIRST_LETTER else b for b in range(256))
"""What becomes of the text's bytes: those that private words are made of are spaces."""


@dataclass(frozen=True, slots=True)
class PitmanYor:
    """How the private words of a document come back; checks itself on construction.

    After n words, among them k different ones, the next is a new word with probability
    (concentration + discount k) / (concentration + n), each of those not met yet alike, and a word met m times with
    probability (m - discount) / (concentration + n).

    Attributes:
        concentration: > 0; the larger, the longer new words turn up.
        discount: in [0, 1); 0 is the Dirichlet process, whose words grow in number as the logarithm of n.
        letters: of a word, 2 to 6; there are 128^letters words.

    >>> PitmanYor(concentration=1.0, discount=0.0, letters=2).probability(met=3, words=3, different=1)
    0.75
    """

    concentration: float = 10.0
    discount: float = 0.0
    letters: int = 2

    def __post_init__(self) -> None:
        if not (self.concentration > 0 and math.isfinite(self.concentration)):
            raise InputError(f"concentration={self.concentration} is not above 0; give a positive number")
        check_at_least("discount", self.discount, 0)
        if self.discount >= 1:
            raise InputError(f"discount={self.discount} is not below 1; give a number in [0, 1)")
        check_whole("letters", self.letters)
        if not 2 <= self.letters <= 6:
            raise InputError(f"letters={self.letters} is not in 2..6")

    @property
    def vocabulary(self) -> int:
        """Words that there are."""
        return LETTERS**self.letters

    @property
    def slot(self) -> int:
        """Bytes of a private word with its mark."""
        return len(MARK) + self.letters

    def probability(self, met: int, words: int, different: int) -> float:
        """Of one word to be the next.

        Args:
            met: how often it was met; 0 for a new one.
            words: that were met in all.
            different: among them.
        """
        if met:
            return (met - self.discount) / (self.concentration + words)
        new = (self.concentration + self.discount * different) / (self.concentration + words)
        return new / (self.vocabulary - different)

    def draw(self, count: int, rng: np.random.Generator) -> Int64[np.ndarray, " count"]:
        """Numbers of `count` words in a row, 0 to vocabulary - 1.

        Raises:
            InputError: more than half of all words might be met, so that new ones would run out.
        """
        if count > self.vocabulary // 2:
            raise InputError(
                f"{count} words of {self.letters} letters are drawn out of {self.vocabulary}; give longer words"
            )
        fresh: Iterator[int] = iter(rng.choice(self.vocabulary, count, replace=False).tolist())
        drawn = np.empty(count, np.int64)
        counts: Counter[int] = Counter()
        for n in range(count):
            new = (self.concentration + self.discount * len(counts)) / (self.concentration + n)
            # an old word: an earlier one, drawn alike, is word w with probability m_w / n; kept with the
            # probability (m_w - discount) / m_w, else drawn again
            if rng.random() < new:
                drawn[n] = next(fresh)
            else:
                while True:
                    drawn[n] = drawn[rng.integers(n)]
                    if rng.random() * counts[drawn[n]] >= self.discount:
                        break
            counts[int(drawn[n])] += 1
        return drawn

    def spelled(self, word: int) -> bytes:
        """A word's letters.

        >>> PitmanYor(letters=3).spelled(129)
        b'\\x80\\x81\\x81'
        """
        found = bytearray()
        for _ in range(self.letters):
            word, letter = divmod(word, LETTERS)
            found.append(FIRST_LETTER + letter)
        return bytes(reversed(found))


DOCUMENT = 16_384
"""Bytes of a document, at most."""


def pieces(document: Document, process: PitmanYor, seed: int, size: int = DOCUMENT) -> list[Document]:
    """A text cut into documents with private words of their own; white space stays where it was.

    A piece's private words depend on the seed and on the piece's own text, so that two pieces share none but by
    chance.

    Args:
        document: natural text, as bytes.
        process: of the private words.
        seed: >= 0.
        size: bytes of a piece with its private words, at most; the last piece is shorter.

    Raises:
        InputError: a number is out of its range.
    """
    check_at_least("seed", seed, 0)
    check_whole("size", size)
    text = document.tokens.tobytes().translate(_TAKEN)
    words = re.findall(rb"\S+\s*|\s+", text)
    found: list[Document] = []
    begin = 0
    while begin < len(words):
        stop, room = begin, size
        while stop < len(words) and (need := len(words[stop]) + process.slot + 1) <= room:
            stop, room = stop + 1, room - need
        stop = max(stop, begin + 1)  # a single word that is longer than a document
        data = _interleaved(words[begin:stop], process, seed)
        found.append(Document(piece_name(document, len(found)), np.frombuffer(data, np.uint8)))
        begin = stop
    return found


def piece_name(document: Document, index: int) -> str:
    """Of a text's piece, counted from 0."""
    return f"{document.name} ({index + 1})"


def _interleaved(words: Sequence[bytes], process: PitmanYor, seed: int) -> bytes:
    """Words of a text, each followed by a private one."""
    digest = hashlib.sha256(b"".join(words)).digest()
    rng = np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
    drawn = process.draw(len(words), rng)
    parts = []
    for word, private in zip(words, drawn.tolist(), strict=True):
        solid = word.rstrip()
        parts.append(
            solid + (b" " if solid else b"") + MARK + process.spelled(private) + (word[len(solid) :] or b" ")
        )
    return b"".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class PrivateWords:
    """Where the private words of some bytes stand.

    Attributes:
        starts: of each, its first letter, after the mark.
        words: each one's letters.
        letters: of every word.
    """

    starts: Int64[np.ndarray, " words"]
    words: tuple[bytes, ...]
    letters: int

    @classmethod
    def of(cls, data: UInt8[np.ndarray, " bytes"], process: PitmanYor) -> PrivateWords:
        """Those that are whole in `data`, in their order."""
        text = data.tobytes()
        pattern = re.compile(re.escape(MARK) + b"([\x80-\xff]{%d})" % process.letters)
        found = list(pattern.finditer(text))
        return cls(
            np.array([match.start(1) for match in found], np.int64),
            tuple(match.group(1) for match in found),
            process.letters,
        )

    def inside(self, begin: int, stop: int) -> Bool[np.ndarray, " words"]:
        """Which have their mark and all letters in begin .. stop - 1."""
        return (self.starts - len(MARK) >= begin) & (self.starts + self.letters <= stop)


def bayes_nats(
    data: UInt8[np.ndarray, " bytes"], process: PitmanYor, *, begin: int, first: int, stop: int
) -> Float64[np.ndarray, " words"]:
    """Least expected loss of each private word in first .. stop - 1, for a reader of the bytes from `begin` on.

    Exact for a reader who knows the process and sees whole private words before the one to predict; of a word that
    `begin` cuts nothing is taken to be known.

    Args:
        data: a document.
        process: that it was made with.
        begin: first byte that is read, 0 <= begin <= first.
        first, stop: bytes that are scored; words that are not whole among them are left out.

    Returns:
        Nats of each word, all its letters together; the marks are certain.
    """
    if not 0 <= begin <= first <= stop <= len(data):
        raise InputError(
            f"begin={begin}, first={first}, stop={stop}: give 0 <= begin <= first <= stop <= {len(data)}"
        )
    found = PrivateWords.of(data[begin:stop], process)
    counts: Counter[bytes] = Counter()
    nats = []
    scored = found.inside(first - begin, stop - begin)
    for n, (word, counted) in enumerate(zip(found.words, scored.tolist(), strict=True)):
        if counted:
            nats.append(-math.log(process.probability(counts[word], n, len(counts))))
        counts[word] += 1  # `counts[word]` above has not added a key: Counter returns 0 for what it lacks
    return np.array(nats)
