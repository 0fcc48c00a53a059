"""The house around the code: packaging, notebooks, and what may stand in a file that is committed.

Each guard is a function from a folder to a list of complaints. It must find nothing here, and it must find
what is planted in a small copy.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "proofs", "figures")
INSTALLER = {"pip"}  # it brought us here: every venv has it, environment.yml lists it
MAX_FUNCTION, MAX_MODULE = 60, 750  # lines
WITH_AN_EXTRA = {"analysis/models/triton_kernels.py"}  # whole modules, to be imported inside functions alone
MAX_FILE = 3_000_000  # bytes

FOLDERS = "home|root|Users|work|opt"
HOSTS = r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|debian\.org|anaconda\.(?:org|com)|crates\.io"
FORBIDDEN = re.compile(
    rf"(?P<path>(?<![\w.~)}}])/(?:{FOLDERS})/|\b[A-Z]:\\+Users\\)|(?P<host>\b(?:[\w-]+\.)*(?:{HOSTS})\b)"
)


def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def modules(root: Path) -> list[Path]:
    return sorted(path for name in PACKAGES for path in (root / name).rglob("*.py"))


def committed(root: Path) -> list[Path]:
    """Files that git has or would take: tracked, or new and not ignored."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted(path for name in set(names.split("\0")) if name and (path := root / name).is_file())


def unlisted_packages(root: Path) -> list[str]:
    """Folders with modules that an install would leave behind, and listed packages that do not exist."""
    listed = set(project(root)["tool"]["setuptools"]["packages"])
    folders = {path.parent for path in modules(root)}
    real = {".".join(folder.relative_to(root).parts) for folder in folders}
    bare = [
        f"{folder.relative_to(root)}: no __init__.py"
        for folder in sorted(folders)
        if not (folder / "__init__.py").is_file()
    ]
    return bare + [f"{name}: in the tree or in pyproject.toml, not in both" for name in sorted(listed ^ real)]


def imports(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import of a module, and whether it stands inside a function."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, lazy = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, lazy
        elif not isinstance(node, ast.expr):
            inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            waiting += [(child, inside) for child in reversed(list(ast.iter_child_nodes(node)))]


def undeclared_imports(root: Path) -> list[str]:
    """Third-party imports whose distribution is not in pyproject's dependencies, nor, inside a function, in an extra
    for users."""
    table = project(root)["project"]
    extras = table.get("optional-dependencies", {})
    offered = [line for name, lines in extras.items() if name != "dev" for line in lines]
    declared = {canonicalize_name(Requirement(line).name) for line in table["dependencies"]} | INSTALLER
    optional = declared | {canonicalize_name(Requirement(line).name) for line in offered}
    distributions = packages_distributions()
    found = []
    for path in modules(root):
        place = path.relative_to(root).as_posix()
        for node, lazy in imports(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            known = optional if lazy or place in WITH_AN_EXTRA else declared
            if not lazy:
                needs = [
                    Path(m).stem
                    for m in WITH_AN_EXTRA
                    if Path(m).stem in re.findall(r"\w+", ast.unparse(node))
                ]
                found += [f"{place}: {name} needs an extra; import it inside a function" for name in needs]
            for top in {name.split(".")[0] for name in names} - set(PACKAGES) - sys.stdlib_module_names:
                if not known & {canonicalize_name(name) for name in distributions.get(top, [top])}:
                    found.append(f"{place}: {top} is not declared in pyproject.toml")
    return found


def version_differences(root: Path) -> list[str]:
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    own = project(root)["project"]["version"]
    return [] if cited == own else [f"CITATION.cff says {cited}, pyproject.toml {own}"]


def stale_notebooks(root: Path) -> list[str]:
    """Pairs of .py (the source) and .ipynb (for readers in a browser) that are incomplete or differ."""
    folder = root / "notebooks"
    names = sorted({path.stem for path in folder.iterdir() if path.suffix in (".py", ".ipynb")})
    found = []
    for name in names:
        source, shown = folder / f"{name}.py", folder / f"{name}.ipynb"
        if not (source.is_file() and shown.is_file()):
            missing = shown if source.is_file() else source
            found.append(f"notebooks/{missing.name} is missing")
        elif cells(source, "py:percent") != cells(shown, "ipynb"):
            found.append(
                f"notebooks/{shown.name} and {source.name} differ: jupytext --to ipynb --update {source.name}"
            )
    return found


def cells(path: Path, fmt: str) -> list[tuple[str, str]]:
    """Type and source of every cell."""
    import jupytext  # a second, which a process that only collects tests need not spend

    return [(cell.cell_type, cell.source.strip()) for cell in jupytext.read(path, fmt=fmt).cells]


def places_and_hosts(root: Path) -> list[str]:
    """Absolute paths of somebody's machine and hosts of package registries in text files."""
    found = []
    for path in committed(root):
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), start=1):
            for match in FORBIDDEN.finditer(line):
                found.append(f"{path.relative_to(root)}:{number}: {match.lastgroup} {match.group()}")
    return found


def large_files(root: Path) -> list[str]:
    return [
        f"{p.relative_to(root)}: {p.stat().st_size} bytes"
        for p in committed(root)
        if p.stat().st_size > MAX_FILE
    ]


def careless_whitespace(root: Path) -> list[str]:
    """Trailing blanks, carriage returns, a missing or a doubled newline at the end, in text files."""
    found = []
    for path in committed(root):
        data = path.read_bytes()
        if not data or b"\0" in data[:8192] or path.suffix == ".svg":  # drawn by a program, blanks and all
            continue
        bad = [i for i, line in enumerate(data.split(b"\n"), start=1) if line != line.rstrip()]
        found += [f"{path.relative_to(root)}:{i}: blanks at the end of the line" for i in bad]
        if not data.endswith(b"\n") or data.endswith(b"\n\n"):
            found.append(f"{path.relative_to(root)}: does not end in one newline")
    return found


def no_unreleased_section(root: Path) -> list[str]:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    return (
        []
        if re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
        else ["CHANGELOG.md: no '## [Unreleased]'"]
    )


def long_code(root: Path) -> list[str]:
    found = []
    for path in modules(root):
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MAX_MODULE:
            found.append(f"{path.relative_to(root)}: {lines} lines, at most {MAX_MODULE}")
        for node in ast.walk(ast.parse(text, str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION:
                    where = f"{path.relative_to(root)}:{node.lineno}: {node.name}"
                    found.append(f"{where} has {length} lines, at most {MAX_FUNCTION}")
    return found


def second_version_pins(root: Path) -> list[str]:
    """Hooks that would bring their own version of a tool: everything runs out of .venv instead."""
    config = yaml.safe_load((root / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    found = [f"repo {repo['repo']}: not local" for repo in config["repos"] if repo["repo"] != "local"]
    for hook in (hook for repo in config["repos"] for hook in repo["hooks"]):
        if hook.get("additional_dependencies") or not hook.get("entry", "").startswith(".venv/bin/"):
            found.append(f"hook {hook['id']}: does not run from .venv")
    return found


GUARDS: tuple[Callable[[Path], list[str]], ...] = (
    unlisted_packages,
    undeclared_imports,
    version_differences,
    stale_notebooks,
    places_and_hosts,
    large_files,
    careless_whitespace,
    no_unreleased_section,
    long_code,
    second_version_pins,
)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_the_house_is_in_order(guard: Callable[[Path], list[str]]):
    assert guard(ROOT) == []


NOTEBOOK = "# %% [markdown]\n# # A title\n\n# %%\nx = 1\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small repository in which no guard finds anything."""
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md", ".pre-commit-config.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in project(ROOT)["tool"]["setuptools"]["packages"]:
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text('"""A package."""\n')
    (tmp_path / "analysis" / "x.py").write_text("import math\n\nimport numpy as np\nfrom flint import arb\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_a.py").write_text(NOTEBOOK)
    import jupytext

    jupytext.write(jupytext.reads(NOTEBOOK, fmt="py:percent"), tmp_path / "notebooks" / "00_a.ipynb")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_a_house_in_order_passes(guard: Callable[[Path], list[str]], house: Path):
    assert guard(house) == []


def a_path(folder: str) -> str:
    """An absolute path, put together here so that this file holds none."""
    return f'"/{folder}/x"'


PLANTED = [
    # guard, file, what is written into it, what the report must say
    (
        unlisted_packages,
        "analysis/new/__init__.py",
        "",
        "analysis.new: in the tree or in pyproject.toml, not in both",
    ),
    (unlisted_packages, "analysis/theory/deep/x.py", "", "analysis/theory/deep: no __init__.py"),
    (
        undeclared_imports,
        "analysis/x.py",
        "from analysis.models import triton_kernels\n",
        "triton_kernels needs an extra",
    ),
    (undeclared_imports, "analysis/x.py", "def f():\n    import yaml", "analysis/x.py: yaml is not declared"),
    (undeclared_imports, "analysis/x.py", "import distributed", "analysis/x.py: distributed is not declared"),
    (
        undeclared_imports,
        "proofs/x.py",
        "from hypothesis.strategies import floats",
        "proofs/x.py: hypothesis is not",
    ),
    (
        undeclared_imports,
        "figures/x.py",
        "import nowhere_to_be_found",
        "figures/x.py: nowhere_to_be_found is not",
    ),
    (version_differences, "CITATION.cff", "version: 0.0.9", "CITATION.cff says 0.0.9, pyproject.toml"),
    (
        stale_notebooks,
        "notebooks/00_a.py",
        NOTEBOOK.replace("x = 1", "x = 2"),
        "00_a.ipynb and 00_a.py differ",
    ),
    (
        stale_notebooks,
        "notebooks/00_a.py",
        NOTEBOOK.replace(" [markdown]", ""),
        "00_a.ipynb and 00_a.py differ",
    ),
    (stale_notebooks, "notebooks/10_b.py", NOTEBOOK, "notebooks/10_b.ipynb is missing"),
    (stale_notebooks, "notebooks/10_b.ipynb", "{}", "notebooks/10_b.py is missing"),
    *(
        (places_and_hosts, "README.md", f"see {a_path(name)}", f"README.md:1: path /{name}/")
        for name in FOLDERS.split("|")
    ),
    (places_and_hosts, "README.md", "\n" + r"C:\Use" + r"rs\x", "README.md:2: path C:"),
    (
        places_and_hosts,
        "a.ipynb",
        '["https://files.python' + 'hosted.org/x"]',
        "a.ipynb:1: host files.python",
    ),
    (places_and_hosts, "a.toml", "index = 'py" + "pi.org'", "a.toml:1: host py"),
    (large_files, "figures/x.nc", "\0" * (MAX_FILE + 1), "figures/x.nc: 3000001 bytes"),
    (careless_whitespace, "README.md", "a \nb\n", "README.md:1: blanks at the end of the line"),
    (careless_whitespace, "README.md", "a\r\nb\n", "README.md:1: blanks at the end of the line"),
    (careless_whitespace, "README.md", "a", "README.md: does not end in one newline"),
    (careless_whitespace, "README.md", "a\n\n", "README.md: does not end in one newline"),
    (no_unreleased_section, "CHANGELOG.md", "# Changelog\n", "CHANGELOG.md: no '## [Unreleased]'"),
    (
        long_code,
        "analysis/x.py",
        "def f():\n" + "    x = 1\n" * 60,
        "analysis/x.py:1: f has 61 lines, at most 60",
    ),
    (long_code, "proofs/x.py", "x = 1\n" * 751, "proofs/x.py: 751 lines, at most 750"),
    (
        second_version_pins,
        ".pre-commit-config.yaml",
        "repos: [{repo: 'https://example.org/ruff', rev: v1, hooks: [{id: ruff}]}]",
        "repo https://example.org/ruff: not local",
    ),
    (
        second_version_pins,
        ".pre-commit-config.yaml",
        "repos: [{repo: local, hooks: [{id: ruff, entry: ruff check, language: python}]}]",
        "hook ruff: does not run from .venv",
    ),
]


@pytest.mark.parametrize(("guard", "name", "text", "report"), PLANTED)
def test_what_is_planted_is_reported(
    guard: Callable[[Path], list[str]], name: str, text: str, report: str, house: Path
):
    path = house / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    found = guard(house)
    assert any(report in complaint for complaint in found), found


def test_every_guard_has_been_seen_to_fail():
    assert {guard for guard, *_ in PLANTED} == set(GUARDS)


@pytest.mark.parametrize("text", ["notebooks/work/x", "https://example.org/opt/x", "~/work/x", "3/home/x"])
def test_relative_paths_and_other_hosts_are_no_complaint(text: str):
    assert not FORBIDDEN.search(text)


def test_a_file_that_git_ignores_is_nobodys_business(house: Path):
    (house / ".gitignore").write_text("out/\n")
    (house / "out").mkdir()
    (house / "out" / "log.txt").write_text(a_path("home"))
    assert places_and_hosts(house) == []
