"""How the command line and the library say no."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.errors import InputError


def said_in_one_line(capsys: pytest.CaptureFixture[str], message: str) -> None:
    """Nothing on stdout, and one line of `tapa:` on stderr, with the message in it."""
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("tapa: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert out == ""


def plainly_raises(call: Callable[[], object], message: str) -> None:
    """An `InputError` on one line, with the message in it."""
    with pytest.raises(InputError) as refusal:
        call()
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
