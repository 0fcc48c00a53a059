"""Every encoding on one coordinate: what of a head's score is distance, what pair, what interaction, model by model.

The record of `tapa score-variance`: the variance components of all heads of some models (`heads.anova`), how their mean
score changes over each octave of distance, what the loss owes to each part (`parts_removed`), and for heads with a
phase what corresponds to Assumption 2.1 of the paper (v1).

Assumption 2.1 says of RoPE that E A_d, the mean coefficient of the cosine of frequency omega_d, is the same for all
frequencies and positions. In TAPA's score, amplitude cos(2 pi |m - n|^alpha phase), the frequency is the phase, which
varies from pair to pair, and the coefficient is the amplitude; the cosine is even, so that there is no B_d and only
|phase| counts. What corresponds is that the mean amplitude, given |phase|, is the same for every |phase| ("phases")
and, phase by phase, in every quarter of the window ("positions"); and that the mean |phase| is the same in every
quarter ("phase by position"). The share of the mean square that is not constant is that of `assumption_2_1`.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from analysis import schemas
from analysis.encodings import Encoding, PhaseEncoding, Rope, SlidingWindow
from analysis.encodings.base import matched_inner
from analysis.errors import InputError
from analysis.experiments.plan import label
from analysis.heads.anova import (
    PARTS,
    WEIGHTINGS,
    Design,
    PairMeans,
    TokenPairs,
    by_document,
    components,
    design,
    draw_token_pairs,
    octave_steps,
    of_all_windows,
    pair_means,
)
from analysis.intervals import holm
from analysis.models.capture import LayerCapture, read_layers
from analysis.models.checkpoint import own_corpus
from analysis.models.config import ModelConfig
from analysis.models.load import Model, TrainedModel, open_model
from analysis.progress import Progress, silent
from analysis.records import Provenance, read, relied_on, write
from analysis.settings import FEWEST
from analysis.studies.assumption_2_1 import constancy
from analysis.studies.equal_dose import has_learned
from analysis.studies.parts_removed import (
    INTERVENTIONS,
    MULTIPLES,
    LayerParts,
    layer_parts,
    removed,
    validation_bits,
)
from analysis.studies.settings import ScoreVarianceSettings as Settings
from analysis.text.corpus import bigram_bits
from analysis.text.windows import NamedTokens, Windows, windows
from analysis.training.recipe import Recipe, variant_of

VARIANCE = schemas.SCORE_VARIANCE
WITHIN, BEYOND = "within", "beyond"
RANGES = (WITHIN, BEYOND)
"""Distances 1 .. L - 1, and L .. 8 L - 1, of the trained length L."""
REACH = MULTIPLES[-1]
HEADLINE = f"{WITHIN} {WEIGHTINGS[0]}"
OCTAVES = 16  # of distance, at most
QUESTIONS = ("phases", "positions", "phase by position")
QUARTERS, BINS = 4, 5
_SMALL, _OTHERS = 128, 16  # windows
_LONGEST = 2048  # tokens of a window
Numbers = dict[str, Any]


@dataclass(eq=False)
class Layers:
    """What was measured of each layer.

    Attributes:
        over: distances and their weights.
        means: over the pairs of each document.
        encodings: inside a sliding window, if it has one.
        constancies: of heads with a phase; by question the share, its standard error and the p-value of each head.
    """

    over: Design
    means: list[PairMeans]
    encodings: list[Encoding]
    constancies: list[Mapping[str, Float[np.ndarray, "3 heads"]]]


def design_of(trained_length: int, window: int | None) -> Design:
    """Distances within the trained length and beyond it; of a sliding window those that its queries see."""
    if window is not None and window <= trained_length:
        return design({WITHIN: (1, window - 1)})
    return design({WITHIN: (1, trained_length - 1), BEYOND: (trained_length, REACH * trained_length - 1)})


def measure_small(
    model: TrainedModel, documents: Sequence[NamedTokens], settings: Settings, *, phases: bool = True
) -> Layers:
    """A model of `tapa train`, in windows of its trained length; with `phases` also `phase_constancy`."""
    length = model.context_length
    over = design_of(model.trained_length, model.llama.attentions[0].encoding.reach)
    text = windows(documents, length, settings.windows or _SMALL, seed=settings.seed)
    pairs = draw_token_pairs(len(text.tokens), settings.pairs // len(text.tokens), length, seed=settings.seed)
    found = Layers(over, [], [], [])

    def take(layer: int, encoding: Encoding, q: Tensor, k: Tensor, entropy: Tensor) -> None:
        inner = encoding.encoding if isinstance(encoding, SlidingWindow) else encoding
        found.means.append(by_document(pair_means(inner, q, k, pairs, over), text.documents))
        found.encodings.append(inner)
        if phases and isinstance(inner, PhaseEncoding) and len(set(text.documents)) >= FEWEST:
            found.constancies.append(phase_constancy(inner, q, k, text, settings))

    read_layers(model.llama, torch.from_numpy(text.tokens), take, entropies=False)
    return found


def measure_other(
    model: Model, documents: Sequence[NamedTokens], settings: Settings, progress: Progress = silent
) -> Layers:
    """A checkpoint of others, window by window; soft-caps are left out.

    Raises:
        InputError: a layer sees less than the trained length: its parts would be of other distances than the rest's.
    """
    length = min(_LONGEST, model.context_length)
    text = model.windows(documents, length, settings.windows or _OTHERS, seed=settings.seed)
    count = len(text.tokens)
    pairs = draw_token_pairs(count, settings.pairs // count, length, seed=settings.seed)
    found = Layers(design_of(model.trained_length, None), [], [], [])
    by_window: list[list[PairMeans]] = []
    for window in range(count):
        one = TokenPairs(pairs.query[window : window + 1], pairs.key[window : window + 1])
        by_window.append([])

        def take(layer: LayerCapture, one: TokenPairs = one) -> None:
            if layer.window is not None and layer.window < model.trained_length:
                raise InputError(
                    f"layer {layer.layer} sees {layer.window} tokens of {model.trained_length}; "
                    f"give a model whose layers see all"
                )
            layer = layer.on_cpu()
            rope = Rope(layer.frequencies, layer.scale)
            by_window[-1].append(pair_means(rope, layer.q, layer.k, one, found.over))
            if len(by_window) == 1:
                found.encodings.append(rope)

        model.capture(torch.from_numpy(text.tokens[window : window + 1]), take)
        progress(f"windows of {model.name}", window + 1, count)
    for layer in zip(*by_window, strict=True):
        found.means.append(by_document(of_all_windows(layer), text.documents))
    return found


def phase_constancy(
    encoding: PhaseEncoding, q: Tensor, k: Tensor, text: Windows, settings: Settings
) -> Mapping[str, Float[np.ndarray, "3 heads"]]:
    """What corresponds to Assumption 2.1, for the heads of one layer: share that is not constant, its error, p-value.

    Both tokens are drawn anywhere in the window, or in one of its quarters, as E A_d is taken over all pairs of
    positions. Bins hold a fifth of all |phase| each. Replicates are documents. nan for a head with a bin that is
    empty in some document.
    """
    length, heads = q.shape[2], q.shape[1]
    k = k.repeat_interleave(heads // k.shape[1], dim=1)
    rng = np.random.default_rng(settings.seed)
    each = settings.pairs // len(q)
    edges = np.linspace(1, length, QUARTERS + 1).round().astype(int)
    spans = [(1, length), *zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
    amplitude, phase = (np.empty((len(spans), len(q), heads, each)) for _ in range(2))
    window = torch.arange(len(q))[:, None]
    for part, (first, stop) in enumerate(spans):
        at, before = (torch.from_numpy(rng.integers(first, stop, (len(q), each))) for _ in range(2))
        left = q.double().transpose(1, 2)[window, at].transpose(1, 2)
        right = k.double().transpose(1, 2)[window, before].transpose(1, 2)
        a, b, x, y = encoding.factors(left, right)
        amplitude[part] = encoding.scale * matched_inner(a, b).numpy()
        phase[part] = matched_inner(x, y).abs().numpy()
    names = np.array(text.documents)
    groups = [names == name for name in sorted(set(text.documents))]
    binned = np.stack(
        [
            [
                _binned(amplitude[:, group, head], phase[:, group, head], phase[:, :, head])
                for head in range(heads)
            ]
            for group in groups
        ]
    )  # (document, head, part, bin)
    sizes = np.stack([phase[1:, group].mean(axis=(1, 3)).T for group in groups])  # (document, head, quarter)
    answers = zip(QUESTIONS, (binned[:, :, 0], binned[:, :, 1:], sizes), strict=True)
    return {question: _constancy_where_known(entries) for question, entries in answers}


def _constancy_where_known(
    entries: Float[np.ndarray, "documents heads *cells"],
) -> Float[np.ndarray, "3 heads"]:
    """`constancy` along the first axis of the cells; nan for a head with a bin that is empty in some document."""
    known = np.isfinite(entries).all(axis=(0, *range(2, entries.ndim)))
    found = np.full((3, entries.shape[1]), np.nan)
    if known.any():
        one = constancy(entries[:, known], (0,))
        found[:, known] = one.share, one.share_se, one.p
    return found


def _binned(
    amplitude: Float[np.ndarray, "parts windows pairs"],
    phase: Float[np.ndarray, "parts windows pairs"],
    every: Float[np.ndarray, "parts all_windows pairs"],
) -> Float[np.ndarray, "parts bins"]:
    """Mean amplitude in each bin of the phase, whose edges are quantiles over all parts and windows; nan in none."""
    edges = np.quantile(every, np.linspace(0, 1, BINS + 1)[1:-1])
    bins = np.searchsorted(edges, phase)
    chosen = [bins == i for i in range(BINS)]
    counts = np.stack([one.sum(axis=(1, 2)) for one in chosen], axis=1)
    sums = np.stack([(amplitude * one).sum(axis=(1, 2)) for one in chosen], axis=1)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def of_heads(found: Layers) -> xr.Dataset:
    """Variance components and steps of all heads of a model, over place: layer by layer, head by head."""
    rows: dict[str, list[np.ndarray]] = {}
    for means in found.means:
        heads = means.mean.shape[1]
        share, error = (np.full((heads, len(PARTS), len(RANGES), len(WEIGHTINGS)), np.nan) for _ in range(2))
        sd = np.full((heads, len(RANGES), len(WEIGHTINGS)), np.nan)
        for r, reach in enumerate(RANGES):
            for w, weighting in enumerate(WEIGHTINGS):
                if (name := f"{reach} {weighting}") in found.over.weights:
                    one = components(means, name)
                    sd[:, r, w] = np.sqrt(np.maximum(one.variance, 0))
                    share[:, :, r, w] = np.stack([one.share[part] for part in PARTS], axis=1)
                    error[:, :, r, w] = np.stack([one.share_se[part] for part in PARTS], axis=1)
        octaves = min(OCTAVES, int(np.log2(found.over.distances[-1])))
        steps = np.full((2, heads, OCTAVES), np.nan)
        steps[:, :, :octaves] = octave_steps(means, octaves, sd[:, 0, 0])
        values = {"share": share, "share_se": error, "score_sd": sd, "step": steps[0], "step_se": steps[1]}
        for name, value in values.items():
            rows.setdefault(name, []).append(value)
    dims = {
        "share": ("part", "range", "weighting"), "share_se": ("part", "range", "weighting"),
        "score_sd": ("range", "weighting"), "step": ("octave",), "step_se": ("octave",),
    }  # fmt: skip
    data = xr.Dataset(
        {name: (("place", *dims[name]), np.concatenate(values)) for name, values in rows.items()}
    )
    layers = [(layer, head) for layer, means in enumerate(found.means) for head in range(means.mean.shape[1])]
    data = data.assign(layer=("place", [a for a, _ in layers]), head=("place", [b for _, b in layers]))
    return data.assign(_constancies(found, len(layers)))


def _constancies(found: Layers, places: int) -> dict[str, tuple[tuple[str, str], np.ndarray]]:
    """Answers to `QUESTIONS`, with p-values adjusted over all heads of the model (Holm 1979); nan without a phase."""
    names = ("constancy", "constancy_se", "constancy_p", "constancy_p_holm")
    values = np.full((len(names), places, len(QUESTIONS)), np.nan)
    if found.constancies:
        for i, question in enumerate(QUESTIONS):
            values[:3, :, i] = np.concatenate([one[question] for one in found.constancies], axis=1)
            known = np.isfinite(values[2, :, i])
            values[3, known, i] = holm(values[2, known, i])
    return {name: (("place", "question"), value) for name, value in zip(names, values, strict=True)}


def parts_of_layers(
    model: TrainedModel, documents: Sequence[NamedTokens], settings: Settings
) -> dict[int, LayerParts]:
    """The parts of every layer's scores, measured in these documents."""
    found = measure_small(model, documents, settings, phases=False)
    return {
        layer: layer_parts(encoding, means, found.over, HEADLINE, model.trained_length, seed=settings.seed)
        for layer, (encoding, means) in enumerate(zip(found.encodings, found.means, strict=True))
    }


_LOSSES = ("bits_per_byte", "far_mass", "change", "change_low", "change_high")


def of_losses(rows: Sequence[Numbers]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Losses of one model over model, intervention and multiple; nan where none were taken."""
    values = np.full((len(_LOSSES), 1, len(INTERVENTIONS), len(MULTIPLES)), np.nan)
    for row in rows:
        at = INTERVENTIONS.index(row["intervention"]), MULTIPLES.index(row["multiple"])
        values[:, 0, at[0], at[1]] = [row[name] for name in _LOSSES]
    return {
        name: (("model", "intervention", "multiple"), value)
        for name, value in zip(_LOSSES, values, strict=True)
    }


def measure_variance(model: Model, settings: Settings, progress: Progress = silent) -> xr.Dataset:
    """Everything about one model, which is one on the axis "model" and has its heads on "place".

    Shares are measured in texts that it was neither trained on nor chosen by; the parts whose removal is evaluated, in
    its validation texts. Losses are those of a model of `tapa train` alone.
    """
    rows: list[Numbers] = []
    bits, bigram, learned = math.nan, math.nan, -1
    if isinstance(model, TrainedModel):
        corpus = own_corpus(model.checkpoint, progress)
        found = measure_small(model, [(d.name, d.tokens.tolist()) for d in corpus.test], settings)
        if settings.spans:
            held_out = [(d.name, d.tokens.tolist()) for d in corpus.validation]
            parts = parts_of_layers(model, held_out, settings)
            chosen = {"count": settings.spans, "seed": settings.seed}
            rows = removed(model.llama, parts, corpus, **chosen)
            bits, bigram = validation_bits(model.llama, corpus, **chosen), bigram_bits(corpus)
            learned = int(has_learned(bits * math.log(2), bigram))
        variant = variant_name(model.checkpoint.config)
        about: Numbers = {"variant": variant, "label": label(variant)}
        about["training_seed"] = model.checkpoint.recipe.get("seed", -1)
    else:
        found = measure_other(model, model.documents((), progress), settings, progress)
        about = {"variant": model.name, "label": model.name, "training_seed": -1}
    about |= {"window_begin": model.window_begin}
    about |= {"key": key_of(model, settings), "trained_length": model.trained_length}
    about |= {"validation_bits": bits, "bigram_bits": bigram, "learned": learned}
    short = (
        about["variant"] if about["training_seed"] < 0 else f"{about['variant']}-s{about['training_seed']}"
    )
    data = of_heads(found).assign(of_losses(rows))
    data = data.assign({name: ("model", [value]) for name, value in about.items()})
    return data.assign_coords(
        model=[short], place_model=("place", [short] * data.sizes["place"]), part=list(PARTS), range=list(RANGES),
        weighting=list(WEIGHTINGS), octave=np.arange(OCTAVES), question=list(QUESTIONS),
        intervention=list(INTERVENTIONS), multiple=list(MULTIPLES),
    )  # fmt: skip


def variant_name(config: ModelConfig) -> str:
    """The variant whose method this is, trained from scratch on text alone; else the method's name."""
    return variant_of(Recipe(model=config)).partition("[")[0]


def key_of(model: Model, settings: Settings) -> str:
    """Of all that decides what is measured of a model."""
    decides: tuple[Any, ...] = (model.sha256, sorted(asdict(settings).items()))
    if model.first_token is not None:
        decides += (model.window_begin,)
    return hashlib.sha256(repr(decides).encode()).hexdigest()[:32]


def measure_variances(
    models: Sequence[str],
    out: Path,
    settings: Settings,
    *,
    arguments: Sequence[str],
    progress: Progress = silent,
) -> xr.Dataset:
    """Measure models one after the other and write the record after each; what is in it and up to date is kept.

    Rows of other models stay, so that a record can be made in several goes.

    Args:
        models: names and paths as `models.load.open_model` takes them.
        out: record, netCDF.
        settings: see there.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Raises:
        InputError: no model, one that cannot be opened, or two of one variant and seed.
    """
    if not models:
        raise InputError("no model was given; give one or more")
    known: dict[str, xr.Dataset] = {}
    if out.exists() and out.stat().st_size:
        record = read(out, expect_schema=VARIANCE)
        with relied_on(out, VARIANCE):
            known = models_apart(record)
            models_joined(known)
    kept = {str(one["key"].values[0]): one for one in known.values()}
    begun = time.perf_counter()
    given: dict[str, str] = {}
    for count, name in enumerate(models):
        progress("models", count, len(models))
        model = open_model(name, progress=progress)
        data = kept.get(key_of(model, settings))
        if data is None:
            data = measure_variance(model, settings, progress)
        short = str(data.model.values[0])
        if given.setdefault(short, name) != name:
            raise InputError(f"{given[short]} and {name} are both {short}; give one of them")
        known[short] = data
        write(models_joined(known), out, _provenance(arguments, settings, known, begun), schema=VARIANCE)
    progress("models", len(models), len(models))
    return models_joined(known)


def models_apart(record: xr.Dataset) -> dict[str, xr.Dataset]:
    """A record's models, each with its heads; where it came from is left out."""
    record = record.drop_attrs()
    if "window_begin" not in record:  # an older one: of models whose tokenizers put nothing before a text
        record = record.assign(window_begin=("model", ["nothing"] * record.sizes["model"]))
    return {
        name: record.sel(model=[name]).isel(place=np.flatnonzero(record.place_model.values == name))
        for name in record.model.values.tolist()
    }


def models_joined(known: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """The inverse of `models_apart`, models by name."""
    each = [known[name] for name in sorted(known)]
    by_model = xr.concat([one.drop_dims("place") for one in each], "model")
    return by_model.merge(xr.concat([one.drop_dims("model") for one in each], "place"))


def _provenance(
    arguments: Sequence[str], settings: Settings, known: Mapping[str, xr.Dataset], begun: float
) -> Provenance:
    return Provenance.collect(
        arguments,
        asdict(settings) | {"models": sorted(known)},
        seeds={"windows, pairs, spans, shuffled distances and bootstrap": settings.seed},
        device="cpu",
        precision="float32 forward and losses; float64 scores of pairs and sums",
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - begun,
    )
