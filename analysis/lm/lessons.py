"""Training windows that teach retrieval by repetition: facts told again and again, each later telling a question.

Windows of `recall.Mixture`, in which every fact is told once and asked for at the end, teach a small model nothing
within a thousand steps (LOG.md). Told several times at random places, a fact is soon looked up, at any distance.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from analysis.errors import InputError
from analysis.lm.recall import Task, asking_rows, check_bytes, check_share, facts_of, without_brackets
from analysis.lm.windows import Batches, rows_of

_TELL = 3  # keeps the random numbers of lessons apart from those of windows, instances and mixtures
_FEWEST = 2  # a fact that is told once asks nothing


class Lessons:
    """Training batches in which a share of the rows, drawn one by one, tell a task's facts repeatedly.

    Tellings lie on a grid of a fact's own size whose offset is drawn, cells drawn uniformly; their number is drawn
    from 2 to `tellings`, and each tells one of the row's facts, drawn with replacement.
    """

    def __init__(self, batches: Batches, task: Task, share: float, tellings: int) -> None:
        """Mix lessons of `task` into `batches`.

        Args:
            batches: of text as bytes; their seed is the lessons'.
            task: what is told; its `queries` play no part.
            share: of the rows, 0 to 1.
            tellings: most in a row, >= 2.

        Raises:
            InputError: a number is out of its range, documents are not bytes, or the tellings do not fit.
        """
        check_share(share)
        check_bytes(batches.documents)
        cells = _cells(batches.length, task)
        if not _FEWEST <= tellings <= cells:
            raise InputError(
                f"tellings={tellings} is not in {_FEWEST}..{cells}, what fits into {batches.length} bytes"
            )
        self.batches, self.task, self.share, self.tellings = batches, task, share, tellings

    def asked_at(
        self, step: int, rank: int = 0, ranks: int = 1
    ) -> tuple[Int64[Tensor, "rows length"], Bool[Tensor, "rows length"]]:
        """Batch number `step`, and True on the bytes of values that were told before in their row.

        Arguments as `Batches.at`, and like there it depends on nothing else.
        """
        tokens, telling, rng = asking_rows(self.batches, self.share, step, _TELL)
        mask = np.zeros(tokens.shape, bool)
        tokens[telling], mask[telling] = self._told(tokens[telling], rng)
        mine = rows_of(rank, ranks)
        return torch.from_numpy(tokens[mine].copy()), torch.from_numpy(mask[mine].copy())

    def at(self, step: int, rank: int = 0, ranks: int = 1) -> Int64[Tensor, "rows length"]:
        """The tokens of `asked_at`: lessons stand wherever `Batches` does."""
        return self.asked_at(step, rank, ranks)[0]

    def _told(
        self, tokens: Int64[np.ndarray, "rows length"], rng: np.random.Generator
    ) -> tuple[Int64[np.ndarray, "rows length"], Bool[np.ndarray, "rows length"]]:
        task, (rows, length) = self.task, tokens.shape
        cells = _cells(length, task)
        starts = rng.integers(task.size, size=(rows, 1)) + task.size * np.arange(cells)
        count = rng.integers(_FEWEST, self.tellings + 1, size=(rows, 1))
        kept = rng.random((rows, cells)).argsort(axis=1) < count
        which = rng.integers(task.pairs, size=(rows, cells))
        mine = kept[:, :, None] & (which[:, :, None] == np.arange(task.pairs))
        again = (mine & (mine.cumsum(axis=1) > 1)).any(axis=2)
        facts = facts_of(rows, task, rng)
        tokens, mask = without_brackets(tokens), np.zeros(tokens.shape, bool)
        row, cell = np.nonzero(kept)
        tokens[row[:, None], starts[row, cell][:, None] + np.arange(task.size)] = facts[row, which[row, cell]]
        row, cell = np.nonzero(again)
        mask[row[:, None], starts[row, cell][:, None] + task.before + np.arange(len(task.value))] = True
        return tokens, mask


def _cells(length: int, task: Task) -> int:
    """Tellings that always fit, wherever the grid lies: no room is kept for questions at the end."""
    return task.cells(length + task.queries * task.size)
