"""A model of `tapa train` as a checkpoint to measure: queries and keys of every layer before rotation.

The twin of `capture` for the small Llama, which hands q and k to its attention before any position is applied.
The frequencies are read from the checkpoint's configuration; every layer is checked to rotate by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from analysis.encodings import Encoding, Rope
from analysis.errors import InputError
from analysis.heads import files
from analysis.heads.capture import Consumer, LayerCapture
from analysis.heads.predicted import ROTATING, rotation
from analysis.heads.rotate import relative_difference, rotate, rounding_budget
from analysis.lm import state
from analysis.lm.attention import Attend
from analysis.lm.methods import encoding_of
from analysis.lm.model import Llama
from analysis.lm.own_corpus import Progress, own_corpus, own_tokenizer
from analysis.texts import Document


@dataclass(frozen=True, slots=True, eq=False)
class OurModel:
    """A small Llama ready to be measured.

    Attributes:
        checkpoint: what its file says of it.
        model: in evaluation mode.
        sha256: of the file.
    """

    checkpoint: state.Checkpoint
    model: Llama
    sha256: str

    @property
    def name(self) -> str:
        """For records: method, seed and steps, whatever the folder is called."""
        recipe = self.checkpoint.recipe
        method, seed = self.checkpoint.config.method.name, recipe.get("seed", "unknown")
        return f"{method}, seed {seed}, step {self.checkpoint.step}"

    @property
    def context_length(self) -> int:
        """Tokens it was trained to read."""
        return self.checkpoint.config.context

    def encode(self, text: str) -> Int[Tensor, " length"]:
        """Token ids of a text: bytes, or pairs of its own tokenizer; errors as `own_tokenizer`."""
        data, tokenizer = text.encode(), own_tokenizer(self.checkpoint)
        tokens = np.frombuffer(data, np.uint8) if tokenizer is None else tokenizer.encode(data)
        return torch.from_numpy(tokens.astype(np.int64))

    def held_out(self, progress: Progress) -> list[Document]:
        """Names and tokens of the validation documents of its corpus; errors as `own_corpus`."""
        return [(d.name, d.tokens.tolist()) for d in own_corpus(self.checkpoint, progress).validation]


def opened(path: Path) -> OurModel:
    """A model of `tapa train` whose heads rotate.

    Raises:
        InputError: as `state.load_model`; or its method does not rotate queries and keys alike: the message says
            what it does instead, and which command fits.
    """
    checkpoint = state.read_checkpoint(path)
    method = checkpoint.config.method
    if method.name not in ROTATING:
        raise InputError(f"{path} was trained with method={method.name}: {_instead(method.name, path)}")
    return OurModel(checkpoint, state.load_model(checkpoint.file), files.sha256([checkpoint.file]))


def _instead(method: str, path: Path) -> str:
    if method.startswith("tapa"):
        return f"its heads have a phase and no rotation; use `tapa phase {path}`"
    kind = (
        "its queries and keys are scaled apart as they rotate"
        if method == "xpos"
        else "its heads rotate nothing"
    )
    return f"{kind}; `tapa bias` measures mean scores by distance of every method"


def run(ours: OurModel, tokens: Int[Tensor, "batch length"], consumer: Consumer) -> None:
    """Reads windows of tokens once and hands every layer to `consumer`, in order, as the forward goes.

    Every layer is checked at every position: our rotation of the capture must be the model's own rotated q and k
    within rounding. The model is left as it was, also when the consumer raises.

    Raises:
        InputError: for ids outside the vocabulary, or a layer whose rotation is not the one its configuration
            says (names layer and relative difference).
    """
    vocabulary = ours.checkpoint.config.vocab_size
    if int(tokens.min()) < 0 or int(tokens.max()) >= vocabulary:
        raise InputError(f"a token id is outside the vocabulary of {vocabulary} of {ours.name}")
    before = ours.model.attend
    ours.model.attend = _watched(ours, consumer, before)
    try:
        with torch.inference_mode():
            ours.model(tokens)
    finally:
        ours.model.attend = before


def _watched(ours: OurModel, consumer: Consumer, attend: Attend) -> Attend:
    """The model's own attention, after a layer was checked and handed on."""
    said, _ = rotation(encoding_of(ours.checkpoint.config))
    layers: Iterator[int] = iter(range(ours.checkpoint.config.layers))

    def watching(encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor) -> Tensor:
        rope, window = rotation(encoding)
        found = LayerCapture(next(layers), q, k, said.frequencies, said.factor, None, window)
        _check(ours.name, found, rope, positions)
        consumer(found)
        return attend(encoding, q, k, v, positions)

    return watching


def _check(name: str, found: LayerCapture, rope: Rope, positions: Int[Tensor, " length"]) -> None:
    # the model forms its angles in float64, as we do: positions add no rounding
    limit = rounding_budget(found.frequencies, 0, found.q.dtype)
    for what, before in (("query", found.q), ("key", found.k)):
        ours = rotate(before.double(), positions, found.frequencies)
        difference = relative_difference(ours, rope.rotated(before, positions).double(), found.frequencies)
        if not difference <= limit:
            raise InputError(
                f"{name}: layer {found.layer}: the {what} rotated as the configuration says differs from the "
                f"model's own by {difference:.1e} relative (allowed {limit:.1e})"
            )
