"""The record of figure 1's protocol on trained heads, by committed checkpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from pytask import Product

from analysis.models.checkpoint import load_model
from analysis.progress import progress_bar
from analysis.studies import near_far
from analysis.text.corpus import corpus
from analysis.workers import Workers
from figures.places import CHECKPOINTS, checkpoints, record, sources
from figures.schemas import write_computed

SETTINGS: dict[str, Any] = {"count": 32, "pairs": 10_000, "seed": 0}
NEEDED = ("rope", "tapa")
ALSO = ("rope_large", "tapa_plain", "alibi", "nope")  # where they are there


def task_trained_gaps(
    library: dict[str, Path] = sources(),
    files: dict[str, Path] = {name: CHECKPOINTS / f"{name}.safetensors" for name in NEEDED}
    | checkpoints(*ALSO),
    path: Annotated[Path, Product] = record("trained_gaps"),
) -> None:
    """Test documents of the corpus: no model was trained on them or chosen by them."""
    begun = time.perf_counter()
    models = {name: load_model(file) for name, file in files.items()}
    with progress_bar() as show:
        documents = [(d.name, d.tokens.tolist()) for d in corpus("texts", progress=show).test]
        dataset = near_far.trained_gaps(models, documents, **SETTINGS, workers=Workers(), progress=show)
    configuration = SETTINGS | {"checkpoints": list(files), "reaches": near_far.REACHES}
    write_computed(
        "trained_gaps", dataset, path,
        figure="near_far_trained", configuration=configuration, seed=SETTINGS["seed"], begun=begun,
    )  # fmt: skip
