"""Models over seeds: rows, what is pooled of them, and that a second call measures nothing again."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from analysis.cli import main
from analysis.errors import InputError
from analysis.evaluation.loss_by_length import evaluate_spans
from analysis.heads import phase_ablation
from analysis.heads.phase_targets import TARGETS
from analysis.models import checkpoint
from analysis.models.checkpoint import load_model, read_checkpoint
from analysis.models.llama import Llama
from analysis.records import read_summary
from analysis.studies import phase_seeds
from analysis.studies.settings import PhaseSeedsSettings
from analysis.text.corpus import Corpus, Raw, from_texts
from analysis.text.windows import spans, windows
from analysis.training.variants import VARIANTS
from tests.heads import tiny_phase as phase_tiny
from tests.refusals import said_in_one_line

CONTEXT = 128
SETTINGS = PhaseSeedsSettings(windows=3, long_windows=2, stretch=2, spans=3, gap_windows=3, pairs=30, seed=0)
MODELS = ("tapa-s0", "tapa-s1", "tapa-s2", "nope-s0", "nope-s1", "tapa_alpha0-s1")


@pytest.fixture(scope="module")
def data() -> Corpus:
    return from_texts(Raw([(f"{i}.py", phase_tiny.source(90, i).encode()) for i in range(10)], {}))


def make(root: Path, name: str, data: Corpus, *, gain: float = 6.0) -> Path:
    """A checkpoint of a tiny model of this variant, its phases large enough to matter."""
    variant, _, seed = name.rpartition("-s")
    method = VARIANTS[variant].method
    large = dataclasses.replace(method, phase_init_std=0.05) if method.is_tapa else method
    llama = phase_tiny.model(large, context=CONTEXT, gain=gain, seed=int(seed))
    about = {"corpus": "texts", "corpus_seed": 0, "seed": int(seed)}
    config = dataclasses.replace(llama.config, method=method)
    return checkpoint.save(
        root / name, 3, llama.state_dict(), {}, config=config, recipe=about, corpus_sha256=data.sha256
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, data: Corpus) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("seeds")
    paths = [make(root, name, data) for name in MODELS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phase_seeds, "own_corpus", lambda checkpoint, progress: data)
        content = measured(paths, root / "seeds.json")
    return root, content


def measured(paths: list[Path], out: Path, settings: PhaseSeedsSettings = SETTINGS) -> dict[str, Any]:
    return phase_seeds.measure_seeds(paths, out, settings, arguments=["tapa"])


def test_a_row_says_what_the_model_does(made, data: Corpus):
    """Losses and groups again, straight from the functions that measure one thing."""
    root, content = made
    found, model = content["rows"]["tapa-s1"], load_model(root / "tapa-s1")
    assert (found["variant"], found["seed"], found["trained_length"]) == ("tapa", 1, CONTEXT)
    chosen = spans(data.test, 15 * CONTEXT + 64, 64, SETTINGS.spans, seed=0)
    for n in (1, 8):
        bits = evaluate_spans(model, chosen, n * CONTEXT)["bits_per_byte"]
        assert found["bits"][str(n)] == pytest.approx(bits, rel=1e-6)
    held_out = [(d.name, d.tokens.tolist()) for d in data.validation]
    text = windows(held_out, CONTEXT, SETTINGS.windows, seed=0)
    tokens = torch.from_numpy(text.tokens)
    means, base = phase_ablation.head_means(model, tokens), phase_ablation.window_losses(model, tokens)
    assert found["groups"]
    for group in found["groups"].values():
        mask = torch.tensor(
            [[f"{layer}.{head}" in group["heads"] for head in range(2)] for layer in range(2)]
        )
        rise = phase_ablation.ablated_losses(model, tokens, "mean cosine", means, mask) - base
        of = [rise[np.array(text.documents) == name].mean() for name in sorted(set(text.documents))]
        assert group["rise"][0] == pytest.approx(np.mean(of), abs=1e-6)
    named = {head for group in found["groups"].values() for head in group["heads"]}
    assert named == {"0.0", "0.1", "1.0", "1.1"}
    for head in found["targets"]["heads"].values():
        assert sum(head["by_distance"]["phase"]) == pytest.approx(1.0, abs=1e-5)
        for kind in TARGETS:
            of = [head["weight"][condition][kind] for condition in ("phase", "mean cosine")]
            if None not in of:
                assert head["shift"][kind][0] == pytest.approx(of[0] - of[1], abs=1e-6)


def test_what_a_model_without_a_phase_or_without_distance_has(made):
    rows = made[1]["rows"]
    assert {"change", "groups", "phase"}.isdisjoint(rows["nope-s0"])
    assert "phase" not in rows["tapa_alpha0-s1"]
    assert "change" in rows["tapa_alpha0-s1"]
    for name in ("nope-s0", "tapa_alpha0-s1"):  # no distance in the score: near and far differ by drift alone
        for reaches in rows[name]["near_far"].values():
            assert all(value == 0 for cell in reaches.values() for value in cell["due_over_sd"])
    distances = rows["tapa-s0"]["near_far"]["distances"]
    assert list(distances) == ["64", "158", "512"]
    assert any(value != 0 for cell in distances.values() for value in cell["due_over_sd"])
    at_one = rows["tapa_alpha0-s1"]["targets"]["heads"]["0.0"]["weight"]
    assert at_one["distance 1"] == at_one["phase"]


def test_pooled_over_seeds_is_students_t(made):
    rows, summary = made[1]["rows"], made[1]["summary"]
    assert summary["seeds"] == {"nope": [0, 1], "tapa": [0, 1, 2], "tapa_alpha0": [1]}
    assert summary["labels"]["tapa_alpha0"] == "TAPA, alpha 0"
    values = [rows[f"tapa-s{seed}"]["bits"]["8"] for seed in range(3)]
    cell = summary["over_seeds"]["tapa"]["bits/8"]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert cell["values"] == values
    assert cell["of"] == pytest.approx([np.mean(values), *interval])
    less = [values[seed] - rows[f"nope-s{seed}"]["bits"]["8"] for seed in range(2)]
    assert summary["less"]["nope"]["bits/8"]["values"] == pytest.approx(less)
    assert summary["less"]["tapa_alpha0"]["bits/8"]["of"][1:] == [
        None,
        None,
    ]  # one seed in common: no interval
    assert "tapa" not in summary["less"]
    counts = summary["over_seeds"]["tapa"]["raises/previous"]["values"]
    heads = [rows[f"tapa-s{seed}"]["targets"]["heads"].values() for seed in range(3)]
    assert counts == [sum("previous" in head["raises"] for head in of) for of in heads]
    deviation = [
        np.mean([head["within"]["phase"]["sd"] for head in rows[f"tapa-s{seed}"]["phase"]["heads"].values()])
        for seed in range(3)
    ]
    assert summary["over_seeds"]["tapa"]["phase/within/phase_sd"]["values"] == pytest.approx(deviation)
    assert "phase/long/phase_sd" in summary["over_seeds"]["tapa"]
    assert "properties/same token/effect_mean" in summary["over_seeds"]["tapa"]
    assert all(
        math.isfinite(value)
        for of in summary["over_seeds"].values()
        for cell in of.values()
        for value in cell["values"]
    )


def test_what_is_known_is_not_measured_again(made, data: Corpus, tmp_path: Path, monkeypatch):
    root, content = made
    out = tmp_path / "seeds.json"
    out.write_bytes((root / "seeds.json").read_bytes())
    asked: list[str] = []

    def counting(task):
        asked.append(task.name)
        return task.name, content["rows"][task.name] | {"key": task.key}

    monkeypatch.setattr(phase_seeds, "measured_seed", counting)
    again = measured([root / "tapa-s0", root / "nope-s0"], out)
    assert asked == []
    assert again["rows"].keys() == content["rows"].keys()  # of models not named here too
    other = make(tmp_path, "tapa-s0", data, gain=5.0)
    measured([other], out)
    assert asked == ["tapa-s0"]
    newer = dataclasses.replace(SETTINGS, seed=1)
    with pytest.raises(
        InputError, match=r"holds rows of other settings, such as that of .*-s\d, which is not"
    ):
        measured([root / "nope-s0"], out, newer)  # a row is never dropped
    assert asked == ["tapa-s0"]
    measured([other, *(root / name for name in content["rows"] if name != "tapa-s0")], out, newer)
    assert sorted(asked[1:]) == sorted(content["rows"])
    assert sorted(read_summary(out, expect_schema=phase_seeds.RECORD)["rows"]) == sorted(content["rows"])


def test_bad_input_is_one_line(
    made, data: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
):
    root, _ = made
    out = tmp_path / "seeds.json"
    with pytest.raises(InputError, match="are both tapa-s0; give each variant and seed once"):
        measured([root / "tapa-s0", make(tmp_path, "tapa-s0", data)], out)
    short = dataclasses.replace(read_checkpoint(root / "tapa-s0").config, context=phase_seeds.TARGET)
    about = {"corpus": "texts", "corpus_seed": 0, "seed": 0}
    of_short = checkpoint.save(
        tmp_path / "short",
        3,
        Llama(short).state_dict(),
        {},
        config=short,
        recipe=about,
        corpus_sha256=data.sha256,
    )
    with pytest.raises(
        InputError, match="was trained at 64 tokens, and the last 64 of a window are scored; give"
    ):
        measured([of_short], out)
    with pytest.raises(InputError, match="no model was given; name at least one of `tapa train`"):
        measured([], out)
    with pytest.raises(InputError, match="windows=1 is below 2; give 2 or more"):
        PhaseSeedsSettings(windows=1)
    with pytest.raises(InputError, match="pairs=5 is below 32; give 32 or more"):
        PhaseSeedsSettings(pairs=5)
    assert not out.exists()
    monkeypatch.setattr("sys.argv", ["tapa", "phase-seeds", "nowhere", "--out", str(out)])
    with pytest.raises(SystemExit) as refused:
        main.main()
    assert refused.value.code == 2
    said_in_one_line(capsys, "nowhere")


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_what_is_pooled(
    made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch, as_json: bool
):
    root, content = made
    row = content["rows"]["tapa-s0"]
    monkeypatch.setattr(
        phase_seeds, "measured_seed", lambda task: (task.name, row | {"settings": asdict(task.settings)})
    )
    out = tmp_path / "seeds.json"
    command = ["tapa", "phase-seeds", str(root / "tapa-s0"), "--out", str(out), "--workers", "1"]
    monkeypatch.setattr("sys.argv", command + ["--json"] * as_json)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert not ended.value.code
    said = capsys.readouterr().out
    if as_json:
        assert json.loads(said)["over_seeds"]["tapa"]["bits/8"]["values"] == [row["bits"]["8"]]
    else:
        assert f"{row['bits']['8']:.3f}" in next(
            line for line in said.splitlines() if line.startswith("bits/8 ")
        )
        assert "tapa (1)" in said
    assert list(read_summary(out, expect_schema=phase_seeds.RECORD)["rows"]) == ["tapa-s0"]
