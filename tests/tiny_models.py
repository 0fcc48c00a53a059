"""Small random models of every family in the adapter table, and checkpoints of them on disk."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

SIZES: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
HALF_HEADS = {"head_dim": 12}  # not hidden_size / heads
GEMMA = HALF_HEADS | {"query_pre_attn_scalar": 20, "sliding_window": 24}
ALTERNATING = ["sliding_attention", "full_attention", "sliding_attention"]
LOCAL_GLOBAL = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
    "full_attention": {"rope_type": "linear", "rope_theta": 5000.0, "factor": 4.0},
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 500.0,
    "short_factor": [1.0, 1.1, 1.3, 2.0],
    "long_factor": [1.0, 2.0, 4.0, 9.0],
    "original_max_position_embeddings": 32,
    "factor": 8.0,
}
YARN = {"rope_type": "yarn", "rope_theta": 300.0, "factor": 4.0, "original_max_position_embeddings": 64}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 300.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 300.0, "factor": 2.0}


def _rope(base: float, **more: object) -> dict[str, object]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": base} | more}


# name of the variant -> (model_type, what differs from SIZES)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _rope(300.0)),
    "llama-yarn": ("llama", {"rope_parameters": YARN}),
    "llama-llama3": ("llama", {"rope_parameters": LLAMA3}),
    "llama-dynamic": ("llama", {"rope_parameters": DYNAMIC, "max_position_embeddings": 64}),
    "mistral": ("mistral", _rope(300.0) | HALF_HEADS | {"sliding_window": 20}),
    "qwen2": ("qwen2", _rope(300.0)),
    "qwen2-sliding": (
        "qwen2",
        _rope(300.0) | {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", _rope(300.0) | HALF_HEADS),
    "gemma": ("gemma", _rope(300.0) | HALF_HEADS),
    "gemma2": ("gemma2", _rope(300.0) | GEMMA | {"layer_types": ALTERNATING, "attn_logit_softcapping": 3.0}),
    "gemma3": ("gemma3_text", {"rope_parameters": LOCAL_GLOBAL} | GEMMA | {"layer_types": ALTERNATING}),
    "gpt_neox": ("gpt_neox", _rope(300.0, partial_rotary_factor=0.5) | {"num_key_value_heads": None}),
    "phi": ("phi", _rope(300.0, partial_rotary_factor=0.5)),
    "phi-norm": (
        "phi",
        _rope(300.0, partial_rotary_factor=0.5) | {"qk_layernorm": True, "num_key_value_heads": 4},
    ),
    "phi3": ("phi3", _rope(300.0)),
    "phi3-longrope": (
        "phi3",
        {"rope_parameters": LONGROPE, "original_max_position_embeddings": 32, "sliding_window": 50},
    ),
    "cohere": ("cohere", _rope(300.0)),
    "cohere-norm": ("cohere", _rope(300.0) | {"use_qk_norm": True}),
    "glm": ("glm", _rope(300.0, partial_rotary_factor=0.5) | {"head_dim": 8}),
}


def build(
    variant: str, *, seed: int = 0, dtype: torch.dtype = torch.float32, **changes: object
) -> PreTrainedModel:
    """A model of a variant with weights (norms and biases too) large enough that attention is not uniform."""
    model_type, differences = VARIANTS[variant]
    config = AutoConfig.for_model(model_type, **copy.deepcopy(SIZES | differences | changes))
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            parameter.copy_(0.3 * noise if parameter.ndim > 1 else parameter + 0.3 * noise)
    return model.eval()


def words(count: int = 96, *, begin: str = "", end: str = "") -> PreTrainedTokenizerFast:
    """A tokenizer of the words w0 .. w{count-1}, by white space.

    Tokens that are put before and after every text are called <7> and stand in the place of w7 in the vocabulary.
    """
    special = f"{begin} {end}".split()
    vocabulary = {f"<{i}>" if f"<{i}>" in special else f"w{i}": i for i in range(count)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    if special:
        tokenizer.post_processor = TemplateProcessing(
            single=f"{begin} $A {end}".strip(), special_tokens=[(word, vocabulary[word]) for word in special]
        )
    names = {"bos_token": begin.split()[0]} if begin else {}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def save(model: PreTrainedModel, folder: Path, *, tokenizer: bool = False, **options: Any) -> Path:
    """A Hugging Face folder of safetensors."""
    model.save_pretrained(folder, **options)
    if tokenizer:
        words(model.config.vocab_size).save_pretrained(folder)
    return folder


BYTE_TOKENS = 259  # every byte, one merge (the reader wants a list of them), the two special tokens
GGUF_SIZES = {
    "vocab_size": BYTE_TOKENS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}


def byte_tokens(text: str) -> torch.Tensor:
    """What the tokenizer of `write_gguf` makes of an ASCII text: its bytes, and 256 for every "th"."""
    return torch.tensor(
        [256 if byte == 0xFF else byte for byte in text.replace("th", "\xff").encode("latin-1")]
    )


def taught(text: str, *, steps: int = 60) -> PreTrainedModel:
    """A llama that has learned one text by heart, so that it needs its positions."""
    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **(SIZES | GGUF_SIZES | _rope(300.0)))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    tokens = byte_tokens(text)[None]
    for _ in range(steps):
        loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def _llama_cpp_rows(weight: np.ndarray, heads: int) -> np.ndarray:
    """Row order of llama.cpp's converter: rows i and i + D/2 of a head become neighbours."""
    first_second = weight.reshape(heads, 2, -1, weight.shape[1])
    return np.stack([first_second[:, 0], first_second[:, 1]], axis=2).reshape(weight.shape)


def write_gguf(model: PreTrainedModel, path: Path, *, permute: bool = True, **extra: str) -> Path:
    """A llama as a .gguf of float32 tensors with a byte tokenizer; `permute` the rows as llama.cpp does."""
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_vocab_size(config.vocab_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    for key, value in extra.items():
        writer.add_string(f"llama.{key.replace('__', '.')}", value)
    _add_byte_tokenizer(writer)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name != "lm_head.weight":  # tied
            stem = str(names.get_name(name.removesuffix(".weight")))
            rows = weight.numpy()
            if permute and (count := heads.get(stem.split(".")[-1])):
                rows = _llama_cpp_rows(rows, count)
            writer.add_tensor(f"{stem}.weight", np.ascontiguousarray(rows))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_byte_tokenizer(writer: gguf.GGUFWriter) -> None:
    spelling = bytes_to_unicode()
    tokens = [spelling[byte] for byte in range(256)] + ["th", "<|endoftext|>", "<pad>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 257 + [3, 3])
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)
