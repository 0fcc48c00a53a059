"""The built wheel outside the clone: it verifies, prints tables and draws from the data that it carries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import matplotlib
import pytest

pytestmark = pytest.mark.full
ROOT = Path(__file__).resolve().parents[1]
CARRIED = (
    "proofs/STATUS.md",
    "figures/FINDINGS.md",
    "figures/trained/rope-s0-lr2e-3.json",
    "figures/trained/checkpoints/tapa.safetensors",
    "figures/summaries/bias.json",
    "figures/summaries/bias_sweep.json",
    "figures/tables/table2.md",
    "analysis/models/one_loop.cpp",
    "analysis/training/recipes/cpu.toml",
    "analysis/py.typed",
    "figures/report/page.html",
    "figures/report/page.js",
)
MOST = 25_000_000  # bytes


def done(arguments: list[str], **options) -> str:
    """What a process prints that ends well."""
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the files that git has, with the setuptools that is here: no network."""
    folder = tmp_path_factory.mktemp("build")
    listed = done(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    for name in filter(None, listed.split("\0")):
        if (source := ROOT / name).is_file():
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / "tree" / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done([*pip, "--wheel-dir", str(folder), str(folder / "tree")])
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An empty folder, and an environment in which the project is the wheel's and the other packages are ours.

    With -S no .pth file is read: the clone, which may be installed for editing, is out of sight.
    """
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    done([*pip, "--target", str(folder / "site-packages"), str(wheel)])
    (folder / "empty").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TAPA_CACHE")}
    own = {name: str(folder / "home") for name in ("HOME", "XDG_DATA_HOME", "TAPA_CACHE")}
    path = os.pathsep.join([str(folder / "site-packages"), sysconfig.get_path("purelib")])
    fonts = {
        "MPLCONFIGDIR": matplotlib.get_cachedir()
    }  # else each process lists the fonts of the machine anew
    return folder, kept | own | fonts | {"PYTHONPATH": path, "MPLBACKEND": "Agg"}


def test_the_wheel_carries_its_data(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert not set(CARRIED) - set(names)
    assert not [name for name in names if name.startswith(("tests/", "figures/records/", "figures/out/"))]
    assert wheel.stat().st_size < MOST


def test_the_installed_package_verifies_prints_and_draws(installed: tuple[Path, dict[str, str]]):
    folder, environment = installed
    before = {path for path in (folder / "site-packages").rglob("*") if "__pycache__" not in path.parts}

    def tapa(*arguments: str) -> str:
        command = [sys.executable, "-S", "-m", "analysis.cli", *arguments]
        return done(command, cwd=folder / "empty", env=environment)

    where = "import analysis, figures, proofs; print(analysis.__file__, figures.__file__, proofs.__file__)"
    files = done([sys.executable, "-S", "-c", where], cwd=folder / "empty", env=environment).split()
    assert all(Path(file).is_relative_to(folder) for file in files)
    assert "thm-2.2" in tapa("verify", "thm-2.2", "--workers", "0")
    assert tapa("results", "table2").startswith("# No fine-tuning")
    *_, picture = tapa("figures", "bias_by_base").splitlines()
    drawn = folder / "empty" / picture  # an absolute path stays what it is
    assert drawn.read_bytes().startswith(b"%PDF")
    assert drawn.is_relative_to(folder / "home")
    assert list((folder / "empty").iterdir()) == []
    after = {path for path in (folder / "site-packages").rglob("*") if "__pycache__" not in path.parts}
    assert after == before
