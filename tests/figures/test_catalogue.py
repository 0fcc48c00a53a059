"""The catalogue: every record and every figure once, with what it needs, bears on and lies in."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from analysis import records
from analysis.errors import InputError
from figures import build, catalogue
from figures.catalogue import CATALOGUE, FIGURES, ROOT
from proofs.ledger import load


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_draws_records_of_the_catalogue_and_bears_on_claims_of_the_ledger(name: str):
    figure = FIGURES[name]
    assert {record for needs in figure.pictures.values() for record in needs.values()} <= set(CATALOGUE)
    assert figure.claims
    assert set(figure.claims) <= set(load().claims)
    module, _, function = figure.drawn_by.partition(":")
    drawn_by = importlib.import_module(module)
    assert callable(getattr(drawn_by, function))


def test_every_figure_module_has_its_row():
    modules = {figure.drawn_by.partition(":")[0] for figure in FIGURES.values()}
    assert modules == {f"figures.{path.stem}" for path in (ROOT / "figures").glob("fig_*.py")}
    assert len({figure.number for figure in FIGURES.values()}) == len(FIGURES)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_record_is_made_by_a_study_or_committed(name: str):
    row = CATALOGUE[name]
    assert set(row.needs) <= set(CATALOGUE)
    if row.study is None:
        assert row.folder != catalogue.RECORDS
        assert row.path.is_file()
    else:
        assert callable(build.resolve(row.study))
    for files in row.inputs.values():
        assert all(path.is_file() for path in (files.values() if isinstance(files, dict) else [files]))


def test_no_two_steps_write_one_file():
    paths = [path for row in CATALOGUE.values() for path in (row.path, *row.table_files)]
    assert len(set(paths)) == len(paths)
    stems = [stem for figure in FIGURES.values() for stem in figure.pictures]
    assert len(set(stems)) == len(stems)


def test_each_tapa_checkpoint_has_its_own_pictures():
    names = list(catalogue.tapa_checkpoints())
    assert {"tapa", "tapa_linear"} <= set(names)
    assert "rope" not in names
    found = FIGURES["phase_heads"].pictures
    assert list(found) == [f"phase_heads-{name}" for name in names]
    assert found["phase_heads-tapa_linear"] == {
        "phase": "phase-tapa_linear", "phase_short": "phase_short-tapa_linear"
    }  # fmt: skip
    assert FIGURES["precision"].pictures == {"precision": {"precision": "precision"}}


def test_checkpoints_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path)
    for name in ("tapa", "tapa_linear", "rope"):
        (tmp_path / f"{name}.safetensors").touch()
    assert list(catalogue.checkpoints()) == ["rope", "tapa", "tapa_linear"]
    assert list(catalogue.checkpoints("tapa_plain", "tapa", "rope")) == ["tapa", "rope"]


def test_an_unknown_record_is_named():
    with pytest.raises(InputError, match="record 'nosuch' is unknown; known: claims, closed_form"):
        catalogue.read_arrays("nosuch")


def test_a_record_of_another_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = records.Provenance.collect(
        ["tapa"], {}, seeds={}, device="cpu", precision="", threads=1, seconds=0.0
    )
    family = build.resolve(CATALOGUE["family"].study or "")(**CATALOGUE["family"].settings)
    records.write(family, tmp_path / "x.nc", made, schema=CATALOGUE["family"].schema)
    monkeypatch.setattr(catalogue, "path_of", lambda name: tmp_path / "x.nc")
    with pytest.raises(InputError, match=r"has schema rope-family/1, distance-bias/2 is read here; make it"):
        catalogue.read_arrays("smollm2")


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("rivals", "encodings_compared"), ("phase-tapa", "phase_heads"), ("smollm2", "overview")],
)
def test_a_record_that_is_not_made_yet_names_the_figure_that_makes_it(
    name: str, drawn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(catalogue, "path_of", lambda name: tmp_path / "x.nc")
    with pytest.raises(InputError, match=rf"there is no .*x\.nc; make it with `tapa figures {drawn}`$"):
        catalogue.read_arrays(name)


DRAWING = """
import json, sys
from figures.build import perform_step
perform_step(("picture", "extrapolation_bias"))
ours = [name for name in sys.modules if name.split(".")[0] in ("analysis", "figures", "proofs")]
print(json.dumps([ours, "torch" in sys.modules, "sympy" in sys.modules]))
"""


@pytest.mark.full  # a process
def test_drawing_a_picture_imports_few_modules_and_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", DRAWING], cwd=ROOT, capture_output=True, text=True, check=True
    )
    ours, torch, sympy = json.loads(done.stdout)
    assert not torch
    assert not sympy
    assert set(ours) == {
        "figures", "figures.build", "figures.catalogue", "figures.style", "figures.fig_27_extrapolation_bias",
        "analysis", "analysis.errors", "analysis.files", "analysis.inputs", "analysis.lazy", "analysis.plotting",
        "analysis.processes", "analysis.progress", "analysis.records", "analysis.schemas", "analysis.settings",
    }  # fmt: skip


# Records describe themselves.

ARRAYS = [name for name, row in CATALOGUE.items() if row.digits is None]


@pytest.mark.parametrize("name", ARRAYS)
def test_every_variable_of_a_record_has_units_and_a_long_name(name: str):
    """Of what is there: committed records, and those that a step has made here; `write` refuses any other."""
    row = CATALOGUE[name]
    assert row.schema.variables
    assert all(units and words for units, words in row.schema.variables.values())
    if row.study is None or row.path.is_file():
        data = catalogue.read_arrays(name)
        for variable in data.variables.values():
            assert variable.attrs["units"]
            assert variable.attrs["long_name"]


def test_a_record_with_a_variable_that_nobody_describes_is_refused(tmp_path: Path):
    made = records.Provenance.collect(
        ["tapa"], {}, seeds={}, device="cpu", precision="", threads=1, seconds=0.0
    )
    family = CATALOGUE["family"]
    data = build.resolve(family.study or "")(**family.settings)
    records.write(data, tmp_path / "x.nc", made, schema=family.schema)
    read = records.read(tmp_path / "x.nc", expect_schema=family.schema)
    assert read.distance.attrs["units"] == "token"
    with pytest.raises(
        ValueError, match=r"variables \['bare'\] of a rope-family/1 have no units and long_name"
    ):
        records.write(data.assign(bare=1.0), tmp_path / "x.nc", made, schema=family.schema)
    own = data.assign(bare=((), 1.0, {"units": "s", "long_name": "time"}))
    records.write(own, tmp_path / "x.nc", made, schema=family.schema)


def test_a_file_without_units_has_them_when_it_is_read():
    """The committed dynamics were written before records described themselves."""
    path, schema = catalogue.path_of("phase_dynamics"), CATALOGUE["phase_dynamics"].schema
    bare = xr.load_dataset(path, engine="h5netcdf", decode_times=False)
    assert bare.phase_sd.attrs == {}
    assert records.read(path, expect_schema=schema).phase_sd.attrs["units"] == "turn"
