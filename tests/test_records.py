"""Records: what is written is read back, says where it came from, and is there whole or not at all."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.records import (
    Provenance,
    Schema,
    _commit,
    ensure_writable,
    plain_value,
    provenance_of,
    read,
    read_summary,
    write,
    write_summary,
)
from analysis.schemas import CLOSED_FORM, open_record

SCHEMA = Schema("curves", 2, "tapa curve --out FILE")
AGAIN = "make it again with `tapa curve --out FILE`"


def provenance(**changes: object) -> Provenance:
    options: dict = {
        "seeds": {"windows": 3},
        "device": "cpu",
        "precision": "float32",
        "threads": 2,
        "seconds": 1.5,
    }
    return Provenance.collect(["tapa", "curve"], {"base": 1e4}, **options | changes)


ORIGIN = provenance()


def dataset() -> xr.Dataset:
    rng = np.random.default_rng(0)
    curves = rng.standard_normal((3, 2, 50)).astype(np.float32)
    curves[0, 0, 0], curves[0, 0, 1], curves[0, 0, 2] = np.nan, np.inf, np.float32(1e-45)
    return xr.Dataset(
        {
            "score": (("layer", "head", "distance"), curves, {"units": "s", "long_name": "mean score"}),
            "count": (("distance",), np.arange(50)),
            "scale": ((), 0.125),
            "rotated": (("layer",), np.array([True, False, True])),
            "none": (("nothing",), np.empty(0)),
        },
        coords={"layer": [0, 4, 7], "head": ["a", "bb"], "distance": np.arange(50.0)},
        attrs={"model": "tiny"},
    )


def test_a_record_comes_back(tmp_path: Path):
    path, origin = tmp_path / "new" / "folder" / "x.nc", provenance(model_sha256="ab" * 32)
    write(dataset(), path, origin, schema=SCHEMA)
    found = read(path, expect_schema=SCHEMA)
    assert provenance_of(found) == origin
    assert found.attrs["model"] == "tiny"
    for name, variable in dataset().variables.items():
        # bit for bit, NaN and subnormals too; the dtype may gain width only for text
        assert variable.dtype.kind == found[name].dtype.kind == "U" or variable.dtype == found[name].dtype
        np.testing.assert_array_equal(found[name].values, variable.values, strict=True)
        assert found[name].attrs == variable.attrs
    assert [file.name for file in path.parent.iterdir()] == ["x.nc"]


@given(st.lists(st.floats(allow_nan=True, width=64), min_size=1, max_size=20))
@settings(max_examples=25)
def test_any_float_survives(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "any.nc"
    write(xr.Dataset({"x": ("i", values)}), path, ORIGIN, schema=SCHEMA)
    np.testing.assert_array_equal(read(path, expect_schema=SCHEMA)["x"].values, np.array(values), strict=True)


def test_a_record_can_be_written_again_as_it_was_read(tmp_path: Path):
    first, second = tmp_path / "1.nc", tmp_path / "2.nc"
    write(dataset(), first, provenance(), schema=SCHEMA)
    again = read(first, expect_schema=SCHEMA)
    origin = provenance_of(again)
    again.attrs = {"model": "tiny"}
    write(again, second, origin, schema=SCHEMA)
    assert first.read_bytes() == second.read_bytes()


def test_numbers_are_compressed(tmp_path: Path):
    write(xr.Dataset({"x": ("i", np.zeros(10**6))}), tmp_path / "x.nc", provenance(), schema=SCHEMA)
    assert (tmp_path / "x.nc").stat().st_size < 80_000  # a hundredth of the 8 MB


def test_an_attribute_of_the_provenance_is_not_overwritten(tmp_path: Path):
    with pytest.raises(
        ValueError, match=r"^attributes \['device', 'schema'\] of the dataset are written from"
    ):
        write(xr.Dataset(attrs={"device": 1, "schema": 2}), tmp_path / "x.nc", provenance(), schema=SCHEMA)
    assert list(tmp_path.iterdir()) == []


def refused(path: Path, message: str, reader=read) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$") as raised:
        reader(path, expect_schema=SCHEMA)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("reader", [read, read_summary])
def test_a_record_that_is_not_there(tmp_path: Path, reader):
    """`pytest.raises(` is in `refused`; this test raises( on purpose."""
    path = tmp_path / "x"
    refused(path, f"there is no {path}; make it with `tapa curve --out FILE`", reader)
    refused(tmp_path, f"{tmp_path} cannot be read: Is a directory; {AGAIN}", reader)


def test_a_damaged_record(tmp_path: Path):
    """Cut anywhere, it is refused and never read in part; raises( in `refused`."""
    path = tmp_path / "x.nc"
    write(dataset(), path, provenance(), schema=SCHEMA)
    whole = path.read_bytes()
    for size in (8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(
            InputError, match=rf"^record {re.escape(str(path))} is damaged \(.+\); make it again"
        ):
            read(path, expect_schema=SCHEMA)
    for size in (0, 5):
        path.write_bytes(whole[:size])
        refused(path, f"record {path} is not netCDF-4 (it is empty or truncated); {AGAIN}")
    path.write_bytes(b"layer,head,score\n")
    refused(path, f"record {path} is not netCDF-4 (it starts with b'layer,he'); {AGAIN}")


def test_a_flipped_bit_in_the_numbers_is_noticed(tmp_path: Path):
    path = tmp_path / "x.nc"
    numbers = np.random.default_rng(1).standard_normal(20_000)
    write(xr.Dataset({"x": ("i", numbers)}), path, provenance(), schema=SCHEMA)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=r"is damaged \(.*(filter|fletcher|checksum|read data).*\); make it again"
    ):
        read(path, expect_schema=SCHEMA)


def test_a_record_of_another_kind(tmp_path: Path):
    path = tmp_path / "x.nc"
    write(dataset(), path, provenance(), schema=replace(SCHEMA, version=1))
    refused(path, f"{path} has schema curves/1, curves/2 is read here; {AGAIN}")
    xr.Dataset().to_netcdf(path, engine="h5netcdf")
    refused(path, f"{path} names no schema, curves/2 is read here; {AGAIN}")
    path.unlink()
    write_summary({}, path, provenance(), schema=replace(SCHEMA, name="heads"))
    refused(path, f"{path} has schema heads/2, curves/2 is read here; {AGAIN}", read_summary)


def test_a_summary_is_text_that_can_be_compared(tmp_path: Path):
    path, origin = tmp_path / "x.json", provenance()
    content = {"b": np.float64(1 / 3), "a": [np.int64(2), None, True, "word", 1e-300], "c": {"d": 1.0}}
    write_summary(content, path, origin, schema=SCHEMA, digits=4)
    assert read_summary(path, expect_schema=SCHEMA) == {
        "a": [2, None, True, "word", 1e-300],
        "b": 0.3333,
        "c": {"d": 1.0},
    }
    text = path.read_text()
    write_summary(dict(reversed(content.items())), path, origin, schema=SCHEMA, digits=4)
    assert path.read_text() == text
    assert text.endswith("}\n")
    assert Provenance.from_attributes(json.loads(text)["provenance"]) == origin
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


@given(st.floats(-1e307, 1e307), st.integers(1, 17))
@settings(max_examples=50)
def test_rounding_is_to_significant_digits(tmp_path_factory, value, digits):
    path = tmp_path_factory.getbasetemp() / "round.json"
    write_summary({"x": value}, path, ORIGIN, schema=SCHEMA, digits=digits)
    found = read_summary(path, expect_schema=SCHEMA)["x"]
    # half a unit of the last digit kept; beside it the rounding of a decimal to a float
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1) if abs(value) > 1e-290 else 0.0
    assert abs(found - value) <= 0.5 * step * (1 + 1e-9) + 2.0**-53 * abs(value) + 1e-290
    assert float(np.format_float_scientific(found, precision=digits - 1)) == found


def test_rounding_does_not_leave_the_floats(tmp_path: Path):
    write_summary({"x": -1.7e308}, tmp_path / "x", ORIGIN, schema=SCHEMA, digits=1)
    assert read_summary(tmp_path / "x", expect_schema=SCHEMA) == {"x": -1.7e308}


def test_what_a_summary_cannot_hold(tmp_path: Path):
    path = tmp_path / "x.json"
    with pytest.raises(ValueError, match=r"^nan has no place in JSON; write None or a text$"):
        write_summary({"a": [float("nan")]}, path, provenance(), schema=SCHEMA)
    with pytest.raises(TypeError, match=r"^b'x' of type bytes cannot be recorded$"):
        write_summary({"a": b"x"}, path, provenance(), schema=SCHEMA)
    with pytest.raises(ValueError, match=r"^digits=0 is not between 1 and 17$"):
        write_summary({}, path, provenance(), schema=SCHEMA, digits=0)
    assert not path.exists()


def test_a_truncated_summary(tmp_path: Path):
    """Every cut is refused; raises( in `refused`."""
    path = tmp_path / "x.json"
    write_summary({"a": "é"}, path, provenance(), schema=SCHEMA)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 2, 7):  # without its last newline it is still whole
        path.write_bytes(whole[:size])
        refused(path, f"summary {path} is truncated or damaged; {AGAIN}", read_summary)


# where it cannot be written


def test_an_output_path_is_tried_first(tmp_path: Path):
    path = tmp_path / "new" / "x.nc"
    ensure_writable(path, SCHEMA)
    assert list(path.parent.iterdir()) == []
    write(dataset(), path, provenance(), schema=SCHEMA)
    before = path.read_bytes()
    ensure_writable(path, SCHEMA)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["x.nc"]


OTHERS = {
    "a text": b"mine",
    "JSON": b"{}",
    "a summary without a schema": b'{\n "content": {"mine": 1},\n "provenance": {}\n}\n',
    "a list that begins like a summary": b'{\n "content": 1}',
    "the beginning of HDF5": b"\x89HDF",
    "HDF5 cut short": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "too deep to read": b'{\n "content":' + b"[" * 100_000,
}


def attempts(path: Path) -> list:
    """Every door through which a file may be replaced; raises( in each."""
    return [
        lambda: ensure_writable(path, SCHEMA),
        lambda: write(dataset(), path, provenance(), schema=SCHEMA),
        lambda: write_summary({"n": 1}, path, provenance(), schema=SCHEMA),
    ]


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_what_no_record_has_written_is_not_replaced(tmp_path: Path, data: bytes):
    path = tmp_path / "x"
    path.write_bytes(data)
    for attempt in attempts(path):
        with pytest.raises(InputError, match="x exists and is no record; give another output path or"):
            attempt()
        assert path.read_bytes() == data
    path.write_bytes(b"")  # an empty file is no loss
    for attempt in attempts(path):
        attempt()


def test_an_hdf5_file_of_somebody_else_is_not_replaced(tmp_path: Path):
    """Its signature is that of a record: only the schema tells them apart; raises( at each door."""
    path = tmp_path / "precious.h5"
    with h5py.File(path, "w") as file:
        file["measured"] = np.arange(5)
    before = path.read_bytes()
    for attempt in attempts(path):
        with pytest.raises(InputError, match=r"precious\.h5 exists and is no record; give another output"):
            attempt()
        assert path.read_bytes() == before


def test_only_a_record_of_the_same_kind_is_replaced(tmp_path: Path):
    """Of whatever version: hours of another measurement are not; raises( with its kind."""
    for other, name in ((Schema("others", 1, "x"), "others/1"), (replace(SCHEMA, version=1), None)):
        for put in (write, write_summary):
            path = tmp_path / f"{other.label.replace('/', '-')}-{put.__name__}"
            put({"n": 1} if put is write_summary else dataset(), path, provenance(), schema=other)
            for attempt in attempts(path):
                if name is None:
                    attempt()
                else:
                    with pytest.raises(
                        InputError, match=f"exists and is a record of another kind, {name}; g"
                    ):
                        attempt()


def test_a_pipe_is_not_replaced(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for attempt in attempts(tmp_path / "pipe"):
        with pytest.raises(
            InputError, match=r"pipe is a device or a pipe; give the name of a file to write$"
        ):
            attempt()
    assert (tmp_path / "pipe").is_fifo()
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_an_output_path_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=rf"^{re.escape(str(tmp_path))} is a folder; give the name of a file"
    ):
        ensure_writable(tmp_path, SCHEMA)
    under = tmp_path / "file" / "x.nc"
    long = tmp_path / ("x" * 300)
    for path, reason in ((under, "Not a directory"), (long, "File name too long")):
        message = f"^{re.escape(f'{path} cannot be written: {reason}; give another output path')}$"
        with pytest.raises(InputError, match=message):
            ensure_writable(path, SCHEMA)
        with pytest.raises(InputError, match=message):
            write(dataset(), path, provenance(), schema=SCHEMA)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


# interruption, in a real process

WRITER = """
import os, signal, sys
from pathlib import Path
import numpy as np, xarray as xr
from analysis import records
path, how = Path(sys.argv[1]), sys.argv[2]
origin = records.Provenance.collect(["x"], {}, seeds={}, device="cpu", precision="x", threads=1, seconds=0.0)
schema = records.Schema("curves", 2, "tapa curve --out FILE")
real = os.fsync
def interrupted(descriptor):  # the data is written, its name is not there yet
    os.kill(os.getpid(), getattr(signal, how))
    real(descriptor)
os.fsync = interrupted
records.write(xr.Dataset({"x": ("i", np.arange(5.0))}), path, origin, schema=schema)
"""


@pytest.mark.parametrize(("how", "left"), [("SIGINT", 0), ("SIGKILL", 1)])
def test_a_stopped_write_leaves_the_old_record(tmp_path: Path, how: str, left: int):
    path = tmp_path / "x.nc"
    write(dataset(), path, provenance(), schema=SCHEMA)
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", WRITER, str(path), how], stderr=subprocess.DEVNULL)
    assert done.returncode in (-signal.Signals[how], 128 + signal.Signals[how])
    assert path.read_bytes() == before
    parts = [file for file in tmp_path.iterdir() if file != path]
    assert len(parts) == left
    assert all(part.name.endswith(".part") for part in parts)


HAMMER = """
import sys
from pathlib import Path
import numpy as np, xarray as xr
from analysis import records
path = Path(sys.argv[1])
origin = records.Provenance.collect(["x"], {}, seeds={}, device="cpu", precision="x", threads=1, seconds=0.0)
schema = records.Schema("curves", 2, "tapa curve --out FILE")
print("ready", flush=True)
n = 0
while True:
    n += 1
    records.write(xr.Dataset({"x": ("i", np.full(200_000, n))}), path, origin, schema=schema)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_at_any_moment_a_record_is_whole(tmp_path: Path, how: signal.Signals):
    path = tmp_path / "x.nc"
    process = subprocess.Popen(
        [sys.executable, "-c", HAMMER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while not path.exists() and process.poll() is None:
            time.sleep(0.005)
        for _ in range(20):  # a reader beside the writer sees whole records only
            assert len(np.unique(read(path, expect_schema=SCHEMA)["x"])) == 1
        while process.poll() is None:  # Python drops an interrupt that meets it in a destructor
            process.send_signal(how)
            time.sleep(0.2)
    assert process.returncode in (-how, 128 + how)
    assert len(np.unique(read(path, expect_schema=SCHEMA)["x"])) == 1
    if how == signal.SIGINT:
        assert [file.name for file in tmp_path.iterdir()] == ["x.nc"]


# provenance


def test_provenance_says_what_ran():
    found = provenance(text_sha256="0" * 64)
    assert found.versions.keys() == {"python", "numpy", "torch", "transformers", "tapa-toolkit"}
    assert found.versions["numpy"] == np.__version__
    assert found.command == "tapa curve"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found.time)
    assert Provenance.from_attributes(found.to_attributes()) == found
    assert "model_sha256" not in found.to_attributes()
    assert all(isinstance(value, str | int | float) for value in found.to_attributes().values())


def test_no_place_on_a_machine_is_recorded():
    home = "/" + "home/bob"
    found = Provenance.collect(
        [
            f"{home}/bin/tapa",
            "measure",
            "../models/m.gguf",
            f"--text={home}/a.txt",
            "--out",
            f"{home}/x/r.nc",
        ],
        {
            "model": Path(home) / "m.gguf",
            "text": [f"{home}/a.txt", "~/b.txt", "C:" + "\\Users\\bob\\c.txt", "./d.txt"],
            "unit": "rad/token",
        },
        seeds={},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=0.1234567,
    )
    assert found.command == "tapa measure m.gguf --text=a.txt --out r.nc"
    assert found.configuration == {
        "model": "m.gguf",
        "text": ["a.txt", "b.txt", "c.txt", "d.txt"],
        "unit": "rad/token",
    }
    assert found.seconds == 0.123
    assert "bob" not in str(found.to_attributes())


def test_a_name_that_is_no_text_can_still_be_recorded(tmp_path: Path):
    name = os.fsdecode(b"caf\xe9")  # as a file system may have it and UTF-8 has not
    found = Provenance.collect(
        ["tapa", name],
        {"a": name, "b": Path(name)},
        seeds={},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=0.0,
    )
    assert (found.command, found.configuration) == ("tapa caf?", {"a": "caf?", "b": "caf?"})
    write(dataset(), tmp_path / "r.nc", found, schema=SCHEMA)
    assert provenance_of(read(tmp_path / "r.nc", expect_schema=SCHEMA)) == found


def test_the_configuration_hash_knows_values_not_order_or_type_of_number():
    def collected(configuration: dict) -> str:
        return Provenance.collect(
            [], configuration, seeds={}, device="", precision="", threads=1, seconds=0.0
        ).configuration_sha256

    assert collected({"a": 1, "b": (1, 2)}) == collected({"b": [np.int64(1), 2], "a": 1})
    assert collected({"a": 1}) != collected({"a": 2})
    assert collected({"a": np.float32(0.5)}) == collected({"a": 0.5})


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab é\n"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text("xyz"), JSON_VALUES))
@settings(max_examples=30)
def test_any_configuration_comes_back(configuration):
    assert plain_value(configuration) == configuration
    changed = Provenance.collect(
        [], configuration, seeds={"s": 2**63}, device="", precision="", threads=1, seconds=0.0
    )
    assert Provenance.from_attributes(changed.to_attributes()) == changed
    assert (changed.configuration_sha256 == ORIGIN.configuration_sha256) is (configuration == {"base": 1e4})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 0}, "threads=0 must be >= 1, seconds=1.5 finite and >= 0"),
        ({"seconds": float("nan")}, "threads=2 must be >= 1, seconds=nan finite and >= 0"),
        ({"model_sha256": "AB" * 32}, f"model_sha256='{'AB' * 32}' is not 64 lower-case hex digits"),
        ({"text_sha256": "ab"}, "text_sha256='ab' is not 64 lower-case hex digits"),
        ({"time": "2026-11-21T02:00:00+01:00"}, "time=2026-11-21T02:00:00+01:00 is not in UTC"),
        ({"time": "2026-11-21T02:00:00"}, "time=2026-11-21T02:00:00 is not in UTC"),
        ({"configuration": {"base": 2}}, "configuration_sha256="),
    ],
)
def test_provenance_checks_itself(changes: dict, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        replace(provenance(), **changes)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_the_checkout(tmp_path: Path):
    assert _commit(tmp_path) is None  # an installed package
    git(tmp_path, "init", "--quiet")
    assert _commit(tmp_path) is None  # nothing committed yet
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert _commit(tmp_path) == head
    (tmp_path / "new").write_text("untracked files change nothing that ran")
    assert _commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert _commit(tmp_path) == f"{head}-dirty"


def test_no_git_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git(tmp_path, "init", "--quiet")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert _commit(tmp_path) is None


def test_an_estimate_is_kept_to_a_fraction_of_its_standard_error(tmp_path: Path):
    """Noise below the error goes, and space with it; an exact number, one without an error and a hole stay."""
    rng = np.random.default_rng(0)
    size = 20_000
    error = rng.uniform(0.01, 1, size).astype(np.float32)
    error[:2] = 0, np.nan
    values = rng.normal(0, 100, size)
    values[2] = np.nan
    plain = xr.Dataset({"x": ("n", values), "other": ("n", values)})
    write(plain, tmp_path / "plain.nc", provenance(), schema=SCHEMA)
    write(plain.assign(x_se=("n", error)), tmp_path / "short.nc", provenance(), schema=SCHEMA)
    found = read(tmp_path / "short.nc", expect_schema=SCHEMA)
    np.testing.assert_array_equal(found.other, values)
    np.testing.assert_array_equal(found.x[:3], values[:3].astype(found.x.dtype))
    np.testing.assert_array_equal(np.isnan(found.x_se), np.isnan(error))
    assert (abs(found.x - values)[3:] <= error[3:] / 512 + 1e-7 * abs(values[3:])).all()
    assert (abs(found.x_se - error)[3:] <= error[3:] / 512).all()
    # even with the error beside it
    assert (tmp_path / "short.nc").stat().st_size < (tmp_path / "plain.nc").stat().st_size
    exact = plain.assign(x_se=("n", np.full(size, 1e-12)))
    write(exact, tmp_path / "exact.nc", provenance(), schema=SCHEMA)
    np.testing.assert_allclose(
        read(tmp_path / "exact.nc", expect_schema=SCHEMA).x[3:], values[3:], rtol=0, atol=1e-12 / 512 + 2e-14
    )


# A record of any kind.


def test_a_record_of_any_known_kind_is_opened(tmp_path: Path):
    data = xr.Dataset({"cos_sum": ("distance", [0.5, 0.4]), "base": 1e4}, coords={"distance": [1, 2]})
    write(data, tmp_path / "x.nc", ORIGIN, schema=CLOSED_FORM)
    for path in (tmp_path / "x.nc", str(tmp_path / "x.nc")):
        found = open_record(path)
        assert found.distance.attrs["units"] == "token"
        assert found.cos_sum.values.tolist() == [0.5, 0.4]


def test_a_record_of_no_known_kind_is_refused(tmp_path: Path):
    write(dataset(), tmp_path / "x.nc", ORIGIN, schema=SCHEMA)
    with pytest.raises(
        InputError, match=r"x\.nc is a curves/2, which this version does not know; it knows .*claims/1"
    ):
        open_record(tmp_path / "x.nc")
    dataset().drop_vars("none").to_netcdf(tmp_path / "bare.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"bare\.nc names no schema, so it is no record"):
        open_record(tmp_path / "bare.nc")
    (tmp_path / "text.nc").write_text("no record")
    with pytest.raises(InputError, match="is not netCDF-4"):
        open_record(tmp_path / "text.nc")
    whole = (tmp_path / "x.nc").read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.nc is damaged"):
        open_record(tmp_path / "half.nc")
