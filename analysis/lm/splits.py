"""Train, validation and test by whole documents, decided by their content alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int

from analysis.errors import InputError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SHARE = 0.05
"""Part of all bytes that test, and likewise validation, shall hold at least."""
LONG = 16_384
"""Bytes from which a document counts as long."""
HELD_OUT: dict[Split, int] = {"test": 8, "validation": 4}
"""Groups with a long document that a split shall hold, if there are five (validation: ten) times as many."""


def split(
    sizes: Int[np.ndarray, " documents"], group: Int[np.ndarray, " documents"], keys: Sequence[str]
) -> list[Split]:
    """Split of each document: about 5 % of the bytes for test and for validation, the rest for training.

    Documents of one group go together. Groups stand in the order of their smallest key; test takes from the
    front, validation from what is left, until each holds its share of the bytes and enough long documents
    for error bars over documents (both are minima: of a few long texts more than 5 % are held out), but never
    more than a third of the groups. A group goes past them to training when it alone is larger than the share
    and than two median groups.

    Args:
        sizes: of the documents in bytes, > 0.
        group: of each document.
        keys: one each, all different: a hash of seed and content.

    Raises:
        InputError: there are fewer than three groups.
    """
    labels, member = np.unique(group, return_inverse=True)
    if len(labels) < 3:
        raise InputError(
            f"{len(sizes)} documents make {len(labels)} groups that share no text; train, validation and test "
            f"take at least 3: give more documents, or cut a long one into files"
        )
    total = np.bincount(member, weights=sizes)
    long = np.bincount(member, weights=sizes >= LONG) > 0
    first = {}
    for key, label in sorted(zip(keys, member.tolist(), strict=True)):
        first.setdefault(label, key)
    waiting = [label for label in first if total[label] <= max(SHARE * total.sum(), 2 * np.median(total))]
    assigned: dict[int, Split] = {}
    for name, most in HELD_OUT.items():
        longs = min(most, int(long.sum()) * most // 40)
        taken = _take(waiting, total, long, share=SHARE * total.sum(), longs=longs, most=len(labels) // 3)
        assigned |= dict.fromkeys(taken, name)
        waiting = [label for label in waiting if label not in assigned]
    return [assigned.get(label, "train") for label in member.tolist()]


def _take(
    waiting: list[int], total: np.ndarray, long: np.ndarray, *, share: float, longs: int, most: int
) -> list[int]:
    """From the front, `most` groups at most, until `share` bytes and `longs` long groups are held."""
    taken: list[int] = []
    for label in waiting:
        full, enough = total[taken].sum() >= share, long[taken].sum() >= longs
        if len(taken) == most or (taken and full and enough):
            break
        if long[label] or not full:
            taken.append(label)
    return taken
