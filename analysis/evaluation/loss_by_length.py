"""Loss by context length: the same targets read in windows of each length, by a named protocol.

Losses are summed for each document, so that perplexity, bits per byte and their intervals follow from a few
numbers; and for each position in the window, whether or not the protocol scores what stands there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Integer

from analysis.errors import InputError
from analysis.evaluation.protocol import NAMES as NAMES
from analysis.evaluation.protocol import Protocol as Protocol
from analysis.evaluation.protocol import Window
from analysis.evaluation.protocol import scaled_stride as scaled_stride
from analysis.models.llama import Llama
from analysis.models.token_losses import SCORES, Read, llama_reader, rows_at_once
from analysis.text.windows import Spans, begun_with
from analysis.theory.frequencies import Extension

BINS_PER_OCTAVE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What is scored of one document.

    Attributes:
        document: its name.
        tokens: the document's tokens.
        sizes: bytes of text that each token stands for.
        start, stop: tokens start .. stop - 1 are scored, 1 <= start < stop.
    """

    document: str
    tokens: Integer[np.ndarray, " size"]
    sizes: Int[np.ndarray, " size"]
    start: int
    stop: int

    def __post_init__(self) -> None:
        if len(self.sizes) != len(self.tokens):
            raise InputError(f"{self.document}: {len(self.tokens)} tokens, but {len(self.sizes)} sizes")
        if not 1 <= self.start < self.stop <= len(self.tokens):
            raise InputError(
                f"{self.document}: targets {self.start}..{self.stop} are not within 1..{len(self.tokens)}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Sums over the windows of one document at one length.

    Attributes:
        nats, tokens, text_bytes: loss of what the protocol scores, number of tokens, bytes of their text.
        position_nats, position_tokens: of all that was read, by position in the window (`position_edges`).
    """

    nats: float
    tokens: int
    text_bytes: int
    position_nats: Float[np.ndarray, " bins"]
    position_tokens: Int[np.ndarray, " bins"]


def position_edges(length: int) -> Int[np.ndarray, " edges"]:
    """Bins of positions in windows of `length` tokens, about `BINS_PER_OCTAVE` to the octave.

    Bin i is edges[i] .. edges[i + 1] - 1. A position is the number of tokens read before the one that is predicted,
    1 to length - 1.

    >>> position_edges(8).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8]
    """
    octaves = math.log2(length)
    points = 2 ** (np.arange(math.ceil(octaves * BINS_PER_OCTAVE) + 1) / BINS_PER_OCTAVE)
    edges = np.unique(np.round(points).astype(np.int64))
    return np.append(edges[edges < length], length)


def losses_by_document(
    read: Read,
    targets: Sequence[Target],
    length: int,
    protocol: Protocol,
    *,
    edges: Int[np.ndarray, " edges"],
    rows: int = 1,
    first_token: int | None = None,
) -> dict[str, Losses]:
    """Losses of each document's targets in windows of one length, documents in the order of their first targets.

    Args:
        read: the model.
        targets: of any documents.
        length: tokens of a window.
        protocol: which windows, and what of them is scored.
        edges: of the bins by position, the last not below `length`.
        rows: windows that are read at once, of one size each.
        first_token: put in the place of each window's first token (BOS, for models that were trained with it).

    Raises:
        InputError: the length does not fit the protocol, or a loss is not finite (says where).
    """
    sums = {target.document: np.zeros(3) for target in targets}
    by_position = {name: np.zeros((2, len(edges) - 1)) for name in sums}
    for batch in _batches(targets, length, protocol, rows):
        cut = np.stack([target.tokens[w.begin : w.stop] for target, w in batch]).astype(np.int64)
        losses = read(begun_with(torch.from_numpy(cut), first_token)).double().cpu().numpy()
        _check_finite(losses, batch)
        bins = np.searchsorted(edges, np.arange(1, losses.shape[1] + 1), side="right") - 1
        count = np.bincount(bins, minlength=len(edges) - 1)
        for (target, window), loss in zip(batch, losses, strict=True):
            scored = loss[window.first - window.begin - 1 :]
            size = target.sizes[window.first : window.stop].sum()
            sums[target.document] += scored.sum(), len(scored), size
            by_position[target.document] += np.bincount(bins, loss, len(edges) - 1), count
    return {
        name: Losses(
            float(nats), int(tokens), int(size), by_position[name][0], by_position[name][1].astype(int)
        )
        for name, (nats, tokens, size) in sums.items()
    }


def _batches(
    targets: Sequence[Target], length: int, protocol: Protocol, rows: int
) -> Iterator[list[tuple[Target, Window]]]:
    """Windows of one size, with their targets, at most `rows` at a time."""
    windows = ((t, window) for t in targets for window in protocol.windows(t.start, t.stop, length))
    for _, alike in groupby(windows, key=lambda pair: pair[1].size):
        batch = list(alike)
        for at in range(0, len(batch), rows):
            yield batch[at : at + rows]


def _check_finite(losses: Float[np.ndarray, "rows predictions"], batch: list[tuple[Target, Window]]) -> None:
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        row, place = map(int, bad[0])
        target, window = batch[row]
        raise InputError(
            f"the loss of token {window.begin + place + 1} of {target.document} is {losses[row, place]} "
            f"in a window of {window.size} tokens; the model cannot be evaluated at this length: give shorter ones, "
            f"or another model if it overflows at these too"
        )


def evaluate_spans(
    model: Llama,
    chosen: Spans,
    length: int,
    *,
    extension: str = "none",
    token_bytes: Int[np.ndarray, " vocab"] | None = None,
) -> dict[str, Any]:
    """What a run's record says of a model at one length: the last `target` tokens of each window are scored.

    The protocol is "sliding" with a stride as long as a target. Targets are alike at every length, for every model.

    Args:
        model: in evaluation mode.
        chosen: held-out targets; `longest` + `target` at least `length`.
        length: tokens of a window.
        extension: of RoPE at inference, its factor the length over the model's context.
        token_bytes: of each token of a vocabulary of byte pairs; None for a model of bytes.

    Returns:
        length, extension; nats by document, summed over its targets, as "nats"; bits per byte of text over all; loss by
        position in the window: mean nats of the bins of `position_edges` as "loss_by_place".

    Raises:
        InputError: a loss is not finite, or as `token_losses.llama_reader`.

    >>> from analysis.models.config import ModelConfig
    >>> from analysis.text.windows import Document, spans
    >>> model = Llama(ModelConfig(layers=1, width=16, heads=2, kv_heads=2, head_dim=8, hidden=32, context=16)).eval()
    >>> text = Document('a', np.arange(256, dtype=np.uint8))
    >>> found = evaluate_spans(model, spans([text], longest=32, target=8, count=2, seed=0), length=16)
    >>> found['length'], len(found['nats'])  # one document
    (16, 1)
    """
    context = model.config.context
    extended = Extension(extension, max(1.0, length / context), context)
    reader, _ = llama_reader(model, length, None if extended.changes_nothing else extended)
    targets = [
        Target(d.name, d.tokens, np.ones(len(d.tokens), np.int64), start, start + chosen.target)
        for d, start in zip(chosen.documents, chosen.starts, strict=True)
    ]
    edges = position_edges(length)
    found = losses_by_document(
        reader,
        targets,
        length,
        Protocol("sliding", chosen.target),
        edges=edges,
        rows=rows_at_once(model, length, SCORES),
    ).values()
    by_position = np.divide(*np.sum([(x.position_nats, x.position_tokens) for x in found], axis=0))
    nats = [x.nats for x in found]
    return {
        "length": length,
        "extension": extension,
        "nats": nats,
        "bits_per_byte": sum(nats) / (int(chosen.document_bytes(token_bytes).sum()) * math.log(2)),
        "loss_by_place": by_position.tolist(),
    }
