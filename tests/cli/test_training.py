"""From training through fine-tuning to reading, by the commands alone: a user's folder of texts, byte pairs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from analysis.cli import main
from analysis.cli.training import results
from analysis.experiments import long_tables, tables
from analysis.models.checkpoint import read_checkpoint

TINY = [
    "model.layers=1", "model.width=16", "model.heads=2", "model.kv_heads=1", "model.head_dim=8", "model.hidden=16",
    "length=16", "batch=4", "steps=6", "warmup=1", "save_every=3",
    "validate_every=3", "validation_batches=1", "compile=false",
]  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ("--text", "mine/3.txt", "--text", "mine/4.txt")


def tapa(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    """What a command prints with --json."""
    monkeypatch.setattr(sys, "argv", ["tapa", *arguments, "--json"])
    with pytest.raises(SystemExit) as end:
        main.main()
    said = capsys.readouterr()
    assert not end.value.code, said.err
    return json.loads(said.out)


def test_results_names_every_table_that_it_prints():
    """Written out, since importing the tables would slow every command."""
    said = get_type_hints(results, include_extras=True)["tables"].__metadata__[0].help
    span = [f"table{number}" for number in range(1, 4)]
    named = re.sub(r"table1 to table3", ", ".join(span), said)
    ours = {name for name in re.findall(r"\w+", named) if name in tables.names() or name.startswith("long")}
    assert ours == {*tables.names(), "long", *long_tables.TITLES}


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of twenty documents each, of made-up words in two alphabets."""
    rng = np.random.default_rng(3)
    for folder, letters in (("mine", "abcdeé"), ("other", "tuvwxa")):
        (tmp_path / folder).mkdir()
        for i in range(20):
            words = ("".join(rng.choice(list(letters), rng.integers(2, 7))) for _ in range(300))
            (tmp_path / folder / f"{i}.txt").write_text(" ".join(words), encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_byte_pairs_are_trained_fine_tuned_and_read(texts: None, monkeypatch, capsys):
    told = tapa(
        monkeypatch, capsys, "train", "cpu", *TINY, "corpus=mine", "model.vocab_size=300", "--out", "run"
    )
    assert (told["method"], told["steps"]) == ("rope", 6)
    fine = tapa(
        monkeypatch, capsys, "train", "finetune", "from=run", "corpus=other", "length=64", "steps=4", "batch=2",
        "warmup=1", "validate_every=2", "validation_batches=1", "save_every=2", "compile=false",
        "method.extension=yarn", "--out", "fine",
    )  # fmt: skip
    assert fine["parameters"] == told["parameters"]
    assert fine["steps"] == 4
    # what goes on from a model knows its tokens, whatever it reads
    assert len({read_checkpoint(Path(name)).tokenizer for name in ("run", "fine")} - {None}) == 1
    read = {
        name: tapa(
            monkeypatch, capsys, "evaluate", name, *TEXTS, "--lengths", "16,64", "--target", "16", "--spans", "2",
            "--stride", "8", "--out", f"{name}.nc",
        )
        for name in ("run", "fine")
    }  # fmt: skip
    for found in read.values():
        assert [row["length"] for row in found["rows"]] == [16, 64]
        for row in found["rows"]:
            # hardly trained: about log 300 nats a token, of which one stands for more than a byte
            assert 100 < row["perplexity"] < 900
            assert row["bits_per_byte"] < np.log2(row["perplexity"])
    assert read["fine"]["trained_length"] == 16  # that YaRN goes by


def test_without_a_compiler_the_steps_are_not_compiled(texts: None, tmp_path: Path):
    """A process whose PATH holds nothing: one line says so, and the run ends as any other."""
    (tmp_path / "empty").mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("CXX", "CC")} | {
        "PATH": str(tmp_path / "empty"), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    settings = [text for text in TINY if text != "compile=false"]
    done = subprocess.run(
        [sys.executable, "-m", "analysis.cli", "train", "cpu", *settings, "corpus=mine", "--out", "run"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    said = (
        "there is no compiler g++ here, so the steps are not compiled and take longer; install one, set CXX"
    )
    assert done.stderr.count(said) == 1
    assert read_checkpoint(Path("run")).recipe["compile"] is False
