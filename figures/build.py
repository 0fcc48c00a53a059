"""Runs the steps of the catalogue that are missing or out of date: several at once, each in a process of its own.

A step's sources are what its study can import: `closure` walks the imports of the project's own modules.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import joblib
import pytask

from analysis import records
from analysis.errors import InputError
from analysis.files import write_whole
from analysis.processes import Terminated, at_work
from analysis.progress import errors
from analysis.settings import nearest
from figures.catalogue import FIGURES, MADE, OUT, ROOT, Figure, Record, read_any, record_row

OURS = ("analysis", "figures", "proofs")
TABLED = {"analysis.schemas", "figures.catalogue"}  # a step depends on its own row there, see `row_hash`
WRITTEN_WITH = {"record": "analysis.records", "picture": "figures.style"}

Graph = dict[str, frozenset[str]]
Step = tuple[str, str]  # "record" and its name, or "picture" and its file's stem


# What a step depends on.


def file_of(module: str, root: Path = ROOT) -> Path | None:
    """The file of one of our modules or packages; None for a name that is none."""
    place = root.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def closure(module: str, known: Graph, root: Path = ROOT) -> set[str]:
    """The module and all of ours that it imports, directly or through others, inside functions too.

    Args:
        module: dotted name.
        known: what single modules import; filled on the way, shared between calls.
        root: of the project.

    Raises:
        InputError: there is no such module.
    """
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name not in known:
            known[name] = frozenset(_imported(name, root))
        waiting.extend(known[name])
    return found


def _imported(module: str, root: Path) -> Iterator[str]:
    """What one module imports of ours; packages above it are imported with it."""
    file = file_of(module, root)
    if file is None:
        raise InputError(f"module {module} does not exist; correct the catalogue")
    yield from _above(module)
    for node in _running(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr == "__path__" and isinstance(node.value, ast.Name):
            names = list(_members(node.value.id, file, root))  # `pkgutil` finds the modules of a package
        else:
            continue
        for name in names:
            if name.split(".")[0] in OURS and file_of(name, root):
                yield name
                yield from _above(name)


def _above(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:i]) for i in range(1, len(parts)))


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _members(package: str, file: Path, root: Path) -> Iterator[str]:
    """Modules of a package of ours that `file` imports under this name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and package in {
            alias.asname or alias.name for alias in node.names
        }:
            folder = root.joinpath(*f"{node.module}.{package}".split("."))
            for path in sorted(folder.glob("*.py")):
                yield f"{node.module}.{package}.{path.stem}".removesuffix(".__init__")


def sources(kind: str, function: str, known: Graph, root: Path = ROOT) -> dict[str, Path]:
    """Files of every module that decides what a step makes, by module name.

    Args:
        kind: "record" or "picture".
        function: "module:function" of its study, or what draws it.
        known, root: of `closure`.
    """
    modules = closure(function.partition(":")[0], known, root) | closure(WRITTEN_WITH[kind], known, root)
    return {name: _file(name, root) for name in sorted(modules - TABLED)}


def _file(module: str, root: Path) -> Path:
    file = file_of(module, root)
    assert file is not None  # it was read
    return file


def row_hash(of: Record | Figure) -> str:
    """Hash of what a row of the catalogue says, so that an edit of another row leaves its step alone."""
    said = {name: getattr(of, name) for name in of.__dataclass_fields__}
    if isinstance(of, Record):
        said["schema"] = {name: getattr(of.schema, name) for name in of.schema.__dataclass_fields__}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=_relative).encode()).hexdigest()


def _relative(value: Path) -> str:
    return value.relative_to(MADE if value.is_relative_to(MADE) else ROOT).as_posix()


# The steps.


def resolve(function: str) -> Callable[..., Any]:
    """The function that "module:function" names."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def perform_step(step: Step) -> None:
    """Make one record with its tables, or draw one picture."""
    kind, name = step
    if kind == "record":
        _make(record_row(name))
    else:
        _draw(name)


def _make(of: Record) -> None:
    assert of.study is not None  # committed records have no step
    begun = time.perf_counter()
    made = resolve(of.study)(**of.settings, **of.inputs, **{name: read_any(name) for name in of.needs})
    data, provenance = made if isinstance(made, tuple) else (made, None)
    if provenance is None:
        seed = of.settings.get("seed")
        provenance = records.Provenance.collect(
            of.schema.made_by.split(),
            {**of.settings, **_named(of.inputs), "records": list(of.needs)},
            seeds={} if seed is None else {"draws": seed},
            device="cpu",
            precision=of.precision,
            threads=1,
            seconds=time.perf_counter() - begun,
        )
    if of.digits is None:
        records.write(data, of.path, provenance, schema=of.schema)
    else:
        records.write_summary(data, of.path, provenance, schema=of.schema, digits=of.digits)
    if of.tables:
        texts = resolve(of.tables)(data)
        for path in of.table_files:
            write_whole(path, texts[path.name])


def _named(inputs: Mapping[str, Mapping[str, Path] | Path]) -> dict[str, Any]:
    return {key: list(files) if isinstance(files, Mapping) else files.stem for key, files in inputs.items()}


def _draw(stem: str) -> None:
    from figures.style import save_figure

    ((figure, needs),) = [(f, f.pictures[stem]) for f in FIGURES.values() if stem in f.pictures]
    taken = {key: read_any(name) for key, name in needs.items()}
    save_figure(resolve(figure.drawn_by), taken, OUT / stem, figure.committed)


# Several at once.

_NOT_DUE = (  # what pytask raises of a step that is not to run, or cannot
    pytask.SkippedUnchanged,
    pytask.SkippedAncestorFailed,
    pytask.Skipped,
    pytask.NodeNotFoundError,
)


def _task(session: pytask.Session, name: str) -> pytask.PTask:
    task = session.dag.nodes[name]
    assert isinstance(task, pytask.PTask)  # the scheduler knows no other nodes
    return task


def _step(task: pytask.PTask) -> Step:
    node = task.depends_on["step"]
    assert isinstance(node, pytask.PythonNode)  # as `figures.tasks` has it
    kind, name = cast("Step", node.value)
    return kind, name


class _Refused(BaseException):
    """Carries an `InputError` past pytask, which would print a traceback of it."""

    def __init__(self, error: InputError) -> None:
        self.error = error


class Several:
    """A plugin of pytask that runs steps in processes, as many at once as it is given, and says how far it is.

    Attributes:
        outcomes: of every step that was looked at, by the name of its task.
        code: pytask's exit code.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.outcomes: dict[str, str] = {}
        self.code = 1
        self.begun: dict[str, float] = {}

    @pytask.hookimpl(tryfirst=True)
    def pytask_execute_build(self, session: pytask.Session) -> bool | None:
        """Steps whose needs are there, until none is left; with one process pytask's own loop does it."""
        if self.processes == 1 or session.config["dry_run"]:
            return None
        scheduler = session.scheduler
        assert scheduler is not None  # pytask makes it first
        running: dict[Future[None], str] = {}
        try:
            from analysis.workers import pool  # torch, which drawing in this process does without

            with pool(self.processes) as executor:
                while scheduler.is_active() and not session.should_stop:
                    free = self.processes - len(running)
                    ready = scheduler.get_ready(free) if free else []
                    for name in ready:
                        task = _task(session, name)
                        if self._is_due(session, task):
                            running[executor.submit(at_work, perform_step, _step(task))] = name
                        else:
                            scheduler.done(name)
                    if running and not (free and ready):
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            name = running.pop(future)
                            self._finish(session, _task(session, name), future.exception())
                            scheduler.done(name)
        except InputError as error:
            raise _Refused(error) from error
        return True

    def _is_due(self, session: pytask.Session, task: pytask.PTask) -> bool:
        """Whether the step has to run; what pytask raises to say that it need not is its report."""
        self.begun[task.name] = time.perf_counter()
        try:
            session.hook.pytask_execute_task_setup(session=session, task=task)
        except _NOT_DUE as said:
            self._report(session, task, said)
            return False
        return True

    def _finish(self, session: pytask.Session, task: pytask.PTask, failure: BaseException | None) -> None:
        if failure is None:
            try:
                session.hook.pytask_execute_task_teardown(session=session, task=task)
            except pytask.NodeNotFoundError as missing:
                failure = missing
        self._report(session, task, failure)

    def _report(self, session: pytask.Session, task: pytask.PTask, said: BaseException | None) -> None:
        if isinstance(said, InputError | BrokenExecutor):  # for one line, in place of pytask's report
            raise said
        if said is None:
            report = pytask.ExecutionReport.from_task(task)
        else:
            raised: tuple[type[BaseException], BaseException, TracebackType | None]
            raised = (type(said), said, said.__traceback__)
            report = pytask.ExecutionReport.from_task_and_exception(task, raised)
        session.hook.pytask_execute_task_process_report(session=session, report=report)
        session.execution_reports.append(report)
        self._say(session, report)

    @pytask.hookimpl
    def pytask_execute_task_log_start(self, task: pytask.PTask) -> None:
        """Called by pytask's own loop."""
        self.begun[task.name] = time.perf_counter()

    @pytask.hookimpl(tryfirst=True)
    def pytask_execute_task_log_end(self, session: pytask.Session, report: pytask.ExecutionReport) -> None:
        """Called by pytask's own loop, which makes a report of what is to end everything: it is raised again."""
        said = report.exc_info[1] if report.exc_info else None
        if isinstance(said, KeyboardInterrupt):
            raise said
        if isinstance(said, InputError):
            raise _Refused(said)
        self._say(session, report)

    def _say(self, session: pytask.Session, report: pytask.ExecutionReport) -> None:
        if report.outcome is pytask.TaskOutcome.SKIP:
            return  # nobody asked for it
        self.outcomes[report.task.name.split("::")[-1]] = report.outcome.name
        if report.outcome.name not in ("SKIP_UNCHANGED", "WOULD_BE_EXECUTED"):
            seconds = time.perf_counter() - self.begun[report.task.name]
            asked = sum(not pytask.has_mark(task, "skip") for task in session.tasks)
            step = f"step {len(self.outcomes)} of {asked}"
            what = " ".join(_step(report.task))
            how = f"{seconds:.1f} s" if report.outcome is pytask.TaskOutcome.SUCCESS else "failed"
            errors.print(f"{step}: {what}, {how}", markup=False)


def build(
    names: Sequence[str] = (),
    *,
    force: bool = False,
    only_records: Sequence[str] = (),
    processes: int | None = None,
) -> int:
    """Make the named figures, or all, with the records that they need, and say where the pictures are.

    Code that was edited after this process had imported it is not seen: `tapa figures` is a process of its own.

    Args:
        names: of figures; all if none is named.
        force: run every step again.
        only_records: instead of figures, these records with those that they need.
        processes: steps at once, each on one thread; None for one on each processor.

    Returns:
        The exit code: 0 if every step succeeded.

    Raises:
        InputError: for a name that is no figure or no record.
    """
    if unknown := [name for name in names if name not in FIGURES]:
        raise InputError(f"figure {unknown[0]!r} is unknown; {nearest(unknown[0], FIGURES)}")
    wanted = [f"picture[{stem}]" for name in names for stem in FIGURES[name].pictures]
    wanted += [f"record[{record_row(name).name}]" for name in only_records]
    code = run_steps(wanted, force=force, processes=processes or joblib.cpu_count()).code
    if code == 0 and not only_records:
        for name in names or FIGURES:
            for stem in FIGURES[name].pictures:
                print(_shown(OUT / f"{stem}.pdf"))
    return code


def run_steps(
    wanted: Sequence[str] = (), *, force: bool = False, dry: bool = False, processes: int = 1
) -> Several:
    """Run pytask on `figures/tasks.py`.

    Args:
        wanted: "record[NAME]" and "picture[STEM]", with what they need; all steps if there is none.
        force: run every step again.
        dry: only say which steps would run.
        processes: see `Several`.

    Raises:
        InputError: a step's own, or pytask cannot begin.
    """
    plugin = Several(processes)
    # run anew at each call, which hands its tasks to pytask; by its name, so that it is the one beside this module
    sys.modules.pop("figures.tasks", None)
    importlib.import_module("figures.tasks")
    manager = pytask.get_plugin_manager()
    pytask.storage.store(manager)  # that of this call alone
    manager.register(plugin)
    configuration = _configuration()
    arguments = ["build", "--config", str(configuration), "-x", "--capture", "no", "--verbose", "0"]
    arguments += [flag for flag, given in (("--force", force), ("--dry-run", dry)) if given]
    arguments += ["-k", " or ".join(wanted)] if wanted else []
    try:
        # not `cli.main`, which makes another exception of an interrupt
        with pytask.cli.make_context("pytask", [*arguments, str(ROOT / "figures")]) as context:
            pytask.cli.invoke(context)
    except _Refused as refused:
        raise refused.error from None
    except Terminated:
        raise
    except SystemExit as end:
        plugin.code = int(end.code or 0)
    if plugin.code == pytask.ExitCode.CONFIGURATION_FAILED:  # it has printed why
        kept = configuration.parent / ".pytask"
        raise InputError(
            f"what pytask remembers in {kept} cannot be written or read; make room, or remove it"
        )
    return plugin


def _configuration() -> Path:
    """pytask's, beside which it remembers what it has run: the clone's, or one in the folder that can be written."""
    if (clone := ROOT / "pyproject.toml").is_file():
        return clone
    own = MADE / "pyproject.toml"
    write_whole(own, '[tool.pytask.ini_options]\ntask_files = ["tasks.py"]\n')
    return own


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
