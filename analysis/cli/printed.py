"""What the commands print of their records, for a reader and as plain numbers for JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.studies.equal_dose import CONTRASTS
from analysis.studies.extrapolation_bias import OBSERVED

Numbers = dict[str, Any]


def bias_text(content: Numbers) -> str:
    """For a reader."""
    rows, summary = content["rows"], content["summary"]
    lines = [f"{'run':30s}{'rise':>8s}" + "".join(f"{name:>15s}" for name in OBSERVED)]
    for name, found in rows.items():
        observed = "".join(f"{_three_decimals(found['observed'][key]):>15s}" for key in OBSERVED)
        lines.append(f"{name:30s}{found['rise']:8.3f}{observed}")
    lines.append(f"\nSpearman with the rise of the loss, bits per byte; {summary['runs']} runs from scratch")
    lines += [f"{'':16s}{'over runs':>28s}{'within methods':>28s}"]
    for name, found in summary["correlations"].items():
        lines.append(
            f"{name:16s}" + "".join(f"{_estimate(found[k]):>28s}" for k in ("over_runs", "within_methods"))
        )
    lines.append("\nbits per byte recovered at the longest length, mean over seeds at the chosen rate")
    lines.append(
        f"{'':40s}{'recovered':>28s}{'share of those lost':>28s}{'lost':>8s}{'seeds':>7s}{'far mass':>9s}"
    )
    for variant, cells in summary["altered"].items():
        longest = max(cell["length"] for cell in cells)
        lines += [_cell(variant, cell) for cell in cells if cell["length"] == longest]
    lines.append("\none intervention less another: recovered share and far mass")
    for variant, found in summary["contrasts"].items():
        longest = max(one["length"] for one in found)
        lines += [_contrast(variant, one) for one in found if one["length"] == longest]
    if summary["excluded"]:
        lines.append("\ndid not learn, and not among these: " + ", ".join(summary["excluded"]))
    if content["left_out"]:
        lines.append(
            "\nleft out: " + "; ".join(f"{name} ({why})" for name, why in content["left_out"].items())
        )
    return "\n".join(lines)


def _cell(variant: str, cell: Numbers) -> str:
    share = "-" if cell["share"] is None else _interval(cell["share"])
    return (
        f"{variant:16s}{cell['kind']:18s}{cell['length']:6d}{_interval(cell['back']):>28s} {share:>28s}"
        f"{cell['lost'][0]:8.3f}{cell['seeds']:7d}{cell['far_mass'][0]:9.3f}"
    )


def _contrast(variant: str, found: Numbers) -> str:
    one, other = CONTRASTS[found["contrast"]]
    return (
        f"{variant:16s}{f'{one} less {other}':40s}{_interval(found['share']):>28s}{found['far_mass'][0]:+9.3f}"
        f"{found['seeds']:7d} seeds, {found['matched']} of equal dose"
    )


def _estimate(found: Numbers | None) -> str:
    return "too few" if found is None else _interval([found["value"], found["low"], found["high"]])


def _interval(ends: list[float | None]) -> str:
    value, low, high = ends
    inside = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return f"{_three_decimals(value)}{inside}"


def _three_decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# What `tapa formula` prints: R^2 on a text that was not fitted on, each octave of distance weighted alike.


def formula_numbers(data: xr.Dataset, record: Path) -> Numbers:
    """Of each model and shape the median over heads with its ends over documents; what is not finite is None."""
    return {"record": str(record)} | {
        model: {
            shape: [
                _finite_or_none(at[name].sel(shape=shape))
                for name in ("r2_median", "r2_median_low", "r2_median_high")
            ]
            for shape in at["shape"].values.tolist()
        }
        for model, at in _unseen(data)
    }


def formula_text(data: xr.Dataset) -> str:
    """For a reader."""
    lines = [
        "R^2 over distance on unseen text, the level free: median over heads, mean over documents [95 %]"
    ]
    for model, at in _unseen(data):
        lines += [
            f"\n{model}",
            f"{'shape':28s}{'fitted':>8s}{'R^2':>26s}{'less mu_0':>26s}{'heads above':>13s}",
        ]
        for shape in at["shape"].values:
            one = at.sel(shape=shape)
            ends = [
                _interval([float(one[f"{name}{end}"]) for end in ("", "_low", "_high")])
                for name in ("r2_median", "difference")
            ]
            lines.append(
                f"{shape!s:28s}{int(one.free):8d}{ends[0]:>26s}{ends[1]:>26s}{float(one.heads_above):13.0%}"
            )
    return "\n".join(lines)


def _unseen(data: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    at = data.sel(intercept="level free", weighting="log", trained_on="all other texts")
    return [(str(model), at.sel(model=model)) for model in at["model"].values]


# What `tapa phase` prints: the heads ranked by what they lose, one line each, or one head at length.


RANKED_BY = "no cosine"
COLUMNS = ("phase_mean", "phase_sd", "past_quarter_all", "nope_index", "gaussian_share", "entropy")
AT = (1, 16, 256, 2048)  # distances shown of one head


def phase_numbers(data: xr.Dataset, record: Path) -> dict[str, Any]:
    """The numbers that are printed; what is not finite is None."""
    found: dict[str, Any] = {"record": str(record), "method": data.attrs["method"]}
    found["step"] = int(data.attrs["training_step"])
    if "change" in data:
        found["loss"] = _finite_or_none(data.loss)
        found["change"] = {
            str(kind): [
                _finite_or_none(data[name].sel(ablation=kind))
                for name in ("change", "change_low", "change_high")
            ]
            for kind in data.ablation.values
        }
    found["heads"] = [
        {"layer": layer, "head": head} | {name: _finite_or_none(value) for name, value in numbers.items()}
        for layer, head, numbers in _heads(data)
    ]
    return found


def phase_text(data: xr.Dataset) -> str:
    """For a reader."""
    lines = [
        f"{data.attrs['method']} after {data.attrs['training_step']} steps, trained at {data.attrs['trained_length']} "
        f"tokens; {data.attrs['windows']} windows of {data.attrs['length']} tokens"
    ]
    if "change" in data:
        lines.append(
            f"loss {float(data.loss):.4f} nats a token at {data.attrs['trained_length']} tokens; rises by"
        )
        for kind in data.ablation.values:
            low, high = (float(data[f"change_{end}"].sel(ablation=kind)) for end in ("low", "high"))
            value = float(data.change.sel(ablation=kind))
            lines.append(f"    {value:8.4f}  [{low:.4f}, {high:.4f}]  {kind}")
    rows = _heads(data)
    lines.append("head      " + "".join(f"{name:>18}" for name in rows[0][2]))
    lines += [
        f"{f'{layer}.{head}':10}" + "".join(f"{value:18.4f}" for value in numbers.values())
        for layer, head, numbers in rows
    ]
    if len(rows) == 1:
        lines += _one(data.isel(layer=0, head=0))
    return "\n".join(lines)


SHOWN = ("bits/", "near_far/distances/", "change/", "raises/", "lowers/")


def phase_seeds_text(content: Numbers) -> str:
    """What is pooled over seeds, for a reader: a line a quantity, a column a variant."""
    summary = content["summary"]
    variants = list(summary["over_seeds"])
    lines = ["mean over seeds [95 %, Student's t over seeds]"]
    columns = [f"{variant} ({len(summary['seeds'][variant])})" for variant in variants]
    lines.append(f"{'':44s}" + "".join(f"{column:>28s}" for column in columns))
    names = dict.fromkeys(
        name for v in variants for name in summary["over_seeds"][v] if name.startswith(SHOWN)
    )
    for name in names:
        found = (summary["over_seeds"][v].get(name) for v in variants)
        lines.append(
            f"{name:44s}" + "".join(f"{'-' if x is None else _interval(x['of']):>28s}" for x in found)
        )
    return "\n".join(lines)


def position_text(content: Numbers) -> str:
    """What the reader explains and what it says beyond, for a reader: a line a model."""
    rows = content["rows"]
    ranges = [f"{one['from']}-{one['to']}" for one in next(iter(rows.values()))["read"]]
    lines = [
        f"{'run':32s}{'explained':>22s}{'fresh':>8s}  place as it is said, at"
        + "".join(f"{r:>12s}" for r in ranges)
    ]
    for name, row in rows.items():
        said = "".join(f"{one['said'][0]:12,.0f}" for one in row["read"])
        best, fresh = row["explained"][row["layer"]], row["untrained"][row["layer"]][0]
        lines.append(f"{name:32s}{_interval(best):>22s}{fresh:8.2f}" + " " * 25 + said)
    return "\n".join(lines)


OVER_STEPS = ("phase_sd", "past_quarter_all", "nope_index", "gaussian_share", "entropy")


def dynamics_numbers(data: xr.Dataset, record: Path) -> dict[str, Any]:
    """Of `phase_dynamics.watch`: at every step the loss and the median head's numbers; what is not finite is None."""
    return {
        "record": str(record),
        "method": data.attrs["method"],
        "steps": [
            {"step": step} | {name: _finite_or_none(value) for name, value in numbers.items()}
            for step, numbers in _steps(data)
        ],
    }


def dynamics_text(data: xr.Dataset) -> str:
    """For a reader."""
    rows = _steps(data)
    lines = [f"{data.attrs['method']}, median of {data.sizes['layer'] * data.sizes['head']} heads"]
    lines.append("step    " + "".join(f"{name:>18}" for name in rows[0][1]))
    lines += [
        f"{step:<8}" + "".join(f"{value:18.4f}" for value in numbers.values()) for step, numbers in rows
    ]
    return "\n".join(lines)


def _steps(data: xr.Dataset) -> list[tuple[int, dict[str, float]]]:
    """Step, and its loss with the medians over heads."""
    rows = []
    for step in data.training_step.values:
        x = data.sel(training_step=step)
        medians = {name: float(x[name].median()) for name in OVER_STEPS}
        rows.append((int(step), {"loss": float(x["loss"])} | medians))
    return rows


def _heads(data: xr.Dataset) -> list[tuple[int, int, dict[str, float]]]:
    """Layer, head and numbers of each head, that which loses most first."""
    rows = []
    for layer in data["layer"].values:
        for head in data["head"].values:
            x = data.sel(layer=layer, head=head)
            numbers = {name: float(x[name]) for name in COLUMNS}
            if "head_change" in data:
                numbers[f"loss, {RANKED_BY}"] = float(x.head_change.sel(head_ablation=RANKED_BY))
            rows.append((int(layer), int(head), numbers))
    return sorted(rows, key=lambda row: -row[2].get(f"loss, {RANKED_BY}", 0.0))


def _one(x: xr.Dataset) -> list[str]:
    """One head by distance, and by property of token pairs."""
    names = ("amplitude", "cosine", "score", "product", "covariance", "gaussian", "turns_sd")
    lines = ["distance  " + "".join(f"{name:>12}" for name in names)]
    for distance in (d for d in AT if d < x.sizes["distance"]):
        at = x.sel(distance=distance)
        lines.append(f"{distance:<10}" + "".join(f"{float(at[name]):12.4f}" for name in names))
    if "effect" in x:
        lines.append(
            f"{'property':20}{'phi (sd)':>12}{'se':>10}{'|phi| (sd)':>12}{'se':>10}{'phase':>10}{'amplitude':>10}"
        )
        for name in x.property.values:
            at = x.sel(property=name)
            shown = [float(at[key]) for key in ("effect", "effect_se", "effect_abs", "effect_abs_se")]
            told = [float(at.told.sel(told_by=part)) for part in ("phase", "amplitude")]
            lines.append(
                f"{name!s:20}"
                + "".join(
                    f"{v:{w}.3f}" for v, w in zip([*shown, *told], (12, 10) * 2 + (10, 10), strict=True)
                )
            )
    return lines


def _finite_or_none(value: float | np.ndarray | xr.DataArray) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


# What `tapa score-variance` prints: medians over the heads of each model, and losses where they were taken.


def variance_numbers(data: xr.Dataset, record: Path) -> Numbers:
    """The numbers that are printed; what is not finite is None."""
    within = data.share.sel(range="within", weighting="log")
    found: Numbers = {"record": str(record), "share": {}, "change": {}}
    for name in data.model.values.tolist():
        own = within.isel(place=np.flatnonzero(data.place_model.values == name)).median("place")
        found["share"][name] = {part: float(own.sel(part=part)) for part in data.part.values.tolist()}
        change = data.change.sel(model=name, multiple=1)
        if bool(change.notnull().any()):
            found["change"][name] = dict(
                zip(change.intervention.values.tolist(), change.values.tolist(), strict=True)
            )
    return found


def variance_text(data: xr.Dataset) -> str:
    """For a reader."""
    found = variance_numbers(data, Path())
    parts = data.part.values.tolist()
    lines = ["share of the score's variance within the trained length, octaves alike, median over heads"]
    lines.append(f"{'model':26s}" + "".join(f"{part:>14s}" for part in parts))
    lines += [
        f"{name:26s}" + "".join(f"{own[p]:14.3f}" for p in parts) for name, own in found["share"].items()
    ]
    if found["change"]:
        lines.append("\nrise of the loss at the trained length, bits per byte")
        kinds = [kind for kind in data.intervention.values.tolist()[1:] if kind.startswith("no ")]
        lines.append(f"{'model':26s}" + "".join(f"{kind:>18s}" for kind in kinds))
        lines += [
            f"{name:26s}" + "".join(f"{own[kind]:18.3f}" for kind in kinds)
            for name, own in found["change"].items()
        ]
    return "\n".join(lines)
