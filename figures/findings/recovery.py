"""A trained model whose positional encoding was exchanged: how far training on equal tokens brings it back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import xarray as xr

from analysis import records, schemas
from analysis.intervals import over_documents
from figures.findings.finding import FOLDER, Finding, Value, number, percent

RECORD, FIGURE = "trained/recovery.nc", "fig_39_recovery"
CONTROL, RAW, STILL = "rope", "tapa-raw", "tapa-still"
ARMS = {
    CONTROL: "RoPE",
    "tapa": "TAPA from the start of `tapa convert`",
    "nope": "the rotation dropped (the beginning of DroPE)",
    "yarn": "YaRN",
}


@cache
def _data() -> xr.Dataset:
    return records.read(FOLDER / RECORD, expect_schema=schemas.RECOVERY)


def _reached(arms: list[str]) -> int:
    """The largest number of tokens after which these arms are measured in every window; 0 also for none."""
    data = _data()
    full = np.isfinite(data.loss.sel(arm=arms)).all(("arm", "length")).values
    return max((int(tokens) for tokens in data.trained.values[full]), default=0)


def _value(name: str, arm: str, tokens: int, length: int) -> Value:
    """A measured cell with its interval over documents."""
    cell = _data().sel(arm=arm, trained=tokens, length=length)
    value, low, high = (float(cell[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return percent(value, low, high) if name == "closed" else Value(value, low, high)


def _common() -> dict[str, Value | str | int]:
    data = _data()
    short, long = (int(length) for length in data.length.values)
    return {
        "model": json.loads(data.attrs["configuration"])["model"],
        "scored": f"{int(data.tokens.sum()):,} scored tokens of {data.sizes['document']} test documents",
        "short": short,
        "long": f"{long:,}",
    }


def recovery_curve_findings() -> Iterator[Finding]:
    """Where the arms begin, how far each has come after tokens that all have had, and what is not decided."""
    data, common = _data(), _common()
    lengths = [int(length) for length in data.length.values]
    starts = {
        name: number(float(data.loss.sel(arm=arm, trained=0, length=lengths[0])))
        for name, arm in (
            ("rope", CONTROL),
            ("tapa", "tapa"),
            ("raw", RAW),
            ("nope", "nope"),
            ("yarn", "yarn"),
        )
    }
    yield Finding(
        "recovery-start",
        "Before any training {model} has a loss of {rope} nats per token with its RoPE, {yarn} with YaRN, {nope} with "
        "the rotation dropped, {tapa} with TAPA from the start of `tapa convert` and {raw} with TAPA over its weights "
        "as they are (windows of {short} tokens, {scored}).",
        RECORD,
        common | starts,
        FIGURE,
    )
    tokens = _reached(list(ARMS))
    if tokens:
        yield _control(tokens, lengths, common)
        yield from (_arm(arm, tokens, lengths, common) for arm in ARMS if arm != CONTROL)
        yield _without_phase(tokens, lengths, common)
    yield _undecided(tokens)


def _control(tokens: int, lengths: list[int], common: dict[str, Value | str | int]) -> Finding:
    losses = {
        f"{when}_{name}": number(float(_data().loss.sel(arm=CONTROL, trained=n, length=length)))
        for when, n in (("before", 0), ("after", tokens))
        for name, length in zip(("short", "long"), lengths, strict=True)
    }
    return Finding(
        "recovery-rope",
        "{tokens} tokens of training with its own RoPE take {model} from {before_short} to {after_short} nats per "
        "token in windows of {short} tokens and from {before_long} to {after_long} in windows of {long} ({scored}): "
        "what this text alone brings, the control of the other arms.",
        RECORD,
        common | losses | {"tokens": f"{tokens:,}"},
        FIGURE,
    )


def _arm(arm: str, tokens: int, lengths: list[int], common: dict[str, Value | str | int]) -> Finding:
    short, long = lengths
    values = {
        f"{name}_{window}": _value(name, arm, tokens, length)
        for name in ("excess", "closed")
        for window, length in (("short", short), ("long", long))
    } | {"first": _value("excess", arm, 0, short), "first_long": _value("excess", arm, 0, long)}
    known = all(math.isfinite(values[f"closed_{window}"].value) for window in ("short", "long"))
    share = ", and {closed_short} of that excess is closed" if known else ""
    share_long = ", and {closed_long} of it is closed" if known else ""
    return Finding(
        f"recovery-{arm}",
        "After {tokens} tokens of training with {arm}, {model}'s loss is {excess_short} nats per token above that of "
        f"its own RoPE trained on the same tokens; it began {{first}} above{share}. In windows of {{long}} tokens it "
        f"is {{excess_long}} above; it began {{first_long}} above{share_long} (windows of {{short}} tokens unless said "
        "otherwise, {scored}, paired differences, 95 % over documents).",
        RECORD,
        common | values | {"tokens": f"{tokens:,}", "arm": ARMS[arm]},
        FIGURE,
    )


def _without_phase(tokens: int, lengths: list[int], common: dict[str, Value | str | int]) -> Finding:
    """TAPA against the rotation dropped: what its phase is worth so far."""
    data, found = _data().sel(trained=tokens), {}
    for name, length in zip(("short", "long"), lengths, strict=True):
        nats = data.nats.sel(length=length)
        less = nats.sel(arm="tapa").values - nats.sel(arm="nope").values
        interval = over_documents(
            less, data.tokens.values, seed=json.loads(data.attrs["configuration"])["seed"]
        )
        found[f"less_{name}"] = Value(interval.value, interval.low, interval.high, form="+.2f")
    return Finding(
        "recovery-tapa-less-nope",
        "After {tokens} tokens {model}'s loss with TAPA less that with the rotation dropped is {less_short} nats per "
        "token in windows of {short} tokens and {less_long} in windows of {long} ({scored}, paired differences, 95 % "
        "over documents).",
        RECORD,
        common | found | {"tokens": f"{tokens:,}"},
        FIGURE,
    )


def _undecided(tokens: int) -> Finding:
    data = _data()
    come = ", ".join(f"{name} {_reached([arm]):,}" for arm, name in _SHORT.items())
    measured = STILL in data.arm.values and _reached([STILL]) > 0
    start = (
        ""
        if measured
        else "; nor whether its phase or its start is what it has over no rotation, as the arm "
    )
    start += "" if measured else "with the start and a phase that stays at 0 is planned and not measured"
    return Finding(
        "recovery-undecided",
        "All arms have had {tokens} of {plan} planned tokens ({come}), at one learning rate of {lr}, tuned for none of "
        "them, and one seed: whether TAPA reaches the loss of RoPE is not decided at this size" + start + ".",
        RECORD,
        {
            "tokens": f"{tokens:,}",
            "plan": f"{int(data.trained.max()):,}",
            "come": come,
            "lr": f"{float(data.attrs['lr']):g}",
        },
        FIGURE,
    )


_SHORT = {CONTROL: "RoPE", "tapa": "TAPA", "nope": "no rotation", "yarn": "YaRN"}
