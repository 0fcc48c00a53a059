"""The page of a record: one file with its numbers in it, that fetches nothing and opens from a disk."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import xarray as xr

from analysis.errors import InputError
from analysis.files import check_writable, write_whole

HERE = Path(__file__).parent
START = b"<!doctype html>"


def report_page(record: xr.Dataset) -> str:
    """The page of a record of `tapa measure`, HTML.

    Raises:
        InputError: its windows are too short for a curve.
    """
    from figures.report.head_views import head_views, sentences, where_from  # torch: no refusal waits for it

    views = head_views(record)
    model = str(record.attrs.get("model", "model"))
    meta = {
        "model": model,
        "context": views.context,
        "extensions": views.extensions,
        "most": max(map(len, views.extensions)),
        "quantities": [
            {"key": q.key, "title": q.title, "units": q.units, "low": q.scale[0], "high": q.scale[1]}
            for q in views.quantities
        ],
    }
    arrays = dict(views.arrays) | {"quantities": np.stack([q.values.reshape(-1) for q in views.quantities])}
    return filled_page(
        record,
        title=f"{model}: distance bias of every head",
        sentences=sentences(record, views),
        score_note=_score_note(record),
        beyond_note=_beyond_note(),
        provenance=where_from(record),
        meta=meta,
        arrays=arrays,
    )


def filled_page(
    record: xr.Dataset,
    *,
    title: str,
    sentences: list[str],
    score_note: str,
    beyond_note: str,
    provenance: Mapping[str, Any],
    meta: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> str:
    """The template with a record's heads in it: words, what the script is told (`meta`), and its arrays."""
    model = str(meta["model"])
    return filled(
        "page.html",
        title=title,
        sentences=[f"<li>{html.escape(one)}</li>" for one in sentences],
        score_note=score_note,
        beyond_note=beyond_note,
        provenance=[
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>'
            for name, value in provenance.items()
        ],
        meta={
            "file": re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.") or "model",
            "layers": record.sizes["layer"],
            "heads": record.sizes["head"],
            "start": _start(record),
        }
        | dict(meta),
        arrays={name: packed(value) for name, value in arrays.items()},
    )


def _start(record: xr.Dataset) -> int:
    """The head that is shown first: the median one of the example heads, if there are any."""
    why = record.telling_why.values.tolist() if "telling_why" in record else []
    if "median head" not in why:
        return 0
    at = why.index("median head")
    return int(record.telling_layer[at]) * record.sizes["head"] + int(record.telling_head[at])


def _score_note(record: xr.Dataset) -> str:
    windows = int(record.attrs["windows"])
    return (
        "Scores are plain numbers before soft-cap, mask and softmax, the first token left out, in bins of an eighth "
        f"of an octave. The error that is read out is the mean standard error of the bin's distances over {windows} "
        "windows. Formula and logarithm are fitted to this very curve, with an intercept, octaves weighted alike."
    )


def _beyond_note() -> str:
    from figures.report.head_views import TIMES

    return (
        f"Predicted from the means of queries and keys within the context, for a text of {TIMES} times the context; "
        "extensions are applied at inference, with that factor. What queries and keys do there is not measured here."
    )


def packed(values: np.ndarray) -> dict[str, Any]:
    """An array as a page holds it: shape and little-endian float32 in base64."""
    data = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(data.shape), "base64": base64.b64encode(data.tobytes()).decode("ascii")}


def unpacked(page: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a page holds: its description and its arrays by name.

    Raises:
        InputError: the page holds no record.
    """
    found = [re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
             for name in ("meta", "arrays")]  # fmt: skip
    if None in found:
        raise InputError("this page holds no record; make it with `tapa report`")
    meta, arrays = (json.loads(one.group(1)) for one in found if one is not None)
    return meta, {
        name: np.frombuffer(base64.b64decode(one["base64"]), dtype="<f4").reshape(one["shape"])
        for name, one in arrays.items()
    }


def filled(template: str, **values: str | list[str] | Mapping[str, Any]) -> str:
    """`head.html` and a template of this folder, with its style, its script and these values: text, lines, or JSON."""
    words = {}
    for name, value in values.items():
        if isinstance(value, str):
            words[name] = html.escape(value)
        elif isinstance(value, list):
            words[name] = "\n".join(value)
        else:  # no text in it may end the element that holds it
            words[name] = json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    stem = template.removesuffix(".html")
    files = {kind: (HERE / f"{stem}.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")}
    head = (HERE / "head.html").read_text(encoding="utf-8")
    return Template(head + files["html"]).substitute(words, css=files["css"], js=files["js"])


def write_page(page: str, path: Path) -> None:
    """Write a page whole; `InputError` if nothing can be written there."""
    write_whole(path, page.encode("utf-8"))


def ensure_page(path: Path) -> None:
    """Call before a long computation: `InputError` unless a page can be written at `path` or replaces one of ours.

    Raises:
        InputError: `path` is a folder, a file that is no page of ours, or nothing can be written beside it.
    """
    if path.suffix not in (".html", ".htm"):
        raise InputError(f"{path} is no name of a page; give one that ends in .html")
    check_writable(path)
    start = b""
    if path.exists():
        with path.open("rb") as stream:
            start = stream.read(len(START))
    if start and start != START:
        raise InputError(f"{path} exists and is no page of ours; give another --out or remove it")
