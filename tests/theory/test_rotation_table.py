"""What a configuration says of its rotation, and frequencies of other stacks beside it, each mistake computed here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.theory.frequencies import Frequencies
from analysis.theory.rotation_table import LayerType, compare_frequencies, layer_types, read_dump
from tests.refusals import plainly_raises

YARN: dict[str, Any] = {  # DeepSeek V3's
    "model_type": "deepseek_v3",
    "qk_rope_head_dim": 64,
    "num_hidden_layers": 3,
    "rope_theta": 10000,
    "max_position_embeddings": 163840,
    "rope_scaling": {
        "rope_type": "yarn",
        "factor": 40,
        "beta_fast": 32,
        "beta_slow": 1,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096,
    },
}
GEMMA3 = {
    "model_type": "gemma3_text",
    "head_dim": 16,
    "num_hidden_layers": 7,
    "sliding_window": 512,
    "max_position_embeddings": 32768,
}


def only(config: dict[str, Any], **options: int) -> LayerType:
    (found,) = layer_types(config, **options)
    return found


def inverted_ramp(config: dict[str, Any]) -> np.ndarray:
    """YaRN as litgpt 0.5.13 computes it, in float32: where its ramp is 1 it keeps the frequency, and the ramp rises."""
    rope, size, base = config["rope_scaling"], config["qk_rope_head_dim"], config["rope_theta"]
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    positions = np.float32(base) ** exponents

    def dimension(turns: float) -> float:
        return (
            size
            * math.log(rope["original_max_position_embeddings"] / (turns * 2 * math.pi))
            / (2 * math.log(base))
        )

    low, high = math.floor(dimension(rope["beta_fast"])), math.ceil(dimension(rope["beta_slow"]))
    low, high = max(low, 0), min(high, size // 2 - 1)
    ramp = np.clip((np.arange(size // 2, dtype=np.float32) - low) / (high - low), 0, 1)
    return (1 / (rope["factor"] * positions)) * (1 - ramp) + (1 / positions) * ramp


def test_wavelengths_are_whole_turns() -> None:
    layer = only(YARN)
    assert np.allclose(layer.wavelengths * layer.frequencies.omega, 2 * math.pi, rtol=1e-15)
    assert layer.unfinished.tolist() == (layer.wavelengths > 163840).tolist()


def test_the_extension_is_said_pair_by_pair() -> None:
    slowed = only(YARN).slowed
    assert slowed[0] == 1
    assert slowed[-1] == pytest.approx(40)
    assert (np.diff(slowed) >= -1e-12).all()


def test_layer_types_of_a_published_file_that_names_none() -> None:
    local, every_sixth = layer_types(GEMMA3)
    assert local.layers == (0, 1, 2, 3, 4, 6)
    assert every_sixth.layers == (5,)
    assert (local.base, every_sixth.base) == (1e4, 1e6)
    assert (local.window, every_sixth.window) == (512, None)


def test_the_text_part_of_a_multimodal_model_is_taken() -> None:
    assert only({"model_type": "whole", "text_config": YARN}).layers == (0, 1, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers=None is no number of layers"),
        ({"layer_types": ["full_attention"]}, "layer_types does not name a type for each of 3 layers"),
    ],
)
def test_refuses_a_configuration_without_layers(change: dict[str, Any], said: str) -> None:
    plainly_raises(lambda: layer_types(YARN | change), said)


# Frequencies of another stack.


def test_what_float32_computes_is_as_the_configuration_says() -> None:
    layer = only(YARN)
    assert compare_frequencies(layer, layer.frequencies.omega.astype(np.float32)).wrong == []


def test_the_inverted_ramp_of_litgpt_is_caught_and_named() -> None:
    compared = compare_frequencies(only(YARN), inverted_ramp(YARN))
    assert compared.wrong[0] == 0
    assert compared.mistake is not None
    assert "the ramp is inverted" in compared.mistake


@given(st.integers(0, 31), st.floats(1e-4, 0.5))
def test_one_pair_that_is_off_is_the_first_wrong_one(pair: int, off: float) -> None:
    layer = only(YARN)
    theirs = layer.frequencies.omega.copy()
    theirs[pair] *= 1 + off
    assert compare_frequencies(layer, theirs).wrong == [pair]


PLAIN = YARN["rope_theta"] ** -(np.arange(0, 64, 2) / 64)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (PLAIN, "the scaling is ignored"),
        (PLAIN / 40, "position interpolation"),
        (PLAIN**2 / only(YARN).frequencies.omega, "multiplied where they ought to be divided"),
    ],
)
def test_known_mistakes_are_named(theirs: np.ndarray, said: str) -> None:
    assert said in str(compare_frequencies(only(YARN), theirs).mistake)


def test_mistakes_of_a_model_without_extension_are_named() -> None:
    config = {
        "model_type": "gpt_neox",
        "head_dim": 64,
        "num_hidden_layers": 1,
        "rotary_pct": 0.25,
        "rope_theta": 5e4,
    }
    layer = only(config)
    whole = 5e4 ** -(np.arange(0, 16, 2) / 64)
    assert "exponents are those of the whole head" in str(compare_frequencies(layer, whole).mistake)
    other = 1e4 ** -(np.arange(0, 16, 2) / 16)
    assert compare_frequencies(layer, other).mistake == "the base is 10000"


def test_frequencies_rounded_to_bfloat16_are_named() -> None:
    bits = only(YARN).frequencies.omega.astype(np.float32).view(np.uint32)
    rounded = ((bits + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    assert compare_frequencies(only(YARN), rounded).mistake == "the frequencies were rounded to bfloat16"


def test_an_unknown_mistake_has_no_name() -> None:
    assert compare_frequencies(only(YARN), only(YARN).frequencies.omega[::-1]).mistake is None


def test_refuses_another_number_of_pairs() -> None:
    plainly_raises(lambda: compare_frequencies(only(YARN), np.ones(3)), "3 frequencies were given")


# Files.


def saved(folder: Path, **arrays: np.ndarray | float) -> Path:
    np.savez(folder / "dump.npz", **arrays)
    return folder / "dump.npz"


def tables(frequencies: Frequencies, dtype: type, factor: float = 1.3) -> tuple[np.ndarray, np.ndarray]:
    angles = np.outer(np.arange(5), frequencies.omega)
    return (factor * np.cos(angles)).astype(dtype), (factor * np.sin(angles)).astype(dtype)


@pytest.mark.parametrize("kind", ["inv_freq", "once", "halves", "neighbours", "vllm"])
def test_every_form_of_a_dump_gives_the_frequencies(tmp_path: Path, kind: str) -> None:
    layer = only(YARN)
    cos, sin = tables(layer.frequencies, np.float32)
    arrays = {
        "inv_freq": {"inv_freq": layer.frequencies.omega.astype(np.float32), "attention_factor": 1.3},
        "once": {"cos": cos, "sin": sin},
        "halves": {"cos": np.tile(cos, 2), "sin": np.tile(sin, 2)},
        "neighbours": {"cos": np.repeat(cos, 2, axis=1), "sin": np.repeat(sin, 2, axis=1)},
        "vllm": {"cos_sin_cache": np.concatenate([cos, sin], axis=1)},
    }[kind]
    dump = read_dump(saved(tmp_path, **arrays))
    ((layers, omega),) = dump.of(layer)
    assert layers == (0, 1, 2)
    assert compare_frequencies(layer, omega, unit=dump.unit).wrong == []
    assert dump.attention_factor[""] == pytest.approx(1.3, rel=1e-6)


def test_a_table_in_half_precision_is_allowed_its_rounding_and_no_more(tmp_path: Path) -> None:
    layer = only(YARN | {"rope_scaling": None})
    cos, sin = tables(layer.frequencies, np.float16)
    dump = read_dump(saved(tmp_path, cos=cos, sin=sin))
    ((_, omega),) = dump.of(layer)
    compared = compare_frequencies(layer, omega, unit=dump.unit)
    normal = layer.frequencies.omega > 2.0**-14  # below, float16 has fewer digits
    assert not set(compared.wrong) & set(np.flatnonzero(normal))
    other = only(YARN | {"rope_scaling": None, "rope_theta": 10100})
    assert compare_frequencies(other, omega, unit=dump.unit).wrong


def test_layers_and_layer_types_are_compared_one_by_one(tmp_path: Path) -> None:
    local, every_sixth = layer_types(GEMMA3)
    rows = np.stack([local.frequencies.omega] * 6)
    rows[4] *= 2
    both = {"sliding_attention.inv_freq": rows, "full_attention.inv_freq": every_sixth.frequencies.omega}
    dump = read_dump(saved(tmp_path, **both))
    wrong = [layers for layers, omega in dump.of(local) if compare_frequencies(local, omega).wrong]
    assert wrong == [(4,)]
    assert [compare_frequencies(every_sixth, omega).wrong for _, omega in dump.of(every_sixth)] == [[]]
    whole = read_dump(saved(tmp_path, inv_freq=np.stack([local.frequencies.omega] * 7)))
    assert [layers for layers, _ in whole.of(every_sixth)] == [(5,)]
    assert compare_frequencies(every_sixth, whole.of(every_sixth)[0][1]).wrong


def test_a_dump_of_other_layers_is_refused(tmp_path: Path) -> None:
    """More rows than layers are refused too: which of them are meant is not known."""
    local, every_sixth = layer_types(GEMMA3)
    rows = np.stack([local.frequencies.omega] * 7)
    typed = read_dump(saved(tmp_path, **{"full_attention.inv_freq": rows}))
    plainly_raises(lambda: typed.of(every_sixth), "7 layers under 'full_attention', the model has 1")
    whole = read_dump(saved(tmp_path, inv_freq=rows[:6]))
    plainly_raises(lambda: whole.of(local), "frequencies of 6 layers, the model has 7")


def test_pairs_that_rest_are_no_extension() -> None:
    """In p-RoPE: a stack that turns them is told so, and nothing about a scaling that is not there."""
    rope = {"rope_type": "proportional", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
    config = {"model_type": "llama", "head_dim": 16, "num_hidden_layers": 2, "rope_parameters": rope}
    layer = only(config)
    assert (layer.frequencies.omega == 0).any()
    assert compare_frequencies(layer, layer.unscaled).mistake == "pairs that ought to rest are turned"
    halved = compare_frequencies(layer, layer.frequencies.omega / 2)
    assert halved.wrong
    assert halved.mistake is None


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.ones(3)}, "has no inv_freq, no cos and sin and no cos_sin_cache, only x"),
        ({"inv_freq": np.ones((2, 2, 2))}, "frequencies of shape (2, 2, 2)"),
        ({"inv_freq": np.array([1.0, math.nan])}, "not finite"),
        ({"cos": np.ones((1, 3)), "sin": np.zeros((1, 3))}, "give (positions, pairs), two or more"),
        ({"cos": np.zeros((2, 3)), "sin": np.ones((2, 3))}, "the first row of the table turns"),
        ({"inv_freq": np.array([{}])}, "cannot be read as .npz"),
    ],
)
def test_refuses_a_dump_that_is_none(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    path = saved(tmp_path, **arrays)
    plainly_raises(lambda: read_dump(path), said)


def test_refuses_a_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("no archive")
    plainly_raises(lambda: read_dump(tmp_path / "x.npz"), "cannot be read as .npz")
    plainly_raises(lambda: read_dump(tmp_path / "none.npz"), "cannot be read as .npz")
    np.save(tmp_path / "x.npy", np.ones(3))
    plainly_raises(lambda: read_dump(tmp_path / "x.npy"), "cannot be read as .npz")


def test_refuses_a_dump_of_other_layers(tmp_path: Path) -> None:
    dump = read_dump(saved(tmp_path, inv_freq=np.ones((2, 32))))
    plainly_raises(lambda: dump.of(only(YARN)), "frequencies of 2 layers")
    other = read_dump(saved(tmp_path, **{"sliding_attention.inv_freq": np.ones(32)}))
    with pytest.raises(InputError, match="no frequencies of all layers; it names sliding_attention"):
        other.of(only(YARN))
