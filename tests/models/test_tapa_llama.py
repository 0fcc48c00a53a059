"""TAPA inside transformers: every layer scores as the theory's encoding does, however queries and keys come to it."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AttentionInterface,
    AutoModelForCausalLM,
    DynamicCache,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    StaticCache,
    Trainer,
    TrainingArguments,
)
from transformers.masking_utils import create_causal_mask

from analysis.encodings import Tapa
from analysis.encodings.interventions import SoftCapped
from analysis.models import tapa_llama
from analysis.models.families import Heads, family_of
from analysis.models.tapa_llama import (
    NAME,
    TapaLlamaConfig,
    TapaLlamaForCausalLM,
    distance_rows,
    take_rotation,
    tapa_attention,
    tapa_encoding,
    tapa_mask,
    with_tapa,
)
from tests import tiny_models
from tests.refusals import plainly_raises

LENGTH, EXACT = 60, {"rtol": 1e-12, "atol": 1e-12}
# tokens that a query of each layer sees, itself included, as `tiny_models` has it; None for all
WINDOWS: dict[str, list[int | None]] = {
    "mistral": [20, 20, 20],
    "qwen2-sliding": [None, 16, 16],
    "gemma2": [24, None, 24],
    "gemma3": [24, None, 24],
    "phi3-longrope": [50, 50, 50],
}
CACHED = [
    "llama",
    "mistral",
    "qwen2-sliding",
    "qwen3",
    "gemma2",
    "gemma3",
    "gpt_neox",
    "phi3",
    "cohere",
    "glm",
]


class ExactNorm(nn.Module):
    """A root mean square norm in float64: transformers' own goes through float32, whose rounding hides 1e-12."""

    def __init__(self, norm: Any, offset: float) -> None:
        super().__init__()
        self.weight, self.offset = norm.weight, offset
        self.eps = getattr(norm, "variance_epsilon", None) or norm.eps

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight + self.offset) * x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt()


class ExactLayerNorm(nn.Module):
    """Cohere's norm in float64."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self.eps = norm.weight, norm.variance_epsilon

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return self.weight * x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt()


def exact(model: Any) -> Any:
    """The model with every norm in float64."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__.endswith("RMSNorm"):
                setattr(
                    parent, name, ExactNorm(child, 1.0 if type(child).__name__.startswith("Gemma") else 0.0)
                )
            elif type(child).__name__ == "CohereLayerNorm":
                setattr(parent, name, ExactLayerNorm(child))
    return model


def tapa(variant: str = "llama", **options: Any) -> Any:
    return with_tapa(exact(tiny_models.build(variant, dtype=torch.float64)), **options)


def rounding(model: Any, *texts: Tensor) -> dict[str, float]:
    """How far two readings of texts by one float64 model may be apart, of logits: what float32 makes of it, scaled.

    Two readings take the same sums in another order, which rounds differently; phases of many turns carry that from
    layer to layer, ten thousandfold where queries and keys are large (`test_it_is_the_phase_that_carries_rounding`).
    The same model in float32 is carried away by as much more as its rounding is coarser, 2^29. The largest error of
    three of its readings is taken eight times: twice for two readings, four times for one draw against another.
    """
    narrow, worst = copy.deepcopy(model).float(), 0.0
    for text in texts:
        length = text.shape[1]
        with torch.inference_mode():
            whole = model(text, use_cache=False).logits
        for first in (length, length // 2, length // 3):
            sizes = [first, length - first] if first < length else [length]
            found = pieces(narrow, DynamicCache(config=model.config), text, sizes)
            worst = max(worst, float((found - whole).abs().max()))
    return {"rtol": 0.0, "atol": 8 * worst * 2.0**-29}


def tokens(rows: int = 1, length: int = LENGTH, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(1, 96, (rows, length)))


def layers_of(model: Any, run: Callable[[], Any]) -> list[dict[str, Tensor]]:
    """What attention got and gave in every layer of a run, beside what the taps took before any position."""
    family = family_of(model.config.model_type)
    found: list[dict[str, Tensor]] = []
    taken: dict[int, Tensor] = {}

    def watched(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, **others: Any):
        out = tapa_attention(module, query, key, value, mask, **others)
        taps = family.tapped(module)
        heads = Heads(query.shape[1], key.shape[1], query.shape[3])
        q, k = family.arrange([taken[id(tap)] for tap in taps], heads)
        found.append(
            {"q": q, "k": k, "query": query, "key": key, "value": value, "mask": mask, "out": out[0]}
        )
        return out

    hooks = [
        tap.register_forward_hook(lambda module, _, output: taken.update({id(module): output}))
        for module in model.modules()
        if family.is_attention(module)
        for tap in family.tapped(module)
    ]
    AttentionInterface.register(NAME, watched)
    try:
        with torch.inference_mode():
            run()
    finally:
        AttentionInterface.register(NAME, tapa_attention)
        for hook in hooks:
            hook.remove()
    return found


def by_hand(
    q: Tensor, k: Tensor, v: Tensor, window: int | None, *, alpha: float, dims: int, cap: float | None = None
) -> Tensor:
    """Eq 12 and a softmax over the keys in the window, written out; (length, heads, dim) of one text."""
    q, k, v = q[0], *(x[0].repeat_interleave(q.shape[1] // k.shape[1], dim=0) for x in (k, v))
    at = np.arange(q.shape[1])
    lag = torch.from_numpy(at[:, None] - at).double()
    rate = 2 * math.pi * lag.abs() ** alpha / math.sqrt(q.shape[-1] - dims)
    score = torch.einsum("hmd,hnd->hmn", q[..., :dims], k[..., :dims]) / math.sqrt(dims)
    score = score * torch.cos(rate * torch.einsum("hmd,hnd->hmn", q[..., dims:], k[..., dims:]))
    if cap is not None:
        score = cap * torch.tanh(score / cap)
    seen = (lag >= 0) & (lag < (window or math.inf))
    return torch.einsum("hmn,hnd->mhd", torch.where(seen, score, -math.inf).softmax(-1), v)


@pytest.mark.parametrize("variant", list(tiny_models.VARIANTS))
def test_every_layer_scores_as_the_encoding(variant: str):
    model = with_tapa(tiny_models.build(variant, dtype=torch.float64), alpha=0.3, amplitude_share=0.25)
    cap = getattr(model.config, "attn_logit_softcapping", None)
    layers = layers_of(model, lambda: model(tokens(), use_cache=False))
    assert len(layers) == 3
    for layer, window in zip(layers, WINDOWS.get(variant, [None] * 3), strict=True):
        q, k, v = layer["query"], layer["key"], layer["value"]
        for given, before in (
            (q, layer["q"]),
            (k, layer["k"]),
        ):  # nothing was rotated; Cohere takes them to float32
            assert torch.equal(given, before.float().double() if "cohere" in variant else before)
        dim, at = q.shape[-1], torch.arange(LENGTH)
        ours = Tapa(dim, 0.3, 0.25)
        wanted = by_hand(q, k, v, window, alpha=0.3, dims=ours.amplitude_dim, cap=cap)
        torch.testing.assert_close(layer["out"][0], wanted, **EXACT)
        lag = at[:, None] - at
        hidden = (lag < 0) | (lag >= (window or LENGTH))
        k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
        scores = (ours if cap is None else SoftCapped(ours, cap)).scores(q, k, at, at)
        wanted = scores.masked_fill(hidden, -math.inf).softmax(-1) @ v
        torch.testing.assert_close(layer["out"][0], wanted[0].transpose(0, 1), **EXACT)


def test_options_reach_every_layer():
    given = {"alpha": 0.7, "amplitude_share": 0.75, "turns": False, "phase": "linear"}
    found = tapa_encoding(tapa(**given).config)
    assert type(found).kind == "linear"
    assert (found.alpha, found.amplitude_dim, found.turns) == (0.7, 6, False)
    plain, other = (model(tokens()).logits.detach() for model in (tapa(), tapa(**given)))
    assert float((plain - other).abs().max()) > 1e-3


def pieces(model: Any, cache: Any, text: Tensor, sizes: list[int], **more: Any) -> Tensor:
    """Logits of a text that is read in pieces over a cache."""
    parts, start = [], 0
    with torch.inference_mode():
        for size in sizes:
            parts.append(
                model(text[:, start : start + size], past_key_values=cache, use_cache=True, **more).logits
            )
            start += size
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("variant", CACHED)
@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_reading_in_pieces_changes_nothing(variant: str, kind: str):
    model, text = tapa(variant), tokens(2)
    caches = {
        "dynamic": lambda: DynamicCache(config=model.config),
        "static": lambda: StaticCache(config=model.config, max_cache_len=80),
    }
    whole, close = model(text, use_cache=False).logits, rounding(model, text)
    for sizes in ([60], [31, 28, 1], [17, 1, 1, 1, 40]):
        torch.testing.assert_close(pieces(model, caches[kind](), text, sizes), whole, **close)


def test_it_is_the_phase_that_carries_rounding():
    """With the rows of q that make the phase 64 times smaller, and nothing else, readings agree to 1e-13."""
    text, apart, bound = tokens(2), [], []
    for factor in (1.0, 2.0**-6):
        model = tapa()
        with torch.no_grad():
            for layer in model.model.layers:
                layer.self_attn.q_proj.weight.unflatten(0, (-1, 8))[:, 4:] *= factor
        whole = model(text, use_cache=False).logits
        found = pieces(model, DynamicCache(config=model.config), text, [17, 1, 1, 1, 40])
        apart.append(float((found - whole).detach().abs().max()))
        bound.append(rounding(model, text)["atol"])
    assert apart[1] < bound[1] < 1e-12 < apart[0] < bound[0]


def test_one_token_of_distance_shows(monkeypatch: pytest.MonkeyPatch):
    model, text = tapa(), tokens(2)
    right = model(text, use_cache=False).logits.detach()
    least = 1e6 * rounding(model, text)["atol"]
    monkeypatch.setattr(
        tapa_llama.Tapa, "turn", lambda self, x, dtype: math.tau * (x.to(dtype) + 1) ** self.alpha
    )
    assert float((model(text, use_cache=False).logits.detach() - right).abs().max()) > least


def test_distances_from_lengths_alone_would_be_wrong():
    """With a static cache: what the mask is told is needed."""
    model, text = tapa(), tokens()
    found = layers_of(
        model, lambda: pieces(model, StaticCache(config=model.config, max_cache_len=80), text, [40])
    )
    mask = found[0]["mask"]
    assert mask.shape == (1, 1, 40, 80)
    assert mask[0, 0, 5, :7].tolist() == [5, 4, 3, 2, 1, 0, -1]
    assert int(mask[0, 0, 39, 0]) == 39 != mask.shape[-1] - 1


@pytest.mark.parametrize("variant", ["llama", "mistral", "gemma2", "gpt_neox"])
def test_left_padding_changes_nothing(variant: str):
    model = tapa(variant)
    short, long = tokens(length=25, seed=2), tokens(length=41, seed=3)
    padded = torch.cat([torch.cat([torch.zeros(1, 16, dtype=torch.int64), short], dim=1), long])
    kept = torch.ones_like(padded)
    kept[0, :16] = 0
    at = (kept.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        both = model(padded, attention_mask=kept, position_ids=at).logits
        torch.testing.assert_close(both[:1, 16:], model(short).logits, **rounding(model, short))
        torch.testing.assert_close(both[1:], model(long).logits, **rounding(model, long))


def test_padding_leaves_gradients_finite():
    model, text = tapa().train(), tokens(2)
    kept = torch.ones_like(text)
    kept[0, :20] = 0
    model(text, attention_mask=kept, labels=text.masked_fill(kept == 0, -100)).loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("variant", ["llama", "mistral", "gemma2"])
def test_packed_texts_do_not_see_each_other(variant: str):
    model = tapa(variant)
    texts = [tokens(length=length, seed=length) for length in (23, 30, 7)]
    at = torch.cat([torch.arange(text.shape[1]) for text in texts])[None]
    with torch.inference_mode():
        packed = model(torch.cat(texts, dim=1), position_ids=at, use_cache=False).logits
        apart = torch.cat([model(text, use_cache=False).logits for text in texts], dim=1)
    torch.testing.assert_close(packed, apart, **rounding(model, *texts))


@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"cache_implementation": "static"}, {"prefill_chunk_size": 7}]
)
@pytest.mark.parametrize("variant", ["llama", "mistral", "gemma3"])
def test_generation_is_the_same_with_and_without_cache(variant: str, how: dict[str, Any]):
    model, text = tapa(variant), tokens(2, 26)
    kept = torch.ones_like(text)
    kept[0, :9] = 0
    options = {"attention_mask": kept, "max_new_tokens": 12, "do_sample": False, "pad_token_id": 0}
    with torch.inference_mode():
        cached = model.generate(text, use_cache=True, **options, **how)
        plain = model.generate(text, use_cache=False, **options, num_beams=how.get("num_beams", 1))
    assert cached.shape == (2, 38)
    assert torch.equal(cached, plain)


# Beyond the length of one table.


@pytest.fixture
def short_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets from 12 tokens on, in several steps."""
    monkeypatch.setattr(tapa_llama, "LONGEST", 12)
    monkeypatch.setattr(tapa_llama, "AT_ONCE", 700)


@pytest.mark.parametrize("variant", ["llama", "mistral", "gemma2", "phi"])
def test_offsets_give_what_the_table_gives(variant: str, short_tables: None, monkeypatch: pytest.MonkeyPatch):
    model, text = tapa(variant), tokens(2)
    kept = torch.ones_like(text)
    kept[0, :14] = 0
    at = torch.cat([torch.arange(25), torch.arange(35)])[None].expand(2, -1)

    def runs() -> list[Tensor]:
        with torch.inference_mode():
            return [
                model(text, use_cache=False).logits,
                model(text, attention_mask=kept).logits[:, 14:],
                model(text, position_ids=at, use_cache=False).logits,
                pieces(model, DynamicCache(config=model.config), text, [40, 20]),
                pieces(model, StaticCache(config=model.config, max_cache_len=70), text, [33, 27]),
            ]

    by_offsets, apart = runs(), [text, text[:1, 14:], text[:, :25], text[:, 25:]]
    mask = layers_of(model, lambda: model(text, use_cache=False))[0]["mask"]
    assert mask.shape == (2, 1, 2, 2 * LENGTH)
    monkeypatch.setattr(tapa_llama, "LONGEST", 8192)
    close = rounding(model, *apart)
    for ours, table in zip(by_offsets, runs(), strict=True):
        torch.testing.assert_close(ours, table, **close)


def test_beyond_8192_tokens_no_table_is_made():
    offsets = tapa_mask(1, 8200, 8200)
    assert offsets.shape == (1, 1, 2, 16400)
    rows = distance_rows(offsets, 8200, slice(8190, 8200))
    assert rows.shape == (1, 1, 10, 8200)
    assert rows[0, 0, 3, [0, 8193, 8194]].tolist() == [8193, 0, -1]


def test_rules_that_leave_holes_are_refused_beyond_the_table(short_tables: None):
    def even(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & ((query - key) % 2 == 0)

    plainly_raises(lambda: tapa_mask(1, 20, 20, mask_function=even), "see no single run of keys")


# On disk, and in training.


@pytest.mark.parametrize("variant", list(tiny_models.VARIANTS))
def test_saved_and_opened_again_it_is_the_same(variant: str, tmp_path: Path):
    model = with_tapa(tiny_models.build(variant, dtype=torch.float64), alpha=0.4, turns=False)
    model.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["model_type"] == f"tapa_{tiny_models.VARIANTS[variant][0]}"
    assert settings["architectures"] == [type(model).__name__]
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    assert type(again) is type(model)
    assert again.config.to_dict()["tapa_alpha"] == 0.4
    with torch.inference_mode():
        assert torch.equal(again(tokens()).logits, model(tokens()).logits)


def test_the_first_model_stays_and_the_weights_are_shared():
    first = tiny_models.build("llama")
    before, text = first(tokens()).logits, tokens()
    second = with_tapa(first)
    assert torch.equal(first(text).logits, before)
    assert type(first).__name__ == "LlamaForCausalLM"
    assert first.config.model_type == "llama"
    assert not torch.equal(second(text).logits, before)
    assert second.model.layers[0].self_attn.q_proj.weight is first.model.layers[0].self_attn.q_proj.weight
    assert second.get_output_embeddings().weight is first.get_output_embeddings().weight


def sizes(**changes: Any) -> dict[str, Any]:
    return tiny_models.SIZES | {"tie_word_embeddings": True} | changes


def trained_one_step(model: Any, folder: Path) -> None:
    rows = [{"input_ids": row, "labels": row} for row in tokens(4, 16)]
    arguments = TrainingArguments(
        output_dir=str(folder), use_cpu=True, max_steps=1, per_device_train_batch_size=2, report_to=[],
        save_strategy="no", learning_rate=1e-3, dataloader_pin_memory=False,
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=rows).train()  # type: ignore[arg-type]


def test_made_from_its_configuration_it_learns_with_trainer(tmp_path: Path):
    torch.manual_seed(0)
    model = TapaLlamaForCausalLM(TapaLlamaConfig(**sizes()))
    before = copy.deepcopy(model.state_dict())
    trained_one_step(model, tmp_path)
    moved = [name for name, now in model.state_dict().items() if not torch.equal(now, before[name])]
    assert {"model.layers.0.self_attn.q_proj.weight", "model.layers.2.self_attn.k_proj.weight"} <= set(moved)
    assert all(torch.isfinite(now).all() for now in model.state_dict().values())


@pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing`:FutureWarning"
)  # of transformers, that peft asks for
def test_peft_adapts_it_with_trainer_and_merges(tmp_path: Path):
    """A step moves the adapters alone; merged into the weights, or saved and opened again, they compute the same."""
    torch.manual_seed(0)
    base = with_tapa(tiny_models.build("llama"))
    before = copy.deepcopy(base.state_dict())
    model: Any = peft.get_peft_model(base, peft.LoraConfig(target_modules=["q_proj", "k_proj"], r=2))
    started = copy.deepcopy(model.state_dict())
    trained_one_step(model, tmp_path / "run")
    moved = {name for name, now in model.state_dict().items() if not torch.equal(now, started[name])}
    assert moved == {name for name in started if "lora_B" in name}  # lora_A has no gradient while B is 0
    assert len(moved) == 2 * base.config.num_hidden_layers
    model.eval().save_pretrained(tmp_path / "adapter")
    with torch.inference_mode():
        adapted = model(tokens()).logits
        again = peft.PeftModel.from_pretrained(with_tapa(tiny_models.build("llama")), tmp_path / "adapter")
        assert torch.equal(again.eval()(tokens()).logits, adapted)
        merged = model.merge_and_unload()
        assert type(merged) is TapaLlamaForCausalLM
        exact_logits = copy.deepcopy(merged).double()(tokens()).logits
        rounding = float(
            (merged(tokens()).logits - exact_logits).abs().max()
        )  # of float32 in this very model
        assert float((adapted - exact_logits).abs().max()) <= 4 * rounding
    assert not torch.equal(
        merged.state_dict()["model.layers.0.self_attn.q_proj.weight"],
        before["model.layers.0.self_attn.q_proj.weight"],
    )


def test_gradients_of_the_attention_are_right():
    """Against finite differences, through table and offsets, padding included."""
    config = TapaLlamaConfig(**sizes(head_dim=4))
    module: Any = nn.Module()
    module.config, generator = config, torch.Generator().manual_seed(0)
    q = torch.randn(1, 2, 5, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    k, v = (
        torch.randn(1, 1, 5, 4, dtype=torch.float64, generator=generator, requires_grad=True) for _ in "kv"
    )
    kept = torch.tensor([[False, True, True, True, True]])
    mask = tapa_mask(1, 5, 5, attention_mask=kept)
    assert torch.autograd.gradcheck(lambda *x: tapa_attention(module, *x, mask)[0], (q, k, v))


# Refusals.


@pytest.mark.parametrize("other", ["sdpa", "eager", "flash_attention_2", "flex_attention"])
def test_other_attentions_are_refused(other: str, tmp_path: Path):
    model = with_tapa(tiny_models.build("llama"))
    model.save_pretrained(tmp_path)
    message = f"attn_implementation={other!r} cannot compute a phase; leave it out"
    plainly_raises(lambda: model.set_attn_implementation(other), message)
    plainly_raises(lambda: AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation=other), message)
    config = TapaLlamaConfig(**sizes())
    plainly_raises(lambda: AutoModelForCausalLM.from_config(config, attn_implementation=other), message)


@pytest.mark.parametrize("variant", ["llama", "gemma2", "cohere"])
def test_a_stock_model_is_refused_its_attention(variant: str):
    model = tiny_models.build(variant)
    model.set_attn_implementation(NAME)
    plainly_raises(lambda: model(tokens()), "which rotates its queries and keys; open it as it is")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha=-0.1"),
        ({"alpha": math.nan}, "alpha=nan"),
        ({"amplitude_share": 1.0}, "amplitude_share=1.0"),
        ({"amplitude_share": 0.01}, "leaves the amplitude empty"),
        ({"phase": "cubic"}, "tapa_phase='cubic'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str):
    plainly_raises(lambda: with_tapa(tiny_models.build("llama"), **options), message)
    named = {f"tapa_{name}": value for name, value in options.items()}
    plainly_raises(lambda: TapaLlamaConfig(**sizes(**named)), message)


def test_models_without_rotation_are_refused():
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=2))
    plainly_raises(lambda: with_tapa(gpt2), "gpt2 has no rotary position embedding")
    plainly_raises(lambda: with_tapa(nn.Linear(2, 2)), "Linear is no model of transformers")  # type: ignore[arg-type]
    llama = tiny_models.build("llama")
    plainly_raises(lambda: with_tapa(llama.model), "LlamaModel is no causal language model")
    plainly_raises(lambda: with_tapa(with_tapa(llama)), "scores by TAPA already")
    llama.model.rotary_emb = nn.Identity()
    plainly_raises(lambda: take_rotation(llama), "has no rotary module")


def test_masks_and_positions_of_another_kind_are_refused():
    model, text = with_tapa(tiny_models.build("llama")), tokens(length=8)
    seen = torch.ones(1, 1, 8, 8, dtype=torch.bool).tril()
    plainly_raises(lambda: model(text, attention_mask=seen), "TAPA needs distances for a mask")
    at = torch.tensor([[0, 1, 2, 3, 7, 8, 9, 10]])
    plainly_raises(lambda: model(text, position_ids=at, use_cache=False), "leave a gap of 4 tokens")


def test_the_mask_is_what_transformers_asks_for():
    config = LlamaConfig(**sizes(), attn_implementation=NAME)
    embeddings = torch.zeros(1, 3, 32)
    mask = create_causal_mask(config, embeddings, None, None, torch.arange(3)[None])
    assert mask.dtype == torch.int32
    assert mask[0, 0].tolist() == [[0, -1, -1], [1, 0, -1], [2, 1, 0]]


def test_autocast_does_not_round_the_phase():
    """Far keys turn the phase by many of its roundings: the scores of vectors in bfloat16 are those of float32."""
    model = with_tapa(tiny_models.build("llama", dtype=torch.float32), alpha=1.0)
    q, k, v = (
        torch.randn(1, 4, LENGTH, 8, generator=torch.Generator().manual_seed(i)).bfloat16() for i in range(3)
    )
    mask = tapa_mask(1, LENGTH, LENGTH)
    layer = model.model.layers[0].self_attn
    plain = tapa_attention(layer, q.float(), k.float(), v.float(), mask)[0]
    with torch.autocast("cpu", torch.bfloat16):
        narrow = tapa_attention(layer, q, k, v, mask)[0].float()
    error = (narrow - plain).abs().max()
    assert (
        error < 4 * 2**-8 * v.float().abs().max()
    )  # of weights and of their mixture, each rounded to 8 bits
