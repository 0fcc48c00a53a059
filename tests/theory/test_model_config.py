"""Configurations: agreement with transformers, type by type and model by model; messages for bad ones."""

from __future__ import annotations

import copy
import importlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import CONFIG_MAPPING, GPTNeoXConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions

from analysis.errors import InputError
from analysis.theory.frequencies import Frequencies, plain
from analysis.theory.model_config import from_config

RTOL32 = 1e-6  # theirs is float32 arithmetic
RTOL64 = 1e-5 * 2.0**-29  # what loses at most 1e-5 in float32's 24 bits loses at most this in float64's 53


@pytest.fixture(autouse=True, scope="module")
def quiet_transformers() -> Iterator[None]:
    """Its advice on how to write configurations is not what is tested."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(before)


# --- agreement with transformers: every rope type that it registers -------------------------------------

FACTORS = (1.0, 4.0, 40.0)


def parameter_sets(kind: str, pairs: int) -> list[dict[str, Any]]:
    """The grid of one rope type's own parameters; `KeyError` for a type that this test does not know."""
    original = "original_max_position_embeddings"
    scaled = [{"factor": factor} for factor in FACTORS]
    ramps = ({}, {"truncate": False}, {"beta_fast": 4.0, "beta_slow": 4.0, "truncate": False})
    scales = (
        {"mscale": 1.0, "mscale_all_dim": 1.0},
        {"mscale": 0.7, "mscale_all_dim": 0.5},
        {"mscale": 0.7},
        {"attention_factor": 1.3},
    )
    lists = {
        "short_factor": np.linspace(1, 2, pairs).tolist(),
        "long_factor": np.linspace(2, 60, pairs).tolist(),
    }
    return {
        "default": [{}],
        "linear": scaled,
        "dynamic": scaled,
        "proportional": [{}, *scaled],
        "yarn": [
            {**one, **more, original: length}
            for one, more, length in itertools.product(
                ({"factor": None}, *scaled), ramps + scales, (2048, 16384)
            )
        ],
        "llama3": [
            {**one, "low_freq_factor": low, "high_freq_factor": high, original: length}
            for one, (low, high), length in itertools.product(scaled, ((1.0, 4.0), (0.5, 32.0)), (2048, 8192))
        ],
        "longrope": [
            {**lists, **more, original: length}
            for more, length in itertools.product(
                ({}, {"factor": 8.0}, {"attention_factor": 1.2}), (2048, 4096)
            )
        ],
    }[kind]


def grid(kind: str) -> Iterator[tuple[GPTNeoXConfig, int | None]]:
    """Configurations and text lengths; GPT-NeoX is a family that rotates any part of its head."""
    lengths = (None, 1000, 40000) if kind in ("dynamic", "longrope") else (None,)
    for head_dim, base, share in itertools.product((16, 80, 96, 128), (1e4, 5e5, 2e8), (0.25, 1.0)):
        for own in parameter_sets(kind, int(head_dim * share) // 2):
            entry = {"rope_type": kind, "rope_theta": base, "partial_rotary_factor": share, **own}
            config = GPTNeoXConfig(
                hidden_size=4 * head_dim,
                num_attention_heads=4,
                max_position_embeddings=16384,
                rope_parameters=entry,
            )
            for length in lengths:
                yield config, length


def theirs(config: GPTNeoXConfig, kind: str, length: int | None) -> tuple[np.ndarray, float]:
    if kind == "default":
        omega, attention_factor = GPTNeoXRotaryEmbedding.compute_default_rope_parameters(config)
    else:
        omega, attention_factor = ROPE_INIT_FUNCTIONS[kind](config, seq_len=length)
    return omega.double().numpy(), attention_factor


def assert_agree(ours: Frequencies, omega: np.ndarray, attention_factor: float, rtol: float) -> None:
    np.testing.assert_array_equal(ours.omega == 0, omega == 0)
    np.testing.assert_allclose(ours.omega, omega, rtol=rtol)
    assert ours.attention_factor == pytest.approx(attention_factor, rel=rtol)


def unsupported(registry: Mapping[str, object]) -> list[str]:
    """The registered rope types whose name alone `from_config` refuses."""
    found = []
    for kind in registry:
        try:
            from_config({"head_dim": 8, "rope_theta": 1e4, "rope_parameters": {"rope_type": kind}})
        except InputError as error:
            if "is unknown" in str(error):
                found.append(kind)
    return found


def test_no_registered_rope_type_is_unsupported() -> None:
    assert unsupported(ROPE_INIT_FUNCTIONS) == []
    assert unsupported({**ROPE_INIT_FUNCTIONS, "newrope": None}) == ["newrope"]


@pytest.mark.parametrize("kind", ["default", *ROPE_INIT_FUNCTIONS])
def test_agrees_with_transformers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are, and with float64 put in the place of float32 in the same functions of theirs.

    Their float32 itself loses 2.6e-6 in YaRN's and Llama 3's ramps at a factor of 40, so those are left
    to the second comparison, which covers the whole grid.
    """
    for config, length in grid(kind):
        ours = from_config(config, length=length)
        if (config.rope_parameters.get("factor") or 1) <= 8:
            assert_agree(ours, *theirs(config, kind, length), RTOL32)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "float", torch.float64)
            patch.setattr(torch, "float32", torch.float64)
            patch.setattr(torch.Tensor, "float", torch.Tensor.double)
            assert_agree(ours, *theirs(config, kind, length), RTOL64)


# --- agreement with whole model families: their configuration classes and published files ---------------

LISTS = {"short_factor": np.linspace(1, 1.5, 48).tolist(), "long_factor": np.linspace(1, 60, 48).tolist()}
ORIGINAL = "original_max_position_embeddings"
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    ORIGINAL: 8192,
}
YARN = {"type": "yarn", "factor": 4.0, ORIGINAL: 32768}
MSCALES = {"mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1}
PLAIN = {"rope_type": "default"}
FOURFOLD = {"type": "linear", "factor": 4.0}
EIGHTFOLD = {"rope_type": "linear", "factor": 8.0}


def published(model_type: str, hidden_size: int, heads: int, context: int, **more: Any) -> dict[str, Any]:
    """The keys of a config.json that bear on its rotation, as they stand in published files."""
    shape = {"hidden_size": hidden_size, "num_attention_heads": heads, "max_position_embeddings": context}
    return {"model_type": model_type, **shape, **more}


def gemma3(**more: Any) -> dict[str, Any]:
    return published("gemma3_text", 2560, 8, 131072, head_dim=256, num_hidden_layers=6, **more)


def phi3(context: int = 131072, heads: int = 32, **more: Any) -> dict[str, Any]:
    return published("phi3", 3072, heads, context, rope_theta=10000.0, **{ORIGINAL: 4096}, **more)


PUBLISHED: dict[str, dict[str, Any]] = {
    "Llama 2, no base": published("llama", 4096, 32, 4096, rope_scaling=None),
    "Vicuna 16k": published("llama", 4096, 32, 4096, rope_scaling=FOURFOLD),
    "dynamic": published("llama", 4096, 32, 4096, rope_scaling={"type": "dynamic", "factor": 2.0}),
    "both names": published("llama", 4096, 32, 4096, rope_scaling=FOURFOLD, rope_parameters=EIGHTFOLD),
    "Llama 3.1": published("llama", 4096, 32, 131072, rope_theta=500000.0, rope_scaling=LLAMA3),
    "SmolLM2": published("llama", 576, 9, 8192, rope_theta=100000, rope_scaling=None),
    "Mistral": published("mistral", 4096, 32, 32768, rope_theta=1000000.0, head_dim=128),
    "Qwen 2.5, YaRN": published("qwen2", 3584, 28, 131072, rope_theta=1000000.0, rope_scaling=YARN),
    "Qwen 3, new style": published(
        "qwen3", 1024, 16, 40960, head_dim=128, rope_parameters={**PLAIN, "rope_theta": 1000000}
    ),
    "Gemma": published("gemma", 3072, 16, 8192, head_dim=256),
    "Gemma 2": published("gemma2", 2304, 8, 8192, head_dim=256, rope_theta=10000.0),
    "Gemma 3 1B": gemma3(rope_theta=1000000, rope_local_base_freq=10000, rope_scaling=None),
    "Gemma 3 4B": gemma3(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=EIGHTFOLD),
    "Gemma 3, unusual": gemma3(rope_theta=500000.0, rope_local_base_freq=25000.0, rope_scaling=None),
    "Gemma 3, silent": gemma3(),
    "Gemma 3, new style": gemma3(
        rope_parameters={
            "full_attention": {**EIGHTFOLD, "rope_theta": 1000000.0},
            "sliding_attention": {**PLAIN, "rope_theta": 10000.0},
        }
    ),
    "Gemma 3, bases left out": gemma3(
        rope_parameters={"full_attention": {**EIGHTFOLD}, "sliding_attention": {**PLAIN}}
    ),
    "Gemma 4": published(
        "gemma4_text",
        2304,
        8,
        131072,
        head_dim=256,
        global_head_dim=512,
        num_hidden_layers=6,
        layer_types=["sliding_attention"] * 5 + ["full_attention"],
        rope_parameters={
            "sliding_attention": {**PLAIN, "rope_theta": 10000.0},
            "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6},
        },
    ),
    "Pythia": published("gpt_neox", 512, 8, 2048, rotary_pct=0.25, rotary_emb_base=10000),
    "GPT-NeoX, unusual": published("gpt_neox", 512, 8, 2048, rotary_pct=0.5, rotary_emb_base=25000),
    "GPT-NeoX, silent": published("gpt_neox", 6144, 64, 2048),
    "Phi 1.5": published("phi", 2048, 32, 2048, rope_theta=10000.0),
    "Phi 2": published(
        "phi", 2560, 32, 2048, partial_rotary_factor=0.4, rope_theta=10000.0, rope_scaling=None
    ),
    "Phi 3 4k": phi3(4096, rope_scaling=None),
    "Phi 3, earliest": phi3(rope_scaling={**LISTS, "type": "yarn"}),
    "Phi 3.5": phi3(rope_scaling={**LISTS, "type": "longrope"}),
    "Phi 4 mini": phi3(heads=24, partial_rotary_factor=0.75, rope_scaling={**LISTS, "type": "longrope"}),
    "DeepSeek V3": published(
        "deepseek_v3",
        7168,
        128,
        163840,
        qk_rope_head_dim=64,
        rope_theta=10000,
        rope_scaling={**YARN, **MSCALES, "factor": 40, ORIGINAL: 4096},
    ),
    "gpt-oss": published(
        "gpt_oss",
        2880,
        64,
        131072,
        head_dim=64,
        rope_theta=150000,
        rope_scaling={**YARN, "factor": 32.0, "truncate": False, ORIGINAL: 4096},
    ),
    "StableLM": published("stablelm", 2560, 32, 4096, partial_rotary_factor=0.25, rope_theta=10000),
}


def modeling(model_type: str) -> Any:
    family = model_type.removesuffix("_text")
    return importlib.import_module(f"transformers.models.{family}.modeling_{family}")


def rotary_module(config: Any) -> torch.nn.Module:
    """The family's own text rotary embedding, as its model builds it."""
    names = [name for name in vars(modeling(config.model_type)) if name.endswith("RotaryEmbedding")]
    (name,) = (name for name in names if "Vision" not in name)
    return getattr(modeling(config.model_type), name)(config)


def config_of(file: dict[str, Any]) -> Any:
    return CONFIG_MAPPING[file["model_type"]].from_dict(copy.deepcopy(file))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations_agree_with_their_models(name: str) -> None:
    """Read three ways: the file as it stands, transformers' configuration of it, and that written to JSON."""
    config = config_of(PUBLISHED[name])
    module = rotary_module(config)
    per_layer = isinstance(module.rope_type, dict)
    for layer_type in sorted(set(config.layer_types)) if per_layer else [None]:
        prefix = f"{layer_type}_" if per_layer else ""
        omega = getattr(module, f"{prefix}inv_freq").double().numpy()
        attention_factor = getattr(module, f"{prefix}attention_scaling")
        for form in (PUBLISHED[name], config, json.loads(config.to_json_string(use_diff=False))):
            assert_agree(from_config(form, layer_type=layer_type), omega, attention_factor, RTOL32)


@pytest.mark.parametrize(
    "model_type", ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "gpt_neox", "phi", "phi3"]
)
def test_default_configurations_agree_with_their_models(model_type: str) -> None:
    config = CONFIG_MAPPING[model_type]()
    module = rotary_module(config)
    if model_type == "gemma3_text":
        for layer_type, base in (("full_attention", 1e6), ("sliding_attention", 1e4)):
            ours = from_config(config, layer_type=layer_type)
            assert_agree(ours, getattr(module, f"{layer_type}_inv_freq").double().numpy(), 1.0, RTOL32)
            np.testing.assert_array_equal(ours.omega, plain(base, 256).omega)
        return
    for form in (
        config,
        {"model_type": model_type, **{k: v for k, v in config.to_dict().items() if "rope" not in k}},
    ):
        assert_agree(from_config(form), module.inv_freq.double().numpy(), module.attention_scaling, RTOL32)


def test_one_rotation_serves_every_layer_type_of_a_model_that_has_one() -> None:
    config = CONFIG_MAPPING["gemma2"]()
    for layer_type in ("sliding_attention", "full_attention", None):
        np.testing.assert_array_equal(from_config(config, layer_type=layer_type).omega, plain(1e4, 256).omega)


def test_longrope_changes_lists_beyond_the_original_length() -> None:
    config = config_of(PUBLISHED["Phi 3.5"])
    for length in (4096, 4097):
        expected = ROPE_INIT_FUNCTIONS["longrope"](config, seq_len=length)
        for form in (config, PUBLISHED["Phi 3.5"]):
            assert_agree(from_config(form, length=length), expected[0].double().numpy(), expected[1], RTOL32)
    assert from_config(config, length=4096).omega[-1] > 30 * from_config(config, length=4097).omega[-1]


def test_phi3_under_its_first_name_for_longrope() -> None:
    """Its class no longer reads "su" files of its own family; they mean what "longrope" means."""
    named, renamed = (phi3(rope_scaling={**LISTS, "type": kind}) for kind in ("su", "longrope"))
    for length in (None, 100000):
        ours, expected = from_config(named, length=length), from_config(renamed, length=length)
        np.testing.assert_array_equal(ours.omega, expected.omega)
        assert ours.attention_factor == expected.attention_factor


def test_transformers_does_not_see_truncate_in_a_layer_types_entry() -> None:
    """A deviation, pinned: they look for it beside the entries. When this fails they agree, and it may go."""
    entry = {**YARN, "rope_theta": 1e6, "truncate": False}
    nested = {"full_attention": entry, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}
    config = config_of(gemma3(rope_parameters=nested))
    omega = rotary_module(config).full_attention_inv_freq.double().numpy()
    entry["truncate"] = True
    truncated = from_config(gemma3(rope_parameters=nested), layer_type="full_attention")
    np.testing.assert_allclose(truncated.omega, omega, rtol=RTOL32)
    untruncated = from_config(config, layer_type="full_attention")
    assert np.abs(untruncated.omega / omega - 1).max() > 0.01


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"])
def test_families_that_rotate_whole_heads_do_so_in_transformers(model_type: str) -> None:
    """Why a partial factor is refused there: their code reads it nowhere, or breaks."""
    config = CONFIG_MAPPING[model_type](rope_parameters={"rope_theta": 1e4, "partial_rotary_factor": 0.5})
    assert 2 * len(rotary_module(config).inv_freq) == from_config(CONFIG_MAPPING[model_type]()).head_dim
    with pytest.raises(
        InputError, match=f"partial_rotary_factor=0.5, but model_type='{model_type}' rotates whole"
    ):
        from_config(config)


# --- agreement with transformers' rotation: sign, pairs, partial rotation, attention factor -------------

HEAD = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256}
TURNED: dict[str, dict[str, Any]] = {
    "llama": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    "gpt_neox": {"partial_rotary_factor": 0.25},
    "phi": {"partial_rotary_factor": 0.5},
    "phi3": {"partial_rotary_factor": 0.75},
    "cohere": {},
    "cohere2": {},
    "glm": {"partial_rotary_factor": 0.5},
    "glm4": {"partial_rotary_factor": 0.5},
    "ernie4_5": {},
    "helium": {},
    "deepseek_v3": {},
}


def score_matrix(rope: Frequencies, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Unscaled scores, all positions, from `Frequencies` alone, by the convention of analysis/notation.py."""
    first, second = rope.pairs.T
    zq, zk = (x[:, first] + 1j * x[:, second] for x in (q, k))
    distance = np.arange(len(q))[:, None] - np.arange(len(k))
    turn = np.exp(1j * distance[..., None] * rope.omega)
    turned = (zq[:, None] * zk.conj() * turn).sum(axis=-1).real
    return rope.attention_factor**2 * turned + q[:, rope.rotary_dim :] @ k[:, rope.rotary_dim :].T


@pytest.mark.parametrize("model_type", TURNED)
def test_scores_agree_with_the_models_own_rotation(model_type: str) -> None:
    config = CONFIG_MAPPING[model_type](
        **HEAD, head_dim=32, qk_rope_head_dim=32, rope_parameters={"rope_theta": 1e4, **TURNED[model_type]}
    )
    rope = from_config(config)
    length = 12
    q, k = np.random.default_rng(0).standard_normal((2, length, rope.head_dim))
    cos, sin = rotary_module(config)(torch.zeros(1, 1, dtype=torch.float64), torch.arange(length)[None])
    functions = vars(modeling(model_type))
    suffix = "_interleave" if model_type == "deepseek_v3" else ""
    rotate = functions[f"apply_rotary_pos_emb{suffix}"]
    rotary_dim = cos.shape[-1]
    tensors = [torch.from_numpy(x)[None, None] for x in (q, k)]
    turned = rotate(*(x[..., :rotary_dim] for x in tensors), cos, sin)
    rest = (x[..., rotary_dim:] for x in tensors)
    full = [torch.cat(parts, dim=-1)[0, 0].numpy() for parts in zip(turned, rest, strict=True)]
    # their angles, up to 11 rad, their cosines and sines are rounded to float32
    budget = 4 * length * 2.0**-24 * np.linalg.norm(q, axis=1).max() * np.linalg.norm(k, axis=1).max()
    np.testing.assert_allclose(score_matrix(rope, q, k), full[0] @ full[1].T, rtol=0, atol=budget)


def test_gptj_turns_neighbours() -> None:
    """GPT-J has a table of sines and cosines in place of frequencies: row 1 holds one token's angle."""
    config = CONFIG_MAPPING["gptj"](n_embd=512, n_head=4, rotary_dim=64)
    rope = from_config(config)
    sin, cos = create_sinusoidal_positions(2, config.rotary_dim)[1].double().numpy().reshape(2, -1)
    assert (rope.pairing, rope.head_dim, rope.rotary_dim) == ("interleaved", 128, 64)
    # both are rounded to float32, so the angle is known to 2^-24 absolutely
    np.testing.assert_allclose(rope.omega, np.arctan2(sin, cos), atol=2.0**-23)


def test_pairing_can_be_told_and_a_configuration_can_tell_it() -> None:
    config = {"head_dim": 8, "rope_theta": 1e4}
    assert from_config(config).pairing == "halves"
    assert from_config({**config, "rope_interleave": True}).pairing == "interleaved"
    assert from_config(config, pairing="interleaved").pairing == "interleaved"
    assert from_config(PUBLISHED["DeepSeek V3"]).pairing == "interleaved"


# --- configurations that cannot be used -----------------------------------------------------------------

BARE = {"head_dim": 8, "rope_theta": 1e4, "max_position_embeddings": 2048}
NESTED = {"full_attention": {"rope_theta": 1e6}, "chunked_attention": None}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            transformers.GPT2Config(),
            r"\(model_type='gpt2'\) has no RoPE, none of rope_parameters, rope_scaling",
        ),
        ({"text_config": {}}, "a multimodal model's is in its text_config"),
        (
            {**BARE, "rope_scaling": {"type": "newrope"}},
            "'newrope' is unknown; did you mean longrope?",
        ),
        ({**BARE, "rope_scaling": "linear"}, "rope_scaling='linear' is not a mapping"),
        ({"head_dim": 8, "rope_scaling": {"type": "linear", "factor": 2.0}}, "has no base; add 'rope_theta'"),
        ({**BARE, "rope_theta": "10000"}, "rope_theta='10000' is not a number"),
        ({**BARE, "rope_theta": 1}, "base=1.0 must be finite and above 1"),
        ({**BARE, "rope_theta": math.nan}, "base=nan must be finite"),
        ({**BARE, "head_dim": 0}, "head_dim=0 is not a positive"),
        ({**BARE, "head_dim": 7}, "head_dim=7 is odd"),
        ({**BARE, "head_dim": 7.5}, "head_dim=7.5 is not a whole number"),
        ({"rope_theta": 1e4}, "neither 'head_dim' nor 'hidden_size', 'num_attention_heads'"),
        (
            {"rope_theta": 1e4, "hidden_size": 10, "num_attention_heads": 4},
            "hidden_size=10 is not a multiple of num",
        ),
        (
            {"rope_theta": 1e4, "hidden_size": 10, "num_attention_heads": 0},
            "not a multiple of num_attention_heads=0",
        ),
        ({**BARE, "partial_rotary_factor": 2.0}, r"partial_rotary_factor=2.0 is outside \(0, 1\]"),
        (
            {**BARE, "partial_rotary_factor": 0.4},
            "partial_rotary_factor=0.4 of head_dim=8 gives rotary_dim=3",
        ),
        (
            {**BARE, "rope_scaling": {"type": "linear"}},
            "rope type 'linear' needs 'factor' in its rope parameters",
        ),
        ({**BARE, "rope_scaling": {"type": "linear", "factor": True}}, "factor=True is not a number"),
        (
            {**BARE, "rope_scaling": {"type": "linear", "factor": 0.5}},
            "factor=0.5 must be finite and at least 1",
        ),
        ({**BARE, "rope_scaling": {"type": "dynamic"}}, "rope type 'dynamic' needs 'factor'"),
        ({**BARE, "rope_scaling": {"type": "yarn"}}, "rope type 'yarn' needs 'factor'"),
        ({**BARE, "rope_scaling": {**YARN, "truncate": "no"}}, "truncate='no' is neither true nor false"),
        (
            {**BARE, "rope_scaling": {"type": "llama3", "factor": 2.0}},
            "rope type 'llama3' needs 'low_freq_factor'",
        ),
        ({**BARE, "rope_scaling": {"type": "longrope"}}, "rope type 'longrope' needs 'short_factor'"),
        (
            {**BARE, "rope_scaling": {"type": "su", "short_factor": "1"}},
            "short_factor='1' is not a list of numbers",
        ),
        ({**BARE, "rope_scaling": {"type": "su", "short_factor": ["1"]}}, "short_factor='1' is not a number"),
        (
            {
                **BARE,
                "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 3, "long_factor": [1.0] * 4},
            },
            "short_factor has 3 values; rotary_dim=8 needs 4",
        ),
        (
            {"head_dim": 8, "rope_theta": 1e4, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
            "rope type 'dynamic' needs 'max_position_embeddings' in the configuration",
        ),
        (
            {**BARE, "rope_parameters": NESTED},
            "differs between layer types; give one as layer_type: chunked_atten",
        ),
        (gemma3(), "differs between layer types; give one as layer_type: full_attention, sliding_attention"),
        ({**BARE, "model_type": ["llama"]}, r"model_type=\['llama'\] is not a name"),
        ({**BARE, "layer_types": 5}, "layer_types=5 is not a list of names"),
        ({**BARE, "per_layer_config": [1]}, r"per_layer_config=\[1\] does not map indices of layers"),
        ({**BARE, "per_layer_config": {"a": 1}}, "does not map indices of layers to their changes"),
        ({**BARE, "rope_theta": 10**400}, r"rope_theta=10{56}\.\.\. is too large for a number of float64"),
        ({**BARE, "head_dim": 10**400}, r"head_dim=10+\.\.\. is too large"),
        ({**BARE, "head_dim": 2**30}, "head_dim=1073741824 is above 16777216; use the limit of many pairs"),
        (
            {**BARE, "rope_scaling": {**YARN, "attention_factor": 1e308}},
            r"attention_factor=1e\+308 is above 1e\+100",
        ),
        (7, r"config is a int; give a mapping or an object with to_dict\(\)"),
    ],
)
def test_bad_configurations_are_named(config: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_config(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "layer_type", "message"),
    [
        (
            {**BARE, "rope_parameters": NESTED},
            "sliding",
            "layer_type='sliding' is unknown; known: chunked_attention, ",
        ),
        (
            {**BARE, "rope_parameters": NESTED},
            "chunked_attention",
            "type 'chunked_attention' have no RoPE in this",
        ),
        (
            {**BARE, "layer_types": ["full_attention"]},
            "sliding",
            "layer_type='sliding' is unknown; known: full_att",
        ),
        (
            {
                **BARE,
                "rope_parameters": NESTED,
                "layer_types": ["full_attention"] * 2,
                "per_layer_config": {"00": {"head_dim": 16}, "01": {"head_dim": 32}},
            },
            "full_attention",
            r"layers of type 'full_attention' differ in head_dim: \[16, 32\]",
        ),
    ],
)
def test_bad_layer_types_are_named(config: Any, layer_type: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_config(config, layer_type=layer_type)


@pytest.mark.parametrize("key", ["rope_type", "type"])
@pytest.mark.parametrize("value", [0, "", False, 1.5, []])
def test_a_rope_type_that_is_no_name_is_not_read_as_plain(key: str, value: object) -> None:
    config = {
        "model_type": "llama",
        "head_dim": 8,
        "rope_theta": 1e4,
        "rope_scaling": {key: value, "factor": 8.0},
    }
    with pytest.raises(
        InputError, match=f"^{key}=.* is not the name of a rope type; remove it for plain RoPE$"
    ):
        from_config(config)


@pytest.mark.parametrize("value", ["false", "true", 0, 1, []])
def test_interleaving_is_true_or_false_and_nothing_else(value: object) -> None:
    config = {"model_type": "llama", "head_dim": 8, "rope_theta": 1e4, "rope_interleave": value}
    with pytest.raises(InputError, match=r"^rope_interleave=.* is neither true nor false$"):
        from_config(config)
    assert from_config(config | {"rope_interleave": True}).pairing == "interleaved"
    assert from_config(config | {"rope_interleave": None}).pairing == "halves"
