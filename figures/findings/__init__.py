"""Every measured sentence of this toolkit, once: its label, its values taken from a record, the figure that shows it.

Prose cites a label and repeats a number as it is printed here: `38 % ([bias-share](figures/FINDINGS.md#bias-share))`.
`figures/FINDINGS.md` is made by `tapa findings --write`; `tests/test_findings.py` compares it, and every
number that is cited, with the records.

A label stays for ever. A finding that no longer holds keeps its label and gets a status with its date.
"""

from figures.findings.finding import Finding as Finding
from figures.findings.finding import Status as Status
from figures.findings.finding import Value as Value
from figures.findings.page import PAGE as PAGE
from figures.findings.page import finding as finding
from figures.findings.page import findings as findings
from figures.findings.page import findings_page as findings_page
