"""Is context beyond a length worth anything, and does a model collect it?

A comparison of encodings beyond the trained length L tells something about far context only in a corpus where far
context is worth something. `worth` measures that with a reference model that was trained at several times L, and
`Worth.passes` is the gate: a corpus that does not pass is used for no claim of long-range use. `key_tokens` are those
whose loss under the reference falls by more than a nat with the long context (LongPPL, Fang et al. 2024, arXiv
2410.23771). Where the least loss is known (`text.recurrence`), `collected` says which share of the far context's bits
a model collects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from analysis.errors import InputError
from analysis.intervals import Interval, mean_and_error, of_mean
from analysis.models.token_losses import Read
from analysis.text.recurrence import PitmanYor, PrivateWords, bayes_nats
from analysis.text.windows import Spans

LEAST_GAIN = 0.04
"""Bits a byte that a corpus's context from L to 4L must be worth to a reference model."""
LEAST_ERRORS = 5.0
"""Standard errors over documents by which that gain must be above zero."""
KEY = 1.0
"""Nats by which a key token's loss falls with the long context."""

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
            f"a loss is not finite in windows of {length} tokens; the model cannot be evaluated there"
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
    if len(names) < 3:
        raise InputError(f"{len(names)} documents give no interval to rely on; give three or more")
    own, best = (_sums(x, of, names) for x in (short.model - long.model, short.bayes - long.bayes))
    if not best.sum() > 0:
        raise InputError("the longer context is worth nothing here; give a longer one, or more spans")
    value = float(own.sum() / best.sum())
    count = len(names)
    without = (own.sum() - own) / (best.sum() - best)
    pseudo = count * value - (count - 1) * without
    around = of_mean(pseudo)
    half = around.high - around.value
    return Interval(value, value - half, value + half)


def _sums(
    x: Float[np.ndarray, " words"], of: np.ndarray, names: Sequence[str]
) -> Float64[np.ndarray, " documents"]:
    return np.array([x[of == name].sum() for name in names])
