"""Which kind of record each name stands for."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from analysis import curves, records
from analysis.errors import InputError
from analysis.heads import job

SCHEMAS = {"closed_form": curves.CLOSED_FORM, "family": curves.FAMILY, "smollm2": job.HEADS}


def read(name: str, path: Path) -> xr.Dataset:
    """The record `name`, checked to be of its kind."""
    if name not in SCHEMAS:
        raise InputError(f"record {name!r} is unknown; known: {', '.join(SCHEMAS)}")
    return records.read(path, expect_schema=SCHEMAS[name])
