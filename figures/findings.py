"""Every measured sentence of this toolkit, once: its label, its values taken from a record, the figure that shows it.

Prose cites a label and repeats a number as it is printed here: `38 % ([bias-share](figures/FINDINGS.md#bias-share))`.
`figures/FINDINGS.md` is made from this module by `python -m figures.findings --write`, and `tests/test_findings.py`
compares it, and every number that is cited, with the records.

A label stays for ever. A finding that no longer holds keeps its label and gets a status with its date.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from analysis.errors import InputError

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "FINDINGS.md"
TRAINED_LENGTH, LONGEST = 128, 1024  # bytes
FINE_TUNED_LENGTH, FINE_TUNED_LONGEST = 512, 2048
SEEDS = "mean over seeds [95 %, Student's t over {seeds} seeds]"
SCORED = "{scored:,} bytes of {documents} held-out documents"


@dataclass(frozen=True, slots=True)
class Value:
    """A number as prose prints it, with its interval where it has one.

    >>> str(Value(0.3845, form=".0f", scale=100, unit=" %"))
    '38 %'
    >>> str(Value(2.292, 2.276, 2.308))
    '2.29 [2.28, 2.31]'
    """

    value: float
    low: float | None = None
    high: float | None = None
    form: str = ".2f"
    scale: float = 1.0
    unit: str = ""

    def __str__(self) -> str:
        text = self._one(self.value) + self.unit
        if self.low is None or self.high is None:
            return text
        return f"{text} [{self._one(self.low)}, {self._one(self.high)}]"

    def _one(self, value: float) -> str:
        return format(value * self.scale + 0.0, self.form)


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a finding: the word, the date, and what was said or why it no longer stands."""

    word: str
    date: str
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured sentence.

    Attributes:
        label: for ever; lower-case words joined by hyphens, so that it is its own anchor in `FINDINGS.md`.
        template: the sentence, with `{name}` where a value goes.
        values: what goes there.
        record: file that the values come from, below `figures/`.
        figure: module below `figures/` that draws it, or none.
        status: none while it stands as first said.
    """

    label: str
    template: str
    record: str
    values: Mapping[str, Value | str | int] = field(default_factory=dict)
    figure: str | None = None
    status: Status | None = None

    @property
    def sentence(self) -> str:
        return self.template.format(**self.values)

    def as_json(self) -> dict[str, Any]:
        """Sentence, raw values with the ends of their intervals, record, figure and status."""
        values = {
            name: [value.value, value.low, value.high] if isinstance(value, Value) else value
            for name, value in self.values.items()
        }
        status = None if self.status is None else {"word": self.status.word, "date": self.status.date}
        return {
            "label": self.label,
            "sentence": self.sentence,
            "values": values,
            "record": f"figures/{self.record}",
            "figure": self.figure,
            "status": status or {"word": "stands"},
        }


def percent(value: float, low: float | None = None, high: float | None = None, *, digits: int = 0) -> Value:
    """A share as per cent."""
    return Value(value, low, high, form=f".{digits}f", scale=100.0, unit=" %")


def number(value: float, digits: int = 2) -> Value:
    """A number without an interval."""
    return Value(value, form=f".{digits}f")


@cache
def _content(name: str) -> Any:
    """Content of a JSON record below `figures/`."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))["content"]


@cache
def _table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a table below `figures/tables`."""
    with (FOLDER / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _only(rows: Iterable[dict[str, str]], **wanted: str | int) -> dict[str, str]:
    """The one row that has these entries."""
    found = [row for row in rows if all(row[key] == str(value) for key, value in wanted.items())]
    if len(found) != 1:
        raise InputError(f"{len(found)} rows have {wanted}; a finding needs exactly one")
    return found[0]


def _seeds(row: Mapping[str, str], key: str, digits: int = 2, sign: str = "") -> Value:
    """An entry of a table with its interval over seeds."""
    low, high = (row[f"{key}_seeds_{end}"] for end in ("low", "high"))
    ends = (float(low), float(high)) if low and high else (None, None)
    return Value(float(row[key]), *ends, form=f"{sign}.{digits}f")


def _anchor(name: str) -> str:
    """A variant's name as part of a label."""
    return name.replace("_", "-").replace(".", "-")


# --- a real checkpoint -------------------------------------------------------------------------------------------

SMOLLM2 = "summaries/smollm2.json"
HEADS, ASSUMPTION = "fig_03_distance_bias", "fig_04_assumption_2_1"


def smollm2() -> Iterator[Finding]:
    """The distance bias of every head of SmolLM2-135M-Instruct."""
    content = _content(SMOLLM2)
    dropped, gap = content["dropped"], content["near_far_gap"]
    heads = sum(map(len, content["heads"]["distance_share"]))
    size = {"windows": content["windows"], "length": content["length"], "heads": heads}

    def quartiles(name: str, digits: int = 0) -> dict[str, Value]:
        return {
            key: percent(dropped[name][content["quantiles"].index(q)], digits=digits)
            for key, q in {"low": 0.25, "median": 0.5, "high": 0.75, "least": 0.0, "most": 1.0}.items()
        }

    yield Finding(
        "bias-share",
        "In the median head of SmolLM2-135M-Instruct (Q4_1 weights) {median} of the variance of all causal scores lies "
        "between distances (quartiles {low} and {high}, extremes {least} and {most} of {heads} heads; each octave of "
        "distance weighted alike; {windows} windows of {length} tokens of public-domain texts, seed 0).",
        SMOLLM2,
        size | quartiles("distance_share") | {"least": percent(dropped["distance_share"][0], digits=1)},
        HEADS,
    )
    yield Finding(
        "bias-near-first",
        "{near} of {heads} heads score distances of 1 to 16 tokens above distances of 512 to 1024 on average, by "
        "{sds} standard deviations of their scores in the median head.",
        SMOLLM2,
        size | {"near": gap["heads_that_favour_near"], "sds": number(gap["in_score_sds"], 1)},
        HEADS,
    )
    yield Finding(
        "bias-from-means",
        "The mean query and the mean key of a window, rotated, explain {median} of the mean score by distance in the "
        "median head (R², quartiles {low} and {high} of {heads} heads).",
        SMOLLM2,
        size | quartiles("r2_bias", 1),
        HEADS,
    )


def assumption_2_1() -> Iterator[Finding]:
    """What Assumption 2.1 and its formula say of the same heads."""
    content = _content(SMOLLM2)
    dropped, gap = content["dropped"], content["near_far_gap"]
    size = {"heads": sum(map(len, content["heads"]["distance_share"]))}
    control = dropped["control"]
    yield Finding(
        "bias-control",
        "With the order of tokens shuffled, the mean score falls on the bias that the means predict: {seen} of the "
        "distances lie beyond two standard errors of it.",
        SMOLLM2,
        {"seen": percent(control["share_beyond_2se"], digits=1)},
        HEADS,
    )
    r2 = dropped["r2_paper"]
    yield Finding(
        "plug-in-formula",
        "With one mu_0 and one nu_0 for all pairs, taken as the means over pairs, the formula of v1's section 2 has a "
        "median R² of {median} (quartiles {low} and {high}, worst head {least}, best {most}).",
        SMOLLM2,
        {
            key: number(r2[i], 0 if i == 0 else 2)
            for key, i in {"least": 0, "low": 2, "median": 3, "high": 4, "most": 6}.items()
        },
        ASSUMPTION,
        Status(
            "corrected",
            "2026-11-28",
            "It was said that the formula predicts nothing. That was shown of the plug-in means alone, which include "
            "the slow pairs; a mu_0 fitted to each head's curve is another estimate, and no record of ours holds it.",
        ),
    )
    yield Finding(
        "assumption-2-1-spread",
        "In {mu} of {heads} heads E A_d, and in {nu} E B_d, spread over pairs by more than their mean, noise removed.",
        SMOLLM2,
        size
        | {
            "mu": dropped["heads_where_sd_over_pairs_of_mu_exceeds_its_mean"],
            "nu": dropped["heads_where_sd_over_pairs_of_nu_exceeds_its_mean"],
        },
        ASSUMPTION,
    )
    yield Finding(
        "bias-mu-and-nu",
        "The median gap of {gap} between near and far is the sum of parts from mu_d (median {mu}) and from nu_d "
        "(median {nu}). The mean of nu_d is negative in {negative} heads, that of mu_d positive in {positive} of "
        "{heads}.",
        SMOLLM2,
        size
        | {"gap": number(gap["measured"][1], 1), "mu": number(gap["from_mu"][1], 1)}
        | {"nu": number(gap["from_nu"][1], 1), "negative": gap["heads_with_mean_of_nu_below_0"]}
        | {"positive": gap["heads_with_mean_of_mu_above_0"]},
        HEADS,
    )


def extension_of_smollm2() -> Iterator[Finding]:
    """SmolLM2 evaluated at up to twice its context length, under extensions applied at inference."""
    import xarray as xr

    name = "trained/smollm2_extension.nc"
    with xr.open_dataset(FOLDER / name) as file:
        data = file.load()
    names = {
        "none": "no extension",
        "yarn": "YaRN",
        "llama3": "Llama 3's frequencies",
        "ntk": "NTK",
        "pi": "PI",
    }
    trained, length = int(data.attrs["trained_length"]), int(data.length.max())
    for key, shown in names.items():
        at = [data.sel(extension=key, length=n) for n in (trained, length)]
        yield Finding(
            f"smollm2-{key}",
            "SmolLM2-135M-Instruct with {extension} applied at inference (factor {factor}) has a perplexity of "
            "{within} at {trained} tokens and of {beyond} at {length} ({scored} tokens each of {documents} documents, "
            "sliding windows of stride {stride}, bfloat16; two documents give no useful interval).",
            name,
            {
                "extension": shown,
                "factor": f"{data.attrs['factor']:g}",
                "trained": trained,
                "length": length,
                "within": number(at[0].perplexity, 1 if at[0].perplexity < 100 else 0),
                "beyond": number(at[1].perplexity, 1 if at[1].perplexity < 100 else 0),
                "scored": int(data.tokens[0]),
                "documents": data.sizes["document"],
                "stride": int(data.attrs["stride"]),
            },
            "fig_13_perplexity_by_length",
        )


# --- the paper's tables in miniature -----------------------------------------------------------------------------


def losses() -> Iterator[Finding]:
    """Loss at the trained length and at the longest, of every variant and extension of the tables."""
    seen: set[tuple[str, str]] = set()
    for table in ("table2", "table1", "table3", "alpha", "share"):
        rows = _table(table)
        for row in rows:
            key = (row["variant"], row["extension"])
            if key not in seen and row["bits"]:
                seen.add(key)
                yield _loss(table, *key)


def _loss(table: str, variant: str, extension: str) -> Finding:
    rows = [row for row in _table(table) if (row["variant"], row["extension"]) == (variant, extension)]
    ends = [min(rows, key=lambda row: int(row["length"])), max(rows, key=lambda row: int(row["length"]))]
    tuned = [row for row in _table("tuning") if row["variant"] == variant and row["chosen"] == "True"]
    fine = f"fine-tuned at {FINE_TUNED_LENGTH} bytes, " if variant.endswith("_4x") else ""
    label = f"loss-{_anchor(variant)}" + ("" if extension == "none" else f"-{extension}")
    return Finding(
        label,
        "{method} ({fine}learning rate {rate}) has {within} bits per byte at {near} bytes and {beyond} at {far} "
        "(" + SEEDS + "; " + SCORED + ").",
        f"tables/{table}.csv",
        {
            **_read_on(),
            "method": _capital(rows[0]["label"]),
            "fine": fine,
            "rate": tuned[0]["rate"] if tuned else "of its parent",
            "seeds": len(rows[0]["seeds"].split()),
            "near": ends[0]["length"],
            "far": ends[1]["length"],
            "within": _seeds(ends[0], "bits"),
            "beyond": _seeds(ends[1], "bits"),
        },
        "fig_17_alpha_and_share" if table in ("alpha", "share") else "fig_13_perplexity_by_length",
    )


def differences() -> Iterator[Finding]:
    """Paired differences from RoPE, and from TAPA with the paper's alpha and share."""
    pairs = [("table2", name, TRAINED_LENGTH, LONGEST) for name in ("tapa", "alibi", "nope", "window")]
    pairs += [
        ("table1", name, TRAINED_LENGTH, FINE_TUNED_LONGEST) for name in ("tapa_4x", "alibi_4x", "yarn_4x")
    ]
    pairs += [("table3", "tapa_linear", TRAINED_LENGTH, LONGEST)]
    pairs += [("alpha", f"tapa_alpha{a}", TRAINED_LENGTH, LONGEST) for a in ("0.01", "0.3", "1")]
    pairs += [("share", f"tapa_{s}", TRAINED_LENGTH, LONGEST) for s in ("share0.25", "share0.75", "separate")]
    for table, variant, near, far in pairs:
        rows = [
            _only(_table(table), variant=variant, extension="none", length=length) for length in (near, far)
        ]
        against = rows[0]["against"]
        yield Finding(
            f"difference-{_anchor(variant)}",
            "{method} less {against}: {within} bits per byte at {near} bytes, {beyond} at {far}, paired by seed and "
            "by byte (" + SEEDS + ").",
            f"tables/{table}.csv",
            {
                "method": _capital(rows[0]["label"]),
                "against": _name_of(table, against),
                "seeds": len(rows[0]["seeds"].split()),
                "near": near,
                "far": far,
                "within": _seeds(rows[0], "difference", sign="+"),
                "beyond": _seeds(rows[1], "difference", sign="+"),
            },
            "fig_17_alpha_and_share" if table in ("alpha", "share") else "fig_13_perplexity_by_length",
        )


@cache
def _read_on() -> dict[str, int]:
    """What every small model is evaluated on, from the record of one: bytes and documents."""
    tokens = _content("trained/rope-s0-lr4e-3.json")["document_tokens"]
    return {"scored": sum(tokens), "documents": len(tokens)}


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _name_of(table: str, variant: str) -> str:
    return next(row["label"] for row in _table(table) if row["variant"] == variant)


def equal_loss() -> Iterator[Finding]:
    """Comparisons at equal loss at the trained length."""
    for row in _table("equal_loss"):
        yield Finding(
            f"equal-loss-{_anchor(row['variant'])}",
            "At equal loss at {near} bytes ({within} bits per byte) {method} less RoPE is {difference} at {far} "
            "("
            + SEEDS
            + "). The better of the two is an intermediate checkpoint, near its peak learning rate; the "
            "other one has finished its schedule.",
            "tables/equal_loss.csv",
            {
                "method": _name_of("table2", row["variant"]),
                "within": number(float(row["bits_trained"])),
                "difference": _seeds(row, "difference", sign="+"),
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


def rates() -> Iterator[Finding]:
    """How much of a loss beyond the trained length is the learning rate's."""
    for variant in RATED:
        rows = [row for row in _table("tuning") if row["variant"] == variant]
        far = FINE_TUNED_LONGEST if variant.endswith("_4x") else LONGEST
        listed = ", ".join(
            f"{float(row['bits_longest']):.2f} at a rate of {row['rate']}"
            for row in rows
            if row["bits_longest"]
        )
        yield Finding(
            f"rates-{_anchor(variant)}",
            "{method}, seed 0, bits per byte at {far} bytes by learning rate: {listed}; validation at the trained "
            "length chose {chosen}.",
            "tables/tuning.csv",
            {
                "method": _capital(rows[0]["label"]),
                "far": far,
                "listed": listed,
                "chosen": next(row["rate"] for row in rows if row["chosen"] == "True"),
            },
            "fig_15_learning_rates",
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m figures.findings [LABEL] [--json] [--write]`."""
    parser = argparse.ArgumentParser(prog="python -m figures.findings", description="Measured sentences.")
    parser.add_argument("label", nargs="?", help="one finding; all if left out")
    parser.add_argument("--json", action="store_true", help="raw values, for machines")
    parser.add_argument("--write", action="store_true", help="write figures/FINDINGS.md")
    chosen = parser.parse_args(arguments)
    try:
        found = list(findings().values()) if chosen.label is None else [finding(chosen.label)]
    except InputError as error:
        sys.exit(f"error: {error}")
    if chosen.write:
        PAGE.write_text(markdown(), encoding="utf-8")
    elif chosen.json:
        print(json.dumps([one.as_json() for one in found], indent=1))
    else:
        print("\n".join(f"{one.label}: {one.sentence}" for one in found))


SECTIONS = {
    "SmolLM2-135M-Instruct": (smollm2, assumption_2_1, extension_of_smollm2),
    "Small models: loss by context length": (losses, differences, equal_loss),
    "Small models: learning rates": (rates,),
}


@cache
def _by_section() -> dict[str, tuple[Finding, ...]]:
    return {
        title: tuple(one for source in sources for one in source()) for title, sources in SECTIONS.items()
    }


@cache
def findings() -> dict[str, Finding]:
    """Every finding by its label.

    >>> findings()["bias-share"].record
    'summaries/smollm2.json'
    """
    found: dict[str, Finding] = {}
    for one in (one for group in _by_section().values() for one in group):
        if one.label in found:
            raise InputError(f"two findings have the label {one.label}; a label is given once")
        found[one.label] = one
    return found


def finding(label: str) -> Finding:
    """The finding `label`.

    Raises:
        InputError: no finding has this label; the nearest one is named.
    """
    known = findings()
    if label not in known:
        near = get_close_matches(label, known, n=1)
        raise InputError(
            f"no finding {label!r}"
            + (f"; did you mean {near[0]!r}?" if near else "; see figures/FINDINGS.md")
        )
    return known[label]


def markdown() -> str:
    """The text of `FINDINGS.md`."""
    lines = [
        "# Findings",
        "",
        "Every measured sentence of this toolkit, generated from the records by `python -m figures.findings --write`.",
        "A label stays for ever; a sentence that no longer holds says so. Brackets are 95 % intervals over what the",
        "sentence names.",
        "",
    ]
    lines += [f"- [{title}](#{_heading(title)})" for title in _by_section()]
    for title, group in _by_section().items():
        lines += ["", f"## {title}"]
        for one in group:
            lines += ["", f"### {one.label}", "", one.sentence, "", _source(one)]
            if one.status:
                lines += ["", f"**{one.status.word.capitalize()} {one.status.date}.** {one.status.why}"]
    return "\n".join(lines) + "\n"


def _heading(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _source(one: Finding) -> str:
    drawn = f"; figure: [`{one.figure}.py`]({one.figure}.py)" if one.figure else ""
    return f"Record: [`{one.record}`]({one.record}){drawn}."


if __name__ == "__main__":
    main()
