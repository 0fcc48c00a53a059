"""How the command line says no."""

from __future__ import annotations

import pytest


def said_in_one_line(capsys: pytest.CaptureFixture[str], message: str) -> None:
    """Nothing on stdout, and one line of `tapa:` on stderr, with the message in it."""
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("tapa: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert out == ""
