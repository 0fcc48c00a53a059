"""Plant errors in `proofs` one at a time, and count which the ledger does not see: `python -m proofs.mutants 300`.

An error is one changed operator, relation, constant, range, quantifier, hypothesis or printed word, drawn by seed, as
many of each kind; `proofs.planting.mutants_of` says what is none by construction. The ledger is run once, and which
functions each claim calls is written down. An error is then judged in a fork of that warm process, which imports
`proofs` anew with the error in it: by the rules of the whole ledger, by the known answers of its tools, then by the
claims that call the function (or one that names what a module-level line defines), the cheapest of its own module
first, until one comes to another verdict of its own, contradicts its attack or cannot be run. Claims that are left out
can only make the score lower. Practice rows decide nothing and are left out: an error that only they meet is drawn,
recorded as `unmet`, and not counted. What is left alive stands in the record with its line, and with the reason once
somebody has written it there (`why`).

Rows are written as they come. A row is kept as long as no module that it was judged with has changed.
"""

from __future__ import annotations

import argparse
import ast
import cProfile
import importlib
import io
import json
import os
import signal
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import version
from importlib.util import spec_from_file_location
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.evidence import Verdict
from analysis.files import write_whole
from analysis.processes import begin_work
from proofs.balls import PRECISION, precision
from proofs.ledger import Ledger, LedgerError, own_verdict
from proofs.planting import Mutant, attack_functions, drawn, names_read, planted, proof_sources, text_digest
from proofs.rivals import load_neighbours
from proofs.verify import check_rules, gather, gather_attack, gather_needed

_ROOT = Path(__file__).resolve().parents[1]


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def imports(modules: dict[str, str]) -> dict[str, set[str]]:
    """Which modules each module imports, by their paths below `proofs`."""
    names = {f"proofs.{file.removesuffix('.py').replace('/', '.')}": file for file in modules}
    graph: dict[str, set[str]] = {}
    for file, source in modules.items():
        found = set()
        for node in ast.walk(_tree(source)):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        graph[file] = {names[name] for name in found if name in names}
    return graph


def affected(file: str, graph: dict[str, set[str]]) -> list[str]:
    """The modules whose import closure holds `file`, nearest first."""
    order, front = [file], [file]
    while front:
        front = [user for user in graph if user not in order and graph[user] & set(front)]
        order += front
    return order


def used_with(file: str, graph: Mapping[str, set[str]]) -> list[str]:
    """The modules that a judgement of `file` depends on: those that it affects, and all that these import."""
    found = set(affected(file, dict(graph)))
    front = found
    while front:
        front = set().union(*(graph[name] for name in front)) - found
        found |= front
    return sorted(found)


Function = tuple[str, int]  # file below `proofs`, first line


@dataclass(frozen=True, slots=True)
class Warm:
    """The sound ledger, run once in this process.

    Attributes:
        modules: source of every module that errors are planted in, by its path below `proofs`.
        expected: own verdict of every node.
        seconds: processor time that it took.
        called: the functions of `proofs` that its checks called.
    """

    modules: dict[str, str]
    expected: dict[str, str]
    seconds: dict[str, float]
    called: dict[str, set[Function]]


def warm_up(ledger: Ledger, nodes: Iterable[str] | None = None) -> Warm:
    """Run every check and attack (or those of `nodes`), and write down what it came to and what it called."""
    warm = Warm(proof_sources(), {}, {}, {})
    for node in ledger.nodes() if nodes is None else nodes:
        _forget()
        called: set[Function] = set()
        start = time.process_time()
        with _listening(called):
            warm.expected[node] = str(_judged(ledger, node))
        warm.seconds[node] = time.process_time() - start
        warm.called[node] = called
    return warm


def _forget() -> None:
    """Empty the caches of the functions of `proofs`: what is found there calls nothing."""
    for module in [found for name, found in sys.modules.items() if name.startswith("proofs.")]:
        for value in vars(module).values():
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()


@contextmanager
def _listening(called: set[Function]) -> Iterator[None]:
    """In the block, add to a set each function of `proofs` that is called: by the profiler, which costs little."""
    profile = cProfile.Profile(builtins=False)
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        codes = (entry.code for entry in profile.getstats())
        found = (_function(code) for code in codes if isinstance(code, types.CodeType))
        called.update(function for function in found if function is not None)


def _function(code: types.CodeType) -> Function | None:
    path = Path(code.co_filename)
    inside = path.is_relative_to(_ROOT / "proofs")
    return (path.relative_to(_ROOT / "proofs").as_posix(), code.co_firstlineno) if inside else None


def asked(mutant: Mutant, warm: Warm, ledger: Ledger) -> list[str]:
    """The nodes whose checks meet the changed line, those of its own module first, and the cheap before the dear.

    A line in a function: those that call it, and those that are made from what a module-level line calls it for. One
    outside: those that call a function in which a name that it defines is read, or that are declared there.
    """
    spans = _functions(warm.modules[mutant.file])
    inside = [span for span in spans if span.start <= mutant.line <= span.stop]
    functions = _readers(mutant, warm.modules, called=bool(inside))
    if inside:
        functions |= {(mutant.file, max(inside, key=lambda span: span.start).first)}
    own = _files(ledger)
    met = [node for node, called in warm.called.items() if called & functions]
    return sorted(met, key=lambda node: (own[node] != mutant.file, warm.seconds[node]))


@dataclass(frozen=True, slots=True)
class _Span:
    """A function: the line that its code names first, and the lines of its signature and body."""

    first: int
    start: int
    stop: int
    name: str


def _functions(source: str) -> list[_Span]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        _Span(
            min([node.lineno, *(one.lineno for one in node.decorator_list)]),
            node.lineno,
            node.end_lineno or node.lineno,
            node.name,
        )
        for node in ast.walk(_tree(source))
        if isinstance(node, kinds)
    ]


def _readers(mutant: Mutant, modules: Mapping[str, str], *, called: bool) -> set[Function]:
    """The functions that read a name which a module-level line defines, here or where it is imported to.

    What another module-level line makes of such a name counts too, and so does the function that is decorated there.
    Of a line in a function (`called`) only what module-level lines make of it.
    """
    files = affected(mutant.file, imports(dict(modules)))
    statements = [(file, node) for file in files for node in _tree(modules[file]).body]
    at = [node for file, node in statements if file == mutant.file and _holds_line(node, mutant.line)]
    names, found = set().union(*map(_defined, at)), set[Function]()
    own = set(names) if called else set[str]()
    grown = True
    while grown:
        before = len(names)
        for _, node in statements:
            if not isinstance(node, ast.Import | ast.ImportFrom) and _outside(node) & names:
                names |= _defined(node)
        grown = len(names) > before
    names -= own
    for file in files:
        for span, reads in _with_reads(modules[file]):
            if span.name in names or reads & names:
                found.add((file, span.first))
    return found


@cache
def _with_reads(source: str) -> list[tuple[_Span, set[str]]]:
    spans = {(span.start, span.name): span for span in _functions(source)}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(_tree(source)) if isinstance(node, kinds)]
    return [(spans[node.lineno, node.name], {*names_read(node)}) for node in nodes]


def _holds_line(node: ast.stmt, line: int) -> bool:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return first <= line <= (node.end_lineno or node.lineno)


def _defined(node: ast.stmt) -> set[str]:
    """The names that a module-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


@cache
def _outside(node: ast.stmt) -> set[str]:
    """The names that a module-level statement reads when it is imported: of a function its decorators and defaults."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        return set().union(*(names_read(part) for part in parts))
    return {*names_read(node)}


def judge_whole(
    expected: Mapping[str, str], nodes: Sequence[str], ledger: Ledger, *, tools: bool = True
) -> str:
    """What sees an error: a rule of the whole ledger, a known answer that a tool does not give, else `judge`."""
    try:
        check_rules(ledger, tools=tools)
    except LedgerError as error:
        return str(error)[:160]
    return judge(expected, nodes, ledger)


def judge(expected: Mapping[str, str], nodes: Sequence[str], ledger: Ledger) -> str:
    """The first of these nodes, in their order, that comes to another verdict of its own; "" if none does."""
    place = ledger.nodes()
    for node in nodes:
        if node not in place:
            return f"{node}: gone from the ledger"
        try:
            found = _judged(ledger, node)
        except LedgerError as error:
            return f"{node}: {str(error)[:160]}"
        if found != expected[node]:
            return f"{node}: {found}, not {expected[node]}"
    return ""


def _files(ledger: Ledger) -> dict[str, str]:
    """Of every node the module that it stands in, below `proofs`."""
    return {
        node: form.place.partition(":")[0].removeprefix("proofs/") for node, form in ledger.nodes().items()
    }


def _judged(ledger: Ledger, node: str) -> Verdict:
    """A node's own verdict, computed now."""
    form = ledger.nodes()[node]
    with precision(PRECISION):
        evidence = gather(node, form.check)
        gather_needed(node, ledger)
        attack = gather_attack(node, ledger) if node in ledger.attacks else ()
        return own_verdict(node, evidence, attack, written=bool(form.proof))


class _Loader(SourceFileLoader):
    """Loads one module from a source that is not the one on disk."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> types.CodeType:
        return compile(self.source, self.path, "exec")


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds one module of `proofs` with another source."""

    name: str
    path: str
    source: str

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return spec_from_file_location(fullname, self.path, loader=_Loader(fullname, self.path, self.source))


def _judge_fork(
    to: Connection, parent: int, mutant: Mutant, source: str, nodes: Sequence[str], warm: Warm, limit: float
) -> None:
    """In a fork: import `proofs` anew with the error in it, judge, and send what saw it; None when time is up."""
    begin_work(parent)

    def give_up(*_: object) -> None:
        to.send(None)
        os._exit(0)

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(
        signal.ITIMER_PROF, limit
    )  # of this process alone: other work on the machine does not count
    name = f"proofs.{mutant.file.removesuffix('.py').replace('/', '.')}"
    for known in [known for known in sys.modules if known == "proofs" or known.startswith("proofs.")]:
        del sys.modules[known]
    sys.meta_path.insert(0, _Finder(name, str(_ROOT / "proofs" / mutant.file), source))  # type: ignore[arg-type]
    with redirect_stderr(io.StringIO()):  # a ledger that cannot be made ends the fork, and is killed
        fresh = importlib.import_module("proofs.mutants")
        tools = "/" not in mutant.file  # what a claim's module makes is no tool of others
        to.send(fresh.judge_whole(warm.expected, nodes, fresh.load_neighbours(), tools=tools))
    to.close()


def outcome(mutant: Mutant, warm: Warm, ledger: Ledger, limit: float) -> dict[str, Any]:
    """Plant one error and judge it in a fork, for so many seconds of its own processor time at most."""
    nodes = asked(mutant, warm, ledger)
    if not nodes:
        return asdict(mutant) | {"ended": "unmet", "by": "", "asked": 0}
    source = planted(warm.modules[mutant.file], mutant)
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    arguments = (there, os.getpid(), mutant, source, nodes, warm, limit)
    process = context.Process(target=_judge_fork, args=arguments, daemon=True)
    process.start()
    there.close()
    try:
        try:
            by = here.recv()
            ended = "killed" if by else "survived"
            if by is None:
                ended, by = "over time", f"{limit:g} s"
        except EOFError:
            ended, by = "killed", "the ledger cannot be made"
    finally:
        process.kill()
        process.join()
        here.close()
    return asdict(mutant) | {"ended": ended, "by": by, "asked": len(nodes)}


def judge_all(
    number: int, seed: int, record: Path, limit: float, report: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Judge so many errors that claims meet, and keep each in the record as it comes.

    Rows whose modules have not changed are kept, and so are the reasons why an error survives.
    """
    kept = _kept(record)
    old = {_row_mutant(row).change: row for row in kept.get("rows", ())}
    reasons = {change: row["why"] for change, row in old.items() if "why" in row}
    modules = proof_sources()
    graph, attacks = imports(modules), attack_functions(modules)
    whole: dict[str, Any] = {"seed": seed, "rows": []}
    ledger = warm = None
    for mutant in drawn(modules, sys.maxsize, seed):
        if sum(row["ended"] != "unmet" for row in whole["rows"]) >= number:
            break
        of = text_digest("".join(modules[file] for file in used_with(mutant.file, graph)))[:16]
        row = old.get(mutant.change)
        if row is None or row["of"] != of or _row_mutant(row) != mutant:
            if ledger is None or warm is None:
                ledger = load_neighbours()
                warm = warm_up(ledger)
            row = outcome(mutant, warm, ledger, limit) | {"of": of}
            report(f"{row['ended']}: {mutant.key}: {row['by']}")
        if row["ended"] == "survived" and mutant.change in reasons:
            row["why"] = reasons[mutant.change]
        whole["rows"].append(row | {"part": _part(mutant, modules, attacks)})
        whole["counts"], whole["parts"] = score(whole["rows"]), score(whole["rows"], by="part")
        _write(record, whole, modules)
    return whole


def _part(mutant: Mutant, modules: Mapping[str, str], attacks: Mapping[str, set[str]]) -> str:
    """Where an error stands: in a "statement" or another module-level line, in an "attack" alone, or in a "check"."""
    inside = [
        span.name for span in _functions(modules[mutant.file]) if span.start <= mutant.line <= span.stop
    ]
    if not inside:
        return "statement"
    return "attack" if set(inside) & attacks[mutant.file] else "check"


SCHEMA = "mutants/2"


def _write(record: Path, content: Mapping[str, Any], modules: Mapping[str, str]) -> None:
    """The record as the project's summaries are: schema, provenance, content."""
    met = sum(row["ended"] != "unmet" for row in content["rows"])
    made = {
        "command": f"python -m proofs.mutants {met} --seed {content['seed']}",
        "sources_sha256": text_digest("".join(f"{file}\n{text}" for file, text in sorted(modules.items()))),
        "versions": {name: version(name) for name in ("sympy", "python-flint")}
        | {"python": sys.version.split()[0]},
    }
    whole = {"schema": SCHEMA, "provenance": made, "content": content}
    write_whole(record, json.dumps(whole, indent=1, sort_keys=True) + "\n")


def _kept(record: Path) -> dict[str, Any]:
    if not record.is_file():
        return {}
    kept = json.loads(record.read_text(encoding="utf-8"))
    if kept.get("schema") != SCHEMA:
        raise InputError(f"{record} is no record of mutants; give another file")
    return kept["content"]


def _row_mutant(row: Mapping[str, Any]) -> Mutant:
    return Mutant(**{name: row[name] for name in Mutant.__slots__})


def score(rows: Iterable[Mapping[str, Any]], *, by: str = "kind") -> dict[str, dict[str, int]]:
    """How many of each kind, or of each part, ended how."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row[by], Counter())[row["ended"]] += 1
    return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}


def mutation_score() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Plant errors in proofs/ and count which the ledger does not see."
    )
    parser.add_argument("number", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=_ROOT / "figures" / "summaries" / "mutants.json")
    parser.add_argument("--limit", type=float, default=120.0, help="processor seconds for one error")
    given = parser.parse_args()
    kept = judge_all(given.number, given.seed, given.out, given.limit, lambda line: print(line, flush=True))
    ends = Counter(row["ended"] for row in kept["rows"])
    sys.stdout.write(f"{len(kept['rows'])} errors: {dict(ends)}\n")


if __name__ == "__main__":
    mutation_score()
