"""Claims of the ledger's record for a notebook: statement, proof and check, and what it says at real sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.errors import InputError
from analysis.settings import nearest
from analysis.tables import Table
from figures.catalogue import read_any

FACTS = 3  # shown of each form; `tapa verify --explain LABEL` shows all


@dataclass(frozen=True)
class Shown:
    """Markdown that a notebook renders."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        """Short: where Markdown is rendered, nobody reads its source."""
        return f"Markdown, {len(self.text)} characters"


@dataclass(frozen=True)
class Claims:
    """The claims of a record, by label, and the notation in which they are stated."""

    entries: Mapping[str, Mapping[str, Any]]
    symbols: str

    @classmethod
    def read(cls) -> Claims:
        """From the record that `tapa figures claims` makes; `InputError` says so where there is none."""
        found: Any = read_any("claims")
        return cls({entry["label"]: entry for entry in found["claims"]}, found["notation"])

    def notation(self) -> Shown:
        """What the symbols of the statements and proofs mean."""
        return Shown(self.symbols)

    def show(self, *labels: str, facts: int = FACTS) -> Shown:
        """Each claim as stated and as repaired: statement, verdict, the first facts behind it, attack, proof."""
        return Shown("\n\n".join(self._claim(label, facts) for label in labels))

    def practice(
        self, label: str, columns: Sequence[str] = (), where: Mapping[str, object] | None = None
    ) -> Shown:
        """What a claim says at real sizes: its rows, all columns or those named, where the given columns agree."""
        table = self._entry(label)["practice"]
        names = list(columns) or table["columns"]
        unknown = [name for name in (*names, *(where or {})) if name not in table["columns"]]
        if unknown or not table["rows"]:
            if not table["rows"]:
                raise InputError(f"{label}: it has no rows; see `tapa verify --explain {label}`")
            raise InputError(
                f"{label}: column {unknown[0]} is unknown; {nearest(unknown[0], table['columns'])}"
            )
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        kept = [row for row in rows if all(row[name] == value for name, value in (where or {}).items())]
        return Shown(_table(names, [[_cell(row[name]) for name in names] for row in kept]))

    def verdicts(self, parts: Sequence[str] = ()) -> Shown:
        """One row a claim: where, as stated, as repaired; of the whole paper or of some of its parts."""
        chosen = [entry for entry in self.entries.values() if not parts or entry["part"] in parts]
        rows = [
            [
                f"`{entry['label']}`",
                entry["where"],
                *(_verdict(entry[form]) for form in ("stated", "repaired")),
            ]
            for entry in chosen
        ]
        return Shown(_table(["claim", "where", "as stated", "as repaired"], rows))

    def _entry(self, label: str) -> Mapping[str, Any]:
        if label not in self.entries:
            raise InputError(f"no claim is called {label}; {nearest(label, self.entries)}")
        return self.entries[label]

    def _claim(self, label: str, facts: int) -> str:
        entry = self._entry(label)
        lines = [f"**`{label}`** ({entry['where']}; `{entry['stated']['code']}`)", ""]
        forms = {name: entry[name] for name in ("stated", "repaired") if entry[name]}
        for name, form in forms.items():
            lines += _form(name, form, facts)
        for name, form in forms.items():
            if form["proof"]:
                first, *rest = form["proof"]
                lines += [
                    "",
                    f"**Proof** as {name}. {first}",
                    *(line for part in rest for line in ("", part)),
                ]
        return "\n".join(lines)


def _form(name: str, form: Mapping[str, Any], facts: int) -> list[str]:
    lines = [f"- as {name}, **{form['verdict']}**: {form['says']}"]
    lines += [f"    - assumes: {'; '.join(form['assumes'])}"] if form["assumes"] else []
    lines += [f"    - uses: {', '.join(f'`{used}`' for used in form['uses'])}"] if form["uses"] else []
    # what decides comes first: a refutation, or what is left open
    ranked = sorted(form["evidence"], key=lambda line: not line.startswith(("refuted", "unknown")))
    shown = [*ranked[:facts], *([f"and {len(ranked) - facts} more"] if len(ranked) > facts else [])]
    lines += [f"    - {_code(line)}" for line in shown]
    if form["attack"]:
        lines.append(f"    - attacked over {_code(form['domain'])}: {_code(form['attack'][0])}")
    return lines


def _verdict(form: Mapping[str, Any] | None) -> str:
    return form["verdict"] if form else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return Table(head, rows).markdown()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def _code(text: str) -> str:
    """Inline code, where comparisons and powers are not read as Markdown."""
    short = text if len(text) <= 220 else text[:217] + "..."
    return "`" + short.replace("`", "'") + "`"
