"""The page of a record: the numbers in it are the record's, by loops over distances and heads; it fetches nothing."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.theory.frequencies import plain, yarn
from figures.report.head_views import head_views, sentences
from figures.report.page import ensure_page, report_page, unpacked, write_page
from tests.figures.report_records import LENGTH, random_record, tiny_record
from tests.refusals import plainly_raises

VARIANTS = ("llama", "llama-yarn", "gemma3", "gpt_neox")


def of_head(record: xr.Dataset, name: str, head: int) -> np.ndarray:
    """A variable of one head, counted over layers, without the first token."""
    layer, within = divmod(head, record.sizes["head"])
    return record[name].sel(first_token="dropped").isel(layer=layer, head=within).values.astype(float)


@pytest.mark.parametrize("variant", VARIANTS)
def test_curves_are_means_over_the_distances_of_each_bin(variant: str) -> None:
    record = tiny_record(variant)
    _, arrays = unpacked(report_page(record))
    for head in range(record.sizes["layer"] * record.sizes["head"]):
        window = float(record.sliding_window[head // record.sizes["head"]])
        last = LENGTH // 2 if math.isnan(window) else min(LENGTH // 2, int(window) - 1)
        curves = {
            name: of_head(record, name, head) for name in ("measured", "measured_se", "bias", "shuffled")
        }
        for j, (first, stop) in enumerate(zip(arrays["bin_first"], arrays["bin_stop"], strict=True)):
            inside = range(int(first), min(int(stop), last + 1))
            found = {
                name: arrays[name][head, j]
                for name in ("measured", "low", "high", "error", "bias", "shuffled")
            }
            if not inside:
                assert all(math.isnan(x) for x in found.values())
                continue
            expected = {
                "measured": np.mean([curves["measured"][d] for d in inside]),
                "low": min(curves["measured"][d] for d in inside),
                "high": max(curves["measured"][d] for d in inside),
                "error": np.mean([curves["measured_se"][d] for d in inside]),
                "bias": np.mean([curves["bias"][d] for d in inside]),
                "shuffled": np.mean([curves["shuffled"][d] for d in inside]),
            }
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_fits_are_weighted_least_squares() -> None:
    record = tiny_record()
    _, arrays = unpacked(report_page(record))
    meta, _ = unpacked(report_page(record))
    keys = [q["key"] for q in meta["quantities"]]
    distance = np.arange(1.0, LENGTH // 2 + 1)
    root = np.sqrt(1 / distance)
    omega = record.omega.values[0]
    shapes = {
        "formula": (
            np.cos(np.outer(distance, omega)).sum(axis=1),
            "formula_level",
            "formula_mean",
            "r2_formula",
        ),
        "log": (np.log(distance), "log_level", "log_slope", "r2_logarithm"),
    }
    for head in range(record.sizes["layer"] * record.sizes["head"]):
        y = of_head(record, "measured", head)[1 : LENGTH // 2 + 1]
        for shape, level, slope, r2 in shapes.values():
            design = np.stack([np.ones_like(distance), shape], axis=1)
            (a, b), *_ = np.linalg.lstsq(root[:, None] * design, root * y, rcond=None)
            assert arrays[level][head] == pytest.approx(a, rel=1e-4, abs=1e-5)
            assert arrays[slope][head] == pytest.approx(b, rel=1e-4, abs=1e-5)
            rest = np.average((y - a - b * shape) ** 2, weights=1 / distance)
            whole = np.average((y - np.average(y, weights=1 / distance)) ** 2, weights=1 / distance)
            assert arrays["quantities"][keys.index(r2), head] == pytest.approx(1 - rest / whole, abs=1e-4)
    for j, (first, stop) in enumerate(zip(arrays["bin_first"], arrays["bin_stop"], strict=True)):
        inside = np.arange(first, stop)
        assert arrays["log_shape"][0, j] == pytest.approx(np.log(inside).mean(), rel=1e-5)
        assert arrays["formula_shape"][0, j] == pytest.approx(
            np.cos(np.outer(inside, omega)).sum(axis=1).mean(), rel=1e-5, abs=1e-5
        )


def predicted(meta: dict, arrays: dict[str, np.ndarray], head: int, extension: int) -> np.ndarray:
    """What the page's script adds up, in the same order."""
    kind = int(arrays["kind"][head // meta["heads"]])
    scale = arrays["scale"][head // meta["heads"]]
    cos, sin = (arrays[f"beyond_{name}"][kind, extension].astype(float) for name in ("cos", "sin"))
    rotated = cos @ arrays["mu"][head] + sin @ arrays["nu"][head]
    return scale * arrays["gain"][kind, extension] * rotated + arrays["rest"][head]


def test_predictions_are_the_score_of_the_means_under_each_extension() -> None:
    record = tiny_record()
    meta, arrays = unpacked(report_page(record))
    context = int(record.attrs["context_length"])
    titles = meta["extensions"][0]
    assert titles[0] == "RoPE"
    ways = {
        "RoPE": plain(300.0, 8),
        "YaRN": yarn(300.0, 8, factor=4, trained_length=context),
    }
    head = 5
    mu, nu = (
        record[name].sel(first_token="dropped", part="all").values.reshape(-1, 4)[head]
        for name in ("mu", "nu")
    )
    for title, frequencies in ways.items():
        found = predicted(meta, arrays, head, titles.index(title))
        for j, (first, stop) in enumerate(zip(arrays["beyond_first"], arrays["beyond_stop"], strict=True)):
            angle = np.outer(np.arange(first, stop), frequencies.omega)
            score = (np.cos(angle) @ mu + np.sin(angle) @ nu).mean()
            expected = float(record.scale[0]) * frequencies.attention_factor**2 * score
            assert found[j] == pytest.approx(expected, abs=1e-4)
    inside, within = within_the_window(record, arrays, head)
    assert inside.sum() > 10
    assert np.allclose(predicted(meta, arrays, head, 0)[inside], within, atol=1e-4)


def within_the_window(
    record: xr.Dataset, arrays: dict[str, np.ndarray], head: int
) -> tuple[np.ndarray, list[float]]:
    """Which bins of the prediction lie within the measured window, and the record's own bias there."""
    bins = list(zip(arrays["beyond_first"].astype(int), arrays["beyond_stop"].astype(int), strict=True))
    inside = np.array([stop <= LENGTH for _, stop in bins])
    bias = of_head(record, "bias", head)
    return inside, [bias[first:stop].mean() for first, stop in bins if stop <= LENGTH]


def test_what_does_not_rotate_is_a_level_of_the_prediction() -> None:
    record = tiny_record("gpt_neox")  # half of each head rotates
    meta, arrays = unpacked(report_page(record))
    for head in range(meta["layers"] * meta["heads"]):
        inside, within = within_the_window(record, arrays, head)
        assert np.allclose(predicted(meta, arrays, head, 0)[inside], within, atol=1e-4)


def test_maps_are_the_records_numbers() -> None:
    record = tiny_record()
    meta, arrays = unpacked(report_page(record))
    keys = [q["key"] for q in meta["quantities"]]
    data = record.sel(first_token="dropped")
    maps = dict(zip(keys, arrays["quantities"], strict=True))
    assert np.allclose(maps["distance_share"], data.distance_share.values.reshape(-1), rtol=1e-6)
    assert np.allclose(maps["r2_bias"], data.r2_bias.sel(weighting="log").values.reshape(-1), rtol=1e-6)
    near = [of_head(record, "measured", h)[1:17].mean() for h in range(len(maps["near_far"]))]
    far = [of_head(record, "measured", h)[16:33].mean() for h in range(len(near))]
    assert np.allclose(maps["near_far"], (np.array(near) - far) / data.score_sd.values.reshape(-1), rtol=1e-4)
    assert np.allclose(arrays["wavelength"][0], 2 * np.pi / record.omega.values[0], rtol=1e-6)


def test_sliding_layers_say_nothing_beyond_their_window() -> None:
    record = tiny_record("gemma3")
    meta, arrays = unpacked(report_page(record))
    keys = [q["key"] for q in meta["quantities"]]
    rise = arrays["quantities"][keys.index("predicted_rise")].reshape(meta["layers"], meta["heads"])
    sliding = np.isfinite(record.sliding_window.values)
    assert sliding.tolist() == [True, False, True]
    assert np.isnan(rise[sliding]).all()
    assert np.isfinite(rise[~sliding]).all()
    assert len(set(arrays["kind"].tolist())) == 2  # two bases, two types of layers


# Sentences.


def test_sentences_say_the_records_numbers() -> None:
    record = tiny_record()
    first, second, third = sentences(record, head_views(record))
    share = record.distance_share.sel(first_token="dropped").values
    assert first.startswith(f"In the median of 12 heads {100 * np.median(share):.0f} % of the variance")
    assert "over 3 windows of 64 tokens" in first
    assert re.search(r"\d+ of 12 heads score near tokens above far ones", second)
    assert "where chance alone gives 18 %" in second  # 2 standard errors, 2 degrees of freedom
    assert "a prediction from the means and not a measurement" in third


def test_a_record_without_context_predicts_nothing_and_says_so() -> None:
    record = tiny_record().copy()
    record.attrs = {k: v for k, v in record.attrs.items() if k != "context_length"}
    meta, arrays = unpacked(report_page(record))
    assert meta["context"] is None
    assert "beyond_cos" not in arrays
    assert "does not say the model's context length" in sentences(record, head_views(record))[2]


def test_all_layers_with_a_window_are_said() -> None:
    record = tiny_record("mistral")
    assert "Every layer has a sliding window" in sentences(record, head_views(record))[2]


# The file.


@pytest.mark.parametrize(("layers", "heads", "pairs", "most"), [(30, 9, 32, 2e6), (32, 32, 64, 8e6)])
def test_a_page_is_small(layers: int, heads: int, pairs: int, most: float) -> None:
    assert len(report_page(random_record(layers, heads, pairs, 2048)).encode()) <= most


def test_a_page_fetches_nothing() -> None:
    page = report_page(tiny_record())
    assert "default-src 'none'" in page
    own = page.replace("http://www.w3.org/2000/svg", "")  # the name of SVG, which nobody looks up
    assert re.findall(r"https?://|\bsrc=|@import|url\(", own) == []


def test_a_name_cannot_break_out_of_the_page() -> None:
    page = report_page(tiny_record().assign_attrs(model="</script><img onerror=x>"))
    assert "<img" not in page
    meta, _ = unpacked(page)
    assert meta["model"] == "</script><img onerror=x>"
    assert re.fullmatch(r"[A-Za-z0-9._-]+", meta["file"])


def test_a_dead_head_is_a_hole_and_no_error() -> None:
    record = random_record(2, 2, 4, 64)
    for name in ("distance_share", "distance_share_se"):
        record[name][0, 0, 0] = np.nan
    meta, arrays = unpacked(report_page(record))
    assert math.isnan(arrays["quantities"][0, 0])
    assert meta["quantities"][0]["low"] == 0


def test_pages_are_written_over_pages_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    ensure_page(path)
    write_page(report_page(tiny_record()), path)
    ensure_page(path)
    (tmp_path / "other.html").write_text("<html>mine</html>")
    plainly_raises(lambda: ensure_page(tmp_path / "other.html"), "exists and is no page of ours")
    plainly_raises(lambda: ensure_page(tmp_path / "page.txt"), "give one that ends in .html")
    plainly_raises(lambda: ensure_page(tmp_path / "other.html" / "page.html"), "cannot be written")
    (tmp_path / "folder.html").mkdir()
    plainly_raises(lambda: ensure_page(tmp_path / "folder.html"), "is a folder; give the name of a file")
    plainly_raises(lambda: unpacked("<html>"), "this page holds no record")
