"""The one error that means "your input": the command line prints it on one line and exits with 2."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used. The message names the value and the remedy.

    >>> issubclass(InputError, ValueError)
    True
    """
