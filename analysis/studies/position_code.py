"""Do a model's hidden states say at which place of its window a token stands, and do they still beyond L?

A causal model without any term of position can count: a token at place p attends to p + 1 keys, and what it averages
over them tells how many there are. Whether one does is asked of the states alone, by a linear reader of log(p + 1)
that is fitted within the trained length L and then read beyond it.

Windows     of test documents, `REACH` L tokens long, none longer than its document; readers are fitted on validation
            documents, in windows of L.
Reader      ridge regression of log(p + 1) on the states after a block, standardised; penalty `RIDGE` times the number
            of states. Places below `FIRST` are left out, within L and beyond.
Block       the one whose reader explains most of the validation windows that it was not fitted on, every `HELD`-th.
Explained   1 - mean squared error over the variance of log(p + 1), a window; intervals are Student's t over documents.
            It is below 0 where the mean would have been the better guess.
Beyond      what the reader says at ranges of places, as the place whose log is the mean of what it says.
Controls    the states before the first block, which know their token alone; a model of the same shape with fresh
            weights, which has not learned to count; and methods that have position in their scores.

Nothing is changed in the model: that a state says where its token stands does not show that the model uses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from analysis import schemas
from analysis.errors import InputError
from analysis.intervals import over_document_means
from analysis.models.checkpoint import ModelFile, load_model, own_corpus, read_checkpoint
from analysis.models.llama import Llama
from analysis.progress import Progress, silent
from analysis.records import Provenance, read_summary, relied_on, write_summary
from analysis.studies.model_rows import ModelTask, measured_rows, model_tasks
from analysis.studies.settings import PositionCodeSettings
from analysis.text.corpus import Corpus
from analysis.text.windows import spans
from analysis.training.recipe import Recipe, variant_of
from analysis.training.variants import label
from analysis.workers import HERE, Workers

RECORD = schemas.POSITION_CODE
DIGITS = 5
REACH = 8
"""Length of the windows that are read, over the trained one."""
RIDGE = 1e-3
FIRST = 16
"""Places before this one are left out: there is next to nothing to count."""
LEAST = 4 * FIRST
"""Trained length."""
HELD = 4
SHARES = ((0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0))
"""Ranges of places, over the trained length, at which the reader is asked."""

Numbers = dict[str, Any]
States = Float64[np.ndarray, "windows places width"]


@dataclass(frozen=True, slots=True, eq=False)
class PlaceReader:
    """A linear map from a state to the log of its place plus one.

    Attributes:
        mean, scale: of each of the state's numbers, where it was fitted.
        weights: of the standardised numbers.
        level: what it says of the mean state.

    >>> rng = np.random.default_rng(0)
    >>> places, noise = np.arange(16, 128), rng.standard_normal((5, 112, 3))
    >>> states = noise + np.log(places + 1)[None, :, None] * [10.0, 0.0, -20.0]
    >>> reader = fit_reader(states, places)
    >>> bool(explained(reader, states, places).min() > 0.9)
    True
    """

    mean: Float64[np.ndarray, " width"]
    scale: Float64[np.ndarray, " width"]
    weights: Float64[np.ndarray, " width"]
    level: float

    def read(self, states: States) -> Float64[np.ndarray, "windows places"]:
        """log(p + 1) as the states say it."""
        return ((states - self.mean) / self.scale) @ self.weights + self.level


def fit_reader(states: States, places: Int64[np.ndarray, " places"]) -> PlaceReader:
    """The reader of these states, by ridge regression.

    Raises:
        InputError: one place alone, of which there is nothing to read.
    """
    if len(set(places.tolist())) < 2:
        raise InputError(f"{len(places)} places; a reader needs two that differ")
    x = states.reshape(-1, states.shape[-1])
    y = np.tile(np.log(places + 1.0), len(states))
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = (x - mean) / scale
    inner = z.T @ z + RIDGE * len(z) * np.eye(z.shape[1])
    return PlaceReader(mean, scale, np.linalg.solve(inner, z.T @ (y - y.mean())), float(y.mean()))


def explained(
    reader: PlaceReader, states: States, places: Int64[np.ndarray, " places"]
) -> Float64[np.ndarray, " windows"]:
    """Share of the variance of log(p + 1) that the reader explains, of each window; at most 1, and below 0 at worst."""
    y = np.log(places + 1.0)
    return 1 - ((reader.read(states) - y) ** 2).mean(axis=1) / y.var()


def states_by_block(model: Llama, tokens: Int64[Tensor, "windows length"]) -> list[States]:
    """States before the first block and after each, of places from `FIRST` on."""
    found: list[list[np.ndarray]] = [[] for _ in range(len(model.blocks) + 1)]

    def keeping(of_part: list[np.ndarray]) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(_: nn.Module, __: Any, states: Tensor) -> None:
            of_part.append(states[0, FIRST:].double().numpy())

        return keep

    with ExitStack() as undo, torch.no_grad():
        for part, of_part in zip((model.embedding, *model.blocks), found, strict=True):
            undo.callback(part.register_forward_hook(keeping(of_part)).remove)
        for window in tokens:
            model(window[None])
    return [np.stack(windows) for windows in found]


def position_row(model: Llama, data: Corpus, settings: PositionCodeSettings) -> Numbers:
    """One model.

    Returns:
        explained: of the states before the first block and after each, as [value, low, high] over documents;
        untrained: the same of fresh weights; layer: the block that was chosen, 1 for the first; read: for each range
        of places its ends, the place whose log is the mean there, and the place that the reader says, with its
        interval over documents; files: how many documents.

    Raises:
        InputError: it was trained at fewer than `LEAST` tokens, or no document is long enough.
    """
    trained = model.config.context
    if trained < LEAST:
        raise InputError(
            f"the model was trained at {trained} tokens, too few places to fit; give one of {LEAST} or more"
        )
    longest = REACH * trained
    fitted = _windows(data, "validation", longest, settings.windows, settings.seed)[0][:, :trained]
    test, documents = _windows(data, "test", longest, settings.test_windows, settings.seed)
    places = np.arange(FIRST, longest)
    within = slice(0, trained - FIRST)

    def readers(one: Llama) -> tuple[list[PlaceReader], list[float]]:
        chosen_on = np.arange(len(fitted)) % HELD == 0
        found, held = [], []
        for states in states_by_block(one, fitted):
            reader = fit_reader(states[~chosen_on], places[within])
            found.append(reader)
            held.append(float(explained(reader, states[chosen_on], places[within]).mean()))
        return found, held

    def of_test(one: Llama, found: Sequence[PlaceReader], states: Sequence[States]) -> list[Any]:
        shares = (
            explained(reader, of[:, within], places[within]) for reader, of in zip(found, states, strict=True)
        )
        return [over_document_means(share, documents).ends() for share in shares]

    own, held = readers(model)
    states = states_by_block(model, test)
    fresh = Llama(model.config, seed=settings.seed).eval()
    fresh_readers, _ = readers(fresh)
    layer = int(np.argmax(held[1:])) + 1
    said = own[layer].read(states[layer])
    return {
        "explained": of_test(model, own, states),
        "untrained": of_test(fresh, fresh_readers, states_by_block(fresh, test[:, :trained])),
        "layer": layer,
        "read": [_read(said, places, documents, trained, share) for share in SHARES],
        "files": len(set(documents)),
    }


def _read(
    said: Float64[np.ndarray, "windows places"],
    places: Int64[np.ndarray, " places"],
    documents: Sequence[str],
    trained: int,
    share: tuple[float, float],
) -> Numbers:
    """What is said at a range of places, and where it is."""
    low, high = (round(end * trained) for end in share)
    inside = (places >= low) & (places < high)
    mean = over_document_means(said[:, inside].mean(axis=1), documents)
    return {
        "from": low,
        "to": high,
        "place": float(np.exp(np.log(places[inside] + 1.0).mean()) - 1),
        "said": [None if end is None else float(np.exp(end) - 1) for end in mean.ends()],
    }


def _windows(
    data: Corpus, split: str, longest: int, count: int, seed: int
) -> tuple[Int64[Tensor, "windows places"], list[str]]:
    """Windows of a split over as many documents as possible, and the document of each."""
    chosen = spans(getattr(data, split), longest - 1, 1, count, seed=seed)
    return chosen.cut(longest - 1), [document.name for document in chosen.documents]


def measure_position(
    models: Sequence[Path],
    out: Path,
    settings: PositionCodeSettings,
    *,
    workers: Workers = HERE,
    arguments: Sequence[str],
    progress: Progress = silent,
) -> Numbers:
    """Read models and write the record of all; rows that are up to date are kept, of models not named here too.

    Args:
        models: runs, checkpoints or model files of `tapa train` or `tapa sweep`.
        out: record to write, JSON.
        settings: see there.
        workers: one model at a time for each.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The content of the record: settings, and rows by model.

    Raises:
        InputError: no model, two models of one variant, seed and rate, `out` holds rows of other settings, or as
            `read_checkpoint` and `own_corpus`.
    """
    tasks = model_tasks(models, settings, _name, "variant, seed and rate")
    rows = _known(out, settings)
    begun, content = time.perf_counter(), {"settings": asdict(settings), "rows": rows}
    for _ in measured_rows(tasks, rows, measured_position, workers=workers, progress=progress):
        provenance = Provenance.collect(
            arguments,
            asdict(settings) | {"models": sorted(rows)},
            seeds={"windows and fresh weights": settings.seed},
            device="cpu",
            precision="float32 forward; float64 readers",
            threads=torch.get_num_threads(),
            seconds=time.perf_counter() - begun,
        )
        write_summary(content, out, provenance, schema=RECORD, digits=DIGITS)
    return content


def _known(out: Path, settings: PositionCodeSettings) -> dict[str, Numbers]:
    """Rows of a record that is there."""
    if not out.exists() or not out.stat().st_size:
        return {}
    content = read_summary(out, expect_schema=RECORD)
    with relied_on(out, RECORD):
        if content["settings"] != asdict(settings):
            raise InputError(f"{out} is of other settings; give another --out or remove it")
        return dict(content["rows"])


def _name(_: Path, checkpoint: ModelFile) -> str:
    """Variant, seed and rate."""
    recipe = checkpoint.recipe
    return f"{variant_of(Recipe(model=checkpoint.config))}-s{int(recipe['seed'])}-lr{float(recipe['lr']):g}"


def measured_position(task: ModelTask) -> tuple[str, Numbers]:
    """Name and row of one model."""
    checkpoint = read_checkpoint(task.model)
    variant = variant_of(Recipe(model=checkpoint.config))
    about = {
        "variant": variant, "label": label(variant), "seed": int(checkpoint.recipe["seed"]),
        "lr": float(checkpoint.recipe["lr"]), "key": task.key, "steps": checkpoint.step,
        "trained_length": checkpoint.config.context,
    }  # fmt: skip
    data = own_corpus(checkpoint, silent)
    return task.name, about | position_row(load_model(checkpoint.file).eval(), data, task.settings)
