"""environment.yml gives conda users what pyproject.toml gives everybody: lines parse, ranges are equal."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = (ROOT / "environment.yml").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

FROM_CONDA = {"python", "numpy", "scipy", "sympy", "pytorch", "matplotlib", "jupyter", "pip"}
CONDA_NAME = {"torch": "pytorch"}  # where conda calls a distribution something else
EDITABLE = re.compile(r"-e (?P<path>[^\[\s]+)(?:\[(?P<extras>[\w,-]+)\])?")


def wanted_ranges() -> dict[str, SpecifierSet]:
    """pyproject's version ranges by conda name; `pip` may have any version."""
    parsed = [Requirement(line) for line in PROJECT["dependencies"]]
    ranges = {CONDA_NAME.get(r.name, canonicalize_name(r.name)): r.specifier for r in parsed}
    return {**ranges, "python": SpecifierSet(PROJECT["requires-python"]), "pip": SpecifierSet()}


def conda_line(line: str) -> tuple[str, str | None]:
    """Package name of a conda line, and what is wrong with the line (None: nothing)."""
    try:
        spec = MatchSpec(line, strict=True)
    except InvalidMatchSpecError as error:
        return "", f"{line!r} is no conda match spec: {error}"
    name = spec.name.normalized if spec.name else ""
    if str(spec).split() not in ([name], [name, str(spec.version)]):  # a channel, a build, a checksum, ...
        return name, f"{line!r}: write a name and a version range, nothing else"
    wanted = wanted_ranges()
    if name not in wanted:
        return name, f"{line!r}: pyproject.toml has no dependency {name}"
    try:
        equal = SpecifierSet(str(spec.version or "")) == wanted[name]
    except InvalidSpecifier:
        equal = False  # conda's fuzzy "=2.13" is not a range that pip knows
    return name, None if equal else f"{line!r}: pyproject.toml says {name}{wanted[name]}"


def pip_line(line: str) -> str | None:
    """What is wrong with a line for pip: it must be this project, editable, with extras that exist."""
    found = EDITABLE.fullmatch(line)
    if not found or (ROOT / found["path"]).resolve() != ROOT:
        return f"{line!r}: only the project itself comes by pip, the rest follows from pyproject.toml"
    for extra in filter(None, (found["extras"] or "").split(",")):
        if extra not in PROJECT["optional-dependencies"]:
            return f"{line!r}: pyproject.toml has no extra {extra}"
    return None


def problems(text: str) -> list[str]:
    """Everything that is wrong with the text of an environment.yml."""
    document = yaml.safe_load(text)
    found = []
    if document.get("channels") != ["conda-forge", "nodefaults"]:
        found.append(f"channels: {document.get('channels')}, not conda-forge alone")
    names, pip_lines = [], []
    for line in document["dependencies"]:
        if isinstance(line, dict):
            pip_lines += line.pop("pip", [])
            found += [f"{key!r}: unknown section" for key in line]
            continue
        name, problem = conda_line(line)
        names.append(name)
        found += [problem] if problem else []
    if sorted(names) != sorted(FROM_CONDA):
        found.append(f"conda packages: {sorted(names)}, not {sorted(FROM_CONDA)}")
    found += [problem for line in pip_lines if (problem := pip_line(line))]
    if len(pip_lines) != 1:
        found.append(f"pip lines: {pip_lines}, not the project alone")
    return found


def test_every_line_parses_and_says_what_pyproject_says():
    assert problems(ENVIRONMENT) == []


PLANTED = [
    # a line, what replaces it, what the report must say
    ("pytorch==2.13.0", "pytorch==2.12.1", "'pytorch==2.12.1': pyproject.toml says pytorch==2.13.0"),
    ("pytorch==2.13.0", "pytorch=2.13.0", "pyproject.toml says pytorch==2.13.0"),
    ("pytorch==2.13.0", "torch==2.13.0", "pyproject.toml has no dependency torch"),
    ("numpy>=2.1", "numpy>=2.0", "pyproject.toml says numpy>=2.1"),
    ("numpy>=2.1", "numpy", "pyproject.toml says numpy>=2.1"),
    ("numpy>=2.1", "numpy=>2.1", "is no conda match spec"),
    ("numpy>=2.1", "numpy>=2.1 py311_0", "a name and a version range, nothing else"),
    ("numpy>=2.1", "defaults::numpy>=2.1", "a name and a version range, nothing else"),
    ("python>=3.11", "python>=3.10", "pyproject.toml says python>=3.11"),
    ("  - scipy>=1.15\n", "", "conda packages: ['jupyter', 'matplotlib', 'numpy', 'pip', 'python'"),
    ("  - pip\n", "", "conda packages:"),
    ("- -e .[dev]", "- -e .[develop]", "pyproject.toml has no extra develop"),
    ("- -e .[dev]", "- -e ..", "only the project itself comes by pip"),
    ("- -e .[dev]", "- torch==2.13.0", "only the project itself comes by pip"),
    ("- -e .[dev]", "- -e .[dev]\n      - torch==2.13.0", "pip lines:"),
    ("- nodefaults", "- defaults", "not conda-forge alone"),
]


@pytest.mark.parametrize(("line", "instead", "report"), PLANTED)
def test_a_planted_mismatch_is_reported(line: str, instead: str, report: str):
    assert ENVIRONMENT.count(line) == 1
    found = problems(ENVIRONMENT.replace(line, instead))
    assert any(report in problem for problem in found), found


def test_a_changed_range_in_pyproject_is_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(
        PROJECT, "dependencies", [d.replace("torch==", "torch>=") for d in PROJECT["dependencies"]]
    )
    assert problems(ENVIRONMENT) == ["'pytorch==2.13.0': pyproject.toml says pytorch>=2.13.0"]


def test_pip_leaves_a_build_of_the_pinned_torch_alone():
    """A build's local tag, as in "+cpu", does not make pip fetch another torch; a ".post" release would."""
    pinned = wanted_ranges()["pytorch"]
    assert pinned.contains("2.13.0")
    assert pinned.contains("2.13.0+cpu")
    assert not pinned.contains("2.13.0.post1")
    assert pinned.contains(version("torch"))


# What is fetched is known by its content: hashes of the default install, commits of the actions.

CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
HASHED = (ROOT / "requirements-hashed.txt").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
PIN = re.compile(
    r"^(?P<pin>[\w.-]+==\S+(?: ; [^\\\n]+?)?)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.M
)


def unhashed(hashed: str, constraints: str) -> list[str]:
    """Lines of a requirements file that have no hash, that are not pinned alike in the constraints, or are neither."""
    found = list(PIN.finditer(hashed))
    rest = PIN.sub("", hashed).split()
    pinned = {line.partition(" ;")[0] for line in constraints.splitlines()}  # its markers are of more extras
    return (
        [f"{one['pin']}: no hash" for one in found if not one["hashes"]]
        + [
            f"{one['pin']}: not in constraints.txt"
            for one in found
            if one["pin"].partition(" ;")[0] not in pinned
        ]
        + [f"{word}: neither a pin nor a hash" for word in rest]
    )


def missing_pins(hashed: str) -> list[str]:
    """Dependencies of the project that the file leaves out."""
    names = {canonicalize_name(one["pin"].partition("==")[0]) for one in PIN.finditer(hashed)}
    return sorted({canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]} - names)


def test_the_default_install_is_known_by_its_hashes():
    assert unhashed(HASHED, CONSTRAINTS) == []
    assert missing_pins(HASHED) == []
    assert len(list(PIN.finditer(HASHED))) > len(PROJECT["dependencies"])


def test_a_planted_line_without_a_hash_or_with_another_version_is_reported():
    first = next(PIN.finditer(HASHED))
    assert unhashed(HASHED.replace(first[0], first["pin"]), CONSTRAINTS) == [f"{first['pin']}: no hash"]
    other = HASHED.replace(first["pin"], "accelerate==0.1")
    assert unhashed(other, CONSTRAINTS) == ["accelerate==0.1: not in constraints.txt"]
    assert unhashed(f"{HASHED}-e .\n", CONSTRAINTS)
    assert missing_pins(HASHED.replace("\ntorch==", "\ntorchx==")) == ["torch"]


def loose_actions(workflow: str) -> list[str]:
    """Actions that a tag or a branch names, which somebody can move to other code."""
    used = re.findall(r"uses: *(\S+)", workflow)
    return [name for name in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name)]


def test_actions_are_named_by_commit():
    assert "actions/checkout@" in WORKFLOW
    assert loose_actions(WORKFLOW) == []
    planted = re.sub(r"(actions/cache)@[0-9a-f]{40}", r"\1@v5", WORKFLOW)
    assert loose_actions(planted) == ["actions/cache@v5"]


def test_the_lint_job_audits_what_is_pinned():
    steps = yaml.safe_load(WORKFLOW)["jobs"]["lint"]["steps"]
    commands = "\n".join(step.get("run", "") for step in steps)
    assert re.search(r"pip_audit --requirement constraints\.txt --no-deps", commands)
