"""From a model's name and texts to the record of its heads: what `tapa measure` and `make figures` both run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import xarray as xr

from analysis import assets
from analysis.errors import InputError
from analysis.heads import ours
from analysis.heads.checkpoint import Checkpoint, load
from analysis.heads.measure import SHORTEST, Clock, measure
from analysis.heads.ours import OurModel
from analysis.lm.state import is_ours
from analysis.records import Provenance, Schema
from analysis.texts import Document, read_text, tokenized, windows

HEADS = Schema("distance-bias", 2, made_by="tapa measure MODEL --text FILE")
SUMMARY = Schema("distance-bias-summary", 1, made_by="tapa measure MODEL --text FILE --summary SUMMARY")
SMOLLM2 = "smollm2"
SMOLLM2_NAME = "SmolLM2-135M-Instruct"
LENGTH = 2048

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the numbers of a measurement beside the model and the texts.

    Attributes:
        windows: number of token windows, >= 2; standard errors are over them.
        length: tokens in a window, >= `measure.SHORTEST`; None for `LENGTH`, and for a model of `tapa train` for
            the length that it was trained at.
        seed: >= 0, of the windows' places and of the shuffled control.
    """

    windows: int = 8
    length: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.windows < 2:
            raise InputError(f"windows={self.windows} gives no standard error; measure at least 2")
        if self.length is not None and self.length < SHORTEST:
            raise InputError(f"length={self.length} is too short for a window; give {SHORTEST} or more")
        if self.seed < 0:
            raise InputError(f"seed={self.seed} is below 0; give 0 or more")


def measure_model(
    model: str, texts: Sequence[Path], settings: Settings, *, arguments: Sequence[str], progress: Progress
) -> tuple[xr.Dataset, Provenance]:
    """Measure every head of a model.

    Args:
        model: "smollm2" (fetched), a model of `tapa train`, a Hugging Face folder of safetensors, or a .gguf file.
        texts: UTF-8 files; with none, "smollm2" is measured on the pinned texts, a model of `tapa train` on the
            validation documents of its corpus.
        settings: windows, length, seed.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The dataset of `analysis.heads.assemble.assemble`, described, and its provenance.

    Raises:
        InputError: whatever cannot be used of the model, the texts or the settings.
    """
    for index, path in enumerate(texts):
        read_text(path)  # a mistyped name must not cost a download and a model's loading
        if any(path.samefile(other) for other in texts[:index]):
            raise InputError(f"text {path} is given twice; its windows would not be independent")
    if not texts and model != SMOLLM2 and not is_ours(Path(model)):
        raise InputError(
            f"no text for {model}; give --text FILE, UTF-8, at least {settings.length or LENGTH} tokens long"
        )
    checkpoint, settings = _opened(model, settings, progress)
    documents = _documents(checkpoint, texts, progress)
    assert settings.length is not None  # filled in
    chosen = windows(documents, settings.length, settings.windows, seed=settings.seed)
    clock = Clock()
    begun = time.perf_counter()
    dataset = measure(checkpoint, chosen.tokens, seed=settings.seed, progress=progress, clock=clock)
    provenance = Provenance.collect(
        arguments,
        asdict(settings) | {"model": checkpoint.name, "texts": [name for name, _ in documents]},
        seeds={"windows and token orders": settings.seed},
        device="cpu",
        precision="float32 forward and transforms, float64 angles and sums over windows",
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - begun,
        model_sha256=checkpoint.sha256,
        text_sha256=chosen.sha256,
    )
    dataset = dataset.assign_coords(window=list(range(settings.windows))).assign(
        window_document=("window", list(chosen.documents)), window_offset=("window", list(chosen.offsets))
    )
    attributes = {
        "model": checkpoint.name,
        "statistics_seconds": clock.statistics,
        "forward_seconds": clock.forward,
    }
    return dataset.assign_attrs(attributes), provenance


def _opened(model: str, settings: Settings, progress: Progress) -> tuple[Checkpoint | OurModel, Settings]:
    """The checkpoint of that name, if windows of this length fit into its context, and settings with a length."""
    if model != SMOLLM2 and is_ours(Path(model)):
        checkpoint: Checkpoint | OurModel = ours.opened(Path(model))
    else:
        checkpoint = load(assets.fetch_smollm2(progress=progress) if model == SMOLLM2 else Path(model))
    if model == SMOLLM2:
        checkpoint = replace(checkpoint, name=SMOLLM2_NAME)  # not the name of its folder in the cache
    own = checkpoint.context_length if isinstance(checkpoint, OurModel) else LENGTH
    length = settings.length or own
    # before the texts are cut: the context is the harder limit, and the one the user can look up
    if length > checkpoint.context_length:
        raise InputError(
            f"length={length} is longer than the context of {checkpoint.name}, "
            f"{checkpoint.context_length} tokens; give a shorter --length"
        )
    return checkpoint, replace(settings, length=length)


def _documents(
    checkpoint: Checkpoint | OurModel, texts: Sequence[Path], progress: Progress
) -> Sequence[Document]:
    """Names and tokens of the texts, or of what goes with the model."""
    if isinstance(checkpoint, OurModel) and not texts:
        return checkpoint.held_out(progress)
    texts = texts or assets.fetch_texts(progress=progress)
    return tokenized(texts, lambda text: checkpoint.encode(text).tolist())
