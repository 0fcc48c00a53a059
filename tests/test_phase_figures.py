"""The plotted data of the phase figures are the record's."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from analysis.heads import phase_job
from analysis.heads.phase_job import Settings
from figures import atlas, style
from tests import phase_tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    folder = tmp_path_factory.mktemp("run")
    texts = [folder / f"{i}.py" for i in range(2)]
    for i, path in enumerate(texts):
        path.write_text(phase_tiny.source(20, i))
    return phase_job.measure_phase(
        phase_tiny.save(phase_tiny.model(), folder / "run"),
        texts, Settings(2, 128, 4, tokens=False), arguments=["tapa"], progress=lambda *step: None,
    )[0]  # fmt: skip


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_atlas_draws_the_heads_that_lose_most(data: xr.Dataset):
    figure = atlas.atlas(data, heads=3)
    axes = np.array(figure.axes).reshape(3, 3)
    loses = data.head_change.sel(head_ablation="no cosine").stack(place=("layer", "head"))
    expected = [loses.place.values[i] for i in np.argsort(-loses.values)[:3]]
    inner = slice(1, 64)
    for (layer, head), (left, middle, right) in zip(expected, axes, strict=True):
        x = data.sel(layer=layer, head=head)
        assert left.get_ylabel() == f"{layer}.{head}"
        steps = left.patches[0].get_data()
        np.testing.assert_array_equal(steps.edges, x.phase_edge)
        np.testing.assert_allclose(steps.values * np.diff(steps.edges), x.phase_share)
        np.testing.assert_array_equal(middle.lines[0].get_ydata(), x.cosine[inner])
        for line, (name, *_) in zip(right.lines, atlas.SCORES, strict=False):
            np.testing.assert_array_equal(line.get_ydata(), x[name][inner])
            np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 64))
        assert right.get_xscale() == "log"


def test_without_ablations_heads_keep_their_order(data: xr.Dataset):
    plain = data.drop_vars([name for name in data if "change" in str(name)])
    assert atlas.ranked(plain) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len(atlas.atlas(plain).axes) == 12


def test_ablation_bars_and_their_intervals(data: xr.Dataset):
    whole, single = atlas.ablations(data).axes
    np.testing.assert_array_equal([bar.get_width() for bar in whole.patches], data.change)
    ends = np.array([segment[:, 0] for segment in whole.collections[0].get_segments()])
    np.testing.assert_allclose(ends, np.stack([data.change_low, data.change_high], axis=1))
    assert [label.get_text() for label in whole.get_yticklabels()] == data.ablation.values.tolist()
    ranked = atlas.ranked(data)
    assert [label.get_text() for label in single.get_xticklabels()] == [f"{i}.{h}" for i, h in ranked]
    for container, kind in zip(single.containers, data.head_ablation.values, strict=True):
        x = data.head_change.sel(head_ablation=kind)
        np.testing.assert_array_equal(
            container[0].get_ydata(), [float(x.sel(layer=i, head=h)) for i, h in ranked]
        )


def test_dynamics_draw_every_head_and_their_median(data: xr.Dataset):
    later = data.assign(phase_sd=2 * data.phase_sd).assign_attrs(training_step=9)
    axes = atlas.dynamics(phase_job.dynamics([data, later])).axes
    *heads, median = axes[0].lines
    values = data.phase_sd.values.ravel()
    assert [line.get_ydata().tolist() for line in heads] == [[v, 2 * v] for v in values]
    np.testing.assert_allclose(median.get_ydata(), [np.median(values), 2 * np.median(values)])
    assert all(line.get_xdata().tolist() == [3, 9] for line in axes[0].lines)


def test_they_can_be_saved(data: xr.Dataset, tmp_path: Path):
    paths = style.save(lambda records: atlas.ablations(records["phase"]), {"phase": data}, tmp_path / "x")
    assert all(path.stat().st_size > 1000 for path in paths)
