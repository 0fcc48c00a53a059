"""The experiments as data, and a tiny sweep run for real: resumed, shared, and on two Dask workers."""

from __future__ import annotations

import multiprocessing
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster
from filelock import FileLock

from analysis.errors import InputError
from analysis.experiments import plan, run_record
from analysis.experiments.plan import Places
from analysis.experiments.sweep import grids, pending, submit, sweep
from analysis.workers import Workers
from tests.models.tiny_llama import tiny_recipe


def texts(folder: Path) -> Path:
    """Twenty documents of a made-up language, no two alike."""
    rng = np.random.default_rng(3)
    words = np.array(["".join(rng.choice(list("aeioumnrst"), 4)) for _ in range(60)])
    folder.mkdir(parents=True)
    for i in range(20):
        (folder / f"{i:02d}.txt").write_text(" ".join(rng.choice(words, 400)), encoding="utf-8")
    return folder


@pytest.fixture
def scale(tmp_path: Path) -> plan.Scale:
    """Seconds a run: bytes, 16 tokens of context, two rates, two seeds."""
    model = replace(tiny_recipe().model, vocab_size=256)
    scratch = tiny_recipe(model=model, corpus=str(texts(tmp_path / "texts")))
    fine = replace(scratch, steps=3, warmup=1)
    return plan.Scale(
        scratch, fine, rates=(1e-2, 1e-3), fine_rates=(1e-3,), reach=0, seeds=(0, 1),
        spans=8, target=4, checkpoints=3,
    )  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "trained", tmp_path / "runs")


def tiny_sweep(wanted, scale, places, **changes):
    return sweep(wanted, scale, places, arguments=["tapa", "sweep"], **changes)


CORE = [plan.VARIANTS[name] for name in ("rope", "rope_4x", "tapa")]


def test_a_sweep_ends_with_a_record_of_every_run(scale, places):
    assert tiny_sweep(CORE, scale, places) == {"done": 8, "diverged": 0, "busy": 0, "late": 0, "left": 0}
    names = {path.stem for path in places.records.iterdir()}
    assert {name.split("-lr")[0] for name in names} == {
        f"{variant.name}-s{seed}" for variant in CORE for seed in scale.seeds
    }
    for variant in CORE:
        assert grids(CORE, scale, places)[variant.name].complete
    assert tiny_sweep(CORE, scale, places)["done"] == 0  # nothing twice
    contents = [run_record.read_run(path) for path in places.records.iterdir()]
    assert {len(content["checkpoints"]) for content in contents if content["parent"] is None} == {2}
    for content in contents:
        lengths = [item["length"] for item in content["evaluations"] if item["extension"] == "none"]
        assert lengths == [16 * 2**i for i in range(5 if content["parent"] else 4)]
    lost = places.weights(next(run for run in plan.plan(CORE[:1], scale, {}) if run.seed == 0))
    lost.unlink()  # a record alone is a finished run, unless somebody goes on from its weights
    assert tiny_sweep(CORE[:1], scale, places)["done"] == 0


def test_the_parent_is_trained_again_if_its_weights_are_gone(scale, places):
    tiny_sweep(CORE[:1], scale, places)
    kept = {path.name: path.read_bytes() for path in places.records.iterdir()}
    weights = {path.parent.name: path.read_bytes() for path in places.runs.glob("*/model.safetensors")}
    for path in places.runs.glob("*/model.safetensors"):
        path.unlink()
    ended = tiny_sweep(CORE[:2], scale, places)
    assert ended["left"] == 0
    assert {name: (places.records / name).read_bytes() for name in kept} == kept
    again = {path.parent.name: path.read_bytes() for path in places.runs.glob("rope-*/model.safetensors")}
    assert again
    assert all(weights[name] == found for name, found in again.items())


def test_a_divergence_is_a_result(scale, places):
    wild = replace(scale, rates=(1e-2, 1e38), seeds=(0,))
    ended = tiny_sweep(CORE[:1], wild, places)
    assert (ended["done"], ended["diverged"], ended["left"]) == (1, 1, 0)
    content = run_record.read_run(places.records / "rope-s0-lr1e38.json")
    assert content["diverged"]["after_steps"] < wild.scratch.steps
    assert content["validation_loss"] is None
    grid = grids(CORE[:1], wild, places)["rope"]
    assert (grid.complete, grid.lr) == (True, 1e-2)


def test_nothing_is_run_without_a_rate_that_ended_well(scale, places):
    wild = replace(scale, rates=(1e38,), seeds=(0, 1))
    ended = tiny_sweep(CORE[:2], wild, places)
    assert (ended["diverged"], ended["left"]) == (1, 0)  # neither the second seed nor the fine-tuning


def test_a_record_of_another_configuration_is_made_again(scale, places):
    tiny_sweep(CORE[:1], replace(scale, seeds=(0,)), places)
    longer = replace(scale, seeds=(0,), scratch=replace(scale.scratch, steps=13))
    assert [run.lr for run in pending(CORE[:1], longer, places)] == [1e-2, 1e-3]


def test_somebody_elses_run_is_left_to_them(scale, places):
    first = plan.plan(CORE[:1], scale, {})[0]
    places.folder(first).mkdir(parents=True)
    with FileLock(places.folder(first) / ".sweep.lock"):
        ended = tiny_sweep(CORE[:1], scale, places)
    assert (ended["done"], ended["busy"], ended["left"]) == (1, 1, 1)
    assert tiny_sweep(CORE[:1], scale, places)["left"] == 0


def test_a_killed_sweep_goes_on_and_ends_with_the_same_weights(scale, places, tmp_path):
    """SIGKILL to a process of its own in the middle of its first run."""
    once = Places(tmp_path / "once" / "trained", tmp_path / "once" / "runs")
    tiny_sweep(CORE[:1], scale, once)
    child = multiprocessing.get_context("spawn").Process(target=tiny_sweep, args=(CORE[:1], scale, places))
    child.start()
    while not list(places.runs.glob("*/step-*/*")) and child.is_alive():
        time.sleep(0.001)
    child.kill()
    child.join()
    assert not list(places.records.glob("*"))  # it was killed on the way
    assert tiny_sweep(CORE[:1], scale, places)["left"] == 0
    for path in once.runs.glob("*/model.safetensors"):
        assert path.read_bytes() == (places.runs / path.parent.name / path.name).read_bytes()
    for path in once.records.iterdir():
        mine, theirs = (run_record.read_run(folder / path.name) for folder in (once.records, places.records))
        assert mine["evaluations"] == theirs["evaluations"]
        assert mine["checkpoints"] == theirs["checkpoints"]


@pytest.mark.slow
def test_two_workers_of_a_cluster_make_the_same_records(scale, places, tmp_path):
    there = Places(tmp_path / "there" / "trained", tmp_path / "there" / "runs")
    scale = replace(scale, seeds=(0,))
    tiny_sweep(CORE[:1], scale, places)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        tiny_sweep(CORE[:1], scale, there, workers=Workers(scheduler=cluster.scheduler_address))
    names = sorted(path.name for path in places.records.iterdir())
    assert names == sorted(path.name for path in there.records.iterdir())
    for name in names:
        here, other = (run_record.read_run(folder / name) for folder in (places.records, there.records))
        assert here["evaluations"] == other["evaluations"]


def test_time_runs_out_in_the_middle_of_a_run_and_the_next_sweep_goes_on(scale, places):
    ended = tiny_sweep(CORE[:1], scale, places, minutes=1e-6)
    assert (ended["done"], ended["late"] > 0, ended["left"]) == (0, True, 2)
    with pytest.raises(InputError, match="--limit-minutes 0 is not above 0"):
        tiny_sweep(CORE[:1], scale, places, minutes=0)


def test_an_experiment_that_is_unknown_names_the_nearest():
    with pytest.raises(InputError, match="table2"):
        plan.variants(["tabel2"])


def test_slurm_gets_a_command_that_runs(tmp_path, monkeypatch):
    """A stand-in for sbatch keeps the script; what it says is then really started, to list the plan."""
    stand_in = tmp_path / "sbatch"
    stand_in.write_text(f"#!/bin/sh\ncat > {tmp_path}/script\necho Submitted batch job 7\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    # a shell would start what stands in such a name
    folders = tmp_path / "it's $(touch planted) `touch planted`", tmp_path / "runs"
    said = submit(["table3"], *folders, tasks=2, minutes=5)
    assert said == "Submitted batch job 7"
    script = (tmp_path / "script").read_text()
    assert "--limit-minutes 5" in script
    done = subprocess.run(
        ["sh", "-c", script.split("exec ")[1].strip() + " --dry-run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tapa_linear-s0-lr1e-3" in done.stdout
    assert not Path("planted").exists()
