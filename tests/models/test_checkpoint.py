"""Checkpoints: whole or not there, refused on one line where they are damaged or of another model."""

from __future__ import annotations

import errno
import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from analysis.errors import InputError
from analysis.models import checkpoint
from analysis.models.config import MethodConfig
from analysis.training.train import train
from tests.models.tiny_llama import tiny_corpus, tiny_recipe


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of six steps with a checkpoint after every third."""
    train(tiny_recipe("tapa", steps=6), tmp_path / "run", tiny_corpus())
    return tmp_path / "run"


def refused(action, *arguments, **keywords) -> str:
    with pytest.raises(InputError) as caught:
        action(*arguments, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_is_found_by_run_checkpoint_or_file(run: Path):
    assert [p.name for p in sorted(run.glob("step-*"))] == ["step-000003", "step-000006"]
    for path in (run, run / "step-000006", run / "step-000006" / checkpoint.MODEL):
        found = checkpoint.read_checkpoint(path)
        assert (found.step, found.config) == (6, tiny_recipe("tapa").model)
        assert found.corpus_sha256 == tiny_corpus().sha256
    assert checkpoint.read_checkpoint(run / "step-000003").step == 3


def test_debris_of_a_killed_process_is_no_checkpoint_and_is_swept(run: Path):
    (run / ".step-000009.part").mkdir()
    (run / ".step-000009.part" / checkpoint.MODEL).write_bytes(b"half")
    (run / "step-latest").mkdir()
    assert checkpoint.latest(run) == run / "step-000006"
    train(tiny_recipe("tapa", steps=6), run, tiny_corpus())  # nothing to do
    out = run.parent / "other"
    (out / ".step-000002.part").mkdir(parents=True)
    train(tiny_recipe("tapa", steps=3, warmup=1), out, tiny_corpus())
    assert sorted(p.name for p in out.iterdir()) == [".lock", "step-000003"]


def _change_recipe(folder: Path, **changes: int) -> None:
    """As if the checkpoint were of a recipe with these changes."""
    found = checkpoint.read_checkpoint(folder)
    tensors, kept = checkpoint.read_tensors(found.file), checkpoint.read_tensors(folder / checkpoint.STATE)
    out = folder.parent / "rewritten"
    done = checkpoint.save(
        out, found.step, tensors, kept,
        config=found.config, recipe=found.recipe | changes, corpus_sha256=found.corpus_sha256,
    )  # fmt: skip
    for name in (checkpoint.MODEL, checkpoint.STATE):
        (done / name).replace(folder / name)
    done.rmdir()
    out.rmdir()


def test_a_full_disk_stops_the_run_and_leaves_the_last_checkpoint(run: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, data: bytes) -> None:
        with path.open("wb") as out:
            out.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    for folder in run.glob("step-*"):
        _change_recipe(folder, steps=9)
    monkeypatch.setattr(Path, "write_bytes", full)
    said = refused(train, tiny_recipe("tapa", steps=9), run, tiny_corpus())
    assert "step-000009 cannot be written: No space left on device; the run goes on from step-000006" in said
    monkeypatch.undo()
    assert sorted(p.name for p in run.iterdir()) == [".lock", "step-000003", "step-000006"]
    assert train(tiny_recipe("tapa", steps=9), run, tiny_corpus())[0].name == "step-000009"


def test_a_write_that_the_system_breaks_off_leaves_the_last_checkpoint(run: Path):
    """The kernel itself refuses, half way through the file: a limit on its size stands for the full disk."""
    for folder in run.glob("step-*"):
        _change_recipe(folder, steps=9)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        said = refused(train, tiny_recipe("tapa", steps=9), run, tiny_corpus())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "step-000009 cannot be written: File too large" in said
    assert checkpoint.load_model(run).config == tiny_recipe("tapa").model
    assert train(tiny_recipe("tapa", steps=9), run, tiny_corpus())[0].name == "step-000009"


@pytest.mark.parametrize("name", [checkpoint.MODEL, checkpoint.STATE])
@pytest.mark.parametrize("kept", [0, 7, 100, 5000])
def test_a_truncated_checkpoint_is_refused(run: Path, name: str, kept: int):
    file = run / "step-000006" / name
    file.write_bytes(file.read_bytes()[:kept])
    said = refused(train, tiny_recipe("tapa", steps=6), run, tiny_corpus())
    assert f"{name} is truncated or damaged" in said
    assert "delete its folder to go on without it" in said
    if name == checkpoint.MODEL:
        assert "is truncated or damaged" in refused(checkpoint.load_model, run)
        assert checkpoint.load_model(run / "step-000003") is not None


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that tests copy and spoil."""
    out = tmp_path_factory.mktemp("finished") / "run"
    return train(tiny_recipe("tapa", steps=3, warmup=1), out, tiny_corpus())[0]


@given(st.sampled_from([checkpoint.MODEL, checkpoint.STATE]), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_refused_by_name(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
):
    """Wherever it is, in the header or a number: raises( with the file's name."""
    file = tmp_path_factory.mktemp("flipped") / name
    whole = (finished / name).read_bytes()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
    said = refused(checkpoint.read_tensors, file)
    assert f"checkpoint {file} is truncated or damaged" in said


def _respoiled(file: Path, tensors: dict[str, torch.Tensor], *, summed: bool) -> None:
    """The file with other numbers, as if they had been written so; without its sum, as before there were sums."""
    with safe_open(file, framework="pt") as opened:
        about = json.loads(opened.metadata()[checkpoint.KEY])
    about.pop(checkpoint.SUM)
    about["format"] = checkpoint.FORMAT if summed else checkpoint.WITHOUT_SUM
    if summed:
        about[checkpoint.SUM] = checkpoint._sum(tensors, about)
    save_file(tensors, file, {checkpoint.KEY: json.dumps(about)})


@pytest.mark.parametrize("summed", [True, False])
@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        (checkpoint.MODEL, "norm.weight"),
        (checkpoint.STATE, "exp_avg/norm.weight"),
        (checkpoint.STATE, "log/loss"),
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused_by_name(run: Path, name: str, tensor: str, value: float, summed: bool):
    """In files of before there were sums, too; raises( with the tensor's name."""
    file = run / "step-000006" / name
    tensors = load_file(file)
    tensors[tensor][1] = value
    _respoiled(file, tensors, summed=summed)
    said = refused(train, tiny_recipe("tapa", steps=6), run, tiny_corpus())
    assert f"{name} is truncated or damaged ({tensor} holds a number that is not finite)" in said
    if name == checkpoint.MODEL:
        assert f"({tensor} holds a number that is not finite)" in refused(checkpoint.load_model, run)


def _longer(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x[-1:]])


LOGS = [
    ("log/loss", _longer, "log/loss has shape (7,) after 6 steps"),
    ("log/seconds", lambda x: x[:-1], "log/seconds has shape (5,) after 6 steps"),
    ("log/lr", lambda x: x[None], "log/lr has shape (1, 6) after 6 steps"),
    ("log/validation_step", lambda x: x + 1, "log/validation_step is not of the 6 steps"),
    ("log/validation_loss", _longer, "log/validation_step is not of the 6 steps"),
    (
        "exp_avg_sq/norm.weight",
        lambda x: x[:-1],
        "exp_avg_sq/norm.weight has shape (15,), not its parameter's",
    ),
]


@pytest.mark.parametrize(("tensor", "spoil", "message"), LOGS)
def test_a_state_that_is_not_of_its_step_is_refused(run: Path, tensor: str, spoil, message: str):
    """Its sum is right: a program wrote it so. raises( with what is wrong."""
    file = run / "step-000006" / checkpoint.STATE
    tensors = load_file(file)
    tensors[tensor] = spoil(tensors[tensor]).contiguous()
    _respoiled(file, tensors, summed=True)
    assert message in refused(train, tiny_recipe("tapa", steps=6), run, tiny_corpus())


def test_files_of_before_there_were_sums_are_loaded(run: Path):
    """All that are committed: the same weights, and a run goes on from them."""
    for name in (checkpoint.MODEL, checkpoint.STATE):
        file = run / "step-000006" / name
        _respoiled(file, load_file(file), summed=False)
    assert checkpoint.load_model(run).config == tiny_recipe("tapa").model
    assert train(tiny_recipe("tapa", steps=6), run, tiny_corpus())[0].name == "step-000006"


def test_committed_models_are_loaded():
    folder = Path(__file__).parents[2] / "figures" / "trained" / "checkpoints"
    files = sorted(folder.glob("*.safetensors"))
    assert [file.stem for file in files] == [
        "alibi", "nope", "partial", "rope", "rope_large", "tapa", "tapa_linear", "tapa_plain", "window",
    ]  # fmt: skip
    for file in files:
        model = checkpoint.load_model(file)
        assert file.stem.startswith(model.config.method.name), file
        assert all(bool(weight.isfinite().all()) for weight in model.parameters())


def test_somebody_elses_weights_are_not_replaced(run: Path, tmp_path: Path):
    file = tmp_path / "rope.safetensors"
    save_file({"x": torch.zeros(2)}, file)
    before = file.read_bytes()
    assert "exists and is no model of `tapa train`" in refused(checkpoint.write_half, run, file)
    assert file.read_bytes() == before
    file.unlink()
    checkpoint.write_half(run, file)
    checkpoint.write_half(run, file)  # ours is replaced


def test_half_precision_has_a_sum_of_its_own(run: Path, tmp_path: Path):
    file = checkpoint.write_half(run, tmp_path / "half.safetensors")
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "its content is not what was written: sha256 differs" in refused(checkpoint.load_model, file)


def test_a_checkpoint_of_another_configuration_names_the_fields(run: Path):
    expected = replace(tiny_recipe("tapa").model, width=32, method=MethodConfig("tapa", alpha=0.3))
    said = refused(checkpoint.load_model, run, expected)
    assert said.endswith("is of another configuration: width: 16, not 32; method.alpha: 0.1, not 0.3")


def test_what_is_no_checkpoint_is_refused(run: Path, tmp_path: Path):
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, other)
    assert "is no model of `tapa train`" in refused(checkpoint.load_model, other)
    assert "there is no checkpoint" in refused(checkpoint.load_model, tmp_path / "nothing")
    assert "there is no checkpoint" in refused(checkpoint.load_model, tmp_path)
    found = checkpoint.read_checkpoint(run)
    checkpoint.save(
        tmp_path / "odd", 1, {"x": torch.zeros(2)}, {},
        config=found.config, recipe={}, corpus_sha256="",
    )  # fmt: skip
    assert "does not hold the weights of its configuration" in refused(
        checkpoint.load_model, tmp_path / "odd"
    )


def test_half_precision_keeps_what_the_model_says(run: Path, tmp_path: Path):
    whole, half = (
        checkpoint.load_model(run),
        checkpoint.load_model(checkpoint.write_half(run, tmp_path / "half.safetensors")),
    )
    assert half.config == whole.config
    assert all(parameter.dtype == torch.float32 for parameter in half.parameters())
    for a, b in zip(whole.parameters(), half.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=2.0**-11, atol=2.0**-25)


def test_a_weight_beyond_half_precision_is_refused(run: Path, tmp_path: Path):
    found = checkpoint.read_checkpoint(run)
    tensors = checkpoint.read_tensors(found.file) | {"norm.weight": torch.full((16,), 1e6)}
    checkpoint.save(tmp_path / "huge", 1, tensors, {}, config=found.config, recipe={}, corpus_sha256="")
    said = refused(checkpoint.write_half, tmp_path / "huge", tmp_path / "half.safetensors")
    assert "norm.weight does not fit into half precision" in said
