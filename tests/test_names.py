"""Names mean one thing: the notation is well formed and kept to, and no public name is defined twice for two things."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

import analysis

ROOT = Path(__file__).resolve().parents[1]
UNITS = {"count", "1", "tokens", "rad/token", "turns or rad per token", "turns at distance 1"}
AXES = {"n", "pairs", "length", "head_dim"}


class Symbol(NamedTuple):
    """One line of the table."""

    paper: str
    name: str
    shape: str
    unit: str
    range: str
    meaning: str


_LINES = [line for line in (analysis.__doc__ or "").splitlines() if line.startswith("| ")][1:]
NOTATION = [Symbol(*("" if cell == "-" else cell for cell in line[2:-2].split(" | "))) for line in _LINES]


def named(name: str) -> Symbol:
    """The line of a name in code."""
    (found,) = [symbol for symbol in NOTATION if name in symbol.name.split(", ")]
    return found


angles = st.floats(min_value=-np.pi, max_value=np.pi)
positions = st.integers(min_value=0, max_value=1 << 20)
vectors = st.tuples(*[st.floats(min_value=-8, max_value=8)] * 4)


def test_every_line_is_complete():
    assert len(NOTATION) == 21
    for symbol in NOTATION:
        assert symbol.unit in UNITS, symbol
        assert set(symbol.shape.split()) <= AXES, symbol
        example = np.zeros((2,) * len(symbol.shape.split()))
        hint: Any = Float[np.ndarray, symbol.shape]
        assert isinstance(example, hint), symbol  # jaxtyping can read the shape
        assert symbol.meaning, symbol
        assert all(name.isidentifier() for name in symbol.name.split(", ")), symbol


def test_no_name_stands_for_two_things():
    names = [name for symbol in NOTATION for name in symbol.name.split(", ")]
    assert sorted(set(names)) == sorted(names)


def _formula(name: str, q: tuple[float, float], k: tuple[float, float]) -> float:
    """Value of the glossary's own formula for `a` or `b` on the pair d = 0."""
    text = named(name).meaning.replace("{2d+1}", "[1]").replace("{2d}", "[0]").replace("_", "")
    text = re.sub(r"\] (?=[qk])", "] * ", text)
    assert re.fullmatch(r"([qk]\[[01]\]|[ *+-])+", text), text  # nothing else is evaluated
    return eval(text, {"__builtins__": {}}, {"q": q, "k": k})


def test_sign_and_angle_in_one_line():
    """q on axis 0, k on axis 1, one rad/token, the query one token later: A = 0, B = 1, score sin 1."""
    q, k = (1.0, 0.0), (0.0, 1.0)
    assert (_formula("a", q, k), _formula("b", q, k)) == (0.0, 1.0)
    assert (complex(*q) * np.exp(1j * 1.0) * complex(*k).conjugate()).real == pytest.approx(np.sin(1.0))


@given(vectors, positions, positions, angles)
def test_the_glossary_is_the_rotation_by_plus_m_omega(x: tuple, m: int, n: int, omega: float):
    """Rotating q by +m omega, k by +n omega gives A cos + B sin of +(m - n) omega, with the glossary's A, B.

    Rounding: m omega is off by at most half an ulp of 2^20 pi per position, each product is at most 128.
    """
    q, k = x[:2], x[2:]
    rotated = complex(*q) * np.exp(1j * m * omega) * (complex(*k) * np.exp(1j * n * omega)).conjugate()
    angle = (m - n) * omega
    score = _formula("a", q, k) * np.cos(angle) + _formula("b", q, k) * np.sin(angle)
    budget = 4 * 2.0**20 * np.pi * np.finfo(float).eps * 128
    assert abs(rotated.real - score) < budget


def test_names_that_mislead_are_not_used():
    """The base's inverse is `inverse_base`; `theta_0` could be an angle, a base or TAPA's split."""
    found = []
    for path in (ROOT / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.arg) and node.arg in ("theta_0", "theta0", "lambda_", "lam"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.arg}")
    assert found == []


FAMILIES: dict[str, tuple[str, str]] = {
    # name: the files that may define it, as a pattern of their paths, and why it means one thing in all of them
    "draw": (r"figures/fig_\w+\.py", "draws the figure of its module; the catalogue calls it by the module"),
    "record": (r"analysis/(studies|experiments)/\w+\.py|proofs/status\.py", "makes a record of the catalogue"),
    **dict.fromkeys(
        ("cos_sum", "sin_sum", "cos_limit", "sin_limit"),
        (r"analysis/theory/rope\.py|proofs/integrals\.py", "two witnesses of one number; a test compares them"),
    ),
    **{
        name: (rf"analysis/cli/\w+\.py|{home}", "the command of the tool, and what it runs")
        for name, home in {
            "curve": r"analysis/sampling/curves\.py",
            "findings": r"figures/findings/page\.py",
            "measure": r"analysis/studies/distance_bias\.py",
            "plot": r"analysis/plotting\.py",
            "sweep": r"analysis/experiments/sweep\.py",
            "train": r"analysis/training/train\.py",
            "verify": r"proofs/verify\.py",
        }.items()
    },
}  # fmt: skip
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for top in ("analysis", "proofs", "figures")
    for path in sorted((ROOT / top).rglob("*.py"))
}


@cache
def defined_in(text: str) -> tuple[str, ...]:
    """Public top-level classes and functions of a module; of a text once, as planted ones differ in one of hundreds."""
    named = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return tuple(node.name for node in named if not node.name.startswith("_"))


def homonyms(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Public top-level classes and functions that several modules define, by name, but for the families above."""
    homes: dict[str, list[str]] = {}
    for path, text in sources.items():
        for name in defined_in(text):
            homes.setdefault(name, []).append(path)
    pattern = {name: files for name, (files, _) in FAMILIES.items()}
    return {
        name: paths
        for name, paths in homes.items()
        if len(paths) > 1 and not all(re.fullmatch(pattern.get(name, ""), path) for path in paths)
    }


def test_no_public_name_means_two_things():
    assert homonyms(SOURCES) == {}


def test_every_family_has_members():
    for name, (files, _) in FAMILIES.items():
        defined = [path for path, text in SOURCES.items() if re.search(rf"^def {name}\(", text, re.MULTILINE)]
        assert len([path for path in defined if re.fullmatch(files, path)]) > 1, name


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("analysis/heads/phase.py", "class Gaussian: ...", "Gaussian"),  # of `sampling.laws`
        ("proofs/paper/theorem_3_2.py", "def thm_2_1(): ...", "thm_2_1"),
        (
            "figures/widgets.py",
            "def draw(): ...",
            "draw",
        ),  # a family's name in a file that is not of the family
        ("analysis/theory/tapa.py", "def cos_sum(): ...", "cos_sum"),
    ],
)
def test_a_planted_homonym_is_seen(path: str, line: str, name: str):
    found = homonyms(SOURCES | {path: f"{SOURCES[path]}\n\n{line}\n"})
    assert list(found) == [name]
    assert path in found[name]


# Docstrings name what is there: of every dotted name between backticks a module, a class or a parameter has the rest.

# what ends so is a file, or an array in one
FILES = ("cpp", "html", "inv_freq", "json", "md", "safetensors", "toml")
FOREIGN = {*sys.stdlib_module_names, "numpy", "rich", "torch", "AutoModelForCausalLM", "arb"}
DOTTED = re.compile(r"(?<!`)`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)`(?!`)")
Named = dict[str, set[str]]
"""Members by the name of their module or class."""


def bound_in(body: Sequence[ast.stmt]) -> set[str]:
    """Names that statements bind, those inside `if` and `try` included, those inside functions and classes not."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).partition(".")[0] for one in node.names}
        elif isinstance(node, ast.If | ast.Try | ast.With):
            found |= bound_in(
                [part for part in ast.walk(node) if isinstance(part, ast.stmt) and part is not node]
            )
        else:
            found |= {
                part.id
                for part in ast.walk(node)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return found


@cache
def index_of(text: str) -> tuple[set[str], Named, Named]:
    """Of a module: its names, the members of each of its classes, and the names of the classes they are made of."""
    tree = ast.parse(text)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    members = {node.name: bound_in(node.body) for node in classes}
    bases = {node.name: {re.split(r"\W", ast.unparse(base))[0] for base in node.bases} for node in classes}
    for node in classes:  # what a method puts into its object
        stored = (
            part
            for part in ast.walk(node)
            if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
        )
        members[node.name] |= {
            part.attr for part in stored if isinstance(part.value, ast.Name) and part.value.id == "self"
        }
    return bound_in(tree.body), members, bases


@cache
def dotted_names(text: str) -> tuple[tuple[int, str, set[str]], ...]:
    """Of a module's docstrings: line, dotted name, and the parameters and attributes that the docstring is about."""

    def within(node: ast.AST, about: set[str]) -> Iterator[tuple[int, str, set[str]]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from within(child, about | bound_in(child.body))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from within(
                    child, about | {part.arg for part in ast.walk(child.args) if isinstance(part, ast.arg)}
                )
            elif (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                yield from ((child.lineno, name, about) for name in DOTTED.findall(child.value.value))
            else:
                yield from within(child, about)

    return tuple(within(ast.parse(text), set()))


def stale_names(sources: Mapping[str, str]) -> list[str]:
    """Dotted names in docstrings whose parts are no module or class and its member, nor a parameter and its own."""
    modules, members, bases = {}, {}, {}
    for path, text in sources.items():
        names, own, made_of = index_of(text)
        modules[path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = names
        for kind in own:
            members[kind] = members.get(kind, set()) | own[kind]
            bases[kind] = bases.get(kind, set()) | made_of[kind]

    def has(kind: str, name: str) -> bool:
        return name in members.get(kind, ()) or any(
            has(base, name) for base in bases.get(kind, set()) - {kind}
        )

    def is_there(parts: list[str], about: set[str]) -> bool:
        if parts[-1] in FILES or parts[0] in FOREIGN | about or (len(parts) == 2 and has(*parts)):
            return True
        for end in range(1, len(parts) + 1):
            prefix, rest = ".".join(parts[:end]), parts[end:]
            for module, names in modules.items():
                if f".{module}".endswith(f".{prefix}") and (
                    not rest or (rest[0] in names and (len(rest) == 1 or has(rest[0], rest[1])))
                ):
                    return True
        return False

    return [
        f"{path}:{line}: {name}"
        for path, text in sources.items()
        for line, name, about in dotted_names(text)
        if not is_there(name.split("."), about)
    ]


def test_names_in_docstrings_are_there():
    assert stale_names(SOURCES) == []
    named = [name for text in SOURCES.values() for _, name, _ in dotted_names(text)]
    assert len(named) > 150
    assert {"Batches.at", "curves.trained_length", "theory.frequencies.NAMES", "torch.compile"} <= set(named)


@pytest.mark.parametrize(
    "name",
    [
        "heads.lags.mean_score",  # no such module
        "heads.mean_score.mean_scores",  # no such member
        "theory.rope.Rotation.omega",
        "Batches.next",  # no such method
        "evaluation.assemble",
        "other.length",  # no such parameter
    ],
)
def test_a_planted_stale_name_is_seen(name: str):
    said = f'"""Nothing, as `{name}` of `curves.length` and `Batches.at`."""'
    path = "analysis/heads/phase.py"
    found = stale_names(
        {**SOURCES, path: f"{SOURCES[path]}\n\ndef planted(curves: int) -> None:\n    {said}\n"}
    )
    assert [one.rpartition(": ")[2] for one in found if one.startswith(path)] == [name]
