"""Small TAPA models for tests: random weights made large enough that phases, cosines and losses are not trivial."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from analysis.models import checkpoint
from analysis.models.config import MethodConfig, ModelConfig
from analysis.models.llama import Llama

SOURCE = '''
def add(a, b):
    """Sum of (a, b), "as it is"."""
    total = [a, (b + 1)]  # "one more" than b
    if total[0] > {"a": 1}["a"]:
        return "nothing"
    return sum(total) - len(("x",))

'''


def source(lines: int, seed: int) -> str:
    """Code-like text that is not periodic."""
    generator = torch.Generator().manual_seed(seed)
    rows = [line for line in SOURCE.split("\n") if line]
    picks = torch.randint(len(rows), (lines,), generator=generator).tolist()
    return "\n".join(f"{rows[i]} # {j * 7919 % 1009}" for j, i in enumerate(picks))


def model(
    method: str | MethodConfig = "tapa",
    *,
    context: int = 32,
    gain: float = 8.0,
    seed: int = 0,
    heads: int = 2,
) -> Llama:
    """Two layers of `heads` query heads and one key head, with queries and keys `gain` times as large."""
    method = MethodConfig(method) if isinstance(method, str) else method
    config = ModelConfig(
        layers=2, width=24, heads=heads, kv_heads=1, head_dim=8, hidden=24, context=context, method=method
    )
    llama = Llama(config, seed=seed)
    with torch.no_grad():
        for attention in llama.attentions:
            for projection in (attention.query, attention.key):
                for weight in projection.parameters():
                    weight.mul_(gain)
            attention.value.weight.mul_(gain)
            attention.out.weight.mul_(gain)
    return llama.eval()


def save(llama: Llama, out: Path, *, step: int = 3, **recipe) -> Path:
    """A checkpoint of it."""
    about = {"corpus": "texts", "corpus_seed": 0, "seed": 5} | recipe
    return checkpoint.save(
        out, step, llama.state_dict(), {}, config=llama.config, recipe=about, corpus_sha256="ab" * 32
    )


def of_vocabulary(llama: Llama, size: int) -> ModelConfig:
    """Its configuration with another vocabulary."""
    return dataclasses.replace(llama.config, vocab_size=size)
