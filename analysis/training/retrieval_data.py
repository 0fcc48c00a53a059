"""Retrieval tasks for models of bytes: facts in real text, and queries that repeat a fact up to its value.

A fact is "[k7=q3]" (associative recall), "[pass key 83021]" or "[q]" (a needle) somewhere in the text. In an instance
(`retrieval_batch`) the last bytes are queries: facts again, whose values are to be predicted. In training (`Mixture`,
`RepeatedFacts`) a part of the windows is of that kind. Text around the facts has its "[" turned into "(", so nothing
else looks like one. Instances depend on the documents, the task, the distance, seed and step alone: every method gets
the same.

A query is answered exactly when each byte of its value is the likeliest one given the true bytes before it;
that is also when greedy generation gives the whole value, so one forward pass scores both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from analysis.errors import InputError
from analysis.text.windows import Batches, Document, rank_rows

LETTERS = b"abcdefghijklmnopqrstuvwxyz"
DIGITS = b"0123456789"
_OPEN, _ROUND, _CLOSE = b"[("[0], b"[("[1], b"]"
_INSTANCE, _MIX = (
    1,
    2,
)  # keep the random numbers of instances and of mixtures apart, and from those of windows


def _count(alphabets: tuple[bytes, ...]) -> int:
    return math.prod(map(len, alphabets))


@dataclass(frozen=True, slots=True)
class RetrievalTask:
    """What facts look like: `lead`, key, `middle`, value, "]".

    Attributes:
        lead: begins with "[".
        key: for each byte of a key the bytes it is drawn from; none if there is but one fact.
        middle: between key and value.
        value: for each byte of a value the bytes it is drawn from, uniformly.
        pairs: facts in an instance, their keys all different.
        queries: facts that are queried at the end, each once, 1 to `pairs`.
    """

    lead: bytes
    key: tuple[bytes, ...]
    middle: bytes
    value: tuple[bytes, ...]
    pairs: int = 1
    queries: int = 1

    def __post_init__(self) -> None:
        if self.lead[:1] != b"[" or not self.value:
            raise ValueError(
                f'lead={self.lead!r} and value={self.value!r}: "[" must begin a fact, a value end it'
            )
        if not 1 <= self.pairs <= (keys := _count(self.key)):
            raise InputError(f"pairs={self.pairs} is not in 1..{keys}; there are {keys} different keys")
        if not 1 <= self.queries <= self.pairs:
            raise InputError(
                f"queries={self.queries} is not in 1..{self.pairs}; query each fact once at most"
            )

    @property
    def before(self) -> int:
        """Bytes of a fact before its value."""
        return len(self.lead) + len(self.key) + len(self.middle)

    @property
    def size(self) -> int:
        """Bytes of a fact."""
        return self.before + len(self.value) + len(_CLOSE)

    @property
    def chance(self) -> float:
        """Exact matches of a guess that knows how values are made, and has seen none."""
        return 1 / _count(self.value)

    @property
    def chance_of_any(self) -> float:
        """Exact matches of a guess that gives the value of whichever fact, the key not regarded."""
        return 1 / self.pairs + (1 - 1 / self.pairs) * self.chance

    @property
    def chance_bits(self) -> float:
        """Bits per query that the first of these guesses loses."""
        return math.log2(_count(self.value))

    def fits(self, length: int, distance: int | None = None) -> bool:
        """Whether instances of `length` bytes hold the facts and queries, at this distance or at any drawn."""
        if distance is not None and not self.size <= distance <= length - self.size:
            return False
        return self.cells(length, distance) >= self.pairs

    def cells(self, length: int, distance: int | None = None) -> int:
        """Cells for facts before the queries that there always are in instances of `length` bytes."""
        offset = self.size - 1 if distance is None else (length - distance) % self.size
        return max((length - self.queries * self.size - offset) // self.size, 0)


RECALL = RetrievalTask(b"[", (LETTERS, DIGITS), b"=", (LETTERS, DIGITS), pairs=8)
"""Associative recall, as "[k7=q3]"; chance is 1 in 260."""
PASSKEY = RetrievalTask(b"[pass key ", (), b"", (DIGITS,) * 5)
"""One number to remember, as "[pass key 83021]"; chance is 1 in 100,000."""
NEEDLE = RetrievalTask(b"[", (), b"", (LETTERS,))
"""One letter to find in the text, as "[q]"; chance is 1 in 26."""
TASKS = {"recall": RECALL, "passkey": PASSKEY, "needle": NEEDLE}


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """A batch of instances, or of instances and plain text.

    Attributes:
        tokens: bytes, (rows, length).
        mask: True on the bytes of queried values, which are to be predicted from what stands before them.
        distances: of each query the position of a value's byte less that of the same byte in the fact,
            (rows, queries), in order of the queries; 0 in rows of plain text, which hold none.
        values: bytes of a value; the mask of a row holds queries times as many.
    """

    tokens: Int64[Tensor, "rows length"]
    mask: Bool[Tensor, "rows length"]
    distances: Int64[Tensor, "rows queries"]
    values: int


@dataclass(frozen=True, slots=True, eq=False)
class QueryScores:
    """Of each query: was the whole value the likeliest, and how many bits did it take?"""

    exact: Bool[Tensor, "rows queries"]
    bits: Float[Tensor, "rows queries"]


def retrieval_batch(
    documents: Sequence[Document],
    length: int,
    batch: int,
    *,
    task: RetrievalTask = RECALL,
    distance: int | None = None,
    seed: int,
    step: int = 0,
) -> Queries:
    """A batch of instances, every row with `task.pairs` facts and `task.queries` queries.

    Facts lie on a grid of their own size, cells drawn uniformly. With a `distance`, the grid lies such that the
    one query's fact is exactly that far back; else its offset is drawn, and distances are what comes out.

    Args:
        documents: text around the facts, as bytes.
        length: bytes of an instance, query and answer included.
        batch: rows, >= 1.
        task: what facts look like.
        distance: in bytes, task.size to length - task.size, for a task of one query; None to draw.
        seed: >= 0.
        step: >= 0; other steps are other instances.

    Raises:
        InputError: documents are not bytes or all shorter than `length`, the facts do not fit, or a number is
            out of its range.
    """
    _check(documents, length, task, distance)
    tokens = Batches(documents, length, batch, seed=seed).at(step).numpy()
    return _with_queries(tokens, task, distance, np.random.default_rng([seed, step, _INSTANCE]))


class Mixture:
    """Training batches in which a share of the rows, drawn one by one, are instances of a task."""

    def __init__(self, batches: Batches, task: RetrievalTask, share: float) -> None:
        """Mix instances of `task` into `batches`.

        Args:
            batches: of text as bytes; their seed is the mixture's.
            task: what facts look like; with as many queries as pairs a row teaches most.
            share: of the rows, 0 to 1.

        Raises:
            InputError: `share` is out of its range, documents are not bytes, or the facts do not fit.
        """
        check_queries(share)
        _check(batches.documents, batches.length, task, None)
        self.batches, self.task, self.share = batches, task, share

    def queries_at(self, step: int, rank: int = 0, ranks: int = 1) -> Queries:
        """Batch number `step`; arguments as `Batches.at`, and like there it depends on nothing else."""
        tokens, chosen, rng = query_rows(self.batches, self.share, step, _MIX)
        made = _with_queries(tokens[chosen], self.task, None, rng)
        mask = np.zeros(tokens.shape, bool)
        distances = np.zeros((len(tokens), self.task.queries), np.int64)
        tokens[chosen], mask[chosen], distances[chosen] = made.tokens, made.mask, made.distances
        mine = rank_rows(rank, ranks)
        parts = (torch.from_numpy(part[mine].copy()) for part in (tokens, mask, distances))
        return Queries(*parts, values=made.values)

    def queried_at(
        self, step: int, rank: int = 0, ranks: int = 1
    ) -> tuple[Int64[Tensor, "rows length"], Bool[Tensor, "rows length"]]:
        """Tokens and mask of `queries_at`."""
        queries = self.queries_at(step, rank, ranks)
        return queries.tokens, queries.mask

    def at(self, step: int, rank: int = 0, ranks: int = 1) -> Int64[Tensor, "rows length"]:
        """The tokens of `queries_at`: a mixture stands wherever `Batches` does."""
        return self.queries_at(step, rank, ranks).tokens


def score_queries(logits: Float[Tensor, "rows length vocab"], queries: Queries) -> QueryScores:
    """Scores of one forward pass; logits at position i are for the token at i + 1. Every row must hold queries."""
    rows = len(queries.tokens)
    mask = queries.mask[:, 1:]
    wanted = queries.tokens[:, 1:][mask]
    given = logits[:, :-1][mask].double()
    shape = (rows, -1, queries.values)
    bits = torch.nn.functional.cross_entropy(given, wanted, reduction="none") / math.log(2)
    exact = (given.argmax(-1) == wanted).reshape(shape).all(-1)
    return QueryScores(exact, bits.reshape(shape).sum(-1))


def query_rows(
    batches: Batches, share: float, step: int, stream: int
) -> tuple[Int64[np.ndarray, "rows length"], Int64[np.ndarray, " chosen"], np.random.Generator]:
    """Text of batch number `step`, those of its rows that shall hold queries, and what draws these.

    Rows are drawn one by one; another `stream` draws other rows and queries.
    """
    tokens = batches.at(step).numpy()
    rng = np.random.default_rng([batches.seed, step, stream])
    return tokens, np.flatnonzero(rng.random(len(tokens)) < share), rng


def check_queries(share: float) -> None:
    """InputError unless it is a part of a batch's rows."""
    if not 0 <= share <= 1:
        raise InputError(f"share={share} is not in 0..1; give the part of the rows that shall hold queries")


def check_bytes(documents: Sequence[Document]) -> None:
    """InputError where a document's tokens are not bytes."""
    for document in documents:
        if document.tokens.dtype != np.uint8:
            kind = document.tokens.dtype
            raise InputError(
                f"{document.name} has tokens of {kind}; retrieval tasks are made of bytes: give a corpus of bytes"
            )


def without_brackets(tokens: Int64[np.ndarray, "rows length"]) -> Int64[np.ndarray, "rows length"]:
    """A copy with every "[" turned into "(", so that only facts look like facts."""
    return np.where(tokens == _OPEN, _ROUND, tokens)


def _check(documents: Sequence[Document], length: int, task: RetrievalTask, distance: int | None) -> None:
    check_bytes(documents)
    size = task.size
    if distance is not None and task.queries != 1:
        raise InputError(f"distance={distance} is for one query, the task has {task.queries}; give queries=1")
    if distance is not None and not size <= distance <= length - size:
        raise InputError(
            f"distance={distance} is not in {size}..{length - size}, the range for length {length}"
        )
    if (cells := task.cells(length, distance)) < task.pairs:
        raise InputError(
            f"{task.pairs} facts of {size} bytes do not fit before {task.queries} queries in {length} bytes, "
            f"{cells} do; give a longer length or fewer pairs"
        )


def _with_queries(
    tokens: np.ndarray, task: RetrievalTask, distance: int | None, rng: np.random.Generator
) -> Queries:
    """Write facts and queries into windows of text."""
    rows, length = tokens.shape
    tail = length - task.queries * task.size
    starts, facts = _starts(rows, tail, task, distance, rng), facts_of(rows, task, rng)
    queries = np.tile(tail + task.size * np.arange(task.queries), (rows, 1))
    places = np.concatenate([starts, queries], axis=1)[:, :, None] + np.arange(task.size)
    written = np.concatenate([facts, facts[:, : task.queries]], axis=1)
    values = queries[:, :, None] + task.before + np.arange(len(task.value))
    tokens, mask = without_brackets(tokens), np.zeros(tokens.shape, bool)
    row = np.arange(rows)[:, None, None]
    tokens[row, places] = written
    mask[row, values] = True
    parts = map(torch.from_numpy, (tokens, mask, queries - starts[:, : task.queries]))
    return Queries(*parts, values=len(task.value))


def _starts(
    rows: int, tail: int, task: RetrievalTask, distance: int | None, rng: np.random.Generator
) -> Int64[np.ndarray, "rows pairs"]:
    """Where the facts begin, those that are queried first: cells of a grid before `tail`, without overlap."""
    if distance is None:
        offset = rng.integers(task.size, size=(rows, 1))
    else:
        offset = np.full((rows, 1), (tail - distance) % task.size)
    cells = offset + task.size * np.arange(tail // task.size)
    order = rng.random(cells.shape)
    order[cells > tail - task.size] = 2  # no room for a whole fact: last
    if distance is not None:
        order[cells == tail - distance] = -1
    return np.take_along_axis(cells, np.argsort(order, axis=1)[:, : task.pairs], axis=1)


def facts_of(
    rows: int, task: RetrievalTask, rng: np.random.Generator
) -> UInt8[np.ndarray, "rows pairs size"]:
    """Facts of each row as bytes, the keys of a row all different."""
    keys = rng.random((rows, _count(task.key))).argsort(axis=1)[:, : task.pairs]
    values = rng.integers(_count(task.value), size=(rows, task.pairs))
    fact = task.lead + b"?" * len(task.key) + task.middle + b"?" * len(task.value) + _CLOSE
    facts = np.tile(np.frombuffer(fact, np.uint8), (rows, task.pairs, 1))
    for at, alphabets, numbers in ((len(task.lead), task.key, keys), (task.before, task.value, values)):
        for place, alphabet in enumerate(alphabets):
            numbers, digit = np.divmod(numbers, len(alphabet))
            facts[:, :, at + place] = np.frombuffer(alphabet, np.uint8)[digit]
    return facts


_REPEAT = 3  # keeps the random numbers of repeated facts apart from those of windows, instances and mixtures
_FEWEST = 2  # a fact that stands once holds no query


class RepeatedFacts:
    """Training batches in which a share of the rows, drawn one by one, repeat a task's facts; each repeat is a query.

    Windows in which every fact stands once and is queried at the end teach a small model nothing within a thousand
    steps. Repeated several times at random places, a fact is soon looked up, at any distance. Facts lie on a grid of
    their own size whose offset is drawn, cells drawn uniformly; their number is drawn from 2 to `repeats`, and each is
    one of the row's facts, drawn with replacement.
    """

    def __init__(self, batches: Batches, task: RetrievalTask, share: float, repeats: int) -> None:
        """Put repeated facts of `task` into `batches`.

        Args:
            batches: of text as bytes; their seed is used.
            task: what facts look like; its `queries` play no part.
            share: of the rows, 0 to 1.
            repeats: most facts in a row, the first ones counted too, >= 2.

        Raises:
            InputError: a number is out of its range, documents are not bytes, or the facts do not fit.
        """
        check_queries(share)
        check_bytes(batches.documents)
        cells = _cells(batches.length, task)
        if not _FEWEST <= repeats <= cells:
            raise InputError(
                f"repeats={repeats} is not in {_FEWEST}..{cells}, what fits into {batches.length} bytes"
            )
        self.batches, self.task, self.share, self.repeats = batches, task, share, repeats

    def queried_at(
        self, step: int, rank: int = 0, ranks: int = 1
    ) -> tuple[Int64[Tensor, "rows length"], Bool[Tensor, "rows length"]]:
        """Batch number `step`, and True on the bytes of values whose fact stood in their row before.

        Arguments as `Batches.at`, and like there it depends on nothing else.
        """
        tokens, chosen, rng = query_rows(self.batches, self.share, step, _REPEAT)
        mask = np.zeros(tokens.shape, bool)
        tokens[chosen], mask[chosen] = self._repeated(tokens[chosen], rng)
        mine = rank_rows(rank, ranks)
        return torch.from_numpy(tokens[mine].copy()), torch.from_numpy(mask[mine].copy())

    def at(self, step: int, rank: int = 0, ranks: int = 1) -> Int64[Tensor, "rows length"]:
        """The tokens of `queried_at`: this stands wherever `Batches` does."""
        return self.queried_at(step, rank, ranks)[0]

    def _repeated(
        self, tokens: Int64[np.ndarray, "rows length"], rng: np.random.Generator
    ) -> tuple[Int64[np.ndarray, "rows length"], Bool[np.ndarray, "rows length"]]:
        task, (rows, length) = self.task, tokens.shape
        cells = _cells(length, task)
        starts = rng.integers(task.size, size=(rows, 1)) + task.size * np.arange(cells)
        count = rng.integers(_FEWEST, self.repeats + 1, size=(rows, 1))
        kept = rng.random((rows, cells)).argsort(axis=1) < count
        which = rng.integers(task.pairs, size=(rows, cells))
        mine = kept[:, :, None] & (which[:, :, None] == np.arange(task.pairs))
        again = (mine & (mine.cumsum(axis=1) > 1)).any(axis=2)
        facts = facts_of(rows, task, rng)
        tokens, mask = without_brackets(tokens), np.zeros(tokens.shape, bool)
        row, cell = np.nonzero(kept)
        tokens[row[:, None], starts[row, cell][:, None] + np.arange(task.size)] = facts[row, which[row, cell]]
        row, cell = np.nonzero(again)
        mask[row[:, None], starts[row, cell][:, None] + task.before + np.arange(len(task.value))] = True
        return tokens, mask


def _cells(length: int, task: RetrievalTask) -> int:
    """Facts that always fit, wherever the grid lies: no room is kept for queries at the end."""
    return task.cells(length + task.queries * task.size)
