"""The kill harness: real commands, really killed, and what is left looked at.

Every scenario is a command on tiny inputs. It is run once undisturbed; then it is killed again and again, each run
going on from what the one before has left; then it is run to its end, which must be what it was undisturbed. A kill is
a signal at a random moment to the process or to one of its workers, or one at the n-th file operation of the process.
After each one it is checked that no process is left after five seconds, that every file under its final name is whole,
and, where the signal can be heeded, that the command ended with its code, in one line, and has left no part of a file.
`python -m tests.kills` writes the record.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from analysis import records, schemas
from analysis.cli import main as command
from analysis.models import checkpoint
from analysis.processes import started

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600.0  # seconds, on a machine under load
SOON = 5.0  # seconds after which nothing may run any more
TINY = [
    "model.layers=1", "model.width=16", "model.heads=2", "model.kv_heads=1", "model.head_dim=8", "model.hidden=16",
    "length=64", "batch=4", "warmup=1", "validate_every=8", "validation_batches=1", "compile=false", "corpus=mine",
]  # fmt: skip
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}
MARK = "TAPA_KILLS"
MOMENT, OPERATION = "random moment", "file operation"
FULL_DISK, READ_ONLY = "a full disk", "a read-only folder"
Fault = Callable[[], None]
"""Done in the process before its command."""

BEGIN = "import sys; from tests.kills import perform; perform(*sys.argv[1:4], sys.argv[4:])"


def _is_below(folder: str, given: object) -> bool:
    """Whether what an audit hook is given begins with a path in the folder."""
    path = given[0] if isinstance(given, tuple) and given else None
    return isinstance(path, str | bytes | os.PathLike) and os.path.abspath(os.fsdecode(path)).startswith(
        folder
    )


def perform(folder: str, count: str, how: str, arguments: Sequence[str]) -> None:
    """A command, in whatever process: it sends itself a signal at its n-th file operation in a folder.

    Args:
        folder: in which operations count.
        count: n; 0 for never.
        how: the signal's name; nothing is counted if it is empty.
        arguments: of `tapa`, or "sweep" alone for the tiny one.
    """
    seen = 0

    def hook(event: str, given: object) -> None:
        nonlocal seen
        if event.split(".")[0] in ("open", "os", "shutil") and _is_below(folder, given):
            seen += 1
            if seen == int(count):
                os.kill(os.getpid(), signal.Signals[how])

    run = tiny_sweep if arguments[0] == "sweep" else command.main
    sys.argv = ["tapa", *arguments]
    Path(folder, "..", "begun").touch()
    if how:
        sys.addaudithook(hook)
    try:
        run()
    finally:
        if how:
            Path(folder, "..", "seen").write_text(str(seen))


class Started:
    """A process that runs a command: forked from this one, which has the libraries, or a new interpreter.

    A fork is hit in its work rather than in its imports, which take most of a tiny command's time.
    """

    def __init__(self, place: Place, given: Sequence[str], *, fork: bool, fault: Fault) -> None:
        self.code: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.reading, writing = os.pipe()  # no file: a limit on the size of files is for those of the command
        with contextlib.suppress(OSError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self.reading, False)
        sys.stdout.flush()
        if fork:
            self.pid = os.fork()
            if self.pid == 0:
                self._become(place, given, writing, fault)
        else:
            line = [sys.executable, "-c", BEGIN, *given]
            self.process = subprocess.Popen(
                line, cwd=place.work, env=place.environment(), stdout=subprocess.DEVNULL, stderr=writing,
                start_new_session=True, preexec_fn=fault,
            )  # fmt: skip
            self.pid = self.process.pid
        os.close(writing)

    def _become(self, place: Place, given: Sequence[str], writing: int, fault: Fault) -> NoReturn:
        code: object = 1
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(writing, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            os.environ.update(place.environment())
            os.chdir(place.work)
            fault()
            perform(*given[:3], given[3:])
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:  # noqa: BLE001 - as the interpreter would
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 1)

    def poll(self) -> int | None:
        if self.code is None and self.process is not None:
            self.code = self.process.poll()  # it has to know of its end, or warns when it is dropped
        elif self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def wait(self, seconds: float) -> tuple[int | None, str]:
        """Exit code, None if it still runs after so many seconds, and what it said."""
        until = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        said = b""
        with contextlib.suppress(BlockingIOError):  # a worker may still hold the other end
            while chunk := os.read(self.reading, 1 << 16):
                said += chunk
        os.close(self.reading)
        return self.code, said.decode(errors="replace")


def _no_fault() -> None:
    pass


def _full_disk(size: int = 2000) -> None:
    """No file of this process can have more bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _heeds_permissions() -> None:
    """The superuser writes where permissions forbid it: this process and what it starts lose that right."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the kernel's version 3 of capabilities, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable of 32 capabilities, and of the rest
    rights = (1, 2)  # to write, and to read or search, whatever the permissions
    dropped = [libc.prctl(24, right, 0, 0, 0) for right in rights]  # of what is started
    dropped.append(libc.capget(header, sets))
    sets[0] &= ~sum(1 << right for right in rights)
    dropped.append(libc.capset(header, sets))
    if any(dropped):
        raise OSError(ctypes.get_errno(), "capabilities could not be dropped")


@dataclass(frozen=True)
class Scenario:
    """A command to be killed.

    Attributes:
        name: for the record.
        arguments: of `tapa`.
        result: of a finished run, what must be the same again; numbers, bytes and names.
        workers: whether it has processes that work for it.
    """

    name: str
    arguments: Sequence[str]
    result: Callable[[Path], object]
    workers: bool = False


def _arrays(name: str, schema: records.Schema) -> Callable[[Path], object]:
    def result(folder: Path) -> object:
        data = records.read(folder / name, expect_schema=schema)
        return {
            str(key): np.asarray(x.values).tolist()
            for key, x in data.variables.items()
            if "second" not in str(key)
        }

    return lambda folder: json.dumps(result(folder), default=str)


def _weights(folder: Path) -> object:
    last = checkpoint.latest(folder / "run")
    assert last is not None
    return (last / checkpoint.MODEL).read_bytes()


def _runs(folder: Path) -> object:
    found = {path.parent.name: path.read_bytes() for path in (folder / "runs").glob("*/model.safetensors")}
    return found, sorted(path.name for path in (folder / "trained").iterdir())


def _pictures(folder: Path) -> object:
    return sorted(path.name for path in (folder / "project" / "figures" / "out").iterdir())


SCENARIOS = (
    Scenario("train", ["train", "cpu", *TINY, "steps=16", "save_every=2", "method=tapa", "--out", "run"], _weights),
    Scenario(
        "evaluate",
        ["evaluate", "../model", "--lengths", "16,32,64", "--target", "8", "--spans", "2", "--text", "mine/00.txt",
         "--text", "mine/01.txt", "--out", "evaluation.nc"],
        _arrays("evaluation.nc", schemas.EVALUATION),
    ),
    Scenario(
        "measure",
        ["measure", "../model", "--text", "mine/00.txt", "--windows", "40", "--length", "16", "--out", "heads.nc",
         "--summary", "heads.json"],
        _arrays("heads.nc", schemas.DISTANCE_BIAS),
    ),
    Scenario(
        "report",
        ["report", "../model", "--text", "mine/00.txt", "--windows", "16", "--length", "64", "--out", "page.html"],
        lambda folder: (folder / "page.html").read_bytes()[-2000:],
    ),
    Scenario("figures", ["figures", "bias_by_base", "rope_family"], _pictures, workers=True),
    Scenario("sweep", ["sweep"], _runs, workers=True),
)  # fmt: skip


def tiny_sweep() -> None:
    """A sweep of four runs in two processes, in the current folder, as the command makes them."""

    def run() -> None:
        from analysis.experiments import plan, sweep
        from analysis.workers import Workers
        from tests.models.tiny_llama import tiny_recipe

        model = replace(tiny_recipe().model, vocab_size=256)
        scratch = tiny_recipe(model=model, corpus="mine", steps=40)
        scale = plan.Scale(
            scratch, replace(scratch, steps=3, warmup=1), rates=(1e-2, 1e-3), fine_rates=(1e-3,), reach=0, seeds=(0,),
            spans=8, target=4, checkpoints=3,
        )  # fmt: skip
        wanted = [plan.VARIANTS["rope"], plan.VARIANTS["tapa"]]
        places = plan.Places(Path("trained"), Path("runs"))
        sweep.sweep(wanted, scale, places, workers=Workers(2), arguments=["tapa", "sweep"])

    command.app.command("sweep-tiny")(run)
    sys.argv = ["tapa", "sweep-tiny"]
    command.main()


@dataclass
class Counts:
    """What became of the kills of one scenario.

    Attributes:
        kills: processes that were hit before they had ended.
        by_signal, by_target, by_moment: of them.
        heedable: of them, all but SIGKILL of the process itself.
        in_order: of those, that ended with their code in one line.
        ends: runs to the end afterwards.
        resumed: of them, that ended as undisturbed.
        seconds_until_gone: the longest that a process was there after a kill.
        wrong: what was found that is promised not to be, a line each.
    """

    kills: int = 0
    by_signal: Counter[str] = field(default_factory=Counter)
    by_target: Counter[str] = field(default_factory=Counter)
    by_moment: Counter[str] = field(default_factory=Counter)
    heedable: int = 0
    in_order: int = 0
    ends: int = 0
    resumed: int = 0
    seconds_until_gone: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Place:
    """A folder with texts, a model, and a folder in which one scenario runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.mark = f"{os.getpid()}-{root.name}"
        self.work.mkdir(parents=True)
        _write_texts(self.work / "mine")
        arguments = ["train", "cpu", *TINY, "steps=4", "save_every=4", "--out", "run"]
        code, said = self.run(Scenario("model", arguments, _weights))
        assert code == 0, said
        (self.work / "run").rename(root / "model")

    def environment(self) -> dict[str, str]:
        project = self.work / "project"
        path = os.pathsep.join([str(project), str(ROOT)]) if project.exists() else str(ROOT)
        own = {
            "PYTHONPATH": path,
            "OMP_NUM_THREADS": "1",
            MARK: self.mark,
            "TAPA_CACHE": str(self.root / "cache"),
        }
        return os.environ | own

    def start(
        self, scenario: Scenario, *, count: int = 0, how: str = "", fault: Fault = _no_fault
    ) -> Started:
        """The command, which is about to be in its main function when this returns."""
        (self.root / "begun").unlink(missing_ok=True)
        given = [str(self.work), str(count), how, *scenario.arguments]
        self.last = Started(self, given, fork=not scenario.workers, fault=fault)
        while not (self.root / "begun").exists() and self.last.poll() is None:
            time.sleep(0.01)
        return self.last

    def run(self, scenario: Scenario, *, how: str = "", fault: Fault = _no_fault) -> tuple[int | None, str]:
        """The command to its end: exit code, and what it said."""
        return self.start(scenario, how=how, fault=fault).wait(PATIENCE)

    def processes(self) -> dict[int, str]:
        """Processes of this place that run, with what they were started as."""
        found = {} if self.last.poll() is not None else {self.last.pid: "tapa"}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{MARK}={self.mark}\0".encode() in (folder / "environ").read_bytes() and started(
                    int(folder.name)
                ):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def workers(self) -> list[int]:
        return [pid for pid, said in self.processes().items() if "popen_loky" in said or "spawn_main" in said]

    def seconds_until_gone(self) -> float:
        begun = time.monotonic()
        while self.processes():
            if time.monotonic() - begun > 2 * SOON:
                for pid in self.processes():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return 2 * SOON
            time.sleep(0.05)
        return time.monotonic() - begun

    def parts(self) -> list[str]:
        return [str(path.relative_to(self.work)) for path in self.work.rglob(".*.part")]

    def halves(self) -> Iterator[str]:
        """Files under their final names that are not whole."""
        for path in self.work.rglob("*"):
            if any(part.startswith(".") for part in path.relative_to(self.work).parts) or not path.is_file():
                continue
            if not _is_whole(path):
                yield str(path.relative_to(self.work))


def _is_whole(path: Path) -> bool:
    data = path.read_bytes()
    match path.suffix:
        case ".nc":
            return records.schema_at(path) is not None
        case ".json":
            return isinstance(json.loads(data or b"[]"), dict)
        case ".pdf":
            return data.rstrip().endswith(b"%%EOF")
        case ".png":
            return data.endswith(b"IEND\xaeB`\x82")
        case ".safetensors":
            return bool(checkpoint.read_tensors(path))
    return True


def _write_texts(folder: Path) -> None:
    """Twenty documents of a made-up language, no two alike."""
    rng = np.random.default_rng(3)
    words = np.array(["".join(rng.choice(list("aeioumnrst"), 4)) for _ in range(60)])
    folder.mkdir()
    for i in range(20):
        (folder / f"{i:02d}.txt").write_text(" ".join(rng.choice(words, 400)), encoding="utf-8")


def _copy_project(folder: Path) -> None:
    """The project without its pictures and rebuilt records: `tapa figures` writes beside its own code."""
    for name in ("analysis", "proofs", "figures"):
        without = shutil.ignore_patterns("__pycache__", "out", "records", "trained", "*.png")
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=without if name == "figures" else shutil.ignore_patterns("__pycache__"),
        )
    shutil.copytree(ROOT / "figures" / "trained", folder / "figures" / "trained")
    shutil.copy(ROOT / "pyproject.toml", folder)


class Harness:
    """Kills one scenario."""

    def __init__(self, place: Place, scenario: Scenario, draw: random.Random) -> None:
        self.place, self.scenario, self.draw = place, scenario, draw
        self.counts = Counts()
        self.clean()
        if scenario.name == "figures":
            _copy_project(place.work / "project")
        begun = time.monotonic()
        code, said = place.run(scenario, how="SIGKILL")  # counts its file operations, and is hit at none
        self.seconds = time.monotonic() - begun
        assert code == 0, said
        self.operations = int((place.root / "seen").read_text())
        self.expected = scenario.result(place.work)
        self.clean()

    def clean(self) -> None:
        """Nothing in the folder but what the command starts from."""
        work = self.place.work
        for path in work.iterdir():
            if path.name == "project":
                for made in ("out", "records"):
                    shutil.rmtree(path / "figures" / made, ignore_errors=True)
                shutil.rmtree(path / ".pytask", ignore_errors=True)
            elif path.name != "mine":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def wrong(self, said: str) -> None:
        self.counts.wrong.append(f"{self.scenario.name}: {said}")

    def at_moment(self, how: str, target: str) -> None:
        """A signal at a random moment."""
        self.before = set(self.place.parts())  # of earlier kills that could not be heeded
        process = self.place.start(self.scenario)
        until = time.monotonic() + self.draw.uniform(0.0, 0.8) * self.seconds
        hit = process.pid
        while process.poll() is None and (time.monotonic() < until or target == "worker"):
            if target == "worker" and time.monotonic() > until and (workers := self.place.workers()):
                hit = self.draw.choice(workers)
                break
            time.sleep(0.02)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(hit, signal.Signals[how])
        self.after(process, how, target if hit != process.pid else "process", MOMENT)

    def at_operation(self, how: str, count: int) -> None:
        """A signal at the n-th file operation."""
        self.before = set(self.place.parts())
        process = self.place.start(self.scenario, count=count, how=how)
        self.after(process, how, "process", OPERATION)

    def after(self, process: Started, how: str, target: str, moment: str) -> None:
        """What is left."""
        code, said = process.wait(PATIENCE)
        if code is None:
            self.wrong(f"{how} at a {moment} of the {target} was not heeded in {PATIENCE:g} s")
        gone = self.place.seconds_until_gone()
        where = f"{how} at a {moment} of the {target}"
        if code == 0:  # it was faster, or a worker that had nothing to do was hit
            self.at_the_end(code, said)
            self.clean()
            return
        self.counts.kills += 1
        self.counts.by_signal[how] += 1
        self.counts.by_target[target] += 1
        self.counts.by_moment[moment] += 1
        self.counts.seconds_until_gone = max(self.counts.seconds_until_gone, gone)
        if gone > SOON:
            self.wrong(f"{where} left processes for {gone:.1f} s")
        lines = [line for line in said.splitlines() if line.startswith("tapa: ")]
        expected = 2 if target == "worker" else CODES[how]
        if how != "SIGKILL" or target == "worker":
            self.counts.heedable += 1
            if code != expected or "Traceback" in said or len(lines) != 1:
                self.wrong(f"{where} ended with {code} and said {said[-600:]!r}")
            else:
                self.counts.in_order += 1
            if target == "process" and (left := sorted(set(self.place.parts()) - self.before)):
                self.wrong(f"{where} left {left}")
        for path in self.place.halves():
            self.wrong(f"{where} left half of {path}")

    def to_the_end(self) -> None:
        """Run from what is left: the same as undisturbed, and no part of a file is left."""
        self.at_the_end(*self.place.run(self.scenario))

    def at_the_end(self, code: int | None, said: str) -> None:
        self.counts.ends += 1
        if code != 0:
            self.wrong(f"does not go on: {said[-600:]!r}")
        elif self.scenario.result(self.place.work) != self.expected:
            self.wrong("ends otherwise than undisturbed")
        else:
            self.counts.resumed += 1
        for path in self.place.halves():
            self.wrong(f"left half of {path} after its end")

    def full_disk(self) -> None:
        """A disk that is full after so many bytes of a file: one line, and what was there is whole."""
        self.after_fault(FULL_DISK, *self.place.run(self.scenario, fault=_full_disk))
        for path in [*self.place.parts(), *self.place.halves()]:
            self.wrong(f"{FULL_DISK} left {path}")

    def read_only(self) -> None:
        """A folder in which nothing can be made: one line, and nothing has changed."""
        work = self.place.work
        folders = [work, *(path for path in work.rglob("*") if path.is_dir())]
        before = set(work.rglob("*"))
        for folder in folders:
            folder.chmod(0o555)
        try:
            self.after_fault(READ_ONLY, *self.place.run(self.scenario, fault=_heeds_permissions))
        finally:
            for folder in folders:
                folder.chmod(0o755)
        if made := set(work.rglob("*")) ^ before:
            self.wrong(f"{READ_ONLY} was changed: {sorted(map(str, made))}")

    def after_fault(self, fault: str, code: int | None, said: str) -> None:
        self.counts.by_moment[fault] += 1
        lines = [line for line in said.splitlines() if line.startswith("tapa: ")]
        if code != 2 or "Traceback" in said or len(lines) != 1:
            self.wrong(f"{fault} ended with {code} and said {said[-600:]!r}")

    def kill(self, count: int) -> Counts:
        """So many kills at random moments and as many at file operations, on and on from what is left."""
        hows = list(CODES)
        for n in range(4 * count):
            at_random, at_operations = (self.counts.by_moment[name] for name in (MOMENT, OPERATION))
            if at_random < count:
                target = "worker" if self.scenario.workers and n % 2 == 1 else "process"
                self.at_moment(self.draw.choice(hows), target)
            if at_operations < count:
                self.at_operation(hows[n % 3], self.draw.randint(1, max(1, self.operations)))
            if min(self.counts.by_moment[name] for name in (MOMENT, OPERATION)) >= count:
                break
            if n % 5 == 4:
                self.to_the_end()
                self.clean()
        self.to_the_end()
        self.clean()
        self.read_only()
        self.clean()
        self.full_disk()
        self.to_the_end()
        return self.counts


def _import_all() -> None:
    """What the commands import where they need it: a fork has it then."""
    for name in ("experiments.training_run", "studies.perplexity", "studies.distance_bias"):
        importlib.import_module(f"analysis.{name}")
    import h5netcdf  # noqa: F401


def kills(names: Sequence[str], count: int, root: Path, seed: int) -> Iterator[dict[str, Counts]]:
    """Counts by scenario, after each; each scenario draws on its own."""
    _import_all()
    found: dict[str, Counts] = {}
    place = Place(root)
    for scenario in SCENARIOS:
        if scenario.name in names:
            found[scenario.name] = Harness(place, scenario, random.Random(f"{seed} {scenario.name}")).kill(
                count
            )
            print(scenario.name, json.dumps(_plain(found[scenario.name])), flush=True)
            yield found


def _plain(counts: Counts) -> dict[str, object]:
    found = {one.name: getattr(counts, one.name) for one in fields(counts)}
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in found.items()}


def content_of(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the record holds: the scenarios' counts, and their sums."""
    ordered = {one.name: rows[one.name] for one in SCENARIOS if one.name in rows}
    names = ("kills", "heedable", "in_order", "ends", "resumed")
    total: dict[str, Any] = {name: sum(row[name] for row in ordered.values()) for name in names}
    total["wrong"] = sum(len(row["wrong"]) for row in ordered.values())
    total["seconds_until_gone"] = max(row["seconds_until_gone"] for row in ordered.values())
    return {"scenarios": ordered, "total": total}


def main() -> None:
    """Kill, and write the record after each scenario; scenarios that it has already and that are not run now stay."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=20, help="kills at random moments of each scenario")
    parser.add_argument("--only", nargs="*", default=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="a new one, to work in")
    parser.add_argument("--out", type=Path, default=ROOT / "figures" / "summaries" / "kills.json")
    given = parser.parse_args()
    # A shell's background jobs would leave it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    records.ensure_writable(given.out, schemas.KILLS)
    rows = (
        records.read_summary(given.out, expect_schema=schemas.KILLS)["scenarios"]
        if given.out.exists()
        else {}
    )
    begun = time.perf_counter()
    for found in kills(given.only, given.count, given.folder.absolute(), given.seed):
        about = {"asked": given.count, "seed": given.seed}
        rows |= {name: about | _plain(counts) for name, counts in found.items()}
        origin = records.Provenance.collect(
            ["python", "-m", "tests.kills", "--count", str(given.count), "--only", *given.only],
            {"count": given.count, "scenarios": list(found)},
            seeds={"moments and targets": given.seed},
            device="cpu", precision="counts", threads=1, seconds=time.perf_counter() - begun,
        )  # fmt: skip
        records.write_summary(content_of(rows), given.out, origin, schema=schemas.KILLS)
    wrong = [line for counts in found.values() for line in counts.wrong]
    print("\n".join(wrong) or "nothing wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
