"""`tapa doctor`: what it prints of a configuration, what it says of frequencies of other stacks, and exit codes."""

from __future__ import annotations

import json
import os
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
        (("list.json",), "list.json holds list, not a JSON object; give a Hugging Face folder"),
        (("deep.json",), "deep.json is nested more than 64 deep; give a Hugging Face folder"),
        (("pipe",), "pipe is a device or a pipe"),
        (("config.json", "--against", "pipe"), "pipe is a device or a pipe"),
        (("empty",), "empty holds no model; give smollm2"),
        (("config.json", "--length", "0"), "--length 0"),
        (("config.json", "--against", "none.npz"), "none.npz cannot be read as .npz"),
    ],
)
def test_refusals_are_one_line(arguments: tuple[str, ...], said: str, deepseek: Path, monkeypatch, capsys):
    Path("bad.json").write_text("{")
    Path("list.json").write_text("[]")
    Path("empty").mkdir()
    Path("deep.json").write_text(200_000 * "[")
    os.mkfifo("pipe")
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", *arguments)()
    refused(end.value, capsys, said)


# A user's own configuration: what is given and ignored, in every style, and what no module can be made of.

OWN = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 100, "rope_theta": 1e4,
    "max_position_embeddings": 4096,
}  # fmt: skip
BEFORE = {"original_max_position_embeddings": 1024}
KINDS = {
    "default": {},
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 4.0},
    "yarn": {"factor": 4.0, "beta_fast": 8, "beta_slow": 2, "truncate": False, **BEFORE},
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, **BEFORE},
    "longrope": {
        "factor": 4.0,
        "short_factor": [1.0] * 8,
        "long_factor": [1.0 + i for i in range(8)],
        **BEFORE,
    },
    "proportional": {"partial_rotary_factor": 0.5},
}


def own(folder: Path, **changes: object) -> Path:
    (folder / "config.json").write_text(json.dumps(OWN | changes))
    return folder / "config.json"


@pytest.mark.parametrize("style", ["rope_scaling with type", "rope_scaling", "rope_parameters"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_scaling_in_every_style_is_read_and_turned_by(kind: str, style: str, tmp_path: Path):
    """Nothing is said to be ignored, and transformers' own module turns by what is printed."""
    place, _, key = style.partition(" with ")
    base = {"rope_theta": 1e4} if place == "rope_parameters" else {}
    found = diagnose(own(tmp_path, **{place: {key or "rope_type": kind} | base | KINDS[kind]}))
    assert found.wrong == found.notes == []
    assert found.layers[0].frequencies.kind == kind
    assert "transformers' llama rotates as the configuration says" in found.module[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 0}, "num_key_value_heads=0 of the configuration is no size; give 1 or more"),
        ({"num_key_value_heads": -8}, "num_key_value_heads=-8 of the configuration is no size"),
        ({"num_attention_heads": 0, "head_dim": 16}, "num_attention_heads=0 of the configuration is no size"),
        ({"hidden_size": -64}, "hidden_size=-64 of the configuration is no size"),
        ({"max_position_embeddings": 0}, "max_position_embeddings=0 of the configuration is no size"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers=1000000000 of the configuration is above 65536; give less"),
        ({"num_key_value_heads": 10**15}, "num_key_value_heads=1000000000000000 of the configuration is above"),
        ({"hidden_size": 1 << 18, "num_attention_heads": 1 << 14, "head_dim": 1 << 14}, "make a projection of"),
        ({"model_type": "gemma3_text", "sliding_window_pattern": 0}, "sliding_window_pattern=0 of the configuration"),
        ({"model_type": "gemma3_text", "sliding_window_pattern": "x"}, "sliding_window_pattern='x' is no whole number"),
    ],
)  # fmt: skip
def test_sizes_that_no_model_has_are_refused_in_one_line(changes, said, tmp_path: Path, monkeypatch, capsys):
    own(tmp_path, **changes)
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", str(tmp_path))()
    refused(end.value, capsys, said)


LINEAR = {"rope_type": "linear", "factor": 4.0}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rope_scaling": {"factor": 4.0}}, "nothing reads factor=4.0: rope type default takes none"),
        ({"rope_scaling": {"rope_type": "default", "factor": 4.0}}, "so the scaling is ignored"),
        (
            {"rope_parameters": LINEAR | {"beta_fast": 16}},
            "nothing reads beta_fast=16: rope type linear takes factor",
        ),
        (
            {"rope_scaling": LINEAR | {"type": "dynamic"}},
            "nothing reads type='dynamic': rope_type='linear' stands",
        ),
        (
            {"rope_scaling": LINEAR, "rope_parameters": {"rope_type": "linear", "factor": 8.0}},
            "nothing reads factor=8.0 of rope_parameters: rope_scaling, with factor=4.0, stands beside it",
        ),
        ({"rope_scalling": LINEAR}, "nothing reads 'rope_scalling'; did you mean rope_scaling?"),
        (
            {"rope_scaling": {"type": "su"} | KINDS["longrope"]},
            "transformers cannot build config.json: KeyError: 'su'",
        ),
        ({"rope_theta": None}, "transformers cannot build config.json: TypeError"),
    ],
)
def test_what_is_silently_ignored_ends_in_exit_code_1(
    changes, said: str, tmp_path: Path, monkeypatch, capsys
):
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", str(own(tmp_path, **changes)))()
    out, err = capsys.readouterr()
    assert end.value.code == 1
    assert "layers 0-1: " in out  # what the configuration says is printed all the same
    (line,) = [line for line in err.splitlines() if line.startswith("tapa: ")]
    assert said in line


def test_what_may_be_meant_for_other_code_is_a_note(tmp_path: Path, monkeypatch, capsys):
    config = own(
        tmp_path, rope_scaling=KINDS["yarn"] | {"type": "yarn", "attn_factor": 2.0, "finetuned": True}
    )
    out = printed(monkeypatch, capsys, "doctor", str(config))
    assert "attn_factor=2.0 is no part of rope type yarn as it is read here" in out
    assert "finetuned" not in out  # words are no numbers
    longer = own(
        tmp_path, rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}
    )
    assert json.loads(printed(monkeypatch, capsys, "doctor", str(longer), "--json"))["notes"] == [
        "layers 0-1: the length before the extension, 8192, is above the context, 4096"
    ]


@pytest.mark.parametrize("variant", sorted(tiny_models.VARIANTS))
def test_no_family_is_said_to_ignore_what_it_has(variant: str, tmp_path: Path):
    """As transformers itself writes them."""
    tiny_models.build(variant).config.save_pretrained(tmp_path)
    assert diagnose(tmp_path).wrong == []


def test_a_multimodal_configuration_is_looked_into(tmp_path: Path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "whole", "text_config": OWN | {"rope_scaling": {"factor": 2.0}}})
    )
    (line,) = diagnose(tmp_path).wrong
    assert "nothing reads factor=2.0" in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rope_scaling": {"type": "ntk", "factor": 4.0}}, "rope type 'ntk' is unknown"),
        ({"rope_scaling": {"type": "linear", "factor": "4.0"}}, "factor='4.0' is not a number"),
        ({"rope_scaling": {"type": "yarn", "facter": 4.0}}, "rope type 'yarn' needs 'factor'"),
        ({"rope_scaling": {"type": "linear", "factor": 0.5}}, "factor=0.5"),
        (
            {"rope_scaling": KINDS["longrope"] | {"type": "longrope", "short_factor": [1.0]}},
            "needs 8, one per pair",
        ),
        ({"rope_scaling": [4]}, "rope_scaling=[4] is not a mapping"),
        ({"partial_rotary_factor": 0.5}, "'llama' rotates whole heads"),
        ({"head_dim": 15}, "head_dim=15 is odd"),
        ({"rope_theta": 1.0}, "base=1.0"),
    ],
)
def test_a_configuration_that_says_nothing_is_refused_in_one_line(
    changes, said: str, tmp_path, monkeypatch, capsys
):
    with pytest.raises(SystemExit) as end:
        given(monkeypatch, "doctor", str(own(tmp_path, **changes)))()
    refused(end.value, capsys, said)
