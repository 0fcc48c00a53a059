"""Everything measured of the heads of one small TAPA model, layer by layer, as one labelled dataset."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int64
from torch import Tensor

from analysis import schemas
from analysis.assets import MODELS, is_hub_name
from analysis.encodings import Encoding, PhaseEncoding, Tapa
from analysis.errors import InputError
from analysis.heads import phase_ablation
from analysis.heads.mean_score import pair_counts
from analysis.heads.phase import (
    Factors,
    Histogram,
    PhaseCurves,
    Spread,
    curves,
    factors,
    gaussian_head,
    measured_exponent,
    octaves,
    share_explained,
    spread,
)
from analysis.heads.phase_tokens import PARTS, PROPERTIES, couples, effects, facts, probe
from analysis.intervals import mean_and_error, over_document_means
from analysis.models.capture import read_layers
from analysis.models.checkpoint import ModelFile, load_model
from analysis.models.config import ModelConfig
from analysis.models.llama import Llama
from analysis.models.load import TrainedModel, open_model
from analysis.progress import Progress
from analysis.records import Provenance
from analysis.studies.settings import PhaseSettings
from analysis.text.corpus import corpus
from analysis.text.windows import NamedTokens, read_text, tokenized, windows
from analysis.workers import threads

QUANTILES = np.array([0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999])
BINS = 48
SAID = tuple(f"{part}{suffix}" for part in PARTS for suffix in ("", ", control"))
Variables = dict[str, tuple[str | tuple[str, ...], np.ndarray]]


@dataclass(frozen=True, slots=True, eq=False)
class PhaseWindows:
    """Windows to measure on.

    Attributes:
        tokens: bytes, one window a row; standard errors are over windows.
        documents: of each window its document's name.
        seed: of the pairs to probe.
    """

    tokens: Int64[np.ndarray, "windows length"]
    documents: Sequence[str]
    seed: int = 0


def measure_heads(
    model: Llama,
    reading: PhaseWindows,
    *,
    layers: Sequence[int],
    heads: Sequence[int],
    tokens_too: bool = True,
    progress: Progress,
) -> xr.Dataset:
    """Statistics of chosen heads over every causal pair of each window; see `_head` and `_knowledge`.

    Args:
        model: whose encoding has a phase.
        layers, heads: which; of every chosen layer the chosen heads.
        tokens_too: whether to look for what tokens have to do with the phase.
    """
    found: list[xr.Dataset] = []
    counts = np.bincount(reading.tokens.ravel(), minlength=256)
    known = [facts(row, counts) for row in reading.tokens]

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        if layer not in layers:
            return
        assert isinstance(encoding, PhaseEncoding)
        windows = [factors(encoding, q[w], k[w]) for w in range(len(q))]
        with threads(1):  # bands are so small that sharing them out costs more than it gains
            found.append(statistics(windows, entropy, bound_exponent(encoding)))

    def statistics(windows: list[list[Factors]], entropy: Tensor, bound: float) -> xr.Dataset:
        parts: list[xr.Dataset] = []
        for head in heads:
            progress("heads", len(found) * len(heads) + len(parts), len(layers) * len(heads))
            own = [window[head] for window in windows]
            parts.append(xr.Dataset(_head(own, bound) | _entropies(entropy[:, head].double().numpy())))
        dataset = xr.concat(parts, "head")
        if tokens_too:
            chosen = [[window[head] for head in heads] for window in windows]
            dataset = dataset.assign(_knowledge(chosen, known, reading, np.asarray(dataset["phase_sd"])))
        return dataset

    read_layers(model, torch.from_numpy(reading.tokens), take)
    progress("heads", len(layers) * len(heads), len(layers) * len(heads))
    length = reading.tokens.shape[1]
    return xr.concat(found, "layer").assign_coords(
        layer=list(layers),
        head=list(heads),
        distance=np.arange(length),
        quantile=QUANTILES,
        octave=octaves(length)[:-1],
        seen=octaves(length),
        **({"property": list(PROPERTIES), "told_by": list(SAID)} if tokens_too else {}),
    )


def bound_exponent(encoding: PhaseEncoding) -> float:
    """Exponent of eq 14's bound, -alpha n_P; nan where eq 14 says nothing, as it is of eq 12's quadratic phase.

    With a linear phase the mean score decays faster than any power (`theory.tapa.leading_term`).

    >>> from analysis.encodings import LinearTapa
    >>> bound_exponent(Tapa(64)), bound_exponent(LinearTapa(64))
    (-3.2, nan)
    """
    if isinstance(encoding, Tapa) and encoding.kind == "quadratic":
        return -encoding.alpha * encoding.phase_dim
    return math.nan


def _head(windows: list[Factors], bound: float) -> Variables:
    """One head; `bound` is its `bound_exponent`.

    Over distance, means over all pairs of all windows: amplitude, cosine (`_se`), cosine_sd, score (`_se`), product,
    covariance (score = product + covariance), gaussian (closed form with fitted moments), turns and turns_sd (phi
    distance^alpha), past_quarter (share of pairs a quarter turn or more from 0), score_spread (sd over the pairs),
    variance_kept (its square over half the mean squared amplitude there: eq 15 says that it stays 1 or more).
    Numbers: phase_mean, phase_sd (phi, over all pairs), past_quarter_all, amplitude_sd, score_sd, nope_index,
    entropy (the last three with `_se`), entropy_by_seen, gaussian_share (of the curve's variance, octaves alike).
    phase_quantile (quantile); phase_edge (edge) and phase_share (bin): histogram of phi.
    exponent_seen (step), between one octave and the next; exponent_gaussian (octave), at its beginning.
    """
    length, alpha = windows[0].length, windows[0].alpha
    found, spreads = [curves(window) for window in windows], [spread(window) for window in windows]
    names = ("amplitude", "cosine", "cosine_square", "score")
    by_window = {name: np.stack([getattr(c, name) for c in found]) for name in names}
    pooled = PhaseCurves(*(by_window[name].mean(axis=0) for name in names))
    law = gaussian_head(windows)
    distance = np.arange(length, dtype=np.float64)
    predicted = law.mean(distance)
    inner = slice(1, max(length // 2, 3))
    at = octaves(length)[:-1].astype(np.float64)
    variables: Variables = {
        "amplitude": ("distance", pooled.amplitude),
        **_mean_and_error("cosine", by_window["cosine"], "distance"),
        "cosine_sd": ("distance", pooled.cosine_sd),
        **_mean_and_error("score", by_window["score"], "distance"),
        "product": ("distance", pooled.product),
        "covariance": ("distance", pooled.covariance),
        "gaussian": ("distance", predicted),
        "gaussian_share": (
            (),
            np.array(share_explained(pooled.score[inner], predicted[inner], distance[inner])),
        ),
        "exponent_seen": ("step", measured_exponent(pooled.score)),
        "exponent_gaussian": ("octave", law.exponent(at)),
        "exponent_paper": ((), np.array(bound)),
    }
    square, whole = (
        np.mean([getattr(s, name) for s in spreads], axis=0) for name in ("score_square", "amplitude_square")
    )
    variance = np.maximum(square - pooled.score**2, 0.0)
    variables["score_spread"] = "distance", np.sqrt(variance)
    kept = np.divide(variance, whole / 2, out=np.full(length, np.nan), where=whole > 0)
    variables["variance_kept"] = "distance", kept
    return variables | _phases(spreads, distance**alpha)


def _phases(spreads: list[Spread], power: np.ndarray) -> Variables:
    """What `spread` says of one head, over windows."""
    phase, square, past = (
        np.mean([getattr(s, name) for s in spreads], axis=0)
        for name in ("phase", "phase_square", "past_quarter")
    )
    pairs = pair_counts(len(power)).numpy()[1:]
    histogram = sum((s.histogram for s in spreads), Histogram())
    mean = np.mean([s.phase_mean for s in spreads])
    whole = np.mean([s.phase_sd**2 + s.phase_mean**2 for s in spreads])
    edges, shares = histogram.binned(BINS)
    return {
        "turns": ("distance", phase * power),
        "turns_sd": ("distance", np.sqrt(np.maximum(square - phase**2, 0.0)) * power),
        "past_quarter": ("distance", past),
        "past_quarter_all": ((), np.array((past[1:] * pairs).sum() / pairs.sum())),
        "phase_mean": ((), np.array(mean)),
        "phase_sd": ((), np.asarray(np.sqrt(np.maximum(whole - mean**2, 0.0)))),
        "phase_quantile": ("quantile", histogram.quantile(QUANTILES)),
        "phase_edge": ("edge", edges),
        "phase_share": ("bin", shares),
        "amplitude_sd": ((), np.array(np.mean([s.amplitude_sd for s in spreads]))),
        **_mean_and_error("score_sd", np.array([s.score_sd for s in spreads])),
        **_mean_and_error("nope_index", np.array([s.nope_index for s in spreads])),
    }


def _entropies(entropy: np.ndarray) -> Variables:
    """Of one head's attention, (window, query), nats: over all queries, and over those that see so many tokens.

    `entropy_by_seen` (seen): queries that see from that many tokens to less than twice as many, themselves included.
    """
    edges = octaves(entropy.shape[1]) - 1
    by_seen = np.add.reduceat(entropy, edges, axis=1) / np.diff(edges, append=entropy.shape[1])
    return {
        **_mean_and_error("entropy", entropy.mean(axis=1)),
        **_mean_and_error("entropy_by_seen", by_seen, "seen"),
    }


def _mean_and_error(name: str, values: np.ndarray, dims: str | tuple[str, ...] = ()) -> Variables:
    mean, error = mean_and_error(values)
    return {name: (dims, mean), f"{name}_se": (dims, error)}


def _knowledge(
    windows: list[list[Factors]], known: list, reading: PhaseWindows, phase_sd: np.ndarray
) -> Variables:
    """What tokens have to do with the phase, over heads and properties.

    effect, effect_abs (`_se` over windows): difference of phi, and of |phi|, that a property makes at equal distance,
    in standard deviations of the head's phi. told, told_low, told_high: accuracy of a probe, chance 0.5.
    """
    unit = np.where(phase_sd > 0, phase_sd, np.nan)[:, None]
    both = np.stack([effects(heads, facts_) for heads, facts_ in zip(windows, known, strict=True)]) / unit
    variables: Variables = {}
    for i, name in enumerate(("effect", "effect_abs")):
        variables |= _over_windows(name, both[:, i], ("head", "property"))
    told = np.full((3, len(windows[0]), len(PROPERTIES), len(SAID)), np.nan)
    for p, name in enumerate(PROPERTIES):
        chosen = [couples(facts_, name, seed=reading.seed + w) for w, facts_ in enumerate(known)]
        for h in range(told.shape[1]):
            said = probe([heads[h] for heads in windows], chosen, reading.documents, seed=reading.seed)
            for s, key in enumerate(SAID):
                told[:, h, p, s] = said[key].value, said[key].low, said[key].high
    dims = ("head", "property", "told_by")
    return variables | {name: (dims, told[i]) for i, name in enumerate(("told", "told_low", "told_high"))}


def _over_windows(name: str, values: np.ndarray, dims: tuple[str, ...]) -> Variables:
    """Mean and standard error over the windows that have a value; nan where none, or one, has."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    filled = np.where(there, values, 0.0)
    mean = np.divide(filled.sum(axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
    square = np.where(there, (values - mean) ** 2, 0.0).sum(axis=0)
    per = count * (count - 1)
    error = np.sqrt(np.divide(square, per, out=np.full(count.shape, np.nan), where=per > 0))
    return {name: (dims, mean), f"{name}_se": (dims, error)}


def ablations(
    model: Llama,
    reading: PhaseWindows,
    *,
    layers: Sequence[int],
    heads: Sequence[int],
    progress: Progress,
) -> xr.Dataset:
    """Loss with a part of the score taken away, in all heads and in each chosen one; intervals over documents.

    Returns:
        loss (nats a token) with `_low` and `_high`; change (ablation), and head_change (head_ablation, layer, head),
        what the loss rises by, likewise; head_rank (head_ablation, layer, head), 1 for the head that loses most.
    """
    tokens = torch.from_numpy(reading.tokens)
    means = phase_ablation.head_means(model, tokens)
    base = phase_ablation.window_losses(model, tokens)
    everything = torch.ones(len(model.attentions), model.config.heads, dtype=torch.bool)
    jobs = len(phase_ablation.KINDS) + len(phase_ablation.PER_HEAD) * len(layers) * len(heads)
    done = 0

    def rise(kind: str, chosen: Tensor) -> list[float]:
        nonlocal done
        progress("ablations", done, jobs)
        done += 1
        losses = phase_ablation.ablated_losses(model, tokens, kind, means, chosen, seed=reading.seed)
        found = over_document_means(losses - base, reading.documents)
        return [found.value, found.low, found.high]

    whole = np.array([rise(kind, everything) for kind in phase_ablation.KINDS])
    single = np.empty((3, len(phase_ablation.PER_HEAD), len(layers), len(heads)))
    for i, kind in enumerate(phase_ablation.PER_HEAD):
        for j, layer in enumerate(layers):
            for h, head in enumerate(heads):
                one = torch.zeros_like(everything)
                one[layer, head] = True
                single[:, i, j, h] = rise(kind, one)
    progress("ablations", jobs, jobs)
    plain = over_document_means(base, reading.documents)
    variables: Variables = {}
    for end, suffix in enumerate(("", "_low", "_high")):
        variables["loss" + suffix] = (), np.array((plain.value, plain.low, plain.high)[end])
        variables["change" + suffix] = "ablation", whole[:, end]
        variables["head_change" + suffix] = ("head_ablation", "layer", "head"), single[end]
    flat = single[0].reshape(len(phase_ablation.PER_HEAD), -1)
    rank = (-flat).argsort(axis=1).argsort(axis=1).reshape(single[0].shape) + 1
    variables["head_rank"] = ("head_ablation", "layer", "head"), rank
    coords = {"ablation": list(phase_ablation.KINDS), "head_ablation": list(phase_ablation.PER_HEAD)}
    return xr.Dataset(variables, coords | {"layer": list(layers), "head": list(heads)})


# From a trained TAPA model and texts to the record of what its heads do with their phase: `tapa phase`.


PHASE = schemas.PHASE
BYTES = 256


def measure_phase(
    model: Path,
    texts: Sequence[Path],
    settings: PhaseSettings,
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
        The dataset of `measure_heads` and, if asked for, of `ablations`; its provenance.

    Raises:
        InputError: no TAPA model of ours, a layer or head that it has not, no text, or too little of it.
    """
    for path in texts:
        read_text(path)  # a mistyped name must not cost the model's loading
    checkpoint = tapa_checkpoint(model)
    config = checkpoint.config
    layers, heads = chosen_indices("layer", layer, config.layers), chosen_indices("head", head, config.heads)
    documents = documents_of(checkpoint, texts, progress)
    return measure_checkpoint(
        checkpoint, documents, settings, layers=layers, heads=heads, arguments=arguments, progress=progress
    )


def measure_checkpoint(
    checkpoint: ModelFile,
    documents: list[NamedTokens],
    settings: PhaseSettings,
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
    data = measure_heads(llama, reading, **which, tokens_too=settings.tokens, progress=progress)
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
class CheckpointJob:
    """Arguments of `measure_checkpoint`, for whatever process does it.

    Attributes:
        checkpoint: whose heads have a phase.
        documents: names and bytes, as `documents_of`.
        settings, arguments: as there.
    """

    checkpoint: ModelFile
    documents: list[NamedTokens]
    settings: PhaseSettings
    arguments: tuple[str, ...]


def measure_all(job: CheckpointJob) -> tuple[xr.Dataset, Provenance]:
    """Measure all heads."""
    return measure_checkpoint(
        job.checkpoint, job.documents, job.settings, arguments=job.arguments, progress=lambda *told: None
    )


def tapa_checkpoint(path: Path) -> ModelFile:
    """A checkpoint of ours whose score has a phase that distance is in.

    Raises:
        InputError: as `open_model`; for a Hugging Face folder, a GGUF file or a model without a phase, or with one
            that knows no distance, the message says what it is and which command fits.
    """
    of_another_program = InputError(
        f"{path} is a checkpoint of another program, whose heads have no phase; "
        f"`tapa measure {path}` measures the distance bias of a RoPE model"
    )
    pinned = str(path) in MODELS or is_hub_name(path)
    if pinned or path.suffix == ".gguf" or (path / "config.json").is_file():  # opening it would take seconds
        raise of_another_program
    opened = open_model(path)
    if not isinstance(opened, TrainedModel):
        raise of_another_program
    checkpoint = opened.checkpoint
    method = checkpoint.config.method.name
    if not checkpoint.config.method.is_tapa:
        raise InputError(
            f"{path.name} was trained with method={method}, whose heads have no phase; give a model trained with "
            f"`tapa train RECIPE method=tapa` (`tapa measure` measures the distance bias of RoPE models)"
        )
    if checkpoint.config.method.alpha == 0:
        raise InputError(
            f"{path.name} was trained with alpha=0, so that its phase knows no distance; "
            f"`tapa phase-seeds {path.name}` measures it beside TAPA"
        )
    return checkpoint


def chosen_indices(what: str, index: int | None, count: int) -> list[int]:
    """All, or the one asked for."""
    if index is None:
        return list(range(count))
    if not 0 <= index < count:
        raise InputError(
            f"{what} {index} does not exist; the model's are {', '.join(map(str, range(count)))}"
        )
    return [index]


def documents_of(checkpoint: ModelFile, texts: Sequence[Path], progress: Progress) -> list[NamedTokens]:
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


def _reading(documents: list[NamedTokens], length: int, count: int, seed: int) -> PhaseWindows:
    chosen = windows(documents, length, count, seed=seed)
    return PhaseWindows(chosen.tokens, chosen.documents, seed)


def _about(checkpoint: ModelFile, reading: PhaseWindows) -> dict[str, object]:
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


def record(
    *, checkpoint: Path, windows: int, length: int, loss_windows: int, tokens: bool, seed: int
) -> tuple[xr.Dataset, Provenance]:
    """`measure_checkpoint` of a committed TAPA checkpoint on the validation documents of its corpus."""
    opened = tapa_checkpoint(checkpoint)
    settings = PhaseSettings(windows, length, loss_windows, tokens, seed)
    documents = documents_of(opened, (), lambda *told: None)
    return measure_all(CheckpointJob(opened, documents, settings, ("tapa", "figures")))
