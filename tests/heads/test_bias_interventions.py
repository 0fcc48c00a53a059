"""Interventions beyond a trained length: what each does to scores, curves against loops over pairs, doses, matching."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.encodings import Encoding, Nope, Rope, SlidingWindow
from analysis.heads import bias_interventions as bias
from analysis.heads.bias_interventions import (
    MATCHED,
    NAMES,
    OPENING,
    Curves,
    CurveSums,
    Doses,
    derangement,
    dose,
    intervention,
    match_dose,
)
from analysis.models.capture import LayerCapture, capture_llama
from analysis.models.llama import Llama
from analysis.theory.frequencies import Extension, plain
from tests.heads import tiny_phase
from tests.refusals import plainly_raises

TRAINED, LENGTH, LAYERS, HEADS, DIM = 12, 40, 2, 3, 8
BASE = 100.0
LONGER = Extension("yarn", 4.0, TRAINED).frequencies(BASE, DIM, DIM, length=LENGTH)
WHOLE = ("plain", "hold-within", "yarn")  # act within L, or not at all
POSITIONS = torch.arange(LENGTH)
CONSTANT = (*MATCHED, *bias.MATCHED_HEADS)  # go by a constant that must be given
SINK = ("hold-but-sink", "hold-sink-only", "matched-constant-but-sink")  # go by the position of the key, too
FAR = (POSITIONS[:, None] - POSITIONS) >= TRAINED
SEEN = (POSITIONS[:, None] - POSITIONS) >= 0


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def curves(seed: int = 0) -> Curves:
    mean, predicted, fast = (drawn(seed + i, LAYERS, HEADS, LENGTH).numpy() for i in range(3))
    return Curves(mean, 0.5 + drawn(seed + 3, LAYERS, HEADS).abs().numpy(), TRAINED, predicted, fast)


def scores(encoding: Encoding) -> torch.Tensor:
    q, k = drawn(10, HEADS, LENGTH, DIM), drawn(11, HEADS, LENGTH, DIM)
    return encoding.scores(q, k, POSITIONS, POSITIONS)


def changed(name: str, layer: int = 1, found: Curves | None = None, **more) -> torch.Tensor:
    """What an intervention adds to the scores of a rotation, pair by pair."""
    rope = Rope(plain(BASE, DIM))
    needed = {one: {"constant": -0.7} for one in CONSTANT} | {"yarn": {"extended": LONGER}}
    more = needed.get(name, {}) | more
    change = intervention(name, found or curves(), LENGTH, **more)
    return scores(change(layer, rope)) - scores(rope)


def by_distance(square: torch.Tensor, first: int = 0) -> np.ndarray:
    """Mean along every diagonal, keys from `first` on; distances 0 .. LENGTH - 1 - first."""
    spans = ((range(d + first, LENGTH), range(first, LENGTH - d)) for d in range(LENGTH - first))
    return np.stack([square[:, rows, columns].mean(-1) for rows, columns in spans], -1)


@pytest.mark.parametrize("name", NAMES)
def test_an_intervention_acts_beyond_the_trained_length_and_says_so_if_it_does_not(name: str):
    difference = changed(name)
    near, far = difference[:, SEEN & ~FAR].abs().max(), difference[:, FAR].abs().max()
    assert (float(near) == 0) == (name not in ("hold-within", "yarn"))
    assert (float(far) == 0) == (name in ("plain", "hold-within"))


NO_SHIFT = ("plain", "clamp", "mask", "mask-sink", "length-corrected", "yarn")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_SHIFT])
def test_a_shift_is_the_same_for_all_pairs_of_a_head_and_distance(name: str):
    difference = changed(name)
    if name in bias.CLAMPED:
        difference = difference - changed("clamp")
    rows = slice(None) if name not in SINK else slice(LENGTH - 1, None)
    for head in range(HEADS):
        for d in (TRAINED, TRAINED + 5, LENGTH - OPENING - 1):
            values = difference[head].diagonal(-d)
            if name in SINK:
                values = difference[head, rows, LENGTH - 1 - d]
            assert float(values.max() - values.min()) < 1e-10


def test_named_shifts_are_their_formulas():
    c, layer, d = curves(), 1, TRAINED + 7
    level = c.mean[layer, :, int(0.75 * TRAINED) : TRAINED].mean(-1)
    departure = c.mean[layer, :, d] - level
    at = {name: changed(name)[:, -1, LENGTH - 1 - d].numpy() for name in NAMES}
    budget = {"rtol": 0, "atol": 1e-6}  # shifts are kept in float32
    np.testing.assert_allclose(at["hold"], -departure, **budget)
    np.testing.assert_allclose(at["subtract"], -c.mean[layer, :, d], **budget)
    np.testing.assert_allclose(at["constant"], -1.5 * c.spread[layer], **budget)
    np.testing.assert_allclose(at["matched-constant"], -0.7 * c.spread[layer], **budget)
    np.testing.assert_allclose(at["clamp-departure"] - at["clamp"], departure, **budget)
    np.testing.assert_allclose(at["clamp-constant"] - at["clamp"], -0.7 * c.spread[layer], **budget)
    own = np.linspace(-1, 1, LAYERS * HEADS).reshape(LAYERS, HEADS)
    each = changed("matched-heads", constant=own)[:, -1, LENGTH - 1 - d].numpy()
    np.testing.assert_allclose(each, own[layer] * c.spread[layer], **budget)
    np.testing.assert_allclose(at["hold-fast"] + at["hold-slow"], at["hold-predicted"], **budget)
    np.testing.assert_allclose(at["hold-but-sink"], at["hold"], **budget)
    assert not at["hold-sink-only"].any()
    sink = {
        name: changed(name)[:, -1, 2].numpy()
        for name in ("hold", "hold-but-sink", "hold-sink-only", "mask-sink")
    }
    np.testing.assert_allclose(sink["hold-sink-only"], sink["hold"], **budget)
    assert not sink["hold-but-sink"].any()
    assert not sink["mask-sink"].any()
    assert np.isneginf(at["mask-sink"]).all()
    assert np.isneginf(at["mask"]).all()


def test_swapped_departures_are_the_others_in_units_of_sd_and_no_head_keeps_its_own():
    c = curves()
    given = bias.shift("hold", c, LENGTH).numpy() / c.spread[..., None]
    found = bias.shift("swapped", c, LENGTH, seed=3).numpy() / c.spread[..., None]
    for one in found.reshape(-1, LENGTH):
        match = np.abs(given.reshape(-1, LENGTH) - one).max(-1)
        assert (match < 1e-5).sum() == 1
    assert np.abs(given - found).max(-1).min() > 1e-2


def test_shuffled_departures_are_the_same_numbers_elsewhere_and_their_mean_is_the_average():
    c = curves()
    hold, shuffled, average = (
        bias.shift(name, c, LENGTH).numpy() for name in ("hold", "shuffled", "hold-average")
    )
    np.testing.assert_array_equal(np.sort(hold, axis=-1), np.sort(shuffled, axis=-1))
    assert np.abs(hold - shuffled).max() > 0.1
    np.testing.assert_allclose(average[..., -1], hold[..., TRAINED:].mean(-1), rtol=1e-5, atol=1e-6)


def test_rebounding_heads_rebound_more_than_the_rest_and_the_placebo_has_as_many_others():
    c = curves()
    chosen = bias.rebounding(c, LENGTH)
    rebound = c.rebound(LENGTH)
    assert chosen.sum() == round(LAYERS * HEADS / 4)
    assert rebound[chosen].min() >= rebound[~chosen].max()
    for seed in range(8):
        placebo = bias.others(chosen, np.random.default_rng(seed))
        assert placebo.sum() == chosen.sum()
        assert not (placebo & chosen).any()


@given(st.integers(2, 40), st.integers(0, 2**31))
def test_a_derangement_moves_everything(count: int, seed: int):
    order = derangement(count, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert (order != np.arange(count)).all()


def llama() -> Llama:
    return tiny_phase.model("rope", context=TRAINED, gain=6.0).double()


def tokens(length: int = LENGTH, windows: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (windows, length)))


def measured(
    model: Llama, length: int = LENGTH, reach: int = LENGTH - OPENING
) -> tuple[Curves, list[LayerCapture]]:
    sums, seen = CurveSums(TRAINED, reach), []

    def consume(found: LayerCapture) -> None:
        sums.add(found)
        seen.append(found)

    capture_llama(model, tokens(length), consume)
    return sums.curves(), seen


def test_curves_are_what_loops_over_pairs_find():
    found, seen = measured(llama())
    for layer, capture in enumerate(seen):
        rope = Rope(capture.frequencies, capture.scale)
        group = capture.q.shape[1] // capture.k.shape[1]
        keys = capture.k.repeat_interleave(group, dim=1)
        square = rope.scores(capture.q, keys, POSITIONS, POSITIONS)
        expected = np.mean([by_distance(one, OPENING) for one in square], axis=0)
        np.testing.assert_allclose(found.mean[layer], expected, rtol=0, atol=1e-9)
        rows, columns = np.tril_indices(TRAINED)
        kept = columns >= OPENING
        near = square[:, :, rows[kept], columns[kept]]
        spread = ((near**2).mean((0, 2)) - near.mean((0, 2)) ** 2).sqrt()
        np.testing.assert_allclose(found.spread[layer], spread, rtol=1e-9)
        within = slice(OPENING, TRAINED)
        q, k = (x[:, :, within].mean((0, 2)) for x in (capture.q, keys))
        closed = rope.pairwise(q[:, None], k[:, None], torch.arange(LENGTH - OPENING))[:, 0]
        assert found.predicted is not None
        assert found.fast is not None
        np.testing.assert_allclose(found.predicted[layer], closed, rtol=0, atol=1e-9)
        turning = capture.frequencies.omega * TRAINED >= 2 * math.pi
        assert 0 < turning.sum() < len(turning)
        pairs = torch.from_numpy(capture.frequencies.pairs[turning].ravel())
        only = torch.zeros(dim_of(capture), dtype=torch.float64).index_fill(0, pairs, 1.0)
        part = rope.pairwise((q * only)[:, None], k[:, None], torch.arange(LENGTH - OPENING))[:, 0]
        np.testing.assert_allclose(found.fast[layer], part, rtol=0, atol=1e-9)


def dim_of(capture: LayerCapture) -> int:
    return capture.q.shape[-1]


def test_held_heads_of_the_first_layer_stay_at_their_level():
    """Deeper layers read what the first was changed to; there the mean is exactly what was promised."""
    model, reach = llama(), LENGTH - OPENING
    found, _ = measured(model)
    twin = model.with_interventions(intervention("hold", found, reach))
    seen: list[torch.Tensor] = []

    def attend(encoding, q, k, v, positions, layer):
        keys = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        seen.append(encoding.scores(q, keys, positions, positions))
        return q

    twin.attend = attend
    with torch.inference_mode():
        twin(tokens())
    mean = np.mean([by_distance(one, OPENING) for one in seen[0]], axis=0)
    level = np.broadcast_to(mean[:, 9:TRAINED].mean(-1, keepdims=True), mean.shape)
    np.testing.assert_allclose(mean[:, TRAINED:], level[:, TRAINED:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WHOLE])
def test_within_the_trained_length_a_model_says_what_it_always_said(name: str):
    model = llama()
    found, _ = measured(model)
    more = {"constant": -0.7} if name in CONSTANT else {}
    twin = model.with_interventions(intervention(name, found, LENGTH - OPENING, **more))
    with torch.inference_mode():
        before, after = model(tokens(LENGTH - OPENING)), twin(tokens(LENGTH - OPENING))
    assert torch.equal(before[:, :TRAINED], after[:, :TRAINED])
    assert float((before - after)[:, TRAINED:].abs().max()) > 1e-6


def test_a_dose_is_what_loops_find_and_averages_over_layers():
    q, k = drawn(20, HEADS, 2, DIM), drawn(21, HEADS, LENGTH, DIM)
    rows = torch.tensor([LENGTH - 9, LENGTH - 1])
    encoding = Rope(plain(BASE, DIM))
    found = dose(encoding, q, k, rows, POSITIONS, TRAINED)
    for head in range(HEADS):
        for i, m in enumerate(rows.tolist()):
            one = encoding.scores(q[head, i : i + 1], k[head, : m + 1], rows[i : i + 1], POSITIONS[: m + 1])[
                0
            ]
            weights = (one - one.max()).exp()
            weights = weights / weights.sum()
            expected = [
                weights[: m - TRAINED + 1].sum(),
                weights[:OPENING].sum(),
                -(weights * weights.log()).sum(),
            ]
            torch.testing.assert_close(found[:, head, i], torch.stack(expected), rtol=1e-10, atol=1e-12)
    doses = Doses(TRAINED)
    doses.add(encoding, q, k, rows, POSITIONS)
    doses.add(Nope(DIM), q, k, rows, POSITIONS)
    other = dose(Nope(DIM), q, k, rows, POSITIONS, TRAINED)
    assert doses.far is not None
    assert doses.entropy is not None
    torch.testing.assert_close(doses.far, (found[0].mean(0) + other[0].mean(0)) / 2)
    torch.testing.assert_close(doses.entropy, (found[2].mean(0) + other[2].mean(0)) / 2)


@given(st.integers(0, 2**16))
def test_constants_of_heads_that_read_from_each_other_have_the_masses(seed: int):
    """Heads of a second layer whose odds hang on the first one's constants; several queries each."""
    odds = 2 * drawn(seed, 2, 3, 8).numpy()
    spread = 0.5 + drawn(seed + 1, 2, 3).abs().numpy()
    wanted = np.linspace(-3, 3, 6).reshape(2, 3)

    def masses(constant: np.ndarray) -> np.ndarray:
        moved = odds + (constant * spread)[..., None]
        moved[1] += 0.5 * np.tanh(constant[0]).mean()
        return (1 / (1 + np.exp(-moved))).mean(-1)

    target = masses(wanted)
    found = bias.match_heads(masses, target, spread, tolerance=0.005)
    assert np.abs(masses(found) - target).max() <= 0.005


@given(st.floats(0.05, 0.95), st.floats(0.2, 4.0), st.floats(-6, 6))
def test_a_matched_constant_has_the_mass(target: float, slope: float, middle: float):
    calls: list[float] = []

    def mass(constant: float) -> float:
        calls.append(constant)
        return 1 / (1 + math.exp(-slope * (constant - middle)))

    constant, found = match_dose(mass, target)
    assert abs(found - target) <= 0.002
    assert found == mass(constant)
    assert len(calls) < 25


REFUSED = [
    (lambda: intervention("holt", curves(), LENGTH), "intervention 'holt' is unknown; did you mean hold"),
    (lambda: intervention("hold", curves(), TRAINED), "length=12 is not beyond the trained length of 12"),
    (lambda: intervention("hold", curves(), LENGTH + 1), "not known up to distance 40; measure longer windows"),
    (lambda: intervention("matched-constant", curves(), LENGTH), "matched-constant needs its constant"),
    (lambda: intervention("yarn", curves(), LENGTH), "yarn needs the extended frequencies"),
    (
        lambda: intervention("yarn", curves(), LENGTH, extended=LONGER)(0, Nope(DIM)),
        "yarn: Nope has no frequencies",
    ),
    (
        lambda: intervention("hold-fast", Curves(curves().mean, curves().spread, TRAINED), LENGTH),
        "hold-fast needs a predicted mean",
    ),
    (lambda: Curves(curves().mean, 0 * curves().spread, TRAINED), "spread is not one number above 0"),
    (lambda: Curves(curves().mean, curves().spread, TRAINED, curves().mean[:1]), "predicted has shape"),
    (lambda: CurveSums(TRAINED, LENGTH).curves(), "no window was measured"),
    (lambda: measured(llama(), LENGTH, LENGTH), "windows of 40 tokens are too short; give 44 or more"),
    (lambda: match_dose(lambda a: 0.5, 0.1, limit=4.0), "no constant of at most 4 sd has the far mass 0.1"),
    (lambda: derangement(1, np.random.default_rng(0)), "heads to swap=1 is not a whole number of at least 2"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_cannot_be_done_is_refused_in_one_line(call, message: str):
    plainly_raises(call, message)


def test_yarn_goes_through_a_window():
    change = intervention("yarn", curves(), LENGTH, extended=LONGER)
    found = change(0, SlidingWindow(Rope(plain(BASE, DIM), 0.3), 5))
    assert isinstance(found, SlidingWindow)
    assert isinstance(found.encoding, Rope)
    assert found.window == 5
    assert found.encoding.scale == 0.3
    assert found.encoding.frequencies is LONGER
