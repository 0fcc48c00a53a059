"""What `tapa export` writes of a record of heads: a row for each head, a table by layers, or statistics of queries."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.errors import InputError
from analysis.tables import Table

NUMBERS = (
    "distance_share", "distance_share_se", "share_bias", "share_bias_se", "share_content", "share_content_se",
    "r2_bias", "r2_bias_se", "r2_paper", "r2_paper_se", "score_sd", "mu_pair_mean", "mu_pair_sd", "nu_pair_mean",
    "nu_pair_sd",
)  # fmt: skip
COLUMNS = {
    "distance_share": "variance between distances",
    "r2_bias": "R2 of means",
    "r2_paper": "R2 of v1's formula",
    "score_sd": "sd of scores",
}


def _of_heads(data: xr.Dataset, name: str) -> np.ndarray:
    """A number of every head without the first token, octaves of distance alike, all positions together."""
    x = data[name].sel(first_token="dropped")
    chosen = {"weighting": "log", "part": "all"}
    return x.sel({dim: value for dim, value in chosen.items() if dim in x.dims}).values


def heads_csv(data: xr.Dataset) -> str:
    """A row for each head; the unit of a number stands behind its name in brackets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    units = {name: data[name].attrs.get("units", "1") for name in NUMBERS}
    writer.writerow(["layer", "head", *(f"{name} [{units[name]}]" for name in NUMBERS)])
    values = [_of_heads(data, name) for name in NUMBERS]
    for layer in range(data.sizes["layer"]):
        for head in range(data.sizes["head"]):
            writer.writerow([layer, head, *(f"{x[layer, head]:.6g}" for x in values)])
    return out.getvalue()


def layers_latex(data: xr.Dataset) -> str:
    """A row for each layer: the median over its heads, and the least and the greatest in brackets."""

    def cell(values: np.ndarray) -> str:
        known = values[np.isfinite(values)]
        if not known.size:
            return "none"
        return f"{np.median(known):.2f} ({known.min():.2f} to {known.max():.2f})"

    values = {name: _of_heads(data, name) for name in COLUMNS}
    rows = [
        [str(layer), *(cell(values[name][layer]) for name in COLUMNS)] for layer in range(data.sizes["layer"])
    ]
    return Table(["layer", *COLUMNS.values()], rows).latex() + "\n"


def query_statistics(data: xr.Dataset) -> dict[str, Any]:
    """Mean query and mean size of every pair, as TriAttention's released loader takes them.

    Of each head `q_mean_real`, `q_mean_imag` and `q_abs_mean`, one value a pair, before rotation and attention factor.

    Raises:
        InputError: the record was made before queries' statistics were kept.
    """
    import torch

    if "q_real" not in data:
        raise InputError("the record holds no statistics of queries; make it again with `tapa measure`")
    x = data.sel(first_token="dropped")
    heads = [(layer, head) for layer in range(x.sizes["layer"]) for head in range(x.sizes["head"])]
    names = {"q_mean_real": "q_real", "q_mean_imag": "q_imag", "q_abs_mean": "q_size"}
    configuration = json.loads(data.attrs["configuration"]) if "configuration" in data.attrs else {}
    return {
        "metadata": {
            "sampled_heads": [list(place) for place in heads],
            "head_dim": int(x.head_dim[0]),
            "rope_style": "half" if str(x.pairing[0].item()) == "halves" else "interleaved",
            "rope_type": str(x.rope_type[0].item()),
            "dtype": "float32",
            "attn_implementation": "sdpa",
            "prompt_template": "",
            "use_chat_template": False,
            "system_prompt": "",
            "model": str(data.attrs.get("model", "")),
            "windows": int(data.attrs["windows"]),
            "length": x.sizes["distance"],
            "texts": list(map(str, configuration.get("texts", []))),
        },
        "stats": {
            f"layer{layer:02d}_head{head:02d}": {
                name: torch.from_numpy(x[source].values[layer, head].astype(np.float32))
                for name, source in names.items()
            }
            for layer, head in heads
        },
    }


def check_export(path: Path, first: bytes) -> None:
    """`InputError` unless `path` is free, empty, or begins as an export of its kind does: others' files stay.

    Args:
        path: to be written.
        first: what such an export begins with.
    """
    if not path.is_file() or path.stat().st_size == 0:  # what is no file, `write_whole` refuses
        return
    with path.open("rb") as stream:
        if stream.read(len(first)) != first:
            raise InputError(f"{path} exists and is no such export; give another --out or remove it")


def write_text(text: str, path: Path) -> None:
    """Write an export, whole or not at all; `InputError` if `path` holds what does not begin with the same line."""
    from analysis.files import write_whole

    check_export(path, text[: text.index("\n") + 1].encode())
    write_whole(path, text)


def write_query_statistics(data: xr.Dataset, path: Path) -> None:
    """Write `query_statistics` with `torch.save`, which is what TriAttention reads; whole or not at all.

    Raises:
        InputError: as `query_statistics`, or `path` cannot be written, or holds anything but a file of `torch.save`.
    """
    import torch

    from analysis.files import write_whole

    check_export(path, b"PK\x03\x04")  # torch's are zip archives
    out = io.BytesIO()
    torch.save(query_statistics(data), out)
    write_whole(path, out.getvalue())
