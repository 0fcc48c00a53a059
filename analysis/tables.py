"""One table, shown in three ways: Markdown for files, columns for a terminal, LaTeX for a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # at run time only whoever prints on a terminal pays for it
    from rich.table import Table as RichTable

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip


class Format(StrEnum):
    """How a table is printed; each is a method of `Table`."""

    MARKDOWN = "markdown"
    TEXT = "text"
    LATEX = "latex"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of words; `**bold**` in a cell is bold in every format.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.

    >>> table = Table(["method", "bits"], [["RoPE_1", "**2.29**"]])
    >>> print(table.markdown())
    | method | bits |
    | --- | --- |
    | RoPE_1 | **2.29** |
    >>> print(table.latex().splitlines()[4])
    RoPE\\_1 & \\textbf{2.29} \\\\
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        if wrong := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(
                f"a row has {len(wrong[0])} cells, there are {len(self.columns)} columns: {wrong[0]}"
            )

    def show(self, form: Format) -> str:
        """The table in one of the formats."""
        return {Format.MARKDOWN: self.markdown, Format.TEXT: self.text, Format.LATEX: self.latex}[form]()

    def markdown(self) -> str:
        """Lines of Markdown, without a newline at the end; a bar inside a cell is escaped."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )

    def latex(self) -> str:
        """A `tabular` in the style of booktabs: the first column to the left, the others to the right."""
        head, *rows = (" & ".join(map(_latex, line)) + r" \\" for line in (self.columns, *self.rows))
        spec = "l" + "r" * (len(self.columns) - 1)
        return "\n".join(
            [
                rf"\begin{{tabular}}{{{spec}}}",
                r"\toprule",
                head,
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )

    def text(self) -> str:
        """Columns as wide as the terminal allows, longer cells on several lines."""
        from rich.console import Console

        console = Console(highlight=False)
        with console.capture() as captured:
            console.print(self.rich())
        return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))

    def rich(self) -> RichTable:
        """For a `rich.console.Console`."""
        from rich.table import Table as RichTable
        from rich.text import Text

        shown = RichTable(*self.columns, box=None)
        for row in self.rows:
            shown.add_row(
                *(Text(_BOLD.sub(r"\1", cell), "bold" if _BOLD.search(cell) else "") for cell in row)
            )
        return shown


def _latex(cell: str) -> str:
    """Special characters escaped, `**bold**` as `\\textbf`."""
    escaped = "".join(_LATEX.get(letter, letter) for letter in cell)
    return _BOLD.sub(r"\\textbf{\1}", escaped)
