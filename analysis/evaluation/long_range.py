"""Is context beyond a length worth anything, and does a model collect it?

A comparison of encodings beyond the trained length L tells something about far context only in a corpus where far
context is worth something. `worth` measures that with a reference model that was trained at several times L, and
`Worth.passes` is the gate: a corpus that does not pass is used for no claim of long-range use. `key_tokens` are those
whose loss under the reference falls by more than a nat with the long context (LongPPL, Fang et al. 2024, arXiv
2410.23771). Where the least loss is known (`text.recurrence`), `collected` says which share of the far context's bits
a model collects, and `needle_grid` whether it finds one fresh word among the others, by depth and length; of any
other corpus `token_needles` asks it with sequences of tokens. `copying` says of any model whether it has learned to
copy at all: a run that stops before it has measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from analysis.errors import InputError
from analysis.intervals import Interval, mean_and_error, of_mean
from analysis.models import checkpoint
from analysis.models.token_losses import Read, llama_reader
from analysis.progress import Progress, silent
from analysis.settings import LEAST_ERRORS, LEAST_GAIN
from analysis.text.recurrence import FIRST_LETTER, LETTERS, PitmanYor, PrivateWords, bayes_nats
from analysis.text.windows import Spans
from analysis.text.windows import spans as spans_of

KEY = 1.0
"""Nats by which a key token's loss falls with the long context."""
LONGER = 4
"""Length of the reference over the trained one."""
DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of needles, shares of the window before its queries."""
FRESH = 4
"""Tokens of a needle of `token_needles`; all but the last are its key."""
COPIED = 0.5
"""Share of its loss that a text loses the second time it is read, from which a model counts as copying."""

SpanLosses = Float64[np.ndarray, "spans target"]


@torch.inference_mode()
def span_losses(read: Read, chosen: Spans, length: int, *, rows: int = 1) -> SpanLosses:
    """Loss of every target of spans, each at the end of a window of one length.

    Args:
        read: the model, for windows of `length` tokens.
        chosen: the spans.
        length: tokens of a window, target < length <= longest + target.
        rows: windows that are read at once.

    Returns:
        Nats.

    Raises:
        InputError: a length out of its range, or a loss that is not finite.
    """
    if not chosen.target < length <= chosen.longest + chosen.target:
        least, most = chosen.target + 1, chosen.longest + chosen.target
        raise InputError(f"length={length} is not in {least}..{most}; give another, or spans with more room")
    windows = chosen.cut(length - chosen.target)
    parts = [read(part)[:, -chosen.target :].double() for part in windows.split(rows)]
    losses = torch.cat(parts).cpu().numpy()
    if not np.isfinite(losses).all():
        raise InputError(
            f"a loss is not finite in windows of {length} tokens, at which the model cannot be evaluated; give another "
            f"model, or shorter windows if only these overflow"
        )
    return losses


@dataclass(frozen=True, slots=True)
class Worth:
    """What context from a short to a long length is worth to a reference model.

    Attributes:
        gain: bits a byte, mean over documents, and its 95 % interval over documents (Student's t).
        error: standard error of the mean over documents.
        documents: how many there are.
        positive: in how many the long context lowers the loss.
    """

    gain: Interval
    error: float
    documents: int
    positive: int

    @property
    def passes(self) -> bool:
        """Is the gain at least `LEAST_GAIN`, and at least `LEAST_ERRORS` standard errors?"""
        return self.gain.value >= LEAST_GAIN and self.gain.value >= LEAST_ERRORS * self.error

    def require(self, corpus: str) -> None:
        """`InputError` with the numbers unless the corpus passes the gate."""
        if not self.passes:
            raise InputError(
                f"corpus {corpus}: context beyond the short length is worth {self.gain.value:.3f} bits a byte "
                f"(standard error {self.error:.3f}, {self.documents} documents); a comparison needs {LEAST_GAIN} "
                f"at {LEAST_ERRORS:g} standard errors: train the reference longer, or give another corpus"
            )


def worth(
    short: SpanLosses, long: SpanLosses, chosen: Spans, sizes: Int[np.ndarray, " vocab"] | None = None
) -> Worth:
    """What the longer context is worth, from the losses of the same targets in both.

    >>> from analysis.text.windows import Document, spans
    >>> texts = [Document(name, np.zeros(40, np.uint8)) for name in "abc"]
    >>> chosen = spans(texts, longest=8, target=4, count=3, seed=0)
    >>> found = worth(np.full((3, 4), 2 * math.log(2)), np.full((3, 4), math.log(2)), chosen)
    >>> found.gain.value, found.passes  # bits a byte
    (1.0, True)

    Args:
        short, long: nats, as `span_losses`.
        chosen: the spans; those of one document are no independent ones.
        sizes: bytes that each token stands for; None for bytes.

    Raises:
        InputError: fewer than three documents.
    """
    names, gains = _by_document((short - long) / math.log(2), chosen, sizes)
    if len(names) < 3:
        raise InputError(f"{len(names)} documents give no standard error to rely on; give three or more")
    _, error = mean_and_error(gains)
    return Worth(of_mean(gains), float(error), len(names), int((gains > 0).sum()))


def _by_document(
    values: SpanLosses, chosen: Spans, sizes: Int[np.ndarray, " vocab"] | None
) -> tuple[list[str], Float64[np.ndarray, " documents"]]:
    """Of each document the sum of its values over the bytes of its targets."""
    targets = chosen.cut(0).numpy()
    per_span = np.full(len(targets), chosen.target) if sizes is None else sizes[targets].sum(axis=1)
    of = np.array([document.name for document in chosen.documents])
    return chosen.names, np.array([values[of == n].sum() / per_span[of == n].sum() for n in chosen.names])


def key_tokens(short: SpanLosses, long: SpanLosses) -> Bool[np.ndarray, "spans target"]:
    """Targets whose loss under the reference falls by more than a nat with the longer context.

    >>> key_tokens(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]])).tolist()
    [[True, False]]
    """
    return short - long > KEY


@dataclass(frozen=True, slots=True)
class WordLosses:
    """Losses of the private words among the targets of spans, in windows of one length.

    Attributes:
        model, bayes: nats of each word, all its letters together: the model's, and the least that can be expected.
        documents: the name of each word's document.
    """

    model: Float64[np.ndarray, " words"]
    bayes: Float64[np.ndarray, " words"]
    documents: tuple[str, ...]


def word_losses(losses: SpanLosses, chosen: Spans, process: PitmanYor, length: int) -> WordLosses:
    """Losses of private words that lie whole in a span, of a model and of the best reader of the same window.

    Args:
        losses: of the model, as `span_losses` at this length.
        chosen: spans of a corpus with private words.
        process: that they were made with.
        length: tokens of a window.

    Raises:
        InputError: no span holds a whole private word.
    """
    model, bayes, names = [], [], []
    for document, start, row in zip(chosen.documents, chosen.starts, losses, strict=True):
        stop = start + chosen.target
        begin = stop - length
        found = PrivateWords.of(document.tokens[begin:stop], process)
        first = found.starts[found.inside(start - begin, length)] - (start - begin)
        model += [row[at : at + process.letters].sum() for at in first.tolist()]
        bayes.append(bayes_nats(document.tokens, process, begin=begin, first=start, stop=stop))
        names += [document.name] * len(first)
    if not names:
        raise InputError("no span holds a whole private word; give a corpus that has them, or longer spans")
    return WordLosses(np.array(model), np.concatenate(bayes), tuple(names))


def collected(short: WordLosses, long: WordLosses) -> Interval:
    """Share of what far context is worth that a model collects: its own gain over the best reader's.

    0 for a model that reads no farther than the short length, 1 for the best reader; below 0 where the longer window
    does harm. A model that is bad at both lengths alike has 0 too: give its loss beside it.

    Args:
        short, long: of the same words, in windows of the trained length and of a longer one.

    Returns:
        The ratio of sums over documents, with an interval by the jackknife over documents (Student's t).

    Raises:
        InputError: other words, fewer than three documents, or nothing to be collected.
    """
    if short.documents != long.documents:
        raise InputError("the losses are of other words; score the same spans at both lengths")
    of = np.array(short.documents)
    names = sorted(set(short.documents))
    return collected_share(
        *(_sums(x, of, names) for x in (short.model - long.model, short.bayes - long.bayes))
    )


def collected_share(
    own: Float64[np.ndarray, " documents"], best: Float64[np.ndarray, " documents"]
) -> Interval:
    """`collected`, from sums over the words of each document: what the model gains, and what the best reader gains.

    >>> found = collected_share(np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0]))
    >>> found.value, found.low == found.high
    (0.5, True)

    Args:
        own, best: nats, of the same documents.

    Raises:
        InputError: fewer than three documents, or nothing to be collected.
    """
    count = len(own)
    if count < 3:
        raise InputError(f"{count} documents give no interval to rely on; give three or more")
    if not best.sum() > 0:
        raise InputError("the longer context is worth nothing here; give a longer one, or more spans")
    value = float(own.sum() / best.sum())
    without = (own.sum() - own) / (best.sum() - best)
    pseudo = count * value - (count - 1) * without
    around = of_mean(pseudo)
    half = around.high - around.value
    return Interval(value, value - half, value + half)


def _sums(
    x: Float[np.ndarray, " words"], of: np.ndarray, names: Sequence[str]
) -> Float64[np.ndarray, " documents"]:
    return np.array([x[of == name].sum() for name in names])


# The gate of a model of `tapa train`.


def gate_of_model(
    path: Path,
    short: int | None = None,
    *,
    spans: int,
    target: int,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[str, Worth, tuple[int, int]]:
    """What context beyond a short length is worth to a trained model, on the held-out documents of its corpus.

    Args:
        path: of the model, trained at the longer length.
        short: in tokens; None for a quarter of the trained length.
        spans, target: held-out spans, and tokens of each that are scored.
        seed: of the spans.
        progress: told what is being done.

    Returns:
        The corpus, what it is worth, and both lengths in tokens.

    Raises:
        InputError: a length that is not between a target and the trained one, a corpus that has changed, or as `worth`.
    """
    found = checkpoint.read_checkpoint(path)
    long = found.config.context
    short = long // LONGER if short is None else short
    if not target < short < long:
        raise InputError(f"--short {short} is not between a span's {target} tokens and the trained {long}")
    data = checkpoint.own_corpus(found, progress)
    chosen = spans_of(data.test, long - target, target, spans, seed=seed)
    model = checkpoint.load_model(path)
    losses: dict[int, SpanLosses] = {}
    for length in (short, long):
        progress("read windows", len(losses), 2)
        read, rows = llama_reader(model, length)
        losses[length] = span_losses(read, chosen, length, rows=rows)
    sizes = data.token_bytes
    return found.recipe["corpus"], worth(losses[short], losses[long], chosen, sizes), (short, long)


def gate_text(corpus: str, found: Worth, lengths: tuple[int, int]) -> str:
    """The result of `gate_of_model` for a reader."""
    low, high = found.gain.low, found.gain.high
    return (
        f"corpus {corpus}: context from {lengths[0]} to {lengths[1]} tokens is worth {found.gain.value:.3f} "
        f"[{low:.3f}, {high:.3f}] bits a byte (standard error {found.error:.4f} over {found.documents} documents, "
        f"{found.positive} of them positive): the gate {'passes' if found.passes else 'fails'}"
    )


# Needles: fresh words, planted at known depths of a window and queried at its end.


@dataclass(frozen=True, slots=True)
class NeedleGrid:
    """How a model ends fresh words or sequences of tokens, each of which it has read once.

    A query is a word's mark and all letters but the last, which no other word of the window begins with; or all tokens
    of a sequence but the last.

    Attributes:
        hits: whether the model gave the last letter or token more than half of all probability, by window and depth;
            of a guess never.
        nats: its loss; of a guess log 26 for a letter, log of the vocabulary for a token.
        distances: from a query's last token to the needle's, in tokens.
    """

    hits: Bool[np.ndarray, "windows depths"]
    nats: Float64[np.ndarray, "windows depths"]
    distances: Int[np.ndarray, "windows depths"]


@torch.inference_mode()
def needle_grid(
    read: Read,
    chosen: Spans,
    process: PitmanYor,
    length: int,
    *,
    count: int,
    seed: int,
    depths: Sequence[float] = DEPTHS,
    rows: int = 1,
) -> NeedleGrid:
    """Needles at several depths of windows of one length, all queried at the window's end, in any order.

    Nothing has to be learned for it: the corpus is full of such words, and the windows are its own, with the words
    at the depths and the last ones exchanged.

    Args:
        read: the model, for windows of `length` bytes.
        chosen: held-out spans of a corpus with private words; a window ends where a span does.
        process: that they were made with.
        length: bytes of a window.
        count: of windows, one for each of the first spans.
        seed: of the fresh words and of the queries' order, >= 0.
        depths: in (0, 1), rising.
        rows: windows that are read at once.

    Raises:
        InputError: more windows than spans, or a window with too few private words.
    """
    planted = partial(_with_needles, process=process, depths=depths)
    return _asked(read, chosen, length, planted, count, seed, rows)


@torch.inference_mode()
def token_needles(
    read: Read,
    chosen: Spans,
    vocabulary: int,
    length: int,
    *,
    count: int,
    seed: int,
    depths: Sequence[float] = DEPTHS,
    rows: int = 1,
) -> NeedleGrid:
    """The same in a corpus without words of its own: needles are sequences of `FRESH` tokens drawn at random.

    No token of a needle stands anywhere else in its window, so that only the needle tells how a query ends: whoever
    repeats it has found it, and whoever guesses among the vocabulary never does.

    Args:
        read: the model, for windows of `length` tokens.
        chosen: held-out spans; a window ends where a span does.
        vocabulary: tokens to draw from.
        length, count, seed, depths, rows: as `needle_grid`.

    Raises:
        InputError: more windows than spans, a window with too little room or too few tokens that it does not hold.
    """
    planted = partial(_with_sequences, vocabulary=vocabulary, depths=depths)
    return _asked(read, chosen, length, planted, count, seed, rows)


Planted = tuple[np.ndarray, list[int], list[int]]
"""A window with its needles, where the last token of each stands, and where that of its query does."""


def _asked(
    read: Read,
    chosen: Spans,
    length: int,
    planted: Callable[..., Planted],
    count: int,
    seed: int,
    rows: int,
) -> NeedleGrid:
    """How a model ends the queries of the first windows, each planted with a generator of its own."""
    if count > len(chosen.starts):
        raise InputError(f"{count} windows of needles, {len(chosen.starts)} spans; ask for fewer")
    cut = chosen.cut(length - chosen.target)[:count]
    made = [
        planted(window.numpy(), rng=np.random.default_rng([seed, length, n])) for n, window in enumerate(cut)
    ]
    windows = torch.from_numpy(np.stack([data for data, *_ in made]).astype(np.int64))
    losses = torch.cat([read(part) for part in windows.split(rows)]).double().cpu().numpy()
    queries = np.array([places for _, _, places in made])
    nats = np.take_along_axis(losses, queries - 1, axis=1)
    distances = queries - np.array([places for _, places, _ in made])
    return NeedleGrid(nats < math.log(2), nats, distances)


def _with_needles(
    window: Int[np.ndarray, " bytes"], process: PitmanYor, depths: Sequence[float], rng: np.random.Generator
) -> Planted:
    """A window with a needle at each depth and its queries; where the last letters of both stand, by depth."""
    data = window.astype(np.uint8)
    found = PrivateWords.of(data, process)
    many = len(depths)
    before, asked = found.starts[:-many], found.starts[-many:]
    if len(before) < 2 * many:
        raise InputError(
            f"{len(found.starts)} private words in a window of {len(data)} bytes; {many} needles take {3 * many}"
        )
    planted = [int(before[np.abs(before - depth * asked[0]).argmin()]) for depth in depths]
    letters = process.letters
    taken = {word[:-1] for word in found.words}
    prefixes = [
        w
        for n in range(process.vocabulary // LETTERS)
        if (w := process.spelled(LETTERS * n)[:-1]) not in taken
    ]
    if len(set(planted)) < many or len(prefixes) < many:
        raise InputError(f"a window of {len(data)} bytes has no room for {many} needles; give a longer one")
    drawn = rng.choice(len(prefixes), many, replace=False)
    order = rng.permutation(many)
    for n, start in enumerate(planted):
        word = prefixes[drawn[n]] + bytes([FIRST_LETTER + int(rng.integers(LETTERS))])
        for at in (start, int(asked[order[n]])):
            data[at : at + letters] = np.frombuffer(word, np.uint8)
    last = letters - 1
    return data, [start + last for start in planted], [int(asked[order[n]]) + last for n in range(many)]


def _with_sequences(
    window: Int[np.ndarray, " tokens"], vocabulary: int, depths: Sequence[float], rng: np.random.Generator
) -> Planted:
    """A window with a needle of fresh tokens at each depth, and all of them again at its end."""
    many, data = len(depths), window.copy()
    asked = [len(data) - FRESH * (many - n) for n in range(many)]
    starts = [round(depth * asked[0]) for depth in depths]
    if np.diff([*starts, asked[0]]).min() < FRESH:
        raise InputError(f"a window of {len(data)} tokens has no room for {many} needles; give a longer one")
    free = np.setdiff1d(np.arange(vocabulary), data)
    if len(free) < FRESH * many:
        raise InputError(
            f"{len(free)} of {vocabulary} tokens are not in a window of {len(data)}; {many} needles take {FRESH * many}"
        )
    needles = rng.permutation(free)[: FRESH * many].reshape(many, FRESH)
    order = rng.permutation(many)
    for n, start in enumerate(starts):
        for at in (start, asked[order[n]]):
            data[at : at + FRESH] = needles[n]
    last = FRESH - 1
    return data, [start + last for start in starts], [asked[order[n]] + last for n in range(many)]


# Copying: a text that is read twice in one window.


@dataclass(frozen=True, slots=True)
class Copying:
    """Mean losses of the same tokens the first and the second time that they are read, nats a token."""

    first: float
    second: float

    @property
    def share(self) -> float:
        """Of its loss that a text loses the second time; 0 for a model that does not copy, 1 for one that does."""
        return 1 - self.second / self.first


@torch.inference_mode()
def copying(read: Read, chosen: Spans, length: int, *, rows: int = 1) -> Copying:
    """How well a model copies half a window from right before.

    Args:
        read: the model, for windows of `length` tokens.
        chosen: spans; the half window before each one's end is read twice.
        length: tokens of a window; half of it is longer than a span's target.
        rows: windows that are read at once.
    """
    half = length // 2
    once = chosen.cut(half - chosen.target)
    losses = torch.cat([read(part) for part in torch.cat([once, once], dim=1).split(rows)]).double()
    return Copying(float(losses[:, : half - 1].mean()), float(losses[:, half:].mean()))
