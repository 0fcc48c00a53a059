"""The one error that means "your input": the command line prints it on one line and exits with 2."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used. The message names the value and the remedy, on one line.

    A name may hold anything: line breaks and other characters that cannot be printed stand in it as their escapes.

    >>> str(InputError('a\\nb.txt is missing'))
    'a\\\\nb.txt is missing'
    """

    def __init__(self, message: str = "") -> None:
        """Take a message of any characters."""
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))
