"""The records of untrained heads on real text: their scores by distance, and figure 1's protocol."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from pytask import Product

from analysis import assets
from analysis.studies import near_far, random_heads
from figures.places import record, sources
from figures.schemas import write_computed

TEXT: dict[str, Any] = {"windows": 4, "length": 512, "seed": 0}
HEADS: dict[str, Any] = {"draws": 48, "seed": 1}
GAPS: dict[str, Any] = {"heads": 10, "pairs": 10_000, "resamples": 400, "seed": 2}
LIBRARY = sources()


def task_random_heads(
    library: dict[str, Path] = LIBRARY,
    path: Annotated[Path, Product] = record("random_heads"),
) -> None:
    """Many heads for each initialisation, all pairs of tokens."""
    begun = time.perf_counter()
    hidden = random_heads.read_text(assets.fetch_texts(), random_heads.SHAPE, **TEXT)
    dataset = random_heads.untrained_heads(hidden, random_heads.SHAPE, **HEADS)
    write_computed(
        "random_heads", dataset, path,
        figure="random_heads", configuration={"text": TEXT, "heads": HEADS}, seed=HEADS["seed"], begun=begun,
    )  # fmt: skip


def task_near_far(
    library: dict[str, Path] = LIBRARY,
    path: Annotated[Path, Product] = record("near_far"),
) -> None:
    """Fewer heads, 10,000 pairs each, as in the paper."""
    begun = time.perf_counter()
    hidden = random_heads.read_text(assets.fetch_texts(), random_heads.SHAPE, **TEXT)
    dataset = near_far.untrained_gaps(hidden, random_heads.SHAPE, **GAPS)
    write_computed(
        "near_far", dataset, path,
        figure="near_far_untrained", configuration={"text": TEXT, "gaps": GAPS}, seed=GAPS["seed"], begun=begun,
    )  # fmt: skip
