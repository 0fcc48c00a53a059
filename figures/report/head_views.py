"""What a page shows of a record's heads: curves in bins of distance, fits, pairs, and predictions beyond the context.

Everything is of the record without its first token. Distances go as far as the shares do (`decomposition.reach`): half
a window of text, or all that a layer with a sliding window attends to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.errors import InputError
from analysis.heads import formula_fit
from analysis.heads.beyond_context import LayerMeans, mean_turns, octave_bins, under_extensions
from analysis.heads.decomposition import reach, weights
from analysis.studies.distance_bias import measured_gap, undefined_heads
from analysis.theory.frequencies import Frequencies

TIMES = 4  # the context: how far predictions go, and the factor of extensions
SHOWN_RISE = 0.5  # standard deviations: a predicted rise beyond the context that is counted


@dataclass(frozen=True)
class Quantity:
    """A number of every head.

    Attributes:
        key: in CSV files.
        title: for a reader.
        units: "1" for a plain number.
        values: (layers, heads); nan where a head has none.
        ends: of the scale of colours; None for the values' own 2 % and 98 % quantiles.
    """

    key: str
    title: str
    units: str
    values: Float[np.ndarray, "layers heads"]
    ends: tuple[float, float] | None = None

    @property
    def scale(self) -> tuple[float, float]:
        """Ends of the scale of colours, the first below the second."""
        if self.ends is not None:
            return self.ends
        known = self.values[np.isfinite(self.values)]
        if not known.size:
            return 0.0, 1.0
        low, high = (float(x) for x in np.quantile(known, (0.02, 0.98)))
        return (low, high) if high > low else (low - 0.5, low + 0.5)


@dataclass(frozen=True)
class HeadViews:
    """All that is shown of a record.

    Attributes:
        quantities: numbers of every head, one map each.
        arrays: by name, heads (layer by layer) or layers or types of layers first; see `head_views`.
        extensions: titles of the extensions of each type of layers.
        context: tokens; None where the record does not say it.
    """

    quantities: list[Quantity]
    arrays: Mapping[str, np.ndarray]
    extensions: list[list[str]]
    context: int | None


def head_views(record: xr.Dataset) -> HeadViews:
    """The views of a record of `tapa measure`.

    Arrays: bin_first, bin_stop, at (bins); measured, low, high, error, bias, shuffled (heads, bins); formula_shape
    (types, bins) and log_shape (1, bins) with formula_level, formula_mean, log_level, log_slope (heads); mu, nu,
    mu_se, nu_se (heads, pairs), wavelength (types, pairs); kind, scale, window (layers), rest (heads); and, where the
    context is known, beyond_first, beyond_stop, beyond_at (bins), beyond_cos, beyond_sin (types, extensions, bins,
    pairs), gain (types, extensions).

    Raises:
        InputError: the windows are too short for a curve.
    """
    data = record.sel(first_token="dropped")
    types, kind = layer_types_of(record)
    found, fits = _curves(data), _fits(data)
    arrays = found | {name: value for name, value in fits.items() if not name.startswith("r2")}
    first, stop = found["bin_first"], found["bin_stop"]
    shape = [np.real(mean_turns(types[k].omega, first, stop)).sum(axis=1) for k in range(len(types))]
    arrays |= {"formula_shape": np.array(shape), "log_shape": _mean_log(first, stop)[None], "kind": kind}
    for name in ("mu", "nu", "mu_se", "nu_se"):
        values = data[name].sel(part="all").values
        arrays[name] = values.reshape(-1, values.shape[-1])
    with np.errstate(divide="ignore"):
        arrays["wavelength"] = np.array([2 * np.pi / f.omega for f in types])
    arrays |= {"scale": data.scale.values, "window": data.sliding_window.values}
    means = [means_of_layer(data, layer, types[kind[layer]]) for layer in range(data.sizes["layer"])]
    arrays["rest"] = np.concatenate([one.rest for one in means])
    context = record.attrs.get("context_length")
    quantities = _quantities(data, fits)
    titles: list[list[str]] = [[] for _ in types]
    if context is not None:
        extended = [under_extensions(f, int(context), TIMES) for f in types]
        titles = [list(one) for one in extended]
        arrays |= _beyond(types, extended, int(context))
        quantities.append(_rises(data, means, int(context)))
    return HeadViews(quantities, arrays, titles, None if context is None else int(context))


def layer_types_of(record: xr.Dataset) -> tuple[list[Frequencies], np.ndarray]:
    """The different frequencies of a record, and which of them each layer has.

    Records of before 2026-11-28 do not name the rope type; theirs counts as plain RoPE, which their frequencies tell.
    """
    omega = record.omega.values
    factor = record.attention_factor.values if "attention_factor" in record else np.ones(len(omega))
    _, first, kind = np.unique(
        np.column_stack([omega, factor]), axis=0, return_index=True, return_inverse=True
    )
    types = []
    for layer in first:
        size = int(record.head_dim[layer]) if "head_dim" in record else 2 * omega.shape[1]
        found = Frequencies(omega[layer], size, attention_factor=float(factor[layer]))
        name = str(record.rope_type[layer].item()) if "rope_type" in record else found.kind
        types.append(replace(found, kind=name))
    return types, kind.reshape(-1)


def _curves(data: xr.Dataset) -> dict[str, np.ndarray]:
    """Curves in bins of distance: mean, and of the measured one the least, the greatest and the mean standard error."""
    length = data.sizes["distance"]
    last = [reach(length, None if np.isnan(w) else int(w)) for w in data.sliding_window.values]
    if max(last) < 1:
        raise InputError(f"windows of {length} tokens have no distance to show; measure longer ones")
    first, stop = octave_bins(max(last))
    found = {"bin_first": first, "bin_stop": stop, "at": np.exp(_mean_log(first, stop))}
    for name, of, reduce in (
        ("measured", "measured", np.add),
        ("low", "measured", np.minimum),
        ("high", "measured", np.maximum),
        ("error", "measured_se", np.add),
        ("bias", "bias", np.add),
        ("shuffled", "shuffled", np.add),
    ):
        rows = []
        for layer, end in enumerate(last):
            values = data[of].values[layer].astype(np.float64)[:, : end + 1]
            own = first[first <= end]
            binned = reduce.reduceat(values, own, axis=-1) if len(own) else np.empty((len(values), 0))
            if reduce is np.add and len(own):
                binned = binned / np.diff(np.append(own, end + 1))
            rows.append(np.pad(binned, ((0, 0), (0, len(first) - len(own))), constant_values=np.nan))
        found[name] = np.concatenate(rows)
    return found


def _mean_log(first: np.ndarray, stop: np.ndarray) -> Float[np.ndarray, " bins"]:
    """Mean of ln(distance) over the whole distances of every bin."""
    return np.array([np.log(np.arange(a, b)).mean() for a, b in zip(first, stop, strict=True)])


def _fits(data: xr.Dataset) -> dict[str, np.ndarray]:
    """The formula with a fitted mu_0 and a logarithm, each with an intercept, octaves of distance weighted alike."""
    length, pairs = data.sizes["distance"], data.sizes["pair"]
    found: dict[str, list[np.ndarray]] = {
        name: []
        for name in ("formula_level", "formula_mean", "r2_formula", "log_level", "log_slope", "r2_logarithm")
    }
    for layer, window in enumerate(data.sliding_window.values):
        distance = np.arange(1.0, reach(length, None if np.isnan(window) else int(window)) + 1)
        measured = data.measured.values[layer][:, 1 : len(distance) + 1].astype(np.float64)
        table = formula_fit.shape_products(
            measured[None],
            formula_fit.distance_functions(data.omega.values[layer], distance),
            weights(distance, "log"),
        )
        whole = table.centred.windows[:, 0, 0]
        unused = np.zeros((1, len(measured), pairs), dtype=complex)  # means decide none of these two shapes
        for shape, key in ((formula_fit.FITTED, "formula"), (formula_fit.LOGARITHM, "log")):
            of = formula_fit.shape_coefficients(shape, formula_fit.INTERCEPTS[1], table, unused, [0])
            left = formula_fit.left_over(table.centred, of, [0])[:, 0, 0]
            found[f"{key}_level"].append(of[:, 0])
            with np.errstate(divide="ignore", invalid="ignore"):
                found["r2_formula" if key == "formula" else "r2_logarithm"].append(
                    np.where(whole > 0, 1 - left / whole, np.nan)
                )
            slope = formula_fit.fitted_mean(of) if key == "formula" else formula_fit.log_slopes(table)[:, 0]
            found["formula_mean" if key == "formula" else "log_slope"].append(slope)
    return {
        name: np.stack(rows) if name.startswith("r2") else np.concatenate(rows)
        for name, rows in found.items()
    }


def means_of_layer(data: xr.Dataset, layer: int, frequencies: Frequencies) -> LayerMeans:
    """A layer's means; what is not rotated is what the bias has at distance 0 beside the pairs' own."""
    x = data.isel(layer=layer)
    mu, nu = (x[name].sel(part="all").values.astype(np.float64) for name in ("mu", "nu"))
    scale = float(x.scale)
    rest = x.bias.values[:, 0].astype(np.float64) - scale * mu.sum(axis=1)
    return LayerMeans(frequencies, mu, nu, scale, rest, x.score_sd.values)


def bins_beyond(context: int) -> dict[str, np.ndarray]:
    """Bins of distance up to `TIMES` the context: the first of each, the one after its last, and where it is drawn."""
    first, stop = octave_bins(TIMES * context - 1, start=16 if context > 64 else 1)
    return {"beyond_first": first, "beyond_stop": stop, "beyond_at": np.sqrt(first * (stop - 1.0))}


def _beyond(
    types: list[Frequencies], extended: list[Mapping[str, Frequencies]], context: int
) -> dict[str, np.ndarray]:
    """Cosines and sines in `bins_beyond` the context, under every extension; padded to the same number of them."""
    bins = bins_beyond(context)
    first, stop = bins["beyond_first"], bins["beyond_stop"]
    most = max(map(len, extended))
    turns = np.zeros((len(types), most, len(first), len(types[0].omega)), dtype=complex)
    gain = np.full((len(types), most), np.nan)
    for k, one in enumerate(extended):
        for e, frequencies in enumerate(one.values()):
            turns[k, e] = mean_turns(frequencies.omega, first, stop)
            gain[k, e] = (frequencies.attention_factor / types[k].attention_factor) ** 2
    return bins | {
        "beyond_cos": np.real(turns),
        "beyond_sin": np.imag(turns),
        "gain": gain,
    }


def _rises(data: xr.Dataset, means: list[LayerMeans], context: int) -> Quantity:
    """Predicted rise beyond the context; nan in a layer with a sliding window, which never attends so far."""
    rows = [
        one.rebound(context, TIMES) if np.isnan(window) else np.full(len(one.rest), np.nan)
        for one, window in zip(means, data.sliding_window.values, strict=True)
    ]
    return Quantity(
        "predicted_rise",
        f"predicted rise of the mean score from {context} to {TIMES * context} tokens",
        "sd of scores",
        np.stack(rows),
    )


def _quantities(data: xr.Dataset, fits: Mapping[str, np.ndarray]) -> list[Quantity]:
    log = data.sel(weighting="log")
    sds = "sd of scores"
    return [
        Quantity(
            "distance_share",
            "share of the scores' variance between distances",
            "1",
            data.distance_share.values,
            (0, 1),
        ),
        Quantity("r2_bias", "R² of the means of queries and keys", "1", log.r2_bias.values, (0, 1)),
        Quantity("r2_formula", "R² of v1's formula, μ₀ fitted here", "1", fits["r2_formula"], (0, 1)),
        Quantity("r2_logarithm", "R² of a logarithm fitted here", "1", fits["r2_logarithm"], (0, 1)),
        Quantity("r2_paper", "R² of v1's formula, measured μ₀ and ν₀", "1", log.r2_paper.values, (0, 1)),
        Quantity("near_far", "near less far mean score", sds, (measured_gap(data) / data.score_sd).values),
        Quantity("score_sd", "standard deviation of the scores", "1", data.score_sd.values),
        Quantity(
            "log_slope",
            "slope of the mean score against ln(distance)",
            "1",
            fits["log_slope"].reshape(data.score_sd.shape),
        ),
    ]


def sentences(record: xr.Dataset, views: HeadViews) -> list[str]:
    """What was found and how sure it is, in three sentences for a reader, and one of heads without a share."""
    data = record.sel(first_token="dropped")
    of = {one.key: one.values for one in views.quantities}
    heads = data.sizes["layer"] * data.sizes["head"]
    windows, length = int(record.attrs["windows"]), data.sizes["distance"]
    share, error = of["distance_share"], data.distance_share_se.values
    undefined = undefined_heads(record)
    if np.isnan(share).all():
        return [f"{undefined}, so that nothing is said of distances.", _beyond_sentence(of, views)]
    low, median, high = np.nanquantile(share, (0.25, 0.5, 0.75))
    sure = (
        f"the standard error of a head's share is {np.nanmedian(error):.3f} in the median head"
        if np.isfinite(error).any()
        else "two windows give no standard error of it"
    )
    texts = len(set(record.window_document.values.tolist())) if "window_document" in record else None
    of_texts = "" if texts is None else f" of {texts} text{'s' if texts > 1 else ''}"
    near = int((of["near_far"] > 0).sum())
    means, beyond = in_percent(float(np.nanmedian(of["r2_bias"])), 1), in_percent(_beyond_errors(data))
    found = [
        f"In the median of {heads} heads {in_percent(median)} of the variance of attention scores lies between "
        f"distances (quartiles {in_percent(low)} and {in_percent(high)}); {sure}, over {windows} windows of {length} "
        f"tokens{of_texts}.",
        f"{near} of {heads} heads score near tokens above far ones on average, and the mean query and the mean key "
        f"alone explain {means} of the median head's mean score by distance (R²); with the tokens shuffled, {beyond} "
        f"of the distances lie more than two standard errors from what the means say, where chance alone gives "
        f"{in_percent(_by_chance(windows))}.",
    ]
    return [*found, *([f"{undefined}."] if undefined else []), _beyond_sentence(of, views)]


def in_percent(share: float, digits: int = 0) -> str:
    """A share for a reader.

    >>> in_percent(0.3846)
    '38 %'
    """
    return f"{100 * share:.{digits}f} %"


def _beyond_errors(data: xr.Dataset) -> float:
    """Share of heads and distances at which the shuffled control lies beyond two standard errors of the bias."""
    from analysis.studies.distance_bias import control_check

    return control_check(data)["share_beyond_2se"]


def _by_chance(windows: int) -> float:
    from scipy import stats

    return float(2 * stats.t.sf(2, windows - 1))


def _beyond_sentence(of: Mapping[str, np.ndarray], views: HeadViews) -> str:
    if views.context is None:
        return (
            "This record does not say the model's context length, so nothing is predicted beyond it; measure the model "
            "again."
        )
    rise = of["predicted_rise"]
    known = np.isfinite(rise)
    if not known.any():
        if np.isfinite(views.arrays["window"]).all():
            return "Every layer has a sliding window, so no head attends to distances beyond the context."
        return "No head whose scores vary attends to distances beyond the context."
    return (
        f"From these means {int((rise[known] > SHOWN_RISE).sum())} of {int(known.sum())} heads are predicted to score "
        f"distances beyond the context of {views.context} tokens more than {SHOWN_RISE:g} standard deviations above "
        f"those just within it, up to {TIMES} times the context and without an extension; that is a prediction from "
        f"the means and not a measurement there."
    )


def where_from(record: xr.Dataset) -> dict[str, Any]:
    """Provenance for a reader, by name."""
    attrs = record.attrs
    wanted = (
        "model", "command", "windows", "context_length", "time", "device", "precision", "threads", "seconds", "seeds",
        "configuration", "versions", "model_sha256", "text_sha256", "commit", "schema",
    )  # fmt: skip
    return {name: attrs[name] for name in wanted if name in attrs}
