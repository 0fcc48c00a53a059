"""Retrieval by distance: the questions of `recall`, scored teacher-forced and by exact match, with intervals.

An answer is exact when each of its bytes is the likeliest given the true ones before it, which is also when
greedy generation gives all of it: one reading scores both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float

from analysis.intervals import over_documents, proportion
from analysis.models.llama import Llama
from analysis.models.token_losses import SCORES, attention_for_length, rows_at_once
from analysis.text.windows import Document
from analysis.training.recipe import Recipe
from analysis.training.retrieval_data import (
    RECALL,
    TASKS,
    Queries,
    RetrievalTask,
    retrieval_batch,
    score_queries,
)

_NAMES = ("exact", "exact_low", "exact_high", "bits", "bits_low", "bits_high")


def evaluate_retrieval(
    model: Llama,
    documents: Sequence[Document],
    *,
    length: int,
    distances: Sequence[int],
    task: RetrievalTask = RECALL,
    count: int = 256,
    seed: int = 0,
) -> xr.Dataset:
    """How often, and at what loss, a model of bytes gives back what it read some way before.

    Args:
        model: of bytes.
        documents: text around the facts.
        length: bytes of an instance.
        distances: from a value to its fact, in bytes; the same instances for every model at each of them.
        task: what is asked; one query.
        count: of instances at each distance.
        seed: of the instances and of the bootstrap.

    Returns:
        Over `distance`: `exact`, the share of answers all right, with the exact interval of a proportion over
        instances; `bits` per answer, teacher-forced, with the bootstrap's; attributes `chance`, `chance_of_any`
        and `chance_bits` of readers that know the form of a value but not which fact was asked.

    Raises:
        InputError: as `retrieval_data.retrieval_batch`.

    >>> from analysis.models.config import ModelConfig
    >>> model = Llama(ModelConfig(layers=1, width=16, heads=2, kv_heads=2, head_dim=8, hidden=32, context=128))
    >>> text = Document('a', np.frombuffer(b'the quick brown fox jumps over the lazy dog. ' * 20, dtype=np.uint8))
    >>> found = evaluate_retrieval(model, [text], length=128, distances=[64], count=8)
    >>> found.exact.dims, found.attrs['chance']
    (('distance',), 0.0038461538461538464)
    """
    found = np.array([_at(model, documents, length, distance, task, count, seed) for distance in distances])
    data = xr.Dataset(
        {name: ("distance", found[:, i]) for i, name in enumerate(_NAMES)},
        {"distance": ("distance", list(distances), {"units": "byte"})},
        {name: getattr(task, name) for name in ("chance", "chance_of_any", "chance_bits")}
        | {"length": length, "count": count, "seed": seed},
    )
    for name in _NAMES:
        data[name].attrs["units"] = "bit" if name.startswith("bits") else "1"
    return data


def _at(
    model: Llama,
    documents: Sequence[Document],
    length: int,
    distance: int,
    task: RetrievalTask,
    count: int,
    seed: int,
) -> list[float]:
    """The numbers of `_NAMES` at one distance."""
    hits, lost = answers(
        model, documents, length=length, distance=distance, task=task, count=count, seed=seed
    )
    share = proportion(int(hits.sum()), count)
    loss = over_documents(lost, np.ones(count), seed=seed)
    return [share.value, share.low, share.high, loss.value, loss.low, loss.high]


@torch.inference_mode()
def answers(
    model: Llama,
    documents: Sequence[Document],
    *,
    length: int,
    distance: int,
    task: RetrievalTask,
    count: int,
    seed: int,
) -> tuple[Bool[np.ndarray, " count"], Float[np.ndarray, " count"]]:
    """Of each instance at one distance: was the answer all right, and its bits; arguments as `evaluate_retrieval`.

    All instances are drawn at once, so that how many of them the model reads together decides none.
    """
    asked = retrieval_batch(documents, length, count, task=task, distance=distance, seed=seed)
    rows, device = rows_at_once(model, length, SCORES), model.embedding.weight.device
    parts = zip(*(x.split(rows) for x in (asked.tokens, asked.mask, asked.distances)), strict=True)
    exact, bits = [], []
    for part in (Queries(*tensors, values=asked.values) for tensors in parts):
        with attention_for_length(model, length):
            scores = score_queries(model(part.tokens.to(device)).cpu(), part)
        exact.append(scores.exact.flatten().numpy())
        bits.append(scores.bits.flatten().numpy())
    return np.concatenate(exact), np.concatenate(bits)


# What a run's record says of retrieval: which questions are asked at which distances, and how they are
# answered.
#
# Within the trained length distances double; beyond it there is one for each length that is read, three
# quarters of it back, so that no window is longer than it must be. One distance within the trained length is
# asked again in a longer window: a model may lose a fact because it is far, or because the window is long.


PLAIN = ("recall", "passkey")  # what models of text alone are asked
COUNT, LONG_COUNT = 256, 128  # instances at a distance, and in windows beyond twice the trained length
PLAIN_COUNT = 64  # of a model that never learned to answer
NEAREST = 8
CROWDED = 4  # times the trained length is the window in which a near fact is asked for again
SEED = 0  # the same instances for every model


def ask(
    model: Llama, documents: Sequence[Document], recipe: Recipe, lengths: Sequence[int]
) -> list[dict[str, Any]]:
    """How a trained model answers: its own task at every length, or those of `PLAIN` at its own length.

    Args:
        model: of bytes, in evaluation mode.
        documents: held-out text around the facts.
        recipe: it was trained by.
        lengths: that are read, the trained one first.

    Returns:
        For each task, window length and distance, in bytes: "trials", how many were answered "exact", mean "nats" of an
        answer, teacher-forced; "chance" and "chance_nats" of a reader that only knows the form of a value,
        "chance_of_any" of one that gives the value of whichever fact.

    Raises:
        InputError: as `retrieval_data.retrieval_batch`.
    """
    if recipe.task is None:
        return [
            _row(model, documents, name, length, distance, PLAIN_COUNT)
            for name in PLAIN
            for length, distance in questions(TASKS[name], lengths[:1])
        ]
    return [
        _row(model, documents, recipe.task, n, distance, COUNT if n <= 2 * lengths[0] else LONG_COUNT)
        for n, distance in questions(TASKS[recipe.task], lengths)
    ]


def questions(task: RetrievalTask, lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of a window's length and a distance, those left out for which the task's facts do not fit.

    Args:
        task: of one query.
        lengths: of windows, the trained one first, in ascending order.
    """
    trained = lengths[0]
    near = [NEAREST * 2**i for i in range(trained.bit_length()) if NEAREST * 2**i < 3 * trained // 4]
    pairs = [(trained, distance) for distance in near]
    pairs += [(length, 3 * length // 4) for length in lengths]
    if CROWDED * trained in lengths:
        pairs.append((CROWDED * trained, trained // 2))
    return sorted((n, d) for n, d in pairs if task.fits(n, d))


def _row(
    model: Llama, documents: Sequence[Document], name: str, length: int, distance: int, count: int
) -> dict[str, Any]:
    task = TASKS[name]
    exact, bits = answers(
        model, documents, length=length, distance=distance, task=task, count=count, seed=SEED
    )
    return {
        "task": name,
        "length": length,
        "distance": distance,
        "trials": count,
        "exact": int(exact.sum()),
        "nats": float(bits.mean()) * math.log(2),
        "chance": task.chance,
        "chance_of_any": task.chance_of_any,
        "chance_nats": task.chance_bits * math.log(2),
    }
