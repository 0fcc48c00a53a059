"""The figures of the trained models draw what the results hold, however little, and the pickers what they say."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.errors import InputError
from analysis.experiments import plan, results, run_record
from figures import style, widgets
from tests.experiments.run_records import BEST, record, whole
from tests.figures.test_pictures import against, assert_plotted, few_pixels, module

__all__ = ["few_pixels"]  # a fixture that every test here uses
NAMES = (
    "perplexity_by_length",
    "loss_by_position",
    "learning_rates",
    "retrieval",
    "alpha_and_share",
    "equal_loss",
)


def records_of(contents: Any) -> dict[str, Any]:
    return {"results": results.of_runs(run_record.choose(contents))}


@pytest.fixture(scope="module")
def all_runs() -> dict[str, Any]:
    return records_of(whole(noise=0.03))


@pytest.fixture(scope="module")
def few_runs() -> dict[str, Any]:
    """One run, whose record is older than the questions."""
    return records_of([record("rope", 0, BEST, retrieval=False)])


@pytest.fixture(scope="module")
def drawn_figures(all_runs: dict[str, Any]) -> dict[str, Figure]:
    """Each figure of all runs, drawn once for all tests."""
    return {name: module(name).draw(all_runs) for name in NAMES}


def curves(ax: Axes) -> dict[str, list[np.ndarray]]:
    """Lines of data by name in the legend, marks of other kinds left out."""
    found: dict[str, list[np.ndarray]] = {}
    for line in ax.lines:
        if (name := str(line.get_label())) and not name.startswith("_") and len(line.get_xdata()):
            found.setdefault(name, []).append(np.asarray(line.get_xydata(), float))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_saved_with_labels_and_no_wider_than_a_page(name: str, drawn_figures, tmp_path):
    figure = drawn_figures[name]
    assert figure.get_size_inches()[0] <= style.PAGE
    assert figure.axes[0].get_ylabel()
    assert any(ax.get_xlabel() for ax in figure.axes)
    pdf, png = style.save_figure(lambda _: figure, {}, tmp_path / name)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert plt.imread(png).std() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_panels_without_runs_say_so(name: str, few_runs, drawn_figures):
    def empty(figure: Figure) -> int:
        return sum(text.get_text() == "no run yet" for ax in figure.axes for text in ax.texts)

    expected = {
        "perplexity_by_length": 1,
        "loss_by_position": 1,
        "learning_rates": 1,
        "retrieval": 2,
        "alpha_and_share": 2,
        "equal_loss": 0,
    }
    assert empty(module(name).draw(few_runs)) == expected[name]
    assert empty(drawn_figures[name]) == 0


def test_perplexity_draws_ours_beside_the_papers(all_runs, drawn_figures):
    data = all_runs["results"]
    perplexity = module("perplexity_by_length")
    axes = np.array(drawn_figures["perplexity_by_length"].axes).reshape(4, 2)
    for row, (group, (ours, paper)) in zip(axes, perplexity.PANELS.items(), strict=True):
        for ax, rows, trained in zip(row, (data[ours], data["paper"][paper]), (128, 8192), strict=True):
            drawn = curves(ax)
            assert drawn
            assert len(drawn) <= 5
            found = {}
            for one in rows:
                name, _ = style.method(one["label"]) or ("", {})
                if name in style.GROUPS[group]:
                    found.setdefault(name, []).append((one["length"] / trained, one["perplexity"]))
            assert set(drawn) == set(found)
            for name, expected in found.items():
                (line,) = drawn[name]
                np.testing.assert_array_equal(
                    line[-len(expected) :], expected
                )  # extensions begin at the model
    band = np.asarray(axes[0, 0].collections[0].get_paths()[0].vertices)
    rope = [row for row in data["table2"] if row["label"] == "RoPE"]
    for end in ("low", "high"):
        edge = against(
            [row["length"] / 128 for row in rope], [row[f"perplexity_seeds_{end}"] for row in rope]
        )
        assert {*map(tuple, edge)} <= {*map(tuple, band)}
    assert "for RoPE" in drawn_figures["perplexity_by_length"].get_suptitle()


def test_places_draw_every_bin_from_the_fourth_on(all_runs, drawn_figures):
    data = all_runs["results"]
    left, _, right, _ = drawn_figures["loss_by_position"].axes
    for ax, variant, length in ((left, "tapa", 1024), (right, "tapa_4x", 2048)):
        row = next(row for row in data["places"] if row["variant"] == variant)
        assert row["length"] == row["last"][-1] + 1 == length
        kept = np.array(row["first"]) >= 4
        x = np.sqrt(np.multiply(row["first"], row["last"]))[kept]
        assert_plotted(curves(ax)["TAPA"], [against(x, np.array(row["bits"])[kept])])
    assert all(len(curves(ax)) <= 5 for ax in drawn_figures["loss_by_position"].axes)
    marks = [line.get_xdata()[0] for line in right.lines if len(line.get_xdata()) == 2]
    assert marks[-2:] == [128, 512]


def test_tuning_draws_every_rate_rings_the_chosen_and_crosses_the_diverged():
    runs = [record("tapa", 0, lr, diverged=lr == 4e-3) for lr in (1e-3, 2e-3, 4e-3)]
    data = records_of(runs)
    left, middle, *_ = module("learning_rates").draw(data).axes
    rows = [row for row in data["results"]["tuning"] if row["validation_bits"] is not None]
    for ax, key in ((left, "validation_bits"), (middle, "bits_longest")):
        assert_plotted(curves(ax)["TAPA"], [against([1e-3, 2e-3], [row[key] for row in rows])])
        rings = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
        crosses = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "x"]
        assert (rings, crosses) == ([2e-3], [4e-3])


def test_retrieval_draws_distances_in_order_and_the_crowded_window_apart(all_runs, drawn_figures):
    data = all_runs["results"]
    shares, bits = drawn_figures["retrieval"].axes
    rows = [row for row in data["retrieval_rows"] if row["variant"] == "tapa_needle"]
    near = [row for row in rows if (row["length"], row["distance"]) != (512, 64)]
    for ax, key in ((shares, "share"), (bits, "bits")):
        drawn = curves(ax)["TAPA"][0]
        assert_plotted([drawn], [against([r["distance"] for r in near], [r[key] for r in near])])
        assert (np.diff(drawn[:, 0]) > 0).all()
    levels = {line.get_ydata()[0] for line in shares.lines if list(line.get_xdata()) == [0, 1]}
    assert rows[0]["chance"] in levels


def test_knobs_draw_a_line_a_length_and_separate_projections_apart(all_runs, drawn_figures):
    data = all_runs["results"]
    left, right = drawn_figures["alpha_and_share"].axes
    for ax, name, knobs in ((left, "alpha", (0.01, 0.1, 0.3, 1.0)), (right, "share", (0.25, 0.5, 0.75))):
        drawn = curves(ax)
        assert list(drawn) == ["128", "256", "512", "1024"]
        for length, lines in drawn.items():
            members = {
                f"tapa_{name}{knob:g}" if f"tapa_{name}{knob:g}" in plan.VARIANTS else "tapa": knob
                for knob in knobs
            }
            values = {row["variant"]: row["bits"] for row in data[name] if row["length"] == int(length)}
            assert_plotted(lines, [against(list(members.values()), [values[m] for m in members])])
    apart = [line for line in right.lines if list(line.get_xdata()) == [1.0]]
    assert len(apart) == 4


def test_quality_draws_every_seed_to_its_end(all_runs, drawn_figures):
    data = all_runs["results"]
    ax = drawn_figures["equal_loss"].axes[0]
    paths = [row for row in data["paths"] if row["variant"] == "alibi"]
    assert_plotted(curves(ax)["ALiBi"], [against(row["trained"], row["longest"]) for row in paths])
    assert ax.xaxis_inverted()


# the notebook's plot


def test_the_reading_plot_draws_one_method_beside_rope_and_all_at_one_length(all_runs):
    data = all_runs["results"]
    figure = widgets.reading_plot(data, "ALiBi", 512)
    left, right = figure.axes
    expected = {name: [row for row in data["table2"] if row["label"] == name] for name in ("RoPE", "ALiBi")}
    for name, rows in expected.items():
        line = curves(left)[name]
        assert_plotted(line, [against([r["length"] for r in rows], [r["bits"] for r in rows])])
    at = sorted((row for row in data["table2"] if row["length"] == 512), key=lambda row: -row["bits"])
    assert [text.get_text() for text in right.get_yticklabels()] == [row["label"] for row in at]
    points = [line.get_xdata()[0] for line in right.lines if line.get_marker() == "o"]
    assert points == [row["bits"] for row in at]


def test_a_method_or_length_that_was_not_read_is_refused(few_runs):
    with pytest.raises(InputError, match=r"^method=TAPA was not read; known: RoPE, RoPE \+ PI"):
        widgets.reading_plot(few_runs["results"], "TAPA", 512)
    with pytest.raises(InputError, match=r"^length=100 was not read; known: 128, 256, 512, 1024$"):
        widgets.reading_plot(few_runs["results"], "RoPE", 100)


def test_pickers_redraw_what_they_say(all_runs, monkeypatch: pytest.MonkeyPatch):
    shown: list[list[str]] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(list(curves(plt.gcf().axes[0]))))
    explorer = widgets.reading_explorer(all_runs["results"])
    pickers = {child.description: child for child in explorer.children if hasattr(child, "description")}
    pickers["method"].value = "NoPE"
    assert shown[-1] == ["RoPE", "NoPE"]
    assert plt.get_fignums() == []
