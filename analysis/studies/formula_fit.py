"""Which curve over distance the mean score of trained heads is: fitted on some texts and scored on others.

Every model is measured in several documents, several windows of each. A shape of `heads.formula_fit` is fitted on
windows of the same text, on other windows of it, on one other text, or on all other texts, and R^2 is that of the
windows it is scored on. How certain a number is has two answers: over the windows of these texts, and over texts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Complex, Float, Int
from scipy import stats

from analysis import schemas
from analysis.array_cache import cached
from analysis.assets import cache_folder
from analysis.errors import InputError
from analysis.experiments.plan import LABELS
from analysis.heads import decomposition, formula_fit
from analysis.heads.formula_fit import FITTED, INTERCEPTS, SHAPES
from analysis.heads.mean_score import pair_counts
from analysis.intervals import LEVEL, of_mean
from analysis.models.capture import LayerCapture
from analysis.models.load import Model, open_model
from analysis.progress import Progress
from analysis.records import Provenance
from analysis.settings import nearest
from analysis.studies.settings import FEWEST_WINDOWS, SHORTEST_SPLIT, FormulaFitSettings
from analysis.text.windows import Document, tokens_sha256

FORMULA_FIT = schemas.FORMULA_FIT
WEIGHTINGS = ("uniform", "log")
TRAINED_ON = ("same text", "other windows", "one other text", "all other texts")
STATISTICS = ("log slope", "distance share")
Rows = Float[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class LayerCurves:
    """One layer in every window of every document; arrays have windows first, document after document.

    Attributes:
        omega: angular frequencies, rad/token.
        window: tokens that a query attends to, None for all.
        documents: how many; each has as many windows.
        measured: mean score at every distance, the first token left out.
        square_sum: sum of the squared scores that it is a mean of.
        means: mean query times conjugate mean key, one a pair, then what no rotation touches; in the score's scale.
    """

    omega: Float[np.ndarray, " pairs"]
    window: int | None
    documents: int
    measured: Float[np.ndarray, "windows heads length"]
    square_sum: Float[np.ndarray, "windows heads"]
    means: Complex[np.ndarray, "windows heads products"]

    @cached_property
    def of_document(self) -> list[list[int]]:
        """Indices of each document's windows."""
        each = len(self.measured) // self.documents
        return [list(range(d * each, (d + 1) * each)) for d in range(self.documents)]

    @cached_property
    def distance(self) -> Float[np.ndarray, " distances"]:
        """Distances that curves are compared at."""
        last = decomposition.reach(self.measured.shape[-1], self.window)
        return np.arange(1, last + 1, dtype=float)

    def products(self, weighting: str) -> formula_fit.ShapeProducts:
        """Inner products of curves and functions of distance."""
        of = formula_fit.distance_functions(self.omega, self.distance)
        weight = decomposition.weights(self.distance, weighting)
        return formula_fit.shape_products(self.measured[..., 1 : len(self.distance) + 1], of, weight)


def _with_room(sizes: Sequence[int], able: int, count: int, length: int) -> str:
    """What a user can give so that as many documents as are fitted and scored have room: their sizes are in tokens."""
    ranked = sorted(sizes, reverse=True)
    if able >= 2:
        return f"give --documents {able}, or more texts"
    fitting = min(count, sum(size >= FEWEST_WINDOWS * length for size in sizes))
    if fitting >= 2:
        return f"give --documents {fitting} --tokens {ranked[fitting - 1]}"
    if len(ranked) >= 2 and (shorter := ranked[1] // FEWEST_WINDOWS) >= SHORTEST_SPLIT:
        return f"give --documents 2 --tokens {ranked[1]} --length {shorter}, or longer texts"
    return "give two texts or more, each of --tokens and more (--text)"


def chosen_documents(
    documents: Sequence[Document], count: int, windows_each: int, length: int, *, seed: int
) -> list[Document]:
    """`count` documents drawn from those with room for their windows; fewer are the first of more.

    Raises:
        InputError: fewer have room.
    """
    able = sorted((d for d in documents if len(d.tokens) >= windows_each * length), key=lambda d: d.name)
    if len(able) < count:
        raise InputError(
            f"{len(able)} of {len(documents)} documents have {windows_each} windows of {length} tokens, for "
            f"documents={count}; {_with_room([len(d.tokens) for d in documents], len(able), count, length)}"
        )
    return [able[index] for index in np.random.default_rng(seed).permutation(len(able))[:count]]


def measure_curves(
    model: Model, documents: Sequence[Document], length: int, count: int, *, seed: int, progress: Progress
) -> list[LayerCurves]:
    """The mean score by distance of every layer's heads in `count` windows of each document.

    A window that was read before is taken out of the cache folder: interrupted and started again, it goes on.
    """
    found = []
    for at, document in enumerate(documents):
        text = [(document.name, document.tokens.tolist())]
        chosen = model.windows(text, length, count, seed=seed)
        for row, tokens in enumerate(chosen.tokens):
            found.append(window_curves(model, tokens))
            progress(f"{model.name}: window", at * count + row + 1, len(documents) * count)
    whole = {name: np.stack([one[name] for one in found]) for name in ("measured", "square_sum", "means")}
    first = found[0]
    return [
        LayerCurves(
            first["omega"][layer],
            None if first["window"][layer] < 0 else int(first["window"][layer]),
            len(documents),
            **{name: values[:, layer] for name, values in whole.items()},
        )
        for layer in range(len(first["omega"]))
    ]


KEPT = 1  # version of what the cache keeps of a window


def window_curves(model: Model, tokens: Int[np.ndarray, " length"]) -> dict[str, np.ndarray]:
    """`decomposition.window_curve` of every layer in one window, layers first, out of the cache if it is there.

    Returns:
        measured, square_sum and means as in `LayerCurves`; omega; window, -1 for none.
    """
    inputs = [str(KEPT), model.sha256, model.precision, tokens_sha256(tokens[None])]
    name = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:32]
    path = cache_folder() / "curves" / f"{name}.npz"
    return cached(path, lambda: _measured_curves(model, tokens))


def _measured_curves(model: Model, tokens: Int[np.ndarray, " length"]) -> dict[str, np.ndarray]:
    layers: list[dict[str, Any]] = []

    def collect(found: LayerCapture) -> None:
        found = found.on_cpu()
        curve = decomposition.window_curve(
            found.q[0], found.k[0], found.frequencies, scale=found.scale, window=found.window
        )
        layers.append(
            {
                "measured": curve.measured.numpy(),
                "square_sum": curve.square_sum.numpy(),
                "means": found.scale * curve.product.numpy(),
                "omega": found.frequencies.omega,
                "window": -1 if found.window is None else found.window,
            }
        )

    model.capture(torch.from_numpy(tokens[None]), collect)
    if len({layer["means"].shape for layer in layers}) > 1:
        raise InputError("layers rotate different numbers of pairs; fit one kind at a time")
    return {key: np.stack([layer[key] for layer in layers]) for key in layers[0]}


def splits(
    of_document: Sequence[Sequence[int]], trained_on: str, scored: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Windows to fit on and windows of document `scored` to score on, pair after pair."""
    own = list(of_document[scored])
    others = [list(one) for d, one in enumerate(of_document) if d != scored]
    match trained_on:
        case "same text":
            yield own, own
        case "other windows":
            yield own[::2], own[1::2]
            yield own[1::2], own[::2]
        case "one other text":
            yield from ((other, own) for other in others)
        case "all other texts":
            yield [w for other in others for w in other], own
        case _:
            raise InputError(f"trained_on={trained_on!r} is unknown; {nearest(trained_on, TRAINED_ON)}")


@dataclass(frozen=True, eq=False)
class Fits:
    """What one way of fitting leaves of a layer's curves.

    Attributes:
        rest, whole: of each head and document, sums over the splits; R^2 is 1 less their ratio.
        without: the same two with one window of the document left out at scoring; nan where a single one is left.
    """

    rest: Float[np.ndarray, "heads documents"]
    whole: Float[np.ndarray, "heads documents"]
    without: Float[np.ndarray, "two heads documents windows"]


def fit_shape(
    curves: LayerCurves, table: formula_fit.ShapeProducts, shape: str, intercept: str, trained_on: str
) -> Fits:
    """Fit a shape and score it, document by document.

    Args:
        curves: of a layer.
        table: `curves.products` of a weighting.
        shape: of `formula_fit.SHAPES`.
        intercept: of `formula_fit.INTERCEPTS`.
        trained_on: of `TRAINED_ON`.
    """
    heads, each = curves.measured.shape[1], len(curves.of_document[0])
    centred = table.centred
    scored = centred if intercept == INTERCEPTS[0] else table
    sums = np.zeros((2, heads, curves.documents))
    without = np.full((2, heads, curves.documents, each), np.nan)
    for d in range(curves.documents):
        grams = np.zeros((2, heads, each, each))
        for to_fit, to_score in splits(curves.of_document, trained_on, d):
            of = formula_fit.shape_coefficients(shape, intercept, table, curves.means, to_fit)
            pair = np.stack(
                [
                    formula_fit.left_over(scored, of, to_score),
                    centred.windows[:, to_score][:, :, to_score],
                ]
            )
            sums[:, :, d] += decomposition.cross(pair)
            if len(to_score) == each:
                grams += pair
        if trained_on != "other windows" and each > 2:
            without[:, :, d] = decomposition.cross_without(grams)
    rest, whole = sums
    return Fits(rest, whole, without)


def _ratio(rest: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """R^2; nan where nothing varies over distance."""
    return 1 - rest / np.where(whole == 0, np.nan, whole)


def over_texts(fits: Fits) -> tuple[Rows, Rows]:
    """R^2 of each head over all documents, and its standard error by leaving out one document at a time."""
    rest, whole = (x.sum(axis=1, keepdims=True) for x in (fits.rest, fits.whole))
    without = _ratio(rest - fits.rest, whole - fits.whole)
    return _ratio(rest, whole)[:, 0], np.sqrt((fits.rest.shape[1] - 1) * without.var(axis=1))


def _median(values: Float[np.ndarray, "heads ..."]) -> np.ndarray:
    """Median over the heads that have a number anywhere; nan if none has."""
    known = ~np.isnan(values).all(axis=tuple(range(1, values.ndim)))
    return np.median(values[known], axis=0) if known.any() else np.full(values.shape[1:], np.nan)


def medians(fits: Sequence[Fits]) -> tuple[np.ndarray, tuple[float, float, float, float, float]]:
    """Median over all heads of R^2 on each document; its mean over documents with two intervals.

    Args:
        fits: of each layer.

    Returns:
        The medians by document; their mean, its interval over documents (Student's t), and its interval over the
        windows of these documents, each left out in turn, nan where they are too few.
    """
    by_document = _median(np.concatenate([_ratio(f.rest, f.whole) for f in fits]))
    over = of_mean(by_document)
    without = _median(np.concatenate([_ratio(*f.without) for f in fits]))
    documents, each = without.shape
    error = np.sqrt((each - 1) * without.var(axis=1).sum()) / documents
    half = float(stats.t.ppf((1 + LEVEL) / 2, documents * (each - 1)) * error)
    return by_document, (over.value, over.low, over.high, over.value - half, over.value + half)


def differences_from(fits: Sequence[Fits], base: Sequence[Fits]) -> tuple[float, float, float, float]:
    """Median over heads of R^2 less that of another shape: mean over documents, its interval, share of heads above."""
    ours, theirs = (np.concatenate([_ratio(f.rest, f.whole) for f in some]) for some in (fits, base))
    over = of_mean(_median(ours - theirs))
    whole = [np.concatenate([over_texts(f)[0] for f in some]) for some in (fits, base)]
    return over.value, over.low, over.high, float(np.mean(whole[0] > whole[1]))


# Do standard errors over the windows of one text cover another text?


def document_statistics(curves: LayerCurves, statistic: str) -> tuple[np.ndarray, np.ndarray]:
    """A number of each head in each document, (heads, documents), and its standard error over that one's windows."""
    if statistic == "log slope":
        by_window = formula_fit.log_slopes(curves.products("log"))
        parts = [by_window[:, own] for own in curves.of_document]
        return (
            np.stack([x.mean(axis=1) for x in parts], axis=1),
            np.stack([x.std(axis=1, ddof=1) / np.sqrt(x.shape[1]) for x in parts], axis=1),
        )
    if statistic != "distance share":
        raise InputError(f"statistic={statistic!r} is unknown; {nearest(statistic, STATISTICS)}")
    length = curves.measured.shape[-1]
    counts = pair_counts(length, dropped=1).numpy()
    counts[decomposition.attended(length, curves.window) :] = 0
    seen = counts > 0
    found = [
        decomposition.share_of_scores(curves.measured[own][..., seen], curves.square_sum[own], counts[seen])
        for own in curves.of_document
    ]
    value, error = (np.stack(x, axis=1) for x in zip(*found, strict=True))
    return value, error


def texts_differ(value: np.ndarray, error: np.ndarray) -> tuple[float, float, float]:
    """Share of heads that differ by more than two combined standard errors between two documents.

    Args:
        value, error: (heads, documents).

    Returns:
        Mean over all pairs of documents, and its interval by leaving out one document at a time; its ends are nan for
        two documents.
    """
    documents = value.shape[1]
    first, second = np.triu_indices(documents, 1)
    beyond = abs(value[:, first] - value[:, second]) > 2 * np.hypot(error[:, first], error[:, second])
    share = beyond.mean(axis=0)
    if documents < 3:
        return float(share.mean()), np.nan, np.nan
    less = np.array([share[(first != d) & (second != d)].mean() for d in range(documents)])
    half = stats.t.ppf((1 + LEVEL) / 2, documents - 1) * np.sqrt((documents - 1) * less.var())
    return float(share.mean()), float(share.mean() - half), float(share.mean() + half)


def expected_by_chance(windows_each: int) -> float:
    """What `texts_differ` expects if texts do not differ and windows are normal: Student's t of the difference."""
    return float(2 * stats.t.sf(2, 2 * (windows_each - 1)))


def error_ratio(value: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Standard deviation of each head over documents, over the root mean square of its errors over windows."""
    return value.std(axis=1, ddof=1) / np.sqrt((error**2).mean(axis=1))


# From models' names to one record.


DIMS = ("shape", "intercept", "weighting", "trained_on")
OVER_HEADS = (
    "r2_median", "r2_median_low", "r2_median_high", "r2_median_window_low", "r2_median_window_high",
    "difference", "difference_low", "difference_high", "heads_above",
)  # fmt: skip


def fits_of(layers: Sequence[LayerCurves]) -> xr.Dataset:
    """Every fit of one model's heads, rows in the order of layers and heads, and its medians over them."""
    tables = {weighting: [layer.products(weighting) for layer in layers] for weighting in WEIGHTINGS}
    sizes = (len(SHAPES), len(INTERCEPTS), len(WEIGHTINGS), len(TRAINED_ON))
    over_heads = {name: np.empty(sizes) for name in OVER_HEADS}
    r2, r2_se = np.empty((2, *sizes, sum(layer.measured.shape[1] for layer in layers)))
    by_document = np.empty((*sizes, layers[0].documents))
    for i, w, t in np.ndindex(sizes[1:]):
        found = {
            shape: [
                fit_shape(layer, table, shape, INTERCEPTS[i], TRAINED_ON[t])
                for layer, table in zip(layers, tables[WEIGHTINGS[w]], strict=True)
            ]
            for shape in SHAPES
        }
        for s, fits in enumerate(found.values()):
            at = (s, i, w, t)
            by_document[at], ends = medians(fits)
            for name, value in zip(OVER_HEADS, (*ends, *differences_from(fits, found[FITTED])), strict=True):
                over_heads[name][at] = value
            per_head = [over_texts(one) for one in fits]
            r2[at], r2_se[at] = (np.concatenate(x) for x in zip(*per_head, strict=True))
    variables: dict[str, Any] = {name: (DIMS, value) for name, value in over_heads.items()}
    variables |= {"r2": ((*DIMS, "row"), r2), "r2_se": ((*DIMS, "row"), r2_se)}
    variables |= {"r2_by_document": ((*DIMS, "document"), by_document)}
    places = [(at, head) for at, layer in enumerate(layers) for head in range(layer.measured.shape[1])]
    layer, head = zip(*places, strict=True)
    return xr.Dataset(variables | _parameters(layers, tables) | _texts(layers)).assign_coords(
        shape=list(SHAPES),
        intercept=list(INTERCEPTS),
        weighting=list(WEIGHTINGS),
        trained_on=list(TRAINED_ON),
        statistic=list(STATISTICS),
        layer=("row", list(layer)),
        head=("row", list(head)),
    )


def _parameters(layers: Sequence[LayerCurves], tables: dict[str, list[formula_fit.ShapeProducts]]) -> dict:
    """The plug-in and the fitted mu_0 and the slope of the logarithm, from all windows, with errors over documents."""
    found: dict[str, list[np.ndarray]] = {
        "mu_fitted": [],
        "mu_plug_in": [],
        "log_slope": [],
        "log_slope_se": [],
    }
    for index, layer in enumerate(layers):
        every = range(len(layer.measured))
        pairs = len(layer.omega)
        found["mu_plug_in"].append(layer.means.mean(axis=0)[:, :pairs].real.mean(axis=1))
        fitted, slope, error = [], [], []
        for weighting in WEIGHTINGS:
            table = tables[weighting][index]
            of = formula_fit.shape_coefficients(FITTED, INTERCEPTS[1], table, layer.means, every)
            fitted.append(formula_fit.fitted_mean(of))
            by_window = formula_fit.log_slopes(table)
            by_document = np.stack([by_window[:, own].mean(axis=1) for own in layer.of_document])
            slope.append(by_document.mean(axis=0))
            error.append(by_document.std(axis=0, ddof=1) / np.sqrt(layer.documents))
        for name, value in (("mu_fitted", fitted), ("log_slope", slope), ("log_slope_se", error)):
            found[name].append(np.stack(value))
    plug_in = np.concatenate(found.pop("mu_plug_in"))
    return {"mu_plug_in": ("row", plug_in)} | {
        name: (("weighting", "row"), np.concatenate(value, axis=1)) for name, value in found.items()
    }


def _texts(layers: Sequence[LayerCurves]) -> dict:
    """How far texts differ, for each of `STATISTICS`, and the median over heads of their ratio of errors."""
    found = []
    for statistic in STATISTICS:
        by_layer = [document_statistics(layer, statistic) for layer in layers]
        value, error = (np.concatenate(x) for x in zip(*by_layer, strict=True))
        found.append((*texts_differ(value, error), float(np.median(error_ratio(value, error)))))
    names = ("texts_differ", "texts_differ_low", "texts_differ_high", "error_ratio")
    variables = {
        name: ("statistic", list(x)) for name, x in zip(names, zip(*found, strict=True), strict=True)
    }
    return variables | {"texts_differ_by_chance": expected_by_chance(len(layers[0].of_document[0]))}


def measure_shapes(
    models: Sequence[str],
    texts: Sequence[Path],
    settings: FormulaFitSettings,
    *,
    arguments: Sequence[str],
    progress: Progress,
) -> tuple[xr.Dataset, Provenance]:
    """Fit every shape to every head of some models.

    Args:
        models: names, as `tapa measure` takes them, each once.
        texts: UTF-8 files; with none, each model is measured on the texts that it is evaluated on.
        settings: documents, tokens of each, length of windows, seed.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        R^2 over (shape, intercept, weighting, trained_on, row), a row for every head of every model; medians over a
        model's heads; parameters; how far texts differ.

    Raises:
        InputError: whatever cannot be used of models, texts or settings.
    """
    if not models or len(set(models)) < len(models):
        raise InputError(f"models={list(models)}: name at least one, and each once")
    begun = time.perf_counter()
    measured = [measure_model_shapes(name, texts, settings, progress=progress) for name in models]
    labels = [said["label"] for _, said in measured]
    heads, whole = [], []
    for data, said in measured:
        of_heads = [name for name, value in data.items() if "row" in value.dims]
        heads.append(data[of_heads].assign_coords(row_model=("row", [said["label"]] * data.sizes["row"])))
        whole.append(data.drop_dims("row"))
    data = xr.merge([xr.concat(heads, "row"), xr.concat(whole, "model")]).assign_coords(model=labels)
    data["free"] = "shape", list(formula_fit.FREE.values())
    recorded = [said for _, said in measured]
    provenance = Provenance.collect(
        arguments,
        asdict(settings) | {"models": recorded},
        seeds={"documents and windows": settings.seed},
        device="cpu",
        precision="float32 forward and transforms, float64 fits",
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - begun,
        model_sha256=recorded[0]["model_sha256"] if len(recorded) == 1 else None,
    )
    return data, provenance


def measure_model_shapes(
    name: str, texts: Sequence[Path], settings: FormulaFitSettings, *, progress: Progress
) -> tuple[xr.Dataset, dict[str, Any]]:
    """`fits_of` one model, and what its record says of it: label, weights, documents, sliding windows."""
    model = open_model(name, progress=progress)
    model.check_rotates()
    length = settings.length or model.default_window
    if length > model.context_length:
        raise InputError(
            f"length={length} is longer than the context of {model.name}, "
            f"{model.context_length} tokens; give a shorter --length"
        )
    each = settings.windows(length)
    documents, _ = model.evaluation_texts(texts, progress)
    chosen = chosen_documents(documents, settings.documents, each, length, seed=settings.seed)
    layers = measure_curves(model, chosen, length, each, seed=settings.seed, progress=progress)
    data = fits_of(layers).assign(
        document_name=("document", [d.name for d in chosen]), windows_each=each, window_length=length
    )
    label = LABELS.get(Path(name).stem, model.name)
    said = {
        "label": label,
        "model_sha256": model.sha256,
        "length": length,
        "windows of a document": each,
        "documents": [d.name for d in chosen],
    } | model.recorded
    return data, said


# From a record of `tapa measure`, whose windows are each of another text: no window is read again.


SHAPES_SUMMARY = schemas.FORMULA_SHAPES
QUARTILES = (0.25, 0.5, 0.75)


def summarise_shapes(data: xr.Dataset) -> dict[str, Any]:
    """Every shape on a record of `tapa measure`, the window's first token left out, the level free.

    Two curves of each head are fitted. The mean score over all windows, on itself: a record has no mean score of
    single windows. And the curve of the means of queries and keys of every window, which gives nearly all of the mean
    score (`r2_bias`): fitted on the other windows, and on itself.

    Returns:
        Of every weighting and shape, `measured`: quartiles over heads of R^2 of the mean score; `no_intercept`: the
        same with no intercept fitted and the level counted (of models that rotate every pair); `other_texts` and
        `same_text`: median over heads of R^2 of a window's curve of means, mean over windows and ends of its interval
        over them; `less_mu_0`: median over heads of the difference from one fitted mu_0, likewise, on other texts;
        `above_mu_0`: share of heads whose mean score it explains better.

    Raises:
        InputError: two windows are of one document, so that a left-out window would not be unseen text.
    """
    texts = data.window_document.values.tolist()
    if len(set(texts)) < len(texts):
        raise InputError(
            f"{len(texts)} windows are of {len(set(texts))} documents; measure with more texts, or use `tapa formula`"
        )
    x = data.sel(first_token="dropped")
    found: dict[str, Any] = {
        "model": str(data.attrs["model"]), "heads": x.sizes["layer"] * x.sizes["head"], "texts": texts,
        "length": x.sizes["distance"], "means_explain": float(x.r2_bias.sel(weighting="log").median()), "shapes": {},
    }  # fmt: skip
    for weighting in WEIGHTINGS:
        tables = [_of_layer(x.sel(layer=layer), weighting) for layer in x.layer.values]
        r2 = {shape: _r2_of_record(tables, shape) for shape in SHAPES}
        strict = {shape: _r2_without_intercept(tables, shape) for shape in SHAPES}
        base = r2[FITTED]
        found["shapes"][weighting] = {
            shape: {
                "free": formula_fit.FREE[shape],
                "measured": np.quantile(measured[np.isfinite(measured)], QUARTILES).tolist(),
                "no_intercept": np.quantile(strict[shape][np.isfinite(strict[shape])], QUARTILES).tolist(),
                "other_texts": _over_texts(_median(other)),
                "same_text": _over_texts(_median(own)),
                "less_mu_0": _over_texts(_median(other - base[1])),
                "above_mu_0": float(np.mean(measured > base[0])),
            }
            for shape, (measured, other, own) in r2.items()
        }
    return found


def _over_texts(values: np.ndarray) -> list[float]:
    over = of_mean(values)
    return [over.value, over.low, over.high]


def _of_layer(
    x: xr.Dataset, weighting: str
) -> tuple[formula_fit.ShapeProducts, formula_fit.ShapeProducts, np.ndarray]:
    """Products of a layer's mean score, as that of every window; of its curves of means; and the means."""
    window = float(x.sliding_window)
    last = decomposition.reach(x.sizes["distance"], None if np.isnan(window) else int(window))
    distance, omega = np.arange(1, last + 1, dtype=float), x.omega.values
    mu, nu = (
        float(x.scale) * x[name].sel(part="all").transpose("window", "head", "pair").values.astype(float)
        for name in ("mu_window", "nu_window")
    )
    angle = np.outer(omega, distance)
    of, weight = formula_fit.distance_functions(omega, distance), decomposition.weights(distance, weighting)
    measured = x.measured.transpose("head", "distance").values[None, :, 1 : last + 1]
    return (
        formula_fit.shape_products(np.repeat(measured, len(mu), axis=0), of, weight),
        formula_fit.shape_products(mu @ np.cos(angle) + nu @ np.sin(angle), of, weight),
        mu - 1j * nu,
    )


def _r2_of_record(
    tables: Sequence[tuple[formula_fit.ShapeProducts, formula_fit.ShapeProducts, np.ndarray]], shape: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R^2 of each head: of its mean score, (heads); of its curves of means from other windows and from their own,
    (heads, windows)."""

    def r2(table: formula_fit.ShapeProducts, means: np.ndarray, to_fit: list[int], scored: int) -> np.ndarray:
        of = formula_fit.shape_coefficients(shape, INTERCEPTS[0], table, means, to_fit)
        rest = formula_fit.left_over(table.centred, of, [scored])[:, 0, 0]
        return _ratio(rest, table.centred.windows[:, scored, scored])

    measured, other, own = [], [], []
    for curve, of_means, means in tables:
        every = list(range(len(means)))
        measured.append(r2(curve, means, every, 0))
        other.append([r2(of_means, means, [w for w in every if w != out], out) for out in every])
        own.append([r2(of_means, means, [out], out) for out in every])
    return np.concatenate(measured), np.concatenate(other, axis=1).T, np.concatenate(own, axis=1).T


def _r2_without_intercept(
    tables: Sequence[tuple[formula_fit.ShapeProducts, formula_fit.ShapeProducts, np.ndarray]], shape: str
) -> Rows:
    """R^2 of each head's mean score with its level counted and no intercept fitted."""
    found = []
    for curve, _, means in tables:
        of = formula_fit.shape_coefficients(shape, INTERCEPTS[2], curve, means, range(len(means)))
        rest = formula_fit.left_over(curve, of, [0])[:, 0, 0]
        found.append(_ratio(rest, curve.centred.windows[:, 0, 0]))
    return np.concatenate(found)


def record(*, smollm2: xr.Dataset) -> dict[str, Any]:
    """`summarise_shapes` of the real model's record."""
    return summarise_shapes(smollm2)
