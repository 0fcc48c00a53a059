"""Windows begin as the model's tokenizer begins every text, in whatever is measured or evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.models import load
from analysis.models.capture import capture_checkpoint
from analysis.models.layerwise import capture_layers
from analysis.models.load import PretrainedModel, first_token, open_model
from analysis.progress import silent
from analysis.records import provenance_of, read
from analysis.studies import bias_interventions, distance_bias, formula_fit, perplexity, score_variance
from analysis.studies.settings import (
    BiasInterventionSettings,
    DistanceBiasSettings,
    FormulaFitSettings,
    PerplexitySettings,
    ScoreVarianceSettings,
)
from tests import tiny_models

BOS = 7
CONTEXT = 32
BEGINS = {"begin": f"<{BOS}>"}


def saved(folder: Path, variant: str = "gemma", **tokens: str) -> Path:
    """A tiny model whose tokenizer puts these words before and after every text."""
    tiny_models.save(tiny_models.build(variant, max_position_embeddings=CONTEXT), folder)
    tiny_models.words(**tokens).save_pretrained(folder)
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    """Nine texts without the token that stands at the beginning."""
    rng, paths = np.random.default_rng(0), []
    for i in range(9):
        paths.append(tmp_path / f"text{i}.txt")
        paths[-1].write_text(" ".join(f"w{word}" for word in rng.integers(BOS + 1, 96, 160 + i)))
    return paths


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Every window that is captured or whose losses are taken, row by row."""
    rows: list[torch.Tensor] = []

    def captured(checkpoint, tokens, consumer, **options):
        rows.extend(tokens)
        return capture_checkpoint(checkpoint, tokens, consumer, **options)

    def layered(layers, checkpoint, tokens, *rest):
        rows.extend(tokens)
        return capture_layers(layers, checkpoint, tokens, *rest)

    def reader(*arguments):
        read, at_once = plain(*arguments)

        def watched(tokens):
            rows.extend(tokens)
            return read(tokens)

        return watched, at_once

    def begun(self, checkpoint, tokens, *rest, **options):
        rows.append(tokens)
        begin(self, checkpoint, tokens, *rest, **options)

    plain = load.pretrained_reader
    monkeypatch.setattr(load, "capture_checkpoint", captured)
    monkeypatch.setattr(load, "capture_layers", layered)
    monkeypatch.setattr(load, "pretrained_reader", reader)
    monkeypatch.setattr(bias_interventions, "capture_checkpoint", captured)
    begin = bias_interventions.TextReader.__init__  # the class itself stays: signatures name it
    monkeypatch.setattr(bias_interventions.TextReader, "__init__", begun)
    return rows


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({}, None),
        (BEGINS, BOS),
        (
            {"begin": "<5> <6>"},
            5,
        ),  # GLM puts two before every text: the first is the one that is looked back at
        ({"end": "<3>"}, None),
        ({"begin": "<7>", "end": "<3>"}, BOS),
    ],
)
def test_the_first_token_is_what_the_tokenizer_puts_before_a_text(tokens, expected, tmp_path: Path):
    model = open_model(saved(tmp_path / "model", "llama", **tokens))
    assert isinstance(model, PretrainedModel)
    assert model.first_token == first_token(model.checkpoint) == expected
    assert model.encode("w9 w10").tolist() == [9, 10]  # the windows bring it, the text does not
    named = "nothing" if expected is None else f"<{expected}> (token {expected})"
    assert model.window_begin == named
    assert model.recorded.get("window_begin", "nothing") == named


def test_every_window_of_a_record_begins_with_it_and_the_record_says_so(texts, seen, tmp_path: Path):
    model = saved(tmp_path / "model", **BEGINS)
    data, provenance = distance_bias.measure_model(
        str(model), texts, DistanceBiasSettings(6, 16, seed=3), arguments=["tapa"], progress=silent
    )
    rows = [row for row in seen if len(row) == 16]
    assert len(rows) == 6
    for row, name, offset in zip(rows, data.window_document.values, data.window_offset.values, strict=True):
        words = next(path for path in texts if path.name == name).read_text().split()
        expected = [BOS, *(int(word[1:]) for word in words[offset : offset + 15])]
        assert row.tolist() == expected
    assert data.attrs["window_begin"] == "<7> (token 7)"
    assert provenance.configuration["window_begin"] == "<7> (token 7)"


def test_the_dropped_first_token_is_this_one(texts, tmp_path: Path):
    """Queries and keys of the first layer know their own token alone: without it, another one changes nothing."""
    settings = DistanceBiasSettings(3, 16)
    found = []
    for token in (BOS, 3):  # neither is in a text
        model = saved(tmp_path / str(token), "llama", begin=f"<{token}>")
        data, _ = distance_bias.measure_model(
            str(model), texts, settings, arguments=["tapa"], progress=silent
        )
        found.append(data.sel(layer=0))
    one, other = found
    dropped = [x.measured.sel(first_token="dropped").values for x in found]
    np.testing.assert_array_equal(*dropped)
    assert not np.array_equal(one.measured.sel(first_token="kept"), other.measured.sel(first_token="kept"))


def test_a_tokenizer_that_puts_nothing_leaves_the_windows_as_they_were(texts, seen, tmp_path: Path):
    model = saved(tmp_path / "model")
    data, provenance = distance_bias.measure_model(
        str(model), texts, DistanceBiasSettings(6, 16, seed=3), arguments=["tapa"], progress=silent
    )
    rows = [row for row in seen if len(row) == 16]
    for row, name, offset in zip(rows, data.window_document.values, data.window_offset.values, strict=True):
        words = next(path for path in texts if path.name == name).read_text().split()
        assert row.tolist() == [int(word[1:]) for word in words[offset : offset + 16]]
    assert data.attrs["window_begin"] == "nothing"
    assert "window_begin" not in provenance.configuration


def test_so_do_all_other_commands(texts, seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    model = str(saved(tmp_path / "model", "llama", **BEGINS))
    common = {"arguments": ["tapa"], "progress": silent}
    _, fitted = formula_fit.measure_shapes([model], texts, FormulaFitSettings(3, 64, 16), **common)
    assert fitted.configuration["models"][0]["window_begin"] == "<7> (token 7)"
    _, evaluated = perplexity.evaluate_model(
        model, texts, PerplexitySettings((16, 32), target=8, spans=3), **common
    )
    assert evaluated.configuration["window_begin"] == "<7> (token 7)"
    with_them = PretrainedModel(open_model(model).checkpoint)
    documents = with_them.documents(texts, silent)
    score_variance.measure_other(with_them, documents, ScoreVarianceSettings(4, 128))
    before = len(seen)
    settings = BiasInterventionSettings((48,), ("plain", "clamp"), 3, 8, 4, precision="float32")
    out = tmp_path / "bias.nc"
    bias_interventions.measure_interventions(model, texts, settings, out, **common)
    assert len(seen) > before
    measured = [row for row in seen if len(row) > 8]  # what proves the rotation is shorter
    assert {len(row) for row in measured} >= {16, 32, 33}
    assert all(int(row[0]) == BOS and BOS not in row[1:] for row in measured)
    record = read(out, expect_schema=bias_interventions.BIAS_INTERVENTIONS)
    assert provenance_of(record).configuration["window_begin"] == "<7> (token 7)"


def test_a_record_of_variances_says_with_what_its_windows_begin(texts, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(load.assets, "fetch_texts", lambda **options: texts)
    out, settings = tmp_path / "variance.nc", ScoreVarianceSettings(4, 128)
    names = [str(saved(tmp_path / "plain", "llama")), str(saved(tmp_path / "begun", "llama", **BEGINS))]
    data = score_variance.measure_variances(names, out, settings, arguments=["tapa"])
    assert dict(zip(data.model.values, data.window_begin.values, strict=True)) == {
        "plain": "nothing",
        "begun": "<7> (token 7)",
    }
    assert len(set(data.key.values)) == 2  # of the same weights


def test_an_older_record_of_variances_is_of_windows_that_begin_with_nothing(
    texts, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(load.assets, "fetch_texts", lambda **options: texts)
    model = str(saved(tmp_path / "plain", "llama"))
    out = tmp_path / "variance.nc"
    data = score_variance.measure_variances([model], out, ScoreVarianceSettings(4, 128), arguments=["tapa"])
    (known,) = score_variance.models_apart(data.drop_vars("window_begin")).values()
    assert known.window_begin.values.tolist() == ["nothing"]
