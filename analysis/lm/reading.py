"""What a run's record says of a model's reading: loss by context length on the same held-out targets, and by place.

The protocol is "sliding" with a stride as long as a target: of a window of `length` tokens its last `target` are
scored. Targets are the same at every length, for every model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn import functional as F

from analysis.lm.methods import encoding_of, extended
from analysis.lm.model import Llama
from analysis.lm.text import Spans

BINS_PER_OCTAVE = 4
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
