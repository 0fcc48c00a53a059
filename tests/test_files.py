"""Files: whole under their name or not there, and nothing is left beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import files
from analysis.errors import InputError
from analysis.files import (
    check_writable,
    remove_folder,
    remove_parts,
    replacing,
    replacing_file,
    write_whole,
)
from analysis.processes import machine

ROOT = Path(__file__).resolve().parents[1]
ENDED = subprocess.run(
    [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
)
DEAD = int(ENDED.stdout)  # number of a process that has ended


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", ["a text: ü", b"bytes", memoryview(b"view")])
def test_what_is_written_is_there_alone(tmp_path: Path, data):
    for _ in range(2):  # new, then replaced
        write_whole(tmp_path / "new" / "x", data)
        assert (tmp_path / "new" / "x").read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert names(tmp_path / "new") == ["x"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path):
    def file() -> None:
        with replacing(tmp_path / "x") as part:
            part.write_text("half")
            raise ArithmeticError

    def folder() -> None:
        with replacing(tmp_path / "folder") as part:
            part.mkdir()
            (part / "a").write_text("half")
            raise ArithmeticError

    write_whole(tmp_path / "x", "before")
    for fails in (file, folder):
        with pytest.raises(ArithmeticError):
            fails()
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_text() == "before"


def test_a_full_disk_is_one_line(tmp_path: Path):
    """The kernel refuses half way: a limit on a file's size stands for the disk's; it raises( with the reason."""
    import resource

    write_whole(tmp_path / "x", "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(
            InputError, match=r"x cannot be written: File too large; give another output path$"
        ):
            write_whole(tmp_path / "x", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_text() == "before"


def test_what_cannot_be_a_file_is_refused(tmp_path: Path):
    """A folder, a device, a file where a folder must be: it raises( at both doors, on one line."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (tmp_path, "is a folder; give the name of a file to write"),
        (tmp_path / "pipe", "is a device or a pipe; give the name of a file to write"),
        (tmp_path / "file" / "x", "cannot be written: Not a directory; give another output path"),
        (tmp_path / ("x" * 300), "cannot be written: File name too long; give another output path"),
        (Path("/dev/null"), "is a device or a pipe; give the name of a file to write"),
    ):
        for attempt in (check_writable, lambda path: write_whole(path, "x")):
            with pytest.raises(InputError) as refused:
                attempt(path)
            assert str(refused.value) == f"{path} {said}"
    assert names(tmp_path) == ["file", "pipe"]


STEP = """
import os, signal, sys
from pathlib import Path
from analysis.files import remove_folder, write_whole
from analysis.processes import orderly_end
count, how, folder = int(sys.argv[1]), signal.Signals[sys.argv[2]], Path(sys.argv[3])
seen = 0
def hook(event, arguments):  # every file operation in this folder
    global seen
    if event.split(".")[0] in ("open", "os", "shutil") and str(folder) in str(arguments):
        seen += 1
        if seen == count:
            os.kill(os.getpid(), how)
sys.addaudithook(hook)
with orderly_end():
    write_whole(folder / "x", "after" * 1000)
    remove_folder(folder / "old")
    print("to the end")
"""


@pytest.mark.full  # a process for each file operation
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_stopped_at_any_file_operation_everything_is_whole(tmp_path: Path, how: str):
    """Each operation of a write and of a folder's removal in turn, until both are through."""
    for count in range(1, 60):
        folder = tmp_path / str(count)
        (folder / "old").mkdir(parents=True)
        for name in ("a", "b"):
            (folder / "old" / name).write_text(name)
        (folder / "x").write_text("before")
        command = [sys.executable, "-c", STEP, str(count), how, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (folder / "x").read_text() in ("before", "after" * 1000)
        if (folder / "old").exists():
            assert names(folder / "old") == ["a", "b"]
        left = [name for name in names(folder) if name.endswith(".part")]
        if how != "SIGKILL":
            assert left == [], count
        write_whole(folder / "x", "again")
        write_whole(folder / "old" / "x", "again")
        remove_parts(folder, alone=False)
        assert names(folder) == ["old", "x"]  # what was left is removed
        if done.returncode == 0:
            assert done.stdout == "to the end\n"
            break
        assert done.returncode in (-signal.Signals[how], 128 + signal.Signals[how])
    else:
        pytest.fail("it never came to an end")
    assert count > 5


def test_parts_of_the_living_stay(tmp_path: Path):
    """Of a process that runs, of another machine, of a file whose name only begins alike."""
    here, other = machine(), "0" * 12
    stay = {
        f".x.{os.getppid()}.{here}.part", f".x.{DEAD}.{other}.part", f".x.y.{DEAD}.{here}.part", "x.part",
        f".x.{DEAD}.part",
    }  # fmt: skip
    go = {f".x.{DEAD}.{here}.part"}
    for name in stay | go:
        (tmp_path / name).touch()
    write_whole(tmp_path / "x", "")
    assert set(names(tmp_path)) == stay | {"x"}
    with replacing(tmp_path / "x", alone=True) as part:
        part.touch()
    assert set(names(tmp_path)) == {"x", "x.part", f".x.y.{DEAD}.{here}.part"}


def test_a_part_of_a_process_with_our_number_is_no_obstacle(tmp_path: Path):
    files._part(tmp_path / "x").mkdir()
    write_whole(tmp_path / "x", "new")
    assert names(tmp_path) == ["x"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_written_and_its_debris_found(tmp_path_factory: pytest.TempPathFactory, name: str):
    folder = tmp_path_factory.mktemp("any")
    path = folder / name
    if path.name != name or name in (".", "..") or len(os.fsencode(name)) > 150:
        return
    (folder / f".{name}.{DEAD}.{machine()}.part").touch()
    write_whole(path, name)
    assert names(folder) == [name]


def test_a_folder_loses_its_name_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a").touch()
    real = files.shutil.rmtree

    def rmtree(path: Path) -> None:
        seen.append((path.name, (tmp_path / "f").exists()))
        real(path)

    monkeypatch.setattr(files.shutil, "rmtree", rmtree)
    remove_folder(tmp_path / "f")
    assert seen == [(f".f.{os.getpid()}.{machine()}.part", False)]
    assert names(tmp_path) == []


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a").touch()
    part = files._part(tmp_path / "x")
    part.symlink_to(tmp_path / "target")
    with replacing_file(tmp_path / "x") as given_:
        given_.write_text("new")
    assert names(tmp_path / "target") == ["a"]
