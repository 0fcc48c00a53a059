"""Windows of a corpus: training batches by random access, and spans on which every method is scored alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64, Integer
from torch import Tensor

from analysis.errors import InputError
from analysis.texts import placements


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One text, whole.

    Attributes:
        name: as the manifest lists it.
        tokens: its bytes (uint8), or its byte-pair tokens (uint16, or int32 for a large vocabulary).
    """

    name: str
    tokens: Integer[np.ndarray, " size"]


class Batches:
    """Training batches in which every start of a window, in whatever document, is equally likely.

    A batch depends on the documents (in their order), length, batch, seed and step alone. A run that is
    interrupted goes on with `at(step)`; no state is kept.

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
        drawn = rng.integers(self._ends[-1], size=self.batch)[rows_of(rank, ranks)]
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

    def asked_at(
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


def rows_of(rank: int, ranks: int) -> slice:
    """Rows of a batch that process `rank` of `ranks` gets: rank, rank + ranks, ...

    Raises:
        InputError: `rank` is not in 0..ranks - 1.
    """
    _at_least(ranks=(ranks, 1), rank=(rank, 0))
    if rank >= ranks:
        raise InputError(f"rank={rank} of {ranks} ranks; ranks count from 0 to {ranks - 1}")
    return slice(rank, None, ranks)


def batch_at(
    documents: Sequence[Document],
    length: int,
    batch: int,
    seed: int,
    step: int,
    *,
    rank: int = 0,
    ranks: int = 1,
) -> Int64[Tensor, "rows length"]:
    """One batch of `Batches`, for whoever needs just one; arguments and errors are those of `Batches`."""
    return Batches(documents, length, batch, seed=seed).at(step, rank, ranks)


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
    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the target tokens as little-endian int64, span by span."""
        return hashlib.sha256(self.cut(0).numpy().astype("<i8").tobytes()).hexdigest()


def spans(
    documents: Sequence[Document], longest: int, target: int, count: int | None = None, *, seed: int
) -> Spans:
    """Spans to score on, from as many documents as possible.

    No document gives a second span before each with room has given one (likewise third, and so on); which
    give more, and where the spans lie, is drawn with the seed (as `analysis.texts.windows`).

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
        if value < least:
            raise InputError(f"{name}={value} is below {least}; give {least} or more")
