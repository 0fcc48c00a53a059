"""Interventions against their formulas, pair by pair; scores of tiles and of matched pairs say the same."""

from __future__ import annotations

import math

import pytest
import torch

from analysis.encodings import Alibi, Encoding, Nope, Polar, Rope, SlidingWindow, Tapa
from analysis.encodings.interventions import (
    AmplitudeOnly,
    Clamped,
    FixedDistance,
    ForeignPhases,
    InHeads,
    LengthCorrected,
    MeanAmplitude,
    OpeningKeys,
    Shifted,
    SoftCapped,
)
from analysis.errors import InputError
from analysis.models.attention import Streaming, explicit, oracle
from analysis.theory.frequencies import plain

HEADS, LENGTH, DIM, REACH = 2, 21, 8, 6


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def vectors() -> tuple[torch.Tensor, ...]:
    return tuple(drawn(seed, 3, HEADS, LENGTH, DIM) for seed in (0, 1, 2))


ROPE, TAPA = Rope(plain(100.0, DIM)), Tapa(DIM)
SHIFT, COSINES, BY_HEAD = drawn(3, HEADS, LENGTH), drawn(4, HEADS, LENGTH), drawn(5, HEADS)
FOREIGN = tuple(drawn(seed, 3, HEADS, LENGTH, 4) for seed in (6, 7))
CHOSEN = torch.tensor([True, False])


def parts(q: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """TAPA's amplitude and phase in turns of two vectors."""
    return q[:4] @ k[:4] / 2, q[4:] @ k[4:] / 2


def cosine(phase: torch.Tensor, distance: int) -> torch.Tensor:
    return (
        torch.cos(2 * torch.pi * abs(distance) ** 0.1 * phase)
        if distance
        else torch.ones((), dtype=torch.float64)
    )


def at(encoding: Encoding, q: torch.Tensor, k: torch.Tensor, distance: int) -> torch.Tensor:
    return encoding.pairwise(q[None], k[None], torch.tensor([distance]))[0, 0]


CASES = {
    "shifted": (Shifted(ROPE, SHIFT), lambda q, k, h, d, *_: at(ROPE, q, k, d) + SHIFT[h, d]),
    "shifted shortly": (
        Shifted(Nope(DIM), SHIFT[:, :REACH]),
        lambda q, k, h, d, *_: at(Nope(DIM), q, k, d) + (SHIFT[h, d] if d < REACH else 0.0),
    ),
    "clamped": (Clamped(ROPE, REACH), lambda q, k, h, d, *_: at(ROPE, q, k, min(d, REACH - 1))),
    "fixed": (FixedDistance(TAPA, REACH), lambda q, k, h, d, *_: at(TAPA, q, k, REACH)),
    "no cosine": (AmplitudeOnly(TAPA), lambda q, k, h, d, *_: parts(q, k)[0]),
    "cosine by head": (AmplitudeOnly(TAPA, BY_HEAD), lambda q, k, h, d, *_: parts(q, k)[0] * BY_HEAD[h]),
    "cosine by distance": (
        AmplitudeOnly(TAPA, COSINES),
        lambda q, k, h, d, *_: parts(q, k)[0] * COSINES[h, d],
    ),
    "mean amplitude": (
        MeanAmplitude(TAPA, BY_HEAD),
        lambda q, k, h, d, *_: BY_HEAD[h] * cosine(parts(q, k)[1], d),
    ),
    "foreign phases": (
        ForeignPhases(TAPA, *FOREIGN),
        lambda q, k, h, d, b, m: parts(q, k)[0] * cosine(FOREIGN[0][b, h, m] @ FOREIGN[1][b, h, m - d], d),
    ),
    "in one head": (
        InHeads(TAPA, AmplitudeOnly(TAPA), CHOSEN),
        lambda q, k, h, d, *_: parts(q, k)[0] if h == 0 else at(TAPA, q, k, d),
    ),
    "opening keys": (
        OpeningKeys(ROPE, Shifted(ROPE, SHIFT), 2),
        lambda q, k, h, d, b, m: at(ROPE, q, k, d) + (SHIFT[h, d] if m - d < 2 else 0.0),
    ),
    "length corrected": (
        LengthCorrected(ROPE, REACH),
        lambda q, k, h, d, b, m: at(ROPE, q, k, d) - (math.log(m - REACH + 1) if d >= REACH else 0.0),
    ),
    "soft-capped": (SoftCapped(ROPE, 2.0), lambda q, k, h, d, *_: 2 * torch.tanh(at(ROPE, q, k, d) / 2)),
}
BY_POSITION = ("foreign phases", "opening keys", "length corrected")


@pytest.mark.parametrize("name", CASES)
def test_a_score_is_its_formula(name: str):
    encoding, formula = CASES[name]
    q, k, _ = vectors()
    positions = torch.arange(LENGTH)
    scores = encoding.scores(q, k, positions, positions)
    for b, h, m, n in ((0, 0, 20, 0), (1, 1, 13, 4), (2, 0, 7, 7), (1, 0, 9, 3), (0, 1, 6, 1), (2, 1, 5, 0)):
        expected = formula(q[b, h, m], k[b, h, n], h, m - n, b, m)
        torch.testing.assert_close(scores[b, h, m, n], expected, rtol=1e-10, atol=1e-10)
    rows, columns = slice(8, 15), slice(2, 11)
    part = encoding.scores(q[:, :, rows], k[:, :, columns], positions[rows], positions[columns])
    torch.testing.assert_close(part, scores[:, :, rows, columns], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if name not in BY_POSITION])
def test_matched_pairs_score_alike(name: str):
    encoding, _ = CASES[name]
    q, k, _ = vectors()
    positions = torch.arange(LENGTH)
    scores = encoding.scores(q, k, positions, positions)
    for distance in (0, 1, REACH, LENGTH - 1):
        pairs = LENGTH - distance
        found = encoding.pairwise(q[:, :, distance:], k[:, :, :pairs], torch.tensor([distance]))[..., 0]
        torch.testing.assert_close(found, scores.diagonal(-distance, -2, -1), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_attention_by_tiles_takes_an_intervention_as_any_encoding(name: str):
    encoding, _ = CASES[name]
    q, k, v = vectors()
    positions = torch.arange(LENGTH)
    found = Streaming(7, compiled=False)(encoding, q, k, v, positions)
    # the oracle takes one window at a time, and foreign vectors are of all
    expected = explicit if name == "foreign phases" else oracle
    torch.testing.assert_close(found, expected(encoding, q, k, v, positions), rtol=0, atol=1e-10)


def test_what_the_encoding_inside_learns_is_learned():
    """In place and with a gradient; of two encodings inside each its own, and once what they share."""
    polar, other = Polar(drawn(8, HEADS, DIM)), Polar(drawn(9, HEADS, DIM))
    q, k, positions = *vectors()[:2], torch.arange(LENGTH)
    shifted = Shifted(polar, SHIFT)
    start = torch.zeros(HEADS, DIM, dtype=torch.float64).requires_grad_()
    moved = shifted.with_learned({"offsets": start})
    assert list(shifted.learned()) == ["offsets"]
    assert moved.learned()["offsets"] is start
    assert shifted.learned()["offsets"] is polar.offsets  # as it was
    found = moved.scores(q, k, positions, positions)
    assert torch.equal(found, Shifted(Polar(start), SHIFT).scores(q, k, positions, positions))
    found.square().sum().backward()
    assert start.grad is not None
    assert bool(start.grad.abs().sum() > 0)
    both = InHeads(polar, Shifted(other, SHIFT), CHOSEN)
    assert {name: id(tensor) for name, tensor in both.learned().items()} == {
        "offsets": id(polar.offsets), "changed_offsets": id(other.offsets),
    }  # fmt: skip
    again = both.with_learned({"changed_offsets": start})
    assert again.learned() == {"offsets": polar.offsets, "changed_offsets": start}
    shared = InHeads(polar, Shifted(polar, SHIFT), CHOSEN).with_learned({"offsets": start})
    assert list(shared.learned().values()) == [start]
    assert not Shifted(ROPE, SHIFT).learned()
    assert not Shifted(ROPE, SHIFT).trainable


def test_opening_keys_reach_as_far_as_either_encoding():
    near, far = SlidingWindow(ROPE, REACH), SlidingWindow(ROPE, 2 * REACH)
    assert OpeningKeys(near, far, 1).reach == OpeningKeys(far, near, 1).reach == 2 * REACH
    assert OpeningKeys(near, ROPE, 1).reach is None


def test_far_keys_that_are_alike_weigh_as_one_when_the_length_is_corrected():
    """All scores are 0: the far keys together then weigh as much as each near one."""
    zero = torch.zeros(1, LENGTH, DIM, dtype=torch.float64)
    positions = torch.arange(LENGTH)
    scores = LengthCorrected(Nope(DIM), REACH).scores(zero, zero, positions, positions)[0, -1]
    weights = scores.softmax(dim=-1)
    torch.testing.assert_close(weights[: LENGTH - REACH].sum(), weights[-1], rtol=1e-12, atol=0)


def test_a_mask_is_a_window_and_what_is_wrong_is_refused():
    window = Shifted(SlidingWindow(ROPE, REACH), SHIFT)
    assert window.reach == REACH
    assert Shifted(Alibi(DIM, (0.5,)), SHIFT).head_dim == DIM
    with pytest.raises(InputError, match="length=0 is not a whole number of at least 1"):
        Clamped(ROPE, 0)
    with pytest.raises(InputError, match="length=0 is not a whole number of at least 1"):
        LengthCorrected(ROPE, 0)
    with pytest.raises(InputError, match="count=0 is not a whole number of at least 1"):
        OpeningKeys(ROPE, ROPE, 0)
    with pytest.raises(InputError, match="cap=0 must be finite and above 0"):
        SoftCapped(ROPE, 0)
    for encoding in (OpeningKeys(ROPE, ROPE, 1), LengthCorrected(ROPE, REACH)):
        with pytest.raises(InputError, match="matched pairs have none; use scores"):
            encoding.pairwise(*vectors()[:2], torch.tensor([1]))
    with pytest.raises(InputError, match="matched pairs have none"):
        ForeignPhases(TAPA, *FOREIGN).pairwise(*vectors()[:2], torch.tensor([1]))
