"""What a trained phase is good for: loss of a TAPA model with a part of its score taken away.

Each ablation is an intervention in the encoding (`analysis.encodings.interventions`), in all heads
or in one. A score is an amplitude times a cosine; an ablation gives another amplitude or another
cosine:

no cosine           the cosine is 1;
mean cosine         the cosine is its mean over all causal pairs of the head: no position is left, strength is kept;
cosine by distance  the cosine is its mean at that distance: distance is left, tokens have no say in it;
distance 1          every pair is as far apart as neighbours;
distance L          every pair is as far apart as the trained length;
shuffled phases     each token's phase vectors are those of a random token of another window;
mean amplitude      the amplitude is its mean over all causal pairs of the head.

Means are the model's own on the same windows. Shuffled phases come from other windows as the whole model reads them, so
that no token learns of its future, not even by way of another window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings import Encoding, PhaseEncoding
from analysis.encodings.interventions import (
    AmplitudeOnly,
    FixedDistance,
    ForeignPhases,
    InHeads,
    MeanAmplitude,
)
from analysis.errors import InputError
from analysis.heads.mean_score import pair_counts
from analysis.heads.phase import curves, factors
from analysis.models.capture import read_layers
from analysis.models.llama import Llama
from analysis.settings import nearest

KINDS = (
    "no cosine",
    "mean cosine",
    "cosine by distance",
    "distance 1",
    "distance L",
    "shuffled phases",
    "mean amplitude",
)
PER_HEAD = ("no cosine", "mean cosine", "cosine by distance", "shuffled phases")
"""What is also done to one head at a time."""
_BATCH = 8  # windows at a time; shuffled phases come from within a batch


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Of every head, over all causal pairs of the windows.

    Attributes:
        amplitude, cosine: means.
        by_distance: mean cosine at each distance 0..length-1.
    """

    amplitude: Float[Tensor, "layers heads"]
    cosine: Float[Tensor, "layers heads"]
    by_distance: Float[Tensor, "layers heads length"]


def head_means(model: Llama, tokens: Int[Tensor, "windows length"]) -> Means:
    """Means of amplitude and cosine of every head of a TAPA model."""
    length = tokens.shape[1]
    shape = len(model.attentions), model.config.heads, length
    amplitude, cosine = np.zeros(shape), np.zeros(shape)

    def add(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        assert isinstance(encoding, PhaseEncoding)
        for window in range(len(q)):
            for head, parts in enumerate(factors(encoding, q[window], k[window])):
                found = curves(parts)
                amplitude[layer, head] += found.amplitude / len(tokens)
                cosine[layer, head] += found.cosine / len(tokens)

    for batch in _batches(tokens):
        read_layers(model, batch, add)
    weight = pair_counts(length).numpy() / pair_counts(length).sum().item()
    return Means(
        *(torch.tensor(x, dtype=torch.float32) for x in (amplitude @ weight, cosine @ weight, cosine))
    )


def ablated(
    model: Llama,
    kind: str,
    means: Means,
    chosen: Bool[Tensor, "layers heads"],
    *,
    donors: Sequence[tuple[Tensor, Tensor]] = (),
    seed: int = 0,
) -> Llama:
    """A second model over the same weights, with a part of the score taken away in chosen heads.

    Args:
        model: whose heads have a phase.
        kind: one of `KINDS`.
        means: of the model, on the same windows.
        chosen: heads that it is done to; the others stay as they are.
        donors: of each layer the windows' own phase vectors, for shuffled phases; see `phase_vectors`.
        seed: of the shuffled phases.

    Raises:
        InputError: an unknown kind.
    """
    if kind not in KINDS:
        raise InputError(f"ablation {kind!r} is unknown; {nearest(kind, KINDS)}")

    def change(layer: int, encoding: Encoding) -> Encoding:
        assert isinstance(encoding, PhaseEncoding)
        if not chosen[layer].any():
            return encoding
        match kind:
            case "no cosine":
                changed: Encoding = AmplitudeOnly(encoding)
            case "mean cosine":
                changed = AmplitudeOnly(encoding, means.cosine[layer])
            case "cosine by distance":
                changed = AmplitudeOnly(encoding, means.by_distance[layer])
            case "mean amplitude":
                changed = MeanAmplitude(encoding, means.amplitude[layer])
            case "shuffled phases":
                changed = ForeignPhases(
                    encoding, *(elsewhere(part, seed * len(chosen) + layer) for part in donors[layer])
                )
            case _:
                changed = FixedDistance(encoding, 1 if kind == "distance 1" else model.config.context)
        return InHeads(encoding, changed, chosen[layer])

    return model.with_interventions(change)


def elsewhere(
    part: Float[Tensor, "batch heads length dim"], seed: int
) -> Float[Tensor, "batch heads read dim"]:
    """For each token the vectors of one token of another window, the same one for all heads.

    With one seed it is the same one for queries and keys.
    """
    windows, length = part.shape[0], part.shape[2]
    generator = torch.Generator().manual_seed(seed)
    # one token fewer than the windows have is read: the last predicts nothing
    ahead = torch.randint(1, windows, (windows, length - 1), generator=generator)
    window = (torch.arange(windows)[:, None] + ahead) % windows
    place = torch.randint(length, (windows, length - 1), generator=generator)
    return part.transpose(1, 2)[window, place].transpose(1, 2)


def phase_vectors(model: Llama, tokens: Int[Tensor, "windows length"]) -> list[tuple[Tensor, Tensor]]:
    """x and y of each layer and window, (windows, heads, length, dim): their inner product is phi."""
    found: list[tuple[Tensor, Tensor]] = []

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        assert isinstance(encoding, PhaseEncoding)
        _, _, x, y = encoding.factors(q, k.repeat_interleave(q.shape[1] // k.shape[1], dim=1))
        found.append((x, y))

    read_layers(model, tokens, take)
    return found


@torch.no_grad()
def window_losses(model: Llama, tokens: Int[Tensor, "windows length"]) -> Float64[np.ndarray, " windows"]:
    """Mean cross entropy of each window's tokens but its first, nats."""
    found = []
    for batch in _batches(tokens):
        logits = model(batch[:, :-1])
        losses = F.cross_entropy(logits.mT, batch[:, 1:], reduction="none")
        found.append(losses.double().mean(dim=1))
    return torch.cat(found).numpy()


def ablated_losses(
    model: Llama,
    tokens: Int[Tensor, "windows length"],
    kind: str,
    means: Means,
    chosen: Bool[Tensor, "layers heads"],
    *,
    seed: int = 0,
) -> Float64[np.ndarray, " windows"]:
    """Loss of each window with a part of the score taken away; the model is as before afterwards.

    Raises:
        InputError: an unknown kind, or a single window: shuffled phases have no other to come from.
    """
    if len(tokens) < 2:
        raise InputError(f"{len(tokens)} window leaves no other for shuffled phases; give at least 2")
    found = []
    for batch in _batches(tokens):
        donors = phase_vectors(model, batch) if kind == "shuffled phases" else ()
        twin = ablated(model, kind, means, chosen, donors=donors, seed=seed)
        found.append(window_losses(twin, batch))
    return np.concatenate(found)


def _batches(tokens: Int[Tensor, "windows length"]) -> tuple[Tensor, ...]:
    """Batches of about `_BATCH` windows, none of a single one if there are two."""
    return tokens.tensor_split(math.ceil(len(tokens) / _BATCH))
