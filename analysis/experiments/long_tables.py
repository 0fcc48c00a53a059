"""Tables of the long-range experiment, of whatever is there, each saying below what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.errors import InputError
from analysis.experiments.long_plan import CONTRASTS, FAR, FINE_BASELINE
from analysis.experiments.plan import LONG, rate_name
from analysis.experiments.tables import Row, csv_of, papers_rows, papers_table, words
from analysis.settings import FEWEST, LEAST_ERRORS, LEAST_GAIN, nearest
from analysis.tables import Format, Table

Results = Mapping[str, Any]
"""As `long_results.summarise_long` gives it."""
TITLES = {
    "long_gate": "The gate: what context from L to 4L is worth to a reference",
    "long_contrasts": "The primary endpoint: difference at 8L at equal loss at L",
    "long_use": "Use of longer contexts: loss by length, and on key tokens",
    "long_collected": "Share of the available bits beyond L that a method collects",
    "long_fine": "Light fine-tuning at 4L: loss by length, before and after",
    "long_pace": "Slower, or worse: TAPA behind RoPE at L, by tokens and size",
    "long_needles": "Needles: fresh words or sequences by depth and length",
    "long_runs": "Every run: loss by length, harm, key tokens, and when it learned to copy",
    "long_power": "What numbers of seeds detect",
}
"""Of each table, by its name; "long" stands for all."""
_KEYS = {name: name.removeprefix(f"{LONG}_") for name in TITLES}
NO_RUN = "No run yet."


def long_names(name: str) -> list[str]:
    """The tables that a name stands for.

    >>> long_names("long_power")
    ['long_power']

    Raises:
        InputError: no table has this name.
    """
    if name == LONG:
        return list(TITLES)
    if name not in TITLES:
        raise InputError(f"table {name!r} is unknown; {nearest(name, [LONG, *TITLES])}")
    return [name]


def long_table_files(content: Results) -> dict[str, str]:
    """Every table as "NAME.md" and "NAME.csv"; of one without a run only that it has none."""
    found = {}
    for name in TITLES:
        found[f"{name}.md"] = long_page(content, name, Format.MARKDOWN)
        found[f"{name}.csv"] = long_csv(content, name)
    return found


def long_csv(content: Results, name: str) -> str:
    """A table as comma-separated values; empty where there is no run."""
    rows = [_flat(row) for row in content[_KEYS[name]]]
    return csv_of(rows) if rows else ""


def _flat(row: Row) -> Row:
    """Losses by length as columns of their own."""
    found: Row = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{key}_{name}": one for name, one in value.items()}
        else:
            found[key] = value
    return found


def long_page(content: Results, name: str, form: Format) -> str:
    """A table with its title, what its numbers are, and what is missing."""
    body: list[str | Table] = PAGES[name](content) if content[_KEYS[name]] else [NO_RUN]
    parts: list[str | Table] = [f"# {TITLES[name]}", *body]
    if content["missing"]:
        parts.append("Not there:\n\n" + "\n".join(f"- {line}" for line in content["missing"]))
    return (
        "\n\n".join(part.show(form) if isinstance(part, Table) else words(part, form) for part in parts)
        + "\n"
    )


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _ended(row: Row, key: str, form: str) -> str:
    """A number with the ends of its interval, as far as it has them."""
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return _number(row[key], form) + ("" if low is None else f" [{low:{form}}, {high:{form}}]")


def _seeds(seeds: Sequence[int]) -> str:
    return " ".join(map(str, seeds))


def _millions(tokens: float | None) -> str:
    return "not yet" if tokens is None else f"{tokens / 1e6:.1f} M"


def _gate(content: Results) -> list[str | Table]:
    short = content["length"]
    rows = [
        [
            row["corpus"], _ended(row, "gain", ".3f"), f"{row['error']:.4f}",
            f"{row['positive']} of {row['documents']}", "passes" if row["passes"] else "fails",
            _ended(row, "whole", ".3f"), _ended(row, "beyond", ".3f"), str(row["groups"]),
            _millions(row["copies_after"]),
        ]
        for row in content["gate"]
    ]  # fmt: skip
    return [
        f"Bits a byte that a model trained at {4 * short} tokens gains in windows of {4 * short} against those of "
        f"{short} [95 % over documents, Student's t], its standard error, and in how many documents it gains. "
        f"A corpus passes from {LEAST_GAIN} at {LEAST_ERRORS:g} standard errors on. By bytes: the same of all bytes "
        f"alike, 95 % over documents (bootstrap), those that share text drawn as one; from {2 * short}: against "
        f"windows of {2 * short}, in which every target has more than {short} tokens before it, so that the gain is of "
        f"farther context alone.",
        Table(
            ["corpus", "gain", "standard error", "documents", "gate", "by bytes", f"from {2 * short}",
             "documents that share no text", "copies after tokens"],
            rows,
        ),
    ]  # fmt: skip


def _contrasts(content: Results) -> list[str | Table]:
    rows = [
        [
            row["corpus"], f"{row['label']} less {row['against_label']}",
            f"{_seeds(row['seeds'])}" + (f" (never equal: {_seeds(row['never_equal'])})" if row["never_equal"] else ""),
            _ended(row, "difference", "+.3f"), _between(row), _ended(row, "near", "+.3f"), _number(row["p"], ".3g"),
            _number(row["p_holm"], ".3g"), _number(row["sd"], ".3f"), _number(row["detectable"], ".3f"),
        ]
        for row in content["contrasts"]
    ]  # fmt: skip
    head = ["corpus", "contrast", "seeds", f"difference at {FAR}L", "between", "best, at L", "p", "p, Holm", "sd",
            "detectable"]  # fmt: skip
    return [
        f"Bits a byte at {FAR * content['length']} tokens, at equal loss at {content['length']}: where the worse of "
        f"the two frontiers is best, a frontier being the lower convex hull of a seed's runs at all rates and "
        f"horizons. Each seed by itself [95 % over documents, bootstrap, those that share text drawn as one]; of "
        f"{FEWEST} or more their mean too [95 % over seeds, Student's t], over the rates and horizons that all of them "
        f"have. Between: the least and the greatest difference if an interpolated frontier is only known to lie "
        f"between its two runs. Best, at L: the difference at L itself, each method's run of the least validation "
        f"loss. p by the t-test, adjusted over the {len(CONTRASTS)} primary contrasts; detectable: the difference that "
        f"these seeds find with a chance of 80 % at the strictest of the adjusted levels.",
        Table(head, rows),
    ]


def _between(row: Row) -> str:
    low, high = row["between_low"], row["between_high"]
    return "" if low is None else f"{low:+.3f} to {high:+.3f}"


def _by_length(rows: Sequence[Row], lengths: Sequence[int], *keys: str) -> list[list[Row | None]]:
    """Rows by length, a list for each method, set of seeds and whatever `keys` name; None where there is none."""
    cells: dict[tuple[Any, ...], dict[int, Row]] = {}
    for row in rows:
        place = (row["corpus"], row["label"], *(row[key] for key in keys), tuple(row["seeds"]))
        cells.setdefault(place, {})[row["length"]] = row
    return [[mine.get(length) for length in lengths] for mine in cells.values()]


def _use(content: Results) -> list[str | Table]:
    lengths = content["lengths"]
    rows = []
    for mine in _by_length(content["use"], lengths):
        first = next(row for row in mine if row is not None)
        head = [first["corpus"], first["label"], _seeds(first["seeds"]), first["over"]]
        rows.append([*head, "bits", *("" if row is None else _number(row["bits"], ".3f") for row in mine)])
        rows.append(
            [*head, "change", *("" if row is None else _ended(row, "change", "+.3f") for row in mine)]
        )
        rows.append(
            [*head, "beyond", *("" if row is None else _ended(row, "beyond", "+.3f") for row in mine)]
        )
        rows.append([*head, "key", *("" if row is None else _number(row["key_bits"], ".2f") for row in mine)])
    return [
        f"Bits a byte of the same held-out text by the length of its windows; change: less those at "
        f"{content['length']} tokens without an extension; beyond: less those at {2 * content['length']}, from where "
        f"on every target has more than {content['length']} tokens before it; key: bits a key token (the reference's "
        f"loss falls by more than a nat with 4L). Each seed's run of the least validation loss at the longest horizon; "
        "each seed with 95 % over documents (bootstrap, those that share text drawn as one), of "
        f"{FEWEST} or more their mean too, with 95 % over seeds (Student's t).",
        Table(
            ["corpus", "method", "seeds", "interval over", "what", *(str(length) for length in lengths)], rows
        ),
        *papers_table(papers_rows()["table2"]),
    ]


def _collected(content: Results) -> list[str | Table]:
    lengths = sorted({row["length"] for row in content["collected"]})
    rows = []
    for mine in _by_length(content["collected"], lengths):
        first = next(row for row in mine if row is not None)
        shares = ["" if row is None else _ended(row, "share", ".2f") for row in mine]
        rows.append([first["corpus"], first["label"], _seeds(first["seeds"]), *shares, first["over"]])
    return [
        f"Of the bits that the best reader gains on private words from the context between {content['length']} tokens "
        f"and so many, the share that a method gains: 0 for one that reads no farther, 1 for the best reader, below 0 "
        f"where the longer window does harm. Each seed's run of the least validation loss with 95 % over documents "
        f"(jackknife), of {FEWEST} or more their mean too, with 95 % over seeds (Student's t).",
        Table(["corpus", "method", "seeds", *(str(length) for length in lengths), "interval over"], rows),
    ]


def _fine(content: Results) -> list[str | Table]:
    lengths = content["lengths"]
    rows = []
    ordered = sorted(
        content["fine"], key=lambda row: (row["corpus"], row["label"], row["share"], row["seeds"])
    )
    for mine in _by_length(ordered, lengths, "share"):
        first = next(row for row in mine if row is not None)
        corpus, name, share = first["corpus"], first["label"], first["share"]
        rates = " ".join(map(rate_name, first["rates"]))
        tried = f" of {' '.join(map(rate_name, first['tried']))}" if first["tried"] else ""
        called = name if first["factor"] is None else f"{name}, factor {first['factor']:g}"
        head = [corpus, called, f"{100 * share:g} %", rates + tried, _seeds(first["seeds"]), first["over"]]
        rows.append([*head, "bits", *("" if row is None else _number(row["bits"], ".3f") for row in mine)])
        if first["variant"] != FINE_BASELINE:
            less = ["" if row is None else _ended(row, "less_rope", "+.3f") for row in mine]
            rows.append([*head, "less RoPE", *less])
    return [
        f"Bits a byte of the same held-out text by the tokens before it, of models that were trained at "
        f"{content['length']} tokens and went on at {4 * content['length']} for a share of their parents' tokens; 0 %: "
        "the parents themselves, YaRN's under YaRN at inference with the factor of each length. Each seed's run of the "
        f"least validation loss at {4 * content['length']}, of the rates that are there. Less RoPE: paired with RoPE "
        "of the same share. Each seed with 95 % over documents (bootstrap, those that share text drawn as one), of "
        f"{FEWEST} or more their mean too, with 95 % over seeds (Student's t).",
        Table(
            [
                "corpus", "method", "tokens", "rate", "seeds", "interval over", "what",
                *(str(length) for length in lengths),
            ],
            rows,
        ),
        *papers_table(papers_rows()["table1"]),
    ]  # fmt: skip


def _pace(content: Results) -> list[str | Table]:
    rows = [
        [
            row["corpus"], row["size"], f"{row['tokens'] / 1e6:.1f} M", _seeds(row["seeds"]),
            _ended(row, "lag", "+.3f"),
            _ended(row, "factor", ".2f") or f"{row['bound']} {min(row['factors']):.2f}",
        ]
        for row in content["pace"]
    ]  # fmt: skip
    return [
        f"TAPA less RoPE in bits a byte at {content['length']} tokens after equal tokens, and the factor of tokens "
        "that TAPA's loss took over what RoPE's took: RoPE's horizons are joined over the logarithm of tokens, none is "
        "extrapolated (> at least, < at most; the least factor of the seeds). At each horizon the best of the rates "
        f"that both methods have at every one. 95 % over {FEWEST} seeds or more, Student's t. A slower learner has the "
        "same factor at every horizon; of one that is worse the factor grows, and the lag stays where RoPE's curve is "
        "flat.",
        Table(["corpus", "size", "tokens", "seeds", "lag", "slower by"], rows),
    ]


def _needles(content: Results) -> list[str | Table]:
    columns = sorted({(row["length"], row["depth"]) for row in content["needles"]})
    cells = {(row["corpus"], row["label"], row["length"], row["depth"]): row for row in content["needles"]}
    rows = []
    for corpus, name in dict.fromkeys((corpus, name) for corpus, name, *_ in cells):
        mine = [cells.get((corpus, name, *column)) for column in columns]
        rows.append(
            [
                corpus,
                name,
                *("" if row is None else f"{100 * row['hits'] / row['trials']:.0f}" for row in mine),
            ]
        )
    return [
        "Needles whose last token gets more than half of all probability when the others are given, in per cent of the "
        "trials of all seeds; a guess never does. Needles: fresh private words, letter by letter; on another corpus "
        "sequences of four tokens that stand nowhere else in the window. Columns: tokens of the window, and the "
        "needle's depth in it, 0.1 far from the query and 0.9 near.",
        Table(["corpus", "method", *(f"{length} at {depth:g}" for length, depth in columns)], rows),
    ]


def _runs(content: Results) -> list[str | Table]:
    lengths = content["lengths"]
    rows = []
    for row in content["runs"]:
        head = [
            row["corpus"],
            row["label"],
            row["kind"],
            row["size"],
            f"{row['share']:g}",
            rate_name(row["lr"]),
        ]
        if row["diverged"]:
            rows.append([*head, str(row["seed"]), "", *("diverged" for _ in lengths), "", "", "", ""])
            continue
        bits = [_number(row["bits"][str(length)], ".3f") for length in lengths]
        key = row["key_bits"]
        near, far = (_number(key.get(str(length)), ".2f") for length in (lengths[0], FAR * lengths[0]))
        rows.append(
            [
                *head, str(row["seed"]), f"{row['tokens'] / 1e6:.2f} M", *bits, _number(row["harm"], "+.3f"), near, far,
                _millions(row["copies_after"]),
            ]
        )  # fmt: skip
    return [
        f"Bits a byte of held-out text by context length; harm: at {FAR * lengths[0]} less at {lengths[0]}, the same "
        f"text cut; bits a key token at both (key: the reference's loss falls by more than a nat with 4L); tokens "
        f"after which a text loses half of its loss the second time that it is read.",
        Table(
            [
                "corpus", "method", "kind", "size", "horizon", "rate", "seed", "tokens", *map(str, lengths), "harm",
                f"key at {lengths[0]}", f"key at {FAR * lengths[0]}", "copies after",
            ],
            rows,
        ),
    ]  # fmt: skip


def _power(content: Results) -> list[str | Table]:
    counts = sorted({row["seeds"] for row in content["power"]})
    rows = []
    for name, where in dict.fromkeys((row["contrast"], row["from"]) for row in content["power"]):
        mine = [row for row in content["power"] if (row["contrast"], row["from"]) == (name, where)]
        cells = {row["seeds"]: f"{row['detectable']:.2f} ({row['detectable_holm']:.2f})" for row in mine}
        rows.append(
            [name, where, f"{mine[0]['sd']:.3f}", str(mine[0]["recorded"]), *(cells[n] for n in counts)]
        )
    return [
        "Difference in bits a byte at 8L that so many seeds find with a chance of 80 %, at a level of 5 % (at the "
        "strictest level of Holm's rule over the primary contrasts), from the standard deviation over the seeds that "
        "are recorded.",
        Table(["contrast", "from", "sd", "seeds recorded", *(f"{n} seeds" for n in counts)], rows),
    ]


PAGES: Mapping[str, Callable[[Results], list[str | Table]]] = {
    "long_gate": _gate,
    "long_contrasts": _contrasts,
    "long_use": _use,
    "long_collected": _collected,
    "long_fine": _fine,
    "long_pace": _pace,
    "long_needles": _needles,
    "long_runs": _runs,
    "long_power": _power,
}
