"""Two tokens of a text and what a TAPA head makes of them: amplitude, phase, cosine, score and attention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from analysis.encodings import Encoding, PhaseEncoding
from analysis.errors import InputError
from analysis.heads.phase import Factors, factors
from analysis.models.capture import read_layers
from analysis.models.checkpoint import load_model
from analysis.studies.phase import BYTES, chosen_indices, tapa_checkpoint

Keys = Float64[np.ndarray, " keys"]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A query and every key from the first token to the query's own.

    Attributes:
        distance: tokens.
        amplitude, phase: of each pair; the phase in turns at distance 1.
        cosine, score: of the phase at the pair's distance; amplitude times cosine.
        attention: softmax of the scores.
    """

    distance: Keys
    amplitude: Keys
    phase: Keys
    cosine: Keys
    score: Keys
    attention: Keys


@dataclass(frozen=True, slots=True, eq=False)
class ReadText:
    """A text as a model's heads read it.

    Attributes:
        text: bytes.
        heads: of each layer its heads.
        name: of the model.
        trained_length: tokens.
    """

    text: bytes
    heads: list[list[Factors]]
    name: str
    trained_length: int

    def head(self, layer: int, head: int) -> Factors:
        """One head; `InputError` names those there are."""
        chosen_indices("layer", layer, len(self.heads))
        chosen_indices("head", head, len(self.heads[layer]))
        return self.heads[layer][head]

    def row(self, layer: int, head: int, query: int) -> Row:
        """What one token makes of those before it; `InputError` for a head or token that is not there."""
        own = self.head(layer, head)
        self.check("query", query)
        a, x = own.a[query].double(), own.x[query].double()
        amplitude, phase = (
            (left * right[: query + 1].double()).sum(-1) for left, right in ((a, own.b), (x, own.y))
        )
        distance = (query - torch.arange(query + 1)).double()
        cosine = torch.cos(2 * math.pi * distance**own.alpha * phase)
        score = amplitude * cosine
        parts = (distance, amplitude, phase, cosine, score, score.softmax(dim=0))
        return Row(*(part.numpy() for part in parts))

    def check(self, what: str, place: int) -> None:
        """`InputError` unless the text has that token."""
        if not 0 <= place < len(self.text):
            raise InputError(f"{what}={place} is no token of the text; give 0 to {len(self.text) - 1}")


def heads_of_text(path: Path, text: str) -> ReadText:
    """Run a text through a model of bytes.

    Args:
        path: a checkpoint as of `studies.phase.measure_phase`.
        text: two bytes in UTF-8 at least.

    Raises:
        InputError: no TAPA model of ours, one that reads other tokens, or a text of fewer than two bytes.
    """
    checkpoint = tapa_checkpoint(path)
    data = text.encode()
    if len(data) < 2:
        raise InputError(f"a text of {len(data)} bytes has no pair of tokens; give at least 2")
    if (size := checkpoint.config.vocab_size) != BYTES:
        raise InputError(f"{path.name} reads {size} different tokens; only models of bytes are read here")
    found: list[list[Factors]] = []

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        assert isinstance(encoding, PhaseEncoding)
        found.append(factors(encoding, q[0], k[0]))

    read_layers(load_model(path), torch.tensor([list(data)]), take)
    return ReadText(data, found, path.stem, checkpoint.config.context)
