"""Capture before rotation: against the model's own attention, on every family; and what must be refused."""

from __future__ import annotations

import copy
import math
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
)
from transformers.masking_utils import causal_mask_function

from analysis.encodings.rotary import relative_difference, rotate, rounding_budget
from analysis.errors import InputError
from analysis.models import families
from analysis.models.attention import PROBABILITY_TILE, capped_attention
from analysis.models.capture import LayerCapture, capture_checkpoint, verify_rotation
from analysis.models.families import FAMILIES, Heads, family_of
from analysis.models.huggingface import Checkpoint
from analysis.theory.frequencies import Frequencies, plain, xpos
from tests import tiny_models

VARIANTS = sorted(tiny_models.VARIANTS)


def opened(variant: str, **changes: Any) -> Checkpoint:
    return Checkpoint.of(tiny_models.build(variant, **changes), name=variant)


def window(length: int, *, batch: int = 1, seed: int = 0) -> Tensor:
    return torch.randint(96, (batch, length), generator=torch.Generator().manual_seed(seed))


def captured(checkpoint: Checkpoint, tokens: Tensor, **options: bool) -> list[LayerCapture]:
    found: list[LayerCapture] = []
    capture_checkpoint(checkpoint, tokens, found.append, **options)
    return found


def attention_of(found: LayerCapture) -> Tensor:
    """Attention probabilities from nothing but a capture and its docstring."""
    length = found.q.shape[2]
    at = torch.arange(length)
    q, k = (rotate(x.double(), at, found.frequencies) for x in (found.q, found.k))
    group = q.shape[1] // k.shape[1]
    keys = torch.stack([k[:, head // group] for head in range(q.shape[1])], dim=1)
    scores = found.scale * torch.einsum("bhmd,bhnd->bhmn", q, keys)
    if found.softcap is not None:
        scores = found.softcap * torch.tanh(scores / found.softcap)
    distance = at[:, None] - at[None, :]
    allowed = (distance >= 0) & (distance < (found.window or length))
    return scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)


# ------------------------------------------------------------------------------------------ every family


def test_the_table_is_covered() -> None:
    assert {tiny_models.VARIANTS[name][0] for name in VARIANTS} == set(FAMILIES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_capture_gives_the_models_own_attention(variant: str) -> None:
    """Scale, soft-cap, window, grouping, frequencies and pairing at once, against eager attention."""
    checkpoint = opened(variant, dtype=torch.float64)
    tokens = window(70, batch=2)
    found = captured(checkpoint, tokens, beyond_context=True)
    checkpoint.model.set_attn_implementation("eager")
    with torch.inference_mode():
        theirs = checkpoint.model(input_ids=tokens, output_attentions=True, use_cache=False).attentions
    assert [layer.layer for layer in found] == list(range(checkpoint.layers))
    for layer, attentions in zip(found, theirs, strict=True):
        ours = attention_of(layer)
        # a score moves by at most |q||k| times twice the rotation's rounding, a probability by twice that
        largest = layer.scale * layer.q.norm(dim=-1).max() * layer.k.norm(dim=-1).max()
        largest *= layer.frequencies.attention_factor**2
        budget = 4 * largest * rounding_budget(layer.frequencies, 69, torch.float64)
        assert ours.std() > 10 * budget  # not the uniform attention that any q and k would give
        assert (ours - attentions).abs().max() < budget


@pytest.mark.parametrize("variant", VARIANTS)
def test_verification_passes_and_has_compared_something(variant: str) -> None:
    worst = verify_rotation(opened(variant))
    assert 0 < worst < 3e-5  # a wrong base would give 1e-3 and more, see the planted ones below


@pytest.mark.parametrize("variant", ["llama", "gemma2", "gpt_neox"])
def test_half_precision_is_captured_as_float32_within_its_own_rounding(variant: str) -> None:
    checkpoint = opened(variant, dtype=torch.bfloat16)
    assert 1e-4 < verify_rotation(checkpoint) < 6 * 2**-8
    assert captured(checkpoint, window(5))[0].q.dtype == torch.float32


def test_llama_queries_are_weights_times_normed_hidden_states() -> None:
    checkpoint = opened("llama", dtype=torch.float64)
    tokens = window(40)
    found = captured(checkpoint, tokens)
    with torch.inference_mode():
        states = checkpoint.model(input_ids=tokens, output_hidden_states=True).hidden_states
        for layer, block in zip(found, checkpoint.model.base_model.layers, strict=True):
            x = states[layer.layer]
            normed = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * block.input_layernorm.weight
            for ours, weight in (
                (layer.q, block.self_attn.q_proj.weight),
                (layer.k, block.self_attn.k_proj.weight),
            ):
                for head in range(ours.shape[1]):
                    rows = weight[8 * head : 8 * head + 8].T
                    # the model's norm is float32 whatever its dtype: a relative 8 u on every entry
                    budget = 8 * 2**-24 * (normed[0].abs() @ rows.abs())
                    assert ((ours[0, head] - normed[0] @ rows).abs() <= budget).all()


def test_heads_that_cannot_be_grouped_are_refused() -> None:
    q = torch.zeros(1, 6, 3, 4)
    with pytest.raises(InputError, match="6 query heads cannot share 4 key heads evenly"):
        LayerCapture(0, q, torch.zeros(1, 4, 3, 4), plain(10.0, 4), 0.5, None, None)
    with pytest.raises(InputError, match=r"layer 3: q is \(1, 6, 3, 4\), k is \(1, 2, 5, 4\)"):
        LayerCapture(3, q, torch.zeros(1, 2, 5, 4), plain(10.0, 4), 0.5, None, None)


def test_facts_of_a_checkpoint() -> None:
    checkpoint = opened("qwen3")
    facts = (checkpoint.architecture, checkpoint.layers, checkpoint.query_heads, checkpoint.key_heads)
    assert facts == ("qwen3", 3, 4, 2)
    assert (checkpoint.head_dim, checkpoint.context_length, checkpoint.sha256) == (12, 256, "")
    embeddings = 2 * 96 * 32
    layer = 2 * 4 * 12 * 32 + 2 * 2 * 12 * 32 + 3 * 32 * 40 + 2 * 12 + 2 * 32
    assert checkpoint.parameters == embeddings + 3 * layer + 32


# ------------------------------------------------------------- frequencies that depend on layer or length


def test_gemma3_layers_turn_at_their_own_base() -> None:
    local, distant, again = captured(opened("gemma3"), window(30))
    np.testing.assert_allclose(local.frequencies.omega, 100.0 ** (-np.arange(6) / 6), rtol=1e-13)
    np.testing.assert_allclose(distant.frequencies.omega, 5000.0 ** (-np.arange(6) / 6) / 4, rtol=1e-13)
    assert (again.frequencies.omega == local.frequencies.omega).all()
    assert [layer.window for layer in (local, distant, again)] == [24, None, 24]


@pytest.mark.parametrize(("length", "factors"), [(32, "short_factor"), (33, "long_factor")])
def test_longrope_changes_factors_at_its_original_length(length: int, factors: str) -> None:
    layer = captured(opened("phi3-longrope"), window(length))[0]
    expected = 500.0 ** (-np.arange(4) / 4) / np.array(tiny_models.LONGROPE[factors])
    np.testing.assert_allclose(layer.frequencies.omega, expected, rtol=1e-13)
    assert layer.frequencies.attention_factor == pytest.approx(
        math.sqrt(1 + math.log(8) / math.log(32)), rel=1e-13
    )


def test_a_dynamic_model_forgets_the_longer_window_it_read_before() -> None:
    """Such a model keeps the longest window's frequencies; ours are those of the window at hand."""
    checkpoint = opened("llama-dynamic")
    fresh = captured(checkpoint, window(100), beyond_context=True)
    captured(checkpoint, window(200), beyond_context=True)
    again = captured(checkpoint, window(100), beyond_context=True)
    for before, after in zip(fresh, again, strict=True):
        assert (before.q == after.q).all()
        assert (before.frequencies.omega == after.frequencies.omega).all()
    assert fresh[0].frequencies.omega[1] < captured(checkpoint, window(64))[0].frequencies.omega[1]


# ---------------------------------------------------------------------------------- planted violations


def _config_says(checkpoint: Checkpoint, **changes: object) -> None:
    """Changes what our code reads, after the model has built its own tables."""
    checkpoint.model.config.rope_parameters.update(changes)


def test_a_slightly_wrong_base_is_refused() -> None:
    checkpoint = opened("llama")
    _config_says(checkpoint, rope_theta=303.0)
    message = (
        r"^llama: layer 0: the query rotated .* differs from the model's own by .*e-02 .*allowed 2\.\de-05"
    )
    with pytest.raises(InputError, match=message):
        verify_rotation(checkpoint)


def test_a_wrong_base_in_bfloat16_is_refused() -> None:
    checkpoint = opened("llama", dtype=torch.bfloat16)
    _config_says(checkpoint, rope_theta=400.0)
    with pytest.raises(InputError, match="layer 0: the query rotated"):
        verify_rotation(checkpoint)


def test_a_wrong_base_of_one_layer_type_names_the_first_such_layer() -> None:
    checkpoint = opened("gemma3")
    checkpoint.model.config.rope_parameters["full_attention"]["rope_theta"] = 6000.0
    with pytest.raises(InputError, match="gemma3: layer 1: the query"):
        verify_rotation(checkpoint)


def test_a_wrong_share_of_rotated_dimensions_is_refused() -> None:
    checkpoint = opened("gpt_neox")
    _config_says(checkpoint, partial_rotary_factor=0.75)
    with pytest.raises(InputError, match="gpt_neox: layer 0"):
        verify_rotation(checkpoint)


def test_a_wrong_attention_factor_is_refused() -> None:
    checkpoint = opened("llama-yarn")
    _config_says(checkpoint, attention_factor=1.0)
    with pytest.raises(InputError, match="llama-yarn: layer 0"):
        verify_rotation(checkpoint)


def test_the_wrong_side_of_longrope_is_refused() -> None:
    checkpoint = opened("phi3-longrope")
    checkpoint.model.base_model.rotary_emb.config = copy.deepcopy(checkpoint.model.config)
    checkpoint.model.config.original_max_position_embeddings = 48
    _config_says(
        checkpoint,
        attention_factor=captured(opened("phi3-longrope"), window(8))[0].frequencies.attention_factor,
    )
    verify_rotation(checkpoint, length=32)
    with pytest.raises(InputError, match="phi3-longrope: layer 0"):
        verify_rotation(checkpoint, length=40)


@pytest.mark.parametrize("variant", ["llama", "cohere", "glm"])
def test_a_wrong_pairing_is_refused(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = family_of(variant)
    other = "halves" if right.pairing == "interleaved" else "interleaved"
    monkeypatch.setitem(FAMILIES, variant, replace(right, pairing=other))
    with pytest.raises(InputError, match=f"{variant}: layer 0: the query rotated"):
        verify_rotation(opened(variant))


def test_a_wrong_layout_of_fused_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPT-NeoX rows are head after head; read as all of q, all of k, all of v they are other vectors."""
    blocks = replace(FAMILIES["gpt_neox"], arrange=FAMILIES["phi3"].arrange)
    monkeypatch.setitem(FAMILIES, "gpt_neox", blocks)
    with pytest.raises(InputError, match="gpt_neox: layer 0: the query rotated"):
        verify_rotation(opened("gpt_neox"))


def test_permuted_rows_of_the_keys_alone_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = FAMILIES["llama"]

    def permuted(outputs: list[Tensor], heads: Heads) -> tuple[Tensor, Tensor]:
        q, k = right.arrange(outputs, heads)
        return q, k[..., [0, 4, 1, 5, 2, 6, 3, 7]]

    monkeypatch.setitem(FAMILIES, "llama", replace(right, arrange=permuted))
    with pytest.raises(InputError, match="llama: layer 0: the key rotated"):
        verify_rotation(opened("llama"))


def test_a_number_of_heads_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match=r"llama: layer 0: q is \(1, 4, 64, 8\) and k \(1, 2, 64, 8\)"):
        verify_rotation(replace(opened("llama"), key_heads=4))


@pytest.mark.parametrize("variant", ["qwen3", "gemma3", "phi-norm", "cohere-norm"])
def test_a_forgotten_norm_is_refused(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = tiny_models.VARIANTS[variant][0]
    bare = replace(FAMILIES[architecture], taps=(("q_proj",), ("k_proj",)))
    monkeypatch.setitem(FAMILIES, architecture, bare)
    with pytest.raises(InputError, match=f"{variant}: layer 0"):
        verify_rotation(opened(variant))


def test_a_layer_that_the_model_does_not_run_is_missed() -> None:
    checkpoint = replace(opened("llama"), layers=4)
    with pytest.raises(InputError, match="llama: 3 of 4 layers reached the attention"):
        verify_rotation(checkpoint)


def test_a_window_that_the_mask_does_not_keep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a model does not find our attention's mask, and hands over none."""
    causal = AttentionMaskInterface()["sdpa"]
    planted = {"sdpa": lambda **given: causal(**(given | {"mask_function": causal_mask_function}))}
    monkeypatch.setattr(AttentionMaskInterface, "_global_mapping", planted)
    message = r"mistral: layer 0: the last query reads 30 of 30 keys, the layer's window allows 20"
    with pytest.raises(InputError, match=message):
        captured(opened("mistral"), window(30))


# ---------------------------------------------------------------------------- left as it was, and memory


def _traces(model: PreTrainedModel) -> tuple[object, ...]:
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())
    return (
        hooks,
        model.config._attn_implementation,
        sorted(AttentionInterface()),
        sorted(AttentionMaskInterface()),
        model.training,
    )


@pytest.mark.parametrize("variant", ["llama", "gemma2", "gpt_neox"])
@pytest.mark.parametrize("raised", [None, RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_behind(variant: str, raised: type[BaseException] | None) -> None:
    checkpoint = opened(variant)
    tokens = window(20)
    before, logits = _traces(checkpoint.model), checkpoint.model(input_ids=tokens).logits
    during: list[tuple[object, ...]] = []

    def consumer(found: LayerCapture) -> None:
        during.append(_traces(checkpoint.model))
        if raised is not None and found.layer == 1:
            raise raised("stop")

    if raised is None:
        capture_checkpoint(checkpoint, tokens, consumer)
    else:
        with pytest.raises(raised, match="stop"):
            capture_checkpoint(checkpoint, tokens, consumer)
    assert during[0] != before  # the trace sees what is installed
    assert _traces(checkpoint.model) == before
    assert (checkpoint.model(input_ids=tokens).logits == logits).all()


def test_nothing_is_left_behind_by_a_refusal() -> None:
    checkpoint = opened("llama")
    before = _traces(checkpoint.model)
    _config_says(checkpoint, rope_theta=1000.0)
    with pytest.raises(InputError, match="layer 0"):
        verify_rotation(checkpoint)
    assert _traces(checkpoint.model) == before


def test_a_consumer_may_read_another_window_of_the_same_model() -> None:
    checkpoint = opened("llama")
    inner: list[int] = []

    def consumer(found: LayerCapture) -> None:
        if found.layer == 1:
            capture_checkpoint(checkpoint, window(9), lambda other: inner.append(other.q.shape[2]))

    outer = captured(checkpoint, window(20))
    capture_checkpoint(checkpoint, window(20), consumer)
    assert inner == [9, 9, 9]
    again = captured(checkpoint, window(20))
    assert all((a.q == b.q).all() for a, b in zip(outer, again, strict=True))


@pytest.mark.parametrize("variant", ["llama", "phi3", "gpt_neox"])
def test_one_layer_is_kept_at_a_time(variant: str) -> None:
    alive: list[weakref.ref[Tensor]] = []

    def consumer(found: LayerCapture) -> None:
        assert all(tensor() is None for tensor in alive)
        alive.extend(weakref.ref(x if x._base is None else x._base) for x in (found.q, found.k))

    capture_checkpoint(opened(variant), window(30), consumer)
    assert len(alive) == 6


def test_no_logits_are_computed() -> None:
    checkpoint = opened("llama")

    def used(module: object, inputs: object) -> None:
        raise AssertionError("logits of a long window take more memory than all the rest")

    checkpoint.model.get_output_embeddings().register_forward_pre_hook(used)
    with pytest.raises(AssertionError, match="logits of a long window"):
        checkpoint.model(input_ids=window(3))
    assert len(captured(checkpoint, window(20))) == 3


# ------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.tensor([[3, 96]]), "token id 96 is outside the vocabulary of 96 of llama"),
        (torch.tensor([[-1, 5]]), "token id -1 is outside the vocabulary"),
        (
            torch.zeros(1, 257, dtype=torch.long),
            "window of 257 tokens is longer than the context of 256 of llama",
        ),
        (torch.zeros(1, 0, dtype=torch.long), r"tokens have shape \(1, 0\)"),
        (torch.zeros(4, dtype=torch.long), r"tokens have shape \(4,\)"),
    ],
)
def test_bad_tokens(tokens: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        captured(opened("llama"), tokens)


def _small(model_type: str) -> PreTrainedModel:
    sizes = (
        tiny_models.SIZES
        if model_type == "granite"
        else {"n_embd": 32, "n_head": 4, "n_layer": 2, "vocab_size": 96}
    )
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **sizes))


def test_an_architecture_without_rope_is_told_what_it_has() -> None:
    with pytest.raises(
        InputError, match="gpt2 has no rotary position embedding: it uses learned absolute positions"
    ):
        Checkpoint.of(_small("gpt2"), name="x")


def test_an_architecture_outside_the_table_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"architecture 'granite' is not supported; supported: cohere, gemma, .*qwen3"
    ):
        Checkpoint.of(_small("granite"), name="x")


def test_no_architecture_is_both_in_and_out() -> None:
    assert not set(FAMILIES) & set(families.WITHOUT_ROPE)


def test_a_missing_submodule_is_named() -> None:
    layer = opened("llama").model.base_model.layers[0].self_attn
    with pytest.raises(InputError, match="LlamaAttention has no submodule query_key_value"):
        FAMILIES["gpt_neox"].tapped(layer)


# -------------------------------------------------------------------------------- soft-capped attention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [5, PROBABILITY_TILE, PROBABILITY_TILE + 45])
def test_capped_attention_is_the_formula(masked: bool, length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    q = torch.randn(2, 6, length, 4, generator=generator, dtype=torch.float64)
    k = torch.randn(2, 3, length, 4, generator=generator, dtype=torch.float64)
    v = torch.randn(2, 3, length, 5, generator=generator, dtype=torch.float64)
    at = torch.arange(length)
    allowed = at[:, None] >= at
    if masked:
        allowed &= at[:, None] - at < 7
    mask = allowed.expand(2, 1, length, length) if masked else None
    scores = 1.5 * torch.tanh(2.0 * q @ k.repeat_interleave(2, 1).mT / 1.5)
    expected = scores.masked_fill(~allowed, -math.inf).softmax(-1) @ v.repeat_interleave(2, 1)
    found = capped_attention(q, k, v, mask, scale=2.0, softcap=1.5)
    # the softmax is float32, as in the model's own attention
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=0, atol=1e-6)


def test_capped_attention_carries_gemma2_as_its_own_eager_attention_does() -> None:
    checkpoint = opened("gemma2")
    tokens = window(PROBABILITY_TILE // 4)
    ours = captured(checkpoint, tokens)[-1].q  # of the last layer: two attentions lie below it
    checkpoint.model.set_attn_implementation("eager")
    kept: list[Tensor] = []
    last = checkpoint.model.base_model.layers[-1].self_attn.q_proj
    with torch.inference_mode():
        handle = last.register_forward_hook(lambda module, inputs, output: kept.append(output))
        checkpoint.model(input_ids=tokens)
        handle.remove()
    theirs = kept[0].unflatten(-1, (-1, 12)).transpose(1, 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


# --------------------------------------------------------------------------------------------- rotation


def test_sign_and_pairs_by_one_example() -> None:
    """Position 1 turns (1, 0) of pair d into (cos omega_d, sin omega_d)."""
    halves = Frequencies(omega=np.array([0.5, 0.25]), head_dim=6)
    x = torch.tensor([[1.0, 0.0, 0.0, 2.0, 7.0, 8.0]], dtype=torch.float64)
    turned = rotate(x, torch.tensor([1]), halves)
    expected = [math.cos(0.5), -2 * math.sin(0.25), math.sin(0.5), 2 * math.cos(0.25), 7.0, 8.0]
    torch.testing.assert_close(turned[0], torch.tensor(expected, dtype=torch.float64))
    neighbours = replace(halves, pairing="interleaved", attention_factor=3.0)
    turned = rotate(x, torch.tensor([1]), neighbours)
    expected = [3 * math.cos(0.5), 3 * math.sin(0.5), -6 * math.sin(0.25), 6 * math.cos(0.25), 7.0, 8.0]
    torch.testing.assert_close(turned[0], torch.tensor(expected, dtype=torch.float64))


@settings(deadline=None, max_examples=30)
@given(
    pairs=st.integers(1, 6),
    rest=st.integers(0, 2),
    pairing=st.sampled_from(["halves", "interleaved"]),
    factor=st.floats(0.5, 2),
    positions=st.tuples(*[st.integers(0, 100_000)] * 2),
    seed=st.integers(0, 10),
)
def test_scores_depend_on_distance_through_cos_and_sin(
    pairs: int, rest: int, pairing: str, factor: float, positions: tuple[int, int], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    omega = generator.uniform(0, 1, pairs)
    frequencies = Frequencies(
        omega=omega, head_dim=2 * (pairs + rest), attention_factor=factor, pairing=pairing
    )
    q, k = generator.standard_normal((2, 2 * (pairs + rest)))
    m, n = positions
    turned = [
        rotate(torch.from_numpy(x[None]), torch.tensor([at]), frequencies)[0] for x, at in ((q, m), (k, n))
    ]
    first, second = frequencies.pairs.T
    a = q[first] * k[first] + q[second] * k[second]
    b = q[first] * k[second] - q[second] * k[first]
    passed = (q * k)[2 * pairs :].sum()
    expected = factor**2 * (a * np.cos((m - n) * omega) + b * np.sin((m - n) * omega)).sum() + passed
    # angles up to 1e5 in float64 carry 1e-11
    assert float(turned[0] @ turned[1]) == pytest.approx(expected, abs=1e-9)


def test_rotate_refuses_what_it_cannot_turn() -> None:
    with pytest.raises(InputError, match="vectors have 6 dimensions, the frequencies are for 4"):
        rotate(torch.zeros(1, 6), torch.tensor([0]), plain(10.0, 4))
    with pytest.raises(InputError, match="kind 'xpos' scale q and k differently"):
        rotate(torch.zeros(1, 4), torch.tensor([0]), xpos(10.0, 4))


@settings(deadline=None, max_examples=40)
@given(
    base=st.floats(10, 1e8),
    half=st.integers(1, 64),
    length=st.integers(1, 100_000),
    factor=st.floats(1, 64),
)
def test_the_budget_covers_a_model_that_computes_in_float32(
    base: float, half: int, length: int, factor: float
) -> None:
    """The models' own arithmetic, step by step in float32, stays within what we allow it."""
    dim = 2 * half
    frequencies = Frequencies(omega=base ** (-np.arange(half) / half) / factor, head_dim=dim)
    inverse = 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)) / factor
    at = torch.linspace(0, length - 1, min(length, 64)).round().long()
    angle = at[:, None].float() * inverse
    cos, sin = (torch.cat([f(angle), f(angle)], dim=-1) for f in (torch.cos, torch.sin))
    x = torch.randn(1, 1, len(at), dim, generator=torch.Generator().manual_seed(half))
    theirs = x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin
    ours = rotate(x.double(), at, frequencies)
    found = relative_difference(ours, theirs.double(), frequencies)
    assert found <= rounding_budget(frequencies, length - 1, torch.float32)


def test_a_small_pair_cannot_hide_behind_a_large_one() -> None:
    frequencies = plain(10.0, 4)
    expected = torch.tensor([[1e6, 1e-3, 1e6, 1e-3]], dtype=torch.float64).expand(1, 1, 3, 4)
    found = expected.clone()
    found[..., 1] *= 1.01
    assert relative_difference(expected, found, frequencies) == pytest.approx(0.01 / math.sqrt(2))


def test_differences_that_are_no_numbers_are_not_small() -> None:
    frequencies, zeros = plain(10.0, 4), torch.zeros(1, 1, 3, 4, dtype=torch.float64)
    assert relative_difference(zeros, zeros, frequencies) == 0
    assert relative_difference(zeros, zeros + 1e-300, frequencies) == math.inf
    assert math.isnan(relative_difference(zeros, zeros + math.nan, frequencies))
    with pytest.raises(InputError, match=r"rotated shape \(1, 1, 3, 4\) is not the model's \(1, 1, 2, 4\)"):
        relative_difference(zeros, zeros[:, :, :2], frequencies)


def test_a_model_that_overflows_is_refused() -> None:
    checkpoint = opened("llama")
    with torch.no_grad():
        checkpoint.model.base_model.layers[1].self_attn.k_proj.weight[0, 0] = math.nan
    with pytest.raises(
        InputError, match=r"layer 1: the key before rotation holds a value that is not finite"
    ):
        verify_rotation(checkpoint)
