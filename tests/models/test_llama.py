"""The small Llama: every method against the oracle, plain RoPE against transformers, and how weights begin."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from analysis.encodings import Nope, PathEncoding, Rope, Tapa
from analysis.errors import InputError
from analysis.models.attention import Streaming, explicit, oracle
from analysis.models.config import METHODS, MethodConfig, ModelConfig
from analysis.models.llama import INIT_STD, Llama
from analysis.models.methods import encoding_of, extended, rows_of
from analysis.theory import frequencies

SMALL = ModelConfig(vocab_size=40, layers=2, width=32, heads=4, kv_heads=2, head_dim=8, hidden=48, context=16)
every_method = pytest.mark.parametrize("method", METHODS)


def config(method: str | MethodConfig, base: ModelConfig = SMALL) -> ModelConfig:
    return replace(base, method=MethodConfig(method) if isinstance(method, str) else method)


def lively(model: Llama, seed: int = 3) -> Llama:
    """Weights large enough that positions and all branches matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return model


def tokens(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(SMALL.vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))


@every_method
@given(length=st.integers(1, 13), seed=st.integers(0, 99), first=st.integers(0, 1000))
@settings(max_examples=5)
def test_explicit_attention_is_the_oracle(method: str, length: int, seed: int, first: int):
    """Both in float64, sums of at most 13 terms of size below 100: they differ by rounding alone."""
    made = config(method)
    rows = rows_of(made)
    generator = torch.Generator().manual_seed(seed)

    def draw(heads: int, dim: int) -> torch.Tensor:
        return torch.randn(2, heads, length, dim, generator=generator, dtype=torch.float64)

    q, k, v = draw(4, rows.plain + rows.phase), draw(2, rows.plain + rows.phase), draw(2, 8)
    encoding, positions = encoding_of(made), first + torch.arange(length)
    if isinstance(encoding, PathEncoding):
        q, k = encoding.accumulated(q, k, draw(2, encoding.path_dim))
    expected = oracle(encoding, q, k, v, positions)
    # tapa_general's forms are float32 but the same in all
    for found in (
        explicit(encoding, q, k, v, positions),
        Streaming(5, compiled=False)(encoding, q, k, v, positions),
    ):
        assert (found - expected).abs().max() < 1e3 * 2.0**-52 * 100


@every_method
def test_no_token_sees_a_later_one(method: str):
    model = lively(Llama(config(method))).double()
    seen, other = tokens(1, 16), tokens(1, 16, seed=1)
    with torch.no_grad():
        before = model(seen)
        for cut in (1, 7, 15):
            mixed = torch.cat([seen[:, :cut], other[:, cut:]], dim=1)
            after = model(mixed)
            assert (after[:, :cut] - before[:, :cut]).abs().max() < 1e-11
            assert not torch.allclose(after[:, cut:], before[:, cut:])  # it does see its own


EXTENSIONS = {
    "none": {"rope_type": "default"},
    "pi": {"rope_type": "linear", "factor": 4.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    "llama3": {
        "rope_type": "llama3", "factor": 4.0, "original_max_position_embeddings": 16,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_rope_and_its_extensions_are_transformers_llama(extension: str):
    """The same weights in an independent implementation give the same logits: in float32, and to its rounding."""
    made = config("rope") if extension == "none" else extended(config("rope"), extension, 4)
    ours = lively(Llama(made))
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2, head_dim=8,
            num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, tie_word_embeddings=True,
            max_position_embeddings=64, rope_parameters={"rope_theta": 1e4, **EXTENSIONS[extension]},
        )
    )  # fmt: skip
    names = {
        "embedding": "embed_tokens", "blocks": "layers", "attention_norm": "input_layernorm",
        "feed_forward_norm": "post_attention_layernorm", "attention": "self_attn", "feed_forward": "mlp",
        "query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "o_proj",
        "gate": "gate_proj", "up": "up_proj", "down": "down_proj",
    }  # fmt: skip
    state = {
        "model." + ".".join(names.get(part, part) for part in name.split(".")): weight
        for name, weight in ours.state_dict().items()
    }
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert missing == ["lm_head.weight"]
    assert unexpected == []
    theirs.tie_weights()
    read = tokens(2, 50)
    with torch.no_grad():
        a, b = ours(read), theirs(read).logits
        exact = ours.double()(read)
    naive = (b - exact).abs().max()  # what float32 costs the other implementation
    assert (a - b).abs().max() <= 2 * naive + 2 * (a - exact).abs().max()
    assert naive < 1e-3 * exact.abs().max()


def test_the_learned_forms_start_as_the_hard_split():
    split, general = Llama(config("tapa"), seed=2), Llama(config("tapa_general"), seed=2)
    with torch.no_grad():
        for a, b in zip(split.attentions, general.attentions, strict=True):
            b.query.weight.copy_(a.query.matrix())
            b.key.weight.copy_(a.key.matrix())
        assert torch.allclose(split.double()(tokens(1, 12)), general.double()(tokens(1, 12)), atol=1e-7)


def test_without_phase_tapa_has_no_position():
    """cos 0 = 1: only the amplitude is left, and NoPE with the same rows and scale says the same."""
    model = lively(Llama(config("tapa"))).double()
    with torch.no_grad():
        for attention in model.attentions:
            attention.query.phase_weight.zero_()
        plain = model(tokens(1, 12))
        scale = rows_of(model.config).plain ** -0.5
        assert torch.allclose(plain, model.with_encoding(Nope(8, scale=scale))(tokens(1, 12)), atol=1e-12)


def test_another_encoding_reads_the_same_weights():
    model = lively(Llama(config("rope")))
    twin = model.with_encoding(Rope(frequencies.linear(1e4, 8, factor=4)))
    assert all(a is b for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    read = tokens(1, 16)
    assert not torch.allclose(model(read), twin(read), atol=1e-3)
    assert torch.equal(model(read), model.with_encoding(Rope(frequencies.plain(1e4, 8)))(read))
    same = Llama(extended(model.config, "pi", 4))
    same.load_state_dict(model.state_dict())
    assert torch.equal(same(read), twin(read))


def test_an_encoding_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="head_dim=16, the model's is 8"):
        Llama(config("rope")).with_encoding(Nope(16))
    with pytest.raises(InputError, match="tapa_general has learned encodings"):
        Llama(config("tapa_general")).with_encoding(Nope(8))


def test_methods_with_one_seed_start_alike():
    rope, tapa, other = Llama(config("rope")), Llama(config("tapa")), Llama(config("rope"), seed=1)
    common = dict(rope.named_parameters())
    for name, parameter in tapa.named_parameters():
        if name in common and parameter.shape == common[name].shape:
            assert torch.equal(parameter, common[name]), name
    assert torch.equal(rope.embedding.weight, Llama(config("rope")).embedding.weight)
    assert not torch.equal(rope.embedding.weight, other.embedding.weight)


def test_weights_start_at_the_stated_spread():
    """A sample's sd is within 4 standard errors, sd/sqrt(2n)."""
    wide = replace(SMALL, width=128, hidden=256, head_dim=32)
    model = Llama(config(MethodConfig("tapa", phase_init_std=0.005), wide))
    narrow = INIT_STD / math.sqrt(2 * wide.layers)
    expected = {"phase_weight": 0.005, "out.weight": narrow, "down.weight": narrow}
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert (parameter == 1).all()
            continue
        sd = next((sd for end, sd in expected.items() if name.endswith(end)), INIT_STD)
        assert abs(parameter.std().item() - sd) < 4 * sd / math.sqrt(2 * parameter.numel()), name


def test_phases_stay_wide_under_autocast():
    """Under autocast a product of phases would be rounded to bfloat16: seen here, and kept away by `explicit`."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 24, 8, generator=generator).bfloat16() for _ in range(3))
    encoding, positions = Tapa(8), torch.arange(24)
    outside = explicit(encoding, q, k, v, positions)
    plain = encoding.scores(q, k, positions, positions)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(explicit(encoding, q, k, v, positions), outside)
        assert not torch.allclose(encoding.scores(q, k, positions, positions), plain, atol=1e-3)
        assert Llama(config("tapa"))(tokens(1, 8)).dtype == torch.float32


def test_loss_is_the_mean_over_all_but_the_first_token():
    model, read = lively(Llama(config("rope"))), tokens(3, 17)
    logits = model(read[:, :-1]).double()
    likely = logits.log_softmax(dim=-1)
    by_hand = -sum(likely[b, t, read[b, t + 1]].item() for b in range(3) for t in range(16)) / 48
    assert model.loss(read).item() == pytest.approx(by_hand, rel=1e-5)


def test_sizes_of_what_feeds_the_score():
    assert [rows_of(config(name)).phase for name in ("rope", "tapa", "tapa_separate", "tapa_general")] == [
        0,
        4,
        8,
        0,
    ]
    third = config(MethodConfig("tapa_separate", amplitude_share=2 / 3))
    assert (rows_of(third).plain, rows_of(third).phase) == (8, 4)
    assert len(Llama(config("tapa")).phase_parameters()) == 2 * 2
    assert len(Llama(config("tapa_general")).phase_parameters()) == 2
    assert Llama(config("rope")).phase_parameters() == []
