"""Which keys a head attends to, with its phase and without: what the phase is for.

A window's q and k are taken as the whole model computes them; then each head's weights are computed from them under
several conditions, so that a condition in one head changes nothing in another. The conditions of a head with a phase:

phase               the score as it is;
distance 1          every pair's phase is that of neighbours: tokens are left in the cosine, distance is not;
cosine by distance  the cosine is its mean at each distance: distance is left, tokens are not;
mean cosine         the cosine is its mean over all pairs: the same mean strength, neither distance nor tokens;
no cosine           the cosine is 1.

What the phase does to a kind of key is its weight under "phase" less that under "mean cosine": without the cosine at
all scores would be larger, and every weight with them. A head without a phase has one condition, "phase" by name.

Queries are those of a window's second half, which see at least as many tokens as half the window holds. Kinds of keys:
the query's own token, the one before it, the window's first, earlier ones (two tokens away and more) of the same byte,
those that follow an earlier one of the same byte, newlines; and, in windows that are a random segment twice, the same
place in the first copy and the one after it, which an induction head attends to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from analysis.encodings import Encoding, PhaseEncoding
from analysis.encodings.interventions import AmplitudeOnly, FixedDistance
from analysis.errors import InputError
from analysis.heads.phase_ablation import Means, head_means
from analysis.intervals import Interval, over_document_means
from analysis.models.capture import read_layers
from analysis.models.llama import Llama

CONDITIONS = ("phase", "distance 1", "cosine by distance", "mean cosine", "no cosine")
IN_TEXT = ("itself", "previous", "first", "same byte", "after same byte", "newline")
REPEATED = ("same place", "after same place")
TARGETS = IN_TEXT + REPEATED
DISTANCES = (0, 1, 2, 4, 8, 16, 32, 64)
"""First distances of the ranges that weights are summed over; the last one has no end."""
ROLE, LIFT = 0.2, 3.0
"""A head attends to a kind of key: a weight of `ROLE`, and `LIFT` times that of uniform attention."""
MOVED = 0.1
"""The phase raises, or lowers, a head's weight on a kind of key: by this much, and surely.

These three were set before any model was measured."""
_NEWLINE = ord("\n")

Rows = Float[Tensor, "windows heads rows length"]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionWeights:
    """Attention of every head, a number for each window; nan where no query of the window has such a key.

    Attributes:
        target: summed over the keys of each kind, mean over the queries that have one.
        uniform: what attention to all keys alike would give there.
        by_distance: summed over each range of `DISTANCES`, mean over queries.
        moved: half the sum of |weight - weight under "mean cosine"|, mean over queries: the share of a query's
            attention that is elsewhere for the phase.
        conditions: those that were measured.
    """

    target: Float64[np.ndarray, "conditions layers heads targets windows"]
    uniform: Float64[np.ndarray, "targets windows"]
    by_distance: Float64[np.ndarray, "conditions layers heads ranges windows"]
    moved: Float64[np.ndarray, "layers heads windows"]
    conditions: tuple[str, ...]


def repeated_segments(
    tokens: Int64[np.ndarray, "windows length"], *, seed: int
) -> Int64[np.ndarray, "windows length"]:
    """Windows of the same shape that are a segment twice; its bytes are drawn from all of `tokens`, independently.

    >>> repeated_segments(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), seed=0).shape
    (2, 4)

    Raises:
        InputError: a length that is odd.
    """
    if tokens.shape[1] % 2:
        raise InputError(f"a window of {tokens.shape[1]} tokens is no segment twice; give an even length")
    rng = np.random.default_rng(seed)
    once = rng.choice(tokens.ravel(), (len(tokens), tokens.shape[1] // 2))
    return np.concatenate([once, once], axis=1)


def attention_by_target(
    model: Llama, tokens: Int64[np.ndarray, "windows length"], repeated: Int64[np.ndarray, "windows length"]
) -> AttentionWeights:
    """Attention of every head by kind of key and by distance.

    Args:
        model: with a phase or without.
        tokens: windows of text.
        repeated: as many, of `repeated_segments`.
    """
    means = head_means(model, torch.from_numpy(tokens)) if model.config.method.is_tapa else None
    kinds = target_masks(tokens), _repeated_masks(tokens.shape)
    parts = [_measured(model, x, kind, means) for x, kind in zip((tokens, repeated), kinds, strict=True)]
    (target, by_distance, moved), (induced, _, _) = parts
    uniform = np.concatenate([_uniform(kind) for kind in kinds])
    conditions = CONDITIONS[: len(target)]
    return AttentionWeights(
        np.concatenate([target, induced], axis=3), uniform, by_distance, moved, conditions
    )


def target_masks(
    tokens: Int64[np.ndarray, "windows length"],
) -> Bool[np.ndarray, "targets windows rows length"]:
    """Which keys are of each kind of `IN_TEXT`, for the queries of the second half."""
    length = tokens.shape[1]
    query, key = np.arange(length // 2, length)[:, None], np.arange(length)
    distance = np.broadcast_to(query - key, (len(tokens), len(query), length))
    same = tokens[:, query[:, 0], None] == tokens[:, None]
    after = np.zeros_like(same)
    after[:, :, 1:] = same[:, :, :-1] & (
        distance[:, :, :-1] >= 2
    )  # the key before it is an earlier same byte
    newline = np.broadcast_to(tokens[:, None] == _NEWLINE, same.shape)
    found = (
        distance == 0, distance == 1, distance == query, same & (distance >= 2), after, newline & (distance >= 1)
    )  # fmt: skip
    return np.stack(found)


def _repeated_masks(shape: tuple[int, ...]) -> Bool[np.ndarray, "targets windows rows length"]:
    """The same place in the first copy, and the one after it."""
    windows, length = shape
    query, key = np.arange(length // 2, length)[:, None], np.arange(length)
    apart = np.broadcast_to(query - key, (windows, length // 2, length))
    return np.stack([apart == length // 2, apart == length // 2 - 1])


def _uniform(
    kinds: Bool[np.ndarray, "targets windows rows length"],
) -> Float64[np.ndarray, "targets windows"]:
    length = kinds.shape[-1]
    seen = np.arange(length // 2, length) + 1
    return _over_queries(kinds.sum(axis=-1) / seen, kinds)


def _over_queries(
    values: Float64[np.ndarray, "*head targets windows rows"],
    kinds: Bool[np.ndarray, "targets windows rows length"],
) -> Float64[np.ndarray, "*head targets windows"]:
    """Mean over the queries that have a key of the kind."""
    having = kinds.any(axis=-1)
    total, count = (values * having).sum(axis=-1), having.sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _measured(
    model: Llama, tokens: np.ndarray, kinds: np.ndarray, means: Means | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`target`, `by_distance` and `moved` of `AttentionWeights`."""
    length = tokens.shape[1]
    ranges = (
        np.searchsorted(DISTANCES, np.arange(length // 2, length)[:, None] - np.arange(length), "right") - 1
    )
    target: list[np.ndarray] = []
    by_distance: list[np.ndarray] = []
    moved: list[np.ndarray] = []

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        found = [
            second_half_weights(one, q, k).double().numpy() for one in _conditions(layer, encoding, means)
        ]
        each = [np.einsum("whrl,twrl->htwr", x, kinds) for x in found]
        target.append(np.stack([_over_queries(x, kinds) for x in each]))
        mass = [[np.where(ranges == r, x, 0).sum(axis=-1).mean(axis=-1).T for r in range(len(DISTANCES))]
                for x in found]  # fmt: skip
        by_distance.append(np.array(mass).transpose(0, 2, 1, 3))
        plain = found[CONDITIONS.index("mean cosine")] if means is not None else found[0]
        moved.append(np.abs(found[0] - plain).sum(axis=-1).mean(axis=-1).T / 2)

    read_layers(model, torch.from_numpy(tokens), take, entropies=False)
    return np.stack(target, axis=1), np.stack(by_distance, axis=1), np.stack(moved)


def _conditions(layer: int, encoding: Encoding, means: Means | None) -> list[Encoding]:
    """The layer's encoding under each condition, in their order."""
    if means is None:
        return [encoding]
    assert isinstance(encoding, PhaseEncoding)
    cosines = (means.by_distance[layer], means.cosine[layer], None)
    return [encoding, FixedDistance(encoding, 1), *(AmplitudeOnly(encoding, cosine) for cosine in cosines)]


@torch.no_grad()
def second_half_weights(
    encoding: Encoding,
    q: Float[Tensor, "windows heads length dim"],
    k: Float[Tensor, "windows kv_heads length dim"],
) -> Rows:
    """Causal attention weights of the queries of the second half."""
    length = q.shape[2]
    rows, columns = torch.arange(length // 2, length), torch.arange(length)
    served = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    scores = encoding.scores(q[:, :, rows], served, rows, columns)
    return scores.masked_fill(rows[:, None] < columns, -torch.inf).softmax(dim=-1)


# What is said of a head.


def over_present_documents(values: Float64[np.ndarray, " windows"], documents: Sequence[str]) -> Interval:
    """Mean and interval over the documents whose windows have a value; nan where none has."""
    there = np.isfinite(values)
    if not there.any():
        return Interval(*[float("nan")] * 3)
    return over_document_means(values[there], [d for d, kept in zip(documents, there, strict=True) if kept])


def attends_to(weight: float, uniform: float) -> bool:
    """Is this kind of key what the head attends to?"""
    return weight >= ROLE and weight >= LIFT * uniform


def phase_moves(shift: Interval) -> int:
    """1 if the phase raises the weight on a kind of key, -1 if it lowers it, 0 if neither is sure and large."""
    if shift.value >= MOVED and shift.low > 0:
        return 1
    return -1 if shift.value <= -MOVED and shift.high < 0 else 0


def phase_shifts(
    found: AttentionWeights, documents: Sequence[str], layer: int, head: int
) -> Mapping[str, Interval]:
    """What the phase adds to a head's weight on each kind of key; interval over documents."""
    of, plain = (found.conditions.index(name) for name in ("phase", "mean cosine"))
    difference = found.target[of, layer, head] - found.target[plain, layer, head]
    return {name: over_present_documents(difference[t], documents) for t, name in enumerate(TARGETS)}
