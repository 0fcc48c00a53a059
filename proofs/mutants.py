"""Plant errors in `proofs` one at a time, and count which the ledger does not see: `python -m proofs.mutants 300`.

An error is one changed operator, relation, constant, range, quantifier, hypothesis or printed word, drawn by seed, as
many of each kind. The ledger is run once, and which functions each claim calls is written down. An error is then judged
in a fork of that warm process, which imports `proofs` anew with the error in it, by the claims that call the function
(or one that names what a module-level line defines), the cheapest of its own module first, until one comes to another
verdict of its own, contradicts its attack or cannot be run. Claims that are left out can only make the score lower.
Practice rows decide nothing and are left out: an error that only they meet is drawn, recorded as `unmet`, and not
counted. What is left alive stands in the record with its line, and with the
reason once somebody has written it there (`why`).

Rows are written as they come. A row is kept as long as no module that it was judged with has changed.
"""

from __future__ import annotations

import argparse
import ast
import cProfile
import hashlib
import importlib
import io
import json
import os
import re
import signal
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
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
from proofs.rivals import load_neighbours
from proofs.verify import gather, gather_needed

_ROOT = Path(__file__).resolve().parents[1]
# what the ledger's own rules, its printing and this module are made of is tested by other means
_LEFT_OUT = (
    *("ledger.py", "verify.py", "status.py", "cache.py", "mutants.py", "classical.py", "formal_record.py"),
    *("__init__.py", "wording.py"),
)
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.Lt,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
}
_QUANTIFIERS = {"all": "any", "any": "all", "min": "max", "max": "min"}
_HYPOTHESES = ("assumes", "given", "when")
_PRINTED = ("says", "words")
_SIGNS = {
    "<": ">",
    ">": "<",
    "<=": ">=",
    ">=": "<=",
    "==": "!=",
    "!=": "==",
}  # of `proofs.statements.relation`
_NUMBER = re.compile(r"-?\d+(\.\d+)?(/\d+)?")
_SHOWN = (
    "what",
    "computed",
    "predicted",
    "precision",
    "domain",
)  # texts that evidence shows beside its verdict
_EFFORT = ("number", "seed", "tol", "max_boxes")  # how long something is searched, and from where
_COUNTED = ("range", "Fraction", "ball")  # what a list of places to look at is written with


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted error: where (file below `proofs`, line), its kind, and the source before and after."""

    file: str
    line: int
    column: int
    kind: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """Its name in the record."""
        return f"{self.file}:{self.line}:{self.column} {self.kind}: {self.before} -> {self.after}"

    @property
    def change(self) -> str:
        """The same without its place, which moves with the lines above."""
        return f"{self.file} {self.kind}: {self.before} -> {self.after}"


def mutants_of(source: str, file: str, attacks: Collection[str] = ()) -> list[Mutant]:
    """Every error of every kind that can be planted in a module's source; `attacks`: functions that only attacks run.

    Not planted, as no verdict depends on it by construction: in docstrings and in texts that evidence shows beside its
    verdict (f-strings that are no statement and no number, the `computed` and `predicted` of `exact` and `tried`); in
    the effort of a search (`_EFFORT`); and in literal lists and ranges that a loop of an attack runs over, which are
    where it looks, and not what it looks for.
    """
    tree, found, lines = ast.parse(source), [], source.encode().splitlines(keepends=True)
    idle = {id(_documentation(node)) for node in ast.walk(tree)}
    idle |= {id(inner) for node in (*_shown(tree), *_places(tree, attacks)) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in idle:
            continue
        for kind, changed in _changes(node):
            place, text = _place(node, changed)
            before = _segment(lines, place)
            if "\n" not in before or kind in ("hypothesis", "says"):
                found.append(Mutant(file, place.lineno, place.col_offset, kind, before, text))
    return found


def _shown(tree: ast.AST) -> Iterator[ast.AST]:
    """Texts beside a verdict, and the effort of searches."""
    made = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Call) for inner in _meant(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in made:
            yield node
        if isinstance(node, ast.Call) and _name(node.func) in ("exact", "tried"):
            yield from node.args[2:]
        if isinstance(node, ast.keyword) and node.arg in (*_SHOWN, *_EFFORT):
            yield node.value


def _meant(call: ast.Call) -> Iterator[ast.AST]:
    """The f-strings of a call that are a number or a statement."""
    parts = [keyword.value for keyword in call.keywords if keyword.arg in (*_PRINTED, *_HYPOTHESES)]
    parts += call.args if _name(call.func) in ("ball", "arb", "Rational", "Fraction") else []
    for part in parts:
        yield from (inner for inner in ast.walk(part) if isinstance(inner, ast.JoinedStr))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _places(tree: ast.Module, attacks: Collection[str]) -> Iterator[ast.AST]:
    """The literal lists and ranges that the loops of attacks run over."""
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in attacks:
            for node in ast.walk(function):
                if isinstance(node, ast.For | ast.comprehension) and _literal(node.iter):
                    yield node.iter


def _literal(node: ast.expr) -> bool:
    """Written with numbers, names, tuples, lists and `_COUNTED` alone?"""
    plain = (ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Starred, ast.UnaryOp, ast.BinOp, ast.operator)
    also = (ast.unaryop, ast.expr_context)
    return all(
        isinstance(one, plain + also) or (isinstance(one, ast.Call) and _name(one.func) in _COUNTED)
        for one in ast.walk(node)
    )


def attack_functions(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """Of every module the functions that nothing but attacks runs: attacks, and helpers that only these read.

    A private name is read in its own module, another wherever it occurs: so a helper that shares its name with
    something that a check reads counts as a check's.
    """
    units = [(file, node) for file, source in modules.items() for node in ast.parse(source).body]
    readers: dict[str, set[tuple[str, str]]] = {}
    for file, node in units:
        for name in {*_read(node)} if not isinstance(node, ast.Import | ast.ImportFrom) else ():
            readers.setdefault(name, set()).add((file, getattr(node, "name", "")))
    found = {(file, getattr(node, "name", "")) for file, node in units if _may_attack(node)}
    attacks = {
        (file, getattr(node, "name", "")) for file, node in units if _may_attack(node) and _decorated(node)
    }
    grown = len(found) + 1
    while len(found) < grown:
        grown = len(found)
        for file, name in sorted(found - attacks):
            private = name.startswith("_")
            by = {one for one in readers.get(name, ()) if one[0] == file or not private} - {(file, name)}
            if not by or not by <= found:
                found.discard((file, name))
    return {file: {name for where, name in found if where == file} for file in modules}


def _may_attack(node: ast.stmt) -> bool:
    """A function that is an attack, or has no decorator and so may be a helper of one."""
    return isinstance(node, ast.FunctionDef) and all(
        isinstance(one, ast.Call) and _name(one.func) == "attack" for one in _decorated(node)
    )


def _decorated(node: ast.stmt) -> list[ast.expr]:
    return getattr(node, "decorator_list", [])


def _segment(lines: Sequence[bytes], place: Any) -> str:
    """The source of a node."""
    first, last = place.lineno - 1, place.end_lineno - 1
    if first == last:
        return lines[first][place.col_offset : place.end_col_offset].decode()
    parts = [lines[first][place.col_offset :], *lines[first + 1 : last], lines[last][: place.end_col_offset]]
    return b"".join(parts).decode()


def _documentation(node: ast.AST) -> ast.Constant | None:
    """The docstring of a module, function or class."""
    kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
    first = node.body[0] if isinstance(node, kinds) and node.body else None
    return first.value if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else None


def _place(node: Any, changed: Any) -> tuple[Any, str]:
    """The node whose source is replaced, and by what; a keyword's value stands in its place."""
    place = node.value if isinstance(node, ast.keyword) else node
    text = ast.unparse(changed)
    return place, f"({text})" if isinstance(changed, ast.BinOp) else text


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The kinds of error that a node admits, with the node as it is then."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield "operator", ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        yield "operator", ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])]()], node.comparators)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in _SIGNS:
        yield "operator", ast.Constant(_SIGNS[node.value])
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "constant", ast.Constant(node.value + 1)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NUMBER.fullmatch(node.value):
        yield "constant", ast.Constant(_raised(node.value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "range" and node.args:
            last = len(node.args) - 1 if len(node.args) < 2 else 1
            shorter = [
                *node.args[:last],
                ast.BinOp(node.args[last], ast.Sub(), ast.Constant(1)),
                *node.args[last + 1 :],
            ]
            yield "range", ast.Call(node.func, shorter, [])
        if node.func.id in _QUANTIFIERS:
            yield "quantifier", ast.Call(ast.Name(_QUANTIFIERS[node.func.id]), node.args, node.keywords)
    if isinstance(node, ast.keyword):
        yield from _statement_changes(node)


def _statement_changes(node: ast.keyword) -> Iterator[tuple[str, ast.AST]]:
    """The last hypothesis dropped, the first number of the printed statement raised."""
    value = node.value
    if node.arg in _HYPOTHESES and isinstance(value, ast.Tuple) and value.elts:
        yield "hypothesis", ast.Tuple(value.elts[:-1], ast.Load())
    if node.arg in _PRINTED and isinstance(value, ast.Constant) and isinstance(text := value.value, str):
        number = re.search(r"\d+", text)
        if number is not None:
            start, end = number.span()
            yield "says", ast.Constant(f"{text[:start]}{int(number[0]) + 1}{text[end:]}")


def _raised(text: str) -> str:
    """A number in text with one more in its last digit."""
    end = re.search(r"\d+$", text)
    assert end is not None
    return f"{text[: end.start()]}{str(int(end[0]) + 1).zfill(len(end[0]))}"


def planted(source: str, mutant: Mutant) -> str:
    """The module's source with the error in it."""
    lines = source.encode().splitlines(keepends=True)
    at = sum(map(len, lines[: mutant.line - 1])) + mutant.column
    whole, before = source.encode(), mutant.before.encode()
    if whole[at : at + len(before)] != before:
        raise ValueError(f"{mutant.key}: the source has something else there")
    return (whole[:at] + mutant.after.encode() + whole[at + len(before) :]).decode()


def proof_sources(root: Path = _ROOT) -> dict[str, str]:
    """Source of every module that errors are planted in, by its path below `proofs`."""
    paths = sorted((root / "proofs").rglob("*.py"))
    return {
        path.relative_to(root / "proofs").as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.name not in _LEFT_OUT
    }


def drawn(modules: Mapping[str, str], number: int, seed: int) -> list[Mutant]:
    """So many errors, by seed: the kinds in turn, each in an order of its own; a larger number adds to a smaller.

    The order is that of hashes of seed, file and change, so that a line that moves changes nothing in it.
    """
    kinds: dict[str, list[tuple[str, Mutant]]] = {}
    attacks = attack_functions(modules)
    for file, source in modules.items():
        alike: Counter[str] = Counter()
        for mutant in mutants_of(source, file, attacks[file]):
            alike[mutant.change] += 1
            place = _sha256(f"{seed} {mutant.change} {alike[mutant.change]}")
            kinds.setdefault(mutant.kind, []).append((place, mutant))
    queues = {kind: [mutant for _, mutant in sorted(kinds[kind], key=_first)] for kind in sorted(kinds)}
    found: list[Mutant] = []
    for turn in range(max(map(len, queues.values()), default=0)):
        found += [queue[turn] for queue in queues.values() if turn < len(queue)]
    return found[:number]


def _first(pair: tuple[str, Mutant]) -> str:
    return pair[0]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def imports(modules: dict[str, str]) -> dict[str, set[str]]:
    """Which modules each module imports, by their paths below `proofs`."""
    names = {f"proofs.{file.removesuffix('.py').replace('/', '.')}": file for file in modules}
    graph: dict[str, set[str]] = {}
    for file, source in modules.items():
        found = set()
        for node in ast.walk(ast.parse(source)):
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
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds)
    ]


def _readers(mutant: Mutant, modules: Mapping[str, str], *, called: bool) -> set[Function]:
    """The functions that read a name which a module-level line defines, here or where it is imported to.

    What another module-level line makes of such a name counts too, and so does the function that is decorated there.
    Of a line in a function (`called`) only what module-level lines make of it.
    """
    files = affected(mutant.file, imports(dict(modules)))
    statements = [(file, node) for file in files for node in ast.parse(modules[file]).body]
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
        for span, node in _with_nodes(modules[file]):
            if span.name in names or {*_read(node)} & names:
                found.add((file, span.first))
    return found


def _with_nodes(source: str) -> Iterator[tuple[_Span, ast.AST]]:
    spans = {(span.start, span.name): span for span in _functions(source)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield spans[node.lineno, node.name], node


def _holds_line(node: ast.stmt, line: int) -> bool:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return first <= line <= (node.end_lineno or node.lineno)


def _defined(node: ast.stmt) -> set[str]:
    """The names that a module-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _outside(node: ast.stmt) -> set[str]:
    """The names that a module-level statement reads when it is imported: of a function its decorators and defaults."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        return set().union(*(_read(part) for part in parts))
    return {*_read(node)}


def _read(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr


def judge_whole(expected: Mapping[str, str], nodes: Sequence[str], ledger: Ledger) -> str:
    """What sees an error: a rule of the whole ledger, else `judge`."""
    try:
        ledger.check()
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
        attack = gather(node, ledger.attacks[node].check) if node in ledger.attacks else ()
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
        to.send(fresh.judge_whole(warm.expected, nodes, fresh.load_neighbours()))
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
    graph = imports(modules)
    whole: dict[str, Any] = {"seed": seed, "rows": []}
    ledger = warm = None
    for mutant in drawn(modules, sys.maxsize, seed):
        if sum(row["ended"] != "unmet" for row in whole["rows"]) >= number:
            break
        of = _sha256("".join(modules[file] for file in used_with(mutant.file, graph)))[:16]
        row = old.get(mutant.change)
        if row is None or row["of"] != of or _row_mutant(row) != mutant:
            if ledger is None or warm is None:
                ledger = load_neighbours()
                warm = warm_up(ledger)
            row = outcome(mutant, warm, ledger, limit) | {"of": of}
            report(f"{row['ended']}: {mutant.key}: {row['by']}")
        if row["ended"] == "survived" and mutant.change in reasons:
            row["why"] = reasons[mutant.change]
        whole["rows"].append(row)
        whole["counts"] = score(whole["rows"])
        _write(record, whole, modules)
    return whole


SCHEMA = "mutants/2"


def _write(record: Path, content: Mapping[str, Any], modules: Mapping[str, str]) -> None:
    """The record as the project's summaries are: schema, provenance, content."""
    met = sum(row["ended"] != "unmet" for row in content["rows"])
    made = {
        "command": f"python -m proofs.mutants {met} --seed {content['seed']}",
        "sources_sha256": _sha256("".join(f"{file}\n{text}" for file, text in sorted(modules.items()))),
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


def score(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How many of each kind ended how."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row["kind"], Counter())[row["ended"]] += 1
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
