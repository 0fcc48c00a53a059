"""From a trained TAPA model and texts to the record of what its heads do with their phase: `tapa phase`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from analysis.errors import InputError
from analysis.heads.phase_measure import Reading, ablations, measure
from analysis.lm.config import ModelConfig
from analysis.lm.state import Checkpoint, load_model, read_checkpoint
from analysis.lm.text import corpus
from analysis.records import Provenance, Schema
from analysis.texts import Document, read_text, tokenized, windows

PHASE = Schema("phase", 2, made_by="tapa phase MODEL")
SHORTEST = 16  # tokens in a window: three octaves of distance
BYTES = 256

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the numbers beside the model and the texts.

    Attributes:
        windows: token windows, >= 2; standard errors are over them.
        length: tokens in a window, >= `SHORTEST`; it may be longer than what the model was trained on.
        loss_windows: windows of the trained length for the ablations' losses, >= 2; 0 for no ablations.
        tokens: whether to look for what tokens have to do with the phase.
        seed: >= 0, of the windows' places, of the pairs that are probed and of shuffled phases.
    """

    windows: int = 4
    length: int = 4096
    loss_windows: int = 32
    tokens: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("windows", 2), ("length", SHORTEST), ("seed", 0)):
            if (value := getattr(self, name)) < least:
                raise InputError(f"{name}={value} is below {least}; give {least} or more")
        if self.loss_windows < 0 or self.loss_windows == 1:
            raise InputError(
                f"loss_windows={self.loss_windows} gives no interval; give 2 or more, or 0 for no ablations"
            )


def measure_phase(
    model: Path,
    texts: Sequence[Path],
    settings: Settings,
    *,
    layer: int | None = None,
    head: int | None = None,
    arguments: Sequence[str],
    progress: Progress,
) -> tuple[xr.Dataset, Provenance]:
    """Measure the heads of a TAPA model trained by `tapa train`.

    Args:
        model: a checkpoint's folder, a run's folder, or a model file.
        texts: UTF-8 files; with none, the validation documents of the corpus that the model was trained on.
        layer, head: the only ones to measure; None for all.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The dataset of `phase_measure.measure` and, if asked for, of `phase_measure.ablations`; its provenance.

    Raises:
        InputError: no TAPA model of ours, a layer or head that it has not, no text, or too little of it.
    """
    for path in texts:
        read_text(path)  # a mistyped name must not cost the model's loading
    checkpoint = tapa_checkpoint(model)
    config = checkpoint.config
    layers, heads = chosen("layer", layer, config.layers), chosen("head", head, config.heads)
    documents = documents_of(checkpoint, texts, progress)
    return measure_checkpoint(
        checkpoint, documents, settings, layers=layers, heads=heads, arguments=arguments, progress=progress
    )


def measure_checkpoint(
    checkpoint: Checkpoint,
    documents: list[Document],
    settings: Settings,
    *,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    arguments: Sequence[str],
    progress: Progress,
) -> tuple[xr.Dataset, Provenance]:
    """As `measure_phase`, of a checkpoint whose heads have a phase, on documents that are read already.

    Args:
        layers, heads: which; None for all.
    """
    config = checkpoint.config
    which = {
        "layers": range(config.layers) if layers is None else layers,
        "heads": range(config.heads) if heads is None else heads,
    }
    reading = _reading(documents, settings.length, settings.windows, settings.seed)
    begun = time.perf_counter()
    llama = load_model(checkpoint.file)
    data = measure(llama, reading, **which, tokens_too=settings.tokens, progress=progress)
    if settings.loss_windows:
        short = _reading(documents, config.context, settings.loss_windows, settings.seed)
        data = data.merge(ablations(llama, short, **which, progress=progress))
    provenance = Provenance.collect(
        arguments,
        asdict(settings)
        | {"model": config.to_dict(), "step": checkpoint.step, "texts": [n for n, _ in documents]},
        seeds={"windows, pairs to probe and shuffled phases": settings.seed},
        device="cpu",
        precision="float32 forward, tiles and losses; float64 sums over tiles, closed forms and probes",
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - begun,
        model_sha256=sha256(checkpoint.file.read_bytes()).hexdigest(),
        text_sha256=sha256(np.ascontiguousarray(reading.tokens, dtype="<i8").tobytes()).hexdigest(),
    )
    return data.assign_attrs(_about(checkpoint, reading)), provenance


@dataclass(frozen=True, slots=True)
class Job:
    """Arguments of `measure_checkpoint`, for whatever process does it.

    Attributes:
        checkpoint: whose heads have a phase.
        documents: names and bytes, as `documents_of`.
        settings, arguments: as there.
    """

    checkpoint: Checkpoint
    documents: list[Document]
    settings: Settings
    arguments: tuple[str, ...]


def perform(job: Job) -> tuple[xr.Dataset, Provenance]:
    """Measure all heads."""
    return measure_checkpoint(
        job.checkpoint, job.documents, job.settings, arguments=job.arguments, progress=lambda *told: None
    )


def tapa_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint of ours whose score has a phase.

    Raises:
        InputError: as `read_checkpoint`; for a Hugging Face folder, a GGUF file or a model without a phase the
            message says what it is and which command fits.
    """
    if path.suffix == ".gguf" or (path / "config.json").is_file():
        raise InputError(
            f"{path.name} is a checkpoint of another program, whose heads have no phase; "
            f"`tapa measure {path.name}` measures the distance bias of a RoPE model"
        )
    checkpoint = read_checkpoint(path)
    method = checkpoint.config.method.name
    if not checkpoint.config.method.is_tapa:
        raise InputError(
            f"{path.name} was trained with method={method}, whose heads have no phase; give a model trained with "
            f"`tapa train RECIPE method=tapa` (`tapa measure` measures the distance bias of RoPE models)"
        )
    return checkpoint


def chosen(what: str, index: int | None, count: int) -> list[int]:
    """All, or the one asked for."""
    if index is None:
        return list(range(count))
    if not 0 <= index < count:
        raise InputError(
            f"{what} {index} does not exist; the model's are {', '.join(map(str, range(count)))}"
        )
    return [index]


def documents_of(checkpoint: Checkpoint, texts: Sequence[Path], progress: Progress) -> list[Document]:
    """Names and bytes of the texts, or of the validation documents of the model's own corpus."""
    if (size := checkpoint.config.vocab_size) != BYTES:
        raise InputError(
            f"{checkpoint.file.name} reads {size} different tokens; only models of bytes are read here"
        )
    if texts:
        return tokenized(texts, lambda text: list(text.encode()))
    recipe = checkpoint.recipe
    data = corpus(recipe["corpus"], seed=recipe["corpus_seed"], progress=progress)
    if data.sha256 != checkpoint.corpus_sha256:
        raise InputError(
            f"the corpus {recipe['corpus']} is not the one that {checkpoint.file.parent.name} was trained on (other "
            f"versions or files), so that no part of it is known to be held out; give --text FILE"
        )
    return [(document.name, document.tokens.tolist()) for document in data.validation]


def _reading(documents: list[Document], length: int, count: int, seed: int) -> Reading:
    chosen = windows(documents, length, count, seed=seed)
    return Reading(chosen.tokens, chosen.documents, seed)


def _about(checkpoint: Checkpoint, reading: Reading) -> dict[str, object]:
    """What a figure says of the model."""
    config: ModelConfig = checkpoint.config
    return {
        "method": config.method.name,
        "alpha": config.method.alpha,
        "amplitude_share": config.method.amplitude_share,
        "trained_length": config.context,
        "training_step": checkpoint.step,
        "training_seed": int(checkpoint.recipe.get("seed", -1)),
        "length": reading.tokens.shape[1],
        "windows": len(reading.tokens),
        "documents": len(set(reading.documents)),
    }
