"""The results as tables: Markdown for readers, CSV for machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from analysis.errors import InputError
from analysis.lm.experiments import EXPERIMENTS, VARIANTS
from analysis.lm.gather import NO_RUN
from analysis.lm.result_pages import PAGES, readings
from analysis.lm.tables import nearest

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


def _check(content: Content, name: str) -> None:
    if name not in TITLES:
        raise InputError(f"table {name!r} is unknown; {nearest(name, TITLES)}")
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
