"""The numbers that prose takes from the records of TAPA and its rivals, in a few kilobytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from analysis import schemas

SUMMARY = schemas.RIVALS_SUMMARY
RECORDS = ("tapa_mean", "tapa_variance", "tapa_map", "rivals", "near_far", "precision", "random_heads")
ALPHA = 0.1  # of the paper
FAR = 65_536.0  # tokens
LOG10 = np.log(10.0)


def summarise_encodings(records: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """One entry a record, by the records' names; see the functions below."""
    return {name: SUMMARIES[name](records[name]) for name in RECORDS}


def _mean(data: xr.Dataset) -> dict[str, Any]:
    """At distance 1 and at the end: log10 of what is left of the mean, local exponent, digits from it to the bound.

    And how far Monte Carlo lies off, in standard errors, where rare draws do not decide it.
    """
    result: dict[str, Any] = {
        "longest": float(data.distance.max()),
        "bound_exponent": -float(data.alpha) * int(data.phase_dims),
    }
    for phase_sd in data.phase_sd.values:
        x = data.sel(phase_sd=phase_sd)
        ends = x.isel(distance=[0, -1])
        exact = np.exp(x.log_mean.sel(distance=data.sampled).values)
        kept = x.trusted.values
        z = ((x.estimate - exact) / x.estimate_se).values[kept]
        result[f"{phase_sd:g}"] = {
            "log10_left": (ends.log_mean / LOG10).values.tolist(),
            "exponent": ends.exponent.values.tolist(),
            "digits_to_bound": ((ends.log_bound - ends.log_mean) / LOG10).values.tolist(),
            "largest_z": float(np.abs(z).max()),
            "points": int(kept.sum()),
        }
    return result


def _variance(data: xr.Dataset) -> dict[str, Any]:
    """Variance over the bound: at distance 1, at the end, and its least; Monte Carlo where there is no closed form."""
    result: dict[str, Any] = {"longest": float(data.distance.max())}
    for law in data.law.values:
        x = data.sel(law=law)
        closed = bool(np.isfinite(x.exact).all())
        values = x.exact if closed else x.estimate
        result[str(law)] = {
            "near": float(values[0]),
            "far": float(values[-1]),
            "least": float(values.min()),
            "error": 0.0 if closed else float(x.estimate_se[-1]),
        }
    return result


def _map(data: xr.Dataset) -> dict[str, Any]:
    """Phases at which the mean starts to decay and is gone, at the paper's exponent; shares of it lost; the marks."""
    row = data.sel(alpha=ALPHA, method="nearest")
    lost = row.near - row.far
    size = np.log(data.phase_sd.values)

    def crossing(values: xr.DataArray, level: float) -> float:
        """Phase at which a falling curve meets a level."""
        return float(np.exp(np.interp(-level, -values.values, size)))

    marks = {
        str(x.mark.values): {
            "phase_sd": float(x.mark_sd),
            "left_near_and_far": [float(x.mark_near), float(x.mark_far)],
        }
        for x in (data.sel(mark=name) for name in data.mark.values)
    }
    return {
        "alpha": float(row.alpha),
        "blind_below": crossing(row.far, data.blind),
        "gone_above": crossing(row.near, data.gone),
        "largest_loss": float(lost.max()),
        "largest_loss_at": float(data.phase_sd[int(lost.values.argmax())]),
        "marks": marks,
    }


def _rivals(data: xr.Dataset) -> dict[str, Any]:
    """Mean and standard deviation at distance 1 and far away, for each mu_0."""
    x = data.sel(distance=[1.0, FAR], method="nearest")
    return {
        str(rival): {
            f"mu_0 = {mu:g}": {
                name: x[name].sel(rival=rival, mu=mu).values.tolist() for name in ("mean", "sd")
            }
            for mu in data.mu.values
        }
        for rival in data.rival.values
    }


def _gaps(data: xr.Dataset) -> dict[str, Any]:
    """Over heads: mean gap with its error, extremes of the heads' means and of their standard deviations."""
    result: dict[str, Any] = {"gap_of_mu": float(data.gap_of_mu), "heads": data.sizes["head"]}
    for rival in data.rival.values:
        result[str(rival)] = {}
        for name in data.initialisation.values:
            for reading in data.reading.values:
                x = data.sel(rival=rival, initialisation=name, reading=reading)
                means, sds = x["mean"].values, x["sd"].values
                result[str(rival)][f"{name}, {reading}"] = {
                    "expected": float(x.expected),
                    "expected_se": float(x.expected_se),
                    "means": [means.min(), means.max()],
                    "sds": [sds.min(), sds.max()],
                    "largest_mean_over_sd": float(np.abs(means / sds).max()),
                }
    return result


def _precision(data: xr.Dataset) -> dict[str, Any]:
    """Relative error at distance 1 and at the end, and the share of scores lost there."""
    result: dict[str, Any] = {"longest": float(data.distance.max())}
    for dtype in data["dtype"].values:
        for where in data.phases_in.values:
            x = data.sel({"dtype": dtype, "phases_in": where}).isel(distance=[0, -1])
            result[f"{dtype}, phases in {where}"] = {
                f"{phase_sd:g}": {
                    "error": _finite(x.error.sel(phase_sd=phase_sd)),
                    "lost": float(x.lost.sel(phase_sd=phase_sd)[-1]),
                }
                for phase_sd in data.phase_sd.values
            }
    return result


def _heads(data: xr.Dataset) -> dict[str, Any]:
    """In units of a score's spread over weights: the 90 % band over heads, and the mean over weights in errors."""
    near = data.sel(distance=slice(1, 64))
    result: dict[str, Any] = {"draws": int(data.draws)}
    for rival in data.rival.values:
        for name in data.initialisation.values:
            x = near.sel(rival=rival, initialisation=name)
            width = x.band.isel(quantile=-1) - x.band.isel(quantile=0)
            result[f"{rival}, {name}"] = {
                "band_at_1_and_64": [float(width[0]), float(width[-1])],
                "mean_over_weights_z": float(abs(x.weights_mean / x.weights_se).max()),
            }
    square = (data.phase_mean**2 + data.phase_sd**2).mean("draw") ** 0.5
    result["rms_phase"] = dict(zip(map(str, data.initialisation.values), square.values.tolist(), strict=True))
    result["predicted_rms_phase"] = dict(
        zip(map(str, data.initialisation.values), data.unit.values.tolist(), strict=True)
    )
    return result


def _finite(values: xr.DataArray) -> list[float | None]:
    """None for what is not finite: JSON has no NaN."""
    return [float(value) if np.isfinite(value) else None for value in values.values]


SUMMARIES: dict[str, Callable[[xr.Dataset], dict[str, Any]]] = {
    "tapa_mean": _mean,
    "tapa_variance": _variance,
    "tapa_map": _map,
    "rivals": _rivals,
    "near_far": _gaps,
    "precision": _precision,
    "random_heads": _heads,
}


def record(**records: xr.Dataset) -> dict[str, Any]:
    """`summarise_encodings` of the records, each given by its name."""
    return summarise_encodings(records)
