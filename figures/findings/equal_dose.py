"""What interventions of equal dose say of the small models: dose, shape, sufficiency, sink, and why TAPA loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log
from typing import Any

from analysis.experiments.plan import rate_name
from figures.findings.finding import (
    LONGEST,
    TRAINED_LENGTH,
    Finding,
    Value,
    capital,
    chosen_rate,
    content,
    label_part,
    number,
    triple,
)

RECORD, SWEEP, FIGURE = "summaries/bias.json", "summaries/bias_sweep.json", "fig_28_equal_dose"
CODE = "summaries/bias_code.json"
MAIN = ("rope", "partial", "tapa")
LEAST = 0.1  # bits per byte lost: of less, shares of it mean nothing


def _summary() -> Mapping[str, Any]:
    return content(RECORD)["summary"]


def _cell(variant: str, kind: str) -> Mapping[str, Any] | None:
    cells = _summary()["altered"].get(variant, ())
    return next((c for c in cells if (c["kind"], c["length"]) == (kind, LONGEST)), None)


def _contrast(variant: str, name: str) -> Mapping[str, Any] | None:
    found = _summary()["contrasts"].get(variant, ())
    return next((c for c in found if (c["contrast"], c["length"]) == (name, LONGEST)), None)


def _name(variant: str) -> str:
    return capital(_summary()["labels"][variant])


def span() -> int:
    """Scored bytes of a span: nats over nats a byte of one reading, over its spans."""
    cell = next(iter(content(RECORD)["rows"].values()))["altered"][0]
    scored = sum(cell["nats"]) / cell["bits_per_byte"]["altered"] / log(2)
    return round(scored / content(RECORD)["settings"]["spans"])


def _common(variant: str) -> dict[str, Value | str | int]:
    scored = span() * content(RECORD)["settings"]["spans"]
    return {
        "method": _name(variant),
        "rate": chosen_rate(variant),
        "near": TRAINED_LENGTH,
        "far": LONGEST,
        "scored": f"{scored:,}",
    }


def _runs(variant: str, *kinds: str) -> list[dict[str, Mapping[str, Any]]]:
    """Cells by kind at the longest length, of the runs that have all of these kinds, by seed."""
    rate, found = _summary()["chosen"][variant], []
    rows = (r for r in content(RECORD)["rows"].values() if (r["variant"], r["lr"]) == (variant, rate))
    for row in sorted(rows, key=lambda r: r["seed"]):
        cells = {c["kind"]: c for c in row["altered"] if c["length"] == LONGEST}
        if set(kinds) <= cells.keys():
            found.append(cells)
    return found


def _shares(variant: str, *kinds: str) -> dict[str, Value | str | int] | None:
    """Recovered share, far mass and sink mass of each kind, as share_0, mass_0, sink_0, ..., and how many seeds.

    All are of the same runs, else they could not be compared: of all runs, or of the first where some lack a kind.
    None unless there is one that has all kinds.
    """
    runs = _runs(variant, *kinds)
    if not runs:
        return None
    found: dict[str, Value | str | int] = {}
    cells = [_cell(variant, kind) for kind in kinds]
    whole = all(cell is not None and cell["seeds"] == len(runs) for cell in cells)
    for i, kind in enumerate(kinds):
        cell = cells[i]
        if cell is None or cell["share"] is None:
            return None
        if whole:
            share, far, sink = _ends(cell), cell["far_mass"][0], cell["opening_mass"][0]
        else:
            one = runs[0][kind]
            share, far, sink = one["share"], one["far_mass"], one["opening_mass"]
        found |= {
            f"share_{i}": triple(share, ".0f", 100.0, " %"),
            f"mass_{i}": number(far),
            f"sink_{i}": number(sink),
        }
    return found | {"seeds": _said_of(cells[0] if whole else None)}


def _said_of(cell: Mapping[str, Any] | None) -> str:
    """Over what a cell's mean is, and its brackets; without a cell, over what those of the first seed alone are."""
    if cell is None or cell["seeds"] == 1:
        return "one seed [95 % over documents, where there are brackets]"
    return f"{cell['seeds']} seeds [95 % over seeds, Student's t]"


def _losing() -> list[str]:
    """The variants that lose enough for shares of the loss to say something."""
    return [
        variant
        for variant, found in _summary()["altered"].items()
        if any(
            cell["length"] == LONGEST and cell["lost"][0] >= LEAST
            for cell in found
            if cell["kind"] == "plain"
        )
    ]


def _lost(variant: str) -> dict[str, Value]:
    cell = _cell(variant, "plain")
    assert cell is not None
    return {"lost": triple(cell["lost"], ".3f" if cell["lost"][0] < LEAST else ".2f")}


def _least_lost(variant: str) -> str:
    """The least that a seed loses, where shares of it weigh as much as the others and are of next to nothing."""
    each = [
        cells["plain"]["bits_per_byte"]["plain"] - cells["plain"]["bits_per_byte"]["trained"]
        for cells in _runs(variant, "plain")
    ]
    return f" ({min(each):.2f} in one seed, whose shares are large for it)" if min(each) < 2 * LEAST else ""


def _ends(found: Mapping[str, Any]) -> Any:
    """The share with its interval over seeds, or over documents where there is one seed."""
    return found["share"] if found["seeds"] > 1 else found["documents"] or found["share"]


def _points(ends: Any) -> Value:
    return triple(ends, ".0f", 100.0, " points")


def dose_findings() -> Iterator[Finding]:
    """How much attention falls beyond the trained length, and what lowering it by a constant recovers."""
    for variant in _losing():
        found = _shares(variant, "plain", "constant -1.5", "mask")
        if found is None:
            continue
        yield Finding(
            f"dose-{label_part(variant)}",
            "{method} (rate {rate}) at {far} bytes gives {mass_0} of its attention to keys {near} or more bytes away; "
            "lowering every far score by 1.5 standard deviations of its head leaves {mass_1} there and recovers "
            "{share_1} of the {lost} bits per byte that were lost since {near} bytes, masking all far keys {share_2} "
            "({scored} scored bytes, {seeds}).",
            RECORD,
            _common(variant) | found | _lost(variant),
            FIGURE,
        )


def small_loss_findings() -> Iterator[Finding]:
    """Who loses too little for shares of it to say anything."""
    for variant, found in _summary()["altered"].items():
        if variant not in _losing() and any(cell["kind"] == "plain" for cell in found):
            yield Finding(
                f"dose-{label_part(variant)}",
                "{method} (rate {rate}) loses {lost} bits per byte from {near} to {far} bytes ({scored} scored bytes, "
                "{seeds}): too little for shares of it to say anything, so no intervention is reported.",
                RECORD,
                _common(variant) | _lost(variant) | {"seeds": _said_of(_cell(variant, "plain"))},
                FIGURE,
            )


def shape_findings() -> Iterator[Finding]:
    """The primary endpoint: the held mean against one constant of the same dose."""
    for variant in _losing():
        shares, shape = _shares(variant, "hold", "matched-constant"), _contrast(variant, "shape")
        if shares is None or shape is None:
            continue
        yield Finding(
            f"shape-{label_part(variant)}",
            "Of the {lost} bits per byte that {method} (rate {rate}) loses at {far} bytes{least}, holding each "
            "head's mean score at its value at {near} bytes recovers {share_0} and leaves {mass_0} of the attention "
            "beyond; one constant for all heads that leaves {mass_1} recovers {share_1}, so that at the same dose "
            "the shape is worth {points} (seed by seed {each}; {scored} scored bytes, {seeds}; the doses agree on "
            "the test text in {matched}).",
            RECORD,
            _common(variant)
            | shares
            | _lost(variant)
            | {
                "least": _least_lost(variant),
                "points": _points(_ends(shape)),
                "each": ", ".join(f"{100 * value:.0f}" for value in shape["each"]),
                "matched": f"{shape['matched']} of {shape['seeds']}",
            },
            FIGURE,
        )


def placebo_findings() -> Iterator[Finding]:
    """What the same numbers recover elsewhere: at other distances, in other heads, and constants in each head."""
    for variant in _losing():
        shuffled = _shares(variant, "shuffled")
        if shuffled is not None:
            yield Finding(
                f"placebo-{label_part(variant)}",
                "Holding {method}'s mean scores (rate {rate}) with the distances beyond {near} bytes shuffled recovers "
                "{share_0} of its loss at {far} bytes and leaves {mass_0} of the attention beyond ({scored} scored "
                "bytes, {seeds}).",
                RECORD,
                _common(variant) | shuffled,
                FIGURE,
            )
        each = _contrast(variant, "shape in each head")
        own = _shares(variant, "matched-heads", "swapped", "hold-average")
        if each is None or own is None:
            continue
        yield Finding(
            f"shape-in-heads-{label_part(variant)}",
            "In {method} (rate {rate}, {seeds}) at {far} bytes a constant for each head that leaves every head the far "
            "attention of the held mean ({mass_0} on average) recovers {share_0}; the held mean less that is {points} "
            "[95 % over documents]; holding the departure of another head recovers {share_1} at {mass_1}, the level "
            "alone {share_2} at {mass_2} ({scored} scored bytes).",
            RECORD,
            _common(variant) | own | {"points": _points(each["documents"])},
            FIGURE,
        )


def departure_findings() -> Iterator[Finding]:
    """Is the departure of the mean score sufficient, and beyond its dose?"""
    for variant in _losing():
        shares, plain = _shares(variant, "clamp", "clamp-departure"), _contrast(variant, "departure")
        if shares is None or plain is None:
            continue
        common = _common(variant)
        undone: dict[str, Value] = {}  # there is none where clamping recovers nothing in a seed
        if plain["undone"] is not None:
            undone = {"undone": triple(plain["undone"], ".0f", 100.0, " %")}
        yield Finding(
            f"departure-{label_part(variant)}",
            "With distances clamped at {near} bytes {method} (rate {rate}) recovers {share_0} of its loss at {far} "
            "bytes and leaves {mass_0} of the attention beyond; the departure of each head's mean score added to that "
            "costs {bits} bits per byte, "
            + ("{undone} of what clamping recovers, " if undone else "")
            + "and leaves {mass_1} ({scored} scored "
            "bytes, {seeds}).",
            RECORD,
            common | shares | {"bits": triple(plain["bits"])} | undone,
            FIGURE,
        )
        same, beyond = _shares(variant, "clamp-constant"), _contrast(variant, "departure beyond its dose")
        if same is None or beyond is None:
            continue
        yield Finding(
            f"departure-dose-{label_part(variant)}",
            "Added to clamped distances in {method} (rate {rate}), one constant for all heads that leaves as much "
            "attention beyond {near} bytes as the departure, {mass_0}, recovers {share_0} of the loss at {far} bytes; "
            "that less what is recovered with the departure is {points} ({scored} scored bytes, {seeds}).",
            RECORD,
            common | same | {"points": _points(_ends(beyond))},
            FIGURE,
        )


def sink_findings() -> Iterator[Finding]:
    """What the first keys do."""
    for variant in _losing():
        kinds = ("hold", "hold-but-sink", "hold-sink-only", "mask", "mask-sink")
        shares = _shares(variant, *kinds)
        if shares is None:
            continue
        yield Finding(
            f"sink-{label_part(variant)}",
            "Holding {method}'s mean scores (rate {rate}) recovers {share_0} at {far} bytes, {share_1} with the first "
            "4 bytes exempt, which then take {sink_1} of the attention, and {share_2} at those bytes alone; masking "
            "all far keys recovers {share_3}, all but the first 4 bytes {share_4}, which then take {sink_4} ({scored} "
            "scored bytes, {seeds}).",
            RECORD,
            _common(variant) | shares,
            FIGURE,
        )


def tapa_findings() -> Iterator[Finding]:
    """What makes TAPA lose beyond its trained length."""
    shares = _shares("tapa", "plain", "hold", "clamp", "constant -1.5", "mask")
    if shares is None:
        return
    yield Finding(
        "tapa-beyond",
        "{method} (rate {rate}) gives {mass_0} of its attention at {far} bytes to keys {near} or more bytes away. "
        "Holding its mean scores raises that to {mass_1} and recovers {share_1}; lowering far scores by 1.5 standard "
        "deviations brings it to {mass_3} and recovers {share_3}, masking them {share_4}; with distances clamped it "
        "is {mass_2} and {share_2} is recovered{zero} ({scored} scored bytes, {seeds}).",
        RECORD,
        _common("tapa") | shares | {"zero": _whether_zero(shares["share_2"])},
        FIGURE,
    )


def _whether_zero(share: Value | str | int) -> str:
    """What an interval of a share that holds zero leaves to be said."""
    assert isinstance(share, Value)
    if share.low is None or share.high is None or not share.low < 0 < share.high:
        return ""
    return ", of which the interval includes zero"


def _code_runs() -> list[Mapping[str, Any]]:
    """Runs on source files, by variant and seed."""
    return sorted(content(CODE)["rows"].values(), key=lambda row: (row["variant"], row["seed"]))


def _code_run(row: Mapping[str, Any], length: int) -> dict[str, Value | str | int]:
    """What every sentence on such a run says of it."""
    return {
        "method": capital(content(CODE)["summary"]["labels"][row["variant"]]),
        "seed": row["seed"],
        "rate": rate_name(row["lr"]),
        "near": row["trained_length"],
        "far": length,
        "files": len(row["documents"]),
    }


def masked_findings() -> Iterator[Finding]:
    """What runs on source files lose at long lengths without any attention beyond the trained one."""
    for row in _code_runs():
        cells = {cell["length"]: cell for cell in row["altered"] if cell["kind"] == "mask"}
        (twice, near), (length, cell) = min(cells.items()), max(cells.items())
        if cell["share"] is None:
            continue
        bits = cell["bits_per_byte"]
        yield Finding(
            f"masked-code-{label_part(row['variant'])}-s{row['seed']}",
            "{method} (seed {seed}, rate {rate}) has on source files {trained} bits per byte in windows of {near} "
            "tokens, {plain_twice} in those of {twice} and {plain} in those of {far}; with all keys {near} or more "
            "tokens away masked in every layer {masked_twice} and {masked}, so that at {far} tokens {share} of what is "
            "lost is recovered (the same tokens of {files} files, one run [95 % over files]).",
            CODE,
            _code_run(row, length)
            | {
                "twice": twice,
                "trained": number(bits["trained"]),
                "plain_twice": number(near["bits_per_byte"]["plain"]),
                "plain": number(bits["plain"]),
                "masked_twice": number(near["bits_per_byte"]["altered"]),
                "masked": number(bits["altered"]),
                "share": triple(cell["share"], ".0f", 100.0, " %"),
            },
            "fig_42_masked_beyond",
        )


def shape_on_code_findings() -> Iterator[Finding]:
    """The held mean against one constant of the same dose, in runs on source files that lose enough there."""
    for row in _code_runs():
        length = max(cell["length"] for cell in row["altered"])
        cells = {cell["kind"]: cell for cell in row["altered"] if cell["length"] == length}
        held, same = cells["hold"], cells["matched-constant"]
        bits = held["bits_per_byte"]
        if held["share"] is None or bits["plain"] - bits["trained"] < LEAST:
            continue
        yield Finding(
            f"shape-code-{label_part(row['variant'])}-s{row['seed']}",
            "Of the {lost} bits per byte that {method} (seed {seed}, rate {rate}) loses on source files from {near} to "
            "{far} tokens, holding each head's mean score at its value at {near} tokens recovers {held} and leaves "
            "{held_mass} of the attention beyond; one constant for all heads that leaves {same_mass} recovers {same} "
            "(the same tokens of {files} files, one run [95 % over files]).",
            CODE,
            _code_run(row, length)
            | {
                "lost": number(bits["plain"] - bits["trained"]),
                "held": triple(held["share"], ".0f", 100.0, " %"),
                "held_mass": number(held["far_mass"]),
                "same_mass": number(same["far_mass"]),
                "same": triple(same["share"], ".0f", 100.0, " %"),
            },
            "fig_42_masked_beyond",
        )


def dose_correlation_findings() -> Iterator[Finding]:
    """The correlation of dose and loss over runs, with and without those that did not learn."""
    summary = content(SWEEP)["summary"]
    whole, left = (summary[key]["far_mass"] for key in ("correlations", "correlations_learned"))
    bits = next(iter(content(SWEEP)["rows"].values()))["bigram_bits"]
    yield Finding(
        "dose-correlation",
        "Over the {runs} runs that learned, Spearman's correlation of the attention beyond the trained length with the "
        "rise of the loss to {far} bytes is {over}, within methods {within}; with the {excluded} runs that did not, it "
        "is {all_over} and {all_within}. A run has learned that is better than a bigram model ({bigram} bits per byte) "
        "by a quarter of a bit at its trained length (95 % intervals draw whole variants, or runs within methods).",
        SWEEP,
        {
            "runs": left["over_runs"]["runs"],
            "far": LONGEST,
            "over": _of(left["over_runs"]),
            "within": _of(left["within_methods"]),
            "excluded": len(summary["excluded"]),
            "all_over": _of(whole["over_runs"]),
            "all_within": _of(whole["within_methods"]),
            "bigram": number(bits),
        },
        "fig_27_extrapolation_bias",
    )


def _of(found: Mapping[str, float]) -> Value:
    return Value(found["value"], found["low"], found["high"])
