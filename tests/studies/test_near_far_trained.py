"""Figure 1's protocol on trained heads: what is drawn, against whole score matrices, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from analysis.errors import InputError
from analysis.intervals import holm
from analysis.models.capture import read_layers
from analysis.models.llama import Llama
from analysis.studies import near_far
from analysis.studies.near_far import draw_pairs, near_far_intervals, trained_gaps
from analysis.text.windows import windows
from tests.heads import tiny_phase as phase_tiny

DOCUMENTS = [(name, list(phase_tiny.source(40, i).encode())) for i, name in enumerate("abcd")]
MODELS = ("tapa", "rope", "alibi", "nope")


def scores_of(model: Llama, tokens: np.ndarray, apart: int | None = None) -> list[torch.Tensor]:
    """Whole score matrices (window, head, query, key) of each layer, by the encoding, float64.

    With `apart` each pair's score if it were that many tokens apart, its query placed there.
    """
    found = []

    def take(layer, encoding, q, k, entropy):
        at, group = torch.arange(q.shape[2]), q.shape[1] // k.shape[1]
        served = k.double().repeat_interleave(group, dim=1)
        if apart is None:
            found.append(encoding.scores(q.double(), served, at, at))
        else:
            columns = [
                encoding.scores(q.double(), served[:, :, [i]], torch.full_like(at, i + apart), at[[i]])
                for i in range(len(at))
            ]
            found.append(torch.cat(columns, dim=-1))

    read_layers(model, torch.from_numpy(tokens), take)
    return found


def test_the_papers_intervals_come_out_at_its_own_reach():
    assert near_far_intervals(10_100) == ((0, 100), (10_000, 10_100))
    with pytest.raises(InputError, match="reach=3 leaves near and far no room"):
        near_far_intervals(3)


@given(reach=st.integers(4, 600), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_pairs_lie_in_the_window_and_in_the_intervals(reach: int, seed: int):
    near, far = near_far_intervals(reach)
    assert 0 == near[0] < near[1] <= far[0] < far[1] == reach
    by_distance = draw_pairs("distances", reach, 300, seed)
    for side, (first, last) in enumerate((near, far)):
        distance = by_distance.query[side] - by_distance.key[side]
        assert max(first, 1) <= distance.min()  # a token with itself is no pair
        assert distance.max() <= last
        assert reach <= by_distance.query[side].min()
        assert by_distance.query[side].max() < 2 * reach
        assert by_distance.key[side].min() >= 0
    by_position = draw_pairs("positions", reach, 300, seed)
    for side, (first, last) in enumerate((near, far)):
        for places in (by_position.query[side], by_position.key[side]):
            assert first <= places.min()
            assert places.max() <= last
        assert (by_position.query[side] >= by_position.key[side]).all()


@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_that_of_the_drawn_pairs(name: str):
    """Again from the whole score matrices, pair by pair, with SciPy's own intervals and tests."""
    model, reach, count, pairs = phase_tiny.model(name), 24, 6, 90
    data = trained_gaps({name: model}, DOCUMENTS, reaches=[reach], count=count, pairs=pairs, seed=1)
    text = windows(DOCUMENTS, 2 * reach, count, seed=1)
    whole, apart = scores_of(model, text.tokens), scores_of(model, text.tokens, apart=1)
    for reading in ("distances", "positions"):
        drawn = draw_pairs(reading, reach, pairs, 1)
        window = np.arange(pairs) % count
        for layer, scores in enumerate(whole):
            size = 1e-10 * max(
                1.0, float(scores.abs().max())
            )  # float64 sums of a few numbers in another order
            for head in range(2):
                near, far = (
                    scores[window, head, drawn.query[side], drawn.key[side]].numpy() for side in range(2)
                )
                level = [apart[layer][window, head, drawn.query[s], drawn.key[s]].numpy() for s in range(2)]
                x = data.sel(checkpoint=name, reading=reading, reach=reach, layer=layer, head=head)
                assert float(x.sd) == pytest.approx((near - far).std(ddof=1), abs=size)
                drift = level[0] - level[1]
                for part, values in (("mean", near - far), ("drift", drift), ("due", near - far - drift)):
                    means = np.array([values[window == w].mean() for w in range(count)])
                    of_documents = [
                        means[np.array(text.documents) == d].mean() for d in sorted(set(text.documents))
                    ]
                    interval = stats.ttest_1samp(of_documents, 0).confidence_interval(0.95)
                    assert float(x[part]) == pytest.approx(np.mean(of_documents), abs=size)
                    prefix = "" if part == "mean" else f"{part}_"
                    found = [float(x[f"{prefix}{end}"]) for end in ("low", "high")]
                    if of_documents != [0] * len(of_documents):  # NoPE: SciPy's interval is nan
                        assert found == pytest.approx(list(interval), abs=10 * size)
                    if part != "drift":
                        names = {"mean": ("above", "t_p"), "due": ("due_above", "due_t_p")}[part]
                        assert float(x[names[0]]) == (means > 0).sum() / count
                        p = stats.ttest_1samp(of_documents, 0).pvalue if any(of_documents) else 1.0
                        assert float(x[names[1]]) == pytest.approx(p, rel=1e-6)
                        if any(of_documents):  # the test that the interval belongs to
                            assert (float(x[names[1]]) < 0.05) == (found[0] > 0 or found[1] < 0)


def blind(model: Llama) -> Llama:
    """Its queries are 0: what is left of the score is the encoding's own."""
    with torch.no_grad():
        for attention in model.attentions:
            attention.query.weight.zero_()
    return model


def test_alibi_alone_has_the_gap_of_its_slope_and_nope_none():
    reach, pairs, count = 24, 4000, 8
    models = {name: blind(phase_tiny.model(name)) for name in ("alibi", "nope")}
    data = trained_gaps(models, DOCUMENTS, reaches=[reach], count=count, pairs=pairs, seed=0)
    assert (abs(data.sel(checkpoint="nope")[["mean", "sd"]]).to_array() == 0).all()
    assert (abs(data.sel(checkpoint="alibi").drift) < 1e-12).all()
    assert (data.t_p.sel(checkpoint="nope") == 1).all()
    near, far = (np.arange(max(first, 1), last + 1) for first, last in near_far_intervals(reach))
    for head, slope in enumerate((2.0**-4, 2.0**-8)):
        x = data.sel(checkpoint="alibi", reading="distances", reach=reach, layer=1, head=head)
        gap, spread = slope * (far.mean() - near.mean()), slope * math.sqrt(far.var() + near.var())
        error = spread / math.sqrt(pairs)
        assert abs(float(x["mean"]) - gap) < 4 * error
        assert error < gap / 100
        assert float(x["above"]) == 1
        assert float(x.t_p_holm) < 1e-4


def test_nopes_gap_is_drift_and_nothing_else():
    """A trained head without position may prefer near tokens; distance has no part in it."""
    models = {name: phase_tiny.model(name) for name in ("nope", "tapa")}
    data = trained_gaps(models, DOCUMENTS, reaches=[24], count=6, pairs=90, seed=1)
    nope, tapa = data.sel(checkpoint="nope"), data.sel(checkpoint="tapa", reading="distances")
    assert (nope.due == 0).all()
    assert (nope.drift == nope["mean"]).all()
    assert (nope.due_t_p == 1).all()
    assert (abs(nope["mean"]) > 0).any()
    assert (abs(tapa.due) > 1e-3).any()


def test_what_is_said_of_the_whole():
    models = {name: phase_tiny.model(name) for name in MODELS}
    data = trained_gaps(models, DOCUMENTS, reaches=[8, 24], count=4, pairs=40, seed=0)
    sizes = {"checkpoint": 4, "reading": 2, "reach": 2, "layer": 2, "head": 2}
    assert dict(data.sizes) == sizes | {"bin": data.sizes["edge"] - 1, "edge": 81}
    assert data.method.values.tolist() == list(MODELS)
    assert data.trained_length.values.tolist() == [32] * 4
    assert data.paper_mean.sel(checkpoint=["rope", "tapa"]).values.tolist() == [4.1, 0.03]
    assert np.isnan(data.paper_sd.sel(checkpoint=["alibi", "nope"])).all()
    assert data.windows.values.tolist() == [4, 4]
    assert (data.low <= data["mean"]).all()
    assert data.documents.values.tolist() == [4, 4]
    assert (data.t_p_holm >= data.t_p).all()
    assert (data.due_t_p_holm >= data.due_t_p).all()
    room = trained_gaps({"tapa": models["tapa"]}, DOCUMENTS, reaches=[400], count=50, pairs=60, seed=0)
    assert int(room.windows[0]) == sum(len(tokens) // 800 for _, tokens in DOCUMENTS)


def test_windows_of_one_document_are_no_evidence_of_their_own():
    """Without any gap, documents apart: at 5 % a test over documents errs in 5 of 100, one over windows far oftener."""
    rng, documents, tries = np.random.default_rng(0), np.repeat(list("abcdefgh"), 8), 2000
    p = np.empty((tries, 2))
    for i in range(tries):
        windows_ = np.repeat(rng.normal(size=8), 8) + rng.normal(size=64)
        p[i, 0] = near_far._statistics(windows_, np.zeros(64), documents.tolist())["t_p"]
        p[i, 1] = stats.binomtest(
            int((windows_ > 0).sum()), len(windows_)
        ).pvalue  # of as many above 0 as below
    errs = (p < 0.05).mean(axis=0)
    assert abs(errs[0] - 0.05) < 4 * math.sqrt(0.05 * 0.95 / tries)
    assert errs[1] > 0.2


def test_a_t_test_of_few_numbers():
    assert math.isnan(near_far.t_test(np.array([1.0])))
    assert near_far.t_test(np.zeros(3)) == 1
    assert near_far.t_test(np.ones(3)) == 0
    values = np.array([0.3, -0.1, 0.4, 0.2])
    assert near_far.t_test(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


@given(p=hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(0, 1)))
def test_holms_step_down(p: np.ndarray):
    """Against the definition: reject p_(i) for as long as p_(j) <= level / (n - j + 1) for all j <= i."""
    adjusted = holm(p)
    assert (adjusted >= p).all()
    order = np.argsort(p, axis=None)
    for level in (0.01, 0.05, 0.5):
        passed = p.ravel()[order] * np.arange(p.size, 0, -1) <= level
        kept = len(passed) if passed.all() else int(np.argmin(passed))
        assert (np.sort(adjusted, axis=None) <= level).sum() == kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 1}, "10 pairs in 1 windows; give at least 2 windows"),
        ({"pairs": 3}, "3 pairs in 4 windows"),
        ({"models": {}}, "these are none"),
        ({"models": {"tapa": phase_tiny.model, "wide": lambda: phase_tiny.model(heads=4)}}, "wide: 2 x 4"),
        ({"models": {"window": lambda: phase_tiny.model("window")}}, "a score is not finite"),
        ({"reaches": [2000]}, "longer than every text"),
    ],
)
def test_bad_input_is_one_line(change: dict, message: str):
    models: dict[str, Callable[[], Llama]] = change.pop("models", {"tapa": phase_tiny.model})
    asked = {"reaches": [24], "count": 4, "pairs": 10, "seed": 0} | change
    with pytest.raises(InputError, match=message):
        trained_gaps({name: make() for name, make in models.items()}, DOCUMENTS, **asked)
