"""`plot`: what is drawn is what the record or the curve holds, and what cannot be drawn is refused in one line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from analysis import curve, encodings, open_record, plain, plot, plotting, yarn
from analysis.plotting import binned, headline, log_bins
from analysis.records import Provenance, write
from analysis.schemas import DISTANCE_BIAS
from tests.figures.report_records import tiny_record
from tests.refusals import plainly_raises

ROOT = Path(__file__).resolve().parents[1]


@given(st.lists(st.sampled_from(["of", "recovers", "40 %", "97 %"]), min_size=1, max_size=40))
def test_a_title_loses_no_word_and_no_line_of_it_begins_with_a_per_cent_sign(words: list[str]) -> None:
    figure = plt.figure()
    headline(figure, " ".join(words), width=20)
    lines = figure.get_suptitle().splitlines()
    plt.close(figure)
    assert " ".join(lines) == " ".join(words)
    assert all(len(line) <= 20 and not line.startswith("%") for line in lines)


def test_two_curves_and_a_picture_in_five_lines(tmp_path: Path):
    rope = curve(plain(1e4, 128), to=131_072)
    longer = curve(yarn(1e4, 128, factor=8.0, trained_length=8192), to=131_072)
    picture = plot({"RoPE": rope, "YaRN, factor 8": longer})
    picture.savefig(tmp_path / "curves.png")

    first, second = picture.axes[0].lines
    assert np.array_equal(first.get_ydata(), rope["mean"])
    assert np.array_equal(second.get_xdata(), longer.distance)
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()  # told apart in grey
    assert (picture.axes[0].get_xlabel(), picture.axes[0].get_ylabel()) == ("distance (tokens)", "mean score")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_a_head_of_a_record_in_two_lines(tmp_path: Path):
    made = Provenance.collect(
        ["test"], {}, seeds={}, device="cpu", precision="float32", threads=1, seconds=0.0
    )
    write(
        tiny_record().drop_attrs().assign_attrs(windows=3, model="tiny llama"),
        tmp_path / "my.nc",
        made,
        schema=DISTANCE_BIAS,
    )

    record = open_record(tmp_path / "my.nc")
    picture = plot(record, "2.3")

    x = record.sel(first_token="dropped", layer=2, head=3).isel(
        distance=slice(1, record.sizes["distance"] // 2)
    )
    starts = log_bins(x.distance.values)
    lines = {line.get_label(): line for line in picture.axes[0].lines}
    assert np.allclose(lines["measured"].get_ydata(), binned(x.measured.values.astype(float), starts))
    assert np.allclose(
        lines["from the means of q and k"].get_ydata(), binned(x.bias.values.astype(float), starts)
    )
    assert "head 2.3: measured with two standard errors" in picture.description


@pytest.mark.parametrize(
    ("name", "drawn"), [("模型-7B", r"\u6a21\u578b-7B"), ("a$b$c", "a$b$c"), ("Qwen3-0.6B é", "Qwen3-0.6B é")]
)
def test_a_name_that_the_font_has_no_glyphs_for_is_drawn_as_its_escapes(name: str, drawn: str):
    """No warning of missing glyphs, which would be an error here, and no mathematics of a name with dollars."""
    figure = Figure()
    text = figure.suptitle(f"{plotting.model_label(name)}: $R^2$")
    figure.savefig(io.BytesIO())
    assert text.get_text() == drawn.replace("$", r"\$") + ": $R^2$"


def test_the_map_has_every_head_and_whole_numbers_at_its_axes():
    record = tiny_record()
    picture = plot(record, quantity="distance_share")
    (image,) = picture.axes[0].images
    assert np.array_equal(np.asarray(image.get_array()), record.distance_share.sel(first_token="dropped"))
    assert image.get_clim() == (0, 1)
    assert all(
        float(x).is_integer()
        for axis in (picture.axes[0].xaxis, picture.axes[0].yaxis)
        for x in axis.get_ticklocs()
    )
    wide = record.assign(score_sd=3 * record.score_sd / record.score_sd.max())  # no share: its own ends
    (image,) = plot(wide, quantity="score_sd").axes[0].images
    values = wide.score_sd.sel(first_token="dropped")
    assert image.get_clim() == (float(values.min()), float(values.max()))


def test_a_sampled_curve_has_a_band_of_two_standard_errors():
    found = curve(encodings.Nope(8), to=64, samples=256)
    picture = plot(found)
    (band,) = picture.axes[0].collections
    corners = np.asarray(band.get_paths()[0].vertices)
    top = (found["mean"] + 2 * found.mean_se).max().item()
    assert corners[:, 1].max() == pytest.approx(top)
    assert len(plot(curve(encodings.Nope(8), to=64)).axes[0].collections) == 0  # in closed form there is none


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (lambda: plot({}), "there is no curve to draw"),
        (lambda: plot(xr.Dataset({"x": 1.0})), "neither a record of heads nor a curve"),
        (lambda: plot(tiny_record(), []), "no head was named"),
        (lambda: plot(tiny_record(), "9.0"), "head 9.0 is not in the record"),
        (lambda: plot(tiny_record(), quantity="r2_bas"), "did you mean r2_bias"),
        (lambda: plot(tiny_record(), quantity="measured"), "is no number of each head"),
        (lambda: plot(dict.fromkeys("abcdefgh", curve(plain(1e4, 4), to=8))), "8 curves are more than"),
    ],
)
def test_refusals_are_one_line(arguments, said: str):
    plainly_raises(arguments, said)


def test_a_notebook_shows_the_picture_with_its_description():
    """By the formatter that a kernel shows results with."""
    formatters = pytest.importorskip("IPython.core.formatters", reason="no IPython is installed")
    picture = plot(tiny_record(), "0.0")
    data, metadata = formatters.DisplayFormatter().format(picture)
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"] == {"alt": picture.description}
    assert picture.description


@pytest.mark.full  # a process
def test_drawing_imports_no_pyplot_and_no_torch():
    code = (
        "import json, sys, xarray as xr; from analysis.plotting import plot\n"
        "d = {'mean': ('distance', [1.0, 0.5]), 'mean_se': ('distance', [0.0, 0.0])}\n"
        "plot(xr.Dataset(d, {'distance': [1, 2]}))\n"
        "print(json.dumps([name in sys.modules for name in ('matplotlib.pyplot', 'torch')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.load(io.StringIO(done.stdout)) == [False, False]
