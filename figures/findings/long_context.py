"""Interventions in a real model beyond its context, each with its dose: what is recovered, and of what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import xarray as xr

from analysis.studies.recovered_shares import able, precision_effect, tests_at
from figures.findings.finding import FOLDER, Finding, Value, number, percent

RECORD, FIGURE = "trained/smollm2_bias.nc", "fig_34_recovered_by_far_mass"
MODEL = "SmolLM2-135M-Instruct (Q4_1 weights, {precision})"
SAID = {
    "hold": "each head's mean score held at its level at the trained length",
    "hold-predicted": "the mean score held at what windows within the trained length predict",
    "hold-but-sink": "the mean score held, the first 4 keys exempt",
    "matched-constant": "one constant for all heads whose far mass was matched to that of holding the mean",
    "matched-constant-but-sink": "one constant matched to holding the mean with the first 4 keys exempt",
    "clamp": "distances clamped at the trained length",
    "clamp-departure": "distances clamped and the mean's departure added (no constant of that dose as control)",
    "swapped": "the departures of other heads taken off (placebo)",
    "shuffled": "the departures taken off at other distances (placebo)",
    "mask-sink": "all far keys masked but the first 4",
    "mask": "all far keys masked",
    "hold-sink-only": "the mean score held for the first 4 keys only",
    "hold-rebound-heads": "the mean score held in the quarter of the heads that rebounds most",
    "hold-random-heads": "the mean score held in as many other heads (placebo)",
    "hold-fast": "the predicted mean of pairs that turn within the trained length held",
    "hold-slow": "the predicted mean of the other pairs held",
    "subtract": "the mean score subtracted",
    "constant": "a constant of -1.5 standard deviations added",
    "length-corrected": "far scores lowered by the logarithm of the number of far keys",
    "yarn": "YaRN at all distances",
}


@cache
def _data() -> xr.Dataset:
    with xr.open_dataset(FOLDER / RECORD, decode_times=False) as file:
        return file.load()


def _ends(cell: xr.Dataset, name: str) -> Value:
    value, *ends = (float(cell[key]) for key in (name, f"{name}_low", f"{name}_high"))
    low, high = ends if all(map(math.isfinite, ends)) else (None, None)
    return percent(value, low, high)


def _model(data: xr.Dataset, length: int, *names: str) -> str:
    """The model, and in which precision it was read under interventions, of how many documents if in several.

    Where the plain readings that a share is of were made otherwise, theirs too.
    """
    tests = tests_at(data, length)
    used = (
        able(data, length) & np.isfinite(tests.nats.sel(intervention=list(names))).all("intervention").values
    )

    def said(of: list[str]) -> str:
        counts = Counter(str(one) for one in np.ravel(tests.precision.sel(intervention=of).values[used]))
        documents = {name: count // len(of) for name, count in counts.most_common()}
        if len(documents) == 1:
            return next(iter(documents))
        return " and ".join(
            f"{name} for {count} document{'s' if count > 1 else ''}" for name, count in documents.items()
        )

    own, plain = said(list(names)), said(["plain"])
    return MODEL.format(precision=own if own == plain else f"{own}; plain: {plain}")


def _plain_far(data: xr.Dataset, length: int, name: str) -> float:
    """Far mass of the plain model in the documents that count for this intervention, the mean over them."""
    tests = tests_at(data, length)
    used = able(data, length) & np.isfinite(tests.nats.sel(intervention=name).values)
    return float(tests.far.sel(intervention="plain").values[used].mean())


def _both(data: xr.Dataset, length: int, *names: str) -> int:
    """In how many documents that count both were read."""
    read = np.isfinite(tests_at(data, length).nats.sel(intervention=list(names))).all("intervention").values
    return int((able(data, length) & read).sum())


def _documents(count: int) -> str:
    return "1 test document, no interval" if count == 1 else f"{count} test documents [95 % over documents]"


def long_context_findings() -> Iterator[Finding]:
    """Losses, then each intervention that was read, what is left at equal dose, and what the precision does."""
    data = _data()
    trained, scored = int(data.attrs["trained_length"]), int(data.attrs["target"])
    for length in map(int, data.length.values):
        at = data.sel(length=length)
        if not math.isfinite(float(at.share.sel(intervention="plain"))):
            continue
        common = {
            "model": _model(data, length, "plain"),
            "length": length,
            "trained": trained,
            "scored": scored,
        }
        plain = at.nats.sel(intervention="plain").where(at.role == "test")
        plain, reference = plain.where(plain > at.reference), at.reference.where(plain > at.reference)
        yield Finding(
            f"long-lost-{length}",
            "{model} has a loss of {plain} nats per token at {length} tokens and of {reference} on the same tokens "
            "with at most {trained} before them ({scored} tokens of each of {documents} test documents, means).",
            RECORD,
            common
            | {"plain": number(float(plain.mean())), "reference": number(float(reference.mean()))}
            | {"documents": int(at.documents.sel(intervention="plain"))},
            FIGURE,
        )
        for name, words in SAID.items():
            if name not in at.intervention.values or not math.isfinite(
                float(at.share.sel(intervention=name))
            ):
                continue
            cell = at.sel(intervention=name)
            yield Finding(
                f"long-{name}-{length}",
                "{model} with {words}, beyond {trained} tokens, recovers {share} of what it loses at {length} tokens, "
                "at a far attention mass of {far} (plain, in the same: {before}; {documents}).",
                RECORD,
                common
                | {"model": _model(data, length, name)}
                | {"words": words, "share": _ends(cell, "share"), "far": number(float(cell.mean_far))}
                | {
                    "before": number(_plain_far(data, length, name)),
                    "documents": _documents(int(cell.documents)),
                },
                FIGURE,
            )
        yield from _at_equal_dose(data, common)
        yield from _in_two_precisions(data, length)


def _at_equal_dose(data: xr.Dataset, common: dict[str, str | int]) -> Iterator[Finding]:
    length = int(common["length"])
    for matched, one in {"matched-constant": "hold", "matched-constant-but-sink": "hold-but-sink"}.items():
        cell = data.sel(length=length, matched=matched)
        if math.isfinite(float(cell.gain)):
            yield Finding(
                f"long-shape-{one}-{length}",
                "{model}: what {words} recovers of the loss at {length} tokens, less what one constant for all heads "
                "does that was matched to it in far mass on other documents, is {gain}; the far masses differ by {far} "
                "({documents}).",
                RECORD,
                common
                | {"model": _model(data, length, one, matched)}
                | {"words": SAID[one], "gain": replace(_ends(cell, "gain"), unit=" points")}
                | {"far": Value(float(cell.gain_far), form="+.3f")}
                | {"documents": _documents(_both(data, length, one, matched))},
                FIGURE,
            )


def _in_two_precisions(data: xr.Dataset, length: int) -> Iterator[Finding]:
    """What a second reading in float32 changes of those in bfloat16, where there is one."""
    if not np.isfinite(data.again.sel(length=length)).any():
        return
    found = precision_effect(data, length)
    ends = {name: Value(found[name], form="+.3f") for name in ("least", "greatest", "mean")}
    endpoint = found["endpoints"].get("hold")
    yield Finding(
        f"long-precision-{length}",
        "Of {readings} readings of {documents} at {length} tokens made in bfloat16, the loss in float32 is between "
        "{least} and {greatest} nats per token more, {mean} in the mean"
        + (
            "; of the mean held less its constant that moves {moved} points." if endpoint is not None else "."
        ),
        RECORD,
        {"readings": found["readings"], "length": length}
        | {"documents": f"{found['documents']} test document{'s' if found['documents'] > 1 else ''}"}
        | ends
        | ({"moved": Value(100 * endpoint, form="+.1f")} if endpoint is not None else {}),
        FIGURE,
    )
