"""What prose and tables say of TAPA's trained heads: a few kilobytes out of the records of one checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analysis import schemas
from analysis.heads.phase import octave_means
from analysis.tables import Table

SUMMARY = schemas.PHASE_SUMMARY
SURE = 4.0  # standard errors
SIGNIFICANT = 0.05  # p-value after Holm's adjustment over a model's heads
KINDS = ("no cosine", "cosine by distance", "shuffled phases")
"""What is said of single heads."""
WINDOWS = {
    "within": "Heads in {} windows as long as trained, {} tokens:",
    "long": "The same in {} windows of {} tokens:",
}
"""Lengths of windows in which heads are described, the headline first."""


def summarise_checkpoint(long: xr.Dataset, short: xr.Dataset) -> dict[str, Any]:
    """One checkpoint.

    Args:
        long: of `studies.phase.measure_heads`, windows beyond the trained length.
        short: the same of windows as long as trained, with ablations and what tokens have to do with the phase.
    """
    change = {str(kind): _interval(short.sel(ablation=kind), "change") for kind in short.ablation.values}
    places = [(int(layer), int(head)) for layer in long["layer"].values for head in long["head"].values]
    return {
        "method": long.attrs["method"],
        "steps": int(long.attrs["training_step"]),
        "trained_length": int(long.attrs["trained_length"]),
        "windows": {
            name: [int(x.attrs["windows"]), int(x.attrs["length"])]
            for name, x in (("within", short), ("long", long))
        },
        "loss": _interval(short, "loss"),
        "change": change,
        "exponent_bound": _number(long.exponent_paper[0, 0]),
        "heads": {
            f"{layer}.{head}": _head(*(x.sel(layer=layer, head=head) for x in (long, short)))
            for layer, head in places
        },
        "properties": {str(name): _property(short.sel(property=name)) for name in short.property.values},
    }


def _head(long: xr.Dataset, short: xr.Dataset) -> dict[str, Any]:
    return {
        "within": _windows(short),
        "long": _windows(long),
        "change": {kind: _interval(short.sel(head_ablation=kind), "head_change") for kind in KINDS},
    }


def _windows(x: xr.Dataset) -> dict[str, Any]:
    """One head in windows of one length; octaves are of distance, and of tokens seen for the entropy."""
    length = x.sizes["distance"]
    kept = x.variance_kept.values[1 : length // 2]
    return {
        "phase": {name: _number(x[f"phase_{name}"]) for name in ("mean", "sd")},
        "past_quarter": _number(x.past_quarter_all),
        "cosine_by_octave": octave_means(x.cosine.values, length).tolist(),
        "score_by_octave": octave_means(x.score.values, length).tolist(),
        "score_sd": _number(x.score_sd),
        "slope_by_octave": [_number(value) for value in x.exponent_seen.values],
        "gaussian_slope_by_octave": [_number(value) for value in x.exponent_gaussian.values],
        "gaussian_share": _number(x.gaussian_share),
        "nope_index": [_number(x.nope_index), _number(x.nope_index_se)],
        "variance_kept": {"least": _number(np.nanmin(kept)), "median": _number(np.nanmedian(kept))},
        "entropy": [_number(x.entropy), _number(x.entropy_se)],
        "entropy_by_seen": x.entropy_by_seen.values.tolist(),
    }


def _property(short: xr.Dataset) -> dict[str, Any]:
    """Of one property of token pairs, over all heads.

    mean: over the heads, of the shift of phi, or of |phi|, at equal distance, in sds of phi.
    shifted: heads in which phi, or |phi|, is shifted by `SURE` standard errors or more; largest: of these shifts, in
    sds of phi. told: accuracy of a probe in the median head; beyond_amplitude: heads whose phase tells more than their
    amplitude, by intervals that do not overlap; below_amplitude likewise.
    """
    found: dict[str, Any] = {}
    for name in ("effect", "effect_abs"):
        values, errors = short[name].values, short[f"{name}_se"].values
        sure = np.abs(values) >= SURE * np.where(np.isfinite(errors), errors, np.inf)
        largest = values.flat[np.abs(np.where(sure, values, 0.0)).argmax()] if sure.any() else math.nan
        mean = values[np.isfinite(values)].mean() if np.isfinite(values).any() else math.nan
        found[name] = {"shifted": int(sure.sum()), "largest": _number(largest), "mean": _number(mean)}
    told = {
        str(part): _number(short.told.sel(told_by=part).median(skipna=True)) for part in short.told_by.values
    }
    phase, amplitude = (short.sel(told_by=part) for part in ("phase", "amplitude"))
    return found | {
        "told": told,
        "beyond_amplitude": int((phase.told_low > amplitude.told_high).sum()),
        "below_amplitude": int((phase.told_high < amplitude.told_low).sum()),
    }


def gaps(data: xr.Dataset) -> dict[str, Any]:
    """Figure 1's protocol on trained heads: of each checkpoint, reading and reach what its heads show together.

    mean_over_sd, and of that drift_over_sd and due_over_sd (what distance adds): of each head, layer by layer;
    near_sure, far_sure: heads in which near, or far, scores are higher by the t-test over documents at 5 %, all heads
    of the checkpoint tested at once; due_near_sure, due_far_sure: the same of what distance adds; largest_mean, with
    its interval.
    """
    found: dict[str, Any] = {}
    for name in data.checkpoint.values:
        for reading in data.reading.values:
            for reach in data.reach.values:
                x = data.sel(checkpoint=name, reading=reading, reach=reach).stack(place=("layer", "head"))
                sure, due = (x[name].values < SIGNIFICANT for name in ("t_p_holm", "due_t_p_holm"))
                most = int(np.abs(x["mean"].values).argmax())
                found.setdefault(str(name), {}).setdefault(str(reading), {})[str(int(reach))] = {
                    **{f"{part}_over_sd": _over(x[part], x["sd"]) for part in ("mean", "drift", "due")},
                    "near_sure": int((sure & (x["mean"].values > 0)).sum()),
                    "far_sure": int((sure & (x["mean"].values < 0)).sum()),
                    "due_near_sure": int((due & (x["due"].values > 0)).sum()),
                    "due_far_sure": int((due & (x["due"].values < 0)).sum()),
                    "heads": len(sure),
                    "largest_mean": _interval(x.isel(place=most), "mean"),
                    "sd": [_number(x["sd"].min()), _number(x["sd"].max())],
                    "windows": int(x.windows),
                    "documents": int(x.documents),
                }
    return found


def _over(values: xr.DataArray, unit: xr.DataArray) -> list[float]:
    """The ratio head by head; 0 where there is nothing of either."""
    return np.divide(values.values, unit.values, out=np.zeros(values.shape), where=unit.values > 0).tolist()


def phase_markdown(checkpoints: Mapping[str, Mapping[str, Any]], near_far: Mapping[str, Any]) -> str:
    """The tables that figures do not show, for a reader."""
    lines = ["# What trained heads do with their phase", ""]
    for name, found in checkpoints.items():
        lines += _about(name, found) + _heads(found) + _properties(found)
    return "\n".join(lines + _gaps(near_far)) + "\n"


def _about(name: str, found: Mapping[str, Any]) -> list[str]:
    windows = " and ".join(
        f"{count} windows of {length} tokens" for count, length in found["windows"].values()
    )
    rises = [[kind, _between(ends, 3)] for kind, ends in found["change"].items()]
    return [
        f"## {name}: {found['method']}, {found['steps']} steps at {found['trained_length']} tokens",
        "",
        f"{windows}. Loss {_between(found['loss'], 3)} nats a token, 95 % interval over documents; it rises by",
        "",
        *_table(("taken away", "nats"), rises),
    ]


def _heads(found: Mapping[str, Any]) -> list[str]:
    """A table for each length of window, the trained one first; slopes of log |mean score| against log distance.

    Without a bound by eq 14, as with a linear phase, there is no column of it.
    """
    bound = found["exponent_bound"]
    header = (
        "head", "phi, sd", "past a quarter", "cos at 1", "cos at far", "slope seen", "slope, Gaussian",
        *([] if bound is None else [f"bound (eq 14: {bound:g}) met in"]),
        "Gaussian share", "NoPE index", "Var kept, least", "median", "entropy", "loss without cosine",
    )  # fmt: skip
    lines: list[str] = []
    for name, words in WINDOWS.items():
        rows = []
        for head, of in found["heads"].items():
            x = of[name]
            slopes = [value for value in x["slope_by_octave"] if value is not None]
            met = [] if bound is None else [sum(value <= bound for value in slopes)]
            rows.append(
                [
                    head, f"{x['phase']['mean']:+.3f}, {x['phase']['sd']:.3f}", f"{x['past_quarter']:.2f}",
                    *(f"{x['cosine_by_octave'][i]:+.2f}" for i in (0, -1)), _range(slopes),
                    _range(x["gaussian_slope_by_octave"]),
                    *(f"{steps} of {len(x['slope_by_octave'])} steps" for steps in met),
                    _shown(x["gaussian_share"]), f"{x['nope_index'][0]:.2f}",
                    *(f"{x['variance_kept'][n]:.2f}" for n in ("least", "median")), f"{x['entropy'][0]:.2f}",
                    _between(of["change"]["no cosine"], 3),
                ]
            )  # fmt: skip
        lines += [words.format(*found["windows"][name]), "", *_table(header, rows)]
    return lines


def _properties(found: Mapping[str, Any]) -> list[str]:
    """Shifts are at equal distance; a head counts at 4 standard errors or more."""
    header = (
        "pairs with", "heads with phi shifted", "most (sd)", "heads with |phi| shifted", "most (sd)",
        "told by phase", "by amplitude", "controls", "phase tells more in", "less in",
    )  # fmt: skip
    rows = [
        [
            name, str(x["effect"]["shifted"]), _shown(x["effect"]["largest"]), str(x["effect_abs"]["shifted"]),
            _shown(x["effect_abs"]["largest"]), _shown(x["told"]["phase"]), _shown(x["told"]["amplitude"]),
            ", ".join(_shown(x["told"][f"{part}, control"]) for part in ("phase", "amplitude")),
            str(x["beyond_amplitude"]), str(x["below_amplitude"]),
        ]
        for name, x in found["properties"].items()
    ]  # fmt: skip
    return _table(header, rows)


def _gaps(near_far: Mapping[str, Any]) -> list[str]:
    header = (
        "model",
        "reading",
        "reach",
        "near above far",
        "far above near",
        "mean over sd, all heads",
        "largest mean",
    )
    rows = [
        [
            name, reading, reach, f"{x['near_sure']} of {x['heads']} heads", f"{x['far_sure']} of {x['heads']}",
            _range(x["mean_over_sd"]), _between(x["largest_mean"], 2),
        ]
        for name, readings in near_far.items()
        for reading, reaches in readings.items()
        for reach, x in reaches.items()
    ]  # fmt: skip
    return ["## Near less far scores (the paper's figure 1)", "", *_table(header, rows)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [*Table(header, rows).markdown().split("\n"), ""]


def _range(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    return f"{min(there):+.2f} to {max(there):+.2f}" if there else "-"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _between(values: Sequence[float | None], digits: int) -> str:
    """A mean and the ends of its interval."""
    mean, low, high = ("-" if value is None else f"{value:.{digits}f}" for value in values)
    return f"{mean} ({low} to {high})"


def _interval(data: xr.Dataset, name: str) -> list[float | None]:
    """Mean, low and high end; the interval of "mean" itself is in "low" and "high"."""
    ends = ("low", "high") if name == "mean" else (f"{name}_low", f"{name}_high")
    return [_number(data[key]) for key in (name, *ends)]


def _number(value: float | np.ndarray | xr.DataArray) -> float | None:
    """None for what is not finite."""
    number = float(value)
    return number if math.isfinite(number) else None


def record(*, trained_gaps: xr.Dataset, **records: xr.Dataset) -> dict[str, Any]:
    """What is said of every checkpoint, and of near and far scores.

    Args:
        trained_gaps: of `near_far.trained_gaps`.
        records: for each checkpoint "phase-NAME" of long windows and "phase_short-NAME" of short ones.
    """
    names = [key.removeprefix("phase-") for key in records if key.startswith("phase-")]
    return {
        "checkpoints": {
            name: summarise_checkpoint(records[f"phase-{name}"], records[f"phase_short-{name}"])
            for name in names
        },
        "near_far": gaps(trained_gaps),
    }


def phase_table_files(content: Mapping[str, Any]) -> dict[str, str]:
    """The tables that no figure shows."""
    return {"phase_heads.md": phase_markdown(content["checkpoints"], content["near_far"])}
