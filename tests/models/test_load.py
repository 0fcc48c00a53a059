"""A .gguf rewritten as a folder: the same model, or nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from analysis import assets
from analysis.errors import InputError
from analysis.models import load
from analysis.models.huggingface import PARAGRAPH
from analysis.models.load import gguf_to_folder, open_model
from analysis.theory.frequencies import Extension
from tests.tiny_models import taught, write_gguf


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # taught the very text that the row order is judged by
    return write_gguf(taught(PARAGRAPH), tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_converted_model_is_the_model(gguf: Path, tmp_path: Path):
    folder = tmp_path / "new" / "folder"
    gguf_to_folder(gguf, folder)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in folder.iterdir()}
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    tokens = torch.arange(40)[None]
    with torch.inference_mode():
        one, other = (
            AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **more)(tokens).logits
            for where, more in ((gguf.parent, {"gguf_file": gguf.name}), (folder, {}))
        )
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_cannot_be_converted(gguf: Path, tmp_path: Path):
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))} exists; remove it or give"):
        gguf_to_folder(gguf, tmp_path)
    short = tmp_path / "short.gguf"
    short.write_bytes(gguf.read_bytes()[:5000])
    with pytest.raises(InputError, match=rf"^{re.escape(str(short))} is truncated or not a GGUF file"):
        gguf_to_folder(short, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(
        InputError, match=r"/short\.gguf/new cannot be made: Not a directory; give another folder$"
    ):
        gguf_to_folder(gguf, short / "new")


def test_a_mistyped_name_is_answered_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-llama").mkdir()
    for name, said in (
        ("smolm2", r"^smolm2: no such file or folder; did you mean smollm2\?$"),
        ("my-lama", r"^my-lama: no such file or folder; did you mean my-llama\?$"),
        (
            "nothing-like-it",
            r"^nothing-like-it: no such file or folder; give smollm2 or gemma3-270m, a model of `tapa train`",
        ),
        ("m" * 300, r"m: no such file or folder; give smollm2"),
    ):
        with pytest.raises(InputError, match=said):
            open_model(name)


def test_a_checkpoint_goes_by_one_door_whatever_is_done_with_it(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The same object is measured and evaluated; without a text it reads the pinned ones; it says what was pinned."""
    text = tmp_path / "pinned.txt"
    text.write_text(PARAGRAPH)
    monkeypatch.setattr(assets, "fetch_texts", lambda **options: [text])
    folder = tmp_path / "folder"
    gguf_to_folder(gguf, folder)
    monkeypatch.setattr(load, "fetch_smollm2", lambda **options: folder)
    own, pinned = open_model(folder), open_model("smollm2")
    assert (own.name, pinned.name) == ("folder", "SmolLM2-135M-Instruct")
    assert own.sha256 == pinned.sha256
    assert own.recorded == {"model": "folder"}
    assert pinned.recorded == {"model": pinned.name, "pinned_sha256": assets.SMOLLM2.sha256}
    [(name, tokens)] = own.documents((), lambda *step: None)
    assert name == "pinned.txt"
    documents, sizes = own.evaluation_texts((), lambda *step: None)
    assert documents[0].name == name
    assert sizes[name].sum() == len(PARAGRAPH.encode())
    seen: list[int] = []
    own.check_rotates()
    own.capture(torch.tensor([tokens[:16]]), lambda found: seen.append(found.layer))
    assert seen == list(range(len(seen)))
    read, rows = own.reader(16, Extension("none", 1.0, own.trained_length))
    assert rows >= 1
    assert read(torch.tensor([tokens[:16]])).shape == (1, 15)
