"""Training: it learns, it resumes bit for bit after SIGKILL, it stops where a number is not finite."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.locks import exclusive
from analysis.models import checkpoint, fused, one_loop
from analysis.models.attention import explicit
from analysis.models.config import METHODS, MethodConfig
from analysis.models.devices import emulated
from analysis.models.fused import Fused
from analysis.models.llama import Llama
from analysis.text.windows import Batches
from analysis.training import train as train_
from analysis.training.recipe import Recipe
from analysis.training.retrieval_data import NEEDLE, RECALL, Mixture, RepeatedFacts
from analysis.training.train import (
    BETAS,
    EPS,
    FLOOR,
    FUSED_FROM,
    Diverged,
    attention_for,
    optimiser_of,
    scheduled_rate,
    train,
    update,
)
from tests.models.tiny_llama import tiny_corpus, tiny_recipe

ROOT = Path(__file__).resolve().parents[2]


class Stop(Exception):
    """Somebody pulls the plug."""


def weights(folder: Path) -> bytes:
    return (folder / checkpoint.MODEL).read_bytes()


def child(out: Path, method: str, *changes: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.models.tiny_llama", str(out), method, *changes]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_to_count(tmp_path: Path, method: str):
    """From log 32 = 3.47 nats; the noise alone costs about 0.6."""
    _, log = train(tiny_recipe(method, steps=60, save_every=60), tmp_path, tiny_corpus())
    assert log.loss[0] == pytest.approx(3.47, abs=0.1)
    assert log.validation_loss[-1] < 2.9
    assert len(log.loss) == len(log.norm) == len(log.lr) == len(log.seconds) == 60


@given(stop=st.integers(1, 12), method=st.sampled_from(["rope", "tapa"]))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_interrupted_run_ends_like_one_that_was_not(
    tmp_path_factory: pytest.TempPathFactory, stop: int, method: str
):
    whole, broken = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("broken")

    def pull(what: str, done: int, total: int, note: str) -> None:
        if done == stop:
            raise Stop

    recipe = tiny_recipe(method)
    last, log = train(recipe, whole, tiny_corpus())
    with pytest.raises(Stop):
        train(recipe, broken, tiny_corpus(), progress=pull)
    again, joined = train(recipe, broken, tiny_corpus())
    assert weights(again) == weights(last)
    assert (joined.loss, joined.norm, joined.validation_loss) == (log.loss, log.norm, log.validation_loss)
    assert joined.validation_step == [4, 8, 12]


def test_a_run_killed_at_random_steps_ends_with_the_same_weights(tmp_path: Path):
    """SIGKILL leaves a process no time for anything; a checkpoint is due at every other step."""
    draw = random.Random(8)
    for kill_after in (draw.randint(1, 12), draw.randint(1, 12)):
        with child(tmp_path / "broken", "tapa", "steps=40", "save_every=2") as run:
            assert run.stdout is not None
            for _ in range(kill_after):
                assert run.stdout.readline()
            run.kill()
        assert run.returncode == -signal.SIGKILL
        last = checkpoint.latest(tmp_path / "broken")
        assert last is None or last.name < "step-000040"  # it was killed on the way
    for out in ("whole", "broken"):
        train(tiny_recipe("tapa", steps=40, save_every=2), tmp_path / out, tiny_corpus())
    for name in (checkpoint.MODEL, checkpoint.STATE):
        ends = [(tmp_path / out / "step-000040" / name) for out in ("whole", "broken")]
        assert same_but_for_times(*ends), name


def same_but_for_times(a: Path, b: Path) -> bool:
    """Every tensor of the same bits, except how long each step took."""
    x, y = checkpoint.read_tensors(a), checkpoint.read_tensors(b)
    names = [name for name in x if name != "log/seconds"]
    return x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in names)


def test_a_finished_run_is_left_alone(tmp_path: Path):
    last, log = train(tiny_recipe(), tmp_path, tiny_corpus())
    before = last.stat().st_mtime_ns
    again, same = train(tiny_recipe(), tmp_path, tiny_corpus())
    assert (again, same.loss) == (last, log.loss)
    assert last.stat().st_mtime_ns == before


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path: Path):
    """Data-parallel under gloo, as torchrun starts it: the same batches, half of each to either process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank), **common} for rank in (0, 1)]
    with child(tmp_path / "two", "tapa", **ranks[0]) as a, child(tmp_path / "two", "tapa", **ranks[1]) as b:
        outputs = [run.communicate()[0].splitlines() for run in (a, b)]
    assert (a.returncode, b.returncode) == (0, 0)
    assert [len(lines) for lines in outputs] == [12 + 1, 1]  # one shows progress
    two = [[float(x) for x in lines[-1].split()[1:]] for lines in outputs]
    assert two[0] == two[1]
    _, log = train(tiny_recipe("tapa"), tmp_path / "one", tiny_corpus())
    # float32 sums in another order: 12 steps of size up to lr = 0.01 away from equal weights
    assert two[0] == pytest.approx(log.loss, rel=1e-4)
    assert two[0][0] == pytest.approx(log.loss[0], rel=4 * 2.0**-24)


def test_long_windows_train_through_the_operator_to_the_same_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Gradients too, which decide the later losses."""
    if one_loop.available() is None:
        pytest.skip("no C++ compiler is there")
    recipe = tiny_recipe("tapa", steps=4, validate_every=4, batch=2)
    assert attention_for(recipe) is explicit
    recipe = replace(recipe, model=replace(recipe.model, context=FUSED_FROM))
    assert isinstance(attention_for(recipe), Fused)
    assert attention_for(replace(recipe, precision="bfloat16")) is explicit  # the loop has float32 alone
    calls: list[int] = []
    forward = fused.attention
    monkeypatch.setattr(fused, "attention", lambda *x: calls.append(1) or forward(*x))
    _, log = train(recipe, tmp_path / "fused", tiny_corpus())
    assert len(calls) >= 4 * recipe.model.layers
    monkeypatch.setattr(one_loop, "available", lambda: None)
    _, plain = train(recipe, tmp_path / "explicit", tiny_corpus())
    assert log.loss == pytest.approx(plain.loss, rel=1e-5)


@pytest.mark.slow
def test_compiled_once_and_the_same_within_rounding(tmp_path: Path):
    """One graph for training and validation together, no break in it."""
    with child(tmp_path / "compiled", "tapa", "compile=1", "steps=4", "validate_every=2") as run:
        lines = run.communicate()[0].splitlines()
    assert run.returncode == 0
    assert lines[-1] == "graphs 1 breaks 0"
    _, log = train(tiny_recipe("tapa", steps=4, validate_every=2), tmp_path / "plain", tiny_corpus())
    assert [float(x) for x in lines[-2].split()[1:]] == pytest.approx(log.loss, rel=1e-4)


def test_a_processor_that_emulates_bfloat16_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By the flags that the kernel lists: oneDNN multiplies bfloat16 from AVX-512 on."""
    listed = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    if "sse2" not in listed:
        pytest.skip("no Linux on x86: its flags are not listed as here")
    here = not any(flag in listed for flag in ("avx512bw", "avx_ne_convert"))
    for precision in ("bfloat16", "float32"):
        recipe = tiny_recipe("rope", precision=precision, steps=4)
        train(recipe, tmp_path / precision, tiny_corpus())
        told = capsys.readouterr().err
        said = told.count("this processor emulates bfloat16, ")
        assert told.count("; precision=float32 is faster here") == said  # what the user can set
        assert said == (here and precision == "bfloat16")
        assert emulated("cpu", precision) == bool(said)
    assert not emulated("cuda", "bfloat16")


def test_a_part_of_the_windows_asks(tmp_path: Path):
    """The log's loss is that of the very batches which `recall.Mixture` gives; validation is text alone."""
    model = replace(tiny_recipe().model, vocab_size=256, context=128)
    data = replace(tiny_corpus(), vocab_size=256)
    common = {"model": model, "steps": 1, "warmup": 0}
    _, asked = train(tiny_recipe(task="recall", task_share=0.5, **common), tmp_path / "a", data)
    _, plain = train(tiny_recipe(**common), tmp_path / "b", data)
    task = replace(RECALL, queries=RECALL.pairs)
    batch = Mixture(Batches(data.train, 129, 4, seed=0), task, 0.5).at(0)
    assert asked.loss == [Llama(model).loss(batch).item()]
    assert asked.loss != plain.loss


def test_lessons_weigh_what_they_ask(tmp_path: Path):
    """The loss is the mean over all bytes and, weighted, that over asked ones; validation is text alone."""
    model = replace(tiny_recipe().model, vocab_size=256, context=128)
    data = replace(tiny_corpus(), vocab_size=256)
    recipe = tiny_recipe(
        model=model, steps=1, warmup=0, task="needle", task_share=0.5, task_repeats=6, task_weight=3.0
    )
    _, log = train(recipe, tmp_path / "lessons", data)
    _, plain = train(tiny_recipe(model=model, steps=1, warmup=0), tmp_path / "text", data)
    batches = Batches(data.train, 129, 4, seed=0)
    tokens, asked = RepeatedFacts(batches, NEEDLE, 0.5, 6).queried_at(0)
    assert asked.any()
    with torch.no_grad():
        given_ = Llama(model)(tokens[:, :-1]).double().log_softmax(-1)
    each = -given_.gather(-1, tokens[:, 1:, None])[..., 0]
    wanted = each.mean() + 3 * each[asked[:, 1:]].mean()
    assert log.loss == pytest.approx([wanted.item()], rel=1e-6)
    # one step of other batches moves little: validation has no part that is asked
    assert log.validation_loss[-1] == pytest.approx(plain.validation_loss[-1], rel=0.05)


@given(warmup=st.integers(0, 40), more=st.integers(2, 60), lr=st.floats(1e-6, 1.0))
def test_the_learning_rate_rises_to_its_peak_and_falls_to_a_tenth(warmup: int, more: int, lr: float):
    recipe = Recipe(steps=warmup + more, warmup=warmup, lr=lr)
    rates = [scheduled_rate(recipe, step) for step in range(recipe.steps)]
    assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert max(rates) == pytest.approx(lr)
    assert rates[-1] == pytest.approx(FLOOR * lr)
    assert min(rates) > 0


def test_groups_at_one_rate_are_plain_adamw():
    """Phase rows are a parameter of their own: with phase_lr_scale=1 that changes no number."""
    recipe = tiny_recipe("tapa", weight_decay=0.1)
    ours, theirs = Llama(recipe.model), Llama(recipe.model)
    grouped = optimiser_of(ours, recipe)
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    plain = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": [p for p in theirs.parameters() if p.ndim == 1]}],
        lr=1e-2, betas=BETAS, eps=EPS, weight_decay=0.0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        tokens = torch.randint(32, (4, 17), generator=generator)
        for model, optimiser in ((ours, grouped), (theirs, plain)):
            optimiser.zero_grad()
            model.loss(tokens).backward()
        update(ours, grouped, 1e-2)
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        plain.step()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6), name


def test_the_phase_learns_at_its_own_rate():
    """AdamW's first step moves every entry by the learning rate, whatever the gradient's size."""
    moved = {}
    for scale in (1.0, 0.3):
        recipe = tiny_recipe(MethodConfig("tapa", phase_lr_scale=scale, phase_init_std=1.0))
        model = Llama(recipe.model)
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        model.loss(torch.arange(68).reshape(4, 17) % 32).backward()
        update(model, optimiser_of(model, recipe), 1e-3)
        moved[scale] = {
            name: (p - before[name]).abs().median().item() for name, p in model.named_parameters()
        }
    for name, size in moved[1.0].items():
        factor = 0.3 if "phase" in name else 1.0
        assert moved[0.3][name] == pytest.approx(factor * size, rel=1e-3), name
        assert size == pytest.approx(1e-3, rel=0.1), name


def test_a_frozen_phase_keeps_its_initial_values(tmp_path: Path):
    """In every bit, weight decay or not, while all else learns; its gradient counts in no norm."""
    method = MethodConfig("tapa", phase_lr_scale=0.0)
    recipe = tiny_recipe(method, weight_decay=0.1, validate_every=12)
    start = dict(Llama(recipe.model, seed=recipe.seed).named_parameters())
    whole, _ = train(recipe, tmp_path / "whole", tiny_corpus())
    trained = Llama(recipe.model)
    checkpoint.load_weights(trained, checkpoint.read_checkpoint(whole))
    frozen = trained.phase_parameters()
    assert len(frozen) == 2 * recipe.model.layers
    for name, parameter in trained.named_parameters():
        assert torch.equal(parameter, start[name]) == (name in frozen), name
    model = Llama(recipe.model)
    optimiser = optimiser_of(model, recipe)
    model.loss(torch.arange(68).reshape(4, 17) % 32).backward()
    seen = [p.grad.square().sum() for name, p in model.named_parameters() if name not in frozen]
    assert update(model, optimiser, 1e-3) == pytest.approx(sum(seen).sqrt().item(), rel=1e-5)


def test_a_frozen_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path):
    recipe = tiny_recipe(MethodConfig("tapa", phase_lr_scale=0.0))

    def stop(what: str, done: int, total: int, note: str) -> None:
        if done == 7:
            raise Stop

    with pytest.raises(Stop):
        train(recipe, tmp_path / "twice", tiny_corpus(), progress=stop)
    folders = [train(recipe, tmp_path / name, tiny_corpus())[0] for name in ("once", "twice")]
    assert weights(folders[0]) == weights(folders[1])


def test_a_gradient_that_is_not_finite_stops_the_run_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Poisoned(Llama):
        def loss(self, tokens):
            found = super().loss(tokens)
            if len(calls) == 5:
                name = "blocks.1.attention.query.phase_weight"
                dict(self.named_parameters())[name].register_hook(lambda g: g * float("nan"))
            calls.append(1)
            return found

    calls: list[int] = []
    monkeypatch.setattr(train_, "Llama", Poisoned)
    with pytest.raises(Diverged) as caught:
        train(tiny_recipe("tapa", validate_every=12), tmp_path, tiny_corpus())
    assert (caught.value.step, caught.value.what) == (5, "blocks.1.attention.query.phase_weight")
    assert "step 6: the gradient of blocks.1.attention.query.phase_weight is not finite" in str(caught.value)
    assert "step-000003 is kept; give a smaller lr" in str(caught.value)
    monkeypatch.undo()
    last = checkpoint.latest(tmp_path)
    assert last is not None
    assert all(torch.isfinite(p).all() for p in checkpoint.load_model(last).parameters())


def test_fine_tuning_starts_from_the_weights_it_is_given(tmp_path: Path):
    first, _ = train(tiny_recipe(), tmp_path / "first", tiny_corpus())
    model = replace(tiny_recipe().model, context=64, method=MethodConfig("rope", base=1e5))
    recipe = tiny_recipe(parent=str(first), model=model, lr=1e-20, warmup=0, steps=1)
    last, _ = train(recipe, tmp_path / "second", tiny_corpus())
    before, after = checkpoint.load_model(first), checkpoint.load_model(last)
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(a, b)
    assert after.config == model


REFUSED = [
    ({"batch": 3}, tiny_corpus(), "WORLD_SIZE", "batch=3 cannot be shared by 2 processes; give a multiple"),
    (
        {},
        replace(tiny_corpus(), vocab_size=256),
        None,
        "the corpus has 256 kinds of tokens, model.vocab_size=32",
    ),
    ({}, tiny_corpus(size=16), None, "a window of 17 tokens is longer than each of 3 documents"),
    (
        {"lr": 2e-2, "batch": 2},
        tiny_corpus(),
        "trained",
        "holds another run (batch: 2, not 4; lr: 0.02, not 0.01)",
    ),
    (
        {},
        replace(tiny_corpus(), sha256="cd" * 32),
        "trained",
        "holds another run (corpus sha256: cdcdcdcdcdcd...",
    ),
]


@pytest.mark.parametrize(("changes", "corpus", "first", "message"), REFUSED, ids=lambda x: "")
def test_what_cannot_be_trained_is_refused_on_one_line(
    tmp_path, monkeypatch, changes, corpus, first, message
):
    if first == "trained":
        train(tiny_recipe(steps=3, warmup=1), tmp_path, tiny_corpus())
        changes = {"steps": 3, "warmup": 1, **changes}
    if first == "WORLD_SIZE":
        monkeypatch.setattr(train_, "group_on", _two_processes)
    with pytest.raises(InputError) as caught:
        train(tiny_recipe(**changes), tmp_path, corpus)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def _two_processes(device: str):
    from contextlib import nullcontext

    from analysis.training.train import Group

    return nullcontext(Group(torch.device(device), rank=0, ranks=2))


def test_a_folder_in_use_and_a_file_are_refused(tmp_path: Path):
    with (
        exclusive(tmp_path / ".lock", "it"),
        pytest.raises(InputError, match=r"is in use by process .*; wait for it, or give another --out"),
    ):
        train(tiny_recipe(), tmp_path, tiny_corpus())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is not a folder; give another --out"):
        train(tiny_recipe(), tmp_path / "file", tiny_corpus())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so asking for one is no mistake")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"device=cuda needs 1 GPU\(s\) here, PyTorch finds 0; give device=cpu"
    ):
        train(tiny_recipe(device="cuda"), tmp_path, tiny_corpus())
