"""Figures and findings of the long-range experiment: of whatever records there are, with the made-up truth."""

from __future__ import annotations

import csv
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.experiments.long_contrasts import frontier, points_of
from analysis.experiments.long_plan import CODE_SHARE, RATES
from analysis.experiments.long_results import summarise_long
from analysis.experiments.long_tables import long_csv
from analysis.experiments.plan import rate_name
from figures import style
from figures.findings import long_range
from tests.experiments.long_records import LADDER, contents_of, long_content
from tests.figures.test_pictures import few_pixels, module

__all__ = ["few_pixels"]  # a fixture that every test here uses
NAMES = ("frontier", "collected", "needle_grid", "fine_tuned", "fine_curves")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return {
        "long": summarise_long(
            contents_of("gate", "first", noise=0.05), LADDER, {"TAPA less RoPE": [0.1, 0.4, 0.6]}
        )
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_saved_with_labels_and_no_wider_than_a_page(name: str, found, tmp_path):
    figure = module(name).draw(found)
    assert figure.get_size_inches()[0] <= style.PAGE
    assert figure.axes[0].get_ylabel()
    pdf, png = style.save_figure(lambda _: figure, {}, tmp_path / name)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert plt.imread(png).std() > 0.01


@pytest.fixture(scope="module")
def on_code() -> dict[str, Any]:
    """Two methods at one rate and horizon on the corpus that passes, as the first runs on it are."""
    runs = {
        run: content
        for run, content in contents_of("gate", "code", gain=0.2).items()
        if run.kind == "reference"
        or ((run.seed, run.share, run.lr) == (0, CODE_SHARE, RATES[0]) and run.variant in ("rope", "tapa"))
    }
    (failed,) = (run for run in runs if run.corpus == "private-words")
    return {"long": summarise_long(runs | {failed: long_content(failed, gain=0.01)}, LADDER)}


def test_figures_show_the_corpus_that_passes_the_gate(on_code):
    """At the size of its reference; before two methods are of equal loss, what each loses beyond L."""
    assert (on_code["long"]["corpus"], on_code["long"]["size"]) == ("code", "3M")
    assert [(row["never_equal"], row["difference"]) for row in on_code["long"]["contrasts"]] == [([0], None)]
    figure = module("frontier").draw(on_code)
    lines = {str(line.get_label()): line.get_xydata() for line in figure.axes[0].lines}
    assert len(lines["RoPE"]) == len(lines["TAPA"]) == 1
    best = {name: float(lines[name][:, 0].min()) for name in ("RoPE", "TAPA")}
    assert f"RoPE +0.90 at {best['RoPE']:.2f}, TAPA -0.06 at {best['TAPA']:.2f}" in title(figure)
    assert "none is equal yet" in title(figure)
    assert "corpus code" in " ".join(text.get_text() for text in figure.texts)


def test_where_no_best_reader_is_known_key_tokens_are_shown(on_code):
    figure = module("collected").draw(on_code)
    lines = {str(line.get_label()): line.get_ydata() for line in figure.axes[0].lines}
    use = {(row["label"], row["length"]): row for row in on_code["long"]["use"]}
    for name in ("RoPE", "TAPA", "RoPE + YaRN"):
        lengths = [n for n in LADDER.lengths if (name, n) in use]
        assert lines[name].tolist() == [use[name, n]["key_bits"] for n in lengths]
    assert "key token" in figure.axes[0].get_ylabel()
    # made-up key tokens have as many nats as all targets have bits, and those of RoPE rise by 0.3 from 2L to 4L
    assert "RoPE +0.43, RoPE + YaRN +0.43, TAPA -0.03" in title(figure)
    assert any("reference" in text.get_text() for text in figure.axes[0].texts)


def test_each_of_two_seeds_is_drawn_and_named(tmp_path):
    """Neither is pooled with the other, nor left out of the title."""
    two = summarise_long(
        {run: c for run, c in contents_of("gate", "first", noise=0.05).items() if run.seed < 2}, LADDER
    )
    (rope_0, rope_1) = [row["difference"] for row in two["contrasts"] if row["against"] == "rope"]
    figure = module("frontier").draw({"long": two})
    assert f"others (seeds 0 and 1): RoPE {rope_0:+.2f} and {rope_1:+.2f}" in title(figure)
    fills = [line.get_fillstyle() for line in figure.axes[0].lines if line.get_label() == "TAPA"]
    assert fills == ["full", "none"]
    assert "filled: seed 0; hollow: seed 1" in " ".join(text.get_text() for text in figure.texts).replace(
        "\n", " "
    )
    without = [row for row in two["contrasts"] if (row["against"], row["seeds"]) != ("alibi", [1])]
    named = title(module("frontier").draw({"long": two | {"contrasts": without}}))
    assert f"RoPE {rope_0:+.2f} and {rope_1:+.2f} (seeds 0 and 1); ALiBi" in named
    assert "(seed 0)" in named
    labels = {text.get_text() for text in module("collected").draw({"long": two}).axes[0].texts}
    assert labels >= {"TAPA, seed 0", "TAPA, seed 1"}


@pytest.mark.parametrize("name", NAMES)
def test_without_runs_a_figure_says_so(name: str):
    figure = module(name).draw({"long": summarise_long({}, LADDER)})
    assert any(text.get_text() == "no run yet" for ax in figure.axes for text in ax.texts)


def title(figure: Figure) -> str:
    return " ".join(figure.get_suptitle().split())


def test_the_frontier_draws_every_run_and_the_hull_of_each_seed(found):
    figure = module("frontier").draw(found)
    ended = {run: c for run, c in contents_of("gate", "first", noise=0.05).items() if run.kind == "scratch"}
    hulls = [
        frontier(points)
        for name in ("rope", "tapa", "alibi", "nope")
        for points in points_of(ended, name, "private-words", LADDER).values()
    ]
    marks = [line for line in figure.axes[0].lines if line.get_label() in ("RoPE", "TAPA", "ALiBi", "NoPE")]
    assert sum(len(line.get_xydata()) for line in marks) == len(ended)
    drawn = [line.get_xydata() for line in figure.axes[0].lines if str(line.get_label()).startswith("_child")]
    assert [a.tolist() for a in drawn if len(a) > 1][: len(hulls)] == [
        h.tolist() for h in hulls if len(h) > 1
    ]
    *_, tapa = [row for row in found["long"]["contrasts"] if row["against"] == "rope"]
    assert tapa["seeds"] == [0, 1, 2]
    ends = f"[{tapa['difference_low']:+.2f}, {tapa['difference_high']:+.2f}]"
    assert f"RoPE {tapa['difference']:+.2f} {ends}" in title(figure)
    assert "3 seeds" in title(figure)


def test_shares_and_their_floor(found):
    figure = module("collected").draw(found)
    lines = {str(line.get_label()): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["TAPA"], [0.125, 0.25, 0.375, 0.5])
    np.testing.assert_allclose(lines["RoPE"], [-0.1, -0.2, -0.3, -0.4])
    assert "TAPA 50 %" in title(figure)
    assert "RoPE" not in title(figure)
    planted = {
        "long": found["long"] | {"collected": [dict(r, share=-7.0) for r in found["long"]["collected"]]}
    }
    low = module("collected").draw(planted)
    assert {text.get_text() for text in low.axes[0].texts} >= {"-7.0"}
    assert min(low.axes[0].lines[0].get_ydata()) == -1


def test_the_grid_shows_hits_by_depth_and_length(found):
    figure = module("needle_grid").draw(found)
    tapa = figure.axes[1]
    assert tapa.get_title() == "TAPA"
    shares = np.asarray(tapa.images[0].get_array())
    assert shares.shape == (5, 5)
    expected = 100 * round(LADDER.needles * 0.8 * 0.9) / LADDER.needles
    assert shares[4, 0] == pytest.approx(expected)
    assert f"{expected:.0f}" in {text.get_text() for text in tapa.texts}


@pytest.fixture(scope="module")
def fine() -> dict[str, Any]:
    runs = contents_of("code", "code_fine", gain=0.2)
    few = {
        run: c
        for run, c in runs.items()
        if run.kind != "fine" or run.variant in ("rope_4x", "yarn_4x", "tapa_4x")
    }
    return {"long": summarise_long(few, LADDER)}


def test_a_panel_a_method_and_a_line_a_share_of_the_tokens(fine):
    figure = module("fine_tuned").draw(fine)
    assert [ax.get_title() for ax in figure.axes] == ["RoPE", "YaRN", "TAPA"]
    bits = {(row["label"], row["share"], row["length"]): row["bits"] for row in fine["long"]["fine"]}
    for ax in figure.axes:
        lines = [line for line in ax.lines if len(line.get_xdata()) == len(LADDER.lengths)]
        drawn = [np.asarray(line.get_ydata()).tolist() for line in lines]
        assert drawn == [[bits[ax.get_title(), s, n] for n in LADDER.lengths] for s in (0.0, 0.005, 0.05)]
        assert {text.get_text() for text in ax.texts} >= {"0 %", "0.5 %", "5 %"}
    assert f"TAPA {bits['TAPA', 0.05, LADDER.lengths[-1]]:.2f}" in title(figure)


def test_a_method_without_the_larger_share_is_compared_at_the_smaller(fine):
    rows = [row for row in fine["long"]["fine"] if (row["label"], row["share"]) != ("TAPA", 0.05)]
    assert "After 0.5 %" in title(module("fine_tuned").draw({"long": fine["long"] | {"fine": rows}}))


def test_a_line_a_rate_along_fine_tuning_and_the_chosen_ones_named(fine):
    figure = module("fine_curves").draw(fine)
    assert [ax.get_title() for ax in figure.axes] == ["0.5 % of the tokens", "5 % of the tokens"]
    curves = fine["long"]["fine_curves"]
    for ax, share in zip(figure.axes, (0.005, 0.05), strict=True):
        mine = [row for row in curves if row["share"] == share]
        drawn = sorted(np.asarray(line.get_ydata()).tolist() for line in ax.lines)
        assert drawn == sorted([bits for _, bits in row["curve"]] for row in mine)
        strong = [row for row in mine if row["chosen"]]
        assert {text.get_text() for text in ax.texts} >= {
            f"{row['label']} {rate_name(row['lr'])}" for row in strong
        }
        assert {row["label"] for row in strong} == {"RoPE", "YaRN", "TAPA"}
        assert all(row["curve"][-1][1] >= min(one["curve"][-1][1] for one in strong) for row in mine)


def test_a_share_at_which_a_method_lacks_a_rate_is_not_drawn(fine):
    last = max(row["lr"] for row in fine["long"]["fine_curves"])
    rows = [
        row
        for row in fine["long"]["fine_curves"]
        if (row["label"], row["share"], row["lr"]) != ("TAPA", 0.05, last)
    ]
    figure = module("fine_curves").draw({"long": fine["long"] | {"fine_curves": rows}})
    assert [ax.get_title() for ax in figure.axes] == ["0.5 % of the tokens"]
    assert "0.5 %" in title(figure)
    nothing = module("fine_curves").draw({"long": fine["long"] | {"fine_curves": []}})
    assert "no run yet" in {text.get_text() for text in nothing.axes[0].texts}


def test_findings_of_fine_tuning_give_rates_and_the_difference_to_rope(fine, monkeypatch: pytest.MonkeyPatch):
    def table(name: str) -> tuple[dict[str, str], ...]:
        return tuple(csv.DictReader(io.StringIO(long_csv(fine["long"], name))))

    monkeypatch.setattr(long_range, "table", table)
    said = {one.label: one.sentence for one in long_range.fine_findings()}
    rows = {(r["variant"], r["share"], r["length"]): r for r in fine["long"]["fine"]}
    assert set(said) == {
        f"fine-{name}-{share}-code" for name in ("rope", "yarn", "tapa") for share in ("0-5", "5")
    }
    tapa = said["fine-tapa-5-code"]
    assert f"{rows['tapa_4x', 0.05, 1024]['bits']:.3f} at 1024" in tapa
    assert f"{rows['tapa_4x', 0.05, 4096]['less_rope']:+.3f}" in tapa
    assert "less than RoPE" not in said["fine-rope-5-code"]


def test_findings_are_sentences_of_the_tables(found, monkeypatch: pytest.MonkeyPatch):
    def table(name: str) -> tuple[dict[str, str], ...]:
        return tuple(csv.DictReader(io.StringIO(long_csv(found["long"], name))))

    def content(name: str) -> dict[str, Any]:
        """Of every run: its last share of what is copied, and a training whose gradients grow tenfold."""
        assert name.startswith("trained_long/private-words-")
        copying = [{"share": 0.1}, {"share": 0.6}]
        training = {
            "largest_gradient_norm": [1.0] * 10 + [10.0] * 10,
            "validation_loss": [4.0, 3.0, 5.0, 3.5],
        }
        return {"long_range": {"copying": copying}, "training": training}

    monkeypatch.setattr(long_range, "table", table)
    monkeypatch.setattr(long_range, "content", content)
    sources = (
        long_range.gate_findings, long_range.contrast_findings, long_range.share_findings,
        long_range.length_use_findings, long_range.copying_findings, long_range.power_findings,
    )  # fmt: skip
    said = {one.label: one.sentence for source in sources for one in source()}
    recipe = LADDER.recipe
    tokens = recipe.steps * recipe.batch * recipe.length
    assert "gains 0.200 [0.180, 0.220] bits a byte" in said["gate-private-words"]
    assert "passes the gate" in said["gate-private-words"]
    assert "TAPA less RoPE is -0.9" in said["long-tapa-rope-private-words-seeds"]
    assert "after Holm" in said["long-tapa-rope-private-words-seeds"]
    for part, seed in (("", 0), ("-s1", 1), ("-s2", 2)):  # each seed has its own sentences as well
        assert f"95 % over documents; seed {seed}" in said[f"long-tapa-rope-private-words{part}"]
    assert "TAPA collects 50 %" in said["collected-tapa-private-words-seeds"]
    assert "RoPE + YaRN collects" in said["collected-rope-yarn-private-words-seeds"]
    assert (
        f"TAPA copies in 5 of 5 runs of {tokens / 1e6:.1f} million tokens"
        in said["copies-tapa-private-words"]
    )
    assert "at the end the share is 60 % to 60 %" in said["copies-tapa-private-words"]
    assert "a change of -0.0" in said["use-tapa-private-words-seeds"]
    assert "95 % over seeds" in said["use-rope-yarn-private-words-seeds"]
    assert "standard deviation of 0.25 bits a byte over 3 seeds (earlier runs)" in said["power-tapa-rope"]
    assert "8 seeds 0.29" in said["power-tapa-rope"]
    assert not any("None" in sentence or "nan" in sentence for sentence in said.values())
    assert list(long_range.steadiness_findings()) == []  # of runs on code alone
    on_code = [row | {"corpus": "code"} for row in table("long_runs") if row["variant"] == "tapa"]
    monkeypatch.setattr(long_range, "table", lambda _: on_code)
    steady = next(long_range.steadiness_findings()).sentence
    assert "is 1.0 in the median of the first tenth of the run and 10 in that of its second half" in steady
    assert (
        "4.00 nats a token where it is first read, 5.00 at its worst after that and 3.50 at the end" in steady
    )
    monkeypatch.setattr(long_range, "table", lambda _: ())
    assert [one for source in sources for one in source()] == []
