"""From a checkpoint to record and words, and every kind of bad input on one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.torch import save_file

from analysis import records
from analysis.cli import main, printed
from analysis.errors import InputError
from analysis.heads import phase_ablation
from analysis.heads.phase import curves, factors
from analysis.intervals import over_document_means
from analysis.models.capture import read_layers
from analysis.models.checkpoint import save
from analysis.models.config import MethodConfig
from analysis.models.llama import Llama
from analysis.records import provenance_of
from analysis.studies import phase
from analysis.studies.settings import PhaseSettings
from analysis.text.corpus import Raw, from_texts
from tests.heads import tiny_phase as phase_tiny

LENGTH = 128


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("texts")
    paths = [folder / f"{i}.py" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_text(phase_tiny.source(30, i))
    return paths


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phase_tiny.save(phase_tiny.model(), tmp_path_factory.mktemp("run"))


def silent(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total


@pytest.fixture(scope="module")
def data(checkpoint: Path, texts: list[Path]) -> xr.Dataset:
    return phase.measure_phase(
        checkpoint, texts, PhaseSettings(3, LENGTH, 6), arguments=["tapa"], progress=silent
    )[0]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["tapa", "phase", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0)


# the record


def test_the_split_adds_up_and_curves_are_means_over_windows(data: xr.Dataset, checkpoint: Path, texts):
    np.testing.assert_allclose(data["product"] + data.covariance, data.score, rtol=0, atol=1e-12)
    np.testing.assert_allclose(data["product"], data.amplitude * data.cosine, rtol=0, atol=1e-12)
    # once more, window by window
    documents = [(path.name, list(path.read_bytes())) for path in texts]
    tokens = phase._reading(documents, LENGTH, 3, 0).tokens
    scores = np.zeros((2, 2, 3, LENGTH))

    def take(layer, encoding, q, k, entropy):
        for w in range(3):
            for h, own in enumerate(factors(encoding, q[w], k[w])):
                scores[layer, h, w] = curves(own).score

    read_layers(phase_tiny.model(), torch.from_numpy(tokens), take)
    np.testing.assert_allclose(data.score, scores.mean(axis=2), rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.score_se, scores.std(axis=2, ddof=1) / 3**0.5, rtol=0, atol=1e-12)


def test_everything_asked_for_is_there(data: xr.Dataset):
    assert dict(data.sizes) | {"layer": 2, "head": 2, "distance": LENGTH} == dict(data.sizes)
    for name in ("phase_mean", "phase_sd", "nope_index", "entropy", "gaussian_share", "past_quarter_all"):
        assert np.isfinite(data[name]).all(), name
        assert data[name].dims == ("layer", "head")
    assert (data.exponent_paper == -0.1 * 4).all()
    assert data.exponent_seen.sizes["step"] == data.exponent_gaussian.sizes["octave"] - 1
    quantiles = data.phase_quantile.transpose(..., "quantile").values
    assert (np.diff(quantiles) >= 0).all()
    assert ((data.nope_index >= 0) & (data.nope_index <= 1)).all()
    np.testing.assert_allclose(data.phase_share.sum("bin"), 0.999, atol=1e-6)
    told = data.told.where(np.isfinite(data.told), 0.5)
    assert ((told >= 0) & (told <= 1)).all()
    assert (data.told_low <= data.told_high).where(np.isfinite(data.told), True).all()
    assert np.isfinite(data.effect.sel(property="same line")).all()


@pytest.mark.parametrize(("method", "bound"), [("tapa", -0.1 * 4), ("tapa_linear", None)])
def test_only_a_quadratic_phase_has_the_bound_of_eq_14(method: str, bound: float | None, texts):
    """A linear phase has a factor of two dimensions, which are no dimensions of its phase."""
    reading = phase._reading([(path.name, list(path.read_bytes())) for path in texts], 32, 2, 0)
    found = phase.measure_heads(
        phase_tiny.model(method), reading, layers=[0], heads=[0, 1], tokens_too=False, progress=silent
    ).exponent_paper
    assert np.isnan(found).all() if bound is None else (found == bound).all()


def test_the_ablations_are_those_of_the_model(data: xr.Dataset, texts: list[Path]):
    documents = [(path.name, list(path.read_bytes())) for path in texts]
    reading = phase._reading(documents, 32, 6, 0)
    model, tokens = phase_tiny.model(), torch.from_numpy(reading.tokens)
    base = phase_ablation.window_losses(model, tokens)
    means = phase_ablation.head_means(model, tokens)
    one = torch.zeros(2, 2, dtype=torch.bool)
    one[1, 0] = True
    losses = phase_ablation.ablated_losses(model, tokens, "shuffled phases", means, one)
    expected = over_document_means(losses - base, reading.documents)
    at = {"head_ablation": "shuffled phases", "layer": 1, "head": 0}
    for name in ("", "_low", "_high"):
        value = getattr(expected, name.strip("_") or "value")
        assert float(data["head_change" + name].sel(at)) == pytest.approx(value, abs=1e-9)
    for kind in data.head_ablation.values:
        ranked = data.head_change.sel(head_ablation=kind).values.ravel()
        rank = data.head_rank.sel(head_ablation=kind).values.ravel()
        assert sorted(rank) == [1, 2, 3, 4]
        assert (np.diff(ranked[np.argsort(rank)]) <= 0).all()


def test_one_head_alone_is_as_among_all(data: xr.Dataset, checkpoint: Path, texts: list[Path]):
    alone, _ = phase.measure_phase(
        checkpoint, texts, PhaseSettings(3, LENGTH, 0), layer=1, head=1, arguments=["tapa"], progress=silent
    )
    assert (alone.sizes["layer"], alone.sizes["head"]) == (1, 1)
    assert "change" not in alone
    for name in alone.data_vars:
        xr.testing.assert_allclose(
            alone[name], data[name].sel(layer=[1], head=[1]).transpose(*alone[name].dims)
        )


# the command


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_writes_a_record_and_speaks(
    as_json: bool, checkpoint: Path, texts, tmp_path: Path, monkeypatch, capsys
):
    out = tmp_path / "new" / "phase.nc"
    arguments = [checkpoint.parent, "--text", texts[0], "--text", texts[1], "--out", out]
    arguments += ["--windows", 2, "--length", 64, "--loss-windows", 4, *(["--json"] if as_json else [])]
    assert run(monkeypatch, *arguments) == 0
    record = records.read(out, expect_schema=phase.PHASE)
    said = provenance_of(record)
    assert said.seeds == {"windows, pairs to probe and shuffled phases": 0}
    assert record.attrs["training_step"] == 3
    printed = capsys.readouterr().out
    if as_json:
        found = json.loads(printed)
        assert found["loss"] == float(record.loss)
        assert [h["layer"] for h in found["heads"]] != []
        assert set(found["change"]) == set(phase_ablation.KINDS)
    else:
        heads = [line.split()[0] for line in printed.splitlines() if line[:3] in ("0.0", "0.1", "1.0", "1.1")]
        kind = record.head_change.sel(head_ablation="no cosine").values.ravel()
        assert heads == [("0.0", "0.1", "1.0", "1.1")[i] for i in np.argsort(-kind, kind="stable")]
        assert str(out) in printed.replace("\n", "")


def test_one_head_is_shown_by_distance_and_property(data: xr.Dataset):
    text = printed.phase_text(data.isel(layer=[0], head=[1]))
    assert "matching bracket" in text
    assert f"{float(data.gaussian[0, 1, 16]):.4f}" in text


# bad input


def test_other_checkpoints_are_named_with_the_command_that_fits(tmp_path: Path, texts, monkeypatch, capsys):
    rope = phase_tiny.save(phase_tiny.model("rope"), tmp_path / "rope")
    blind = phase_tiny.save(phase_tiny.model(MethodConfig("tapa", alpha=0.0)), tmp_path / "blind")
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "config.json").write_text("{}")
    save_file({"x": torch.zeros(1)}, hub / "model.safetensors")
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    for model, message in (
        (rope, "was trained with method=rope, whose heads have no phase"),
        (
            blind,
            "alpha=0, so that its phase knows no distance; `tapa phase-seeds step-000003` measures it",
        ),
        (hub, f"`tapa measure {hub}` measures the distance bias of a RoPE model"),
        (Path("smollm2"), "`tapa measure smollm2` measures the distance bias of a RoPE model"),
        (tmp_path / "x.gguf", "is a checkpoint of another program"),
        (tmp_path / "blnid", "blnid: no such file or folder; did you mean"),
    ):
        assert run(monkeypatch, model, "--text", texts[0], "--out", tmp_path / "x.nc") == 2
        said = capsys.readouterr().err.strip()
        assert message in said
        assert "\n" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", 2], "layer 2 does not exist; the model's are 0, 1"),
        (["--head", -1], "--head -1 is below 0; give 0 or more"),
        (["--windows", 1], "--windows 1 is below 2; give 2 or more"),
        (["--length", 8], "--length 8 is below 16; give 16 or more"),
        (["--loss-windows", 1], "--loss-windows 1 gives no interval"),
        (["--length", 100_000], "a window of 100000 tokens is longer than every text"),
        (["--windows", 99, "--length", 64], "99 windows of 64 tokens do not fit without overlap"),
        (["--text", "EMPTY"], "is empty"),
        (["--text", "NONE"], "cannot be read"),
        (["--out", "."], "is a folder"),
    ],
)
def test_bad_input_is_one_line(options, message: str, checkpoint, texts, tmp_path, monkeypatch, capsys):
    (tmp_path / "EMPTY").write_text("\n ")
    options = [str(tmp_path / o) if o in ("EMPTY", "NONE") else str(o) for o in options]
    out = [] if "--out" in options else ["--out", tmp_path / "x.nc"]
    assert run(monkeypatch, checkpoint, "--text", texts[0], *out, *options) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "x.nc").exists()


def test_without_a_text_the_models_own_validation_split_is_read(checkpoint, monkeypatch, tmp_path):
    """And refused where the corpus is not the one that it was trained on."""
    raw = Raw([(f"{i}.py", phase_tiny.source(30, i).encode()) for i in range(6)], {})
    data = from_texts(raw)
    monkeypatch.setattr(phase, "corpus", lambda source, *, seed, progress: data)
    asked = {"arguments": ["tapa"], "progress": silent}
    with pytest.raises(InputError, match=r"the corpus texts is not the one that step-\d+ was trained on"):
        phase.measure_phase(checkpoint, [], PhaseSettings(2, 64, 0), **asked)
    model: Llama = phase_tiny.model()
    own = save(
        tmp_path, 1, model.state_dict(), {}, config=model.config,
        recipe={"corpus": "texts", "corpus_seed": 0, "seed": 0}, corpus_sha256=data.sha256,
    )  # fmt: skip
    _, provenance = phase.measure_phase(own, [], PhaseSettings(2, 64, 0, tokens=False), **asked)
    names = {document.name for document in data.validation}
    assert set(provenance.configuration["texts"]) == names


def test_only_models_of_bytes_are_read(tmp_path: Path, texts):
    wide = Llama(phase_tiny.of_vocabulary(phase_tiny.model(), 300))
    with pytest.raises(InputError, match="reads 300 different tokens; only models of bytes"):
        phase.measure_phase(
            phase_tiny.save(wide, tmp_path), texts, PhaseSettings(), arguments=[], progress=silent
        )
