"""A user's texts, and the token windows that heads are measured on."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from analysis.errors import InputError
from analysis.provenance import printable

Document = tuple[str, Sequence[int]]
"""Name of a text and its token ids."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Token windows, and where each was taken.

    Attributes:
        tokens: token ids, (count, length).
        documents: for each window the name of its document.
        offsets: for each window the index, in its document, of the first token taken from there.
        sha256: of the tokens as little-endian int64, row by row.
    """

    tokens: Int[np.ndarray, "count length"]
    documents: tuple[str, ...]
    offsets: tuple[int, ...]
    sha256: str

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.documents) == len(self.offsets):
            counts = f"{len(self.tokens)} windows, {len(self.documents)} names, {len(self.offsets)} offsets"
            raise ValueError(f"{counts}: there must be one of each per window")
        if self.sha256 != (found := tokens_sha256(self.tokens)):
            raise ValueError(f"sha256={self.sha256} is not that of the tokens, {found}")


def tokens_sha256(tokens: Int[np.ndarray, "count length"]) -> str:
    """SHA-256, in hexadecimal, of token ids as little-endian int64, row by row; the same on every machine."""
    return hashlib.sha256(np.ascontiguousarray(tokens, dtype="<i8").tobytes()).hexdigest()


def read_text(path: Path) -> str:
    """Text of a UTF-8 file; a byte order mark is dropped, CR LF and CR become LF.

    Raises:
        InputError: the file cannot be read, is not UTF-8 (the message says at which byte), or holds nothing
            but white space.
    """
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        # it is read twice: once before a model is loaded, and once to be cut
        raise InputError(f"text {path} is a device or a pipe; save it as a file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"text {path} cannot be read: {error.strerror}; give an existing file") from error
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        at, byte = mark + error.start, data[mark + error.start]
        raise InputError(
            f"text {path} is not UTF-8: byte 0x{byte:02x} at offset {at} of {len(data)} ({error.reason}); "
            f"convert it to UTF-8"
        ) from None
    if not text.strip():
        raise InputError(f"text {path} is empty ({len(data)} bytes, all white space); give a text with words")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def tokenized(
    paths: Iterable[Path], tokenize: Callable[[str], Sequence[int]]
) -> list[tuple[str, Sequence[int]]]:
    """Name and token ids of each file, in the given order.

    Files of one name in different folders get a number, "a.txt (2)": no folder of a machine gets recorded.

    Args:
        paths: UTF-8 text files.
        tokenize: text to token ids, without special tokens.

    Raises:
        InputError: as `read_text`, or no path is given.
    """
    seen: dict[str, int] = {}
    documents = []
    for path in paths:
        name = printable(path.name)
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name} ({seen[name]})"
        documents.append((name, tokenize(read_text(path))))
    if not documents:
        raise InputError("no text was given; name at least one UTF-8 file")
    return documents


def windows(
    documents: Sequence[Document], length: int, count: int, *, seed: int, bos_id: int | None = None
) -> Windows:
    """Windows for measuring: `count` of them, `length` tokens each, from as many documents as possible.

    No two windows share a token, and no document gives a second window before every document that has room
    has given one (likewise third, and so on). Which documents give more, and where in a document its windows
    start, is drawn with the seed, every placement without overlap being equally likely. The result depends on
    the documents' names and tokens, not on their order. Windows are ordered by document name, then offset.

    Args:
        documents: name and token ids of each text, names all different.
        length: of a window in tokens, >= 2, the BOS token included.
        count: of windows, >= 1.
        seed: >= 0.
        bos_id: token put before the text of each window, as models were trained with; None for none.

    Raises:
        InputError: `length`, `count` or `seed` is out of its range, no text is as long as a window, fewer
            than `count` windows fit (the message says how many do), or two texts have one name.
    """
    taken = _check(documents, length, count, seed, bos_id)
    ordered = sorted(documents, key=lambda document: document[0])
    if count > (room := sum(len(tokens) // taken for _, tokens in ordered)):
        raise InputError(
            f"{count} windows of {length} tokens do not fit without overlap, {room} do; "
            f"ask for fewer or shorter windows, or give more text"
        )
    places = placements([len(tokens) for _, tokens in ordered], taken, count, seed=seed)
    prefix = [] if bos_id is None else [bos_id]
    rows = [[*prefix, *ordered[index][1][start : start + taken]] for index, start in places]
    tokens = np.array(rows, dtype=np.int64)
    names = tuple(ordered[index][0] for index, _ in places)
    return Windows(tokens, names, tuple(start for _, start in places), tokens_sha256(tokens))


def placements(sizes: Sequence[int], length: int, count: int, *, seed: int) -> list[tuple[int, int]]:
    """Where `count` windows lie that share no token: index of the document and first token, in order.

    Args:
        sizes: of the documents in tokens.
        length: of a window in tokens, >= 1.
        count: of windows, at most the sum of size // length.
        seed: >= 0; with it is drawn what `windows` says.
    """
    rng = np.random.default_rng(seed)
    shares = _shares(np.array([size // length for size in sizes]), count, rng)
    return [
        (index, start)
        for index, (size, share) in enumerate(zip(sizes, shares, strict=True))
        for start in _starts(size, length, share, rng)
    ]


def _check(documents: Sequence[Document], length: int, count: int, seed: int, bos_id: int | None) -> int:
    """Refuse what `windows` cannot serve; returns how many tokens of a window come from its document."""
    for name, value, least in (("length", length, 2), ("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"{name}={value} is below {least}; give {least} or more")
    if not documents:
        raise InputError("no text was given; name at least one")
    names = [name for name, _ in documents]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{len(names)} texts have names that are not all different: {', '.join(twice)}")
    taken = length - (bos_id is not None)
    name, longest = max(((name, len(tokens)) for name, tokens in documents), key=lambda item: item[1])
    if taken > longest:
        begin = "" if bos_id is None else " (its BOS token included)"
        raise InputError(
            f"a window of {length} tokens{begin} is longer than every text: "
            f"the longest, {name}, has {longest}; give a longer text or a shorter window"
        )
    return taken


def _shares(room: Int[np.ndarray, " documents"], count: int, rng: np.random.Generator) -> list[int]:
    """How many windows each document gives: in rounds over those with room left, the last round drawn."""
    shares = np.zeros_like(room)
    while (left := count - int(shares.sum())) > 0:
        open_ = np.flatnonzero(shares < room)
        shares[open_ if left >= len(open_) else rng.choice(open_, left, replace=False)] += 1
    return shares.tolist()


def _starts(size: int, taken: int, share: int, rng: np.random.Generator) -> list[int]:
    """`share` starts of windows of `taken` tokens that do not overlap, uniform over all such placements.

    A placement is a choice of `share` places among the windows and the free tokens in a row.
    """
    free = size - share * taken
    places = np.sort(rng.choice(free + share, share, replace=False))
    return [int(place) + rank * (taken - 1) for rank, place in enumerate(places)]
