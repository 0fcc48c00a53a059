"""Models of `tapa train` under `tapa measure`: the record of brute force, the guard, and every refusal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.cli import main
from analysis.encodings import Rope
from analysis.errors import InputError
from analysis.models import checkpoint as checkpoint_
from analysis.models import load
from analysis.models.attention import explicit
from analysis.models.capture import LayerCapture, capture_llama
from analysis.models.checkpoint import is_ours, save, write_half
from analysis.records import provenance_of, read
from analysis.studies import distance_bias
from analysis.text.corpus import Raw, from_texts
from analysis.theory import frequencies
from tests.heads import tiny_phase as phase_tiny
from tests.refusals import said_in_one_line

CONTEXT, WINDOWS = 24, 3


def checkpoint(folder: Path, method: str = "rope") -> Path:
    return phase_tiny.save(phase_tiny.model(method, context=CONTEXT), folder / method)


def tokens() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (WINDOWS, CONTEXT))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path)
    Path("a.txt").write_text(phase_tiny.source(20, 1))
    return tmp_path


@pytest.mark.parametrize("method", ["rope", "partial", "window"])
def test_the_record_is_what_all_pairs_give(method: str, tmp_path: Path):
    """Means over pairs of the encoding's own scores, pair by pair; A_d and B_d from eq 4."""
    model = load.TrainedModel(checkpoint(tmp_path, method))
    model.llama.double()
    data = distance_bias.measure(model, tokens(), seed=0).sel(first_token="kept")
    seen: list[tuple] = []

    def attend(encoding, q, k, v, positions, layer):
        seen.append((encoding, q, k.repeat_interleave(2, dim=1)))
        return explicit(encoding, q, k, v, positions)

    model.llama.attend = attend
    with torch.inference_mode():
        model.llama(torch.from_numpy(tokens()))
    for layer, (encoding, q, k) in enumerate(seen):
        inside = encoding.encoding if method == "window" else encoding
        for distance in (0, 1, 5, CONTEXT - 1):
            scores = inside.pairwise(
                q[:, :, distance:], k[:, :, : CONTEXT - distance], torch.tensor([distance])
            )
            hidden = method == "window" and distance >= CONTEXT // 2
            np.testing.assert_allclose(
                data.measured.sel(layer=layer, distance=distance),
                np.full(2, np.nan) if hidden else scores.mean(dim=(0, 2, 3)),
                rtol=1e-4,
                atol=1e-6,
            )
        pairs = inside.frequencies.pairs
        mean_q, mean_k = (x.mean(dim=2).numpy() for x in (q, k))
        a = (
            mean_q[..., pairs[:, 0]] * mean_k[..., pairs[:, 0]]
            + mean_q[..., pairs[:, 1]] * mean_k[..., pairs[:, 1]]
        )
        b = (
            mean_q[..., pairs[:, 0]] * mean_k[..., pairs[:, 1]]
            - mean_q[..., pairs[:, 1]] * mean_k[..., pairs[:, 0]]
        )
        x = data.sel(layer=layer, part="all")
        for name, expected in (("mu", a), ("nu", b)):
            np.testing.assert_allclose(
                x[name], expected.mean(axis=0), rtol=0, atol=1e-6 * np.abs(expected).max()
            )
            np.testing.assert_allclose(
                x[f"{name}_window"].transpose("window", ...),
                expected,
                rtol=0,
                atol=1e-6 * np.abs(expected).max(),
            )
    window = {"window": CONTEXT // 2}.get(method, np.nan)
    np.testing.assert_array_equal(data.sliding_window, [window] * 2)


def test_a_rotation_that_is_not_the_configurations_is_refused(tmp_path: Path):
    model = load.TrainedModel(checkpoint(tmp_path))
    model.capture(torch.from_numpy(tokens()), lambda found: None)
    other = model.llama.with_encoding(Rope(frequencies.plain(1.01e4, 8)))
    with pytest.raises(
        InputError, match="layer 0: the query rotated as the configuration says differs from the"
    ):
        capture_llama(other, torch.from_numpy(tokens()), lambda found: None)
    assert other.attend is explicit  # left as it was


def test_layers_come_in_order_and_once(tmp_path: Path):
    found: list[LayerCapture] = []
    load.TrainedModel(checkpoint(tmp_path)).capture(torch.from_numpy(tokens()), found.append)
    assert [layer.layer for layer in found] == [0, 1]
    assert found[0].q.shape == (WINDOWS, 2, CONTEXT, 8)
    assert found[0].k.shape == (WINDOWS, 1, CONTEXT, 8)
    assert found[0].scale == 8**-0.5


def test_ids_beyond_the_vocabulary_are_refused(tmp_path: Path):
    model = load.TrainedModel(checkpoint(tmp_path))
    with pytest.raises(
        InputError, match="a token id is outside the vocabulary of 256 of rope, seed 5, step 3"
    ):
        model.capture(torch.full((1, 4), 256), lambda found: None)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("tapa", "was trained with method=tapa: its heads have a phase and no rotation; use `tapa phase"),
        ("tapa_general", "its heads have a phase and no rotation; use `tapa phase"),
        (
            "alibi",
            "was trained with method=alibi: its heads rotate nothing; `tapa bias` measures mean scores",
        ),
        ("nope", "was trained with method=nope: its heads rotate nothing"),
        (
            "xpos",
            "was trained with method=xpos: its queries and keys are scaled apart as they rotate; `tapa bias`",
        ),
    ],
)
def test_a_model_without_a_rotation_is_told_what_fits(method: str, message: str, tmp_path: Path):
    with pytest.raises(InputError) as caught:
        load.open_model(checkpoint(tmp_path, method)).check_rotates()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_ours_and_what_is_not(tmp_path: Path):
    folder = checkpoint(tmp_path)
    assert is_ours(folder)
    assert is_ours(folder.parent)
    half = write_half(folder, tmp_path / "kept.safetensors")
    assert is_ours(half)
    assert load.TrainedModel(half).name == "rope, seed 5, step 3"
    assert not is_ours(tmp_path / "nowhere")
    assert not is_ours(tmp_path)
    (folder / "config.json").write_text("{}")
    assert not is_ours(folder)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tapa", "measure", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0)


def test_the_command_measures_a_model_of_ours(place: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "rope", "--text", "a.txt", "--windows", "3", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    data = read(place / "distance-bias.nc", expect_schema=distance_bias.HEADS)
    assert data.sizes["distance"] == CONTEXT  # what it was trained at
    assert (data.sizes["layer"], data.sizes["head"], data.sizes["window"]) == (2, 2, 3)
    assert told["r2_bias"][1] == pytest.approx(
        float(data.r2_bias.sel(first_token="dropped", weighting="log").median())
    )
    assert data.attrs["model"] == "rope, seed 5, step 3"
    origin = provenance_of(data)
    assert origin.configuration["texts"] == ["a.txt"]
    assert origin.configuration["length"] == CONTEXT
    assert len(origin.model_sha256 or "") == 64


def test_without_a_text_the_models_own_validation_split_is_read(place: Path, monkeypatch: pytest.MonkeyPatch):
    texts = [(f"{i}.py", phase_tiny.source(12, i).encode()) for i in range(9)]
    made = from_texts(Raw(texts, {}))
    monkeypatch.setattr(checkpoint_, "corpus", lambda *args, **options: made)
    monkeypatch.chdir(place)
    assert run(monkeypatch, "rope") == 2  # another corpus than the recorded one
    llama = phase_tiny.model("rope", context=CONTEXT)
    about = {"corpus": "texts", "corpus_seed": 0, "seed": 5}
    out = save(
        place / "known",
        3,
        llama.state_dict(),
        {},
        config=llama.config,
        recipe=about,
        corpus_sha256=made.sha256,
    )
    assert run(monkeypatch, str(out), "--windows", "4") == 0
    data = read(place / "distance-bias.nc", expect_schema=distance_bias.HEADS)
    assert set(data.window_document.values) <= {d.name for d in made.validation}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["rope", "--text", "a.txt", "--length", "25"],
            "--length 25 is longer than the context of rope, seed 5, step 3",
        ),
        (["rope", "--text", "a.txt", "--length", "7"], "--length 7 is too short for a window"),
        (
            ["nowhere"],
            "nowhere: no such file or folder; give smollm2 or gemma3-270m, a model of `tapa train`",
        ),
        (["smolm2"], "smolm2: no such file or folder; did you mean smollm2?"),
        (["rope", "--text", "b.txt"], "text b.txt cannot be read"),
    ],
)
def test_bad_input_is_one_line(
    arguments, message: str, place: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, *arguments) == 2
    said_in_one_line(capsys, message)
