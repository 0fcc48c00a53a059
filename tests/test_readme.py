"""The README: its Python runs and draws, its command prints what it says, its paths are there, and it is short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.cli.main import app
from analysis.models.families import FAMILIES
from proofs import status

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHOWN = {  # as the README calls them
    "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen 2", "qwen3": "Qwen 2 and 3", "gemma": "Gemma 1 to 3",
    "gemma2": "Gemma 1 to 3", "gemma3_text": "Gemma 1 to 3", "gpt_neox": "GPT-NeoX", "phi": "Phi", "phi3": "Phi-3",
    "cohere": "Cohere", "glm": "GLM",
}  # fmt: skip


@pytest.mark.parametrize("code", [code for language, code in BLOCKS if language == "python"])
def test_the_python_of_the_readme_ends_in_a_plot(code: str, tmp_path: Path):
    environment = {
        "MPLBACKEND": "agg",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "MPLCONFIGDIR": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    [drawn] = tmp_path.glob("*.png")
    assert drawn.stat().st_size > 5_000


def test_the_command_prints_what_the_readme_shows():
    [(command, output)] = re.findall(r"^\$ tapa (.*)\n((?:.*\n)+?)^```$", README, re.MULTILINE)
    assert CliRunner().invoke(app, command.split()).stdout == output


def test_every_command_of_the_readme_is_one_of_tapa():
    names = set(re.findall(r"^(?:\$ )?tapa ([a-z-]+)", README, re.MULTILINE)) - {"--help"}
    known = {
        command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands
    }
    assert names
    assert names <= known


def test_every_link_of_the_readme_leads_somewhere():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", README)
    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).exists()] == []
    assert "thm-22" in status.PATH.read_text(encoding="utf-8")  # where theorem 2.2 is linked to


def test_every_folder_stands_in_the_tree():
    [tree] = [code for _, code in BLOCKS if "notebooks/   " in code]
    shown = set(re.findall(r"([a-z_]+)/", tree))
    folders = {path.parent.name for path in (ROOT / "analysis").glob("*/__init__.py")}
    assert folders | {"analysis", "proofs", "paper", "figures", "notebooks", "tests"} <= shown


def test_every_supported_architecture_is_named():
    assert set(SHOWN) == set(FAMILIES)
    assert [name for name in SHOWN.values() if name not in README] == []


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 130
