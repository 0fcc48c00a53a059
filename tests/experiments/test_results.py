"""Results out of made-up records whose truth is known, and once out of real ones."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from analysis import records
from analysis.cli.main import app
from analysis.errors import InputError
from analysis.experiments import results, run_record, tables
from analysis.experiments.plan import EXPERIMENTS, SEEDS
from analysis.training.variants import VARIANTS, label
from figures.catalogue import TABLES, TRAINED
from proofs.paper import section_4
from tests.experiments.run_records import BEST, RATES, TOKENS, plain_loss, record, whole

ROOT = Path(__file__).resolve().parents[2]
TOTAL = sum(TOKENS)


def found_of(contents: list[dict[str, Any]]) -> dict[str, Any]:
    return results.of_runs(run_record.choose(contents))


def row_of(rows: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    """The one row with these values."""
    hits = [row for row in rows if all(row[key] == value for key, value in values.items())]
    assert len(hits) == 1, hits
    return hits[0]


@pytest.fixture(scope="module")
def chosen() -> dict[str, run_record.Chosen]:
    """Every run of every variant."""
    return run_record.choose(whole(noise=0.03))


@pytest.fixture(scope="module")
def everything(chosen: dict[str, run_record.Chosen]) -> dict[str, Any]:
    """Results of these."""
    return results.of_runs(chosen)


def bits_at(content: dict[str, Any], length: int, extension: str = "none") -> float:
    """Straight from a record, a second time."""
    nats = next(
        r["nats"] for r in content["evaluations"] if (r["length"], r["extension"]) == (length, extension)
    )
    return sum(nats) / TOTAL / math.log(2)


# which runs are read


PLAIN = {(seed, i): record("tapa", seed, 1e-3 * 2**i) for seed in (0, 1) for i in range(5)}
DIVERGED = {key: record("tapa", key[0], run["lr"], diverged=True) for key, run in PLAIN.items()}


@given(
    losses=st.lists(st.one_of(st.none(), st.floats(1.0, 3.0)), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
)
def test_the_rate_of_least_validation_loss_is_read_whatever_the_order(losses, order):
    rates = [1e-3 * 2**i for i in range(len(losses))]
    runs = [
        DIVERGED[seed, i] if loss is None else PLAIN[seed, i] | {"validation_loss": loss}
        for i, loss in enumerate(losses)
        for seed in (0, 1)
    ]
    order.shuffle(runs)
    one = run_record.choose(runs)["tapa"]
    finite = {lr: loss for lr, loss in zip(rates, losses, strict=True) if loss is not None}
    assert [content["lr"] for content in one.tried] == rates
    if not finite:
        assert one.rate is None
        assert not one.seeds
        return
    assert one.rate is not None
    assert finite[one.rate] == min(finite.values())
    assert list(one.seeds) == [0, 1]
    assert {content["lr"] for content in one.seeds.values()} == {one.rate}
    assert set(one.unused) == {run["run"] for run in runs if run["seed"] == 1 and run["lr"] != one.rate}
    assert one.at_edge == (one.rate in (rates[0], rates[-1]))


def test_what_goes_on_from_another_counts_only_where_that_one_is_read():
    runs = [record("rope", 0, lr) for lr in RATES]
    fine = [record("rope_4x", 0, 5e-4), record("rope_4x", 0, 1e-3, parent_lr=RATES[0], validation=0.1)]
    one = run_record.choose(runs + fine)["rope_4x"]
    assert [content["lr"] for content in one.tried] == [5e-4]
    assert one.unused == ("rope_4x-s0-lr1e-3",)
    assert "rope_4x" not in run_record.choose(fine)  # without its parent nothing is known of it


def test_what_is_missing_is_named(chosen):
    assert run_record.missing(chosen) == []
    runs = [record("rope", 0, lr) for lr in RATES] + [record("rope", 1, BEST)]
    runs += [record("tapa", 0, lr, diverged=True) for lr in RATES]
    runs += [record("alibi", 0, BEST), record("alibi", 1, BEST, diverged=True)]
    lines = run_record.missing(run_record.choose(runs))
    assert "rope: seeds 2 not run yet at its learning rate" in lines
    assert "tapa: diverged at every learning rate that was tried" in lines
    assert "alibi: its best learning rate so far, 2e-3, is at the edge of those tried" in lines
    assert "alibi: seeds 1 diverged at its learning rate" in lines
    assert "nope: no run of seed 0 yet" in lines
    assert {line.split(":")[0] for line in lines} == {
        name for names in EXPERIMENTS.values() for name in names
    }


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path):
    runs = [record("rope", 0, BEST), record("tapa", 0, BEST)]
    runs[1]["documents"] = ["other.txt", *runs[1]["documents"][1:]]
    with pytest.raises(
        InputError, match=r"^tapa-s0-lr2e-3 and rope-s0-lr2e-3 were evaluated on different documents"
    ):
        run_record.choose(runs)
    runs = [record("rope", 0, BEST), record("tapa", 0, BEST)]
    runs[1]["configuration"]["lengths"] = [64, 128]
    with pytest.raises(InputError, match=r"of different trained lengths; keep them in different folders$"):
        run_record.choose(runs)
    with pytest.raises(InputError, match=r"variant 'tapo' is unknown; did you mean tapa\?"):
        run_record.choose([record("tapa", 0, BEST) | {"variant": "tapo"}])
    with pytest.raises(InputError, match=r"holds no record of a run; make some with `tapa sweep`$"):
        run_record.read_runs(tmp_path)


# numbers


def put(content: dict, *keys: object, value: object) -> None:
    """Another value somewhere in nested tables and lists."""
    for key in keys[:-1]:
        content = content[key]
    content[keys[-1]] = value


WRONG = [
    (("seed",), -1, "run.seed=-1 is not a whole number of at least 0"),
    (("seed",), True, "run.seed=True is not a whole number"),
    (("seed",), 2**64, "run.seed=18446744073709551616 is above"),
    (("lr",), "fast", "run.lr='fast' is not a number"),
    (("validation_loss",), -0.5, "run.validation_loss=-0.5 must be finite and at least 0"),
    (("validation_loss",), None, "run.validation_loss=None is not a number"),
    (("evaluations", 0, "nats", 0), -1.0, r"run.evaluations[0].nats[0]=-1.0 must be finite and at least 0"),
    (("evaluations", 0, "nats", 0), True, r"run.evaluations[0].nats[0]=True is not a number"),
    (("evaluations", 0, "nats"), [1.0], "run has 1 nats of 8 documents"),
    (("evaluations", 0, "bits_per_byte"), False, "bits_per_byte=False is not a number"),
    (("evaluations", 0, "loss_by_position"), [], "losses by position at"),
    (("evaluations",), {}, "run.evaluations={} is not a list"),
    (("checkpoints", 0, "evaluations", 0, "nats"), None, "nats=None is not a list"),
    (("document_tokens", 0), 0, "run.document_tokens[0]=0 is not a whole number of at least 1"),
    (("document_tokens",), [512], "run has 1 document_tokens of 8 documents"),
    (("documents", 0), None, "run.documents[0]=None is not a text"),
    (("position_edges",), {}, "run.position_edges=None is not a list"),
    (("configuration", "recipe"), None, "run.configuration.recipe=None is not a table"),
    (("configuration", "recipe", "method"), {}, "run.configuration.recipe.method lacks name"),
    (("configuration", "lengths"), [], "run.configuration.lengths is empty"),
    (("diverged",), {"after_steps": 3}, "run.diverged lacks in"),
    (("diverged",), "yes", "run.diverged='yes' is not a table"),
    (("retrieval", 0, "exact"), -3, "run.retrieval[0].exact=-3 is not a whole number"),
]


@pytest.mark.parametrize(("keys", "value", "message"), WRONG)
def test_a_record_that_holds_what_no_run_can_have_is_refused_by_name(keys, value, message, tmp_path: Path):
    content = record("rope", 0, 2e-3)
    path = tmp_path / "rope-s0-lr2e-3.json"

    def write() -> None:
        whole = {
            "schema": run_record.TRAINED.label,
            "content": run_record._renamed(content, run_record.ON_DISK),
        }
        path.write_text(json.dumps(whole))

    write()
    assert run_record.read_run(path)["run"] == content["run"]
    put(content, *keys, value=value)
    write()
    with pytest.raises(InputError) as refusal:
        run_record.read_run(path)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(f"record {path}: ")
    assert "make it again with `tapa sweep` or `tapa train RECIPE`" in str(refusal.value)


def test_planted_losses_come_back():
    found = found_of(list(whole((0,), noise=0.0)))
    for name, members in EXPERIMENTS.items():
        assert {row["variant"] for row in found[name]} == set(members)
        for row in found[name]:
            stretch = row["length"] // 128
            truth = plain_loss(row["variant"], stretch, row["extension"], 1.0)
            base = plain_loss(results.BASELINES[name], stretch, "none", 1.0)
            start = plain_loss(row["variant"], 1, "none", 1.0)
            start_base = plain_loss(results.BASELINES[name], 1, "none", 1.0)
            assert row["bits"] == pytest.approx(truth)
            assert row["perplexity"] == pytest.approx(2**truth)
            assert row["rise"] == pytest.approx(truth - start, abs=1e-9)
            if row["variant"] == results.BASELINES[name]:
                assert row["difference"] is None
            else:
                assert row["difference"] == pytest.approx(truth - base, abs=1e-9)
                assert row["rise_difference"] == pytest.approx(truth - start - base + start_base, abs=1e-9)


def test_intervals_over_seeds_are_scipys_of_paired_values(chosen, everything):
    row = row_of(everything["table2"], variant="tapa", extension="none", length=1024)
    mine, theirs = ([bits_at(chosen[name].seeds[seed], 1024) for seed in SEEDS] for name in ("tapa", "rope"))
    paired = stats.ttest_rel(mine, theirs).confidence_interval(0.95)
    assert row["difference"] == pytest.approx(np.mean(mine) - np.mean(theirs))
    assert (row["difference_seeds_low"], row["difference_seeds_high"]) == pytest.approx(tuple(paired))
    alone = stats.t.interval(0.95, 2, loc=np.mean(mine), scale=stats.sem(mine))
    assert (row["bits_seeds_low"], row["bits_seeds_high"]) == pytest.approx(alone)
    assert row["perplexity_seeds_high"] == pytest.approx(2 ** alone[1])
    # what shifts a whole run cancels in its rise
    assert row["rise_seeds_high"] - row["rise_seeds_low"] < 1e-9


def test_only_seeds_that_both_have_are_paired():
    runs = [record("rope", seed, BEST, noise=0.1) for seed in (0, 1)]
    runs += [record("tapa", seed, BEST, noise=0.1) for seed in (0, 1, 2)]
    runs.append(record("alibi", 0, BEST))
    found = found_of(runs)
    row = row_of(found["table2"], variant="tapa", length=128)
    assert row["seeds"] == [0, 1, 2]
    mine, theirs = (
        [bits_at(run, 128) for run in runs if run["variant"] == name] for name in ("tapa", "rope")
    )
    assert row["bits"] == pytest.approx(np.mean(mine))
    assert row["difference"] == pytest.approx(np.mean(mine[:2]) - np.mean(theirs))
    single = row_of(found["table2"], variant="alibi", length=128)
    assert single["bits_seeds_low"] is None
    assert single["bits_documents_low"] is not None


def test_documents_in_common_cancel_in_differences():
    """Documents differ by 0.3 bits; two methods, by 0.3 in every one of them."""
    found = found_of([record(name, 0, BEST, documents=0.3) for name in ("rope", "tapa")])
    row = row_of(found["table2"], variant="tapa", length=128)
    truth = plain_loss("tapa", 1, "none", 1) - plain_loss("rope", 1, "none", 1)
    assert row["bits_documents_high"] - row["bits_documents_low"] > 0.1
    assert row["difference_documents_low"] == pytest.approx(truth)
    assert row["difference_documents_high"] == pytest.approx(truth)


def test_losses_of_byte_pairs_are_per_byte_in_every_table():
    """Tokens of two bytes each: half as many bits per byte, in the tables as along the training."""
    runs = [record(name, 0, BEST) for name in ("rope", "tapa")]
    pairs = [run | {"document_bytes": [2 * size for size in run["document_tokens"]]} for run in runs]
    of_bytes, of_pairs = found_of(runs), found_of(pairs)
    assert of_pairs["bytes"] == 2 * of_bytes["bytes"]
    for kind, names in (("table2", ("bits", "rise")), ("equal_loss", ("bits_trained", "bits", "difference"))):
        for one, other in zip(of_bytes[kind], of_pairs[kind], strict=True):
            assert [other[name] for name in names] == pytest.approx([one[name] / 2 for name in names])
    for one, other in zip(of_bytes["paths"], of_pairs["paths"], strict=True):
        for name in ("trained", "longest"):
            assert other[name] == pytest.approx([bits / 2 for bits in one[name]])


# equal quality


@given(
    slope=st.floats(-2, 2),
    ends=st.tuples(st.floats(1.0, 2.0), st.floats(1.0, 2.0)),
    points=st.integers(2, 8),
)
def test_methods_that_differ_in_speed_alone_are_alike_at_equal_loss(slope, ends, points):
    """Loss at the longest length follows from loss at the trained one by one rule: only how far they came differs."""
    shares = np.array([0.2, 0.5, 0.3])

    def path(end: float) -> results.LossCurve:
        losses = np.linspace(3.0, end, points)
        return results.LossCurve(
            np.arange(points) + 1.0, losses[:, None] * shares, (5 + slope * losses)[:, None] * shares
        )

    found = results.equal_loss(*map(path, ends))
    assert found is not None
    loss, mine, theirs = found
    assert loss == pytest.approx(max(ends))
    assert mine.long == pytest.approx(theirs.long)
    assert mine.long.sum() == pytest.approx(5 + slope * loss)
    assert (mine.step == points) == (ends[0] >= ends[1])
    assert max(mine.step, theirs.step) == points


def test_a_run_that_starts_better_than_the_other_ends_is_not_matched():
    def path(losses: list[float]) -> results.LossCurve:
        rows = np.array(losses)[:, None] * np.array([0.5, 0.5])
        return results.LossCurve(np.arange(len(losses)) + 1.0, rows, rows)

    assert results.equal_loss(path([3.0, 2.9]), path([2.8, 2.0])) is None
    assert results.equal_loss(path([2.8, 2.0]), path([3.0, 2.9])) is None
    there = results.crossing(path([3.0, 2.0, 2.4, 1.0]), 2.2)  # up again: the first time counts
    assert there is not None
    assert there.step == pytest.approx(1.8)
    found = found_of([record("rope", 0, BEST), record("nope", 0, BEST, loss=lambda *_: 9.0)])
    row = row_of(found["equal_loss"], variant="nope")
    assert (row["seeds"], row["never_equal"], row["difference"]) == ([], [0], None)


def test_matched_rows_say_what_was_planted(everything):
    """RoPE's loss at L falls by 1.2 over a training; ALiBi ends 0.3 above RoPE, at 0.75 of RoPE's training."""
    row = row_of(everything["equal_loss"], variant="alibi")
    ends = {name: [p for p in everything["paths"] if p["variant"] == name] for name in ("rope", "alibi")}
    worse = [
        max(a["trained"][-1], b["trained"][-1]) for a, b in zip(ends["rope"], ends["alibi"], strict=True)
    ]
    assert row["bits_trained"] == pytest.approx(np.mean(worse))
    for (mine, theirs), level, path in zip(row["steps"], worse, ends["rope"], strict=True):
        share = 1 - (level - path["trained"][-1]) / 1.2
        assert (mine, theirs) == (pytest.approx(1000), pytest.approx(1000 * share, rel=1e-6))
    assert row["against_bits"] - row["bits"] > 1.5
    assert row["difference_seeds_low"] < row["difference"] < row["difference_seeds_high"]


# retrieval


def test_retrieval_has_scipys_exact_intervals_and_chance(everything):
    rows = [row for row in everything["retrieval_rows"] if row["learned"]]
    assert {row["variant"] for row in rows} == set(EXPERIMENTS["retrieval"])
    assert (
        {VARIANTS[row["variant"]].task["task"] for row in rows} == {row["task"] for row in rows} == {"needle"}
    )
    for row in rows:
        for one in row["each"]:
            theirs = stats.binomtest(one["exact"], one["trials"]).proportion_ci(0.95, method="exact")
            assert (one["low"], one["high"]) == (pytest.approx(theirs.low), pytest.approx(theirs.high))
        shares = [one["share"] for one in row["each"]]
        assert row["share"] == pytest.approx(np.mean(shares))
        assert 0 <= row["share_low"] <= row["share"] <= row["share_high"] <= 1
        assert row["share_instances_low"] == min(one["low"] for one in row["each"]) < row["share"] + 1e-12
        assert row["share_instances_high"] == max(one["high"] for one in row["each"]) > row["share"]
        assert row["chance"] == pytest.approx(2 ** -row["chance_bits"])


def test_records_from_before_retrieval_are_named_on_one_line():
    runs = [record("rope", seed, BEST, retrieval=False) for seed in (0, 1)] + [record("rope_needle", 0, BEST)]
    found = found_of(runs)
    assert found["without_retrieval"] == ["rope-s0-lr2e-3", "rope-s1-lr2e-3"]
    assert {row["variant"] for row in found["retrieval_rows"]} == {"rope_needle"}
    line = "- rope-s0-lr2e-3, rope-s1-lr2e-3: their records were made before retrieval was evaluated"
    assert line in tables.table_markdown(found, "retrieval")


def test_what_is_in_no_experiment_is_in_no_table():
    """The records of a task that no model learned still read; no reader of a table has to pass over them."""
    runs = [record("rope", 0, BEST), record("rope_recall", 0, BEST)]
    assert "rope_recall" in run_record.choose(runs)
    assert "recall" not in "".join(
        text for name, text in tables.table_files(found_of(runs)).items() if "tuning" in name
    )
    assert not any("recall" in line for line in found_of(runs)["missing"])


# tables


def grids(text: str) -> list[list[list[str]]]:
    """Cells of every Markdown table."""
    blocks = [block for block in text.split("\n\n") if block.startswith("| ")]
    return [[line.strip("| ").split(" | ") for line in block.splitlines()] for block in blocks]


def test_every_table_has_what_the_results_have(everything):
    written = tables.table_files(everything)
    assert set(written) == {f"{name}.{kind}" for name in tables.names() for kind in ("md", "csv")}
    for name in ("table1", "table2", "table3", "alpha", "share"):
        head, _, *lines = grids(written[f"{name}.md"])[0]
        lengths = [int(cell) for cell in head[3:]]
        for line in lines:
            for length, cell in zip(lengths, line[3:], strict=False):
                if cell.strip():
                    row = row_of(everything[name], label=line[0], length=length)
                    numbers = [float(x) for x in re.findall(r"[\d.]+", cell)]
                    expected = [row[f"perplexity{end}"] for end in ("", "_seeds_low", "_seeds_high")]
                    assert numbers == pytest.approx(expected, rel=5e-4)
        assert {line[0] for line in lines} == {row["label"] for row in everything[name]}
        read = list(csv.DictReader(io.StringIO(written[f"{name}.csv"])))
        assert len(read) == len(everything[name])
        for line, row in zip(read, everything[name], strict=True):
            assert float(line["bits"]) == pytest.approx(row["bits"], rel=1e-5)
            assert (line["difference"] == "") == (row["difference"] is None)
    assert "Not there" not in "".join(written.values())


def test_the_tuning_table_shows_every_rate_and_marks_the_chosen_one():
    runs = [record("tapa", 0, lr, diverged=lr == RATES[-1]) for lr in RATES] + [record("rope", 0, BEST)]
    text = tables.table_markdown(found_of(runs), "tuning")
    head, _, *lines = grids(text)[0]
    assert head == ["method", "1e-3", "2e-3", "4e-3"]
    by_method = {line[0]: line[1:] for line in lines}
    assert re.fullmatch(r"\*\*2\.3\d+\*\*", by_method["TAPA"][1])
    assert by_method["TAPA"][2] == "diverged, step 37"
    assert by_method["RoPE"][1].endswith("(edge)")
    _, _, *after = grids(text)[1]
    bits = [f"{plain_loss('tapa', stretch, 'none', 1):.3f}" for stretch in (1, 8)]
    assert {line[0]: line[1:] for line in after}["TAPA"][:2] == [", ".join(bits)] * 2


def test_a_table_without_runs_says_so():
    found = found_of([record("rope", 0, BEST)])
    assert tables.there(found) == ["table2", "retrieval", "tuning"]
    assert tables.table_files(found)["table1.md"].endswith("No run yet.\n")
    with pytest.raises(
        InputError, match=r"no finished run for table table1 yet; make some with `tapa sweep table1`"
    ):
        tables.table_markdown(found, "table1")
    with pytest.raises(InputError, match=r"^table 'tabel1' is unknown; did you mean table1\?$"):
        tables.csv_text(found, "tabel1")


def test_every_variant_has_a_label_of_its_own_in_its_experiment():
    for members in EXPERIMENTS.values():
        assert len({label(name) for name in members}) == len(members)
    assert label("tapa_alpha0.3") == "TAPA, alpha 0.3"
    assert label("rope", "yarn") == "RoPE + YaRN"


def test_the_papers_numbers_are_those_of_the_ledgers_transcription():
    """Typed twice, here and in `proofs`; the file in which they were handed over is not committed."""
    linear_and_quadratic = (section_4.LINEAR, section_4.FINE_TUNED["TAPA"])
    theirs = (section_4.FINE_TUNED.values(), section_4.ZERO_SHOT.values(), linear_and_quadratic)
    for name, rows in zip(("table1", "table2", "table3"), theirs, strict=True):
        _, lengths, methods = tables.TABLES[name]
        assert list(methods.values()) == [tuple(map(float, row)) for row in rows]
        windows = section_4.WINDOWS[: len(lengths)]
        assert [1024 * int(window.removesuffix("k")) for window in windows] == list(lengths)


# the record, the command, real runs


def test_results_are_fit_for_a_record(everything, tmp_path: Path):
    origin = records.Provenance.collect(
        ["tapa"], {}, seeds={}, device="cpu", precision="", threads=1, seconds=0.0
    )
    path = tmp_path / "results.json"
    records.write_summary(everything, path, origin, schema=results.RESULTS, digits=17)
    assert records.read_summary(path, expect_schema=results.RESULTS) == json.loads(json.dumps(everything))


def test_the_command_prints_tables_of_real_runs():
    run = CliRunner().invoke(app, ["results", "table2", "--records", str(TRAINED)])
    assert run.exit_code == 0, run.output
    assert run.output.startswith("# No fine-tuning")
    run = CliRunner().invoke(app, ["results", "table2", "--csv", "--records", str(TRAINED)])
    assert run.output == tables.csv_text(results.summarise_runs(TRAINED), "table2")
    run = CliRunner().invoke(app, ["results", "table1", "table2", "--csv", "--records", str(TRAINED)])
    assert run.exit_code != 0


def stale_tables(folder: Path, content: dict[str, Any]) -> list[str]:
    """Committed tables that are not what the committed records give."""
    written = tables.table_files(content)
    return [
        name
        for name, text in written.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def test_committed_tables_follow_from_committed_records(tmp_path: Path):
    """If not: `tapa figures perplexity_by_length` writes them."""
    content = results.summarise_runs(TRAINED)
    assert stale_tables(TABLES, content) == []
    for path in TABLES.iterdir():  # the guard sees a number that was changed, and a table that was lost
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    changed = tmp_path / "table2.md"
    changed.write_text(changed.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    (tmp_path / "tuning.csv").unlink()
    assert stale_tables(tmp_path, content) == ["table2.md", "tuning.csv"]


def test_real_records_say_the_same_in_results():
    for path in sorted(TRAINED.glob(run_record.NAMES)):
        content = run_record.read_run(path)
        if content["diverged"] is None:
            for item in content["evaluations"]:
                whole_loss = sum(item["nats"]) / sum(content["document_tokens"]) / math.log(2)
                assert whole_loss == pytest.approx(item["bits_per_byte"], rel=1e-6)
    real = run_record.read_runs(TRAINED)
    row = row_of(results.of_runs(real)["table2"], variant="rope", extension="none", length=128)
    seeds = real["rope"].seeds.values()
    assert row["bits"] == pytest.approx(
        np.mean([c["evaluations"][0]["bits_per_byte"] for c in seeds]), rel=1e-6
    )
