"""The results as tables: Markdown for readers, CSV for machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from analysis.errors import InputError
from analysis.experiments.plan import EXPERIMENTS, SEEDS, VARIANTS, label, rate_name
from analysis.settings import nearest

NO_RUN = f"no run of seed {SEEDS[0]} yet"

# The paper's published perplexities of 7B models (arXiv 2509.12635, tables 1 to 3), to stand beside ours.


TRAINED, FINE_TUNED = 8192, 32_768  # tokens


Table = tuple[str, tuple[int, ...], Mapping[str, tuple[float, ...]]]

_SHORT = (1024, 2048, 4096, 8192, 16_384, 32_768)
_LONG = (*_SHORT, 49_152, 65_536)
_TAPA = (13.04, 12.62, 12.30, 12.07, 11.83, 11.74, 11.67, 11.75)

TABLES: Mapping[str, Table] = {
    "table1": (
        "table 1 of the paper: fine-tuned at 32k",
        _LONG,
        {
            "RoPE b=5e5": (12.97, 12.53, 12.22, 11.97, 11.79, 12.96, 938.23, 2280.16),
            "RoPE b=2e8": (13.00, 12.54, 12.23, 11.98, 11.80, 12.96, 942.94, 2284.72),
            "PI": (12.99, 12.54, 12.23, 11.98, 11.80, 12.97, 939.17, 2282.44),
            "YaRN": (13.05, 12.60, 12.29, 12.03, 11.85, 12.16, 322.14, 1962.55),
            "TAPA": _TAPA,
        },
    ),
    "table2": (
        "table 2 of the paper: no fine-tuning",
        _SHORT,
        {
            "RoPE b=5e5": (13.08, 12.63, 12.32, 12.21, 5878.17, 16366.63),
            "YaRN": (13.09, 12.64, 12.33, 12.22, 5869.35, 16342.28),
            "PI": (13.07, 12.62, 12.30, 12.19, 5872.29, 16350.28),
            "TAPA": (13.12, 12.66, 12.34, 12.22, 17.96, 122.71),
        },
    ),
    "table3": (
        "table 3 of the paper: linear and quadratic phase, fine-tuned at 32k",
        _LONG,
        {
            "TAPA, linear": (14.63, 14.15, 13.83, 13.54, 13.29, 13.13, 13.59, 14.82),
            "TAPA, quadratic": _TAPA,
        },
    ),
}
"""By our name: what it is, context lengths in tokens, perplexity per token of each method."""


def rows() -> dict[str, list[dict[str, Any]]]:
    """The tables as rows, fit for a record."""
    return {
        name: [
            {"label": label, "length": length, "perplexity": value, "source": source}
            for label, values in methods.items()
            for length, value in zip(lengths, values, strict=True)
        ]
        for name, (source, lengths, methods) in TABLES.items()
    }


# The pages of the results' tables: Markdown, one function a kind.


INTERVALS = "[95 % over seeds, Student's t] (95 % over documents, bootstrap)"


def readings(content: Content, name: str) -> list[str]:
    """Of an experiment: perplexity by length, then bits with the rise and the differences."""
    rows = content[name]
    lengths = sorted({row["length"] for row in rows})
    trained, longest = content["trained_length"], lengths[-1]
    cells = {(row["variant"], row["extension"], row["length"]): row for row in rows}
    methods = list(dict.fromkeys(key[:2] for key in cells))
    rates = {row["variant"]: row["lr"] for row in content["settings"]}
    perplexity = [
        [
            label(*method) + _task(method[0]),
            str(len(next(cells[*method, n] for n in lengths if (*method, n) in cells)["seeds"])),
            rate_name(rates[method[0]]),
            *(_cell(cells.get((*method, n)), "perplexity", ".4g", documents=False) for n in lengths),
        ]
        for method in methods
    ]
    against = next((label(row["against"]) + _task(row["against"]) for row in rows if row["against"]), None)
    bits = [
        [
            label(*method) + _task(method[0]),
            *(_cell(cells.get((*method, n)), "bits", ".3f") for n in (trained, longest)),
            _cell(cells.get((*method, longest)), "rise", "+.3f"),
            *(_cell(cells.get((*method, n)), "difference", "+.3f") for n in (trained, longest)),
        ]
        for method in methods
    ]
    given = f"{content['bytes']:,} bytes of {len(content['documents'])} held-out documents, the same at every length"
    ours = [
        f"Trained at {trained} bytes. Perplexity per byte by context length, mean over seeds "
        f"[95 % over seeds, Student's t]; {given}.",
        _grid(["method", "seeds", "learning rate", *map(str, lengths)], perplexity),
        f"Bits per byte, the rise from {trained} to {longest}, and the difference from "
        f"{against or 'the baseline'} at both: mean over seeds {INTERVALS}.",
        _grid(
            ["method", f"at {trained}", f"at {longest}", "rise", f"difference at {trained}", f"at {longest}"],
            bits,
        ),
    ]
    return ours + _papers(content["paper"].get(name, []))


def _papers(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    lengths = sorted({row["length"] for row in rows})
    cells = {(row["label"], row["length"]): f"{row['perplexity']:.2f}" for row in rows}
    methods = list(dict.fromkeys(row["label"] for row in rows))
    table = [[method, *(cells.get((method, n), "") for n in lengths)] for method in methods]
    return [
        f"The paper's 7B models, trained at 8192 tokens, perplexity per token ({rows[0]['source']}):",
        _grid(["method", *map(str, lengths)], table),
    ]


def _tuning(content: Content) -> list[str]:
    pages = [
        "Validation loss at the trained length, bits per byte, seed 0, at every learning rate that was tried. "
        "**Bold**: chosen. One rule for all: three rates, then steps of a factor of two beyond the edge that is best."
    ]
    for fine in (False, True):
        rows = [row for row in content["tuning"] if (VARIANTS[row["variant"]].parent is not None) == fine]
        if not rows:
            continue
        rates = sorted({row["lr"] for row in rows})
        cells = {(row["variant"], row["lr"]): row for row in rows}
        table = [
            [label(variant) + _task(variant), *(_tried(cells.get((variant, lr))) for lr in rates)]
            for variant in dict.fromkeys(row["variant"] for row in rows)
        ]
        after = [
            [label(variant) + _task(variant), *(_came(cells.get((variant, lr))) for lr in rates)]
            for variant in dict.fromkeys(row["variant"] for row in rows)
        ]
        pages += [
            "Fine-tuning:" if fine else "From scratch:",
            _grid(["method", *map(rate_name, rates)], table),
            "What came of it, which decides nothing: test bits per byte at the trained and at the longest length.",
            _grid(["method", *map(rate_name, rates)], after),
        ]
    return pages


def _came(row: Row | None) -> str:
    if row is None or row["bits_longest"] is None:
        return ""
    return f"{row['bits_trained']:.3f}, {row['bits_longest']:.3f}"


def _tried(row: Row | None) -> str:
    if row is None:
        return ""
    if row["validation_bits"] is None:
        return f"diverged, step {row['diverged_after']}"
    text = f"{row['validation_bits']:.4f}"
    return f"**{text}**{' (edge)' if row['at_edge'] else ''}" if row["chosen"] else text


def _task(variant: str) -> str:
    return f", with {task}" if (task := VARIANTS[variant].task) else ""


def _matched(content: Content) -> list[str]:
    trained = content["trained_length"]
    table = [
        [
            label(row["variant"]),
            str(len(row["seeds"]))
            + (f" of {len(row['seeds']) + len(row['not_matched'])}" if row["not_matched"] else ""),
            _cell(row, "bits_trained", ".3f"),
            _cell(row, "bits", ".3f"),
            _cell(row, "against_bits", ".3f"),
            _cell(row, "difference", "+.3f"),
            "; ".join(f"{here:.0f}, {there:.0f}" for here, there in row["steps"]),
        ]
        for row in content["matched"]
    ]
    head = ["method", "seeds", f"both at {trained}", f"at {8 * trained}", f"{label('rope')} at {8 * trained}"]
    return [
        f"Bits per byte of a method and of RoPE where both have the same loss at {trained} bytes: that of the worse "
        f"one's end, the better one interpolated between checkpoints of its training. Mean over seeds {INTERVALS}. "
        f"The steps are those of the method and of RoPE; a seed is left out where the better run's first checkpoint "
        f"is better already.",
        _grid([*head, "difference", "steps"], table),
    ]


def _retrieval(content: Content) -> list[str]:
    pages = [
        "Answers all right, in per cent, mean over seeds [95 % over seeds, Student's t] (95 % over instances, exact, "
        "from the lowest end to the highest among the seeds), and bits of an answer, teacher-forced. "
        "Columns: bytes from a fact to its question, in a window of so many bytes."
    ]
    for task in dict.fromkeys(row["task"] for row in content["retrieval_rows"]):
        rows = [row for row in content["retrieval_rows"] if row["task"] == task]
        rows.sort(key=lambda row: not row["learned"])
        columns = sorted({(row["length"], row["distance"]) for row in rows})
        cells = {(row["variant"], row["length"], row["distance"]): row for row in rows}
        variants = list(dict.fromkeys(row["variant"] for row in rows))
        first = rows[0]
        pages.append(
            f"Task {task}, exact answers; chance {100 * first['chance']:.3g} %"
            + (
                f", {100 * first['chance_of_any']:.3g} % for any fact's value"
                if first["chance_of_any"] < 1
                else ""
            )
            + f", {first['chance_bits']:.3g} bits:"
        )
        head = ["trained with", *(f"{distance} in {length}" for length, distance in columns)]
        for key, form, unit in (("share", ".1f", 100.0), ("bits", ".2f", 1.0)):
            table = [
                [
                    label(name) + (_task(name) or ", text alone"),
                    *(_ranged(cells.get((name, *column)), key, form, unit) for column in columns),
                ]
                for name in variants
            ]
            pages.append(_grid(head, table))
    return pages + (readings(content, "retrieval") if content["retrieval"] else [])


def _ranged(row: Row | None, key: str, form: str, unit: float) -> str:
    if row is None:
        return ""
    value, low, high = (None if row[k] is None else unit * row[k] for k in (key, f"{key}_low", f"{key}_high"))
    text = f"{value:{form}}" + ("" if low is None else f" [{low:{form}}, {high:{form}}]")
    if (low := row.get(f"{key}_instances_low")) is not None:
        text += f" ({unit * low:{form}}, {unit * row[f'{key}_instances_high']:{form}})"
    return text


PAGES: Mapping[str, Callable[[Content], list[str]]] = {
    "tuning": _tuning,
    "matched": _matched,
    "retrieval": _retrieval,
}


def _cell(row: Row | None, key: str, form: str, *, documents: bool = True) -> str:
    """A number with its intervals, as far as it has them."""
    if row is None or row[key] is None:
        return ""
    text = f"{row[key]:{form}}"
    for kind, (opening, closing) in {"seeds": "[]", "documents": "()"}.items():
        low, high = row.get(f"{key}_{kind}_low"), row.get(f"{key}_{kind}_high")
        if low is not None and (documents or kind == "seeds"):
            text += f" {opening}{low:{form}}, {high:{form}}{closing}"
    return text


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


Content = Mapping[str, Any]  # of a record of results
Row = Mapping[str, Any]

TITLES = {
    "table1": "Fine-tuned at 4 times the trained length (the paper's table 1 in miniature)",
    "table2": "No fine-tuning (the paper's table 2 in miniature)",
    "table3": "Linear against quadratic phase (the paper's table 3 in miniature)",
    "alpha": "TAPA's exponent alpha",
    "share": "TAPA's share of amplitude dimensions, and separate projections",
    "retrieval": "Retrieval by distance",
    "tuning": "Learning rates",
    "matched": "Equal loss at the trained length",
}


def names() -> list[str]:
    """Of all tables."""
    return list(TITLES)


def there(content: Content) -> list[str]:
    """Names of the tables for which there is a run."""
    return [name for name in TITLES if _rows(content, name)]


def files(content: Content) -> dict[str, str]:
    """Every table as "NAME.md" and "NAME.csv"; of one without a run only that it has none."""
    found = {}
    for name in TITLES:
        known = name in there(content)
        found[f"{name}.md"] = markdown(content, name) if known else f"# {TITLES[name]}\n\nNo run yet.\n"
        found[f"{name}.csv"] = csv_text(content, name) if known else ""
    return found


def markdown(content: Content, name: str) -> str:
    """A table for readers, with what is missing below.

    Raises:
        InputError: a name that is unknown, or a table for which there is no run.
    """
    _check(content, name)
    body = PAGES[name](content) if name in PAGES else readings(content, name)
    parts = [f"# {TITLES[name]}", *body]
    if lacks := _lacks(content, name):
        parts.append("Not there:\n\n" + "\n".join(f"- {line}" for line in lacks))
    return "\n\n".join(parts) + "\n"


def csv_text(content: Content, name: str) -> str:
    """The same as comma-separated values, a row for each number with its intervals.

    Raises:
        InputError: as `markdown`.
    """
    _check(content, name)
    rows = _rows(content, name)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _rows(content: Content, name: str) -> list[Row]:
    if name == "retrieval":
        return [
            {**{k: row[k] for k in ("variant", "task", "length", "distance")}, **each}
            | {k: row[k] for k in ("chance", "chance_of_any", "chance_bits")}
            for row in content["retrieval_rows"]
            for each in row["each"]
        ]
    return content[name]


def check_name(name: str) -> None:
    """`InputError` unless there is a table of this name."""
    if name not in TITLES:
        raise InputError(f"table {name!r} is unknown; {nearest(name, TITLES)}")


def _check(content: Content, name: str) -> None:
    check_name(name)
    if not _rows(content, name):
        needed = name if name in EXPERIMENTS else "table2"
        raise InputError(
            f"there is no finished run for table {name} yet; make some with `tapa sweep {needed}`"
        )


def _lacks(content: Content, name: str) -> list[str]:
    members = EXPERIMENTS.get(name, EXPERIMENTS["table2"] if name == "matched" else tuple(VARIANTS))
    lines = [
        line for line in content["missing"] if line.split(":")[0] in members and not line.endswith(NO_RUN)
    ]
    if none := [line.split(":")[0] for line in content["missing"] if line.endswith(NO_RUN)]:
        lines += [f"{', '.join(run for run in none if run in members)}: {NO_RUN}"] * any(
            x in members for x in none
        )
    if name == "retrieval":
        lines += [f"{run}: not read, its record is older" for run in content["retrieval_not_read"]]
    return lines


def _plain(value: Any) -> Any:
    """A cell of a CSV file: six digits are more than the intervals leave."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return " ".join(
            " ".join(f"{x:.6g}" for x in item) if isinstance(item, list) else str(item) for item in value
        )
    return "" if value is None else value
