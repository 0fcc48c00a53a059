"""Retrieval by distance: the questions of `recall`, scored teacher-forced and by exact match, with intervals.

An answer is exact when each of its bytes is the likeliest given the true ones before it, which is also when
greedy generation gives all of it: one reading scores both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float

from analysis.lm.bootstrap import over_documents, proportion
from analysis.lm.model import Llama
from analysis.lm.readers import attending, rows_at_once
from analysis.lm.recall import RECALL, Task, recall_batch, score
from analysis.lm.windows import Document

SCORES = 2**21  # numbers in the largest array of scores: on one core smaller arrays are faster
_NAMES = ("exact", "exact_low", "exact_high", "bits", "bits_low", "bits_high")


def retrieval(
    model: Llama,
    documents: Sequence[Document],
    *,
    length: int,
    distances: Sequence[int],
    task: Task = RECALL,
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
        InputError: as `recall.recall_batch`.
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
    model: Llama, documents: Sequence[Document], length: int, distance: int, task: Task, count: int, seed: int
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
    task: Task,
    count: int,
    seed: int,
) -> tuple[Bool[np.ndarray, " count"], Float[np.ndarray, " count"]]:
    """Of each instance at one distance: was the answer all right, and its bits; arguments as `retrieval`."""
    rows = min(count, rows_at_once(model, length, SCORES))
    exact, bits = [], []
    for step in range(math.ceil(count / rows)):
        questions = recall_batch(documents, length, rows, task=task, distance=distance, seed=seed, step=step)
        with attending(model, length):
            scores = score(model(questions.tokens), questions)
        exact.append(scores.exact.flatten().numpy())
        bits.append(scores.bits.flatten().numpy())
    return np.concatenate(exact)[:count], np.concatenate(bits)[:count]
