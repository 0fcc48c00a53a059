"""Interventions: changes of an encoding's score, each a small class that wraps an encoding and is one.

What a head loses when a part of its score is altered is measured by giving its layer such an encoding
(`Llama.with_interventions`); no attention of its own is needed. Scores of queries before their keys, which causal
attention never reads, are left as they are or without meaning.

Shifted         a number for each head and distance is added, such as minus a measured mean score;
Clamped         pairs from a distance on score as if one token less than that apart;
FixedDistance   every pair scores as if equally far apart;
AmplitudeOnly   TAPA's cosine is replaced: by 1, by a number for each head, or for each head and distance;
MeanAmplitude   TAPA's amplitude is replaced by a number for each head;
ForeignPhases   TAPA's phase comes from other tokens' vectors;
InHeads         an intervention in some heads only;
OpeningKeys     the first keys of a text score by one encoding, all others by another;
LengthCorrected keys from a distance on are lowered by ln of how many of them the query sees;
SoftCapped      scores are bounded by a hyperbolic tangent, as some models bound their own.

A mask from a distance on is `SlidingWindow`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from analysis.encodings.base import (
    DistanceForm,
    Distances,
    Encoding,
    FewerKeys,
    KeyPositions,
    Keys,
    Matched,
    MatchedScores,
    Queries,
    QueryPositions,
    Scores,
    matched_inner,
    wide,
)
from analysis.encodings.tapa import PhaseEncoding
from analysis.errors import InputError
from analysis.settings import check_above, check_whole

Change = Callable[[int, Encoding], Encoding]
"""Of a layer's index and its encoding."""


def unchanged(layer: int, encoding: Encoding) -> Encoding:
    """The `Change` that changes nothing."""
    return encoding


class Intervention(Encoding):
    """An encoding whose scores are another's, altered.

    Attributes:
        encoding: whose scores are altered.
    """

    inner_product: ClassVar[bool] = False
    encoding: Encoding

    @property
    def head_dim(self) -> int:
        """Of the encoding inside."""
        return self.encoding.head_dim

    @property
    def reach(self) -> int | None:
        """Of the encoding inside."""
        return self.encoding.reach

    @property
    def symmetric(self) -> bool:
        """Interventions are made for queries after their keys."""
        return False

    @property
    def trainable(self) -> bool:
        """Whether an encoding inside is."""
        return any(value.trainable for value in vars(self).values() if isinstance(value, Encoding))

    def learned(self) -> dict[str, Tensor]:
        """Those of the encodings inside; what a second one calls alike and does not share has that one's name first."""
        return {here: tensor for *_, here, tensor in self._learned_inside()}

    def with_learned(self, tensors: Mapping[str, Tensor]) -> Encoding:
        """The same intervention in the encodings inside with these tensors."""
        inside: dict[str, dict[str, Tensor]] = {}
        for attribute, name, here, _ in self._learned_inside():
            if here in tensors:
                inside.setdefault(attribute, {})[name] = tensors[here]
        twin = copy.copy(self)
        for attribute, own in inside.items():
            object.__setattr__(twin, attribute, getattr(self, attribute).with_learned(own))
        return twin

    def _learned_inside(self) -> list[tuple[str, str, str, Tensor]]:
        """Learned tensors of the encodings inside: attribute and name there, name here, tensor."""
        found: list[tuple[str, str, str, Tensor]] = []
        known: dict[str, Tensor] = {}
        for attribute, value in vars(self).items():
            for name, tensor in value.learned().items() if isinstance(value, Encoding) else ():
                here = name if known.setdefault(name, tensor) is tensor else f"{attribute}_{name}"
                found.append((attribute, name, here, tensor))
        return found


def _between(query_positions: QueryPositions, key_positions: KeyPositions) -> Num[Tensor, "rows columns"]:
    return query_positions[:, None] - key_positions


ByHead = Float[Tensor, "heads *shape"]


def effect_at(values: Float[Tensor, "heads length"], distance: Num[Tensor, "*shape"]) -> ByHead:
    """values[distance] for whole distances of 0 .. length - 1; 0 for all others."""
    length = values.shape[-1]
    found = values[:, distance.long().clamp(0, length - 1)]
    return found.masked_fill((distance < 0) | (distance >= length), 0.0)


@dataclass(frozen=True, eq=False)
class Shifted(Intervention):
    """score + shift[head, distance], for whole distances of 0 .. length - 1; all other scores stay.

    >>> from analysis.encodings import Nope
    >>> one = torch.ones(1, 3, 4)  # one head, three tokens
    >>> shifted = Shifted(Nope(4), torch.tensor([[0.0, -2.0, -2.0]]))
    >>> shifted.scores(one, one, torch.arange(3), torch.arange(3))[0, 2].tolist()
    [0.0, 0.0, 2.0]

    Attributes:
        encoding: of heads that are the axis before the positions.
        shift: what is added.
    """

    encoding: Encoding
    shift: Float[Tensor, "heads length"]

    def placed(self, q: Tensor, k: Tensor, positions: Tensor) -> tuple[Encoding, Tensor, Tensor]:
        """As the encoding inside, shifted alike."""
        inner, q, k = self.encoding.placed(q, k, positions)
        return replace(self, encoding=inner), q, k

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of the encoding inside, and the shift."""
        scores = self.encoding.scores(q, k, query_positions, key_positions)
        return scores + effect_at(self.shift, _between(query_positions, key_positions)).to(scores.dtype)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Scores of the encoding inside, and the shift."""
        scores = self.encoding.pairwise(q, k, distance)
        return scores + effect_at(self.shift, distance)[:, None].to(scores.dtype)

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm | None:
        """As the encoding inside, with the shift for a bias."""
        inner = self.encoding.by_distance(q, k, distance)
        return None if inner is None else inner.biased(effect_at(self.shift, distance).to(wide(q.dtype)))


@dataclass(frozen=True, eq=False)
class Clamped(Intervention):
    """From `length` tokens of distance on, the score of the same two tokens length - 1 apart.

    Attributes:
        encoding: of all pairs.
        length: tokens, >= 1.
    """

    encoding: Encoding
    length: int

    def __post_init__(self) -> None:
        check_whole("length", self.length)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of the encoding inside, at distances of at most length - 1."""
        scores = self.encoding.scores(q, k, query_positions, key_positions)
        beyond = _between(query_positions, key_positions) >= self.length
        if not beyond.any():
            return scores
        at_the_edge = FixedDistance(self.encoding, self.length - 1)
        return torch.where(beyond, at_the_edge.scores(q, k, query_positions, key_positions), scores)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Scores of the encoding inside, at distances of at most length - 1."""
        return self.encoding.pairwise(q, k, distance.clamp(max=self.length - 1))

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm | None:
        """As the encoding inside, its tables taken at distances of at most length - 1."""
        return self.encoding.by_distance(q, k, distance.clamp(max=self.length - 1))


@dataclass(frozen=True, eq=False)
class FixedDistance(Intervention):
    """Every pair scores as if `apart` tokens apart.

    Attributes:
        encoding: of all pairs.
        apart: tokens.
    """

    encoding: Encoding
    apart: int

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of the encoding inside at one distance."""
        return self.encoding.scores(
            q, k, torch.full_like(query_positions, self.apart), torch.zeros_like(key_positions)
        )

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Scores of the encoding inside at one distance."""
        return self.encoding.pairwise(q, k, torch.full_like(distance, self.apart))

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm | None:
        """As the encoding inside, its tables taken at one distance."""
        return self.encoding.by_distance(q, k, torch.full_like(distance, self.apart))


class PhaseIntervention(Intervention):
    """An intervention in one of the two factors of an encoding with a phase.

    Attributes:
        encoding: an amplitude times a cosine.
    """

    encoding: PhaseEncoding

    def amplitude(self, q: Queries, k: Keys) -> Scores:
        """Amplitude of every query with every key, in the type of the phase."""
        a, b, x, _ = self.encoding.factors(q, k)
        return self.encoding.scale * (a @ b.mT).to(x.dtype)

    def cosine(self, x: Tensor, y: Tensor, distance: Num[Tensor, "rows columns"]) -> Scores:
        """Cosine of phase vectors at distances."""
        return torch.cos(self.encoding.turn(distance, x.dtype) * (x @ y.mT))


@dataclass(frozen=True, eq=False)
class AmplitudeOnly(PhaseIntervention):
    """amplitude cosine[head, distance]: the cosine knows no token.

    Attributes:
        encoding: an amplitude times a cosine.
        cosines: one for each head and distance of 0 .. length - 1, for each head at every distance, or None for 1.
    """

    encoding: PhaseEncoding
    cosines: Float[Tensor, "heads length"] | Float[Tensor, " heads"] | None = None

    def _factor(self, distance: Num[Tensor, "*shape"]) -> Tensor:
        assert self.cosines is not None
        if self.cosines.ndim == 1:
            return self.cosines.view(-1, *(1,) * distance.ndim)
        return effect_at(self.cosines, distance.abs())

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """The amplitude times what stands for the cosine."""
        amplitude = self.amplitude(q, k)
        if self.cosines is None:
            return amplitude
        return amplitude * self._factor(_between(query_positions, key_positions)).to(amplitude.dtype)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """The amplitude times what stands for the cosine."""
        a, b, _, _ = self.encoding.factors(q, k)
        amplitude = (self.encoding.scale * matched_inner(a, b))[..., None].expand(
            *a.shape[:-1], len(distance)
        )
        if self.cosines is None:
            return amplitude
        factor = self._factor(distance)
        return amplitude * (factor[:, None] if factor.ndim == 2 else factor).to(amplitude.dtype)

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm:
        """The amplitude, with what stands for the cosine as a factor."""
        a, b, x, _ = self.encoding.factors(q, k)
        if self.cosines is None:
            return DistanceForm(a, b, self.encoding.scale)
        factor = self._factor(distance).to(x.dtype).expand(-1, len(distance))
        return DistanceForm(a, b, self.encoding.scale, factor=factor)


@dataclass(frozen=True, eq=False)
class MeanAmplitude(PhaseIntervention):
    """amplitudes[head] cosine: strength knows no token.

    Attributes:
        encoding: an amplitude times a cosine.
        amplitudes: one for each head.
    """

    encoding: PhaseEncoding
    amplitudes: Float[Tensor, " heads"]

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """The cosine times what stands for the amplitude."""
        _, _, x, y = self.encoding.factors(q, k)
        cosine = self.cosine(x, y, _between(query_positions, key_positions))
        return self.amplitudes[:, None, None].to(cosine.dtype) * cosine

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """The cosine times what stands for the amplitude."""
        _, _, x, y = self.encoding.factors(q, k)
        cosine = torch.cos(self.encoding.turn(distance, x.dtype) * matched_inner(x, y)[..., None])
        return self.amplitudes[:, None, None].to(cosine.dtype) * cosine

    def by_distance(self, q: Queries, k: FewerKeys, distance: Distances) -> DistanceForm | None:
        """The cosine, with an amplitude of 1 and what stands for it as a factor."""
        inner = self.encoding.by_distance(q, k, distance)
        assert inner is not None  # of an encoding with a phase
        ones = inner.a.new_ones(*q.shape[:-1], 1), inner.b.new_ones(*k.shape[:-1], 1)
        factor = self.amplitudes[:, None].to(wide(q.dtype)).expand(-1, len(distance))
        return inner._replace(a=ones[0], b=ones[1], scale=1.0, factor=factor)


@dataclass(frozen=True, eq=False)
class ForeignPhases(PhaseIntervention):
    """The amplitude is the tokens' own; phase vectors are those that are given for each position.

    Attributes:
        encoding: an amplitude times a cosine.
        x, y: for each position of queries and keys, 0 .. length - 1; their inner product is the phase in turns.
    """

    encoding: PhaseEncoding
    x: Float[Tensor, "batch heads length dim"]
    y: Float[Tensor, "batch heads length dim"]

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Own amplitudes, foreign cosines."""
        x, y = self.x[:, :, query_positions.long()], self.y[:, :, key_positions.long()]
        return self.amplitude(q, k) * self.cosine(x, y, _between(query_positions, key_positions))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Refused: matched pairs have no positions to look vectors up by."""
        raise InputError("phase vectors of other tokens go by position; matched pairs have none; use scores")


@dataclass(frozen=True, eq=False)
class InHeads(Intervention):
    """An intervention in chosen heads; the others keep the scores of `encoding`.

    Attributes:
        encoding: of the heads that are left alone.
        changed: of those that are chosen.
        chosen: for each head, the axis before the positions.
    """

    encoding: Encoding
    changed: Encoding
    chosen: Bool[Tensor, " heads"]

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Head by head of the one or the other."""
        own = self.encoding.scores(q, k, query_positions, key_positions)
        changed = self.changed.scores(q, k, query_positions, key_positions)
        return torch.where(self.chosen[:, None, None], changed, own)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Head by head of the one or the other."""
        own, changed = (e.pairwise(q, k, distance) for e in (self.encoding, self.changed))
        return torch.where(self.chosen[:, None, None], changed, own)


@dataclass(frozen=True, eq=False)
class OpeningKeys(Intervention):
    """Keys at positions 0 .. count - 1 score by `opening`, all others by `encoding`.

    Trained heads park attention on the first tokens of a text; this changes, or spares, those keys alone.

    >>> from analysis.encodings import Nope
    >>> one = torch.ones(1, 3, 4)  # one head, three tokens
    >>> spared = OpeningKeys(FixedDistance(Nope(4), 0), Nope(4, scale=2.0), 1)
    >>> spared.scores(one, one, torch.arange(3), torch.arange(3))[0, 2].tolist()
    [8.0, 2.0, 2.0]

    Attributes:
        encoding: of the keys from `count` on.
        opening: of the keys before.
        count: keys, >= 1.
    """

    encoding: Encoding
    opening: Encoding
    count: int

    def __post_init__(self) -> None:
        check_whole("count", self.count)

    @property
    def reach(self) -> int | None:
        """The longer of the two; None if either sees everything."""
        reaches = self.encoding.reach, self.opening.reach
        return None if None in reaches else max(r for r in reaches if r is not None)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Key by key of the one or the other."""
        first = key_positions < self.count
        found = [e for e, used in ((self.opening, first), (self.encoding, ~first)) if bool(used.any())]
        scores = [e.scores(q, k, query_positions, key_positions) for e in found]
        return scores[0] if len(scores) == 1 else torch.where(first, *scores)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Refused: matched pairs have no positions."""
        raise InputError("the first keys of a text are told by position; matched pairs have none; use scores")


@dataclass(frozen=True, eq=False)
class LengthCorrected(Intervention):
    """score - ln n from `length` tokens of distance on, of a query that has n keys that far back.

    After softmax such keys together weigh as much as one key of their mean weight: their number adds nothing.

    Attributes:
        encoding: of all pairs.
        length: tokens, >= 1. Keys are at positions from 0 on.
    """

    encoding: Encoding
    length: int

    def __post_init__(self) -> None:
        check_whole("length", self.length)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of the encoding inside, less the logarithm."""
        scores = self.encoding.scores(q, k, query_positions, key_positions)
        far = _between(query_positions, key_positions) >= self.length
        taken = self.logarithm(query_positions, scores.dtype)[:, None]
        return torch.where(far, scores - taken, scores)

    def logarithm(self, query_positions: QueryPositions, dtype: torch.dtype) -> Float[Tensor, " rows"]:
        """ln of the number of keys that lie `length` or more before each query; 0 for none."""
        return (query_positions - self.length + 1).clamp(min=1).to(dtype).log()

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Refused: matched pairs have no positions."""
        raise InputError(
            "how many keys a query sees is told by position; matched pairs have none; use scores"
        )


@dataclass(frozen=True, eq=False)
class SoftCapped(Intervention):
    """cap tanh(score / cap), as Gemma 2 bounds its scores (Gemma Team 2024).

    Attributes:
        encoding: of all pairs.
        cap: bound of the scores' size, > 0.
    """

    encoding: Encoding
    cap: float

    def __post_init__(self) -> None:
        check_above("cap", self.cap, 0)

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Scores of the encoding inside, bounded."""
        return self.cap * torch.tanh(self.encoding.scores(q, k, query_positions, key_positions) / self.cap)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Scores of the encoding inside, bounded."""
        return self.cap * torch.tanh(self.encoding.pairwise(q, k, distance) / self.cap)
