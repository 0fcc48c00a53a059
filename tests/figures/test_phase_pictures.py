"""The plotted data of the phase figures are the records', and every checkpoint has its pictures."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr

from analysis.errors import InputError
from analysis.heads.phase_targets import TARGETS
from analysis.records import read_summary
from analysis.schemas import PHASE_SEEDS
from analysis.studies import near_far, phase, phase_seeds
from analysis.studies.phase_dynamics import joined
from analysis.studies.settings import PhaseSettings
from figures import (
    catalogue,
    fig_20_phase_heads,
    fig_21_phase_ablations,
    fig_22_phase_tokens,
    fig_23_phase_decay,
    fig_24_phase_dynamics,
    fig_25_near_far_trained,
    fig_31_phase_controls,
    fig_32_phase_targets,
    style,
    widgets,
)
from tests.heads import tiny_phase

TEXT = "To be, or not to be:\nthat is the question"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phase")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return tiny_phase.save(tiny_phase.model(), folder / "run")


@pytest.fixture(scope="module")
def records(folder: Path, checkpoint: Path) -> dict[str, xr.Dataset]:
    texts = [folder / f"{i}.py" for i in range(3)]
    for i, path in enumerate(texts):
        path.write_text(tiny_phase.source(30, i))
    return {
        name: phase.measure_phase(
            checkpoint, texts, settings, arguments=["tapa"], progress=lambda *step: None
        )[0]
        for name, settings in (
            ("phase", PhaseSettings(2, 128, 0, tokens=False)),
            ("phase_short", PhaseSettings(3, 64, 4)),
        )
    }


@pytest.fixture(scope="module")
def gaps() -> xr.Dataset:
    models = {name: tiny_phase.model(name) for name in ("tapa", "rope")}
    documents = [(name, list(tiny_phase.source(40, i).encode())) for i, name in enumerate("abc")]
    found = near_far.trained_gaps(models, documents, reaches=(8, 24), count=6, pairs=120, seed=0)
    return found.assign_coords(label=("checkpoint", ["TAPA", "RoPE"]))


@pytest.fixture
def dynamic(records) -> xr.Dataset:
    first, later = (records["phase_short"].assign_attrs(training_step=step) for step in (0, 9))
    return joined([first, later.assign(phase_sd=2 * later.phase_sd)])


def by_loss(data: xr.Dataset) -> list[tuple[int, int]]:
    """Heads by what they lose without their cosine, by another way than `ranked`."""
    loses = data.head_change.sel(head_ablation="no cosine").stack(place=("layer", "head"))
    return [tuple(loses.place.values[i]) for i in np.argsort(-loses.values, kind="stable")]


def test_the_atlas_draws_the_heads_that_lose_most_first(records):
    data, short = records["phase"], records["phase_short"]
    axes = np.array(fig_20_phase_heads.draw(records).axes).reshape(4, 3)
    far, near = slice(1, 64), slice(1, 32)
    for (layer, head), (left, middle, right) in zip(by_loss(short), axes, strict=True):
        x, y = (part.sel(layer=layer, head=head) for part in (data, short))
        assert left.get_ylabel() == f"{layer}.{head}"
        for patch, one in zip(left.patches, (y, x), strict=True):
            steps = patch.get_data()
            np.testing.assert_array_equal(steps.edges, one.phase_edge)
            np.testing.assert_allclose(steps.values * np.diff(steps.edges), one.phase_share)
        for line, values in zip(middle.lines, (x.cosine[far], y.cosine[near]), strict=False):
            np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_array_equal(right.lines[0].get_ydata(), x.score[far])
        for line, (name, *_) in zip(right.lines[1:], fig_20_phase_heads.SCORES, strict=False):
            np.testing.assert_array_equal(line.get_ydata(), y[name][near])
            np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 32))
        assert [line.get_xdata()[0] for line in (middle.lines[-1], right.lines[-1])] == [32, 32]
        assert right.get_xscale() == "log"


def test_without_ablations_heads_keep_their_order(records):
    assert style.ranked(records["phase"]) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_ablation_bars_and_their_intervals(records):
    data = records["phase_short"]
    whole, single = fig_21_phase_ablations.draw(records).axes
    np.testing.assert_array_equal([bar.get_width() for bar in whole.patches], data.change)
    ends = np.array([segment[:, 0] for segment in whole.collections[0].get_segments()])
    np.testing.assert_allclose(ends, np.stack([data.change_low, data.change_high], axis=1))
    words = fig_21_phase_ablations.WORDS
    assert [label.get_text() for label in whole.get_yticklabels()] == [
        words[kind] for kind in data.ablation.values.tolist()
    ]
    ranked = by_loss(data)
    assert [label.get_text() for label in single.get_xticklabels()] == [f"{i}.{h}" for i, h in ranked]
    for container, kind in zip(single.containers, data.head_ablation.values, strict=True):
        x = data.head_change.sel(head_ablation=kind)
        np.testing.assert_array_equal(
            container[0].get_ydata(), [float(x.sel(layer=i, head=h)) for i, h in ranked]
        )


def test_knowledge_draws_shifts_with_their_certainty_and_every_probe(records):
    data = records["phase_short"]
    there = [p for p in data.property.values if np.isfinite(data.effect.sel(property=p)).any()]
    data = data.sel(property=there)
    shift, size, told, *_ = fig_22_phase_tokens.draw(records).axes
    for ax, name in ((shift, "effect"), (size, "effect_abs")):
        drawn = np.asarray(ax.images[0].get_array())
        expected = [data[name].sel(layer=i, head=h).values for i, h in by_loss(data)]
        np.testing.assert_array_equal(drawn, expected)
        low, high = ax.images[0].get_clim()
        assert low == -high == -np.nanmax(np.abs(expected))
        sure = {(int(x), int(y)) for x, y in np.asarray(ax.lines[0].get_xydata())}
        for y, (layer, head) in enumerate(by_loss(data)):
            one = data.sel(layer=layer, head=head)
            found = np.abs(one[name]) >= 4 * one[f"{name}_se"]
            assert {x for x, row in sure if row == y} == set(np.flatnonzero(found))
        assert [t.get_text() for t in ax.get_xticklabels()] == there
    assert [t.get_text().replace("\n", " ") for t in told.get_xticklabels()] == there
    for line, (name, *_) in zip(told.lines, fig_22_phase_tokens.TOLD, strict=False):
        expected = data.told.sel(told_by=name).transpose("property", "layer", "head").values.ravel()
        np.testing.assert_array_equal(line.get_ydata(), expected)
        assert set(np.round(line.get_xdata()).astype(int)) == set(range(len(there)))


def test_decay_draws_scores_slopes_variances_and_entropies(records):
    """Of each head the windows as long as trained, then the long ones, paler."""
    data = records["phase"]
    scores, slopes, variance, entropy = fig_23_phase_decay.draw(records).axes
    assert "eq 14" in slopes.get_title("right")
    for i, (layer, head) in enumerate(by_loss(records["phase_short"])):
        for j, (of, inner) in enumerate((("phase_short", slice(1, 32)), ("phase", slice(1, 64)))):
            x = records[of].sel(layer=layer, head=head)
            for ax, values in (
                (scores, x.score[inner]),
                (slopes, x.exponent_seen),
                (variance, x.variance_kept[inner]),
                (entropy, x.entropy_by_seen),
            ):
                line = ax.lines[2 * i + j]
                np.testing.assert_array_equal(line.get_ydata(), values)
                assert line.get_alpha() == (0.4 if of == "phase" else None)
    levels = [
        line.get_ydata()[0] for line in slopes.lines if line.get_ls() == "--" and len(line.get_xdata()) == 2
    ]
    assert levels == [float(data.exponent_paper[0, 0])]
    alike = np.asarray(entropy.lines[8].get_ydata())  # log 1; (log 2 + log 3) / 2; ...
    assert alike[:2] == pytest.approx([0.0, np.log(6) / 2])


def test_decay_draws_no_bound_of_eq_14_where_there_is_none(records):
    linear = {
        name: data.assign(exponent_paper=data.exponent_paper * np.nan) for name, data in records.items()
    }
    _, slopes, *_ = fig_23_phase_decay.draw(linear).axes
    assert slopes.get_title("right") == ""
    assert not [line for line in slopes.lines if line.get_ls() == "--" and len(line.get_xdata()) == 2]


def test_dynamics_draw_every_head_and_their_median(records, dynamic):
    axes = fig_24_phase_dynamics.draw({"phase_dynamics": dynamic}).axes
    *heads, median = axes[0].lines
    values = dynamic.phase_sd.isel(training_step=0).values.ravel()
    assert [line.get_ydata().tolist() for line in heads] == [[v, 2 * v] for v in values]
    np.testing.assert_allclose(median.get_ydata(), [np.median(values), 2 * np.median(values)])
    assert all(line.get_xdata().tolist() == [0, 9] for line in axes[0].lines)
    for container, kind in zip(axes[4].containers, fig_24_phase_dynamics.TAKEN, strict=True):
        np.testing.assert_array_equal(container[0].get_ydata(), dynamic.change.sel(ablation=kind))
    score = records["phase_short"].score[0, 0]  # of a model trained at 32: octaves 1 and 16 to 31
    pairs = 64 - np.arange(64)
    fall = float(score[1]) - float((score[16:32] * pairs[16:32]).sum() / pairs[16:32].sum())
    assert axes[5].lines[0].get_ydata()[0] == pytest.approx(fall, abs=1e-5)


def test_figure_1_of_trained_heads(gaps: xr.Dataset):
    rope, tapa, whole, due = fig_25_near_far_trained.draw({"trained_gaps": gaps}).axes
    names = gaps.checkpoint.values.tolist()
    assert [text.get_text() for text in whole.get_yticklabels()] == ["TAPA", "RoPE"]
    for ax, part, ends_of in ((whole, "mean", ("low", "high")), (due, "due", ("due_low", "due_high"))):
        for row, (name, (line, _, (bars,))) in enumerate(zip(names, ax.containers, strict=True)):
            x = gaps.sel(checkpoint=name, reading="distances", reach=8)
            np.testing.assert_allclose(line.get_xdata(), (x[part] / x["sd"]).values.ravel())
            assert (np.abs(np.asarray(line.get_ydata()) - row) < 0.5).all()
            ends = np.array([segment[:, 0] for segment in bars.get_segments()])
            np.testing.assert_allclose(ends, np.stack([(x[k] / x["sd"]).values.ravel() for k in ends_of], 1))
        paper = [line.get_xdata()[0] for line in ax.lines if line.get_lw() == 2.0]
        expected = (gaps.paper_mean / gaps.paper_sd).values.tolist() if part == "mean" else []
        assert paper == expected
    for ax, name, mean in ((rope, "rope", 4.1), (tapa, "tapa", 0.03)):
        for patch, reading in zip(ax.patches, ("distances", "positions"), strict=True):
            steps = patch.get_data()
            share = gaps.share.sel(checkpoint=name, reading=reading, reach=8)
            np.testing.assert_allclose(steps.values * np.diff(steps.edges), share)
            assert float(share.sum()) == pytest.approx(1)  # of heads of normal size nothing is outside
        curve = next(line for line in ax.lines if len(line.get_xdata()) > 2)
        assert curve.get_xdata()[np.argmax(curve.get_ydata())] == pytest.approx(mean, abs=0.05)


@pytest.fixture
def seeds() -> dict[str, Any]:
    """The committed record's first seed; and a second one of TAPA, whose losses are a tenth larger."""
    content = read_summary(catalogue.path_of("phase_seeds"), expect_schema=PHASE_SEEDS)
    rows = {name: row for name, row in content["rows"].items() if row["seed"] == 0}
    other = copy.deepcopy(rows["tapa-s0"]) | {"seed": 1}
    other["bits"] = {length: 1.1 * bits for length, bits in other["bits"].items()}
    rows["tapa-s1"] = other
    return content | {"rows": rows, "summary": phase_seeds.pool_seeds(rows)}


def test_controls_are_drawn_with_their_intervals(seeds: dict[str, Any]):
    figure = fig_31_phase_controls.draw({"phase_seeds": seeds})
    [ax] = figure.axes
    lines = {line.get_label(): line for line in ax.lines}
    assert set(lines) == {row["variant"] for row in seeds["rows"].values()}
    lengths = ("1", "2", "4", "8")
    first = [seeds["rows"]["tapa-s0"]["bits"][n] for n in lengths]
    assert lines["tapa"].get_ydata() == pytest.approx([1.05 * bits for bits in first])
    assert lines["nope"].get_ydata() == pytest.approx([seeds["rows"]["nope-s0"]["bits"][n] for n in lengths])
    assert not ax.collections  # two seeds give no interval
    more = copy.deepcopy(seeds)
    more["summary"]["seeds"]["tapa"].append(2)
    [drawn_of_more] = fig_31_phase_controls.draw({"phase_seeds": more}).axes
    bars = [segment[:, 1] for drawn in drawn_of_more.collections for segment in drawn.get_segments()]
    half = [12.706 * 0.1 * bits / 2 for bits in first]  # Student's t of two seeds: 12.706 standard errors
    assert np.ptp(bars, axis=1) == pytest.approx([2 * size for size in half], rel=1e-3)  # one seed has none
    assert "TAPA (2)" in [text.get_text() for text in ax.texts]
    less = seeds["summary"]["less"]["tapa_alpha0"]
    assert f"{-less['bits/8']['of'][0]:.2f}" in figure.get_suptitle()


def test_targets_are_drawn_head_by_head(seeds: dict[str, Any]):
    left, right = fig_32_phase_targets.draw({"phase_seeds": seeds}).axes
    found = seeds["summary"]["over_seeds"]["tapa"]
    for line, name in zip(left.lines, fig_32_phase_targets.CONDITIONS, strict=True):
        cells = [found[f"by_distance/{name}/{first}"]["of"][0] for first in (0, 1, 2, 4, 8, 16, 32, 64)]
        assert line.get_ydata() == pytest.approx(cells)
        assert sum(cells) == pytest.approx(1, abs=1e-3)
    assert [text.get_text() for text in left.get_xticklabels()][:4] == ["0", "1", "2-3", "4-7"]
    rows = seeds["rows"]
    heads = [head for name in ("tapa-s0", "tapa-s1") for head in rows[name]["targets"]["heads"].values()]
    points = [line for line in right.lines if line.get_marker() == "o"]
    assert list(fig_32_phase_targets.WORDS) == list(TARGETS)
    for y, name in enumerate(TARGETS):
        still, moved = points[2 * y : 2 * y + 2]
        sure = [head["shift"][name][0] for head in heads if name in (*head["raises"], *head["lowers"])]
        assert sorted(moved.get_xdata()) == sorted(sure)
        assert len(still.get_xdata()) + len(sure) == len(heads)
        assert all(abs(value - y) < 0.5 for value in (*still.get_ydata(), *moved.get_ydata()))
    thresholds = sorted(line.get_xdata()[0] for line in right.lines if line.get_ls() == ":")
    assert thresholds == [-seeds["rule"]["moves"], seeds["rule"]["moves"]]


def test_they_can_be_saved(gaps, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(style.RC, "savefig.dpi", 40)
    paths = style.save_figure(fig_25_near_far_trained.draw, {"trained_gaps": gaps}, tmp_path / "x")
    assert all(path.stat().st_size > 1000 for path in paths)


# the notebook's plot


@pytest.fixture
def tiny_models(checkpoint: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path)
    (tmp_path / "tapa.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes())
    widgets.reading.cache_clear()
    yield
    widgets.reading.cache_clear()


def test_two_tokens_and_their_phase_are_drawn(tiny_models):
    query, key = 30, 7
    axes = widgets.pair_plot(TEXT, query, key, 1, 0).axes
    row = widgets.reading("tapa", TEXT).row(1, 0, query)
    wave, phases, attention = axes
    x, y = wave.lines[0].get_data()
    np.testing.assert_allclose(y, np.cos(2 * np.pi * x**0.1 * row.phase[key]), atol=1e-12)
    assert wave.lines[1].get_xydata()[0] == pytest.approx([query - key, row.cosine[key]])
    for ax, values in ((phases, row.phase), (attention, row.attention)):
        np.testing.assert_array_equal([bar.get_height() for bar in ax.patches], values)
        letters = [label.get_text() for label in ax.get_xticklabels()]
        assert "".join(letters).replace("\u2423", " ").replace("\u00b6", "\n") == TEXT[: query + 1]


def test_sliders_redraw_what_they_say(tiny_models, monkeypatch):
    titles: list[str] = []
    monkeypatch.setattr(plt, "show", lambda: titles.append(plt.gcf().axes[1].get_title(loc="left")))
    sliders = {child.description: child for child in widgets.pair_explorer(TEXT).children[:5]}
    sliders["query"].value = 3
    sliders["key"].value = 10
    assert titles[-1] == "tapa 0.0: query 'n', key 'b', 7 apart"
    sliders["layer"].value = 1
    assert titles[-1].startswith("tapa 1.0:")
    assert plt.get_fignums() == []


def test_what_is_not_there_is_named(tiny_models):
    for asked, message in (
        ((TEXT, 3, 1, 0, 0, "rope"), "checkpoint 'rope' has no phase or is not there; known: tapa"),
        ((TEXT, 3, 4), "key=4 comes after query=3"),
        ((TEXT, 99, 4), r"query=99 is no token of the text; give 0 to 40"),
        ((TEXT, 3, -1), "key=-1 is no token"),
        ((TEXT, 3, 1, 2), "layer 2 does not exist; the model's are 0, 1"),
        (("x", 0, 0), "a text of 1 bytes has no pair"),
    ):
        with pytest.raises(InputError, match=message):
            widgets.pair_plot(*asked)


def test_a_row_is_what_the_model_does(checkpoint: Path):
    """Scores by the encoding itself, attention by the softmax of its whole matrix in float64."""
    from analysis.models.capture import read_layers
    from analysis.studies.token_pair import heads_of_text

    found = heads_of_text(checkpoint, TEXT)
    expected = []

    def take(layer, encoding, q, k, entropy):
        at = torch.arange(q.shape[2])
        scores = encoding.scores(q.double(), k.double().repeat_interleave(2, dim=1), at, at)
        hidden = at[:, None] < at
        expected.append((scores[0], scores[0].masked_fill(hidden, -torch.inf).softmax(dim=-1)))

    read_layers(tiny_phase.model(), torch.tensor([list(TEXT.encode())]), take)
    for layer, (scores, weights) in enumerate(expected):
        for head in range(2):
            for query in (0, 1, 40):
                row = found.row(layer, head, query)
                reach = 1e-4 * max(
                    1.0, float(scores.abs().max())
                )  # two float32 forwards, sums in another order
                np.testing.assert_allclose(row.score, scores[head, query, : query + 1], rtol=0, atol=reach)
                np.testing.assert_allclose(
                    row.attention, weights[head, query, : query + 1], rtol=0, atol=reach
                )
                assert row.attention.sum() == pytest.approx(1)
                np.testing.assert_array_equal(row.distance, query - np.arange(query + 1))


def test_losses_are_running_means_at_the_tokens_that_they_end_with():
    losses = {"a": [4.0, 3.0, 2.0, 1.0], "b": [1.0] * 4}
    (ax,) = widgets.losses_plot(losses, tokens_per_step=10, mean_of=2).axes
    first, second = ax.lines
    assert first.get_xydata().tolist() == [[20, 3.5], [30, 2.5], [40, 1.5]]
    assert second.get_ydata().tolist() == [1.0] * 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    with pytest.raises(InputError, match="mean_of=5"):
        widgets.losses_plot(losses, tokens_per_step=10)
