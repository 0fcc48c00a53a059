"""The page of two records: differences of every head with intervals, and both curves of a head beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from analysis.settings import names_of
from analysis.studies.heads_compared import LEVEL, OF_MEANS, SHARES, compare_heads
from figures.report.head_views import (
    TIMES,
    bins_beyond,
    head_views,
    in_percent,
    layer_types_of,
    means_of_layer,
    where_from,
)
from figures.report.page import filled_page

TITLES = SHARES | OF_MEANS


def comparison_page(first: xr.Dataset, second: xr.Dataset, names: tuple[str, str]) -> str:
    """The page of two records of `tapa measure` of the same heads, HTML.

    Args:
        first, second: the records.
        names: what they are called, such as "base" and "fine-tuned".

    Raises:
        InputError: the records are of different heads, or their windows too short for a curve.
    """
    found = compare_heads(first, second)
    views = [head_views(x) for x in (first, second)]
    bins = _common(views[0].arrays, views[1].arrays)
    arrays: dict[str, np.ndarray] = {
        name: views[0].arrays[name][:bins] for name in ("bin_first", "bin_stop", "at")
    }
    for suffix, one in zip(("", "_b"), views, strict=True):
        arrays |= {
            f"{name}{suffix}": one.arrays[name][:, :bins] for name in ("measured", "low", "high", "error")
        }
    contexts = [one.context for one in views]
    if None not in contexts:
        arrays |= _predicted(first, second, max(c for c in contexts if c is not None))
    for name, key in (
        ("difference", ""),
        ("low", "_low"),
        ("high", "_high"),
        ("first", "_a"),
        ("second", "_b"),
    ):
        arrays[f"quantities{key}"] = found[name].values.reshape(found.sizes["quantity"], -1)
    return filled_page(
        first,
        title=f"{names[1]} less {names[0]}: distance bias of every head",
        sentences=comparison_sentences(found, names, windows=(first.sizes["window"], second.sizes["window"])),
        score_note=(
            "Scores are plain numbers before soft-cap, mask and softmax, the first token left out, in bins of an "
            "eighth of an octave; bands go from the least to the greatest of a bin."
        ),
        beyond_note=(
            f"Predicted from the means of queries and keys, each model with its own frequencies, up to {TIMES} times "
            f"the longer context. What queries and keys do there is not measured here."
        ),
        provenance={
            f"{name}: {key}": value
            for name, record in zip(names, (first, second), strict=True)
            for key, value in where_from(record).items()
        },
        meta=_meta(found, names, contexts),
        arrays=arrays,
    )


def _meta(found: xr.Dataset, names: tuple[str, str], contexts: list[int | None]) -> dict[str, Any]:
    """What the script is told; the context that is marked is the shorter one, none if a record does not say its own."""
    known = [c for c in contexts if c is not None]
    return {
        "model": f"{names[1]} less {names[0]}",
        "names": list(names),
        "context": min(known) if len(known) == len(contexts) else None,
        "quantities": [
            {"key": key, "title": TITLES[key], "units": "1", "low": -size, "high": size}
            for key, size in zip(found["quantity"].values.tolist(), _sizes(found), strict=True)
        ],
    }


def _common(first: dict[str, np.ndarray] | Any, second: dict[str, np.ndarray] | Any) -> int:
    """How many of the first bins two records share; the last of a shorter one may end earlier."""
    shorter = min(len(first["bin_first"]), len(second["bin_first"]))
    same = (first["bin_first"][:shorter] == second["bin_first"][:shorter]) & (
        first["bin_stop"][:shorter] == second["bin_stop"][:shorter]
    )
    return int(shorter if same.all() else np.argmin(same))


def _sizes(found: xr.Dataset) -> list[float]:
    """The end of each map's scale of colours: 98 % of the differences are smaller."""
    sizes = [
        np.nanquantile(np.abs(x), 0.98) if np.isfinite(x).any() else 0.0 for x in found.difference.values
    ]
    return [float(size) or 1.0 for size in sizes]


def _predicted(first: xr.Dataset, second: xr.Dataset, context: int) -> dict[str, np.ndarray]:
    """The score of the means of both models up to `TIMES` the context."""
    arrays = bins_beyond(context)
    start, stop = arrays["beyond_first"], arrays["beyond_stop"]
    for key, record in (("beyond_a", first), ("beyond_b", second)):
        types, kind = layer_types_of(record)
        data = record.sel(first_token="dropped")
        rows = [means_of_layer(data, layer, types[k]).scores(start, stop) for layer, k in enumerate(kind)]
        arrays[key] = np.concatenate(rows)
    return arrays


def comparison_sentences(found: xr.Dataset, names: tuple[str, str], *, windows: tuple[int, int]) -> list[str]:
    """What differs and how sure it is, in three sentences for a reader, and one of heads that have no share."""
    heads = found.sizes["layer"] * found.sizes["head"]
    share = found.sel(quantity="distance_share")
    gap = found.sel(quantity="near_far_of_means")
    sure = (
        f"paired over the same {windows[0]} windows of text"
        if found.attrs["paired"]
        else f"over {windows[0]} and {windows[1]} windows, not paired, because the windows differ"
    )
    missing = {
        name: int(np.isnan(share[key]).sum()) for key, name in zip(("first", "second"), names, strict=True)
    }
    undefined = [f"{count} of {heads} heads of {name}" for name, count in missing.items() if count]
    return [
        f"The share of the scores' variance between distances is {_median(share['first'])} in the median head of "
        f"{names[0]} and {_median(share['second'])} in that of {names[1]}; {_different(share)}.",
        f"What the means of queries and keys predict of near less far scores rises in "
        f"{int((gap.difference > 0).sum())} of {heads} heads; {_different(gap)} ({sure}).",
        *([f"{names_of(undefined)} have no share: all their scores are equal."] if undefined else []),
        "Intervals are over windows and say nothing of other texts; those of shares take the two records' errors as "
        "independent, which is too wide where the windows are the same.",
    ]


def _median(shares: xr.DataArray) -> str:
    known = shares.values[np.isfinite(shares.values)]
    return in_percent(float(np.median(known))) if len(known) else "not defined"


def _different(one: xr.Dataset) -> str:
    """In how many heads the records differ, of those in which that can be tested."""
    heads, tested = one.p_holm.size, int(np.isfinite(one.p_holm).sum())
    if not tested:
        return "no head could be tested, for want of standard errors: they take three windows, and scores that vary"
    of = f"{heads} heads" if tested == heads else f"the {tested} heads of {heads} that could be tested"
    count = int((one.p_holm <= 1 - LEVEL).sum())
    return f"{count} of {of} differ at the level of {in_percent(1 - LEVEL)} after Holm's adjustment for all of them"
