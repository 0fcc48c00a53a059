"""Which curve over distance a head's mean score is: the formula of v1 with measured and fitted means, and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from figures.findings.finding import (
    FEWEST,
    FOLDER,
    Finding,
    Value,
    capital,
    content,
    label_part,
    number,
    percent,
    triple,
)

RECORD, FIGURE = "summaries/formula_shapes.json", "fig_33_mean_score_shapes"
FITS, FITS_REAL = "trained/formula_fit.nc", "trained/formula_fit_smollm2.nc"
REAL = "SmolLM2-135M-Instruct (Q4_1 weights)"
OVER_TEXTS = "median over {heads} heads, mean over {texts} texts [95 %, Student's t over texts]"
NAMES = {
    "plug": "plug-in means",
    "fitted": "formula, mu_0",
    "log": "logarithm",
    "line": "straight line",
    "squared": "formula, base squared",
    "root": "formula, root of the base",
    "both": "formula, mu_0 and nu_0",
    "quadratic": "logarithm and its square",
    "pairs": "every pair's means",
}


def _shapes(weighting: str) -> Mapping[str, Any]:
    shapes = content(RECORD)["shapes"][weighting]
    return {key: shapes[name] for key, name in NAMES.items()}


def _unseen(weighting: str, *keys: str) -> dict[str, Value]:
    return {key: triple(_shapes(weighting)[key]["other_texts"], ".3f") for key in keys}


def _real_size() -> dict[str, Value | str | int]:
    record = content(RECORD)
    return {
        "model": REAL,
        "heads": record["heads"],
        "texts": len(record["texts"]),
        "others": len(record["texts"]) - 1,
        "means": percent(record["means_explain"], digits=1),
    }


def real_formula_findings() -> Iterator[Finding]:
    """SmolLM2-135M-Instruct, from the record of its heads: fitted on seven texts, scored on the eighth."""
    size, octaves, distances = _real_size(), _shapes("log"), _shapes("uniform")
    yield Finding(
        "formula-fitted",
        "In {model}, with one mu_0 fitted to each head on {others} texts, v1's formula explains {fitted} of the "
        "head's curve on another text; with the measured means put in, {plug}; a logarithm, which has one "
        "coefficient as well, explains {log}, a straight line {line} (R² over distance with the level free, octaves "
        "of distance alike; of "
        "the curve that the means of queries and keys give, {means} of the mean score; " + OVER_TEXTS + ").",
        RECORD,
        size | _unseen("log", "fitted", "plug", "log", "line"),
        FIGURE,
    )
    yield Finding(
        "formula-fitted-by-distance",
        "In {model}, with every distance weighted alike, what v1's formula explains of a head's curve on unseen text "
        "is {fitted} with a fitted mu_0 and {plug} with the measured means, a logarithm {log} and a straight line "
        "{line} "
        "(level free; " + OVER_TEXTS + ").",
        RECORD,
        size | _unseen("uniform", "fitted", "plug", "log", "line"),
        FIGURE,
    )
    yield Finding(
        "formula-mean-score",
        "Fitted to the mean score of {model} itself, on the texts that it is scored on, one mu_0 explains a median "
        "of {fitted} (quartiles {fitted_low} and {fitted_high} over {heads} heads) and a logarithm {log} ({log_low} "
        "and {log_high}) with octaves alike, {fitted_far} and {log_far} with distances alike. Without an intercept "
        "and with the level counted the fitted mu_0 explains {fitted_strict} with octaves alike, mu_0 and nu_0 "
        "{both_strict}, every pair's means {pairs_strict}.",
        RECORD,
        size
        | {
            f"{key}{end}": number(octaves[key]["measured"][i], 3)
            for key in ("fitted", "log")
            for i, end in enumerate(("_low", "", "_high"))
        }
        | {f"{key}_far": number(distances[key]["measured"][1], 3) for key in ("fitted", "log")}
        | {f"{key}_strict": number(octaves[key]["no_intercept"][1]) for key in ("fitted", "both", "pairs")},
        FIGURE,
    )


def formula_control_findings() -> Iterator[Finding]:
    """The same beside its controls: a logarithm, a wrong base, every pair's means, the text's own fit."""
    size, octaves, distances = _real_size(), _shapes("log"), _shapes("uniform")
    yield Finding(
        "formula-against-logarithm",
        "In {model} the logarithm less the fitted mu_0 is {octaves} in R² on unseen text with octaves alike and "
        "{distances} with distances alike ("
        + OVER_TEXTS
        + "), and it explains the mean score better in {above} of the heads with "
        "octaves alike, in {above_far} with distances alike.",
        RECORD,
        size
        | {"octaves": triple(octaves["log"]["less_mu_0"], "+.3f")}
        | {"distances": triple(distances["log"]["less_mu_0"], "+.3f")}
        | {
            "above": percent(octaves["log"]["above_mu_0"]),
            "above_far": percent(distances["log"]["above_mu_0"]),
        },
        FIGURE,
    )
    yield Finding(
        "formula-two-coefficients",
        "In {model}, with two coefficients, the formula (mu_0 and nu_0) explains {both} of a head's curve on unseen "
        "text and the logarithm with its square {quadratic}, octaves alike; {both_far} and {quadratic_far} with "
        "distances alike (" + OVER_TEXTS + ").",
        RECORD,
        size
        | _unseen("log", "both", "quadratic")
        | {f"{key}_far": value for key, value in _unseen("uniform", "both", "quadratic").items()},
        FIGURE,
    )
    yield Finding(
        "formula-wrong-base",
        "In {model}, with a base that the model does not have, one fitted mu_0 explains {squared} (the base squared) "
        "and {root} "
        "(its root) where the model's own gives {fitted}, octaves alike (" + OVER_TEXTS + ").",
        RECORD,
        size | _unseen("log", "squared", "root", "fitted"),
        FIGURE,
    )
    yield Finding(
        "formula-every-pair",
        "In {model} the means of every pair, measured on {others} texts and put in one by one without Assumption 2.1 "
        "and without a fit, explain {pairs} of a head's curve on another text (" + OVER_TEXTS + ").",
        RECORD,
        size | {"pairs": triple(octaves["pairs"]["other_texts"], ".3f")},
        FIGURE,
    )
    yield Finding(
        "formula-own-text",
        "In {model}, fitted on the text that it is scored on, one mu_0 explains {own}, and fitted on others {fitted} ("
        + OVER_TEXTS
        + ", octaves alike): the choice of text hardly moves the fit.",
        RECORD,
        size | {"own": triple(octaves["fitted"]["same_text"], ".3f")}
        | {"fitted": triple(octaves["fitted"]["other_texts"], ".3f")},
        FIGURE,
    )  # fmt: skip


def unseen_formula_findings() -> Iterator[Finding]:
    """SmolLM2-135M-Instruct: its mean score on unseen text, window by window, and how far texts differ."""
    data = _fits(FITS_REAL)
    model = data["model"].values.item()
    size = _size(data, model) | {"model": REAL, "unit": "tokens"}
    yield _unseen_finding("formula-unseen", FITS_REAL, data, model, size)
    yield _texts_finding("texts-differ-smollm2", FITS_REAL, data, model, size)


def small_formula_findings() -> Iterator[Finding]:
    """Every small model that rotates: mean scores on unseen text, and how far texts differ."""
    data = _fits(FITS)
    for model in data["model"].values.tolist():
        label = label_part(model.lower().replace(", ", "-").replace(" ", "-"))
        size = _size(data, model) | {"model": f"{capital(model)} (seed 0)", "unit": "bytes"}
        yield _unseen_finding(f"formula-small-{label}", FITS, data, model, size)
        yield _texts_finding(f"texts-differ-{label}", FITS, data, model, size)


def _fits(name: str) -> xr.Dataset:
    with xr.open_dataset(FOLDER / name) as file:
        data = file.load()
    return data.assign_attrs(documents=data.sizes["document"])


def _unseen_finding(
    label: str, record: str, data: xr.Dataset, model: str, size: Mapping[str, Value | str | int]
) -> Finding:
    """What every shape explains of the mean score on unseen text."""
    unseen = data.sel(model=model, weighting="log", trained_on="all other texts")
    at, strict = (unseen.sel(intercept=name) for name in ("level free", "no intercept"))
    return Finding(
        label,
        "{model}: on unseen text one fitted mu_0 explains {fitted} over texts ({windows} over windows of these texts) "
        "of the mean score, a logarithm {log}, one mu_0 with the root of the base {root}, mu_0 and nu_0 {both}, a "
        "logarithm with its square {quadratic}, the measured means {plug}, every pair's means {pairs}; without an "
        "intercept and with the level counted the fitted mu_0 explains {strict} (R² over distance, octaves alike, "
        "noise of windows taken out; median over {heads} heads, mean over {texts} documents of {each} windows of "
        "{length} {unit}{brackets}).",
        record,
        {
            **size,
            **{key: _ends(at.sel(shape=name), "r2_median") for key, name in NAMES.items()},
            "windows": _ends(at.sel(shape=NAMES["fitted"]), "r2_median", "_window"),
            "strict": _ends(strict.sel(shape=NAMES["fitted"]), "r2_median"),
            "brackets": " [95 %, Student's t]"
            if data.sizes["document"] >= FEWEST
            else " [95 %, Student's t, over windows alone: two documents give no useful interval]",
        },
        FIGURE,
    )


def _texts_finding(
    label: str, record: str, data: xr.Dataset, model: str, size: Mapping[str, Value | str | int]
) -> Finding:
    """How far two numbers of a head differ between documents, by their errors over windows."""
    found = _statistics(data, model)
    shares = {key: _share(one) for key, one in found.items()}
    return Finding(
        label,
        "{model}: the slope of the mean score against ln(distance) differs between two documents by more than two "
        "combined standard errors over their windows in {slope} of the heads, the share of the score's variance "
        "between distances in {share}; chance would give {chance} ({texts} documents, every pair of them, {each} "
        "windows of {length} {unit} each{interval}). The spread over documents is {ratio} and "
        "{ratio_share} times the error over windows in the median head.",
        record,
        {
            **size,
            **shares,
            "ratio": number(float(found["slope"].error_ratio), 1),
            "ratio_share": number(float(found["share"].error_ratio), 1),
            "chance": percent(float(data.texts_differ_by_chance.sel(model=model))),
            "interval": "; interval by leaving out one document" if data.sizes["document"] > 2 else "",
        },
        FIGURE,
    )


def _share(at: xr.Dataset) -> Value:
    """Share of heads between none and all, with its interval unless two documents have none."""
    ends = [float(at[f"texts_differ_{end}"]) for end in ("low", "high")]
    known = [] if np.isnan(ends).any() else [min(max(end, 0.0), 1.0) for end in ends]
    return percent(float(at.texts_differ), *known)


def _size(data: xr.Dataset, model: str) -> dict[str, Value | str | int]:
    return {
        "heads": int((data.row_model == model).sum()),
        "texts": data.sizes["document"],
        "each": int(data.windows_each.sel(model=model)),
        "length": int(data.window_length.sel(model=model)),
    }


def _statistics(data: xr.Dataset, model: str) -> dict[str, xr.Dataset]:
    names = {"slope": "log slope", "share": "distance share"}
    return {key: data.sel(model=model, statistic=name) for key, name in names.items()}


def _ends(at: xr.Dataset, name: str, over: str = "") -> Value:
    """A value with its interval over windows ("_window") or over texts, of which `FEWEST` give one."""
    ends = [float(at[f"{name}{over}_{end}"]) for end in ("low", "high")]
    known = bool(over) or int(at.attrs["documents"]) >= FEWEST
    return triple([float(at[name]), *(ends if known else (None, None))], ".3f")
