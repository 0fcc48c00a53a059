"""All runs of a folder as one record: rows, resumption, correlations, and what comes back, pooled over seeds."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from analysis.cli import main
from analysis.errors import InputError
from analysis.experiments import run_record
from analysis.models import checkpoint
from analysis.models.attention import explicit
from analysis.records import Provenance, read_summary, write_summary
from analysis.studies import equal_dose, extrapolation_bias, extrapolation_bias_runs
from analysis.studies.extrapolation_bias import OBSERVED
from analysis.studies.settings import ExtrapolationBiasSettings
from analysis.text import windows
from analysis.text.corpus import Corpus, Raw, from_texts
from analysis.text.windows import spans
from tests.heads import tiny_phase as phase_tiny
from tests.refusals import plainly_raises, said_in_one_line

TRAINED, TARGET = 16, 8
SETTINGS = ExtrapolationBiasSettings(windows=2, spans=4, seed=0)
RUNS = ("rope-s0-lr1e-2", "rope-s0-lr1e-3", "rope-s1-lr1e-3", "tapa-s0-lr1e-3", "window-s0-lr1e-3")


@pytest.fixture(scope="module")
def data() -> Corpus:
    return from_texts(Raw([(f"{i}.py", phase_tiny.source(14, i).encode()) for i in range(10)], {}))


def make_run(root: Path, name: str, data: Corpus, *, weights: bool = True, diverged: bool = False) -> None:
    """Weights and record of a run as a sweep leaves them; readings at 16, 32, 64 tokens and under an extension."""
    variant, seed, rate = name.split("-", 2)
    number = RUNS.index(name) if name in RUNS else 9
    llama = phase_tiny.model(variant, context=TRAINED, gain=6.0, seed=number)
    about = {"corpus": "texts", "corpus_seed": 0, "seed": int(seed[1:])}
    if weights:
        made = checkpoint.save(
            root / "made" / name, 3, llama.state_dict(), {},
            config=llama.config, recipe=about, corpus_sha256=data.sha256,
        )  # fmt: skip
        (root / "runs" / name).mkdir(parents=True)
        (made / checkpoint.MODEL).rename(root / "runs" / name / checkpoint.MODEL)
    bits = {16: 2.0, 32: 2.5 + 0.1 * number, 64: 3.0 + 0.1 * number}
    content: dict[str, Any] = {
        "variant": variant, "seed": int(seed[1:]), "lr": float(rate[2:]), "parent": None, "run": name,
        "validation_loss": 1.0 + 0.1 * number, "parameters": 1, "milestones": [],
        "diverged": {"after_steps": 2, "in": "loss"} if diverged else None,
        "readings": [
            {"length": n, "extension": kind, "bits_per_byte": b, "nats": [64 * b], "loss_by_place": [b]}
            for n, kind, b in [*((n, "none", b) for n, b in bits.items()), (64, "pi", 9.0)]
        ],
        "place": {str(n): [1, n] for n in bits},
        "documents": ["a"], "document_tokens": [64],
        "configuration": {
            "lengths": list(bits), "recipe": about | {"steps": 3, "model": {}, "method": {"name": variant}},
        },
    }  # fmt: skip
    origin = Provenance.collect(
        ["tapa", "sweep"], {}, seeds={}, device="cpu", precision="", threads=1, seconds=0.0
    )
    write_summary(content, root / "trained" / f"{name}.json", origin, schema=run_record.TRAINED)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, data: Corpus) -> Path:
    """Runs, their records and the record of all, measured once."""
    root = tmp_path_factory.mktemp("made")
    for name in RUNS:
        make_run(root, name, data)
    make_run(root, "rope-s0-lr4e-3", data, weights=False)
    make_run(root, "nope-s0-lr4e-3", data, diverged=True)
    (root / "runs" / "alibi-s0-lr1e-3").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extrapolation_bias_runs, "own_corpus", lambda checkpoint, progress: data)
        measured(root)
    return root


@pytest.fixture
def place(tmp_path: Path, made: Path, data: Corpus, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(extrapolation_bias_runs, "own_corpus", lambda checkpoint, progress: data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(place: Path, **changes) -> dict[str, Any]:
    options: dict[str, Any] = {"arguments": ["tapa", "bias"], "progress": lambda *step: None} | changes
    return extrapolation_bias_runs.measure_runs(
        place / "runs",
        place / "trained",
        place / options.pop("out", "bias.json"),
        options.pop("settings", SETTINGS),
        **options,
    )


# one model


def test_what_comes_back_is_that_of_scores_altered_by_hand(data: Corpus):
    """The witness adds the shift as a matrix of distances to the encoding's own scores, and reads all logits."""
    model = phase_tiny.model("rope", context=TRAINED, gain=6.0)
    found = extrapolation_bias.row(model, data, SETTINGS, reach=4)
    assert [(a["kind"], a["length"]) for a in found["altered"]] == [
        ("plain", TRAINED),
        *((kind, 32) for kind in equal_dose.BRIEF),
        *((kind, 64) for kind in equal_dose.KINDS),
    ]
    documents = [(d.name, d.tokens.tolist()) for d in data.validation]
    tokens = windows.windows(documents, 4 * TRAINED + TRAINED // 2, 2, seed=0).tokens
    curve = extrapolation_bias.observe(model, torch.from_numpy(tokens), TRAINED).mean
    level = curve[..., 12:16].mean(axis=-1, keepdims=True)
    held = torch.from_numpy(np.where(np.arange(72) < TRAINED, 0.0, level - curve)).float()

    def attend(encoding, q, k, v, positions, layer):
        scores = encoding.scores(q, k.repeat_interleave(2, dim=1), positions, positions)
        distance = positions[:, None] - positions
        scores = scores + held[layer][:, distance.clamp(min=0)]
        weights = scores.masked_fill(distance < 0, -math.inf).softmax(dim=-1)
        return weights @ v.repeat_interleave(2, dim=1)

    chosen = spans(data.test, 64 - TARGET, TARGET, 4, seed=0)
    for length in (32, 64):
        rows, losses = chosen.cut(length - TARGET), []
        for way in (explicit, attend):
            model.attend = way
            with torch.inference_mode():
                every = F.cross_entropy(model(rows[:, :-1]).mT, rows[:, 1:], reduction="none")
            losses.append(float(every[:, -TARGET:].double().mean()) / math.log(2))
        cell = next(a for a in found["altered"] if (a["kind"], a["length"]) == ("hold", length))
        assert cell["bits_per_byte"]["plain"] == pytest.approx(losses[0], rel=1e-5)
        assert cell["bits_per_byte"]["altered"] == pytest.approx(losses[1], rel=1e-5)
        assert cell["back"][0] == pytest.approx(losses[0] - losses[1], abs=1e-5)


def test_observed_numbers_from_their_definitions(data: Corpus):
    """Once more from curves by hand, head by head."""
    length, trained, reach = 40, 8, 4
    rng = np.random.default_rng(3)
    mean = rng.standard_normal((1, 2, length))
    square = mean**2 + 0.5 + rng.random((1, 2, length))
    entropy, far = rng.random((2, 1, 2, length))
    seen = extrapolation_bias.Seen(mean, square, entropy, far, trained)
    found = extrapolation_bias.observed(seen, mean + 0.5, reach)
    for h in range(2):
        c, s = mean[0, h], square[0, h]
        pairs = [(trained - d, c[d], s[d]) for d in range(trained)]
        total = sum(n for n, _, _ in pairs)
        first = sum(n * m for n, m, _ in pairs) / total
        unit = math.sqrt(sum(n * q for n, _, q in pairs) / total - first**2)
        level = (c[6] + c[7]) / 2
        assert found["near_far_gap"][0, h] == pytest.approx((c[1] - np.mean(c[4:8])) / unit)
        octaves = [(c[8:16] - level) / unit, (c[16:32] - level) / unit]
        assert found["rebound"][0, h] == pytest.approx(np.mean([o.mean() for o in octaves]))
        assert found["departure"][0, h] == pytest.approx(math.sqrt(np.mean([(o**2).mean() for o in octaves])))
        spread = np.sqrt(s - c**2)
        assert found["spread_drift"][0, h] == pytest.approx(
            math.log(spread[16:32].mean() / spread[4:8].mean())
        )
        assert found["entropy_rise"][0, h] == pytest.approx(
            entropy[0, h, 28:32].mean() - entropy[0, h, 4:8].mean()
        )
        assert found["far_mass"][0, h] == pytest.approx(far[0, h, 28:32].mean())
        assert found["prediction"][0, h] == pytest.approx(1.0)  # a level is no departure
    assert np.isnan(extrapolation_bias.observed(seen, None, reach)["prediction"]).all()
    assert set(found) == set(OBSERVED)


# a folder of them


def test_every_run_with_weights_and_a_record_has_a_row(made: Path):
    kept = read_summary(made / "bias.json", expect_schema=extrapolation_bias_runs.BIAS)
    assert list(kept["rows"]) == sorted(RUNS)
    assert kept["left_out"] == {
        "alibi-s0-lr1e-3": "no record yet", "nope-s0-lr4e-3": "diverged", "rope-s0-lr4e-3": "no weights here",
    }  # fmt: skip
    for number, name in enumerate(RUNS):
        row = kept["rows"][name]
        assert row["rise"] == pytest.approx(1.0 + 0.1 * number, rel=1e-4)  # 64 against 16, no extension
        assert (row["reach"], row["trained_length"]) == (4, TRAINED)
        assert np.shape(row["heads"]["rebound"]) == (2, 2)
        if "window" in name:  # nothing is seen beyond its window
            assert row["altered"] == []
            assert row["observed"]["rebound"] is None
            assert row["observed"]["far_mass"] == 0.0
        else:
            assert {a["length"] for a in row["altered"]} == {TRAINED, 32, 64}
            kinds = {a["kind"] for a in row["altered"]}
            assert ("hold-predicted" in kinds) == ("rope-s0" in name)
            assert ("swapped" in kinds) == ("-s0-" in name)  # what is only described, with seed 0 alone
            assert set(equal_dose.TESTED) <= kinds
            assert len(row["documents"]) == len(row["altered"][0]["nats"])


def test_what_is_up_to_date_is_not_measured_again(place: Path, data: Corpus, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    original = extrapolation_bias.row

    def counted(model, *arguments, **options):
        asked.append(model.config.method.name)
        return original(model, *arguments, **options)

    monkeypatch.setattr(extrapolation_bias_runs, "row", counted)
    again = measured(place)
    assert asked == []
    assert set(again["rows"]) == set(RUNS)
    make_run(place, "alibi-s0-lr1e-2", data)
    assert len(measured(place)["rows"]) == len(RUNS) + 1
    assert asked == ["alibi"]
    measured(place, settings=replace(SETTINGS, seed=1), variants=["tapa"], out="other.json")
    assert asked == ["alibi", "tapa"]
    measured(place, settings=replace(SETTINGS, seed=1), variants=["tapa"], force=True, out="other.json")
    assert asked == ["alibi", "tapa", "tapa"]


def record_at(path: Path) -> dict[str, Any]:
    return read_summary(path, expect_schema=extrapolation_bias_runs.BIAS)


def test_rows_of_runs_that_are_not_measured_stay(place: Path):
    """One variant, measured again; then a folder in which the other runs are no more: no row is lost, nor a rate."""
    before = record_at(place / "bias.json")
    measured(place, variants=["tapa"], force=True)
    after = record_at(place / "bias.json")
    assert after["rows"] == before["rows"]
    for name in (
        "chosen",
        "runs",
        "labels",
    ):  # what was rounded on its way to the file moves the others' last digits
        assert after["summary"][name] == before["summary"][name]
    assert after["summary"]["altered"].keys() == before["summary"]["altered"].keys()
    for name in RUNS:
        if not name.startswith("tapa"):
            shutil.rmtree(place / "runs" / name)
    for record in (place / "trained").glob("*.json"):  # the one that has no weights, too
        if not record.name.startswith("tapa"):
            record.unlink()
    measured(place, force=True)
    assert record_at(place / "bias.json")["rows"] == before["rows"]
    assert record_at(place / "bias.json")["summary"]["chosen"] == before["summary"]["chosen"]


def test_a_run_that_diverged_meanwhile_loses_its_row(place: Path):
    path = place / "trained" / f"{RUNS[0]}.json"
    whole = json.loads(path.read_text())
    whole["content"]["diverged"] = {"after_steps": 3, "in": "loss"}
    path.write_text(json.dumps(whole))
    found = measured(place)
    assert set(found["rows"]) == set(RUNS[1:])
    assert found["left_out"][RUNS[0]] == "diverged"


def other_corpus(place: Path, name: str, **changes) -> None:
    """A record of a run on another corpus, evaluated on documents of it, as a ladder of several corpora has them."""
    path = place / "trained" / f"{name}.json"
    whole = json.loads((place / "trained" / "rope-s0-lr4e-3.json").read_text())
    content = whole["content"]
    content |= {"run": name, "documents": ["b"], "document_tokens": [99]} | changes
    content["configuration"]["recipe"] |= {"corpus": "code"}
    path.write_text(json.dumps(whole))


def test_records_of_another_corpus_beside_those_of_the_runs_do_not_count(place: Path):
    """Not in the choice of the rate either: this one would be the best."""
    chosen = measured(place)["summary"]["chosen"]
    other_corpus(place, "code-rope-s0-lr7e-3", lr=7e-3, validation_loss=0.1)
    with pytest.raises(InputError, match="of different corpora"):
        run_record.read_runs(place / "trained")
    assert measured(place, out="again.json")["summary"]["chosen"] == chosen
    assert chosen["rope"] != 7e-3


def test_runs_of_two_corpora_are_refused_with_a_remedy_that_helps(place: Path):
    name = "code-tapa-s0-lr7e-3"
    other_corpus(place, name, variant="tapa", lr=7e-3, validation_loss=0.1)
    shutil.copytree(place / "runs" / RUNS[0], place / "runs" / name)
    plainly_raises(
        lambda: measured(place), "of different corpora, texts and code; keep them in different folders"
    )
    (place / "elsewhere").mkdir()
    (place / "runs" / name).rename(place / "elsewhere" / name)
    assert measured(place)["rows"].keys() == set(RUNS)


def test_rows_of_other_settings_are_not_mixed(place: Path):
    """It raises( with what differs, and touches nothing; where every row is measured again there is nothing to mix."""
    before = (place / "bias.json").read_bytes()
    said = (
        r"bias\.json holds rows of other settings \(seed=0, not 1\), such as that of .*; give another --out$"
    )
    with pytest.raises(InputError, match=said):
        measured(place, settings=replace(SETTINGS, seed=1), variants=["tapa"])
    assert (place / "bias.json").read_bytes() == before


def test_interrupted_it_has_kept_what_was_done(place: Path):
    def stop(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(place, progress=stop, out="new.json")
    assert list(record_at(place / "new.json")["rows"]) == [RUNS[0]]
    with pytest.raises(KeyboardInterrupt):
        measured(place, progress=stop, force=True)
    assert set(record_at(place / "bias.json")["rows"]) == set(RUNS)  # what was there stays


# what they say together


def fake(variant: str, seed: int, lr: float, x: float, rise: float, **changes: Any) -> dict[str, Any]:
    observed = dict.fromkeys(OBSERVED, x) | {"prediction": None}
    about = {"variant": variant, "method": variant.split("_")[0], "seed": seed, "lr": lr, "parent": None}
    loss = {"validation_loss": lr, "bigram_bits": 3.0, "rise": rise, "trained_length": 16}
    return about | loss | {"observed": observed, "altered": []} | changes


def cell(kind: str, recovered: float, *, length: int = 64, far: float = 0.5, **more: Any) -> dict[str, Any]:
    """An intervention in a model with 2 bits per byte at L and 4 beyond; two documents of 8 bytes, alike."""
    bits = {"plain": 4.0, "trained": 2.0, "altered": 4.0 - recovered}
    doses = {"far_mass": far, "opening_mass": 0.1, "entropy": 1.0}
    nats = [8 * math.log(2) * bits["altered"]] * 2
    return {"kind": kind, "length": length, "bits_per_byte": bits, "nats": nats} | doses | more


def test_spearman_is_scipys_and_knows_groups():
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 6, (2, 30)).astype(float)  # with ties
    assert extrapolation_bias_runs.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert math.isnan(extrapolation_bias_runs.spearman(x, np.ones(30)))
    # between groups it rises, within each it falls
    groups = np.repeat([0, 1, 2], 10)
    within = rng.standard_normal(30)
    x, y = 100.0 * groups + within, 100.0 * groups - within
    assert extrapolation_bias_runs.spearman(x, y) > 0.7
    assert extrapolation_bias_runs.spearman(x, y, groups) < -0.99


def test_a_drawn_sample_has_the_correlation_of_the_runs_in_it():
    rng = np.random.default_rng(9)
    x, y = rng.integers(0, 5, (2, 12)).astype(float)
    groups, counts = np.repeat([0, 1, 2], 4), rng.multinomial(12, np.full(12, 1 / 12), size=20)
    found = extrapolation_bias_runs._spearman(counts.astype(float), x, y, None)
    grouped = extrapolation_bias_runs._spearman(counts.astype(float), x, y, groups)
    for times, one, other in zip(counts, found, grouped, strict=True):
        index = np.repeat(np.arange(12), times)
        assert one == pytest.approx(stats.spearmanr(x[index], y[index]).statistic)
        a, b = (stats.rankdata(v[index]) for v in (x, y))
        for ranks in (a, b):
            for g in range(3):
                ranks[groups[index] == g] -= ranks[groups[index] == g].mean() if g in groups[index] else 0
        assert other == pytest.approx((a @ b) / math.sqrt((a @ a) * (b @ b)))


def test_correlations_over_runs_within_methods_and_of_each():
    rng = np.random.default_rng(7)
    runs = [
        fake(f"{method}_{v}", s, 1e-3, 10.0 * m + e, 10.0 * m - e)
        for m, method in enumerate(("rope", "tapa", "nope"))
        for v in range(3)
        for s in range(2)
        for e in rng.standard_normal(1)
    ]
    found = extrapolation_bias_runs.correlations(runs, "rebound", seed=0)
    whole, within = found["over_runs"], found["within_methods"]
    assert (whole["runs"], whole["clusters"]) == (18, 9)
    assert whole["low"] <= whole["value"] <= whole["high"]
    assert whole["value"] > 0.7
    assert within["high"] < -0.9
    assert set(found["each_method"]) == {"rope", "tapa", "nope"}
    assert found["each_method"]["rope"]["value"] == pytest.approx(-1.0)
    nothing = extrapolation_bias_runs.correlations(runs, "prediction", seed=0)
    assert nothing == {"over_runs": None, "within_methods": None, "each_method": {}}
    few = extrapolation_bias_runs.correlations(runs[:6], "rebound", seed=0)["over_runs"]
    assert (few["clusters"], few["low"]) == (3, None)  # variants are too few to be drawn


def test_unrelated_numbers_have_intervals_that_cover_zero():
    """Independent runs of distinct variants: at least nine in ten intervals cover 0, as many as percentiles reach."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(100):
        found = extrapolation_bias_runs._estimate(*rng.standard_normal((2, 20)), np.arange(20), None, 0)
        assert found is not None
        covered += found["low"] <= 0 <= found["high"]
    assert covered >= 90 - 4 * math.sqrt(100 * 0.1 * 0.9)


def seeds(
    variant: str, *recovered: dict[str, float], lr: float = 1e-3, **more: Any
) -> dict[str, dict[str, Any]]:
    """Rows of seeds 0, 1, ... with what each intervention recovers, in bits per byte."""
    at_trained = cell("plain", 2.0, length=16)
    return {
        f"{variant}-s{seed}-lr{lr}": fake(
            variant, seed, lr, 1.0, 1.0,
            altered=[at_trained, cell("plain", 0.0)] + [cell(kind, back) for kind, back in one.items()], **more,
        )
        for seed, one in enumerate(recovered)
    }  # fmt: skip


def test_what_is_recovered_is_pooled_over_the_seeds_of_the_chosen_rate():
    rows = seeds("rope", {"clamp": 1.0}, {"clamp": 1.2}, {"clamp": 1.4})
    rows |= seeds("rope", {"clamp": 0.0}, lr=2e-3)  # trained worse
    found = extrapolation_bias_runs.summarise(rows, {"rope": 1e-3, "tapa": 4e-3}, seed=0)
    assert found["chosen"] == {"rope": 1e-3}
    (pooled,) = [one for one in found["altered"]["rope"] if one["kind"] == "clamp"]
    assert (pooled["length"], pooled["seeds"]) == (64, 3)
    half = stats.t.ppf(0.975, 2) * 0.2 / math.sqrt(3)
    assert pooled["back"] == pytest.approx([1.2, 1.2 - half, 1.2 + half])
    assert pooled["share"] == pytest.approx([0.6, 0.6 - half / 2, 0.6 + half / 2])
    assert pooled["far_mass"] == pytest.approx([0.5, 0.5, 0.5])
    first = {name: row for name, row in rows.items() if name == "rope-s0-lr0.001"}
    alone = extrapolation_bias_runs.summarise(first, {"rope": 1e-3}, seed=0)["altered"]["rope"][-1]
    assert alone["back"][1:] == [None, None]
    json.dumps(found, allow_nan=False)


def test_one_intervention_less_another_is_paired_over_seeds():
    """The recovered shares move together, so the interval of their difference is narrow; documents are alike."""
    rows = seeds(
        "rope",
        {"hold": 1.6, "matched-constant": 1.0, "clamp": 1.0, "clamp-departure": 0.5},
        {"hold": 1.9, "matched-constant": 1.3, "clamp": 1.2, "clamp-departure": 0.6},
        {"hold": 1.3, "matched-constant": 0.7, "clamp": 1.4, "clamp-departure": 0.7},
    )
    rows["rope-s2-lr0.001"]["altered"][3]["far_mass"] = (
        0.44  # the constant of one seed is not matched on the test text
    )
    found = extrapolation_bias_runs.summarise(rows, {"rope": 1e-3}, seed=0)["contrasts"]["rope"]
    by = {one["contrast"]: one for one in found}
    assert set(by) == {"shape", "departure"}  # of the others neither was done
    shape = by["shape"]
    assert shape["share"] == pytest.approx([0.3, 0.3, 0.3])
    assert (shape["seeds"], shape["matched"]) == (3, 2)
    assert shape["share_matched"] == pytest.approx([0.3, 0.3, 0.3])
    assert shape["far_mass"][0] == pytest.approx(0.02)
    assert shape["documents"] == pytest.approx([0.3, 0.3, 0.3])
    assert by["departure"]["undone"] == pytest.approx([0.5, 0.5, 0.5])
    assert by["departure"]["bits"][0] == pytest.approx(0.6)


def test_runs_that_did_not_learn_are_excluded_and_both_results_are_given():
    rows = seeds("rope", {"hold": 1.0}, {"hold": 1.0}) | seeds("nope", {"hold": 1.0})
    lost = seeds(
        "rope", {}, {}, {"hold": -3.0}, validation_loss=2.9 * math.log(2)
    )  # better, by less than the margin
    rows["rope-s2-lr0.001"] = lost["rope-s2-lr0.001"] | {"seed": 2}
    found = extrapolation_bias_runs.summarise(rows, {"rope": 1e-3, "nope": 1e-3}, seed=0)
    assert found["excluded"] == ["rope-s2-lr0.001"]
    assert [one["seeds"] for one in found["altered"]["rope"] if one["kind"] == "hold"] == [2]
    assert set(found["altered_all"]) == {"rope"}
    (whole,) = [one for one in found["altered_all"]["rope"] if one["kind"] == "hold"]
    assert whole["back"][0] == pytest.approx(-1 / 3)
    assert found["runs"] == 4


# the command


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tapa", "bias", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0)


SMALL = ["--records", "trained", "--out", "bias.json", "--workers", "1", "--windows", "2", "--spans", "4"]


def test_the_command_says_what_it_found(place: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "runs", *SMALL) == 0
    told = capsys.readouterr().out
    for name in RUNS:
        assert name in told
    assert "hold-predicted" in told
    assert "left out: alibi-s0-lr1e-3 (no record yet); nope-s0-lr4e-3 (diverged)" in told
    assert run(monkeypatch, "runs", *SMALL, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["record"] == "bias.json"
    assert summary["chosen"]["rope"] == 1e-2  # of the least validation loss


def moved_to_own(place: Path, *names: str) -> None:
    """Runs as `tapa train` leaves them: checkpoint and record in the run's own folder."""
    for name in names:
        newest = place / "own" / name / "step-000003"
        newest.mkdir(parents=True)
        (place / "runs" / name / checkpoint.MODEL).rename(newest / checkpoint.MODEL)
        (place / "trained" / f"{name}.json").rename(place / "own" / name / "run.json")


def test_a_variant_of_ones_own_runs(place: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    """Only its runs are measured, and one that none is of is looked for where the runs are."""
    moved_to_own(place, RUNS[1], RUNS[3])
    assert run(monkeypatch, "own", *SMALL[4:], "--variant", "tapa") == 0
    capsys.readouterr()
    content = json.loads((place / "own" / "bias.json").read_text())["content"]
    assert list(content["rows"]) == [RUNS[3]]
    assert content["summary"]["chosen"] == {"tapa": 1e-3}
    assert run(monkeypatch, "own", *SMALL[4:], "--variant", "tap") == 2
    said_in_one_line(capsys, "no run of variant 'tap' in own; did you mean tapa?")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("smollm2", "--windows", "8"),
            "--windows: of RUNS, and smollm2 is a model",
        ),  # typed, be it the default
        (("gemma3-270m", "--force"), "--force: of RUNS, and gemma3-270m is a model"),
        (("Qwen/Qwen3-0.6B", "--variant", "rope"), "--variant: of RUNS, and Qwen/Qwen3-0.6B is a model"),
        ((".", "--documents", "12"), "--documents: of a MODEL, and . is no"),
    ],
)
def test_options_of_the_other_argument_are_refused(
    arguments: tuple[str, ...], said: str, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err


def test_runs_of_train_are_measured_too(place: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    """Their records and checkpoints lie in their own folders; the same weights have the same row."""
    moved_to_own(place, *RUNS[:2])
    there = place / "own" / "elsewhere"
    there.mkdir()
    text = (place / "own" / RUNS[0] / "run.json").read_text()
    (there / "run.json").write_text(text.replace('"corpus": "texts"', '"corpus": "my-folder"'))
    (there / checkpoint.MODEL).touch()
    before = json.loads((place / "bias.json").read_text())["content"]["rows"]
    assert run(monkeypatch, "own", *SMALL[4:]) == 0
    capsys.readouterr()
    after = json.loads((place / "own" / "bias.json").read_text())["content"]
    assert set(after["rows"]) == set(RUNS[:2])
    assert {name: row | {"key": ""} for name, row in after["rows"].items()} == {
        name: before[name] | {"key": ""} for name in RUNS[:2]
    }
    assert after["left_out"] == {"elsewhere": "trained on the folder my-folder, whose place is not recorded"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", *SMALL], "nowhere: no such file or folder; give the folder of the runs of `tapa sweep`"),
        (
            ["trained", *SMALL],
            "no run in trained has weights and a record in trained; make some with `tapa sweep`",
        ),
        (
            ["runs", *SMALL, "--variant", "rop"],
            "no run of variant 'rop' in trained; did you mean rope?",
        ),
        (["runs", *SMALL[:-1], "1"], "--spans 1 is below 2; give 2 or more"),
        (["runs", *SMALL, "--out", "runs"], "runs is a folder"),
        (["runs", *SMALL, "--workers", "0"], "--workers 0 is not a positive whole number"),
    ],
)
def test_bad_input_is_one_line(
    arguments, message: str, place: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, *arguments) == 2
    said_in_one_line(capsys, message)


def test_a_damaged_record_is_named(place: Path):
    (place / "trained" / f"{RUNS[0]}.json").write_text("{")
    with pytest.raises(InputError, match=r"rope-s0-lr1e-2\.json is truncated or damaged"):
        measured(place)
