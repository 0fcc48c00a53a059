"""The figures of verdicts and of bias against loss draw what their records hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from analysis.studies import extrapolation_bias
from analysis.studies.assumption_2_1 import verdicts
from analysis.studies.extrapolation_bias import OBSERVED
from analysis.studies.extrapolation_bias_runs import summarise
from figures import catalogue, fig_26_assumption_tests, fig_27_extrapolation_bias, fig_28_bias_removed, style
from tests.studies.test_assumption_2_1 import record
from tests.studies.test_extrapolation_bias_runs import fake
from tests.test_figures import small_and_closed

__all__ = ["small_and_closed"]  # a fixture that every test here uses


def content(variants: tuple[str, ...] = ("rope", "tapa", "nope")) -> dict[str, Any]:
    """Three seeds and one worse rate of each variant; of the last one nothing is altered."""
    rng = np.random.default_rng(1)
    rows = {}
    for variant in variants:
        for seed, lr in ((0, 1e-3), (0, 2e-3), (1, 1e-3), (2, 1e-3)):
            x, rise, *backs = rng.random(2 + len(extrapolation_bias.KINDS))
            altered = [
                {
                    "kind": kind,
                    "length": n,
                    "bits_per_byte": {"plain": 4.0, "trained": 2.0, "altered": 4.0 - back / n},
                }
                for n in (32, 64)
                for kind, back in zip(extrapolation_bias.KINDS, backs, strict=True)
            ]
            score = [*rng.random(3), None]
            rows[f"{variant}-s{seed}-lr{lr}"] = fake(
                variant, seed, lr, float(x), float(rise), altered=[] if variant == "nope" else altered,
                curve={"distance": [1.0, 8.0, 32.0, 60.0], "score": score}, trained_length=16,
            )  # fmt: skip
    return {"rows": rows, "summary": summarise(rows, dict.fromkeys(variants, 1e-3), seed=0)}


def test_every_run_is_a_point_filled_at_the_chosen_rate():
    made = content()
    figure = fig_27_extrapolation_bias.draw({"bias": made})
    curves, *scatters, legend = figure.axes
    rows = list(made["rows"].values())
    drawn = [line for line in curves.lines if len(line.get_xdata()) == 4]
    assert len(drawn) == 9  # at the chosen rates
    np.testing.assert_array_equal(drawn[0].get_ydata()[:3], rows[0]["curve"]["score"][:3])
    assert np.isnan(drawn[0].get_ydata()[3])
    for ax, name in zip(scatters, fig_27_extrapolation_bias.OBSERVED, strict=True):
        points = {
            (x, y) for line in ax.lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        }
        assert points == {(row["observed"][name], row["rise"]) for row in rows}
        filled = [line for line in ax.lines if line.get_markerfacecolor() != "none"]
        assert sum(len(line.get_xdata()) for line in filled) == 9
        within = made["summary"]["correlations"][name]["within_methods"]
        assert f"{within['value']:.2f} [{within['low']:.2f}, {within['high']:.2f}]" in ax.get_title(
            loc="left"
        )
    assert set(fig_27_extrapolation_bias.OBSERVED) <= set(OBSERVED)
    assert legend.get_legend().get_title().get_text() == "12 runs"


def test_every_intervention_has_its_recovered_share_with_its_interval():
    made = content()
    (ax,) = fig_28_bias_removed.draw({"bias": made}).axes
    shown = [container.get_label() for container in ax.containers]
    assert shown == ["RoPE, 3 seeds", "TAPA, 3 seeds"]
    kinds = list(fig_28_bias_removed.INTERVENTIONS)
    assert len(ax.get_yticklabels()) == len(kinds)
    for container, variant in zip(ax.containers, ("rope", "tapa"), strict=True):
        cells = {c["kind"]: c for c in made["summary"]["altered"][variant] if c["length"] == 64}
        line, _, (bars,) = container
        rows = np.round(line.get_ydata()).astype(int)
        assert [kinds[row] for row in rows] == [kind for kind in kinds if kind in cells]
        expected = 100 * np.array([cells[kinds[row]]["share"] for row in rows])
        np.testing.assert_allclose(np.asarray(line.get_xdata(), dtype=float), expected[:, 0])
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, expected[:, 1:])


def test_other_variants_are_drawn_where_the_usual_ones_are_not_there():
    made = content(("tapa_alpha0.3",))
    (ax,) = fig_28_bias_removed.draw({"bias": made}).axes
    assert [container.get_label() for container in ax.containers] == ["TAPA, alpha 0.3, 3 seeds"]


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


@pytest.mark.parametrize("module", [fig_27_extrapolation_bias, fig_28_bias_removed, fig_26_assumption_tests])
def test_they_are_saved(module, tmp_path: Path):
    records = {"bias": content(), "verdicts": verdicts(record())}
    needs = catalogue.FIGURES[module.__name__.split("_", 2)[2]].needs
    figure = module.draw({name: records[name] for name in needs})
    assert figure.get_size_inches()[0] <= style.PAGE
    plt.close(figure)
    paths = style.save(module.draw, {name: records[name] for name in needs}, tmp_path / "x")
    assert plt.imread(paths[1]).std() > 0.01


def test_the_gathered_record_is_a_committed_summary():
    assert catalogue.path_of("bias") == catalogue.SUMMARIES / "bias.json"
