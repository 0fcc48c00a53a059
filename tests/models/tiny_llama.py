"""A corpus and a model small enough to train in a test, and a program that trains one in its own process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.models.config import MethodConfig, ModelConfig
from analysis.text.corpus import Corpus
from analysis.text.windows import Document
from analysis.training.recipe import Recipe
from analysis.training.train import train

VOCAB = 32


def tiny_corpus(size: int = 4000) -> Corpus:
    """Counting in steps of 1, 2 and 3 with some noise: something to learn within seconds."""
    rng = np.random.default_rng(5)

    def document(name: str, step: int, length: int) -> Document:
        tokens = (step * np.arange(length)) % VOCAB
        noisy = np.where(rng.random(length) < 0.1, rng.integers(VOCAB, size=length), tokens)
        return Document(name, noisy.astype(np.uint8))

    return Corpus(
        train=tuple(document(f"train {i}", i, size) for i in (1, 2, 3)),
        validation=(document("validation", 2, size), document("validation, short", 1, 100)),
        test=(document("test", 3, size),),
        vocab_size=VOCAB,
        manifest={},
        sha256="ab" * 32,
    )


def tiny_recipe(method: str | MethodConfig = "rope", **changes) -> Recipe:
    """Two layers of two heads with eight dimensions, 12 steps."""
    method = MethodConfig(method) if isinstance(method, str) else method
    model = ModelConfig(
        vocab_size=VOCAB, layers=2, width=16, heads=2, kv_heads=1, head_dim=8, hidden=24, context=16,
        method=method,
    )  # fmt: skip
    recipe = Recipe(
        model=model, batch=4, steps=12, lr=1e-2, warmup=2, compile=False,
        validate_every=4, validation_batches=2, save_every=3,
    )  # fmt: skip
    return replace(recipe, **changes)


def main() -> None:
    """Train into argv[1] with method argv[2], fields of the recipe as name=number; each step's loss is a line."""
    out, method, *changes = sys.argv[1:]
    numbers = {name: int(value) for name, value in (text.split("=") for text in changes)}
    if "compile" in numbers:
        numbers["compile"] = bool(numbers["compile"])

    def show(what: str, done: int, total: int, note: str) -> None:
        print(done, note, flush=True)

    _, log = train(tiny_recipe(method, **numbers), Path(out), tiny_corpus(), progress=show)
    print("losses", *map(repr, log.loss))
    if numbers.get("compile"):
        from torch._dynamo.utils import counters

        print("graphs", counters["stats"]["unique_graphs"], "breaks", sum(counters["graph_break"].values()))


if __name__ == "__main__":
    main()
