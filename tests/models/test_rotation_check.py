"""The check of a module against its configuration: every family passes, and what is planted in a module is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.mistral import modeling_mistral

from analysis.models.rotation_check import check_module, measured_rotations, sample_checkpoint
from tests import tiny_models
from tests.refusals import plainly_raises


def configuration(variant: str, folder: Path) -> Path:
    tiny_models.build(variant).config.save_pretrained(folder)
    return folder / "config.json"


@pytest.mark.parametrize("variant", sorted(tiny_models.VARIANTS))
def test_every_family_rotates_as_its_configuration_says(variant: str, tmp_path: Path) -> None:
    checked = check_module(configuration(variant, tmp_path))
    for rotation in checked.rotations.values():
        assert rotation.right, rotation
        assert np.allclose(rotation.omega, rotation.expected.omega, rtol=1e-4, atol=1e-6)
        assert rotation.attention_factor == pytest.approx(rotation.expected.attention_factor, rel=1e-5)


def test_one_layer_of_each_type_is_built(tmp_path: Path) -> None:
    checked = check_module(configuration("gemma3", tmp_path))
    assert list(checked.rotations) == ["sliding_attention", "full_attention"]
    assert check_module(tmp_path).architecture == "gemma3_text"  # the folder, without any weights


def test_a_module_that_ignores_its_scaling_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ignoring(config, device=None, seq_len=None, **options):
        return LlamaRotaryEmbedding.compute_default_rope_parameters(config)

    monkeypatch.setitem(ROPE_INIT_FUNCTIONS, "yarn", ignoring)
    (rotation,) = check_module(configuration("llama-yarn", tmp_path)).rotations.values()
    assert not rotation.right
    first = rotation.wrong[0]
    plain = 300.0 ** -(np.arange(0, 8, 2) / 8)
    assert np.allclose(rotation.omega, plain, rtol=1e-4)  # what the module really does
    assert rotation.attention_factor == pytest.approx(1, rel=1e-5)
    assert first == 0  # the attention factor is lost in every pair


def test_the_first_wrong_pair_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = ROPE_INIT_FUNCTIONS["llama3"]

    def off(config, device=None, seq_len=None, **options):
        omega, factor = right(config, device, seq_len, **options)
        return omega * torch.tensor([1.0, 1.0, 1.01, 1.0]), factor

    monkeypatch.setitem(ROPE_INIT_FUNCTIONS, "llama3", off)
    (rotation,) = check_module(configuration("llama-llama3", tmp_path)).rotations.values()
    assert rotation.wrong == [2]
    assert rotation.omega[2] == pytest.approx(1.01 * rotation.expected.omega[2], rel=1e-4)


def test_a_module_that_turns_the_whole_head_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def whole(config, device=None, seq_len=None):
        size = config.hidden_size // config.num_attention_heads
        return 300.0 ** -(torch.arange(0, size, 2) / size), 1.0

    monkeypatch.setattr(GPTNeoXRotaryEmbedding, "compute_default_rope_parameters", staticmethod(whole))
    (rotation,) = check_module(configuration("gpt_neox", tmp_path)).rotations.values()
    assert rotation.still > rotation.allowed
    assert not rotation.right


def test_a_window_that_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        modeling_mistral, "create_sliding_window_causal_mask", modeling_mistral.create_causal_mask
    )
    (rotation,) = check_module(configuration("mistral", tmp_path)).rotations.values()
    assert rotation.wrong == []
    assert rotation.mask is not None
    assert "the last query reads 64 of 64 keys, the layer's window allows 20" in rotation.mask


def test_weights_are_those_of_the_seed_and_leave_the_generator_alone() -> None:
    config = tiny_models.build("llama").config
    state = torch.get_rng_state()
    one, again, other = (sample_checkpoint(config, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    first, second, third = (next(c.model.parameters()) for c in (one, again, other))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert config.num_hidden_layers == 3  # the given configuration is not changed
    assert len(measured_rotations(one)) == 1


def test_refuses_what_it_cannot_build(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    plainly_raises(lambda: check_module(tmp_path), "gpt2 has no rotary position embedding")
    (tmp_path / "other.json").write_text("{}")
    plainly_raises(
        lambda: check_module(tmp_path / "other.json"), "transformers reads a configuration by that name"
    )
