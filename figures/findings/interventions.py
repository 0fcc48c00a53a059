"""What comes back of the loss beyond the trained length when attention is changed there, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from figures.findings.finding import (
    LONGEST,
    TRAINED_LENGTH,
    Finding,
    Status,
    Value,
    chosen_rate,
    content,
    label_part,
    method_name,
    triple,
)

RECORD, FIGURE = "summaries/bias_sweep.json", "fig_28_equal_dose"
SPAN = 64  # scored bytes of a span, `equal_dose.SCORED`, which this record of before does not hold
HOLD, AVERAGE, SHUFFLED = "hold beyond", "hold on average", "hold, shuffled"
PREDICTED, CLAMP, MASK = "hold, predicted", "clamp", "mask"
DATE = "2026-11-28"
CAUSE = Status(
    "corrected",
    DATE,
    "It was said that the distance bias is what breaks RoPE. The share recovered stands, the cause is withdrawn: "
    "holding the mean also lowers how much attention falls beyond the trained length. The control of equal far "
    "attention is in shape-rope.",
)
NOT_TAPA = Status(
    "corrected",
    DATE,
    "It was said that the bias is not what breaks TAPA. The shares stand; the sentence about the cause is withdrawn: "
    "holding the mean raises how much attention falls beyond the trained length. Interventions with their doses are in "
    "tapa-beyond.",
)


def _row(variant: str, kind: str, length: int) -> Mapping[str, Any]:
    rows = content(RECORD)["summary"]["altered"][variant]
    return next(row for row in rows if (row["kind"], row["length"]) == (kind, length))


def _share(variant: str, kind: str, length: int = LONGEST) -> Value:
    return triple(_row(variant, kind, length)["share"], ".0f", 100.0, " %")


def _scored() -> int:
    return SPAN * content(RECORD)["settings"]["spans"]


def recovery_findings() -> Iterator[Finding]:
    """Of each variant: the loss beyond the trained length and what interventions recover of it."""
    for variant in content(RECORD)["summary"]["altered"]:
        common: dict[str, Value | str | int] = {
            "method": method_name(variant),
            "rate": chosen_rate(variant),
            "near": TRAINED_LENGTH,
            "far": LONGEST,
            "lost": triple(_row(variant, MASK, LONGEST)["lost"]),
            "scored": f"{_scored():,}",
            "seeds": _row(variant, MASK, LONGEST)["seeds"],
        }
        yield Finding(
            f"lost-{label_part(variant)}",
            "{method} (rate {rate}) loses {lost} bits per byte from {near} to {far} bytes ({scored} scored bytes, mean "
            "over {seeds} seeds [95 %, Student's t]).",
            RECORD,
            common,
            FIGURE,
        )
        if variant == "alibi":  # there is next to nothing to recover
            continue
        yield Finding(
            f"recovered-{label_part(variant)}",
            "Of what {method} (rate {rate}) loses at {far} bytes, {hold} is recovered with each head's mean score "
            "beyond {near} bytes held at its value there, {clamp} with distances clamped there, {mask} with every key "
            "farther than that masked in every layer ({scored} scored bytes, mean over {seeds} seeds [95 %, Student's "
            "t]).",
            RECORD,
            common
            | {"hold": _share(variant, HOLD), "clamp": _share(variant, CLAMP), "mask": _share(variant, MASK)},
            FIGURE,
            {"rope": CAUSE, "tapa": NOT_TAPA}.get(variant),
        )


def rope_by_length_findings() -> Iterator[Finding]:
    """RoPE's interventions at each length, with the placebo of shuffled distances."""
    said = {
        HOLD: ("hold", "each head's mean score held at its value at the trained length"),
        PREDICTED: (
            "hold-predicted",
            "the mean score predicted by RoPE's closed form held instead of the measured one",
        ),
        AVERAGE: ("hold-average", "only the average of the mean score held, and its shape kept"),
        SHUFFLED: ("hold-shuffled", "the same numbers subtracted at shuffled distances"),
        CLAMP: ("clamp", "distances clamped at the trained length"),
        MASK: ("mask", "every key farther than the trained length masked"),
    }
    for kind, (name, words) in said.items():
        yield Finding(
            f"rope-{name}",
            "RoPE (rate {rate}) with {words} recovers {a} of its loss at {la} bytes, {b} at {lb} and {c} at {lc} "
            "({scored} scored bytes, mean over {seeds} seeds [95 %, Student's t]).",
            RECORD,
            {"rate": chosen_rate("rope"), "words": words, "scored": f"{_scored():,}"}
            | {"seeds": _row("rope", kind, LONGEST)["seeds"]}
            | {key: _share("rope", kind, length) for key, length in zip("abc", (256, 512, 1024), strict=True)}
            | dict(zip(("la", "lb", "lc"), (256, 512, 1024), strict=True)),
            FIGURE,
        )


MEASURES = {
    "near_far_gap": "the near-far gap of the mean score within the trained length, the bias of v1,",
    "rebound": "the rebound of the mean score beyond the trained length",
    "departure": "the departure of the mean score, of either sign, beyond the trained length",
    "far_mass": "the attention mass beyond the trained length",
    "entropy_rise": "the rise of the attention's entropy",
    "spread_drift": "the drift of the scores' spread",
    "prediction": "the agreement of the mean score with RoPE's closed form",
}


def correlation_findings() -> Iterator[Finding]:
    """Spearman's correlation with the rise of the loss, over runs and within methods."""
    for key, words in MEASURES.items():
        row = content(RECORD)["summary"]["correlations"][key]
        over, within = row["over_runs"], row["within_methods"]
        yield Finding(
            f"correlation-{label_part(key)}",
            "Over {runs} runs of {clusters} variants, Spearman's correlation of {words} with the rise of the loss to "
            "{far} bytes is {over}; within methods it is {within} (95 % intervals draw whole variants, or runs within "
            "methods; runs share data and code, and a correlation is no cause).",
            RECORD,
            {
                "runs": over["runs"],
                "clusters": over["clusters"],
                "words": words,
                "far": LONGEST,
                "over": Value(over["value"], over["low"], over["high"]),
                "within": Value(within["value"], within["low"], within["high"]),
            },
            "fig_27_extrapolation_bias",
        )
