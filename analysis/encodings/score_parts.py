"""The parts of a score as encodings: what a pair of tokens scores on average over distances, and scores without a part.

A query and a key that are put at any distance d score S(d). With the pair's mean over distances P, the mean over pairs
at each distance g + a(d) and the grand mean g,

    S(d) = g + a(d) + (P - g) + interaction,

which `analysis.heads.anova` measures and these interventions take apart.

DistanceMean    P: every pair scores its mean over given distances, wherever it stands;
KeptParts       some of the three parts, such as all but the interaction;
ForeignParts    the parts of unrelated pairs are subtracted: as much is changed, and nothing that belongs to the pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Num
from torch import Tensor

from analysis.encodings.additive import Alibi, Nope
from analysis.encodings.base import (
    Distances,
    Encoding,
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
from analysis.encodings.interventions import Intervention, effect_at
from analysis.encodings.rotary import Rope, complex_pairs
from analysis.encodings.tapa import PhaseEncoding
from analysis.errors import InputError


@dataclass(frozen=True, eq=False)
class DistanceMean(Intervention):
    """Every pair scores its weighted mean over `distances`, at whatever distance it stands.

    A rotation becomes its average, a phase its mean cosine, and a score that is linear in distance is taken at the mean
    distance; every other encoding is scored at each of the distances.

    >>> from analysis.encodings import Alibi
    >>> one = torch.ones(3, 4)  # three tokens, head_dim 4
    >>> mean = DistanceMean(Alibi(4, [0.5]), torch.tensor([1, 2, 3]), torch.ones(3).double() / 3)
    >>> mean.scores(one, one, torch.arange(3), torch.arange(3))[2].tolist()  # 2 - 0.5 * 2
    [1.0, 1.0, 1.0]

    Attributes:
        encoding: that sees all of `distances`.
        distances: tokens, signed as position of the query less that of the key.
        weights: of the distances, float64, summing to 1.
    """

    encoding: Encoding
    distances: Num[Tensor, " distances"]
    weights: Float[Tensor, " distances"]

    def __post_init__(self) -> None:
        if not len(self.distances) or abs(float(self.weights.sum()) - 1) > 1e-9:
            total = float(self.weights.sum())
            raise InputError(
                f"weights of {len(self.distances)} distances sum to {total:g}; give ones that sum to 1"
            )

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """The mean score of every query with every key; positions make no difference."""
        encoding = self.encoding
        encoding.check_vectors(q, k)
        if isinstance(encoding, Rope):
            left, right = (complex_pairs(x.to(wide(x.dtype)), encoding.frequencies) for x in (q, k))
            turned = left * self._average(encoding).to(left.dtype)[:, None]
            return encoding.factor * (_real(turned) @ _real(right).mT)
        if isinstance(encoding, PhaseEncoding):
            a, b, x, y = encoding.factors(q, k)
            return encoding.scale * (a @ b.mT).to(x.dtype) * self._mean_cosine(encoding, x @ y.mT)
        return self._at_each(q, k, len(query_positions), len(key_positions))

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """The mean score of each sample, the same at every distance."""
        each = self.encoding.pairwise(q, k, self.distances)
        mean = each @ self.weights.to(each.dtype)
        return mean[..., None].expand(*mean.shape, len(distance))

    def _average(self, rope: Rope) -> Complex[Tensor, " pairs"]:
        """Mean over distances of each pair's rotation, and of its decay under xPos; 1 for pairs that do not rotate."""
        turns = torch.from_numpy(rope.frequencies.omega)[:, None] * self.distances.double()
        size = torch.ones_like(turns)
        if rope.frequencies.log_decay is not None:
            size = torch.exp(torch.from_numpy(rope.frequencies.log_decay)[:, None] * self.distances.double())
        average = torch.ones((rope.head_dim + 1) // 2, dtype=torch.complex128)
        average[: len(turns)] = torch.polar(size, turns) @ self.weights.to(torch.complex128)
        return average

    def _mean_cosine(self, encoding: PhaseEncoding, phase: Tensor) -> Tensor:
        """Mean over distances of the cosine of phases in turns at distance 1.

        Where there are many phases it is interpolated between values that lie so close that the error, at most an
        eighth of (step times the largest turn) squared, is below one unit of rounding.
        """
        turn = encoding.turn(self.distances, torch.float64)
        weights, unit = self.weights.tolist(), torch.finfo(phase.dtype).eps
        step = math.sqrt(8 * unit) / max(float(turn.max()), 1.0)
        size = math.ceil(float(phase.abs().max()) / step) + 2
        at = phase if size >= phase.numel() else step * torch.arange(size, dtype=torch.float64)
        total = torch.zeros_like(at)
        for weight, rate in zip(weights, turn.tolist(), strict=True):
            total.add_(torch.cos(rate * at), alpha=weight)
        if at is phase:
            return total
        table = total.to(phase.dtype)
        place = phase.abs() / step
        index = place.long()
        return torch.lerp(table[index], table[index + 1], place - index)

    def _at_each(self, q: Queries, k: Keys, rows: int, columns: int) -> Scores:
        """Scores at each distance in turn, added up; those of NoPE and ALiBi are linear in a positive distance."""
        distances, weights = self.distances.double(), self.weights.double()
        if isinstance(self.encoding, Nope | Alibi) and bool((distances >= 0).all()):
            distances, weights = (distances @ weights)[None], weights.new_ones(1)
        total = torch.zeros((), dtype=wide(q.dtype))
        for distance, weight in zip(distances.tolist(), weights.tolist(), strict=True):
            at = torch.full((rows,), distance, dtype=torch.float64)
            total = total + weight * self.encoding.scores(q, k, at, torch.zeros(columns, dtype=torch.float64))
        return total


def _real(z: Complex[Tensor, "*heads pairs length"]) -> Float[Tensor, "*heads length twice_pairs"]:
    """Complex pairs as real vectors with the inner product Re sum_d z_d conj(z'_d)."""
    return torch.view_as_real(z.mT.contiguous()).flatten(-2)


@dataclass(frozen=True, eq=False)
class _Parts(Intervention):
    """What `KeptParts` and `ForeignParts` share.

    Attributes:
        mean: of the pairs of the encoding whose scores are taken apart.
        effect: a(d) of each head at the whole distances 0 .. length - 1; it is 0 elsewhere.
        level: g of each head.
        distance, pair, interaction: which parts.
    """

    mean: DistanceMean
    effect: Float[Tensor, "heads length"]
    level: Float[Tensor, " heads"]
    distance: bool = False
    pair: bool = False
    interaction: bool = False

    @property
    def encoding(self) -> Encoding:
        """Whose scores are taken apart."""
        return self.mean.encoding

    def _sum(self, own: Tensor | None, pair: Tensor | None, effect: Tensor, level: Tensor) -> Tensor:
        """The chosen parts, a(d) + (P - g) + (S - P - a), of the scores S (`own`) and P (`pair`)."""
        effect_times, pair_times = self.distance - self.interaction, self.pair - self.interaction
        total = effect_times * effect - self.pair * level
        if self.interaction:
            assert own is not None
            total = own + total.to(own.dtype)
        if pair_times:
            assert pair is not None
            total = pair_times * pair + total.to(pair.dtype)
        return total


class KeptParts(_Parts):
    """g and the chosen parts of the score; with all three it is the score itself.

    >>> from analysis.encodings import Alibi
    >>> one = torch.ones(1, 3, 4)  # one head, three tokens
    >>> mean = DistanceMean(Alibi(4, [0.5]), torch.tensor([1, 2]), torch.ones(2).double() / 2)
    >>> effect = 0.75 - 0.5 * torch.arange(3)[None]  # of the distances 0, 1, 2
    >>> kept = KeptParts(mean, effect, torch.tensor([1.25]), pair=True)  # all but the distance part: there is no third
    >>> kept.scores(one, one, torch.arange(3), torch.arange(3))[0, 2].tolist()
    [1.25, 1.25, 1.25]
    """

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """g and the chosen parts."""
        at = query_positions, key_positions
        own = self.encoding.scores(q, k, *at) if self.interaction else None
        pair = self.mean.scores(q, k, *at) if self.pair != self.interaction else None
        effect = effect_at(self.effect, query_positions[:, None] - key_positions)
        total = self._sum(own, pair, effect, self.level[:, None, None]) + self.level[:, None, None]
        shape = (
            *torch.broadcast_shapes(q.shape[:-2], k.shape[:-2]),
            len(query_positions),
            len(key_positions),
        )
        return total.to(wide(q.dtype)).expand(shape)

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """g and the chosen parts."""
        own = self.encoding.pairwise(q, k, distance) if self.interaction else None
        pair = self.mean.pairwise(q, k, distance) if self.pair != self.interaction else None
        effect = effect_at(self.effect, distance)[:, None]
        total = self._sum(own, pair, effect, self.level[:, None, None]) + self.level[:, None, None]
        return total.to(wide(q.dtype)).expand(*matched_inner(q, k).shape, len(distance))


class ForeignParts(_Parts):
    """The score less the chosen parts of other pairs: each query with the key at the same place of the next window.

    The control of equal dose for taking away the pair part or the interaction: as much is subtracted, of tokens that
    have nothing to do with each other.
    """

    def scores(
        self, q: Queries, k: Keys, query_positions: QueryPositions, key_positions: KeyPositions
    ) -> Scores:
        """Own scores less the parts of foreign ones; `InputError` unless there are two windows, the first axis."""
        if k.ndim != 4 or len(k) < 2:
            raise InputError(
                f"keys of shape {tuple(k.shape)} hold no second window; read two or more at once"
            )
        at = query_positions, key_positions
        other = k.roll(1, dims=0)
        foreign = KeptParts(self.mean, self.effect, self.level, self.distance, self.pair, self.interaction)
        return self.encoding.scores(q, k, *at) - (foreign.scores(q, other, *at) - self.level[:, None, None])

    def pairwise(self, q: Matched, k: Matched, distance: Distances) -> MatchedScores:
        """Refused: matched pairs are of no window."""
        raise InputError("foreign pairs are found by window; matched pairs have none; use scores")
