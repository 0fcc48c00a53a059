"""`tapa verify`: what it prints, and what its exit code says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.cli import main
from analysis.errors import InputError
from figures.catalogue import ROOT
from proofs import status
from proofs.verify import Result

KEYS = ["label", "where", "stated", "repaired", "evidence", "seconds"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command in this process, with a cache of its own: exit code, stdout, stderr."""
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tapa", "verify", *arguments])
        with pytest.raises(SystemExit) as left:
            main.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return command


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, whole_ledger: list[Result], tmp_path: Path) -> Path:
    """The results of this session instead of a second run; STATUS.md is a fresh copy, whose path is returned."""

    def results(labels: list[str] | None, workers: int | None, **_: object) -> list[Result]:
        return [result for result in whole_ledger if labels is None or result.label in labels]

    path = tmp_path / "STATUS.md"
    path.write_text(status.status_markdown(whole_ledger), encoding="utf-8")
    monkeypatch.setattr("proofs.verify.verify", results)
    monkeypatch.setattr(status, "PATH", path)
    return path


def test_json_has_exactly_these_keys(run: Run, known: Path) -> None:
    code, out, _ = run("thm-2.2", "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert list(row) == KEYS
    assert (row["label"], row["where"]) == ("thm-2.2", "Sec. 2.2, Theorem 2.2")
    assert (row["stated"], row["repaired"]) == ("refuted", "certified")
    assert "128 bit ball, radius" in row["evidence"]
    assert row["seconds"] > 0


def test_the_whole_ledger_is_a_table_of_one_row_a_claim(
    run: Run, known: Path, whole_ledger: list[Result]
) -> None:
    code, out, err = run("--json")
    assert (code, err) == (0, "")
    assert [row["label"] for row in json.loads(out)] == [result.label for result in whole_ledger]


def test_the_installed_command_really_checks() -> None:
    tapa = Path(sys.executable).with_name("tapa")
    done = subprocess.run(
        [tapa, "verify", "eq-4", "thm-2.3.rate", "--json", "--workers", "0"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), (
        done.stderr
    )  # 1 where STATUS.md is stale: tests/test_status.py judges that
    rows = json.loads(done.stdout)
    assert sorted((row["label"], row["stated"], row["repaired"]) for row in rows) == [
        ("eq-4", "proved", None),
        ("thm-2.3.rate", "proved", None),
    ]


def test_the_table_names_both_verdicts(run: Run, known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run("eq-18")
    assert code == 0
    head, row = (line for line in out.splitlines() if line.strip())
    assert head.split() == ["label", "where", "as", "stated", "as", "repaired", "evidence", "seconds"]
    assert row.split()[:7] == ["eq-18", "App.", "A,", "eq", "18", "refuted", "proved"]


@pytest.mark.parametrize("given", [("thm-9.9",), ("thm-9.9", "--json"), ("--explain", "thm-9.9")])
def test_an_unknown_label_is_one_line_and_exit_code_2(run: Run, given: tuple[str, ...]) -> None:
    code, out, err = run(*given, "--workers", "0")
    assert (code, out) == (2, "")
    assert err.strip().splitlines() == [err.strip()]
    assert err == "tapa: no claim is called thm-9.9; did you mean thm-3.3, thm-3.2 or thm-2.3?\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--explain", "thm-2.2", "eq-4"), "eq-4: --explain thm-2.2 is about one claim; leave that out"),
        (("--paper", "all", "--explain", "thm-2.2", "eq-4"), "eq-4: --explain thm-2.2 is about one claim"),
        (("--explain", "thm-2.2", "--format", "latex"), "--format latex is of a table"),
        (("--paper", "all", "--fresh"), "--fresh is for --explain LABEL"),
        (("--workers", "100000000"), "--workers 100000000 is above 1024; give less"),
    ],
)
def test_what_would_be_left_aside_is_refused(run: Run, given: tuple[str, ...], said: str) -> None:
    code, out, err = run(*given)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert said in err


def test_one_claim_in_full_as_json_and_no_repair_is_a_dash(run: Run) -> None:
    for _ in range(2):  # computed, and then as it was kept
        code, out, _ = run("--explain", "eq-4", "--json")
        found = json.loads(out)
        assert (code, found["label"], found["stated"]["verdict"], found["repaired"]) == (
            0,
            "eq-4",
            "proved",
            None,
        )
    _, out, _ = run("eq-4", "--workers", "0")
    assert "proved" in out
    assert "None" not in out


def test_explain_says_everything_about_one_claim(run: Run, known: Path) -> None:
    code, out, _ = run("--explain", "thm-2.2")
    assert code == 0
    for piece in (
        "thm-2.2 (theorem, Sec. 2.2, Theorem 2.2)",
        "As stated: refuted",
        "As repaired: certified",
        r"assumes: $\mu_0 \ne 0$",
        "uses: thm-2.2.limit",
        "argument: ",
        "proof: `thm-2.2.riemann`",
        "refuted: all (Lambda - lambda) theta_d are integers, so Delta = 0",
        "refuted: D after Lambda; mu_0 = 0, any nu_0",
        "attack: the smallest base worth trying",
        "code: proofs/paper/theorem_2_2.py:",
        "in practice: base = 10000, head_dim = 64",
    ):
        assert piece in out


def test_explain_computes_once_until_asked_again(
    run: Run, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("--explain", "eq-18")

    def refuse(*_: object, **__: object) -> list[Result]:
        raise InputError("computed again")

    monkeypatch.setattr("proofs.verify.verify", refuse)
    assert run("--explain", "eq-18") == first == (0, first[1], "")
    for arguments in (("--explain", "eq-18", "--fresh"), ("--explain", "eq-19"), ("eq-18",)):
        assert run(*arguments) == (2, "", "tapa: computed again\n")
    known.write_text("", encoding="utf-8")  # what was kept is held against STATUS.md all the same
    assert run("--explain", "eq-18") == (1, first[1], "tapa: eq-18: not in STATUS.md\n")


def test_a_cache_that_cannot_be_written_costs_one_line(run: Run, known: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be", encoding="utf-8")
    code, out, err = run("--explain", "eq-18")
    assert (code, out.splitlines()[0]) == (0, "eq-18 (equation, App. A, eq 18)")
    assert err.startswith("tapa: not kept for --explain: ")
    assert err.endswith("; TAPA_CACHE may name one that can be written\n")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("(#eq-18) | equation | refuted |", "(#eq-18) | equation | proved |", "eq-18: as stated 'refuted'"),
        ("| [`eq-4`](", "| [`eq-400`](", "eq-4: not in STATUS.md"),
        ("| [`eq-4`](", "| [`eq-400`](", "eq-400: in STATUS.md, not in the ledger"),
    ],
)
def test_a_verdict_that_differs_from_status_md_is_exit_code_1(
    run: Run, known: Path, old: str, new: str, line: str
) -> None:
    text = known.read_text(encoding="utf-8")
    assert text.count(old) == 1
    known.write_text(text.replace(old, new), encoding="utf-8")
    code, out, err = run("--json")
    assert code == 1
    assert json.loads(out)  # the verdicts are printed all the same
    assert any(found.startswith(f"tapa: {line}") for found in err.splitlines())


def test_a_missing_status_md_is_exit_code_1_and_write_makes_it(run: Run, known: Path) -> None:
    before = known.read_text(encoding="utf-8")
    known.unlink()
    code, _, err = run("eq-4")
    assert code == 1
    assert "does not exist; write it from the whole ledger" in err
    assert run("--write")[0] == 0
    assert known.read_text(encoding="utf-8") == before
    assert run()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("eq-4", "--write"), "--write needs the whole ledger; give it without labels"),
        (("--explain", "eq-4", "--write"), "--write needs the whole ledger; give it without labels"),
        (("--fresh",), "--fresh is for --explain LABEL; without it every claim is computed anew"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    assert run(*arguments) == (2, "", f"tapa: {message}\n")
