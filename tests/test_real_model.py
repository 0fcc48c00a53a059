"""The real model: its record against the committed summary, its control, its row order."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from torch.nn import functional as F

from analysis import assets
from analysis.errors import InputError
from analysis.heads.bias_interventions import CurveSums, intervention
from analysis.models.attention import explicit
from analysis.models.capture import capture_checkpoint
from analysis.models.huggingface import PARAGRAPH, check_row_order, interleaved_order, reordered
from analysis.models.intervened import TextReader, intervened, unchanged
from analysis.models.load import fetch_smollm2, load_checkpoint
from analysis.models.pretrained_losses import extended_rotation
from analysis.progress import silent
from analysis.records import read_summary
from analysis.studies import distance_bias, formula_fit
from analysis.studies.bias_interventions import WHOLE
from analysis.studies.distance_bias import layer_means
from analysis.theory.frequencies import Extension
from figures import style
from figures.build import resolve
from figures.catalogue import FIGURES, SUMMARIES, read_arrays

pytestmark = pytest.mark.records("smollm2")


@pytest.fixture(scope="module")
def real_record(made_records: None) -> xr.Dataset:
    """The real model's record, made by its own step: a minute on a fresh clone, seconds afterwards."""
    return read_arrays("smollm2")


def test_a_fresh_measurement_is_within_the_intervals_of_the_committed_summary(real_record: xr.Dataset):
    summary = read_summary(SUMMARIES / "smollm2.json", expect_schema=distance_bias.SUMMARY)
    fresh = real_record.sel(first_token="dropped", weighting="log")
    assert summary["windows"] == fresh.attrs["windows"]
    recorded, error = (np.array(summary["heads"][name]) for name in ("distance_share", "distance_share_se"))
    assert recorded.shape == (30, 9)
    assert np.all(np.abs(fresh.distance_share.values - recorded) <= 2 * error + 1e-3)
    # intervals wide enough to hold anything would show nothing
    assert np.median(error) < 0.05 * np.ptp(np.quantile(recorded, (0.05, 0.95)))
    for name in ("r2_bias", "r2_paper"):
        recorded, error = (np.array(summary["layers"][name + suffix]) for suffix in ("", "_se"))
        assert np.all(
            np.abs(layer_means(fresh, name)[0].values - recorded) <= 2 * error + 1e-2 * np.abs(recorded)
        )


def test_windows_are_those_of_the_committed_summary(real_record: xr.Dataset):
    """Its tokenizer puts nothing before a text: no window has changed since windows begin as texts do."""
    written = json.loads((SUMMARIES / "smollm2.json").read_text())
    assert real_record.attrs["text_sha256"] == written["provenance"]["text_sha256"]
    assert real_record.attrs["window_begin"] == "nothing"


def test_a_fresh_fit_of_shapes_gives_the_committed_numbers(real_record: xr.Dataset):
    """To a hundredth: a tenth of what any sentence says of them, and far more than rounding."""
    committed = read_summary(SUMMARIES / "formula_shapes.json", expect_schema=formula_fit.SHAPES_SUMMARY)
    fresh = formula_fit.summarise_shapes(real_record)
    assert fresh["texts"] == committed["texts"]
    for weighting, shapes in committed["shapes"].items():
        for shape, row in shapes.items():
            found = fresh["shapes"][weighting][shape]
            assert found["free"] == row["free"]
            for name in ("measured", "other_texts", "same_text", "less_mu_0"):
                np.testing.assert_allclose(found[name], row[name], atol=1e-2, err_msg=f"{shape} {name}")


@pytest.mark.parametrize("first_token", ["kept", "dropped"])
def test_the_shuffled_control_falls_on_the_bias_within_its_standard_error(
    real_record: xr.Dataset, first_token: str
):
    """z = gap / standard error over 8 windows is Student's t with 7 degrees of freedom at every distance."""
    x = real_record.sel(first_token=first_token).isel(distance=slice(1, 1025))
    beyond = (abs(x.control_gap / x.control_gap_se) > 2).mean(["head", "distance"]).values
    expected = 2 * stats.t.sf(2, df=int(real_record.attrs["windows"]) - 1)
    # the heads of a layer share their token orders, layers do not
    error = beyond.std(ddof=1) / np.sqrt(len(beyond))
    assert abs(beyond.mean() - expected) < 4 * error
    assert error < expected / 4


def test_the_control_sees_content_where_there_is_some(real_record: xr.Dataset):
    """The same statistic for the measured curve itself: if it too fell on the bias, the control would be blind."""
    x = real_record.sel(first_token="dropped").isel(distance=slice(1, 17))
    assert float((abs(x.content / x.content_se) > 2).mean()) > 0.5


def test_parts_add_up_and_shares_sum_to_one(real_record: xr.Dataset):
    x = real_record
    kept = (x.measured_se + x.bias_se + x.content_se) / 512  # what a record keeps of each
    gap = abs(x.measured - x.bias - x.content)
    assert bool((gap <= kept + 1e-4).where(x.measured.notnull(), other=True).all())
    assert np.allclose(x.share_bias + x.share_content, 1)


def test_row_order_is_guarded(made_records: None):
    checkpoint = load_checkpoint(fetch_smollm2())
    found = check_row_order(checkpoint)
    assert all(value > 2 * found["as loaded"] for name, value in found.items() if name != "as loaded")
    order = interleaved_order(checkpoint.head_dim)
    for rows in (order, order.argsort()):
        with reordered(checkpoint, rows), pytest.raises(InputError, match="perplexity"):
            check_row_order(checkpoint)


@pytest.mark.slow  # expanding the quantised weights takes half a minute; the fetch did so, with the same guard
def test_the_converted_folder_holds_the_weights_of_the_gguf():
    folder = fetch_smollm2()
    gguf = assets.fetched_gguf(assets.SMOLLM2, assets.cache_folder(), silent)
    ours, theirs = (load_checkpoint(path).model for path in (folder, gguf))
    converted = ours.state_dict()
    for name, weight in theirs.state_dict().items():
        assert torch.equal(converted.pop(name), weight), name
    assert not converted


def test_the_readme_shows_this_record(real_record: xr.Dataset):
    """By its data, not by its pixels."""
    overview = FIGURES["overview"]
    shown = style.plotted(resolve(overview.drawn_by)({"smollm2": real_record}))
    assert overview.committed is not None
    assert style.shows(overview.committed, shown)


def test_interventions_over_cached_keys_are_what_they_are_with_all_scores_at_once():
    """In float64, 40 tokens in the place of the trained length, one of each kind; `test_intervened` has them all."""
    checkpoint = load_checkpoint(fetch_smollm2(), dtype=torch.float64)
    tokens = checkpoint.encode(PARAGRAPH)[:81]
    trained, targets = 40, [range(50, 60), range(70, 80)]
    sums = CurveSums(trained, 77)
    capture_checkpoint(checkpoint, tokens[None], sums.add)
    curves, reader, at = sums.curves(), TextReader(checkpoint, tokens, trained, block=16), torch.arange(80)
    longer = extended_rotation(checkpoint, Extension("yarn", 2.0, trained), 80)
    plain = torch.cat(reader.losses(unchanged, targets))
    for name in ("hold", "clamp-departure", "mask-sink", "hold-sink-only", "length-corrected", "yarn"):
        change = intervention(name, curves, 77, extended=longer)
        found = torch.cat(reader.losses(change, targets, whole=name in WHOLE))
        with torch.inference_mode(), intervened(checkpoint, change, explicit, at):
            logits = checkpoint.model(input_ids=tokens[None, :-1], use_cache=False).logits[0]
        expected = F.cross_entropy(logits, tokens[1:], reduction="none")[[*targets[0], *targets[1]]]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-8)
        assert float((found - plain).abs().max()) > 1e-3
    whole = checkpoint.model(input_ids=tokens[None, :-1], use_cache=False).logits[0].detach()
    own = F.cross_entropy(whole, tokens[1:], reduction="none")[[*targets[0], *targets[1]]]
    torch.testing.assert_close(plain, own, rtol=0, atol=1e-4)  # the model forms its angles in float32
