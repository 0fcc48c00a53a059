"""A run that is measured on its way: the same training, weights of each step, and what is kept of every record."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from analysis import records
from analysis.cli import main, printed
from analysis.errors import InputError
from analysis.experiments.plan import Run, cpu
from analysis.models.checkpoint import read_tensors
from analysis.studies import phase, phase_dynamics
from analysis.studies.phase_dynamics import STEPS, Watched, joined, watch
from analysis.studies.settings import PhaseSettings
from analysis.text.corpus import Raw, from_texts
from analysis.training.recipe import tuned_rates
from analysis.training.train import train
from analysis.training.variants import VARIANTS
from figures import catalogue
from tests.heads import tiny_phase as phase_tiny
from tests.models import tiny_llama as lm_tiny

SETTINGS = PhaseSettings(2, 64, 2, tokens=False)


@pytest.fixture(scope="module")
def data():
    return from_texts(Raw([(f"{i}.py", phase_tiny.source(30, i).encode()) for i in range(6)], {}))


@pytest.fixture(scope="module")
def recipe():
    tiny = lm_tiny.tiny_recipe("tapa", corpus="texts", save_every=2, validate_every=4, steps=6)
    return replace(tiny, model=replace(tiny.model, vocab_size=256, context=32))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dynamics") / "run"


@pytest.fixture(scope="module", autouse=True)
def tiny_corpus(data) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (phase_dynamics, phase):
            patch.setattr(module, "corpus", lambda *_, **__: data)
        yield


@pytest.fixture(scope="module")
def whole(recipe, run: Path, tiny_corpus) -> xr.Dataset:
    told = {"arguments": ["tapa", "phase-dynamics"], "progress": lambda *_: None}
    found, provenance = watch(recipe, (0, 2, 6), run, SETTINGS, **told)
    assert provenance.configuration["steps"] == [0, 2, 6]
    return found


def test_the_run_is_that_of_the_experiments():
    """All that decides its numbers, and the same weights at the end."""
    watched = Watched("tapa_linear", 1e-3, 2)
    asked = Run(VARIANTS["tapa_linear"], 2, 1e-3).recipe(cpu())
    assert watched.recipe().differences(asked.to_dict()) == ["save_every: 10, not 50"]
    assert Watched(steps=(0,)).recipe().save_every == asked.steps
    assert max(STEPS) == asked.steps


@pytest.mark.parametrize("variant", ["tapa", "tapa_linear", "tapa_alpha1", "tapa_frozen"])
def test_the_rate_is_the_variants_own(variant: str):
    of = VARIANTS[variant].rate_of or variant
    assert Watched(variant).recipe().lr == tuned_rates("cpu")[of] == Watched(variant).lr
    assert Watched(variant, 3e-3).recipe().lr == 3e-3


def test_every_step_is_measured_on_its_own_weights(whole, data, recipe, run: Path, tmp_path: Path):
    assert whole.training_step.values.tolist() == [0, 2, 6]
    # once more, without anybody watching, saved at other steps
    last, log = train(replace(recipe, save_every=6), tmp_path / "alone", data)
    ours = read_tensors(run / "step-000006" / "model.safetensors")
    for name, weight in read_tensors(last / "model.safetensors").items():
        assert torch.equal(weight, ours[name]), name
    assert whole.validation_loss.values.tolist() == log.validation_loss
    assert whole.validation_step.values.tolist() == [4, 6]
    # and the last step's numbers from that model
    alone, _ = phase.measure_phase(last, [], SETTINGS, arguments=[], progress=lambda *_: None)
    for name in ("phase_sd", "entropy", "change", "phase_share"):
        found = whole[name].sel(training_step=6)
        np.testing.assert_array_equal(found.values, alone[name].astype(np.float32).values)
    assert len(np.unique(whole.phase_sd[:, 0, 0])) == 3


def test_by_octave_is_the_mean_over_all_pairs(whole, run: Path):
    alone, _ = phase.measure_phase(run, [], SETTINGS, arguments=[], progress=lambda *_: None)
    pairs = 64 - np.arange(64)
    for i, first in enumerate(whole.octave.values):
        at = slice(first, 2 * first)
        for name in phase_dynamics.CURVES:
            expected = (alone[name][..., at] * pairs[at]).sum("distance") / pairs[at].sum()
            found = whole[f"{name}_by_octave"].isel(training_step=-1, octave=i)
            # kept as float32; the Gaussian's may be tiny
            np.testing.assert_allclose(found, expected, rtol=2.0**-20, atol=1e-12)
    assert not [name for name in whole if "distance" in whole[name].dims]


def test_started_again_it_goes_on(whole, recipe, run: Path, monkeypatch):
    """With all weights there nothing is trained a second time."""
    monkeypatch.setattr(
        "analysis.training.train._advance", lambda *_: pytest.fail("a step was trained again")
    )
    told = {"arguments": ["tapa", "phase-dynamics"], "progress": lambda *_: None}
    again, _ = watch(recipe, (0, 2, 6), run, SETTINGS, **told)
    xr.testing.assert_identical(again, whole)


def test_steps_of_one_run_are_joined_in_order(whole):
    length = {"distance": np.arange(8)}
    curves = {name: ("distance", np.arange(8.0)) for name in phase_dynamics.CURVES}
    first = xr.Dataset(curves | {"phase_sd": 1.0}, length).expand_dims(layer=[0], head=[0])
    first.attrs = {"method": "tapa", "training_step": 5, "windows": 2}
    later = first.assign_attrs(training_step=10)
    both = joined([later, first])
    assert both.training_step.values.tolist() == [5, 10]
    assert both.attrs == {"method": "tapa", "windows": 2}
    with pytest.raises(InputError, match="no record was given"):
        joined([])
    with pytest.raises(InputError, match="are not one run at several steps"):
        joined([first, first])
    with pytest.raises(InputError, match="are not one run at several steps"):
        joined([first, later.isel(distance=slice(4))])


# the command


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_writes_a_record_and_speaks(as_json, whole, tmp_path: Path, monkeypatch, capsys):
    asked = []

    def quick(recipe, steps, folder, *, arguments, progress):
        asked.append((recipe.lr, recipe.model.method.name, steps, folder))
        return whole, records.Provenance.collect(
            arguments, {}, seeds={}, device="cpu", precision="", threads=1, seconds=0.0
        )

    monkeypatch.setattr(phase_dynamics, "watch", quick)
    out = tmp_path / "new" / "d.nc"
    options = ["tapa_linear", "--lr", "1e-3", "--steps", "0,4", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["tapa", "phase-dynamics", *options, *(["--json"] if as_json else [])])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert not end.value.code
    assert asked == [(1e-3, "tapa_linear", (0, 4), Path("runs/dynamics-tapa_linear-0-0.001"))]
    assert records.read(out, expect_schema=phase_dynamics.DYNAMICS).training_step.values.tolist() == [0, 2, 6]
    said = capsys.readouterr().out
    if as_json:
        found = json.loads(said)
        assert [row["step"] for row in found["steps"]] == [0, 2, 6]
        assert found["steps"][1]["phase_sd"] == pytest.approx(float(np.median(whole.phase_sd[1])))
    else:
        assert said.startswith(printed.dynamics_text(whole))
        assert [line.split()[0] for line in said.splitlines()[2:5]] == ["0", "2", "6"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["rope"], "variant 'rope' has no phase over distance to watch"),
        (["tapa_4x"], "variant 'tapa_4x' has no phase over distance to watch"),
        (["tapa_alpha0"], "variant 'tapa_alpha0' has no phase over distance to watch"),
        (["--steps", "0,x"], "--steps 0,x is not a list of whole numbers"),
        (["--steps", "0,1001"], "steps '0,1001' are not different steps of 0 to 1000"),
        (["--steps", "5,5"], "steps '5,5' are not different"),
        (["--lr", "0"], "--lr 0 must be"),
        (["--out", "."], "is a folder"),
    ],
)
def test_bad_input_is_one_line(options, message, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tapa", "phase-dynamics", *options])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said


# the committed record


def test_the_committed_record_is_of_a_run_of_the_experiments():
    """Bit for bit in float64, so that no digit of the run's own record differs."""
    data = catalogue.read_arrays("phase_dynamics")
    recipe = records.provenance_of(data).configuration["recipe"]
    run = Run(VARIANTS[recipe["method"]["name"]], recipe["seed"], recipe["lr"])
    content = json.loads((catalogue.TRAINED / f"{run.name}.json").read_text())["content"]
    of_run = content["training"]
    assert data.validation_step.values.tolist() == of_run["validation_step"]
    assert data.validation_loss.values == pytest.approx(of_run["validation_loss"], rel=1e-6)
    assert data.training_step.values.tolist() == list(STEPS)
