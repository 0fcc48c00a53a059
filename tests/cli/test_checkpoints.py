"""`tapa report`: the page of a model, measured once, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis import plotting
from analysis.progress import silent
from analysis.records import read, write
from analysis.schemas import DISTANCE_BIAS
from analysis.studies import distance_bias
from analysis.studies.settings import DistanceBiasSettings
from figures.report.page import unpacked
from tests import tiny_models
from tests.cli.test_main import given, place, printed, refused, saved, words  # noqa: F401 - fixtures

REPORT = ["report", "llama", "--text", "text.txt", "--windows", "3", "--length", "32", "--out", "page.html"]


def of_page(path: Path) -> dict:
    return unpacked(path.read_text(encoding="utf-8"))[0]


def test_one_command_makes_the_page_and_the_second_measures_nothing(place: Path, monkeypatch, capsys):  # noqa: F811
    out = printed(monkeypatch, capsys, *REPORT)
    assert "page: ./page.html; record: ./page.nc" in out
    meta = of_page(place / "page.html")
    assert (meta["model"], meta["layers"], meta["heads"]) == ("llama", 3, 4)
    assert read(place / "page.nc", expect_schema=DISTANCE_BIAS).sizes["distance"] == 32
    measured = []
    original = distance_bias.measure_model
    monkeypatch.setattr(
        distance_bias, "measure_model", lambda *a, **k: measured.append(a) or original(*a, **k)
    )
    found = json.loads(printed(monkeypatch, capsys, *REPORT, "--json"))
    assert measured == []
    assert found["bytes"] == (place / "page.html").stat().st_size
    (place / "other").mkdir()
    shutil.copy(place / "text.txt", place / "other" / "text.txt")
    os.utime(place / "other" / "text.txt", (2e9, 2e9))
    of_other = ["other/text.txt" if each == "text.txt" else each for each in REPORT]
    printed(monkeypatch, capsys, *of_other)
    assert measured == []  # the same text elsewhere, touched


def test_a_page_does_not_replace_the_record_of_another_measurement(place: Path, monkeypatch, capsys):  # noqa: F811
    """Of another seed, another text of the same name, or another model: the record beside the page stays."""
    printed(monkeypatch, capsys, *REPORT)
    kept = (place / "page.nc").read_bytes()
    (place / "other").mkdir()
    (place / "other" / "text.txt").write_text(words(500, seed=3))
    tiny_models.save(tiny_models.build("llama", seed=1), place / "twin", tokenizer=True)
    capsys.readouterr()
    for others in (
        [*REPORT, "--seed", "1"],
        ["other/text.txt" if each == "text.txt" else each for each in REPORT],
        ["twin" if each == "llama" else each for each in REPORT],
    ):
        with pytest.raises(SystemExit) as end:
            given(monkeypatch, *others)()
        refused(end.value, capsys, "page.nc is the record of another measurement")
        assert (place / "page.nc").read_bytes() == kept
    printed(monkeypatch, capsys, *REPORT, "--seed", "1", "--out", "other.html")  # the remedies
    (place / "page.nc").unlink()
    printed(monkeypatch, capsys, *REPORT, "--seed", "1")


@pytest.mark.parametrize(
    "option",
    [
        ("--windows", "8"), ("--length", "32"), ("--seed", "0"), ("--device", "cpu"), ("--precision", "float32"),
        ("--revision", "main"), ("--text", "a.nc"),
    ],
)  # fmt: skip
def test_a_page_of_a_record_takes_no_option_that_measures(option, records: Path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "report", "a.nc", *option)()
    refused(end.value, capsys, f"{option[0]}: of a measurement, and a.nc is a record; leave that out")
    assert not (records / "report.html").exists()


def test_a_record_of_the_users_text_is_not_one_of_the_pinned_texts(place: Path, monkeypatch, capsys):  # noqa: F811
    """However the option was written."""
    equals = [each for each in REPORT if each not in ("--text", "text.txt")]
    printed(monkeypatch, capsys, *equals, "--text=text.txt")
    settings = DistanceBiasSettings(3, 32, 0)
    found = [
        distance_bias.kept_record("llama", texts, settings, place / "page.nc", silent)
        for texts in ([Path("text.txt")], [])
    ]
    assert found[0] is not None
    assert found[1] is None


def test_a_record_becomes_a_page_without_the_model(records: Path, monkeypatch, capsys):
    out = printed(monkeypatch, capsys, "report", "a.nc", "--out", "mine.html")
    assert "page: ./mine.html; record: ./a.nc" in out
    assert of_page(records / "mine.html")["layers"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing", "--out", "page.html"), "nothing: no such file or folder"),
        (("none.nc",), "none.nc"),
        (("text.nc",), "text.nc"),
        (("llama", "--out", "mine.html"), "mine.html exists and is no page of ours"),
        (("llama", "--out", "page.pdf"), "page.pdf is no name of a page"),
        (("llama", "--windows", "1"), "--windows 1 gives no standard error"),
    ],
)
def test_refusals_are_one_line(arguments, said, place: Path, monkeypatch, capsys):  # noqa: F811
    (place / "mine.html").write_text("<html>mine</html>")
    (place / "text.nc").write_text("no record")
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "report", *arguments)()
    refused(end.value, capsys, said)
    assert (place / "mine.html").read_text() == "<html>mine</html>"


# Commands on records.


@pytest.fixture(scope="session")
def measured(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """Two records of the tiny model, of two seeds: `a.nc` and `b.nc`; never written to."""
    folder = tmp_path_factory.mktemp("records")
    (folder / "text.txt").write_text(words(500))
    for name, seed in (("a", 0), ("b", 1)):
        data, provenance = distance_bias.measure_model(
            str(saved),
            [folder / "text.txt"],
            DistanceBiasSettings(3, 32, seed),
            arguments=["tapa"],
            progress=silent,
        )
        write(data, folder / f"{name}.nc", provenance, schema=DISTANCE_BIAS)
    return folder


@pytest.fixture
def records(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with copies of both records."""
    for name in ("a.nc", "b.nc"):
        shutil.copyfile(measured / name, tmp_path / name)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_records_are_compared_drawn_and_exported(records: Path, monkeypatch, capsys):
    out = printed(monkeypatch, capsys, "compare", "a.nc", "b.nc", "--names", "zero,one")
    assert "of 12 heads differ" in out
    assert "page: ./compare.html" in out
    meta = of_page(records / "compare.html")
    assert meta["names"] == ["zero", "one"]
    found = json.loads(printed(monkeypatch, capsys, "compare", "a.nc", "b.nc", "--json"))
    assert found["heads"] == 12
    assert not found["paired"]  # other windows
    assert of_page(records / "compare.html")["names"] == ["a", "b"]
    assert "picture: ./heads.png" in printed(monkeypatch, capsys, "plot", "a.nc", "--head", "1.2")
    assert (records / "heads.png").read_bytes().startswith(b"\x89PNG")
    assert len(printed(monkeypatch, capsys, "export", "a.nc", "--to", "csv").splitlines()) == 13
    assert "latex: ./t.tex" in printed(
        monkeypatch, capsys, "export", "a.nc", "--to", "latex", "--out", "t.tex"
    )
    assert r"\begin{tabular}" in (records / "t.tex").read_text()
    assert "./queries.pt" in printed(monkeypatch, capsys, "export", "a.nc", "--to", "triattention")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "a.nc", "none.nc"), "none.nc"),
        (("compare", "a.nc", "b.nc", "--names", "one"), "--names one are not two names"),
        (("plot", "a.nc", "--head", "9.0"), "head 9.0 is not in the record"),
        (("plot", "a.nc", "--out", "a.gif"), "a.gif is no name of a picture"),
        (("plot", "a.nc", *["--head", "0.0"] * 7), "7 heads are more than a picture shows"),
        (("export", "a.nc", "--to", "xml"), "xml"),
        (("export", "a.nc", "--to", "csv", "--out", "folder"), "folder"),
        (("export", "a.nc", "--to", "csv", "--out", "a.nc"), "a.nc exists and is no such export"),
        (("export", "a.nc", "--to", "latex", "--out", "b.nc"), "b.nc exists and is no such export"),
        (("export", "a.nc", "--to", "triattention", "--out", "a.nc"), "a.nc exists and is no such export"),
    ],
)
def test_refusals_of_records_are_one_line(arguments, said, records: Path, monkeypatch, capsys):
    before = {path: path.read_bytes() for path in records.iterdir() if path.is_file()}
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, *arguments)()
    refused(end.value, capsys, said)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("form", ["csv", "latex", "triattention"])
def test_an_export_is_written_again_over_itself(form: str, records: Path, monkeypatch, capsys):
    for _ in range(2):
        printed(monkeypatch, capsys, "export", "a.nc", "--to", form, "--out", f"again.{form}")
    first = (records / f"again.{form}").read_bytes()
    assert first
    (records / f"again.{form}").write_bytes(b"mine")
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "export", "a.nc", "--to", form, "--out", f"again.{form}")()
    refused(end.value, capsys, "exists and is no such export")
    assert (records / f"again.{form}").read_bytes() == b"mine"


# Heads whose scores are all equal.


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of models in which one head, and all heads, have queries of zeros: `one.nc`, `all.nc`."""
    folder = tmp_path_factory.mktemp("dead")
    (folder / "text.txt").write_text(words(500))
    for name, heads in (("one", [(1, 0)]), ("all", [(i, j) for i in range(3) for j in range(4)])):
        model: Any = tiny_models.build("llama")
        with torch.no_grad():
            for layer, head in heads:
                model.model.layers[layer].self_attn.q_proj.weight[8 * head : 8 * head + 8] = 0
        place_ = str(tiny_models.save(model, folder / name, tokenizer=True))
        data, provenance = distance_bias.measure_model(
            place_, [folder / "text.txt"], DistanceBiasSettings(3, 64), arguments=["tapa"], progress=silent
        )
        write(data, folder / f"{name}.nc", provenance, schema=DISTANCE_BIAS)
    return folder


@pytest.mark.parametrize(
    ("name", "said", "title"),
    [
        ("one", "1 of 12 heads has no share: all their scores are equal", "median"),
        ("all", "12 of 12 heads have no share: all their scores are equal", "no head's scores vary"),
    ],
)
def test_heads_without_a_share_are_counted_and_nothing_warns(name, said, title, dead, monkeypatch, capsys):
    """Warnings are errors here."""
    monkeypatch.chdir(dead)
    record = read(dead / f"{name}.nc", expect_schema=DISTANCE_BIAS)
    assert distance_bias.undefined_heads(record) == said
    assert title in plotting.means_explain(record)
    printed(monkeypatch, capsys, "report", f"{name}.nc", "--out", f"{name}.html")
    assert f"{said}{'.' if name == 'one' else ', so that'}" in (dead / f"{name}.html").read_text("utf-8")
    for head in ([], ["--head", "1.0"]):
        printed(monkeypatch, capsys, "plot", f"{name}.nc", *head, "--out", f"{name}.png")
    out = printed(monkeypatch, capsys, "compare", "one.nc", f"{name}.nc", "--names", "A,B")
    assert f"1 of 12 heads of A and {said.split()[0]} of 12 heads of B have no share" in out


def test_measuring_says_how_many_heads_have_no_share(dead: Path, monkeypatch, capsys):
    monkeypatch.chdir(dead)
    given_ = ["measure", "one", "--text", "text.txt", "--windows", "3", "--length", "64", "--out", "again.nc"]
    said = "1 of 12 heads has no share: all their scores are equal"
    assert said in printed(monkeypatch, capsys, *given_)
    assert json.loads(printed(monkeypatch, capsys, *given_, "--json"))["undefined"] == said
