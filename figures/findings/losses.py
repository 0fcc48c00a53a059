"""The paper's tables in miniature: loss by context length, differences, equal loss, and the learning rate's part."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from figures.findings.finding import (
    FEWEST,
    FINE_TUNED_LENGTH,
    FINE_TUNED_LONGEST,
    LENGTHS,
    LONGEST,
    RATES,
    SEEDS,
    TRAINED_LENGTH,
    Finding,
    capital,
    chosen_rate,
    content,
    label_part,
    number,
    only,
    table,
    with_seed_interval,
)

SCORED = "{scored:,} bytes of {documents} held-out documents"


def loss_findings() -> Iterator[Finding]:
    """Loss at the trained length and at the longest, of every variant and extension of the tables."""
    seen: set[tuple[str, str]] = set()
    for name in ("table2", "table1", "table3", "alpha", "share"):
        rows = table(name)
        for row in rows:
            key = (row["variant"], row["extension"])
            if key not in seen and row["bits"]:
                seen.add(key)
                yield _loss(name, *key)


def _loss(name: str, variant: str, extension: str) -> Finding:
    rows = [row for row in table(name) if (row["variant"], row["extension"]) == (variant, extension)]
    ends = [min(rows, key=lambda row: int(row["length"])), max(rows, key=lambda row: int(row["length"]))]
    tuned = [row for row in table("tuning") if row["variant"] == variant and row["chosen"] == "True"]
    fine = f"fine-tuned at {FINE_TUNED_LENGTH} bytes, " if variant.endswith("_4x") else ""
    label = f"loss-{label_part(variant)}" + ("" if extension == "none" else f"-{extension}")
    return Finding(
        label,
        "{method} ({fine}learning rate {rate}) has {within} bits per byte at {near} bytes and {beyond} at {far} "
        "(" + SEEDS + "; " + SCORED + ").",
        f"tables/{name}.csv",
        {
            **_read_on(),
            "method": capital(rows[0]["label"]),
            "fine": fine,
            "rate": tuned[0]["rate"] if tuned else "of its parent",
            "seeds": len(rows[0]["seeds"].split()),
            "near": ends[0]["length"],
            "far": ends[1]["length"],
            "within": with_seed_interval(ends[0], "bits"),
            "beyond": with_seed_interval(ends[1], "bits"),
        },
        "fig_17_alpha_and_share" if name in ("alpha", "share") else LENGTHS,
    )


def difference_findings() -> Iterator[Finding]:
    """Paired differences from RoPE, and from TAPA with the paper's alpha and share."""
    pairs = [("table2", name, TRAINED_LENGTH, LONGEST) for name in ("tapa", "alibi", "nope", "window")]
    pairs += [
        ("table1", name, TRAINED_LENGTH, FINE_TUNED_LONGEST) for name in ("tapa_4x", "alibi_4x", "yarn_4x")
    ]
    pairs += [("table3", "tapa_linear", TRAINED_LENGTH, LONGEST)]
    pairs += [("alpha", f"tapa_alpha{a}", TRAINED_LENGTH, LONGEST) for a in ("0.01", "0.3", "1")]
    pairs += [("share", f"tapa_{s}", TRAINED_LENGTH, LONGEST) for s in ("share0.25", "share0.75", "separate")]
    for name, variant, near, far in pairs:
        rows = [only(table(name), variant=variant, extension="none", length=length) for length in (near, far)]
        against = rows[0]["against"]
        yield Finding(
            f"difference-{label_part(variant)}",
            "{method} (rate {rate}) less {against} (rate {against_rate}): {within} bits per byte at {near} bytes, "
            "{beyond} at {far}, paired by seed and by byte (" + SEEDS + ").",
            f"tables/{name}.csv",
            {
                "rate": chosen_rate(variant),
                "against_rate": chosen_rate(against),
                "method": capital(rows[0]["label"]),
                "against": _name_of(name, against),
                "seeds": len(rows[0]["seeds"].split()),
                "near": near,
                "far": far,
                "within": with_seed_interval(rows[0], "difference", sign="+"),
                "beyond": with_seed_interval(rows[1], "difference", sign="+"),
            },
            "fig_17_alpha_and_share" if name in ("alpha", "share") else LENGTHS,
        )


@cache
def _read_on() -> dict[str, int]:
    """What every small model is evaluated on, from the record of one: bytes and documents."""
    tokens = content("trained/rope-s0-lr4e-3.json")["document_tokens"]
    return {"scored": sum(tokens), "documents": len(tokens)}


def _name_of(name: str, variant: str) -> str:
    return next(row["label"] for row in table(name) if row["variant"] == variant)


def equal_loss_findings() -> Iterator[Finding]:
    """Comparisons at equal loss at the trained length."""
    for row in table("equal_loss"):
        yield Finding(
            f"equal-loss-{label_part(row['variant'])}",
            "At equal loss at {near} bytes ({within} bits per byte) {method} (rate {rate}) less RoPE (rate "
            "{against_rate}) is {difference} at {far} ("
            + (
                SEEDS
                if len(row["seeds"].split()) >= FEWEST
                else "mean over {seeds} seeds, too few for an interval"
            )
            + "). The better of the two is an intermediate checkpoint, near its peak learning rate; the "
            "other one has finished its schedule.",
            "tables/equal_loss.csv",
            {
                "method": _name_of("table2", row["variant"]),
                "rate": chosen_rate(row["variant"]),
                "against_rate": chosen_rate("rope"),
                "within": number(float(row["bits_trained"])),
                "difference": with_seed_interval(row, "difference", sign="+"),
                "seeds": len(row["seeds"].split()),
                "near": TRAINED_LENGTH,
                "far": LONGEST,
            },
            "fig_18_equal_loss",
        )


RATED = (
    "rope",
    "rope_large",
    "tapa",
    "tapa_linear",
    "nope",
    "alibi",
    "partial",
    "tapa_alpha0.01",
    "rope_4x",
    "tapa_4x",
)


def rate_findings() -> Iterator[Finding]:
    """How much of a loss beyond the trained length is the learning rate's."""
    for variant in RATED:
        rows = [row for row in table("tuning") if row["variant"] == variant]
        far = FINE_TUNED_LONGEST if variant.endswith("_4x") else LONGEST
        listed = ", ".join(
            f"{float(row['bits_longest']):.2f} at {row['rate']}" for row in rows if row["bits_longest"]
        )
        yield Finding(
            f"rates-{label_part(variant)}",
            "{method}, seed 0, bits per byte at {far} bytes by learning rate: {listed}; validation at the trained "
            "length chose {chosen}.",
            "tables/tuning.csv",
            {
                "method": capital(rows[0]["label"]),
                "far": far,
                "listed": listed,
                "chosen": next(row["rate"] for row in rows if row["chosen"] == "True"),
            },
            RATES,
        )
