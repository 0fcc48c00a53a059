"""A .gguf rewritten as a folder: the same model, or nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from analysis.errors import InputError
from analysis.models.huggingface import PARAGRAPH
from analysis.models.load import gguf_to_folder
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
