"""Loss by context length: the same targets read in windows of each length, by a named protocol.

Losses are summed for each document, so that perplexity, bits per byte and their intervals follow from a few
numbers; and for each place in the window, whether or not the protocol scores what stands there.
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
from torch.nn import functional as F

from analysis.errors import InputError
from analysis.evaluation.protocol import NAMES as NAMES
from analysis.evaluation.protocol import Protocol as Protocol
from analysis.evaluation.protocol import scaled_stride as scaled_stride
from analysis.models.llama import Llama, encoding_of, extended
from analysis.models.token_losses import Read
from analysis.text.windows import Spans

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
        position_nats, position_tokens: of all that was read, by place in the window (`position_edges`).
    """

    nats: float
    tokens: int
    text_bytes: int
    position_nats: Float[np.ndarray, " bins"]
    position_tokens: Int[np.ndarray, " bins"]


def position_edges(length: int) -> Int[np.ndarray, " edges"]:
    """Bins of places in windows of `length` tokens, about `BINS_PER_OCTAVE` to the octave: bin i is edges[i] ..

    edges[i + 1] - 1. A place is the number of tokens read before the one that is predicted, 1 to length - 1.
    """
    octaves = math.log2(length)
    points = 2 ** (np.arange(math.ceil(octaves * BINS_PER_OCTAVE) + 1) / BINS_PER_OCTAVE)
    edges = np.unique(np.round(points).astype(np.int64))
    return np.append(edges[edges < length], length)


def score(
    read: Read,
    targets: Sequence[Target],
    length: int,
    protocol: Protocol,
    *,
    edges: Int[np.ndarray, " edges"],
    rows: int = 1,
    first_token: int | None = None,
) -> Losses:
    """Losses of one document's targets in windows of one length.

    Args:
        read: the model.
        targets: of one document.
        length: tokens of a window.
        protocol: which windows, and what of them is scored.
        edges: of the bins by place, the last not below `length`.
        rows: windows that are read at once, of one size each.
        first_token: put in the place of each window's first token (BOS, for models that were trained with it).

    Raises:
        InputError: the length does not fit the protocol, or a loss is not finite (says where).
    """
    nats, tokens, text_bytes = 0.0, 0, 0
    by_place = np.zeros((2, len(edges) - 1))
    for target, windows in _batches(targets, length, protocol, rows):
        cut = np.stack([target.tokens[w.begin : w.stop] for w in windows]).astype(np.int64)
        if first_token is not None:
            cut[:, 0] = first_token
        losses = read(torch.from_numpy(cut)).double().cpu().numpy()
        _check_finite(losses, target, windows)
        for window, loss in zip(windows, losses, strict=True):
            scored = slice(window.first, window.stop)
            nats += float(loss[window.first - window.begin - 1 :].sum())
            tokens += window.stop - window.first
            text_bytes += int(target.sizes[scored].sum())
        bins = np.searchsorted(edges, np.arange(1, losses.shape[1] + 1), side="right") - 1
        by_place[0] += np.bincount(bins, losses.sum(axis=0), len(edges) - 1)
        by_place[1] += np.bincount(bins, minlength=len(edges) - 1) * len(losses)
    return Losses(nats, tokens, text_bytes, by_place[0], by_place[1].astype(np.int64))


def _batches(
    targets: Sequence[Target], length: int, protocol: Protocol, rows: int
) -> Iterator[tuple[Target, list[Window]]]:
    """Windows of one size out of one target, at most `rows` at a time."""
    for target in targets:
        windows = protocol.windows(target.start, target.stop, length)
        for _, alike in groupby(windows, key=lambda window: window.size):
            batch = list(alike)
            for at in range(0, len(batch), rows):
                yield target, batch[at : at + rows]


def _check_finite(
    losses: Float[np.ndarray, "rows predictions"], target: Target, windows: list[Window]
) -> None:
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        row, place = map(int, bad[0])
        raise InputError(
            f"the loss of token {windows[row].begin + place + 1} of {target.document} is {losses[row, place]} "
            f"in a window of {windows[row].size} tokens; the model cannot be evaluated at this length"
        )


# What a run's record says of a model's reading: loss by context length on the same held-out targets, and by
# place.
#
# The protocol is "sliding" with a stride as long as a target: of a window of `length` tokens its last
# `target` are scored. Targets are the same at every length, for every model.


SCORES = 2**21  # numbers in the largest array of scores


def read(model: Llama, chosen: Spans, length: int, *, extension: str = "none") -> dict[str, Any]:
    """Losses of a model in windows of one length, fit for JSON.

    Args:
        model: in evaluation mode.
        chosen: held-out targets; `longest` + `target` at least `length`.
        length: tokens of a window.
        extension: of RoPE at reading, its factor the length over the model's context.

    Returns:
        length, extension; nats by document, summed over its targets, as "nats"; bits per byte over all; loss by
        place in the window: mean nats of the bins of `place_edges` as "loss_by_place".

    Raises:
        FloatingPointError: a loss is not finite.
    """
    if extension != "none" and length > model.config.context:
        config = extended(model.config, extension, length / model.config.context)
        model = model.with_encoding(encoding_of(config))
    losses = _losses(model, chosen.cut(length - chosen.target), length)
    if not np.isfinite(losses).all():
        raise FloatingPointError(f"a loss is not finite in windows of {length} tokens")
    names = document_names(chosen)
    scored = losses[:, -chosen.target :].sum(axis=1)
    nats = [float(scored[[d.name == name for d in chosen.documents]].sum()) for name in names]
    edges = place_edges(length)
    by_place = np.add.reduceat(losses.mean(axis=0), edges[:-1] - 1) / np.diff(edges)
    return {
        "length": length,
        "extension": extension,
        "nats": nats,
        "bits_per_byte": float(scored.sum()) / (len(scored) * chosen.target * math.log(2)),
        "loss_by_place": by_place.tolist(),
    }


def document_names(chosen: Spans) -> list[str]:
    """Documents in the order in which `read` lists their sums."""
    return list(dict.fromkeys(document.name for document in chosen.documents))


def place_edges(length: int) -> Int[np.ndarray, " edges"]:
    """Bins of places, about four to the octave: bin i is edges[i] .. edges[i + 1] - 1.

    A place is the number of tokens read before the one that is predicted, 1 to length - 1.
    """
    octaves = math.log2(length)
    points = 2 ** (np.arange(math.ceil(octaves * BINS_PER_OCTAVE) + 1) / BINS_PER_OCTAVE)
    edges = np.unique(np.round(points).astype(np.int64))
    return np.append(edges[edges < length], length)


@torch.inference_mode()
def _losses(
    model: Llama, tokens: Int[torch.Tensor, "rows length"], length: int
) -> Float[np.ndarray, "rows predictions"]:
    rows = max(1, SCORES // (model.config.heads * length**2))
    parts = [
        F.cross_entropy(model(part[:, :-1]).mT, part[:, 1:], reduction="none") for part in tokens.split(rows)
    ]
    return torch.cat(parts).double().numpy()
