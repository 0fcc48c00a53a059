"""Errors that can be planted in a source, and which of them are drawn by a seed: see `proofs.mutants`."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
# what the ledger's own rules, its printing and this module are made of is tested by other means
_LEFT_OUT = (
    *(
        "ledger.py",
        "verify.py",
        "status.py",
        "cache.py",
        "mutants.py",
        "planting.py",
        "classical.py",
        "formal_record.py",
    ),
    *("__init__.py", "wording.py", "known_answers.py"),
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
_CONTROLS = {"controlled": 1, "refutes": 0}  # from which argument on something is false on purpose
_COUNTED = ("range", "product", "Fraction", "ball")  # what a list of places to look at is written with


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
    the effort of a search (`_EFFORT`), given, by default, or as a private constant that is read for nothing else; in
    private constants that begin with `_TRY`, candidates for points of a search, of which those that miss what its
    points must meet are dropped; in the part of its domain that a statement is attacked on (`within`), and constants
    that are read for it alone: an attack without a point is refused; in literal lists and ranges that a loop of an
    attack runs over, and ranges that it hands to a function for a loop alone, which are where it looks, and not what it
    looks for; in the points of `fails_at` and `sharp`, which refute only where they meet the statement's hypotheses,
    and in what is false on purpose: the controls of searches (`control=`, `controls=`, what follows the search in
    `controlled`, what `refutes` is given) and the identities that rewritings are tried on (`_temptations`). Another
    point or control that is refuted is as good, and one that is not is seen. Nor what leaves the numbers of a range as
    they are, such as range(2, 20 - 1, 2) for range(2, 20, 2).
    """
    tree, found, lines = ast.parse(source), [], source.encode().splitlines(keepends=True)
    idle = {id(node) for node in _alike(tree)} | {id(_documentation(node)) for node in ast.walk(tree)}
    unread = (*_shown(tree), *_chosen(tree), *_places(tree, attacks), *_witnesses(tree))
    idle |= {id(inner) for node in unread for inner in ast.walk(node)}
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


def _chosen(tree: ast.Module) -> Iterator[ast.AST]:
    """How long and on which part of a domain is searched: what is said of it, and constants that say nothing else."""
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    efforts = [default for one in functions for default in _effort_defaults(one.args)]
    efforts += [one.value for one in ast.walk(tree) if isinstance(one, ast.keyword) and one.arg in _EFFORT]
    calls = (one for one in ast.walk(tree) if isinstance(one, ast.Call) and _name(one.func) == "within")
    parts = [argument for call in calls for argument in call.args]
    yield from (*efforts, *parts)
    every, effort, part = (Counter(names_read(tree)), *(_read_in(nodes) for nodes in (efforts, parts)))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            alone = every[name] in (effort[name] if name.startswith("_") else 0, part[name])
            if name.startswith("_TRY") or (every[name] and alone):
                yield node.value


def _read_in(nodes: Sequence[ast.AST]) -> Counter[str]:
    """How often each name is read in these nodes."""
    return Counter(name for node in nodes for name in names_read(node))


def _effort_defaults(given: ast.arguments) -> Iterator[ast.expr]:
    """The defaults of parameters that are an effort."""
    plain = [*given.posonlyargs, *given.args]
    pairs = [*zip(plain[len(plain) - len(given.defaults) :], given.defaults, strict=True)]
    pairs += [pair for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True) if pair[1] is not None]
    yield from (default for parameter, default in pairs if parameter.arg in _EFFORT)


def _meant(call: ast.Call) -> Iterator[ast.AST]:
    """The f-strings of a call that are a number or a statement."""
    parts = [keyword.value for keyword in call.keywords if keyword.arg in (*_PRINTED, *_HYPOTHESES)]
    parts += call.args if _name(call.func) in ("ball", "arb", "Rational", "Fraction") else []
    for part in parts:
        yield from (inner for inner in ast.walk(part) if isinstance(inner, ast.JoinedStr))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _places(tree: ast.Module, attacks: Collection[str]) -> Iterator[ast.AST]:
    """The literal lists and ranges that the loops of attacks run over; ranges also where an attack hands them to."""
    own = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name in attacks]
    for function in own:
        inner = [
            one for one in ast.walk(function) if isinstance(one, ast.FunctionDef) and one is not function
        ]
        looped = {one.name: _looped(one) for one in (*own, *inner)}  # a name within hides the one without
        for node in ast.walk(function):
            if isinstance(node, ast.For | ast.comprehension) and _literal(node.iter):
                yield node.iter
            if isinstance(node, ast.Call) and not any(isinstance(one, ast.Starred) for one in node.args):
                handed = zip(looped.get(getattr(node.func, "id", ""), ()), node.args, strict=False)
                yield from (place for alone, place in handed if alone and _ranged(place))


def _ranged(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "range" and _literal(node)


def _looped(function: ast.FunctionDef) -> list[bool]:
    """Of each parameter: is it read, and by nothing but loops and texts beside a verdict?"""
    loops = (one.iter for one in ast.walk(function) if isinstance(one, ast.For | ast.comprehension))
    texts = {id(inner) for node in _shown(function) for inner in ast.walk(node)}
    idle = texts | {id(iterated) for iterated in loops}
    named = [one for one in ast.walk(function) if isinstance(one, ast.Name)]
    reads = ([id(one) for one in named if one.id == parameter.arg] for parameter in function.args.args)
    return [bool(found) and idle.issuperset(found) for found in reads]


def _alike(tree: ast.AST) -> Iterator[ast.AST]:
    """Literal ranges that list the same numbers with their end one lower; and such an end, where one higher does."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "range")
    for node in calls:
        try:
            given = [ast.literal_eval(argument) for argument in node.args]
        except ValueError:
            continue
        end = _end(node)
        for by, planted_in in ((-1, node), (1, node.args[end])):
            moved = [*given]
            moved[end] += by
            if range(*moved) == range(*given):
                yield planted_in


def _end(call: ast.Call) -> int:
    """Which argument of a range is its end."""
    return min(len(call.args) - 1, 1)


def _witnesses(tree: ast.Module) -> Iterator[ast.AST]:
    """Controls; the points given to `fails_at` and `sharp`, and what a function names and reads there alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("control", "controls"):
            yield node.value
        if isinstance(node, ast.Call) and _name(node.func) in _CONTROLS:
            yield from node.args[_CONTROLS[_name(node.func)] :]
        if isinstance(node, ast.FunctionDef) and node.name == "_temptations":
            yield node
        if isinstance(node, ast.keyword) and node.arg == "sharp" and isinstance(node.value, ast.Tuple):
            yield from node.value.elts[1:]
        points = _points(node) if isinstance(node, ast.FunctionDef) else []
        yield from points
        for name in {one.id for one in points if isinstance(one, ast.Name)}:
            reads = [one for one in ast.walk(node) if isinstance(one, ast.Name) and one.id == name]
            if len(reads) == 1 + sum(one.id == name for one in points if isinstance(one, ast.Name)):
                made = (one for one in ast.walk(node) if isinstance(one, ast.Assign))
                yield from (one.value for one in made if ast.unparse(one.targets[0]) == name)


def _points(function: ast.FunctionDef) -> list[ast.expr]:
    calls = (one for one in ast.walk(function) if isinstance(one, ast.Call) and _name(one.func) == "fails_at")
    return [one.args[0] for one in calls if one.args]


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
        for name in {*names_read(node)} if not isinstance(node, ast.Import | ast.ImportFrom) else ():
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
            last = _end(node)
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
    if node.arg in _PRINTED:
        parts = value.values if isinstance(value, ast.JoinedStr) else [value]
        for place, part in enumerate(parts):
            text = part.value if isinstance(part, ast.Constant) else None
            if isinstance(text, str) and (number := re.search(r"\d+", text)) is not None:
                start, end = number.span()
                other = ast.Constant(f"{text[:start]}{int(number[0]) + 1}{text[end:]}")
                changed = [*parts[:place], other, *parts[place + 1 :]]
                yield "says", ast.JoinedStr(changed) if isinstance(value, ast.JoinedStr) else other
                return


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
            place = text_digest(f"{seed} {mutant.change} {alike[mutant.change]}")
            kinds.setdefault(mutant.kind, []).append((place, mutant))
    queues = {kind: [mutant for _, mutant in sorted(kinds[kind], key=_first)] for kind in sorted(kinds)}
    found: list[Mutant] = []
    for turn in range(max(map(len, queues.values()), default=0)):
        found += [queue[turn] for queue in queues.values() if turn < len(queue)]
    return found[:number]


def _first(pair: tuple[str, Mutant]) -> str:
    return pair[0]


def text_digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def names_read(node: ast.AST) -> Iterator[str]:
    """Every name and attribute that is read in a node, as often as it is."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr
