"""The page of two records, and pictures and exports of one: what is in them is the records'."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr

from analysis.cli.exported import COLUMNS, heads_csv, layers_latex, query_statistics, write_query_statistics
from analysis.studies.heads_compared import compare_heads, comparison_numbers
from figures.fig_03_distance_bias import draw_own
from figures.report.comparison import comparison_page, comparison_sentences
from figures.report.page import report_page, unpacked
from figures.style import save_picture
from tests.figures.report_records import LENGTH, tiny_record
from tests.refusals import plainly_raises
from tests.studies.test_heads_compared import stamped


def test_the_comparison_holds_both_records_and_their_differences() -> None:
    one, other = stamped(tiny_record(seed=0)), stamped(tiny_record(seed=1))
    page = comparison_page(one, other, ("base", "tuned"))
    meta, arrays = unpacked(page)
    assert meta["names"] == ["base", "tuned"]
    singles = [unpacked(report_page(x))[1] for x in (one, other)]
    for suffix, single in zip(("", "_b"), singles, strict=True):
        for name in ("measured", "low", "high", "error"):
            assert np.array_equal(arrays[f"{name}{suffix}"], single[name], equal_nan=True)
    found = compare_heads(one, other)
    keys = [q["key"] for q in meta["quantities"]]
    for suffix, name in (
        ("", "difference"),
        ("_low", "low"),
        ("_high", "high"),
        ("_a", "first"),
        ("_b", "second"),
    ):
        for j, key in enumerate(keys):
            expected = found.sel(quantity=key)[name].values.reshape(-1)
            assert np.allclose(arrays[f"quantities{suffix}"][j], expected, rtol=1e-5, equal_nan=True)
    assert all(q["low"] == -q["high"] for q in meta["quantities"])  # no difference is the middle of the scale
    assert "paired over the same 3 windows" in page
    inside = arrays["beyond_stop"] <= LENGTH
    bias = other.bias.sel(first_token="dropped").values.reshape(12, -1)
    first, stop = (arrays[f"beyond_{name}"][inside].astype(int) for name in ("first", "stop"))
    expected = np.stack([bias[:, a:b].mean(axis=1) for a, b in zip(first, stop, strict=True)], axis=1)
    assert np.allclose(arrays["beyond_b"][:, inside], expected, atol=1e-4)


def test_heads_that_could_not_be_tested_do_not_count_as_alike() -> None:
    """Of two windows no share has a standard error; of a head whose scores do not vary none at all."""
    found = compare_heads(stamped(tiny_record(seed=0)), stamped(tiny_record(seed=1)))
    assert comparison_numbers(found)["distance_share"]["heads_tested"] == 12
    none = found.assign(p_holm=xr.full_like(found.p_holm, np.nan), first=xr.full_like(found["first"], np.nan))
    said = comparison_sentences(none, ("base", "tuned"), windows=(2, 2))
    assert "is not defined in the median head of base" in said[0]
    assert all("no head could be tested" in sentence for sentence in said[:2])
    assert comparison_numbers(none)["distance_share"]["heads_that_differ"] is None
    some = found.assign(p_holm=found.p_holm.where(found.layer > 0))
    assert (
        "of the 8 heads of 12 that could be tested"
        in comparison_sentences(some, ("a", "b"), windows=(3, 3))[0]
    )


def test_records_of_two_lengths_share_their_common_bins() -> None:
    one = stamped(tiny_record())
    short = one.isel(distance=slice(0, 41))
    _, arrays = unpacked(comparison_page(one, short, ("64", "41")))
    assert arrays["bin_stop"].max() <= 21
    assert arrays["measured"].shape == arrays["measured_b"].shape
    assert "not paired" in comparison_page(one, short, ("64", "41"))


# Pictures.


@pytest.mark.parametrize("heads", [(), ("0.1",), ("0.0", "1.2", "2.3")])
def test_a_picture_shows_the_heads_that_were_asked_for(heads: tuple[str, ...], tmp_path: Path) -> None:
    figure = draw_own(tiny_record(), heads)
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()]
    if heads:
        assert titles == [f"layer {name[0]}, head {name[2]}" for name in heads]
        line = figure.axes[0].lines[0]
        record = tiny_record().sel(first_token="dropped")
        layer, head = map(int, heads[0].split("."))
        assert line.get_ydata()[0] == pytest.approx(float(record.measured[layer, head, 1]))
    else:
        assert any("median head" in title for title in titles)
    for suffix in ("png", "svg", "pdf"):
        save_picture(figure, tmp_path / f"heads.{suffix}")
        assert (tmp_path / f"heads.{suffix}").stat().st_size > 1000
    assert not plt.get_fignums()  # nothing is left open


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("3", "head '3' is not LAYER.HEAD"),
        ("3.0", "head 3.0 is not in the record; it has layers 0 to 2"),
        ("0.4", "heads 0 to 3"),
    ],
)
def test_refuses_a_head_that_is_not_there(head: str, said: str) -> None:
    plainly_raises(lambda: draw_own(tiny_record(), [head]), said)


def test_refuses_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plainly_raises(
        lambda: save_picture(draw_own(tiny_record(), ["0.0"]), tmp_path / "file" / "a.png"), "a.png"
    )


# Exports.


def test_every_head_is_a_row_with_its_numbers() -> None:
    record = tiny_record()
    rows = list(csv.DictReader(io.StringIO(heads_csv(record))))
    assert [(int(r["layer"]), int(r["head"])) for r in rows] == list(np.ndindex(3, 4))
    x = record.sel(first_token="dropped")
    assert float(rows[6]["distance_share [1]"]) == pytest.approx(float(x.distance_share[1, 2]), rel=1e-5)
    assert float(rows[6]["r2_bias_se [1]"]) == pytest.approx(
        float(x.r2_bias_se.sel(weighting="log")[1, 2]), rel=1e-5
    )
    assert float(rows[6]["mu_pair_mean [1]"]) == pytest.approx(
        float(x.mu_pair_mean.sel(part="all")[1, 2]), rel=1e-5
    )


def test_a_table_for_a_paper_has_a_row_for_each_layer() -> None:
    lines = layers_latex(tiny_record()).splitlines()
    assert lines[0] == rf"\begin{{tabular}}{{l{'r' * len(COLUMNS)}}}"
    assert [line.split(" & ")[0] for line in lines[4:7]] == ["0", "1", "2"]
    shares = tiny_record().distance_share.sel(first_token="dropped").values[1]
    assert f"{np.median(shares):.2f} ({shares.min():.2f} to {shares.max():.2f})" in lines[5]


def test_statistics_of_queries_are_read_without_running_code(tmp_path: Path) -> None:
    record = tiny_record("llama-yarn")
    write_query_statistics(record, tmp_path / "queries.pt")
    payload = torch.load(tmp_path / "queries.pt", weights_only=True)
    assert payload["metadata"]["sampled_heads"] == [list(place) for place in np.ndindex(3, 4)]
    assert (payload["metadata"]["head_dim"], payload["metadata"]["rope_style"]) == (8, "half")
    assert payload["metadata"]["rope_type"] == "yarn"
    x = record.sel(first_token="dropped")
    for key, entry in payload["stats"].items():
        layer, head = map(int, re.fullmatch(r"layer(\d\d)_head(\d\d)", key).groups())
        assert torch.allclose(entry["q_mean_real"], torch.tensor(x.q_real.values[layer, head]).float())
        assert torch.allclose(entry["q_mean_imag"], torch.tensor(x.q_imag.values[layer, head]).float())
        size = torch.hypot(entry["q_mean_real"], entry["q_mean_imag"])
        assert (size <= entry["q_abs_mean"] * (1 + 1e-6)).all()  # a mean is no longer than the mean length


def test_an_older_record_has_no_statistics_of_queries() -> None:
    older = tiny_record().drop_vars(["q_real", "q_imag", "q_size"])
    plainly_raises(lambda: query_statistics(older), "holds no statistics of queries; make it again")
