"""The benchmarks at sizes that take no time: both sides compute the same, and the record says what was run.

Nothing here looks at how long anything took.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from analysis import assets, bench, layer_jobs, workers
from analysis.cli import main
from analysis.encodings.rotary import rotate
from analysis.errors import InputError
from analysis.heads.mean_score import mean_score
from analysis.models import fused, load
from analysis.records import Schema, read_summary
from analysis.studies.distance_bias import measure
from analysis.theory import rope
from analysis.theory.frequencies import plain
from analysis.training.train import FUSED_FROM
from figures.catalogue import SUMMARIES
from tests import tiny_models
from tests.models.tiny_llama import tiny_recipe

TINY: dict[str, Callable[[], list[bench.Row]]] = {
    "mean_score_memory": lambda: bench.mean_score_memory(lengths=(256, 512, 1024), head_dim=8),
    "mean_score_speed": lambda: bench.mean_score_speed(length=64, head_dim=8),
    "mean_score_growth": lambda: bench.mean_score_growth(lengths=(64, 128, 256), head_dim=8),
    "expected_score_speed": lambda: bench.expected_score_speed(length=500, pairs=4),
    "attention_speed": lambda: bench.attention_speed(
        length=64, tile=32, heads=2, head_dim=8, methods=("RoPE", "TAPA"), repeats=1, compiled=False
    ),
    "fused_attention_speed": lambda: bench.fused_attention_speed((40,), 2, 8, methods=("TAPA",), repeats=1),
    "tapa_moments_speed": lambda: bench.tapa_moments_speed(distances=20, phase_dims=2, naive=10),
    "sampling_efficiency": lambda: bench.sampling_efficiency(2**9, phases=(0.1,)),
    "phase_curves_speed": lambda: bench.phase_curves_speed(length=64, head_dim=8, tile=16, heads=2),
    "training_speed": lambda: bench.training_speed(tiny_recipe(), steps=1),
    "start_up": lambda: [{"what": "start-up", "cpu_s": 0.1, "target": "none", "met": True}],
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every benchmark without a model, at a size of nothing; starting the command is tested in tests/cli."""
    monkeypatch.setattr(bench, "BENCHMARKS", {**bench.BENCHMARKS, **TINY})


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model and a text in the place of those that are fetched."""
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "model", tokenizer=True)
    text = tmp_path / "text.txt"
    text.write_text(" ".join(f"w{i}" for i in np.random.default_rng(0).integers(0, 96, 300)))
    monkeypatch.setattr(load, "fetch_smollm2", lambda **options: folder)
    monkeypatch.setattr(assets, "fetch_texts", lambda **options: [text])


# both sides of a comparison compute the same


def test_the_naive_side_has_the_fast_sides_values():
    """Given its rotation for free, as it is: diagonal means of rotated q and k are the mean score of the plain."""
    q, k = (
        torch.randn(97, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (0, 1)
    )
    frequencies = plain(1e4, 16)
    naive = bench.diagonal_means(*(rotate(x, torch.arange(97), frequencies) for x in (q, k)))
    assert torch.allclose(naive, mean_score(q, k, frequencies), atol=1e-12)
    assert not torch.allclose(naive, bench.diagonal_means(q, k), atol=1e-2)


@pytest.mark.parametrize(("length", "pairs"), [(1, 1), (1000, 3), (2**14 + 5, 4)])
def test_the_curve_and_the_table_agree(length: int, pairs: int):
    (row,) = bench.expected_score_speed(length=length, pairs=pairs)
    # the table's phases: 2^-53 of up to 16389 rad, for each pair
    assert 0 <= row["difference"] < 2e-12
    assert f"{length} distances x {pairs} pairs" in row["what"]


def test_a_curve_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch):
    original = rope.expected_score_curve
    monkeypatch.setattr(rope, "expected_score_curve", lambda length, *a: original(length, *a, start=1))
    (row,) = bench.expected_score_speed(length=1000, pairs=3)
    assert row["difference"] > 1e-3
    assert row["error"] > 1e-3
    assert not row["met"]


def test_the_error_against_balls_is_that_of_the_worst_distance():
    """In units of sum |mu| + |nu| = 3; the curve of one pair that rests is mu, exactly."""
    curve, omega = np.full(10, 2.0), np.zeros(1)
    mu, nu = np.array([2.0]), np.array([-1.0])
    assert bench.ball_error(curve, omega, mu, nu) <= 2**-100
    curve[7] += 0.75
    assert bench.ball_error(curve, omega, mu, nu) == pytest.approx(0.25)


def test_rounding_of_the_curve_is_within_its_own_bound():
    (row,) = bench.expected_score_speed(length=2**17 + 3, pairs=5)
    assert row["error"] < (2 * 5 + 32) * 2**-53  # as `expected_score_curve` promises


@pytest.mark.parametrize("phase_dims", [1, 5, 64])
def test_the_closed_form_and_determinants_agree(phase_dims: int):
    (row,) = bench.tapa_moments_speed(distances=40, phase_dims=phase_dims, naive=10)
    # two ways of 2 n factors, each a logarithm of at most 6 that is known to 2^-53 of the condition, below 1e4
    assert 0 <= row["difference"] < 2 * phase_dims * 6 * 2.0**-53 * 1e4
    assert f"n = {phase_dims}, against determinants" in row["what"]


# what is measured


def test_seconds_are_those_of_each_call_but_the_first_ones(monkeypatch: pytest.MonkeyPatch):
    ticks = itertools.count()
    calls: list[int] = []
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    assert bench.in_turns([lambda: calls.append(next(ticks))], 3) == [
        [2.0, 2.0, 2.0]
    ]  # one tick in each call
    assert len(calls) == 4
    bench.in_turns([lambda: calls.append(next(ticks))], 2, 3)
    assert len(calls) == 4 + 5


def test_jobs_take_turns(monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: float(len(calls))))
    jobs = [lambda: calls.append("a"), lambda: calls.extend("bb")]
    assert bench.in_turns(jobs, 2) == [[1.0, 1.0], [2.0, 2.0]]
    assert "".join(calls) == "abb" * 3


def test_two_sides_as_medians_with_the_extremes_of_their_ratio():
    found = bench.against([1.0, 2.0, 4.0], [10.0, 30.0, 50.0])
    assert found == {"fast_s": 2.0, "slow_s": 30.0, "ratio": 15.0, "ratio_min": 2.5, "ratio_max": 50.0}


def test_growth_is_the_slope_between_the_ends(monkeypatch: pytest.MonkeyPatch):
    """Seconds made up as length^1.5, the least of several runs taken."""
    monkeypatch.setattr(
        bench,
        "in_turns",
        lambda jobs, repeats: [[len_of(job) ** 1.5, 9 * len_of(job) ** 1.5] for job in jobs],
    )

    def len_of(job: Any) -> float:
        return float(len(job.__defaults__[0]))

    (row,) = bench.mean_score_growth(lengths=(16, 64, 256), head_dim=4)
    assert row["exponent"] == pytest.approx(1.5)
    assert row["seconds"] == {16: 64.0, 64: 512.0, 256: 4096.0}
    assert "16 to 256 tokens" in row["what"]


def test_memory_is_counted_in_units_of_q_and_k(monkeypatch: pytest.MonkeyPatch):
    """2 x 4096 x 32 float32 are 1 MB: linear growth is three of them a step, quadratic growth is missed."""
    for peaks, multiples, met in (([100, 103, 109], [3, 3], True), ([100, 103, 115], [3, 6], False)):
        found = iter(map(float, peaks))
        monkeypatch.setattr(workers, "peak_memory_mb", lambda found=found: next(found))
        (row,) = bench.mean_score_memory(lengths=(4096, 8192, 16_384), head_dim=32)
        assert row["peak_mb"] == dict(zip((4096, 8192, 16_384), peaks, strict=True))
        assert row["times_q_and_k"] == pytest.approx(multiples)
        assert row["met"] is met


def test_memory_that_stands_still_says_nothing(monkeypatch: pytest.MonkeyPatch):
    """A peak that something before has set hides the mean score's own."""
    monkeypatch.setattr(workers, "peak_memory_mb", lambda: 100.0)
    (row,) = bench.mean_score_memory(lengths=(64, 128, 256), head_dim=8)
    assert not row["met"]


def test_training_through_the_operator_is_asked_to_be_faster_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
):
    """Of equal tokens a step; which side wins on a model of nothing is no matter of this test."""
    monkeypatch.setattr(bench, "in_turns", lambda jobs, *counts: [[job() or 2.0] for job in jobs])
    monkeypatch.setattr(bench, "against", lambda fast, slow: {"ratio": 1.5})
    short, long = bench.fused_training_speed(tiny_recipe(), (16, FUSED_FROM))
    assert short["what"].startswith("training steps of 4 x 16 tokens")
    assert long["what"].startswith(f"training steps of 1 x {FUSED_FROM} tokens")
    assert (short["met"], long["met"]) == (False, True)
    assert "not used there" in short["target"]


def test_peak_memory_is_in_megabytes():
    """An array of 64 MB that is written to cannot leave the peak below 64 MB, and this machine has no terabyte."""
    held = np.ones(2**23)
    assert held.nbytes / 2**20 <= workers.peak_memory_mb() < 2**20


def test_the_models_cost_is_measured_on_every_head(fetched):
    (row,) = bench.model_cost(2, 32)
    assert row["what"] == "SmolLM2, 2 windows of 32 tokens, all heads"
    assert row["ratio"] == row["statistics_s"] / row["forward_s"] > 0
    assert row["met"] == (row["ratio"] <= 0.25 and row["peak_mb"] < 2.5e9 / 2**20)


# the run and its record


def test_a_run_gives_every_row_with_its_target(tiny):
    told: list[tuple[str, int, int]] = []
    rows = bench.run_benchmarks(
        bench.chosen_benchmarks([], with_model=False), progress=lambda *step: told.append(step[:3])
    )
    assert told == [("benchmarks", done, 11) for done in range(12)]
    assert (
        len(rows) == 16
    )  # mean score two naive sides, attention two methods, sampling three, phases two targets
    assert len({row["what"] for row in rows}) == 16
    assert all(row["target"] for row in rows)
    assert {type(row["met"]) for row in rows} <= {bool, np.bool_}
    for row in rows:
        assert all(np.isfinite(v) for v in row.values() if isinstance(v, float)), row


def test_names_choose_rows_in_the_tables_order(monkeypatch: pytest.MonkeyPatch):
    assert bench.chosen_benchmarks(["training_speed", "mean_score_speed"], with_model=False) == [
        "mean_score_speed",
        "training_speed",
    ]
    assert bench.chosen_benchmarks(["model_8192"], with_model=False) == ["model_8192"]
    left_out = set(bench.BENCHMARKS) - set(bench.chosen_benchmarks([], with_model=False))
    assert left_out == {*bench.OF_MODEL, *bench.NAMED}
    assert bench.chosen_benchmarks(["gpu_attention_speed"], with_model=True) == ["gpu_attention_speed"]
    with pytest.raises(
        InputError, match="benchmark 'attention_sped' is unknown; did you mean attention_speed"
    ):
        bench.chosen_benchmarks(["attention_sped"], with_model=True)


def test_fused_attention_is_held_to_its_time_and_its_error(monkeypatch: pytest.MonkeyPatch):
    (row,) = bench.fused_attention_speed((70,), 2, 8, methods=("TAPA",), repeats=1)
    assert row["what"].endswith("against flash attention, length 70, 2 heads of 8")
    assert row["ratio"] == row["slow_s"] / row["fast_s"]
    assert 0 < row["error"] <= 1e-5
    assert row["machine"].endswith(torch.backends.cpu.get_cpu_capability())
    assert row["met"] == (row["ratio"] <= 1.3)
    monkeypatch.setattr(fused.Fused, "__call__", lambda self, encoding, q, k, v, positions: 1.001 * v)
    (row,) = bench.fused_attention_speed((70,), 2, 8, methods=("TAPA",), repeats=1)
    assert row["error"] > 1e-3
    assert not row["met"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_benchmark_of_a_missing_gpu_is_refused():
    with pytest.raises(
        InputError, match=r"^gpu_attention_speed needs a GPU, and torch finds none; leave it out$"
    ):
        bench.gpu_attention_speed()


def test_with_a_model_the_run_measures_it_at_two_lengths(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[int, int]] = []

    def cost(count: int, length: int) -> list[bench.Row]:
        asked.append((count, length))
        return [{"what": "model", "target": "none", "met": True}]

    monkeypatch.setattr(bench, "model_cost", cost)
    names = bench.chosen_benchmarks([], with_model=True)
    assert names[-2:] == ["model_2048", "model_8192"]
    assert len(bench.run_benchmarks(names[-2:], progress=lambda *step: None)) == 2
    assert asked == [(8, 2048), (2, 8192)]


def test_start_up_is_timed_beside_the_interpreter(monkeypatch: pytest.MonkeyPatch):
    """Real processes; a line that the command does not refuse is an error and no time."""
    monkeypatch.setattr(bench, "REFUSED", (("fetch", "nosuch"),))
    monkeypatch.setattr(bench, "EXPLAINED", ())
    rows = bench.start_up(repeats=1)
    assert [row["what"] for row in rows] == ["start-up: tapa --help", "start-up: tapa fetch nosuch"]
    assert all(row["cpu_s"] > 0 and row["wall_s"] > row["interpreter_wall_s"] for row in rows)
    monkeypatch.setattr(bench, "REFUSED", (("--version",),))
    with pytest.raises(RuntimeError, match="tapa --version ended with 0"):
        bench.start_up(repeats=1)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_writes_a_record_and_prints_the_rows(
    as_json: bool, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "new" / "bench.json"
    options = ["--json"] if as_json else []
    monkeypatch.setattr(sys, "argv", ["tapa", "bench", "--no-model", "--out", str(path), *options])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert not end.value.code
    rows = read_summary(path, expect_schema=Schema(*bench.SCHEMA))["rows"]
    provenance = json.loads(path.read_text())["provenance"]
    assert provenance["command"].startswith("tapa bench --no-model --out bench.json")
    assert provenance["threads"] == torch.get_num_threads()
    assert provenance["seconds"] > 0
    out = capsys.readouterr().out
    if as_json:
        assert [row["what"] for row in json.loads(out)] == [row["what"] for row in rows]
    else:
        *lines, last = [line for line in out.splitlines() if not line.startswith(" ")]
        assert lines == [row["what"] for row in rows]
        assert last == f"record: {path}"
        assert len(re.findall(r"target (met|MISSED): ", out)) == len(rows)
    assert list(path.parent.iterdir()) == [path]


def test_text_shows_every_number():
    row = {"what": "a against b", "ratio": 123.456789, "seconds": {4: 0.51234567}, "times": [1.0, 2.123456],
           "target": "ratio >= 100", "met": True}  # fmt: skip
    numbers = "    ratio 123.5, seconds {4: 0.5123}, times [1, 2.123]\n"
    assert bench.benchmark_text([row]) == f"a against b\n{numbers}    target met: ratio >= 100"
    assert bench.benchmark_text([row | {"met": False}]).endswith("target MISSED: ratio >= 100")


def test_the_committed_record_holds_every_row_and_says_what_is_met():
    """Measured with nothing else running; the model's rows take minutes and are not in it."""
    rows = read_summary(SUMMARIES / "bench.json", expect_schema=Schema(*bench.SCHEMA))["rows"]
    assert len({row["what"] for row in rows}) == len(rows)
    assert all(isinstance(row["met"], bool) and row["target"] for row in rows)
    what = " ".join(row["what"] for row in rows)
    for part in ("diagonal means", "QK^T alone", "growth exponent", "cosines and sines", "TAPA by tiles"):
        assert part in what
    assert all("peak" not in row["what"] or row["met"] for row in rows)


# layers


def tiny_8b(folder: Path) -> tuple[Path, int]:
    sizes = layer_jobs.LLAMA_8B | {
        "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 64,
    }  # fmt: skip
    return folder / "large", layer_jobs.write_random(folder / "large", 3, sizes)


def test_random_weights_of_a_shape_open_layer_by_layer_and_whole(tmp_path: Path):
    path, numbers = tiny_8b(tmp_path)
    layers, whole = (load.open_model(path, by_layers=by_layers) for by_layers in (True, False))
    assert isinstance(layers, load.PretrainedModel)
    assert layers.layers is not None  # nothing is loaded whole
    assert isinstance(whole, load.PretrainedModel)
    assert sum(p.numel() for p in whole.checkpoint.model.parameters()) == numbers
    tokens = torch.randint(96, (2, 32), generator=torch.Generator().manual_seed(0))
    assert measure(layers, tokens, seed=0).identical(measure(whole, tokens, seed=0))
    assert [file.name for file in sorted(path.glob("*.safetensors"))] == [
        f"model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.slow  # a third process that imports torch; in one process, `test_layerwise` compares every value
def test_processes_that_read_by_layers_and_whole_say_the_same_sums(tmp_path: Path):
    path, _ = tiny_8b(tmp_path)
    found, other = (
        layer_jobs.measured_in_a_process(str(path), by_layers=by_layers, windows=2, length=32, text=False)
        for by_layers in (True, False)
    )
    assert found["sums"] == other["sums"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_says_its_peak_and_the_sums_of_its_record(tmp_path: Path):
    path, _ = tiny_8b(tmp_path)
    found = layer_jobs.measured_in_a_process(str(path), by_layers=True, windows=2, length=32, text=False)
    assert all(np.isfinite(value) for value in found["sums"].values())
    assert found["sums"]
    assert 1e8 < found["peak"] < 2e9
    assert found["cpu_s"] > 0
    with pytest.raises(RuntimeError, match="ended with"):
        layer_jobs.measured_in_a_process(str(path), by_layers=True, windows=1, length=32, text=False)
