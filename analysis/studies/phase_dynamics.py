"""What TAPA's heads do with their phase from initialisation on: one training run, measured at several steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from analysis import schemas
from analysis.errors import InputError
from analysis.heads.phase import octave_means
from analysis.models import checkpoint
from analysis.models.checkpoint import Milestones
from analysis.models.llama import Llama
from analysis.progress import NotedProgress
from analysis.records import Provenance
from analysis.studies.phase import documents_of, measure_checkpoint, tapa_checkpoint
from analysis.studies.settings import STEPS as STEPS
from analysis.studies.settings import PhaseSettings
from analysis.studies.settings import Watched as Watched
from analysis.text.corpus import corpus
from analysis.text.windows import NamedTokens
from analysis.training.recipe import Recipe
from analysis.training.train import Log, train

DYNAMICS = schemas.PHASE_DYNAMICS
SETTINGS = PhaseSettings(windows=6, length=512, loss_windows=18)
CURVES = ("amplitude", "cosine", "score", "product", "covariance", "gaussian", "turns_sd", "past_quarter")
"""Of these the mean over the pairs of each octave of distance is kept."""


def watch(
    recipe: Recipe,
    steps: Sequence[int],
    folder: Path,
    settings: PhaseSettings = SETTINGS,
    *,
    arguments: Sequence[str],
    progress: NotedProgress,
) -> tuple[xr.Dataset, Provenance]:
    """Train a TAPA model from scratch, or go on with it, and measure its heads at the steps.

    Args:
        recipe, steps: as `Watched` gives them: a checkpoint is saved at every step but 0.
        folder: of the run alone; killed and started again, it goes on from there.
        settings: as of `studies.phase.measure_phase`; the texts are the validation documents.
        arguments: the command line, for the record.
        progress: called with (what, done, total, note).

    Returns:
        The dataset of `joined`, with the run's validation_loss (validation_step); its provenance.

    Raises:
        InputError: as `train.train`.
    """
    begun = time.perf_counter()
    copies, log = trained(recipe, folder, steps, progress)
    found: list[tuple[xr.Dataset, Provenance]] = []
    documents: list[NamedTokens] = []

    def looking(what: str, done: int, total: int) -> None:
        progress(what, done, total, "")

    for i, path in enumerate(copies):
        checkpoint = tapa_checkpoint(path)
        documents = documents or documents_of(checkpoint, (), looking)
        found.append(
            measure_checkpoint(
                checkpoint, documents, settings, arguments=arguments,
                progress=lambda what, done, total, i=i: progress("measure", i, len(copies), what),
            )
        )  # fmt: skip
    data = joined([data for data, _ in found])
    last = found[-1][1]
    provenance = Provenance.collect(
        arguments,
        {"recipe": recipe.to_dict(), "steps": list(steps), "measured": asdict(settings)},
        seeds={"weights and batches": recipe.seed} | dict(last.seeds),
        device="cpu",
        precision=f"training: {recipe.precision} products; {last.precision}; kept as float32",
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - begun,
        model_sha256=last.model_sha256,
        text_sha256=last.text_sha256,
    )
    loss = np.array(log.validation_loss)  # as trained: in float64
    at = {"validation_step": np.array(log.validation_step, dtype=np.int64)}
    return data.assign(validation_loss=("validation_step", loss)).assign_coords(at), provenance


def trained(
    recipe: Recipe, folder: Path, steps: Sequence[int], progress: NotedProgress
) -> tuple[list[Path], Log]:
    """A run's weights after each of the steps, in their order, and what was seen on the way."""
    data = corpus(
        recipe.corpus,
        seed=recipe.corpus_seed,
        progress=lambda what, done, total: progress(what, done, total, ""),
    )
    keep = Milestones(folder, set(steps) - {0})
    keep.collect()

    def show(what: str, done: int, total: int, note: str) -> None:
        keep(what, done, total, note)
        progress(what, done, total, note)

    _, log = train(recipe, folder, data, progress=show)
    files = keep.files() | ({0: _untrained(recipe, folder, data.sha256)} if 0 in steps else {})
    return [files[step] for step in sorted(steps)], log


def _untrained(recipe: Recipe, folder: Path, corpus_sha256: str) -> Path:
    """A run's weights before its first step."""
    out = folder / "untrained"
    if (
        made := checkpoint.latest(out)
    ) is not None:  # by this very run, or the trainer would have refused its folder
        return made
    start = Llama(recipe.model, seed=recipe.seed)
    return checkpoint.save(
        out, 0, start.state_dict(), {},
        config=recipe.model, recipe=recipe.to_dict(), corpus_sha256=corpus_sha256,
    )  # fmt: skip


def joined(records: Sequence[xr.Dataset]) -> xr.Dataset:
    """Records of one run at several steps as one of float32 along training_step.

    Of what depends on distance NAME_by_octave (octave) is kept, for each NAME of `CURVES`: means over all pairs.

    Raises:
        InputError: no record, two of one step, or records of different methods or shapes.
    """
    if not records:
        raise InputError("no record was given; make some with `tapa phase CHECKPOINT`")
    steps = [int(record.attrs["training_step"]) for record in records]
    kinds = {(r.attrs["method"], *(r.sizes[name] for name in ("layer", "head", "distance"))) for r in records}
    if len(set(steps)) < len(steps) or len(kinds) > 1:
        raise InputError(f"records of steps {steps} and of {sorted(kinds)} are not one run at several steps")
    order = np.argsort(steps)
    whole = xr.concat([_thinned(records[i]) for i in order], "training_step", combine_attrs="drop_conflicts")
    return whole.assign_coords(training_step=[steps[i] for i in order])


def _thinned(record: xr.Dataset) -> xr.Dataset:
    length = record.sizes["distance"]
    kept = record.drop_dims("distance")
    for name in CURVES:
        at_zero = record[name].fillna(0.0)  # what has no value at distance 0 is not asked there
        kept[f"{name}_by_octave"] = xr.apply_ufunc(
            octave_means, at_zero, kwargs={"length": length},
            input_core_dims=[["distance"]], output_core_dims=[["octave"]], vectorize=True,
        )  # fmt: skip
    return kept.map(lambda x: x.astype(np.float32) if x.dtype == np.float64 else x)
