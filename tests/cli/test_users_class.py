"""A class of a user's own, as CONTRIBUTING shows it: trained, evaluated and put into a table, by the commands alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.cli import main
from analysis.encodings import Alibi
from analysis.models import users
from analysis.models.checkpoint import read_checkpoint
from tests.cli.test_training import ROOT, TINY

NAME = "mypackage.module:LogDistance"
EXAMPLE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example as it stands, beside twenty documents, in the current directory."""
    rng = np.random.default_rng(3)
    (tmp_path / "mine").mkdir()
    for i in range(20):
        words = ("".join(rng.choice(list("abcde"), rng.integers(2, 7))) for _ in range(300))
        (tmp_path / "mine" / f"{i}.txt").write_text(" ".join(words), encoding="utf-8")
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "module.py").write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        del sys.modules[name]


def tapa(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[str, str]:
    """What a command prints and says, as in a process of its own: nothing is imported before."""
    forget()
    monkeypatch.setattr(sys, "argv", ["tapa", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    said = capsys.readouterr()
    return ("" if end.value.code else said.out), said.err


def test_a_class_of_ones_own_is_trained_evaluated_and_tabled(package: Path, monkeypatch, capsys):
    train = ("train", "cpu", *TINY, "corpus=mine", f"method={NAME}", "method.slope=0.5", "--out", "run")
    told, said = tapa(monkeypatch, capsys, *train, "--json")
    assert json.loads(told)["variant"] == f"{NAME}[slope=0.5]"
    assert f"no learning rate is tuned for {NAME}: 2e-3 is the recipe's own" in said
    method = read_checkpoint(Path("run")).config.method
    assert (method.name, method.options) == (NAME, {"slope": 0.5})
    assert method.source_sha256 == users.source_sha256(users.imported(NAME))

    evaluate = ("evaluate", "run", "--text", "mine/3.txt", "--text", "mine/4.txt", "--lengths", "16,64",
                "--target", "8", "--spans", "2", "--stride", "8", "--json")  # fmt: skip
    told, said = tapa(monkeypatch, capsys, *evaluate)
    assert (told, len(said.splitlines())) == ("", 1)
    assert f"if you trust it, name it: --method {NAME}" in said
    told, _ = tapa(monkeypatch, capsys, *evaluate, "--method", NAME)
    assert [row["length"] for row in json.loads(told)["rows"]] == [16, 64]

    told, _ = tapa(monkeypatch, capsys, "results", "table2", "--runs", "run")
    assert "| LogDistance, slope 0.5 (run)" in told

    again, _ = tapa(monkeypatch, capsys, *train, "--json")  # finished: neither trained nor evaluated again
    assert json.loads(again)["variant"] == f"{NAME}[slope=0.5]"
    _, said = tapa(monkeypatch, capsys, *train, "method.slope=0.6")
    assert "holds another run (method.options.slope: 0.6, not 0.5)" in said
    _, said = tapa(monkeypatch, capsys, *train, "method.slop=0.6")
    assert (len(said.splitlines()), "takes no option slop; did you mean method.slope?" in said) == (1, True)
    _, said = tapa(monkeypatch, capsys, "measure", "run", "--text", "mine/3.txt")
    assert f"if you trust it, name it: --method {NAME}" in said


def test_the_example_is_the_encoding_that_it_says(package: Path):
    """Against a matrix of distances written out by hand, and itself on matched pairs."""
    encoding = users.imported(NAME)(8, slope=0.5)
    q, k = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    at = torch.tensor([0, 1, 5])
    away = torch.tensor([[0.0, 1, 5], [1, 0, 4], [5, 4, 0]])
    found = encoding.scores(q, k, at, at)
    plain = Alibi(8, [0.0]).scores(q, k, at, at)
    torch.testing.assert_close(found, plain - 0.5 * torch.log(1 + away))
    torch.testing.assert_close(encoding.pairwise(q, k, torch.tensor([0.0]))[:, 0], plain.diagonal())


SCORES = "        return self.head_dim**-0.5 * (q @ k.mT) - self.slope * away.log1p()\n"

ONE_COLUMN = SCORES.replace("return ", "return (").rstrip() + ")[..., :1]\n"


@pytest.mark.parametrize(
    ("old", "new", "options", "said"),
    [
        ("", "", ["method.slope=nan"], "method.slope=nan of mypackage.module:LogDistance is not finite"),
        ("", "", ["method.slope=abc"], "with method.slope=abc raises TypeError ("),
        (SCORES, "        return 1 / 0\n", [], "raises ZeroDivisionError (division by zero) at FILE, line 15; mend"),
        (SCORES, "        sys.exit(3)\n", [], "ends the process (exit 3) at FILE, line 15; mend that"),
        (SCORES, ONE_COLUMN, [], "4 keys in 2 heads have shape (1, 2, 3, 1), not (1, 2, 3, 4)"),
        (SCORES, SCORES.replace("log1p", "log"), ["method.slope=0"], "the score at distance 0 is NaN; mend scores"),
        (SCORES, "        return 1.0\n", [], "scores is a float; return a tensor"),
        ("import numpy as np", "import numpy as np; sys.exit(3)", [], "module mypackage.module ends the process"),
        ("import numpy as np", "import numpy as np; nothing", [], "raises NameError (name 'nothing' is not defined)"),
        ("self.head_dim, self.slope", "self.slope, self.slop", [], "has no attribute 'head_dim'"),
    ],
)  # fmt: skip
def test_a_class_that_cannot_score_is_refused_in_one_line(
    old: str, new: str, options: list[str], said: str, package: Path, monkeypatch, capsys
):
    file = package / "mypackage" / "module.py"
    file.write_text(
        EXAMPLE.replace("import numpy", "import sys\nimport numpy").replace(old, new), encoding="utf-8"
    )
    told, told_err = tapa(
        monkeypatch, capsys, "train", "cpu", *TINY, "corpus=mine", f"method={NAME}", *options, "--out", "run"
    )
    lines = [line for line in told_err.splitlines() if "no learning rate is tuned" not in line]
    assert told == ""
    assert len(lines) == 1, told_err
    assert said.replace("FILE", str(file)) in lines[0]
    assert NAME in lines[0] or "mypackage.module" in lines[0]
    assert not (package / "run" / "run.json").exists()


def test_a_process_that_may_import_nothing_refuses_the_checkpoint(package: Path, monkeypatch, capsys):
    """As a user meets it: another process, the module in reach and not imported."""
    tapa(monkeypatch, capsys, "train", "cpu", *TINY, "corpus=mine", f"method={NAME}", "--out", "run")
    (package / "mypackage" / "module.py").write_text("raise SystemExit('code was run')\n", encoding="utf-8")
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['tapa', 'evaluate', 'run']\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}from analysis.cli.main import main; main()"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "code was run" not in done.stderr
    assert "a checkpoint may not have code imported" in done.stderr
    assert len(done.stderr.splitlines()) == 1
