"""What a run's record says of retrieval: which questions are asked at which distances, and how they are answered.

Within the trained length distances double; beyond it there is one for each length that is read, three quarters of it
back, so that no window is longer than it must be. One distance within the trained length is asked again in a
longer window: a model may lose a fact because it is far, or because the window is long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from analysis.lm.model import Llama
from analysis.lm.recall import TASKS, Task
from analysis.lm.recipe import Recipe
from analysis.lm.retrieval import answers
from analysis.lm.windows import Document

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
        InputError: as `recall.recall_batch`.
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


def questions(task: Task, lengths: Sequence[int]) -> list[tuple[int, int]]:
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
