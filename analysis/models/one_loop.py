"""Attention in one C++ loop on the CPU: compiled for this machine when it is first needed, kept, checked, then used.

`one_loop.cpp` is compiled by the user's own compiler into the cache folder, under a name that holds the hash of all
that decides the result: source, torch, compiler and options. One process compiles, others wait; the library is there
whole or not at all. Before a process uses it, it is held to `blockwise` in float64. Whoever has no compiler, or gets a
library that computes something else, attends by tiles, and one line says so.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from analysis.assets import cache_folder
from analysis.encodings import DistanceForm
from analysis.errors import InputError
from analysis.files import replacing_file
from analysis.locks import exclusive
from analysis.models import blockwise
from analysis.progress import remark

SOURCE = Path(__file__).with_name("one_loop.cpp")
COMPILERS = ("c++", "g++", "clang++")
INSTRUCTIONS = {
    "AVX512": ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma", "-DCPU_CAPABILITY_AVX512"),
    "AVX2": ("-mavx2", "-mfma", "-mf16c", "-DCPU_CAPABILITY_AVX2"),
}
"""Options for what torch says of the processor; without them the loop's vectors are plain arrays."""
LONG = 2048  # tokens from which on a tile has 256 rows, the scores of which still fit into the cache
COLUMNS = 512


class _Sizes(ctypes.Structure):
    """`Sizes` of the source, in its order."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            "batch", "heads", "kv_heads", "length", "amplitude", "phase", "value",
            "factor_rows", "bias_rows", "reach", "row_tile", "column_tile",
        )
    ]  # fmt: skip


class OneLoop:
    """A compiled library.

    Raises `InputError` if the system cannot load it.
    """

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(path))
            self._attend, self._phase_sums = library.attend, library.phase_sums
        except (OSError, AttributeError) as error:
            raise InputError(f"{path} cannot be loaded: {error}; delete it") from error
        arrays, factor = [ctypes.c_void_p] * 8, ctypes.c_float
        results = [ctypes.c_void_p] * 2
        self._attend.argtypes = [
            ctypes.POINTER(_Sizes), *arrays, factor, factor, *results, ctypes.c_char_p, ctypes.c_int64,
        ]  # fmt: skip

        sizes = [ctypes.c_int64] * 3
        self._phase_sums.argtypes = [*arrays[:2], *sizes, *arrays[:2], ctypes.c_int64]
        self._phase_sums.restype = None

    def phase_sums(
        self,
        amplitude: Float[Tensor, "rows span"],
        phase: Float[Tensor, "rows span"],
        turn: Float[Tensor, " span"],
        out: Float[Tensor, "4 1 span"],
    ) -> None:
        """Sums over the rows of amplitude, w = cos(2 pi turn phase), w^2 and w amplitude, into `out`.

        All of float32 on the CPU, neighbours in a row next to each other; both arrays have rows as far apart.
        """
        rows, span = phase.shape
        assert amplitude.stride() == phase.stride()
        assert phase.stride(1) == turn.stride(0) == out.stride(2) == 1
        self._phase_sums(
            amplitude.data_ptr(), phase.data_ptr(), rows, span, phase.stride(0), turn.data_ptr(), out.data_ptr(),
            out.stride(0),
        )  # fmt: skip

    def __call__(
        self,
        form: DistanceForm,
        v: Float[Tensor, "batch kv_heads length value_dim"],
        reach: int | None = None,
    ) -> tuple[Float[Tensor, "batch heads length value_dim"], Float[Tensor, "batch heads length"]]:
        """As `blockwise.forward`, of float32 on the CPU: see `takes`."""
        batch, heads, length, amplitude = form.a.shape
        held = [
            None if t is None else t.contiguous()
            for t in (form.a, form.b, form.x, form.y, v, form.turn, form.factor, form.bias)
        ]
        out, log_sum = v.new_empty(batch, heads, length, v.shape[-1]), v.new_empty(batch, heads, length)
        sizes = _Sizes(
            batch, heads, v.shape[1], length, amplitude, 0 if form.x is None else form.x.shape[-1], v.shape[-1],
            1 if form.factor is None else len(form.factor), 1 if form.bias is None else len(form.bias),
            length if reach is None else reach, 128 if length < LONG else 256, COLUMNS,
        )  # fmt: skip
        if out.numel() == 0:
            return out, log_sum
        error = ctypes.create_string_buffer(1000)
        failed = self._attend(
            ctypes.byref(sizes), *(None if t is None else t.data_ptr() for t in held), form.scale,
            form.phase_scale, out.data_ptr(), log_sum.data_ptr(), error, len(error),
        )  # fmt: skip
        if failed:
            raise RuntimeError(f"attention in one loop: {error.value.decode(errors='replace')}")
        return out, log_sum


def takes(form: DistanceForm, v: Tensor) -> bool:
    """Whether the loop can compute this: float32 throughout, on the CPU."""
    every = (form.a, form.b, form.x, form.y, form.turn, form.factor, form.bias, v)
    return all(t.dtype == torch.float32 and t.device.type == "cpu" for t in every if t is not None)


@functools.cache
def available() -> OneLoop | None:
    """The loop, compiled if it is not kept yet, and checked; None where that fails, and one line says why."""
    try:
        return checked(OneLoop(compiled()))
    except InputError as error:
        remark(f"attention and sums of phases run in plain torch, more slowly: {error}")
        return None


def compiler() -> list[str]:
    """The command of a C++ compiler: the environment variable CXX, else the first of `COMPILERS` that is there.

    Raises `InputError` if there is none.
    """
    named = shlex.split(os.environ.get("CXX", ""))
    for words in [named] if named else [[name] for name in COMPILERS]:
        if found := shutil.which(words[0]):
            return [found, *words[1:]]
    looked = f"CXX={shlex.join(named)}" if named else ", ".join(COMPILERS)
    raise InputError(f"no C++ compiler is there (looked for {looked}); install one, or name it in CXX")


def compiled(source: Path = SOURCE) -> Path:
    """The library for this machine, in the cache folder; compiled if it is not there, by one process at a time.

    Raises:
        InputError: no compiler, one that fails, or a folder that cannot be written.
    """
    command, options = compiler(), _options()
    says = _run([command[0], "--version"])
    decided = "\0".join(
        [source.read_text(encoding="utf-8"), torch.__version__, says.stdout, *command, *options]
    )
    folder = cache_folder() / "compiled"
    path = folder / f"one_loop-{hashlib.sha256(decided.encode()).hexdigest()[:16]}.so"
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "one_loop.lock", "the compilation of attention", wait=remark):
            if not path.is_file():
                remark(f"compile attention for this machine with {command[0]}, once")
                _compile([*command, str(source), *options], path)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}; TAPA_CACHE names another") from error
    return path


def _options() -> list[str]:
    """Of the compiler, without what it reads and writes."""
    root, capability = Path(torch.__file__).parent, torch.backends.cpu.get_cpu_capability()
    known = capability if capability in INSTRUCTIONS else "DEFAULT"
    linux = ["-fopenmp"] if sys.platform == "linux" else []  # elsewhere the loop runs on one thread
    return [
        "-O3", "-std=c++20", "-fPIC", "-shared", "-w", "-fno-math-errno", *linux, "-DAT_PER_OPERATOR_HEADERS",
        f"-DCPU_CAPABILITY={known}", *INSTRUCTIONS.get(capability, ()), f"-I{root / 'include'}",
        f"-L{root / 'lib'}", "-ltorch_cpu", "-lc10",
    ]  # fmt: skip


def _compile(command: list[str], path: Path) -> None:
    with replacing_file(path) as part:
        done = _run([*command, "-o", str(part)])
        if done.returncode:
            lines = done.stderr.splitlines()
            why = next((line for line in lines if "error" in line), lines[-1] if lines else "it says nothing")
            raise InputError(f"{command[0]} cannot compile attention: {why.strip()}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {error.strerror}; name another in CXX") from error


def checked(loop: OneLoop) -> OneLoop:
    """The loop, if it is right on a small text that takes it through ragged tiles, groups of heads and every table.

    Its error against float64 may be four times that of the same blocks in float32, whose sums are in another order.
    Raises `InputError` otherwise.
    """
    form, v = _example()
    exact = blockwise.forward(_widened(form), v.double())
    own = blockwise.forward(form, v)
    for found, narrow, right in zip(loop(form, v), own, exact, strict=True):
        error, allowed = ((x.double() - right).abs().max().item() for x in (found, narrow))
        if not error <= 4 * allowed:
            raise InputError(
                f"the compiled attention is off by {error:.2g}, {allowed:.2g} is usual; not used"
            )
    _check_phase_sums(loop)
    return loop


def phase_sums(
    amplitude: Float[Tensor, "rows span"], phase: Float[Tensor, "rows span"], turn: Float[Tensor, " span"]
) -> Float[Tensor, "4 1 span"]:
    """As `OneLoop.phase_sums`, in plain torch and any floating type."""
    wave = torch.cos(2 * math.pi * (turn * phase))
    return torch.stack([x.sum(dim=0) for x in (amplitude, wave, wave * wave, wave * amplitude)])[:, None]


def _check_phase_sums(loop: OneLoop, rows: int = 37, span: int = 75) -> None:
    """The same of sums by distance, of phases of up to some dozens of turns in rows that overlap."""
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(2, rows * (span + 3), generator=generator)
    amplitude, phase = (x.as_strided((rows, span), (span + 2, 1), x.storage_offset() + 1) for x in flat)
    turn, found = 10 * torch.rand(span, generator=generator), torch.empty(4, 1, span)
    loop.phase_sums(amplitude, phase, turn, found)
    exact = phase_sums(amplitude.double(), phase.double(), turn.double())
    own = phase_sums(amplitude, phase, turn)
    error, allowed = ((x.double() - exact).abs().amax(dim=(1, 2)) for x in (found, own))
    if not bool((error <= 4 * allowed).all()):
        raise InputError(f"the compiled sums of phases are off by {error.max().item():.2g}; not used")


def _example(length: int = 650) -> tuple[DistanceForm, Tensor]:
    """Four query heads and two key heads, with phase, factor and bias."""
    generator = torch.Generator().manual_seed(0)

    def normal(heads: int, width: int) -> Tensor:
        return torch.randn(1, heads, length, width, generator=generator)

    distance = torch.arange(length)
    turn = (distance.double() ** 0.1).float()
    factor, bias = 1 + torch.rand(4, length, generator=generator), -0.01 * distance.float()[None]
    form = DistanceForm(normal(4, 9), normal(2, 9), 0.3, normal(4, 5), normal(2, 5), 0.4, turn, factor, bias)
    return form, normal(2, 7)


def _widened(form: DistanceForm) -> DistanceForm:
    names = ("a", "b", "x", "y", "turn", "factor", "bias")
    return form._replace(**{name: getattr(form, name).double() for name in names})
