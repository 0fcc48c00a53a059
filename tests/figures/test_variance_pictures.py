"""Pictures of score variances: what is plotted is what the record holds, and their titles follow from it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis.schemas import SCORE_VARIANCE
from analysis.studies.parts_removed import INTERVENTIONS, MULTIPLES
from figures import fig_29_score_variance as heads_figure
from figures import fig_30_parts_removed as losses_figure

VARIANTS = {"rope": "RoPE", "tapa": "TAPA", "nope": "NoPE", "SmolLM2-135M-Instruct": "SmolLM2-135M-Instruct"}


def record(seeds: int = 3) -> xr.Dataset:
    """Two heads a model; RoPE mostly distance, TAPA mostly pair, NoPE all pair; losses known in closed form."""
    models = [(v, s) for v in VARIANTS for s in range(seeds if v in ("rope", "tapa") else 1)]
    names = [f"{v}-s{s}" if v != "SmolLM2-135M-Instruct" else v for v, s in models]
    share = {"rope": (0.6, 0.1, 0.3), "tapa": (0.02, 0.9, 0.08), "nope": (0.0, 1.0, 0.0)}
    places = np.array([[share.get(v, (0.4, 0.2, 0.4))] * 2 for v, _ in models]).reshape(-1, 3)
    change = np.full((len(models), len(INTERVENTIONS), len(MULTIPLES)), np.nan)
    for i, (variant, seed) in enumerate(models):
        if variant in VARIANTS and "Smol" not in variant:
            change[i] = np.arange(len(INTERVENTIONS))[:, None] + (0.1 * seed if variant == "rope" else 0.0)
    dims = ("model", "intervention", "multiple")
    data = xr.Dataset(
        {
            "share": (("place", "part", "range", "weighting"), np.tile(places[..., None, None], (1, 1, 2, 2))),
            "change": (dims, change), "change_low": (dims, change - 0.5), "change_high": (dims, change + 0.25),
            "variant": ("model", [v for v, _ in models]), "label": ("model", [VARIANTS[v] for v, _ in models]),
            "training_seed": ("model", [s if "Smol" not in v else -1 for v, s in models]),
        },
        {
            "model": names, "place_model": ("place", np.repeat(names, 2)), "part": ["distance", "pair", "interaction"],
            "range": ["within", "beyond"], "weighting": ["log", "uniform"], "intervention": list(INTERVENTIONS),
            "multiple": list(MULTIPLES),
        },
    )  # fmt: skip
    return data.assign(share_se=0.01 * xr.ones_like(data.share))


def test_the_record_is_of_the_kind_that_is_drawn():
    assert set(map(str, record().variables)) <= set(SCORE_VARIANCE.variables)


def test_every_head_is_a_mark_and_the_title_names_the_largest_parts():
    figure = heads_figure.draw({"score_variance": record()})
    (ax,) = figure.axes
    marks = {line.get_label(): line for line in ax.lines if not str(line.get_label()).startswith("_")}
    assert list(marks) == ["SmolLM2-135M-Instruct (Q4_1)", "RoPE", "TAPA", "NoPE"]
    np.testing.assert_allclose(marks["RoPE"].get_xydata(), [[60, 30]] * 6)
    np.testing.assert_allclose(marks["TAPA"].get_xydata(), [[2, 8]] * 6)
    title = figure.get_suptitle().replace("\n", " ")
    assert "90 % of the variance of the median TAPA head's score is pair" in title
    assert "60 % of the variance of the median RoPE head's score is distance" in title


def test_losses_are_means_over_seeds_with_their_intervals():
    figure = losses_figure.draw({"score_variance": record()})
    near, far = figure.axes
    rows = [INTERVENTIONS.index(kind) for kind in losses_figure.ROWS]
    for ax in (near, far):
        rope, tapa, nope = (bars.lines[0].get_xdata() for bars in ax.containers)
        np.testing.assert_allclose(rope, np.array(rows) + 0.1)
        np.testing.assert_allclose(tapa, rows)
        np.testing.assert_allclose(nope, rows)
    bars = near.containers[0].lines[2][0].get_segments()
    half = 4.302652729911275 * 0.1 / np.sqrt(3)  # Student's t with two degrees of freedom
    np.testing.assert_allclose(bars[0][:, 0], [rows[0] + 0.1 - half, rows[0] + 0.1 + half])
    one_seed = near.containers[2].lines[2][0].get_segments()
    np.testing.assert_allclose(one_seed[0][:, 0], [rows[0] - 0.5, rows[0] + 0.25])
    at = INTERVENTIONS.index
    title = figure.get_suptitle().replace("\n", " ")
    assert f"{at('no interaction'):+.2f} (TAPA) and {at('no interaction') + 0.1:+.2f} (RoPE)" in title
    assert f"{at('control: foreign interaction'):+.2f} (TAPA)" in title
