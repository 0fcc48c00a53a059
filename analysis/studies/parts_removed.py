"""What the loss of a small model owes to each part of its heads' scores: distance, pair, interaction.

All heads lose a part at once, by an intervention in the encoding of each layer (`encodings.score_parts`). Parts are
those of `heads.anova` with octaves of distance alike within the trained length L: the pair part is a pair's mean over
the distances 1 .. L - 1, the distance part the mean over pairs of validation text at each distance, up to the longest
that is evaluated. So a model that has lost its interaction attends by content plus a bias, as ALiBi does, at every
length.

Controls change as much and nothing that belongs to the pair: the distance part in another order of distances, scaled to
the same variance; the pair part or the interaction of a query with a key of another window, subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from analysis.encodings import Encoding, SlidingWindow
from analysis.encodings.interventions import Shifted
from analysis.encodings.score_parts import DistanceMean, ForeignParts, KeptParts
from analysis.heads.anova import Design, PairMeans, curves_by_text
from analysis.intervals import over_documents
from analysis.models.llama import Llama
from analysis.studies.equal_dose import read_scored
from analysis.text.corpus import Corpus
from analysis.text.windows import Spans, spans

PLAIN = "as it is"
KEPT: Mapping[str, tuple[str, ...]] = {
    "no distance part": ("pair", "interaction"),
    "no pair part": ("distance", "interaction"),
    "no interaction": ("distance", "pair"),
    "pair part alone": ("pair",),
    "distance part alone": ("distance",),
}
"""Interventions by the parts that they keep."""
SHUFFLED = "control: distance part shuffled"
FOREIGN: Mapping[str, str] = {
    "control: foreign pair part": "pair",
    "control: foreign interaction": "interaction",
}
"""Controls by the part of foreign pairs that they subtract."""
INTERVENTIONS = (PLAIN, *KEPT, SHUFFLED, *FOREIGN)
MULTIPLES = (1, 2, 4, 8)
"""Lengths at which losses are taken, over the trained length."""
TARGET = 64  # scored tokens of a span, at most; half the trained length if that is less
ROWS = 512  # queries at a time: many phases at once are interpolated
_BATCH = 8  # spans at a time

Numbers = dict[str, Any]


@dataclass(frozen=True, eq=False)
class LayerParts:
    """The parts of one layer's scores.

    Attributes:
        mean: of the pairs, over the distances within L.
        effect: a(d) of each head, at every distance that is evaluated.
        level: g of each head.
        shuffled: the effect in another order, within L and beyond, of the same variance within.
    """

    mean: DistanceMean
    effect: Float[Tensor, "heads distances"]
    level: Float[Tensor, " heads"]
    shuffled: Float[Tensor, "heads distances"]


def layer_parts(
    encoding: Encoding, found: PairMeans, over: Design, name: str, trained_length: int, *, seed: int
) -> LayerParts:
    """The parts of one layer, from means over the pairs of texts.

    Args:
        encoding: of the layer; of a sliding window what lies inside.
        found: of its heads.
        over: distances 0 .. the longest evaluated.
        name: of the weights of the distances within L.
        trained_length: L.
        seed: of the shuffled distances, the same for all heads.
    """
    weight = over.weights[name]
    curve = curves_by_text(found).mean(axis=0)
    level = curve @ weight
    effect = curve - level[:, None]
    order = np.arange(len(weight))
    rng = np.random.default_rng(seed)
    for part in (slice(0, trained_length), slice(trained_length, None)):
        order[part] = rng.permutation(order[part])
    shuffled = effect[:, order]
    shuffled = shuffled - (shuffled @ weight)[:, None]
    sizes = np.sqrt(np.square(effect) @ weight), np.sqrt(np.square(shuffled) @ weight)
    scale = np.divide(*sizes, out=np.zeros_like(sizes[0]), where=sizes[1] > 0)
    used = np.flatnonzero(weight)
    mean = DistanceMean(
        encoding, torch.from_numpy(over.distances[used]).long(), torch.from_numpy(weight[used])
    )
    numbers = (torch.from_numpy(x).float() for x in (effect, level, shuffled * scale[:, None]))
    return LayerParts(mean, *numbers)


def changed_encoding(kind: str, parts: LayerParts) -> Encoding:
    """The encoding of a layer under one of `INTERVENTIONS` but the first."""
    own = parts.mean, parts.effect, parts.level
    if kind == SHUFFLED:
        return Shifted(parts.mean.encoding, -parts.shuffled)
    if kind in FOREIGN:
        return ForeignParts(*own, **{FOREIGN[kind]: True})
    return KeptParts(*own, **dict.fromkeys(KEPT[kind], True))


def changed_model(model: Llama, kind: str, parts: Mapping[int, LayerParts]) -> Llama:
    """A second model over the same weights under one of `INTERVENTIONS`; its sliding windows stay."""
    if kind == PLAIN:
        return model

    def change(layer: int, encoding: Encoding) -> Encoding:
        changed = changed_encoding(kind, parts[layer])
        return SlidingWindow(changed, encoding.window) if isinstance(encoding, SlidingWindow) else changed

    return model.with_interventions(change)


def losses(model: Llama, chosen: Spans, length: int) -> tuple[Float64[np.ndarray, " spans"], float]:
    """Loss of each span's targets, summed, in windows of one length, nats; and their weight on keys L or more away."""
    whole = chosen.cut(length - chosen.target)
    # of two windows or more none is read alone: foreign pairs need another
    found = read_scored(model, whole, chosen.target, model.config.context, batch=_BATCH, block=ROWS)
    return found.nats, float(found.far.mean())


def validation_bits(model: Llama, data: Corpus, *, count: int, seed: int) -> float:
    """Loss at the trained length on spans of the validation split, bits per token: whether a model has learned."""
    target = min(TARGET, model.config.context // 2)
    chosen = spans(data.validation, model.config.context - target, target, count, seed=seed)
    nats, _ = losses(model, chosen, model.config.context)
    return float(nats.sum() / (len(nats) * target * math.log(2)))


def removed(
    model: Llama, parts: Mapping[int, LayerParts], data: Corpus, *, count: int, seed: int
) -> list[Numbers]:
    """Losses of one model under each of `INTERVENTIONS` at each of `MULTIPLES` of its trained length, on one text.

    Args:
        model: trained at `model.config.context` tokens, L.
        parts: of each layer, measured on other text, up to the longest length.
        data: its corpus, of which the test split is scored.
        count: spans, >= 2, read several at once.
        seed: of their places and of the bootstrap.

    Returns:
        For each: intervention, multiple, bits_per_byte, far_mass, and change, the loss less that of the model as it is
        at the same length, with the ends of its interval over documents.
    """
    trained = model.config.context
    target = min(TARGET, trained // 2)
    chosen = spans(data.test, MULTIPLES[-1] * trained - target, target, count, seed=seed)
    names = np.array([document.name for document in chosen.documents])
    token_bytes = data.token_bytes
    by_document = dict(zip(chosen.names, chosen.document_bytes(token_bytes), strict=True))
    sizes = np.array([by_document[d] for d in sorted(by_document)], dtype=np.float64)
    found: list[Numbers] = []
    for multiple in MULTIPLES:
        plain: Float64[np.ndarray, " spans"] | None = None
        for kind in INTERVENTIONS:
            nats, far = losses(changed_model(model, kind, parts), chosen, multiple * trained)
            plain = nats if plain is None else plain
            change = np.array([(nats - plain)[names == d].sum() for d in sorted(by_document)])
            interval = over_documents(change, sizes, seed=seed).times(1 / math.log(2))
            found.append(
                {
                    "intervention": kind,
                    "multiple": multiple,
                    "bits_per_byte": float(nats.sum() / sizes.sum() / math.log(2)),
                    "far_mass": far,
                    "change": interval.value,
                    "change_low": interval.low,
                    "change_high": interval.high,
                }
            )
    return found
