"""What readings under interventions say: shares of the loss that are recovered, and what is left at equal dose.

A record has the loss of every document, length and intervention (`studies.bias_interventions`), nan where it has not
been read. Shares are sums over the test documents that have been read plain and under the intervention, and lose
enough; intervals are over documents, of paired differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from analysis.errors import InputError
from analysis.intervals import Interval, over_documents

LEAST = 0.1  # nats per token that a document must lose to have something to recover
UNEQUAL = 0.03  # difference of far masses from which on two doses are not called equal
DOSES = ("far", "sink", "entropy")


def recovered(data: xr.Dataset, length: int) -> list[dict[str, Any]]:
    """One mapping for each intervention that was read at a length, over the test documents that have it.

    Returns:
        intervention; documents: how many, those without something to recover left out; nats, reference; share with
        its interval `low`, `high` over documents, None where there is one document; far, sink, entropy: means over
        the same documents.
    """
    tests = tests_at(data, length)
    rows, losing = [], able(data, length)
    for name in map(str, data.intervention.values):
        one = tests.sel(intervention=name)
        used = np.isfinite(one.nats.values) & losing
        if not used.any():
            continue
        plain, reference = tests.nats.sel(intervention="plain").values[used], tests.reference.values[used]
        share = _share(plain - one.nats.values[used], plain - reference)
        means = {dose: float(one[dose].values[used].mean()) for dose in ("nats", *DOSES)}
        rows.append(
            {"intervention": name, "documents": int(used.sum()), "reference": float(reference.mean())}
            | {"share": share.value, **dict(zip(("low", "high"), share.ends()[1:], strict=True))}
            | means
        )
    return rows


def tests_at(data: xr.Dataset, length: int) -> xr.Dataset:
    """The test documents at a length."""
    return data.sel(length=length).isel(document=np.flatnonzero(data.role.values == "test"))


def able(data: xr.Dataset, length: int) -> np.ndarray:
    """Which test documents lose more than `LEAST` nats at a length; not those that have not been read plain."""
    tests = tests_at(data, length)
    return (tests.nats.sel(intervention="plain") - tests.reference > LEAST).values


def difference(data: xr.Dataset, length: int, one: str, other: str) -> dict[str, Any]:
    """Recovered share of one intervention less that of another, over the test documents that have both.

    Returns:
        value with its ends `low` and `high` over documents; documents; far: mean far mass of one less that of the
        other, `equal_dose` whether that is at most `UNEQUAL`.

    Raises:
        InputError: no document has both.
    """
    tests = tests_at(data, length)
    a, b = (tests.sel(intervention=name) for name in (one, other))
    used = (np.isfinite(a.nats) & np.isfinite(b.nats)).values & able(data, length)
    if not used.any():
        raise InputError(f"no test document has been read with {one} and {other} at {length} tokens yet")
    lost = (tests.nats.sel(intervention="plain") - tests.reference).values[used]
    share = _share((b.nats - a.nats).values[used], lost)
    far = float((a.far - b.far).values[used].mean())
    found = {"value": share.value, "low": share.low, "high": share.high, "documents": int(used.sum())}
    return found | {"far": far, "equal_dose": abs(far) <= UNEQUAL}


def _share(gained: np.ndarray, lost: np.ndarray) -> Interval:
    return over_documents(gained, lost, seed=0)


def with_shares(data: xr.Dataset) -> xr.Dataset:
    """The record with what follows from it over test documents: recovered shares, and what is left at equal dose."""
    shape = data.sizes["length"], data.sizes["intervention"]
    names = ("share", "share_low", "share_high", "mean_far", "documents")
    shares = {name: np.full(shape, np.nan) for name in names}
    keys = {"gain": "value", "gain_low": "low", "gain_high": "high", "gain_far": "far"}
    controls = dose_controls(data)
    gains = {name: np.full((shape[0], len(controls)), np.nan) for name in keys}
    order = list(map(str, data.intervention.values))
    for at, length in enumerate(map(int, data.length.values)):
        rows = recovered(data, length) if "plain" in order else []
        for row in rows:
            values = row["share"], row["low"], row["high"], row["far"], row["documents"]
            for name, value in zip(names, values, strict=True):
                shares[name][at, order.index(row["intervention"])] = np.nan if value is None else value
        read = {row["intervention"] for row in rows}
        for column, (other, one) in enumerate(controls.items()):
            if {one, other} <= read:
                found = difference(data, length, one, other)
                for name, key in keys.items():
                    gains[name][at, column] = found[key]
    return data.assign(
        {name: (("length", "intervention"), values) for name, values in shares.items()}
        | {name: (("length", "matched"), values) for name, values in gains.items()}
    )


def dose_controls(data: xr.Dataset) -> dict[str, str]:
    """The constants of a record, and the interventions whose far mass each of them has."""
    return dict(zip(map(str, data.matched.values), map(str, data.matched_to.values), strict=True))


def precision_effect(data: xr.Dataset, length: int) -> dict[str, Any]:
    """What a second reading in another precision finds otherwise, over the readings that were made in both.

    Returns:
        readings; documents: that have any; least, greatest, mean: of the second loss less the first, nats per token;
        endpoints: of each pair of an intervention and its constant, over the documents with both readings of both, the
        change of the difference of their losses, as a share of what these documents lose.

    Raises:
        InputError: nothing has been read twice at this length.
    """
    tests = tests_at(data, length)
    change = (tests.again - tests.nats).values
    twice = np.isfinite(change)
    if not twice.any():
        raise InputError(f"no test document has been read in two precisions at {length} tokens")
    lost = (tests.nats.sel(intervention="plain") - tests.reference).values
    order, endpoints = list(map(str, data.intervention.values)), {}
    for other, one in dose_controls(data).items():
        if not {one, other} <= {*order}:
            continue
        moved = change[:, order.index(other)] - change[:, order.index(one)]
        if (both := np.isfinite(moved)).any():
            endpoints[one] = float(moved[both].sum() / lost[both].sum())
    ends = {"least": change[twice].min(), "greatest": change[twice].max(), "mean": change[twice].mean()}
    return {
        "readings": int(twice.sum()),
        "documents": int(twice.any(axis=1).sum()),
        "endpoints": endpoints,
    } | {name: float(value) for name, value in ends.items()}
