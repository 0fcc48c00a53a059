"""Records of the experiments' runs, put in order: at which learning rate each variant is read, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.lm import run_record
from analysis.lm.experiments import SEEDS, VARIANTS, rate_name
from analysis.lm.tables import nearest

Content = Mapping[str, Any]  # of a run's record
NO_RUN = f"no run of seed {SEEDS[0]} yet"
NAMES = "*-s*-lr*.json"  # of records of runs; other records may lie beside them
SHARED = ("documents", "document_tokens")  # alike in all records, so that losses can be paired


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variant's runs.

    Attributes:
        variant: its name.
        rate: the learning rate at which its results are read: of the least validation loss among the first
            seed's; None if it diverged at every rate.
        tried: the first seed's records, by rate in ascending order.
        seeds: records at the chosen rate that did not diverge, by seed.
        diverged: seeds that diverged at the chosen rate.
        unused: names of runs that are none of these, from a rate or a parent that is no longer the chosen one.
    """

    variant: str
    rate: float | None
    tried: tuple[Content, ...]
    seeds: Mapping[int, Content] = field(default_factory=dict)
    diverged: tuple[int, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def at_edge(self) -> bool:
        """Is the chosen rate the smallest or the largest that was tried?"""
        return self.rate in (self.tried[0]["lr"], self.tried[-1]["lr"])

    @property
    def first(self) -> Content:
        """Any record that was read, for what all have in common."""
        return next(iter(self.seeds.values()))


def read_folder(folder: Path) -> dict[str, Chosen]:
    """Every variant of which a folder holds runs; as `choose`.

    Raises:
        InputError: a record is damaged, or there is none.
    """
    paths = sorted(folder.glob(NAMES))
    if not paths:
        raise InputError(f"{folder} holds no record of a run; make some with `tapa sweep`")
    return choose(run_record.read(path) for path in paths)


def choose(contents: Iterable[Content]) -> dict[str, Chosen]:
    """Records by variant, in the order of `experiments.VARIANTS`.

    A run that goes on from another counts only where that one is the run that is read.

    Args:
        contents: of records, as `run_record.read` gives them.

    Raises:
        InputError: a variant that is unknown, or two records that were not read on the same documents.
    """
    by_variant: dict[str, list[Content]] = {}
    for content in contents:
        name = content["variant"]
        if name not in VARIANTS:
            raise InputError(f"{content['run']}: variant {name!r} is unknown; {nearest(name, VARIANTS)}")
        by_variant.setdefault(name, []).append(content)
    chosen: dict[str, Chosen] = {}
    for name in VARIANTS:  # parents stand before what goes on from them
        if name in by_variant and (found := _of_variant(name, by_variant[name], chosen)) is not None:
            chosen[name] = found
    _check_alike(chosen)
    return chosen


def _of_variant(name: str, contents: list[Content], known: Mapping[str, Chosen]) -> Chosen | None:
    """One variant; None if the first seed's runs are missing."""
    valid = [content for content in contents if _parent_is_read(content, known)]
    tried = sorted((c for c in valid if c["seed"] == SEEDS[0]), key=lambda c: c["lr"])
    if not tried:
        return None
    losses = {c["lr"]: c["validation_loss"] for c in tried if c["diverged"] is None}
    rate = min(losses, key=lambda lr: losses[lr]) if losses else None
    mine = sorted((c for c in valid if c["lr"] == rate), key=lambda c: c["seed"])
    used = {c["run"] for c in [*tried, *mine]}
    return Chosen(
        name,
        rate,
        tuple(tried),
        {c["seed"]: c for c in mine if c["diverged"] is None},
        tuple(c["seed"] for c in mine if c["diverged"] is not None),
        tuple(sorted(c["run"] for c in contents if c["run"] not in used)),
    )


def _parent_is_read(content: Content, known: Mapping[str, Chosen]) -> bool:
    parent = VARIANTS[content["variant"]].parent
    if parent is None:
        return True
    rate = known[parent].rate if parent in known else None
    return rate is not None and content["parent"] == f"{parent}-s{content['seed']}-lr{rate_name(rate)}"


def _check_alike(chosen: Mapping[str, Chosen]) -> None:
    records = [content for one in chosen.values() for content in one.seeds.values()]
    for content in records:
        for name in SHARED:
            if content[name] != records[0][name]:
                raise InputError(
                    f"{content['run']} and {records[0]['run']} were read on different {name.replace('_', ' ')}, "
                    f"so they cannot be compared; make one again with `tapa sweep`"
                )
        if content["configuration"]["lengths"][0] != records[0]["configuration"]["lengths"][0]:
            raise InputError(
                f"{content['run']} and {records[0]['run']} are from experiments of different trained lengths; "
                f"keep them in different folders"
            )


def missing(chosen: Mapping[str, Chosen]) -> list[str]:
    """What a reader of the results must know is not there, a line each."""
    found = []
    for name in VARIANTS:
        if name not in chosen:
            found.append(f"{name}: {NO_RUN}")
            continue
        found += [f"{name}: {line}" for line in _lacks(chosen[name])]
    return found


def _lacks(one: Chosen) -> list[str]:
    if one.rate is None:
        return ["diverged at every learning rate that was tried"]
    lines = []
    if one.at_edge:
        lines.append(f"its best learning rate so far, {rate_name(one.rate)}, is at the edge of those tried")
    if left := [seed for seed in SEEDS if seed not in (*one.seeds, *one.diverged)]:
        lines.append(f"seeds {', '.join(map(str, left))} not run yet at its learning rate")
    if one.diverged:
        lines.append(f"seeds {', '.join(map(str, one.diverged))} diverged at its learning rate")
    return lines
