"""The paper's published perplexities of 7B models (arXiv 2509.12635, tables 1 to 3), to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRAINED, FINE_TUNED = 8192, 32_768  # tokens

Table = tuple[str, tuple[int, ...], Mapping[str, tuple[float, ...]]]

_SHORT = (1024, 2048, 4096, 8192, 16_384, 32_768)
_LONG = (*_SHORT, 49_152, 65_536)
_TAPA = (13.04, 12.62, 12.30, 12.07, 11.83, 11.74, 11.67, 11.75)

TABLES: Mapping[str, Table] = {
    "table1": (
        "table 1 of the paper: fine-tuned at 32k",
        _LONG,
        {
            "RoPE b=5e5": (12.97, 12.53, 12.22, 11.97, 11.79, 12.96, 938.23, 2280.16),
            "RoPE b=2e8": (13.00, 12.54, 12.23, 11.98, 11.80, 12.96, 942.94, 2284.72),
            "PI": (12.99, 12.54, 12.23, 11.98, 11.80, 12.97, 939.17, 2282.44),
            "YaRN": (13.05, 12.60, 12.29, 12.03, 11.85, 12.16, 322.14, 1962.55),
            "TAPA": _TAPA,
        },
    ),
    "table2": (
        "table 2 of the paper: no fine-tuning",
        _SHORT,
        {
            "RoPE b=5e5": (13.08, 12.63, 12.32, 12.21, 5878.17, 16366.63),
            "YaRN": (13.09, 12.64, 12.33, 12.22, 5869.35, 16342.28),
            "PI": (13.07, 12.62, 12.30, 12.19, 5872.29, 16350.28),
            "TAPA": (13.12, 12.66, 12.34, 12.22, 17.96, 122.71),
        },
    ),
    "table3": (
        "table 3 of the paper: linear and quadratic phase, fine-tuned at 32k",
        _LONG,
        {
            "TAPA, linear": (14.63, 14.15, 13.83, 13.54, 13.29, 13.13, 13.59, 14.82),
            "TAPA, quadratic": _TAPA,
        },
    ),
}
"""By our name: what it is, context lengths in tokens, perplexity per token of each method."""


def rows() -> dict[str, list[dict[str, Any]]]:
    """The tables as rows, fit for a record."""
    return {
        name: [
            {"label": label, "length": length, "perplexity": value, "source": source}
            for label, values in methods.items()
            for length, value in zip(lengths, values, strict=True)
        ]
        for name, (source, lengths, methods) in TABLES.items()
    }
