"""The results as tables: Markdown for readers, CSV for machines, and the paper's own numbers to stand beside ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.errors import InputError
from analysis.experiments.plan import EXPERIMENTS, SEEDS, rate_name
from analysis.settings import nearest
from analysis.tables import Format, Table
from analysis.training.variants import VARIANTS, label

Results = Mapping[str, Any]
"""Content of a record of results, as `results.summarise_runs` gives it."""
Row = dict[str, Any]
"""Of a table."""

NO_RUN = f"no run of seed {SEEDS[0]} yet"
TITLES = {
    "table1": "Fine-tuned at 4 times the trained length (the paper's table 1 in miniature)",
    "table2": "No fine-tuning (the paper's table 2 in miniature)",
    "table3": "Linear against quadratic phase (the paper's table 3 in miniature)",
    "alpha": "TAPA's exponent alpha",
    "share": "TAPA's share of amplitude dimensions, and separate projections",
    "retrieval": "Retrieval by distance",
    "tuning": "Learning rates",
    "equal_loss": "Equal-loss comparison",
}
"""Of each table, by its name."""
OLD_NAMES = {"matched": "equal_loss"}
"""Names that tables had before, which are still understood."""


def names() -> list[str]:
    """Of all tables.

    >>> names()[:3]
    ['table1', 'table2', 'table3']
    """
    return list(TITLES)


def there(content: Results) -> list[str]:
    """Names of the tables for which there is a run."""
    return [name for name in TITLES if _rows(content, name)]


def table_files(content: Results) -> dict[str, str]:
    """Every table as "NAME.md" and "NAME.csv"; of one without a run only that it has none."""
    found = {}
    for name in TITLES:
        known = name in there(content)
        found[f"{name}.md"] = table_markdown(content, name) if known else f"# {TITLES[name]}\n\nNo run yet.\n"
        found[f"{name}.csv"] = csv_text(content, name) if known else ""
    return found


def table_markdown(content: Results, name: str) -> str:
    """A table for readers, with what is missing below. Raises as `page` does."""
    return page(content, name, Format.MARKDOWN)


def page(content: Results, name: str, form: Format) -> str:
    """A table with its title, what its numbers are, and what is missing; in LaTeX the words are comments.

    Raises:
        InputError: a name that is unknown, or a table for which there is no run.
    """
    name = _checked(content, name)
    body = PAGES[name](content) if name in PAGES else _by_length(content, name)
    parts: list[str | Table] = [f"# {TITLES[name]}", *body]
    if notes := content["own_notes"].get(name):
        parts.append("Not comparable:\n\n" + "\n".join(f"- {line}" for line in notes))
    if lacks := _lacks(content, name):
        parts.append("Not there:\n\n" + "\n".join(f"- {line}" for line in lacks))
    return (
        "\n\n".join(part.show(form) if isinstance(part, Table) else words(part, form) for part in parts)
        + "\n"
    )


def words(text: str, form: Format) -> str:
    """A paragraph beside a table; a comment in LaTeX."""
    return "\n".join(f"% {line}" for line in text.split("\n")) if form is Format.LATEX else text


def csv_text(content: Results, name: str) -> str:
    """The same as comma-separated values, a row for each number with its intervals.

    Raises:
        InputError: as `table_markdown`.
    """
    return csv_of(_rows(content, _checked(content, name)))


def csv_of(rows: Sequence[Row]) -> str:
    """Rows of one form as comma-separated values, the first line their keys.

    >>> csv_of([{"method": "RoPE", "seeds": [0, 1]}]).splitlines()
    ['method,seeds', 'RoPE,0 1']
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _rows(content: Results, name: str) -> list[Row]:
    if name == "retrieval":
        return [
            {**{k: row[k] for k in ("variant", "task", "length", "distance")}, **each}
            | {k: row[k] for k in ("chance", "chance_of_any", "chance_bits")}
            for row in content["retrieval_rows"]
            for each in row["each"]
        ]
    own = content["own"].get(name, [])
    return [*content[name], *({key: value for key, value in row.items() if key != "lr"} for row in own)]


def check_name(name: str) -> str:
    """A table's name as it is today; `InputError` unless there is one."""
    name = OLD_NAMES.get(name, name)
    if name not in TITLES:
        raise InputError(f"table {name!r} is unknown; {nearest(name, TITLES)}")
    return name


def _checked(content: Results, name: str) -> str:
    name = check_name(name)
    if not _rows(content, name):
        needed = name if name in EXPERIMENTS else "table2"
        raise InputError(
            f"there is no finished run for table {name} yet; make some with `tapa sweep {needed}`"
        )
    return name


def _lacks(content: Results, name: str) -> list[str]:
    members = EXPERIMENTS.get(name, EXPERIMENTS["table2"] if name == "equal_loss" else tuple(VARIANTS))
    lines = [
        line for line in content["missing"] if line.split(":")[0] in members and not line.endswith(NO_RUN)
    ]
    if none := [line.split(":")[0] for line in content["missing"] if line.endswith(NO_RUN)]:
        lines += [f"{', '.join(run for run in none if run in members)}: {NO_RUN}"] * any(
            x in members for x in none
        )
    if name == "retrieval" and (runs := content["without_retrieval"]):
        lines.append(f"{', '.join(runs)}: their records were made before retrieval was evaluated")
    return lines


def _plain(value: Any) -> Any:
    """A cell of a CSV file: six digits are more than the intervals leave."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return " ".join(
            " ".join(f"{x:.6g}" for x in (item if isinstance(item, list) else [item])) for item in value
        )
    return "" if value is None else value


# The pages: one function a kind.

INTERVALS = "[95 % over seeds, Student's t] (95 % over documents, bootstrap)"


def _by_length(content: Results, name: str) -> list[str | Table]:
    """Of an experiment: perplexity by length, then bits with the rise and the differences; a user's runs below ours."""
    own = content["own"].get(name, [])
    rows = [*content[name], *own]
    lengths = sorted({row["length"] for row in rows})
    trained, longest = content["trained_length"], max(row["length"] for row in content[name])
    cells = {(row["label"], row["length"]): row for row in rows}
    rates = {row["variant"]: row["lr"] for row in content["settings"]}
    first = {row["label"]: row for row in reversed(rows)}
    methods = {row["label"]: row["label"] + _task(row["variant"]) for row in rows}
    perplexity = [
        [
            shown,
            str(len(first[method]["seeds"])),
            rate_name(first[method].get("lr") or rates[first[method]["variant"]]),
            *(_cell(cells.get((method, n)), "perplexity", ".4g", documents=False) for n in lengths),
        ]
        for method, shown in methods.items()
    ]
    against = next((label(row["against"]) + _task(row["against"]) for row in rows if row["against"]), None)
    bits = [
        [
            shown,
            *(_cell(cells.get((method, n)), "bits", ".3f") for n in (trained, longest)),
            _cell(cells.get((method, longest)), "rise", "+.3f"),
            *(_cell(cells.get((method, n)), "difference", "+.3f") for n in (trained, longest)),
        ]
        for method, shown in methods.items()
    ]
    given = f"{content['bytes']:,} bytes of {len(content['documents'])} held-out documents, the same at every length"
    ours: list[str | Table] = [
        f"Trained at {trained} bytes. Perplexity per byte by context length, mean over seeds "
        f"[95 % over seeds, Student's t]; {given}.",
        Table(["method", "seeds", "learning rate", *map(str, lengths)], perplexity),
        f"Bits per byte, the rise from {trained} to {longest}, and the difference from "
        f"{against or 'the baseline'} at both: mean over seeds {INTERVALS}.",
        Table(
            ["method", f"at {trained}", f"at {longest}", "rise", f"difference at {trained}", f"at {longest}"],
            bits,
        ),
    ]
    return ours + papers_table(content["paper"].get(name, []))


def papers_table(rows: Sequence[Row]) -> list[str | Table]:
    """One of the paper's tables, from its rows in `papers_rows`, to stand below ours; nothing of no rows."""
    if not rows:
        return []
    lengths = sorted({row["length"] for row in rows})
    cells = {(row["label"], row["length"]): f"{row['perplexity']:.2f}" for row in rows}
    methods = list(dict.fromkeys(row["label"] for row in rows))
    table = [[method, *(cells.get((method, n), "") for n in lengths)] for method in methods]
    return [
        f"The paper's 7B models, trained at 8192 tokens, perplexity per token ({rows[0]['source']}):",
        Table(["method", *map(str, lengths)], table),
    ]


def _tuning(content: Results) -> list[str | Table]:
    pages: list[str | Table] = [
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
            [label(variant) + _task(variant), *(_outcome(cells.get((variant, lr))) for lr in rates)]
            for variant in dict.fromkeys(row["variant"] for row in rows)
        ]
        pages += [
            "Fine-tuning:" if fine else "From scratch:",
            Table(["method", *map(rate_name, rates)], table),
            "Outcome, which decides nothing: test bits per byte at the trained and at the longest length.",
            Table(["method", *map(rate_name, rates)], after),
        ]
    return pages


def _outcome(row: Row | None) -> str:
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
    """What tells a variant that learned a task from the one that did not."""
    found = VARIANTS[variant].task if variant in VARIANTS else {}
    return f", with {found['task']}" if found else ""


def _equal_loss(content: Results) -> list[str | Table]:
    trained = content["trained_length"]
    table = [
        [
            label(row["variant"]),
            str(len(row["seeds"]))
            + (f" of {len(row['seeds']) + len(row['never_equal'])}" if row["never_equal"] else ""),
            _cell(row, "bits_trained", ".3f"),
            _cell(row, "bits", ".3f"),
            _cell(row, "against_bits", ".3f"),
            _cell(row, "difference", "+.3f"),
            "; ".join(f"{here:.0f}, {there:.0f}" for here, there in row["steps"]),
        ]
        for row in content["equal_loss"]
    ]
    head = ["method", "seeds", f"both at {trained}", f"at {8 * trained}", f"{label('rope')} at {8 * trained}"]
    return [
        f"Bits per byte of a method and of RoPE where both have the same loss at {trained} bytes: that of the worse "
        f"one's end, the better one interpolated between checkpoints of its training. Mean over seeds {INTERVALS}. "
        f"The steps are those of the method and of RoPE; a seed is left out where the better run's first checkpoint "
        f"is better already.",
        Table([*head, "difference", "steps"], table),
    ]


def _retrieval(content: Results) -> list[str | Table]:
    pages: list[str | Table] = [
        "Answers all right, in per cent, mean over seeds [95 % over seeds, Student's t] (95 % over instances, exact, "
        "from the lowest end to the highest among the seeds), and bits of an answer, teacher-forced. "
        "Columns: bytes from a fact to its query, in a window of so many bytes."
    ]
    for task in dict.fromkeys(row["task"] for row in content["retrieval_rows"]):
        rows = [row for row in content["retrieval_rows"] if row["task"] == task]
        rows.sort(key=lambda row: not row["learned"])
        columns = sorted({(row["length"], row["distance"]) for row in rows})
        cells = {(row["variant"], row["length"], row["distance"]): row for row in rows}
        variants = list(dict.fromkeys(row["variant"] for row in rows))
        first = rows[0]
        pages.append(
            f"Task {task}{' retrieval' * (task == 'needle')}, exact answers; chance {100 * first['chance']:.3g} %"
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
            pages.append(Table(head, table))
    return pages + (_by_length(content, "retrieval") if content["retrieval"] else [])


def _ranged(row: Row | None, key: str, form: str, unit: float) -> str:
    if row is None:
        return ""
    value, low, high = (None if row[k] is None else unit * row[k] for k in (key, f"{key}_low", f"{key}_high"))
    text = f"{value:{form}}" + ("" if low is None else f" [{low:{form}}, {high:{form}}]")
    if (low := row.get(f"{key}_instances_low")) is not None:
        text += f" ({unit * low:{form}}, {unit * row[f'{key}_instances_high']:{form}})"
    return text


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


PAGES: Mapping[str, Callable[[Results], list[str | Table]]] = {
    "tuning": _tuning,
    "equal_loss": _equal_loss,
    "retrieval": _retrieval,
}


# The paper's published perplexities of 7B models (arXiv 2509.12635, tables 1 to 3).

_SHORT = (1024, 2048, 4096, 8192, 16_384, 32_768)
_LONG = (*_SHORT, 49_152, 65_536)
_TAPA = (13.04, 12.62, 12.30, 12.07, 11.83, 11.74, 11.67, 11.75)

TABLES: Mapping[str, tuple[str, tuple[int, ...], Mapping[str, tuple[float, ...]]]] = {
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


def papers_rows() -> dict[str, list[dict[str, Any]]]:
    """The paper's tables as rows, fit for a record."""
    return {
        name: [
            {"label": label, "length": length, "perplexity": value, "source": source}
            for label, values in methods.items()
            for length, value in zip(lengths, values, strict=True)
        ]
        for name, (source, lengths, methods) in TABLES.items()
    }
