"""Tables: the same cells in Markdown, on a terminal and in LaTeX."""

from __future__ import annotations

import pytest

from analysis.tables import Format, Table

TABLE = Table(["method", "share_%"], [["RoPE | b=5e5", "**2.29** (edge)"], ["", "1"]])


def test_markdown_keeps_its_columns():
    assert TABLE.show(Format.MARKDOWN).split("\n") == [
        "| method | share_% |",
        "| --- | --- |",
        r"| RoPE \| b=5e5 | **2.29** (edge) |",
        "|  | 1 |",
    ]


def test_latex_escapes_what_is_special():
    assert TABLE.show(Format.LATEX).split("\n") == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"method & share\_\% \\",
        r"\midrule",
        r"RoPE \textbar{} b=5e5 & \textbf{2.29} (edge) \\",
        r" & 1 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_a_terminal_has_columns_and_no_marks():
    head, first, last = TABLE.show(Format.TEXT).split("\n")
    assert first.index("2.29 (edge)") == head.index("share_%") == last.index("1")
    assert "**" not in first
    assert "[bold]" in Table(["a"], [["[bold]x"]]).text()  # no markup of rich's


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match=r"^a row has 1 cells, there are 2 columns: \['x'\]$"):
        Table(["a", "b"], [["x"]])
