"""Plant errors in `proofs` one at a time, and count which the ledger does not see: `python -m proofs.mutants 300`.

An error is one changed operator, constant, range, quantifier, hypothesis or printed statement, drawn by seed, as many
of each kind. Each is judged in a process of its own, on a copy, by the claims whose import closure holds the changed
module, those of that module first, until one comes to another verdict of its own, contradicts its attack or cannot be
run. Practice rows decide nothing and are left out. What is left alive is named in the record with its line.

Rows are written as they come, and a second call with the same seed and sources goes on where the first was.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.evidence import Verdict
from analysis.files import write_whole
from proofs.balls import PRECISION, precision
from proofs.ledger import Ledger, LedgerError, load, own_verdict
from proofs.verify import gather

_ROOT = Path(__file__).resolve().parents[1]
# what the ledger's own rules, its printing and this module are made of is tested by other means
_LEFT_OUT = (
    *("ledger.py", "verify.py", "status.py", "cache.py", "mutants.py", "classical.py", "formal_record.py"),
    "__init__.py",
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
_NUMBER = re.compile(r"-?\d+(\.\d+)?(/\d+)?")


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


def mutants_of(source: str, file: str) -> list[Mutant]:
    """Every error of every kind that can be planted in a module's source."""
    tree, found, lines = ast.parse(source), [], source.encode().splitlines(keepends=True)
    documentation = {id(_documentation(node)) for node in ast.walk(tree)}
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        for kind, changed in _changes(node):
            place, text = _place(node, changed)
            before = _segment(lines, place)
            if "\n" not in before or kind in ("hypothesis", "says"):
                found.append(Mutant(file, place.lineno, place.col_offset, kind, before, text))
    return found


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
    if node.arg == "says" and isinstance(value, ast.Constant) and isinstance(text := value.value, str):
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


def drawn(modules: dict[str, str], number: int, seed: int) -> list[Mutant]:
    """So many errors, by seed: the kinds in turn, each in an order of its own; a larger number adds to a smaller."""
    rng = random.Random(seed)
    kinds: dict[str, list[Mutant]] = {}
    for file, source in modules.items():
        for mutant in mutants_of(source, file):
            kinds.setdefault(mutant.kind, []).append(mutant)
    for kind in sorted(kinds):
        rng.shuffle(kinds[kind])
    found: list[Mutant] = []
    while len(found) < number and any(kinds.values()):
        found += [kinds[kind].pop() for kind in sorted(kinds) if kinds[kind]]
    return found[:number]


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


def judge(expected: dict[str, str], files: Sequence[str], ledger: Ledger) -> str:
    """The first claim of these modules, in their order, that comes to another verdict of its own; "" if none does."""
    place = _files(ledger)
    for node in sorted((n for n in place if place[n] in files), key=lambda n: files.index(place[n])):
        try:
            found = _judged(ledger, node)
        except LedgerError as error:
            return f"{node}: {str(error)[:160]}"
        if found != expected[node]:
            return f"{node}: {found}, not {expected[node]}"
    return ""


def own_verdicts(ledger: Ledger, files: Sequence[str] | None = None) -> dict[str, str]:
    """Own verdict of every node, or of those of these modules, as the sources are."""
    return {
        node: str(_judged(ledger, node))
        for node, file in _files(ledger).items()
        if files is None or file in files
    }


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
        attack = gather(node, ledger.attacks[node].check) if node in ledger.attacks else ()
        return own_verdict(node, evidence, attack, written=bool(form.proof))


def outcome(
    mutant: Mutant, modules: dict[str, str], expected: dict[str, str], limit: float
) -> dict[str, Any]:
    """Plant one error in a copy and judge it in a process of its own, for so many seconds at most."""
    files = affected(mutant.file, imports(modules))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_ROOT / "proofs", copy / "proofs", ignore=ignored)
        (copy / "analysis").mkdir()
        for path in (_ROOT / "analysis").glob("*.py"):
            shutil.copy(path, copy / "analysis")
        (copy / "proofs" / mutant.file).write_text(planted(modules[mutant.file], mutant), encoding="utf-8")
        task = json.dumps({"expected": expected, "files": files})
        command = [sys.executable, "-c", "from proofs.mutants import judge_here; judge_here()"]
        try:
            done = subprocess.run(
                command, cwd=copy, input=task, capture_output=True, text=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            return asdict(mutant) | {"ended": "over time", "by": f"{limit:g} s"}
    if done.returncode:
        return asdict(mutant) | {
            "ended": "killed",
            "by": (done.stderr.strip().splitlines() or ["no message"])[-1][:160],
        }
    by = json.loads(done.stdout)
    return asdict(mutant) | {"ended": "killed" if by else "survived", "by": by}


def judge_here() -> None:
    """In the copy: read the task, judge the ledger as it is there, and print what saw the error."""
    task = json.load(sys.stdin)
    try:
        found = judge(task["expected"], task["files"], load())
    except LedgerError as error:
        found = str(error)[:160]
    sys.stdout.write(json.dumps(found))


def judge_all(
    number: int, seed: int, record: Path, limit: float, report: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Judge so many errors and keep each in the record as it comes; rows of the same sources and seed are kept."""
    modules = proof_sources()
    digest = hashlib.sha256("".join(f"{file}\n{text}" for file, text in modules.items()).encode()).hexdigest()
    kept = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if kept.get("sources") != digest or kept.get("seed") != seed:
        kept = {
            "schema": "mutants/1",
            "sources": digest,
            "seed": seed,
            "expected": own_verdicts(load()),
            "rows": [],
        }
    done = {Mutant(**{name: row[name] for name in Mutant.__slots__}).key for row in kept["rows"]}
    for mutant in drawn(modules, number, seed):
        if mutant.key in done:
            continue
        row = outcome(mutant, modules, kept["expected"], limit)
        kept["rows"].append(row)
        kept["counts"] = dict(Counter(row["ended"] for row in kept["rows"]))
        write_whole(record, json.dumps(kept, indent=1) + "\n")
        report(f"{row['ended']}: {mutant.key}: {row['by']}")
    return kept


def mutation_score() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Plant errors in proofs/ and count which the ledger does not see."
    )
    parser.add_argument("number", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=_ROOT / "figures" / "summaries" / "mutants.json")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one error")
    given = parser.parse_args()
    kept = judge_all(
        given.number, given.seed, given.out, given.limit, lambda line: sys.stdout.write(line + "\n")
    )
    sys.stdout.write(f"{len(kept['rows'])} errors: {kept.get('counts', {})}\n")


if __name__ == "__main__":
    mutation_score()
