"""Made-up records of the long-range experiment with a known truth, as `long_use` would write them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.evaluation.long_range import DEPTHS
from analysis.experiments.long_plan import MIDDLE, Ladder, LongRun, ladder

LADDER = ladder()
DOCUMENTS = 12
WORDS = 5  # private words of a document
BYTES = 64

Loss = Callable[[LongRun, int], float]
"""Bits a byte of a run at a length."""


def plain_loss(run: LongRun, length: int) -> float:
    """RoPE rises with the length, ALiBi and NoPE stay, TAPA falls; a short horizon costs half a bit."""
    slope = {"rope": 0.3, "tapa": -0.02, "fox": -0.05}.get(run.variant, 0.0)
    start = {"rope": 2.0, "nope": 2.2}.get(run.variant, 2.1) + 0.25 * (1 / run.share - 1) / 3
    return start + 0.02 * abs(math.log2(run.lr / MIDDLE)) + slope * math.log2(length / LADDER.length)


def share_of(run: LongRun, length: int) -> float:
    """Of the bits beyond L that a run collects."""
    return (
        {"tapa": 0.5, "rope": -0.4, "fox": 0.9}.get(run.variant, 0.0) * math.log2(length / LADDER.length) / 4
    )


def long_content(
    run: LongRun, *, plan: Ladder = LADDER, loss: Loss = plain_loss, noise: float = 0.0, gain: float = 0.2,
    diverged: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Content of one run.

    Args:
        run: of the ladder.
        plan: the ladder.
        loss: its truth.
        noise: standard deviation over seeds of the loss beyond L, bits, apart for each method.
        gain: of a reference, bits a byte; its error is a twentieth of it.
        diverged: it did.
    """
    rng = np.random.default_rng([run.seed, *run.variant.encode()])
    shift = noise * float(rng.standard_normal())
    parent = plan.parents(run)[0].name if run.kind == "fine" else None
    content: dict[str, Any] = {
        "run": run.name, "variant": run.variant, "seed": run.seed, "lr": run.lr, "parent": parent,
        "configuration": plan.configuration(run, parent), "parameters": 824_448,
        "diverged": {"after_steps": 3, "in": "loss"} if diverged else None,
        "validation_loss": None if diverged else loss(run, plan.length) * math.log(2),
    }  # fmt: skip
    if diverged:
        return content
    extensions = plan.evaluation(run).extensions
    cells = [(e, n) for e in extensions for n in plan.lengths if e == "none" or n > plan.length]
    items = [_item(run, e, n, loss(run, n) + shift * (n > plan.length), plan) for e, n in cells]
    tokens = plan.recipe_of(run)
    total = tokens.steps * tokens.batch * tokens.length
    last = content["validation_loss"]
    curve = {"validation_step": [tokens.steps // 2, tokens.steps], "validation_loss": [1.5 * last, last]}
    return content | {
        "training": curve,
        "evaluations": items, "document_tokens": [BYTES] * DOCUMENTS,
        "long_range": {
            "trained_tokens": total, "spans_sha256": "00" * 32, "key_count": 40, "copies_after": total / 2,
            "copying": [{"tokens": total / 2, "share": 0.6}, {"tokens": total, "share": 0.8}],
            "needles": _needles(run, plan),
            **({"gate": _gate(gain)} if run.kind == "reference" else {}),
        },
    }  # fmt: skip


def _item(run: LongRun, extension: str, length: int, bits: float, plan: Ladder) -> dict[str, Any]:
    best = 8.0 - 0.5 * math.log2(length / plan.length)  # nats a word
    own = 9.0 - 0.5 * share_of(run, length) * math.log2(length / plan.length)
    rest = np.linspace(-0.1, 0.1, DOCUMENTS)  # of documents, alike at every length
    item = {
        "length": length, "extension": extension, "bits_per_byte": bits,
        "nats": [bits * BYTES * math.log(2)] * DOCUMENTS, "key_nats": 40 * bits,
    }  # fmt: skip
    if run.corpus == "private-words":
        item["words"] = {
            "nats": (WORDS * (own + rest)).tolist(), "bayes_nats": [WORDS * best] * DOCUMENTS,
            "count": [WORDS] * DOCUMENTS,
        }  # fmt: skip
    return item


def _needles(run: LongRun, plan: Ladder) -> list[dict[str, Any]]:
    near = {"alibi": 0.2, "tapa": 0.8, "fox": 1.0}.get(run.variant, 0.5)
    return [
        {
            "length": length, "depth": depth, "distance": (1 - depth) * length, "trials": plan.needles,
            "hits": round(plan.needles * near * depth * plan.length / length), "nats": 3.26 * (1 - near * depth),
        }
        for length in plan.lengths
        for depth in DEPTHS
    ]  # fmt: skip


def _gate(gain: float) -> dict[str, Any]:
    return {
        "gain": [gain, gain * 0.9, gain * 1.1], "error": gain / 20, "documents": DOCUMENTS,
        "positive": DOCUMENTS, "passes": gain >= 0.04, "key": [1, 5],
    }  # fmt: skip


def contents_of(*tiers: str, plan: Ladder = LADDER, **options: Any) -> dict[LongRun, dict[str, Any]]:
    """Every run of some tiers."""
    return {run: long_content(run, plan=plan, **options) for run in plan.runs(tiers)}
