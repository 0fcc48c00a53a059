"""Hostile inputs: valid files that are mutated, the doors they are put before, and what came of each.

A case runs in a process of its own, forked from this one, so that a crash, a hang or a swollen memory ends a case and
not the tests. `python -m tests.hostile COUNT --out RECORD` runs many and writes what was counted.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import jaxtyping
import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analysis.cli import main
from analysis.experiments.results import summarise_runs
from analysis.experiments.run_record import ON_DISK, TRAINED, _renamed
from analysis.models import load
from analysis.models.checkpoint import load_model
from analysis.models.load import open_model
from analysis.records import Provenance, relied_on, write, write_summary
from analysis.records import read as read_record
from analysis.schemas import HOSTILE_INPUTS
from analysis.studies.distance_bias import HEADS, measure_model
from analysis.studies.settings import DistanceBiasSettings
from analysis.text.corpus import read_folder
from analysis.text.windows import read_text
from analysis.training.recipe import load_recipe
from tests import tiny_models
from tests.experiments import run_records
from tests.heads import tiny_phase

SECONDS, MEMORY = 10, 4 << 30  # of a processor, and bytes beyond those that are in use before
PATIENCE = 30  # seconds of waiting to a second of work: the machine may be busy
MODEL_OPTIONS = ("--length", "16", "--windows", "2", "--out", "r.nc")

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 7, 2**31, 2**63 - 1, 2**64, 10**30, 10**400, 0.5, -0.5, 1e-300, 1e308, -1e308,
    "", "x", "0", "false", "default", "a\nb", "\0", "\ud800", "../../x", "/dev/zero", "é" * 300, [], [[]], {}, {"a": 1},
    [1, "a", None], "x/y", [[[[[[0]]]]]],
]  # fmt: skip
NUMBERS = [
    "0",
    "-1",
    "1",
    "nan",
    "inf",
    "1e400",
    "9" * 400,
    str(2**63),
    str(2**31),
    "1e9",
    "0x10",
    "",
    "1_0",
    "½",
]
GOOD = ("result", "one line")


@dataclass(frozen=True)
class Ended:
    """How a case ended: one of `GOOD`, or what went wrong; and what it said on stderr."""

    how: str
    said: str


@dataclass(frozen=True)
class Case:
    """A door and what is put before it: files by name, and the words of a command or nothing for a door of Python."""

    door: str
    files: dict[str, bytes]
    words: tuple[str, ...]


# Files that are valid, made once.


@dataclass(frozen=True)
class Samples:
    """Valid files by kind."""

    model: dict[str, bytes]
    gguf: bytes
    own: bytes
    record: bytes
    run: bytes
    ours: bytes
    recipe: bytes
    text: bytes


def made(folder: Path) -> Samples:
    """Every kind of file, valid; the doors are opened once with them, so that nothing is imported in a case."""
    model = tiny_models.save(
        tiny_models.build("llama", max_position_embeddings=64), folder / "model", tokenizer=True
    )
    text = folder / "text.txt"
    text.write_text(" ".join(f"w{i}" for i in np.random.default_rng(0).integers(0, 96, 200)))
    tiny = tiny_models.build("llama", **{**tiny_models.GGUF_SIZES, "max_position_embeddings": 64})
    load.check_row_order = lambda checkpoint: {}  # an untrained model predicts nothing in whichever order
    gguf = tiny_models.write_gguf(tiny, folder / "tiny.gguf")
    own = tiny_phase.save(tiny_phase.model("rope"), folder / "own")
    settings_ = DistanceBiasSettings(2, 16)
    data, provenance = measure_model(
        str(model), [text], settings_, arguments=["tapa"], progress=lambda *_: None
    )
    write(data, folder / "record.nc", provenance, schema=HEADS)
    open_model(gguf)
    runs = [run_records.record(name, 0, run_records.BEST) for name in ("rope", "tapa")]
    written = []
    for content in runs:
        path = folder / f"{content['run']}.json"
        write_summary(_renamed(content, ON_DISK), path, provenance, schema=TRAINED)
        written.append(path.read_bytes())
    return Samples(
        {path.name: path.read_bytes() for path in sorted(model.iterdir())},
        gguf.read_bytes(),
        (own / "model.safetensors").read_bytes(),
        (folder / "record.nc").read_bytes(),
        written[1],
        written[0],
        b'steps = 20\nwarmup = 2\n[model]\nlayers = 2\nwidth = 16\n[method]\nname = "tapa"\nalpha = 0.1\n',
        text.read_bytes(),
    )


# Mutations: a generator of random numbers is all that they take, so that hypothesis can draw and shrink its seed.


def bytes_of(data: bytes, rng: random.Random) -> bytes:
    """One to four changes of bytes: flipped, taken out, put in, doubled, cut off, set to 0."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1) if rng.random() < 0.5 else rng.randrange(min(len(found), 256) + 1)
        size = rng.choice([1, 1, 2, 8, 64])
        match rng.randrange(6):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 1:
                del found[at : at + size]
            case 2:
                found[at:at] = rng.randbytes(size)
            case 3:
                found[at:at] = found[at : at + size]
            case 4:
                del found[at:]
            case _:
                found[at : at + size] = bytes(len(found[at : at + size]))
    return bytes(found)


def tree_of(value: Any, rng: random.Random) -> Any:
    """A value somewhere in nested tables and lists is replaced, taken out, or put under another name."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value))
        match rng.randrange(8):
            case 0:
                return {name: item for name, item in value.items() if name != key}
            case 1:
                return {
                    **value,
                    rng.choice(["x", "", "type", "rope_type", "factor", key.upper()]): rng.choice(VALUES),
                }
            case _:
                return {**value, key: tree_of(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], tree_of(value[at], rng), *value[at + rng.randint(0, 1) :]]
    return rng.choice(VALUES)


def json_of(data: bytes, rng: random.Random) -> bytes:
    """A JSON text with other values, or nested without end, or with other bytes."""
    if (kind := rng.random()) < 0.15:
        return bytes_of(data, rng)
    value = json.loads(data)
    for _ in range(rng.randint(1, 3)):
        value = tree_of(value, rng)
    text = json.dumps(value)
    if kind < 0.2:
        depth = rng.choice([100, 2000, 100_000])
        text = (
            text[:-1] + f', "deep": {"[" * depth}{"]" * depth}}}'
            if text.endswith("}") and len(text) > 2
            else text
        )
    if kind > 0.95:
        text = text.replace("1", rng.choice(["NaN", "Infinity", "1e999", "9" * 5000]), 1)
    return text.encode()


def safetensors_of(data: bytes, rng: random.Random) -> bytes:
    """A header of another content and its own length again, or other bytes anywhere."""
    if rng.random() < 0.4:
        return bytes_of(data, rng)
    (size,) = struct.unpack("<Q", data[:8])
    header = json_of(data[8 : 8 + size], rng)
    length = rng.choice([len(header)] * 8 + [0, 2**40, 2**63])
    return struct.pack("<Q", length) + header + data[8 + size :]


def own_of(data: bytes, rng: random.Random) -> bytes:
    """The metadata of a model of ours with other values."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    about = header["__metadata__"]["tapa"]
    header["__metadata__"]["tapa"] = json_of(about.encode(), rng).decode("utf-8", "replace")
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def gguf_of(data: bytes, rng: random.Random) -> bytes:
    """Other bytes, half of them in the counts and the first fields; or a count of its own."""
    if rng.random() < 0.3:
        at = rng.choice([8, 16])
        return data[:at] + struct.pack("<Q", rng.choice([0, 1, 2**16, 2**40, 2**63])) + data[at + 8 :]
    return bytes_of(data, rng)


def record_of(data: bytes, rng: random.Random) -> bytes:
    """A netCDF file with other bytes, or behind the same schema with other variables, shapes, types and sizes."""
    if rng.random() < 0.4:
        return bytes_of(data, rng)
    with tempfile.NamedTemporaryFile(suffix=".nc") as file:
        Path(file.name).write_bytes(data)
        with h5py.File(file.name, "r+") as opened:
            name = rng.choice(sorted(opened))
            match rng.randrange(6):
                case 0:
                    del opened[name]
                case 1:
                    del opened[name]
                    opened[name] = np.zeros((2, 3), rng.choice(["i1", "f8", "S3", "c16"]))
                case 2:
                    del opened[name]
                    opened.create_dataset(name, (2**20, 2**20), "f8", chunks=(1024, 1024))
                case 3:
                    attribute = rng.choice(sorted(opened.attrs))
                    del opened.attrs[attribute]
                case 4:
                    opened.attrs[rng.choice(sorted(opened.attrs))] = rng.choice([0, "", "x", b"\xff", 1e300])
                case _:
                    opened[name].attrs["scale_factor"] = rng.choice([np.nan, "x", 0.0])
        return Path(file.name).read_bytes()


LETTERS = [
    "a", "/", ".", "..", "\n", "\x1b[2J", "é", "\udcff", " ", "%", "$(touch x)", "'", "*", "~", "x" * 300,
]  # fmt: skip


def name_of(rng: random.Random) -> str:
    """A path of any kind."""
    return "".join(rng.choices(LETTERS, k=rng.randint(1, 5)))


# Doors: each turns a generator of random numbers into a case.

OPTIONS = [  # a command, what it is given, and options that take numbers
    ("curve", "--base", "--head-dim", "--rotary-dim", "--factor", "--trained-length", "--to", "--points"),
    ("measure", "none", "--windows", "--length", "--seed"),
    ("evaluate", "none", "--lengths", "--stride", "--target", "--spans", "--seed", "--factor"),
    ("sweep", "table2", "--workers", "--limit-minutes", "--slurm"),
    ("phase", "none", "--windows", "--length", "--loss-windows", "--seed", "--layer"),
    ("bias", "smollm2", "--lengths", "--documents", "--seed", "--windows"),
]
KEYS = [
    "lr", "steps", "model.layers", "model.width", "threads", "method", "method.alpha", "seed", "from", "corpus",
    "method.window", "length", "method.name", "model.heads", "x", "", "warmup", "batch",
]  # fmt: skip
WORDS = ["tapa", "rope", "[1]", "{a=1}", "'x'", "1\nlr=2", "true", "[" * 400, "x:Y", "none"]


def cases(samples: Samples) -> dict[str, Callable[[random.Random], Case]]:
    """By name, what makes a case of each door."""

    def checkpoint(
        name: str, mutated: Callable[[bytes, random.Random], bytes]
    ) -> Callable[[random.Random], Case]:
        def make(rng: random.Random) -> Case:
            files = {f"model/{file}": data for file, data in samples.model.items()}
            files[f"model/{name}"] = mutated(samples.model[name], rng)
            return Case(
                name, files | {"t.txt": samples.text}, ("measure", "model", "--text", "t.txt", *MODEL_OPTIONS)
            )

        return make

    def file(door: str, name: str, data: bytes, mutated: Any, *words: str) -> Callable[[random.Random], Case]:
        return lambda rng: Case(door, {name: mutated(data, rng), "t.txt": samples.text}, words)

    def paths(rng: random.Random) -> Case:
        name = name_of(rng)
        commands = [
            ("measure", name), ("evaluate", name, "--text", name), ("curve", "--config", name), ("phase", name),
            ("measure", "model", "--text", name, *MODEL_OPTIONS), ("results", "--runs", name),
            ("measure", "model", "--text", "t.txt", *MODEL_OPTIONS[:-1], name), ("train", name), ("bias", name),
            ("score-variance", name), ("formula", name), ("phase-seeds", name, "--workers", "1"),
            ("position", name, "--workers", "1"),
        ]  # fmt: skip
        files = {f"model/{file}": data for file, data in samples.model.items()}
        return Case("paths", files | {"t.txt": samples.text}, tuple(rng.choice(commands)))

    config, recipe = samples.model["config.json"], samples.recipe
    return {
        "config.json": checkpoint("config.json", json_of),
        "tokenizer.json": checkpoint("tokenizer.json", json_of),
        "tokenizer_config.json": checkpoint("tokenizer_config.json", json_of),
        "model.safetensors": checkpoint("model.safetensors", safetensors_of),
        "curve --config": file("curve --config", "c.json", config, json_of, "curve", "--config", "c.json"),
        "gguf": file(
            "gguf", "m.gguf", samples.gguf, gguf_of, "measure", "m.gguf", "--text", "t.txt", *MODEL_OPTIONS
        ),
        "own model": file("own model", "model.safetensors", samples.own, own_of),
        "own model, bytes": file("own model", "model.safetensors", samples.own, safetensors_of),
        "record": file("record", "r.nc", samples.record, record_of),
        "run record": file("run record", "tapa-s0-lr2e-3.json", samples.run, json_of),
        "recipe": file("recipe", "r.toml", recipe, bytes_of),
        "recipe, tree": file("recipe", "r.toml", recipe, _toml_of),
        "text": file("text", "t.md", samples.text, bytes_of),
        "numbers": _numbers,
        "paths": paths,
        "overrides": _overrides,
    }


def _numbers(rng: random.Random) -> Case:
    command, *rest = rng.choice(OPTIONS)
    first = [] if rest[0].startswith("--") else [rest.pop(0)]
    dry = ["--dry-run"] if command == "sweep" else []
    chosen = rng.sample(rest, rng.randint(1, 2))
    given_ = [f"{option}={rng.choice(NUMBERS)}" for option in chosen]
    if command == "bias":
        given_ += ["--interventions", "holt"]
    return Case("numbers", {}, (command, *first, *dry, *given_))


def _overrides(rng: random.Random) -> Case:
    lines = [
        f"{rng.choice(KEYS)}{rng.choice(['=', '=', '=', ''])}{rng.choice([*NUMBERS, *WORDS])}"
        for _ in range(2)
    ]
    return Case("overrides", {}, tuple(lines))


def _toml_of(data: bytes, rng: random.Random) -> bytes:
    lines = data.decode().splitlines()
    at = rng.choice([i for i, line in enumerate(lines) if "=" in line])
    key = lines[at].partition(" =")[0]
    values = [
        *NUMBERS[:12],
        '"x"',
        "[]",
        "{}",
        "true",
        "[" * 500 + "]" * 500,
        "'''a\nb'''",
        "2020-01-01",
        "-inf",
    ]
    lines[at] = f"{rng.choice([key, key, 'x', 'from', 'model'])} = {rng.choice(values)}"
    return "\n".join(lines).encode()


def enter(case: Case, ours: bytes) -> None:
    """Put a case before a door of Python, in the current folder, as commands do."""
    match case.door:
        case "own model":
            load_model(Path("model.safetensors"))
        case "record":
            data = read_record(Path("r.nc"), expect_schema=HEADS)
            with relied_on(Path("r.nc"), HEADS):
                float(data.measured.sel(first_token="dropped").isel(distance=1).mean())
        case "run record":
            Path("ours").mkdir()
            Path("ours", "rope-s0-lr2e-3.json").write_bytes(ours)
            summarise_runs(Path("ours"), [Path("tapa-s0-lr2e-3.json")])
        case "recipe":
            load_recipe("r.toml")
        case "overrides":
            load_recipe("cpu", case.words)
        case "text":
            read_text(Path("t.md"))
            read_folder(Path("."))


def run(case: Case, ours: bytes) -> Ended:
    """A case in a process of its own, and how it ended."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, data in case.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(data)
        with tempfile.TemporaryFile() as errors, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads, which sleep here
            sys.stdout.flush()
            sys.stderr.flush()
            if (child := os.fork()) == 0:
                _child(case, ours, errors.fileno())
            how = _awaited(child)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
    return Ended(_judged(how, said), said)


def _child(case: Case, ours: bytes, errors: int) -> None:
    """Never returns."""
    code = 70
    try:
        os.setsid()  # whatever a case signals, it is not the tests
        faulthandler.disable()  # it would write to the tests' own stderr
        jaxtyping.config.update("jaxtyping_disable", True)
        devnull = os.open(os.devnull, os.O_RDWR)
        os.dup2(devnull, 0)
        os.dup2(devnull, 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", errors="backslashreplace", closefd=False) for n in (1, 2))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        resource.setrlimit(
            resource.RLIMIT_CPU, (SECONDS, SECONDS + 1)
        )  # a signal at the first, the end at the second
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        sys.argv = ["tapa", *case.words]
        if case.door in PYTHON:
            main.app = lambda *_, **__: enter(
                case, ours
            )  # what the entry point makes of errors holds for these too
        main.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 71
    except BaseException:  # noqa: BLE001 - whatever escapes is what is looked for, and is judged outside
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


MODELS = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "gguf")
PYTHON = ("own model", "record", "run record", "recipe", "overrides", "text")


def _awaited(child: int) -> int:
    """Exit code, or minus a signal's number; -100 if it was waited for too long."""
    until = time.monotonic() + PATIENCE * SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.003)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -100


def _judged(code: int, said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith("tapa: ")]
    if code == 0:
        return "result"
    if code == 2 and len(lines) == 1 and said.rstrip().endswith(lines[0]):
        return "one line"
    if code in (-signal.SIGXCPU, -signal.SIGKILL, -100):
        return "too long"
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    if "MemoryError" in said or "allocate memory" in said:
        return "too much memory"
    return "traceback" if "Traceback" in said else f"exit code {code}, {len(lines)} lines"


# What hypothesis draws, and many cases by hand.


def drawn(samples: Samples) -> st.SearchStrategy[Case]:
    """A case of any door; those that open no model, which takes longer, are drawn twice as often."""
    doors = cases(samples)
    often = [door for door in sorted(doors) if door not in MODELS]
    return st.builds(
        lambda door, seed: doors[door](random.Random(seed)),
        st.sampled_from([*sorted(doors), *often]),
        st.integers(0, 2**32),
    )


def counted(samples: Samples, count: int, report: Callable[[Case, Ended], None] = lambda *_: None) -> Counter:
    """So many different cases, counted by door and how they ended."""
    found: Counter = Counter()
    gc.collect()
    gc.freeze()  # what a forked process does not collect, it does not copy

    @settings(max_examples=count, phases=[Phase.generate], derandomize=True, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(drawn(samples))
    def each(case: Case) -> None:
        ended = run(case, samples.ours)
        found[case.door, ended.how] += 1
        report(case, ended)

    each()
    return found


def _content(found: Counter, seconds: float) -> dict[str, Any]:
    doors: dict[str, dict[str, int]] = {}
    for (door, how), count in sorted(found.items()):
        doors.setdefault(door, {})[how] = count
    hows = Counter()
    for (_, how), count in found.items():
        hows[how] += count
    good = hows["result"] + hows["one line"]
    return {
        "cases": sum(hows.values()), "results": hows["result"], "refusals": hows["one line"],
        "failures": sum(hows.values()) - good, "doors": doors, "seconds": seconds,
        "most_seconds": SECONDS, "most_bytes": MEMORY,
    }  # fmt: skip


def show_failures(case: Case, ended: Ended) -> None:
    """Print what went wrong, as it comes."""
    if ended.how not in GOOD:
        print(f"== {case.door} {ended.how} {case.words}\n{ended.said[-1500:]}", flush=True)


def run_by_hand() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description="Run hostile inputs and record what was counted.")
    parser.add_argument("count", type=int)
    parser.add_argument("--out", type=Path)
    given_ = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = counted(made(Path(folder)), given_.count, show_failures)
    content = _content(found, time.perf_counter() - begun)
    print(json.dumps(content, indent=1))
    if given_.out is not None:
        provenance = Provenance.collect(
            ["python", "-m", "tests.hostile", str(given_.count)], {"cases": given_.count}, seeds={"cases": 0},
            device="cpu", precision="none", threads=1, seconds=content["seconds"],
        )  # fmt: skip
        write_summary(content, given_.out, provenance, schema=HOSTILE_INPUTS)


if __name__ == "__main__":
    run_by_hand()
