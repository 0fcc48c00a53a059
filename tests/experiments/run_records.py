"""Made-up records of runs with a known truth, as `analysis.experiments.run_record` would write them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from analysis.evaluation import loss_by_length, retrieval
from analysis.experiments.plan import Run, cpu
from analysis.training.retrieval_data import TASKS
from analysis.training.variants import VARIANTS, Variant

SCALE = cpu()
DOCUMENTS = tuple(f"{i}.txt" for i in range(8))
TOKENS = (512,) * 8
STEPS = (200, 400, 600, 800)
RATES = (1e-3, 2e-3, 4e-3)
FINE_RATES = (2.5e-4, 5e-4, 1e-3)
BEST, FINE_BEST = 2e-3, 5e-4

Loss = Callable[[str, int, str, float], float]
"""Bits per byte of a variant at a length over the trained one, under an extension, at a share of its training."""


def plain_loss(variant: str, stretch: int, extension: str, share: float) -> float:
    """Something like what is seen: RoPE explodes, ALiBi stays, TAPA is between, and training makes the rise steeper."""
    method = VARIANTS[variant].method.name
    slope = {"rope": 0.8, "alibi": 0.01, "nope": 0.5, "window": 0.02}.get(method, 0.25)
    if extension == "yarn" or VARIANTS[variant].parent:
        slope = 0.1
    start = {"rope": 2.3, "nope": 2.75}.get(method, 2.6) + 1.2 * (1 - share)
    return start + slope * (0.3 + 0.7 * share) * math.log2(stretch)


def _evaluation(bits: float, spread: np.ndarray, length: int, extension: str) -> dict[str, Any]:
    nats = (bits + spread - spread.mean()) * np.array(TOKENS) * math.log(2)
    bins = len(loss_by_length.position_edges(length)) - 1
    return {
        "length": length,
        "extension": extension,
        "nats": nats.tolist(),
        "bits_per_byte": float(nats.sum() / sum(TOKENS) / math.log(2)),
        "loss_by_position": (bits * math.log(2) + np.linspace(-0.1, 0.1, bins)).tolist(),
    }


def _read_as(variant: Variant, lengths: Sequence[int]) -> list[tuple[int, str]]:
    """Lengths and extensions at which a run is read: an extension beyond the first length alone."""
    pairs = [(length, extension) for extension in variant.evaluated_as for length in lengths]
    return [(length, extension) for length, extension in pairs if extension == "none" or length > lengths[0]]


def _reached(
    step: int, lengths: Sequence[int], read: Callable[[int, str, float], dict[str, Any]]
) -> dict[str, Any]:
    """What a run records after so many of its steps."""
    return {"step": step, "evaluations": [read(n, "none", step / 1000) for n in (lengths[0], lengths[-1])]}


def _least_at_best(lr: float, parent: Run | None) -> float:
    """A validation loss in nats that is least at the best rate."""
    return 1.6 + 0.05 * abs(math.log2(lr / (FINE_BEST if parent else BEST)))


def record(
    variant: str,
    seed: int,
    lr: float,
    *,
    loss: Loss = plain_loss,
    noise: float = 0.0,
    documents: float = 0.1,
    validation: float | None = None,
    parent_lr: float | None = BEST,
    diverged: bool = False,
    retrieval: bool = True,
) -> dict[str, Any]:
    """Content of one run.

    Args:
        variant, seed, lr: of the run.
        loss: its truth.
        noise: standard deviation over seeds, bits; alike at every length of a run.
        documents: standard deviation of documents about their mean, which all runs share.
        validation: loss in nats; None for one that is least at the best rate.
        parent_lr: of the run that it goes on from, if it does.
        diverged: it did.
        retrieval: its record has the scores.
    """
    what = VARIANTS[variant]
    parent = Run(VARIANTS[what.parent], seed, parent_lr or 0) if what.parent else None
    run = Run(what, seed, lr, parent)
    rng = np.random.default_rng([seed, *variant.encode()])
    shift = noise * float(rng.standard_normal())
    spread = documents * np.random.default_rng(0).standard_normal(len(TOKENS))
    lengths = run.evaluation(SCALE).lengths

    def read(length: int, extension: str, share: float) -> dict[str, Any]:
        return _evaluation(
            loss(variant, length // lengths[0], extension, share) + shift, spread, length, extension
        )

    content: dict[str, Any] = {
        "run": run.name,
        "variant": variant,
        "seed": seed,
        "lr": lr,
        "parent": parent.name if parent else None,
        "configuration": run.configuration(SCALE),
        "parameters": 824_448,
        "diverged": {"after_steps": 37, "in": "loss"} if diverged else None,
        "validation_loss": None if diverged else (validation or _least_at_best(lr, parent)),
    }
    if diverged:
        return content
    content |= {
        "evaluations": [read(length, extension, 1.0) for length, extension in _read_as(what, lengths)],
        "checkpoints": [] if parent else [_reached(step, lengths, read) for step in STEPS],
        "documents": list(DOCUMENTS),
        "document_tokens": list(TOKENS),
        "position_edges": {str(length): loss_by_length.position_edges(length).tolist() for length in lengths},
    }
    return content | ({"retrieval": asked(run, lengths, rng)} if retrieval else {})


def asked(run: Run, lengths: tuple[int, ...], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Answers whose share falls with the distance, of runs that learn to answer; none right of others."""
    learned = run.variant.task.get("task")
    if learned is None and run.variant.stage:
        return []
    rows = []
    for name in (learned,) if learned else retrieval.PLAIN:
        task = TASKS[name]
        for length, distance in retrieval.questions(task, lengths if learned else lengths[:1]):
            share = max(0.004, 0.9 - 0.12 * math.log2(distance)) if learned else 0.0
            rows.append(
                {
                    "task": name, "length": length, "distance": distance, "trials": retrieval.COUNT,
                    "exact": int(rng.binomial(retrieval.COUNT, share)), "nats": 6 - 5 * share, "chance": task.chance,
                    "chance_of_any": task.chance_of_any, "chance_nats": task.chance_bits * math.log(2),
                }
            )  # fmt: skip
    return rows


def whole(seeds: tuple[int, ...] = (0, 1, 2), **options: Any) -> Iterator[dict[str, Any]]:
    """Every run of every variant: the grid of seed 0, and the other seeds at the best rate."""
    for name, variant in VARIANTS.items():
        best, rates = (FINE_BEST, FINE_RATES) if variant.parent else (BEST, RATES)
        for seed in seeds:
            for lr in rates if seed == 0 else (best,):
                yield record(name, seed, lr, **options)
