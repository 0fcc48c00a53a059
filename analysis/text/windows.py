"""Windows of a corpus: training batches by random access, and spans on which every method is scored alike."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int, Int64, Integer
from torch import Tensor

from analysis.errors import InputError
from analysis.inputs import read_whole
from analysis.records import printable
from analysis.settings import check_least

# A user's texts, and the token windows that heads are measured on.


NamedTokens = tuple[str, Sequence[int]]
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
        InputError: the file cannot be read, is not UTF-8 or has a null byte (the message says at which byte), or
            holds nothing but white space.
    """
    data = read_whole(path, "text", "give an existing file")
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        at, byte = mark + error.start, data[mark + error.start]
        raise InputError(
            f"text {path} is not UTF-8: byte 0x{byte:02x} at offset {at} of {len(data)} ({error.reason}); "
            f"convert it to UTF-8"
        ) from None
    if "\0" in text:
        at = len(text[: text.index("\0")].encode()) + mark
        raise InputError(
            f"text {path} has a null byte at offset {at} of {len(data)}: it is no text; give one"
        )
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
    documents: Sequence[NamedTokens], length: int, count: int, *, seed: int, bos_id: int | None = None
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


def begun_with(
    tokens: Int64[Tensor, "*rows length"], first_token: int | None
) -> Int64[Tensor, "*rows length"]:
    """Windows with `first_token` in the place of their first token; None leaves them as they are.

    >>> begun_with(torch.tensor([5, 6, 7]), 1).tolist()
    [1, 6, 7]
    """
    if first_token is None:
        return tokens
    return torch.cat([torch.full_like(tokens[..., :1], first_token), tokens[..., 1:]], dim=-1)


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


def _check(documents: Sequence[NamedTokens], length: int, count: int, seed: int, bos_id: int | None) -> int:
    """Refuse what `windows` cannot serve; returns how many tokens of a window come from its document."""
    for name, value, least in (("length", length, 2), ("count", count, 1), ("seed", seed, 0)):
        check_least(name, value, least)
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


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One text, whole.

    Attributes:
        name: as the manifest lists it.
        tokens: its bytes (uint8), or its byte-pair tokens (uint16, or int32 for a large vocabulary).

    >>> Document('hamlet', np.frombuffer(b'Who is there?', dtype=np.uint8)).tokens[:3]
    array([ 87, 104, 111], dtype=uint8)
    """

    name: str
    tokens: Integer[np.ndarray, " size"]


class Batches:
    """Training batches in which every start of a window, in whatever document, is equally likely.

    A batch depends on the documents (in their order), length, batch, seed and step alone. A run that is
    interrupted goes on with `at(step)`; no state is kept.

    >>> batches = Batches([Document("a", np.arange(100))], length=9, batch=4, seed=0)
    >>> batches.at(step=3).shape
    torch.Size([4, 9])

    Attributes:
        documents: those that have room for a window.
        length: of a window in tokens.
        batch: windows in a batch.
    """

    def __init__(self, documents: Sequence[Document], length: int, batch: int, *, seed: int) -> None:
        """Take the documents; those shorter than a window are skipped.

        Args:
            documents: e.g. a corpus's train split.
            length: of a window in tokens, >= 1: the model's context and one more, for the last target.
            batch: windows in a batch, over all ranks, >= 1.
            seed: >= 0.

        Raises:
            InputError: no document is as long as a window, or a number is out of its range.
        """
        _at_least(length=(length, 1), batch=(batch, 1), seed=(seed, 0))
        _check_room(documents, length)
        self.documents = tuple(document for document in documents if len(document.tokens) >= length)
        self.length, self.batch, self.seed = length, batch, seed
        self._ends = np.cumsum([len(document.tokens) - length + 1 for document in self.documents])

    def places(self, step: int, rank: int = 0, ranks: int = 1) -> list[tuple[int, int]]:
        """Of each window the index in `documents` and its first token; arguments as `at`."""
        _at_least(step=(step, 0))
        rng = np.random.default_rng([self.seed, step])
        drawn = rng.integers(self._ends[-1], size=self.batch)[rank_rows(rank, ranks)]
        index = np.searchsorted(self._ends, drawn, side="right")
        before = np.concatenate([[0], self._ends])[index]
        return list(zip(index.tolist(), (drawn - before).tolist(), strict=True))

    def at(self, step: int, rank: int = 0, ranks: int = 1) -> Int64[Tensor, "rows length"]:
        """Batch number `step`, >= 0; of `ranks` processes, process `rank` gets rows rank, rank + ranks, ..."""
        rows = [(self.documents[i].tokens, start) for i, start in self.places(step, rank, ranks)]
        out = np.empty((len(rows), self.length), dtype=np.int64)
        for row, (tokens, start) in zip(out, rows, strict=True):
            row[:] = tokens[start : start + self.length]
        return torch.from_numpy(out)

    def queried_at(
        self, step: int, rank: int = 0, ranks: int = 1
    ) -> tuple[Int64[Tensor, "rows length"], Bool[Tensor, "rows length"]]:
        """Batch number `step`, and which of its tokens are asked: none of plain text."""
        tokens = self.at(step, rank, ranks)
        return tokens, torch.zeros(tokens.shape, dtype=torch.bool)

    def since(self, step: int, rank: int = 0, ranks: int = 1) -> Iterator[Int64[Tensor, "rows length"]]:
        """Batches number `step`, `step` + 1, ... without end."""
        while True:
            yield self.at(step, rank, ranks)
            step += 1


def rank_rows(rank: int, ranks: int) -> slice:
    """Rows of a batch that process `rank` of `ranks` gets: rank, rank + ranks, ...

    Raises:
        InputError: `rank` is not in 0..ranks - 1.
    """
    _at_least(ranks=(ranks, 1), rank=(rank, 0))
    if rank >= ranks:
        raise InputError(f"rank={rank} of {ranks} ranks; ranks count from 0 to {ranks - 1}")
    return slice(rank, None, ranks)


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Target bytes of held-out documents, each with room for the longest context before it.

    However much context a reader gives them, [start - context, start) with context up to `longest`, the
    targets [start, start + target) stay the same: losses at two lengths or of two methods differ by what was
    read, not by what was asked. No two targets share a token.

    Attributes:
        documents: the document of each span; ordered as the documents were given, then by start.
        starts: of each span the index of its first target token, >= longest.
        longest: context there is room for, in tokens.
        target: tokens of a target.

    >>> found = Spans((Document('a', np.arange(20)),), (10,), longest=8, target=2)
    >>> found.cut(context=3)  # three tokens of context, two that are scored
    tensor([[ 7,  8,  9, 10, 11]])
    """

    documents: tuple[Document, ...]
    starts: tuple[int, ...]
    longest: int
    target: int

    def cut(self, context: int) -> Int64[Tensor, "spans tokens"]:
        """Every target with `context` tokens before it, 0 <= context <= longest: (count, context + target).

        Raises:
            InputError: `context` is out of its range.
        """
        if not 0 <= context <= self.longest:
            raise InputError(
                f"context={context} is not in 0..{self.longest}; draw the spans with a larger longest"
            )
        pairs = zip(self.documents, self.starts, strict=True)
        rows = [document.tokens[start - context : start + self.target] for document, start in pairs]
        return torch.from_numpy(np.stack(rows).astype(np.int64))

    @property
    def names(self) -> list[str]:
        """Names of the documents, each once, in the order of the spans: in it stand sums over documents."""
        return list(dict.fromkeys(document.name for document in self.documents))

    def document_bytes(self, token_bytes: Int[np.ndarray, " vocab"] | None) -> Int[np.ndarray, " documents"]:
        """Bytes of text that the targets of each document stand for, documents in the order of `names`.

        Args:
            token_bytes: of each token of the vocabulary, as `tokenizer.BytePairs.token_bytes`; None where a token is a
                byte.
        """
        found = dict.fromkeys(self.names, 0)
        for document, start in zip(self.documents, self.starts, strict=True):
            tokens = document.tokens[start : start + self.target]
            found[document.name] += self.target if token_bytes is None else int(token_bytes[tokens].sum())
        return np.array(list(found.values()))

    @property
    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the target tokens as little-endian int64, span by span."""
        return hashlib.sha256(self.cut(0).numpy().astype("<i8").tobytes()).hexdigest()


def spans(
    documents: Sequence[Document], longest: int, target: int, count: int | None = None, *, seed: int
) -> Spans:
    """Spans to score on, from as many documents as possible.

    >>> documents = [Document("a", np.arange(100)), Document("b", np.arange(50))]
    >>> found = spans(documents, longest=8, target=4, count=3, seed=0)
    >>> found.cut(context=8).shape
    torch.Size([3, 12])

    No document gives a second span before each with room has given one (likewise third, and so on); which
    give more, and where the spans lie, is drawn with the seed (as `analysis.text.windows.windows`).

    Args:
        documents: e.g. a corpus's test split.
        longest: context in tokens that each target must have before it, >= 0.
        target: tokens of a target, >= 1.
        count: of spans, >= 1; None for all that fit.
        seed: >= 0.

    Raises:
        InputError: a number is out of its range, no document has room for a span, or fewer than `count` fit
            (the message says how many do).
    """
    _at_least(
        longest=(longest, 0), target=(target, 1), count=(1 if count is None else count, 1), seed=(seed, 0)
    )
    _check_room(documents, longest + target)
    free = [max(len(document.tokens) - longest, 0) for document in documents]
    room = sum(size // target for size in free)
    if count is not None and count > room:
        raise InputError(
            f"{count} spans of {target} tokens after {longest} do not fit without overlap, {room} do; "
            f"ask for fewer or shorter spans, or give more text"
        )
    places = placements(free, target, room if count is None else count, seed=seed)
    return Spans(
        tuple(documents[index] for index, _ in places),
        tuple(longest + start for _, start in places),
        longest,
        target,
    )


def opening_spans(documents: Sequence[Document], target: int, count: int, *, seed: int) -> Spans:
    """Spans that open their documents: tokens 1 .. target of each, of all that are long enough or `count` drawn.

    A document's token 0 has nothing before it and is never scored.

    Args:
        documents: in the order of the spans.
        target: tokens of a target, >= 1.
        count: of documents at most, >= 1.
        seed: of the draw, >= 0.

    Raises:
        InputError: a number is out of its range, or no document is longer than a target.
    """
    _at_least(target=(target, 1), count=(count, 1), seed=(seed, 0))
    _check_room(documents, target + 1)
    able = [document for document in documents if len(document.tokens) > target]
    if len(able) > count:
        drawn = np.random.default_rng(seed).choice(len(able), count, replace=False)
        able = [able[index] for index in sorted(drawn)]
    return Spans(tuple(able), (1,) * len(able), 1, target)


def _check_room(documents: Sequence[Document], length: int) -> None:
    if not documents:
        raise InputError("no document was given; give at least one")
    longest = max(documents, key=lambda document: len(document.tokens))
    if (size := len(longest.tokens)) < length:
        raise InputError(
            f"a window of {length} tokens is longer than each of {len(documents)} documents: the longest, "
            f"{longest.name}, has {size}; give a longer text or a shorter window"
        )


def _at_least(**numbers: tuple[int, int]) -> None:
    for name, (value, least) in numbers.items():
        check_least(name, value, least)
