"""Whether hidden states say at which place a token stands, within the trained length and beyond it."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.experiments.plan import rate_name
from figures.findings.finding import Finding, capital, content, label_part, number, triple

RECORD, FIGURE = "summaries/position_code.json", "fig_43_place_code"


def place_findings() -> Iterator[Finding]:
    """One sentence a model on source files."""
    for row in content(RECORD)["rows"].values():
        last = row["read"][-1]
        yield Finding(
            f"place-code-{label_part(row['variant'])}-s{row['seed']}",
            "Of {method} on source files (seed {seed}, rate {rate}) a linear reader of the states after block {block} "
            "of {blocks} explains {share} of the variance of the log of a token's place in test windows of {near} "
            "tokens, of fresh weights {fresh}; at places of {first} to {last}, {place} in their mean of logs, it says "
            "{said} ({files} files [95 % over files]).",
            RECORD,
            {
                "method": capital(row["label"]),
                "seed": row["seed"],
                "rate": rate_name(row["lr"]),
                "block": row["layer"],
                "blocks": len(row["explained"]) - 1,
                "share": triple(row["explained"][row["layer"]]),
                "near": row["trained_length"],
                "fresh": number(row["untrained"][row["layer"]][0]),
                "first": last["from"],
                "last": last["to"],
                "place": number(last["place"], 0),
                "said": triple(last["said"], ".0f"),
                "files": row["files"],
            },
            FIGURE,
        )
