"""`tapa doctor`: what it prints of a configuration, what it says of frequencies of other stacks, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from analysis.cli.doctor import diagnose, diagnosis_json, diagnosis_text
from tests import tiny_models
from tests.cli.test_main import given, printed, refused
from tests.theory.test_rotation_table import GEMMA3, YARN, inverted_ramp


@pytest.fixture
def deepseek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of DeepSeek V3's rotation, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(json.dumps(YARN))
    return Path("config.json")


def test_what_is_said_of_a_configuration(deepseek: Path):
    text = diagnosis_text(diagnose(deepseek), pairs=False)
    assert "layers 0-2: yarn, base 10000, 32 pairs (interleaved) rotate 64 of 64 dimensions" in text
    assert "wavelengths 6.283 to 1.88469e+06 tokens" in text
    assert "9 of 32 pairs make no whole turn" in text
    assert (
        "extension beyond 4096 tokens: pairs 0-10 kept, 11-22 slowed by 1.08 to 10, 23-31 slowed by 40"
        in text
    )
    assert "not checked; 'deepseek_v3' is none of the architectures" in text


def test_pairs_and_layer_types_are_printed(tmp_path: Path):
    (tmp_path / "config.json").write_text(
        json.dumps(GEMMA3 | {"model_type": "unheard_of", "rope_theta": 1e4})
    )
    lines = diagnosis_text(diagnose(tmp_path), pairs=True).splitlines()
    assert lines[1].startswith("layers 0-6: default, base 10000, 8 pairs")
    first = [line.split()[0] for line in lines if line.startswith("   ")]
    assert [word for word in first if word.isdigit()] == list("01234567")


def test_the_inverted_ramp_of_litgpt_ends_in_exit_code_1(deepseek: Path, monkeypatch, capsys):
    np.savez("litgpt.npz", inv_freq=inverted_ramp(YARN))
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", "config.json", "--against", "litgpt.npz")()
    out, err = capsys.readouterr()
    assert end.value.code == 1
    assert "extension beyond 4096 tokens" in out
    (line,) = [line for line in err.splitlines() if line.startswith("tapa: ")]
    assert (
        "litgpt.npz, layers 0-2: pair 0 is the first of 32 wrong ones: it turns by 0.025 rad/token there"
        in line
    )
    assert "by the configuration by 1; the ramp is inverted" in line


def test_frequencies_that_agree_end_in_exit_code_0(deepseek: Path, monkeypatch, capsys):
    omega = diagnose(deepseek).layers[0].frequencies.omega.astype(np.float32)
    np.savez("same.npz", inv_freq=omega, attention_factor=1.0)
    out = printed(monkeypatch, capsys, "doctor", "config.json", "--against", "same.npz", "--json")
    found = json.loads(out)
    assert found["wrong"] == []
    assert "as the configuration says" in found["against"][0]
    (layer,) = found["layer_types"]
    assert layer["layers"] == [0, 1, 2]
    assert len(layer["wavelength"]) == len(layer["slowed"]) == 32
    np.savez("factor.npz", inv_freq=omega, attention_factor=1.37)
    assert diagnose(deepseek, against=Path("factor.npz")).wrong == [
        "factor.npz, layers 0-2: the attention factor is 1.37 there, by the configuration 1"
    ]


def test_a_module_that_ignores_its_scaling_ends_in_exit_code_1(tmp_path: Path, monkeypatch, capsys):
    tiny_models.build("llama-yarn").config.save_pretrained(tmp_path)
    good = diagnose(tmp_path)
    assert good.wrong == []
    assert "transformers' llama rotates as the configuration says" in good.module[0]
    monkeypatch.setitem(
        ROPE_INIT_FUNCTIONS,
        "yarn",
        lambda config, device=None, seq_len=None, **_: LlamaRotaryEmbedding.compute_default_rope_parameters(
            config
        ),
    )
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", str(tmp_path))()
    assert end.value.code == 1
    assert "module, every layer: pair 0 is the first of 4 wrong ones" in capsys.readouterr().err


def test_resting_pairs_are_said(tmp_path: Path):
    rope = {"rope_type": "proportional", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "x", "head_dim": 16, "num_hidden_layers": 1, "rope_parameters": rope})
    )
    found = diagnose(tmp_path)
    assert "4 pairs rest" in diagnosis_text(found, pairs=False)
    assert diagnosis_json(found)["layer_types"][0]["wavelength"][-1] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "none: no such file or folder"),
        (("bad.json",), "bad.json is not JSON"),
        (("list.json",), "list.json holds a list"),
        (("empty",), "cannot be read: No such file or directory; give a Hugging Face folder"),
        (("config.json", "--length", "0"), "length=0"),
        (("config.json", "--against", "none.npz"), "none.npz cannot be read as .npz"),
    ],
)
def test_refusals_are_one_line(arguments: tuple[str, ...], said: str, deepseek: Path, monkeypatch, capsys):
    Path("bad.json").write_text("{")
    Path("list.json").write_text("[]")
    Path("empty").mkdir()
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", *arguments)()
    refused(end.value, capsys, said)
