"""One run, from a recipe to its record: the sweep's very record, which a user's run puts beside ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import InputError
from analysis.experiments import plan, results, run_record, tables, training_run
from analysis.experiments.plan import Places
from analysis.experiments.run_record import RunSpec
from analysis.experiments.sweep import sweep
from analysis.experiments.training_run import run_recipe, train_recipe
from analysis.models import checkpoint
from analysis.models.config import MethodConfig
from analysis.models.llama import Llama
from analysis.progress import silent
from analysis.text.corpus import corpus
from analysis.text.windows import Document
from analysis.training.train import Diverged, train
from analysis.training.variants import VARIANTS
from tests.experiments.run_records import BEST, record, whole
from tests.models.tiny_llama import tiny_corpus, tiny_recipe

PLACES = {"run": None, "configuration": None, "seconds": None, "tokens_per_second": None}


def texts(folder: Path) -> Path:
    """Twenty documents of a made-up language, no two alike."""
    rng = np.random.default_rng(3)
    words = np.array(["".join(rng.choice(list("aeioumnrst"), 4)) for _ in range(60)])
    folder.mkdir(parents=True)
    for i in range(20):
        (folder / f"{i:02d}.txt").write_text(" ".join(rng.choice(words, 400)), encoding="utf-8")
    return folder


def test_train_writes_the_very_record_of_the_sweep(tmp_path: Path):
    model = replace(tiny_recipe().model, vocab_size=256)
    scratch = tiny_recipe(model=model, corpus=str(texts(tmp_path / "texts")))
    scale = plan.Scale(scratch, scratch, rates=(1e-2,), reach=0, seeds=(0,), spans=64, target=8)
    places = Places(tmp_path / "trained", tmp_path / "runs")
    sweep([VARIANTS["rope"]], scale, places, arguments=["tapa", "sweep"])
    swept = run_record.read_run(places.records / "rope-s0-lr1e-2.json")
    assert swept["evaluations"][-1]["extension"] == "yarn"
    assert [point["step"] for point in swept["checkpoints"]] == [3, 6, 9]

    data = corpus(scratch.corpus)
    told = run_recipe(scratch, None, tmp_path / "mine", data, arguments=["tapa", "train"])
    assert told is not None
    mine = run_record.read_run(tmp_path / "mine" / "run.json")
    assert mine | PLACES == swept | PLACES
    assert mine["configuration"] | {"run": ""} == swept["configuration"] | {"run": ""}
    assert told["bits_per_byte"] == {
        str(item["length"]): pytest.approx(item["bits_per_byte"], rel=1e-6)
        for item in mine["evaluations"]
        if item["extension"] == "none"
    }
    origin = json.loads((tmp_path / "mine" / "run.json").read_text())["provenance"]
    assert origin["text_sha256"] == data.sha256
    assert origin["command"] == "tapa train"


def test_a_run_that_diverges_leaves_its_record(tmp_path: Path):
    with pytest.raises(Diverged, match="is not finite at lr="):
        run_recipe(tiny_recipe("tapa", lr=1e30), None, tmp_path, tiny_corpus(), arguments=["tapa", "train"])
    content = run_record.read_run(tmp_path / "run.json")
    assert content["diverged"]["after_steps"] >= 1
    assert content["validation_loss"] is None
    with pytest.raises(InputError, match=r"diverged; leave it out$"):
        results.own_runs([tmp_path])


def test_a_finished_run_is_neither_trained_nor_evaluated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = tiny_recipe("tapa")
    first = run_recipe(recipe, None, tmp_path, tiny_corpus(), arguments=["tapa", "train"])
    content = run_record.read_run(tmp_path / "run.json")
    assert content["parameters"] == sum(p.numel() for p in Llama(recipe.model).parameters())
    with monkeypatch.context() as patch:
        patch.setattr(run_record, "write_run", lambda *_, **__: pytest.fail("evaluated again"))
        again = run_recipe(recipe, None, tmp_path, tiny_corpus(), arguments=["tapa", "train"])
    assert again == first
    # of an older kind: it is made again, of the same checkpoint
    record = tmp_path / "run.json"
    record.write_text(record.read_text().replace(run_record.TRAINED.label, f"{run_record.TRAINED.name}/0"))
    run_recipe(recipe, None, tmp_path, tiny_corpus(), arguments=["tapa", "train"])
    assert run_record.read_run(tmp_path / "run.json")["evaluations"] == content["evaluations"]


def test_somebody_elses_run_json_is_not_replaced(tmp_path: Path):
    """It raises( before anything is trained."""
    (tmp_path / "run.json").write_text('{"distance": 42.2}')
    with pytest.raises(InputError, match=r"run\.json exists and is no record; give another output path"):
        run_recipe(tiny_recipe("tapa"), None, tmp_path, tiny_corpus(), arguments=["tapa", "train"])
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_model_is_evaluated_where_it_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every checkpoint that is evaluated is moved to the recipe's device; here nothing really moves."""
    recipe, data = tiny_recipe("rope"), tiny_corpus()
    last, _ = train(recipe, tmp_path, data)
    moved: list[str] = []
    monkeypatch.setattr(Llama, "to", lambda model, device: moved.append(device) or model)
    evaluation = run_record.evaluation_of(recipe, None, data.test)
    run = RunSpec("x", "rope", replace(recipe, device="cuda"), evaluation, None)
    run_record.evaluated(run, data, last, {1: last, 2: last})
    assert moved == ["cuda"] * 3


def documents(*sizes: int) -> list[Document]:
    return [Document(f"{i}.txt", np.zeros(size, np.uint8)) for i, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "lengths", "spans"),
    [
        ((4000, 4000), (16, 32, 64, 128), 64),
        ((600,), (16, 32, 64), 64),  # 8 times the trained length leaves room for 60
        ((560,), (16, 32), 64),
        ((40, 30), (16,), 4 + 2),
        ((15, 9), (), 0),
    ],
)
def test_an_evaluation_reaches_as_far_as_the_documents(sizes, lengths, spans):
    found = run_record.evaluation_of(tiny_recipe(), None, documents(*sizes))
    assert (found.lengths, found.spans, found.target) == (lengths, spans, 8)
    if lengths:
        chosen = run_record.held_out(documents(*sizes), found)
        assert len(chosen.starts) == spans
        assert chosen.longest + chosen.target >= lengths[-1]


def test_the_held_out_spans_of_the_experiments_stay_where_they_are():
    """Room for 16 times the trained length, whether or not a run is evaluated there."""
    tests = documents(4000, 5000)
    scratch = run_record.evaluation_of(tiny_recipe(), None, tests)
    fine = run_record.evaluation_of(tiny_recipe(parent="somewhere"), tiny_recipe().model, tests)
    assert (scratch.lengths[-1], fine.lengths[-1]) == (128, 256)
    assert run_record.held_out(tests, scratch).starts == run_record.held_out(tests, fine).starts


def test_losses_of_byte_pairs_are_per_byte(tmp_path: Path):
    source = texts(tmp_path / "texts")
    model = replace(tiny_recipe().model, vocab_size=290)
    recipe = tiny_recipe(model=model, corpus=str(source), steps=3, validate_every=3)
    data = corpus(source, vocabulary=290)
    run_recipe(recipe, None, tmp_path / "run", data, arguments=["tapa", "train"])
    content = run_record.read_run(tmp_path / "run" / "run.json")
    assert sum(content["document_bytes"]) > 1.5 * sum(content["document_tokens"])
    chosen = run_record.held_out(data.test, run_record.evaluation_of(recipe, None, data.test))
    text = [data.tokenizer.decode(tokens.numpy()) for tokens in chosen.cut(0)]
    assert sum(content["document_bytes"]) == sum(map(len, text))  # ASCII: no character is cut
    for item in content["evaluations"]:
        whole_loss = sum(item["nats"]) / sum(content["document_bytes"]) / np.log(2)
        assert item["bits_per_byte"] == pytest.approx(whole_loss, rel=1e-6)
    (own,) = results.own_runs([tmp_path / "run"])
    row = results.of_runs(run_record.choose(whole((0,), noise=0.0)), [own])["own"]["table2"][0]
    assert row["bits"] == pytest.approx(content["evaluations"][0]["bits_per_byte"], rel=1e-6)
    assert row["difference"] is None  # scored on other tokens


def put(folder: Path, content: dict, **changes) -> Path:
    """A made-up record in a run's folder, as `tapa train` leaves it."""
    content = content | {"run": folder.name} | changes
    whole_record = {
        "schema": "trained-run/1",
        "provenance": {},
        "content": run_record._renamed(content, run_record.ON_DISK),
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(whole_record))
    return folder


def test_a_users_runs_stand_beside_ours(tmp_path: Path):
    """Two seeds of one configuration are one row; differences are paired with the seeds of ours."""
    ours = list(whole((0, 1, 2), noise=0.03))
    mine = [put(tmp_path / f"mine-{seed}", record("tapa", seed, BEST, noise=0.03)) for seed in (0, 1)]
    found = results.of_runs(run_record.choose(ours), results.own_runs(mine))
    theirs = {
        row["length"]: row
        for row in found["table2"]
        if (row["variant"], row["extension"]) == ("tapa", "none")
    }
    rows = {row["length"]: row for row in found["own"]["table2"]}
    assert rows.keys() == theirs.keys()
    assert {row["label"] for row in rows.values()} == {"TAPA (mine-0, mine-1)"}
    assert rows[128]["seeds"] == [0, 1]
    assert rows[128]["against"] == "rope"
    pair = results.of_runs(run_record.choose([run for run in ours if run["seed"] < 2]))["table2"]
    same = next(row for row in pair if (row["variant"], row["length"]) == ("tapa", 1024))
    assert {key: rows[1024][key] for key in same if key != "label"} == {
        k: v for k, v in same.items() if k != "label"
    }
    assert found["own_notes"]["table2"] == []
    page = tables.table_markdown(found, "table2")
    assert page.count("TAPA (mine-0, mine-1)") == 2
    assert "Not comparable" not in page
    assert "TAPA (mine-0, mine-1),tapa,none,128" in tables.csv_text(found, "table2").replace('"', "")
    plain = results.of_runs(run_record.choose(ours))
    assert {row["label"] for row in plain["table2"]} == {row["label"] for row in found["table2"]}


def test_what_is_not_comparable_is_said(tmp_path: Path):
    other = record("tapa", 0, BEST)
    recipe = other["configuration"]["recipe"]
    recipe |= {"corpus": "code", "steps": 300, "model": recipe["model"] | {"width": 64}}
    folder = put(tmp_path / "mine", other, documents=[f"{i}.py" for i in range(8)])
    found = results.of_runs(run_record.choose(whole((0,), noise=0.0)), results.own_runs([folder]))
    (line,) = found["own_notes"]["table2"]
    assert line == (
        "mine differs from our runs in corpus: code, not texts; steps: 300, not 1000; model.width: 64, not 128; "
        "scored on other tokens, so no difference is given"
    )
    assert f"Not comparable:\n\n- {line}\n" in tables.table_markdown(found, "table2")
    assert all(row["difference"] is None for row in found["own"]["table2"])
    assert "fine-tuned" not in line
    assert "from scratch, not fine-tuned" in found["own_notes"]["table1"][0]


def test_runs_without_a_record_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"holds no record of a run; make one with `tapa train RECIPE`$"):
        results.own_runs([tmp_path])
    put(tmp_path / "short", record("rope", 0, BEST), evaluations=[])
    with pytest.raises(
        InputError, match=r"^short was not evaluated: its test documents are too short; leave it out$"
    ):
        results.own_runs([tmp_path])


def test_a_run_is_named_after_its_recipe_variant_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_run, "_corpus", lambda recipe, progress: None)
    monkeypatch.setattr(training_run, "as_it_can_run", lambda recipe: recipe)
    named = {}
    for setting in ("method=tapa", "method=tapa_plain", "method=tapa_alpha0.3", "method=xpos"):
        monkeypatch.setattr(
            training_run, "run_recipe",
            lambda recipe, start, out, data, **_: named.update({out.as_posix(): recipe.model.method}),
        )  # fmt: skip
        train_recipe("cpu", [setting, "seed=1"], None, arguments=[], progress=silent)
    assert list(named) == [f"runs/cpu-{name}-1" for name in ("tapa", "tapa_plain", "tapa_alpha0.3", "xpos")]
    assert named["runs/cpu-tapa_plain-1"] == MethodConfig("tapa")


def test_checkpoints_of_a_run_are_all_that_a_restart_needs(tmp_path: Path):
    """Without its record a finished run is evaluated from its checkpoints, the intermediate ones too."""
    first = run_recipe(tiny_recipe(), None, tmp_path, tiny_corpus(), arguments=["tapa", "train"])
    content = run_record.read_run(tmp_path / "run.json")
    (tmp_path / "run.json").unlink()
    assert run_recipe(tiny_recipe(), None, tmp_path, tiny_corpus(), arguments=["tapa", "train"]) == first
    again = run_record.read_run(tmp_path / "run.json")
    assert again["checkpoints"] == content["checkpoints"] != []
    assert checkpoint.latest(tmp_path) is not None
