"""Retrieval by distance out of runs' records, with exact intervals for each run and Student's t over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from analysis.lm.bootstrap import Interval, over_seeds, proportion
from analysis.lm.experiments import VARIANTS
from analysis.lm.gather import Chosen
from analysis.lm.labels import label

KEY = "retrieval"  # of a record; one that is older than the scores has none
COPIED = ("chance", "chance_of_any")
NAT = 1 / math.log(2)


def retrieval(one: Chosen) -> Iterator[dict[str, Any]]:
    """A row for each task, window length and distance, over the seeds whose records have scores.

    Yields:
        "share" of exact answers, mean over seeds, and its t interval, cut to [0, 1]; "bits" of an answer, likewise,
        >= 0; chance, and "chance_bits"; "each", the share of every seed with its exact interval over instances, and
        as "share_instances" the ends of these intervals that lie farthest out. Models of all seeds are asked the
        same instances, so answers of two seeds are not independent trials: they are not pooled.
    """
    by_seed = {seed: {_cell(row): row for row in content.get(KEY, ())} for seed, content in one.seeds.items()}
    asked = sorted({cell for rows in by_seed.values() for cell in rows})
    for task, length, distance in asked:
        rows = {
            s: found[task, length, distance]
            for s, found in by_seed.items()
            if (task, length, distance) in found
        }
        share = over_seeds(np.array([row["exact"] / row["trials"] for row in rows.values()]))
        bits = over_seeds(np.array([row["nats"] for row in rows.values()])).times(NAT)
        first = next(iter(rows.values()))
        each = [_exactly(seed, row) for seed, row in sorted(rows.items())]
        yield {
            "label": label(one.variant),
            "variant": one.variant,
            "learned": VARIANTS[one.variant].task is not None,
            "task": task,
            "length": length,
            "distance": distance,
            "seeds": sorted(rows),
            "trials": first["trials"],
            **_ends("share", Interval(share.value, max(share.low, 0.0), min(share.high, 1.0))),
            "share_instances_low": min(one["low"] for one in each),
            "share_instances_high": max(one["high"] for one in each),
            **_ends("bits", Interval(bits.value, max(bits.low, 0.0), bits.high)),
            **{name: first[name] for name in COPIED},
            "chance_bits": first["chance_nats"] * NAT,
            "each": each,
        }


def not_read(chosen: Iterable[Chosen]) -> list[str]:
    """Runs that were to be asked and whose records are older than the questions."""
    return [
        content["run"]
        for one in chosen
        if VARIANTS[one.variant].task or VARIANTS[one.variant].stage == 0
        for _, content in sorted(one.seeds.items())
        if KEY not in content
    ]


def _cell(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["task"], row["length"], row["distance"]


def _ends(name: str, interval: Interval) -> dict[str, float | None]:
    ends = (interval.value, interval.low, interval.high)
    plain = (end if math.isfinite(end) else None for end in ends)
    return dict(zip((name, f"{name}_low", f"{name}_high"), plain, strict=True))


def _exactly(seed: int, row: dict[str, Any]) -> dict[str, Any]:
    found = proportion(row["exact"], row["trials"])
    ends = {"share": found.value, "low": found.low, "high": found.high}
    return {"seed": seed, "exact": row["exact"], "trials": row["trials"], **ends, "bits": row["nats"] * NAT}
