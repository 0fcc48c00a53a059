"""Figures draw what their records hold: plotted data, not pixels; and the graph runs what is out of date."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import analysis
from analysis.models.huggingface import Checkpoint
from analysis.models.load import PretrainedModel
from analysis.records import Provenance, read, write
from analysis.studies import closed_form
from analysis.studies.distance_bias import measure
from analysis.theory import frequencies, rope
from analysis.theory.frequencies import plain
from figures import catalogue, style, widgets
from tests import tiny_models

HERE = (
    "assumption_2_1",
    "bias_by_base",
    "rope_family",
    "distance_bias",
)  # drawn from synthetic records below
NAMES = list(catalogue.FIGURES)


def module(name: str) -> ModuleType:
    return importlib.import_module(catalogue.FIGURES[name].drawn_by.partition(":")[0])


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pixels: they are not what is tested."""
    monkeypatch.setitem(style.RC, "savefig.dpi", 40)


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, xr.Dataset]:
    """Small records of every kind, written and read as the tasks do."""
    tokens = np.random.default_rng(0).integers(0, 96, (3, 40))
    model = PretrainedModel(Checkpoint.of(tiny_models.build("llama", dtype=torch.float64), name="tiny"))
    base, head_dim, trained, length = 1e4, 32, 128, 1024
    made = {
        "closed_form": closed_form.base_curves((1e4, 5e5, 1e6), 16, rope.spread_distances(4096, 60)),
        "family": closed_form.family_curves(
            frequencies.family(base, head_dim, trained, length), rope.spread_distances(2 * length, 60)
        ).assign_attrs(base=base, head_dim=head_dim, trained_length=trained, length=length),
        "smollm2": measure(model, tokens, seed=0).assign_attrs(model="tiny"),
    }
    folder, provenance = tmp_path_factory.mktemp("records"), Provenance.collect(
        ["tapa", "figures"], {}, seeds={}, device="cpu", precision="float64", threads=1, seconds=1.0
    )  # fmt: skip
    found = {}
    for name, dataset in made.items():
        schema = catalogue.record_row(name).schema
        write(dataset, folder / f"{name}.nc", provenance, schema=schema)
        found[name] = read(folder / f"{name}.nc", expect_schema=schema)
    return found


def lines(ax: Axes) -> list[np.ndarray]:
    """What was plotted against distance or pair, without straight lines across the axes."""
    return [np.asarray(line.get_xydata(), dtype=float) for line in ax.lines if len(line.get_xdata()) > 2]


def against(x: xr.DataArray | np.ndarray, y: xr.DataArray | np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)], axis=1)


def assert_plotted(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Exactly these curves, in this order."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# what every figure is


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_what_it_is(name: str):
    assert (module(name).__doc__ or "").startswith(f"Figure {catalogue.FIGURES[name].number}: ")


@pytest.mark.parametrize("name", HERE)
def test_a_figure_is_saved_as_pdf_and_png(name: str, records, tmp_path: Path):
    figure = module(name)
    pdf, png = style.save_figure(
        figure.draw, {key: records[key] for key in catalogue.FIGURES[name].needs}, tmp_path / "new" / name
    )
    assert (pdf.name, png.name) == (f"{name}.pdf", f"{name}.png")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"/CreationDate" not in pdf.read_bytes()
    assert plt.imread(png).std() > 0.01


def test_the_same_data_make_the_same_pdf_and_other_data_another(records, tmp_path: Path):
    data = records["closed_form"]
    first, second, other = (
        style.save_figure(module("bias_by_base").draw, {"closed_form": x}, tmp_path / str(i))[0].read_bytes()
        for i, x in enumerate((data, data, data.assign(cos_sum=0.9 * data.cos_sum)))
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize("name", HERE)
def test_axes_are_labelled_and_no_wider_than_a_page(name: str, records):
    figure: Figure = module(name).draw(records)
    assert figure.get_size_inches()[0] <= style.PAGE
    texts = " ".join(ax.get_xlabel() + " " + ax.get_ylabel() for ax in figure.axes)
    assert "(tokens)" in texts or "pair d" in texts
    assert all(ax.get_ylabel() for ax in figure.axes[:1])


def test_colours_are_told_apart_without_hue():
    """Luminance (ITU-R BT.709) of any two neighbours in the cycle differs by what grey print shows."""
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in style.CYCLE])
    luminance = rgb @ [0.2126, 0.7152, 0.0722]
    assert np.abs(np.diff(luminance)).min() > 0.03
    assert len(set(style.CYCLE)) == len(style.CYCLE)


# plotted data


def test_bias_by_base_draws_sums_and_limits(records):
    data = records["closed_form"]
    figure = module("bias_by_base").draw(records)
    for ax, kind in zip(figure.axes, ("cos", "sin"), strict=True):
        expected = [
            against(data.distance, data[f"{kind}_{what}"].sel(base=base))
            for base in data.base
            for what in ("sum", "limit")
        ]
        assert_plotted(lines(ax), expected)
        assert ax.get_xscale() == "log"
        bases = [
            line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2 and line.get_ls() == ":"
        ]
        assert bases == data.base.values.tolist()
    assert {text.get_text() for text in figure.axes[0].texts} >= {"base 1e4", "base 5e5", "base 1e6"}
    assert "16 dimensions" in figure.axes[1].get_title(loc="right")


def test_family_draws_every_scheme_beside_plain_rope(records):
    data = records["family"]
    figure = module("rope_family").draw(records)
    others = [str(name) for name in data.scheme.values if name != "RoPE"]
    plain = against(data.distance, data.gamma.sel(scheme="RoPE"))
    for ax, name in zip(figure.axes, others, strict=True):
        assert_plotted(lines(ax), [plain, against(data.distance, data.gamma.sel(scheme=name))])
        assert ax.get_title().startswith(name)
        factor = float(data.attention_factor.sel(scheme=name))
        said = [text.get_text() for text in ax.texts]
        assert said == ([] if factor == 1 else [rf"scores $\times$ {factor:.2f}$^2$"])
        low, high = ax.get_ylim()
        inside = (data.gamma.sel(scheme=name) >= low) & (data.gamma.sel(scheme=name) <= high)
        assert inside.all()


def test_heads_draws_maps_and_six_heads(records):
    data = records["smollm2"].sel(first_token="dropped")
    figure = module("distance_bias").draw(records)
    maps = [ax for ax in figure.axes if ax.images and ax.get_xlabel() == "head"]
    for ax, expected in zip(maps, (data.distance_share, data.r2_bias.sel(weighting="log")), strict=True):
        np.testing.assert_array_equal(np.asarray(ax.images[0].get_array()), expected.values)
        assert ax.images[0].origin == "lower"
        assert ax.images[0].get_clim() == (0, 1)
    curves_of = [ax for ax in figure.axes if ax.lines]
    assert len(curves_of) == 6
    for ax, i in zip(curves_of, range(6), strict=True):
        layer, head = int(data.telling_layer[i]), int(data.telling_head[i])
        assert_head(ax, data, layer, head)
        why = data.telling_why.values[i]
        assert ax.get_title(loc="left") == f"{i + 1}: layer {layer}, head {head},\n{why}"
    for ax in maps:
        marked = {
            (int(text.get_position()[1]), int(text.get_position()[0]))
            for text in ax.texts
            if text.get_text().isdigit()
        }
        assert marked == {(int(data.telling_layer[i]), int(data.telling_head[i])) for i in range(6)}


def test_the_overview_draws_the_map_and_two_heads(records):
    data = records["smollm2"].sel(first_token="dropped")
    figure = module("overview").draw(records)
    (heads,) = [ax for ax in figure.axes if ax.images and ax.get_xlabel() == "layer"]
    np.testing.assert_array_equal(np.asarray(heads.images[0].get_array()), data.distance_share.values.T)
    why = data.telling_why.values.tolist()
    curves_of = [ax for ax in figure.axes if ax.lines]
    for ax, name in zip(curves_of, ("median head", "largest near-far gap"), strict=True):
        i = why.index(name)
        assert_head(ax, data, int(data.telling_layer[i]), int(data.telling_head[i]))


def assert_head(ax: Axes, data: xr.Dataset, layer: int, head: int) -> None:
    """Means over bins of at most an eighth of an octave, by another way than `style.binned`."""
    x = data.sel(layer=layer, head=head).isel(distance=slice(1, data.sizes["distance"] // 2))
    x = x[["measured", "measured_se", "bias", "shuffled", "paper"]].astype(float)
    names = ("measured", "bias", "shuffled", "paper")
    bins = bins_of(x.distance.values)
    found = lines(ax)
    assert len(found) == len(names)
    for name, curve in zip(names, found, strict=True):
        np.testing.assert_allclose(curve[:, 0], [np.exp(np.log(one).mean()) for one in bins])
        np.testing.assert_allclose(curve[:, 1], [float(x[name].sel(distance=one).mean()) for one in bins])
    (band,) = ax.collections
    ends = np.asarray(band.get_paths()[0].vertices)
    for sign in (-2, 2):
        edge = [float((x.measured + sign * x.measured_se).sel(distance=one).mean()) for one in bins]
        for at, value in zip(found[0][:, 0], edge, strict=True):
            assert np.abs(ends - [at, value]).sum(axis=1).min() < 1e-9
    low, high = ax.get_ylim()
    for curve in found:
        assert low <= curve[:, 1].min() <= curve[:, 1].max() <= high


def bins_of(distances: np.ndarray) -> list[np.ndarray]:
    """Whole distances by the eighth of an octave in which they lie, rounded to whole distances."""
    edges = sorted({round(2 ** (i / 8)) for i in range(8 * 30)})
    place = np.searchsorted(edges, distances, side="right")
    return [distances[place == i] for i in np.unique(place)]


def test_assumption_draws_pairs_with_errors_and_all_heads(records):
    data = records["smollm2"].sel(first_token="dropped", part="all")
    figure = module("assumption_2_1").draw(records)
    everything, *heads = [ax for ax in figure.axes if ax.lines]
    assert len(heads) == 6
    for ax, i in zip(heads, range(6), strict=True):
        x = data.sel(layer=int(data.telling_layer[i]), head=int(data.telling_head[i]))
        assert_plotted(lines(ax), [against(x.pair, x.mu), against(x.pair, x.nu)])
        for name, bars in zip(("mu", "nu"), ax.collections, strict=True):
            ends = np.stack([segment[:, 1] for segment in bars.get_segments()])
            np.testing.assert_allclose(
                ends, np.stack([x[name] - 2 * x[f"{name}_se"], x[name] + 2 * x[f"{name}_se"]], 1)
            )
        levels = [line.get_ydata()[0] for line in ax.lines if line.get_ls() == "--"]
        assert levels == [float(x.mu.mean()), float(x.nu.mean())]
    expected = [
        against(abs(data[f"{name}_pair_mean"]).values.ravel(), data[f"{name}_pair_sd"].values.ravel())
        for name in ("mu", "nu")
    ]
    assert_plotted(lines(everything), expected)
    assert (everything.get_xscale(), everything.get_yscale()) == ("log", "log")


# the notebooks' plots


def test_bias_plot_draws_the_sum_and_its_limit():
    figure = widgets.bias_plot(base=5e5, head_dim=32, length=512, mu=0.5, nu=-1.0)
    frequencies = plain(5e5, 32)
    distance = rope.spread_distances(512, 1200)
    expected = [
        against(distance, of(frequencies, distance, mu=0.5, nu=-1.0))
        for of in (rope.gamma_of, rope.gamma_limit)
    ]
    assert_plotted(lines(figure.axes[0]), expected)


@pytest.mark.parametrize("first_token", ["kept", "dropped"])
def test_head_plot_draws_one_head(first_token: str, records):
    figure = widgets.head_plot(records["smollm2"], 2, 3, first_token)
    assert_head(figure.axes[0], records["smollm2"].sel(first_token=first_token), 2, 3)


def test_sliders_redraw_what_they_say(records, monkeypatch: pytest.MonkeyPatch):
    """Moving a slider draws the plain function with its value, shows it once and lets go of it."""
    shown: list[list[np.ndarray]] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(lines(plt.gcf().axes[0])))
    for explorer, moved, expected in (
        (widgets.bias_explorer(), {"head_dim": 16}, lines(widgets.bias_plot(head_dim=16).axes[0])),
        (
            widgets.head_explorer(records["smollm2"]),
            {"layer": 1},
            lines(widgets.head_plot(records["smollm2"], 1, 0).axes[0]),
        ),
    ):
        plt.close("all")
        sliders = {child.description: child for child in explorer.children if hasattr(child, "description")}
        for name, value in moved.items():
            sliders[name.replace("_", " ")].value = value
        assert_plotted(shown[-1], expected)
        assert plt.get_fignums() == []


def test_a_head_explorer_offers_every_head(records):
    sliders = widgets.head_explorer(records["smollm2"]).children
    assert {s.description: s.max for s in sliders if hasattr(s, "max")} == {"layer": 2, "head": 3}


def test_a_committed_picture_is_written_again_only_when_its_data_change(records, tmp_path: Path):
    kept, data = tmp_path / "kept.png", records["closed_form"]
    draw = module("bias_by_base").draw

    def saved(factor: float) -> bytes:
        style.save_figure(
            draw, {"closed_form": data.assign(cos_sum=factor * data.cos_sum)}, tmp_path / "x", kept
        )
        return kept.read_bytes()

    first = saved(1.0)
    assert style.data_in(tmp_path / "x.png") is None
    assert saved(1 + 1e-5) == first
    assert saved(0.9) != first
    assert style.shows(kept, style.plotted(draw({"closed_form": data.assign(cos_sum=0.9 * data.cos_sum)})))
    assert not style.shows(kept, style.plotted(draw({"closed_form": data})))


def test_a_figure_is_described_in_its_own_words():
    figure = widgets.bias_plot(length=256)
    words = widgets.words_of_figure(figure)
    assert words == (
        r"expected score / $\sqrt{D}$ over distance (tokens): exact, D = 128, limit of many pairs"
    )
    plt.close(figure)
    picture = analysis.plot(analysis.curve(plain(1e4, 8), to=64))
    assert widgets.words_of_figure(picture) == picture.description
