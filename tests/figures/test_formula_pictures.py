"""The figure of the mean score's shapes draws what its two records hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from analysis.studies import formula_fit
from figures import fig_33_mean_score_shapes as figure
from tests.figures.test_pictures import few_pixels
from tests.studies.test_formula_fit import curves

__all__ = ["few_pixels"]  # a fixture that every test here uses


def real(rng: np.random.Generator) -> dict[str, Any]:
    def one(free: int) -> dict[str, Any]:
        value = rng.uniform(-0.5, 1)
        return {
            "free": free,
            "measured": np.sort(rng.uniform(0, 1, 3)).tolist(),
            "other_texts": [value, value - 0.1, value + 0.2],
        }

    shapes = {
        kind: {shape: one(i % 3) for i, shape in enumerate(formula_fit.SHAPES)} for kind in ("log", "uniform")
    }
    return {"model": "tiny", "texts": ["a", "b", "c"], "means_explain": 0.99, "shapes": shapes}


@pytest.fixture(scope="module")
def records() -> dict[str, Any]:
    data = xr.concat([formula_fit.fits_of([curves(seed)]).drop_dims("row") for seed in (1, 2)], "model")
    data = data.drop_vars(("layer", "head"), errors="ignore").assign_coords(model=["RoPE", "partial RoPE"])
    return {
        "formula_shapes": real(np.random.default_rng(0)),
        "formula_fit": data,
        "formula_fit_smollm2": data.isel(model=[1]).assign_coords(model=["tiny"]),
    }


def test_every_shape_is_drawn_with_its_interval_over_texts(records: dict[str, Any]):
    a, b = figure.draw(records).axes
    assert list(figure.SHAPES) == sorted(formula_fit.SHAPES, key=list(figure.SHAPES).index)
    assert set(figure.SHAPES) == set(formula_fit.SHAPES)
    assert [c.get_label() for c in a.containers] == [
        "octaves of distance alike", "distances alike", "octaves alike, mean score"
    ]  # fmt: skip
    own = records["formula_fit_smollm2"].sel(figure.UNSEEN).sel(shape=list(figure.SHAPES), model="tiny")
    np.testing.assert_allclose(a.containers[2].lines[0].get_xdata(), own.r2_median)
    for container, kind in zip(a.containers[:2], ("log", "uniform"), strict=True):
        ends = np.array([records["formula_shapes"]["shapes"][kind][s]["other_texts"] for s in figure.SHAPES])
        np.testing.assert_allclose(container.lines[0].get_xdata(), ends[:, 0])
        bars = np.array([line[:, 0] for line in container.lines[2][0].get_segments()])
        np.testing.assert_allclose(bars, ends[:, 1:])
    at = records["formula_fit"].sel(figure.UNSEEN).sel(shape=list(figure.SHAPES))
    assert [c.get_label() for c in b.containers] == ["RoPE", "partial RoPE"]
    for container, model in zip(b.containers, ("RoPE", "partial RoPE"), strict=True):
        np.testing.assert_allclose(container.lines[0].get_xdata(), at.r2_median.sel(model=model))
    labels = [text.get_text() for text in a.get_yticklabels()]
    assert [int(text[-2]) for text in labels] == [
        records["formula_shapes"]["shapes"]["log"][shape]["free"] for shape in figure.SHAPES
    ]


def test_the_title_says_the_records_numbers(records: dict[str, Any]):
    title = " ".join(figure.draw(records).get_suptitle().split())
    at = records["formula_shapes"]["shapes"]["log"]
    for shape in ("formula, mu_0", "logarithm", "plug-in means"):
        assert f"{at[shape]['other_texts'][0]:.2f}" in title
