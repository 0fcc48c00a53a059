"""Exchanging a trained model's positional encoding: the start that was asked for, and exactly the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from analysis.errors import InputError
from analysis.models import convert
from analysis.models.checkpoint import load_model
from analysis.models.config import MethodConfig, ModelConfig
from analysis.models.convert import (
    converted,
    from_transformers,
    heads_of,
    reorder,
    slowest_first,
    to_transformers,
    with_yarn,
    write_converted,
    write_folder,
    yarn_factor,
)
from analysis.models.families import family_of
from analysis.models.llama import Llama
from analysis.models.load import open_model
from analysis.models.tapa_llama import tapa_encoding
from analysis.theory.frequencies import Extension
from analysis.theory.rotation_table import layer_types
from tests import tiny_models
from tests.refusals import plainly_raises

CHECKPOINTS = Path(__file__).parents[2] / "figures" / "trained" / "checkpoints"
EXPORTED = ["tapa", "tapa_linear", "tapa_plain", "rope"]


def tokens(rows: int = 2, length: int = 40) -> Tensor:
    return torch.from_numpy(np.random.default_rng(4).integers(1, 96, (rows, length)))


def taken(model: Any, text: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Queries and keys of every layer before any position."""
    family, heads = family_of(model.config.model_type), heads_of(model.config)
    found: list[tuple[Tensor, Tensor]] = []
    outputs: dict[int, Tensor] = {}
    layers = [module for module in model.modules() if family.is_attention(module)]
    hooks = [
        tap.register_forward_hook(lambda module, _, out: outputs.update({id(module): out}))
        for layer in layers
        for tap in family.tapped(layer)
    ]
    with torch.inference_mode():
        model(text, use_cache=False)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        found.append(family.arrange([outputs[id(tap)] for tap in family.tapped(layer)], heads))
    return found


@pytest.mark.parametrize("variant", list(tiny_models.VARIANTS))
def test_the_slowest_dimensions_come_first_and_the_others_are_small(variant: str):
    """In the first layer, whose input is the same: its own q and k, in the order of what the model rotates slowest."""
    model = tiny_models.build(variant, dtype=torch.float64)
    after = converted(model, "tapa", amplitude_share=0.5, phase_rows=0.25)
    dims = tapa_encoding(after.config).amplitude_dim
    order = slowest_first(model.config)
    for before, now in zip(taken(model, tokens())[0], taken(after, tokens())[0], strict=True):
        torch.testing.assert_close(now[..., :dims], before[..., order[:dims]], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(now[..., dims:], 0.25 * before[..., order[dims:]], rtol=1e-6, atol=1e-6)


def test_what_rotates_slowest_is_by_the_models_own_angles():
    for variant in ("llama", "gpt_neox", "cohere", "glm", "llama-yarn"):
        model: Any = tiny_models.build(variant, dtype=torch.float64)
        dim = heads_of(model.config).dim
        width = model.model.rotary_emb.inv_freq.numel() * 2 if variant != "gpt_neox" else 4
        angle = model.base_model.rotary_emb.inv_freq
        halves = torch.cat([angle, angle]) if variant not in ("cohere", "glm") else angle.repeat_interleave(2)
        speed = torch.cat([halves, torch.zeros(dim - width)])
        in_order = speed[slowest_first(model.config)]
        assert (in_order.diff() >= 0).all(), variant


@pytest.mark.parametrize(
    ("to", "variant"),
    [("tapa", variant) for variant in tiny_models.VARIANTS]
    + [("nope", variant) for variant in tiny_models.VARIANTS if "phi3" not in variant]
    + [("yarn", variant) for variant in ("llama", "qwen2", "gemma", "gpt_neox", "phi")],
)
def test_the_way_back_is_exact(variant: str, to: str, tmp_path: Path):
    model = tiny_models.build(variant)
    there = converted(model, to)
    assert not torch.equal(there(tokens()).logits, model(tokens()).logits)
    there.save_pretrained(tmp_path)
    opened = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert torch.equal(opened(tokens()).logits, there(tokens()).logits)
    back = converted(opened, "rope")
    assert type(back) is type(model)
    for name, weight in model.state_dict().items():
        # Gemma 3 multiplies by 1 + weight: the sum is rounded to 2^-24 twice, and once before it is made 8 times larger
        tolerance = 8 * 2 * 2**-24 if variant == "gemma3" and "_norm" in name else 0.0
        torch.testing.assert_close(back.state_dict()[name], weight, rtol=0.0, atol=tolerance)
    if variant != "gemma3":
        assert torch.equal(back(tokens()).logits, model(tokens()).logits)
    assert back.config.rope_parameters == model.config.rope_parameters
    assert back.config.max_position_embeddings == model.config.max_position_embeddings


@pytest.mark.parametrize("variant", ["llama", "gemma", "gpt_neox"])
def test_yarn_rotates_as_the_theory_says(variant: str):
    """Angles and attention factor of transformers' own YaRN against `theory.frequencies`."""
    model: Any = tiny_models.build(variant)
    config, factor = model.config, 4.0
    after: Any = with_yarn(model, factor)
    rotary = after.base_model.rotary_emb
    rope = config.rope_parameters
    dim = heads_of(config).dim
    width = round(dim * rope.get("partial_rotary_factor", 1.0))
    wanted = Extension("yarn", factor, config.max_position_embeddings).frequencies(
        rope["rope_theta"], dim, width, length=config.max_position_embeddings
    )
    np.testing.assert_allclose(rotary.inv_freq.numpy(), wanted.omega, rtol=1e-6)  # of float32
    assert rotary.attention_scaling == pytest.approx(wanted.attention_factor, rel=1e-12)
    plain = model.base_model.rotary_emb.inv_freq
    assert torch.equal(rotary.inv_freq[0], plain[0])  # the fastest is kept
    assert (
        plain[-1] / factor <= rotary.inv_freq[-1] < plain[-1]
    )  # the slowest is stretched, by the factor at most
    assert not torch.equal(after(tokens()).logits, model(tokens()).logits)
    assert config.rope_parameters == rope


def test_yarn_declares_the_longer_context(tmp_path: Path):
    """To whoever opens the folder: transformers, which compares it with the factor, and our own reader."""
    model = tiny_models.build("llama")
    for factor, length in ((4.0, 1024), (1.0, 256), (2.5, 640)):
        after: Any = with_yarn(model, factor)
        after.save_pretrained(tmp_path / f"{factor}")
        config = AutoConfig.from_pretrained(tmp_path / f"{factor}")
        assert config.max_position_embeddings == length
        assert config.rope_parameters["original_max_position_embeddings"] == 256
        [layer] = layer_types(config)
        assert (layer.context, layer.trained_length) == (length, 256)
    again = converted(converted(model, "yarn", factor=8.0), "yarn", factor=2.0)
    assert again.config.max_position_embeddings == 512  # not of what was stretched before


def test_yarn_refuses_what_is_extended_already_and_factors_below_one():
    plainly_raises(lambda: with_yarn(tiny_models.build("llama-llama3"), 4.0), "'llama3' is not plain RoPE")
    plainly_raises(lambda: with_yarn(tiny_models.build("llama"), 0.5), "factor=0.5")


def test_from_yarn_to_tapa_is_as_from_rope():
    model = tiny_models.build("llama")
    by_yarn = converted(converted(model, "yarn"), "tapa")
    assert torch.equal(by_yarn(tokens()).logits, converted(model, "tapa")(tokens()).logits)


def test_from_nope_to_tapa_is_as_from_rope():
    model = tiny_models.build("llama")
    by_nope, at_once = converted(converted(model, "nope"), "tapa"), converted(model, "tapa")
    assert torch.equal(by_nope(tokens()).logits, at_once(tokens()).logits)


@pytest.mark.parametrize("variant", ["llama", "gemma", "cohere", "glm"])
def test_without_rotation_order_within_what_is_seen_does_not_matter(variant: str):
    """Of one layer, the last token's logits: what NoPE cannot tell apart, and RoPE can."""
    model = tiny_models.build(variant, dtype=torch.float64, num_hidden_layers=1)
    text = tokens(1, 12)
    turned = torch.cat([text[:, :-1].flip(1), text[:, -1:]], dim=1)
    nope = converted(model, "nope")
    with torch.inference_mode():
        assert float((model(text).logits - model(turned).logits)[0, -1].abs().max()) > 1e-3
        torch.testing.assert_close(nope(text).logits[0, -1], nope(turned).logits[0, -1], rtol=1e-5, atol=1e-5)


def test_the_model_that_was_given_stays():
    model = tiny_models.build("llama")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    state = torch.random.get_rng_state()
    for to in ("tapa", "nope", "rope"):
        converted(model, to)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.config.model_type == "llama"
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_reordering_back_gives_the_same_weights():
    model = tiny_models.build("phi3")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    reorder(model, order, 8, 1.0)
    assert not torch.equal(model.state_dict()["model.layers.0.self_attn.qkv_proj.weight"],
                           before["model.layers.0.self_attn.qkv_proj.weight"])  # fmt: skip
    reorder(model, order.argsort(), 8, 1.0)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize("name", EXPORTED)
def test_committed_checkpoints_go_to_transformers_and_back(name: str, tmp_path: Path):
    ours = load_model(CHECKPOINTS / f"{name}.safetensors")
    theirs = to_transformers(ours)
    theirs.save_pretrained(tmp_path)
    opened = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    text = torch.from_numpy(np.random.default_rng(0).integers(0, ours.config.vocab_size, (2, 128)))
    with torch.inference_mode():
        logits, again = ours(text), opened(text).logits
        exact = ours.double()(text)
    ours.float()
    rounding = float((logits - exact).abs().max())  # of float32 in this very model
    assert float((again - exact).abs().max()) <= 4 * rounding
    back = from_transformers(opened)
    assert back.config.method.name == ours.config.method.name
    assert back.config.differences(ours.config) == [
        line
        for line in back.config.differences(ours.config)
        if line.startswith(("method.phase_lr", "method.phase_init"))
    ]
    for key, weight in ours.state_dict().items():
        assert torch.equal(back.state_dict()[key], weight)


def small(method: MethodConfig) -> Llama:
    return Llama(
        ModelConfig(layers=2, width=16, heads=2, kv_heads=1, head_dim=8, hidden=24, method=method), seed=3
    )


@pytest.mark.parametrize("kind", ["tapa", "tapa_linear"])
def test_options_go_along(kind: str):
    ours = small(MethodConfig(kind, alpha=0.6, amplitude_share=0.25, turns=False))
    theirs = to_transformers(ours)
    text = tokens(1, 20)
    torch.testing.assert_close(theirs(text).logits, ours(text), rtol=1e-5, atol=1e-6)
    assert from_transformers(theirs).config == ours.config


def test_what_cannot_be_converted_is_refused():
    model = tiny_models.build("llama")
    plainly_raises(lambda: converted(model, "alibi"), "--to alibi is unknown")
    plainly_raises(lambda: converted(model, "tapa", phase_rows=0.1), "phase_rows=0.1 is no power of two")
    plainly_raises(lambda: converted(model, "tapa", phase_rows=0.0), "phase_rows=0.0")
    plainly_raises(lambda: converted(model, "tapa", alpha=-1.0), "alpha=-1.0")
    phi3 = tiny_models.build("phi3")
    plainly_raises(
        lambda: converted(phi3, "nope"), "phi3 takes no rope type by which its rotation could be dropped"
    )
    born = to_transformers(small(MethodConfig("tapa")))
    plainly_raises(lambda: converted(born, "rope"), "it has no rotation to return to")
    plainly_raises(
        lambda: to_transformers(small(MethodConfig("alibi"))), "method alibi has no model in transformers"
    )
    plainly_raises(lambda: from_transformers(tiny_models.build("mistral")), "is no model of `tapa train`")
    plainly_raises(
        lambda: from_transformers(tiny_models.build("llama")), "which no model of `tapa train` has"
    )


def test_a_converted_folder_opens_and_is_evaluated_but_has_no_rotation(tmp_path: Path):
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "llama", tokenizer=True)
    write_converted(folder, "tapa", tmp_path / "new", alpha=0.2)
    found = open_model(tmp_path / "new")
    read, _ = found.reader(16, Extension("none", 1.0, 16))
    with torch.inference_mode():
        wanted = converted(tiny_models.build("llama"), "tapa", alpha=0.2)(tokens(1, 16)).logits
    losses = torch.nn.functional.cross_entropy(wanted[0, :-1], tokens(1, 16)[0, 1:], reduction="none")
    torch.testing.assert_close(read(tokens(1, 16))[0], losses, rtol=1e-5, atol=1e-5)
    plainly_raises(found.check_rotates, "scores by TAPA and rotates nothing")
    plainly_raises(lambda: write_converted(folder, "tapa", tmp_path / "new"), "exists; remove it")


def test_a_trained_model_is_written_as_it_was_trained(tmp_path: Path):
    file = CHECKPOINTS / "tapa.safetensors"
    plainly_raises(lambda: write_converted(file, "rope", tmp_path / "new"), "give --to tapa")
    plainly_raises(
        lambda: write_converted(file, "tapa", tmp_path / "new", alpha=0.5),
        "is written as it was trained; leave that out",
    )
    assert not (tmp_path / "new").exists()
    write_converted(file, "tapa", tmp_path / "new")
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path / "new")).__name__ == "TapaLlamaForCausalLM"


def released(q: np.ndarray, k: np.ndarray, share: float, alpha: float) -> np.ndarray:
    """The scores of the authors' released kernel, by hand: no 2 pi, the share's dimensions rounded down."""
    dim = q.shape[-1]
    n = max(1, min(int(share * dim), dim - 1))
    distance = np.abs(np.arange(len(q))[:, None] - np.arange(len(k))[None]).astype(np.float64)
    power = np.where(distance > 0, np.exp(alpha * np.log(np.maximum(distance, 1))), 0.0)
    amplitude = np.einsum("id,jd->ij", q[:, :n], k[:, :n]) / np.sqrt(n)
    return amplitude * np.cos(power * np.einsum("id,jd->ij", q[:, n:], k[:, n:]) / np.sqrt(dim - n))


@pytest.mark.parametrize(("share", "dims"), [(0.5, 4), (0.7, 5), (0.95, 7), (0.05, 1)])
@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_two_options_make_the_score_that_of_the_released_kernel(share: float, dims: int, alpha: float):
    model = converted(
        tiny_models.build("llama"), "tapa", alpha=alpha, amplitude_share=share, turns=False, rounding="down"
    )
    encoding = tapa_encoding(model.config)
    assert (encoding.head_dim, encoding.amplitude_dim) == (8, dims)
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 9, 8))
    at = torch.arange(9)
    ours = encoding.scores(torch.from_numpy(q), torch.from_numpy(k), at, at).numpy()
    # the scores are at most about 8 x 9, each a sum of 8 products rounded to 2^-53
    np.testing.assert_allclose(ours, released(q, k, share, alpha), rtol=0, atol=8 * 72 * 2.0**-52)
    in_turns = converted(tiny_models.build("llama"), "tapa", alpha=alpha, amplitude_share=dims / 8)
    other = tapa_encoding(in_turns.config).scores(torch.from_numpy(q), torch.from_numpy(k), at, at).numpy()
    assert np.abs(other - ours).max() > 0.1


def test_small_values_of_the_released_kernel():
    """q = k = (1, 1), D = 2: cos of |m - n|^alpha, where eq 12 has cos of 2 pi times that."""
    one = np.ones((5, 2))
    wanted = np.cos([0.0, 1.0, 2**0.5, 3**0.5, 2.0])
    # a power up to 2 out of a logarithm and an exponential, each rounded to 2^-53 of itself
    np.testing.assert_allclose(released(one, one, 0.5, 0.5)[0], wanted, rtol=0, atol=4 * 2.0**-52)


OF_THE_KERNEL: dict[str, Any] = {
    "alpha": 0.5, "amplitude_share": 0.7, "turns": False, "rounding": "down", "phase_rows": 0.25
}  # fmt: skip


def tapa_options(model: Any) -> dict[str, Any]:
    return {name: value for name, value in model.config.to_dict().items() if name.startswith("tapa_")}


@pytest.mark.parametrize("variant", ["llama", "gemma", "gpt_neox", "cohere"])
def test_what_is_not_asked_for_stays_as_the_model_has_it(variant: str):
    first = converted(tiny_models.build(variant), "tapa", **OF_THE_KERNEL)
    again = converted(first, "tapa")
    assert tapa_options(again) == tapa_options(first)
    for name, weight in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight)
        assert again.state_dict()[name] is not weight
    other = converted(first, "tapa", alpha=0.2)
    assert tapa_options(other) == tapa_options(first) | {"tapa_alpha": 0.2}
    at_once = converted(tiny_models.build(variant), "tapa", **OF_THE_KERNEL | {"alpha": 0.2})
    assert torch.equal(other(tokens()).logits, at_once(tokens()).logits)


def test_a_model_born_with_tapa_stays_as_it_is():
    born = to_transformers(small(MethodConfig("tapa_linear", alpha=0.4)))
    again = converted(born, "tapa")
    assert tapa_options(again) == tapa_options(born)
    assert torch.equal(again(tokens(1, 20)).logits, born(tokens(1, 20)).logits)
    plainly_raises(lambda: converted(born, "tapa", alpha=0.2), "it has no rotation to return to")


def test_yarn_keeps_its_factor():
    by_eight = converted(tiny_models.build("llama"), "yarn", factor=8.0)
    assert yarn_factor(converted(by_eight, "yarn")) == 8.0
    assert yarn_factor(tiny_models.build("llama-yarn")) == yarn_factor(tiny_models.build("llama")) == 4.0
    assert converted(by_eight, "yarn", factor=2.0).config.rope_parameters["factor"] == 2.0


def test_a_folder_keeps_its_options_when_it_is_opened_evaluated_and_measured(tmp_path: Path):
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "llama", tokenizer=True)
    made = write_converted(folder, "tapa", tmp_path / "new", **OF_THE_KERNEL)
    found = open_model(tmp_path / "new")
    assert tapa_options(found.checkpoint.model) == tapa_options(made)
    assert tapa_encoding(found.checkpoint.model.config).amplitude_dim == 5
    text = tokens(1, 16)
    read, _ = found.reader(16, Extension("none", 1.0, 16))
    with torch.inference_mode():
        wanted = made(text).logits
    losses = torch.nn.functional.cross_entropy(wanted[0, :-1], text[0, 1:], reduction="none")
    torch.testing.assert_close(read(text)[0], losses, rtol=1e-5, atol=1e-5)
    plainly_raises(
        found.check_rotates, "scores by TAPA and rotates nothing"
    )  # `tapa measure` is of rotations


@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("nope", {"alpha": 0.2}),
        ("yarn", {"phase_rows": 0.25}),
        ("tapa", {"factor": 8.0}),
        ("rope", {"turns": False}),
    ],
)
def test_an_option_that_means_nothing_is_refused_before_a_model_is_read(
    to: str, options: dict, tmp_path: Path
):
    """No model has this name, and nobody looks for it before."""
    ((name, value),) = options.items()
    said = f"{name}={value} means nothing to --to {to}; leave it out"
    plainly_raises(lambda: write_converted("no such model", to, tmp_path / "new", **options), said)


def test_a_folder_that_exists_is_refused_before_a_model_is_read(tmp_path: Path):
    plainly_raises(lambda: write_converted("no such model", "tapa", tmp_path), "exists; remove it")


def test_a_place_that_cannot_be_written_is_refused_before_a_model_is_read(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(convert, "open_model", lambda *_, **__: pytest.fail("a model was opened"))
    (tmp_path / "file").write_text("words")
    for folder, reason in (
        (tmp_path / "file" / "new", "Not a directory"),
        (Path("/proc/new"), "No such file"),
    ):
        plainly_raises(
            lambda folder=folder: write_converted("llama", "tapa", folder),
            f"{folder} cannot be written: {reason}",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_unknown_rounding_is_refused():
    plainly_raises(
        lambda: converted(tiny_models.build("llama"), "tapa", rounding="up"), "rounding='up' is unknown"
    )


def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(tmp_path: Path):
    """Not by the name of the half-made one beside it."""
    (tmp_path / "file").write_text("words")
    for folder, reason in (
        (tmp_path / "file" / "new", "Not a directory"),
        (Path("/proc/new"), "No such file"),
    ):
        with pytest.raises(InputError) as refusal:
            write_folder(tiny_models.build("llama"), None, folder)
        assert str(refusal.value).startswith(f"{folder} cannot be written: {reason}")
        assert str(refusal.value).endswith("; give another folder to be made")
