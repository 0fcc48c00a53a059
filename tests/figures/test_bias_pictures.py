"""The figures of verdicts and of bias against loss draw what their records hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from analysis.studies.assumption_2_1 import verdicts
from analysis.studies.extrapolation_bias import OBSERVED
from analysis.studies.extrapolation_bias_runs import summarise
from figures import (
    catalogue,
    fig_26_assumption_tests,
    fig_27_extrapolation_bias,
    fig_28_equal_dose,
    fig_42_masked_beyond,
    style,
)
from tests.figures.test_pictures import few_pixels
from tests.figures.test_recovered_by_far_mass import record as real_record
from tests.studies.test_assumption_2_1 import record
from tests.studies.test_extrapolation_bias_runs import cell, fake

__all__ = ["few_pixels"]  # a fixture that every test here uses


KINDS = (*fig_28_equal_dose.SERIES, "plain", "mask", "constant -1", "shuffled")


def content(variants: tuple[str, ...] = ("rope", "tapa", "nope")) -> dict[str, Any]:
    """Three seeds and one worse rate of each variant; of the last one nothing is altered."""
    rng = np.random.default_rng(1)
    rows = {}
    for variant in variants:
        for seed, lr in ((0, 1e-3), (0, 2e-3), (1, 1e-3), (2, 1e-3)):
            x, rise, *backs = rng.random(2 + len(KINDS))
            altered = [cell("plain", 2.0, length=16)] + [
                cell(kind, 0.0 if kind == "plain" else back, length=n, far=float(rng.random()))
                for n in (32, 64)
                for kind, back in zip(KINDS, backs, strict=True)
            ]
            score = [*rng.random(3), None]
            rows[f"{variant}-s{seed}-lr{lr}"] = fake(
                variant, seed, lr, float(x), float(rise), altered=[] if variant == "nope" else altered,
                curve={"distance": [1.0, 8.0, 32.0, 60.0], "score": score},
            )  # fmt: skip
    return {"rows": rows, "summary": summarise(rows, dict.fromkeys(variants, 1e-3), seed=0)}


def test_mean_scores_correlations_and_the_runs_behind_the_strongest():
    made = content()
    curves, dots, scatter = fig_27_extrapolation_bias.draw({"bias_sweep": made}).axes
    rows = list(made["rows"].values())
    drawn = [line for line in curves.lines if len(line.get_xdata()) == 4]
    assert len(drawn) == 9  # at the chosen rates
    np.testing.assert_array_equal(drawn[0].get_ydata()[:3], rows[0]["curve"]["score"][:3])
    assert np.isnan(drawn[0].get_ydata()[3])
    found = made["summary"]["correlations"]
    names = list(fig_27_extrapolation_bias.OBSERVED)
    assert set(names) <= set(OBSERVED)
    known = [(name, key) for name in names for key in ("over_runs", "within_methods") if found[name][key]]
    for (name, key), (line, _, bars) in zip(known, dots.containers, strict=True):
        assert line.get_xdata().tolist() == [found[name][key]["value"]]
        assert round(-float(line.get_ydata()[0])) == names.index(name)
        if found[name][key]["low"] is not None:
            (segment,) = bars[0].get_segments()
            np.testing.assert_allclose(segment[:, 0], [found[name][key][end] for end in ("low", "high")])
    within = {name: abs(found[name]["within_methods"]["value"]) for name in names}
    best = max(within, key=within.__getitem__)
    assert fig_27_extrapolation_bias.strongest(found) == best
    points = {(x, y) for line in scatter.lines for x, y in zip(*line.get_data(), strict=True)}
    assert points == {(row["observed"][best], row["rise"]) for row in rows}
    filled = [line for line in scatter.lines if line.get_markerfacecolor() != "none"]
    assert sum(len(line.get_xdata()) for line in filled) == 9


def test_every_intervention_stands_at_its_far_mass_and_recovered_share():
    made = content()
    figure = fig_28_equal_dose.draw({"bias": made})
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in panels] == ["RoPE", "TAPA"]
    for ax, variant in zip(panels, ("rope", "tapa"), strict=True):
        cells = {c["kind"]: c for c in made["summary"]["altered"][variant] if c["length"] == 64}
        places = {kind: (c["far_mass"][0], 100 * c["share"][0]) for kind, c in cells.items()}
        drawn = [tuple(map(float, np.ravel(line.get_data()))) for line, _, _ in ax.containers]
        assert drawn == [pytest.approx(places[kind]) for kind in fig_28_equal_dose.SERIES]
        dose, others = ax.lines[:2]
        by_mass = sorted(places[kind] for kind in ("plain", "mask", "constant -1", "matched-constant"))
        np.testing.assert_allclose(np.transpose(dose.get_data()), by_mass)
        np.testing.assert_allclose(np.transpose(others.get_data()), [places["shuffled"]])
        for (_, _, (bars,)), kind in zip(ax.containers, fig_28_equal_dose.SERIES, strict=True):
            (segment,) = bars.get_segments()
            np.testing.assert_allclose(segment[:, 1], [100 * end for end in cells[kind]["share"][1:]])
        runs = [row for row in made["rows"].values() if (row["variant"], row["lr"]) == (variant, 1e-3)]
        small = [line for line in ax.lines if line.get_markersize() == 2.5]
        for line, kind in zip(small, fig_28_equal_dose.SERIES, strict=True):
            own = [next(a for a in r["altered"] if (a["kind"], a["length"]) == (kind, 64)) for r in runs]
            shares = [50 * (4.0 - a["bits_per_byte"]["altered"]) for a in own]
            np.testing.assert_allclose(
                np.transpose(line.get_data()), list(zip([a["far_mass"] for a in own], shares, strict=True))
            )
    cells = {c["kind"]: c for c in made["summary"]["altered"]["rope"] if c["length"] == 64}
    held, same = (100 * cells[kind]["share"][0] for kind in ("hold", "matched-constant"))
    assert f"{same:.0f} of {held:.0f} % in RoPE" in figure.get_suptitle().replace("\n", " ")


def test_the_real_model_has_a_panel_and_what_lies_below_the_frame_is_named():
    real = real_record()
    figure = fig_28_equal_dose.draw({"bias": content(), "smollm2_bias": real})
    (ax,) = [ax for ax in figure.axes if ax.get_title(loc="left").startswith("SmolLM2")]
    at = real.isel(length=0)
    drawn = [tuple(map(float, np.ravel(line.get_data()))) for line, _, _ in ax.containers]
    kinds = [kind for kind in fig_28_equal_dose.SERIES if kind in real.intervention.values]
    assert {"hold", "matched-constant", "clamp", "clamp-departure"} == set(kinds)
    for (x, y), kind in zip(drawn, kinds, strict=True):
        cell = at.sel(intervention=kind)
        assert x == float(cell.mean_far)
        assert y == max(fig_28_equal_dose.EDGE, 100 * float(cell.share))
        assert ax.get_ylim()[0] < y
    said = figure.get_supxlabel().replace("\n", " ")
    assert "clamped, and the mean's departure added -200 %" in said
    assert "5 documents in place of seeds" in said


def test_other_variants_are_drawn_where_the_usual_ones_are_not_there():
    made = content(("tapa_alpha0.3",))
    figure = fig_28_equal_dose.draw({"bias": made})
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")] == ["TAPA, alpha 0.3"]


def test_tests_draw_median_and_range_and_count_the_rejected():
    first = verdicts(record())
    data = xr.concat([first, first.assign_coords(model=("test", ["other"] * first.sizes["test"]))], "test")
    figure = fig_26_assumption_tests.draw({"verdicts": data})
    models = list(dict.fromkeys(data.model.values.tolist()))
    for ax, question in zip(figure.axes, fig_26_assumption_tests.QUESTIONS, strict=True):
        drawn = iter(ax.containers)
        words = [text.get_text() for text in ax.texts]
        for kind in ("A", "B"):
            for model in models:
                of = (data.question == question) & (data.kind == kind) & (data.model == model)
                x = data.isel(test=np.flatnonzero(of))
                line, _, (bars,) = next(drawn)
                assert float(line.get_xdata()[0]) == float(np.median(x.share))
                (segment,) = bars.get_segments()
                np.testing.assert_allclose(segment[:, 0], [x.share.min(), x.share.max()])
                assert f"{int((x.p_holm <= 0.05).sum())}/{x.sizes['test']}" in words


def test_a_run_stands_at_its_loss_within_its_length_beyond_it_and_masked():
    rows = {
        f"{variant}-s{seed}": fake(
            variant, seed, 1e-3, 0.5, 2.0, documents=["a", "b"],
            altered=[
                cell("plain", 0.0, share=[0.0, 0.0, 0.0]),
                cell("mask", 0.9, length=32, share=[0.45, 0.4, 0.5]),
                cell("mask", back, share=None if back == 0.25 else [back / 2, back / 2 - 0.1, back / 2 + 0.1]),
            ],
        )
        for variant, seed, back in (("tapa", 1, 0.5), ("nope", 0, 0.25), ("rope", 2, 2.0), ("tapa", 0, 1.0))
    }  # fmt: skip
    chosen = dict.fromkeys(("rope", "tapa", "nope"), 1e-3)
    made = {"rows": rows, "summary": summarise(rows, chosen, seed=0), "settings": {"spans": 64}}
    figure = fig_42_masked_beyond.draw({"bias_code": made})
    (ax,) = figure.axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["RoPE, seed 2", "TAPA, seed 0", "TAPA, seed 1", "NoPE, seed 0"]
    drawn = [float(line.get_xdata()[0]) for line, _, _ in ax.containers]
    assert drawn == [2.0, 4.0, 2.0, 2.0, 4.0, 3.0, 2.0, 4.0, 3.5, 2.0, 4.0, 3.75]  # at 64, not at 32
    ends = [bars.get_segments()[0][:, 0] for _, _, whole in ax.containers if whole for bars in whole]
    np.testing.assert_allclose(ends, [[1.8, 2.2], [2.8, 3.2], [3.3, 3.7], [3.75, 3.75]])
    said = figure.get_suptitle().replace("\n", " ")
    assert (
        "recovers 100 % in RoPE and 50 % and 25 % in TAPA" in said
    )  # of NoPE, which lost too little, no share
    empty = fig_42_masked_beyond.draw({"bias_code": made | {"rows": {}}})
    assert "beyond the trained length" in empty.get_suptitle()


@pytest.mark.parametrize("module", [fig_27_extrapolation_bias, fig_28_equal_dose, fig_26_assumption_tests])
def test_they_are_saved(module, tmp_path: Path):
    records = {"bias": content(), "bias_sweep": content(), "verdicts": verdicts(record())}
    records["smollm2_bias"] = real_record()
    needs = catalogue.FIGURES[module.__name__.split("_", 2)[2]].needs
    figure = module.draw({name: records[name] for name in needs})
    assert figure.get_size_inches()[0] <= style.PAGE
    plt.close(figure)
    paths = style.save_figure(module.draw, {name: records[name] for name in needs}, tmp_path / "x")
    assert plt.imread(paths[1]).std() > 0.01


def test_the_gathered_record_is_a_committed_summary():
    for name in ("bias", "bias_sweep", "bias_code"):
        assert catalogue.path_of(name) == catalogue.SUMMARIES / f"{name}.json"
