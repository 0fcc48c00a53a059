"""What a record of the long-range experiment says at a length, with its interval over documents; and which seeds count.

Documents that share text are not independent: the reference of a corpus says which do, and an interval over documents
draws such a group as one. Two seeds have no interval worth the name (`settings.FEWEST`): each is then a row of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from analysis.errors import InputError
from analysis.experiments.long_plan import Ladder, LongRun
from analysis.experiments.results import NAT, scored_bytes
from analysis.experiments.run_record import Content
from analysis.intervals import Interval, over_documents, over_seeds
from analysis.settings import FEWEST

Row = dict[str, Any]
T = TypeVar("T")
Cell = tuple[str, int]
"""An extension of RoPE at inference, and a length in tokens."""


def with_groups(contents: Mapping[LongRun, Content]) -> dict[LongRun, Content]:
    """The same with "groups": of each document the number of those that it shares text with, as the reference has it.

    None of a corpus whose reference does not say, or is not there: then each document is one by itself.

    Raises:
        InputError: a run was scored on other tokens than the reference.
    """
    references = {run.corpus: content for run, content in contents.items() if run.kind == "reference"}
    return {
        run: content | {"groups": _groups(content, references.get(run.corpus))}
        for run, content in contents.items()
    }


def _groups(content: Content, reference: Content | None) -> list[int] | None:
    if reference is None or reference["diverged"] is not None or content["diverged"] is not None:
        return None
    groups = reference["long_range"]["gate"].get("groups")
    if (
        groups is not None
        and content["long_range"]["spans_sha256"] != reference["long_range"]["spans_sha256"]
    ):
        raise InputError(
            f"{content['run']} was scored on other tokens than {reference['run']}; train it again"
        )
    return groups


def item_at(content: Content, extension: str, length: int) -> Mapping[str, Any]:
    """What was read under an extension at a length."""
    wanted = (extension, length)
    return next(item for item in content["evaluations"] if (item["extension"], item["length"]) == wanted)


def bits_at(content: Content, length: int, extension: str = "none") -> float | None:
    """Bits a byte of a run at a length; None where it was not read."""
    for item in content["evaluations"]:
        if (item["length"], item["extension"]) == (length, extension):
            return item["bits_per_byte"]
    return None


def key_bits(content: Content, length: int, extension: str) -> float:
    """Bits a key token; NaN where there is none."""
    count = content["long_range"]["key_count"]
    return item_at(content, extension, length)["key_nats"] * NAT / count if count else math.nan


def cells_of(contents: Iterable[Content]) -> list[Cell]:
    """Extensions and lengths at which all of these were read."""
    sets = [{(i["extension"], i["length"]) for i in c["evaluations"]} for c in contents]
    return sorted(set.intersection(*sets)) if sets else []


def apart(one: Content, cell: Cell, other: Content, other_cell: Cell) -> Interval:
    """Bits a byte of one reading less another of the same text, with the interval over documents."""
    far, near = (np.array(item_at(c, *at)["nats"]) for c, at in ((one, cell), (other, other_cell)))
    return over_bytes((far - near) * NAT, one)


def over_bytes(sums: np.ndarray, content: Content) -> Interval:
    """Sums of each document over its bytes, with the interval over documents."""
    return over_documents(sums, scored_bytes(content), seed=0, groups=content.get("groups"))


def best_runs(
    ended: Mapping[LongRun, Content], variant: str, corpus: str, plan: Ladder
) -> dict[int, Content]:
    """Of a method by seed: its run from scratch at the whole horizon with the least validation loss at L."""
    wanted = (variant, corpus, "scratch", plan.size_of(corpus))
    mine = {r: c for r, c in ended.items() if (r.variant, r.corpus, r.kind, r.size) == wanted}
    horizon = max((run.share for run in mine), default=0)
    found: dict[int, Content] = {}
    for run, content in mine.items():
        known = found.get(run.seed)
        better = known is None or content["validation_loss"] < known["validation_loss"]
        if run.share == horizon and better:
            found[run.seed] = content
    return dict(sorted(found.items()))


# Several seeds.


def seed_sets(by_seed: Mapping[int, T]) -> list[dict[int, T]]:
    """The sets of seeds that have a row: each by itself, then all together where they are enough for an interval.

    >>> seed_sets({0: "a", 1: "b"})
    [{0: 'a'}, {1: 'b'}]
    >>> seed_sets({0: "a", 1: "b", 2: "c"})[-1]
    {0: 'a', 1: 'b', 2: 'c'}
    """
    each = [{seed: one} for seed, one in by_seed.items()]
    return [*each, dict(by_seed)] if len(by_seed) >= FEWEST else each


def pooled(found: Sequence[Interval]) -> tuple[Interval, str]:
    """What a set of seeds says, each with its interval over documents, and what the interval is over.

    Of one seed its own interval, of more their mean with Student's t, of two without an interval.
    """
    if len(found) == 1:
        return found[0], "documents"
    values = over_seeds(np.array([one.value for one in found]))
    return values if len(found) >= FEWEST else Interval(values.value, math.nan, math.nan), "seeds"


def ends_named(name: str, found: Interval | None) -> Row:
    """A number and the ends of its interval under a name; None for each where there is none."""
    return dict(
        zip((name, f"{name}_low", f"{name}_high"), found.ends() if found else [None] * 3, strict=True)
    )


def mean_number(values: Iterable[float]) -> float:
    """The mean of numbers."""
    return float(np.mean(list(values)))
