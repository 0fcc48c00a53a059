"""Which kind of record each name stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from analysis import curves, records
from analysis.errors import InputError
from analysis.heads import job

CLAIMS = records.Schema("claims", 1, "tapa figures claims")
SCHEMAS = {"claims": CLAIMS, "closed_form": curves.CLOSED_FORM, "family": curves.FAMILY, "smollm2": job.HEADS}


def read(name: str, path: Path) -> xr.Dataset:
    """The record `name`, checked to be of its kind."""
    return records.read(path, expect_schema=_schema(name))


def read_any(name: str, path: Path) -> xr.Dataset | dict[str, Any]:
    """The record `name`, arrays or words, as its file says."""
    if path.suffix == ".json":
        return records.read_summary(path, expect_schema=_schema(name))
    return read(name, path)


def _schema(name: str) -> records.Schema:
    if name not in SCHEMAS:
        raise InputError(f"record {name!r} is unknown; known: {', '.join(SCHEMAS)}")
    return SCHEMAS[name]
