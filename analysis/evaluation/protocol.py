"""How perplexity is read at a context length: which windows are read, and which of their tokens are scored.

Every protocol scores the same targets whatever the length, so losses at two lengths differ by what was read. A window
of `length` tokens scores at most length - 1 of them: its first has nothing before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.errors import InputError
from analysis.settings import nearest

NAMES = ("non-overlapping", "sliding", "last-token")
PAPER_STRIDE = 256 / 8192
"""The paper's stride over its trained length."""


@dataclass(frozen=True, slots=True)
class Window:
    """One reading of a document: tokens begin .. stop - 1 are read, tokens first .. stop - 1 scored."""

    begin: int
    first: int
    stop: int

    @property
    def size(self) -> int:
        """Tokens that are read."""
        return self.stop - self.begin


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way of cutting targets into windows; checks itself on construction.

    Attributes:
        name: "non-overlapping": windows side by side, contexts of 1 to length - 1 tokens; "sliding": a window
            for every `stride` targets, contexts of length - stride to length - 1 (Press et al. 2021);
            "last-token": a window for every scored token, its context length - 1, one target in `stride` scored.
        stride: in tokens, >= 1; None where it means nothing.

    >>> [(w.begin, w.first, w.stop) for w in Protocol('sliding', 4).windows(8, 16, 8)]
    [(4, 8, 12), (8, 12, 16)]
    """

    name: str = "sliding"
    stride: int | None = 256

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InputError(f"protocol {self.name!r} is unknown; {nearest(self.name, NAMES)}")
        if self.name == "non-overlapping":
            if self.stride is not None:
                raise InputError(
                    f"stride={self.stride} means nothing to non-overlapping windows; leave it out"
                )
        elif isinstance(self.stride, bool) or not isinstance(self.stride, int) or self.stride < 1:
            raise InputError(f"stride={self.stride} is not a positive whole number of tokens")

    def check(self, length: int) -> None:
        """`InputError` if windows of `length` tokens cannot serve."""
        if length < 2:
            raise InputError(f"length={length} leaves nothing to score; give 2 or more")
        if self.name == "sliding" and self._taken(length) > length - 1:
            raise InputError(
                f"stride={self.stride} is not below length={length}; tokens between windows would go unscored"
            )

    def windows(self, start: int, stop: int, length: int) -> Iterator[Window]:
        """Windows over the targets start .. stop - 1 of a document, in order.

        Args:
            start: first target, >= 1: the document's first token has nothing before it. Where fewer than
                `length` tokens stand before the first scored ones, the first window begins with the document
                and scores all that it can; a whole document is so read as transformers documents it for models
                of fixed length.
            stop: after the last target.
            length: tokens of a window, >= 2; the last window may be shorter.

        Raises:
            InputError: as `check`, or no target.
        """
        self.check(length)
        if not 1 <= start < stop:
            raise InputError(
                f"targets {start}..{stop}: a target needs a token before it; give 1 <= start < stop"
            )
        if self.name == "last-token":
            for token in range(start, stop, self.stride or 1):
                yield Window(max(0, token + 1 - length), token, token + 1)
            return
        taken = self._taken(length)
        first, end = start, max(start + taken, length)
        while first < stop:
            yield Window(max(0, end - length), first, min(end, stop))
            first, end = end, end + taken

    def _taken(self, length: int) -> int:
        """Targets of one window, the first one of a document aside."""
        return length - 1 if self.name == "non-overlapping" else self.stride or 1


def scaled_stride(trained_length: int) -> int:
    """The paper's stride of 256 tokens at a trained length of 8192, at this trained length.

    >>> scaled_stride(8192), scaled_stride(128)  # tokens
    (256, 4)
    """
    return max(1, round(PAPER_STRIDE * trained_length))
