"""Fits on some texts scored on others: splits, both kinds of interval, texts that differ, a record of tiny models."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.cli import main
from analysis.cli.printed import formula_numbers
from analysis.errors import InputError
from analysis.heads import decomposition, formula_fit
from analysis.heads.formula_fit import INTERCEPTS, LOGARITHM, SHAPES
from analysis.models.huggingface import Checkpoint
from analysis.models.load import PretrainedModel
from analysis.records import read
from analysis.studies import distance_bias
from analysis.studies import formula_fit as study
from analysis.studies.settings import DistanceBiasSettings, FormulaFitSettings
from analysis.text.windows import Document
from analysis.theory import frequencies
from tests import tiny_models

LEVEL_FREE = INTERCEPTS[0]
LENGTH, DOCUMENTS, EACH, HEADS = 64, 5, 4, 3


def curves(
    seed: int,
    *,
    between: float = 0.0,
    within: float = 0.1,
    noise: float = 0.3,
    window: int | None = None,
    each: int = EACH,
    heads: int = HEADS,
) -> study.LayerCurves:
    """Mean scores that fall like a logarithm, with noise in every window and slopes that differ between documents."""
    rng = np.random.default_rng(seed)
    log = np.log(np.maximum(np.arange(LENGTH), 1))
    slope = (
        -1
        + between * rng.normal(size=(DOCUMENTS, 1, heads))
        + within * rng.normal(size=(DOCUMENTS, each, heads))
    )
    measured = slope[..., None] * log + noise * rng.normal(size=(DOCUMENTS, each, heads, LENGTH))
    omega = frequencies.plain(1e3, 8).omega
    means = rng.normal(size=(DOCUMENTS * each, heads, len(omega))) + 0j
    squares = (measured**2 * np.arange(LENGTH, 0, -1)).sum(-1) * 1.5
    return study.LayerCurves(
        omega, window, DOCUMENTS, measured.reshape(-1, heads, LENGTH), squares.reshape(-1, heads), means
    )


@pytest.mark.parametrize("trained_on", study.TRAINED_ON)
def test_what_is_scored_on_was_fitted_on_only_where_that_is_said(trained_on: str):
    of_document = curves(0).of_document
    assert list(itertools.chain(*of_document)) == list(range(DOCUMENTS * EACH))
    for scored, own in enumerate(of_document):
        parts = list(study.splits(of_document, trained_on, scored))
        for to_fit, to_score in parts:
            assert set(to_score) <= set(own)
            shared, of_same = set(to_fit) & set(to_score), set(to_fit) & set(own)
            assert (shared == set(own)) if trained_on == "same text" else not shared
            assert bool(of_same) == (trained_on in ("same text", "other windows"))
        scored_on = [w for _, to_score in parts for w in to_score]
        times = DOCUMENTS - 1 if trained_on == "one other text" else 1
        assert sorted(scored_on) == sorted(own * times)
        if trained_on == "all other texts":
            assert len(parts[0][0]) == (DOCUMENTS - 1) * EACH


def test_unknown_words_are_refused():
    with pytest.raises(InputError, match="trained_on='no text' is unknown; did you mean same text"):
        next(study.splits([[0, 1]], "no text", 0))
    with pytest.raises(InputError, match="statistic='slope' is unknown; did you mean log slope"):
        study.document_statistics(curves(0), "slope")


def test_noise_of_windows_is_neither_explained_nor_left_over():
    """A logarithm under noise of its own variance: R^2 is 1, where R^2 of single windows says a half."""
    x = curves(1, heads=40, within=0.0, noise=0.85)
    found = study.fit_shape(x, x.products("uniform"), LOGARITHM, LEVEL_FREE, "all other texts")
    value, error = study.over_texts(found)
    assert abs(np.mean(value) - 1) < 4 * np.sqrt(np.mean(error**2) / 40) < 0.05
    log = np.log(x.distance)
    naive = [np.corrcoef(log, one[1 : len(log) + 1])[0, 1] ** 2 for one in x.measured.reshape(-1, LENGTH)]
    assert np.mean(naive) < 0.6


def test_leaving_out_a_document_or_a_window_is_done_by_hand():
    x = curves(2, between=0.5)
    table = x.products("log")
    found = study.fit_shape(x, table, "straight line", LEVEL_FREE, "all other texts")
    r2 = 1 - found.rest / found.whole
    value, error = study.over_texts(found)
    less = []
    for out in range(DOCUMENTS):
        kept = [d for d in range(DOCUMENTS) if d != out]
        less.append(1 - found.rest[:, kept].sum(1) / found.whole[:, kept].sum(1))
    np.testing.assert_allclose(value, 1 - found.rest.sum(1) / found.whole.sum(1))
    np.testing.assert_allclose(
        error, np.sqrt((DOCUMENTS - 1) / DOCUMENTS * ((np.array(less) - np.mean(less, 0)) ** 2).sum(0))
    )
    by_document, ends = study.medians([found])
    np.testing.assert_allclose(by_document, np.median(r2, axis=0))
    t = stats.t.ppf(0.975, DOCUMENTS - 1)
    half = t * by_document.std(ddof=1) / np.sqrt(DOCUMENTS)
    assert ends[:3] == pytest.approx(
        [by_document.mean(), by_document.mean() - half, by_document.mean() + half]
    )
    # the windows of one document, one left out by hand
    own, out = x.of_document[2], 1
    others = [w for w in range(DOCUMENTS * EACH) if w not in own]
    of = formula_fit.shape_coefficients("straight line", LEVEL_FREE, table, x.means, others)
    kept = [w for i, w in enumerate(own) if i != out]
    rest = decomposition.cross(formula_fit.left_over(table.centred, of, kept))
    whole = decomposition.cross(table.centred.windows[:, kept][:, :, kept])
    np.testing.assert_allclose(found.without[:, :, 2, out], [rest, whole])
    changes = np.median(1 - found.without[0] / found.without[1], axis=0)
    variance = ((EACH - 1) / EACH * ((changes - changes.mean(1, keepdims=True)) ** 2).sum(1)).sum()
    wide = stats.t.ppf(0.975, DOCUMENTS * (EACH - 1)) * np.sqrt(variance) / DOCUMENTS
    assert ends[3:] == pytest.approx([by_document.mean() - wide, by_document.mean() + wide])


def test_texts_that_differ_widen_the_interval_over_texts_and_not_that_over_windows():
    """The same noise in windows; slopes that differ between documents make a fit on another text worse."""
    same, apart = curves(3, heads=30), curves(3, between=0.6, heads=30)
    width = {}
    for name, x in (("same", same), ("apart", apart)):
        fits = [study.fit_shape(x, x.products("log"), LOGARITHM, LEVEL_FREE, t) for t in study.TRAINED_ON]
        own, other_windows, one, others = (study.medians([f])[1] for f in fits)
        width[name] = others[2] - others[1]
        if name == "apart":
            assert other_windows[0] > others[0] > one[0]
        assert np.isnan(other_windows[3])
        assert own[0] >= other_windows[0] - 0.05
    assert width["apart"] > 3 * width["same"]


@pytest.mark.parametrize("statistic", study.STATISTICS)
def test_texts_alike_differ_by_chance_and_unlike_ones_by_more(statistic: str):
    each = 6
    alike = study.document_statistics(curves(4, each=each, heads=400), statistic)
    share, low, high = study.texts_differ(*alike)
    chance = study.expected_by_chance(each)
    assert chance == pytest.approx(2 * stats.t.sf(2, 10))
    if statistic == "log slope":  # normal: the expectation is exact
        error = np.sqrt(
            chance * (1 - chance) / 400
        )  # pairs of documents are not independent: at least so small
        assert abs(share - chance) < 4 * error
    assert low < share < high
    apart = study.document_statistics(curves(4, each=each, heads=400, between=0.5), statistic)
    assert study.texts_differ(*apart)[0] > 2 * share
    assert np.median(study.error_ratio(*apart)) > 1.5 * np.median(study.error_ratio(*alike))


def test_two_documents_are_one_pair_and_have_no_interval():
    value, error = study.document_statistics(curves(4, each=6, heads=50, between=0.5), "log slope")
    share, low, high = study.texts_differ(value[:, :2], error[:, :2])
    gap, both = np.diff(value[:, :2])[:, 0], np.sqrt((error[:, :2] ** 2).sum(1))
    assert share == np.mean(abs(gap) > 2 * both)
    assert np.isnan([low, high]).all()


def test_a_documents_distance_share_is_that_of_its_windows_alone():
    x = curves(5, window=20)
    value, error = study.document_statistics(x, "distance share")
    counts = np.where(np.arange(LENGTH) < 20, LENGTH - 1 - np.arange(LENGTH), 0)
    own = x.of_document[1]
    expected = decomposition.share_of_scores(
        x.measured[own][..., :20], x.square_sum[own], counts[:20].astype(float)
    )
    np.testing.assert_allclose(value[:, 1], expected[0])
    np.testing.assert_allclose(error[:, 1], expected[1])


def test_fits_stop_at_a_sliding_window():
    x = curves(6, window=9)
    assert x.distance.tolist() == list(range(1, 9))
    beyond = x.measured.copy()
    beyond[..., 9:] = np.nan
    hidden = study.LayerCurves(x.omega, 9, DOCUMENTS, beyond, x.square_sum, x.means)
    for shape in SHAPES:
        one, other = (
            study.fit_shape(y, y.products("log"), shape, LEVEL_FREE, "all other texts") for y in (x, hidden)
        )
        np.testing.assert_array_equal(one.rest, other.rest)


def test_a_dead_head_has_no_share_and_spoils_no_median():
    x = curves(7)
    dead = x.measured.copy()
    dead[:, 1] = 0
    y = study.LayerCurves(x.omega, None, DOCUMENTS, dead, x.square_sum, x.means)
    found = study.fit_shape(y, y.products("log"), LOGARITHM, LEVEL_FREE, "same text")
    assert np.isnan(study.over_texts(found)[0]).tolist() == [False, True, False]
    assert np.isfinite(study.medians([found])[1]).all()


@given(able=st.integers(3, 12), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=30, deadline=None)
def test_fewer_documents_are_the_first_of_more(able: int, seed: int, data: st.DataObject):
    texts = [Document(f"{i:02}", np.zeros(40 + i, np.int64)) for i in range(able)]
    short = Document("short", np.zeros(39, np.int64))
    more = data.draw(st.integers(1, able))
    fewer = data.draw(st.integers(1, more))
    found = study.chosen_documents([*texts, short], more, 4, 10, seed=seed)
    assert len({d.name for d in found}) == more
    assert short not in found
    assert study.chosen_documents([short, *texts[::-1]], fewer, 4, 10, seed=seed) == found[:fewer]


def test_too_few_documents_are_refused():
    texts = [Document(str(i), np.zeros(20 * i, np.int64)) for i in range(4)]
    with pytest.raises(InputError, match="2 of 4 documents have 4 windows of 10 tokens, for documents=3"):
        study.chosen_documents(texts, 3, 4, 10, seed=0)


@pytest.mark.parametrize(
    ("sizes", "count", "tokens", "length", "said"),
    [
        ((500, 400, 200), 3, 400, 40, "give --documents 2, or more texts"),
        ((500, 300, 100), 8, 400, 40, "give --documents 2 --tokens 300"),
        ((500, 300, 200), 8, 400, 40, "give --documents 3 --tokens 200"),
        ((500, 100), 2, 400, 40, "give --documents 2 --tokens 100 --length 25, or longer texts"),
        ((500,), 2, 400, 40, "give two texts or more"),
        ((500, 20), 2, 400, 40, "give two texts or more"),
    ],
)
def test_the_remedy_of_too_few_documents_works(sizes, count: int, tokens: int, length: int, said: str):
    texts = [Document(str(i), np.zeros(size, np.int64)) for i, size in enumerate(sizes)]
    each = FormulaFitSettings(count, tokens, length).windows(length)
    with pytest.raises(InputError) as refusal:
        study.chosen_documents(texts, count, each, length, seed=0)
    assert str(refusal.value).endswith(said) or said in str(refusal.value)
    remedy = dict(re.findall(r"--(\w+) (\d+)", said))
    if remedy:  # what it says is done
        asked = FormulaFitSettings(
            int(remedy["documents"]), int(remedy.get("tokens", tokens)), int(remedy.get("length", length))
        )
        assert asked.length is not None
        found = study.chosen_documents(
            texts, asked.documents, asked.windows(asked.length), asked.length, seed=0
        )
        assert len(found) == asked.documents


# a record


def texts(folder: Path, count: int = 3) -> list[Path]:
    rng = np.random.default_rng(8)
    paths = [folder / f"{name}.txt" for name in "abc"[:count]]
    for path in paths:
        path.write_text(" ".join(f"w{i}" for i in rng.integers(0, 96, 400)))
    return paths


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    return tmp_path


SETTINGS = FormulaFitSettings(documents=3, tokens=160, length=40, seed=1)


def measured(place: Path, *variants: str) -> xr.Dataset:
    models = []
    for variant in variants:
        model = tiny_models.build(variant)
        models.append(str(tiny_models.save(model, place / variant, tokenizer=True)))
    data, provenance = study.measure_shapes(
        models, texts(place), SETTINGS, arguments=["tapa"], progress=lambda *told: None
    )
    assert provenance.configuration["models"][0]["windows of a document"] == 4
    return data


@pytest.mark.full  # two models, measured and fitted
def test_a_record_of_two_models_and_its_numbers_again(place: Path):
    data = measured(place, "llama", "gemma3")
    assert data["model"].values.tolist() == ["llama", "gemma3"]
    assert data.row_model.values.tolist() == ["llama"] * 12 + ["gemma3"] * 12
    assert set(study.FORMULA_FIT.variables) >= {*data.data_vars, *data.coords}
    for name in ("r2", "r2_by_document", "mu_fitted", "log_slope_se", "error_ratio"):
        assert np.isfinite(data[name]).all(), name
    same = data.sel(trained_on="same text", intercept=LEVEL_FREE, weighting="log")
    for fewer, more in ((LOGARITHM, "logarithm and its square"), ("formula, mu_0", "formula, mu_0 and nu_0")):
        assert (same.r2_median.sel(shape=more) >= same.r2_median.sel(shape=fewer) - 0.05).all()
    np.testing.assert_array_equal(data.difference.sel(shape="formula, mu_0"), 0)
    assert len(list((place / "cache" / "curves").iterdir())) == 2 * 3 * 4
    again = measured(place, "llama", "gemma3")  # out of the cache
    xr.testing.assert_identical(data, again)


def test_a_window_that_was_read_is_not_read_again(place: Path, monkeypatch: pytest.MonkeyPatch):
    model = PretrainedModel(Checkpoint.of(tiny_models.build("mistral"), name="tiny"))
    tokens = np.random.default_rng(0).integers(0, 96, 48)
    first = study.window_curves(model, tokens)
    assert first["window"].tolist() == [20] * 3
    assert np.isnan(first["measured"][:, :, 20:]).all()
    monkeypatch.setattr(model, "capture", None)
    for name, value in study.window_curves(model, tokens).items():
        np.testing.assert_array_equal(value, first[name])
    (path,) = (place / "cache" / "curves").iterdir()
    path.write_bytes(path.read_bytes()[:-50])  # damaged: read again
    with pytest.raises(TypeError):
        study.window_curves(model, tokens)
    with torch.inference_mode(), pytest.raises(TypeError):
        study.window_curves(model, tokens + 1)


def test_the_summary_of_a_record_is_that_of_its_curves(place: Path):
    """R^2 of a logarithm is a squared weighted correlation; every pair's means are those of the other windows."""
    folder = tiny_models.save(tiny_models.build("gemma3"), place / "gemma3", tokenizer=True)
    data, _ = distance_bias.measure_model(
        str(folder),
        texts(place),
        DistanceBiasSettings(3, 64, 0),
        arguments=["tapa"],
        progress=lambda *told: None,
    )
    found = study.summarise_shapes(data)
    assert (found["heads"], found["length"], found["model"]) == (12, 64, "gemma3")
    assert found["texts"] == ["a.txt", "b.txt", "c.txt"]
    x = data.sel(first_token="dropped")
    for weighting in study.WEIGHTINGS:
        of_log, of_means, strict = [], [], []
        for layer, seen in enumerate((23, 32, 23)):
            distance = np.arange(1, seen + 1)
            weight = 1 / distance if weighting == "log" else np.ones(seen)
            mu, nu = (
                x[name].sel(part="all", layer=layer).transpose("window", "head", "pair").values.astype(float)
                for name in ("mu_window", "nu_window")
            )
            angle = np.outer(x.omega.values[layer], distance)
            curves_ = float(x.scale[layer]) * (mu @ np.cos(angle) + nu @ np.sin(angle))
            for head in range(4):
                curve = x.measured.values[layer, head, 1 : seen + 1].astype(float)
                cov = np.cov(curve, np.log(distance), aweights=weight, ddof=0)
                of_log.append(cov[0, 1] ** 2 / cov[0, 0] / cov[1, 1])
                share = weight / weight.sum()
                rest = curve - curves_[:, head].mean(0)
                strict.append(1 - (share * rest**2).sum() / cov[0, 0])
                of_means.append([])
                for out in range(3):
                    own = curves_[out, head]
                    rest = own - np.delete(curves_[:, head], out, axis=0).mean(0)
                    of_means[-1].append(
                        1 - np.cov(rest, aweights=weight, ddof=0) / np.cov(own, aweights=weight, ddof=0)
                    )
        row = found["shapes"][weighting]
        assert row[LOGARITHM]["measured"] == pytest.approx(np.quantile(of_log, (0.25, 0.5, 0.75)).tolist())
        expected = np.quantile(strict, (0.25, 0.5, 0.75)).tolist()
        assert row["every pair's means"]["no_intercept"] == pytest.approx(expected, rel=1e-4)
        medians = np.median(of_means, axis=0)
        half = stats.t.ppf(0.975, 2) * medians.std(ddof=1) / np.sqrt(3)
        expected = [medians.mean(), medians.mean() - half, medians.mean() + half]
        assert row["every pair's means"]["other_texts"] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert row["every pair's means"]["same_text"][0] == pytest.approx(1, abs=1e-6)
        assert row["formula, mu_0"]["less_mu_0"] == [0, 0, 0]
        for shape in SHAPES:
            assert row[shape]["free"] == formula_fit.FREE[shape]
            assert row[shape]["same_text"][0] >= row[shape]["other_texts"][0] - 0.02


def test_windows_of_one_text_are_no_unseen_text(place: Path):
    folder = tiny_models.save(tiny_models.build("llama"), place / "llama", tokenizer=True)
    data, _ = distance_bias.measure_model(
        str(folder),
        texts(place, 1),
        DistanceBiasSettings(3, 32, 0),
        arguments=["tapa"],
        progress=lambda *told: None,
    )
    with pytest.raises(
        InputError, match="3 windows are of 1 documents; measure with more texts, or use `tapa formu"
    ):
        study.summarise_shapes(data)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"documents": 1}, "documents=1 leaves no other text; measure at least 2"),
        ({"length": 7}, "length=7 is too short for a window; give 8 or more"),
        ({"seed": -1}, "seed=-1 is below 0; give 0 or more"),
        ({"tokens": 159, "length": 40}, "tokens=159 of a document are 3 windows of 40; give 160 or more"),
    ],
)
def test_settings_that_give_no_fit_on_unseen_text(settings_: dict, message: str):
    with pytest.raises(InputError, match=message):
        FormulaFitSettings(**settings_)


def test_models_are_named_once(place: Path):
    for models in ([], ["a", "a"]):
        with pytest.raises(InputError, match="name at least one, and each once"):
            study.measure_shapes(models, (), SETTINGS, arguments=[], progress=lambda *told: None)


@pytest.mark.full  # a model, measured and fitted
def test_the_command_prints_every_shape_and_writes_the_record(place: Path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    texts(place)
    tiny_models.save(tiny_models.build("llama"), place / "llama", tokenizer=True)
    arguments = ["formula", "llama", "--documents", "3", "--tokens", "160", "--length", "40", "--out", "f.nc"]
    arguments += [word for name in "abc" for word in ("--text", f"{name}.txt")]
    monkeypatch.setattr(sys, "argv", ["tapa", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert not end.value.code
    said = capsys.readouterr().out
    data = read(place / "f.nc", expect_schema=study.FORMULA_FIT)
    at = data.sel(
        intercept=LEVEL_FREE, weighting="log", trained_on="all other texts", model="llama", shape=LOGARITHM
    )
    (line,) = [one for one in said.splitlines() if one.startswith("logarithm  ")]
    assert (
        f"{float(at.r2_median):.3f} [{float(at.r2_median_low):.3f}, {float(at.r2_median_high):.3f}]" in line
    )
    assert f"{float(at.heads_above):.0%}" in line
    numbers = formula_numbers(data, Path("f.nc"))
    assert list(numbers) == ["record", "llama"]
    assert list(numbers["llama"]) == list(SHAPES)
    assert numbers["llama"][LOGARITHM][0] == float(at.r2_median)
