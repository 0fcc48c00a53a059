"""From a recipe to a trained model and its records: what `tapa train` and sweeps run.

A run's folder holds its newest checkpoints, `run.nc` (the curves) and `run.json` (a few numbers). A run that
diverges leaves its `run.json` too: that it did is a result.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from analysis.lm.model import Llama
from analysis.lm.optimise import Diverged
from analysis.lm.own_corpus import in_own_tokens
from analysis.lm.recipe import Recipe, load
from analysis.lm.state import read_checkpoint
from analysis.lm.text import Corpus, corpus
from analysis.lm.train import VALIDATION_SEED, Log, Progress, train
from analysis.records import Provenance, Schema, write, write_summary

RUN = Schema("training-run", 1, made_by="tapa train RECIPE")
SUMMARY = Schema("training-run-summary", 1, made_by="tapa train RECIPE")
RECORD, SHORT = "run.nc", "run.json"


def run(
    name: str, settings: Sequence[str], out: Path | None, *, arguments: Sequence[str], progress: Progress
) -> dict[str, Any] | None:
    """Train by a recipe's name and settings, and write the records.

    Args:
        name, settings: as `recipe.load`.
        out: folder of the run; None for runs/RECIPE-METHOD-SEED.
        arguments: the command line, for the records.
        progress: called with (what, done, total, note).

    Returns:
        The summary and where the run lies; None in processes of a group that do not lead.

    Raises:
        InputError: as `recipe.load`, `text.corpus` and `train.train`.
    """
    recipe = load(name, settings)
    if out is None:
        out = Path("runs") / f"{Path(name).stem}-{recipe.model.method.name}-{recipe.seed}"
    found = _corpus(recipe, lambda what, done, total: progress(what, done, total, ""))
    return run_recipe(recipe, out, found, arguments=arguments, progress=progress)


def _corpus(recipe: Recipe, progress: Callable[[str, int, int], None]) -> Corpus:
    """In byte pairs of its own, or of the model that the run goes on from: its weights know no others."""
    if recipe.parent is None:
        return corpus(recipe.corpus, seed=recipe.corpus_seed, vocabulary=recipe.vocabulary, progress=progress)
    parent = read_checkpoint(Path(recipe.parent))
    return in_own_tokens(parent, corpus(recipe.corpus, seed=recipe.corpus_seed, progress=progress))


def run_recipe(
    recipe: Recipe, out: Path, data: Corpus, *, arguments: Sequence[str], progress: Progress
) -> dict[str, Any] | None:
    """Train and write the records; see `run`."""
    leads = os.environ.get("RANK", "0") == "0"
    try:
        last, log = train(recipe, out, data, progress=progress)
    except Diverged as error:
        if leads:
            summary = summarise(recipe, Log()) | {"diverged_after": error.step, "diverged_in": error.what}
            write_summary(
                summary, out / SHORT, provenance(recipe, data, Log(), arguments, None), schema=SUMMARY
            )
        raise
    if not leads:
        return None
    sha256 = hashlib.sha256((last / "model.safetensors").read_bytes()).hexdigest()
    origin = provenance(recipe, data, log, arguments, sha256)
    summary = summarise(recipe, log)
    write(dataset(recipe, log).assign_attrs(_attributes(summary)), out / RECORD, origin, schema=RUN)
    write_summary(summary, out / SHORT, origin, schema=SUMMARY)
    return summary | {"checkpoint": str(last)}


def dataset(recipe: Recipe, log: Log) -> xr.Dataset:
    """The curves of a run: loss, gradient norm, learning rate, seconds (step); validation_loss."""
    nats = {"units": "nat/token"}
    steps = np.arange(1, len(log.loss) + 1)
    return xr.Dataset(
        {
            "loss": ("step", log.loss, nats | {"long_name": "mean loss of the step's batch"}),
            "gradient_norm": ("step", log.norm, {"long_name": "norm of the gradient before clipping"}),
            "lr": ("step", log.lr, {"long_name": "learning rate"}),
            "seconds": ("step", log.seconds, {"units": "s", "long_name": "time of the step"}),
            "validation_loss": (
                "validation_step",
                log.validation_loss,
                nats | {"long_name": f"mean loss of {recipe.validation_batches} fixed validation batches"},
            ),
        },
        {"step": steps, "validation_step": np.array(log.validation_step, dtype=np.int64)},
    )


def summarise(recipe: Recipe, log: Log) -> dict[str, Any]:
    """A run in a few numbers; None where it has none."""
    loss = log.validation_loss[-1] if log.validation_loss else None
    tokens = recipe.batch * recipe.length
    return {
        "method": recipe.model.method.name,
        "seed": recipe.seed,
        "lr": recipe.lr,
        "steps": len(log.loss),
        "tokens": tokens * len(log.loss),
        "parameters": parameters(recipe),
        "validation_loss": loss,
        "validation_bits_per_token": loss / math.log(2) if loss is not None else None,
        "tokens_per_second": log.tokens_per_second(tokens, last=len(log.seconds)) if log.seconds else None,
    }


def parameters(recipe: Recipe) -> int:
    """Number of weights of the recipe's model."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Llama(recipe.model).parameters())


def provenance(
    recipe: Recipe, data: Corpus, log: Log, arguments: Sequence[str], model_sha256: str | None
) -> Provenance:
    """Where a run's records come from."""
    device = torch.cuda.get_device_name() if recipe.device == "cuda" else "cpu"
    seeds = {
        "weights and batches": recipe.seed,
        "split of the corpus": recipe.corpus_seed,
        "validation windows": VALIDATION_SEED,
    }
    narrow = "bfloat16 products, float32 weights, scores and sums"
    return Provenance.collect(
        arguments,
        recipe.to_dict() | {"processes": int(os.environ.get("WORLD_SIZE", "1"))},
        seeds=seeds,
        device=device,
        precision=narrow if recipe.precision == "bfloat16" else "float32",
        threads=recipe.threads,
        seconds=sum(log.seconds),
        model_sha256=model_sha256,
        text_sha256=data.sha256,
    )


def as_text(result: dict[str, Any]) -> str:
    """The result of `run` for a reader."""
    loss, bits = result["validation_loss"], result["validation_bits_per_token"]
    return (
        f"{result['method']}, seed {result['seed']}: validation {loss:.4f} nats, {bits:.4f} bits per token "
        f"after {result['steps']} steps ({result['tokens_per_second']:,.0f} tokens/s); {result['checkpoint']}"
    )


def _attributes(summary: dict[str, Any]) -> dict[str, Any]:
    """What netCDF can hold, and what the curves do not say."""
    return {name: summary[name] for name in ("method", "parameters", "tokens_per_second")}
