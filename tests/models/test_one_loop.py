"""Compiling, keeping and checking the C++ loop; what it computes is tested in `test_fused`."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from analysis.encodings import Tapa
from analysis.errors import InputError
from analysis.models import blockwise, one_loop
from analysis.models.attention import Streaming
from analysis.models.fused import Fused
from tests.models.test_attention import DIM, heads

NOTHING_BUT_NAMES = 'extern "C" { int attend() { return 0; } void phase_sums() {} }\n'


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source that compiles in no time, and a cache folder of the test's own."""
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.cpp"
    path.write_text(NOTHING_BUT_NAMES)
    return path


@pytest.fixture
def anew() -> Iterator[None]:
    """What `available` found before is forgotten, before and after."""
    one_loop.available.cache_clear()
    yield
    one_loop.available.cache_clear()


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_it_is_compiled_once_for_each_source_and_compiler(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    first = one_loop.compiled(source)
    assert one_line(capsys).startswith("compile attention for this machine with ")
    assert one_loop.OneLoop(first)
    kept = first.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(one_loop, "_compile", lambda *args: pytest.fail("compiled again"))
        assert one_loop.compiled(source) == first
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("CXX", "c++ -DOTHER")
    other = one_loop.compiled(source)
    source.write_text("// another\n" + NOTHING_BUT_NAMES)
    assert len({first, other, one_loop.compiled(source)}) == 3
    assert first.read_bytes() == kept
    assert {path.suffix for path in first.parent.iterdir()} == {".so", ".lock"}


def test_a_missing_compiler_is_said_once_and_tiles_are_used(
    source: Path, anew: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PATH", str(source.parent))
    monkeypatch.delenv("CXX", raising=False)
    tiles, (q, k, v), at = Streaming(16, compiled=False), heads(20, dtype=torch.float32), torch.arange(20)
    for _ in range(2):
        assert torch.equal(Fused(tiles)(Tapa(DIM), q, k, v, at), tiles(Tapa(DIM), q, k, v, at))
    assert one_line(capsys) == (
        "attention and sums of phases run in plain torch, more slowly: no C++ compiler is there "
        "(looked for c++, g++, clang++); install one, or name it in CXX"
    )


def test_a_compiler_that_is_named_and_not_there_is_no_other(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", "nosuch -O1")
    with pytest.raises(
        InputError, match=r"^no C\+\+ compiler is there \(looked for CXX=nosuch -O1\); install"
    ):
        one_loop.compiled(source)


def test_a_compiler_that_fails_is_quoted_and_nothing_is_kept(source: Path):
    source.write_text("int attend( { return 0; }\n")
    with pytest.raises(InputError, match=r"cannot compile attention: .*tiny.cpp:1:.*error"):
        one_loop.compiled(source)
    assert [path.name for path in (source.parent / "cache" / "compiled").iterdir()] == ["one_loop.lock"]


def test_a_compiler_that_cannot_be_started_is_named(source: Path, monkeypatch: pytest.MonkeyPatch):
    broken = source.parent / "broken"
    broken.write_text("not a program")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(InputError, match=r"broken cannot be started: .*; name another in CXX$"):
        one_loop.compiled(source)


def test_a_folder_that_cannot_be_written_is_named(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAPA_CACHE", str(source))  # a file
    with pytest.raises(
        InputError, match=r"tiny\.cpp/compiled cannot be written: .*; TAPA_CACHE names another$"
    ):
        one_loop.compiled(source)


@pytest.mark.parametrize("text", [b"", b"no library"])
def test_what_is_no_library_is_refused(text: bytes, tmp_path: Path):
    path = tmp_path / "one_loop.so"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"one_loop\.so cannot be loaded: .*; delete it$"):
        one_loop.OneLoop(path)


@pytest.mark.parametrize("part", ["turn", "factor", "bias"])
def test_a_loop_that_computes_something_else_is_not_used(part: str, monkeypatch: pytest.MonkeyPatch):
    """Each table is left out in turn; the blocks themselves pass."""

    def planted(form, v):
        table = getattr(form, part)
        neutral = torch.zeros_like(table) if part == "bias" else torch.ones_like(table)
        return blockwise.forward(form._replace(**{part: neutral}), v)

    one_loop.checked(InPlace(lambda form, v: blockwise.forward(form, v, block=64)))
    with pytest.raises(InputError, match=r"^the compiled attention is off by .*, .* is usual; not used$"):
        one_loop.checked(InPlace(planted))


class InPlace(one_loop.OneLoop):
    """A loop made of functions in Python."""

    def __init__(self, attend=blockwise.forward, sums=one_loop.phase_sums) -> None:
        self.attend, self.sums = attend, sums

    def __call__(self, form, v, reach=None):
        return self.attend(form, v)

    def phase_sums(self, amplitude, phase, turn, out):
        out.copy_(self.sums(amplitude, phase, turn))


PLANTED = {
    "no turn": lambda a, p, t: one_loop.phase_sums(a, p, torch.ones_like(t)),
    "one row less": lambda a, p, t: one_loop.phase_sums(a[:-1], p[:-1], t),
    "the next column's turn": lambda a, p, t: one_loop.phase_sums(a, p, t.roll(1)),
    "amplitude without cosine": lambda a, p, t: one_loop.phase_sums(a, p, t)[[0, 1, 2, 0]],
    "the cosine for its square": lambda a, p, t: one_loop.phase_sums(a, p, t)[[0, 1, 1, 3]],
}


@pytest.mark.parametrize("error", PLANTED)
def test_sums_of_phases_that_are_something_else_are_not_used(error: str):
    with pytest.raises(InputError, match=r"^the compiled sums of phases are off by .*; not used$"):
        one_loop.checked(InPlace(sums=PLANTED[error]))


@pytest.mark.slow  # half a minute of a compiler each
@pytest.mark.parametrize("capability", ["AVX2", "DEFAULT"])
def test_processors_with_less_have_the_same_loop(
    capability: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if capability == "AVX2" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("this processor has no AVX2")
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert one_loop.checked(one_loop.OneLoop(one_loop.compiled()))
