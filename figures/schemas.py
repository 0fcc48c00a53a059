"""Which kind of record each name stands for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from analysis import records
from analysis.errors import InputError
from analysis.experiments import results
from analysis.studies import (
    assumption_2_1,
    closed_form,
    distance_bias,
    encodings_compared,
    encodings_ranked,
    extrapolation_bias_runs,
    near_far,
    phase,
    phase_dynamics,
    phase_summary,
    precision,
    random_heads,
    tapa_moments,
)

CLAIMS = records.Schema("claims", 1, "tapa figures claims")
SCHEMAS = {
    "bias": extrapolation_bias_runs.BIAS,
    "claims": CLAIMS,
    "closed_form": closed_form.CLOSED_FORM,
    "family": closed_form.FAMILY,
    "near_far": near_far.GAPS,
    "phase": phase.PHASE,
    "phase_dynamics": phase_dynamics.DYNAMICS,
    "phase_short": phase.PHASE,
    "phase_summary": phase_summary.SUMMARY,
    "precision": precision.PRECISION,
    "random_heads": random_heads.HEADS,
    "results": results.RESULTS,
    "rivals": encodings_compared.RIVALS,
    "rivals_summary": encodings_ranked.SUMMARY,
    "smollm2": distance_bias.HEADS,
    "tapa_map": tapa_moments.MAP,
    "tapa_mean": tapa_moments.MEAN,
    "tapa_variance": tapa_moments.VARIANCE,
    "trained_gaps": near_far.TRAINED_GAPS,
    "verdicts": assumption_2_1.VERDICTS,
}


def read(name: str, path: Path) -> xr.Dataset:
    """The record `name`, checked to be of its kind."""
    return records.read(path, expect_schema=_schema(name))


def read_any(name: str, path: Path) -> xr.Dataset | dict[str, Any]:
    """The record `name`, arrays or words, as its file says."""
    if path.suffix == ".json":
        return records.read_summary(path, expect_schema=_schema(name))
    return read(name, path)


def write_computed(
    name: str,
    dataset: xr.Dataset,
    path: Path,
    *,
    figure: str,
    configuration: Mapping[str, Any],
    seed: int | None,
    begun: float,
) -> None:
    """Write a record that took one thread since `begun`, seconds of `time.perf_counter`; no seed, nothing drawn."""
    provenance = records.Provenance.collect(
        ["tapa", "figures", figure],
        configuration,
        seeds={} if seed is None else {"draws": seed},
        device="cpu",
        precision="float64",
        threads=1,
        seconds=time.perf_counter() - begun,
    )
    records.write(dataset, path, provenance, schema=_schema(name))


def _schema(name: str) -> records.Schema:
    if name not in SCHEMAS:
        raise InputError(f"record {name!r} is unknown; known: {', '.join(SCHEMAS)}")
    return SCHEMAS[name]
