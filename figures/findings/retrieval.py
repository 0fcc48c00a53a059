"""Retrieval in the small models: one letter told in the text and asked for at a distance."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Any

import numpy as np

from analysis import intervals
from figures.findings.finding import (
    FOLDER,
    LONGEST,
    TRAINED_LENGTH,
    Finding,
    Status,
    Value,
    chosen_rate,
    content,
    method_name,
    percent,
    table,
    triple,
)

METHODS = ("rope", "tapa", "alibi", "nope")
FIGURE, RECORD = "fig_16_retrieval", "tables/retrieval.csv"
FAR = ((256, 192), (512, 384), (1024, 768))  # window and distance from the fact to the question, in bytes


def _shares(variant: str, length: int, distance: int, task: str = "needle") -> list[float]:
    """Share of exact answers of each seed, in the order of seeds."""
    wanted = {"variant": variant, "task": task, "length": str(length), "distance": str(distance)}
    rows = [row for row in table("retrieval") if all(row[key] == text for key, text in wanted.items())]
    return [float(row["share"]) for row in sorted(rows, key=lambda row: int(row["seed"]))]


def _over_seeds(values: list[float]) -> Value:
    """Mean of shares with its interval, kept between none and all."""
    found = intervals.over_seeds(np.array(values))
    return percent(found.value, max(0.0, found.low), min(1.0, found.high))


def needle_findings() -> Iterator[Finding]:
    """Found at three quarters of windows beyond the trained length; within it; near by in a long window."""
    chance = float(next(row["chance"] for row in table("retrieval") if row["task"] == "needle"))
    for name in METHODS:
        variant = f"{name}_needle"
        found = [_over_seeds(_shares(variant, *place)) for place in FAR]
        within = [
            float(np.mean(_shares(variant, TRAINED_LENGTH, distance))) for distance in (8, 16, 32, 64, 96)
        ]
        yield Finding(
            f"retrieval-{name}",
            "{method}, trained to retrieve at a rate of {rate}, finds one letter at three quarters of a window of "
            "{lengths} bytes in {a}, {b} and {c} of the cases (mean over {seeds} seeds [95 %, Student's t]; chance "
            "{chance}); within {trained} bytes it finds {least} or more.",
            RECORD,
            {
                "method": method_name(variant),
                "rate": chosen_rate(variant),
                "lengths": "256, 512 and 1024",
                **dict(zip("abc", found, strict=True)),
                "seeds": len(_shares(variant, *FAR[0])),
                "chance": percent(chance, digits=1),
                "trained": TRAINED_LENGTH,
                "least": percent(min(within)),
            },
            FIGURE,
        )
        yield Finding(
            f"retrieval-near-{name}",
            "{method} finds a letter {distance} bytes back in a window of {length} bytes in {found} of the cases, and "
            "one {far} bytes back in {beyond} (mean over seeds [95 %, Student's t]; a rate of {rate}).",
            RECORD,
            {
                "method": method_name(variant),
                "rate": chosen_rate(variant),
                "distance": 64,
                "length": 512,
                "found": _over_seeds(_shares(variant, 512, 64)),
                "far": 384,
                "beyond": _over_seeds(_shares(variant, 512, 384)),
            },
            FIGURE,
        )
    pairs = zip(_shares("tapa_needle", *FAR[-1]), _shares("alibi_needle", *FAR[-1]), strict=True)
    less = intervals.over_seeds(np.array([tapa - alibi for tapa, alibi in pairs]))
    yield Finding(
        "retrieval-tapa-less-alibi",
        "TAPA less ALiBi, in percentage points of letters found at three quarters of {length} bytes, paired by seed "
        "(rates {tapa} and {alibi}): {difference}.",
        RECORD,
        {name: chosen_rate(f"{name}_needle") for name in ("tapa", "alibi")}
        | {"length": LONGEST, "difference": triple((less.value, less.low, less.high), "+.0f", 100.0)},
        FIGURE,
        Status(
            "corrected",
            "2026-11-28",
            "It was said that ALiBi finds more than any TAPA there. The interval over seeds includes zero, and at "
            "twice the rate the order is another one ([retrieval-rates](#retrieval-rates)).",
        ),
    )


def retrieval_rate_findings() -> Iterator[Finding]:
    """The same at twice the chosen rate, one seed."""
    found: dict[str, Any] = {}
    for name in METHODS:
        rows = content(f"trained/{name}_needle-s0-lr2e-3.json")["retrieval"]
        [row] = [
            one for one in rows if (one["length"], one["distance"]) == FAR[-1] and one["task"] == "needle"
        ]
        found[name] = percent(row["exact"] / row["trials"])
    yield Finding(
        "retrieval-rates",
        "At a rate of 2e-3, twice the chosen one, seed 0, the letter at three quarters of {length} bytes is found by "
        "RoPE in {rope}, by TAPA in {tapa}, by ALiBi in {alibi} and by NoPE in {nope} of the cases.",
        "trained/tapa_needle-s0-lr2e-3.json",
        {"length": LONGEST} | found,
        FIGURE,
    )


def cost_findings() -> Iterator[Finding]:
    """What learning to retrieve costs in bits per byte."""
    for name in METHODS:
        variant, rate = f"{name}_needle", chosen_rate(f"{name}_needle")
        bits: dict[int, list[float]] = {TRAINED_LENGTH: [], LONGEST: []}
        for seed in range(3):
            record = content(f"trained/{variant}-s{seed}-lr{rate}.json")
            for length, values in bits.items():
                nats = next(
                    one["nats"]
                    for one in record["readings"]
                    if one["length"] == length and one.get("extension", "none") == "none"
                )
                values.append(sum(nats) / sum(record["document_tokens"]) / log(2))
        yield Finding(
            f"retrieval-loss-{name}",
            "{method} trained to retrieve (rate {rate}) has {within} bits per byte at {near} bytes and {beyond} at "
            "{far} (mean over {seeds} seeds [95 %, Student's t]).",
            f"trained/{variant}-s0-lr{rate}.json",
            {
                "method": method_name(variant),
                "rate": rate,
                "near": TRAINED_LENGTH,
                "far": LONGEST,
                "seeds": len(bits[LONGEST]),
            }
            | {
                key: triple((x.value, x.low, x.high))
                for key, x in {
                    "within": intervals.over_seeds(np.array(bits[TRAINED_LENGTH])),
                    "beyond": intervals.over_seeds(np.array(bits[LONGEST])),
                }.items()
            },
            FIGURE,
        )


def recall_findings() -> Iterator[Finding]:
    """Associative recall, which none of the models learned."""
    files = sorted((FOLDER / "trained").glob("*_recall-s0-lr*.json"))
    rows = [
        row
        for file in files
        for row in content(f"trained/{file.name}")["retrieval"]
        if row["task"] == "recall" and row["length"] == TRAINED_LENGTH
    ]
    shares = [row["exact"] / row["trials"] for row in rows]
    yield Finding(
        "recall-not-learned",
        "Associative recall is not learned: the models that were given it answer {least} to {most} exactly within "
        "{length} bytes, where chance is {chance} ({runs} runs of {methods} methods, seed 0).",
        f"trained/{files[0].name}",
        {
            "least": percent(min(shares), digits=1),
            "most": percent(max(shares), digits=1),
            "length": TRAINED_LENGTH,
            "chance": percent(rows[0]["chance"], digits=1),
            "runs": len(files),
            "methods": len({file.name.split("_")[0] for file in files}),
        },
        FIGURE,
    )
