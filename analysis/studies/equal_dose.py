"""Interventions beyond the trained length L of a small model, each with the dose that it gives.

The dose of an intervention is the far mass: the share of attention that the scored queries give to keys L or more
tokens away, mean over heads and layers. Whatever lowers far scores lowers it, so a loss that is recovered says nothing
of the shape of what was taken away unless as much far mass is taken away in another shape.

The plan, committed before any of these numbers was looked at:

models      RoPE, half-rotated RoPE, TAPA, ALiBi and NoPE with five seeds each, as far as their training is done in
            time, and the other committed models with their one seed, at the learning rate that validation chose.
scored      64 spans of 64 bytes of the test split, all read at 2 L and at 8 L; means over documents' tokens.
primary     at 8 L, for RoPE and for half-rotated RoPE each: recovered share of holding the mean score less that of
            one constant for all heads (in standard deviations of each head's scores within L) that is found by
            bisection on validation text so that its far mass is that of holding. Mean over seeds, Student's t. The
            shape of the bias is said to matter at equal dose only where the interval leaves zero out.
matched     the far masses of the two on validation text differ by at most `TOLERANCE`; a seed in which they differ by
            more than `TOLERANCE_ON_TEST` on the test text counts as not matched, and results are given with and
            without it.
sufficient  at 8 L, loss with distances clamped and the mean score's departure added, less that with distances
            clamped: the departure is said to suffice where the interval over seeds is above zero; the share is of
            what is lost unclamped beyond clamped.
excluded    runs that did not learn (`has_learned`); results are given with and without them.
dose        Spearman's correlation of far mass as it is with the rise of the loss from L to 8 L, over all runs.

Everything else is secondary: it is described, not tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.nn import functional as F

from analysis.encodings import Encoding, Rope
from analysis.heads.bias_interventions import (
    CLAMPED,
    MATCHED,
    MATCHED_HEADS,
    PREDICTED,
    Curves,
    HeadValues,
    dose_of_weights,
    intervention,
    match_dose,
    match_heads,
)
from analysis.intervals import over_documents
from analysis.models.attention import Attend
from analysis.models.llama import Block, Llama
from analysis.models.methods import encoding_of, extended
from analysis.text.windows import Spans
from analysis.theory.frequencies import Frequencies

MARGIN = 0.25  # bits per token
TOLERANCE, TOLERANCE_ON_TEST = 0.005, 0.05  # far mass


def has_learned(validation_loss: float, bigram_bits: float) -> bool:
    """Whether a run is better at L than the bigram model of its corpus by at least `MARGIN`.

    A run that is not makes next to no use of context, so that what it loses beyond L says nothing of position.

    >>> has_learned(2.0, 3.6), has_learned(2.4, 3.6)  # 2.89 and 3.46 bits
    (True, False)

    Args:
        validation_loss: at the trained length, nats per token.
        bigram_bits: of `analysis.text.corpus.bigram_bits`, bits per token.
    """
    return validation_loss / math.log(2) <= bigram_bits - MARGIN


SCORED = 64  # tokens of a span, at most; half the trained length if that is less
TOTAL = 64 * 1024  # tokens that are read at the longest length, all spans together
MATCHING = 16  # windows of validation text in which far masses are matched
TESTED = (
    "plain", "hold", "matched-constant", "shuffled", "clamp", "clamp-departure", "clamp-constant", "mask", "mask-sink",
    "hold-but-sink", "hold-sink-only", "constant -1", "constant -1.5", "constant -2",
)  # fmt: skip
"""Of every run at the longest length; a constant is in standard deviations of each head's scores."""
DESCRIBED = (
    "matched-heads", "swapped", "hold-average", "hold-rebound-heads", "hold-random-heads", "length-corrected",
    "hold-predicted", "hold-fast", "hold-slow", "yarn",
)  # fmt: skip
"""Of runs with seed 0 alone, in addition."""
BRIEF = ("plain", "hold", "matched-constant", "shuffled", "clamp", "mask")
"""At twice the trained length."""
KINDS = (*TESTED, *DESCRIBED)
CONTRASTS = {
    "shape": ("hold", "matched-constant"),
    "shape in each head": ("hold", "matched-heads"),
    "own distances": ("hold", "shuffled"),
    "own heads": ("hold", "swapped"),
    "departure": ("clamp", "clamp-departure"),
    "departure beyond its dose": ("clamp-constant", "clamp-departure"),
    "sink": ("hold", "hold-but-sink"),
    "sink attended": ("mask-sink", "mask"),
    "rebounding heads": ("hold-rebound-heads", "hold-random-heads"),
}
"""One intervention less another: the first is the primary endpoint, "departure" the test of sufficiency."""
BLOCK, BATCH = 128, 2  # queries and windows at a time
CLAMPING = ("clamp", *CLAMPED)
ROTATING_ONLY = (*PREDICTED, "yarn")

TARGETS = {**MATCHED, **MATCHED_HEADS}

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredReading:
    """What a model does at the last tokens of some windows.

    Attributes:
        nats: loss of each window's scored tokens, summed.
        far, opening, entropy: of the attention of their queries, mean over queries, heads and layers of each window:
            mass on keys L or more tokens away, mass on the first keys of the window, entropy in nats.
        far_by_head: far mass of each head, mean over windows and queries.
    """

    nats: Float64[np.ndarray, " windows"]
    far: Float64[np.ndarray, " windows"]
    opening: Float64[np.ndarray, " windows"]
    entropy: Float64[np.ndarray, " windows"]
    far_by_head: HeadValues


@dataclass(eq=False)
class ScoredAttention:
    """Attention in a model's place that measures where the weights of the last queries lie; see `attention.Attend`.

    Attributes:
        trained_length: L.
        scored: last queries of a window.
        layers: of the model; in the last of them only the scored queries attend, the others mix nothing.
        block: queries at a time.
        found: of each call far mass, mass on the first keys and entropy, (3, windows, heads), mean over the queries.
    """

    trained_length: int
    scored: int
    layers: int
    block: int = BLOCK
    found: list[Float64[Tensor, "3 windows heads"]] = field(default_factory=list)

    def __call__(
        self, encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor, layer: int
    ) -> Tensor:
        group, length = q.shape[1] // k.shape[1], q.shape[2]
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        encoding, q, k = encoding.placed(q, k, positions)
        first = length - self.scored
        mixed = q.new_zeros(*q.shape[:3], v.shape[-1])
        starts = [] if layer == self.layers - 1 else range(0, first, self.block)
        for start, stop in [*((s, min(s + self.block, first)) for s in starts), (first, length)]:
            at, before = positions[start:stop], positions[:stop]
            scores = encoding.scores(q[:, :, start:stop], k[:, :, :stop], at, before)
            weights = scores.masked_fill(at[:, None] < before, -math.inf).softmax(dim=-1)
            mixed[:, :, start:stop] = weights @ v[:, :, :stop]
        found = dose_of_weights(weights.double(), at, before, self.trained_length)
        self.found.append(found.mean(dim=-1))
        return mixed


@torch.inference_mode()
def read_scored(
    model: Llama,
    tokens: Int[Tensor, "windows length"],
    scored: int,
    trained_length: int,
    *,
    batch: int = BATCH,
    block: int = BLOCK,
) -> ScoredReading:
    """Loss and attention at the last `scored` tokens of windows, each predicted from all before it.

    The last layer computes what they need and no more. Windows are read `batch` at a time at most, in parts of sizes
    that differ by one at most, and `block` queries at a time.
    """
    nats, doses = [], []
    for part in tokens.tensor_split(math.ceil(len(tokens) / batch)):
        attend = ScoredAttention(trained_length, scored, len(model.blocks), block)
        losses = F.cross_entropy(
            _scored_logits(model, part[:, :-1], scored, attend).mT, part[:, -scored:], reduction="none"
        )
        nats.append(losses.double().sum(dim=1))
        doses.append(torch.stack(attend.found, dim=1))  # 3, layers, windows, heads
    found = torch.cat(doses, dim=2)
    far, opening, entropy = found.mean(dim=(1, 3)).numpy()
    return ScoredReading(torch.cat(nats).numpy(), far, opening, entropy, found[0].mean(dim=1).numpy())


def _scored_logits(
    model: Llama, tokens: Int[Tensor, "windows length"], scored: int, attend: Attend
) -> Float[Tensor, "windows scored vocab"]:
    """Logits of the last places, float32."""
    positions = torch.arange(tokens.shape[1])
    x = model.embedding(tokens)
    *before, last = model.blocks
    for block in before:
        x = block(x, positions, attend)
    assert isinstance(last, Block)
    x = (x + last.attention(last.attention_norm(x), positions, attend))[:, -scored:]
    x = x + last.feed_forward(last.feed_forward_norm(x))
    return F.linear(model.norm(x), model.embedding.weight)


@dataclass(frozen=True, slots=True, eq=False)
class IntervenedModel:
    """A model with all that its interventions need.

    Attributes:
        model: trained at `curves.trained_length` tokens.
        curves: of its heads, from validation text.
        matching: spans of validation text in which far masses are matched.
        chosen: spans of the test text that are scored.
        seed: of the interventions that draw.
        token_bytes: of each token of a vocabulary of byte pairs; None for a model of bytes.
    """

    model: Llama
    curves: Curves
    matching: Spans
    chosen: Spans
    seed: int
    token_bytes: Int[np.ndarray, " vocab"] | None = None

    def read(
        self, kind: str, length: int, text: Spans, constant: float | HeadValues | None = None
    ) -> ScoredReading:
        """Spans of a text at one length, the model's scores changed beyond L."""
        change = intervention(
            kind.partition(" ")[0], self.curves, length,
            seed=self.seed, constant=constant, extended=self._extended(kind, length),
        )  # fmt: skip
        tokens = text.cut(length - text.target)
        return read_scored(
            self.model.with_interventions(change), tokens, text.target, self.curves.trained_length
        )

    def _extended(self, kind: str, length: int) -> Frequencies | None:
        if kind != "yarn":
            return None
        own = encoding_of(extended(self.model.config, "yarn", length / self.curves.trained_length))
        assert isinstance(own, Rope)
        return own.frequencies

    def matched(self, kind: str, length: int, target: ScoredReading) -> float | HeadValues:
        """The constant of a matched intervention, in sd, from validation text; `target` is whose far mass it gets."""

        def far_by_head(constant: float | HeadValues) -> HeadValues:
            return self.read(kind, length, self.matching, constant).far_by_head

        if kind in MATCHED_HEADS:
            return match_heads(far_by_head, target.far_by_head, self.curves.spread, tolerance=TOLERANCE)
        wanted = float(target.far_by_head.mean())
        return match_dose(lambda a: float(far_by_head(a).mean()), wanted, tolerance=TOLERANCE)[0]


def compare_interventions(
    subject: IntervenedModel, lengths: Sequence[int], *, described: bool
) -> list[Numbers]:
    """Losses and doses of a model's spans as they are at L, and under every intervention at longer lengths.

    Args:
        subject: of the model.
        lengths: beyond L, ascending; `BRIEF` at all but the last.
        described: whether `DESCRIBED` is read too.

    Returns:
        For L as the model is, and for each longer length and kind: nats of each document; bits_per_byte at L
        (`trained`), as the model is (`plain`) and `altered`; back, bits per byte that are recovered, and share, of
        those lost from L on, with their intervals over documents (share is None unless every document lost
        something); far_mass, opening_mass, entropy; far_by_head; constant, in sd, where there is one.
    """
    kinds = TESTED + (DESCRIBED if described else ())
    encodings = [attention.encoding for attention in subject.model.attentions]
    if not all(encoding.relative and not encoding.path_dim for encoding in encodings):
        kinds = tuple(kind for kind in kinds if kind not in CLAMPING)  # no pair stands for one L - 1 apart
    if subject.curves.predicted is None:
        kinds = tuple(kind for kind in kinds if kind not in ROTATING_ONLY)
    trained = subject.curves.trained_length
    tokens = subject.chosen.cut(trained - subject.chosen.target)
    at_trained = read_scored(subject.model, tokens, subject.chosen.target, trained)
    found = [{"kind": "plain", "length": trained} | _cell(subject, at_trained, at_trained, at_trained)]
    for length in lengths:
        plain = None
        matching: dict[str, ScoredReading] = {}  # of what constants are matched to
        for kind in kinds if length == lengths[-1] else (kind for kind in BRIEF if kind in kinds):
            constant = _constant(subject, kind, length, matching)
            reading = subject.read(kind, length, subject.chosen, constant)
            plain = plain or reading  # the first of them all
            cell = {"kind": kind, "length": length} | _cell(subject, at_trained, plain, reading)
            if constant is not None:
                cell["constant"] = np.asarray(constant).tolist()
            found.append(cell)
    return found


def _constant(
    subject: IntervenedModel, kind: str, length: int, matching: dict[str, ScoredReading]
) -> float | HeadValues | None:
    name, _, number = kind.partition(" ")
    if name == "constant":
        return float(number)
    if name not in TARGETS:
        return None
    target = TARGETS[name]
    if target not in matching:
        matching[target] = subject.read(target, length, subject.matching)
    return subject.matched(name, length, matching[target])


def _cell(
    subject: IntervenedModel, trained: ScoredReading, plain: ScoredReading, altered: ScoredReading
) -> Numbers:
    """Sums over documents, what is recovered of them, and the doses."""
    names = np.array([document.name for document in subject.chosen.documents])
    documents = subject.chosen.names
    readings = {"trained": trained, "plain": plain, "altered": altered}
    nats = {key: np.array([one.nats[names == d].sum() for d in documents]) for key, one in readings.items()}
    sizes = subject.chosen.document_bytes(subject.token_bytes)
    back, lost = nats["plain"] - nats["altered"], nats["plain"] - nats["trained"]
    share = over_documents(back, lost, seed=subject.seed) if (lost > 0).all() else None
    return {
        "nats": nats["altered"].tolist(),
        "bits_per_byte": {key: float(x.sum() / sizes.sum() / math.log(2)) for key, x in nats.items()},
        "back": over_documents(back, sizes, seed=subject.seed).times(1 / math.log(2)).ends(),
        "share": None if share is None else share.ends(),
        "far_mass": float(altered.far.mean()),
        "opening_mass": float(altered.opening.mean()),
        "entropy": float(altered.entropy.mean()),
        "far_by_head": altered.far_by_head.tolist(),
    }
