"""The figures of TAPA and its rivals draw what their records hold, and the sliders what they say."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh

from analysis.encodings import Tapa
from analysis.records import Provenance, read, write
from analysis.sampling.random_transformer import Shape
from analysis.studies import encodings_compared, near_far, precision, random_heads, tapa_moments
from analysis.theory import tapa
from figures import catalogue, style, widgets
from tests.figures.test_pictures import against, assert_plotted, few_pixels, lines, module

__all__ = ["few_pixels"]  # a fixture that every test here uses
NAMES = (
    "tapa_mean",
    "tapa_variance",
    "tapa_map",
    "encodings_compared",
    "near_far_untrained",
    "precision",
    "random_heads",
)
LAGS, SAMPLED = np.array([1.0, 2.0, 3.0, 9.0, 64.0]), np.array([1.0, 9.0])
SHAPE = Shape(hidden=16, layers=2, heads=2, feed_forward=24)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, xr.Dataset]:
    """Small records of every kind, written and read as the tasks do."""
    folder = tmp_path_factory.mktemp("records")
    (folder / "a.txt").write_text("It was the best of times, it was the worst of times. " * 20)
    hidden = random_heads.hidden_of_texts([folder / "a.txt"], SHAPE, 2, 48, seed=0)
    far = np.append(LAGS, 2.0**17)  # beyond float16
    family = {"head_dim": 16, "base": 1e4, "trained_length": 32, "length": 64}
    made = {
        "tapa_mean": tapa_moments.mean_curves((0.1, 1.0), LAGS, SAMPLED, head_dim=8, samples=64, seed=0),
        "tapa_variance": tapa_moments.variance_curves(
            0.1, (0.03, 0.1, 0.3, 1.0), LAGS, SAMPLED, head_dim=8, samples=64, seed=0
        ),
        "tapa_map": tapa_moments.phase_map(
            tapa_moments.log_grid(0.01, 1, 6), tapa_moments.log_grid(0.001, 3, 7), head_dim=8
        ),
        "rivals": encodings_compared.rival_curves((0.0, 0.2), LAGS, SAMPLED, samples=64, seed=0, **family),
        "near_far": near_far.untrained_gaps(hidden, SHAPE, heads=3, pairs=100, resamples=100, seed=0),
        "precision": precision.score_errors(Tapa(8), far, (0.1, 1.0), samples=64, seed=0),
        "random_heads": random_heads.untrained_heads(hidden, SHAPE, draws=4, seed=0),
    }
    assert set(made) == {key for name in NAMES for key in catalogue.FIGURES[name].needs}
    provenance = Provenance.collect(
        ["tapa", "figures"], {}, seeds={}, device="cpu", precision="float64", threads=1, seconds=1.0
    )
    found = {}
    for name, dataset in made.items():
        write(dataset, folder / f"{name}.nc", provenance, schema=catalogue.record_row(name).schema)
        found[name] = read(folder / f"{name}.nc", expect_schema=catalogue.record_row(name).schema)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_saved_with_labels_and_no_wider_than_a_page(name: str, records, tmp_path: Path):
    figure = module(name).draw(records)
    assert figure.get_size_inches()[0] <= style.PAGE
    for ax in figure.axes[:1]:
        assert ax.get_ylabel() or ax.get_yticklabels()
    texts = " ".join(ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes)
    assert any(unit in texts for unit in ("(tokens)", "(turns", "score"))
    pdf, png = style.save_figure(module(name).draw, records, tmp_path / name)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert plt.imread(png).std() > 0.01


def bars(ax: Axes) -> list[np.ndarray]:
    """Ends of every group of error bars, low and high."""
    groups = [c for c in ax.collections if hasattr(c, "get_segments")]
    return [np.array([segment[:, 1] for segment in group.get_segments()]) for group in groups]


def test_the_mean_with_its_bound_and_its_slope(records):
    data = records["tapa_mean"]
    means, gaps, slopes = module("tapa_mean").draw(records).axes
    expected = [against(data.distance, np.exp(x)) for x in data.log_mean]
    curves = [line for line in lines(means) if len(line) == len(LAGS)]
    assert_plotted(curves, expected)
    digits = [(bound - mean) / np.log(10) for bound, mean in zip(data.log_bound, data.log_mean, strict=True)]
    assert_plotted(lines(gaps), [against(data.distance, x) for x in digits])
    assert_plotted(lines(slopes), [against(data.distance, x) for x in data.exponent])
    levels = [line for line in slopes.lines if line.get_ls() == "--" and len(line.get_xdata()) == 2]
    assert [line.get_ydata()[0] for line in levels] == [-0.4]  # alpha n
    shown = [segments for segments in bars(means) if len(segments)]
    small = data.sel(phase_sd=0.1, estimator="conditional-sobol")
    ends = np.stack([small.estimate - 2 * small.estimate_se, small.estimate + 2 * small.estimate_se], 1)
    assert any(len(one) == 2 and np.allclose(one, ends) for one in shown)


def test_draws_that_are_noise_or_not_trusted_are_left_out(records):
    data = records["tapa_mean"]
    changed = data.assign(trusted=data.trusted & False)
    means = module("tapa_mean").draw({"tapa_mean": changed}).axes[0]
    assert [len(segments) for segments in bars(means)] == [0] * len(bars(means))


def test_the_variance_of_every_law(records):
    data = records["tapa_variance"]
    left, right = module("tapa_variance").draw(records).axes
    closed = [x for x in data.exact if np.isfinite(x).all()]
    curves = [line for line in lines(left) if len(line) == len(LAGS)]
    assert_plotted(curves, [against(data.distance, x) for x in closed])
    assert len(closed) == 5
    for segments, law in zip(bars(left), data.law.values, strict=True):
        x = data.sel(law=law)
        expected = [x.estimate - 2 * x.estimate_se, x.estimate + 2 * x.estimate_se]
        np.testing.assert_allclose(segments, np.stack(expected, 1))
    assert_plotted(lines(right), [against(data.distance, x) for x in data.by_phase])
    for ax in (left, right):
        assert 1.0 in [line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 2]


def test_the_map_with_its_borders_and_marks(records):
    data = records["tapa_map"]
    ax = module("tapa_map").draw(records).axes[0]
    mesh = next(c for c in ax.collections if isinstance(c, QuadMesh))
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(6, 7), (data.near - data.far).values)
    assert mesh.get_clim() == (0, 1)
    marks = [line.get_xydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(marks, against(data.mark_sd, np.full(4, 0.1)))
    levels = sorted(float(c.levels[0]) for c in ax.collections if hasattr(c, "levels"))
    assert levels == [data.gone, data.blind]


def test_every_rival_has_its_panel(records):
    data = records["rivals"]
    *axes, legend = module("encodings_compared").draw(records).axes
    assert [ax.get_title().replace("\n", " ") for ax in axes] == data.rival.values.tolist()
    assert len(legend.get_legend().get_texts()) == 4
    for ax, name in zip(axes, data.rival.values, strict=True):
        x = data.sel(rival=name)
        expected = [
            against(x.distance, x[what].sel(mu=mu)) for mu in data.mu.values for what in ("mean", "sd")
        ]
        assert_plotted([line for line in lines(ax) if len(line) == len(LAGS)], expected)
        first = x.sel(mu=0.0)
        ends = np.stack([first.estimate - 2 * first.estimate_se, first.estimate + 2 * first.estimate_se], 1)
        np.testing.assert_allclose(bars(ax)[0], ends)


def test_figure_1s_protocol_beside_the_papers_numbers(records):
    data = records["near_far"]
    figure = module("near_far_untrained").draw(records)
    for ax, what in zip(figure.axes, ("mean", "sd"), strict=True):
        papers = [line.get_xdata()[0] for line in ax.lines if line.get_lw() == 1.6]
        assert papers == data[f"paper_{what}"].values.tolist()
        points = [line.get_xdata() for line in ax.lines if line.get_marker() in "o^"]
        expected = [
            data[what].sel(rival=rival, initialisation=name, reading=reading).values
            for rival in data.rival.values
            for name in data.initialisation.values
            for reading in ("distances", "positions")
        ]
        np.testing.assert_array_equal(points, expected)
    intervals = [c for c in figure.axes[0].collections if hasattr(c, "get_segments")]
    first = data.mean_interval.sel(rival="RoPE", initialisation="normal", reading="distances")
    ends = np.array([segment[:, 0] for segment in intervals[0].get_segments()])
    np.testing.assert_allclose(ends, first.transpose("head", "bound").values)


def test_precision_draws_both_ways_and_where_a_type_ends(records):
    data = records["precision"]
    axes = module("precision").draw(records).axes
    for ax, name in zip(axes, data["dtype"].values, strict=True):
        expected = [
            against(data.distance, data.error.sel({"dtype": name, "phase_sd": sd, "phases_in": where}))
            for sd in data.phase_sd.values
            for where in ("float32", "own type")
        ]
        assert_plotted([line for line in lines(ax) if len(line) == data.sizes["distance"]], expected)
        assert any("too far" in text.get_text() for text in ax.texts) == (name == "float16")


def test_random_heads_draw_bands_heads_and_the_mean_over_weights(records):
    data = records["random_heads"]
    axes = np.array(module("random_heads").draw(records).axes).reshape(2, 3)
    for row, rival in zip(axes, data.rival.values, strict=True):
        for ax, name in zip(row, data.initialisation.values, strict=True):
            x = data.sel(rival=rival, initialisation=name, distance=slice(1, 0.75 * 47))
            heads = [against(x.distance, x.score.isel(head=i)) for i in range(3)]
            assert_plotted(lines(ax), [*heads, against(x.distance, x.weights_mean)])
            bands = [
                np.asarray(c.get_paths()[0].vertices) for c in ax.collections if isinstance(c, PolyCollection)
            ]
            edges = (x.band.isel(quantile=0), x.band.isel(quantile=1), x.weights_mean - 2 * x.weights_se)
            for band, edge in zip(bands, edges, strict=True):
                assert {*map(tuple, against(x.distance, edge))} <= {*map(tuple, band)}


# the notebook's plot


def test_the_plot_of_tapa_draws_its_mean_and_spread():
    figure = widgets.tapa_plot(alpha=0.2, amplitude_share=0.25, phase_sd=0.3, head_dim=16, longest=500)
    mean, spread = (np.asarray(line.get_xydata()) for line in figure.axes[0].lines[:2])
    law = tapa_moments.mean_law(16, 0.3, 4)  # the phase's size in the law, not in a factor
    settings = {"alpha": 0.2, "amplitude_share": 0.25}
    found, whole = tapa.tapa_moments(law, mean[:, 0], **settings), tapa.tapa_moments(law, 0.0, **settings)
    assert mean[:, 1] == pytest.approx(found.mean / whole.mean)
    assert spread[:, 1] == pytest.approx(np.sqrt(found.variance / whole.variance))
    assert "4 + 12 dimensions" in figure.axes[0].get_title(loc="left")


def test_sliders_redraw_what_they_say(monkeypatch: pytest.MonkeyPatch):
    drawn: list[list[np.ndarray]] = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(lines(plt.gcf().axes[0])))
    explorer = widgets.tapa_explorer()
    sliders = {child.description: child for child in explorer.children if hasattr(child, "description")}
    assert set(sliders) == {"alpha", "share", "phase sd"}
    for name, value, settings in (
        ("alpha", 0.5, {"alpha": 0.5}),
        ("share", 0.25, {"alpha": 0.5, "amplitude_share": 0.25}),
        ("phase sd", 1.0, {"alpha": 0.5, "amplitude_share": 0.25, "phase_sd": 1.0}),
    ):
        sliders[name].value = value
        assert_plotted(drawn[-1], lines(widgets.tapa_plot(**settings).axes[0]))
        plt.close("all")
