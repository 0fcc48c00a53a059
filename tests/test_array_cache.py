"""Arrays kept in files: whole, or made again; a cache that cannot be written costs time alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import array_cache
from analysis.array_cache import cached, keep_arrays, kept_arrays

ARRAYS = {"a": np.arange(7), "b": np.linspace(0, 1, 5, dtype=np.float32), "key": np.array("text")}


def same(found: dict[str, np.ndarray] | None) -> bool:
    return (
        found is not None
        and found.keys() == ARRAYS.keys()
        and all(found[k].dtype == v.dtype and np.array_equal(found[k], v) for k, v in ARRAYS.items())
    )


def test_arrays_are_made_once(tmp_path: Path):
    path, made = tmp_path / "new" / "x.npz", []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return ARRAYS

    assert same(cached(path, make))
    assert same(cached(path, make))
    assert made == [1]


def test_files_of_an_earlier_version_are_read(tmp_path: Path):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **ARRAYS)
        assert same(kept_arrays(tmp_path / "x.npz"))


@given(st.data())
def test_a_changed_byte_or_a_cut_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    path = tmp_path_factory.mktemp("cache") / "x.npz"
    keep_arrays(path, ARRAYS)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 8))
    path.write_bytes(whole[:at] if bit == 8 else whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
    assert kept_arrays(path) is None
    assert same(cached(path, lambda: ARRAYS))
    assert path.read_bytes() == whole


def test_objects_are_not_unpickled(tmp_path: Path):
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{}], dtype=object))
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    assert kept_arrays(tmp_path / "x.npz") is None


def test_a_cache_that_cannot_be_written_costs_time_and_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").touch()
    array_cache._say.cache_clear()
    for name in ("x.npz", "y.npz"):
        assert same(cached(tmp_path / "file" / name, lambda: ARRAYS))
    said = capsys.readouterr().err
    assert said.startswith(
        f"nothing is kept in {tmp_path / 'file'}, so that it is made again the next time: "
    )
    assert said.count("\n") == 1
