"""Which kind of record each name stands for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from analysis import curves, precision, records, rival_summary, rivals, tapa_curves, untrained
from analysis.errors import InputError
from analysis.heads import assumption, bias_job, job, phase_dynamics, phase_job, phase_summary, trained_gaps
from analysis.lm import results

CLAIMS = records.Schema("claims", 1, "tapa figures claims")
SCHEMAS = {
    "bias": bias_job.BIAS,
    "claims": CLAIMS,
    "closed_form": curves.CLOSED_FORM,
    "family": curves.FAMILY,
    "near_far": untrained.GAPS,
    "phase": phase_job.PHASE,
    "phase_dynamics": phase_dynamics.DYNAMICS,
    "phase_short": phase_job.PHASE,
    "phase_summary": phase_summary.SUMMARY,
    "precision": precision.PRECISION,
    "random_heads": untrained.HEADS,
    "results": results.RESULTS,
    "rivals": rivals.RIVALS,
    "rivals_summary": rival_summary.SUMMARY,
    "smollm2": job.HEADS,
    "tapa_map": tapa_curves.MAP,
    "tapa_mean": tapa_curves.MEAN,
    "tapa_variance": tapa_curves.VARIANCE,
    "trained_gaps": trained_gaps.GAPS,
    "verdicts": assumption.VERDICTS,
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
