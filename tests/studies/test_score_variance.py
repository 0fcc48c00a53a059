"""The record of score variances: models of both kinds, resumption, and what corresponds to Assumption 2.1 in TAPA."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from analysis.cli import main
from analysis.encodings import Rope, Tapa
from analysis.errors import InputError
from analysis.heads.anova import PARTS, components, draw_token_pairs, pair_means
from analysis.models.config import MethodConfig, ModelConfig
from analysis.models.load import PretrainedModel, load_checkpoint
from analysis.records import read
from analysis.studies import score_variance
from analysis.studies.score_variance import (
    QUESTIONS,
    VARIANCE,
    Settings,
    design_of,
    measure_other,
    measure_variances,
    models_apart,
    models_joined,
    of_heads,
    phase_constancy,
    variant_name,
)
from analysis.text.corpus import Corpus, Raw, from_texts
from analysis.text.windows import windows
from analysis.training.variants import VARIANTS
from tests import tiny_models
from tests.heads import tiny_phase as phase_tiny
from tests.refusals import said_in_one_line

TRAINED = 16
SETTINGS = Settings(windows=8, pairs=160, spans=2)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Corpus:
    found = from_texts(Raw([(f"{i}.py", phase_tiny.source(14, i).encode()) for i in range(40)], {}))
    monkeypatch.setattr(score_variance, "own_corpus", lambda checkpoint, progress: found)
    return found


def saved(method: str, folder: Path, **recipe) -> str:
    return str(phase_tiny.save(phase_tiny.model(method, context=TRAINED, gain=6.0), folder, **recipe))


def test_a_record_of_several_models_made_in_several_goes(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, arguments = tmp_path / "v.nc", ["tapa", "score-variance"]
    one, two = saved("rope", tmp_path / "a", seed=1), saved("tapa_linear", tmp_path / "b", seed=2)
    first = measure_variances([one], out, SETTINGS, arguments=arguments)
    both = measure_variances([two], out, SETTINGS, arguments=arguments)
    assert both.model.values.tolist() == ["rope-s1", "tapa_linear-s2"]
    assert both.sizes["place"] == 8
    assert set(both.label.values.tolist()) == {"RoPE", "TAPA, linear phase"}
    xr.testing.assert_equal(
        models_apart(read(out, expect_schema=VARIANCE))["rope-s1"], models_apart(first)["rope-s1"]
    )
    xr.testing.assert_equal(models_joined(models_apart(both)), both)

    def refuse(*args):
        raise AssertionError("measured again")

    with monkeypatch.context() as patch:
        patch.setattr(score_variance, "measure_variance", refuse)
        xr.testing.assert_equal(measure_variances([two, one], out, SETTINGS, arguments=arguments), both)
        with pytest.raises(AssertionError, match="measured again"):
            measure_variances([one], out, Settings(windows=8, pairs=168, spans=2), arguments=arguments)
    same = saved("rope", tmp_path / "c", seed=1)
    with pytest.raises(InputError, match="are both rope-s1; give one of them"):
        measure_variances([one, same], out, SETTINGS, arguments=arguments)
    with pytest.raises(InputError, match="no model was given"):
        measure_variances([], out, SETTINGS, arguments=arguments)
    shares = both.share.sel(range="within").sum("part")
    np.testing.assert_allclose(shares, 1.0, atol=1e-9)
    assert bool(both.constancy.sel(place=both.place_model == "rope-s1").isnull().all())
    assert bool(
        both.constancy.sel(place=both.place_model == "tapa_linear-s2", question=QUESTIONS[2]).notnull().all()
    )


def test_the_command(data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    out = tmp_path / "v.nc"
    options = ["--windows", "8", "--pairs", "160", "--spans", "2", "--out", str(out)]
    monkeypatch.setattr(
        sys, "argv", ["tapa", "score-variance", saved("nope", tmp_path / "a"), *options, "--json"]
    )
    with pytest.raises(SystemExit, match="0"):
        main.main()
    found = json.loads(capsys.readouterr().out)
    assert found["share"]["nope-s5"]["pair"] == pytest.approx(1.0)
    assert found["change"]["nope-s5"]["no interaction"] == pytest.approx(0.0, abs=1e-4)
    monkeypatch.setattr(
        sys,
        "argv",
        ["tapa", "score-variance", saved("alibi", tmp_path / "b"), *options[:-2], "--out", str(out)],
    )
    with pytest.raises(SystemExit, match="0"):
        main.main()
    text = capsys.readouterr().out
    assert "alibi-s5" in text
    assert "nope-s5" in text
    assert "no interaction" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        ([".", "--windows", "2"], "--windows 2 is below 3"),
        ([".", "--pairs", "100"], "--pairs 100 is below 128"),
        ([".", "--spans", "1"], "--spans 1 gives no interval"),
    ],
)
def test_refusals_of_the_command(arguments: list[str], message: str, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["tapa", "score-variance", *arguments])
    with pytest.raises(SystemExit):
        main.main()
    said_in_one_line(capsys, message)


def test_a_checkpoint_of_others_is_measured_head_by_head(tmp_path: Path):
    """Against all its scores at every distance, from q and k captured at once."""
    folder = tiny_models.save(tiny_models.build("llama-yarn", max_position_embeddings=64), tmp_path / "llama")
    model = PretrainedModel(load_checkpoint(folder))
    documents = [(str(i), np.random.default_rng(i).integers(0, 96, 70).tolist()) for i in range(4)]
    settings = Settings(windows=4, pairs=160)
    found = measure_other(model, documents, settings)
    text = windows(documents, 64, 4, seed=0)
    pairs, captured = draw_token_pairs(4, 40, 64, seed=0), []
    model.capture(
        torch.from_numpy(text.tokens),
        lambda layer: captured.append((layer.q.clone(), layer.k.clone(), layer)),
    )
    assert len(found.means) == len(captured) == 3
    for means, (q, k, layer) in zip(found.means, captured, strict=True):
        whole = pair_means(Rope(layer.frequencies, layer.scale), q, k, pairs, found.over, fast=False)
        for name in found.over.weights:
            a, b = components(means, name), components(whole, name)
            for part in PARTS:
                # forwards of one and of four windows round differently, in float32
                np.testing.assert_allclose(a.share[part], b.share[part], rtol=0, atol=1e-4)
    table = of_heads(found)
    assert table.sizes["place"] == 12
    assert bool(table.step[:, :8].notnull().all())
    assert bool(table.step[:, 8:].isnull().all())


def test_a_layer_that_sees_less_is_refused(tmp_path: Path):
    folder = tiny_models.save(tiny_models.build("mistral"), tmp_path / "mistral")
    documents = [("a", list(range(90)) * 20)]
    with pytest.raises(InputError, match="layer 0 sees 20 tokens of 256; give a model whose layers see all"):
        measure_other(PretrainedModel(load_checkpoint(folder)), documents, Settings(windows=3, pairs=128))


def test_a_sliding_window_is_measured_where_it_sees(data, tmp_path: Path):
    over = design_of(TRAINED, 8)
    assert over.distances[-1] == 7
    assert set(over.weights) == {"within log", "within uniform"}
    record = measure_variances(
        [saved("window", tmp_path / "a")],
        tmp_path / "v.nc",
        Settings(windows=8, pairs=160, spans=0),
        arguments=["tapa"],
    )
    assert bool(record.share.sel(range="within").notnull().all())
    assert bool(record.share.sel(range="beyond").isnull().all())
    assert bool(record.change.isnull().all())


def planted(amplitude: str) -> tuple[torch.Tensor, torch.Tensor]:
    """q and k of 12 windows whose amplitude is the same everywhere, the phase, or grows with the query's position."""
    generator = torch.Generator().manual_seed(3)
    q, k = (torch.randn(12, 2, 64, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    if amplitude == "constant":
        q[..., :4], k[..., :4] = 1.0, 1.0
        q[..., :4] += 0.1 * torch.randn(12, 2, 64, 4, generator=generator, dtype=torch.float64)
    elif amplitude == "phase":
        q[..., 4:], k[..., 4:] = q[..., 4:].abs(), k[..., 4:].abs()  # so that no sign cancels
        q[..., :4], k[..., :4] = q[..., 4:], k[..., 4:]
    else:
        q[..., :4], k[..., :4] = torch.arange(64.0)[:, None].double(), 1.0
    return q, k


def constancy_of(amplitude: str) -> np.ndarray:
    text = windows([(str(i), list(range(70))) for i in range(12)], 64, 12, seed=0)
    found = phase_constancy(Tapa(8), *planted(amplitude), text, Settings(windows=12, pairs=12 * 400))
    return np.array([found[question] for question in QUESTIONS])  # (question, number, head)


def test_an_amplitude_that_knows_no_phase_is_constant():
    share, error, p = constancy_of("constant").transpose(1, 0, 2)
    assert (np.abs(share) < 0.002).all()
    assert (error < 0.002).all()
    assert (p > 1e-3).all()


def test_an_amplitude_that_is_the_phase_is_found():
    """Over fifths of |phase| whose means differ severalfold, the same in every quarter."""
    share, _, p = constancy_of("phase").transpose(1, 0, 2)
    assert (share[0] > 0.1).all()
    assert (p[0] < 1e-6).all()
    assert (np.abs(share[1:]) < 0.01).all()


def test_an_amplitude_that_grows_with_position_is_found():
    """Means of four quarters: 7.5, 23.5, 39.5 and 55.5, but for the first token."""
    share, _, p = constancy_of("position").transpose(1, 0, 2)
    means = np.array([8.0, 23.5, 39.5, 55.5])
    np.testing.assert_allclose(share[1], means.var() / (means**2).mean(), atol=0.02)
    assert (p[1] < 1e-6).all()
    assert (np.abs(share[0]) < 0.02).all()


def test_a_head_with_an_empty_bin_is_left_open():
    """Phases near 0 in one window alone; the other head keeps its answer."""
    q, k = planted("constant")
    q[0, 0, :, 4:], q[1:, 0, :, 4:] = 1e-9, 1.0
    k[:, 0, :, 4:] = 1.0 + torch.arange(64.0)[:, None].double() / 64
    text = windows([(str(i), list(range(70))) for i in range(12)], 64, 12, seed=0)
    found = phase_constancy(Tapa(8), q, k, text, Settings(windows=12, pairs=12 * 400))
    for question in QUESTIONS[:2]:
        assert np.isnan(found[question][:, 0]).all()
        assert np.isfinite(found[question][:, 1]).all()


def test_variants_are_known_by_their_method():
    for name, variant in VARIANTS.items():
        if variant.parent is None and not variant.task:
            assert variant_name(ModelConfig(method=variant.method)) == name
    assert variant_name(ModelConfig(method=MethodConfig("rope", base=123.0))) == "rope"
